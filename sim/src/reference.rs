//! The reference: documents from a set of operations, from scratch, in the plainest way.
//!
//! A second reading of rulings R4 and R5 that shares no code with the nodes' graph, walk and reduction.
//! Leaves out schemas: fields are taken as they come, and only the value forms the workload uses are
//! known. Quadratic, and meant to stay small rather than fast.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grove_core::types::{DocumentId, DocumentViewId, OperationId, PlainValue, SchemaId};
use grove_core::wire::Operation;

use crate::evidence::{Published, Shown};

/// One document of the reference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    /// The document as nodes must show it; `None` when it was deleted.
    pub shown: Option<Shown>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The operations with its content.
    pub content: Vec<OperationId>,
}

/// Operations by their ids.
pub(crate) type Operations = BTreeMap<OperationId, Rc<Operation>>;

/// All documents of application schemas among `published`.
///
/// # Panics
///
/// When an acknowledged operation does not decode: the node that took it is broken beyond comparison.
pub(crate) fn documents(published: &[Published]) -> BTreeMap<DocumentId, Expected> {
    let operations: Operations = published
        .iter()
        .map(|published| {
            let operation = Operation::decode(&published.operation);
            let operation = operation.expect("a node acknowledged what does not decode");
            (published.operation_id, Rc::new(operation))
        })
        .collect();
    let is_create = |operation: &Rc<Operation>| {
        operation.previous().is_none()
            && matches!(operation.schema_id(), SchemaId::Application { .. })
    };
    operations
        .iter()
        .filter(|(_, operation)| is_create(operation))
        .map(|(id, _)| (DocumentId::from(*id), document(*id, &operations)))
        .collect()
}

/// The document that this operation creates.
pub(crate) fn document(create: OperationId, operations: &Operations) -> Expected {
    let mut order = Vec::new();
    visit(create, operations, &mut order);
    let deletes = |id: &OperationId| operations[id].fields().is_none();
    //= R5: one DELETE is enough
    let deleted = order.iter().any(deletes);
    let content = order.iter().filter(|id| !deletes(id)).copied().collect();
    let shown = (!deleted).then(|| Shown {
        view_id: tips(&order, operations),
        fields: fields(&order, operations),
    });
    Expected {
        shown,
        deleted,
        content,
    }
}

//= R4: emit, then visit in ascending order the children whose `previous` are all emitted
fn visit(id: OperationId, operations: &Operations, order: &mut Vec<OperationId>) {
    order.push(id);
    let names = |operation: &Rc<Operation>, previous| {
        operation
            .previous()
            .is_some_and(|view| view.ids().contains(previous))
    };
    let children: Vec<OperationId> = operations
        .iter()
        .filter(|(_, operation)| names(operation, &id))
        .map(|(child, _)| *child)
        .collect();
    for child in children {
        let previous = operations[&child]
            .previous()
            .map(DocumentViewId::ids)
            .unwrap_or_default();
        if !order.contains(&child) && previous.iter().all(|id| order.contains(id)) {
            visit(child, operations, order);
        }
    }
}

/// The operations nobody built on.
fn tips(order: &[OperationId], operations: &Operations) -> DocumentViewId {
    let inner: BTreeSet<OperationId> = order
        .iter()
        .filter_map(|id| operations[id].previous())
        .flat_map(|view| view.ids().iter().copied())
        .collect();
    let tips = order.iter().copied().filter(|id| !inner.contains(id));
    DocumentViewId::from_tips(tips).expect("an acyclic graph has tips")
}

fn fields(order: &[OperationId], operations: &Operations) -> BTreeMap<String, serde_json::Value> {
    let mut fields = BTreeMap::new();
    for (name, value) in order
        .iter()
        .filter_map(|id| operations[id].fields())
        .flatten()
    {
        fields.insert(name.clone(), json(value));
    }
    fields
}

/// A value as JSON shows it.
pub(crate) fn json(value: &PlainValue) -> serde_json::Value {
    match value {
        PlainValue::Bool(value) => (*value).into(),
        PlainValue::Int(value) => (*value).into(),
        PlainValue::Str(value) => value.as_str().into(),
        other => format!("{other:?}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grove_core::document::Document;
    use grove_core::types::{Hash, KeyPair, LogId, SeqNum};
    use grove_core::wire::Fields;
    use proptest::prelude::*;

    /// Operations of one document: each builds on up to two earlier ones.
    fn history(shape: &[(usize, usize, u8)]) -> Vec<Published> {
        let schema = format!("note_{}", Hash::of(b"definition"));
        let schema_id: SchemaId = schema.parse().expect("a schema id");
        let field =
            |nth: usize| Fields::from([(format!("f{}", nth % 3), PlainValue::Int(nth as i64))]);
        let mut published: Vec<Published> = Vec::new();
        for (nth, (left, right, kind)) in shape.iter().enumerate() {
            let schema_id = schema_id.clone();
            let operation = if nth == 0 {
                Operation::Create {
                    schema_id,
                    fields: field(nth),
                }
            } else {
                let ids = [left, right].map(|parent| published[parent % nth].operation_id);
                let previous = DocumentViewId::from_tips(BTreeSet::from(ids)).expect("not empty");
                match kind {
                    0 => Operation::Delete {
                        schema_id,
                        previous,
                    },
                    _ => Operation::Update {
                        schema_id,
                        previous,
                        fields: field(nth),
                    },
                }
            };
            let key = KeyPair::from_seed(&[1; 32]).public_key();
            let position = (
                key,
                LogId::default(),
                SeqNum::new(nth as u64 + 1).expect("not zero"),
            );
            let operation = operation.encode();
            let entry = [&[u8::try_from(nth).expect("short")], &operation[..]].concat();
            let operation_id = Hash::of(&entry).into();
            published.push(Published {
                client: 0,
                node: 0,
                operation_id,
                position,
                entry,
                operation,
            });
        }
        published
    }

    proptest! {
        #[test]
        fn the_reference_agrees_with_the_library(
            shape in prop::collection::vec((0_usize..20, 0_usize..20, 0_u8..12), 1..20),
        ) {
            let published = history(&shape);
            let operations: Vec<Operation> =
                published.iter().map(|one| Operation::decode(&one.operation).expect("ours")).collect();
            let pairs = published.iter().map(|one| one.operation_id).zip(&operations);
            let document = Document::reduce(pairs).expect("a well-formed graph");

            let expected = documents(&published);
            let expected = &expected[&document.id];

            prop_assert_eq!(expected.deleted, document.is_deleted());
            if let Some(shown) = &expected.shown {
                let fields = document.fields.expect("not deleted");
                let fields: BTreeMap<_, _> =
                    fields.into_iter().map(|(name, field)| (name, json(&field.value))).collect();
                prop_assert_eq!(&shown.view_id, &document.view_id);
                prop_assert_eq!(&shown.fields, &fields);
            }
        }
    }
}
