//! The store in one SQLite file: opening it, its transactions.
//!
//! One connection writes; any number of others read, each seeing the last committed state without
//! waiting. Deleted bytes are overwritten in the file, and leave the write-ahead log with the next
//! [`Upkeep::drop_deleted_copies`]. A page of the file that is not what was written fails the questions that
//! need it, and no others.

mod codec;
mod database;
mod indexes;
mod location;
mod outside;
mod pages;
mod read;
mod select;
mod versions;
mod vfs;
mod view;
mod views;
mod write;

#[cfg(test)]
mod bound;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use database::STATEMENTS;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, FileControl, OpenFlags};

use super::objects::Objects;
use super::sql::Sql;
use super::{Parked, SharedStore, StoreError, Upkeep};
use crate::store::indexes::IndexAdvisor;
use database::Database;
use location::Location;

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long emptying the write-ahead log waits for readers.
const READERS_PATIENCE: Duration = Duration::from_millis(100);

/// Memory for pages of the writer. Hashes spread over all of an index, so that a small cache would
/// read most pages again.
const CACHE_SIZE_KIB: i64 = 32 * 1024;

/// At how many pages the write-ahead log is moved into the database: 16 MiB of them. Each move costs
/// two syncs and a write per page changed, however often it was changed.
const LOG_PAGES_MAX: i64 = 4 * 1024;

/// The first version that keeps large bytes outside.
const WITH_OBJECTS: usize = 3;

/// Every statement with fixed text, and those of the views in use.
const STATEMENTS_MAX: usize = 256;

/// The one connection that writes.
#[derive(Debug)]
pub struct SqliteStore {
    database: Database,
    /// Where readers find the database; `None` in memory.
    location: Option<Location>,
    /// What is parked, once counted.
    parked: Option<Parked>,
    /// With how little room on the disk the database still counts as well.
    free_min: u64,
}

impl SqliteStore {
    /// Opens the database in this file, creating it for its owner alone if there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, None)
    }

    /// The same with large bytes outside of it. A database that refers to such can't do without.
    pub fn open_with(path: &Path, objects: Option<Arc<Objects>>) -> Result<Self, StoreError> {
        create_private(path)?;
        // Absolute, so that it stays true, and can't be mistaken for one of SQLite's special names.
        let path = path.canonicalize()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        vfs::register()?;
        let connection = Connection::open_with_flags_and_vfs(&path, flags, vfs::NAME)?;
        Self::set_up(connection, Some(Location::of(path)?), objects)
    }

    /// The same store, which counts as unwell when its disk has less room than this.
    pub fn with_free_min(self, free_min: u64) -> Self {
        Self { free_min, ..self }
    }

    /// A new database in memory, gone with the store. It has no readers but itself.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::set_up(Connection::open_in_memory()?, None, None)
    }

    fn set_up(
        connection: Connection,
        location: Option<Location>,
        objects: Option<Arc<Objects>>,
    ) -> Result<Self, StoreError> {
        tune(&connection)?;
        // Looked at before anything that writes: another program's file stays as it is.
        let version = versions::found(&connection)?;
        reserve_room_for_sums(&connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -CACHE_SIZE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        //= OP9: what is deleted is gone, not just out of sight
        connection.pragma_update(None, "secure_delete", "ON")?;
        if (1..versions::WITH_SUMS).contains(&version) {
            rewrite(&connection)?;
        }
        let database = Database::new(connection, IndexAdvisor::default())?.with_objects(objects);
        if version < versions::VERSION {
            versions::bring_to(versions::VERSION, &database)?;
        }
        database.find_indexes()?;
        let mut store = Self {
            database,
            location,
            parked: None,
            free_min: 0,
        };
        if (1..WITH_OBJECTS).contains(&version) && store.database.objects().is_some() {
            store.move_outside()?;
        }
        Ok(store)
    }
}

