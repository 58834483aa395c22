//! Cases of `operation.decode` and `operation.encode`, which know no schema.

use serde_json::{Value, json};

use super::fixtures::{CAFE, EVERY, id};
use super::set::Set;
use crate::forge::cbor::float_wide;
use crate::forge::{Hash, Item, hex, operation};
use crate::suite::{Case, Importance};

pub fn sets() -> Vec<Set> {
    vec![shapes(), values(), encode()]
}

fn previous() -> [Hash; 2] {
    [id(1), id(2)]
}

/// An UPDATE that sets one field of the schema with all types.
fn update(name: &str, value: Item) -> Item {
    operation::update(EVERY, &[id(1)], [(name, value)])
}

fn update_result(name: &str, value: Value) -> Value {
    json!({
        "action": "update",
        "schema_id": EVERY,
        "previous": [id(1).hex()],
        "fields": {name: value},
    })
}

fn cafe_fields() -> [(&'static str, Item); 2] {
    [
        ("opening_hour", Item::Int(8)),
        ("title", Item::text("Panda")),
    ]
}

fn create_result() -> Value {
    json!({
        "action": "create",
        "schema_id": CAFE,
        "previous": null,
        "fields": {"opening_hour": {"int": "8"}, "title": {"str": "Panda"}},
    })
}

/// The items of an operation, to be replaced one by one.
fn items(operation: Item) -> Vec<Item> {
    match operation {
        Item::Array(items) => items,
        _ => unreachable!("operations are arrays"),
    }
}

fn replaced(operation: Item, index: usize, item: Item) -> Item {
    let mut items = items(operation);
    items[index] = item;
    Item::Array(items)
}

fn refuse<'a>(
    set: &'a mut Set,
    near: &str,
    (name, comment): (&str, &str),
    item: Item,
    reason: &str,
) -> &'a mut Case {
    set.invalid(name, comment, near, hex(item.encode()), reason)
}

