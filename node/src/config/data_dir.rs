//! The directory of a node: one holds everything, readable by its owner alone, and one node at a time holds
//! the directory.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use grove_core::types::KeyPair;

use super::{Config, StartError, node_key};
use crate::store::objects::{Location, Objects};

/// How many names for a temporary directory are tried.
const ATTEMPTS_MAX: u32 = 1000;

/// The directory of a node, held by this process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    ephemeral: bool,
    /// The lock ends with the file.
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes hold of it.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let path = match config.ephemeral && config.data_dir.is_none() {
            true => temporary()?,
            false => Self::lasting(config)?,
        };
        let failed = |source| StartError::DataDir {
            path: path.clone(),
            source,
        };
        private().recursive(true).create(&path).map_err(failed)?;
        Ok(Self {
            _lock: lock(&path.join("lock"), &path)?,
            path,
            // Only what was made here is ever removed, never a directory somebody named.
            ephemeral: config.ephemeral && config.data_dir.is_none(),
        })
    }

    /// Where a node that keeps its data has its directory.
    pub fn lasting(config: &Config) -> Result<PathBuf, StartError> {
        if let Some(path) = &config.data_dir {
            return Ok(path.clone());
        }
        let directories = ProjectDirs::from("", "", "grove").ok_or(StartError::NoHome)?;
        Ok(directories.data_dir().to_owned())
    }

    /// Where the node that runs over a directory listens to its operator.
    pub fn admin_socket(path: &Path) -> PathBuf {
        path.join("admin.sock")
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key by which the node proves to others who it is.
    pub fn node_key(&self) -> Result<KeyPair, StartError> {
        node_key::load(&self.path)
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join("grove.sqlite3")
    }

    /// Where large bytes are kept, in the data directory unless the operator wants it otherwise. What
    /// the database remembers is of no use without them, so those of one that lasts have to last, too.
    pub fn objects(&self, config: &Config, lasting: bool) -> Result<Objects, StartError> {
        let location = match &config.blobs_url {
            None => Location::Folder(self.path.join("blobs")),
            Some(url) => url.parse().map_err(StartError::BlobsUrl)?,
        };
        if let Location::Folder(path) = &location
            && lasting
            && is_passing(path)
        {
            return Err(StartError::BlobsPassing { path: path.clone() });
        }
        Objects::open(&location).map_err(StartError::Blobs)
    }

    /// Whether the data goes when the node ends.
    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.ephemeral {
            // What cannot be removed is left to the system, which clears its temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Whether what is kept there goes by itself.
pub(crate) fn is_passing(path: &Path) -> bool {
    std::path::absolute(path).is_ok_and(|path| path.starts_with(std::env::temp_dir()))
}

/// Takes hold of what one process may use at a time, by a file beside or within it.
pub(crate) fn lock(file: &Path, held: &Path) -> Result<File, StartError> {
    let path = held.to_owned();
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file);
    let lock = match lock {
        Ok(lock) => lock,
        Err(source) => return Err(StartError::DataDir { path, source }),
    };
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StartError::DataDir { path, source }),
    }
}

/// Creates directories that only their owner can look into.
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes a temporary directory. One that exists may be somebody else's trap and is never taken.
fn temporary() -> Result<PathBuf, StartError> {
    let mut attempt = 0;
    loop {
        let name = format!("grove-node-{}-{attempt}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match private().create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS_MAX => {
                attempt += 1;
            }
            Err(source) => return Err(StartError::DataDir { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(data_dir: Option<PathBuf>) -> Config {
        Config {
            data_dir,
            ..Config::ephemeral()
        }
    }

    #[test]
    fn only_directories_made_here_are_removed() {
        let made = DataDir::open(&config(None)).unwrap();
        let path = made.path().to_owned();
        assert!(path.is_dir());
        drop(made);
        assert!(!path.exists());

        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("named");
        drop(DataDir::open(&config(Some(named.clone()))).unwrap());
        assert!(named.is_dir());
    }
}
