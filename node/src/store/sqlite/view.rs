//! The table of the current views of one schema: its name and its columns.
//!
//! What is done with it stands in `views`.

use std::fmt::Write;

use grove_core::types::{Schema, SchemaId};

/// The view table of one schema.
#[derive(Debug)]
pub struct View {
    pub(super) schema_row: i64,
    pub(super) table: String,
    pub(super) schema: Schema,
    /// `operations, f0, f1, …`
    pub(super) columns: String,
    /// Whether long bytes are kept in brief.
    pub(super) brief: bool,
}

/// The name of the view table of the schema of this number.
pub(super) fn table(schema_row: i64) -> String {
    format!("view_{schema_row}")
}

impl View {
    pub fn new(schema_row: i64, schema: Schema) -> Self {
        let mut columns = String::from("operations");
        for index in 0..schema.fields().len() {
            write!(columns, ", f{index}").expect("writing to a string");
        }
        Self {
            schema_row,
            table: table(schema_row),
            brief: *schema.id() == SchemaId::BLOB_PIECE,
            schema,
            columns,
        }
    }
}
