//! Deleted documents: what is kept of them, and what comes too late.

use super::Of::{Other, Own};
use super::{Order, Piece, Story, delete, piece, refusal};
use crate::forge::{Hash, Log};
use crate::generate::fixtures::{author, other_author};
use crate::generate::set::Set;

/// A document that its author deleted, with an UPDATE beside the DELETE by somebody else.
struct Deleted {
    log: Log,
    theirs: Log,
    /// CREATE, UPDATE, DELETE, and the UPDATE beside them.
    ids: [Hash; 4],
}

fn deleted_piece() -> Deleted {
    let Piece {
        own: mut log,
        theirs,
        ids: [first, second, beside],
    } = piece();
    let deletion = log.push(delete(&[second]));
    Deleted {
        log,
        theirs,
        ids: [first, second, deletion, beside],
    }
}

/// Orders in which peers may hand over the entries: the end is the same.
const ORDERS: &[Order] = &[
    Order {
        name: "peer-after-delete",
        comment: "From a peer, the UPDATE after the DELETE joins its log, and nothing else.",
        steps: &[
            (Own, 1, "accepted"),
            (Own, 2, "accepted"),
            (Own, 3, "accepted"),
            (Other, 1, "accepted"),
        ],
    },
    Order {
        name: "peer-before-delete",
        comment: "The UPDATE came before the DELETE: the end is the same.",
        steps: &[
            (Own, 1, "accepted"),
            (Own, 2, "accepted"),
            (Other, 1, "accepted"),
            (Own, 3, "accepted"),
        ],
    },
    Order {
        name: "peer-delete-waits",
        comment: "The DELETE came first of all: the end is the same.",
        steps: &[
            (Own, 3, "waits"),
            (Other, 1, "waits"),
            (Own, 2, "waits"),
            (Own, 1, "accepted"),
        ],
    },
];

pub(super) fn deletions(set: &mut Set) {
    let piece = deleted_piece();
    by_client(set, &piece);
    by_peers(set, &piece);
    published_again(set, &piece);
    by_stranger(set);
}

/// What a client is told of a deleted document.
fn by_client(set: &mut Set, piece: &Deleted) {
    let Deleted {
        log: deleted,
        theirs,
        ids: [first, _, deletion, _],
    } = piece;
    let (first, deletion, skeleton) = (*first, *deletion, &piece.ids[..3]);
    let mut told = Story::default();
    told.publishes(deleted, 1)
        .publishes(deleted, 2)
        .publishes(deleted, 3);
    told.shows_deleted(first, deletion)
        .keeps(first, skeleton, &[deletion])
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
        .publishes(deleted, 1)
        .publishes(deleted, 2)
        .publishes(deleted, 3);
    refused
        .is_refused(theirs, 1, "document_deleted")
        .shows_deleted(first, deletion)
        .keeps(first, skeleton, &[deletion])
        .end(
            set,
            "client-after-delete",
            "An UPDATE that a client publishes after the DELETE leaves no trace.",
        )
        .requires(&["PB5", "DL5"])
        .ruled("R6")
        .flag("Delete");
}

/// What peers hand over joins its log, and nothing else.
fn by_peers(set: &mut Set, piece: &Deleted) {
    let [first, _, deletion, _] = piece.ids;
    for &Order {
        name,
        comment,
        steps,
    } in ORDERS
    {
        let mut story = Story::default();
        story
            .receives_all(steps, [&piece.log, &piece.theirs])
            .shows_deleted(first, deletion)
            .keeps(first, &piece.ids, &[deletion])
            .end(set, name, comment)
            .requires(&["DL4", "DL7", "DL1"])
            .ruled("R6")
            .flag("Delete");
    }
}

fn published_again(set: &mut Set, piece: &Deleted) {
    let ([first, _, deletion, _], deleted) = (piece.ids, &piece.log);
    let skeleton = &piece.ids[..3];
    let mut again = Story::default();
    again
        .publishes(deleted, 1)
        .publishes(deleted, 2)
        .publishes(deleted, 3);
    again
        .publishes(deleted, 1)
        .keeps(first, skeleton, &[deletion])
        .end(set, "again-after-delete", "What was published before the DELETE is published again: a success that brings nothing back.")
        .requires(&["PB7", "DL1"])
        .ruled("R23")
        .flag("Delete");
}

fn by_stranger(set: &mut Set) {
    let Piece {
        own,
        ids: [first, ..],
        ..
    } = piece();
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
