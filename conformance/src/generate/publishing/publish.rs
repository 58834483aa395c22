//! What is published and taken.

use super::{
    CAFE, Places, Refused, World, after, after_again, again, author, cafe_create, cafe_update,
    cave, ended, id, long, next, other_author, places, refused_fork, set_of, taken, third_author,
    view,
};
use crate::forge::{Hash, Item, Log, operation};
use crate::generate::fixtures::{EVERY, every_schema};
use crate::generate::set::Set;
use crate::suite::{Case, Level};

pub(super) fn published() -> Set {
    let mut set = set_of("publish", "taken", &["PB1", "PB8"]);
    beginnings(&mut set);
    updates(&mut set);
    by_others(&mut set);
    retries(&mut set);
    beside_forks(&mut set);
    system_schemas(&mut set);
    relations(&mut set);
    set
}

fn beginnings(set: &mut Set) {
    set.world("nothing", World::of_places().value());
    set.world("places", places().world.value());
    set.using("world", "nothing");
    let create = cafe_create(12, "New");
    taken(
        set,
        "first",
        "The first entry of a node.",
        &Log::new(author(), 0),
        &create,
    )
    .requires(&["PB1", "PB2", "PB3"]);
    for (name, comment, log_id) in [
        ("log-5", "A log that is not the next one.", 5),
        ("log-10", "A log of two digits.", 10),
        ("greatest-log", "The greatest log there is.", u64::MAX),
    ] {
        let case = taken(set, name, comment, &Log::new(author(), log_id), &create);
        case.requires(&["PB14", "BA4"]).ruled("R22");
        case.level = Level::Should;
    }
    set.using("world", "places");
    taken(
        set,
        "next-log",
        "One more document.",
        &Log::new(author(), 3),
        &create,
    )
    .requires(&["PB1", "BA4"]);
    let case = taken(
        set,
        "log-left-out",
        "One more document, a log left out.",
        &Log::new(author(), 4),
        &create,
    );
    case.requires(&["PB14"]).ruled("R22");
    case.level = Level::Should;
    let same = cafe_create(8, "Panda");
    taken(
        set,
        "same-operation",
        "The operation of another entry, in an entry of its own.",
        &Log::new(author(), 3),
        &same,
    );
    let in_cave = operation::create(
        &cave(),
        [
            ("opening_hour", Item::Int(1)),
            ("title", Item::text("Cave")),
        ],
    );
    taken(
        set,
        "other-schema",
        "A document of another schema.",
        &Log::new(author(), 3),
        &in_cave.encode(),
    )
    .requires(&["PB3"]);
}

fn cafe(places: &Places) -> &Log {
    &places.cafe
}

fn bar(places: &Places) -> &Log {
    &places.bar
}

/// An operation that comes next in one of the author's logs.
struct Update {
    name: &'static str,
    comment: &'static str,
    log: fn(&Places) -> &Log,
    payload: fn(&Places) -> Vec<u8>,
}

const UPDATES: &[Update] = &[
    Update {
        name: "update",
        comment: "On top of the last operation.",
        log: cafe,
        payload: |places| cafe_update(&[places.ids[2]], 12),
    },
    Update {
        name: "update-merging",
        comment: "On top of both tips.",
        log: cafe,
        payload: |places| cafe_update(&view([places.ids[2], places.ids[3]]), 12),
    },
    Update {
        name: "update-branching",
        comment: "On top of an older view.",
        log: cafe,
        payload: |places| cafe_update(&[places.ids[1]], 12),
    },
    Update {
        name: "update-of-other",
        comment: "On top of somebody else's operation.",
        log: cafe,
        payload: |places| cafe_update(&[places.ids[3]], 12),
    },
    Update {
        name: "update-of-create",
        comment: "On top of the CREATE.",
        log: cafe,
        payload: |places| cafe_update(&[places.ids[0]], 12),
    },
    Update {
        name: "update-of-nothing",
        comment: "An UPDATE that gives no field.",
        log: cafe,
        payload: |places| operation::update(CAFE, &[places.ids[2]], []).encode(),
    },
    Update {
        name: "update-second-entry",
        comment: "The second entry of a log.",
        log: bar,
        payload: |places| cafe_update(&[places.bar_id], 12),
    },
    Update {
        name: "delete",
        comment: "A DELETE by the author.",
        log: cafe,
        payload: |places| operation::delete(CAFE, &[places.ids[2]]).encode(),
    },
    Update {
        name: "delete-older",
        comment: "A DELETE on top of an older view.",
        log: cafe,
        payload: |places| operation::delete(CAFE, &[places.ids[0]]).encode(),
    },
];

