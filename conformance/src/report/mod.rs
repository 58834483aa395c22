//! The one result of a run, from which terminal, JSON and HTML are rendered.
//!
//! Knows nothing of vectors, nodes or simulations: [`sections`] translates each of them once.

mod html;
mod sections;
mod terminal;
pub mod waivers;

use serde::Serialize;

use crate::cli::Exit;

/// How a part of a run ended. Later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Left out.
    Skipped,
    /// All is well.
    Passed,
    /// Right verdicts, other causes than expected.
    Weak,
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
            Self::SetUpFailed => "set-up failed",
            Self::Failed => "failed",
        }
    }
}

/// One row of a section's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Row {
    pub state: State,
    pub cells: Vec<String>,
}

/// Something that went wrong, with everything needed to look into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// One part of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// What was judged.
    pub title: String,
    /// How it ended.
    pub state: State,
    /// The numbers, in a line.
    pub summary: String,
    /// Seconds it took.
    pub seconds: f64,
    /// Head of the table.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
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
            seconds: 0.0,
            columns: Vec::new(),
            rows: Vec::new(),
            findings: vec![Finding {
                id: "set-up".to_owned(),
                state: State::SetUpFailed,
                what: cause.to_string(),
                evidence: Vec::new(),
                repeat: repeat.to_owned(),
            }],
        }
    }
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
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

    /// The exit code that goes with the state.
    pub fn exit(&self) -> Exit {
        match self.state() {
            State::Passed | State::Weak if !self.stale_waivers.is_empty() => Exit::WaiversStale,
            State::Passed | State::Weak => Exit::Conforms,
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
}
