//! Cases of `document.reduce`: the order of a document's operations and the state they lead to.
//!
//! Operation ids are given, not derived, so that every order can be set up and read off. The expected
//! states come from [`crate::forge::graph`].

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fixtures::{CAFE, cafe_schema, id};
use super::set::Set;
use crate::forge::{Hash, Item, graph, hash, hex, operation};
use crate::suite::Case;

const ORDER: &[&str] = &["DO6", "DO7", "DO8", "DO9", "D10", "DV1"];

/// What one operation does.
#[derive(Clone, Copy)]
enum Act {
    Create,
    /// Sets the opening hour to the operation's number.
    Hour,
    /// Sets the title to the operation's number.
    Title,
    Nothing,
    Delete,
}

/// An operation: its number, whose id is that byte 32 times, what it does, and its previous.
type Node = (u8, Act, &'static [u8]);

/// A whole document.
type Nodes = &'static [Node];

pub fn sets() -> Vec<Set> {
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
    broken(&mut set);
    foreign(&mut set);
    vec![set]
}

/// A schema with the fields of [`CAFE`] under another id.
fn cave() -> String {
    CAFE.replacen("cafe", "cave", 1)
}

fn encode(&(number, act, previous): &Node) -> Value {
    let previous: Vec<_> = previous.iter().copied().map(id).collect();
    let hour = ("opening_hour", Item::Int(number.into()));
    let title = ("title", Item::text(number.to_string()));
    let operation = match act {
        Act::Create => operation::create(CAFE, [hour, title]),
        Act::Hour => operation::update(CAFE, &previous, [hour]),
        Act::Title => operation::update(CAFE, &previous, [title]),
        Act::Nothing => operation::update(CAFE, &previous, []),
        Act::Delete => operation::delete(CAFE, &previous),
    };
    json!({"id": id(number).hex(), "operation": hex(operation.encode())})
}

fn input(nodes: &[Node]) -> Value {
    json!({"operations": nodes.iter().map(encode).collect::<Vec<_>>()})
}

fn graph_of(nodes: &[Node]) -> graph::Graph {
    let parents = |previous: &[u8]| previous.iter().copied().map(id).collect();
    nodes
        .iter()
        .map(|(number, _, previous)| (id(*number), parents(previous)))
        .collect()
}

/// The state after applying `order`, up to the first DELETE.
fn state(nodes: &[Node], order: &[Hash], tips: &[Hash]) -> Value {
    let acts: BTreeMap<_, _> = nodes.iter().map(|node| (id(node.0), node)).collect();
    let mut fields = serde_json::Map::new();
    for (index, operation) in order.iter().enumerate() {
        let (number, act, _) = acts[operation];
        let set_by = operation.hex();
        if matches!(act, Act::Delete) {
            let order: Vec<_> = order[..=index].iter().map(Hash::hex).collect();
            return json!({"view_id": set_by, "deleted": true, "order": order, "fields": null});
        }
        if matches!(act, Act::Create | Act::Hour) {
            let value = json!({"value": {"int": number.to_string()}, "set_by": set_by});
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

/// Adds a document given in the order of `nodes`; the walks of both rulesets are worked out.
fn document<'a>(set: &'a mut Set, name: &str, comment: &str, nodes: &[Node]) -> &'a mut Case {
    let graph = graph_of(nodes);
    let create = nodes.iter().find(|node| matches!(node.1, Act::Create));
    let root = id(create.expect("a sound document").0);
    let tips = graph::tips(&graph);
    let expected = state(nodes, &graph::handbook_order(&graph, root), &tips);
    let deployed = graph::deployed_order(&graph, root).map(|order| state(nodes, &order, &tips));
    let case = set.valid(name, comment, input(nodes), expected.clone());
    match deployed {
        Some(deployed) if deployed != expected => {
            case.expected_wire = Some(deployed);
            case.ruled("R4").flag("Order");
        }
        _ => {}
    }
    case
}

fn sound(set: &mut Set) {
    use Act::{Create, Hour, Nothing, Title};
    document(set, "create", "A CREATE alone.", &[(1, Create, &[])])
        .requires(&["DO1", "DO6", "DV1"]);
    document(
        set,
        "chain",
        "One UPDATE after the other.",
        &[(9, Create, &[]), (5, Hour, &[9]), (3, Title, &[5])],
    )
    .requires(&["DO1", "DO2", "DO3", "DO7"]);
    document(
        set,
        "chain-given-backwards",
        "The order of the input means nothing.",
        &[(9, Create, &[]), (3, Title, &[5]), (5, Hour, &[9])],
    );
    document(
        set,
        "long-chain",
        "Eight operations in a row.",
        &[
            (1, Create, &[]),
            (8, Hour, &[1]),
            (2, Hour, &[8]),
            (7, Hour, &[2]),
            (3, Hour, &[7]),
            (6, Hour, &[3]),
            (4, Hour, &[6]),
            (5, Hour, &[4]),
        ],
    );
    document(
        set,
        "empty-update",
        "An UPDATE of nothing moves the view on.",
        &[(1, Create, &[]), (2, Nothing, &[1])],
    );
    document(
        set,
        "branches-of-two-fields",
        "Two branches that do not touch each other.",
        &[(1, Create, &[]), (2, Hour, &[1]), (3, Title, &[1])],
    );
    document(
        set,
        "two-branches",
        "Two branches set one field; the greater id comes last.",
        &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1])],
    )
    .flag("Order");
    document(
        set,
        "two-branches-create-between",
        "The id of the CREATE plays no part.",
        &[(2, Create, &[]), (1, Hour, &[2]), (3, Hour, &[2])],
    )
    .flag("Order");
    document(
        set,
        "two-branches-merged",
        "A merge settles it.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[2, 3]),
        ],
    );
    document(
        set,
        "two-branches-merged-by-lowest",
        "A merge comes after its branches, however low its id.",
        &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (6, Hour, &[9]),
            (2, Title, &[5, 6]),
        ],
    )
    .flag("Order");
    document(
        set,
        "branches-of-unequal-length",
        "The branch with the lower id is finished first.",
        &[
            (1, Create, &[]),
            (3, Hour, &[1]),
            (9, Hour, &[3]),
            (4, Hour, &[1]),
        ],
    )
    .flag("Order");
    document(
        set,
        "branch-in-branch",
        "A branch of a branch.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (5, Hour, &[2]),
            (6, Hour, &[2]),
            (3, Hour, &[1]),
        ],
    )
    .flag("Order");
    document(
        set,
        "two-diamonds",
        "Two diamonds, one on the other.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[4]),
            (6, Hour, &[4]),
            (7, Title, &[5, 6]),
        ],
    );
    document(
        set,
        "three-branches-merged",
        "Three branches and their merge.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
            (5, Hour, &[2, 3, 4]),
        ],
    )
    .flag("Order");
}

