//! Databases that earlier versions of this program wrote are lifted, all the way or not at all.
//!
//! The files beside this one were written by those versions. What they were fed with is forged again here,
//! so that it can be asked for.

#![allow(clippy::unwrap_used)]

#[path = "../postgres_server/mod.rs"]
mod postgres_server;
#[path = "../engine/support.rs"]
#[allow(dead_code)]
mod support;

use std::path::PathBuf;

use grove_core::types::{DocumentId, Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_node::store::{Need, ParkedRow, PostgresStore, SharedStore, SqliteStore, StoreError};
use rusqlite::Connection;
use support::{Author, document, fields, id, note_schema, text};

/// The embedded database of version 3.
const SQLITE_3: &str = include_str!("sqlite-3.sql");

/// The database on a server of version 1.
const POSTGRES_1: &str = include_str!("postgres-1.sql");

/// What the old program was fed with.
struct Past {
    author: PublicKey,
    /// The entries of the log that it saw forked at the second one.
    forked: Vec<Submission>,
    /// The document of the log that it saw forked at the first entry.
    hidden: DocumentId,
    /// Entries of that first log: the one that never came, and the one after it, which waits for it.
    missing: Submission,
    waiting: Submission,
    /// An entry that waits for an operation which did not count.
    on_uncounted: Submission,
    deleted: DocumentId,
    other: PublicKey,
}

fn past() -> Past {
    let [mut author, mut other, mut third] = [1, 2, 3].map(Author::new);
    let (_, note) = note_schema(&mut author);
    let saying = |words: &str| fields(&[("text", text(words))]);
    let one = author.create(&note, saying("one"));
    let forked = document(&one);
    let two = author.update(&note, forked, &[id(&one)], saying("two"));
    let three = author.update(&note, forked, &[id(&two)], saying("three"));
    let hidden = author.create(&note, saying("hidden"));
    let plain = other.create(&note, saying("plain"));
    author.update(&note, document(&plain), &[id(&plain)], saying("edited"));
    let gone = other.create(&note, saying("gone"));
    let missing = author.update(&note, forked, &[id(&three)], saying("four"));
    let waiting = author.update(&note, forked, &[id(&missing)], saying("five"));
    let on_uncounted = third.update(&note, forked, &[id(&two)], saying("on two"));
    Past {
        author: author.key_pair.public_key(),
        forked: vec![one, two, three],
        hidden: document(&hidden),
        missing,
        waiting,
        on_uncounted,
        deleted: document(&gone),
        other: other.key_pair.public_key(),
    }
}

fn parked(submission: &Submission) -> ParkedRow {
    ParkedRow {
        hash: submission.entry().hash(),
        entry: submission.entry().bytes().to_vec(),
        payload: submission.payload().to_vec(),
    }
}

fn seq(number: u64) -> SeqNum {
    SeqNum::new(number).unwrap()
}

/// A folder with the embedded database of version 3, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("grove-old-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        let folder = Self(path);
        folder.run(SQLITE_3);
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.join("node.sqlite")
    }

    fn run(&self, sql: &str) {
        // By the way the store itself takes, once there is one, so that pages have their sums.
        let flags = rusqlite::OpenFlags::default();
        let connection = Connection::open_with_flags_and_vfs(self.path(), flags, "grove")
            .or_else(|_| Connection::open(self.path()));
        connection.unwrap().execute_batch(sql).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        let connection = Connection::open(self.path()).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the store holds of the past once it is lifted.
fn check_lifted(store: &mut impl SharedStore) {
    let past = past();
    let counts = store.counts().unwrap();
    assert_eq!((counts.entries, counts.parked), (11, 3));
    assert_eq!((counts.forks, counts.branches), (2, 0));

    // All entries of the forked log are in one tree, which can be continued.
    let log = LogId::new(2);
    let trees = store.trees(past.author, log).unwrap();
    let tip = past.forked[2].entry().hash();
    assert_eq!(trees.len(), 1);
    assert_eq!((trees[0].tip.seq_num, trees[0].tip.hash), (seq(3), tip));
    assert!(!trees[0].tip.ended && !trees[0].branched && !trees[0].purged);
    let entries = store.document_entries(trees[0].document).unwrap();
    let hashes = past.forked.iter().map(|entry| entry.entry().hash());
    assert!(entries.iter().map(|row| row.hash).eq(hashes));
    assert!(
        entries
            .iter()
            .all(|row| row.payload.is_some() && !row.purged)
    );

    // The evidence is kept.
    let evidence = |log_id| store.fork(past.author, LogId::new(log_id)).unwrap();
    let proof = evidence(2).unwrap();
    let pair = [&proof.first, &proof.second].map(|entry| Hash::of(entry));
    assert_eq!(proof.seq_num, seq(2));
    assert!(pair[0] < pair[1] && pair.contains(&past.forked[1].entry().hash()));
    assert_eq!(evidence(3).unwrap().seq_num, SeqNum::FIRST);
    assert_eq!(evidence(0), None);

    // A purged log stays purged, a deleted document deleted.
    assert!(store.trees(past.other, LogId::new(2)).unwrap()[0].purged);
    assert!(store.document(past.deleted).unwrap().unwrap().is_deleted());
    assert_eq!(store.audit_log(9).unwrap(), [(1_000, "a deed".to_owned())]);
    assert_eq!(store.position_at(1_000).unwrap(), Some(11));

    store.begin().unwrap();
    // What left out entries is to be materialised anew, and nothing else.
    let mut stale = [document(&past.forked[0]), past.hidden];
    stale.sort();
    assert_eq!(store.unmaterialised(1).unwrap(), stale[..1]);
    assert_eq!(store.unmaterialised(9).unwrap(), stale[1..]);
    assert_eq!(store.unmaterialised(9).unwrap(), []);
    // What waits for an entry does so by its hash.
    let missing = Need::Entry(past.missing.entry().hash());
    assert_eq!(store.unpark(&missing).unwrap(), [parked(&past.waiting)]);
    let uncounted = Need::Operation(id(&past.forked[1]));
    let found = store.unpark(&uncounted).unwrap();
    assert_eq!(found, [parked(&past.on_uncounted)]);
    let schema: SchemaId = format!("other_{}", id(&past.forked[0])).parse().unwrap();
    assert_eq!(store.unpark(&Need::Schema(schema)).unwrap().len(), 1);
    store.rollback().unwrap();
}

#[test]
fn entries_that_did_not_count_count_again_in_the_embedded_database() {
    let folder = Folder::new("lifted");

    let mut store = SqliteStore::open(&folder.path()).unwrap();

    check_lifted(&mut store);
    drop(store);
    check_lifted(&mut SqliteStore::open(&folder.path()).unwrap());
}

#[test]
fn entries_that_did_not_count_count_again_on_a_server() {
    let Some(database) = postgres_server::Database::new() else {
        return;
    };
    database.run(POSTGRES_1);

    let mut store = PostgresStore::open(&database.server()).unwrap();

    check_lifted(&mut store);
    drop(store);
    check_lifted(&mut PostgresStore::open(&database.server()).unwrap());
}

#[test]
fn a_lift_that_fails_leaves_the_embedded_database_as_it_was() {
    let folder = Folder::new("failed");
    // Found out at the end of all steps.
    folder.run("PRAGMA foreign_keys = OFF; UPDATE entries SET log = 999 WHERE id = 1");

    let error = SqliteStore::open(&folder.path()).unwrap_err();

    assert_eq!(error, StoreError::Corrupt("reference"));
    assert_eq!(folder.number("PRAGMA user_version"), 3);
    assert_eq!(folder.number("SELECT count(forked_at) FROM logs"), 2);
    folder.run("UPDATE entries SET log = 1 WHERE id = 1");
    check_lifted(&mut SqliteStore::open(&folder.path()).unwrap());
}

#[test]
fn a_lift_that_fails_leaves_the_database_on_a_server_as_it_was() {
    let Some(database) = postgres_server::Database::new() else {
        return;
    };
    database.run(POSTGRES_1);
    // In the way of the last step.
    database.run("CREATE TABLE grove.entries_log (id BIGINT)");

    assert!(PostgresStore::open(&database.server()).is_err());

    assert_eq!(database.number("SELECT version FROM grove.state"), 1);
    let forked = "SELECT count(forked_at) FROM grove.logs";
    assert_eq!(database.number(forked), 2);
    database.run("DROP TABLE grove.entries_log");
    check_lifted(&mut PostgresStore::open(&database.server()).unwrap());
}
