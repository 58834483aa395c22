//! The check of a store finds each kind of damage, and nothing where there is none.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{
    DocumentId, Hash, KeyPair, LogId, PlainValue, PublicKey, SchemaId, SeqNum,
};
use grove_core::validate::Submission;
use grove_core::wire::{Message, Operation};
use grove_core::{Reason, Refusal};
use grove_node::engine::{Engine, EngineSettings, Finding, Input, Output, RequestId, verify};
use grove_node::store::{DocumentQuery, Read, SharedStore, SqliteStore, Standing, StoreError};
use rstest::rstest;
use tempfile::TempDir;

/// A database of a test's own, removed at its end.
struct TestFolder(TempDir);

impl TestFolder {
    fn new(name: &str) -> Self {
        Self(tempfile::Builder::new().prefix(name).tempdir().unwrap())
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0.path().join("node.sqlite")).unwrap()
    }

    fn damage(&self, sql: &str) {
        // By the way the store itself takes, so that pages have their sums.
        let path = self.0.path().join("node.sqlite");
        let flags = rusqlite::OpenFlags::default();
        let connection =
            rusqlite::Connection::open_with_flags_and_vfs(path, flags, "grove").unwrap();
        connection
            .execute_batch("PRAGMA foreign_keys = OFF")
            .unwrap();
        let changed = connection.execute(sql, []).unwrap();
        assert_ne!(changed, 0, "{sql}");
    }
}

/// What an engine was told, as far as findings name it.
struct Told {
    key: PublicKey,
    /// Of the live document.
    create: Hash,
    update: Hash,
    /// Of the deleted one.
    deleted: Hash,
    /// The bytes that went with it.
    dropped: Vec<u8>,
}

/// Has an engine store a changed document in log 0, a deleted one in log 1, and a forked one in log 2.
fn store_some(place: &TestFolder) -> Told {
    let mut engine = Engine::new(place.open(), EngineSettings::new(PeerId([1; 32]))).unwrap();
    let key_pair = KeyPair::from_seed(&[1; 32]);
    let mut take = |submission: &Submission| {
        let submission = Box::new(submission.clone());
        let request = RequestId(0);
        let input = Input::Publish {
            request,
            submission,
        };
        engine.handle(Instant::ZERO, vec![input]).unwrap();
    };
    let fields = |byte| [("data".to_owned(), PlainValue::Bytes(vec![byte]))].into();
    let schema_id = SchemaId::BLOB_PIECE;
    let (mut ids, mut payloads, mut rivals) = (Vec::new(), Vec::new(), Vec::new());
    for log_id in 0..3 {
        let args = NextArgs::first(LogId::new(log_id));
        let create = Operation::Create {
            schema_id: schema_id.clone(),
            fields: fields(log_id as u8),
        };
        let create = forge(&key_pair, &args, &create).unwrap();
        take(&create);
        let id = create.entry().hash();
        let next = NextArgs::after(args.log_id, args.seq_num, id, |_| Some(id)).unwrap();
        let update = |byte| Operation::Update {
            schema_id: schema_id.clone(),
            previous: create.entry().operation_id().into(),
            fields: fields(byte),
        };
        let delete = Operation::Delete {
            schema_id: schema_id.clone(),
            previous: create.entry().operation_id().into(),
        };
        let operation = if log_id == 1 { delete } else { update(100) };
        let second = forge(&key_pair, &next, &operation).unwrap();
        take(&second);
        ids.extend([id, second.entry().hash()]);
        payloads.push(create.payload().to_vec());
        if log_id == 2 {
            rivals.push(forge(&key_pair, &next, &update(200)).unwrap());
        }
    }
    // Only a peer brings a branch.
    let peer = PeerId([2; 32]);
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas: [schema_id].into(),
    };
    let rivals = rivals.into_iter().map(|rival| Message::Entry {
        session: 0,
        entry: rival.entry().bytes().to_vec(),
        payload: Some(rival.payload().to_vec()),
    });
    let messages = [request].into_iter().chain(rivals);
    let received = messages.map(|message| Input::received(peer, message));
    let inputs = [Input::PeerConnected(peer)].into_iter().chain(received);
    engine.handle(Instant::ZERO, inputs.collect()).unwrap();
    assert_eq!(engine.store().counts().unwrap().forks, 1);
    Told {
        key: key_pair.public_key(),
        create: ids[0],
        update: ids[1],
        deleted: ids[2],
        dropped: payloads.swap_remove(1),
    }
}

#[test]
fn what_an_engine_wrote_is_sound() {
    let place = TestFolder::new("sound");
    store_some(&place);

    assert_eq!(verify(&place.open()).unwrap(), []);
}

