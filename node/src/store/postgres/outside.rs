//! Bytes of operations outside of this database, and which place they are in.
//!
//! Several processes may share a database, each with its own idea of where large bytes are. So the first one
//! leaves a mark there and tells the database of it; who does not find the mark is refused.

use super::PostgresStore;
use super::codec::get;
use crate::store::StoreError;
use crate::store::outside::ERASED_MAX;
use crate::store::sql::Sql;

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
