//! Nodes as processes that replicate over loopback: what is published on one is there on the others.
#![cfg(all(unix, feature = "net"))]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "engine/support.rs"]
#[allow(dead_code, reason = "authors are used, engines are not")]
mod authors;
mod http_support;

use std::time::{Duration, Instant};

use authors::{Author, document, fields, id, note_schema, text};
use grove_core::types::SchemaId;
use grove_core::validate::Submission;
use http_support::daemon::{Daemon, Directory};
use http_support::encoded;
use serde_json::Value;

/// How long anything may take to get from one node to another.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

const PUBLISH: &str = "mutation P($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { seqNum } }";

/// A node with a directory of its own that stays connected with others.
fn start(directory: &Directory, others: &[&Daemon]) -> Daemon {
    let mut arguments: Vec<String> = directory.arguments().map(str::to_owned).into();
    arguments.extend(["--node-port".to_owned(), "0".to_owned()]);
    for other in others {
        arguments.extend(["--direct-node".to_owned(), other.peer_address().to_string()]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Daemon::start(&arguments)
}

async fn publish(node: &Daemon, submissions: &[Submission]) {
    for submission in submissions {
        let answer = node.graphql(PUBLISH, encoded(submission)).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
}

/// What a node answers to a question about all documents of a schema.
async fn shown(node: &Daemon, schema: &SchemaId) -> Value {
    let query = format!(
        "{{ all: all_{schema}(first: 1000, orderBy: DOCUMENT_ID) {{ totalCount documents {{
            meta {{ documentId viewId owner }} fields {{ text }} }} }} }}"
    );
    node.graphql(&query, Value::Null).await["data"]["all"].clone()
}

/// Waits until a node shows so many documents, and what it shows then.
async fn wait_for(node: &Daemon, schema: &SchemaId, is_there: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let shown = shown(node, schema).await;
        if is_there(&shown) {
            return shown;
        }
        assert!(begun.elapsed() < ARRIVAL_MAX, "never came: {shown}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn count(shown: &Value) -> Option<u64> {
    shown["totalCount"].as_u64()
}

#[tokio::test]
async fn what_is_published_on_one_node_is_there_on_the_other() {
    let directories = [Directory::new("net-left"), Directory::new("net-right")];
    let left = start(&directories[0], &[]);
    let right = start(&directories[1], &[&left]);
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    publish(&left, &definitions).await;
    let created: Vec<_> = (0..50)
        .map(|n| author.create(&note, fields(&[("text", text(&format!("note {n}")))])))
        .collect();

    publish(&left, &created).await;
    wait_for(&right, &note, |shown| count(shown) == Some(50)).await;

    // The other way, and on from what was replicated.
    let mut other = Author::new(2);
    let changes: Vec<_> = created[..10]
        .iter()
        .map(|create| {
            let changed = fields(&[("text", text("changed"))]);
            other.update(&note, document(create), &[id(create)], changed)
        })
        .collect();
    let gone = &created[49];
    let delete = author.delete(&note, document(gone), &[id(gone)]);
    publish(&right, &changes).await;
    publish(&right, &[delete]).await;
    let is_changed = |shown: &Value| {
        let documents = shown["documents"].as_array().into_iter().flatten();
        let changed = documents.filter(|document| document["fields"]["text"] == "changed");
        count(shown) == Some(49) && changed.count() == 10
    };
    let on_left = wait_for(&left, &note, is_changed).await;

    assert_eq!(on_left, shown(&right, &note).await);
}

#[tokio::test]
async fn a_node_that_was_away_catches_up_and_keeps_its_name() {
    let directories = [Directory::new("net-stays"), Directory::new("net-leaves")];
    let stays = start(&directories[0], &[]);
    let mut leaves = start(&directories[1], &[&stays]);
    let name = leaves.peer_id();
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    publish(&stays, &definitions).await;
    let create = |author: &mut Author, n: u32| {
        author.create(&note, fields(&[("text", text(&format!("note {n}")))]))
    };
    publish(&stays, &[create(&mut author, 0)]).await;
    wait_for(&leaves, &note, |shown| count(shown) == Some(1)).await;

    leaves.signal("-KILL");
    leaves.exit_code();
    publish(&stays, &[create(&mut author, 1), create(&mut author, 2)]).await;
    let back = start(&directories[1], &[&stays]);

    let shown_back = wait_for(&back, &note, |shown| count(shown) == Some(3)).await;
    assert_eq!(shown_back, shown(&stays, &note).await);
    assert_eq!(back.peer_id(), name);
    assert_ne!(back.peer_id(), stays.peer_id());
}
