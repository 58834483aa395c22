//! The tables of current views: a typed column per field.
//!
//! Names of tables and columns come from numbers alone: `view_7` belongs to the schema of number 7, and
//! `f0`, `f1`, … are its fields in the order of their names. A row must fit into one page of the database,
//! so a schema of many fields has more tables: `view_7_1`, `view_7_2`, …
//!
//! The data of a piece of a blob lies in the operation that set it. Of long data, the view holds only what
//! filters and the order need ([`brief`]).

use std::fmt::Write;

use grove_core::types::{DocumentId, Hash, PublicKey, Schema, Value};
use postgres::Row;
use postgres::types::ToSql;

use super::codec::{self, Column, digest, get};
use super::database::Database;
use super::pending::Document;
use super::select::{self, Select};
pub(super) use super::view::View;
use super::view::{FIELDS_PER_TABLE, direction, joined, name};
use crate::store::codec::{brief, from_setters, is_brief, to_setters, to_view_id};
use crate::store::indexes::Index;
use crate::store::outside::Extent;
use crate::store::query::{DocumentQuery, SORT_KEY_SIZE_MAX as BRIEF_FROM, Standing};
use crate::store::rows::fields_size;
use crate::store::sql::Sql;
use crate::store::sql::rows::payload;
use crate::store::{DocumentRow, StoreError, ViewFields};

/// What is read of a document beside its fields.
const DOCUMENT_COLUMNS: &str = "d.id, a.public_key, d.view_id, d.edited";

/// What is read of the operation that set a value which is kept in brief.
const SETTER_COLUMNS: &str = ", e.entry, e.payload, e.object, e.outside";

/// Most views in one statement.
const ROWS_MAX: usize = 64;

/// Most values in one statement; the protocol counts them with 16 bits.
const PARAMS_MAX: usize = 30_000;

impl View {
    /// The documents of a query in their order, or from the last to the first when they are those from the
    /// end, with the columns of [`document`](Self::document). `by_author` as in [`Select::page`].
    pub fn list_sql(
        &self,
        database: &Database,
        query: &DocumentQuery,
        by_author: bool,
    ) -> Result<(String, Vec<Column>), StoreError> {
        let (page, values) = self.select(query).page(database, by_author)?;
        let direction = direction(query);
        let (columns, join) = match query.standing {
            Standing::Live => {
                let (columns, tables) = self.source(Extent::of(query.outline), "p.id");
                (format!(", {columns}"), format!("JOIN {tables}"))
            }
            Standing::Deleted => (String::new(), String::new()),
        };
        let sql = format!(
            "SELECT {DOCUMENT_COLUMNS}{columns} FROM ({page}) p JOIN documents d ON d.id = p.id \
             JOIN authors a ON a.id = d.owner {join} ORDER BY p.key {direction}, p.id {direction}"
        );
        Ok((sql, values))
    }

    /// Those of these documents that are live and of this schema, with the columns of
    /// [`document`](Self::document).
    pub fn these_sql(&self, extent: Extent) -> String {
        let (columns, tables) = self.source(extent, "d.id");
        format!(
            "SELECT {DOCUMENT_COLUMNS}, {columns} FROM documents d JOIN authors a ON a.id = d.owner \
             JOIN {tables} WHERE d.id = ANY($1)"
        )
    }

    /// The columns of [`read`](Self::read), and the tables they are in, to be joined to a document's id.
    fn source(&self, extent: Extent, id: &str) -> (String, String) {
        let tables = joined(&self.tables, 1..self.tables.len());
        let (columns, tables) = (&self.columns, format!("{tables} ON v.document = {id}"));
        if !self.looks_into_setters(extent) {
            return (columns.clone(), tables);
        }
        let setter = format!(
            "LEFT JOIN entries e ON e.hash = v.operations AND octet_length(v.f0) > {BRIEF_FROM}"
        );
        (
            format!("{columns}{SETTER_COLUMNS}"),
            format!("{tables} {setter}"),
        )
    }

    fn looks_into_setters(&self, extent: Extent) -> bool {
        self.brief && extent == Extent::Whole
    }

