//! Following what happens: nothing is missed by who is slow, who comes back, or who shares a database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{DocumentId, KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use grove_core::{Reason, Refusal};
use grove_node::engine::EngineSettings;
use grove_node::runtime::{InlineNode, Node, Subscriber};
use grove_node::store::{Change, SqliteStore};
use support::Folder;

/// A CREATE in a log of its own.
fn piece(author: u8, log_id: u64) -> Submission {
    let data = PlainValue::Bytes(log_id.to_be_bytes().to_vec());
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), data)]),
    };
    let key_pair = KeyPair::from_seed(&[author; 32]);
    forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap()
}

async fn publish(node: &Node, submission: &Submission) -> Result<DocumentId, Reason> {
    let entry = submission.entry().bytes().to_vec();
    let answer = node.publish(entry, submission.payload().to_vec()).await;
    answer.map_err(|error| error.reason())?;
    Ok(submission.entry().operation_id().into())
}

async fn publish_many(node: &Node, author: u8, log_ids: std::ops::Range<u64>) -> Vec<DocumentId> {
    let mut documents = Vec::new();
    for log_id in log_ids {
        documents.push(publish(node, &piece(author, log_id)).await.unwrap());
    }
    documents
}

/// The documents of the next changes, until there were so many.
async fn hear(subscriber: &mut Subscriber, count: usize) -> Vec<DocumentId> {
    let mut heard: Vec<Change> = Vec::new();
    while heard.len() < count {
        heard.extend(subscriber.next().await.unwrap().unwrap());
    }
    assert!(heard.is_sorted_by_key(|change| change.position));
    heard.into_iter().map(|change| change.document).collect()
}

fn inline() -> Node {
    let store = SqliteStore::in_memory().unwrap();
    let (_, node) = InlineNode::new(store, EngineSettings::new(PeerId([0; 32]))).unwrap();
    node
}

#[tokio::test]
async fn who_is_slow_reads_what_it_could_not_hear() {
    let node = inline();
    let mut subscriber = node.subscribe(None).await.unwrap();

    // More commits than are kept, and more changes than are read at once.
    let documents = publish_many(&node, 1, 0..600).await;

    assert_eq!(hear(&mut subscriber, 600).await, documents);
    let next = publish_many(&node, 1, 600..601).await;
    assert_eq!(hear(&mut subscriber, 1).await, next);
}

#[tokio::test]
async fn what_is_refused_is_told_to_nobody() {
    let node = inline();
    let mut subscriber = node.subscribe(None).await.unwrap();
    let mut wrong = piece(1, 0).payload().to_vec();
    wrong.push(0);

    let entry = piece(1, 0).entry().bytes().to_vec();
    assert!(node.publish(entry, wrong).await.is_err());
    let document = publish(&node, &piece(2, 0)).await.unwrap();
    let other = forge(
        &KeyPair::from_seed(&[2; 32]),
        &NextArgs::first(LogId::new(0)),
        &Operation::Create {
            schema_id: SchemaId::BLOB_PIECE,
            fields: Fields::from([("data".to_owned(), PlainValue::Bytes(vec![7; 9]))]),
        },
    );
    let forked = publish(&node, &other.unwrap()).await;
    assert_eq!(forked, Err(Reason::WouldFork));
    // A repetition is no change either.
    publish(&node, &piece(2, 0)).await.unwrap();
    let last = publish(&node, &piece(2, 1)).await.unwrap();

    assert_eq!(hear(&mut subscriber, 2).await, [document, last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_end_with_the_node_and_go_on_with_the_next() {
    let folder = Folder::new("follow-restart");
    let (node, stop) = folder.start();
    let mut subscriber = node.subscribe(None).await.unwrap();
    let seen = publish_many(&node, 1, 0..3).await;
    assert_eq!(hear(&mut subscriber, 3).await, seen);
    let position = subscriber.position();
    let missed = publish_many(&node, 1, 3..9).await;
    stop.stop().await;
    assert_eq!(
        hear(&mut subscriber, 6).await,
        missed,
        "what was told is heard"
    );
    assert_eq!(subscriber.next().await.unwrap(), None);
    assert!(node.subscribe(None).await.is_err());
    drop((subscriber, node));

    let (node, stop) = folder.start();
    let mut subscriber = node.subscribe(Some(position)).await.unwrap();
    assert_eq!(hear(&mut subscriber, 6).await, missed);
    let live = publish_many(&node, 1, 9..12).await;
    assert_eq!(hear(&mut subscriber, 3).await, live);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_subscribers_hear_all_of_many_publishers() {
    let folder = Folder::new("follow-many");
    let (node, stop) = folder.start();
    let mut subscribers = Vec::new();
    for _ in 0..8 {
        let mut subscriber = node.subscribe(None).await.unwrap();
        subscribers.push(tokio::spawn(async move {
            let heard = hear(&mut subscriber, 200).await;
            heard.into_iter().collect::<BTreeSet<_>>()
        }));
    }
    let publishers: Vec<_> = (1..=10)
        .map(|author| {
            let node = node.clone();
            tokio::spawn(async move { publish_many(&node, author, 0..20).await })
        })
        .collect();

    let mut documents = BTreeSet::new();
    for publisher in publishers {
        documents.extend(publisher.await.unwrap());
    }
    for subscriber in subscribers {
        assert_eq!(subscriber.await.unwrap(), documents);
    }
    stop.stop().await;
}
