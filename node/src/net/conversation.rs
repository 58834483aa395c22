//! One connection to a peer from the first message to the last: bytes are cut into messages and handed to the
//! node, and what the node has to say is written as fast as the other side takes it.
//!
//! Decides nothing about replication. Leaves out how the connection was made and which one lives.
//!
//! Always true:
//! - Messages go out in the order in which the node said them, on one stream.
//! - A stream that makes no sense is given up with everything behind the bad message; so is the whole connection
//!   after [`NONSENSE_MAX`] of them.
//! - A peer has no more than one message in memory that is not judged yet.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use grove_core::session::{Dialect, PeerId};
use grove_core::wire::{Message, MessageReader};
use grove_core::{Reason, Refusal};
use libp2p::swarm::Stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::pace::{Pace, Shared};
use crate::api::ApiError;
use crate::runtime::{Counts, KnownPeers, Node, PeerConnection, PeerEventKind, PeerOutput, is_bad};

/// Bytes read at once.
const READ_SIZE: usize = 64 * 1024;

/// Bytes that are collected before they are handed to the stream.
const WRITE_SIZE: usize = 64 * 1024;

/// How long the rest of a message may take, or writing one to a peer that takes nothing.
const STALL_MAX: Duration = Duration::from_secs(30);

/// How long a message may take to come, however large it is.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(300);

/// How many streams that make no sense a peer may open on one connection.
pub(super) const NONSENSE_MAX: u32 = 8;

/// How many entries that do not verify or break a rule a peer may send on one connection. An honest one sends
/// none; a few may be due to an older or newer version of some rule.
const BAD_ENTRIES_MAX: u64 = 1000;

/// How many messages that belong to no open session a peer may send on one connection. Some are on their way
/// whenever a session is given up.
const OUT_OF_PLACE_MAX: u64 = 20_000;

/// Why a connection is not wanted any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The other side is gone, or the connection to it.
    #[error("the connection is gone: {0}")]
    Gone(#[from] io::Error),
    /// It kept us waiting in the middle of a message.
    #[error("the peer stalled in the middle of a message")]
    Stalled,
    /// What it says is no replication message, again and again.
    #[error("the peer sends what is no message ({})", .0.code())]
    Nonsense(Reason),
    /// What it sends is not worth looking at.
    #[error("the peer sends too many bad entries ({})", .0.code())]
    BadEntries(Reason),
    /// What it sends belongs to no session, again and again.
    #[error("the peer sends too much that belongs to no session ({})", .0.code())]
    OutOfPlace(Reason),
    /// Another connection took its place, or the node stops.
    #[error("the connection was replaced, or the node stops")]
    Over,
    /// Our own node has a problem.
    #[error("the node could not go on: {0}")]
    Node(#[from] ApiError),
}

impl End {
    /// Whether the peer did what it should not.
    pub(super) fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Stalled | Self::Nonsense(_) | Self::BadEntries(_) | Self::OutOfPlace(_)
        )
    }
}

/// What a conversation needs.
pub(super) struct Conversation {
    pub(super) node: Node,
    pub(super) peer: PeerId,
    pub(super) dialect: Dialect,
    /// To write on.
    pub(super) outbound: Stream,
    /// Streams to read from; a newer one takes the place of the one before.
    pub(super) inbound: mpsc::Receiver<Stream>,
    pub(super) counts: Arc<Counts>,
    pub(super) shared: Shared,
}

impl Conversation {
    /// Talks until there is a reason not to.
    pub(super) async fn run(self) -> End {
        let connection = match self.node.connect_as(self.peer, self.dialect).await {
            Ok(connection) => connection,
            Err(error) => return error.into(),
        };
        let counts = &self.counts;
        let ended = tokio::select! {
            ended = write(&connection, self.outbound, counts, (self.node.peers(), self.peer)) => ended,
            ended = read(&connection, self.inbound, counts, Pace::new(self.shared)) => ended,
        };
        match ended {
            Ok(()) => End::Over,
            Err(end) => end,
        }
    }
}

