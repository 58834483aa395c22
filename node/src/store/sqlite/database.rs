//! A connection and what it remembers. What a rolled back transaction taught must be forgotten.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use grove_core::types::SchemaId;
use rusqlite::types::{ToSqlOutput, Value as Column, ValueRef};
use rusqlite::{CachedStatement, Connection, Params, Row, ToSql, params_from_iter};

use super::view::View;
use crate::budget::STEPS_PER_UNIT;
use crate::store::StoreError;
use crate::store::indexes::IndexAdvisor;
use crate::store::interned::REMEMBERED_MAX;
use crate::store::meter::Meter;
use crate::store::objects::Objects;
use crate::store::sql::{Columns, Names, Param, Sql, TakeRow};

#[cfg(test)]
thread_local! {
    /// How many statements this thread has used.
    pub static STATEMENTS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    /// How often SQLite has prepared one of them anew, which takes as long as several uses.
    pub static PREPARED_ANEW: std::cell::Cell<i32> = const { std::cell::Cell::new(0) };
}

/// A connection to a database of the current version.
pub struct Database {
    connection: Connection,
    names: Names,
    views: RefCell<BTreeMap<i64, Arc<View>>>,
    objects: Option<Arc<Objects>>,
    meter: Meter,
    /// Which indexes there are and which are asked for, as all connections know it.
    pub advisor: IndexAdvisor,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.connection).finish()
    }
}

/// How many steps of its machine SQLite takes before they are counted.
const STEPS_COUNTED: u64 = 500;

impl Database {
    pub fn new(mut connection: Connection, advisor: IndexAdvisor) -> Result<Self, StoreError> {
        let meter = Meter::default();
        let counting = meter.clone();
        let is_over = move || counting.spend(STEPS_COUNTED / STEPS_PER_UNIT).is_err();
        connection.progress_handler(STEPS_COUNTED as i32, Some(is_over))?;
        Ok(Self {
            connection,
            meter,
            names: Names::default(),
            views: RefCell::default(),
            objects: None,
            advisor,
        })
    }

