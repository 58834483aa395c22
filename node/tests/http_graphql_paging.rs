//! Pages in both directions, as clients write and get them, and walks while others publish.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::collections::BTreeSet;

use grove_core::session::PeerId;
use grove_core::types::{OperationId, PlainValue};
use grove_node::engine::EngineSettings;
use grove_node::runtime::{Stop, ThreadedNode};
use grove_node::store::SqliteStore;
use http_support::site::Site;
use http_support::{Author, TestNode, str};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a page tells, with the names of its documents.
#[derive(Debug, PartialEq)]
struct Page {
    names: Vec<String>,
    previous: bool,
    next: bool,
}

fn page(names: &[&str], previous: bool, next: bool) -> Page {
    Page {
        names: names.iter().map(ToString::to_string).collect(),
        previous,
        next,
    }
}

const ASKED: &str = "totalCount startCursor endCursor hasPreviousPage hasNextPage
    documents { cursor fields { name } meta { documentId } }";

/// A page and the places where it begins and ends.
fn read(collection: &Value) -> (Page, Value, Value) {
    let documents = collection["documents"].as_array().unwrap();
    let cursor = |document: Option<&Value>| document.map_or(Value::Null, |it| it["cursor"].clone());
    assert_eq!(collection["startCursor"], cursor(documents.first()));
    assert_eq!(collection["endCursor"], cursor(documents.last()));
    let names = documents
        .iter()
        .map(|it| it["fields"]["name"].as_str().unwrap().to_owned());
    let page = Page {
        names: names.collect(),
        previous: collection["hasPreviousPage"].as_bool().unwrap(),
        next: collection["hasNextPage"].as_bool().unwrap(),
    };
    (
        page,
        collection["startCursor"].clone(),
        collection["endCursor"].clone(),
    )
}

async fn five() -> (Site, Vec<OperationId>) {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for (number, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        ids.push(site.venue(name, number as i64 / 2, 1.5).await);
    }
    (site, ids)
}

//= QU4 test
#[tokio::test]
async fn pages_are_turned_in_both_directions() {
    let (site, _) = five().await;
    let ask = async |arguments: String| {
        let query = format!(
            "{{ c: all_{}(orderBy: name, {arguments}) {{ {ASKED} }} }}",
            site.venue
        );
        let data = site.node.query(&query).await;
        assert_eq!(data["c"]["totalCount"], 5, "of all pages");
        read(&data["c"])
    };

    let (first, _, end) = ask("first: 2".to_owned()).await;
    assert_eq!(first, page(&["a", "b"], false, true));
    let (second, start, end) = ask(format!("first: 2, after: {end}")).await;
    assert_eq!(second, page(&["c", "d"], true, true));
    let (third, ..) = ask(format!("first: 2, after: {end}")).await;
    assert_eq!(third, page(&["e"], true, false));
    let (back, ..) = ask(format!("last: 2, before: {start}")).await;
    assert_eq!(back, page(&["a", "b"], false, true));

    let (last, start, end) = ask("last: 2".to_owned()).await;
    assert_eq!(last, page(&["d", "e"], true, false));
    let (middle, ..) = ask(format!("last: 2, before: {start}")).await;
    assert_eq!(middle, page(&["b", "c"], true, true));
    let (behind, ..) = ask(format!("first: 2, after: {end}")).await;
    assert_eq!(behind, page(&[], true, false));
    let (between, ..) = ask(format!("first: 1, after: {start}, before: {end}")).await;
    assert_eq!(between, page(&[], true, false));
    let (descending, ..) = ask("orderDirection: DESC, last: 2".to_owned()).await;
    assert_eq!(descending, page(&["b", "a"], true, false));
}

