//! Cases of `certificate` and `branch.verify`: which entries prove one of them, and whether these do.

mod branches;
mod certificates;
mod partial;

use serde_json::{Value, json};

use super::set::Set;
use crate::forge::{Hash, Log, hex, lipmaa};
use crate::suite::{Case, Step};

pub(super) fn sets() -> Vec<Set> {
    vec![
        certificates::certificates(),
        partial::partial(),
        branches::branches(),
    ]
}

/// The entries of these numbers, to prove the one of `seq_num`.
fn part(log: &Log, given: &[u64], seq_num: u64) -> Value {
    let entries = given.iter().map(|at| hex(entry(log, *at))).collect();
    question(entries, Hash::of(entry(log, seq_num)))
}

fn entry(log: &Log, seq_num: u64) -> &[u8] {
    &log.entries[seq_num as usize - 1]
}

fn question(entries: Vec<String>, proved: Hash) -> Value {
    json!({"entries": entries, "entry": proved.hex()})
}

fn proof(seq_num: u64) -> Value {
    json!({
        "seq_num": seq_num.to_string(),
        "path": certificates::numbers(&lipmaa::way_to_first(seq_num)),
    })
}

/// Marks the steps of the edit whose path `is_one` as following from the others.
fn consequences(case: &mut Case, is_one: impl Fn(&str) -> bool) -> &mut Case {
    let edit = &mut case.near.as_mut().expect("an invalid case").edit;
    for step in edit.iter_mut() {
        if let Step::Splice { path, follows, .. } = step {
            *follows = is_one(path);
        }
    }
    case
}

/// The one change is that of the entry at `path`; the links to it, and the hash to be proved, follow.
fn only_change<'a>(case: &'a mut Case, path: &str) -> &'a mut Case {
    consequences(case, |at| at != path)
}
