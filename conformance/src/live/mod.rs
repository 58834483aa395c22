//! Judges a running node by its address alone, over JSON-RPC and GraphQL.
//!
//! Every run has keys and schema names of its own, so a shared, dirty node will do. Around each hostile
//! request stand two honest ones: silence is some nodes' only error, and a dead node is silent too.
//! Times are budgets, never expectations; where several answers are legal, all of them pass.

mod api;
mod author;
mod http;
mod profiles;
mod under_test;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use http::Exchange;
use profiles::{PROFILES, refusals};
use under_test::NodeUnderTest;

/// How long a document may take to show.
const SHOW_TIME_MAX: Duration = Duration::from_secs(5);

/// What is wrong with a node's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// The node did what the rules forbid, or not what they ask.
    #[error("{0}")]
    Behaviour(String),
    /// The node did right, as far as can be told.
    #[error("{0}")]
    Weakly(String),
    /// An honest request around the hostile one failed.
    #[error("control {when} failed: {what}")]
    Control {
        /// `before` or `after`.
        when: &'static str,
        /// What came instead of an answer.
        what: String,
    },
}

/// How one check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "detail", rename_all = "snake_case")]
pub enum LiveOutcome {
    /// The node did right.
    Passed,
    /// It refused, as it should, but for another reason or without telling one.
    Weak(String),
    /// It did wrong.
    Failed(String),
}

/// One check with its evidence.
#[derive(Clone, Debug, Serialize)]
pub struct LiveRecord {
    /// Slug.
    pub id: String,
    /// The profile it belongs to.
    pub profile: String,
    /// What was checked, in one line.
    pub title: String,
    /// How it ended.
    pub outcome: LiveOutcome,
    /// What went over the wire, when it did not end well.
    pub transcript: Vec<Exchange>,
    /// Duration.
    pub millis: u64,
}

/// All checks against one node.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct LiveRun {
    pub url: String,
    pub seed: u64,
    pub records: Vec<LiveRecord>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetUpError {
    /// The address is none.
    #[error("{0:?} is no http address")]
    Address(String),
    /// The client cannot run.
    #[error("the HTTP client does not start: {0}")]
    Client(#[from] std::io::Error),
    /// The schema the checks work with cannot be published.
    #[error("publishing the test schema failed: {0}")]
    Schema(Wrong),
}

/// Runs every check against the node at `url`.
pub fn run(url: &str, seed: u64, progress: &dyn Fn(usize, usize)) -> Result<LiveRun, SetUpError> {
    let mut target = NodeUnderTest::set_up(url, seed)?;
    let checks = PROFILES.iter().flat_map(|(profile, checks)| {
        let run = |check: &'static profiles::LiveCheck| Trial {
            id: check.id,
            title: check.title,
            profile,
            run: Box::new(|target| (check.run)(target)),
        };
        checks.iter().map(run)
    });
    let refusals = refusals::ALL.iter().map(|refusal| Trial {
        id: refusal.id,
        title: refusal.title,
        profile: "refusals",
        run: Box::new(|target| refusals::run(target, refusal)),
    });
    let trials: Vec<Trial> = checks.chain(refusals).collect();
    let mut records = Vec::with_capacity(trials.len());
    for (index, trial) in trials.iter().enumerate() {
        let started = Instant::now();
        target.begin(index);
        let outcome = match (trial.run)(&mut target) {
            Ok(()) => LiveOutcome::Passed,
            Err(Wrong::Weakly(weakness)) => LiveOutcome::Weak(weakness),
            Err(wrong) => LiveOutcome::Failed(wrong.to_string()),
        };
        let transcript = target.end();
        records.push(LiveRecord {
            id: trial.id.to_owned(),
            profile: trial.profile.to_owned(),
            title: trial.title.to_owned(),
            transcript: if outcome == LiveOutcome::Passed {
                Vec::new()
            } else {
                transcript
            },
            outcome,
            millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        progress(index + 1, trials.len());
    }
    Ok(LiveRun {
        url: url.to_owned(),
        seed,
        records,
    })
}

type RunCheck = dyn Fn(&mut NodeUnderTest) -> Result<(), Wrong>;

/// One check of whatever profile, about to be run.
struct Trial {
    id: &'static str,
    title: &'static str,
    profile: &'static str,
    run: Box<RunCheck>,
}
