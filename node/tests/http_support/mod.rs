//! A node in this process behind a real socket, a plain HTTP client, and authors who publish.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[cfg(unix)]
pub(crate) mod daemon;
pub(crate) mod follow;
pub(crate) mod pieces;
pub(crate) mod s3;
#[cfg(unix)]
pub(crate) mod scripts;
pub(crate) mod site;
pub(crate) mod socket;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{DocumentViewId, KeyPair, LogId, OperationId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Operation;
use grove_node::engine::{EngineLimits, EngineSettings};
use grove_node::http::{Http, Limits, serve};
use grove_node::runtime::{InlineNode, Node};
use grove_node::store::SqliteStore;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A node with an empty database in memory, listening on a port of its own.
pub(crate) struct TestNode {
    pub address: SocketAddr,
    pub node: Node,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl TestNode {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::with_room_for(EngineLimits::default().schemas.per_author, limits).await
    }

    /// A node that knows so many schemas of one author.
    pub(crate) async fn with_room_for(schemas: u64, limits: Limits) -> Self {
        let store = SqliteStore::in_memory().unwrap();
        let mut settings = EngineSettings::new(PeerId([0; 32]));
        settings.limits.schemas.per_author = schemas;
        let (_, node) = InlineNode::new(store, settings).unwrap();
        Self::serving(node, limits).await
    }

    /// A node of any kind behind a socket.
    pub(crate) async fn over(node: Node) -> Self {
        Self::serving(node, Limits::default()).await
    }

