//! What many schemas cost a node: memory, the first question after a new one, the description of one.
//!
//! `cargo bench -p grove-node --bench schemas [-- SCHEMAS]`, 10,000 by default: the built `grove-node` as a process
//! of its own. Each schema has a field of its own and one document.

#![allow(clippy::unwrap_used, reason = "a bench fails by it")]

mod support;

use std::time::{Duration, Instant};

use grove_core::types::{PlainValue, SchemaId};
use grove_core::validate::Submission;
use support::{Author, Connection, NodeProcess, text};

const SCHEMAS_DEFAULT: u64 = 10_000;
const AT_ONCE: usize = 500;
const ROUNDS: u64 = 20;

#[tokio::main]
async fn main() {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let count: u64 = count.unwrap_or(SCHEMAS_DEFAULT);
    let room = (count + 2 * ROUNDS).to_string();
    let mut node = NodeProcess::with(&["--schemas-max", &room, "--author-schemas-max", &room]);
    tell_memory(&node, "at the start");

    let mut author = Author::new(1);
    let mut connection = Connection::open(&node.address).await;
    let mut ids = Vec::new();
    let begun = Instant::now();
    while (ids.len() as u64) < count {
        let mut entries = Vec::new();
        while entries.len() < AT_ONCE {
            let (schema, id) = define(&mut author, ids.len() as u64);
            entries.extend(schema);
            entries.push(author.create(&id, &[("a", PlainValue::Int(1))]));
            ids.push(id);
        }
        connection.publish_all(&entries).await;
    }
    let each = begun.elapsed() / count as u32;
    println!("{count} schemas published, {each:?} each");
    tell_memory(&node, "then");

    node.restart();
    let mut connection = Connection::open(&node.address).await;
    connection.query("{ __typename }").await;
    tell_memory(&node, "after a restart");

    let mut times = [const { Vec::new() }; 5];
    for round in 0..ROUNDS {
        let (entries, id) = define(&mut author, count + round);
        let known = &ids[round as usize];
        times[0].push(timed(connection.publish_all(&entries)).await);
        let new = format!("{{ c: all_{id} {{ totalCount documents {{ fields {{ a }} }} }} }}");
        times[1].push(timed(connection.query(&new)).await);
        let old = format!("{{ c: all_{known} {{ totalCount documents {{ fields {{ a }} }} }} }}");
        times[2].push(timed(connection.query(&old)).await);
        let described = format!("{{ __type(name: \"{known}\") {{ {DESCRIPTION} }} }}");
        times[3].push(timed(connection.query(&described)).await);
        let first = author.create(&id, &[("a", PlainValue::Int(1))]);
        connection.publish_all(&[first]).await;
        times[4].push(timed(connection.query(&new)).await);
    }
    let names = [
        "a new schema published",
        "first question after it, to its documents",
        "the next one, to an older schema's",
        "description of one type",
        "first question after the new schema's first document",
    ];
    for (name, mut times) in names.into_iter().zip(times) {
        times.sort();
        let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{name}: p50 {middle:?}, slowest of {ROUNDS} {last:?}");
    }
    tell_memory(&node, "after all questions");
}

const DESCRIPTION: &str = "kind name description fields { name args { name type { name kind ofType { name kind } } } \
                           type { name kind ofType { name kind ofType { name kind } } } }";

/// The entries of a schema with a field of its own.
fn define(author: &mut Author, number: u64) -> (Vec<Submission>, SchemaId) {
    let field = [("name", text("a")), ("type", text("int"))];
    let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &field);
    let name = format!("many{number}x");
    let definition = [
        ("name", text(&name)),
        ("description", text("One of many")),
        (
            "fields",
            PlainValue::ViewIds(vec![field.entry().operation_id().into()]),
        ),
    ];
    let definition = author.create(&SchemaId::SCHEMA_DEFINITION, &definition);
    let view_id = definition.entry().operation_id().into();
    let name = name.parse().unwrap();
    (
        vec![field, definition],
        SchemaId::Application { name, view_id },
    )
}

async fn timed<T>(work: impl Future<Output = T>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

fn tell_memory(node: &NodeProcess, when: &str) {
    let (resident, peak) = node.memory();
    println!(
        "{when}: {} MB resident, {} MB at the highest",
        resident >> 10,
        peak >> 10
    );
}
