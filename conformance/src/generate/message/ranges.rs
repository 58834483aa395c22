//! What nodes of grove's kind tell each other to find out by which entries they differ: ranges, what is wanted,
//! and why something is not answered.

use serde_json::{Value, json};

use super::{bytes, with};
use crate::forge::message::{int, ranges, refusal, want};
use crate::forge::{Item, hex};
use crate::generate::fixtures::id;
use crate::generate::set::Set;
use crate::suite::Case;

/// What implementations may lack that speak no dialect of grove's.
const FEATURE: &str = "ranges";

/// A range with a fingerprint, and nothing behind it.
const RANGES: [u8; 20] = [
    0x61, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

pub(super) fn decode() -> Set {
    let mut set = Set::new("message.decode", "ranges", &["RP1"]);
    for (name, comment, items, told) in sound() {
        asked(set.valid(name, comment, bytes(&items), told));
    }
    let (ranged, wanted, refused) = (
        ranges(4, &RANGES),
        want(4, &hashes(), true),
        refusal(4, "a_b"),
    );
    let text = || Item::text("61");
    let broken = [
        (
            "ranges-text",
            "Ranges as text.",
            "ranges",
            with(ranged, 2, text()),
            "message_malformed",
        ),
        (
            "want-descending",
            "What is wanted ascends.",
            "want",
            bytes(&want(4, &[id(2), id(1)], true)),
            "message_malformed",
        ),
        (
            "want-twice",
            "What is wanted stands there once.",
            "want",
            bytes(&want(4, &[id(1), id(1)], true)),
            "message_malformed",
        ),
        (
            "want-without-end",
            "Whether more will follow is always said.",
            "want",
            bytes(&wanted[..3]),
            "message_item_count",
        ),
        (
            "want-end-number",
            "Whether more will follow, as a number.",
            "want",
            with(wanted.clone(), 3, int(1)),
            "message_malformed",
        ),
        (
            "want-hash-short",
            "A hash of 33 bytes.",
            "want",
            with(wanted, 2, Item::Array(vec![Item::bytes([0; 33])])),
            "hash_length",
        ),
        (
            "refusal-bytes",
            "A code as bytes.",
            "refusal",
            with(refused.clone(), 2, Item::bytes(*b"a_b")),
            "message_malformed",
        ),
        (
            "refusal-sentence",
            "A sentence is no code.",
            "refusal",
            with(refused.clone(), 2, Item::text("No such session.")),
            "message_malformed",
        ),
        (
            "refusal-long",
            "Codes have 64 letters at most.",
            "refusal",
            with(refused, 2, Item::text("a".repeat(65))),
            "message_malformed",
        ),
    ];
    for (name, comment, base, input, reason) in broken {
        asked(set.invalid(name, comment, base, input, reason)).or(&["message_type"]);
    }
    set
}

pub(super) fn encode() -> Set {
    let mut set = Set::new("message.encode", "ranges", &["RP2"]);
    for (name, comment, items, told) in sound() {
        asked(set.valid(name, comment, told, json!({"message": bytes(&items)})));
    }
    let mut given = wanted(&hashes(), true);
    let entries = given["entries"].as_array_mut().expect("a list");
    entries.reverse();
    asked(set.valid(
        "want-sorts",
        "Whatever the order in which they are given.",
        given,
        json!({"message": bytes(&want(4, &hashes(), true))}),
    ))
    .flag("Unsorted");
    set
}

fn asked(case: &mut Case) -> &mut Case {
    case.ruled("R24").wire_is_open().feature(FEATURE)
}

fn hashes() -> [crate::forge::Hash; 2] {
    let mut hashes = [id(1), id(2)];
    hashes.sort();
    hashes
}

fn wanted(hashes: &[crate::forge::Hash], is_last: bool) -> Value {
    let entries: Vec<_> = hashes.iter().map(crate::forge::Hash::hex).collect();
    json!({"type": "want", "session": "4", "entries": entries, "last": is_last})
}

type Sound = (&'static str, &'static str, Vec<Item>, Value);

fn sound() -> Vec<Sound> {
    let told = |bytes: &[u8]| json!({"type": "ranges", "session": "4", "ranges": hex(bytes)});
    vec![
        (
            "ranges",
            "A message of the negentropy protocol, as bytes.",
            ranges(4, &RANGES),
            told(&RANGES),
        ),
        (
            "ranges-empty",
            "What the bytes say is no matter of the message.",
            ranges(4, &[]),
            told(&[]),
        ),
        (
            "want",
            "Entries that the sender lacks, and no more will be named.",
            want(4, &hashes(), true),
            wanted(&hashes(), true),
        ),
        (
            "want-more",
            "Entries that the sender lacks, and more will be named.",
            want(4, &hashes()[..1], false),
            wanted(&hashes()[..1], false),
        ),
        (
            "want-nothing",
            "The sender lacks nothing.",
            want(4, &[], true),
            wanted(&[], true),
        ),
        (
            "refusal",
            "Why a session does not go on.",
            refusal(4, "session_mode"),
            json!({"type": "refusal", "session": "4", "reason": "session_mode"}),
        ),
        (
            "refusal-of-later-days",
            "Codes that are not known can be read.",
            refusal(4, "moon_phase_2"),
            json!({"type": "refusal", "session": "4", "reason": "moon_phase_2"}),
        ),
    ]
}
