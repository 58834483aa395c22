//! What subscriptions of GraphQL tell: documents, collections and schemas as they change.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::types::{OperationId, PlainValue};
use http_support::follow::{EventStream, GraphSocket};
use http_support::site::Site;
use http_support::{Author, TestNode, encoded, piece, str};
use rstest::rstest;
use serde_json::{Value, json};

const EVENT: &str =
    "cursor documentId deleted matches document { meta { viewId } fields { name seats } }";

fn document(site: &Site, id: OperationId, after: Option<&str>) -> String {
    let after = after.map(|after| format!(", after: \"{after}\""));
    format!(
        "subscription {{ events: {}(id: \"{id}\"{}) {{ {EVENT} }} }}",
        site.venue,
        after.unwrap_or_default()
    )
}

fn collection(site: &Site, arguments: &str) -> String {
    let arguments = match arguments {
        "" => String::new(),
        some => format!("({some})"),
    };
    format!(
        "subscription {{ events: all_{}{arguments} {{ {EVENT} }} }}",
        site.venue
    )
}

fn cursor(event: &Value) -> String {
    event["cursor"].as_str().unwrap().to_owned()
}

/// Publishes what no subscription to venues tells, so that a cursor is behind something.
async fn publish_something_else(site: &Site) {
    site.author.publish(&site.node, &piece(b"other")).await;
}

#[tokio::test]
async fn a_document_is_told_now_and_whenever_it_changes() {
    let site = Site::start().await;
    let id = site.venue("Alpha", 1, 1.5).await;
    let mut events = EventStream::post(site.node.address, &document(&site, id, None)).await;

    let now = events.event().await;
    assert_eq!(
        now["document"]["fields"],
        json!({ "name": "Alpha", "seats": 1 })
    );
    assert_eq!(now["documentId"], id.to_string());
    assert_eq!(
        (&now["deleted"], &now["matches"]),
        (&false.into(), &true.into())
    );

    publish_something_else(&site).await;
    let renamed = site.rename(id, "Beta").await;
    let changed = events.event().await;
    assert_eq!(changed["document"]["meta"]["viewId"], renamed.to_string());
    assert_eq!(changed["document"]["fields"]["name"], "Beta");

    let deletion = site.author.delete(&site.node, &site.venue, renamed).await;
    let gone = events.event().await;
    let meta = json!({ "viewId": deletion.to_string() });
    assert_eq!(gone["document"], json!({ "meta": meta, "fields": null }));
    assert_eq!(
        (&gone["deleted"], &gone["matches"]),
        (&true.into(), &false.into())
    );
}

#[tokio::test]
async fn a_document_is_awaited_that_is_not_there_yet() {
    let site = Site::start().await;
    let other = Author::new(9);
    let venue = http_support::create(
        &site.venue,
        vec![
            ("logo", PlainValue::Bytes(vec![])),
            ("name", str("Late")),
            ("open", PlainValue::Bool(true)),
            ("rating", PlainValue::Float(1.0)),
            ("seats", PlainValue::Int(9)),
        ],
    );
    let submission = other.first(&venue);
    let id = submission.entry().operation_id();
    let mut events = EventStream::post(site.node.address, &document(&site, id, None)).await;
    let before = events.event().await;

    http_support::publish(&site.node, &submission).await;
    let there = events.event().await;

    assert_eq!(
        (&before["deleted"], &before["document"]),
        (&true.into(), &Value::Null)
    );
    assert_eq!(there["document"]["fields"]["name"], "Late");
}

