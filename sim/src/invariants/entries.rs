//! All nodes hold the same entries, with their operations or without.
//!
//! Does not check: that the entries are valid, or that they are all that was published (see
//! `acknowledged`); nodes that all miss the same entry agree.

use super::{Evidence, NodeState, Violation, place};

const NAME: &str = "entry_sets_equal";

pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    let Some((first, others)) = evidence.nodes.split_first() else { return Ok(()) };
    others.iter().try_for_each(|other| {
        // One direction finds what `other` lacks or has otherwise, the other what it has too much.
        compare(first, other).and_then(|()| compare(other, first))
    })
}

fn compare(left: &NodeState, right: &NodeState) -> Result<(), Violation> {
    for (position, held) in &left.entries {
        let difference = match right.entries.get(position) {
            Some(same) if same == held => continue,
            None => format!("{} holds {}, {} does not", left.name, place(position), right.name),
            Some(other) if other.entry != held.entry => {
                format!("{} and {} hold different bytes as {}", left.name, right.name, place(position))
            }
            Some(other) => {
                let (with, without) = match (&held.operation, &other.operation) {
                    (Some(_), None) => (left, right),
                    _ => (right, left),
                };
                format!(
                    "{} keeps another operation than {} with {}",
                    with.name,
                    without.name,
                    place(position)
                )
            }
        };
        return Err(Violation { invariant: NAME, difference });
    }
    Ok(())
}
