//! What is published and refused, one fault each.

use super::{
    CAFE, Places, World, after, author, cafe_update, cave, create, id, misplaced, next, not_taken,
    other_author, places, set_of, submission, taken, third_author, view,
};
use crate::forge::{Draft, Hash, Item, Log, operation};
use crate::generate::set::Set;

pub(super) fn refused() -> Set {
    let mut set = set_of("publish", "refused", &["PB1"]);
    siblings(&mut set);
    entries(&mut set);
    misplaced::positions(&mut set);
    operations(&mut set);
    schemas(&mut set);
    previous(&mut set);
    deleted(&mut set);
    misplaced::logs(&mut set);
    misplaced::forks(&mut set);
    misplaced::after_the_end(&mut set);
    set
}

/// The good entries that the bad ones are near to.
fn siblings(set: &mut Set) {
    set.world("nothing", World::of_places().value());
    set.world("no-schemas", World::default().value());
    set.world("places", places().world.value());
    set.using("world", "nothing");
    taken(
        set,
        "good-create",
        "A CREATE.",
        &Log::new(author(), 0),
        &create(),
    );
    set.using("world", "places");
    let Places {
        cafe,
        visit,
        ids: [_, _, three, beside],
        ..
    } = places();
    taken(
        set,
        "good-update",
        "An UPDATE.",
        &cafe,
        &cafe_update(&[three], 12),
    )
    .requires(&["PB1", "PB2", "PB4", "PB5", "PB6", "NO2", "NO3", "DO5"]);
    taken(
        set,
        "good-merge",
        "An UPDATE of both tips.",
        &cafe,
        &cafe_update(&view([three, beside]), 12),
    )
    .requires(&["PB4", "DV2"]);
    taken(
        set,
        "good-delete",
        "A DELETE.",
        &cafe,
        &operation::delete(CAFE, &[three]).encode(),
    );
    taken(
        set,
        "good-document",
        "One more document.",
        &Log::new(author(), 3),
        &create(),
    );
    taken(
        set,
        "good-visit",
        "An UPDATE by somebody else.",
        &visit,
        &cafe_update(&[three], 12),
    );
}

/// What is made of the bytes of a good entry.
struct Damaged {
    name: &'static str,
    comment: &'static str,
    damage: fn(&[u8]) -> Vec<u8>,
    reason: &'static str,
}

const DAMAGED: &[Damaged] = &[
    Damaged {
        name: "signature-flipped",
        comment: "A bit of the signature is flipped.",
        damage: |good| {
            let mut flipped = good.to_vec();
            let at = flipped.len() - 40;
            flipped[at] ^= 1;
            flipped
        },
        reason: "signature_invalid",
    },
    Damaged {
        name: "entry-cut",
        comment: "The last byte of the entry is missing.",
        damage: |good| good[..good.len() - 1].to_vec(),
        reason: "entry_truncated",
    },
    Damaged {
        name: "entry-trailing",
        comment: "A byte after the entry.",
        damage: |good| [good, &[0]].concat(),
        reason: "entry_trailing_bytes",
    },
    Damaged {
        name: "entry-empty",
        comment: "No entry.",
        damage: |_| Vec::new(),
        reason: "entry_truncated",
    },
];

fn entries(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        ..
    } = places();
    let payload = cafe_update(&[three], 12);
    let good = cafe.draft(&payload).sign(&author());
    for &Damaged {
        name,
        comment,
        damage,
        reason,
    } in DAMAGED
    {
        let case = not_taken(
            set,
            (name, comment),
            "good-update",
            submission(&damage(&good), &payload),
            reason,
        );
        case.requires(&["NO1", "BA1"]);
        if reason != "signature_invalid" {
            case.or(&["signature_invalid"]);
        } else {
            case.or(&["signature_malformed"]);
        }
    }
    let stolen = cafe.draft(&payload).sign(&other_author());
    not_taken(
        set,
        ("signed-by-other", "Signed by somebody else."),
        "good-update",
        submission(&stolen, &payload),
        "signature_invalid",
    )
    .requires(&["NO1", "KY1"]);
    other_operations(set, &cafe, three);
}

/// Operations other than the one the entry was signed for.
fn other_operations(set: &mut Set, cafe: &Log, three: Hash) {
    let payload = cafe_update(&[three], 12);
    let good = cafe.draft(&payload).sign(&author());
    let other = cafe_update(&[three], 13);
    set.invalid(
        "other-operation",
        "The operation is not the one that was signed for.",
        "good-update",
        submission(&good, &other),
        "payload_hash_mismatch",
    )
    .requires(&["PB2"]);
    let longer = [&payload[..], &[0]].concat();
    set.invalid(
        "longer-operation",
        "A byte after the operation that was signed for.",
        "good-update",
        submission(&good, &longer),
        "payload_hash_mismatch",
    )
    .requires(&["PB2"])
    .or(&["payload_size_mismatch"])
    .flag("Trailing");
    set.invalid(
        "empty-operation",
        "No operation.",
        "good-update",
        submission(&good, &[]),
        "payload_hash_mismatch",
    )
    .requires(&["PB2"])
    .or(&["payload_size_mismatch", "payload_missing"]);
    let lie = Draft {
        payload_size: payload.len() as u64 + 1,
        ..cafe.draft(&payload)
    };
    not_taken(
        set,
        ("size-lie", "A size that is not the operation's."),
        "good-update",
        submission(&lie.sign(&author()), &payload),
        "payload_size_mismatch",
    )
    .requires(&["PB2"]);
}

