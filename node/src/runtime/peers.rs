//! Connections to peers as the network sees them: messages in, messages out.
//!
//! The network makes connections and moves bytes; it hands in what a peer said, checked on its own worker,
//! and takes out what the node has to say. Entries a peer lacks are read when there is room for them, so
//! that a slow peer holds up neither the writer nor other peers. Whom to connect to is decided elsewhere
//! ([`grove_core::session::links`]).
//!
//! Always true:
//! - What a connection says comes out in the order in which the engine said it; a transfer stands back
//!   behind messages that are ready.
//! - `SyncDone` of a transfer comes behind its last entry, and the engine hears of it before the peer does.
//! - A peer that takes nothing out has only so much read for it, and in time is not listened to any more.
//! - With a connection goes all that was under way on it. The end of one that was replaced says nothing
//!   about the one in its place.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grove_core::Reason;
use grove_core::session::{Dialect, PeerId};
use grove_core::time::Instant;
use grove_core::wire::Message;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::{KEYRING, Node};
use crate::api::ApiError;
use crate::engine::{Input, Output, Received, Transfer};
use crate::store::{Read, StoreError};

/// Messages that may be ready for a peer before it is listened to no more. Honest peers never have as many:
/// answers are a few per session, and transfers are read only when nothing is ready.
const READY_MAX: usize = 1024;

/// Refusals that wait to be told; more are dropped, for they say nothing new.
const REFUSALS_MAX: usize = 64;

/// What a node has to say on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerOutput {
    /// Send this message.
    Send(Message),
    /// What the peer sent was not accepted. Not told to the peer: for logs, and for deciding how long to bear
    /// with it.
    Refused(Reason),
    /// A session came to its end: both sides told all they had.
    Synced,
}

/// A connection to a peer. Dropping it ends the connection.
#[derive(Debug)]
pub struct PeerConnection {
    node: Node,
    peer: PeerId,
    number: u64,
    outbox: Arc<Outbox>,
}

impl PeerConnection {
    pub(super) async fn open(node: Node, peer: PeerId, dialect: Dialect) -> Result<Self, ApiError> {
        /// Connections are told apart by the order in which they were made.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let connection = Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            outbox: Arc::new(Outbox::default()),
            node,
            peer,
        };
        let outbox = Arc::clone(&connection.outbox);
        connection
            .tell(PeerNews::Connected(outbox, dialect))
            .await?;
        Ok(connection)
    }

    /// Hands in what the peer said. Waits while the node has too much to do, or too much to say to a peer
    /// that does not listen.
    pub async fn receive(&self, message: Message) -> Result<(), ApiError> {
        self.outbox.room().await;
        let size = size_of(&message);
        let room = self.node.room_for_peers(size).await?;
        let message = KEYRING.with_borrow_mut(|keyring| Received::check(message, keyring));
        self.tell(PeerNews::Received(Box::new(message), room)).await
    }

    /// Waits for what the node has to say next; `None` once the connection was replaced or the node has
    /// stopped. Nothing is lost when the waiting is broken off.
    pub async fn next(&self) -> Result<Option<PeerOutput>, ApiError> {
        loop {
            match self.outbox.take() {
                Taken::Output(output) => return Ok(Some(output)),
                Taken::Ended(ended) => {
                    self.tell(PeerNews::Transferred(ended)).await?;
                    self.outbox.told(ended);
                }
                Taken::Closed => return Ok(None),
                Taken::Nothing => self.outbox.filled.notified().await,
                Taken::Transfer => {
                    let (outbox, now) = (Arc::clone(&self.outbox), self.node.now());
                    let advance = move |store: &dyn Read| Ok(outbox.advance(now, store)?);
                    self.node.read(advance).await?;
                }
            }
        }
    }

    /// What the node has to say next, if that is ready.
    pub fn ready(&self) -> Option<PeerOutput> {
        match self.outbox.take() {
            Taken::Output(output) => Some(output),
            _ => None,
        }
    }

    async fn tell(&self, news: PeerNews) -> Result<(), ApiError> {
        let (peer, connection) = (self.peer, self.number);
        let job = PeerJob {
            peer,
            connection,
            news,
        };
        self.node.tell_of_peer(job).await
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let (peer, connection) = (self.peer, self.number);
        let news = PeerNews::Disconnected;
        self.node.tell_of_peer_in_passing(PeerJob {
            peer,
            connection,
            news,
        });
    }
}

