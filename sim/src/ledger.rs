//! What was signed by whom, and what a node has accepted so far, as the harness saw it: what the invariants that
//! are judged at every event are judged by.
//!
//! Data only, kept beside the nodes and never shown to them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grove_core::types::{DocumentId, OperationId};
use grove_core::wire::Operation;

use crate::evidence::{Position, Published};

/// An entry that somebody signed in this run.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The client, where the client library made it.
    pub client: Option<usize>,
    pub position: Position,
    pub entry: Vec<u8>,
    pub payload: Vec<u8>,
    /// The operation, where it is one.
    pub operation: Option<Rc<Operation>>,
}

impl Signed {
    /// As evidence that it was published.
    pub(crate) fn published(&self, operation_id: OperationId, node: usize) -> Published {
        Published {
            client: self.client.unwrap_or(usize::MAX),
            node,
            operation_id,
            position: self.position,
            entry: self.entry.clone(),
            operation: self.payload.clone(),
        }
    }
}

/// Everything that was signed in this run.
pub(crate) type Known = BTreeMap<OperationId, Rc<Signed>>;

/// What one node has accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Where each entry stands, and what it builds on in its log.
    pub held: BTreeMap<OperationId, Link>,
    /// Which entries stand where; more than one is a fork.
    pub places: BTreeMap<Position, BTreeSet<OperationId>>,
    /// What it answered as published.
    pub acknowledged: BTreeSet<OperationId>,
    /// Documents of which it was told that they were deleted.
    pub deleted: BTreeSet<DocumentId>,
    /// How far somebody read who follows its changes, and the documents he heard of.
    pub followed: i64,
    pub heard: BTreeSet<DocumentId>,
}

/// An entry in its log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub position: Position,
    pub backlink: Option<OperationId>,
}
