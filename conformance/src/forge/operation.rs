//! The three operations as CBOR items, ready to be written or to be damaged first.

use super::{Hash, Item};

pub fn create<'a>(schema_id: &str, fields: impl IntoIterator<Item = (&'a str, Item)>) -> Item {
    Item::Array(vec![
        Item::Int(1),
        Item::Int(0),
        Item::text(schema_id),
        Item::map(fields),
    ])
}

pub fn update<'a>(
    schema_id: &str,
    previous: &[Hash],
    fields: impl IntoIterator<Item = (&'a str, Item)>,
) -> Item {
    Item::Array(vec![
        Item::Int(1),
        Item::Int(1),
        Item::text(schema_id),
        Item::ids(previous),
        Item::map(fields),
    ])
}

pub fn delete(schema_id: &str, previous: &[Hash]) -> Item {
    Item::Array(vec![
        Item::Int(1),
        Item::Int(2),
        Item::text(schema_id),
        Item::ids(previous),
    ])
}
