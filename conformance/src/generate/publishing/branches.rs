//! Worlds whose logs have branches, which peers brought: what is told to authors, and what is taken from them.

use serde_json::Value;

use super::{
    CAFE, World, after, after_again, again, args_after, author, cafe_create, cafe_update, id, next,
    next_args::question, not_taken, other_author, set_of, submission, view,
};
use crate::forge::{Draft, Hash, Log, operation};
use crate::generate::set::Set;
use crate::suite::Case;

/// What a node knows of an author who used one key in two places, and with it log 0 for two documents.
///
/// ```text
/// log 0   1 ─ 2 ─ 3                   own        published here
///           └ 2 ─ 3 ─ 4 ─ 5           away       brought by a peer
///               └ 3 ─ 4               twice      brought by a peer
///         1 ─ 2                       elsewhere  brought by a peer: another document
/// ```
struct Forked {
    world: World,
    own: Log,
    away: Log,
    twice: Log,
    elsewhere: Log,
    /// A log of somebody else on the first document.
    visit: Log,
}

fn forked() -> Forked {
    let mut world = World::of_places();
    let mut own = Log::new(author(), 0);
    let first = world.publish(&mut own, cafe_create(8, "Panda"));
    let second = world.publish(&mut own, cafe_update(&[first], 9));
    world.publish(&mut own, cafe_update(&[second], 10));
    let mut visit = Log::new(other_author(), 0);
    world.publish(&mut visit, cafe_update(&[second], 11));
    let mut away = own.until(1);
    let mut tip = first;
    for hour in 12..16 {
        tip = world.receive(&mut away, cafe_update(&[tip], hour));
    }
    let mut twice = away.until(2);
    for hour in 16..18 {
        world.receive(&mut twice, cafe_update(&[second], hour));
    }
    let mut elsewhere = Log::new(author(), 0);
    let bar = world.receive(&mut elsewhere, cafe_create(20, "Bar"));
    world.receive(&mut elsewhere, cafe_update(&[bar], 21));
    Forked {
        world,
        own,
        away,
        twice,
        elsewhere,
        visit,
    }
}

/// Two branches of as many entries: the one to go on with first.
fn equals() -> (World, [Log; 2]) {
    let mut world = World::of_places();
    let mut begun = Log::new(author(), 0);
    let first = world.publish(&mut begun, cafe_create(8, "Panda"));
    let mut branches = [begun.clone(), begun];
    world.publish(&mut branches[0], cafe_update(&[first], 9));
    world.receive(&mut branches[1], cafe_update(&[first], 10));
    branches.sort_by_key(tip);
    (world, branches)
}

/// One branch ended, the others did not, or did.
fn ended(open: bool) -> (World, [Log; 2]) {
    let mut world = World::of_places();
    let mut begun = Log::new(author(), 0);
    let first = world.publish(&mut begun, cafe_create(8, "Panda"));
    let end = |world: &mut World, log: &mut Log, previous: Hash, from_peer: bool| {
        let payload = cafe_update(&[previous], 9);
        let draft = Draft {
            tag: 1,
            ..log.draft(&payload)
        };
        log.push_signed(draft.sign(&author()), payload);
        world.take_last(log, from_peer);
    };
    let (mut over, mut other) = (begun.clone(), begun);
    let second = world.publish(&mut over, cafe_update(&[first], 10));
    end(&mut world, &mut over, second, false);
    if open {
        world.receive(&mut other, cafe_update(&[first], 11));
    } else {
        end(&mut world, &mut other, first, true);
    }
    (world, [over, other])
}

/// The author has two logs of one document: two nodes told different log ids.
fn two_logs() -> (World, [Log; 2]) {
    let mut world = World::of_places();
    let mut begun = Log::new(other_author(), 0);
    let first = world.publish(&mut begun, cafe_create(8, "Panda"));
    let (mut low, mut high) = (Log::new(author(), 1), Log::new(author(), 4));
    world.publish(&mut low, cafe_update(&[first], 9));
    let second = world.receive(&mut high, cafe_update(&[first], 10));
    world.receive(&mut high, cafe_update(&[second], 11));
    (world, [low, high])
}

fn tip(log: &Log) -> Hash {
    Hash::of(log.entries.last().expect("a log with entries"))
}

/// What holds for every case here: deployed software knows one branch of a log.
fn told(case: &mut Case) -> &mut Case {
    case.ruled("R24").flag("Fork").wire_is_open()
}

