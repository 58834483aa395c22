//! What a request may make the node do is bounded: by work that is counted, whatever is stored and asked.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::types::{DocumentViewId, LogId, PlainValue, SchemaId};
use grove_core::wire::cbor::Encoder;
use grove_node::api::{self, ApiError, Asked, Extent};
use grove_node::budget::Budget;
use grove_node::engine::EngineSettings;
use grove_node::runtime::{InlineNode, Node};
use grove_node::store::{Read, SqliteStore};
use http_support::site::Site;
use http_support::{Author, TestNode, piece, str};
use proptest::prelude::*;
use proptest::sample::select;
use rstest::rstest;
use serde_json::{Value, json};

/// A node that does no more than so much for one question.
fn limited(work_max: u64) -> Node {
    let mut settings = EngineSettings::new(PeerId([0; 32]));
    settings.limits.questions.work_max = work_max;
    InlineNode::new(SqliteStore::in_memory().unwrap(), settings)
        .unwrap()
        .1
}

/// Publishes first entries of these logs.
async fn begin_logs(node: &Node, author: &Author, logs: impl Iterator<Item = u64>) {
    let entries = logs.map(|log_id| {
        let args = NextArgs::first(LogId::new(log_id));
        let submission = forge(&author.0, &args, &piece(&log_id.to_be_bytes())).unwrap();
        let entry = submission.entry().bytes().to_vec();
        (entry, submission.payload().to_vec())
    });
    let published = node.publish_all(entries.collect()).await;
    assert!(published.iter().all(Result::is_ok));
}

#[rstest]
#[case::few(0..3)]
#[case::many(0..2000)]
#[case::all_but_the_first(1..2000)]
#[tokio::test]
async fn an_unused_log_is_found_without_looking_at_all(#[case] logs: std::ops::Range<u64>) {
    let node = limited(u64::MAX);
    let author = Author::new(1);
    let unused = if logs.start == 0 { logs.end } else { 0 };
    begin_logs(&node, &author, logs.chain([u64::MAX])).await;
    let (key, budget) = (author.0.public_key(), Budget::unlimited());
    let counted = budget.clone();

    let args = node.read(move |store| {
        store.set_budget(counted);
        api::next_args(store, key, None)
    });

    assert_eq!(args.await.unwrap(), NextArgs::first(LogId::new(unused)));
    assert!(budget.spent() < 400, "{}", budget.spent());
}

#[tokio::test]
async fn many_arguments_are_one_question_with_one_budget() {
    let author = Author::new(1);
    let params = |count: usize| {
        let documents = vec![Value::Null; count];
        json!({ "author": author.public_key(), "documents": documents })
    };
    let node = TestNode::over(limited(20_000)).await;
    begin_logs(&node.node, &author, (0..500).chain([u64::MAX])).await;
    let method = "panda_getManyEntryArguments";

    let few = node.rpc(method, params(20)).await;
    let many = node.rpc(method, params(10_000)).await;

    let mut ids: Vec<u64> = few["result"]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|outcome| outcome["result"]["logId"].as_str().unwrap())
        .map(|id| id.parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20, "each of its own");
    assert!(ids.iter().all(|id| (500..u64::MAX).contains(id)));
    assert_eq!(many["error"]["data"]["code"], "budget_exceeded", "{many}");
    assert_eq!(node.rpc(method, params(1)).await["error"], Value::Null);
}

#[rstest]
#[case("first", "after", "endCursor", "hasNextPage")]
#[case("last", "before", "startCursor", "hasPreviousPage")]
#[tokio::test]
async fn pages_of_large_documents_end_early_and_go_on(
    #[case] count: &str,
    #[case] from: &str,
    #[case] cursor: &str,
    #[case] has_more: &str,
) {
    let node = TestNode::start().await;
    let author = Author::new(1);
    for number in 0..40 {
        author.publish(&node, &piece(&[number; 250_000])).await;
    }
    let (mut place, mut pages, mut seen) = (Value::Null, 0, Vec::new());

    loop {
        let params = json!({ "schema": "blob_piece_v1", count: 100, from: place });
        let answer = node.rpc("panda_queryDocuments", params).await;
        let page = &answer["result"];
        assert_eq!(page["totalCount"], 40, "{answer}");
        let documents = page["documents"].as_array().unwrap();
        assert!((1..=17).contains(&documents.len()), "{}", documents.len());
        seen.extend(documents.iter().map(|document| document["id"].to_string()));
        pages += 1;
        if page[has_more] == false {
            break;
        }
        place = page[cursor].clone();
    }

    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), pages), (40, 3));
}

