//! What drives the engine: threads in a deployed node, nothing at all under simulation.
//!
//! Both give the same [`Node`] handle to the HTTP layer. Deployed, one writer thread commits all
//! entries that arrived meanwhile in one transaction, and readers have connections of their own.
//! Inline, every call runs to its end on the caller's thread, so a simulated network is deterministic.

mod audience;
mod cleanup;
mod client;
mod clock;
mod driver;
pub(crate) mod events;
mod feed;
mod health;
mod inline;
#[cfg_attr(
    not(feature = "net"),
    allow(dead_code, reason = "without a network nobody is met")
)]
mod known;
mod learnt;
mod peers;
mod readers;
mod shares;
mod threads;
mod writer;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use grove_core::Refusal;
use grove_core::author::NextArgs;
use grove_core::publish::PublishError;
use grove_core::session::{Dialect, PeerId};
use grove_core::time::Instant;
use grove_core::types::{DocumentViewId, Hash, Keyring, PublicKey, SchemaId, SeqNum};
use grove_core::validate::Submission;
use tokio::sync::watch;

use crate::api::{ApiError, Proposals};
use crate::engine::{Command, Reclaimed};
use crate::store::Read;
use crate::store::objects::{Staged, Swept};

use peers::{PeerJob, Room};

pub(crate) use client::Asking;
pub use client::Client;
pub use driver::{Driver, Tap, Turn};
pub use feed::Subscriber;
pub use health::Trouble;
pub use inline::InlineNode;
#[cfg(feature = "net")]
pub(crate) use known::{Counts, Path, is_bad};
pub use known::{KnownPeers, PeerEvent, PeerEventKind, PeerState, PeerStatus};
pub use peers::{PeerConnection, PeerOutput};
pub use threads::{Stop, ThreadedNode};

/// How long after a deletion was answered no file of the database holds the deleted bytes any more, as
/// long as the node runs; after a crash, how long after the next start. The write-ahead log keeps copies,
/// and is emptied at the latest then. A question that is in the way is ended. Other programs that read the
/// file, and what the disk does with overwritten blocks, are beyond the node's reach.
//= R7: with the document go the bytes of its operations
pub const FORGOTTEN_WITHIN: Duration = Duration::from_secs(10);

/// How many entries of a batch are got ready at once.
const PREPARED_MAX: usize = 8;

/// A running node, as the HTTP layer sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    runtime: Runtime,
    schemas: learnt::Learnt,
    subscribers: feed::Subscribers,
    proposals: Proposals,
    peers: KnownPeers,
}

thread_local! {
    /// Keys of authors, one ring per worker, so that none waits for another.
    static KEYRING: RefCell<Keyring> = RefCell::new(Keyring::default());
}

/// Checks an entry: about 40 µs on whichever worker got the request, in parallel to the writer.
fn verify(entry: &[u8], payload: Vec<u8>) -> Result<Submission, PublishError> {
    KEYRING.with_borrow_mut(|keyring| Ok(Submission::verify_with(entry, payload, keyring)?))
}

/// An entry that can be handed in.
#[derive(Debug)]
struct Prepared {
    submission: Submission,
    /// Its bytes outside of the database, which go again unless it is accepted.
    staged: Option<Staged>,
}

/// Who publishes, and what the operation is made on top of.
#[derive(Debug)]
struct Writer {
    author: PublicKey,
    view_id: Option<DocumentViewId>,
}

impl Writer {
    fn of(prepared: &Prepared) -> Self {
        let submission = &prepared.submission;
        let operation = submission.operation().ok();
        Self {
            author: submission.entry().entry().public_key,
            view_id: operation.and_then(|operation| operation.previous().cloned()),
        }
    }
}

/// An entry that was handed in.
#[derive(Debug)]
enum Handed {
    Answered(Result<NextArgs, ApiError>),
    Waiting(threads::PublishReceipt),
}

/// The hash by which an entry is found in the log, unless refusals are not logged.
struct LoggedEntry(Option<Hash>);

impl LoggedEntry {
    fn of(entry: &[u8]) -> Self {
        Self(tracing::enabled!(tracing::Level::DEBUG).then(|| Hash::of(entry)))
    }

    /// Anybody can be refused as often as they like, so that it is told only to who wants to know.
    fn log_refusal<T>(&self, answer: &Result<T, ApiError>) {
        if let (Some(entry), Err(error)) = (self.0, answer) {
            let code = error.reason().code();
            tracing::debug!(%entry, code, %error, "an entry was refused");
        }
    }
}

#[derive(Clone, Debug)]
enum Runtime {
    Threads(Arc<ThreadedNode>),
    Inline(InlineNode),
}

