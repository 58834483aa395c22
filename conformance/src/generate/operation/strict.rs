//! One strict form at every place of an operation: heads, tags, lengths, types.
//!
//! A decoder that is strict in one place is often lenient in another, because another piece of code
//! reads it. So each rule is broken at each item in turn.

use serde_json::{Value, json};

use super::super::fixtures::{EVERY, id};
use super::super::set::Set;
use super::{previous, refuse};
use crate::forge::{Item, hex, operation};

/// A place in the operation: its name and the way there, key and value of a map counted one by one.
type BytePath = (&'static str, &'static [usize]);

const ARRAY: BytePath = ("array", &[]);
const VERSION: BytePath = ("version", &[0]);
const ACTION: BytePath = ("action", &[1]);
const SCHEMA_ID: BytePath = ("schema-id", &[2]);
const PREVIOUS: BytePath = ("previous", &[3]);
const FIRST_ID: BytePath = ("first-previous", &[3, 0]);
const LAST_ID: BytePath = ("last-previous", &[3, 1]);
const FIELDS: BytePath = ("fields", &[4]);
const FIRST_NAME: BytePath = ("first-name", &[4, 0]);
const BYTES: BytePath = ("bytes", &[4, 1]);
const TEXT: BytePath = ("text", &[4, 3]);
const LIST: BytePath = ("list", &[4, 5]);
const LIST_ITEM: BytePath = ("list-item", &[4, 5, 1]);
const LAST_NAME: BytePath = ("last-name", &[4, 6]);
const VIEWS: BytePath = ("views", &[4, 7]);
const VIEW: BytePath = ("view", &[4, 7, 0]);
const VIEW_ITEM: BytePath = ("view-item", &[4, 7, 0, 0]);

pub(super) fn strictness() -> Set {
    let mut set = Set::new("operation.decode", "strictness", &["EN1", "OP1"]);
    let result = json!({
        "action": "update",
        "schema_id": EVERY,
        "previous": previous().map(|id| id.hex()),
        "fields": fields_result(),
    });
    set.valid(
        "full",
        "An UPDATE with an item of every kind.",
        hex(full().encode()),
        result,
    );
    wide_heads(&mut set);
    indefinite(&mut set);
    tags(&mut set);
    wrong_types(&mut set);
    cuts(&mut set);
    wrong_counts(&mut set);
    reserved(&mut set);
    set
}

fn full() -> Item {
    let [a, b] = previous();
    let fields = [
        ("b_bytes", Item::bytes([0xde, 0xad])),
        ("e_str", Item::text("panda")),
        ("g_relation_list", Item::ids(&[b, a])),
        (
            "i_pinned_relation_list",
            Item::Array(vec![Item::ids(&[a, b])]),
        ),
    ];
    operation::update(EVERY, &[a, b], fields)
}

fn fields_result() -> Value {
    let [a, b] = previous().map(|id| id.hex());
    json!({
        "b_bytes": {"bytes": "dead"},
        "e_str": {"str": "panda"},
        "g_relation_list": {"ids": [b, a]},
        "i_pinned_relation_list": {"id_lists": [[a, b]]},
    })
}

/// The operation with the item at one place replaced by what `change` makes of it.
fn changed((name, path): BytePath, change: impl Fn(Item) -> Item) -> Item {
    let mut operation = full();
    let mut item = &mut operation;
    for &index in path {
        item = match item {
            Item::Array(items) => &mut items[index],
            Item::Map(entries) => {
                let (key, value) = &mut entries[index / 2];
                if index % 2 == 0 { key } else { value }
            }
            _ => panic!("{name}: nothing inside"),
        };
    }
    *item = change(item.clone());
    operation
}

fn wide_heads(set: &mut Set) {
    let places: [(BytePath, &[u8]); 16] = [
        (ARRAY, &[2, 4]),
        (VERSION, &[2, 4]),
        (ACTION, &[2, 8]),
        (SCHEMA_ID, &[4, 8]),
        (PREVIOUS, &[1, 8]),
        (FIRST_ID, &[2, 8]),
        (LAST_ID, &[2, 4]),
        (FIELDS, &[2, 8]),
        (FIRST_NAME, &[2, 8]),
        (LAST_NAME, &[1, 8]),
        (BYTES, &[1, 8]),
        (TEXT, &[2, 8]),
        (LIST, &[1, 8]),
        (LIST_ITEM, &[2]),
        (VIEWS, &[1]),
        (VIEW, &[1, 8]),
    ];
    for (place, widths) in places {
        for &width in widths {
            let item = changed(place, |item| item.wide(width));
            let name = format!("{}-head-in-{width}", place.0);
            let comment = format!("{}: a head in a longer form than needed.", spoken(place));
            refuse(set, "full", (&name, &comment), item, "cbor_not_minimal")
                .wire_takes("R2")
                .flag("NonMinimal");
        }
    }
}

