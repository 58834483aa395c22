//! The one result of a run, from which every form of a report is rendered.
//!
//! Knows nothing of vectors, nodes or simulations: [`sections`] translates each of them once. A saved
//! `report.json` can be read back and rendered in any other form.

mod badge;
mod html;
mod junit;
mod markdown;
mod mutants;
mod sections;
mod tap;
mod terminal;
pub mod waivers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
pub use crate::runner::Score;
pub use sections::Terms;

/// How a part of a run ended. Later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Left out.
    #[default]
    Skipped,
    /// All is well.
    Passed,
    /// Right verdicts, other causes than expected.
    Weak,
    /// Nothing is wrong, but something that is required was left out.
    Partial,
    /// Could not be judged.
    SetUpFailed,
    /// Something is wrong.
    Failed,
}

impl State {
    /// One word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::Weak => "weak",
            Self::Partial => "partial",
            Self::SetUpFailed => "set-up failed",
            Self::Failed => "failed",
        }
    }

    /// What the state means for the subject of a report.
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::Passed => "conforms",
            Self::Weak => "conforms, weakly",
            Self::Partial => "partial",
            Self::Failed => "does not conform",
            Self::SetUpFailed | Self::Skipped => "could not be judged",
        }
    }
}

/// One row of a section's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Row {
    pub state: State,
    pub cells: Vec<String>,
}

/// Something that went wrong, with everything needed to look into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Case, check or seed.
    pub id: String,
    /// How bad it is.
    pub state: State,
    /// What happened, in a sentence.
    pub what: String,
    /// Bytes, requests and answers.
    pub evidence: Vec<String>,
    /// The command that does it again.
    pub repeat: String,
}

/// One thing that was tried. What went wrong with it stands in the finding of the same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Case, check or seed.
    pub id: String,
    /// What it belongs to, such as a kind.
    pub group: String,
    /// How it ended.
    pub state: State,
}

/// How much of a suite was passed, whatever was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Share {
    pub passed: usize,
    pub of: usize,
}

/// One part of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What was judged.
    pub title: String,
    /// How it ended.
    pub state: State,
    /// The numbers, in a line.
    pub summary: String,
    /// Points, where there are any to get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// How much of what there is was passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// Seconds it took.
    pub seconds: f64,
    /// Head of the table.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Everything that was tried, one by one.
    #[serde(default)]
    pub tests: Vec<Test>,
    /// What went wrong.
    pub findings: Vec<Finding>,
}

impl Section {
    /// A section about something that could not even begin.
    pub fn set_up_failed(title: &str, cause: &dyn std::fmt::Display, repeat: &str) -> Self {
        Self {
            title: title.to_owned(),
            state: State::SetUpFailed,
            summary: "could not be judged".to_owned(),
            findings: vec![Finding {
                id: "set-up".to_owned(),
                state: State::SetUpFailed,
                what: cause.to_string(),
                evidence: Vec::new(),
                repeat: repeat.to_owned(),
            }],
            ..Self::default()
        }
    }

    /// The tests with what went wrong; findings that belong to no test stand as tests of their own, and
    /// a section without either is one test.
    fn results(&self) -> Vec<(Test, Option<&Finding>)> {
        let mut findings: BTreeMap<&str, &Finding> = self
            .findings
            .iter()
            .map(|finding| (finding.id.as_str(), finding))
            .collect();
        let tests = self.tests.iter();
        let mut results: Vec<_> = tests
            .map(|test| (test.clone(), findings.remove(test.id.as_str())))
            .collect();
        let stray = self
            .findings
            .iter()
            .filter(|finding| findings.contains_key(finding.id.as_str()));
        results.extend(stray.map(|finding| {
            let test = Test {
                id: finding.id.clone(),
                group: self.title.clone(),
                state: finding.state,
            };
            (test, Some(finding))
        }));
        if results.is_empty() {
            let test = Test {
                id: self.title.clone(),
                group: self.title.clone(),
                state: self.state,
            };
            results.push((test, None));
        }
        results
    }
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was judged.
    pub subject: String,
    /// This tool.
    pub tool: String,
    /// Version and digest of the vectors.
    pub suite: String,
    /// The parts.
    pub sections: Vec<Section>,
    /// Waivers that no longer hold.
    pub stale_waivers: Vec<String>,
    /// Seconds it all took.
    pub seconds: f64,
}