impl Node {
    /// Publishes an entry with its operation; when this returns, the entry is durable, its effect
    /// shows in every later answer, and no crash loses it. The answer holds the arguments of the
    /// entry after it.
    ///
    /// Once it was handed to the writer, it runs to its end even when the returned future is dropped.
    pub async fn publish(&self, entry: Vec<u8>, payload: Vec<u8>) -> Result<NextArgs, ApiError> {
        let name = LoggedEntry::of(&entry);
        let prepared = self.prepare(entry, payload).await;
        let writer = prepared.as_ref().map(Writer::of).ok();
        let answer = match (prepared, &self.runtime) {
            (Err(error), _) => Err(error),
            (Ok(prepared), Runtime::Threads(node)) => node.publish(prepared).await,
            (Ok(prepared), Runtime::Inline(node)) => node.publish(prepared.submission),
        };
        let answer = self.propose_anew(writer, answer).await;
        name.log_refusal(&answer);
        answer
    }

    /// Checks an entry, and puts away what of it goes beside the database.
    async fn prepare(&self, entry: Vec<u8>, payload: Vec<u8>) -> Result<Prepared, ApiError> {
        let prepared = Prepared {
            submission: verify(&entry, payload)?,
            staged: None,
        };
        match &self.runtime {
            Runtime::Threads(node) => node.put_away(prepared).await,
            Runtime::Inline(_) => Ok(prepared),
        }
    }

