//! What holds of the file itself, beyond the contract of all stores.

#![allow(clippy::unwrap_used)]

mod budget;
mod outside;

use std::path::{Path, PathBuf};

use grove_core::publish::Placement;
use grove_core::types::{
    DocumentId, FieldType, Hash, KeyPair, LogId, PublicKey, Schema, SchemaId, SeqNum, SystemSchema,
    Value,
};
use grove_core::wire::Action;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::database::{Database, PREPARED_ANEW};
use super::read::{ENTRIES_AFTER, LOG_POSITIONS};
use super::select::LIVE_COUNT;
use super::versions::{self, VERSION};
use super::view::{SHARED_DOCUMENTS_MAX, SHARED_FIELDS_MAX};
use super::{SqliteReader, SqliteStore};
use crate::store::codec;
use crate::store::indexes::{AccessPath, IndexAdvisor};
use crate::store::query::{self, Comparison, Condition, Order, OrderBy, Test};
use crate::store::sql::Sql;
use crate::store::sql::read::{CHANGES_AFTER, ENTRIES_BETWEEN, TOLD_AFTER};
use crate::store::{
    DocumentQuery, DocumentRow, NewEntry, Read, SharedStore, Store, StoreError, Upkeep,
};

/// A path for a database, whose folder is removed at the end.
struct TestFolder(PathBuf, TempDir);

impl TestFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self(folder.path().join("node.sqlite"), folder)
    }

    /// Every byte in the folder.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder()).unwrap();
        files
            .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    fn folder(&self) -> &Path {
        self.1.path()
    }
}

fn author() -> PublicKey {
    KeyPair::from_seed(&[1; 32]).public_key()
}

fn schema() -> Schema {
    let name = "text".parse().unwrap();
    let id: SchemaId = format!("note_{}", Hash::of(b"note")).parse().unwrap();
    Schema::new(id, "A note".into(), [(name, FieldType::Str)]).unwrap()
}

/// Stores a document of one operation, which holds `text`, the way an engine does.
fn publish(store: &mut SqliteStore, log_id: u64, text: &str) -> DocumentId {
    publish_by(insert_now, store, log_id, text)
}

/// Stores an entry the way an engine does.
fn insert_now(store: &mut SqliteStore, entry: &NewEntry<'_>) {
    store.insert_entry(*entry).unwrap();
}

