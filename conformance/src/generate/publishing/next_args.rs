//! Cases of `next_args`.

use serde_json::{Value, json};

use super::{
    Refused, World, args_after, author, ended, id, long, only_log, other_author, places,
    refused_fork, set_of, third_author,
};
use crate::forge::{Hash, Key, Log, hash, hex};
use crate::generate::set::Set;
use crate::generate::text::off_the_curve;
use crate::suite::Level;

pub(super) fn next_args() -> Set {
    let mut set = set_of("next_args", "worlds", &["PB9", "BA4"]);
    new_logs(&mut set);
    known_documents(&mut set);
    long_logs(&mut set);
    unknown_views(&mut set);
    malformed(&mut set);
    deleted(&mut set);
    forks(&mut set);
    at_the_end(&mut set);
    set
}

pub(super) fn question(key: &Key, view: &[Hash]) -> Value {
    let view_id = (!view.is_empty()).then(|| hash::view_id(view));
    json!({"public_key": hex(key.public()), "view_id": view_id})
}

/// The first entry of a log.
fn first(log_id: u64) -> Value {
    args_after(&Log::new(author(), log_id))
}

fn new_logs(set: &mut Set) {
    set.world("nothing", World::of_places().value());
    set.world("places", places().world.value());
    set.world("only-log-7", only_log(7).value());
    set.world("last-log-but-one", only_log(u64::MAX - 1).value());
    set.world("last-log", only_log(u64::MAX).value());
    set.using("world", "nothing");
    set.valid(
        "first-log",
        "The first log of an author is 0.",
        question(&author(), &[]),
        first(0),
    );
    let upper = json!({"public_key": hex(author().public()).to_uppercase(), "view_id": null});
    set.valid(
        "key-uppercase",
        "A key is only bytes, in either case.",
        upper,
        first(0),
    )
    .ruled("R13")
    .flag("Uppercase");
    set.using("world", "places");
    set.valid(
        "fourth-log",
        "The log after the highest.",
        question(&author(), &[]),
        first(3),
    );
    set.valid(
        "stranger",
        "Logs are counted per author.",
        question(&third_author(), &[]),
        first(0),
    );
    set.using("world", "only-log-7");
    set.valid(
        "after-a-gap",
        "The log after the highest, although lower ones are free.",
        question(&author(), &[]),
        first(8),
    )
    .ruled("R22");
    set.using("world", "last-log-but-one");
    set.valid(
        "greatest-log",
        "The greatest log there is.",
        question(&author(), &[]),
        first(u64::MAX),
    )
    .flag("Boundary");
    set.using("world", "last-log");
    let case = set.invalid(
        "past-the-greatest-log",
        "The greatest log is used; what is free may be proposed instead.",
        "greatest-log",
        question(&author(), &[]),
        "log_id_max",
    );
    case.ruled("R22").spec_is_open().flag("Boundary");
    case.level = Level::Should;
}

fn known_documents(set: &mut Set) {
    set.using("world", "places");
    let places = places();
    let [one, two, three, beside] = places.ids;
    let own = args_after(&places.cafe);
    let views: [(&str, &str, &[Hash]); 6] = [
        ("view-current", "Both tips of a document.", &[three, beside]),
        (
            "view-create",
            "Any view of the document names it: the first.",
            &[one],
        ),
        ("view-older", "An older view.", &[two]),
        ("view-of-branch", "One of its branches.", &[three]),
        ("view-by-other", "An operation of somebody else.", &[beside]),
        (
            "view-with-ancestor",
            "An operation beside one it builds on.",
            &[one, three],
        ),
    ];
    for (name, comment, view) in views {
        set.valid(name, comment, question(&author(), view), own.clone())
            .requires(&["PB10", "PB11", "DV2"]);
    }
    let others: [(&str, &str, Key, Hash, Value); 5] = [
        (
            "other-document",
            "The log of another document.",
            author(),
            places.bar_id,
            args_after(&places.bar),
        ),
        (
            "other-author",
            "The other author's log of the same document.",
            other_author(),
            three,
            args_after(&places.visit),
        ),
        (
            "other-schema",
            "A document of another schema.",
            other_author(),
            places.cave_id,
            args_after(&places.cave),
        ),
        (
            "not-yet-visited",
            "A document the author wrote nothing in yet: a new log.",
            other_author(),
            places.bar_id,
            first(3),
        ),
        (
            "stranger-with-view",
            "The first log of somebody nobody heard of.",
            third_author(),
            one,
            first(0),
        ),
    ];
    for (name, comment, key, view, told) in others {
        set.valid(name, comment, question(&key, &[view]), told)
            .requires(&["PB10", "PB9"]);
    }
}

