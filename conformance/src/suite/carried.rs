//! The list of the files that the program carries along: source code, written with the vectors.
//!
//! A part of the binary alone, so that the library need not be compiled anew when a vector changes.

use std::path::Path;

use super::SuiteError;
use super::store::{list, read_bytes, write};

/// The source file with the list.
pub const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/embedded.rs");

const HEAD: &str = r#"//! The vectors that the program carries along, so that it works wherever it is put.
//!
//! Written by `vectors generate`. Part of the binary alone: the library need not be compiled anew when a
//! vector changes.

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_bytes!(concat!("../../vectors/v1/", $path)))),*]
    };
}

/// Every file, as path below `vectors/v1` and bytes.
pub(crate) const VECTORS: &[(&str, &[u8])] = files! {
"#;

/// What the list must be for the vectors in `dir`.
pub fn source(dir: &Path) -> Result<String, SuiteError> {
    let mut paths = list(dir)?;
    paths.push("manifest.json".to_owned());
    paths.sort();
    let lines: String = paths.iter().map(|path| format!("    {path:?}\n")).collect();
    Ok(format!("{HEAD}{lines}}};\n"))
}

/// Whether the list is that of the vectors in `dir`.
pub fn is_current(dir: &Path) -> Result<bool, SuiteError> {
    Ok(read_bytes(Path::new(LIST))? == source(dir)?.as_bytes())
}

/// Writes the list anew.
pub fn write_list(dir: &Path) -> Result<(), SuiteError> {
    write(Path::new(LIST), source(dir)?.as_bytes())
}
