//! Strict CBOR: the subset p2panda uses, in its one canonical form (R1, R2).
//!
//! Shortest heads, definite lengths, shortest floats, no tags. Written here rather than taken from a
//! library, because libraries either accept the long forms or hide the head that tells them apart.
//! What a value means is decided by the modules above.

use crate::mutant::{altered, bound, fault, holds};
use crate::reason::{Reason, Refusal};

pub(super) const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

pub(super) const FALSE: u8 = 0xf4;
pub(super) const TRUE: u8 = 0xf5;
const F16: u8 = 0xf9;
const F32: u8 = 0xfa;
const F64: u8 = 0xfb;
const NAN: u16 = 0x7e00;

/// The next item of the input, its content not yet read for arrays and maps.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Item<'a> {
    Unsigned(u64),
    /// The integer −1 − n.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// An array of this many items, which follow.
    Array(u64),
    /// A map of this many pairs, which follow.
    Map(u64),
    Bool(bool),
    Float(f64),
}

/// Reads items one after the other. Borrows; allocates nothing.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left. No array or map can have more items than this.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Succeeds when every byte was read.
    pub fn finish(&self) -> Result<(), CborError> {
        if fault!(CborTrailing, !self.rest.is_empty()) {
            Err(CborError::TrailingBytes(self.rest.len()))
        } else {
            Ok(())
        }
    }

    /// Reads the next item.
    pub fn item(&mut self) -> Result<Item<'a>, CborError> {
        let &first = self.rest.first().ok_or(CborError::Truncated)?;
        if first >> 5 == SIMPLE {
            return self.simple(first);
        }
        let argument = self.argument()?;
        match first >> 5 {
            UNSIGNED => Ok(Item::Unsigned(argument)),
            NEGATIVE => Ok(Item::Negative(argument)),
            BYTES => self.take(argument).map(Item::Bytes),
            TEXT => {
                let bytes = self.take(argument)?;
                //= SC6: text is UTF-8
                match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Item::Text(text)),
                    Err(_) => altered!(CborUtf8, Err(CborError::Utf8), Ok(Item::Text("?"))),
                }
            }
            ARRAY => Ok(Item::Array(argument)),
            MAP => Ok(Item::Map(argument)),
            TAG => altered!(CborTag, Err(CborError::Tag), self.item()),
            _ => unreachable!("three bits, and simple values are read above"),
        }
    }

    /// How many bytes a cut item has at least: its head, and when that is there its content, too.
    /// Arrays and maps count without theirs.
    pub fn size_at_least(&self) -> u64 {
        let Some(first) = self.rest.first() else {
            return 1;
        };
        let argument_size = match first & 0x1f {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        let head = 1 + argument_size;
        let content = match (first >> 5, self.clone().argument()) {
            (BYTES | TEXT, Ok(size)) => size,
            _ => 0,
        };
        content.saturating_add(head)
    }

    fn take(&mut self, size: u64) -> Result<&'a [u8], CborError> {
        let size = usize::try_from(size).map_err(|_| CborError::Truncated)?;
        let size = altered!(CborWhole, size, size.min(self.rest.len()));
        let (taken, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    //= R2: heads are in their shortest form, lengths definite
    /// Reads a head's argument: the number, length or count, in its shortest form.
    fn argument(&mut self) -> Result<u64, CborError> {
        let info = self.take(1)?[0] & 0x1f;
        let (size, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return altered!(CborIndefinite, Err(CborError::Indefinite), Ok(0)),
            _ => return altered!(CborReserved, Err(CborError::Reserved), Ok(info.into())),
        };
        let value = self
            .take(size)?
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        if fault!(CborShortest, value < bound!(CborLeast, least)) {
            Err(CborError::NotMinimal)
        } else {
            Ok(value)
        }
    }

    fn simple(&mut self, first: u8) -> Result<Item<'a>, CborError> {
        self.take(1)?;
        let value = match first {
            FALSE => return Ok(Item::Bool(false)),
            TRUE => return Ok(Item::Bool(true)),
            F16 => {
                let half = u16::from_be_bytes(self.array()?);
                let value = f16_to_f64(half);
                //= R20: one NaN only
                if fault!(CborNan, value.is_nan() && half != NAN) {
                    return Err(CborError::Nan);
                }
                return Ok(Item::Float(value));
            }
            F32 => f64::from(f32::from_be_bytes(self.array()?)),
            F64 => f64::from_be_bytes(self.array()?),
            0xff => return Err(CborError::Indefinite),
            0xfc..=0xfe => return Err(CborError::Reserved),
            _ => {
                return altered!(
                    CborSimple,
                    Err(CborError::Simple(first)),
                    Ok(Item::Bool(false))
                );
            }
        };
        if fault!(CborWideNan, value.is_nan()) {
            return Err(CborError::Nan);
        }
        let fits_half = f64_to_f16(value).is_some();
        let fits_single = first == F64 && f64::from(value as f32).to_bits() == value.to_bits();
        if fault!(FloatFitsHalf, fits_half) || fault!(FloatFitsSingle, fits_single) {
            Err(CborError::NotMinimal)
        } else {
            Ok(Item::Float(value))
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        Ok(self.take(N as u64)?.try_into().expect("took N bytes"))
    }
}

/// Writes canonical CBOR into a growing buffer.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// Starts with nothing written.
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let (info, size) = match argument {
            _ if argument <= bound!(CborInlineWritten, 23) => (argument as u8, 0),
            0..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.out.push(major << 5 | info);
        self.out
            .extend_from_slice(&argument.to_be_bytes()[8 - size..]);
        self
    }

    /// Writes an unsigned integer.
    pub fn unsigned(&mut self, value: u64) -> &mut Self {
        self.head(UNSIGNED, value)
    }

    /// Writes a signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            Err(_) => self.head(
                NEGATIVE,
                altered!(NegativeWritten, !value as u64, value.unsigned_abs()),
            ),
        }
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(BYTES, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        self
    }

    /// Writes a text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(TEXT, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    /// Opens an array; its items follow.
    pub fn array(&mut self, count: usize) -> &mut Self {
        self.head(ARRAY, count as u64)
    }

    /// Opens a map; its pairs follow.
    pub fn map(&mut self, count: usize) -> &mut Self {
        self.head(MAP, count as u64)
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.out.push(if value { TRUE } else { FALSE });
        self
    }

    /// Writes a float in the shortest width that keeps its bits; every NaN becomes the one NaN.
    pub fn float(&mut self, value: f64) -> &mut Self {
        if value.is_nan() {
            self.out.push(F16);
            self.out
                .extend(altered!(NanWritten, NAN, NAN | 1).to_be_bytes());
        } else if let Some(half) = altered!(HalfWritten, f64_to_f16(value), None) {
            self.out.push(F16);
            self.out.extend(half.to_be_bytes());
        } else if holds!(
            SingleWritten,
            f64::from(value as f32).to_bits() == value.to_bits()
        ) {
            self.out.push(F32);
            self.out.extend((value as f32).to_be_bytes());
        } else {
            self.out.push(F64);
            self.out.extend(value.to_be_bytes());
        }
        self
    }
}

