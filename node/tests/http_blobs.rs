//! Blobs through the real door: published by pieces, fetched over HTTP.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::types::{OperationId, PlainValue, SchemaId};
use http_support::pieces::{PIECE, blob_fields, noise};
use http_support::{Author, TestNode, build, create, piece, publish, send_for_bytes};
use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use rstest::rstest;

/// Publishes pieces of at most 256 000 bytes, none for no bytes, then their blob.
async fn upload(node: &TestNode, author: &Author, mime_type: &str, data: &[u8]) -> OperationId {
    let mut pieces = Vec::new();
    for part in data.chunks(PIECE) {
        pieces.push(author.publish(node, &piece(part)).await);
    }
    let fields = blob_fields(data.len(), mime_type, &pieces);
    author.create(node, &SchemaId::BLOB, fields).await
}

async fn ask(
    node: &TestNode,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Response<Bytes> {
    let mut request = build(method, path, "");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    send_for_bytes(node.address, request).await
}

async fn get(node: &TestNode, path: &str) -> Response<Bytes> {
    ask(node, Method::GET, path, &[]).await
}

/// The status and the code an answer without a blob begins with.
async fn refused(node: &TestNode, path: &str) -> (u16, String) {
    let response = get(node, path).await;
    assert!(response.headers().contains_key("content-security-policy"));
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    let code = text.split(':').next().unwrap().to_owned();
    (response.status().as_u16(), code)
}

//= BL4 test
//= BL2 test
#[rstest]
#[case::nothing(0)]
#[case::one_byte(1)]
#[case::one_piece(PIECE)]
#[case::a_byte_more(PIECE + 1)]
#[case::many_pieces(10 * PIECE + 77)]
#[tokio::test]
async fn a_blob_is_served_as_its_pieces_in_order(#[case] size: usize) {
    let node = TestNode::start().await;
    let data = noise(1, size);
    let id = upload(&node, &Author::new(1), "image/png", &data).await;

    let whole = get(&node, &format!("/blobs/{id}")).await;
    let head = ask(&node, Method::HEAD, &format!("/blobs/{id}"), &[]).await;

    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(*whole.body(), data);
    assert_eq!(head.status(), StatusCode::OK);
    assert!(head.body().is_empty());
    for headers in [whole.headers(), head.headers()] {
        assert_eq!(headers["content-length"], size.to_string());
        assert_eq!(headers["content-type"], "image/png");
        assert_eq!(headers["etag"], format!("\"{id}\""));
        assert_eq!(headers["accept-ranges"], "bytes");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-expose-headers"], "*");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("sandbox; default-src 'none'"),
            "{policy}"
        );
        assert!(!headers.contains_key("content-disposition"));
        assert!(!headers.contains_key("transfer-encoding"));
    }
}

//= R19 test
#[rstest]
#[case::bytes_without_pieces(3, 0)]
#[case::pieces_without_bytes(0, 1)]
#[tokio::test]
async fn no_pieces_go_with_no_bytes_alone(#[case] length: usize, #[case] pieces: usize) {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let part = author.publish(&node, &piece(&[])).await;
    let fields = blob_fields(length, "text/plain", &vec![part; pieces]);
    let blob = author.forge(&node, &create(&SchemaId::BLOB, fields)).await;

    let answer = publish(&node, &blob).await;

    assert!(answer.to_string().contains("blob_pieces"), "{answer}");
}

#[tokio::test]
async fn what_could_run_is_saved_instead_of_shown() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    for mime_type in ["text/html", "image/svg+xml", "application/pdf"] {
        let id = upload(&node, &author, mime_type, b"<script>alert(1)</script>").await;
        let response = get(&node, &format!("/blobs/{id}")).await;
        assert_eq!(response.headers()["content-type"], mime_type);
        assert_eq!(response.headers()["content-disposition"], "attachment");
    }
}

