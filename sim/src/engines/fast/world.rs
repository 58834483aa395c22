//! The simulated world of the fast engine: its state, and one step after the other.
//!
//! A run has the phases of the full engine: *busy* while the clients work and things go wrong, *settling* until
//! all honest nodes hold the same, *quiet* to see that nobody has more to say, *judged*. The first violation ends
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grove_core::types::{DocumentId, Hash, Keyring, OperationId, Schema};
use grove_core::validate::SignedEntry;
use grove_node::store::StoreError;

use super::client::FastClient;
use super::connection::{Connection, FastCut, Wiring};
use super::dice::Dice;
use super::event::{Call, Event, Queue};
use super::forger::Forger;
use super::node::{FastNode, Hostile};
use super::probes::{Probe, Probes};
use super::tape::{Kind, Tape};
use super::time::{MS, SECOND};
use crate::evidence::{Drawn, Finding, Violation};
use crate::faults::mishaps::Mishap;
use crate::hosts::{client_name, node_name};
use crate::invariants::pins::Pin;
use crate::ledger::Known;
use crate::plan::Plan;
use crate::report::Counts;
use crate::trace::{self, Digest};

/// The host of what happens to nobody in particular.
const NETWORK: usize = u32::MAX as usize;

/// How long after the workload clients may still wait for their last answers.
const CLIENTS_LIMIT_S: u64 = 120;
/// How long the healed nodes may take until they hold the same entries.
const SETTLE_LIMIT_S: u64 = 150;
/// How long the last sessions may go on once that is so.
const EBB_S: u64 = 5;
/// How long nodes must then have nothing to say.
const QUIET_S: u64 = 12;
/// A run with more events than this goes in circles.
const EVENTS_MAX: u64 = 20_000_000;

/// The stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Busy,
    Finishing,
    Settling { until: u64 },
    Ebbing { until: u64 },
    Quiet { until: u64, before: u64 },
    Over,
}

/// The simulated world.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(super) plan: Rc<Plan>,
    pub(super) dice: Dice,
    /// Microseconds since the start.
    pub(super) now: u64,
    pub(super) queue: Queue,
    steps: u64,
    pub(super) tape: Tape,
    pub(super) nodes: Vec<FastNode>,
    pub(super) clients: Vec<FastClient>,
    pub(super) connections: Vec<Connection>,
    pub(super) cuts: Rc<[FastCut]>,
    pub(super) wiring: Wiring,
    /// Everything is whole from now on.
    pub(super) healed: bool,
    pub(super) phase: Phase,
    /// What was signed in this run.
    pub(super) known: Known,
    /// Signatures that were found to hold: the check always says the same of the same bytes.
    pub(super) verified: BTreeMap<Hash, Rc<SignedEntry>>,
    pub(super) keyring: Keyring,
    pub(super) schema: Option<Schema>,
    pub(super) documents: BTreeMap<usize, DocumentId>,
    /// Documents that were deleted.
    pub(super) gone: BTreeSet<usize>,
    /// What clients were told is published: by whom, at which node.
    pub(super) acknowledged: BTreeMap<OperationId, (usize, usize)>,
    /// What went with a disk before anybody else had it.
    pub(super) lost: BTreeSet<OperationId>,
    pub(super) requests: BTreeMap<u64, Call>,
    pub(super) next_request: u64,
    pub(super) backups: BTreeMap<usize, grove_node::store::MemoryDisk>,
    pub(super) forgers: BTreeMap<usize, Forger>,
    pub(super) pins: Vec<Pin>,
    pub(super) counts: Counts,
    pub(super) probes: Probes,
    /// Probes that fired for the first time in the last step.
    pub(super) fresh: Vec<Probe>,
    pub(super) violation: Option<Finding>,
    /// Messages of replication between honest nodes.
    pub(super) honest_messages: u64,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub found: Option<Finding>,
    pub counts: Counts,
    pub digest: Digest,
    pub meaning: String,
    pub simulated_us: u64,
    pub probes: Probes,
    pub lines: Option<Vec<u8>>,
    pub drawn: Vec<Drawn>,
}

