//! What a node acknowledged to a client is still there, byte for byte, on every node.
//!
//! Does not check: what happens when a node loses its disk publications whose
//! outcome the client never learnt, and operations of deleted documents, which must go.

use grove_node::store::Read;

use crate::evidence::{Evidence, Violation, place};
use crate::ledger::Ledger;

const NAME: &str = "acknowledged_entries_stay";

/// Judges a node that has just started again, by what it had accepted before.
pub(crate) fn survives(node: usize, store: &dyn Read, ledger: &Ledger) -> Result<(), Violation> {
    for (id, link) in &ledger.held {
        let found = store.placed(id.hash());
        if matches!(found, Ok(Some(_))) {
            continue;
        }
        let acknowledged = match ledger.acknowledged.contains(id) {
            true => "acknowledged",
            false => "accepted",
        };
        let difference = format!(
            "node-{node} lost {} when it lost power, which it had {acknowledged}",
            place(*id, &link.position)
        );
        return Err(Violation {
            invariant: NAME,
            difference,
        });
    }
    Ok(())
}

pub(crate) fn check(evidence: &Evidence) -> Result<(), Violation> {
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
