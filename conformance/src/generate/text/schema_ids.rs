//! Schema ids as text.

use serde_json::{Value, json};

use super::super::fixtures::{CAFE, id};
use super::super::set::Set;
use crate::forge::{Hash, hash};

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
    let [a, b] = [id(0xaa), id(0xbb)];
    let mut application = |case: &str, comment: &str, name: &str, ids: &[Hash]| {
        let view: Vec<_> = ids.iter().map(Hash::hex).collect();
        let text = format!("{name}_{}", view.join("_"));
        let hash_id = format!("{name}__{}", hash::view_hash(ids).hex());
        let result = json!({"name": name, "view_id": view, "hash_id": hash_id});
        set.valid(case, comment, text, result);
    };
    application("one-id", "A name and a view of one tip.", "cafe", &[a]);
    application("two-ids", "A name and a view of two tips.", "cafe", &[a, b]);
    application("name-of-two", "The shortest name.", "ab", &[a]);
    application("name-of-64", "The longest name.", &"a".repeat(64), &[a]);
    application(
        "name-with-version",
        "A name that ends like a version.",
        "some_v1",
        &[a],
    );
    application(
        "name-with-underscores",
        "Underscores inside the name, two in a row.",
        "a__b",
        &[a],
    );
    application(
        "name-of-a-system-schema",
        "A name like a system schema's.",
        "blob",
        &[a],
    );
    application(
        "name-with-digits",
        "Digits after the first letter.",
        "a1",
        &[a],
    );
    application(
        "name-in-capitals",
        "Names are case-sensitive.",
        "CAFE",
        &[a],
    );
    application(
        "name-like-a-system-id",
        "A name that is the id of a system schema.",
        "blob_v1",
        &[a],
    );
    let many: Vec<_> = (1..=12).map(id).collect();
    application("twelve-ids", "A view of twelve tips.", "cafe", &many);
    let close = [id(5).with_byte(33, 9), id(5).with_byte(33, 10)];
    application(
        "ids-close",
        "Ids that differ in the last byte only.",
        "cafe",
        &close,
    );
    let long = format!("a{}z", "_".repeat(62));
    application(
        "name-of-64-with-underscores",
        "As many underscores as there may be.",
        &long,
        &[a],
    );
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
    schema_parse_negative(&mut set, &a.hex(), &b.hex());
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

