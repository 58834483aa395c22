//! Shape of an operation: number and types of its items, previous, field names.

use serde_json::json;

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::{cafe_fields, create_result, items, loose, previous, refuse, replaced};
use crate::forge::{Hash, Item, hex, operation};

pub(super) fn shapes() -> Set {
    let mut set = Set::new("operation.decode", "shape", &["OP1", "EN1"]);
    let create = || operation::create(CAFE, cafe_fields());
    let delete = || operation::delete(CAFE, &[id(1)]);
    let update = || operation::update(CAFE, &previous(), [("title", Item::text("Panda"))]);
    set.valid(
        "create",
        "A CREATE with two fields.",
        hex(create().encode()),
        create_result(),
    )
    .requires(&[
        "OP1", "OP2", "OP3", "OP4", "OP5", "OP6", "OP7", "EN1", "EN2",
    ]);
    let result = json!({"action": "update", "schema_id": CAFE, "previous": previous().map(|id| id.hex()), "fields": {"title": {"str": "Panda"}}});
    set.valid(
        "update",
        "An UPDATE of one field on two previous.",
        hex(update().encode()),
        result,
    )
    .requires(&["OP1", "OP3", "OP5", "OP6", "EN2"]);
    let result =
        json!({"action": "update", "schema_id": CAFE, "previous": [id(1).hex()], "fields": {}});
    let empty = operation::update(CAFE, &[id(1)], []);
    set.valid(
        "update-of-nothing",
        "An UPDATE may be empty.",
        hex(empty.encode()),
        result,
    )
    .requires(&["OP6"]);
    let result =
        json!({"action": "delete", "schema_id": CAFE, "previous": [id(1).hex()], "fields": null});
    set.valid("delete", "A DELETE.", hex(delete().encode()), result)
        .requires(&["OP1", "OP3", "OP5", "OP6"]);
    let piece = operation::create("blob_piece_v1", [("data", Item::bytes(*b"hello"))]);
    let result = json!({"action": "create", "schema_id": "blob_piece_v1", "previous": null, "fields": {"data": {"bytes": hex("hello")}}});
    set.valid(
        "system-schema",
        "The smallest worked example.",
        hex(piece.encode()),
        result,
    )
    .requires(&["OP1", "OP4", "OP7"]);

    counts(&mut set, create, update, delete);
    heads(&mut set, create, update);
    previous_cases(&mut set, update);
    field_names(&mut set, create);
    loose::loose_forms(&mut set, create, update);
    set
}

/// The operation without its last item.
fn less(operation: Item) -> Item {
    let mut items = items(operation);
    items.pop();
    Item::Array(items)
}

/// The operation with a number after its last item.
fn more(operation: Item) -> Item {
    let mut items = items(operation);
    items.push(Item::Int(0));
    Item::Array(items)
}

/// An operation with an item more or less than its action has.
struct Count {
    near: &'static str,
    name: &'static str,
    comment: &'static str,
    change: fn(Item) -> Item,
}

const COUNTS: &[Count] = &[
    Count {
        near: "create",
        name: "create-without-fields",
        comment: "A CREATE without fields.",
        change: less,
    },
    Count {
        near: "update",
        name: "update-without-fields",
        comment: "An UPDATE without fields.",
        change: less,
    },
    Count {
        near: "delete",
        name: "delete-without-previous",
        comment: "A DELETE without previous.",
        change: less,
    },
    Count {
        near: "create",
        name: "create-with-more",
        comment: "An item after the fields.",
        change: more,
    },
    Count {
        near: "update",
        name: "update-with-more",
        comment: "An item after the fields.",
        change: more,
    },
    Count {
        near: "delete",
        name: "delete-with-more",
        comment: "An item after previous.",
        change: more,
    },
];

