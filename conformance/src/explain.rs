//! One case in words: what it turns on, what is right under each ruleset and why, its bytes with their
//! meaning, and how it differs from its valid sibling.

use std::fmt::Write;

use serde_json::Value;

use crate::dissect::{self, Part};
use crate::forge::hex;
use crate::suite::{Case, File, Ruleset, Step, Suite, Verdict};

/// Bytes shown of each part.
const BYTES_MAX: usize = 12;

/// Columns that a line of bytes takes.
const HEX_WIDTH: usize = 2 * BYTES_MAX + 1;

/// Characters shown of a value in a line.
const VALUE_LEN_MAX: usize = 2000;

/// Ids named when none is the one asked for.
const NEAR_MISSES_MAX: usize = 5;

/// The case with this id and the file it stands in.
pub fn find<'a>(suite: &'a Suite, id: &str) -> Option<(&'a str, &'a File, &'a Case)> {
    suite.files.iter().find_map(|(path, file)| {
        let case = file.cases.iter().find(|case| case.id == id)?;
        Some((path.as_str(), file, case))
    })
}

/// Ids that somebody may have meant by `id`, the likeliest first.
pub fn near_misses<'a>(suite: &'a Suite, id: &str) -> Vec<&'a str> {
    let mut ranked: Vec<_> = suite
        .cases()
        .map(|(_, case)| {
            let contained = case.id.contains(id) && !id.is_empty();
            (!contained, distance(&case.id, id), case.id.as_str())
        })
        .collect();
    ranked.sort_unstable();
    let likely = ranked
        .into_iter()
        .filter(|(foreign, distance, found)| !foreign || *distance <= found.len() / 3);
    likely.map(|(.., id)| id).take(NEAR_MISSES_MAX).collect()
}

/// Everything there is to say about a case.
pub fn explain(suite: &Suite, path: &str, file: &File, case: &Case) -> String {
    let mut out = format!("{}  ({}, {path})\n  {}\n", case.id, file.kind, case.comment);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(out, "\nturns on");
    for id in &case.requirements {
        if let Some(requirement) = suite.requirements.get(id) {
            let level = requirement.level.word();
            let _ = writeln!(out, "  {id:<5} {level}: {}", requirement.text);
        }
    }
    if let Some(id) = &case.ruling
        && let Some(ruling) = suite.rulings.get(id)
    {
        let _ = writeln!(out, "  {id:<5} ruling: {}", ruling.text);
    }
    for flag in &case.flags {
        if let Some(note) = suite.flags.get(flag) {
            let _ = writeln!(out, "  {flag}: {}; {}", note.description, note.effect);
        }
    }
    let _ = writeln!(out, "\nverdict");
    for ruleset in [Ruleset::Spec, Ruleset::Wire09] {
        verdict(&mut out, suite, case, ruleset);
    }
    let _ = writeln!(out, "\ninput");
    if case.input.is_string() || case.annotation.is_empty() {
        let _ = writeln!(out, "  {}", short(&case.input));
    }
    bytes(&mut out, file, case);
    for (what, value) in file.context_of(case).as_object().into_iter().flatten() {
        let _ = writeln!(out, "\ncontext {what}\n  {}", short(value));
    }
    difference(&mut out, file, case);
    out
}

fn verdict(out: &mut String, suite: &Suite, case: &Case, ruleset: Ruleset) {
    let word = case.verdict.of(ruleset).word();
    let _ = writeln!(out, "  {:<9} {word}", ruleset.name());
    match case.verdict.of(ruleset) {
        Verdict::Valid => {
            if let Some(expected) = case.expected(ruleset) {
                let _ = writeln!(out, "            {}", short(expected));
            }
        }
        Verdict::Invalid => {
            for (index, cause) in case.causes().enumerate() {
                let or = if index == 0 { "" } else { "or " };
                let meaning = suite.reasons.get(&cause.reason);
                let meaning = meaning.map_or("", |info| &info.description);
                let _ = writeln!(
                    out,
                    "            {or}{}/{}: {meaning}",
                    cause.phase, cause.reason
                );
            }
        }
        Verdict::Undefined => {
            let _ = writeln!(out, "            either answer is right");
        }
    }
}

/// The byte strings of the input, a part a line: offset, bytes, meaning.
fn bytes(out: &mut String, file: &File, case: &Case) {
    let strings = dissect::byte_strings(&file.kind, &case.input);
    for (path, lines) in &case.annotation {
        let Some((_, bytes)) = strings.get(path) else {
            continue;
        };
        let _ = writeln!(out, "  {}  {} bytes", place(path), bytes.len());
        for part in lines.iter().filter_map(|line| Part::parse(line)) {
            let piece = bytes.get(part.at..part.at + part.size).unwrap_or_default();
            let _ = writeln!(
                out,
                "  {:>6}  {:<HEX_WIDTH$}  {}",
                part.at,
                short_hex(piece),
                part.text
            );
        }
    }
}

/// What was done to the valid sibling.
fn difference(out: &mut String, file: &File, case: &Case) {
    let Some(near) = &case.near else { return };
    let _ = writeln!(out, "\nas {}, but", near.case);
    let sibling = file.cases.iter().find(|other| other.id == near.case);
    for step in &near.edit {
        let line = match step {
            Step::Splice {
                path,
                at,
                remove,
                insert,
                follows,
            } => {
                let (unit, at, within) = spot(sibling, path, *at, remove);
                let why = if *follows { " (follows from it)" } else { "" };
                let change = format!("- {}\n    + {}", short(remove), short(insert));
                format!("{} at {unit} {at}{within}{why}\n    {change}", place(path))
            }
            Step::Set { path, value } => format!("{} becomes {}", place(path), short(value)),
            Step::Remove { path } => format!("{} is taken away", place(path)),
            Step::Use { what, name } => format!("with the {what} {name:?} of the file's context"),
            Step::Resign { path, key } => format!("{} is signed again by {key}", place(path)),
        };
        let _ = writeln!(out, "  {line}");
    }
}

/// Where a splice is: in bytes and within which part for bytes, in characters or items otherwise.
fn spot(
    sibling: Option<&Case>,
    path: &str,
    at: usize,
    remove: &Value,
) -> (&'static str, usize, String) {
    let Some(lines) = sibling.and_then(|sibling| sibling.annotation.get(path)) else {
        let unit = if remove.is_array() {
            "item"
        } else {
            "character"
        };
        return (unit, at, String::new());
    };
    let byte = at / 2;
    let parts = lines.iter().filter_map(|line| Part::parse(line));
    let within = parts
        .into_iter()
        .find(|part| (part.at..part.at + part.size).contains(&byte))
        .map_or(", behind the end".to_owned(), |part| {
            format!(", in {}", part.text)
        });
    ("byte", byte, within)
}

fn place(path: &str) -> &str {
    if path.is_empty() { "input" } else { path }
}

fn short_hex(bytes: &[u8]) -> String {
    if bytes.len() > BYTES_MAX {
        format!("{}…", hex(&bytes[..BYTES_MAX]))
    } else {
        hex(bytes)
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_LEN_MAX) {
        Some((at, _)) => format!("{}… ({} characters)", &text[..at], text.chars().count()),
        None => text,
    }
}

/// Levenshtein's distance, in bytes.
fn distance(first: &str, second: &str) -> usize {
    let mut row: Vec<usize> = (0..=second.len()).collect();
    for (i, a) in first.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in second.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[second.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_changes() {
        assert_eq!(distance("entry", "entry"), 0);
        assert_eq!(distance("entry", "entri"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
