//! The arguments of an author's next entry (data-types §8.1).
//!
//! Read from the stored logs, so the answer is right as soon as `publish` returned.

use grove_core::author::NextArgs;
use grove_core::types::{DocumentViewId, LogId, PublicKey, SeqNum};

use super::ApiError;
use crate::engine::{self, IngestError};
use crate::store::{LogRow, Read};

/// Next arguments of `public_key`: for the document of this view, or for a new document.
///
/// Any known view of a document names it, current or not. An unknown view is an error, since
/// published tools find out by it whether they have yet to publish.
pub fn next_args(
    store: &dyn Read,
    public_key: PublicKey,
    view_id: Option<&DocumentViewId>,
) -> Result<NextArgs, ApiError> {
    let Some(view_id) = view_id else {
        return new_log(store, public_key);
    };
    let row = engine::document_of(store, view_id)?;
    if store
        .document(row.document)?
        .is_some_and(|document| document.is_deleted())
    {
        return Err(IngestError::DocumentDeleted(row.document).into());
    }
    match store.log_of_document(public_key, row.document)? {
        Some(log) => after(store, &log),
        None => new_log(store, public_key),
    }
}

/// The first entry of the log after the highest one this key has used (R22).
///
/// Once the highest possible log is used, the lowest unused one is proposed instead, so that one
/// outlier does not silence a key for ever.
fn new_log(store: &dyn Read, public_key: PublicKey) -> Result<NextArgs, ApiError> {
    let log_id = match store.highest_log_id(public_key)? {
        None => LogId::default(),
        Some(highest) => match highest.next() {
            Some(next) => next,
            None => lowest_unused(store, public_key)?,
        },
    };
    Ok(NextArgs::first(log_id))
}

/// How many log ids are tried in the search for an unused one.
const LOG_ID_SEARCH_MAX: u64 = 65_536;

fn lowest_unused(store: &dyn Read, public_key: PublicKey) -> Result<LogId, ApiError> {
    for log_id in (0..LOG_ID_SEARCH_MAX).map(LogId::new) {
        if store.log(public_key, log_id)?.is_none() {
            return Ok(log_id);
        }
    }
    Err(ApiError::LogIdMax)
}

fn after(store: &dyn Read, log: &LogRow) -> Result<NextArgs, ApiError> {
    if let Some(error) = engine::fork_of(store, log)? {
        return Err(error.into());
    }
    let tip: SeqNum = log.tip.seq_num;
    Ok(engine::next_args_after(
        store,
        log.public_key,
        log.log_id,
        tip,
        log.tip.hash,
    )?)
}
