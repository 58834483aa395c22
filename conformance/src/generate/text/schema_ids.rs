//! Schema ids as text.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use crate::forge::{Hash, hash};

/// The id of a schema that somebody published: its name and the tips of its view.
struct Application {
    case: &'static str,
    comment: &'static str,
    name: fn() -> String,
    ids: fn() -> Vec<Hash>,
}

const APPLICATIONS: &[Application] = &[
    Application {
        case: "one-id",
        comment: "A name and a view of one tip.",
        name: || "cafe".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "two-ids",
        comment: "A name and a view of two tips.",
        name: || "cafe".to_owned(),
        ids: || vec![id(0xaa), id(0xbb)],
    },
    Application {
        case: "name-of-two",
        comment: "The shortest name.",
        name: || "ab".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-of-64",
        comment: "The longest name.",
        name: || "a".repeat(64),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-with-version",
        comment: "A name that ends like a version.",
        name: || "some_v1".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-with-underscores",
        comment: "Underscores inside the name, two in a row.",
        name: || "a__b".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-of-a-system-schema",
        comment: "A name like a system schema's.",
        name: || "blob".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-with-digits",
        comment: "Digits after the first letter.",
        name: || "a1".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-in-capitals",
        comment: "Names are case-sensitive.",
        name: || "CAFE".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "name-like-a-system-id",
        comment: "A name that is the id of a system schema.",
        name: || "blob_v1".to_owned(),
        ids: || vec![id(0xaa)],
    },
    Application {
        case: "twelve-ids",
        comment: "A view of twelve tips.",
        name: || "cafe".to_owned(),
        ids: || (1..=12).map(id).collect(),
    },
    Application {
        case: "ids-close",
        comment: "Ids that differ in the last byte only.",
        name: || "cafe".to_owned(),
        ids: || vec![id(5).with_byte(33, 9), id(5).with_byte(33, 10)],
    },
    Application {
        case: "name-of-64-with-underscores",
        comment: "As many underscores as there may be.",
        name: || format!("a{}z", "_".repeat(62)),
        ids: || vec![id(0xaa)],
    },
];

pub(super) fn schema_parse() -> Set {
    let mut set = Set::new("schema.parse", "text", &["SC9", "OP4"]);
    for name in [
        "schema_definition",
        "schema_field_definition",
        "blob",
        "blob_piece",
    ] {
        let result = json!({"name": name, "version": 1, "hash_id": format!("{name}__1")});
        set.valid(
            &name.replace('_', "-"),
            "A system schema.",
            format!("{name}_v1"),
            result,
        );
    }
    for &Application {
        case,
        comment,
        name,
        ids,
    } in APPLICATIONS
    {
        let (name, ids) = (name(), ids());
        let view: Vec<_> = ids.iter().map(Hash::hex).collect();
        let text = format!("{name}_{}", view.join("_"));
        let hash_id = format!("{name}__{}", hash::view_hash(&ids).hex());
        let result = json!({"name": name, "view_id": view, "hash_id": hash_id});
        set.valid(case, comment, text, result);
    }
    let worked = json!({
        "name": "cafe",
        "view_id": [&CAFE[5..]],
        "hash_id": "cafe__00202ac7fa24b3769ee501a2bdbb01cbb864e9ed5bbf113288dd25423368fa44356e",
    });
    set.valid(
        "worked-example",
        "The schema of the worked example.",
        CAFE,
        worked,
    );
    schema_parse_negative(&mut set, &id(0xaa).hex(), &id(0xbb).hex());
    set
}

/// Other causes a parser of schema ids may name, which differ with where it begins to read.
fn also_right(name: &str, reason: &str) -> &'static [&'static str] {
    match (name, reason) {
        // Without a separator all of it may be taken for the name, or for the one id.
        ("no-underscore", _) => &["schema_name", "hash_length"],
        ("two-words", _) => &["schema_name", "hash_length", "invalid_hex"],
        ("empty" | "hash-alone", _) => &["schema_name"],
        ("name-of-70", _) => &["invalid_hex", "hash_length"],
        ("name-like-an-id", _) => &["hash_length", "schema_name"],
        ("id-like-a-version", _) => &["hash_length"],
        // Two separators have an empty id between them.
        ("underscore-last", _) => &["schema_id_malformed", "hash_length"],
        ("line-feed-after" | "separator-last", _) => &["schema_id_malformed", "hash_length"],
        ("version-capital" | "system-hash-id", _) => {
            &["schema_id_unknown_system", "hash_length", "invalid_hex"]
        }
        ("short-hash", _) | (_, "schema_name" | "schema_id_unknown_system") => {
            &["schema_id_malformed"]
        }
        _ => &[],
    }
}

