//! What an answer costs, which nobody sees from outside.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{DocumentViewId, KeyPair, LogId, OperationId, PlainValue, SchemaId};
use grove_core::wire::Operation;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::engine::EngineSettings;
use crate::http::{Http, Limits};
use crate::runtime::events::Schemas;
use crate::runtime::{InlineNode, Node};
use crate::store::{STATEMENTS, SqliteStore};

type Fields = Vec<(&'static str, PlainValue)>;

/// A node on this thread, and somebody who publishes there, each document in a log of its own.
struct Site {
    node: Node,
    router: Router,
    author: KeyPair,
    logs: u64,
}

impl Site {
    fn new() -> Self {
        let store = SqliteStore::in_memory().unwrap();
        let (_, node) = InlineNode::new(store, EngineSettings::new(PeerId([0; 32]))).unwrap();
        Self {
            router: Http::new(node.clone(), Limits::default()).router(),
            node,
            author: KeyPair::from_seed(&[1; 32]),
            logs: 0,
        }
    }

    async fn publish(&self, args: &NextArgs, operation: &Operation) -> (OperationId, NextArgs) {
        let submission = forge(&self.author, args, operation).unwrap();
        let entry = submission.entry().bytes().to_vec();
        let published = self
            .node
            .publish(entry, submission.payload().to_vec())
            .await;
        (submission.entry().operation_id(), published.unwrap())
    }

    async fn create(&mut self, schema_id: &SchemaId, fields: Fields) -> (OperationId, NextArgs) {
        let args = NextArgs::first(LogId::new(self.logs));
        self.logs += 1;
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields: named(fields),
        };
        self.publish(&args, &operation).await
    }

    async fn schema(&mut self, name: &str, fields: &[(&'static str, String)]) -> SchemaId {
        let mut views = Vec::new();
        for (name, field_type) in fields {
            let field = vec![("name", text(name)), ("type", text(field_type))];
            let (id, _) = self.create(&SchemaId::SCHEMA_FIELD_DEFINITION, field).await;
            views.push(id.into());
        }
        let definition = vec![
            ("description", text("")),
            ("fields", PlainValue::ViewIds(views)),
            ("name", text(name)),
        ];
        let (id, _) = self.create(&SchemaId::SCHEMA_DEFINITION, definition).await;
        SchemaId::Application {
            name: name.parse().unwrap(),
            view_id: id.into(),
        }
    }

    /// The answer to a query that succeeds, and how many statements it took.
    async fn ask(&self, query: &str) -> (Value, u64) {
        let body = Body::from(json!({ "query": query }).to_string());
        let request = Request::post("/graphql").body(body).unwrap();
        let before = STATEMENTS.get();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let statements = STATEMENTS.get() - before;
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["errors"], Value::Null, "{query}");
        (answer["data"].clone(), statements)
    }
}

fn named(fields: Fields) -> grove_core::wire::Fields<PlainValue> {
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn text(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

fn ids(ids: &[OperationId]) -> PlainValue {
    PlainValue::Ids(ids.iter().map(|id| id.hash()).collect())
}

/// Tags, venues with two tags each, and as many events, each in three venues. Every other venue was
/// renamed, so that each event pins views that are current and such that are not.
async fn events(count: usize) -> (Site, SchemaId) {
    let mut site = Site::new();
    let tag = site.schema("tag", &[("label", "str".to_owned())]).await;
    let fields = [
        ("name", "str".to_owned()),
        ("tags", format!("relation_list({tag})")),
    ];
    let venue = site.schema("venue", &fields).await;
    let fields = [
        ("main", format!("relation({venue})")),
        ("pinned", format!("pinned_relation({venue})")),
        ("tour", format!("relation_list({venue})")),
        ("tour_pinned", format!("pinned_relation_list({venue})")),
    ];
    let event = site.schema("event", &fields).await;
    let (mut tags, mut venues) = (Vec::new(), Vec::new());
    for number in 0..20 {
        let label = vec![("label", text(&number.to_string()))];
        tags.push(site.create(&tag, label).await.0);
    }
    for number in 0..count {
        let two = [tags[number % 20], tags[(number + 7) % 20]];
        let fields = vec![("name", text("before")), ("tags", ids(&two))];
        let (id, args) = site.create(&venue, fields).await;
        if number % 2 == 1 {
            let operation = Operation::Update {
                schema_id: venue.clone(),
                previous: id.into(),
                fields: named(vec![("name", text("after"))]),
            };
            site.publish(&args, &operation).await;
        }
        venues.push(id);
    }
    for number in 0..count {
        let three = [0, 1, 2].map(|next| venues[(number + next) % count]);
        let main = PlainValue::Bytes(three[0].hash().to_bytes().to_vec());
        let views = three.map(DocumentViewId::from).to_vec();
        let fields = vec![
            ("main", main),
            ("pinned", PlainValue::Ids(vec![venues[number | 1].hash()])),
            ("tour", ids(&three)),
            ("tour_pinned", PlainValue::ViewIds(views)),
        ];
        site.create(&event, fields).await;
    }
    (site, event)
}

#[tokio::test]
async fn answers_take_as_many_statements_for_many_as_for_one() {
    let (site, event) = events(100).await;
    let tags = "tags { totalCount documents { fields { label } } }";
    let venue = format!("fields {{ name {tags} }} meta {{ viewId }}");
    let list = format!("(first: 2, orderBy: name) {{ totalCount documents {{ {venue} }} }}");
    let query = |first: usize| {
        format!(
            "{{ c: all_{event}(first: {first}) {{ totalCount hasNextPage hasPreviousPage documents {{
                fields {{ main {{ {venue} }} pinned {{ {venue} }} tour {list}
                    again: tour_pinned {{ totalCount documents {{ {venue} }} }} }} }} }} }}"
        )
    };
    // What a connection remembers is learnt first.
    site.ask(&query(100)).await;

    let mut counts = Vec::new();
    for first in [1, 10, 100] {
        let (data, statements) = site.ask(&query(first)).await;
        let documents = data["c"]["documents"].as_array().unwrap();
        assert_eq!(documents.len(), first);
        for document in documents {
            let fields = &document["fields"];
            assert_eq!(fields["again"]["documents"].as_array().unwrap().len(), 3);
            let tags = &fields["pinned"]["fields"]["tags"]["documents"];
            assert_eq!(tags.as_array().unwrap().len(), 2);
            assert_eq!(fields["tour"]["totalCount"], 3);
        }
        counts.push(statements);
    }

    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[0], counts[2]);
    assert!(counts[0] < 25, "{counts:?}");
}

