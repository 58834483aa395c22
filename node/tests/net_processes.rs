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
use http_support::daemon::{Daemon, Directory, run};
use http_support::{build, encoded, send};
use hyper::Method;
use serde_json::{Value, json};

/// How long anything may take to get from one node to another.
const ARRIVAL_MAX: Duration = Duration::from_secs(30);

const PUBLISH: &str = "mutation P($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { seqNum } }";

/// A node with a directory of its own that stays connected with others.
fn start(directory: &Directory, others: &[&Daemon]) -> Daemon {
    start_with(directory, others, &["--node-port", "0"])
}

fn start_with(directory: &Directory, others: &[&Daemon], options: &[&str]) -> Daemon {
    let mut arguments: Vec<String> = directory.arguments().map(str::to_owned).into();
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
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

/// What a node tells its operator of other nodes.
fn peers(directory: &Directory) -> Vec<Value> {
    let path = directory.0.to_str().unwrap();
    let output = run(&["--data-dir", path, "--json", "peers"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["peers"].as_array().unwrap().clone()
}

/// Waits until what a node tells of other nodes is as wanted.
async fn wait_for_peers(directory: &Directory, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let peers = peers(directory);
        if is_so(&peers) {
            return peers;
        }
        assert!(begun.elapsed() < ARRIVAL_MAX, "{peers:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_connected(peer: &Value) -> bool {
    peer["state"] == "connected"
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

#[tokio::test]
async fn nodes_that_dial_each_other_end_with_one_connection() {
    let directories = [Directory::new("net-one"), Directory::new("net-other")];
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let to_one = address.to_string();
    let other = start_with(
        &directories[1],
        &[],
        &["--node-port", "0", "--direct-node", &to_one],
    );
    let port = address.port().to_string();
    let one = start_with(&directories[0], &[&other], &["--node-port", &port]);

    for (directory, name) in [
        (&directories[0], other.peer_id()),
        (&directories[1], one.peer_id()),
    ] {
        let is_so = |peers: &[Value]| peers.len() == 1 && peers.iter().all(is_connected);
        let peers = wait_for_peers(directory, is_so).await;
        assert_eq!(peers[0]["peer"], name);
        assert_eq!(peers[0]["protocol"], "grove");
    }
    let asked = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getPeers" });
    let request = build(Method::POST, "/", asked.to_string());
    let answer = send(one.address, request).await;
    let answer: Value = serde_json::from_str(answer.body()).unwrap();
    let known = &answer["result"]["peers"];
    assert_eq!(known[0]["peer"], other.peer_id(), "{answer}");
    assert_eq!(known[0]["state"], "connected");
    assert!(
        !answer.to_string().contains("127.0.0.1"),
        "places are no clients' matter"
    );
}

#[tokio::test]
async fn only_who_is_let_in_and_has_the_key_of_a_closed_network_is_met() {
    let [open, kept_out, closed, insider, outsider] = ["open", "kept-out", "closed", "in", "out"]
        .map(|name| Directory::new(&format!("net-{name}")));
    let (key, other_key) = ("ab".repeat(32), "cd".repeat(32));
    let with_key = |key| ["--node-port", "0", "--psk", key];
    let blocked = start(&kept_out, &[]);
    let blocks = ["--node-port", "0", "--block-peer", &blocked.peer_id()];
    let _open = start_with(&open, &[&blocked], &blocks);
    let inner = start_with(&closed, &[], &with_key(&key));
    let _insider = start_with(&insider, &[&inner], &with_key(&key));
    let _outsider = start_with(&outsider, &[&inner], &with_key(&other_key));

    let connected = wait_for_peers(&insider, |peers| peers.iter().any(is_connected)).await;
    assert_eq!(connected[0]["transport"], "tcp");
    let has_failed = |peers: &[Value]| peers.iter().any(|peer| !peer["last_error"].is_null());
    let refused = wait_for_peers(&open, has_failed).await;
    let unmet = wait_for_peers(&outsider, has_failed).await;
    assert!(!refused.iter().chain(&unmet).any(is_connected));
    assert!(!peers(&kept_out).iter().any(is_connected));
}

/// Each node knows the one before it; what is published on the first is soon there on the last.
#[tokio::test]
async fn what_is_published_goes_down_a_line_of_nodes_at_once() {
    const NODES: usize = 5;
    const NOTES: u32 = 10;
    let directories: Vec<_> = (0..NODES)
        .map(|number| Directory::new(&format!("net-line-{number}")))
        .collect();
    let mut nodes: Vec<Daemon> = Vec::new();
    for directory in &directories {
        let before: Vec<_> = nodes.last().into_iter().collect();
        let node = start(directory, &before);
        nodes.push(node);
    }
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    let (first, last) = (&nodes[0], &nodes[NODES - 1]);
    publish(first, &definitions).await;
    publish(
        first,
        &[author.create(&note, fields(&[("text", text("first"))]))],
    )
    .await;
    wait_for(last, &note, |shown| count(shown) == Some(1)).await;

    let mut times = Vec::new();
    for number in 0..NOTES {
        let create = author.create(&note, fields(&[("text", text("next"))]));
        publish(first, &[create]).await;
        let begun = Instant::now();
        let expected = u64::from(number) + 2;
        wait_for(last, &note, |shown| count(shown) == Some(expected)).await;
        times.push(begun.elapsed());
    }

    times.sort();
    let median = times[times.len() / 2];
    eprintln!(
        "over {} hops: median {median:?}, longest {:?}",
        NODES - 1,
        times[times.len() - 1]
    );
    // On a quiet machine it is a tenth of that.
    assert!(median < Duration::from_secs(2), "{median:?}");
}

/// Two nodes that know of nothing but a relay, which itself keeps nothing.
#[tokio::test]
async fn nodes_meet_and_replicate_by_a_relay() {
    let [hub, left, right] =
        ["hub", "left", "right"].map(|n| Directory::new(&format!("net-by-{n}")));
    let hub_options = ["--node-port", "0", "--relay-mode", "--allow-schema", "none"];
    let hub = start_with(&hub, &[], &hub_options);
    let relay = hub.peer_address().to_string();
    let options = ["--node-port", "0", "--relay", &relay];
    let (one, other) = (
        start_with(&left, &[], &options),
        start_with(&right, &[], &options),
    );
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    publish(&one, &definitions).await;
    publish(
        &one,
        &[author.create(&note, fields(&[("text", text("through"))]))],
    )
    .await;

    wait_for(&other, &note, |shown| count(shown) == Some(1)).await;

    let names = [hub.peer_id(), other.peer_id()];
    let connected = peers(&left);
    let connected = connected.iter().filter(|peer| is_connected(peer));
    let connected: Vec<_> = connected.filter_map(|peer| peer["peer"].as_str()).collect();
    assert!(
        names.iter().all(|name| connected.contains(&name.as_str())),
        "{connected:?}"
    );
    assert_eq!(
        count(&shown(&hub, &note).await),
        None,
        "the relay knows no schema"
    );
}
