//! The text form of peer ids: `12D3Koo…`, as all of libp2p writes them.
//!
//! Base58 over a header that says "the key itself, ed25519, 32 bytes" and the public key. Ids that stand for keys
//! of other kinds are refused: they do not tell the key, and peers are ordered by it.

use std::fmt;
use std::str::FromStr;

use super::PeerId;

/// An identity multihash of 36 bytes, which are the protobuf form of an ed25519 key.
const HEADER: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Longer than the base58 of 38 bytes can be.
const TEXT_LEN_MAX: usize = 53;

impl PeerId {
    /// The bytes of the id as libp2p has them.
    pub fn to_bytes(self) -> [u8; 38] {
        let mut bytes = [0; 38];
        bytes[..6].copy_from_slice(&HEADER);
        bytes[6..].copy_from_slice(&self.0);
        bytes
    }

    /// Reads the bytes of an id; `None` where they stand for no ed25519 key.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = bytes.strip_prefix(&HEADER)?;
        key.try_into().ok().map(Self)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        // Digits in base 58, the lowest first.
        let mut digits: Vec<u8> = Vec::with_capacity(TEXT_LEN_MAX);
        for byte in bytes {
            let mut carry = u32::from(byte);
            for digit in &mut digits {
                carry += u32::from(*digit) << 8;
                *digit = (carry % 58) as u8;
                carry /= 58;
            }
            while carry > 0 {
                digits.push((carry % 58) as u8);
                carry /= 58;
            }
        }
        let zeros = std::iter::repeat_n(0, zeros);
        let digits = zeros.chain(digits.into_iter().rev());
        let text: String = digits
            .map(|digit| char::from(ALPHABET[usize::from(digit)]))
            .collect();
        f.write_str(&text)
    }
}

/// Why a text is no peer id. (Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no peer id of an ed25519 key, which begins with 12D3Koo")]
pub struct PeerIdError;

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        if text.len() > TEXT_LEN_MAX {
            return Err(PeerIdError);
        }
        let mut bytes: Vec<u8> = Vec::with_capacity(TEXT_LEN_MAX);
        for letter in text.bytes() {
            let digit = ALPHABET.iter().position(|known| *known == letter);
            let mut carry = digit.ok_or(PeerIdError)? as u32;
            for byte in &mut bytes {
                carry += u32::from(*byte) * 58;
                *byte = carry as u8;
                carry >>= 8;
            }
            while carry > 0 {
                bytes.push(carry as u8);
                carry >>= 8;
            }
        }
        let zeros = text.bytes().take_while(|letter| *letter == b'1').count();
        bytes.extend(std::iter::repeat_n(0, zeros));
        bytes.reverse();
        Self::from_bytes(&bytes).ok_or(PeerIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::KeyPair;
    use proptest::prelude::*;

    #[test]
    fn the_published_example_has_its_name() {
        let mut seed = [0; 32];
        let text = "799faf7a1fa47c54fac705f30d3c4d80c40efb562da19315fabefcc995a228a1";
        hex::decode_to_slice(text, &mut seed).unwrap();
        let peer = PeerId(*KeyPair::from_seed(&seed).public_key().as_bytes());

        let name = "12D3KooWCw68m5CRcV8vD9iuR325oKwJHLYqTYH5mYwD6k2QV4nm";
        assert_eq!(peer.to_string(), name);
        assert_eq!(name.parse(), Ok(peer));
    }

    proptest! {
        #[test]
        fn every_peer_is_found_by_its_name(key: [u8; 32]) {
            let peer = PeerId(key);
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            prop_assert!(peer.to_string().starts_with("12D3Koo"));
        }

        #[test]
        fn nothing_else_is_a_name(text in ".{0,60}") {
            if let Ok(peer) = text.parse::<PeerId>() {
                prop_assert_eq!(peer.to_string(), text);
            }
        }
    }
}
