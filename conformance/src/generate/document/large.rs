//! Documents so long that what is walked by recursion, or looked through again and again, gives up.

use serde_json::{Map, Value, json};

use super::super::set::Set;
use crate::forge::{Hash, Item, hex, operation};

const PIECE: &str = "blob_piece_v1";

/// The operations of the longest line.
const LINE: u64 = 10_000;

/// Ids that count, so that files can tell a row of them in one.
fn numbered(number: u64) -> Hash {
    let end = (number as u16).to_be_bytes();
    Hash::numbered(200)
        .with_byte(32, end[0])
        .with_byte(33, end[1])
}

pub(super) fn large() -> Set {
    let mut set = Set::new("document.reduce", "large", &["DO7", "D10", "DO2"]);
    set.schema("piece", json!({"id": PIECE, "fields": {"data": "bytes"}}));
    set.using("schema", "piece");
    line(&mut set);
    siblings(&mut set);
    set
}

fn created() -> Value {
    let item = operation::create(PIECE, [("data", Item::bytes(*b"first"))]);
    json!({"id": numbered(1).hex(), "operation": hex(item.encode())})
}

/// An UPDATE of nothing on top of these.
fn moved_on(number: u64, previous: &[u64]) -> Value {
    let previous: Vec<_> = previous.iter().copied().map(numbered).collect();
    let item = operation::update(PIECE, &previous, []);
    json!({"id": numbered(number).hex(), "operation": hex(item.encode())})
}

fn told(order: impl Iterator<Item = u64>, tips: &[u64]) -> Value {
    let ids: Vec<_> = order.map(|number| numbered(number).hex()).collect();
    let tips: Vec<_> = tips.iter().map(|number| numbered(*number).hex()).collect();
    let field = json!({"value": {"bytes": hex("first")}, "set_by": numbered(1).hex()});
    let fields: Map<_, _> = [("data".to_owned(), field)].into_iter().collect();
    json!({"view_id": tips.join("_"), "deleted": false, "order": ids, "fields": fields})
}

fn line(set: &mut Set) {
    let line = |last: u64| {
        let rest = (2..=last).map(|number| moved_on(number, &[number - 1]));
        [created()].into_iter().chain(rest).collect::<Vec<_>>()
    };
    for (name, last) in [("line-of-1200", 1_200), ("line-of-10000", LINE)] {
        let comment = format!("{last} operations, each on top of the one before.");
        let input = json!({"operations": line(last)});
        set.valid(name, &comment, input, told(1..=last, &[last]))
            .flag("Boundary")
            .wire_is_open();
    }
    let mut broken = line(1_200);
    broken[599] = moved_on(600, &[9_999]);
    set.invalid(
        "line-of-1200-cut",
        "The line is cut in the middle.",
        "line-of-1200",
        json!({"operations": broken}),
        "previous_not_found",
    )
    .requires(&["DO3"])
    .flag("Boundary")
    .wire_is_open();
    let mut looped = line(1_200);
    looped[599] = moved_on(600, &[599, 1_200]);
    set.invalid(
        "line-of-1200-looped",
        "An operation in the middle builds on the last one as well.",
        "line-of-1200",
        json!({"operations": looped}),
        "graph_cycle",
    )
    .requires(&["DO2"])
    .flag("Boundary")
    .wire_is_open();
}

fn siblings(set: &mut Set) {
    let last = 400;
    let rest = (2..=last).map(|number| moved_on(number, &[1]));
    let operations: Vec<_> = [created()].into_iter().chain(rest).collect();
    let tips: Vec<_> = (2..=last).collect();
    set.valid(
        "siblings-399",
        "Hundreds of operations on top of one.",
        json!({"operations": operations}),
        told(1..=last, &tips),
    )
    .requires(&["DO8", "DV1"])
    .flag("Boundary")
    .wire_is_open();
}