fn publish_by(
    insert: fn(&mut SqliteStore, &NewEntry<'_>),
    store: &mut SqliteStore,
    log_id: u64,
    text: &str,
) -> DocumentId {
    let mut entry = vec![7; 200];
    entry.extend(log_id.to_be_bytes());
    let (hash, schema) = (Hash::of(&entry), schema());
    let new = NewEntry {
        public_key: author(),
        log_id: LogId::new(log_id),
        seq_num: SeqNum::FIRST,
        hash,
        end_of_log: false,
        entry: &entry,
        payload: Some(text.as_bytes()),
        action: Some(Action::Create),
        document: hash.into(),
        schema_id: schema.id(),
        placement: Placement::Begins,
    };
    insert(store, &new);
    put(store, hash.into(), Some(text));
    hash.into()
}

fn put(store: &mut SqliteStore, id: DocumentId, text: Option<&str>) {
    let row = DocumentRow {
        id,
        schema_id: schema().id().clone(),
        view_id: id.into(),
        owner: author(),
        edited: text.is_none(),
        fields: text.map(|text| {
            let field = (Value::Str(text.into()), id.into());
            [("text".to_owned(), field)].into()
        }),
    };
    store.put_document(&row).unwrap();
}

#[test]
fn a_newer_or_foreign_file_is_refused_and_left_alone() {
    let newer = TestFolder::new();
    drop(SqliteStore::open(&newer.0).unwrap());
    let flags = OpenFlags::default();
    let connection =
        Connection::open_with_flags_and_vfs(&newer.0, flags, super::vfs::NAME).unwrap();
    connection
        .pragma_update(None, "user_version", VERSION as i64 + 1)
        .unwrap();
    drop(connection);
    let foreign = TestFolder::new();
    let connection = Connection::open(&foreign.0).unwrap();
    connection
        .execute_batch("CREATE TABLE recipes (cake)")
        .unwrap();
    drop(connection);
    let text = TestFolder::new();
    std::fs::write(&text.0, "no database at all ".repeat(100)).unwrap();

    let version = format!("version {}", VERSION + 1);
    for (place, expected) in [
        (newer, version.as_str()),
        (foreign, "this program"),
        (text, "not a database"),
    ] {
        let before = place.bytes();
        let error = SqliteStore::open(&place.0).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(place.bytes(), before);
    }
}

/// SQLite prepares a statement anew for each value that it takes into account for its plan.
#[test]
fn no_value_makes_a_statement_be_prepared_anew() {
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    let ask = |store: &mut SqliteStore, number: u64| {
        let document = publish(store, number, "text");
        let log_id = LogId::new(number);
        let most = number as u32 % 3 + 1;
        assert!(
            store
                .tree_of_document(author(), document)
                .unwrap()
                .is_some()
        );
        let found = store.entries_at(author(), log_id, SeqNum::FIRST, most);
        assert_eq!(found.unwrap().len(), 1);
    };
    ask(&mut store, 1);
    ask(&mut store, 2);
    PREPARED_ANEW.set(0);

    for number in 3..20 {
        ask(&mut store, number);
    }

    assert_eq!(PREPARED_ANEW.get(), 0);
}

/// SQLite itself leaves deleted bytes in the gaps of pages, all of them where `secure_delete` is off.
#[test]
fn no_page_goes_to_the_file_with_deleted_bytes_in_its_gaps() {
    const CANARY: &str = "canary-in-a-gap";
    let place = TestFolder::new();
    let holds = || {
        let bytes = place.bytes();
        bytes
            .windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes())
    };
    drop(SqliteStore::open(&place.0).unwrap());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let file = Connection::open_with_flags_and_vfs(&place.0, flags, super::vfs::NAME).unwrap();
    file.execute_batch(
        "PRAGMA secure_delete = OFF; CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT)",
    )
    .unwrap();
    for number in 0..300 {
        let word = format!("{}{CANARY}", "-".repeat(number % 97));
        let sql = "INSERT INTO words (word) VALUES (?1)";
        file.execute(sql, [word]).unwrap();
    }
    file.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let before = holds();

    file.execute_batch("UPDATE words SET word = 'short'; PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();

    assert!(before && !holds());
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.commit().unwrap();

    let files: Vec<_> = std::fs::read_dir(place.folder()).unwrap().collect();

    assert!(files.len() > 1, "the write-ahead log is a file of its own");
    for file in files {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

//= OP9 test
#[test]
fn dropped_bytes_leave_the_files() {
    const CANARY: &[u8] = b"canary-in-a-coal-mine";
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    // Some stay within a page, some need pages of their own.
    let text = |number: u64| {
        let size = [1, 30, 400][number as usize % 3];
        String::from_utf8(CANARY.to_vec()).unwrap().repeat(size)
    };
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    let documents: Vec<_> = (0..120).map(|n| publish(&mut store, n, &text(n))).collect();
    store.commit().unwrap();
    let holds_canary = |place: &TestFolder| {
        place
            .bytes()
            .windows(CANARY.len())
            .any(|bytes| bytes == CANARY)
    };
    assert!(store.drop_deleted_copies().unwrap());
    assert!(holds_canary(&place));

    // Scattered first, so that pages are split and merged while they still hold others.
    let (odd, even): (Vec<_>, Vec<_>) = (0..120).partition(|n| n % 2 == 1);
    for numbers in [odd, even] {
        store.begin().unwrap();
        for number in numbers {
            store.drop_payloads(documents[number]).unwrap();
            put(&mut store, documents[number], None);
        }
        store.commit().unwrap();
    }
    assert!(store.drop_deleted_copies().unwrap());

    assert!(!holds_canary(&place));
    assert_eq!(store.counts().unwrap().documents, 0);
    assert_eq!(store.counts().unwrap().entries, 120);
}

#[test]
fn a_small_entry_takes_little_room() {
    const COUNT: u64 = 2_000;
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    for number in 0..COUNT {
        publish(&mut store, number, &format!("{number:0>150}"));
    }
    store.commit().unwrap();
    assert!(store.drop_deleted_copies().unwrap());

    let size = std::fs::metadata(&place.0).unwrap().len() / COUNT;

    assert!(size <= 1_200, "{size} bytes");
}

#[test]
fn a_busy_reader_puts_off_the_checkpoint() {
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store
        .database
        .connection()
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let reader = store.reader().unwrap();
    let connection = reader.database.connection();
    connection
        .execute_batch("BEGIN; SELECT count(*) FROM entries")
        .unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.commit().unwrap();

    assert!(!store.drop_deleted_copies().unwrap());
    connection.execute_batch("COMMIT").unwrap();
    assert!(store.drop_deleted_copies().unwrap());
}

#[test]
fn a_database_in_memory_is_its_only_reader() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    let id = publish(&mut store, 0, "hello");
    store.commit().unwrap();

    assert!(store.document(id).unwrap().is_some());
    assert!(matches!(store.reader(), Err(StoreError::InMemory)));
}

#[test]
fn lists_and_lookups_use_their_indexes() {
    let store = SqliteStore::in_memory().unwrap();
    let plan = |sql: &str| plan(&store, sql);
    let row = store.database.schema_row(&SchemaId::BLOB).unwrap().unwrap();
    let view = store.database.view(row).unwrap().unwrap();
    let query = DocumentQuery {
        after: Some(query::PagePosition::behind(Hash::of(b"").into())),
        ..DocumentQuery::default()
    };
    let (list, _) = view
        .list_sql(&store.database, &query, AccessPath::Order)
        .unwrap();
    let questions = [
        LOG_POSITIONS,
        ENTRIES_AFTER,
        ENTRIES_BETWEEN,
        TOLD_AFTER,
        LIVE_COUNT,
        &list,
    ];
    let changes = plan(CHANGES_AFTER);
    assert!(
        !changes.contains("SCAN e") && !changes.contains("SCAN c"),
        "{changes}"
    );
    for question in questions {
        // The ids of a page, found by an index, are gone through once.
        let plan = plan(question).replace("SCAN p", "");
        assert!(
            !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
            "{question}: {plan}"
        );
    }
}

/// How SQLite is going to answer.
fn plan(store: &SqliteStore, sql: &str) -> String {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = store.database.connection().prepare(&explain).unwrap();
    let mut rows = statement.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get::<_, String>(3).unwrap());
    }
    plan.join("; ")
}

