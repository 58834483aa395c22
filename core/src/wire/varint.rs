//! varu64, Bamboo's variable-length integer.
//!
//! Values up to 247 are one byte; above, a byte `f8 + n` announces `n + 1` big-endian bytes. Only the
//! shortest form is a varu64.

use crate::mutant::{altered, bound, fault};
use crate::reason::{Reason, Refusal};

/// First byte values above this announce a length.
const INLINE_MAX: u64 = 247;

/// Longest encoding in bytes.
pub const SIZE_MAX: usize = 9;

/// Appends the encoding of `value`.
pub fn encode(value: u64, out: &mut Vec<u8>) {
    if value <= bound!(VarintInlineWritten, INLINE_MAX) {
        out.push(value as u8);
        return;
    }
    let bytes = value.to_be_bytes();
    let skip = (value.leading_zeros() / 8) as usize;
    let size = bytes.len() - skip;
    out.push(0xf7 + size as u8);
    out.extend_from_slice(&bytes[skip..]);
}

/// Reads a varu64 at the start of `bytes`; returns it with the bytes behind it.
pub fn decode(bytes: &[u8]) -> Result<(u64, &[u8]), VarintError> {
    let (&first, rest) = bytes.split_first().ok_or(VarintError::Truncated)?;
    if u64::from(first) <= bound!(VarintInlineRead, INLINE_MAX) {
        return Ok((u64::from(first), rest));
    }
    let size = usize::from(first - 0xf7);
    let size = altered!(VarintWhole, size, size.min(rest.len()));
    let (tail, rest) = rest.split_at_checked(size).ok_or(VarintError::Truncated)?;
    let value = tail
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));

    let small = fault!(VarintInlineForm, value <= INLINE_MAX);
    let padded = fault!(VarintPadded, tail.first() == Some(&0));
    if small || padded {
        Err(VarintError::NotMinimal)
    } else {
        Ok((value, rest))
    }
}

/// Why bytes do not start with a varu64. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VarintError {
    /// The announced bytes are not all there.
    #[error("the varu64 ends too early")]
    Truncated,
    /// A shorter form exists.
    #[error("the varu64 is not in its shortest form")]
    NotMinimal,
}

impl Refusal for VarintError {
    fn reason(&self) -> Reason {
        match self {
            Self::Truncated => Reason::VarintTruncated,
            Self::NotMinimal => Reason::VarintNotMinimal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_round_trip(value: u64, tail: Vec<u8>) {
            let mut bytes = Vec::new();
            encode(value, &mut bytes);
            bytes.extend_from_slice(&tail);

            prop_assert_eq!(decode(&bytes), Ok((value, tail.as_slice())));
        }

        #[test]
        fn whatever_decodes_encodes_to_itself(bytes in prop::collection::vec(any::<u8>(), 0..10)) {
            if let Ok((value, rest)) = decode(&bytes) {
                let mut again = Vec::new();
                encode(value, &mut again);
                prop_assert_eq!(&bytes[..bytes.len() - rest.len()], again);
            }
        }
    }

    #[test]
    fn longer_forms_are_refused() {
        for bytes in [&[0xf8, 0x00][..], &[0xf8, 0xf7], &[0xf9, 0x00, 0xff]] {
            assert_eq!(decode(bytes), Err(VarintError::NotMinimal));
        }
        assert_eq!(decode(&[0xf9, 0x01]), Err(VarintError::Truncated));
        assert_eq!(decode(&[]), Err(VarintError::Truncated));
    }
}