fn contested(set: &mut Set) {
    use Act::{Create, Hour, Title};
    document(
        set,
        "three-branches",
        "Three branches set one field.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Hour, &[1]),
        ],
    );
    document(
        set,
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
    );
    document(
        set,
        "two-merges-of-the-same",
        "Two concurrent merges of the same branches.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Hour, &[1]),
            (4, Title, &[2, 3]),
            (5, Hour, &[2, 3]),
        ],
    );
    document(
        set,
        "four-branches-two-fields",
        "Four branches, two on each field.",
        &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Title, &[1]),
            (4, Hour, &[1]),
            (5, Title, &[1]),
        ],
    );
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

/// The ids alone decide the order, so siblings are also given highest first and in no order at all.
fn given_in_any_order(set: &mut Set) {
    use Act::{Create, Hour, Title};
    let graphs: [(&str, Nodes, &[usize]); 4] = [
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
    for (name, ascending, shuffle) in graphs {
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
    use Act::{Create, Delete, Hour};
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
    let case = document(
        set,
        "delete-beside-lower-update",
        "A DELETE concurrent with an UPDATE of a lower id.",
        last,
    );
    // Deployed software keeps every tip in the view id of a deleted document.
    let mut wire = case.expected.clone().unwrap_or_default();
    wire["view_id"] = hash::view_id(&[id(2), id(3)]).into();
    case.ruled("R5").expected_wire = Some(wire);
    deleted(case);
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
        let case = document(set, name, comment, nodes);
        case.expected_wire = None;
        case.wire_refuses("R5", "document_deleted");
        deleted(case);
    }
}

fn broken(set: &mut Set) {
    use Act::{Create, Delete, Hour, Title};
    let cases: [(&str, &str, &str, Nodes, &str, &str); 11] = [
        (
            "empty",
            "create",
            "No operation at all.",
            &[],
            "create_missing",
            "DO1",
        ),
        (
            "without-create",
            "chain",
            "The CREATE is missing.",
            &[(5, Hour, &[9]), (3, Title, &[5])],
            "create_missing",
            "DO1",
        ),
        (
            "two-creates",
            "create",
            "Two CREATEs.",
            &[(1, Create, &[]), (2, Create, &[])],
            "create_duplicate",
            "DO1",
        ),
        (
            "two-creates-and-update",
            "chain",
            "A second CREATE in a longer document.",
            &[
                (9, Create, &[]),
                (5, Hour, &[9]),
                (3, Title, &[5]),
                (4, Create, &[]),
            ],
            "create_duplicate",
            "DO1",
        ),
        (
            "same-create-twice",
            "create",
            "The CREATE given twice.",
            &[(1, Create, &[]), (1, Create, &[])],
            "operation_duplicate",
            "DO1",
        ),
        (
            "previous-missing",
            "chain",
            "An operation of the chain is missing.",
            &[(9, Create, &[]), (3, Title, &[5])],
            "previous_not_found",
            "DO3",
        ),
        (
            "one-previous-missing",
            "two-branches-merged",
            "A branch of a merge is missing.",
            &[(1, Create, &[]), (2, Hour, &[1]), (4, Hour, &[2, 3])],
            "previous_not_found",
            "DO3",
        ),
        (
            "delete-unconnected",
            "deleted",
            "A DELETE of something else.",
            &[(1, Create, &[]), (2, Delete, &[7])],
            "previous_not_found",
            "DO3",
        ),
        (
            "own-previous",
            "chain",
            "An operation that builds on itself.",
            &[(9, Create, &[]), (5, Hour, &[5]), (3, Title, &[5])],
            "graph_cycle",
            "DO2",
        ),
        (
            "circle",
            "chain",
            "Two operations that build on each other and on the CREATE.",
            &[(9, Create, &[]), (5, Hour, &[3, 9]), (3, Title, &[5])],
            "graph_cycle",
            "DO2",
        ),
        (
            "circle-of-three",
            "two-branches-merged",
            "A circle of three behind the CREATE.",
            &[
                (1, Create, &[]),
                (2, Hour, &[1, 4]),
                (3, Hour, &[1]),
                (4, Hour, &[2, 3]),
            ],
            "graph_cycle",
            "DO2",
        ),
    ];
    for (name, near, comment, nodes, reason, requirement) in cases {
        let case = set.invalid(name, comment, near, input(nodes), reason);
        case.requires(&[requirement, "DO6"]);
        match name {
            "same-create-twice" => {
                case.or(&["create_duplicate"]);
            }
            "without-create" => {
                case.or(&["previous_not_found"]);
            }
            "own-previous" => {
                case.or(&["previous_not_found"]);
            }
            _ => {}
        }
    }
    let other = operation::update(&cave(), &[id(9)], [("opening_hour", Item::Int(5))]);
    let mut mixed = input(&[(9, Create, &[]), (5, Hour, &[9]), (3, Title, &[5])]);
    mixed["operations"][1]["operation"] = hex(other.encode()).into();
    set.invalid(
        "other-schema",
        "An operation of another schema.",
        "chain",
        mixed,
        "document_schema_mismatch",
    )
    .requires(&["OP4", "DO3"])
    .or(&["schema_mismatch"]);
}

/// Operations that agree with each other, but not with the schema they are read by.
fn foreign(set: &mut Set) {
    use Act::{Create, Hour, Title};
    set.using("schema", "cave");
    let documents: [(&str, Nodes); 2] = [
        ("create", &[(1, Create, &[])]),
        (
            "chain",
            &[(9, Create, &[]), (5, Hour, &[9]), (3, Title, &[5])],
        ),
    ];
    for (near, nodes) in documents {
        set.invalid(
            &format!("{near}-of-other-schema"),
            "A whole document of another schema.",
            near,
            input(nodes),
            "schema_mismatch",
        )
        .requires(&["OP4", "OP8"]);
    }
}
