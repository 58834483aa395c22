//! Where each requirement is met and what shows it: read from `//=` lines and from the vectors.
//!
//! `//= ID: in own words` stands above code that meets a requirement, `//= ID test` at a test that proves
//! it. A line in the simulator or the live suite says that they show it. A MUST is covered when code
//! cites it **and** something shows it; a line with an id nobody knows is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::{Finding, Row, Section, State, Test};
use crate::suite::{Level, Suite, Verdict};

/// The tree this was built from.
pub const DEFAULT_ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Folders that are read, and what a line without `test` means there.
const FOLDERS: [(&str, CitedIn); 8] = [
    ("core/src", CitedIn::Code),
    ("node/src", CitedIn::Code),
    ("client/src", CitedIn::Code),
    ("core/tests", CitedIn::Test),
    ("node/tests", CitedIn::Test),
    ("client/tests", CitedIn::Test),
    ("sim", CitedIn::Simulation),
    ("conformance/src/live", CitedIn::Live),
];

/// What a `//=` line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CitedIn {
    Code,
    Test,
    Live,
    Simulation,
}

/// How often a requirement is cited and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub code: usize,
    pub test: usize,
    pub valid: usize,
    pub invalid: usize,
    pub live: usize,
    pub simulation: usize,
}

impl Counts {
    /// Whether something shows the requirement, besides the code that claims it.
    pub const fn is_shown(&self) -> bool {
        self.test + self.valid + self.invalid + self.live + self.simulation > 0
    }

    /// Whether code cites the requirement and something shows it.
    pub const fn is_covered(&self) -> bool {
        self.code > 0 && self.is_shown()
    }

    fn cells(&self) -> [String; 6] {
        [
            self.code,
            self.test,
            self.valid,
            self.invalid,
            self.live,
            self.simulation,
        ]
        .map(|count| {
            if count == 0 {
                "·".to_owned()
            } else {
                count.to_string()
            }
        })
    }
}

/// What was found, by requirement and by ruling, and the lines that cite neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Coverage {
    pub counts: BTreeMap<String, Counts>,
    pub unknown: Vec<String>,
}

/// Reads the tree at `root` and counts the cases of `suite`.
pub fn coverage(root: &Path, suite: &Suite) -> io::Result<Coverage> {
    let known = suite.requirements.keys().chain(suite.rulings.keys());
    let mut coverage = Coverage {
        counts: known.map(|id| (id.clone(), Counts::default())).collect(),
        unknown: Vec::new(),
    };
    for (_, case) in suite.cases() {
        for id in case.requirements.iter().chain(&case.ruling) {
            if let Some(counts) = coverage.counts.get_mut(id) {
                counts.valid += usize::from(case.verdict.spec == Verdict::Valid);
                counts.invalid += usize::from(case.verdict.spec == Verdict::Invalid);
            }
        }
    }
    for (folder, place) in FOLDERS {
        for path in sources(&root.join(folder))? {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            coverage.read(&name, &fs::read_to_string(&path)?, place);
        }
    }
    Ok(coverage)
}

impl Coverage {
    fn read(&mut self, name: &str, text: &str, place: CitedIn) {
        for (number, line) in (1..).zip(text.lines()) {
            let Some(cited) = line.trim_start().strip_prefix("//= ") else {
                continue;
            };
            let (id, is_test) = match cited.split_once(':') {
                Some((id, _)) => (id, false),
                None => (cited.trim_end_matches(" test"), cited.ends_with(" test")),
            };
            match (self.counts.get_mut(id), cited.contains(':') || is_test) {
                (Some(counts), true) => match if is_test { CitedIn::Test } else { place } {
                    CitedIn::Code => counts.code += 1,
                    CitedIn::Test => counts.test += 1,
                    CitedIn::Live => counts.live += 1,
                    CitedIn::Simulation => counts.simulation += 1,
                },
                _ => self.unknown.push(format!("{name}:{number}: {cited}")),
            }
        }
    }
}

