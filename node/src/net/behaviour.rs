//! What a node does on a connection beside replicating: proving that it is alive, telling its addresses, looking for
//! others in the local network and by relays. And how many connections there may be at all.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, dcutr, identify, mdns, ping, relay, rendezvous};

use super::streams::{Gate, Streams};

/// What is told of the software that speaks.
const AGENT: &str = concat!("grove-node/", env!("CARGO_PKG_VERSION"));
/// Names the kind of network. That of deployed nodes, which look at it.
const NETWORK: &str = "aquadoggo/1.0.0";

/// How often the local network is asked for other nodes.
const QUERY_INTERVAL: Duration = Duration::from_secs(30);

/// How often it is looked whether the other side is still there.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

const INCOMING_MAX: u32 = 128;
const OUTGOING_MAX: u32 = 128;
const PENDING_MAX: u32 = 64;
/// Two that cross, and those that take their places.
const PER_PEER_MAX: u32 = 4;

/// Bytes that may go through one circuit. The usual 128 KiB are less than one blob.
const CIRCUIT_SIZE_MAX: u64 = 1 << 30;
/// How long a circuit may last.
const CIRCUIT_TIME_MAX: Duration = Duration::from_secs(60 * 60);
const CIRCUITS_MAX: usize = 128;
const CIRCUITS_PER_PEER_MAX: usize = 16;

/// Everything a node does on its connections.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) streams: Streams,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    rendezvous_point: Toggle<rendezvous::server::Behaviour>,
    relay_client: relay::client::Behaviour,
    pub(super) rendezvous: Toggle<rendezvous::client::Behaviour>,
    direct: Toggle<dcutr::Behaviour>,
}

/// What of it a node does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Roles {
    /// Looks for others in the local network.
    pub(super) mdns: bool,
    /// Is a relay for others.
    pub(super) relay: bool,
    /// Uses relays.
    pub(super) relayed: bool,
}

impl Behaviour {
    pub(super) fn new(
        key: &Keypair,
        gate: Gate,
        roles: Roles,
        relay_client: relay::client::Behaviour,
    ) -> std::io::Result<Self> {
        let local = key.public().to_peer_id();
        let limits = ConnectionLimits::default()
            .with_max_established_incoming(Some(INCOMING_MAX))
            .with_max_established_outgoing(Some(OUTGOING_MAX))
            .with_max_pending_incoming(Some(PENDING_MAX))
            .with_max_pending_outgoing(Some(PENDING_MAX))
            .with_max_established_per_peer(Some(PER_PEER_MAX));
        let ping = ping::Config::new()
            .with_interval(PING_INTERVAL)
            .with_timeout(PING_TIMEOUT);
        let identify = identify::Config::new(NETWORK.to_owned(), key.public());
        let mdns = roles.mdns.then(|| {
            let config = mdns::Config {
                query_interval: QUERY_INTERVAL,
                ..mdns::Config::default()
            };
            mdns::tokio::Behaviour::new(config, local)
        });
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            streams: Streams::new(gate),
            ping: ping::Behaviour::new(ping),
            identify: identify::Behaviour::new(identify.with_agent_version(AGENT.to_owned())),
            mdns: mdns.transpose()?.into(),
            relay: roles
                .relay
                .then(|| relay::Behaviour::new(local, relay_config()))
                .into(),
            rendezvous_point: roles
                .relay
                .then(|| rendezvous::server::Behaviour::new(rendezvous::server::Config::default()))
                .into(),
            relay_client,
            rendezvous: roles
                .relayed
                .then(|| rendezvous::client::Behaviour::new(key.clone()))
                .into(),
            direct: (roles.relay || roles.relayed)
                .then(|| dcutr::Behaviour::new(local))
                .into(),
        })
    }

    /// Whether the operator lets a peer in.
    pub(super) fn admits(&self, peer: &PeerId) -> bool {
        self.streams.admits(peer)
    }
}

fn relay_config() -> relay::Config {
    relay::Config {
        max_circuits: CIRCUITS_MAX,
        max_circuits_per_peer: CIRCUITS_PER_PEER_MAX,
        max_circuit_duration: CIRCUIT_TIME_MAX,
        max_circuit_bytes: CIRCUIT_SIZE_MAX,
        ..relay::Config::default()
    }
}
