//! Bytes of operations that lie outside of the database, and the data of pieces that lies in them.
//!
//! An entry with an object has no payload in its row. Objects are put before the transaction that
//! refers to them and erased after the one that no longer does, so at every moment what is committed
//! is there; what a crash leaves over belongs to nothing and is swept.

use grove_core::types::{Hash, OperationId, PlainValue, SchemaId};
use grove_core::wire::{Entry, Operation};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::database::Database;
use crate::store::objects::{OBJECT_SIZE_MIN, Objects};
use crate::store::{Store, StoreError};

/// How many objects are erased before the database is told.
const BATCH_MAX: usize = 1_000;

/// How many payloads are moved out of the database in one transaction: 16 MB of pieces.
const MOVED_MAX: i64 = 64;

/// The bytes of an operation, as far as they are known.
#[derive(Debug)]
pub enum Payload {
    Here(Vec<u8>),
    /// They were dropped.
    Dropped,
    /// They should be there, and are not.
    Lost,
}

impl Database {
    /// Reads `payload, object, outside` from `offset` on, and where they say so the object.
    pub fn payload(
        &self,
        row: &Row<'_>,
        offset: usize,
        entry: &[u8],
    ) -> Result<Payload, StoreError> {
        let Some(name) = row.get::<_, Option<String>>(offset + 1)? else {
            let payload = row.get::<_, Option<Vec<u8>>>(offset)?;
            return Ok(payload.map_or(Payload::Dropped, Payload::Here));
        };
        let size: i64 = row.get(offset + 2)?;
        let entry = Entry::decode(entry).map_err(|_| StoreError::Corrupt("entry"))?;
        let objects = self.objects().ok_or(StoreError::NoObjects)?;
        //= BL2: what is not what its author signed is as good as not there
        let found = objects.get(&name, size.cast_unsigned(), entry.payload_hash)?;
        Ok(found.map_or(Payload::Lost, Payload::Here))
    }

    /// The `data` of a piece as this operation set it; `None` when its bytes are gone.
    pub fn piece_data(&self, setter: OperationId) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.first(
            "SELECT entry, payload, object, outside FROM entries WHERE hash = ?1",
            [setter.hash().digest()],
            |row| {
                let entry: Vec<u8> = row.get(0)?;
                self.payload(row, 1, &entry)
            },
        )?;
        let Some(Payload::Here(payload)) = found else {
            return Ok(None);
        };
        const CORRUPT: StoreError = StoreError::Corrupt("operation");
        match Operation::decode(&payload).map_err(|_| CORRUPT)? {
            Operation::Create { mut fields, .. } | Operation::Update { mut fields, .. } => {
                match fields.remove("data") {
                    Some(PlainValue::Bytes(data)) => Ok(Some(data)),
                    _ => Err(CORRUPT),
                }
            }
            Operation::Delete { .. } => Err(CORRUPT),
        }
    }

    /// Whether an entry has this object, or had it.
    pub fn refers_to(&self, name: &str) -> Result<bool, StoreError> {
        let Some(hash) = Objects::operation_of(name) else {
            return Ok(true);
        };
        let found = self.first(
            "SELECT 1 FROM entries WHERE hash = ?1 AND object = ?2
             UNION ALL SELECT 1 FROM discarded WHERE object = ?2",
            params![hash.digest(), name],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The object for an operation that is large enough for one, put by now.
    pub fn object_for(
        &self,
        schema_id: &SchemaId,
        hash: Hash,
        payload: &[u8],
    ) -> Result<Option<String>, StoreError> {
        match self.objects() {
            Some(objects) if Objects::takes(schema_id, payload) => {
                objects.take(hash, payload).map(Some)
            }
            _ => Ok(None),
        }
    }
}

impl SqliteStore {
    /// Erases the objects of what was deleted. Returns whether all are gone.
    pub(super) fn erase_objects(&mut self) -> Result<bool, StoreError> {
        loop {
            let names: Vec<String> = self.database.all(
                "SELECT object FROM discarded ORDER BY object LIMIT ?1",
                [BATCH_MAX as i64],
                |row| Ok(row.get(0)?),
            )?;
            if names.is_empty() {
                return Ok(true);
            }
            let objects = self.database.objects().ok_or(StoreError::NoObjects)?;
            let gone = objects.erase_patiently(names)?;
            if gone.is_empty() {
                return Ok(false);
            }
            self.in_transaction(|store| {
                gone.iter().try_for_each(|name| {
                    store
                        .database
                        .execute("DELETE FROM discarded WHERE object = ?1", [name])?;
                    Ok(())
                })
            })?;
        }
    }

    /// Moves large bytes out of a database from before they had another place. What a crash keeps from
    /// being moved stays where it is, and is served from there.
    pub(super) fn move_outside(&mut self) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let rows: Vec<(i64, Hash, Vec<u8>)> = self.database.all(
                "SELECT e.id, e.hash, e.payload FROM entries e
                 JOIN logs l ON l.id = e.log JOIN schemas s ON s.id = l.schema
                 WHERE s.schema_id = ?1 AND e.id > ?2 AND length(e.payload) >= ?3
                 ORDER BY e.id LIMIT ?4",
                params![
                    SchemaId::BLOB_PIECE.to_string(),
                    after,
                    OBJECT_SIZE_MIN as i64,
                    MOVED_MAX
                ],
                |row| Ok((row.get(0)?, Hash::from_digest(row.get(1)?), row.get(2)?)),
            )?;
            let Some((last, ..)) = rows.last() else {
                return Ok(());
            };
            after = *last;
            self.in_transaction(|store| {
                rows.iter().try_for_each(|(id, hash, payload)| {
                    let object =
                        store
                            .database
                            .object_for(&SchemaId::BLOB_PIECE, *hash, payload)?;
                    store.database.execute(
                        "UPDATE entries SET payload = NULL, object = ?2, outside = ?3 WHERE id = ?1",
                        params![id, object, payload.len() as i64],
                    )?;
                    Ok(())
                })
            })?;
        }
    }

    fn in_transaction(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.begin()?;
        let done = change(self).and_then(|()| self.commit());
        if done.is_err() {
            self.rollback()?;
        }
        done
    }
}
