//! JSON-RPC over POST and over WebSocket, as early clients speak it.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::author::{NextArgs, forge};
use grove_core::types::{DocumentViewId, LogId, PlainValue, SchemaId};
use grove_core::wire::Operation;
use http_support::site::Site;
use http_support::socket::{PING, PONG, Socket, TEXT};
use http_support::{Author, TestNode, build, encoded, piece};
use hyper::Method;
use rstest::rstest;
use serde_json::{Value, json};

async fn publish(node: &TestNode, author: &Author, operation: &Operation) -> (String, Value) {
    let submission = author.forge(node, operation).await;
    let encoded = encoded(&submission);
    let params = json!({
        "entryEncoded": encoded["entry"], "operationEncoded": encoded["operation"],
    });
    let answer = node.rpc("panda_publishEntry", params).await;
    (submission.entry().hash().to_string(), answer)
}

//= RC2 test
//= RC3 test
#[tokio::test]
async fn arguments_of_a_new_author_start_at_log_zero() {
    let node = TestNode::start().await;
    let key = Author::new(1).public_key();

    let absent = node
        .rpc("panda_getEntryArguments", json!({ "author": key }))
        .await;
    let key = Author::new(2).public_key();
    let null = json!({ "author": key, "document": null, "unknown": [1] });
    let null = node.rpc("panda_getEntryArguments", null).await;
    let key = Author::new(3).public_key();
    let by_position = node
        .rpc("panda_getEntryArguments", json!([key.to_uppercase()]))
        .await;

    let first = r#"{"entryHashBacklink":null,"entryHashSkiplink":null,"seqNum":"1","logId":"0"}"#;
    assert_eq!(absent["result"].to_string(), first);
    assert_eq!(null["result"].to_string(), first);
    assert_eq!(by_position["result"].to_string(), first);
}

/// Two who ask at once, as two tabs of a page do, would otherwise begin the same log.
//= R22 test
#[tokio::test]
async fn who_asks_a_second_time_begins_another_log_at_either_door() {
    let node = TestNode::start().await;
    let (author, other) = (Author::new(1), Author::new(2));
    let document = other.publish(&node, &piece(b"theirs")).await;
    let key = author.public_key();
    let by_rpc = async |document: Value| {
        let params = json!({ "author": key, "document": document });
        let answer = node.rpc("panda_getEntryArguments", params).await;
        answer["result"]["logId"].clone()
    };
    let by_graphql = async |view: Value| {
        let query = "query N($key: String!, $view: String) {
            nextArgs(publicKey: $key, viewId: $view) { logId } }";
        let answer = node.graphql(query, json!({ "key": key, "view": view }));
        answer.await["data"]["nextArgs"]["logId"].clone()
    };

    assert_eq!(by_rpc(Value::Null).await, "0");
    assert_eq!(by_graphql(Value::Null).await, "1");
    let theirs = json!(document.to_string());
    assert_eq!(by_graphql(theirs.clone()).await, "2");
    assert_eq!(by_rpc(theirs.clone()).await, "2", "the same document");
    let many = json!({ "author": key, "documents": [null, theirs, null] });
    let many = node.rpc("panda_getManyEntryArguments", many).await;
    let ids = [0, 1, 2].map(|at| many["result"]["results"][at]["result"]["logId"].clone());
    assert_eq!(ids, ["3", "2", "4"]);

    // The highest of those proposed is used, the others leave gaps.
    let args = NextArgs::first(LogId::new(4));
    let submission = forge(&author.0, &args, &piece(b"mine")).unwrap();
    let answer = http_support::publish(&node, &submission).await;
    assert_eq!(answer["data"]["publish"]["seqNum"], "2", "{answer}");
    assert_eq!(by_rpc(Value::Null).await, "5");
    assert_eq!(by_rpc(theirs).await, "2");
}

