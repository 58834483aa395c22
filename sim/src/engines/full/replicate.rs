//! Carries replication between the nodes: TCP connections, messages back to back.
//!
//! When a connection is made and which one lives is decided by the links that ship with the node, what is
//! said on it by its engine: bytes are cut into messages and handed in, and what comes out is written as
//! fast as the other side takes it. The run tells when a connection broke, because the simulated TCP never
//! does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use grove_core::session::links::{LinkId, LinkInput, LinkOutput, LinkTimes, Links};
use grove_core::time;
use grove_core::types::Hash;
use grove_core::wire::{Entry, Message, MessageReader};
use grove_core::{Phase, Reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use turmoil::net::{TcpListener, TcpStream};

use grove_node::api::ApiError;
use grove_node::engine::Output;
use grove_node::runtime::{PeerConnection, PeerOutput};

use super::host::{Node, now};
use super::wire::{Tapped, host_name};
use crate::draw::Draw;
use crate::hosts::{node_name, number_of, peer_id};
use crate::trace::{Event, kind};

/// Where nodes wait for each other.
const PORT: u16 = 2022;
/// How long the parts of keeping connections take: simulated nodes come back sooner than real ones.
const TIMES: LinkTimes = LinkTimes {
    dial_max: time::Duration::from_secs(2),
    redial_min: time::Duration::from_secs(1),
    redial_max: time::Duration::from_secs(4),
    stable: time::Duration::from_secs(10),
    tick: time::Duration(250_000),
};
/// How long making a connection may take.
const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// How long the links are left alone at most, in microseconds.
const PAUSE_MAX: u64 = 60_000_000;
/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;

/// The connections of one node to the others.
#[derive(Debug)]
pub(crate) struct Replication {
    node: Node,
    links: RefCell<Links>,
    /// Connections that were made, until the links say whether they live.
    made: RefCell<BTreeMap<LinkId, TcpStream>>,
    /// Tells a connection that it has to end.
    ends: RefCell<BTreeMap<LinkId, Rc<Notify>>>,
    /// Something happened of which the links know already.
    changed: Notify,
    draws: Cell<u64>,
}

/// Connects `node` with all others for as long as the host lives.
pub(crate) async fn run(node: Node) -> io::Result<()> {
    let (own, nodes) = (node.number(), node.nodes());
    let replication = Rc::new(Replication {
        links: RefCell::new(Links::new(peer_id(own), TIMES)),
        node,
        made: RefCell::default(),
        ends: RefCell::default(),
        changed: Notify::new(),
        draws: Cell::default(),
    });
    for other in (0..nodes).filter(|other| *other != own) {
        replication.tell(LinkInput::Want(peer_id(other)));
    }
    tokio::task::spawn_local(Rc::clone(&replication).keep_links());
    replication.listen().await
}

impl Replication {
    async fn listen(self: Rc<Self>) -> io::Result<()> {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        let own = self.node.number();
        loop {
            let (stream, address) = listener.accept().await?;
            let name = host_name(address);
            let other = (0..self.node.nodes()).find(|other| node_name(*other) == name);
            if let Some(other) = other.filter(|other| *other != own) {
                let link = self.links.borrow_mut().name();
                self.made.borrow_mut().insert(link, stream);
                self.tell(LinkInput::Accepted(peer_id(other), link));
            }
        }
    }

    /// Tells the links what happened.
    fn tell(&self, input: LinkInput) {
        let number = self.draws.get();
        self.draws.set(number + 1);
        let random = Draw::new(self.node.seed()).number("link", self.node.number() as u64, number);
        self.links.borrow_mut().handle(now(), input, random);
        self.changed.notify_one();
    }

    /// Does what the links want, for as long as the host lives.
    async fn keep_links(self: Rc<Self>) {
        loop {
            let output = self.links.borrow_mut().poll();
            match output {
                LinkOutput::Dial { peer, link } => {
                    tokio::task::spawn_local(Rc::clone(&self).dial(number_of(peer), link));
                }
                LinkOutput::Open { peer, link } => self.open(number_of(peer), link),
                LinkOutput::Close(link) => {
                    self.made.borrow_mut().remove(&link);
                    if let Some(end) = self.ends.borrow_mut().remove(&link) {
                        end.notify_one();
                    }
                }
                LinkOutput::Tick => {
                    self.node.tick().await;
                    self.record_accepted();
                }
                LinkOutput::Wait(until) => {
                    let pause = until.map_or(u64::MAX, |until| until.0.saturating_sub(now().0));
                    tokio::select! {
                        biased;
                        () = self.changed.notified() => {}
                        () = sleep(Duration::from_micros(pause.min(PAUSE_MAX))) => {
                            self.tell(LinkInput::Time);
                        }
                    }
                }
            }
        }
    }

    async fn dial(self: Rc<Self>, other: usize, link: LinkId) {
        let dialled = timeout(DIAL_LIMIT, TcpStream::connect((node_name(other), PORT))).await;
        match dialled {
            Ok(Ok(stream)) => {
                self.made.borrow_mut().insert(link, stream);
                self.tell(LinkInput::Dialled(link));
            }
            _ => self.tell(LinkInput::Failed(link)),
        }
    }

    fn open(self: &Rc<Self>, other: usize, link: LinkId) {
        let end = Rc::new(Notify::new());
        self.ends.borrow_mut().insert(link, Rc::clone(&end));
        if let Some(stream) = self.made.borrow_mut().remove(&link) {
            tokio::task::spawn_local(Rc::clone(self).converse(other, link, stream, end));
        }
    }

    /// Runs one connection to its end.
    async fn converse(
        self: Rc<Self>,
        other: usize,
        link: LinkId,
        stream: TcpStream,
        end: Rc<Notify>,
    ) {
        let trace = self.node.trace().clone();
        let stream = Tapped::new(stream, trace, self.node.name(), &node_name(other));
        let (reader, writer) = tokio::io::split(stream);
        let mut reset = self.node.resets(other);
        self.record_peer(other, true);
        if let Some(connection) = self.node.connect(peer_id(other)).await {
            tokio::select! {
                biased;
                () = end.notified() => {}
                _ = reset.changed() => {}
                ended = self.write(other, &connection, writer) => self.report(ended),
                ended = self.read(&connection, reader) => self.report(ended),
            }
        }
        self.record_peer(other, false);
        self.ends.borrow_mut().remove(&link);
        self.tell(LinkInput::Lost(link));
    }

    fn report(&self, ended: Result<(), ApiError>) {
        if let Err(error) = ended {
            self.node.store_failed(&error.to_string())
        }
    }

    /// Hands in messages until the stream ends or makes no sense.
    async fn read(
        &self,
        connection: &PeerConnection,
        mut reader: impl AsyncRead + Unpin,
    ) -> Result<(), ApiError> {
        let mut messages = MessageReader::new();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            match reader.read(&mut buffer).await {
                Ok(size) if size > 0 => messages.push(&buffer[..size]),
                _ => return Ok(()),
            }
            while let Some(message) = match messages.next_message() {
                Ok(message) => message,
                Err(_) => return Ok(()),
            } {
                if !self.is_deaf_to(&message) {
                    self.node.keep_time();
                    connection.receive(message).await?;
                    self.record_accepted();
                }
            }
        }
    }

    /// A planted bug: entries of one author vanish on their way.
    fn is_deaf_to(&self, message: &Message) -> bool {
        let author = |entry: &[u8]| Entry::decode(entry).ok().map(|entry| entry.public_key);
        match (message, self.node.deaf_to()) {
            (Message::Entry { entry, .. }, Some(key)) => author(entry) == Some(key),
            _ => false,
        }
    }

    /// Writes what the node has to say until it or the stream ends.
    async fn write(
        &self,
        other: usize,
        connection: &PeerConnection,
        mut writer: impl AsyncWrite + Unpin,
    ) -> Result<(), ApiError> {
        loop {
            let output = connection.next().await?;
            match output {
                Some(PeerOutput::Send(message)) => {
                    let bytes = self.sent(other, &message);
                    if writer.write_all(&bytes).await.is_err() {
                        return Ok(());
                    }
                }
                Some(PeerOutput::Refused(reason)) => self.refused(other, reason),
                Some(PeerOutput::Synced) => {}
                None => return Ok(()),
            }
        }
    }

    /// The bytes of a message that is being sent.
    fn sent(&self, other: usize, message: &Message) -> Vec<u8> {
        let bytes = message.encode();
        let (peer, kind, size) = (node_name(other), kind(message).to_owned(), bytes.len());
        let entry = match message {
            Message::Entry { entry, .. } | Message::Skeleton { entry, .. } => {
                Some(Hash::of(entry).to_string())
            }
            _ => None,
        };
        self.record(Event::Message {
            peer,
            kind,
            size,
            entry,
        });
        self.node.shared().count(|counts| {
            counts.messages += 1;
            counts.skeletons += u64::from(matches!(message, Message::Skeleton { .. }));
        });
        bytes
    }

    /// All peers are honest here: a message may come too late for its session, an entry must be good.
    fn refused(&self, other: usize, reason: Reason) {
        let (peer, code) = (node_name(other), reason.code());
        self.record(Event::Refused {
            peer: peer.clone(),
            reason: code.to_owned(),
        });
        if reason.phase() != Phase::Session {
            let difference = format!("{} refused an entry of {peer}: {code}", self.node.name());
            self.node
                .shared()
                .violate("honest_entries_accepted", difference);
        }
    }

    /// Records what the engine accepted, from peers or meanwhile from clients.
    fn record_accepted(&self) {
        for output in self.node.take_outputs() {
            if let Output::Accepted {
                operation_id,
                change,
            } = output
            {
                self.record(Event::Accepted {
                    operation: operation_id.to_string(),
                    document: change.document.to_string(),
                });
            }
        }
    }

    fn record_peer(&self, other: usize, connected: bool) {
        let peer = node_name(other);
        self.record(Event::Peer { peer, connected });
    }

    fn record(&self, event: Event) {
        self.node.trace().record(self.node.name(), event);
    }
}