fn shapes() -> Set {
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
    loose_forms(&mut set, create, update);
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

/// Forms that mean the same as their sibling and are refused for not being the one canonical form.
fn loose_forms(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    let [hour, title] = cafe_fields();
    let map = || Item::map(cafe_fields());
    let hour_name = |key: Item| {
        Item::Map(vec![
            (key, Item::Int(8)),
            (Item::text("title"), title.1.clone()),
        ])
    };
    let outer = |width| create().wide(width);
    let not_minimal = [
        (
            "array-head-wide",
            "The array's length in a byte of its own.",
            outer(1),
        ),
        (
            "array-head-widest",
            "The array's length in eight bytes.",
            outer(8),
        ),
        (
            "version-wide",
            "The version in a byte of its own.",
            replaced(create(), 0, Item::Int(1).wide(1)),
        ),
        (
            "version-widest",
            "The version in eight bytes.",
            replaced(create(), 0, Item::Int(1).wide(8)),
        ),
        (
            "action-wide",
            "The action in a byte of its own.",
            replaced(create(), 1, Item::Int(0).wide(1)),
        ),
        (
            "schema-id-wide",
            "The schema id's length in two bytes.",
            replaced(create(), 2, Item::text(CAFE).wide(2)),
        ),
        (
            "map-head-wide",
            "The map's length in a byte of its own.",
            replaced(create(), 3, map().wide(1)),
        ),
        (
            "field-name-wide",
            "A field name's length in a byte of its own.",
            replaced(create(), 3, hour_name(Item::text(hour.0).wide(1))),
        ),
    ];
    for (name, comment, item) in not_minimal {
        refuse(set, "create", (name, comment), item, "cbor_not_minimal")
            .requires(&["EN1"])
            .wire_takes("R2")
            .flag("NonMinimal");
    }
    let indefinite = [
        (
            "array-indefinite",
            "The array without a length.",
            create().indefinite(),
        ),
        (
            "map-indefinite",
            "The map without a length.",
            replaced(create(), 3, map().indefinite()),
        ),
        (
            "field-name-indefinite",
            "A field name without a length.",
            replaced(create(), 3, hour_name(Item::text(hour.0).indefinite())),
        ),
    ];
    for (name, comment, item) in indefinite {
        let case = refuse(set, "create", (name, comment), item, "cbor_indefinite");
        case.requires(&["EN1"])
            .wire_takes("R2")
            .flag("Indefinite")
            .or(&["operation_item_type"]);
    }
    let mut unbroken = create().indefinite().encode();
    unbroken.pop();
    set.invalid(
        "array-without-break",
        "The array without a length and without its end.",
        "create",
        hex(unbroken),
        "cbor_indefinite",
    )
    .requires(&["EN1"])
    .or(&["cbor_truncated"])
    .wire_takes("R2")
    .flag("Indefinite");
    let tagged = [
        (
            "array-tagged",
            "A tag before the array.",
            "create",
            create().tagged(55_799),
        ),
        (
            "version-tagged",
            "A tag before the version.",
            "create",
            replaced(create(), 0, Item::Int(1).tagged(99)),
        ),
        (
            "version-bignum",
            "The version as a bignum.",
            "create",
            replaced(create(), 0, Item::bytes([1]).tagged(2)),
        ),
        (
            "action-tagged",
            "A tag before the action.",
            "create",
            replaced(create(), 1, Item::Int(0).tagged(99)),
        ),
        (
            "map-tagged",
            "A tag before the map.",
            "create",
            replaced(create(), 3, map().tagged(99)),
        ),
        (
            "field-name-tagged",
            "A tag before a field name.",
            "create",
            replaced(create(), 3, hour_name(Item::text(hour.0).tagged(99))),
        ),
    ];
    for (name, comment, near, item) in tagged {
        refuse(set, near, (name, comment), item, "cbor_tag")
            .requires(&["EN1"])
            .wire_takes("R2")
            .flag("Tag");
    }
    let [a, b] = previous();
    let refused_by_all = [
        (
            "schema-id-tagged",
            "A tag before the schema id.",
            replaced(update(), 2, Item::text(CAFE).tagged(99)),
        ),
        (
            "previous-tagged",
            "A tag before previous.",
            replaced(update(), 3, Item::ids(&[a, b]).tagged(99)),
        ),
    ];
    for (name, comment, item) in refused_by_all {
        refuse(set, "update", (name, comment), item, "cbor_tag")
            .requires(&["EN1"])
            .flag("Tag");
    }
    for (name, comment, tail) in [
        ("trailing-byte", "A byte after the array.", "00"),
        (
            "trailing-item",
            "A second operation after the first.",
            "8401",
        ),
    ] {
        set.invalid(
            name,
            comment,
            "create",
            hex(create().encode()) + tail,
            "cbor_trailing_bytes",
        )
        .requires(&["EN1"])
        .wire_takes("R2")
        .flag("Trailing");
    }
}

fn values() -> Set {
    let mut set = Set::new("operation.decode", "values", &["OP7", "EN1"]);
    integers(&mut set);
    floats(&mut set);
    strings(&mut set);
    lists(&mut set);
    set
}

fn value<'a>(set: &'a mut Set, name: &str, field: &str, item: Item, value: Value) -> &'a mut Case {
    let comment = format!("The field {field} with a value of its kind.");
    set.valid(
        name,
        &comment,
        hex(update(field, item).encode()),
        update_result(field, value),
    )
}