/// Widens an IEEE 754 half float.
fn f16_to_f64(half: u16) -> f64 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(half >> 10 & 0x1f);
    let mantissa = f64::from(half & 0x3ff);
    sign * match exponent {
        0 => mantissa * 2f64.powi(-24),
        0x1f if mantissa == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// Narrows to a half float when no bit is lost. NaN has no unique form and is left to the caller.
fn f64_to_f16(value: f64) -> Option<u16> {
    let negative = altered!(NegativeZero, value.is_sign_negative(), value < 0.0);
    let sign = if negative { 0x8000 } else { 0 };
    let magnitude = value.abs();
    let half = if magnitude == 0.0 {
        0
    } else if magnitude.is_infinite() {
        0x7c00
    } else {
        let exponent = (magnitude.to_bits() >> 52) as i32 - 1023;
        // Below 2^-14 a half float has a fixed exponent; its steps are 2^-24 there.
        let unit = exponent.clamp(bound!(HalfSubnormal, -14), 15) - 10;
        let steps = magnitude * 2f64.powi(-unit);
        if steps.fract() != 0.0 || steps >= 2048.0 {
            return None;
        }
        let steps = steps as u16;
        if steps < 1024 {
            steps
        } else {
            (((unit + 25) as u16) << 10) + (steps - 1024)
        }
    };
    (f16_to_f64(half) == magnitude).then_some(sign | half)
}

/// Why bytes are no canonical CBOR. (Peer, Caller)
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// More bytes were announced than there are.
    #[error("the CBOR data ends too early")]
    Truncated,
    /// Bytes are left over.
    #[error("{0} bytes follow the CBOR item")]
    TrailingBytes(usize),
    /// A number, length or float has a shorter form.
    #[error("a CBOR number, length or float is not in its shortest form")]
    NotMinimal,
    /// An indefinite length, or its break.
    #[error("a CBOR item has an indefinite length")]
    Indefinite,
    /// A head that CBOR reserves.
    #[error("a CBOR head is reserved")]
    Reserved,
    /// A tagged item.
    #[error("a CBOR item is tagged")]
    Tag,
    /// null, undefined or another simple value; the first byte is given.
    #[error("the CBOR simple value {0:#04x} is not allowed")]
    Simple(u8),
    /// A NaN other than `f97e00`.
    #[error("NaN has the one form f97e00")]
    Nan,
    /// Text that is not UTF-8.
    #[error("a CBOR text is not valid UTF-8")]
    Utf8,
}

