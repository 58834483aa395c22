//! The store on a PostgreSQL server, which several processes may share.
//!
//! Each process has one connection that writes and any number that read the last committed state. One
//! process writes at a time, and hears in [`Store::begin`](super::Store::begin) what the others did.
//! Deleted bytes leave the tables' rows soon after [`Upkeep::drop_deleted_copies`]; the server's
//! write-ahead log, its free space and its backups are the operator's matter.

mod ahead;
mod clean;
mod codec;
mod database;
mod indexes;
mod outside;
mod pending;
mod read;
mod select;
mod send;
mod server;
mod versions;
mod view;
mod views;
mod write;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::objects::Objects;
use super::sql::Sql;
use super::{SharedStore, StoreError, Upkeep};
use clean::Cleaner;
use codec::get;
use database::Database;
use write::{Seen, Writer};

pub use server::Server;

/// How often to look for what other processes did.
const NEWS_INTERVAL: Duration = Duration::from_millis(250);

/// A connection, and what only the one that writes needs.
#[derive(Debug)]
pub struct Connection<W> {
    database: Database,
    writer: W,
    cleaner: Cleaner,
}

/// The one connection of a process that writes.
pub type PostgresStore = Connection<Writer>;

/// A connection that reads the last committed state.
pub type PostgresReader = Connection<()>;

impl PostgresStore {
    /// Connects to the database and makes it ready for use. Not to be called by an asynchronous task, like
    /// everything of this store.
    pub fn open(server: &Server) -> Result<Self, StoreError> {
        Self::open_with(server, None)
    }

    /// The same with large bytes outside of it. A database that refers to such can't do without. All
    /// processes that share a database have to name the same place.
    pub fn open_with(server: &Server, objects: Option<Arc<Objects>>) -> Result<Self, StoreError> {
        let database = Database::connect(server.clone())?;
        let database = database.with_objects(objects).with_sender(send::send);
        versions::bring_up_to_date(&database)?;
        database.find_indexes()?;
        let mut store = Self {
            database,
            writer: Writer::default(),
            cleaner: Cleaner::default(),
        };
        store.writer.seen = store.look()?;
        store.settle_objects()?;
        Ok(store)
    }

    fn look(&self) -> Result<Seen, StoreError> {
        let seen = self
            .database
            .first("SELECT generation, schemas FROM state", &[], |row| {
                let (generation, schemas) = (get(row, 0)?, get(row, 1)?);
                Ok(Seen {
                    generation,
                    schemas,
                })
            })?;
        seen.ok_or(StoreError::Corrupt("state"))
    }
}

impl Upkeep for PostgresStore {
    /// Has the tables vacuumed that rows were deleted from.
    fn drop_deleted_copies(&mut self) -> Result<bool, StoreError> {
        self.cleaner.advance(&self.database)
    }

    fn erase_discarded(&mut self) -> Result<bool, StoreError> {
        self.erase_objects()
    }

    fn create_index(&mut self) -> Result<bool, StoreError> {
        self.make_index()
    }

    fn has_news(&mut self) -> Result<bool, StoreError> {
        Ok(self.look()? != self.writer.seen)
    }
}

impl SharedStore for PostgresStore {
    type Reader = PostgresReader;

    fn reader(&self) -> Result<PostgresReader, StoreError> {
        let database = Database::connect(self.database.server().clone())?
            .with_objects(self.objects())
            .with_advisor(self.database.advisor.clone());
        Ok(Connection {
            database,
            writer: (),
            cleaner: Cleaner::default(),
        })
    }

    fn interrupt(reader: &PostgresReader) -> Box<dyn Fn() + Send + Sync> {
        Box::new(reader.database.interrupt())
    }

    fn objects(&self) -> Option<Arc<Objects>> {
        self.database.objects().cloned()
    }

    fn on_index_wanted(&self, tell: Box<dyn Fn() + Send + Sync>) {
        self.database.advisor.on_advice(tell);
    }

    fn news_interval(&self) -> Option<Duration> {
        Some(NEWS_INTERVAL)
    }
}

/// What went wrong, without what was sent: a statement's values, a password.
fn failure(error: &postgres::Error) -> StoreError {
    let text = match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(": ");
                text.push_str(&error.to_string());
                cause = error.source();
            }
            text
        }
    };
    StoreError::Server(text)
}