fn indefinite(set: &mut Set) {
    for place in [
        SCHEMA_ID, PREVIOUS, FIRST_ID, BYTES, LIST_ITEM, VIEWS, VIEW, VIEW_ITEM,
    ] {
        let item = changed(place, Item::indefinite);
        let name = format!("{}-without-length", place.0);
        let comment = format!("{}: no length, but a break at the end.", spoken(place));
        refuse(set, "full", (&name, &comment), item, "cbor_indefinite")
            .or(&["operation_item_type", "list_item_type"])
            .wire_takes("R2")
            .flag("Indefinite");
    }
}

fn tags(set: &mut Set) {
    for (place, taken) in [
        (FIRST_ID, true),
        (LAST_NAME, true),
        (BYTES, false),
        (LIST, false),
        (VIEW, false),
        (VIEW_ITEM, false),
    ] {
        let item = changed(place, |item| item.tagged(99));
        let name = format!("tag-before-{}", place.0);
        let comment = format!("{}: a tag in front.", spoken(place));
        let case = refuse(set, "full", (&name, &comment), item, "cbor_tag").flag("Tag");
        if taken {
            case.wire_takes("R2");
        }
    }
}

/// Items of every major type but the right one.
fn wrong_types(set: &mut Set) {
    let items = [
        ("number", Item::Int(1)),
        ("negative", Item::Int(-1)),
        ("bytes", Item::bytes([1])),
        ("text", Item::text("1")),
        ("list", Item::Array(vec![])),
        ("map", Item::Map(vec![])),
        ("true", Item::Bool(true)),
        ("float", Item::Float(1.5)),
        ("null", Item::raw([0xf6])),
    ];
    let places: [(BytePath, &[&str], &str); 7] = [
        (VERSION, &["bytes", "list", "map", "true", "null"], "OP2"),
        (
            ACTION,
            &["negative", "bytes", "list", "map", "true", "float", "null"],
            "OP3",
        ),
        (
            SCHEMA_ID,
            &["number", "list", "map", "true", "float"],
            "OP4",
        ),
        (PREVIOUS, &["number", "map", "true", "float"], "OP5"),
        (
            LAST_ID,
            &["number", "text", "map", "true", "float", "null"],
            "OP5",
        ),
        (FIELDS, &["number", "bytes", "text", "true", "float"], "OP6"),
        (
            LAST_NAME,
            &["bytes", "list", "map", "true", "float", "null"],
            "OP7",
        ),
    ];
    for (place, wrong, requirement) in places {
        for (kind, item) in items.iter().filter(|(kind, _)| wrong.contains(kind)) {
            let reason = match *kind {
                "null" => "cbor_simple",
                _ if place.0 == LAST_ID.0 => "list_item_type",
                _ => "operation_item_type",
            };
            let operation = changed(place, |_| item.clone());
            let name = format!("{}-given-{kind}", place.0);
            let comment = format!("{}: an item of another type.", spoken(place));
            let case = refuse(set, "full", (&name, &comment), operation, reason);
            case.requires(&["OP1", requirement])
                .or(&["operation_item_type"]);
            if (place.0, *kind) == ("action", "negative") {
                case.or(&["operation_action"]);
            }
            if place.0 == LAST_ID.0 {
                case.or(&["list_item_type", "hash_length"]);
            }
        }
    }
}

/// The end after each item and inside of it.
fn cuts(set: &mut Set) {
    let bytes = full().encode();
    // Head, version, action, then the schema id with a head of two bytes.
    let ids = 5 + EVERY.len();
    for (name, len) in [
        ("before-version", 1),
        ("before-schema-id", 3),
        ("in-schema-id-head", 4),
        ("before-previous", ids),
        ("in-previous", ids + 1 + 36 + 20),
        ("before-fields", ids + 1 + 72),
        ("in-first-name", ids + 1 + 72 + 4),
        ("before-first-value", ids + 1 + 72 + 1 + 8),
        ("in-list", bytes.len() - 100),
    ] {
        let comment = format!("Cut {}.", name.replace('-', " "));
        let input = hex(&bytes[..len]);
        set.invalid(
            &format!("cut-{name}"),
            &comment,
            "full",
            input,
            "cbor_truncated",
        )
        .flag("Truncated");
    }
}

