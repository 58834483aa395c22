//! What every store promises, told to each implementation alike.
//!
//! An implementation joins by a [`Backend`] and a line in the last module.

use std::collections::BTreeMap;

use grove_core::types::{
    DocumentId, DocumentViewId, FieldType, Hash, KeyPair, LogId, PublicKey, Schema, SchemaId,
    SeqNum, SystemSchema, Value,
};
use grove_core::validate::LogTip;
use grove_core::wire::{Action, Heights};
use grove_node::store::{
    DocumentRow, ForkRow, ListQuery, Need, NewEntry, OperationRow, ParkedRow, Read, SqliteReader,
    SqliteStore, Store, StoreError,
};
use proptest::prelude::*;

/// A kind of store, emptied for every test.
trait Backend {
    type Store: Store;
    type Reader: Read;
    /// What keeps the data while no store is open.
    type Place: Drop;

    fn place() -> Self::Place;
    fn open(place: &Self::Place) -> Self::Store;
    fn reader(store: &Self::Store) -> Self::Reader;
}

fn hash(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

fn document(text: &str) -> DocumentId {
    hash(text).into()
}

fn author(number: u8) -> PublicKey {
    KeyPair::from_seed(&[number; 32]).public_key()
}

fn seq(number: u64) -> SeqNum {
    SeqNum::new(number).unwrap()
}

fn schema_id(name: &str) -> SchemaId {
    format!("{name}_{}", hash(name)).parse().unwrap()
}

fn transact<S: Store, T>(store: &mut S, change: impl FnOnce(&mut S) -> T) -> T {
    store.begin().unwrap();
    let result = change(store);
    store.commit().unwrap();
    result
}

/// An entry whose hash and bytes follow from its place.
struct Draft {
    public_key: PublicKey,
    log_id: u64,
    seq_num: u64,
    document: DocumentId,
    schema_id: SchemaId,
    action: Option<Action>,
    bytes: String,
}

fn draft(who: u8, log_id: u64, seq_num: u64) -> Draft {
    Draft {
        public_key: author(who),
        log_id,
        seq_num,
        document: document(&format!("{who} {log_id}")),
        schema_id: schema_id("cafe"),
        action: Some(if seq_num == 1 {
            Action::Create
        } else {
            Action::Update
        }),
        bytes: format!("{who} {log_id} {seq_num}"),
    }
}

impl Draft {
    fn insert(&self, store: &mut impl Store) -> Hash {
        self.try_insert(store).unwrap();
        hash(&self.bytes)
    }

    fn try_insert(&self, store: &mut impl Store) -> Result<(), StoreError> {
        store.insert_entry(NewEntry {
            public_key: self.public_key,
            log_id: LogId::new(self.log_id),
            seq_num: seq(self.seq_num),
            hash: hash(&self.bytes),
            end_of_log: false,
            entry: self.bytes.as_bytes(),
            payload: self.action.map(|_| self.bytes.as_bytes()),
            action: self.action,
            document: self.document,
            schema_id: &self.schema_id,
        })
    }
}

fn fork(who: u8, log_id: u64, seq_num: u64) -> ForkRow {
    ForkRow {
        public_key: author(who),
        log_id: LogId::new(log_id),
        seq_num: seq(seq_num),
        first: format!("first {seq_num}").into_bytes(),
        second: format!("second {seq_num}").into_bytes(),
    }
}

/// A schema with a field of every type.
fn wide_schema() -> Schema {
    let target = SchemaId::System(SystemSchema::Blob);
    let types = [
        ("bool", FieldType::Bool),
        ("bytes", FieldType::Bytes),
        ("float", FieldType::Float),
        ("int", FieldType::Int),
        ("pinned", FieldType::PinnedRelation(schema_id("cafe"))),
        ("pinned_list", FieldType::PinnedRelationList(target.clone())),
        ("relation", FieldType::Relation(target.clone())),
        ("relation_list", FieldType::RelationList(target)),
        ("str", FieldType::Str),
    ];
    let fields = types.map(|(name, field_type)| (name.parse().unwrap(), field_type));
    Schema::new(schema_id("wide"), "Every type, \u{e9}\0".into(), fields).unwrap()
}

/// A document of the wide schema, all fields set by its CREATE.
fn wide_document(id: DocumentId, values: [Value; 9]) -> DocumentRow {
    let schema = wide_schema();
    let names = schema.fields().keys().map(|name| name.as_str().to_owned());
    DocumentRow {
        id,
        schema_id: schema.id().clone(),
        view_id: id.into(),
        owner: author(1),
        edited: false,
        fields: Some(names.zip(values.map(|value| (value, id.into()))).collect()),
    }
}

fn plain_values() -> [Value; 9] {
    [
        Value::Bool(true),
        Value::Bytes(b"bytes".to_vec()),
        Value::Float(1.5),
        Value::Int(-7),
        Value::PinnedRelation(
            DocumentViewId::from_tips([hash("a").into(), hash("b").into()]).unwrap(),
        ),
        Value::PinnedRelationList(vec![
            DocumentViewId::from_tips([hash("c").into(), hash("d").into()]).unwrap(),
            document("e").into(),
        ]),
        Value::Relation(document("f")),
        Value::RelationList(vec![document("g"), document("f"), document("g")]),
        Value::Str("caf\u{e9}".into()),
    ]
}

fn put_wide<S: Store>(store: &mut S, ids: &[DocumentId]) {
    transact(store, |store| {
        store.insert_schema(&wide_schema()).unwrap();
        for id in ids {
            store
                .put_document(&wide_document(*id, plain_values()))
                .unwrap();
        }
    });
}

fn list_ids(store: &impl Read, query: ListQuery) -> Vec<DocumentId> {
    let rows = store.list(&schema_id("wide"), query).unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

fn everything() -> ListQuery {
    ListQuery {
        after: None,
        limit: u32::MAX,
    }
}

fn documents_come_back_as_they_were<B: Backend>() {
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
        store.list(&row.schema_id, everything()).unwrap(),
        [row.clone()]
    );
    assert_eq!(store.count(&row.schema_id).unwrap(), 1);

    row.fields = None;
    transact(&mut store, |store| store.put_document(&row).unwrap());
    assert_eq!(store.document(row.id).unwrap().as_ref(), Some(&row));
    assert_eq!(store.list(&row.schema_id, everything()).unwrap(), []);
    assert_eq!(store.count(&row.schema_id).unwrap(), 0);

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

fn extreme_values_come_back_bit_for_bit<B: Backend>() {
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
        let listed = store.list(&row.schema_id, everything()).unwrap();
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

fn documents_that_do_not_fit_are_refused<B: Backend>() {
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

fn documents_of_system_schemas_need_no_introduction<B: Backend>() {
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
            store.insert_schema(&schema).unwrap();
            store.put_document(&row).unwrap();
        });
        assert_eq!(store.document(id).unwrap(), Some(row));
    }
    assert_eq!(store.schemas().unwrap(), []);
}

fn a_document_may_change_its_schema<B: Backend>() {
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
    assert_eq!(list_ids(&store, everything()), []);
    assert_eq!(store.count(&schema_id("wide")).unwrap(), 0);
    assert_eq!(store.count(&SchemaId::BLOB_PIECE).unwrap(), 1);
}

fn schemas_come_back_sorted_by_id<B: Backend>() {
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
            store.insert_schema(schema).unwrap();
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

fn entries_and_logs_are_found_again<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let log_ids = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1];
    transact(&mut store, |store| {
        for log_id in log_ids {
            draft(1, log_id, 1).insert(store);
            draft(1, log_id, 2).insert(store);
        }
    });

    for log_id in log_ids {
        let log = store.log(author(1), LogId::new(log_id)).unwrap().unwrap();
        let tip = hash(&draft(1, log_id, 2).bytes);
        assert_eq!(
            log.tip,
            LogTip {
                seq_num: seq(2),
                hash: tip,
                ended: false
            }
        );
        assert_eq!(log.log_id, LogId::new(log_id));
        assert_eq!(log.document, draft(1, log_id, 1).document);
        assert_eq!(
            store.log_of_document(author(1), log.document).unwrap(),
            Some(log.clone())
        );

        let entry = store.entry(tip).unwrap().unwrap();
        assert_eq!(
            store.entry_at(author(1), log.log_id, seq(2)).unwrap(),
            Some(entry.clone())
        );
        assert_eq!(entry.entry, format!("1 {log_id} 2").into_bytes());
        assert_eq!(entry.payload, Some(entry.entry.clone()));
        assert_eq!((entry.log_id, entry.seq_num), (log.log_id, seq(2)));
        assert_eq!((entry.hash, entry.public_key), (tip, author(1)));
        assert_eq!(store.document_entries(log.document).unwrap()[1], entry);
    }
    assert_eq!(
        store.highest_log_id(author(1)).unwrap(),
        Some(LogId::new(u64::MAX))
    );
    assert_eq!(store.schema_entries(&schema_id("cafe")).unwrap().len(), 10);
    let positions: Vec<_> = store.schema_entries(&schema_id("cafe")).unwrap();
    assert!(positions.is_sorted_by(|a, b| a.position < b.position));

    assert_eq!(store.log(author(2), LogId::new(0)).unwrap(), None);
    assert_eq!(store.log(author(1), LogId::new(2)).unwrap(), None);
    assert_eq!(store.highest_log_id(author(2)).unwrap(), None);
    assert_eq!(store.entry(hash("nothing")).unwrap(), None);
    assert_eq!(
        store.entry_at(author(1), LogId::new(0), seq(3)).unwrap(),
        None
    );
    assert_eq!(store.schema_entries(&SchemaId::BLOB).unwrap(), []);
}

