//! Carries replication between the nodes: one TCP connection per pair, messages back to back.
//!
//! Decides when a connection is made. What is said on it is the engine's: bytes are cut into messages and
//! handed in with the time, and what comes out is written where it belongs. The run tells when a
//! connection broke, because the simulated TCP never does; the node with the smaller number then makes
//! a new one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use grove_core::types::Hash;
use grove_core::wire::{Entry, Message, MessageReader};
use grove_core::{Phase, Reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use turmoil::net::{TcpListener, TcpStream};

use grove_node::engine::{Input, Output, Transfer};

use super::host::{Node, number_of, peer_id};
use super::wire::{Tapped, host_name};
use crate::hosts::node_name;
use crate::trace::Event;

/// Where nodes wait for each other.
const PORT: u16 = 2022;
/// How often the engine is told the time.
const TICK: Duration = Duration::from_millis(250);
/// Pause before a lost connection is made again.
const REDIAL: Duration = Duration::from_secs(1);
/// How long making a connection may take.
const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;

/// The connections of one node to the others.
#[derive(Debug)]
pub(crate) struct Replication {
    node: Node,
    connections: RefCell<BTreeMap<usize, Connection>>,
    generations: Cell<u64>,
}

#[derive(Debug)]
struct Connection {
    /// Tells a connection from the one that took its place.
    generation: u64,
    /// To the task that writes; dropping it ends the connection.
    queue: mpsc::UnboundedSender<Vec<u8>>,
}

/// Connects `node` with all others for as long as the host lives.
pub(crate) async fn run(node: Node) -> io::Result<()> {
    let (own, nodes) = (node.number(), node.nodes());
    let replication = Rc::new(Replication {
        node,
        connections: RefCell::default(),
        generations: Cell::default(),
    });
    for other in own + 1..nodes {
        tokio::task::spawn_local(Rc::clone(&replication).dial(other));
    }
    tokio::task::spawn_local(Rc::clone(&replication).keep_time());
    replication.listen().await
}

impl Replication {
    async fn listen(self: Rc<Self>) -> io::Result<()> {
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        loop {
            let (stream, address) = listener.accept().await?;
            let name = host_name(address);
            let other = (0..self.node.number()).find(|other| node_name(*other) == name);
            if let Some(other) = other {
                tokio::task::spawn_local(Rc::clone(&self).converse(other, stream));
            }
        }
    }

    async fn dial(self: Rc<Self>, other: usize) {
        loop {
            let dialled = timeout(DIAL_LIMIT, TcpStream::connect((node_name(other), PORT))).await;
            if let Ok(Ok(stream)) = dialled {
                Rc::clone(&self).converse(other, stream).await;
            }
            sleep(REDIAL).await;
        }
    }

    async fn keep_time(self: Rc<Self>) {
        loop {
            sleep(TICK).await;
            self.feed(Input::Tick);
        }
    }

    /// Runs one connection to its end.
    async fn converse(self: Rc<Self>, other: usize, stream: TcpStream) {
        let trace = self.node.trace().clone();
        let stream = Tapped::new(stream, trace, self.node.name(), &node_name(other));
        let (reader, writer) = tokio::io::split(stream);
        let mut reset = self.node.resets(other);
        let (generation, queue) = self.connect(other);
        tokio::select! {
            biased;
            _ = reset.changed() => {}
            () = write(writer, queue) => {}
            () = self.read(other, reader) => {}
        }
        self.disconnect(other, generation);
    }

    fn connect(&self, other: usize) -> (u64, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (queue, receiver) = mpsc::unbounded_channel();
        let replaced = self.connections.borrow_mut().remove(&other);
        let generation = self.generations.get();
        self.generations.set(generation + 1);
        if replaced.is_some() {
            self.lost(other);
        }
        self.connections
            .borrow_mut()
            .insert(other, Connection { generation, queue });
        self.record(Event::Peer {
            peer: node_name(other),
            connected: true,
        });
        self.feed(Input::PeerConnected(peer_id(other)));
        (generation, receiver)
    }

    fn disconnect(&self, other: usize, generation: u64) {
        let mut connections = self.connections.borrow_mut();
        if connections
            .get(&other)
            .is_some_and(|known| known.generation == generation)
        {
            connections.remove(&other);
            drop(connections);
            self.lost(other);
        }
    }

    fn lost(&self, other: usize) {
        self.record(Event::Peer {
            peer: node_name(other),
            connected: false,
        });
        self.feed(Input::PeerDisconnected(peer_id(other)));
    }

    /// Hands in messages until the stream ends or makes no sense.
    async fn read(&self, other: usize, mut reader: impl AsyncRead + Unpin) {
        let mut messages = MessageReader::new();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            match reader.read(&mut buffer).await {
                Ok(size) if size > 0 => messages.push(&buffer[..size]),
                _ => return,
            }
            while let Some(message) = match messages.next_message() {
                Ok(message) => message,
                Err(_) => return,
            } {
                if !self.is_deaf_to(&message) {
                    let peer = peer_id(other);
                    self.feed(Input::received(peer, message));
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

    /// Hands the engine an input and carries out what it wants.
    fn feed(&self, input: Input) {
        for output in self.node.feed(input) {
            match output {
                Output::Send { peer, message } => self.send(number_of(peer), &message),
                Output::Transfer { peer, transfer } => self.transfer(number_of(peer), transfer),
                Output::Refused { peer, reason } => self.refused(number_of(peer), reason),
                Output::Accepted {
                    operation_id,
                    change,
                } => self.record(Event::Accepted {
                    operation: operation_id.to_string(),
                    document: change.document.to_string(),
                }),
                // For clients, who ask through other doors.
                Output::Published { .. }
                | Output::Done { .. }
                | Output::Changed(_)
                | Output::Deleted(_)
                | Output::SchemaAdded(_)
                | Output::Forked { .. } => {}
            }
        }
    }

    fn transfer(&self, other: usize, mut transfer: Transfer) {
        while !transfer.is_over() {
            for message in self.node.step(&mut transfer) {
                self.send(other, &message);
            }
        }
    }

    fn send(&self, other: usize, message: &Message) {
        let connections = self.connections.borrow();
        // A peer that just went: the engine learns of it next.
        let Some(connection) = connections.get(&other) else {
            return;
        };
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
        // The writer ends with the connection, which is then on its way out itself.
        let _sent = connection.queue.send(bytes);
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

    fn record(&self, event: Event) {
        self.node.trace().record(self.node.name(), event);
    }
}

/// Writes what is queued until the queue or the stream ends.
async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Announce { .. } => "announce",
        Message::SyncRequest { .. } => "sync request",
        Message::Entry { .. } => "entry",
        Message::SyncDone { .. } => "sync done",
        Message::Have { .. } => "have",
        Message::Skeleton { .. } => "skeleton",
        Message::Tips { .. } => "tips",
    }
}