fn hour() -> (&'static str, Item) {
    ("opening_hour", Item::Int(12))
}

fn title() -> (&'static str, Item) {
    ("title", Item::text("New"))
}

/// A sound UPDATE on top of `previous`.
fn hour_update(previous: Hash) -> Vec<u8> {
    operation::update(CAFE, &[previous], [hour()]).encode()
}

/// The same UPDATE with another item at `index`.
fn with(previous: Hash, index: usize, item: Item) -> Vec<u8> {
    let Item::Array(mut items) = operation::update(CAFE, &[previous], [hour()]) else {
        unreachable!("operations are arrays")
    };
    items[index] = item;
    Item::Array(items).encode()
}

/// An operation on top of the cafe's third that no node takes.
struct BrokenOperation {
    name: &'static str,
    comment: &'static str,
    payload: fn(Hash) -> Vec<u8>,
    reason: &'static str,
}

const OPERATIONS: &[BrokenOperation] = &[
    BrokenOperation {
        name: "operation-version-2",
        comment: "Another version.",
        payload: |three| with(three, 0, Item::Int(2)),
        reason: "operation_version",
    },
    BrokenOperation {
        name: "operation-action-3",
        comment: "Another action.",
        payload: |three| with(three, 1, Item::Int(3)),
        reason: "operation_action",
    },
    BrokenOperation {
        name: "operation-without-fields",
        comment: "An UPDATE without fields.",
        payload: |three| with(three, 1, Item::Int(2)),
        reason: "operation_item_count",
    },
    BrokenOperation {
        name: "operation-no-cbor",
        comment: "Bytes that mean nothing.",
        payload: |_| vec![0xff],
        reason: "cbor_indefinite",
    },
    BrokenOperation {
        name: "operation-cut",
        comment: "An operation that ends early.",
        payload: |three| {
            let mut cut = hour_update(three);
            cut.pop();
            cut
        },
        reason: "cbor_truncated",
    },
    BrokenOperation {
        name: "operation-unsorted",
        comment: "Fields out of order.",
        payload: |three| operation::update(CAFE, &[three], [title(), hour()]).encode(),
        reason: "fields_unsorted",
    },
    BrokenOperation {
        name: "operation-field-unknown",
        comment: "A field the schema has not.",
        payload: |three| operation::update(CAFE, &[three], [("price", Item::Int(1))]).encode(),
        reason: "field_unexpected",
    },
    BrokenOperation {
        name: "operation-field-type",
        comment: "A number for a text.",
        payload: |three| operation::update(CAFE, &[three], [("title", Item::Int(1))]).encode(),
        reason: "field_type_mismatch",
    },
];

fn operations(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        ..
    } = places();
    for &BrokenOperation {
        name,
        comment,
        payload,
        reason,
    } in OPERATIONS
    {
        let case = not_taken(
            set,
            (name, comment),
            "good-update",
            next(&cafe, &payload(three)),
            reason,
        );
        case.requires(&["NO2", "PB3"]);
        if name == "operation-no-cbor" {
            case.or(&[
                "operation_shape",
                "cbor_reserved",
                "cbor_truncated",
                "cbor_simple",
            ]);
        }
    }
    let loose = [&hour_update(three)[..], &[0]].concat();
    not_taken(
        set,
        (
            "operation-trailing",
            "A byte after the operation, signed for.",
        ),
        "good-update",
        next(&cafe, &loose),
        "cbor_trailing_bytes",
    )
    .requires(&["NO2", "EN1"])
    .flag("Trailing")
    .wire_reads("R2", after(&cafe, &loose));
    let lacking = operation::create(CAFE, [hour()]).encode();
    not_taken(
        set,
        ("create-lacking", "A CREATE that lacks a field."),
        "good-document",
        next(&Log::new(author(), 3), &lacking),
        "field_missing",
    )
    .requires(&["NO2", "OP6"]);
}

