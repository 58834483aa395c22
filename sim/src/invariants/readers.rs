//! S9: who writes can read it at once, and who follows the changes of a node misses none and never goes back.
//!
//! Does not check: filters and pages, which have tests of their own.

use grove_core::types::OperationId;
use grove_node::store::{Read, StoreError};

use crate::evidence::Violation;
use crate::ledger::Ledger;

const NAME: &str = "readers_see_what_was_written";
/// How many changes are read at once.
const PAGE: u32 = 64;

fn violation(difference: String) -> Violation {
    Violation {
        invariant: NAME,
        difference,
    }
}

fn failed(error: &StoreError) -> Violation {
    violation(format!("what was written can't be read: {error}"))
}

/// Judges an answer: what was acknowledged shows.
pub(crate) fn own_write(node: usize, store: &dyn Read, id: OperationId) -> Result<(), Violation> {
    match store.operation(id).map_err(|error| failed(&error))? {
        None => Err(violation(format!(
            "node-{node} acknowledged {id} and does not show it"
        ))),
        Some(operation) => match store.document(operation.document) {
            Err(error) => Err(failed(&error)),
            Ok(None) => Err(violation(format!(
                "node-{node} acknowledged {id} and shows no document {}",
                operation.document
            ))),
            Ok(Some(_)) => Ok(()),
        },
    }
}

/// Reads on where the follower of a node stopped, and when asked whether he has heard of everything by now.
pub(crate) fn follow(
    node: usize,
    store: &dyn Read,
    ledger: &mut Ledger,
    to_the_end: bool,
) -> Result<(), Violation> {
    loop {
        let changes = store.changes(ledger.followed, PAGE);
        let changes = changes.map_err(|error| failed(&error))?;
        let before = ledger.followed;
        for change in changes {
            if change.position < ledger.followed {
                let difference = format!("changes of node-{node} go back to {}", change.position);
                return Err(violation(difference));
            }
            ledger.followed = change.position;
            ledger.heard.insert(change.document);
        }
        if !to_the_end {
            return Ok(());
        }
        if ledger.followed == before {
            break;
        }
    }
    for id in ledger.held.keys() {
        let row = store.operation(*id).map_err(|error| failed(&error))?;
        if let Some(row) = row.filter(|row| !ledger.heard.contains(&row.document)) {
            let difference = format!(
                "who follows node-{node} never heard of document {}",
                row.document
            );
            return Err(violation(difference));
        }
    }
    Ok(())
}