#[tokio::test]
async fn publishing_returns_the_arguments_of_the_next_entry() {
    let node = TestNode::start().await;
    let author = Author::new(1);

    let (hash, answer) = publish(&node, &author, &piece(b"one")).await;

    assert_eq!(
        answer["result"],
        json!({
            "entryHashBacklink": hash, "entryHashSkiplink": null, "seqNum": "2", "logId": "0",
        })
    );
    let params = json!({ "author": author.public_key(), "document": hash });
    let asked = node.rpc("panda_getEntryArguments", params).await;
    assert_eq!(asked["result"], answer["result"]);
    let new = node
        .rpc(
            "panda_getEntryArguments",
            json!([author.public_key(), null]),
        )
        .await;
    assert_eq!(new["result"]["logId"], "1");
}

#[tokio::test]
async fn entries_of_a_schema_come_back_as_published() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let submission = author.first(&piece(b"one"));
    http_support::publish(&node, &submission).await;

    let answer = node
        .rpc("panda_queryEntries", json!({ "schema": "blob_piece_v1" }))
        .await;
    let unknown = format!("nothing_{}", submission.entry().hash());
    let unknown = node
        .rpc("panda_queryEntries", json!({ "schema": unknown }))
        .await;

    let entry = json!({
        "author": author.public_key(),
        "entryBytes": hex::encode(submission.entry().bytes()),
        "entryHash": submission.entry().hash().to_string(),
        "logId": "0",
        "payloadBytes": hex::encode(submission.payload()),
        "payloadHash": submission.entry().entry().payload_hash.to_string(),
        "seqNum": "1",
    });
    assert_eq!(
        answer["result"].to_string(),
        json!({ "entries": [entry] }).to_string()
    );
    assert_eq!(unknown["result"], json!({ "entries": [] }));
}

//= DL3 test
#[tokio::test]
async fn a_deleted_document_keeps_its_entry_without_payload() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let created = author.publish(&node, &piece(b"one")).await;
    author.delete(&node, &SchemaId::BLOB_PIECE, created).await;

    let answer = node
        .rpc("panda_queryEntries", json!(["blob_piece_v1"]))
        .await;

    let entries = answer["result"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0]["payloadBytes"], Value::Null);
    assert!(entries[0]["payloadHash"].is_string() && entries[1]["payloadBytes"].is_string());
}

#[rstest]
#[case::method("panda_nothing", json!([]), -32601)]
#[case::no_author("panda_getEntryArguments", json!({}), -32602)]
#[case::not_a_string("panda_getEntryArguments", json!({ "author": 7 }), -32602)]
#[case::old_name("panda_publishEntry", json!({ "entryEncoded": "", "messageEncoded": "" }), -32602)]
#[case::snake_case("panda_publishEntry", json!({ "entry_encoded": "", "operation_encoded": "" }), -32602)]
#[tokio::test]
async fn malformed_calls_get_the_codes_of_the_protocol(
    #[case] method: &str,
    #[case] params: Value,
    #[case] code: i64,
) {
    let node = TestNode::start().await;
    assert_eq!(node.rpc(method, params).await["error"]["code"], code);
}

#[rstest]
#[case("panda_getEntryArguments", json!({ "author": "abcd" }), "key_length")]
#[case("panda_getEntryArguments", json!({ "author": "xy" }), "invalid_hex")]
#[case("panda_getEntryArguments", json!({ "author": KEY, "document": "00" }), "hash_length")]
#[case("panda_getEntryArguments", json!({ "author": KEY, "document": NOBODY }), "previous_not_found")]
#[case("panda_publishEntry", json!({ "entryEncoded": "0", "operationEncoded": "" }), "invalid_hex")]
#[case("panda_publishEntry", json!({ "entryEncoded": "", "operationEncoded": "" }), "entry_truncated")]
#[case("panda_publishEntry", json!({ "entryEncoded": "05", "operationEncoded": "80" }), "entry_tag")]
#[case("panda_queryEntries", json!({ "schema": "nope" }), "schema_id_malformed")]
#[tokio::test]
async fn refusals_carry_their_stable_code(
    #[case] method: &str,
    #[case] params: Value,
    #[case] code: &str,
) {
    let node = TestNode::start().await;

    let error = node.rpc(method, params).await["error"].clone();

    assert_eq!(error["code"], -32000);
    assert_eq!(error["data"]["code"], code);
    assert!(error["data"]["phase"].is_string());
    assert!(node.is_empty().await);
}

