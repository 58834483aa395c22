//! Messages between nodes: a CBOR array whose first item tells the names of the others.

use super::cbor::{self, Node, What};
use super::{Dissection, Part, entry, rest, whole};

pub(super) fn dissect(bytes: &[u8]) -> Dissection {
    let tree = cbor::read(bytes, 0);
    let What::Array(items) = &tree.what else {
        let mut parts = whole(&bytes[..tree.end], &tree.diagnostic());
        parts.extend(rest(tree.end, bytes));
        return Dissection { parts, value: None };
    };
    let (title, names) = names(items.first());
    let mut parts = vec![Part::new(
        0,
        tree.content,
        format!("{title} of {} items", items.len()),
    )];
    for (index, node) in items.iter().enumerate() {
        let name = index.checked_sub(1).and_then(|index| names.get(index));
        item(
            &mut parts,
            if index == 0 {
                "type"
            } else {
                name.unwrap_or(&"item")
            },
            node,
        );
    }
    let end = parts.last().map_or(0, |part| part.at + part.size);
    if end < tree.end {
        parts.push(Part::new(end, tree.end, "break"));
    }
    parts.extend(rest(tree.end, bytes));
    parts.retain(|part| part.size > 0);
    Dissection { parts, value: None }
}

fn names(first: Option<&Node>) -> (&'static str, &'static [&'static str]) {
    match first.map(|node| &node.what) {
        Some(What::Int(0)) => ("announcement", &["version", "timestamp", "schemas"]),
        Some(What::Int(1)) => ("sync request", &["session", "mode", "schemas"]),
        Some(What::Int(2)) => ("entry message", &["session", "entry", "operation"]),
        Some(What::Int(3)) => ("sync done", &["session", "live"]),
        Some(What::Int(10)) => ("have", &["session", "heights"]),
        Some(What::Int(12)) => (
            "skeleton",
            &["session", "entry", "schema", "document", "previous"],
        ),
        Some(What::Int(13)) => ("tips of branches", &["session", "tips"]),
        Some(What::Int(14)) => ("ranges", &["session", "negentropy"]),
        Some(What::Int(15)) => ("want", &["session", "entries", "last"]),
        Some(What::Int(16)) => ("refusal", &["session", "reason"]),
        _ => ("unknown message", &[]),
    }
}

fn item(parts: &mut Vec<Part>, name: &str, node: &Node) {
    match &node.what {
        // The entry inside is shown as well, where its bytes stand in one piece.
        What::Bytes(bytes) if name == "entry" && node.end - node.content == bytes.len() => {
            parts.push(Part::new(
                node.at,
                node.content,
                format!("{} bytes of an entry", bytes.len()),
            ));
            parts.extend(entry::dissect(bytes).parts.into_iter().map(|part| Part {
                at: part.at + node.content,
                ..part
            }));
        }
        _ => {
            let text = format!("{name} {}", node.diagnostic());
            parts.push(Part::new(node.at, node.end, text));
        }
    }
}
