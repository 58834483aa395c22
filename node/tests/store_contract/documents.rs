//! Documents and schemas: what is put comes back, exactly and in order.

use std::collections::BTreeMap;

use grove_core::types::{DocumentViewId, FieldType, Schema, SchemaId, SystemSchema, Value};
use grove_node::budget::Budget;
use grove_node::store::query::{Condition, Order, OrderBy, PagePosition, SortKey, Standing, Test};
use grove_node::store::{
    DocumentQuery, DocumentRow, Read, SchemaOrigin, SchemaRow, Store, StoreError,
};
use proptest::prelude::*;

use crate::Backend;
use crate::drafts::{
    author, document, draft, everything, hash, list_ids, plain_values, put_wide, schema_id,
    transact, wide_document, wide_schema,
};

pub(crate) fn documents_come_back_as_they_were<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut row = wide_document(document("doc"), plain_values());
    put_wide(&mut store, &[row.id]);
    assert_eq!(store.document(row.id).unwrap().as_ref(), Some(&row));

    // Each field its own operation, two tips, edited.
    row.view_id = DocumentViewId::from_tips([hash("tip 1").into(), hash("tip 2").into()]).unwrap();
    row.edited = true;
    for (name, (_, setter)) in row.fields.as_mut().unwrap() {
        *setter = hash(name).into();
    }
    transact(&mut store, |store| store.put_document(&row).unwrap());
    assert_eq!(store.document(row.id).unwrap().as_ref(), Some(&row));
    assert_eq!(
        store.list(&row.schema_id, &everything()).unwrap(),
        [row.clone()]
    );
    assert_eq!(store.count(&row.schema_id, &everything()).unwrap(), 1);

    row.fields = None;
    transact(&mut store, |store| store.put_document(&row).unwrap());
    assert_eq!(store.document(row.id).unwrap().as_ref(), Some(&row));
    assert_eq!(store.list(&row.schema_id, &everything()).unwrap(), []);
    assert_eq!(store.count(&row.schema_id, &everything()).unwrap(), 0);

    transact(&mut store, |store| store.remove_document(row.id).unwrap());
    assert_eq!(store.document(row.id).unwrap(), None);
}

/// The bits of floats, so that NaN equals itself and −0 differs from 0.
fn exact(value: &Value) -> (Value, Option<u64>) {
    match value {
        Value::Float(float) => (Value::Bool(false), Some(float.to_bits())),
        other => (other.clone(), None),
    }
}

pub(crate) fn extreme_values_come_back_bit_for_bit<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    put_wide(&mut store, &[]);
    let mut cases = Vec::new();
    for int in [i64::MIN, i64::MAX, 0, -1, 1 << 53] {
        cases.push((3, Value::Int(int)));
    }
    for float in [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        0.1,
        3.0,
        -3.0,
        9_007_199_254_740_993.0,
        1e300,
        -9.223_372_036_854_775e18,
    ] {
        cases.push((2, Value::Float(float)));
    }
    for text in [
        "",
        "\0",
        "a\0b",
        "\u{10ffff}",
        "'; DROP TABLE logs; --",
        "1",
        "1e5",
    ] {
        cases.push((8, Value::Str(text.into())));
        cases.push((1, Value::Bytes(text.into())));
    }
    cases.push((1, Value::Bytes(vec![0xff; 256_000])));
    cases.push((0, Value::Bool(false)));
    cases.push((7, Value::RelationList(Vec::new())));
    cases.push((5, Value::PinnedRelationList(Vec::new())));

    for (index, (field, value)) in cases.into_iter().enumerate() {
        let mut values = plain_values();
        values[field] = value;
        let row = wide_document(document(&index.to_string()), values);
        transact(&mut store, |store| store.put_document(&row).unwrap());

        let stored = store.document(row.id).unwrap().unwrap();
        let listed = store.list(&row.schema_id, &everything()).unwrap();
        let listed = listed
            .into_iter()
            .find(|listed| listed.id == row.id)
            .unwrap();
        for read in [stored, listed] {
            for (name, (value, _)) in read.fields.unwrap() {
                let (written, _) = &row.fields.as_ref().unwrap()[&name];
                assert_eq!(exact(&value), exact(written), "{name}");
            }
        }
    }
}

