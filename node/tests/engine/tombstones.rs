//! Documents that were deleted more than once: which DELETE names the last view, and what is kept to tell.

use grove_core::types::{DocumentViewId, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use grove_node::engine::{Command, Engine, Purge, verify};
use grove_node::store::{MemoryStore, PostgresStore, Read, SqliteStore, Store};
use rstest::rstest;

use super::forks::{Branch, receive};
use super::postgres_server::{Database, is_there};
use super::support::*;

/// A document with two edits beside each other, each deleted by somebody, and the second DELETE once more.
struct Twice {
    definitions: Vec<Submission>,
    note: SchemaId,
    create: Submission,
    edits: [Submission; 2],
    deletes: [Submission; 2],
    again: Submission,
}

fn twice() -> Twice {
    let (definitions, note) = note_schema(&mut Author::new(1));
    let (mut one, mut two) = (Branch::new(2, 0), Branch::new(3, 0));
    let create = one.create(&note, "one");
    let left = one.update(&note, &[id(&create)], "left");
    let right = two.update(&note, &[id(&create)], "right");
    // The walk looks at the lower edit first, so its DELETE comes first although its own id may be higher.
    let by_left = one.delete(&note, &[id(&left)]);
    let by_right = two.delete(&note, &[id(&right)]);
    let again = two.delete(&note, &[id(&by_right)]);
    let is_left_lower = id(&left) < id(&right);
    let (edits, deletes) = match is_left_lower {
        true => ([left, right], [by_left, by_right]),
        false => ([right, left], [by_right, by_left]),
    };
    Twice {
        definitions,
        note,
        create,
        edits,
        deletes,
        again,
    }
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    match count {
        0 => vec![Vec::new()],
        _ => {
            let shorter = orders(count - 1);
            let places = shorter.iter().flat_map(|order| {
                (0..count).map(|at| {
                    let mut order = order.clone();
                    order.insert(at, count - 1);
                    order
                })
            });
            places.collect()
        }
    }
}

fn view_of<S: Store>(engine: &Engine<S>, created: &Submission) -> DocumentViewId {
    let row = engine.store().document(document(created)).unwrap().unwrap();
    assert!(row.is_deleted());
    row.view_id
}

//= R5 test
//= DL7 test
#[test]
fn in_any_order_the_first_delete_of_the_walk_names_the_view() {
    let Twice {
        definitions,
        create,
        edits,
        deletes,
        again,
        ..
    } = twice();
    let all = [
        &create,
        &edits[0],
        &edits[1],
        &deletes[0],
        &deletes[1],
        &again,
    ];
    for order in orders(all.len()) {
        let order: Vec<_> = definitions
            .iter()
            .chain(order.iter().map(|at| all[*at]))
            .collect();
        check(MemoryStore::new(), &order, &create, &deletes[0]);
    }
    let (forwards, backwards): (Vec<_>, Vec<_>) = (
        definitions.iter().chain(all).collect(),
        definitions.iter().chain(all.into_iter().rev()).collect(),
    );
    for order in [&forwards, &backwards] {
        check(
            SqliteStore::in_memory().unwrap(),
            order,
            &create,
            &deletes[0],
        );
        if is_there() {
            let place = Database::new().unwrap();
            let store = PostgresStore::open(&place.server()).unwrap();
            check(store, order, &create, &deletes[0]);
        }
    }
}

fn check(store: impl Store, order: &[&Submission], create: &Submission, first: &Submission) {
    let mut engine = engine_over(store, 1, Default::default());
    assert_eq!(receive(&mut engine, order), []);

    assert_eq!(view_of(&engine, create), id(first).into());
    let rows = engine.store().document_entries(document(create)).unwrap();
    let kept = rows.iter().filter(|row| row.payload.is_some());
    assert_eq!((rows.len(), kept.count()), (6, 3), "the DELETEs");
}

//= R7 test
#[test]
fn what_stays_of_an_edit_tells_what_it_was_made_on_top_of_and_no_more() {
    let Twice {
        definitions,
        note,
        create,
        edits,
        deletes,
        ..
    } = twice();
    let mut engine = engine(1);
    let before: Vec<_> = definitions
        .iter()
        .chain([&create, &edits[0], &deletes[0], &edits[1]])
        .collect();
    receive(&mut engine, &before);

    let row = |submission: &Submission| engine.store().entry(submission.entry().hash()).unwrap();
    assert_eq!(row(&create).unwrap().stub, None);
    for edit in &edits {
        let row = row(edit).unwrap();
        let stub = Operation::decode(&row.stub.unwrap()).unwrap();
        let bare = Operation::Update {
            schema_id: note.clone(),
            previous: id(&create).into(),
            fields: fields(&[]),
        };
        assert_eq!((row.payload, stub), (None, bare));
    }
}

/// The log with the first DELETE is purged, before or after the other one comes.
#[rstest]
fn a_purged_delete_names_no_view(#[values(false, true)] early: bool) {
    let Twice {
        definitions,
        create,
        edits,
        deletes,
        ..
    } = twice();
    let mut engine = engine(1);
    let mut before: Vec<_> = definitions
        .iter()
        .chain([&create, &edits[0], &edits[1], &deletes[0]])
        .collect();
    let late = [&deletes[1]];
    before.extend(late.iter().filter(|_| !early));
    receive(&mut engine, &before);
    let entry = deletes[0].entry().entry();
    let log = (entry.public_key, entry.log_id);

    command(&mut engine, Command::Purge(Purge::Logs(vec![log])));
    assert_eq!(receive(&mut engine, &late), []);

    assert_eq!(view_of(&engine, &create), id(&deletes[1]).into());
    assert_eq!(verify(engine.store()).unwrap(), []);
}