fn worlds(set: &mut Set) {
    set.world("forked", forked().world.value());
    set.world("equals", equals().0.value());
    set.world("one-ended", ended(true).0.value());
    set.world("all-ended", ended(false).0.value());
    set.world("two-logs", two_logs().0.value());
}

pub(super) fn next_args() -> Set {
    let mut set = set_of("next_args", "branches", &["FK9", "PB10"]);
    worlds(&mut set);
    set.using("world", "forked");
    let Forked {
        own,
        away,
        twice,
        elsewhere,
        visit,
        ..
    } = forked();
    let of = |log: &Log| question(&log.key, &[tip(log)]);
    let views: [(&str, &str, Value, Value); 7] = [
        (
            "longest-at-its-tip",
            "The longest branch, asked for by its own view.",
            of(&away),
            args_after(&away),
        ),
        (
            "longest-at-first",
            "The longest branch, asked for by the first view.",
            question(&author(), &[Hash::of(&own.entries[0])]),
            args_after(&away),
        ),
        (
            "longest-at-shorter",
            "The longest branch, asked for by the view of a shorter one.",
            of(&own),
            args_after(&away),
        ),
        (
            "longest-at-branch-of-branch",
            "The longest branch, asked for by the view of a branch of it.",
            of(&twice),
            args_after(&away),
        ),
        (
            "longest-of-all",
            "The longest branch, asked for by the view of three.",
            question(&author(), &view([tip(&own), tip(&away), tip(&twice)])),
            args_after(&away),
        ),
        (
            "other-tree",
            "The tree of another document in the same log.",
            of(&elsewhere),
            args_after(&elsewhere),
        ),
        (
            "longest-of-other-author",
            "Somebody else's log of the document.",
            question(&other_author(), &[tip(&away)]),
            args_after(&visit),
        ),
    ];
    for (name, comment, question, args) in views {
        told(set.valid(name, comment, question, args));
    }
    told(set.valid(
        "new-log-beside-branches",
        "Branches take up no log ids.",
        question(&author(), &[]),
        args_after(&Log::new(author(), 1)),
    ))
    .requires(&["PB9"]);
    told(set.invalid(
        "two-documents-of-one-log",
        "A view of two documents, which one log holds.",
        "longest-of-all",
        question(&author(), &view([tip(&own), tip(&elsewhere)])),
        "previous_mixed",
    ))
    .requires(&["PB11", "FK11"]);
    others(&mut set);
    set
}

fn others(set: &mut Set) {
    set.using("world", "equals");
    let (_, [best, other]) = equals();
    for (name, comment, log) in [
        (
            "equals-at-lower",
            "Of two equals, that of the lower hash.",
            &best,
        ),
        (
            "equals-at-higher",
            "The same, asked for by the view of the other.",
            &other,
        ),
    ] {
        told(set.valid(
            name,
            comment,
            question(&author(), &[tip(log)]),
            args_after(&best),
        ));
    }
    set.using("world", "one-ended");
    let (_, [over, open]) = ended(true);
    for (name, comment, log) in [
        (
            "open-at-open",
            "The branch that did not end, although it is shorter.",
            &open,
        ),
        (
            "open-at-ended",
            "The same, asked for by the view of the one that ended.",
            &over,
        ),
    ] {
        told(set.valid(
            name,
            comment,
            question(&author(), &[tip(log)]),
            args_after(&open),
        ))
        .requires(&["FK2", "FK9"])
        .flag("EndOfLog");
    }
    set.using("world", "all-ended");
    let (_, [over, _]) = ended(false);
    told(set.invalid(
        "all-ended",
        "Every branch of the log has ended.",
        "open-at-ended",
        question(&author(), &[tip(&over)]),
        "log_ended",
    ))
    .requires(&["FK2", "FK9"])
    .flag("EndOfLog");
    set.using("world", "two-logs");
    let (_, [low, high]) = two_logs();
    for (name, comment, log) in [
        (
            "longer-log-at-shorter",
            "Of two logs of one document, the longer.",
            &low,
        ),
        (
            "longer-log-at-its-tip",
            "The same, asked for by its own view.",
            &high,
        ),
    ] {
        told(set.valid(
            name,
            comment,
            question(&author(), &[tip(log)]),
            args_after(&high),
        ));
    }
}

pub(super) fn publish() -> Set {
    let mut set = set_of("publish", "branches", &["FK1", "PB1"]);
    worlds(&mut set);
    set.using("world", "forked");
    let forked = forked();
    lengthened(&mut set, &forked);
    retried(&mut set, &forked);
    begun(&mut set, &forked);
    misplaced(&mut set, &forked);
    ends(&mut set);
    set
}

