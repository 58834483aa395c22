//! What holds of a database on a server, beyond the contract of all stores: versions, several processes,
//! lost connections, deleted bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod indexes;
mod objects;
#[path = "../postgres_server/mod.rs"]
mod postgres_server;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use grove_core::publish::Placement;
use grove_core::types::{
    DocumentId, FieldType, Hash, KeyPair, LogId, PublicKey, Schema, SchemaId, SeqNum, Value,
};
use grove_core::wire::Action;
use grove_node::store::{
    DocumentQuery, DocumentRow, Need, NewEntry, News, ParkedMax, ParkedRow, PostgresStore, Read,
    Server, SharedStore, Store, StoreError, Upkeep,
};
use postgres_server::Database;

/// How long what happens by itself may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn author(number: u8) -> PublicKey {
    KeyPair::from_seed(&[number; 32]).public_key()
}

fn schema() -> Schema {
    let id: SchemaId = format!("note_{}", Hash::of(b"note")).parse().unwrap();
    Schema::new(
        id,
        "A note".into(),
        [("text".parse().unwrap(), FieldType::Str)],
    )
    .unwrap()
}

/// Stores a document of one operation, which holds `text`, the way an engine does.
fn publish(store: &mut PostgresStore, who: u8, log_id: u64, text: &str) -> (DocumentId, i64) {
    let entry = format!("{who} {log_id}").into_bytes();
    let hash = Hash::of(&entry);
    let position = store
        .insert_entry(NewEntry {
            public_key: author(who),
            log_id: LogId::new(log_id),
            seq_num: SeqNum::FIRST,
            hash,
            end_of_log: false,
            entry: &entry,
            payload: Some(text.as_bytes()),
            action: Some(Action::Create),
            document: hash.into(),
            schema_id: schema().id(),
            placement: Placement::Begins,
        })
        .unwrap();
    put(store, who, hash.into(), Some(text));
    (hash.into(), position)
}

fn put(store: &mut PostgresStore, who: u8, id: DocumentId, text: Option<&str>) {
    let row = DocumentRow {
        id,
        schema_id: schema().id().clone(),
        view_id: id.into(),
        owner: author(who),
        edited: text.is_none(),
        fields: text.map(|text| {
            let field = (Value::Str(text.into()), id.into());
            [("text".to_owned(), field)].into()
        }),
    };
    store.put_document(&row).unwrap();
}

fn open(database: &Database) -> PostgresStore {
    PostgresStore::open(&database.server()).unwrap()
}

/// A store over an empty database that knows the schema.
fn with_schema(database: &Database) -> PostgresStore {
    let mut store = open(database);
    store.begin().unwrap();
    store.insert_schema(&schema().into()).unwrap();
    store.commit().unwrap();
    store
}

#[test]
fn a_newer_or_foreign_schema_is_refused_and_left_alone() {
    let Some(newer) = Database::new() else { return };
    let mut running = open(&newer);
    newer.run("UPDATE grove.state SET version = 99");
    assert!(matches!(
        PostgresStore::open(&newer.server()),
        Err(StoreError::TooNew { found: 99, .. })
    ));
    // A node that is older than the one which brought the database up to date writes no more.
    assert!(matches!(
        running.begin(),
        Err(StoreError::TooNew { found: 99, .. })
    ));
    running.rollback().unwrap();

    for foreign in [
        "CREATE TABLE grove.recipes (cake TEXT)",
        "CREATE TABLE grove.state (state TEXT)",
        "CREATE TABLE grove.state AS SELECT 'other' AS application, 1 AS version",
    ] {
        let database = Database::new().unwrap();
        database.run(&format!("CREATE SCHEMA grove; {foreign}"));
        let error = PostgresStore::open(&database.server()).unwrap_err();
        assert!(matches!(error, StoreError::Foreign), "{foreign}: {error}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'grove'";
        assert_eq!(database.number(tables), 1);
    }

    let prepared = Database::new().unwrap();
    prepared.run("CREATE SCHEMA grove; CREATE TABLE public.recipes (cake TEXT)");
    open(&prepared);
}

#[test]
fn processes_that_start_at_once_make_one_database() {
    let Some(database) = Database::new() else {
        return;
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| open(&database));
        }
    });
    assert_eq!(database.number("SELECT count(*) FROM grove.state"), 1);
    assert_eq!(
        open(&database).counts().unwrap().schemas,
        0,
        "system schemas count for none"
    );
}

