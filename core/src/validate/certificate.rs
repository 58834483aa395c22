//! Certificate pools: which entries of a branch prove that one of them belongs to its log (Bamboo).
//!
//! Who holds the pool of an entry can verify that entry without the rest of the log, and so can
//! everybody who holds a pool of a later one. Which entries a node keeps is its own matter; here is
//! only which suffice, and whether they do.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use super::{SignedEntry, ancestor};
use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{Hash, SeqNum, lipmaa_block_end};

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

/// Checks that `hash` names one of `entries`, and that they prove its branch: every entry on its way back
/// to a first one is there, all are of one key and log, and each names the next.
///
/// Other entries that happen to be there, as of other branches, must not contradict the entries they link
/// to either.
pub fn verify_partial_log(
    entries: &BTreeMap<Hash, SignedEntry>,
    hash: Hash,
) -> Result<(), CertificateError> {
    let proved = entries.get(&hash).ok_or(CertificateError::Absent(hash))?;
    let owner = |signed: &SignedEntry| (signed.entry().public_key, signed.entry().log_id);
    let mut sorted: Vec<_> = entries.values().collect();
    sorted.sort_by_key(|signed| (signed.entry().seq_num, signed.hash()));
    for signed in sorted {
        let foreign = owner(signed) != owner(proved);
        if fault!(CertificateOwner, foreign) {
            return Err(CertificateError::Owner(signed.entry().seq_num));
        }
        check_links(entries, signed)?;
    }

    let mut at = proved.entry();
    for target in path_to_first(at.seq_num).skip(1) {
        let skips = at.seq_num.skiplink() == Some(target);
        let link = if skips { at.skiplink } else { at.backlink };
        let next = link.and_then(|link| entries.get(&link));
        match next {
            Some(next) => at = next.entry(),
            None if fault!(CertificateWhole, true) => {
                return Err(CertificateError::Missing(target));
            }
            None => break,
        }
    }
    Ok(())
}

/// Checks an entry against those of the entries it links to that are there.
fn check_links(
    entries: &BTreeMap<Hash, SignedEntry>,
    signed: &SignedEntry,
) -> Result<(), CertificateError> {
    let entry = signed.entry();
    let linked = |link: Option<Hash>| Some(entries.get(&link?)?.entry());
    let (back, skip) = (linked(entry.backlink), linked(entry.skiplink));
    //= R8: nothing follows an end-of-log entry
    let ended = [back, skip]
        .into_iter()
        .flatten()
        .find(|link| link.end_of_log);
    if let Some(ended) = ended
        && fault!(CertificateEnded, true)
    {
        return Err(CertificateError::Ended(ended.seq_num));
    }
    let broken = back.is_some_and(|back| Some(back.seq_num) != entry.seq_num.backlink());
    if fault!(CertificateBacklink, broken) {
        return Err(CertificateError::Backlink(entry.seq_num));
    }
    let Some(target) = entry.seq_num.skiplink() else {
        return Ok(());
    };
    let links_of = |hash: Hash| {
        let links = entries.get(&hash).map(SignedEntry::entry);
        Ok::<_, Infallible>(links.map(|entry| (entry.backlink, entry.skiplink)))
    };
    let from = entry.seq_num.backlink().zip(entry.backlink);
    let Ok(other) = from.map_or(Ok(None), |from| ancestor(from, target, links_of));
    // A way back that is not whole tells nothing.
    let other = other.filter(|hash| entries.contains_key(hash) && Some(*hash) != entry.skiplink);
    let misplaced = skip.is_some_and(|skip| skip.seq_num != target);
    if fault!(CertificateSkiplink, misplaced || other.is_some()) {
        return Err(CertificateError::Skiplink(entry.seq_num));
    }
    Ok(())
}

/// Why entries do not prove that one of them belongs to a log. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The entry to prove is none of them.
    #[error("entry {0} is not there")]
    Absent(Hash),
    /// An entry on the way back to the first is not there.
    #[error("entry {0} is needed and not there")]
    Missing(SeqNum),
    /// An entry is of another key or log.
    #[error("entry {0} is of another key or log")]
    Owner(SeqNum),
    /// An entry ended its branch, yet there are later ones.
    #[error("entry {0} ended its branch, yet there are later ones")]
    Ended(SeqNum),
    /// An entry's backlink names an entry of another position than the one before it.
    #[error("the backlink of entry {0} is not the hash of the entry before")]
    Backlink(SeqNum),
    /// An entry's skiplink names another entry than that of its branch at the lipmaa position.
    #[error("the skiplink of entry {0} is not the hash of its lipmaa entry")]
    Skiplink(SeqNum),
}