/// A schema with a field of each kind that is ordered in a way of its own.
fn mixed_schema() -> Schema {
    let target = SchemaId::BLOB;
    let fields = [
        ("flag", FieldType::Bool),
        ("number", FieldType::Int),
        ("rating", FieldType::Float),
        ("relation", FieldType::Relation(target.clone())),
        ("tags", FieldType::PinnedRelationList(target)),
        ("text", FieldType::Str),
    ];
    let fields = fields.map(|(name, field_type)| (name.parse().unwrap(), field_type));
    let id: SchemaId = format!("mixed_{}", Hash::of(b"mixed")).parse().unwrap();
    Schema::new(id, "Mixed".into(), fields).unwrap()
}

/// A document of the mixed schema whose values follow from its number.
fn mixed_document(number: i64) -> DocumentRow {
    let id = DocumentId::from(Hash::of(&number.to_be_bytes()));
    let values = [
        ("flag", Value::Bool(number % 2 == 0)),
        ("number", Value::Int(number % 7)),
        ("rating", Value::Float(number as f64 / 3.0)),
        ("relation", Value::Relation(id)),
        ("tags", Value::PinnedRelationList(vec![id.into()])),
        ("text", Value::Str(format!("Text {}", number % 11))),
    ];
    let fields = values.map(|(name, value)| (name.to_owned(), (value, id.into())));
    DocumentRow {
        id,
        schema_id: mixed_schema().id().clone(),
        view_id: id.into(),
        owner: author(),
        edited: number % 3 == 0,
        fields: Some(fields.into()),
    }
}

