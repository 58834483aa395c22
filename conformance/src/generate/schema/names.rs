//! Names and descriptions, of schemas and of their fields.

use super::{ONE, good, question};
use crate::generate::set::Set;

pub(super) fn names(set: &mut Set) {
    let longest = "n".repeat(64);
    for (name, comment, text) in [
        ("two", "The shortest name.", "ab"),
        ("longest", "The longest name.", longest.as_str()),
        ("underscores", "Underscores inside.", "a__b_1"),
        (
            "of-a-system-schema",
            "The name of a system schema is free.",
            "blob",
        ),
        (
            "like-a-version",
            "A name that looks like a version.",
            "cafe_v1",
        ),
    ] {
        good(set, (&format!("name-{name}"), comment), (text, ""), ONE)
            .requires(&["SC1", "SC9"])
            .flag("Boundary");
    }
    let too_long = "n".repeat(65);
    for (name, comment, near, text) in [
        ("one", "One letter is too short.", "name-two", "a"),
        (
            "too-long",
            "A letter too many.",
            "name-longest",
            too_long.as_str(),
        ),
        ("empty", "No name.", "name-two", ""),
        (
            "digit-first",
            "Names begin with a letter.",
            "name-two",
            "1b",
        ),
        (
            "underscore-first",
            "Names begin with a letter, which _ is not.",
            "name-two",
            "_b",
        ),
        (
            "underscore-last",
            "Names end in a letter or digit.",
            "name-two",
            "a_",
        ),
        (
            "dash",
            "A dash is not an underscore.",
            "name-underscores",
            "a-b_1",
        ),
        ("umlaut", "Letters are those of ASCII.", "name-two", "äb"),
        (
            "line-feed",
            "A line feed at the end, which $ of many expressions lets pass.",
            "name-two",
            "ab\n",
        ),
        ("space", "A space inside.", "name-underscores", "a b_1"),
    ] {
        set.invalid(
            &format!("name-{name}"),
            comment,
            near,
            question(text, "", ONE),
            "schema_name",
        )
        .requires(&["SC1"]);
    }
}

pub(super) fn descriptions(set: &mut Set) {
    let (longest, wide) = ("d".repeat(256), "ü".repeat(256));
    good(
        set,
        ("description-longest", "256 characters."),
        ("cafe", &longest),
        ONE,
    )
    .requires(&["SC2"])
    .flag("Boundary");
    good(
        set,
        ("description-wide", "256 characters of two bytes each."),
        ("cafe", &wide),
        ONE,
    )
    .requires(&["SC2"])
    .flag("Unicode");
    good(
        set,
        ("description-empty", "Nothing to say."),
        ("cafe", ""),
        ONE,
    )
    .requires(&["SC2"]);
    for (name, comment, near, text) in [
        (
            "too-long",
            "A character too many.",
            "description-longest",
            longest + "d",
        ),
        (
            "too-wide",
            "A character too many, of two bytes.",
            "description-wide",
            wide + "ü",
        ),
    ] {
        set.invalid(
            &format!("description-{name}"),
            comment,
            near,
            question("cafe", &text, ONE),
            "schema_description",
        )
        .requires(&["SC2"])
        .flag("Boundary");
    }
}

pub(super) fn field_names(set: &mut Set) {
    let longest = "f".repeat(64);
    for (name, comment, text) in [
        ("one", "One letter is enough.", "f"),
        ("longest", "The longest name.", longest.as_str()),
        (
            "underscore-last",
            "Field names may end in an underscore.",
            "f_",
        ),
    ] {
        good(
            set,
            (&format!("field-{name}"), comment),
            ("cafe", ""),
            &[(1, text, "int")],
        )
        .requires(&["SC4"])
        .flag("Boundary");
    }
    let too_long = "f".repeat(65);
    for (name, comment, near, text) in [
        (
            "too-long",
            "A letter too many.",
            "field-longest",
            too_long.as_str(),
        ),
        ("empty", "No name.", "field-one", ""),
        (
            "digit-first",
            "Names begin with a letter.",
            "field-underscore-last",
            "1_",
        ),
        (
            "underscore-first",
            "Names begin with a letter, which _ is not.",
            "field-underscore-last",
            "_",
        ),
        (
            "dash",
            "A dash is not an underscore.",
            "field-underscore-last",
            "f-",
        ),
        ("umlaut", "Letters are those of ASCII.", "field-one", "ü"),
        ("line-feed", "A line feed at the end.", "field-one", "f\n"),
    ] {
        set.invalid(
            &format!("field-{name}"),
            comment,
            near,
            question("cafe", "", &[(1, text, "int")]),
            "field_name",
        )
        .requires(&["SC4"]);
    }
}
