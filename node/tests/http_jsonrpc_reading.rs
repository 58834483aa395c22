//! Reading entries and logs over JSON-RPC, subscribing to them, and publishing until it shows.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::time::Duration;

use grove_core::types::SchemaId;
use grove_node::http::Limits;
use http_support::site::Site;
use http_support::socket::Socket;
use http_support::{Author, TestNode, encoded, piece};
use serde_json::{Value, json};

/// A WebSocket of JSON-RPC, by which one subscribes.
struct RpcSocket {
    socket: Socket,
    /// Notifications that came while an answer was waited for.
    notices: Vec<Value>,
}

impl RpcSocket {
    async fn open(node: &TestNode) -> Self {
        Self {
            socket: Socket::open(node.address).await,
            notices: Vec::new(),
        }
    }

    /// Calls a method; its whole answer.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.socket.send_json(&call).await;
        loop {
            let message = self.socket.json().await;
            if message["id"] == 1 {
                return message;
            }
            self.notices.push(message);
        }
    }

    /// Subscribes; the id.
    async fn subscribe(&mut self, method: &str, params: Value) -> String {
        let answer = self.call(method, params).await;
        let id = answer["result"].as_str();
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// What the next notification holds, which is of this subscription.
    async fn notice(&mut self, method: &str, id: &str) -> Value {
        let message = match self.notices.is_empty() {
            true => self.socket.json().await,
            false => self.notices.remove(0),
        };
        assert_eq!(message["method"], method, "{message}");
        assert_eq!(message["params"]["subscription"], id, "{message}");
        message["params"]["result"].clone()
    }
}

#[tokio::test]
async fn new_entries_are_told_until_nobody_wants_them() {
    let site = Site::start().await;
    let mut socket = RpcSocket::open(&site.node).await;
    let all = socket.subscribe("panda_subscribeEntries", json!({})).await;
    let params = json!({ "schema": site.venue.to_string() });
    let venues = socket.subscribe("panda_subscribeEntries", params).await;
    assert_eq!((all.as_str(), venues.as_str()), ("0", "1"));

    let blob = site.author.publish(&site.node, &piece(b"one")).await;
    let entry = socket.notice("panda_entries", &all).await;
    assert_eq!(entry["entryHash"], blob.to_string());
    assert_eq!(entry["document"], blob.to_string());
    assert_eq!(entry["schema"], "blob_piece_v1");

    let ended = socket.call("panda_unsubscribeEntries", json!([all])).await;
    assert_eq!(ended["result"], true);
    site.author.publish(&site.node, &piece(b"two")).await;
    let venue = site.venue("Alpha", 1, 1.0).await;
    let entry = socket.notice("panda_entries", &venues).await;
    assert_eq!(entry["entryHash"], venue.to_string());
    let ended = socket.call("panda_unsubscribeEntries", json!([all])).await;
    assert_eq!(ended["result"], false);
}

#[tokio::test]
async fn entries_go_on_behind_a_position() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let mut ids = Vec::new();
    for number in 0..40u8 {
        ids.push(author.publish(&node, &piece(&[number])).await.to_string());
    }
    let page = node.rpc("panda_getEntries", json!({ "first": 3 })).await;
    let mut socket = RpcSocket::open(&node).await;
    let params = json!({ "after": page["result"]["next"] });

    let id = socket.subscribe("panda_subscribeEntries", params).await;

    for expected in &ids[3..] {
        let entry = socket.notice("panda_entries", &id).await;
        assert_eq!(entry["entryHash"], *expected);
    }
    let live = author.publish(&node, &piece(b"live")).await;
    let entry = socket.notice("panda_entries", &id).await;
    assert_eq!(entry["entryHash"], live.to_string());
}

