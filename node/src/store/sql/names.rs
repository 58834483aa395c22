//! Keys and schema ids, which are stored once and named by small numbers elsewhere.
//!
//! Turning one into the other happens for every row, so a connection remembers both directions. What a rolled
//! back transaction taught must be forgotten: its numbers will be given out again.

use grove_core::types::{PublicKey, SchemaId};

use super::{Param, Sql};
use crate::store::StoreError;
use crate::store::interned::Interned;

/// What a connection remembers.
#[derive(Debug, Default)]
pub struct Names {
    authors: Interned<PublicKey>,
    schemas: Interned<SchemaId>,
}

impl Names {
    /// Forgets everything.
    pub fn forget(&self) {
        self.authors.forget();
        self.schemas.forget();
    }

    /// The number of an author, if it is remembered.
    pub fn remembered(&self, key: PublicKey) -> Option<i64> {
        self.authors.remembered(&key)
    }

    /// Remembers the number of an author.
    pub fn remember(&self, row: i64, key: PublicKey) {
        self.authors.insert(row, key);
    }

    /// The number of an author, if the database has any.
    pub fn author(
        &self,
        database: &(impl Sql + ?Sized),
        key: PublicKey,
    ) -> Result<Option<i64>, StoreError> {
        self.authors.row(&key, || {
            let params = [Param::Bytes(key.as_bytes())];
            let sql = "SELECT id FROM authors WHERE public_key = ?1";
            database.ask_one(sql, &params, |row| row.int(0))
        })
    }

    /// The number of an author, given out now if need be.
    pub fn author_or_insert(
        &self,
        database: &(impl Sql + ?Sized),
        key: PublicKey,
    ) -> Result<i64, StoreError> {
        if let Some(row) = self.author(database, key)? {
            return Ok(row);
        }
        let row = database
            .change_returning(
                "INSERT INTO authors (public_key) VALUES (?1) RETURNING id",
                &[Param::Bytes(key.as_bytes())],
            )?
            .ok_or(StoreError::Misfit("author"))?;
        self.authors.insert(row, key);
        Ok(row)
    }

    /// The key of an author.
    pub fn public_key(
        &self,
        database: &(impl Sql + ?Sized),
        row: i64,
    ) -> Result<PublicKey, StoreError> {
        self.authors.value(row, || {
            let sql = "SELECT public_key FROM authors WHERE id = ?1";
            let key = database.ask_one(sql, &[Param::Int(row)], |row| {
                Ok(PublicKey::from_bytes(row.bytes(0)?).ok())
            })?;
            key.flatten().ok_or(StoreError::Corrupt("author"))
        })
    }

    /// The number of a schema, if the database has ever heard of it.
    pub fn schema_row(
        &self,
        database: &(impl Sql + ?Sized),
        id: &SchemaId,
    ) -> Result<Option<i64>, StoreError> {
        self.schemas.row(id, || {
            let params = [Param::Text(&id.to_string())];
            let sql = "SELECT id FROM schemas WHERE schema_id = ?1";
            database.ask_one(sql, &params, |row| row.int(0))
        })
    }

    /// The number of a schema, given out now if need be.
    pub fn schema_row_or_insert(
        &self,
        database: &(impl Sql + ?Sized),
        id: &SchemaId,
    ) -> Result<i64, StoreError> {
        if let Some(row) = self.schema_row(database, id)? {
            return Ok(row);
        }
        let row = database
            .change_returning(
                "INSERT INTO schemas (schema_id) VALUES (?1) RETURNING id",
                &[Param::Text(&id.to_string())],
            )?
            .ok_or(StoreError::Misfit("schema"))?;
        self.schemas.insert(row, id.clone());
        Ok(row)
    }

    /// The id of a schema.
    pub fn schema_id(
        &self,
        database: &(impl Sql + ?Sized),
        row: i64,
    ) -> Result<SchemaId, StoreError> {
        self.schemas.value(row, || {
            let sql = "SELECT schema_id FROM schemas WHERE id = ?1";
            let id =
                database.ask_one(sql, &[Param::Int(row)], |row| Ok(row.text(0)?.parse().ok()))?;
            id.flatten().ok_or(StoreError::Corrupt("schema id"))
        })
    }
}
