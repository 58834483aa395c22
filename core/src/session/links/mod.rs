//! Which connections a node keeps to its peers: whom to dial and when again, which of two connections to
//! one peer lives, and when sessions are to be looked after.
//!
//! Sees only what happened to connections, the time, and a random number to spread attempts with. Dialling,
//! accepting, closing and what is said on a connection are the caller's. A connection counts from when the
//! identity of its other end is certain.
//!
//! Two connections to one peer, one dialled by each side, cross when both were dialled before either side
//! knew of the other: then that of the greater id lives, as with crossing requests (RP8). In all other
//! cases whoever dials anew has lost the connection before, so that the newer one lives.
//!
//! Always true:
//! - At most one connection per peer lives, and at most one attempt per peer is under way.
//! - A peer that is wanted and not connected is being dialled, or will be within [`LinkTimes::redial_max`].
//! - A connection that does not live, or lives no more, is closed.

use std::collections::{BTreeMap, VecDeque};

use super::PeerId;
use crate::time::{Duration, Instant};

/// How long the parts of keeping connections take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkTimes {
    /// How long making a connection may take. Two connections that were opened within this time of each
    /// other may have crossed.
    pub dial_max: Duration,
    /// The longest pause before the second attempt; it doubles with every attempt that fails.
    pub redial_min: Duration,
    /// The longest pause ever.
    pub redial_max: Duration,
    /// How long a connection must live for the one after it to count as the first attempt again.
    pub stable: Duration,
    /// How often sessions are looked after while anybody is connected.
    pub tick: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            dial_max: Duration::from_secs(10),
            redial_min: Duration::from_secs(1),
            redial_max: Duration::from_secs(300),
            stable: Duration::from_secs(30),
            tick: Duration(250_000),
        }
    }
}

/// Names a connection, or the attempt that led to it. No two of one node have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What happened to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkInput {
    /// A connection to this peer is wanted from now on.
    Want(PeerId),
    /// No connection to this peer is wanted any more; one that lives is closed.
    Forget(PeerId),
    /// An attempt to dial led to a connection.
    Dialled(LinkId),
    /// An attempt to dial failed.
    Failed(LinkId),
    /// This peer dialled us; the connection was given a name of [`Links::name`].
    Accepted(PeerId, LinkId),
    /// An address was dialled of which it was not known whose it is, and this peer was there. The connection was
    /// given a name of [`Links::name`]; one to this peer is wanted from now on.
    Met(PeerId, LinkId),
    /// A connection is gone.
    Lost(LinkId),
    /// Nothing, but time passed.
    Time,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkOutput {
    /// Dial this peer; what comes of it is told with this name.
    Dial {
        /// Whom.
        peer: PeerId,
        /// The attempt, and the connection it leads to.
        link: LinkId,
    },
    /// This connection lives: messages go over it, in place of any other to the same peer.
    Open {
        /// Whose.
        peer: PeerId,
        /// Which.
        link: LinkId,
    },
    /// Close this connection. Its end need not be told.
    Close(LinkId),
    /// Sessions are to be looked after.
    Tick,
    /// Nothing more for now. Time alone changes something at this time, if ever.
    Wait(Option<Instant>),
}

/// The connections of a node.
#[derive(Debug, Clone)]
pub struct Links {
    local: PeerId,
    times: LinkTimes,
    peers: BTreeMap<PeerId, Link>,
    /// Which peer the attempts under way and the connections that live belong to.
    names: BTreeMap<LinkId, PeerId>,
    next: u64,
    next_tick: Option<Instant>,
    outputs: VecDeque<LinkOutput>,
}

/// What is known of one peer.
#[derive(Debug, Clone, Default)]
struct Link {
    wanted: bool,
    alive: Option<Alive>,
    attempt: Attempt,
    /// Attempts that failed one after the other, or led to connections that did not last.
    failures: u32,
}

/// The connection that lives.
#[derive(Debug, Clone, Copy)]
struct Alive {
    link: LinkId,
    since: Instant,
    dialled_by: PeerId,
}

