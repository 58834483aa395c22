//! GraphQL as published clients use it: publishing, queries, relations, pages, and their oddities.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::author::forge;
use grove_core::types::{DocumentViewId, Hash, LogId, OperationId, PlainValue, SchemaId};
use grove_core::wire::Operation;
use http_support::site::Site;
use http_support::{Author, TestNode, create, encoded, piece, publish, str};
use rstest::rstest;
use serde_json::{Value, json};

fn names(collection: &Value) -> Vec<&str> {
    let documents = collection["documents"].as_array().unwrap();
    documents
        .iter()
        .map(|document| document["fields"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn every_scalar_type_reads_back() {
    let site = Site::start().await;
    let (venue, author) = (&site.venue, &site.author);
    let id = site.venue("A \"b\" \\ 🐼 \0", i64::MIN, 1.0).await;

    let data = site.node.query(format!(
        "{{ d: {venue}(id: \"{id}\") {{
            meta {{ documentId viewId owner __typename }}
            fields {{ logo name open rating seats __typename }} __typename }} }}"
    ));

    let expected = json!({
        "meta": {
            "documentId": id.to_string(),
            "viewId": id.to_string(),
            "owner": author.public_key(),
            "__typename": "DocumentMeta",
        },
        "fields": {
            "logo": "00ff",
            "name": "A \"b\" \\ 🐼 \0",
            "open": true,
            "rating": 1.0,
            "seats": i64::MIN,
            "__typename": format!("{venue}Fields"),
        },
        "__typename": venue.to_string(),
    });
    assert_eq!(data.await["d"].to_string(), expected.to_string());
}

//= QU7 test
#[tokio::test]
async fn floats_json_does_not_know_are_null() {
    let site = Site::start().await;
    site.venue("nan", 1, f64::NAN).await;
    site.venue("infinite", 1, f64::NEG_INFINITY).await;

    let query = format!(
        "{{ c: all_{} {{ documents {{ fields {{ rating }} }} }} }}",
        site.venue
    );
    let data = site.node.query(&query).await;

    let shown = json!({ "fields": { "rating": null } });
    assert_eq!(data["c"]["documents"], json!([shown, shown]));
}

#[tokio::test]
async fn concurrent_updates_merge_and_deletion_ends_it() {
    let site = Site::start().await;
    let venue = &site.venue;
    let id = site.venue("one", 1, 1.5).await;
    let other = Author::new(2);
    let name = site.rename(id, "two").await;
    let seats = other
        .update(&site.node, venue, id, vec![("seats", PlainValue::Int(7))])
        .await;
    let view_id = DocumentViewId::from_tips([name, seats]).unwrap();
    let shown = "{ meta { viewId owner } fields { name seats } }";

    let merged = json!({
        "meta": { "viewId": view_id.to_string(), "owner": site.author.public_key() },
        "fields": { "name": "two", "seats": 7 },
    });
    let query = format!("{{ d: {venue}(id: \"{id}\") {shown} }}");
    assert_eq!(site.node.query(&query).await["d"], merged);
    let by_view = format!("{{ d: {venue}(viewId: \"{view_id}\") {shown} }}");
    assert_eq!(site.node.query(&by_view).await["d"], merged);
    let ids: Vec<_> = view_id.ids().iter().map(ToString::to_string).collect();
    let by_list = format!("query Q($view: [String!]!) {{ d: {venue}(viewId: $view) {shown} }}");
    let answer = site.node.graphql(&by_list, json!({ "view": ids })).await;
    assert_eq!(answer["data"]["d"], merged);

    site.author.delete(&site.node, venue, view_id.clone()).await;

    assert_eq!(site.node.query(&query).await, json!({ "d": null }));
    assert_eq!(site.node.query(&by_view).await, json!({ "d": null }));
    let counted = format!("{{ c: all_{venue} {{ totalCount documents {{ cursor }} }} }}");
    let empty = json!({ "c": { "totalCount": 0, "documents": [] } });
    assert_eq!(site.node.query(&counted).await, empty);
    let key = site.author.public_key();
    let next = format!("{{ nextArgs(publicKey: \"{key}\", viewId: \"{id}\") {{ logId }} }}");
    assert_eq!(site.node.query_error(&next).await, "document_deleted");
}

