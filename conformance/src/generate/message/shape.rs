//! The shape of messages: types, counts, and the items of each but for heights.

use serde_json::Value;

use super::{
    SYSTEM, TIME, announce, announced, bytes, done, entry, finished, have, held, int, note,
    request, requested, sent, signed, skeleton, texts, two_authors, with,
};
use crate::forge::{Item, hex};
use crate::generate::set::Set;
use crate::suite::Importance;

pub(super) fn shapes() -> Set {
    let mut set = Set::new("message.decode", "shape", &["RP1"]);
    sound(&mut set);
    numbers(&mut set);
    types(&mut set);
    counts(&mut set);
    items(&mut set);
    ends(&mut set);
    set
}

fn null() -> Item {
    Item::raw([0xf6])
}

fn sound(set: &mut Set) {
    let note = note();
    let all = [&SYSTEM[..], &[note.as_str()]].concat();
    let known: [(&str, &str, Vec<Item>, Value); 9] = [
        (
            "announce",
            "All system schemas and one more.",
            announce(1, TIME, &all),
            announced(1, TIME, &all),
        ),
        (
            "announce-nothing",
            "An announcement may be empty.",
            announce(1, TIME, &[]),
            announced(1, TIME, &[]),
        ),
        (
            "announce-version-2",
            "What to do about another version is the session's question.",
            announce(2, TIME, &SYSTEM),
            announced(2, TIME, &SYSTEM),
        ),
        (
            "request",
            "A request for two schemas.",
            request(0, 0, &["blob_v1", &note]),
            requested(0, 0, &["blob_v1", &note]),
        ),
        (
            "request-mode-1",
            "What to do about another mode is the session's question.",
            request(0, 1, &["blob_v1"]),
            requested(0, 1, &["blob_v1"]),
        ),
        (
            "request-mode-9",
            "A mode nobody knows.",
            request(0, 9, &["blob_v1"]),
            requested(0, 9, &["blob_v1"]),
        ),
        ("entry", "An entry with its operation.", entry(0), sent(0)),
        (
            "done",
            "Nothing more will be sent.",
            done(0, false),
            finished(0, false),
        ),
        (
            "done-live",
            "The flag of live mode.",
            done(0, true),
            finished(0, true),
        ),
    ];
    for (name, comment, items, told) in known {
        set.valid(name, comment, bytes(&items), told);
    }
    let [first, second] = two_authors();
    let authors: [(_, &[_]); 2] = [(first, &[(0, 1)]), (second, &[(0, 3), (1, 1)])];
    set.valid(
        "have",
        "The heights of two authors.",
        bytes(&have(0, &authors)),
        held(0, &authors),
    )
    .ruled("R27");
    set.valid(
        "request-one",
        "One schema is enough.",
        bytes(&request(0, 0, &["blob_v1"])),
        requested(0, 0, &["blob_v1"]),
    )
    .requires(&["RP5"]);
    set.valid(
        "have-nothing",
        "No logs at all.",
        bytes(&have(0, &[])),
        held(0, &[]),
    );

    let mut empty = sent(0);
    empty["operation"] = "".into();
    set.valid(
        "entry-empty-operation",
        "An operation of no bytes is one that is there.",
        with(entry(0), 3, Item::bytes([])),
        empty,
    );
    let mut strange = sent(0);
    strange["entry"] = "00".into();
    set.valid(
        "entry-of-one-byte",
        "What the bytes are is judged later.",
        with(entry(0), 2, Item::bytes([0])),
        strange,
    );
    let mut bare = sent(0);
    bare["operation"] = Value::Null;
    set.valid(
        "entry-without-operation",
        "Three items can be read; deployed nodes die of it.",
        bytes(&entry(0)[..3]),
        bare,
    )
    .requires(&["RP1", "RP7"])
    .kills();
    let (items, told) = skeleton();
    set.valid(
        "skeleton",
        "grove's own message for an entry whose operation was deleted.",
        bytes(&items),
        told.clone(),
    )
    .requires(&["DL6"])
    .wire_refuses("R31", "message_type")
    .feature("skeleton");
    set.invalid(
        "skeleton-without-previous",
        "What the operation was made on top of is always named, be it nothing.",
        "skeleton",
        bytes(&items[..5]),
        "message_item_count",
    )
    .requires(&["DL6"])
    .or(&["message_type"])
    .feature("skeleton");
    let mut first = told;
    first["previous"] = Value::Null;
    set.valid(
        "skeleton-of-create",
        "A CREATE was made on top of nothing.",
        with(items.clone(), 5, Item::Array(Vec::new())),
        first,
    )
    .requires(&["DL6"])
    .wire_refuses("R31", "message_type")
    .feature("skeleton");
    set.invalid(
        "skeleton-without-document",
        "It names the document.",
        "skeleton",
        bytes(&items[..4]),
        "message_item_count",
    )
    .requires(&["DL6"])
    .or(&["message_type"])
    .feature("skeleton");
    let short = items[4].encode()[..33].to_vec();
    let twice = Item::Array(vec![items[4].clone(), items[4].clone()]);
    let odd = [
        (
            "schema-malformed",
            "No schema id at all.",
            3,
            Item::text("note"),
            "schema_id_malformed",
        ),
        (
            "schema-bytes",
            "A schema id as bytes.",
            3,
            Item::bytes(*b"blob_v1"),
            "message_malformed",
        ),
        (
            "document-short",
            "A document id of 33 bytes.",
            4,
            Item::bytes(short),
            "hash_length",
        ),
        (
            "document-text",
            "A document id as text.",
            4,
            Item::text("0020"),
            "message_malformed",
        ),
        (
            "previous-twice",
            "An operation that it was made on top of stands there twice.",
            5,
            twice,
            "message_malformed",
        ),
        (
            "previous-bytes",
            "The one operation that it was made on top of, in no list.",
            5,
            items[4].clone(),
            "message_malformed",
        ),
        (
            "entry-text",
            "An entry as text.",
            2,
            Item::text("00"),
            "message_malformed",
        ),
    ];
    for (name, comment, index, item, reason) in odd {
        set.invalid(
            &format!("skeleton-{name}"),
            comment,
            "skeleton",
            with(items.clone(), index, item),
            reason,
        )
        .requires(&["DL6"])
        .or(&["message_type"])
        .feature("skeleton");
    }
}