#[rstest]
#[case::entry(
    "UPDATE entries SET entry = zeroblob(200) WHERE id = 2",
    |told: &Told| vec![Finding::Damaged(document(told.create))]
)]
#[case::payload(
    "UPDATE entries SET payload = (SELECT payload FROM entries WHERE id = 1) WHERE id = 2",
    |told: &Told| vec![Finding::Payload(told.update), Finding::Document(document(told.create))]
)]
#[case::kept_payload(
    "UPDATE entries SET payload = {payload} WHERE id = 3",
    |told: &Told| vec![Finding::Undeleted(told.deleted)]
)]
#[case::lost_entry(
    "DELETE FROM entries WHERE id = 2",
    |told: &Told| vec![
        Finding::Log(told.key, LogId::new(0)),
        Finding::Document(document(told.create)),
        Finding::Entries,
    ]
)]
#[case::wrong_tip(
    "UPDATE logs SET tip = 3 WHERE id = 1",
    |told: &Told| vec![Finding::Log(told.key, LogId::new(0))]
)]
#[case::lost_proof(
    "DELETE FROM forks",
    |told: &Told| vec![Finding::Fork(told.key, LogId::new(2))]
)]
#[case::other_value(
    "UPDATE view_4 SET f0 = x'07' WHERE document = (SELECT document FROM logs WHERE id = 1)",
    |told: &Told| vec![Finding::Document(document(told.create))]
)]
#[case::other_owner(
    "UPDATE documents SET edited = 0 WHERE id = (SELECT document FROM logs WHERE id = 1)",
    |told: &Told| vec![Finding::Document(document(told.create))]
)]
#[case::other_count(
    "UPDATE schemas SET live = 7 WHERE schema_id = 'blob_piece_v1'",
    |_: &Told| vec![Finding::Count(SchemaId::BLOB_PIECE)]
)]
fn damage_is_found(#[case] sql: &str, #[case] expected: fn(&Told) -> Vec<Finding>) {
    let place = TestFolder::new(&Hash::of(sql.as_bytes()).to_string());
    let told = store_some(&place);

    let bytes: String = told
        .dropped
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    place.damage(&sql.replace("{payload}", &format!("x'{bytes}'")));

    assert_eq!(verify(&place.open()).unwrap(), expected(&told));
}

fn document(hash: Hash) -> DocumentId {
    hash.into()
}

/// All that can be asked of the small database, each answer for itself: its hash, or why there is none.
fn answers(store: &SqliteStore) -> BTreeMap<String, Result<Hash, Reason>> {
    fn said<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> Result<Hash, Reason> {
        match answer {
            Ok(answer) => Ok(Hash::of(format!("{answer:?}").as_bytes())),
            Err(error) => Err(error.reason()),
        }
    }
    let key = KeyPair::from_seed(&[1; 32]).public_key();
    let (pieces, all) = (SchemaId::BLOB_PIECE, DocumentQuery::default());
    let deleted = DocumentQuery {
        standing: Standing::Deleted,
        ..DocumentQuery::default()
    };
    let mut answers = BTreeMap::from([
        ("position", said(&store.position())),
        ("counts", said(&store.counts())),
        ("schemas", said(&store.schemas())),
        ("changes", said(&store.changes(0, 1_000))),
        ("entries", said(&store.entries_after(0, None, 1_000))),
        ("tips", said(&store.tips(&[pieces.clone()].into()))),
        ("logs", said(&store.logs_of(key, None, 1_000))),
        ("live", said(&store.list(&pieces, &all))),
        ("deleted", said(&store.list(&pieces, &deleted))),
        ("count", said(&store.count(&pieces, &all))),
    ])
    .into_iter()
    .map(|(name, answer)| (name.to_owned(), answer))
    .collect::<BTreeMap<_, _>>();
    for number in 0..200 {
        let log_id = LogId::new(number);
        let first = store.entries_at(key, log_id, SeqNum::FIRST, 9);
        answers.insert(format!("trees {number}"), said(&store.trees(key, log_id)));
        answers.insert(format!("fork {number}"), said(&store.fork(key, log_id)));
        answers.insert(format!("first {number}"), said(&first));
        let Ok([row]) = first.as_deref() else {
            continue;
        };
        let (document, id) = (store.document(row.document), row.hash.into());
        let entries = store.document_entries(row.document);
        answers.insert(format!("document {number}"), said(&document));
        answers.insert(format!("entries {number}"), said(&entries));
        answers.insert(format!("operation {number}"), said(&store.operation(id)));
    }
    answers
}

/// Writes documents of many sizes, so that the file has pages of every kind.
fn store_many(place: &TestFolder) {
    let mut engine = Engine::new(place.open(), EngineSettings::new(PeerId([1; 32]))).unwrap();
    let key_pair = KeyPair::from_seed(&[1; 32]);
    for log_id in 0..180_u64 {
        let len = if log_id % 9 == 0 {
            9_000
        } else {
            40 + log_id as usize
        };
        let operation = Operation::Create {
            schema_id: SchemaId::BLOB_PIECE,
            fields: [(
                "data".to_owned(),
                PlainValue::Bytes(vec![log_id as u8; len]),
            )]
            .into(),
        };
        let args = NextArgs::first(LogId::new(log_id));
        let submission = Box::new(forge(&key_pair, &args, &operation).unwrap());
        let request = RequestId(log_id);
        let input = Input::Publish {
            request,
            submission,
        };
        engine.handle(Instant::ZERO, vec![input]).unwrap();
    }
}

