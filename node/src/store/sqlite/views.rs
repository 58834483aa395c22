//! The tables of current views: one per schema, one typed column per field.
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
use super::view::table;
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
        Select::new(&self.schema, &self.table, self.schema_row, query, path)
    }

    /// The schema whose documents are here.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of the schema.
    pub fn schema_row(&self) -> i64 {
        self.schema_row
    }

    #[cfg(test)]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Creates the table unless it exists.
    pub fn create(&self, database: &Database) -> Result<(), StoreError> {
        let mut sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (document BLOB PRIMARY KEY, operations BLOB NOT NULL",
            self.table
        );
        for (index, field_type) in self.schema.fields().values().enumerate() {
            write!(sql, ", f{index} {}", codec::column_type(field_type))
                .expect("writing to a string");
        }
        sql.push_str(") STRICT, WITHOUT ROWID");
        Ok(database.connection().execute_batch(&sql)?)
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

        let sql = format!(
            "INSERT OR REPLACE INTO {} (document, {}) VALUES (?{})",
            self.table,
            self.columns,
            ", ?".repeat(values.len() + 1),
        );
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
            self.columns, self.table
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
            self.columns, self.table
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
            self.columns, self.table
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
        let sql = format!("DELETE FROM {} WHERE document = ?1", table(schema_row));
        database.execute(&sql, params![document.hash().digest()])?;
        Ok(())
    }

    /// Puts long bytes in brief where an earlier version kept them as they are.
    pub fn shorten(&self, database: &Database) -> Result<(), StoreError> {
        for (index, field_type) in self.schema.fields().values().enumerate() {
            if self.brief && *field_type == FieldType::Bytes {
                let sql = format!(
                    "UPDATE {} SET f{index} = brief(f{index}) WHERE length(f{index}) > {BRIEF_FROM}",
                    self.table
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
