//! The tables of current views: a typed column per field.
//!
//! Names of tables and columns come from numbers alone: `view_7` belongs to the schema of number 7, and
//! `f0`, `f1`, … are its fields in the order of their names. Of long data of a piece of a blob, the view
//! holds only what filters and the order need ([`brief`]); the rest lies in the operation that set it. A row must fit into one page of the database,
//! so a schema of many fields has more tables: `view_7_1`, `view_7_2`, …

use std::fmt::Write;

use grove_core::types::{DocumentId, Hash, Schema, SchemaId, Value};
use postgres::Row;
use postgres::types::ToSql;

use super::codec::{self, Column};
use super::database::{Database, digest, get};
use super::select::Select;
use crate::store::codec::{brief, from_setters, is_brief, to_setters};
use crate::store::outside::Extent;
use crate::store::query::{DocumentQuery, Standing};
use crate::store::{StoreError, ViewFields};

/// How many fields one table holds. A page has room for some 8,100 bytes, and a value that is moved out of
/// it leaves up to 24 behind.
const FIELDS_PER_TABLE: usize = 256;

/// The view tables of one schema.
#[derive(Debug)]
pub struct View {
    schema_row: i64,
    tables: Vec<String>,
    schema: Schema,
    /// `v.operations, v.f0, v.f1, …`
    columns: String,
}

impl View {
    pub fn new(schema_row: i64, schema: Schema) -> Self {
        let count = schema.fields().len().div_ceil(FIELDS_PER_TABLE).max(1);
        let tables = (0..count).map(|part| match part {
            0 => format!("view_{schema_row}"),
            _ => format!("view_{schema_row}_{part}"),
        });
        let mut columns = String::from("v.operations");
        for index in 0..schema.fields().len() {
            write!(columns, ", {}", column(index)).expect("writing to a string");
        }
        Self {
            schema_row,
            tables: tables.collect(),
            schema,
            columns,
        }
    }

    /// The documents of a query in their order: `id, schema, owner, view_id, edited`, and for live ones
    /// the columns of [`read`](Self::read).
    pub fn list_sql(
        &self,
        database: &Database,
        query: &DocumentQuery,
    ) -> Result<(String, Vec<Column>), StoreError> {
        let (page, values) = self.select(query).page(database)?;
        let direction = direction(query.order.descending);
        let (columns, join) = match query.standing {
            Standing::Live => (
                format!(", {}", self.columns),
                format!("JOIN {} ON v.document = p.id", self.all_tables()),
            ),
            Standing::Deleted => (String::new(), String::new()),
        };
        let sql = format!(
            "SELECT d.id, d.schema, d.owner, d.view_id, d.edited{columns} FROM ({page}) p \
             JOIN documents d ON d.id = p.id {join} ORDER BY p.key {direction}, p.id {direction}"
        );
        Ok((sql, values))
    }

    /// How many documents a query finds.
    pub fn count_sql(
        &self,
        database: &Database,
        query: &DocumentQuery,
    ) -> Result<(String, Vec<Column>), StoreError> {
        self.select(query).count(database)
    }

    fn select<'q>(&'q self, query: &'q DocumentQuery) -> Select<'q> {
        Select::new(&self.schema, &self.tables, self.schema_row, query)
    }

    /// The number of the schema.
    pub fn schema_row(&self) -> i64 {
        self.schema_row
    }

    /// `view_7 v JOIN view_7_1 v1 ON v1.document = v.document …`, in brackets
    fn all_tables(&self) -> String {
        joined(&self.tables, 1..self.tables.len())
    }

