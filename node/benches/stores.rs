//! What an entry costs over each kind of store: one engine, batches of entries, no network but that to the
//! database. A server is started where PostgreSQL is installed. Prints one table.
//!
//! `cargo bench -p grove-node --bench stores [-- ENTRIES]`; 20 000 entries of each kind unless told otherwise.

mod support;

#[path = "../tests/postgres_server/mod.rs"]
mod postgres_server;

use std::time::Instant;

use grove_core::author::NextArgs;
use grove_core::session::PeerId;
use grove_core::time::Instant as EngineInstant;
use grove_core::validate::Submission;
use grove_node::engine::{Engine, EngineSettings, Input, Output, RequestId};
use grove_node::store::{MemoryStore, PostgresStore, SqliteStore, Store};
use support::{Author, schema, text, venue};

/// Entries of each kind by default.
const ENTRIES: usize = 20_000;

/// Entries in one transaction.
const BATCH: usize = 256;

fn main() {
    let count = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(ENTRIES);
    println!("| store | CREATEs per second | UPDATEs per second |\n| --- | --- | --- |");
    measure("memory", MemoryStore::new(), count);

    let folder = std::env::temp_dir().join(format!("grove-stores-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let store = SqliteStore::open(&folder.join("node.sqlite")).expect("a store");
    measure("SQLite", store, count);
    let _ = std::fs::remove_dir_all(&folder);

    match postgres_server::Database::new() {
        None => println!("| PostgreSQL | not installed | |"),
        Some(database) => {
            let store = PostgresStore::open(&database.server()).expect("a store");
            measure("PostgreSQL", store, count);
        }
    }
}

fn measure(name: &str, store: impl Store, count: usize) {
    let engine = Engine::new(store, EngineSettings::new(PeerId([0; 32])));
    let mut engine = engine.expect("an engine");
    let mut author = Author::new(1);
    let (entries, schema_id) = schema(&mut author);
    publish(&mut engine, entries);

    let creates: Vec<_> = (0..count as u64)
        .map(|number| author.create(&schema_id, &venue(number)))
        .collect();
    let documents: Vec<_> = creates
        .iter()
        .map(|create| create.entry().operation_id())
        .collect();
    let (creates, args) = clocked(&mut engine, creates);
    let updates = args
        .iter()
        .zip(documents)
        .map(|(args, id)| author.update(args, &schema_id, id.into(), &[("name", text("changed"))]));
    let (updates, _) = clocked(&mut engine, updates.collect());
    println!("| {name} | {creates:.0} | {updates:.0} |");
}

/// Publishes entries; returns how many of them in a second, and what comes after each.
fn clocked<S: Store>(engine: &mut Engine<S>, entries: Vec<Submission>) -> (f64, Vec<NextArgs>) {
    let count = entries.len();
    let mut entries = entries.into_iter().peekable();
    let mut args = Vec::with_capacity(count);
    let started = Instant::now();
    while entries.peek().is_some() {
        let batch = entries.by_ref().take(BATCH).collect();
        args.extend(publish(engine, batch));
    }
    (count as f64 / started.elapsed().as_secs_f64(), args)
}

/// Publishes entries in one transaction.
fn publish<S: Store>(engine: &mut Engine<S>, entries: Vec<Submission>) -> Vec<NextArgs> {
    let inputs = entries.into_iter().map(|submission| Input::Publish {
        request: RequestId(0),
        submission: Box::new(submission),
    });
    let inputs = inputs.collect();
    engine
        .handle(EngineInstant(0), inputs)
        .expect("the store works");
    let mut args = Vec::new();
    while let Some(output) = engine.poll() {
        if let Output::Published { result, .. } = output {
            args.push(result.expect("a good entry"));
        }
    }
    args
}
