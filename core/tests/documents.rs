//! Documents as functions of sets: random graphs, an independent naive reference, and the laws that
//! hold for all of them.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use grove_core::document::{Document, Graph, GraphError, History, ViewState};
use grove_core::types::{DocumentViewId, Hash, OperationId, PlainValue, SchemaId};
use grove_core::wire::{Fields, Operation};
use proptest::prelude::*;

type Node = (OperationId, Operation);

/// A random document: each operation refers to some of those before it.
fn any_document(deletes: bool) -> impl Strategy<Value = Vec<Node>> {
    let node = (
        any::<[u8; 32]>(),
        prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        0..4u8,
    );
    prop::collection::vec(node, 1..14).prop_map(move |nodes| {
        let mut document: Vec<Node> = Vec::new();
        for (digest, parents, field) in nodes {
            let id: OperationId = Hash::from_digest(digest).into();
            let fields = Fields::from([(
                format!("f{}", field % 3),
                PlainValue::Int(document.len() as i64),
            )]);
            let schema_id = SchemaId::BLOB;
            let parents = parents.iter().filter(|_| !document.is_empty());
            let parents = parents.map(|index| document[index.index(document.len())].0);
            let operation = match DocumentViewId::from_tips(parents) {
                None => Operation::Create { schema_id, fields },
                Some(previous) if deletes && field == 3 => Operation::Delete {
                    schema_id,
                    previous,
                },
                Some(previous) => Operation::Update {
                    schema_id,
                    previous,
                    fields,
                },
            };
            if document.iter().all(|(other, _)| *other != id) {
                document.push((id, operation));
            }
        }
        document
    })
}

fn refs(nodes: &[Node]) -> impl Iterator<Item = (OperationId, &Operation)> {
    nodes.iter().map(|(id, operation)| (*id, operation))
}

/// The handbook's words, recursively: emit; then each child, lowest id first, if it is not emitted
/// and all its previous are, is visited.
fn visit(
    id: OperationId,
    nodes: &BTreeMap<OperationId, Vec<OperationId>>,
    out: &mut Vec<OperationId>,
) {
    out.push(id);
    for (child, previous) in nodes {
        let ready = previous.iter().all(|id| out.contains(id));
        if previous.contains(&id) && !out.contains(child) && ready {
            visit(*child, nodes, out);
        }
    }
}

fn reference_walk(nodes: &[Node]) -> Vec<OperationId> {
    let previous = nodes
        .iter()
        .map(|(id, op)| {
            (
                *id,
                op.previous().map_or(Vec::new(), |view| view.ids().to_vec()),
            )
        })
        .collect();
    let mut out = Vec::new();
    visit(nodes[0].0, &previous, &mut out);
    out
}

/// The operations a view saw: those it names and all that led to them.
fn seen_by(nodes: &[Node], view: &DocumentViewId) -> Vec<Node> {
    let mut seen = BTreeSet::from_iter(view.ids().iter().copied());
    for (id, operation) in nodes.iter().rev() {
        if seen.contains(id) {
            seen.extend(operation.previous().into_iter().flat_map(|view| view.ids()));
        }
    }
    let seen = nodes.iter().filter(|(id, _)| seen.contains(id));
    seen.cloned().collect()
}

type State = (
    DocumentViewId,
    Option<BTreeMap<String, (PlainValue, OperationId)>>,
);

/// The state of a document, naively: the last value of the walk, up to the first DELETE it meets.
fn reference_state(nodes: &[Node]) -> State {
    let operations: BTreeMap<_, _> = refs(nodes).collect();
    let mut fields = BTreeMap::new();
    for id in reference_walk(nodes) {
        let Some(changed) = operations[&id].fields() else {
            return (id.into(), None);
        };
        for (name, value) in changed {
            fields.insert(name.clone(), (value.clone(), id));
        }
    }
    let parents: BTreeSet<_> = nodes
        .iter()
        .filter_map(|(_, operation)| operation.previous())
        .flat_map(|view| view.ids().iter().copied())
        .collect();
    let tips = operations.into_keys().filter(|id| !parents.contains(id));
    (DocumentViewId::from_tips(tips).unwrap(), Some(fields))
}

fn state_of(document: &Document<PlainValue>) -> State {
    let fields = document.fields.as_ref().map(|fields| {
        let fields = fields.iter();
        fields
            .map(|(name, field)| (name.clone(), (field.value.clone(), field.operation_id)))
            .collect()
    });
    (document.view_id.clone(), fields)
}

