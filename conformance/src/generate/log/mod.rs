//! Cases of `log.append`: is an entry, with its operation, the next one of a log?

mod branches;
mod neighbours;
mod partial;

use serde_json::{Value, json};

use super::fixtures::{author, cafe_create, id, log, other_author};
use super::set::Set;
use crate::forge::{Draft, Hash, Log, hex};
use crate::suite::{Case, Step};

const SIGNED: (&str, &str) = ("/entry", "author");

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("log.append", "links", &["BA1", "NO1", "FK1"]);
    set.key("author", &author());
    set.key("other", &other_author());
    set.log("empty", &[]);
    for len in [1, 2, 3, 4, 7, 12, 13, 24, 39] {
        set.log(&format!("of-{len}"), &log(author(), 0, len).entries);
    }
    sound(&mut set);
    repetitions(&mut set);
    repeated_with_another(&mut set);
    positions(&mut set);
    links(&mut set);
    payloads(&mut set);
    end_of_log(&mut set);
    vec![
        set,
        neighbours::neighbours(),
        branches::branches(),
        partial::partial(),
    ]
}

fn payload() -> Vec<u8> {
    cafe_create(24, "next")
}

fn input(entry: &[u8]) -> Value {
    json!({"entry": hex(entry), "operation": hex(payload())})
}

/// The arguments of the entry after the next one.
fn next_args(before: &Log, entry: &[u8]) -> Value {
    let mut after = before.clone();
    after.push_signed(entry.to_vec(), payload());
    super::fixtures::next_args(&after)
}

fn sound(set: &mut Set) {
    for len in [0, 1, 2, 3, 4, 7, 12, 13, 24, 39] {
        let before = log(author(), 0, len);
        let name = if len == 0 {
            "empty".to_owned()
        } else {
            format!("of-{len}")
        };
        let entry = before.draft(&payload()).sign(&author());
        let comment = format!("Entry {} of a log of {len}.", len + 1);
        set.valid(
            &format!("onto-{name}"),
            &comment,
            input(&entry),
            next_args(&before, &entry),
        )
        .needs("log", &name);
    }
    let before = Log::new(author(), 5);
    let entry = before.draft(&payload()).sign(&author());
    set.valid(
        "onto-empty-log-5",
        "The first entry of another log.",
        input(&entry),
        next_args(&before, &entry),
    )
    .needs("log", "empty");
    let before = Log::new(other_author(), 0);
    let entry = before.draft(&payload()).sign(&other_author());
    set.valid(
        "other-author",
        "The first entry of another author.",
        input(&entry),
        next_args(&before, &entry),
    )
    .needs("log", "empty");
}

/// Adds a case whose entry the author signed after changing one field.
fn altered<'a>(
    set: &'a mut Set,
    name: &str,
    comment: &str,
    len: usize,
    reason: &str,
    alter: impl Fn(&mut Draft),
) -> &'a mut Case {
    let before = log(author(), 0, len);
    let mut draft = before.draft(&payload());
    alter(&mut draft);
    let near = if len == 0 {
        "onto-empty".to_owned()
    } else {
        format!("onto-of-{len}")
    };
    let entry = draft.sign(&author());
    set.invalid_signed((name, comment), &near, input(&entry), SIGNED, reason)
        .needs("log", near.trim_start_matches("onto-"))
}

/// The id of entry number `seq_num` of a log of `len`.
fn entry_id(len: usize, seq_num: usize) -> Hash {
    Hash::of(&log(author(), 0, len).entries[seq_num - 1])
}

/// An entry that the author signed after changing one field.
struct Altered {
    name: &'static str,
    comment: &'static str,
    /// Of the log it is put on.
    len: usize,
    reason: &'static str,
    alter: fn(&mut Draft),
    /// Other causes that are as right.
    also: &'static [&'static str],
    flags: &'static [&'static str],
}

fn altered_all(set: &mut Set, rows: &[Altered]) {
    for row in rows {
        let case = altered(set, row.name, row.comment, row.len, row.reason, row.alter);
        case.or(row.also);
        for flag in row.flags {
            case.flag(flag);
        }
    }
}

