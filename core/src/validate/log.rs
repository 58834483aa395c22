//! Whether an entry is the next one of its log.
//!
//! Judges against the tip and the lipmaa entry it is handed. Entries at positions already taken
//! (repetitions and forks) are told apart by the store's owner, who has them.

use crate::mutant::{altered, fault};
use crate::reason::{Reason, Refusal};
use crate::types::{Hash, SeqNum};
use crate::wire::Entry;

/// The latest entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTip {
    /// Its position.
    pub seq_num: SeqNum,
    /// Its hash.
    pub hash: Hash,
    /// Whether it ended the log.
    pub ended: bool,
}

/// Checks that `entry` follows `tip`, and that its skiplink names `lipmaa`, the hash of the stored
/// entry at the lipmaa position (BA1, R8).
pub fn check_position(
    entry: &Entry,
    tip: Option<&LogTip>,
    lipmaa: Option<Hash>,
) -> Result<(), LogError> {
    //= FK2: an end-of-log entry is the last one
    //= R8: nothing follows an end-of-log entry
    let ended = tip.is_some_and(|tip| tip.ended && entry.seq_num > tip.seq_num);
    if fault!(LogEnded, ended) {
        return Err(LogError::Ended);
    }
    let expected = match tip {
        None => altered!(LogBegins, SeqNum::FIRST, entry.seq_num),
        Some(tip) => tip.seq_num.next().ok_or(LogError::Full)?,
    };
    if fault!(SeqNumNext, entry.seq_num != expected) {
        return Err(LogError::SeqNum {
            claimed: entry.seq_num,
            expected,
        });
    }
    if let Some(claimed) = entry.skiplink {
        let known = lipmaa.ok_or(LogError::SkiplinkNotFound);
        let stored = altered!(SkiplinkKnown, known?, known.unwrap_or(claimed));
        if fault!(SkiplinkMismatch, claimed != stored) {
            return Err(LogError::Skiplink);
        }
    }
    if fault!(BacklinkMismatch, entry.backlink != tip.map(|tip| tip.hash)) {
        return Err(LogError::Backlink);
    }
    //= PB12: the greatest sequence number is never reached
    //= R26: a log ends at 2^64−2, since the next arguments could not be told otherwise
    if fault!(LogFull, entry.seq_num.next().is_none()) {
        return Err(LogError::Full);
    }
    Ok(())
}

/// Why an entry is not the next of its log. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Another number is next.
    #[error("the entry's seq num is {claimed}, the log's next is {expected}")]
    SeqNum {
        /// Number in the entry.
        claimed: SeqNum,
        /// Number that comes next.
        expected: SeqNum,
    },
    /// The backlink names another entry.
    #[error("the backlink is not the hash of the entry before")]
    Backlink,
    /// The skiplink names another entry.
    #[error("the skiplink is not the hash of the lipmaa entry")]
    Skiplink,
    /// The lipmaa entry is not there.
    #[error("the lipmaa entry is not known")]
    SkiplinkNotFound,
    /// The log was ended.
    #[error("the log was ended by its author")]
    Ended,
    /// No number is left.
    #[error("the log has no further seq num")]
    Full,
}

impl Refusal for LogError {
    fn reason(&self) -> Reason {
        match self {
            Self::SeqNum { .. } => Reason::SeqNumMismatch,
            Self::Backlink => Reason::BacklinkMismatch,
            Self::Skiplink => Reason::SkiplinkMismatch,
            Self::SkiplinkNotFound => Reason::SkiplinkNotFound,
            Self::Ended => Reason::LogEnded,
            Self::Full => Reason::SeqNumMax,
        }
    }
}
