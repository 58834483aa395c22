//! Logs of which only some entries are held: those that the next link names are enough.
//!
//! Whoever takes whole logs only need not answer these: the cases ask for the feature `partial-log`.
//! They reach positions no whole log of a test would, up to the last one.

use serde_json::{Value, json};

use super::super::fixtures::{author, id};
use super::super::set::Set;
use super::{SIGNED, input, payload};
use crate::forge::{Draft, Hash, hex, lipmaa};
use crate::suite::Case;

const FEATURE: &str = "partial-log";

/// T(9) and T(35): the links reach back farthest there, and the second is beyond what doubles tell apart.
const T9: u64 = (3u64.pow(9) - 1) / 2;
const T35: u64 = (3u64.pow(35) - 1) / 2;

/// Some entries of the author's log 0. Links to entries that are not held name nothing in particular.
struct Held(Vec<(u64, Vec<u8>)>);

impl Held {
    fn of(seq_nums: &[u64]) -> Self {
        let mut held = Self(Vec::new());
        for &seq_num in seq_nums {
            let entry = held.draft(seq_num).sign(&author());
            held.0.push((seq_num, entry));
        }
        held
    }

    fn hash(&self, seq_num: u64) -> Option<Hash> {
        let entry = self.0.iter().find(|(held, _)| *held == seq_num);
        entry.map(|(_, entry)| Hash::of(entry))
    }

    fn draft(&self, seq_num: u64) -> Draft {
        let far = lipmaa::is_encoded(seq_num).then(|| lipmaa::lipmaa(seq_num));
        Draft {
            seq_num,
            skiplink: far.map(|far| self.hash(far).unwrap_or(id(0xaa))),
            backlink: (seq_num > 1).then(|| self.hash(seq_num - 1).unwrap_or(id(0xbb))),
            ..Draft::first(&author(), 0, &payload())
        }
    }

    fn without(&self, seq_num: u64) -> Vec<Vec<u8>> {
        let kept = self.0.iter().filter(|(held, _)| *held != seq_num);
        kept.map(|(_, entry)| entry.clone()).collect()
    }

    /// The arguments of the entry after `entry`, which stands at `seq_num`.
    fn next_args(&self, seq_num: u64, entry: &[u8]) -> Value {
        let next = seq_num + 1;
        let far = lipmaa::is_encoded(next).then(|| lipmaa::lipmaa(next));
        let skiplink = match far {
            Some(far) if far == seq_num => Some(Hash::of(entry)),
            Some(far) => Some(self.hash(far).expect("held for this")),
            None => None,
        };
        json!({
            "log_id": "0",
            "seq_num": next.to_string(),
            "backlink": Hash::of(entry).hex(),
            "skiplink": skiplink.map(|link| link.hex()),
        })
    }
}

/// The entries that appending at `seq_num`, and telling what comes next, need.
fn needed(seq_num: u64) -> Vec<u64> {
    let far = [seq_num, seq_num.saturating_add(1)].map(lipmaa::lipmaa);
    let mut needed: Vec<_> = far.into_iter().chain([seq_num - 1]).collect();
    needed.retain(|held| (1..seq_num).contains(held));
    needed.sort_unstable();
    needed.dedup();
    needed
}

pub(super) fn partial() -> Set {
    let mut set = Set::new("log.append", "partial", &["BA1", "NO1"]);
    set.key("author", &author());
    let places = [
        ("3", 3),
        ("4", 4),
        ("13", 13),
        ("before-t9", T9 - 1),
        ("1000", 1_000),
        ("t9", T9),
        ("t9-and-1", T9 + 1),
        ("t35", T35),
        ("2-to-the-63", 1 << 63),
        ("last", u64::MAX - 1),
    ];
    for (name, seq_num) in places {
        let held = Held::of(&needed(seq_num));
        let entries: Vec<_> = held.0.iter().map(|(_, entry)| entry.clone()).collect();
        set.log(&format!("for-{name}"), &entries);
        let entry = held.draft(seq_num).sign(&author());
        let case = set.valid(
            &format!("partial-{name}"),
            &format!("Entry {seq_num} of a log of which only the entries it needs are held."),
            input(&entry),
            held.next_args(seq_num, &entry),
        );
        asks(case).needs("log", &format!("for-{name}"));
    }
    missing(&mut set);
    wrong_links(&mut set);
    full(&mut set);
    set
}

fn asks(case: &mut Case) -> &mut Case {
    case.features = vec![FEATURE.to_owned()];
    case.flag("Boundary")
}

