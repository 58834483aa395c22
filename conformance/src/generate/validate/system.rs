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

const SCHEMA_DEFINITION: &str = "schema_definition_v1";
const FIELD_DEFINITION: &str = "schema_field_definition_v1";

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

/// Names a schema may have: the text, and how often it is repeated.
const SCHEMA_NAMES: &[(&str, &str, usize)] = &[
    ("name", "cafe", 1),
    ("name-of-two", "ab", 1),
    ("name-of-64", "n", 64),
    ("name-with-underscores", "a__b", 1),
    ("name-with-digit-last", "cafe1", 1),
    ("name-in-capitals", "CAFE", 1),
];

/// Names no schema may have, each with its sound sibling.
const BROKEN_SCHEMA_NAMES: &[(&str, &str, &str, usize)] = &[
    ("name-of-one", "name", "c", 1),
    ("name-of-65", "name-of-64", "n", 65),
    ("name-empty", "name", "", 0),
    ("name-with-underscore-last", "name", "cafe_", 1),
    ("name-with-digit-first", "name", "1cafe", 1),
    ("name-with-dash", "name", "ca-fe", 1),
    ("name-with-umlaut", "name", "cäfe", 1),
    ("name-with-space", "name", "cafe ", 1),
    ("name-with-line-feed", "name", "cafe\n", 1),
    ("name-with-nul", "name", "ca\0fe", 1),
    ("name-with-underscore-first", "name", "_cafe", 1),
    ("name-with-other-digit", "name", "cafe٣", 1),
    ("name-of-wide-letters", "name", "ｃafe", 1),
];

/// 256 characters are up to 1024 bytes.
const DESCRIPTIONS: &[(&str, &str, usize)] = &[
    ("description-empty", "", 0),
    ("description-of-256", "d", 256),
    ("description-of-256-pandas", "🐼", 256),
    ("description-of-128-composed", "a\u{308}", 128),
];

/// Descriptions that are a character too long.
const LONG_DESCRIPTIONS: &[(&str, &str, &str, usize)] = &[
    ("description-of-257", "description-of-256", "d", 257),
    (
        "description-of-257-pandas",
        "description-of-256-pandas",
        "🐼",
        257,
    ),
    (
        "description-of-129-composed",
        "description-of-128-composed",
        "a\u{308}",
        129,
    ),
];

fn schema_definition(set: &mut Set) {
    set.using("schema", "schema_definition");
    let create = operation::create(
        SCHEMA_DEFINITION,
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
        result("create", SCHEMA_DEFINITION, typed),
    )
    .requires(&["SC1", "SC2", "SC3"]);
    schema_names(set);
    descriptions(set);
}

fn schema_names(set: &mut Set) {
    for &(case, text, times) in SCHEMA_NAMES {
        text_field(set, SCHEMA_DEFINITION, ("name", case), &text.repeat(times))
            .requires(&["SC1"])
            .ruled("R15");
    }
    for &(case, near, text, times) in BROKEN_SCHEMA_NAMES {
        set.invalid(
            case,
            "A schema name that breaks the rule.",
            near,
            update(SCHEMA_DEFINITION, "name", Item::text(text.repeat(times))),
            "schema_name",
        )
        .requires(&["SC1"])
        .ruled("R15");
    }
}

fn descriptions(set: &mut Set) {
    for &(case, text, times) in DESCRIPTIONS {
        text_field(
            set,
            SCHEMA_DEFINITION,
            ("description", case),
            &text.repeat(times),
        )
        .requires(&["SC2"])
        .flag("Boundary");
    }
    for &(case, near, text, times) in LONG_DESCRIPTIONS {
        set.invalid(
            case,
            "A description that is a character too long.",
            near,
            update(
                SCHEMA_DEFINITION,
                "description",
                Item::text(text.repeat(times)),
            ),
            "schema_description",
        )
        .requires(&["SC2"])
        .flag("Boundary");
    }
}