    /// Creates the tables unless they exist.
    pub fn create(&self, database: &Database) -> Result<(), StoreError> {
        let mut types = self.schema.fields().values().enumerate().peekable();
        for (part, table) in self.tables.iter().enumerate() {
            let operations = if part == 0 {
                ", operations BYTEA NOT NULL"
            } else {
                ""
            };
            let mut sql = format!(
                "CREATE TABLE IF NOT EXISTS {table} (document BYTEA PRIMARY KEY{operations}"
            );
            let end = (part + 1) * FIELDS_PER_TABLE;
            while let Some((index, field_type)) = types.next_if(|(index, _)| *index < end) {
                write!(sql, ", f{index} {}", codec::column_type(field_type))
                    .expect("writing to a string");
            }
            sql.push(')');
            database.batch(&sql)?;
        }
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
        let mut setters = Vec::with_capacity(fields.len());
        let mut values = Vec::with_capacity(fields.len());
        for (name, field_type) in self.schema.fields() {
            let (value, setter) = fields.get(name.as_str()).ok_or(MISFIT)?;
            values.push(match value {
                Value::Bytes(bytes) if self.is_brief() => Column::Bytes(brief(bytes)),
                value => codec::from_value(field_type, value).ok_or(MISFIT)?,
            });
            setters.push(*setter);
        }
        let hash = document.hash();
        let id = hash.digest().as_slice();
        let setters = from_setters(&setters);
        for (part, table) in self.tables.iter().enumerate() {
            let first = part * FIELDS_PER_TABLE;
            let values = values.iter().skip(first).take(FIELDS_PER_TABLE);
            let mut names: Vec<String> = (first..).take(values.len()).map(name).collect();
            let mut params: Vec<&(dyn ToSql + Sync)> = vec![&id];
            if part == 0 {
                names.insert(0, "operations".to_owned());
                params.push(&setters);
            }
            params.extend(values.map(|value| value as &(dyn ToSql + Sync)));
            let places: Vec<_> = (1..=params.len())
                .map(|place| format!("${place}"))
                .collect();
            let updates: Vec<_> = names
                .iter()
                .map(|name| format!("{name} = excluded.{name}"))
                .collect();
            let sql = format!(
                "INSERT INTO {table} (document, {}) VALUES ({}) \
                 ON CONFLICT (document) DO UPDATE SET {}",
                names.join(", "),
                places.join(", "),
                updates.join(", "),
            );
            database.execute(&sql, &params)?;
        }
        Ok(())
    }

    /// The views of these documents, as far as they have any.
    pub fn get_all(
        &self,
        database: &Database,
        documents: &[Vec<u8>],
        extent: Extent,
    ) -> Result<Vec<(DocumentId, ViewFields)>, StoreError> {
        let sql = format!(
            "SELECT v.document, {} FROM {} WHERE v.document = ANY($1)",
            self.columns,
            self.all_tables(),
        );
        database.all(&sql, &[&documents], |row| {
            let id = Hash::from_digest(digest(row, 0)?).into();
            Ok((id, self.read(database, row, 1, extent)?))
        })
    }

    /// Removes the view of a document.
    pub fn remove(&self, database: &Database, document: DocumentId) -> Result<(), StoreError> {
        for table in &self.tables {
            let sql = format!("DELETE FROM {table} WHERE document = $1");
            let gone = database.execute(&sql, &[&document.hash().digest().as_slice()])?;
            if gone > 0 {
                database.unclean.borrow_mut().insert(table.clone());
            }
        }
        Ok(())
    }

    /// Whether long bytes are kept in brief.
    fn is_brief(&self) -> bool {
        *self.schema.id() == SchemaId::BLOB_PIECE
    }

    /// Reads the columns of a view, the first of which is at `offset`. A value that was lost is left
    /// out.
    pub fn read(
        &self,
        database: &Database,
        row: &Row,
        offset: usize,
        extent: Extent,
    ) -> Result<ViewFields, StoreError> {
        let setters = to_setters(get(row, offset)?, self.schema.fields().len())?;
        let mut fields = ViewFields::new();
        for (index, (name, field_type)) in self.schema.fields().iter().enumerate() {
            let value = match codec::to_value(field_type, row, offset + 1 + index)? {
                Value::Bytes(bytes) if self.is_brief() && is_brief(&bytes) => match extent {
                    Extent::Outline => None,
                    Extent::Whole => database.piece_data(setters[index])?.map(Value::Bytes),
                },
                value => Some(value),
            };
            fields.extend(value.map(|value| (name.as_str().to_owned(), (value, setters[index]))));
        }
        Ok(fields)
    }
}

/// `f7`
fn name(index: usize) -> String {
    format!("f{index}")
}

/// Which of a schema's tables a field is in.
pub const fn part(index: usize) -> usize {
    index / FIELDS_PER_TABLE
}

/// Where a field is found: `v.f7`, `v1.f300`.
pub fn column(index: usize) -> String {
    match part(index) {
        0 => format!("v.f{index}"),
        part => format!("v{part}.f{index}"),
    }
}

/// The first table of a schema and some of the others.
pub fn joined(tables: &[String], others: impl IntoIterator<Item = usize>) -> String {
    let first = format!("{} v", tables[0]);
    others.into_iter().fold(first, |before, part| {
        let table = &tables[part];
        format!("({before} JOIN {table} v{part} ON v{part}.document = v.document)")
    })
}

/// The word for a direction.
pub const fn direction(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}
