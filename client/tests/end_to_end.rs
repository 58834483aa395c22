//! The README's story with the real command line and a real node: every command, each answer read
//! back, and two people editing one document at the same time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use grove_core::session::PeerId;
use grove_node::engine::EngineSettings;
use grove_node::http::{Http, Limits, serve};
use grove_node::runtime::ThreadedNode;
use grove_node::store::SqliteStore;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A node with threads and a database file, stopped at the end of the test.
struct RealNode {
    url: String,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    runtime: Runtime,
}

impl RealNode {
    fn start(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let (stop, stopped) = oneshot::channel();
        let store = SqliteStore::open(&folder.path().join("node.sqlite")).unwrap();
        let url = runtime.block_on(async {
            let settings = EngineSettings::new(PeerId([0; 32]));
            let (node, _) = ThreadedNode::start(store, settings).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let http = Http::new(node, Limits::default());
            tokio::spawn(serve(listener, http, async {
                let _ = stopped.await;
            }));
            url
        });
        Self {
            url,
            folder,
            stop: Some(stop),
            runtime,
        }
    }

    /// Someone with a key of their own.
    fn person(&self, name: &str) -> Person {
        let key = self.folder.path().join(name);
        let person = Person {
            url: self.url.clone(),
            key,
        };
        person.json(&["key", "new"]);
        person
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.runtime.block_on(tokio::task::yield_now());
    }
}

struct Person {
    url: String,
    key: PathBuf,
}

impl Person {
    fn grove(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_grove"))
            .args(arguments)
            .args(["--node", &self.url, "--json", "--key"])
            .arg(&self.key)
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed.
    fn json(&self, arguments: &[&str]) -> Json {
        let output = self.grove(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that the node must refuse, and returns the code.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.grove(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let error: Json = serde_json::from_slice(&output.stderr).unwrap();
        error["error"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("{error}"))
            .to_owned()
    }
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {json}"))
}

fn publish_venues(node: &RealNode, person: &Person) -> String {
    let file = node.folder.path().join("venue.toml");
    let toml =
        "name = \"venue\"\ndescription = \"Places\"\n[fields]\nname = \"str\"\nseats = \"int\"\n";
    fs::write(&file, toml).unwrap();
    let published = person.json(&["schema", file.to_str().unwrap(), "--wait"]);
    text(&published, "schemaId").to_owned()
}

#[test]
fn the_readme_story_from_key_to_delete() {
    let node = RealNode::start("story");
    let ada = node.person("ada");
    let venue = publish_venues(&node, &ada);

    let fields = ["--field", "name=Kiosk", "--field", "seats=12"];
    let created = ada.json(&[&["create", "--schema", &venue], &fields[..]].concat());
    let listed = ada.json(&["list", "--schema", &venue]);
    assert_eq!(
        listed["documents"][0]["fields"],
        json!({ "name": "Kiosk", "seats": 12 })
    );
    assert_eq!(
        text(&listed["documents"][0], "documentId"),
        text(&created, "documentId")
    );

    let id = text(&created, "documentId");
    let updated = ada.json(&["update", id, "--schema", &venue, "--field", "seats=14"]);
    assert_eq!(text(&updated, "documentId"), text(&created, "documentId"));
    let by_id = [
        "get",
        "--schema",
        &venue,
        "--id",
        text(&created, "documentId"),
    ];
    assert_eq!(
        ada.json(&by_id)["fields"],
        json!({ "name": "Kiosk", "seats": 14 })
    );

    ada.json(&["delete", id, "--schema", &venue]);
    assert_eq!(ada.refusal(&by_id), "document_not_found");
    assert_eq!(
        ada.json(&["list", "--schema", &venue])["documents"],
        json!([])
    );
}

#[test]
fn two_people_edit_at_once_and_both_see_the_merge() {
    let node = RealNode::start("merge");
    let (ada, bob) = (node.person("ada"), node.person("bob"));
    let venue = publish_venues(&node, &ada);
    let fields = ["--field", "name=Kiosk", "--field", "seats=12"];
    let created = ada.json(&[&["create", "--schema", &venue], &fields[..]].concat());

    let (id, view) = (text(&created, "documentId"), text(&created, "viewId"));
    let update = ["update", id, "--schema", &venue, "--on", view];
    let first = ada.grove(&[&update[..], &["--field", "name=Bar"]].concat());
    assert!(
        first.status.success() && first.stderr.is_empty(),
        "{first:?}"
    );
    let second = bob.grove(&[&update[..], &["--field", "seats=99"]].concat());
    assert!(second.status.success(), "{second:?}");
    let warning: Json = serde_json::from_slice(&second.stderr).unwrap();
    assert!(text(&warning, "warning").contains("is not how the document is now"));

    let by_id = [
        "get",
        "--schema",
        &venue,
        "--id",
        text(&created, "documentId"),
    ];
    let seen = ada.json(&by_id);
    assert_eq!(seen["fields"], json!({ "name": "Bar", "seats": 99 }));
    assert_eq!(text(&seen, "viewId").split('_').count(), 2);
    assert_eq!(bob.json(&by_id), seen);
}

#[test]
fn changes_by_document_id_follow_one_another() {
    let node = RealNode::start("changes");
    let ada = node.person("ada");
    let venue = publish_venues(&node, &ada);
    let fields = ["--field", "name=Kiosk", "--field", "seats=1"];
    let created = ada.json(&[&["create", "--schema", &venue], &fields[..]].concat());
    let id = text(&created, "documentId");

    for seats in ["seats=2", "seats=3", "seats=4"] {
        ada.json(&["update", id, "--schema", &venue, "--field", seats]);
    }

    let seen = ada.json(&["get", "--schema", &venue, "--id", id]);
    assert_eq!(seen["fields"]["seats"], 4);
    assert_eq!(text(&seen, "viewId").split('_').count(), 1);
    let view = text(&seen, "viewId");
    let delete = ["delete", view, "--schema", &venue];
    assert_eq!(ada.refusal(&delete), "document_not_found");
    let other = ada.json(&[&["create", "--schema", &venue], &fields[..]].concat());
    let other = text(&other, "documentId");
    let foreign = ["delete", id, "--schema", &venue, "--on", other];
    assert_eq!(ada.refusal(&foreign), "document_not_found");
}

/// `seq 1 20 | xargs -P8 -I{} grove create …`
#[test]
fn processes_with_one_key_lose_nothing_to_each_other() {
    let node = RealNode::start("parallel");
    let ada = node.person("ada");
    let venue = publish_venues(&node, &ada);
    let number = AtomicUsize::new(0);
    let create = || {
        std::iter::from_fn(|| Some(number.fetch_add(1, Relaxed)).filter(|number| *number < 20))
            .map(|number| {
                let seats = format!("seats={number}");
                let fields = ["--field", "name=Kiosk", "--field", &seats];
                let created = ada.json(&[&["create", "--schema", &venue], &fields[..]].concat());
                text(&created, "documentId").to_owned()
            })
            .collect::<Vec<_>>()
    };

    let created: BTreeSet<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        let created = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap());
        created.collect()
    });