fn updates(set: &mut Set) {
    let places = places();
    for &Update {
        name,
        comment,
        log,
        payload,
    } in UPDATES
    {
        taken(set, name, comment, log(&places), &payload(&places)).requires(&["PB1", "PB4", "PB8"]);
    }
    taken(
        set,
        "update-with-ancestor",
        "On top of an operation and of one it builds on.",
        &places.cafe,
        &cafe_update(&view([places.ids[0], places.ids[2]]), 12),
    )
    .requires(&["PB4"])
    .ruled("R21");
    for len in [1, 2, 3, 6, 7, 11, 12] {
        let name = format!("log-of-{len}");
        let (world, log) = long(len);
        set.world(&name, world.value());
        set.using("world", &name);
        let payload = cafe_update(&[Hash::of(&log.entries[len - 1])], 23);
        let comment = format!("Entry {} of a log.", len + 1);
        taken(set, &format!("entry-{}", len + 1), &comment, &log, &payload)
            .requires(&["PB8", "BA1"])
            .flag("Links");
    }
}

/// Nobody needs leave to write.
fn by_others(set: &mut Set) {
    set.using("world", "places");
    let Places {
        visit,
        ids: [one, _, three, _],
        bar_id,
        ..
    } = places();
    let free = |case: &mut Case| {
        case.requires(&["PB13"]).ruled("R25");
    };
    free(taken(
        set,
        "visitor-again",
        "Somebody else's second entry.",
        &visit,
        &cafe_update(&[three], 13),
    ));
    free(taken(
        set,
        "visitor-elsewhere",
        "Somebody else's first entry on another document.",
        &Log::new(other_author(), 3),
        &cafe_update(&[bar_id], 13),
    ));
    free(taken(
        set,
        "stranger-updates",
        "An UPDATE by somebody nobody heard of.",
        &Log::new(third_author(), 0),
        &cafe_update(&[one], 13),
    ));
    free(taken(
        set,
        "stranger-deletes",
        "A DELETE by somebody nobody heard of.",
        &Log::new(third_author(), 0),
        &operation::delete(CAFE, &[three]).encode(),
    ));
    free(taken(
        set,
        "stranger-in-log-9",
        "In a log of the stranger's choice.",
        &Log::new(third_author(), 9),
        &cafe_update(&[one], 13),
    ));
}

/// Publishing is safe to repeat.
fn retries(set: &mut Set) {
    let Places {
        cafe,
        closed,
        visit,
        ..
    } = places();
    for (name, comment, log, seq_num) in [
        ("again-last", "The last entry of a log once more.", &cafe, 3),
        ("again-middle", "An entry in the middle.", &cafe, 2),
        ("again-first", "The first entry.", &cafe, 1),
        ("again-by-other", "Somebody else's entry.", &visit, 1),
        (
            "again-create-of-deleted",
            "The CREATE of a document that was deleted since.",
            &closed,
            1,
        ),
        ("again-delete", "The DELETE once more.", &closed, 2),
    ] {
        set.valid(
            name,
            comment,
            again(log, seq_num),
            after_again(log, seq_num),
        )
        .requires(&["PB7"])
        .wire_refuses("R23", "seq_num_mismatch");
    }
}