impl Report {
    /// A report without sections yet.
    pub fn new(subject: impl Into<String>, suite: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            tool: concat!("grove-conformance ", env!("CARGO_PKG_VERSION")).to_owned(),
            suite: suite.into(),
            sections: Vec::new(),
            stale_waivers: Vec::new(),
            seconds: 0.0,
        }
    }

    /// The worst of the parts. A report about nothing has failed to judge anything.
    pub fn state(&self) -> State {
        let worst = self.sections.iter().map(|section| section.state).max();
        match worst {
            None | Some(State::Skipped) => State::SetUpFailed,
            Some(state) => state,
        }
    }

    /// What the report says of its subject. A verdict on less than all there is names its share.
    pub fn verdict(&self) -> String {
        let word = self.state().verdict();
        match self.share().filter(|share| share.passed < share.of) {
            Some(Share { passed, of }) => format!("{word}: passes {passed} of {of} cases"),
            None => word.to_owned(),
        }
    }

    /// Whether the subject is right in all there is, and not only in what it was asked.
    pub fn is_whole(&self) -> bool {
        self.share().is_none_or(|share| share.passed == share.of)
    }

    /// The shares of all parts together, where there are any.
    fn share(&self) -> Option<Share> {
        let shares = self.sections.iter().filter_map(|section| section.share);
        shares.reduce(|sum, share| Share {
            passed: sum.passed + share.passed,
            of: sum.of + share.of,
        })
    }

    /// The exit code that goes with the state.
    pub fn exit(&self) -> Exit {
        match self.state() {
            State::Passed | State::Weak if !self.stale_waivers.is_empty() => Exit::WaiversStale,
            State::Passed | State::Weak => Exit::Conforms,
            State::Partial => Exit::Partial,
            State::Failed => Exit::Failures,
            State::SetUpFailed | State::Skipped => Exit::SetUpFailed,
        }
    }

    /// The report as a page that needs nothing but itself.
    pub fn to_html(&self) -> String {
        html::render(self)
    }

    /// The report for a terminal, with colours or without.
    pub fn to_text(&self, colour: bool) -> String {
        terminal::render(self, colour)
    }

    /// The report for programs.
    pub fn to_json(&self) -> String {
        let mut value = serde_json::json!({"state": self.state()});
        let report = serde_json::to_value(self).expect("names are strings");
        if let (Some(value), serde_json::Value::Object(report)) = (value.as_object_mut(), report) {
            value.extend(report);
        }
        serde_json::to_string_pretty(&value).expect("a value is JSON") + "\n"
    }

    /// Reads a report back from [`Self::to_json`].
    pub fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The points of all parts together, where there are any.
    pub fn score(&self) -> Option<Score> {
        let scores = self.sections.iter().filter_map(|section| section.score);
        scores.reduce(|sum, score| Score {
            points: sum.points + score.points,
            of: sum.of + score.of,
        })
    }
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For reading in a terminal.
    #[default]
    Text,
    /// Everything, for programs; can be read back.
    Json,
    /// JUnit's XML, for CI.
    Junit,
    /// Test Anything Protocol, version 14.
    Tap,
    /// One page that needs nothing but itself.
    Html,
    /// For issues and pull requests.
    Markdown,
    /// A picture in one line.
    Badge,
    /// What shields.io draws a badge from.
    Shields,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Json,
        Self::Junit,
        Self::Tap,
        Self::Html,
        Self::Markdown,
        Self::Badge,
        Self::Shields,
    ];

    /// The name of the file in a folder of reports.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Text => "report.txt",
            Self::Json => "report.json",
            Self::Junit => "junit.xml",
            Self::Tap => "report.tap",
            Self::Html => "report.html",
            Self::Markdown => "report.md",
            Self::Badge => "badge.svg",
            Self::Shields => "badge.json",
        }
    }

    /// The report in this form.
    pub fn render(self, report: &Report) -> String {
        match self {
            Self::Text => report.to_text(false),
            Self::Json => report.to_json(),
            Self::Junit => junit::render(report),
            Self::Tap => tap::render(report),
            Self::Html => report.to_html(),
            Self::Markdown => markdown::render(report),
            Self::Badge => badge::render(report),
            Self::Shields => badge::render_endpoint(report),
        }
    }
}
