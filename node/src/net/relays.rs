//! Relays: nodes that everybody reaches, and by which those find and reach each other that nobody can dial.
//!
//! A node that uses a relay has a place reserved at it, so that others reach it through there, tells at the relay's
//! rendezvous point where it is, and asks there for others. What of it goes directly afterwards is arranged by the
//! two ends themselves. This file knows how far that is with each relay, and what is to be done next.
//!
//! Always true:
//! - A place is reserved only at relays that the operator named.
//! - Others are looked for at a rendezvous point more and more rarely, in the end every [`LOOK_INTERVAL`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use grove_core::session::PeerId;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::identity::libp2p_id;

/// Where nodes of this network meet. That of deployed nodes.
pub(super) const NAMESPACE: &str = "aquadoggo";

/// How often it is asked who else is there, in the end: at first after less, doubled each time.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);

/// How long after a place was reserved others are looked for: it takes a moment to be known.
const LOOK_FIRST: Duration = Duration::from_millis(500);

/// The relays of a node.
#[derive(Debug, Default)]
pub(super) struct Relays {
    /// Names that stand for relays, and those of relays that were met.
    names: BTreeSet<PeerId>,
    connected: BTreeMap<PeerId, Relay>,
}

#[derive(Debug)]
struct Relay {
    address: Multiaddr,
    /// When others are looked for next; unknown until a place is reserved.
    look_at: Option<Instant>,
    pause: Duration,
}

impl Relays {
    /// Whoever has this name is a relay.
    pub(super) fn name(&mut self, peer: PeerId) {
        self.names.insert(peer);
    }

    /// Learns who is behind a name that stands for somebody.
    pub(super) fn learn(&mut self, stand_in: PeerId, peer: PeerId) {
        if self.names.remove(&stand_in) {
            self.names.insert(peer);
        }
    }

    /// A peer told what it does. Where to listen, if it is a relay at which no place is reserved yet.
    pub(super) fn reserve(&mut self, peer: PeerId, address: &Multiaddr) -> Option<Multiaddr> {
        if !self.names.contains(&peer) || self.connected.contains_key(&peer) {
            return None;
        }
        let mut address = address.clone();
        if !matches!(address.iter().last(), Some(Protocol::P2p(_))) {
            address.push(Protocol::P2p(libp2p_id(peer)));
        }
        let listen = address.clone().with(Protocol::P2pCircuit);
        let relay = Relay {
            address,
            look_at: None,
            pause: LOOK_FIRST,
        };
        self.connected.insert(peer, relay);
        Some(listen)
    }

    /// A place is reserved at this relay.
    pub(super) fn reserved(&mut self, peer: PeerId) {
        if let Some(relay) = self.connected.get_mut(&peer) {
            let soon = Instant::now() + LOOK_FIRST;
            relay.look_at.get_or_insert(soon);
        }
    }

    /// The connection to a relay is gone, and the place with it.
    pub(super) fn lose(&mut self, peer: PeerId) {
        self.connected.remove(&peer);
    }

    /// The relays at whose rendezvous points others are to be looked for now.
    pub(super) fn due(&mut self) -> Vec<PeerId> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (peer, relay) in &mut self.connected {
            if relay.look_at.is_some_and(|at| now >= at) {
                relay.look_at = Some(now + relay.pause);
                relay.pause = (relay.pause * 2).min(LOOK_INTERVAL);
                due.push(*peer);
            }
        }
        due
    }

    /// How long until others are to be looked for.
    pub(super) fn pause(&self) -> Option<Duration> {
        let next = self.connected.values().filter_map(|relay| relay.look_at);
        let next = next.min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Where a peer is reached through a relay.
    pub(super) fn through(&self, relay: PeerId, peer: libp2p::PeerId) -> Option<Multiaddr> {
        let relay = self.connected.get(&relay)?;
        let address = relay.address.clone().with(Protocol::P2pCircuit);
        Some(address.with(Protocol::P2p(peer)))
    }
}
