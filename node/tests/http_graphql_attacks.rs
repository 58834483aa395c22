//! Small requests that once ended, froze or bloated a node. Each is refused for what it is, and what it
//! makes the node do is bounded: memory at once, and all memory ever taken, as a measure of work.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod http_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use grove_core::types::SchemaId;
use grove_node::http::Limits;
use http_support::follow::GraphSocket;
use http_support::{Author, TestNode};
use serde_json::{Value, json};

/// Counts what is taken from the system's allocator.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        TAKEN.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests that count take turns.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Megabytes held at once and taken in all while something is done, client and server together.
async fn cost<T>(work: impl Future<Output = T>) -> (T, usize, usize) {
    let (held, taken) = (HELD.load(Ordering::Relaxed), TAKEN.load(Ordering::Relaxed));
    PEAK.store(held, Ordering::Relaxed);
    let done = work.await;
    let peak = PEAK.load(Ordering::Relaxed).saturating_sub(held);
    (
        done,
        peak >> 20,
        (TAKEN.load(Ordering::Relaxed) - taken) >> 20,
    )
}

/// Thirty fragments, each of which spreads the next nine.
fn chained() -> String {
    let mut text = "{ ...f0 }".to_owned();
    for number in 0..30 {
        let spreads: String = (number + 1..(number + 10).min(31))
            .map(|n| format!(" ...f{n}"))
            .collect();
        text += &format!(" fragment f{number} on Query {{{spreads} }}");
    }
    text + " fragment f30 on Query { __typename }"
}

fn attacks() -> Vec<(&'static str, String)> {
    let brackets = "[".repeat(3000);
    let many =
        |count: usize, word: &dyn Fn(usize) -> String| (0..count).map(word).collect::<String>();
    let variables = many(3000, &|n| format!("$v{n}: Int "));
    let operations = many(3000, &|n| format!("query q{n} {{ __typename }} "));
    let spread = many(9000, &|_| "...f ".to_owned());
    let values = "1,".repeat(12_000);
    let directives = "@skip(if: false) ".repeat(12_000);
    let nested = format!("{}{}", "{a".repeat(20_000), "}".repeat(20_000));
    vec![
        (
            "brackets behind a string",
            format!("{{ a(x: [\"\"\" \"{brackets}]) }}"),
        ),
        (
            "brackets behind a block",
            format!("{{ a(x: [\"\"\"\"\"\" {brackets}]) }}"),
        ),
        (
            "a hundred thousand brackets",
            format!("{{ a(x: {}", "[".repeat(100_000)),
        ),
        ("braces within each other", nested),
        ("chained fragments", chained()),
        (
            "chained fragments nobody uses",
            chained().replace("{ ...f0 }", "{ __typename }"),
        ),
        (
            "a ring of fragments",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".to_owned(),
        ),
        (
            "one fragment nine thousand times",
            format!("{{ {spread} }} fragment f on Query {{ a: __typename b: __typename }}"),
        ),
        ("words", "a ".repeat(50_000)),
        ("words in braces", format!("{{ {} }}", "a ".repeat(50_000))),
        (
            "one field over and over",
            format!("{{ {} }}", "__typename ".repeat(11_000)),
        ),
        ("variables", format!("query ({variables}) {{ __typename }}")),
        ("operations", operations),
        (
            "values",
            format!("{{ all_blob_v1(filter: {{length: {{in: [{values}]}}}}) {{ totalCount }} }}"),
        ),
        ("directives", format!("{{ __typename {directives} }}")),
        (
            "descriptions",
            format!(
                "{{ {} }}",
                many(9, &|n| format!("a{n}: __schema {{ types {{ name }} }} "))
            ),
        ),
        (
            "lists of a description within each other",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
                .to_owned(),
        ),
    ]
}

#[tokio::test]
async fn attacks_are_refused_within_bounds() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;
    node.query("{ __typename }").await;

    for (name, query) in attacks() {
        assert!(query.len() < 200 << 10, "{name}: {}", query.len());

        let (code, peak, taken) = cost(node.query_error(&query)).await;

        assert!(
            ["request_too_large", "request_malformed"].contains(&code.as_str()),
            "{name}: {code}"
        );
        assert!(peak <= 20, "{name}: {peak} MB at once");
        assert!(taken <= 60, "{name}: {taken} MB in all");
        assert_eq!(node.query("{ __typename }").await["__typename"], "Query");
    }
}

/// The same by the two other ways that a query can come.
#[tokio::test]
async fn attacks_are_refused_by_every_way() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;
    let mut socket = GraphSocket::connect(node.address).await;

    // What the test's own socket can send in one frame.
    let attacks = attacks()
        .into_iter()
        .filter(|(_, query)| query.len() < 60 << 10);
    for (number, (name, query)) in attacks.enumerate() {
        let id = number.to_string();
        socket.start(&id, &query).await;
        let code = socket.error(&id).await;
        assert!(code.starts_with("request_"), "{name}: {code}");
    }
    let path = |query: &str| {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        format!("/graphql?query={encoded}")
    };
    let response = node.get(&path(&chained())).await;
    assert!(
        response.body().contains("request_too_large"),
        "{}",
        response.body()
    );
}

