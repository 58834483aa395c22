//! Entries of several branches: what is proved is proved along its own branch (R24).

use serde_json::Value;

use super::super::fixtures::{author, cafe_create, cafe_update};
use super::super::set::Set;
use super::{only_change, proof, question};
use crate::forge::{Draft, Hash, Log, hex};
use crate::suite::Case;

pub(super) fn branches() -> Set {
    let mut set = Set::new("branch.verify", "branches", &["FK8", "BA1"]);
    set.key("author", &author());
    let straight = grown(&Log::new(author(), 0), 1, 5);
    let first = grown(&straight.until(2), 100, 6);
    let second = grown(&first.until(5), 200, 7);
    let third = grown(&second.until(7), 300, 1);
    let root = grown(&Log::new(author(), 0), 400, 4);
    let all = together(&[&straight, &first, &second, &third, &root]);
    for (name, log) in [
        ("straight", &straight),
        ("first", &first),
        ("second", &second),
        ("third", &third),
        ("root", &root),
    ] {
        let number = log.entries.len();
        let comment = format!("Entry {number} of the branch called {name}, among all there are.");
        told(set.valid(
            &format!("tree-{name}-{number}"),
            &comment,
            asked(&all, log, number),
            proof(number as u64),
        ));
    }
    lacking(&mut set, &second, &straight);
    crossed(&mut set, [&straight, &first, &second, &root]);
    crossed_far(&mut set, &straight);
    ended(&mut set);
    set
}

fn told(case: &mut Case) -> &mut Case {
    case.ruled("R24").flag("Fork").wire_is_open()
}

/// A log with `count` further entries, which differ from those of another `mark`.
fn grown(before: &Log, mark: i128, count: usize) -> Log {
    let mut log = before.clone();
    for n in 0..count {
        let tip = log.entries.last().map(Hash::of);
        let number = mark + n as i128;
        log.push(tip.map_or_else(
            || cafe_create(number, "Panda"),
            |tip| cafe_update(&[tip], number),
        ));
    }
    log
}

