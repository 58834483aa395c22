//! Documents that are none: something is missing, twice there, in a circle or of another schema.

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::Act::{Create, Delete, Hour, Title};
use super::{Nodes, cave, input};
use crate::forge::{Item, hex, operation};

/// A document that is none, with the sound one it is one change away from.
struct Broken {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    nodes: Nodes,
    reason: &'static str,
    requirement: &'static str,
}

const DOCUMENTS: &[Broken] = &[
    Broken {
        name: "empty",
        near: "create",
        comment: "No operation at all.",
        nodes: &[],
        reason: "create_missing",
        requirement: "DO1",
    },
    Broken {
        name: "without-create",
        near: "chain",
        comment: "The CREATE is missing.",
        nodes: &[(5, Hour, &[9]), (3, Title, &[5])],
        reason: "create_missing",
        requirement: "DO1",
    },
    Broken {
        name: "two-creates",
        near: "create",
        comment: "Two CREATEs.",
        nodes: &[(1, Create, &[]), (2, Create, &[])],
        reason: "create_duplicate",
        requirement: "DO1",
    },
    Broken {
        name: "two-creates-and-update",
        near: "chain",
        comment: "A second CREATE in a longer document.",
        nodes: &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (3, Title, &[5]),
            (4, Create, &[]),
        ],
        reason: "create_duplicate",
        requirement: "DO1",
    },
    Broken {
        name: "same-create-twice",
        near: "create",
        comment: "The CREATE given twice.",
        nodes: &[(1, Create, &[]), (1, Create, &[])],
        reason: "operation_duplicate",
        requirement: "DO1",
    },
    Broken {
        name: "previous-missing",
        near: "chain",
        comment: "An operation of the chain is missing.",
        nodes: &[(9, Create, &[]), (3, Title, &[5])],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "one-previous-missing",
        near: "two-branches-merged",
        comment: "A branch of a merge is missing.",
        nodes: &[(1, Create, &[]), (2, Hour, &[1]), (4, Hour, &[2, 3])],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "delete-unconnected",
        near: "deleted",
        comment: "A DELETE of something else.",
        nodes: &[(1, Create, &[]), (2, Delete, &[7])],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "own-previous",
        near: "chain",
        comment: "An operation that builds on itself.",
        nodes: &[(9, Create, &[]), (5, Hour, &[5]), (3, Title, &[5])],
        reason: "graph_cycle",
        requirement: "DO2",
    },
    Broken {
        name: "circle",
        near: "chain",
        comment: "Two operations that build on each other and on the CREATE.",
        nodes: &[(9, Create, &[]), (5, Hour, &[3, 9]), (3, Title, &[5])],
        reason: "graph_cycle",
        requirement: "DO2",
    },
    Broken {
        name: "circle-of-three",
        near: "two-branches-merged",
        comment: "A circle of three behind the CREATE.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1, 4]),
            (3, Hour, &[1]),
            (4, Hour, &[2, 3]),
        ],
        reason: "graph_cycle",
        requirement: "DO2",
    },
    Broken {
        name: "delete-alone",
        near: "deleted",
        comment: "A DELETE of a document that is not there.",
        nodes: &[(2, Delete, &[1])],
        reason: "create_missing",
        requirement: "DO1",
    },
    Broken {
        name: "creates-merged",
        near: "two-branches-merged",
        comment: "Two CREATEs with an UPDATE that merges them.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (3, Create, &[]),
            (4, Hour, &[2, 3]),
        ],
        reason: "create_duplicate",
        requirement: "DO1",
    },
    Broken {
        name: "create-given-last-twice",
        near: "deleted",
        comment: "A second CREATE after the DELETE.",
        nodes: &[(1, Create, &[]), (2, Delete, &[1]), (3, Create, &[])],
        reason: "create_duplicate",
        requirement: "DO1",
    },
    Broken {
        name: "same-update-twice",
        near: "chain",
        comment: "An UPDATE given twice.",
        nodes: &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (5, Hour, &[9]),
            (3, Title, &[5]),
        ],
        reason: "operation_duplicate",
        requirement: "D10",
    },
    Broken {
        name: "one-id-for-two",
        near: "chain",
        comment: "Two UPDATEs under one id.",
        nodes: &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (5, Title, &[9]),
            (3, Title, &[5]),
        ],
        reason: "operation_duplicate",
        requirement: "D10",
    },
    Broken {
        name: "previous-missing-in-the-middle",
        near: "long-chain",
        comment: "An operation in the middle of a long chain is missing.",
        nodes: &[
            (1, Create, &[]),
            (8, Hour, &[1]),
            (2, Hour, &[8]),
            (7, Hour, &[2]),
            (6, Hour, &[3]),
            (4, Hour, &[6]),
            (5, Hour, &[4]),
        ],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "previous-missing-beside-known",
        near: "two-branches",
        comment: "A branch names an operation that is not there beside the CREATE.",
        nodes: &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1, 9])],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "previous-missing-below-the-delete",
        near: "deleted-after-update",
        comment: "The DELETE's previous is missing; the CREATE alone would be sound.",
        nodes: &[(1, Create, &[]), (2, Delete, &[3])],
        reason: "previous_not_found",
        requirement: "DO3",
    },
    Broken {
        name: "circle-at-the-end",
        near: "long-chain",
        comment: "The last operation of a chain is named by one in its middle.",
        nodes: &[
            (1, Create, &[]),
            (8, Hour, &[1]),
            (2, Hour, &[5, 8]),
            (7, Hour, &[2]),
            (3, Hour, &[7]),
            (6, Hour, &[3]),
            (4, Hour, &[6]),
            (5, Hour, &[4]),
        ],
        reason: "graph_cycle",
        requirement: "DO2",
    },
    Broken {
        name: "circle-through-the-delete",
        near: "deleted-after-update",
        comment: "A DELETE and what it deletes build on each other.",
        nodes: &[(1, Create, &[]), (3, Hour, &[1, 2]), (2, Delete, &[3])],
        reason: "graph_cycle",
        requirement: "DO2",
    },
];

