//! Keys and signatures with a part of small order, which nobody makes by accident.
//!
//! The curve has eight points of small order, the multiples of one of them. A signature under a key
//! with such a part holds or fails by the challenge modulo 8, so the nonce is tried until it does what
//! is wanted – both for the challenge reduced modulo the group order and for the raw 512-bit number,
//! so that no implementation has the excuse of reducing otherwise.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest, Sha512};

use super::Key;
use super::key::join;

/// The prime of the field, little-endian, without its top bit: `ed ff … ff 7f`.
const PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

/// The order of the point number `n` of the eight: 1, 2, 4 or 8.
pub const fn order(n: u8) -> u8 {
    8 >> if n == 0 { 3 } else { n.trailing_zeros() }
}

/// Every way to write a point of small order, the canonical ones first: its number and the bytes.
pub fn small_order_encodings() -> Vec<(u8, [u8; 32])> {
    let canonical: Vec<_> = (0..8)
        .map(|n| (n, point(n).compress().to_bytes()))
        .collect();
    let other_sign = |(n, mut bytes): (u8, [u8; 32])| {
        bytes[31] ^= 0x80;
        (n, bytes)
    };
    // x = 0 has no sign, and y = 0 and y = 1 fit 255 bits once more with the prime added.
    let unsigned = [canonical[0], canonical[4]].map(other_sign);
    let mut all = canonical.clone();
    all.extend(unsigned);
    for n in [0, 2, 6] {
        let (_, bytes) = canonical[n];
        let mut above = PRIME;
        above[0] += bytes[0];
        above[31] |= bytes[31] & 0x80;
        all.push((n as u8, above));
        if n == 0 {
            all.push(other_sign((0, above)));
        }
    }
    all
}

/// Whoever signs under a key that has a part of small order.
#[derive(Clone, Debug)]
pub struct Signer {
    public: [u8; 32],
    scalar: Scalar,
    part: u8,
}

impl Signer {
    /// The holder of `key`, whose public key has the point number `part` of the eight added to it.
    pub fn mixed(key: &Key, part: u8) -> Self {
        let public = ED25519_BASEPOINT_POINT * key.scalar() + point(part);
        Self {
            public: public.compress().to_bytes(),
            scalar: key.scalar(),
            part,
        }
    }

    /// Anybody, under a public key that is the point number `part` alone, written as `public`.
    pub fn anybody((part, public): (u8, [u8; 32])) -> Self {
        let scalar = Scalar::ZERO;
        Self {
            public,
            scalar,
            part,
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs with R moved by the point number `r_part`; `wanted` is asked for the part that is left
    /// over when both sides of the equation are compared, 0 when it holds without cofactor.
    pub fn sign(&self, message: &[u8], r_part: u8, wanted: fn(u8) -> bool) -> [u8; 64] {
        (0u32..)
            .map(|attempt| sha512(&[message, &attempt.to_be_bytes()]))
            .map(|digest| Scalar::from_bytes_mod_order_wide(&digest))
            .find_map(|nonce| self.attempt(message, nonce, r_part, wanted))
            .expect("one nonce in 64 or so fits")
    }

    /// As [`Self::sign`] with the one nonce of zero, where R is the point number `r_part` alone.
    pub fn sign_without_nonce(
        &self,
        message: &[u8],
        r_part: u8,
        wanted: fn(u8) -> bool,
    ) -> Option<[u8; 64]> {
        self.attempt(message, Scalar::ZERO, r_part, wanted)
    }

    /// Signs with a nonce of zero and these bytes for R, which are hashed as they are.
    pub fn sign_with_r(&self, message: &[u8], r: [u8; 32]) -> [u8; 64] {
        let (challenge, _) = self.challenge(message, r);
        join(r, (challenge * self.scalar).to_bytes())
    }

    fn attempt(
        &self,
        message: &[u8],
        nonce: Scalar,
        r_part: u8,
        wanted: fn(u8) -> bool,
    ) -> Option<[u8; 64]> {
        let r = ED25519_BASEPOINT_POINT * nonce + point(r_part);
        let r = r.compress().to_bytes();
        let (challenge, raw) = self.challenge(message, r);
        let left = |challenge: u8| (r_part + (challenge & 7) * self.part) & 7;
        let s = nonce + challenge * self.scalar;
        let fits = wanted(left(challenge.to_bytes()[0])) && wanted(left(raw));
        fits.then(|| join(r, s.to_bytes()))
    }

    /// The challenge modulo the group order, and the lowest byte of it without that reduction.
    fn challenge(&self, message: &[u8], r: [u8; 32]) -> (Scalar, u8) {
        let digest = sha512(&[&r, &self.public, message]);
        (Scalar::from_bytes_mod_order_wide(&digest), digest[0])
    }
}

fn point(n: u8) -> EdwardsPoint {
    EIGHT_TORSION[usize::from(n)]
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}
