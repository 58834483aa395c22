//! Answers to clients: next arguments, documents, collections, entries, blobs. Free of any syntax.
//!
//! Pure questions to a [`Read`]; GraphQL, JSON-RPC and whatever comes dress them up. Publishing goes
//! through the engine's one door and is not here.

mod blobs;
mod cursor;
mod documents;
mod entries;
mod filter;
mod follow;
mod proposals;
mod visible;

use std::str::FromStr;

use grove_core::author::NextArgs;
use grove_core::publish::{self, PublishError};
use grove_core::types::{DocumentViewId, Hash, PublicKey, SchemaId};
use grove_core::wire::Heights;
use grove_core::{Reason, Refusal};

use crate::engine::{IngestError, Knowledge, Rejection, name_purge};
use crate::store::{EntryRow, Read, StoreError};

pub use blobs::{Blob, BlobRefusal, blob, piece};
pub use cursor::{from_cursor, to_cursor};
pub use documents::{
    Extent, Page, beyond, collection, document_at_view, document_by_id, total_count,
};
pub use entries::{EntriesPage, entries_page};
pub use filter::{Asked, read_query};
pub use follow::{DocumentEvent, FollowCursor, Subject};
pub use proposals::Proposals;
pub use visible::{Visible, visible};

/// The arguments of an author's next entry: for the document of this view, or for a new document.
///
/// Read from the stored logs, so the answer is right as soon as `publish` returned.
pub fn next_args(
    store: &dyn Read,
    public_key: PublicKey,
    view_id: Option<&DocumentViewId>,
) -> Result<NextArgs, ApiError> {
    let known = Knowledge::of(store);
    match publish::next_args(&known, public_key, view_id) {
        Err(error) => Err(name_purge(store, error)?.into()),
        args => Ok(args?),
    }
}

/// Answers several questions from one state of the store.
pub fn at_once<T>(
    store: &dyn Read,
    questions: impl FnOnce() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut questions = Some(questions);
    let mut answer = None;
    store.at_once(&mut || {
        answer = questions.take().map(|questions| questions());
        Ok(())
    })?;
    answer.unwrap_or(Err(ApiError::Busy))
}

/// Reads the value a text argument stands for.
pub fn parse<T: FromStr<Err: Refusal>>(name: &'static str, text: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|error| ApiError::argument(name, &error))
}

/// The entries of all documents of a schema, in the order in which the node accepted them; none for
/// a schema the node does not know. Refused when all of them take more than this many bytes.
pub fn entries_of_schema(
    store: &dyn Read,
    schema_id: &SchemaId,
    size_max: usize,
) -> Result<Vec<EntryRow>, ApiError> {
    let rows = store.schema_entries_within(schema_id, size_max)?;
    rows.ok_or_else(|| too_large("schema"))
}

/// The next entries of some logs with all their branches, at most `limit`. Refused when they
/// take more than this many bytes.
pub fn entries(
    store: &dyn Read,
    starts: &Heights,
    limit: u32,
    size_max: usize,
) -> Result<Vec<EntryRow>, ApiError> {
    let mut found: Vec<EntryRow> = Vec::new();
    let (mut after, mut size) = (i64::MIN, 0);
    loop {
        let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let step = left.min(ENTRIES_PER_STEP);
        let rows = store.entries_from(starts, after, step)?;
        let done = rows.len() < step as usize || step == left;
        size += rows.iter().map(EntryRow::size).sum::<usize>();
        if size > size_max {
            return Err(too_large("first"));
        }
        after = rows.last().map_or(after, |row| row.position);
        found.extend(rows);
        if done {
            return Ok(found);
        }
    }
}

/// How many entries are read before their size is looked at.
const ENTRIES_PER_STEP: u32 = 16;

fn too_large(name: &'static str) -> ApiError {
    let text = "there is too much for one answer";
    ApiError::invalid(name, Reason::RequestTooLarge, text)
}

/// Why a request was not answered. Carries a stable code; the text names cause and mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The entry was not accepted.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An argument has the wrong form. (Caller)
    #[error("argument {name}: {text}")]
    Argument {
        /// Name of the argument.
        name: &'static str,
        /// What is wrong with it.
        text: String,
        /// The stable code.
        reason: Reason,
    },
    /// A blob is not served. (Caller, Peer)
    #[error(transparent)]
    Blob(#[from] BlobRefusal),
    /// The node is stopping or has too much to do. (Local)
    #[error("the node is busy or stopping, try again")]
    Busy,
    /// What was published is stored, but nobody could see its effect in time. (Local)
    #[error("the entry is stored, but its effect does not show yet; ask again later")]
    NotVisible,
    /// The database failed. (Local)
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        Self::Rejected(error.into())
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Refused(error) => Self::Rejected(error.into()),
            IngestError::Unwanted(error) => Self::Rejected(error.into()),
            IngestError::Store(error) => Self::Store(error),
        }
    }
}

impl ApiError {
    /// An argument with something wrong.
    pub fn invalid(name: &'static str, reason: Reason, text: &str) -> Self {
        Self::Argument {
            name,
            text: text.to_owned(),
            reason,
        }
    }

    /// An argument that does not parse.
    pub fn argument(name: &'static str, error: &impl Refusal) -> Self {
        Self::Argument {
            name,
            text: error.to_string(),
            reason: error.reason(),
        }
    }

    /// Where an entry was refused because it would fork its log: the entry that has its place, and the
    /// arguments to sign the operation anew with, if there are any.
    pub fn would_fork(&self) -> Option<(Hash, Option<&NextArgs>)> {
        match self {
            Self::Rejected(Rejection::Refused(PublishError::WouldFork { existing, next })) => {
                Some((*existing, next.as_deref()))
            }
            _ => None,
        }
    }

    /// Puts other fresh arguments, or none, in place of those of an entry that would fork its log.
    pub(crate) fn set_fresh_args(&mut self, args: Option<NextArgs>) {
        if let Self::Rejected(Rejection::Refused(PublishError::WouldFork { next, .. })) = self {
            *next = args.map(Box::new);
        }
    }
}

impl Refusal for ApiError {
    fn reason(&self) -> Reason {
        match self {
            Self::Rejected(error) => error.reason(),
            Self::Argument { reason, .. } => *reason,
            Self::Blob(error) => error.reason(),
            Self::Busy | Self::NotVisible => Reason::NodeBusy,
            Self::Store(error) => error.reason(),
        }
    }
}
