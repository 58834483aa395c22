//! 64-bit numbers in JSON: decimal strings, since many readers keep only 53 bits of a number.
//!
//! For serde's `with`. What is read must be spelt the one way in which it is written.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<N: Display, S: Serializer>(
    number: &N,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

pub(crate) fn deserialize<'de, N: Display + FromStr, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<N, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text
        .parse()
        .ok()
        .filter(|number: &N| number.to_string() == text);
    number.ok_or_else(|| D::Error::custom(format_args!("{text:?} is no 64-bit number in decimal")))
}
