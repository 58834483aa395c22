//! Questions for documents as SQL.
//!
//! Text is put together from fixed pieces and numbers only; every value that comes from outside is
//! bound. What SQL can't say about lists of ids is said by functions of our own.

use grove_core::types::{FieldType, Schema, SchemaId, Value};
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value as Column, ValueRef};

use super::codec;
use super::database::Database;
use crate::store::StoreError;
use crate::store::query::{
    Comparison, Condition, DocumentQuery, OrderBy, SORT_KEY_SIZE_MAX, SortKey, Standing, Test,
};

/// How many live documents a schema has, without looking at them.
pub const LIVE_COUNT: &str = "SELECT live FROM schemas WHERE id = ?";

/// A statement in the making, with the values to be bound.
#[derive(Debug)]
pub struct Select<'q> {
    schema: &'q Schema,
    /// `view_7`
    table: &'q str,
    schema_row: i64,
    query: &'q DocumentQuery,
    sql: String,
    values: Vec<Column>,
    /// Whether what was written so far looks into `documents d`.
    looks_into_documents: bool,
}

impl<'q> Select<'q> {
    pub fn new(
        schema: &'q Schema,
        table: &'q str,
        schema_row: i64,
        query: &'q DocumentQuery,
    ) -> Self {
        Self {
            schema,
            table,
            schema_row,
            query,
            sql: String::new(),
            values: Vec::new(),
            looks_into_documents: false,
        }
    }

