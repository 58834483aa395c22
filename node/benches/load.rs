//! A node as its users meet it: the built `grove-node` over a SQLite file with `synchronous=FULL`, and
//! this process beside it as the load. Prints one table of throughput, latencies, memory and disk.
//!
//! `cargo bench -p grove-node --bench load [-- DOCUMENTS]`; 100 000 documents unless told otherwise.
//! Entries are signed before the clock runs, and every answer is checked. Percentiles are what a
//! client waits, which is why this is no criterion benchmark.

mod support;

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use grove_core::types::SchemaId;
use grove_core::validate::Submission;
use support::{Author, Connection, NodeProcess, schema, venue};
use tokio::runtime::Runtime;

/// Documents by default.
const DOCUMENTS: u64 = 100_000;

/// Clients at once, unless a row says otherwise.
const CLIENTS: usize = 32;

/// Entries in one JSON-RPC call.
const BATCH: usize = 500;

/// Entries signed in one go: enough for all clients, not too many for the memory.
const SHIFT: u64 = 32_000;

/// How often each question is asked.
const QUESTIONS: usize = 4_000;

fn main() {
    let documents = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(DOCUMENTS);
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(measure(documents));
}

async fn measure(documents: u64) {
    let mut node = NodeProcess::start();
    println!("| what | per second | p50 | p99 |\n| --- | --- | --- | --- |");
    let mut author = Author::new(1);
    let mut first = Connection::open(&node.address).await;
    let (entries, schema_id) = schema(&mut author);
    for entry in &entries {
        first.publish(entry).await;
    }
    first
        .query(&format!("{{ all_{schema_id} {{ totalCount }} }}"))
        .await;
    let (idle, _) = node.memory();

    let mut number = publish_singly(&node, &schema_id, 32_000.min(documents)).await;
    publish_batches(&node, &schema_id, &mut number, documents).await;
    let (_, peak) = node.memory();
    seen(&node, &schema_id).await;
    let size = node.disk_size();
    ask(&node, &schema_id).await;
    let (resident, _) = node.memory();
    let size_asked = node.disk_size();

    let started = Instant::now();
    node.restart();
    let mut connection = Connection::open(&node.address).await;
    connection.query("{ __typename }").await;
    let restarted = started.elapsed();
    let (_, after) = node.memory();
    println!("\n| what | |\n| --- | --- |");
    println!("| resident, idle | {} MB |", idle / 1024);
    println!(
        "| resident after {number} entries, highest | {} MB, {} MB |",
        resident / 1024,
        peak / 1024
    );
    println!("| resident after a restart | {} MB |", after / 1024);
    println!(
        "| disk per entry, and with the indexes questions led to | {} B, {} B |",
        size / number,
        size_asked / number
    );
    println!(
        "| stop, start and first answer | {} ms |",
        restarted.as_millis()
    );
}

/// Many clients publish one entry after the other through GraphQL.
async fn publish_singly(node: &NodeProcess, schema_id: &SchemaId, entries: u64) -> u64 {
    for clients in [1, 8, CLIENTS] {
        let share = entries / 3 / clients as u64;
        let mut connections = connect(node, clients).await;
        let work: Vec<Vec<Submission>> = (0..clients)
            .map(|client| {
                let mut author = Author::new((10 + clients + client) as u8);
                let numbers = (0..share).map(|number| client as u64 * share + number);
                numbers
                    .map(|number| author.create(schema_id, &venue(number)))
                    .collect()
            })
            .collect();
        let runs = connections
            .iter_mut()
            .zip(&work)
            .map(|(connection, work)| async move {
                let mut waits = Vec::with_capacity(work.len());
                for entry in work {
                    let started = Instant::now();
                    connection.publish(entry).await;
                    waits.push(started.elapsed());
                }
                waits
            });
        report(&format!("publish, GraphQL, {clients} clients"), 1, runs).await;
    }
    entries / 3 * 3
}

/// Few clients publish many entries with each JSON-RPC call, up to a number of documents.
async fn publish_batches(
    node: &NodeProcess,
    schema_id: &SchemaId,
    number: &mut u64,
    documents: u64,
) {
    let mut authors = [Author::new(101), Author::new(102)];
    let mut spent = Duration::ZERO;
    let before = *number;
    let mut connections = connect(node, authors.len()).await;
    let mut all = Vec::new();
    while *number < documents {
        let share = SHIFT.min(documents - *number).div_ceil(2);
        let work: Vec<Vec<Submission>> = authors
            .iter_mut()
            .map(|author| {
                (0..share)
                    .map(|n| author.create(schema_id, &venue(*number + n)))
                    .collect()
            })
            .collect();
        let runs = connections
            .iter_mut()
            .zip(&work)
            .map(|(connection, work)| async move {
                let mut waits = Vec::new();
                for batch in work.chunks(BATCH) {
                    let started = Instant::now();
                    connection.publish_all(batch).await;
                    waits.push(started.elapsed());
                }
                waits
            });
        let started = Instant::now();
        all.extend(join_all(runs).await.into_iter().flatten());
        spent += started.elapsed();
        *number += 2 * share;
    }
    let name = format!(
        "publish, JSON-RPC, {} clients, {BATCH} at once",
        authors.len()
    );
    row(&name, (*number - before) as f64 / spent.as_secs_f64(), all);
}

