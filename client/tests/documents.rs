//! Reading through both APIs, against answers written by hand: what is asked, what is made of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use grove_client::graphql::Lookup;
use grove_client::transport::{Response, TransportError};
use grove_client::{ApiError, GraphqlClient, RpcClient, Transport};
use grove_core::Reason;
use grove_core::author::{NextArgs, forge};
use grove_core::types::{
    DocumentId, Hash, KeyPair, LogId, PlainValue, Schema, SchemaId, SystemSchema,
};
use grove_core::wire::Operation;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn relation_lists_are_followed_to_their_end() {
    let node = Script::new([
        json!({ "data": { "answer": document(json!({ "list": {
            "hasNextPage": true, "endCursor": "c1", "documents": [related(1), related(2)],
        } })) } }),
        json!({ "data": { "answer": { "fields": { "list": {
            "hasNextPage": true, "endCursor": "c2", "documents": [related(2)],
        } } } } }),
        json!({ "data": { "answer": { "fields": { "list": {
            "hasNextPage": false, "endCursor": null, "documents": [],
        } } } } }),
    ]);

    let lookup = Lookup::Document(DocumentId::from(id(9)));
    let view = GraphqlClient::new(&node)
        .document(&schema(), &lookup)
        .await
        .unwrap()
        .unwrap();

    let ids = json!([id(1).to_string(), id(2).to_string(), id(2).to_string()]);
    assert_eq!(view.fields["list"], ids);
    assert_eq!(view.fields["one"], Json::Null);
    let asked = node.asked.borrow();
    assert_eq!(asked[1]["variables"]["after"], "c1");
    assert_eq!(asked[2]["variables"]["after"], "c2");
    assert_eq!(asked[1]["variables"]["viewId"], id(9).to_string());
}

#[tokio::test]
async fn pages_that_do_not_end_are_an_error() {
    let page = json!({ "data": { "answer": {
        "totalCount": 9, "hasNextPage": true, "endCursor": "same", "documents": [],
    } } });
    let node = Script::new([page.clone(), page.clone(), page]);

    let result = GraphqlClient::new(&node)
        .collection_from(&schema(), 2, None)
        .await;

    assert!(matches!(result, Err(ApiError::Answer(_))), "{result:?}");
    assert_eq!(node.asked.borrow().len(), 2);
}

#[tokio::test]
async fn a_document_that_is_gone_is_none() {
    let node = Script::new([json!({ "data": { "answer": null } })]);

    let lookup = Lookup::View(id(9).to_string().parse().unwrap());
    let found = GraphqlClient::new(&node).document(&schema(), &lookup).await;

    assert_eq!(found.unwrap(), None);
    let asked = &node.asked.borrow()[0];
    assert!(asked["query"].as_str().unwrap().contains("(viewId: $id)"));
}

#[tokio::test]
async fn refusals_keep_their_code() {
    let rpc = json!({ "jsonrpc": "2.0", "id": 1, "error": {
        "code": 0, "message": "no", "data": { "code": "document_deleted" },
    } });
    let graphql = json!({ "data": null, "errors": [
        { "message": "no", "extensions": { "code": "document_deleted" } },
    ] });
    let node = Script::new([rpc, graphql]);

    let of_rpc = RpcClient::new(&node).query_entries(&SchemaId::BLOB).await;
    let of_graphql = GraphqlClient::new(&node).query("{ a }", json!({})).await;

    for error in [of_rpc.unwrap_err(), of_graphql.unwrap_err()] {
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.reason(), Some(Reason::DocumentDeleted));
        assert_eq!(refusal.message, "no");
        assert!(!error.is_uncertain());
    }
}

#[tokio::test]
async fn nonsense_leaves_the_outcome_open() {
    for answer in [
        json!({}),
        json!([]),
        json!({ "result": { "entries": 1 } }),
        json!({ "error": {} }),
        json!({ "result": { "entries": [{ "entryBytes": "0" }] } }),
    ] {
        let node = Script::new([answer.clone(), answer]);

        let of_rpc = RpcClient::new(&node).query_entries(&SchemaId::BLOB).await;
        let of_graphql = GraphqlClient::new(&node).schema(schema().id()).await;

        assert!(of_rpc.unwrap_err().is_uncertain());
        assert!(of_graphql.unwrap_err().is_uncertain());
    }
}

#[tokio::test]
async fn entries_become_documents() {
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: [("data".to_owned(), PlainValue::Bytes(b"a".to_vec()))].into(),
    };
    let key_pair = KeyPair::from_seed(&[1; 32]);
    let submission = forge(&key_pair, &NextArgs::first(LogId::new(0)), &operation).unwrap();
    let node = Script::new(
        [json!({ "jsonrpc": "2.0", "id": 1, "result": { "entries": [{
        "author": key_pair.public_key().to_string(),
        "entryBytes": hex::encode(submission.entry().bytes()),
        "entryHash": submission.entry().hash().to_string(),
        "logId": "0",
        "payloadBytes": hex::encode(submission.payload()),
        "payloadHash": submission.entry().entry().payload_hash.to_string(),
        "seqNum": "1",
    }] } })],
    );

    let schema = Schema::system(SystemSchema::BlobPiece);
    let documents = RpcClient::new(&node).documents(&schema).await.unwrap();

    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].id, submission.entry().operation_id().into());
    assert_eq!(node.asked.borrow()[0]["params"]["schema"], "blob_piece_v1");
}

/// Answers in the order written down, and remembers what was asked.
struct Script {
    answers: RefCell<VecDeque<Json>>,
    asked: RefCell<Vec<Json>>,
}

impl Script {
    fn new<const N: usize>(answers: [Json; N]) -> Self {
        Self {
            answers: RefCell::new(answers.into()),
            asked: RefCell::default(),
        }
    }
}

impl Transport for Script {
    async fn post(&self, _path: &str, body: Bytes) -> Result<Response, TransportError> {
        let asked = serde_json::from_slice(&body).unwrap();
        self.asked.borrow_mut().push(asked);
        let answer = self.answers.borrow_mut().pop_front().unwrap();
        Ok(Response {
            status: 200,
            body: answer.to_string().into(),
        })
    }
}

fn schema() -> Schema {
    let id = format!("venue_{}", id(7)).parse().unwrap();
    let fields = [
        ("list", "relation_list(blob_v1)"),
        ("one", "relation(blob_v1)"),
    ];
    let fields = fields.map(|(name, text)| (name.parse().unwrap(), text.parse().unwrap()));
    Schema::new(id, String::new(), fields).unwrap()
}

fn document(fields: Json) -> Json {
    let id = id(9).to_string();
    json!({ "meta": { "documentId": id, "viewId": id }, "fields": fields })
}

fn related(byte: u8) -> Json {
    json!({ "meta": { "documentId": id(byte).to_string() } })
}

fn id(byte: u8) -> Hash {
    Hash::from_digest([byte; 32])
}
