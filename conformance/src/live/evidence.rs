//! What a failure leaves behind: a folder with the conversation, its bytes decoded, and how to have it again.
//!
//! `case.json` says what was judged and how to repeat it, `transcript.jsonl` holds every request with its answer
//! and can be sent again, `transcript.txt` is the same for people, with entries and operations taken apart.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use grove_node::terminal::quote;
use serde_json::{Value, json};

use super::http::{Client, Exchange};
use super::{LiveOutcome, LiveRecord, LiveRun, SetUpError};
use crate::dissect::{self, Form, Part};
use crate::forge::unhex;
use crate::suite::store;

/// Characters of a body that are shown to people.
const SHOWN_MAX: usize = 20_000;

/// The command that runs one case of a run again, by its seed.
pub fn repeat(run: &LiveRun, case: &str) -> String {
    format!(
        "grove-conformance case {case} --http {} --seed {} --ruleset {}",
        quote(&run.url),
        run.seed,
        run.ruleset
    )
}

/// Whether a case has something to show.
pub fn has_evidence(record: &LiveRecord) -> bool {
    !matches!(
        record.outcome,
        LiveOutcome::Passed | LiveOutcome::NotApplicable(_)
    )
}

/// Writes a folder for each case that did not end well, into `dir`, and tells which.
pub fn write(run: &LiveRun, digest: &str, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for record in run.records.iter().filter(|record| has_evidence(record)) {
        let folder = dir.join(&record.id);
        std::fs::create_dir_all(&folder)?;
        let case = json!({
            "case": record.id,
            "title": record.title,
            "profile": record.profile,
            "requirements": record.requires,
            "ruling": record.ruling,
            "outcome": record.outcome,
            "url": run.url,
            "doors": run.doors,
            "ruleset": run.ruleset,
            "seed": run.seed,
            "round": run.round,
            "suite": digest,
            "tool": concat!("grove-conformance ", env!("CARGO_PKG_VERSION")),
            "millis": record.millis,
            "repeat": repeat(run, &record.id),
        });
        std::fs::write(folder.join("case.json"), store::to_bytes(&case))?;
        let lines: String = record
            .transcript
            .iter()
            .map(|exchange| json!(exchange).to_string() + "\n")
            .collect();
        std::fs::write(folder.join("transcript.jsonl"), lines)?;
        std::fs::write(folder.join("transcript.txt"), in_words(record))?;
        folders.push(folder);
    }
    Ok(folders)
}

/// A conversation for people.
pub fn in_words(record: &LiveRecord) -> String {
    let mut text = format!("{}: {}\n{:?}\n", record.id, record.title, record.outcome);
    for (index, exchange) in record.transcript.iter().enumerate() {
        let told = exchange.told(SHOWN_MAX);
        // Writing to a string can't fail.
        let _ = write!(text, "\n── {} at {} ms\n{told}\n", index + 1, exchange.at);
        for (name, form, bytes) in sent(exchange) {
            let _ = writeln!(text, "\n   {name}, {} bytes:", bytes.len());
            for part in dissect::dissect(form, &bytes).parts {
                let _ = writeln!(text, "   {}", shown(&part, &bytes));
            }
        }
    }
    text
}

fn shown(part: &Part, bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 16;
    let piece = bytes.get(part.at..part.at + part.size).unwrap_or_default();
    let dots = if piece.len() > BYTES_MAX { "…" } else { "" };
    let piece = crate::forge::hex(&piece[..piece.len().min(BYTES_MAX)]);
    format!("{:>6}  {piece}{dots}  {}", part.at, part.text)
}

/// Entries and operations in what was sent.
fn sent(exchange: &Exchange) -> Vec<(&'static str, Form, Vec<u8>)> {
    let body: Value = serde_json::from_str(&exchange.body).unwrap_or_default();
    let members = [&body["variables"], &body["params"]];
    let names = [
        ("entry", Form::Entry),
        ("entryEncoded", Form::Entry),
        ("operation", Form::Operation),
        ("operationEncoded", Form::Operation),
    ];
    let mut found = Vec::new();
    for (name, form) in names {
        for member in members {
            let bytes = member[name].as_str().and_then(unhex);
            found.extend(
                bytes
                    .filter(|it| !it.is_empty())
                    .map(|bytes| (name, form, bytes)),
            );
        }
    }
    found
}

/// One request sent again: what came back then, and what comes back now.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Then.
    pub before: Exchange,
    /// Now.
    pub now: Exchange,
}

impl Replayed {
    /// Whether both answers are the same.
    pub fn is_same(&self) -> bool {
        self.before.status == self.now.status && self.before.answer == self.now.answer
    }
}

/// Sends the requests of an evidence folder to the node at `url`, in their order.
pub fn replay(folder: &Path, url: &str) -> Result<Vec<Replayed>, ReplayError> {
    let text = std::fs::read_to_string(folder.join("transcript.jsonl"))?;
    let client = Client::new(url)?;
    let mut replayed = Vec::new();
    for line in text.lines() {
        let before: Exchange = serde_json::from_str(line)?;
        let headers: Vec<_> = before
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        // Whatever comes of it stands in the transcript.
        let _ = client.send(&before.method, &before.path, &headers, &before.body);
        let now = client.take_transcript().pop();
        replayed.extend(now.map(|now| Replayed { before, now }));
    }
    Ok(replayed)
}

/// Why evidence can't be sent again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is none.
    #[error("the transcript can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("the transcript is damaged: {0}")]
    Json(#[from] serde_json::Error),
    /// Nobody to send it to.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
}
