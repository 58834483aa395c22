//! How values become columns of PostgreSQL and columns values again.
//!
//! Texts are kept as their bytes: a TEXT can't hold U+0000, and is compared as its locale likes. Which
//! column belongs to which field is for `views` to know.

use bytes::BytesMut;
use grove_core::types::{DocumentViewId, FieldType, Hash, Value};
use postgres::Row;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::StoreError;
use crate::store::codec::{DIGEST_SIZE, from_view_id, to_view_id};

/// A value to be bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
    List(Vec<Vec<u8>>),
}

impl ToSql for Column {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(int) => int.to_sql_checked(ty, out),
            Self::Float(float) => float.to_sql_checked(ty, out),
            Self::Bytes(bytes) => bytes.to_sql_checked(ty, out),
            Self::List(list) => list.to_sql_checked(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Each kind of value decides for itself.
        true
    }

    to_sql_checked!();
}

/// The SQL type of a field's column.
pub(super) const fn column_type(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Bool | FieldType::Int => "BIGINT NOT NULL",
        // Holds −0 and NaN as they are, and takes NaN to be above every number (R20).
        FieldType::Float => "DOUBLE PRECISION NOT NULL",
        FieldType::Str
        | FieldType::Bytes
        | FieldType::Relation(_)
        | FieldType::PinnedRelation(_) => "BYTEA NOT NULL",
        FieldType::RelationList(_) | FieldType::PinnedRelationList(_) => "BYTEA[] NOT NULL",
    }
}

/// The column of a value; `None` when the value does not fit the type of its field.
pub(super) fn from_value(field_type: &FieldType, value: &Value) -> Option<Column> {
    Some(match (field_type, value) {
        (FieldType::Bool, Value::Bool(bool)) => Column::Int((*bool).into()),
        (FieldType::Int, Value::Int(int)) => Column::Int(*int),
        (FieldType::Float, Value::Float(float)) => Column::Float(*float),
        (FieldType::Str, Value::Str(text)) => Column::Bytes(text.as_bytes().to_vec()),
        (FieldType::Bytes, Value::Bytes(bytes)) => Column::Bytes(bytes.clone()),
        (FieldType::Relation(_), Value::Relation(id)) => Column::Bytes(id.hash().digest().to_vec()),
        (FieldType::RelationList(_), Value::RelationList(ids)) => {
            Column::List(ids.iter().map(|id| id.hash().digest().to_vec()).collect())
        }
        (FieldType::PinnedRelation(_), Value::PinnedRelation(view_id)) => {
            Column::Bytes(from_view_id(view_id))
        }
        (FieldType::PinnedRelationList(_), Value::PinnedRelationList(view_ids)) => {
            Column::List(from_view_ids(view_ids))
        }
        _ => return None,
    })
}

pub(super) fn from_view_ids(view_ids: &[DocumentViewId]) -> Vec<Vec<u8>> {
    view_ids.iter().map(from_view_id).collect()
}

/// The value in a column.
pub(super) fn to_value(
    field_type: &FieldType,
    row: &Row,
    index: usize,
) -> Result<Value, StoreError> {
    Ok(match field_type {
        FieldType::Bool => Value::Bool(get::<i64>(row, index)? != 0),
        FieldType::Int => Value::Int(get(row, index)?),
        FieldType::Float => Value::Float(get(row, index)?),
        FieldType::Str => {
            let text = String::from_utf8(get(row, index)?);
            Value::Str(text.map_err(|_| StoreError::Corrupt("text"))?)
        }
        FieldType::Bytes => Value::Bytes(get(row, index)?),
        FieldType::Relation(_) => Value::Relation(hash(digest(row, index)?).into()),
        FieldType::RelationList(_) => {
            let ids: Vec<&[u8]> = get(row, index)?;
            let ids = ids.into_iter().map(|id| {
                let id = id.try_into();
                Ok(hash(id.map_err(|_| StoreError::Corrupt("document id"))?).into())
            });
            Value::RelationList(ids.collect::<Result<_, StoreError>>()?)
        }
        FieldType::PinnedRelation(_) => Value::PinnedRelation(to_view_id(get(row, index)?)?),
        FieldType::PinnedRelationList(_) => {
            let view_ids: Vec<&[u8]> = get(row, index)?;
            let view_ids = view_ids.into_iter().map(to_view_id);
            Value::PinnedRelationList(view_ids.collect::<Result<_, _>>()?)
        }
    })
}

fn hash(digest: [u8; 32]) -> Hash {
    Hash::from_digest(digest)
}

/// A column of the type that was written.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index)
        .map_err(|_| StoreError::Corrupt("column"))
}

/// A column of 32 bytes.
pub(super) fn digest(row: &Row, index: usize) -> Result<[u8; DIGEST_SIZE], StoreError> {
    let bytes: &[u8] = get(row, index)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt("digest"))
}
