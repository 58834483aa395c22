//! What holds of bytes outside of the file: they are there once, mended when lost, and gone when
//! dropped, whenever the process ends.

use std::sync::Arc;
use std::time::Duration;

use grove_core::author::{NextArgs, forge};
use grove_core::types::PlainValue;
use grove_core::wire::{Fields, Operation};

use super::*;
use crate::store::objects::{Objects, Swept};
use crate::store::outside::object_for;

const SIZE: usize = 100_000;

fn open(place: &TestFolder) -> SqliteStore {
    let objects = Objects::in_folder(&place.folder().join("blobs")).unwrap();
    SqliteStore::open_with(&place.0, Some(Arc::new(objects))).unwrap()
}

/// Objects lie beside the files of the database.
fn objects(place: &TestFolder) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for shard in std::fs::read_dir(place.folder().join("blobs")).unwrap() {
        let inside = std::fs::read_dir(shard.unwrap().path()).unwrap();
        files.extend(inside.map(|file| file.unwrap().path()));
    }
    files
}

/// How often these bytes stand in the files of the database.
fn holds(place: &TestFolder, bytes: &[u8]) -> bool {
    let files = std::fs::read_dir(place.folder()).unwrap();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .any(|path| {
            let content = std::fs::read(path).unwrap();
            content.windows(bytes.len()).any(|part| part == bytes)
        })
}

/// Bytes that nothing else looks like, wherever they are cut.
fn data(number: u64) -> Vec<u8> {
    format!("canary-{number}-").into_bytes().repeat(SIZE / 9)
}

/// Stores a piece the way an engine does.
fn insert(store: &mut SqliteStore, number: u64) -> DocumentRow {
    insert_by(insert_now, store, number)
}

fn insert_by(
    insert: fn(&mut SqliteStore, &NewEntry<'_>),
    store: &mut SqliteStore,
    number: u64,
) -> DocumentRow {
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(data(number)))]),
    };
    let args = NextArgs::first(LogId::new(number));
    let submission = forge(&KeyPair::from_seed(&[1; 32]), &args, &operation).unwrap();
    let hash = submission.entry().hash();
    store.begin().unwrap();
    let new = NewEntry {
        public_key: author(),
        log_id: LogId::new(number),
        seq_num: SeqNum::FIRST,
        hash,
        end_of_log: false,
        entry: submission.entry().bytes(),
        payload: Some(submission.payload()),
        action: Some(Action::Create),
        document: hash.into(),
        schema_id: &SchemaId::BLOB_PIECE,
        placement: Placement::Begins,
    };
    insert(store, &new);
    let row = DocumentRow {
        id: hash.into(),
        schema_id: SchemaId::BLOB_PIECE,
        view_id: DocumentId::from(hash).into(),
        owner: author(),
        edited: false,
        fields: Some([("data".to_owned(), (Value::Bytes(data(number)), hash.into()))].into()),
    };
    store.put_document(&row).unwrap();
    store.commit().unwrap();
    row
}

fn delete(store: &mut SqliteStore, row: &DocumentRow) {
    store.begin().unwrap();
    store.drop_payloads(row.id).unwrap();
    let gone = DocumentRow {
        edited: true,
        fields: None,
        ..row.clone()
    };
    store.put_document(&gone).unwrap();
    store.commit().unwrap();
}

#[test]
fn a_piece_is_there_once() {
    let place = TestFolder::new();
    let mut store = open(&place);

    let row = insert(&mut store, 1);

    assert_eq!(objects(&place).len(), 1);
    let size = std::fs::metadata(&objects(&place)[0]).unwrap().len();
    assert_eq!(store.payload_size(row.id.into()).unwrap(), Some(size));
    // Its view holds the beginning, for the order.
    assert!(!holds(&place, &data(1)[..200]));
    assert_eq!(store.document(row.id).unwrap(), Some(row));
}

