//! How subscriptions of GraphQL are carried: over WebSocket and as server-sent events, within bounds,
//! and ended with the node.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::time::Duration;

use grove_node::http::Limits;
use http_support::follow::{EventStream, GraphSocket, PROTOCOL};
use http_support::socket::{CLOSE, PING, Socket, TEXT};
use http_support::{Author, TestNode, build, encoded, piece};
use hyper::{Method, Request};
use rstest::rstest;
use serde_json::{Value, json};

const FOLLOW: &str = "subscription { events: all_blob_piece_v1 { document { fields { data } } } }";

async fn publish(node: &TestNode, author: &Author, data: &[u8]) {
    author.publish(node, &piece(data)).await;
}

fn data(event: &Value) -> String {
    let data = event["document"]["fields"]["data"].as_str().unwrap();
    String::from_utf8(hex::decode(data).unwrap()).unwrap()
}

#[tokio::test]
async fn one_socket_carries_several_operations() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let mut socket = GraphSocket::connect(node.address).await;
    socket.start("a", FOLLOW).await;
    socket.start("b", FOLLOW).await;
    socket
        .start("query", "{ all_blob_piece_v1 { totalCount } }")
        .await;
    let count = socket.next("query").await;
    assert_eq!(count, json!({ "all_blob_piece_v1": { "totalCount": 0 } }));
    let done = json!({ "type": "complete", "id": "query" });
    assert_eq!(socket.0.json().await, done);

    let submission = author.first(&piece(b"one"));
    let publish = "mutation P($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { seqNum } }";
    let payload = json!({ "query": publish, "variables": encoded(&submission) });
    let message = json!({ "type": "subscribe", "id": "publish", "payload": payload });
    socket.0.send_json(&message).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let message = socket.0.json().await;
        let id = message["id"].as_str().unwrap();
        told.push(format!("{} {id}", message["type"].as_str().unwrap()));
    }
    told.sort();
    assert_eq!(
        told,
        ["complete publish", "next a", "next b", "next publish"]
    );

    socket.complete("a").await;
    socket.0.send_json(&json!({ "type": "ping" })).await;
    assert_eq!(socket.0.json().await, json!({ "type": "pong" }));
    author.publish(&node, &piece(b"two")).await;
    assert_eq!(data(&socket.event("b").await), "two");
}

#[tokio::test]
async fn another_subprotocol_or_none_is_closed() {
    let node = TestNode::start().await;

    for protocol in [None, Some("graphql-ws")] {
        let mut socket = Socket::open_at(node.address, "/graphql", protocol).await;
        assert_eq!(socket.close_code().await, Some(4406), "{protocol:?}");
    }
}

#[tokio::test]
async fn clients_must_begin_in_time() {
    let mut limits = Limits::default();
    limits.init_timeout = Duration::from_millis(50);
    let node = TestNode::with(limits).await;

    let mut silent = GraphSocket::open(node.address).await;
    assert_eq!(silent.0.close_code().await, Some(4408));

    let mut hasty = GraphSocket::open(node.address).await;
    hasty.start("1", FOLLOW).await;
    assert_eq!(hasty.0.close_code().await, Some(4401));
}

#[rstest]
#[case::binary(2, "{}", 4400)]
#[case::malformed(TEXT, "{}", 4400)]
#[case::again(TEXT, r#"{"type":"connection_init"}"#, 4429)]
#[tokio::test]
async fn faults_close_the_connection(#[case] kind: u8, #[case] text: &str, #[case] code: u16) {
    let node = TestNode::start().await;
    let mut socket = GraphSocket::connect(node.address).await;

    socket.0.send(kind, text.as_bytes()).await;

    assert_eq!(socket.0.close_code().await, Some(code));
    assert!(socket.0.receive().await.is_none());
}

