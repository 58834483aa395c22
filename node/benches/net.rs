//! Nodes that replicate: built `grove-node`s over SQLite files, connected over loopback QUIC, and this process beside
//! them as the load. Prints one table.
//!
//! `cargo bench -p grove-node --bench net [-- DOCUMENTS]`; 100 000 documents unless told otherwise. Entries are signed
//! before the clock runs. Figures of time are what a client waits, which is why this is no criterion benchmark; on a
//! busy machine only their ratios mean something.

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use grove_core::types::SchemaId;
use grove_core::validate::Submission;
use support::{Author, Connection, NodeProcess, schema, venue};
use tokio::runtime::Runtime;

/// Documents by default.
const DOCUMENTS: u64 = 100_000;

/// Entries in one JSON-RPC call.
const BATCH: usize = 500;

/// How often a single entry is followed to where it goes.
const SAMPLES: u64 = 40;

/// Nodes of which each knows the one before.
const LINE: usize = 10;

fn main() {
    let documents = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(DOCUMENTS);
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(measure(documents));
}

/// A node that others connect with, and where they do.
struct Hub(NodeProcess, String);

impl Hub {
    fn start(others: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("a free port").port().to_string();
        let mut settings = vec!["--node-port", &port];
        settings.extend(others.iter().flat_map(|other| ["--direct-node", other]));
        let node = NodeProcess::with(&settings);
        Self(node, format!("127.0.0.1:{port}"))
    }
}

async fn measure(documents: u64) {
    println!("| what | figure |\n| --- | --- |");
    let full = Hub::start(&[]);
    let (idle, _) = full.0.memory();
    let mut author = Author::new(1);
    let mut connection = Connection::open(&full.0.address).await;
    let (definitions, schema_id) = schema(&mut author);
    connection.publish_all(&definitions).await;
    let mut number = 0;
    let before = publish(
        &mut connection,
        &mut author,
        &schema_id,
        &mut number,
        documents,
    )
    .await;
    println!("| publish {number}, {BATCH} at once, no peer | {before:.0} entries/s |");
    let (published, _) = full.0.memory();

    let first = fetch(&full, number, "an empty peer").await;
    let (_, sender) = full.0.memory();
    let (_, receiver) = first.memory();
    println!(
        "| resident above idle, highest: sender, receiver | {}, {} MB |",
        sender.saturating_sub(published) / 1024,
        receiver.saturating_sub(idle) / 1024
    );

    let more = documents / 4;
    let filling = async {
        let second = fetch(&full, number, "a second empty peer, meanwhile").await;
        drop(second);
    };
    let mut other = Author::new(2);
    let mut further = number;
    let publishing = publish(&mut connection, &mut other, &schema_id, &mut further, more);
    let (during, ()) = tokio::join!(publishing, filling);
    println!(
        "| publish {more} meanwhile, with one peer in step | {during:.0} entries/s, {:.0} % |",
        during * 100.0 / before
    );

    let mut reader = Connection::open(&first.address).await;
    let mut author = Author::new(3);
    wait_for(&mut reader, further).await;
    let times = follow(&mut connection, &mut reader, &schema_id, &mut author).await;
    tell("published on one, seen on the other", &times);
    drop((first, full));
    line().await;
}

/// Publishes so many documents; how many in a second.
async fn publish(
    connection: &mut Connection,
    author: &mut Author,
    schema_id: &SchemaId,
    number: &mut u64,
    documents: u64,
) -> f64 {
    let create = |number| author.create(schema_id, &venue(number));
    let entries: Vec<Submission> = (*number..*number + documents).map(create).collect();
    let begun = Instant::now();
    for batch in entries.chunks(BATCH) {
        connection.publish_all(batch).await;
    }
    *number += documents;
    documents as f64 / begun.elapsed().as_secs_f64()
}

/// Starts a node that has nothing, and waits until it has so many documents.
async fn fetch(full: &Hub, documents: u64, name: &str) -> NodeProcess {
    let node = NodeProcess::with(&["--node-port", "0", "--direct-node", &full.1]);
    let begun = Instant::now();
    let mut connection = Connection::open(&node.address).await;
    wait_for(&mut connection, documents).await;
    let took = begun.elapsed();
    let rate = documents as f64 / took.as_secs_f64();
    println!("| {documents} entries to {name} | {rate:.0} entries/s, {took:.1?} |");
    node
}

/// Waits until a node has so many documents.
async fn wait_for(connection: &mut Connection, documents: u64) {
    let counted = |answer: &[u8]| {
        let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
        answer["result"]["documents"].as_u64()
    };
    // Definitions are documents, too.
    let expected = documents + support::FIELDS.len() as u64 + 1;
    while counted(&connection.rpc("panda_getStatus").await).is_none_or(|there| there < expected) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Publishes one entry after the other, each when the one before was seen elsewhere; how long each took.
async fn follow(
    writer: &mut Connection,
    reader: &mut Connection,
    schema_id: &SchemaId,
    author: &mut Author,
) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..SAMPLES {
        let entry = author.create(schema_id, &venue(number));
        let id = entry.entry().operation_id().to_string();
        let question = format!(r#"{{ it: {schema_id}(id: "{id}") {{ meta {{ documentId }} }} }}"#);
        let begun = Instant::now();
        writer.publish(&entry).await;
        while !is_in(&reader.query(&question).await, &id) {}
        times.push(begun.elapsed());
    }
    times.sort();
    times
}

fn is_in(answer: &[u8], id: &str) -> bool {
    answer.windows(id.len()).any(|part| part == id.as_bytes())
}

fn tell(what: &str, times: &[Duration]) {
    let median = times[times.len() / 2];
    let last = times[times.len() - 1];
    println!(
        "| {what}, median and longest of {} | {median:.1?}, {last:.1?} |",
        times.len()
    );
}

/// What is published on the first of a line of nodes is soon on the last.
async fn line() {
    let mut nodes: Vec<Hub> = Vec::new();
    for _ in 0..LINE {
        let before: Vec<_> = nodes.last().map(|hub| hub.1.as_str()).into_iter().collect();
        let node = Hub::start(&before);
        nodes.push(node);
    }
    let mut author = Author::new(1);
    let (definitions, schema_id) = schema(&mut author);
    let mut writer = Connection::open(&nodes[0].0.address).await;
    let mut reader = Connection::open(&nodes[LINE - 1].0.address).await;
    writer.publish_all(&definitions).await;
    wait_for(&mut reader, 0).await;
    // The schema is known once its definition was put together.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let times = follow(&mut writer, &mut reader, &schema_id, &mut author).await;
    tell(&format!("the same over {LINE} nodes in a line"), &times);
}
