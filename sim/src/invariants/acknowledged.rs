//! What a node acknowledged to a client is still there, byte for byte, on every node.
//!
//! Does not check: what happens when a node loses its disk (no node restarts here), publications whose
//! outcome the client never learnt, and operations of deleted documents, which must go.

use super::{Evidence, Violation, place};

const NAME: &str = "acknowledged_entries_stay";

pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    for published in &evidence.published {
        for node in &evidence.nodes {
            let found = node.entries.get(&published.position);
            if found.is_some_and(|held| held.entry == published.entry) {
                continue;
            }
            let state = if found.is_some() {
                "holds another"
            } else {
                "does not hold the"
            };
            let difference = format!(
                "{} {state} {}, which node-{} acknowledged to client-{}",
                node.name,
                place(&published.position),
                published.node,
                published.client
            );
            return Err(Violation {
                invariant: NAME,
                difference,
            });
        }
    }
    Ok(())
}
