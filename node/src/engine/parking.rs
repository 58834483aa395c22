//! Who parked what, so that one peer's flood does not push out what others parked.
//!
//! Knows only of entries parked since the node started: who sent them and how large they are. The store
//! holds the entries; which of them go first is its rule, the oldest.
//!
//! Always true:
//! - No peer has more than its share of places and bytes here, however many it sends.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::session::PeerId;
use grove_core::types::Hash;

use crate::store::ParkedMax;

/// Which part of all parked entries, and of their bytes, may be those of one peer.
const SHARES: u64 = 4;

/// The entries parked since the node started.
#[derive(Debug, Clone, Default)]
pub(super) struct Parking {
    next: u64,
    by_age: BTreeMap<u64, (Hash, PeerId, u64)>,
    ages: BTreeMap<Hash, u64>,
    shares: BTreeMap<PeerId, Share>,
}

#[derive(Debug, Clone, Default)]
struct Share {
    entries: u64,
    size: u64,
}

impl Parking {
    /// Notes that a peer's entry is parked; `false` when that peer has its share already, and nothing was
    /// noted.
    pub(super) fn admit(&mut self, hash: Hash, peer: PeerId, size: u64, max: ParkedMax) -> bool {
        if self.ages.contains_key(&hash) {
            return true;
        }
        let share = self.shares.entry(peer).or_default();
        let is_first = share.entries == 0;
        let fits = share.entries < max.entries / SHARES && share.size + size <= max.size / SHARES;
        if !is_first && !fits {
            return false;
        }
        share.entries += 1;
        share.size += size;
        self.by_age.insert(self.next, (hash, peer, size));
        self.ages.insert(hash, self.next);
        self.next += 1;
        true
    }

    /// Whether an entry is parked, of those that are known here.
    pub(super) fn holds(&self, hash: &Hash) -> bool {
        self.ages.contains_key(hash)
    }

    /// Notes that an entry is parked no more; who sent it.
    pub(super) fn release(&mut self, hash: Hash) -> Option<PeerId> {
        let age = self.ages.remove(&hash)?;
        self.forget(age)
    }

    /// Notes that only so many are left, the newest; who sent those that are gone.
    pub(super) fn keep(&mut self, entries: u64) -> BTreeSet<PeerId> {
        let mut senders = BTreeSet::new();
        while self.by_age.len() as u64 > entries {
            let Some((age, (hash, ..))) = self.by_age.first_key_value() else {
                break;
            };
            let (age, hash) = (*age, *hash);
            self.ages.remove(&hash);
            senders.extend(self.forget(age));
        }
        senders
    }

    fn forget(&mut self, age: u64) -> Option<PeerId> {
        let (_, peer, size) = self.by_age.remove(&age)?;
        if let Some(share) = self.shares.get_mut(&peer) {
            share.entries -= 1;
            share.size -= size;
            if share.entries == 0 {
                self.shares.remove(&peer);
            }
        }
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: ParkedMax = ParkedMax {
        entries: 40,
        size: 4000,
    };

    fn hash(number: u64) -> Hash {
        Hash::of(&number.to_be_bytes())
    }

    #[test]
    fn nobody_takes_more_than_a_share_of_places_or_bytes() {
        let mut parking = Parking::default();
        let [one, two, three] = [1, 2, 3].map(|number| PeerId([number; 32]));

        let small = (0..100).filter(|n| parking.admit(hash(*n), one, 1, MAX));
        assert_eq!(small.count(), 10);
        let large = (100..200).filter(|n| parking.admit(hash(*n), two, 400, MAX));
        assert_eq!(large.count(), 2);

        assert!(parking.admit(hash(3), one, 1, MAX), "it is parked already");
        assert!(
            parking.admit(hash(200), three, 9999, MAX),
            "one may always wait"
        );
        parking.release(hash(0));
        assert!(parking.admit(hash(201), one, 1, MAX));
    }

    #[test]
    fn what_was_dropped_counts_no_more() {
        let mut parking = Parking::default();
        let one = PeerId([1; 32]);
        for number in 0..10 {
            assert!(parking.admit(hash(number), one, 100, MAX));
        }

        parking.keep(4);

        assert!((10..16).all(|number| parking.admit(hash(number), one, 100, MAX)));
        assert!(!parking.admit(hash(16), one, 100, MAX));
        parking.keep(0);
        assert!(parking.by_age.is_empty() && parking.ages.is_empty() && parking.shares.is_empty());
    }
}
