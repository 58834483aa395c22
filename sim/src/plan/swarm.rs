//! Plans of profiles: which classes of trouble a seed has, how much of each, and how large the network is.
//!
//! Swarm testing: every class is on or off for a whole seed and its intensity is drawn too, for a network with
//! every kind of trouble at once hardly gets anywhere. Begins with the plan of [`derive`] and adds to it.
//!
//! Always true: one seed and one profile give one plan.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::derive::{change, derive};
use super::{Plan, Step, StepAction, Topology};
use crate::draw::Draw;
use crate::faults::mishaps::{Meddling, Mishap, Trick};

/// Counters of steps that profiles add, so that their choices are not those of other steps.
const HOT: u64 = 20_000;
const LATE_DELETES: u64 = 30_000;
/// A node is away for so long.
const AWAY_MS: std::ops::RangeInclusive<u64> = 200..=6_000;
/// How long the clients of a soak are busy.
const SOAK_MS: u64 = 300_000;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Nothing goes wrong.
    Calm,
    /// Slow, cut and meddled with links in networks of all shapes.
    Wan,
    /// Power losses, full disks, old backups, cloned disks.
    Disk,
    /// Nodes that come and go, clocks that are wrong.
    Churn,
    /// One key in several places.
    Forks,
    /// Hostile nodes.
    Byzantine,
    /// Deletions racing with everything.
    Deletion,
    /// A long time with some of everything.
    Soak,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Calm,
        Self::Wan,
        Self::Disk,
        Self::Churn,
        Self::Forks,
        Self::Byzantine,
        Self::Deletion,
        Self::Soak,
    ];
}

/// The plan of a seed.
pub(super) fn swarm(seed: u64, profile: Option<Profile>) -> Plan {
    let draw = Draw::new(seed);
    // A soak takes as long as a dozen others: it is only run when asked for.
    let short = Profile::ALL.len() - 1;
    let picked = Profile::ALL[draw.pick(short, "profile", 0, 0)];
    let profile = profile.unwrap_or(picked);
    let nodes = 2 + draw.pick(7, "nodes", 0, 0);
    let clients = 1 + draw.pick(5, "clients", 0, 0);
    let mut plan = derive(seed, nodes, clients);
    plan.profile = Some(profile);
    let swarm = Swarm { draw, nodes };
    swarm.shape(&mut plan, profile);
    if profile == Profile::Calm {
        plan.cuts.clear();
        plan.copies.clear();
    }
    if matches!(profile, Profile::Disk | Profile::Byzantine | Profile::Churn)
        && draw.chance(50, "no copies", 0, 0)
    {
        plan.copies.clear();
    }
    match profile {
        Profile::Calm | Profile::Forks => {}
        Profile::Wan => swarm.links(&mut plan),
        Profile::Disk => swarm.disks(&mut plan),
        Profile::Churn => swarm.churn(&mut plan),
        Profile::Byzantine => swarm.hostile(&mut plan),
        Profile::Deletion => swarm.deletions(&mut plan),
        Profile::Soak => swarm.soak(&mut plan),
    }
    if draw.chance(40, "hot document", 0, 0) {
        swarm.hot_document(&mut plan);
    }
    swarm.pins(&mut plan);
    plan.steps.sort_by_key(|step| (step.at_ms, step.client));
    plan
}

#[derive(Clone, Copy)]
struct Swarm {
    draw: Draw,
    nodes: usize,
}

impl Swarm {
    /// Who is connected to whom, and how far away they are.
    fn shape(self, plan: &mut Plan, profile: Profile) {
        let draw = self.draw;
        if draw.chance(40, "topology", 0, 0) || profile == Profile::Wan {
            let shapes = [
                Topology::Mesh,
                Topology::Ring,
                Topology::Line,
                Topology::Star,
                Topology::Tree,
            ];
            plan.topology = shapes[draw.pick(shapes.len(), "topology", 1, 0)];
        }
        if profile == Profile::Wan {
            plan.latency_max_ms = 50 + draw.below(900, "latency bound", 1, 0);
        }
        for (nth, cut) in plan.cuts.iter_mut().enumerate() {
            cut.one_way = draw.chance(25, "one way", 0, nth as u64);
        }
    }

    fn node(self, purpose: &str, nth: u64) -> usize {
        self.draw.pick(self.nodes, purpose, 1, nth)
    }

