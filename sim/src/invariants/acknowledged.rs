//! What a node acknowledged to a client is still there, byte for byte, on every node.
//!
//! Does not check: what happens when a node loses its disk (no node restarts here), publications whose
//! outcome the client never learnt, and operations of deleted documents, which must go.

use crate::evidence::{Evidence, Violation, place};

const NAME: &str = "acknowledged_entries_stay";

pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    for published in &evidence.published {
        for node in &evidence.nodes {
            let found = node.entries.get(&published.operation_id);
            if found.is_some_and(|held| held.entry == published.entry) {
                continue;
            }
            let difference = format!(
                "{} does not hold {}, which node-{} acknowledged to client-{}",
                node.name,
                place(published.operation_id, &published.position),
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
