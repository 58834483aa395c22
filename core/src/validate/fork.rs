//! Fork evidence: two entries by which an author contradicts itself (R24, FK).
//!
//! The proof stands on its own bytes alone, so whoever receives it can check it without knowing the
//! log. What follows from a fork for the log and its documents is judged in [`crate::publish`].
//!
//! Always true: both entries are validly signed, they differ, and both claim one position of one log.

use super::{SignedEntry, VerifyError};
use crate::mutant::{fault, swapped};
use crate::reason::{Reason, Refusal};
use crate::types::{Hash, LogId, PublicKey, SeqNum};
use crate::wire::Entry;

/// Two different entries of one author at one position of one log.
///
/// They are kept in ascending order of their hashes: the same pair is the same value, whichever of
/// the two became known first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkEvidence {
    lower: SignedEntry,
    higher: SignedEntry,
}

impl ForkEvidence {
    /// Reads and checks both entries, in either order, and that they contradict each other.
    pub fn verify(first: &[u8], second: &[u8]) -> Result<Self, ForkError> {
        Self::of(SignedEntry::verify(first)?, SignedEntry::verify(second)?)
    }

    /// Joins two signed entries, in either order, if they contradict each other.
    pub fn of(first: SignedEntry, second: SignedEntry) -> Result<Self, ForkError> {
        //= FK3: two signed entries of one position that differ are the proof
        let elsewhere = position(first.entry()) != position(second.entry());
        if fault!(ForkPosition, elsewhere) {
            return Err(ForkError::Position);
        }
        if fault!(ForkTwoEntries, first.hash() == second.hash()) {
            return Err(ForkError::Identical);
        }
        let (lower, higher) = if first.hash() < second.hash() {
            (first, second)
        } else {
            (second, first)
        };
        let (lower, higher) = swapped!(ForkAscends, lower, higher);
        Ok(Self { lower, higher })
    }

    /// Who forked the log.
    pub fn public_key(&self) -> PublicKey {
        self.lower.entry().public_key
    }

    /// The forked log.
    pub fn log_id(&self) -> LogId {
        self.lower.entry().log_id
    }

    /// The position that both entries claim.
    pub fn seq_num(&self) -> SeqNum {
        self.lower.entry().seq_num
    }

    /// Both entries, in ascending order of their hashes.
    pub fn entries(&self) -> [&SignedEntry; 2] {
        [&self.lower, &self.higher]
    }

    /// Hashes of both entries, ascending.
    pub fn hashes(&self) -> [Hash; 2] {
        self.entries().map(SignedEntry::hash)
    }
}

fn position(entry: &Entry) -> (PublicKey, LogId, SeqNum) {
    (entry.public_key, entry.log_id, entry.seq_num)
}

/// Why two entries do not prove a fork. (Peer)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForkError {
    /// One of them is no signed entry.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// They differ in author, log or seq num.
    #[error("the two entries do not claim one position of one log")]
    Position,
    /// Twice the same entry.
    #[error("the two entries are one and the same")]
    Identical,
}

impl Refusal for ForkError {
    fn reason(&self) -> Reason {
        match self {
            Self::Verify(error) => error.reason(),
            Self::Position => Reason::ForkPosition,
            Self::Identical => Reason::ForkIdentical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::{NextArgs, sign_entry};
    use crate::types::KeyPair;
    use proptest::prelude::*;

    /// The entry of author `seed` in log `log_id` at `seq_num` that carries `payload`.
    fn entry(seed: u8, log_id: u64, seq_num: u64, payload: &[u8]) -> SignedEntry {
        let seq_num = SeqNum::new(seq_num).unwrap();
        let args = NextArgs {
            log_id: LogId::new(log_id),
            seq_num,
            backlink: seq_num.backlink().map(|_| Hash::of(b"backlink")),
            skiplink: seq_num.skiplink().map(|_| Hash::of(b"skiplink")),
        };
        sign_entry(&KeyPair::from_seed(&[seed; 32]), &args, payload).unwrap()
    }

    //= FK3 test
    #[test]
    fn a_pair_tells_who_forked_which_log_where() {
        let (one, other) = (entry(1, 3, 8, b"one"), entry(1, 3, 8, b"other"));
        let evidence = ForkEvidence::verify(one.bytes(), other.bytes()).unwrap();

        assert_eq!(evidence.public_key(), one.entry().public_key);
        assert_eq!(evidence.log_id(), LogId::new(3));
        assert_eq!(evidence.seq_num(), SeqNum::new(8).unwrap());
        let mut hashes = [one.hash(), other.hash()];
        hashes.sort();
        assert_eq!(evidence.hashes(), hashes);
    }

    #[test]
    fn entries_of_different_positions_prove_nothing() {
        let mine = entry(1, 0, 2, b"mine");
        for other in [
            entry(2, 0, 2, b"other author"),
            entry(1, 1, 2, b"other log"),
            entry(1, 0, 3, b"other seq num"),
        ] {
            assert_eq!(
                ForkEvidence::of(mine.clone(), other),
                Err(ForkError::Position)
            );
        }
    }

    #[test]
    fn an_entry_does_not_contradict_itself() {
        let entry = entry(1, 0, 2, b"same");
        let error = ForkEvidence::verify(entry.bytes(), entry.bytes()).unwrap_err();
        assert_eq!(error.reason(), Reason::ForkIdentical);
    }

    #[test]
    fn an_unsigned_half_is_refused_on_either_side() {
        let (one, other) = (entry(1, 0, 1, b"one"), entry(1, 0, 1, b"other"));
        let mut broken = other.bytes().to_vec();
        *broken.last_mut().unwrap() ^= 1;

        for (first, second) in [(one.bytes(), &broken[..]), (&broken[..], one.bytes())] {
            let error = ForkEvidence::verify(first, second).unwrap_err();
            assert_eq!(error.reason(), Reason::SignatureInvalid);
        }
        let error = ForkEvidence::verify(one.bytes(), &[]).unwrap_err();
        assert_eq!(error.reason(), Reason::EntryTruncated);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn evidence_is_exactly_two_entries_at_one_position(
            one in (1..3u8, 0..2u64, 1..4u64, 0..3u8),
            other in (1..3u8, 0..2u64, 1..4u64, 0..3u8),
        ) {
            let make = |(seed, log_id, seq_num, payload)| entry(seed, log_id, seq_num, &[payload]);
            let (first, second) = (make(one), make(other));
            let same_position = (one.0, one.1, one.2) == (other.0, other.1, other.2);

            let evidence = ForkEvidence::of(first.clone(), second.clone());

            prop_assert_eq!(evidence.is_ok(), same_position && one.3 != other.3);
            prop_assert_eq!(&evidence, &ForkEvidence::of(second, first));
            if let Ok(evidence) = evidence {
                let [lower, higher] = evidence.entries();
                prop_assert!(lower.hash() < higher.hash());
                prop_assert_eq!(&ForkEvidence::verify(higher.bytes(), lower.bytes()), &Ok(evidence.clone()));
            }
        }
    }
}
