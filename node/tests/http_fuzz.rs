//! Requests made up at random and valid ones broken at random: every one is answered, as the APIs say,
//! and the node is as sound as before.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::sync::LazyLock;

use grove_core::Reason;
use grove_node::engine::verify;
use http_body_util::{BodyExt, Full};
use http_support::TestNode;
use http_support::site::Site;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// A node with some documents, and what a client may know of them.
struct FuzzedNode {
    runtime: Runtime,
    node: TestNode,
    /// Ids, schema ids, keys, cursors and whatever else is worth being used again.
    words: Vec<String>,
    queries: Vec<String>,
    calls: Vec<(String, Value)>,
}

static WORLD: LazyLock<FuzzedNode> = LazyLock::new(FuzzedNode::make);

impl FuzzedNode {
    fn make() -> Self {
        let runtime = Runtime::new().unwrap();
        let (node, words, queries, calls) = runtime.block_on(async {
            let site = Site::start().await;
            let one = site.venue("Alpha", 100, 4.5).await;
            let two = site.venue("beta", -1, f64::NAN).await;
            let renamed = site.rename(one, "Gamma").await;
            let event = site.event(one, &[one, two]).await;
            site.author.delete(&site.node, &site.venue, two).await;
            let (venue, show) = (site.venue.to_string(), site.event.to_string());
            let key = site.author.public_key();
            let page = format!("{{ c: all_{venue}(first: 1) {{ endCursor }} }}");
            let cursor = site.node.query(page).await["c"]["endCursor"].clone();
            let cursor = cursor.as_str().unwrap().to_owned();
            let queries = queries(&venue, &show, &key, &cursor, &one.to_string());
            let calls = calls(&site.node, &venue, &key, &one.to_string()).await;
            let words = vec![
                venue,
                show,
                key,
                cursor,
                one.to_string(),
                format!("{one}_{renamed}"),
                event.to_string(),
            ];
            (site.node, words, queries, calls)
        });
        Self {
            runtime,
            node,
            words,
            queries,
            calls,
        }
    }

    /// The answer to a request, which must come on a connection that stays open or says that it closes.
    fn ask(&self, request: Request<Full<Bytes>>) -> (u16, Bytes) {
        self.runtime.block_on(async {
            let stream = TcpStream::connect(self.node.address).await.unwrap();
            let (mut sender, connection): (SendRequest<Full<Bytes>>, _) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            let connection = tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            connection.abort();
            (head.status.as_u16(), body)
        })
    }

    fn post(&self, path: &str, body: String) -> (u16, Bytes) {
        self.ask(
            Request::post(path)
                .header("host", "localhost")
                .body(body.into())
                .unwrap(),
        )
    }

    /// Whether all that is stored is sound.
    fn is_sound(&self) -> bool {
        let findings = self.node.node.read(|store| Ok(verify(store)?));
        self.runtime.block_on(findings).unwrap().is_empty()
    }
}

/// Valid queries to be broken.
fn queries(venue: &str, show: &str, key: &str, cursor: &str, id: &str) -> Vec<String> {
    vec![
        format!("{{ {venue}(id: \"{id}\") {{ meta {{ documentId viewId owner }} fields {{ name }} }} }}"),
        format!(
            "query Q($x: Int = 5) {{ c: all_{venue}(first: $x, after: \"{cursor}\", orderBy: name, \
             orderDirection: DESC, filter: {{ name: {{ contains: \"a\" }}, seats: {{ gte: -5, \
             in: [1, 2] }}, rating: {{ lt: 5.0 }}, open: {{ eq: true }}, logo: {{ eq: \"00ff\" }} }}, \
             meta: {{ owner: {{ eq: \"{key}\" }}, edited: {{ eq: true }} }}) {{ totalCount endCursor \
             hasNextPage documents {{ cursor fields {{ name seats rating open logo }} }} }} }}"
        ),
        format!(
            "{{ all_{show} {{ documents {{ fields {{ main {{ fields {{ name }} }} pinned {{ meta {{ viewId \
             }} }} tour(first: 2, filter: {{ seats: {{ gt: 0 }} }}) {{ totalCount documents {{ fields \
             {{ name }} }} }} tour_pinned {{ documents {{ meta {{ documentId }} }} }} }} }} }} }}"
        ),
        format!("query ($k: String!) {{ nextArgs(publicKey: $k, viewId: \"{id}\") {{ logId seqNum }} }}"),
        "mutation { publish(entry: \"00\", operation: \"84\") { seqNum } }".to_owned(),
        "query { ...a } fragment a on Query { __typename ...b } fragment b on Query { __typename }".to_owned(),
        "{ __schema { types { name fields { name args { name } } } } __type(name: \"Query\") { name } }".to_owned(),
        "{ a: __typename @include(if: true) b: __typename @skip(if: false) }".to_owned(),
    ]
}