#[test]
fn every_order_and_filter_gets_an_index_that_serves() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.begin().unwrap();
    store.insert_schema(&mixed_schema().into()).unwrap();
    let documents: Vec<_> = (0..600).map(mixed_document).collect();
    documents
        .iter()
        .for_each(|row| store.put_document(row).unwrap());
    store.commit().unwrap();
    let field = |name: &str| OrderBy::Field(name.to_owned());
    let equal = |name: &str, value| {
        vec![Condition::Field(
            name.to_owned(),
            Test::Among(true, vec![value]),
        )]
    };
    let range = vec![Condition::Field(
        "rating".to_owned(),
        Test::Compared(Comparison::Above, Value::Float(10.0)),
    )];
    let owner = vec![Condition::Owner(true, vec![author()])];
    let view = vec![Condition::View(true, vec![documents[5].view_id.clone()])];
    let edited = vec![Condition::Edited(true)];
    let cases = [
        (vec![], field("number")),
        (vec![], field("rating")),
        (vec![], field("text")),
        (vec![], field("relation")),
        (vec![], field("tags")),
        (vec![], OrderBy::ViewId),
        (vec![], OrderBy::Edited),
        (vec![], OrderBy::Owner),
        (range.clone(), field("rating")),
        (range, field("text")),
        (
            equal("text", Value::Str("Text 3".into())),
            OrderBy::DocumentId,
        ),
        (equal("number", Value::Int(3)), field("text")),
        (equal("flag", Value::Bool(true)), field("rating")),
        (owner.clone(), OrderBy::DocumentId),
        (owner, OrderBy::Edited),
        (view, OrderBy::DocumentId),
        (edited, OrderBy::ViewId),
    ];
    let view_table = store
        .database
        .view_of(mixed_schema().id())
        .unwrap()
        .unwrap();
    for (conditions, by) in cases {
        for descending in [false, true] {
            let order = Order {
                by: by.clone(),
                descending,
            };
            let query = DocumentQuery {
                conditions: conditions.clone(),
                after: Some(order.place(&documents[300])),
                order,
                limit: 25,
                ..DocumentQuery::default()
            };
            let before = store.list(mixed_schema().id(), &query).unwrap();
            assert!(store.create_index().unwrap() || descending, "{query:?}");
            while store.create_index().unwrap() {}
            // Few documents are found by a condition, so that an order would not lead.
            let path = store.database.access_path(&view_table, &query).unwrap();
            assert!(
                !matches!(path, AccessPath::Condition(_)) || conditions.len() == 1,
                "{path:?}"
            );
            assert_eq!(store.list(mixed_schema().id(), &query).unwrap(), before);
            let (sql, _) = view_table.list_sql(&store.database, &query, path).unwrap();
            let planned = plan(&store, &sql);
            let is_sorted = planned.contains("TEMP B-TREE");
            assert_eq!(
                is_sorted,
                matches!(path, AccessPath::Condition(_)),
                "{query:?}: {planned}"
            );
            assert!(!goes_through_a_table(&planned), "{query:?}: {planned}");
            let from_end = DocumentQuery {
                before: query.after.clone(),
                after: None,
                from_end: true,
                ..query
            };
            let (sql, _) = view_table
                .list_sql(&store.database, &from_end, path)
                .unwrap();
            let planned = plan(&store, &sql);
            assert!(!goes_through_a_table(&planned), "{from_end:?}: {planned}");
        }
        drop_indexes(&store);
    }
}

