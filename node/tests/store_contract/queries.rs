//! What a store finds is what the plain meaning of a question admits, in its order and page by page.

use grove_core::types::{DocumentId, DocumentViewId, Value};
use grove_node::store::query::{
    Comparison, Condition, DocumentQuery, Order, OrderBy, Standing, Test,
};
use grove_node::store::{DocumentRow, Read, Store};
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
                after: None,
                limit,
                outline: false,
            },
        )
}

/// Documents with few different owners; some edited, some deleted.
fn any_rows() -> impl Strategy<Value = Vec<DocumentRow>> {
    let row = (
        any_values(),
        1..3u8,
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(row, 0..12).prop_map(|rows| {
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

//= QU4 test
//= QU5 test
pub fn questions_find_what_their_meaning_admits<B: Backend>() {
    let runner = ProptestConfig::with_cases(48);
    proptest!(runner, |(rows in any_rows(), queries in prop::collection::vec(any_query(), 1..24))| {
        let place = B::place();
        let mut store = B::open(&place);
        transact(&mut store, |store| {
            store.insert_schema(&wide_schema()).unwrap();
            rows.iter().for_each(|row| store.put_document(row).unwrap());
        });

        for query in queries {
            let mut expected: Vec<_> = rows.iter().filter(|row| query.admits(row)).collect();
            expected.sort_by(|a, b| {
                query.order.compare(&query.order.place(a), &query.order.place(b))
            });
            let expected: Vec<_> = expected.iter().map(|row| row.id).collect();

            prop_assert_eq!(walk(&store, &query), expected.clone(), "{:?}", query);
            let count = store.count(&schema_id("wide"), &query).unwrap();
            prop_assert_eq!(count, expected.len() as u64, "{:?}", query);
        }
    });
}

/// The ids found on all pages of a query.
fn walk(store: &impl Read, query: &DocumentQuery) -> Vec<DocumentId> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.list(&schema_id("wide"), &query).unwrap();
        found.extend(page.iter().map(|row| row.id));
        match page.last() {
            Some(last) => query.after = Some(query.order.place(last)),
            None => return found,
        }
    }
}

pub fn fields_nobody_knows_are_refused<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        store.insert_schema(&wide_schema()).unwrap()
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
