//! The simulated world: hosts and links, stepped through the phases of a run.
//!
//! A run has four phases: *busy* while the clients work and links are cut, *settling* until all nodes hold
//! the same entries, *quiet* to see that nobody has more to say, *judged* when a client reads everything
//! back from every node. Leaves out what hosts do (`host`, `workload`) and what is right (`invariants`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic;
use std::sync::Once;
use std::time::{Duration, UNIX_EPOCH};

use grove_node::store::StoreError;
use turmoil::Sim;

use super::determinism::{Control, EPOCH};
use super::host::{self, Node};
use super::memories::Memories;
use super::replicate;
use super::shared::SharedState;
use super::workload;
use crate::draw::Draw;
use crate::evidence::{Evidence, Violation};
use crate::faults::cuts::CutKind;
use crate::faults::planted::PlantedBug;
use crate::hosts::{client_name, node_name};
use crate::invariants;
use crate::plan::Plan;
use crate::reference;
use crate::report::{Counts, millis};
use crate::trace::{Event, Trace};

/// Step of the simulated clock; bytes travel in multiples of it.
const TICK: Duration = Duration::from_millis(5);
/// How long after the workload clients may still wait for their last answers.
const CLIENTS_LIMIT: Duration = Duration::from_secs(120);
/// How long the healed nodes may take until they hold the same entries.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long the last sessions may go on once that is so.
const EBB: Duration = Duration::from_secs(5);
/// How long nodes must then have nothing to say: longer than two replication beats.
const QUIET: Duration = Duration::from_secs(12);
/// How long reading everything back may take.
const JUDGE_LIMIT: Duration = Duration::from_secs(60);
/// How often waiting looks whether it is over.
const LOOK: Duration = Duration::from_secs(1);
/// Beyond the sum of all limits.
const SIMULATION_LIMIT: Duration = Duration::from_secs(3_600);
/// Segments in flight per connection; a writer waits beyond.
const TCP_CAPACITY: usize = 256;
/// Latency of links that draw none, such as the judge's.
const LATENCY: Duration = Duration::from_millis(5);

/// The simulated world and everything that belongs to it.
pub(crate) struct World {
    plan: Plan,
    planted: Option<PlantedBug>,
    sim: Sim<'static>,
    control: Control,
    trace: Trace,
    nodes: Vec<Node>,
    shared: SharedState,
    /// Links that are down now.
    down: Links,
    /// Links that lost bytes since they went down.
    lossy: BTreeSet<Link>,
    /// The second for which latencies are set.
    latencies_at: Option<u64>,
}

/// The two ends of a link, in the order of a [`Cut`](crate::faults::cuts::Cut).
type Link = (String, String);
type Links = BTreeMap<Link, CutKind>;

impl World {
    /// The world at its beginning: empty nodes, clients about to start.
    pub(crate) fn build(
        plan: Plan,
        planted: Option<PlantedBug>,
        trace: Trace,
        control: Control,
    ) -> Result<Self, StoreError> {
        install_panic_hook();
        let mut sim = turmoil::Builder::new()
            .rng_seed(plan.seed)
            .epoch(UNIX_EPOCH + EPOCH)
            .tick_duration(TICK)
            .simulation_duration(SIMULATION_LIMIT)
            .tcp_capacity(TCP_CAPACITY)
            .min_message_latency(LATENCY)
            .max_message_latency(LATENCY)
            .build();
        let shared = SharedState::new(&plan);
        let nodes = (0..plan.nodes)
            .map(|number| Node::build(number, &plan, planted, &trace, &shared))
            .collect::<Result<Vec<Node>, _>>()?;
        for node in &nodes {
            let software = node.clone();
            sim.host(node_name(node.number()), move || {
                let node = software.clone();
                async move {
                    host::serve(&node).await?;
                    Ok(replicate::run(node).await?)
                }
            });
        }
        let memories = Memories::default();
        for client in 0..plan.clients {
            let world = (shared.clone(), memories.clone(), trace.clone());
            let work = workload::work(client, plan.clone(), world);
            sim.client(client_name(client), work);
        }
        if planted == Some(PlantedBug::Noise) {
            let name = format!("process {}", std::process::id());
            trace.record("network", Event::Phase { name });
        }
        Ok(Self {
            plan,
            planted,
            sim,
            control,
            trace,
            nodes,
            shared,
            down: Links::new(),
            lossy: BTreeSet::new(),
            latencies_at: None,
        })
    }

