//! What is long and regular is told briefly on disk.
//!
//! `{"hex": ["8401", ["00", 256000]]}` stands for the hex string it spells. Among the items of a list,
//! `{"repeat": {"count": 3, "from": 9, "item": "00#"}}` stands for `"000009", "00000a", "00000b"`; the
//! same member of an object, with the `name` of each, stands for several members. In every string below,
//! `#` is the number of the item as four hex digits, `@` the number before.
//!
//! Only files know these forms. In memory, and on the way to an adapter, everything stands in full.

use serde_json::{Value, json};

use super::repeat;

/// Fewer items or members than this stay written out.
const ITEMS_MIN: usize = 64;

/// Fewer repetitions of a byte than this stay written out, so that most strings can be searched for.
const RUN_MIN: usize = 512;

/// Most hex digits one value may spell, far above any input there is.
const DIGITS_MAX: usize = 4_000_000;

/// Puts the compact form in place of every hex string with a long run of one byte.
pub(super) fn compact(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(pieces) = pieces(text) {
                *value = json!({ "hex": pieces });
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(compact);
            if items.len() >= ITEMS_MIN {
                *items = repeat::told_briefly(items);
            }
        }
        Value::Object(members) => {
            members.values_mut().for_each(compact);
            if members.len() >= ITEMS_MIN {
                let pairs: Vec<_> = members.iter().map(|pair| json!([pair.0, pair.1])).collect();
                *members = repeat::members(&repeat::told_briefly(&pairs));
            }
        }
        _ => {}
    }
}

/// Puts the string in place of every compact form; false when one is malformed.
pub(super) fn expand(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => repeat::list(items) && items.iter_mut().all(expand),
        Value::Object(members) if members.contains_key(repeat::MEMBER) => {
            repeat::object(members) && members.values_mut().all(expand)
        }
        Value::Object(members) => match members.get("hex").and_then(Value::as_array) {
            Some(pieces) if members.len() == 1 => match spell(pieces) {
                Some(text) => {
                    *value = text.into();
                    true
                }
                None => false,
            },
            _ => members.values_mut().all(expand),
        },
        _ => true,
    }
}

/// The string cut into what stands as it is and what repeats, when something repeats often enough.
fn pieces(text: &str) -> Option<Vec<Value>> {
    if !super::is_hex(text) {
        return None;
    }
    let digits = text.as_bytes();
    let mut pieces = Vec::new();
    let (mut written, mut at) = (0, 0);
    while at < digits.len() {
        let byte = &digits[at..at + 2];
        let count = digits[at..]
            .chunks(2)
            .take_while(|next| *next == byte)
            .count();
        let end = at + 2 * count;
        if count >= RUN_MIN {
            if written < at {
                pieces.push(json!(text[written..at]));
            }
            pieces.push(json!([text[at..at + 2], count]));
            written = end;
        }
        at = end;
    }
    if pieces.is_empty() {
        return None;
    }
    if written < digits.len() {
        pieces.push(json!(text[written..]));
    }
    Some(pieces)
}

fn spell(pieces: &[Value]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        let (part, count) = match piece {
            Value::String(part) => (part.as_str(), 1),
            Value::Array(run) => match run.as_slice() {
                [part, count] => (part.as_str()?, usize::try_from(count.as_u64()?).ok()?),
                _ => return None,
            },
            _ => return None,
        };
        let added = part.len().checked_mul(count)?;
        if added > DIGITS_MAX - text.len() {
            return None;
        }
        text.push_str(&part.repeat(count));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_compactly_is_read_back() {
        let run = "00".repeat(RUN_MIN);
        let original = json!({"input": [format!("8401{run}ff"), run, "8401", "a\u{308}", 7]});
        let mut value = original.clone();

        compact(&mut value);

        let pieces = json!({"hex": ["8401", ["00", RUN_MIN], "ff"]});
        assert_eq!(value["input"][0], pieces);
        assert_eq!(value["input"][1], json!({"hex": [["00", RUN_MIN]]}));
        assert!(expand(&mut value));
        assert_eq!(value, original);
    }

    #[test]
    fn short_runs_and_other_texts_stay_as_they_are() {
        let short = "00".repeat(RUN_MIN - 1);
        let original = json!([short, "z".repeat(4 * RUN_MIN), "0".repeat(2 * RUN_MIN + 1)]);
        let mut value = original.clone();

        compact(&mut value);

        assert_eq!(value, original);
    }

    #[test]
    fn malformed_and_endless_forms_are_refused() {
        for pieces in [
            json!([["00"]]),
            json!([7]),
            json!([["00", -1]]),
            json!([["00", u64::MAX]]),
        ] {
            assert!(!expand(&mut json!({ "hex": pieces })));
        }
    }
}
