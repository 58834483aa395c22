//! Logs with several branches: each can be lengthened, and none begun (R24).
//!
//! The entries of all branches are in one context. Where an entry goes is told by its backlink alone.

use serde_json::json;

use super::super::fixtures::{author, cafe_create, cafe_update, id};
use super::super::set::Set;
use super::{SIGNED, input, next_args, payload};
use crate::forge::{Draft, Hash, Log, hex};
use crate::suite::Case;

/// A log that was forked again and again, by its branches up to their tips.
///
/// ```text
/// 1 ─ 2 ─ 3 ─ 4                              straight
///   └ 2 ─ 3 ─ 4 ─ 5 ─ 6 ─ 7                  first
///       └ 3 ─ 4 ─ 5                          second
///           └ 4                              third
/// 1 ─ 2 ─ 3                                  root
/// ```
struct Tree {
    straight: Log,
    first: Log,
    second: Log,
    third: Log,
    root: Log,
}

fn tree() -> Tree {
    let straight = branch(&Log::new(author(), 0), "straight", 4);
    let first = branch(&straight.until(1), "first", 6);
    let second = branch(&first.until(2), "second", 3);
    let third = branch(&second.until(3), "third", 1);
    let root = branch(&Log::new(author(), 0), "root", 3);
    Tree {
        straight,
        first,
        second,
        third,
        root,
    }
}

/// The log with `count` further entries, which are like those of no other name.
fn branch(before: &Log, name: &str, count: usize) -> Log {
    let mut log = before.clone();
    for n in 0..count {
        let tip = log.entries.last().map(Hash::of);
        log.push(match tip {
            None => cafe_create(8, name),
            Some(tip) => cafe_update(&[tip], (name.len() * 100 + n) as i128),
        });
    }
    log
}

