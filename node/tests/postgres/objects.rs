//! Large bytes beside a database on a server: in one place for all processes, erased when they were dropped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grove_core::author::{NextArgs, forge};
use grove_core::publish::Placement;
use grove_core::types::PlainValue;
use grove_core::wire::{Fields, Operation};
use grove_node::store::objects::{Objects, Swept};
use tempfile::TempDir;

use super::*;

const SIZE: usize = 100_000;

/// A folder of its own, removed at the end.
struct Folder(
    PathBuf,
    #[allow(dead_code, reason = "removed with the place")] TempDir,
);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self(folder.path().join("objects"), folder)
    }

    /// The objects in it.
    fn objects(&self) -> Vec<PathBuf> {
        let shards = std::fs::read_dir(&self.0).unwrap();
        let shards = shards.map(|shard| shard.unwrap().path());
        let shards = shards.filter(|path| path.file_name().unwrap() != "marks");
        shards.flat_map(|shard| files(&shard)).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

fn open_with(database: &Database, folder: &Folder) -> Result<PostgresStore, StoreError> {
    let objects = Objects::in_folder(&folder.0).unwrap();
    PostgresStore::open_with(&database.server(), Some(Arc::new(objects)))
}

/// Stores a piece in a transaction that is still to be ended.
fn insert(store: &mut PostgresStore, number: u8) -> DocumentRow {
    let data = vec![number; SIZE];
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(data.clone()))]),
    };
    let log_id = LogId::new(number.into());
    let args = NextArgs::first(log_id);
    let submission = forge(&KeyPair::from_seed(&[1; 32]), &args, &operation).unwrap();
    let hash = submission.entry().hash();
    store.begin().unwrap();
    store
        .insert_entry(NewEntry {
            public_key: author(1),
            log_id,
            seq_num: SeqNum::FIRST,
            hash,
            end_of_log: false,
            entry: submission.entry().bytes(),
            payload: Some(submission.payload()),
            action: Some(Action::Create),
            document: hash.into(),
            schema_id: &SchemaId::BLOB_PIECE,
            placement: Placement::Begins,
        })
        .unwrap();
    let row = DocumentRow {
        id: hash.into(),
        schema_id: SchemaId::BLOB_PIECE,
        view_id: DocumentId::from(hash).into(),
        owner: author(1),
        edited: false,
        fields: Some([("data".to_owned(), (Value::Bytes(data), hash.into()))].into()),
    };
    store.put_document(&row).unwrap();
    row
}

fn inserted(store: &mut PostgresStore, number: u8) -> DocumentRow {
    let row = insert(store, number);
    store.commit().unwrap();
    row
}

#[test]
fn processes_share_the_place_of_their_database() {
    let Some(database) = Database::new() else {
        return;
    };
    let (place, other) = (Folder::new(), Folder::new());
    let mut one = open_with(&database, &place).unwrap();
    let two = open_with(&database, &place).unwrap();

    let row = inserted(&mut one, 1);
    assert_eq!(two.document(row.id).unwrap().as_ref(), Some(&row));
    assert_eq!(place.objects().len(), 1);
    // The database has none of it but the beginning, for the order.
    let id = database.number("SELECT id FROM grove.schemas WHERE schema_id = 'blob_piece_v1'");
    let kept = format!("SELECT max(octet_length(f0))::bigint FROM grove.view_{id}");
    assert!(database.number(&kept) < 200);
    assert_eq!(
        database.number("SELECT count(payload) FROM grove.entries"),
        0
    );

    let refused = open_with(&database, &other).unwrap_err();
    assert!(matches!(refused, StoreError::OtherObjects), "{refused}");
    // What was moved as a whole is the same place.
    drop((one, two));
    std::fs::remove_dir_all(&other.0).unwrap();
    std::fs::rename(&place.0, &other.0).unwrap();
    let moved = open_with(&database, &other).unwrap();
    assert_eq!(moved.document(row.id).unwrap(), Some(row));
}

//= OP9 test
#[test]
fn a_dropped_piece_is_erased_even_after_a_crash() {
    let Some(database) = Database::new() else {
        return;
    };
    let place = Folder::new();
    let mut store = open_with(&database, &place).unwrap();
    let rows = [inserted(&mut store, 1), inserted(&mut store, 2)];

    store.begin().unwrap();
    store.drop_payloads(rows[0].id).unwrap();
    let gone = DocumentRow {
        edited: true,
        fields: None,
        ..rows[0].clone()
    };
    store.put_document(&gone).unwrap();
    store.commit().unwrap();
    assert_eq!(place.objects().len(), 2);
    drop(store);
    let mut store = open_with(&database, &place).unwrap();
    assert!(store.erase_discarded().unwrap());

    assert_eq!(place.objects().len(), 1);
    assert_eq!(database.number("SELECT count(*) FROM grove.discarded"), 0);
    assert_eq!(store.document(rows[0].id).unwrap(), Some(gone));
    assert_eq!(store.document(rows[1].id).unwrap().as_ref(), Some(&rows[1]));
}

#[test]
fn a_lost_piece_is_told_apart_and_mended() {
    let Some(database) = Database::new() else {
        return;
    };
    let place = Folder::new();
    let mut store = open_with(&database, &place).unwrap();
    let row = inserted(&mut store, 1);
    let hash = row.id.hash();
    let payload = store.entry(hash).unwrap().unwrap().payload.unwrap();
    std::fs::write(&place.objects()[0], &payload[..SIZE / 2]).unwrap();

    let entry = store.entry(hash).unwrap().unwrap();
    assert!(entry.lost && entry.payload.is_none());
    let document = store.document(row.id).unwrap().unwrap();
    assert_eq!(document.fields, Some([].into()));
    store.begin().unwrap();
    store
        .restore_payload(hash, &payload, Action::Create)
        .unwrap();
    store.commit().unwrap();

    assert_eq!(store.document(row.id).unwrap(), Some(row));
    assert!(store.erase_discarded().unwrap());
    assert_eq!(place.objects().len(), 1, "the damaged one is gone");
}

#[test]
fn what_a_crash_left_belongs_to_nothing_and_is_swept() {
    let Some(database) = Database::new() else {
        return;
    };
    let place = Folder::new();
    let mut store = open_with(&database, &place).unwrap();
    let kept = inserted(&mut store, 1);
    insert(&mut store, 2);
    store.rollback().unwrap();
    assert_eq!(place.objects().len(), 2);

    let young = store.sweep_objects(Duration::from_secs(3600), false);
    assert_eq!(young.unwrap(), Swept::default());
    let swept = store.sweep_objects(Duration::ZERO, false).unwrap();

    assert_eq!(swept.objects, 1);
    assert_eq!(place.objects().len(), 1);
    assert_eq!(store.document(kept.id).unwrap(), Some(kept));
}