#[tokio::test]
async fn a_collection_tells_what_meets_its_filter() {
    let site = Site::start().await;
    let mut socket = GraphSocket::connect(site.node.address).await;
    let filter = "filter: { seats: { gte: 10 } }";
    socket.start("hits", &collection(&site, filter)).await;
    let misses = format!("{filter}, misses: true");
    socket.settled().await;
    let mut all = EventStream::post(site.node.address, &collection(&site, &misses)).await;

    let small = site.venue("small", 1, 1.0).await;
    let large = site.venue("large", 10, 1.0).await;
    let seats = |seats| vec![("seats", PlainValue::Int(seats))];
    let grown = site
        .author
        .update(&site.node, &site.venue, small, seats(11))
        .await;
    let shrunk = site
        .author
        .update(&site.node, &site.venue, large, seats(2))
        .await;
    site.author.delete(&site.node, &site.venue, shrunk).await;
    site.author.delete(&site.node, &site.venue, grown).await;

    let told = |event: &Value| {
        let name = &event["document"]["fields"]["name"];
        let is = |name: &str| event[name].as_bool().unwrap();
        let who = if event["documentId"] == small.to_string() {
            "small"
        } else {
            "large"
        };
        format!("{who} {} {} {name}", is("matches"), is("deleted"))
    };
    let mut hits = Vec::new();
    for _ in 0..4 {
        hits.push(told(&socket.event("hits").await));
    }
    let expected = [
        "large true false \"large\"",
        "small true false \"small\"",
        "large false true null",
        "small false true null",
    ];
    assert_eq!(hits, expected);
    let mut everything = Vec::new();
    for _ in 0..6 {
        everything.push(told(&all.event().await));
    }
    let expected = [
        "small false false null",
        "large true false \"large\"",
        "small true false \"small\"",
        "large false false null",
        "large false true null",
        "small false true null",
    ];
    assert_eq!(everything, expected);
}

#[tokio::test]
async fn ids_and_owners_asked_for_exclude_all_others() {
    let site = Site::start().await;
    let ours = site.venue("ours", 1, 1.0).await;
    let theirs = site.venue("theirs", 1, 1.0).await;
    let meta = format!("meta: {{ documentId: {{ eq: \"{ours}\" }} }}, misses: true");
    let mut events = EventStream::post(site.node.address, &collection(&site, &meta)).await;
    let nobody = format!(
        "meta: {{ owner: {{ eq: \"{}\" }} }}",
        Author::new(7).public_key()
    );
    let mut strangers = EventStream::post(site.node.address, &collection(&site, &nobody)).await;

    site.author.delete(&site.node, &site.venue, theirs).await;
    site.author.delete(&site.node, &site.venue, ours).await;
    let stranger = Author::new(7);
    let fields = vec![
        ("logo", PlainValue::Bytes(vec![])),
        ("name", str("last")),
        ("open", PlainValue::Bool(true)),
        ("rating", PlainValue::Float(1.0)),
        ("seats", PlainValue::Int(9)),
    ];
    stranger.create(&site.node, &site.venue, fields).await;

    let told = events.event().await;
    assert_eq!(told["documentId"], ours.to_string());
    let told = strangers.event().await;
    assert_eq!(told["document"]["fields"]["name"], "last");
}

#[tokio::test]
async fn deleted_documents_can_be_all_that_is_followed() {
    let site = Site::start().await;
    let deleted = "meta: { deleted: { eq: true } }";
    let mut events = EventStream::post(site.node.address, &collection(&site, deleted)).await;

    let id = site.venue("Alpha", 1, 1.0).await;
    site.author.delete(&site.node, &site.venue, id).await;

    let told = events.event().await;
    assert_eq!(
        (&told["deleted"], &told["matches"]),
        (&true.into(), &true.into())
    );
}

#[tokio::test]
async fn a_cursor_goes_on_where_events_ended() {
    let site = Site::start().await;
    let mut events = EventStream::post(site.node.address, &collection(&site, "")).await;
    let first = site.venue("first", 1, 1.0).await;
    let seen = cursor(&events.event().await);
    drop(events);

    // Meanwhile, more than is read from the store at once.
    for number in 0..40 {
        site.venue(&format!("missed {number}"), number, 1.0).await;
        publish_something_else(&site).await;
    }
    site.rename(first, "last").await;

    let after = format!("after: \"{seen}\"");
    let mut events = EventStream::post(site.node.address, &collection(&site, &after)).await;
    for number in 0..40 {
        let name = &events.event().await["document"]["fields"]["name"];
        assert_eq!(*name, format!("missed {number}"));
    }
    assert_eq!(events.event().await["document"]["fields"]["name"], "last");
    site.rename(first, "live").await;
    assert_eq!(events.event().await["document"]["fields"]["name"], "live");
}

