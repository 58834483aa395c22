//! The tables of the current views of one schema: their names and their columns.
//!
//! What is done with them stands in `views`.

use std::fmt::Write;

use grove_core::types::{Schema, SchemaId};

use crate::store::query::DocumentQuery;

/// How many fields one table holds. A page has room for some 8,100 bytes, and a value that is moved out of
/// it leaves up to 24 behind.
pub(super) const FIELDS_PER_TABLE: usize = 256;

/// The view tables of one schema.
#[derive(Debug)]
pub struct View {
    pub(super) schema_row: i64,
    pub(super) tables: Vec<String>,
    pub(super) schema: Schema,
    /// `v.operations, v.f0, v.f1, …`
    pub(super) columns: String,
    /// Whether long bytes are kept in brief. Such a schema has one field.
    pub(super) brief: bool,
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
            brief: *schema.id() == SchemaId::BLOB_PIECE,
            schema,
            columns,
        }
    }
}

/// `f7`
pub(super) fn name(index: usize) -> String {
    format!("f{index}")
}

/// Which of a schema's tables a field is in.
pub(super) const fn part(index: usize) -> usize {
    index / FIELDS_PER_TABLE
}

/// Where a field is found: `v.f7`, `v1.f300`.
pub(super) fn column(index: usize) -> String {
    match part(index) {
        0 => format!("v.f{index}"),
        part => format!("v{part}.f{index}"),
    }
}

/// The first table of a schema and some of the others.
pub(super) fn joined(tables: &[String], others: impl IntoIterator<Item = usize>) -> String {
    let first = format!("{} v", tables[0]);
    others.into_iter().fold(first, |before, part| {
        let table = &tables[part];
        format!("({before} JOIN {table} v{part} ON v{part}.document = v.document)")
    })
}

/// The direction in which documents are found.
pub(super) const fn direction(query: &DocumentQuery) -> &'static str {
    if query.order.descending == query.from_end {
        "ASC"
    } else {
        "DESC"
    }
}