impl Tree {
    fn branches(&self) -> [(&'static str, &Log); 5] {
        [
            ("straight", &self.straight),
            ("first", &self.first),
            ("second", &self.second),
            ("third", &self.third),
            ("root", &self.root),
        ]
    }

    /// Every entry once, branch after branch.
    fn entries(&self) -> Vec<Vec<u8>> {
        let mut entries: Vec<Vec<u8>> = Vec::new();
        for entry in self.branches().iter().flat_map(|(_, log)| &log.entries) {
            if !entries.contains(entry) {
                entries.push(entry.clone());
            }
        }
        entries
    }
}

pub(super) fn branches() -> Set {
    let mut set = Set::new("log.append", "branches", &["BA1", "NO1", "FK8"]);
    set.key("author", &author());
    let tree = tree();
    let entries = tree.entries();
    set.log("tree", &entries);
    let backwards: Vec<_> = entries.iter().rev().cloned().collect();
    set.log("tree-backwards", &backwards);
    lengthened(&mut set, &tree);
    again(&mut set, &tree);
    taken(&mut set, &tree);
    crossed(&mut set, &tree);
    unknown(&mut set, &tree);
    ended(&mut set);
    set
}

/// What holds for every case here: deployed software has one branch of a log, and does not see the others.
fn told(case: &mut Case) -> &mut Case {
    case.ruled("R24").flag("Fork").wire_is_open()
}

fn lengthened(set: &mut Set, tree: &Tree) {
    for context in ["tree", "tree-backwards"] {
        set.using("log", context);
        // The order of what is there means nothing; two branches are enough to show it.
        let shown = if context == "tree" { 5 } else { 2 };
        for (name, log) in tree.branches().into_iter().take(shown) {
            let entry = log.draft(&payload()).sign(&author());
            let comment = format!(
                "Entry {} of the branch called {name}, whatever the order of those that are there.",
                log.entries.len() + 1
            );
            let name = format!("{context}-lengthens-{name}");
            told(set.valid(&name, &comment, input(&entry), next_args(log, &entry)));
        }
    }
    set.using("log", "tree");
}

fn again(set: &mut Set, tree: &Tree) {
    let cases = [
        ("first-2", &tree.first, 2),
        ("first-7", &tree.first, 7),
        ("second-3", &tree.second, 3),
        ("third-4", &tree.third, 4),
        ("root-1", &tree.root, 1),
        ("root-3", &tree.root, 3),
    ];
    for (name, log, number) in cases {
        let (entry, operation) = (&log.entries[number - 1], &log.payloads[number - 1]);
        let same = json!({"entry": hex(entry), "operation": hex(operation)});
        let told_next = super::super::fixtures::next_args(&log.until(number));
        let comment = format!("Entry {number} of a branch once more: answered as the first time.");
        told(set.valid(&format!("tree-again-{name}"), &comment, same, told_next))
            .requires(&["FK8", "PB7"]);
    }
    // The operation of its sibling, which claims the same place.
    let (entry, other) = (&tree.first.entries[1], &tree.straight.payloads[1]);
    let swapped = json!({"entry": hex(entry), "operation": hex(other)});
    told(set.invalid(
        "tree-again-with-operation-of-sibling",
        "An entry that is there, with the operation of another entry of its number.",
        "tree-again-first-2",
        swapped,
        "payload_hash_mismatch",
    ))
    .requires(&["PB2"]);
}

/// Adds an entry that would begin a branch: after one that has a successor.
fn taken(set: &mut Set, tree: &Tree) {
    let places = [
        (
            "one",
            "The first entry, which two entries follow.",
            tree.straight.until(1),
            "straight",
        ),
        (
            "straight-2",
            "An entry that one entry follows.",
            tree.straight.until(2),
            "straight",
        ),
        (
            "first-2",
            "An entry of a branch, which two entries follow.",
            tree.first.until(2),
            "first",
        ),
        (
            "second-3",
            "An entry of a branch of a branch.",
            tree.second.until(3),
            "second",
        ),
        (
            "root-2",
            "An entry of another tree.",
            tree.root.until(2),
            "root",
        ),
        (
            "first-6",
            "The last entry but one of the longest branch.",
            tree.first.until(6),
            "first",
        ),
    ];
    for (name, comment, before, near) in places {
        let entry = before.draft(&payload()).sign(&author());
        let case = set.invalid(
            &format!("tree-taken-after-{name}"),
            comment,
            &format!("tree-lengthens-{near}"),
            input(&entry),
            "would_fork",
        );
        told(case).requires(&["FK1", "FK7"]);
    }
    let begun = Log::new(author(), 0).draft(&payload()).sign(&author());
    let case = set.invalid(
        "tree-third-root",
        "A third first entry.",
        "tree-lengthens-root",
        input(&begun),
        "would_fork",
    );
    told(case).requires(&["FK1", "FK7"]);
}

/// Skiplinks into other branches.
fn crossed(set: &mut Set, tree: &Tree) {
    let at = |log: &Log, number: usize| Hash::of(&log.entries[number - 1]);
    let wrong = [
        (
            "first",
            "skiplink-into-straight",
            "The skiplink of entry 8 names entry 4 of another branch.",
            &tree.first,
            at(&tree.straight, 4),
        ),
        (
            "first",
            "skiplink-into-second",
            "The skiplink of entry 8 names entry 4 of a branch that left this one before.",
            &tree.first,
            at(&tree.second, 4),
        ),
        (
            "root",
            "skiplink-into-other-tree",
            "The skiplink of entry 4 names another first entry.",
            &tree.root,
            at(&tree.straight, 1),
        ),
    ];
    for (near, name, comment, log, skiplink) in wrong {
        let draft = Draft {
            skiplink: Some(skiplink),
            ..log.draft(&payload())
        };
        let case = set.invalid_signed(
            (&format!("tree-{name}"), comment),
            &format!("tree-lengthens-{near}"),
            input(&draft.sign(&author())),
            SIGNED,
            "skiplink_mismatch",
        );
        told(case).requires(&["FK10", "BA1"]).flag("Links");
    }
    // Between the two, numbers fit and branches do not.
    let crossing = Draft {
        backlink: Some(at(&tree.straight, 4)),
        seq_num: 8,
        ..tree.first.draft(&payload())
    };
    let case = set.invalid_signed(
        (
            "tree-backlink-into-shorter",
            "The number of the longest branch, on the entry that ends a shorter one.",
        ),
        "tree-lengthens-first",
        input(&crossing.sign(&author())),
        SIGNED,
        "seq_num_mismatch",
    );
    told(case)
        .requires(&["PB1", "BA1"])
        .or(&["backlink_mismatch", "skiplink_mismatch"])
        .flag("Links");
}

/// Backlinks to entries that are not there: what is told follows from the branch to go on with.
fn unknown(set: &mut Set, tree: &Tree) {
    let lost = |log: &Log| Draft {
        backlink: Some(id(7)),
        ..log.draft(&payload())
    };
    let case = set.invalid_signed(
        (
            "tree-backlink-unknown",
            "The next number of the longest branch, on an entry that is not there.",
        ),
        "tree-lengthens-first",
        input(&lost(&tree.first).sign(&author())),
        SIGNED,
        "backlink_mismatch",
    );
    told(case).requires(&["BA1", "FK9"]).flag("Links");
    let case = set.invalid_signed(
        (
            "tree-backlink-unknown-of-shorter",
            "The next number of a shorter branch, on an entry that is not there.",
        ),
        "tree-lengthens-straight",
        input(&lost(&tree.straight).sign(&author())),
        SIGNED,
        "seq_num_mismatch",
    );
    told(case)
        .requires(&["BA1", "FK9"])
        .or(&["backlink_mismatch"])
        .flag("Links");
}

/// The end of a log is that of one branch.
fn ended(set: &mut Set) {
    let begun = branch(&Log::new(author(), 0), "straight", 1);
    let end = |before: &Log, name: &str| {
        let mut log = before.clone();
        let operation = cafe_create(1, name);
        let draft = Draft {
            tag: 1,
            ..log.draft(&operation)
        };
        log.push_signed(draft.sign(&author()), operation);
        log
    };
    let (over, open) = (end(&begun, "over"), branch(&begun, "open", 1));
    let over_too = end(&branch(&begun, "long", 2), "over too");
    let all = |logs: &[&Log]| -> Vec<Vec<u8>> {
        let mut entries = begun.entries.clone();
        entries.extend(logs.iter().flat_map(|log| log.entries[1..].to_vec()));
        entries
    };
    set.log("one-ended", &all(&[&over, &open]));
    set.log("all-ended", &all(&[&over, &over_too]));
    set.using("log", "one-ended");
    let next = |log: &Log| log.draft(&payload()).sign(&author());
    let entry = next(&open);
    told(set.valid(
        "ended-branch-beside",
        "The branch that has not ended goes on.",
        input(&entry),
        next_args(&open, &entry),
    ))
    .requires(&["FK2", "FK8"])
    .flag("EndOfLog");
    after_the_end(set, &over, &over_too);
    set.using_nothing();
}

/// Entries after branches that have ended.
fn after_the_end(set: &mut Set, over: &Log, over_too: &Log) {
    let next = |log: &Log| log.draft(&payload()).sign(&author());
    let after = |set: &mut Set, name: &str, comment: &str, entry: &[u8]| {
        let case = set.invalid(
            name,
            comment,
            "ended-branch-beside",
            input(entry),
            "log_ended",
        );
        told(case).requires(&["FK2"]).flag("EndOfLog");
    };
    after(
        set,
        "ended-branch",
        "The branch that has ended does not, although another is open.",
        &next(over),
    );
    set.using("log", "all-ended");
    after(
        set,
        "all-ended-shorter",
        "Both branches have ended: after the shorter one.",
        &next(over),
    );
    after(
        set,
        "all-ended-longer",
        "Both branches have ended: after the longer one.",
        &next(over_too),
    );
    let lost = Draft {
        backlink: Some(id(7)),
        ..over_too.draft(&payload())
    };
    after(
        set,
        "all-ended-unknown",
        "Both branches have ended, and the entry follows one that is not there.",
        &lost.sign(&author()),
    );
    with_lower_numbers(set, &lost);
}

/// Entries that follow one that is not there, with a number no greater than the last.
fn with_lower_numbers(set: &mut Set, lost: &Draft) {
    let first = branch(&Log::new(author(), 0), "straight", 1)
        .entries
        .remove(0);
    for (name, comment, seq_num) in [
        (
            "at-the-end",
            "The number of the longest branch's last entry, on one that is not there.",
            4,
        ),
        (
            "before-the-end",
            "A lower number, on an entry that is not there.",
            3,
        ),
    ] {
        let lower = Draft {
            seq_num,
            skiplink: (seq_num == 4).then(|| Hash::of(&first)),
            ..lost.clone()
        };
        let case = set.invalid(
            &format!("all-ended-unknown-{name}"),
            comment,
            "ended-branch-beside",
            input(&lower.sign(&author())),
            "seq_num_mismatch",
        );
        told(case).requires(&["FK2", "FK9"]).flag("EndOfLog");
    }
}
