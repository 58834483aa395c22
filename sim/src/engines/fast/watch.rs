//! What a node said, judged and carried out: what must hold at every event is looked at here.
//!
//! Nodes that are hostile are judged by nobody; what they say goes through their tricks first.

use std::collections::BTreeSet;
use std::rc::Rc;

use grove_core::Phase as ReasonPhase;
use grove_core::Reason;
use grove_core::types::{DocumentId, Hash, OperationId, SchemaId, SeqNum};
use grove_core::validate::{SignedEntry, VerifyError};
use grove_core::wire::{Entry, Message};
use grove_node::engine::{EngineLimits, Input, Output, Received};
use grove_node::runtime::{Driver, Turn};
use grove_node::store::{Change, MemoryStore, Read};

use super::probes::Probe;
use super::tape::Kind;
use super::world::World;
use crate::hosts::{node_name, number_of, peer_id};
use crate::invariants::{bounded, deleted, forks, pins, readers, valid, views, whole};
use crate::ledger::Link;
use crate::trace;

/// A node's store is looked at, and its follower reads on, after so many ticks.
const LOOK_TICKS: u64 = 8;

impl World {
    /// A node takes inputs and does what follows.
    pub(super) fn turn(&mut self, node: usize, inputs: Vec<Input>) {
        if let Some(turn) = self.take_turn(node, inputs) {
            self.heed(node, turn);
        }
    }

    /// A node takes inputs; `None` when it is off.
    pub(super) fn take_turn(&mut self, node: usize, inputs: Vec<Input>) -> Option<Turn> {
        let this = &mut self.nodes[node];
        let now = this.clock.read(self.now);
        Some(this.driver.as_mut()?.turn(now, inputs))
    }

    /// Judges what a node said, and does it.
    pub(super) fn heed(&mut self, node: usize, turn: Turn) {
        let is_honest = self.nodes[node].is_honest();
        if let Some(failure) = &turn.failure {
            let expected = self.has_full_disk(node);
            self.hit(Probe::DiskFull);
            if is_honest && !expected {
                self.violate("stores_work", format!("node-{node}: {failure}"));
            }
        }
        let sends = turn.outputs.iter();
        let sends = sends.filter(|output| matches!(output, Output::Send { .. }));
        let (sent, peers) = (sends.count(), self.nodes[node].live.len());
        let mut changed = BTreeSet::new();
        let mut accepted = 0;
        for output in turn.outputs {
            match output {
                Output::Accepted {
                    operation_id,
                    change,
                } => {
                    accepted += 1;
                    changed.insert(change.document);
                    self.accepted(node, operation_id, &change, is_honest);
                }
                Output::Changed(change) => {
                    self.hit(Probe::ChangedWithoutEntry);
                    changed.insert(change.document);
                }
                Output::Deleted(document) => {
                    self.hit(Probe::Deleted);
                    self.nodes[node].ledger.deleted.insert(document);
                    changed.insert(document);
                }
                Output::Forked { .. } => self.hit(Probe::Forked),
                Output::SchemaAdded(id) => self.schema_added(node, &id),
                Output::Send { peer, message } => self.say(node, number_of(peer), message),
                Output::Transfer { peer, transfer } => {
                    let peer = number_of(peer);
                    let waiting = self.nodes[node].transfers.entry(peer).or_default();
                    waiting.push_back(transfer);
                    let count = waiting.len();
                    if count > 1 {
                        self.hit(Probe::TwoTransfers);
                    }
                    self.hold(bounded::transfers(node, peer, count));
                    if count == 1 {
                        self.plan_pump(node, peer);
                    }
                }
                Output::Synced(_) => self.hit(Probe::SessionSynced),
                Output::Refused { peer, reason } => self.refused(node, number_of(peer), reason),
                Output::Published { request, result } => {
                    if turn.failure.is_some() {
                        self.hit(Probe::FullOnPublish);
                    }
                    self.published(node, request, result);
                }
                _ => {}
            }
        }
        if accepted > 1 {
            self.hit(Probe::AcceptedTwiceOver);
        }
        if is_honest {
            self.hold(bounded::messages(node, sent, peers));
            for document in changed {
                self.judge_document(node, document);
            }
        }
    }

    /// The driver of a node that has just said something.
    fn driver(&self, node: usize) -> &Driver<MemoryStore> {
        let driver = self.nodes[node].driver.as_ref();
        driver.expect("a node that is off says nothing")
    }

