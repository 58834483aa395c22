//! Counts over a suite.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Suite, Verdict};

/// How many cases there are, by kind and verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Stats {
    pub cases: usize,
    /// Cases that some ruleset refuses.
    pub negative: usize,
    /// Cases on which the rulesets differ.
    pub contested: usize,
    pub files: usize,
    /// Requirements with at least one case.
    pub requirements_covered: usize,
    pub requirements: usize,
    /// Kind → cases, negative cases.
    pub kinds: BTreeMap<String, (usize, usize)>,
}

impl Stats {
    /// Counts `suite`.
    pub fn of(suite: &Suite) -> Self {
        let mut stats = Self {
            files: suite.files.len(),
            requirements: suite.requirements.len(),
            ..Self::default()
        };
        let mut covered = std::collections::BTreeSet::new();
        for (file, case) in suite.cases() {
            let negative = usize::from(case.is_negative());
            let differs = case.verdict.spec != case.verdict.wire || case.expected_wire.is_some();
            stats.cases += 1;
            stats.negative += negative;
            stats.contested += usize::from(differs && case.verdict.spec != Verdict::Undefined);
            let kind = stats.kinds.entry(file.kind.clone()).or_default();
            *kind = (kind.0 + 1, kind.1 + negative);
            covered.extend(&case.requirements);
        }
        stats.requirements_covered = covered.len();
        stats
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>6} {:>9}", "kind", "cases", "negative")?;
        for (kind, (cases, negative)) in &self.kinds {
            writeln!(f, "{kind:<20} {cases:>6} {negative:>9}")?;
        }
        writeln!(f, "{:<20} {:>6} {:>9}", "all", self.cases, self.negative)?;
        writeln!(
            f,
            "{} files, {} contested cases, {} of {} requirements",
            self.files, self.contested, self.requirements_covered, self.requirements
        )
    }
}