#[rstest]
#[case("tour", "")]
#[case("tour_pinned", "")]
#[case("tour", "orderBy: name, ")]
#[tokio::test]
async fn lists_are_turned_in_both_directions(#[case] field: &str, #[case] order: &str) {
    let (site, ids) = five().await;
    let event = site.event(ids[0], &ids).await;
    let other = site.event(ids[0], &ids[..2]).await;
    let ask = async |event: OperationId, arguments: String| {
        let query = format!(
            "{{ e: {}(id: \"{event}\") {{ fields {{ c: {field}({order}{arguments}) {{ {ASKED} }} }} }} }}",
            site.event
        );
        read(&site.node.query(&query).await["e"]["fields"]["c"])
    };

    let (first, _, end) = ask(event, "first: 2".to_owned()).await;
    assert_eq!(first, page(&["a", "b"], false, true));
    let (second, start, _) = ask(event, format!("first: 2, after: {end}")).await;
    assert_eq!(second, page(&["c", "d"], true, true));
    let (back, ..) = ask(event, format!("last: 1, before: {start}")).await;
    assert_eq!(back, page(&["b"], true, true));
    let (last, ..) = ask(event, "last: 3".to_owned()).await;
    assert_eq!(last, page(&["c", "d", "e"], true, false));
    let (foreign, ..) = ask(other, format!("last: 3, before: {start}")).await;
    assert_eq!(foreign, page(&["a", "b"], false, false), "of another list");
}

#[tokio::test]
async fn json_rpc_turns_pages_in_both_directions() {
    let (site, _) = five().await;
    let ask = async |mut params: Value| {
        params["schema"] = site.venue.to_string().into();
        params["orderBy"] = "name".into();
        let answer = site.node.rpc("panda_queryDocuments", params).await;
        let page = &answer["result"];
        let documents = page["documents"]
            .as_array()
            .unwrap_or_else(|| panic!("{answer}"));
        let names: Vec<_> = documents
            .iter()
            .map(|it| it["fields"]["name"].clone())
            .collect();
        let told = json!([names, page["hasPreviousPage"], page["hasNextPage"]]);
        (told, page["startCursor"].clone(), page["endCursor"].clone())
    };

    let (last, start, _) = ask(json!({ "last": 2 })).await;
    assert_eq!(last, json!([["d", "e"], true, false]));
    let (before, _, end) = ask(json!({ "last": 2, "before": start })).await;
    assert_eq!(before, json!([["b", "c"], true, true]));
    let (after, ..) = ask(json!({ "first": 9, "after": end })).await;
    assert_eq!(after, json!([["d", "e"], true, false]));
    let both = json!({ "schema": site.venue.to_string(), "first": 1, "last": 1 });
    let refused = site.node.rpc("panda_queryDocuments", both).await;
    assert_eq!(
        refused["error"]["data"]["code"], "argument_invalid",
        "{refused}"
    );
}

#[tokio::test]
async fn documents_are_ordered_by_owner_and_by_being_edited() {
    let (site, ids) = five().await;
    let other = Author::new(2);
    let fields = vec![
        ("logo", PlainValue::Bytes(Vec::new())),
        ("name", str("f")),
        ("open", PlainValue::Bool(true)),
        ("rating", PlainValue::Float(1.5)),
        ("seats", PlainValue::Int(0)),
    ];
    other.create(&site.node, &site.venue, fields).await;
    site.rename(ids[1], "b, renamed").await;
    let names = async |arguments: &str| {
        let query = format!("{{ c: all_{}({arguments}) {{ {ASKED} }} }}", site.venue);
        read(&site.node.query(&query).await["c"]).0.names
    };
    let is_first = site.author.public_key() < other.public_key();

    let by_owner = names("orderBy: OWNER").await;
    assert_eq!(
        by_owner.iter().position(|name| name == "f"),
        Some(if is_first { 5 } else { 0 })
    );
    let by_owner = names("orderBy: OWNER, orderDirection: DESC").await;
    assert_eq!(
        by_owner.iter().position(|name| name == "f"),
        Some(if is_first { 0 } else { 5 })
    );
    assert_eq!(names("orderBy: EDITED").await.last().unwrap(), "b, renamed");
    assert_eq!(
        names("orderBy: EDITED, orderDirection: DESC").await[0],
        "b, renamed"
    );
}

