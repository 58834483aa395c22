//! The tables of current views: one per schema of many documents, with a typed column per field, and one that
//! small schemas share, whose columns take any type.
//!
//! Names of tables and columns come from numbers alone: `view_7` belongs to the schema of number 7,
//! and `f0`, `f1`, … are its fields in the order of their names.
//!
//! The data of a piece of a blob lies in the operation that set it. Of long data, the view holds only what
//! filters and the order need ([`codec::brief`]).

use std::fmt::Write;

use grove_core::types::{DocumentId, FieldType, Hash, Schema, Value};
use rusqlite::types::{ToSqlOutput, Value as Column, ValueRef};
use rusqlite::vtab::array::Array;
use rusqlite::{Row, params, params_from_iter};

use super::codec;
use super::database::{Database, unexpected_type};
use super::select::{LIVE_COUNT, Select};
pub(super) use super::view::View;
use super::view::{SHARED_TABLE, own_table};
use crate::store::codec::{from_setters, to_setters};
use crate::store::indexes::{AccessPath, Part, few};
use crate::store::query::{DocumentQuery, SORT_KEY_SIZE_MAX as BRIEF_FROM, Standing};
use crate::store::rows::fields_size;
use crate::store::sql::Sql;
use crate::store::{StoreError, ViewFields};

/// What is read of a document beside its fields.
const DOCUMENT_COLUMNS: &str = "d.id, d.schema, d.owner, d.view_id, d.edited";

pub(super) use crate::store::outside::Extent;

impl View {
    /// The documents of a query in their order, or from the last to the first when they are those from
    /// the end: `id, schema, owner, view_id, edited`, and for live ones the columns of
    /// [`read`](Self::read).
    pub fn list_sql(
        &self,
        database: &Database,
        query: &DocumentQuery,
        path: AccessPath,
    ) -> Result<(String, Vec<Column>), StoreError> {
        let columns = match query.standing {
            Standing::Live => format!("{DOCUMENT_COLUMNS}, {}", self.columns),
            Standing::Deleted => DOCUMENT_COLUMNS.to_owned(),
        };
        self.select(query, path).page(database, &columns)
    }

    /// How many documents a query finds.
    pub fn count_sql(
        &self,
        database: &Database,
        query: &DocumentQuery,
        path: AccessPath,
    ) -> Result<(String, Vec<Column>), StoreError> {
        self.select(query, path).count(database)
    }

    /// Whether so few documents meet the conditions on a part that they are ordered faster than all of the
    /// schema's are gone through for a page.
    pub fn are_few(
        &self,
        database: &Database,
        query: &DocumentQuery,
        part: Part,
    ) -> Result<bool, StoreError> {
        let live = database.number(LIVE_COUNT, [self.schema_row])?;
        let few = few(live, query.limit);
        let select = self.select(query, AccessPath::Condition(part));
        let (sql, values) = select.count_up_to(database, part, few + 1)?;
        Ok(database.number(&sql, params_from_iter(values))? <= few.into())
    }

    fn select<'q>(&'q self, query: &'q DocumentQuery, path: AccessPath) -> Select<'q> {
        Select::new(&self.schema, self.source(), self.schema_row, query, path)
    }

    /// The schema whose documents are here.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of the schema.
    pub fn schema_row(&self) -> i64 {
        self.schema_row
    }

    /// Creates the own table unless it exists.
    pub fn create(&self, database: &Database) -> Result<(), StoreError> {
        let mut sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (document BLOB PRIMARY KEY, operations BLOB NOT NULL",
            own_table(self.schema_row)
        );
        for (index, field_type) in self.schema.fields().values().enumerate() {
            write!(sql, ", f{index} {}", codec::column_type(field_type))
                .expect("writing to a string");
        }
        sql.push_str(") STRICT, WITHOUT ROWID");
        Ok(database.connection().execute_batch(&sql)?)
    }

    /// Makes an own table and moves there what the shared one holds.
    fn move_out(&self, database: &Database) -> Result<(), StoreError> {
        let (number, columns, own) = (self.schema_row, &self.columns, own_table(self.schema_row));
        self.make_own(database)?;
        database.connection().execute_batch(&format!(
            "INSERT INTO {own} (document, {columns})
                 SELECT document, {columns} FROM {SHARED_TABLE} WHERE schema = {number};
             DELETE FROM {SHARED_TABLE} WHERE schema = {number};"
        ))?;
        Ok(())
    }

    /// Makes an own table, from now on the place of all views.
    pub fn make_own(&self, database: &Database) -> Result<(), StoreError> {
        self.create(database)?;
        let sql = "UPDATE schemas SET own_table = 1 WHERE id = ?1";
        database.execute(sql, [self.schema_row])?;
        self.note(true, 0);
        Ok(())
    }

