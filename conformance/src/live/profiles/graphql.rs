//! GraphQL: what its transport and its language promise, and what published clients lean on.

use serde_json::{Value, json};

use super::super::Wrong;
use super::super::api::{self, Answer};
use super::super::case::Case;
use super::super::doors::{Door, Need};
use super::super::under_test::{NodeUnderTest, eventually, set_up};
use super::shelf::Shelf;
use super::{LiveCheck, check, must, must_equal, must_refuse};
use crate::forge::{Hash, Item, hex, operation};
use crate::suite::{Hazard, Level};

const GRAPHQL: &[Need] = &[Need::GraphQl];

/// What can't be told by one request and its result.
pub(crate) const ALL: &[LiveCheck] = &[
    check(
        "cross-origin",
        "web pages of any origin may ask",
        cross_origin,
    )
    .needs(GRAPHQL),
    check(
        "graphql-preflight",
        "a browser may ask whether it may send JSON",
        preflight,
    )
    .needs(GRAPHQL),
    check(
        "graphql-broken-json",
        "broken JSON is a client's error",
        |it| undecodable(it, "{\"query\":"),
    )
    .needs(GRAPHQL),
    check(
        "graphql-empty-body",
        "an empty body is a client's error",
        |it| undecodable(it, ""),
    )
    .needs(GRAPHQL),
    check(
        "graphql-array-of-nothing",
        "an array that is no batch is a client's error",
        |it| undecodable(it, "[1]"),
    )
    .needs(GRAPHQL),
    check(
        "graphql-null-members",
        "variables and operationName may be null",
        null_members,
    )
    .needs(GRAPHQL)
    .requires(&["QU9"]),
    check(
        "graphql-no-content-type",
        "what a program posts needs no content type",
        no_content_type,
    )
    .needs(GRAPHQL),
    check(
        "graphql-arguments-by-name",
        "arguments count by their names, not by their places",
        arguments_by_name,
    )
    .needs(GRAPHQL)
    .requires(&["PB10"]),
    check(
        "graphql-serial-mutations",
        "the fields of a mutation are executed one after the other",
        serial_mutations,
    )
    .needs(GRAPHQL)
    .requires(&["PB1"]),
    check(
        "graphql-other-schema",
        "a document is not shown under another schema",
        other_schema,
    )
    .needs(GRAPHQL)
    .requires(&["QU2"]),
    check(
        "graphql-relation-of-other-schema",
        "a relation to a document of another schema reads as null",
        relation_of_other_schema,
    )
    .needs(GRAPHQL)
    .requires(&["QU6"])
    .ruled("R30"),
    check(
        "graphql-selected-twice",
        "a field that is selected twice is shown once, with both selections",
        selected_twice,
    )
    .needs(GRAPHQL),
    check(
        "graphql-documents-twice",
        "documents selected twice show both selections",
        documents_twice,
    )
    .needs(GRAPHQL),
    check(
        "graphql-pinned-outdated",
        "a pinned relation shows the view that it names",
        pinned_outdated,
    )
    .needs(GRAPHQL)
    .requires(&["QU3"]),
    check(
        "graphql-special-floats",
        "NaN and the infinities read as null",
        special_floats,
    )
    .needs(GRAPHQL)
    .requires(&["QU7"])
    .ruled("R20"),
    check(
        "graphql-large-ints",
        "integers have all 64 bits",
        large_ints,
    )
    .needs(GRAPHQL)
    .requires(&["OP7"]),
    check("graphql-texts", "texts come back as they were given", texts)
        .needs(GRAPHQL)
        .requires(&["SC6"]),
    check(
        "graphql-uppercase-id",
        "an id in uppercase is refused, or shows nothing",
        uppercase_id,
    )
    .needs(GRAPHQL)
    .ruled("R13"),
    check(
        "graphql-view-id-of-two",
        "a view of two operations is asked for by both",
        view_of_two,
    )
    .needs(GRAPHQL)
    .requires(&["DV1"]),
    check(
        "graphql-schema-versions",
        "both versions of an updated schema can be asked for",
        schema_versions,
    )
    .needs(GRAPHQL)
    .requires(&["QU1"]),
    check(
        "graphql-system-schemas",
        "definitions of schemas can be asked for like documents",
        system_schemas,
    )
    .needs(GRAPHQL)
    .requires(&["QU1"]),
    check(
        "graphql-schema-of-unknown",
        "a schema that points at an unknown one keeps no other from appearing",
        schema_of_unknown,
    )
    .needs(GRAPHQL)
    .requires(&["QU1"])
    .hazard(Hazard::Crash),
    check(
        "graphql-empty-update",
        "an UPDATE without fields harms nothing",
        empty_update,
    )
    .needs(GRAPHQL)
    .hazard(Hazard::State),
];

