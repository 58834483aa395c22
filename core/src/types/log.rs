//! Positions in logs: log ids, sequence numbers and the lipmaa links between them.
//!
//! Every (public key, log id) pair is one log; its entries are numbered from 1 without gaps.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};

/// Id of one of an author's 2^64 logs. The first is 0; a decimal string at text boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogId(u64);

impl LogId {
    /// The log with this number.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id after this one; `None` after the highest.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// Number of an entry in its log, from 1. A decimal string at text boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNum(NonZeroU64);

impl SeqNum {
    /// The first entry of a log.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The entry of this number; `None` for 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// The number after this one; `None` after 2^64−1.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The number before this one, where the backlink points; `None` for the first entry.
    pub fn backlink(self) -> Option<Self> {
        Self::new(self.as_u64() - 1)
    }

    /// Where the lipmaa link of this entry points; `None` for the first entry.
    pub fn lipmaa(self) -> Option<Self> {
        Self::new(lipmaa(self.as_u64()))
    }

    /// Where the skiplink points, when the entry must carry one: the lipmaa target, unless the
    /// backlink already points there.
    pub fn skiplink(self) -> Option<Self> {
        self.lipmaa()
            .filter(|target| holds!(SkiplinkNeeded, Some(*target) != self.backlink()))
    }
}

/// Target of the lipmaa link of entry `n` (Bamboo); 0, no entry, for 1 and below.
///
/// With T(k) = (3^k − 1) / 2: entries numbered T(k) close a block and link to the block before; the
/// others link to the start of the smallest block around them.
pub(super) fn lipmaa(n: u64) -> u64 {
    if n <= 1 {
        return 0;
    }
    let n = altered!(LipmaaExact, u128::from(n), n as f64 as u128);
    let (block, end) = enclosing_block(n);
    let target = if end == n {
        n - altered!(LipmaaOfBlockEnd, 3u128.pow(block - 1), 1)
    } else {
        n - altered!(
            LipmaaInBlock,
            block_end(innermost_block(n)),
            block_end(block - 1)
        )
    };
    u64::try_from(target).expect("a link points backwards")
}

/// Number of the entry that closes the smallest block around entry `n`; `None` beyond 2^64−1.
pub(crate) fn lipmaa_block_end(n: u64) -> Option<u64> {
    let (_, end) = enclosing_block(u128::from(n));
    u64::try_from(end).ok()
}

/// T(k), the number of the last entry of block `k`.
fn block_end(block: u32) -> u128 {
    (3u128.pow(block) - 1) / 2
}

/// The smallest block that reaches `n`, with its last entry.
fn enclosing_block(n: u128) -> (u32, u128) {
    (1..)
        .map(|block| (block, block_end(block)))
        .find(|(_, end)| *end >= n)
        .expect("T grows")
}

/// The block that `n` closes once all whole blocks before it are cut off.
fn innermost_block(mut n: u128) -> u32 {
    loop {
        let (block, end) = enclosing_block(n);
        if end == n {
            return block;
        }
        n -= block_end(block - 1);
    }
}

macro_rules! decimal {
    ($name:ident, $build:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_u64().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NumberError;

            /// Reads the one decimal form: digits only, no leading zero.
            fn from_str(text: &str) -> Result<Self, NumberError> {
                let foreign = text.bytes().any(|byte| !byte.is_ascii_digit());
                let padded = text != "0" && text.starts_with('0');
                if fault!(NumberDigits, foreign) || fault!(NumberPadded, padded) {
                    return Err(NumberError);
                }
                text.parse().ok().and_then($build).ok_or(NumberError)
            }
        }
    };
}

decimal!(LogId, |number| Some(LogId::new(number)));
decimal!(SeqNum, SeqNum::new);

/// The text is no decimal number in range. (Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number in range")]
pub struct NumberError;

impl Refusal for NumberError {
    fn reason(&self) -> Reason {
        Reason::InvalidNumber
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lipmaa_matches_the_published_table() {
        let table = [
            0, 1, 2, 1, 4, 5, 6, 4, 8, 9, 10, 8, 4, 13, 14, 15, 13, 17, 18, 19, 17, 21, 22, 23, 21,
            13, 26, 27, 28, 26, 30, 31, 32, 30, 34, 35, 36, 34, 26, 13, 40, 41, 42, 40, 44,
        ];
        for (n, target) in (1..).zip(table) {
            assert_eq!(lipmaa(n), target, "lipmaa({n})");
        }
        assert_eq!(lipmaa(u64::MAX), 18_446_744_073_709_551_611);
        assert_eq!(lipmaa(0), 0);
    }

    #[test]
    fn skiplink_is_left_out_where_the_backlink_serves() {
        let skiplink = |n| SeqNum::new(n).unwrap().skiplink().map(SeqNum::as_u64);

        assert_eq!(skiplink(1), None);
        assert_eq!(skiplink(2), None);
        assert_eq!(skiplink(4), Some(1));
        assert_eq!(skiplink(13), Some(4));
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        assert_eq!("0".parse(), Ok(LogId::new(0)));
        assert_eq!("18446744073709551615".parse(), Ok(LogId::new(u64::MAX)));
        for text in ["", "+1", "01", "-1", " 1", "1.0", "18446744073709551616"] {
            assert_eq!(text.parse::<LogId>(), Err(NumberError), "{text:?}");
        }
        assert_eq!("0".parse::<SeqNum>(), Err(NumberError));
    }
}
