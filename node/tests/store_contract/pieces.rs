//! Pieces of blobs: their bytes are kept once, wherever that is, and come back whole.

use grove_core::author::{NextArgs, forge};
use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, KeyPair, LogId, PlainValue, SchemaId, SeqNum, Value};
use grove_core::wire::{Action, Fields, Operation};
use grove_node::store::query::{Condition, Order, OrderBy, SORT_KEY_SIZE_MAX, Test};
use grove_node::store::{DocumentQuery, DocumentRow, NewEntry, Read, Store};

use crate::Backend;
use crate::drafts::{author, everything, transact};

const HEAD: usize = SORT_KEY_SIZE_MAX;

/// Stores a piece as an engine does.
fn insert(store: &mut impl Store, log_id: u64, data: &[u8]) -> DocumentRow {
    let operation = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(data.to_vec()))]),
    };
    let key_pair = KeyPair::from_seed(&[1; 32]);
    let args = NextArgs::first(LogId::new(log_id));
    let submission = forge(&key_pair, &args, &operation).unwrap();
    let hash = submission.entry().hash();
    store
        .insert_entry(NewEntry {
            public_key: author(1),
            log_id: LogId::new(log_id),
            seq_num: SeqNum::FIRST,
            hash,
            end_of_log: false,
            entry: submission.entry().bytes(),
            payload: Some(submission.payload()),
            action: Some(Action::Create),
            document: hash.into(),
            schema_id: &SchemaId::BLOB_PIECE,
            placement: Placement::Begins,
        })
        .unwrap();
    let field = (Value::Bytes(data.to_vec()), hash.into());
    let row = DocumentRow {
        id: hash.into(),
        schema_id: SchemaId::BLOB_PIECE,
        view_id: DocumentId::from(hash).into(),
        owner: author(1),
        edited: false,
        fields: Some([("data".to_owned(), field)].into()),
    };
    store.put_document(&row).unwrap();
    row
}

pub(crate) fn pieces_of_any_size_come_back_whole<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let sizes = [0, 1, HEAD, HEAD + 1, HEAD + 32, 8_000, 9_000, 256_000];
    let rows: Vec<_> = transact(&mut store, |store| {
        let numbered = sizes.iter().enumerate();
        numbered
            .map(|(log_id, size)| insert(store, log_id as u64, &vec![log_id as u8; *size]))
            .collect()
    });
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();

    let check = |store: &dyn Read| {
        for row in &rows {
            let entry = store.entry(row.id.hash()).unwrap().unwrap();
            let payload = entry.payload.unwrap();
            let operation = store.operation(row.id.into()).unwrap().unwrap();
            assert_eq!(store.document(row.id).unwrap().as_ref(), Some(row));
            assert_eq!(operation.payload_size, Some(payload.len() as u64));
            assert_eq!(
                store.payload_size(row.id.into()).unwrap(),
                operation.payload_size
            );
            assert!(operation.has_payload && !entry.lost);
        }
        let found = store.documents(&ids).unwrap();
        assert!(
            found.values().eq(store
                .list(&SchemaId::BLOB_PIECE, &everything())
                .unwrap()
                .iter())
        );
        assert_eq!(found.len(), rows.len());
        assert!(rows.iter().all(|row| found.get(&row.id) == Some(row)));
    };
    check(&store);
    check(&B::reader(&store));
    let outline = store.document_outline(ids[7]).unwrap().unwrap();
    assert_eq!(outline.view_id, rows[7].view_id);
    assert!(!outline.is_deleted());
    let query = DocumentQuery {
        outline: true,
        ..everything()
    };
    let listed = store.list(&SchemaId::BLOB_PIECE, &query).unwrap();
    assert!(listed.iter().map(|row| row.id).eq(found_ids(&store)));
    assert!(listed.contains(&outline) && listed.contains(&rows[0]));
}

fn found_ids(store: &impl Read) -> Vec<DocumentId> {
    let found = store.list(&SchemaId::BLOB_PIECE, &everything()).unwrap();
    found.iter().map(|row| row.id).collect()
}

pub(crate) fn pieces_are_found_by_all_of_their_data<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let long = |end: u8| [vec![7; HEAD], vec![end; 9_000]].concat();
    // What the view of a long one may hold in its place.
    let trap = [vec![7; HEAD], Hash::of(&long(1)).digest().to_vec()].concat();
    let data = [
        vec![],
        vec![7; HEAD - 1],
        vec![7; HEAD],
        vec![7; HEAD + 1],
        long(1),
        long(2),
        trap,
        vec![8],
    ];
    let rows: Vec<_> = transact(&mut store, |store| {
        let numbered = data.iter().enumerate();
        numbered
            .map(|(log_id, data)| insert(store, log_id as u64, data))
            .collect()
    });

    for descending in [false, true] {
        let order = Order {
            by: OrderBy::Field("data".to_owned()),
            descending,
        };
        for (wanted, value) in data.iter().flat_map(|data| [(true, data), (false, data)]) {
            let value = Value::Bytes(value.clone());
            let test = Test::Among(wanted, vec![value]);
            let query = DocumentQuery {
                conditions: vec![Condition::Field("data".to_owned(), test)],
                order: order.clone(),
                ..everything()
            };
            let mut expected: Vec<_> = rows.iter().filter(|row| query.admits(row)).collect();
            expected.sort_by(|a, b| order.compare(&order.place(a), &order.place(b)));
            let found = store.list(&SchemaId::BLOB_PIECE, &query).unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
            assert_eq!(
                store.count(&SchemaId::BLOB_PIECE, &query).unwrap(),
                expected.len() as u64
            );
        }
    }
}

pub(crate) fn dropped_pieces_are_gone_and_may_come_back<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let rows: Vec<_> = transact(&mut store, |store| {
        [200, 50_000]
            .iter()
            .enumerate()
            .map(|(log_id, size)| insert(store, log_id as u64, &vec![1; *size]))
            .collect()
    });
    for row in &rows {
        let payload = store
            .entry(row.id.hash())
            .unwrap()
            .unwrap()
            .payload
            .unwrap();

        transact(&mut store, |store| {
            store.drop_payloads(row.id).unwrap();
            let mut gone = row.clone();
            gone.edited = true;
            gone.fields = None;
            store.put_document(&gone).unwrap();
        });
        let entry = store.entry(row.id.hash()).unwrap().unwrap();
        assert!(entry.payload.is_none() && !entry.lost);
        assert_eq!(store.payload_size(row.id.into()).unwrap(), None);

        transact(&mut store, |store| {
            let hash = row.id.hash();
            store
                .restore_payload(hash, &payload, Action::Create)
                .unwrap();
            store.put_document(row).unwrap();
        });
        let entry = store.entry(row.id.hash()).unwrap().unwrap();
        assert_eq!(entry.payload, Some(payload.clone()));
        assert_eq!(store.document(row.id).unwrap().as_ref(), Some(row));
    }
    let size = transact(&mut store, |store| {
        store.purge_log(author(1), LogId::new(1)).unwrap()
    });
    assert!(size > 50_000, "{size}");
    assert_eq!(store.payload_size(rows[1].id.into()).unwrap(), None);
}