/// The next operation on the first document, on top of the branch's last.
fn update(log: &Log) -> Vec<u8> {
    cafe_update(&[tip(log)], 30)
}

fn lengthened(set: &mut Set, forked: &Forked) {
    let logs = [
        (
            "own",
            "The branch that was published here, which is not the longest.",
            &forked.own,
        ),
        ("away", "The longest branch.", &forked.away),
        ("twice", "A branch of a branch.", &forked.twice),
        (
            "elsewhere",
            "The tree of another document.",
            &forked.elsewhere,
        ),
        ("visit", "Somebody else's log.", &forked.visit),
    ];
    for (name, comment, log) in logs {
        let payload = update(log);
        told(set.valid(
            &format!("lengthens-{name}"),
            comment,
            next(log, &payload),
            after(log, &payload),
        ))
        .requires(&["FK8", "PB8", "BA1"]);
    }
    let other = cafe_update(
        &view([tip(&forked.own), tip(&forked.away), tip(&forked.twice)]),
        31,
    );
    told(set.valid(
        "lengthens-and-merges",
        "An operation that merges what the branches say, on one of them.",
        next(&forked.own, &other),
        after(&forked.own, &other),
    ))
    .requires(&["FK8", "PB4"]);
    let delete = operation::delete(CAFE, &[tip(&forked.own)]).encode();
    told(set.valid(
        "lengthens-with-delete",
        "A DELETE on a branch.",
        next(&forked.twice, &delete),
        after(&forked.twice, &delete),
    ))
    .requires(&["FK8", "PB4"]);
    let create = cafe_create(12, "New");
    let new = Log::new(author(), 1);
    told(set.valid(
        "new-log",
        "Another document, in a log of its own.",
        next(&new, &create),
        after(&new, &create),
    ))
    .requires(&["PB1"]);
}

/// What is there is answered as the first time, whoever brought it and whatever followed.
fn retried(set: &mut Set, forked: &Forked) {
    for (name, comment, log, seq_num) in [
        (
            "own-2",
            "An entry that another branch lies beside.",
            &forked.own,
            2,
        ),
        (
            "away-2",
            "An entry of a peer, which two others follow.",
            &forked.away,
            2,
        ),
        (
            "away-5",
            "The last entry of the longest branch.",
            &forked.away,
            5,
        ),
        (
            "twice-3",
            "An entry of a branch of a branch.",
            &forked.twice,
            3,
        ),
        (
            "elsewhere-1",
            "The first entry of another tree.",
            &forked.elsewhere,
            1,
        ),
        (
            "own-1",
            "The first entry, where another first one is.",
            &forked.own,
            1,
        ),
    ] {
        told(set.valid(
            &format!("again-branch-{name}"),
            comment,
            again(log, seq_num),
            after_again(log, seq_num),
        ))
        .requires(&["PB7", "FK8"]);
    }
}

/// An entry in a place that another one has.
fn begun(set: &mut Set, forked: &Forked) {
    let places = [
        (
            "after-first",
            "After the first entry, which two entries follow.",
            "own",
            forked.own.until(1),
        ),
        (
            "after-own-2",
            "After the last entry but one of a branch.",
            "own",
            forked.own.until(2),
        ),
        (
            "after-away-2",
            "After an entry that two others follow.",
            "away",
            forked.away.until(2),
        ),
        (
            "after-away-4",
            "After the last entry but one of the longest branch.",
            "away",
            forked.away.until(4),
        ),
        (
            "after-twice-3",
            "After the last entry but one of a branch of a branch.",
            "twice",
            forked.twice.until(3),
        ),
    ];
    for (name, comment, near, log) in places {
        let payload = update(&log);
        let case = not_taken(
            set,
            (&format!("begins-{name}"), comment),
            &format!("lengthens-{near}"),
            next(&log, &payload),
            "would_fork",
        );
        told(case).requires(&["FK1", "FK7", "PB1"]);
    }
    let create = cafe_create(12, "New");
    let third = submission(
        &Draft::first(&author(), 0, &create).sign(&author()),
        &create,
    );
    let case = not_taken(
        set,
        ("begins-third-tree", "A third first entry."),
        "new-log",
        third,
        "would_fork",
    );
    told(case).requires(&["FK1", "FK7"]).or(&["log_id_in_use"]);
}