/// The key of the seed of ones.
const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

/// Id of a document that does not exist.
const NOBODY: &str = "0020aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test]
async fn who_would_fork_is_told_how_to_go_on() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let args = author.next_args(&node, None).await;
    let first = forge(&author.0, &args, &piece(b"one")).unwrap();
    let second = forge(&author.0, &args, &piece(b"two")).unwrap();
    let call = async |submission| {
        let encoded = encoded(submission);
        node.rpc(
            "panda_publishEntry",
            json!([encoded["entry"], encoded["operation"]]),
        )
        .await
    };

    let accepted = call(&first).await;
    let again = call(&first).await;
    let forked = call(&second).await;

    assert_eq!(accepted["result"], again["result"]);
    let data = &forked["error"]["data"];
    assert_eq!(data["code"], "would_fork");
    assert_eq!(data["existing"], first.entry().hash().to_string());
    let fresh = |log_id: &str| {
        json!({
            "entryHashBacklink": null, "entryHashSkiplink": null, "seqNum": "1", "logId": log_id,
        })
    };
    assert_eq!(data["nextArgs"], fresh("1"));
    // The next one who would begin the same log is told of another, at any door and in batches.
    let third = forge(&author.0, &args, &piece(b"three")).unwrap();
    let answer = http_support::publish(&node, &third).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "would_fork", "{answer}");
    assert_eq!(extensions["existing"], first.entry().hash().to_string());
    let plain = json!({ "logId": "2", "seqNum": "1", "backlink": null, "skiplink": null });
    assert_eq!(extensions["nextArgs"], plain);
    let many = [b"four", b"five"].map(|data| forge(&author.0, &args, &piece(data)).unwrap());
    let entries = many.each_ref().map(|submission| {
        let encoded = encoded(submission);
        json!({ "entryEncoded": encoded["entry"], "operationEncoded": encoded["operation"] })
    });
    let answer = node
        .rpc("panda_publishEntries", json!({ "entries": entries }))
        .await;
    let told = |at: usize| answer["result"]["results"][at]["error"]["nextArgs"].clone();
    assert_eq!([told(0), told(1)], ["3", "4"].map(fresh), "{answer}");
}

//= RC1 test
#[tokio::test]
async fn envelopes_follow_the_specification() {
    let node = TestNode::start().await;
    let post = async |body: &str| {
        let body = node.post("/", body).await.into_body();
        serde_json::from_str::<Value>(&body).unwrap_or(Value::Null)
    };
    let call = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "panda_getEntryArguments", "params": [KEY] });

    assert_eq!(post("{").await["error"]["code"], -32700);
    assert_eq!(post("").await["error"]["code"], -32700);
    assert_eq!(post("{}").await["error"]["code"], -32600);
    assert_eq!(post("[]").await["error"]["code"], -32600);
    assert_eq!(post(&call(json!("a")).to_string()).await["id"], "a");
    assert_eq!(
        post(&call(Value::Null).to_string()).await["id"],
        Value::Null
    );
    let wrong = call(json!(1)).to_string().replace("2.0", "1.0");
    assert_eq!(post(&wrong).await["error"]["code"], -32600);
    let batch = post(&json!([call(json!(1)), 7, call(json!(2))]).to_string()).await;
    let ids: Vec<_> = batch
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| &answer["id"])
        .collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &json!(2)]);
    assert_eq!(batch[1]["error"]["code"], -32600);
}