    let listed = ada.json(&["list", "--schema", &venue, "--all"]);
    let listed = listed["documents"].as_array().unwrap().iter();
    let listed: BTreeSet<String> = listed
        .map(|document| text(document, "documentId").to_owned())
        .collect();
    assert_eq!(created.len(), 20);
    assert_eq!(listed, created);
    // They took turns: no id was left out, three went to the schema.
    let heads = fs::read_to_string(node.folder.path().join("ada.heads")).unwrap();
    let heads: Json = serde_json::from_str(&heads).unwrap();
    assert_eq!(heads["highestLogId"], "22");
}

/// A key that was copied to other computers: there is no turn to take, and the node decides who comes first.
#[test]
fn copies_of_a_key_lose_nothing_to_each_other() {
    let node = RealNode::start("copies");
    let ada = node.person("ada");
    let venue = publish_venues(&node, &ada);
    let fields = ["--field", "name=Kiosk", "--field", "seats=0"];
    let create = [&["create", "--schema", &venue], &fields[..]].concat();
    let shared = ada.json(&create);
    let id = text(&shared, "documentId");
    let copies: Vec<Person> = (0..6)
        .map(|number| {
            let copy = node.folder.path().join(format!("copy-{number}"));
            fs::copy(&ada.key, &copy).unwrap();
            let url = node.url.clone();
            Person { url, key: copy }
        })
        .collect();

    let write = |(number, copy): (usize, &Person)| {
        let mut written = (Vec::new(), Vec::new());
        for round in 0..4 {
            let created = copy.json(&create);
            written.0.push(text(&created, "documentId").to_owned());
            let seats = format!("seats={}", number * 10 + round);
            let updated = copy.json(&["update", id, "--schema", &venue, "--field", &seats]);
            written.1.push(text(&updated, "viewId").to_owned());
        }
        written
    };

    let (created, updated): (Vec<_>, Vec<_>) = thread::scope(|scope| {
        let copies = copies.iter().enumerate();
        let workers: Vec<_> = copies
            .map(|one| {
                scope.spawn({
                    let write = &write;
                    move || write(one)
                })
            })
            .collect();
        let workers = workers.into_iter();
        workers.map(|worker| worker.join().unwrap()).unzip()
    });

    let listed = ada.json(&["list", "--schema", &venue, "--all"]);
    let listed = listed["documents"].as_array().unwrap().iter();
    let listed: BTreeSet<&str> = listed
        .map(|document| text(document, "documentId"))
        .collect();
    let created: BTreeSet<&str> = created
        .iter()
        .flatten()
        .map(String::as_str)
        .chain([id])
        .collect();
    assert_eq!((created.len(), &listed), (25, &created));
    for view in updated.iter().flatten() {
        let then = ada.json(&["get", "--schema", &venue, "--view", view]);
        assert_eq!(text(&then, "documentId"), id);
    }
    ada.json(&["update", id, "--schema", &venue, "--field", "seats=99"]);
    let now = ada.json(&["get", "--schema", &venue, "--id", id]);
    assert_eq!(now["fields"]["seats"], 99);
}
