//! The edits that lead from a valid case to an invalid one, and their execution.
//!
//! An edit is the proof that exactly one thing is wrong with a case: the linter applies it to the
//! sibling's input and must arrive at the case's own. What has to follow from the one change – a new
//! signature, a link – is a step marked as such, so that it is not taken for a second fault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Context;
use crate::forge::{Key, entry, hex, unhex};

/// One step of an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Step {
    /// Replaces a piece of the string or list at `path` (JSON pointer; empty for the whole input).
    Splice {
        /// Where the string or list is.
        path: String,
        /// Offset in bytes or items.
        at: usize,
        /// What stands there now.
        remove: Value,
        /// What stands there afterwards.
        insert: Value,
        /// Whether this only follows from an earlier step.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        follows: bool,
    },
    /// Puts `value` at `path`.
    Set {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes the member at `path` away.
    Remove {
        /// Where.
        path: String,
    },
    /// Takes another member of the file's context.
    Use {
        /// `log`, `schema` or `world`.
        what: String,
        /// Its name in the file's context.
        name: String,
    },
    /// Signs the entry at `path` again: its last 64 bytes are the signature of the rest.
    Resign {
        /// Where the entry is.
        path: String,
        /// Name of the key in the file's context.
        key: String,
    },
}

impl Step {
    /// Whether the step is a change of its own, not a consequence of another.
    pub const fn is_change(&self) -> bool {
        !matches!(
            self,
            Self::Resign { .. } | Self::Splice { follows: true, .. }
        )
    }
}

/// Why an edit cannot be executed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Nothing is at the path.
    #[error("nothing at {0:?}")]
    Path(String),
    /// The piece to be removed does not stand where the step says.
    #[error("{0:?} does not hold what the step removes")]
    Removed(String),
    /// The key is not in the context.
    #[error("no key {0:?} in the context")]
    Key(String),
    /// The string is not the hex of an entry.
    #[error("{0:?} is no entry")]
    Entry(String),
}

/// Applies `steps` to an input and the names of the context it uses.
pub fn apply(
    steps: &[Step],
    context: &Context,
    input: &mut Value,
    uses: &mut BTreeMap<String, String>,
) -> Result<(), EditError> {
    for step in steps {
        match step {
            Step::Splice {
                path,
                at,
                remove,
                insert,
                ..
            } => {
                splice(input, path, *at, remove, insert)?;
            }
            Step::Set { path, value } => set(input, path, value.clone())?,
            Step::Remove { path } => remove(input, path)?,
            Step::Use { what, name } => {
                uses.insert(what.clone(), name.clone());
            }
            Step::Resign { path, key } => resign(input, path, key, context)?,
        }
    }
    Ok(())
}

/// The shortest edit from `old` to `new`, found by comparing them member by member.
pub fn between(old: &Value, new: &Value) -> Vec<Step> {
    let mut steps = Vec::new();
    compare(old, new, "", &mut steps);
    steps
}

/// As [`between`], for inputs with an entry at `path` that was signed again after the change.
pub fn between_signed(old: &Value, new: &Value, path: &str, key: &str) -> Vec<Step> {
    let mut trimmed = old.clone();
    // With the new signature already in place, only the change proper is left to be found.
    let signature = |value: &Value| {
        value
            .pointer(path)
            .and_then(Value::as_str)
            .map(|text| text[text.len() - 128..].to_owned())
    };
    if let (Some(Value::String(text)), Some(signature)) =
        (trimmed.pointer_mut(path), signature(new))
    {
        text.truncate(text.len() - 128);
        text.push_str(&signature);
    }
    let mut steps = between(&trimmed, new);
    steps.push(Step::Resign {
        path: path.to_owned(),
        key: key.to_owned(),
    });
    steps
}

