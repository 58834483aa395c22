//! What holds for every route: methods, cross-origin requests, sizes, health, and bounds on queries.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_node::http::Limits;
use http_support::{Author, TestNode, build, piece};
use hyper::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[rstest]
#[case("/")]
#[case("/graphql")]
#[case("/healthz")]
#[case("/nothing")]
#[tokio::test]
async fn any_origin_may_ask_on_any_route(#[case] path: &str) {
    let node = TestNode::start().await;
    let mut preflight = build(Method::OPTIONS, path, "");
    let headers = preflight.headers_mut();
    headers.insert("origin", "https://somewhere.example".parse().unwrap());
    headers.insert("access-control-request-method", "POST".parse().unwrap());
    headers.insert(
        "access-control-request-headers",
        "content-type,x-own".parse().unwrap(),
    );
    let mut post = build(Method::POST, path, "{}");
    post.headers_mut()
        .insert("origin", "https://somewhere.example".parse().unwrap());

    let preflight = node.request(preflight).await;
    let post = node.request(post).await;

    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "*");
    let methods = preflight.headers()["access-control-allow-methods"]
        .to_str()
        .unwrap();
    assert!(methods.contains("POST"), "{methods}");
    assert_eq!(post.headers()["access-control-allow-origin"], "*");
}

/// Names mean the same in any case, but some clients look for them as they were written first.
#[tokio::test]
async fn header_names_go_out_in_title_case() {
    let node = TestNode::start().await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let head = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();

    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nContent-Type: text/html"), "{head}");
    for line in head.lines().skip(1) {
        assert!(
            line.starts_with(|first: char| first.is_ascii_uppercase()),
            "{line}"
        );
    }
}

/// Java's HttpClient and `curl --http2` offer to go on in HTTP/2.
#[rstest]
#[case::http2("h2c", "Upgrade, HTTP2-Settings")]
#[case::tls("TLS/1.0", "upgrade")]
#[case::not_on_this_connection("websocket", "keep-alive")]
#[tokio::test]
async fn protocols_that_are_not_spoken_are_ignored(
    #[case] upgrade: &str,
    #[case] connection: &str,
) {
    let node = TestNode::start().await;
    let post = "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}";
    for (method, path, body) in [
        (Method::GET, "/", ""),
        (Method::POST, "/", post),
        (Method::GET, "/graphql", ""),
        (Method::POST, "/graphql", "{\"query\":\"{ __typename }\"}"),
        (Method::GET, "/healthz", ""),
        (Method::GET, "/nothing", ""),
    ] {
        let mut request = build(method.clone(), path, body);
        let headers = request.headers_mut();
        headers.insert("connection", connection.parse().unwrap());
        headers.insert("upgrade", upgrade.parse().unwrap());
        headers.insert("http2-settings", "AAEAAEAAAAIAAAAA".parse().unwrap());

        let offered = node.request(request).await;
        let plain = node.request(build(method.clone(), path, body)).await;

        assert_eq!(offered.status(), plain.status(), "{method} {path}");
        assert_eq!(offered.body(), plain.body(), "{method} {path}");
    }
}

#[rstest]
#[case(Method::GET, "/", 200)]
#[case(Method::HEAD, "/", 200)]
#[case(Method::PUT, "/", 405)]
#[case(Method::GET, "/graphql", 200)]
#[case(Method::HEAD, "/graphql", 200)]
#[case(Method::PUT, "/graphql", 405)]
#[case(Method::GET, "/graphql/", 404)]
#[case(Method::GET, "/healthz", 200)]
#[case(Method::GET, "/nothing", 404)]
#[tokio::test]
async fn routes_answer_the_methods_they_have(
    #[case] method: Method,
    #[case] path: &str,
    #[case] status: u16,
) {
    let node = TestNode::start().await;

    let response = node.request(build(method.clone(), path, "")).await;

    assert_eq!(response.status(), status);
    assert!(method != Method::HEAD || response.body().is_empty());
}

#[tokio::test]
async fn health_tells_that_the_store_answers() {
    let node = TestNode::start().await;
    let response = node.get("/healthz").await;
    let body: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(body["status"], "ok");
}

#[tokio::test]
async fn the_playground_loads_nothing_from_elsewhere() {
    let node = TestNode::start().await;

    let mut request = build(Method::GET, "/graphql?query={__typename}", "");
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let headers = request.headers_mut();
    headers.insert("accept", browser.parse().unwrap());
    let response = node.request(request).await;

    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for foreign in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!response.body().contains(foreign), "{foreign}");
    }
}

#[rstest]
#[case::no_json("{\"query\":")]
#[case::empty("")]
#[case::batch("[{\"query\":\"{__typename}\"}]")]
#[case::null_query("{\"query\":null}")]
#[case::text_variables("{\"query\":\"{__typename}\",\"variables\":\"{}\"}")]
#[case::bare("{ __typename }")]
#[tokio::test]
async fn undecodable_graphql_bodies_are_400(#[case] body: &str) {
    let node = TestNode::start().await;

    let response = node.post("/graphql", body).await;

    assert_eq!(response.status(), 400);
    let body: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "request_malformed");
}

