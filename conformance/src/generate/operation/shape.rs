//! Shape of an operation: number and types of its items, previous, field names.

use serde_json::json;

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::{cafe_fields, create_result, items, loose, previous, refuse, replaced};
use crate::forge::{Item, hex, operation};

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

fn counts(set: &mut Set, create: fn() -> Item, update: fn() -> Item, delete: fn() -> Item) {
    let less = |operation: Item| {
        let mut items = items(operation);
        items.pop();
        Item::Array(items)
    };
    let more = |operation: Item| {
        let mut items = items(operation);
        items.push(Item::Int(0));
        Item::Array(items)
    };
    let cases = [
        (
            "create",
            "create-without-fields",
            "A CREATE without fields.",
            less(create()),
        ),
        (
            "update",
            "update-without-fields",
            "An UPDATE without fields.",
            less(update()),
        ),
        (
            "delete",
            "delete-without-previous",
            "A DELETE without previous.",
            less(delete()),
        ),
        (
            "create",
            "create-with-more",
            "An item after the fields.",
            more(create()),
        ),
        (
            "update",
            "update-with-more",
            "An item after the fields.",
            more(update()),
        ),
        (
            "delete",
            "delete-with-more",
            "An item after previous.",
            more(delete()),
        ),
    ];
    for (near, name, comment, item) in cases {
        refuse(set, near, (name, comment), item, "operation_item_count")
            .requires(&["OP1", "OP5", "OP6"])
            .or(&["cbor_truncated", "operation_item_type"]);
    }
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

fn heads(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    let in_create = [
        (
            "version-0",
            "Version 0.",
            0,
            Item::Int(0),
            "operation_version",
            "OP2",
        ),
        (
            "version-2",
            "Version 2.",
            0,
            Item::Int(2),
            "operation_version",
            "OP2",
        ),
        (
            "version-negative",
            "Version −1.",
            0,
            Item::Int(-1),
            "operation_item_type",
            "OP2",
        ),
        (
            "version-text",
            "The version as text.",
            0,
            Item::text("1"),
            "operation_item_type",
            "OP2",
        ),
        (
            "version-float",
            "The version as a float.",
            0,
            Item::Float(1.0),
            "operation_item_type",
            "OP2",
        ),
        (
            "action-3",
            "Action 3.",
            1,
            Item::Int(3),
            "operation_action",
            "OP3",
        ),
        (
            "action-text",
            "The action as text.",
            1,
            Item::text("create"),
            "operation_item_type",
            "OP3",
        ),
        (
            "schema-id-bytes",
            "The schema id as bytes.",
            2,
            Item::bytes(CAFE.as_bytes()),
            "operation_item_type",
            "OP4",
        ),
        (
            "schema-id-malformed",
            "A schema id without a view.",
            2,
            Item::text("cafe"),
            "schema_id_malformed",
            "OP4",
        ),
        (
            "schema-id-unknown",
            "A system schema nobody has.",
            2,
            Item::text("key_group_v1"),
            "schema_id_unknown_system",
            "OP4",
        ),
        (
            "schema-id-null",
            "No schema id.",
            2,
            Item::raw([0xf6]),
            "cbor_simple",
            "OP4",
        ),
        (
            "fields-list",
            "The fields as a list.",
            3,
            Item::Array(vec![]),
            "operation_item_type",
            "OP6",
        ),
        (
            "fields-null",
            "No fields.",
            3,
            Item::raw([0xf6]),
            "cbor_simple",
            "OP6",
        ),
    ];
    for (name, comment, index, item, reason, requirement) in in_create {
        let case = refuse(
            set,
            "create",
            (name, comment),
            replaced(create(), index, item),
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

fn previous_cases(set: &mut Set, update: fn() -> Item) {
    let [a, b] = previous();
    let in_update = [
        (
            "previous-empty",
            "No previous operation.",
            Item::Array(vec![]),
            "view_id_empty",
        ),
        (
            "previous-unsorted",
            "The greater id first.",
            Item::ids(&[b, a]),
            "view_id_unsorted",
        ),
        (
            "previous-duplicate",
            "One id twice.",
            Item::ids(&[a, a]),
            "view_id_duplicate",
        ),
        (
            "previous-bare-id",
            "One id without the array.",
            Item::id(a),
            "operation_item_type",
        ),
        (
            "previous-null",
            "Null in place of the array.",
            Item::raw([0xf6]),
            "cbor_simple",
        ),
        (
            "previous-texts",
            "Ids as texts, as older versions wrote them.",
            Item::Array(vec![Item::text(a.hex())]),
            "list_item_type",
        ),
        (
            "previous-short-id",
            "An id that is a byte short.",
            Item::Array(vec![Item::bytes(&a.0[..33])]),
            "hash_length",
        ),
        (
            "previous-algorithm",
            "An id of another algorithm.",
            Item::ids(&[a.with_byte(0, 1)]),
            "hash_algorithm",
        ),
    ];
    for (name, comment, item, reason) in in_update {
        let case = refuse(
            set,
            "update",
            (name, comment),
            replaced(update(), 3, item),
            reason,
        );
        case.requires(&["OP5", "EN2", "DV1"])
            .or(&["operation_item_type"]);
        if name == "previous-texts" {
            case.ruled("R3");
        }
    }
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
