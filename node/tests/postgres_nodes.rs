//! Nodes over one database: what one publishes the others show, and nothing is lost between them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "engine/support.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod authors;
mod postgres_server;

use std::time::Duration;

use authors::{Author, document, fields, id, note_schema, text};
use grove_core::session::PeerId;
use grove_core::types::SchemaId;
use grove_core::validate::Submission;
use grove_core::{Reason, Refusal};
use grove_node::engine::EngineSettings;
use grove_node::runtime::{Node, Stop, ThreadedNode};
use grove_node::store::{Counts, DocumentQuery, PostgresStore};
use postgres_server::Database;

/// How long what happens by itself may take.
const PATIENCE: Duration = Duration::from_secs(30);

async fn start(database: &Database, identity: u8) -> (Node, Stop) {
    let server = database.server();
    let start = move || {
        let store = PostgresStore::open(&server).unwrap();
        ThreadedNode::start(store, EngineSettings::new(PeerId([identity; 32]))).unwrap()
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn publish(node: &Node, submission: &Submission) -> Result<(), Reason> {
    let entry = submission.entry().bytes().to_vec();
    let answer = node.publish(entry, submission.payload().to_vec()).await;
    answer.map(|_| ()).map_err(|error| error.reason())
}

async fn counts(node: &Node) -> Counts {
    node.read(|store| Ok(store.counts()?)).await.unwrap()
}

async fn count(node: &Node, schema_id: &SchemaId) -> u64 {
    let schema_id = schema_id.clone();
    node.read(move |store| Ok(store.count(&schema_id, &DocumentQuery::default())?))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_and_documents_of_one_node_are_those_of_the_other() {
    let Some(database) = Database::new() else {
        return;
    };
    let (one, stop_one) = start(&database, 1).await;
    let (two, stop_two) = start(&database, 2).await;
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);

    // Each node gets a part of the schema; both find that it is complete.
    let (mut seen_by_one, mut seen_by_two) = (one.schemas_changed(), two.schemas_changed());
    publish(&one, &definitions[0]).await.unwrap();
    publish(&two, &definitions[1]).await.unwrap();
    for seen in [&mut seen_by_one, &mut seen_by_two] {
        let change = tokio::time::timeout(PATIENCE, seen.changed()).await;
        change.expect("the schema is not heard of").unwrap();
    }

    // One log goes on through both.
    let create = author.create(&note, fields(&[("text", text("a"))]));
    publish(&one, &create).await.unwrap();
    let mut latest = create.clone();
    for (node, value) in [(&two, "b"), (&one, "c"), (&two, "d")] {
        latest = author.update(
            &note,
            document(&create),
            &[id(&latest)],
            fields(&[("text", text(value))]),
        );
        publish(node, &latest).await.unwrap();
    }
    for node in [&one, &two] {
        let wanted = document(&create);
        let row = node.read(move |store| Ok(store.document(wanted)?)).await;
        let row = row.unwrap().unwrap();
        assert_eq!(row.view_id, id(&latest).into());
        assert_eq!(counts(node).await.entries, 6);
    }
    stop_one.stop().await;
    stop_two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_early_at_one_node_is_taken_when_the_other_has_the_rest() {
    let Some(database) = Database::new() else {
        return;
    };
    let (one, stop_one) = start(&database, 1).await;
    let (two, stop_two) = start(&database, 2).await;
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    let create = author.create(&note, fields(&[("text", text("a"))]));

    // To the first node the schema is unknown until it was completed by the second.
    assert_eq!(publish(&one, &create).await, Err(Reason::SchemaNotFound));
    for definition in &definitions {
        publish(&two, definition).await.unwrap();
    }
    publish(&one, &create).await.unwrap();

    assert_eq!(count(&two, &note).await, 1);
    stop_one.stop().await;
    stop_two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_write_at_once_lose_nothing() {
    const EACH: u64 = 12;
    let Some(database) = Database::new() else {
        return;
    };
    let (one, stop_one) = start(&database, 1).await;
    let (two, stop_two) = start(&database, 2).await;
    let (definitions, note) = note_schema(&mut Author::new(9));
    for definition in &definitions {
        publish(&one, definition).await.unwrap();
    }

    let publishers: Vec<_> = (1..=6u8)
        .map(|seed| {
            let node = [one.clone(), two.clone()][usize::from(seed % 2)].clone();
            let note = note.clone();
            tokio::spawn(async move {
                let mut author = Author::new(seed);
                for number in 0..EACH {
                    let value = text(&format!("{seed} {number}"));
                    let create = author.create(&note, fields(&[("text", value)]));
                    publish(&node, &create).await.unwrap();
                }
            })
        })
        .collect();
    // Meanwhile, one author's only entries go to both nodes: the same, and two that differ.
    let same = Author::new(7).create(&note, fields(&[("text", text("same"))]));
    let fork = ["left", "right"]
        .map(|value| Author::new(8).create(&note, fields(&[("text", text(value))])));
    let (once, twice) = tokio::join!(publish(&one, &same), publish(&two, &same));
    let (left, right) = tokio::join!(publish(&one, &fork[0]), publish(&two, &fork[1]));
    for publisher in publishers {
        publisher.await.unwrap();
    }

    assert_eq!((once, twice), (Ok(()), Ok(())));
    let mut answers = [left, right];
    answers.sort_by_key(Result::is_err);
    assert_eq!(answers, [Ok(()), Err(Reason::WouldFork)]);
    for node in [&one, &two] {
        let counts = counts(node).await;
        assert_eq!(counts.entries, 2 + 6 * EACH + 2);
        assert_eq!((counts.forks, counts.parked), (0, 0));
        assert_eq!(count(node, &note).await, 6 * EACH + 2);
    }
    stop_one.stop().await;
    stop_two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_after_it_lost_its_server() {
    let Some(database) = Database::new() else {
        return;
    };
    let (node, stop) = start(&database, 1).await;
    let mut author = Author::new(1);
    let (definitions, _) = note_schema(&mut author);
    publish(&node, &definitions[0]).await.unwrap();

    database.cut_all();
    for _ in 0..20 {
        assert_eq!(counts(&node).await.entries, 1);
    }
    database.cut_all();
    publish(&node, &definitions[1]).await.unwrap();

    assert_eq!(counts(&node).await.entries, 2);
    // A server that lets nobody in is an error to those who ask, and to nobody else.
    database.close(true);
    let refused = publish(&node, &definitions[1]).await;
    assert_eq!(refused, Err(Reason::StoreFailed));
    let unanswered = node.read(|store| Ok(store.counts()?)).await.unwrap_err();
    assert_eq!(unanswered.reason(), Reason::StoreFailed);
    database.close(false);
    publish(&node, &definitions[1]).await.unwrap();
    assert_eq!(counts(&node).await.entries, 2);
    stop.stop().await;
}
