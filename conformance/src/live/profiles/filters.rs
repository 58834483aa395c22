//! Filters: what each operator lets through for each type of field, one row a question.

use super::super::Wrong;
use super::super::case::Case;
use super::super::doors::Need;
use super::super::under_test::NodeUnderTest;
use super::shelf::{Place, Shelf};
use super::{must, must_equal};
use crate::suite::{Hazard, Level};

/// Id, arguments of the collection, and the documents that must be on the page.
type Row = (&'static str, &'static str, &'static [Place]);

/// Every question. Names in braces stand for ids and keys of the shelf.
const ROWS: &[Row] = &[
    ("str-eq", r#"filter: { name: { eq: "Alpha" } }"#, &[0]),
    ("str-eq-case", r#"filter: { name: { eq: "alpha" } }"#, &[]),
    (
        "str-eq-quote",
        r#"filter: { name: { eq: "x' OR '1'='1" } }"#,
        &[],
    ),
    ("str-eq-empty", r#"filter: { name: { eq: "" } }"#, &[]),
    (
        "str-eq-accent",
        r#"filter: { name: { eq: "Émile_x" } }"#,
        &[4],
    ),
    (
        "str-eq-updated",
        r#"filter: { name: { eq: "beta2" } }"#,
        &[1],
    ),
    (
        "str-eq-outdated",
        r#"filter: { name: { eq: "beta" } }"#,
        &[],
    ),
    (
        "str-not-eq",
        r#"filter: { name: { notEq: "Alpha" } }"#,
        &[1, 2, 3, 4],
    ),
    (
        "str-in",
        r#"filter: { name: { in: ["Alpha", "Gamma", "nobody"] } }"#,
        &[0, 2],
    ),
    ("str-in-nothing", r#"filter: { name: { in: [] } }"#, &[]),
    (
        "str-not-in",
        r#"filter: { name: { notIn: ["Alpha", "Gamma"] } }"#,
        &[1, 3, 4],
    ),
    (
        "str-not-in-nothing",
        r#"filter: { name: { notIn: [] } }"#,
        &[0, 1, 2, 3, 4],
    ),
    ("str-gt", r#"filter: { name: { gt: "Gamma" } }"#, &[1, 3, 4]),
    (
        "str-gte",
        r#"filter: { name: { gte: "Gamma" } }"#,
        &[1, 2, 3, 4],
    ),
    ("str-lt", r#"filter: { name: { lt: "beta2" } }"#, &[0, 2]),
    (
        "str-lte",
        r#"filter: { name: { lte: "beta2" } }"#,
        &[0, 1, 2],
    ),
    (
        "str-between",
        r#"filter: { name: { gte: "Alpha", lt: "beta2" } }"#,
        &[0, 2],
    ),
    (
        "str-contains",
        r#"filter: { name: { contains: "eta" } }"#,
        &[1],
    ),
    (
        "str-contains-percent",
        r#"filter: { name: { contains: "0%" } }"#,
        &[3],
    ),
    (
        "str-contains-percent-inside",
        r#"filter: { name: { contains: "d%0" } }"#,
        &[],
    ),
    (
        "str-contains-underscore",
        r#"filter: { name: { contains: "e_x" } }"#,
        &[4],
    ),
    (
        "str-contains-underscore-any",
        r#"filter: { name: { contains: "G_mma" } }"#,
        &[],
    ),
    (
        "str-contains-nothing",
        r#"filter: { name: { contains: "" } }"#,
        &[0, 1, 2, 3, 4],
    ),
    (
        "str-not-contains",
        r#"filter: { name: { notContains: "lta" } }"#,
        &[0, 1, 2, 4],
    ),
    (
        "str-contains-and-not",
        r#"filter: { name: { contains: "ta", notContains: "100" } }"#,
        &[1],
    ),
    ("int-eq", "filter: { seats: { eq: 50 } }", &[1, 3]),
    ("int-eq-negative", "filter: { seats: { eq: -5 } }", &[2]),
    (
        "int-eq-large",
        "filter: { seats: { eq: 3000000000 } }",
        &[4],
    ),
    ("int-not-eq", "filter: { seats: { notEq: 50 } }", &[0, 2, 4]),
    ("int-in", "filter: { seats: { in: [50, 100] } }", &[0, 1, 3]),
    ("int-in-nothing", "filter: { seats: { in: [] } }", &[]),
    (
        "int-not-in",
        "filter: { seats: { notIn: [50, 100] } }",
        &[2, 4],
    ),
    (
        "int-not-in-nothing",
        "filter: { seats: { notIn: [] } }",
        &[0, 1, 2, 3, 4],
    ),
    (
        "int-gt-number-not-text",
        "filter: { seats: { gt: 9 } }",
        &[0, 1, 3, 4],
    ),
    ("int-gte", "filter: { seats: { gte: 50 } }", &[0, 1, 3, 4]),
    ("int-lt", "filter: { seats: { lt: 50 } }", &[2]),
    ("int-lte", "filter: { seats: { lte: 50 } }", &[1, 2, 3]),
    (
        "int-between",
        "filter: { seats: { gt: 50, lt: 3000000000 } }",
        &[0],
    ),
    (
        "int-both-bounds",
        "filter: { seats: { gt: 60, gte: 10 } }",
        &[0, 4],
    ),
    (
        "int-both-upper-bounds",
        "filter: { seats: { lt: 60, lte: 1000 } }",
        &[1, 2, 3],
    ),
    (
        "int-impossible",
        "filter: { seats: { gt: 60, lt: 50 } }",
        &[],
    ),
    ("float-eq", "filter: { rating: { eq: 4.5 } }", &[0, 3]),
    ("float-eq-whole", "filter: { rating: { eq: 1e21 } }", &[4]),
    (
        "float-not-eq",
        "filter: { rating: { notEq: 4.5 } }",
        &[1, 2, 4],
    ),
    (
        "float-in",
        "filter: { rating: { in: [3.25, 4.5] } }",
        &[0, 1, 3],
    ),
    (
        "float-not-in",
        "filter: { rating: { notIn: [3.25, 4.5] } }",
        &[2, 4],
    ),
    ("float-gt-int", "filter: { rating: { gt: 4 } }", &[0, 3, 4]),
    ("float-gte", "filter: { rating: { gte: 4.5 } }", &[0, 3, 4]),
    ("float-lt", "filter: { rating: { lt: -1 } }", &[2]),
    ("float-lte", "filter: { rating: { lte: 3.25 } }", &[1, 2]),
    ("bool-eq", "filter: { open: { eq: true } }", &[0, 2, 3]),
    ("bool-eq-false", "filter: { open: { eq: false } }", &[1, 4]),
    ("bool-not-eq", "filter: { open: { notEq: true } }", &[1, 4]),
    ("bytes-eq", r#"filter: { logo: { eq: "aabb" } }"#, &[1, 3]),
    (
        "bytes-eq-uppercase",
        r#"filter: { logo: { eq: "AABB" } }"#,
        &[1, 3],
    ),
    ("bytes-eq-empty", r#"filter: { logo: { eq: "" } }"#, &[2]),
    (
        "bytes-not-eq",
        r#"filter: { logo: { notEq: "aabb" } }"#,
        &[0, 2, 4],
    ),
    (
        "and",
        r#"filter: { open: { eq: true }, seats: { eq: 50 } }"#,
        &[3],
    ),
    (
        "and-of-three",
        r#"filter: { open: { eq: true }, seats: { lte: 100 }, rating: { gt: 0 } }"#,
        &[0, 3],
    ),
    (
        "eq-and-in",
        r#"filter: { name: { eq: "Alpha", in: ["Gamma"] } }"#,
        &[],
    ),
    (
        "eq-and-in-same",
        r#"filter: { name: { eq: "Alpha", in: ["Alpha", "Gamma"] } }"#,
        &[0],
    ),
    (
        "eq-and-not-eq",
        r#"filter: { name: { eq: "Alpha", notEq: "Gamma" } }"#,
        &[0],
    ),
    (
        "not-eq-and-not-in",
        r#"filter: { name: { notEq: "Alpha", notIn: ["Gamma"] } }"#,
        &[1, 3, 4],
    ),
    (
        "eq-and-gt",
        "filter: { seats: { eq: 50, gt: 10 } }",
        &[1, 3],
    ),
    ("nothing-asked", "filter: {}", &[0, 1, 2, 3, 4]),
    ("no-operator", "filter: { name: {} }", &[0, 1, 2, 3, 4]),
    ("null", "filter: null", &[0, 1, 2, 3, 4]),
    ("field-null", "filter: { name: null }", &[0, 1, 2, 3, 4]),
    (
        "operator-null",
        "filter: { name: { eq: null } }",
        &[0, 1, 2, 3, 4],
    ),
    ("relation-eq", r#"filter: { tag: { eq: "{blue}" } }"#, &[1]),
    (
        "relation-not-eq",
        r#"filter: { tag: { notEq: "{red}" } }"#,
        &[1, 3, 4],
    ),
    (
        "relation-in",
        r#"filter: { tag: { in: ["{blue}", "{green}"] } }"#,
        &[1, 3, 4],
    ),
    (
        "relation-not-in",
        r#"filter: { tag: { notIn: ["{blue}", "{green}"] } }"#,
        &[0, 2],
    ),
    (
        "relation-unknown",
        r#"filter: { tag: { eq: "{nowhere}" } }"#,
        &[],
    ),
    (
        "pinned-eq",
        r#"filter: { pin: { eq: "{green}" } }"#,
        &[3, 4],
    ),
    (
        "pinned-not-eq",
        r#"filter: { pin: { notEq: "{green}" } }"#,
        &[0, 1, 2],
    ),
    (
        "pinned-in",
        r#"filter: { pin: { in: ["{green}", "{blue}"] } }"#,
        &[1, 3, 4],
    ),
    (
        "pinned-not-in",
        r#"filter: { pin: { notIn: ["{green}"] } }"#,
        &[0, 1, 2],
    ),
    (
        "list-in-first",
        r#"filter: { tags: { in: ["{red}"] } }"#,
        &[0, 3],
    ),
    (
        "list-in-second",
        r#"filter: { tags: { in: ["{blue}"] } }"#,
        &[0, 1, 4],
    ),
    ("list-in-nothing", "filter: { tags: { in: [] } }", &[]),
    (
        "list-not-in",
        r#"filter: { tags: { notIn: ["{blue}"] } }"#,
        &[2, 3],
    ),
    (
        "pinned-list-in",
        r#"filter: { pins: { in: ["{green}"] } }"#,
        &[4],
    ),
    (
        "pinned-list-not-in",
        r#"filter: { pins: { notIn: ["{blue}", "{green}"] } }"#,
        &[2, 3],
    ),
    ("meta-id-eq", r#"meta: { documentId: { eq: "{3}" } }"#, &[3]),
    (
        "meta-id-not-eq",
        r#"meta: { documentId: { notEq: "{3}" } }"#,
        &[0, 1, 2, 4],
    ),
    (
        "meta-id-in",
        r#"meta: { documentId: { in: ["{3}", "{1}", "{nowhere}"] } }"#,
        &[1, 3],
    ),
    (
        "meta-id-not-in",
        r#"meta: { documentId: { notIn: ["{3}", "{1}"] } }"#,
        &[0, 2, 4],
    ),
    (
        "meta-id-not-in-nothing",
        "meta: { documentId: { notIn: [] } }",
        &[0, 1, 2, 3, 4],
    ),
    (
        "meta-view-eq",
        r#"meta: { viewId: { eq: "{view}" } }"#,
        &[1],
    ),
    (
        "meta-view-eq-outdated",
        r#"meta: { viewId: { eq: "{old-view}" } }"#,
        &[],
    ),
    (
        "meta-view-in",
        r#"meta: { viewId: { in: ["{view}", "{0}"] } }"#,
        &[0, 1],
    ),
    (
        "meta-owner-eq",
        r#"meta: { owner: { eq: "{b}" } }"#,
        &[2, 4],
    ),
    (
        "meta-owner-eq-uppercase",
        r#"meta: { owner: { eq: "{A}" } }"#,
        &[0, 1, 3],
    ),
    (
        "meta-owner-not-eq",
        r#"meta: { owner: { notEq: "{b}" } }"#,
        &[0, 1, 3],
    ),
    (
        "meta-owner-in",
        r#"meta: { owner: { in: ["{a}", "{b}"] } }"#,
        &[0, 1, 2, 3, 4],
    ),
    ("meta-edited", "meta: { edited: { eq: true } }", &[1]),
    (
        "meta-not-edited",
        "meta: { edited: { eq: false } }",
        &[0, 2, 3, 4],
    ),
    (
        "meta-edited-not-eq",
        "meta: { edited: { notEq: true } }",
        &[0, 2, 3, 4],
    ),
    ("meta-deleted", "meta: { deleted: { eq: true } }", &[5]),
    (
        "meta-not-deleted",
        "meta: { deleted: { eq: false } }",
        &[0, 1, 2, 3, 4],
    ),
    (
        "meta-deleted-not-eq",
        "meta: { deleted: { notEq: false } }",
        &[5],
    ),
    (
        "meta-deleted-not-eq-true",
        "meta: { deleted: { notEq: true } }",
        &[0, 1, 2, 3, 4],
    ),
    (
        "meta-deleted-null",
        "meta: { deleted: { eq: null } }",
        &[0, 1, 2, 3, 4],
    ),
    ("meta-null", "meta: null", &[0, 1, 2, 3, 4]),
    (
        "meta-and-filter",
        r#"meta: { owner: { eq: "{a}" } }, filter: { open: { eq: true } }"#,
        &[0, 3],
    ),
];

/// One case for each row.
pub(crate) fn cases() -> Vec<Case<'static>> {
    ROWS.iter().map(case).collect()
}

fn case(row: &'static Row) -> Case<'static> {
    let (id, arguments, _) = row;
    Case {
        id: format!("filter-{id}"),
        title: format!("a collection with {arguments}"),
        profile: "query",
        requires: vec!["QU5".to_owned()],
        ruling: None,
        level: Level::Must,
        needs: vec![Need::GraphQl],
        hazard: Hazard::None,
        run: Box::new(move |target| run(target, row)),
    }
}

//= QU5: compares what each operator lets through with the values that are there
fn run(target: &mut NodeUnderTest, (_, arguments, expected): &Row) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let page = shelf.page(target, arguments)?;
    let mut found = shelf.places(&page);
    found.sort_unstable();
    let expected: Vec<_> = expected.iter().copied().map(Some).collect();
    must(found == expected, || {
        format!("{arguments} lets documents {found:?} through, expected {expected:?}")
    })?;
    let count = page["totalCount"].as_u64();
    must_equal("totalCount", count, Some(expected.len() as u64))
}