    /// The same database with large bytes kept there.
    pub fn with_objects(mut self, objects: Option<Arc<Objects>>) -> Self {
        self.objects = objects;
        self
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Forgets everything learned.
    pub fn forget(&self) {
        self.names.forget();
        self.views.take();
    }

    /// The statement, prepared at its first use only.
    pub fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        let statement = self.connection.prepare_cached(sql)?;
        #[cfg(test)]
        {
            use rusqlite::StatementStatus::RePrepare;
            STATEMENTS.with(|count| count.set(count.get() + 1));
            PREPARED_ANEW.with(|count| count.set(count.get() + statement.reset_status(RePrepare)));
        }
        Ok(statement)
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
            self.meter.spend(1)?;
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

    /// The one number the statement answers.
    pub fn number(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        let number: i64 = self.statement(sql)?.query_row(params, |row| row.get(0))?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt("count"))
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

    /// The view table of a schema, once the schema is known.
    pub fn view_of(&self, id: &SchemaId) -> Result<Option<Arc<View>>, StoreError> {
        match self.schema_row(id)? {
            Some(row) => self.view(row),
            None => Ok(None),
        }
    }

    /// Forgets the view table of the schema of this number, of which another thing is about to be known.
    pub fn forget_view(&self, row: i64) {
        self.views.borrow_mut().remove(&row);
    }

    /// The view table of the schema of this number, once the schema is known. Where it is may be another in the
    /// next transaction.
    pub fn view(&self, row: i64) -> Result<Option<Arc<View>>, StoreError> {
        let Some(view) = self.remembered_view(row)? else {
            return Ok(None);
        };
        if !view.has_own_table() {
            let (own, live) = self.own_table(row)?;
            view.note(own, live);
        }
        Ok(Some(view))
    }

    /// Whether the views of the schema of this number have a table of their own, whatever is known of the schema.
    pub fn has_own_table(&self, row: i64) -> Result<bool, StoreError> {
        let remembered = self.views.borrow().get(&row).cloned();
        if remembered.is_some_and(|view| view.has_own_table()) {
            return Ok(true);
        }
        Ok(self.own_table(row)?.0)
    }

    /// Gives a schema the table that older versions gave to each.
    #[cfg(test)]
    pub fn make_own_table(&self, id: &SchemaId) {
        let row = self.schema_row(id).unwrap().unwrap();
        let view = self.remembered_view(row).unwrap().unwrap();
        view.create(self).unwrap();
        view.note(true, 0);
    }

    /// Whether the schema of this number has a table of its own, and how many live documents it has.
    fn own_table(&self, row: i64) -> Result<(bool, u64), StoreError> {
        let sql = "SELECT own_table, live FROM schemas WHERE id = ?1";
        let found = self.first(sql, [row], |row| {
            let live: i64 = row.get(1)?;
            Ok((row.get(0)?, live.unsigned_abs()))
        })?;
        found.ok_or(StoreError::Corrupt("schema"))
    }

    fn remembered_view(&self, row: i64) -> Result<Option<Arc<View>>, StoreError> {
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

impl Sql for Database {
    fn ask(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        take: TakeRow<'_>,
    ) -> Result<(), StoreError> {
        // A statement costs something before it finds anything.
        self.meter.spend(1)?;
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        while let Some(row) = rows.next()? {
            self.meter.spend(1)?;
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    fn change(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        Ok(self.execute(sql, params_from_iter(params))? as u64)
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn names(&self) -> &Names {
        &self.names
    }

    fn objects(&self) -> Option<&Arc<Objects>> {
        self.objects.as_ref()
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        fn bytes(bytes: &[u8]) -> ToSqlOutput<'_> {
            ToSqlOutput::Borrowed(ValueRef::Blob(bytes))
        }
        fn text(text: &str) -> ToSqlOutput<'_> {
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
        const NULL: ToSqlOutput<'static> = ToSqlOutput::Borrowed(ValueRef::Null);
        Ok(match *self {
            Self::Int(int) => int.into(),
            Self::MaybeInt(int) => int.map_or(NULL, Into::into),
            Self::Flag(flag) => flag.into(),
            Self::Bytes(value) => bytes(value),
            Self::MaybeBytes(value) => value.map_or(NULL, bytes),
            Self::Text(value) => text(value),
            Self::MaybeText(value) => value.map_or(NULL, text),
            Self::Hashes(hashes) => {
                let columns = hashes.iter().map(|hash| hash.digest().to_vec());
                list(columns.map(Column::Blob).collect())
            }
            Self::Texts(texts) => {
                let columns = texts.iter().cloned().map(Column::Text);
                list(columns.collect())
            }
        })
    }
}

/// A list as one value, for `IN rarray(?1)`.
fn list(columns: Vec<Column>) -> ToSqlOutput<'static> {
    // The name by which the function that reads it knows that it is one.
    ToSqlOutput::from_rc(Rc::new(columns), c"rarray")
}

impl Columns for Row<'_> {
    fn int(&self, index: usize) -> Result<i64, StoreError> {
        Ok(self.get(index)?)
    }

    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.get(index)?)
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.get(index)?)
    }

    fn bytes(&self, index: usize) -> Result<&[u8], StoreError> {
        self.get_ref(index)?.as_blob().map_err(unexpected_type)
    }

    fn maybe_bytes(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        let column = self.get_ref(index)?;
        column.as_blob_or_null().map_err(unexpected_type)
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        self.get_ref(index)?.as_str().map_err(unexpected_type)
    }

    fn maybe_text(&self, index: usize) -> Result<Option<&str>, StoreError> {
        let column = self.get_ref(index)?;
        column.as_str_or_null().map_err(unexpected_type)
    }
}

/// A column of another type than was written.
pub(super) fn unexpected_type(_: rusqlite::types::FromSqlError) -> StoreError {
    StoreError::Corrupt("column")
}
