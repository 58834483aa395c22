//! What an operator does to a node's data: purging, collecting garbage, reading the audit log of both; and what
//! they are told of other nodes.
//!
//! Works on a [`Node`], whether it serves clients meanwhile or was started for this alone. Long commands
//! go in small transactions, so that publishers never wait for long; one that is broken off in the
//! middle leaves a whole database and can be begun again. What was done is kept in the audit log.
//!
//! How the operator's words reach the node is for `socket`; the command line is [`crate::config`]'s.

mod peers;
#[cfg(unix)]
pub mod socket;

use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Subcommand};
use grove_core::types::{DocumentId, LogId, PublicKey};
use grove_core::{Reason, Refusal};
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::engine::{Command, Purge, Reclaimed, Sweep, SweepKind, Verification};
use crate::runtime::{Node, PeerStatus};
use crate::store::Read;

/// Logs purged in one transaction.
const LOGS_PER_PURGE: u32 = 200;

/// How long a piece may wait for the blob that lists it, in seconds, unless the operator says otherwise.
const GRACE_S: u64 = 60 * 60;

/// Bytes outside of the database that a crash left over.
const OBJECTS: &str = "objects";

/// How many records of the audit log are shown by default.
const AUDIT_SHOWN: u32 = 50;

/// What an operator wants done.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminCommand {
    /// Remove operations and what they led to from this node alone; other nodes keep theirs
    #[command(subcommand)]
    Purge(Target),
    /// Collect what nothing needs: blob pieces that no blob lists, and on demand old history
    Gc(Collection),
    /// Show other nodes: who is connected, how replication with them goes, and what went wrong last
    Peers,
    /// Look through everything the database holds and tell what is damaged; changes nothing
    Verify,
    /// Show the audit log: what was purged and collected, and when
    AuditLog {
        /// How many of the latest
        #[arg(long, default_value_t = AUDIT_SHOWN)]
        last: u32,
    },
}

/// What is to be purged.
#[derive(Debug, Clone, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A document: all its operations, by whomever
    Document {
        /// Id of the document
        id: String,
    },
    /// One log of an author
    Log {
        /// Public key of the author
        author: String,
        /// Number of the log
        log_id: String,
    },
    /// All logs an author has here; --deny-author keeps out what comes later
    Author {
        /// Public key of the author
        author: String,
    },
}

/// What is to be collected, and how.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Collection {
    /// Only tell what would go
    #[arg(long)]
    #[serde(default)]
    pub dry_run: bool,
    /// Collect superseded operations too: earlier views that nothing pins are then gone, and documents
    /// with collected history are not passed on to peers any more
    #[arg(long)]
    #[serde(default)]
    pub history: bool,
    /// How long a piece may wait for the blob that lists it
    #[arg(long, value_name = "SECONDS", default_value_t = GRACE_S)]
    #[serde(default = "grace")]
    pub grace: u64,
}

const fn grace() -> u64 {
    GRACE_S
}

/// What came of it: lines of what was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether this is only what would be removed.
    pub dry_run: bool,
    /// What was removed, by kind.
    pub removed: Vec<Removed>,
    /// Pieces that no blob lists, but which may still wait for theirs.
    pub pieces_spared: u64,
    /// The audit log, when it was asked for: seconds since 1970, and what was done.
    pub audit_log: Vec<(i64, String)>,
    /// Other nodes, when they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<PeerStatus>>,
    /// What was found, when everything was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

/// What came of looking through everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Documents looked at.
    pub documents: u64,
    /// Entries looked at.
    pub entries: u64,
    /// What is damaged, in words.
    pub damage: Vec<String>,
}

/// How much of one kind was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// `logs`, `operations`, `pieces`, or `objects` that belong to no document.
    pub what: String,
    /// How many.
    pub count: u64,
    /// Documents that changed by it.
    pub documents: u64,
    /// Bytes of operations.
    pub bytes: u64,
}

impl Removed {
    fn new(what: &str, reclaimed: Reclaimed) -> Self {
        Self {
            what: what.to_owned(),
            count: reclaimed.items,
            documents: reclaimed.documents,
            bytes: reclaimed.bytes,
        }
    }
}

