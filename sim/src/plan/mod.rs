//! A plan: everything one simulation will do, as data derived from a seed.
//!
//! Decides who does what and when, which links are cut and how long bytes travel. Leaves out how it is
//! done: the run carries a plan out, the plan never looks at a run. Small enough to paste into an issue.
//!
//! Always true: one seed and one size give one plan; cuts end within the workload.

mod derive;
mod swarm;

use serde::{Deserialize, Serialize};

use crate::faults::copies::Copy;
use crate::faults::cuts::Cut;
use crate::faults::mishaps::Mishap;
use crate::hosts::{CLIENTS, NODES, client_name, node_name};

pub use swarm::Profile;

/// Longest workload, latency and lists of a plan from outside.
const WORKLOAD_MS_MAX: u64 = 600_000;
const LATENCY_MS_MAX: u64 = 10_000;
const ITEMS_MAX: usize = 10_000;
/// Most changes at once.
const TOGETHER_MAX: usize = 16;

/// Why a plan cannot be carried out. (Caller)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Too few or too many hosts.
    #[error("{what} must be within {min} and {max}")]
    Size {
        what: &'static str,
        min: usize,
        max: usize,
    },
    /// Not the TOML of a plan.
    #[error("the text is no plan: {0}")]
    Toml(#[from] toml::de::Error),
    /// Not the JSON of a plan.
    #[error("the text is no plan: {0}")]
    Json(#[from] serde_json::Error),
    /// The workload is too long, the latency none or too long, or there are too many items.
    #[error("workload, latency or the number of items is out of bounds")]
    Bounds,
    /// The step of this number belongs to no client.
    #[error("step {0} belongs to no client of the plan")]
    Step(usize),
    /// The copy of this number is of no client or node, or taken before it is made or after the workload.
    #[error("copy {0} names no client or node of the plan, or its times are wrong")]
    Copy(usize),
    /// The fault of this number names no node of the plan, or its times are wrong.
    #[error("fault {0} names no node of the plan, or its times are wrong")]
    Mishap(usize),
    /// Only the fast engine knows what the plan asks for.
    #[error("only the fast engine carries out {0}")]
    FastOnly(&'static str),
    /// The cut of this number is of no link, or ends before it begins or after the workload.
    #[error("cut {0} names no link of the plan, or its times are wrong")]
    Cut(usize),
}

/// What a simulation does, in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where every choice came from.
    #[serde(with = "crate::decimal")]
    pub seed: u64,
    /// Number of nodes, `node-0` onwards.
    pub nodes: usize,
    /// Number of clients, `client-0` onwards.
    pub clients: usize,
    /// What kind of trouble it was drawn for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Who is connected to whom.
    #[serde(default, skip_serializing_if = "Topology::is_mesh")]
    pub topology: Topology,
    /// After this the clients stop and all links heal, in simulated milliseconds.
    pub workload_ms: u64,
    /// Longest time a byte travels; each link draws its own latency below it every second.
    pub latency_max_ms: u64,
    /// What the clients do, each client in this order.
    pub steps: Vec<Step>,
    /// When which links are down.
    pub cuts: Vec<Cut>,
    /// Which clients go on from a copy, in the order of the moments at which they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copy>,
    /// What else goes wrong; the fast engine alone can do that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Mishap>,
}

/// Who is connected to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Everybody to everybody.
    #[default]
    Mesh,
    /// Each to the next, and the last one to the first.
    Ring,
    /// Each to the next.
    Line,
    /// All to the first.
    Star,
    /// Each to the next, and to the one whose number is half or twice as much.
    Tree,
}

impl Topology {
    fn is_mesh(&self) -> bool {
        *self == Self::Mesh
    }

    /// Whether two of `nodes` nodes are connected.
    pub fn joins(self, nodes: usize, a: usize, b: usize) -> bool {
        let (low, high) = (a.min(b), a.max(b));
        if low == high || high >= nodes {
            return false;
        }
        match self {
            Self::Mesh => true,
            Self::Ring => high - low == 1 || (low == 0 && high == nodes - 1),
            Self::Line => high - low == 1,
            Self::Star => low == 0,
            Self::Tree => (high - 1) / 2 == low || high - low == 1,
        }
    }
}

/// One thing a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Not before this moment.
    pub at_ms: u64,
    /// Number of the client, who talks to the node of the same number modulo their count.
    pub client: usize,
    /// What is done.
    pub action: StepAction,
}

/// What a step does. Documents are named by their place in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum StepAction {
    /// Publish the fields and the definition of the schema everybody uses.
    Schema {},
    /// Create a document.
    Create { document: usize },
    /// Change one field of a document, whoever made it, as the client's node shows it.
    Update { document: usize, change: Change },
    /// Change a document several times at once with the same key, as from several windows.
    Together {
        document: usize,
        changes: Vec<Change>,
    },
    /// Delete a document.
    Delete { document: usize },
    /// Remember a document as the client's node shows it now: that view must go on to be answered.
    Pin { document: usize },
}