    /// The ids of the documents in their order: `id, key`.
    pub fn page(mut self, database: &Database) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        let key = self.key()?;
        let direction = if self.query.order.descending {
            "DESC"
        } else {
            "ASC"
        };
        self.after(&key)?;
        let id = self.id();
        let from = self.from();
        self.values.push(Column::Integer(self.query.limit.into()));
        let sql = format!(
            "SELECT {id} AS id, {key} AS key FROM {from} WHERE {} \
             ORDER BY key {direction}, id {direction} LIMIT ?",
            self.sql
        );
        Ok((sql, self.values))
    }

    /// How many documents there are, on all pages.
    pub fn count(mut self, database: &Database) -> Result<(String, Vec<Column>), StoreError> {
        if self.query.standing == Standing::Live && self.query.conditions.is_empty() {
            let values = vec![Column::Integer(self.schema_row)];
            return Ok((LIVE_COUNT.to_owned(), values));
        }
        self.conditions(database)?;
        let from = self.from();
        Ok((
            format!("SELECT count(*) FROM {from} WHERE {}", self.sql),
            self.values,
        ))
    }

    /// Where to look. Live documents have their fields in the table of their schema; deleted ones are
    /// only found among all documents.
    fn from(&self) -> String {
        match self.query.standing {
            Standing::Deleted => "documents d".to_owned(),
            Standing::Live if self.looks_into_documents => {
                format!("{} v JOIN documents d ON d.id = v.document", self.table)
            }
            Standing::Live => format!("{} v", self.table),
        }
    }

    fn id(&self) -> &'static str {
        match self.query.standing {
            Standing::Live => "v.document",
            Standing::Deleted => "d.id",
        }
    }

    fn conditions(&mut self, database: &Database) -> Result<(), StoreError> {
        match self.query.standing {
            Standing::Live => self.sql.push_str("TRUE"),
            Standing::Deleted => {
                self.sql.push_str("d.deleted = 1 AND d.schema = ?");
                self.values.push(Column::Integer(self.schema_row));
            }
        }
        for condition in &self.query.conditions {
            self.sql.push_str(" AND ");
            self.condition(database, condition)?;
        }
        Ok(())
    }

    fn condition(&mut self, database: &Database, condition: &Condition) -> Result<(), StoreError> {
        match condition {
            Condition::Field(name, test) => {
                if self.query.standing == Standing::Deleted {
                    self.sql.push_str("FALSE");
                    return Ok(());
                }
                let (column, field_type) = self.column(name)?;
                return self.test(&column, field_type, test);
            }
            Condition::Document(wanted, ids) => {
                let ids = ids.iter().map(|id| blob(id.hash().digest()));
                self.among(self.id(), *wanted, ids.collect());
            }
            Condition::View(wanted, view_ids) => {
                self.looks_into_documents = true;
                let ids = view_ids.iter().map(codec::from_view_id).map(Column::Blob);
                self.among("d.view_id", *wanted, ids.collect());
            }
            Condition::Owner(wanted, keys) => {
                self.looks_into_documents = true;
                let mut owners = Vec::with_capacity(keys.len());
                for key in keys {
                    // An author nobody has heard of owns nothing.
                    owners.extend(database.author(*key)?.map(Column::Integer));
                }
                self.among("d.owner", *wanted, owners);
            }
            Condition::Edited(wanted) => {
                self.looks_into_documents = true;
                self.sql.push_str("d.edited = ?");
                self.values.push(Column::Integer((*wanted).into()));
            }
        }
        Ok(())
    }

    fn test(
        &mut self,
        column: &str,
        field_type: &FieldType,
        test: &Test,
    ) -> Result<(), StoreError> {
        match test {
            Test::Among(wanted, values) => {
                let mut columns = Vec::with_capacity(values.len());
                //= R20: NaN equals nothing, itself included
                for value in values.iter().filter(|value| !is_nan(value)) {
                    columns.push(match value {
                        Value::Bytes(bytes) if *self.schema.id() == SchemaId::BLOB_PIECE => {
                            Column::Blob(codec::brief(bytes))
                        }
                        value => bound(field_type, value)?,
                    });
                }
                self.among(column, *wanted, columns);
            }
            Test::Compared(_, value) if is_nan(value) => self.sql.push_str("FALSE"),
            Test::Compared(comparison, value) => {
                let operator = match comparison {
                    Comparison::Below => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Above => ">",
                    Comparison::AtLeast => ">=",
                };
                // NaN is kept as an empty blob, which SQLite takes to be above every number.
                self.sql.push_str(&match field_type {
                    FieldType::Float => {
                        format!("({column} {operator} ? AND typeof({column}) <> 'blob')")
                    }
                    _ => format!("{column} {operator} ?"),
                });
                self.values.push(bound(field_type, value)?);
            }
            Test::Contains(wanted, text) => {
                let operator = if *wanted { "> 0" } else { "= 0" };
                self.sql
                    .push_str(&format!("instr(lower({column}), ?) {operator}"));
                self.values.push(Column::Text(text.to_ascii_lowercase()));
            }
            Test::Lists(wanted, ids) => {
                let ids = codec::from_hashes(ids.iter().map(|id| id.hash()));
                self.lists("ids_meet", column, *wanted, ids);
            }
            Test::ListsViews(wanted, view_ids) => {
                self.lists(
                    "views_meet",
                    column,
                    *wanted,
                    codec::from_view_ids(view_ids),
                );
            }
        }
        Ok(())
    }

    fn among(&mut self, column: &str, wanted: bool, values: Vec<Column>) {
        let not = if wanted { "" } else { "NOT " };
        let places = vec!["?"; values.len()].join(", ");
        self.sql.push_str(&format!("{column} {not}IN ({places})"));
        self.values.extend(values);
    }

    fn lists(&mut self, function: &str, column: &str, wanted: bool, ids: Vec<u8>) {
        let operator = if wanted { "" } else { "NOT " };
        self.sql
            .push_str(&format!("{operator}{function}({column}, ?)"));
        self.values.push(Column::Blob(ids));
    }

    /// The expression that decides about the order.
    fn key(&mut self) -> Result<String, StoreError> {
        match (&self.query.order.by, self.query.standing) {
            (OrderBy::DocumentId, _) => Ok(self.id().to_owned()),
            (OrderBy::ViewId, _) => {
                self.looks_into_documents = true;
                Ok(head("d.view_id"))
            }
            // Without fields, all are equal.
            (OrderBy::Field(_), Standing::Deleted) => Ok("NULL".to_owned()),
            (OrderBy::Field(name), Standing::Live) => {
                let (column, field_type) = self.column(name)?;
                Ok(match field_type {
                    FieldType::Bool | FieldType::Int | FieldType::Float => column,
                    FieldType::Str => head(&format!("CAST(lower({column}) AS BLOB)")),
                    FieldType::PinnedRelationList(_) => head(&format!("first_view({column})")),
                    _ => head(&column),
                })
            }
        }
    }

    /// Keeps to what comes after the place the query names.
    fn after(&mut self, key: &str) -> Result<(), StoreError> {
        let Some(place) = &self.query.after else {
            return Ok(());
        };
        let operator = if self.query.order.descending {
            "<"
        } else {
            ">"
        };
        let id = self.id();
        match &place.key {
            None => self.sql.push_str(&format!(" AND {id} {operator} ?")),
            Some(sort_key) => {
                self.sql
                    .push_str(&format!(" AND ({key}, {id}) {operator} (?, ?)"));
                self.values.push(match sort_key {
                    SortKey::Int(int) => Column::Integer(*int),
                    SortKey::Float(float) => codec::from_float(*float),
                    SortKey::Bytes(bytes) => Column::Blob(bytes.clone()),
                });
            }
        }
        self.values.push(blob(place.id.hash().digest()));
        Ok(())
    }

    /// The column of a field.
    fn column(&self, name: &str) -> Result<(String, &'q FieldType), StoreError> {
        let fields = self.schema.fields().iter().enumerate();
        let mut named = fields.filter(|(_, (field, _))| field.as_str() == name);
        let (index, (_, field_type)) = named.next().ok_or(StoreError::Misfit("field"))?;
        Ok((format!("v.f{index}"), field_type))
    }
}