fn logs_grow_at_their_tips_only<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| draft(1, 0, 1).insert(store));

    let mut taken = draft(1, 0, 1);
    taken.bytes = "another".into();
    for wrong in [draft(1, 0, 3), draft(1, 1, 2), draft(2, 0, 2), taken] {
        store.begin().unwrap();
        assert!(wrong.try_insert(&mut store).is_err(), "{}", wrong.bytes);
        store.rollback().unwrap();
    }
    assert_eq!(store.counts().unwrap().entries, 1);
}

fn operations_tell_whether_they_count<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut skeleton = draft(1, 0, 3);
    skeleton.action = None;
    let hashes = transact(&mut store, |store| {
        let hashes = [
            draft(1, 0, 1).insert(store),
            draft(1, 0, 2).insert(store),
            skeleton.insert(store),
        ];
        store.insert_fork(&fork(1, 0, 2)).unwrap();
        hashes
    });

    let expected = |counted, has_payload| OperationRow {
        document: draft(1, 0, 1).document,
        schema_id: schema_id("cafe"),
        counted,
        has_payload,
    };
    let operation = |hash: Hash| store.operation(hash.into()).unwrap();
    assert_eq!(operation(hashes[0]), Some(expected(true, true)));
    assert_eq!(operation(hashes[1]), Some(expected(false, true)));
    assert_eq!(operation(hashes[2]), Some(expected(false, false)));
    assert_eq!(operation(hash("nothing")), None);

    transact(&mut store, |store| {
        store
            .restore_payload(hashes[2], b"late", Action::Update)
            .unwrap();
    });
    assert_eq!(
        store.operation(hashes[2].into()).unwrap(),
        Some(expected(false, true))
    );
    assert_eq!(
        store.entry(hashes[2]).unwrap().unwrap().payload.unwrap(),
        b"late"
    );
    store.begin().unwrap();
    let unknown = store.restore_payload(hash("nothing"), b"late", Action::Update);
    assert!(matches!(unknown, Err(StoreError::Misfit("entry"))));
    store.rollback().unwrap();
}

