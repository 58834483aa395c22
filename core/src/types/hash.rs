//! YASMF hashes: BLAKE3 with a two-byte prefix (BA2).
//!
//! Holds only the digest, since the prefix is always `00 20`. What is hashed is the caller's choice;
//! it must be the bytes as received, never a re-encoding.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::decode_lowercase_hex;
use crate::mutant::{altered, fault};
use crate::reason::{Reason, Refusal};

/// A YASMF BLAKE3-256 hash: 34 bytes on the wire, 68 lowercase hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Size on the wire in bytes.
    pub const SIZE: usize = 34;

    /// Algorithm id of BLAKE3 and digest length, both varu64.
    const PREFIX: [u8; 2] = [0x00, 0x20];

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        //= BA2: entries and operations are known by their BLAKE3 hash
        let digest = *blake3::hash(bytes).as_bytes();
        Self(altered!(
            HashOnce,
            digest,
            *blake3::hash(&digest).as_bytes()
        ))
    }

    /// Reads a hash from exactly 34 bytes (BA2, R10).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HashError> {
        let wrong = HashError::Length(bytes.len());
        let (&[algorithm, length], rest) = bytes.split_first_chunk().ok_or(wrong.clone())?;
        let (digest, surplus) = rest.split_first_chunk().ok_or(wrong.clone())?;
        if fault!(HashLength, !surplus.is_empty()) {
            return Err(wrong);
        }
        let [blake3, digest_length] = Self::PREFIX;
        if fault!(HashAlgorithm, algorithm != blake3) {
            return Err(HashError::Algorithm(algorithm));
        }
        //= R10: the second byte is the digest length and must be 32
        if fault!(HashDigestLength, length != digest_length) {
            return Err(HashError::DigestLength(length));
        }
        Ok(Self(*digest))
    }

    /// The 34 bytes on the wire.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..2].copy_from_slice(&Self::PREFIX);
        bytes[2..].copy_from_slice(&self.0);
        bytes
    }

    /// The 32 bytes of the digest, for stores and indexes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first bytes of the digest as a number, which orders hashes as far as it tells them apart.
    pub(crate) fn head(&self) -> u64 {
        let head = self.0.first_chunk().expect("a digest has 32 bytes");
        u64::from_be_bytes(*head)
    }

    /// A hash with this digest. Every 32 bytes are one.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl Ord for Hash {
    /// By bytes. The first eight nearly always tell, and comparing them takes no call.
    fn cmp(&self, other: &Self) -> Ordering {
        self.head()
            .cmp(&other.head())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Hash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        Self::from_bytes(&decode_lowercase_hex(text).map_err(HashError::Text)?)
    }
}

/// Why bytes or text are no YASMF hash. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The text is not lowercase hex.
    #[error("{}", .0.description())]
    Text(Reason),
    /// Not 34 bytes.
    #[error("a hash has 34 bytes, not {0}")]
    Length(usize),
    /// The first byte does not name BLAKE3.
    #[error("hash algorithm {0:#04x} is unknown, expected 0x00")]
    Algorithm(u8),
    /// The second byte is not 32.
    #[error("hash digest length is {0}, expected 32")]
    DigestLength(u8),
}

impl Refusal for HashError {
    fn reason(&self) -> Reason {
        match self {
            Self::Text(reason) => *reason,
            Self::Length(_) => Reason::HashLength,
            Self::Algorithm(_) => Reason::HashAlgorithm,
            Self::DigestLength(_) => Reason::HashDigestLength,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "00206437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";

    #[test]
    fn hash_of_abc_matches_the_worked_example() {
        assert_eq!(Hash::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(Hash::of(b"abc")));
    }

    #[test]
    fn every_broken_form_has_its_own_reason() {
        let reason = |text: &str| text.parse::<Hash>().unwrap_err().reason();

        assert_eq!(reason(&ABC.to_uppercase()), Reason::UppercaseHex);
        assert_eq!(reason("0x20"), Reason::InvalidHex);
        assert_eq!(reason(&ABC[..66]), Reason::HashLength);
        assert_eq!(
            reason(&ABC.replacen("0020", "0120", 1)),
            Reason::HashAlgorithm
        );
        assert_eq!(
            reason(&ABC.replacen("0020", "0021", 1)),
            Reason::HashDigestLength
        );
    }
}