/// The part of some bytes that decides about the order. SQLite makes NULL of the head of nothing.
fn head(bytes: &str) -> String {
    format!("coalesce(substr({bytes}, 1, {SORT_KEY_SIZE_MAX}), x'')")
}

fn blob(bytes: &[u8]) -> Column {
    Column::Blob(bytes.to_vec())
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(float) if float.is_nan())
}

fn bound(field_type: &FieldType, value: &Value) -> Result<Column, StoreError> {
    let column = codec::from_value(field_type, value).ok_or(StoreError::Misfit("filter"))?;
    Ok(match column {
        ToSqlOutput::Owned(column) => column,
        ToSqlOutput::Borrowed(column) => column
            .try_into()
            .map_err(|_| StoreError::Misfit("filter"))?,
        _ => return Err(StoreError::Misfit("filter")),
    })
}

/// Makes our functions known to a connection.
pub fn add_functions(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("ids_meet", 2, flags, |ctx| {
        let wanted = codec::to_hashes(bytes(ctx, 1)?).map_err(user_error)?;
        let listed = codec::to_hashes(bytes(ctx, 0)?).map_err(user_error)?;
        Ok(listed.iter().any(|id| wanted.contains(id)))
    })?;
    connection.create_scalar_function("views_meet", 2, flags, |ctx| {
        let wanted = codec::to_view_ids(bytes(ctx, 1)?).map_err(user_error)?;
        let listed = codec::to_view_ids(bytes(ctx, 0)?).map_err(user_error)?;
        Ok(listed.iter().any(|id| wanted.contains(id)))
    })?;
    connection.create_scalar_function("brief", 1, flags, |ctx| Ok(codec::brief(bytes(ctx, 0)?)))?;
    connection.create_scalar_function("first_view", 1, flags, |ctx| {
        let listed = codec::to_view_ids(bytes(ctx, 0)?).map_err(user_error)?;
        Ok(listed.first().map(codec::from_view_id).unwrap_or_default())
    })?;
    Ok(())
}

fn bytes<'c>(ctx: &'c Context<'_>, index: usize) -> rusqlite::Result<&'c [u8]> {
    match ctx.get_raw(index) {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(rusqlite::Error::InvalidFunctionParameterType(
            index,
            other.data_type(),
        )),
    }
}

fn user_error(error: StoreError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(Box::new(error))
}