fn heights_end_before_forks<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut other = draft(2, 7, 1);
    other.schema_id = SchemaId::BLOB;
    transact(&mut store, |store| {
        for log_id in 0..3 {
            for seq_num in 1..=3 {
                draft(1, log_id, seq_num).insert(store);
            }
        }
        other.insert(store);
        store.insert_fork(&fork(1, 1, 3)).unwrap();
        store.insert_fork(&fork(1, 2, 1)).unwrap();
    });

    let cafe = [schema_id("cafe")].into();
    let logs = BTreeMap::from([(LogId::new(0), seq(3)), (LogId::new(1), seq(2))]);
    let mut expected = Heights::from([(author(1), logs)]);
    assert_eq!(store.heights(&cafe).unwrap(), expected);

    let both = [schema_id("cafe"), SchemaId::BLOB, SchemaId::BLOB_PIECE].into();
    expected.insert(author(2), BTreeMap::from([(LogId::new(7), seq(1))]));
    assert_eq!(store.heights(&both).unwrap(), expected);
}

fn the_lowest_fork_is_kept<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        for seq_num in 1..=5 {
            draft(1, 0, seq_num).insert(store);
        }
    });
    let log = |store: &B::Store| store.log(author(1), LogId::new(0)).unwrap().unwrap();
    assert_eq!(store.fork(author(1), LogId::new(0)).unwrap(), None);
    assert_eq!(log(&store).forked_at, None);

    for (claimed, kept) in [(4, 4), (5, 4), (2, 2), (3, 2)] {
        transact(&mut store, |store| {
            store.insert_fork(&fork(1, 0, claimed)).unwrap()
        });

        assert_eq!(
            store.fork(author(1), LogId::new(0)).unwrap(),
            Some(fork(1, 0, kept))
        );
        assert_eq!(log(&store).forked_at, Some(seq(kept)));
    }
    assert_eq!(store.counts().unwrap().forks, 1);
}