#[tokio::test]
async fn every_view_of_a_blob_is_served_while_its_operations_are_there() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let first = upload(&node, &author, "text/plain", b"Hello, World!").await;
    let other = author.publish(&node, &piece(b"Hello,")).await;
    let fields = blob_fields(6, "text/plain", &[other]);
    let second = author.update(&node, &SchemaId::BLOB, first, fields).await;

    let now = get(&node, &format!("/blobs/{first}")).await;
    let then = get(&node, &format!("/blobs/{first}/{first}")).await;
    let at_second = get(&node, &format!("/blobs/{first}/{second}")).await;

    assert_eq!(now.body(), "Hello,");
    assert_eq!(now.headers()["etag"], format!("\"{second}\""));
    assert_eq!(now.headers()["cache-control"], "no-cache");
    assert_eq!(then.body(), "Hello, World!");
    assert_eq!(then.headers()["etag"], format!("\"{first}\""));
    let kept = then.headers()["cache-control"].to_str().unwrap();
    assert!(kept.contains("immutable"), "{kept}");
    assert_eq!(at_second.body(), "Hello,");
}

#[tokio::test]
async fn an_edited_piece_is_served_as_the_blob_pinned_it() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let original = author.publish(&node, &piece(b"before")).await;
    let data = vec![("data", PlainValue::Bytes(b"afterwards".to_vec()))];
    let edited = author
        .update(&node, &SchemaId::BLOB_PIECE, original, data)
        .await;
    let old = blob_fields(6, "text/plain", &[original]);
    let old = author.create(&node, &SchemaId::BLOB, old).await;
    let new = blob_fields(16, "text/plain", &[edited, original]);
    let new = author.create(&node, &SchemaId::BLOB, new).await;

    assert_eq!(get(&node, &format!("/blobs/{old}")).await.body(), "before");
    let both = get(&node, &format!("/blobs/{new}")).await;
    assert_eq!(both.body(), "afterwardsbefore");
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let node = TestNode::start().await;
    let id = upload(&node, &Author::new(1), "text/plain", b"Hello").await;
    let path = format!("/blobs/{id}");
    let tag = format!("\"{id}\"");
    for known in [&tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let response = ask(&node, Method::GET, &path, &[("if-none-match", known)]).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert!(response.body().is_empty());
        assert_eq!(response.headers()["etag"], tag);
    }
    let other = ask(&node, Method::GET, &path, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.status(), StatusCode::OK);
}

