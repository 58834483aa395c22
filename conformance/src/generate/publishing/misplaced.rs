//! Entries that are in the wrong place: of their log, or of their author's logs.

use super::{
    Places, Refused, after, author, cafe_update, create, ended, id, next, not_taken, places,
    refused_fork, submission,
};
use crate::forge::{Draft, Hash, Log};
use crate::generate::set::Set;

/// What is changed in the draft of the next entry of the cafe's log.
struct Position {
    name: &'static str,
    comment: &'static str,
    change: fn(Draft, &Places) -> Draft,
    reason: &'static str,
}

const POSITIONS: &[Position] = &[
    Position {
        name: "gap",
        comment: "A number is left out.",
        change: |draft, _| Draft {
            seq_num: 5,
            skiplink: None,
            ..draft
        },
        reason: "seq_num_mismatch",
    },
    Position {
        name: "far-gap",
        comment: "A number far ahead.",
        change: |draft, _| Draft {
            seq_num: 1_000_000,
            skiplink: None,
            ..draft
        },
        reason: "seq_num_mismatch",
    },
    Position {
        name: "backlink-wrong",
        comment: "A backlink to nothing.",
        change: |draft, _| Draft {
            backlink: Some(id(7)),
            ..draft
        },
        reason: "backlink_mismatch",
    },
    Position {
        name: "backlink-older",
        comment: "A backlink to the entry before the last.",
        change: |draft, places| Draft {
            backlink: Some(Hash::of(&places.cafe.entries[1])),
            ..draft
        },
        reason: "backlink_mismatch",
    },
    Position {
        name: "backlink-of-other",
        comment: "A backlink into somebody else's log.",
        change: |draft, places| Draft {
            backlink: Some(Hash::of(&places.visit.entries[0])),
            ..draft
        },
        reason: "backlink_mismatch",
    },
    Position {
        name: "skiplink-wrong",
        comment: "A far link to nothing.",
        change: |draft, _| Draft {
            skiplink: Some(id(7)),
            ..draft
        },
        reason: "skiplink_mismatch",
    },
];

pub(super) fn positions(set: &mut Set) {
    let places = places();
    let Places { cafe, ids, .. } = &places;
    let payload = cafe_update(&[ids[2]], 12);
    let draft = || cafe.draft(&payload);
    for &Position {
        name,
        comment,
        change,
        reason,
    } in POSITIONS
    {
        let case = not_taken(
            set,
            (name, comment),
            "good-update",
            submission(&change(draft(), &places).sign(&author()), &payload),
            reason,
        );
        case.requires(&["PB1", "BA1"]).flag("Links");
        match name {
            "far-gap" => {
                case.or(&["skiplink_not_found"]);
            }
            "backlink-older" => {
                case.or(&["seq_num_mismatch"]);
            }
            _ => {}
        }
    }
    let far = Draft {
        seq_num: u64::MAX,
        ..draft()
    };
    not_taken(
        set,
        ("greatest-number", "The number that nothing could follow."),
        "good-update",
        submission(&far.sign(&author()), &payload),
        "seq_num_mismatch",
    )
    .requires(&["PB12", "PB1"])
    .ruled("R26")
    .or(&["seq_num_max", "skiplink_not_found"])
    .flag("Boundary");
    second_without_first(set, &payload);
    taken_positions(set, cafe, ids[0]);
}

fn second_without_first(set: &mut Set, payload: &[u8]) {
    let mut new = Log::new(author(), 3);
    new.push(create());
    not_taken(
        set,
        (
            "second-without-first",
            "The second entry of a log that has no first.",
        ),
        "good-update",
        next(&new, payload),
        "seq_num_mismatch",
    );
}

/// Entries that would fork the log.
fn taken_positions(set: &mut Set, cafe: &Log, first: Hash) {
    let taken_first = submission(
        &Draft::first(&author(), 0, &create()).sign(&author()),
        &create(),
    );
    not_taken(
        set,
        (
            "would-fork-first",
            "A CREATE in a log that began long ago: a second first entry.",
        ),
        "good-document",
        taken_first,
        "would_fork",
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24")
    .or(&["seq_num_mismatch", "log_id_in_use"])
    .flag("Fork");
    for (name, comment, len) in [
        ("would-fork-second", "A second second entry.", 1),
        ("would-fork-last", "A second last entry.", 2),
    ] {
        let mut before = cafe.clone();
        before.entries.truncate(len);
        let other = cafe_update(&[first], 99);
        not_taken(
            set,
            (name, comment),
            "good-update",
            next(&before, &other),
            "would_fork",
        )
        .requires(&["FK1", "FK7"])
        .ruled("R24")
        .or(&["seq_num_mismatch"])
        .flag("Fork");
    }
}

/// A case: name, sibling and comment, the log it is put in, its operation, and the cause.
type Misplaced<'a> = (&'a str, &'a str, &'a str, &'a Log, Vec<u8>, &'a str);

pub(super) fn logs(set: &mut Set) {
    let Places {
        cafe,
        bar,
        visit,
        ids: [_, _, three, _],
        bar_id,
        ..
    } = places();
    let update = cafe_update(&[three], 12);
    let new = Log::new(author(), 3);
    let cases: [Misplaced<'_>; 5] = [
        (
            "log-of-other-document",
            "good-update",
            "The log of another document of the author.",
            &bar,
            update.clone(),
            "log_id_mismatch",
        ),
        (
            "log-new-for-known",
            "good-update",
            "A new log for a document the author has one for.",
            &new,
            update,
            "log_id_mismatch",
        ),
        (
            "log-crossed",
            "good-update",
            "The second document in the log of the first.",
            &cafe,
            cafe_update(&[bar_id], 12),
            "log_id_mismatch",
        ),
        (
            "log-in-use",
            "good-update",
            "A CREATE in the log of another document.",
            &cafe,
            create(),
            "log_id_in_use",
        ),
        (
            "log-in-use-by-visitor",
            "good-visit",
            "A first visit to a document in the log of another.",
            &visit,
            cafe_update(&[bar_id], 12),
            "log_id_in_use",
        ),
    ];
    for (name, near, comment, log, payload, reason) in cases {
        not_taken(set, (name, comment), near, next(log, &payload), reason)
            .requires(&["PB6", "DO5"])
            .or(&["log_id_mismatch", "log_id_in_use"]);
    }
}

pub(super) fn forks(set: &mut Set) {
    let Refused {
        world, log, ids, ..
    } = refused_fork();
    set.world("forked", world.value());
    set.using("world", "forked");
    let again = cafe_update(&[ids[0]], 12);
    not_taken(
        set,
        (
            "fork-tried-again",
            "The entry that was refused, once more: it is refused as ever.",
        ),
        "good-update",
        next(&log.until(1), &again),
        "would_fork",
    )
    .requires(&["FK1", "FK7"])
    .ruled("R24")
    .or(&["seq_num_mismatch"])
    .flag("Fork");
}

pub(super) fn after_the_end(set: &mut Set) {
    let (world, log, ids) = ended();
    set.world("ended", world.value());
    set.using("world", "ended");
    let payload = cafe_update(&[ids[1]], 12);
    not_taken(
        set,
        ("ended", "An entry after the one that ended the log."),
        "good-update",
        next(&log, &payload),
        "log_ended",
    )
    .requires(&["FK2"])
    .flag("EndOfLog")
    .wire_reads("R8", after(&log, &payload));
}
