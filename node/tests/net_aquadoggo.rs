//! grove-node and the published aquadoggo 0.9.1 as processes that replicate with each other.
//!
//! aquadoggo is started by a program of its own (`conformance/peers/aquadoggo`), which takes long to build: with
//! `CI=true` it is built, else these tests are skipped where it is missing. It listens on all addresses, so that
//! everything happens in a network namespace without any other network.
#![cfg(all(target_os = "linux", feature = "net"))]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "engine/support.rs"]
#[allow(dead_code, reason = "authors are used, engines are not")]
mod authors;
mod http_support;
mod namespace;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use authors::{Author, document, fields, id, note_schema, text};
use grove_core::types::{DocumentViewId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use http_support::daemon::{Daemon, Directory};
use http_support::{build, encoded, send};
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take to get from one node to the other: a few beats of five seconds.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// Runs the test of this name again in a network namespace of its own; `false` where that was done already, and
/// the test is to go on. Skips it where aquadoggo or namespaces are missing.
fn runs_elsewhere(name: &str) -> bool {
    if aquadoggo().is_none() {
        eprintln!("skipped: aquadoggo is not built (see conformance/peers/aquadoggo)");
        return true;
    }
    namespace::runs_elsewhere(name, "")
}

/// The program that starts aquadoggo, built first where everything has to be tested.
fn aquadoggo() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/peers/aquadoggo");
    let program = folder.join("target/debug/grove-peer-aquadoggo");
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    if is_ci && !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked"]).current_dir(&folder);
        cargo.env_remove("CARGO_TARGET_DIR");
        assert!(
            cargo.status().unwrap().success(),
            "aquadoggo does not build"
        );
    }
    program.exists().then_some(program)
}

/// An aquadoggo that runs.
struct Aquadoggo {
    child: Child,
    address: SocketAddr,
    node: SocketAddr,
    _folder: TempDir,
}

impl Aquadoggo {
    fn start(ports: (u16, u16), options: &[&str]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut child = Command::new(aquadoggo().unwrap())
            .arg(folder.path())
            .args([ports.0.to_string(), ports.1.to_string()])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let started = lines.map_while(Result::ok).any(|line| line == "started");
        assert!(started, "aquadoggo did not start");
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            child,
            address: at(ports.0),
            node: at(ports.1),
            _folder: folder,
        }
    }
}

impl Drop for Aquadoggo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn grove(directory: &Directory, options: &[&str]) -> Daemon {
    let mut arguments: Vec<&str> = directory.arguments().into();
    arguments.extend(options);
    Daemon::start(&arguments)
}

async fn graphql(address: SocketAddr, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let response = send(address, build(Method::POST, "/graphql", body)).await;
    serde_json::from_str(response.body()).unwrap()
}

async fn publish(address: SocketAddr, submissions: &[Submission]) {
    let query = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    for submission in submissions {
        let answer = graphql(address, query, encoded(submission)).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
}

/// The documents of the schema `note` that a node shows, in no order.
async fn notes(address: SocketAddr, schema: &SchemaId) -> BTreeSet<String> {
    let query = format!(
        "{{ all: all_{schema}(first: 1000) {{ documents {{
            meta {{ documentId viewId owner }} fields {{ text }} }} }} }}"
    );
    let answer = graphql(address, &query, Value::Null).await;
    let documents = answer["data"]["all"]["documents"].as_array();
    let documents = documents.into_iter().flatten();
    documents.map(Value::to_string).collect()
}

