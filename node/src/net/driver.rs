//! Moves what the network does to the links and back: connections are made, replaced and closed as the links say.
//!
//! One task owns everything here. It never waits for a peer: conversations are tasks of their own, and looking
//! up names is.
//!
//! Always true:
//! - Of each connection the links know by one name, from when the identity of its other end is certain until it
//!   is closed.
//! - A conversation is held on a connection that lives, and on none else.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use futures_util::StreamExt;
use grove_core::session::links::{LinkId, LinkInput, LinkOutput, LinkTimes, Links};
use grove_core::session::{Dialect, PeerId};
use libp2p::core::ConnectedPoint;
use libp2p::rendezvous::{Namespace, Registration};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, Stream, Swarm, SwarmEvent};
use libp2p::{Multiaddr, identify, mdns, ping, relay, rendezvous};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::behaviour::{Behaviour, BehaviourEvent};
use super::conversation::Conversation;
use super::identity::{core_id, libp2p_id};
use super::pace::Shared;
use super::places::{Places, RELAY, transport_of};
use super::relays::{NAMESPACE, Relays};
use super::streams::StreamEvent;
use crate::config::NodeAddress;
use crate::runtime::{KnownPeers, Node, Path, Subscriber};

/// How long the parts of keeping connections take.
const TIMES: LinkTimes = LinkTimes {
    dial_max: grove_core::time::Duration::from_secs(20),
    redial_min: grove_core::time::Duration::from_secs(1),
    redial_max: grove_core::time::Duration::from_secs(120),
    stable: grove_core::time::Duration::from_secs(30),
    tick: grove_core::time::Duration(250_000),
};

/// How long the links are left alone at most.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Nodes that a rendezvous point is asked for at once.
const FOUND_AT_ONCE_MAX: u64 = 100;

/// Streams of a peer that wait to be read; it has one at a time.
const STREAMS_MAX: usize = 2;

/// What tasks tell the driver.
#[derive(Debug)]
enum News {
    /// Where to dial is known.
    Resolved(Dialling),
    /// A conversation is over.
    Ended(LinkId),
}

/// An attempt to dial, and the addresses that are left to try.
#[derive(Debug)]
struct Dialling {
    link: LinkId,
    peer: PeerId,
    is_known: bool,
    addresses: VecDeque<Multiaddr>,
}

/// A connection whose other end is known.
#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    peer: PeerId,
    path: Path,
    streams: mpsc::Sender<Stream>,
    /// Until a conversation takes them.
    waiting: Option<mpsc::Receiver<Stream>>,
    /// The stream to write on, until the links say that the connection lives.
    outbound: Option<(Stream, Dialect)>,
    is_open: bool,
    talk: Option<AbortHandle>,
}

