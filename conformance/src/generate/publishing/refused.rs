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

fn entries(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        ..
    } = places();
    let payload = cafe_update(&[three], 12);
    let good = cafe.draft(&payload).sign(&author());
    let mut flipped = good.clone();
    let at = flipped.len() - 40;
    flipped[at] ^= 1;
    let damaged: [(&str, &str, Vec<u8>, &str); 4] = [
        (
            "signature-flipped",
            "A bit of the signature is flipped.",
            flipped,
            "signature_invalid",
        ),
        (
            "entry-cut",
            "The last byte of the entry is missing.",
            good[..good.len() - 1].to_vec(),
            "entry_truncated",
        ),
        (
            "entry-trailing",
            "A byte after the entry.",
            [&good[..], &[0]].concat(),
            "entry_trailing_bytes",
        ),
        ("entry-empty", "No entry.", Vec::new(), "entry_truncated"),
    ];
    for (name, comment, entry, reason) in damaged {
        let case = not_taken(
            set,
            (name, comment),
            "good-update",
            submission(&entry, &payload),
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

fn operations(set: &mut Set) {
    let Places {
        cafe,
        ids: [_, _, three, _],
        ..
    } = places();
    let hour = || ("opening_hour", Item::Int(12));
    let update = operation::update(CAFE, &[three], [hour()]).encode();
    let title = ("title", Item::text("New"));
    let unsorted = operation::update(CAFE, &[three], [title.clone(), hour()]).encode();
    let with = |index: usize, item: Item| {
        let Item::Array(mut items) = operation::update(CAFE, &[three], [hour()]) else {
            unreachable!("operations are arrays")
        };
        items[index] = item;
        Item::Array(items).encode()
    };
    let cases: [(&str, &str, Vec<u8>, &str); 8] = [
        (
            "operation-version-2",
            "Another version.",
            with(0, Item::Int(2)),
            "operation_version",
        ),
        (
            "operation-action-3",
            "Another action.",
            with(1, Item::Int(3)),
            "operation_action",
        ),
        (
            "operation-without-fields",
            "An UPDATE without fields.",
            with(1, Item::Int(2)),
            "operation_item_count",
        ),
        (
            "operation-no-cbor",
            "Bytes that mean nothing.",
            vec![0xff],
            "cbor_indefinite",
        ),
        (
            "operation-cut",
            "An operation that ends early.",
            update[..update.len() - 1].to_vec(),
            "cbor_truncated",
        ),
        (
            "operation-unsorted",
            "Fields out of order.",
            unsorted,
            "fields_unsorted",
        ),
        (
            "operation-field-unknown",
            "A field the schema has not.",
            operation::update(CAFE, &[three], [("price", Item::Int(1))]).encode(),
            "field_unexpected",
        ),
        (
            "operation-field-type",
            "A number for a text.",
            operation::update(CAFE, &[three], [("title", Item::Int(1))]).encode(),
            "field_type_mismatch",
        ),
    ];
    for (name, comment, payload, reason) in cases {
        let case = not_taken(
            set,
            (name, comment),
            "good-update",
            next(&cafe, &payload),
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
    let loose = [&update[..], &[0]].concat();
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
