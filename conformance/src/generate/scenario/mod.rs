//! Cases of `scenario`: several steps at one node, and what each comes to.
//!
//! The documents are pieces of blobs, whose schema every node knows. What is asked at the end of a story
//! must not depend on the order in which the node heard of things.

mod deletions;
mod forks;
mod orders;

use serde_json::{Value, json};

use super::fixtures::{author, next_args, other_author};
use super::set::{Set, failure};
use crate::forge::{Hash, Item, Key, Log, hash, hex, operation};
use crate::suite::Case;

const PIECE: &str = "blob_piece_v1";

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("scenario", "node", &["RP10"]);
    set.key("author", &author());
    set.key("other", &other_author());
    orders::orders(&mut set);
    deletions::deletions(&mut set);
    forks::forks(&mut set);
    vec![set]
}

/// One of the two logs of a story.
#[derive(Clone, Copy)]
enum Of {
    Own,
    Other,
}

/// An entry that a peer hands over: log, number, and what it comes to.
type Handed = (Of, usize, &'static str);

/// The same entries in one of the orders in which peers may hand them over.
struct Order {
    name: &'static str,
    comment: &'static str,
    steps: &'static [Handed],
}

/// Steps with their outcomes.
#[derive(Default)]
struct Story {
    steps: Vec<Value>,
    told: Vec<Value>,
}

impl Story {
    fn step(&mut self, step: Value, outcome: Value) -> &mut Self {
        self.steps.push(step);
        self.told.push(outcome);
        self
    }

    /// A client publishes entry `seq_num` of a log, which is taken.
    fn publishes(&mut self, log: &Log, seq_num: usize) -> &mut Self {
        let mut so_far = log.clone();
        so_far.entries.truncate(seq_num);
        self.step(handed("publish", log, seq_num), next_args(&so_far))
    }

    /// A client publishes entry `seq_num` of a log, which is refused.
    fn is_refused(&mut self, log: &Log, seq_num: usize, reason: &str) -> &mut Self {
        self.step(handed("publish", log, seq_num), refusal(reason))
    }

    /// As a client publishes entry `seq_num` of a log, `existing` has its place; what is told to sign it
    /// anew with is what comes next in `fresh`.
    fn would_fork(&mut self, log: &Log, seq_num: usize, existing: Hash, fresh: &Log) -> &mut Self {
        let mut outcome = refusal("would_fork");
        outcome["existing"] = existing.hex().into();
        outcome["next"] = next_args(fresh);
        self.step(handed("publish", log, seq_num), outcome)
    }

    /// A peer hands over entry `seq_num` of a log.
    fn receives(&mut self, log: &Log, seq_num: usize, outcome: &str) -> &mut Self {
        self.step(handed("receive", log, seq_num), outcome.into())
    }

    /// Peers hand over entries of two logs.
    fn receives_all(&mut self, steps: &[Handed], [own, other]: [&Log; 2]) -> &mut Self {
        for (of, seq_num, outcome) in steps {
            let log = match of {
                Of::Own => own,
                Of::Other => other,
            };
            self.receives(log, *seq_num, outcome);
        }
        self
    }

    /// The document shows these bytes at this view.
    fn shows(&mut self, document: Hash, view: &[Hash], data: &[u8]) -> &mut Self {
        let fields = json!({"data": {"bytes": hex(data)}});
        let state = json!({"view_id": hash::view_id(view), "deleted": false, "fields": fields});
        self.step(
            json!({"do": "document", "document_id": document.hex()}),
            state,
        )
    }

    fn shows_deleted(&mut self, document: Hash, by: Hash) -> &mut Self {
        let state = json!({"view_id": by.hex(), "deleted": true, "fields": null});
        self.step(
            json!({"do": "document", "document_id": document.hex()}),
            state,
        )
    }

    fn shows_nothing(&mut self, document: Hash) -> &mut Self {
        self.step(
            json!({"do": "document", "document_id": document.hex()}),
            Value::Null,
        )
    }

    fn keeps(&mut self, document: Hash, entries: &[Hash], operations: &[Hash]) -> &mut Self {
        let kept = json!({"entries": ascending(entries), "operations": ascending(operations)});
        self.step(json!({"do": "kept", "document_id": document.hex()}), kept)
    }

    fn tells(&mut self, key: &Key, view: Hash, outcome: Value) -> &mut Self {
        let step =
            json!({"do": "next_args", "public_key": hex(key.public()), "view_id": view.hex()});
        self.step(step, outcome)
    }

    fn end<'a>(&self, set: &'a mut Set, name: &str, comment: &str) -> &'a mut Case {
        let case = set.valid(
            name,
            comment,
            json!({"steps": self.steps}),
            json!({"steps": self.told}),
        );
        case.wire_is_open()
    }
}

fn handed(how: &str, log: &Log, seq_num: usize) -> Value {
    let index = seq_num - 1;
    json!({"do": how, "entry": hex(&log.entries[index]), "operation": hex(&log.payloads[index])})
}

fn refusal(reason: &str) -> Value {
    let failure = failure(reason);
    json!({"phase": failure.phase, "reason": failure.reason})
}

fn ascending(ids: &[Hash]) -> Vec<String> {
    let mut ids: Vec<_> = ids.iter().map(Hash::hex).collect();
    ids.sort_unstable();
    ids
}

fn create(data: &[u8]) -> Vec<u8> {
    operation::create(PIECE, [("data", Item::bytes(data))]).encode()
}

fn update(previous: &[Hash], data: &[u8]) -> Vec<u8> {
    operation::update(PIECE, previous, [("data", Item::bytes(data))]).encode()
}

fn delete(previous: &[Hash]) -> Vec<u8> {
    operation::delete(PIECE, previous).encode()
}

/// A document by its author, with an UPDATE, and one beside it by somebody else.
struct Piece {
    own: Log,
    theirs: Log,
    /// CREATE, UPDATE, and the UPDATE beside it.
    ids: [Hash; 3],
}

fn piece() -> Piece {
    let (mut own, mut theirs) = (Log::new(author(), 0), Log::new(other_author(), 0));
    let first = own.push(create(b"one"));
    let second = own.push(update(&[first], b"two"));
    let beside = theirs.push(update(&[first], b"beside"));
    Piece {
        own,
        theirs,
        ids: [first, second, beside],
    }
}

/// The id of the last operation of a log.
fn own_tip(log: &Log) -> Hash {
    Hash::of(log.entries.last().expect("a log with entries"))
}
