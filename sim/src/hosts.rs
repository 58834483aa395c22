//! The hosts of a simulation: how many there may be, and what they are called.

use std::ops::RangeInclusive;

use grove_core::session::PeerId;
use grove_core::types::KeyPair;

use crate::draw::Draw;

/// Fewest and most nodes of a simulation.
pub const NODES: RangeInclusive<usize> = 2..=16;
/// Fewest and most clients of a simulation.
pub const CLIENTS: RangeInclusive<usize> = 1..=16;

/// The name of a node's host.
pub fn node_name(node: usize) -> String {
    format!("node-{node}")
}

/// The name of a client's host.
pub fn client_name(client: usize) -> String {
    format!("client-{client}")
}

/// The key of a client.
pub(crate) fn client_key(seed: u64, client: usize) -> KeyPair {
    let mut bytes = [0; 32];
    Draw::new(seed).fill("key", client as u64, 0, &mut bytes);
    KeyPair::from_seed(&bytes)
}

/// The name a node has among its peers; greater numbers have greater names.
pub(crate) fn peer_id(number: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    PeerId(id)
}

/// The number of the node with this name.
pub(crate) fn number_of(peer: PeerId) -> usize {
    let mut number = [0; 8];
    number.copy_from_slice(&peer.0[..8]);
    usize::try_from(u64::from_be_bytes(number)).expect("made from a usize")
}
