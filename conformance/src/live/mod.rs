//! Judges a running node by its address alone, through whichever of the public doors it has.
//!
//! The rules, each learnt from a failure of somebody's suite, and where they stand:
//!
//! 1. Around each hostile request stand two honest ones ([`NodeUnderTest::control`]): silence is some nodes'
//!    only error, and a dead node is silent too.
//! 2. What could not be set up, or a node that stopped, is one result of its own ([`Wrong::SetUp`], [`LiveRun::stopped`]).
//! 3. Times are budgets, never expectations; where several answers are legal, all of them pass.
//! 4. Every case has keys and documents of its own, made of seed and case ([`NodeUnderTest::author`]); a seed that
//!    this node has met already begins another round, so a shared, dirty node will do.
//! 5. Inputs known to harm deployed nodes come last, and only when asked for ([`Options::hazardous`]).
//! 6. Doors are probed first ([`doors`]); a case is not applicable where what it needs is not there.
//! 7. Each failure comes with its conversation and the command that repeats that case ([`evidence`]).

mod api;
mod author;
mod case;
mod derived;
mod doors;
pub mod evidence;
mod http;
mod judge;
pub mod lifecycle;
pub mod manifest;
mod profiles;
mod shelf;
mod under_test;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use case::{Case, PROFILES};
pub use doors::{Doors, Need};
pub use http::Exchange;
use under_test::NodeUnderTest;

use crate::runner::{matches, shuffle};
use crate::suite::{Hazard, Ruleset, Suite};

/// How long a document may take to show.
const SHOW_TIME_MAX: Duration = Duration::from_secs(5);

/// Times a node is asked whether it is still there before it counts as stopped.
const SIGNS_OF_LIFE_MAX: usize = 3;

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
    /// What the case is about was never reached.
    #[error("set-up failed: {0}")]
    SetUp(String),
    /// The node lacks what the case is about.
    #[error("{0}")]
    NotApplicable(String),
    /// An honest request around the hostile one failed.
    #[error("control {when} failed: {what}")]
    Control {
        /// `before` or `after`.
        when: &'static str,
        /// What came instead of an answer.
        what: String,
    },
}

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "detail", rename_all = "snake_case")]
pub enum LiveOutcome {
    /// The node did right.
    Passed,
    /// It refused, as it should, but for another reason or without telling one.
    Weak(String),
    /// It has not what the case is about.
    NotApplicable(String),
    /// The case did not come to what it is about.
    SetUpFailed(String),
    /// It did wrong.
    Failed(String),
}

/// One case with its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LiveRecord {
    /// Slug.
    pub id: String,
    /// The profile it belongs to.
    pub profile: String,
    /// What was checked, in one line.
    pub title: String,
    /// Requirements it turns on.
    pub requires: Vec<String>,
    /// The ruling it turns on.
    pub ruling: Option<String>,
    /// How it ended.
    pub outcome: LiveOutcome,
    /// What went over the wire, when it did not end well.
    pub transcript: Vec<Exchange>,
    /// Duration.
    pub millis: u64,
}

/// Which cases are run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of keys, names and the order.
    pub seed: u64,
    /// Rules to judge by; found out when not said.
    pub ruleset: Option<Ruleset>,
    /// Profiles asked for by name; all that the node has when empty.
    pub profiles: Vec<String>,
    /// Glob over ids.
    pub only: Option<String>,
    /// Whether inputs may be sent that are known to harm deployed nodes.
    pub hazardous: bool,
    /// Whether the conversation is kept of what ended well, too.
    pub transcripts: bool,
}

impl Options {
    /// Everything that is harmless, by the rules that fit the node.
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            ruleset: None,
            profiles: Vec::new(),
            only: None,
            hazardous: false,
            transcripts: false,
        }
    }

    fn wants(&self, case: &Case<'_>) -> bool {
        let profile = self.profiles.is_empty() || self.profiles.iter().any(|it| it == case.profile);
        let id = self
            .only
            .as_ref()
            .is_none_or(|glob| matches(glob, &case.id));
        profile && id && (self.hazardous || case.hazard == Hazard::None)
    }
}

/// All cases against one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LiveRun {
    pub url: String,
    pub seed: u64,
    /// How often this node had met the seed before.
    pub round: u64,
    pub ruleset: Ruleset,
    /// The doors that were found, in words.
    pub doors: String,
    pub records: Vec<LiveRecord>,
    /// How many cases there are, whether they were asked for or not.
    pub of: usize,
    /// Profiles that were asked for by name and that the node has not.
    pub missing: Vec<String>,
    /// The case during which the node stopped answering; none was tried after it.
    pub stopped: Option<String>,
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
    /// Nobody there whom anything could be published to.
    #[error("neither GraphQL nor JSON-RPC answers there")]
    NoDoor,
    /// The schema the cases work with cannot be published.
    #[error("publishing the test schema failed: {0}")]
    Schema(Wrong),
    /// No case of this name.
    #[error("there is no live case like {0:?}")]
    NoCase(String),
}

