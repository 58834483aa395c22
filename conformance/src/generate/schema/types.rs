//! Type strings of fields.

use super::{DEFINITION, good, question, schema};
use crate::generate::fixtures::id;
use crate::generate::set::Set;

pub(super) fn types(set: &mut Set) {
    good(
        set,
        ("type-relation", "A relation to blobs."),
        ("cafe", ""),
        &[(1, "f", "relation(blob_v1)")],
    )
    .requires(&["SC10"]);
    for (name, comment, text) in [
        ("unknown", "No type is called so.", "string"),
        ("bare-relation", "A relation to nothing.", "relation"),
        ("no-target", "A relation to an empty id.", "relation()"),
        (
            "owner",
            "The type of authorised schemas, which this protocol has not.",
            "owner(blob_v1)",
        ),
        (
            "malformed-target",
            "The target is no schema id.",
            "relation(blob)",
        ),
        (
            "unknown-target",
            "The target is a system schema of later days.",
            "relation(key_group_v1)",
        ),
        (
            "unsorted-target",
            "The ids of the target do not ascend.",
            "relation(cafe_00200202020202020202020202020202020202020202020202020202020202020202_00200101010101010101010101010101010101010101010101010101010101010101)",
        ),
        ("capital", "Types are lowercase.", "Relation(blob_v1)"),
        ("scalar-with-target", "A number of blobs.", "int(blob_v1)"),
        ("space-after-scalar", "A space after the type.", "bool "),
        ("two-brackets", "A bracket too many.", "relation(blob_v1))"),
        ("no-bracket", "A bracket too few.", "relation(blob_v1"),
        ("empty", "No type.", ""),
    ] {
        let case = set.invalid(
            &format!("type-{name}"),
            comment,
            "type-relation",
            question("cafe", "", &[(1, "f", text)]),
            "field_type",
        );
        case.requires(&["SC10"]);
        match name {
            "malformed-target" => {
                case.or(&["schema_id_malformed"]);
            }
            "unknown-target" => {
                case.or(&["schema_id_unknown_system"]);
            }
            "unsorted-target" => {
                case.or(&["view_id_unsorted"]);
            }
            // Without a letter or digit in it, the deployed expression finds nothing to take apart.
            "empty" => {
                case.kills();
            }
            _ => {}
        }
    }
}

/// The deployed parser of types looks for one anywhere in the text.
pub(super) fn loose_types(set: &mut Set) {
    let read = |kind: &str| schema(&[id(DEFINITION)], "cafe", "", &[(1, "f", kind)]);
    for (name, comment, text) in [
        (
            "space-before",
            "A space before the type.",
            " relation(blob_v1)",
        ),
        (
            "space-after",
            "A space after the type.",
            "relation(blob_v1) ",
        ),
        (
            "word-after",
            "A word after the type.",
            "relation(blob_v1) trailing",
        ),
        (
            "mark-before",
            "A mark before the type.",
            "!relation(blob_v1)",
        ),
    ] {
        set.invalid(
            &format!("type-{name}"),
            comment,
            "type-relation",
            question("cafe", "", &[(1, "f", text)]),
            "field_type",
        )
        .requires(&["SC10"])
        .wire_reads("R16", read("relation(blob_v1)"));
    }
    let other_version = "relation(blob_v9)";
    set.invalid(
        "type-other-version",
        "A version of a system schema there is not.",
        "type-relation",
        question("cafe", "", &[(1, "f", other_version)]),
        "field_type",
    )
    .or(&["schema_id_unknown_system"])
    .requires(&["SC10"])
    .wire_reads("R16", read(other_version));
    let upper = format!("relation(cafe_{})", id(0xab).hex().to_uppercase());
    let lower = format!("relation(cafe_{})", id(0xab).hex());
    good(
        set,
        ("type-lowercase-target", "A target whose id has letters."),
        ("cafe", ""),
        &[(1, "f", &lower)],
    )
    .requires(&["SC10"]);
    set.invalid(
        "type-uppercase-target",
        "The target's id in uppercase.",
        "type-lowercase-target",
        question("cafe", "", &[(1, "f", &upper)]),
        "field_type",
    )
    .or(&["uppercase_hex"])
    .requires(&["SC10"])
    .flag("Uppercase")
    .wire_reads("R13", read(&upper));
}
