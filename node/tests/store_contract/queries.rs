//! What a store finds is what the plain meaning of a question admits, in its order and page by page.

use grove_core::types::{DocumentId, DocumentViewId, Value};
use grove_node::store::query::{
    Comparison, Condition, DocumentQuery, Order, OrderBy, Standing, Test,
};
use grove_node::store::{DocumentRow, Read, Store, Upkeep};
use proptest::collection::SizeRange;
use proptest::prelude::*;
use proptest::sample::select;

use crate::Backend;
use crate::drafts::{author, document, hash, schema_id, transact, wide_document, wide_schema};

/// Few different values of each kind, so that questions meet them: extremes, and what databases like to
/// confuse.
fn any_float() -> impl Strategy<Value = f64> {
    select(vec![
        0.0,
        -0.0,
        1.5,
        -1.5,
        3.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
    ])
}

fn any_int() -> impl Strategy<Value = i64> {
    select(vec![i64::MIN, -1, 0, 1, 3_000_000_000, i64::MAX])
}

fn any_text() -> impl Strategy<Value = String> {
    let long = |tail: &str| "x".repeat(130) + tail;
    select(vec![
        String::new(),
        "a".into(),
        "A".into(),
        "ab".into(),
        "B".into(),
        "100%".into(),
        "1_0".into(),
        "é".into(),
        "É".into(),
        "a\0b".into(),
        "'; --".into(),
        long("a"),
        long("b"),
    ])
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    select(vec![vec![], vec![0], vec![0, 0], vec![0xff], vec![7; 200]])
}

fn any_id() -> impl Strategy<Value = DocumentId> {
    (0..4u8).prop_map(|number| document(&number.to_string()))
}

fn any_view() -> impl Strategy<Value = DocumentViewId> {
    prop::collection::btree_set(0..4u8, 1..4).prop_map(|numbers| {
        let ids = numbers
            .iter()
            .map(|number| hash(&number.to_string()).into());
        DocumentViewId::from_tips(ids).unwrap()
    })
}

/// Values for the fields of the wide schema, in their order.
fn any_values() -> impl Strategy<Value = [Value; 9]> {
    (
        any::<bool>(),
        any_bytes(),
        any_float(),
        any_int(),
        any_view(),
        prop::collection::vec(any_view(), 0..3),
        any_id(),
        prop::collection::vec(any_id(), 0..3),
        any_text(),
    )
        .prop_map(|(bool, bytes, float, int, view, views, id, ids, text)| {
            [
                Value::Bool(bool),
                Value::Bytes(bytes),
                Value::Float(float),
                Value::Int(int),
                Value::PinnedRelation(view),
                Value::PinnedRelationList(views),
                Value::Relation(id),
                Value::RelationList(ids),
                Value::Str(text),
            ]
        })
}

fn any_test() -> impl Strategy<Value = (&'static str, Test)> {
    let comparison = || {
        select(vec![
            Comparison::Below,
            Comparison::AtMost,
            Comparison::Above,
            Comparison::AtLeast,
        ])
    };
    let among = (
        any::<bool>(),
        prop::collection::vec(any_values(), 0..3),
        0..9usize,
    );
    prop_oneof![
        (comparison(), any_int()).prop_map(|(c, v)| ("int", Test::Compared(c, Value::Int(v)))),
        (comparison(), any_float())
            .prop_map(|(c, v)| ("float", Test::Compared(c, Value::Float(v)))),
        (comparison(), any_text()).prop_map(|(c, v)| ("str", Test::Compared(c, Value::Str(v)))),
        (
            any::<bool>(),
            select(vec!["", "A", "%", "_", "b", "É", "\0", "'"])
        )
            .prop_map(|(wanted, part)| ("str", Test::Contains(wanted, part.to_owned()))),
        (any::<bool>(), prop::collection::vec(any_id(), 0..3))
            .prop_map(|(wanted, ids)| ("relation_list", Test::Lists(wanted, ids))),
        (any::<bool>(), prop::collection::vec(any_view(), 0..3))
            .prop_map(|(wanted, ids)| ("pinned_list", Test::ListsViews(wanted, ids))),
        among.prop_map(|(wanted, rows, field)| {
            let values = rows.into_iter().map(|row| row[field].clone());
            (FIELDS[field], Test::Among(wanted, values.collect()))
        }),
    ]
}

/// The fields of the wide schema.
const FIELDS: [&str; 9] = [
    "bool",
    "bytes",
    "float",
    "int",
    "pinned",
    "pinned_list",
    "relation",
    "relation_list",
    "str",
];

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        4 => any_test().prop_map(|(field, test)| Condition::Field(field.to_owned(), test)),
        1 => (any::<bool>(), prop::collection::vec(any_id(), 0..4))
            .prop_map(|(wanted, ids)| Condition::Document(wanted, ids)),
        1 => (any::<bool>(), prop::collection::vec(any_id(), 0..4)).prop_map(|(wanted, ids)| {
            Condition::View(wanted, ids.into_iter().map(Into::into).collect())
        }),
        1 => (any::<bool>(), prop::collection::vec(1..4u8, 0..3)).prop_map(|(wanted, keys)| {
            Condition::Owner(wanted, keys.into_iter().map(author).collect())
        }),
        1 => any::<bool>().prop_map(Condition::Edited),
    ]
}

