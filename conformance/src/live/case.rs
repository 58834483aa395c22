//! What a live case is: what it asks, of whom, by which rules, and what it may do to a node.

use super::Wrong;
use super::doors::Need;
use super::under_test::NodeUnderTest;
use crate::suite::{Hazard, Level};

/// The profiles, in the order in which they are shown.
pub const PROFILES: [&str; 10] = [
    "core",
    "jsonrpc",
    "graphql",
    "query",
    "blobs",
    "replication",
    "deletion",
    "forks",
    "relay",
    "client",
];

/// A case as it stands in a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveCheck {
    pub id: &'static str,
    pub title: &'static str,
    pub run: fn(&mut NodeUnderTest) -> Result<(), Wrong>,
    requires: &'static [&'static str],
    ruling: Option<&'static str>,
    needs: &'static [Need],
    hazard: Hazard,
    level: Level,
}

/// A case that needs no more than a door to publish through.
pub(crate) const fn check(
    id: &'static str,
    title: &'static str,
    run: fn(&mut NodeUnderTest) -> Result<(), Wrong>,
) -> LiveCheck {
    LiveCheck {
        id,
        title,
        run,
        requires: &[],
        ruling: None,
        needs: &[Need::Publishing],
        hazard: Hazard::None,
        level: Level::Must,
    }
}

impl LiveCheck {
    /// The requirements it turns on.
    pub(crate) const fn requires(mut self, requires: &'static [&'static str]) -> Self {
        self.requires = requires;
        self
    }

    /// The ruling it turns on: the rulesets may differ.
    pub(crate) const fn ruled(mut self, ruling: &'static str) -> Self {
        self.ruling = Some(ruling);
        self
    }

    /// The doors it goes through.
    pub(crate) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// What it was seen to do to deployed nodes.
    pub(crate) const fn hazard(mut self, hazard: Hazard) -> Self {
        self.hazard = hazard;
        self
    }

    /// The case in a profile.
    pub(crate) fn in_profile(&self, profile: &'static str) -> Case<'static> {
        let run = self.run;
        Case {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            profile,
            requires: self.requires.iter().map(|&id| id.to_owned()).collect(),
            ruling: self.ruling.map(str::to_owned),
            level: self.level,
            needs: self.needs.to_vec(),
            hazard: self.hazard,
            run: Box::new(run),
        }
    }
}

pub(super) type RunCase<'s> = dyn Fn(&mut NodeUnderTest) -> Result<(), Wrong> + 's;

/// A case about to be run, from a table or made of a vector.
pub struct Case<'s> {
    pub id: String,
    pub title: String,
    pub profile: &'static str,
    pub requires: Vec<String>,
    pub ruling: Option<String>,
    pub level: Level,
    pub needs: Vec<Need>,
    pub hazard: Hazard,
    pub(super) run: Box<RunCase<'s>>,
}

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Case").field(&self.id).finish()
    }
}
