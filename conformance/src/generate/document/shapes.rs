//! Shapes of graphs, each under several assignments of ids and in several orders of arrival.
//!
//! The ids decide the order of the walk, so one shape is many documents: it is given ascending,
//! descending and mixed ids, as long as that changes the order. The order of arrival decides nothing.

use super::super::set::Set;
use super::{Act, Node, document, graph_of, root};
use crate::forge::{Hash, graph};
use Act::{Create, Delete, Hour, Nothing, Title};

/// What each operation does and which earlier ones, by index, it builds on.
type Shape = &'static [(Act, &'static [usize])];

const SHAPES: &[(&str, &str, Shape)] = &[
    (
        "fork-of-3",
        "Three siblings set one field.",
        &[(Create, &[]), (Hour, &[0]), (Hour, &[0]), (Hour, &[0])],
    ),
    (
        "fork-of-4-merged",
        "Four siblings and their merge, which sets something else.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Title, &[1, 2, 3, 4]),
        ],
    ),
    (
        "fork-of-6",
        "Six siblings, three on each field.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Title, &[0]),
            (Hour, &[0]),
            (Title, &[0]),
            (Hour, &[0]),
            (Title, &[0]),
        ],
    ),
    (
        "diamond",
        "Two branches and their merge.",
        &[(Create, &[]), (Hour, &[0]), (Hour, &[0]), (Title, &[1, 2])],
    ),
    (
        "stacked-diamonds",
        "Three diamonds, one on the other.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Title, &[1, 2]),
            (Hour, &[3]),
            (Hour, &[3]),
            (Title, &[4, 5]),
            (Hour, &[6]),
            (Hour, &[6]),
            (Title, &[7, 8]),
        ],
    ),
    (
        "criss-cross",
        "Two branches merged twice, each merge continued, and the two merged again.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[1, 2]),
            (Hour, &[1, 2]),
            (Title, &[3]),
            (Hour, &[4]),
            (Title, &[5, 6]),
        ],
    ),
    (
        "uneven-merge",
        "A merge of the middle of one branch with the other; the first goes on beside it.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[1]),
            (Hour, &[2]),
            (Hour, &[0]),
            (Hour, &[2, 4]),
        ],
    ),
    (
        "deep-and-flat",
        "Branches of four, one and two operations; the ends of the longest and the last are merged.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[1]),
            (Hour, &[2]),
            (Hour, &[3]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Title, &[6]),
            (Title, &[4, 7]),
        ],
    ),
    (
        "two-merges-go-on",
        "Two merges of the same branches; the first is built on.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[1, 2]),
            (Hour, &[1, 2]),
            (Title, &[3]),
        ],
    ),
    (
        "overlapping-merges",
        "Three branches; one merge of the first two, one of the last two, and a merge of both.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[1, 2]),
            (Hour, &[2, 3]),
            (Title, &[4, 5]),
        ],
    ),
    (
        "branch-beside-merge",
        "A branch goes on although another merged it.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Hour, &[1, 2]),
            (Hour, &[1]),
        ],
    ),
    (
        "comb",
        "Every operation of a chain has a branch beside the next one.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[1]),
            (Hour, &[2]),
            (Hour, &[0]),
            (Hour, &[1]),
            (Hour, &[2]),
        ],
    ),
    (
        "ancestor-beside-descendant",
        "A merge names an operation and what builds on it, and a branch stands beside both.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[1]),
            (Hour, &[1, 2]),
            (Hour, &[0]),
        ],
    ),
    (
        "create-in-every-previous",
        "Every operation names the CREATE beside the one before.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0, 1]),
            (Hour, &[0, 2]),
        ],
    ),
    (
        "empty-updates",
        "UPDATEs of nothing take their place in the order and set nothing.",
        &[
            (Create, &[]),
            (Nothing, &[0]),
            (Hour, &[0]),
            (Nothing, &[0]),
            (Nothing, &[1, 2]),
        ],
    ),
    (
        "delete-in-a-branch",
        "A DELETE in one branch, merged with the other by an UPDATE.",
        &[(Create, &[]), (Delete, &[0]), (Hour, &[0]), (Hour, &[1, 2])],
    ),
    (
        "delete-beside-a-chain",
        "A DELETE of the first state beside three further UPDATEs.",
        &[
            (Create, &[]),
            (Delete, &[0]),
            (Hour, &[0]),
            (Hour, &[2]),
            (Hour, &[3]),
        ],
    ),
    (
        "delete-of-a-merge",
        "A DELETE at the end of a diamond.",
        &[
            (Create, &[]),
            (Hour, &[0]),
            (Hour, &[0]),
            (Title, &[1, 2]),
            (Delete, &[3]),
        ],
    ),
    (
        "three-deletes",
        "Three concurrent DELETEs, one of them in a branch.",
        &[
            (Create, &[]),
            (Delete, &[0]),
            (Hour, &[0]),
            (Delete, &[2]),
            (Delete, &[0]),
        ],
    ),
];

