//! System schemas: the extra rules for blobs and their pieces.

use serde_json::{Value, json};

use super::super::fixtures::id;
use super::super::set::Set;
use super::{hexes, result, update, views};
use crate::forge::{Item, hex, operation};

/// A CREATE of a blob.
fn blob(length: i128, mime: &str, pieces: Item) -> String {
    let fields = [
        ("length", Item::Int(length)),
        ("mime_type", Item::text(mime)),
        ("pieces", pieces),
    ];
    hex(operation::create("blob_v1", fields).encode())
}

/// What is read from the CREATE of a blob.
fn typed(length: i128, mime: &str, pieces: Value) -> Value {
    let fields = json!({
        "length": {"int": length.to_string()},
        "mime_type": {"str": mime},
        "pieces": {"pinned_relation_list": pieces},
    });
    result("create", "blob_v1", fields)
}

/// A list of one piece.
fn piece() -> Item {
    views(&[&[id(1)]])
}

/// A list of no pieces.
fn none() -> Item {
    Item::Array(vec![])
}

/// What is read from a list of one piece.
fn one() -> Value {
    json!([hexes(&[id(1)])])
}

/// MIME types a blob may have.
const MIME_TYPES: &[(&str, &str)] = &[
    ("blob", "text/plain"),
    ("mime-with-parts", "image/svg+xml"),
    (
        "mime-with-many-parts",
        "application/vnd.oasis.opendocument.text",
    ),
    ("mime-with-dash", "x-world/x-vrml"),
    ("mime-with-bar", "text/a|b"),
    ("mime-with-type-of-12", "typeoftwelve/a"),
    ("mime-with-six-parts", "text/a.b.c.d.e.f.g"),
    ("mime-with-part-of-18", "text/partofeighteenchar.a"),
    ("mime-with-last-of-16", "text/lastofsixteencha"),
    ("mime-shortest", "a/b"),
    ("mime-of-dash", "-/a"),
    ("mime-with-digits", "audio/3gpp2"),
];

/// MIME types outside the grammar, each with its sound sibling.
const BROKEN_MIME_TYPES: &[(&str, &str, &str)] = &[
    ("mime-empty", "blob", ""),
    ("mime-without-slash", "blob", "text"),
    ("mime-without-type", "blob", "/plain"),
    ("mime-without-subtype", "blob", "text/"),
    ("mime-in-capitals", "blob", "Text/plain"),
    ("mime-with-parameter", "blob", "text/plain; charset=utf-8"),
    ("mime-with-underscore", "blob", "text/pla_in"),
    ("mime-with-dot-last", "blob", "text/plain."),
    ("mime-with-space-last", "blob", "text/plain "),
    ("mime-with-empty-part", "mime-with-bar", "text/a||b"),
    ("mime-with-line-feed", "blob", "text/plain\n"),
    ("mime-with-dot-in-type", "blob", "te.t/plain"),
    ("mime-with-digit-in-type", "blob", "tex7/plain"),
    ("mime-with-dot-first", "blob", "text/.plain"),
    ("mime-with-two-slashes", "blob", "text/plain/b"),
    ("mime-with-other-letter", "blob", "text/plaïn"),
    ("mime-of-anything", "blob", "*/*"),
    (
        "mime-with-type-of-13",
        "mime-with-type-of-12",
        "typeoftwelvex/a",
    ),
    (
        "mime-with-seven-parts",
        "mime-with-six-parts",
        "text/a.b.c.d.e.f.g.h",
    ),
    (
        "mime-with-part-of-19",
        "mime-with-part-of-18",
        "text/partofeighteenchars.a",
    ),
    (
        "mime-with-last-of-17",
        "mime-with-last-of-16",
        "text/lastofsixteenchar",
    ),
];

const PIECES: &[(&str, usize)] = &[
    ("piece", 5),
    ("piece-of-nothing", 0),
    ("piece-of-4096", 4096),
];