#[tokio::test]
async fn documents_are_told_as_they_change() {
    let site = Site::start().await;
    let venue = site.venue("Alpha", 1, 1.0).await;
    let schema = site.venue.to_string();
    let mut socket = RpcSocket::open(&site.node).await;
    let one = json!({ "schema": schema, "id": venue.to_string() });
    let one = socket.subscribe("panda_subscribeDocuments", one).await;
    let now = socket.notice("panda_documents", &one).await;
    assert_eq!(now["document"]["fields"]["name"], "Alpha");
    let large = json!({ "schema": schema, "filter": { "seats": { "gt": 5 } } });
    let large = socket.subscribe("panda_subscribeDocuments", large).await;

    let other = site.venue("Beta", 9, 1.0).await;
    let told = socket.notice("panda_documents", &large).await;
    assert_eq!(
        (&told["id"], &told["matches"]),
        (&other.to_string().into(), &true.into())
    );
    site.author.delete(&site.node, &site.venue, venue).await;

    let mut told = Vec::new();
    for _ in 0..2 {
        let message = socket.socket.json().await;
        assert_eq!(message["params"]["result"]["deleted"], true);
        told.push(message["params"]["subscription"].clone());
    }
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [one, large]);
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_refused() {
    let mut limits = Limits::default();
    limits.subscriptions_max = 2;
    limits.subscriptions_per_socket_max = 2;
    let node = TestNode::with(limits).await;
    let mut socket = RpcSocket::open(&node).await;
    let nowhere = format!("venue_0020{}", "00".repeat(32));
    let refused = [
        (
            "panda_subscribeEntries",
            json!({ "after": "x" }),
            "cursor_invalid",
        ),
        (
            "panda_subscribeEntries",
            json!({ "schema": "x" }),
            "schema_id_malformed",
        ),
        ("panda_subscribeDocuments", json!({}), "request_malformed"),
        (
            "panda_subscribeDocuments",
            json!({ "schema": nowhere }),
            "schema_not_found",
        ),
    ];
    for (method, params, code) in refused {
        let answer = socket.call(method, params).await;
        assert_eq!(answer["error"]["data"]["code"], code, "{answer}");
    }
    let over_http = node.rpc("panda_subscribeEntries", json!({})).await;
    assert!(over_http["error"]["code"].is_i64(), "{over_http}");

    socket.subscribe("panda_subscribeEntries", json!({})).await;
    let mut other = RpcSocket::open(&node).await;
    let last = other.subscribe("panda_subscribeEntries", json!({})).await;
    let answer = other.call("panda_subscribeEntries", json!({})).await;
    assert_eq!(answer["error"]["data"]["code"], "node_busy", "{answer}");

    // The place is free again once the subscription has noticed its end.
    other.call("panda_unsubscribeEntries", json!([last])).await;
    let patience = std::time::Instant::now();
    while socket.call("panda_subscribeEntries", json!({})).await["error"].is_object() {
        assert!(patience.elapsed() < Duration::from_secs(20), "still taken");
    }
    let answer = socket.call("panda_subscribeEntries", json!({})).await;
    assert!(answer["error"]["code"].is_i64(), "{answer}");
}

#[tokio::test]
async fn notifications_are_of_the_form_that_is_described() {
    let site = Site::start().await;
    let discovered = site.node.rpc("rpc.discover", Value::Null).await;
    let described = discovered["result"]["x-notifications"].as_array().unwrap();
    let mut socket = RpcSocket::open(&site.node).await;

    for (number, notification) in described.iter().enumerate() {
        let params = json!({ "schema": site.venue.to_string() });
        let begin = notification["begunBy"].as_str().unwrap();
        let id = socket.subscribe(begin, params).await;
        site.venue("Alpha", number as i64, 1.0).await;
        let message = socket.socket.json().await;
        let form = jsonschema::validator_for(&notification["params"]).unwrap();
        let errors: Vec<_> = form.iter_errors(&message["params"]).collect();
        assert!(errors.is_empty(), "{errors:?} in {message}");
        let end = notification["endedBy"].as_str().unwrap();
        assert_eq!(socket.call(end, json!([id])).await["result"], true);
    }
    assert_eq!(described.len(), 2);
}

#[tokio::test]
async fn stopping_ends_subscriptions() {
    let node = TestNode::start().await;
    let mut socket = RpcSocket::open(&node).await;
    socket.subscribe("panda_subscribeEntries", json!({})).await;

    node.stop().await;

    assert!(
        socket
            .socket
            .close_code()
            .await
            .is_none_or(|code| code == 1001)
    );
}