    fn accepted(&mut self, node: usize, id: OperationId, change: &Change, is_honest: bool) {
        self.note(node, Kind::Accepted, &id.hash().to_bytes(), || {
            trace::Event::Accepted {
                operation: id.to_string(),
                document: change.document.to_string(),
            }
        });
        let driver = self.nodes[node].driver.as_ref();
        let store = driver.expect("it has just accepted something").store();
        let Ok(Some(row)) = store.entry(id.hash()) else {
            let difference = format!("node-{node} tells of {id} and does not hold it");
            return self.violate("stores_work", difference);
        };
        let link = match Entry::decode(&row.entry) {
            Ok(entry) => {
                let backlink = entry.backlink.map(OperationId::from);
                let position = (row.public_key, row.log_id, row.seq_num);
                let link = Link { position, backlink };
                if is_honest {
                    let payload = row.payload.as_deref();
                    let checked = valid::check(id, (&row.entry, payload), &link, &self.known);
                    let checked = checked
                        .and_then(|()| whole::check(id, &entry, &link, &self.nodes[node].ledger));
                    self.hold(checked);
                }
                link
            }
            Err(error) => {
                let difference = format!("node-{node} accepted {id}: {error}");
                return self.violate("nothing_invalid_accepted", difference);
            }
        };
        let ledger = &mut self.nodes[node].ledger;
        ledger.held.insert(id, link);
        let at_place = ledger.places.entry(link.position).or_default();
        at_place.insert(id);
        let count = at_place.len();
        if count > 1 {
            self.forked(node, count, &link, is_honest);
        }
        if ledger_has_deleted(self, node, change.document) {
            self.hit(Probe::UpdateAfterDelete);
        }
    }

    fn forked(&mut self, node: usize, count: usize, link: &Link, is_honest: bool) {
        if count > 2 {
            self.hit(Probe::ForkThreeWays);
        }
        if link.position.2 == SeqNum::FIRST {
            self.hit(Probe::ForkAtFirst);
        } else if link.backlink.is_some() && count > 1 {
            self.hit(Probe::ForkKeptGrowing);
        }
        if is_honest {
            let ledger = &self.nodes[node].ledger;
            let store = self.driver(node).store();
            let checked = forks::at_once(node, store, ledger, &link.position);
            self.hold(checked);
        }
    }

    /// Judges what a node shows of a document that changed.
    fn judge_document(&mut self, node: usize, document: DocumentId) {
        let store = self.driver(node).store();
        let (rows, shown) = match (store.document_entries(document), store.document(document)) {
            (Ok(rows), Ok(shown)) => (rows, shown),
            (rows, shown) => {
                let difference = format!("node-{node}: {:?} {:?}", rows.err(), shown.err());
                return self.violate("stores_work", difference);
            }
        };
        let is_deleted = shown.as_ref().is_some_and(|row| row.is_deleted());
        let tips = shown.as_ref().map_or(0, |row| row.view_id.ids().len());
        let is_application = rows
            .first()
            .is_some_and(|row| matches!(row.schema_id, SchemaId::Application { .. }));
        let mut checked = Ok(());
        if is_deleted {
            checked = deleted::at_once(node, &rows, &self.known, document);
        }
        if is_application {
            let seen = (rows.as_slice(), shown.as_ref());
            checked = checked.and_then(|()| views::at_once(node, document, seen, &self.known));
        }
        let pinned = self.pins.iter().filter(|pin| {
            let lives = pin.node == node && pin.document == document;
            lives && checked.is_ok()
        });
        let mut judged = checked.clone();
        for pin in pinned {
            judged = judged.and_then(|()| pins::check(store, pin));
        }
        let remembers = self
            .pins
            .iter()
            .any(|pin| pin.node == node && pin.document == document);
        self.hold(judged);
        if is_deleted && remembers {
            self.hit(Probe::DeletedWithPin);
        }
        match tips {
            0 | 1 => {}
            2 | 3 => self.hit(Probe::ConcurrentTips),
            _ => self.hit(Probe::ManyTips),
        }
        if rows.len() >= 20 {
            self.hit(Probe::LongDocument);
        }
    }

    fn schema_added(&mut self, node: usize, id: &SchemaId) {
        self.hit(Probe::SchemaKnown);
        if !self.nodes[node].live.is_empty() {
            self.hit(Probe::AnnouncedLate);
        }
        let driver = self.nodes[node].driver.as_ref();
        let store = driver.expect("it learnt of a schema").store();
        if store.schema_entries(id).is_ok_and(|rows| !rows.is_empty()) {
            self.hit(Probe::SchemaLast);
        }
    }

