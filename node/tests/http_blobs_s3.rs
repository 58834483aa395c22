//! Blobs in a bucket: the daemon beside a small service that speaks S3.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use http_support::daemon::{Daemon, Directory, command};
use http_support::piece;
use http_support::pieces::{
    PIECE, accepted, data_of, deletion, fetch, first, noise, publish, until, upload,
};
use http_support::s3::{S3, SECRET};
use hyper::StatusCode;
use serde_json::Value;

/// A node whose blobs go there, and that tells all it does.
fn start(directory: &Directory, s3: &S3) -> Daemon {
    let mut command = command(&directory.arguments());
    command
        .args([
            "--blobs-url",
            "s3://photos/grove/blobs",
            "--log-level=trace",
        ])
        .envs(s3.variables());
    Daemon::spawn(command)
}

/// Ends it, and sees that it kept its secret.
fn stop(mut daemon: Daemon) {
    daemon.signal("-TERM");
    assert_eq!(daemon.exit_code(), Some(0));
    let text = daemon.log();
    assert!(text.contains("operation accepted") && !text.contains(SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_go_to_a_bucket_and_come_back() {
    let (directory, s3) = (Directory::new("s3-there-and-back"), S3::start().await);
    let daemon = start(&directory, &s3);
    let data = noise(1, 2 * PIECE + 10_000);

    let (blob, pieces) = upload(daemon.address, 0, &data).await;
    let keys = s3.keys();
    let whole = fetch(daemon.address, blob, None).await;
    stop(daemon);
    let daemon = start(&directory, &s3);
    let part = fetch(daemon.address, blob, Some("bytes=255990-256009")).await;
    accepted(daemon.address, &deletion(&pieces[0])).await;
    until("the object of what was deleted goes", || {
        s3.keys().len() == 2
    })
    .await;
    let gone = fetch(daemon.address, blob, None).await;

    assert_eq!(keys.len(), 3);
    assert!(
        keys.iter()
            .all(|key| key.starts_with("photos/grove/blobs/"))
    );
    assert_eq!(*whole.body(), data);
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(*part.body(), data[255_990..256_010]);
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    assert!(!directory.0.join("blobs").exists());
    stop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bucket_keeps_only_its_publishers_waiting() {
    let (directory, s3) = (Directory::new("s3-slow"), S3::start().await);
    let daemon = start(&directory, &s3);
    let address = daemon.address;
    let large = first(0, &piece(&noise(1, PIECE)));
    let small = first(1, &piece(b"small"));

    s3.hold();
    let id = large.entry().operation_id();
    let waiting = tokio::spawn(async move { publish(address, &large).await });
    accepted(address, &small).await;
    assert!(!waiting.is_finished());
    assert!(data_of(address, id).await.is_null());
    s3.release();
    let answer = waiting.await.unwrap();

    assert_eq!(answer["data"]["publish"]["seqNum"], "2", "{answer}");
    assert_eq!(data_of(address, id).await, hex::encode(noise(1, PIECE)));
    stop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_or_lies_is_told_of() {
    let (directory, s3) = (Directory::new("s3-away"), S3::start().await);
    let daemon = start(&directory, &s3);
    let (blob, _) = upload(daemon.address, 0, &noise(1, PIECE)).await;
    let late = first(9, &piece(&noise(2, PIECE)));

    s3.refuse(true);
    let refused = publish(daemon.address, &late).await;
    let unreachable = fetch(daemon.address, blob, None).await;
    let query = "{ all_blob_piece_v1 { documents { meta { documentId } } } }";
    let listed = daemon.graphql(query, Value::Null).await;
    let query = "{ all_blob_piece_v1 { documents { fields { data } } } }";
    let not_read = daemon.graphql(query, Value::Null).await;
    s3.refuse(false);
    accepted(daemon.address, &late).await;
    assert_eq!(fetch(daemon.address, blob, None).await.body().len(), PIECE);
    s3.change_all(|bytes| {
        let mut bytes = bytes.to_vec();
        bytes[1000] ^= 1;
        bytes.into()
    });
    let changed = fetch(daemon.address, blob, None).await;

    let code = &refused["errors"][0]["extensions"]["code"];
    assert_eq!(code, "store_failed", "{refused}");
    assert_eq!(unreachable.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let documents = listed["data"]["all_blob_piece_v1"]["documents"].as_array();
    assert_eq!(documents.map(Vec::len), Some(1), "{listed}");
    let code = &not_read["errors"][0]["extensions"]["code"];
    assert_eq!(code, "store_failed", "{not_read}");
    assert_eq!(changed.status(), StatusCode::NOT_FOUND);
    assert!(changed.body().starts_with(b"blob_pieces_missing"));
    stop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_refuses_to_erase_is_erased_later() {
    let (directory, s3) = (Directory::new("s3-later"), S3::start().await);
    let daemon = start(&directory, &s3);
    let created = first(0, &piece(&noise(1, PIECE)));
    accepted(daemon.address, &created).await;

    s3.refuse(true);
    accepted(daemon.address, &deletion(&created)).await;
    assert_eq!(s3.keys().len(), 1);
    s3.refuse(false);

    // Although nobody publishes any more.
    until("the object goes", || s3.keys().is_empty()).await;
    stop(daemon);
}
