//! Operations: a CBOR array whose items have names, told by the action.

use serde_json::{Map, Value, json};

use super::cbor::{self, Node, What};
use super::{Dissection, Part, rest, whole};
use crate::forge::hex;

pub(super) fn dissect(bytes: &[u8]) -> Dissection {
    let tree = cbor::read(bytes, 0);
    let What::Array(items) = &tree.what else {
        let mut parts = whole(&bytes[..tree.end], &tree.diagnostic());
        parts.extend(rest(tree.end, bytes));
        return Dissection { parts, value: None };
    };
    let names = names(items);
    let mut parts = vec![Part::new(
        0,
        tree.content,
        format!("operation of {} items", items.len()),
    )];
    for (index, node) in items.iter().enumerate() {
        item(&mut parts, names.get(index).copied(), node);
    }
    close(&mut parts, tree.end);
    parts.extend(rest(tree.end, bytes));
    Dissection {
        parts,
        value: value(items),
    }
}

/// What the items are, as far as the action says.
fn names(items: &[Node]) -> &'static [&'static str] {
    match items.get(1).map(|node| &node.what) {
        Some(What::Int(0)) => &["version", "action", "schema id", "fields"],
        Some(What::Int(2)) => &["version", "action", "schema id", "previous"],
        _ => &["version", "action", "schema id", "previous", "fields"],
    }
}

fn item(parts: &mut Vec<Part>, name: Option<&str>, node: &Node) {
    let before = name.map(|name| format!("{name} ")).unwrap_or_default();
    match (name, &node.what) {
        (Some("action"), What::Int(action @ 0..=2)) => {
            let word = ["CREATE", "UPDATE", "DELETE"][*action as usize];
            let text = format!("action {}: {word}", node.diagnostic());
            parts.push(Part::new(node.at, node.end, text));
        }
        (Some("previous"), What::Array(ids)) => {
            let text = format!("previous: {}", ids.len());
            parts.push(Part::new(node.at, node.content, text));
            for id in ids {
                parts.push(Part::new(id.at, id.end, format!("id {}", id.diagnostic())));
            }
            close(parts, node.end);
        }
        (Some("fields"), What::Map(fields)) => {
            let text = format!("fields: {}", fields.len());
            parts.push(Part::new(node.at, node.content, text));
            for (key, value) in fields {
                parts.push(Part::new(key.at, value.end, cbor::pair(key, value)));
            }
            close(parts, node.end);
        }
        (_, What::Broken(_)) if node.at == node.end => {}
        _ => parts.push(Part::new(
            node.at,
            node.end,
            format!("{before}{}", node.diagnostic()),
        )),
    }
    parts.retain(|part| part.size > 0);
}

/// The break of an indefinite length, which is no item.
fn close(parts: &mut Vec<Part>, end: usize) {
    let at = parts.last().map_or(0, |part| part.at + part.size);
    if at < end {
        parts.push(Part::new(at, end, "break"));
    }
}

/// What the operation says, values without a schema; `None` when it is not of an operation's form.
fn value(items: &[Node]) -> Option<Value> {
    let (action, previous, fields) = match items {
        [_, action, _, last] => match &action.what {
            What::Int(0) => ("create", None, Some(last)),
            What::Int(2) => ("delete", Some(last), None),
            _ => return None,
        },
        [_, _, _, previous, fields] => ("update", Some(previous), Some(fields)),
        _ => return None,
    };
    let What::Text(schema_id) = &items[2].what else {
        return None;
    };
    let previous = match previous {
        Some(node) => Some(ids(node)?),
        None => None,
    };
    let fields = match fields {
        Some(node) => Some(plain_fields(node)?),
        None => None,
    };
    Some(json!({
        "action": action,
        "schema_id": schema_id,
        "previous": previous,
        "fields": fields,
    }))
}

fn ids(node: &Node) -> Option<Vec<String>> {
    let What::Array(items) = &node.what else {
        return None;
    };
    let id = |item: &Node| match &item.what {
        What::Bytes(bytes) => Some(hex(bytes)),
        _ => None,
    };
    items.iter().map(id).collect()
}

fn plain_fields(node: &Node) -> Option<Map<String, Value>> {
    let What::Map(pairs) = &node.what else {
        return None;
    };
    let field = |(key, value): &(Node, Node)| match &key.what {
        What::Text(name) => Some((name.clone(), plain(value)?)),
        _ => None,
    };
    pairs.iter().map(field).collect()
}

fn plain(node: &Node) -> Option<Value> {
    Some(match &node.what {
        What::Bool(value) => json!({"bool": value}),
        What::Int(value) => json!({"int": value.to_string()}),
        What::Float(value) => {
            let canonical = if value.is_nan() { f64::NAN } else { *value };
            json!({"float": format!("{:016x}", canonical.to_bits())})
        }
        What::Text(text) => json!({"str": text}),
        What::Bytes(bytes) => json!({"bytes": hex(bytes)}),
        What::Array(items) => match ids(node) {
            Some(ids) => json!({"ids": ids}),
            None => {
                let lists: Option<Vec<_>> = items.iter().map(ids).collect();
                json!({"id_lists": lists?})
            }
        },
        _ => return None,
    })
}