/// Publishing is safe to repeat: the answer is that of the first time.
fn repetitions(set: &mut Set) {
    for (number, len) in [(1, 1), (3, 3), (2, 4), (3, 12)] {
        let before = log(author(), 0, number - 1);
        let given = log(author(), 0, len);
        let (entry, operation) = (&given.entries[number - 1], &given.payloads[number - 1]);
        let input = json!({"entry": hex(entry), "operation": hex(operation)});
        let comment = format!("Entry {number} once more, onto a log of {len}.");
        set.valid(
            &format!("again-{number}-of-{len}"),
            &comment,
            input,
            next_args(&before, entry),
        )
        .needs("log", &format!("of-{len}"))
        .requires(&["FK1", "NO1"])
        .wire_refuses("R23", "seq_num_mismatch");
    }
}

/// An entry that is there already is no excuse for another operation.
fn repeated_with_another(set: &mut Set) {
    let given = log(author(), 0, 3);
    for number in [1, 3] {
        let (entry, operation) = (&given.entries[number - 1], &given.payloads[number - 1]);
        let near = format!("again-{number}-of-3");
        let question = |operation: &[u8]| json!({"entry": hex(entry), "operation": hex(operation)});
        if !set.has(&near) {
            let before = log(author(), 0, number - 1);
            let comment = format!("Entry {number} once more, onto a log of 3.");
            set.valid(
                &near,
                &comment,
                question(operation),
                next_args(&before, entry),
            )
            .needs("log", "of-3")
            .requires(&["FK1", "NO1"])
            .wire_refuses("R23", "seq_num_mismatch");
        }
        set.invalid(
            &format!("{near}-with-other-operation"),
            "An entry of the log once more, with the operation of another.",
            &near,
            question(&given.payloads[1]),
            "payload_hash_mismatch",
        )
        .needs("log", "of-3")
        .requires(&["PB2", "PB7", "NO1"])
        .or(&["payload_size_mismatch"]);
    }
}

const POSITIONS: &[Altered] = &[
    Altered {
        name: "gap",
        comment: "A number is left out.",
        len: 4,
        reason: "seq_num_mismatch",
        alter: |draft| draft.seq_num = 6,
        also: &[],
        flags: &["Boundary"],
    },
    Altered {
        name: "far-gap",
        comment: "A number far ahead.",
        len: 1,
        reason: "seq_num_mismatch",
        alter: |draft| {
            draft.seq_num = (1 << 32) + 1;
        },
        also: &["skiplink_not_found"],
        flags: &[],
    },
    Altered {
        name: "number-of-the-last",
        comment: "The number of the last entry, on top of that entry.",
        len: 2,
        reason: "seq_num_mismatch",
        alter: |draft| draft.seq_num = 2,
        also: &["backlink_mismatch"],
        flags: &[],
    },
    Altered {
        name: "other-log",
        comment: "The next number, but of another log.",
        len: 2,
        reason: "seq_num_mismatch",
        alter: |draft| {
            draft.log_id = 1;
        },
        also: &["log_owner_mismatch", "backlink_mismatch"],
        flags: &[],
    },
];

fn positions(set: &mut Set) {
    // Refused for its place here; in the one log where it would be next, for being the last number.
    altered(
        set,
        "greatest-number",
        "The greatest number there is, which no log has.",
        3,
        "seq_num_mismatch",
        |draft| draft.seq_num = u64::MAX,
    )
    .or(&["seq_num_max", "skiplink_not_found"])
    .ruled("R26")
    .flag("Boundary");
    altered_all(set, POSITIONS);

    let before = log(author(), 0, 2);
    let draft = Draft {
        author: other_author().public(),
        ..before.draft(&payload())
    };
    set.invalid_signed(
        (
            "other-author-takes-over",
            "The next number, but by another author.",
        ),
        "onto-of-2",
        input(&draft.sign(&other_author())),
        ("/entry", "other"),
        "seq_num_mismatch",
    )
    .needs("log", "of-2")
    .or(&["log_owner_mismatch", "backlink_mismatch"]);
    moved(set);
}