pub(crate) fn documents_that_do_not_fit_are_refused<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let unknown = wide_document(document("doc"), plain_values());
    store.begin().unwrap();
    assert!(matches!(
        store.put_document(&unknown),
        Err(StoreError::Misfit("schema"))
    ));
    store.rollback().unwrap();
    put_wide(&mut store, &[]);

    let mut values = plain_values();
    values.swap(0, 3);
    let swapped = wide_document(document("doc"), values);
    let mut lacking = unknown.clone();
    lacking.fields.as_mut().unwrap().remove("str");
    for row in [swapped, lacking] {
        store.begin().unwrap();
        assert!(matches!(
            store.put_document(&row),
            Err(StoreError::Misfit("fields"))
        ));
        store.rollback().unwrap();
    }
    assert_eq!(store.document(document("doc")).unwrap(), None);
}

pub(crate) fn documents_of_system_schemas_need_no_introduction<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    for system in SystemSchema::ALL {
        let schema = Schema::system(system);
        assert_eq!(store.schema(schema.id()).unwrap(), Some(schema.clone()));
        let fields = schema.fields().iter().map(|(name, field_type)| {
            let value = match field_type {
                FieldType::Str => Value::Str("text".into()),
                FieldType::Int => Value::Int(1),
                FieldType::Bytes => Value::Bytes(vec![0]),
                FieldType::PinnedRelationList(_) => {
                    Value::PinnedRelationList(vec![document("a").into()])
                }
                other => panic!("{other}"),
            };
            (name.as_str().to_owned(), (value, hash("doc").into()))
        });
        let id = document(schema.id().name());
        let row = DocumentRow {
            id,
            schema_id: schema.id().clone(),
            view_id: id.into(),
            owner: author(1),
            edited: false,
            fields: Some(fields.collect()),
        };
        transact(&mut store, |store| {
            store.insert_schema(&schema.clone().into()).unwrap();
            store.put_document(&row).unwrap();
        });
        assert_eq!(store.document(id).unwrap(), Some(row));
    }
    assert_eq!(store.schemas().unwrap(), []);
}

pub(crate) fn a_document_may_change_its_schema<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let id = document("doc");
    put_wide(&mut store, &[id]);
    let row = DocumentRow {
        id,
        schema_id: SchemaId::BLOB_PIECE,
        view_id: id.into(),
        owner: author(2),
        edited: false,
        fields: Some(BTreeMap::from([(
            "data".into(),
            (Value::Bytes(vec![1]), id.into()),
        )])),
    };

    transact(&mut store, |store| store.put_document(&row).unwrap());

    assert_eq!(store.document(id).unwrap(), Some(row));
    assert_eq!(list_ids(&store, &everything()), []);
    assert_eq!(store.count(&schema_id("wide"), &everything()).unwrap(), 0);
    assert_eq!(
        store.count(&SchemaId::BLOB_PIECE, &everything()).unwrap(),
        1
    );
}

pub(crate) fn schemas_come_back_sorted_by_id<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let field = || ("a".parse().unwrap(), FieldType::Float);
    // `_` and the hash behind it must not decide before the whole name has.
    let mut schemas: Vec<_> = ["cafe_2", "cafe", "cafe2", "Cafe"]
        .map(|name| Schema::new(schema_id(name), name.to_owned(), [field()]).unwrap())
        .into();
    schemas.push(wide_schema());

    transact(&mut store, |store| {
        // Named by a log long before it is known, and made known twice.
        draft(1, 0, 1).insert(store);
        assert_eq!(store.schema(&schema_id("cafe")).unwrap(), None);
        for schema in schemas.iter().chain(&schemas) {
            store.insert_schema(&schema.clone().into()).unwrap();
        }
    });

    schemas.sort_by(|a, b| a.id().cmp(b.id()));
    assert_eq!(store.schemas().unwrap(), schemas);
    assert_eq!(
        store.schema(&schema_id("wide")).unwrap(),
        Some(wide_schema())
    );
    assert_eq!(store.schema(&schema_id("other")).unwrap(), None);
    assert_eq!(store.counts().unwrap().schemas, 5);
}

