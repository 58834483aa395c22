//! Which pages and proxies may speak at the door, and that one client leaves room for others.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::time::Duration;

use grove_node::http::Limits;
use http_support::daemon::Daemon;
use http_support::follow::GraphSocket;
use http_support::socket::Socket;
use http_support::{Author, TestNode, build, encoded, piece};
use hyper::{Method, Request};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PUBLISH: &str = "mutation Publish($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { seqNum } }";

/// What comes back for a request as it stands here.
async fn raw(daemon: &Daemon, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(daemon.address).await.unwrap();
    let length = body.len();
    let text = format!("{head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Once a name resolves to the node, its page is taken for the node's own.
#[tokio::test]
async fn a_node_on_loopback_answers_to_its_own_names() {
    let daemon = Daemon::start(&["--ephemeral", "--http-port=0", "--http-name=grove.example"]);
    let port = daemon.address.port();
    let get = async |host: &str| {
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {host}");
        raw(&daemon, &head, "").await
    };

    for own in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "[::1]",
        "grove.example",
    ] {
        for host in [own.to_owned(), format!("{own}:{port}")] {
            let answer = get(&host).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        }
    }
    for foreign in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "x:2020",
        "",
    ] {
        let answer = get(foreign).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{foreign}: {answer}");
        assert!(answer.contains("host_unknown"), "{answer}");
    }
    let upgrade = "GET / HTTP/1.1\r\nHost: evil.example\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let answer = raw(&daemon, upgrade, "").await;
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}

#[tokio::test]
async fn pages_of_origins_that_are_not_let_in_are_refused() {
    let origin = "https://app.example";
    let daemon = Daemon::start(&["--ephemeral", "--http-port=0", "--cors", origin]);
    let own = format!("http://{}", daemon.address);
    let host = daemon.address;
    let ask = async |method: &str, headers: &str| {
        let head = format!("{method} /graphql HTTP/1.1\r\nHost: {host}\r\n{headers}");
        let json = "Content-Type: application/json";
        let head = format!("{head}{json}");
        raw(&daemon, &head, r#"{"query":"{ __typename }"}"#).await
    };

    for let_in in [
        String::new(),
        format!("Origin: {origin}\r\n"),
        format!("Origin: {own}\r\n"),
    ] {
        let answer = ask("POST", &let_in).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{let_in}: {answer}");
    }
    for foreign in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
    ] {
        let answer = ask("POST", &format!("{foreign}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{foreign}: {answer}");
        assert!(answer.contains("origin_refused"), "{answer}");
        assert!(!answer.contains("Access-Control-Allow-Origin"), "{answer}");
    }
    let asked = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
    let preflight = ask("OPTIONS", &asked).await;
    assert!(
        preflight.contains(&format!("Access-Control-Allow-Origin: {origin}")),
        "{preflight}"
    );
}

/// A page can send these without that its browser asks the node first.
#[rstest]
#[case::none(None)]
#[case::text(Some("text/plain"))]
#[case::form(Some("application/x-www-form-urlencoded"))]
#[case::parts(Some("multipart/form-data; boundary=x"))]
#[tokio::test]
async fn no_page_writes_without_that_its_browser_asks(#[case] kind: Option<&str>) {
    let node = TestNode::start().await;
    let submission = Author::new(1).first(&piece(b"unasked"));
    let graphql = json!({ "query": PUBLISH, "variables": encoded(&submission) });
    let params = json!({
        "entryEncoded": hex::encode(submission.entry().bytes()),
        "operationEncoded": hex::encode(submission.payload()),
    });
    let rpc =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_publishEntry", "params": params });
    let post = |path: &str, body: &Value, origin: Option<&str>| -> Request<String> {
        let mut request = build(Method::POST, path, body.to_string());
        let headers = request.headers_mut();
        if let Some(kind) = kind {
            headers.insert("content-type", kind.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        request
    };

    for (path, body) in [("/graphql", &graphql), ("/", &rpc)] {
        for origin in ["https://evil.example", "null"] {
            let refused = node.request(post(path, body, Some(origin))).await;
            assert_eq!(refused.status(), 415, "{}", refused.body());
            assert!(
                refused.body().contains("content_type"),
                "{}",
                refused.body()
            );
        }
    }
    assert!(node.is_empty().await);

    // What is no browser sends what it likes, as published clients do.
    let answer = node.request(post("/graphql", &graphql, None)).await;
    assert_eq!(answer.status(), 200);
    assert!(!node.is_empty().await);
}

/// One socket with all the subscriptions that there may be, then another client at the same address.
#[tokio::test]
async fn who_has_many_subscriptions_leaves_one_to_others() {
    let mut limits = Limits::default();
    limits.subscriptions_max = 8;
    let node = TestNode::with(limits).await;
    let query = "subscription { all_blob_v1 { cursor } }";
    let mut greedy = GraphSocket::connect(node.address).await;
    for number in 0..8 {
        greedy.start(&number.to_string(), query).await;
    }
    greedy.settled().await;

    let mut modest = GraphSocket::connect(node.address).await;
    modest.start("own", query).await;
    modest.settled().await;

    let id = Author::new(1).publish(&node, &piece(b"x")).await;
    let fields = vec![
        ("length", grove_core::types::PlainValue::Int(1)),
        ("mime_type", http_support::str("text/plain")),
        (
            "pieces",
            grove_core::types::PlainValue::ViewIds(vec![id.into()]),
        ),
    ];
    let blob = grove_core::types::SchemaId::BLOB;
    Author::new(1).create(&node, &blob, fields).await;
    let event = tokio::time::timeout(Duration::from_secs(20), modest.next("own")).await;
    assert!(event.is_ok(), "the modest client hears of it");
}

#[tokio::test]
async fn idle_sockets_give_way() {
    let mut limits = Limits::default();
    limits.sockets_max = 4;
    let node = TestNode::with(limits).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(Socket::open(node.address).await);
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;

    let mut next = Socket::open(node.address).await;

    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getStatus" });
    next.send_json(&call).await;
    assert_eq!(next.json().await["id"], 1);
    assert_eq!(idle[0].close_code().await, Some(1001));
}
