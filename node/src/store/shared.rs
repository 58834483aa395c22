//! What a deployed node asks of a store beside questions and changes: readers, upkeep, and what other
//! processes changed.

use std::sync::Arc;
use std::time::Duration;

use super::StoreError;
use super::objects::{Objects, Swept};
use super::read::Read;
use super::write::Store;

/// What a store does for its own sake, between transactions. None of it changes an answer, so nobody who can
/// do no more than this can write past the engine.
pub trait Upkeep {
    /// Drops the last copies of deleted bytes that the database keeps for its own purposes: SQLite in its
    /// write-ahead log, PostgreSQL in dead rows. Returns whether that succeeded; somebody who reads for too
    /// long may prevent it.
    fn drop_deleted_copies(&mut self) -> Result<bool, StoreError>;

    /// Erases what lies outside of the database and belonged to what was deleted. Returns whether all is
    /// gone; a slow service may take longer than the writer waits.
    fn erase_discarded(&mut self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Creates one index that questions asked lately would be faster with; returns whether there was any to
    /// create.
    fn create_index(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Whether other processes changed something since the last transaction, as far as a look without
    /// one can tell.
    fn has_news(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// A store that others read while one writes it, as a deployed node needs it.
pub trait SharedStore: Store + Upkeep + Send + 'static {
    /// A connection that only reads, and sees the last committed state.
    type Reader: Read + Send + 'static;

    /// Another connection to the same database.
    fn reader(&self) -> Result<Self::Reader, StoreError>;

    /// What makes the question fail that this connection is answering, called from another thread. Does
    /// nothing to one that has been answered.
    fn interrupt(_: &Self::Reader) -> Box<dyn Fn() + Send + Sync> {
        Box::new(|| {})
    }

    /// Where it keeps large bytes outside of the database, if it does. Who publishes puts them there
    /// first, so that the writer finds them.
    fn objects(&self) -> Option<Arc<Objects>> {
        None
    }

    /// Erases objects older than this that no entry refers to, as a crash may have left them; or only
    /// tells how much that would be. An object being put just now is one of them.
    fn sweep_objects(&self, older_than: Duration, dry_run: bool) -> Result<Swept, StoreError>
    where
        Self: Sized,
    {
        match self.objects() {
            None => Ok(Swept::default()),
            Some(objects) => (0..=u8::MAX).try_fold(Swept::default(), |swept, shard| {
                Ok(swept + objects.sweep(shard, older_than, dry_run, self)?)
            }),
        }
    }

    /// What tells, from whatever thread and at any time, whether the database is still where it was.
    fn health_check(&self) -> Box<dyn Fn() -> Result<(), StoreError> + Send + Sync> {
        Box::new(|| Ok(()))
    }

    /// Whom to tell, from whatever thread, that [`create_index`](Upkeep::create_index) has something to do.
    fn on_index_wanted(&self, _tell: Box<dyn Fn() + Send + Sync>) {}

    /// How often to look for what other processes changed; `None` when none can.
    fn news_interval(&self) -> Option<Duration> {
        None
    }
}
