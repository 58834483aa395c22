//! View ids as text, and their hashes.

use serde_json::json;

use super::super::fixtures::id;
use super::super::set::Set;
use crate::forge::{Hash, hash};

/// View ids that are wrong in a way of their own: name, comment, text, reason.
fn malformed_views(a: &str, b: &str) -> Vec<(&'static str, &'static str, String, &'static str)> {
    vec![
        (
            "unsorted",
            "The greater id first.",
            format!("{b}_{a}"),
            "view_id_unsorted",
        ),
        (
            "duplicate",
            "One id twice.",
            format!("{a}_{a}"),
            "view_id_duplicate",
        ),
        (
            "separator-after",
            "A separator after the last id.",
            format!("{a}_{b}_"),
            "hash_length",
        ),
        (
            "separator-before",
            "A separator before the first id.",
            format!("_{a}_{b}"),
            "hash_length",
        ),
        (
            "separator-doubled",
            "Two separators.",
            format!("{a}__{b}"),
            "hash_length",
        ),
        (
            "other-separator",
            "Ids are joined by an underscore.",
            format!("{a}-{b}"),
            "invalid_hex",
        ),
        (
            "second-short",
            "The second id is a byte short.",
            format!("{a}_{}", &b[..66]),
            "hash_length",
        ),
        (
            "second-algorithm",
            "The second id names another algorithm.",
            format!("{a}_01{}", &b[2..]),
            "hash_algorithm",
        ),
    ]
}

pub(super) fn view_parse() -> Set {
    let mut set = Set::new("view.parse", "text", &["DV1", "EN2"]);
    let ids: Vec<String> = [1, 2, 3, 0xaa, 0xbb].iter().map(|n| id(*n).hex()).collect();
    let real = hash::view_id(&[Hash::of([1, 2, 3]), Hash::of([3, 2, 1])]);
    for (name, count) in [("one", 1), ("two", 2), ("three", 3), ("five", 5)] {
        let some = &ids[..count];
        set.valid(
            name,
            "Ids in ascending order.",
            some.join("_"),
            json!({"ids": some}),
        );
    }
    let split: Vec<_> = real.split('_').collect();
    set.valid(
        "worked-example",
        "The view id of the handbook's example.",
        real.clone(),
        json!({"ids": split}),
    );

    for (name, comment, text, reason) in malformed_views(&ids[0], &ids[1]) {
        set.invalid(name, comment, "two", text, reason)
            .or(&["view_id_empty"]);
    }
    set.invalid("empty", "Nothing.", "one", "", "view_id_empty")
        .or(&["hash_length"]);
    set.invalid(
        "three-unsorted-at-the-end",
        "Only the last pair is out of order.",
        "three",
        [&ids[0][..], &ids[2], &ids[1]].join("_"),
        "view_id_unsorted",
    )
    .flag("Unsorted");
    let upper = ids[3].to_uppercase();
    set.valid(
        "lowercase-letters",
        "An id with letters.",
        ids[3].clone(),
        json!({"ids": [&ids[3]]}),
    );
    set.invalid(
        "uppercase",
        "Ids are written in lowercase.",
        "lowercase-letters",
        upper.clone(),
        "uppercase_hex",
    )
    .wire_reads("R13", json!({"ids": [upper]}))
    .flag("Uppercase");
    view_order(&mut set);
    let odd = id(1).with_byte(1, 0x40).hex();
    set.invalid(
        "length-40",
        "A digest length that is not 32.",
        "one",
        odd.clone(),
        "hash_digest_length",
    )
    .wire_reads("R10", json!({"ids": [odd]}));
    set
}

/// Ids ascend as unsigned bytes, from the first to the last one.
fn view_order(set: &mut Set) {
    let many: Vec<_> = (1..=20).map(id).collect();
    let last_byte = |byte| id(5).with_byte(33, byte);
    for (name, comment, ids) in [
        (
            "sign-bit",
            "Bytes have no sign.",
            vec![Hash::repeating(0x7f), Hash::repeating(0x80)],
        ),
        (
            "letters",
            "Letters come after digits.",
            vec![Hash::repeating(0x9f), Hash::repeating(0xa0)],
        ),
        (
            "last-byte",
            "Ids that differ in the last byte only.",
            vec![last_byte(9), last_byte(0x0a)],
        ),
        ("of-twenty", "Twenty ids.", many),
    ] {
        let hexes: Vec<_> = ids.iter().map(Hash::hex).collect();
        set.valid(name, comment, hexes.join("_"), json!({"ids": hexes}));
        let last = ids.len() - 1;
        let mut reversed = hexes.clone();
        reversed.swap(last - 1, last);
        set.invalid(
            &format!("{name}-reversed"),
            "The last two the other way around.",
            name,
            reversed.join("_"),
            "view_id_unsorted",
        )
        .flag("Unsorted");
        let mut doubled = hexes.clone();
        doubled[last - 1].clone_from(&hexes[last]);
        set.invalid(
            &format!("{name}-doubled"),
            "The last one twice.",
            name,
            doubled.join("_"),
            "view_id_duplicate",
        )
        .flag("Duplicate");
    }
    let sound = [0x9f, 0xa0].map(|byte| Hash::repeating(byte).hex());
    let capital = [sound[0].clone(), sound[1].to_uppercase()];
    set.invalid(
        "letters-uppercase",
        "The second id is written in capitals.",
        "letters",
        capital.join("_"),
        "uppercase_hex",
    )
    .wire_reads("R13", json!({"ids": capital}))
    .flag("Uppercase");
    for (name, comment, text) in [
        (
            "spaces-around",
            "Spaces around the separator.",
            sound.join(" _ "),
        ),
        ("comma", "Ids are joined by an underscore.", sound.join(",")),
        (
            "line-feed-after",
            "A line feed after the last id.",
            sound.join("_") + "\n",
        ),
        (
            "prefixed",
            "Hex without a prefix is asked.",
            format!("0x{}", sound.join("_")),
        ),
    ] {
        set.invalid(name, comment, "letters", text, "invalid_hex")
            .or(&["hash_length"])
            .flag("Text");
    }
}

pub(super) fn view_hash() -> Set {
    let mut set = Set::new("view.hash", "text", &["DV1", "BA2"]);
    let views: [(&str, Vec<Hash>); 5] = [
        ("one", vec![Hash::of([1, 2, 3])]),
        ("two", vec![Hash::of([1, 2, 3]), Hash::of([3, 2, 1])]),
        ("three", vec![id(1), id(2), id(3)]),
        ("all-zero", vec![Hash::repeating(0)]),
        ("eight", (1..=8).map(id).collect()),
    ];
    for (name, ids) in &views {
        let result = json!({"hash": hash::view_hash(ids).hex()});
        set.valid(
            name,
            "The hash of the ids' bytes, one after the other.",
            hash::view_id(ids),
            result,
        );
    }
    let [a, b] = [Hash::of([1, 2, 3]).hex(), Hash::of([3, 2, 1]).hex()];
    for (name, comment, text, reason) in malformed_views(&a, &b) {
        set.invalid(name, comment, "two", text, reason)
            .or(&["view_id_empty"]);
    }
    set
}
