//! Processes that write with one key take turns, and tell each other what they wrote.
//!
//! Beside the key file lie `<key>.lock`, which is held during a turn and never removed, and `<key>.heads`,
//! the last entries of the key. Both are readable by their owner alone.
//!
//! Where the folder of the key cannot be written to there are no turns: then the node decides who comes first,
//! and who was too late signs anew.
//!
//! Always true:
//! - At most one process has the turn; it ends with the process, however that ends.
//! - The file of the heads is whole at any time: a new one takes the place of the old.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::heads::Heads;

/// Pause between two looks whether the turn is free; doubled up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Largest file of heads that is read.
const HEADS_SIZE_MAX: u64 = 1024 * 1024;

/// The turn of this process, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// `None` where no lock can be had beside the key.
    lock: Option<File>,
    heads_path: PathBuf,
}

impl Turn {
    /// Waits for the turn to write with the key in this file, but not for ever.
    pub async fn wait(key_path: &Path, patience: Duration) -> Result<Self, TurnError> {
        let path = beside(key_path, ".lock");
        let heads_path = beside(key_path, ".heads");
        let lock = match private(OpenOptions::new().create(true)).open(&path) {
            Ok(lock) => lock,
            Err(error) if is_read_only(&error) => {
                return Ok(Self {
                    lock: None,
                    heads_path,
                });
            }
            Err(error) => return Err(TurnError::Io { path, error }),
        };
        let deadline = Instant::now() + patience;
        let mut pause = PAUSE_MIN;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {}
                Err(TryLockError::WouldBlock) => {
                    let waited = patience;
                    return Err(TurnError::Busy { path, waited });
                }
                Err(TryLockError::Error(error)) => return Err(TurnError::Io { path, error }),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Ok(Self {
            lock: Some(lock),
            heads_path,
        })
    }

    /// What the key has written last; nothing when it has not written from here yet.
    pub fn heads(&self) -> Result<Heads, TurnError> {
        let fail = |error| TurnError::Io {
            path: self.heads_path.clone(),
            error,
        };
        let mut text = String::new();
        let file = match File::open(&self.heads_path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Heads::default()),
            Err(error) => return Err(fail(error)),
        };
        file.take(HEADS_SIZE_MAX)
            .read_to_string(&mut text)
            .map_err(fail)?;
        Heads::from_json(&text).ok_or_else(|| TurnError::Malformed(self.heads_path.clone()))
    }

    /// Leaves word of what the key has written for whoever has the next turn.
    pub fn save(&self, heads: &Heads) -> Result<(), TurnError> {
        if self.lock.is_none() {
            return Ok(());
        }
        // Nobody else writes the draft, since nobody else has the turn; one left by a crash is taken over.
        let draft = beside(&self.heads_path, ".new");
        let write = || {
            let mut file = private(OpenOptions::new().create(true).truncate(true)).open(&draft)?;
            file.write_all(heads.to_json().as_bytes())?;
            file.sync_data()?;
            fs::rename(&draft, &self.heads_path)
        };
        write().map_err(|error| TurnError::Io {
            path: self.heads_path.clone(),
            error,
        })
    }
}

/// The same path with a further ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Opens for writing what only its owner may read.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.write(true)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Why there is no turn. (Local)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// Other processes write with the key.
    #[error(
        "other processes have been writing with this key for {}; {path} is locked",
        format_args!("{} s", waited.as_secs_f32())
    )]
    Busy {
        /// The lock.
        path: PathBuf,
        /// For how long its end was waited for.
        waited: Duration,
    },
    /// The file does not hold what was left there.
    #[error("{0} does not tell the key's last entries; remove it to go on without them")]
    Malformed(PathBuf),
    /// The file system failed.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
}

impl TurnError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "key_busy",
            Self::Malformed(_) => "key_heads_malformed",
            Self::Io { .. } => "key_file_io",
        }
    }
}

#[cfg(test)]
mod tests {
    use grove_core::types::{Hash, LogId, SeqNum};

    use super::*;

    #[tokio::test]
    async fn a_turn_is_waited_for_but_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        let first = Turn::wait(&key, Duration::ZERO).await.unwrap();

        let busy = Turn::wait(&key, Duration::from_millis(20)).await;
        assert!(matches!(busy, Err(TurnError::Busy { .. })), "{busy:?}");
        let mut heads = first.heads().unwrap();
        assert_eq!(heads, Heads::default());
        heads.note(LogId::new(7), SeqNum::FIRST, Hash::of(b"entry"));
        let waiting = Turn::wait(&key, Duration::from_secs(60));
        let ending = async {
            first.save(&heads).unwrap();
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, ending);

        assert_eq!(second.unwrap().heads().unwrap(), heads);
    }
}