proptest! {
    #[test]
    fn the_walk_is_the_handbooks_in_any_order_of_arrival(
        nodes in any_document(true),
        seed in any::<prop::sample::Selector>(),
    ) {
        let mut shuffled: Vec<Node> = Vec::new();
        let mut rest = nodes.clone();
        while !rest.is_empty() {
            let at = seed.select(0..rest.len());
            shuffled.push(rest.swap_remove(at));
        }

        let walk = |nodes: &[Node]| -> Vec<OperationId> {
            Graph::build(refs(nodes)).unwrap().walk().unwrap().into_iter().map(|(id, _)| id).collect()
        };
        prop_assert_eq!(walk(&nodes), reference_walk(&nodes));
        prop_assert_eq!(walk(&shuffled), walk(&nodes));
    }

    #[test]
    fn reduction_keeps_the_last_value_of_the_walk_and_ends_at_a_delete(nodes in any_document(true)) {
        let document = Document::reduce(refs(&nodes)).unwrap();
        prop_assert_eq!(state_of(&document), reference_state(&nodes));
    }

    #[test]
    fn operations_are_applied_one_by_one_or_make_it_reduce_anew(nodes in any_document(true)) {
        let mut document = Document::reduce(refs(&nodes[..1])).unwrap();
        for end in 1..nodes.len() {
            let (id, operation) = &nodes[end];
            let before = document.clone();
            let extends = !before.is_deleted() && operation.previous() == Some(&before.view_id);

            prop_assert_eq!(document.apply(*id, operation), extends);
            if !extends {
                prop_assert_eq!(&document, &before);
                document = Document::reduce(refs(&nodes[..=end])).unwrap();
            }
            prop_assert_eq!(state_of(&document), reference_state(&nodes[..=end]));
        }
    }

    #[test]
    fn applying_on_top_equals_reducing_from_scratch(nodes in any_document(true)) {
        let mut document = Document::reduce(refs(&nodes)).unwrap();
        prop_assume!(!document.is_deleted());
        let id: OperationId = Hash::of(b"on top").into();
        let operation = Operation::Update {
            schema_id: SchemaId::BLOB,
            previous: document.view_id.clone(),
            fields: Fields::from([("f1".to_owned(), PlainValue::Int(-1))]),
        };
        let mut longer = nodes;
        longer.push((id, operation.clone()));

        prop_assert!(document.apply(id, &operation));
        prop_assert_eq!(document, Document::reduce(refs(&longer)).unwrap());
    }

    #[test]
    fn any_view_is_the_reduction_of_what_it_saw(
        nodes in any_document(true),
        named in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let named = named.iter().map(|at| nodes[at.index(nodes.len())].0);
        let view_id = DocumentViewId::from_tips(named).unwrap();
        let seen = seen_by(&nodes, &view_id);

        let graph = Graph::build(refs(&nodes)).unwrap();
        let view = Document::from_graph(&graph.at_view(&view_id).unwrap()).unwrap();

        prop_assert_eq!(state_of(&view), reference_state(&seen));
    }
}

/// A CREATE, and so many times two operations at once that a third one merges.
fn stacked_diamonds(count: usize) -> Vec<Node> {
    let id = |n: usize| OperationId::from(Hash::of(&n.to_be_bytes()));
    let update = |previous: &[OperationId]| Operation::Update {
        schema_id: SchemaId::BLOB,
        previous: DocumentViewId::from_tips(previous.iter().copied()).unwrap(),
        fields: Fields::new(),
    };
    let create = Operation::Create {
        schema_id: SchemaId::BLOB,
        fields: Fields::new(),
    };
    let mut nodes = vec![(id(0), create)];
    for n in 0..count {
        let (base, left, right, join) = (id(3 * n), id(3 * n + 1), id(3 * n + 2), id(3 * n + 3));
        nodes.push((left, update(&[base])));
        nodes.push((right, update(&[base])));
        nodes.push((join, update(&[left, right])));
    }
    nodes
}

#[test]
fn every_view_of_stacked_diamonds_costs_no_more_than_its_operations() {
    let nodes = stacked_diamonds(64);
    let graph = Graph::build(refs(&nodes)).unwrap();
    for (at, (id, _)) in nodes.iter().enumerate() {
        let seen = graph.at_view(&(*id).into()).unwrap().walk().unwrap().len();
        // The right side of a diamond does not see the left one.
        let expected = if at % 3 == 2 { at } else { at + 1 };
        assert_eq!(seen, expected, "{at}");
    }
}

#[test]
fn stacked_diamonds_cost_no_more_than_their_operations() {
    let nodes = stacked_diamonds(2_000);
    let top = nodes[nodes.len() - 1].0;

    let graph = Graph::build(refs(&nodes)).unwrap();
    let whole = graph.at_view(&top.into()).unwrap();

    assert_eq!(whole.walk().unwrap().len(), nodes.len());
}

/// An order of joining in which each operation comes after what it was made on top of.
fn any_order(nodes: &[Node], seed: &prop::sample::Selector) -> Vec<Node> {
    let mut rest = nodes.to_vec();
    let mut order: Vec<Node> = Vec::new();
    while !rest.is_empty() {
        let joined: BTreeSet<_> = order.iter().map(|(id, _)| *id).collect();
        let is_ready = |(_, operation): &&Node| {
            let previous = operation.previous().into_iter().flat_map(|view| view.ids());
            previous.into_iter().all(|id| joined.contains(id))
        };
        let ready: Vec<_> = rest.iter().filter(is_ready).map(|(id, _)| *id).collect();
        let next = *seed.select(&ready);
        let at = rest.iter().position(|(id, _)| *id == next).unwrap();
        order.push(rest.swap_remove(at));
    }
    order
}