/// All Rust files below `dir`, in a fixed order.
fn sources(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut items: Vec<_> = fs::read_dir(dir)?.collect::<Result<_, _>>()?;
    items.sort_by_key(fs::DirEntry::path);
    for item in items {
        let path = item.path();
        if item.file_type()?.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

impl Section {
    /// The table of requirements, with every MUST that is not covered as a finding.
    pub fn of_requirements(suite: &Suite, coverage: &Coverage, again: &str) -> Self {
        let mut section = table("Requirements", "requirement");
        let mut musts = 0;
        for (id, requirement) in &suite.requirements {
            let counts = coverage.counts.get(id).copied().unwrap_or_default();
            let must = requirement.level == Level::Must;
            musts += usize::from(must);
            let state = match (counts.is_covered(), must) {
                (true, _) => State::Passed,
                (false, true) => State::Failed,
                (false, false) => State::Skipped,
            };
            let gap = requirement.gap.clone().unwrap_or_default();
            add(
                &mut section,
                id,
                state,
                &counts,
                requirement.level.word(),
                gap,
            );
            if state == State::Failed {
                let missing = match (counts.code > 0, counts.is_shown()) {
                    (true, _) => "nothing shows it",
                    (false, true) => "no code cites it",
                    (false, false) => "no code cites it and nothing shows it",
                };
                section.findings.push(Finding {
                    id: id.clone(),
                    state,
                    what: format!("{missing}: {}", requirement.text),
                    evidence: requirement.gap.iter().cloned().collect(),
                    repeat: again.to_owned(),
                });
            }
        }
        let uncovered = section.findings.len();
        section
            .findings
            .extend(coverage.unknown.iter().map(|line| Finding {
                id: "unknown id".to_owned(),
                state: State::Failed,
                what: line.clone(),
                evidence: Vec::new(),
                repeat: again.to_owned(),
            }));
        section.state = match section.findings.is_empty() {
            true => State::Passed,
            false => State::Failed,
        };
        section.summary = format!(
            "{} of {musts} MUSTs are cited in code and shown; {} lines cite what nobody knows",
            musts - uncovered,
            coverage.unknown.len()
        );
        section
    }

    /// The table of rulings. Some are about other software, so that none of them has to be cited.
    pub fn of_rulings(suite: &Suite, coverage: &Coverage) -> Self {
        let mut section = table("Rulings", "ruling");
        for (id, ruling) in &suite.rulings {
            let counts = coverage.counts.get(id).copied().unwrap_or_default();
            let state = if counts.is_covered() {
                State::Passed
            } else {
                State::Skipped
            };
            let gap = ruling.gap.clone().unwrap_or_default();
            add(&mut section, id, state, &counts, "", gap);
        }
        let covered = section
            .rows
            .iter()
            .filter(|row| row.state == State::Passed)
            .count();
        section.state = State::Passed;
        section.summary = format!(
            "{covered} of {} rulings are cited in code and shown",
            section.rows.len()
        );
        section
    }
}

fn table(title: &str, first: &str) -> Section {
    Section {
        title: title.to_owned(),
        columns: [
            first, "level", "code", "test", "valid", "invalid", "live", "sim", "gap",
        ]
        .map(str::to_owned)
        .into(),
        ..Section::default()
    }
}

fn add(section: &mut Section, id: &str, state: State, counts: &Counts, level: &str, gap: String) {
    let mut cells = vec![id.to_owned(), level.to_owned()];
    cells.extend(counts.cells());
    cells.push(gap);
    section.rows.push(Row { state, cells });
    section.tests.push(Test {
        id: id.to_owned(),
        group: section.title.to_lowercase(),
        state,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, place: CitedIn) -> (Counts, Vec<String>) {
        let mut coverage = Coverage::default();
        coverage.counts.insert("DL3".to_owned(), Counts::default());
        coverage.read("a.rs", text, place);
        (coverage.counts["DL3"], coverage.unknown)
    }

    #[test]
    fn a_line_counts_for_the_place_it_stands_in() {
        let line = "    //= DL3: it never leaves the node\n";

        assert_eq!(read(line, CitedIn::Code).0.code, 1);
        assert_eq!(read(line, CitedIn::Simulation).0.simulation, 1);
        assert_eq!(read(line, CitedIn::Live).0.live, 1);
        assert_eq!(read("//= DL3 test\n", CitedIn::Code).0.test, 1);
    }

    #[test]
    fn what_nobody_knows_is_an_error() {
        for line in [
            "//= DL99: no such id",
            "//= DL3",
            "//= dl3 test",
            "//= DL3 tests",
        ] {
            let (counts, unknown) = read(line, CitedIn::Code);

            assert_eq!(counts, Counts::default(), "{line}");
            assert_eq!(unknown.len(), 1, "{line}");
        }
    }

    #[test]
    fn a_claim_alone_covers_nothing() {
        let claimed = Counts {
            code: 2,
            ..Counts::default()
        };
        let shown = Counts {
            live: 1,
            ..Counts::default()
        };

        assert!(!claimed.is_covered() && !shown.is_covered());
        assert!(Counts { live: 1, ..claimed }.is_covered());
    }
}