#[tokio::test]
async fn messages_too_large_close_the_connection() {
    let mut limits = Limits::default();
    limits.body_size_max = 1000;
    let node = TestNode::with(limits).await;
    let mut socket = GraphSocket::connect(node.address).await;
    socket
        .start("fits", &format!("{FOLLOW} # {}", "x".repeat(500)))
        .await;
    socket.0.send_json(&json!({ "type": "ping" })).await;
    assert_eq!(socket.0.json().await["type"], "pong");

    socket
        .start("large", &format!("{FOLLOW} # {}", "x".repeat(1000)))
        .await;

    assert_eq!(socket.0.close_code().await, Some(1009));
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_dropped() {
    let mut limits = Limits::default();
    limits.ping_interval = Some(Duration::from_millis(20));
    limits.head_timeout = Duration::from_millis(20);
    let node = TestNode::with(limits).await;
    let mut socket = GraphSocket::connect(node.address).await;

    // The test's end of the socket answers no pings.
    assert!(socket.0.receive().await.is_none());
}

#[tokio::test]
async fn sockets_have_a_bound_of_their_own() {
    let mut limits = Limits::default();
    limits.subscriptions_per_socket_max = 2;
    let node = TestNode::with(limits).await;
    let mut socket = GraphSocket::connect(node.address).await;
    for id in ["1", "2", "3"] {
        socket.start(id, FOLLOW).await;
    }
    assert_eq!(socket.error("3").await, "request_too_large");

    socket.complete("1").await;
    socket.start("4", FOLLOW).await;
    socket.complete("2").await;
    socket.settled().await;

    publish(&node, &Author::new(1), b"one").await;
    assert_eq!(data(&socket.event("4").await), "one");
}

#[tokio::test]
async fn places_are_bounded_and_given_back() {
    let mut limits = Limits::default();
    limits.subscriptions_max = 2;
    let node = TestNode::with(limits).await;
    let mut socket = GraphSocket::connect(node.address).await;
    socket.start("1", FOLLOW).await;
    let first = EventStream::post(node.address, FOLLOW).await;
    socket.start("2", FOLLOW).await;
    assert_eq!(socket.error("2").await, "node_busy");
    let mut refused = EventStream::post(node.address, FOLLOW).await;
    let (_, answer) = refused.next().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "node_busy");
    assert_eq!(refused.next().await.unwrap().0, "complete");
    assert!(refused.next().await.is_none());

    // Both ways of going away give the place back: hanging up, and a word.
    drop(first);
    socket.complete("1").await;
    for _ in 0..2 {
        until_there_is_a_place(&node).await;
    }
}