fn counts(set: &mut Set, create: fn() -> Item, update: fn() -> Item, delete: fn() -> Item) {
    for &Count {
        near,
        name,
        comment,
        change,
    } in COUNTS
    {
        let sound = match near {
            "create" => create(),
            "update" => update(),
            _ => delete(),
        };
        refuse(
            set,
            near,
            (name, comment),
            change(sound),
            "operation_item_count",
        )
        .requires(&["OP1", "OP5", "OP6"])
        .or(&["cbor_truncated", "operation_item_type"]);
    }
    cuts(set, create);
}

/// Bytes that end early, or that are no array.
fn cuts(set: &mut Set, create: fn() -> Item) {
    let bytes = create().encode();
    set.invalid("empty", "No byte at all.", "create", "", "cbor_truncated")
        .flag("Truncated");
    for (name, len) in [
        ("first-item", 1),
        ("schema-id", 40),
        ("fields", bytes.len() - 1),
    ] {
        let comment = format!("Cut after {len} bytes.");
        set.invalid(
            &format!("cut-in-{name}"),
            &comment,
            "create",
            hex(&bytes[..len]),
            "cbor_truncated",
        )
        .flag("Truncated");
    }
    refuse(
        set,
        "create",
        ("map", "A map in place of the array."),
        Item::Map(vec![]),
        "operation_shape",
    );
    refuse(
        set,
        "create",
        ("number", "A number in place of the array."),
        Item::Int(1),
        "operation_shape",
    );
}

/// What stands in place of the item at `index` of the CREATE.
struct Head {
    name: &'static str,
    comment: &'static str,
    index: usize,
    item: fn() -> Item,
    reason: &'static str,
    requirement: &'static str,
}

const HEADS: &[Head] = &[
    Head {
        name: "version-0",
        comment: "Version 0.",
        index: 0,
        item: || Item::Int(0),
        reason: "operation_version",
        requirement: "OP2",
    },
    Head {
        name: "version-2",
        comment: "Version 2.",
        index: 0,
        item: || Item::Int(2),
        reason: "operation_version",
        requirement: "OP2",
    },
    Head {
        name: "version-negative",
        comment: "Version −1.",
        index: 0,
        item: || Item::Int(-1),
        reason: "operation_item_type",
        requirement: "OP2",
    },
    Head {
        name: "version-text",
        comment: "The version as text.",
        index: 0,
        item: || Item::text("1"),
        reason: "operation_item_type",
        requirement: "OP2",
    },
    Head {
        name: "version-float",
        comment: "The version as a float.",
        index: 0,
        item: || Item::Float(1.0),
        reason: "operation_item_type",
        requirement: "OP2",
    },
    Head {
        name: "action-3",
        comment: "Action 3.",
        index: 1,
        item: || Item::Int(3),
        reason: "operation_action",
        requirement: "OP3",
    },
    Head {
        name: "action-text",
        comment: "The action as text.",
        index: 1,
        item: || Item::text("create"),
        reason: "operation_item_type",
        requirement: "OP3",
    },
    Head {
        name: "schema-id-bytes",
        comment: "The schema id as bytes.",
        index: 2,
        item: || Item::bytes(CAFE.as_bytes()),
        reason: "operation_item_type",
        requirement: "OP4",
    },
    Head {
        name: "schema-id-malformed",
        comment: "A schema id without a view.",
        index: 2,
        item: || Item::text("cafe"),
        reason: "schema_id_malformed",
        requirement: "OP4",
    },
    Head {
        name: "schema-id-unknown",
        comment: "A system schema nobody has.",
        index: 2,
        item: || Item::text("key_group_v1"),
        reason: "schema_id_unknown_system",
        requirement: "OP4",
    },
    Head {
        name: "schema-id-null",
        comment: "No schema id.",
        index: 2,
        item: || Item::raw([0xf6]),
        reason: "cbor_simple",
        requirement: "OP4",
    },
    Head {
        name: "fields-list",
        comment: "The fields as a list.",
        index: 3,
        item: || Item::Array(vec![]),
        reason: "operation_item_type",
        requirement: "OP6",
    },
    Head {
        name: "fields-null",
        comment: "No fields.",
        index: 3,
        item: || Item::raw([0xf6]),
        reason: "cbor_simple",
        requirement: "OP6",
    },
];