/// How many bytes a message takes while it waits for the writer.
fn size_of(message: &Message) -> usize {
    match message {
        Message::Entry { entry, payload, .. } => entry.len() + payload.as_ref().map_or(0, Vec::len),
        Message::Skeleton { entry, .. } => entry.len(),
        _ => 0,
    }
}

/// Something that happened on a connection, on its way to the writer.
#[derive(Debug)]
pub(super) struct PeerJob {
    peer: PeerId,
    connection: u64,
    news: PeerNews,
}

impl PeerJob {
    /// Whether a connection begins. What was asked before is answered before: it may concern the connection
    /// that is replaced.
    pub(super) fn is_beginning(&self) -> bool {
        matches!(self.news, PeerNews::Connected(..))
    }
}

#[derive(Debug)]
enum PeerNews {
    Connected(Arc<Outbox>, Dialect),
    Disconnected,
    Transferred(Ended),
    Received(Box<Received>, Room),
}

/// The connections that stand, where the engine is.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<PeerId, Standing>);

#[derive(Debug)]
struct Standing {
    connection: u64,
    outbox: Arc<Outbox>,
}

impl Peers {
    /// The input that something on a connection stands for, and the room it took; none when the connection
    /// was replaced meanwhile.
    pub(super) fn input(&mut self, job: PeerJob) -> Option<(Input, Option<Room>)> {
        let PeerJob {
            peer,
            connection,
            news,
        } = job;
        let stands = self.0.get(&peer).map(|standing| standing.connection);
        match news {
            PeerNews::Connected(outbox, _) if stands.is_some_and(|newer| newer > connection) => {
                outbox.close();
                None
            }
            PeerNews::Connected(outbox, dialect) => {
                let standing = Standing { connection, outbox };
                if let Some(replaced) = self.0.insert(peer, standing) {
                    replaced.outbox.close();
                }
                let input = match dialect {
                    Dialect::Grove => Input::PeerConnected(peer),
                    Dialect::Deployed => Input::DeployedPeerConnected(peer),
                };
                Some((input, None))
            }
            _ if stands != Some(connection) => None,
            PeerNews::Disconnected => {
                self.0.remove(&peer);
                Some((Input::PeerDisconnected(peer), None))
            }
            PeerNews::Transferred(Ended { session, is_whole }) => {
                let input = Input::Transferred {
                    peer,
                    session,
                    is_whole,
                };
                Some((input, None))
            }
            PeerNews::Received(message, room) => {
                let message = *message;
                Some((Input::Received { peer, message }, Some(room)))
            }
        }
    }

    /// Hands an output to the connection it is for; gives back what is for none.
    pub(super) fn hand_out(&mut self, output: Output) -> Option<Output> {
        let peer = match &output {
            Output::Send { peer, .. } | Output::Transfer { peer, .. } => *peer,
            Output::Refused { peer, .. } | Output::Synced(peer) => *peer,
            _ => return Some(output),
        };
        let Some(standing) = self.0.get(&peer) else {
            return Some(output);
        };
        standing.outbox.put(output);
        None
    }
}

/// With the engine end all connections.
impl Drop for Peers {
    fn drop(&mut self) {
        for standing in self.0.values() {
            standing.outbox.close();
        }
    }
}

/// What a peer takes of the room for what waits for the writer, until it was judged.
#[derive(Debug)]
pub(super) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) const fn taken(permit: OwnedSemaphorePermit) -> Self {
        let _permit = Some(permit);
        Self { _permit }
    }

    /// That of what is judged at once.
    pub(super) const fn unlimited() -> Self {
        Self { _permit: None }
    }
}