fn integers(set: &mut Set) {
    let int = |n: i128| json!({"int": n.to_string()});
    let edges = [
        0,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        (1 << 32) - 1,
        1 << 32,
        (1 << 53) + 1,
        i64::MAX.into(),
        -1,
        -24,
        -25,
        -256,
        -257,
        i64::MIN.into(),
    ];
    for n in edges {
        value(
            set,
            &format!("int-{n}").replace("--", "-minus-"),
            "c_int",
            Item::Int(n),
            int(n),
        )
        .flag("Boundary");
    }
    for (name, near, n) in [
        ("int-past-the-end", "int-9223372036854775807", 1i128 << 63),
        (
            "int-greatest-unsigned",
            "int-9223372036854775807",
            u64::MAX.into(),
        ),
        (
            "int-before-the-start",
            "int-minus-9223372036854775808",
            -(1i128 << 63) - 1,
        ),
    ] {
        refuse(
            set,
            near,
            (name, "An integer beyond 64 bits with sign."),
            update("c_int", Item::Int(n)),
            "integer_out_of_range",
        )
        .flag("Boundary");
    }
    for width in [1, 2, 4, 8] {
        let item = update("c_int", Item::Int(23).wide(width));
        refuse(
            set,
            "int-23",
            (
                &format!("int-23-in-{width}"),
                "An integer in a longer form than needed.",
            ),
            item,
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("NonMinimal");
    }
    let item = update("c_int", Item::Int(-25).wide(2));
    refuse(
        set,
        "int-minus-25",
        (
            "int-minus-25-in-2",
            "A negative integer in a longer form than needed.",
        ),
        item,
        "cbor_not_minimal",
    )
    .wire_takes("R2")
    .flag("NonMinimal");
    for (name, near, tag, bytes) in [
        ("bignum", "int-24", 2, [24]),
        ("negative-bignum", "int-minus-25", 3, [24]),
    ] {
        let item = update("c_int", Item::bytes(bytes).tagged(tag));
        refuse(
            set,
            near,
            (name, "An integer as a bignum."),
            item,
            "cbor_tag",
        )
        .wire_takes("R2")
        .flag("Tag");
    }
    let huge = update("c_int", Item::bytes([1; 17]).tagged(2));
    refuse(
        set,
        "int-24",
        ("bignum-of-17-bytes", "A bignum beyond any integer."),
        huge,
        "cbor_tag",
    )
    .flag("Tag")
    .or(&["integer_out_of_range"]);
    refuse(
        set,
        "int-24",
        ("int-tagged", "A tag before a value."),
        update("c_int", Item::Int(24).tagged(99)),
        "cbor_tag",
    )
    .flag("Tag");
    value(
        set,
        "bool-true",
        "a_bool",
        Item::Bool(true),
        json!({"bool": true}),
    );
    value(
        set,
        "bool-false",
        "a_bool",
        Item::Bool(false),
        json!({"bool": false}),
    );
    refuse(
        set,
        "bool-true",
        ("bool-in-two-bytes", "True as a simple value of two bytes."),
        update("a_bool", Item::raw([0xf8, 0x15])),
        "cbor_simple",
    )
    .or(&["cbor_not_minimal"])
    .wire_takes("R2")
    .flag("NonMinimal");
    for (name, byte) in [("null", 0xf6), ("undefined", 0xf7), ("simple-0", 0xe0)] {
        refuse(
            set,
            "bool-true",
            (name, "A simple value that is no boolean."),
            update("a_bool", Item::raw([byte])),
            "cbor_simple",
        )
        .or(&["value_type"]);
    }
    refuse(
        set,
        "bool-true",
        ("reserved-head", "A head with a reserved length."),
        update("a_bool", Item::raw([0x1c])),
        "cbor_reserved",
    )
    .or(&["cbor_truncated"]);
    refuse(
        set,
        "bool-true",
        ("break-alone", "A break outside of anything."),
        update("a_bool", Item::raw([0xff])),
        "cbor_indefinite",
    )
    .or(&["value_type"]);
}

fn floats(set: &mut Set) {
    let float = |n: f64| json!({"float": format!("{:016x}", n.to_bits())});
    let numbers = [
        ("0", 0.0),
        ("minus-0", -0.0),
        ("1", 1.0),
        ("1.5", 1.5),
        ("65504", 65_504.0),
        ("65505", 65_505.0),
        ("100000", 100_000.0),
        ("0.1", 0.1),
        ("1e300", 1e300),
        ("smallest-half", 5.960_464_477_539_063e-8),
        ("smallest-single", 1.401_298_464_324_817e-45),
        ("smallest-double", 5e-324),
        ("greatest", f64::MAX),
        ("infinity", f64::INFINITY),
        ("minus-infinity", f64::NEG_INFINITY),
    ];
    for (name, n) in numbers {
        let case = value(
            set,
            &format!("float-{name}"),
            "d_float",
            Item::Float(n),
            float(n),
        );
        if n.is_infinite() {
            case.ruled("R20");
        }
    }
    let nan = json!({"float": "7ff8000000000000"});
    value(set, "float-nan", "d_float", Item::Float(f64::NAN), nan)
        .ruled("R20")
        .flag("Nan");

    for (name, n, width) in [
        ("1.5", 1.5, 4),
        ("1.5", 1.5, 8),
        ("100000", 100_000.0, 8),
        ("infinity", f64::INFINITY, 4),
        ("minus-0", -0.0, 8),
        ("smallest-half", 5.960_464_477_539_063e-8, 4),
    ] {
        let item = update("d_float", Item::raw(float_wide(n, width)));
        let id = format!("float-{name}-in-{width}");
        refuse(
            set,
            &format!("float-{name}"),
            (&id, "A float in more bytes than its value needs."),
            item,
            "cbor_not_minimal",
        )
        .wire_takes("R2")
        .flag("FloatWidth");
    }
    for (name, bytes) in [
        ("payload", vec![0xf9, 0x7e, 0x01]),
        ("negative", vec![0xf9, 0xfe, 0x00]),
        ("single", vec![0xfa, 0x7f, 0xc0, 0, 0]),
        ("double", vec![0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
    ] {
        let item = update("d_float", Item::raw(bytes));
        // Which NaN comes out of a lenient decoder is nobody's promise; that it is one, is.
        refuse(
            set,
            "float-nan",
            (&format!("float-nan-{name}"), "Another NaN than f97e00."),
            item,
            "cbor_nan",
        )
        .or(&["cbor_not_minimal"])
        .wire_takes("R20")
        .flag("Nan");
    }
}

fn strings(set: &mut Set) {
    let text = |text: &str| json!({"str": text});
    for (name, string) in [
        ("empty", ""),
        ("panda", "panda"),
        ("emoji", "pän🐼"),
        ("not-normalised", "a\u{308}"),
        ("with-nul", "a\0b"),
        ("of-23", "abcdefghijklmnopqrstuvw"),
        ("of-24", "abcdefghijklmnopqrstuvwx"),
    ] {
        value(
            set,
            &format!("str-{name}"),
            "e_str",
            Item::text(string),
            text(string),
        )
        .requires(&["OP7", "SC6"]);
    }
    let long = "p".repeat(300);
    value(
        set,
        "str-of-300",
        "e_str",
        Item::text(long.clone()),
        text(&long),
    )
    .requires(&["OP7", "SC6"]);
    let sequences: [(&str, &[u8]); 4] = [
        ("lone-continuation", &[0x61, 0x80]),
        ("overlong", &[0x62, 0xc0, 0xaf]),
        ("surrogate", &[0x63, 0xed, 0xa0, 0x80]),
        ("beyond-unicode", &[0x64, 0xf4, 0x90, 0x80, 0x80]),
    ];
    for (name, bytes) in sequences {
        refuse(
            set,
            "str-panda",
            (&format!("str-{name}"), "A text that is not UTF-8."),
            update("e_str", Item::raw(bytes)),
            "cbor_utf8",
        )
        .requires(&["SC6"])
        .flag("Unicode");
    }
    refuse(
        set,
        "str-panda",
        ("str-indefinite", "A text in pieces."),
        update("e_str", Item::text("panda").indefinite()),
        "cbor_indefinite",
    )
    .wire_takes("R2")
    .flag("Indefinite");
    refuse(
        set,
        "str-panda",
        ("str-length-wide", "A text's length in a byte of its own."),
        update("e_str", Item::text("panda").wide(1)),
        "cbor_not_minimal",
    )
    .wire_takes("R2")
    .flag("NonMinimal");
    refuse(
        set,
        "str-panda",
        (
            "str-longer-than-input",
            "A text that claims more than there is.",
        ),
        update(
            "e_str",
            Item::raw([0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        "cbor_truncated",
    )
    .flag("Truncated");
    value(
        set,
        "bytes-empty",
        "b_bytes",
        Item::bytes([]),
        json!({"bytes": ""}),
    );
    value(
        set,
        "bytes-deadbeef",
        "b_bytes",
        Item::bytes([0xde, 0xad, 0xbe, 0xef]),
        json!({"bytes": "deadbeef"}),
    );
    refuse(
        set,
        "bytes-deadbeef",
        ("bytes-as-numbers", "Bytes as a list of numbers."),
        update("b_bytes", Item::Array(vec![Item::Int(0xde)])),
        "list_item_type",
    );
    refuse(
        set,
        "bytes-deadbeef",
        ("map-value", "A map as a value."),
        update("b_bytes", Item::Map(vec![])),
        "value_type",
    );
}

fn lists(set: &mut Set) {
    let [a, b] = previous();
    let ids = |ids: &[Hash]| json!({"ids": ids.iter().map(Hash::hex).collect::<Vec<_>>()});
    value(
        set,
        "relation",
        "f_relation",
        Item::id(a),
        json!({"bytes": a.hex()}),
    );
    value(
        set,
        "list-empty",
        "g_relation_list",
        Item::ids(&[]),
        ids(&[]),
    );
    value(
        set,
        "list-unsorted-with-duplicate",
        "g_relation_list",
        Item::ids(&[b, a, b]),
        ids(&[b, a, b]),
    );
    value(
        set,
        "list-of-one",
        "g_relation_list",
        Item::ids(&[a]),
        ids(&[a]),
    );
    let nested = |lists: &[&[Hash]]| Item::Array(lists.iter().map(|ids| Item::ids(ids)).collect());
    let views = json!({"id_lists": [[b.hex()], [a.hex(), b.hex()]]});
    value(
        set,
        "list-of-views",
        "i_pinned_relation_list",
        nested(&[&[b], &[a, b]]),
        views,
    );

    let broken = [
        (
            "list-of-numbers",
            "list-of-one",
            Item::Array(vec![Item::Int(1)]),
        ),
        (
            "list-of-texts",
            "list-of-one",
            Item::Array(vec![Item::text(a.hex())]),
        ),
        (
            "list-of-bools",
            "list-of-one",
            Item::Array(vec![Item::Bool(true)]),
        ),
        (
            "list-mixed",
            "list-of-views",
            Item::Array(vec![Item::id(a), Item::ids(&[b])]),
        ),
        (
            "list-mixed-the-other-way",
            "list-of-views",
            Item::Array(vec![Item::ids(&[b]), Item::id(a)]),
        ),
        (
            "list-three-deep",
            "list-of-views",
            Item::Array(vec![Item::Array(vec![Item::ids(&[a])])]),
        ),
    ];
    for (name, near, item) in broken {
        refuse(
            set,
            near,
            (name, "A list of anything but ids."),
            update("g_relation_list", item),
            "list_item_type",
        )
        .or(&["hash_length", "value_type"])
        .importance(Importance::Medium);
    }
    let item = update("g_relation_list", Item::Array(vec![Item::id(a).tagged(99)]));
    refuse(
        set,
        "list-of-one",
        ("list-item-tagged", "A tag before an id in a list."),
        item,
        "cbor_tag",
    )
    .flag("Tag");
    let item = update("g_relation_list", Item::ids(&[a]).indefinite());
    refuse(
        set,
        "list-of-one",
        ("list-indefinite", "A list without a length."),
        item,
        "cbor_indefinite",
    )
    .wire_takes("R2")
    .flag("Indefinite");
    let item = update(
        "g_relation_list",
        Item::raw([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    );
    refuse(
        set,
        "list-of-one",
        (
            "list-longer-than-input",
            "A list that claims 2^64 − 1 items.",
        ),
        item,
        "cbor_truncated",
    )
    .flag("Truncated");
    let deep = [vec![0x81; 5000], vec![0x80]].concat();
    refuse(
        set,
        "list-of-one",
        ("list-5000-deep", "Lists within lists, 5000 of them."),
        update("g_relation_list", Item::raw(deep)),
        "list_item_type",
    )
    .or(&["value_type", "cbor_truncated"]);
}

fn encode() -> Set {
    let mut set = Set::new("operation.encode", "canonical", &["EN1", "EN2", "OP1"]);
    let [a, b] = previous();
    let mut add = |name: &str, comment: &str, input: Value, operation: Item| {
        set.valid(
            name,
            comment,
            input,
            json!({"operation": hex(operation.encode())}),
        );
    };
    add(
        "create",
        "A CREATE; members of the input are in no order.",
        json!({
            "action": "create", "schema_id": CAFE, "previous": null,
            "fields": {"title": {"str": "Panda"}, "opening_hour": {"int": "8"}},
        }),
        operation::create(CAFE, cafe_fields()),
    );
    add(
        "delete",
        "A DELETE.",
        json!({
            "action": "delete", "schema_id": CAFE, "previous": [a.hex()], "fields": null,
        }),
        operation::delete(CAFE, &[a]),
    );
    add(
        "previous-in-any-order",
        "Previous come out ascending.",
        json!({
            "action": "update", "schema_id": CAFE, "previous": [b.hex(), a.hex()], "fields": {},
        }),
        operation::update(CAFE, &[a, b], []),
    );
    add(
        "names-in-byte-order",
        "Field names come out in byte order, not by length.",
        json!({
            "action": "update", "schema_id": CAFE, "previous": [a.hex()],
            "fields": {"z": {"bool": true}, "aa": {"bool": false}},
        }),
        operation::update(
            CAFE,
            &[a],
            [("aa", Item::Bool(false)), ("z", Item::Bool(true))],
        ),
    );
    let float = |n: f64| json!({"float": format!("{:016x}", n.to_bits())});
    let one = |field: &str, value: Value| {
        json!({
            "action": "update", "schema_id": EVERY, "previous": [id(1).hex()], "fields": {field: value},
        })
    };
    for (name, n) in [
        ("1.5", 1.5),
        ("65504", 65_504.0),
        ("65505", 65_505.0),
        ("100000", 100_000.0),
        ("0.1", 0.1),
        ("minus-0", -0.0),
        ("smallest-half", 5.960_464_477_539_063e-8),
        ("half-normal", 6.103_515_625e-5),
        ("infinity", f64::INFINITY),
        ("nan", f64::NAN),
    ] {
        add(
            &format!("float-{name}"),
            "The shortest width that keeps the bits.",
            one("d_float", float(n)),
            update("d_float", Item::Float(n)),
        );
    }
    for n in [
        0,
        23,
        24,
        255,
        256,
        65_536,
        1 << 32,
        i64::MAX.into(),
        -1,
        -25,
        i64::MIN.into(),
    ] {
        let name = format!("int-{n}").replace("--", "-minus-");
        add(
            &name,
            "The shortest head.",
            one("c_int", json!({"int": n.to_string()})),
            update("c_int", Item::Int(n)),
        );
    }
    add(
        "lists",
        "Order and duplicates of relation lists are kept.",
        one(
            "g_relation_list",
            json!({"ids": [b.hex(), a.hex(), b.hex()]}),
        ),
        update("g_relation_list", Item::ids(&[b, a, b])),
    );
    add(
        "views",
        "A list of views.",
        one(
            "i_pinned_relation_list",
            json!({"id_lists": [[b.hex()], [a.hex(), b.hex()]]}),
        ),
        update(
            "i_pinned_relation_list",
            Item::Array(vec![Item::ids(&[b]), Item::ids(&[a, b])]),
        ),
    );
    encode_negative(&mut set);
    set
}

fn encode_negative(set: &mut Set) {
    let a = id(1).hex();
    let fields = json!({"title": {"str": "Panda"}, "opening_hour": {"int": "8"}});
    let broken = [
        (
            "create-with-previous",
            "create",
            json!({"action": "create", "schema_id": CAFE, "previous": [a], "fields": fields}),
            "operation_item_count",
        ),
        (
            "create-without-fields",
            "create",
            json!({"action": "create", "schema_id": CAFE, "previous": null, "fields": null}),
            "operation_item_count",
        ),
        (
            "delete-with-fields",
            "delete",
            json!({"action": "delete", "schema_id": CAFE, "previous": [a], "fields": {}}),
            "operation_item_count",
        ),
        (
            "delete-without-previous",
            "delete",
            json!({"action": "delete", "schema_id": CAFE, "previous": null, "fields": null}),
            "operation_item_count",
        ),
        (
            "previous-empty",
            "delete",
            json!({"action": "delete", "schema_id": CAFE, "previous": [], "fields": null}),
            "view_id_empty",
        ),
        (
            "schema-id-malformed",
            "delete",
            json!({"action": "delete", "schema_id": "cafe", "previous": [a], "fields": null}),
            "schema_id_malformed",
        ),
        (
            "action-unknown",
            "delete",
            json!({"action": "rename", "schema_id": CAFE, "previous": [a], "fields": null}),
            "operation_action",
        ),
        (
            "int-past-the-end",
            "int-9223372036854775807",
            json!({"action": "update", "schema_id": EVERY, "previous": [a], "fields": {"c_int": {"int": "9223372036854775808"}}}),
            "integer_out_of_range",
        ),
    ];
    for (name, near, input, reason) in broken {
        set.invalid(name, "Something no operation can say.", near, input, reason)
            .requires(&["OP1", "OP5", "OP6"]);
    }
}