/// Does what an operator wants, at this time in seconds since 1970, by which ages are measured.
pub async fn perform(node: &Node, now: i64, command: &AdminCommand) -> Result<Report, ApiError> {
    match command {
        AdminCommand::Purge(target) => {
            let (reclaimed, what) = purge(node, target).await?;
            let text = format!(
                "purged {what}: {} logs, {} bytes",
                reclaimed.items, reclaimed.bytes
            );
            if reclaimed.items > 0 {
                node.command(Command::Audit(text)).await?;
            }
            Ok(Report {
                removed: vec![Removed::new("logs", reclaimed)],
                ..Report::default()
            })
        }
        AdminCommand::Gc(collection) => collect(node, now, collection).await,
        AdminCommand::Peers => Ok(Report {
            peers: Some(node.peers().list()),
            ..Report::default()
        }),
        AdminCommand::Verify => verify(node).await,
        AdminCommand::AuditLog { last } => {
            let last = *last;
            let audit_log = node.read(move |store| Ok(store.audit_log(last)?)).await?;
            Ok(Report {
                audit_log,
                ..Report::default()
            })
        }
    }
}

/// Looks through everything, step by step, so that no question takes long.
async fn verify(node: &Node) -> Result<Report, ApiError> {
    let begin = |store: &dyn Read| Ok(Verification::new(store)?);
    let mut verification = node.read(begin).await?;
    loop {
        let (gone_on, is_more) = node
            .read(move |store| {
                let is_more = verification.step(store)?;
                Ok((verification, is_more))
            })
            .await?;
        verification = gone_on;
        if !is_more {
            break;
        }
    }
    let (documents, entries) = verification.looked_at();
    let damage = verification.findings().iter().map(ToString::to_string);
    Ok(Report {
        verified: Some(Verified {
            documents,
            entries,
            damage: damage.collect(),
        }),
        ..Report::default()
    })
}

/// Purges; says too what it was.
async fn purge(node: &Node, target: &Target) -> Result<(Reclaimed, String), ApiError> {
    match target {
        Target::Document { id } => {
            let id: DocumentId = crate::api::parse("id", id)?;
            let known = node
                .read(move |store| Ok(store.operation(id.into())?.is_some()))
                .await?;
            if !known {
                let text = Reason::DocumentNotFound.description();
                return Err(ApiError::invalid("id", Reason::DocumentNotFound, text));
            }
            let reclaimed = node.command(Command::Purge(Purge::Document(id))).await?;
            Ok((reclaimed, format!("document {id}")))
        }
        Target::Log { author, log_id } => {
            let author: PublicKey = crate::api::parse("author", author)?;
            let log_id: LogId = crate::api::parse("log_id", log_id)?;
            let known = node
                .read(move |store| Ok(!store.trees(author, log_id)?.is_empty()))
                .await?;
            if !known {
                let text = "the node has no such log";
                return Err(ApiError::invalid("log_id", Reason::ArgumentInvalid, text));
            }
            let logs = Purge::Logs(vec![(author, log_id)]);
            let reclaimed = node.command(Command::Purge(logs)).await?;
            Ok((reclaimed, format!("log {} of {author}", log_id.as_u64())))
        }
        Target::Author { author } => {
            let author: PublicKey = crate::api::parse("author", author)?;
            Ok((
                purge_author(node, author).await?,
                format!("author {author}"),
            ))
        }
    }
}

async fn purge_author(node: &Node, author: PublicKey) -> Result<Reclaimed, ApiError> {
    let mut reclaimed = Reclaimed::default();
    let mut after = None;
    loop {
        let logs = node
            .read(move |store| Ok(store.logs_of(author, after, LOGS_PER_PURGE)?))
            .await?;
        let Some(last) = logs.last() else {
            return Ok(reclaimed);
        };
        after = Some(last.log_id);
        let logs = logs.iter().map(|log| (author, log.log_id)).collect();
        reclaimed += node.command(Command::Purge(Purge::Logs(logs))).await?;
    }
}