fn logs_move_to_other_documents<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        draft(1, 0, 1).insert(store);
        store
            .reassign_log(author(1), LogId::new(0), document("new"), &SchemaId::BLOB)
            .unwrap();
    });

    let log = store
        .log_of_document(author(1), document("new"))
        .unwrap()
        .unwrap();
    assert_eq!(log.schema_id, SchemaId::BLOB);
    assert_eq!(
        store
            .log_of_document(author(1), draft(1, 0, 1).document)
            .unwrap(),
        None
    );
    assert_eq!(store.document_entries(document("new")).unwrap().len(), 1);
    assert_eq!(store.schema_entries(&SchemaId::BLOB).unwrap().len(), 1);
}

fn parked_entries_wait_in_order<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let parked = |number: u8| ParkedRow {
        hash: Hash::of(&[number]),
        entry: vec![number],
        payload: vec![number; 3],
    };
    let operation = Need::Operation(hash("missing").into());
    let needs = [
        Need::Entry(author(1), LogId::new(0), seq(1)),
        Need::Entry(author(1), LogId::new(1), seq(1)),
        Need::Schema(schema_id("cafe")),
    ];
    transact(&mut store, |store| {
        for number in [9, 3, 5] {
            store.park(&parked(number), &operation).unwrap();
        }
        for (number, need) in (20..).zip(&needs) {
            store.park(&parked(number), need).unwrap();
        }
        // Known already: it waits for something else from now on, and stays as old as it is.
        store.park(&parked(3), &needs[0]).unwrap();
    });
    assert_eq!(store.counts().unwrap().parked, 6);

    transact(&mut store, |store| {
        assert_eq!(store.unpark(&needs[0]).unwrap(), [parked(3), parked(20)]);
        assert_eq!(store.unpark(&needs[0]).unwrap(), []);
        assert_eq!(store.evict_parked(9).unwrap(), 0);
        assert_eq!(store.evict_parked(3).unwrap(), 1);
        assert_eq!(store.unpark(&operation).unwrap(), [parked(5)]);
        assert_eq!(store.unpark(&needs[1]).unwrap(), [parked(21)]);
        store.park(&parked(30), &operation).unwrap();
        assert_eq!(store.evict_parked(1).unwrap(), 1);
        assert_eq!(store.unpark(&needs[2]).unwrap(), []);
        assert_eq!(store.evict_parked(0).unwrap(), 1);
    });
    assert_eq!(store.counts().unwrap().parked, 0);
}