//= QU2 test
#[tokio::test]
async fn documents_that_are_not_there_are_null_without_error() {
    let site = Site::start().await;
    let (venue, event) = (&site.venue, &site.event);
    let id = site.venue("one", 1, 1.5).await;
    let update = site.rename(id, "two").await;
    let nobody = Hash::of(b"nobody");

    for query in [
        format!("{{ d: {venue}(id: \"{nobody}\") {{ fields {{ name }} }} }}"),
        format!("{{ d: {venue}(viewId: \"{nobody}\") {{ fields {{ name }} }} }}"),
        format!("{{ d: {venue}(id: \"{update}\") {{ fields {{ name }} }} }}"),
        format!("{{ d: {event}(id: \"{id}\") {{ meta {{ viewId }} fields {{ __typename }} }} }}"),
    ] {
        assert_eq!(
            site.node.query(&query).await,
            json!({ "d": null }),
            "{query}"
        );
    }
}

#[tokio::test]
async fn single_queries_want_exactly_one_id() {
    let site = Site::start().await;
    let venue = &site.venue;
    let id = site.venue("one", 1, 1.5).await;
    let query = async |arguments: String| {
        let query = format!("{{ d: {venue}{arguments} {{ meta {{ viewId }} }} }}");
        site.node.graphql(&query, Value::Null).await
    };
    let code = |answer: Value| answer["errors"][0]["extensions"]["code"].clone();

    assert_eq!(code(query(String::new()).await), "argument_missing");
    assert_eq!(
        code(query("(id: null)".to_owned()).await),
        "argument_missing"
    );
    assert_eq!(
        code(query(format!("(id: \"{id}\", viewId: \"{id}\")")).await),
        "argument_invalid"
    );
    assert_eq!(
        code(query(format!("(id: \"{}\")", id.to_string().to_uppercase())).await),
        "uppercase_hex"
    );
    assert_eq!(
        code(query("(id: \"0020\")".to_owned()).await),
        "hash_length"
    );
    assert_eq!(code(query("(id: 7)".to_owned()).await), "argument_invalid");
    let with_null = query(format!("(id: \"{id}\", viewId: null)")).await;
    assert_eq!(with_null["data"]["d"]["meta"]["viewId"], id.to_string());
}

#[tokio::test]
async fn relations_follow_documents_and_views() {
    let site = Site::start().await;
    let [a, b] = [site.venue("a", 1, 1.5).await, site.venue("b", 2, 1.5).await];
    let gone = site.venue("gone", 3, 1.5).await;
    let nobody = OperationId::from(Hash::of(b"nobody"));
    let event = site.event(a, &[b, a, gone, nobody, b]).await;
    site.rename(a, "a2").await;
    site.author.delete(&site.node, &site.venue, gone).await;

    let list = "{ totalCount hasNextPage documents { fields { name } } }";
    let data = site.node.query(format!(
        "{{ d: {}(id: \"{event}\") {{ fields {{
            main {{ fields {{ name }} }} pinned {{ fields {{ name }} meta {{ viewId }} }}
            tour {list} tour_pinned {list} }} }} }}",
        site.event
    ));
    let fields = &data.await["d"]["fields"];

    assert_eq!(fields["main"]["fields"]["name"], "a2");
    assert_eq!(fields["pinned"]["fields"]["name"], "a");
    assert_eq!(fields["pinned"]["meta"]["viewId"], a.to_string());
    assert_eq!(names(&fields["tour"]), ["b", "a2", "b"]);
    assert_eq!(names(&fields["tour_pinned"]), ["b", "a", "b"]);
    assert_eq!(fields["tour"]["totalCount"], 3);
    assert_eq!(fields["tour_pinned"]["totalCount"], 3);
}

//= QU6 test
#[tokio::test]
async fn relations_to_nothing_are_null() {
    let site = Site::start().await;
    let other = site.event(Hash::of(b"nobody").into(), &[]).await;
    // The target is there, but follows another schema than the relation says.
    let event = site.event(other, &[other]).await;

    for id in [other, event] {
        let data = site.node.query(format!(
            "{{ d: {}(id: \"{id}\") {{ fields {{
                main {{ fields {{ name }} }} pinned {{ meta {{ viewId }} }}
                tour {{ totalCount endCursor documents {{ cursor }} }} }} }} }}",
            site.event
        ));
        let tour = json!({ "totalCount": 0, "endCursor": null, "documents": [] });
        let expected = json!({ "main": null, "pinned": null, "tour": tour });
        assert_eq!(data.await["d"]["fields"], expected);
    }
}

