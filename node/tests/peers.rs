//! Connections to peers: what they are sent, in which order, and what becomes of slow and replaced ones.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;

use futures_util::FutureExt;
use grove_core::Reason;
use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{Hash, KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Message, Operation, SchemaSet, Tips};
use grove_node::runtime::{Node, PeerConnection, PeerOutput};
use support::Folder;

const PEER: PeerId = PeerId([7; 32]);
const SESSION: u64 = 3;

/// More than are read at once, and by more than one author.
const ENTRIES: u64 = 200;

fn piece(author: u8, log_id: u64) -> Submission {
    let data = PlainValue::Bytes(vec![author, 1, 2, 3]);
    let fields = Fields::from([("data".to_owned(), data)]);
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields,
    };
    let key_pair = KeyPair::from_seed(&[author; 32]);
    forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap()
}

/// Publishes pieces in logs from this number on.
async fn publish(node: &Node, author: u8, log_ids: std::ops::Range<u64>) -> Vec<Hash> {
    let pieces: Vec<_> = log_ids.map(|log_id| piece(author, log_id)).collect();
    let bytes = pieces.iter().map(|piece| {
        let entry = piece.entry().bytes().to_vec();
        (entry, piece.payload().to_vec())
    });
    for answer in node.publish_all(bytes.collect()).await {
        answer.unwrap();
    }
    pieces.iter().map(|piece| piece.entry().hash()).collect()
}

fn schemas() -> SchemaSet {
    SchemaSet::from([SchemaId::BLOB_PIECE])
}

/// Asks for all that the node has, having nothing.
async fn ask(connection: &PeerConnection, session: u64) {
    let request = Message::SyncRequest {
        session,
        mode: 0,
        schemas: schemas(),
    };
    connection.receive(request).await.unwrap();
    let tips = Tips::new();
    connection
        .receive(Message::Tips { session, tips })
        .await
        .unwrap();
}

fn hash_of(message: &Message) -> Option<Hash> {
    match message {
        Message::Entry { entry, .. } => Some(Hash::of(entry)),
        _ => None,
    }
}

fn is_done(message: &Message) -> bool {
    matches!(message, Message::SyncDone { .. })
}

/// What comes until a session is done on the node's side.
async fn all(connection: &PeerConnection) -> Vec<Message> {
    let mut messages = Vec::new();
    while !messages.last().is_some_and(is_done) {
        match connection.next().await.unwrap() {
            Some(PeerOutput::Send(message)) => messages.push(message),
            other => panic!("{other:?}"),
        }
    }
    messages
}

fn assert_in_order(messages: &[Message], published: &[Hash]) {
    assert!(matches!(messages[0], Message::Announce { .. }));
    assert!(matches!(messages[1], Message::Tips { .. }));
    let entries: Vec<_> = messages[2..].iter().filter_map(hash_of).collect();
    assert_eq!(
        entries, published,
        "in the order in which they were accepted"
    );
    assert_eq!(messages.len(), 2 + published.len() + 1);
    assert_eq!(messages.iter().position(is_done), Some(messages.len() - 1));
}

//= RP11 test
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_peer_is_sent_everything_and_then_sync_done() {
    let folder = Folder::new("peers-all");
    let (node, stop) = folder.start();
    let published = publish(&node, 1, 0..ENTRIES).await;

    let connection = node.connect(PEER).await.unwrap();
    ask(&connection, SESSION).await;

    assert_in_order(&all(&connection).await, &published);
    stop.stop().await;
    assert_eq!(
        connection.next().await.unwrap(),
        None,
        "the node has stopped"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_that_is_broken_off_loses_nothing() {
    let folder = Folder::new("peers-broken-off");
    let (node, stop) = folder.start();
    let published = publish(&node, 1, 0..ENTRIES).await;
    let connection = node.connect(PEER).await.unwrap();
    ask(&connection, SESSION).await;

    let mut messages = Vec::new();
    while !messages.last().is_some_and(is_done) {
        match connection.next().now_or_never() {
            Some(Ok(Some(PeerOutput::Send(message)))) => messages.push(message),
            Some(other) => panic!("{other:?}"),
            None => tokio::task::yield_now().await,
        }
    }

    assert_in_order(&messages, &published);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_holds_nobody_up() {
    let folder = Folder::new("peers-slow");
    let (node, stop) = folder.start();
    let mut published = publish(&node, 1, 0..ENTRIES).await;
    let slow = node.connect(PEER).await.unwrap();
    ask(&slow, SESSION).await;

    // The writer takes these behind what the peer said.
    published.extend(publish(&node, 2, 0..ENTRIES).await);
    let quick = node.connect(PeerId([8; 32])).await.unwrap();
    ask(&quick, SESSION).await;

    assert_in_order(&all(&quick).await, &published);
    let late = all(&slow).await;
    let sent: BTreeSet<_> = late.iter().filter_map(hash_of).collect();
    assert!(
        published[..ENTRIES as usize]
            .iter()
            .all(|hash| sent.contains(hash))
    );
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_replaced_connection_leaves_its_successor_alone() {
    let folder = Folder::new("peers-replaced");
    let (node, stop) = folder.start();
    let published = publish(&node, 1, 0..ENTRIES).await;
    let first = node.connect(PEER).await.unwrap();
    ask(&first, SESSION).await;

    let second = node.connect(PEER).await.unwrap();
    ask(&second, SESSION).await;
    while first.next().await.unwrap().is_some() {}
    drop(first);

    assert_in_order(&all(&second).await, &published);
    // With the connection goes what was under way on it, and the peer can come again.
    ask(&second, SESSION + 1).await;
    drop(second);
    let third = node.connect(PEER).await.unwrap();
    ask(&third, SESSION).await;
    assert_in_order(&all(&third).await, &published);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_peer_sends_is_checked_and_refusals_come_back() {
    let folder = Folder::new("peers-refused");
    let (node, stop) = folder.start();
    let connection = node.connect(PEER).await.unwrap();
    let (session, good, other) = (SESSION, piece(1, 0), piece(1, 1));
    ask(&connection, session).await;
    let mut forged = good.entry().bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let entry = |session, bytes: &[u8], payload: Option<&[u8]>| Message::Entry {
        session,
        entry: bytes.to_vec(),
        payload: payload.map(<[u8]>::to_vec),
    };

    for message in [
        entry(session, &forged, Some(good.payload())),
        entry(session, good.entry().bytes(), None),
        entry(session + 1, good.entry().bytes(), Some(good.payload())),
        entry(session, good.entry().bytes(), Some(good.payload())),
        entry(session, other.entry().bytes(), Some(other.payload())),
    ] {
        connection.receive(message).await.unwrap();
    }
    publish(&node, 2, 0..1).await;

    let mut refused = Vec::new();
    while let Some(Ok(Some(output))) = connection.next().now_or_never() {
        if let PeerOutput::Refused(reason) = output {
            refused.push(reason);
        }
    }
    assert_eq!(
        refused,
        [
            Reason::SignatureInvalid,
            Reason::PayloadMissing,
            Reason::SessionUnknown
        ]
    );
    let counts = node.read(|store| Ok(store.counts()?)).await.unwrap();
    assert_eq!(counts.entries, 3);
    stop.stop().await;
}
