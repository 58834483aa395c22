//! Clients that go on from a copy: one key at work in two places, as after a backup is restored or a disk is cloned.
//!
//! Everybody is honest here, and yet logs get branches: two nodes may each accept another entry for one place.
//! Decides from the seed who is copied when. Leaves out how a copy is made, which is the engine's work.

use serde::{Deserialize, Serialize};

use crate::draw::Draw;

/// Most copies of a seed.
const COPIES_MAX: u64 = 3;

/// One client goes on from a copy of what a client was: its key, and what it remembers of its logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The client that goes on.
    pub client: usize,
    /// Whose copy it takes; its own is an old backup.
    pub of: usize,
    /// The copy is made at this moment …
    pub from_ms: u64,
    /// … and taken at this one.
    pub at_ms: u64,
    /// The node the client talks to from then on.
    pub node: usize,
}

/// The copies of a seed whose workload takes `workload_ms`.
pub(crate) fn copies(draw: Draw, nodes: usize, clients: usize, workload_ms: u64) -> Vec<Copy> {
    let mut copies = Vec::new();
    if !draw.chance(50, "copies", 0, 0) {
        return copies;
    }
    for nth in 0..1 + draw.below(COPIES_MAX, "copies", 1, 0) {
        let of = draw.pick(clients, "copied client", 0, nth);
        let other = (of + 1 + draw.pick(clients, "copying client", 0, nth)) % clients;
        // Two at one node are told of each other by its refusals; logs get branches where nodes differ.
        let elsewhere = (of + 1 + draw.pick(nodes - 1, "node of the copy", 0, nth)) % nodes;
        let anywhere = draw.pick(nodes, "node of the backup", 0, nth);
        let early = draw.below(workload_ms / 2, "copy from", 0, nth);
        let late = early + draw.below(workload_ms / 2, "copy at", 0, nth);
        copies.push(match draw.below(3, "kind of copy", 0, nth) {
            // One key in two hands from the beginning.
            0 => Copy {
                client: other,
                of,
                from_ms: 0,
                at_ms: 0,
                node: elsewhere,
            },
            // A disk cloned while its owner goes on.
            1 => Copy {
                client: other,
                of,
                from_ms: early,
                at_ms: early,
                node: elsewhere,
            },
            // An old backup restored, maybe to talk to another node.
            _ => Copy {
                client: of,
                of,
                from_ms: early,
                at_ms: late,
                node: anywhere,
            },
        });
    }
    copies.sort_by_key(|copy| (copy.at_ms, copy.client));
    copies
}