//= QU4 test
#[tokio::test]
async fn walks_visit_each_document_once() {
    let site = Site::start().await;
    let mut venues = Vec::new();
    for number in 0..5 {
        venues.push(site.venue(&format!("v{number}"), number, 1.5).await);
    }
    site.rename(venues[2], "renamed").await;
    venues.sort();

    for first in [1, 2, 5, 6] {
        let mut found = Vec::new();
        let mut after = Value::Null;
        loop {
            let query = format!(
                "query Walk($after: Cursor) {{ c: all_{}(first: {first}, after: $after) {{
                    totalCount hasNextPage endCursor documents {{ cursor meta {{ documentId }} }} }} }}",
                site.venue
            );
            let answer = site.node.graphql(&query, json!({ "after": after })).await;
            let page = &answer["data"]["c"];
            assert_eq!(page["totalCount"], 5, "{answer}");
            for document in page["documents"].as_array().unwrap() {
                found.push(document["meta"]["documentId"].as_str().unwrap().to_owned());
                after = document["cursor"].clone();
            }
            assert_eq!(page["endCursor"], after);
            if page["hasNextPage"] == false {
                break;
            }
        }
        let expected: Vec<_> = venues.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "first: {first}");
    }
}

#[tokio::test]
async fn lists_walk_in_list_order() {
    let site = Site::start().await;
    let [a, b] = [site.venue("a", 1, 1.5).await, site.venue("b", 2, 1.5).await];
    let nobody = OperationId::from(Hash::of(b"nobody"));
    let event = site.event(a, &[b, nobody, a, b, a]).await;
    let shorter = site.event(a, &[a]).await;

    for field in ["tour", "tour_pinned"] {
        let mut found = Vec::new();
        let mut after = "null".to_owned();
        loop {
            let query = format!(
                "{{ d: {schema}(id: \"{event}\") {{ fields {{ l: {field}(first: 2, after: {after}) {{
                    totalCount hasNextPage endCursor documents {{ fields {{ name }} }} }} }} }} }}",
                schema = site.event
            );
            let page = site.node.query(&query).await["d"]["fields"]["l"].clone();
            assert_eq!(page["totalCount"], 4);
            found.extend(names(&page).into_iter().map(str::to_owned));
            after = page["endCursor"].to_string();
            if page["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(found, ["b", "a", "b", "a"], "{field}");

        // One cursor goes to the lists of many documents; those it does not belong to start anew.
        let query = format!(
            "{{ d: {schema}(id: \"{shorter}\") {{ fields {{ l: {field}(after: {after}) {{
                documents {{ fields {{ name }} }} }} }} }} }}",
            schema = site.event
        );
        assert_eq!(
            names(&site.node.query(&query).await["d"]["fields"]["l"]),
            ["a"]
        );
    }
}

#[rstest]
#[case("first: 0", "argument_invalid")]
#[case("first: -1", "argument_invalid")]
#[case("after: \"x' OR '1'='1\"", "cursor_invalid")]
#[case("after: \"\"", "cursor_invalid")]
#[case("after: 5", "argument_invalid")]
#[case("first: 1.5", "request_malformed")]
#[case("orderBy: name", "request_malformed")]
#[tokio::test]
async fn pages_refuse_what_they_do_not_understand(#[case] arguments: &str, #[case] code: &str) {
    let node = TestNode::start().await;
    let query = format!("{{ all_blob_v1({arguments}) {{ totalCount }} }}");
    assert_eq!(node.query_error(&query).await, code);
}

#[rstest]
#[case("first: null, after: null")]
#[case("first: 9223372036854775807")]
#[tokio::test]
async fn null_is_absent_and_pages_may_be_large(#[case] arguments: &str) {
    let node = TestNode::start().await;
    Author::new(1).publish(&node, &piece(b"one")).await;

    let query = format!("{{ c: all_blob_piece_v1({arguments}) {{ totalCount hasNextPage }} }}");

    let expected = json!({ "c": { "totalCount": 1, "hasNextPage": false } });
    assert_eq!(node.query(&query).await, expected);
}

