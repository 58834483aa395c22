//! Cases of `schema.build`: what the views of a definition and of its fields make up.

mod large;
mod names;
mod types;

use serde_json::{Map, Value, json};

use super::fixtures::{CAFE, id};
use super::set::Set;
use crate::forge::{Hash, hash};
use crate::suite::{Case, Importance};

/// A field definition: the byte of its view id, name and type.
type Field<'a> = (u8, &'a str, &'a str);

const ONE: &[Field<'static>] = &[(1, "title", "str")];
const TWO: &[Field<'static>] = &[(1, "title", "str"), (2, "opening_hour", "int")];

/// The byte of the definition's own view id.
const DEFINITION: u8 = 200;

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("schema.build", "views", &["SC5", "SC9"]);
    sound(&mut set);
    names::names(&mut set);
    names::descriptions(&mut set);
    names::field_names(&mut set);
    types::types(&mut set);
    types::loose_types(&mut set);
    duplicates(&mut set);
    field_views(&mut set);
    definitions(&mut set);
    vec![set, large::large()]
}

fn question(name: &str, description: &str, fields: &[Field<'_>]) -> Value {
    let listed: Vec<_> = fields
        .iter()
        .map(|(byte, ..)| json!([id(*byte).hex()]))
        .collect();
    let views: Map<_, _> = fields
        .iter()
        .map(|(byte, name, kind)| {
            let view = json!({"name": {"str": name}, "type": {"str": kind}});
            (id(*byte).hex(), view)
        })
        .collect();
    json!({
        "view_id": id(DEFINITION).hex(),
        "definition": {
            "description": {"str": description},
            "fields": {"pinned_relation_list": listed},
            "name": {"str": name},
        },
        "fields": views,
    })
}

fn schema(view_id: &[Hash], name: &str, description: &str, fields: &[Field<'_>]) -> Value {
    let mut fields = fields.to_vec();
    fields.sort_unstable_by_key(|(_, name, _)| *name);
    let fields: Vec<_> = fields
        .iter()
        .map(|(_, name, kind)| json!({"name": name, "type": kind}))
        .collect();
    json!({
        "id": format!("{name}_{}", hash::view_id(view_id)),
        "name": name,
        "hash_id": format!("{name}__{}", hash::view_hash(view_id).hex()),
        "description": description,
        "fields": fields,
    })
}

/// Adds a definition that is good.
fn good<'a>(
    set: &'a mut Set,
    (case, comment): (&str, &str),
    (name, description): (&str, &str),
    fields: &[Field<'_>],
) -> &'a mut Case {
    let told = schema(&[id(DEFINITION)], name, description, fields);
    set.valid(case, comment, question(name, description, fields), told)
}

fn sound(set: &mut Set) {
    good(
        set,
        ("one-field", "A schema of one field."),
        ("cafe", "Places"),
        ONE,
    );
    good(
        set,
        (
            "two-fields",
            "The fields are told in the order of their names.",
        ),
        ("cafe", "Places"),
        TWO,
    );
    let every: [Field<'_>; 9] = [
        (1, "i", "pinned_relation_list(blob_v1)"),
        (2, "h", "pinned_relation(schema_definition_v1)"),
        (3, "g", "relation_list(blob_piece_v1)"),
        (4, "f", &format!("relation({CAFE})")),
        (5, "e", "bytes"),
        (6, "d", "str"),
        (7, "c", "float"),
        (8, "b", "int"),
        (9, "a", "bool"),
    ];
    good(
        set,
        ("every-type", "A field of each type."),
        ("every", ""),
        &every,
    )
    .requires(&["SC5", "SC10"]);
    orders(set);
    unmerged(set);
    worked_example(set);
}

fn orders(set: &mut Set) {
    good(
        set,
        (
            "byte-order",
            "Names ascend in byte order: capitals first, digits before letters.",
        ),
        ("cafe", ""),
        &[
            (1, "b", "int"),
            (2, "a_", "int"),
            (3, "a1", "int"),
            (4, "B", "int"),
            (5, "aa", "int"),
        ],
    )
    .flag("Order");
    good(
        set,
        (
            "views-descending",
            "Fields are listed in any order of their views.",
        ),
        ("cafe", ""),
        &[(9, "a", "int"), (3, "b", "int"), (5, "c", "int")],
    );
    let merged = format!("relation(cafe_{})", hash::view_id(&[id(1), id(2)]));
    good(
        set,
        (
            "relation-to-merged",
            "A relation to a schema of two unmerged definitions.",
        ),
        ("place", ""),
        &[(1, "cafe", &merged)],
    )
    .requires(&["SC10"]);
}

/// Several versions of a definition, or of a field's, that nobody merged.
fn unmerged(set: &mut Set) {
    let view_id = [id(3), id(4)];
    let mut unmerged = question("cafe", "Places", ONE);
    unmerged["view_id"] = hash::view_id(&view_id).into();
    set.valid(
        "unmerged-definition",
        "Two unmerged versions of a definition make a schema of their own.",
        unmerged,
        schema(&view_id, "cafe", "Places", ONE),
    );

    let mut field_of_two = question("cafe", "Places", ONE);
    let two = [id(5), id(6)];
    field_of_two["definition"]["fields"] =
        json!({"pinned_relation_list": [[two[0].hex(), two[1].hex()]]});
    let view = field_of_two["fields"][id(1).hex()].take();
    field_of_two["fields"] = json!({hash::view_id(&two): view});
    set.valid(
        "unmerged-field",
        "Two unmerged versions of a field definition.",
        field_of_two,
        schema(&[id(DEFINITION)], "cafe", "Places", ONE),
    );
}

fn worked_example(set: &mut Set) {
    let example = CAFE.trim_start_matches("cafe_");
    let mut worked = question("cafe", "Places", TWO);
    worked["view_id"] = example.into();
    let mut told = schema(&[id(DEFINITION)], "cafe", "Places", TWO);
    told["id"] = CAFE.into();
    told["hash_id"] =
        "cafe__00202ac7fa24b3769ee501a2bdbb01cbb864e9ed5bbf113288dd25423368fa44356e".into();
    set.valid(
        "worked-example",
        "Ids as deployed software made them.",
        worked,
        told,
    );
}

fn duplicates(set: &mut Set) {
    let three: [Field<'_>; 3] = [(1, "a", "int"), (2, "b", "int"), (3, "c", "str")];
    good(set, ("three-fields", "Three names."), ("cafe", ""), &three);
    set.invalid(
        "twice-adjacent",
        "Two fields of one name next to each other.",
        "three-fields",
        question("cafe", "", &[three[0], (2, "a", "int"), three[2]]),
        "schema_field_duplicate",
    )
    .flag("Duplicate")
    .ruled("R17");
    let last_wins = schema(&[id(DEFINITION)], "cafe", "", &[(3, "a", "str"), three[1]]);
    set.invalid(
        "twice-apart",
        "Two fields of one name with another between.",
        "three-fields",
        question("cafe", "", &[three[0], three[1], (3, "a", "str")]),
        "schema_field_duplicate",
    )
    .flag("Duplicate")
    .wire_reads("R17", last_wins);
    let mut listed_twice = question("cafe", "", &three);
    let listed = listed_twice["definition"]["fields"]["pinned_relation_list"]
        .as_array_mut()
        .expect("a list");
    listed.insert(1, listed[0].clone());
    set.invalid(
        "listed-twice",
        "One field definition listed twice.",
        "three-fields",
        listed_twice,
        "schema_field_duplicate",
    )
    .or(&["schema_definition"])
    .flag("Duplicate")
    .ruled("R17");
}

/// A question with the value at `path` set or taken away.
fn altered(mut question: Value, path: &str, value: Option<Value>) -> Value {
    let (parent, member) = path.rsplit_once('/').expect("a path");
    let parent = question.pointer_mut(parent).and_then(Value::as_object_mut);
    let parent = parent.expect("a member of the question");
    match value {
        Some(value) => parent.insert(member.to_owned(), value),
        None => parent.shift_remove(member),
    };
    question
}

fn field_views(set: &mut Set) {
    let two = || question("cafe", "Places", TWO);
    let view = format!("/fields/{}", id(1).hex());
    let at = |member: &str| format!("{view}/{member}");
    let cases: [(&str, &str, Value); 8] = [
        (
            "field-view-missing",
            "A listed field definition is not there.",
            altered(two(), &view, None),
        ),
        (
            "field-views-missing",
            "None of the field definitions is there.",
            altered(two(), "/fields", Some(json!({}))),
        ),
        (
            "field-view-surplus",
            "A field definition that is not listed.",
            altered(
                two(),
                &format!("/fields/{}", id(3).hex()),
                Some(json!({"name": {"str": "more"}, "type": {"str": "int"}})),
            ),
        ),
        (
            "field-without-type",
            "A field definition without a type.",
            altered(two(), &at("type"), None),
        ),
        (
            "field-without-name",
            "A field definition without a name.",
            altered(two(), &at("name"), None),
        ),
        (
            "field-name-of-bytes",
            "A name as bytes.",
            altered(two(), &at("name"), Some(json!({"bytes": "7469746c65"}))),
        ),
        (
            "field-type-of-int",
            "A type as a number.",
            altered(two(), &at("type"), Some(json!({"int": "4"}))),
        ),
        (
            "field-with-more",
            "A field definition with a third field.",
            altered(two(), &at("unit"), Some(json!({"str": "hours"}))),
        ),
    ];
    for (name, comment, question) in cases {
        set.invalid(name, comment, "two-fields", question, "schema_definition")
            .importance(Importance::Medium);
    }
}

/// A sound question with the value at `path` set or taken away.
struct Definition {
    name: &'static str,
    comment: &'static str,
    path: &'static str,
    value: fn() -> Option<Value>,
}

const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "without-name",
        comment: "A definition without a name.",
        path: "/definition/name",
        value: || None,
    },
    Definition {
        name: "without-description",
        comment: "A definition without a description.",
        path: "/definition/description",
        value: || None,
    },
    Definition {
        name: "without-fields",
        comment: "A definition without a list of fields.",
        path: "/definition/fields",
        value: || None,
    },
    Definition {
        name: "name-of-bytes",
        comment: "A name as bytes.",
        path: "/definition/name",
        value: || Some(json!({"bytes": "63616665"})),
    },
    Definition {
        name: "description-of-int",
        comment: "A description as a number.",
        path: "/definition/description",
        value: || Some(json!({"int": "1"})),
    },
    Definition {
        name: "fields-unpinned",
        comment: "The fields as an unpinned list.",
        path: "/definition/fields",
        value: || Some(json!({"relation_list": [id(1).hex()]})),
    },
    Definition {
        name: "fields-of-one",
        comment: "One pinned relation in place of a list.",
        path: "/definition/fields",
        value: || Some(json!({"pinned_relation": [id(1).hex()]})),
    },
    Definition {
        name: "with-more",
        comment: "A definition with a fourth field.",
        path: "/definition/author",
        value: || Some(json!({"str": "Panda"})),
    },
];

fn definitions(set: &mut Set) {
    let one = || question("cafe", "Places", ONE);
    for &Definition {
        name,
        comment,
        path,
        value,
    } in DEFINITIONS
    {
        let question = altered(one(), path, value());
        set.invalid(name, comment, "one-field", question, "schema_definition")
            .importance(Importance::Medium);
    }
    no_field(set);
    view_ids(set);
}

fn no_field(set: &mut Set) {
    let none = {
        let question = altered(
            question("cafe", "Places", ONE),
            "/definition/fields",
            Some(json!({"pinned_relation_list": []})),
        );
        altered(question, "/fields", Some(json!({})))
    };
    set.invalid(
        "no-field",
        "A schema of no fields.",
        "one-field",
        none,
        "schema_field_count",
    )
    .requires(&["SC3"])
    .flag("Boundary");
}

fn view_ids(set: &mut Set) {
    let one = || question("cafe", "Places", ONE);
    let unsorted = format!("{}_{}", id(4).hex(), id(3).hex());
    set.invalid(
        "view-id-unsorted",
        "The ids of the definition's view do not ascend.",
        "unmerged-definition",
        altered(one(), "/view_id", Some(unsorted.into())),
        "view_id_unsorted",
    )
    .requires(&["DV1"])
    .flag("Unsorted");
    set.invalid(
        "view-id-empty",
        "No view id.",
        "one-field",
        altered(one(), "/view_id", Some("".into())),
        "hash_length",
    )
    .requires(&["DV1"])
    .or(&["view_id_empty", "invalid_hex"]);
}