pub(crate) fn schemas_come_back_with_where_they_are_from<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let field = || ("a".parse().unwrap(), FieldType::Float);
    let mut rows: Vec<SchemaRow> = (0..7)
        .map(|number| {
            let id = schema_id(&format!("many_{number}"));
            let schema = Schema::new(id, String::new(), [field()]).unwrap();
            let origin = SchemaOrigin {
                author: author(number),
                known_since: number.into(),
                parts: vec![hash("one").into(), hash(&number.to_string()).into()],
            };
            SchemaRow {
                schema,
                origin: (number > 0).then_some(origin),
                withheld: number > 4,
            }
        })
        .collect();
    transact(&mut store, |store| {
        rows.iter()
            .for_each(|row| store.insert_schema(row).unwrap());
    });

    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = store.schema_rows(after.as_ref(), 3).unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.schema.id().clone());
        read.extend(page);
    }

    let by_id = |row: &SchemaRow| row.schema.id().clone();
    read.sort_by_key(by_id);
    rows.sort_by_key(by_id);
    assert_eq!(read, rows);
    assert_eq!(store.schemas().unwrap().len(), 5);
    assert_eq!(store.counts().unwrap().schemas, 5);
    for row in &rows {
        let id = row.schema.id();
        assert_eq!(store.kept_schema(id).unwrap().as_ref(), Some(row));
        let known = (!row.withheld).then(|| row.schema.clone());
        assert_eq!(store.schema(id).unwrap(), known);
    }
}

pub(crate) fn a_schema_that_goes_hides_its_documents<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let ids: Vec<_> = ["one", "two", "three"].map(document).to_vec();
    put_wide(&mut store, &ids);
    let wide = wide_schema();
    let hidden = SchemaRow {
        schema: wide.clone(),
        origin: Some(SchemaOrigin {
            author: author(1),
            known_since: 1,
            parts: vec![hash("part").into()],
        }),
        withheld: true,
    };
    let shown = store.documents(&ids).unwrap();
    let nothing = |store: &B::Store| {
        assert!(store.documents(&ids).unwrap().is_empty());
        assert_eq!(store.document(ids[0]).unwrap(), None);
        assert_eq!(store.document_outline(ids[0]).unwrap(), None);
        assert_eq!(list_ids(store, &everything()), []);
        assert_eq!(store.count(wide.id(), &everything()).unwrap(), 0);
    };

    transact(&mut store, |store| store.insert_schema(&hidden).unwrap());
    nothing(&store);
    transact(&mut store, |store| {
        store.insert_schema(&wide.clone().into()).unwrap()
    });
    assert_eq!(store.documents(&ids).unwrap(), shown);

    // Once it is gone, they can still be deleted and removed.
    transact(&mut store, |store| store.remove_schema(wide.id()).unwrap());
    nothing(&store);
    let mut deleted = shown[&ids[0]].clone();
    deleted.edited = true;
    deleted.fields = None;
    transact(&mut store, |store| {
        store.put_document(&deleted).unwrap();
        store.remove_document(ids[1]).unwrap();
    });
    assert!(
        store
            .document(ids[0])
            .unwrap()
            .is_some_and(|row| row.is_deleted())
    );
    transact(&mut store, |store| {
        store.insert_schema(&wide.clone().into()).unwrap()
    });
    assert_eq!(list_ids(&store, &everything()), [ids[2]]);
    assert_eq!(store.count(wide.id(), &everything()).unwrap(), 1);
}

pub(crate) fn pages_never_skip_or_repeat<B: Backend>() {
    let runner = ProptestConfig::with_cases(12);
    proptest!(runner, |(names in prop::collection::btree_set(any::<u16>(), 0..40), limit in 1u32..9)| {
        let place = B::place();
        let mut store = B::open(&place);
        let mut ids: Vec<_> = names.iter().map(|name| document(&name.to_string())).collect();
        put_wide(&mut store, &ids);
        ids.sort();

        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = list_ids(&store, &DocumentQuery { after: after.map(PagePosition::behind), limit, ..everything() });
            prop_assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            read.extend(page);
        }

        prop_assert_eq!(store.count(&schema_id("wide"), &everything()).unwrap(), ids.len() as u64);
        prop_assert_eq!(read, ids);
    });
}

pub(crate) fn documents_are_found_many_at_once<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let ids: Vec<_> = ["one", "two", "three"].map(document).to_vec();
    put_wide(&mut store, &ids);
    let mut deleted = wide_document(ids[2], plain_values());
    deleted.edited = true;
    deleted.fields = None;
    transact(&mut store, |store| store.put_document(&deleted).unwrap());

    let mut wanted = ids.clone();
    wanted.push(document("nothing"));
    let found = store.documents(&wanted).unwrap();

    assert_eq!(found.len(), 3);
    for id in &ids {
        assert_eq!(found.get(id), store.document(*id).unwrap().as_ref());
    }
    assert!(found[&ids[2]].is_deleted());
    assert!(store.documents(&[]).unwrap().is_empty());
}

