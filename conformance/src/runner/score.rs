//! What a run is worth: points for telling right from wrong.
//!
//! Who calls everything invalid is right about every invalid case, so being right is not enough. A
//! valid case scores when it passes strongly. An invalid one scores when it passes strongly **and** the
//! valid case it is near to does as well: only then was the one thing seen that is wrong. Cases whose
//! verdict is open score nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Outcome, Record};
use crate::suite::{Case, Ruleset, Suite, Verdict};

/// Points, and how many there were to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Score {
    pub points: usize,
    pub of: usize,
}

/// Points by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scores(pub BTreeMap<String, Score>);

impl Scores {
    /// Counts what `records` are worth.
    pub fn of(suite: &Suite, ruleset: Ruleset, records: &[Record]) -> Self {
        let asked: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let strong: BTreeSet<&str> = records
            .iter()
            .filter(|record| record.outcome == Outcome::Strong)
            .map(|record| record.id.as_str())
            .collect();
        let mut scores = Self::default();
        let cases = suite.cases();
        for (file, case) in cases.filter(|(_, case)| asked.contains(case.id.as_str())) {
            let verdict = case.verdict.of(ruleset);
            if verdict == Verdict::Undefined {
                continue;
            }
            let right = strong.contains(case.id.as_str())
                && (verdict == Verdict::Valid
                    || sibling(&file.cases, case, ruleset, &asked)
                        .is_none_or(|sibling| strong.contains(sibling)));
            let score = scores.0.entry(file.kind.clone()).or_default();
            score.of += 1;
            score.points += usize::from(right);
        }
        scores
    }

    /// All kinds together.
    pub fn total(&self) -> Score {
        let add = |sum: Score, score: &Score| Score {
            points: sum.points + score.points,
            of: sum.of + score.of,
        };
        self.0.values().fold(Score::default(), add)
    }
}

/// The valid case that must pass beside an invalid one: the one it is near to, or else any that was
/// asked; none when only invalid ones were asked.
fn sibling<'a>(
    cases: &'a [Case],
    case: &Case,
    ruleset: Ruleset,
    asked: &BTreeSet<&str>,
) -> Option<&'a str> {
    let mut valid = cases.iter().filter(|other| {
        other.verdict.of(ruleset) == Verdict::Valid && asked.contains(other.id.as_str())
    });
    let near = case.near.as_ref().map(|near| near.case.as_str());
    valid
        .clone()
        .find(|other| Some(other.id.as_str()) == near)
        .or_else(|| valid.next())
        .map(|other| other.id.as_str())
}
