//! System schemas: the extra rules for blobs and their pieces.

use serde_json::{Value, json};

use super::super::fixtures::id;
use super::super::set::Set;
use super::{hexes, result, update, views};
use crate::forge::{Item, hex, operation};

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
    let blob = |length: i128, mime: &str, pieces: Item| {
        hex(operation::create(
            "blob_v1",
            [
                ("length", Item::Int(length)),
                ("mime_type", Item::text(mime)),
                ("pieces", pieces),
            ],
        )
        .encode())
    };
    let piece = || views(&[&[id(1)]]);
    let typed = |length: i128, mime: &str, pieces: Value| {
        result(
            "create",
            "blob_v1",
            json!({
                "length": {"int": length.to_string()},
                "mime_type": {"str": mime},
                "pieces": {"pinned_relation_list": pieces},
            }),
        )
    };
    let one = || json!([hexes(&[id(1)])]);
    for (case, length, mime) in [
        ("blob", 5, "text/plain"),
        ("mime-with-parts", 5, "image/svg+xml"),
        (
            "mime-with-many-parts",
            5,
            "application/vnd.oasis.opendocument.text",
        ),
        ("mime-with-dash", 5, "x-world/x-vrml"),
        ("mime-with-bar", 5, "text/a|b"),
        ("mime-with-type-of-12", 5, "typeoftwelve/a"),
        ("mime-with-six-parts", 5, "text/a.b.c.d.e.f.g"),
        ("mime-with-part-of-18", 5, "text/partofeighteenchar.a"),
        ("mime-with-last-of-16", 5, "text/lastofsixteencha"),
        ("mime-shortest", 5, "a/b"),
        ("mime-of-dash", 5, "-/a"),
        ("mime-with-digits", 5, "audio/3gpp2"),
        ("blob-of-greatest-length", i64::MAX.into(), "text/plain"),
    ] {
        set.valid(
            case,
            "A blob.",
            blob(length, mime, piece()),
            typed(length, mime, one()),
        );
    }
    for (case, near, mime) in [
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
    ] {
        set.invalid(
            case,
            "A MIME type outside the grammar.",
            near,
            blob(5, mime, piece()),
            "blob_mime_type",
        );
    }
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
        blob(5, "text/plain", Item::Array(vec![])),
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

    halves(&mut set);

    set.using("schema", "blob_piece");
    for (case, len) in [
        ("piece", 5),
        ("piece-of-nothing", 0),
        ("piece-of-4096", 4096),
    ] {
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
    piece_size(&mut set);
    set
}

/// An UPDATE of length or pieces says nothing of the other; one of both is held to the rule.
fn halves(set: &mut Set) {
    let none = || Item::Array(vec![]);
    let typed = |fields: Value| result("update", "blob_v1", fields);
    let halves = [
        (
            "pieces",
            "of-pieces",
            "An UPDATE of the pieces.",
            views(&[&[id(1)]]),
            json!({"pieces": {"pinned_relation_list": [hexes(&[id(1)])]}}),
        ),
        (
            "pieces",
            "to-no-pieces",
            "An UPDATE that takes the pieces away; whether the length fits is seen when the blob is served.",
            none(),
            json!({"pieces": {"pinned_relation_list": []}}),
        ),
        (
            "length",
            "to-no-length",
            "An UPDATE that takes the length away.",
            Item::Int(0),
            json!({"length": {"int": "0"}}),
        ),
    ];
    for (field, name, comment, item, told) in halves {
        set.valid(
            &format!("blob-update-{name}"),
            comment,
            update("blob_v1", field, item),
            typed(told),
        )
        .ruled("R19");
    }
    let both = |length: i128, pieces: Item| {
        let fields = [("length", Item::Int(length)), ("pieces", pieces)];
        hex(operation::update("blob_v1", &[id(1)], fields).encode())
    };
    let typed = |length: &str, pieces: Value| {
        typed(json!({"length": {"int": length}, "pieces": {"pinned_relation_list": pieces}}))
    };
    let one = || json!([hexes(&[id(1)])]);
    let sound = [
        (
            "whole",
            "An UPDATE of both.",
            6,
            views(&[&[id(1)]]),
            typed("6", one()),
        ),
        (
            "to-nothing",
            "An UPDATE to no bytes.",
            0,
            none(),
            typed("0", json!([])),
        ),
    ];
    for (name, comment, length, pieces, told) in sound {
        set.valid(
            &format!("blob-update-{name}"),
            comment,
            both(length, pieces),
            told,
        )
        .ruled("R19");
    }
    let broken = [
        (
            "length-alone",
            "An UPDATE to a length without pieces.",
            6,
            none(),
            typed("6", json!([])),
        ),
        (
            "pieces-alone",
            "An UPDATE to pieces without length.",
            0,
            views(&[&[id(1)]]),
            typed("0", one()),
        ),
    ];
    for (name, comment, length, pieces, told) in broken {
        set.invalid(
            &format!("blob-update-to-{name}"),
            comment,
            "blob-update-whole",
            both(length, pieces),
            "blob_pieces",
        )
        .wire_reads("R19", told);
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