/// Whether a plan reads all of a table; what others have found is gone through once anyhow.
fn goes_through_a_table(plan: &str) -> bool {
    ["SCAN v", "SCAN d", "SCAN a"]
        .iter()
        .any(|scan| plan.contains(scan))
}

/// Makes room for others.
fn drop_indexes(store: &SqliteStore) {
    let names = store.database.all(
        "SELECT name FROM sqlite_schema WHERE name LIKE 'asked_%'",
        [],
        |row| Ok(row.get::<_, String>(0)?),
    );
    for name in names.unwrap() {
        let drop = format!("DROP INDEX {name}");
        store.database.connection().execute_batch(&drop).unwrap();
    }
    store.database.advisor.forget();
}

#[test]
fn indexes_are_few_and_outlive_a_restart() {
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store.begin().unwrap();
    store.insert_schema(&mixed_schema().into()).unwrap();
    (0..600).for_each(|number| store.put_document(&mixed_document(number)).unwrap());
    store.commit().unwrap();
    let ask = |store: &SqliteStore, number: usize| {
        let names = ["number", "rating", "text", "relation", "tags", "flag"];
        let query = DocumentQuery {
            conditions: vec![Condition::Field(
                "number".to_owned(),
                Test::Among(number / 6 == 0, vec![Value::Int(1)]),
            )],
            order: Order {
                by: OrderBy::Field(names[number % 6].to_owned()),
                descending: false,
            },
            limit: 3,
            ..DocumentQuery::default()
        };
        store.list(mixed_schema().id(), &query).unwrap();
    };
    let indexes = |store: &SqliteStore| {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'asked_%'";
        store.database.number(sql, []).unwrap()
    };
    for number in 0..12 {
        ask(&store, number);
        while store.create_index().unwrap() {}
    }
    assert_eq!(indexes(&store), 8);

    drop(store);
    let mut store = SqliteStore::open(&place.0).unwrap();

    ask(&store, 0);
    assert!(!store.create_index().unwrap(), "it is there already");
    assert_eq!(indexes(&store), 8);
}

/// How many schemas have a table of their own, beside those of the system.
fn own_tables(store: &SqliteStore) -> u64 {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name GLOB 'view_[0-9]*'";
    store.database.number(sql, []).unwrap() - SystemSchema::ALL.len() as u64
}

#[test]
fn a_schema_of_few_documents_makes_no_table() {
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    let reader = store.reader().unwrap();
    let everything = DocumentQuery::default();
    let listed = |reader: &SqliteReader| reader.list(schema().id(), &everything).unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.commit().unwrap();
    assert!(listed(&reader).is_empty());
    PREPARED_ANEW.with(|count| count.set(0));

    let mut ids = Vec::new();
    for number in 0..SHARED_DOCUMENTS_MAX {
        store.begin().unwrap();
        ids.push(publish(&mut store, number, &format!("text {number}")));
        store.commit().unwrap();
        assert_eq!(listed(&reader).len(), ids.len());
        assert_eq!(reader.documents(&ids).unwrap().len(), ids.len());
    }
    assert_eq!(own_tables(&store), 0);
    // Nor is there anything for a connection to read or prepare anew.
    assert_eq!(PREPARED_ANEW.with(std::cell::Cell::get), 0);
    let before = listed(&reader);

    // The next one is too many; those that are there move along, for every connection from its next question on.
    store.begin().unwrap();
    ids.push(publish(&mut store, 100, "one more"));
    assert_eq!(listed(&reader), before);
    store.rollback().unwrap();
    assert_eq!(own_tables(&store), 0);
    ids.pop();
    store.begin().unwrap();
    ids.push(publish(&mut store, 100, "one more"));
    store.commit().unwrap();
    assert_eq!(own_tables(&store), 1);
    assert_eq!(listed(&reader).len(), ids.len());
    for document in before {
        assert_eq!(reader.document(document.id).unwrap(), Some(document));
    }

    let left = "SELECT count(*) FROM small_views";
    assert_eq!(store.database.number(left, []).unwrap(), 0);
    store.begin().unwrap();
    put(&mut store, ids[0], None);
    store.commit().unwrap();
    assert_eq!(listed(&reader).len(), ids.len() - 1);
}

