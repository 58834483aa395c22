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
use super::view::own_table;
use crate::store::StoreError;
use crate::store::codec::{from_hashes, from_view_id, to_hashes};
use crate::store::indexes::{AccessPath, Index, Part, field, is_ordered_by_key, part_of};
use crate::store::query::{
    Comparison, Condition, DocumentQuery, OrderBy, PagePosition, SORT_KEY_SIZE_MAX, SortKey,
    Standing, Test,
};
use crate::store::sql::Sql;

/// How many live documents a schema has, without looking at them.
pub(super) const LIVE_COUNT: &str = "SELECT live FROM schemas WHERE id = ?";

/// Which of the documents behind a place.
#[derive(Debug, Clone, Copy)]
enum Begin {
    /// All of them.
    Behind,
    /// Those with the key of the place.
    WithSameKey,
    /// Those with other keys.
    WithNextKey,
}

/// A statement in the making, with the values to be bound.
#[derive(Debug, Clone)]
pub(super) struct Select<'q> {
    schema: &'q Schema,
    /// `view_7`, or a part of the table that small schemas share.
    table: String,
    schema_row: i64,
    query: &'q DocumentQuery,
    /// What leads to the documents.
    path: AccessPath,
    sql: String,
    values: Vec<Column>,
    /// Whether what was written so far looks into `documents d`.
    looks_into_documents: bool,
}

impl<'q> Select<'q> {
    pub(super) fn new(
        schema: &'q Schema,
        table: String,
        schema_row: i64,
        query: &'q DocumentQuery,
        path: AccessPath,
    ) -> Self {
        Self {
            schema,
            table,
            schema_row,
            query,
            path,
            sql: String::new(),
            values: Vec::new(),
            looks_into_documents: false,
        }
    }

    /// A page of documents with `columns`, which may look into `documents d` and, of live ones, into the
    /// view table `v`. Of a page from the end they come from the last to the first.
    pub(super) fn page(
        mut self,
        database: &Database,
        columns: &str,
    ) -> Result<(String, Vec<Column>), StoreError> {
        let is_live = self.query.standing == Standing::Live;
        if is_live && self.query.order.by == OrderBy::DocumentId && self.path == AccessPath::Order {
            self.looks_into_documents = true;
            return self.found(database, columns, Begin::Behind);
        }
        // Only ids are ordered, and the rest is read for those of the page. They keep their order: a
        // cross join goes through its left side as it comes.
        let (ids, values) = if self.is_begun_within_keys() {
            let limit = Column::Integer(self.query.limit.into());
            let (same, mut values) = self.clone().found(database, "", Begin::WithSameKey)?;
            let (further, others) = self.clone().found(database, "", Begin::WithNextKey)?;
            values.extend(others);
            values.push(limit);
            let ids =
                format!("SELECT id FROM ({same}) UNION ALL SELECT id FROM ({further}) LIMIT ?");
            (ids, values)
        } else {
            self.clone().found(database, "", Begin::Behind)?
        };
        let view = if is_live {
            format!("CROSS JOIN {} v ON v.document = p.id", self.table)
        } else {
            String::new()
        };
        let sql =
            format!("SELECT {columns} FROM ({ids}) p CROSS JOIN documents d ON d.id = p.id {view}");
        Ok((sql, values))
    }

    /// Whether the page begins at a key that SQLite can't compare together with the id: it sees where to
    /// begin in an index only when both are columns of one table.
    fn is_begun_within_keys(&self) -> bool {
        let is_column = match &self.query.order.by {
            OrderBy::DocumentId | OrderBy::Edited => true,
            OrderBy::ViewId => false,
            OrderBy::Owner => self.path != AccessPath::Owners,
            OrderBy::Field(name) => !field(self.schema, name)
                .is_some_and(|(_, field_type)| is_ordered_by_key(field_type)),
        };
        let is_in_order = matches!(
            self.path,
            AccessPath::Order | AccessPath::Owners | AccessPath::Both(_)
        );
        let begin = self.ends()[0].0.as_ref();
        !is_column && is_in_order && begin.is_some_and(|place| place.key.is_some())
    }

