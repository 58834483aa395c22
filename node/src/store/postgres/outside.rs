//! Bytes of operations outside of this database, and which place they are in.
//!
//! Several processes may share a database, each with its own idea of where large bytes are. So the first one
//! leaves a mark there and tells the database of it; who does not find the mark is refused.

use postgres::Row;

use super::PostgresStore;
use super::database::{Database, get};
use crate::store::StoreError;
use crate::store::objects::Objects;
use crate::store::outside::{ERASED_MAX, Payload};

impl Database {
    /// Reads `payload, object, outside` from `offset` on, and where they say so the object.
    pub fn payload(&self, row: &Row, offset: usize, entry: &[u8]) -> Result<Payload, StoreError> {
        let object = match get::<Option<&str>>(row, offset + 1)? {
            Some(name) => Some((name, get(row, offset + 2)?)),
            None => None,
        };
        Payload::read(self.objects(), get(row, offset)?, object, entry)
    }

    /// Whether an entry has this object, or had it.
    pub fn refers_to(&self, name: &str) -> Result<bool, StoreError> {
        let Some(hash) = Objects::operation_of(name) else {
            return Ok(true);
        };
        let found = self.number(
            "SELECT (EXISTS (SELECT FROM entries WHERE hash = $1 AND object = $2)
                  OR EXISTS (SELECT FROM discarded WHERE object = $2))::int::bigint",
            &[&hash.digest().as_slice(), &name],
        )?;
        Ok(found != 0)
    }
}

impl PostgresStore {
    /// Makes sure that large bytes are where those of all other processes are.
    pub(super) fn settle_objects(&self) -> Result<(), StoreError> {
        let known = self.mark()?;
        let Some(objects) = self.database.objects() else {
            // Without a place nobody could read what was put there.
            return known.map_or(Ok(()), |_| Err(StoreError::NoObjects));
        };
        let mark = match known {
            Some(mark) => Some(mark),
            None => {
                // Another process may have been faster; then its mark is the one that counts.
                self.database.execute(
                    "UPDATE state SET shelf = $1 WHERE shelf IS NULL",
                    &[&objects.mark()?],
                )?;
                self.mark()?
            }
        };
        match objects.is_marked(&mark.ok_or(StoreError::Corrupt("state"))?)? {
            true => Ok(()),
            false => Err(StoreError::OtherObjects),
        }
    }

    fn mark(&self) -> Result<Option<String>, StoreError> {
        let mark = self
            .database
            .first("SELECT shelf FROM state", &[], |row| get(row, 0))?;
        Ok(mark.flatten())
    }

    /// Erases the objects of what was deleted, by whichever process. Returns whether all are gone.
    pub(super) fn erase_objects(&mut self) -> Result<bool, StoreError> {
        loop {
            let names: Vec<String> = self.database.all(
                "SELECT object FROM discarded ORDER BY object LIMIT $1",
                &[&ERASED_MAX],
                |row| get(row, 0),
            )?;
            if names.is_empty() {
                return Ok(true);
            }
            let objects = self.database.objects().ok_or(StoreError::NoObjects)?;
            let gone = objects.erase_patiently(names)?;
            if gone.is_empty() {
                return Ok(false);
            }
            self.database
                .execute("DELETE FROM discarded WHERE object = ANY($1)", &[&gone])?;
        }
    }
}
