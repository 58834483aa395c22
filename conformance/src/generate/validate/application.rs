//! Application schemas: which fields an operation gives and what types their values have.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, EVERY, cafe_schema, every_schema, id};
use super::super::set::Set;
use super::{hexes, result, update, views};
use crate::forge::{Item, hex, operation};

pub(super) fn application() -> Set {
    let mut set = Set::new("operation.validate", "application", &["OP6", "OP8"]);
    set.schema("cafe", cafe_schema());
    set.schema("every", every_schema());
    set.using("schema", "cafe");
    fields(&mut set);
    set.schema("album", album());
    set.using("schema", "album");
    like_a_blob(&mut set);
    set.using("schema", "every");
    types(&mut set);
    mismatches(&mut set);
    relations(&mut set);
    set
}

/// A schema whose fields are called and typed as those of a blob are.
fn album() -> Value {
    json!({"id": CAFE.replacen("cafe", "album", 1), "fields": {
        "length": "int", "mime_type": "str", "pieces": "pinned_relation_list(blob_piece_v1)",
    }})
}

/// The rules of system schemas are those of system schemas alone.
fn like_a_blob(set: &mut Set) {
    let schema_id = CAFE.replacen("cafe", "album", 1);
    let albums = [
        ("like-a-blob", -5, "none", Vec::new()),
        ("like-a-blob-of-no-length", 0, "text/plain", vec![id(1)]),
    ];
    for (name, length, mime_type, pieces) in albums {
        let fields = [
            ("length", Item::Int(length)),
            ("mime_type", Item::text(mime_type)),
            (
                "pieces",
                Item::Array(pieces.iter().map(|piece| Item::ids(&[*piece])).collect()),
            ),
        ];
        let told: Vec<_> = pieces.iter().map(|piece| hexes(&[*piece])).collect();
        let told = json!({
            "length": {"int": length.to_string()},
            "mime_type": {"str": mime_type},
            "pieces": {"pinned_relation_list": told},
        });
        set.valid(
            name,
            "Fields that are called as those of a blob are, and say what those may not.",
            hex(operation::create(&schema_id, fields).encode()),
            result("create", &schema_id, told),
        )
        .requires(&["OP8", "BL1"]);
    }
}

