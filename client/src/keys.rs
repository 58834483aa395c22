//! Private keys in files: 64 hex digits and a line feed, readable by their owner alone.
//!
//! Always true:
//! - A file comes into being whole and with its narrow mode, and never replaces another.
//! - A key that others may read is not used.
//! - Seeds are wiped from memory, and stand in no message.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use grove_core::types::KeyPair;
use zeroize::Zeroizing;

/// Digits of a seed as text.
const SEED_TEXT_LEN: usize = 64;

/// The mode of key files: read and write for the owner, nothing for others.
#[cfg(unix)]
const MODE: u32 = 0o600;

/// Draws a new key pair from the system's random source.
pub fn generate() -> Result<KeyPair, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| KeyFileError::Random(error.to_string()))?;
    Ok(KeyPair::from_seed(&seed))
}

/// Where a key is kept unless told otherwise; `None` where the platform has no such place.
///
/// Not in the data directory of a node: resetting one must not take an identity along, nor must a copy of one
/// hand it out.
pub fn default_path() -> Option<PathBuf> {
    path_in("grove-client")
}

/// Where a key was kept before, in the data directory of a node.
pub fn former_path() -> Option<PathBuf> {
    path_in("grove")
}

fn path_in(directory: &str) -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", directory).map(|dirs| dirs.data_dir().join("key"))
}

/// Writes a key into a new file, and its folder where that is missing.
pub fn save(path: &Path, key_pair: &KeyPair) -> Result<(), KeyFileError> {
    let fail = |error| KeyFileError::io(path, error);
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    create_folder(folder).map_err(fail)?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| KeyFileError::Random(error.to_string()))?;
    let draft = folder.join(format!(".key-{}", hex::encode(nonce)));

    // A link, unlike a rename, fails when the name is taken, and shows only the finished file.
    let written = write_draft(&draft, key_pair).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists(path.to_owned()))
        }
        written => written
            .and(removed)
            .and_then(|()| sync_folder(folder))
            .map_err(fail),
    }
}

/// Reads a key from its file.
pub fn load(path: &Path) -> Result<KeyPair, KeyFileError> {
    let fail = |error| KeyFileError::io(path, error);
    // Opening a pipe waits for somebody to write into it, and a device may do anything.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(KeyFileError::Malformed(path.to_owned()));
    }
    let file = File::open(path).map_err(fail)?;
    check_mode(path, &file).map_err(fail)??;

    // One byte more than a key file has, so that a longer file is told from a whole one.
    let mut text = Zeroizing::new([0; SEED_TEXT_LEN + 2]);
    let mut len = 0;
    while len < text.len() {
        match (&file).read(&mut text[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(fail(error)),
        }
    }
    let digits = text[..len].strip_suffix(b"\n").unwrap_or(&text[..len]);
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut *seed)
        .map_err(|_| KeyFileError::Malformed(path.to_owned()))?;
    Ok(KeyPair::from_seed(&seed))
}

fn write_draft(draft: &Path, key_pair: &KeyPair) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, MODE);
    let mut file = options.open(draft)?;

    let mut text = Zeroizing::new([b'\n'; SEED_TEXT_LEN + 1]);
    hex::encode_to_slice(*key_pair.seed(), &mut text[..SEED_TEXT_LEN])
        .expect("two digits for each byte");
    file.write_all(&*text)?;
    file.sync_all()
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the new name durable. Only Unix opens folders for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// Refuses what is no file, and a file that group or others may touch. Looks at the opened file, so
/// that it cannot be swapped in between.
fn check_mode(path: &Path, file: &File) -> io::Result<Result<(), KeyFileError>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Err(KeyFileError::Malformed(path.to_owned())));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Ok(Err(KeyFileError::Exposed {
                path: path.to_owned(),
                mode,
            }));
        }
    }
    Ok(Ok(()))
}

/// Why a key file cannot be used. (Local)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is a file of this name already.
    #[error("{0} exists already and is not replaced")]
    Exists(PathBuf),
    /// There is no file of this name.
    #[error("there is no key in {0}; `grove key new` makes one")]
    Missing(PathBuf),
    /// Others than the owner may read or change the file.
    #[error("{path} has mode {mode:04o}, so others could use the key; `chmod 600` it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not 64 hex digits.
    #[error("{0} does not hold a key of 64 hex digits")]
    Malformed(PathBuf),
    /// The file system failed.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        error: io::Error,
    },
    /// The system's random source failed.
    #[error("no random numbers to be had: {0}")]
    Random(String),
}

impl KeyFileError {
    fn io(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            _ => Self::Io { path, error },
        }
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "key_file_exists",
            Self::Missing(_) => "key_file_missing",
            Self::Exposed { .. } => "key_file_exposed",
            Self::Malformed(_) => "key_file_malformed",
            Self::Io { .. } => "key_file_io",
            Self::Random(_) => "random_source",
        }
    }
}