/// A cursor as the node makes them, of a key of any kind.
fn cursor(order: &str, key: impl Fn(&mut Encoder)) -> String {
    let mut out = Encoder::new();
    out.array(4).text(order).bool(false);
    key(&mut out);
    out.bytes(&grove_core::types::Hash::of(b"any").to_bytes());
    hex::encode(out.into_bytes())
}

#[tokio::test]
async fn cursors_are_of_the_type_that_orders() {
    let site = Site::start().await;
    site.venue("Alpha", 100, 4.5).await;
    type Key = fn(&mut Encoder);
    let int: Key = |out| {
        out.int(7);
    };
    let one: Key = |out| {
        out.int(1);
    };
    let float: Key = |out| {
        out.float(7.5);
    };
    let bytes: Key = |out| {
        out.bytes(b"alpha");
    };
    let key: Key = |out| {
        out.bytes(&[7; 32]);
    };
    let long: Key = |out| {
        out.bytes(&[7; 129]);
    };
    let kinds = [int, one, float, bytes, key, long];
    let orders = [
        ("name", "name", [false, false, false, true, true, false]),
        ("seats", "seats", [true, true, false, false, false, false]),
        (
            "rating",
            "rating",
            [false, false, true, false, false, false],
        ),
        ("open", "open", [false, true, false, false, false, false]),
        ("logo", "logo", [false, false, false, true, true, false]),
        ("OWNER", "_owner", [false, false, false, false, true, false]),
        (
            "EDITED",
            "_edited",
            [false, true, false, false, false, false],
        ),
        (
            "DOCUMENT_VIEW_ID",
            "",
            [false, false, false, true, true, false],
        ),
    ];

    for (order, name, expected) in orders {
        for (key, is_taken) in kinds.iter().zip(expected) {
            let cursor = cursor(name, key);
            let params =
                json!({ "schema": site.venue.to_string(), "orderBy": order, "after": cursor });
            let rpc = site.node.rpc("panda_queryDocuments", params).await;
            let query = format!(
                "{{ c: all_{}(orderBy: {order}, after: \"{cursor}\") {{ totalCount }} }}",
                site.venue
            );
            let graphql = site.node.graphql(&query, Value::Null).await;

            let codes = [
                &rpc["error"]["data"]["code"],
                &graphql["errors"][0]["extensions"]["code"],
            ];
            let wanted = match is_taken {
                true => Value::Null,
                false => "cursor_invalid".into(),
            };
            assert_eq!(codes, [&wanted; 2], "{order} {cursor}: {rpc} {graphql}");
        }
    }
}

/// A question, to be asked of any store.
#[derive(Debug, Clone)]
enum Question {
    Documents {
        first: u64,
        order: &'static str,
        filtered: bool,
    },
    Entries {
        first: u32,
        after: i64,
    },
    Arguments {
        count: usize,
    },
}

/// Earlier views of a large document are read within the bytes that one question may have read, however many of them
/// a list names.
#[tokio::test]
async fn earlier_views_count_towards_the_bytes_of_a_question() {
    let node_with = |size_max: u64| {
        let mut settings = EngineSettings::new(PeerId([0; 32]));
        settings.limits.questions.size_max = size_max;
        let store = SqliteStore::in_memory().unwrap();
        InlineNode::new(store, settings).unwrap().1
    };
    for (size_max, fits) in [(1 << 20, false), (64 << 20, true)] {
        let served = TestNode::over(node_with(size_max)).await;
        let author = Author::new(1);
        let venue = author.schema(&served, "venue", &[("name", "str")]).await;
        let kind = format!("pinned_relation_list({venue})");
        let tour = author.schema(&served, "tour", &[("venues", &kind)]).await;
        let first = author
            .create(&served, &venue, vec![("name", str("first"))])
            .await;
        let mut views = vec![DocumentViewId::from(first)];
        for number in 0..40 {
            let name = str(&number.to_string().repeat(20_000));
            let update = author
                .update(&served, &venue, first, vec![("name", name)])
                .await;
            views.push(update.into());
        }
        let listed = PlainValue::ViewIds(views.clone());
        author
            .create(&served, &tour, vec![("venues", listed)])
            .await;

        let query = format!(
            "{{ all_{tour} {{ documents {{ fields {{ venues(first: 100) {{ documents {{ meta {{ viewId }} \
             }} }} }} }} }} }}"
        );
        let answer = served.graphql(&query, Value::Null).await;

        if fits {
            let shown = &answer["data"][format!("all_{tour}")]["documents"][0]["fields"]["venues"];
            assert_eq!(
                shown["documents"].as_array().unwrap().len(),
                views.len(),
                "{answer}"
            );
        } else {
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_eq!(code, "budget_exceeded", "{answer}");
        }
    }
}