#[test]
fn small_schemas_share_their_table_without_seeing_each_other() {
    let mut store = SqliteStore::in_memory().unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.insert_schema(&mixed_schema().into()).unwrap();
    let note = publish(&mut store, 0, "a note");
    let mixed = [1, 2, 3].map(mixed_document);
    mixed
        .iter()
        .for_each(|row| store.put_document(row).unwrap());
    store.commit().unwrap();
    let everything = DocumentQuery::default();
    let count = |store: &SqliteStore, id: &SchemaId| store.list(id, &everything).unwrap().len();

    assert_eq!(count(&store, schema().id()), 1);
    assert_eq!(count(&store, mixed_schema().id()), 3);
    for row in &mixed {
        assert_eq!(store.document(row.id).unwrap().as_ref(), Some(row));
    }
    let mut found = Vec::new();
    let take = &mut |row: DocumentRow| {
        found.push(row.id);
        true
    };
    store
        .visit_these(schema().id(), &[mixed[0].id, note], false, take)
        .unwrap();
    assert_eq!(found, [note]);
    store.begin().unwrap();
    store.remove_schema(schema().id()).unwrap();
    store.remove_document(note).unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.commit().unwrap();
    assert_eq!(count(&store, schema().id()), 0);
    assert_eq!(count(&store, mixed_schema().id()), 3);
}

#[test]
fn a_schema_of_more_fields_than_the_shared_table_has_gets_its_own() {
    for (fields, own) in [(SHARED_FIELDS_MAX, 0), (SHARED_FIELDS_MAX + 1, 1)] {
        let mut store = SqliteStore::in_memory().unwrap();
        let names = (0..fields).map(|number| (format!("f{number:03}"), FieldType::Int));
        let typed = names.map(|(name, kind)| (name.parse().unwrap(), kind));
        let id: SchemaId = format!("wide_{}", Hash::of(b"wide")).parse().unwrap();
        let wide = Schema::new(id, String::new(), typed).unwrap();
        let id = DocumentId::from(Hash::of(b"a document"));
        let values = (0..fields).map(|number| {
            let value = (Value::Int(number as i64), id.into());
            (format!("f{number:03}"), value)
        });
        let row = DocumentRow {
            id,
            schema_id: wide.id().clone(),
            view_id: id.into(),
            owner: author(),
            edited: false,
            fields: Some(values.collect()),
        };

        store.begin().unwrap();
        store.insert_schema(&wide.clone().into()).unwrap();
        let nothing = store.list(wide.id(), &DocumentQuery::default()).unwrap();
        assert!(nothing.is_empty());
        store.put_document(&row).unwrap();
        store.commit().unwrap();

        assert_eq!(own_tables(&store), own);
        assert_eq!(store.document(id).unwrap(), Some(row));
    }
}

//= OP9 test
#[test]
fn dropped_bytes_leave_the_indexes_too() {
    const CANARY: &str = "canary-in-an-index";
    let place = TestFolder::new();
    let mut store = SqliteStore::open(&place.0).unwrap();
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    let ids: Vec<_> = (0..600)
        .map(|n| publish(&mut store, n, &format!("{CANARY} {n}")))
        .collect();
    store.commit().unwrap();
    let query = DocumentQuery {
        order: Order {
            by: OrderBy::Field("text".to_owned()),
            descending: false,
        },
        limit: 1,
        ..DocumentQuery::default()
    };
    store.list(schema().id(), &query).unwrap();
    assert!(store.create_index().unwrap());

    store.begin().unwrap();
    for id in ids {
        store.drop_payloads(id).unwrap();
        put(&mut store, id, None);
    }
    store.commit().unwrap();
    assert!(store.drop_deleted_copies().unwrap());

    let bytes = place.bytes();
    let canary = CANARY.as_bytes();
    assert!(!bytes.windows(canary.len()).any(|part| part == canary));
}

