//! Counts over a suite: what it asks by kind, requirement, ruling, verdict and cause of refusal.
//!
//! Tells what is thin as well: requirements with one side only, causes no case expects.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Case, Ruleset, Suite, Verdict};

/// How many cases there are, told by everything a case can be told by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Stats {
    pub files: usize,
    pub spec: Verdicts,
    pub wire: Verdicts,
    /// Cases on which the rulesets differ, in the verdict or in the result.
    pub contested: usize,
    /// By kind, under `spec`.
    pub kinds: BTreeMap<String, Verdicts>,
    /// By requirement, under `spec`; those without cases too.
    pub requirements: BTreeMap<String, Verdicts>,
    /// Cases that turn on a ruling; those without cases too.
    pub rulings: BTreeMap<String, usize>,
    /// Phase and reason → cases that expect it first, and cases that let it pass beside another.
    pub reasons: BTreeMap<(String, String), (usize, usize)>,
}

/// Cases by what one ruleset says of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Verdicts {
    pub valid: usize,
    pub invalid: usize,
    pub undefined: usize,
}

impl Verdicts {
    /// All of them.
    pub const fn all(&self) -> usize {
        self.valid + self.invalid + self.undefined
    }

    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Valid => self.valid += 1,
            Verdict::Invalid => self.invalid += 1,
            Verdict::Undefined => self.undefined += 1,
        }
    }
}

impl Stats {
    /// Counts `suite`.
    pub fn of(suite: &Suite) -> Self {
        let reasons = suite.reasons.iter();
        let mut stats = Self {
            files: suite.files.len(),
            requirements: zeros(suite.requirements.keys().cloned()),
            rulings: zeros(suite.rulings.keys().cloned()),
            reasons: zeros(reasons.map(|(reason, info)| (info.phase.clone(), reason.clone()))),
            ..Self::default()
        };
        for (file, case) in suite.cases() {
            stats.count(&file.kind, case);
        }
        stats
    }

    fn count(&mut self, kind: &str, case: &Case) {
        let [spec, wire] = [Ruleset::Spec, Ruleset::Wire09].map(|ruleset| case.verdict.of(ruleset));
        self.spec.count(spec);
        self.wire.count(wire);
        self.contested += usize::from(spec != wire || case.expected_wire.is_some());
        self.kinds.entry(kind.to_owned()).or_default().count(spec);
        for id in &case.requirements {
            self.requirements.entry(id.clone()).or_default().count(spec);
        }
        if let Some(ruling) = &case.ruling {
            *self.rulings.entry(ruling.clone()).or_default() += 1;
        }
        for (index, cause) in case.causes().enumerate() {
            let key = (cause.phase.clone(), cause.reason.clone());
            let (first, beside) = self.reasons.entry(key).or_default();
            *if index == 0 { first } else { beside } += 1;
        }
    }
}

fn zeros<K: Ord, V: Default>(keys: impl Iterator<Item = K>) -> BTreeMap<K, V> {
    keys.map(|key| (key, V::default())).collect()
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.spec.all();
        writeln!(
            f,
            "{all} cases of {} kinds in {} files",
            self.kinds.len(),
            self.files
        )?;
        for (ruleset, verdicts) in [(Ruleset::Spec, &self.spec), (Ruleset::Wire09, &self.wire)] {
            let [valid, invalid, undefined] =
                [verdicts.valid, verdicts.invalid, verdicts.undefined].map(|count| {
                    format!(
                        "{count} ({} %)",
                        (100 * count).checked_div(all).unwrap_or(0)
                    )
                });
            let name = ruleset.name();
            writeln!(
                f,
                "{name:<8}  valid {valid}, invalid {invalid}, undefined {undefined}"
            )?;
        }
        writeln!(f, "contested  {}\n", self.contested)?;
        table(f, "kind", &self.kinds)?;
        table(f, "requirement", &self.requirements)?;
        writeln!(f, "{:<24} {:>6}", "ruling", "cases")?;
        for (id, cases) in &self.rulings {
            writeln!(f, "{id:<24} {cases:>6}{}", never(*cases))?;
        }
        writeln!(
            f,
            "\n{:<36} {:>6} {:>6}",
            "phase and reason", "first", "beside"
        )?;
        for ((phase, reason), (first, beside)) in &self.reasons {
            let name = format!("{phase} {reason}");
            writeln!(
                f,
                "{name:<36} {first:>6} {beside:>6}{}",
                never(first + beside)
            )?;
        }
        Ok(())
    }
}

/// A table of verdicts under `spec`.
fn table(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    rows: &BTreeMap<String, Verdicts>,
) -> fmt::Result {
    writeln!(
        f,
        "{title:<24} {:>6} {:>6} {:>8} {:>10}",
        "cases", "valid", "invalid", "undefined"
    )?;
    for (name, row) in rows {
        let Verdicts {
            valid,
            invalid,
            undefined,
        } = row;
        let all = row.all();
        writeln!(
            f,
            "{name:<24} {all:>6} {valid:>6} {invalid:>8} {undefined:>10}{}",
            never(all)
        )?;
    }
    writeln!(f)
}

fn never(cases: usize) -> &'static str {
    if cases == 0 { "  never" } else { "" }
}
