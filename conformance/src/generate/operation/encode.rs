//! Producers: one operation has one encoding, however lenient receivers may be.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, EVERY, id};
use super::super::set::Set;
use super::scalars::FLOATS;
use super::{cafe_fields, previous, update};
use crate::forge::{Item, hex, operation};

pub(super) fn encode() -> Set {
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
        "previous-given-twice",
        "Previous is a set: an id given twice comes out once.",
        json!({
            "action": "update", "schema_id": CAFE, "previous": [b.hex(), a.hex(), b.hex()], "fields": {},
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
    ]
    .iter()
    .chain(FLOATS)
    {
        let n = *n;
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
