//! Questions for documents as PostgreSQL has them put.
//!
//! Text is put together from fixed pieces and numbers only; every value that comes from outside is bound.

use std::collections::BTreeSet;

use grove_core::types::{FieldType, Schema, SchemaId, Value};

use super::codec::{self, Column};
use super::database::Database;
use super::view::{column, direction, joined, name, part};
use crate::store::StoreError;
use crate::store::codec::{DIGEST_SIZE, brief, from_view_id};
use crate::store::indexes::{Index, Part, field};
use crate::store::query::{
    Comparison, Condition, DocumentQuery, OrderBy, PagePosition, SORT_KEY_SIZE_MAX, SortKey,
    Standing, Test,
};
use crate::store::sql::Sql;

/// How many live documents a schema has, without looking at them.
pub(super) const LIVE_COUNT: &str = "SELECT live FROM schemas WHERE id = $1";

/// How many of a list's ids make up the head that decides about the order.
const IDS_IN_HEAD: usize = SORT_KEY_SIZE_MAX / DIGEST_SIZE;

/// Whether a document was changed, as the number that is its place in the order.
const EDITED: &str = "d.edited::int::bigint";

/// A statement in the making, with the values to be bound.
#[derive(Debug)]
pub(super) struct Select<'q> {
    schema: &'q Schema,
    /// `view_7`, …
    tables: &'q [String],
    schema_row: i64,
    query: &'q DocumentQuery,
    sql: String,
    values: Vec<Column>,
    /// Whether what was written so far looks into `documents d`.
    looks_into_documents: bool,
    /// The tables of the view that it looks into.
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
    pub(super) fn new(
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

    /// The ids of the documents in the order in which they are found: `id, key`. `by_author` when an index
    /// leads from authors to their documents.
    pub(super) fn page(
        mut self,
        database: &Database,
        by_author: bool,
    ) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        if by_author && self.query.order.by == OrderBy::Owner {
            return Ok(self.page_by_author());
        }
        let key = self.key()?;
        self.between(&key);
        let limit = self.bind(Column::Int(self.query.limit.into()));
        let direction = direction(self.query);
        let mut from = self.from();
        if self.query.order.by == OrderBy::Owner {
            from.push_str(" JOIN authors a ON a.id = d.owner");
        }
        let sql = format!(
            "SELECT {id} AS id, {} AS key FROM {from} WHERE {} \
             ORDER BY key {direction}, id {direction} LIMIT {limit}",
            key.sql,
            self.filter(),
            id = self.id(),
        );
        Ok((sql, self.values))
    }

    /// The same ordered by authors: of each one no more documents are looked at than make a page. Where a
    /// page begins in the midst of an author's, so do those that are looked at.
    fn page_by_author(mut self) -> (String, Vec<Column>) {
        self.looks_into_documents = true;
        let (mut authors, mut documents) = (String::from("TRUE"), self.filter());
        for (place, operator) in self.ends() {
            let Some(PagePosition { key, id }) = place else {
                continue;
            };
            let id = self.bind(bytes(id.hash().digest()));
            let (author, ids) = match key {
                None => (String::new(), format!(" AND d.id {operator} {id}")),
                Some(SortKey::Bytes(key)) => {
                    let key = self.bind(Column::Bytes(key.clone()));
                    // Of another author than the place's, all ids lie on the right side of this.
                    let end = match operator {
                        ">" => "''::bytea".to_owned(),
                        _ => format!("'\\x{}'::bytea", "ff".repeat(DIGEST_SIZE + 1)),
                    };
                    (
                        format!(" AND a.public_key {operator}= {key}"),
                        format!(
                            " AND d.id {operator} CASE WHEN a.public_key = {key} THEN {id} ELSE {end} END"
                        ),
                    )
                }
                Some(_) => (" AND FALSE".to_owned(), String::new()),
            };
            authors.push_str(&author);
            documents.push_str(&ids);
        }
        let limit = self.bind(Column::Int(self.query.limit.into()));
        let direction = direction(self.query);
        let sql = format!(
            "SELECT o.id AS id, a.public_key AS key FROM authors a CROSS JOIN LATERAL ( \
                 SELECT d.id FROM {} WHERE d.owner = a.id AND {documents} \
                 ORDER BY d.id {direction} LIMIT {limit} \
             ) o WHERE {authors} ORDER BY key {direction}, id {direction} LIMIT {limit}",
            self.from(),
        );
        (sql, self.values)
    }

    /// How many documents there are, on all pages.
    pub(super) fn count(
        mut self,
        database: &Database,
    ) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        let sql = format!(
            "SELECT count(*) FROM {} WHERE {}",
            self.from(),
            self.filter()
        );
        Ok((sql, self.values))
    }

    /// Where to look. Live documents have their fields in the tables of their schema; deleted ones are
    /// only found among all documents.
    fn from(&self) -> String {
        let others = self.parts.iter().copied().filter(|part| *part > 0);
        let view = joined(self.tables, others);
        match self.query.standing {
            Standing::Deleted => "documents d".to_owned(),
            Standing::Live if self.led_by_documents() && self.parts.is_empty() => {
                "documents d".to_owned()
            }
            Standing::Live if self.led_by_documents() || self.looks_into_documents => {
                format!("{view} JOIN documents d ON d.id = v.document")
            }
            Standing::Live => view,
        }
    }

    /// What must hold. Of live documents the schema is said as text, since only then the server sees that an
    /// index of just those serves.
    fn filter(&self) -> String {
        match self.query.standing {
            Standing::Live if self.led_by_documents() || self.looks_into_documents => {
                let schema = self.schema_row;
                format!("{} AND d.schema = {schema} AND NOT d.deleted", self.sql)
            }
            _ => self.sql.clone(),
        }
    }

    /// Whether documents are ordered by what stands in the table of all documents rather than that of their
    /// schema.
    fn led_by_documents(&self) -> bool {
        let by = &self.query.order.by;
        matches!(by, OrderBy::ViewId | OrderBy::Owner | OrderBy::Edited)
    }

    fn id(&self) -> &'static str {
        match self.query.standing {
            Standing::Live if !self.led_by_documents() => "v.document",
            _ => "d.id",
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
                let (number, field_type) = self.field(name)?;
                self.test(&column(number), field_type, test)?
            }
            Condition::Document(wanted, ids) => {
                let ids = ids.iter().map(|id| bytes(id.hash().digest()));
                self.among(self.id(), *wanted, ids.collect())
            }
            Condition::View(wanted, view_ids) => {
                self.looks_into_documents = true;
                let ids = view_ids.iter().map(from_view_id).map(Column::Bytes);
                self.among_long("d.view_id", *wanted, ids.collect())
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
                format!("{EDITED} = {}", self.bind(Column::Int((*wanted).into())))
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
                match is_long(field_type) {
                    true => self.among_long(column, *wanted, columns),
                    false => self.among(column, *wanted, columns),
                }
            }
            Test::Compared(_, value) if is_nan(value) => "FALSE".into(),
            Test::Compared(comparison, value) => {
                let operator = match comparison {
                    Comparison::Below => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Above => ">",
                    Comparison::AtLeast => ">=",
                };
                let value = bound(field_type, value)?;
                match (field_type, head_of(&value)) {
                    // Heads compare as what they are the heads of, or are equal.
                    (FieldType::Str, Some(beginning)) => {
                        let column_head = head(column);
                        let (beginning, value) = (self.bind(beginning), self.bind(value));
                        let loose = operator.trim_end_matches('=');
                        format!(
                            "({column_head} {loose}= {beginning} AND {column} {operator} {value})"
                        )
                    }
                    (FieldType::Str, None) => {
                        format!("{} {operator} {}", head(column), self.bind(value))
                    }
                    // To PostgreSQL, NaN is above every number.
                    (FieldType::Float, _) => {
                        let value = self.bind(value);
                        format!("({column} {operator} {value} AND {column} <> 'NaN')")
                    }
                    _ => format!("{column} {operator} {}", self.bind(value)),
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

    /// The same for values that may be too long for an index, which has their heads. A value that is shorter
    /// than a head is a head alone.
    fn among_long(&mut self, column: &str, wanted: bool, values: Vec<Column>) -> String {
        let heads: Vec<_> = values.iter().map(head_of).collect();
        if !wanted {
            return self.among(column, wanted, values);
        }
        if heads.iter().all(Option::is_none) {
            return self.among(&head(column), wanted, values);
        }
        let heads = heads.into_iter().zip(&values);
        let heads = heads.map(|(head, value)| head.unwrap_or_else(|| value.clone()));
        let heads = self.among(&head(column), wanted, heads.collect());
        format!("{heads} AND {}", self.among(column, wanted, values))
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
            (OrderBy::ViewId, _) => Key::bytes(head("d.view_id")),
            (OrderBy::Owner, _) => Key::bytes("a.public_key".to_owned()),
            (OrderBy::Edited, _) => Key {
                sql: EDITED.to_owned(),
                kind: Kind::Int,
            },
            // Without fields, all are equal.
            (OrderBy::Field(_), Standing::Deleted) => Key {
                sql: "NULL::bytea".to_owned(),
                kind: Kind::Nothing,
            },
            (OrderBy::Field(name), Standing::Live) => {
                let (number, field_type) = self.field(name)?;
                Key {
                    sql: field_key(&column(number), field_type),
                    kind: match field_type {
                        FieldType::Bool | FieldType::Int => Kind::Int,
                        FieldType::Float => Kind::Float,
                        _ => Kind::Bytes,
                    },
                }
            }
        })
    }

    /// The places where a page begins and ends, with how what lies between compares to them.
    fn ends(&self) -> [(&'q Option<PagePosition>, &'static str); 2] {
        let (above, below) = match self.query.order.descending {
            true => ("<", ">"),
            false => (">", "<"),
        };
        [(&self.query.after, above), (&self.query.before, below)]
    }

    /// Keeps to what lies between the places the query names.
    fn between(&mut self, key: &Key) {
        let id = self.id();
        for (place, operator) in self.ends() {
            let Some(place) = place else {
                continue;
            };
            let wanted = match (&place.key, key.kind) {
                (Some(SortKey::Int(int)), Kind::Int) => Some(Column::Int(*int)),
                (Some(SortKey::Float(float)), Kind::Float) => Some(Column::Float(*float)),
                (Some(SortKey::Bytes(bytes)), Kind::Bytes) => Some(Column::Bytes(bytes.clone())),
                (None, _) => None,
                // A place that somebody made up: nothing is behind it.
                _ => return self.sql.push_str(" AND FALSE"),
            };
            let last = bytes(place.id.hash().digest());
            let condition = match wanted {
                None => format!(" AND {id} {operator} {}", self.bind(last)),
                Some(wanted) => {
                    let (wanted, last) = (self.bind(wanted), self.bind(last));
                    format!(" AND ({}, {id}) {operator} ({wanted}, {last})", key.sql)
                }
            };
            self.sql.push_str(&condition);
        }
    }

    /// The number and the type of a field that is going to be looked at.
    fn field(&mut self, name: &str) -> Result<(usize, &'q FieldType), StoreError> {
        let (number, field_type) = field(self.schema, name).ok_or(StoreError::Misfit("field"))?;
        self.parts.insert(part(number));
        Ok((number, field_type))
    }
}