#[rstest]
#[case(
    "{\"query\":\"{__typename}\",\"variables\":null,\"operationName\":null,\"extensions\":null}"
)]
#[case("{\"query\":\"query X() {__typename}\",\"unknown\":[]}")]
#[tokio::test]
async fn nulls_and_unknown_members_do_no_harm(#[case] body: &str) {
    let node = TestNode::start().await;

    let response = node.post("/graphql", body).await;

    assert_eq!(response.status(), 200);
    let body: Value = serde_json::from_str(response.body()).unwrap();
    assert_eq!(body, json!({ "data": { "__typename": "Query" } }));
}

fn small() -> Limits {
    let mut limits = Limits::default();
    limits.body_size_max = 4096;
    limits.query_fields_max = 50;
    limits.answer_size_max = 4096;
    limits.batch_len_max = 2;
    limits
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let node = TestNode::with(small()).await;
    let padding = " ".repeat(4096);

    let graphql = node
        .post(
            "/graphql",
            format!("{{\"query\":\"{{__typename}}\"{padding}}}"),
        )
        .await;
    let rpc = node
        .post("/", format!("{{\"jsonrpc\":\"2.0\"{padding}}}"))
        .await;

    assert_eq!(
        (graphql.status().as_u16(), rpc.status().as_u16()),
        (413, 413)
    );
    assert!(graphql.body().contains("request_too_large"));
}

#[tokio::test]
async fn queries_beyond_the_limits_are_refused() {
    let node = TestNode::with(small()).await;
    let author = Author::new(1);
    for number in 0..4 {
        author.publish(&node, &piece(&[number; 500])).await;
    }
    let double = (1..20).fold(String::new(), |text, n| {
        format!(
            "{text} fragment f{n} on Query {{ ...f{} ...f{} }}",
            n + 1,
            n + 1
        )
    });

    let aliases: String = (0..4).map(|n| format!("a{n}: data ")).collect();

    for query in [
        format!("{{ {} }}", "__typename ".repeat(51)),
        format!("{{ ...f1 }} {double} fragment f20 on Query {{ __typename }}"),
        "{ all_blob_piece_v1 { documents { cursor fields { data } } } }".to_owned(),
        format!(
            "{{ all_blob_piece_v1(first: 1) {{ documents {{ fields {{ {} }} }} }} }}",
            aliases
        ),
        format!("{{ a(b: {}{}) }}", "[".repeat(200), "]".repeat(200)),
        "{ __schema { types { fields { type { fields { name } } } } } }".to_owned(),
        "{ a ".repeat(40) + "b" + &"} ".repeat(40),
    ] {
        assert_eq!(
            node.query_error(&query).await,
            "request_too_large",
            "{query:.80}"
        );
    }
    let enough = "{ c: all_blob_piece_v1(first: 2) { totalCount } }";
    assert_eq!(
        node.query(enough).await,
        json!({ "c": { "totalCount": 4 } })
    );
}

#[tokio::test]
async fn batches_beyond_the_limit_are_refused() {
    let node = TestNode::with(small()).await;
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "panda_queryEntries", "params": ["blob_v1"] });

    let two = node.post("/", json!([call, call]).to_string()).await;
    let three = node.post("/", json!([call, call, call]).to_string()).await;

    assert!(
        serde_json::from_str::<Value>(two.body())
            .unwrap()
            .is_array()
    );
    assert!(serde_json::from_str::<Value>(three.body()).unwrap()["error"]["code"].is_i64());
}

#[tokio::test]
async fn introspection_describes_every_type() {
    let node = TestNode::start().await;

    let data = node.query(
        "{ __schema { queryType { name } mutationType { name } types { name kind fields { name
            args { name type { name ofType { name } } } type { kind name ofType { kind name } } } } } }",
    );

    let schema = &data.await["__schema"];
    assert_eq!(schema["mutationType"]["name"], "MutationRoot");
    let types = schema["types"].as_array().unwrap();
    for name in [
        "blob_v1",
        "blob_v1Fields",
        "blob_v1Collection",
        "blob_v1Item",
        "PublicKey",
        "Cursor",
    ] {
        assert!(types.iter().any(|of| of["name"] == name), "{name}");
    }
}

#[tokio::test]
async fn answers_carry_no_date_when_told_so() {
    let mut limits = Limits::default();
    limits.date_header = false;

    let simulated = TestNode::with(limits).await.get("/healthz").await;
    let deployed = TestNode::start().await.get("/healthz").await;

    assert!(!simulated.headers().contains_key("date"));
    assert!(deployed.headers().contains_key("date"));
}
