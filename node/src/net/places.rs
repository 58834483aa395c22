//! Where peers are looked for: addresses that the operator named, and those found in the local network or told by
//! a rendezvous point.
//!
//! Names are resolved each time somebody is dialled, so that a node that moved is found again. The peer behind an
//! address that was named is not known before it is reached for the first time; until then a name made from the
//! address stands for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use grove_core::session::PeerId;
use grove_core::types::Hash;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::config::NodeAddress;

/// How long looking up a name may take.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Addresses that are tried for one peer, or one name.
const ADDRESSES_MAX: usize = 16;

/// Peers that are looked for because somebody told of them, beside those that the operator named.
const FOUND_MAX: usize = 256;

/// Where peers are looked for.
#[derive(Debug, Default)]
pub(super) struct Places {
    named: BTreeMap<PeerId, NodeAddress>,
    found: BTreeMap<PeerId, BTreeSet<Multiaddr>>,
}

impl Places {
    /// An address that was named, and the name that stands for whoever is there.
    pub(super) fn name(&mut self, address: NodeAddress) -> PeerId {
        let stand_in = stand_in(&address);
        self.named.insert(stand_in, address);
        stand_in
    }

    /// Learns who is at an address that was named. Somebody else may have been there before: who is returned.
    pub(super) fn learn(&mut self, before: PeerId, peer: PeerId) {
        if let Some(address) = self.named.remove(&before) {
            self.named.insert(peer, address);
        }
    }

    /// Somebody else than this peer is at its address: a stand-in for whoever it is.
    pub(super) fn unlearn(&mut self, peer: PeerId) -> Option<(PeerId, NodeAddress)> {
        let address = self.named.remove(&peer)?;
        Some((self.name(address.clone()), address))
    }

    /// Somebody told where a peer is. Says whether it is looked for from now on.
    pub(super) fn find(&mut self, peer: PeerId, address: Multiaddr) -> bool {
        let is_new = !self.found.contains_key(&peer);
        if is_new && self.found.len() >= FOUND_MAX {
            return false;
        }
        let addresses = self.found.entry(peer).or_default();
        if addresses.len() < ADDRESSES_MAX {
            addresses.insert(address);
        }
        is_new && !self.named.contains_key(&peer)
    }

    /// What somebody told is true no more. Says whether the peer is looked for no more.
    pub(super) fn lose(&mut self, peer: PeerId, address: &Multiaddr) -> bool {
        let Some(addresses) = self.found.get_mut(&peer) else {
            return false;
        };
        addresses.remove(address);
        let is_lost = addresses.is_empty();
        if is_lost {
            self.found.remove(&peer);
        }
        is_lost && !self.named.contains_key(&peer)
    }

    /// Where to dial a peer: an address that is to be looked up, and others.
    pub(super) fn of(&self, peer: PeerId) -> Place {
        let found = self.found.get(&peer).into_iter().flatten();
        Place {
            address: self.named.get(&peer).cloned(),
            is_known: self
                .named
                .get(&peer)
                .is_none_or(|address| stand_in(address) != peer),
            found: found.cloned().collect(),
        }
    }
}

/// Where a peer is to be dialled.
#[derive(Debug)]
pub(super) struct Place {
    address: Option<NodeAddress>,
    /// Whether it is known who is there.
    pub(super) is_known: bool,
    found: Vec<Multiaddr>,
}

impl Place {
    /// The addresses to dial, by the transports that are there.
    pub(super) async fn resolve(self, has_quic: bool) -> VecDeque<Multiaddr> {
        let mut addresses: VecDeque<Multiaddr> = self.found.into();
        if let Some(address) = self.address {
            let looked_up = timeout(LOOKUP_MAX, lookup_host((&*address.host, address.port))).await;
            match looked_up {
                Ok(Ok(sockets)) => {
                    let sockets: Vec<_> = sockets.take(ADDRESSES_MAX).collect();
                    let transports = has_quic.then_some(quic as fn(SocketAddr) -> Multiaddr);
                    let transports = transports.into_iter().chain([tcp as fn(_) -> _]);
                    addresses.extend(
                        transports.flat_map(|transport| sockets.iter().copied().map(transport)),
                    );
                }
                Ok(Err(error)) => tracing::debug!(%error, %address, "an address has no meaning"),
                Err(_) => tracing::debug!(%address, "looking up an address took too long"),
            }
        }
        addresses.truncate(ADDRESSES_MAX * 2);
        addresses
    }
}

fn stand_in(address: &NodeAddress) -> PeerId {
    PeerId(*Hash::of(address.to_string().as_bytes()).digest())
}

/// The address of a socket over QUIC.
pub(super) fn quic(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(ip(socket.ip()))
        .with(Protocol::Udp(socket.port()))
        .with(Protocol::QuicV1)
}

/// The address of a socket over TCP.
pub(super) fn tcp(socket: SocketAddr) -> Multiaddr {
    Multiaddr::empty()
        .with(ip(socket.ip()))
        .with(Protocol::Tcp(socket.port()))
}

fn ip(address: IpAddr) -> Protocol<'static> {
    match address {
        IpAddr::V4(address) => Protocol::Ip4(address),
        IpAddr::V6(address) => Protocol::Ip6(address),
    }
}

/// How a connection goes that a relay passes on.
pub(super) const RELAY: &str = "relay";

/// How a connection at this address goes.
pub(super) fn transport_of(address: &Multiaddr) -> &'static str {
    let mut transport = "tcp";
    for part in address {
        match part {
            Protocol::P2pCircuit => return RELAY,
            Protocol::QuicV1 => transport = "quic",
            _ => {}
        }
    }
    transport
}
