//! CBOR that is not canonical: refused by grove, and read by deployed nodes as far as that was seen.

use super::{SYSTEM, bytes, done, entry, have, int, request, texts, two_authors, with};
use crate::forge::{Item, hex};
use crate::generate::set::Set;

pub(super) fn loose() -> Set {
    let mut set = Set::new("message.decode", "loose", &["RP2"]);
    sound(&mut set);
    longer_heads(&mut set);
    indefinite(&mut set);
    tagged(&mut set);
    reserved(&mut set);
    set
}

fn asked() -> Vec<Item> {
    request(1, 0, &SYSTEM[..2])
}

fn known() -> Vec<Item> {
    have(1, &[(two_authors()[0].clone(), &[(2, 3)])])
}

/// The siblings of what follows.
fn sound(set: &mut Set) {
    set.valid(
        "plain-done",
        "A message in its one form.",
        bytes(&done(1, true)),
        super::finished(1, true),
    );
    set.valid(
        "plain-entry",
        "An entry in its one form.",
        bytes(&entry(1)),
        super::sent(1),
    );
    set.valid(
        "plain-request",
        "A request in its one form.",
        bytes(&asked()),
        super::requested(1, 0, &SYSTEM[..2]),
    );
    let authors: [(_, &[_]); 1] = [(two_authors()[0].clone(), &[(2, 3)])];
    set.valid(
        "plain-have",
        "Heights in their one form.",
        bytes(&known()),
        super::held(1, &authors),
    );
}

/// Deployed nodes take numbers and lengths of any width.
fn longer_heads(set: &mut Set) {
    let whole = |items: Vec<Item>, width| hex(Item::Array(items).wide(width).encode());
    let (signed, operation) = super::signed();
    let id = |width| {
        Item::Array(vec![
            Item::text(SYSTEM[0]).wide(width),
            Item::text(SYSTEM[1]),
        ])
    };
    let pair = |log: Item, height: Item| Item::Array(vec![Item::Array(vec![log, height])]);
    let logs = |logs: Item| {
        let author = Item::Array(vec![Item::bytes(two_authors()[0].public()), logs]);
        with(known(), 2, Item::Array(vec![author]))
    };
    let cases: [(&str, &str, &str, String); 14] = [
        (
            "count-1",
            "plain-done",
            "The count of items in a byte of its own.",
            whole(done(1, true), 1),
        ),
        (
            "count-8",
            "plain-done",
            "The count of items in eight bytes.",
            whole(done(1, true), 8),
        ),
        (
            "type-1",
            "plain-done",
            "The type in a byte of its own.",
            with(done(1, true), 0, int(3).wide(1)),
        ),
        (
            "type-8",
            "plain-done",
            "The type in eight bytes.",
            with(done(1, true), 0, int(3).wide(8)),
        ),
        (
            "session-1",
            "plain-done",
            "The session in a byte of its own.",
            with(done(1, true), 1, int(1).wide(1)),
        ),
        (
            "session-2",
            "plain-done",
            "The session in two bytes.",
            with(done(1, true), 1, int(1).wide(2)),
        ),
        (
            "session-4",
            "plain-done",
            "The session in four bytes.",
            with(done(1, true), 1, int(1).wide(4)),
        ),
        (
            "session-8",
            "plain-done",
            "The session in eight bytes.",
            with(done(1, true), 1, int(1).wide(8)),
        ),
        (
            "entry-length",
            "plain-entry",
            "The length of the entry in two bytes.",
            with(entry(1), 2, Item::bytes(signed).wide(2)),
        ),
        (
            "operation-length",
            "plain-entry",
            "The length of the operation in four bytes.",
            with(entry(1), 3, Item::bytes(operation).wide(4)),
        ),
        (
            "schema-count",
            "plain-request",
            "The count of schemas in a byte of its own.",
            with(asked(), 3, texts(&SYSTEM[..2]).wide(1)),
        ),
        (
            "schema-length",
            "plain-request",
            "The length of a schema id in two bytes.",
            with(asked(), 3, id(2)),
        ),
        (
            "log",
            "plain-have",
            "A log in a byte of its own.",
            logs(pair(int(2).wide(1), int(3))),
        ),
        (
            "height",
            "plain-have",
            "A height in eight bytes.",
            logs(pair(int(2), int(3).wide(8))),
        ),
    ];
    for (name, near, comment, input) in cases {
        set.invalid(
            &format!("long-{name}"),
            comment,
            near,
            input,
            "cbor_not_minimal",
        )
        .flag("NonMinimal")
        .wire_takes("R2");
    }
}

