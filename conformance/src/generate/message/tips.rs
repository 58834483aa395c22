//! The ends of all branches, which nodes of grove's kind tell each other: in one order, each once.

use serde_json::{Value, json};

use super::{bytes, two_authors, with};
use crate::forge::message::{Tips, int, tips};
use crate::forge::{Hash, Item, Key, hex};
use crate::generate::fixtures::{author, id};
use crate::generate::set::Set;
use crate::generate::text::off_the_curve;
use crate::suite::Case;

/// What implementations may lack that speak no dialect of grove's.
const FEATURE: &str = "tips";

pub(super) fn decode() -> Set {
    let mut set = Set::new("message.decode", "tips", &["FK12", "RP1"]);
    for (name, comment, authors) in sound() {
        asked(set.valid(name, comment, bytes(&tips(4, &authors)), told(&authors)));
    }
    unsorted(&mut set);
    keys_and_hashes(&mut set);
    pairs(&mut set);
    numbers(&mut set);
    set
}

pub(super) fn encode() -> Set {
    let mut set = Set::new("message.encode", "tips", &["FK12", "RP2"]);
    for (name, comment, authors) in sound() {
        let message = json!({"message": bytes(&tips(4, &authors))});
        asked(set.valid(name, comment, told(&authors), message));
    }
    let [low, high] = two_authors();
    let sorted = vec![
        (
            low.clone(),
            vec![
                (9, vec![(2, id(1)), (2, id(2)), (10, id(0))]),
                (10, vec![(1, id(5))]),
            ],
        ),
        (high.clone(), vec![(0, vec![(1, id(6))])]),
    ];
    let given = vec![
        (high, vec![(0, vec![(1, id(6))])]),
        (
            low,
            vec![
                (10, vec![(1, id(5))]),
                (9, vec![(10, id(0)), (2, id(2)), (2, id(1))]),
            ],
        ),
    ];
    let message = json!({"message": bytes(&tips(4, &sorted))});
    asked(set.valid(
        "sorts-tips",
        "Keys ascend, logs and numbers as numbers, tips of one number by their hash.",
        told(&given),
        message,
    ))
    .flag("Unsorted");
    let twice = vec![(
        author(),
        vec![(0, vec![(1, id(1)), (2, id(2)), (1, id(1))])],
    )];
    let once = vec![(author(), vec![(0, vec![(1, id(1)), (2, id(2))])])];
    asked(set.valid(
        "sorts-tips-given-twice",
        "An end given twice is named once.",
        told(&twice),
        json!({"message": bytes(&tips(4, &once))}),
    ))
    .flag("Duplicate");
    let mut second = told(&once);
    second["tips"][0]["logs"][0]["tips"][0]["seq_num"] = "0".into();
    asked(set.invalid(
        "tips-number-0-of-two",
        "Sequence numbers start at 1, of each end.",
        "sorts-tips-given-twice",
        second,
        "seq_num_zero",
    ))
    .or(&["message_malformed", "invalid_number"]);
    let one = vec![(author(), vec![(0, vec![(1, id(1))])])];
    let altered = |path: &str, value: Value| {
        let mut told = told(&one);
        *told.pointer_mut(path).expect("a member of the message") = value;
        told
    };
    let broken = [
        (
            "log-without-tips",
            "A log has an end at least.",
            "/tips/0/logs/0/tips",
            json!([]),
            "message_malformed",
        ),
        (
            "number-0",
            "Sequence numbers start at 1.",
            "/tips/0/logs/0/tips/0/seq_num",
            "0".into(),
            "seq_num_zero",
        ),
        (
            "number-past-the-end",
            "2^64 does not fit.",
            "/tips/0/logs/0/tips/0/seq_num",
            "18446744073709551616".into(),
            "invalid_number",
        ),
        (
            "log-negative",
            "There are no negative logs.",
            "/tips/0/logs/0/log_id",
            "-1".into(),
            "invalid_number",
        ),
        (
            "hash-short",
            "A hash of 33 bytes.",
            "/tips/0/logs/0/tips/0/hash",
            id(1).hex()[..66].into(),
            "hash_length",
        ),
        (
            "hash-uppercase",
            "A hash in uppercase.",
            "/tips/0/logs/0/tips/0/hash",
            id(1).hex().to_uppercase().into(),
            "uppercase_hex",
        ),
        (
            "key-short",
            "A key of 31 bytes.",
            "/tips/0/public_key",
            hex(&author().public()[..31]).into(),
            "key_length",
        ),
        (
            "key-off-the-curve",
            "Bytes that are no point.",
            "/tips/0/public_key",
            hex(off_the_curve()).into(),
            "key_not_on_curve",
        ),
    ];
    for (name, comment, path, value, reason) in broken {
        let case = set.invalid(
            &format!("tips-{name}"),
            comment,
            "tips-one",
            altered(path, value),
            reason,
        );
        asked(case).or(&["message_malformed", "invalid_number"]);
    }
    set
}

