//! Objects by name: put, got, listed, erased.
//!
//! Names are `ab/<hash of the operation>-<something random>`, where `ab` are the first digits of the hash. In a
//! folder that is a file in one of 256 folders. Marks of the place are `marks/<something random>`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use grove_core::types::Hash;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Location, Swept};
use crate::store::StoreError;

/// The place of all objects. Cheap to clone.
#[derive(Clone)]
pub(super) struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    /// Where they are files.
    folder: Option<Arc<Path>>,
}

impl fmt::Debug for ObjectStorage {
    /// Says nothing of keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectStorage").field(&self.folder).finish()
    }
}

impl ObjectStorage {
    pub(super) fn open(location: &Location) -> Result<Self, StoreError> {
        match location {
            Location::Folder(path) => Self::in_folder(path),
            Location::Bucket { bucket, prefix } => Self::in_bucket(bucket, prefix),
        }
    }

    fn in_folder(path: &Path) -> Result<Self, StoreError> {
        private().recursive(true).create(path)?;
        let path = path.canonicalize()?;
        // Files and the folders that name them are synced before a put returns.
        let store = LocalFileSystem::new_with_prefix(&path)?.with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            folder: Some(path.into()),
        })
    }

    #[cfg(feature = "s3")]
    fn in_bucket(bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        Ok(Self {
            store: super::bucket::open(bucket, prefix)?,
            folder: None,
        })
    }

    #[cfg(not(feature = "s3"))]
    fn in_bucket(_: &str, _: &str) -> Result<Self, StoreError> {
        let text = "this program was built without its feature s3";
        Err(StoreError::Objects(text.to_owned()))
    }

    /// Puts an object; when this returns, no crash loses it.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let done = self.try_put(name, bytes).await;
        if done.is_err() {
            // It may be there all the same, as when only the answer was lost.
            let _ = self.erase(vec![name.to_owned()]).await;
        }
        done
    }

    async fn try_put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let file = self.folder.as_ref().map(|folder| folder.join(name));
        if let Some(file) = &file {
            make_shard(file)?;
        }
        self.store.put(&Name::from(name), bytes.into()).await?;
        if let Some(file) = &file {
            for_owner_alone(file)?;
        }
        Ok(())
    }

    /// The bytes of an object of this size. Of any other size, it is not the one that was put.
    pub(super) async fn get(&self, name: &str, size: u64) -> Result<Option<Bytes>, StoreError> {
        match self.store.get(&Name::from(name)).await {
            Ok(found) if found.meta.size == size => Ok(Some(found.bytes().await?)),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Erases objects; none of them comes back after a crash. Those that are gone already are no error.
    pub(super) async fn erase(&self, names: Vec<String>) -> Result<(), StoreError> {
        let wanted: Vec<_> = names
            .iter()
            .map(|name| Ok(Name::from(name.as_str())))
            .collect();
        let mut erased = self.store.delete_stream(stream::iter(wanted).boxed());
        while let Some(done) = erased.next().await {
            match done {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let synced = tokio::task::spawn_blocking(move || {
            let shards: BTreeSet<_> = names.iter().filter_map(|name| name.get(..2)).collect();
            shards
                .into_iter()
                .try_for_each(|shard| sync_folder(&folder.join(shard)))
        });
        synced.await.map_err(|_| super::ENDED)?
    }

    /// The objects of a shard that are older than this. What was not put here is left out.
    pub(super) async fn list(
        &self,
        shard: u8,
        older_than: Duration,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let until = cutoff(older_than);
        let prefix = Name::from(hex::encode([shard]));
        let found: Vec<_> = self.store.list(Some(&prefix)).try_collect().await?;
        Ok(found
            .into_iter()
            .filter(|meta| SystemTime::from(meta.last_modified) <= until)
            .map(|meta| (meta.location.to_string(), meta.size))
            .filter(|(name, _)| operation_of(name).is_some())
            .collect())
    }

    /// Removes what a crash left of files of a shard that were being written. They have names of their
    /// own, under which nobody finds an object.
    pub(super) fn sweep_unfinished(
        &self,
        shard: u8,
        older_than: Duration,
        dry_run: bool,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let Some(folder) = &self.folder else {
            return Ok(swept);
        };
        let until = cutoff(older_than);
        let entries = match std::fs::read_dir(folder.join(hex::encode([shard]))) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(swept),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Some(size) = unfinished(&entry, until) else {
                continue;
            };
            if !dry_run {
                std::fs::remove_file(entry.path())?;
            }
            swept.objects += 1;
            swept.bytes += size;
        }
        Ok(swept)
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        Self::Objects(error.to_string())
    }
}

/// A name for an object with the bytes of this operation, never given out before.
pub(super) fn new_name(hash: Hash) -> Result<String, StoreError> {
    let random = getrandom::u64().map_err(|error| StoreError::Failed(error.to_string()))?;
    let digits = hex::encode(hash.digest());
    Ok(format!("{}/{digits}-{random:016x}", &digits[..2]))
}

/// A name for a mark of this place, never given out before. It is not that of an object.
#[cfg(feature = "postgres")]
pub(super) fn new_mark() -> Result<String, StoreError> {
    let random = getrandom::u64().map_err(|error| StoreError::Failed(error.to_string()))?;
    Ok(format!("marks/{random:016x}"))
}

/// The operation whose bytes the object of this name holds; `None` when the name was not made here.
pub(super) fn operation_of(name: &str) -> Option<Hash> {
    let (shard, rest) = name.split_once('/')?;
    let (digits, random) = rest.split_once('-')?;
    let lower = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let ours = digits.starts_with(shard) && shard.len() == 2 && random.len() == 16;
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    (ours && lower(digits) && lower(random)).then(|| Hash::from_digest(digest))
}

/// The size of a file that was being written under the name of an object and a number, if it is older.
fn unfinished(entry: &std::fs::DirEntry, until: SystemTime) -> Option<u64> {
    let name = entry.file_name();
    let (object, number) = name.to_str()?.split_once('#')?;
    let shard = object.get(..2)?;
    operation_of(&format!("{shard}/{object}"))?;
    number.parse::<u32>().ok()?;
    let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
    (metadata.modified().ok()? <= until).then_some(metadata.len())
}

fn cutoff(older_than: Duration) -> SystemTime {
    SystemTime::now()
        .checked_sub(older_than)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Creates the folder of a file for its owner alone, unless it is there.
fn make_shard(file: &Path) -> Result<(), StoreError> {
    let Some(shard) = file.parent() else {
        return Ok(());
    };
    match private().create(shard) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => shard.parent().map_or(Ok(()), sync_folder),
    }
}

/// Makes what was created, renamed or removed in a folder outlive a crash.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    match std::fs::File::open(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        opened => opened?.sync_all()?,
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// The folder lets nobody else in, so there is no moment in which others could read the file.
fn for_owner_alone(file: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Creates folders that only their owner can look into.
fn private() -> std::fs::DirBuilder {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