#[tokio::test]
async fn a_text_of_megabytes_is_not_even_parsed() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;
    let query = "a ".repeat(7 << 20);

    let (code, peak, taken) = cost(node.query_error(&query)).await;

    assert_eq!(code, "request_too_large");
    // The text itself, as the client makes it, as JSON, on its way and read: five times fourteen.
    assert!(peak <= 100, "{peak} MB at once");
    assert!(taken <= 250, "{taken} MB in all");
}

/// Makes many schemas known, faster than by publishing each with its fields.
async fn many_schemas(node: &TestNode, count: usize) -> Vec<SchemaId> {
    let author = Author::new(1);
    let first = author.schema(node, "first", &[("a", "str")]).await;
    let view = first.to_string();
    let definition = node
        .query(format!(
            "{{ d: schema_definition_v1(id: \"{}\") {{ fields {{ fields {{ documents {{ meta {{ viewId }} }} }} }} }} }}",
            view.strip_prefix("first_").unwrap()
        ))
        .await;
    let field = definition["d"]["fields"]["fields"]["documents"][0]["meta"]["viewId"].clone();
    let field: grove_core::types::DocumentViewId = field.as_str().unwrap().parse().unwrap();
    let names: Vec<String> = (0..count).map(|number| format!("many{number}x")).collect();
    let definitions = names.iter().map(|name| {
        vec![
            ("description", http_support::str("one of many")),
            (
                "fields",
                grove_core::types::PlainValue::ViewIds(vec![field.clone()]),
            ),
            ("name", http_support::str(name)),
        ]
    });
    let ids = author
        .create_many(node, &SchemaId::SCHEMA_DEFINITION, definitions)
        .await;
    let ids = names.iter().zip(ids);
    ids.map(|(name, id)| SchemaId::Application {
        name: name.parse().unwrap(),
        view_id: id.into(),
    })
    .collect()
}

#[tokio::test]
async fn a_question_costs_the_schemas_it_names() {
    let _alone = ALONE.lock().await;
    let node = TestNode::with_room_for(3000, Limits::default()).await;
    let schemas = many_schemas(&node, 2000).await;
    let query = |schema: &SchemaId| format!("{{ c: all_{schema} {{ totalCount }} }}");
    node.query(query(&schemas[0])).await;

    let (found, peak, taken) = cost(node.query(query(&schemas[1]))).await;
    let (described, _, of_type) = cost(node.query(format!(
        "{{ __type(name: \"{}Fields\") {{ fields {{ name }} }} }}",
        schemas[2]
    )))
    .await;
    // The first question behind a new schema is no dearer.
    let new = Author::new(2).schema(&node, "new", &[("a", "str")]).await;
    let (_, _, after) = cost(node.query(query(&new))).await;

    assert_eq!(found["c"]["totalCount"], 0);
    assert_eq!(described["__type"]["fields"], json!([{ "name": "a" }]));
    for (what, megabytes) in [
        ("peak", peak),
        ("taken", taken),
        ("type", of_type),
        ("new", after),
    ] {
        assert!(megabytes <= 1, "{what}: {megabytes} MB");
    }
}

#[tokio::test]
async fn subscriptions_keep_nothing_of_the_schemas() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;
    let schemas = many_schemas(&node, 200).await;
    let mut socket = GraphSocket::connect(node.address).await;
    let follow = |number: usize| {
        let schema = &schemas[number];
        format!(
            "subscription {{ all_{schema} {{ cursor document {{ fields {{ a }} meta {{ viewId }} }} }} }}"
        )
    };
    socket.start("0", &follow(0)).await;
    socket.settled().await;

    let before = HELD.load(Ordering::Relaxed);
    for number in 1..61 {
        socket.start(&number.to_string(), &follow(number)).await;
    }
    socket.settled().await;
    let each = HELD.load(Ordering::Relaxed).saturating_sub(before) / 60;

    assert!(each <= 20 << 10, "{each} bytes");
}

#[tokio::test]
async fn a_description_of_too_much_is_refused_with_a_hint() {
    let _alone = ALONE.lock().await;
    let mut limits = Limits::default();
    limits.answer_size_max = 4 << 20;
    let node = TestNode::with_room_for(3000, limits).await;
    many_schemas(&node, 1000).await;
    let everything = "{ __schema { types { name fields { name type { name } } } } }";

    let (answer, peak, _) = cost(node.graphql(everything, Value::Null)).await;

    assert_eq!(
        answer["errors"][0]["extensions"]["code"],
        "request_too_large"
    );
    let text = answer["errors"][0]["message"].as_str().unwrap();
    assert!(text.contains("__type(name:"), "{text}");
    assert!(peak <= 20, "{peak} MB");
    let names = "{ __schema { queryType { name } } }";
    assert_eq!(
        node.query(names).await["__schema"]["queryType"]["name"],
        "Query"
    );
}

