//! Cases of `operation.decode` and `operation.encode`, which know no schema.

mod edges;
mod encode;
mod loose;
mod scalars;
mod shape;
mod strict;
mod values;

use serde_json::{Value, json};

use super::fixtures::{CAFE, EVERY, id};
use super::set::Set;
use crate::forge::{Hash, Item, hex, operation};
use crate::suite::Case;

pub(super) fn sets() -> Vec<Set> {
    let mut sets = vec![
        shape::shapes(),
        strict::strictness(),
        values::values(),
        scalars::scalars(),
        encode::encode(),
    ];
    sets.extend(edges::edges());
    sets
}

fn previous() -> [Hash; 2] {
    [id(1), id(2)]
}

/// An UPDATE that sets one field of the schema with all types.
fn update(name: &str, value: Item) -> Item {
    operation::update(EVERY, &[id(1)], [(name, value)])
}

fn update_result(name: &str, value: Value) -> Value {
    json!({
        "action": "update",
        "schema_id": EVERY,
        "previous": [id(1).hex()],
        "fields": {name: value},
    })
}

fn cafe_fields() -> [(&'static str, Item); 2] {
    [
        ("opening_hour", Item::Int(8)),
        ("title", Item::text("Panda")),
    ]
}

fn create_result() -> Value {
    json!({
        "action": "create",
        "schema_id": CAFE,
        "previous": null,
        "fields": {"opening_hour": {"int": "8"}, "title": {"str": "Panda"}},
    })
}

/// The items of an operation, to be replaced one by one.
fn items(operation: Item) -> Vec<Item> {
    match operation {
        Item::Array(items) => items,
        _ => unreachable!("operations are arrays"),
    }
}

fn replaced(operation: Item, index: usize, item: Item) -> Item {
    let mut items = items(operation);
    items[index] = item;
    Item::Array(items)
}

fn refuse<'a>(
    set: &'a mut Set,
    near: &str,
    (name, comment): (&str, &str),
    item: Item,
    reason: &str,
) -> &'a mut Case {
    set.invalid(name, comment, near, hex(item.encode()), reason)
}
