//! The check of a store finds each kind of damage, and nothing where there is none.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, Hash, KeyPair, LogId, PlainValue, PublicKey, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Message, Operation};
use grove_node::engine::{Engine, EngineSettings, Finding, Input, RequestId, verify};
use grove_node::store::{Read, SqliteStore};
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
        let connection = rusqlite::Connection::open(self.0.path().join("node.sqlite")).unwrap();
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
    let (mut ids, mut rivals) = (Vec::new(), Vec::new());
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
    |told: &Told| vec![Finding::Entry(told.update), Finding::Log(told.key, LogId::new(0))]
)]
#[case::payload(
    "UPDATE entries SET payload = (SELECT payload FROM entries WHERE id = 1) WHERE id = 2",
    |told: &Told| vec![Finding::Payload(told.update), Finding::Document(document(told.create))]
)]
#[case::kept_payload(
    "UPDATE entries SET payload = (SELECT payload FROM entries WHERE id = 1) WHERE id = 3",
    |told: &Told| vec![Finding::Payload(told.deleted), Finding::Undeleted(told.deleted)]
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

    place.damage(sql);

    assert_eq!(verify(&place.open()).unwrap(), expected(&told));
}

fn document(hash: Hash) -> DocumentId {
    hash.into()
}
