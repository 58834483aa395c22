//! Certificate pools: which entries of a log prove that one of them belongs to it (Bamboo).
//!
//! Who holds the pool of an entry can verify that entry without the rest of the log, and so can
//! everybody who holds a pool of a later one. Which entries a node keeps is its own matter; here is
//! only which suffice, and whether they do.

use std::collections::{BTreeMap, BTreeSet};

use super::SignedEntry;
use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{SeqNum, lipmaa_block_end};

/// The entries on the shortest way back from `seq_num` to the first, both included, descending.
pub fn path_to_first(seq_num: SeqNum) -> impl Iterator<Item = SeqNum> {
    std::iter::successors(Some(seq_num), |at| {
        altered!(PathByLipmaa, at.lipmaa(), at.backlink())
    })
}

/// The entries on the shortest way from the end of the block around `seq_num` back to it, both
/// included, descending. Later entries may not exist yet. `None` when the block ends beyond 2^64−1.
pub fn path_from_block_end(seq_num: SeqNum) -> Option<impl Iterator<Item = SeqNum>> {
    let end = SeqNum::new(lipmaa_block_end(seq_num.as_u64())?)?;
    Some(std::iter::successors(Some(end), move |at| {
        if *at == seq_num {
            return None;
        }
        // The lipmaa link, unless it jumps over the goal.
        at.lipmaa()
            .filter(|target| holds!(PathStaysAbove, *target >= seq_num))
            .or_else(|| at.backlink())
    }))
}

/// The certificate pool of an entry: both paths together.
pub fn certificate_pool(seq_num: SeqNum) -> BTreeSet<SeqNum> {
    let later = path_from_block_end(seq_num).into_iter().flatten();
    path_to_first(seq_num).chain(later).collect()
}

/// Checks that the entry at `seq_num` belongs to the log that begins with the first of `entries`:
/// every entry on its way back is there, all are of one key and log, and each names the next.
///
/// Links between other entries that happen to be there are checked too.
pub fn verify_partial_log(
    entries: &BTreeMap<SeqNum, SignedEntry>,
    seq_num: SeqNum,
) -> Result<(), CertificateError> {
    for at in path_to_first(seq_num) {
        if fault!(CertificateWhole, !entries.contains_key(&at)) {
            return Err(CertificateError::Missing(at));
        }
    }
    let first = entries.values().next().map(SignedEntry::entry);
    let last = entries.keys().next_back();
    for (at, signed) in entries {
        let entry = signed.entry();
        let owner = |entry: &crate::wire::Entry| (entry.public_key, entry.log_id);
        let foreign = entry.seq_num != *at || first.map(owner) != Some(owner(entry));
        if fault!(CertificateOwner, foreign) {
            return Err(CertificateError::Owner(*at));
        }
        //= R8: nothing follows an end-of-log entry
        let ended = entry.end_of_log && last != Some(at);
        if fault!(CertificateEnded, ended) {
            return Err(CertificateError::Ended(*at));
        }
        let hash_at = |target: Option<SeqNum>| Some(entries.get(&target?)?.hash());
        let broken = hash_at(at.backlink()).is_some_and(|hash| entry.backlink != Some(hash));
        if fault!(CertificateBacklink, broken) {
            return Err(CertificateError::Backlink(*at));
        }
        let broken = hash_at(at.skiplink()).is_some_and(|hash| entry.skiplink != Some(hash));
        if fault!(CertificateSkiplink, broken) {
            return Err(CertificateError::Skiplink(*at));
        }
    }
    Ok(())
}

/// Why entries do not prove that one of them belongs to a log. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// An entry on the way back to the first is not there.
    #[error("entry {0} is needed and not there")]
    Missing(SeqNum),
    /// An entry is of another key or log, or stands at another position.
    #[error("entry {0} is of another log or position")]
    Owner(SeqNum),
    /// An entry ended the log, yet there are later ones.
    #[error("entry {0} ended the log, yet there are later ones")]
    Ended(SeqNum),
    /// An entry's backlink names another entry than the one before it.
    #[error("the backlink of entry {0} is not the hash of the entry before")]
    Backlink(SeqNum),
    /// An entry's skiplink names another entry than its lipmaa entry.
    #[error("the skiplink of entry {0} is not the hash of its lipmaa entry")]
    Skiplink(SeqNum),
}

