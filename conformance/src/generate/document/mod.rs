//! Cases of `document.reduce`: the order of a document's operations and the state they lead to.
//!
//! Operation ids are given, not derived, so that every order can be set up and read off. The expected
//! states come from [`crate::forge::graph`].

mod broken;
mod large;
mod shapes;
mod views;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use Act::{Create, Delete, Hour, Nothing, Same, Title};

use super::fixtures::{CAFE, cafe_schema, id};
use super::set::Set;
use crate::forge::{Hash, Item, graph, hash, hex, operation};
use crate::suite::Case;

const ORDER: &[&str] = &["DO6", "DO7", "DO8", "DO9", "D10", "DV1"];

/// What one operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Create,
    /// Sets the opening hour to the operation's number.
    Hour,
    /// Sets the opening hour to one, as the CREATE of that number does.
    Same,
    /// Sets the title to the operation's number.
    Title,
    Nothing,
    Delete,
}

/// An operation: its number, which is that of its id, what it does, and its previous.
type Node<'a> = (u8, Act, &'a [u8]);

/// A whole document.
type Nodes = &'static [Node<'static>];

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("document.reduce", "graphs", ORDER);
    set.schema("cafe", cafe_schema());
    set.schema(
        "cave",
        json!({"id": cave(), "fields": cafe_schema()["fields"]}),
    );
    set.using("schema", "cafe");
    sound(&mut set);
    contested(&mut set);
    given_in_any_order(&mut set);
    deletions(&mut set);
    broken::documents(&mut set);
    broken::foreign(&mut set);
    broken::unfit(&mut set);
    vec![set, shapes::shapes(), large::large(), views::views()]
}

/// A schema with the fields of [`CAFE`] under another id.
fn cave() -> String {
    CAFE.replacen("cafe", "cave", 1)
}

fn encode((number, act, previous): &Node<'_>) -> Value {
    let previous: Vec<_> = previous.iter().copied().map(id).collect();
    let hour = ("opening_hour", Item::Int((*number).into()));
    let title = ("title", Item::text(number.to_string()));
    let operation = match act {
        Act::Create => operation::create(CAFE, [hour, title]),
        Act::Hour => operation::update(CAFE, &previous, [hour]),
        Act::Same => operation::update(CAFE, &previous, [("opening_hour", Item::Int(1))]),
        Act::Title => operation::update(CAFE, &previous, [title]),
        Act::Nothing => operation::update(CAFE, &previous, []),
        Act::Delete => operation::delete(CAFE, &previous),
    };
    json!({"id": id(*number).hex(), "operation": hex(operation.encode())})
}