impl Step {
    fn is_bounded(&self) -> bool {
        match &self.action {
            StepAction::Together { changes, .. } => (1..=TOGETHER_MAX).contains(&changes.len()),
            _ => true,
        }
    }
}

impl StepAction {
    /// The document it is about.
    pub fn document(&self) -> Option<usize> {
        match self {
            Self::Schema {} => None,
            Self::Create { document }
            | Self::Update { document, .. }
            | Self::Together { document, .. }
            | Self::Pin { document }
            | Self::Delete { document } => Some(*document),
        }
    }
}

/// The new value of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Field `title`, a string.
    Title(String),
    /// Field `count`, an integer.
    Count(#[serde(with = "crate::decimal")] i64),
    /// Field `done`, a boolean.
    Done(bool),
}

impl Plan {
    /// The plan of `seed` at this size.
    ///
    /// # Errors
    ///
    /// When the counts lie outside [`NODES`] or [`CLIENTS`].
    pub fn derive(seed: u64, nodes: usize, clients: usize) -> Result<Self, PlanError> {
        check_size(nodes, clients)?;
        Ok(derive::derive(seed, nodes, clients))
    }

    /// The plan of `seed` in the manner of a profile, or of one that the seed picks, of any size.
    pub fn swarm(seed: u64, profile: Option<Profile>) -> Self {
        swarm::swarm(seed, profile)
    }

    /// Reads a plan that was written as JSON or TOML, by whomever.
    ///
    /// # Errors
    ///
    /// When the text is no plan, or one that cannot be carried out in bounded time.
    pub fn parse(text: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = match text.trim_ascii_start().first() {
            Some(b'{') | None => serde_json::from_slice(text)?,
            Some(_) => toml::from_slice(text)?,
        };
        plan.checked()
    }

    /// The plan, if it can be carried out in bounded time.
    ///
    /// # Errors
    ///
    /// When it names what is not there, or asks for too much.
    pub fn checked(self) -> Result<Self, PlanError> {
        let plan = self;
        check_size(plan.nodes, plan.clients)?;
        let host = |name: &str| {
            (0..plan.nodes).any(|node| node_name(node) == name)
                || (0..plan.clients).any(|client| client_name(client) == name)
        };
        let in_bounds = plan.workload_ms <= WORKLOAD_MS_MAX
            && (1..=LATENCY_MS_MAX).contains(&plan.latency_max_ms)
            && [
                plan.steps.len(),
                plan.cuts.len(),
                plan.copies.len(),
                plan.faults.len(),
            ]
            .iter()
            .all(|count| *count <= ITEMS_MAX)
            && plan.steps.iter().all(Step::is_bounded);
        if !in_bounds {
            return Err(PlanError::Bounds);
        }
        if let Some(nth) = plan
            .steps
            .iter()
            .position(|step| step.client >= plan.clients)
        {
            return Err(PlanError::Step(nth));
        }
        let sound = |copy: &Copy| {
            copy.client.max(copy.of) < plan.clients
                && copy.node < plan.nodes
                && copy.from_ms <= copy.at_ms
                && copy.at_ms < plan.workload_ms
        };
        if let Some(nth) = plan.copies.iter().position(|copy| !sound(copy)) {
            return Err(PlanError::Copy(nth));
        }
        let (nodes, workload_ms) = (plan.nodes, plan.workload_ms);
        let mishaps = &mut plan.faults.iter();
        if let Some(nth) = mishaps.position(|mishap| !mishap.fits(nodes, workload_ms)) {
            return Err(PlanError::Mishap(nth));
        }
        let fits = |cut: &Cut| {
            let times = cut.from_ms < cut.until_ms && cut.until_ms <= plan.workload_ms;
            times && host(&cut.a) && host(&cut.b) && cut.a < cut.b
        };
        match plan.cuts.iter().position(|cut| !fits(cut)) {
            Some(nth) => Err(PlanError::Cut(nth)),
            None => Ok(plan),
        }
    }

    /// Whether the full engine can carry it out too.
    ///
    /// # Errors
    ///
    /// With what it can't do.
    pub fn check_for_full(&self) -> Result<(), PlanError> {
        let pins = |step: &Step| matches!(step.action, StepAction::Pin { .. });
        let wants = [
            (!self.faults.is_empty(), "faults"),
            (!self.topology.is_mesh(), "topologies"),
            (self.cuts.iter().any(|cut| cut.one_way), "one-way cuts"),
            (self.steps.iter().any(pins), "pins"),
        ];
        match wants.iter().find(|(is_wanted, _)| *is_wanted) {
            Some((_, what)) => Err(PlanError::FastOnly(what)),
            None => Ok(()),
        }
    }

    /// The node a client publishes to and reads from.
    pub fn home(&self, client: usize) -> usize {
        client % self.nodes
    }
}