    /// What a node wants to say to a peer.
    pub(super) fn say(&mut self, node: usize, peer: usize, message: Message) {
        if self.nodes[node].hostile.is_some() {
            self.say_falsely(node, peer, message);
            return;
        }
        match &message {
            Message::Entry { entry, .. } => {
                let id = Hash::of(entry).into();
                let store = self.nodes[node].driver.as_ref().map(Driver::store);
                let checked = store.map(|store| deleted::sent(node, id, store, &self.known));
                self.hold(checked.unwrap_or(Ok(())));
            }
            Message::Tips { tips, .. } => {
                let mut logs = tips.values().flat_map(|logs| logs.values());
                if logs.any(|tips| tips.len() > 1) {
                    self.hit(Probe::TipsForked);
                }
            }
            _ => {}
        }
        self.send(node, peer, &message);
    }

    /// A node hears a message.
    pub(super) fn received(&mut self, node: usize, peer: usize, message: Message) {
        if self.is_meddled(peer, node) {
            self.hit(Probe::Garbled);
        }
        let held = self.nodes[node].ledger.held.len();
        let message = {
            let Self {
                verified, keyring, ..
            } = self;
            Received::check_with(message, |bytes| {
                let hash = Hash::of(bytes);
                if let Some(signed) = verified.get(&hash) {
                    return Ok(SignedEntry::clone(signed));
                }
                let signed = SignedEntry::verify_with(bytes, keyring)?;
                verified.insert(hash, Rc::new(signed.clone()));
                Ok(signed)
            })
        };
        let had_full_disk = self.has_full_disk(node);
        let input = Input::Received {
            peer: peer_id(peer),
            message,
        };
        self.turn(node, vec![input]);
        let ledger = &self.nodes[node].ledger;
        match ledger.held.len().saturating_sub(held) {
            0 if had_full_disk => self.hit(Probe::FullOnReceive),
            0 => {}
            1 => self.hit(Probe::AcceptedFromPeer),
            _ => self.hit(Probe::Unparked),
        }
    }

    /// Checks an entry's signature, once for all nodes.
    pub(super) fn verify(&mut self, bytes: &[u8]) -> Result<SignedEntry, VerifyError> {
        let hash = Hash::of(bytes);
        if let Some(signed) = self.verified.get(&hash) {
            return Ok(SignedEntry::clone(signed));
        }
        let signed = SignedEntry::verify_with(bytes, &mut self.keyring)?;
        self.verified.insert(hash, Rc::new(signed.clone()));
        Ok(signed)
    }

    /// A node refused what a peer sent.
    fn refused(&mut self, node: usize, peer: usize, reason: Reason) {
        self.note(node, Kind::Refused, reason.code().as_bytes(), || {
            trace::Event::Refused {
                peer: node_name(peer),
                reason: reason.code().to_owned(),
            }
        });
        match reason {
            Reason::SessionDuplicate => self.hit(Probe::SessionDuplicate),
            Reason::SessionUnknown => self.hit(Probe::SessionUnknown),
            Reason::SessionUnexpected => self.hit(Probe::SessionLate),
            Reason::SessionLimit => self.hit(Probe::SessionLimit),
            _ => self.hit(Probe::RefusedEntry),
        }
        let honest = self.nodes[node].is_honest() && self.nodes[peer].is_honest();
        let spoiled = self.is_meddled(peer, node);
        // What a hostile node forged may be passed on in good faith and refused by who knows more.
        let has_hostile = self.nodes.iter().any(|node| !node.is_honest());
        if honest && !spoiled && !has_hostile && reason.phase() != ReasonPhase::Session {
            let difference = format!(
                "node-{node} refused an entry of node-{peer}: {}",
                reason.code()
            );
            self.violate("honest_entries_accepted", difference);
        }
    }

    /// What is looked at every now and then.
    pub(super) fn look_after(&mut self, node: usize) {
        let this = &mut self.nodes[node];
        if !this.ticks.is_multiple_of(LOOK_TICKS) || this.hostile.is_some() {
            return;
        }
        let Some(driver) = &this.driver else { return };
        let store = driver.store();
        let followed = readers::follow(node, store, &mut this.ledger, false);
        let counts = store.counts();
        self.hold(followed);
        let Ok(counts) = counts else {
            return self.violate("stores_work", format!("node-{node} can't count"));
        };
        if counts.parked > 0 {
            self.hit(Probe::Parked);
        }
        if counts.parked >= 10 {
            self.hit(Probe::ParkedMany);
        }
        self.hold(bounded::store(node, counts, &EngineLimits::default()));
    }
}

fn ledger_has_deleted(world: &World, node: usize, document: DocumentId) -> bool {
    world.nodes[node].ledger.deleted.contains(&document)
}