/// Subscribes again and again until that works, and keeps the subscription.
async fn until_there_is_a_place(node: &TestNode) {
    let patience = std::time::Instant::now();
    loop {
        assert!(
            patience.elapsed() < Duration::from_secs(20),
            "no place was given back"
        );
        let query = "subscription { events: schemas { id } }";
        let mut socket = GraphSocket::connect(node.address).await;
        socket.start("1", query).await;
        socket.start("2", "{ __typename }").await;
        if socket.0.json().await["type"] == "next" {
            std::mem::forget(socket);
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn large_subscriptions_are_refused() {
    let node = TestNode::start().await;
    let mut socket = GraphSocket::connect(node.address).await;
    let many = "cursor ".repeat(1001);

    socket
        .start(
            "fields",
            &format!("subscription {{ all_blob_v1 {{ {many} }} }}"),
        )
        .await;
    assert_eq!(socket.error("fields").await, "request_too_large");

    let query = format!("{FOLLOW} # {}", "x".repeat(64 << 10));
    let body = json!({ "query": query }).to_string();
    let mut events = EventStream::open(node.address, Method::POST, "/graphql", body).await;
    let (_, answer) = events.next().await.unwrap();
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "request_too_large"
    );
}

#[tokio::test]
async fn streams_outlive_the_time_of_a_request() {
    let mut limits = Limits::default();
    limits.request_timeout = Duration::from_millis(100);
    limits.ping_interval = Some(Duration::from_millis(50));
    let node = TestNode::with(limits).await;
    let mut events = EventStream::post(node.address, FOLLOW).await;

    for _ in 0..4 {
        events.comment().await;
    }

    publish(&node, &Author::new(1), b"one").await;
    assert_eq!(data(&events.event().await), "one");
}

#[tokio::test]
async fn stopping_ends_all_streams() {
    let node = TestNode::start().await;
    let mut socket = GraphSocket::connect(node.address).await;
    socket.start("1", FOLLOW).await;
    let mut unbegun = GraphSocket::open(node.address).await;
    let mut events = EventStream::post(node.address, FOLLOW).await;

    node.stop().await;

    // Without a word that it is complete: clients are to come again with their cursor.
    let (kind, payload) = socket.0.receive().await.unwrap();
    assert_eq!(
        (kind, &payload[..2]),
        (CLOSE, 1001u16.to_be_bytes().as_slice())
    );
    assert_eq!(unbegun.0.close_code().await, Some(1001));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_browser_subscribes_by_get() {
    let node = TestNode::start().await;
    let path = "/graphql?operationName=F&variables=%7B%22x%22%3A%20null%7D&query=subscription%20F(%24x%3A%20String)\
                %7B%20events%3A%20all_blob_piece_v1(after%3A%20%24x)%20%7B%20document%20%7B%20fields%20%7B%20data%20%7D%20%7D%20%7D%20%7D";
    let mut events = EventStream::open(node.address, Method::GET, path, String::new()).await;

    publish(&node, &Author::new(1), b"one").await;

    assert_eq!(data(&events.event().await), "one");
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let node = TestNode::start().await;
    let path =
        "/graphql?query=mutation%7Bpublish(entry%3A%22%22%2Coperation%3A%22%22)%7BlogId%7D%7D";

    let refused = accepting(&node, Method::GET, path, "", "text/event-stream").await;
    let without_query = accepting(&node, Method::GET, "/graphql", "", "text/event-stream").await;
    let page = accepting(&node, Method::GET, path, "", "text/html").await;

    assert_eq!(refused.0, 405);
    assert!(refused.1.contains("request_malformed"), "{}", refused.1);
    assert_eq!(without_query.0, 400);
    assert!(page.1.starts_with("<!"), "{}", page.1);
}

/// What is answered to a client that accepts this.
async fn accepting(
    node: &TestNode,
    method: Method,
    path: &str,
    body: &str,
    accept: &str,
) -> (u16, String) {
    let (mut parts, body) = build(method, path, body).into_parts();
    parts.headers.insert("accept", accept.parse().unwrap());
    let response = node.request(Request::from_parts(parts, body)).await;
    (response.status().as_u16(), response.into_body())
}

#[tokio::test]
async fn answers_come_as_their_clients_accept() {
    let node = TestNode::start().await;
    let query = json!({ "query": "{ __typename }" }).to_string();
    let subscription = json!({ "query": FOLLOW }).to_string();
    let post = async |body: &str, accept| {
        accepting(&node, Method::POST, "/graphql", body, accept)
            .await
            .1
    };

    let plain = r#"{"data":{"__typename":"Query"}}"#;
    assert_eq!(post(&query, "application/json").await, plain);
    assert_eq!(
        post(&query, "application/json, text/event-stream").await,
        plain
    );
    let events = post(&query, "text/event-stream").await;
    assert!(
        events.starts_with(&format!(
            "event: next\ndata: {plain}\n\nevent: complete\ndata:"
        )),
        "{events}"
    );
    let refused = post(&subscription, "application/json").await;
    assert!(refused.contains("request_malformed"), "{refused}");
}

#[tokio::test]
async fn pings_of_the_client_are_answered() {
    let node = TestNode::start().await;
    let mut socket = Socket::open_at(node.address, "/graphql", Some(PROTOCOL)).await;

    socket.send(PING, b"here").await;

    assert_eq!(socket.receive().await, Some((10, b"here".to_vec())));
}

#[tokio::test]
async fn who_reads_late_reads_everything() {
    // On a busy machine what is published in between takes longer than a client may keep the node waiting.
    let mut limits = Limits::default();
    limits.stall_timeout = Duration::from_secs(600);
    let node = TestNode::with(limits).await;
    let author = Author::new(1);
    let mut events = EventStream::post(node.address, FOLLOW).await;

    // More than the connection holds, and more commits than the node keeps for those who are slow.
    let texts: Vec<String> = (0..150).map(|number| format!("{number:>60000}")).collect();
    for text in &texts {
        publish(&node, &author, text.as_bytes()).await;
    }

    for text in &texts {
        assert!(data(&events.event().await) == *text, "{}", text.trim());
    }
}

#[tokio::test]
async fn who_never_reads_loses_the_connection() {
    let mut limits = Limits::default();
    limits.subscriptions_max = 1;
    limits.stall_timeout = Duration::from_millis(200);
    let node = TestNode::with(limits).await;
    let mut socket = GraphSocket::connect(node.address).await;
    socket.start("1", FOLLOW).await;
    socket.settled().await;

    for number in 0..100u8 {
        publish(&node, &Author::new(1), &[number; 100_000]).await;
    }

    until_there_is_a_place(&node).await;
}