    async fn serving(node: Node, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let http = Http::new(node.clone(), limits);
        let served = tokio::spawn(serve(listener, http, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            node,
            stop,
            served,
        }
    }

    /// Stops listening and waits until all is over.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }

    pub(crate) async fn request(&self, request: Request<String>) -> Response<String> {
        send(self.address, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response<String> {
        self.request(build(Method::GET, path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Response<String> {
        self.request(build(Method::POST, path, body)).await
    }

    /// A JSON-RPC call as published clients send it; the whole answer.
    pub(crate) async fn rpc(&self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = self.post("/", call.to_string()).await;
        assert_eq!(response.status(), 200);
        serde_json::from_str(response.body()).unwrap()
    }

    /// A GraphQL query; the whole answer, which always comes with status 200.
    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        let response = self.post("/graphql", body.to_string()).await;
        assert_eq!(response.status(), 200, "{}", response.body());
        serde_json::from_str(response.body()).unwrap()
    }

    /// A GraphQL query that succeeds; its data.
    pub(crate) async fn query(&self, query: impl Into<String>) -> Value {
        let query = query.into();
        let answer = self.graphql(&query, Value::Null).await;
        assert_eq!(answer["errors"], Value::Null, "{query}: {answer}");
        answer["data"].clone()
    }

    /// A GraphQL query that fails; the code of its first error.
    pub(crate) async fn query_error(&self, query: &str) -> String {
        let answer = self.graphql(query, Value::Null).await;
        let code = &answer["errors"][0]["extensions"]["code"];
        code.as_str()
            .unwrap_or_else(|| panic!("{query}: {answer}"))
            .to_owned()
    }

    /// How many entries all schemas together hold, as clients can see.
    pub(crate) async fn is_empty(&self) -> bool {
        self.node
            .read(|store| Ok(store.counts()?))
            .await
            .unwrap()
            .entries
            == 0
    }
}

pub(crate) fn build(method: Method, path: &str, body: impl Into<String>) -> Request<String> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(body.into())
        .unwrap()
}

/// Sends one request on a connection of its own; the answer is text.
pub(crate) async fn send(address: SocketAddr, request: Request<String>) -> Response<String> {
    let response = send_for_bytes(address, request).await;
    response.map(|body| String::from_utf8(body.to_vec()).unwrap())
}

/// Sends one request on a connection of its own.
pub(crate) async fn send_for_bytes(
    address: SocketAddr,
    mut request: Request<String>,
) -> Response<Bytes> {
    request
        .headers_mut()
        .insert("host", address.to_string().parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Response::from_parts(parts, body)
}

/// Somebody with a key who publishes through GraphQL.
pub(crate) struct Author(pub KeyPair);

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        Self(KeyPair::from_seed(&[seed; 32]))
    }

    pub(crate) fn public_key(&self) -> String {
        self.0.public_key().to_string()
    }

    pub(crate) async fn next_args(
        &self,
        node: &TestNode,
        view_id: Option<&DocumentViewId>,
    ) -> NextArgs {
        let query = "query NextArgs($publicKey: String!, $viewId: String) {
            nextArgs(publicKey: $publicKey, viewId: $viewId) { logId seqNum backlink skiplink } }";
        let variables = json!({
            "publicKey": self.public_key(),
            "viewId": view_id.map(ToString::to_string),
        });
        let answer = node.graphql(query, variables).await;
        args(&answer["data"]["nextArgs"]).unwrap_or_else(|| panic!("{answer}"))
    }

    /// The entry for an operation, not yet published.
    pub(crate) async fn forge(&self, node: &TestNode, operation: &Operation) -> Submission {
        let args = self.next_args(node, operation.previous()).await;
        forge(&self.0, &args, operation).unwrap()
    }

    /// An author's very first entry, for which nobody needs to be asked.
    pub(crate) fn first(&self, operation: &Operation) -> Submission {
        forge(&self.0, &NextArgs::first(LogId::default()), operation).unwrap()
    }

    pub(crate) async fn publish(&self, node: &TestNode, operation: &Operation) -> OperationId {
        let submission = self.forge(node, operation).await;
        let answer = publish(node, &submission).await;
        assert!(args(&answer["data"]["publish"]).is_some(), "{answer}");
        submission.entry().operation_id()
    }

    pub(crate) async fn create(
        &self,
        node: &TestNode,
        schema_id: &SchemaId,
        fields: Vec<(&str, PlainValue)>,
    ) -> OperationId {
        self.publish(node, &create(schema_id, fields)).await
    }

    /// Publishes many documents at once, each in a log of its own behind the author's last.
    pub(crate) async fn create_many(
        &self,
        node: &TestNode,
        schema_id: &SchemaId,
        documents: impl Iterator<Item = Vec<(&str, PlainValue)>>,
    ) -> Vec<OperationId> {
        let mut log_id = self.next_args(node, None).await.log_id.as_u64();
        let (mut ids, mut entries) = (Vec::new(), Vec::new());
        for fields in documents {
            let args = NextArgs::first(LogId::new(log_id));
            let submission = forge(&self.0, &args, &create(schema_id, fields)).unwrap();
            ids.push(submission.entry().operation_id());
            let entry = submission.entry().bytes().to_vec();
            entries.push((entry, submission.payload().to_vec()));
            log_id += 1;
        }
        let published = node.node.publish_all(entries).await;
        assert!(published.iter().all(Result::is_ok));
        ids
    }

    pub(crate) async fn update(
        &self,
        node: &TestNode,
        schema_id: &SchemaId,
        previous: impl Into<DocumentViewId>,
        fields: Vec<(&str, PlainValue)>,
    ) -> OperationId {
        let (schema_id, previous) = (schema_id.clone(), previous.into());
        self.publish(
            node,
            &Operation::Update {
                schema_id,
                previous,
                fields: named(fields),
            },
        )
        .await
    }

    pub(crate) async fn delete(
        &self,
        node: &TestNode,
        schema_id: &SchemaId,
        previous: impl Into<DocumentViewId>,
    ) -> OperationId {
        let (schema_id, previous) = (schema_id.clone(), previous.into());
        self.publish(
            node,
            &Operation::Delete {
                schema_id,
                previous,
            },
        )
        .await
    }

    /// Publishes field definitions and a schema definition.
    pub(crate) async fn schema(
        &self,
        node: &TestNode,
        name: &str,
        fields: &[(&str, &str)],
    ) -> SchemaId {
        let mut views = Vec::new();
        for (name, field_type) in fields {
            let field = vec![("name", str(name)), ("type", str(field_type))];
            let id = self
                .create(node, &SchemaId::SCHEMA_FIELD_DEFINITION, field)
                .await;
            views.push(DocumentViewId::from(id));
        }
        let definition = vec![
            ("description", str("Made in a test")),
            ("fields", PlainValue::ViewIds(views)),
            ("name", str(name)),
        ];
        let id = self
            .create(node, &SchemaId::SCHEMA_DEFINITION, definition)
            .await;
        SchemaId::Application {
            name: name.parse().unwrap(),
            view_id: id.into(),
        }
    }
}

/// Publishes through GraphQL; the whole answer.
pub(crate) async fn publish(node: &TestNode, submission: &Submission) -> Value {
    let query = "mutation Publish($entry: String!, $operation: String!) {
        publish(entry: $entry, operation: $operation) { logId seqNum backlink skiplink } }";
    node.graphql(query, encoded(submission)).await
}

/// The hex of an entry and its operation, as variables of `publish`.
pub(crate) fn encoded(submission: &Submission) -> Value {
    json!({
        "entry": hex::encode(submission.entry().bytes()),
        "operation": hex::encode(submission.payload()),
    })
}

fn args(value: &Value) -> Option<NextArgs> {
    let link = |name: &str| value[name].as_str().map(|hash| hash.parse().unwrap());
    Some(NextArgs {
        log_id: value["logId"].as_str()?.parse().unwrap(),
        seq_num: value["seqNum"].as_str()?.parse().unwrap(),
        backlink: link("backlink"),
        skiplink: link("skiplink"),
    })
}

pub(crate) fn create(schema_id: &SchemaId, fields: Vec<(&str, PlainValue)>) -> Operation {
    Operation::Create {
        schema_id: schema_id.clone(),
        fields: named(fields),
    }
}

fn named(fields: Vec<(&str, PlainValue)>) -> BTreeMap<String, PlainValue> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(crate) fn str(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

/// A CREATE of a system schema, so that nothing has to be published before it.
pub(crate) fn piece(data: &[u8]) -> Operation {
    create(
        &SchemaId::BLOB_PIECE,
        vec![("data", PlainValue::Bytes(data.to_vec()))],
    )
}
