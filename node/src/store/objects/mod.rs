//! Bytes of operations that are too large for the database: one object each, on the file system or in
//! a service that speaks S3.
//!
//! Only pieces of blobs are that large. The database holds an object's name and size; whose it is, and
//! when it may go, is the database's to say. Here objects are written, read and erased, and nothing
//! is decided.
//!
//! Always true:
//! - An object is there as a whole or not at all, and once it was put no crash loses it.
//! - Every put makes an object of its own, under a name never used before. So erasing one that nobody
//!   took harms no other, even when two processes store the same operation at once.
//! - Nothing outside of the given folder, or prefix, is looked at, and in it nothing that was not
//!   written here is erased.
//!
//! Stores are synchronous and may be asked from any thread, so the work is done by a small runtime of
//! its own, for whose answer they wait.

#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "s3")]
mod client;
mod erase;
mod location;
mod storage;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::Add;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use bytes::Bytes;
use grove_core::types::{Hash, SchemaId};
use tokio::runtime::Runtime;

use super::{Read, StoreError};
use erase::Erasing;
use storage::ObjectStorage;

pub use location::{Location, LocationError};

/// From which size on the bytes of a piece get an object. Smaller ones cost less in the database: an
/// object takes two syncs of its own.
pub const OBJECT_SIZE_MIN: usize = 8 * 1024;

/// What a mark says; its name is what tells it from others.
#[cfg(feature = "postgres")]
const MARK: &[u8] = b"the blobs of a node are kept here\n";

/// How many objects are read and written at once. Further ones wait.
const TASKS_MAX: usize = 16;

/// Where large bytes are kept.
pub struct Objects {
    storage: ObjectStorage,
    /// Objects put for operations that the writer has yet to take.
    staged: Mutex<BTreeMap<Hash, String>>,
    erasing: Mutex<Erasing>,
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Objects").field(&self.storage).finish()
    }
}