fn heads(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    for &Head {
        name,
        comment,
        index,
        item,
        reason,
        requirement,
    } in HEADS
    {
        let case = refuse(
            set,
            "create",
            (name, comment),
            replaced(create(), index, item()),
            reason,
        );
        case.requires(&["OP1", requirement])
            .or(&["operation_item_type"]);
        match name {
            "version-0" | "version-2" => {
                case.ruled("R14");
            }
            "version-negative" => {
                case.or(&["operation_version"]);
            }
            _ => {}
        }
    }
    refuse(
        set,
        "update",
        ("action-of-create", "An UPDATE that calls itself a CREATE."),
        replaced(update(), 1, Item::Int(0)),
        "operation_item_count",
    )
    .requires(&["OP1", "OP3", "OP5"])
    .or(&["operation_item_type"]);
}

/// What stands in place of the previous of the UPDATE, made of the ids it names.
struct Previous {
    name: &'static str,
    comment: &'static str,
    item: fn(Hash, Hash) -> Item,
    reason: &'static str,
}

const PREVIOUS: &[Previous] = &[
    Previous {
        name: "previous-empty",
        comment: "No previous operation.",
        item: |_, _| Item::Array(vec![]),
        reason: "view_id_empty",
    },
    Previous {
        name: "previous-unsorted",
        comment: "The greater id first.",
        item: |a, b| Item::ids(&[b, a]),
        reason: "view_id_unsorted",
    },
    Previous {
        name: "previous-duplicate",
        comment: "One id twice.",
        item: |a, _| Item::ids(&[a, a]),
        reason: "view_id_duplicate",
    },
    Previous {
        name: "previous-bare-id",
        comment: "One id without the array.",
        item: |a, _| Item::id(a),
        reason: "operation_item_type",
    },
    Previous {
        name: "previous-null",
        comment: "Null in place of the array.",
        item: |_, _| Item::raw([0xf6]),
        reason: "cbor_simple",
    },
    Previous {
        name: "previous-texts",
        comment: "Ids as texts, as older versions wrote them.",
        item: |a, _| Item::Array(vec![Item::text(a.hex())]),
        reason: "list_item_type",
    },
    Previous {
        name: "previous-short-id",
        comment: "An id that is a byte short.",
        item: |a, _| Item::Array(vec![Item::bytes(&a.0[..33])]),
        reason: "hash_length",
    },
    Previous {
        name: "previous-algorithm",
        comment: "An id of another algorithm.",
        item: |a, _| Item::ids(&[a.with_byte(0, 1)]),
        reason: "hash_algorithm",
    },
];

fn previous_cases(set: &mut Set, update: fn() -> Item) {
    let [a, b] = previous();
    for &Previous {
        name,
        comment,
        item,
        reason,
    } in PREVIOUS
    {
        let case = refuse(
            set,
            "update",
            (name, comment),
            replaced(update(), 3, item(a, b)),
            reason,
        );
        case.requires(&["OP5", "EN2", "DV1"])
            .or(&["operation_item_type"]);
        if name == "previous-texts" {
            case.ruled("R3");
        }
    }
    one_previous(set, a);
}

/// An UPDATE on one previous, and what deployed software takes for it.
fn one_previous(set: &mut Set, a: Hash) {
    let one = || operation::update(CAFE, &[a], [("title", Item::text("Panda"))]);
    let result = |first: String| json!({"action": "update", "schema_id": CAFE, "previous": [first], "fields": {"title": {"str": "Panda"}}});
    set.valid(
        "update-one",
        "An UPDATE on one previous.",
        hex(one().encode()),
        result(a.hex()),
    )
    .requires(&["OP5"]);
    let text = Item::text(a.hex());
    refuse(
        set,
        "update-one",
        ("previous-joined-text", "Previous as one text."),
        replaced(one(), 3, text),
        "operation_item_type",
    )
    .requires(&["OP5"])
    .wire_takes("R2");
    let odd = a.with_byte(1, 0x21);
    refuse(
        set,
        "update-one",
        ("previous-length-byte", "An id with a wrong digest length."),
        replaced(one(), 3, Item::ids(&[odd])),
        "hash_digest_length",
    )
    .requires(&["OP5", "BA2"])
    .wire_reads("R10", result(odd.hex()));
    let numbers = Item::Array(a.0.iter().map(|byte| Item::Int((*byte).into())).collect());
    refuse(
        set,
        "update-one",
        ("previous-number-list", "An id as an array of numbers."),
        replaced(one(), 3, Item::Array(vec![numbers])),
        "list_item_type",
    )
    .or(&["operation_item_type"])
    .requires(&["OP5"])
    .wire_takes("R2");
}

