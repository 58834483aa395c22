//! Deleted documents: what is kept of them, and what comes too late.

use super::{Handed, Piece, Story, delete, own_tip, piece, refusal};
use crate::forge::Log;
use crate::generate::fixtures::{author, other_author};
use crate::generate::set::Set;

pub(super) fn deletions(set: &mut Set) {
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
