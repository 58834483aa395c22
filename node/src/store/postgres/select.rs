//! Questions for documents as PostgreSQL has them put.
//!
//! Text is put together from fixed pieces and numbers only; every value that comes from outside is bound.

use std::collections::BTreeSet;

use grove_core::types::{FieldType, Schema, SchemaId, Value};

use super::codec::{self, Column};
use super::database::Database;
use super::views::{column, direction, joined, part};
use crate::store::StoreError;
use crate::store::codec::{brief, from_view_id};
use crate::store::query::{
    Comparison, Condition, DocumentQuery, OrderBy, Place, SORT_KEY_SIZE_MAX, SortKey, Standing,
    Test,
};

/// How many live documents a schema has, without looking at them.
pub const LIVE_COUNT: &str = "SELECT live FROM schemas WHERE id = $1";

/// How many of a list's ids make up the head that decides about the order.
const IDS_IN_HEAD: usize = SORT_KEY_SIZE_MAX / crate::store::codec::DIGEST_SIZE;

/// A statement in the making, with the values to be bound.
#[derive(Debug)]
pub struct Select<'q> {
    schema: &'q Schema,
    /// `view_7`, …
    tables: &'q [String],
    schema_row: i64,
    query: &'q DocumentQuery,
    sql: String,
    values: Vec<Column>,
    /// Whether what was written so far looks into `documents d`.
    looks_into_documents: bool,
    /// The tables of the view, beside the first, that it looks into.
    parts: BTreeSet<usize>,
}

/// The expression that decides about the order, and of which kind its values are.
struct Key {
    sql: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
    Bytes,
    /// All are equal.
    Nothing,
}

impl Key {
    fn bytes(sql: String) -> Self {
        let kind = Kind::Bytes;
        Self { sql, kind }
    }
}

impl<'q> Select<'q> {
    pub fn new(
        schema: &'q Schema,
        tables: &'q [String],
        schema_row: i64,
        query: &'q DocumentQuery,
    ) -> Self {
        Self {
            schema,
            tables,
            schema_row,
            query,
            sql: String::new(),
            values: Vec::new(),
            looks_into_documents: false,
            parts: BTreeSet::new(),
        }
    }

