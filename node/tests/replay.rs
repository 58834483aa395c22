//! What went into a deployed node under load, played into a fresh engine, gives the same outputs and the same
//! state.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "engine/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the engine")]
mod engines;
#[allow(dead_code, reason = "shared with other tests")]
mod support;

use std::sync::{Arc, Mutex};

use engines::{Author, document, fields, id, note_schema, text};
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{SchemaId, SystemSchema};
use grove_core::validate::Submission;
use grove_core::wire::{Heights, Message, SchemaSet};
use grove_node::engine::{Command, EngineSettings, Input, Output, Purge, Sweep, SweepKind, verify};
use grove_node::runtime::{Driver, Node, Tap, ThreadedNode};
use grove_node::store::{DocumentQuery, Read, SqliteStore};
use support::Folder;

/// A turn of an engine: when, what it was told, what it said.
type Turn = (Instant, Vec<Input>, Vec<Output>);

/// Keeps all turns.
#[derive(Clone, Default)]
struct Recording(Arc<Mutex<Vec<Turn>>>);

impl Tap for Recording {
    fn took(&mut self, now: Instant, inputs: &[Input]) {
        let turn = (now, inputs.to_vec(), Vec::new());
        self.0.lock().unwrap().push(turn);
    }

    fn gave(&mut self, now: Instant, outputs: &[Output]) {
        let mut turns = self.0.lock().unwrap();
        let last = turns.last_mut().unwrap();
        assert_eq!(last.0, now);
        last.2 = outputs.to_vec();
    }
}

fn settings() -> EngineSettings {
    EngineSettings::new(PeerId([1; 32]))
}

async fn publish(node: &Node, submission: &Submission) -> bool {
    let entry = submission.entry().bytes().to_vec();
    let answer = node.publish(entry, submission.payload().to_vec()).await;
    answer.is_ok()
}

/// One client's work: documents, changes on top of each other and beside each other, deletions,
/// repetitions, and what is refused.
async fn work(node: Node, seed: u8, note: SchemaId) {
    let (mut author, mut other) = (Author::new(seed), Author::new(seed + 100));
    for round in 0..12 {
        let say = |words: &str| fields(&[("text", text(&format!("{words} {round}").repeat(20)))]);
        let create = author.create(&note, say("one"));
        assert!(publish(&node, &create).await);
        let first = author.update(&note, document(&create), &[id(&create)], say("two"));
        let beside = other.update(&note, document(&create), &[id(&create)], say("three"));
        let (one, two) = tokio::join!(publish(&node, &first), publish(&node, &beside));
        assert!(one && two);
        let both = [id(&first), id(&beside)];
        let merge = other.update(&note, document(&create), &both, say("four"));
        assert!(publish(&node, &merge).await && publish(&node, &merge).await);
        if round % 3 == 0 {
            let delete = author.delete(&note, document(&create), &[id(&merge)]);
            assert!(publish(&node, &delete).await);
            let late = other.update(&note, document(&create), &[id(&merge)], say("five"));
            assert!(!publish(&node, &late).await, "the document is deleted");
            other.forget_latest(document(&create));
        }
    }
}

/// A peer that brings a document in the wrong order, and is sent what there is.
async fn exchange(node: &Node, note: &SchemaId) {
    let connection = node.connect(PeerId([2; 32])).await.unwrap();
    let session = 0;
    let mut author = Author::new(50);
    let create = author.create(note, fields(&[("text", text("from afar"))]));
    let say = fields(&[("text", text("later"))]);
    let update = author.update(note, document(&create), &[id(&create)], say);
    let mut messages = vec![
        Message::Announce {
            version: 1,
            timestamp: 1,
            schemas: SchemaSet::from([note.clone()]),
        },
        Message::SyncRequest {
            session,
            mode: 0,
            schemas: SchemaSet::from([note.clone()]),
        },
        Message::Have {
            session,
            heights: Heights::new(),
        },
    ];
    messages.extend([&update, &create].map(|submission| Message::Entry {
        session,
        entry: submission.entry().bytes().to_vec(),
        payload: Some(submission.payload().to_vec()),
    }));
    messages.push(Message::SyncDone {
        session,
        live: false,
    });
    for message in messages {
        connection.receive(message).await.unwrap();
        node.tick().await.unwrap();
    }
}