/// How far dialling is.
#[derive(Debug, Clone, Copy, Default)]
enum Attempt {
    #[default]
    None,
    Planned {
        at: Instant,
    },
    UnderWay {
        link: LinkId,
        until: Instant,
    },
}

impl Links {
    /// No connections yet.
    pub fn new(local: PeerId, times: LinkTimes) -> Self {
        Self {
            local,
            times,
            peers: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 0,
            next_tick: None,
            outputs: VecDeque::new(),
        }
    }

    /// The connection to this peer that lives.
    pub fn alive(&self, peer: PeerId) -> Option<LinkId> {
        let link = self.peers.get(&peer)?;
        link.alive.map(|alive| alive.link)
    }

    /// How many peers are connected.
    pub fn count(&self) -> usize {
        let links = self.peers.values();
        links.filter(|link| link.alive.is_some()).count()
    }

    /// Learns what happened. `random` spreads attempts of many nodes; any number does.
    pub fn handle(&mut self, now: Instant, input: LinkInput, random: u64) {
        match input {
            LinkInput::Want(peer) => {
                let link = self.peers.entry(peer).or_default();
                if !link.wanted && peer != self.local {
                    link.wanted = true;
                    self.plan(now, peer, now);
                }
            }
            LinkInput::Forget(peer) => self.forget(peer),
            LinkInput::Dialled(link) => self.dialled(now, link),
            LinkInput::Failed(link) => self.failed(now, link, random),
            LinkInput::Accepted(peer, link) | LinkInput::Met(peer, link) if peer == self.local => {
                self.outputs.push_back(LinkOutput::Close(link));
            }
            LinkInput::Accepted(peer, link) => self.open(now, peer, link, peer),
            LinkInput::Met(peer, link) => {
                self.peers.entry(peer).or_default().wanted = true;
                self.open(now, peer, link, self.local);
            }
            LinkInput::Lost(link) => self.lost(now, link, random),
            LinkInput::Time => {}
        }
        self.advance(now, random);
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> LinkOutput {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => LinkOutput::Wait(self.next_change()),
        }
    }