/// What waits to be said on a connection.
#[derive(Debug, Default)]
struct Outbox {
    waiting: Mutex<Waiting>,
    /// There is something to take out.
    filled: Notify,
    /// Something was taken out.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    ready: VecDeque<Message>,
    refusals: VecDeque<Reason>,
    transfers: VecDeque<Transfer>,
    /// Transfers of whose end the engine has not heard.
    ended: VecDeque<Ended>,
    /// Sessions that came to their end and nobody was told of.
    synced: bool,
    /// Whether entries of a transfer are being read; it is put back then.
    is_reading: bool,
    is_closed: bool,
}

/// The end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ended {
    session: u64,
    is_whole: bool,
}

enum Taken {
    Output(PeerOutput),
    /// The engine is to be told of the end of a transfer.
    Ended(Ended),
    /// Entries can be read now.
    Transfer,
    Nothing,
    Closed,
}

impl Waiting {
    /// Adds a transfer; news join those that wait already.
    fn transfer(&mut self, transfer: Transfer) {
        let last = self.transfers.back_mut();
        if !last.is_some_and(|last| last.join(&transfer)) {
            self.transfers.push_back(transfer);
        }
    }
}

impl Outbox {
    fn put(&self, output: Output) {
        let mut waiting = self.lock();
        match output {
            Output::Send { message, .. } => waiting.ready.push_back(message),
            Output::Transfer { transfer, .. } => waiting.transfer(transfer),
            Output::Refused { reason, .. } if waiting.refusals.len() < REFUSALS_MAX => {
                waiting.refusals.push_back(reason);
            }
            Output::Synced(_) => waiting.synced = true,
            _ => {}
        }
        drop(waiting);
        self.filled.notify_one();
    }

