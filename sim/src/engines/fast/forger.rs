//! What a hostile node has to sign with, and what it signed so far.

use grove_core::types::{KeyPair, OperationId};

use crate::draw::Draw;

/// A key at work for a hostile node.
#[derive(Clone, Debug)]
pub(super) struct Forger {
    pub key: KeyPair,
    pub next_log: u64,
    pub acts: u64,
    /// Pairs of entries for one place.
    pub pairs: Vec<[OperationId; 2]>,
}

impl Forger {
    pub(super) fn new(seed: u64, node: usize) -> Self {
        let mut bytes = [0; 32];
        Draw::new(seed).fill("hostile key", node as u64, 0, &mut bytes);
        Self {
            key: KeyPair::from_seed(&bytes),
            next_log: 0,
            acts: 0,
            pairs: Vec::new(),
        }
    }
}