/// Every width a number can have, at both of its ends.
fn numbers(set: &mut Set) {
    let edges = [
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        (1 << 32) - 1,
        1 << 32,
        (1 << 53) + 1,
        1 << 63,
        u64::MAX,
    ];
    for session in edges {
        let comment = format!("Session {session}.");
        set.valid(
            &format!("session-{session}"),
            &comment,
            bytes(&done(session, false)),
            finished(session, false),
        )
        .requires(&["RP3"])
        .flag("Boundary");
    }
    for time in [0, u64::MAX] {
        let comment = format!("An announcement of second {time}.");
        set.valid(
            &format!("time-{time}"),
            &comment,
            bytes(&announce(1, time, &[])),
            announced(1, time, &[]),
        )
        .requires(&["RP3"])
        .flag("Boundary");
    }
    let wrong: [(&str, &str, &str, String); 8] = [
        (
            "session-negative",
            "done",
            "There are no negative sessions.",
            with(done(0, false), 1, Item::Int(-1)),
        ),
        (
            "session-text",
            "done",
            "A session as text.",
            with(done(0, false), 1, Item::text("0")),
        ),
        (
            "session-float",
            "done",
            "A session as a float.",
            with(done(0, false), 1, Item::Float(0.0)),
        ),
        (
            "session-bytes",
            "done",
            "A session as bytes.",
            with(done(0, false), 1, Item::bytes([0])),
        ),
        (
            "time-negative",
            "announce-nothing",
            "A second before all seconds.",
            with(announce(1, TIME, &[]), 2, Item::Int(-1)),
        ),
        (
            "time-float",
            "announce-nothing",
            "Half a second.",
            with(announce(1, TIME, &[]), 2, Item::Float(0.5)),
        ),
        (
            "version-text",
            "announce-nothing",
            "A version as text.",
            with(announce(1, TIME, &[]), 1, Item::text("1")),
        ),
        (
            "mode-bool",
            "request-one",
            "A mode as a boolean.",
            with(request(0, 0, &["blob_v1"]), 2, Item::Bool(false)),
        ),
    ];
    for (name, near, comment, input) in wrong {
        set.invalid(name, comment, near, input, "message_malformed")
            .requires(&["RP3", "RP1"]);
    }
}

