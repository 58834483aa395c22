//! As many fields as a schema may have, and one more.

use serde_json::{Map, Value, json};

use super::super::fixtures::id;
use super::super::set::Set;
use super::DEFINITION;
use crate::forge::{Hash, hash};

/// Most fields of a schema.
const FIELDS_MAX: u16 = 1024;

pub(super) fn large() -> Set {
    let mut set = Set::new("schema.build", "large", &["SC3"]);
    for count in [256, FIELDS_MAX] {
        let comment = format!("A schema of {count} fields.");
        let name = format!("fields-{count}");
        set.valid(&name, &comment, question(count), told(count))
            .flag("Boundary")
            .wire_is_open();
    }
    set.invalid(
        "fields-1025",
        "A field too many.",
        "fields-1024",
        question(FIELDS_MAX + 1),
        "schema_field_count",
    )
    .flag("Boundary")
    .wire_is_open();
    set
}

/// Ids and names that count, so that files can tell a row of them in one.
fn numbered(number: u16) -> Hash {
    let [high, low] = number.to_be_bytes();
    Hash::numbered(201).with_byte(32, high).with_byte(33, low)
}

fn name(number: u16) -> String {
    format!("f{number:04x}")
}

fn question(count: u16) -> Value {
    let listed: Vec<_> = (1..=count).map(|n| json!([numbered(n).hex()])).collect();
    let view = |n: u16| json!({"name": {"str": name(n)}, "type": {"str": "str"}});
    let views: Map<_, _> = (1..=count).map(|n| (numbered(n).hex(), view(n))).collect();
    json!({
        "view_id": id(DEFINITION).hex(),
        "definition": {
            "description": {"str": "Many"},
            "fields": {"pinned_relation_list": listed},
            "name": {"str": "many"},
        },
        "fields": views,
    })
}

fn told(count: u16) -> Value {
    let fields: Vec<_> = (1..=count)
        .map(|n| json!({"name": name(n), "type": "str"}))
        .collect();
    let view_id = [id(DEFINITION)];
    json!({
        "id": format!("many_{}", hash::view_id(&view_id)),
        "name": "many",
        "hash_id": format!("many__{}", hash::view_hash(&view_id).hex()),
        "description": "Many",
        "fields": fields,
    })
}