fn long_logs(set: &mut Set) {
    for len in [1, 3, 7, 12] {
        let name = format!("log-of-{len}");
        let (world, log) = long(len);
        set.world(&name, world.value());
        set.using("world", &name);
        let comment = format!("The place after {len} entries.");
        let view = [Hash::of(&log.entries[len - 1])];
        set.valid(
            &format!("after-{len}"),
            &comment,
            question(&author(), &view),
            args_after(&log),
        )
        .requires(&["PB10", "BA1"])
        .flag("Links");
    }
}

fn unknown_views(set: &mut Set) {
    set.using("world", "places");
    let places = places();
    let [one, _, three, _] = places.ids;
    let cases: [(&str, &str, &str, &[Hash], &str); 5] = [
        (
            "view-unknown",
            "view-create",
            "An operation nobody published.",
            &[id(7)],
            "previous_not_found",
        ),
        (
            "view-unknown-too",
            "view-create",
            "One that is known, and one that is not.",
            &[one, id(1)],
            "previous_not_found",
        ),
        (
            "view-mixed",
            "view-with-ancestor",
            "Operations of two documents.",
            &[places.bar_id, three],
            "previous_mixed",
        ),
        (
            "view-mixed-schemas",
            "view-with-ancestor",
            "Operations of documents of two schemas.",
            &[places.cave_id, three],
            "previous_mixed",
        ),
        (
            "view-mixed-with-deleted",
            "view-with-ancestor",
            "Operations of a document and of a deleted one.",
            &[places.closed_ids[0], three],
            "previous_mixed",
        ),
    ];
    for (name, near, comment, view, reason) in cases {
        let case = set.invalid(name, comment, near, question(&author(), view), reason);
        case.requires(&["PB11", "DV2"]);
        if name == "view-mixed-with-deleted" {
            case.or(&["document_deleted"]);
        }
    }
    set.using("world", "nothing");
    set.invalid(
        "view-of-other-node",
        "An operation published elsewhere.",
        "view-create",
        question(&author(), &[one]),
        "previous_not_found",
    )
    .requires(&["PB11"]);
}

/// A text that is no view id, made of two operations of a document.
struct BrokenView {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    view_id: fn(Hash, Hash) -> String,
    reason: &'static str,
}

const VIEWS: &[BrokenView] = &[
    BrokenView {
        name: "view-unsorted",
        near: "view-with-ancestor",
        comment: "The ids do not ascend.",
        view_id: |one, three| {
            let mut ids = [one.hex(), three.hex()];
            ids.sort_unstable_by(|a, b| b.cmp(a));
            ids.join("_")
        },
        reason: "view_id_unsorted",
    },
    BrokenView {
        name: "view-twice",
        near: "view-create",
        comment: "An id named twice.",
        view_id: |one, _| [one.hex(), one.hex()].join("_"),
        reason: "view_id_duplicate",
    },
    BrokenView {
        name: "view-empty",
        near: "view-create",
        comment: "An empty text is no view id, and not the same as none.",
        view_id: |_, _| String::new(),
        reason: "hash_length",
    },
    BrokenView {
        name: "view-cut",
        near: "view-create",
        comment: "An id that ends early.",
        view_id: |one, _| one.hex()[..66].to_owned(),
        reason: "hash_length",
    },
    BrokenView {
        name: "view-uppercase",
        near: "view-create",
        comment: "Ids are lowercase; in uppercase, deployed software knows no such operation.",
        view_id: |one, _| one.hex().to_uppercase(),
        reason: "uppercase_hex",
    },
];

