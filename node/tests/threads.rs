//! The threads of a deployed node: many publishers at once, questions nobody waits for, stopping.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;
use std::time::Duration;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{KeyPair, LogId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use grove_core::{Reason, Refusal};
use grove_node::engine::EngineLimits;
use grove_node::runtime::{Node, Stop, ThreadedNode};
use grove_node::store::DocumentQuery;
use grove_node::store::SqliteStore;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("grove-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Whether any file holds these bytes.
    fn holds(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(&self.0).unwrap();
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .any(|content| content.windows(bytes.len()).any(|part| part == bytes))
    }

    fn start(&self) -> (Node, Stop) {
        let store = SqliteStore::open(&self.0.join("node.sqlite")).unwrap();
        ThreadedNode::start(store, PeerId([0; 32]), EngineLimits::default()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes that nothing else in a database looks like.
fn canary(author: u8) -> Vec<u8> {
    [b"grove-canary-".as_slice(), &[b'0' + author; 8]].concat()
}

fn piece(author: u8, log_id: u64) -> Submission {
    let data = PlainValue::Bytes(canary(author));
    let fields = Fields::from([("data".to_owned(), data)]);
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields,
    };
    let key_pair = KeyPair::from_seed(&[author; 32]);
    forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap()
}

async fn publish(node: &Node, submission: &Submission) -> Result<NextArgs, Reason> {
    let entry = submission.entry().bytes().to_vec();
    let answer = node.publish(entry, submission.payload().to_vec()).await;
    answer.map_err(|error| error.reason())
}

async fn count(node: &Node) -> u64 {
    node.read(|store| Ok(store.count(&SchemaId::BLOB_PIECE, &DocumentQuery::default())?))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_at_once_lose_nothing_across_a_restart() {
    let folder = Folder::new("many");
    let (node, stop) = folder.start();
    let publishers: Vec<_> = (1..=16)
        .map(|author| {
            let node = node.clone();
            tokio::spawn(async move {
                for log_id in 0..8 {
                    publish(&node, &piece(author, log_id)).await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert_eq!(count(&node).await, 128);
    stop.stop().await;
    assert!(!node.is_accepting());
    assert_eq!(publish(&node, &piece(1, 99)).await, Err(Reason::NodeBusy));
    drop(node);

    let (node, stop) = folder.start();
    assert!(node.is_accepting());
    assert_eq!(count(&node).await, 128);
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_nobody_waits_for_and_those_that_panic_take_no_reader_away() {
    let folder = Folder::new("readers");
    let (node, stop) = folder.start();
    for _ in 0..20 {
        let slow = node.read(|store| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(store.count(&SchemaId::BLOB, &DocumentQuery::default())?)
        });
        // Dropped while the question is being answered.
        let _ = tokio::time::timeout(Duration::from_millis(1), slow).await;
        let broken = node
            .read(|_| -> Result<(), _> { panic!("a broken question") })
            .await;
        assert_eq!(broken.unwrap_err().reason(), Reason::NodeBusy);
    }
    for _ in 0..20 {
        assert_eq!(count(&node).await, 0);
    }
    stop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_bytes_leave_all_files_while_the_node_runs() {
    let folder = Folder::new("canary");
    let (node, stop) = folder.start();
    let create = piece(1, 0);
    let after_create = publish(&node, &create).await.unwrap();
    publish(&node, &piece(2, 0)).await.unwrap();
    assert!(folder.holds(&canary(1)));

    let operation = Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous: create.entry().operation_id().into(),
    };
    let delete = forge(&KeyPair::from_seed(&[1; 32]), &after_create, &operation).unwrap();
    publish(&node, &delete).await.unwrap();

    let patience = std::time::Instant::now();
    while folder.holds(&canary(1)) {
        assert!(
            patience.elapsed() < Duration::from_secs(20),
            "still in a file"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(folder.holds(&canary(2)), "what was not deleted stays");
    stop.stop().await;
}
