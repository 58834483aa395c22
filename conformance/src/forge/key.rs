//! Keys and signatures, honest ones and those only an attacker would make.

use curve25519_dalek::Scalar;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha512};

/// The order of the base point, little-endian: adding it to S gives a second, malleable signature.
pub const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
    0x14, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A private key made from a seed.
#[derive(Clone, Debug)]
pub struct Key(SigningKey);

impl Key {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The key whose seed is `byte`, 32 times; 1, 2 and 3 are the authors of all vectors.
    pub fn repeating(byte: u8) -> Self {
        Self::new([byte; 32])
    }

    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The secret number behind the key.
    pub(super) fn scalar(&self) -> Scalar {
        self.0.to_scalar()
    }

    /// Signs `message ‖ the first `tail` bytes of R`, which the key holder can do by choosing R first.
    ///
    /// Appended to an entry, those bytes pass for signed in a decoder that takes everything but the
    /// last 64 bytes for the message, although they stand after the signature.
    pub fn sign_with_tail(&self, message: &[u8], tail: usize) -> ([u8; 64], Vec<u8>) {
        let nonce_key = Self::new(*blake3::hash(message).as_bytes());
        let (nonce, r) = (nonce_key.0.to_scalar(), nonce_key.public());
        let signed = [message, &r[..tail]].concat();
        let challenge: [u8; 64] = Sha512::new()
            .chain_update(r)
            .chain_update(self.public())
            .chain_update(&signed)
            .finalize()
            .into();
        let s = nonce + Scalar::from_bytes_mod_order_wide(&challenge) * self.0.to_scalar();
        (join(r, s.to_bytes()), r[..tail].to_vec())
    }

    /// A signature that holds for *any* message under a public key that is the identity point:
    /// there R = S·B is all that is asked.
    pub fn identity_signature(&self) -> [u8; 64] {
        join(self.public(), self.0.to_scalar().to_bytes())
    }
}

/// The same signature with S + L in place of S: equal modulo the group order, not canonical.
pub fn malleate(signature: [u8; 64]) -> [u8; 64] {
    let mut bytes = signature;
    let mut carry = 0u16;
    for (byte, add) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    bytes
}

pub(super) fn join(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}
