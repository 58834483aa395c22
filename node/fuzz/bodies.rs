//! What must hold of whatever a client sends: the bodies of the fuzz targets.
//!
//! Shared by the targets, which search for inputs, and by a test that replays those that were found. A body panics
//! where a law is broken: no answer, one that is not as its API says, a node that failed. Each asks one node, in
//! this process and on this thread, with a few documents that nothing here can change: entries are signed.

// Each target uses its own body alone.
#![allow(dead_code)]

use std::io;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use axum::body::Body as RequestBody;
use grove_core::Reason;
use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{Hash, KeyPair, LogId, PlainValue, SchemaId};
use grove_core::wire::{Fields, Operation};
use grove_node::engine::EngineSettings;
use grove_node::http::{Http, Limits, Listener, serve};
use grove_node::runtime::InlineNode;
use grove_node::store::SqliteStore;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tower::ServiceExt;

/// What must hold of any bytes.
pub(crate) type Body = fn(&[u8]);

/// All bodies by the name of their target.
pub(crate) const BODIES: [(&str, Body); 6] = [
    ("graphql", graphql),
    ("json_rpc", json_rpc),
    ("sockets", sockets),
    ("filters", filters),
    ("cursors", cursors),
    ("blob_headers", blob_headers),
];

/// How long a connection may stay when its client has left.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bytes of the one blob.
const BLOB: &[u8] = b"0123456789 and a few more";

/// A node with a schema of each kind of field, some documents of it, and a blob.
struct World {
    runtime: Runtime,
    http: Http,
    connections: mpsc::UnboundedSender<DuplexStream>,
    schema: SchemaId,
    blob: Hash,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::make()));

/// Where the connections of clients in this process come from.
struct Clients(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Clients {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        let next = self.0.recv().await;
        next.ok_or_else(|| io::Error::other("nobody connects any more"))
    }
}

/// Signs entries, each in a log of its own.
struct Author {
    key_pair: KeyPair,
    entries: Vec<Value>,
}

impl Author {
    fn create(&mut self, schema_id: &SchemaId, fields: &[(&str, PlainValue)]) -> Hash {
        let fields = fields.iter();
        let fields = fields.map(|(name, value)| ((*name).to_owned(), value.clone()));
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields: fields.collect::<Fields<PlainValue>>(),
        };
        let args = NextArgs::first(LogId::new(self.entries.len() as u64));
        let entry = forge(&self.key_pair, &args, &operation).expect("consistent arguments");
        self.entries.push(json!({
            "entryEncoded": hex::encode(entry.entry().bytes()),
            "operationEncoded": hex::encode(entry.payload()),
        }));
        entry.entry().hash()
    }
}

fn text(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

impl World {
    fn make() -> Self {
        let store = SqliteStore::in_memory().expect("a database");
        let settings = EngineSettings::new(PeerId([0; 32]));
        let (_, node) = InlineNode::new(store, settings).expect("a node");
        let http = Http::new(node, Limits::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.expect("a runtime");
        let (connections, clients) = mpsc::unbounded_channel();
        runtime.spawn(serve(
            Clients(clients),
            http.clone(),
            std::future::pending(),
        ));

        let mut author = Author {
            key_pair: KeyPair::from_seed(&[1; 32]),
            entries: Vec::new(),
        };
        let schema = define(&mut author);
        for number in 0..5 {
            author.create(&schema, &document(number));
        }
        let piece = author.create(
            &SchemaId::BLOB_PIECE,
            &[("data", PlainValue::Bytes(BLOB.to_vec()))],
        );
        let blob = author.create(
            &SchemaId::BLOB,
            &[
                ("length", PlainValue::Int(BLOB.len() as i64)),
                ("mime_type", text("text/plain")),
                (
                    "pieces",
                    PlainValue::ViewIds(vec![grove_core::types::OperationId::from(piece).into()]),
                ),
            ],
        );
        let world = Self {
            runtime,
            http,
            connections,
            schema,
            blob,
        };
        let call = call("panda_publishEntries", json!({ "entries": author.entries }));
        let (_, body) = world.post("/", call.to_string().into_bytes());
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        let results = answer["result"]["results"].as_array();
        assert!(
            results.is_some_and(|all| all.iter().all(|one| one["result"].is_object())),
            "{answer}"
        );
        world
    }

    /// The status of an answer and its body.
    fn post(&self, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request = Request::post(path).header("content-type", "application/json");
        self.ask(request.body(body.into()).expect("a request")).1
    }

    fn ask(&self, mut request: Request<RequestBody>) -> (Response<()>, (u16, Vec<u8>)) {
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("localhost"));
        self.runtime.block_on(async {
            let response = self
                .http
                .router()
                .oneshot(request)
                .await
                .expect("infallible");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a whole answer").to_bytes();
            let status = head.status.as_u16();
            (Response::from_parts(head, ()), (status, body.to_vec()))
        })
    }
}

/// Defines a schema with fields of each kind.
fn define(author: &mut Author) -> SchemaId {
    let kinds = [
        ("logo", "bytes"),
        ("name", "str"),
        ("open", "bool"),
        ("rating", "float"),
        ("seats", "int"),
        ("other", "relation(blob_v1)"),
        ("others", "pinned_relation_list(blob_v1)"),
    ];
    let fields = kinds.map(|(name, kind)| {
        let definition = [("name", text(name)), ("type", text(kind))];
        let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &definition);
        grove_core::types::OperationId::from(field).into()
    });
    let definition = [
        ("name", text("venue")),
        ("description", text("Places")),
        ("fields", PlainValue::ViewIds(fields.to_vec())),
    ];
    let definition = author.create(&SchemaId::SCHEMA_DEFINITION, &definition);
    SchemaId::Application {
        name: "venue".parse().expect("a name"),
        view_id: grove_core::types::OperationId::from(definition).into(),
    }
}

