//! A connection and what it remembers.
//!
//! Keys and schema ids are stored once and named by small numbers elsewhere. Turning one into the
//! other happens for every row, so both directions are remembered here. What a rolled back
//! transaction taught must be forgotten: its numbers will be given out again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use grove_core::types::{PublicKey, Schema, SchemaId};
use rusqlite::{CachedStatement, Connection, Params, Row, params};

use super::views::View;
use crate::store::StoreError;
use crate::store::codec;
use crate::store::indexes::Wishes;
use crate::store::interned::{Interned, REMEMBERED_MAX};
use crate::store::objects::Objects;

#[cfg(test)]
thread_local! {
    /// How many statements this thread has used.
    pub static STATEMENTS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// A connection to a database of the current version.
pub struct Database {
    connection: Connection,
    authors: Interned<PublicKey>,
    schemas: Interned<SchemaId>,
    views: RefCell<BTreeMap<i64, Arc<View>>>,
    objects: Option<Arc<Objects>>,
    /// Which indexes there are and which are asked for, as all connections know it.
    pub wishes: Wishes,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.connection).finish()
    }
}

impl Database {
    pub fn new(connection: Connection, wishes: Wishes) -> Self {
        Self {
            connection,
            authors: Interned::default(),
            schemas: Interned::default(),
            views: RefCell::default(),
            objects: None,
            wishes,
        }
    }

    /// The same database with large bytes kept there.
    pub fn with_objects(mut self, objects: Option<Arc<Objects>>) -> Self {
        self.objects = objects;
        self
    }

    pub fn objects(&self) -> Option<&Arc<Objects>> {
        self.objects.as_ref()
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Forgets everything learned.
    pub fn forget(&self) {
        self.authors.forget();
        self.schemas.forget();
        self.views.take();
    }

    /// The statement, prepared at its first use only.
    pub fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        #[cfg(test)]
        STATEMENTS.with(|count| count.set(count.get() + 1));
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Executes the statement; returns how many rows it changed.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        Ok(self.statement(sql)?.execute(params)?)
    }

    /// Reads all rows of the answer.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params)?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(read(row)?);
        }
        Ok(out)
    }

    /// Reads the first row of the answer, if there is one.
    pub fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    /// Runs several questions against one state of the database.
    pub fn snapshot<T>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // Inside a transaction all questions see one state anyhow.
        let _transaction = if self.connection.is_autocommit() {
            Some(self.connection.unchecked_transaction()?)
        } else {
            None
        };
        read()
    }

    /// The number of an author, if the database has any.
    pub fn author(&self, key: PublicKey) -> Result<Option<i64>, StoreError> {
        self.authors.row(&key, || {
            self.first(
                "SELECT id FROM authors WHERE public_key = ?1",
                [key.as_bytes()],
                |row| Ok(row.get(0)?),
            )
        })
    }

    /// The number of an author, given out now if need be.
    pub fn author_or_insert(&self, key: PublicKey) -> Result<i64, StoreError> {
        if let Some(row) = self.author(key)? {
            return Ok(row);
        }
        self.execute(
            "INSERT INTO authors (public_key) VALUES (?1)",
            [key.as_bytes()],
        )?;
        let row = self.connection.last_insert_rowid();
        self.authors.insert(row, key);
        Ok(row)
    }

    /// The key of an author.
    pub fn public_key(&self, row: i64) -> Result<PublicKey, StoreError> {
        self.authors.value(row, || {
            let bytes: [u8; PublicKey::SIZE] = self
                .first(
                    "SELECT public_key FROM authors WHERE id = ?1",
                    [row],
                    |row| Ok(row.get(0)?),
                )?
                .ok_or(StoreError::Corrupt("author"))?;
            PublicKey::from_bytes(&bytes).map_err(|_| StoreError::Corrupt("public key"))
        })
    }

    /// The number of a schema, if the database has ever heard of it.
    pub fn schema_row(&self, id: &SchemaId) -> Result<Option<i64>, StoreError> {
        self.schemas.row(id, || {
            self.first(
                "SELECT id FROM schemas WHERE schema_id = ?1",
                [id.to_string()],
                |row| Ok(row.get(0)?),
            )
        })
    }

    /// The number of a schema, given out now if need be.
    pub fn schema_row_or_insert(&self, id: &SchemaId) -> Result<i64, StoreError> {
        if let Some(row) = self.schema_row(id)? {
            return Ok(row);
        }
        self.execute(
            "INSERT INTO schemas (schema_id) VALUES (?1)",
            [id.to_string()],
        )?;
        let row = self.connection.last_insert_rowid();
        self.schemas.insert(row, id.clone());
        Ok(row)
    }

    /// The id of a schema.
    pub fn schema_id(&self, row: i64) -> Result<SchemaId, StoreError> {
        self.schemas.value(row, || {
            let text: String = self
                .first(
                    "SELECT schema_id FROM schemas WHERE id = ?1",
                    [row],
                    |row| Ok(row.get(0)?),
                )?
                .ok_or(StoreError::Corrupt("schema"))?;
            text.parse().map_err(|_| StoreError::Corrupt("schema id"))
        })
    }

    /// The schema of this number, once it is known.
    pub fn schema(&self, row: i64) -> Result<Option<Schema>, StoreError> {
        let id = self.schema_id(row)?;
        if let SchemaId::System(system) = id {
            return Ok(Some(Schema::system(system)));
        }
        self.first(
            "SELECT definition FROM schemas WHERE id = ?1 AND definition IS NOT NULL",
            params![row],
            |row| codec::to_definition(id, row.get_ref(0)?.as_blob().map_err(unexpected_type)?),
        )
    }

    /// The view table of a schema, once the schema is known.
    pub fn view_of(&self, id: &SchemaId) -> Result<Option<Arc<View>>, StoreError> {
        match self.schema_row(id)? {
            Some(row) => self.view(row),
            None => Ok(None),
        }
    }

    /// The view table of the schema of this number, once the schema is known.
    pub fn view(&self, row: i64) -> Result<Option<Arc<View>>, StoreError> {
        if let Some(view) = self.views.borrow().get(&row) {
            return Ok(Some(Arc::clone(view)));
        }
        let Some(schema) = self.schema(row)? else {
            return Ok(None);
        };
        let view = Arc::new(View::new(row, schema));
        let mut views = self.views.borrow_mut();
        if views.len() >= REMEMBERED_MAX {
            views.clear();
        }
        views.insert(row, Arc::clone(&view));
        Ok(Some(view))
    }
}

/// A column of another type than was written.
pub fn unexpected_type(_: rusqlite::types::FromSqlError) -> StoreError {
    StoreError::Corrupt("column")
}
