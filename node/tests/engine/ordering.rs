//! The state is a function of the set of operations: whatever order a peer sends entries in, what
//! can't be judged yet waits, and every node ends up showing the same.

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Message, SchemaSet};
use grove_node::engine::{Engine, EngineLimits, EngineSettings, Input, Policy};
use grove_node::store::{ParkedMax, PostgresStore, Read, SqliteStore, Store};
use proptest::prelude::*;

use super::postgres_server::{Database, is_there};
use super::support::*;

/// A small history: a schema, two documents, branches by two authors, merges, one deletion.
fn history(delete: bool) -> (Vec<Submission>, Vec<DocumentId>, SchemaId) {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut all, note) = note_schema(&mut a);
    let one = a.create(&note, fields(&[("text", text("one"))]));
    let two = b.create(&note, fields(&[("text", text("two"))]));
    let documents = vec![document(&one), document(&two)];
    let left = a.update(
        &note,
        documents[0],
        &[id(&one)],
        fields(&[("text", text("left"))]),
    );
    let right = b.update(
        &note,
        documents[0],
        &[id(&one)],
        fields(&[("text", text("right"))]),
    );
    let merge = a.update(&note, documents[0], &[id(&left), id(&right)], fields(&[]));
    let beside = b.update(
        &note,
        documents[0],
        &[id(&right)],
        fields(&[("text", text("beside"))]),
    );
    let more = a.update(
        &note,
        documents[1],
        &[id(&two)],
        fields(&[("text", text("more"))]),
    );
    let end = b.delete(&note, documents[1], &[id(&two)]);
    all.extend([one, two, left, right, merge, beside, more]);
    if delete {
        all.push(end);
    }
    (all, documents, note)
}

/// What a peer tells that connects and sends these entries.
pub(crate) fn session(peer: PeerId, order: &[&Submission], note: &SchemaId) -> Vec<Input> {
    let schemas = SchemaSet::from([
        SchemaId::SCHEMA_DEFINITION,
        SchemaId::SCHEMA_FIELD_DEFINITION,
        note.clone(),
    ]);
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas,
    };
    let mut inputs = vec![Input::PeerConnected(peer), Input::received(peer, request)];
    inputs.extend(order.iter().map(|submission| {
        let entry = submission.entry().bytes().to_vec();
        let payload = Some(submission.payload().to_vec());
        let message = Message::Entry {
            session: 0,
            entry,
            payload,
        };
        Input::received(peer, message)
    }));
    inputs
}

/// Feeds entries to an engine over an empty store as a peer would.
fn receive<S: Store>(store: S, order: &[&Submission], note: &SchemaId) -> Engine<S> {
    let mut engine = engine_over(store, 1, Policy::default());
    for input in session(PeerId([9; 32]), order, note) {
        engine.handle(Instant::ZERO, vec![input]).unwrap();
    }
    engine
}

/// Feeds a history in some order to an engine over an empty store, and compares what it shows with what it
/// shows when all comes in order.
fn check(store: impl Store, delete: bool, order: &[usize]) -> Result<(), TestCaseError> {
    let (all, documents, note) = history(delete);
    let in_order: Vec<_> = all.iter().collect();
    let shuffled: Vec<_> = order.iter().filter_map(|index| all.get(*index)).collect();

    let expected = receive(SqliteStore::in_memory().unwrap(), &in_order, &note);
    let actual = receive(store, &shuffled, &note);

    prop_assert_eq!(visible(&actual, &documents), visible(&expected, &documents));
    let counts = actual.store().counts().unwrap();
    prop_assert_eq!(counts, expected.store().counts().unwrap());
    prop_assert_eq!(counts.parked, 0);
    prop_assert_eq!(counts.entries, all.len() as u64);
    Ok(())
}

fn any_order() -> impl Strategy<Value = Vec<usize>> {
    Just((0..10usize).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_of_arrival_gives_the_same_views(delete: bool, order in any_order()) {
        check(SqliteStore::in_memory().unwrap(), delete, &order)?;
    }

    #[test]
    fn any_order_of_arrival_gives_the_same_views_on_a_server(delete: bool, order in any_order()) {
        if is_there() {
            let place = Database::new().unwrap();
            check(PostgresStore::open(&place.server()).unwrap(), delete, &order)?;
        }
    }
}

/// An engine that has parked what these peers sent it before it could be judged.
fn parked(limits: ParkedMax, senders: &[(PeerId, Vec<Submission>)], note: &SchemaId) -> TestEngine {
    let settings = EngineSettings {
        limits: EngineLimits {
            parked_max: limits,
            ..EngineLimits::default()
        },
        ..EngineSettings::new(PeerId([1; 32]))
    };
    let store = SqliteStore::in_memory().unwrap();
    let mut engine = Engine::new(store, settings).unwrap();
    for (peer, submissions) in senders {
        let inputs = session(*peer, &submissions.iter().collect::<Vec<_>>(), note);
        for input in inputs {
            engine.handle(Instant::ZERO, vec![input]).unwrap();
        }
    }
    engine
}

//= R28 test
#[test]
fn parked_entries_are_bounded_in_bytes_and_by_their_senders() {
    let (mut flooder, mut friend) = (Author::new(1), Author::new(2));
    let (definitions, note) = note_schema(&mut Author::new(3));
    let say = |words: &str| fields(&[("text", text(words))]);
    let flood: Vec<_> = (0..40)
        .map(|_| flooder.create(&note, say(&"x".repeat(10_000))))
        .collect();
    let wanted = friend.create(&note, say("wanted"));
    let documents = [document(&wanted)];
    let senders = [
        (PeerId([8; 32]), vec![wanted]),
        (PeerId([9; 32]), flood.clone()),
    ];
    let bytes = ParkedMax {
        entries: 1000,
        size: 200_000,
    };
    let places = ParkedMax {
        entries: 20,
        size: u64::MAX,
    };

    for (max, shared) in [(bytes, 4), (places, 5)] {
        let mut engine = parked(max, &senders, &note);
        assert_eq!(engine.store().counts().unwrap().parked, 1 + shared);

        for submission in &definitions {
            publish(&mut engine, submission).unwrap();
        }

        assert_eq!(engine.store().counts().unwrap().parked, 0);
        assert!(visible(&engine, &documents)[0].is_some());
        // What was not kept is taken when it is sent again.
        for input in session(PeerId([9; 32]), &flood.iter().collect::<Vec<_>>(), &note) {
            engine.handle(Instant::ZERO, vec![input]).unwrap();
        }
        assert_eq!(engine.store().counts().unwrap().documents, 41 + 2);
    }
}
