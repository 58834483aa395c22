//! A simulated node: the engine behind its driver, its links, its disk and its clock.

use std::collections::{BTreeMap, VecDeque};

use grove_core::session::links::{LinkId, LinkTimes, Links};
use grove_core::time::{Duration, Instant};
use grove_node::engine::{EngineSettings, Transfer};
use grove_node::runtime::Driver;
use grove_node::store::{MemoryDisk, MemoryStore, StoreError};

use crate::faults::mishaps::Trick;
use crate::hosts::peer_id;
use crate::ledger::Ledger;

/// The first moment of a simulation on an honest clock, in microseconds since 1970.
const EPOCH_US: i64 = 1_735_689_600_000_000;

/// How long the parts of keeping connections take: simulated nodes come back sooner than real ones.
pub(super) const TIMES: LinkTimes = LinkTimes {
    dial_max: Duration::from_secs(2),
    redial_min: Duration::from_secs(1),
    redial_max: Duration::from_secs(4),
    stable: Duration::from_secs(10),
    tick: Duration(250_000),
};

/// How a node's clock differs from the time of the simulation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    offset_us: i64,
    drift_ppm: i64,
    /// Since when it drifts.
    since: u64,
    /// What it said last, and when.
    said: u64,
    at: u64,
}

impl Clock {
    /// What the clock says at this moment of the simulation.
    pub(super) fn read(&mut self, now: u64) -> Instant {
        let drifted = (now - self.since) as i64 / 1_000 * self.drift_ppm / 1_000;
        let says = EPOCH_US + now as i64 + self.offset_us + drifted;
        // When it is set back, time goes on from where it was, as in a deployed node.
        let gone_on = self.said + (now - self.at);
        self.said = gone_on.max(says.max(0).cast_unsigned());
        self.at = now;
        Instant(self.said)
    }

    /// A node that starts knows nothing of what its clock said before.
    fn forget(&mut self) {
        self.said = 0;
    }

    pub(super) fn set(&mut self, now: u64, offset_us: i64, drift_ppm: i64) {
        self.offset_us = offset_us;
        self.drift_ppm = drift_ppm;
        self.since = now;
    }
}

/// What a hostile node is up to.
#[derive(Clone, Debug)]
pub(super) struct Hostile {
    pub tricks: Vec<Trick>,
    pub percent: u64,
}

impl Hostile {
    pub(super) fn does(&self, trick: Trick) -> bool {
        self.tricks.contains(&trick)
    }
}

/// One node.
#[derive(Debug)]
pub(super) struct FastNode {
    pub disk: MemoryDisk,
    /// `None` while it is off.
    pub driver: Option<Driver<MemoryStore>>,
    pub links: Links,
    /// When its links are to be told the time next, so that it is planned once.
    pub links_at: Option<u64>,
    /// Which connection an attempt or a name of the links stands for.
    pub connections: BTreeMap<LinkId, usize>,
    /// The connection per peer over which messages go.
    pub live: BTreeMap<usize, usize>,
    pub transfers: BTreeMap<usize, VecDeque<Transfer>>,
    pub clock: Clock,
    pub paused_until: Option<u64>,
    /// Counts its starts: what was on its way to an earlier life is lost.
    pub boot: u32,
    pub hostile: Option<Hostile>,
    pub ledger: Ledger,
    pub ticks: u64,
}

impl FastNode {
    pub(super) fn new(number: usize) -> Result<Self, StoreError> {
        let disk = MemoryDisk::default();
        let mut node = Self {
            disk,
            driver: None,
            links: Links::new(peer_id(number), TIMES),
            links_at: None,
            connections: BTreeMap::new(),
            live: BTreeMap::new(),
            transfers: BTreeMap::new(),
            clock: Clock::default(),
            paused_until: None,
            boot: 0,
            hostile: None,
            ledger: Ledger::default(),
            ticks: 0,
        };
        node.start(number)?;
        Ok(node)
    }

    /// Starts from what the disk holds.
    pub(super) fn start(&mut self, number: usize) -> Result<(), StoreError> {
        let store = MemoryStore::open(&self.disk);
        self.driver = Some(Driver::new(store, EngineSettings::new(peer_id(number)))?);
        self.links = Links::new(peer_id(number), TIMES);
        self.links_at = None;
        self.clock.forget();
        self.boot += 1;
        Ok(())
    }

    /// Is off from now on; what it committed stays.
    pub(super) fn stop(&mut self) {
        self.driver = None;
        self.connections.clear();
        self.live.clear();
        self.transfers.clear();
        self.links_at = None;
        self.boot += 1;
    }

    pub(super) fn is_honest(&self) -> bool {
        self.hostile.is_none()
    }
}

/// A clone has a disk of its own.
impl Clone for FastNode {
    fn clone(&self) -> Self {
        let driver = self.driver.clone();
        let disk = match &driver {
            Some(driver) => driver.store().disk().clone(),
            None => self.disk.copy(),
        };
        Self {
            disk,
            driver,
            links: self.links.clone(),
            links_at: self.links_at,
            connections: self.connections.clone(),
            live: self.live.clone(),
            transfers: self.transfers.clone(),
            clock: self.clock,
            paused_until: self.paused_until,
            boot: self.boot,
            hostile: self.hostile.clone(),
            ledger: self.ledger.clone(),
            ticks: self.ticks,
        }
    }
}
