//! Where GraphQL's specification speaks, the node does as it says; where published clients need more, it is
//! given to them and to nobody else. Each case was once answered differently.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::types::PlainValue;
use http_support::site::Site;
use http_support::{Author, TestNode, build, str};
use hyper::Method;
use rstest::rstest;
use serde_json::{Value, json};

async fn accepting(
    node: &TestNode,
    method: Method,
    path: &str,
    body: &str,
    accept: &str,
) -> (u16, String, String) {
    let mut request = build(method, path, body);
    let headers = request.headers_mut();
    headers.insert("accept", accept.parse().unwrap());
    let response = node.request(request).await;
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (response.status().as_u16(), kind, response.into_body())
}

/// urql 6 sends its queries by GET, and refuses event streams with a weight of nothing.
#[tokio::test]
async fn a_weight_of_nothing_refuses_events() {
    let node = TestNode::start().await;
    let path = "/graphql?query=%7B__typename%7D";
    let get = async |accept| accepting(&node, Method::GET, path, "", accept).await;
    let (json, events) = ("application/json", "text/event-stream");

    for (accept, kind) in [
        ("application/json, text/event-stream;q=0", json),
        ("text/event-stream;q=0.1, application/json", json),
        ("application/json;q=0.1, text/event-stream", events),
        ("*/*", json),
        (
            "application/graphql-response+json, application/json, text/event-stream",
            "application/graphql-response+json",
        ),
    ] {
        let (status, found, body) = get(accept).await;
        assert_eq!((status, found.as_str()), (200, kind), "{accept}");
        assert!(
            body.contains(r#"{"data":{"__typename":"Query"}}"#),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_mutation_by_get_is_not_allowed() {
    let node = TestNode::start().await;
    let path = "/graphql?query=mutation%7B__typename%7D";

    let (status, _, body) = accepting(&node, Method::GET, path, "", "application/json").await;

    assert_eq!(status, 405);
    assert!(body.contains("request_malformed"), "{body}");
}

#[tokio::test]
async fn who_names_the_newer_type_gets_its_statuses() {
    let node = TestNode::start().await;
    let post = async |query: &str, accept| {
        let body = json!({ "query": query }).to_string();
        let (status, _, body) = accepting(&node, Method::POST, "/graphql", &body, accept).await;
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let failing = "{ nextArgs(publicKey: \"ab\") { logId } }";

    for query in [
        "{",
        "{ nothing }",
        "query Q($x: Int!) { __typename @skip(if: true) a: nextArgs(publicKey: $x) { logId } }",
    ] {
        let (status, answer) = post(query, "application/graphql-response+json").await;
        assert_eq!(status, 400, "{query}");
        assert!(answer.get("data").is_none(), "{answer}");
        assert_eq!(post(query, "application/json").await.0, 200, "{query}");
        assert_eq!(post(query, "*/*").await.0, 200, "{query}");
    }
    let (status, answer) = post(failing, "application/graphql-response+json").await;
    assert_eq!((status, &answer["data"]["nextArgs"]), (200, &Value::Null));
}

#[tokio::test]
async fn other_upgrades_are_passed_over() {
    let node = TestNode::start().await;
    let mut request = build(
        Method::POST,
        "/graphql",
        json!({ "query": "{__typename}" }).to_string(),
    );
    let headers = request.headers_mut();
    headers.insert("connection", "Upgrade, HTTP2-Settings".parse().unwrap());
    headers.insert("upgrade", "h2c".parse().unwrap());
    let posted = node.request(request).await;
    let mut request = build(Method::GET, "/graphql?query={__typename}", "");
    let headers = request.headers_mut();
    headers.insert("connection", "Upgrade".parse().unwrap());
    headers.insert("upgrade", "h2c".parse().unwrap());
    let asked = node.request(request).await;

    for response in [posted, asked] {
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), r#"{"data":{"__typename":"Query"}}"#);
    }
}

/// Generated clients declare variables of the types that are described.
#[tokio::test]
async fn every_described_input_type_can_be_declared() {
    let site = Site::start().await;
    let venue = &site.venue;
    site.venue("Alpha", 100, 4.5).await;
    site.venue("beta", 50, 4.5).await;
    let query = format!(
        "query Q($filter: {venue}Filter, $meta: MetaFilterInputObject, $by: {venue}OrderBy, $to: OrderDirection) {{
            all_{venue}(filter: $filter, meta: $meta, orderBy: $by, orderDirection: $to) {{
                documents {{ fields {{ name }} }} }} }}"
    );
    let ask = async |variables: Value| site.node.graphql(&query, variables).await;

    let found = ask(
        json!({ "filter": { "seats": { "gte": 50 } }, "meta": null, "by": "name", "to": "DESC" }),
    );
    let all = ask(json!({}));
    let unknown = ask(json!({ "filter": { "nothing": { "eq": 1 } } }));
    let wrong = ask(json!({ "by": "nothing" }));

    let documents = &found.await["data"][format!("all_{venue}")]["documents"];
    assert_eq!(
        *documents,
        json!([{ "fields": { "name": "beta" } }, { "fields": { "name": "Alpha" } }])
    );
    assert!(all.await.get("errors").is_none());
    for refused in [unknown.await, wrong.await] {
        assert_eq!(
            refused["errors"][0]["extensions"]["code"],
            "request_malformed"
        );
    }
}

#[tokio::test]
async fn what_must_not_be_null_makes_all_null() {
    let site = Site::start().await;
    let venue = &site.venue;

    for (query, path) in [
        (
            format!("{{ __typename c: all_{venue}(first: 0) {{ totalCount }} }}"),
            "c",
        ),
        (
            format!("{{ c: all_{venue}(after: \"?\") {{ totalCount }} __typename }}"),
            "c",
        ),
        (
            "mutation { publish(entry: \"00\", operation: \"00\") { logId } }".to_owned(),
            "publish",
        ),
    ] {
        let answer = site.node.graphql(&query, Value::Null).await;
        assert_eq!(answer["data"], Value::Null, "{query}");
        let error = &answer["errors"][0];
        assert_eq!(error["path"], json!([path]), "{query}");
        assert!(
            error["locations"][0]["column"].as_u64().is_some(),
            "{error}"
        );
    }
}

#[rstest]
#[case::pairs(r#""😀""#)]
#[case::surrogates(r#""\ud83d\ude00""#)]
#[case::braces(r#""\u{1F600}""#)]
#[case::block("\"\"\"\n  😀\n  \"\"\"")]
#[tokio::test]
async fn every_string_of_the_grammar_is_read(#[case] literal: &str) {
    let site = Site::start().await;
    site.venue("😀", 1, 1.0).await;
    let query = format!(
        "{{ c: all_{}(filter: {{name: {{eq: {literal}}}}}) {{ totalCount }} }}",
        site.venue
    );
    assert_eq!(site.node.query(query).await["c"]["totalCount"], 1);
}

#[tokio::test]
async fn one_value_is_as_good_as_a_list_of_it() {
    let site = Site::start().await;
    let venue = &site.venue;
    site.venue("Alpha", 1, 1.0).await;

    for arguments in [
        "filter: {seats: {in: 1}}",
        "filter: {name: {in: \"Alpha\", notIn: null}}",
    ] {
        let query = format!("{{ c: all_{venue}({arguments}) {{ totalCount }} }}");
        assert_eq!(
            site.node.query(query).await["c"]["totalCount"],
            1,
            "{arguments}"
        );
    }
    let query = format!(
        "query Q($filter: {venue}Filter) {{ c: all_{venue}(filter: $filter) {{ totalCount }} }}"
    );
    let variables = json!({ "filter": { "seats": { "in": 1 } } });
    let answer = site.node.graphql(&query, variables).await;
    assert_eq!(answer["data"]["c"]["totalCount"], 1, "{answer}");
}

#[rstest]
#[case::member_twice("{ all_blob_v1(filter: {length: {eq: 1, eq: 2}}) { totalCount } }")]
#[case::argument_twice("{ all_blob_v1(first: 1, first: 2) { totalCount } }")]
#[case::unknown_directive("{ __typename @nothing }")]
#[case::directive_twice("{ __typename @skip(if: false) @skip(if: true) }")]
#[case::misplaced_directive("query @skip(if: true) { __typename }")]
#[case::fragment_unused("{ __typename } fragment f on Query { __typename }")]
#[case::fragment_twice(
    "{ ...f } fragment f on Query { __typename } fragment f on Query { __typename }"
)]
#[case::fragment_of_another("{ ...f } fragment f on DocumentMeta { owner }")]
#[case::variable_unused("query Q($x: Int) { __typename }")]
#[case::variable_of_output("query Q($x: DocumentMeta) { __typename @skip(if: $x) }")]
#[case::fields_that_differ(
    "{ a: all_blob_v1(first: 1) { totalCount } a: all_blob_v1(first: 2) { totalCount } }"
)]
#[case::definition("{ __typename } type A { b: Int }")]
#[case::object_for_leaf("query Q($x: String) { all_blob_v1(filter: $x) { totalCount } }")]
#[tokio::test]
async fn what_is_not_valid_is_refused(#[case] query: &str) {
    let node = TestNode::start().await;
    assert_eq!(
        node.query_error(query).await,
        "request_malformed",
        "{query}"
    );
}