pub(crate) fn a_schema_may_have_as_many_fields_as_any<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let field = |number: usize| format!("field_{number:04}");
    let fields = (0..1024).map(|number| (field(number).parse().unwrap(), FieldType::Str));
    let schema = Schema::new(schema_id("huge"), String::new(), fields).unwrap();
    let row = |id: &str| {
        let value = |number| Value::Str(format!("{id} {number:0>40}"));
        let fields = (0..1024).map(|number| (field(number), (value(number), hash(id).into())));
        DocumentRow {
            schema_id: schema.id().clone(),
            fields: Some(fields.collect()),
            ..wide_document(document(id), plain_values())
        }
    };
    let rows = [row("b"), row("a")];
    transact(&mut store, |store| {
        store.insert_schema(&schema.clone().into()).unwrap();
        rows.iter().for_each(|row| store.put_document(row).unwrap());
        // In place of itself.
        store.put_document(&rows[1]).unwrap();
    });

    assert_eq!(store.document(rows[0].id).unwrap().as_ref(), Some(&rows[0]));
    let by_last = Order {
        by: OrderBy::Field(field(1023)),
        descending: false,
    };
    let mut query = DocumentQuery {
        conditions: vec![Condition::Field(
            field(300),
            Test::Contains(true, "0300".to_owned()),
        )],
        order: by_last,
        ..everything()
    };
    let listed = store.list(schema.id(), &query).unwrap();
    assert_eq!(listed, [rows[1].clone(), rows[0].clone()]);
    query.after = Some(query.order.place(&listed[0]));
    assert_eq!(store.list(schema.id(), &query).unwrap(), rows[..1]);
    assert_eq!(store.count(schema.id(), &query).unwrap(), 2);

    transact(&mut store, |store| {
        let mut gone = rows[0].clone();
        gone.edited = true;
        gone.fields = None;
        store.put_document(&gone).unwrap();
        store.remove_document(rows[1].id).unwrap();
    });
    assert_eq!(store.list(schema.id(), &everything()).unwrap(), []);
}

pub(crate) fn a_place_somebody_made_up_breaks_nothing<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    put_wide(&mut store, &[document("one"), document("two")]);
    let keys = [
        None,
        Some(SortKey::Int(i64::MIN)),
        Some(SortKey::Float(f64::NAN)),
        Some(SortKey::Bytes(vec![0xff; 1000])),
    ];
    let schema = wide_schema();
    let orders = schema
        .fields()
        .keys()
        .map(|name| name.as_str().to_owned())
        .map(OrderBy::Field);
    for by in orders.chain([OrderBy::ViewId, OrderBy::DocumentId]) {
        for (standing, key) in keys
            .iter()
            .flat_map(|key| [(Standing::Live, key), (Standing::Deleted, key)])
        {
            let order = Order {
                by: by.clone(),
                descending: false,
            };
            let after = Some(PagePosition {
                key: key.clone(),
                id: document("three"),
            });
            let query = DocumentQuery {
                standing,
                order,
                after,
                ..everything()
            };
            assert!(list_ids(&store, &query).len() <= 2);
        }
    }
}

/// Whatever a database does by itself, what it hands over is counted.
pub(crate) fn what_is_handed_over_ends_with_its_budget<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let ids: Vec<_> = (0..50)
        .map(|number| document(&number.to_string()))
        .collect();
    put_wide(&mut store, &ids);
    for id in &ids {
        let mut values = plain_values();
        values[8] = Value::Str("x".repeat(8 << 10));
        let row = wide_document(*id, values);
        transact(&mut store, |store| store.put_document(&row).unwrap());
    }
    let reader = B::reader(&store);
    let ask = |budget: &Budget| {
        reader.set_budget(budget.clone());
        let listed = reader.list(&schema_id("wide"), &everything());
        let found = reader.documents(&ids);
        reader.set_budget(Budget::unlimited());
        (listed.map(|rows| rows.len()), found.map(|rows| rows.len()))
    };

    let free = Budget::unlimited();
    assert_eq!(ask(&free), (Ok(50), Ok(50)));
    assert!(free.spent() >= 2 * 50 * 8, "{}", free.spent());
    let (listed, found) = ask(&Budget::new(100));
    assert_eq!(listed, Err(StoreError::BudgetExceeded));
    assert_eq!(found, Err(StoreError::BudgetExceeded));
    assert_eq!(ask(&Budget::new(free.spent() + 50)), (Ok(50), Ok(50)));
}