/// Any JSON number or string names a call, and comes back as it was written; nothing else does. The same by
/// POST and over WebSocket.
//= RC1 test
#[rstest]
#[case::negative("-1", true)]
#[case::fraction("1.5", true)]
#[case::exponent("1e400", true)]
#[case::beyond_64_bits("18446744073709551616", true)]
#[case::largest("18446744073709551615", true)]
#[case::minus_zero("-0", true)]
#[case::zero("0", true)]
#[case::empty(r#""""#, true)]
#[case::text(r#""näme 🐼""#, true)]
#[case::escapes(r#""a\u0041\n\/""#, true)]
#[case::lone_surrogate(r#""\ud800""#, true)]
#[case::nul(r#""\u0000-1""#, true)]
#[case::null("null", true)]
#[case::boolean("true", false)]
#[case::object("{}", false)]
#[case::list("[1]", false)]
#[tokio::test]
async fn calls_are_answered_by_the_name_they_have(#[case] id: &str, #[case] is_legal: bool) {
    let node = TestNode::start().await;
    let mut socket = Socket::open(node.address).await;
    let call = |id: &str, method: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":["{KEY}"]}}"#)
    };
    let named = if is_legal { id } else { "null" };
    let head = format!(r#"{{"jsonrpc":"2.0","id":{named},"#);

    for method in [
        "panda_getEntryArguments",
        "panda_nothing",
        "panda_subscribeEntries",
    ] {
        let single = call(id, method);
        let batch = format!(
            "[{},{}]",
            call(id, "panda_nothing"),
            call("7", "panda_nothing")
        );
        let posted = node.post("/", single.clone()).await.into_body();
        let posted_batch = node.post("/", batch.clone()).await.into_body();
        socket.send(TEXT, single.as_bytes()).await;
        let (_, told) = socket.receive().await.unwrap();
        socket.send(TEXT, batch.as_bytes()).await;
        let (_, told_batch) = socket.receive().await.unwrap();

        let told = String::from_utf8(told).unwrap();
        let told_batch = String::from_utf8(told_batch).unwrap();
        for answer in [&posted, &told] {
            assert!(answer.starts_with(&head), "{method}: {answer}");
        }
        for answer in [&posted_batch, &told_batch] {
            assert!(answer.starts_with(&format!("[{head}")), "{answer}");
            assert!(
                answer.contains(r#",{"jsonrpc":"2.0","id":7,"error":"#),
                "{answer}"
            );
        }
        assert_eq!(told.contains("-32600"), !is_legal, "{told}");
        assert_eq!(posted.contains("-32600"), !is_legal, "{posted}");
    }
}

#[tokio::test]
async fn what_wants_no_answer_is_done_and_gets_none() {
    let node = TestNode::start().await;
    let encoded = encoded(&Author::new(1).first(&piece(b"one")));
    let notification = json!({
        "jsonrpc": "2.0", "method": "panda_publishEntry",
        "params": [encoded["entry"], encoded["operation"]],
    });
    let call = json!({ "jsonrpc": "2.0", "id": 9, "method": "panda_nothing" });
    let mut socket = Socket::open(node.address).await;

    socket.send(TEXT, notification.to_string().as_bytes()).await;
    socket
        .send(TEXT, json!([notification]).to_string().as_bytes())
        .await;
    socket.send(TEXT, call.to_string().as_bytes()).await;
    assert_eq!(socket.json().await["id"], 9);
    let posted = node.post("/", notification.to_string()).await;

    assert_eq!(posted.body(), "null");
    assert!(!node.is_empty().await, "it was published");
}

#[tokio::test]
async fn content_type_does_not_matter() {
    let node = TestNode::start().await;
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_getEntryArguments", "params": [KEY] });

    for content_type in [
        "text/plain",
        "application/json; charset=utf-8",
        "application/cbor",
    ] {
        let mut request = build(Method::POST, "/", call.to_string());
        request
            .headers_mut()
            .insert("content-type", content_type.parse().unwrap());
        let response = node.request(request).await;
        assert!(
            response.body().contains("seqNum"),
            "{content_type}: {}",
            response.body()
        );
    }
}

#[tokio::test]
async fn web_sockets_answer_calls_and_pings() {
    let node = TestNode::start().await;
    let mut socket = Socket::open(node.address).await;
    let call =
        json!({ "jsonrpc": "2.0", "id": 5, "method": "panda_getEntryArguments", "params": [KEY] });

    socket.send(TEXT, call.to_string().as_bytes()).await;
    assert_eq!(socket.json().await["result"]["logId"], "0");
    socket.send(TEXT, b"{").await;
    assert_eq!(socket.json().await["error"]["code"], -32700);
    socket.send(PING, b"still there?").await;
    assert_eq!(
        socket.receive().await,
        Some((PONG, b"still there?".to_vec()))
    );
    socket
        .send(TEXT, json!([call]).to_string().as_bytes())
        .await;
    assert_eq!(socket.json().await[0]["id"], 5);
}

#[tokio::test]
async fn stopping_closes_web_sockets() {
    let node = TestNode::start().await;
    let mut socket = Socket::open(node.address).await;

    node.stop().await;

    while let Some((kind, _)) = socket.receive().await {
        assert_eq!(kind, http_support::socket::CLOSE);
    }
}

#[tokio::test]
async fn another_author_writes_the_document_in_a_log_of_its_own() {
    let node = TestNode::start().await;
    let (owner, guest) = (Author::new(1), Author::new(2));
    let created = owner.publish(&node, &piece(b"one")).await;

    let previous = DocumentViewId::from(created);
    let args = guest.next_args(&node, Some(&previous)).await;
    let deletion = Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous,
    };
    let (_, answer) = publish(&node, &guest, &deletion).await;

    assert_eq!((args.log_id.as_u64(), args.seq_num.as_u64()), (0, 1));
    assert_eq!(answer["result"]["seqNum"], "2");
}

