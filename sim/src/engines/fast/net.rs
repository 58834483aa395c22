//! Connections between nodes: dialling, messages on their way, and what cut links do to them.
//!
//! A connection keeps the order of its messages, as a stream does, unless the plan meddles with them. When a
//! connection is made and which one lives is decided by the links that ship with the node.

use std::rc::Rc;

use grove_core::session::links::{LinkId, LinkInput, LinkOutput};
use grove_core::wire::Message;
use grove_node::engine::Input;

use super::connection::{Connection, FastCut, Packet};
use super::dice::Purpose;
use super::event::{Event, Side};
use super::node::TIMES;
use super::probes::Probe;
use super::tape::Kind;
use super::time::MS;
use super::world::World;
use crate::faults::cuts::CutKind;
use crate::faults::mishaps::{Meddling, Mishap};
use crate::hosts::{node_name, number_of, peer_id};
use crate::trace;

/// How long it takes until nothing but silence tells that a peer lost power, at most.
const SILENCE_MAX: u64 = 6_000_000;
/// A message that is delayed arrives this much after those behind it, at most.
const DELAY_MAX: u64 = 3_000_000;
/// Pause between two readings for a transfer, at most.
const PUMP_MAX: u64 = 2_000;
/// Messages that wait at a side that has not opened its end.
const WAITING_MAX: usize = 1_024;

impl World {
    /// How long a message takes from one host to another now, in microseconds.
    pub(super) fn latency(&self, from: usize, to: usize, nth: u64) -> u64 {
        let (low, high) = (from.min(to) as u64, from.max(to) as u64);
        let link = (low << 32) | high;
        let second = self.now / 1_000_000;
        let base = self
            .dice
            .below(self.wiring.latency_max, Purpose::Latency, link, second);
        let jitter = self.dice.below(MS, Purpose::Jitter, link, nth);
        (1 + base) * MS + jitter
    }

    /// Whether what one host sends another is cut off now, and until when.
    pub(super) fn cut(&self, from: usize, to: usize) -> Option<(CutKind, u64)> {
        if self.healed {
            return None;
        }
        let cuts = self.cuts.iter().filter(|cut| {
            let is_now = cut.from <= self.now && self.now < cut.until;
            let forth = cut.a == from && cut.b == to;
            let back = cut.a == to && cut.b == from && !cut.one_way;
            is_now && (forth || back)
        });
        cuts.map(|cut| (cut.kind, cut.until)).max()
    }