/// Every case there is, those from tables and those made of vectors.
pub fn all_cases(suite: &Suite) -> Vec<Case<'_>> {
    let mut cases = profiles::cases();
    cases.extend(derived::cases(suite));
    cases
}

/// Runs the cases that are asked for against the node at `url`.
pub fn run(
    url: &str,
    suite: &Suite,
    options: &Options,
    progress: &dyn Fn(usize, usize),
) -> Result<LiveRun, SetUpError> {
    let mut cases = all_cases(suite);
    let of = cases.len();
    cases.retain(|case| options.wants(case));
    if cases.is_empty() {
        let asked = options.only.clone();
        return Err(SetUpError::NoCase(
            asked.unwrap_or(options.profiles.join(", ")),
        ));
    }
    shuffle(&mut cases, options.seed);
    // What may do harm comes last.
    cases.sort_by_key(|case| case.hazard);
    let mut target = NodeUnderTest::set_up(url, options)?;
    let missing = missing_profiles(&mut cases, &options.profiles, &target.doors);
    let mut run = LiveRun {
        url: url.to_owned(),
        seed: options.seed,
        round: target.round,
        ruleset: target.ruleset,
        doors: target.doors.to_string(),
        records: Vec::with_capacity(cases.len()),
        of,
        missing,
        stopped: None,
    };
    for (index, case) in cases.iter().enumerate() {
        let record = run_case(&mut target, case, options.transcripts);
        let doubtful = !matches!(
            record.outcome,
            LiveOutcome::Passed | LiveOutcome::Weak(_) | LiveOutcome::NotApplicable(_)
        );
        run.records.push(record);
        progress(index + 1, cases.len());
        if doubtful && !gives_sign_of_life(&target) {
            run.stopped = Some(case.id.clone());
            break;
        }
    }
    run.records.sort_by_key(|record| {
        let place = PROFILES.iter().position(|name| *name == record.profile);
        (place, record.id.clone())
    });
    Ok(run)
}

/// Takes out the cases of profiles that were asked for by name and that the node has nothing of.
fn missing_profiles(cases: &mut Vec<Case<'_>>, asked: &[String], doors: &Doors) -> Vec<String> {
    let lacks_all = |profile: &&String| {
        let mut of_profile = cases.iter().filter(|case| case.profile == profile.as_str());
        of_profile.all(|case| doors.lacks(&case.needs).is_some())
    };
    let missing: Vec<String> = asked.iter().filter(lacks_all).cloned().collect();
    cases.retain(|case| !missing.iter().any(|profile| profile == case.profile));
    missing
}

fn run_case(target: &mut NodeUnderTest, case: &Case<'_>, keep: bool) -> LiveRecord {
    let started = Instant::now();
    target.begin(&case.id);
    let result = match target.doors.lacks(&case.needs) {
        Some(need) => Err(Wrong::NotApplicable(format!(
            "there is no {}",
            need.words()
        ))),
        None => (case.run)(target),
    };
    let outcome = match result {
        Ok(()) => LiveOutcome::Passed,
        Err(Wrong::Weakly(weakness)) => LiveOutcome::Weak(weakness),
        Err(Wrong::NotApplicable(what)) => LiveOutcome::NotApplicable(what),
        Err(Wrong::SetUp(what)) => LiveOutcome::SetUpFailed(what),
        Err(wrong) => LiveOutcome::Failed(wrong.to_string()),
    };
    let transcript = target.end();
    let quiet = matches!(outcome, LiveOutcome::Passed | LiveOutcome::NotApplicable(_));
    LiveRecord {
        id: case.id.clone(),
        profile: case.profile.to_owned(),
        title: case.title.clone(),
        requires: case.requires.clone(),
        ruling: case.ruling.clone(),
        transcript: if quiet && !keep {
            Vec::new()
        } else {
            transcript
        },
        outcome,
        millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// Whether the node still answers, whatever it says.
fn gives_sign_of_life(target: &NodeUnderTest) -> bool {
    (0..SIGNS_OF_LIFE_MAX).any(|attempt| {
        std::thread::sleep(Duration::from_millis(300) * u32::try_from(attempt).unwrap_or(0));
        target.answers()
    })
}
