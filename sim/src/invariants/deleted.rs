//! A document whose deletion was acknowledged shows nowhere, and no node keeps its content.
//!
//! Does not check: pages of the disk or messages on their way, where deleted bytes may linger; documents
//! of other schemas than the workload's.

use grove_core::types::{DocumentId, OperationId};
use grove_node::store::{EntryRow, Read};

use crate::evidence::{Evidence, Violation, place};
use crate::ledger::Known;
use crate::reference;

const NAME: &str = "deleted_documents_gone";

/// Judges a document that a node was told to be deleted: nothing of it is kept but what deleted it.
pub(crate) fn at_once(
    node: usize,
    rows: &[EntryRow],
    known: &Known,
    document: DocumentId,
) -> Result<(), Violation> {
    let keeps = rows.iter().find(|row| {
        let id = OperationId::from(row.hash);
        let is_delete = known.get(&id).and_then(|signed| {
            let operation = signed.operation.as_ref()?;
            Some(operation.previous().is_some() && operation.fields().is_none())
        });
        row.payload.is_some() && is_delete == Some(false)
    });
    match keeps {
        None => Ok(()),
        Some(row) => Err(Violation {
            invariant: NAME,
            difference: format!(
                "node-{node} keeps operation {} of {document}, which was deleted",
                row.hash
            ),
        }),
    }
}

/// Judges an entry that a node sends with its operation.
pub(crate) fn sent(
    node: usize,
    id: OperationId,
    store: &dyn Read,
    known: &Known,
) -> Result<(), Violation> {
    let Some(operation) = known.get(&id).and_then(|signed| signed.operation.clone()) else {
        return Ok(());
    };
    let is_content = operation.fields().is_some();
    let document = store.operation(id).ok().flatten().map(|row| row.document);
    let row = document.and_then(|document| store.document_outline(document).ok().flatten());
    if !(is_content && row.is_some_and(|row| row.is_deleted())) {
        return Ok(());
    }
    Err(Violation {
        invariant: NAME,
        difference: format!("node-{node} sends operation {id}, whose document was deleted"),
    })
}

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