/// The entry that the skiplink names is not there.
fn missing(set: &mut Set) {
    for (name, seq_num, comment) in [
        ("4", 4, "The entry the skiplink names is not there."),
        ("t9", T9, "The entry the skiplink names is not there."),
        ("t35", T35, "The entry the skiplink names is not there."),
    ] {
        let held = Held::of(&needed(seq_num));
        let far = lipmaa::lipmaa(seq_num);
        let log = format!("for-{name}-without-far");
        set.log(&log, &held.without(far));
        let entry = held.draft(seq_num).sign(&author());
        set.using("log", &log);
        let case = set.invalid(
            &format!("partial-{name}-without-far"),
            comment,
            &format!("partial-{name}"),
            input(&entry),
            "skiplink_not_found",
        );
        asks(case);
        set.using_nothing();
    }
}

fn wrong_links(set: &mut Set) {
    type Change = fn(&Held, u64, &mut Draft);
    let changes: [(&str, &str, &str, Change, &str); 5] = [
        (
            "t9-skiplink-near",
            "t9",
            "The skiplink names the entry that an ordinary position would link to.",
            |held, seq_num, draft| {
                draft.skiplink = held.hash(seq_num - 1).map(|hash| hash.with_byte(33, 0))
            },
            "skiplink_mismatch",
        ),
        (
            "t35-skiplink-wrong",
            "t35",
            "The skiplink names no entry that is held.",
            |_, _, draft| draft.skiplink = Some(id(7)),
            "skiplink_mismatch",
        ),
        (
            "2-to-the-63-backlink-wrong",
            "2-to-the-63",
            "The backlink names no entry that is held.",
            |_, _, draft| draft.backlink = Some(id(7)),
            "backlink_mismatch",
        ),
        (
            "1000-gap",
            "1000",
            "A number is left out.",
            |_, seq_num, draft| draft.seq_num = alike(seq_num, (seq_num + 2)..),
            "seq_num_mismatch",
        ),
        (
            "1000-before",
            "1000",
            "A number below the latest, of an entry that is not held.",
            |_, seq_num, draft| draft.seq_num = alike(seq_num, 500..seq_num - 1),
            "seq_num_mismatch",
        ),
    ];
    for (name, near, comment, change, reason) in changes {
        let (_, seq_num) = [
            ("1000", 1_000),
            ("t9", T9),
            ("t35", T35),
            ("2-to-the-63", 1 << 63),
        ]
        .into_iter()
        .find(|(place, _)| *place == near)
        .expect("one of the places");
        let held = Held::of(&needed(seq_num));
        let mut draft = held.draft(seq_num);
        change(&held, seq_num, &mut draft);
        set.using("log", &format!("for-{near}"));
        let case = set.invalid_signed(
            (&format!("partial-{name}"), comment),
            &format!("partial-{near}"),
            input(&draft.sign(&author())),
            SIGNED,
            reason,
        );
        asks(case);
        if reason == "seq_num_mismatch" {
            case.or(&["skiplink_not_found"]);
        }
        set.using_nothing();
    }
}

/// The first of `candidates` whose entry has as many links as that of `seq_num`.
fn alike(seq_num: u64, mut candidates: impl Iterator<Item = u64>) -> u64 {
    let alike = |candidate: &u64| lipmaa::is_encoded(*candidate) == lipmaa::is_encoded(seq_num);
    candidates.find(alike).expect("one in two or three is")
}

/// The greatest number is next, its links are right, and still it cannot be taken.
fn full(set: &mut Set) {
    let mut seq_nums = needed(u64::MAX);
    seq_nums.extend(needed(u64::MAX - 1));
    seq_nums.sort_unstable();
    seq_nums.dedup();
    let held = Held::of(&seq_nums);
    let entries: Vec<_> = held.0.iter().map(|(_, entry)| entry.clone()).collect();
    set.log("full", &entries);
    set.using("log", "full");
    let entry = held.draft(u64::MAX).sign(&author());
    let case = set.invalid_signed(
        (
            "partial-full",
            "The greatest number comes next, and no number would be left to tell.",
        ),
        "partial-last",
        input(&entry),
        SIGNED,
        "seq_num_max",
    );
    asks(case).ruled("R26");
    let again = &held.0.last().expect("the entry before").1;
    let input = json!({"entry": hex(again), "operation": hex(payload())});
    let case = set.valid(
        "partial-last-again",
        "The last entry there can be, once more.",
        input,
        held.next_args(u64::MAX - 1, again),
    );
    asks(case)
        .requires(&["FK1", "NO1"])
        .wire_refuses("R23", "seq_num_mismatch");
    set.using_nothing();
}
