//! Where in its log an entry belongs, and the ancestors it links to.
//!
//! Always true:
//! - Of an honest log, with one branch, each question takes one look-up; of a log with branches as many
//!   as the logarithm of its length.
//! - A parent that is there decides: its position, its end and its ancestors. What is not there yet can
//!   still come, and is the only reason that may pass.

use super::{Known, KnownBranch, PublishError, Source};
use crate::mutant::fault;
use crate::types::{Hash, PublicKey, SeqNum};
use crate::validate::{LogError, SignedEntry, check_position};

/// Where an entry goes in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It begins a log in which nothing was yet.
    Begins,
    /// It is a further first entry of a log.
    BeginsTree,
    /// It follows the last entry of a branch, which is this one.
    Extends(Hash),
    /// It follows this entry, which has another successor already: a further branch.
    Branches(Hash),
}

impl Placement {
    /// The place after `parent`, or at the beginning; `taken` says whether another entry stands there.
    pub(super) fn new(parent: Option<Hash>, taken: bool) -> Self {
        match (parent, taken) {
            (None, false) => Self::Begins,
            (None, true) => Self::BeginsTree,
            (Some(parent), false) => Self::Extends(parent),
            (Some(parent), true) => Self::Branches(parent),
        }
    }

    /// Whether another entry has this place already.
    pub const fn is_fork(self) -> bool {
        matches!(self, Self::BeginsTree | Self::Branches(_))
    }
}

/// The place of an entry whose position, backlink and skiplink are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Where it goes.
    pub placement: Placement,
    /// The branch up to the entry it follows; `None` for a first entry.
    pub parent: Option<KnownBranch>,
    /// Another entry at this place; of several the one with the lowest hash.
    pub taken_by: Option<Hash>,
}

/// Finds the place of an entry and checks its number and links; `None` when this very entry is there
/// already. A peer's entry whose backlink is not there yet is refused as such (R28).
pub fn place<K: Known>(
    known: &K,
    signed: &SignedEntry,
    source: Source,
) -> Result<Option<Placed>, K::Error> {
    let entry = signed.entry();
    let (author, log_id) = (entry.public_key, entry.log_id);
    let at_once = match entry.backlink {
        Some(backlink) => known.branch(author, log_id, backlink)?.map(Some),
        None => known
            .successor(author, log_id, None)?
            .is_none()
            .then_some(None),
    };
    let (parent, taken_by) = match at_once {
        Some(parent) => (parent, None),
        None => {
            //= R23: the same entry once more is no error, so that retries are safe
            //= PB7: a retry is let through like the first time
            if fault!(EntryKnown, known.entry(signed.hash())?.is_some()) {
                if source == Source::Client {
                    known.admit(author, log_id)?;
                }
                return Ok(None);
            }
            known.admit(author, log_id)?;
            let parent = parent_of(known, signed, source)?;
            let tip = parent.as_ref().map(|parent| &parent.tip);
            (parent, known.successor(author, log_id, tip)?)
        }
    };
    let lipmaa = match (&parent, entry.seq_num.skiplink()) {
        (Some(parent), Some(target)) => ancestor(known, author, parent, target)?,
        _ => None,
    };
    let tip = parent.as_ref().map(|parent| &parent.tip);
    check_position(entry, tip, lipmaa).map_err(PublishError::from)?;
    Ok(Some(Placed {
        placement: Placement::new(entry.backlink, taken_by.is_some()),
        parent,
        taken_by,
    }))
}

/// The branch up to the entry that the backlink names.
fn parent_of<K: Known>(
    known: &K,
    signed: &SignedEntry,
    source: Source,
) -> Result<Option<KnownBranch>, K::Error> {
    let entry = signed.entry();
    let Some(backlink) = entry.backlink else {
        return Ok(None);
    };
    match known.entry(backlink)? {
        Some(parent) => {
            let foreign = (parent.author, parent.log_id) != (entry.public_key, entry.log_id);
            //= BA1: the backlink names the entry before, of the same key and log
            if fault!(BranchFound, foreign) {
                return Err(PublishError::Log(LogError::Backlink).into());
            }
            Ok(Some(parent.branch()))
        }
        None if source == Source::Peer => {
            Err(PublishError::Log(LogError::BacklinkNotFound(backlink)).into())
        }
        // A client is told what the log's next entry would be.
        None => {
            let log = known.log(entry.public_key, entry.log_id)?;
            let tip = log.as_ref().map(|log| &log.tip);
            let ended = tip.is_some_and(|tip| tip.ended && entry.seq_num > tip.seq_num);
            let expected = match tip {
                None => Some(SeqNum::FIRST),
                Some(tip) => tip.seq_num.next(),
            };
            let claimed = entry.seq_num;
            let error = match expected {
                _ if ended => LogError::Ended,
                Some(expected) if expected != claimed => LogError::SeqNum { claimed, expected },
                _ => LogError::BacklinkNotFound(backlink),
            };
            Err(PublishError::Log(error).into())
        }
    }
}

/// The entry at a position of a branch. Where the log has one entry at that position, it is that.
pub(super) fn ancestor<K: Known>(
    known: &K,
    author: PublicKey,
    branch: &KnownBranch,
    target: SeqNum,
) -> Result<Option<Hash>, K::Error> {
    if let Some(only) = known.only_entry_at(author, branch.log_id, target)? {
        return Ok(Some(only));
    }
    let from = (branch.tip.seq_num, branch.tip.hash);
    crate::validate::ancestor(from, target, |hash| {
        let entry = known.entry(hash)?;
        Ok(entry.map(|entry| (entry.backlink, entry.skiplink)))
    })
}