impl World {
    /// The world at its beginning: empty nodes, clients about to start.
    pub(crate) fn build(plan: &Plan, keep_lines: bool) -> Result<Self, StoreError> {
        let nodes = (0..plan.nodes).map(FastNode::new);
        let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        for mishap in &plan.faults {
            if let Mishap::Hostile {
                node,
                tricks,
                percent,
            } = mishap
            {
                nodes[*node].hostile = Some(Hostile {
                    tricks: tricks.clone(),
                    percent: *percent,
                });
            }
        }
        let mut world = Self {
            dice: Dice::new(plan.seed),
            now: 0,
            queue: Queue::default(),
            steps: 0,
            tape: Tape::new(keep_lines),
            nodes,
            clients: (0..plan.clients)
                .map(|client| FastClient::new(client, plan))
                .collect(),
            connections: Vec::new(),
            cuts: FastCut::of(plan).into(),
            wiring: Wiring::of(plan),
            healed: false,
            phase: Phase::Busy,
            known: Known::new(),
            verified: BTreeMap::new(),
            keyring: Keyring::default(),
            schema: None,
            documents: BTreeMap::new(),
            gone: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            lost: BTreeSet::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            backups: BTreeMap::new(),
            forgers: BTreeMap::new(),
            pins: Vec::new(),
            counts: Counts::default(),
            probes: Probes::default(),
            fresh: Vec::new(),
            violation: None,
            honest_messages: 0,
            plan: Rc::new(plan.clone()),
        };
        world.begin();
        Ok(world)
    }

    fn begin(&mut self) {
        self.told("busy");
        for cut in 0..self.cuts.len() {
            self.queue.plan(self.cuts[cut].until, Event::Healed { cut });
        }
        self.plan_mishaps();
        for node in 0..self.nodes.len() {
            self.want_neighbours(node);
            if self.nodes[node].hostile.is_some() {
                self.queue.plan(SECOND, Event::Scheme { node });
            }
        }
        for client in 0..self.clients.len() {
            self.queue.plan(0, Event::Step { client });
        }
    }

    /// Plays until the run is over.
    pub(crate) fn play(&mut self) {
        while self.step() {}
    }

    /// One event, or the next phase; `false` when the run is over.
    pub(crate) fn step(&mut self) -> bool {
        self.fresh.clear();
        self.steps += 1;
        if self.violation.is_some() || self.phase == Phase::Over {
            return false;
        }
        let until = self.phase_ends();
        match self.queue.next(until) {
            Some((at, event)) => {
                assert!(at >= self.now, "time goes back");
                self.now = at;
                self.happen(event);
                if self.tape.events() > EVENTS_MAX {
                    self.violate("runs_end", "it goes in circles".to_owned());
                }
            }
            None => {
                self.now = self.now.max(until);
                self.next_phase();
            }
        }
        true
    }

    /// When the present phase is looked at.
    fn phase_ends(&self) -> u64 {
        let workload = self.plan.workload_ms * MS;
        match self.phase {
            Phase::Busy => workload,
            Phase::Finishing | Phase::Settling { .. } => {
                self.now.max(workload) / SECOND * SECOND + SECOND
            }
            Phase::Ebbing { until } | Phase::Quiet { until, .. } => until,
            Phase::Over => self.now,
        }
    }

    fn next_phase(&mut self) {
        let workload = self.plan.workload_ms * MS;
        match self.phase {
            Phase::Busy => {
                self.heal();
                self.told("finishing");
                self.phase = Phase::Finishing;
            }
            Phase::Finishing => {
                let late = self.now >= workload + CLIENTS_LIMIT_S * SECOND;
                if self.clients.iter().all(FastClient::is_done) || late {
                    let waiting: Vec<usize> = (0..self.clients.len())
                        .filter(|client| !self.clients[*client].is_done())
                        .collect();
                    self.hold(crate::invariants::answered::check(
                        &waiting,
                        CLIENTS_LIMIT_S,
                    ));
                    self.told("settling");
                    let until = self.now + SETTLE_LIMIT_S * SECOND;
                    self.phase = Phase::Settling { until };
                }
            }
            Phase::Settling { until } => {
                if self.agree() {
                    self.told("ebbing");
                    let until = self.now + EBB_S * SECOND;
                    self.phase = Phase::Ebbing { until };
                } else if self.now >= until {
                    // Not settling is no violation of its own: the invariants name what differs.
                    self.judge();
                }
            }
            Phase::Ebbing { .. } => {
                self.told("quiet");
                self.phase = Phase::Quiet {
                    until: self.now + QUIET_S * SECOND,
                    before: self.honest_messages,
                };
            }
            Phase::Quiet { before, .. } => {
                let said = self.honest_messages - before;
                self.hold(crate::invariants::idle::check(said, QUIET_S));
                self.judge();
            }
            Phase::Over => {}
        }
    }

    fn judge(&mut self) {
        self.told("judged");
        if self.violation.is_none() {
            let verdict = self.verdict();
            self.hold(verdict);
        }
        self.phase = Phase::Over;
    }

