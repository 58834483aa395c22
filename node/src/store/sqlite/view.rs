//! The place of the current views of one schema: its table and its columns.
//!
//! A table of its own is made for a schema of many documents only. Each new table has every connection read the
//! definitions of all tables anew, which with ten thousand of them takes longer than a question may; so the few
//! documents of a small schema lie in a table that all such schemas share, and no stranger's schema costs
//! others anything.
//!
//! What is done with it stands in `views`.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use grove_core::types::{Schema, SchemaId};

/// The table that small schemas share.
pub(super) const SHARED_TABLE: &str = "small_views";

/// How many fields of a schema have room in it.
pub(super) const SHARED_FIELDS_MAX: usize = 64;

/// From this number of live documents on, a schema gets a table of its own.
pub(super) const SHARED_DOCUMENTS_MAX: u64 = 64;

/// The views of one schema.
#[derive(Debug)]
pub struct View {
    pub(super) schema_row: i64,
    pub(super) schema: Schema,
    /// `operations, f0, f1, …`
    pub(super) columns: String,
    /// Whether long bytes are kept in brief.
    pub(super) brief: bool,
    /// Whether there is a table of their own; once there is, it stays.
    own: AtomicBool,
    /// How many live documents there were when that was last asked for. Not kept up where there is.
    live: AtomicU64,
}

/// The name of the own table of the schema of this number.
pub(super) fn own_table(schema_row: i64) -> String {
    format!("view_{schema_row}")
}

impl View {
    pub fn new(schema_row: i64, schema: Schema) -> Self {
        let mut columns = String::from("operations");
        for index in 0..schema.fields().len() {
            write!(columns, ", f{index}").expect("writing to a string");
        }
        // Those of system schemas are there from the beginning.
        let is_system = matches!(schema.id(), SchemaId::System(_));
        Self {
            schema_row,
            brief: *schema.id() == SchemaId::BLOB_PIECE,
            schema,
            columns,
            own: AtomicBool::new(is_system),
            live: AtomicU64::new(0),
        }
    }

    pub(super) fn has_own_table(&self) -> bool {
        self.own.load(Relaxed)
    }

    /// Notes what the database tells.
    pub(super) fn note(&self, own: bool, live: u64) {
        self.own.store(own, Relaxed);
        self.live.store(live, Relaxed);
    }

    /// Whether one more document is too much for the shared table.
    pub(super) fn outgrows_shared(&self) -> bool {
        !self.has_own_table() && self.live.load(Relaxed) >= SHARED_DOCUMENTS_MAX
    }

    /// Whether the shared table has room for all fields. Otherwise there is an own one from the beginning.
    pub(super) fn fits_shared(&self) -> bool {
        self.schema.fields().len() <= SHARED_FIELDS_MAX
    }

    /// What questions name as the table: SQLite takes it for the part of the shared table that it is, and finds
    /// documents there by the same key.
    pub(super) fn source(&self) -> String {
        if self.has_own_table() {
            own_table(self.schema_row)
        } else {
            format!(
                "(SELECT * FROM {SHARED_TABLE} WHERE schema = {})",
                self.schema_row
            )
        }
    }
}