/// Who goes on with a download must not get the rest of other bytes.
#[tokio::test]
async fn a_part_of_bytes_that_changed_is_not_sent() {
    let node = TestNode::start().await;
    let id = upload(&node, &Author::new(1), "image/png", b"some bytes").await;
    let path = format!("/blobs/{id}");
    let tag = format!("\"{id}\"");
    for method in [Method::GET, Method::HEAD] {
        for changed in ["\"x\"", &format!("W/{tag}"), &format!("\"x\", \"{id}")] {
            let headers = [("if-match", changed), ("range", "bytes=5-")];
            let response = ask(&node, method.clone(), &path, &headers).await;
            assert_eq!(
                response.status(),
                StatusCode::PRECONDITION_FAILED,
                "{changed}"
            );
            assert!(response.body().is_empty());
            assert_eq!(response.headers()["etag"], tag);
        }
    }
    for same in [&tag, &format!("\"x\", {tag}"), "*"] {
        let headers = [("if-match", same), ("range", "bytes=5-")];
        let response = ask(&node, Method::GET, &path, &headers).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{same}");
        assert_eq!(response.body().as_ref(), b"bytes");
    }
    let nobody = format!("/blobs/0020{}", "a".repeat(64));
    let response = ask(&node, Method::GET, &nobody, &[("if-match", "*")]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[rstest]
#[case("bytes=0-4", 0, 5)]
#[case("bytes=255999-256000", PIECE - 1, PIECE + 1)]
#[case("bytes=256000-", PIECE, 600_000)]
#[case("bytes=-44001", 600_000 - 44_001, 600_000)]
#[case("bytes=599999-700000", 599_999, 600_000)]
#[tokio::test]
async fn a_part_of_a_blob_is_sent_alone(
    #[case] range: &str,
    #[case] from: usize,
    #[case] to: usize,
) {
    let node = TestNode::start().await;
    let data = noise(1, 600_000);
    let id = upload(&node, &Author::new(1), "video/mp4", &data).await;
    let path = format!("/blobs/{id}");

    let response = ask(&node, Method::GET, &path, &[("range", range)]).await;

    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(*response.body(), data[from..to]);
    let expected = format!("bytes {from}-{}/600000", to - 1);
    assert_eq!(response.headers()["content-range"], expected);
    assert_eq!(
        response.headers()["content-length"],
        (to - from).to_string()
    );
}

#[tokio::test]
async fn ranges_that_cannot_be_sent_are_told_so_or_left_alone() {
    let node = TestNode::start().await;
    let id = upload(&node, &Author::new(1), "text/plain", b"Hello").await;
    let path = format!("/blobs/{id}");
    let tag = format!("\"{id}\"");

    let beyond = ask(&node, Method::GET, &path, &[("range", "bytes=5-")]).await;
    let several = ask(&node, Method::GET, &path, &[("range", "bytes=0-0,2-3")]).await;
    let headers = [("range", "bytes=1-1"), ("if-range", tag.as_str())];
    let same = ask(&node, Method::GET, &path, &headers).await;
    let headers = [("range", "bytes=1-1"), ("if-range", "\"x\"")];
    let other = ask(&node, Method::GET, &path, &headers).await;
    let head = ask(&node, Method::HEAD, &path, &[("range", "bytes=1-1")]).await;

    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()["content-range"], "bytes */5");
    assert_eq!(
        (several.status(), &several.body()[..]),
        (StatusCode::OK, &b"Hello"[..])
    );
    assert_eq!(same.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(same.body(), "e");
    assert_eq!(
        (other.status(), &other.body()[..]),
        (StatusCode::OK, &b"Hello"[..])
    );
    assert_eq!(head.headers()["content-length"], "5");
}

#[tokio::test]
async fn what_is_no_blob_is_not_found() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let lone = author.publish(&node, &piece(b"Hello")).await;
    let blob = upload(&node, &author, "text/plain", b"Hello").await;
    let unknown = OperationId::from(grove_core::types::Hash::of(b"unknown"));
    let expected = |code: &str| (404, code.to_owned());

    let path = format!("/blobs/{unknown}");
    assert_eq!(refused(&node, &path).await, expected("document_not_found"));
    let path = format!("/blobs/{lone}");
    assert_eq!(
        refused(&node, &path).await,
        expected("document_schema_mismatch")
    );
    for view in [unknown, lone] {
        let path = format!("/blobs/{blob}/{view}");
        assert_eq!(refused(&node, &path).await, expected("view_not_found"));
    }
    let path = format!("/blobs/{lone}/{blob}");
    assert_eq!(
        refused(&node, &path).await,
        expected("document_schema_mismatch")
    );
}

#[tokio::test]
async fn malformed_ids_and_other_methods_are_refused() {
    let node = TestNode::start().await;
    let id = upload(&node, &Author::new(1), "text/plain", b"Hello").await;
    let upper = id.to_string().to_uppercase();
    for (path, code) in [
        ("/blobs/hello".to_owned(), "invalid_hex"),
        ("/blobs/..%2f..%2fetc%2fpasswd".to_owned(), "invalid_hex"),
        ("/blobs/0020".to_owned(), "hash_length"),
        (format!("/blobs/{upper}"), "uppercase_hex"),
        (format!("/blobs/{id}/{upper}"), "uppercase_hex"),
        (format!("/blobs/{id}/{id}_{id}"), "view_id_duplicate"),
    ] {
        assert_eq!(
            refused(&node, &path).await,
            (400, code.to_owned()),
            "{path}"
        );
    }
    for path in ["/blobs", "/blobs/", &format!("/blob/{id}")] {
        assert_eq!(
            get(&node, path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let response = ask(&node, method, &format!("/blobs/{id}"), &[]).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET,HEAD");
    }
}

#[tokio::test]
async fn a_blob_of_another_length_than_its_pieces_is_not_served() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let part = author.publish(&node, &piece(b"Hello")).await;
    for length in [1, 4, 6] {
        let fields = blob_fields(length, "text/plain", &[part]);
        let blob = author.create(&node, &SchemaId::BLOB, fields).await;
        let expected = (404, "blob_length_mismatch".to_owned());
        assert_eq!(refused(&node, &format!("/blobs/{blob}")).await, expected);
    }
    let twice = blob_fields(10, "text/plain", &[part, part]);
    let twice = author.create(&node, &SchemaId::BLOB, twice).await;
    assert_eq!(
        get(&node, &format!("/blobs/{twice}")).await.body(),
        "HelloHello"
    );
}

#[tokio::test]
async fn no_blob_outlives_a_piece_of_it_or_itself() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let part = author.publish(&node, &piece(b"Hello")).await;
    let mut blobs = Vec::new();
    for _ in 0..2 {
        let fields = blob_fields(5, "text/plain", &[part]);
        blobs.push(author.create(&node, &SchemaId::BLOB, fields).await);
    }
    let [first, second] = blobs[..] else {
        panic!("two were published");
    };

    author.delete(&node, &SchemaId::BLOB, first).await;
    for path in [format!("/blobs/{first}"), format!("/blobs/{first}/{first}")] {
        assert_eq!(
            refused(&node, &path).await,
            (404, "document_deleted".to_owned())
        );
    }
    assert_eq!(
        get(&node, &format!("/blobs/{second}")).await.body(),
        "Hello"
    );

    author.delete(&node, &SchemaId::BLOB_PIECE, part).await;
    for path in [
        format!("/blobs/{second}"),
        format!("/blobs/{second}/{second}"),
    ] {
        assert_eq!(
            refused(&node, &path).await,
            (404, "blob_pieces_missing".to_owned())
        );
    }
}

/// From peers, what belongs together comes in any order.
#[tokio::test]
async fn pieces_may_come_after_their_blob_or_twice() {
    use grove_core::author::{NextArgs, forge};
    use grove_core::session::PeerId;
    use grove_core::time::Instant;
    use grove_core::types::LogId;
    use grove_core::validate::Submission;
    use grove_core::wire::{Heights, Message};
    use grove_node::engine::{EngineSettings, Input};
    use grove_node::http::{Http, Limits};
    use grove_node::runtime::InlineNode;
    use grove_node::store::SqliteStore;
    use tower::ServiceExt;

    let (peer, author) = (PeerId([9; 32]), Author::new(1));
    let write = |log_id: u64, operation| {
        let args = NextArgs::first(LogId::new(log_id));
        forge(&author.0, &args, &operation).unwrap()
    };
    let parts: Vec<Submission> = (0..2u8).map(|n| write(n.into(), piece(&[n; 3]))).collect();
    let ids: Vec<_> = parts
        .iter()
        .map(|part| part.entry().operation_id())
        .collect();
    let fields = blob_fields(6, "text/plain", &ids);
    let blob = write(2, create(&SchemaId::BLOB, fields));
    let id = blob.entry().operation_id();

    let store = SqliteStore::in_memory().unwrap();
    let (inline, node) = InlineNode::new(store, EngineSettings::new(PeerId([0; 32]))).unwrap();
    let router = Http::new(node, Limits::default()).router();
    let session = 1;
    let schemas = [SchemaId::BLOB, SchemaId::BLOB_PIECE].into();
    let mode = 0;
    let greeting = [
        Message::SyncRequest {
            session,
            mode,
            schemas,
        },
        Message::Have {
            session,
            heights: Heights::new(),
        },
    ];
    let greeting = greeting.map(|message| Input::received(peer, message));
    let inputs = [Input::PeerConnected(peer)].into_iter().chain(greeting);
    inline.handle(Instant::ZERO, inputs.collect()).unwrap();
    let receive = |submission: &Submission| {
        let message = Message::Entry {
            session,
            entry: submission.entry().bytes().to_vec(),
            payload: Some(submission.payload().to_vec()),
        };
        inline
            .handle(Instant::ZERO, vec![Input::received(peer, message)])
            .unwrap()
    };
    let status = || async {
        let request = build(Method::GET, &format!("/blobs/{id}"), "");
        let request = request.map(axum::body::Body::from);
        router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    };

    assert_eq!(status().await, 404);
    receive(&blob);
    assert_eq!(status().await, 404);
    receive(&parts[1]);
    assert_eq!(status().await, 404);
    receive(&parts[1]);
    receive(&parts[0]);
    assert_eq!(status().await, 200);
    receive(&parts[0]);
    assert_eq!(status().await, 200);
}
