//! Makes the vectors: every case is a line of Rust, every byte comes from [`crate::forge`].
//!
//! Deterministic: fixed keys, no clock, no random source. What is right is decided by the handbook
//! and its rulings as written down here, case by case, never by asking an implementation.

mod blob;
mod catalogue;
mod document;
mod entry;
mod fixtures;
mod fork;
mod log;
mod message;
mod numbers;
mod operation;
mod proofs;
mod publishing;
mod scenario;
mod schema;
mod session;
mod set;
mod text;
mod validate;

use std::collections::BTreeMap;
use std::path::Path;

use crate::suite::store::{self, Manifest, ManifestFile};
use crate::suite::{File, SUITE_VERSION, SuiteError};
use set::Set;

/// Every generated file: relative path → bytes. The manifest covers the hand-kept files in `dir` too.
pub fn generate(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, SuiteError> {
    let files: BTreeMap<_, _> = all_sets().map(|set| (set.path(), set.finish())).collect();
    let mut out: BTreeMap<String, Vec<u8>> = files
        .iter()
        .map(|(path, file)| (path.clone(), store::file_to_bytes(file)))
        .collect();
    out.insert(
        "reasons.json".to_owned(),
        store::to_bytes(&catalogue::reasons()),
    );
    out.insert(
        "flags.json".to_owned(),
        store::to_bytes(&catalogue::flags()),
    );
    out.insert(
        "requirements.json".to_owned(),
        store::to_bytes(&catalogue::requirements()),
    );
    out.insert(
        "rulings/rulings.json".to_owned(),
        store::to_bytes(&catalogue::rulings()),
    );
    let released = store::released(dir, SUITE_VERSION, &files)?;
    out.insert(store::RELEASED.to_owned(), store::to_bytes(&released));

    let mut digests = BTreeMap::new();
    for path in store::list(dir)?
        .into_iter()
        .filter(|path| is_kept_by_hand(path))
    {
        let bytes = store::read_bytes(&dir.join(&path))?;
        digests.insert(path, digest(&bytes, None));
    }
    for (path, bytes) in &out {
        digests.insert(path.clone(), digest(bytes, files.get(path)));
    }
    let manifest = Manifest {
        suite: set::SUITE_NAME.to_owned(),
        version: SUITE_VERSION.to_owned(),
        count: files.values().map(|file| file.count).sum(),
        digest: store::digest_of(&digests),
        files: digests,
    };
    out.insert("manifest.json".to_owned(), store::to_bytes(&manifest));
    Ok(out)
}

/// Paths whose bytes on disk are not those the generator makes: changed, missing or left over.
pub fn differences(dir: &Path) -> Result<Vec<String>, SuiteError> {
    let generated = generate(dir)?;
    let mut wrong: Vec<_> = generated
        .iter()
        .filter(|(path, bytes)| store::read_bytes(&dir.join(path)).ok().as_ref() != Some(*bytes))
        .map(|(path, _)| path.clone())
        .collect();
    let on_disk = store::list(dir)?.into_iter();
    wrong.extend(on_disk.filter(|path| !generated.contains_key(path) && !is_kept_by_hand(path)));
    Ok(wrong)
}

/// Writes everything that differs; returns the paths written.
pub fn write(dir: &Path) -> Result<Vec<String>, SuiteError> {
    let mut written = Vec::new();
    for (path, bytes) in generate(dir)? {
        let target = dir.join(&path);
        if store::read_bytes(&target).ok().as_ref() != Some(&bytes) {
            store::write(&target, &bytes)?;
            written.push(path);
        }
    }
    Ok(written)
}

fn all_sets() -> impl Iterator<Item = Set> {
    [
        numbers::sets(),
        text::sets(),
        entry::sets(),
        log::sets(),
        message::sets(),
        proofs::sets(),
        fork::sets(),
        schema::sets(),
        publishing::sets(),
        blob::sets(),
        scenario::sets(),
        session::sets(),
        operation::sets(),
        validate::sets(),
        document::sets(),
    ]
    .into_iter()
    .flatten()
}

fn is_kept_by_hand(path: &str) -> bool {
    path.starts_with("schemas/") || path == "retired-ids.json"
}

fn digest(bytes: &[u8], file: Option<&File>) -> ManifestFile {
    ManifestFile {
        sha256: store::sha256(bytes),
        kind: file.map(|file| file.kind.clone()),
        count: file.map(|file| file.count),
    }
}