impl Refusal for CborError {
    fn reason(&self) -> Reason {
        match self {
            Self::Truncated => Reason::CborTruncated,
            Self::TrailingBytes(_) => Reason::CborTrailingBytes,
            Self::NotMinimal => Reason::CborNotMinimal,
            Self::Indefinite => Reason::CborIndefinite,
            Self::Reserved => Reason::CborReserved,
            Self::Tag => Reason::CborTag,
            Self::Simple(_) => Reason::CborSimple,
            Self::Nan => Reason::CborNan,
            Self::Utf8 => Reason::CborUtf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn float_bytes(value: f64) -> String {
        let mut encoder = Encoder::new();
        encoder.float(value);
        hex::encode(encoder.into_bytes())
    }

    #[test]
    fn floats_take_the_shortest_lossless_width() {
        let examples = [
            (1.5, "f93e00"),
            (100_000.0, "fa47c35000"),
            (65_505.0, "fa477fe100"),
            (0.1, "fb3fb999999999999a"),
            (-0.0, "f98000"),
            (f64::INFINITY, "f97c00"),
            (f64::NEG_INFINITY, "f9fc00"),
            (f64::NAN, "f97e00"),
            (2f64.powi(-24), "f90001"),
            (65_504.0, "f97bff"),
            (65_536.0, "fa47800000"),
            (2f64.powi(-14), "f90400"),
        ];
        for (value, bytes) in examples {
            assert_eq!(float_bytes(value), bytes, "{value}");
        }
    }

    #[test]
    fn every_half_float_is_its_own_shortest_form() {
        for half in 0..=u16::MAX {
            let value = f16_to_f64(half);
            if !value.is_nan() {
                assert_eq!(f64_to_f16(value), Some(half));
            }
        }
    }

    #[test]
    fn loose_forms_are_refused_with_their_cause() {
        let cases = [
            ("1800", CborError::NotMinimal),
            ("190018", CborError::NotMinimal),
            ("1b00000000ffffffff", CborError::NotMinimal),
            ("fa3fc00000", CborError::NotMinimal),
            ("fb3ff8000000000000", CborError::NotMinimal),
            ("fa7fc00000", CborError::Nan),
            ("f97e01", CborError::Nan),
            ("9f", CborError::Indefinite),
            ("5f", CborError::Indefinite),
            ("ff", CborError::Indefinite),
            ("1c", CborError::Reserved),
            ("fc", CborError::Reserved),
            ("c200", CborError::Tag),
            ("f6", CborError::Simple(0xf6)),
            ("f815", CborError::Simple(0xf8)),
            ("61ff", CborError::Utf8),
            ("5820", CborError::Truncated),
            ("", CborError::Truncated),
        ];
        for (bytes, error) in cases {
            let bytes = hex::decode(bytes).unwrap();
            assert_eq!(Decoder::new(&bytes).item(), Err(error), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn floats_round_trip_bit_for_bit(bits: u64) {
            let value = f64::from_bits(bits);
            let mut encoder = Encoder::new();
            encoder.float(value);
            let bytes = encoder.into_bytes();

            let Ok(Item::Float(again)) = Decoder::new(&bytes).item() else { panic!("no float") };
            prop_assert!(again.to_bits() == bits || (again.is_nan() && value.is_nan()));
        }

        #[test]
        fn integers_round_trip(value: i64) {
            let mut encoder = Encoder::new();
            encoder.int(value);
            let bytes = encoder.into_bytes();

            let again = match Decoder::new(&bytes).item().unwrap() {
                Item::Unsigned(n) => i64::try_from(n).unwrap(),
                Item::Negative(n) => -1 - i64::try_from(n).unwrap(),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(again, value);
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(&bytes);
            while decoder.item().is_ok() {}
        }
    }
}