fn field_names(set: &mut Set, create: fn() -> Item) {
    let [hour, title] = cafe_fields();
    let with = |fields: Vec<(&'static str, Item)>| replaced(create(), 3, Item::map(fields));
    let unsorted = with(vec![title.clone(), hour.clone()]);
    refuse(
        set,
        "create",
        ("fields-unsorted", "Field names out of order."),
        unsorted,
        "fields_unsorted",
    )
    .requires(&["EN2"])
    .flag("Unsorted");
    let twice = with(vec![hour.clone(), title.clone(), title.clone()]);
    refuse(
        set,
        "create",
        ("field-twice", "A field twice, with one value."),
        twice,
        "fields_duplicate",
    )
    .requires(&["EN2"])
    .flag("Duplicate");
    let other = with(vec![hour.clone(), title, ("title", Item::text("Bear"))]);
    refuse(
        set,
        "create",
        ("field-twice-differently", "A field twice, with two values."),
        other,
        "fields_duplicate",
    )
    .requires(&["EN2"])
    .flag("Duplicate");
    field_names_of_other_types(set, create);
    field_order(set);
}

/// Field names that are no texts.
fn field_names_of_other_types(set: &mut Set, create: fn() -> Item) {
    for (name, key, reason) in [
        (
            "field-name-bytes",
            Item::bytes(*b"title"),
            "operation_item_type",
        ),
        ("field-name-number", Item::Int(7), "operation_item_type"),
    ] {
        let fields = vec![
            (Item::text("opening_hour"), Item::Int(8)),
            (key, Item::text("Panda")),
        ];
        let item = replaced(create(), 3, Item::Map(fields));
        refuse(
            set,
            "create",
            (name, "A field name that is no text."),
            item,
            reason,
        )
        .requires(&["OP7", "EN1"]);
    }
    let not_utf8 = Item::raw([0x61, 0xff]);
    let fields = vec![
        (Item::text("opening_hour"), Item::Int(8)),
        (not_utf8, Item::text("Panda")),
    ];
    refuse(
        set,
        "create",
        ("field-name-not-utf8", "A field name that is not UTF-8."),
        replaced(create(), 3, Item::Map(fields)),
        "cbor_utf8",
    )
    .requires(&["SC6"])
    .flag("Unicode");
}

/// Names ascend as bytes do, whatever their length.
fn field_order(set: &mut Set) {
    let lengths = |names: [&'static str; 2]| {
        operation::update(CAFE, &[id(1)], names.map(|name| (name, Item::Bool(true))))
    };
    let result = json!({"action": "update", "schema_id": CAFE, "previous": [id(1).hex()], "fields": {"aa": {"bool": true}, "z": {"bool": true}}});
    set.valid(
        "names-in-byte-order",
        "The longer name first, as bytes compare.",
        hex(lengths(["aa", "z"]).encode()),
        result,
    )
    .requires(&["EN1", "EN2"])
    .ruled("R1");
    refuse(
        set,
        "names-in-byte-order",
        (
            "names-by-length",
            "The shorter name first, as RFC 7049 has it.",
        ),
        lengths(["z", "aa"]),
        "fields_unsorted",
    )
    .requires(&["EN1", "EN2"])
    .ruled("R1")
    .flag("Unsorted");
}