    /// The places where a page begins and ends, with how what lies between compares to them.
    fn ends(&self) -> [(&'q Option<PagePosition>, &'static str); 2] {
        let (above, below) = if self.query.order.descending {
            ("<", ">")
        } else {
            (">", "<")
        };
        let ends = [(&self.query.after, above), (&self.query.before, below)];
        match (self.query.from_end, ends) {
            (false, ends) => ends,
            (true, [after, before]) => [before, after],
        }
    }

    /// The documents from a place on, in their order; their ids when there are no columns.
    fn found(
        mut self,
        database: &Database,
        columns: &str,
        begin: Begin,
    ) -> Result<(String, Vec<Column>), StoreError> {
        self.conditions(database)?;
        let key = self.key()?;
        self.between(&key, begin);
        let id = self.id();
        let direction = if self.query.order.descending == self.query.from_end {
            "ASC"
        } else {
            "DESC"
        };
        let order = match (&self.query.order.by, begin) {
            (OrderBy::DocumentId, _) => format!("{key} {direction}"),
            (_, Begin::WithSameKey) => format!("{id} {direction}"),
            _ => format!("{key} {direction}, {id} {direction}"),
        };
        let mut from = self.from();
        if self.query.order.by == OrderBy::Owner && self.path != AccessPath::Owners {
            from.push_str(" CROSS JOIN authors a ON a.id = d.owner");
        }
        let columns = match columns {
            "" => format!("{id} AS id"),
            columns => columns.to_owned(),
        };
        self.values.push(Column::Integer(self.query.limit.into()));
        let sql = format!(
            "SELECT {columns} FROM {from} WHERE {} ORDER BY {order} LIMIT ?",
            self.sql
        );
        Ok((sql, self.values))
    }

