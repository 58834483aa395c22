//! Builds every byte string the suites need, right or wrong on purpose.
//!
//! A second implementation of the encodings, sharing no line with the library under test: a fault in
//! that library's encoder would otherwise be copied into the vectors and never be seen. It only
//! writes, never judges, and checks nothing its caller asks for.

pub mod cbor;
pub mod entry;
pub mod graph;
pub mod hash;
pub mod key;
pub mod lipmaa;
pub mod message;
pub mod operation;
pub mod torsion;
pub mod varu64;

pub use cbor::Item;
pub use entry::{Draft, Log};
pub use hash::Hash;
pub use key::Key;

/// Lowercase hex of `bytes`.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.as_ref().len() * 2);
    for byte in bytes.as_ref() {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    text
}

/// The bytes of a hex string of either case, or `None` when it is not one.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    text.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}