/// Two branches and their merge.
const MERGED: Nodes = &[
    (1, Create, &[]),
    (2, Hour, &[1]),
    (3, Hour, &[1]),
    (4, Hour, &[2, 3]),
];

/// Where in a document the operation of another schema stands.
struct Foreign {
    place: &'static str,
    near: &'static str,
    nodes: Nodes,
    index: usize,
    other: fn() -> Item,
}

const FOREIGN_OPERATIONS: &[Foreign] = &[
    Foreign {
        place: "tip",
        near: "two-branches-merged",
        nodes: MERGED,
        index: 3,
        other: || operation::update(&cave(), &[id(2), id(3)], [("opening_hour", Item::Int(4))]),
    },
    Foreign {
        place: "branch",
        near: "two-branches-merged",
        nodes: MERGED,
        index: 2,
        other: || operation::update(&cave(), &[id(1)], [("opening_hour", Item::Int(3))]),
    },
    Foreign {
        place: "delete",
        near: "deleted",
        nodes: &[(1, Create, &[]), (2, Delete, &[1])],
        index: 1,
        other: || operation::delete(&cave(), &[id(1)]),
    },
];

pub(super) fn documents(set: &mut Set) {
    for &Broken {
        name,
        near,
        comment,
        nodes,
        reason,
        requirement,
    } in DOCUMENTS
    {
        let case = set.invalid(name, comment, near, input(nodes), reason);
        case.requires(&[requirement, "DO6"]);
        match name {
            "same-create-twice" => {
                case.or(&["create_duplicate"]);
            }
            "without-create" | "delete-alone" => {
                case.or(&["previous_not_found"]);
            }
            "same-update-twice" | "one-id-for-two" => {
                case.wire_is_open();
            }
            "own-previous" => {
                case.or(&["previous_not_found"]);
            }
            _ => {}
        }
    }
    other_schemas(set);
}

/// Documents of which one operation is of another schema.
fn other_schemas(set: &mut Set) {
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
    for &Foreign {
        place,
        near,
        nodes,
        index,
        other,
    } in FOREIGN_OPERATIONS
    {
        let mut mixed = input(nodes);
        mixed["operations"][index]["operation"] = hex(other().encode()).into();
        set.invalid(
            &format!("other-schema-in-{place}"),
            "One operation of another schema.",
            near,
            mixed,
            "document_schema_mismatch",
        )
        .requires(&["OP4", "DO3"])
        .or(&["schema_mismatch"]);
    }
}

const FOREIGN_DOCUMENTS: &[(&str, Nodes)] = &[
    ("create", &[(1, Create, &[])]),
    (
        "chain",
        &[(9, Create, &[]), (5, Hour, &[9]), (3, Title, &[5])],
    ),
];

/// Operations that agree with each other, but not with the schema they are read by.
pub(super) fn foreign(set: &mut Set) {
    set.using("schema", "cave");
    for &(near, nodes) in FOREIGN_DOCUMENTS {
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

/// An operation in place of the one at `index`.
struct Unfit {
    name: &'static str,
    comment: &'static str,
    index: usize,
    operation: fn() -> Item,
    reason: &'static str,
}

const UNFIT: &[Unfit] = &[
    Unfit {
        name: "field-of-other-type",
        comment: "An UPDATE gives a text for a number.",
        index: 2,
        operation: || operation::update(CAFE, &[id(1)], [("opening_hour", Item::text("8"))]),
        reason: "field_type_mismatch",
    },
    Unfit {
        name: "field-unknown",
        comment: "An UPDATE gives a field that the schema has not.",
        index: 1,
        operation: || operation::update(CAFE, &[id(1)], [("price", Item::Int(8))]),
        reason: "field_unexpected",
    },
    Unfit {
        name: "field-missing",
        comment: "The CREATE lacks a field.",
        index: 0,
        operation: || operation::create(CAFE, [("opening_hour", Item::Int(8))]),
        reason: "field_missing",
    },
];

/// Operations that do not fit the schema of their document.
pub(super) fn unfit(set: &mut Set) {
    let nodes: Nodes = &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1])];
    set.using("schema", "cafe");
    for &Unfit {
        name,
        comment,
        index,
        operation,
        reason,
    } in UNFIT
    {
        let mut given = input(nodes);
        given["operations"][index]["operation"] = hex(operation().encode()).into();
        set.invalid(name, comment, "two-branches", given, reason)
            .requires(&["OP8", "OP6"]);
    }
}