/// What a sweep found that belongs to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Add for Swept {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Objects {
    /// Objects in this folder, which is created for its owner alone if there is none.
    pub fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        Self::open(&Location::Folder(folder.to_owned()))
    }

    /// Objects at this place. Nothing is asked of a service yet.
    pub fn open(location: &Location) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(TASKS_MAX)
            .thread_name("grove-objects")
            .enable_all()
            .build()?;
        Ok(Self {
            storage: ObjectStorage::open(location)?,
            staged: Mutex::default(),
            erasing: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    /// Whether an operation of this schema and size gets an object.
    pub fn takes(schema_id: &SchemaId, payload: &[u8]) -> bool {
        *schema_id == SchemaId::BLOB_PIECE && payload.len() >= OBJECT_SIZE_MIN
    }

    /// The operation whose bytes the object of this name holds; `None` when the name was not made here.
    pub(super) fn operation_of(name: &str) -> Option<Hash> {
        storage::operation_of(name)
    }

    /// Puts the bytes of an operation ahead of the transaction that stores it, so that the writer need
    /// not wait. Unless it is taken, the object goes with the answer.
    pub async fn stage(
        self: &Arc<Self>,
        hash: Hash,
        payload: Vec<u8>,
    ) -> Result<Staged, StoreError> {
        let name = storage::new_name(hash)?;
        let (storage, wanted) = (self.storage.clone(), name.clone());
        let put = self
            .runtime()
            .spawn(async move { storage.put(&wanted, Bytes::from(payload)).await });
        put.await.map_err(|_| ENDED)??;
        let held = match lock(&self.staged).entry(hash) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(name.clone());
                true
            }
            std::collections::btree_map::Entry::Occupied(_) => false,
        };
        Ok(Staged {
            objects: Arc::clone(self),
            hash,
            name,
            held,
        })
    }

    /// The name of an object with the bytes of an operation: a staged one, or one made now.
    pub(super) fn take(&self, hash: Hash, payload: &[u8]) -> Result<String, StoreError> {
        if let Some(name) = lock(&self.staged).remove(&hash) {
            return Ok(name);
        }
        let name = storage::new_name(hash)?;
        let (storage, wanted, payload) = (
            self.storage.clone(),
            name.clone(),
            Bytes::copy_from_slice(payload),
        );
        self.wait(async move { storage.put(&wanted, payload).await })??;
        Ok(name)
    }

    /// The bytes of an object, if it is there and has this size and hash. What is missing or damaged
    /// is told of in the log and is not there.
    pub(super) fn get(
        &self,
        name: &str,
        size: u64,
        hash: Hash,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (storage, wanted) = (self.storage.clone(), name.to_owned());
        let found = self.wait(async move { storage.get(&wanted, size).await })??;
        let whole = found.filter(|bytes| Hash::of(bytes) == hash);
        if whole.is_none() {
            tracing::error!(name, "the bytes of a piece are missing or damaged");
        }
        Ok(whole.map(Vec::from))
    }

    /// Marks this place, so that it is known again; returns the mark.
    #[cfg(feature = "postgres")]
    pub(super) fn mark(&self) -> Result<String, StoreError> {
        let name = storage::new_mark()?;
        let (storage, wanted) = (self.storage.clone(), name.clone());
        self.wait(async move { storage.put(&wanted, Bytes::from_static(MARK)).await })??;
        Ok(name)
    }

    /// Whether this place has the mark.
    #[cfg(feature = "postgres")]
    pub(super) fn is_marked(&self, mark: &str) -> Result<bool, StoreError> {
        let (storage, wanted) = (self.storage.clone(), mark.to_owned());
        let found = self.wait(async move { storage.get(&wanted, MARK.len() as u64).await })??;
        Ok(found.is_some())
    }

    /// Erases objects older than this that the store knows nothing of, as a crash may have left them;
    /// or only tells how much that would be. Looks at those whose operations' hashes begin with this byte.
    ///
    /// Needs no lock: objects get names that were never used before, so what belongs to nothing now will
    /// belong to nothing later, unless it is so young that its entry is on its way.
    pub fn sweep(
        &self,
        shard: u8,
        older_than: Duration,
        dry_run: bool,
        store: &dyn Read,
    ) -> Result<Swept, StoreError> {
        let mut swept = self.storage.sweep_unfinished(shard, older_than, dry_run)?;
        let mut orphans = Vec::new();
        for (name, size) in self.list(shard, older_than)? {
            if !store.has_object(&name)? {
                swept.objects += 1;
                swept.bytes += size;
                orphans.push(name);
            }
        }
        if !dry_run && !orphans.is_empty() {
            self.erase(orphans)?;
        }
        Ok(swept)
    }

    fn list(&self, shard: u8, older_than: Duration) -> Result<Vec<(String, u64)>, StoreError> {
        let storage = self.storage.clone();
        self.wait(async move { storage.list(shard, older_than).await })?
    }

    /// Erases objects, and waits until that is done.
    fn erase(&self, names: Vec<String>) -> Result<(), StoreError> {
        let storage = self.storage.clone();
        self.wait(async move { storage.erase(names).await })?
    }

    /// Runs a task to its end. The thread that waits may itself belong to another runtime.
    fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.begin(task).recv().map_err(|_| ENDED)
    }

    /// Begins a task; its result can be waited for.
    fn begin<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            // Who asked may have stopped waiting.
            let _ = sender.send(task.await);
        });
        receiver
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken only on drop")
    }
}

const ENDED: StoreError = StoreError::Misfit("object storage");

impl Drop for Objects {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on those of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An object that waits for the entry it belongs to.
#[derive(Debug)]
pub struct Staged {
    objects: Arc<Objects>,
    hash: Hash,
    name: String,
    /// Whether the writer finds it; not when somebody else published the same just then.
    held: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let mut staged = lock(&self.objects.staged);
        let waits = staged.get(&self.hash) == Some(&self.name);
        if waits {
            staged.remove(&self.hash);
        }
        drop(staged);
        if waits || !self.held {
            let (storage, name) = (self.objects.storage.clone(), self.name.clone());
            // Should it fail, a sweep finds it.
            drop(
                self.objects
                    .begin(async move { storage.erase(vec![name]).await }),
            );
        }
    }
}

/// A panic while the lock was held leaves what it guards as it was: each change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
