//! What the engine and the answers to clients ask of a database.
//!
//! A store keeps facts and finds them again; it decides nothing. Writes happen inside one
//! transaction at a time, opened by the engine; readers see the last committed state and never wait
//! for the writer. Every implementation passes the same contract tests.

mod border;
mod codec;
mod definition;
mod error;
mod indexes;
mod interned;
mod memory;
mod meter;
pub mod objects;
mod outside;
#[cfg(feature = "postgres")]
mod postgres;
pub mod query;
mod read;
mod rows;
mod shared;
mod sql;
mod sqlite;
mod trees;
mod write;

pub use error::StoreError;
pub use memory::{MemoryDisk, MemoryReader, MemoryStore};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresReader, PostgresStore, Server};
pub use query::{DocumentQuery, Standing};
pub use read::{Read, Take, entries_by_documents};
use rows::Parked;
pub use rows::{
    Change, Counts, DocumentRow, EntryRow, Expected, ForkRow, Need, NewEntry, News, OperationRow,
    ParkedMax, ParkedRow, PlacedEntry, SchemaOrigin, SchemaRow, ToldRow, TreeRow, Usage,
    ViewFields,
};
pub use shared::{SharedStore, Upkeep};
#[cfg(test)]
pub(crate) use sqlite::STATEMENTS;
pub use sqlite::{SqliteReader, SqliteStore};
pub use write::Store;
use write::TIMES_KEPT_S;