#[tokio::test]
async fn pinned_views_are_shown_as_they_were() {
    let (site, event) = events(10).await;
    let shown = "{ fields { name } meta { documentId viewId } }";
    let query = format!(
        "{{ c: all_{event} {{ documents {{ fields {{ pinned {shown}
            tour_pinned {{ documents {shown} }} tour {{ documents {shown} }} }} }} }} }}"
    );

    let (data, _) = site.ask(&query).await;

    let documents = data["c"]["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 10);
    for document in documents {
        let fields = &document["fields"];
        assert_eq!(fields["pinned"]["fields"]["name"], "before");
        assert_eq!(
            fields["pinned"]["meta"]["viewId"],
            fields["pinned"]["meta"]["documentId"]
        );
        let [pinned, tour] = ["tour_pinned", "tour"].map(|name| &fields[name]["documents"]);
        for (pinned, now) in pinned
            .as_array()
            .unwrap()
            .iter()
            .zip(tour.as_array().unwrap())
        {
            assert_eq!(pinned["fields"]["name"], "before");
            assert_eq!(pinned["meta"]["viewId"], pinned["meta"]["documentId"]);
            let is_same = now["meta"]["viewId"] == pinned["meta"]["viewId"];
            assert_eq!(now["fields"]["name"] == "before", is_same);
        }
    }
}

/// With few schemas and with many: what it costs to tell of a new one, to ask for its documents first, and to
/// describe a type.
#[tokio::test]
async fn a_new_schema_costs_no_look_at_the_others() {
    let mut costs = Vec::new();
    for known in [2, 50] {
        let mut site = Site::new();
        let field = [("a", "str".to_owned())];
        let mut last = site.schema("first", &field).await;
        for number in 1..known {
            last = site.schema(&format!("many{number}x"), &field).await;
        }
        let mut schemas = Schemas::begin(site.node.clone(), None).await.unwrap();
        for _ in 0..known {
            schemas.next().await.unwrap().unwrap();
        }

        let new = site.schema("new", &field).await;
        let before = STATEMENTS.get();
        let told = schemas.next().await.unwrap().unwrap();
        let to_tell = STATEMENTS.get() - before;
        let (found, to_ask) = site
            .ask(&format!("{{ c: all_{new} {{ totalCount }} }}"))
            .await;
        let (described, to_describe) = site
            .ask(&format!(
                "{{ t: __type(name: \"{last}\") {{ fields {{ name }} }} }}"
            ))
            .await;

        assert_eq!(told.schema.id(), &new);
        assert_eq!(found["c"]["totalCount"], 0);
        assert_eq!(described["t"]["fields"].as_array().unwrap().len(), 2);
        costs.push([to_tell, to_ask, to_describe]);
    }

    assert_eq!(costs[0], costs[1]);
    assert!(
        costs[0].iter().all(|statements| *statements <= 8),
        "{costs:?}"
    );
}

/// Who comes back is told what became known behind the cursor, however many there were before.
#[tokio::test]
async fn schemas_are_followed_on_from_a_cursor() {
    let mut site = Site::new();
    let field = [("a", "str".to_owned())];
    let mut old = BTreeSet::new();
    for number in 0..40 {
        old.insert(site.schema(&format!("old{number}x"), &field).await);
    }
    let mut schemas = Schemas::begin(site.node.clone(), None).await.unwrap();
    let mut cursor = String::new();
    for _ in 0..old.len() {
        let event = schemas.next().await.unwrap().unwrap();
        assert!(old.remove(event.schema.id()), "told twice");
        cursor = event.cursor.to_string();
    }
    let new = [
        site.schema("new_a", &field).await,
        site.schema("new_b", &field).await,
    ];

    let mut again = Schemas::begin(site.node.clone(), Some(cursor))
        .await
        .unwrap();
    for _ in &new {
        let event = again.next().await.unwrap().unwrap();
        assert!(new.contains(event.schema.id()), "{:?}", event.schema.id());
    }
    let newest = site.schema("newest", &field).await;

    for followed in [&mut again, &mut schemas] {
        let mut event = followed.next().await.unwrap().unwrap();
        while event.schema.id() != &newest {
            event = followed.next().await.unwrap().unwrap();
        }
    }
}
