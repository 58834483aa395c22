//! Cases of `blob.check`: is a blob what its pieces make up?

use serde_json::{Map, Value, json};

use super::fixtures::id;
use super::set::Set;
use crate::forge::{hash, hex};
use crate::suite::Case;

pub(super) fn sets() -> Vec<Set> {
    let mut set = Set::new("blob.check", "pieces", &["BL2"]);
    sound(&mut set);
    wrong_lengths(&mut set);
    missing(&mut set);
    half_empty(&mut set);
    malformed(&mut set);
    vec![set]
}

/// A blob of `length` that lists the pieces of these bytes, where those in `given` are there.
fn question(length: i64, listed: &[u8], given: &[(u8, &[u8])]) -> Value {
    let listed: Vec<_> = listed.iter().map(|byte| json!([id(*byte).hex()])).collect();
    let pieces: Map<_, _> = given
        .iter()
        .map(|(byte, data)| (id(*byte).hex(), hex(data).into()))
        .collect();
    json!({
        "blob": {
            "length": {"int": length.to_string()},
            "mime_type": {"str": "text/plain"},
            "pieces": {"pinned_relation_list": listed},
        },
        "pieces": pieces,
    })
}

const HELLO: &[(u8, &[u8])] = &[(1, b"hel"), (2, b"lo")];

fn good<'a>(
    set: &'a mut Set,
    name: &str,
    comment: &str,
    length: i64,
    question: Value,
) -> &'a mut Case {
    set.valid(
        name,
        comment,
        question,
        json!({"length": length.to_string()}),
    )
}

/// A blob whose pieces have its length.
struct Sound {
    name: &'static str,
    comment: &'static str,
    length: i64,
    question: fn() -> Value,
}

const SOUND: &[Sound] = &[
    Sound {
        name: "one-piece",
        comment: "A blob of one piece.",
        length: 3,
        question: || question(3, &[1], &HELLO[..1]),
    },
    Sound {
        name: "two-pieces",
        comment: "The sum of two pieces.",
        length: 5,
        question: || question(5, &[1, 2], HELLO),
    },
    Sound {
        name: "other-order",
        comment: "The order of the list is that of the bytes, not that of the ids.",
        length: 5,
        question: || question(5, &[2, 1], HELLO),
    },
    Sound {
        name: "piece-twice",
        comment: "A piece that comes twice counts twice.",
        length: 8,
        question: || question(8, &[1, 2, 1], HELLO),
    },
    Sound {
        name: "piece-unused",
        comment: "A piece that is there and not listed does not count.",
        length: 3,
        question: || question(3, &[1], HELLO),
    },
    Sound {
        name: "empty-piece",
        comment: "A piece of nothing.",
        length: 3,
        question: || question(3, &[1, 4], &[(1, b"hel"), (4, b"")]),
    },
];

fn sound(set: &mut Set) {
    for &Sound {
        name,
        comment,
        length,
        question,
    } in SOUND
    {
        good(set, name, comment, length, question());
    }
    good(
        set,
        "nothing",
        "A blob of no bytes has no pieces.",
        0,
        question(0, &[], &[(4, b"")]),
    )
    .ruled("R19")
    .flag("Boundary");
    let greatest = vec![0; 256_000];
    good(
        set,
        "greatest-pieces",
        "Two pieces of the greatest size.",
        512_000,
        question(512_000, &[1, 1], &[(1, &greatest)]),
    )
    .flag("Boundary");
    merged(set);
}

/// Pieces at views of several operations.
fn merged(set: &mut Set) {
    let mut merged = question(5, &[1, 2], HELLO);
    let view = [id(2), id(3)];
    merged["blob"]["pieces"]["pinned_relation_list"][1] = json!([view[0].hex(), view[1].hex()]);
    merged["pieces"] = json!({id(1).hex(): hex(b"hel"), hash::view_id(&view): hex(b"lo")});
    good(
        set,
        "merged-piece",
        "A piece at a view of two operations.",
        5,
        merged.clone(),
    );
    merged["pieces"][id(2).hex()] = hex(b"another").into();
    merged["pieces"][id(3).hex()] = hex(b"").into();
    good(
        set,
        "merged-piece-beside-older",
        "A piece at a view of two operations; at a view of either it has another length.",
        5,
        merged,
    );
}

/// A blob whose pieces have another length.
struct WrongLength {
    name: &'static str,
    comment: &'static str,
    near: &'static str,
    question: fn() -> Value,
}