    /// A statement that makes an index of the schema's documents, and the table it is on; `None` when no
    /// table holds all that it takes.
    pub fn create_index(&self, index: &Index) -> Option<(String, String)> {
        select::create_index(&self.schema, &self.tables, self.schema_row, index)
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

    /// The schema whose documents are here.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of the schema.
    pub fn schema_row(&self) -> i64 {
        self.schema_row
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

    /// The columns of a view: the operations that set the fields, and their values.
    pub fn columns(&self, fields: &ViewFields) -> Result<(Vec<u8>, Vec<Column>), StoreError> {
        const MISFIT: StoreError = StoreError::Misfit("fields");
        if fields.len() != self.schema.fields().len() {
            return Err(MISFIT);
        }
        let mut setters = Vec::with_capacity(fields.len());
        let mut values = Vec::with_capacity(fields.len());
        for (name, field_type) in self.schema.fields() {
            let (value, setter) = fields.get(name.as_str()).ok_or(MISFIT)?;
            values.push(match value {
                Value::Bytes(bytes) if self.brief => Column::Bytes(brief(bytes)),
                value => codec::from_value(field_type, value).ok_or(MISFIT)?,
            });
            setters.push(*setter);
        }
        Ok((from_setters(&setters), values))
    }

    /// Stores the views of documents in place of earlier ones, many with one statement. How many are one of
    /// few numbers, so that few statements have to be prepared.
    pub fn put(&self, database: &Database, documents: &[&Document]) -> Result<(), StoreError> {
        let width = self.schema.fields().len().min(FIELDS_PER_TABLE) + 2;
        let rows_max = (PARAMS_MAX / width).min(ROWS_MAX);
        for part in 0..self.tables.len() {
            let mut rest = documents;
            while !rest.is_empty() {
                let count: usize = 1 << rest.len().min(rows_max).ilog2();
                let (rows, after) = rest.split_at(count);
                self.put_part(database, part, rows, false)?;
                rest = after;
            }
        }
        Ok(())
    }

    /// Stores one document with its view in place of an earlier one. Takes one statement unless there are more
    /// fields than a table can hold.
    pub fn put_alone(&self, database: &Database, document: &Document) -> Result<(), StoreError> {
        (0..self.tables.len())
            .try_for_each(|part| self.put_part(database, part, &[document], part == 0))
    }

    /// Stores that part of views which one table holds; and the document, when there is one and it is to be
    /// stored along.
    fn put_part(
        &self,
        database: &Database,
        part: usize,
        documents: &[&Document],
        along: bool,
    ) -> Result<(), StoreError> {
        let first = part * FIELDS_PER_TABLE;
        let fields = self.schema.fields().len() - first;
        let mut names: Vec<String> = (first..)
            .take(fields.min(FIELDS_PER_TABLE))
            .map(name)
            .collect();
        if part == 0 {
            names.insert(0, "operations".to_owned());
        }
        let mut params: Vec<&(dyn ToSql + Sync)> = Vec::new();
        let mut rows = Vec::with_capacity(documents.len());
        for document in documents {
            let before = params.len();
            params.push(&document.columns.id);
            if part == 0 {
                params.push(&document.setters);
            }
            let values = document.values.iter().skip(first).take(FIELDS_PER_TABLE);
            params.extend(values.map(|value| value as &(dyn ToSql + Sync)));
            let places = (before + 1..=params.len()).map(|place| format!("${place}"));
            rows.push(format!("({})", places.collect::<Vec<_>>().join(", ")));
        }
        let updates: Vec<_> = names
            .iter()
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        let with = match documents {
            [Document { columns, .. }] if along => {
                let first = params.len() + 1;
                let rest: [&(dyn ToSql + Sync); 4] = [
                    &columns.schema,
                    &columns.owner,
                    &columns.view_id,
                    &columns.edited,
                ];
                params.extend(rest);
                put_document(first)
            }
            _ => String::new(),
        };
        let sql = format!(
            "{with}INSERT INTO {} (document, {}) VALUES {} ON CONFLICT (document) DO UPDATE SET {}",
            self.tables[part],
            names.join(", "),
            rows.join(", "),
            updates.join(", "),
        );
        database.execute(&sql, &params)?;
        Ok(())
    }

    /// A document of this schema, as `id, public_key, view_id, edited` tell of it, and of a live one what
    /// [`read`](Self::read) does.
    pub fn document(
        &self,
        database: &Database,
        row: &Row,
        live: Option<Extent>,
    ) -> Result<DocumentRow, StoreError> {
        let owner = PublicKey::from_bytes(&digest(row, 1)?);
        let fields = live.map(|extent| self.read(database, row, 4, extent));
        Ok(DocumentRow {
            id: Hash::from_digest(digest(row, 0)?).into(),
            schema_id: self.schema.id().clone(),
            owner: owner.map_err(|_| StoreError::Corrupt("author"))?,
            view_id: to_view_id(get(row, 2)?)?,
            edited: get(row, 3)?,
            fields: fields.transpose()?,
        })
    }

    /// Reads the columns of a view, the first of which is at `offset`, and if need be those of its setter. A
    /// value that was lost is left out.
    fn read(
        &self,
        database: &Database,
        row: &Row,
        offset: usize,
        extent: Extent,
    ) -> Result<ViewFields, StoreError> {
        let count = self.schema.fields().len();
        let setters = to_setters(get(row, offset)?, count)?;
        let mut fields = ViewFields::new();
        for (index, (name, field_type)) in self.schema.fields().iter().enumerate() {
            let value = match codec::to_value(field_type, row, offset + 1 + index)? {
                Value::Bytes(bytes) if self.brief && is_brief(&bytes) => match extent {
                    Extent::Outline => None,
                    Extent::Whole => set_data(database, row, offset + 1 + count)?,
                },
                value => Some(value),
            };
            fields.extend(value.map(|value| (name.as_str().to_owned(), (value, setters[index]))));
        }
        database.meter().spend_bytes(fields_size(&fields))?;
        Ok(fields)
    }
}

/// Removes the view of a document from the tables of its schema.
pub(super) fn remove_from(
    database: &Database,
    tables: &[String],
    document: DocumentId,
) -> Result<(), StoreError> {
    for table in tables {
        let sql = format!("DELETE FROM {table} WHERE document = $1");
        let gone = database.execute(&sql, &[&document.hash().digest().as_slice()])?;
        if gone > 0 {
            database.unclean.borrow_mut().insert(table.clone());
        }
    }
    Ok(())
}

/// The view tables of the schema of this number, of which nobody remembers how many fields it has.
pub(super) fn tables_of(database: &Database, schema_row: i64) -> Result<Vec<String>, StoreError> {
    let first = format!("view_{schema_row}");
    let others = format!(r"view\_{schema_row}\_%");
    database.all(
        "SELECT tablename::text FROM pg_tables
         WHERE schemaname = 'grove' AND (tablename = $1 OR tablename LIKE $2)",
        &[&first, &others],
        |row| get(row, 0),
    )
}

/// Stores a live document in place of an earlier one, along with another statement: its id is the first value,
/// its other columns are those from this one on.
fn put_document(first: usize) -> String {
    let places: Vec<_> = (first..first + 4).map(|at| format!("${at}")).collect();
    format!(
        "WITH document AS (
             INSERT INTO documents (id, schema, owner, view_id, edited, deleted)
             VALUES ($1, {}, FALSE)
             ON CONFLICT (id) DO UPDATE
             SET schema = excluded.schema, owner = excluded.owner, view_id = excluded.view_id,
                 edited = excluded.edited, deleted = excluded.deleted
         ) ",
        places.join(", "),
    )
}

/// The data of a piece, from the columns of its setter; `None` when its bytes are gone.
fn set_data(database: &Database, row: &Row, offset: usize) -> Result<Option<Value>, StoreError> {
    let Some(entry) = get::<Option<&[u8]>>(row, offset)? else {
        return Ok(None);
    };
    let payload = payload(database, row, offset + 1, entry)?;
    Ok(payload.into_piece_data()?.map(Value::Bytes))
}