fn indefinite(set: &mut Set) {
    let open = |items: Vec<Item>| hex(Item::Array(items).indefinite().encode());
    let arrays: [(&str, &str, &str, String); 3] = [
        (
            "done",
            "plain-done",
            "A message without a count.",
            open(done(1, true)),
        ),
        (
            "schemas",
            "plain-request",
            "Schemas without a count.",
            with(asked(), 3, texts(&SYSTEM[..2]).indefinite()),
        ),
        (
            "authors",
            "plain-have",
            "Authors without a count.",
            with(
                known(),
                2,
                match known().remove(2) {
                    Item::Array(authors) => Item::Array(authors).indefinite(),
                    other => other,
                },
            ),
        ),
    ];
    for (name, near, comment, input) in arrays {
        set.invalid(
            &format!("indefinite-{name}"),
            comment,
            near,
            input,
            "cbor_indefinite",
        )
        .flag("Indefinite")
        .wire_takes("R2");
    }
    let (signed, _) = super::signed();
    let text = Item::Array(vec![
        Item::text(SYSTEM[0]).indefinite(),
        Item::text(SYSTEM[1]),
    ]);
    let strings: [(&str, &str, &str, String); 3] = [
        (
            "entry",
            "plain-entry",
            "An entry in pieces.",
            with(entry(1), 2, Item::bytes(signed).indefinite()),
        ),
        (
            "schema",
            "plain-request",
            "A schema id in pieces.",
            with(asked(), 3, text),
        ),
        (
            "surplus",
            "plain-done",
            "No count, and an item too many.",
            open([done(1, true), vec![int(0)]].concat()),
        ),
    ];
    for (name, near, comment, input) in strings {
        set.invalid(
            &format!("indefinite-{name}"),
            comment,
            near,
            input,
            "cbor_indefinite",
        )
        .or(&["message_item_count"])
        .flag("Indefinite")
        .ruled("R2")
        .wire_is_open();
    }
    let mut unended = open(done(1, true));
    unended.truncate(unended.len() - 2);
    set.invalid(
        "indefinite-unended",
        "No count and no end.",
        "plain-done",
        unended,
        "cbor_indefinite",
    )
    .or(&["cbor_truncated"])
    .flag("Indefinite");
}

fn tagged(set: &mut Set) {
    let cases: [(&str, &str, String); 4] = [
        (
            "message",
            "A tag before the message.",
            hex(Item::Array(done(1, true)).tagged(55_799).encode()),
        ),
        (
            "type",
            "A tag before the type.",
            with(done(1, true), 0, int(3).tagged(1)),
        ),
        (
            "session",
            "A tag before the session.",
            with(done(1, true), 1, int(1).tagged(1)),
        ),
        (
            "bignum",
            "A session as a big number.",
            with(done(1, true), 1, Item::bytes([1]).tagged(2)),
        ),
    ];
    for (name, comment, input) in cases {
        set.invalid(
            &format!("tag-{name}"),
            comment,
            "plain-done",
            input,
            "cbor_tag",
        )
        .flag("Tag")
        .ruled("R2")
        .wire_is_open();
    }
}

fn reserved(set: &mut Set) {
    let plain = bytes(&done(1, true));
    let cases: [(&str, &str, String, &str); 4] = [
        (
            "head",
            "A head that means nothing yet.",
            plain.replacen("830301", "83031c", 1),
            "cbor_reserved",
        ),
        (
            "break",
            "An end where nothing began.",
            plain.replacen("f5", "ff", 1),
            "cbor_indefinite",
        ),
        (
            "undefined",
            "A flag that is undefined.",
            plain.replacen("f5", "f7", 1),
            "cbor_simple",
        ),
        (
            "simple",
            "A flag that is a simple value of no meaning.",
            plain.replacen("f5", "e0", 1),
            "cbor_simple",
        ),
    ];
    for (name, comment, input, reason) in cases {
        set.invalid(
            &format!("reserved-{name}"),
            comment,
            "plain-done",
            input,
            reason,
        )
        .or(&["message_malformed", "cbor_reserved", "cbor_simple"]);
    }
    set.invalid(
        "reserved-long-flag",
        "The flag as a simple value of two bytes.",
        "plain-done",
        plain.replacen("f5", "f815", 1),
        "cbor_simple",
    )
    .or(&["cbor_not_minimal", "cbor_reserved", "message_malformed"])
    .ruled("R2")
    .wire_is_open();
}