fn question() -> impl Strategy<Value = Question> {
    let orders = select(vec![
        "DOCUMENT_ID",
        "name",
        "seats",
        "OWNER",
        "DOCUMENT_VIEW_ID",
    ]);
    prop_oneof![
        (1..60_u64, orders, any::<bool>()).prop_map(|(first, order, filtered)| {
            Question::Documents {
                first,
                order,
                filtered,
            }
        }),
        (1..100_u32, 0..100_i64).prop_map(|(first, after)| Question::Entries { first, after }),
        (1..40_usize).prop_map(|count| Question::Arguments { count }),
    ]
}

/// What the question leads to, as text to be compared.
fn ask(store: &dyn Read, schema_id: &SchemaId, question: &Question) -> Result<String, ApiError> {
    match question {
        Question::Documents {
            first,
            order,
            filtered,
        } => {
            let schema = store.schema(schema_id)?.expect("it was published");
            let filter = json!({ "name": { "contains": "b" }, "seats": { "gte": 3 } });
            let asked = Asked {
                filter: if *filtered { filter } else { Value::Null },
                order_by: (*order).into(),
                ..Asked::default()
            };
            let (query, _) = api::read_query(&schema, &asked)?;
            let total = api::total_count(store, schema_id, &query)?;
            let extent = Extent::read(Some(*first), None, 25)?;
            let page = api::collection(store, schema_id, query, extent, 1 << 20)?;
            Ok(format!("{total} {page:?}"))
        }
        Question::Entries { first, after } => {
            let page = api::entries_page(store, None, *after, *first, 1 << 20)?;
            Ok(format!("{page:?}"))
        }
        Question::Arguments { count } => {
            let key = Author::new(1).0.public_key();
            let args = (0..*count).map(|_| api::next_args(store, key, None));
            Ok(format!("{:?}", args.collect::<Result<Vec<_>, _>>()?))
        }
    }
}

/// A node with documents of texts of these lengths, and their schema.
async fn filled(texts: &[usize]) -> (Node, SchemaId) {
    let node = limited(u64::MAX);
    let author = Author::new(1);
    let served = TestNode::over(node.clone()).await;
    let schema = author
        .schema(&served, "venue", &[("name", "str"), ("seats", "int")])
        .await;
    let documents = texts.iter().enumerate().map(|(number, len)| {
        let seats = PlainValue::Int(number as i64);
        vec![("name", str(&"ab".repeat(*len))), ("seats", seats)]
    });
    author.create_many(&served, &schema, documents).await;
    begin_logs(&node, &author, [u64::MAX].into_iter()).await;
    (node, schema)
}

/// The longest text of a document, and so the largest step of any question.
const TEXT_LEN_MAX: usize = 20_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn measured_work_stays_within_the_declared_bound(
        texts in prop::collection::vec(0..TEXT_LEN_MAX / 2, 1..80),
        questions in prop::collection::vec((question(), 0.0..1.5_f64), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (node, schema) = runtime.block_on(filled(&texts));
        let largest_step = TEXT_LEN_MAX as u64 / 1024 + 12;

        for (question, part) in questions {
            let asked_schema = schema.clone();
            let compared = node.read(move |store| {
                let (free, asked) = (Budget::unlimited(), question.clone());
                store.set_budget(free.clone());
                let whole = ask(store, &asked_schema, &asked)?;
                let limit = (free.spent() as f64 * part) as u64;
                let bound = Budget::new(limit);
                store.set_budget(bound.clone());
                let answer = ask(store, &asked_schema, &asked);
                Ok((question, whole, free.spent(), limit, bound, answer))
            });
            let (question, whole, needed, limit, bound, answer) =
                runtime.block_on(compared).unwrap();

            prop_assert!(
                bound.spent() <= limit + largest_step,
                "{:?}: {} of {}", question, bound.spent(), limit
            );
            match answer {
                Ok(answer) => {
                    prop_assert_eq!(answer, whole);
                    prop_assert!(needed <= limit + largest_step, "{:?} for {}", question, limit);
                }
                Err(_) => {
                    prop_assert!(bound.refusal().is_some());
                    prop_assert!(limit <= needed + largest_step, "{:?} with {}", question, limit);
                }
            }
        }
    }
}
