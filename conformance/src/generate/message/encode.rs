//! Cases of `message.encode`: the one form of each message.

use serde_json::{Value, json};

use super::{
    SYSTEM, TIME, announce, announced, application, bytes, done, entry, finished, have, held, note,
    other_operation, request, requested, sent, skeleton, two_authors, with,
};
use crate::forge::{Item, hex};
use crate::generate::fixtures::{author, id};
use crate::generate::set::Set;
use crate::generate::text::off_the_curve;

pub(super) fn encode() -> Set {
    let mut set = Set::new("message.encode", "canonical", &["RP1", "RP2"]);
    sound(&mut set);
    sorted(&mut set);
    refused(&mut set);
    set
}

fn message(items: &[Item]) -> Value {
    json!({"message": bytes(items)})
}

fn sound(set: &mut Set) {
    let note = note();
    let all = [&SYSTEM[..], &[note.as_str()]].concat();
    let [first, second] = two_authors();
    let authors: [(_, &[_]); 2] = [
        (first, &[(0, 1), (300, 70_000)]),
        (second, &[(u64::MAX, u64::MAX)]),
    ];
    let cases: [(&str, &str, Value, Vec<Item>); 9] = [
        (
            "announce",
            "All system schemas and one more.",
            announced(1, TIME, &all),
            announce(1, TIME, &all),
        ),
        (
            "announce-nothing",
            "An announcement may be empty.",
            announced(1, 0, &[]),
            announce(1, 0, &[]),
        ),
        (
            "request",
            "A request for two schemas.",
            requested(0, 0, &["blob_v1", &note]),
            request(0, 0, &["blob_v1", &note]),
        ),
        ("entry", "An entry with its operation.", sent(24), entry(24)),
        (
            "done",
            "Nothing more will be sent.",
            finished(0, false),
            done(0, false),
        ),
        (
            "done-live",
            "The flag of live mode.",
            finished(256, true),
            done(256, true),
        ),
        (
            "session-greatest",
            "The greatest session there is.",
            finished(u64::MAX, false),
            done(u64::MAX, false),
        ),
        (
            "have",
            "Heights of every width.",
            held(65_536, &authors),
            have(65_536, &authors),
        ),
        (
            "have-nothing",
            "No logs at all.",
            held(0, &[]),
            have(0, &[]),
        ),
    ];
    for (name, comment, told, items) in cases {
        set.valid(name, comment, told, message(&items));
    }
    let (items, told) = skeleton();
    set.valid(
        "skeleton",
        "grove's own message for an entry whose operation was deleted.",
        told,
        message(&items),
    )
    .requires(&["DL6"])
    .ruled("R31")
    .wire_is_open()
    .feature("skeleton");
    let (_, told) = skeleton();
    for (name, comment, id, reason) in [
        (
            "malformed",
            "No schema id at all.",
            "note",
            "schema_id_malformed",
        ),
        (
            "unknown",
            "A system schema of later days.",
            "key_group_v1",
            "schema_id_unknown_system",
        ),
    ] {
        let mut odd = told.clone();
        odd["schema_id"] = id.into();
        set.invalid(
            &format!("skeleton-schema-{name}"),
            comment,
            "skeleton",
            odd,
            reason,
        )
        .requires(&["DL6", "SC9"])
        .ruled("R31")
        .wire_is_open()
        .feature("skeleton");
    }
    let mut other = sent(0);
    other["operation"] = hex(other_operation()).into();
    set.valid(
        "entry-other-operation",
        "Whether the two belong together is judged elsewhere.",
        other,
        message_with(3, other_operation()),
    );
}

fn message_with(index: usize, operation: Vec<u8>) -> Value {
    json!({"message": with(entry(0), index, Item::bytes(operation))})
}

/// Producers sort, whatever order they are given.
fn sorted(set: &mut Set) {
    let (note, later) = (note(), application("note", &[id(2)]));
    let short = application("ab", &[id(1)]);
    let longer = application("ab0", &[id(1)]);
    let cases: [(&str, &str, Vec<&str>, Vec<&str>); 4] = [
        (
            "system",
            "The fixed order of the system schemas.",
            vec![SYSTEM[3], SYSTEM[2], SYSTEM[1], SYSTEM[0]],
            SYSTEM.to_vec(),
        ),
        (
            "application",
            "System schemas before others.",
            vec![&later, "blob_v1", &note],
            vec!["blob_v1", &note, &later],
        ),
        (
            "by-name",
            "The shorter name first, although _ is greater than 0.",
            vec![&longer, &short],
            vec![&short, &longer],
        ),
        (
            "twice",
            "A schema given twice is named once.",
            vec!["blob_v1", &note, "blob_v1"],
            vec!["blob_v1", &note],
        ),
    ];
    for (name, comment, given, sorted) in cases {
        set.valid(
            &format!("sorts-{name}"),
            comment,
            requested(0, 0, &given),
            message(&request(0, 0, &sorted)),
        )
        .requires(&["RP4"])
        .flag("Unsorted");
    }
    let [low, high] = two_authors();
    let given: [(_, &[_]); 2] = [(high.clone(), &[(10, 1), (9, 2)]), (low.clone(), &[(0, 1)])];
    let sorted: [(_, &[_]); 2] = [(low, &[(0, 1)]), (high, &[(9, 2), (10, 1)])];
    set.valid(
        "sorts-heights",
        "Keys and logs ascend, logs as numbers.",
        held(0, &given),
        message(&have(0, &sorted)),
    )
    .requires(&["RP6"])
    .flag("Unsorted")
    .ruled("R27")
    .wire_is_open();
}