fn splice(
    input: &mut Value,
    path: &str,
    at: usize,
    remove: &Value,
    insert: &Value,
) -> Result<(), EditError> {
    let wrong = || EditError::Removed(path.to_owned());
    let target = input
        .pointer_mut(path)
        .ok_or_else(|| EditError::Path(path.to_owned()))?;
    match (target, remove, insert) {
        (Value::String(text), Value::String(remove), Value::String(insert)) => {
            let end = at.saturating_add(remove.len());
            if text.get(at..end) != Some(remove) {
                return Err(wrong());
            }
            text.replace_range(at..end, insert);
        }
        (Value::Array(items), Value::Array(remove), Value::Array(insert)) => {
            let end = at.saturating_add(remove.len());
            if items.get(at..end) != Some(remove) {
                return Err(wrong());
            }
            items.splice(at..end, insert.iter().cloned());
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn set(input: &mut Value, path: &str, value: Value) -> Result<(), EditError> {
    let missing = || EditError::Path(path.to_owned());
    let Some((parent, member)) = path.rsplit_once('/') else {
        *input = value;
        return Ok(());
    };
    match input.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(members) => {
            members.insert(member.to_owned(), value);
        }
        Value::Array(items) => {
            let index: usize = member.parse().map_err(|_| missing())?;
            *items.get_mut(index).ok_or_else(missing)? = value;
        }
        _ => return Err(missing()),
    }
    Ok(())
}

fn remove(input: &mut Value, path: &str) -> Result<(), EditError> {
    let missing = || EditError::Path(path.to_owned());
    let (parent, member) = path.rsplit_once('/').ok_or_else(missing)?;
    let parent = input.pointer_mut(parent).and_then(Value::as_object_mut);
    parent
        .and_then(|members| members.shift_remove(member))
        .map(drop)
        .ok_or_else(missing)
}

fn resign(input: &mut Value, path: &str, key: &str, context: &Context) -> Result<(), EditError> {
    let not_entry = || EditError::Entry(path.to_owned());
    let seed = context
        .keys
        .get(key)
        .and_then(|key| unhex(&key.seed)?.try_into().ok());
    let key = Key::new(seed.ok_or_else(|| EditError::Key(key.to_owned()))?);
    let target = input
        .pointer_mut(path)
        .ok_or_else(|| EditError::Path(path.to_owned()))?;
    let bytes = target.as_str().and_then(unhex).ok_or_else(not_entry)?;
    *target = hex(entry::reseal(&bytes, &key).ok_or_else(not_entry)?).into();
    Ok(())
}

fn compare(old: &Value, new: &Value, path: &str, steps: &mut Vec<Step>) {
    let splice = |at, remove, insert| Step::Splice {
        path: path.to_owned(),
        at,
        remove,
        insert,
        follows: false,
    };
    match (old, new) {
        _ if old == new => {}
        (Value::String(old), Value::String(new)) => {
            let (start, end) = common_ends(old.as_bytes(), new.as_bytes());
            // Hex is cut between bytes, so that the step can be read.
            let even = |n: usize| {
                if unhex(old).is_some() && unhex(new).is_some() {
                    n & !1
                } else {
                    n
                }
            };
            let (start, end) = (even(floor(old, start)), even(end));
            let cut = |text: &str| Value::from(&text[start..text.len() - end]);
            if old.is_ascii() && new.is_ascii() {
                steps.push(splice(start, cut(old), cut(new)));
            } else {
                steps.push(Step::Set {
                    path: path.to_owned(),
                    value: new.clone().into(),
                });
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, &format!("{path}/{index}"), steps);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let (start, end) = common_ends(old, new);
            let cut = |items: &[Value]| Value::from(&items[start..items.len() - end]);
            steps.push(splice(start, cut(old), cut(new)));
        }
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().filter(|name| !new.contains_key(*name)) {
                steps.push(Step::Remove {
                    path: format!("{path}/{name}"),
                });
            }
            for (name, value) in new {
                let path = format!("{path}/{name}");
                match old.get(name) {
                    Some(old) => compare(old, value, &path, steps),
                    None => steps.push(Step::Set {
                        path,
                        value: value.clone(),
                    }),
                }
            }
        }
        _ => steps.push(Step::Set {
            path: path.to_owned(),
            value: new.clone(),
        }),
    }
}

/// Lengths of the common beginning and of the common rest that does not overlap it.
fn common_ends<T: PartialEq>(old: &[T], new: &[T]) -> (usize, usize) {
    let start = old
        .iter()
        .zip(new)
        .take_while(|(old, new)| old == new)
        .count();
    let rest = old[start..].iter().rev().zip(new[start..].iter().rev());
    (start, rest.take_while(|(old, new)| old == new).count())
}

fn floor(text: &str, index: usize) -> usize {
    (0..=index)
        .rev()
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edit_found_by_comparison_leads_to_its_goal() {
        let pairs = [
            (json!("00aaff"), json!("00abff")),
            (json!("00aaff"), json!("00aaff00")),
            (json!("name"), json!("näme")),
            (
                json!({"a": 1, "b": ["x", "y"]}),
                json!({"b": ["x"], "c": null}),
            ),
            (json!([1, 2, 3]), json!([1, 3])),
            (json!(1), json!("1")),
        ];
        for (old, new) in pairs {
            let mut value = old.clone();

            let result = apply(
                &between(&old, &new),
                &Context::default(),
                &mut value,
                &mut BTreeMap::new(),
            );

            assert_eq!(result, Ok(()));
            assert_eq!(value, new);
        }
    }

    #[test]
    fn a_step_that_removes_what_is_not_there_fails() {
        let step = Step::Splice {
            path: String::new(),
            at: 2,
            remove: "bb".into(),
            insert: "cc".into(),
            follows: false,
        };
        let mut input = json!("00aaff");

        let result = apply(
            &[step],
            &Context::default(),
            &mut input,
            &mut BTreeMap::new(),
        );

        assert_eq!(result, Err(EditError::Removed(String::new())));
    }
}