const WRONG_LENGTHS: &[WrongLength] = &[
    WrongLength {
        name: "too-long",
        comment: "A byte more than the pieces have.",
        near: "two-pieces",
        question: || question(6, &[1, 2], HELLO),
    },
    WrongLength {
        name: "too-short",
        comment: "A byte less than the pieces have.",
        near: "two-pieces",
        question: || question(4, &[1, 2], HELLO),
    },
    WrongLength {
        name: "of-one-piece-only",
        comment: "The length of the first piece.",
        near: "two-pieces",
        question: || question(3, &[1, 2], HELLO),
    },
    WrongLength {
        name: "piece-counted-once",
        comment: "A piece that comes twice, counted once.",
        near: "piece-twice",
        question: || question(5, &[1, 2, 1], HELLO),
    },
    WrongLength {
        name: "of-pieces-not-listed",
        comment: "The length of all that is there, not of what is listed.",
        near: "piece-unused",
        question: || question(5, &[1], HELLO),
    },
    WrongLength {
        name: "number-of-pieces",
        comment: "The number of pieces in place of their length.",
        near: "two-pieces",
        question: || question(2, &[1, 2], HELLO),
    },
    WrongLength {
        name: "greatest-number",
        comment: "A length nobody has the disk for.",
        near: "two-pieces",
        question: || question(i64::MAX, &[1, 2], HELLO),
    },
    WrongLength {
        name: "cut-to-32-bits",
        comment: "A length that is right in its lower half.",
        near: "two-pieces",
        question: || question((1 << 32) + 5, &[1, 2], HELLO),
    },
];

fn wrong_lengths(set: &mut Set) {
    for &WrongLength {
        name,
        comment,
        near,
        question,
    } in WRONG_LENGTHS
    {
        set.invalid(name, comment, near, question(), "blob_length_mismatch")
            .ruled("R19");
    }
    set.invalid(
        "negative",
        "A length below nothing.",
        "two-pieces",
        question(-5, &[1, 2], HELLO),
        "blob_length",
    )
    .or(&["blob_length_mismatch"])
    .ruled("R19");
}

fn missing(set: &mut Set) {
    for (name, comment, listed, given) in [
        (
            "last-missing",
            "The last piece is not there.",
            &[1, 2],
            &HELLO[..1],
        ),
        (
            "first-missing",
            "The first piece is not there.",
            &[1, 2],
            &HELLO[1..],
        ),
        ("all-missing", "No piece is there.", &[1, 2], &HELLO[..0]),
    ] {
        set.invalid(
            name,
            comment,
            "two-pieces",
            question(5, listed, given),
            "blob_pieces_missing",
        )
        .ruled("R19");
    }
    set.invalid(
        "missing-yet-as-long",
        "The pieces that are there are as long as the blob; another is not.",
        "one-piece",
        question(3, &[1, 2], &HELLO[..1]),
        "blob_pieces_missing",
    )
    .or(&["blob_length_mismatch"])
    .ruled("R19");
}

/// No length and no pieces go together.
fn half_empty(set: &mut Set) {
    for (name, comment, near, question) in [
        (
            "no-length-yet-pieces",
            "No length, and pieces.",
            "two-pieces",
            question(0, &[1, 2], HELLO),
        ),
        (
            "length-yet-no-pieces",
            "A length, and no pieces.",
            "two-pieces",
            question(5, &[], HELLO),
        ),
        (
            "nothing-with-length",
            "A blob of no pieces that claims a byte.",
            "nothing",
            question(1, &[], &[(4, b"")]),
        ),
    ] {
        set.invalid(name, comment, near, question, "blob_pieces")
            .or(&["blob_length_mismatch"])
            .ruled("R19");
    }
    set.invalid(
        "nothing-in-a-piece",
        "A blob of no bytes whose one piece is empty.",
        "nothing",
        question(0, &[4], &[(4, b"")]),
        "blob_pieces",
    )
    .ruled("R19")
    .wire_is_open();
}

fn malformed(set: &mut Set) {
    let large = vec![0; 256_001];
    set.invalid(
        "piece-too-large",
        "A piece with a byte too many.",
        "greatest-pieces",
        question(512_002, &[1, 1], &[(1, &large)]),
        "blob_piece_size",
    )
    .ruled("R19")
    .flag("Boundary");
    for (name, member) in [("without-length", "length"), ("without-pieces", "pieces")] {
        let mut lacking = question(5, &[1, 2], HELLO);
        lacking["blob"]
            .as_object_mut()
            .expect("fields")
            .shift_remove(member);
        set.invalid(
            name,
            "A field of the blob is not there.",
            "two-pieces",
            lacking,
            "field_missing",
        )
        .requires(&["BL1"]);
    }
    let mut odd = question(5, &[1, 2], HELLO);
    odd["blob"]["mime_type"] = json!({"str": "text"});
    set.invalid(
        "mime-type",
        "A MIME type that is none.",
        "two-pieces",
        odd,
        "blob_mime_type",
    )
    .requires(&["BL1"]);
}