/// What an operator does meanwhile.
async fn administer(node: &Node, note: &SchemaId) {
    node.command(Command::NoteTime).await.unwrap();
    let mut author = Author::new(60);
    let create = author.create(note, fields(&[("text", text("to be purged"))]));
    assert!(publish(node, &create).await);
    let purge = Command::Purge(Purge::Document(document(&create)));
    assert_eq!(node.command(purge).await.unwrap().items, 1);
    let audit = Command::Audit("purged a document".to_owned());
    node.command(audit).await.unwrap();
}

async fn collect(node: &Node) {
    let kind = SweepKind::History;
    let mut sweep = node
        .read(move |store| Ok(Sweep::new(store, kind)?))
        .await
        .unwrap();
    let mut collected = 0;
    loop {
        let step = move |store: &dyn Read| Ok((sweep.step(store)?, sweep));
        let (weighed, gone_on) = node.read(step).await.unwrap();
        sweep = gone_on;
        let Some(weighed) = weighed else { break };
        let command = Command::CollectHistory(weighed.candidates);
        collected += node.command(command).await.unwrap().items;
    }
    assert!(collected > 0);
}

/// All that a store holds, in words.
fn state(store: &dyn Read) -> Vec<String> {
    assert_eq!(verify(store).unwrap(), []);
    let system = SystemSchema::ALL.map(SchemaId::System);
    let application = store.schemas().unwrap();
    let application = application.iter().map(|schema| schema.id().clone());
    let mut state = vec![
        format!("{:?}", store.counts().unwrap()),
        format!("{:?}", store.schemas().unwrap()),
        format!("{:?}", store.changes(0, u32::MAX).unwrap()),
        format!("{:?}", store.audit_log(10).unwrap()),
    ];
    for schema_id in system.into_iter().chain(application) {
        let query = DocumentQuery {
            limit: u32::MAX,
            ..DocumentQuery::default()
        };
        let documents = store.list(&schema_id, &query).unwrap();
        state.extend(documents.iter().map(|row| format!("{row:?}")));
    }
    let entries = store.entries_after(0, None, u32::MAX).unwrap();
    state.extend(entries.iter().map(|row| format!("{row:?}")));
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inputs_of_a_node_under_load_replay_exactly() {
    let folder = Folder::new("replay");
    let path = folder.path().join("node.sqlite");
    let recording = Recording::default();
    let tap = Box::new(recording.clone());
    let store = SqliteStore::open(&path).unwrap();
    let (node, stop) = ThreadedNode::start_with(store, settings(), Some(tap)).unwrap();
    let (definitions, note) = note_schema(&mut Author::new(1));
    for definition in &definitions {
        assert!(publish(&node, definition).await);
    }

    let clients: Vec<_> = (2..10)
        .map(|seed| tokio::spawn(work(node.clone(), seed, note.clone())))
        .collect();
    exchange(&node, &note).await;
    administer(&node, &note).await;
    for client in clients {
        client.await.unwrap();
    }
    collect(&node).await;
    stop.stop().await;

    let turns = recording.0.lock().unwrap();
    let most = turns.iter().map(|(_, inputs, _)| inputs.len()).max();
    assert!(most > Some(1), "nobody published at the same time");
    let mut replayed = Driver::new(SqliteStore::in_memory().unwrap(), settings()).unwrap();
    for (number, (now, inputs, outputs)) in turns.iter().enumerate() {
        let turn = replayed.turn(*now, inputs.clone());
        assert!(turn.failure.is_none());
        assert_eq!(turn.outputs, *outputs, "turn {number}");
    }
    let deployed = state(&SqliteStore::open(&path).unwrap());
    assert_eq!(state(replayed.store()), deployed);
    assert!(deployed.len() > 300, "{} lines", deployed.len());
}
