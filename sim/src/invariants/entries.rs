//! All nodes hold the same entries, with their operations or without.
//!
//! Does not check: that the entries are valid, or that they are all that was published (see
//! `acknowledged`); nodes that all miss the same entry agree.

use grove_core::wire::Operation;

use crate::evidence::{Evidence, Held, NodeState, Violation, place};

const NAME: &str = "entry_sets_equal";

//= RP11: nodes that are quiet hold the same entries
pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    let Some((first, others)) = evidence.nodes.split_first() else {
        return Ok(());
    };
    others.iter().try_for_each(|other| {
        // One direction finds what `other` lacks or has otherwise, the other what it has too much.
        compare(first, other).and_then(|()| compare(other, first))
    })
}

fn compare(left: &NodeState, right: &NodeState) -> Result<(), Violation> {
    let (one, two) = (&left.name, &right.name);
    for (id, held) in &left.entries {
        let place = place(*id, &held.position);
        let difference = match right.entries.get(id) {
            Some(same) if same == held => continue,
            None => format!("{one} holds {place}, {two} does not"),
            Some(other) if other.entry != held.entry => {
                format!("{one} and {two} hold different bytes as {place}")
            }
            Some(other) => {
                let (ours, theirs) = (operation(held), operation(other));
                format!("{one} keeps {ours} with {place}, {two} keeps {theirs}")
            }
        };
        return Err(Violation {
            invariant: NAME,
            difference,
        });
    }
    Ok(())
}

/// What kind of operation is held, for people.
fn operation(held: &Held) -> String {
    let Some(bytes) = &held.operation else {
        return "no operation".to_owned();
    };
    match Operation::decode(bytes) {
        Ok(operation) => format!("an operation ({:?})", operation.action()),
        Err(error) => format!("no operation but bytes: {error}"),
    }
}