#[tokio::test]
async fn entries_come_in_pages_across_schemas() {
    let site = Site::start().await;
    let mut after = Value::Null;
    let mut walked = Vec::new();
    loop {
        let params = json!({ "after": after, "first": 4 });
        let page = site.node.rpc("panda_getEntries", params).await["result"].clone();
        let entries = page["entries"].as_array().unwrap();
        assert!(!entries.is_empty() && entries.len() <= 4);
        walked.extend(entries.iter().cloned());
        after = page["next"].clone();
        if page["hasNextPage"] == false {
            break;
        }
    }

    let whole = site.node.rpc("panda_getEntries", json!({})).await["result"].clone();
    assert_eq!(whole["entries"], Value::from(walked));
    let schemas = whole["entries"].as_array().unwrap().iter();
    let mut schemas: Vec<_> = schemas
        .map(|entry| entry["schema"].as_str().unwrap())
        .collect();
    schemas.dedup();
    assert_eq!(schemas.len(), 4);

    // At the end stands a position, behind which there will be more.
    let end = site
        .node
        .rpc("panda_getEntries", json!({ "after": after }))
        .await;
    assert_eq!(
        end["result"],
        json!({ "entries": [], "hasNextPage": false, "next": after })
    );
    let venue = site.venue("Alpha", 1, 1.0).await;
    let more = site
        .node
        .rpc("panda_getEntries", json!({ "after": after }))
        .await;
    assert_eq!(more["result"]["entries"][0]["entryHash"], venue.to_string());
}

#[tokio::test]
async fn entries_of_a_schema_come_whole_or_in_pages() {
    let mut limits = Limits::default();
    limits.answer_size_max = 100_000;
    let node = TestNode::with(limits).await;
    let author = Author::new(1);
    author.publish(&node, &piece(b"one")).await;
    let whole = node
        .rpc("panda_queryEntries", json!(["blob_piece_v1"]))
        .await;
    let members: Vec<_> = whole["result"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["entries"]);
    for number in 0..30u8 {
        author.publish(&node, &piece(&[number; 3000])).await;
    }

    let whole = node
        .rpc("panda_queryEntries", json!(["blob_piece_v1"]))
        .await;
    assert_eq!(
        whole["error"]["data"]["code"], "request_too_large",
        "{whole}"
    );

    let mut after = json!("0");
    let mut count = 0;
    loop {
        let params = json!({ "schema": "blob_piece_v1", "after": after });
        let page = node.rpc("panda_queryEntries", params).await["result"].clone();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() < 20, "a page is bounded in bytes");
        count += entries.len();
        after = page["next"].clone();
        if page["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(count, 31);
    let params = json!({ "schema": "blob_piece_v1", "first": 0 });
    let none = node.rpc("panda_queryEntries", params).await;
    assert_eq!(none["error"]["data"]["code"], "argument_invalid");
}

#[tokio::test]
async fn logs_of_an_author_come_in_pages() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let mut ids = Vec::new();
    for number in 0..3u8 {
        ids.push(author.publish(&node, &piece(&[number])).await);
    }
    let deletion = author.delete(&node, &SchemaId::BLOB_PIECE, ids[1]).await;
    let key = author.public_key();

    let first = json!({ "author": key, "first": 2 });
    let first = node.rpc("panda_getLogs", first).await["result"].clone();
    let rest = json!({ "author": key, "first": 2, "after": first["next"] });
    let rest = node.rpc("panda_getLogs", rest).await["result"].clone();

    assert_eq!(first["next"], "1");
    assert_eq!(
        first["logs"][1],
        json!({
            "logId": "1",
            "document": ids[1].to_string(),
            "schema": "blob_piece_v1",
            "seqNum": "2",
            "entryHash": deletion.to_string(),
            "ended": false,
            "isBranched": false,
            "purged": false,
        })
    );
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(rest["logs"][0]["logId"], "2");
}

#[tokio::test]
async fn publishing_waits_and_tells_of_the_document() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let params = |submission: &grove_core::validate::Submission| {
        let encoded = encoded(submission);
        json!({
            "entryEncoded": encoded["entry"], "operationEncoded": encoded["operation"],
            "timeout": 5000,
        })
    };
    let submission = author.first(&piece(b"one"));
    let id = submission.entry().operation_id();

    let created = node
        .rpc("panda_publishEntryAndWait", params(&submission))
        .await;

    assert_eq!(
        created["result"].to_string(),
        json!({
            "entryHashBacklink": id.to_string(), "entryHashSkiplink": null,
            "seqNum": "2", "logId": "0",
            "documentId": id.to_string(), "viewId": id.to_string(), "deleted": false,
        })
        .to_string()
    );
    let delete = grove_core::wire::Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous: id.into(),
    };
    let submission = author.forge(&node, &delete).await;
    let deleted = node
        .rpc("panda_publishEntryAndWait", params(&submission))
        .await;
    assert_eq!(deleted["result"]["deleted"], true);
    assert_eq!(deleted["result"]["documentId"], id.to_string());
    assert_eq!(
        deleted["result"]["viewId"],
        submission.entry().hash().to_string()
    );
}