fn field_count(set: &mut Set) {
    // Counted downwards, so that one more stands in front and the rest stays where it is.
    let ids = |count: u16| -> Vec<Hash> {
        let numbers = (0..count).rev();
        numbers.map(|n| Hash::of(n.to_be_bytes())).collect()
    };
    let fields = |ids: &[Hash]| {
        let list = ids.iter().map(|id| Item::ids(&[*id])).collect();
        update(SCHEMA_DEFINITION, "fields", Item::Array(list))
    };
    let most = ids(1024);
    let typed: Vec<_> = most.iter().map(|id| [id.hex()]).collect();
    set.valid(
        "fields-of-1024",
        "The most fields a definition may name.",
        fields(&most),
        result(
            "update",
            SCHEMA_DEFINITION,
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

/// Names a field may have.
const FIELD_NAMES: &[(&str, &str, usize)] = &[
    ("field-name", "title", 1),
    ("field-name-of-one", "a", 1),
    ("field-name-of-64", "f", 64),
    ("field-name-with-underscore-last", "a_", 1),
    ("field-name-with-underscores", "a__1", 1),
    ("field-name-in-capitals", "TITLE", 1),
];

/// Names no field may have, each with its sound sibling.
const BROKEN_FIELD_NAMES: &[(&str, &str, &str, usize)] = &[
    ("field-name-empty", "field-name", "", 0),
    ("field-name-of-65", "field-name-of-64", "f", 65),
    ("field-name-with-digit-first", "field-name", "1title", 1),
    (
        "field-name-with-underscore-first",
        "field-name",
        "_title",
        1,
    ),
    ("field-name-with-dash", "field-name", "ti-tle", 1),
    ("field-name-with-umlaut", "field-name", "tïtle", 1),
    ("field-name-with-other-digit", "field-name", "title٣", 1),
    ("field-name-with-dot", "field-name", "ti.tle", 1),
    ("field-name-with-space-first", "field-name", " title", 1),
    ("field-name-with-line-feed", "field-name", "title\n", 1),
];

/// A type that a field may have.
struct FieldType {
    name: &'static str,
    text: fn() -> String,
}

/// Types a field may have.
const TYPES: &[FieldType] = &[
    FieldType {
        name: "type-bool",
        text: || "bool".to_owned(),
    },
    FieldType {
        name: "type-bytes",
        text: || "bytes".to_owned(),
    },
    FieldType {
        name: "type-int",
        text: || "int".to_owned(),
    },
    FieldType {
        name: "type-float",
        text: || "float".to_owned(),
    },
    FieldType {
        name: "type-str",
        text: || "str".to_owned(),
    },
    FieldType {
        name: "type-relation",
        text: || format!("relation({CAFE})"),
    },
    FieldType {
        name: "type-relation-list",
        text: || format!("relation_list({CAFE})"),
    },
    FieldType {
        name: "type-pinned-relation",
        text: || format!("pinned_relation({CAFE})"),
    },
    FieldType {
        name: "type-pinned-relation-list",
        text: || format!("pinned_relation_list({CAFE})"),
    },
    FieldType {
        name: "type-relation-to-blob",
        text: || "relation(blob_v1)".to_owned(),
    },
    FieldType {
        name: "type-relation-to-view-of-two",
        text: || format!("relation(cafe_{}_{})", id(1).hex(), id(2).hex()),
    },
];

/// Texts outside the grammar of types.
const BROKEN_TYPES: &[(&str, &str, &str)] = &[
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
];

/// Junk around a type, which a search inside the text overlooks.
const JUNK_TYPES: &[(&str, &str)] = &[
    ("type-of-other-word", "foo(blob_v1)"),
    ("type-owner", "owner(blob_v1)"),
    ("type-in-capital", "Relation(blob_v1)"),
    ("type-of-unknown-list", "pinned_list(blob_v1)"),
    ("type-with-space-first", " relation(blob_v1)"),
    ("type-closed-twice", "relation(blob_v1))"),
    ("type-relation-line-feed", "relation(blob_v1)\n"),
    ("type-negated", "!relation(blob_v1)"),
    ("type-with-junk-around", "xx relation(blob_v1) yy"),
    ("type-with-junk-after", "relation(blob_v1)!"),
    ("type-of-other-version", "relation(blob_v9)"),
];

fn field_definition(set: &mut Set) {
    set.using("schema", "schema_field_definition");
    let create = operation::create(
        FIELD_DEFINITION,
        [("name", Item::text("title")), ("type", Item::text("str"))],
    );
    set.valid(
        "field",
        "A field definition.",
        hex(create.encode()),
        result(
            "create",
            FIELD_DEFINITION,
            json!({"name": {"str": "title"}, "type": {"str": "str"}}),
        ),
    )
    .requires(&["SC4", "SC5"]);
    for &(case, text, times) in FIELD_NAMES {
        text_field(set, FIELD_DEFINITION, ("name", case), &text.repeat(times)).requires(&["SC4"]);
    }
    for &(case, near, text, times) in BROKEN_FIELD_NAMES {
        set.invalid(
            case,
            "A field name that breaks the rule.",
            near,
            update(FIELD_DEFINITION, "name", Item::text(text.repeat(times))),
            "field_name",
        )
        .requires(&["SC4"]);
    }
    field_types(set);
    relation_targets(set);
}

/// An UPDATE of a field definition's type.
fn typed_as(text: &str) -> String {
    update(FIELD_DEFINITION, "type", Item::text(text))
}

fn field_types(set: &mut Set) {
    for &FieldType { name, text } in TYPES {
        text_field(set, FIELD_DEFINITION, ("type", name), &text());
    }
    for &(case, near, text) in BROKEN_TYPES {
        set.invalid(
            case,
            "A type string outside the grammar.",
            near,
            typed_as(text),
            "field_type",
        );
    }
    for &(case, text) in JUNK_TYPES {
        set.invalid(
            case,
            "Junk that only a search in the string overlooks.",
            "type-relation-to-blob",
            typed_as(text),
            "field_type",
        )
        .wire_reads(
            "R16",
            result("update", FIELD_DEFINITION, json!({"type": {"str": text}})),
        );
    }
}

/// Relations to what is no schema id.
fn relation_targets(set: &mut Set) {
    let (a, b) = (id(0xaa).hex(), id(0xbb).hex());
    let near = "type-relation-to-letters";
    text_field(
        set,
        FIELD_DEFINITION,
        ("type", near),
        &format!("relation(cafe_{a}_{b})"),
    );
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
            typed_as(&text),
            "field_type",
        );
    }
    let text = format!("relation(cafe_{}_{b})", a.to_uppercase());
    set.invalid(
        "type-relation-uppercase",
        "The target's id is written in capitals.",
        near,
        typed_as(&text),
        "field_type",
    )
    .wire_reads(
        "R13",
        result("update", FIELD_DEFINITION, json!({"type": {"str": text}})),
    )
    .flag("Uppercase");
}