/// Writes what the node has to say.
async fn write(
    connection: &PeerConnection,
    mut stream: Stream,
    counts: &Counts,
    (peers, peer): (&KnownPeers, PeerId),
) -> Result<(), End> {
    let mut bytes = Vec::new();
    loop {
        let output = match connection.ready() {
            Some(output) => Some(output),
            // Nothing more for now: what was collected goes out.
            None => {
                if !bytes.is_empty() {
                    send(&mut stream, &mut bytes).await?;
                    within(stream.flush()).await?;
                }
                connection.next().await?
            }
        };
        match output {
            Some(PeerOutput::Send(message)) => {
                counts.sent(&message);
                bytes.extend_from_slice(&message.encode());
            }
            Some(PeerOutput::Refused(reason)) => {
                counts.refused(reason);
                peers.tell(peer, PeerEventKind::Refused(reason));
                tracing::debug!(%peer, code = reason.code(), "what a peer sent was refused");
                if is_bad(reason) && counts.bad_entries() > BAD_ENTRIES_MAX {
                    return Err(End::BadEntries(reason));
                }
                if counts.out_of_place() > OUT_OF_PLACE_MAX {
                    return Err(End::OutOfPlace(reason));
                }
            }
            Some(PeerOutput::Synced) => {
                counts.synced();
                peers.tell(peer, PeerEventKind::Synced);
            }
            None => return Ok(()),
        }
        if bytes.len() >= WRITE_SIZE {
            send(&mut stream, &mut bytes).await?;
        }
    }
}

async fn send(stream: &mut Stream, bytes: &mut Vec<u8>) -> Result<(), End> {
    for part in bytes.chunks(WRITE_SIZE) {
        within(stream.write_all(part)).await?;
    }
    bytes.clear();
    Ok(())
}

/// A peer that takes nothing for too long is given up.
async fn within(write: impl Future<Output = io::Result<()>>) -> Result<(), End> {
    match timeout(STALL_MAX, write).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(End::Stalled),
    }
}

/// Hands in what the peer says, on whichever stream it opened last.
async fn read(
    connection: &PeerConnection,
    mut streams: mpsc::Receiver<Stream>,
    counts: &Counts,
    mut pace: Pace,
) -> Result<(), End> {
    let mut nonsense = 0;
    let Some(mut stream) = streams.recv().await else {
        return Ok(());
    };
    loop {
        let next = tokio::select! {
            biased;
            next = streams.recv() => next,
            ended = read_stream(connection, &mut stream, counts, &mut pace) => {
                if let Some(reason) = ended? {
                    counts.refused(reason);
                    nonsense += 1;
                    if nonsense >= NONSENSE_MAX {
                        return Err(End::Nonsense(reason));
                    }
                }
                // What follows a bad message is lost; the peer may begin anew.
                drop(stream);
                streams.recv().await
            }
        };
        match next {
            Some(next) => stream = next,
            None => return Ok(()),
        }
    }
}

/// Hands in messages until the stream ends or makes no sense; why it does not, if so.
async fn read_stream(
    connection: &PeerConnection,
    stream: &mut Stream,
    counts: &Counts,
    pace: &mut Pace,
) -> Result<Option<Reason>, End> {
    let mut begun = None;
    let mut messages = MessageReader::new();
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let waiting = messages.waiting();
        let read = async {
            pace.room(waiting).await;
            stream.read(&mut buffer).await
        };
        let size = if messages.is_within() {
            // Whatever keeps trickling in is waited for only so long.
            let until = *begun.get_or_insert_with(Instant::now) + MESSAGE_TIME_MAX;
            let until = until.min(Instant::now() + STALL_MAX);
            timeout_at(until, read).await.map_err(|_| End::Stalled)?
        } else {
            begun = None;
            read.await
        };
        match size {
            Ok(0) | Err(_) => return Ok(None),
            Ok(size) => messages.push(&buffer[..size]),
        }
        loop {
            match messages.next_message() {
                Ok(None) => break,
                Ok(Some(message)) => {
                    begun = None;
                    tokio::time::sleep(pace.pause(&message)).await;
                    hand_in(connection, message, counts).await?;
                }
                Err(error) => return Ok(Some(error.reason())),
            }
        }
    }
}

async fn hand_in(
    connection: &PeerConnection,
    message: Message,
    counts: &Counts,
) -> Result<(), End> {
    counts.received(&message);
    Ok(connection.receive(message).await?)
}