/// A text that is no schema id; it is made of the ids `aa…` and `bb…`.
struct Malformed {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    text: fn(&str, &str) -> String,
    reason: &'static str,
}

const MALFORMED: &[Malformed] = &[
    Malformed {
        name: "no-underscore",
        near: "one-id",
        comment: "A name alone.",
        text: |_, _| "cafe".to_owned(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "two-words",
        near: "one-id",
        comment: "A name of two words alone, whose underscore separates nothing.",
        text: |_, _| "cafe_menu".to_owned(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "empty",
        near: "one-id",
        comment: "Nothing.",
        text: |_, _| String::new(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "name-of-70",
        near: "one-id",
        comment: "A name as long as an id, which holds no underscore.",
        text: |a, _| format!("{}_{a}", "n".repeat(70)),
        reason: "schema_name",
    },
    Malformed {
        name: "name-like-an-id",
        near: "one-id",
        comment: "What is left has as many characters as an id and an underscore: more ids are sought.",
        text: |a, _| format!("ab_{}_{a}", "0".repeat(65)),
        reason: "invalid_hex",
    },
    Malformed {
        name: "id-like-a-version",
        near: "one-id",
        comment: "A last part that begins as a version does and is as long as an id.",
        text: |_, _| format!("cafe_v{}", "0".repeat(67)),
        reason: "invalid_hex",
    },
    Malformed {
        name: "hash-alone",
        near: "one-id",
        comment: "A view id alone.",
        text: |a, _| a.to_owned(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "unknown-system",
        near: "blob",
        comment: "A system schema nobody has.",
        text: |_, _| "key_group_v1".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "capital-system",
        near: "blob",
        comment: "System names are lowercase.",
        text: |_, _| "Blob_v1".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "version-256",
        near: "blob",
        comment: "Versions fit a byte.",
        text: |_, _| "blob_v256".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "version-empty",
        near: "blob",
        comment: "A version without a number.",
        text: |_, _| "blob_v".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "version-word",
        near: "blob",
        comment: "A version that is no number.",
        text: |_, _| "blob_vone".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "unsorted",
        near: "two-ids",
        comment: "The greater id first.",
        text: |a, b| format!("cafe_{b}_{a}"),
        reason: "view_id_unsorted",
    },
    Malformed {
        name: "duplicate",
        near: "two-ids",
        comment: "One id twice.",
        text: |a, _| format!("cafe_{a}_{a}"),
        reason: "view_id_duplicate",
    },
    Malformed {
        name: "name-of-one",
        near: "one-id",
        comment: "Names have two characters at least.",
        text: |a, _| format!("c_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "name-of-65",
        near: "name-of-64",
        comment: "Names have 64 characters at most.",
        text: |a, _| format!("{}_{a}", "a".repeat(65)),
        reason: "schema_name",
    },
    Malformed {
        name: "name-empty",
        near: "one-id",
        comment: "No name before the separator.",
        text: |a, _| format!("_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "digit-first",
        near: "one-id",
        comment: "Names begin with a letter.",
        text: |a, _| format!("1cafe_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "underscore-last",
        near: "one-id",
        comment: "Names do not end in an underscore.",
        text: |a, _| format!("cafe__{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "underscore-first",
        near: "one-id",
        comment: "Names do not begin with an underscore.",
        text: |a, _| format!("_cafe_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "dash",
        near: "one-id",
        comment: "A dash in the name.",
        text: |a, _| format!("ca-fe_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "umlaut",
        near: "one-id",
        comment: "A letter beyond ASCII in the name.",
        text: |a, _| format!("cäfe_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "line-feed",
        near: "one-id",
        comment: "A line feed in front of the name.",
        text: |a, _| format!("\ncafe_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "short-hash",
        near: "one-id",
        comment: "The operation id is a byte short.",
        text: |a, _| format!("cafe_{}", &a[..66]),
        reason: "hash_length",
    },
    Malformed {
        name: "algorithm-01",
        near: "one-id",
        comment: "The operation id names another algorithm.",
        text: |a, _| format!("cafe_01{}", &a[2..]),
        reason: "hash_algorithm",
    },
    Malformed {
        name: "line-feed-after",
        near: "one-id",
        comment: "A line feed at the end.",
        text: |a, _| format!("cafe_{a}\n"),
        reason: "invalid_hex",
    },
    Malformed {
        name: "version-negative",
        near: "blob",
        comment: "A version below nothing.",
        text: |_, _| "blob_v-1".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "version-capital",
        near: "blob",
        comment: "The v of the version is small.",
        text: |_, _| "blob_V1".to_owned(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "system-with-space",
        near: "blob",
        comment: "A space after the version.",
        text: |_, _| "blob_v1 ".to_owned(),
        reason: "schema_id_unknown_system",
    },
    Malformed {
        name: "system-hash-id",
        near: "blob",
        comment: "The form that stands for the hash of a system schema.",
        text: |_, _| "blob__1".to_owned(),
        reason: "schema_id_malformed",
    },
    Malformed {
        name: "close-ids-reversed",
        near: "ids-close",
        comment: "Ids that differ in the last byte only, the greater first.",
        text: |_, _| {
            format!(
                "cafe_{}_{}",
                id(5).with_byte(33, 10).hex(),
                id(5).with_byte(33, 9).hex()
            )
        },
        reason: "view_id_unsorted",
    },
    Malformed {
        name: "second-id-short",
        near: "two-ids",
        comment: "The second id is a byte short.",
        text: |a, b| format!("cafe_{a}_{}", &b[..66]),
        reason: "hash_length",
    },
    Malformed {
        name: "separator-last",
        near: "two-ids",
        comment: "A separator after the last id.",
        text: |a, b| format!("cafe_{a}_{b}_"),
        reason: "hash_length",
    },
    Malformed {
        name: "other-digit",
        near: "name-with-digits",
        comment: "A digit of another script in the name.",
        text: |a, _| format!("a١_{a}"),
        reason: "schema_name",
    },
    Malformed {
        name: "nul",
        near: "one-id",
        comment: "A NUL in the name.",
        text: |a, _| format!("ca\0fe_{a}"),
        reason: "schema_name",
    },
];

/// How deployed software reads versions that are not the one there is.
const OTHER_VERSIONS: &[(&str, u8)] =
    &[("v0", 0), ("v2", 2), ("v255", 255), ("v01", 1), ("v+1", 1)];

fn schema_parse_negative(set: &mut Set, a: &str, b: &str) {
    for &Malformed {
        name,
        near,
        comment,
        text,
        reason,
    } in MALFORMED
    {
        set.invalid(name, comment, near, text(a, b), reason)
            .flag("Text")
            .requires(&["SC1", "SC9", "OP4"])
            .or(also_right(name, reason));
    }
    for &(version, number) in OTHER_VERSIONS {
        let read = json!({"name": "blob", "version": number, "hash_id": format!("blob__{number}")});
        set.invalid(
            &format!("version-{}", version.replace('+', "plus-")),
            "The one version is v1, written so.",
            "blob",
            format!("blob_{version}"),
            "schema_id_unknown_system",
        )
        .or(&["schema_id_malformed"])
        .wire_reads("R16", read)
        .requires(&["SC9", "OP4"]);
    }
    let upper = a.to_uppercase();
    let ids = [&upper];
    let hash_id = format!("cafe__{}", hash::view_hash(&[id(0xaa)]).hex());
    let read: Value = json!({"name": "cafe", "view_id": ids, "hash_id": hash_id});
    set.invalid(
        "uppercase",
        "Ids are written in lowercase.",
        "one-id",
        format!("cafe_{upper}"),
        "uppercase_hex",
    )
    .wire_reads("R13", read)
    .flag("Uppercase");
}