    /// Publishes entries one after the other, as many as possible in one sync of the disk. Each has an
    /// answer of its own; one that is refused keeps none of the others out.
    pub async fn publish_all(
        &self,
        entries: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Vec<Result<NextArgs, ApiError>> {
        let names = entries.iter().map(|(entry, _)| LoggedEntry::of(entry));
        let names: Vec<_> = names.collect();
        let mut answers = Vec::with_capacity(entries.len());
        let mut ready = stream::iter(entries)
            .map(|(entry, payload)| self.prepare(entry, payload))
            .buffered(PREPARED_MAX);
        while let Some(ready) = ready.next().await {
            let writer = ready.as_ref().map(Writer::of).ok();
            let answer = match (ready, &self.runtime) {
                (Err(error), _) => Err(error),
                (Ok(prepared), Runtime::Threads(node)) => {
                    node.hand_in(prepared).await.map(Handed::Waiting)
                }
                (Ok(prepared), Runtime::Inline(node)) => {
                    Ok(Handed::Answered(node.publish(prepared.submission)))
                }
            };
            answers.push((answer, writer));
        }
        let mut results = Vec::with_capacity(answers.len());
        for ((answer, writer), name) in answers.into_iter().zip(names) {
            let result = match answer {
                Ok(Handed::Answered(result)) => result,
                Ok(Handed::Waiting(answer)) => threads::answer(answer).await,
                Err(error) => Err(error),
            };
            let result = self.propose_anew(writer, result).await;
            name.log_refusal(&result);
            results.push(result);
        }
        results
    }

    /// Where the fresh arguments of a refusal begin a log, makes it one that nobody else was proposed just
    /// now: of those who would have begun the same log, only one could succeed with the same arguments.
    async fn propose_anew(
        &self,
        writer: Option<Writer>,
        answer: Result<NextArgs, ApiError>,
    ) -> Result<NextArgs, ApiError> {
        let begins_log = |error: &ApiError| {
            let next = error.would_fork().and_then(|(_, next)| next);
            next.is_some_and(|next| next.seq_num == SeqNum::FIRST)
        };
        let (mut error, writer) = match (answer, writer) {
            (Err(error), Some(writer)) => (error, writer),
            (answer, _) => return answer,
        };
        if begins_log(&error) {
            let (proposals, now) = (self.proposals.clone(), tokio::time::Instant::now());
            let Writer { author, view_id } = writer;
            let question =
                move |store: &dyn Read| proposals.next_args(store, now, author, view_id.as_ref());
            // What can't be told any more can be asked for.
            error.set_fresh_args(self.read(question).await.ok());
        }
        Err(error)
    }

    /// Begins a connection to a peer that speaks grove's dialect, in place of another one to the same peer.
    pub async fn connect(&self, peer: PeerId) -> Result<PeerConnection, ApiError> {
        self.connect_as(peer, Dialect::Grove).await
    }

    /// As [`connect`](Self::connect), to a peer that speaks this.
    pub async fn connect_as(
        &self,
        peer: PeerId,
        dialect: Dialect,
    ) -> Result<PeerConnection, ApiError> {
        PeerConnection::open(self.clone(), peer, dialect).await
    }

    /// Has sessions with peers begin and expire; to be called every now and then while any is connected.
    pub async fn tick(&self) -> Result<(), ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.tick().await,
            Runtime::Inline(node) => node.tick(),
        }
    }

    async fn room_for_peers(&self, size: usize) -> Result<Room, ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.room_for_peers(size).await,
            Runtime::Inline(_) => Ok(Room::unlimited()),
        }
    }

    async fn tell_of_peer(&self, job: PeerJob) -> Result<(), ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.tell_of_peer(job).await,
            Runtime::Inline(node) => node.tell_of_peer(job),
        }
    }

    /// As [`tell_of_peer`](Self::tell_of_peer), for those who can't wait and need not know.
    fn tell_of_peer_in_passing(&self, job: PeerJob) {
        match &self.runtime {
            Runtime::Threads(node) => node.tell_of_peer_in_passing(job),
            // A failing store is reported to whoever asks for something.
            Runtime::Inline(node) => drop(node.tell_of_peer(job)),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.runtime {
            Runtime::Threads(node) => node.now(),
            Runtime::Inline(node) => node.now(),
        }
    }

    /// Does what the operator wants, in a transaction of its own or with what others publish.
    pub async fn command(&self, command: Command) -> Result<Reclaimed, ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.command(command).await,
            Runtime::Inline(node) => node.command(command),
        }
    }

    /// Erases objects older than this that belong to nothing, or only tells how much that would be. Those of
    /// entries that are being published just now are spared in any case.
    pub async fn sweep_objects(
        &self,
        older_than: Duration,
        dry_run: bool,
    ) -> Result<Swept, ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.sweep_objects(older_than, dry_run).await,
            Runtime::Inline(_) => Ok(Swept::default()),
        }
    }

    /// Answers a question from a snapshot of the store, without waiting for the writer.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.read(question).await,
            Runtime::Inline(node) => node.read(question),
        }
    }

    /// As [`read`](Self::read), on a connection that is kept for those who look after the node.
    pub(crate) async fn read_apart<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => node.read_apart(question).await,
            Runtime::Inline(node) => node.read(question),
        }
    }

    /// What keeps entries from being stored, if anything does.
    pub fn trouble(&self) -> Option<Trouble> {
        match &self.runtime {
            Runtime::Threads(node) => node.trouble(),
            Runtime::Inline(_) => None,
        }
    }

    /// How often since the start the bytes of what was deleted were kept for longer than
    /// [`FORGOTTEN_WITHIN`], because somebody else had the database open in a transaction.
    pub fn overdue_deletions(&self) -> u64 {
        match &self.runtime {
            Runtime::Threads(node) => node.overdue_deletions(),
            Runtime::Inline(_) => 0,
        }
    }

    /// How many questions and transactions since the start failed because what is stored is not what was written.
    pub fn damages(&self) -> u64 {
        match &self.runtime {
            Runtime::Threads(node) => node.damages(),
            Runtime::Inline(_) => 0,
        }
    }

    /// What is known of other nodes.
    pub fn peers(&self) -> &KnownPeers {
        &self.peers
    }

    /// What was proposed to authors just now, by whichever API they asked.
    pub fn proposals(&self) -> &Proposals {
        &self.proposals
    }

    /// Whether the database is still where it was opened, so that what is written would be found again. Takes
    /// microseconds, no reader and no place in a queue.
    pub fn check_health(&self) -> Result<(), ApiError> {
        match &self.runtime {
            Runtime::Threads(node) => Ok(node.check_health()?),
            Runtime::Inline(_) => Ok(()),
        }
    }

    /// Whether entries are taken: not while the node stops, nor after its writer failed.
    pub fn is_accepting(&self) -> bool {
        match &self.runtime {
            Runtime::Threads(node) => node.is_accepting(),
            Runtime::Inline(_) => true,
        }
    }

    /// Follows what happens to documents, from behind this position on or from now on.
    pub async fn subscribe(&self, after: Option<i64>) -> Result<Subscriber, ApiError> {
        Subscriber::new(self.clone(), &self.subscribers, after).await
    }

    /// A counter that moves whenever schemas were added or removed.
    pub fn schemas_changed(&self) -> watch::Receiver<u64> {
        self.schemas.version.clone()
    }

    /// The schemas that were added after a version of that counter, up to another; `None` when those are not
    /// remembered any more.
    pub(crate) fn schemas_added(&self, after: u64, up_to: u64) -> Option<Vec<SchemaId>> {
        self.schemas.between(after, up_to)
    }
}
