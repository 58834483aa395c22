//! The questions of a run: which, in which order, and as which lines.

use serde_json::{Value, json};

use super::{RunError, Selection};
use crate::suite::{Case, File, Ruleset, Suite};

/// One case in this many is asked twice.
const REPEAT_EVERY: usize = 16;

/// One question in the queue.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub file: &'a File,
    pub case: &'a Case,
    pub kind: &'a str,
    /// Asked alone, because an adapter broke down while it was under way.
    pub alone: bool,
}

impl Question<'_> {
    /// The line that asks it.
    pub(super) fn line(&self, seq: u64, ruleset: Ruleset) -> Value {
        line(self.file, self.case, seq.into(), ruleset)
    }
}

/// The line that asks a case of a file.
pub fn line(file: &File, case: &Case, seq: Value, ruleset: Ruleset) -> Value {
    json!({
        "op": "case",
        "seq": seq,
        "kind": file.kind,
        "ruleset": ruleset,
        "context": file.context_of(case),
        "input": case.input,
    })
}

/// An operation nobody has defined.
pub(super) fn unknown_operation(seed: u64, seq: u64) -> Value {
    json!({"op": format!("zq{seed:x}-never-defined"), "seq": seq})
}

/// Whether `answer` is what becomes of an operation nobody has defined.
pub(super) fn is_unsupported(answer: &Value, seq: u64) -> bool {
    answer["seq"] == seq && answer["unsupported"] == true
}

/// The selected questions, each once, in the order of the suite.
pub(super) fn in_order<'a>(
    suite: &'a Suite,
    selection: &Selection,
) -> Result<Vec<Question<'a>>, RunError> {
    let wanted = |case: &Case, kind: &str| {
        selection
            .only
            .as_ref()
            .is_none_or(|glob| matches(glob, &case.id) || matches(glob, kind))
    };
    let all: Vec<_> = suite
        .cases()
        .filter(|(file, case)| wanted(case, &file.kind))
        .map(|(file, case)| Question {
            file,
            case,
            kind: &file.kind,
            alone: false,
        })
        .collect();
    if all.is_empty() {
        return Err(RunError::NothingToRun(
            selection.only.clone().unwrap_or_default(),
        ));
    }
    Ok(all)
}

/// The selected questions, some of them twice, shuffled.
pub(super) fn with_repetitions<'a>(
    suite: &'a Suite,
    selection: &Selection,
) -> Result<Vec<Question<'a>>, RunError> {
    let mut all = in_order(suite, selection)?;
    let again: Vec<_> = all.iter().step_by(REPEAT_EVERY).cloned().collect();
    all.extend(again);
    shuffle(&mut all, selection.seed);
    Ok(all)
}

/// Fisher and Yates with splitmix64.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for index in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(index, ((z ^ (z >> 31)) % (index as u64 + 1)) as usize);
    }
}

/// Whether `text` matches `glob`, in which `*` stands for anything.
pub(crate) fn matches(glob: &str, text: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<_> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The earliest place leaves most to what comes after it.
        let Some(at) = left.find(piece) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_ids_and_kinds() {
        for (glob, text) in [
            ("entry*", "entry-decode-first"),
            ("*.decode", "entry.decode"),
            ("entry.decode", "entry.decode"),
            ("*", ""),
            ("*-a", "x-a-b-a"),
            ("a*b*c", "abbbc"),
        ] {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [
            ("entry", "entry-decode-first"),
            ("*.decode", "entry.decoded"),
            ("a*a", "a"),
            ("a*b*c", "ac"),
        ] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }

    #[test]
    fn the_order_is_a_function_of_the_seed() {
        let order = |seed| {
            let mut items: Vec<_> = (0..100).collect();
            shuffle(&mut items, seed);
            items
        };

        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
