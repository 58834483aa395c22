//! Ed25519 keys and signatures (KY1), by the single cofactorless equation of RFC 8032 (R11).
//!
//! Where seeds come from and where they are kept is the client's matter. Keys of small order are
//! refused, because anybody can sign for them (R12).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};

use crate::mutant::{altered, fault};
use crate::reason::{Reason, Refusal};

/// A public key that is a point of the curve and not of small order. 64 hex digits as text.
///
/// Equality is on the 32 bytes as received.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Size in bytes.
    pub const SIZE: usize = 32;

    /// Reads a key from exactly 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::decompress(bytes).map(|(key, _)| key)
    }

    /// Reads a key and keeps the decompressed point, so that a signature can be checked at no
    /// further cost.
    pub(crate) fn decompress(bytes: &[u8]) -> Result<(Self, VerifyingKey), KeyError> {
        let bytes = altered!(KeyBytes, bytes, bytes.get(..Self::SIZE).unwrap_or(bytes));
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| KeyError::Length(bytes.len()))?;
        let point = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotOnCurve);
        let point = altered!(KeyOnCurve, point?, point.unwrap_or_default());
        //= R12: keys of small order are refused
        if fault!(KeySmallOrder, point.is_weak()) {
            return Err(KeyError::SmallOrder);
        }
        Ok((Self(bytes), point))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Borrow<[u8]> for PublicKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Either case is read, since a key is only bytes (R13).
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&hex::decode(text).map_err(|_| KeyError::Hex)?)
    }
}

/// Why bytes or text are no public key. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not hex.
    #[error("a key is written as 64 hex digits")]
    Hex,
    /// Not 32 bytes.
    #[error("a key has 32 bytes, not {0}")]
    Length(usize),
    /// No curve point has this encoding.
    #[error("the key is not a point of the curve")]
    NotOnCurve,
    /// Anybody can sign for this key.
    #[error("the key has small order, anybody could sign for it")]
    SmallOrder,
}

impl Refusal for KeyError {
    fn reason(&self) -> Reason {
        match self {
            Self::Hex => Reason::InvalidHex,
            Self::Length(_) => Reason::KeyLength,
            Self::NotOnCurve => Reason::KeyNotOnCurve,
            Self::SmallOrder => Reason::KeySmallOrder,
        }
    }
}

/// The 64 bytes `R ‖ S` of an Ed25519 signature, not yet checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Size in bytes.
    pub const SIZE: usize = 64;

    /// Takes any 64 bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn to_bytes(self) -> [u8; 64] {
        self.0
    }

    //= R11: the one equation of RFC 8032, without cofactor, never in batches
    /// Checks the signature by RFC 8032: S reduced, no cofactor, R compared byte for byte.
    pub(crate) fn verify(&self, key: &VerifyingKey, message: &[u8]) -> Result<(), SignatureError> {
        if fault!(SignatureReduced, !s_is_reduced(&self.0[32..])) {
            return Err(SignatureError::Malformed);
        }
        let signature = ed25519_dalek::Signature::from_bytes(&self.0);
        let verified = key.verify(message, &signature);
        altered!(
            SignatureEquation,
            verified.map_err(|_| SignatureError::Invalid),
            Ok(())
        )
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// Whether the little-endian scalar is below the group order L. The library refuses others too, but
/// without saying why.
fn s_is_reduced(s: &[u8]) -> bool {
    const ORDER_BIG_ENDIAN: [u8; 32] = [
        0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7,
        0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed,
    ];
    s.iter().rev().lt(ORDER_BIG_ENDIAN.iter())
}

/// Why a signature is not accepted. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// S is not below the group order.
    #[error("the signature's S is not a reduced scalar")]
    Malformed,
    /// The equation does not hold.
    #[error("the signature does not belong to this key and entry")]
    Invalid,
}

impl Refusal for SignatureError {
    fn reason(&self) -> Reason {
        match self {
            Self::Malformed => Reason::SignatureMalformed,
            Self::Invalid => Reason::SignatureInvalid,
        }
    }
}

/// A private key with its public key. Zeroised when dropped; never printed.
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// The pair of a 32-byte seed. Any 32 bytes are a valid seed; drawing good ones is the caller's.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The seed, to be written into a key file and nowhere else.
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// Signs by the deterministic procedure of RFC 8032.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_signature_match_the_worked_example() {
        let pair = KeyPair::from_seed(&[1; 32]);

        assert_eq!(
            pair.public_key().to_string(),
            "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
        );
        assert!(hex::encode(pair.sign(b"test").to_bytes()).starts_with("ef12237050"));
    }

    //= R12 test
    #[test]
    fn keys_of_small_order_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;

        assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::SmallOrder));
        assert_eq!(PublicKey::from_bytes(&[0; 31]), Err(KeyError::Length(31)));
    }

    #[test]
    fn unreduced_s_is_told_apart_from_a_wrong_signature() {
        let pair = KeyPair::from_seed(&[1; 32]);
        let (_, point) = PublicKey::decompress(pair.public_key().as_bytes()).unwrap();
        let good = pair.sign(b"entry");

        let mut high_bits = good.to_bytes();
        high_bits[63] |= 0xe0;
        let mut flipped = good.to_bytes();
        flipped[0] ^= 1;

        assert_eq!(good.verify(&point, b"entry"), Ok(()));
        let check = |bytes| Signature::from_bytes(bytes).verify(&point, b"entry");
        assert_eq!(check(high_bits), Err(SignatureError::Malformed));
        assert_eq!(check(flipped), Err(SignatureError::Invalid));
    }

    #[test]
    fn a_key_pair_never_prints_its_seed() {
        let text = format!("{:?}", KeyPair::from_seed(&[7; 32]));
        assert!(!text.contains("0707"));
    }
}