fn dropped_payloads_leave_the_tombstone<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut end = draft(1, 0, 3);
    end.action = Some(Action::Delete);
    let mut foreign = draft(2, 0, 1);
    foreign.document = end.document;
    transact(&mut store, |store| {
        for entry in [draft(1, 0, 1), draft(1, 0, 2), end, foreign, draft(1, 1, 1)] {
            entry.insert(store);
        }
        store.drop_payloads(draft(1, 0, 1).document).unwrap();
    });

    let entries = store.document_entries(draft(1, 0, 1).document).unwrap();
    let kept: Vec<_> = entries
        .iter()
        .map(|entry| entry.payload.is_some())
        .collect();
    assert_eq!(kept, [false, false, true, false]);
    assert!(entries.iter().all(|entry| !entry.entry.is_empty()));
    let other = store.document_entries(draft(1, 1, 1).document).unwrap();
    assert!(other[0].payload.is_some());
}

fn a_rolled_back_transaction_leaves_nothing<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    for round in 0..2 {
        store.begin().unwrap();
        // In the second round the same numbers go to other keys and schemas.
        let mut entry = draft(1 + round, 0, 1);
        entry.schema_id = schema_id(["first", "second"][usize::from(round)]);
        entry.insert(&mut store);
        store.insert_schema(&wide_schema()).unwrap();
        store
            .put_document(&wide_document(entry.document, plain_values()))
            .unwrap();
        store.insert_fork(&fork(1 + round, 0, 1)).unwrap();
        let parked = ParkedRow {
            hash: hash("p"),
            entry: vec![1],
            payload: vec![2],
        };
        store
            .park(&parked, &Need::Operation(hash("n").into()))
            .unwrap();
        assert_eq!(store.evict_parked(5).unwrap(), 0);
        assert_eq!(
            store
                .log(author(1 + round), LogId::new(0))
                .unwrap()
                .unwrap()
                .schema_id,
            entry.schema_id
        );
        store.rollback().unwrap();

        assert_eq!(store.counts().unwrap(), Default::default());
        assert_eq!(store.log(author(1 + round), LogId::new(0)).unwrap(), None);
        assert_eq!(store.schema(&schema_id("wide")).unwrap(), None);
        assert_eq!(store.document(entry.document).unwrap(), None);
        assert_eq!(list_ids(&store, everything()), []);
    }
    // A rollback without a transaction is nothing, as after a failure that rolled back by itself.
    store.rollback().unwrap();

    transact(&mut store, |store| {
        assert_eq!(store.evict_parked(0).unwrap(), 0)
    });
}

fn readers_see_committed_state_only<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let reader = B::reader(&store);
    let id = document("doc");

    store.begin().unwrap();
    draft(1, 0, 1).insert(&mut store);
    store.insert_schema(&wide_schema()).unwrap();
    store
        .put_document(&wide_document(id, plain_values()))
        .unwrap();
    assert!(store.document(id).unwrap().is_some());
    assert_eq!(reader.document(id).unwrap(), None);
    assert_eq!(reader.schema(&schema_id("wide")).unwrap(), None);
    assert_eq!(reader.counts().unwrap(), Default::default());
    assert_eq!(list_ids(&reader, everything()), []);
    store.commit().unwrap();

    assert_eq!(reader.document(id).unwrap(), store.document(id).unwrap());
    assert_eq!(list_ids(&reader, everything()), [id]);
    assert_eq!(
        reader.log(author(1), LogId::new(0)).unwrap(),
        store.log(author(1), LogId::new(0)).unwrap()
    );
}