impl Refusal for CertificateError {
    fn reason(&self) -> Reason {
        match self {
            Self::Absent(_) | Self::Missing(_) => Reason::CertificateIncomplete,
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
    use crate::wire::{Entry, Fields, Operation};
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
        let kept: Vec<_> = whole
            .iter()
            .filter(|(at, _)| pool.contains(at))
            .map(|(_, entry)| entry.clone())
            .collect();
        let proved = whole[&seq(23)].hash();

        assert_eq!(verify(kept.clone(), proved), Ok(()));
        for at in path_to_first(seq(23)).skip(1) {
            let holed = kept.iter().filter(|entry| entry.entry().seq_num != at);
            assert_eq!(
                verify(holed.cloned(), proved),
                Err(CertificateError::Missing(at))
            );
        }
        let holed = kept.into_iter().filter(|entry| entry.hash() != proved);
        assert_eq!(verify(holed, proved), Err(CertificateError::Absent(proved)));
    }

    #[test]
    fn entries_of_other_logs_prove_nothing() {
        let (mut mine, theirs) = (log(1, 13), log(2, 13));
        mine.insert(seq(4), theirs[&seq(4)].clone());
        let proved = mine[&seq(13)].hash();
        assert_eq!(
            verify(mine.into_values(), proved),
            Err(CertificateError::Owner(seq(4)))
        );
    }

    /// Signs another entry after the one at `parent`, with these links in place of the right ones.
    fn after(
        log: &BTreeMap<SeqNum, SignedEntry>,
        parent: u64,
        change: impl FnOnce(&mut Entry),
    ) -> SignedEntry {
        let hash_at = |at| log.get(&at).map(SignedEntry::hash);
        let tip = log[&seq(parent)].hash();
        let args = NextArgs::after(LogId::new(0), seq(parent), tip, hash_at).unwrap();
        let key_pair = KeyPair::from_seed(&[1; 32]);
        let signed = crate::author::sign_entry(&key_pair, &args, b"another").unwrap();
        let mut entry = signed.entry().clone();
        change(&mut entry);
        entry.sign(&key_pair);
        SignedEntry::verify(&entry.encode()).unwrap()
    }

    #[test]
    fn nothing_is_proved_past_the_end_of_a_branch() {
        let mut whole = log(1, 2);
        let last = after(&whole, 2, |entry| entry.end_of_log = true);
        whole.insert(seq(3), last.clone());
        let entries: Vec<_> = whole.values().cloned().collect();
        assert_eq!(verify(entries.clone(), last.hash()), Ok(()));

        let behind = after(&whole, 3, |_| {});
        assert_eq!(
            verify(entries.into_iter().chain([behind.clone()]), behind.hash()),
            Err(CertificateError::Ended(seq(3)))
        );
    }

    //= FK10 test
    #[test]
    fn each_branch_is_proved_along_its_own_links() {
        let whole = log(1, 3);
        let mut other = whole.clone();
        other.insert(seq(2), after(&whole, 1, |_| {}));
        other.insert(seq(3), after(&other, 2, |_| {}));
        let fourth = after(&other, 3, |_| {});
        let both: Vec<_> = whole.values().chain(other.values()).cloned().collect();
        let with = |entry: &SignedEntry| both.iter().cloned().chain([entry.clone()]);

        assert_eq!(verify(with(&fourth), fourth.hash()), Ok(()));
        assert_eq!(verify(with(&fourth), whole[&seq(3)].hash()), Ok(()));
        for wrong in [&whole[&seq(2)], &whole[&seq(3)]] {
            let astray = after(&other, 3, |entry| entry.skiplink = Some(wrong.hash()));
            assert_eq!(
                verify(with(&astray), astray.hash()),
                Err(CertificateError::Skiplink(seq(4)))
            );
        }
        let astray = after(&whole, 3, |entry| {
            entry.backlink = Some(whole[&seq(2)].hash())
        });
        assert_eq!(
            verify(with(&astray), astray.hash()),
            Err(CertificateError::Backlink(seq(4)))
        );
    }

    fn verify(
        entries: impl IntoIterator<Item = SignedEntry>,
        proved: Hash,
    ) -> Result<(), CertificateError> {
        let entries = entries.into_iter().map(|entry| (entry.hash(), entry));
        verify_partial_log(&entries.collect(), proved)
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
