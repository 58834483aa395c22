//! Cases of `scenario`: several steps at one node, and what each comes to.
//!
//! The documents are pieces of blobs, whose schema every node knows. What is asked at the end of a story
//! must not depend on the order in which the node heard of things.

use serde_json::{Value, json};

use super::fixtures::{author, next_args, other_author};
use super::set::{Set, failure};
use crate::forge::{Hash, Item, Key, Log, hash, hex, operation};
use crate::suite::Case;

const PIECE: &str = "blob_piece_v1";

pub fn sets() -> Vec<Set> {
    let mut set = Set::new("scenario", "node", &["RP10"]);
    set.key("author", &author());
    set.key("other", &other_author());
    orders(&mut set);
    deletions(&mut set);
    forks(&mut set);
    vec![set]
}

/// An entry that a peer hands over: log, number, and what it comes to.
type Handed<'a> = (&'a Log, usize, &'a str);

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

    /// A peer hands over entry `seq_num` of a log.
    fn receives(&mut self, log: &Log, seq_num: usize, outcome: &str) -> &mut Self {
        self.step(handed("receive", log, seq_num), outcome.into())
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

/// Whatever comes first, the end is the same.
fn orders(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, second, beside],
    } = piece();
    // Both set the field; the greater id comes last.
    let last: &[u8] = if second > beside { b"two" } else { b"beside" };
    let stories: [(&str, &str, [Handed<'_>; 3]); 4] = [
        (
            "in-order",
            "Everything comes after what it builds on.",
            [
                (&own, 1, "accepted"),
                (&own, 2, "accepted"),
                (&theirs, 1, "accepted"),
            ],
        ),
        (
            "branch-first",
            "The other branch comes first of all.",
            [
                (&theirs, 1, "waits"),
                (&own, 1, "accepted"),
                (&own, 2, "accepted"),
            ],
        ),
        (
            "backwards",
            "Everything comes before what it builds on.",
            [
                (&own, 2, "waits"),
                (&theirs, 1, "waits"),
                (&own, 1, "accepted"),
            ],
        ),
        (
            "log-backwards",
            "A log comes from its end.",
            [
                (&own, 2, "waits"),
                (&own, 1, "accepted"),
                (&theirs, 1, "accepted"),
            ],
        ),
    ];
    for (name, comment, steps) in stories {
        let mut story = Story::default();
        for (log, seq_num, outcome) in steps {
            story.receives(log, seq_num, outcome);
        }
        story
            .shows(first, &[second, beside], last)
            .keeps(first, &[first, second, beside], &[first, second, beside])
            .tells(&author(), first, next_args(&own))
            .end(set, name, comment)
            .ruled("R28")
            .flag("Order");
    }
    let mut story = Story::default();
    story
        .receives(&theirs, 1, "waits")
        .shows_nothing(first)
        .tells(&other_author(), beside, refusal("previous_not_found"))
        .end(
            set,
            "nothing-yet",
            "What waits is not shown, and not known.",
        )
        .ruled("R28");
    let mut story = Story::default();
    story
        .receives(&theirs, 1, "waits")
        .publishes(&own, 1)
        .shows(first, &[beside], b"beside")
        .end(
            set,
            "met-by-a-client",
            "A client publishes what something waited for.",
        )
        .ruled("R28");
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .publishes(&own, 2)
        .publishes(&own, 1)
        .publishes(&own, 2)
        .shows(first, &[second], b"two")
        .end(
            set,
            "published-twice",
            "Everything is published a second time.",
        )
        .requires(&["PB7"])
        .ruled("R23");
    let mut story = Story::default();
    story
        .is_refused(&theirs, 1, "previous_not_found")
        .publishes(&own, 1)
        .publishes(&theirs, 1)
        .end(
            set,
            "client-too-early",
            "A client is told that it came too early, and comes again.",
        )
        .requires(&["PB4"])
        .ruled("R28");
}

fn deletions(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, _, beside],
    } = piece();
    let mut deleted = own.clone();
    let deletion = deleted.push(delete(&[own_tip(&own)]));
    let second = own_tip(&own);
    let skeleton = [first, second, deletion];
    let both = [first, second, deletion, beside];

    let mut told = Story::default();
    told.publishes(&deleted, 1)
        .publishes(&deleted, 2)
        .publishes(&deleted, 3);
    told.shows_deleted(first, deletion)
        .keeps(first, &skeleton, &[deletion])
        .tells(&author(), first, refusal("document_deleted"))
        .end(
            set,
            "deleted",
            "Operations are dropped; entries and the DELETE stay.",
        )
        .requires(&["DL1", "DL2", "DL5"])
        .ruled("R7")
        .flag("Delete");
    let mut refused = Story::default();
    refused
        .publishes(&deleted, 1)
        .publishes(&deleted, 2)
        .publishes(&deleted, 3);
    refused
        .is_refused(&theirs, 1, "document_deleted")
        .shows_deleted(first, deletion)
        .keeps(first, &skeleton, &[deletion])
        .end(
            set,
            "client-after-delete",
            "An UPDATE that a client publishes after the DELETE leaves no trace.",
        )
        .requires(&["PB5", "DL5"])
        .ruled("R6")
        .flag("Delete");
    let orders: [(&str, &str, [Handed<'_>; 4]); 3] = [
        (
            "peer-after-delete",
            "From a peer, the UPDATE after the DELETE joins its log, and nothing else.",
            [
                (&deleted, 1, "accepted"),
                (&deleted, 2, "accepted"),
                (&deleted, 3, "accepted"),
                (&theirs, 1, "accepted"),
            ],
        ),
        (
            "peer-before-delete",
            "The UPDATE came before the DELETE: the end is the same.",
            [
                (&deleted, 1, "accepted"),
                (&deleted, 2, "accepted"),
                (&theirs, 1, "accepted"),
                (&deleted, 3, "accepted"),
            ],
        ),
        (
            "peer-delete-waits",
            "The DELETE came first of all: the end is the same.",
            [
                (&deleted, 3, "waits"),
                (&theirs, 1, "waits"),
                (&deleted, 2, "waits"),
                (&deleted, 1, "accepted"),
            ],
        ),
    ];
    for (name, comment, steps) in orders {
        let mut story = Story::default();
        for (log, seq_num, outcome) in steps {
            story.receives(log, seq_num, outcome);
        }
        story
            .shows_deleted(first, deletion)
            .keeps(first, &both, &[deletion])
            .end(set, name, comment)
            .requires(&["DL4", "DL7", "DL1"])
            .ruled("R6")
            .flag("Delete");
    }
    let mut again = Story::default();
    again
        .publishes(&deleted, 1)
        .publishes(&deleted, 2)
        .publishes(&deleted, 3);
    again
        .publishes(&deleted, 1)
        .keeps(first, &skeleton, &[deletion])
        .end(set, "again-after-delete", "What was published before the DELETE is published again: a success that brings nothing back.")
        .requires(&["PB7", "DL1"])
        .ruled("R23")
        .flag("Delete");
    let mut stranger = Log::new(other_author(), 0);
    let other = stranger.push(delete(&[first]));
    let mut two = Story::default();
    two.receives(&own, 1, "accepted")
        .receives(&stranger, 1, "accepted");
    two.shows_deleted(first, other)
        .keeps(first, &[first, other], &[other])
        .end(
            set,
            "deleted-by-other",
            "Anybody may delete what nobody restricted.",
        )
        .requires(&["PB13", "DL2"])
        .ruled("R25")
        .flag("Delete");
}

/// The id of the last operation of a log.
fn own_tip(log: &Log) -> Hash {
    Hash::of(log.entries.last().expect("a log with entries"))
}

fn forks(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, second, beside],
    } = piece();
    let mut forked = own.clone();
    forked.entries.truncate(1);
    forked.payloads.truncate(1);
    forked.push(update(&[first], b"fork"));
    let mut on_top = Log::new(other_author(), 0);
    on_top.push(update(&[second], b"on top"));

    let mut story = Story::default();
    story.publishes(&own, 1).publishes(&own, 2);
    story
        .shows(first, &[second], b"two")
        .is_refused(&forked, 2, "log_forked")
        .shows(first, &[first], b"one")
        .tells(&author(), first, refusal("log_forked"))
        .is_refused(&own, 2, "log_forked")
        .end(
            set,
            "forked-by-client",
            "A second second entry: neither counts any more.",
        )
        .requires(&["FK1", "FK4", "FK5"])
        .ruled("R24")
        .flag("Fork");
    for (name, comment, log) in [
        (
            "forked-by-peer",
            "The fork comes from a peer.",
            [&own, &forked],
        ),
        (
            "forked-other-first",
            "The other entry came first: the end is the same.",
            [&forked, &own],
        ),
    ] {
        let mut story = Story::default();
        story
            .receives(log[0], 1, "accepted")
            .receives(log[0], 2, "accepted");
        story
            .step(handed("receive", log[1], 2), refusal("log_forked"))
            .shows(first, &[first], b"one")
            .tells(&author(), first, refusal("log_forked"))
            .end(set, name, comment)
            .requires(&["FK3", "FK4"])
            .ruled("R24")
            .flag("Fork");
    }
    let mut contained = Story::default();
    contained
        .publishes(&own, 1)
        .publishes(&own, 2)
        .publishes(&theirs, 1);
    contained
        .is_refused(&forked, 2, "log_forked")
        .shows(first, &[beside], b"beside")
        .tells(&other_author(), first, next_args(&theirs))
        .end(
            set,
            "fork-contained",
            "What others wrote on top of what came before the fork counts on.",
        )
        .requires(&["FK4"])
        .ruled("R24")
        .flag("Fork");
    let mut built = Story::default();
    built
        .publishes(&own, 1)
        .publishes(&own, 2)
        .publishes(&on_top, 1);
    built
        .shows(first, &[own_tip(&on_top)], b"on top")
        .is_refused(&forked, 2, "log_forked")
        .shows(first, &[first], b"one")
        .end(
            set,
            "fork-built-on",
            "What others wrote on top of a forked entry waits with it.",
        )
        .requires(&["FK6", "FK4"])
        .ruled("R24")
        .flag("Fork");
    let mut late = Story::default();
    late.publishes(&own, 1)
        .publishes(&own, 2)
        .is_refused(&forked, 2, "log_forked");
    late.receives(&on_top, 1, "waits")
        .shows(first, &[first], b"one")
        .end(
            set,
            "fork-built-on-late",
            "What comes later on top of a forked entry waits.",
        )
        .requires(&["FK6"])
        .ruled("R24")
        .flag("Fork");
    let mut elsewhere = Log::new(author(), 1);
    elsewhere.push(create(b"new"));
    let new = own_tip(&elsewhere);
    let mut other = Story::default();
    other
        .publishes(&own, 1)
        .publishes(&own, 2)
        .is_refused(&forked, 2, "log_forked");
    other
        .publishes(&elsewhere, 1)
        .shows(new, &[new], b"new")
        .end(
            set,
            "fork-elsewhere",
            "The author's other logs are as good as before.",
        )
        .requires(&["FK5"])
        .ruled("R24")
        .flag("Fork");
}
