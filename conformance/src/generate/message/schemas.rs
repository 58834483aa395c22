//! Schema ids in messages: which there are, and in which order.

use super::{SYSTEM, TIME, announce, announced, application, bytes, note, request, requested};
use crate::forge::Item;
use crate::generate::fixtures::id;
use crate::generate::set::Set;

pub(super) fn schemas() -> Set {
    let mut set = Set::new("message.decode", "schemas", &["RP4"]);
    let note = note();
    set.valid(
        "set-system",
        "The fixed order of the system schemas.",
        bytes(&announce(1, TIME, &SYSTEM)),
        announced(1, TIME, &SYSTEM),
    );
    set.valid(
        "set-mixed",
        "A system schema and another.",
        bytes(&request(0, 0, &["blob_v1", &note])),
        requested(0, 0, &["blob_v1", &note]),
    );
    ascending(&mut set);
    schema_ids(&mut set);
    set
}

fn ascending(set: &mut Set) {
    let one = |name: &str, byte| application(name, &[id(byte)]);
    let (ab, ab0, upper, note) = (one("ab", 1), one("ab0", 1), one("Zoo", 1), one("note", 1));
    let (later, merged) = (one("note", 2), application("note", &[id(1), id(2)]));
    let cases: [(&str, &str, [&str; 2]); 6] = [
        (
            "by-name",
            "Application schemas ascend by name.",
            [&ab, &note],
        ),
        (
            "by-name-not-text",
            "The shorter name comes first, although _ is greater than 0.",
            [&ab, &ab0],
        ),
        (
            "uppercase-first",
            "Names ascend in byte order.",
            [&upper, &note],
        ),
        (
            "by-view-id",
            "Of one name, the lower view id comes first.",
            [&note, &later],
        ),
        (
            "shorter-view-id",
            "A view id comes before one that goes on where it ends.",
            [&note, &merged],
        ),
        (
            "merged-view-id",
            "View ids are compared id by id.",
            [&merged, &later],
        ),
    ];
    for (name, comment, schemas) in cases {
        let valid = format!("set-{name}");
        set.valid(
            &valid,
            comment,
            bytes(&request(0, 0, &schemas)),
            requested(0, 0, &schemas),
        )
        .requires(&["RP4"]);
        let [first, second] = schemas;
        set.invalid(
            &format!("{valid}-swapped"),
            "The same in the wrong order.",
            &valid,
            bytes(&request(0, 0, &[second, first])),
            "message_set",
        )
        .requires(&["RP4"])
        .flag("Unsorted");
    }
    let broken: [(&str, &str, &str, Vec<Item>, &str); 6] = [
        (
            "alphabetical",
            "set-system",
            "The system schemas have a fixed order, not that of the alphabet.",
            announce(1, TIME, &["blob_piece_v1", "blob_v1", SYSTEM[0], SYSTEM[1]]),
            "Unsorted",
        ),
        (
            "application-first",
            "set-mixed",
            "System schemas come first.",
            request(0, 0, &[&note, "blob_v1"]),
            "Unsorted",
        ),
        (
            "system-swapped",
            "set-mixed",
            "The definition of fields after that of schemas.",
            request(0, 0, &[SYSTEM[1], SYSTEM[0]]),
            "Unsorted",
        ),
        (
            "twice",
            "set-mixed",
            "A schema named twice.",
            request(0, 0, &["blob_v1", "blob_v1"]),
            "Duplicate",
        ),
        (
            "application-twice",
            "set-mixed",
            "An application schema named twice.",
            request(0, 0, &["blob_v1", &note, &note]),
            "Duplicate",
        ),
        (
            "twice-apart",
            "set-system",
            "Twice, with others between.",
            announce(1, TIME, &[SYSTEM[0], "blob_v1", SYSTEM[0]]),
            "Unsorted",
        ),
    ];
    for (name, near, comment, items, flag) in broken {
        set.invalid(
            &format!("set-{name}"),
            comment,
            near,
            bytes(&items),
            "message_set",
        )
        .requires(&["RP4"])
        .flag(flag);
    }
}

fn schema_ids(set: &mut Set) {
    let note = note();
    let upper = format!("note_{}", id(0xab).hex().to_uppercase());
    let lower = upper.replacen("0020AB", "0020ab", 1).to_lowercase();
    set.valid(
        "schema-id-letters",
        "Letters among the digits of a schema id.",
        bytes(&request(0, 0, &[&lower])),
        requested(0, 0, &[&lower]),
    )
    .requires(&["SC9"]);
    set.invalid(
        "schema-id-uppercase",
        "The same in uppercase.",
        "schema-id-letters",
        bytes(&request(0, 0, &[&upper])),
        "uppercase_hex",
    )
    .requires(&["SC9"])
    .flag("Uppercase")
    .wire_reads("R13", requested(0, 0, &[&upper]));
    let cases: [(&str, &str, &str, &str); 6] = [
        (
            "unknown-system",
            "A system schema of later days.",
            "key_group_v1",
            "schema_id_unknown_system",
        ),
        (
            "no-underscore",
            "No schema id at all.",
            "blob",
            "schema_id_malformed",
        ),
        ("empty", "An empty schema id.", "", "schema_id_malformed"),
        (
            "short-hash",
            "A hash that ends early.",
            &note[..note.len() - 2],
            "hash_length",
        ),
        (
            "wrong-name",
            "A name that ends in an underscore.",
            &note.replacen('_', "__", 1),
            "schema_name",
        ),
        (
            "unsorted-view-id",
            "Ids that do not ascend.",
            &application("note", &[id(2), id(1)]),
            "view_id_unsorted",
        ),
    ];
    for (name, comment, schema, reason) in cases {
        let case = set.invalid(
            &format!("schema-id-{name}"),
            comment,
            "set-by-name",
            bytes(&request(0, 0, &[schema])),
            reason,
        );
        case.requires(&["SC9"]);
        if name == "short-hash" {
            case.or(&["schema_id_malformed"]);
        }
    }
}
