//! What a run leaves for the invariants to judge: what was acknowledged, and what the nodes hold and show.
//!
//! Data only. Who gathers it and what must hold of it stand elsewhere.

use std::collections::BTreeMap;

use grove_core::types::{DocumentId, DocumentViewId, LogId, OperationId, PublicKey, SeqNum};
use grove_core::wire::Operation;
use serde::{Deserialize, Serialize};

/// Everything the invariants look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// The nodes in the order of their numbers.
    pub nodes: Vec<NodeState>,
    /// What clients handed in and nodes acknowledged, in the order of the answers.
    pub published: Vec<Published>,
}

/// What one node holds and shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeState {
    /// The host's name.
    pub name: String,
    /// Every entry in its store, by the id of its operation.
    pub entries: BTreeMap<OperationId, Held>,
    /// Every document of the workload's schema it answers with.
    pub shown: BTreeMap<DocumentId, Shown>,
    /// The evidence of forks it keeps.
    pub forks: Forks,
}

/// Per forked log two different entries for one place, the lower id first.
pub(crate) type Forks = BTreeMap<(PublicKey, LogId), [OperationId; 2]>;

/// Where an entry stands.
pub(crate) type Position = (PublicKey, LogId, SeqNum);

/// One entry in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Where the entry stands. Where a log has branches, others may stand there too.
    pub position: Position,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The operation's bytes, unless they were deleted.
    pub operation: Option<Vec<u8>>,
}

/// A document as a node's API shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// The view.
    pub view_id: DocumentViewId,
    /// The fields as JSON.
    pub fields: BTreeMap<String, serde_json::Value>,
}

/// One publication that a node acknowledged to a client.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// Which client, and which node answered.
    pub client: usize,
    /// The node that answered.
    pub node: usize,
    /// The hash of the entry.
    pub operation_id: OperationId,
    /// Where the entry stands.
    pub position: Position,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The operation's bytes.
    pub operation: Vec<u8>,
}

impl Published {
    /// Whether the operation joined branches of its document.
    pub(crate) fn is_merge(&self) -> bool {
        Operation::decode(&self.operation).is_ok_and(|operation| {
            operation
                .previous()
                .is_some_and(|view| view.ids().len() > 1)
        })
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The invariant's name, stable.
    pub invariant: &'static str,
    /// The first difference, for people.
    pub difference: String,
}

/// A violation of an invariant, and when it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name of the invariant.
    pub invariant: String,
    /// The first difference, for people.
    pub difference: String,
    /// Number of the event at which it was found.
    pub event: u64,
    /// Simulated microseconds.
    pub at_us: u64,
}

impl Finding {
    /// The node or client that the difference is about, by which two findings are told to be the same.
    pub fn culprit(&self) -> &str {
        let words = self.difference.split([' ', ',', ':']);
        let mut hosts =
            words.filter(|word| word.starts_with("node-") || word.starts_with("client-"));
        hosts.next().unwrap_or_default()
    }
}

/// An operation of a run, for the graphs of documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// The operation.
    pub id: String,
    /// Its document.
    pub document: String,
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// What it was made on top of.
    pub previous: Vec<String>,
}

/// An entry for people: its id, and where it stands.
pub(crate) fn place(id: OperationId, (key, log, seq): &Position) -> String {
    format!("entry {id}, number {seq} of log {log} by {key}")
}