impl Upkeep for SqliteStore {
    /// Moves the write-ahead log into the database and empties it. Waits for readers only for as long as
    /// short questions take: while it waits, nobody can write.
    fn drop_deleted_copies(&mut self) -> Result<bool, StoreError> {
        let connection = self.database.connection();
        connection.busy_timeout(READERS_PATIENCE)?;
        let busy: Result<bool, _> =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Pages in memory may hold copies that the file does not, and would bring them back.
        connection.release_memory()?;
        Ok(!busy?)
    }

    fn erase_discarded(&mut self) -> Result<bool, StoreError> {
        self.erase_objects()
    }

    fn create_index(&mut self) -> Result<bool, StoreError> {
        self.make_index()
    }
}

impl SharedStore for SqliteStore {
    type Reader = SqliteReader;

    fn reader(&self) -> Result<SqliteReader, StoreError> {
        let location = self.location.as_ref().ok_or(StoreError::InMemory)?;
        let path = location.path();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags_and_vfs(path, flags, vfs::NAME)?;
        tune(&connection)?;
        Ok(SqliteReader {
            database: Database::new(connection, self.database.advisor.clone())?
                .with_objects(self.objects()),
        })
    }

    fn interrupt(reader: &SqliteReader) -> Box<dyn Fn() + Send + Sync> {
        let handle = reader.database.connection().get_interrupt_handle();
        Box::new(move || handle.interrupt())
    }

    fn on_index_wanted(&self, tell: Box<dyn Fn() + Send + Sync>) {
        self.database.advisor.on_advice(tell);
    }

    fn objects(&self) -> Option<Arc<Objects>> {
        self.database.objects().cloned()
    }

    fn health_check(&self) -> Box<dyn Fn() -> Result<(), StoreError> + Send + Sync> {
        match self.location.clone() {
            Some(location) => {
                let free_min = self.free_min;
                Box::new(move || {
                    location.check()?;
                    location.check_room(free_min)
                })
            }
            None => Box::new(|| Ok(())),
        }
    }
}

impl AsRef<Database> for SqliteStore {
    fn as_ref(&self) -> &Database {
        &self.database
    }
}

/// A connection that reads the last committed state.
#[derive(Debug)]
pub struct SqliteReader {
    database: Database,
}

impl AsRef<Database> for SqliteReader {
    fn as_ref(&self) -> &Database {
        &self.database
    }
}

/// Creates the file unless it exists, for its owner alone; what SQLite puts beside it follows suit.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    Ok(())
}

/// Settings of every connection, none of which touches the file.
fn tune(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Plans look at no bound value, so none makes a statement be prepared anew: that takes longer than its use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    rusqlite::vtab::array::load_module(connection)?;
    select::add_functions(connection)
}

/// Has every page end with room for its sum. Takes effect when the database is made, or made anew.
fn reserve_room_for_sums(connection: &Connection) -> Result<(), StoreError> {
    let mut room = pages::SUM_LEN as i32;
    Ok(connection.file_control(Some("main"), FileControl::ReserveBytes(&mut room))?)
}

/// Writes all pages of a database anew, so that each has room for its sum and none holds what was deleted.
fn rewrite(connection: &Connection) -> Result<(), StoreError> {
    // All of it need not be held in memory. In the order in which the write-ahead log is moved into the file,
    // the header that says that there are sums comes first.
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection.release_memory()?)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_IOERR_DATA, SQLITE_NOTADB};
        match error.sqlite_error() {
            Some(cause)
                if cause.extended_code == SQLITE_IOERR_DATA
                    || matches!(cause.extended_code & 0xff, SQLITE_CORRUPT | SQLITE_NOTADB) =>
            {
                Self::Damaged(format!("{error} (code {})", cause.extended_code))
            }
            Some(cause) => Self::Database(format!("{error} (code {})", cause.extended_code)),
            None => Self::Database(error.to_string()),
        }
    }
}