#[tokio::test]
async fn many_entries_are_published_at_once() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let good = encoded(&author.forge(&node, &piece(b"one")).await);
    let other = encoded(&Author::new(2).forge(&node, &piece(b"two")).await);
    let params = |given: &Value| json!({ "entryEncoded": given["entry"], "operationEncoded": given["operation"] });
    let mut broken = params(&other);
    broken["operationEncoded"] = good["operation"].clone();

    let entries = json!({ "entries": [params(&good), broken, params(&other), params(&good)] });
    let answer = node.rpc("panda_publishEntries", entries).await;

    let results = answer["result"]["results"].as_array().unwrap();
    assert_eq!(results[0]["result"]["seqNum"], "2", "{answer}");
    assert_eq!(results[1]["error"]["code"], "payload_hash_mismatch");
    assert_eq!(results[2]["result"]["seqNum"], "2");
    assert_eq!(results[3], results[0], "a retry is no error");

    let hash = &results[0]["result"]["entryHashBacklink"];
    let documents = json!([hash, null, format!("0020{}", "a".repeat(64)), "x"]);
    let asked = json!({ "author": author.public_key(), "documents": documents });
    let answer = node.rpc("panda_getManyEntryArguments", asked).await;
    let results = answer["result"]["results"].as_array().unwrap();
    assert_eq!(results[0]["result"]["seqNum"], "2");
    assert_eq!(results[1]["result"]["logId"], "1");
    assert_eq!(results[2]["error"]["code"], "previous_not_found");
    assert_eq!(results[3]["error"]["code"], "invalid_hex");
}