/// Sound entries that are offered to another log.
fn moved(set: &mut Set) {
    let next = log(author(), 0, 3).draft(&payload());
    let case = set.invalid(
        "missing-predecessor",
        "Entry 4 where the log ends at 2.",
        "onto-of-3",
        input(&next.sign(&author())),
        "seq_num_mismatch",
    );
    case.needs("log", "of-2");
    moved_to(case, "of-2");

    let third = log(author(), 0, 2).draft(&payload());
    let case = set.invalid(
        "would-fork",
        "A second, different entry 3.",
        "onto-of-2",
        input(&third.sign(&author())),
        "would_fork",
    );
    case.ruled("R24")
        .requires(&["FK1", "FK7", "NO1"])
        .flag("Fork");
    case.needs("log", "of-3");
    moved_to(case, "of-3");
    let case = set.invalid(
        "second-onto-empty",
        "The second entry of a log that has no first.",
        "onto-of-1",
        input(&log(author(), 0, 1).draft(&payload()).sign(&author())),
        "seq_num_mismatch",
    );
    case.requires(&["BA1", "NO1"]);
    case.needs("log", "empty");
    moved_to(case, "empty");
    let begun = Log::new(author(), 0).draft(&payload()).sign(&author());
    let case = set.invalid(
        "would-fork-first",
        "A second first entry.",
        "onto-empty",
        input(&begun),
        "would_fork",
    );
    case.ruled("R24")
        .requires(&["FK1", "FK7", "NO1"])
        .flag("Fork");
    case.needs("log", "of-12");
    moved_to(case, "of-12");
}

/// Says in the edit that the one change is the log the entry is offered to.
fn moved_to(case: &mut Case, name: &str) {
    let step = Step::Use {
        what: "log".to_owned(),
        name: name.to_owned(),
    };
    case.near
        .as_mut()
        .expect("an invalid case")
        .edit
        .insert(0, step);
}

const BACKLINKS: &[Altered] = &[
    Altered {
        name: "wrong-backlink",
        comment: "The backlink names no entry of the log.",
        len: 2,
        reason: "backlink_mismatch",
        alter: |draft| {
            draft.backlink = Some(id(7));
        },
        also: &[],
        flags: &["Links"],
    },
    Altered {
        name: "older-backlink",
        comment: "The backlink names the entry before the last.",
        len: 2,
        reason: "backlink_mismatch",
        alter: |draft| {
            draft.backlink = Some(entry_id(1, 1));
        },
        also: &["seq_num_mismatch"],
        flags: &["Links"],
    },
];

const LINKS: &[Altered] = &[
    Altered {
        name: "near-skiplink",
        comment: "The skiplink names the second entry, not the first.",
        len: 3,
        reason: "skiplink_mismatch",
        alter: |draft| {
            draft.skiplink = Some(entry_id(3, 2));
        },
        also: &[],
        flags: &["Links"],
    },
    Altered {
        name: "links-swapped",
        comment: "Skiplink and backlink in each other's place.",
        len: 3,
        reason: "skiplink_mismatch",
        alter: |draft| {
            std::mem::swap(&mut draft.skiplink, &mut draft.backlink);
        },
        also: &["backlink_mismatch", "seq_num_mismatch"],
        flags: &["Links"],
    },
    Altered {
        name: "wrong-backlink-4",
        comment: "The backlink of an entry with two links.",
        len: 3,
        reason: "backlink_mismatch",
        alter: |draft| {
            draft.backlink = Some(id(7));
        },
        also: &[],
        flags: &["Links"],
    },
];

fn links(set: &mut Set) {
    altered_all(set, BACKLINKS);
    for len in [3, 7, 12] {
        let name = format!("wrong-skiplink-{}", len + 1);
        altered(
            set,
            &name,
            "The skiplink names no entry of the log.",
            len,
            "skiplink_mismatch",
            |draft| {
                draft.skiplink = Some(id(7));
            },
        )
        .flag("Links");
    }
    // Where a link of one level would do if the levels were counted otherwise.
    for (len, wrong) in [(12, 8), (24, 20), (39, 26), (39, 38)] {
        let hash = entry_id(len, wrong);
        altered(
            set,
            &format!("skiplink-{}-to-{wrong}", len + 1),
            "The skiplink names an entry of the log, but not the right one.",
            len,
            "skiplink_mismatch",
            move |draft| draft.skiplink = Some(hash),
        )
        .flag("Links");
    }
    altered_all(set, LINKS);
}