/// No deployed software knows the message.
fn asked(case: &mut Case) -> &mut Case {
    case.ruled("R24").wire_is_open().feature(FEATURE)
}

/// Authors with their logs, and the ends of the branches of each.
type Authors = Vec<(Key, Tips)>;

fn told(authors: &Authors) -> Value {
    let tip =
        |(seq_num, hash): &(u64, Hash)| json!({"seq_num": seq_num.to_string(), "hash": hash.hex()});
    let log = |(log_id, tips): &(u64, Vec<(u64, Hash)>)| json!({"log_id": log_id.to_string(), "tips": tips.iter().map(tip).collect::<Vec<_>>()});
    let author = |(key, logs): &(Key, Tips)| json!({"public_key": hex(key.public()), "logs": logs.iter().map(log).collect::<Vec<_>>()});
    let tips: Vec<_> = authors.iter().map(author).collect();
    json!({"type": "tips", "session": "4", "tips": tips})
}

fn sound() -> Vec<(&'static str, &'static str, Authors)> {
    let [low, high] = two_authors();
    let one = |seq_num: u64| vec![(seq_num, id(1))];
    let several = vec![(1, id(3)), (2, id(1)), (2, id(2)), (10, id(0))];
    vec![
        (
            "tips-one",
            "One log of one branch.",
            vec![(author(), vec![(0, one(1))])],
        ),
        ("tips-none", "No logs at all.", vec![]),
        (
            "tips-author-without-logs",
            "An author of no logs says nothing, and harms nothing.",
            vec![(author(), vec![])],
        ),
        (
            "tips-several",
            "The ends of four branches, two of one number.",
            vec![(author(), vec![(0, several)])],
        ),
        (
            "tips-last-byte",
            "Ends that differ in the last byte of their hash.",
            vec![(author(), vec![(0, vec![(7, id(5)), (7, id(6))])])],
        ),
        (
            "tips-of-two",
            "Two authors, the lower key first; log 10 after log 9.",
            vec![
                (low, vec![(9, one(3)), (10, one(2))]),
                (high, vec![(0, one(1))]),
            ],
        ),
        (
            "tips-greatest",
            "The greatest numbers there are.",
            vec![(author(), vec![(u64::MAX, one(u64::MAX))])],
        ),
        (
            "tips-beyond-floats",
            "Numbers that a float cannot hold.",
            vec![(author(), vec![((1 << 53) + 1, one((1 << 63) + 1))])],
        ),
    ]
}

/// Adds a message that is refused.
fn refused<'a>(
    set: &'a mut Set,
    name: &str,
    comment: &str,
    near: &str,
    input: String,
    reason: &str,
) -> &'a mut Case {
    let case = set.invalid(
        &format!("tips-{name}"),
        comment,
        &format!("tips-{near}"),
        input,
        reason,
    );
    asked(case)
}

fn unsorted(set: &mut Set) {
    let [low, high] = two_authors();
    let one = || vec![(1, id(1))];
    let of_log = |tips: Vec<(u64, Hash)>| vec![(author(), vec![(0, tips)])];
    let cases: [(&str, &str, &str, Authors); 9] = [
        (
            "numbers-descending",
            "The higher number first.",
            "several",
            of_log(vec![(2, id(1)), (1, id(3))]),
        ),
        (
            "numbers-as-texts",
            "10 before 2.",
            "several",
            of_log(vec![(10, id(0)), (2, id(1))]),
        ),
        (
            "hashes-descending",
            "Of one number, the greater hash first.",
            "several",
            of_log(vec![(2, id(2)), (2, id(1))]),
        ),
        (
            "hashes-descending-at-the-end",
            "The same, of hashes that differ in the last byte.",
            "last-byte",
            of_log(vec![(7, id(6)), (7, id(5))]),
        ),
        (
            "tip-twice",
            "An end named twice.",
            "one",
            of_log(vec![(1, id(1)), (1, id(1))]),
        ),
        (
            "log-without-tips",
            "A log has an end at least.",
            "one",
            of_log(vec![]),
        ),
        (
            "logs-descending",
            "Log 10 before log 9.",
            "of-two",
            vec![(author(), vec![(10, one()), (9, one())])],
        ),
        (
            "log-twice",
            "A log named twice.",
            "one",
            vec![(author(), vec![(0, one()), (0, one())])],
        ),
        (
            "authors-descending",
            "The greater key first.",
            "of-two",
            vec![(high, vec![(0, one())]), (low.clone(), vec![(0, one())])],
        ),
    ];
    for (name, comment, near, authors) in cases {
        let input = bytes(&tips(4, &authors));
        refused(set, name, comment, near, input, "message_malformed").flag("Unsorted");
    }
    let twice: Authors = vec![(low.clone(), vec![(0, one())]), (low, vec![(1, one())])];
    refused(
        set,
        "author-twice",
        "An author named twice.",
        "of-two",
        bytes(&tips(4, &twice)),
        "message_malformed",
    )
    .flag("Duplicate");
}