#[test]
fn an_older_database_is_brought_up_to_date() {
    let place = TestFolder::new();
    drop(SqliteStore::open(&place.0).unwrap());
    std::fs::remove_file(&place.0).unwrap();
    let connection = Connection::open(&place.0).unwrap();
    super::tune(&connection).unwrap();
    let old = Database::new(connection, IndexAdvisor::default()).unwrap();
    versions::bring_to(1, &old).unwrap();
    let mut old = SqliteStore {
        database: old,
        location: None,
        parked: None,
        free_min: 0,
    };
    old.begin().unwrap();
    old.insert_schema(&schema().into()).unwrap();
    old.database.make_own_table(schema().id());
    let documents: Vec<_> = (0..5)
        .map(|n| publish_by(insert_first, &mut old, n, "hello"))
        .collect();
    put(&mut old, documents[0], None);
    old.commit().unwrap();
    let entries = |store: &SqliteStore| {
        let sql = "SELECT entry, payload FROM entries ORDER BY id";
        let read = |row: &rusqlite::Row<'_>| -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
            Ok((row.get(0)?, row.get(1)?))
        };
        store.database.all(sql, [], read).unwrap()
    };
    let before: Vec<_> = documents
        .iter()
        .map(|id| old.document(*id).unwrap())
        .collect();
    let entries_before = entries(&old);
    drop(old);

    let mut store = SqliteStore::open(&place.0).unwrap();

    assert_eq!(
        versions::found(store.database.connection()).unwrap(),
        VERSION
    );
    for (id, before) in documents.iter().zip(before) {
        assert_eq!(store.document(*id).unwrap(), before);
        assert_eq!(store.document_entries(*id).unwrap().len(), 1);
        let log = store.tree_of_document(author(), *id).unwrap();
        assert_eq!(log.map(|log| log.document), Some(*id));
    }
    assert_eq!(entries(&store), entries_before);
    let everything = DocumentQuery::default();
    assert_eq!(store.count(schema().id(), &everything).unwrap(), 4);
    store.begin().unwrap();
    publish(&mut store, 5, "hello");
    put(&mut store, documents[1], None);
    put(&mut store, documents[1], None);
    store.remove_document(documents[2]).unwrap();
    store.commit().unwrap();
    assert_eq!(store.count(schema().id(), &everything).unwrap(), 3);
    assert_eq!(store.list(schema().id(), &everything).unwrap().len(), 3);
}

/// Stores the first entry of a log the way version 1 did.
fn insert_first(store: &mut SqliteStore, entry: &NewEntry<'_>) {
    let database = &store.database;
    let author = database.author_or_insert(entry.public_key).unwrap();
    let schema = database.schema_row_or_insert(entry.schema_id).unwrap();
    let log_id = codec::from_log_id(entry.log_id);
    let first = codec::from_seq_num(SeqNum::FIRST);
    let hash = entry.hash.digest();
    database
        .execute(
            "INSERT INTO logs (author, log_id, document, schema, tip, tip_hash, ended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?3, 0)",
            rusqlite::params![author, log_id, hash, schema, first],
        )
        .unwrap();
    database
        .execute(
            "INSERT INTO entries (log, seq_num, hash, action, entry, payload)
             VALUES (last_insert_rowid(), ?1, ?2, 0, ?3, ?4)",
            rusqlite::params![first, hash, entry.entry, entry.payload],
        )
        .unwrap();
}