fn input(nodes: &[Node<'_>]) -> Value {
    json!({"operations": nodes.iter().map(encode).collect::<Vec<_>>()})
}

fn graph_of(nodes: &[Node<'_>]) -> graph::Graph {
    let parents = |previous: &[u8]| previous.iter().copied().map(id).collect();
    nodes
        .iter()
        .map(|(number, _, previous)| (id(*number), parents(previous)))
        .collect()
}

/// The state after applying `order`, up to the first DELETE.
fn state(nodes: &[Node<'_>], order: &[Hash], tips: &[Hash]) -> Value {
    let acts: BTreeMap<_, _> = nodes.iter().map(|node| (id(node.0), node)).collect();
    let mut fields = serde_json::Map::new();
    for (index, operation) in order.iter().enumerate() {
        let (number, act, _) = acts[operation];
        let set_by = operation.hex();
        if matches!(act, Act::Delete) {
            let order: Vec<_> = order[..=index].iter().map(Hash::hex).collect();
            return json!({"view_id": set_by, "deleted": true, "order": order, "fields": null});
        }
        if matches!(act, Act::Create | Act::Hour | Act::Same) {
            let hour = if *act == Act::Same { 1 } else { *number };
            let value = json!({"value": {"int": hour.to_string()}, "set_by": set_by});
            fields.insert("opening_hour".to_owned(), value);
        }
        if matches!(act, Act::Create | Act::Title) {
            let value = json!({"value": {"str": number.to_string()}, "set_by": set_by});
            fields.insert("title".to_owned(), value);
        }
    }
    let order: Vec<_> = order.iter().map(Hash::hex).collect();
    json!({"view_id": hash::view_id(tips), "deleted": false, "order": order, "fields": fields})
}

/// What deployed software makes of a document: the state, or the reason why it fails.
fn deployed(nodes: &[Node<'_>]) -> Result<Value, &'static str> {
    let graph = graph_of(nodes);
    let order = graph::deployed_order(&graph, root(nodes)).ok_or("graph_cycle")?;
    let tips = graph::tips(&graph);
    let mut state = state(nodes, &order, &tips);
    if state["deleted"] == true {
        if state["order"].as_array().map(Vec::len) != Some(order.len()) {
            return Err("document_deleted");
        }
        // Every tip is kept in the view id of a deleted document.
        state["view_id"] = hash::view_id(&tips).into();
    }
    Ok(state)
}

fn root(nodes: &[Node<'_>]) -> Hash {
    let create = nodes.iter().find(|node| matches!(node.1, Act::Create));
    id(create.expect("a sound document").0)
}

/// The ruling behind any difference between the rulesets.
fn ruling(nodes: &[Node<'_>]) -> &'static str {
    let graph = graph_of(nodes);
    if nodes.iter().any(|node| matches!(node.1, Act::Delete)) {
        "R5"
    } else if graph::names_ancestor_beside_descendant(&graph) {
        "R21"
    } else {
        "R4"
    }
}

/// Adds a document given in the order of `nodes`; the walks of both rulesets are worked out.
fn document<'a>(set: &'a mut Set, name: &str, comment: &str, nodes: &[Node<'_>]) -> &'a mut Case {
    add(set, (name, comment), input(nodes), nodes)
}

/// Adds a question whose answer is the state that `nodes` lead to.
fn add<'a>(
    set: &'a mut Set,
    (name, comment): (&str, &str),
    input: Value,
    nodes: &[Node<'_>],
) -> &'a mut Case {
    let graph = graph_of(nodes);
    let order = graph::handbook_order(&graph, root(nodes));
    let expected = state(nodes, &order, &graph::tips(&graph));
    let case = set.valid(name, comment, input, expected.clone());
    match deployed(nodes) {
        Ok(deployed) if deployed != expected => {
            case.expected_wire = Some(deployed);
            case.ruled(ruling(nodes)).flag("Order");
        }
        Ok(_) => {}
        Err(reason) => {
            case.wire_refuses(ruling(nodes), reason);
        }
    }
    case
}

/// A sound document; what it requires is that of the whole file if it names nothing.
struct Document {
    name: &'static str,
    comment: &'static str,
    nodes: Nodes,
    requires: &'static [&'static str],
    flags: &'static [&'static str],
}

const SOUND: &[Document] = &[
    Document {
        name: "create",
        comment: "A CREATE alone.",
        nodes: &[(1, Create, &[])],
        requires: &["DO1", "DO6", "DV1"],
        flags: &[],
    },
    Document {
        name: "chain",
        comment: "One UPDATE after the other.",
        nodes: &[(9, Create, &[]), (5, Hour, &[9]), (3, Title, &[5])],
        requires: &["DO1", "DO2", "DO3", "DO7"],
        flags: &[],
    },
    Document {
        name: "chain-given-backwards",
        comment: "The order of the input means nothing.",
        nodes: &[(9, Create, &[]), (3, Title, &[5]), (5, Hour, &[9])],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "long-chain",
        comment: "Eight operations in a row.",
        nodes: &[
            (1, Create, &[]),
            (8, Hour, &[1]),
            (2, Hour, &[8]),
            (7, Hour, &[2]),
            (3, Hour, &[7]),
            (6, Hour, &[3]),
            (4, Hour, &[6]),
            (5, Hour, &[4]),
        ],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "same-value",
        comment: "An UPDATE that writes the value that is there is the one that set it.",
        nodes: &[(1, Create, &[]), (2, Same, &[1]), (3, Title, &[2])],
        requires: &["DO7", "OP6"],
        flags: &[],
    },
    Document {
        name: "same-value-beside",
        comment: "Two branches write one value; the greater id set it.",
        nodes: &[(1, Create, &[]), (3, Same, &[1]), (2, Same, &[1])],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "empty-update",
        comment: "An UPDATE of nothing moves the view on.",
        nodes: &[(1, Create, &[]), (2, Nothing, &[1])],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "branches-of-two-fields",
        comment: "Two branches that do not touch each other.",
        nodes: &[(1, Create, &[]), (2, Hour, &[1]), (3, Title, &[1])],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "two-branches",
        comment: "Two branches set one field; the greater id comes last.",
        nodes: &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1])],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "two-branches-create-between",
        comment: "The id of the CREATE plays no part.",
        nodes: &[(2, Create, &[]), (1, Hour, &[2]), (3, Hour, &[2])],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "two-branches-merged",
        comment: "A merge settles it.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[2, 3]),
        ],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "two-branches-merged-by-lowest",
        comment: "A merge comes after its branches, however low its id.",
        nodes: &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (6, Hour, &[9]),
            (2, Title, &[5, 6]),
        ],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "branches-of-unequal-length",
        comment: "The branch with the lower id is finished first.",
        nodes: &[
            (1, Create, &[]),
            (3, Hour, &[1]),
            (9, Hour, &[3]),
            (4, Hour, &[1]),
        ],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "branch-in-branch",
        comment: "A branch of a branch.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (5, Hour, &[2]),
            (6, Hour, &[2]),
            (3, Hour, &[1]),
        ],
        requires: &[],
        flags: &["Order"],
    },
    Document {
        name: "two-diamonds",
        comment: "Two diamonds, one on the other.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[4]),
            (6, Hour, &[4]),
            (7, Title, &[5, 6]),
        ],
        requires: &[],
        flags: &[],
    },
    Document {
        name: "three-branches-merged",
        comment: "Three branches and their merge.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
            (5, Hour, &[2, 3, 4]),
        ],
        requires: &[],
        flags: &["Order"],
    },
];