//= OP9 test
#[test]
fn a_dropped_piece_is_erased_even_after_a_crash() {
    let place = TestFolder::new();
    let mut store = open(&place);
    let rows = [insert(&mut store, 1), insert(&mut store, 2)];

    delete(&mut store, &rows[0]);
    assert_eq!(objects(&place).len(), 2);
    drop(store);
    let mut store = open(&place);
    assert!(store.erase_discarded().unwrap() && store.drop_deleted_copies().unwrap());

    assert_eq!(objects(&place).len(), 1);
    assert!(!holds(&place, b"canary-1-"));
    assert_eq!(store.document(rows[1].id).unwrap().as_ref(), Some(&rows[1]));
    // Erased, but not noted as such before the crash.
    delete(&mut store, &rows[1]);
    std::fs::remove_file(&objects(&place)[0]).unwrap();
    assert!(store.erase_discarded().unwrap());
    let left = store.database.number("SELECT count(*) FROM discarded", []);
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn a_lost_piece_is_told_apart_and_mended() {
    let place = TestFolder::new();
    let mut store = open(&place);
    let row = insert(&mut store, 1);
    let payload = store
        .entry(row.id.hash())
        .unwrap()
        .unwrap()
        .payload
        .unwrap();
    let file = &objects(&place)[0];
    std::fs::write(file, &payload[..SIZE / 2]).unwrap();

    let entry = store.entry(row.id.hash()).unwrap().unwrap();
    let document = store.document(row.id).unwrap().unwrap();
    assert!(entry.lost && entry.payload.is_none());
    assert_eq!(document.fields, Some([].into()));
    store.begin().unwrap();
    store
        .restore_payload(row.id.hash(), &payload, Action::Create)
        .unwrap();
    store.commit().unwrap();

    let entry = store.entry(row.id.hash()).unwrap().unwrap();
    assert!(!entry.lost);
    assert_eq!(entry.payload, Some(payload));
    assert_eq!(store.document(row.id).unwrap(), Some(row));
    assert!(store.erase_discarded().unwrap());
    assert_eq!(objects(&place).len(), 1, "the damaged one is gone");
}

#[test]
fn what_a_crash_left_belongs_to_nothing_and_is_swept() {
    let place = TestFolder::new();
    let mut store = open(&place);
    let kept = insert(&mut store, 1);
    store.begin().unwrap();
    let hash = Hash::of(b"never committed");
    let object = object_for(
        store.database.objects(),
        &SchemaId::BLOB_PIECE,
        hash,
        &data(2),
    );
    assert!(object.unwrap().is_some());
    store.rollback().unwrap();
    let expected = Swept {
        objects: 1,
        bytes: data(2).len() as u64,
    };
    let hour = Duration::from_secs(3600);

    assert_eq!(store.sweep_objects(hour, false).unwrap(), Swept::default());
    assert_eq!(store.sweep_objects(Duration::ZERO, true).unwrap(), expected);
    assert_eq!(objects(&place).len(), 2);
    assert_eq!(
        store.sweep_objects(Duration::ZERO, false).unwrap(),
        expected
    );

    assert_eq!(objects(&place).len(), 1);
    assert_eq!(store.document(kept.id).unwrap(), Some(kept));
    assert_eq!(
        store.sweep_objects(Duration::ZERO, false).unwrap(),
        Swept::default()
    );
}

#[test]
fn an_older_database_gives_its_pieces_away() {
    let place = TestFolder::new();
    let connection = Connection::open(&place.0).unwrap();
    super::super::tune(&connection).unwrap();
    let database = Database::new(connection, IndexAdvisor::default()).unwrap();
    versions::bring_to(2, &database).unwrap();
    let mut store = SqliteStore {
        database,
        location: None,
        parked: None,
        free_min: 0,
    };
    let rows: Vec<_> = (0..70)
        .map(|number| insert_by(insert_first, &mut store, number))
        .collect();
    let view = store
        .database
        .view_of(&SchemaId::BLOB_PIECE)
        .unwrap()
        .unwrap();
    for (number, row) in (0..).zip(&rows) {
        let table = super::super::view::own_table(view.schema_row());
        let sql = format!("UPDATE {table} SET f0 = ?2 WHERE document = ?1");
        let (id, data) = (row.id.hash(), data(number));
        store
            .database
            .execute(&sql, rusqlite::params![id.digest(), data])
            .unwrap();
    }
    drop(store);

    let mut store = open(&place);
    assert!(store.drop_deleted_copies().unwrap());

    assert_eq!(objects(&place).len(), rows.len());
    assert!(!holds(&place, &data(3)[..200]));
    for row in rows {
        assert_eq!(store.document(row.id).unwrap().as_ref(), Some(&row));
    }
    drop(store);
    let without = SqliteStore::open(&place.0).unwrap();
    let asked = without.schema_entries(&SchemaId::BLOB_PIECE);
    assert!(matches!(asked, Err(StoreError::NoObjects)));
}
