//! Cases of `document.view`: a document as it was at an earlier view.

use serde_json::Value;

use super::{Act, CAFE, Node, add, cafe_schema, hash, id, input};
use crate::forge::{Item, hex, operation};
use crate::generate::set::Set;
use crate::suite::Case;
use Act::{Create, Delete, Hour, Nothing, Title};

pub(super) fn views() -> Set {
    let mut set = Set::new("document.view", "graphs", &["DV1", "QU3"]);
    set.schema("cafe", cafe_schema());
    set.using("schema", "cafe");
    chains(&mut set);
    branches(&mut set);
    merges(&mut set);
    ancestors(&mut set);
    deletions(&mut set);
    diamonds(&mut set);
    unknown(&mut set);
    broken(&mut set);
    set
}

/// A whole document.
type Document = &'static [Node<'static>];

/// The bytes of a view's ids.
type View = &'static [u8];

/// The operations that `view` names and all they build on, in the order of `nodes`.
fn part<'a>(nodes: &[Node<'a>], view: &[u8]) -> Vec<Node<'a>> {
    let mut kept = view.to_vec();
    let mut next = 0;
    while let Some(number) = kept.get(next).copied() {
        let node = nodes.iter().find(|node| node.0 == number);
        let (_, _, previous) = node.expect("an operation of the document");
        kept.extend(
            previous
                .iter()
                .filter(|number| !kept.contains(number))
                .collect::<Vec<_>>(),
        );
        next += 1;
    }
    let kept = |node: &&Node<'_>| kept.contains(&node.0);
    nodes.iter().filter(kept).copied().collect()
}