pub(super) fn blobs() -> Set {
    let mut set = Set::new("operation.validate", "blobs", &["BL1"]);
    set.schema(
        "blob",
        json!({"id": "blob_v1", "fields": {
            "length": "int", "mime_type": "str", "pieces": "pinned_relation_list(blob_piece_v1)",
        }}),
    );
    set.schema(
        "blob_piece",
        json!({"id": "blob_piece_v1", "fields": {"data": "bytes"}}),
    );
    set.using("schema", "blob");
    mime_types(&mut set);
    lengths(&mut set);
    updates(&mut set);
    halves(&mut set);
    pieces(&mut set);
    piece_size(&mut set);
    set
}

fn mime_types(set: &mut Set) {
    for &(case, mime) in MIME_TYPES {
        set.valid(
            case,
            "A blob.",
            blob(5, mime, piece()),
            typed(5, mime, one()),
        );
    }
    let longest = i64::MAX.into();
    set.valid(
        "blob-of-greatest-length",
        "A blob.",
        blob(longest, "text/plain", piece()),
        typed(longest, "text/plain", one()),
    );
    for &(case, near, mime) in BROKEN_MIME_TYPES {
        set.invalid(
            case,
            "A MIME type outside the grammar.",
            near,
            blob(5, mime, piece()),
            "blob_mime_type",
        );
    }
}

/// Lengths and pieces that do not go together.
fn lengths(set: &mut Set) {
    set.invalid(
        "blob-of-negative-length",
        "A length below nothing.",
        "blob",
        blob(-1, "text/plain", piece()),
        "blob_length",
    )
    .wire_reads("R19", typed(-1, "text/plain", one()));
    set.invalid(
        "blob-without-pieces",
        "A length, and no pieces.",
        "blob",
        blob(5, "text/plain", none()),
        "blob_pieces",
    )
    .wire_reads("R19", typed(5, "text/plain", json!([])));
    set.invalid(
        "blob-without-length",
        "Pieces, and no length.",
        "blob",
        blob(0, "text/plain", piece()),
        "blob_pieces",
    )
    .wire_reads("R19", typed(0, "text/plain", one()));
    set.valid(
        "blob-of-nothing",
        "An empty file: no length, and no pieces.",
        blob(0, "text/plain", Item::Array(vec![])),
        typed(0, "text/plain", json!([])),
    )
    .ruled("R19")
    .flag("Boundary");

    let two = || views(&[&[id(2)], &[id(1), id(3)], &[id(2)]]);
    set.valid(
        "blob-of-pieces-in-any-order",
        "Pieces come in their own order, and may come twice.",
        blob(5, "text/plain", two()),
        typed(
            5,
            "text/plain",
            json!([hexes(&[id(2)]), hexes(&[id(1), id(3)]), hexes(&[id(2)])]),
        ),
    );
}

fn updates(set: &mut Set) {
    let updated = [
        ("length", Item::Int(6), Item::Int(-6), "blob_length"),
        (
            "mime_type",
            Item::text("text/html"),
            Item::text("html"),
            "blob_mime_type",
        ),
    ];
    for (field, right, wrong, reason) in updated {
        let typed = |value: Value| result("update", "blob_v1", json!({field: value}));
        let (sound, read) = match field {
            "length" => (json!({"int": "6"}), Some(json!({"int": "-6"}))),
            _ => (json!({"str": "text/html"}), None),
        };
        let name = format!("blob-update-of-{}", field.replace('_', "-"));
        set.valid(
            &name,
            "An UPDATE is held to the rules of the fields it sets.",
            update("blob_v1", field, right),
            typed(sound),
        );
        let case = set.invalid(
            &format!("{name}-broken"),
            "An UPDATE that sets what no CREATE may.",
            &name,
            update("blob_v1", field, wrong),
            reason,
        );
        if let Some(read) = read {
            case.wire_reads("R19", typed(read));
        }
    }
}

fn pieces(set: &mut Set) {
    set.using("schema", "blob_piece");
    for &(case, len) in PIECES {
        let data = vec![7; len];
        let bytes =
            operation::create("blob_piece_v1", [("data", Item::bytes(data.clone()))]).encode();
        let typed = result(
            "create",
            "blob_piece_v1",
            json!({"data": {"bytes": hex(data)}}),
        );
        set.valid(case, "A piece of a blob.", hex(bytes), typed);
    }
    set.invalid(
        "piece-of-text",
        "A piece that is a text.",
        "piece",
        update("blob_piece_v1", "data", Item::text("hello")),
        "field_type_mismatch",
    );
}