#[tokio::test]
async fn an_unchanged_document_is_not_told_again() {
    let site = Site::start().await;
    let id = site.venue("Alpha", 1, 1.0).await;
    let mut events = EventStream::post(site.node.address, &document(&site, id, None)).await;
    let seen = cursor(&events.event().await);
    publish_something_else(&site).await;

    let mut again = EventStream::post(site.node.address, &document(&site, id, Some(&seen))).await;
    site.rename(id, "Beta").await;
    assert_eq!(again.event().await["document"]["fields"]["name"], "Beta");

    let mut missed = EventStream::post(site.node.address, &document(&site, id, Some(&seen))).await;
    assert_eq!(missed.event().await["document"]["fields"]["name"], "Beta");
}

#[rstest]
#[case("nonsense")]
#[case("999999")]
#[case("")]
#[case("1-zz")]
#[tokio::test]
async fn what_is_no_cursor_of_this_node_is_refused(#[case] after: &str) {
    let site = Site::start().await;
    let id = site.venue("Alpha", 1, 1.0).await;
    let mut socket = GraphSocket::connect(site.node.address).await;
    let queries = [
        document(&site, id, Some(after)),
        collection(&site, &format!("after: \"{after}\"")),
        format!("subscription {{ events: schemas(after: \"{after}\") {{ id }} }}"),
    ];

    for (number, query) in queries.iter().enumerate() {
        let id = number.to_string();
        socket.start(&id, query).await;
        assert_eq!(socket.error(&id).await, "cursor_invalid");
    }
}

#[tokio::test]
async fn schemas_are_told_as_they_become_known() {
    let site = Site::start().await;
    let query = |after: &str| {
        format!(
            "subscription {{ events: schemas{after} {{ cursor id name description fields {{ name type }} }} }}"
        )
    };
    let mut venues = EventStream::post(site.node.address, &collection(&site, "")).await;
    let mut events = EventStream::post(site.node.address, &query("")).await;
    let mut known = [events.event().await, events.event().await];
    known.sort_by_key(|event| event["name"].to_string());
    assert_eq!(known[0]["id"], site.event.to_string());
    assert_eq!(known[1]["id"], site.venue.to_string());
    assert_eq!(known[1]["description"], "Made in a test");
    assert_eq!(
        known[1]["fields"][4],
        json!({ "name": "seats", "type": "int" })
    );

    let new = site
        .author
        .schema(&site.node, "new_one", &[("name", "str")])
        .await;
    let told = events.event().await;
    assert_eq!(told["id"], new.to_string());

    // What was begun before goes on, and what is told can be asked for.
    site.venue("Alpha", 1, 1.0).await;
    assert_eq!(venues.event().await["document"]["fields"]["name"], "Alpha");
    site.node
        .query(format!("{{ all_{new} {{ totalCount }} }}"))
        .await;

    let after = format!("(after: \"{}\")", cursor(&told));
    let mut again = EventStream::post(site.node.address, &query(&after)).await;
    let newer = site
        .author
        .schema(&site.node, "newer", &[("name", "str")])
        .await;
    assert_eq!(again.event().await["id"], newer.to_string());
}

#[tokio::test]
async fn relations_are_shown_and_not_followed() {
    let site = Site::start().await;
    let venue = site.venue("Alpha", 1, 1.0).await;
    let event = site.event(venue, &[]).await;
    let query = format!(
        "subscription {{ events: {}(id: \"{event}\") {{ document {{ fields {{ main {{ fields {{ name }} }} }} }} }} }}",
        site.event
    );
    let mut events = EventStream::post(site.node.address, &query).await;
    let main = |event: &Value| event["document"]["fields"]["main"]["fields"]["name"].clone();
    assert_eq!(main(&events.event().await), "Alpha");

    site.rename(venue, "Beta").await;
    let other = site.venue("Gamma", 1, 1.0).await;
    let fields = vec![("main", PlainValue::Bytes(other.hash().to_bytes().to_vec()))];
    site.author
        .update(&site.node, &site.event, event, fields)
        .await;

    assert_eq!(main(&events.event().await), "Gamma");
}