impl Refusal for CertificateError {
    fn reason(&self) -> Reason {
        match self {
            Self::Missing(_) => Reason::CertificateIncomplete,
            Self::Owner(_) => Reason::LogOwnerMismatch,
            Self::Ended(_) => Reason::LogEnded,
            Self::Backlink(_) => Reason::BacklinkMismatch,
            Self::Skiplink(_) => Reason::SkiplinkMismatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::{NextArgs, forge};
    use crate::types::{KeyPair, LogId, SchemaId};
    use crate::wire::{Fields, Operation};
    use proptest::prelude::*;

    fn numbers(path: impl IntoIterator<Item = SeqNum>) -> Vec<u64> {
        path.into_iter().map(SeqNum::as_u64).collect()
    }

    fn seq(number: u64) -> SeqNum {
        SeqNum::new(number).unwrap()
    }

    fn log(seed: u8, length: u64) -> BTreeMap<SeqNum, SignedEntry> {
        let key_pair = KeyPair::from_seed(&[seed; 32]);
        let operation = Operation::Create {
            schema_id: SchemaId::BLOB,
            fields: Fields::new(),
        };
        let mut args = NextArgs::first(LogId::new(0));
        let mut entries = BTreeMap::new();
        for number in 1..=length {
            let entry = forge(&key_pair, &args, &operation).unwrap().entry().clone();
            entries.insert(seq(number), entry.clone());
            let hash_at = |at| entries.get(&at).map(SignedEntry::hash);
            args = NextArgs::after(args.log_id, seq(number), entry.hash(), hash_at).unwrap();
        }
        entries
    }

    #[test]
    fn the_pool_of_entry_23_is_the_published_one() {
        assert_eq!(numbers(path_to_first(seq(23))), [23, 22, 21, 17, 13, 4, 1]);
        let later = path_from_block_end(seq(23)).unwrap();
        assert_eq!(numbers(later), [40, 39, 26, 25, 24, 23]);
        assert_eq!(certificate_pool(seq(1)), BTreeSet::from([seq(1)]));
    }

    #[test]
    fn pools_near_the_end_of_numbers_stay_finite() {
        assert!(path_from_block_end(seq(u64::MAX)).is_none());
        assert!(certificate_pool(seq(u64::MAX)).len() < 300);
    }

    #[test]
    fn a_pool_proves_its_entry_and_each_part_is_needed() {
        let whole = log(1, 40);
        let pool = certificate_pool(seq(23));
        let kept: BTreeMap<_, _> = whole
            .iter()
            .filter(|(at, _)| pool.contains(at))
            .map(|(at, e)| (*at, e.clone()))
            .collect();

        assert_eq!(verify_partial_log(&kept, seq(23)), Ok(()));
        for at in path_to_first(seq(23)) {
            let mut holed = kept.clone();
            holed.remove(&at);
            assert_eq!(
                verify_partial_log(&holed, seq(23)),
                Err(CertificateError::Missing(at))
            );
        }
    }

    #[test]
    fn entries_of_other_logs_prove_nothing() {
        let (mut mine, theirs) = (log(1, 13), log(2, 13));
        mine.insert(seq(4), theirs[&seq(4)].clone());
        assert_eq!(
            verify_partial_log(&mine, seq(13)),
            Err(CertificateError::Owner(seq(4)))
        );
    }

    #[test]
    fn nothing_is_proved_past_the_end_of_a_log() {
        let mut entries = log(1, 3);
        let (tip, key_pair) = (entries[&seq(3)].clone(), KeyPair::from_seed(&[1; 32]));
        let mut last = tip.entry().clone();
        last.end_of_log = true;
        last.sign(&key_pair);
        let last = SignedEntry::verify(&last.encode()).unwrap();
        entries.insert(seq(3), last.clone());

        assert_eq!(verify_partial_log(&entries, seq(3)), Ok(()));
        let hash_at = |at| entries.get(&at).map(SignedEntry::hash);
        let args = NextArgs::after(LogId::new(0), seq(3), last.hash(), hash_at).unwrap();
        let after = crate::author::sign_entry(&key_pair, &args, &[]).unwrap();
        entries.insert(seq(4), after);
        assert_eq!(
            verify_partial_log(&entries, seq(4)),
            Err(CertificateError::Ended(seq(3)))
        );
    }

    proptest! {
        #[test]
        fn pools_of_two_entries_always_meet(a in 1u64..2_000, b in 1u64..2_000) {
            let (low, high) = (seq(a.min(b)), seq(a.max(b)));
            let of_low = certificate_pool(low);
            let way_back: BTreeSet<_> = path_to_first(high).collect();
            prop_assert!(!of_low.is_disjoint(&way_back));
            prop_assert!(numbers(path_to_first(high)).ends_with(&[1]));
        }
    }
}
