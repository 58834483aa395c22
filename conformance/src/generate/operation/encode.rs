//! Producers: one operation has one encoding, however lenient receivers may be.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, EVERY, id};
use super::super::set::Set;
use super::scalars::FLOATS;
use super::{cafe_fields, previous, update};
use crate::forge::{Hash, Item, hex, operation};

/// What is asked for, in the order it is told, and the operation that must come out.
struct Encoded {
    name: &'static str,
    comment: &'static str,
    input: fn(Hash, Hash) -> Value,
    operation: fn(Hash, Hash) -> Item,
}

const OPERATIONS: &[Encoded] = &[
    Encoded {
        name: "create",
        comment: "A CREATE; members of the input are in no order.",
        input: |_, _| {
            json!({
                "action": "create", "schema_id": CAFE, "previous": null,
                "fields": {"title": {"str": "Panda"}, "opening_hour": {"int": "8"}},
            })
        },
        operation: |_, _| operation::create(CAFE, cafe_fields()),
    },
    Encoded {
        name: "delete",
        comment: "A DELETE.",
        input: |a, _| {
            json!({
                "action": "delete", "schema_id": CAFE, "previous": [a.hex()], "fields": null,
            })
        },
        operation: |a, _| operation::delete(CAFE, &[a]),
    },
    Encoded {
        name: "previous-in-any-order",
        comment: "Previous come out ascending.",
        input: |a, b| {
            json!({
                "action": "update", "schema_id": CAFE, "previous": [b.hex(), a.hex()], "fields": {},
            })
        },
        operation: |a, b| operation::update(CAFE, &[a, b], []),
    },
    Encoded {
        name: "previous-given-twice",
        comment: "Previous is a set: an id given twice comes out once.",
        input: |a, b| {
            json!({
                "action": "update", "schema_id": CAFE, "previous": [b.hex(), a.hex(), b.hex()], "fields": {},
            })
        },
        operation: |a, b| operation::update(CAFE, &[a, b], []),
    },
    Encoded {
        name: "names-in-byte-order",
        comment: "Field names come out in byte order, not by length.",
        input: |a, _| {
            json!({
                "action": "update", "schema_id": CAFE, "previous": [a.hex()],
                "fields": {"z": {"bool": true}, "aa": {"bool": false}},
            })
        },
        operation: |a, _| {
            operation::update(
                CAFE,
                &[a],
                [("aa", Item::Bool(false)), ("z", Item::Bool(true))],
            )
        },
    },
];

const LISTS: &[Encoded] = &[
    Encoded {
        name: "lists",
        comment: "Order and duplicates of relation lists are kept.",
        input: |a, b| {
            one(
                "g_relation_list",
                json!({"ids": [b.hex(), a.hex(), b.hex()]}),
            )
        },
        operation: |a, b| update("g_relation_list", Item::ids(&[b, a, b])),
    },
    Encoded {
        name: "views",
        comment: "A list of views.",
        input: |a, b| {
            one(
                "i_pinned_relation_list",
                json!({"id_lists": [[b.hex()], [a.hex(), b.hex()]]}),
            )
        },
        operation: |a, b| {
            update(
                "i_pinned_relation_list",
                Item::Array(vec![Item::ids(&[b]), Item::ids(&[a, b])]),
            )
        },
    },
];

pub(super) fn encode() -> Set {
    let mut set = Set::new("operation.encode", "canonical", &["EN1", "EN2", "OP1"]);
    add_all(&mut set, OPERATIONS);
    floats(&mut set);
    integers(&mut set);
    add_all(&mut set, LISTS);
    encode_negative(&mut set);
    set
}

fn add(set: &mut Set, name: &str, comment: &str, input: Value, operation: &Item) {
    let told = json!({"operation": hex(operation.encode())});
    set.valid(name, comment, input, told);
}

fn add_all(set: &mut Set, rows: &[Encoded]) {
    let [a, b] = previous();
    for row in rows {
        let (input, operation) = ((row.input)(a, b), (row.operation)(a, b));
        add(set, row.name, row.comment, input, &operation);
    }
}

/// The UPDATE of one field, as it is asked for.
fn one(field: &str, value: Value) -> Value {
    json!({
        "action": "update", "schema_id": EVERY, "previous": [id(1).hex()], "fields": {field: value},
    })
}

fn floats(set: &mut Set) {
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
    ]
    .iter()
    .chain(FLOATS)
    {
        let n = *n;
        add(
            set,
            &format!("float-{name}"),
            "The shortest width that keeps the bits.",
            one("d_float", json!({"float": format!("{:016x}", n.to_bits())})),
            &update("d_float", Item::Float(n)),
        );
    }
}

fn integers(set: &mut Set) {
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
            set,
            &name,
            "The shortest head.",
            one("c_int", json!({"int": n.to_string()})),
            &update("c_int", Item::Int(n)),
        );
    }
}

/// The fields of the CREATE, as they are asked for.
fn cafe() -> Value {
    json!({"title": {"str": "Panda"}, "opening_hour": {"int": "8"}})
}

/// What no operation can say; `a` is an id.
struct Broken {
    name: &'static str,
    near: &'static str,
    input: fn(&str) -> Value,
    reason: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        name: "create-with-previous",
        near: "create",
        input: |a| json!({"action": "create", "schema_id": CAFE, "previous": [a], "fields": cafe()}),
        reason: "operation_item_count",
    },
    Broken {
        name: "create-without-fields",
        near: "create",
        input: |_| json!({"action": "create", "schema_id": CAFE, "previous": null, "fields": null}),
        reason: "operation_item_count",
    },
    Broken {
        name: "delete-with-fields",
        near: "delete",
        input: |a| json!({"action": "delete", "schema_id": CAFE, "previous": [a], "fields": {}}),
        reason: "operation_item_count",
    },
    Broken {
        name: "delete-without-previous",
        near: "delete",
        input: |_| json!({"action": "delete", "schema_id": CAFE, "previous": null, "fields": null}),
        reason: "operation_item_count",
    },
    Broken {
        name: "previous-empty",
        near: "delete",
        input: |_| json!({"action": "delete", "schema_id": CAFE, "previous": [], "fields": null}),
        reason: "view_id_empty",
    },
    Broken {
        name: "schema-id-malformed",
        near: "delete",
        input: |a| json!({"action": "delete", "schema_id": "cafe", "previous": [a], "fields": null}),
        reason: "schema_id_malformed",
    },
    Broken {
        name: "action-unknown",
        near: "delete",
        input: |a| json!({"action": "rename", "schema_id": CAFE, "previous": [a], "fields": null}),
        reason: "operation_action",
    },
    Broken {
        name: "int-past-the-end",
        near: "int-9223372036854775807",
        input: |a| json!({"action": "update", "schema_id": EVERY, "previous": [a], "fields": {"c_int": {"int": "9223372036854775808"}}}),
        reason: "integer_out_of_range",
    },
];

fn encode_negative(set: &mut Set) {
    let a = id(1).hex();
    for &Broken {
        name,
        near,
        input,
        reason,
    } in BROKEN
    {
        set.invalid(
            name,
            "Something no operation can say.",
            near,
            input(&a),
            reason,
        )
        .requires(&["OP1", "OP5", "OP6"]);
    }
}