/// A client tried to fork a log: everything goes on as if it had not.
fn beside_forks(set: &mut Set) {
    let Refused {
        world,
        log,
        visit,
        ids,
    } = refused_fork();
    set.world("forked", world.value());
    set.using("world", "forked");
    taken(
        set,
        "beside-fork-other-document",
        "Another document by an author who tried to fork a log.",
        &Log::new(author(), 1),
        &cafe_create(3, "New"),
    )
    .requires(&["FK1", "PB1"]);
    let goes_on: [(&str, &str, &Log, Hash); 5] = [
        (
            "fork-refused-goes-on",
            "The next entry of the log.",
            &log,
            ids[2],
        ),
        (
            "beside-fork-by-other",
            "On top of what came before.",
            &visit,
            ids[0],
        ),
        (
            "on-fork-by-other",
            "On top of the entry that has the place.",
            &visit,
            ids[1],
        ),
        (
            "after-fork-by-other",
            "On top of what followed it.",
            &visit,
            ids[2],
        ),
        (
            "fork-signed-anew",
            "The operation that was refused, with fresh arguments.",
            &log,
            ids[0],
        ),
    ];
    for (name, comment, log, previous) in goes_on {
        taken(set, name, comment, log, &cafe_update(&[previous], 13))
            .requires(&["FK1", "PB4"])
            .ruled("R24")
            .flag("Fork");
    }
    for seq_num in [1, 2, 3] {
        let name = if seq_num == 1 {
            "again-before-fork".to_owned()
        } else {
            format!("again-beside-refused-{seq_num}")
        };
        set.valid(
            &name,
            "What was published before is published once more.",
            again(&log, seq_num),
            after_again(&log, seq_num),
        )
        .requires(&["PB7", "FK1"])
        .flag("Fork")
        .wire_refuses("R23", "seq_num_mismatch");
    }
    let (world, _, ids) = ended();
    set.world("ended", world.value());
    set.using("world", "ended");
    taken(
        set,
        "beside-ended",
        "Somebody else goes on where an author ended the log.",
        &Log::new(other_author(), 0),
        &cafe_update(&[ids[1]], 13),
    )
    .requires(&["FK2", "PB1"])
    .flag("EndOfLog");
}

/// Every node knows the schemas of the system.
fn system_schemas(set: &mut Set) {
    let empty = World::default();
    set.world("no-schemas", empty.value());
    set.using("world", "no-schemas");
    let field = operation::create(
        "schema_field_definition_v1",
        [("name", Item::text("title")), ("type", Item::text("str"))],
    );
    taken(
        set,
        "field-definition",
        "A field definition, where no schema was published yet.",
        &Log::new(author(), 0),
        &field.encode(),
    )
    .requires(&["PB3"]);
    let fields = [
        ("description", Item::text("Places")),
        ("fields", Item::Array(vec![Item::ids(&[id(1)])])),
        ("name", Item::text("cafe")),
    ];
    let definition = operation::create("schema_definition_v1", fields);
    taken(
        set,
        "definition",
        "A definition, whose fields may come later.",
        &Log::new(author(), 0),
        &definition.encode(),
    )
    .requires(&["PB3"]);
    let piece = operation::create("blob_piece_v1", [("data", Item::bytes(*b"hello"))]);
    taken(
        set,
        "piece",
        "A piece of a blob that is yet to come.",
        &Log::new(author(), 0),
        &piece.encode(),
    )
    .requires(&["PB3", "BL3"]);
}

/// Nobody asks whether the documents are there that a relation names.
fn relations(set: &mut Set) {
    let mut world = World::of_places();
    world.schemas.push(every_schema());
    let mut log = Log::new(author(), 0);
    let place = world.publish(&mut log, cafe_create(8, "Panda"));
    let fields = |target: Hash| {
        [
            ("a_bool", Item::Bool(true)),
            ("b_bytes", Item::bytes([1])),
            ("c_int", Item::Int(1)),
            ("d_float", Item::Float(0.5)),
            ("e_str", Item::text("e")),
            ("f_relation", Item::id(target)),
            ("g_relation_list", Item::ids(&[target])),
            ("h_pinned_relation", Item::ids(&[target])),
            (
                "i_pinned_relation_list",
                Item::Array(vec![Item::ids(&[target])]),
            ),
        ]
    };
    set.world("relations", world.value());
    set.using("world", "relations");
    for (name, comment, target) in [
        (
            "relation-to-known",
            "Relations to a document that is known.",
            place,
        ),
        (
            "relation-to-unknown",
            "Relations to a document nobody knows.",
            id(9),
        ),
    ] {
        let payload = operation::create(EVERY, fields(target)).encode();
        let log = Log::new(author(), 1);
        set.valid(name, comment, next(&log, &payload), after(&log, &payload))
            .requires(&["PB3", "SC7"])
            .ruled("R30");
    }
}