const PAYLOADS: &[Altered] = &[
    Altered {
        name: "other-payload-hash",
        comment: "The operation has another hash.",
        len: 2,
        reason: "payload_hash_mismatch",
        alter: |draft| {
            draft.payload_hash = id(7);
        },
        also: &[],
        flags: &[],
    },
    Altered {
        name: "larger-payload-size",
        comment: "The operation is a byte shorter than claimed.",
        len: 2,
        reason: "payload_size_mismatch",
        alter: |draft| {
            draft.payload_size += 1;
        },
        also: &[],
        flags: &[],
    },
    Altered {
        name: "smaller-payload-size",
        comment: "The operation is a byte longer than claimed.",
        len: 0,
        reason: "payload_size_mismatch",
        alter: |draft| {
            draft.payload_size -= 1;
        },
        also: &[],
        flags: &[],
    },
    Altered {
        name: "huge-payload-size",
        comment: "A size nobody has the memory for.",
        len: 0,
        reason: "payload_size_mismatch",
        alter: |draft| {
            draft.payload_size = u64::MAX;
        },
        also: &[],
        flags: &["Boundary"],
    },
];

fn payloads(set: &mut Set) {
    altered_all(set, PAYLOADS);
    for (name, comment, more) in [
        (
            "32-bits",
            "A size that is right in its lower 32 bits.",
            1 << 32,
        ),
        (
            "16-bits",
            "A size that is right in its lower 16 bits.",
            1 << 16,
        ),
        (
            "8-bits",
            "A size that is right in its lower 8 bits.",
            1 << 8,
        ),
    ] {
        altered(
            set,
            &format!("payload-size-cut-to-{name}"),
            comment,
            2,
            "payload_size_mismatch",
            |draft| draft.payload_size += more,
        )
        .flag("Boundary");
    }
    operations(set);
}

/// Entries beside which stands another operation, or that nobody signed.
fn operations(set: &mut Set) {
    let entry = log(author(), 0, 1).draft(&payload()).sign(&author());
    let mut other = input(&entry);
    other["operation"] = hex(cafe_create(25, "next")).into();
    set.invalid(
        "other-operation",
        "Another operation of the same size.",
        "onto-of-1",
        other,
        "payload_hash_mismatch",
    )
    .needs("log", "of-1");
    let mut cut = input(&entry);
    cut["operation"] = hex(&payload()[..40]).into();
    set.invalid(
        "operation-cut",
        "The operation is cut short.",
        "onto-of-1",
        cut,
        "payload_hash_mismatch",
    )
    .needs("log", "of-1")
    .or(&["payload_size_mismatch"])
    .flag("Truncated");

    let mut flipped = entry.clone();
    let at = flipped.len() - 10;
    flipped[at] ^= 1;
    set.invalid(
        "signature-broken",
        "A bit of the signature is flipped.",
        "onto-of-1",
        input(&flipped),
        "signature_invalid",
    )
    .needs("log", "of-1")
    .requires(&["KY1", "NO1"]);
}

fn end_of_log(set: &mut Set) {
    let mut ended = log(author(), 0, 1);
    let last = Draft {
        tag: 1,
        ..ended.draft(&payload())
    }
    .sign(&author());
    ended.push_signed(last, payload());
    set.log("ended", &ended.entries);

    let entry = ended.draft(&payload()).sign(&author());
    let case = set.invalid_signed(
        (
            "after-the-end",
            "An entry after the one that ended the log.",
        ),
        "onto-of-2",
        input(&entry),
        SIGNED,
        "log_ended",
    );
    case.needs("log", "ended")
        .requires(&["FK2", "BA1"])
        .flag("EndOfLog")
        .wire_reads("R8", next_args(&ended, &entry));
    // The one change is the log; the backlink can only follow it.
    if let Some(Step::Splice { follows, .. }) =
        case.near.as_mut().and_then(|near| near.edit.first_mut())
    {
        *follows = true;
    }
    moved_to(case, "ended");

    let before = log(author(), 0, 1);
    let entry = Draft {
        tag: 2,
        ..before.draft(&payload())
    }
    .sign(&author());
    set.invalid_signed(
        ("tag-02", "The next entry, with a tag that means nothing."),
        "onto-of-1",
        input(&entry),
        SIGNED,
        "entry_tag",
    )
    .needs("log", "of-1")
    .wire_reads("R8", next_args(&before, &entry))
    .requires(&["BA1"]);
    let bytes = before.draft(&payload()).sign(&author());
    set.valid(
        "same-without-end",
        "The same entry with a regular tag leaves the log open.",
        input(&bytes),
        next_args(&before, &bytes),
    )
    .needs("log", "of-1")
    .requires(&["FK2"])
    .flag("EndOfLog");
}
