//! A document whose deletion was acknowledged shows nowhere, and no node keeps its content.
//!
//! Does not check: pages of the disk or messages on their way, where deleted bytes may linger; documents
//! of other schemas than the workload's.

use super::{Evidence, Violation, place};
use crate::fold;

const NAME: &str = "deleted_documents_gone";

pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    let documents = fold::fold(&evidence.published);
    for (document, folded) in documents.iter().filter(|(_, folded)| folded.deleted) {
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
            let kept = folded.content.iter().find(|position| {
                node.entries
                    .get(*position)
                    .is_some_and(|held| held.operation.is_some())
            });
            if let Some(position) = kept {
                let difference = format!(
                    "{} keeps the operation of {}, though {document} was deleted",
                    node.name,
                    place(position)
                );
                return Err(violation(difference));
            }
        }
    }
    Ok(())
}