    /// A span within the workload.
    fn span(self, plan: &Plan, purpose: &str, nth: u64) -> (u64, u64) {
        let draw = self.draw;
        let long = draw.within(&AWAY_MS, purpose, 2, nth);
        let at_ms = draw.below(plan.workload_ms - long, purpose, 3, nth);
        (at_ms, at_ms + long)
    }

    /// How often a class happens in this seed: not at all, or a few times.
    fn times(self, percent: u64, most: u64, purpose: &str) -> u64 {
        let draw = self.draw;
        match draw.chance(percent, purpose, 0, 0) {
            true => 1 + draw.below(most, purpose, 0, 1),
            false => 0,
        }
    }

    fn links(self, plan: &mut Plan) {
        let draw = self.draw;
        for nth in 0..self.times(70, 5, "meddling") {
            let from = self.node("meddling", nth);
            let to = (from + 1 + draw.pick(self.nodes - 1, "meddling", 4, nth)) % self.nodes;
            let (at_ms, until_ms) = self.span(plan, "meddling", nth);
            let kinds = [
                Meddling::Drop,
                Meddling::Duplicate,
                Meddling::Delay,
                Meddling::Garble,
            ];
            plan.faults.push(Mishap::Messages {
                from,
                to,
                what: kinds[draw.pick(kinds.len(), "meddling", 5, nth)],
                percent: 1 + draw.below(60, "meddling", 6, nth),
                at_ms,
                until_ms,
            });
        }
        for nth in 0..self.times(70, 12, "reset") {
            let a = self.node("reset", nth);
            let b = (a + 1 + draw.pick(self.nodes - 1, "reset", 4, nth)) % self.nodes;
            let (at_ms, _) = self.span(plan, "reset", nth);
            plan.faults.push(Mishap::Reset { a, b, at_ms });
        }
    }

    fn disks(self, plan: &mut Plan) {
        let draw = self.draw;
        for nth in 0..self.times(80, 5, "crash") {
            let (at_ms, until_ms) = self.span(plan, "crash", nth);
            let node = self.node("crash", nth);
            plan.faults.push(Mishap::Crash {
                node,
                at_ms,
                until_ms,
            });
        }
        for nth in 0..self.times(50, 3, "disk full") {
            let (at_ms, until_ms) = self.span(plan, "disk full", nth);
            let node = self.node("disk full", nth);
            plan.faults.push(Mishap::DiskFull {
                node,
                at_ms,
                until_ms,
            });
        }
        for nth in 0..self.times(50, 2, "backup") {
            let (from_ms, at_ms) = self.span(plan, "backup", nth);
            let node = self.node("backup", nth);
            plan.faults.push(Mishap::Backup {
                node,
                from_ms,
                at_ms: at_ms.min(plan.workload_ms - 1),
            });
        }
        for nth in 0..self.times(40, 2, "clone") {
            let of = self.node("clone", nth);
            let node = (of + 1 + draw.pick(self.nodes - 1, "clone", 4, nth)) % self.nodes;
            let (at_ms, _) = self.span(plan, "clone", nth);
            plan.faults.push(Mishap::CloneDisk { node, of, at_ms });
        }
    }

    fn churn(self, plan: &mut Plan) {
        let draw = self.draw;
        for nth in 0..self.times(80, 8, "stop") {
            let (at_ms, until_ms) = self.span(plan, "stop", nth);
            let node = self.node("stop", nth);
            plan.faults.push(match draw.below(3, "stop", 4, nth) {
                0 => Mishap::Stop {
                    node,
                    at_ms,
                    until_ms,
                },
                1 => Mishap::Crash {
                    node,
                    at_ms,
                    until_ms,
                },
                _ => Mishap::Pause {
                    node,
                    at_ms,
                    until_ms,
                },
            });
        }
        for nth in 0..self.times(30, 2, "storm") {
            let times = 2 + draw.below(8, "storm", 4, nth);
            let gap_ms = 100 + draw.below(900, "storm", 5, nth);
            let room = plan.workload_ms - times * gap_ms;
            plan.faults.push(Mishap::Storm {
                node: self.node("storm", nth),
                at_ms: draw.below(room, "storm", 6, nth),
                times,
                gap_ms,
            });
        }
        for nth in 0..self.times(60, 4, "clock") {
            let (at_ms, _) = self.span(plan, "clock", nth);
            let offset_ms = draw.below(240_000, "clock", 4, nth).cast_signed() - 120_000;
            let drift_ppm = draw.below(40_000, "clock", 5, nth).cast_signed() - 20_000;
            plan.faults.push(Mishap::Clock {
                node: self.node("clock", nth),
                at_ms,
                offset_ms,
                drift_ppm,
            });
        }
    }

