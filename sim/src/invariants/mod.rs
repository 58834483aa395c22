//! What must hold, always and once the clients are done, the links healed and the nodes quiet.
//!
//! | | file | always | in the end |
//! | --- | --- | --- | --- |
//! | S1 | `valid` | nothing invalid is accepted | |
//! | S2 | `whole` | logs are whole | |
//! | S3 | `acknowledged` | what was acknowledged survives power losses | and is on every node |
//! | S4, L3 | `forks` | a fork leaves evidence at once | which is the same on every node |
//! | S5, L4 | `deleted` | what was deleted is not kept, shown or sent | anywhere |
//! | S6 | `pins` | remembered views stay | |
//! | S7, L1 | `views` | a document is what its operations make it | on every node |
//! | S8 | `bounded` | nothing grows without bounds | |
//! | S9 | `readers` | writers read what they wrote, followers miss nothing | |
//! | L1 | `entries` | | all nodes hold the same |
//! | L2 | `answered` | | everybody is answered |
//! | L5 | `idle` | | nobody has anything left to say |
//!
//! Each invariant is a pure function of the [`Evidence`] in a file of its own, whose header says what it
//! does not check. The first difference found is the one reported: later ones tend to follow from it.

pub(crate) mod acknowledged;
pub(crate) mod answered;
pub(crate) mod bounded;
pub(crate) mod deleted;
mod entries;
pub(crate) mod forks;
pub(crate) mod idle;
pub(crate) mod pins;
pub(crate) mod readers;
pub(crate) mod valid;
pub(crate) mod views;
pub(crate) mod whole;

use crate::evidence::{Evidence, NodeState, Violation};

/// Checks all invariants in the order from cause to effect.
///
/// # Errors
///
/// With the first violation found.
pub(crate) fn check(evidence: &Evidence) -> Result<(), Violation> {
    acknowledged::check(evidence)?;
    check_agreement(evidence)
}

/// Checks all of them but whether what was acknowledged is there.
///
/// # Errors
///
/// With the first violation found.
pub(crate) fn check_agreement(evidence: &Evidence) -> Result<(), Violation> {
    entries::check(evidence)?;
    forks::check(evidence)?;
    deleted::check(evidence)?;
    views::check(evidence)
}

/// How many logs of a node have branches.
pub(crate) fn forked_logs(node: &NodeState) -> usize {
    forks::forks(node).len()
}

/// Whether all nodes hold the same entries; asked often while the run waits for that.
pub(crate) fn entries_agree(evidence: &Evidence) -> bool {
    entries::check(evidence).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Held, Published};
    use crate::faults::planted::PlantedBug;
    use crate::reference::documents;
    use grove_core::types::{Hash, KeyPair, LogId, OperationId, PlainValue, SeqNum};
    use grove_core::wire::{Fields, Operation};
    use rstest::rstest;
    use std::collections::BTreeMap;

    fn publish(evidence: &mut Evidence, seq: u64, operation: &Operation) -> OperationId {
        let operation = operation.encode();
        let entry = [&seq.to_be_bytes()[..], &operation].concat();
        let operation_id = Hash::of(&entry).into();
        let key = KeyPair::from_seed(&[1; 32]).public_key();
        let position = (key, LogId::default(), SeqNum::new(seq).expect("not zero"));
        let published = Published {
            client: 0,
            node: 0,
            operation_id,
            position,
            entry,
            operation,
        };
        evidence.published.push(published);
        operation_id
    }

    fn title(text: &str) -> Fields<PlainValue> {
        Fields::from([("title".to_owned(), PlainValue::Str(text.to_owned()))])
    }

    /// One document edited at two places at once and one deleted one, on three nodes in order.
    fn honest() -> Evidence {
        let schema = format!("note_{}", Hash::of(b"definition"));
        let schema_id: grove_core::types::SchemaId = schema.parse().expect("a schema id");
        let create = |text| Operation::Create {
            schema_id: schema_id.clone(),
            fields: title(text),
        };
        let update = |id: OperationId, text| Operation::Update {
            schema_id: schema_id.clone(),
            previous: id.into(),
            fields: title(text),
        };
        let mut evidence = Evidence::default();
        let edited = publish(&mut evidence, 1, &create("one"));
        publish(&mut evidence, 2, &update(edited, "left"));
        publish(&mut evidence, 3, &update(edited, "right"));
        let deleted = publish(&mut evidence, 4, &create("two"));
        let delete = Operation::Delete {
            schema_id: schema_id.clone(),
            previous: deleted.into(),
        };
        publish(&mut evidence, 5, &delete);
        // A second entry for a place that is taken: accepted elsewhere, it loses nothing.
        publish(&mut evidence, 5, &update(edited, "at the same place"));
        evidence.nodes = (0..3)
            .map(|node| settled(node, &evidence.published))
            .collect();
        evidence
    }

    /// A node that holds and shows what it should.
    fn settled(node: usize, published: &[Published]) -> NodeState {
        let documents = documents(published);
        let gone: Vec<OperationId> = documents
            .values()
            .filter(|expected| expected.deleted)
            .flat_map(|expected| expected.content.clone())
            .collect();
        let entries: BTreeMap<OperationId, Held> = published
            .iter()
            .map(|published| {
                let kept = !gone.contains(&published.operation_id);
                let operation = kept.then(|| published.operation.clone());
                (
                    published.operation_id,
                    Held {
                        position: published.position,
                        entry: published.entry.clone(),
                        operation,
                    },
                )
            })
            .collect();
        let shown = documents
            .into_iter()
            .filter_map(|(document, expected)| Some((document, expected.shown?)))
            .collect();
        let mut state = NodeState {
            name: crate::hosts::node_name(node),
            entries,
            shown,
            ..NodeState::default()
        };
        state.forks = forks::forks(&state);
        state
    }

    #[test]
    fn honest_nodes_violate_nothing() {
        assert_eq!(check(&honest()), Ok(()));
    }

    #[rstest]
    #[case(PlantedBug::ForgetAcknowledged, "acknowledged_entries_stay")]
    #[case(PlantedBug::ForgetFork, "forks_are_kept")]
    #[case(PlantedBug::ShowDeleted, "deleted_documents_gone")]
    #[case(PlantedBug::KeepDeleted, "deleted_documents_gone")]
    #[case(PlantedBug::FalsifyView, "views_equal")]
    #[case(PlantedBug::FalsifyEveryView, "views_equal")]
    fn planted_bug_is_seen(#[case] bug: PlantedBug, #[case] invariant: &str) {
        let mut evidence = honest();

        bug.spoil(&mut evidence);

        let violation = check(&evidence).expect_err("the bug is seen");
        assert_eq!(violation.invariant, invariant);
    }

    #[test]
    fn entry_that_one_node_has_too_much_is_named() {
        let mut evidence = honest();
        let lost = evidence.published.pop().expect("five of them").operation_id;
        evidence.nodes[0].entries.remove(&lost);
        evidence.nodes[1].entries.remove(&lost);

        let violation = check(&evidence).expect_err("they differ");

        assert_eq!(violation.invariant, "entry_sets_equal");
        assert!(
            violation.difference.starts_with("node-2 holds"),
            "{}",
            violation.difference
        );
    }
}