#[tokio::test]
async fn fields_named_like_orders_are_there_but_do_not_order() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let fields = [("DOCUMENT_ID", "str"), ("EDITED", "str"), ("OWNER", "str")];
    let schema = author.schema(&node, "clash", &fields).await;
    let mut ids = Vec::new();
    for text in ["b", "c", "a"] {
        let fields = vec![
            ("DOCUMENT_ID", str(text)),
            ("EDITED", str(text)),
            ("OWNER", str(text)),
        ];
        ids.push(author.create(&node, &schema, fields).await);
    }
    ids.sort();

    for order in ["DOCUMENT_ID", "EDITED", "OWNER"] {
        let query = format!(
            "{{ c: all_{schema}(orderBy: {order}) {{ documents {{
                fields {{ {order} }} meta {{ documentId }} }} }} }}"
        );
        let data = node.query(&query).await;
        let documents = data["c"]["documents"].as_array().unwrap();
        // All have one owner and none was edited.
        for (document, id) in documents.iter().zip(&ids) {
            assert_eq!(document["meta"]["documentId"], id.to_string(), "{order}");
            assert!(document["fields"][order].is_string());
        }
    }
}

/// A node with threads over a file, gone at the end.
struct Deployed {
    node: TestNode,
    stop: Option<Stop>,
    _folder: TempDir,
}

impl Deployed {
    async fn start(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("node.sqlite")).unwrap();
        let (node, stop) =
            ThreadedNode::start(store, EngineSettings::new(PeerId([0; 32]))).unwrap();
        Self {
            node: TestNode::over(node).await,
            stop: Some(stop),
            _folder: folder,
        }
    }
}

//= QU4 test
/// Enough documents for indexes to be made while pages are turned, which also changes what comes next.
#[rstest]
#[case::by_field("orderBy: name", false)]
#[case::by_field_backwards("orderBy: name, orderDirection: DESC", true)]
#[case::filtered("orderBy: seats, filter: {open: {eq: true}}", false)]
#[case::by_owner("orderBy: OWNER", true)]
#[tokio::test(flavor = "multi_thread")]
async fn walks_find_what_stays_once_while_others_publish(
    #[case] arguments: &str,
    #[case] backwards: bool,
) {
    let mut deployed = Deployed::start(&format!("walk-{}", arguments.len())).await;
    let node = &deployed.node;
    let author = Author::new(1);
    let fields = [("name", "str"), ("open", "bool"), ("seats", "int")];
    let schema = author.schema(node, "venue", &fields).await;
    let values = |number: usize| {
        vec![
            ("name", str(&format!("Name {}", number * 7 % 13))),
            ("open", PlainValue::Bool(true)),
            ("seats", PlainValue::Int((number % 5) as i64)),
        ]
    };
    let created = author
        .create_many(node, &schema, (0..640).map(values))
        .await;
    let (stable, changing) = created.split_at(600);

    let (mut found, mut cursor, mut step) = (Vec::new(), Value::Null, 0);
    loop {
        let (count, place) = if backwards {
            ("last", "before")
        } else {
            ("first", "after")
        };
        let query = format!(
            "{{ c: all_{schema}({arguments}, {count}: 37, {place}: {cursor}) {{
                startCursor endCursor hasNextPage hasPreviousPage
                documents {{ meta {{ documentId }} }} }} }}"
        );
        let page = node.query(&query).await["c"].clone();
        let ids = page["documents"].as_array().unwrap().iter();
        let ids = ids.map(|it| it["meta"]["documentId"].as_str().unwrap().to_owned());
        let (ids, more) = if backwards {
            (ids.rev().collect::<Vec<_>>(), &page["hasPreviousPage"])
        } else {
            (ids.collect(), &page["hasNextPage"])
        };
        found.extend(ids);
        cursor = page[if backwards {
            "startCursor"
        } else {
            "endCursor"
        }]
        .clone();
        if more == false {
            break;
        }
        if let Some([changed, deleted]) = changing.get(step..step + 2) {
            let name = str(&format!("Name {step}"));
            let fields = vec![("name", name), ("seats", PlainValue::Int(9))];
            author.update(node, &schema, *changed, fields).await;
            author.delete(node, &schema, *deleted).await;
            author.create(node, &schema, values(step)).await;
        }
        step += 2;
    }

    let stable: BTreeSet<_> = stable.iter().map(ToString::to_string).collect();
    let mut kept: Vec<_> = found.into_iter().filter(|id| stable.contains(id)).collect();
    assert_eq!(kept.len(), stable.len());
    kept.sort();
    kept.dedup();
    assert_eq!(kept.len(), stable.len());
    deployed.stop.take().unwrap().stop().await;
}