    /// How many documents there are, on all pages.
    pub(super) fn count(
        mut self,
        database: &Database,
    ) -> Result<(String, Vec<Column>), StoreError> {
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

    /// How many documents meet the conditions on a part, but no further than to `max`.
    pub(super) fn count_up_to(
        mut self,
        database: &Database,
        part: Part,
        max: u32,
    ) -> Result<(String, Vec<Column>), StoreError> {
        let query = self.query;
        let on_part = |condition: &&Condition| part_of(self.schema, condition) == Some(part);
        let conditions: Vec<_> = query.conditions.iter().filter(on_part).collect();
        self.sql.push_str("TRUE");
        for condition in conditions {
            self.sql.push_str(" AND ");
            self.condition(database, condition)?;
        }
        let from = if part.is_field() {
            format!("{} v", self.table)
        } else {
            let live = live(self.schema_row);
            self.sql.push_str(&live);
            "documents d".to_owned()
        };
        self.values.push(Column::Integer(max.into()));
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {} LIMIT ?)",
            self.sql
        );
        Ok((sql, self.values))
    }

    /// Where to look. Live documents have their fields in the table of their schema; deleted ones are
    /// only found among all documents. What leads to the documents comes first.
    fn from(&self) -> String {
        match self.query.standing {
            Standing::Deleted => "documents d".to_owned(),
            Standing::Live if self.path == AccessPath::Owners => {
                format!(
                    "authors a CROSS JOIN documents d ON d.owner = a.id \
                     CROSS JOIN {} v ON v.document = d.id",
                    self.table
                )
            }
            Standing::Live if self.led_by_documents() => {
                format!(
                    "documents d CROSS JOIN {} v ON v.document = d.id",
                    self.table
                )
            }
            Standing::Live if self.looks_into_documents => {
                format!(
                    "{} v CROSS JOIN documents d ON d.id = v.document",
                    self.table
                )
            }
            Standing::Live => format!("{} v", self.table),
        }
    }

    /// Whether documents are found in the table of all documents rather than that of their schema.
    fn led_by_documents(&self) -> bool {
        match self.path {
            AccessPath::Condition(part) | AccessPath::Both(part) => !part.is_field(),
            AccessPath::Owners => true,
            AccessPath::Ids => false,
            AccessPath::Order => matches!(
                self.query.order.by,
                OrderBy::ViewId | OrderBy::Owner | OrderBy::Edited
            ),
        }
    }

    fn id(&self) -> &'static str {
        match self.query.standing {
            Standing::Live if !self.led_by_documents() => "v.document",
            _ => "d.id",
        }
    }

    /// What decides about the order. A plus hides it from SQLite where something else leads.
    fn idle_unless_leading(&self, expression: &str) -> String {
        match self.path {
            AccessPath::Condition(_) | AccessPath::Ids => format!("+{expression}"),
            AccessPath::Order | AccessPath::Owners | AccessPath::Both(_) => expression.to_owned(),
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
        if self.query.standing == Standing::Live && self.led_by_documents() {
            let live = live(self.schema_row);
            self.sql.push_str(&live);
        }
        for condition in &self.query.conditions {
            self.sql.push_str(" AND ");
            self.condition(database, condition)?;
        }
        Ok(())
    }

    fn condition(&mut self, database: &Database, condition: &Condition) -> Result<(), StoreError> {
        // A plus keeps SQLite from looking for an index where none leads.
        let plus = match part_of(self.schema, condition) {
            Some(part) if !self.path.finds_by(part) => "+",
            _ => "",
        };
        match condition {
            Condition::Field(name, test) => {
                if self.query.standing == Standing::Deleted {
                    self.sql.push_str("FALSE");
                    return Ok(());
                }
                let (column, field_type) = self.column(name)?;
                return self.test(&format!("{plus}{column}"), field_type, test);
            }
            Condition::Document(wanted, ids) => {
                let ids = ids.iter().map(|id| blob(id.hash().digest()));
                self.among(self.id(), *wanted, ids.collect());
            }
            Condition::View(wanted, view_ids) => {
                self.looks_into_documents = true;
                let ids = view_ids.iter().map(from_view_id).map(Column::Blob);
                self.among(&format!("{plus}d.view_id"), *wanted, ids.collect());
            }
            Condition::Owner(wanted, keys) => {
                self.looks_into_documents = true;
                let mut owners = Vec::with_capacity(keys.len());
                for key in keys {
                    // An author nobody has heard of owns nothing.
                    owners.extend(database.author(*key)?.map(Column::Integer));
                }
                self.among(&format!("{plus}d.owner"), *wanted, owners);
            }
            Condition::Edited(wanted) => {
                self.looks_into_documents = true;
                self.sql.push_str(&format!("{plus}d.edited = ?"));
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
                let ids = from_hashes(ids.iter().map(|id| id.hash()));
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
        let key = match (&self.query.order.by, self.query.standing) {
            (OrderBy::DocumentId, _) => self.id().to_owned(),
            // Without fields, all are equal.
            (OrderBy::Field(_), Standing::Deleted) => return Ok("NULL".to_owned()),
            (OrderBy::Field(name), Standing::Live) => {
                let (number, field_type) = numbered(self.schema, name)?;
                field_key("v.", number, field_type)
            }
            (OrderBy::ViewId, _) => {
                self.looks_into_documents = true;
                head("d.view_id")
            }
            (OrderBy::Owner, _) => {
                self.looks_into_documents = true;
                "a.public_key".to_owned()
            }
            (OrderBy::Edited, _) => {
                self.looks_into_documents = true;
                "d.edited".to_owned()
            }
        };
        Ok(self.idle_unless_leading(&key))
    }

    /// Keeps to what lies between the places the query names, beginning in this way.
    fn between(&mut self, key: &str, begin: Begin) {
        let id = self.idle_unless_leading(self.id());
        let [(first, first_operator), (last, last_operator)] = self.ends();
        for (place, operator, begin) in [
            (first, first_operator, begin),
            (last, last_operator, Begin::Behind),
        ] {
            let Some(PagePosition { key: at, id: at_id }) = place else {
                continue;
            };
            let at_id = blob(at_id.hash().digest());
            let at = at.as_ref().map(|at| match at {
                SortKey::Int(int) => Column::Integer(*int),
                SortKey::Float(float) => codec::from_float(*float),
                SortKey::Bytes(bytes) => Column::Blob(bytes.clone()),
            });
            let (sql, values) = match (at, begin) {
                (None, _) => (format!("{id} {operator} ?"), vec![at_id]),
                (Some(at), Begin::Behind) => {
                    (format!("({key}, {id}) {operator} (?, ?)"), vec![at, at_id])
                }
                (Some(at), Begin::WithSameKey) => {
                    (format!("{key} = ? AND {id} {operator} ?"), vec![at, at_id])
                }
                (Some(at), Begin::WithNextKey) => (format!("{key} {operator} ?"), vec![at]),
            };
            self.sql.push_str(" AND ");
            self.sql.push_str(&sql);
            self.values.extend(values);
        }
    }

    /// The column of a field.
    fn column(&self, name: &str) -> Result<(String, &'q FieldType), StoreError> {
        let (number, field_type) = numbered(self.schema, name)?;
        Ok((format!("v.f{number}"), field_type))
    }
}

/// Makes an index of a schema's documents.
pub(super) fn create_index(schema: &Schema, schema_row: i64, index: &Index) -> Option<String> {
    let fields: Vec<_> = schema.fields().values().collect();
    let mut columns = Vec::new();
    for part in index.parts() {
        columns.push(match part {
            Part::Value(number) => {
                fields.get(*number)?;
                format!("f{number}")
            }
            Part::Key(number) => field_key("", *number, fields.get(*number)?),
            Part::Owner => "owner".to_owned(),
            Part::Edited => "edited".to_owned(),
            Part::View => "view_id".to_owned(),
            Part::ViewKey => head("view_id"),
        });
    }
    let columns = columns.join(", ");
    let name = index.full_name(schema_row);
    Some(if index.parts().iter().all(|part| part.is_field()) {
        let table = own_table(schema_row);
        format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({columns}, document)")
    } else {
        format!(
            "CREATE INDEX IF NOT EXISTS {name} ON documents ({columns}, id) \
             WHERE schema = {schema_row} AND deleted = 0"
        )
    })
}

/// Keeps to live documents of a schema. As text, since only then SQLite sees that an index of just those
/// serves.
fn live(schema_row: i64) -> String {
    format!(" AND d.schema = {schema_row} AND d.deleted = 0")
}

fn numbered<'s>(schema: &'s Schema, name: &str) -> Result<(usize, &'s FieldType), StoreError> {
    field(schema, name).ok_or(StoreError::Misfit("field"))
}

/// What of a field decides about the order of documents.
fn field_key(table: &str, number: usize, field_type: &FieldType) -> String {
    let column = format!("{table}f{number}");
    match field_type {
        _ if !is_ordered_by_key(field_type) => column,
        FieldType::Str => head(&format!("CAST(lower({column}) AS BLOB)")),
        FieldType::PinnedRelationList(_) => head(&format!("first_view({column})")),
        _ => head(&column),
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
pub(super) fn add_functions(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("ids_meet", 2, flags, |ctx| {
        let wanted = to_hashes(bytes(ctx, 1)?).map_err(user_error)?;
        let listed = to_hashes(bytes(ctx, 0)?).map_err(user_error)?;
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
        Ok(listed.first().map(from_view_id).unwrap_or_default())
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