    /// The ids of the documents in their order: `id, key`.
    pub fn page(mut self, database: &Database) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        let key = self.key()?;
        let descending = self.query.order.descending;
        self.beyond(&key, self.query.after.as_ref(), descending);
        self.beyond(&key, self.query.before.as_ref(), !descending);
        let limit = self.bind(Column::Int(self.query.limit.into()));
        // The last ones are found from the end.
        let direction = direction(descending != self.query.from_end);
        let sql = format!(
            "SELECT {id} AS id, {} AS key FROM {} WHERE {} \
             ORDER BY key {direction}, id {direction} LIMIT {limit}",
            key.sql,
            self.from(),
            self.sql,
            id = self.id(),
        );
        Ok((sql, self.values))
    }

    /// How many documents there are, on all pages.
    pub fn count(mut self, database: &Database) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        let from = self.from();
        Ok((
            format!("SELECT count(*) FROM {from} WHERE {}", self.sql),
            self.values,
        ))
    }

    /// Where to look. Live documents have their fields in the tables of their schema; deleted ones are
    /// only found among all documents.
    fn from(&self) -> String {
        let view = joined(self.tables, self.parts.iter().copied());
        match self.query.standing {
            Standing::Deleted => "documents d".to_owned(),
            Standing::Live if self.looks_into_documents => {
                format!("{view} JOIN documents d ON d.id = v.document")
            }
            Standing::Live => view,
        }
    }

    fn id(&self) -> &'static str {
        match self.query.standing {
            Standing::Live => "v.document",
            Standing::Deleted => "d.id",
        }
    }

    /// Where a value stands in the statement.
    fn bind(&mut self, value: Column) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn conditions(&mut self, database: &Database) -> Result<(), StoreError> {
        match self.query.standing {
            Standing::Live => self.sql.push_str("TRUE"),
            Standing::Deleted => {
                let schema = self.bind(Column::Int(self.schema_row));
                self.sql = format!("d.deleted AND d.schema = {schema}");
            }
        }
        for condition in &self.query.conditions {
            let condition = self.condition(database, condition)?;
            self.sql.push_str(" AND ");
            self.sql.push_str(&condition);
        }
        Ok(())
    }

    fn condition(
        &mut self,
        database: &Database,
        condition: &Condition,
    ) -> Result<String, StoreError> {
        Ok(match condition {
            Condition::Field(_, _) if self.query.standing == Standing::Deleted => "FALSE".into(),
            Condition::Field(name, test) => {
                let (column, field_type) = self.column(name)?;
                self.test(&column, field_type, test)?
            }
            Condition::Document(wanted, ids) => {
                let ids = ids.iter().map(|id| bytes(id.hash().digest()));
                self.among(self.id(), *wanted, ids.collect())
            }
            Condition::View(wanted, view_ids) => {
                self.looks_into_documents = true;
                let ids = view_ids.iter().map(from_view_id).map(Column::Bytes);
                self.among("d.view_id", *wanted, ids.collect())
            }
            Condition::Owner(wanted, keys) => {
                self.looks_into_documents = true;
                let mut owners = Vec::with_capacity(keys.len());
                for key in keys {
                    // An author nobody has heard of owns nothing.
                    owners.extend(database.author(*key)?.map(Column::Int));
                }
                self.among("d.owner", *wanted, owners)
            }
            Condition::Edited(wanted) => {
                self.looks_into_documents = true;
                format!("d.edited = {}", self.bind(Column::Bool(*wanted)))
            }
        })
    }

    fn test(
        &mut self,
        column: &str,
        field_type: &FieldType,
        test: &Test,
    ) -> Result<String, StoreError> {
        Ok(match test {
            Test::Among(wanted, values) => {
                let mut columns = Vec::with_capacity(values.len());
                //= R20: NaN equals nothing, itself included
                for value in values.iter().filter(|value| !is_nan(value)) {
                    columns.push(match value {
                        Value::Bytes(bytes) if *self.schema.id() == SchemaId::BLOB_PIECE => {
                            Column::Bytes(brief(bytes))
                        }
                        value => bound(field_type, value)?,
                    });
                }
                self.among(column, *wanted, columns)
            }
            Test::Compared(_, value) if is_nan(value) => "FALSE".into(),
            Test::Compared(comparison, value) => {
                let operator = match comparison {
                    Comparison::Below => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Above => ">",
                    Comparison::AtLeast => ">=",
                };
                let place = self.bind(bound(field_type, value)?);
                match field_type {
                    // To PostgreSQL, NaN is above every number.
                    FieldType::Float => {
                        format!("({column} {operator} {place} AND {column} <> 'NaN')")
                    }
                    _ => format!("{column} {operator} {place}"),
                }
            }
            Test::Contains(wanted, text) => {
                let operator = if *wanted { ">" } else { "=" };
                let part = self.bind(Column::Bytes(text.to_ascii_lowercase().into_bytes()));
                format!("position({part} IN {}) {operator} 0", folded(column))
            }
            Test::Lists(wanted, ids) => {
                let ids = ids.iter().map(|id| id.hash().digest().to_vec());
                self.lists(column, *wanted, ids.collect())
            }
            Test::ListsViews(wanted, view_ids) => {
                self.lists(column, *wanted, codec::from_view_ids(view_ids))
            }
        })
    }

    fn among(&mut self, column: &str, wanted: bool, values: Vec<Column>) -> String {
        if values.is_empty() {
            return if wanted { "FALSE" } else { "TRUE" }.to_owned();
        }
        let not = if wanted { "" } else { "NOT " };
        let places: Vec<_> = values.into_iter().map(|value| self.bind(value)).collect();
        format!("{column} {not}IN ({})", places.join(", "))
    }

    fn lists(&mut self, column: &str, wanted: bool, ids: Vec<Vec<u8>>) -> String {
        let not = if wanted { "" } else { "NOT " };
        let ids = self.bind(Column::List(ids));
        format!("{not}({column} && {ids})")
    }

    /// What decides about the order.
    fn key(&mut self) -> Result<Key, StoreError> {
        Ok(match (&self.query.order.by, self.query.standing) {
            (OrderBy::DocumentId, _) => Key::bytes(self.id().to_owned()),
            (OrderBy::ViewId, _) => {
                self.looks_into_documents = true;
                Key::bytes(head("d.view_id"))
            }
            (OrderBy::Owner, _) => {
                self.looks_into_documents = true;
                Key::bytes("(SELECT public_key FROM authors WHERE id = d.owner)".to_owned())
            }
            (OrderBy::Edited, _) => {
                self.looks_into_documents = true;
                Key {
                    sql: "d.edited::int::bigint".to_owned(),
                    kind: Kind::Int,
                }
            }
            // Without fields, all are equal.
            (OrderBy::Field(_), Standing::Deleted) => Key {
                sql: "NULL::bytea".to_owned(),
                kind: Kind::Nothing,
            },
            (OrderBy::Field(name), Standing::Live) => {
                let (column, field_type) = self.column(name)?;
                let kind = match field_type {
                    FieldType::Bool | FieldType::Int => Kind::Int,
                    FieldType::Float => Kind::Float,
                    _ => Kind::Bytes,
                };
                let sql = match field_type {
                    FieldType::Bool | FieldType::Int | FieldType::Float => column,
                    FieldType::Str => folded(&head(&column)),
                    FieldType::RelationList(_) => {
                        let items = (1..=IDS_IN_HEAD).map(|item| item_of(&column, item));
                        items.collect::<Vec<_>>().join(" || ")
                    }
                    FieldType::PinnedRelationList(_) => head(&item_of(&column, 1)),
                    _ => head(&column),
                };
                Key { sql, kind }
            }
        })
    }

    /// Keeps to what lies beyond a place, if there is one: above it, or `below`.
    fn beyond(&mut self, key: &Key, place: Option<&Place>, below: bool) {
        let Some(place) = place else {
            return;
        };
        let operator = if below { "<" } else { ">" };
        let wanted = match (&place.key, key.kind) {
            (Some(SortKey::Int(int)), Kind::Int) => Some(Column::Int(*int)),
            (Some(SortKey::Float(float)), Kind::Float) => Some(Column::Float(*float)),
            (Some(SortKey::Bytes(bytes)), Kind::Bytes) => Some(Column::Bytes(bytes.clone())),
            (None, _) => None,
            // A place that somebody made up: nothing is beyond it.
            _ => return self.sql.push_str(" AND FALSE"),
        };
        let id = self.id();
        let wanted = wanted.map(|wanted| self.bind(wanted));
        let last = self.bind(bytes(place.id.hash().digest()));
        self.sql.push_str(&match wanted {
            None => format!(" AND {id} {operator} {last}"),
            Some(wanted) => format!(" AND ({}, {id}) {operator} ({wanted}, {last})", key.sql),
        });
    }

    /// The column of a field.
    fn column(&mut self, name: &str) -> Result<(String, &'q FieldType), StoreError> {
        let fields = self.schema.fields().iter().enumerate();
        let mut named = fields.filter(|(_, (field, _))| field.as_str() == name);
        let (index, (_, field_type)) = named.next().ok_or(StoreError::Misfit("field"))?;
        if part(index) > 0 {
            self.parts.insert(part(index));
        }
        Ok((column(index), field_type))
    }
}

/// The part of some bytes that decides about the order.
fn head(bytes: &str) -> String {
    format!("substr({bytes}, 1, {SORT_KEY_SIZE_MAX})")
}

/// An item of a list, counted from 1; nothing when the list is shorter.
fn item_of(list: &str, item: usize) -> String {
    format!("coalesce({list}[{item}], '')")
}

/// A text with its ASCII letters made small, and none of its other bytes touched: escaping leaves nothing
/// but ASCII.
fn folded(text: &str) -> String {
    format!("decode(lower(encode({text}, 'escape') COLLATE \"C\"), 'escape')")
}

fn bytes(bytes: &[u8]) -> Column {
    Column::Bytes(bytes.to_vec())
}

fn is_nan(value: &Value) -> bool {
    matches!(value, Value::Float(float) if float.is_nan())
}

fn bound(field_type: &FieldType, value: &Value) -> Result<Column, StoreError> {
    codec::from_value(field_type, value).ok_or(StoreError::Misfit("filter"))
}
