//! How values become columns of SQLite and columns values again.
//!
//! Which column belongs to which field is for `views` to know.

use grove_core::types::{DocumentViewId, FieldType, Value};
use rusqlite::types::{ToSqlOutput, Value as Column, ValueRef};

use crate::store::StoreError;
use crate::store::codec::{
    DIGEST_SIZE, from_hashes, from_view_id, to_document_id, to_hashes, to_view_id,
};

pub(super) use crate::store::codec::{brief, is_brief};

/// The SQL type of a field's column.
///
/// A column of floats can't be REAL, for SQLite would make NULL of NaN and 0 of −0. Where it may hold
/// anything, it holds −0 as an integer, equal to 0 when compared, and NaN as an empty blob, which
/// sorts after every number (R20).
pub(super) const fn column_type(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Bool | FieldType::Int => "INTEGER NOT NULL",
        FieldType::Float => "ANY NOT NULL",
        FieldType::Str => "TEXT NOT NULL",
        FieldType::Bytes
        | FieldType::Relation(_)
        | FieldType::RelationList(_)
        | FieldType::PinnedRelation(_)
        | FieldType::PinnedRelationList(_) => "BLOB NOT NULL",
    }
}

/// The column of a value; `None` when the value does not fit the type of its field.
pub(super) fn from_value<'a>(field_type: &FieldType, value: &'a Value) -> Option<ToSqlOutput<'a>> {
    let blob = |bytes| ToSqlOutput::Owned(Column::Blob(bytes));
    Some(match (field_type, value) {
        (FieldType::Bool, Value::Bool(bool)) => ToSqlOutput::from(*bool),
        (FieldType::Int, Value::Int(int)) => ToSqlOutput::from(*int),
        (FieldType::Float, Value::Float(float)) => ToSqlOutput::Owned(from_float(*float)),
        (FieldType::Str, Value::Str(text)) => ToSqlOutput::from(text.as_str()),
        (FieldType::Bytes, Value::Bytes(bytes)) => ToSqlOutput::from(bytes.as_slice()),
        (FieldType::Relation(_), Value::Relation(id)) => blob(id.hash().digest().to_vec()),
        (FieldType::RelationList(_), Value::RelationList(ids)) => {
            blob(from_hashes(ids.iter().map(|id| id.hash())))
        }
        (FieldType::PinnedRelation(_), Value::PinnedRelation(view_id)) => {
            blob(from_view_id(view_id))
        }
        (FieldType::PinnedRelationList(_), Value::PinnedRelationList(view_ids)) => {
            blob(from_view_ids(view_ids))
        }
        _ => return None,
    })
}

/// The value in a column.
pub(super) fn to_value(field_type: &FieldType, column: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match (field_type, column) {
        (FieldType::Bool, ValueRef::Integer(int)) => Value::Bool(int != 0),
        (FieldType::Int, ValueRef::Integer(int)) => Value::Int(int),
        (FieldType::Float, ValueRef::Real(float)) => Value::Float(float),
        (FieldType::Float, ValueRef::Integer(0)) => Value::Float(-0.0),
        (FieldType::Float, ValueRef::Blob([])) => Value::Float(f64::NAN),
        (FieldType::Str, ValueRef::Text(text)) => {
            Value::Str(String::from_utf8(text.to_vec()).map_err(|_| StoreError::Corrupt("text"))?)
        }
        (FieldType::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (FieldType::Relation(_), ValueRef::Blob(bytes)) => Value::Relation(to_document_id(bytes)?),
        (FieldType::RelationList(_), ValueRef::Blob(bytes)) => {
            Value::RelationList(to_hashes(bytes)?.into_iter().map(Into::into).collect())
        }
        (FieldType::PinnedRelation(_), ValueRef::Blob(bytes)) => {
            Value::PinnedRelation(to_view_id(bytes)?)
        }
        (FieldType::PinnedRelationList(_), ValueRef::Blob(bytes)) => {
            Value::PinnedRelationList(to_view_ids(bytes)?)
        }
        _ => return Err(StoreError::Corrupt("field value")),
    })
}

pub(super) fn from_float(float: f64) -> Column {
    if float.is_nan() {
        Column::Blob(Vec::new())
    } else if float == 0.0 && float.is_sign_negative() {
        Column::Integer(0)
    } else {
        Column::Real(float)
    }
}

/// Each view id with the number of its operations before it.
pub(super) fn from_view_ids(view_ids: &[DocumentViewId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for view_id in view_ids {
        bytes.extend((view_id.ids().len() as u32).to_be_bytes());
        bytes.extend(from_view_id(view_id));
    }
    bytes
}

pub(super) fn to_view_ids(mut bytes: &[u8]) -> Result<Vec<DocumentViewId>, StoreError> {
    const TRUNCATED: StoreError = StoreError::Corrupt("list of view ids");
    let mut view_ids = Vec::new();
    while !bytes.is_empty() {
        let (count, rest) = bytes.split_first_chunk().ok_or(TRUNCATED)?;
        let size = (u32::from_be_bytes(*count) as usize).saturating_mul(DIGEST_SIZE);
        let (ids, rest) = rest.split_at_checked(size).ok_or(TRUNCATED)?;
        view_ids.push(to_view_id(ids)?);
        bytes = rest;
    }
    Ok(view_ids)
}
