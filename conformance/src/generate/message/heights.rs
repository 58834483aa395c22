//! The heights of a `Have`: authors, logs and numbers.

use super::{Logs, bytes, have, held, int, two_authors, with};
use crate::forge::{Item, Key, hex};
use crate::generate::fixtures::author;
use crate::generate::set::Set;
use crate::generate::text::off_the_curve;

pub(super) fn heights() -> Set {
    let mut set = Set::new("message.decode", "heights", &["RP6"]);
    sound(&mut set);
    in_any_order(&mut set);
    keys(&mut set);
    pairs(&mut set);
    numbers(&mut set);
    twice(&mut set);
    set
}

/// The heights of one author.
fn one(logs: Logs) -> Vec<Item> {
    have(4, &[(author(), logs)])
}

fn sound(set: &mut Set) {
    let logs: [(&str, &str, Logs); 5] = [
        ("one-log", "One log of one author.", &[(0, 1)]),
        (
            "gap-in-logs",
            "Logs need not follow each other.",
            &[(0, 3), (5, 1)],
        ),
        (
            "ten-and-nine",
            "Log 10 comes after log 9: numbers, not texts.",
            &[(9, 1), (10, 2), (11, 3)],
        ),
        (
            "greatest",
            "The greatest numbers there are.",
            &[(u64::MAX, u64::MAX)],
        ),
        (
            "beyond-floats",
            "Numbers that a float cannot hold.",
            &[((1 << 53) + 1, (1 << 53) + 1), (1 << 63, (1 << 63) + 1)],
        ),
    ];
    for (name, comment, logs) in logs {
        set.valid(
            &format!("have-{name}"),
            comment,
            bytes(&one(logs)),
            held(4, &[(author(), logs)]),
        );
    }
    set.valid(
        "have-author-without-logs",
        "An author of no logs says nothing, and harms nothing.",
        bytes(&one(&[])),
        held(4, &[(author(), &[])]),
    )
    .ruled("R27")
    .ruled("R27")
    .wire_is_open();
}

/// Deployed nodes send authors in no order at all.
fn in_any_order(set: &mut Set) {
    let [low, high] = two_authors();
    let ascending: [(Key, Logs); 2] = [(low.clone(), &[(0, 1), (1, 2)]), (high.clone(), &[(3, 9)])];
    let descending: [(Key, Logs); 2] = [(high, &[(3, 9)]), (low.clone(), &[(0, 1), (1, 2)])];
    set.valid(
        "have-ascending",
        "Two authors, the lower key first.",
        bytes(&have(4, &ascending)),
        held(4, &ascending),
    );
    set.valid(
        "have-descending",
        "The same, the greater key first.",
        bytes(&have(4, &descending)),
        held(4, &ascending),
    )
    .ruled("R27")
    .flag("Unsorted");
    let logs_descending: [(Key, Logs); 1] = [(low.clone(), &[(10, 1), (2, 2)])];
    let logs_ascending: [(Key, Logs); 1] = [(low, &[(2, 2), (10, 1)])];
    set.valid(
        "have-logs-descending",
        "The logs of an author in no order.",
        bytes(&have(4, &logs_descending)),
        held(4, &logs_ascending),
    )
    .ruled("R27")
    .flag("Unsorted");
}

/// Heights with `key` in place of the author's, and `logs` in place of theirs.
fn raw(key: Item, logs: Item) -> String {
    let author = Item::Array(vec![key, logs]);
    with(one(&[]), 2, Item::Array(vec![author]))
}

fn pair(items: &[u64]) -> Item {
    Item::Array(items.iter().copied().map(int).collect())
}

fn log_list() -> Item {
    Item::Array(vec![pair(&[0, 1])])
}

fn keys(set: &mut Set) {
    let public = author().public();
    let keys: [(&str, &str, Item, &str); 6] = [
        (
            "short",
            "A key of 31 bytes.",
            Item::bytes(&public[..31]),
            "key_length",
        ),
        (
            "long",
            "A key of 33 bytes.",
            Item::bytes([&public[..], &[0]].concat()),
            "key_length",
        ),
        ("empty", "A key of no bytes.", Item::bytes([]), "key_length"),
        (
            "off-the-curve",
            "Bytes that are no point.",
            Item::bytes(off_the_curve()),
            "key_not_on_curve",
        ),
        (
            "as-text",
            "The key as hex, as the handbook has it.",
            Item::text(hex(public)),
            "message_malformed",
        ),
        (
            "as-number",
            "A number for a key.",
            int(1),
            "message_malformed",
        ),
    ];
    for (name, comment, key, reason) in keys {
        set.invalid(
            &format!("have-key-{name}"),
            comment,
            "have-one-log",
            raw(key, log_list()),
            reason,
        )
        .requires(&["RP6", "KY1"])
        .ruled("R27");
    }
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut told = held(4, &[(author(), &[(0, 1)])]);
    told["heights"][0]["public_key"] = hex(identity).into();
    set.valid(
        "have-key-of-small-order",
        "A key anybody can sign for.",
        raw(Item::bytes(identity), log_list()),
        told,
    )
    .spec_is_open()
    .ruled("R12")
    .flag("SmallOrder");
}

