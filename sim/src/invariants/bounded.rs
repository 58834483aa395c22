//! S8: nothing grows beyond its bound: what one input leads to, transfers per peer, entries that wait.
//!
//! Does not check: memory in bytes; work, which budgets bound.

use grove_node::engine::EngineLimits;
use grove_node::store::Counts;

use crate::evidence::Violation;

const NAME: &str = "everything_is_bounded";
/// Messages to one peer that one input may lead to: answers in two sessions, an announcement and a request.
const MESSAGES_PER_PEER: usize = 8;
/// Transfers to one peer that may wait for their turn: those of its sessions, and one for each thing that is new.
const TRANSFERS_MAX: usize = 256;

fn violation(difference: String) -> Violation {
    Violation {
        invariant: NAME,
        difference,
    }
}

/// Messages that one input led to, with so many peers connected.
pub(crate) fn messages(node: usize, sent: usize, peers: usize) -> Result<(), Violation> {
    if sent <= MESSAGES_PER_PEER * peers.max(1) {
        return Ok(());
    }
    Err(violation(format!(
        "node-{node} said {sent} messages to {peers} peers at once"
    )))
}

/// Transfers to one peer that are under way.
pub(crate) fn transfers(node: usize, peer: usize, count: usize) -> Result<(), Violation> {
    if count <= TRANSFERS_MAX {
        return Ok(());
    }
    Err(violation(format!(
        "node-{node} sends node-{peer} {count} transfers at once"
    )))
}

/// What a store holds.
pub(crate) fn store(node: usize, counts: Counts, limits: &EngineLimits) -> Result<(), Violation> {
    if counts.parked <= limits.parked_max.entries {
        return Ok(());
    }
    Err(violation(format!(
        "{} entries wait on node-{node}",
        counts.parked
    )))
}