fn schema_parse_negative(set: &mut Set, a: &str, b: &str) {
    let malformed = [
        (
            "no-underscore",
            "one-id",
            "A name alone.",
            "cafe".to_owned(),
            "schema_id_malformed",
        ),
        (
            "two-words",
            "one-id",
            "A name of two words alone, whose underscore separates nothing.",
            "cafe_menu".to_owned(),
            "schema_id_malformed",
        ),
        (
            "empty",
            "one-id",
            "Nothing.",
            String::new(),
            "schema_id_malformed",
        ),
        (
            "name-of-70",
            "one-id",
            "A name as long as an id, which holds no underscore.",
            format!("{}_{a}", "n".repeat(70)),
            "schema_name",
        ),
        (
            "name-like-an-id",
            "one-id",
            "What is left has as many characters as an id and an underscore: more ids are sought.",
            format!("ab_{}_{a}", "0".repeat(65)),
            "invalid_hex",
        ),
        (
            "id-like-a-version",
            "one-id",
            "A last part that begins as a version does and is as long as an id.",
            format!("cafe_v{}", "0".repeat(67)),
            "invalid_hex",
        ),
        (
            "hash-alone",
            "one-id",
            "A view id alone.",
            a.to_owned(),
            "schema_id_malformed",
        ),
        (
            "unknown-system",
            "blob",
            "A system schema nobody has.",
            "key_group_v1".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "capital-system",
            "blob",
            "System names are lowercase.",
            "Blob_v1".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-256",
            "blob",
            "Versions fit a byte.",
            "blob_v256".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-empty",
            "blob",
            "A version without a number.",
            "blob_v".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-word",
            "blob",
            "A version that is no number.",
            "blob_vone".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "unsorted",
            "two-ids",
            "The greater id first.",
            format!("cafe_{b}_{a}"),
            "view_id_unsorted",
        ),
        (
            "duplicate",
            "two-ids",
            "One id twice.",
            format!("cafe_{a}_{a}"),
            "view_id_duplicate",
        ),
        (
            "name-of-one",
            "one-id",
            "Names have two characters at least.",
            format!("c_{a}"),
            "schema_name",
        ),
        (
            "name-of-65",
            "name-of-64",
            "Names have 64 characters at most.",
            format!("{}_{a}", "a".repeat(65)),
            "schema_name",
        ),
        (
            "name-empty",
            "one-id",
            "No name before the separator.",
            format!("_{a}"),
            "schema_name",
        ),
        (
            "digit-first",
            "one-id",
            "Names begin with a letter.",
            format!("1cafe_{a}"),
            "schema_name",
        ),
        (
            "underscore-last",
            "one-id",
            "Names do not end in an underscore.",
            format!("cafe__{a}"),
            "schema_name",
        ),
        (
            "underscore-first",
            "one-id",
            "Names do not begin with an underscore.",
            format!("_cafe_{a}"),
            "schema_name",
        ),
        (
            "dash",
            "one-id",
            "A dash in the name.",
            format!("ca-fe_{a}"),
            "schema_name",
        ),
        (
            "umlaut",
            "one-id",
            "A letter beyond ASCII in the name.",
            format!("cäfe_{a}"),
            "schema_name",
        ),
        (
            "line-feed",
            "one-id",
            "A line feed in front of the name.",
            format!("\ncafe_{a}"),
            "schema_name",
        ),
        (
            "short-hash",
            "one-id",
            "The operation id is a byte short.",
            format!("cafe_{}", &a[..66]),
            "hash_length",
        ),
        (
            "algorithm-01",
            "one-id",
            "The operation id names another algorithm.",
            format!("cafe_01{}", &a[2..]),
            "hash_algorithm",
        ),
        (
            "line-feed-after",
            "one-id",
            "A line feed at the end.",
            format!("cafe_{a}\n"),
            "invalid_hex",
        ),
        (
            "version-negative",
            "blob",
            "A version below nothing.",
            "blob_v-1".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "version-capital",
            "blob",
            "The v of the version is small.",
            "blob_V1".to_owned(),
            "schema_id_malformed",
        ),
        (
            "system-with-space",
            "blob",
            "A space after the version.",
            "blob_v1 ".to_owned(),
            "schema_id_unknown_system",
        ),
        (
            "system-hash-id",
            "blob",
            "The form that stands for the hash of a system schema.",
            "blob__1".to_owned(),
            "schema_id_malformed",
        ),
        (
            "close-ids-reversed",
            "ids-close",
            "Ids that differ in the last byte only, the greater first.",
            format!(
                "cafe_{}_{}",
                id(5).with_byte(33, 10).hex(),
                id(5).with_byte(33, 9).hex()
            ),
            "view_id_unsorted",
        ),
        (
            "second-id-short",
            "two-ids",
            "The second id is a byte short.",
            format!("cafe_{a}_{}", &b[..66]),
            "hash_length",
        ),
        (
            "separator-last",
            "two-ids",
            "A separator after the last id.",
            format!("cafe_{a}_{b}_"),
            "hash_length",
        ),
        (
            "other-digit",
            "name-with-digits",
            "A digit of another script in the name.",
            format!("a١_{a}"),
            "schema_name",
        ),
        (
            "nul",
            "one-id",
            "A NUL in the name.",
            format!("ca\0fe_{a}"),
            "schema_name",
        ),
    ];
    for (name, near, comment, input, reason) in malformed {
        set.invalid(name, comment, near, input, reason)
            .flag("Text")
            .requires(&["SC1", "SC9", "OP4"])
            .or(also_right(name, reason));
    }
    let other_versions = [("v0", 0), ("v2", 2), ("v255", 255), ("v01", 1), ("v+1", 1)];
    for (version, number) in other_versions {
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
