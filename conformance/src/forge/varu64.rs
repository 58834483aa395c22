//! Writes varu64: 0–247 as one byte, everything else as `f8 + n` and n + 1 big-endian bytes.

/// The shortest form, the only legal one.
pub fn encode(value: u64) -> Vec<u8> {
    if value < 248 {
        return vec![value as u8];
    }
    let len = (64 - value.leading_zeros()).div_ceil(8) as usize;
    encode_wide(value, len)
}

/// The form with exactly `len` bytes after the first, 1 to 8; illegal whenever fewer would do.
pub fn encode_wide(value: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xf7 + len as u8];
    bytes.extend_from_slice(&value.to_be_bytes()[8 - len..]);
    bytes
}