    fn happen(&mut self, event: Event) {
        if let Some(node) = Self::host_of(&event)
            && let Some(until) = self.nodes[node].paused_until
            && self.now < until
        {
            // It does nothing for now; what came meanwhile is done in its order.
            self.queue.plan(until, event);
            return;
        }
        match event {
            Event::Links { node, boot } => self.tell_time(node, boot),
            Event::Knock { connection } => self.knock(connection),
            Event::Admitted { connection } => self.admitted(connection),
            Event::DialFailed { node, boot, link } => self.dial_failed(node, boot, link),
            Event::Bytes {
                connection,
                side,
                packet,
            } => self.arrive(connection, side, packet),
            Event::Hangup { connection, side } => self.hangup(connection, side),
            Event::Pump { node, boot, peer } => self.pump(node, boot, peer),
            Event::Ask { call, node, ask } => self.asked(call, node, &ask),
            Event::Depart {
                call,
                node,
                boot,
                reply,
            } => self.depart(call, node, boot, reply),
            Event::Reply { call, reply } => self.replied(call, &reply),
            Event::Step { client } => self.next_step(client),
            Event::Fault { number, part } => self.befall(number, part),
            Event::Healed { cut } => self.cut_heals(cut),
            Event::Scheme { node } => self.scheme(node),
        }
    }

    /// The node that has to be awake for an event.
    fn host_of(event: &Event) -> Option<usize> {
        match event {
            Event::Links { node, .. }
            | Event::DialFailed { node, .. }
            | Event::Pump { node, .. }
            | Event::Ask { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Notes a violation; the first one counts.
    pub(super) fn hold(&mut self, checked: Result<(), Violation>) {
        if let (Err(violation), None) = (checked, &self.violation) {
            self.violation = Some(Finding {
                invariant: violation.invariant.to_owned(),
                difference: violation.difference,
                event: self.tape.events(),
                at_us: self.now,
            });
        }
    }

    pub(super) fn violate(&mut self, invariant: &'static str, difference: String) {
        self.hold(Err(Violation {
            invariant,
            difference,
        }));
    }

    pub(super) fn hit(&mut self, probe: Probe) {
        if self.probes.hit(probe) {
            self.fresh.push(probe);
        }
    }

    fn told(&mut self, name: &str) {
        let told = || {
            let name = name.to_owned();
            ("network".to_owned(), trace::Event::Phase { name })
        };
        self.tape
            .add(self.now, NETWORK, Kind::Phase, name.as_bytes(), told);
    }

    /// Notes what happens to a node.
    pub(super) fn note(
        &mut self,
        node: usize,
        kind: Kind,
        bytes: &[u8],
        event: impl FnOnce() -> trace::Event,
    ) {
        self.tape
            .add(self.now, node, kind, bytes, || (node_name(node), event()));
    }

    /// Notes what happens to a client.
    pub(super) fn note_client(
        &mut self,
        client: usize,
        kind: Kind,
        bytes: &[u8],
        event: impl FnOnce() -> trace::Event,
    ) {
        let host = self.nodes.len() + client;
        let told = || (client_name(client), event());
        self.tape.add(self.now, host, kind, bytes, told);
    }

    /// Probes that fired for the first time in the last step.
    pub(crate) fn fresh(&self) -> &[Probe] {
        &self.fresh
    }

    /// How many steps were made so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// The future of another seed from here on; what has happened stays.
    pub(crate) fn turn_to(&mut self, seed: u64) {
        self.dice = Dice::new(seed);
    }

    /// The violation, if there was one.
    pub(crate) fn found(&self) -> Option<Finding> {
        self.violation.clone()
    }

    /// How many events happened, and what time it is.
    pub(crate) fn moment(&self) -> (u64, u64) {
        (self.tape.events(), self.now)
    }

    /// What a run leaves in which something panicked: nothing of it is looked at any more.
    pub(crate) fn broken(mut self) -> Finished {
        Finished {
            found: None,
            counts: self.counts,
            digest: self.tape.digest(),
            meaning: self.tape.meaning(),
            simulated_us: self.now,
            lines: self.tape.take_lines(),
            drawn: Vec::new(),
            probes: self.probes,
        }
    }

    /// What the run leaves.
    pub(crate) fn finish(mut self) -> Finished {
        let counts = self.final_counts();
        let lines = self.tape.take_lines();
        let drawn = lines.as_ref().map(|_| self.drawn()).unwrap_or_default();
        Finished {
            found: self.violation,
            counts,
            digest: self.tape.digest(),
            meaning: self.tape.meaning(),
            simulated_us: self.now,
            probes: self.probes,
            lines,
            drawn,
        }
    }
}