/// From handing an entry in until a query by somebody else shows its document.
async fn seen(node: &NodeProcess, schema_id: &SchemaId) {
    let mut writer = Connection::open(&node.address).await;
    let mut reader = Connection::open(&node.address).await;
    let mut author = Author::new(200);
    let entries: Vec<_> = (0..500)
        .map(|number| author.create(schema_id, &venue(number)))
        .collect();
    let run = async {
        let mut waits = Vec::new();
        for entry in &entries {
            let id = entry.entry().operation_id();
            let started = Instant::now();
            writer.publish(entry).await;
            let question = format!(r#"{{ {schema_id}(id: "{id}") {{ meta {{ documentId }} }} }}"#);
            let answer = reader.query(&question).await;
            assert!(
                answer
                    .windows(68)
                    .any(|part| part == id.to_string().as_bytes())
            );
            waits.push(started.elapsed());
        }
        waits
    };
    report("published until seen, 1 client", 1, [run].into_iter()).await;
}

/// Pages of 25 documents with all fields, and what else is asked often.
async fn ask(node: &NodeProcess, schema_id: &SchemaId) {
    let by_seats = "filter: { rating: { gt: 4000000.0 } }, orderBy: seats, orderDirection: DESC";
    for (name, arguments, depth) in [
        ("first page", "first: 25", 0),
        ("first page, of 100", "first: 100", 0),
        ("last page", "last: 25", 0),
        ("deep page", "first: 25", 50_000),
        ("ordered by name", "orderBy: name", 0),
        ("ordered by name, deep page", "orderBy: name", 50_000),
        ("filtered by rating, ordered by seats", by_seats, 0),
        (
            "filtered by rating, ordered by seats, deep page",
            by_seats,
            10_000,
        ),
        (
            "few by rating, ordered by seats",
            "filter: { rating: { lt: 2000.0 } }, orderBy: seats",
            0,
        ),
        (
            "filtered by seats, ordered by name",
            "filter: { seats: { eq: 7 } }, orderBy: name",
            0,
        ),
        (
            "one name among all",
            r#"filter: { name: { eq: "Venue 00042" } }"#,
            0,
        ),
    ] {
        let after = match depth {
            0 => None,
            depth => Some(cursor_at(node, schema_id, arguments, depth).await),
        };
        let question = page(schema_id, arguments, after.as_deref());
        ask_often(node, name, &question).await;
    }
    let count = |arguments: &str| format!("{{ all_{schema_id}{arguments} {{ totalCount }} }}");
    ask_often(node, "number of all documents", &count("")).await;
    let some = count("(filter: { rating: { gt: 4000000.0 } })");
    ask_often(node, "number of documents by rating", &some).await;
}

fn page(schema_id: &SchemaId, arguments: &str, after: Option<&str>) -> String {
    let document = "cursor meta { documentId viewId owner } fields { name seats rating open logo }";
    let after = after.map_or_else(String::new, |cursor| format!(", after: \"{cursor}\""));
    format!(
        "{{ all_{schema_id}({arguments}{after}) {{ hasNextPage endCursor documents {{ {document} }} }} }}"
    )
}

/// The cursor of the document that has this many before it.
async fn cursor_at(
    node: &NodeProcess,
    schema_id: &SchemaId,
    arguments: &str,
    mut depth: u64,
) -> String {
    let mut connection = Connection::open(&node.address).await;
    let mut after = String::new();
    let arguments = arguments
        .trim_start_matches("first: 25")
        .trim_start_matches(", ");
    while depth > 0 {
        let first = depth.min(10_000);
        let question = format!(
            "{{ all_{schema_id}(first: {first}{after}{comma}{arguments}) {{ endCursor }} }}",
            comma = if arguments.is_empty() { "" } else { ", " },
        );
        let answer = connection.query(&question).await;
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        let cursor = &answer["data"][format!("all_{schema_id}")]["endCursor"];
        after = format!(", after: {cursor}");
        depth -= first;
    }
    after
        .trim_start_matches(", after: \"")
        .trim_end_matches('"')
        .to_owned()
}

async fn ask_often(node: &NodeProcess, name: &str, question: &str) {
    for clients in [1, 8, CLIENTS] {
        let mut connections = connect(node, clients).await;
        // What is missing for it is made when it is asked for the first time.
        for _ in 0..2 {
            connections[0].query(question).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let runs = connections.iter_mut().map(|connection| async {
            let mut waits = Vec::new();
            let begun = Instant::now();
            while waits.len() < QUESTIONS / clients && begun.elapsed() < Duration::from_secs(10) {
                let started = Instant::now();
                connection.query(question).await;
                waits.push(started.elapsed());
            }
            waits
        });
        report(&format!("{name}, {clients} clients"), 1, runs).await;
    }
}

async fn connect(node: &NodeProcess, clients: usize) -> Vec<Connection> {
    let mut connections = Vec::with_capacity(clients);
    for _ in 0..clients {
        connections.push(Connection::open(&node.address).await);
    }
    connections
}

/// Runs clients side by side and prints what they did in a second and how long they waited.
async fn report(
    name: &str,
    each: usize,
    clients: impl Iterator<Item = impl Future<Output = Vec<Duration>>>,
) {
    let started = Instant::now();
    let waits: Vec<Duration> = join_all(clients).await.into_iter().flatten().collect();
    let rate = (waits.len() * each) as f64 / started.elapsed().as_secs_f64();
    row(name, rate, waits);
}

fn row(name: &str, rate: f64, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let millis = |share: usize| {
        let wait = waits
            .get(waits.len() * share / 100)
            .copied()
            .unwrap_or_default();
        wait.as_secs_f64() * 1e3
    };
    println!(
        "| {name} | {rate:.0} | {:.2} ms | {:.2} ms |",
        millis(50),
        millis(99)
    );
}
