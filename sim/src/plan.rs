//! A plan: everything one simulation will do, as data derived from a seed.
//!
//! Decides who does what and when, which links are cut and how long bytes travel. Leaves out how it is
//! done: the run carries a plan out, the plan never looks at a run. Small enough to paste into an issue.
//!
//! Always true: one seed and one size give one plan; cuts end within the workload.

use serde::{Deserialize, Serialize};

use crate::draw::Draw;

/// Fewest and most nodes of a simulation.
pub const NODES: std::ops::RangeInclusive<usize> = 2..=16;
/// Fewest and most clients of a simulation.
pub const CLIENTS: std::ops::RangeInclusive<usize> = 1..=16;

/// How long the clients are busy, in simulated milliseconds.
const WORKLOAD_MS: u64 = 24_000;
/// The schema is published at 0; documents follow from here.
const FIRST_STEP_MS: u64 = 500;
const DOCUMENTS_PER_CLIENT: usize = 3;
const STEPS_PER_CLIENT: std::ops::RangeInclusive<u64> = 10..=18;
const CUTS_MAX: u64 = 4;
const CUT_MS: std::ops::RangeInclusive<u64> = 500..=9_000;
/// An edit may come this much after the deletion it races with.
const RACE_MS: u64 = 1_000;
/// Counters of racing edits start here, so that their choices are not those of other steps.
const RACES: u64 = 1_000;
/// About as long as the requests of one step take.
const STEP_MS: u64 = 700;

/// Longest workload, latency and lists of a plan from outside.
const WORKLOAD_MS_MAX: u64 = 600_000;
const LATENCY_MS_MAX: u64 = 10_000;
const ITEMS_MAX: usize = 10_000;

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
    /// Not the JSON of a plan.
    #[error("the text is no plan: {0}")]
    Json(#[from] serde_json::Error),
    /// The workload is too long, the latency none or too long, or there are too many items.
    #[error("workload, latency or the number of items is out of bounds")]
    Bounds,
    /// The step of this number belongs to no client.
    #[error("step {0} belongs to no client of the plan")]
    Step(usize),
    /// The cut of this number is of no link, or ends before it begins or after the workload.
    #[error("cut {0} names no link of the plan, or its times are wrong")]
    Cut(usize),
}

/// What a simulation does, in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where every choice came from.
    pub seed: u64,
    /// Number of nodes, `node-0` onwards.
    pub nodes: usize,
    /// Number of clients, `client-0` onwards.
    pub clients: usize,
    /// After this the clients stop and all links heal, in simulated milliseconds.
    pub workload_ms: u64,
    /// Longest time a byte travels; each link draws its own latency below it every second.
    pub latency_max_ms: u64,
    /// What the clients do, each client in this order.
    pub steps: Vec<Step>,
    /// When which links are down.
    pub cuts: Vec<Cut>,
}

/// One thing a client does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Not before this moment.
    pub at_ms: u64,
    /// Number of the client, who talks to the node of the same number modulo their count.
    pub client: usize,
    /// What is done.
    pub action: Action,
}

/// What a step does. Documents are named by their place in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Publish the fields and the definition of the schema everybody uses.
    Schema,
    /// Create a document.
    Create { document: usize },
    /// Change one field of a document, whoever made it, as the client's node shows it.
    Update { document: usize, change: Change },
    /// Delete a document.
    Delete { document: usize },
}

/// The new value of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Field `title`, a string.
    Title(String),
    /// Field `count`, an integer.
    Count(i64),
    /// Field `done`, a boolean.
    Done(bool),
}

/// One link that is down for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Down from this moment …
    pub from_ms: u64,
    /// … until this one.
    pub until_ms: u64,
    /// What becomes of the bytes.
    pub kind: CutKind,
    /// One end, the one whose name sorts first.
    pub a: String,
    /// The other end.
    pub b: String,
}

/// What becomes of bytes on a link that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutKind {
    /// They arrive once the link is up again, as when TCP sends them again in time.
    Stall,
    /// They are lost, and with them the connections they belonged to.
    Loss,
}

/// The name of a node's host.
pub fn node_name(node: usize) -> String {
    format!("node-{node}")
}

/// The name of a client's host.
pub fn client_name(client: usize) -> String {
    format!("client-{client}")
}