fn check_size(nodes: usize, clients: usize) -> Result<(), PlanError> {
    for (what, count, range) in [("nodes", nodes, NODES), ("clients", clients, CLIENTS)] {
        if !range.contains(&count) {
            let (min, max) = (*range.start(), *range.end());
            return Err(PlanError::Size { what, min, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::cuts::CutKind;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plans_hold_their_bounds(seed: u64, nodes in NODES, clients in CLIENTS) {
            let plan = Plan::derive(seed, nodes, clients).expect("within bounds");

            prop_assert!(plan.steps.is_sorted_by_key(|step| step.at_ms));
            prop_assert!(plan.steps.iter().all(|step| step.at_ms < plan.workload_ms));
            prop_assert!(plan.steps.iter().all(|step| step.client < clients));
            let text = serde_json::to_vec(&plan).expect("serialises");
            prop_assert_eq!(&Plan::parse(&text).expect("is sound"), &plan);
            prop_assert!(plan.cuts.iter().all(|cut| cut.a < cut.b));
            prop_assert!(plan.cuts.iter().all(|cut| cut.from_ms < cut.until_ms));
            prop_assert!(plan.cuts.iter().all(|cut| cut.until_ms <= plan.workload_ms));
        }
    }

    #[test]
    fn a_cut_in_the_last_step_ends_with_the_workload() {
        let plan = Plan::derive(540_602_467_756_896_322, 2, 2).expect("within bounds");

        assert!(plan.cuts.iter().all(|cut| cut.from_ms < cut.until_ms));
    }

    #[test]
    fn plan_survives_its_json() {
        let plan = Plan::derive(42, 4, 3).expect("within bounds");

        let text = serde_json::to_string(&plan).expect("serialises");

        assert_eq!(Plan::parse(text.as_bytes()).expect("reads back"), plan);
        assert!(text.len() < 8_000, "{} bytes do not paste well", text.len());
    }

    #[test]
    fn seeds_differ_and_fault_classes_switch() {
        let plans: Vec<Plan> = (0..100)
            .filter_map(|seed| Plan::derive(seed, 4, 3).ok())
            .collect();
        let without_cuts = plans.iter().filter(|plan| plan.cuts.is_empty()).count();
        let with_deletes = plans
            .iter()
            .filter(|plan| {
                plan.steps
                    .iter()
                    .any(|step| matches!(step.action, StepAction::Delete { .. }))
            })
            .count();

        assert_ne!(plans[0].steps, plans[1].steps);
        assert!((2..40).contains(&without_cuts), "{without_cuts}");
        assert!(with_deletes > 80, "{with_deletes}");
    }

    #[test]
    fn plans_that_cannot_be_carried_out_are_refused() {
        let refused = |spoil: &dyn Fn(&mut Plan)| {
            let mut plan = Plan::derive(1, 4, 3).expect("within bounds");
            spoil(&mut plan);
            Plan::parse(&serde_json::to_vec(&plan).expect("serialises")).is_err()
        };

        assert!(!refused(&|_| {}));
        assert!(refused(&|plan| plan.nodes = 1));
        assert!(refused(&|plan| plan.clients = 17));
        assert!(refused(&|plan| plan.workload_ms = WORKLOAD_MS_MAX + 1));
        assert!(refused(&|plan| plan.latency_max_ms = 0));
        assert!(refused(&|plan| plan.steps[3].client = 3));
        assert!(refused(&|plan| plan.cuts.push(Cut {
            from_ms: 0,
            until_ms: 1,
            kind: CutKind::Stall,
            a: node_name(0),
            b: node_name(4),
            one_way: false
        })));
        assert!(refused(&|plan| plan.copies.push(Copy {
            client: 0,
            of: 3,
            from_ms: 0,
            at_ms: 0,
            node: 0,
        })));
        assert!(refused(&|plan| plan.copies.push(Copy {
            client: 0,
            of: 0,
            from_ms: 2,
            at_ms: 1,
            node: 0,
        })));
        assert!(refused(&|plan| plan.steps[0].action =
            StepAction::Together {
                document: 0,
                changes: Vec::new(),
            }));
        assert!(Plan::parse(b"{}").is_err());
    }

    #[test]
    fn other_members_and_other_spellings_of_numbers_are_refused() {
        let plan = Plan::derive(u64::MAX, 2, 1).expect("within bounds");
        let text = serde_json::to_string(&plan).expect("serialises");
        let seed = r#""seed":"18446744073709551615""#;
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Plan::parse(text.replacen(from, to, 1).as_bytes()).is_err()
        };

        // Such a number has come through a program that keeps 53 bits, and is another one now.
        assert!(refused(seed, r#""seed":18446744073709552000"#));
        assert!(refused(seed, r#""seed":"018446744073709551615""#));
        assert!(refused(seed, r#""seed":"18446744073709551616""#));
        assert!(refused(seed, r#""seed":"1","sead":"2""#));
        assert!(refused(r#""at_ms":0"#, r#""at_ms":0,"at_us":0"#));
        assert!(refused(
            r#""action":"schema""#,
            r#""action":"schema","document":1"#
        ));
    }
}
