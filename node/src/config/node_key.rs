//! The key by which a node proves to others who it is: made at the first start, kept in its directory.
//!
//! It has nothing to do with the keys of authors, which no node holds. Whoever has it can pass for this node, so a
//! file that others may read is refused.
//!
//! Always true:
//! - A file that is there holds a whole key: it gets its name when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use grove_core::types::KeyPair;

use super::StartError;

/// The name of the file in the directory.
const FILE: &str = "node-key";

/// Longest file that is looked at.
const FILE_SIZE_MAX: u64 = 256;

/// The key of the node that has this directory.
pub(crate) fn load(directory: &Path) -> Result<KeyPair, StartError> {
    let path = directory.join(FILE);
    match read(&path).or_else(|error| make_if_missing(error, directory, &path)) {
        Ok(key) => Ok(key),
        Err(source) => Err(StartError::NodeKey { path, source }),
    }
}

fn make_if_missing(error: io::Error, directory: &Path, path: &Path) -> io::Result<KeyPair> {
    match error.kind() {
        ErrorKind::NotFound => make(directory, path),
        _ => Err(error),
    }
}

fn read(path: &Path) -> io::Result<KeyPair> {
    let file = File::open(path)?;
    refuse_open_to_others(&file)?;
    let mut text = String::new();
    file.take(FILE_SIZE_MAX).read_to_string(&mut text)?;
    let mut seed = [0; 32];
    let decoded = hex::decode_to_slice(text.trim(), &mut seed);
    decoded.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it holds no key"))?;
    Ok(KeyPair::from_seed(&seed))
}

#[cfg(unix)]
fn refuse_open_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "others than its owner may read it (chmod 600 mends that)",
        )),
    }
}

#[cfg(not(unix))]
fn refuse_open_to_others(_: &File) -> io::Result<()> {
    Ok(())
}

fn make(directory: &Path, path: &Path) -> io::Result<KeyPair> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let unfinished = directory.join("node-key.new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    writeln!(file, "{}", hex::encode(seed))?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok(KeyPair::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();

        let made = load(folder.path()).unwrap();
        let again = load(folder.path()).unwrap();

        assert_eq!(made.public_key(), again.public_key());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        load(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        assert!(load(folder.path()).is_err());
    }

    #[test]
    fn a_file_without_a_key_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "no key").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }

        assert!(load(folder.path()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "no key");
    }
}
