//! Several logs side by side: what is in one says nothing about another.

use super::super::fixtures::{author, cafe_create, log, other_author};
use super::super::set::Set;
use super::{SIGNED, input, next_args, payload};
use crate::forge::{Draft, Hash, Key, Log, hex};

const OTHER_SIGNED: (&str, &str) = ("/entry", "other");

pub(super) fn neighbours() -> Set {
    let mut set = Set::new("log.append", "neighbours", &["BA1", "NO1"]);
    set.key("author", &author());
    set.key("other", &other_author());
    let mut ended = log(author(), 0, 1);
    let last = Draft {
        tag: 1,
        ..ended.draft(&payload())
    };
    ended.push_signed(last.sign(&author()), payload());
    let (zero, one) = (log(author(), 0, 2), log(author(), 1, 1));
    let (ten, other) = (log(author(), 10, 3), log(other_author(), 0, 3));
    let entries = |logs: &[&Log]| {
        let all = logs.iter().flat_map(|log| log.entries.clone());
        all.collect::<Vec<_>>()
    };
    set.log("four", &entries(&[&zero, &one, &ten, &other]));
    set.log("ended-and-open", &entries(&[&ended, &one, &other]));
    for (where_to, context, logs) in [
        ("beside-others", "four", [&zero, &one, &ten, &other]),
        ("beside-ended", "ended-and-open", [&one, &one, &one, &other]),
    ] {
        set.using("log", context);
        for before in logs {
            let whose = if before.key.public() == author().public() {
                "own"
            } else {
                "other"
            };
            let name = format!("{where_to}-{whose}-log-{}", before.log_id);
            if !set.has(&name) {
                sound(&mut set, &name, before, &before.key);
            }
        }
    }
    set.using("log", "four");
    mixed_up(&mut set, &zero, &one, &other);
    payloads(&mut set);
    set
}

fn sound(set: &mut Set, name: &str, before: &Log, key: &Key) {
    let entry = before.draft(&payload()).sign(key);
    let comment = format!(
        "Entry {} of one log among several.",
        before.entries.len() + 1
    );
    set.valid(name, &comment, input(&entry), next_args(before, &entry));
}

/// Links and numbers that would fit the log beside.
fn mixed_up(set: &mut Set, zero: &Log, one: &Log, other: &Log) {
    let draft = Draft {
        backlink: Some(Hash::of(&zero.entries[0])),
        ..one.draft(&payload())
    };
    set.invalid_signed(
        (
            "backlink-into-log-beside",
            "The backlink names the first entry of another log of the key.",
        ),
        "beside-others-own-log-1",
        input(&draft.sign(&author())),
        SIGNED,
        "backlink_mismatch",
    )
    .or(&["log_owner_mismatch"])
    .flag("Links");
    for (name, comment, hash) in [
        (
            "skiplink-to-author-beside",
            "The skiplink names another author's first entry.",
            { Hash::of(&zero.entries[0]) },
        ),
        (
            "skiplink-to-second",
            "The skiplink names the second entry, not the first.",
            { Hash::of(&other.entries[1]) },
        ),
    ] {
        let draft = Draft {
            skiplink: Some(hash),
            ..other.draft(&payload())
        };
        set.invalid_signed(
            (name, comment),
            "beside-others-other-log-0",
            input(&draft.sign(&other_author())),
            OTHER_SIGNED,
            "skiplink_mismatch",
        )
        .or(&["log_owner_mismatch"])
        .flag("Links");
    }
    let draft = Draft {
        log_id: 1,
        ..zero.draft(&payload())
    };
    set.invalid_signed(
        (
            "number-of-log-beside",
            "The next number of log 0, in log 1.",
        ),
        "beside-others-own-log-0",
        input(&draft.sign(&author())),
        SIGNED,
        "seq_num_mismatch",
    )
    .or(&["log_owner_mismatch", "backlink_mismatch"]);
    let forked = Draft {
        payload_hash: Hash::of(payload()),
        ..Log::new(author(), 10).draft(&payload())
    };
    let first = cafe_create(8, "Panda");
    let again = Log::new(author(), 10).draft(&first).sign(&author());
    let repeated = serde_json::json!({"entry": hex(&again), "operation": hex(&first)});
    set.valid(
        "again-in-log-10",
        "The first entry of log 10 once more.",
        repeated,
        next_args(&Log::new(author(), 10), &again),
    )
    .requires(&["FK1", "NO1"])
    .wire_refuses("R23", "seq_num_mismatch");
    set.invalid(
        "would-fork-log-10",
        "Another first entry of log 10, signed over another operation.",
        "again-in-log-10",
        input(&forked.sign(&author())),
        "would_fork",
    )
    .ruled("R24")
    .requires(&["FK1", "NO1"])
    .flag("Fork");
}

/// An operation of no bytes, which an entry may be about.
fn payloads(set: &mut Set) {
    set.using_nothing();
    set.log("empty", &[]);
    set.using("log", "empty");
    let before = Log::new(author(), 9);
    let draft = before.draft(&[]);
    let nothing =
        |draft: &Draft| serde_json::json!({"entry": hex(draft.sign(&author())), "operation": ""});
    let entry = draft.sign(&author());
    set.valid(
        "operation-of-nothing",
        "What the operation says is no matter of the log, not even whether it says anything.",
        nothing(&draft),
        next_args(&before, &entry),
    )
    .ruled("R22");
    for (name, comment, wrong) in [
        (
            "operation-of-nothing-for-one-byte",
            "A byte is claimed, and none there.",
            {
                Draft {
                    payload_size: 1,
                    ..draft.clone()
                }
            },
        ),
        (
            "operation-of-nothing-for-248-bytes",
            "Bytes are claimed in two bytes of length, and none there.",
            {
                Draft {
                    payload_size: 248,
                    ..draft.clone()
                }
            },
        ),
    ] {
        set.invalid_signed(
            (name, comment),
            "operation-of-nothing",
            nothing(&wrong),
            SIGNED,
            "payload_size_mismatch",
        )
        .flag("Boundary");
    }
    let wrong = Draft {
        payload_hash: Hash::repeating(0),
        ..draft
    };
    set.invalid_signed(
        (
            "operation-of-nothing-with-zero-hash",
            "Nothing has a hash of its own.",
        ),
        "operation-of-nothing",
        nothing(&wrong),
        SIGNED,
        "payload_hash_mismatch",
    );
}