fn everything_outlives_a_restart<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let id = document("doc");
    put_wide(&mut store, &[id]);
    let entry = transact(&mut store, |store| {
        store.insert_fork(&fork(1, 0, 1)).unwrap_err();
        let entry = draft(1, 0, 1).insert(store);
        let parked = ParkedRow {
            hash: hash("p"),
            entry: vec![1],
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

fn pages_never_skip_or_repeat<B: Backend>() {
    let runner = ProptestConfig::with_cases(12);
    proptest!(runner, |(names in prop::collection::btree_set(any::<u16>(), 0..40), limit in 1u32..9)| {
        let place = B::place();
        let mut store = B::open(&place);
        let mut ids: Vec<_> = names.iter().map(|name| document(&name.to_string())).collect();
        put_wide(&mut store, &ids);
        ids.sort();

        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let page = list_ids(&store, ListQuery { after, limit });
            prop_assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            read.extend(page);
        }

        prop_assert_eq!(store.count(&schema_id("wide")).unwrap(), ids.len() as u64);
        prop_assert_eq!(read, ids);
    });
}

/// Few logs and many are found in different ways; both must agree with the plainest way of all.
fn entries_from_agrees_with_a_plain_filter<B: Backend>() {
    const MANY: u64 = 300;
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        for seq_num in 1..=3 {
            for log_id in 0..MANY {
                draft(1, log_id * 7 % MANY, seq_num).insert(store);
            }
        }
        for log_id in 0..20 {
            store.insert_fork(&fork(1, log_id, 1 + log_id % 3)).unwrap();
        }
    });
    let all = store.schema_entries(&schema_id("cafe")).unwrap();

    let runner = ProptestConfig::with_cases(24);
    let logs = prop::collection::btree_map(0..MANY + 9, 1u64..5, 0..30);
    proptest!(runner, |(logs in logs, pad: bool, after in -1i64..950, limit in 0u32..60)| {
        let mut starts: BTreeMap<_, _> = logs.into_iter().map(|(log, from)| (LogId::new(log), seq(from))).collect();
        if pad {
            // Logs that nobody has, to make them many.
            starts.extend((0..MANY).map(|log| (LogId::new(u64::MAX - log), seq(1))));
        }
        let wanted = |log: LogId, seq_num: SeqNum| {
            let fork = (log.as_u64() < 20).then(|| seq(1 + log.as_u64() % 3));
            starts.get(&log).is_some_and(|from| *from <= seq_num) && fork.is_none_or(|fork| seq_num < fork)
        };
        let expected: Vec<_> = all
            .iter()
            .filter(|entry| entry.position > after && wanted(entry.log_id, entry.seq_num))
            .take(limit as usize)
            .cloned()
            .collect();

        let starts = Heights::from([(author(1), starts.clone()), (author(2), starts)]);
        prop_assert_eq!(store.entries_from(&starts, after, limit).unwrap(), expected);
    });
}

macro_rules! contract {
    ($backend:ty { $($claim:ident)+ }) => {
        $(
            #[test]
            fn $claim() {
                super::$claim::<$backend>();
            }
        )+
    };
}

mod sqlite {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of its own, removed at the end.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    struct Sqlite;

    impl Backend for Sqlite {
        type Store = SqliteStore;
        type Reader = SqliteReader;
        type Place = Folder;

        fn place() -> Folder {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("grove-store-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }

        fn open(place: &Folder) -> SqliteStore {
            SqliteStore::open(&place.0.join("node.sqlite")).unwrap()
        }

        fn reader(store: &SqliteStore) -> SqliteReader {
            store.reader().unwrap()
        }
    }

    contract!(Sqlite {
        documents_come_back_as_they_were
        extreme_values_come_back_bit_for_bit
        documents_that_do_not_fit_are_refused
        documents_of_system_schemas_need_no_introduction
        a_document_may_change_its_schema
        schemas_come_back_sorted_by_id
        entries_and_logs_are_found_again
        logs_grow_at_their_tips_only
        operations_tell_whether_they_count
        heights_end_before_forks
        the_lowest_fork_is_kept
        logs_move_to_other_documents
        parked_entries_wait_in_order
        dropped_payloads_leave_the_tombstone
        a_rolled_back_transaction_leaves_nothing
        readers_see_committed_state_only
        everything_outlives_a_restart
        pages_never_skip_or_repeat
        entries_from_agrees_with_a_plain_filter
    });
}