fn types(set: &mut Set) {
    for kind in [4, 5, 9, 11, 17, 20, 26, 255, 1 << 32] {
        let comment = format!("There is no message of type {kind}.");
        set.invalid(
            &format!("type-{kind}"),
            &comment,
            "done",
            with(done(0, false), 0, int(kind)),
            "message_type",
        )
        .importance(Importance::Medium);
    }
    let wrong: [(&str, &str, Item); 5] = [
        ("negative", "A negative type.", Item::Int(-4)),
        ("text", "A type as text.", Item::text("3")),
        ("float", "A type as a float.", Item::Float(3.0)),
        ("bool", "A type as a boolean.", Item::Bool(true)),
        ("array", "A type as an array.", Item::Array(vec![int(3)])),
    ];
    for (name, comment, kind) in wrong {
        set.invalid(
            &format!("type-{name}"),
            comment,
            "done",
            with(done(0, false), 0, kind),
            "message_malformed",
        )
        .or(&["message_type"]);
    }
    let no_array: [(&str, &str, Item); 5] = [
        (
            "map",
            "A map of the same items.",
            Item::Map(vec![(int(3), int(0))]),
        ),
        ("number", "A number alone.", int(3)),
        ("text", "A text alone.", Item::text("done")),
        (
            "bytes",
            "A byte string around the message.",
            Item::bytes(Item::Array(done(0, false)).encode()),
        ),
        (
            "nested",
            "The message in an array of its own.",
            Item::Array(vec![Item::Array(done(0, false))]),
        ),
    ];
    for (name, comment, item) in no_array {
        set.invalid(
            &format!("no-array-{name}"),
            comment,
            "done",
            hex(item.encode()),
            "message_malformed",
        );
    }
    set.invalid(
        "deep",
        "Three hundred arrays in each other.",
        "done",
        "81".repeat(300),
        "message_malformed",
    )
    .or(&["cbor_truncated"]);
}

fn counts(set: &mut Set) {
    let whole: [(&str, Vec<Item>); 5] = [
        ("announce-nothing", announce(1, TIME, &[])),
        ("request-one", request(0, 0, &["blob_v1"])),
        ("entry", entry(0)),
        ("done", done(0, false)),
        ("have-nothing", have(0, &[])),
    ];
    for (near, items) in whole {
        // An entry may lack its operation; it then still is one.
        let short = items.len() - if near == "entry" { 2 } else { 1 };
        set.invalid(
            &format!("{near}-too-short"),
            "An item is missing.",
            near,
            bytes(&items[..short]),
            "message_item_count",
        );
        let mut long = items;
        long.push(int(0));
        set.invalid(
            &format!("{near}-too-long"),
            "An item too many.",
            near,
            bytes(&long),
            "message_item_count",
        );
    }
    set.invalid(
        "request-nothing",
        "A request names at least one schema.",
        "request",
        bytes(&request(0, 0, &[])),
        "message_set",
    )
    .requires(&["RP5"]);
    set.invalid(
        "no-item",
        "An array of nothing has no type.",
        "done",
        "80",
        "message_item_count",
    )
    .or(&["cbor_truncated"]);
    set.invalid(
        "only-the-type",
        "A type and nothing else.",
        "done",
        "8103",
        "message_item_count",
    );
}