/// Every method with parameters that mean something.
async fn calls(node: &TestNode, schema: &str, key: &str, id: &str) -> Vec<(String, Value)> {
    let document = node.rpc("rpc.discover", json!({})).await;
    let methods = document["result"]["methods"].as_array().unwrap();
    let params = json!({
        "publicKey": key, "author": key, "logId": "0", "from": "1", "first": 3, "schema": schema,
        "document": id, "documentId": id, "id": id, "viewId": id, "documents": [id, null],
        "entries": [{ "entryEncoded": "00", "operationEncoded": "84" }], "entryEncoded": "00",
        "operationEncoded": "84", "filter": { "name": { "contains": "a" } }, "meta": {},
        "orderBy": "name", "orderDirection": "DESC", "after": null,
    });
    let named = |method: &Value| {
        let wanted = method["params"].as_array().cloned().unwrap_or_default();
        let wanted = wanted
            .iter()
            .map(|param| param["name"].as_str().unwrap().to_owned());
        let given: Map<_, _> = wanted
            .map(|name| (name.clone(), params[&name].clone()))
            .collect();
        (
            method["name"].as_str().unwrap().to_owned(),
            Value::Object(given),
        )
    };
    let mut calls: Vec<_> = methods.iter().map(named).collect();
    calls.push(("rpc.discover".to_owned(), json!({})));
    calls
}

const TOKENS: [&str; 40] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "$",
    "!",
    "@",
    "\"",
    "\"\"\"",
    "...",
    "\\",
    "\\u0000",
    "#",
    ",",
    "=",
    "|",
    "&",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "9223372036854775808",
    "-0.0",
    "on",
    "query",
    "mutation",
    "subscription",
    "fragment",
    "first:",
    "after:",
    "filter:",
    "__typename",
    "id:",
    "\u{0}",
    "\u{feff}",
    "💥",
];

/// What is done to a text: at a place, so much is taken out, and a word is put in so often.
type Change = (prop::sample::Index, usize, prop::sample::Index, usize);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec(
        (
            any::<prop::sample::Index>(),
            0..12usize,
            any::<prop::sample::Index>(),
            0..4usize,
        ),
        0..6,
    )
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    let words = TOKENS
        .iter()
        .copied()
        .chain(WORLD.words.iter().map(String::as_str));
    let words: Vec<&str> = words.collect();
    for (place, taken, word, count) in changes {
        let start = place.index(text.len() + 1);
        let end = (start + taken).min(text.len());
        text.splice(start..end, word.get(&words).repeat(*count).chars());
    }
    text.into_iter().collect()
}

