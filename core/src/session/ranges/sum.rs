//! Sums of entry hashes: numbers of 256 bits, lowest byte first, added with what overflows dropped.

use sha2::{Digest, Sha256};

/// What two sides compare of a range.
pub(super) type Fingerprint = [u8; 16];

/// A sum of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub(super) fn add(&mut self, digest: &[u8; 32]) {
        self.join(&Self::of(digest));
    }

    pub(super) fn subtract(&mut self, digest: &[u8; 32]) {
        self.part(&Self::of(digest));
    }

    pub(super) fn join(&mut self, other: &Self) {
        let mut carry = false;
        for (lane, more) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = lane.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(carry.into());
            (*lane, carry) = (sum, first || second);
        }
    }

    /// Takes away a sum that is part of this one.
    pub(super) fn part(&mut self, other: &Self) {
        let mut borrow = false;
        for (lane, less) in self.0.iter_mut().zip(other.0) {
            let (rest, first) = lane.overflowing_sub(less);
            let (rest, second) = rest.overflowing_sub(borrow.into());
            (*lane, borrow) = (rest, first || second);
        }
    }

    /// What is told of as many entries with this sum.
    pub(super) fn fingerprint(&self, count: usize) -> Fingerprint {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        super::write_number(&mut bytes, count as u64);
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let (fingerprint, _) = digest
            .split_first_chunk()
            .expect("32 bytes are more than 16");
        *fingerprint
    }

    fn of(digest: &[u8; 32]) -> Self {
        let (lanes, _) = digest.as_chunks::<8>();
        let mut sum = [0; 4];
        for (lane, bytes) in sum.iter_mut().zip(lanes) {
            *lane = u64::from_le_bytes(*bytes);
        }
        Self(sum)
    }
}