#[test]
fn writers_take_turns_and_hear_of_each_other() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut one = with_schema(&database);
    let mut two = open(&database);
    assert!(!two.has_news().unwrap());
    assert_eq!(two.begin().unwrap(), None);
    two.commit().unwrap();
    assert!(!one.has_news().unwrap(), "nothing was changed");

    one.begin().unwrap();
    let (id, first) = publish(&mut one, 1, 0, "one");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let news = two.begin().unwrap();
            let (_, second) = publish(&mut two, 1, 1, "two");
            two.rollback().unwrap();
            (news, second)
        });
        one.commit().unwrap();
        let (news, second) = waiting.join().unwrap();
        let nothing_special = News {
            parked: 0,
            schemas: false,
        };
        assert_eq!(news, Some(nothing_special));
        assert_eq!((first, second), (1, 2));
    });

    // What was rolled back left neither a number nor an author behind.
    two.begin().unwrap();
    assert_eq!(publish(&mut two, 2, 0, "three").1, 2);
    let parked = ParkedRow {
        hash: Hash::of(b"p"),
        entry: b"p".to_vec(),
        payload: vec![2],
    };
    two.park(&parked, &Need::Operation(id.into())).unwrap();
    two.commit().unwrap();
    assert!(one.has_news().unwrap());
    let news = one.begin().unwrap().unwrap();
    assert_eq!((news.parked, news.schemas), (1, false));
    let max = ParkedMax {
        entries: 9,
        size: 9,
    };
    assert_eq!(one.evict_parked(max).unwrap(), 1);
    assert_eq!(publish(&mut one, 2, 1, "four").1, 3);
    put(&mut one, 1, id, None);
    one.commit().unwrap();
    assert!(!one.has_news().unwrap());

    let everything = DocumentQuery::default();
    assert_eq!(two.count(schema().id(), &everything).unwrap(), 2);
    assert_eq!(two.counts().unwrap().documents, 2);
    assert!(two.document(id).unwrap().unwrap().is_deleted());
}

#[test]
fn questions_at_once_see_one_state_whatever_others_write() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut store = with_schema(&database);
    let reader = store.reader().unwrap();
    store.begin().unwrap();
    let ids: Vec<_> = (0..3)
        .map(|log_id| publish(&mut store, 1, log_id, "one").0)
        .collect();
    store.commit().unwrap();
    let everything = DocumentQuery::default();
    let count = || reader.count(schema().id(), &everything).unwrap();

    let asked = reader.at_once(&mut || {
        assert_eq!(count(), 3);
        store.begin().unwrap();
        publish(&mut store, 1, 3, "two");
        store.commit().unwrap();
        assert_eq!(count(), 3);
        // Who has seen enough may ask something else.
        let mut seen = Vec::new();
        reader.visit(schema().id(), &everything, &mut |row| {
            seen.push(row.id);
            seen.len() < 2
        })?;
        reader.visit_entries(&ids, &mut |row| {
            seen.push(row.document);
            false
        })?;
        assert_eq!(seen.len(), 3);
        assert_eq!(count(), 3);
        Ok(())
    });
    asked.unwrap();

    assert_eq!(count(), 4);
    // A failure ends the state, too.
    let failed = reader.at_once(&mut || Err(StoreError::Url));
    assert!(matches!(failed, Err(StoreError::Url)));
    assert_eq!(count(), 4);
}

#[test]
fn schemas_of_others_are_news() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut watcher = open(&database);
    let mut store = with_schema(&database);
    let news = watcher.begin().unwrap().unwrap();
    assert!(news.schemas);
    watcher.rollback().unwrap();

    let id: DocumentId = Hash::of(b"field").into();
    let field =
        |name: &str, value: &str| (name.to_owned(), (Value::Str(value.to_owned()), id.into()));
    store.begin().unwrap();
    store
        .put_document(&DocumentRow {
            id,
            schema_id: SchemaId::SCHEMA_FIELD_DEFINITION,
            view_id: id.into(),
            owner: author(1),
            edited: false,
            fields: Some([field("name", "text"), field("type", "str")].into()),
        })
        .unwrap();
    store.commit().unwrap();

    assert!(watcher.begin().unwrap().unwrap().schemas);
    watcher.rollback().unwrap();
}