#[test]
fn a_flipped_bit_is_never_served_in_silence() {
    const COPIES: u64 = 160;
    let place = TestFolder::new("whole");
    store_many(&place);
    let expected = answers(&place.open());
    assert!(expected.values().all(Result::is_ok) && expected.len() > 1_000);
    let whole = std::fs::read(place.0.path().join("node.sqlite")).unwrap();
    assert!(is_everything_in_one_file(&place));
    let (mut refused, mut damaged, mut answered) = (0, 0, 0);

    for copy in 0..COPIES {
        let mut bytes = whole.clone();
        // Some flips in the header of the file, the others all over it.
        let bits = if copy < 16 {
            800
        } else {
            bytes.len() as u64 * 8
        };
        let noise = Hash::of(&copy.to_be_bytes()).digest()[..8]
            .try_into()
            .unwrap();
        let bit = (u64::from_be_bytes(noise) % bits) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = TestFolder::new("flipped");
        let path = flipped.0.path().join("node.sqlite");
        std::fs::write(&path, bytes).unwrap();

        let Ok(store) = SqliteStore::open(&path) else {
            refused += 1;
            continue;
        };
        let found = answers(&store);
        for (question, answer) in &found {
            match answer {
                Ok(_) => assert_eq!(answer, &expected[question], "bit {bit}, {question}"),
                Err(reason) => {
                    assert_eq!(*reason, Reason::StoreDamaged, "bit {bit}, {question}");
                    damaged += 1;
                }
            }
            answered += u32::from(answer.is_ok());
        }
        assert!(!verify(&store).unwrap().is_empty(), "bit {bit}");
    }

    assert!(refused < COPIES / 2, "the node goes on with the rest");
    assert!(damaged > 100 && answered > 10_000);
}

/// Whether nothing waits in the write-ahead log.
fn is_everything_in_one_file(place: &TestFolder) -> bool {
    let files = std::fs::read_dir(place.0.path()).unwrap();
    let others = files.filter(|file| file.as_ref().unwrap().metadata().unwrap().len() > 0);
    others.count() == 1
}

#[test]
fn a_database_file_that_goes_is_noticed_before_anything_is_acknowledged() {
    let replaced = |place: &TestFolder| {
        let path = place.0.path().join("node.sqlite");
        std::fs::rename(&path, place.0.path().join("old")).unwrap();
        std::fs::write(&path, []).unwrap();
    };
    let deleted = |place: &TestFolder| {
        std::fs::remove_file(place.0.path().join("node.sqlite")).unwrap();
    };
    let without_log = |place: &TestFolder| {
        std::fs::remove_file(place.0.path().join("node.sqlite-wal")).unwrap();
    };
    let ways: [&dyn Fn(&TestFolder); 3] = [&replaced, &deleted, &without_log];
    for go in ways {
        let place = TestFolder::new("gone");
        let store = place.open();
        let is_there = store.health_check();
        let mut engine = Engine::new(store, EngineSettings::new(PeerId([1; 32]))).unwrap();
        let mut publish = |log_id: u64| {
            let operation = Operation::Create {
                schema_id: SchemaId::BLOB_PIECE,
                fields: [("data".to_owned(), PlainValue::Bytes(vec![7]))].into(),
            };
            let args = NextArgs::first(LogId::new(log_id));
            let key_pair = KeyPair::from_seed(&[1; 32]);
            let submission = Box::new(forge(&key_pair, &args, &operation).unwrap());
            let request = RequestId(log_id);
            let input = Input::Publish {
                request,
                submission,
            };
            let done = engine.handle(Instant::ZERO, vec![input]);
            let answer = std::iter::from_fn(|| engine.poll()).find_map(|output| match output {
                Output::Published { result, .. } => Some(result.map_err(|error| error.reason())),
                _ => None,
            });
            (done, answer.unwrap())
        };
        assert!(publish(0).1.is_ok());
        assert_eq!(is_there(), Ok(()));

        go(&place);

        assert_eq!(is_there(), Err(StoreError::Moved));
        let (done, answer) = publish(1);
        assert_eq!(done, Err(StoreError::Moved));
        assert_eq!(answer.map(|_| ()), Err(Reason::StoreFailed));
    }
}

#[tokio::test]
async fn damage_that_was_met_is_counted_and_the_rest_goes_on() {
    let place = TestFolder::new("counted");
    let told = store_some(&place);
    place.damage("UPDATE entries SET entry = CAST(x'07' || substr(entry, 2) AS BLOB) WHERE id = 1");
    let settings = EngineSettings::new(PeerId([1; 32]));
    let (node, stop) = grove_node::runtime::ThreadedNode::start(place.open(), settings).unwrap();
    assert_eq!(node.damages(), 0);

    let (damaged, sound) = (told.create, told.update);
    for _ in 0..3 {
        let asked = node.read(move |store| Ok(store.entry(damaged)?.is_some()));
        assert_eq!(asked.await.unwrap_err().reason(), Reason::StoreDamaged);
    }
    let asked = node.read(move |store| Ok(store.entry(sound)?.is_some()));
    assert!(asked.await.unwrap());

    assert_eq!(node.damages(), 3);
    stop.stop().await;
}
