//! Made-up entries, documents and schemas to fill stores with.

use grove_core::publish::Placement;
use grove_core::types::{
    DocumentId, DocumentViewId, FieldType, Hash, KeyPair, LogId, PublicKey, Schema, SchemaId,
    SeqNum, SystemSchema, Value,
};
use grove_core::validate::LogTip;
use grove_core::wire::Action;
use grove_node::store::{
    DocumentQuery, DocumentRow, ForkRow, NewEntry, ParkedMax, Read, Store, StoreError,
};

pub(crate) fn hash(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

pub(crate) fn document(text: &str) -> DocumentId {
    hash(text).into()
}

pub(crate) fn author(number: u8) -> PublicKey {
    KeyPair::from_seed(&[number; 32]).public_key()
}

pub(crate) fn seq(number: u64) -> SeqNum {
    SeqNum::new(number).unwrap()
}

pub(crate) fn schema_id(name: &str) -> SchemaId {
    format!("{name}_{}", hash(name)).parse().unwrap()
}

pub(crate) fn transact<S: Store, T>(store: &mut S, change: impl FnOnce(&mut S) -> T) -> T {
    store.begin().unwrap();
    let result = change(store);
    store.commit().unwrap();
    result
}

/// An entry whose hash and bytes follow from its place.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub public_key: PublicKey,
    pub log_id: u64,
    pub seq_num: u64,
    pub document: DocumentId,
    pub schema_id: SchemaId,
    pub action: Option<Action>,
    pub bytes: String,
    pub ended: bool,
    pub placement: Placement,
}

pub(crate) fn draft(who: u8, log_id: u64, seq_num: u64) -> Draft {
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
        ended: false,
        placement: match seq_num {
            1 => Placement::Begins,
            _ => Placement::Extends(hash(&format!("{who} {log_id} {}", seq_num - 1))),
        },
    }
}

impl Draft {
    /// The same position in another branch, as the bytes tell.
    pub(crate) fn named(mut self, branch: &str, placement: Placement) -> Self {
        self.bytes = format!("{} {branch}", self.bytes);
        self.placement = placement;
        self
    }

    pub(crate) fn hash(&self) -> Hash {
        hash(&self.bytes)
    }

    pub(crate) fn tip(&self) -> LogTip {
        LogTip {
            seq_num: seq(self.seq_num),
            hash: self.hash(),
            ended: self.ended,
        }
    }

    pub(crate) fn insert(&self, store: &mut impl Store) -> Hash {
        self.try_insert(store).unwrap();
        hash(&self.bytes)
    }

    pub(crate) fn try_insert(&self, store: &mut impl Store) -> Result<i64, StoreError> {
        store.insert_entry(NewEntry {
            public_key: self.public_key,
            log_id: LogId::new(self.log_id),
            seq_num: seq(self.seq_num),
            hash: hash(&self.bytes),
            end_of_log: self.ended,
            entry: self.bytes.as_bytes(),
            payload: self.action.map(|_| self.bytes.as_bytes()),
            action: self.action,
            document: self.document,
            schema_id: &self.schema_id,
            placement: self.placement,
        })
    }
}

pub(crate) fn fork(who: u8, log_id: u64, seq_num: u64) -> ForkRow {
    ForkRow {
        public_key: author(who),
        log_id: LogId::new(log_id),
        seq_num: seq(seq_num),
        first: format!("first {seq_num}").into_bytes(),
        second: format!("second {seq_num}").into_bytes(),
    }
}

/// A schema with a field of every type.
pub(crate) fn wide_schema() -> Schema {
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
pub(crate) fn wide_document(id: DocumentId, values: [Value; 9]) -> DocumentRow {
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

pub(crate) fn plain_values() -> [Value; 9] {
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

pub(crate) fn put_wide<S: Store>(store: &mut S, ids: &[DocumentId]) {
    transact(store, |store| {
        store.insert_schema(&wide_schema().into()).unwrap();
        for id in ids {
            store
                .put_document(&wide_document(*id, plain_values()))
                .unwrap();
        }
    });
}

pub(crate) fn list_ids(store: &impl Read, query: &DocumentQuery) -> Vec<DocumentId> {
    let rows = store.list(&schema_id("wide"), query).unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

pub(crate) fn everything() -> DocumentQuery {
    DocumentQuery::default()
}

/// So many parked entries, whatever their size.
pub(crate) fn at_most(entries: u64) -> ParkedMax {
    let size = u64::MAX;
    ParkedMax { entries, size }
}