/// Any stranger can publish such a schema, and no enum of GraphQL can hold the names of its fields.
#[tokio::test]
async fn fields_may_be_called_like_values() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let fields = [("false", "bool"), ("null", "str"), ("true", "int")];
    let words = author.schema(&node, "words", &fields).await;
    let values = vec![
        ("false", PlainValue::Bool(true)),
        ("null", str("nothing")),
        ("true", PlainValue::Int(7)),
    ];
    author.create(&node, &words, values).await;

    let orders = format!("{{ __type(name: \"{words}OrderBy\") {{ enumValues {{ name }} }} }}");
    let orders = node.query(orders).await["__type"]["enumValues"].clone();
    let found = node.query(format!(
        "{{ c: all_{words}(filter: {{null: {{eq: \"nothing\"}}, true: {{gt: 6}}}}) {{
            documents {{ fields {{ true false null }} }} }} }}"
    ));

    let names: Vec<_> = orders
        .as_array()
        .unwrap()
        .iter()
        .map(|value| &value["name"])
        .collect();
    assert_eq!(
        names,
        ["DOCUMENT_ID", "DOCUMENT_VIEW_ID", "OWNER", "EDITED"]
    );
    let shown = json!([{ "fields": { "true": 7, "false": true, "null": "nothing" } }]);
    assert_eq!(found.await["c"]["documents"], shown);
}

