//! What is published of blobs and their pieces.

use super::{World, author, cafe_create, id, next, not_taken, set_of, taken};
use crate::forge::{Hash, Item, Log, operation};
use crate::generate::set::Set;

const BLOB: &str = "blob_v1";

pub(super) fn blobs() -> Set {
    let mut set = set_of("publish", "blobs", &["BL3"]);
    let mut world = World::of_places();
    let [mut one, mut two, mut cafe] = [0, 1, 2].map(|log_id| Log::new(author(), log_id));
    let piece =
        |data: &[u8]| operation::create("blob_piece_v1", [("data", Item::bytes(data))]).encode();
    let first = world.publish(&mut one, piece(b"hel"));
    let second = world.publish(&mut two, piece(b"lo"));
    let place = world.publish(&mut cafe, cafe_create(8, "Panda"));
    let mut stored = Log::new(author(), 3);
    let known = world.publish(&mut stored, blob(5, &[first, second]));
    set.world("pieces", world.value());
    set.using("world", "pieces");

    let log = Log::new(author(), 4);
    let good: [(&str, &str, Vec<u8>); 5] = [
        (
            "blob",
            "A blob whose pieces are there.",
            blob(5, &[first, second]),
        ),
        ("blob-of-one", "A blob of one piece.", blob(3, &[first])),
        (
            "blob-piece-twice",
            "A piece may come twice.",
            blob(6, &[first, first]),
        ),
        (
            "blob-of-other-length",
            "Whether the length is right is seen when it is served.",
            blob(4, &[first]),
        ),
        (
            "blob-of-nothing",
            "An empty file has no pieces.",
            blob(0, &[]),
        ),
    ];
    for (name, comment, payload) in good {
        taken(&mut set, name, comment, &log, &payload).ruled("R19");
    }
    let retyped =
        operation::update(BLOB, &[known], [("mime_type", Item::text("text/html"))]).encode();
    taken(
        &mut set,
        "blob-retyped",
        "An UPDATE that leaves the pieces alone.",
        &stored,
        &retyped,
    );
    let shortened = |piece: Hash| {
        let pieces = Item::Array(vec![Item::ids(&[piece])]);
        operation::update(BLOB, &[known], [("pieces", pieces)]).encode()
    };
    taken(
        &mut set,
        "blob-shortened",
        "An UPDATE of the pieces.",
        &stored,
        &shortened(first),
    );

    let missing: [(&str, &str, &str, &Log, Vec<u8>); 5] = [
        (
            "blob-before-piece",
            "blob-of-one",
            "The piece is not there.",
            &log,
            blob(3, &[id(7)]),
        ),
        (
            "blob-before-last-piece",
            "blob",
            "One of two pieces is not there.",
            &log,
            blob(5, &[first, id(7)]),
        ),
        (
            "blob-of-a-cafe",
            "blob-of-one",
            "What it names is no piece.",
            &log,
            blob(3, &[place]),
        ),
        (
            "blob-of-a-blob",
            "blob-of-one",
            "What it names is a blob.",
            &log,
            blob(3, &[known]),
        ),
        (
            "blob-shortened-to-nothing",
            "blob-shortened",
            "An UPDATE to a piece that is not there.",
            &stored,
            shortened(id(7)),
        ),
    ];
    for (name, near, comment, log, payload) in missing {
        let told = super::after(log, &payload);
        not_taken(
            &mut set,
            (name, comment),
            near,
            next(log, &payload),
            "blob_pieces_missing",
        )
        .wire_reads("R19", told);
    }
    let rules: [(&str, &str, Vec<u8>, &str); 3] = [
        (
            "blob-without-its-pieces",
            "A length, and no pieces.",
            blob(3, &[]),
            "blob_pieces",
        ),
        (
            "blob-without-its-length",
            "Pieces, and no length.",
            blob(0, &[first]),
            "blob_pieces",
        ),
        (
            "blob-of-negative-length",
            "A length below nothing.",
            blob(-1, &[first]),
            "blob_length",
        ),
    ];
    for (name, comment, payload, reason) in rules {
        let told = super::after(&log, &payload);
        not_taken(
            &mut set,
            (name, comment),
            "blob-of-one",
            next(&log, &payload),
            reason,
        )
        .requires(&["BL1", "NO2"])
        .wire_reads("R19", told);
    }
    set
}

fn blob(length: i128, pieces: &[Hash]) -> Vec<u8> {
    let pieces = Item::Array(pieces.iter().map(|piece| Item::ids(&[*piece])).collect());
    let fields = [
        ("length", Item::Int(length)),
        ("mime_type", Item::text("text/plain")),
        ("pieces", pieces),
    ];
    operation::create(BLOB, fields).encode()
}
