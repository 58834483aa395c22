//! Whether an entry continues a branch of its log, and which of several branches to continue.
//!
//! A log is a set of trees, in honest hands one tree with one branch: an entry continues the branch that
//! ends in the entry its backlink names (R24). Judges against that entry and the lipmaa entry it is
//! handed. Whether something else follows there already is told by whoever has the entries.

use std::cmp::Reverse;

use crate::mutant::{altered, fault, holds, swapped};
use crate::reason::{Reason, Refusal};
use crate::types::{Hash, SeqNum};
use crate::wire::Entry;

/// The last entry of a branch, or an entry that another one is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTip {
    /// Its position.
    pub seq_num: SeqNum,
    /// Its hash.
    pub hash: Hash,
    /// Whether it ended its branch.
    pub ended: bool,
}

/// Whether `one` is to be continued rather than `other`, of the last entries of two branches.
///
/// A branch that can be continued comes before one that was ended, then the one with more entries, then
/// the one whose last entry has the lower hash. So all nodes with the same entries propose the same.
pub fn prefers(one: &LogTip, other: &LogTip) -> bool {
    let rank = |tip: &LogTip| {
        let ended = altered!(PrefersOpen, tip.ended, false);
        let seq_num = altered!(PrefersLonger, tip.seq_num, SeqNum::FIRST);
        (ended, Reverse(seq_num))
    };
    let (lower, higher) = swapped!(PrefersLower, one.hash, other.hash);
    //= FK9: the longest open branch goes on, of equals that with the lowest last hash
    //= R24: next arguments continue the branch with the most entries that has not ended
    rank(one).cmp(&rank(other)).then(lower.cmp(&higher)).is_lt()
}

/// Checks that `entry` continues the branch that ends in `parent`, and that its skiplink names `lipmaa`,
/// the hash of the entry of that branch at the lipmaa position (BA1, R8). `parent` is the entry the
/// backlink names; `None` for a first entry.
pub fn check_position(
    entry: &Entry,
    parent: Option<&LogTip>,
    lipmaa: Option<Hash>,
) -> Result<(), LogError> {
    //= FK2: an end-of-log entry is the last one of its branch
    //= R8: nothing follows an end-of-log entry on its branch
    let ended = parent.is_some_and(|parent| parent.ended && entry.seq_num > parent.seq_num);
    if fault!(LogEnded, ended) {
        return Err(LogError::Ended);
    }
    let expected = match parent {
        None => altered!(LogBegins, SeqNum::FIRST, entry.seq_num),
        Some(parent) => parent.seq_num.next().ok_or(LogError::Full)?,
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
    let backlink = parent.map(|parent| parent.hash);
    if fault!(BacklinkMismatch, entry.backlink != backlink) {
        return Err(LogError::Backlink);
    }
    //= PB12: the greatest sequence number is never reached
    //= R26: a log ends at 2^64−2, since the next arguments could not be told otherwise
    if fault!(LogFull, entry.seq_num.next().is_none()) {
        return Err(LogError::Full);
    }
    Ok(())
}

/// What an entry names: its backlink and its skiplink.
pub type Links = (Option<Hash>, Option<Hash>);

/// The entry at position `target` of the branch that ends in the entry `from`; `None` when an entry on the
/// way is not there. Takes as many steps as the logarithm of the distance.
///
/// The links lead back: the skiplink unless it jumps over the goal, else the backlink.
//= FK10: skiplinks lead to entries of the own branch
pub fn ancestor<E>(
    from: (SeqNum, Hash),
    target: SeqNum,
    mut links_of: impl FnMut(Hash) -> Result<Option<Links>, E>,
) -> Result<Option<Hash>, E> {
    let (mut seq_num, mut at) = from;
    while seq_num > target {
        let Some((backlink, skiplink)) = links_of(at)? else {
            return Ok(None);
        };
        let next = seq_num
            .skiplink()
            .zip(skiplink)
            .filter(|(position, _)| holds!(AncestorStaysAbove, *position >= target))
            .or_else(|| seq_num.backlink().zip(backlink));
        let Some(next) = next else {
            return Ok(None);
        };
        (seq_num, at) = next;
    }
    Ok((seq_num == target).then_some(at))
}

/// Why an entry continues no branch of its log. (Peer, Caller)
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
    /// The backlink names an entry that is none of this log's at the position before.
    #[error("the backlink is not the hash of the entry before")]
    Backlink,
    /// The entry that the backlink names is not there.
    #[error("the backlink names an entry that is not known")]
    BacklinkNotFound(Hash),
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
            Self::Backlink | Self::BacklinkNotFound(_) => Reason::BacklinkMismatch,
            Self::Skiplink => Reason::SkiplinkMismatch,
            Self::SkiplinkNotFound => Reason::SkiplinkNotFound,
            Self::Ended => Reason::LogEnded,
            Self::Full => Reason::SeqNumMax,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tip(seq_num: u64, byte: u8, ended: bool) -> LogTip {
        LogTip {
            seq_num: SeqNum::new(seq_num).unwrap(),
            hash: Hash::from_digest([byte; 32]),
            ended,
        }
    }

    //= FK9 test
    #[test]
    fn the_longest_open_branch_is_continued() {
        let short = tip(2, 1, false);
        assert!(prefers(&short, &tip(9, 0, true)), "what ended can't go on");
        assert!(prefers(&tip(3, 9, false), &short), "more entries");
        assert!(prefers(&short, &tip(2, 2, false)), "the lower hash");
        assert!(prefers(&tip(3, 0, true), &tip(2, 0, true)));
        assert!(!prefers(&short, &short));
    }

    proptest! {
        #[test]
        fn one_tip_is_preferred_to_all_others(
            tips in prop::collection::btree_set((1u64..4, any::<u8>(), any::<bool>()), 1..8),
        ) {
            let tips: Vec<_> = tips.into_iter().map(|(n, byte, ended)| tip(n, byte, ended)).collect();
            let best = |tips: &[LogTip]| tips.iter().copied().reduce(|a, b| if prefers(&b, &a) { b } else { a });
            let mut turned = tips.clone();
            turned.reverse();
            let rank = |tip: &LogTip| (tip.ended, Reverse(tip.seq_num), tip.hash);

            prop_assert_eq!(best(&tips).map(|tip| rank(&tip)), best(&turned).map(|tip| rank(&tip)));
            prop_assert_eq!(best(&tips).map(|tip| rank(&tip)), tips.iter().map(rank).min());
        }
    }
}
