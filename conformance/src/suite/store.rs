//! Reads and writes the suite's folder.
//!
//! The bytes of a file are a function of its content: JSON with members in a fixed order, what fits on a
//! line on one, one line feed at the end. Schemas and retired ids are kept by hand and only read here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{File, Note, compact};
use crate::forge::hex;

/// Where the suite of this source tree is.
pub const DEFAULT_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/v1");

/// The file of every id that was ever given out.
pub const RELEASED: &str = "released-ids.json";

/// The file of all rulings.
const RULINGS: &str = "rulings/rulings.json";

/// Widest line that holds several members or items.
const LINE_MAX: usize = 120;

/// Every id by the version of the suite it came with.
pub type Released = BTreeMap<String, BTreeSet<String>>;

/// A whole suite in memory.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Relative path → file of cases.
    pub files: BTreeMap<String, File>,
    /// Version and digests.
    pub manifest: Manifest,
    /// Code → phase and meaning.
    pub reasons: BTreeMap<String, ReasonInfo>,
    /// Flag → meaning.
    pub flags: BTreeMap<String, Note>,
    /// Requirement id → text.
    pub requirements: BTreeMap<String, Requirement>,
    /// Ruling id → one line.
    pub rulings: BTreeMap<String, Ruling>,
    /// Ids that were used once and never will be again.
    pub retired: Vec<String>,
    /// Version → ids that came with it.
    pub released: Released,
}

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Manifest {
    pub suite: String,
    pub version: String,
    pub count: usize,
    /// SHA-256 of all lines `<sha256>  <path>\n`, in order of the paths.
    pub digest: String,
    pub files: BTreeMap<String, ManifestFile>,
}

/// One line of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ManifestFile {
    pub sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// One entry of `reasons.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ReasonInfo {
    pub phase: String,
    pub description: String,
    /// The version from which on nothing is refused so any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
}

/// One entry of `requirements.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is required, in our words.
    pub text: String,
    /// `must`, `should` or `may`.
    pub level: super::Level,
    /// Why there is no valid or no invalid case, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

/// One entry of `rulings.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What was ruled, in our words.
    pub text: String,
    /// Why no case turns on it, where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

/// Why a suite cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not of the format.
    #[error("{path}: {source}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file tells bytes briefly in a way that spells none.
    #[error("{0}: a malformed {{\"hex\": […]}}")]
    Compact(PathBuf),
}

/// The files of a suite: path below its folder, with forward slashes, and bytes.
pub type Files<'a> = &'a [(&'a str, &'a [u8])];

impl Suite {
    /// Reads the suite in `dir`.
    pub fn load(dir: &Path) -> Result<Self, SuiteError> {
        Self::read(|path| read_bytes(&dir.join(path)).map(Cow::Owned))
    }

    /// Reads a suite that is in memory, as the program carries one along.
    pub fn of_files(files: Files<'_>) -> Result<Self, SuiteError> {
        Self::read(|path| {
            let file = files.iter().find(|(name, _)| *name == path);
            let bytes = file.map(|(_, bytes)| Cow::Borrowed(*bytes));
            bytes.ok_or_else(|| SuiteError::Io {
                path: path.into(),
                source: io::ErrorKind::NotFound.into(),
            })
        })
    }

    fn read<'a>(
        bytes_of: impl Fn(&str) -> Result<Cow<'a, [u8]>, SuiteError>,
    ) -> Result<Self, SuiteError> {
        let manifest: Manifest = parse("manifest.json", &bytes_of("manifest.json")?)?;
        let mut files = BTreeMap::new();
        for (path, line) in &manifest.files {
            if line.kind.is_some() {
                files.insert(path.clone(), parse_file(path, &bytes_of(path)?)?);
            }
        }
        Ok(Self {
            files,
            manifest,
            reasons: parse("reasons.json", &bytes_of("reasons.json")?)?,
            flags: parse("flags.json", &bytes_of("flags.json")?)?,
            requirements: parse("requirements.json", &bytes_of("requirements.json")?)?,
            rulings: parse(RULINGS, &bytes_of(RULINGS)?)?,
            retired: parse("retired-ids.json", &bytes_of("retired-ids.json")?)?,
            released: parse(RELEASED, &bytes_of(RELEASED)?)?,
        })
    }

    /// All cases with their files, in order of the paths.
    pub fn cases(&self) -> impl Iterator<Item = (&File, &super::Case)> {
        self.files
            .values()
            .flat_map(|file| file.cases.iter().map(move |case| (file, case)))
    }
}