#[tokio::test]
async fn selections_merge_and_aliases_multiply() {
    let site = Site::start().await;
    let venue = &site.venue;
    site.venue("one", 1, 1.5).await;

    let data = site.node.query(format!(
        "query {{ c: all_{venue} {{
            documents {{ fields {{ name }} }} documents {{ fields {{ n: name seats }} }}
            again: documents {{ ...item ... on {venue}Item {{ a: meta {{ owner }} }} cursor @skip(if: true) }}
        }} }}
        fragment item on {venue}Item {{ b: fields {{ open }} }}"
    ));

    let documents = json!([{ "fields": { "name": "one", "n": "one", "seats": 1 } }]);
    let again = json!([{ "b": { "open": true }, "a": { "owner": site.author.public_key() } }]);
    assert_eq!(
        data.await["c"],
        json!({ "documents": documents, "again": again })
    );
}

#[tokio::test]
async fn a_relation_to_an_unknown_schema_is_null() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let unknown = format!("nothing_{}", Hash::of(b"nothing"));
    let fields = [
        ("many", format!("relation_list({unknown})")),
        ("one", format!("relation({unknown})")),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, field_type)| (*name, field_type.as_str()));
    let schema = author.schema(&node, "pointer", &fields).await;
    let target = PlainValue::Bytes(Hash::of(b"target").to_bytes().to_vec());
    let fields = vec![("many", PlainValue::Ids(vec![])), ("one", target)];
    let id = author.create(&node, &schema, fields).await;
    let later = author.schema(&node, "later", &[("name", "str")]).await;

    let data = node.query(format!(
        "{{ d: {schema}(id: \"{id}\") {{ fields {{ one {{ meta {{ viewId }} }}
                many(first: 10, after: null) {{ totalCount documents {{ meta {{ viewId }} }} }} }} }}
            c: all_{later} {{ totalCount }} }}"
    ));

    let fields = json!({ "one": null, "many": null });
    assert_eq!(
        data.await,
        json!({ "d": { "fields": fields }, "c": { "totalCount": 0 } })
    );
}

//= QU1 test
#[tokio::test]
async fn system_schemas_are_queried_like_others() {
    let site = Site::start().await;
    let venue = site.venue.to_string();
    let view_id = venue.strip_prefix("venue_").unwrap();

    let data = site.node.query(format!(
        "{{ d: schema_definition_v1(viewId: \"{view_id}\") {{ fields {{ name description
            fields {{ totalCount documents {{ fields {{ name type }} }} }} }} }} }}"
    ));

    let fields = &data.await["d"]["fields"];
    assert_eq!(fields["name"], "venue");
    assert_eq!(
        names(&fields["fields"]),
        ["logo", "name", "open", "rating", "seats"]
    );
}

#[tokio::test]
async fn next_args_take_their_arguments_by_name() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let key = author.public_key();
    let id = author.publish(&node, &piece(b"one")).await;
    let shown = "{ logId seqNum backlink skiplink }";
    let next = |arguments: &str| format!("{{ nextArgs({arguments}) {shown} }}");

    // Whoever asks once more is proposed another log.
    let new = |log_id: u64| {
        json!({
            "logId": log_id.to_string(), "seqNum": "1", "backlink": null, "skiplink": null,
        })
    };
    let known =
        json!({ "logId": "0", "seqNum": "2", "backlink": id.to_string(), "skiplink": null });
    for (arguments, expected) in [
        (format!("publicKey: \"{key}\""), &new(1)),
        (format!("publicKey: \"{}\"", key.to_uppercase()), &new(2)),
        (format!("publicKey: \"{key}\", viewId: null"), &new(3)),
        (format!("viewId: null, publicKey: \"{key}\""), &new(4)),
        (format!("viewId: \"{id}\", publicKey: \"{key}\""), &known),
        (format!("viewId: [\"{id}\"], publicKey: \"{key}\""), &known),
    ] {
        assert_eq!(
            &node.query(&next(&arguments)).await["nextArgs"],
            expected,
            "{arguments}"
        );
    }

    let nobody = Hash::of(b"nobody");
    for (arguments, code) in [
        (
            format!("publicKey: \"{key}\", viewId: \"{nobody}\""),
            "previous_not_found",
        ),
        (
            format!("publicKey: \"{key}\", viewId: \"{id}_{id}\""),
            "view_id_duplicate",
        ),
        (
            format!("publicKey: \"{key}\", viewId: \"\""),
            "view_id_empty",
        ),
        ("publicKey: \"ab\"".to_owned(), "key_length"),
        (
            format!("publicKey: \"{}\"", "00".repeat(32)),
            "key_small_order",
        ),
        ("publicKey: null".to_owned(), "request_malformed"),
        (String::from("viewId: null"), "request_malformed"),
        (
            format!("publicKey: \"{key}\", documentId: \"{id}\""),
            "request_malformed",
        ),
    ] {
        assert_eq!(
            node.query_error(&next(&arguments)).await,
            code,
            "{arguments}"
        );
    }
}

