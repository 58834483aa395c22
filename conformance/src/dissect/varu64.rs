//! Numbers of one to nine bytes.

use serde_json::json;

use super::{Dissection, Part, rest, whole};
use crate::forge;

/// A number as it stands.
pub(super) struct Number {
    pub value: u64,
    pub size: usize,
}

impl Number {
    /// The number, and whether it is longer than it needs to be.
    pub(super) fn text(&self) -> String {
        let shortest = forge::varu64::encode(self.value).len();
        if self.size == shortest {
            self.value.to_string()
        } else {
            format!("{} in {} bytes, {shortest} would do", self.value, self.size)
        }
    }
}

/// Reads the number at the beginning of `bytes`; `None` when they end too early.
pub(super) fn read(bytes: &[u8]) -> Option<Number> {
    let first = *bytes.first()?;
    let Some(following) = first.checked_sub(247).filter(|size| *size > 0) else {
        return Some(Number {
            value: first.into(),
            size: 1,
        });
    };
    let size = 1 + usize::from(following);
    let digits = bytes.get(1..size)?;
    let value = digits
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some(Number { value, size })
}

pub(super) fn dissect(bytes: &[u8]) -> Dissection {
    let Some(number) = read(bytes) else {
        return Dissection {
            parts: whole(bytes, "stops: the number is not all there"),
            value: None,
        };
    };
    let mut parts = vec![Part::new(0, number.size, number.text())];
    parts.extend(rest(number.size, bytes));
    Dissection {
        parts,
        value: Some(json!({"value": number.value.to_string()})),
    }
}