fn refused(set: &mut Set) {
    let altered = |mut told: Value, path: &str, value: Value| {
        *told.pointer_mut(path).expect("a member of the message") = value;
        told
    };
    let [first, second] = two_authors();
    let authors: [(_, &[_]); 2] = [
        (first, &[(0, 1), (300, 70_000)]),
        (second, &[(u64::MAX, u64::MAX)]),
    ];
    let heights = held(65_536, &authors);
    let one = requested(0, 0, &["blob_v1", &note()]);
    let upper = format!("note_{}", id(0xab).hex().to_uppercase());
    let public = hex(author().public());
    let cases: [(&str, &str, &str, Value, &str); 13] = [
        (
            "request-nothing",
            "request",
            "A request names at least one schema.",
            altered(one.clone(), "/schemas", json!([])),
            "message_set",
        ),
        (
            "unknown-type",
            "done",
            "No message is called so.",
            altered(finished(0, false), "/type", "goodbye".into()),
            "message_type",
        ),
        (
            "session-past-the-end",
            "session-greatest",
            "2^64 does not fit.",
            altered(
                finished(0, false),
                "/session",
                "18446744073709551616".into(),
            ),
            "invalid_number",
        ),
        (
            "session-negative",
            "done",
            "There are no negative sessions.",
            altered(finished(0, false), "/session", "-1".into()),
            "invalid_number",
        ),
        (
            "time-fraction",
            "announce-nothing",
            "Half a second.",
            altered(announced(1, 0, &[]), "/timestamp", "0.5".into()),
            "invalid_number",
        ),
        (
            "height-0",
            "have",
            "Sequence numbers start at 1.",
            altered(heights.clone(), "/heights/0/logs/0/seq_num", "0".into()),
            "seq_num_zero",
        ),
        (
            "log-past-the-end",
            "have",
            "2^64 does not fit.",
            altered(
                heights.clone(),
                "/heights/1/logs/0/log_id",
                "18446744073709551616".into(),
            ),
            "invalid_number",
        ),
        (
            "key-short",
            "have",
            "A key of 31 bytes.",
            altered(
                heights.clone(),
                "/heights/0/public_key",
                public[..62].into(),
            ),
            "key_length",
        ),
        (
            "key-off-the-curve",
            "have",
            "Bytes that are no point.",
            altered(
                heights,
                "/heights/0/public_key",
                hex(off_the_curve()).into(),
            ),
            "key_not_on_curve",
        ),
        (
            "schema-unknown",
            "request",
            "A system schema of later days.",
            altered(one.clone(), "/schemas/0", "key_group_v1".into()),
            "schema_id_unknown_system",
        ),
        (
            "schema-malformed",
            "request",
            "No schema id at all.",
            altered(one.clone(), "/schemas/1", "note".into()),
            "schema_id_malformed",
        ),
        (
            "schema-uppercase",
            "request",
            "An id in uppercase.",
            altered(one, "/schemas/1", upper.clone().into()),
            "uppercase_hex",
        ),
        (
            "entry-half-a-byte",
            "entry",
            "An odd number of hex digits.",
            altered(sent(24), "/entry", "00a".into()),
            "invalid_hex",
        ),
    ];
    for (name, near, comment, told, reason) in cases {
        let case = set.invalid(name, comment, near, told, reason);
        match name {
            "session-past-the-end" => {
                case.requires(&["RP3"]).flag("Boundary");
            }
            "height-0" => {
                case.requires(&["RP3"])
                    .or(&["message_malformed", "invalid_number"]);
            }
            "request-nothing" => {
                case.requires(&["RP5"]);
            }
            "schema-uppercase" => {
                let kept = message(&request(0, 0, &["blob_v1", &upper]));
                case.requires(&["SC9"])
                    .flag("Uppercase")
                    .wire_reads("R13", kept);
            }
            _ => {}
        }
    }
}
