//! The streams on which replication messages go, as a behaviour of libp2p.
//!
//! A side that has something to say opens one stream per connection and only ever writes to it; what the other
//! side has to say comes on the stream that the other side opened. Which protocol is spoken is settled when a
//! stream is opened: grove's own where both have it, else the deployed one. This file opens streams, takes in
//! those of the other side and hands them out; what is said on them is not its matter.
//!
//! Always true:
//! - A stream is opened as soon as a connection stands.
//! - Both protocols are accepted from the first moment of a connection: a deployed node whose first stream is
//!   refused never opens another one.
//! - Streams of peers that the operator does not let in are never seen, because their connections are refused.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::iter::Copied;
use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll};

use grove_core::session::Dialect;
use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, InboundUpgrade, Multiaddr, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, Stream, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};

/// The protocol of deployed nodes.
const DEPLOYED: &str = "/p2p/p2panda/1.0.0";
/// The protocol of grove nodes, in which branches of logs and deleted operations have messages of their own.
const GROVE: &str = "/p2p/grove/1.0.0";

/// Both, the better one first.
const PROTOCOLS: [&str; 2] = [GROVE, DEPLOYED];

/// Streams that wait to be handed out, per connection. A peer has one open at a time.
const WAITING_MAX: usize = 4;

/// Decides whose connections are taken.
pub(super) type Gate = Arc<dyn Fn(&PeerId) -> bool + Send + Sync>;

/// What happened to a stream of a connection.
pub(super) enum StreamEvent {
    /// The other side opened a stream, to write on.
    Inbound(Stream),
    /// The stream we asked for is open.
    Outbound(Stream, Dialect),
    /// The stream we asked for can't be had.
    Failed(String),
}

impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbound(_) => f.write_str("Inbound"),
            Self::Outbound(_, dialect) => f.debug_tuple("Outbound").field(dialect).finish(),
            Self::Failed(why) => f.debug_tuple("Failed").field(why).finish(),
        }
    }
}

/// Opens streams, and hands out those that are open.
pub(super) struct Streams {
    gate: Gate,
    pending: VecDeque<ToSwarm<(ConnectionId, StreamEvent), Open>>,
}

impl Streams {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            gate,
            pending: VecDeque::new(),
        }
    }

    /// Asks for a further stream on this connection, to write on.
    #[cfg(test)]
    pub(super) fn open(&mut self, peer_id: PeerId, connection: ConnectionId) {
        self.pending.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: libp2p::swarm::NotifyHandler::One(connection),
            event: Open,
        });
    }

    /// Whether the operator lets a peer in.
    pub(super) fn admits(&self, peer: &PeerId) -> bool {
        (self.gate)(peer)
    }

    fn admit(&self, peer: &PeerId) -> Result<Handler, ConnectionDenied> {
        match self.admits(peer) {
            true => Ok(Handler::default()),
            false => Err(ConnectionDenied::new(NotLetIn)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the peer is not let in")]
struct NotLetIn;

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = (ConnectionId, StreamEvent);

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(&peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(&peer)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = ToSwarm::GenerateEvent((connection, event));
        self.pending.push_back(event);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Whoever adds to what is pending polls afterwards: the swarm itself, or its owner.
        self.pending.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A stream is wanted, to write on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open;

/// The streams of one connection. The first one is opened at once: deployed nodes close a connection on which
/// nothing is open when they first look at it.
#[derive(Debug)]
pub(super) struct Handler {
    is_wanted: bool,
    waiting: VecDeque<StreamEvent>,
}

impl Default for Handler {
    fn default() -> Self {
        Self {
            is_wanted: true,
            waiting: VecDeque::new(),
        }
    }
}

impl Handler {
    fn put(&mut self, event: StreamEvent) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(event);
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = StreamEvent;
    type InboundProtocol = Speech;
    type OutboundProtocol = Speech;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Speech> {
        SubstreamProtocol::new(Speech, ())
    }

    /// Which connections live is decided by the links.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Speech, (), StreamEvent>> {
        if let Some(event) = self.waiting.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if std::mem::take(&mut self.is_wanted) {
            let protocol = SubstreamProtocol::new(Speech, ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, _: Open) {
        self.is_wanted = true;
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Speech, Speech>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, _),
                ..
            }) => self.put(StreamEvent::Inbound(stream)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, dialect),
                ..
            }) => self.put(StreamEvent::Outbound(stream, dialect)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.put(StreamEvent::Failed(error.to_string()));
            }
            _ => {}
        }
    }
}

/// Settles which protocol is spoken on a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech;

impl UpgradeInfo for Speech {
    type Info = &'static str;
    type InfoIter = Copied<slice::Iter<'static, &'static str>>;

    fn protocol_info(&self) -> Self::InfoIter {
        PROTOCOLS.iter().copied()
    }
}

fn dialect_of(protocol: &str) -> Dialect {
    match protocol {
        GROVE => Dialect::Grove,
        _ => Dialect::Deployed,
    }
}

impl InboundUpgrade<Stream> for Speech {
    type Output = (Stream, Dialect);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: &'static str) -> Self::Future {
        ready(Ok((stream, dialect_of(protocol))))
    }
}

impl OutboundUpgrade<Stream> for Speech {
    type Output = (Stream, Dialect);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: &'static str) -> Self::Future {
        ready(Ok((stream, dialect_of(protocol))))
    }
}
