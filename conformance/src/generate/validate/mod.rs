//! Cases of `operation.validate`: does an operation fit its schema, and what are its typed values?

mod application;
mod blobs;
mod system;

use serde_json::{Value, json};

use super::fixtures::id;
use super::set::Set;
use crate::forge::{Hash, Item, hex, operation};

pub(super) fn sets() -> Vec<Set> {
    vec![
        application::application(),
        system::definitions(),
        blobs::blobs(),
    ]
}

fn result(action: &str, schema_id: &str, fields: Value) -> Value {
    let previous = if action == "create" {
        Value::Null
    } else {
        json!([id(1).hex()])
    };
    json!({"action": action, "schema_id": schema_id, "previous": previous, "fields": fields})
}

fn update(schema_id: &str, name: &str, value: Item) -> String {
    hex(operation::update(schema_id, &[id(1)], [(name, value)]).encode())
}

fn views(lists: &[&[Hash]]) -> Item {
    Item::Array(lists.iter().map(|ids| Item::ids(ids)).collect())
}

fn hexes(ids: &[Hash]) -> Vec<String> {
    ids.iter().map(Hash::hex).collect()
}
