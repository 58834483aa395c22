//! Application schemas: which fields an operation gives and what types their values have.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, EVERY, cafe_schema, every_schema, id};
use super::super::set::Set;
use super::{hexes, result, update, views};
use crate::forge::{Hash, Item, hex, operation};

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

fn hour() -> (&'static str, Item) {
    ("opening_hour", Item::Int(8))
}

fn title() -> (&'static str, Item) {
    ("title", Item::text("Panda"))
}

fn create(fields: Vec<(&'static str, Item)>) -> String {
    hex(operation::create(CAFE, fields).encode())
}

/// A CREATE that lacks a field of the schema, or has one too many.
struct WrongCreate {
    name: &'static str,
    comment: &'static str,
    fields: fn() -> Vec<(&'static str, Item)>,
    reason: &'static str,
}

const WRONG_CREATES: &[WrongCreate] = &[
    WrongCreate {
        name: "create-without-first",
        comment: "A CREATE without the first field.",
        fields: || vec![title()],
        reason: "field_missing",
    },
    WrongCreate {
        name: "create-without-last",
        comment: "A CREATE without the last field.",
        fields: || vec![hour()],
        reason: "field_missing",
    },
    WrongCreate {
        name: "create-with-more",
        comment: "A field the schema does not have, at the end.",
        fields: || vec![hour(), title(), ("zoo", Item::Bool(true))],
        reason: "field_unexpected",
    },
    WrongCreate {
        name: "create-with-more-in-front",
        comment: "A field the schema does not have, at the beginning.",
        fields: || vec![("aaa", Item::Bool(true)), hour(), title()],
        reason: "field_unexpected",
    },
    WrongCreate {
        name: "create-with-other-case",
        comment: "Field names are case-sensitive.",
        fields: || vec![("Title", title().1), hour()],
        reason: "field_missing",
    },
];

fn fields(set: &mut Set) {
    let typed = json!({"opening_hour": {"int": "8"}, "title": {"str": "Panda"}});
    set.valid(
        "create",
        "Every field of the schema.",
        create(vec![hour(), title()]),
        result("create", CAFE, typed.clone()),
    )
    .requires(&["OP4", "OP6", "OP8"]);
    set.valid(
        "update",
        "One field of two.",
        update(CAFE, "title", title().1),
        result("update", CAFE, json!({"title": {"str": "Panda"}})),
    );
    let both = operation::update(CAFE, &[id(1)], [hour(), title()]);
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
    wrong_creates(set);
    wrong_updates(set);
    wrong_types(set);
    other_schemas(set);
}

fn wrong_creates(set: &mut Set) {
    for &WrongCreate {
        name,
        comment,
        fields,
        reason,
    } in WRONG_CREATES
    {
        let case = set.invalid(name, comment, "create", create(fields()), reason);
        case.or(&["field_unexpected", "field_missing", "field_type_mismatch"]);
    }
    set.invalid(
        "create-of-nothing",
        "A CREATE without any field.",
        "create",
        create(vec![]),
        "field_missing",
    );
}

fn update_of(fields: [(&'static str, Item); 2]) -> String {
    hex(operation::update(CAFE, &[id(1)], fields).encode())
}

fn wrong_updates(set: &mut Set) {
    set.invalid(
        "update-with-unknown",
        "A field the schema does not have.",
        "update",
        update(CAFE, "zoo", title().1),
        "field_unexpected",
    );
    for (name, comment, fields) in [
        (
            "update-with-known-and-unknown",
            "One field of the schema and one of another.",
            [title(), ("zoo", Item::Bool(true))],
        ),
        (
            "update-with-unknown-and-known",
            "The field the schema does not have stands first.",
            [("aaa", Item::Bool(true)), title()],
        ),
    ] {
        set.invalid(
            name,
            comment,
            "update",
            update_of(fields),
            "field_unexpected",
        );
    }
}

fn wrong_types(set: &mut Set) {
    set.invalid(
        "update-with-wrong-type-beside-right",
        "The second of two fields does not fit.",
        "update-of-all",
        update_of([hour(), ("title", Item::Bool(true))]),
        "field_type_mismatch",
    );
    set.invalid(
        "create-with-wrong-type",
        "Every field is there, the first with a text for a number.",
        "create",
        create(vec![("opening_hour", Item::text("8")), title()]),
        "field_type_mismatch",
    );
    set.invalid(
        "update-with-wrong-type",
        "A number for a text.",
        "update",
        update(CAFE, "title", Item::Int(1)),
        "field_type_mismatch",
    );
}

fn other_schemas(set: &mut Set) {
    let other = hex(operation::create(
        &CAFE.replacen("cafe", "cave", 1),
        [("opening_hour", Item::Int(8)), title()],
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

/// A value that looks like one of the type that its field has.
struct Lookalike {
    name: &'static str,
    near: &'static str,
    field: &'static str,
    item: fn() -> Item,
}

const LOOKALIKES: &[Lookalike] = &[
    Lookalike {
        name: "bool-given-1",
        near: "bool",
        field: "a_bool",
        item: || Item::Int(1),
    },
    Lookalike {
        name: "bool-given-text",
        near: "bool",
        field: "a_bool",
        item: || Item::text("true"),
    },
    Lookalike {
        name: "int-given-decimal",
        near: "int",
        field: "c_int",
        item: || Item::text("42"),
    },
    Lookalike {
        name: "float-given-decimal",
        near: "float",
        field: "d_float",
        item: || Item::text("1.5"),
    },
    Lookalike {
        name: "int-given-float-zero",
        near: "int",
        field: "c_int",
        item: || Item::Float(-0.0),
    },
    Lookalike {
        name: "bool-given-0",
        near: "bool",
        field: "a_bool",
        item: || Item::Int(0),
    },
    Lookalike {
        name: "int-given-whole-float",
        near: "int",
        field: "c_int",
        item: || Item::Float(1.0),
    },
    Lookalike {
        name: "float-given-whole-number",
        near: "float",
        field: "d_float",
        item: || Item::Int(1),
    },
    Lookalike {
        name: "str-given-bytes-of-text",
        near: "str",
        field: "e_str",
        item: || Item::bytes(*b"panda"),
    },
    Lookalike {
        name: "bytes-given-hex",
        near: "bytes",
        field: "b_bytes",
        item: || Item::text("00ff"),
    },
    Lookalike {
        name: "relation-given-text",
        near: "relation",
        field: "f_relation",
        item: || Item::text(id(1).hex()),
    },
    Lookalike {
        name: "relation-given-list",
        near: "relation",
        field: "f_relation",
        item: || Item::ids(&[id(1)]),
    },
    Lookalike {
        name: "relation-list-given-views",
        near: "relation-list",
        field: "g_relation_list",
        item: || views(&[&[id(1)]]),
    },
    Lookalike {
        name: "pinned-relation-given-id",
        near: "pinned-relation",
        field: "h_pinned_relation",
        item: || Item::id(id(1)),
    },
];

/// Fields of which one may hold the value of the other: bytes may be a relation, and a list of ids a
/// pinned one. Those are told apart below.
const ALIKE: &[(&str, &str)] = &[
    ("b_bytes", "f_relation"),
    ("f_relation", "b_bytes"),
    ("g_relation_list", "h_pinned_relation"),
    ("h_pinned_relation", "g_relation_list"),
    ("i_pinned_relation_list", "g_relation_list"),
    ("i_pinned_relation_list", "h_pinned_relation"),
];

/// Each type is given the value of every other, an empty list, and a few that look alike.
fn mismatches(set: &mut Set) {
    let all = fitting();
    for (index, (name, ..)) in all.iter().enumerate() {
        for step in 1..all.len() {
            let (other, item, _) = &all[(index + step) % all.len()];
            if ALIKE.contains(&(*name, *other)) {
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
    empty_lists(set);
    lookalikes(set);
}

fn empty_lists(set: &mut Set) {
    for (name, ..) in &fitting()[..6] {
        set.invalid(
            &format!("{}-given-empty-list", slug(name)),
            "Nothing in a list is not nothing.",
            &slug(name),
            update(EVERY, name, Item::ids(&[])),
            "field_type_mismatch",
        )
        .requires(&["OP8", "SC5"]);
    }
}

fn lookalikes(set: &mut Set) {
    for &Lookalike {
        name,
        near,
        field,
        item,
    } in LOOKALIKES
    {
        set.invalid(
            name,
            "A value that looks alike.",
            near,
            update(EVERY, field, item()),
            "field_type_mismatch",
        )
        .requires(&["OP8"]);
    }
}

/// A value that is no id or no view, made of two ids.
struct BrokenRelation {
    name: &'static str,
    near: &'static str,
    field: &'static str,
    item: fn(Hash, Hash) -> Item,
    reason: &'static str,
}

const BROKEN_RELATIONS: &[BrokenRelation] = &[
    BrokenRelation {
        name: "relation-of-33-bytes",
        near: "relation",
        field: "f_relation",
        item: |a, _| Item::bytes(&a.0[..33]),
        reason: "hash_length",
    },
    BrokenRelation {
        name: "relation-of-other-algorithm",
        near: "relation",
        field: "f_relation",
        item: |a, _| Item::id(a.with_byte(0, 1)),
        reason: "hash_algorithm",
    },
    BrokenRelation {
        name: "pinned-relation-empty",
        near: "pinned-relation",
        field: "h_pinned_relation",
        item: |_, _| Item::ids(&[]),
        reason: "view_id_empty",
    },
    BrokenRelation {
        name: "pinned-relation-unsorted",
        near: "pinned-relation",
        field: "h_pinned_relation",
        item: |a, b| Item::ids(&[b, a]),
        reason: "view_id_unsorted",
    },
    BrokenRelation {
        name: "pinned-relation-duplicate",
        near: "pinned-relation",
        field: "h_pinned_relation",
        item: |a, _| Item::ids(&[a, a]),
        reason: "view_id_duplicate",
    },
    BrokenRelation {
        name: "pinned-relation-list-of-empty",
        near: "pinned-relation-list",
        field: "i_pinned_relation_list",
        item: |_, _| views(&[&[]]),
        reason: "view_id_empty",
    },
    BrokenRelation {
        name: "pinned-relation-list-inner-unsorted",
        near: "pinned-relation-list",
        field: "i_pinned_relation_list",
        item: |a, b| views(&[&[b, a]]),
        reason: "view_id_unsorted",
    },
    BrokenRelation {
        name: "pinned-relation-list-inner-duplicate",
        near: "pinned-relation-list",
        field: "i_pinned_relation_list",
        item: |a, _| views(&[&[a, a]]),
        reason: "view_id_duplicate",
    },
];

/// Lists that may be empty: case, field and the kind it is told as.
const EMPTY_LISTS: &[(&str, &str, &str)] = &[
    ("relation-list-empty", "g_relation_list", "relation_list"),
    (
        "pinned-relation-list-empty",
        "i_pinned_relation_list",
        "pinned_relation_list",
    ),
];

fn relations(set: &mut Set) {
    let [a, b] = [id(1), id(2)];
    for &(name, field, kind) in EMPTY_LISTS {
        set.valid(
            name,
            "The list may be empty.",
            update(EVERY, field, Item::ids(&[])),
            result("update", EVERY, json!({field: {kind: []}})),
        );
    }
    let unsorted = json!({"pinned_relation_list": [hexes(&[b]), hexes(&[a]), hexes(&[b])]});
    set.valid(
        "pinned-relation-list-in-any-order",
        "Order and duplicates of the outer list are kept.",
        update(EVERY, "i_pinned_relation_list", views(&[&[b], &[a], &[b]])),
        result("update", EVERY, json!({"i_pinned_relation_list": unsorted})),
    );
    for &BrokenRelation {
        name,
        near,
        field,
        item,
        reason,
    } in BROKEN_RELATIONS
    {
        set.invalid(
            name,
            "Ids that are none, or no view.",
            near,
            update(EVERY, field, item(a, b)),
            reason,
        )
        .requires(&["OP8", "DV1", "EN2"])
        .or(&["field_type_mismatch"]);
    }
    lenient_relations(set, a, b);
}

/// What deployed software takes for relations.
fn lenient_relations(set: &mut Set, a: Hash, b: Hash) {
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
