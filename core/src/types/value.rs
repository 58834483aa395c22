//! Field values, before and after a schema gave them their type (OP7, OP8, SC5).

use super::{DocumentId, DocumentViewId, Hash};

/// A value as its bytes alone tell it; the schema decides between the forms that share an encoding.
#[derive(Debug, Clone, PartialEq)]
pub enum PlainValue {
    /// `true` or `false`.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A 64-bit float, NaN and infinities included (R20).
    Float(f64),
    /// UTF-8 text.
    Str(String),
    /// A byte string: `bytes`, or a relation when it is a hash.
    Bytes(Vec<u8>),
    /// A list of hashes, perhaps empty: a relation list, a pinned relation, or an empty pinned list.
    Ids(Vec<Hash>),
    /// A non-empty list of view ids: a pinned relation list.
    ViewIds(Vec<DocumentViewId>),
}

impl PlainValue {
    /// The name of the form, for messages.
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Ids(_) => "list of ids",
            Self::ViewIds(_) => "list of view ids",
        }
    }
}

/// A value that fits the type of its field.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    Relation(DocumentId),
    RelationList(Vec<DocumentId>),
    PinnedRelation(DocumentViewId),
    PinnedRelationList(Vec<DocumentViewId>),
}

impl From<Value> for PlainValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(bool) => Self::Bool(bool),
            Value::Int(int) => Self::Int(int),
            Value::Float(float) => Self::Float(float),
            Value::Str(text) => Self::Str(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Relation(id) => Self::Bytes(id.hash().to_bytes().to_vec()),
            Value::RelationList(ids) => Self::Ids(ids.into_iter().map(DocumentId::hash).collect()),
            Value::PinnedRelation(view) => {
                Self::Ids(view.ids().iter().map(|id| id.hash()).collect())
            }
            // Without items the two list forms have one encoding.
            Value::PinnedRelationList(views) if views.is_empty() => Self::Ids(Vec::new()),
            Value::PinnedRelationList(views) => Self::ViewIds(views),
        }
    }
}