#[rstest]
#[case::meli("query N($publicKey: String!, $viewId: String!)", json!({ "viewId": null }))]
#[case::shirokuma("query N($publicKey: String!, $viewId: String)", json!({}))]
#[case::strict("query N($publicKey: PublicKey!, $viewId: DocumentViewId)", json!({ "viewId": null }))]
#[case::odd("query N($publicKey: ID!, $viewId: Int)", json!({}))]
#[tokio::test]
async fn variables_may_be_declared_as_anything(#[case] head: &str, #[case] mut variables: Value) {
    let node = TestNode::start().await;
    variables["publicKey"] = json!(Author::new(1).public_key());
    let query =
        format!("{head} {{ nextArgs(publicKey: $publicKey, viewId: $viewId) {{ logId }} }}");

    let answer = node.graphql(&query, variables).await;

    assert_eq!(answer, json!({ "data": { "nextArgs": { "logId": "0" } } }));
}

#[rstest]
#[case::unknown_type(
    "query N($key: Nonsense!) { nextArgs(publicKey: $key) { logId } }",
    "request_malformed"
)]
#[case::not_given(
    "query N($key: String!) { nextArgs(publicKey: $key) { logId } }",
    "argument_missing"
)]
//= QU8 test
#[case::not_declared("query N { nextArgs(publicKey: $key) { logId } }", "request_malformed")]
#[case::syntax("{ nextArgs(", "request_malformed")]
#[case::empty("", "request_malformed")]
#[case::field("{ doesNotExist }", "request_malformed")]
#[case::no_selection("{ all_blob_v1 }", "request_malformed")]
#[case::two_operations("query A { __typename } query B { __typename }", "request_malformed")]
#[case::subscription("subscription { x }", "request_malformed")]
#[case::cycle("{ ...a } fragment a on Query { ...a }", "request_too_large")]
#[tokio::test]
async fn faulty_queries_answer_200_with_a_code(#[case] query: &str, #[case] code: &str) {
    let node = TestNode::start().await;
    assert_eq!(node.query_error(query).await, code);
}

#[tokio::test]
async fn the_operation_is_chosen_by_name() {
    let node = TestNode::start().await;
    let query = "query A { a: __typename ...f } query B($x: Boolean!) { b: __typename ...g @include(if: $x) }
        fragment f on Query { f: __typename } fragment g on Query { g: __typename }";
    let ask = async |name: &str, variables: Value| {
        let body = json!({ "query": query, "operationName": name, "variables": variables });
        let response = node.post("/graphql", body.to_string()).await;
        serde_json::from_str::<Value>(response.body()).unwrap()
    };

    assert_eq!(
        ask("A", Value::Null).await,
        json!({ "data": { "a": "Query", "f": "Query" } })
    );
    assert_eq!(
        ask("B", json!({ "x": false })).await,
        json!({ "data": { "b": "Query" } })
    );
    assert_eq!(
        ask("C", Value::Null).await["errors"][0]["extensions"]["code"],
        "request_malformed"
    );
}

#[tokio::test]
async fn mutations_run_one_after_the_other() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let args = author.next_args(&node, None).await;
    let first = forge(&author.0, &args, &piece(b"one")).unwrap();
    let id = first.entry().operation_id();
    let args = grove_core::author::NextArgs::after(args.log_id, args.seq_num, id.hash(), |_| None);
    let deletion = Operation::Delete {
        schema_id: SchemaId::BLOB_PIECE,
        previous: id.into(),
    };
    let second = forge(&author.0, &args.unwrap(), &deletion).unwrap();
    let [a, b] = [&first, &second].map(encoded);

    let data = node.query(format!(
        "mutation {{ a: publish(entry: {}, operation: {}) {{ seqNum }}
            b: publish(operation: {}, entry: {}) {{ seqNum }} }}",
        a["entry"], a["operation"], b["operation"], b["entry"]
    ));

    assert_eq!(
        data.await,
        json!({ "a": { "seqNum": "2" }, "b": { "seqNum": "3" } })
    );
}

