//! What lasts, what does not, and who sees it when.

use grove_core::types::LogId;
use grove_node::store::{Need, ParkedRow, Read, Store};

use crate::Backend;
use crate::drafts::{
    at_most, author, document, draft, everything, fork, hash, list_ids, plain_values, put_wide,
    schema_id, transact, wide_document, wide_schema,
};

pub(crate) fn a_rolled_back_transaction_leaves_nothing<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    for round in 0..2 {
        store.begin().unwrap();
        // In the second round the same numbers go to other keys and schemas.
        let mut entry = draft(1 + round, 0, 1);
        entry.schema_id = schema_id(["first", "second"][usize::from(round)]);
        entry.insert(&mut store);
        store.insert_schema(&wide_schema().into()).unwrap();
        store
            .put_document(&wide_document(entry.document, plain_values()))
            .unwrap();
        store.insert_fork(&fork(1 + round, 0, 1)).unwrap();
        let parked = ParkedRow {
            hash: hash("p"),
            entry: b"p".to_vec(),
            payload: vec![2],
        };
        store
            .park(&parked, &Need::Operation(hash("n").into()))
            .unwrap();
        assert_eq!(store.evict_parked(at_most(5)).unwrap(), 1);
        assert_eq!(
            store.trees(author(1 + round), LogId::new(0)).unwrap()[0].schema_id,
            entry.schema_id
        );
        store.rollback().unwrap();

        assert_eq!(store.counts().unwrap(), Default::default());
        assert_eq!(store.trees(author(1 + round), LogId::new(0)).unwrap(), []);
        assert_eq!(store.schema(&schema_id("wide")).unwrap(), None);
        assert_eq!(store.document(entry.document).unwrap(), None);
        assert_eq!(list_ids(&store, &everything()), []);
    }
    // A rollback without a transaction is nothing, as after a failure that rolled back by itself.
    store.rollback().unwrap();

    transact(&mut store, |store| {
        assert_eq!(store.evict_parked(at_most(0)).unwrap(), 0)
    });
}

pub(crate) fn readers_see_committed_state_only<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let reader = B::reader(&store);
    let id = document("doc");

    store.begin().unwrap();
    draft(1, 0, 1).insert(&mut store);
    store.insert_schema(&wide_schema().into()).unwrap();
    store
        .put_document(&wide_document(id, plain_values()))
        .unwrap();
    assert!(store.document(id).unwrap().is_some());
    assert_eq!(reader.document(id).unwrap(), None);
    assert_eq!(reader.schema(&schema_id("wide")).unwrap(), None);
    assert_eq!(reader.counts().unwrap(), Default::default());
    assert_eq!(list_ids(&reader, &everything()), []);
    store.commit().unwrap();

    assert_eq!(reader.document(id).unwrap(), store.document(id).unwrap());
    assert_eq!(list_ids(&reader, &everything()), [id]);
    assert_eq!(
        reader.trees(author(1), LogId::new(0)).unwrap(),
        store.trees(author(1), LogId::new(0)).unwrap()
    );
}

pub(crate) fn everything_outlives_a_restart<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let id = document("doc");
    put_wide(&mut store, &[id]);
    let entry = transact(&mut store, |store| {
        let entry = draft(1, 0, 1).insert(store);
        let parked = ParkedRow {
            hash: hash("p"),
            entry: b"p".to_vec(),
            payload: vec![2],
        };
        store
            .park(&parked, &Need::Operation(hash("n").into()))
            .unwrap();
        entry
    });
    let (counts, row) = (store.counts().unwrap(), store.document(id).unwrap());
    store.begin().unwrap();
    draft(1, 0, 2).insert(&mut store);
    drop(store);

    let mut store = B::open(&place);

    assert_eq!(store.counts().unwrap(), counts);
    assert_eq!(store.document(id).unwrap(), row);
    assert_eq!(store.schemas().unwrap(), [wide_schema()]);
    assert_eq!(store.entry(entry).unwrap().unwrap().position, 1);
    transact(&mut store, |store| draft(1, 0, 2).insert(store));
}
