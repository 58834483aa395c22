//! System schemas: the extra rules for schema definitions and field definitions.

use serde_json::json;

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use super::{hexes, result, update, views};
use crate::forge::{Hash, Item, hex, operation};
use crate::suite::Case;

/// Adds an UPDATE of one text field of a system schema.
fn text_field<'a>(
    set: &'a mut Set,
    schema: &str,
    (field, name): (&str, &str),
    text: &str,
) -> &'a mut Case {
    let typed = json!({field: {"str": text}});
    set.valid(
        name,
        "A text the rules allow.",
        update(schema, field, Item::text(text)),
        result("update", schema, typed),
    )
}

pub(super) fn definitions() -> Set {
    let mut set = Set::new("operation.validate", "definitions", &["SC5", "SC10"]);
    set.schema("schema_definition", json!({"id": "schema_definition_v1", "fields": {
        "description": "str", "fields": "pinned_relation_list(schema_field_definition_v1)", "name": "str",
    }}));
    set.schema(
        "schema_field_definition",
        json!({"id": "schema_field_definition_v1", "fields": {
            "name": "str", "type": "str",
        }}),
    );
    schema_definition(&mut set);
    field_count(&mut set);
    field_definition(&mut set);
    set
}

fn schema_definition(set: &mut Set) {
    const ID: &str = "schema_definition_v1";
    set.using("schema", "schema_definition");
    let create = operation::create(
        ID,
        [
            ("description", Item::text("A place to be.")),
            ("fields", views(&[&[id(1)], &[id(2)]])),
            ("name", Item::text("cafe")),
        ],
    );
    let typed = json!({
        "description": {"str": "A place to be."},
        "fields": {"pinned_relation_list": [hexes(&[id(1)]), hexes(&[id(2)])]},
        "name": {"str": "cafe"},
    });
    set.valid(
        "definition",
        "A schema definition.",
        hex(create.encode()),
        result("create", ID, typed),
    )
    .requires(&["SC1", "SC2", "SC3"]);
    let name = |text: &str| update(ID, "name", Item::text(text));
    for (case, text) in [
        ("name", "cafe".to_owned()),
        ("name-of-two", "ab".to_owned()),
        ("name-of-64", "n".repeat(64)),
        ("name-with-underscores", "a__b".to_owned()),
        ("name-with-digit-last", "cafe1".to_owned()),
        ("name-in-capitals", "CAFE".to_owned()),
    ] {
        text_field(set, ID, ("name", case), &text)
            .requires(&["SC1"])
            .ruled("R15");
    }
    for (case, near, text) in [
        ("name-of-one", "name", "c".to_owned()),
        ("name-of-65", "name-of-64", "n".repeat(65)),
        ("name-empty", "name", String::new()),
        ("name-with-underscore-last", "name", "cafe_".to_owned()),
        ("name-with-digit-first", "name", "1cafe".to_owned()),
        ("name-with-dash", "name", "ca-fe".to_owned()),
        ("name-with-umlaut", "name", "cäfe".to_owned()),
        ("name-with-space", "name", "cafe ".to_owned()),
        ("name-with-line-feed", "name", "cafe\n".to_owned()),
        ("name-with-nul", "name", "ca\0fe".to_owned()),
        ("name-with-underscore-first", "name", "_cafe".to_owned()),
        ("name-with-other-digit", "name", "cafe٣".to_owned()),
        ("name-of-wide-letters", "name", "ｃafe".to_owned()),
    ] {
        set.invalid(
            case,
            "A schema name that breaks the rule.",
            near,
            name(&text),
            "schema_name",
        )
        .requires(&["SC1"])
        .ruled("R15");
    }
    // 256 characters are up to 1024 bytes.
    for (case, text) in [
        ("description-empty", String::new()),
        ("description-of-256", "d".repeat(256)),
        ("description-of-256-pandas", "🐼".repeat(256)),
        ("description-of-128-composed", "a\u{308}".repeat(128)),
    ] {
        text_field(set, ID, ("description", case), &text)
            .requires(&["SC2"])
            .flag("Boundary");
    }
    for (case, near, text) in [
        ("description-of-257", "description-of-256", "d".repeat(257)),
        (
            "description-of-257-pandas",
            "description-of-256-pandas",
            "🐼".repeat(257),
        ),
        (
            "description-of-129-composed",
            "description-of-128-composed",
            "a\u{308}".repeat(129),
        ),
    ] {
        set.invalid(
            case,
            "A description that is a character too long.",
            near,
            update(ID, "description", Item::text(text)),
            "schema_description",
        )
        .requires(&["SC2"])
        .flag("Boundary");
    }
}

