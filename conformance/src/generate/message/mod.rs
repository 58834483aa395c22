//! Cases of `message.decode` and `message.encode`: what nodes say to each other.

mod encode;
mod heights;
mod loose;
mod ranges;
mod schemas;
mod shape;
mod tips;

use serde_json::{Value, json};

use super::fixtures::{author, cafe_create, id, log, other_author};
use super::set::Set;
use crate::forge::message::{self, Logs, announce, done, have, int, request, texts};
use crate::forge::{Hash, Item, Key, hex};

pub(super) fn sets() -> Vec<Set> {
    vec![
        shape::shapes(),
        schemas::schemas(),
        heights::heights(),
        loose::loose(),
        tips::decode(),
        ranges::decode(),
        encode::encode(),
        tips::encode(),
        ranges::encode(),
    ]
}

/// The system schemas in the order of messages, which is not that of their names.
const SYSTEM: [&str; 4] = [
    "schema_definition_v1",
    "schema_field_definition_v1",
    "blob_v1",
    "blob_piece_v1",
];

/// When the announcement was captured that the cases are shaped after.
const TIME: u64 = 1_795_219_862;

/// The id of an application schema.
fn application(name: &str, view_id: &[Hash]) -> String {
    let ids: Vec<_> = view_id.iter().map(Hash::hex).collect();
    format!("{name}_{}", ids.join("_"))
}

fn note() -> String {
    application("note", &[id(1)])
}

/// An entry message of the usual entry.
fn entry(session: u64) -> Vec<Item> {
    let (entry, operation) = signed();
    message::entry(session, &entry, &operation)
}

fn signed() -> (Vec<u8>, Vec<u8>) {
    let mut log = log(author(), 0, 1);
    (log.entries.remove(0), log.payloads.remove(0))
}

fn bytes(items: &[Item]) -> String {
    hex(Item::Array(items.to_vec()).encode())
}

/// `items` with another one at `index`.
fn with(mut items: Vec<Item>, index: usize, item: Item) -> String {
    items[index] = item;
    bytes(&items)
}

fn announced(version: u64, timestamp: u64, schemas: &[&str]) -> Value {
    json!({
        "type": "announce",
        "version": version.to_string(),
        "timestamp": timestamp.to_string(),
        "schemas": schemas,
    })
}

fn requested(session: u64, mode: u64, schemas: &[&str]) -> Value {
    json!({
        "type": "sync_request",
        "session": session.to_string(),
        "mode": mode.to_string(),
        "schemas": schemas,
    })
}

fn sent(session: u64) -> Value {
    let (entry, operation) = signed();
    json!({
        "type": "entry",
        "session": session.to_string(),
        "entry": hex(entry),
        "operation": hex(operation),
    })
}

fn finished(session: u64, live: bool) -> Value {
    json!({"type": "sync_done", "session": session.to_string(), "live": live})
}

fn held(session: u64, authors: &[(Key, Logs)]) -> Value {
    let log = |(log_id, seq_num): &(u64, u64)| json!({"log_id": log_id.to_string(), "seq_num": seq_num.to_string()});
    let author = |(key, logs): &(Key, Logs)| {
        let logs: Vec<_> = logs.iter().map(log).collect();
        json!({"public_key": hex(key.public()), "logs": logs})
    };
    let heights: Vec<_> = authors.iter().map(author).collect();
    json!({"type": "have", "session": session.to_string(), "heights": heights})
}

/// Two authors, the one of the lower key first.
fn two_authors() -> [Key; 2] {
    [other_author(), author()]
}

/// grove's own message for an entry whose operation was deleted: the fields, and what they say.
fn skeleton() -> (Vec<Item>, Value) {
    let entry = log(author(), 0, 2).entries.remove(1);
    let document = Hash::of(&log(author(), 0, 1).entries[0]);
    let previous = [document];
    let items = message::skeleton(7, &entry, super::fixtures::CAFE, document, &previous);
    let told = json!({
        "type": "skeleton",
        "session": "7",
        "entry": hex(entry),
        "schema_id": super::fixtures::CAFE,
        "document_id": document.hex(),
        "previous": document.hex(),
    });
    (items, told)
}

/// A CREATE, for messages whose operation is another than the usual.
fn other_operation() -> Vec<u8> {
    cafe_create(9, "Bear")
}