/// An UPDATE of one field of a blob.
struct Half {
    field: &'static str,
    name: &'static str,
    comment: &'static str,
    item: fn() -> Item,
    told: fn() -> Value,
}

const HALVES: &[Half] = &[
    Half {
        field: "pieces",
        name: "of-pieces",
        comment: "An UPDATE of the pieces.",
        item: piece,
        told: || json!({"pieces": {"pinned_relation_list": [hexes(&[id(1)])]}}),
    },
    Half {
        field: "pieces",
        name: "to-no-pieces",
        comment: "An UPDATE that takes the pieces away; whether the length fits is seen when the blob is served.",
        item: none,
        told: || json!({"pieces": {"pinned_relation_list": []}}),
    },
    Half {
        field: "length",
        name: "to-no-length",
        comment: "An UPDATE that takes the length away.",
        item: || Item::Int(0),
        told: || json!({"length": {"int": "0"}}),
    },
];

/// An UPDATE of length and pieces.
struct Whole {
    name: &'static str,
    comment: &'static str,
    length: i128,
    pieces: fn() -> Item,
    told: fn() -> Value,
}

const WHOLES: &[Whole] = &[
    Whole {
        name: "whole",
        comment: "An UPDATE of both.",
        length: 6,
        pieces: piece,
        told: one,
    },
    Whole {
        name: "to-nothing",
        comment: "An UPDATE to no bytes.",
        length: 0,
        pieces: none,
        told: || json!([]),
    },
];

const BROKEN_WHOLES: &[Whole] = &[
    Whole {
        name: "length-alone",
        comment: "An UPDATE to a length without pieces.",
        length: 6,
        pieces: none,
        told: || json!([]),
    },
    Whole {
        name: "pieces-alone",
        comment: "An UPDATE to pieces without length.",
        length: 0,
        pieces: piece,
        told: one,
    },
];

/// An UPDATE of length or pieces says nothing of the other.
fn halves(set: &mut Set) {
    let typed = |fields: Value| result("update", "blob_v1", fields);
    for &Half {
        field,
        name,
        comment,
        item,
        told,
    } in HALVES
    {
        set.valid(
            &format!("blob-update-{name}"),
            comment,
            update("blob_v1", field, item()),
            typed(told()),
        )
        .ruled("R19");
    }
    wholes(set);
}

/// An UPDATE of both is held to the rule that they go together.
fn wholes(set: &mut Set) {
    let both = |length: i128, pieces: Item| {
        let fields = [("length", Item::Int(length)), ("pieces", pieces)];
        hex(operation::update("blob_v1", &[id(1)], fields).encode())
    };
    let typed = |length: i128, pieces: Value| {
        let pieces = json!({"pinned_relation_list": pieces});
        let fields = json!({"length": {"int": length.to_string()}, "pieces": pieces});
        result("update", "blob_v1", fields)
    };
    for &Whole {
        name,
        comment,
        length,
        pieces,
        told,
    } in WHOLES
    {
        set.valid(
            &format!("blob-update-{name}"),
            comment,
            both(length, pieces()),
            typed(length, told()),
        )
        .ruled("R19");
    }
    for &Whole {
        name,
        comment,
        length,
        pieces,
        told,
    } in BROKEN_WHOLES
    {
        set.invalid(
            &format!("blob-update-to-{name}"),
            comment,
            "blob-update-whole",
            both(length, pieces()),
            "blob_pieces",
        )
        .wire_reads("R19", typed(length, told()));
    }
}

fn piece_size(set: &mut Set) {
    const ID: &str = "blob_piece_v1";
    let piece = |len: usize| {
        let data = ("data", Item::bytes([7].repeat(len)));
        hex(operation::create(ID, [data]).encode())
    };
    let typed = json!({"data": {"bytes": hex([7].repeat(256_000))}});
    set.valid(
        "piece-of-256000",
        "The greatest piece of a blob.",
        piece(256_000),
        result("create", ID, typed),
    )
    .flag("Boundary");
    set.invalid(
        "piece-of-256001",
        "A byte too many.",
        "piece-of-256000",
        piece(256_001),
        "blob_piece_size",
    )
    .flag("Boundary");
}