fn document(number: i64) -> [(&'static str, PlainValue); 7] {
    let id = Hash::of(&[number as u8]);
    [
        (
            "logo",
            PlainValue::Bytes(vec![number as u8; number as usize]),
        ),
        (
            "name",
            text(["Alpha", "beta", "Gamma", "delta", ""][number as usize]),
        ),
        ("open", PlainValue::Bool(number % 2 == 0)),
        (
            "rating",
            PlainValue::Float([0.5, f64::NAN, -1.0, 1e300, f64::INFINITY][number as usize]),
        ),
        (
            "seats",
            PlainValue::Int([0, -1, i64::MAX, i64::MIN, 7][number as usize]),
        ),
        ("other", PlainValue::Bytes(id.to_bytes().to_vec())),
        (
            "others",
            PlainValue::ViewIds(vec![grove_core::types::OperationId::from(id).into()]),
        ),
    ]
}

fn call(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// A code every client may rely on, and not that of a node that failed.
fn is_good_code(code: &Value) -> bool {
    let known = Reason::ALL.iter().any(|reason| *code == reason.code());
    known && *code != "store_failed" && *code != "store_damaged"
}

/// An answer of GraphQL, as it must be.
fn check_graphql((status, body): (u16, Vec<u8>)) {
    let text = String::from_utf8_lossy(&body);
    assert!(matches!(status, 200 | 400 | 413), "{status}: {text}");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let has_data = status == 200 && answer["data"].is_object();
    assert!(!errors.is_empty() || has_data, "{text}");
    for error in &errors {
        assert!(is_good_code(&error["extensions"]["code"]), "{text}");
    }
}

/// An answer of JSON-RPC, as it must be; one answer to each of a batch.
fn check_rpc((status, body): (u16, Vec<u8>)) {
    let text = String::from_utf8_lossy(&body);
    assert!(matches!(status, 200 | 400 | 413), "{status}: {text}");
    // What has no id that could be answered to is answered with nothing.
    if status == 413 || body.is_empty() || *body == *b"null" {
        return;
    }
    let answers = match serde_json::from_slice(&body).expect("JSON") {
        Value::Array(answers) => answers,
        one => vec![one],
    };
    for answer in &answers {
        assert_eq!(answer["jsonrpc"], "2.0", "{text}");
        let error = &answer["error"];
        assert!(error.is_null() != answer.get("result").is_none(), "{text}");
        let Some(code) = error["code"].as_i64() else {
            continue;
        };
        assert!((-32768..=-32000).contains(&code), "{text}");
        assert_ne!(code, -32603, "an internal error: {text}");
        assert!(
            code != -32000 || is_good_code(&error["data"]["code"]),
            "{text}"
        );
    }
}

fn world() -> std::sync::MutexGuard<'static, World> {
    WORLD.lock().expect("no law was broken before")
}

/// The text of a document; behind a zero its variables. The name of the schema may be written as `@@`.
pub(crate) fn graphql(bytes: &[u8]) {
    let world = world();
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let query = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let query = query.replace("@@", &world.schema.to_string());
    let mut request = json!({ "query": query });
    if let Some(Ok(variables)) = parts.next().map(serde_json::from_slice::<Value>) {
        request["variables"] = variables;
    }
    check_graphql(world.post("/graphql", request.to_string().into_bytes()));
}

/// The body of a request to both APIs.
pub(crate) fn json_rpc(bytes: &[u8]) {
    let world = world();
    check_rpc(world.post("/", bytes.to_vec()));
    check_graphql(world.post("/graphql", bytes.to_vec()));
}

/// What comes over a WebSocket, beginning with which one: the connection ends when its client has left, and the
/// node is there.
pub(crate) fn sockets(bytes: &[u8]) {
    let Some((which, frames)) = bytes.split_first() else {
        return;
    };
    let (path, protocol) = match which % 2 {
        0 => ("/", ""),
        _ => (
            "/graphql",
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n",
        ),
    };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n{protocol}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let world = world();
    world.runtime.block_on(async {
        let (mut client, server) = duplex(1 << 20);
        world.connections.send(server).expect("the node listens");
        client
            .write_all(head.as_bytes())
            .await
            .expect("a request is taken");
        let mut answer = vec![0; 4096];
        let read = client.read(&mut answer).await.expect("an answer comes");
        assert!(answer[..read].starts_with(b"HTTP/1.1 101 "));
        // It may be closed before everything was taken.
        let _ = client.write_all(frames).await;
        let _ = client.shutdown().await;
        let rest = tokio::time::timeout(PATIENCE, async {
            while client.read(&mut answer).await.is_ok_and(|read| read > 0) {}
        });
        assert!(rest.await.is_ok(), "a connection without a client stays");
    });
    check_graphql(world.post("/graphql", br#"{"query":"{ __typename }"}"#.to_vec()));
}

/// What a page of documents is asked for with, as an object of JSON: by both APIs, which find as many.
pub(crate) fn filters(bytes: &[u8]) {
    let Ok(Value::Object(arguments)) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let world = world();
    let schema = world.schema.to_string();
    let mut params = arguments.clone();
    params.insert("schema".to_owned(), json!(schema));
    let body = call("panda_queryDocuments", Value::Object(params)).to_string();
    check_rpc(world.post("/", body.into_bytes()));

    check_graphql(world.post("/graphql", page(&schema, &arguments).into_bytes()));
}

/// The same page by GraphQL, with variables.
fn page(schema: &str, arguments: &Map<String, Value>) -> String {
    let kind = |name: &str| match name {
        "filter" => format!("{schema}Filter"),
        "orderBy" => format!("{schema}OrderBy"),
        "meta" => "MetaFilterInputObject".to_owned(),
        "orderDirection" => "OrderDirection".to_owned(),
        "first" | "last" => "Int".to_owned(),
        _ => "Cursor".to_owned(),
    };
    let is_known = |name: &&String| {
        [
            "filter",
            "meta",
            "orderBy",
            "orderDirection",
            "first",
            "after",
            "last",
            "before",
        ]
        .contains(&name.as_str())
    };
    let names: Vec<_> = arguments.keys().filter(is_known).collect();
    let list = |each: &dyn Fn(&String) -> String| match names.as_slice() {
        [] => String::new(),
        names => format!(
            "({})",
            names
                .iter()
                .map(|name| each(name))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    let (head, given) = (
        list(&|name| format!("${name}: {}", kind(name))),
        list(&|name| format!("{name}: ${name}")),
    );
    let query = format!(
        "query Q{head} {{ all_{schema}{given} {{ totalCount endCursor documents {{ cursor fields {{ name rating }} }} }} }}"
    );
    json!({ "query": query, "variables": arguments }).to_string()
}

/// A cursor, as its text and as the bytes it stands for, of every order.
pub(crate) fn cursors(bytes: &[u8]) {
    let world = world();
    let schema = world.schema.to_string();
    for cursor in [
        String::from_utf8_lossy(bytes).into_owned(),
        hex::encode(bytes),
    ] {
        for order in [
            "DOCUMENT_ID",
            "DOCUMENT_VIEW_ID",
            "OWNER",
            "EDITED",
            "name",
            "rating",
            "seats",
            "others",
        ] {
            let place = if bytes.len().is_multiple_of(2) {
                "after"
            } else {
                "before"
            };
            let arguments = json!({ "orderBy": order, place: cursor });
            let arguments = arguments.as_object().expect("an object");
            check_graphql(world.post("/graphql", page(&schema, arguments).into_bytes()));
        }
    }
    let follow = call(
        "panda_getEntries",
        json!({ "after": String::from_utf8_lossy(bytes) }),
    );
    check_rpc(world.post("/", follow.to_string().into_bytes()));
}

/// Headers of a request for the blob, a line each; the first byte says with which method.
pub(crate) fn blob_headers(bytes: &[u8]) {
    let Some((method, lines)) = bytes.split_first() else {
        return;
    };
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
    let method = methods[usize::from(*method) % methods.len()].clone();
    let world = world();
    let mut request = Request::builder()
        .method(&method)
        .uri(format!("/blobs/{}", world.blob))
        .body(RequestBody::empty())
        .expect("a request");
    for line in lines.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            continue;
        };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            request.headers_mut().append(name, value);
        }
    }
    let (head, (status, body)) = world.ask(request);
    assert!(status < 500, "{status}");
    if method != Method::GET {
        return;
    }
    match status {
        200 => assert_eq!(body, BLOB),
        206 => {
            assert!(head.headers().contains_key("content-range"));
            assert!(
                BLOB.windows(body.len().max(1)).any(|part| part == body),
                "{body:?}"
            );
        }
        _ => {}
    }
}