    /// Plays all phases and judges.
    pub(crate) fn play(&mut self) -> Result<(), Violation> {
        self.phase("busy");
        self.pass(Duration::from_millis(self.plan.workload_ms))?;
        self.wait("clients_finish", CLIENTS_LIMIT, |world| {
            world.shared.clients_done()
        })?;
        self.phase("settling");
        // Not settling is no violation of its own: the invariants name what differs.
        if self.wait("settling", SETTLE_LIMIT, Self::settled).is_ok() {
            self.pass(EBB)?;
            self.stay_quiet()?;
        }
        self.phase("judged");
        let judge = workload::judge(self.plan.clone(), self.shared.clone(), self.trace.clone());
        self.sim.client("judge", judge);
        self.wait("reads_are_answered", JUDGE_LIMIT, |world| {
            world.shared.judged()
        })?;
        let mut evidence = self.evidence()?;
        if let Some(planted) = self.planted {
            planted.spoil(&mut evidence);
        }
        invariants::check(&evidence)
    }

    /// One tick of the world; a host that fails or panics ends the run.
    fn step(&mut self) -> Result<(), Violation> {
        self.set_links();
        self.set_latencies();
        let stepped = self.sim.step();
        self.control.set_clock(self.sim.elapsed());
        self.trace.set_clock(self.sim.elapsed());
        if let Some(panic) = PANICS.with_borrow(|panics| panics.first().cloned()) {
            return Err(Violation {
                invariant: "nothing_panics",
                difference: panic,
            });
        }
        if let Some(violation) = self.shared.violation() {
            return Err(violation);
        }
        match stepped {
            Ok(_) => Ok(()),
            Err(error) => {
                let difference = error.to_string();
                Err(Violation {
                    invariant: "hosts_keep_running",
                    difference,
                })
            }
        }
    }

    /// Steps for a while.
    fn pass(&mut self, span: Duration) -> Result<(), Violation> {
        let until = self.sim.elapsed() + span;
        while self.sim.elapsed() < until {
            self.step()?;
        }
        Ok(())
    }

    /// Nodes that agree and are left alone have nothing to say to each other.
    fn stay_quiet(&mut self) -> Result<(), Violation> {
        self.phase("quiet");
        let before = self.shared.counts().messages;
        self.pass(QUIET)?;
        let sent = self.shared.counts().messages - before;
        if sent == 0 {
            return Ok(());
        }
        let seconds = QUIET.as_secs();
        let difference = format!("{sent} replication messages in {seconds} s without any news");
        Err(Violation {
            invariant: "quiet_nodes_are_silent",
            difference,
        })
    }

    /// Steps until `done`, looking once a simulated second.
    fn wait(
        &mut self,
        invariant: &'static str,
        limit: Duration,
        done: impl Fn(&mut Self) -> bool,
    ) -> Result<(), Violation> {
        let until = self.sim.elapsed() + limit;
        while !done(self) {
            if self.sim.elapsed() >= until {
                let difference = format!("not within {} simulated seconds", limit.as_secs());
                return Err(Violation {
                    invariant,
                    difference,
                });
            }
            self.pass(LOOK)?;
        }
        Ok(())
    }

    /// Brings every link into the state its cuts ask for now; of overlapping ones the worse counts.
    fn set_links(&mut self) {
        let now_ms = millis(self.sim.elapsed());
        let mut down = Links::new();
        for cut in self
            .plan
            .cuts
            .iter()
            .filter(|cut| (cut.from_ms..cut.until_ms).contains(&now_ms))
        {
            let kind = down
                .entry((cut.a.clone(), cut.b.clone()))
                .or_insert(cut.kind);
            *kind = cut.kind.max(*kind);
        }
        if down == self.down {
            return;
        }
        let links: BTreeSet<_> = down.keys().chain(self.down.keys()).cloned().collect();
        for link in links {
            let (before, after) = (self.down.get(&link).copied(), down.get(&link).copied());
            if before != after {
                self.set_link(&link, before, after);
            }
        }
        self.down = down;
    }

