//! Indexes on demand beside a server: made when they were missed, used, few, and known to all processes.

use grove_node::store::query::{Condition, Order, OrderBy, Test};

use super::*;

/// Documents in the table: enough for an index to be worth it to the server.
const COUNT: u64 = 20_000;

/// The number that the database gave the schema.
fn schema_row(database: &Database) -> i64 {
    database.number(&format!(
        "SELECT id FROM grove.schemas WHERE schema_id = '{}'",
        schema().id()
    ))
}

/// Fills the tables as a node would in much longer.
fn fill(database: &Database, count: u64) {
    let row = schema_row(database);
    database.run(&format!(
        "INSERT INTO grove.authors (public_key) VALUES ('\\x{}');
         CREATE TEMPORARY TABLE made AS SELECT i, sha256(i::text::bytea) AS id FROM generate_series(1, {count}) i;
         INSERT INTO grove.documents (id, schema, owner, view_id, edited, deleted)
         SELECT id, {row}, (SELECT max(id) FROM grove.authors), id, i % 3 = 0, FALSE FROM made;
         INSERT INTO grove.view_{row} (document, operations, f0)
         SELECT id, id, ('text ' || i)::bytea FROM made;
         UPDATE grove.schemas SET live = {count} WHERE id = {row}",
        hex(author(9).as_bytes()),
    ));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ordered(by: OrderBy) -> DocumentQuery {
    DocumentQuery {
        order: Order {
            by,
            descending: false,
        },
        limit: 10,
        ..DocumentQuery::default()
    }
}

fn text(name: &str) -> Condition {
    let values = vec![Value::Str(name.to_owned())];
    Condition::Field("text".to_owned(), Test::Among(true, values))
}

/// How often indexes of this name were used, as soon as the server has heard of it.
fn is_used(database: &Database, name: &str) -> bool {
    let used = format!(
        "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes
         WHERE indexrelname = '{name}'"
    );
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if database.number(&used) > 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn orders_and_filters_get_an_index_that_serves() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut store = with_schema(&database);
    fill(&database, COUNT);
    let field = || OrderBy::Field("text".to_owned());
    let sought = DocumentQuery {
        conditions: vec![text("text 700")],
        ..ordered(OrderBy::DocumentId)
    };
    let mut reader = store.reader().unwrap();
    for (query, name) in [
        (ordered(field()), "_k0"),
        (sought, "_v0"),
        (ordered(OrderBy::ViewId), "_viewkey"),
        (ordered(OrderBy::Owner), "_owner"),
        (ordered(OrderBy::Edited), "_edited"),
    ] {
        let before = reader.list(schema().id(), &query).unwrap();
        assert!(store.create_index().unwrap(), "{name}");
        assert!(!store.create_index().unwrap(), "{name}: one is enough");

        let mut pages = query.clone();
        for _ in 0..3 {
            let found = reader.list(schema().id(), &pages).unwrap();
            assert!(pages.after.is_some() || found == before, "{name}");
            pages.after = found.last().map(|row| query.order.place(row));
        }
        // A session tells what it used at its end at the latest.
        drop(std::mem::replace(&mut reader, store.reader().unwrap()));
        let name = format!("asked_{}{name}", schema_row(&database));
        assert!(is_used(&database, &name), "{name}");
    }
}

#[test]
fn indexes_are_known_to_all_processes_and_make_no_news() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut one = with_schema(&database);
    let mut two = open(&database);
    fill(&database, 600);
    let asked = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'asked_%'";
    let query = ordered(OrderBy::Field("text".to_owned()));
    one.list(schema().id(), &query).unwrap();
    two.list(schema().id(), &query).unwrap();

    assert!(one.create_index().unwrap());
    assert!(!two.has_news().unwrap(), "nobody's answers change");
    assert!(!two.create_index().unwrap(), "the other made it");
    assert_eq!(database.number(asked), 1);
    assert!(!open(&database).create_index().unwrap());

    // What others did while an index was made is still told to the engine.
    one.begin().unwrap();
    publish(&mut one, 1, 0, "new");
    one.commit().unwrap();
    two.list(schema().id(), &ordered(OrderBy::Edited)).unwrap();
    assert!(two.create_index().unwrap());
    assert!(two.has_news().unwrap());
    assert!(two.begin().unwrap().is_some());
    two.rollback().unwrap();
    assert_eq!(database.number(asked), 2);
}

#[test]
fn long_texts_fit_beside_an_index_on_them() {
    let Some(database) = Database::new() else {
        return;
    };
    let mut store = with_schema(&database);
    fill(&database, 600);
    let long = |end: &str| "long".repeat(5_000) + end;
    let find = |name: &str| DocumentQuery {
        conditions: vec![text(name)],
        ..ordered(OrderBy::Field("text".to_owned()))
    };
    store.list(schema().id(), &find(&long("a"))).unwrap();
    while store.create_index().unwrap() {
        store.list(schema().id(), &find(&long("a"))).unwrap();
    }

    store.begin().unwrap();
    let (first, _) = publish(&mut store, 1, 0, &long("a"));
    publish(&mut store, 1, 1, &long("b"));
    store.commit().unwrap();

    let found = store.list(schema().id(), &find(&long("a"))).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, first);
}
