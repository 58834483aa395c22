//! What peers do that mean no good, against a network that runs.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use grove_core::session::Dialect;
use libp2p::identity::Keypair;
use libp2p::swarm::{ConnectionId, Stream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::behaviour::BehaviourEvent;
use super::streams::StreamEvent;
use super::*;
use crate::engine::EngineSettings;
use crate::runtime::InlineNode;
use crate::store::SqliteStore;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A network over an empty node.
async fn network() -> (Node, Network) {
    let key = KeyPair::from_seed(&[1; 32]);
    let settings = EngineSettings::new(PeerId(*key.public_key().as_bytes()));
    let store = SqliteStore::in_memory().unwrap();
    let (_, node) = InlineNode::new(store, settings).unwrap();
    let hosts = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    let settings = NetworkSettings {
        port: free_port(&hosts, 0).unwrap(),
        hosts,
        direct_nodes: Vec::new(),
        allowed: None,
        blocked: BTreeSet::new(),
        shared_key: None,
        mdns: false,
        relay_mode: false,
        relays: Vec::new(),
    };
    let network = Network::start(&node, &key, &settings).await.unwrap();
    (node, network)
}

/// Somebody who does as they like with streams.
struct Stranger {
    swarm: Swarm<Behaviour>,
    peer: libp2p::PeerId,
    connection: ConnectionId,
    /// What the node says is not looked at, and yet taken.
    heard: Vec<Stream>,
}

impl Stranger {
    async fn connect(network: &Network) -> Self {
        let roles = Roles {
            mdns: false,
            relay: false,
            relayed: false,
        };
        let make =
            |key: &Keypair, relayed| Behaviour::new(key, Arc::new(|_: &_| true), roles, relayed);
        let mut swarm = transport::swarm(Keypair::generate_ed25519(), &make, None).unwrap();
        swarm.dial(places::quic(network.addresses()[0])).unwrap();
        loop {
            let event = timeout(PATIENCE, swarm.select_next_some()).await.unwrap();
            if let SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } = event
            {
                return Self {
                    swarm,
                    peer: peer_id,
                    connection: connection_id,
                    heard: Vec::new(),
                };
            }
        }
    }

    fn open(&mut self) {
        let streams = &mut self.swarm.behaviour_mut().streams;
        streams.open(self.peer, self.connection);
    }

    /// Opens one stream after the other, each once the one before was given up, and writes this on it. How many
    /// it were until the connection was closed, or `most`.
    async fn write_until_closed(&mut self, bytes: &'static [u8], most: u32) -> u32 {
        let (given_up, mut again) = mpsc::channel(1);
        let mut written = 0;
        loop {
            let event = tokio::select! {
                event = timeout(PATIENCE, self.swarm.select_next_some()) => event.unwrap(),
                Some(()) = again.recv() => {
                    self.open();
                    continue;
                }
            };
            match event {
                SwarmEvent::Behaviour(BehaviourEvent::Streams((
                    _,
                    StreamEvent::Outbound(stream, dialect),
                ))) => {
                    assert_eq!(dialect, Dialect::Grove, "the better protocol is taken");
                    written += 1;
                    if written > most {
                        return most;
                    }
                    tokio::spawn(write(stream, bytes, given_up.clone()));
                }
                SwarmEvent::Behaviour(BehaviourEvent::Streams((
                    _,
                    StreamEvent::Inbound(stream),
                ))) => {
                    self.heard.push(stream);
                }
                SwarmEvent::ConnectionClosed { .. } => return written,
                _ => {}
            }
        }
    }
}

async fn write(mut stream: Stream, bytes: &[u8], given_up: mpsc::Sender<()>) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let _ = stream.read(&mut [0; 16]).await;
    let _ = given_up.send(()).await;
}

#[tokio::test]
async fn a_peer_that_sends_what_is_no_message_is_given_up_in_the_end() {
    let (node, network) = network().await;
    let mut stranger = Stranger::connect(&network).await;

    let streams = stranger.write_until_closed(b"GET / HTTP/1.1\r\n", 20).await;

    assert_eq!(streams, conversation::NONSENSE_MAX);
    let peers = node.peers().list();
    let error = peers[0].last_error.clone().unwrap();
    assert_eq!(peers[0].refused, u64::from(streams), "{peers:?}");
    assert!(error.contains("no message"), "{error}");
}

#[tokio::test]
async fn strangers_come_and_go_without_harm_to_others() {
    let (node, network) = network().await;
    for _ in 0..5 {
        let mut stranger = Stranger::connect(&network).await;
        // A message whose rest never comes, and nobody who waits for it.
        let begun = b"\x84\x02\x00\x5a\x00\x0f\x00\x00";
        loop {
            let event = stranger.swarm.select_next_some();
            if let SwarmEvent::Behaviour(BehaviourEvent::Streams((
                _,
                StreamEvent::Outbound(mut stream, _),
            ))) = timeout(PATIENCE, event).await.unwrap()
            {
                stream.write_all(begun).await.unwrap();
                break;
            }
        }
    }

    let mut stranger = Stranger::connect(&network).await;
    let streams = stranger.write_until_closed(b"\x00", 20).await;

    assert_eq!(streams, conversation::NONSENSE_MAX);
    assert!(node.is_accepting());
}