/// Waits until both nodes show the same documents, and those are as wanted.
async fn wait_until_equal(
    nodes: [SocketAddr; 2],
    schema: &SchemaId,
    is_wanted: impl Fn(&BTreeSet<String>) -> bool,
) -> Duration {
    let begun = Instant::now();
    loop {
        let shown = [notes(nodes[0], schema).await, notes(nodes[1], schema).await];
        if shown[0] == shown[1] && is_wanted(&shown[0]) {
            return begun.elapsed();
        }
        assert!(
            begun.elapsed() < ARRIVAL_MAX,
            "{} and {} documents, {} of them in common",
            shown[0].len(),
            shown[1].len(),
            shown[0].intersection(&shown[1]).count(),
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn with_text(shown: &BTreeSet<String>, text: &str) -> usize {
    let text = format!("\"text\":\"{text}\"");
    shown.iter().filter(|shown| shown.contains(&text)).count()
}

fn create(author: &mut Author, schema: &SchemaId, name: &str, count: usize) -> Vec<Submission> {
    let texts = (0..count).map(|number| format!("{name} {number}"));
    texts
        .map(|value| author.create(schema, fields(&[("text", text(&value))])))
        .collect()
}

/// Publishes on aquadoggo while nobody replicates with it. It keeps an entry and its operation in two steps, and a
/// peer that asks in between ends its process ("Operation should be in store"), with the entry kept for ever alone.
async fn publish_alone(theirs: &Aquadoggo, mut ours: Daemon, submissions: &[Submission]) {
    ours.signal("-TERM");
    assert_eq!(ours.exit_code(), Some(0), "{}", ours.log());
    publish(theirs.address, submissions).await;
}

/// Everything a document can go through, both ways.
async fn exchange_everything(options: &[&str]) {
    let theirs = Aquadoggo::start((2020, 2022), options);
    let directory = Directory::new("aquadoggo");
    let direct = theirs.node.to_string();
    let start = || grove(&directory, &["--node-port", "0", "--direct-node", &direct]);
    let ours = start();
    let nodes = [ours.address, theirs.address];
    let (mut ada, mut bob) = (Author::new(1), Author::new(2));
    let (definitions, note) = note_schema(&mut ada);

    // The schema and half of the documents come from here, the other half from there.
    publish(ours.address, &definitions).await;
    let by_ada = create(&mut ada, &note, "ada", 100);
    publish(ours.address, &by_ada).await;
    let first = wait_until_equal(nodes, &note, |shown| shown.len() == 100).await;
    let by_bob = create(&mut bob, &note, "bob", 100);
    publish_alone(&theirs, ours, &by_bob).await;
    let ours = start();
    let nodes = [ours.address, theirs.address];
    let second = wait_until_equal(nodes, &note, |shown| shown.len() == 200).await;
    eprintln!("100 documents to aquadoggo in {first:?}, 100 from it in {second:?}");

    // Updates on either side, concurrent ones among them, and deletions.
    let changed = |value: &str| fields(&[("text", text(value))]);
    let mut on_ours = Vec::new();
    let mut on_theirs = Vec::new();
    for (number, created) in by_ada[..20].iter().enumerate() {
        let (schema, target) = (&note, document(created));
        on_ours.push(ada.update(schema, target, &[id(created)], changed("by ada")));
        if number < 10 {
            on_theirs.push(bob.update(schema, target, &[id(created)], changed("by bob")));
        }
    }
    for created in &by_bob[..10] {
        on_ours.push(bob.delete(&note, document(created), &[id(created)]));
    }
    for created in &by_ada[90..] {
        on_theirs.push(ada.delete(&note, document(created), &[id(created)]));
    }
    publish(ours.address, &on_ours).await;
    publish_alone(&theirs, ours, &on_theirs).await;
    let ours = start();
    let nodes = [ours.address, theirs.address];
    wait_until_equal(nodes, &note, |shown| {
        let edited = with_text(shown, "by ada") + with_text(shown, "by bob");
        shown.len() == 180 && edited == 20
    })
    .await;

    // A blob, with the document that refers to it.
    let field = [
        ("name", text("picture")),
        ("type", text("relation(blob_v1)")),
    ];
    let field = ada.create(&SchemaId::SCHEMA_FIELD_DEFINITION, fields(&field));
    let definition = fields(&[
        ("name", text("photo")),
        ("description", text("")),
        ("fields", PlainValue::ViewIds(vec![id(&field).into()])),
    ]);
    let definition = ada.create(&SchemaId::SCHEMA_DEFINITION, definition);
    let photo = SchemaId::Application {
        name: "photo".parse().unwrap(),
        view_id: id(&definition).into(),
    };
    let bytes = vec![7; 256_000];
    let piece = |author: &mut Author, bytes: &[u8]| {
        let data = fields(&[("data", PlainValue::Bytes(bytes.to_vec()))]);
        author.create(&SchemaId::BLOB_PIECE, data)
    };
    let pieces = [piece(&mut ada, &bytes), piece(&mut ada, b"the end")];
    let views: Vec<DocumentViewId> = pieces.iter().map(|piece| id(piece).into()).collect();
    let blob = fields(&[
        ("length", PlainValue::Int(256_007)),
        ("mime_type", text("image/png")),
        ("pieces", PlainValue::ViewIds(views)),
    ]);
    let blob = ada.create(&SchemaId::BLOB, blob);
    let hash = id(&blob).hash();
    let picture = ("picture", PlainValue::Bytes(hash.to_bytes().to_vec()));
    publish(ours.address, &[field, definition]).await;
    publish(ours.address, &pieces).await;
    publish(
        ours.address,
        &[blob.clone(), ada.create(&photo, fields(&[picture]))],
    )
    .await;
    let path = format!("/blobs/{}", document(&blob));
    let begun = Instant::now();
    loop {
        let response = send(theirs.address, build(Method::GET, &path, "")).await;
        if response.status() == 200 && response.body().len() == 256_007 {
            break;
        }
        assert!(begun.elapsed() < ARRIVAL_MAX, "the blob never came");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn everything_is_exchanged_with_aquadoggo_over_quic() {
    if !runs_elsewhere("everything_is_exchanged_with_aquadoggo_over_quic") {
        exchange_everything(&["relay"]).await;
    }
}

#[tokio::test]
async fn everything_is_exchanged_with_aquadoggo_over_tcp() {
    if !runs_elsewhere("everything_is_exchanged_with_aquadoggo_over_tcp") {
        exchange_everything(&["relay", "tcp"]).await;
    }
}

/// What makes two aquadoggos stop for ever: branches in one log, an edit after a deletion, a schema that is not
/// known. Whatever comes behind it has to arrive all the same.
#[tokio::test]
async fn what_stalls_aquadoggos_stalls_nobody_here() {
    if runs_elsewhere("what_stalls_aquadoggos_stalls_nobody_here") {
        return;
    }
    let theirs = Aquadoggo::start((2020, 2022), &["relay"]);
    let directory = Directory::new("aquadoggo-traps");
    let ours = grove(&directory, &["--node-port", "0"]);
    let (mut ada, mut bob) = (Author::new(1), Author::new(2));
    let (definitions, note) = note_schema(&mut ada);
    let created = create(&mut ada, &note, "ada", 3);
    let changed = |value: &str| fields(&[("text", text(value))]);
    // Two edits of one view by one key: seq num 2 and 3 of a log, both on the first.
    let target = (&note, document(&created[0]));
    let one = ada.update(target.0, target.1, &[id(&created[0])], changed("one"));
    let two = ada.update(target.0, target.1, &[id(&created[0])], changed("two"));
    publish(ours.address, &definitions).await;
    publish(ours.address, &created).await;
    publish(ours.address, &[one, two]).await;
    // An edit that did not know of the deletion.
    let gone = document(&created[1]);
    let edit = bob.update(&note, gone, &[id(&created[1])], changed("late"));
    let delete = ada.delete(&note, gone, &[id(&created[1])]);
    publish(ours.address, &[edit, delete]).await;
    publish(ours.address, &create(&mut bob, &note, "bob", 30)).await;

    let between = Directory::new("aquadoggo-between");
    let connected = grove(
        &between,
        &[
            "--node-port",
            "0",
            "--direct-node",
            &theirs.node.to_string(),
            "--direct-node",
            &ours.peer_address().to_string(),
        ],
    );

    let nodes = [connected.address, theirs.address];
    wait_until_equal(nodes, &note, |shown| shown.len() == 32).await;
    assert_eq!(
        notes(ours.address, &note).await,
        notes(theirs.address, &note).await
    );
}
