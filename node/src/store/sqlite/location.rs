//! Whether the files of a running database are still where they were.
//!
//! A file that was deleted or replaced can be written on, since it stays open: what is acknowledged then is
//! lost with the process. So before each commit, and whenever a node is asked how it is, their places are
//! looked at. Both take a few microseconds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::store::StoreError;

/// What tells a file from another one at the same path.
type Identity = (u64, u64);

/// Where a database is, and which files were found there. Cheap to clone; clones know the same.
#[derive(Debug, Clone)]
pub(super) struct Location(Arc<Files>);

#[derive(Debug)]
struct Files {
    path: PathBuf,
    database: Identity,
    log_path: PathBuf,
    /// Known from the first commit on: SQLite makes it when it is needed.
    log: OnceLock<Identity>,
}

impl Location {
    /// The place of a database that was just opened.
    pub(super) fn of(path: PathBuf) -> Result<Self, StoreError> {
        let mut log_path = path.clone().into_os_string();
        log_path.push("-wal");
        let database = identity(&path)?;
        Ok(Self(Arc::new(Files {
            database,
            path,
            log_path: log_path.into(),
            log: OnceLock::new(),
        })))
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether both files are still there and the same.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let files = &self.0;
        let log = identity(&files.log_path);
        let is_same = identity(&files.path).is_ok_and(|found| found == files.database);
        let is_log_same = match (files.log.get(), log) {
            (Some(known), Ok(found)) => *known == found,
            (Some(_), Err(_)) => false,
            (None, Ok(found)) => *files.log.get_or_init(|| found) == found,
            (None, Err(_)) => true,
        };
        match is_same && is_log_same {
            true => Ok(()),
            false => Err(StoreError::Moved),
        }
    }

    /// Whether the disk has so much room left.
    pub(super) fn check_room(&self, min: u64) -> Result<(), StoreError> {
        match room(&self.0.path)? {
            room if room < min => Err(StoreError::Full(room)),
            _ => Ok(()),
        }
    }
}

/// What of the disk on which a file lies may still be written.
#[cfg(unix)]
fn room(path: &Path) -> Result<u64, StoreError> {
    let disk = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Elsewhere it shows when it is full.
#[cfg(not(unix))]
fn room(_: &Path) -> Result<u64, StoreError> {
    Ok(u64::MAX)
}

#[cfg(unix)]
fn identity(path: &Path) -> Result<Identity, StoreError> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Elsewhere an open file can't be deleted, so that it is enough to see one.
#[cfg(not(unix))]
fn identity(path: &Path) -> Result<Identity, StoreError> {
    std::fs::metadata(path)?;
    Ok((0, 0))
}