fn items(set: &mut Set) {
    let (signed, operation) = signed();
    let small = Item::Array(operation.iter().map(|byte| int((*byte).into())).collect());
    let one = request(0, 0, &["blob_v1"]);
    let wrong: [(&str, &str, &str, String); 8] = [
        (
            "entry-as-text",
            "entry",
            "The entry as hex text.",
            with(entry(0), 2, Item::text(hex(signed))),
        ),
        (
            "operation-as-text",
            "entry",
            "The operation as hex text.",
            with(entry(0), 3, Item::text(hex(&operation))),
        ),
        (
            "operation-unwrapped",
            "entry",
            "The operation itself in place of its bytes.",
            with(entry(0), 3, Item::raw(operation)),
        ),
        (
            "live-number",
            "done",
            "The flag as a number.",
            with(done(0, false), 2, int(0)),
        ),
        (
            "live-text",
            "done",
            "The flag as text.",
            with(done(0, false), 2, Item::text("false")),
        ),
        (
            "schemas-text",
            "request-one",
            "One schema without a list around it.",
            with(one.clone(), 3, Item::text("blob_v1")),
        ),
        (
            "schema-bytes",
            "request-one",
            "A schema id as bytes.",
            with(one.clone(), 3, Item::Array(vec![Item::bytes(*b"blob_v1")])),
        ),
        (
            "schema-list",
            "request-one",
            "A schema id in a list of its own.",
            with(one, 3, Item::Array(vec![texts(&["blob_v1"])])),
        ),
    ];
    for (name, near, comment, input) in wrong {
        set.invalid(name, comment, near, input, "message_malformed");
    }
    set.invalid(
        "operation-as-numbers",
        "The operation as a list of its bytes.",
        "entry",
        with(entry(0), 3, small),
        "message_malformed",
    )
    .ruled("R2")
    .wire_is_open();
    let nulls: [(&str, &str, &str, String); 5] = [
        (
            "entry-null",
            "entry",
            "No entry.",
            with(entry(0), 2, null()),
        ),
        (
            "operation-null",
            "entry",
            "What deployed nodes write for an operation they lost, and cannot read.",
            with(entry(0), 3, null()),
        ),
        (
            "live-null",
            "done",
            "No flag.",
            with(done(0, false), 2, null()),
        ),
        (
            "session-null",
            "done",
            "No session.",
            with(done(0, false), 1, null()),
        ),
        (
            "schemas-null",
            "announce-nothing",
            "No list.",
            with(announce(1, TIME, &[]), 3, null()),
        ),
    ];
    for (name, near, comment, input) in nulls {
        set.invalid(name, comment, near, input, "cbor_simple")
            .or(&["message_malformed"]);
    }
}

/// Where a message ends, and that it does.
fn ends(set: &mut Set) {
    let whole = bytes(&entry(0));
    let middle = whole.len() / 4 * 2;
    let cuts: [(&str, &str, &str); 5] = [
        ("nothing", "No byte at all.", ""),
        ("head-only", "The head of the array.", &whole[..2]),
        ("after-session", "The entry does not begin.", &whole[..6]),
        ("inside-entry", "The entry breaks off.", &whole[..middle]),
        (
            "last-byte",
            "The last byte is missing.",
            &whole[..whole.len() - 2],
        ),
    ];
    for (name, comment, input) in cuts {
        set.invalid(
            &format!("cut-{name}"),
            comment,
            "entry",
            input,
            "cbor_truncated",
        )
        .requires(&["RP2"])
        .flag("Truncated");
    }
    let done = bytes(&done(0, false));
    for (name, comment, after) in [
        ("byte", "A byte after the message.", "00"),
        ("break", "A break after the message.", "ff"),
        (
            "message",
            "A second message; on a stream it would be the next.",
            done.as_str(),
        ),
    ] {
        set.invalid(
            &format!("then-{name}"),
            comment,
            "done",
            format!("{done}{after}"),
            "cbor_trailing_bytes",
        )
        .requires(&["RP2"])
        .flag("Trailing");
    }
}
