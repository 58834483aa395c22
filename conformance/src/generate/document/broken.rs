//! Documents that are none: something is missing, twice there, in a circle or of another schema.

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::{Act, Node, Nodes, cave, input};
use crate::forge::{Item, hex, operation};

pub(super) fn documents(set: &mut Set) {
    use Act::{Create, Delete, Hour, Title};
    let cases: [(&str, &str, &str, Nodes, &str, &str); 21] = [
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
        (
            "delete-alone",
            "deleted",
            "A DELETE of a document that is not there.",
            &[(2, Delete, &[1])],
            "create_missing",
            "DO1",
        ),
        (
            "creates-merged",
            "two-branches-merged",
            "Two CREATEs with an UPDATE that merges them.",
            &[
                (1, Create, &[]),
                (2, Hour, &[1]),
                (3, Create, &[]),
                (4, Hour, &[2, 3]),
            ],
            "create_duplicate",
            "DO1",
        ),
        (
            "create-given-last-twice",
            "deleted",
            "A second CREATE after the DELETE.",
            &[(1, Create, &[]), (2, Delete, &[1]), (3, Create, &[])],
            "create_duplicate",
            "DO1",
        ),
        (
            "same-update-twice",
            "chain",
            "An UPDATE given twice.",
            &[
                (9, Create, &[]),
                (5, Hour, &[9]),
                (5, Hour, &[9]),
                (3, Title, &[5]),
            ],
            "operation_duplicate",
            "D10",
        ),
        (
            "one-id-for-two",
            "chain",
            "Two UPDATEs under one id.",
            &[
                (9, Create, &[]),
                (5, Hour, &[9]),
                (5, Title, &[9]),
                (3, Title, &[5]),
            ],
            "operation_duplicate",
            "D10",
        ),
        (
            "previous-missing-in-the-middle",
            "long-chain",
            "An operation in the middle of a long chain is missing.",
            &[
                (1, Create, &[]),
                (8, Hour, &[1]),
                (2, Hour, &[8]),
                (7, Hour, &[2]),
                (6, Hour, &[3]),
                (4, Hour, &[6]),
                (5, Hour, &[4]),
            ],
            "previous_not_found",
            "DO3",
        ),
        (
            "previous-missing-beside-known",
            "two-branches",
            "A branch names an operation that is not there beside the CREATE.",
            &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1, 9])],
            "previous_not_found",
            "DO3",
        ),
        (
            "previous-missing-below-the-delete",
            "deleted-after-update",
            "The DELETE's previous is missing; the CREATE alone would be sound.",
            &[(1, Create, &[]), (2, Delete, &[3])],
            "previous_not_found",
            "DO3",
        ),
        (
            "circle-at-the-end",
            "long-chain",
            "The last operation of a chain is named by one in its middle.",
            &[
                (1, Create, &[]),
                (8, Hour, &[1]),
                (2, Hour, &[5, 8]),
                (7, Hour, &[2]),
                (3, Hour, &[7]),
                (6, Hour, &[3]),
                (4, Hour, &[6]),
                (5, Hour, &[4]),
            ],
            "graph_cycle",
            "DO2",
        ),
        (
            "circle-through-the-delete",
            "deleted-after-update",
            "A DELETE and what it deletes build on each other.",
            &[(1, Create, &[]), (3, Hour, &[1, 2]), (2, Delete, &[3])],
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
    let merge: &[Node<'_>] = &[
        (1, Create, &[]),
        (2, Hour, &[1]),
        (3, Hour, &[1]),
        (4, Hour, &[2, 3]),
    ];
    let places = [
        (
            "tip",
            "two-branches-merged",
            merge,
            3,
            operation::update(&cave(), &[id(2), id(3)], [("opening_hour", Item::Int(4))]),
        ),
        (
            "branch",
            "two-branches-merged",
            merge,
            2,
            operation::update(&cave(), &[id(1)], [("opening_hour", Item::Int(3))]),
        ),
        (
            "delete",
            "deleted",
            &[(1, Create, &[]), (2, Delete, &[1])],
            1,
            operation::delete(&cave(), &[id(1)]),
        ),
    ];
    for (place, near, nodes, index, other) in places {
        let mut mixed = input(nodes);
        mixed["operations"][index]["operation"] = hex(other.encode()).into();
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

/// Operations that agree with each other, but not with the schema they are read by.
pub(super) fn foreign(set: &mut Set) {
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

/// Operations that do not fit the schema of their document.
pub(super) fn unfit(set: &mut Set) {
    use Act::{Create, Hour};
    let nodes: &[Node<'_>] = &[(1, Create, &[]), (2, Hour, &[1]), (3, Hour, &[1])];
    set.using("schema", "cafe");
    let unfit = [
        (
            "field-of-other-type",
            "An UPDATE gives a text for a number.",
            2,
            operation::update(CAFE, &[id(1)], [("opening_hour", Item::text("8"))]),
            "field_type_mismatch",
        ),
        (
            "field-unknown",
            "An UPDATE gives a field that the schema has not.",
            1,
            operation::update(CAFE, &[id(1)], [("price", Item::Int(8))]),
            "field_unexpected",
        ),
        (
            "field-missing",
            "The CREATE lacks a field.",
            0,
            operation::create(CAFE, [("opening_hour", Item::Int(8))]),
            "field_missing",
        ),
    ];
    for (name, comment, index, operation, reason) in unfit {
        let mut given = input(nodes);
        given["operations"][index]["operation"] = hex(operation.encode()).into();
        set.invalid(name, comment, "two-branches", given, reason)
            .requires(&["OP8", "OP6"]);
    }
}