/// Makes an index of a schema's documents, on the table that is returned with it.
pub(super) fn create_index(
    schema: &Schema,
    tables: &[String],
    schema_row: i64,
    index: &Index,
) -> Option<(String, String)> {
    let fields: Vec<_> = schema.fields().values().collect();
    let mut columns = Vec::new();
    let mut places = BTreeSet::new();
    for of_index in index.parts() {
        columns.push(match of_index {
            Part::Value(number) | Part::Key(number) => {
                let (field_type, column) = (fields.get(*number)?, name(*number));
                places.insert(Some(part(*number)));
                match of_index {
                    Part::Key(_) => field_key(&column, field_type),
                    _ if is_long(field_type) => head(&column),
                    _ => column,
                }
            }
            Part::Owner => "owner".to_owned(),
            Part::Edited => EDITED.replace("d.", ""),
            Part::View | Part::ViewKey => head("view_id"),
        });
        if !of_index.is_field() {
            places.insert(None);
        }
    }
    columns.dedup();
    let columns = columns.join("), (");
    let name = index.full_name(schema_row);
    let [place] = places.into_iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(match place {
        Some(part) => {
            let table = &tables[part];
            let on = format!("{table} (({columns}), document)");
            (
                table.clone(),
                format!("CREATE INDEX IF NOT EXISTS {name} ON {on}"),
            )
        }
        None => {
            let on = format!("documents (({columns}), id)");
            let which = format!("schema = {schema_row} AND NOT deleted");
            let create = format!("CREATE INDEX IF NOT EXISTS {name} ON {on} WHERE {which}");
            ("documents".to_owned(), create)
        }
    })
}

/// What of a field decides about the order of documents.
fn field_key(column: &str, field_type: &FieldType) -> String {
    match field_type {
        FieldType::Bool | FieldType::Int | FieldType::Float | FieldType::Relation(_) => {
            column.to_owned()
        }
        FieldType::Str => folded(&head(column)),
        FieldType::RelationList(_) => {
            let items = (1..=IDS_IN_HEAD).map(|item| item_of(column, item));
            items.collect::<Vec<_>>().join(" || ")
        }
        FieldType::PinnedRelationList(_) => head(&item_of(column, 1)),
        FieldType::Bytes | FieldType::PinnedRelation(_) => head(column),
    }
}

/// Whether a value may be too long for an index.
const fn is_long(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::Str | FieldType::Bytes | FieldType::PinnedRelation(_)
    )
}

/// The head of some bytes, unless they are shorter than any head that leaves something out.
fn head_of(column: &Column) -> Option<Column> {
    match column {
        Column::Bytes(bytes) => bytes
            .get(..SORT_KEY_SIZE_MAX)
            .map(|head| Column::Bytes(head.to_vec())),
        _ => None,
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
