//! What goes wrong with nodes, their disks and their clocks, as the plan has it; and that all is well in the end.

use std::collections::BTreeSet;

use grove_core::types::OperationId;
use grove_node::store::{MemoryDisk, MemoryStore, Read};

use super::event::Event;
use super::probes::Probe;
use super::tape::Kind;
use super::time::MS;
use super::world::World;
use crate::evidence::Violation;
use crate::faults::mishaps::Mishap;
use crate::invariants::acknowledged;
use crate::ledger::{Ledger, Link};
use crate::trace;

/// A node that starts so often is met by a probe.
const OFTEN: u32 = 10;

impl World {
    /// Plans all mishaps of the plan.
    pub(super) fn plan_mishaps(&mut self) {
        for number in 0..self.plan.faults.len() {
            let part = |part| Event::Fault { number, part };
            let at = match self.plan.faults[number] {
                Mishap::Stop {
                    at_ms, until_ms, ..
                }
                | Mishap::Crash {
                    at_ms, until_ms, ..
                }
                | Mishap::Pause {
                    at_ms, until_ms, ..
                }
                | Mishap::DiskFull {
                    at_ms, until_ms, ..
                } => vec![at_ms, until_ms],
                Mishap::Messages { until_ms, .. } => vec![until_ms],
                Mishap::Storm {
                    at_ms,
                    times,
                    gap_ms,
                    ..
                } => (0..times * 2).map(|nth| at_ms + nth * gap_ms / 2).collect(),
                Mishap::Backup { from_ms, at_ms, .. } => vec![from_ms, at_ms],
                Mishap::CloneDisk { at_ms, .. }
                | Mishap::Clock { at_ms, .. }
                | Mishap::Reset { at_ms, .. } => vec![at_ms],
                Mishap::Hostile { .. } => vec![],
            };
            for (nth, at_ms) in at.into_iter().enumerate() {
                self.queue.plan(at_ms * MS, part(nth as u64));
            }
        }
    }

    /// A part of a mishap happens.
    pub(super) fn befall(&mut self, number: usize, part: u64) {
        if self.healed {
            return;
        }
        let mishap = self.plan.faults[number].clone();
        self.counts.faults += 1;
        let bytes = [number as u8, part as u8];
        let told = || {
            let what = format!("{mishap:?}, part {part}");
            ("network".to_owned(), trace::Event::Fault { what })
        };
        self.tape.add(self.now, number, Kind::Fault, &bytes, told);
        match mishap {
            Mishap::Stop { node, .. } if part == 0 => self.switch_off(node, false),
            Mishap::Crash { node, .. } if part == 0 => self.switch_off(node, true),
            Mishap::Stop { node, .. } | Mishap::Crash { node, .. } => self.switch_on(node),
            Mishap::Storm { node, .. } if part.is_multiple_of(2) => self.switch_off(node, true),
            Mishap::Storm { node, .. } => self.switch_on(node),
            Mishap::Pause { node, until_ms, .. } if part == 0 => {
                self.hit(Probe::Paused);
                let until = until_ms * MS;
                let paused = &mut self.nodes[node].paused_until;
                *paused = Some(paused.unwrap_or(0).max(until));
            }
            Mishap::Pause { .. } => {}
            Mishap::DiskFull { node, .. } => self.fill_disk(node, part == 0),
            Mishap::Backup { node, .. } if part == 0 => {
                let disk = self.disk_of(node).copy();
                self.backups.insert(number, disk);
            }
            Mishap::Backup { node, .. } => {
                if let Some(disk) = self.backups.remove(&number) {
                    self.hit(Probe::OldBackup);
                    self.replace_disk(node, disk);
                }
            }
            Mishap::CloneDisk { node, of, .. } => {
                let disk = self.disk_of(of).copy();
                self.hit(Probe::ClonedDisk);
                self.replace_disk(node, disk);
            }
            Mishap::Clock {
                node,
                offset_ms,
                drift_ppm,
                ..
            } => {
                if offset_ms < 0 {
                    self.hit(Probe::ClockStepsBack);
                }
                if offset_ms > 60_000 {
                    self.hit(Probe::ClockFarAhead);
                }
                let now = self.now;
                let clock = &mut self.nodes[node].clock;
                clock.set(now, offset_ms * MS as i64, drift_ppm);
            }
            Mishap::Reset { a, b, .. } => self.reset(a, b),
            Mishap::Messages { from, to, .. } => self.reset(from, to),
            Mishap::Hostile { .. } => {}
        }
    }

    fn disk_of(&self, node: usize) -> &MemoryDisk {
        &self.nodes[node].disk
    }

    pub(super) fn has_full_disk(&self, node: usize) -> bool {
        let now_ms = self.now / MS;
        self.plan.faults.iter().any(|mishap| {
            matches!(mishap, Mishap::DiskFull { node: of, at_ms, until_ms }
                if *of == node && (*at_ms..=*until_ms).contains(&now_ms))
        })
    }