    fn take(&self) -> Taken {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Taken::Closed;
        }
        if let Some(reason) = waiting.refusals.pop_front() {
            return Taken::Output(PeerOutput::Refused(reason));
        }
        if let Some(ended) = waiting.ended.front() {
            return Taken::Ended(*ended);
        }
        if std::mem::take(&mut waiting.synced) {
            return Taken::Output(PeerOutput::Synced);
        }
        if let Some(message) = waiting.ready.pop_front() {
            self.emptied.notify_one();
            return Taken::Output(PeerOutput::Send(message));
        }
        if waiting.is_reading || waiting.transfers.is_empty() {
            return Taken::Nothing;
        }
        Taken::Transfer
    }

    /// The engine has heard of this end.
    fn told(&self, ended: Ended) {
        let mut waiting = self.lock();
        if waiting.ended.front() == Some(&ended) {
            waiting.ended.pop_front();
        }
    }

    /// Reads the next entries of the oldest transfer. Runs to its end even when nobody waits any more.
    fn advance(&self, now: Instant, store: &dyn Read) -> Result<(), StoreError> {
        let mut transfer = {
            let mut waiting = self.lock();
            if waiting.is_reading {
                return Ok(());
            }
            let Some(transfer) = waiting.transfers.pop_front() else {
                return Ok(());
            };
            waiting.is_reading = true;
            transfer
        };
        let stepped = transfer.step(now, store);
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Ok(());
        }
        assert!(waiting.is_reading, "one reads at a time");
        waiting.is_reading = false;
        let messages = match stepped {
            Ok(messages) => messages,
            // Nobody waits any more, or not for as long as it takes: the same is read again.
            Err(error) => {
                waiting.transfers.push_front(transfer);
                return Err(error);
            }
        };
        if transfer.is_over() {
            let (session, is_whole) = (transfer.session(), transfer.is_whole());
            let ended = transfer.has_end().then_some(Ended { session, is_whole });
            waiting.ended.extend(ended);
        } else {
            waiting.transfers.push_front(transfer);
        }
        waiting.ready.extend(messages);
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until not too much waits to be said.
    async fn room(&self) {
        while self.is_full() {
            self.emptied.notified().await;
        }
    }

    fn is_full(&self) -> bool {
        let waiting = self.lock();
        !waiting.is_closed && waiting.ready.len() >= READY_MAX
    }

    fn close(&self) {
        let mut waiting = self.lock();
        *waiting = Waiting {
            is_closed: true,
            ..Waiting::default()
        };
        drop(waiting);
        self.filled.notify_one();
        self.emptied.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use grove_core::author::{NextArgs, forge};
    use grove_core::session::Dialect;
    use grove_core::types::{KeyPair, LogId, PlainValue, SchemaId, SeqNum};
    use grove_core::wire::{Fields, Heights, Operation};

    use super::*;
    use crate::engine::{Engine, EngineSettings, RequestId};
    use crate::store::SqliteStore;

    /// A store with as many entries, each in a log of its own, and where to begin in each.
    fn store(entries: u64) -> (Engine<SqliteStore>, Heights) {
        let settings = EngineSettings::new(PeerId([0; 32]));
        let mut engine = Engine::new(SqliteStore::in_memory().unwrap(), settings).unwrap();
        let key_pair = KeyPair::from_seed(&[1; 32]);
        let data = PlainValue::Bytes(vec![7; 100]);
        let operation = Operation::Create {
            schema_id: SchemaId::BLOB_PIECE,
            fields: Fields::from([("data".to_owned(), data)]),
        };
        let inputs = (0..entries).map(|log_id| Input::Publish {
            request: RequestId(log_id),
            submission: Box::new(
                forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap(),
            ),
        });
        engine.handle(Instant::ZERO, inputs.collect()).unwrap();
        let logs = (0..entries).map(|log_id| (LogId::new(log_id), SeqNum::FIRST));
        let starts = Heights::from([(key_pair.public_key(), logs.collect())]);
        (engine, starts)
    }

    #[test]
    fn entries_are_read_only_when_nothing_is_ready_and_a_few_at_once() {
        let (engine, starts) = store(300);
        let (outbox, peer) = (Outbox::default(), PeerId([1; 32]));
        let transfer = Transfer::new(Instant::ZERO, 5, starts, Dialect::Grove);
        outbox.put(Output::Transfer { peer, transfer });

        let (mut sent, mut reads, mut largest) = (0, 0, 0);
        loop {
            match outbox.take() {
                Taken::Output(PeerOutput::Send(Message::SyncDone { .. })) => break,
                Taken::Output(_) => sent += 1,
                Taken::Transfer => {
                    assert!(outbox.lock().ready.is_empty());
                    outbox.advance(Instant::ZERO, engine.store()).unwrap();
                    reads += 1;
                    largest = largest.max(outbox.lock().ready.len());
                    // What comes meanwhile waits for no more than what was read.
                    let message = Message::Have {
                        session: 6,
                        heights: Heights::new(),
                    };
                    outbox.put(Output::Send { peer, message });
                }
                Taken::Ended(ended) => {
                    assert!(ended.is_whole && ended.session == 5);
                    outbox.told(ended);
                }
                Taken::Nothing | Taken::Closed => panic!("there is more"),
            }
        }

        assert!(
            largest <= 64 && reads >= 5,
            "{reads} reads of up to {largest}"
        );
        assert_eq!(sent, 300 + reads - 1);
    }

    #[test]
    fn a_transfer_ends_with_its_session_without_sync_done() {
        let (engine, starts) = store(300);
        let mut transfer = Transfer::new(Instant::ZERO, 5, starts, Dialect::Grove);
        let late = Instant::ZERO.after(grove_core::session::SESSION_TIMEOUT);

        let first = transfer.step(Instant::ZERO, engine.store()).unwrap();
        assert!(!first.is_empty() && !transfer.is_over());
        assert_eq!(transfer.step(late, engine.store()).unwrap(), []);
        assert!(transfer.is_over());
    }
}
