//! Blobs in the daemon's folder: one copy, little memory whatever their size, and whole or gone
//! whenever the process ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use grove_core::types::OperationId;
use grove_core::validate::Submission;
use grove_node::store::objects::Objects;
use grove_node::store::{SharedStore, SqliteStore, Upkeep};
use http_support::daemon::{Daemon, Directory, run, temporary};
use http_support::pieces::{
    PIECE, accepted, data_of, deletion, fetch, first, noise, publish, until, upload,
};
use http_support::{build, piece};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The objects in a data directory.
fn objects(directory: &Directory) -> Vec<PathBuf> {
    let Ok(shards) = std::fs::read_dir(directory.0.join("blobs")) else {
        return Vec::new();
    };
    let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn blobs_lie_in_one_copy_beside_the_database() {
    let directory = Directory::new("blobs-once");
    let mut daemon = Daemon::start(&directory.arguments());
    let data = noise(1, PIECE + 20_000);

    let (blob, pieces) = upload(daemon.address, 0, &data).await;
    accepted(daemon.address, &pieces[0]).await;
    let served = fetch(daemon.address, blob, None).await;
    daemon.signal("-TERM");

    assert_eq!(daemon.exit_code(), Some(0));
    assert_eq!(*served.body(), data);
    assert_eq!(
        objects(&directory).len(),
        pieces.len(),
        "one each, published twice or not"
    );
    let database = std::fs::read(directory.0.join("grove.sqlite3")).unwrap();
    assert!(database.len() < PIECE, "{}", database.len());
}

#[tokio::test]
async fn a_piece_that_was_lost_is_told_of_and_mended() {
    let directory = Directory::new("blobs-lost");
    let daemon = Daemon::start(&directory.arguments());
    let (blob, pieces) = upload(daemon.address, 0, &noise(1, PIECE)).await;
    let [file] = &objects(&directory)[..] else {
        panic!("there is one piece");
    };
    std::fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(1000)
        .unwrap();

    let lost = fetch(daemon.address, blob, None).await;
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
    assert!(lost.body().starts_with(b"blob_pieces_missing"));
    let id = pieces[0].entry().operation_id();
    assert!(data_of(daemon.address, id).await.is_null());

    accepted(daemon.address, &pieces[0]).await;
    let mended = fetch(daemon.address, blob, None).await;
    assert_eq!(*mended.body(), noise(1, PIECE));
}

#[tokio::test]
async fn what_was_refused_leaves_no_bytes() {
    let directory = Directory::new("blobs-refused");
    let daemon = Daemon::start(&directory.arguments());
    let kept = first(0, &piece(&noise(1, PIECE)));
    accepted(daemon.address, &kept).await;

    // Another entry at a taken place of the log.
    let answer = publish(daemon.address, &first(0, &piece(&noise(2, PIECE)))).await;

    let code = &answer["errors"][0]["extensions"]["code"];
    assert_eq!(code, "would_fork", "{answer}");
    until("the refused bytes go", || objects(&directory).len() == 1).await;
}

#[tokio::test]
async fn collecting_garbage_sweeps_what_a_crash_left() {
    let directory = Directory::new("blobs-swept");
    let daemon = Daemon::start(&directory.arguments());
    let (blob, _) = upload(daemon.address, 0, &noise(1, PIECE)).await;
    let [kept] = &objects(&directory)[..] else {
        panic!("there is one piece");
    };
    let name = kept.to_str().unwrap();
    let beside = |end: &str| PathBuf::from(format!("{}{end}", &name[..name.len() - 4]));
    let leftovers = [beside("0000"), beside("0000#1"), beside("1111")];
    for file in &leftovers {
        std::fs::write(file, [7; 50]).unwrap();
    }
    let old = SystemTime::now() - Duration::from_secs(7200);
    for file in [kept, &leftovers[0], &leftovers[1]] {
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_modified(old).unwrap();
    }
    let place = ["--json", "--data-dir", directory.0.to_str().unwrap()];

    for arguments in [&["gc", "--dry-run"][..], &["gc"]] {
        assert_eq!(objects(&directory).len(), 4);
        let output = run(&[arguments, &place].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = json!({ "what": "objects", "count": 2, "documents": 0, "bytes": 100 });
        let removed = report["removed"].as_array().unwrap();
        assert!(removed.contains(&expected), "{report}");
    }

    let mut left = objects(&directory);
    left.sort();
    let mut expected = vec![kept.clone(), leftovers[2].clone()];
    expected.sort();
    assert_eq!(left, expected, "the young one may be on its way");
    assert_eq!(fetch(daemon.address, blob, None).await.body().len(), PIECE);
}

#[test]
fn a_database_does_not_outlive_its_blobs_on_purpose() {
    let directory = Directory::new("blobs-passing");
    let passing = format!("file://{}", temporary().join("grove-blobs").display());
    let lasting = format!("file://{}", directory.0.display());
    let with = |arguments: &[&str], url: &str| {
        let arguments = [arguments, &["--blobs-url", url]].concat();
        let output = run(&arguments);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };

    let (code, text) = with(&directory.arguments(), &passing);
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("temporary files"), "{text}");
    let (code, text) = with(&["--http-port=0", "--ephemeral"], &lasting);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = with(&directory.arguments(), "s3://key:hidden@bucket/");
    assert_eq!(code, Some(2), "{text}");
    assert!(!text.contains("hidden"), "{text}");
}

/// A figure of the process, in bytes.
fn memory(daemon: &Daemon, what: &str) -> u64 {
    let path = format!("/proc/{}/status", daemon.child.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Reads a blob slowly enough to hold nothing of it here; its size.
async fn drain(address: SocketAddr, blob: OperationId) -> u64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = build(Method::GET, &format!("/blobs/{blob}"), "");
    let text = format!(
        "GET {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n",
        request.uri()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return total,
            size => total += size as u64,
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_blob_takes_no_more_memory_than_a_small_one() {
    const SIZE: usize = 40_000_000;
    const GROWTH_MAX: u64 = 20_000_000;
    let directory = Directory::new("blobs-large");
    let daemon = Daemon::start(&directory.arguments());
    let (small, _) = upload(daemon.address, 0, &noise(1, 8 * PIECE)).await;
    drain(daemon.address, small).await;
    let before = memory(&daemon, "VmHWM:");

    let (large, _) = upload(daemon.address, 1_000, &noise(2, SIZE)).await;
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        readers.spawn(drain(daemon.address, large));
    }
    while let Some(read) = readers.join_next().await {
        assert!(read.unwrap() > SIZE as u64);
    }

    let growth = memory(&daemon, "VmHWM:") - before;
    assert!(growth < GROWTH_MAX, "{growth} bytes more at the peak");
}

/// Publishes what it is given, several at a time, until the node is gone; what was acknowledged.
async fn publish_until_the_end(
    daemon: &mut Daemon,
    submissions: Vec<Submission>,
    acknowledged_max: usize,
) -> Vec<OperationId> {
    const AT_ONCE: usize = 6;
    let address = daemon.address;
    let mut waiting = submissions.into_iter();
    let mut tasks = JoinSet::new();
    let publish = |submission: Submission| async move {
        accepted(address, &submission).await;
        submission.entry().operation_id()
    };
    tasks.extend_with(waiting.by_ref().take(AT_ONCE).map(publish));
    let mut acknowledged = Vec::new();
    while let Some(done) = tasks.join_next().await {
        // What was under way when the process was killed got no answer, and its task panicked.
        let Ok(id) = done else {
            continue;
        };
        acknowledged.push(id);
        if acknowledged.len() == acknowledged_max {
            daemon.child.kill().unwrap();
            daemon.child.wait().unwrap();
        }
        tasks.extend_with(waiting.next().map(publish));
    }
    acknowledged
}

trait ExtendWith<T> {
    fn extend_with<F: Future<Output = T> + Send + 'static>(
        &mut self,
        futures: impl IntoIterator<Item = F>,
    );
}

impl<T: Send + 'static> ExtendWith<T> for JoinSet<T> {
    fn extend_with<F: Future<Output = T> + Send + 'static>(
        &mut self,
        futures: impl IntoIterator<Item = F>,
    ) {
        futures.into_iter().for_each(|future| {
            self.spawn(future);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_has_every_piece_whole_or_not_at_all() {
    const ROUND: u64 = 40;
    let directory = Directory::new("blobs-killed");
    let mut pieces = BTreeMap::new();
    let mut acknowledged = Vec::new();
    for (round, enough) in [3, 17, 29].into_iter().enumerate() {
        let mut daemon = Daemon::start(&directory.arguments());
        let logs = round as u64 * ROUND..(round as u64 + 1) * ROUND;
        let submissions: Vec<_> = logs
            .map(|log| first(log, &piece(&noise(log as u32, 100_000))))
            .collect();
        for (log, submission) in (round as u32 * ROUND as u32..).zip(&submissions) {
            pieces.insert(submission.entry().operation_id(), (log, submission.clone()));
        }
        acknowledged.extend(publish_until_the_end(&mut daemon, submissions, enough).await);
    }

    let mut daemon = Daemon::start(&directory.arguments());
    let mut there = 0;
    for (id, (log, _)) in &pieces {
        let found = data_of(daemon.address, *id).await;
        if found.is_null() {
            assert!(!acknowledged.contains(id), "{id} was acknowledged");
        } else {
            assert_eq!(found, hex::encode(noise(*log, 100_000)));
            there += 1;
        }
    }
    let deletions = acknowledged
        .iter()
        .map(|id| deletion(&pieces[id].1))
        .collect();
    let deleted = publish_until_the_end(&mut daemon, deletions, 10)
        .await
        .len();

    // At its start, the next one does what the last had no time for.
    let mut daemon = Daemon::start(&directory.arguments());
    let mut left = 0;
    for (id, (log, _)) in &pieces {
        let found = data_of(daemon.address, *id).await;
        if !found.is_null() {
            assert_eq!(found, hex::encode(noise(*log, 100_000)));
            left += 1;
        }
    }
    assert!(left <= there - deleted);
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let kept = Arc::new(Objects::in_folder(&directory.0.join("blobs")).unwrap());
    let database = directory.0.join("grove.sqlite3");
    let mut store = SqliteStore::open_with(&database, Some(kept)).unwrap();
    assert!(store.erase_discarded().unwrap());
    let swept = store.sweep_objects(Duration::ZERO, false).unwrap();
    assert!(swept.objects <= 4 * 6, "only what was under way: {swept:?}");
    assert_eq!(objects(&directory).len(), left);
}