#[test]
fn lost_connections_are_replaced_at_their_next_use() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut store = with_schema(&database);
    let reader = store.reader().unwrap();
    store.begin().unwrap();
    let (id, _) = publish(&mut store, 1, 0, "kept");
    store.commit().unwrap();
    assert!(reader.document(id).unwrap().is_some());

    database.cut_all();
    assert!(reader.document(id).unwrap().is_some());
    assert!(!store.has_news().unwrap());
    database.cut_all();
    store.begin().unwrap();
    publish(&mut store, 1, 1, "lost");
    database.cut_all();

    // The transaction went with its connection, and does not go on in another one.
    assert!(store.counts().is_err());
    assert!(store.position().is_err());
    assert!(store.commit().is_err());
    store.rollback().unwrap();
    assert_eq!(store.counts().unwrap().entries, 1);
    store.begin().unwrap();
    assert_eq!(publish(&mut store, 1, 1, "again").1, 2);
    store.commit().unwrap();
    assert_eq!(reader.counts().unwrap().documents, 2);
}

#[test]
fn a_failed_transaction_is_never_committed() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut store = with_schema(&database);
    store.begin().unwrap();
    publish(&mut store, 1, 0, "one");
    let hash = Hash::of(b"1 0");
    let twice = store.insert_entry(NewEntry {
        public_key: author(1),
        log_id: LogId::new(5),
        seq_num: SeqNum::FIRST,
        hash,
        end_of_log: false,
        entry: b"1 0",
        payload: None,
        action: None,
        document: hash.into(),
        schema_id: schema().id(),
        placement: Placement::Begins,
    });
    assert!(twice.is_err());
    assert!(store.commit().is_err());
    store.rollback().unwrap();
    assert_eq!(store.counts().unwrap().entries, 0);
}

#[test]
fn a_server_that_is_not_there_or_silent_is_told_in_time() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let url = format!("postgres://me:hidden@127.0.0.1:{port}/grove?connect_timeout=1");
    let server: Server = url.parse().unwrap();

    let since = Instant::now();
    let silent = PostgresStore::open(&server).unwrap_err();
    drop(free);
    let gone = PostgresStore::open(&server).unwrap_err();

    assert!(since.elapsed() < PATIENCE);
    assert!(silent.to_string().contains("does not answer"), "{silent}");
    assert!(gone.to_string().contains("refused"), "{gone}");
}

#[test]
fn an_unknown_certificate_is_refused() {
    let Some(database) = Database::new() else {
        return;
    };
    let (url, _) = database.encrypted();
    let server: Server = url.parse().unwrap();
    let error = PostgresStore::open(&server).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

//= OP9 test
#[test]
fn deleted_bytes_leave_all_rows() {
    const CANARY: &str = "canary-in-a-coal-mine";
    let Some(database) = Database::new() else {
        return;
    };
    database.run("CREATE EXTENSION pageinspect");
    // Every version of every row that a table's pages still hold.
    let canaries = || {
        database.number(&format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
                 LATERAL generate_series(0, pg_relation_size(c.oid) / 8192 - 1) AS page,
                 LATERAL heap_page_items(get_raw_page(c.oid::regclass::text, page::int)) AS item
             WHERE c.relkind IN ('r', 't') AND n.nspname IN ('grove', 'pg_toast')
               AND position('{CANARY}'::bytea IN item.t_data) > 0"
        ))
    };
    let mut store = with_schema(&database);
    assert!(store.drop_deleted_copies().unwrap(), "nothing to forget");
    // Some stay in their row, some need an annex; repetition would be compressed.
    let text = |number: u64| {
        let noise = (0..[1, 200][number as usize % 2])
            .map(|at| Hash::of(format!("{number} {at}").as_bytes()).to_string() + CANARY);
        noise.collect::<String>() + CANARY
    };
    store.begin().unwrap();
    let documents: Vec<_> = (0..20)
        .map(|n| publish(&mut store, 1, n, &text(n)).0)
        .collect();
    store.commit().unwrap();
    assert!(canaries() > 0);

    store.begin().unwrap();
    for id in documents {
        store.drop_payloads(id).unwrap();
        put(&mut store, 1, id, None);
    }
    store.commit().unwrap();
    // Another process finishes what this one did not come to.
    drop(store);
    let mut store = open(&database);
    let since = Instant::now();
    while !store.drop_deleted_copies().unwrap() {
        assert!(since.elapsed() < PATIENCE, "it takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }

    assert_eq!(canaries(), 0);
    assert_eq!(store.counts().unwrap().entries, 20);
}