    fn hostile(self, plan: &mut Plan) {
        let draw = self.draw;
        if self.nodes < 3 {
            return;
        }
        // At least two honest nodes are left, who are connected with each other.
        plan.topology = Topology::Mesh;
        let count = 1 + draw.pick(2, "hostile", 0, 0).min(self.nodes - 3);
        let first = draw.pick(self.nodes, "hostile", 1, 0);
        for nth in 0..count {
            let tricks = Trick::ALL.iter().enumerate().filter(|(number, _)| {
                let entity = (nth * Trick::ALL.len() + number) as u64;
                draw.chance(30, "trick", entity, 0)
            });
            plan.faults.push(Mishap::Hostile {
                node: (first + nth) % self.nodes,
                tricks: tricks.map(|(_, trick)| *trick).collect(),
                percent: 5 + draw.below(90, "hostile", 2, nth as u64),
            });
        }
    }

    /// Most documents are deleted, and edited by others around that moment.
    fn deletions(self, plan: &mut Plan) {
        let draw = self.draw;
        let documents = plan
            .steps
            .iter()
            .filter_map(|step| step.action.document())
            .max()
            .map_or(0, |last| last + 1);
        let mut added = Vec::new();
        for document in 0..documents {
            let nth = LATE_DELETES + document as u64;
            if !draw.chance(70, "late delete", 0, nth) {
                continue;
            }
            let at_ms = 3_000 + draw.below(plan.workload_ms - 6_000, "late delete", 1, nth);
            let client = draw.pick(plan.clients, "late delete", 2, nth);
            let action = StepAction::Delete { document };
            added.push(Step {
                at_ms,
                client,
                action,
            });
            for race in 0..draw.below(3, "late race", 0, nth) {
                let client = draw.pick(plan.clients, "late race", 1 + race, nth);
                let around = draw.below(3_000, "late race", 10 + race, nth);
                let change = change(draw, client as u64, nth * 8 + race);
                added.push(Step {
                    at_ms: (at_ms + around).saturating_sub(1_000),
                    client,
                    action: StepAction::Update { document, change },
                });
            }
        }
        plan.steps.extend(added);
        if draw.chance(40, "deletion and crashes", 0, 0) {
            self.churn(plan);
        }
    }

    /// Everything for a long time: the workload is repeated at later times.
    fn soak(self, plan: &mut Plan) {
        let (once, long) = (plan.steps.clone(), plan.workload_ms);
        plan.workload_ms = SOAK_MS;
        for round in 1..SOAK_MS / long {
            let edits = once.iter().filter(|step| {
                !matches!(
                    step.action,
                    StepAction::Schema {} | StepAction::Create { .. }
                )
            });
            plan.steps.extend(edits.cloned().map(|mut step| {
                step.at_ms += round * long;
                step
            }));
        }
        self.links(plan);
        self.disks(plan);
        self.churn(plan);
    }

    /// Everybody edits one document.
    fn hot_document(self, plan: &mut Plan) {
        let draw = self.draw;
        for nth in 0..20 {
            let client = draw.pick(plan.clients, "hot client", 0, nth);
            let change = change(draw, client as u64, HOT + nth);
            plan.steps.push(Step {
                at_ms: 2_000 + draw.below(plan.workload_ms - 3_000, "hot at", 0, nth),
                client,
                action: StepAction::Update {
                    document: 0,
                    change,
                },
            });
        }
    }

    fn pins(self, plan: &mut Plan) {
        let draw = self.draw;
        for nth in 0..4 {
            let client = draw.pick(plan.clients, "pin", 0, nth);
            let document = draw.pick(plan.clients * 3, "pin", 1, nth);
            plan.steps.push(Step {
                at_ms: 2_000 + draw.below(plan.workload_ms - 3_000, "pin", 2, nth),
                client,
                action: StepAction::Pin { document },
            });
        }
    }
}