async fn collect(node: &Node, now: i64, collection: &Collection) -> Result<Report, ApiError> {
    let mut report = Report {
        dry_run: collection.dry_run,
        ..Report::default()
    };
    let up_to = if collection.grace == 0 {
        i64::MAX
    } else {
        let before = now.saturating_sub_unsigned(collection.grace);
        let position = node
            .read(move |store| Ok(store.position_at(before)?))
            .await?;
        // A node that remembers no such time was not there then; everything may be young.
        position.unwrap_or(0)
    };
    let mut kinds = vec![("pieces", SweepKind::Pieces { up_to })];
    if collection.history {
        kinds.push(("operations", SweepKind::History));
    }
    for (what, kind) in kinds {
        let (reclaimed, spared) = sweep(node, kind, collection.dry_run).await?;
        report.pieces_spared += spared;
        report.removed.push(Removed::new(what, reclaimed));
        if !collection.dry_run && reclaimed.items > 0 {
            let text = format!(
                "collected {} {what}, {} bytes",
                reclaimed.items, reclaimed.bytes
            );
            node.command(Command::Audit(text)).await?;
        }
    }
    let older_than = Duration::from_secs(collection.grace);
    let swept = node.sweep_objects(older_than, collection.dry_run).await?;
    if swept.objects > 0 {
        report.removed.push(Removed {
            what: OBJECTS.to_owned(),
            count: swept.objects,
            documents: 0,
            bytes: swept.bytes,
        });
    }
    if !collection.dry_run {
        node.command(Command::NoteTime).await?;
    }
    Ok(report)
}

/// Goes over all documents in small steps, collecting what was found on the way unless it is only to
/// be told. Says too how much was spared.
async fn sweep(node: &Node, kind: SweepKind, dry_run: bool) -> Result<(Reclaimed, u64), ApiError> {
    let mut sweep = node.read(move |store| Ok(Sweep::new(store, kind)?)).await?;
    let (mut total, mut spared) = (Reclaimed::default(), 0);
    loop {
        let (gone_on, weighed) = node
            .read(move |store| {
                let weighed = sweep.step(store)?;
                Ok((sweep, weighed))
            })
            .await?;
        sweep = gone_on;
        let Some(weighed) = weighed else {
            return Ok((total, spared));
        };
        spared += weighed.spared;
        if dry_run {
            total += weighed.reclaimed;
        } else if !weighed.candidates.documents.is_empty() {
            let command = match kind {
                SweepKind::History => Command::CollectHistory(weighed.candidates),
                SweepKind::Pieces { .. } => Command::CollectPieces(weighed.candidates),
            };
            total += node.command(command).await?;
        }
    }
}

impl Verified {
    fn to_text(&self) -> String {
        let mut text = String::new();
        for damage in &self.damage {
            text.push_str(&format!("{damage}\n"));
        }
        let outcome = match self.damage.len() {
            0 => "all is sound".to_owned(),
            count => format!("{count} findings"),
        };
        let (entries, documents) = (self.entries, self.documents);
        text + &format!("looked at {entries} entries of {documents} documents: {outcome}\n")
    }
}

impl Report {
    /// Whether something was found to be damaged.
    pub fn is_damaged(&self) -> bool {
        let verified = self.verified.as_ref();
        verified.is_some_and(|verified| !verified.damage.is_empty())
    }

    /// The report in words, for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for removed in &self.removed {
            let verb = if self.dry_run {
                "would remove"
            } else {
                "removed"
            };
            let whose = if removed.what == OBJECTS {
                "of no document".to_owned()
            } else {
                format!("of {} documents", removed.documents)
            };
            text.push_str(&format!(
                "{verb} {} {} {whose}: {} bytes\n",
                removed.count, removed.what, removed.bytes
            ));
        }
        if self.pieces_spared > 0 {
            text.push_str(&format!(
                "spared {} pieces that may still wait for their blob (--grace)\n",
                self.pieces_spared
            ));
        }
        if let Some(peers) = &self.peers {
            text.push_str(&peers::to_text(peers));
        }
        if let Some(verified) = &self.verified {
            text.push_str(&verified.to_text());
        }
        for (at, what) in &self.audit_log {
            text.push_str(&format!("{}  {what}\n", date(*at)));
        }
        text
    }
}

/// A time as HTTP writes it: `Wed, 25 Nov 2026 18:00:00 GMT`.
fn date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    UNIX_EPOCH
        .checked_add(since)
        .map_or_else(|| seconds.to_string(), httpdate::fmt_http_date)
}

/// Why a command was not carried out, as it travels to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The stable code.
    pub code: String,
    /// The cause, for people.
    pub message: String,
}

impl From<&ApiError> for Refused {
    fn from(error: &ApiError) -> Self {
        Self {
            code: error.reason().code().to_owned(),
            message: error.to_string(),
        }
    }
}