    fn set_link(&mut self, link: &Link, before: Option<CutKind>, after: Option<CutKind>) {
        let (a, b) = link;
        match after {
            Some(CutKind::Stall) => self.sim.hold(a.as_str(), b.as_str()),
            Some(CutKind::Loss) => {
                self.sim.partition(a.as_str(), b.as_str());
                self.lossy.insert(link.clone());
            }
            None => self.sim.release(a.as_str(), b.as_str()),
        }
        if before.is_none() {
            self.shared.count(|counts| counts.cuts += 1);
        }
        self.trace.record(
            "network",
            Event::Link {
                a: a.clone(),
                b: b.clone(),
                down: after,
            },
        );
        if after.is_none() && self.lossy.remove(link) {
            self.reset_connections(link);
        }
    }

    /// Breaks the connections that lost bytes, as TCP would: the simulated one waits for them for ever.
    fn reset_connections(&self, (a, b): &Link) {
        let node = |name: &str| self.nodes.iter().find(|node| node.name() == name);
        if let (Some(a), Some(b)) = (node(a), node(b)) {
            a.reset(b.number());
            b.reset(a.number());
        }
    }

    /// Draws the latency of every link anew each second.
    fn set_latencies(&mut self) {
        let second = self.sim.elapsed().as_secs();
        if self.latencies_at == Some(second) {
            return;
        }
        self.latencies_at = Some(second);
        let mut hosts: Vec<String> = (0..self.plan.nodes).map(node_name).collect();
        hosts.extend((0..self.plan.clients).map(client_name));
        let draw = Draw::new(self.plan.seed);
        for (nth, a) in hosts.iter().enumerate() {
            for (mth, b) in hosts.iter().enumerate().skip(nth + 1) {
                let link = (nth * hosts.len() + mth) as u64;
                let latency_ms = 1 + draw.below(self.plan.latency_max_ms, "latency", link, second);
                let latency = Duration::from_millis(latency_ms);
                self.sim.set_link_latency(a.as_str(), b.as_str(), latency);
            }
        }
    }

    fn settled(&mut self) -> bool {
        self.evidence()
            .is_ok_and(|evidence| invariants::entries_agree(&evidence))
    }

    /// What the nodes hold, and show if they were asked already.
    fn evidence(&self) -> Result<Evidence, Violation> {
        let nodes = self.nodes.iter().map(|node| {
            node.observe(self.shared.shown(node.number()))
                .map_err(|error| {
                    let difference = format!("{}: {error}", node_name(node.number()));
                    Violation {
                        invariant: "stores_are_readable",
                        difference,
                    }
                })
        });
        Ok(Evidence {
            nodes: nodes.collect::<Result<_, _>>()?,
            published: self.shared.published(),
        })
    }

    /// The counts so far, completed by what is there at the end.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.shared.counts();
        let published = self.shared.published();
        counts.merges = published
            .iter()
            .filter(|published| published.is_merge())
            .count() as u64;
        let documents = reference::documents(&published);
        counts.deleted = documents
            .values()
            .filter(|document| document.deleted)
            .count() as u64;
        counts.documents = documents.len() as u64 - counts.deleted;
        if let Ok(Evidence { nodes, .. }) = self.evidence() {
            counts.entries = nodes.first().map_or(0, |node| node.entries.len() as u64);
            counts.forks = nodes
                .first()
                .map_or(0, |node| invariants::forked_logs(node) as u64);
        }
        counts
    }

    /// How long the world has existed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    fn phase(&self, name: &str) {
        self.trace.record(
            "network",
            Event::Phase {
                name: name.to_owned(),
            },
        );
    }
}

thread_local! {
    /// Panics of this thread's hosts: the runtime swallows those of spawned tasks.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn install_panic_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if turmoil::in_simulation() {
                PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()));
            } else {
                previous(panic);
            }
        }));
    });
}