fn malformed(set: &mut Set) {
    set.using("world", "places");
    let [one, _, three, _] = places().ids;
    let text = |view_id: &str| json!({"public_key": hex(author().public()), "view_id": view_id});
    for &BrokenView {
        name,
        near,
        comment,
        view_id,
        reason,
    } in VIEWS
    {
        let case = set.invalid(name, comment, near, text(&view_id(one, three)), reason);
        case.requires(&["PB11", "DV1"]);
        match name {
            "view-empty" => {
                case.or(&["view_id_empty", "invalid_hex"]);
            }
            "view-uppercase" => {
                case.or(&["previous_not_found"]).flag("Uppercase");
            }
            _ => {}
        }
    }
    malformed_keys(set);
}

fn malformed_keys(set: &mut Set) {
    let key = hex(author().public());
    for (name, comment, key, reason) in [
        (
            "key-short",
            "A key of 31 bytes.",
            key[2..].to_owned(),
            "key_length",
        ),
        (
            "key-half-a-byte",
            "Half a byte too few.",
            key[1..].to_owned(),
            "invalid_hex",
        ),
        (
            "key-off-the-curve",
            "Bytes that are no point.",
            hex(off_the_curve()),
            "key_not_on_curve",
        ),
        ("key-empty", "No key.", String::new(), "key_length"),
    ] {
        set.invalid(
            name,
            comment,
            "fourth-log",
            json!({"public_key": key, "view_id": null}),
            reason,
        )
        .requires(&["KY1"]);
    }
}

fn deleted(set: &mut Set) {
    set.using("world", "places");
    let [created, deleted] = places().closed_ids;
    let cases: [(&str, &str, &str, Key, Hash); 4] = [
        (
            "deleted-by-its-author",
            "view-create",
            "The author of a deleted document.",
            author(),
            created,
        ),
        (
            "deleted-at-its-end",
            "view-create",
            "The DELETE itself.",
            author(),
            deleted,
        ),
        (
            "deleted-with-other-log",
            "other-author",
            "Somebody who has a log of the deleted document.",
            other_author(),
            created,
        ),
        (
            "deleted-and-new",
            "stranger-with-view",
            "Somebody who has none.",
            third_author(),
            created,
        ),
    ];
    for (name, near, comment, key, view) in cases {
        set.invalid(
            name,
            comment,
            near,
            question(&key, &[view]),
            "document_deleted",
        )
        .requires(&["PB5", "PB11"])
        .flag("Delete");
    }
}

/// A client tried to fork a log: that leaves no trace.
fn forks(set: &mut Set) {
    let Refused {
        world,
        log,
        visit,
        ids,
    } = refused_fork();
    set.world("forked", world.value());
    set.using("world", "forked");
    set.valid(
        "forked-elsewhere",
        "Another log of an author who tried to fork one.",
        question(&author(), &[]),
        first(1),
    )
    .requires(&["FK1", "PB9"]);
    set.valid(
        "forked-by-other",
        "Somebody else's log of a document whose author tried to fork.",
        question(&other_author(), &[ids[0]]),
        args_after(&visit),
    )
    .requires(&["FK1", "PB10"]);
    for (name, comment, view) in [
        (
            "refused-fork-before",
            "The view before the refused entry.",
            ids[0],
        ),
        (
            "refused-fork-at",
            "The view of the entry that has its place.",
            ids[1],
        ),
        ("refused-fork-after", "The view after it.", ids[2]),
    ] {
        set.valid(
            name,
            comment,
            question(&author(), &[view]),
            args_after(&log),
        )
        .requires(&["FK1", "PB10"])
        .ruled("R24")
        .flag("Fork");
    }
}

fn at_the_end(set: &mut Set) {
    let (world, log, ids) = ended();
    set.world("ended", world.value());
    set.using("world", "ended");
    set.valid(
        "ended-elsewhere",
        "Another log of an author who ended one.",
        question(&author(), &[]),
        first(1),
    )
    .requires(&["FK2", "PB9"]);
    set.valid(
        "ended-by-other",
        "Somebody else goes on with the document.",
        question(&other_author(), &[ids[1]]),
        first(0),
    )
    .requires(&["FK2", "PB9"]);
    set.invalid(
        "ended",
        "Nothing follows the end of a log.",
        "ended-by-other",
        question(&author(), &[ids[1]]),
        "log_ended",
    )
    .requires(&["FK2"])
    .flag("EndOfLog")
    .wire_reads("R8", args_after(&log));
}
