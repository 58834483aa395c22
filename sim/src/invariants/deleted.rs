//! A document whose deletion was acknowledged shows nowhere, and no node keeps its content.
//!
//! Does not check: pages of the disk or messages on their way, where deleted bytes may linger; documents
//! of other schemas than the workload's.

use crate::evidence::{Evidence, Violation, place};
use crate::reference;

const NAME: &str = "deleted_documents_gone";

pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    let documents = reference::documents(&evidence.published);
    for (document, expected) in documents.iter().filter(|(_, expected)| expected.deleted) {
        for node in &evidence.nodes {
            let violation = |difference| Violation {
                invariant: NAME,
                difference,
            };
            //= DL5: a deleted document shows nowhere
            if node.shown.contains_key(document) {
                let difference = format!("{} shows {document}, which was deleted", node.name);
                return Err(violation(difference));
            }
            //= DL1: no node keeps its operations
            //= R7: the payloads of a deleted document go, those of its DELETE operations stay
            let kept = expected.content.iter().find_map(|id| {
                let held = node.entries.get(id)?;
                held.operation.is_some().then_some((*id, held.position))
            });
            if let Some((id, position)) = kept {
                let difference = format!(
                    "{} keeps the operation of {}, though {document} was deleted",
                    node.name,
                    place(id, &position)
                );
                return Err(violation(difference));
            }
        }
    }
    Ok(())
}