fn fields(set: &mut Set) {
    let hour = ("opening_hour", Item::Int(8));
    let title = ("title", Item::text("Panda"));
    let create = |fields: Vec<(&'static str, Item)>| hex(operation::create(CAFE, fields).encode());
    let typed = json!({"opening_hour": {"int": "8"}, "title": {"str": "Panda"}});
    set.valid(
        "create",
        "Every field of the schema.",
        create(vec![hour.clone(), title.clone()]),
        result("create", CAFE, typed.clone()),
    )
    .requires(&["OP4", "OP6", "OP8"]);
    set.valid(
        "update",
        "One field of two.",
        update(CAFE, "title", title.1.clone()),
        result("update", CAFE, json!({"title": {"str": "Panda"}})),
    );
    let both = operation::update(CAFE, &[id(1)], [hour.clone(), title.clone()]);
    set.valid(
        "update-of-all",
        "Both fields.",
        hex(both.encode()),
        result("update", CAFE, typed),
    );
    let none = operation::update(CAFE, &[id(1)], []);
    set.valid(
        "update-of-nothing",
        "No field.",
        hex(none.encode()),
        result("update", CAFE, json!({})),
    );
    set.valid(
        "delete",
        "A DELETE has no fields to check.",
        hex(operation::delete(CAFE, &[id(1)]).encode()),
        result("delete", CAFE, Value::Null),
    );

    let wrong = [
        (
            "create-without-first",
            "A CREATE without the first field.",
            vec![title.clone()],
            "field_missing",
        ),
        (
            "create-without-last",
            "A CREATE without the last field.",
            vec![hour.clone()],
            "field_missing",
        ),
        (
            "create-with-more",
            "A field the schema does not have, at the end.",
            vec![hour.clone(), title.clone(), ("zoo", Item::Bool(true))],
            "field_unexpected",
        ),
        (
            "create-with-more-in-front",
            "A field the schema does not have, at the beginning.",
            vec![("aaa", Item::Bool(true)), hour.clone(), title.clone()],
            "field_unexpected",
        ),
        (
            "create-with-other-case",
            "Field names are case-sensitive.",
            vec![("Title", title.1.clone()), hour.clone()],
            "field_missing",
        ),
    ];
    for (name, comment, fields, reason) in wrong {
        let case = set.invalid(name, comment, "create", create(fields), reason);
        case.or(&["field_unexpected", "field_missing", "field_type_mismatch"]);
    }
    set.invalid(
        "create-of-nothing",
        "A CREATE without any field.",
        "create",
        create(vec![]),
        "field_missing",
    );
    set.invalid(
        "update-with-unknown",
        "A field the schema does not have.",
        "update",
        update(CAFE, "zoo", title.1.clone()),
        "field_unexpected",
    );
    let unknown =
        |fields: [(&'static str, Item); 2]| hex(operation::update(CAFE, &[id(1)], fields).encode());
    for (name, comment, fields) in [
        (
            "update-with-known-and-unknown",
            "One field of the schema and one of another.",
            [title.clone(), ("zoo", Item::Bool(true))],
        ),
        (
            "update-with-unknown-and-known",
            "The field the schema does not have stands first.",
            [("aaa", Item::Bool(true)), title.clone()],
        ),
    ] {
        set.invalid(name, comment, "update", unknown(fields), "field_unexpected");
    }
    set.invalid(
        "update-with-wrong-type-beside-right",
        "The second of two fields does not fit.",
        "update-of-all",
        unknown([hour.clone(), ("title", Item::Bool(true))]),
        "field_type_mismatch",
    );
    set.invalid(
        "create-with-wrong-type",
        "Every field is there, the first with a text for a number.",
        "create",
        create(vec![("opening_hour", Item::text("8")), title.clone()]),
        "field_type_mismatch",
    );
    set.invalid(
        "update-with-wrong-type",
        "A number for a text.",
        "update",
        update(CAFE, "title", Item::Int(1)),
        "field_type_mismatch",
    );
    let other = hex(operation::create(
        &CAFE.replacen("cafe", "cave", 1),
        [("opening_hour", Item::Int(8)), title],
    )
    .encode());
    set.invalid(
        "other-schema",
        "The operation names a schema of another name.",
        "create",
        other,
        "schema_mismatch",
    )
    .requires(&["OP4"]);
    let deletes = hex(operation::delete(&CAFE.replacen("c88c", "c88d", 1), &[id(1)]).encode());
    set.invalid(
        "delete-of-other-schema",
        "The operation names a schema of another view.",
        "delete",
        deletes,
        "schema_mismatch",
    )
    .requires(&["OP4"]);
}

/// The field of each type with a value that fits it and how that value is told.
fn fitting() -> [(&'static str, Item, Value); 9] {
    let [a, b] = [id(1), id(2)];
    [
        ("a_bool", Item::Bool(true), json!({"bool": true})),
        ("b_bytes", Item::bytes([0, 255]), json!({"bytes": "00ff"})),
        ("c_int", Item::Int(42), json!({"int": "42"})),
        (
            "d_float",
            Item::Float(1.5),
            json!({"float": "3ff8000000000000"}),
        ),
        ("e_str", Item::text("panda"), json!({"str": "panda"})),
        ("f_relation", Item::id(a), json!({"relation": a.hex()})),
        (
            "g_relation_list",
            Item::ids(&[b, a, b]),
            json!({"relation_list": hexes(&[b, a, b])}),
        ),
        (
            "h_pinned_relation",
            Item::ids(&[a, b]),
            json!({"pinned_relation": hexes(&[a, b])}),
        ),
        (
            "i_pinned_relation_list",
            views(&[&[b], &[a, b]]),
            json!({"pinned_relation_list": [hexes(&[b]), hexes(&[a, b])]}),
        ),
    ]
}

fn slug(field: &str) -> String {
    field[2..].replace('_', "-")
}

fn types(set: &mut Set) {
    let all = fitting();
    let create = operation::create(
        EVERY,
        all.iter().map(|(name, item, _)| (*name, item.clone())),
    );
    let typed: serde_json::Map<_, _> = all
        .iter()
        .map(|(name, _, value)| ((*name).to_owned(), value.clone()))
        .collect();
    set.valid(
        "create-of-every-type",
        "A field of each type.",
        hex(create.encode()),
        result("create", EVERY, typed.into()),
    )
    .requires(&["OP6", "OP8", "SC5"]);
    for (name, item, value) in all {
        set.valid(
            &slug(name),
            "A value that fits its type.",
            update(EVERY, name, item),
            result("update", EVERY, json!({name: value})),
        )
        .requires(&["OP8", "SC5"]);
    }
}

/// Each type is given the value of every other, an empty list, and a few that look alike.
fn mismatches(set: &mut Set) {
    let all = fitting();
    for (index, (name, ..)) in all.iter().enumerate() {
        for step in 1..all.len() {
            let (other, item, _) = &all[(index + step) % all.len()];
            // Bytes may be a relation and a list of ids a pinned one; those are told apart below.
            let alike = [
                ("b_bytes", "f_relation"),
                ("f_relation", "b_bytes"),
                ("g_relation_list", "h_pinned_relation"),
                ("h_pinned_relation", "g_relation_list"),
                ("i_pinned_relation_list", "g_relation_list"),
                ("i_pinned_relation_list", "h_pinned_relation"),
            ];
            if alike.contains(&(*name, *other)) {
                continue;
            }
            let id = format!("{}-given-{}", slug(name), slug(other));
            set.invalid(
                &id,
                "A value of another type.",
                &slug(name),
                update(EVERY, name, item.clone()),
                "field_type_mismatch",
            )
            .or(&["hash_length"])
            .requires(&["OP8", "SC5"]);
        }
    }
    for (name, ..) in &all[..6] {
        set.invalid(
            &format!("{}-given-empty-list", slug(name)),
            "Nothing in a list is not nothing.",
            &slug(name),
            update(EVERY, name, Item::ids(&[])),
            "field_type_mismatch",
        )
        .requires(&["OP8", "SC5"]);
    }
    let lookalikes = [
        ("bool-given-1", "bool", "a_bool", Item::Int(1)),
        ("bool-given-text", "bool", "a_bool", Item::text("true")),
        ("int-given-decimal", "int", "c_int", Item::text("42")),
        ("float-given-decimal", "float", "d_float", Item::text("1.5")),
        ("int-given-float-zero", "int", "c_int", Item::Float(-0.0)),
        ("bool-given-0", "bool", "a_bool", Item::Int(0)),
        ("int-given-whole-float", "int", "c_int", Item::Float(1.0)),
        ("float-given-whole-number", "float", "d_float", Item::Int(1)),
        (
            "str-given-bytes-of-text",
            "str",
            "e_str",
            Item::bytes(*b"panda"),
        ),
        ("bytes-given-hex", "bytes", "b_bytes", Item::text("00ff")),
        (
            "relation-given-text",
            "relation",
            "f_relation",
            Item::text(id(1).hex()),
        ),
        (
            "relation-given-list",
            "relation",
            "f_relation",
            Item::ids(&[id(1)]),
        ),
        (
            "relation-list-given-views",
            "relation-list",
            "g_relation_list",
            views(&[&[id(1)]]),
        ),
        (
            "pinned-relation-given-id",
            "pinned-relation",
            "h_pinned_relation",
            Item::id(id(1)),
        ),
    ];
    for (name, near, field, item) in lookalikes {
        set.invalid(
            name,
            "A value that looks alike.",
            near,
            update(EVERY, field, item),
            "field_type_mismatch",
        )
        .requires(&["OP8"]);
    }
}

fn relations(set: &mut Set) {
    let [a, b] = [id(1), id(2)];
    let empty = [
        (
            "relation-list-empty",
            "g_relation_list",
            json!({"relation_list": []}),
        ),
        (
            "pinned-relation-list-empty",
            "i_pinned_relation_list",
            json!({"pinned_relation_list": []}),
        ),
    ];
    for (name, field, value) in empty {
        set.valid(
            name,
            "The list may be empty.",
            update(EVERY, field, Item::ids(&[])),
            result("update", EVERY, json!({field: value})),
        );
    }
    let unsorted = json!({"pinned_relation_list": [hexes(&[b]), hexes(&[a]), hexes(&[b])]});
    set.valid(
        "pinned-relation-list-in-any-order",
        "Order and duplicates of the outer list are kept.",
        update(EVERY, "i_pinned_relation_list", views(&[&[b], &[a], &[b]])),
        result("update", EVERY, json!({"i_pinned_relation_list": unsorted})),
    );
    let broken = [
        (
            "relation-of-33-bytes",
            "relation",
            "f_relation",
            Item::bytes(&a.0[..33]),
            "hash_length",
        ),
        (
            "relation-of-other-algorithm",
            "relation",
            "f_relation",
            Item::id(a.with_byte(0, 1)),
            "hash_algorithm",
        ),
        (
            "pinned-relation-empty",
            "pinned-relation",
            "h_pinned_relation",
            Item::ids(&[]),
            "view_id_empty",
        ),
        (
            "pinned-relation-unsorted",
            "pinned-relation",
            "h_pinned_relation",
            Item::ids(&[b, a]),
            "view_id_unsorted",
        ),
        (
            "pinned-relation-duplicate",
            "pinned-relation",
            "h_pinned_relation",
            Item::ids(&[a, a]),
            "view_id_duplicate",
        ),
        (
            "pinned-relation-list-of-empty",
            "pinned-relation-list",
            "i_pinned_relation_list",
            views(&[&[]]),
            "view_id_empty",
        ),
        (
            "pinned-relation-list-inner-unsorted",
            "pinned-relation-list",
            "i_pinned_relation_list",
            views(&[&[b, a]]),
            "view_id_unsorted",
        ),
        (
            "pinned-relation-list-inner-duplicate",
            "pinned-relation-list",
            "i_pinned_relation_list",
            views(&[&[a, a]]),
            "view_id_duplicate",
        ),
    ];
    for (name, near, field, item, reason) in broken {
        set.invalid(
            name,
            "Ids that are none, or no view.",
            near,
            update(EVERY, field, item),
            reason,
        )
        .requires(&["OP8", "DV1", "EN2"])
        .or(&["field_type_mismatch"]);
    }
    let odd = a.with_byte(1, 0);
    set.invalid(
        "relation-length-byte",
        "A relation with a wrong digest length.",
        "relation",
        update(EVERY, "f_relation", Item::id(odd)),
        "hash_digest_length",
    )
    .wire_reads(
        "R10",
        result(
            "update",
            EVERY,
            json!({"f_relation": {"relation": odd.hex()}}),
        ),
    );
    set.invalid(
        "pinned-relation-list-flat",
        "A flat list of ids where views are wanted.",
        "pinned-relation-list",
        update(EVERY, "i_pinned_relation_list", Item::ids(&[a, b])),
        "field_type_mismatch",
    )
    .wire_reads(
        "R18",
        result(
            "update",
            EVERY,
            json!({"i_pinned_relation_list": {"pinned_relation_list": []}}),
        ),
    );
}