#[tokio::test]
async fn refused_publications_store_nothing() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let unknown: SchemaId = format!("nothing_{}", Hash::of(b"nothing")).parse().unwrap();
    let good = encoded(&author.forge(&node, &piece(b"one")).await);
    let other = encoded(&author.forge(&node, &piece(b"two")).await);
    let stranger = encoded(
        &author
            .forge(&node, &create(&unknown, vec![("a", str("b"))]))
            .await,
    );
    let wrong = create(&SchemaId::BLOB_PIECE, vec![("data", str("no bytes"))]);
    let wrong = encoded(&author.forge(&node, &wrong).await);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut signature = text(&good["entry"]);
    signature.replace_range(signature.len() - 128..signature.len() - 126, "00");
    let ask = async |entry: String, operation: String| {
        let query =
            "mutation P($e: String!, $o: String!) { publish(entry: $e, operation: $o) { logId } }";
        let answer = node
            .graphql(query, json!({ "e": entry, "o": operation }))
            .await;
        assert!(answer["data"]["publish"].is_null());
        answer["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (entry, operation) = (text(&good["entry"]), text(&good["operation"]));

    assert_eq!(ask(signature, operation.clone()).await, "signature_invalid");
    assert_eq!(
        ask(entry.clone(), text(&other["operation"])).await,
        "payload_hash_mismatch"
    );
    assert_eq!(
        ask(entry.clone() + "00", operation.clone()).await,
        "entry_trailing_bytes"
    );
    assert_eq!(
        ask(entry[1..].to_owned(), operation.clone()).await,
        "invalid_hex"
    );
    assert_eq!(ask(String::new(), operation).await, "entry_truncated");
    assert_eq!(
        ask(text(&stranger["entry"]), text(&stranger["operation"])).await,
        "schema_not_found"
    );
    assert_eq!(
        ask(text(&wrong["entry"]), text(&wrong["operation"])).await,
        "field_type_mismatch"
    );
    assert!(node.is_empty().await);
}

#[tokio::test]
async fn publishing_again_gives_the_same_answer() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let submission = author.forge(&node, &piece(b"one")).await;

    let first = publish(&node, &submission).await;
    author
        .delete(
            &node,
            &SchemaId::BLOB_PIECE,
            submission.entry().operation_id(),
        )
        .await;
    let again = publish(&node, &submission).await;

    assert_eq!(first, again);
    assert_eq!(
        first["data"]["publish"]["backlink"],
        submission.entry().hash().to_string()
    );
}

#[tokio::test]
async fn a_failing_field_is_null_beside_its_siblings() {
    let node = TestNode::start().await;

    let answer = node.graphql(
        "{ bad: nextArgs(publicKey: \"ab\") { logId } good: all_blob_v1 { totalCount } }",
        Value::Null,
    );
    let answer = answer.await;

    assert_eq!(
        answer["data"].to_string(),
        r#"{"bad":null,"good":{"totalCount":0}}"#
    );
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["path"], json!(["bad"]));
}

