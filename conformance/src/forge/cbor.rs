//! Writes CBOR: canonically, or broken in exactly the way asked for.
//!
//! Map entries are written in the order given, so an unsorted map is simply a map in that order.

use super::Hash;

/// One data item.
#[derive(Clone, Debug)]
pub enum Item {
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(Item, Item)>),
    Bool(bool),
    /// Written in the shortest width that keeps the bits.
    Float(f64),
    /// The item with its head in a wider form: 1, 2, 4 or 8 bytes of argument.
    Wide(u8, Box<Item>),
    /// The array, map or string with an indefinite length.
    Indefinite(Box<Item>),
    Tagged(u64, Box<Item>),
    /// Bytes as they stand.
    Raw(Vec<u8>),
}

impl Item {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }

    pub fn id(hash: Hash) -> Self {
        Self::bytes(hash.0)
    }

    pub fn ids(hashes: &[Hash]) -> Self {
        Self::Array(hashes.iter().copied().map(Self::id).collect())
    }

    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Raw(bytes.into())
    }

    /// A map with text keys in the order given.
    pub fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Item)>) -> Self {
        Self::Map(
            fields
                .into_iter()
                .map(|(name, value)| (Self::text(name), value))
                .collect(),
        )
    }

    pub fn wide(self, width: u8) -> Self {
        Self::Wide(width, Box::new(self))
    }

    pub fn indefinite(self) -> Self {
        Self::Indefinite(Box::new(self))
    }

    pub fn tagged(self, tag: u64) -> Self {
        Self::Tagged(tag, Box::new(self))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, None);
        out
    }

    fn write(&self, out: &mut Vec<u8>, width: Option<u8>) {
        match self {
            Self::Int(value) if *value >= 0 => head(out, 0, *value as u64, width),
            Self::Int(value) => head(out, 1, (-1 - *value) as u64, width),
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64, width);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(out, 3, text.len() as u64, width);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                head(out, 4, items.len() as u64, width);
                items.iter().for_each(|item| item.write(out, None));
            }
            Self::Map(entries) => {
                head(out, 5, entries.len() as u64, width);
                write_entries(out, entries);
            }
            Self::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Self::Float(value) => out.extend(float(*value)),
            Self::Wide(width, item) => item.write(out, Some(*width)),
            Self::Indefinite(item) => write_indefinite(out, item),
            Self::Tagged(tag, item) => {
                head(out, 6, *tag, None);
                item.write(out, width);
            }
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// A float in exactly `width` bytes, 2, 4 or 8; the caller picks values that fit.
pub fn float_wide(value: f64, width: u8) -> Vec<u8> {
    match width {
        2 => [&[0xf9][..], &half(value).unwrap_or(0x7e00).to_be_bytes()].concat(),
        4 => [&[0xfa][..], &(value as f32).to_be_bytes()].concat(),
        _ => [&[0xfb][..], &value.to_be_bytes()].concat(),
    }
}

fn write_entries(out: &mut Vec<u8>, entries: &[(Item, Item)]) {
    for (key, value) in entries {
        key.write(out, None);
        value.write(out, None);
    }
}

fn write_indefinite(out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Array(items) => {
            out.push(0x9f);
            items.iter().for_each(|item| item.write(out, None));
        }
        Item::Map(entries) => {
            out.push(0xbf);
            write_entries(out, entries);
        }
        Item::Text(_) => {
            out.push(0x7f);
            item.write(out, None);
        }
        _ => {
            out.push(0x5f);
            item.write(out, None);
        }
    }
    out.push(0xff);
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64, width: Option<u8>) {
    let shortest = match argument {
        0..24 => 0,
        24..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    };
    let width = width.unwrap_or(shortest);
    let low = match width {
        0 => argument as u8,
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    out.push(major << 5 | low);
    out.extend_from_slice(&argument.to_be_bytes()[8 - usize::from(width)..]);
}

fn float(value: f64) -> Vec<u8> {
    if value.is_nan() || half(value).is_some() {
        return float_wide(value, 2);
    }
    let single = f64::from(value as f32).to_bits() == value.to_bits();
    float_wide(value, if single { 4 } else { 8 })
}

/// The half-precision bits of `value`, when none are lost. NaN has no single answer here.
fn half(value: f64) -> Option<u16> {
    let sign = ((value.to_bits() >> 48) & 0x8000) as u16;
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return Some(sign);
    }
    if magnitude.is_infinite() {
        return Some(sign | 0x7c00);
    }
    // Halves are the multiples of 2^-24 below 2048 units, then of ever doubled steps.
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).max(-14);
    if exponent > 15 {
        return None;
    }
    let steps = magnitude * 2f64.powi(10 - exponent);
    if steps.fract() != 0.0 || steps >= 2048.0 {
        return None;
    }
    let steps = steps as u16;
    let biased = if steps < 1024 {
        0
    } else {
        (exponent + 15) as u16
    };
    Some(sign | biased << 10 | steps & 0x3ff)
}