fn schemas(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        ..
    } = places();
    let unknown = CAFE.replacen("cafe", "cove", 1);
    let create_unknown = operation::create(&unknown, [("title", Item::text("Cove"))]).encode();
    not_taken(
        set,
        ("schema-unknown", "A schema nobody published."),
        "good-document",
        next(&Log::new(author(), 3), &create_unknown),
        "schema_not_found",
    )
    .requires(&["PB3"])
    .ruled("R29");
    let update_unknown =
        operation::update(&unknown, &[three], [("title", Item::text("Cove"))]).encode();
    not_taken(
        set,
        (
            "schema-unknown-update",
            "An UPDATE under a schema nobody published.",
        ),
        "good-update",
        next(&cafe, &update_unknown),
        "schema_not_found",
    )
    .requires(&["PB3"])
    .ruled("R29");
    set.using("world", "no-schemas");
    not_taken(
        set,
        ("schema-not-here", "A schema that this node does not know."),
        "good-create",
        next(&Log::new(author(), 0), &create()),
        "schema_not_found",
    )
    .requires(&["PB3"])
    .ruled("R29");
    set.using("world", "places");
    let other = operation::update(&cave(), &[three], [("opening_hour", Item::Int(12))]).encode();
    not_taken(
        set,
        (
            "schema-of-another",
            "An UPDATE of a cafe as if it were a cave.",
        ),
        "good-update",
        next(&cafe, &other),
        "document_schema_mismatch",
    )
    .requires(&["PB4", "OP4"]);
    let delete = operation::delete(&cave(), &[three]).encode();
    not_taken(
        set,
        (
            "schema-of-another-delete",
            "A DELETE of a cafe as if it were a cave.",
        ),
        "good-delete",
        next(&cafe, &delete),
        "document_schema_mismatch",
    )
    .requires(&["PB4", "OP4"]);
}

fn previous(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        bar_id,
        cave_id,
        ..
    } = places();
    let with = |other: Hash| cafe_update(&view([three, other]), 12);
    let cases: [(&str, &str, &str, Vec<u8>, &str); 5] = [
        (
            "previous-unknown",
            "good-update",
            "On top of an operation nobody knows.",
            cafe_update(&[id(7)], 12),
            "previous_not_found",
        ),
        (
            "previous-one-unknown",
            "good-merge",
            "One of two is not known.",
            with(id(7)),
            "previous_not_found",
        ),
        (
            "previous-one-unknown-first",
            "good-merge",
            "The first of two is not known.",
            with(Hash::repeating(0)),
            "previous_not_found",
        ),
        (
            "previous-mixed",
            "good-merge",
            "On top of operations of two documents.",
            with(bar_id),
            "previous_mixed",
        ),
        (
            "previous-mixed-schemas",
            "good-merge",
            "On top of operations of documents of two schemas.",
            with(cave_id),
            "document_schema_mismatch",
        ),
    ];
    for (name, near, comment, payload, reason) in cases {
        let case = not_taken(set, (name, comment), near, next(&cafe, &payload), reason);
        case.requires(&["PB4", "DV2", "NO3"]);
        if name == "previous-mixed-schemas" {
            case.or(&["previous_mixed"]);
        }
    }
    let delete = operation::delete(CAFE, &[id(7)]).encode();
    not_taken(
        set,
        ("delete-unknown", "A DELETE of something nobody knows."),
        "good-delete",
        next(&cafe, &delete),
        "previous_not_found",
    )
    .requires(&["PB4"]);
}

fn deleted(set: &mut Set) {
    let Places {
        closed,
        visit_closed,
        closed_ids: [created, deleted],
        ..
    } = places();
    let stranger = Log::new(third_author(), 0);
    let delete = operation::delete(CAFE, &[created]).encode();
    let cases: [(&str, &str, &str, &Log, Vec<u8>); 6] = [
        (
            "deleted-update",
            "good-update",
            "An UPDATE of a deleted document.",
            &closed,
            cafe_update(&[created], 12),
        ),
        (
            "deleted-update-on-top",
            "good-update",
            "An UPDATE on top of the DELETE.",
            &closed,
            cafe_update(&[deleted], 12),
        ),
        (
            "deleted-again",
            "good-delete",
            "A second DELETE.",
            &closed,
            operation::delete(CAFE, &[deleted]).encode(),
        ),
        (
            "deleted-by-other",
            "good-visit",
            "An UPDATE by somebody who had not heard of it.",
            &visit_closed,
            cafe_update(&[created], 12),
        ),
        (
            "deleted-by-stranger",
            "good-visit",
            "An UPDATE by somebody new.",
            &stranger,
            cafe_update(&[created], 12),
        ),
        (
            "deleted-twice-by-stranger",
            "good-delete",
            "A DELETE beside the DELETE.",
            &stranger,
            delete,
        ),
    ];
    for (name, near, comment, log, payload) in cases {
        not_taken(
            set,
            (name, comment),
            near,
            next(log, &payload),
            "document_deleted",
        )
        .requires(&["PB5"])
        .ruled("R6")
        .flag("Delete");
    }
}