/// The message `tips-one` with other items in it.
fn raw(key: Item, log_id: Item, seq_num: Item, hash: Item) -> String {
    let tip = Item::Array(vec![seq_num, hash]);
    let log = Item::Array(vec![log_id, Item::Array(vec![tip])]);
    let author = Item::Array(vec![key, Item::Array(vec![log])]);
    with(tips(4, &[]), 2, Item::Array(vec![author]))
}

fn key() -> Item {
    Item::bytes(author().public())
}

fn keys_and_hashes(set: &mut Set) {
    let public = author().public();
    let keys = [
        (
            "key-short",
            "A key of 31 bytes.",
            Item::bytes(&public[..31]),
            "key_length",
        ),
        (
            "key-off-the-curve",
            "Bytes that are no point.",
            Item::bytes(off_the_curve()),
            "key_not_on_curve",
        ),
        (
            "key-as-text",
            "A key as hex.",
            Item::text(hex(public)),
            "message_malformed",
        ),
    ];
    for (name, comment, key, reason) in keys {
        let input = raw(key, int(0), int(1), Item::id(id(1)));
        refused(set, name, comment, "one", input, reason).requires(&["FK12", "KY1"]);
    }
    let longer = [&id(1).0[..], &[0]].concat();
    let hashes = [
        (
            "hash-short",
            "A hash of 33 bytes.",
            Item::bytes(&id(1).0[..33]),
            "hash_length",
        ),
        (
            "hash-long",
            "A hash of 35 bytes.",
            Item::bytes(longer),
            "hash_length",
        ),
        (
            "hash-of-other-algorithm",
            "A hash of another algorithm.",
            Item::id(id(1).with_byte(0, 1)),
            "hash_algorithm",
        ),
        (
            "hash-of-other-length",
            "A digest length that is not 32.",
            Item::id(id(1).with_byte(1, 0x40)),
            "hash_digest_length",
        ),
        (
            "hash-as-text",
            "A hash as hex.",
            Item::text(id(1).hex()),
            "message_malformed",
        ),
    ];
    for (name, comment, hash, reason) in hashes {
        let input = raw(key(), int(0), int(1), hash);
        refused(set, name, comment, "one", input, reason).requires(&["FK12", "BA2"]);
    }
}

fn pairs(set: &mut Set) {
    let one = || Item::id(id(1));
    let tip = || Item::Array(vec![int(1), one()]);
    let log = |items: Vec<Item>| {
        let author = Item::Array(vec![key(), Item::Array(vec![Item::Array(items)])]);
        with(tips(4, &[]), 2, Item::Array(vec![author]))
    };
    let counts = [
        (
            "tip-alone",
            "A number without its hash.",
            log(vec![int(0), Item::Array(vec![Item::Array(vec![int(1)])])]),
        ),
        (
            "tip-of-three",
            "A third item beside number and hash.",
            log(vec![
                int(0),
                Item::Array(vec![Item::Array(vec![int(1), one(), int(1)])]),
            ]),
        ),
        ("log-alone", "A log without its ends.", log(vec![int(0)])),
        (
            "log-of-three",
            "A third item beside log and ends.",
            log(vec![int(0), Item::Array(vec![tip()]), int(1)]),
        ),
        (
            "three-items",
            "Another item after the ends.",
            bytes(&[tips(4, &[]), vec![int(1)]].concat()),
        ),
        (
            "without-tips",
            "No list of authors.",
            bytes(&tips(4, &[])[..2]),
        ),
    ];
    for (name, comment, input) in counts {
        refused(set, name, comment, "one", input, "message_item_count");
    }
    let types = [
        (
            "flat",
            "A height in place of the ends, as of a `have`.",
            log(vec![int(0), int(1)]),
        ),
        (
            "tip-flat",
            "Number and hash without a pair around them.",
            log(vec![int(0), Item::Array(vec![int(1), one()])]),
        ),
        (
            "map",
            "A map in place of the authors.",
            with(tips(4, &[]), 2, Item::Map(vec![(key(), int(0))])),
        ),
    ];
    for (name, comment, input) in types {
        refused(set, name, comment, "one", input, "message_malformed");
    }
}

fn numbers(set: &mut Set) {
    let with = |log_id: Item, seq_num: Item| raw(key(), log_id, seq_num, Item::id(id(1)));
    let wrong = [
        (
            "number-0",
            "Sequence numbers start at 1.",
            with(int(0), int(0)),
        ),
        (
            "number-negative",
            "There are no negative numbers.",
            with(int(0), Item::Int(-1)),
        ),
        (
            "number-float",
            "A number as a float.",
            with(int(0), Item::Float(1.0)),
        ),
        (
            "log-negative",
            "There are no negative logs.",
            with(Item::Int(-1), int(1)),
        ),
        (
            "log-text",
            "A log as decimal text.",
            with(Item::text("0"), int(1)),
        ),
    ];
    for (name, comment, input) in wrong {
        refused(set, name, comment, "one", input, "message_malformed")
            .or(&["seq_num_zero"])
            .requires(&["RP3", "FK12"]);
    }
}