/// The task that owns the network.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    node: Node,
    links: Links,
    places: Places,
    relays: Relays,
    peers: KnownPeers,
    dialling: HashMap<ConnectionId, Dialling>,
    connections: BTreeMap<LinkId, Connection>,
    by_id: HashMap<ConnectionId, LinkId>,
    news: mpsc::UnboundedReceiver<News>,
    tell: mpsc::UnboundedSender<News>,
    has_quic: bool,
    /// What all conversations share.
    shared: Shared,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        (node, local): (Node, PeerId),
        (direct, relays): (&[NodeAddress], &[NodeAddress]),
        has_quic: bool,
    ) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let mut driver = Self {
            swarm,
            peers: node.peers().clone(),
            node,
            links: Links::new(local, TIMES),
            places: Places::default(),
            relays: Relays::default(),
            dialling: HashMap::new(),
            connections: BTreeMap::new(),
            by_id: HashMap::new(),
            news,
            tell,
            has_quic,
            shared: Shared::new(),
        };
        for address in direct.iter().chain(relays) {
            let stand_in = driver.look_for(address.clone());
            if relays.contains(address) {
                driver.relays.name(stand_in);
            }
        }
        driver
    }

    fn look_for(&mut self, address: NodeAddress) -> PeerId {
        let stand_in = self.places.name(address.clone());
        self.peers.looked_for(stand_in, address.to_string(), true);
        self.link(LinkInput::Want(stand_in));
        stand_in
    }

    /// Runs until it is dropped, or the node stops.
    pub(super) async fn run(mut self) {
        let mut changes = self.node.subscribe(None).await.ok();
        loop {
            let pause = self.do_what_links_want().await;
            self.look_at_rendezvous();
            let pause = self
                .relays
                .pause()
                .map_or(pause, |relays| relays.min(pause));
            tokio::select! {
                event = self.swarm.select_next_some() => self.happened(event),
                Some(news) = self.news.recv() => self.hear(news),
                changed = changed(&mut changes) => {
                    if changed {
                        // Whatever is new goes to connected peers at once.
                        self.look_after_sessions().await;
                    } else {
                        changes = None;
                    }
                }
                () = tokio::time::sleep(pause) => self.link(LinkInput::Time),
            }
        }
    }

    fn link(&mut self, input: LinkInput) {
        let mut random = [0; 8];
        // Without randomness attempts are merely less spread.
        let _ = getrandom::fill(&mut random);
        let now = self.node.now();
        self.links.handle(now, input, u64::from_le_bytes(random));
    }

    /// Does what the links want; how long until time alone changes something.
    async fn do_what_links_want(&mut self) -> Duration {
        loop {
            match self.links.poll() {
                LinkOutput::Dial { peer, link } => self.dial(peer, link),
                LinkOutput::Open { link, .. } => self.open(link),
                LinkOutput::Close(link) => self.close(link),
                LinkOutput::Tick => self.look_after_sessions().await,
                LinkOutput::Wait(until) => {
                    let now = self.node.now();
                    let pause = until.map(|until| until.0.saturating_sub(now.0));
                    return pause.map_or(PAUSE_MAX, |pause| {
                        Duration::from_micros(pause).min(PAUSE_MAX)
                    });
                }
            }
        }
    }

    /// Asks relays who else is there, and tells them of this node, where it is time to.
    fn look_at_rendezvous(&mut self) {
        for relay in self.relays.due() {
            let Some(rendezvous) = self.swarm.behaviour_mut().rendezvous.as_mut() else {
                return;
            };
            let (relay, namespace) = (libp2p_id(relay), Namespace::from_static(NAMESPACE));
            if let Err(error) = rendezvous.register(namespace.clone(), relay, None) {
                tracing::debug!(%error, %relay, "not told of at a rendezvous point");
            }
            rendezvous.discover(Some(namespace), None, Some(FOUND_AT_ONCE_MAX), relay);
        }
    }

    async fn look_after_sessions(&mut self) {
        if self.links.count() > 0 && self.node.tick().await.is_err() {
            tracing::debug!("the node takes no more");
        }
    }

    fn dial(&mut self, peer: PeerId, link: LinkId) {
        let place = self.places.of(peer);
        let (tell, has_quic) = (self.tell.clone(), self.has_quic);
        tokio::spawn(async move {
            let is_known = place.is_known;
            let addresses = place.resolve(has_quic).await;
            // Nobody listens when the network has stopped.
            let _ = tell.send(News::Resolved(Dialling {
                link,
                peer,
                is_known,
                addresses,
            }));
        });
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Resolved(dialling) => self.try_next(dialling, "the address has no meaning"),
            News::Ended(link) => self.close(link),
        }
    }

    /// Tries the next address, or all that are left where it is known who must be there.
    fn try_next(&mut self, mut dialling: Dialling, error: &str) {
        let options = match dialling.is_known {
            true if dialling.addresses.is_empty() => None,
            true => {
                let options = DialOpts::peer_id(libp2p_id(dialling.peer));
                let addresses = std::mem::take(&mut dialling.addresses);
                let options = options.condition(PeerCondition::Always);
                Some(options.addresses(addresses.into()).build())
            }
            false => dialling.addresses.pop_front().map(|address| {
                let options = DialOpts::unknown_peer_id().address(address);
                options.build()
            }),
        };
        let Some(options) = options else {
            self.peers.failed(dialling.peer, error.to_owned());
            return self.link(LinkInput::Failed(dialling.link));
        };
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => drop(self.dialling.insert(id, dialling)),
            Err(error) => self.try_next(dialling, &error.to_string()),
        }
    }

    fn open(&mut self, link: LinkId) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        connection.is_open = true;
        let (peer, outbound) = (connection.peer, connection.outbound.take());
        tracing::info!(%peer, address = connection.path.address, "connected to a peer");
        self.peers.connected(peer, connection.path.clone());
        if let Some((stream, dialect)) = outbound {
            self.talk(link, stream, dialect);
        }
    }

    fn close(&mut self, link: LinkId) {
        if let Some(connection) = self.connections.get(&link) {
            self.swarm.close_connection(connection.id);
        }
    }

    fn add(&mut self, link: LinkId, peer: PeerId, id: ConnectionId, path: Path) {
        let (streams, waiting) = mpsc::channel(STREAMS_MAX);
        let connection = Connection {
            id,
            peer,
            path,
            streams,
            waiting: Some(waiting),
            outbound: None,
            is_open: false,
            talk: None,
        };
        self.by_id.insert(id, link);
        self.connections.insert(link, connection);
    }

    fn happened(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.established(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                connection_id,
                cause,
                ..
            } => self.closed(connection_id, cause.map(|cause| cause.to_string())),
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => self.unreachable(connection_id, &error),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "a connection was not taken");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "could not listen to other nodes");
            }
            SwarmEvent::Behaviour(event) => self.behaved(event),
            _ => {}
        }
    }

    fn behaved(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams((id, event)) => self.streamed(id, event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.found(peer, address);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(lost)) => {
                for (peer, address) in lost {
                    self.lost(peer, &address);
                }
            }
            BehaviourEvent::Identify(identify::Event::Received { connection_id, .. }) => {
                self.reserve(connection_id);
            }
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            }) => {
                if let Some(relay) = core_id(&relay_peer_id) {
                    self.relays.reserved(relay);
                }
            }
            BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered {
                rendezvous_node,
                registrations,
                ..
            }) => self.discovered(&rendezvous_node, &registrations),
            BehaviourEvent::Ping(ping::Event {
                connection,
                result: Err(ping::Failure::Timeout),
                ..
            }) => {
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    /// Somebody told where a peer is.
    fn found(&mut self, peer: libp2p::PeerId, address: Multiaddr) {
        let Some(id) = core_id(&peer).filter(|_| self.swarm.behaviour().admits(&peer)) else {
            return;
        };
        let place = address.to_string();
        if self.places.find(id, address) {
            self.peers.looked_for(id, place, false);
            self.link(LinkInput::Want(id));
        }
    }

    /// Has a place reserved at a relay, which has just told that it is one.
    fn reserve(&mut self, id: ConnectionId) {
        let link = self.by_id.get(&id);
        let connection = link.and_then(|link| self.connections.get(link));
        let Some(Connection { peer, path, .. }) = connection.filter(|it| it.path.is_outbound)
        else {
            return;
        };
        let Ok(address) = path.address.parse() else {
            return;
        };
        if let Some(address) = self.relays.reserve(*peer, &address)
            && let Err(error) = self.swarm.listen_on(address)
        {
            tracing::warn!(%error, relay = %peer, "no place at a relay");
        }
    }

    /// A relay told who else is there.
    fn discovered(&mut self, relay: &libp2p::PeerId, registrations: &[Registration]) {
        let Some(relay) = core_id(relay) else {
            return;
        };
        let local = *self.swarm.local_peer_id();
        for registration in registrations.iter().take(FOUND_AT_ONCE_MAX as usize) {
            let peer = registration.record.peer_id();
            if peer != local
                && let Some(address) = self.relays.through(relay, peer)
            {
                self.found(peer, address);
            }
        }
    }

    fn lost(&mut self, peer: libp2p::PeerId, address: &Multiaddr) {
        let Some(peer) = core_id(&peer) else {
            return;
        };
        if self.places.lose(peer, address) && self.links.alive(peer).is_none() {
            self.link(LinkInput::Forget(peer));
            self.peers.forget(peer);
        }
    }

    fn established(&mut self, peer: libp2p::PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let address = endpoint.get_remote_address();
        let path = Path {
            is_outbound: endpoint.is_dialer(),
            transport: transport_of(address),
            address: address.to_string(),
        };
        let dialled = self.dialling.remove(&id);
        let Some(peer) = core_id(&peer) else {
            // Its name says nothing about its key, by which peers are ordered.
            self.swarm.close_connection(id);
            return dialled.map_or((), |dialling| self.link(LinkInput::Failed(dialling.link)));
        };
        if !self.prefer_direct(peer, id, &path) {
            return dialled.map_or((), |dialling| self.link(LinkInput::Failed(dialling.link)));
        }
        match dialled {
            Some(dialling) if dialling.is_known => {
                self.add(dialling.link, peer, id, path);
                self.link(LinkInput::Dialled(dialling.link));
            }
            Some(dialling) => self.meet(dialling.peer, peer, id, path),
            None if path.is_outbound => self.meet(peer, peer, id, path),
            None => {
                let link = self.links.name();
                self.add(link, peer, id, path);
                self.link(LinkInput::Accepted(peer, link));
            }
        }
    }

    /// A direct connection takes the place of one through a relay, and never the other way. Says whether the new
    /// connection is kept.
    fn prefer_direct(&mut self, peer: PeerId, id: ConnectionId, path: &Path) -> bool {
        let Some(link) = self.links.alive(peer) else {
            return true;
        };
        let Some(alive) = self.connections.get(&link) else {
            return true;
        };
        match (alive.path.transport == RELAY, path.transport == RELAY) {
            (true, false) => {
                self.swarm.close_connection(alive.id);
                self.link(LinkInput::Lost(link));
                true
            }
            (false, true) => {
                self.swarm.close_connection(id);
                false
            }
            _ => true,
        }
    }

    /// At an address of which it was not known whose it is, this peer was found.
    fn meet(&mut self, stand_in: PeerId, peer: PeerId, id: ConnectionId, path: Path) {
        self.places.learn(stand_in, peer);
        self.relays.learn(stand_in, peer);
        if stand_in != peer {
            self.link(LinkInput::Forget(stand_in));
            self.peers.forget(stand_in);
        }
        self.peers.looked_for(peer, path.address.clone(), false);
        let link = self.links.name();
        self.add(link, peer, id, path);
        self.link(LinkInput::Met(peer, link));
    }

    fn unreachable(&mut self, id: ConnectionId, error: &DialError) {
        let Some(dialling) = self.dialling.remove(&id) else {
            return;
        };
        tracing::debug!(%error, peer = %dialling.peer, "a peer can't be reached");
        if let DialError::WrongPeerId { .. } = error
            && let Some((stand_in, address)) = self.places.unlearn(dialling.peer)
        {
            self.link(LinkInput::Forget(dialling.peer));
            self.relays.learn(dialling.peer, stand_in);
            self.peers.looked_for(stand_in, address.to_string(), true);
            return self.link(LinkInput::Want(stand_in));
        }
        self.try_next(dialling, &error.to_string());
    }

    fn closed(&mut self, id: ConnectionId, cause: Option<String>) {
        let Some(link) = self.by_id.remove(&id) else {
            return;
        };
        let Some(connection) = self.connections.remove(&link) else {
            return;
        };
        if let Some(talk) = connection.talk {
            talk.abort();
        }
        let (peer, was_alive) = (connection.peer, self.links.alive(connection.peer));
        if was_alive == Some(link) {
            self.relays.lose(peer);
            tracing::info!(%peer, cause, "a peer is gone");
            self.peers.disconnected(peer);
            if let Some(cause) = cause {
                self.peers.failed(peer, cause);
            }
        }
        self.link(LinkInput::Lost(link));
    }

    fn streamed(&mut self, id: ConnectionId, event: StreamEvent) {
        let Some(link) = self.by_id.get(&id).copied() else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        match event {
            StreamEvent::Inbound(stream) => {
                // A peer that opens more streams than are read is not worth listening to.
                if connection.streams.try_send(stream).is_err() {
                    tracing::debug!(peer = %connection.peer, "a stream too many");
                }
            }
            StreamEvent::Outbound(stream, dialect) if connection.is_open => {
                self.talk(link, stream, dialect);
            }
            StreamEvent::Outbound(stream, dialect) => connection.outbound = Some((stream, dialect)),
            StreamEvent::Failed(why) => {
                self.peers.failed(connection.peer, why);
                self.close(link);
            }
        }
    }

    /// Begins a conversation.
    fn talk(&mut self, link: LinkId, outbound: Stream, dialect: Dialect) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let Some(inbound) = connection.waiting.take() else {
            return;
        };
        let peer = connection.peer;
        let counts = self.peers.speaks(peer, dialect);
        let conversation = Conversation {
            node: self.node.clone(),
            peer,
            dialect,
            outbound,
            inbound,
            counts,
            shared: self.shared.clone(),
        };
        let (tell, peers) = (self.tell.clone(), self.peers.clone());
        let task = tokio::spawn(async move {
            let end = conversation.run().await;
            match end.is_fault() {
                true => tracing::warn!(%peer, %end, "a peer was dropped"),
                false => tracing::debug!(%peer, %end, "a conversation is over"),
            }
            peers.failed(peer, end.to_string());
            // Nobody listens when the network has stopped.
            let _ = tell.send(News::Ended(link));
        });
        connection.talk = Some(task.abort_handle());
    }
}

/// Waits until something changed; `false` when that can't be told any more.
async fn changed(changes: &mut Option<Subscriber>) -> bool {
    match changes {
        Some(changes) => matches!(changes.next().await, Ok(Some(_))),
        None => std::future::pending().await,
    }
}