/// A body by POST as it is, of this type; its status and answer.
async fn posted(node: &TestNode, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let mut request = http_support::build(hyper::Method::POST, path, body);
    let headers = request.headers_mut();
    headers.insert("content-type", kind.parse().unwrap());
    let response = node.request(request).await;
    let answer = serde_json::from_str(response.body()).unwrap_or_default();
    (response.status().as_u16(), answer)
}

/// What graphql-cop, an auditor of GraphQL servers, tries to overload one with. Its remaining points are meant
/// to be so here: the schema is described to anybody, queries come by GET, and there is a page to try them.
#[tokio::test]
async fn the_overloads_that_graphql_cop_tries_are_small_or_refused() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;
    node.query("{ __typename }").await;
    let many =
        |count: usize, word: &dyn Fn(usize) -> String| (0..count).map(word).collect::<String>();
    let aliases = |count| format!("{{ {} }}", many(count, &|n| format!("a{n}: __typename ")));
    let circle = |depth: usize| {
        let (open, close) = ("fields { type { ".repeat(depth), "} } ".repeat(depth));
        format!("{{ __schema {{ types {{ {open}name {close}}} }} }}")
    };

    // Aliases and repeated fields count each, however they come; what is within bounds costs little.
    for (name, query) in [
        ("aliases", aliases(101)),
        ("one field", format!("{{ {} }}", "__typename ".repeat(1000))),
        (
            "one directive",
            format!("{{ __typename {} }}", "@skip(if: false) ".repeat(10)),
        ),
    ] {
        let (answer, peak, taken) = cost(node.graphql(&query, Value::Null)).await;
        assert!(
            peak <= 2 && taken <= 10,
            "{name}: {peak} MB at once, {taken} MB in all"
        );
        let told = answer["errors"].as_array().map_or(0, Vec::len);
        assert!(told <= 5, "{name}: {told} errors are told");
    }
    assert_eq!(
        node.query_error(&aliases(10_001)).await,
        "request_too_large"
    );
    let unknown = format!("{{ __typename {} }}", "@aa".repeat(1000));
    let (answer, _, taken) = cost(node.graphql(&unknown, Value::Null)).await;
    assert!(answer["errors"].as_array().unwrap().len() <= 5, "{answer}");
    assert!(taken <= 10, "{taken} MB in all");
    for depth in 3..8 {
        assert_eq!(node.query_error(&circle(depth)).await, "request_too_large");
    }
    let ring =
        "query { ...A } fragment A on Query { __typename ...B } fragment B on Query { ...A }";
    assert!(node.query_error(ring).await.starts_with("request_"));

    // A list of queries is none, nor is what a form of a web page sends.
    let batch = json!(vec![json!({ "query": "{ __typename }" }); 10]).to_string();
    let form = "application/x-www-form-urlencoded";
    for (path, kind, body) in [
        ("/graphql", "application/json", batch.as_str()),
        ("/graphql", form, "query=query+%7B__typename%7D"),
        ("/graphql?query=query+%7B__typename%7D", form, ""),
        ("/graphql?query=mutation+%7B__typename%7D", form, ""),
    ] {
        let (status, answer) = posted(&node, path, kind, body).await;
        assert!(
            (400..500).contains(&status),
            "{path} {kind}: {status} {answer}"
        );
        assert_eq!(answer["data"], Value::Null, "{path} {kind}");
    }
    let get = node.get("/graphql?query=mutation%7B__typename%7D").await;
    assert_eq!(get.status(), 405);
}

/// And what it tries to learn of a server's inside.
#[tokio::test]
async fn nothing_is_told_of_the_inside() {
    let _alone = ALONE.lock().await;
    let node = TestNode::start().await;

    let traced = node.graphql("query cop { __typename }", Value::Null).await;
    assert_eq!(traced, json!({ "data": { "__typename": "Query" } }));
    for query in [
        "qwerty cop { abc }",
        "query cop { eventCurso }",
        "query cop { __schema { directive } }",
    ] {
        let answer = node.graphql(query, Value::Null).await;
        let error = &answer["errors"][0];
        let members: Vec<_> = error["extensions"].as_object().unwrap().keys().collect();
        assert_eq!(members, ["code", "phase"], "{answer}");
        let text = error["message"].as_str().unwrap().to_lowercase();
        assert!(!text.contains("did you mean"), "{text}");
    }
}
