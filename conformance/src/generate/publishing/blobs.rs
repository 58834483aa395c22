//! What is published of blobs and their pieces.

use super::{World, author, cafe_create, id, next, not_taken, set_of, taken};
use crate::forge::{Hash, Item, Log, operation};
use crate::generate::set::Set;

const BLOB: &str = "blob_v1";

/// What the node knows: two pieces, a cafe and a blob.
struct Ids {
    first: Hash,
    second: Hash,
    place: Hash,
    known: Hash,
}

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

    let ids = Ids {
        first,
        second,
        place,
        known,
    };
    sound(&mut set, &ids, &stored);
    missing(&mut set, &ids, &stored);
    rules(&mut set, &ids);
    set
}

/// A blob that is taken.
struct Sound {
    name: &'static str,
    comment: &'static str,
    payload: fn(&Ids) -> Vec<u8>,
}

/// Blobs whose pieces are there.
const SOUND: &[Sound] = &[
    Sound {
        name: "blob",
        comment: "A blob whose pieces are there.",
        payload: |ids| blob(5, &[ids.first, ids.second]),
    },
    Sound {
        name: "blob-of-one",
        comment: "A blob of one piece.",
        payload: |ids| blob(3, &[ids.first]),
    },
    Sound {
        name: "blob-piece-twice",
        comment: "A piece may come twice.",
        payload: |ids| blob(6, &[ids.first, ids.first]),
    },
    Sound {
        name: "blob-of-other-length",
        comment: "Whether the length is right is seen when it is served.",
        payload: |ids| blob(4, &[ids.first]),
    },
    Sound {
        name: "blob-of-nothing",
        comment: "An empty file has no pieces.",
        payload: |_| blob(0, &[]),
    },
];

fn sound(set: &mut Set, ids: &Ids, stored: &Log) {
    let log = new_log();
    for &Sound {
        name,
        comment,
        payload,
    } in SOUND
    {
        taken(set, name, comment, &log, &payload(ids)).ruled("R19");
    }
    let retyped =
        operation::update(BLOB, &[ids.known], [("mime_type", Item::text("text/html"))]).encode();
    taken(
        set,
        "blob-retyped",
        "An UPDATE that leaves the pieces alone.",
        stored,
        &retyped,
    );
    taken(
        set,
        "blob-shortened",
        "An UPDATE of the pieces.",
        stored,
        &shortened(ids.known, ids.first),
    );
}

/// A blob that names a piece which is not there.
struct Missing {
    name: &'static str,
    near: &'static str,
    comment: &'static str,
    is_update: bool,
    payload: fn(&Ids) -> Vec<u8>,
}

const MISSING: &[Missing] = &[
    Missing {
        name: "blob-before-piece",
        near: "blob-of-one",
        comment: "The piece is not there.",
        is_update: false,
        payload: |_| blob(3, &[id(7)]),
    },
    Missing {
        name: "blob-before-last-piece",
        near: "blob",
        comment: "One of two pieces is not there.",
        is_update: false,
        payload: |ids| blob(5, &[ids.first, id(7)]),
    },
    Missing {
        name: "blob-of-a-cafe",
        near: "blob-of-one",
        comment: "What it names is no piece.",
        is_update: false,
        payload: |ids| blob(3, &[ids.place]),
    },
    Missing {
        name: "blob-of-a-blob",
        near: "blob-of-one",
        comment: "What it names is a blob.",
        is_update: false,
        payload: |ids| blob(3, &[ids.known]),
    },
    Missing {
        name: "blob-shortened-to-nothing",
        near: "blob-shortened",
        comment: "An UPDATE to a piece that is not there.",
        is_update: true,
        payload: |ids| shortened(ids.known, id(7)),
    },
];

fn missing(set: &mut Set, ids: &Ids, stored: &Log) {
    for &Missing {
        name,
        near,
        comment,
        is_update,
        payload,
    } in MISSING
    {
        let new = new_log();
        let (log, payload) = (if is_update { stored } else { &new }, payload(ids));
        let told = super::after(log, &payload);
        not_taken(
            set,
            (name, comment),
            near,
            next(log, &payload),
            "blob_pieces_missing",
        )
        .wire_reads("R19", told);
    }
}

/// A blob that breaks a rule of blobs.
struct Broken {
    name: &'static str,
    comment: &'static str,
    payload: fn(&Ids) -> Vec<u8>,
    reason: &'static str,
}

const BROKEN: &[Broken] = &[
    Broken {
        name: "blob-without-its-pieces",
        comment: "A length, and no pieces.",
        payload: |_| blob(3, &[]),
        reason: "blob_pieces",
    },
    Broken {
        name: "blob-without-its-length",
        comment: "Pieces, and no length.",
        payload: |ids| blob(0, &[ids.first]),
        reason: "blob_pieces",
    },
    Broken {
        name: "blob-of-negative-length",
        comment: "A length below nothing.",
        payload: |ids| blob(-1, &[ids.first]),
        reason: "blob_length",
    },
];

/// Blobs that break a rule of blobs, whatever pieces there are.
fn rules(set: &mut Set, ids: &Ids) {
    let log = new_log();
    for &Broken {
        name,
        comment,
        payload,
        reason,
    } in BROKEN
    {
        let payload = payload(ids);
        let told = super::after(&log, &payload);
        not_taken(
            set,
            (name, comment),
            "blob-of-one",
            next(&log, &payload),
            reason,
        )
        .requires(&["BL1", "NO2"])
        .wire_reads("R19", told);
    }
}

/// A log with nothing in it yet.
fn new_log() -> Log {
    Log::new(author(), 4)
}

/// An UPDATE of the blob `known` to one piece.
fn shortened(known: Hash, piece: Hash) -> Vec<u8> {
    let pieces = Item::Array(vec![Item::ids(&[piece])]);
    operation::update(BLOB, &[known], [("pieces", pieces)]).encode()
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
