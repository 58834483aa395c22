//! Blobs large and small for a node at an address, each document in a log of its own.

use std::net::SocketAddr;

use grove_core::author::{NextArgs, forge};
use grove_core::types::{DocumentViewId, KeyPair, LogId, OperationId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use hyper::body::Bytes;
use hyper::{Method, Response};
use serde_json::{Value, json};

use super::{build, create, encoded, piece, send, send_for_bytes, str};

/// Largest piece.
pub(crate) const PIECE: usize = 256_000;

/// Bytes without a pattern that a shift could hide in.
pub(crate) fn noise(seed: u32, size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32 ^ seed.wrapping_mul(0x85eb_ca6b);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(next).collect()
}

pub(crate) fn blob_fields(
    length: usize,
    mime_type: &str,
    pieces: &[OperationId],
) -> Vec<(&'static str, PlainValue)> {
    let pieces = pieces.iter().map(|id| DocumentViewId::from(*id)).collect();
    vec![
        ("length", PlainValue::Int(length as i64)),
        ("mime_type", str(mime_type)),
        ("pieces", PlainValue::ViewIds(pieces)),
    ]
}

/// The one author, who needs to ask nobody what comes next.
fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

/// A CREATE in this log.
pub(crate) fn first(log_id: u64, operation: &Operation) -> Submission {
    let args = NextArgs::first(LogId::new(log_id));
    forge(&key_pair(), &args, operation).unwrap()
}

/// A DELETE after a CREATE.
pub(crate) fn deletion(created: &Submission) -> Submission {
    let entry = created.entry();
    let (log_id, seq_num) = (entry.entry().log_id, entry.entry().seq_num);
    let args = NextArgs::after(log_id, seq_num, entry.hash(), |_| None).unwrap();
    let delete = Operation::Delete {
        schema_id: created.operation().unwrap().schema_id().clone(),
        previous: entry.operation_id().into(),
    };
    forge(&key_pair(), &args, &delete).unwrap()
}

/// Publishes through GraphQL; the whole answer.
pub(crate) async fn publish(address: SocketAddr, submission: &Submission) -> Value {
    let query = "mutation ($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    let body = json!({ "query": query, "variables": encoded(submission) });
    let response = send(address, build(Method::POST, "/graphql", body.to_string())).await;
    serde_json::from_str(response.body()).unwrap()
}

/// Publishes something good.
pub(crate) async fn accepted(address: SocketAddr, submission: &Submission) -> OperationId {
    let answer = publish(address, submission).await;
    assert!(answer["data"]["publish"]["seqNum"].is_string(), "{answer}");
    submission.entry().operation_id()
}

/// Publishes a blob from this log on; its id and its pieces.
pub(crate) async fn upload(
    address: SocketAddr,
    log_id: u64,
    data: &[u8],
) -> (OperationId, Vec<Submission>) {
    let mut pieces = Vec::new();
    for (log_id, part) in (log_id + 1..).zip(data.chunks(PIECE)) {
        let part = first(log_id, &piece(part));
        accepted(address, &part).await;
        pieces.push(part);
    }
    let ids: Vec<_> = pieces
        .iter()
        .map(|piece| piece.entry().operation_id())
        .collect();
    let fields = blob_fields(data.len(), "image/png", &ids);
    let blob = first(log_id, &create(&SchemaId::BLOB, fields));
    (accepted(address, &blob).await, pieces)
}

/// Fetches a blob, or a part of it.
pub(crate) async fn fetch(
    address: SocketAddr,
    id: OperationId,
    range: Option<&str>,
) -> Response<Bytes> {
    let mut request = build(Method::GET, &format!("/blobs/{id}"), "");
    if let Some(range) = range {
        let headers = request.headers_mut();
        headers.insert("range", range.parse().unwrap());
    }
    send_for_bytes(address, request).await
}

/// The bytes of a piece in hex, or null when there is no such document.
pub(crate) async fn data_of(address: SocketAddr, id: OperationId) -> Value {
    let query = format!("{{ blob_piece_v1(id: \"{id}\") {{ fields {{ data }} }} }}");
    let body = json!({ "query": query }).to_string();
    let response = send(address, build(Method::POST, "/graphql", body)).await;
    let answer: Value = serde_json::from_str(response.body()).unwrap();
    answer["data"]["blob_piece_v1"]["fields"]["data"].clone()
}

/// Asks until it is so.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}