#[tokio::test]
async fn logs_are_read_by_range() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let (create, _) = publish(&node, &author, &piece(b"one")).await;
    let update = |data: &[u8]| Operation::Update {
        schema_id: SchemaId::BLOB_PIECE,
        previous: create.parse::<DocumentViewId>().unwrap(),
        fields: [("data".to_owned(), PlainValue::Bytes(data.to_vec()))].into(),
    };
    let rival = author.forge(&node, &update(b"rival")).await;
    let (second, _) = publish(&node, &author, &update(b"two")).await;
    let log = json!({ "author": author.public_key(), "logId": "0" });

    let answer = node.rpc("panda_getLogEntries", log.clone()).await;
    let hashes = |answer: &Value| -> Vec<String> {
        let entries = answer["result"]["entries"].as_array().unwrap();
        let hash = |entry: &Value| entry["entryHash"].as_str().unwrap().to_owned();
        entries.iter().map(hash).collect()
    };
    assert_eq!(hashes(&answer), [create.clone(), second.clone()]);
    let range = json!({ "author": author.public_key(), "logId": "0", "from": "2", "first": 1 });
    let answer = node.rpc("panda_getLogEntries", range).await;
    assert_eq!(hashes(&answer), std::slice::from_ref(&second));
    let none = node.rpc("panda_getFork", log.clone()).await;
    assert_eq!(none["result"], Value::Null);

    let given = encoded(&rival);
    let params = json!({
        "entryEncoded": given["entry"], "operationEncoded": given["operation"],
    });
    let refused = node.rpc("panda_publishEntry", params).await;
    let data = &refused["error"]["data"];
    assert_eq!(data["code"], "would_fork");
    assert_eq!(data["existing"], second);
    assert_eq!(data["nextArgs"]["entryHashBacklink"], second);
    assert_eq!(data["nextArgs"]["seqNum"], "3");
    let none = node.rpc("panda_getFork", log.clone()).await;
    assert_eq!(
        none["result"],
        Value::Null,
        "what is refused leaves no trace"
    );
    let answer = node.rpc("panda_getLogEntries", log).await;
    assert_eq!(hashes(&answer), [create, second]);
}

#[tokio::test]
async fn documents_schemas_and_the_node_tell_of_themselves() {
    let site = Site::start().await;
    let alpha = site.venue("Alpha", i64::MAX, f64::NAN).await;
    let beta = site.venue("beta", 50, 1.5).await;

    let by_id = json!({ "schema": site.venue.to_string(), "id": alpha.to_string() });
    let answer = site.node.rpc("panda_getDocument", by_id).await;
    let fields = json!({
        "logo": "00ff", "name": "Alpha", "open": true, "rating": null, "seats": i64::MAX,
    });
    assert_eq!(answer["result"]["fields"], fields);
    let nothing = json!({ "schema": site.event.to_string(), "viewId": alpha.to_string() });
    let answer = site.node.rpc("panda_getDocument", nothing).await;
    assert_eq!(answer["result"], Value::Null);
    let neither = json!({ "schema": site.event.to_string() });
    let answer = site.node.rpc("panda_getDocument", neither).await;
    assert_eq!(answer["error"]["data"]["code"], "argument_invalid");

    let mut asked = json!({
        "schema": site.venue.to_string(), "filter": { "name": { "contains": "A" } },
        "orderBy": "seats", "first": 1,
    });
    let page = site.node.rpc("panda_queryDocuments", asked.clone()).await;
    assert_eq!(page["result"]["totalCount"], 2, "{page}");
    assert_eq!(page["result"]["documents"][0]["id"], beta.to_string());
    asked["after"] = page["result"]["endCursor"].clone();
    let page = site.node.rpc("panda_queryDocuments", asked.clone()).await;
    assert_eq!(page["result"]["documents"][0]["id"], alpha.to_string());
    assert_eq!(page["result"]["hasNextPage"], false);
    asked["orderBy"] = "nobody".into();
    let refused = site.node.rpc("panda_queryDocuments", asked).await;
    assert_eq!(refused["error"]["data"]["code"], "argument_invalid");

    let schemas = site.node.rpc("panda_getSchemas", Value::Null).await;
    let schemas = schemas["result"]["schemas"].as_array().unwrap();
    assert_eq!(schemas.len(), 2);
    assert!(
        schemas
            .iter()
            .any(|it| it["id"] == site.venue.to_string() && it["fields"]["seats"] == "int")
    );
    let status = site.node.rpc("panda_getStatus", json!({})).await;
    assert_eq!(status["result"]["schemas"], 2, "{status}");
}

