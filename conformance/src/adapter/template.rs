//! Adapters to start from, one per language; each passes the checklist as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use grove_node::terminal::quote;

/// The languages there is a beginning in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Language {
    Python,
    Javascript,
    Rust,
}

impl Language {
    /// Relative path and content of each file.
    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Python => &[(
                "adapter.py",
                include_str!("../../templates/python/adapter.py"),
            )],
            Self::Javascript => &[(
                "adapter.mjs",
                include_str!("../../templates/javascript/adapter.mjs"),
            )],
            Self::Rust => &[
                (
                    "Cargo.toml",
                    include_str!("../../templates/rust/Cargo.toml"),
                ),
                (
                    "src/main.rs",
                    include_str!("../../templates/rust/src/main.rs"),
                ),
            ],
        }
    }

    /// The command line that runs the adapter in `dir`.
    pub fn command(self, dir: &Path) -> String {
        let quoted = |path: PathBuf| quote(&path.to_string_lossy()).into_owned();
        match self {
            Self::Python => format!("python3 {}", quoted(dir.join("adapter.py"))),
            Self::Javascript => format!("node {}", quoted(dir.join("adapter.mjs"))),
            Self::Rust => format!(
                "cargo run --quiet --manifest-path {}",
                quoted(dir.join("Cargo.toml"))
            ),
        }
    }
}

/// Writes the files of `language` into `dir`. Nothing is written when one of them is there already.
pub fn write(language: Language, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let files: Vec<_> = language
        .files()
        .iter()
        .map(|(name, content)| (dir.join(name), content))
        .collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} is there already", path.display()),
        ));
    }
    for (path, content) in &files {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(content.as_bytes())?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}