/// Id, request, and what the answer must be: the data, or a refusal where there is none.
type Row = (&'static str, &'static str, Option<&'static str>);

/// Requests that are answered with HTTP 200 whatever they ask. Names in braces stand for those of the shelf.
const ROWS: &[Row] = &[
    (
        "typename",
        "{ __typename }",
        Some(r#"{"__typename":"Query"}"#),
    ),
    ("syntax-error", "{ nextArgs(", None),
    ("unknown-field", "{ doesNotExist }", None),
    ("empty", "", None),
    ("missing-argument", "{ nextArgs { logId } }", None),
    (
        "unknown-argument",
        r#"{ nextArgs(publicKey: "{a}", foo: 1) { logId } }"#,
        None,
    ),
    ("no-selection", r#"{ nextArgs(publicKey: "{a}") }"#, None),
    ("unknown-type", "query Q($x: Nonsense) { __typename }", None),
    (
        "two-operations",
        "query A { __typename } query B { __typename }",
        None,
    ),
    (
        "unknown-schema",
        "{ all_nowhere_0020aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa { totalCount } }",
        None,
    ),
    (
        "fragment",
        "fragment F on Query { __typename } { ...F }",
        Some(r#"{"__typename":"Query"}"#),
    ),
    ("unknown-fragment", "{ ...G }", None),
    (
        "fragment-cycle",
        "fragment F on Query { ...F } { ...F }",
        None,
    ),
    (
        "alias",
        "{ a: __typename b: __typename }",
        Some(r#"{"a":"Query","b":"Query"}"#),
    ),
    (
        "skip",
        "{ a: __typename b: __typename @skip(if: true) }",
        Some(r#"{"a":"Query"}"#),
    ),
    (
        "include",
        "{ a: __typename b: __typename @include(if: false) }",
        Some(r#"{"a":"Query"}"#),
    ),
    (
        "commas",
        "{ a: __typename, b: __typename, }",
        Some(r#"{"a":"Query","b":"Query"}"#),
    ),
    (
        "empty-parens",
        "query Q() { __typename }",
        Some(r#"{"__typename":"Query"}"#),
    ),
    (
        "one-document",
        r#"{ it: {S}(id: "{0}") { meta { documentId owner } fields { name seats rating open logo } } }"#,
        Some(
            r#"{"it":{"meta":{"documentId":"{0}","owner":"{a}"},"fields":{"name":"Alpha","seats":100,"rating":4.5,"open":true,"logo":"00ff"}}}"#,
        ),
    ),
    (
        "one-view",
        r#"{ it: {S}(viewId: "{view}") { meta { documentId viewId } fields { name } } }"#,
        Some(r#"{"it":{"meta":{"documentId":"{1}","viewId":"{view}"},"fields":{"name":"beta2"}}}"#),
    ),
    (
        "view-id-as-id",
        r#"{ it: {S}(id: "{view}") { meta { documentId } } }"#,
        Some(r#"{"it":null}"#),
    ),
    (
        "unknown-id",
        r#"{ it: {S}(id: "{nowhere}") { meta { documentId } } }"#,
        Some(r#"{"it":null}"#),
    ),
    (
        "unknown-view",
        r#"{ it: {S}(viewId: "{nowhere}") { meta { documentId } } }"#,
        Some(r#"{"it":null}"#),
    ),
    (
        "deleted",
        r#"{ it: {S}(id: "{deleted}") { meta { documentId } } }"#,
        Some(r#"{"it":null}"#),
    ),
    (
        "deleted-view",
        r#"{ it: {S}(viewId: "{deleted}") { meta { documentId } } }"#,
        Some(r#"{"it":null}"#),
    ),
    ("neither-id", "{ it: {S} { meta { documentId } } }", None),
    (
        "malformed-id",
        r#"{ it: {S}(id: "0020") { meta { documentId } } }"#,
        None,
    ),
    (
        "malformed-view",
        r#"{ it: {S}(viewId: "{0}_") { meta { documentId } } }"#,
        None,
    ),
    (
        "id-number",
        "{ it: {S}(id: 7) { meta { documentId } } }",
        None,
    ),
    (
        "unused-view-null",
        r#"{ it: {S}(id: "{0}", viewId: null) { fields { name } } }"#,
        Some(r#"{"it":{"fields":{"name":"Alpha"}}}"#),
    ),
    (
        "unused-id-null",
        r#"{ it: {S}(id: null, viewId: "{0}") { fields { name } } }"#,
        Some(r#"{"it":{"fields":{"name":"Alpha"}}}"#),
    ),
    (
        "relation",
        r#"{ it: {S}(id: "{0}") { fields { tag { meta { documentId } fields { label } } } } }"#,
        Some(
            r#"{"it":{"fields":{"tag":{"meta":{"documentId":"{red}"},"fields":{"label":"red"}}}}}"#,
        ),
    ),
    (
        "pinned-relation",
        r#"{ it: {S}(id: "{3}") { fields { pin { meta { viewId } fields { label } } } } }"#,
        Some(
            r#"{"it":{"fields":{"pin":{"meta":{"viewId":"{green}"},"fields":{"label":"green"}}}}}"#,
        ),
    ),
    (
        "relation-no-selection",
        r#"{ it: {S}(id: "{0}") { fields { tag } } }"#,
        None,
    ),
    (
        "unknown-filter-field",
        r#"{ it: all_{S}(filter: { nothing: { eq: 1 } }) { totalCount } }"#,
        None,
    ),
    (
        "unknown-operator",
        r#"{ it: all_{S}(filter: { name: { like: "x" } }) { totalCount } }"#,
        None,
    ),
    (
        "bool-in",
        "{ it: all_{S}(filter: { open: { in: [true] } }) { totalCount } }",
        None,
    ),
    (
        "list-eq",
        r#"{ it: all_{S}(filter: { tags: { eq: "{red}" } }) { totalCount } }"#,
        None,
    ),
    (
        "int-as-fraction",
        "{ it: all_{S}(filter: { seats: { eq: 1.5 } }) { totalCount } }",
        None,
    ),
    (
        "int-as-text",
        r#"{ it: all_{S}(filter: { seats: { eq: "50" } }) { totalCount } }"#,
        None,
    ),
    (
        "bytes-no-hex",
        r#"{ it: all_{S}(filter: { logo: { eq: "zz" } }) { totalCount } }"#,
        None,
    ),
    (
        "relation-no-id",
        r#"{ it: all_{S}(filter: { tag: { eq: "red" } }) { totalCount } }"#,
        None,
    ),
    (
        "unknown-meta",
        r#"{ it: all_{S}(meta: { author: { eq: "{a}" } }) { totalCount } }"#,
        None,
    ),
    (
        "next-args-empty-key",
        r#"{ nextArgs(publicKey: "") { logId } }"#,
        None,
    ),
    (
        "next-args-number-key",
        "{ nextArgs(publicKey: 7) { logId } }",
        None,
    ),
    (
        "next-args-null-key",
        "{ nextArgs(publicKey: null) { logId } }",
        None,
    ),
    (
        "next-args-empty-view",
        r#"{ nextArgs(publicKey: "{a}", viewId: "") { logId } }"#,
        None,
    ),
    (
        "next-args-unknown-view",
        r#"{ nextArgs(publicKey: "{a}", viewId: "{nowhere}") { logId } }"#,
        None,
    ),
    (
        "next-args-view-null",
        r#"{ nextArgs(publicKey: "{a}", viewId: null) { seqNum backlink skiplink } }"#,
        Some(r#"{"nextArgs":{"seqNum":"1","backlink":null,"skiplink":null}}"#),
    ),
    (
        "publish-missing",
        r#"mutation { publish(entry: "00") { logId } }"#,
        None,
    ),
    (
        "publish-not-hex",
        r#"mutation { publish(entry: "zz", operation: "00") { logId } }"#,
        None,
    ),
    (
        "publish-odd-hex",
        r#"mutation { publish(entry: "000", operation: "00") { logId } }"#,
        None,
    ),
    (
        "publish-empty",
        r#"mutation { publish(entry: "", operation: "") { logId } }"#,
        None,
    ),
    (
        "publish-number",
        r#"mutation { publish(entry: 7, operation: "00") { logId } }"#,
        None,
    ),
    ("mutation-typename", "mutation { __typename }", Some("")),
];

/// Variables that real clients send, whose declared types are not those of the arguments.
const VARIABLES: &[(&str, &str, &str, &str)] = &[
    (
        "string-for-key",
        "query Q($k: String!) { it: nextArgs(publicKey: $k) { seqNum } }",
        r#"{"k":"{A}"}"#,
        r#"{"it":{"seqNum":"1"}}"#,
    ),
    (
        "id-for-key",
        "query Q($k: ID!) { it: nextArgs(publicKey: $k) { seqNum } }",
        r#"{"k":"{a}"}"#,
        r#"{"it":{"seqNum":"1"}}"#,
    ),
    (
        "null-for-string",
        "query Q($k: String!, $v: String!) { it: nextArgs(publicKey: $k, viewId: $v) { seqNum } }",
        r#"{"k":"{a}","v":null}"#,
        r#"{"it":{"seqNum":"1"}}"#,
    ),
    (
        "view-left-out",
        "query Q($k: String!, $v: String) { it: nextArgs(publicKey: $k, viewId: $v) { seqNum } }",
        r#"{"k":"{a}"}"#,
        r#"{"it":{"seqNum":"1"}}"#,
    ),
    (
        "string-for-id",
        "query Q($id: String!) { it: {S}(id: $id) { fields { name } } }",
        r#"{"id":"{0}"}"#,
        r#"{"it":{"fields":{"name":"Alpha"}}}"#,
    ),
    (
        "string-for-order",
        "query Q($o: String) { it: all_{S}(orderBy: $o, first: 1) { documents { fields { name } } } }",
        r#"{"o":"seats"}"#,
        r#"{"it":{"documents":[{"fields":{"name":"Gamma"}}]}}"#,
    ),
    (
        "enum-for-order",
        "query Q($o: {S}OrderBy) { it: all_{S}(orderBy: $o, first: 1) { documents { fields { name } } } }",
        r#"{"o":"seats"}"#,
        r#"{"it":{"documents":[{"fields":{"name":"Gamma"}}]}}"#,
    ),
    (
        "default-value",
        "query Q($n: Int = 1) { it: all_{S}(orderBy: seats, first: $n) { documents { fields { name } } } }",
        "{}",
        r#"{"it":{"documents":[{"fields":{"name":"Gamma"}}]}}"#,
    ),
    (
        "int-left-out",
        "query Q($n: Int) { it: all_{S}(first: $n) { totalCount } }",
        "{}",
        r#"{"it":{"totalCount":5}}"#,
    ),
    (
        "filter-whole",
        "query Q($f: {S}Filter) { it: all_{S}(filter: $f) { totalCount } }",
        r#"{"f":{"seats":{"eq":50}}}"#,
        r#"{"it":{"totalCount":2}}"#,
    ),
    (
        "filter-left-out",
        "query Q($f: {S}Filter) { it: all_{S}(filter: $f) { totalCount } }",
        "{}",
        r#"{"it":{"totalCount":5}}"#,
    ),
    (
        "value-negative",
        "query Q($n: Int) { it: all_{S}(filter: { seats: { eq: $n } }) { totalCount } }",
        r#"{"n":-5}"#,
        r#"{"it":{"totalCount":1}}"#,
    ),
    (
        "value-large",
        "query Q($n: Int) { it: all_{S}(filter: { seats: { eq: $n } }) { totalCount } }",
        r#"{"n":3000000000}"#,
        r#"{"it":{"totalCount":1}}"#,
    ),
];

/// One case for each request, and for each set of variables.
pub(crate) fn cases() -> Vec<Case<'static>> {
    let rows = ROWS.iter().map(|row @ (id, query, _)| {
        case(
            format!("graphql-{id}"),
            format!("answered as it should: {query}"),
            move |target| {
                let shelf = Shelf::of(target)?;
                answered(target, &shelf, row)
            },
        )
    });
    let variables = VARIABLES.iter().map(|(id, query, variables, expected)| {
        case(
            format!("variables-{id}"),
            format!("real clients send: {query}"),
            move |target| {
                let shelf = Shelf::of(target)?;
                let variables = json_of(&shelf, variables)?;
                let answer = api::graphql(&target.client, &shelf.named(query), variables)?;
                let data = answer.expect("the query")?;
                must_equal("data", data, json_of(&shelf, expected)?)
            },
        )
    });
    rows.chain(variables).collect()
}

fn case(
    id: String,
    title: String,
    run: impl Fn(&mut NodeUnderTest) -> Result<(), Wrong> + 'static,
) -> Case<'static> {
    Case {
        id,
        title,
        profile: "graphql",
        requires: vec!["QU8".to_owned()],
        ruling: None,
        level: Level::Must,
        needs: GRAPHQL.to_vec(),
        hazard: Hazard::None,
        run: Box::new(run),
    }
}

fn json_of(shelf: &Shelf, text: &str) -> Result<Value, Wrong> {
    serde_json::from_str(&shelf.named(text)).map_err(|error| Wrong::SetUp(error.to_string()))
}

//= QU8: sends requests that make sense and others
fn answered(
    target: &NodeUnderTest,
    shelf: &Shelf,
    (_, query, expected): &Row,
) -> Result<(), Wrong> {
    let answer = api::graphql(&target.client, &shelf.named(query), json!({}))?;
    match expected {
        None => {
            must_refuse("the request", &answer)?;
            target.control("after")
        }
        Some("") => answer.expect("the query").map(drop),
        Some(expected) => must_equal(
            "data",
            answer.expect("the query")?,
            json_of(shelf, expected)?,
        ),
    }
}

fn cross_origin(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let response = target
        .client
        .post("/graphql", r#"{"query":"{ __typename }"}"#)
        .map_err(Wrong::Behaviour)?;
    allows_origin(&response)
}

fn allows_origin(response: &super::super::http::Response) -> Result<(), Wrong> {
    let allowed = response.headers.get("access-control-allow-origin");
    let allowed = allowed
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    must(
        allowed == "*" || allowed == "http://conformance.invalid",
        || format!("access-control-allow-origin is {allowed:?}"),
    )
}

fn preflight(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let headers = [
        ("origin", "http://conformance.invalid"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let response = target.client.send("OPTIONS", "/graphql", &headers, "");
    let response = response.map_err(Wrong::Behaviour)?;
    must(response.status.is_success(), || {
        format!("status {}", response.status)
    })?;
    allows_origin(&response)?;
    let allowed = response.headers.get("access-control-allow-headers");
    let allowed = allowed
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    must(
        allowed == "*" || allowed.to_lowercase().contains("content-type"),
        || format!("access-control-allow-headers is {allowed:?}"),
    )
}

fn undecodable(target: &mut NodeUnderTest, body: &str) -> Result<(), Wrong> {
    target.control("before")?;
    let response = target
        .client
        .post("/graphql", body)
        .map_err(Wrong::Behaviour)?;
    must(response.status.is_client_error(), || {
        format!("{body:?} got status {}", response.status)
    })?;
    target.control("after")
}

fn null_members(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let body = r#"{"query":"{ __typename }","variables":null,"operationName":null}"#;
    let response = target
        .client
        .post("/graphql", body)
        .map_err(Wrong::Behaviour)?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    must_equal("data", &answer["data"], &json!({"__typename": "Query"}))
}

fn no_content_type(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let body = r#"{"query":"{ __typename }"}"#;
    let response = target.client.send("POST", "/graphql", &[], body);
    let response = response.map_err(Wrong::Behaviour)?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    must_equal("data", &answer["data"], &json!({"__typename": "Query"}))
}

fn arguments_by_name(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "named", Door::GraphQl)?;
    let query = format!(
        "{{ it: nextArgs(viewId: \"{}\", publicKey: \"{}\") {{ logId seqNum backlink skiplink }} }}",
        document.id.hex(),
        author.public_key()
    );
    let data = api::graphql(&target.client, &query, json!({}))?.expect("nextArgs")?;
    let args = api::read_args(Door::GraphQl, &data["it"])?;
    must_equal("nextArgs", args, author.next_args(document.log))
}

fn serial_mutations(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let log = author.open_log();
    let mut fields = String::new();
    let mut operation = target.create_operation(1, "serial");
    for name in ["a", "b", "c"] {
        let entry = author.draft(log, &operation).sign(author.key());
        fields += &format!(
            "{name}: publish(entry: \"{}\", operation: \"{}\") {{ seqNum }} ",
            hex(&entry),
            hex(&operation)
        );
        let id = author.keep(log, entry, operation);
        operation = target.update_operation(&[id], 2);
    }
    let query = format!("mutation {{ {fields} }}");
    let data = api::graphql(&target.client, &query, json!({}))?.expect("three publishes")?;
    let expected = json!({"a": {"seqNum": "2"}, "b": {"seqNum": "3"}, "c": {"seqNum": "4"}});
    must_equal("data", data, expected)
}

fn other_schema(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    for selection in ["meta { documentId }", "fields { name }"] {
        let query = shelf.named(&format!(
            "{{ it: {{S}}(id: \"{{red}}\") {{ {selection} }} }}"
        ));
        let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
        must_equal(
            "a tag asked for as if it were on the shelf",
            &data["it"],
            &Value::Null,
        )?;
    }
    target.control("after")
}

//= QU6: points at a document of another schema
fn relation_of_other_schema(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let to = format!("relation({})", shelf.tag_schema_id);
    let schema_id = target.schema("pointer", &[("to", &to)])?;
    let mut author = target.author("a");
    let log = author.open_log();
    let fields = [("to", Item::id(shelf.ids[0]))];
    let operation = operation::create(&schema_id, fields).encode();
    let id = set_up(target.publish(&mut author, log, operation, Door::GraphQl))?;
    for selection in ["meta { documentId }", "fields { label }"] {
        let query = format!(
            "{{ it: {schema_id}(id: \"{}\") {{ fields {{ to {{ {selection} }} }} }} }}",
            id.hex()
        );
        eventually("the relation reads as null", || {
            let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
            let it = data["it"].clone();
            Ok(if it.is_object() && it["fields"]["to"].is_null() {
                Ok(it)
            } else {
                Err(it)
            })
        })?;
    }
    target.control("after")
}

fn selected_twice(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let query = shelf
        .named(r#"{ it: {S}(id: "{0}") { fields { name } fields { seats } meta { owner } } }"#);
    let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
    let expected = json_of(
        &shelf,
        r#"{"it":{"fields":{"name":"Alpha","seats":100},"meta":{"owner":"{a}"}}}"#,
    )?;
    must_equal("data", data, expected)
}

fn documents_twice(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let collection = r#"it: all_{S}(filter: { seats: { eq: 100 } })"#;
    let query = format!(
        "{{ {collection} {{ documents {{ fields {{ name }} }} documents {{ fields {{ seats }} }} }} }}"
    );
    let data =
        api::graphql(&target.client, &shelf.named(&query), json!({}))?.expect("the query")?;
    let expected = json!([{"fields": {"name": "Alpha", "seats": 100}}]);
    must_equal("documents", &data["it"]["documents"], &expected)?;
    let query = format!(
        "{{ {collection} {{ a: documents {{ fields {{ name }} }} b: documents {{ fields {{ seats }} }} }} }}"
    );
    let data =
        api::graphql(&target.client, &shelf.named(&query), json!({}))?.expect("the query")?;
    let expected = json!({"a": [{"fields": {"name": "Alpha"}}], "b": [{"fields": {"seats": 100}}]});
    must_equal("documents under two names", &data["it"], &expected)
}

fn pinned_outdated(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let log = author.open_log();
    // The view of a document of one's own that is updated later on: nobody else pins it.
    let related = target.schema("pinned", &[("label", "str")])?;
    let types = ["pinned_relation", "pinned_relation_list"].map(|of| format!("{of}({related})"));
    let pointing = target.schema("pinner_of_own", &[("all", &types[1]), ("one", &types[0])])?;
    let create = operation::create(&related, [("label", Item::text("old"))]).encode();
    let old = set_up(target.publish(&mut author, log, create, Door::GraphQl))?;
    let own = author.open_log();
    let fields = [
        ("all", Item::Array(vec![Item::ids(&[old])])),
        ("one", Item::ids(&[old])),
    ];
    let create = operation::create(&pointing, fields).encode();
    let id = set_up(target.publish(&mut author, own, create, Door::GraphQl))?;
    let select = "fields { label }";
    let query = format!(
        "{{ it: {pointing}(id: \"{}\") {{ fields {{ one {{ {select} }} all {{ documents {{ {select} }} }} }} }} }}",
        id.hex()
    );
    let shown = |target: &NodeUnderTest, what: &str| {
        eventually(what, || {
            let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
            let fields = data["it"]["fields"].clone();
            let one = fields["one"]["fields"]["label"] == "old";
            let all = fields["all"]["documents"][0]["fields"]["label"] == "old";
            Ok(if one && all { Ok(fields) } else { Err(fields) })
        })
    };
    set_up(shown(target, "the pinned view shows"))?;
    let update = operation::update(&related, &[old], [("label", Item::text("new"))]).encode();
    set_up(target.publish(&mut author, log, update, Door::GraphQl))?;
    let current = format!(
        "{{ it: {related}(id: \"{}\") {{ fields {{ label }} }} }}",
        old.hex()
    );
    eventually("the update shows", || {
        let data = api::graphql(&target.client, &current, json!({}))?.expect("the query")?;
        let label = data["it"]["fields"]["label"].clone();
        Ok(if label == "new" {
            Ok(label)
        } else {
            Err(label)
        })
    })?;
    shown(
        target,
        "the pinned view shows after an update, alone and in a list",
    )
    .map(drop)
}

/// A document of one field, as it is shown.
fn value_of(
    target: &NodeUnderTest,
    (name, field_type): (&str, &str),
    value: Item,
) -> Result<Value, Wrong> {
    let schema_id = target.schema(&format!("one_{field_type}"), &[(name, field_type)])?;
    let mut author = target.author(&format!("{value:?}"));
    let log = author.open_log();
    let operation = operation::create(&schema_id, [(name, value)]).encode();
    let id = target.publish(&mut author, log, operation, Door::GraphQl)?;
    let query = format!(
        "{{ it: {schema_id}(id: \"{}\") {{ fields {{ {name} }} }} }}",
        id.hex()
    );
    let shown = eventually("the document shows", || {
        let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
        let it = data["it"].clone();
        Ok(if it.is_object() { Ok(it) } else { Err(it) })
    })?;
    Ok(shown["fields"][name].clone())
}

//= QU7: asks for numbers that JSON has not
fn special_floats(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let shown = value_of(target, ("x", "float"), Item::Float(value))?;
        must_equal(&format!("{value}"), shown, Value::Null)?;
    }
    for value in [1.0, -0.5, 5e-324, 1e300] {
        let shown = value_of(target, ("x", "float"), Item::Float(value))?;
        must_equal(&format!("{value}"), shown.as_f64(), Some(value))?;
    }
    Ok(())
}

fn large_ints(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for value in [i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1, -1] {
        let shown = value_of(target, ("x", "int"), Item::Int(value.into()))?;
        must_equal(&format!("{value}"), shown.as_i64(), Some(value))?;
    }
    Ok(())
}

fn texts(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    for value in [
        "",
        "a\u{0}b",
        "\"q\" \\ 🐼",
        "line\nline\ttab",
        "e\u{301}",
        "\u{fffd}\u{10ffff}",
    ] {
        let shown = value_of(target, ("x", "str"), Item::text(value))?;
        must_equal("a text", shown.as_str(), Some(value))?;
    }
    Ok(())
}

fn uppercase_id(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let query = format!(
        "{{ it: {}(id: \"{}\") {{ meta {{ documentId }} }} }}",
        shelf.schema_id,
        shelf.ids[0].hex().to_uppercase()
    );
    if let Answer::Result(data) = api::graphql(&target.client, &query, json!({}))? {
        let id = &data["it"]["meta"]["documentId"];
        let own = id.as_str().is_none_or(|id| id == shelf.ids[0].hex());
        must(own, || format!("the id is told as {id}"))?;
    }
    target.control("after")
}

fn view_of_two(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let (mut author, mut other) = (target.author("a"), target.author("b"));
    let document = target.create(&mut author, 1, "two", Door::GraphQl)?;
    let update = target.update_operation(&[document.id], 2);
    let first = target.publish(&mut author, document.log, update, Door::GraphQl)?;
    let log = other.open_log();
    let update = target.update_operation(&[document.id], 3);
    let second = target.publish(&mut other, log, update, Door::GraphQl)?;
    let view_id = crate::forge::hash::view_id(&[first, second]);
    target.document_until(document.id, "both updates are in the view", |shown| {
        shown["meta"]["viewId"] == view_id.as_str()
    })?;
    let shown = target.view(&view_id)?;
    must_equal("viewId", &shown["meta"]["viewId"], &json!(view_id))?;
    let (key, door) = (author.public_key(), Door::GraphQl);
    let answer = api::next_args(&target.client, door, &key, Some(&view_id))?;
    let args = api::read_args(door, &answer.expect("nextArgs for a view of two")?)?;
    must_equal("nextArgs", args, author.next_args(document.log))?;
    // The same ids in the wrong order are no view id.
    let mut ids = [first.hex(), second.hex()];
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let answer = api::next_args(&target.client, door, &key, Some(&ids.join("_")))?;
    must_refuse("a view id out of order", &answer)
}

/// Publishes a definition of one field, and its successor under another description.
fn schema_versions(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let door = Door::GraphQl;
    let fields = [("name", Item::text("label")), ("type", Item::text("str"))];
    let operation = operation::create("schema_field_definition_v1", fields).encode();
    let log = author.open_log();
    let field = target.publish(&mut author, log, operation, door)?;
    let definition = [
        ("description", Item::text("first")),
        ("fields", Item::Array(vec![Item::ids(&[field])])),
        ("name", Item::text("versions")),
    ];
    let operation = operation::create("schema_definition_v1", definition).encode();
    let log = author.open_log();
    let first = target.publish(&mut author, log, operation, door)?;
    let ask = |id: Hash, what: &str| {
        let query = format!("{{ all_versions_{} {{ totalCount }} }}", id.hex());
        eventually(what, || {
            Ok(match api::graphql(&target.client, &query, json!({}))? {
                Answer::Result(value) => Ok(value),
                Answer::Refused { message, .. } => Err(Value::from(message)),
            })
        })
    };
    // Before the second comes: deployed nodes may miss a version that was superseded at once.
    set_up(ask(first, "the first version can be asked for"))?;
    let change = [("description", Item::text("second"))];
    let operation = operation::update("schema_definition_v1", &[first], change).encode();
    let second = target.publish(&mut author, log, operation, door)?;
    ask(second, "the second version can be asked for")?;
    ask(first, "the first version can still be asked for").map(drop)
}

fn system_schemas(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let shelf = Shelf::of(target)?;
    let id = shelf.tag_schema_id.rsplit('_').next().unwrap_or_default();
    let query = format!(
        "{{ it: schema_definition_v1(id: \"{id}\") {{ fields {{ name fields {{ totalCount documents {{ fields {{ name type }} }} }} }} }} }}"
    );
    let data = api::graphql(&target.client, &query, json!({}))?.expect("the query")?;
    let field = json!({"fields": {"name": "label", "type": "str"}});
    let expected = json!({"name": "tag", "fields": {"totalCount": 1, "documents": [field]}});
    must_equal("the definition", &data["it"]["fields"], &expected)
}

fn schema_of_unknown(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let nowhere = format!(
        "relation(nowhere_{})",
        Hash::of(target.seed.to_string()).hex()
    );
    let mut author = target.author("a");
    let door = Door::GraphQl;
    let fields = [("name", Item::text("to")), ("type", Item::text(nowhere))];
    let operation = operation::create("schema_field_definition_v1", fields).encode();
    let log = author.open_log();
    let field = target.publish(&mut author, log, operation, door)?;
    let definition = [
        ("description", Item::text("points at nothing")),
        ("fields", Item::Array(vec![Item::ids(&[field])])),
        ("name", Item::text("pointing_nowhere")),
    ];
    let operation = operation::create("schema_definition_v1", definition).encode();
    let log = author.open_log();
    target.publish(&mut author, log, operation, door)?;
    // Another one that is as good as any must still come to be known.
    target
        .schema("after_nowhere", &[("label", "str")])
        .map(drop)
        .map_err(|wrong| match wrong {
            Wrong::SetUp(what) => Wrong::Behaviour(what),
            other => other,
        })
}

fn empty_update(target: &mut NodeUnderTest) -> Result<(), Wrong> {
    let mut author = target.author("a");
    let document = target.create(&mut author, 1, "empty", Door::GraphQl)?;
    let none: [(&str, Item); 0] = [];
    let operation = operation::update(&target.schema_id, &[document.id], none).encode();
    let entry = author.draft(document.log, &operation).sign(author.key());
    if let Answer::Result(_) = api::publish(&target.client, Door::GraphQl, &entry, &operation)? {
        let id = author.keep(document.log, entry, operation);
        let update = target.update_operation(&[id], 2);
        target.publish(&mut author, document.log, update, Door::GraphQl)?;
        let shown = target.document_until(document.id, "the update after it shows", |shown| {
            shown["fields"]["hour"] == 2
        });
        shown?;
    }
    target.control("after")
}