/// The document and its meta-schema (OpenRPC's, from @open-rpc/meta-schema 1.14.9, Apache-2.0), whose
/// references lead to JSON Schema by another name.
async fn discovered(node: &TestNode) -> (Value, jsonschema::Validator) {
    let meta = include_str!("data/openrpc-meta-schema.json");
    let own = "https://meta.json-schema.tools";
    let standard = "http://json-schema.org/draft-07/schema#";
    let meta = meta
        .replace(
            &format!("{own}/#/definitions/JSONSchemaObject/"),
            &format!("{standard}/"),
        )
        .replace(&format!("\"{own}/\""), &format!("\"{standard}\""))
        .replace(&format!("\"{own}\""), &format!("\"{standard}\""));
    let meta = serde_json::from_str(&meta).unwrap();
    let answer = node.rpc("rpc.discover", Value::Null).await;
    (
        answer["result"].clone(),
        jsonschema::validator_for(&meta).unwrap(),
    )
}

#[tokio::test]
async fn the_service_describes_itself() {
    let site = Site::start().await;
    let venue = site.venue("Alpha", 1, 1.5).await;
    let (document, meta) = discovered(&site.node).await;

    let errors: Vec<_> = meta
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    let mut broken = document.clone();
    broken["methods"][0]["params"][0]["name"] = 7.into();
    assert!(!meta.is_valid(&broken), "the meta-schema looks at methods");

    // What is answered is of the form that was promised.
    let author = site.author.public_key();
    let forged = encoded(&site.author.forge(&site.node, &piece(b"one")).await);
    let entry = json!({
        "entryEncoded": forged["entry"], "operationEncoded": forged["operation"],
    });
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let schema = site.venue.to_string();
        let params = match name {
            "panda_getEntryArguments" => json!({ "author": author }),
            "panda_getManyEntryArguments" => json!({ "author": author, "documents": [null, "x"] }),
            "panda_publishEntry" | "panda_publishEntryAndWait" => entry.clone(),
            "panda_publishEntries" => json!({ "entries": [entry, entry] }),
            "panda_queryEntries" | "panda_queryDocuments" => json!({ "schema": schema }),
            "panda_getLogEntries" | "panda_getFork" => json!({ "author": author, "logId": "0" }),
            "panda_getDocument" => json!({ "schema": schema, "id": venue.to_string() }),
            "panda_getSchemas" | "panda_getStatus" | "panda_getEntries" | "panda_getPeers" => {
                json!({})
            }
            "panda_getLogs" => json!({ "author": author }),
            // Only over WebSocket.
            name if name.contains("ubscribe") => continue,
            other => panic!("{other} is not tried here"),
        };
        let answer = site.node.rpc(name, params).await;
        let result = jsonschema::validator_for(&method["result"]["schema"]).unwrap();
        let errors: Vec<_> = result.iter_errors(&answer["result"]).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} in {answer}");
    }
}

#[tokio::test]
async fn pages_have_an_end_whatever_is_asked() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    for number in 0..101u8 {
        publish(&node, &author, &piece(&[number])).await;
    }
    let asked = json!({ "schema": "blob_piece_v1", "first": u32::MAX });

    let page = node.rpc("panda_queryDocuments", asked).await;

    assert_eq!(page["result"]["documents"].as_array().unwrap().len(), 100);
    assert_eq!(page["result"]["hasNextPage"], true);
    assert_eq!(page["result"]["totalCount"], 101);
}