fn misplaced(set: &mut Set, forked: &Forked) {
    let payload = update(&forked.away);
    let draft = forked.away.draft(&payload);
    let wrong: [(&str, &str, Draft, &[&str]); 3] = [
        (
            "backlink-into-shorter",
            "The number of the longest branch, after the last entry of a shorter one.",
            Draft {
                backlink: Some(tip(&forked.own)),
                ..draft.clone()
            },
            &["seq_num_mismatch", "backlink_mismatch"],
        ),
        (
            "backlink-unknown",
            "The number of the longest branch, after an entry nobody knows.",
            Draft {
                backlink: Some(id(7)),
                ..draft.clone()
            },
            &["backlink_mismatch"],
        ),
        (
            "gap",
            "A number is left out.",
            Draft {
                seq_num: 7,
                ..draft
            },
            &["seq_num_mismatch"],
        ),
    ];
    for (name, comment, draft, reasons) in wrong {
        let case = not_taken(
            set,
            (&format!("branch-{name}"), comment),
            "lengthens-away",
            submission(&draft.sign(&author()), &payload),
            reasons[0],
        );
        told(case)
            .requires(&["PB1", "BA1"])
            .or(&reasons[1..])
            .flag("Links");
    }
    let short = Draft {
        backlink: Some(id(7)),
        ..forked.elsewhere.draft(&update(&forked.elsewhere))
    };
    let case = not_taken(
        set,
        (
            "branch-backlink-unknown-of-shorter",
            "The number of a shorter branch, after an entry nobody knows.",
        ),
        "lengthens-elsewhere",
        submission(&short.sign(&author()), &update(&forked.elsewhere)),
        "seq_num_mismatch",
    );
    told(case)
        .requires(&["PB1", "FK9"])
        .or(&["backlink_mismatch"])
        .flag("Links");
    crossed(set);
    let foreign = update(&forked.own);
    let case = not_taken(
        set,
        (
            "branch-of-other-document",
            "An operation of the first document, on the tree of the other.",
        ),
        "lengthens-elsewhere",
        next(&forked.elsewhere, &foreign),
        "log_id_in_use",
    );
    told(case)
        .requires(&["FK11", "PB6", "DO5"])
        .or(&["log_id_mismatch"]);
}

/// A skiplink into another branch, whose entry has the right number.
fn crossed(set: &mut Set) {
    let mut world = World::of_places();
    let mut begun = Log::new(author(), 0);
    let mut tip = world.publish(&mut begun, cafe_create(8, "Panda"));
    let (mut one, mut other) = (begun.clone(), begun);
    for hour in 1..7 {
        tip = world.publish(&mut one, cafe_update(&[tip], hour));
    }
    let mut tip = Hash::of(&other.entries[0]);
    for hour in 11..17 {
        tip = world.receive(&mut other, cafe_update(&[tip], hour));
    }
    set.world("crossed", world.value());
    set.using("world", "crossed");
    let payload = update(&one);
    told(set.valid(
        "lengthens-with-far-link",
        "Entry 8, whose far link is along its own branch.",
        next(&one, &payload),
        after(&one, &payload),
    ))
    .requires(&["FK10", "BA1"]);
    let draft = Draft {
        skiplink: Some(Hash::of(&other.entries[3])),
        ..one.draft(&payload)
    };
    let case = not_taken(
        set,
        (
            "far-link-into-other-branch",
            "Entry 8, whose far link names the fourth entry of the other branch.",
        ),
        "lengthens-with-far-link",
        submission(&draft.sign(&author()), &payload),
        "skiplink_mismatch",
    );
    told(case).requires(&["FK10", "BA1"]).flag("Links");
    set.using("world", "forked");
}

fn ends(set: &mut Set) {
    set.using("world", "one-ended");
    let (_, [over, open]) = ended(true);
    let payload = update(&open);
    told(set.valid(
        "lengthens-beside-ended",
        "The branch that did not end.",
        next(&open, &payload),
        after(&open, &payload),
    ))
    .requires(&["FK2", "FK8"])
    .flag("EndOfLog");
    let payload = update(&over);
    let case = not_taken(
        set,
        (
            "ended-branch",
            "The branch that ended, where another is open.",
        ),
        "lengthens-beside-ended",
        next(&over, &payload),
        "log_ended",
    );
    told(case).requires(&["FK2"]).flag("EndOfLog");
    set.using("world", "two-logs");
    let (_, [_, high]) = two_logs();
    let payload = update(&high);
    told(set.valid(
        "lengthens-longer-log",
        "Of two logs of one document, the longer.",
        next(&high, &payload),
        after(&high, &payload),
    ))
    .requires(&["FK9", "PB1"]);
}
