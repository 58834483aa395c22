//! Bytes of operations that lie outside of a database, as every database reads them.
//!
//! An entry with an object has no payload in its row. Objects are put before the transaction that
//! refers to them and erased after the one that no longer does, so at every moment what is committed
//! is there; what a crash leaves over belongs to nothing and is swept.

use std::sync::Arc;

use grove_core::types::{Hash, PlainValue, SchemaId};
use grove_core::wire::{Entry, Operation};

use super::StoreError;
use super::objects::Objects;

/// How many objects are erased before the database is told.
pub(super) const ERASED_MAX: i64 = 1_000;

/// The bytes of an operation, as far as they are known.
#[derive(Debug)]
pub(super) enum Payload {
    Here(Vec<u8>),
    /// They were dropped.
    Dropped,
    /// They should be there, and are not.
    Lost,
}

impl Payload {
    /// The bytes of an operation whose row says so: in it, or in an object of this name and size.
    pub(super) fn read(
        objects: Option<&Arc<Objects>>,
        inside: Option<Vec<u8>>,
        object: Option<(&str, i64)>,
        entry: &[u8],
    ) -> Result<Self, StoreError> {
        let Some((name, size)) = object else {
            let Some(bytes) = inside else {
                return Ok(Self::Dropped);
            };
            let entry = Entry::decode(entry);
            let is_other = entry.is_ok_and(|entry| entry.payload_hash != Hash::of(&bytes));
            return Ok(if is_other {
                Self::Lost
            } else {
                Self::Here(bytes)
            });
        };
        let entry = Entry::decode(entry).map_err(|_| StoreError::Corrupt("entry"))?;
        let objects = objects.ok_or(StoreError::NoObjects)?;
        //= BL2: what is not what its author signed is as good as not there
        let found = objects.get(name, size.cast_unsigned(), entry.payload_hash)?;
        Ok(found.map_or(Self::Lost, Self::Here))
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Here(bytes) => Some(bytes),
            Self::Dropped | Self::Lost => None,
        }
    }

    /// The `data` of the piece that the operation made or changed; `None` when its bytes are gone.
    pub(super) fn into_piece_data(self) -> Result<Option<Vec<u8>>, StoreError> {
        const CORRUPT: StoreError = StoreError::Corrupt("operation");
        let Some(bytes) = self.into_bytes() else {
            return Ok(None);
        };
        match Operation::decode(&bytes).map_err(|_| CORRUPT)? {
            Operation::Create { mut fields, .. } | Operation::Update { mut fields, .. } => {
                match fields.remove("data") {
                    Some(PlainValue::Bytes(data)) => Ok(Some(data)),
                    _ => Err(CORRUPT),
                }
            }
            Operation::Delete { .. } => Err(CORRUPT),
        }
    }
}

/// The object for an operation that is large enough for one, put by now.
pub(super) fn object_for(
    objects: Option<&Arc<Objects>>,
    schema_id: &SchemaId,
    hash: Hash,
    payload: &[u8],
) -> Result<Option<String>, StoreError> {
    match objects {
        Some(objects) if Objects::takes(schema_id, payload) => {
            let name = objects.take(hash, payload)?;
            let of = Objects::operation_of(&name);
            assert_eq!(of, Some(hash), "an object tells whose it is");
            Ok(Some(name))
        }
        _ => Ok(None),
    }
}

/// How much of a view is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All values.
    Whole,
    /// Values that are kept in brief are left out.
    Outline,
}

impl Extent {
    pub const fn of(outline: bool) -> Self {
        if outline { Self::Outline } else { Self::Whole }
    }
}
