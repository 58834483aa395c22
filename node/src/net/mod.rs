//! The network between nodes: QUIC and TCP by way of libp2p, bytes in and bytes out.
//!
//! Whom to connect to and which connection lives is decided by core's links, what is said by the engine's
//! sessions. What is here makes connections, moves bytes, and can tell how it goes.
//!
//! | file | holds |
//! | --- | --- |
//! | `driver` | the one task that hands what happens to the links and does what they say |
//! | `conversation` | one connection: messages read and written |
//! | `streams` | the replication protocols and their streams |
//! | `behaviour` | what else is done on a connection, and limits |
//! | `transport` | QUIC, TCP, and networks with a key of their own |
//! | `places` | where peers are looked for |
//! | `relays` | how far it is with nodes by which others are found |
//! | `pace` | how fast peers may ask, and what half messages may take |
//! | `identity` | peer ids |

mod behaviour;
mod conversation;
mod driver;
mod identity;
mod pace;
mod places;
mod relays;
mod streams;
mod transport;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::StreamExt;
use grove_core::session::PeerId;
use grove_core::types::KeyPair;
use libp2p::identity::Keypair;
use libp2p::swarm::{Swarm, SwarmEvent};
use tokio::task::JoinHandle;

use crate::config::{NodeAddress, SharedKey};
use crate::runtime::Node;
use behaviour::{Behaviour, Roles};
use driver::Driver;
use identity::core_id;

/// How many free ports are tried until one is free for both transports.
const PORTS_TRIED_MAX: u32 = 16;

/// What a network is made with.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// Addresses to listen on.
    pub hosts: Vec<IpAddr>,
    /// The port, for both transports, as [`free_port`] said.
    pub port: u16,
    /// Nodes to stay connected with.
    pub direct_nodes: Vec<NodeAddress>,
    /// Who is let in; everybody where it is not said.
    pub allowed: Option<BTreeSet<PeerId>>,
    /// Who is not.
    pub blocked: BTreeSet<PeerId>,
    /// The key that all nodes of a closed network share. Such nodes speak TCP alone.
    pub shared_key: Option<SharedKey>,
    /// Whether nodes in the local network are looked for.
    pub mdns: bool,
    /// Whether the node is a relay for others.
    pub relay_mode: bool,
    /// Relays to be found and reached by.
    pub relays: Vec<NodeAddress>,
}

/// A network that runs. Dropping it ends all connections.
#[derive(Debug)]
pub struct Network {
    addresses: Vec<SocketAddr>,
    task: JoinHandle<()>,
}

impl Network {
    /// Listens, and from now on connects to others.
    pub async fn start(
        node: &Node,
        key: &KeyPair,
        settings: &NetworkSettings,
    ) -> Result<Self, NetworkError> {
        let key = identity::keypair(key).map_err(|_| NetworkError::Key)?;
        let local = core_id(&key.public().to_peer_id()).ok_or(NetworkError::Key)?;
        let (allowed, blocked) = (settings.allowed.clone(), settings.blocked.clone());
        let gate = Arc::new(move |id: &libp2p::PeerId| {
            core_id(id).is_some_and(|peer| {
                let is_allowed = allowed
                    .as_ref()
                    .is_none_or(|allowed| allowed.contains(&peer));
                is_allowed && !blocked.contains(&peer)
            })
        });
        let roles = Roles {
            mdns: settings.mdns,
            relay: settings.relay_mode,
            relayed: !settings.relays.is_empty(),
        };
        let make = |key: &Keypair, relayed| Behaviour::new(key, gate.clone(), roles, relayed);
        let mut swarm = transport::swarm(key, &make, settings.shared_key.as_ref())?;
        let has_quic = settings.shared_key.is_none();
        listen(&mut swarm, settings, has_quic).await?;
        let sockets = settings.hosts.iter();
        let sockets = sockets.map(|host| SocketAddr::new(*host, settings.port));
        let addresses = sockets.collect();
        let named = (&settings.direct_nodes[..], &settings.relays[..]);
        let driver = Driver::new(swarm, (node.clone(), local), named, has_quic);
        Ok(Self {
            addresses,
            task: tokio::spawn(driver.run()),
        })
    }

    /// Where it listens, over all transports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens on all addresses; returns once that is certain.
async fn listen(
    swarm: &mut Swarm<Behaviour>,
    settings: &NetworkSettings,
    has_quic: bool,
) -> Result<(), NetworkError> {
    let sockets = settings.hosts.iter();
    let sockets = sockets.map(|host| SocketAddr::new(*host, settings.port));
    let mut waiting = BTreeSet::new();
    for socket in sockets {
        let quic = has_quic.then(|| places::quic(socket));
        for address in quic.into_iter().chain([places::tcp(socket)]) {
            let listener = swarm
                .listen_on(address)
                .map_err(|error| NetworkError::Listen(socket, error.to_string()))?;
            waiting.insert(listener.to_string());
        }
    }
    while !waiting.is_empty() {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => {
                waiting.remove(&listener_id.to_string());
                // Without an address a place at this relay would be of no use.
                if settings.relay_mode {
                    swarm.add_external_address(address);
                }
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                let why = reason
                    .err()
                    .map_or_else(String::new, |error| error.to_string());
                let socket = SocketAddr::new(settings.hosts[0], settings.port);
                return Err(NetworkError::Listen(socket, why));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// An address can't be listened on.
    #[error("cannot listen on {0} for other nodes: {1}")]
    Listen(SocketAddr, String),
    /// The key of the node is none.
    #[error("the node's key can't be used")]
    Key,
    /// The system did not give what a network needs.
    #[error("cannot reach other nodes: {0}")]
    System(#[source] io::Error),
}

/// A port that is free for both transports at these addresses: this one, or any where it is 0.
pub fn free_port(hosts: &[IpAddr], port: u16) -> io::Result<u16> {
    let mut tried = 0;
    loop {
        let found = is_free(hosts, port);
        tried += 1;
        if port != 0 || found.is_ok() || tried == PORTS_TRIED_MAX {
            return found;
        }
    }
}

/// Whether the port is free everywhere; which one that is. What is held to find out is let go again.
fn is_free(hosts: &[IpAddr], port: u16) -> io::Result<u16> {
    let (mut port, mut held) = (port, Vec::new());
    for host in hosts {
        let tcp = std::net::TcpListener::bind(SocketAddr::new(*host, port))?;
        port = tcp.local_addr()?.port();
        held.push((
            tcp,
            std::net::UdpSocket::bind(SocketAddr::new(*host, port))?,
        ));
    }
    Ok(port)
}

#[cfg(test)]
mod tests;