fn any_query() -> impl Strategy<Value = DocumentQuery> {
    let by = prop_oneof![
        1 => Just(OrderBy::DocumentId),
        1 => Just(OrderBy::ViewId),
        1 => Just(OrderBy::Owner),
        1 => Just(OrderBy::Edited),
        4 => select(FIELDS.to_vec()).prop_map(|name| OrderBy::Field(name.to_owned())),
    ];
    let standing = prop_oneof![5 => Just(Standing::Live), 1 => Just(Standing::Deleted)];
    (
        standing,
        prop::collection::vec(any_condition(), 0..3),
        by,
        any::<bool>(),
        1..5u32,
    )
        .prop_map(
            |(standing, conditions, by, descending, limit)| DocumentQuery {
                standing,
                conditions,
                order: Order { by, descending },
                limit,
                ..DocumentQuery::default()
            },
        )
}

/// Documents with few different owners; some edited, some deleted.
fn any_rows(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<DocumentRow>> {
    let row = (
        any_values(),
        1..3u8,
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(row, count).prop_map(|rows| {
        let rows = rows.into_iter().enumerate();
        rows.map(|(number, (values, owner, edited, deleted))| {
            let mut row = wide_document(document(&number.to_string()), values);
            row.owner = author(owner);
            row.edited = edited || deleted;
            if deleted {
                row.fields = None;
            }
            row
        })
        .collect()
    })
}

/// A store with these documents.
fn filled<B: Backend>(place: &B::Place, rows: &[DocumentRow]) -> B::Store {
    let mut store = B::open(place);
    transact(&mut store, |store| {
        store.insert_schema(&wide_schema().into()).unwrap();
        rows.iter().for_each(|row| store.put_document(row).unwrap());
    });
    store
}

/// What the plain meaning of a query finds.
fn meant(rows: &[DocumentRow], query: &DocumentQuery) -> Vec<DocumentId> {
    let mut rows: Vec<_> = rows.iter().filter(|row| query.admits(row)).collect();
    rows.sort_by(|a, b| {
        query
            .order
            .compare(&query.order.place(a), &query.order.place(b))
    });
    rows.iter().map(|row| row.id).collect()
}

//= QU4 test
//= QU5 test
pub(crate) fn questions_find_what_their_meaning_admits<B: Backend>() {
    let runner = ProptestConfig::with_cases(48);
    proptest!(runner, |(rows in any_rows(0..12), queries in prop::collection::vec(any_query(), 1..24))| {
        let place = B::place();
        let store = filled::<B>(&place, &rows);

        for query in queries {
            let expected = meant(&rows, &query);
            prop_assert_eq!(walk(&store, &query), expected.clone(), "{:?}", query);
            prop_assert_eq!(walk_back(&store, &query), expected.clone(), "{:?}", query);
            let count = store.count(&schema_id("wide"), &query).unwrap();
            prop_assert_eq!(count, expected.len() as u64, "{:?}", query);
        }
    });
}

//= QU4 test
pub(crate) fn pages_lie_between_their_places<B: Backend>() {
    let runner = ProptestConfig::with_cases(24);
    let ends = (0..12usize, 0..12usize);
    proptest!(runner, |(rows in any_rows(12), query in any_query(), (a, b) in ends)| {
        let place = B::place();
        let store = filled::<B>(&place, &rows);
        let query = DocumentQuery {
            after: Some(query.order.place(&rows[a])),
            before: Some(query.order.place(&rows[b])),
            ..query
        };

        let mut expected = meant(&rows, &query);
        expected.retain(|id| {
            let row = rows.iter().find(|row| row.id == *id).unwrap();
            let here = query.order.place(row);
            let after = query.after.as_ref().unwrap();
            let before = query.before.as_ref().unwrap();
            query.order.compare(after, &here).is_lt() && query.order.compare(&here, before).is_lt()
        });
        let limit = expected.len().min(query.limit as usize);
        let first = store.list(&schema_id("wide"), &query).unwrap();
        let query = DocumentQuery { from_end: true, ..query };
        let last = store.list(&schema_id("wide"), &query).unwrap();

        // A deleted document has no key, so a place of it says nothing about the others.
        prop_assume!(!rows[a].is_deleted() && !rows[b].is_deleted());
        prop_assume!(query.standing == Standing::Live);
        let ids = |rows: Vec<DocumentRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
        prop_assert_eq!(ids(first), expected[..limit].to_vec(), "{:?}", query);
        prop_assert_eq!(ids(last), expected[expected.len() - limit..].to_vec(), "{:?}", query);
    });
}

/// Whatever indexes a store makes on demand, nobody but the clock notices.
pub(crate) fn answers_do_not_depend_on_indexes<B: Backend>() {
    let runner = ProptestConfig::with_cases(8);
    let queries = prop::collection::vec(any_query(), 8..16);
    proptest!(runner, |(rows in any_rows(700), queries in queries)| {
        let place = B::place();
        let mut store = filled::<B>(&place, &rows);

        for query in queries {
            let query = DocumentQuery { limit: query.limit * 20, ..query };
            let expected = meant(&rows, &query);
            prop_assert_eq!(walk(&store, &query), expected.clone(), "{:?}", query);
            while store.create_index().unwrap() {
                // What is made first may be what leads to asking for the next.
                store.list(&schema_id("wide"), &query).unwrap();
            }
            prop_assert_eq!(walk(&store, &query), expected.clone(), "{:?}", query);
            prop_assert_eq!(walk_back(&store, &query), expected.clone(), "{:?}", query);
            prop_assert_eq!(walk(&B::reader(&store), &query), expected.clone(), "{:?}", query);
            let count = store.count(&schema_id("wide"), &query).unwrap();
            prop_assert_eq!(count, expected.len() as u64, "{:?}", query);
        }
    });
}

/// What happens to one of the documents that change, between two pages.
#[derive(Debug, Clone)]
enum Event {
    Created([Value; 9]),
    Changed([Value; 9]),
    Deleted,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_values().prop_map(Event::Created),
        any_values().prop_map(Event::Changed),
        Just(Event::Deleted),
    ]
}

//= QU4 test
/// Whatever happens to others, a document that is there all the time and does not change is found once.
pub(crate) fn walks_find_what_stays_once<B: Backend>() {
    let runner = ProptestConfig::with_cases(32);
    let events = prop::collection::vec((any_event(), any::<prop::sample::Index>()), 40);
    proptest!(runner, |(rows in any_rows(20), query in any_query(), backwards in any::<bool>(), events in events)| {
        let place = B::place();
        let mut store = filled::<B>(&place, &rows);
        let query = DocumentQuery { conditions: Vec::new(), standing: Standing::Live, ..query };
        let stays = |id: &DocumentId| rows[..10].iter().any(|row| row.id == *id);
        let mut expected = meant(&rows, &query);
        expected.retain(stays);
        if backwards {
            expected.reverse();
        }

        let mut events = events.into_iter().enumerate();
        let mut found = walk_pages(&query, backwards, |query| {
            let found = page(&store, query);
            let Some((number, (event, victim))) = events.next() else { return found };
            let victim = &rows[10..][victim.index(10)];
            let row = match event {
                Event::Created(values) => wide_document(document(&format!("new {number}")), values),
                Event::Changed(values) => wide_document(victim.id, values),
                Event::Deleted => DocumentRow { edited: true, fields: None, ..victim.clone() },
            };
            transact(&mut store, |store| store.put_document(&row).unwrap());
            found
        });
        found.retain(stays);

        prop_assert_eq!(found, expected, "{:?}", query);
    });
}

/// The ids found on all pages of a query.
fn walk(store: &impl Read, query: &DocumentQuery) -> Vec<DocumentId> {
    walk_pages(query, false, |query| page(store, query))
}

/// The same from the end, put in order.
fn walk_back(store: &impl Read, query: &DocumentQuery) -> Vec<DocumentId> {
    let mut found = walk_pages(query, true, |query| page(store, query));
    found.reverse();
    found
}

fn page(store: &impl Read, query: &DocumentQuery) -> Vec<DocumentRow> {
    store.list(&schema_id("wide"), query).unwrap()
}

/// The ids found on all pages of a query, in the direction of the walk.
fn walk_pages(
    query: &DocumentQuery,
    backwards: bool,
    mut page: impl FnMut(&DocumentQuery) -> Vec<DocumentRow>,
) -> Vec<DocumentId> {
    let mut query = query.clone();
    query.from_end = backwards;
    let mut found = Vec::new();
    loop {
        let page = page(&query);
        let ids = page.iter().map(|row| row.id);
        if backwards {
            found.extend(ids.rev());
            query.before = page.first().map(|row| query.order.place(row));
        } else {
            found.extend(ids);
            query.after = page.last().map(|row| query.order.place(row));
        }
        if page.is_empty() {
            return found;
        }
    }
}

pub(crate) fn fields_nobody_knows_are_refused<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        store.insert_schema(&wide_schema().into()).unwrap()
    });
    let query = DocumentQuery {
        order: Order {
            by: OrderBy::Field("1; DROP TABLE documents".to_owned()),
            descending: false,
        },
        ..DocumentQuery::default()
    };
    assert!(store.list(&schema_id("wide"), &query).is_err());
}
