//! Documents as graphs: whatever was concurrent, every node shows the same.
//!
//! Each shape is published by as many authors as it has operations, in an order that keeps what an operation
//! builds on before it. What must be seen follows from the handbook's walk, which stands in [`crate::forge::graph`].

use std::collections::BTreeMap;

use super::super::Wrong;
use super::super::case::Case;
use super::super::doors::Need;
use super::super::under_test::NodeUnderTest;
use super::must;
use crate::forge::graph::{self, Graph};
use crate::forge::{Hash, Item, hash, operation};
use crate::suite::{Hazard, Level, Ruleset};

/// Name, and for each operation after the CREATE those it builds on; the CREATE is 0.
type Shape = (&'static str, &'static [&'static [usize]]);

/// Every shape. In each an operation sets `hour` to its number, and each second one the title.
const SHAPES: &[Shape] = &[
    ("line-of-two", &[&[0]]),
    ("line-of-six", &[&[0], &[1], &[2], &[3], &[4]]),
    ("two-tips", &[&[0], &[0]]),
    ("three-tips", &[&[0], &[0], &[0]]),
    ("six-tips", &[&[0], &[0], &[0], &[0], &[0], &[0]]),
    ("merged", &[&[0], &[0], &[1, 2]]),
    ("merged-and-on", &[&[0], &[0], &[1, 2], &[3]]),
    ("two-long-branches", &[&[0], &[1], &[0], &[3]]),
    ("long-and-short-branch", &[&[0], &[1], &[2], &[0]]),
    ("branches-merged-late", &[&[0], &[1], &[0], &[3], &[2, 4]]),
    ("half-merged", &[&[0], &[0], &[0], &[1, 2]]),
    ("merged-twice", &[&[0], &[0], &[1, 2], &[1, 2]]),
    ("criss-cross", &[&[0], &[0], &[1, 2], &[1, 2], &[3, 4]]),
    ("branch-of-a-branch", &[&[0], &[1], &[1], &[0]]),
    ("comb", &[&[0], &[0], &[1], &[1], &[2], &[2]]),
    ("ladder", &[&[0], &[0], &[1, 2], &[3], &[3], &[4, 5]]),
    ("tip-left-behind", &[&[0], &[0], &[2], &[3]]),
    ("ancestor-beside-descendant", &[&[0], &[0, 1]]),
    ("deep-fan", &[&[0], &[1], &[2], &[2], &[2], &[2]]),
];

/// One case for each shape.
pub(crate) fn cases() -> Vec<Case<'static>> {
    SHAPES.iter().map(case).collect()
}

fn case(shape: &'static Shape) -> Case<'static> {
    let twice = shape.0.starts_with("ancestor");
    Case {
        id: format!("graph-{}", shape.0),
        title: format!("a document of the shape {:?}", shape.1),
        profile: "core",
        requires: ["DO6", "DO7", "DO8", "DO9", "D10", "DV1"]
            .map(str::to_owned)
            .into(),
        ruling: Some(if twice { "R21" } else { "R4" }.to_owned()),
        level: Level::Must,
        needs: vec![Need::GraphQl],
        hazard: if twice { Hazard::State } else { Hazard::None },
        run: Box::new(move |target| run(target, shape)),
    }
}

fn run(target: &mut NodeUnderTest, (_, shape): &Shape) -> Result<(), Wrong> {
    let door = target.door();
    let mut first = target.author("0");
    let document = target.create(&mut first, 0, "0", door)?;
    let mut ids = vec![document.id];
    let mut graph: Graph = BTreeMap::from([(document.id, Vec::new())]);
    for (index, parents) in shape.iter().enumerate() {
        let number = index + 1;
        let mut previous: Vec<Hash> = parents.iter().map(|&parent| ids[parent]).collect();
        previous.sort_unstable();
        let mut fields = vec![("hour", Item::Int(number as i128))];
        if number.is_multiple_of(2) {
            fields.push(("title", Item::text(number.to_string())));
        }
        let operation = operation::update(&target.schema_id, &previous, fields).encode();
        let mut author = target.author(&number.to_string());
        let log = author.open_log();
        let id = target.publish(&mut author, log, operation, door)?;
        ids.push(id);
        graph.insert(id, previous);
    }
    let view_id = hash::view_id(&graph::tips(&graph));
    let shown = target.document_until(document.id, "every operation is in the view", |shown| {
        shown["meta"]["viewId"] == view_id.as_str()
    })?;
    let mut orders = vec![graph::handbook_order(&graph, document.id)];
    if target.ruleset == Ruleset::Wire09 {
        orders.extend(graph::deployed_order(&graph, document.id));
    }
    let number = |id: &Hash| ids.iter().position(|it| it == id).unwrap_or_default();
    let legal: Vec<_> = orders
        .iter()
        .map(|order| {
            let numbers: Vec<usize> = order.iter().map(number).collect();
            let even = numbers.iter().rev().find(|number| number.is_multiple_of(2));
            (
                numbers.last().copied().unwrap_or_default(),
                even.copied().unwrap_or_default(),
            )
        })
        .collect();
    let fields = &shown["fields"];
    let seen = (fields["hour"].as_u64(), fields["title"].as_str());
    let right = legal
        .iter()
        .any(|(hour, title)| seen == (Some(*hour as u64), Some(title.to_string().as_str())));
    must(right, || {
        format!("hour and title are {seen:?}, expected one of {legal:?}")
    })
}