fn field_count(set: &mut Set) {
    const ID: &str = "schema_definition_v1";
    // Counted downwards, so that one more stands in front and the rest stays where it is.
    let ids = |count: u16| -> Vec<Hash> {
        let numbers = (0..count).rev();
        numbers.map(|n| Hash::of(n.to_be_bytes())).collect()
    };
    let fields = |ids: &[Hash]| {
        let list = ids.iter().map(|id| Item::ids(&[*id])).collect();
        update(ID, "fields", Item::Array(list))
    };
    let most = ids(1024);
    let typed: Vec<_> = most.iter().map(|id| [id.hex()]).collect();
    set.valid(
        "fields-of-1024",
        "The most fields a definition may name.",
        fields(&most),
        result(
            "update",
            ID,
            json!({"fields": {"pinned_relation_list": typed}}),
        ),
    )
    .requires(&["SC3"])
    .flag("Boundary");
    set.invalid(
        "fields-of-1025",
        "A field too many.",
        "fields-of-1024",
        fields(&ids(1025)),
        "schema_field_count",
    )
    .requires(&["SC3"])
    .flag("Boundary");
}

fn field_definition(set: &mut Set) {
    const ID: &str = "schema_field_definition_v1";
    set.using("schema", "schema_field_definition");
    let create = operation::create(
        ID,
        [("name", Item::text("title")), ("type", Item::text("str"))],
    );
    set.valid(
        "field",
        "A field definition.",
        hex(create.encode()),
        result(
            "create",
            ID,
            json!({"name": {"str": "title"}, "type": {"str": "str"}}),
        ),
    )
    .requires(&["SC4", "SC5"]);
    for (case, text) in [
        ("field-name", "title".to_owned()),
        ("field-name-of-one", "a".to_owned()),
        ("field-name-of-64", "f".repeat(64)),
        ("field-name-with-underscore-last", "a_".to_owned()),
        ("field-name-with-underscores", "a__1".to_owned()),
        ("field-name-in-capitals", "TITLE".to_owned()),
    ] {
        text_field(set, ID, ("name", case), &text).requires(&["SC4"]);
    }
    for (case, near, text) in [
        ("field-name-empty", "field-name", String::new()),
        ("field-name-of-65", "field-name-of-64", "f".repeat(65)),
        (
            "field-name-with-digit-first",
            "field-name",
            "1title".to_owned(),
        ),
        (
            "field-name-with-underscore-first",
            "field-name",
            "_title".to_owned(),
        ),
        ("field-name-with-dash", "field-name", "ti-tle".to_owned()),
        ("field-name-with-umlaut", "field-name", "tïtle".to_owned()),
        (
            "field-name-with-other-digit",
            "field-name",
            "title٣".to_owned(),
        ),
        ("field-name-with-dot", "field-name", "ti.tle".to_owned()),
        (
            "field-name-with-space-first",
            "field-name",
            " title".to_owned(),
        ),
        (
            "field-name-with-line-feed",
            "field-name",
            "title\n".to_owned(),
        ),
    ] {
        set.invalid(
            case,
            "A field name that breaks the rule.",
            near,
            update(ID, "name", Item::text(text)),
            "field_name",
        )
        .requires(&["SC4"]);
    }
    let ty = |text: &str| update(ID, "type", Item::text(text));
    for (case, text) in [
        ("type-bool", "bool".to_owned()),
        ("type-bytes", "bytes".to_owned()),
        ("type-int", "int".to_owned()),
        ("type-float", "float".to_owned()),
        ("type-str", "str".to_owned()),
        ("type-relation", format!("relation({CAFE})")),
        ("type-relation-list", format!("relation_list({CAFE})")),
        ("type-pinned-relation", format!("pinned_relation({CAFE})")),
        (
            "type-pinned-relation-list",
            format!("pinned_relation_list({CAFE})"),
        ),
        ("type-relation-to-blob", "relation(blob_v1)".to_owned()),
        (
            "type-relation-to-view-of-two",
            format!("relation(cafe_{}_{})", id(1).hex(), id(2).hex()),
        ),
    ] {
        text_field(set, ID, ("type", case), &text);
    }
    for (case, near, text) in [
        ("type-string", "type-str", "string"),
        ("type-capital", "type-str", "Str"),
        ("type-empty", "type-str", ""),
        ("type-with-space", "type-str", "str "),
        ("type-relation-alone", "type-relation-to-blob", "relation"),
        (
            "type-relation-to-nothing",
            "type-relation-to-blob",
            "relation()",
        ),
        (
            "type-relation-to-unknown",
            "type-relation-to-blob",
            "relation(key_group_v1)",
        ),
        ("type-with-line-feed", "type-str", "str\n"),
        ("type-str-with-parentheses", "type-str", "str()"),
        (
            "type-relation-list-alone",
            "type-relation-to-blob",
            "relation_list",
        ),
        (
            "type-relation-unclosed",
            "type-relation-to-blob",
            "relation(blob_v1",
        ),
        (
            "type-relation-unopened",
            "type-relation-to-blob",
            "relation blob_v1)",
        ),
        (
            "type-relation-opened-twice",
            "type-relation-to-blob",
            "relation((blob_v1)",
        ),
        (
            "type-relation-to-name",
            "type-relation-to-blob",
            "relation(cafe)",
        ),
        (
            "type-relation-of-two",
            "type-relation-to-blob",
            "relation(blob_v1,blob_v1)",
        ),
        (
            "type-relation-in-brackets",
            "type-relation-to-blob",
            "relation[blob_v1]",
        ),
        (
            "type-relation-with-space",
            "type-relation-to-blob",
            "relation( blob_v1)",
        ),
    ] {
        set.invalid(
            case,
            "A type string outside the grammar.",
            near,
            ty(text),
            "field_type",
        );
    }
    for (case, near, text) in [
        (
            "type-of-other-word",
            "type-relation-to-blob",
            "foo(blob_v1)",
        ),
        ("type-owner", "type-relation-to-blob", "owner(blob_v1)"),
        (
            "type-in-capital",
            "type-relation-to-blob",
            "Relation(blob_v1)",
        ),
        (
            "type-of-unknown-list",
            "type-relation-to-blob",
            "pinned_list(blob_v1)",
        ),
        (
            "type-with-space-first",
            "type-relation-to-blob",
            " relation(blob_v1)",
        ),
        (
            "type-closed-twice",
            "type-relation-to-blob",
            "relation(blob_v1))",
        ),
        (
            "type-relation-line-feed",
            "type-relation-to-blob",
            "relation(blob_v1)\n",
        ),
        (
            "type-negated",
            "type-relation-to-blob",
            "!relation(blob_v1)",
        ),
        (
            "type-with-junk-around",
            "type-relation-to-blob",
            "xx relation(blob_v1) yy",
        ),
        (
            "type-with-junk-after",
            "type-relation-to-blob",
            "relation(blob_v1)!",
        ),
        (
            "type-of-other-version",
            "type-relation-to-blob",
            "relation(blob_v9)",
        ),
    ] {
        set.invalid(
            case,
            "Junk that only a search in the string overlooks.",
            near,
            ty(text),
            "field_type",
        )
        .wire_reads("R16", result("update", ID, json!({"type": {"str": text}})));
    }
    let (a, b) = (id(0xaa).hex(), id(0xbb).hex());
    let near = "type-relation-to-letters";
    text_field(set, ID, ("type", near), &format!("relation(cafe_{a}_{b})"));
    for (case, view) in [
        ("type-relation-to-view-unsorted", format!("{b}_{a}")),
        ("type-relation-to-view-twice", format!("{a}_{a}")),
        ("type-relation-to-short-view", a[..66].to_owned()),
    ] {
        let text = format!("relation(cafe_{view})");
        set.invalid(
            case,
            "The target is no schema id.",
            near,
            ty(&text),
            "field_type",
        );
    }
    let text = format!("relation(cafe_{}_{b})", a.to_uppercase());
    set.invalid(
        "type-relation-uppercase",
        "The target's id is written in capitals.",
        near,
        ty(&text),
        "field_type",
    )
    .wire_reads("R13", result("update", ID, json!({"type": {"str": text}})))
    .flag("Uppercase");
}
