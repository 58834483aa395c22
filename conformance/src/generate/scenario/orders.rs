//! What comes before what it builds on waits for it.

use super::Of::{Other, Own};
use super::{Order, Piece, Story, piece, refusal};
use crate::generate::fixtures::{author, next_args, other_author};
use crate::generate::set::Set;

/// Orders in which peers may hand over the entries: the end is the same.
const ORDERS: &[Order] = &[
    Order {
        name: "in-order",
        comment: "Everything comes after what it builds on.",
        steps: &[
            (Own, 1, "accepted"),
            (Own, 2, "accepted"),
            (Other, 1, "accepted"),
        ],
    },
    Order {
        name: "branch-first",
        comment: "The other branch comes first of all.",
        steps: &[
            (Other, 1, "waits"),
            (Own, 1, "accepted"),
            (Own, 2, "accepted"),
        ],
    },
    Order {
        name: "backwards",
        comment: "Everything comes before what it builds on.",
        steps: &[(Own, 2, "waits"), (Other, 1, "waits"), (Own, 1, "accepted")],
    },
    Order {
        name: "log-backwards",
        comment: "A log comes from its end.",
        steps: &[
            (Own, 2, "waits"),
            (Own, 1, "accepted"),
            (Other, 1, "accepted"),
        ],
    },
];

/// Whatever comes first, the end is the same.
pub(super) fn orders(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, second, beside],
    } = piece();
    // Both set the field; the greater id comes last.
    let last: &[u8] = if second > beside { b"two" } else { b"beside" };
    for &Order {
        name,
        comment,
        steps,
    } in ORDERS
    {
        let mut story = Story::default();
        story
            .receives_all(steps, [&own, &theirs])
            .shows(first, &[second, beside], last)
            .keeps(first, &[first, second, beside], &[first, second, beside])
            .tells(&author(), first, next_args(&own))
            .end(set, name, comment)
            .ruled("R28")
            .flag("Order");
    }
    waiting(set);
    too_early(set);
}

/// What waits is not shown until what it waits for comes.
fn waiting(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, _, beside],
    } = piece();
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
}

/// What a client publishes twice, or too early.
fn too_early(set: &mut Set) {
    let Piece {
        own,
        theirs,
        ids: [first, second, _],
    } = piece();
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