fn question(nodes: &[Node<'_>], view: &[u8]) -> Value {
    let ids: Vec<_> = view.iter().copied().map(id).collect();
    with_text(nodes, &hash::view_id(&ids))
}

fn with_text(nodes: &[Node<'_>], view_id: &str) -> Value {
    let mut question = input(nodes);
    question["view_id"] = view_id.into();
    question
}

/// Adds a view of a document; the walks of both rulesets over its part of the graph are worked out.
fn view<'a>(
    set: &'a mut Set,
    name: &str,
    comment: &str,
    nodes: &[Node<'_>],
    view: &[u8],
) -> &'a mut Case {
    add(
        set,
        (name, comment),
        question(nodes, view),
        &part(nodes, view),
    )
}

const CHAIN: &[Node<'static>] = &[
    (9, Create, &[]),
    (5, Hour, &[9]),
    (3, Title, &[5]),
    (7, Hour, &[3]),
];

fn chains(set: &mut Set) {
    for (name, comment, at) in [
        ("chain-first", "The CREATE alone.", 9),
        ("chain-second", "After the first UPDATE.", 5),
        ("chain-third", "After the second UPDATE.", 3),
        ("chain-last", "The last view is that of the document.", 7),
    ] {
        view(set, name, comment, CHAIN, &[at]);
    }
    let backwards: Vec<_> = CHAIN.iter().rev().copied().collect();
    view(
        set,
        "chain-given-backwards",
        "The order of the input means nothing.",
        &backwards,
        &[3],
    );
}

const BRANCHES: &[Node<'static>] = &[
    (1, Create, &[]),
    (2, Hour, &[1]),
    (3, Hour, &[1]),
    (4, Hour, &[1]),
    (6, Title, &[3]),
];

fn branches(set: &mut Set) {
    let views: [(&str, &str, &[u8]); 7] = [
        ("branch-lowest", "One of three branches.", &[2]),
        ("branch-inner", "A branch before it went on.", &[3]),
        ("branch-longer", "A branch with what it builds on.", &[6]),
        ("branches-two", "Two branches side by side.", &[2, 4]),
        (
            "branches-older",
            "Two branches, one of them as it was before.",
            &[2, 3],
        ),
        (
            "branches-all",
            "All three: the document itself.",
            &[2, 4, 6],
        ),
        (
            "branches-all-older",
            "All three before one went on.",
            &[2, 3, 4],
        ),
    ];
    for (name, comment, at) in views {
        view(set, name, comment, BRANCHES, at).flag("Order");
    }
}

const MERGES: &[Node<'static>] = &[
    (1, Create, &[]),
    (2, Hour, &[1]),
    (3, Hour, &[1]),
    (4, Title, &[2, 3]),
    (5, Hour, &[2, 3]),
    (6, Hour, &[4]),
];

fn merges(set: &mut Set) {
    let views: [(&str, &str, &[u8]); 6] = [
        (
            "merge-before",
            "Two branches that were merged later.",
            &[2, 3],
        ),
        ("merge-one-side", "One side of what was merged later.", &[3]),
        (
            "merge-first",
            "One of two merges of the same branches.",
            &[4],
        ),
        ("merge-second", "The other merge.", &[5]),
        ("merge-both", "Both merges side by side.", &[4, 5]),
        ("merge-after", "Both, one of them gone on.", &[5, 6]),
    ];
    for (name, comment, at) in views {
        view(set, name, comment, MERGES, at).flag("Order");
    }
}

/// Named beside its descendant, an ancestor adds nothing, and is no tip.
fn ancestors(set: &mut Set) {
    let views: [(&str, &str, &[Node<'static>], &[u8]); 5] = [
        (
            "ancestor-and-child",
            "An operation and the one it builds on.",
            CHAIN,
            &[9, 5],
        ),
        (
            "ancestor-far",
            "The CREATE beside the last operation.",
            CHAIN,
            &[9, 7],
        ),
        (
            "ancestors-all",
            "Every operation of a chain.",
            CHAIN,
            &[9, 5, 3, 7],
        ),
        (
            "ancestor-of-branch",
            "A branch, and where the other left off.",
            BRANCHES,
            &[1, 4, 6],
        ),
        (
            "ancestor-of-merge",
            "A merge beside one of its branches.",
            MERGES,
            &[3, 4],
        ),
    ];
    for (name, comment, nodes, at) in views {
        view(set, name, comment, nodes, at).requires(&["DV1"]);
    }
}

fn deletions(set: &mut Set) {
    let beside: &[Node<'_>] = &[
        (1, Create, &[]),
        (2, Hour, &[1]),
        (4, Delete, &[2]),
        (6, Hour, &[2]),
        (3, Title, &[1]),
    ];
    let views: [(&str, &str, &[u8]); 7] = [
        (
            "delete-before",
            "The view before a DELETE stands as it was.",
            &[2],
        ),
        ("delete-itself", "The view of the DELETE.", &[4]),
        ("delete-beside", "A branch beside the DELETE.", &[6]),
        (
            "delete-far-beside",
            "A branch that left before what was deleted.",
            &[3],
        ),
        (
            "delete-and-before",
            "The DELETE beside what it deletes.",
            &[2, 4],
        ),
        (
            "delete-and-lower",
            "The DELETE beside a branch of a lower id.",
            &[3, 4],
        ),
        (
            "delete-and-higher",
            "The DELETE beside a branch of a higher id.",
            &[4, 6],
        ),
    ];
    for (name, comment, at) in views {
        view(set, name, comment, beside, at)
            .requires(&["DV1", "DO4", "D11"])
            .flag("Delete");
    }
    let two: &[Node<'_>] = &[
        (1, Create, &[]),
        (3, Delete, &[1]),
        (2, Delete, &[1]),
        (5, Hour, &[1]),
    ];
    view(set, "delete-one-of-two", "One of two DELETEs.", two, &[3])
        .requires(&["DV1", "DO4"])
        .flag("Delete");
    view(
        set,
        "delete-beside-two",
        "The branch beside two DELETEs.",
        two,
        &[5],
    )
    .requires(&["DV1", "DO4"])
    .flag("Delete");
}

/// Two branches, merged, thirty times over: a walk that takes every path takes a thousand million.
fn diamonds(set: &mut Set) {
    const DEPTH: u8 = 30;
    let previous: Vec<[u8; 2]> = (0..DEPTH).map(|n| [3 * n + 2, 3 * n + 3]).collect();
    let tops: Vec<[u8; 1]> = (0..DEPTH).map(|n| [3 * n + 1]).collect();
    let mut nodes: Vec<Node<'_>> = vec![(1, Create, &[])];
    for (both, top) in previous.iter().zip(&tops) {
        let merge = both[1] + 1;
        nodes.push((both[0], Nothing, top));
        nodes.push((both[1], Nothing, top));
        nodes.push((merge, Nothing, both));
    }
    view(
        set,
        "diamonds-tip",
        "Thirty diamonds on top of each other.",
        &nodes,
        &[3 * DEPTH + 1],
    );
    view(
        set,
        "diamonds-middle",
        "Fifteen of thirty diamonds.",
        &nodes,
        &[46],
    );
    view(
        set,
        "diamonds-open",
        "The last diamond before it is closed.",
        &nodes,
        &[3 * DEPTH - 1, 3 * DEPTH],
    );
}

/// These ids as a view id is written, in this order.
fn text(ids: &[u8]) -> String {
    let ids: Vec<_> = ids.iter().map(|byte| id(*byte).hex()).collect();
    ids.join("_")
}

/// A view id that is none, or none of the document.
struct Unknown {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    view_id: fn() -> String,
    reason: &'static str,
}

const UNKNOWN: &[Unknown] = &[
    Unknown {
        name: "unknown",
        near: "chain-second",
        comment: "An operation that is not part of the document.",
        view_id: || text(&[6]),
        reason: "view_not_found",
    },
    Unknown {
        name: "unknown-too",
        near: "chain-second",
        comment: "One that is, and one that is not.",
        view_id: || text(&[5, 6]),
        reason: "view_not_found",
    },
    Unknown {
        name: "unknown-first",
        near: "chain-second",
        comment: "One that is not, before one that is.",
        view_id: || text(&[4, 5]),
        reason: "view_not_found",
    },
    Unknown {
        name: "unsorted",
        near: "branches-two",
        comment: "The ids do not ascend.",
        view_id: || text(&[4, 2]),
        reason: "view_id_unsorted",
    },
    Unknown {
        name: "twice",
        near: "chain-second",
        comment: "An id named twice.",
        view_id: || text(&[5, 5]),
        reason: "view_id_duplicate",
    },
    Unknown {
        name: "empty",
        near: "chain-second",
        comment: "No view id.",
        view_id: String::new,
        reason: "hash_length",
    },
    Unknown {
        name: "half",
        near: "chain-second",
        comment: "Half an id.",
        view_id: || id(5).hex()[..34].to_owned(),
        reason: "hash_length",
    },
    Unknown {
        name: "digest-length",
        near: "chain-second",
        comment: "An id whose digest is said to have 33 bytes.",
        view_id: || id(5).with_byte(1, 33).hex(),
        reason: "hash_digest_length",
    },
];

fn unknown(set: &mut Set) {
    let lettered: &[Node<'_>] = &[(0xab, Create, &[])];
    view(set, "lettered", "An id of letters.", lettered, &[0xab]);
    for &Unknown {
        name,
        near,
        comment,
        view_id,
        reason,
    } in UNKNOWN
    {
        let nodes = if near == "branches-two" {
            BRANCHES
        } else {
            CHAIN
        };
        let case = set.invalid(name, comment, near, with_text(nodes, &view_id()), reason);
        match name {
            "unsorted" => {
                case.requires(&["DV1", "EN2"]).flag("Unsorted");
            }
            "twice" => {
                case.requires(&["DV1", "EN2"]).flag("Duplicate");
            }
            "empty" => {
                case.requires(&["DV1"])
                    .or(&["view_id_empty", "invalid_hex"]);
            }
            // Deployed software reads such an id, and then knows no operation of it.
            "digest-length" => {
                case.requires(&["BA2"]).or(&["view_not_found"]);
            }
            _ => {}
        }
    }
    set.invalid(
        "uppercase",
        "The same in uppercase.",
        "lettered",
        with_text(lettered, &id(0xab).hex().to_uppercase()),
        "uppercase_hex",
    )
    .requires(&["DV1"])
    .or(&["view_not_found"])
    .flag("Uppercase");
}

/// A document that is none, and a view of it.
struct Broken {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    nodes: Document,
    at: View,
    reason: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        name: "hole-below",
        near: "chain-third",
        comment: "What the view builds on is missing.",
        nodes: &[(9, Create, &[]), (3, Title, &[5]), (7, Hour, &[3])],
        at: &[3],
        reason: "previous_not_found",
    },
    Broken {
        name: "hole-beside",
        near: "branches-two",
        comment: "Something is missing that the view does not build on.",
        nodes: &[
            (1, Create, &[]),
            (2, Hour, &[1]),
            (4, Hour, &[1]),
            (6, Title, &[3]),
        ],
        at: &[2, 4],
        reason: "previous_not_found",
    },
    Broken {
        name: "without-create",
        near: "chain-third",
        comment: "No CREATE.",
        nodes: &[(5, Hour, &[9]), (3, Title, &[5]), (7, Hour, &[3])],
        at: &[3],
        reason: "create_missing",
    },
    Broken {
        name: "two-creates",
        near: "chain-third",
        comment: "A second CREATE beside the view.",
        nodes: &[
            (9, Create, &[]),
            (5, Hour, &[9]),
            (3, Title, &[5]),
            (7, Hour, &[3]),
            (8, Create, &[]),
        ],
        at: &[3],
        reason: "create_duplicate",
    },
];

/// What is wrong with a document is wrong at every view of it.
fn broken(set: &mut Set) {
    for &Broken {
        name,
        near,
        comment,
        nodes,
        at,
        reason,
    } in BROKEN
    {
        let case = set.invalid(name, comment, near, question(nodes, at), reason);
        case.requires(&["DO1", "DO3"]);
        if name == "without-create" {
            case.or(&["previous_not_found"]);
        }
    }
    let foreign = CAFE.replacen("cafe", "cave", 1);
    let mut mixed = question(CHAIN, &[3]);
    let other = operation::update(&foreign, &[id(3)], [("opening_hour", Item::Int(7))]);
    mixed["operations"][3]["operation"] = hex(other.encode()).into();
    set.invalid(
        "other-schema-later",
        "A later operation of another schema.",
        "chain-third",
        mixed,
        "document_schema_mismatch",
    )
    .requires(&["OP4", "DO3"])
    .or(&["schema_mismatch"]);
}