/// Any JSON, made of what the node knows as well as of anything.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        any::<prop::sample::Index>().prop_map(|word| word.get(&WORLD.words).as_str().into()),
        select(TOKENS.as_slice()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let names = prop_oneof![
            select(vec![
                "name",
                "seats",
                "rating",
                "open",
                "logo",
                "main",
                "tour",
                "eq",
                "notEq",
                "in",
                "notIn",
                "gt",
                "lte",
                "contains",
                "owner",
                "edited",
                "deleted",
                "documentId",
                "viewId",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,8}",
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((names, inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same as a value in a query: names of members bare.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", literal(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(literal).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

/// A code every client may rely on, and not that of a node that failed.
fn is_good_code(code: &Value) -> bool {
    let known = Reason::ALL.iter().any(|reason| *code == reason.code());
    known && *code != "store_failed"
}

/// An answer of GraphQL, as it must be.
fn check_graphql((status, body): (u16, Bytes)) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(&body);
    prop_assert!(matches!(status, 200 | 400 | 413), "{status}: {text}");
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| TestCaseError::fail("no JSON"))?;
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    prop_assert!(
        !errors.is_empty() || (status == 200 && answer["data"].is_object()),
        "{text}"
    );
    for error in &errors {
        prop_assert!(is_good_code(&error["extensions"]["code"]), "{text}");
    }
    Ok(())
}

/// An answer of JSON-RPC, as it must be; one answer to each of a batch.
fn check_rpc((status, body): (u16, Bytes)) -> Result<(), TestCaseError> {
    let text = String::from_utf8_lossy(&body);
    prop_assert!(matches!(status, 200 | 400 | 413), "{status}: {text}");
    // What has no id that could be answered to is answered with nothing.
    if status == 413 || body.is_empty() || *body == *b"null" {
        return Ok(());
    }
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| TestCaseError::fail("no JSON"))?;
    let answers = match answer {
        Value::Array(answers) => answers,
        one => vec![one],
    };
    for answer in &answers {
        prop_assert_eq!(&answer["jsonrpc"], "2.0", "{}", text);
        prop_assert!(status == 200 || answer["error"]["code"] == -32700, "{text}");
        let error = &answer["error"];
        prop_assert!(error.is_null() != answer.get("result").is_none(), "{text}");
        if error["code"] == -32000 {
            prop_assert!(is_good_code(&error["data"]["code"]), "{text}");
        } else if !error.is_null() {
            prop_assert!(
                (-32768..=-32000).contains(&error["code"].as_i64().unwrap()),
                "{text}"
            );
            prop_assert!(error["code"] != -32603, "an internal error: {text}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn broken_queries_are_answered(
        query in any::<prop::sample::Index>(),
        changes in changes(),
        variables in prop::option::of(json_value()),
    ) {
        let query: &String = query.get(&WORLD.queries);
        let query = changed(query, &changes);
        let mut body = json!({ "query": query });
        if let Some(variables) = variables {
            body["variables"] = json!({ "k": variables, "x": variables });
        }
        check_graphql(WORLD.post("/graphql", body.to_string()))?;
    }

    #[test]
    fn collections_take_any_argument(
        arguments in vec((select(vec![
            "filter", "meta", "orderBy", "orderDirection", "first", "after",
        ]), json_value(), any::<bool>()), 0..4),
        schema in 0..2usize,
    ) {
        let mut variables = Map::new();
        let mut texts = Vec::new();
        for (number, (name, value, by_variable)) in arguments.iter().enumerate() {
            if *by_variable {
                variables.insert(format!("v{number}"), value.clone());
                texts.push(format!("{name}: $v{number}"));
            } else {
                texts.push(format!("{name}: {}", literal(value)));
            }
        }
        let declared: Vec<_> = variables.keys().map(|name| format!("${name}: String")).collect();
        let head = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
        let texts = if texts.is_empty() { String::new() } else { format!("({})", texts.join(", ")) };
        let schema = &WORLD.words[schema];
        let query = format!("query Q{head} {{ all_{schema}{texts} {{ totalCount documents {{ cursor }} }} }}");
        let body = json!({ "query": query, "variables": variables });
        check_graphql(WORLD.post("/graphql", body.to_string()))?;
    }

    #[test]
    fn broken_cursors_are_refused_or_followed(changes in changes(), schema in 0..2usize) {
        let cursor = changed(&WORLD.words[3], &changes);
        let schema = &WORLD.words[schema];
        for order in ["name", "seats", "DOCUMENT_ID", "DOCUMENT_VIEW_ID", "main"] {
            let query = format!(
                "query ($after: Cursor) {{ all_{schema}(after: $after, orderBy: {order}) {{ totalCount }} }}"
            );
            let body = json!({ "query": query, "variables": { "after": cursor } });
            check_graphql(WORLD.post("/graphql", body.to_string()))?;
        }
    }

    #[test]
    fn bodies_of_any_kind_are_answered(
        body in prop_oneof![
            json_value().prop_map(|value| value.to_string()),
            "\\PC{0,200}",
            (1..20_000usize, select(vec!["[", "{\"a\":", "[{\"query\":"]))
                .prop_map(|(depth, text)| text.repeat(depth)),
        ],
    ) {
        check_graphql(WORLD.post("/graphql", body.clone()))?;
        check_rpc(WORLD.post("/", body))?;
    }

    #[test]
    fn deep_and_wide_queries_are_answered(
        depth in 0..300usize,
        width in 0..3000usize,
        inner in select(vec!["a", "__typename", "documents", "__schema { types { name } }"]),
    ) {
        let wide: String = (0..width).map(|n| format!("a{n}: {inner} ")).collect();
        let schema = &WORLD.words[0];
        let deep = format!("{}{inner}{}", "{ fields ".repeat(depth), " }".repeat(depth));
        for query in [
            format!("{{ {wide} }}"),
            deep,
            format!("{{ all_{schema} {{ documents {{ fields {{ {wide} }} }} }} }}"),
            format!("{{ all_{schema}(filter: {}{}) {{ totalCount }} }}", "{name: ".repeat(depth), "}".repeat(depth)),
        ] {
            check_graphql(WORLD.post("/graphql", json!({ "query": query }).to_string()))?;
        }
    }

    #[test]
    fn calls_with_any_parameters_are_answered(
        calls in vec((any::<prop::sample::Index>(), vec((any::<prop::sample::Index>(), json_value()), 0..3),
            prop::option::of(json_value()), json_value()), 1..6),
        one in any::<bool>(),
    ) {
        let mut batch = Vec::new();
        for (call, replaced, instead, id) in &calls {
            let (method, mut params) = call.get(&WORLD.calls).clone();
            for (which, value) in replaced {
                if let Some(members) = params.as_object_mut()
                    && !members.is_empty()
                {
                    let name = members.keys().nth(which.index(members.len())).unwrap().clone();
                    members.insert(name, value.clone());
                }
            }
            let params = instead.clone().unwrap_or(params);
            batch.push(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        }
        let body = if one { batch.remove(0) } else { Value::from(batch) };
        check_rpc(WORLD.post("/", body.to_string()))?;
    }

    #[test]
    fn broken_calls_are_answered(call in any::<prop::sample::Index>(), changes in changes()) {
        let (method, params) = call.get(&WORLD.calls);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        check_rpc(WORLD.post("/", changed(&body.to_string(), &changes)))?;
    }

    #[test]
    fn blobs_answer_any_path_and_header(
        path in vec(prop_oneof![
            "[a-zA-Z0-9_%.~-]{0,80}",
            any::<prop::sample::Index>().prop_map(|word| word.get(&WORLD.words).clone()),
        ], 0..4),
        headers in vec((select(vec![
            "range", "if-range", "if-none-match", "if-match", "accept", "accept-encoding", "origin",
        ]), prop_oneof!["[ -~]{0,40}", "bytes=[0-9]{0,20}-[0-9]{0,20}(,[0-9-]{0,9}){0,3}"]), 0..4),
        method in select(vec![Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS]),
    ) {
        let path = format!("/blobs/{}", path.join("/"));
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Full::default()) else {
            return Err(TestCaseError::reject("no request"));
        };
        let (status, body) = WORLD.ask(request);
        prop_assert!(status < 500, "{}: {}", status, String::from_utf8_lossy(&body));
    }

    #[test]
    fn published_nonsense_is_refused_and_leaves_nothing(
        entry in vec(any::<u8>(), 0..300),
        operation in vec(any::<u8>(), 0..100),
    ) {
        let (entry, operation) = (hex::encode(entry), hex::encode(operation));
        let query = "mutation ($e: String!, $o: String!) { publish(entry: $e, operation: $o) { seqNum } }";
        let body = json!({ "query": query, "variables": { "e": entry, "o": operation } });
        check_graphql(WORLD.post("/graphql", body.to_string()))?;
        let params = json!({ "entryEncoded": entry, "operationEncoded": operation });
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_publishEntry", "params": params });
        check_rpc(WORLD.post("/", call.to_string()))?;
        prop_assert!(WORLD.is_sound());
    }
}