/// Where the operation at `index` of `len` stands among the ids.
type Assignment = fn(usize, usize) -> usize;

const ASSIGNMENTS: [(&str, Assignment); 3] = [
    ("ascending", |index, _| index),
    ("descending", |index, len| len - 1 - index),
    // 5 is coprime to 13, and no shape has more operations.
    ("mixed", |index, _| (index * 5 + 3) % 13),
];

pub(super) fn shapes() -> Set {
    let mut set = Set::new("document.reduce", "shapes", super::ORDER);
    set.schema("cafe", super::cafe_schema());
    set.using("schema", "cafe");
    for shape in SHAPES {
        assigned(&mut set, shape);
    }
    set
}

/// Adds a shape under each assignment that leads to an order of its own.
fn assigned(set: &mut Set, &(name, comment, shape): &(&str, &str, Shape)) {
    let mut seen: Vec<Vec<usize>> = Vec::new();
    for (assignment, rank) in ASSIGNMENTS {
        let number = |index: usize| 1 + rank(index, shape.len()) as u8;
        let previous: Vec<Vec<u8>> = shape
            .iter()
            .map(|(_, previous)| sorted(previous.iter().map(|index| number(*index))))
            .collect();
        let nodes: Vec<Node<'_>> = shape
            .iter()
            .zip(&previous)
            .enumerate()
            .map(|(index, ((act, _), previous))| (number(index), *act, &previous[..]))
            .collect();
        let order = walk(&nodes);
        if seen.contains(&order) {
            continue;
        }
        seen.push(order);
        let name = format!("shape-{name}-{assignment}");
        add(set, &name, comment, &nodes, shape);
        // One assignment has all arrivals, the others one in turn.
        let mut backwards = nodes.clone();
        backwards.reverse();
        let mut shuffled = nodes;
        shuffled.sort_by_key(|node| (u32::from(node.0) * 37) % 101);
        let arrivals = [("backwards", backwards), ("shuffled", shuffled)];
        let wanted = if seen.len() == 1 { 0..2 } else { 0..0 };
        for (arrival, nodes) in &arrivals[wanted] {
            let name = format!("{name}-given-{arrival}");
            add(set, &name, comment, nodes, shape);
        }
    }
}

fn add(set: &mut Set, name: &str, comment: &str, nodes: &[Node<'_>], shape: Shape) {
    let case = document(set, name, comment, nodes);
    case.flag("Order");
    if shape.iter().any(|(act, _)| *act == Delete) {
        case.requires(&["DO4", "D11"]).flag("Delete");
    }
}

fn sorted(numbers: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// The walk in places of the shape, which tells whether an assignment leads to another order.
fn walk(nodes: &[Node<'_>]) -> Vec<usize> {
    let place = |hash: Hash| nodes.iter().position(|node| super::id(node.0) == hash);
    let order = graph::handbook_order(&graph_of(nodes), root(nodes));
    order.into_iter().filter_map(place).collect()
}
