//! Forked logs: races of clients, branches that peers bring, and what counts (R24).

use super::Of::{Other, Own};
use super::{Order, Piece, Story, create, delete, handed, own_tip, piece, refusal, update};
use crate::forge::{Draft, Hash, Log};
use crate::generate::fixtures::{author, next_args, other_author};
use crate::generate::set::Set;

pub(super) fn forks(set: &mut Set) {
    races(set);
    branches(set);
    trees(set);
    broken_branches(set);
}

/// Two entries for one place, each with another operation: whoever signed them forked the log.
struct Fork {
    own: Log,
    /// Leaves `own` after the first entry.
    away: Log,
    /// CREATE, the UPDATE of `own`, the UPDATE of `away`.
    ids: [Hash; 3],
}

fn fork() -> Fork {
    let Piece {
        own,
        ids: [first, second, _],
        ..
    } = piece();
    let mut away = own.until(1);
    let other = away.push(update(&[first], b"away"));
    Fork {
        own,
        away,
        ids: [first, second, other],
    }
}

/// What of several branches sets the field last: that of the greatest id.
fn greatest<'a>(sets: &[(Hash, &'a [u8])]) -> &'a [u8] {
    let last = sets.iter().max_by_key(|(id, _)| *id);
    last.expect("something sets the field").1
}

/// At the client's door, a place that is taken stays with whoever came first.
fn races(set: &mut Set) {
    let Fork {
        own,
        away,
        ids: [first, second, _],
    } = fork();
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .publishes(&own, 2)
        .would_fork(&away, 2, second, &own)
        .shows(first, &[second], b"two")
        .keeps(first, &[first, second], &[first, second])
        .publishes(&own, 2)
        .tells(&author(), first, next_args(&own))
        .end(
            set,
            "race-lost",
            "A second entry for a place: it leaves no trace, and what was published before stays.",
        )
        .requires(&["FK1", "FK7", "PB7"])
        .ruled("R24")
        .flag("Fork");
    let mut anew = own.clone();
    let third = anew.push(away.payloads[1].clone());
    let last = greatest(&[(second, b"two"), (third, b"away")]);
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .publishes(&own, 2)
        .would_fork(&away, 2, second, &own)
        .publishes(&anew, 3)
        .shows(first, &[second, third], last)
        .end(
            set,
            "race-signed-anew",
            "The operation is signed anew with the fresh arguments, and lies beside the one that won.",
        )
        .requires(&["FK7", "PB4"])
        .ruled("R24")
        .flag("Fork");
    race_of_creates(set, &own, first);
}

fn race_of_creates(set: &mut Set, own: &Log, first: Hash) {
    let mut other = Log::new(author(), 0);
    other.push(create(b"other"));
    let fresh = Log::new(author(), 1);
    let mut elsewhere = fresh.clone();
    elsewhere.push(create(b"other"));
    let new = own_tip(&elsewhere);
    let mut story = Story::default();
    story
        .publishes(own, 1)
        .would_fork(&other, 1, first, &fresh)
        .publishes(&elsewhere, 1)
        .shows(first, &[first], b"one")
        .shows(new, &[new], b"other")
        .end(
            set,
            "race-of-creates",
            "Two CREATEs for one log: the second is told of another log, and is signed anew.",
        )
        .requires(&["FK1", "FK7"])
        .ruled("R24")
        .flag("Fork");
}

/// Orders in which peers may hand over the entries: the end is the same.
const ORDERS: &[Order] = &[
    Order {
        name: "branch-of-peer",
        comment: "A peer brings another entry for a place.",
        steps: &[
            (Own, 1, "accepted"),
            (Own, 2, "accepted"),
            (Other, 2, "accepted"),
        ],
    },
    Order {
        name: "branch-of-peer-first",
        comment: "The other entry came first: the end is the same.",
        steps: &[
            (Own, 1, "accepted"),
            (Other, 2, "accepted"),
            (Own, 2, "accepted"),
        ],
    },
    Order {
        name: "branch-waits",
        comment: "Both entries came before the one they follow.",
        steps: &[(Other, 2, "waits"), (Own, 2, "waits"), (Own, 1, "accepted")],
    },
    Order {
        name: "branch-waits-alone",
        comment: "One of the two came before the one they follow.",
        steps: &[
            (Own, 2, "waits"),
            (Own, 1, "accepted"),
            (Other, 2, "accepted"),
        ],
    },
];

/// From peers branches are taken, in any order, and everything counts.
fn branches(set: &mut Set) {
    let Fork {
        own,
        away,
        ids: [first, second, other],
    } = fork();
    let last = greatest(&[(second, b"two"), (other, b"away")]);
    let best = if second < other { &own } else { &away.until(2) };
    for &Order {
        name,
        comment,
        steps,
    } in ORDERS
    {
        let mut story = Story::default();
        story
            .receives_all(steps, [&own, &away])
            .shows(first, &[second, other], last)
            .keeps(first, &[first, second, other], &[first, second, other])
            .tells(&author(), first, next_args(best))
            .end(set, name, comment)
            .requires(&["FK8", "FK9", "RP10"])
            .ruled("R24")
            .flag("Fork");
    }
    longer_branch(set, &own, away, [first, second, other]);
}

fn longer_branch(set: &mut Set, own: &Log, mut away: Log, [first, second, other]: [Hash; 3]) {
    let third = away.push(update(&[other], b"further"));
    let mut story = Story::default();
    story
        .publishes(own, 1)
        .publishes(own, 2)
        .receives(&away, 3, "waits")
        .receives(&away, 2, "accepted")
        .shows(
            first,
            &[second, third],
            greatest(&[(second, b"two"), (other, b"further")]),
        )
        .tells(&author(), first, next_args(&away))
        .would_fork(&lost(own), 2, own_or(second, other), &away)
        .end(
            set,
            "branch-longer",
            "The branch of a peer is the longer one: the author goes on there.",
        )
        .requires(&["FK8", "FK9", "FK7"])
        .ruled("R24")
        .flag("Fork");
    built_on(set, own, &away, [first, second, third]);
}