/// Heads that count one more or one less than there is.
fn wrong_counts(set: &mut Set) {
    let bytes = full().encode();
    let fields = 5 + EVERY.len() + 1 + 72;
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        hex(bytes)
    };
    for (name, comment, input, reason, also) in [
        (
            "array-counts-one-more",
            "The array announces an item that is not there.",
            with(0, 0x86),
            "operation_item_count",
            &["cbor_truncated"][..],
        ),
        (
            "array-counts-one-less",
            "The array ends before the fields.",
            with(0, 0x84),
            "operation_item_count",
            &["operation_item_type", "cbor_trailing_bytes"],
        ),
        (
            "previous-counts-one-more",
            "The fields are taken for a third id.",
            with(5 + EVERY.len(), 0x83),
            "list_item_type",
            &["operation_item_type", "cbor_truncated"],
        ),
        (
            "previous-counts-one-less",
            "The second id is taken for the fields.",
            with(5 + EVERY.len(), 0x81),
            "operation_item_type",
            &["cbor_trailing_bytes"],
        ),
        (
            "fields-count-one-more",
            "The map announces a field that is not there.",
            with(fields, 0xa5),
            "cbor_truncated",
            &[],
        ),
    ] {
        set.invalid(name, comment, "full", input, reason).or(also);
    }
    counted_one_less(set, &with(fields, 0xa3));
}

/// The map of fields ends a field too early, which deployed software takes.
fn counted_one_less(set: &mut Set, bytes: &str) {
    let mut fewer = fields_result();
    let fewer = fewer.as_object_mut().expect("made as one");
    fewer.shift_remove("i_pinned_relation_list");
    let read = json!({
        "action": "update",
        "schema_id": EVERY,
        "previous": previous().map(|id| id.hex()),
        "fields": fewer,
    });
    set.invalid(
        "fields-count-one-less",
        "The map ends before the last field, which is left over.",
        "full",
        bytes,
        "cbor_trailing_bytes",
    )
    .wire_reads("R2", read)
    .flag("Trailing");
}

/// Heads that CBOR keeps for later, and those that make no sense.
fn reserved(set: &mut Set) {
    for head in [0x1d, 0x1e, 0x3c, 0x5c, 0x7d, 0x9e, 0xbc, 0xdc, 0xfc, 0xfe] {
        let item = changed(BYTES, |_| Item::raw([head]));
        refuse(
            set,
            "full",
            (
                &format!("reserved-head-{head:02x}"),
                "A head whose length nobody has given a meaning.",
            ),
            item,
            "cbor_reserved",
        )
        .or(&["cbor_tag", "cbor_simple", "cbor_truncated"]);
    }
    endless(set);
    for (name, bytes) in [
        ("simple-16", vec![0xf0]),
        ("simple-32", vec![0xf8, 32]),
        ("simple-255", vec![0xf8, 255]),
    ] {
        let item = changed(BYTES, |_| Item::raw(bytes.clone()));
        refuse(
            set,
            "full",
            (name, "A simple value nobody has given a meaning."),
            item,
            "cbor_simple",
        );
    }
    wide_false(set);
}

/// A number or tag without a length.
fn endless(set: &mut Set) {
    for head in [0x1f, 0x3f, 0xdf] {
        let item = changed(BYTES, |_| Item::raw([head]));
        refuse(
            set,
            "full",
            (
                &format!("endless-head-{head:02x}"),
                "A number or tag cannot be without a length.",
            ),
            item,
            "cbor_reserved",
        )
        .or(&["cbor_indefinite", "cbor_tag", "cbor_truncated"]);
    }
}

fn wide_false(set: &mut Set) {
    let one = |value: Item| operation::update(EVERY, &[id(1)], [("a_bool", value)]);
    let result = super::update_result("a_bool", json!({"bool": false}));
    set.valid(
        "false",
        "The value false.",
        hex(one(Item::Bool(false)).encode()),
        result,
    );
    refuse(
        set,
        "false",
        (
            "false-in-two-bytes",
            "False as a simple value of two bytes.",
        ),
        one(Item::raw([0xf8, 0x14])),
        "cbor_simple",
    )
    .or(&["cbor_not_minimal"])
    .wire_takes("R2")
    .flag("NonMinimal");
}

/// The name of a place at the beginning of a sentence.
fn spoken((name, _): BytePath) -> String {
    let name = name.replace('-', " ");
    name[..1].to_uppercase() + &name[1..]
}