fn sound(set: &mut Set) {
    for &Document {
        name,
        comment,
        nodes,
        requires,
        flags,
    } in SOUND
    {
        let case = document(set, name, comment, nodes);
        if !requires.is_empty() {
            case.requires(requires);
        }
        for flag in flags {
            case.flag(flag);
        }
    }
}

/// Documents of which branches set one field.
const CONTESTED: &[(&str, &str, Nodes)] = &[
    (
        "three-branches",
        "Three branches set one field.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
        ],
    ),
    (
        "five-branches",
        "Five branches set one field.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
            (5, Hour, &[1]),
            (6, Hour, &[1]),
        ],
    ),
    (
        "two-merges-of-the-same",
        "Two concurrent merges of the same branches.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[2, 3]),
        ],
    ),
    (
        "four-branches-two-fields",
        "Four branches, two on each field.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Title, &[1]),
            (4, Hour, &[1]),
            (5, Title, &[1]),
        ],
    ),
];

fn contested(set: &mut Set) {
    for &(name, comment, nodes) in CONTESTED {
        document(set, name, comment, nodes);
    }
    document(
        set,
        "ancestor-in-previous",
        "Previous names an ancestor beside its descendant.",
        &[
            (2, Create, &[]),
            (1, Hour, &[2]),
            (3, Hour, &[1, 2]),
            (4, Hour, &[3]),
        ],
    )
    .ruled("R21");
    document(
        set,
        "ancestor-in-previous-at-the-tip",
        "The same at the tip of the graph.",
        &[(2, Create, &[]), (1, Hour, &[2]), (3, Hour, &[1, 2])],
    );
}

/// Documents by name, each with another order of its operations.
const SHUFFLED: &[(&str, Nodes, &[usize])] = &[
    (
        "three-branches",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
        ],
        &[2, 0, 3, 1],
    ),
    (
        "branch-in-branch",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (5, Hour, &[2]),
            (6, Hour, &[2]),
            (3, Hour, &[1]),
        ],
        &[4, 3, 0, 1, 2],
    ),
    (
        "two-merges-of-the-same",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[2, 3]),
        ],
        &[0, 4, 2, 3, 1],
    ),
    (
        "two-diamonds",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[4]),
            (6, Hour, &[4]),
            (7, Title, &[5, 6]),
        ],
        &[5, 2, 6, 0, 4, 1, 3],
    ),
];

/// The ids alone decide the order, so siblings are also given highest first and in no order at all.
fn given_in_any_order(set: &mut Set) {
    for &(name, ascending, shuffle) in SHUFFLED {
        let mut descending = ascending.to_vec();
        descending.sort_unstable_by_key(|node| std::cmp::Reverse(node.0));
        let shuffled: Vec<_> = shuffle.iter().map(|index| ascending[*index]).collect();
        for (order, nodes) in [("descending", descending), ("shuffled", shuffled)] {
            document(
                set,
                &format!("{name}-given-{order}"),
                "The ids decide, not the order of the input.",
                &nodes,
            )
            .flag("Order");
        }
    }
}

fn deletions(set: &mut Set) {
    let deleted = |case: &mut Case| {
        case.requires(&["DO4", "D11"]).flag("Delete");
    };
    deleted(document(
        set,
        "deleted",
        "A DELETE after the CREATE.",
        &[(1, Create, &[]), (2, Delete, &[1])],
    ));
    deleted(document(
        set,
        "deleted-after-update",
        "A DELETE at the end of a chain.",
        &[(1, Create, &[]), (3, Hour, &[1]), (2, Delete, &[3])],
    ));
    let last: &[Node] = &[(1, Create, &[]), (2, Hour, &[1]), (3, Delete, &[1])];
    deleted(document(
        set,
        "delete-beside-lower-update",
        "A DELETE concurrent with an UPDATE of a lower id.",
        last,
    ));
    let contested: [(&str, &str, &[Node]); 4] = [
        (
            "delete-beside-higher-update",
            "A DELETE concurrent with an UPDATE of a higher id.",
            &[(1, Create, &[]), (2, Delete, &[1]), (3, Hour, &[1])],
        ),
        (
            "two-deletes",
            "Two concurrent DELETEs: the lower id names the view.",
            &[(1, Create, &[]), (2, Delete, &[1]), (3, Delete, &[1])],
        ),
        (
            "update-after-delete",
            "An UPDATE that builds on the DELETE.",
            &[(1, Create, &[]), (2, Delete, &[1]), (3, Hour, &[2])],
        ),
        (
            "delete-after-delete",
            "A DELETE that builds on a DELETE.",
            &[(1, Create, &[]), (3, Delete, &[1]), (2, Delete, &[3])],
        ),
    ];
    for (name, comment, nodes) in contested {
        deleted(document(set, name, comment, nodes));
    }
}