    /// Has a node look for its neighbours.
    pub(super) fn want_neighbours(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            if self.wiring.joins(node, other) {
                self.tell_links(node, LinkInput::Want(peer_id(other)));
            }
        }
    }

    pub(super) fn tell_time(&mut self, node: usize, boot: u32) {
        if self.nodes[node].boot == boot {
            self.nodes[node].links_at = None;
            self.tell_links(node, LinkInput::Time);
        }
    }

    /// Tells a node's links what happened, and does what they want.
    pub(super) fn tell_links(&mut self, node: usize, input: LinkInput) {
        if self.nodes[node].driver.is_none() {
            return;
        }
        let random = self.dice.number(Purpose::Link, node as u64, self.now);
        let this = &mut self.nodes[node];
        let now = this.clock.read(self.now);
        this.links.handle(now, input, random);
        loop {
            match self.nodes[node].links.poll() {
                LinkOutput::Dial { peer, link } => self.dial(node, number_of(peer), link),
                LinkOutput::Open { link, .. } => self.open(node, link),
                LinkOutput::Close(link) => self.close(node, link),
                LinkOutput::Tick => self.tick(node),
                LinkOutput::Wait(until) => {
                    let this = &mut self.nodes[node];
                    let now = this.clock.read(self.now);
                    let Some(until) = until else { return };
                    let at = self.now + until.0.saturating_sub(now.0).max(MS);
                    // An earlier look is planned already: then there will be another one.
                    if this.links_at.is_none_or(|planned| at < planned) {
                        this.links_at = Some(at);
                        let boot = this.boot;
                        self.queue.plan(at, Event::Links { node, boot });
                    }
                    return;
                }
            }
            if self.violation.is_some() {
                return;
            }
        }
    }

    fn tick(&mut self, node: usize) {
        self.nodes[node].ticks += 1;
        self.turn(node, vec![Input::Tick]);
        self.look_after(node);
    }

    fn dial(&mut self, node: usize, other: usize, link: LinkId) {
        let connection = self.connections.len();
        let boots = [self.nodes[node].boot, self.nodes[other].boot];
        self.connections.push(Connection {
            ends: [node, other],
            links: [Some(link), None],
            boots,
            open: [false; 2],
            ended: [false; 2],
            waiting: Default::default(),
            last_arrival: [0; 2],
            sent: [0; 2],
            is_lossy: false,
        });
        self.nodes[node].connections.insert(link, connection);
        if self.cut(node, other).is_some() || self.cut(other, node).is_some() {
            self.hit(Probe::DialFails);
            self.fail_dial(connection, TIMES.dial_max.0);
        } else {
            let at = self.now + self.latency(node, other, connection as u64);
            self.queue.plan(at, Event::Knock { connection });
        }
    }

    fn fail_dial(&mut self, connection: usize, after: u64) {
        let Connection {
            ends, links, boots, ..
        } = &self.connections[connection];
        let link = links[0].expect("whoever dials has a name for it");
        let (node, boot) = (ends[0], boots[0]);
        let event = Event::DialFailed { node, boot, link };
        self.connections[connection].ended = [true; 2];
        self.queue.plan(self.now + after, event);
    }

    pub(super) fn dial_failed(&mut self, node: usize, boot: u32, link: LinkId) {
        if self.nodes[node].boot == boot {
            self.nodes[node].connections.remove(&link);
            self.tell_links(node, LinkInput::Failed(link));
        }
    }

    /// Somebody is dialled.
    pub(super) fn knock(&mut self, connection: usize) {
        let [node, other] = self.connections[connection].ends;
        let latency = self.latency(node, other, connection as u64);
        let paused = self.nodes[other].paused_until;
        if paused.is_some_and(|until| self.now < until) {
            self.queue
                .plan(paused.unwrap_or(self.now), Event::Knock { connection });
            return;
        }
        let this = &mut self.nodes[other];
        if this.driver.is_none() {
            self.hit(Probe::DialRefused);
            self.fail_dial(connection, latency);
            return;
        }
        let link = this.links.name();
        this.connections.insert(link, connection);
        let made = &mut self.connections[connection];
        made.links[1] = Some(link);
        made.boots[1] = self.nodes[other].boot;
        self.queue
            .plan(self.now + latency, Event::Admitted { connection });
        if self.nodes[other].live.contains_key(&node) {
            self.hit(Probe::Crossing);
        }
        self.tell_links(other, LinkInput::Accepted(peer_id(node), link));
    }

    pub(super) fn admitted(&mut self, connection: usize) {
        let made = &self.connections[connection];
        let (node, link) = (made.ends[0], made.links[0].expect("it dialled"));
        if self.nodes[node].boot == made.boots[0] && !made.ended[0] {
            self.tell_links(node, LinkInput::Dialled(link));
        } else {
            // Nobody is there any more, as whoever was dialled is told by the first answer.
            let latency = self.latency(node, made.ends[1], connection as u64);
            self.plan_hangup(connection, 1, latency);
        }
    }

    fn side_of(&self, node: usize, link: LinkId) -> Option<(usize, Side)> {
        let connection = *self.nodes[node].connections.get(&link)?;
        let links = &self.connections[connection].links;
        let ends = &self.connections[connection].ends;
        let side = (0..2).find(|side| ends[*side] == node && links[*side] == Some(link))?;
        Some((connection, side))
    }

    /// Messages go over this connection from now on.
    fn open(&mut self, node: usize, link: LinkId) {
        let Some((connection, side)) = self.side_of(node, link) else {
            return;
        };
        let peer = self.connections[connection].ends[1 - side];
        if self.nodes[node].live.insert(peer, connection).is_some() {
            self.hit(Probe::Replaced);
        }
        self.connections[connection].open[side] = true;
        self.nodes[node].transfers.remove(&peer);
        self.note_peer(node, peer, true);
        self.turn(node, vec![Input::PeerConnected(peer_id(peer))]);
        while let Some(packet) = self.connections[connection].waiting[side].pop_front() {
            self.hit(Probe::BytesBeforeOpen);
            self.arrive(connection, side, packet);
        }
    }

    /// A node ends a connection.
    fn close(&mut self, node: usize, link: LinkId) {
        let Some((connection, side)) = self.side_of(node, link) else {
            return;
        };
        self.nodes[node].connections.remove(&link);
        self.end_side(connection, side);
        let peer = self.connections[connection].ends[1 - side];
        let latency = self.latency(node, peer, connection as u64);
        self.plan_hangup(connection, 1 - side, latency);
    }

    fn plan_hangup(&mut self, connection: usize, side: Side, latency: u64) {
        let last = self.connections[connection].last_arrival[side];
        let at = (self.now + latency).max(last + 1);
        self.queue.plan(at, Event::Hangup { connection, side });
    }

    /// Nothing is said or heard at this end any more.
    fn end_side(&mut self, connection: usize, side: Side) {
        let this = &mut self.connections[connection];
        this.ended[side] = true;
        this.waiting[side].clear();
        let (node, peer) = (this.ends[side], this.ends[1 - side]);
        if std::mem::take(&mut this.open[side])
            && self.nodes[node].live.get(&peer) == Some(&connection)
        {
            self.nodes[node].live.remove(&peer);
            if self.nodes[node].transfers.remove(&peer).is_some() {
                self.hit(Probe::CutMidSession);
            }
            self.note_peer(node, peer, false);
            self.turn(node, vec![Input::PeerDisconnected(peer_id(peer))]);
        }
    }

    /// A side hears that the connection is gone.
    pub(super) fn hangup(&mut self, connection: usize, side: Side) {
        let this = &self.connections[connection];
        let node = this.ends[side];
        let Some(link) = this.links[side].filter(|_| !this.ended[side]) else {
            return;
        };
        if self.nodes[node].boot != this.boots[side] {
            return;
        }
        if !this.open[side] {
            self.hit(Probe::HangupUnopened);
        }
        self.end_side(connection, side);
        self.nodes[node].connections.remove(&link);
        self.tell_links(node, LinkInput::Lost(link));
    }

    /// All connections of a node end because it does; the others hear of it at once, or by the silence.
    pub(super) fn abandon(&mut self, node: usize, in_silence: bool) {
        for connection in 0..self.connections.len() {
            let this = &mut self.connections[connection];
            let Some(side) = this.ends.iter().position(|end| *end == node) else {
                continue;
            };
            if this.ended[side] {
                continue;
            }
            this.ended[side] = true;
            this.open[side] = false;
            this.waiting[side].clear();
            if this.links[1 - side].is_some() && !this.ended[1 - side] {
                let peer = this.ends[1 - side];
                let nth = connection as u64;
                let mut latency = self.latency(node, peer, nth);
                if in_silence {
                    latency += self
                        .dice
                        .below(SILENCE_MAX, Purpose::Silence, node as u64, nth);
                }
                self.plan_hangup(connection, 1 - side, latency);
            } else if this.links[1].is_none() && side == 1 {
                self.fail_dial(connection, TIMES.dial_max.0);
            }
        }
    }

    /// Breaks the connections between two nodes.
    pub(super) fn reset(&mut self, a: usize, b: usize) {
        for connection in 0..self.connections.len() {
            let this = &self.connections[connection];
            if this.ends == [a, b] || this.ends == [b, a] {
                for side in 0..2 {
                    if self.connections[connection].links[side].is_some() {
                        self.queue
                            .plan(self.now, Event::Hangup { connection, side });
                    }
                }
            }
        }
    }

    /// A link is whole again: connections that lost bytes break, as TCP would have it in the end.
    pub(super) fn cut_heals(&mut self, cut: usize) {
        let FastCut { a, b, .. } = self.cuts[cut];
        if !self.healed && a < self.nodes.len() && b < self.nodes.len() {
            self.break_lossy(a, b);
        }
    }

    fn break_lossy(&mut self, a: usize, b: usize) {
        let between = |ends: [usize; 2]| ends == [a, b] || ends == [b, a];
        let lossy = |this: &Connection| this.is_lossy && between(this.ends);
        if self.connections.iter().any(lossy) {
            self.connections
                .iter_mut()
                .filter(|this| between(this.ends))
                .for_each(|this| this.is_lossy = false);
            self.reset(a, b);
        }
    }

    /// Everything that lost bytes breaks.
    pub(super) fn break_all_lossy(&mut self) {
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                self.break_lossy(a, b);
            }
        }
    }

    /// Sends a message over the connection that lives, if there is one.
    pub(super) fn send(&mut self, node: usize, peer: usize, message: &Message) {
        let Some(&connection) = self.nodes[node].live.get(&peer) else {
            return;
        };
        self.counts.messages += 1;
        self.honest_messages +=
            u64::from(self.nodes[node].is_honest() && self.nodes[peer].is_honest());
        if matches!(message, Message::Skeleton { .. }) {
            self.counts.skeletons += 1;
            self.hit(Probe::SkeletonSent);
        }
        let bytes: Rc<[u8]> = message.encode().into();
        self.note(node, Kind::Sent, &[], || told(peer, message, bytes.len()));
        let message = Some(Rc::new(message.clone()));
        self.send_packet(connection, node, Packet { bytes, message });
    }

    fn send_packet(&mut self, connection: usize, node: usize, packet: Packet) {
        let this = &mut self.connections[connection];
        let side = usize::from(this.ends[0] == node);
        let peer = this.ends[side];
        let nth = this.sent[side];
        this.sent[side] += 1;
        if let Some((CutKind::Loss, _)) = self.cut(node, peer) {
            self.hit(Probe::LostOnCut);
            if self.cut(peer, node).is_none() {
                self.hit(Probe::OneWay);
            }
            self.connections[connection].is_lossy = true;
            return;
        }
        let latency = self.latency(node, peer, nth);
        let mut at = match self.cut(node, peer) {
            Some((CutKind::Stall, until)) => {
                self.hit(Probe::StalledOnCut);
                until + latency
            }
            _ => self.now + latency,
        };
        let this = &mut self.connections[connection];
        at = at.max(this.last_arrival[side] + 1);
        this.last_arrival[side] = at;
        let arrival = |packet| Event::Bytes {
            connection,
            side,
            packet,
        };
        match self.meddling(node, peer, connection, nth) {
            None => self.queue.plan(at, arrival(packet)),
            Some(Meddling::Drop) => self.connections[connection].is_lossy = true,
            Some(Meddling::Duplicate) => {
                self.queue.plan(at, arrival(packet.clone()));
                self.queue.plan(at + 1, arrival(packet));
            }
            Some(Meddling::Delay) => {
                let entity = connection as u64;
                let delay = self.dice.below(DELAY_MAX, Purpose::Garble, entity, nth);
                self.queue.plan(at + delay, arrival(packet));
            }
            Some(Meddling::Garble) => {
                let bits = packet.bytes.len() as u64 * 8;
                let entity = connection as u64;
                let bit = self.dice.below(bits, Purpose::Garble, entity, nth);
                let mut bytes = packet.bytes.to_vec();
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                self.connections[connection].is_lossy = true;
                let (bytes, message) = (bytes.into(), None);
                self.queue.plan(at, arrival(Packet { bytes, message }));
            }
        }
    }

    /// What the plan does to this message.
    fn meddling(&self, node: usize, peer: usize, connection: usize, nth: u64) -> Option<Meddling> {
        if self.healed || self.plan.faults.is_empty() {
            return None;
        }
        let now_ms = self.now / MS;
        let mut faults = self.plan.faults.iter().enumerate();
        faults.find_map(|(number, mishap)| match mishap {
            Mishap::Messages {
                from,
                to,
                what,
                percent,
                at_ms,
                until_ms,
            } if (*from, *to) == (node, peer) && (*at_ms..*until_ms).contains(&now_ms) => {
                let entity = ((connection as u64) << 16) | number as u64;
                let happens = self.dice.chance(*percent, Purpose::Meddle, entity, nth);
                happens.then_some(*what)
            }
            _ => None,
        })
    }

    /// Whether the plan ever spoils what one node sends another, so that the receiver may refuse it.
    pub(super) fn is_meddled(&self, from: usize, to: usize) -> bool {
        self.plan.faults.iter().any(|mishap| {
            matches!(mishap, Mishap::Messages { from: a, to: b, .. } if (*a, *b) == (from, to))
        })
    }

    /// A message arrives.
    pub(super) fn arrive(&mut self, connection: usize, side: Side, packet: Packet) {
        let this = &mut self.connections[connection];
        let (node, peer) = (this.ends[side], this.ends[1 - side]);
        if this.ended[side] || self.nodes[node].boot != this.boots[side] {
            self.hit(Probe::BytesAfterEnd);
            // Who sends into a connection that is gone is told so.
            let latency = self.latency(node, peer, connection as u64);
            self.plan_hangup(connection, 1 - side, latency);
            return;
        }
        if let Some(until) = self.nodes[node].paused_until
            && self.now < until
        {
            let event = Event::Bytes {
                connection,
                side,
                packet,
            };
            self.queue.plan(until, event);
            return;
        }
        if !this.open[side] {
            if this.waiting[side].len() < WAITING_MAX {
                this.waiting[side].push_back(packet);
            }
            return;
        }
        let Packet { bytes, message } = packet;
        self.note(node, Kind::Arrived, &bytes, || trace::Event::Read {
            peer: node_name(peer),
            size: bytes.len(),
            hash: blake3::hash(&bytes).to_hex()[..16].to_owned(),
        });
        let message = match message {
            Some(message) => Some(Rc::unwrap_or_clone(message)),
            None => Message::decode(&bytes).ok(),
        };
        match message {
            Some(message) => self.received(node, peer, message),
            None => {
                self.hit(Probe::Unreadable);
                // The stream makes no sense any more, so the node ends it.
                for side in 0..2 {
                    self.queue
                        .plan(self.now, Event::Hangup { connection, side });
                }
            }
        }
    }

    /// Reads the next entries for a peer.
    pub(super) fn pump(&mut self, node: usize, boot: u32, peer: usize) {
        let now = self.nodes[node].clock.read(self.now);
        let this = &mut self.nodes[node];
        if this.boot != boot {
            return;
        }
        let (Some(driver), Some(waiting)) = (&this.driver, this.transfers.get_mut(&peer)) else {
            return;
        };
        let Some(transfer) = waiting.front_mut() else {
            return;
        };
        let messages = match transfer.step(now, driver.store()) {
            Ok(messages) => messages,
            Err(error) => {
                self.violate("stores_work", format!("node-{node}: {error}"));
                return;
            }
        };
        let mut ended = None;
        if transfer.is_over() {
            let session = transfer.session();
            let is_whole = matches!(messages.last(), Some(Message::SyncDone { .. }));
            waiting.pop_front();
            ended = Some((session, is_whole));
        }
        let goes_on = !waiting.is_empty();
        // The engine hears of the end before the peer does, and answers behind it.
        let turn = ended.and_then(|(session, is_whole)| {
            let peer = peer_id(peer);
            let input = Input::Transferred {
                peer,
                session,
                is_whole,
            };
            if !is_whole {
                self.hit(Probe::TransferGivenUp);
            }
            self.take_turn(node, vec![input])
        });
        if ended.is_none() {
            self.hit(Probe::TransferSteps);
        }
        for message in messages {
            self.say(node, peer, message);
        }
        if let Some(turn) = turn {
            self.heed(node, turn);
        }
        if goes_on {
            self.plan_pump(node, peer);
        }
    }

    pub(super) fn plan_pump(&mut self, node: usize, peer: usize) {
        let boot = self.nodes[node].boot;
        let pause = self
            .dice
            .below(PUMP_MAX, Purpose::Pump, peer as u64, self.now);
        self.queue
            .plan(self.now + 1 + pause, Event::Pump { node, boot, peer });
    }

    fn note_peer(&mut self, node: usize, peer: usize, connected: bool) {
        let bytes = [peer as u8, u8::from(connected)];
        self.note(node, Kind::Peer, &bytes, || trace::Event::Peer {
            peer: node_name(peer),
            connected,
        });
    }
}

fn told(peer: usize, message: &Message, size: usize) -> trace::Event {
    let entry = match message {
        Message::Entry { entry, .. } | Message::Skeleton { entry, .. } => {
            Some(grove_core::types::Hash::of(entry).to_string())
        }
        _ => None,
    };
    trace::Event::Message {
        peer: node_name(peer),
        kind: trace::kind(message).to_owned(),
        size,
        entry,
    }
}