#[tokio::test]
async fn descriptions_mix_with_documents() {
    let site = Site::start().await;
    let venue = &site.venue;
    site.venue("Alpha", 1, 1.0).await;

    let data = site.node.query(format!(
        "{{ b: __typename c: all_{venue} {{ totalCount }} t: __type(name: \"{venue}Fields\") {{
            fields {{ name }} }} a: __schema {{ queryType {{ name }} }} }}"
    ));

    let names = ["logo", "name", "open", "rating", "seats"].map(|name| json!({ "name": name }));
    let expected = json!({
        "b": "Query",
        "c": { "totalCount": 1 },
        "t": { "fields": names },
        "a": { "queryType": { "name": "Query" } },
    });
    assert_eq!(data.await.to_string(), expected.to_string());
}

/// As deep as graphql-js allows, and to what the described schema points at.
#[tokio::test]
async fn one_type_is_described_without_the_others() {
    let site = Site::start().await;
    let (venue, event) = (&site.venue, &site.event);

    let data = site.node.query(format!(
        "query {{ __type(name: \"{event}Fields\") {{ fields {{ name type {{ name kind
            fields {{ name type {{ name }} }} }} args {{ name type {{ name kind }} }} }} }} }}"
    ));

    let fields = data.await["__type"]["fields"].clone();
    assert_eq!(fields[0]["type"]["name"], venue.to_string());
    assert_eq!(
        fields[0]["type"]["fields"][0]["type"]["name"],
        format!("{venue}Fields")
    );
    assert_eq!(fields[2]["type"]["name"], format!("{venue}Collection"));
    let filter = fields[2]["args"]
        .as_array()
        .unwrap()
        .iter()
        .find(|arg| arg["name"] == "filter");
    assert_eq!(filter.unwrap()["type"]["kind"], "INPUT_OBJECT");
}

