//! What must hold once the clients are done, the links healed and the nodes quiet.
//!
//! Each invariant is a pure function of the [`Evidence`] in a file of its own, whose header says what it
//! does not check. The first difference found is the one reported: later ones tend to follow from it.

mod acknowledged;
mod deleted;
mod entries;
mod views;

use std::collections::BTreeMap;

use grove_core::types::{DocumentId, DocumentViewId, LogId, OperationId, PublicKey, SeqNum};
use grove_core::wire::Operation;

/// Everything the invariants look at.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The nodes in the order of their numbers.
    pub nodes: Vec<NodeState>,
    /// What clients handed in and nodes acknowledged, in the order of the answers.
    pub published: Vec<Published>,
}

/// What one node holds and shows.
#[derive(Clone, Debug, Default)]
pub struct NodeState {
    /// The host's name.
    pub name: String,
    /// Every entry in its store.
    pub entries: BTreeMap<Position, Held>,
    /// Every document of the workload's schema it answers with.
    pub shown: BTreeMap<DocumentId, Shown>,
}

/// Where an entry stands.
pub type Position = (PublicKey, LogId, SeqNum);

/// One entry in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The operation's bytes, unless they were deleted.
    pub operation: Option<Vec<u8>>,
}

/// A document as a node's API shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The view.
    pub view_id: DocumentViewId,
    /// The fields as JSON.
    pub fields: BTreeMap<String, serde_json::Value>,
}

/// One publication that a node acknowledged to a client.
#[derive(Clone, Debug)]
pub struct Published {
    /// Which client, and which node answered.
    pub client: usize,
    /// The node that answered.
    pub node: usize,
    /// The hash of the entry.
    pub operation_id: OperationId,
    /// Where the entry stands.
    pub position: Position,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The operation's bytes.
    pub operation: Vec<u8>,
}

impl Published {
    /// Whether the operation joined branches of its document.
    pub fn is_merge(&self) -> bool {
        Operation::decode(&self.operation).is_ok_and(|operation| {
            operation
                .previous()
                .is_some_and(|view| view.ids().len() > 1)
        })
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name, stable.
    pub invariant: &'static str,
    /// The first difference, for people.
    pub difference: String,
}

/// Checks all invariants in the order from cause to effect.
///
/// # Errors
///
/// With the first violation found.
pub fn check(evidence: &Evidence) -> Result<(), Violation> {
    acknowledged::check(evidence)?;
    entries::check(evidence)?;
    deleted::check(evidence)?;
    views::check(evidence)
}

impl Evidence {
    /// Whether all nodes hold the same entries; asked often while the run waits for that.
    pub fn entries_agree(&self) -> bool {
        entries::check(self).is_ok()
    }
}

/// A position for people.
fn place((key, log, seq): &Position) -> String {
    format!("entry {seq} of log {log} by {key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::plant::Plant;
    use grove_core::types::{Hash, KeyPair, PlainValue};
    use grove_core::wire::Fields;
    use rstest::rstest;

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
        evidence.nodes = (0..3)
            .map(|node| settled(node, &evidence.published))
            .collect();
        evidence
    }

    /// A node that holds and shows what it should.
    fn settled(node: usize, published: &[Published]) -> NodeState {
        let documents = fold(published);
        let gone: Vec<Position> = documents
            .values()
            .filter(|folded| folded.deleted)
            .flat_map(|folded| folded.content.clone())
            .collect();
        let entries = published
            .iter()
            .map(|published| {
                let kept = !gone.contains(&published.position);
                let operation = kept.then(|| published.operation.clone());
                (
                    published.position,
                    Held {
                        entry: published.entry.clone(),
                        operation,
                    },
                )
            })
            .collect();
        let shown = documents
            .into_iter()
            .filter_map(|(document, folded)| Some((document, folded.shown?)))
            .collect();
        NodeState {
            name: crate::plan::node_name(node),
            entries,
            shown,
        }
    }

    #[test]
    fn honest_nodes_violate_nothing() {
        assert_eq!(check(&honest()), Ok(()));
    }

    #[rstest]
    #[case(Plant::ForgetAcknowledged, "acknowledged_entries_stay")]
    #[case(Plant::ShowDeleted, "deleted_documents_gone")]
    #[case(Plant::KeepDeleted, "deleted_documents_gone")]
    #[case(Plant::FalsifyView, "views_equal")]
    #[case(Plant::FalsifyEveryView, "views_equal")]
    fn planted_bug_is_seen(#[case] plant: Plant, #[case] invariant: &str) {
        let mut evidence = honest();

        plant.spoil(&mut evidence);

        let violation = check(&evidence).expect_err("the plant is seen");
        assert_eq!(violation.invariant, invariant);
    }

    #[test]
    fn entry_that_one_node_has_too_much_is_named() {
        let mut evidence = honest();
        let lost = evidence.published.pop().expect("five of them").position;
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