fn pairs(set: &mut Set) {
    let key = || Item::bytes(author().public());
    let short = with(one(&[]), 2, Item::Array(vec![Item::Array(vec![key()])]));
    let long = with(
        one(&[]),
        2,
        Item::Array(vec![Item::Array(vec![key(), log_list(), int(1)])]),
    );
    let counts: [(&str, &str, String); 5] = [
        ("author-alone", "A key without its logs.", short),
        ("author-of-three", "A third item beside key and logs.", long),
        (
            "log-alone",
            "A log without its height.",
            raw(key(), Item::Array(vec![pair(&[0])])),
        ),
        (
            "log-of-three",
            "A third number.",
            raw(key(), Item::Array(vec![pair(&[0, 1, 1])])),
        ),
        (
            "log-of-none",
            "An empty pair.",
            raw(key(), Item::Array(vec![pair(&[])])),
        ),
    ];
    for (name, comment, input) in counts {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "message_item_count",
        );
    }
    let flat = with(
        one(&[]),
        2,
        Item::Array(vec![Item::text(hex(author().public())), int(0), int(1)]),
    );
    let no_key = with(one(&[]), 2, Item::Array(vec![log_list()]));
    let types: [(&str, &str, String); 6] = [
        ("flat", "The flat list of the handbook.", flat),
        (
            "logs-number",
            "A height in place of the logs.",
            raw(key(), int(1)),
        ),
        (
            "logs-map",
            "Logs as a map.",
            raw(key(), Item::Map(vec![(int(0), int(1))])),
        ),
        (
            "log-number",
            "A number in place of a pair.",
            raw(key(), Item::Array(vec![int(0), int(1)])),
        ),
        (
            "authors-map",
            "Authors as a map.",
            with(one(&[]), 2, Item::Map(vec![(key(), log_list())])),
        ),
        ("pair-for-key", "Logs without an author.", no_key),
    ];
    for (name, comment, input) in types {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "message_malformed",
        )
        .ruled("R27")
        .or(&["message_item_count"]);
    }
    set.invalid(
        "have-null",
        "No heights.",
        "have-one-log",
        with(one(&[]), 2, Item::raw([0xf6])),
        "cbor_simple",
    )
    .or(&["message_malformed"]);
    // Nobody has the memory for what these promise.
    let endless = Item::raw([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    for (name, comment, input) in [
        (
            "endless-authors",
            "More authors promised than there are atoms.",
            with(one(&[]), 2, endless.clone()),
        ),
        (
            "endless-logs",
            "More logs promised than sent.",
            raw(key(), endless),
        ),
    ] {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "cbor_truncated",
        )
        .flag("Truncated");
    }
}

fn numbers(set: &mut Set) {
    let key = || Item::bytes(author().public());
    let log = |log_id: Item, seq_num: Item| {
        raw(key(), Item::Array(vec![Item::Array(vec![log_id, seq_num])]))
    };
    set.invalid(
        "have-height-0",
        "Sequence numbers start at 1.",
        "have-one-log",
        log(int(0), int(0)),
        "message_malformed",
    )
    .or(&["seq_num_zero"])
    .requires(&["RP3", "RP6"])
    .flag("Boundary");
    let wrong: [(&str, &str, String); 5] = [
        (
            "log-negative",
            "There are no negative logs.",
            log(Item::Int(-1), int(1)),
        ),
        (
            "height-negative",
            "There are no negative heights.",
            log(int(0), Item::Int(-1)),
        ),
        (
            "log-float",
            "A log as a float.",
            log(Item::Float(0.0), int(1)),
        ),
        (
            "height-float",
            "A height as a float.",
            log(int(0), Item::Float(1.0)),
        ),
        (
            "height-text-0",
            "Zero as text is zero.",
            log(int(0), Item::text("0")),
        ),
    ];
    for (name, comment, input) in wrong {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "message_malformed",
        )
        .or(&["seq_num_zero"])
        .requires(&["RP3", "RP6"]);
    }
    for (name, comment, input) in [
        (
            "log-text",
            "A log as decimal text.",
            log(Item::text("0"), int(1)),
        ),
        (
            "height-text",
            "A height as decimal text.",
            log(int(0), Item::text("1")),
        ),
    ] {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "message_malformed",
        )
        .requires(&["RP3", "RP6"])
        .wire_takes("R2");
    }
}

fn twice(set: &mut Set) {
    let twice: [(Key, Logs); 2] = [(author(), &[(0, 1)]), (author(), &[(1, 1)])];
    let cases: [(&str, &str, String); 3] = [
        (
            "author-twice",
            "An author named twice.",
            bytes(&have(4, &twice)),
        ),
        (
            "log-twice",
            "A log named twice.",
            bytes(&one(&[(0, 1), (0, 1)])),
        ),
        (
            "log-at-two-heights",
            "A log of two heights.",
            bytes(&one(&[(0, 1), (0, 2)])),
        ),
    ];
    for (name, comment, input) in cases {
        set.invalid(
            &format!("have-{name}"),
            comment,
            "have-one-log",
            input,
            "message_malformed",
        )
        .flag("Duplicate")
        .ruled("R27")
        .wire_is_open();
    }
}