/// What a history shows, with the values that its operations set.
fn shown(nodes: &[Node], view: &ViewState<'_>) -> State {
    let operations: BTreeMap<_, _> = refs(nodes).collect();
    let fields = view.setters.as_ref().map(|setters| {
        let value = |name: &str, id: &OperationId| operations[id].fields().unwrap()[name].clone();
        let fields = setters.iter();
        fields
            .map(|(name, id)| ((*name).to_owned(), (value(name, id), *id)))
            .collect()
    });
    (view.view_id.clone(), fields)
}

proptest! {
    #[test]
    fn a_history_shows_every_view_as_it_is_reduced(
        nodes in any_document(true),
        named in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        seed in any::<prop::sample::Selector>(),
    ) {
        let named = named.iter().map(|at| nodes[at.index(nodes.len())].0);
        let view_id = DocumentViewId::from_tips(named).unwrap();
        let seen = seen_by(&nodes, &view_id);

        let order = any_order(&nodes, &seed);
        let history = History::build(refs(&order)).unwrap();

        let view = history.at_view(&view_id).unwrap();
        prop_assert_eq!(shown(&nodes, &view), reference_state(&seen));
        let current = history.current().unwrap();
        prop_assert_eq!(shown(&nodes, &current), reference_state(&nodes));
    }

    #[test]
    fn a_history_is_right_after_each_operation(
        nodes in any_document(true),
        seed in any::<prop::sample::Selector>(),
    ) {
        let order = any_order(&nodes, &seed);
        let mut history = History::default();
        for end in 1..=order.len() {
            let (id, operation) = &order[end - 1];
            history.join(*id, operation).unwrap();

            let joined = &order[..end];
            prop_assert_eq!(shown(joined, &history.current().unwrap()), reference_state(joined));
        }
        let (id, operation) = &order[0];
        prop_assert_eq!(history.join(*id, operation), Err(GraphError::OperationDuplicate(*id)));
        prop_assert_eq!(history.len(), order.len());
    }
}

#[test]
fn what_can_not_join_a_history_changes_nothing() {
    let nodes = stacked_diamonds(2);
    let mut history = History::build(refs(&nodes[..4])).unwrap();
    let before = shown(&nodes, &history.current().unwrap());

    let (late, operation) = &nodes[6];
    assert!(matches!(
        history.join(*late, operation),
        Err(GraphError::PreviousNotFound { .. })
    ));
    let create = (Hash::of(b"another").into(), nodes[0].1.clone());
    assert_eq!(
        history.join(create.0, &create.1),
        Err(GraphError::CreateDuplicate(create.0))
    );
    let unknown = DocumentViewId::from(*late);
    assert_eq!(
        history.at_view(&unknown),
        Err(GraphError::ViewNotFound(*late))
    );
    assert_eq!(history.len(), 4);
    assert_eq!(shown(&nodes, &history.current().unwrap()), before);
}

/// Operations of which each sets one field and is made on top of the one that `on` names.
fn tree(count: usize, on: impl Fn(usize) -> usize) -> Vec<Node> {
    let id = |n: usize| OperationId::from(Hash::of(&n.to_be_bytes()));
    let fields = |n: usize| Fields::from([("text".to_owned(), PlainValue::Int(n as i64))]);
    let schema_id = SchemaId::BLOB;
    let nodes = (0..count).map(|n| match n {
        0 => Operation::Create {
            schema_id: schema_id.clone(),
            fields: fields(n),
        },
        n => Operation::Update {
            schema_id: schema_id.clone(),
            previous: id(on(n)).into(),
            fields: fields(n),
        },
    });
    nodes.enumerate().map(|(n, node)| (id(n), node)).collect()
}

#[test]
fn a_further_branch_costs_what_it_changes() {
    // Branches that leave the CREATE, and branches that leave a long chain everywhere.
    let bush = tree(10_001, |_| 0);
    let comb = tree(10_001, |n| {
        if n % 2 == 1 {
            n.saturating_sub(2)
        } else {
            n - 1
        }
    });
    for (nodes, most) in [(bush, 8), (comb, 80)] {
        let mut history = History::default();
        for (id, operation) in &nodes {
            let before = history.work();
            history.join(*id, operation).unwrap();
            let work = history.work() - before;
            assert!(work <= most, "{work} at {}", history.len());
        }
    }
}

#[test]
fn all_views_of_a_document_cost_little_more_than_one() {
    for nodes in [stacked_diamonds(2_000), tree(6_000, |n| n - 1)] {
        let history = History::build(refs(&nodes)).unwrap();
        let built = history.work();
        for (id, _) in &nodes {
            history.at_view(&(*id).into()).unwrap();
        }
        let tips = nodes.windows(2).map(|pair| [pair[0].0, pair[1].0]);
        for tips in tips {
            let view_id = DocumentViewId::from_tips(tips).unwrap();
            history.at_view(&view_id).unwrap();
        }
        let count = nodes.len() as u64;
        assert!(built <= 100 * count, "{built}");
        assert!(history.work() - built <= 100 * count, "{}", history.work());
    }
}
