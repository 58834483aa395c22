//! What comes before what it builds on waits for it.

use super::{Handed, Piece, Story, piece, refusal};
use crate::generate::fixtures::{author, next_args, other_author};
use crate::generate::set::Set;

/// Whatever comes first, the end is the same.
pub(super) fn orders(set: &mut Set) {
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