/// Queries that want the schema described take another way through the node.
#[tokio::test]
async fn answers_are_the_same_beside_a_description_of_the_schema() {
    let site = Site::start().await;
    let [a, b] = [
        site.venue("a", 1, 1.5).await,
        site.venue("b", 2, f64::NAN).await,
    ];
    let event = site.event(a, &[b, a, b]).await;
    site.rename(a, "a2").await;
    let (venue, events) = (&site.venue, &site.event);
    let key = site.author.public_key();
    let shown = "__typename fields { __typename name n: rating open logo seats } meta { owner viewId __typename }";
    let list = format!(
        "__typename totalCount hasNextPage hasPreviousPage startCursor endCursor
            documents {{ cursor {shown} }} again: documents {{ fields {{ name }} }}"
    );

    for query in [
        format!("c: all_{venue}(orderBy: name, last: 1) {{ {list} }}"),
        format!("c: all_{venue}(meta: {{deleted: {{eq: true}}}}) {{ {list} }}"),
        format!("d: {venue}(id: \"{a}\") {{ {shown} }} {venue}(viewId: \"{a}\") {{ {shown} }}"),
        format!(
            "nobody: {venue}(id: \"{}\") {{ {shown} }}",
            Hash::of(b"nobody")
        ),
        format!(
            "e: all_{events} {{ documents {{ fields {{ main {{ {shown} }} pinned {{ {shown} }}
                tour(first: 2) {{ {list} }} tour_pinned(orderBy: name) {{ {list} }} }} }} }}"
        ),
        format!(
            "next: nextArgs(publicKey: \"{key}\", viewId: \"{a}\") {{
                __typename logId seqNum backlink skiplink }}"
        ),
        format!("bad: {venue}(id: \"00\") {{ {shown} }} good: {venue}(id: \"{b}\") {{ {shown} }}"),
        format!(
            "e: {events}(id: \"{event}\") {{ fields {{ tour(after: \"?\") {{ totalCount }} }} }}"
        ),
        format!("all_{venue}(first: 0) {{ totalCount }}"),
    ] {
        let plain = site
            .node
            .graphql(&format!("{{ {query} }}"), Value::Null)
            .await;
        let beside = format!("{{ __schema {{ queryType {{ name }} }} {query} }}");
        let mut described = site.node.graphql(&beside, Value::Null).await;
        if let Some(data) = described["data"].as_object_mut() {
            assert_eq!(
                data.remove("__schema"),
                Some(json!({ "queryType": { "name": "Query" } }))
            );
        }
        assert_eq!(plain["data"], described["data"], "{query}");
        let errors = |answer: &Value| {
            let errors = answer["errors"].as_array().cloned().unwrap_or_default();
            // The library says of no field that must not be null where it stands.
            let told = |error: &Value| (error["message"].clone(), error["extensions"].clone());
            errors.iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(errors(&plain), errors(&described), "{query}");
    }
}

#[tokio::test]
async fn a_query_asked_again_sees_what_changed_meanwhile() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let target = author.schema(&node, "target", &[("name", "str")]).await;
    let named = async |text: &str| {
        author
            .create(&node, &target, vec![("name", str(text))])
            .await
    };
    let query = format!(
        "query Q($name: String) {{ c: all_{target}(filter: {{name: {{eq: $name}}}}) {{ totalCount }} }}"
    );
    let count = async |name: &str| {
        let answer = node.graphql(&query, json!({ "name": name })).await;
        answer["data"]["c"]["totalCount"].clone()
    };

    assert_eq!(count("a").await, 0);
    named("a").await;
    assert_eq!(count("a").await, 1);
    assert_eq!(count("b").await, 0, "the values of variables count");
    author.schema(&node, "other", &[("name", "str")]).await;
    assert_eq!(count("a").await, 1, "so does a schema learnt later");
}

/// The node remembers what stands around the values.
#[tokio::test]
async fn inline_publications_are_told_apart() {
    let node = TestNode::start().await;
    let author = Author::new(1);
    let publish = async |number: u64, around: &str| {
        let args = grove_core::author::NextArgs::first(LogId::new(number));
        let submission = forge(&author.0, &args, &piece(&[number as u8])).unwrap();
        let values = encoded(&submission);
        let text = around.replace("ENTRY", values["entry"].as_str().unwrap());
        let text = text.replace("OPERATION", values["operation"].as_str().unwrap());
        let answer = node.graphql(&text, Value::Null).await;
        (answer, submission.entry().hash().to_string())
    };
    let plain =
        "mutation { p: publish(entry: \"ENTRY\", operation: \"OPERATION\") { logId backlink } }";
    let turned = "mutation A { publish(operation: \"OPERATION\", entry: \"ENTRY\") { backlink } }";

    for number in 0..3 {
        let (answer, hash) = publish(2 * number, plain).await;
        let log_id = (2 * number).to_string();
        assert_eq!(
            answer["data"]["p"],
            json!({ "logId": log_id, "backlink": hash })
        );
        let (answer, hash) = publish(2 * number + 1, turned).await;
        assert_eq!(answer["data"]["publish"]["backlink"], hash);
    }
    for (text, code) in [
        (plain.replace("ENTRY", "xy"), "invalid_hex"),
        (plain.replace("ENTRY", "0"), "invalid_hex"),
        (plain.replace("\"ENTRY\"", "7"), "argument_invalid"),
        (plain.replace("entry: \"ENTRY\",", ""), "request_malformed"),
    ] {
        let answer = node.graphql(&text, Value::Null).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
    }
    let twice = "mutation { publish(entry: \"aa\", operation: \"bb\") { logId }
        publish(entry: \"aa\", operation: \"cc\") { logId } }";
    assert_eq!(node.query_error(twice).await, "request_malformed");
}
