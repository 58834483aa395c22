//! The plan of a seed: what the clients do, and what goes wrong meanwhile.
//!
//! Always true: one seed and one size give one plan.

use super::{Change, Plan, Step, StepAction, Topology};
use crate::draw::Draw;
use crate::faults::copies::copies;
use crate::faults::cuts::Scene;

/// How long the clients are busy, in simulated milliseconds.
const WORKLOAD_MS: u64 = 24_000;
/// The schema is published at 0; documents follow from here.
const FIRST_STEP_MS: u64 = 500;
const DOCUMENTS_PER_CLIENT: usize = 3;
const STEPS_PER_CLIENT: std::ops::RangeInclusive<u64> = 10..=18;
/// An edit may come this much after the deletion it races with.
const RACE_MS: u64 = 1_000;
/// Counters of racing edits start here, so that their choices are not those of other steps.
const RACES: u64 = 1_000;
/// And those of changes at once.
const TOGETHER: u64 = 10_000;

/// The plan of `seed`, for a size that was checked.
pub(super) fn derive(seed: u64, nodes: usize, clients: usize) -> Plan {
    let draw = Draw::new(seed);
    let documents = clients * DOCUMENTS_PER_CLIENT;
    let mut steps = vec![Step {
        at_ms: 0,
        client: 0,
        action: StepAction::Schema {},
    }];
    for client in 0..clients {
        steps.extend(client_steps(draw, client, clients, documents));
    }
    steps.extend(races(draw, clients, &steps));
    steps.extend(together(draw, clients, documents));
    // Stable: what one client does stays in that client's order.
    steps.sort_by_key(|step| (step.at_ms, step.client));
    let busy: Vec<_> = steps.iter().map(|step| (step.at_ms, step.client)).collect();
    let scene = Scene {
        draw,
        nodes,
        clients,
        busy: &busy,
        workload_ms: WORKLOAD_MS,
    };
    Plan {
        seed,
        nodes,
        clients,
        profile: None,
        topology: Topology::Mesh,
        workload_ms: WORKLOAD_MS,
        latency_max_ms: 5 + draw.below(120, "latency bound", 0, 0),
        cuts: scene.cuts(),
        copies: copies(draw, nodes, clients, WORKLOAD_MS),
        steps,
        faults: Vec::new(),
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
            action: StepAction::Create { document },
        })
        .collect();
    for nth in 0..draw.within(&STEPS_PER_CLIENT, "steps", entity, 0) {
        let document = draw.pick(documents, "document", entity, nth);
        // Deletions are rare, or little would be left to edit.
        let action = if draw.chance(10, "delete", entity, nth) {
            StepAction::Delete { document }
        } else {
            StepAction::Update {
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
        let StepAction::Delete { document } = step.action else {
            return None;
        };
        let nth = nth as u64;
        let client = (step.client + 1 + draw.pick(clients, "racer", 0, nth)) % clients;
        let change = change(draw, client as u64, RACES + nth);
        // Around the moment at which the deletion reaches the other client's node.
        let at_ms = step.at_ms + draw.below(RACE_MS, "race", 0, nth);
        let action = StepAction::Update { document, change };
        Some(Step {
            at_ms: at_ms.min(WORKLOAD_MS - 1),
            client,
            action,
        })
    };
    steps.iter().enumerate().filter_map(race).collect()
}

/// Changes at once by one key, on or off for a whole seed.
fn together(draw: Draw, clients: usize, documents: usize) -> Vec<Step> {
    if !draw.chance(40, "together", 0, 0) {
        return Vec::new();
    }
    let step = |nth: u64| {
        let client = draw.pick(clients, "together client", 0, nth);
        let document = draw.pick(documents, "together document", 0, nth);
        let count = draw.within(&(2..=4), "together count", 0, nth);
        let changes =
            (0..count).map(|number| change(draw, client as u64, TOGETHER + 16 * nth + number));
        Step {
            at_ms: 2_000 + draw.below(WORKLOAD_MS - 3_000, "together at", 0, nth),
            client,
            action: StepAction::Together {
                document,
                changes: changes.collect(),
            },
        }
    };
    (0..draw.within(&(1..=4), "together steps", 0, 0))
        .map(step)
        .collect()
}

pub(super) fn change(draw: Draw, client: u64, nth: u64) -> Change {
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
