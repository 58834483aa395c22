//! Bytes of operations outside of this database, and the data of pieces that lies in them.

use grove_core::types::{Hash, OperationId, SchemaId};
use rusqlite::params;

use super::SqliteStore;
use super::database::Database;
use crate::store::objects::OBJECT_SIZE_MIN;
use crate::store::outside::{ERASED_MAX, Payload, object_for};
use crate::store::sql::rows::payload;
use crate::store::sql::{Param, Sql};
use crate::store::{Store, StoreError};

/// How many payloads are moved out of the database in one transaction: 16 MB of pieces.
const MOVED_MAX: i64 = 64;

impl Database {
    /// The `data` of a piece as this operation set it; `None` when its bytes are gone.
    pub fn piece_data(&self, setter: OperationId) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.ask_one(
            "SELECT entry, payload, object, outside FROM entries WHERE hash = ?1",
            &[Param::hash(&setter.hash())],
            |row| payload(self, row, 1, row.bytes(0)?),
        )?;
        found.map_or(Ok(None), Payload::into_piece_data)
    }
}

impl SqliteStore {
    /// Erases the objects of what was deleted. Returns whether all are gone.
    pub(super) fn erase_objects(&mut self) -> Result<bool, StoreError> {
        loop {
            let names: Vec<String> = self.database.all(
                "SELECT object FROM discarded ORDER BY object LIMIT ?1",
                [ERASED_MAX],
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
                    let objects = store.database.objects();
                    let object = object_for(objects, &SchemaId::BLOB_PIECE, *hash, payload)?;
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