#[tokio::test]
async fn an_event_too_large_costs_only_itself() {
    let mut limits = grove_node::http::Limits::default();
    limits.answer_size_max = 4000;
    let node = TestNode::with(limits).await;
    let author = Author::new(1);
    let query =
        "subscription { events: all_blob_piece_v1 { cursor document { fields { data } } } }";
    let mut events = EventStream::post(node.address, query).await;

    author.publish(&node, &piece(&[0; 3000])).await;
    author.publish(&node, &piece(b"small")).await;

    let (name, answer) = events.next().await.unwrap();
    assert_eq!(name, "next");
    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "request_too_large"
    );
    let small = events.event().await;
    assert_eq!(small["document"]["fields"]["data"], hex::encode("small"));
}

#[tokio::test]
async fn variables_and_fragments_work_as_in_queries() {
    let site = Site::start().await;
    let id = site.venue("Alpha", 1, 1.0).await;
    let query = format!(
        "subscription Follow($id: String!, $after: String) {{ events: {}(id: $id, after: $after) {{ ...F }} }}
         fragment F on {}Event {{ document {{ fields {{ name }} }} }}",
        site.venue, site.venue
    );
    let mut socket = GraphSocket::connect(site.node.address).await;
    let payload = json!({ "query": query, "variables": { "id": id.to_string(), "after": null } });
    let message = json!({ "type": "subscribe", "id": "1", "payload": payload });

    socket.0.send_json(&message).await;

    assert_eq!(
        socket.event("1").await["document"]["fields"]["name"],
        "Alpha"
    );
}

#[rstest]
#[case(
    "subscription { a: schemas { id } b: schemas { id } }",
    "request_malformed"
)]
#[case(
    "subscription { ...F } fragment F on Subscription { a: schemas { id } b: schemas { id } }",
    "request_malformed"
)]
#[case("subscription { __typename }", "request_malformed")]
#[case("subscription { schemas { nothing } }", "request_malformed")]
#[case("subscription { blob_v1 { cursor } }", "request_malformed")]
#[case("subscription { blob_v1(id: \"x\") { cursor } }", "invalid_hex")]
#[case(
    "subscription { all_blob_v1(filter: { length: { eq: \"x\" } }) { cursor } }",
    "request_malformed"
)]
#[tokio::test]
async fn what_cannot_be_followed_is_refused_at_once(#[case] query: &str, #[case] code: &str) {
    let node = TestNode::start().await;
    let mut socket = GraphSocket::connect(node.address).await;

    socket.start("1", query).await;

    let message = socket.0.json().await;
    assert_eq!(message["type"], "error", "{message}");
    let found = message["payload"][0]["extensions"]["code"]
        .as_str()
        .unwrap();
    assert_eq!(found, code, "{message}");
}

#[tokio::test]
async fn subscriptions_are_described() {
    let site = Site::start().await;

    let query = "{ __schema { subscriptionType { name fields { name args { name } type { ofType { name } } } } } }";
    let answer = site.node.query(query).await;

    let fields = answer["__schema"]["subscriptionType"]["fields"]
        .as_array()
        .unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    let all = field(&format!("all_{}", site.venue));
    let names: Vec<_> = all["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["filter", "meta", "misses", "after"]);
    assert_eq!(
        all["type"]["ofType"]["name"],
        format!("{}Event", site.venue)
    );
    assert_eq!(field("schemas")["type"]["ofType"]["name"], "SchemaEvent");
}

#[tokio::test]
async fn publishing_can_wait_until_it_shows() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let submission = author.first(&piece(b"one"));
    let query = "mutation P($entry: String!, $operation: String!, $wait: Boolean, $timeout: Int) {
        publish(entry: $entry, operation: $operation, wait: $wait, timeout: $timeout) { seqNum } }";
    let mut variables = encoded(&submission);
    variables["wait"] = true.into();
    variables["timeout"] = 5000.into();

    let answer = node.graphql(query, variables.clone()).await;
    let again = node.graphql(query, variables.clone()).await;
    variables["timeout"] = (-1).into();
    let wrong = node.graphql(query, variables).await;

    assert_eq!(answer["data"]["publish"]["seqNum"], "2", "{answer}");
    assert_eq!(again, answer);
    assert_eq!(wrong["errors"][0]["extensions"]["code"], "argument_invalid");
}