    /// Stores the view of a document in place of an earlier one.
    pub fn put(
        &self,
        database: &Database,
        document: DocumentId,
        fields: &ViewFields,
    ) -> Result<(), StoreError> {
        const MISFIT: StoreError = StoreError::Misfit("fields");
        if fields.len() != self.schema.fields().len() {
            return Err(MISFIT);
        }
        if self.outgrows_shared() {
            self.move_out(database)?;
        }
        let mut setters = Vec::with_capacity(fields.len());
        let mut values = Vec::with_capacity(fields.len());
        for (name, field_type) in self.schema.fields() {
            let (value, setter) = fields.get(name.as_str()).ok_or(MISFIT)?;
            values.push(match value {
                Value::Bytes(bytes) if self.brief => {
                    ToSqlOutput::Owned(Column::Blob(codec::brief(bytes)))
                }
                value => codec::from_value(field_type, value).ok_or(MISFIT)?,
            });
            setters.push(*setter);
        }
        let hash = document.hash();
        let setters = from_setters(&setters);
        let head = [hash.digest().as_slice(), setters.as_slice()].map(ToSqlOutput::from);

        let places = ", ?".repeat(values.len() + 1);
        let (columns, number) = (&self.columns, self.schema_row);
        let sql = if self.has_own_table() {
            let own = own_table(number);
            format!("INSERT OR REPLACE INTO {own} (document, {columns}) VALUES (?{places})")
        } else {
            format!(
                "INSERT OR REPLACE INTO {SHARED_TABLE} (schema, document, {columns}) \
                 VALUES ({number}, ?{places})"
            )
        };
        database.execute(&sql, params_from_iter(head.into_iter().chain(values)))?;
        Ok(())
    }

    /// The view of a document, if it has one.
    pub fn get(
        &self,
        database: &Database,
        document: DocumentId,
        extent: Extent,
    ) -> Result<Option<ViewFields>, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} WHERE document = ?1",
            self.columns,
            self.source()
        );
        database.first(&sql, params![document.hash().digest()], |row| {
            self.read(database, row, 0, extent)
        })
    }

    /// Those of these documents that are live and of this schema, with the columns of
    /// [`list_sql`](Self::list_sql).
    pub fn these_sql(&self) -> String {
        format!(
            "SELECT {DOCUMENT_COLUMNS}, {} FROM {} v JOIN documents d ON d.id = v.document \
             WHERE v.document IN rarray(?1)",
            self.columns,
            self.source()
        )
    }

    /// The views of these documents, as far as they have any.
    pub fn get_all(
        &self,
        database: &Database,
        documents: Array,
    ) -> Result<Vec<(DocumentId, ViewFields)>, StoreError> {
        let sql = format!(
            "SELECT document, {} FROM {} WHERE document IN rarray(?1)",
            self.columns,
            self.source()
        );
        database.all(&sql, [documents], |row| {
            let id = Hash::from_digest(row.get(0)?).into();
            Ok((id, self.read(database, row, 1, Extent::Whole)?))
        })
    }

    /// Removes the view of a document of the schema of this number.
    pub fn remove(
        database: &Database,
        schema_row: i64,
        document: DocumentId,
    ) -> Result<(), StoreError> {
        let sql = if database.has_own_table(schema_row)? {
            format!("DELETE FROM {} WHERE document = ?1", own_table(schema_row))
        } else {
            format!("DELETE FROM {SHARED_TABLE} WHERE schema = {schema_row} AND document = ?1")
        };
        database.execute(&sql, params![document.hash().digest()])?;
        Ok(())
    }

    /// Puts long bytes in brief where an earlier version kept them as they are.
    pub fn shorten(&self, database: &Database) -> Result<(), StoreError> {
        for (index, field_type) in self.schema.fields().values().enumerate() {
            if self.brief && *field_type == FieldType::Bytes {
                let sql = format!(
                    "UPDATE {} SET f{index} = brief(f{index}) WHERE length(f{index}) > {BRIEF_FROM}",
                    own_table(self.schema_row)
                );
                database.execute(&sql, [])?;
            }
        }
        Ok(())
    }

    /// Reads the columns of a view, the first of which is at `offset`. A value that was lost is left
    /// out.
    pub fn read(
        &self,
        database: &Database,
        row: &Row<'_>,
        offset: usize,
        extent: Extent,
    ) -> Result<ViewFields, StoreError> {
        let setters = row.get_ref(offset)?.as_blob().map_err(unexpected_type)?;
        let setters = to_setters(setters, self.schema.fields().len())?;

        let mut fields = ViewFields::new();
        for (index, (name, field_type)) in self.schema.fields().iter().enumerate() {
            let column = row.get_ref(offset + 1 + index)?;
            let value = match column {
                ValueRef::Blob(bytes) if self.brief && codec::is_brief(bytes) => match extent {
                    Extent::Outline => None,
                    Extent::Whole => database.piece_data(setters[index])?.map(Value::Bytes),
                },
                column => Some(codec::to_value(field_type, column)?),
            };
            fields.extend(value.map(|value| (name.as_str().to_owned(), (value, setters[index]))));
        }
        database.meter().spend_bytes(fields_size(&fields))?;
        Ok(fields)
    }
}