/// The leniencies, each with the client that needs it.
#[rstest]
#[case::meli_empty_parentheses("query X() { c: all_VENUE { totalCount } }", json!({}))]
#[case::meli_quoted_enums("{ c: all_VENUE(orderBy: \"name\", orderDirection: \"DESC\") { totalCount } }", json!({}))]
#[case::meli_null_view(
    "query Q($viewId: String!) { c: all_VENUE(meta: {viewId: {eq: $viewId}}) { totalCount } }",
    json!({ "viewId": null })
)]
#[case::tauri_example_empty_list("{ c: all_VENUE(filter: {name: {notIn: []}}) { totalCount } }", json!({}))]
#[case::shirokuma_plain_texts(
    "query Q($owner: String!) { c: all_VENUE(meta: {owner: {eq: $owner}}) { totalCount } }",
    json!({ "owner": "OWNER" })
)]
#[case::lists_of_plain_texts(
    "query Q($owners: [String!]) { c: all_VENUE(meta: {owner: {in: $owners}}) { totalCount } }",
    json!({ "owners": ["OWNER"] })
)]
#[case::wide_integers("{ c: all_VENUE(filter: {seats: {lt: 9223372036854775807}}) { totalCount } }", json!({}))]
#[case::wide_variables(
    "query Q($seats: Int) { c: all_VENUE(filter: {seats: {lt: $seats}}) { totalCount } }",
    json!({ "seats": i64::MAX })
)]
#[case::texts_of_enums(
    "query Q($by: String, $to: String) { c: all_VENUE(orderBy: $by, orderDirection: $to) { totalCount } }",
    json!({ "by": "seats", "to": "ASC" })
)]
#[tokio::test]
async fn published_clients_are_given_more(#[case] query: &str, #[case] variables: Value) {
    let site = Site::start().await;
    site.venue("Alpha", 1, 1.0).await;
    let query = query.replace("VENUE", &site.venue.to_string());
    let variables = variables
        .to_string()
        .replace("OWNER", &site.author.public_key());

    let answer = site
        .node
        .graphql(&query, serde_json::from_str(&variables).unwrap())
        .await;

    assert_eq!(answer, json!({ "data": { "c": { "totalCount": 1 } } }));
}

/// And nobody else is: what is lent reaches no further.
#[rstest]
#[case("query Q($x: [String]) { all_blob_v1(orderBy: $x) { totalCount } }", json!({ "x": ["length"] }))]
#[case("query Q($x: Boolean!) { all_blob_v1(first: $x) { totalCount } }", json!({ "x": true }))]
#[case("query Q($x: String!) { nextArgs(publicKey: $x) { logId } }", json!({ "x": null }))]
#[case("{ all_blob_v1(first: 92233720368547758070) { totalCount } }", json!({}))]
#[case("{ all_blob_v1(orderBy: \"no name\") { totalCount } }", json!({}))]
#[case("{ all_blob_v1() { totalCount } }", json!({}))]
#[tokio::test]
async fn leniency_has_its_bounds(#[case] query: &str, #[case] variables: Value) {
    let node = TestNode::start().await;
    let answer = node.graphql(query, variables).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "request_malformed",
        "{answer}"
    );
}