/// A file of cases in its one form, long runs of a byte told briefly.
pub fn file_to_bytes(file: &File) -> Vec<u8> {
    let mut value = serde_json::to_value(file).expect("maps have string keys");
    compact::compact(&mut value);
    to_bytes(&value)
}

/// Any other content in its one form.
pub fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(value).expect("maps have string keys");
    let mut text = String::new();
    lay_out(&value, 0, &mut text);
    text.push('\n');
    text.into_bytes()
}

/// Blanks before what is one level deeper; with two, they would make up a seventh of the suite.
const INDENT: usize = 1;

/// Writes what fits on a line on one line, and else each member or item on its own.
fn lay_out(value: &Value, indent: usize, out: &mut String) {
    let line = one_line(value);
    let (open, close, parts): (_, _, Vec<(String, &Value)>) = match value {
        _ if indent + line.len() <= LINE_MAX => return out.push_str(&line),
        Value::Array(items) => {
            let parts = items.iter().map(|item| (String::new(), item));
            ('[', ']', parts.collect())
        }
        Value::Object(members) => {
            let parts = members
                .iter()
                .map(|(name, value)| (format!("{}: ", one_line(&name.as_str().into())), value));
            ('{', '}', parts.collect())
        }
        _ => return out.push_str(&line),
    };
    out.push(open);
    for (index, (name, part)) in parts.into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&" ".repeat(indent + INDENT));
        out.push_str(&name);
        lay_out(part, indent + INDENT, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

/// A value on one line, with a space after each colon and comma.
fn one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(one_line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", one_line(&name.as_str().into()), one_line(value))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

/// Lowercase hex of the SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// The digest over a manifest's files.
pub fn digest_of(files: &BTreeMap<String, ManifestFile>) -> String {
    let lines: String = files
        .iter()
        .map(|(path, file)| format!("{}  {path}\n", file.sha256))
        .collect();
    sha256(lines.as_bytes())
}

/// Every file below `dir` except the manifest, as relative paths with forward slashes.
pub fn list(dir: &Path) -> Result<Vec<String>, SuiteError> {
    let mut found = Vec::new();
    walk(dir, "", &mut found)?;
    found.retain(|path| path != "manifest.json");
    found.sort();
    Ok(found)
}

/// The list of ids in `dir` brought up to `version`: what earlier versions gave out stays as it is.
pub fn released(
    dir: &Path,
    version: &str,
    files: &BTreeMap<String, File>,
) -> Result<Released, SuiteError> {
    let mut released: Released = parse(RELEASED, &read_bytes(&dir.join(RELEASED))?)?;
    released.remove(version);
    let cases = files.values().flat_map(|file| &file.cases);
    let new = cases
        .map(|case| case.id.clone())
        .filter(|id| !released.values().any(|ids| ids.contains(id)))
        .collect();
    released.insert(version.to_owned(), new);
    Ok(released)
}

/// Reads a file's bytes.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, SuiteError> {
    fs::read(path).map_err(|source| SuiteError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), SuiteError> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent
        .and_then(|()| fs::write(path, bytes))
        .map_err(|source| SuiteError::Io {
            path: path.to_owned(),
            source,
        })
}

fn parse_file(path: &str, bytes: &[u8]) -> Result<File, SuiteError> {
    let mut value: Value = parse(path, bytes)?;
    if !compact::expand(&mut value) {
        return Err(SuiteError::Compact(path.into()));
    }
    serde_json::from_value(value).map_err(|source| SuiteError::Format {
        path: path.into(),
        source,
    })
}

fn parse<T: serde::de::DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, SuiteError> {
    serde_json::from_slice(bytes).map_err(|source| SuiteError::Format {
        path: path.into(),
        source,
    })
}

fn walk(dir: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), SuiteError> {
    let failed = |source| SuiteError::Io {
        path: dir.to_owned(),
        source,
    };
    for item in fs::read_dir(dir).map_err(failed)? {
        let item = item.map_err(failed)?;
        let name = format!("{prefix}{}", item.file_name().to_string_lossy());
        if item.path().is_dir() {
            walk(&item.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}
