//! A failure as one file: what was found, the smallest plan and the original one, the trace, and the hash to compare
//! with. Whoever has it can run it again and is told whether it still fails.
//!
//! Decides what a repetition came to. Leaves out making plans smaller, see `shrink`.

use serde::{Deserialize, Serialize};

use crate::plan::{Plan, PlanError};
use crate::play::{Finding, play, play_turned};
use crate::trace::{Digest, first_difference};

/// The form of bundles.
const VERSION: u64 = 1;

/// A failure in one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The form of the file.
    pub version: u64,
    /// The release that made it.
    pub made_by: String,
    /// What was found.
    pub finding: Finding,
    /// The smallest plan that fails so.
    pub plan: Plan,
    /// Other futures that are taken in it: after so many steps, that of another seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<(u64, u64)>,
    /// The hash of its run, with checkpoints.
    pub digest: Digest,
    /// The hash over what was accepted and decided.
    pub meaning: String,
    /// The plan it was found with.
    pub original: Box<Plan>,
    /// The events of its run, one JSON object a line.
    pub trace: String,
}

/// What a repetition came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Repetition {
    /// The same failure by the same events.
    Reproduced,
    /// The same failure, or another one, by other events: the first that differs.
    Diverged {
        event: u64,
        expected: String,
        happened: String,
        finding: Option<Finding>,
    },
    /// Nothing fails any more.
    Fixed,
}

/// Why a file is no bundle. (Caller)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not the JSON of a bundle.
    #[error("the text is no bundle: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another form.
    #[error("bundles of form {0} are not known to this release")]
    Version(u64),
    /// Its plan can't be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Bundle {
    /// The bundle of a plan that fails; `None` when it does not.
    pub fn of(plan: Plan, turns: Vec<(u64, u64)>, original: Plan) -> Option<Self> {
        let played = play_turned(&plan, &turns, true);
        Some(Self {
            version: VERSION,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            finding: played.found?,
            digest: played.digest,
            meaning: played.meaning,
            original: Box::new(original),
            trace: String::from_utf8(played.lines?).ok()?,
            plan,
            turns,
        })
    }

    /// Reads a bundle that was written by whomever.
    ///
    /// # Errors
    ///
    /// When it is none, or its plan can't be carried out.
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        let mut bundle: Self = serde_json::from_slice(text)?;
        if bundle.version != VERSION {
            return Err(BundleError::Version(bundle.version));
        }
        bundle.plan = bundle.plan.checked()?;
        Ok(bundle)
    }

    /// Runs it again.
    pub fn repeat(&self) -> Repetition {
        let quick = match self.turns.is_empty() {
            true => play(&self.plan, false),
            false => play_turned(&self.plan, &self.turns, false),
        };
        if quick.found.as_ref() == Some(&self.finding) && quick.digest == self.digest {
            return Repetition::Reproduced;
        }
        let Some(finding) = quick.found else {
            return Repetition::Fixed;
        };
        let again = play_turned(&self.plan, &self.turns, true);
        let lines = again.lines.unwrap_or_default();
        let (event, expected, happened) =
            first_difference(self.trace.as_bytes(), &lines).unwrap_or_default();
        Repetition::Diverged {
            event: event as u64,
            expected,
            happened,
            finding: Some(finding),
        }
    }
}