    /// Does what is due.
    fn advance(&mut self, now: Instant, random: u64) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            match self.peers.get(&peer).map(|link| link.attempt) {
                Some(Attempt::UnderWay { link, until }) if now >= until => {
                    self.failed(now, link, random);
                }
                Some(Attempt::Planned { at }) if now >= at => self.dial(now, peer),
                _ => {}
            }
        }
        if self.count() == 0 {
            self.next_tick = None;
        } else if self.next_tick.is_none_or(|at| now >= at) {
            // The first one greets whoever has just come; after a pause there is one, not many.
            self.next_tick = Some(now.after(self.times.tick));
            self.outputs.push_back(LinkOutput::Tick);
        }
    }

    fn next_change(&self) -> Option<Instant> {
        let attempts = self.peers.values().filter_map(|link| match link.attempt {
            Attempt::None => None,
            Attempt::Planned { at } => Some(at),
            Attempt::UnderWay { until, .. } => Some(until),
        });
        attempts.chain(self.next_tick).min()
    }

    /// A name that no attempt and no connection has.
    pub fn name(&mut self) -> LinkId {
        let link = LinkId(self.next);
        self.next += 1;
        link
    }

    fn dial(&mut self, now: Instant, peer: PeerId) {
        let link = self.name();
        let until = now.after(self.times.dial_max);
        if let Some(known) = self.peers.get_mut(&peer) {
            known.attempt = Attempt::UnderWay { link, until };
            self.names.insert(link, peer);
            self.outputs.push_back(LinkOutput::Dial { peer, link });
        }
    }

    /// Dials a peer at this time, unless somebody else made a connection until then.
    fn plan(&mut self, now: Instant, peer: PeerId, at: Instant) {
        let Some(link) = self.peers.get_mut(&peer) else {
            return;
        };
        if link.wanted && link.alive.is_none() && matches!(link.attempt, Attempt::None) {
            assert!(at >= now, "an attempt is planned for the past");
            link.attempt = Attempt::Planned { at };
        }
    }

    fn dialled(&mut self, now: Instant, link: LinkId) {
        match self.end_attempt(link) {
            Some(peer) => self.open(now, peer, link, self.local),
            None if self.names.contains_key(&link) => {}
            // It took too long, or nobody wants it any more.
            None => self.outputs.push_back(LinkOutput::Close(link)),
        }
    }

    fn failed(&mut self, now: Instant, link: LinkId, random: u64) {
        let Some(peer) = self.end_attempt(link) else {
            return;
        };
        if let Some(known) = self.peers.get_mut(&peer) {
            known.failures = known.failures.saturating_add(1);
        }
        let at = now.after(self.pause(peer, random));
        self.plan(now, peer, at);
        self.drop_unknown(peer);
    }

    /// Ends the attempt of this name; whose it was, if it was under way.
    fn end_attempt(&mut self, link: LinkId) -> Option<PeerId> {
        let peer = *self.names.get(&link)?;
        let known = self.peers.get_mut(&peer)?;
        if !matches!(known.attempt, Attempt::UnderWay { link: under_way, .. } if under_way == link)
        {
            return None;
        }
        known.attempt = Attempt::None;
        self.names.remove(&link);
        Some(peer)
    }

    /// Decides which connection to a peer lives.
    fn open(&mut self, now: Instant, peer: PeerId, link: LinkId, dialled_by: PeerId) {
        let crossing_max = self.times.dial_max;
        let known = self.peers.entry(peer).or_default();
        if let Some(alive) = known.alive {
            let crossed = alive.dialled_by != dialled_by && now < alive.since.after(crossing_max);
            if crossed && alive.dialled_by > dialled_by {
                self.outputs.push_back(LinkOutput::Close(link));
                return;
            }
        }
        let alive = Alive {
            link,
            since: now,
            dialled_by,
        };
        if let Attempt::Planned { .. } = known.attempt {
            known.attempt = Attempt::None;
        }
        let before = known.alive.replace(alive);
        self.names.insert(link, peer);
        if let Some(before) = before {
            self.close(before.link);
        }
        self.outputs.push_back(LinkOutput::Open { peer, link });
    }

    fn lost(&mut self, now: Instant, link: LinkId, random: u64) {
        let Some(&peer) = self.names.get(&link) else {
            return;
        };
        let Some(known) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(alive) = known.alive.filter(|alive| alive.link == link) else {
            return;
        };
        known.alive = None;
        self.names.remove(&link);
        if now >= alive.since.after(self.times.stable) {
            known.failures = 0;
        }
        let at = now.after(self.pause(peer, random));
        if let Some(known) = self.peers.get_mut(&peer) {
            known.failures = known.failures.saturating_add(1);
        }
        self.plan(now, peer, at);
        self.drop_unknown(peer);
    }

    fn forget(&mut self, peer: PeerId) {
        let Some(known) = self.peers.remove(&peer) else {
            return;
        };
        if let Attempt::UnderWay { link, .. } = known.attempt {
            self.names.remove(&link);
        }
        if let Some(alive) = known.alive {
            self.close(alive.link);
        }
    }

    /// Closes a connection that lived; nothing that happens to it from now on is of interest.
    fn close(&mut self, link: LinkId) {
        self.names.remove(&link);
        self.outputs.push_back(LinkOutput::Close(link));
    }

    /// Forgets a peer that only ever dialled us and is gone.
    fn drop_unknown(&mut self, peer: PeerId) {
        let is_idle = |link: &Link| {
            !link.wanted && link.alive.is_none() && matches!(link.attempt, Attempt::None)
        };
        if self.peers.get(&peer).is_some_and(is_idle) {
            self.peers.remove(&peer);
        }
    }

    /// How long to wait before the next attempt: between half of the longest pause and all of it, and at
    /// first of the shortest one, doubled with every failure.
    fn pause(&self, peer: PeerId, random: u64) -> Duration {
        let failures = self.peers.get(&peer).map_or(0, |link| link.failures);
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1));
        let longest = doubled.and_then(|times| self.times.redial_min.0.checked_mul(times));
        let longest = longest.map_or(self.times.redial_max.0, |longest| {
            longest.min(self.times.redial_max.0)
        });
        let half = longest / 2;
        Duration(longest - half + random % (half + 1))
    }
}

#[cfg(test)]
mod tests;
