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
    /// # Panics
    ///
    /// When the counts lie outside [`NODES`] or [`CLIENTS`].
    pub fn derive(seed: u64, nodes: usize, clients: usize) -> Self {
        assert!(
            NODES.contains(&nodes) && CLIENTS.contains(&clients),
            "checked with the arguments"
        );
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
        // Stable: what one client does stays in that client's order.
        steps.sort_by_key(|step| (step.at_ms, step.client));
        Self {
            seed,
            nodes,
            clients,
            workload_ms: WORKLOAD_MS,
            latency_max_ms: 5 + draw.below(120, "latency bound", 0, 0),
            steps,
            cuts: cuts(draw, nodes, clients),
        }
    }

    /// The node a client publishes to and reads from.
    pub fn home(&self, client: usize) -> usize {
        client % self.nodes
    }
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
fn cuts(draw: Draw, nodes: usize, clients: usize) -> Vec<Cut> {
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
            let plan = Plan::derive(seed, nodes, clients);

            prop_assert!(plan.steps.is_sorted_by_key(|step| step.at_ms));
            prop_assert!(plan.steps.iter().all(|step| step.at_ms < plan.workload_ms));
            prop_assert!(plan.steps.iter().all(|step| step.client < clients));
            prop_assert!(plan.cuts.iter().all(|cut| cut.a < cut.b));
            prop_assert!(plan.cuts.iter().all(|cut| cut.from_ms < cut.until_ms));
            prop_assert!(plan.cuts.iter().all(|cut| cut.until_ms <= plan.workload_ms));
        }
    }

    #[test]
    fn plan_survives_its_json() {
        let plan = Plan::derive(42, 4, 3);

        let text = serde_json::to_string(&plan).expect("serialises");

        assert_eq!(
            serde_json::from_str::<Plan>(&text).expect("reads back"),
            plan
        );
        assert!(text.len() < 8_000, "{} bytes do not paste well", text.len());
    }

    #[test]
    fn seeds_differ_and_fault_classes_switch() {
        let plans: Vec<Plan> = (0..100).map(|seed| Plan::derive(seed, 4, 3)).collect();
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
}
