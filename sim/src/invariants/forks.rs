//! Where one place of a log was taken twice, every node keeps the evidence: the same two entries, for ever.
//!
//! Does not check: that the evidence verifies, which is core's matter, or that the operator was told.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{Hash, OperationId, SeqNum};
use grove_node::store::Read;

use crate::evidence::{Evidence, Forks, NodeState, Position, Violation};
use crate::ledger::Ledger;

const NAME: &str = "forks_are_kept";

//= R24: two entries at one place of a log are evidence on every node
pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    for node in &evidence.nodes {
        let expected = forks(node);
        let logs: BTreeSet<_> = expected.keys().chain(node.forks.keys()).collect();
        for log in logs {
            let (wanted, found) = (expected.get(log), node.forks.get(log));
            if wanted != found {
                let (key, log_id) = log;
                let difference = format!(
                    "{} keeps {} as evidence of log {log_id} by {key}, its entries are {}",
                    node.name,
                    told(found),
                    told(wanted)
                );
                return Err(Violation {
                    invariant: NAME,
                    difference,
                });
            }
        }
    }
    Ok(())
}

/// Judges a node that has just accepted an entry for a place that was taken.
pub(crate) fn at_once(
    node: usize,
    store: &dyn Read,
    ledger: &Ledger,
    position: &Position,
) -> Result<(), Violation> {
    let (key, log_id, _) = *position;
    let first = (key, log_id, SeqNum::FIRST);
    let mut places = ledger.places.range(first..);
    let taken_twice = places.find(|(_, ids)| ids.len() > 1);
    let wanted: Vec<OperationId> = taken_twice
        .filter(|((author, log, _), _)| (*author, *log) == (key, log_id))
        .map(|(_, ids)| ids.iter().take(2).copied().collect())
        .unwrap_or_default();
    let found = store.fork(key, log_id).ok().flatten();
    let found = found.map_or_else(Vec::new, |row| {
        vec![Hash::of(&row.first).into(), Hash::of(&row.second).into()]
    });
    if wanted == found {
        return Ok(());
    }
    Err(Violation {
        invariant: NAME,
        difference: format!(
            "node-{node} keeps {found:?} as evidence of log {log_id} by {key}, the lowest are {wanted:?}"
        ),
    })
}

/// Per log with branches the lowest place that was taken twice, and of the entries there those with the lowest
/// ids.
pub(super) fn forks(node: &NodeState) -> Forks {
    let mut places: BTreeMap<_, BTreeSet<OperationId>> = BTreeMap::new();
    for (id, held) in &node.entries {
        places.entry(held.position).or_default().insert(*id);
    }
    let mut forks = Forks::new();
    for ((key, log_id, _), ids) in places {
        let mut ids = ids.into_iter();
        if let (Some(first), Some(second)) = (ids.next(), ids.next()) {
            // Places come in ascending order, so the first one is the lowest.
            forks.entry((key, log_id)).or_insert([first, second]);
        }
    }
    forks
}

fn told(pair: Option<&[OperationId; 2]>) -> String {
    pair.map_or_else(
        || "nothing".to_owned(),
        |[first, second]| format!("{first} and {second}"),
    )
}