/// The lower hash of two.
fn own_or(one: Hash, other: Hash) -> Hash {
    one.min(other)
}

/// A third entry for the second place.
fn lost(own: &Log) -> Log {
    let mut log = own.until(1);
    log.push(update(&[own_tip(&own.until(1))], b"lost"));
    log
}

fn built_on(set: &mut Set, own: &Log, away: &Log, [first, second, third]: [Hash; 3]) {
    let mut theirs = Log::new(other_author(), 0);
    let mut previous = [second, third];
    previous.sort_unstable();
    let merged = theirs.push(update(&previous, b"merged"));
    let mut story = Story::default();
    story
        .publishes(own, 1)
        .publishes(own, 2)
        .receives(&theirs, 1, "waits")
        .receives(away, 2, "accepted")
        .receives(away, 3, "accepted")
        .shows(first, &[merged], b"merged")
        .end(
            set,
            "branches-merged",
            "Somebody else merges what the branches say; it waits for both.",
        )
        .requires(&["FK8", "RP10"])
        .ruled("R24")
        .flag("Fork");
    let mut over = own.clone();
    let deletion = over.push(delete(&[second]));
    let mut story = Story::default();
    story
        .publishes(own, 1)
        .publishes(own, 2)
        .publishes(&over, 3)
        .receives(away, 2, "accepted")
        .receives(away, 3, "accepted")
        .shows_deleted(first, deletion)
        .end(
            set,
            "branch-of-deleted",
            "A branch of a document that was deleted joins its log, and nothing else.",
        )
        .requires(&["FK8", "DL4", "DL7"])
        .ruled("R6")
        .flag("Fork")
        .flag("Delete");
}

/// Several first entries: each tree belongs to one document.
fn trees(set: &mut Set) {
    let Piece {
        own,
        ids: [first, second, _],
        ..
    } = piece();
    let mut root = Log::new(author(), 0);
    let other = root.push(create(b"other tree"));
    let grown = root.push(update(&[other], b"grown"));
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .publishes(&own, 2)
        .receives(&root, 1, "accepted")
        .receives(&root, 2, "accepted")
        .shows(first, &[second], b"two")
        .shows(other, &[grown], b"grown")
        .tells(&author(), first, next_args(&own))
        .tells(&author(), other, next_args(&root))
        .end(
            set,
            "tree-of-other-document",
            "A peer brings another first entry: a document of its own, in the same log.",
        )
        .requires(&["FK8", "FK11"])
        .ruled("R24")
        .flag("Fork");
    let mut crossed = root.until(1);
    crossed.push(update(&[second], b"crossed"));
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .publishes(&own, 2)
        .receives(&root, 1, "accepted")
        .step(handed("receive", &crossed, 2), refusal("log_id_in_use"))
        .shows(first, &[second], b"two")
        .shows(other, &[other], b"other tree")
        .end(
            set,
            "tree-crossed",
            "An operation of one document, on the tree of another, is refused from peers too.",
        )
        .requires(&["FK11", "DO5"])
        .ruled("R24")
        .flag("Fork");
}

/// What a branch may not be, from peers either.
fn broken_branches(set: &mut Set) {
    let Fork {
        own,
        away,
        ids: [first, second, other],
    } = fork();
    let mut over = own.until(1);
    let payload = update(&[first], b"over");
    let last = Draft {
        tag: 1,
        ..over.draft(&payload)
    };
    let end = over.push_signed(last.sign(&author()), payload);
    let mut after = over.clone();
    after.push(update(&[end], b"after"));
    let mut story = Story::default();
    story
        .publishes(&own, 1)
        .receives(&over, 2, "accepted")
        .receives(&away, 2, "accepted")
        .step(handed("receive", &after, 3), refusal("log_ended"))
        .shows(
            first,
            &[end, other],
            greatest(&[(end, b"over"), (other, b"away")]),
        )
        .tells(&author(), first, next_args(&away))
        .end(
            set,
            "branch-ended",
            "One branch has ended: nothing follows there, and the author goes on along the other.",
        )
        .requires(&["FK2", "FK9"])
        .ruled("R8")
        .flag("Fork")
        .flag("EndOfLog");
    far_link_elsewhere(set, &own, [first, second]);
}

fn far_link_elsewhere(set: &mut Set, own: &Log, [first, second]: [Hash; 2]) {
    let mut root = Log::new(author(), 0);
    let mut tip = root.push(create(b"root"));
    for step in [b"1", b"2"] {
        tip = root.push(update(&[tip], step));
    }
    let payload = update(&[tip], b"3");
    let wrong = Draft {
        skiplink: Some(first),
        ..root.draft(&payload)
    };
    let mut crossed = root.clone();
    crossed.push_signed(wrong.sign(&author()), payload);
    let document = Hash::of(&root.entries[0]);
    let mut story = Story::default();
    story
        .publishes(own, 1)
        .publishes(own, 2)
        .receives(&root, 1, "accepted")
        .receives(&root, 2, "accepted")
        .receives(&root, 3, "accepted")
        .step(handed("receive", &crossed, 4), refusal("skiplink_mismatch"))
        .shows(first, &[second], b"two")
        .shows(document, &[tip], b"2")
        .end(
            set,
            "branch-with-far-link-elsewhere",
            "The far link of a peer's entry names the first entry of another tree.",
        )
        .requires(&["FK10", "BA1"])
        .ruled("R24")
        .flag("Fork")
        .flag("Links");
}