    fn fill_disk(&mut self, node: usize, is_full: bool) {
        let until = self.plan.faults.iter().any(|mishap| {
            // Another fault may still keep it full.
            let now_ms = self.now / MS;
            matches!(mishap, Mishap::DiskFull { node: of, at_ms, until_ms }
                if *of == node && (*at_ms..*until_ms).contains(&now_ms))
        });
        self.nodes[node].disk.set_full(is_full || until);
    }

    /// A node is off from now on: its peers hear of it, or nothing at all.
    fn switch_off(&mut self, node: usize, in_silence: bool) {
        if self.nodes[node].driver.is_none() {
            return;
        }
        if in_silence && !self.nodes[node].transfers.is_empty() {
            self.hit(Probe::CrashMidTransfer);
        }
        self.abandon(node, in_silence);
        self.nodes[node].stop();
        let off = self.nodes.iter().filter(|node| node.driver.is_none());
        if off.count() * 2 >= self.nodes.len() {
            self.hit(Probe::AllOff);
        }
    }

    /// A node starts from its disk.
    fn switch_on(&mut self, node: usize) {
        if self.nodes[node].driver.is_some() {
            return;
        }
        if let Err(error) = self.nodes[node].start(node) {
            return self.violate("nodes_start_again", format!("node-{node}: {error}"));
        }
        self.counts.restarts += 1;
        self.hit(Probe::Restarted);
        let this = &self.nodes[node];
        if this.boot > OFTEN {
            self.hit(Probe::RestartedOften);
        }
        let this = &self.nodes[node];
        let store = this.driver.as_ref().expect("it has just started").store();
        let parked = store.counts().is_ok_and(|counts| counts.parked > 0);
        if this.is_honest() {
            let checked = acknowledged::survives(node, store, &this.ledger);
            self.hold(checked);
        }
        if parked {
            self.hit(Probe::RestartedWithParked);
        }
        self.want_neighbours(node);
    }

    /// A node goes on from another disk.
    fn replace_disk(&mut self, node: usize, disk: MemoryDisk) {
        let was_on = self.nodes[node].driver.is_some();
        self.switch_off(node, true);
        disk.set_full(false);
        let ledger = ledger_of(&disk);
        let before = std::mem::replace(&mut self.nodes[node].disk, disk);
        drop(before);
        match ledger {
            Ok(ledger) => {
                let old = std::mem::replace(&mut self.nodes[node].ledger, ledger);
                self.note_lost(&old);
            }
            Err(violation) => self.hold(Err(violation)),
        }
        // What somebody saw there may not be there any more.
        self.pins.retain(|pin| pin.node != node);
        if was_on {
            self.switch_on(node);
        }
    }

    /// Notes what is gone with a disk because nobody else has it.
    fn note_lost(&mut self, old: &Ledger) {
        let elsewhere = |id: &OperationId| {
            let honest = self.nodes.iter().filter(|node| node.is_honest());
            honest
                .into_iter()
                .any(|other| other.ledger.held.contains_key(id))
        };
        let lost: Vec<OperationId> = old
            .held
            .keys()
            .filter(|id| !elsewhere(id))
            .copied()
            .collect();
        if lost.iter().any(|id| old.acknowledged.contains(id)) {
            self.hit(Probe::BackupLostEntries);
        }
        self.lost.extend(lost);
    }

    /// The workload is over: from now on the honest nodes are whole and stay so, and the hostile ones are off.
    pub(super) fn heal(&mut self) {
        self.break_all_lossy();
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.set_full(false);
            self.nodes[node].paused_until = None;
            match self.nodes[node].is_honest() {
                true => self.switch_on(node),
                // The rest of the network stays broken, and who depends on it has to give up.
                false => self.switch_off(node, false),
            }
        }
        for client in &mut self.clients {
            if !self.nodes[client.node()].is_honest() {
                client.give_up();
            }
        }
        self.healed = true;
    }
}

/// What a node that starts from this disk has accepted.
fn ledger_of(disk: &MemoryDisk) -> Result<Ledger, Violation> {
    let store = MemoryStore::open(disk);
    let rows = store.entries_after(0, None, u32::MAX);
    let rows = rows.map_err(|error| Violation {
        invariant: "stores_work",
        difference: error.to_string(),
    })?;
    let mut ledger = Ledger::default();
    for row in rows {
        let id = OperationId::from(row.hash);
        let position = (row.public_key, row.log_id, row.seq_num);
        let entry = grove_core::wire::Entry::decode(&row.entry);
        let backlink = entry.ok().and_then(|entry| entry.backlink);
        let backlink = backlink.map(OperationId::from);
        ledger.held.insert(id, Link { position, backlink });
        let at_place: &mut BTreeSet<_> = ledger.places.entry(position).or_default();
        at_place.insert(id);
        let document = store.document_outline(row.document).ok().flatten();
        if document.is_some_and(|document| document.is_deleted()) {
            ledger.deleted.insert(row.document);
        }
    }
    Ok(ledger)
}
