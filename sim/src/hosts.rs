//! The hosts of a simulation: how many there may be, and what they are called.

use std::ops::RangeInclusive;

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