fn together(logs: &[&Log]) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for entry in logs.iter().flat_map(|log| &log.entries).map(hex) {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Whether `entries` prove entry `number` of a log.
fn asked(entries: &[String], log: &Log, number: usize) -> Value {
    question(entries.to_vec(), Hash::of(&log.entries[number - 1]))
}

/// All of another branch, and of the own one not enough.
fn lacking(set: &mut Set, own: &Log, other: &Log) {
    let given = |kept: &[usize]| {
        let mut entries = together(&[other]);
        entries.extend(kept.iter().map(|number| hex(&own.entries[number - 1])));
        asked(&entries, own, 12)
    };
    told(set.valid(
        "branch-beside-whole-log",
        "All of a branch, and of another one no more than it takes.",
        given(&[4, 8, 12]),
        proof(12),
    ));
    told(set.invalid(
        "branch-lacks-far-link",
        "The far link leads to an entry that is not there; another of its number is.",
        "branch-beside-whole-log",
        given(&[8, 12]),
        "certificate_incomplete",
    ))
    .requires(&["FK10", "BA1"])
    .or(&["skiplink_mismatch"]);
}

/// Far links into another branch, where the own branch is there to tell.
fn crossed(set: &mut Set, [straight, first, second, root]: [&Log; 4]) {
    let cases = [
        (
            "into-straight",
            "The far link of entry 8 names entry 4 of another branch.",
            first.until(7),
            straight,
            4,
        ),
        (
            "into-first",
            "The far link of entry 12 names entry 8 of the branch this one came from.",
            second.until(11),
            first,
            8,
        ),
        (
            "into-other-tree",
            "The far link of entry 4 names another first entry.",
            root.until(3),
            straight,
            1,
        ),
    ];
    for (name, comment, before, other, far) in cases {
        let (all, far) = (together(&[&before, other]), &other.entries[far - 1]);
        let number = before.entries.len() as u64 + 1;
        let right = before.draft(&cafe_update(&[Hash::of(far)], 77));
        let wrong = Draft {
            skiplink: Some(Hash::of(far)),
            ..right.clone()
        };
        let [right, wrong] = [right, wrong].map(|draft| {
            let entry = draft.sign(&author());
            let entries = [&[hex(&entry)], &all[..]].concat();
            question(entries, Hash::of(&entry))
        });
        let near = format!("far-link-not-{name}");
        told(set.valid(
            &near,
            "The far link leads along the own branch.",
            right,
            proof(number),
        ))
        .requires(&["FK10", "BA1"]);
        let case = set.invalid(
            &format!("far-link-{name}"),
            comment,
            &near,
            wrong,
            "skiplink_mismatch",
        );
        told(case).requires(&["FK10", "BA1"]).flag("Links");
        only_change(case, "/entries/0");
    }
}

/// Only far links lead back along the own branch; one names an entry of another.
fn crossed_far(set: &mut Set, straight: &Log) {
    let own = grown(&straight.until(2), 700, 10);
    let right = own.draft(&cafe_update(&[Hash::of(&own.entries[11])], 78));
    let wrong = Draft {
        skiplink: Some(Hash::of(&straight.entries[3])),
        ..right.clone()
    };
    let [right, wrong] = [right, wrong].map(|draft| {
        let entry = draft.sign(&author());
        let mut entries = vec![hex(&entry), hex(&straight.entries[3])];
        entries.extend([12, 8, 4, 1].map(|number| hex(&own.entries[number - 1])));
        question(entries, Hash::of(&entry))
    });
    told(set.valid(
        "far-link-both-ways",
        "Far links alone lead from entry 13 and from the one before it to the same entry 4.",
        right,
        proof(13),
    ))
    .requires(&["FK10", "BA1"]);
    let case = set.invalid(
        "far-link-one-way",
        "The far link of entry 13 leads to another entry 4 than those of the entries before it.",
        "far-link-both-ways",
        wrong,
        "skiplink_mismatch",
    );
    told(case).requires(&["FK10", "BA1"]).flag("Links");
    only_change(case, "/entries/0");
}

/// The end of one branch is not that of the others.
fn ended(set: &mut Set) {
    let begun = grown(&Log::new(author(), 0), 1, 3);
    let fourth = |tag: u8| {
        let mut log = begun.clone();
        let operation = cafe_create(1, "end");
        let draft = Draft {
            tag,
            ..log.draft(&operation)
        };
        log.push_signed(draft.sign(&author()), operation);
        grown(&log, 500, 9)
    };
    let (open, over) = (fourth(0), fourth(1));
    let beside = grown(&begun, 600, 2);
    let given = together(&[&over.until(4), &beside]);
    told(set.valid(
        "ended-beside",
        "Another branch ended at the number before.",
        asked(&given, &beside, 5),
        proof(5),
    ))
    .requires(&["FK2", "FK8"])
    .flag("EndOfLog");
    told(set.valid(
        "ended-itself",
        "The end of a branch, where another goes on.",
        asked(&given, &over, 4),
        proof(4),
    ))
    .requires(&["FK2", "FK8"])
    .flag("EndOfLog");
    let way = |log: &Log| {
        let entries: Vec<_> = [13, 4, 1]
            .map(|number| hex(&log.entries[number - 1]))
            .into();
        asked(&entries, log, 13)
    };
    set.valid(
        "far-link-to-open",
        "Entry 13, with no more than it takes.",
        way(&open),
        proof(13),
    )
    .requires(&["FK2", "BA1"]);
    let case = set.invalid(
        "far-link-to-ended",
        "The far link of entry 13 leads to one that ended its branch.",
        "far-link-to-open",
        way(&over),
        "log_ended",
    );
    case.requires(&["FK2", "BA1"])
        .flag("EndOfLog")
        .wire_reads("R8", proof(13));
    only_change(case, "/entries/1");
}