impl Plan {
    /// The plan of `seed` at this size.
    ///
    /// # Errors
    ///
    /// When the counts lie outside [`NODES`] or [`CLIENTS`].
    pub fn derive(seed: u64, nodes: usize, clients: usize) -> Result<Self, PlanError> {
        check_size(nodes, clients)?;
        let draw = Draw::new(seed);
        let documents = clients * DOCUMENTS_PER_CLIENT;
        let mut steps = vec![Step {
            at_ms: 0,
            client: 0,
            action: Action::Schema,
        }];
        for client in 0..clients {
            steps.extend(client_steps(draw, client, clients, documents));
        }
        steps.extend(races(draw, clients, &steps));
        // Stable: what one client does stays in that client's order.
        steps.sort_by_key(|step| (step.at_ms, step.client));
        Ok(Self {
            seed,
            nodes,
            clients,
            workload_ms: WORKLOAD_MS,
            latency_max_ms: 5 + draw.below(120, "latency bound", 0, 0),
            cuts: cuts(draw, nodes, clients, &steps),
            steps,
        })
    }

    /// Reads a plan that was written as JSON, by whomever.
    ///
    /// # Errors
    ///
    /// When the text is no plan, or one that cannot be carried out in bounded time.
    pub fn parse(text: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(text)?;
        check_size(plan.nodes, plan.clients)?;
        let host = |name: &str| {
            (0..plan.nodes).any(|node| node_name(node) == name)
                || (0..plan.clients).any(|client| client_name(client) == name)
        };
        let in_bounds = plan.workload_ms <= WORKLOAD_MS_MAX
            && (1..=LATENCY_MS_MAX).contains(&plan.latency_max_ms)
            && plan.steps.len().max(plan.cuts.len()) <= ITEMS_MAX;
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
        let fits = |cut: &Cut| {
            let times = cut.from_ms < cut.until_ms && cut.until_ms <= plan.workload_ms;
            times && host(&cut.a) && host(&cut.b) && cut.a < cut.b
        };
        match plan.cuts.iter().position(|cut| !fits(cut)) {
            Some(nth) => Err(PlanError::Cut(nth)),
            None => Ok(plan),
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

/// Creates first, then a mix of updates and deletions of anybody's documents.
fn client_steps(draw: Draw, client: usize, clients: usize, documents: usize) -> Vec<Step> {
    let entity = client as u64;
    let own = (0..DOCUMENTS_PER_CLIENT).map(|nth| client + nth * clients);
    let mut steps: Vec<Step> = own
        .enumerate()
        .map(|(nth, document)| Step {
            at_ms: FIRST_STEP_MS + draw.below(1_500, "create at", entity, nth as u64),
            client,
            action: Action::Create { document },
        })
        .collect();
    for nth in 0..within(draw, &STEPS_PER_CLIENT, "steps", entity, 0) {
        let document = draw.below(documents as u64, "document", entity, nth);
        let document = usize::try_from(document).expect("documents are counted in a usize");
        // Deletions are rare, or little would be left to edit.
        let action = if draw.chance(10, "delete", entity, nth) {
            Action::Delete { document }
        } else {
            Action::Update {
                document,
                change: change(draw, entity, nth),
            }
        };
        let at_ms = 2_000 + draw.below(WORKLOAD_MS - 3_000, "step at", entity, nth);
        steps.push(Step {
            at_ms,
            client,
            action,
        });
    }
    steps.sort_by_key(|step| step.at_ms);
    steps
}

/// Edits by others of documents that are about to be deleted.
fn races(draw: Draw, clients: usize, steps: &[Step]) -> Vec<Step> {
    let race = |(nth, step): (usize, &Step)| {
        let Action::Delete { document } = step.action else {
            return None;
        };
        let nth = nth as u64;
        let client = (step.client + 1 + pick(draw, clients, "racer", 0, nth)) % clients;
        let change = change(draw, client as u64, RACES + nth);
        // Around the moment at which the deletion reaches the other client's node.
        let at_ms = step.at_ms + draw.below(RACE_MS, "race", 0, nth);
        let action = Action::Update { document, change };
        Some(Step {
            at_ms: at_ms.min(WORKLOAD_MS - 1),
            client,
            action,
        })
    };
    steps.iter().enumerate().filter_map(race).collect()
}

fn change(draw: Draw, client: u64, nth: u64) -> Change {
    match draw.below(3, "field", client, nth) {
        0 => Change::Title(format!("title {nth} by client {client}")),
        1 => {
            // The whole range and its ends: integers must survive every API on the way.
            let number = draw.number("count", client, nth).cast_signed();
            Change::Count(if draw.chance(20, "count extreme", client, nth) {
                i64::MIN
            } else {
                number
            })
        }
        _ => Change::Done(draw.chance(50, "done", client, nth)),
    }
}

/// Link cuts; each class of them is on or off for a whole seed.
fn cuts(draw: Draw, nodes: usize, clients: usize, steps: &[Step]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    if draw.chance(75, "cuts between nodes", 0, 0) {
        for nth in 0..1 + draw.below(CUTS_MAX, "node cuts", 0, 0) {
            let a = pick(draw, nodes, "cut end", 0, nth);
            let b = (a + 1 + pick(draw, nodes - 1, "cut end", 1, nth)) % nodes;
            cuts.push(cut(draw, "node cut", nth, node_name(a), node_name(b)));
        }
    }
    if draw.chance(50, "cuts of clients", 0, 0) {
        for nth in 0..1 + draw.below(CUTS_MAX, "client cuts", 0, 0) {
            let client = pick(draw, clients, "cut client", 0, nth);
            let (a, b) = (client_name(client), node_name(client % nodes));
            cuts.push(cut(draw, "client cut", nth, a, b));
        }
    }
    if draw.chance(60, "unknown outcomes", 0, 0) {
        for nth in 0..1 + draw.below(CUTS_MAX, "unknown outcomes", 1, 0) {
            let step = &steps[pick(draw, steps.len(), "unknown outcome", 0, nth)];
            cuts.push(cut_at(draw, nth, step, step.client % nodes));
        }
    }
    if draw.chance(30, "isolation", 0, 0) {
        let alone = pick(draw, nodes, "isolated", 0, 0);
        for other in (0..nodes).filter(|other| *other != alone) {
            // One purpose and counter for all of them: the links go down and up together.
            cuts.push(cut(
                draw,
                "isolation cut",
                0,
                node_name(alone),
                node_name(other),
            ));
        }
    }
    cuts.sort_by(|left, right| {
        (left.from_ms, &left.a, &left.b).cmp(&(right.from_ms, &right.a, &right.b))
    });
    cuts
}

/// A cut in the middle of a client's step, so that its request or the answer to it is on the way.
fn cut_at(draw: Draw, nth: u64, step: &Step, node: usize) -> Cut {
    let mut cut = cut(
        draw,
        "step cut",
        nth,
        client_name(step.client),
        node_name(node),
    );
    // The last steps may begin just before the workload ends.
    let from_ms = step.at_ms + draw.below(STEP_MS, "step cut", 3, nth);
    cut.from_ms = from_ms.min(WORKLOAD_MS - 1);
    cut.until_ms = WORKLOAD_MS.min(cut.from_ms + within(draw, &CUT_MS, "step cut", 0, nth));
    cut
}

fn cut(draw: Draw, purpose: &str, nth: u64, a: String, b: String) -> Cut {
    let length_ms = within(draw, &CUT_MS, purpose, 0, nth);
    let from_ms = draw.below(WORKLOAD_MS - length_ms, purpose, 1, nth);
    let stalls = draw.chance(50, purpose, 2, nth);
    let kind = if stalls {
        CutKind::Stall
    } else {
        CutKind::Loss
    };
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    Cut {
        from_ms,
        until_ms: from_ms + length_ms,
        kind,
        a,
        b,
    }
}

fn within(
    draw: Draw,
    range: &std::ops::RangeInclusive<u64>,
    purpose: &str,
    entity: u64,
    counter: u64,
) -> u64 {
    range.start() + draw.below(range.end() - range.start() + 1, purpose, entity, counter)
}

fn pick(draw: Draw, count: usize, purpose: &str, entity: u64, counter: u64) -> usize {
    let choice = draw.below(count as u64, purpose, entity, counter);
    usize::try_from(choice).expect("below a usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plans_hold_their_bounds(seed: u64, nodes in NODES, clients in CLIENTS) {
            let plan = Plan::derive(seed, nodes, clients).expect("within bounds");

            prop_assert!(plan.steps.is_sorted_by_key(|step| step.at_ms));
            prop_assert!(plan.steps.iter().all(|step| step.at_ms < plan.workload_ms));
            prop_assert!(plan.steps.iter().all(|step| step.client < clients));
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
                    .any(|step| matches!(step.action, Action::Delete { .. }))
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
        })));
        assert!(Plan::parse(b"{}").is_err());
    }
}
