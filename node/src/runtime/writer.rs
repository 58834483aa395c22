//! The thread that owns the engine: it takes what arrived while the last transaction was made durable, and
//! hands it to the engine in one.
//!
//! Decides when a transaction begins and what to do between two of them. What came of it goes back to
//! those who asked, to connections, and to the audience.

use std::sync::Arc;
use std::time;

use grove_core::author::NextArgs;
use grove_core::validate::Submission;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::audience::Audience;
use super::cleanup::PendingCleanup;
use super::clock::Clock;
use super::driver::{Driver, Turn};
use super::health::Health;
use super::peers::{PeerJob, Peers, Room};
use super::shares::WriterShare;
use crate::engine::{Command, Input, Output, Reclaimed, Rejection, RequestId};
use crate::store::SharedStore;
use crate::store::objects::Staged;

/// Most entries in one transaction.
const BATCH_MAX: usize = 512;

#[derive(Debug)]
pub(super) enum Job {
    Publish(Box<Submission>, Publisher),
    Command(Box<Command>, oneshot::Sender<Result<Reclaimed, Rejection>>),
    /// Something happened on a connection to a peer.
    Peer(PeerJob),
    /// Look after sessions with peers.
    Tick,
    /// Look for what other processes changed.
    Look,
    /// Build an index that questions asked lately would be faster with; the answer is how long it took.
    BuildIndex(oneshot::Sender<time::Duration>),
    Stop,
}

/// Who waits for an entry to be stored.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) to: oneshot::Sender<Result<NextArgs, Rejection>>,
    /// The entry's room in the queue, until it is answered.
    pub(super) _room: OwnedSemaphorePermit,
    /// The same of what its client may have there.
    pub(super) _share: Option<WriterShare>,
    /// Bytes that go again unless the entry is accepted.
    pub(super) _staged: Option<Staged>,
}

/// Who waits for the outcome of an input.
enum Reply {
    Published(Publisher),
    Done(oneshot::Sender<Result<Reclaimed, Rejection>>),
}

/// What goes to the engine in one transaction, and who waits for it.
#[derive(Default)]
struct Batch {
    inputs: Vec<Input>,
    /// By the numbers of their requests.
    replies: Vec<Option<Reply>>,
    /// What peers' messages take until they were judged.
    _rooms: Vec<Room>,
}

impl Batch {
    fn ask(&mut self, reply: Reply, input: impl FnOnce(RequestId) -> Input) {
        let request = RequestId(self.replies.len() as u64);
        self.inputs.push(input(request));
        self.replies.push(Some(reply));
    }

    /// Who waits for the answer to a request.
    fn reply(&mut self, request: RequestId) -> Option<Reply> {
        let at = usize::try_from(request.0).ok()?;
        self.replies.get_mut(at).and_then(Option::take)
    }
}

/// The thread that owns the engine.
pub(super) struct Writer<S> {
    pub(super) driver: Driver<S>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) audience: Audience,
    pub(super) peers: Peers,
    /// Whether other processes may write to the same database.
    pub(super) has_company: bool,
    pub(super) clock: Arc<Clock>,
    pub(super) health: Arc<Health>,
    /// Copies the database may keep of bytes of deleted documents.
    pub(super) copies: PendingCleanup,
    /// Bytes of deleted documents outside of it.
    pub(super) discarded: PendingCleanup,
    /// Whether the last look for what others changed failed.
    pub(super) blind: bool,
}

impl<S: SharedStore> Writer<S> {
    pub(super) fn run(mut self) {
        // What a crash kept from being dropped.
        self.clean_up_when_idle();
        let mut is_stopping = false;
        while !is_stopping {
            let Some(first) = self.queue.blocking_recv() else {
                return;
            };
            let mut batch = Batch::default();
            let mut index = None;
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Stop => {
                        is_stopping = true;
                        self.queue.close();
                    }
                    Job::BuildIndex(reply) => index = Some(reply),
                    job => self.add(&mut batch, job),
                }
                next = if batch.inputs.len() < BATCH_MAX {
                    self.queue.try_recv().ok()
                } else {
                    None
                };
            }
            // A transaction learns what others did by itself.
            if !batch.inputs.is_empty() || self.has_news() {
                self.commit(batch);
            }
            self.clean_up_when_idle();
            if let Some(reply) = index {
                // Whoever asked ends with the node.
                let _ = reply.send(self.build_index());
            }
        }
        while let Ok(job) = self.queue.try_recv() {
            let mut batch = Batch::default();
            self.add(&mut batch, job);
            if !batch.inputs.is_empty() {
                self.commit(batch);
            }
        }
        self.erase();
        self.forget();
    }

    /// Adds what a job asks the engine for, if anything.
    fn add(&mut self, batch: &mut Batch, job: Job) {
        match job {
            Job::Publish(submission, publisher) => {
                batch.ask(Reply::Published(publisher), |request| Input::Publish {
                    request,
                    submission,
                });
            }
            Job::Command(command, reply) => {
                batch.ask(Reply::Done(reply), |request| Input::Command {
                    request,
                    command,
                });
            }
            Job::Peer(job) => {
                if job.is_beginning() && !batch.inputs.is_empty() {
                    self.commit(std::mem::take(batch));
                }
                if let Some((input, room)) = self.peers.input(job) {
                    batch.inputs.push(input);
                    batch._rooms.extend(room);
                }
            }
            Job::Tick => batch.inputs.push(Input::Tick),
            Job::Look | Job::BuildIndex(_) | Job::Stop => {}
        }
    }

    /// Whether other processes changed something.
    fn has_news(&mut self) -> bool {
        let found = self.driver.upkeep().has_news();
        match &found {
            Err(error) if !self.blind => {
                tracing::warn!(%error, "could not look for what other nodes wrote");
            }
            _ => {}
        }
        self.blind = found.is_err();
        found.unwrap_or(false)
    }

    /// Drops what is left of what was deleted once nobody waits for the writer, or when it has been kept
    /// for too long.
    fn clean_up_when_idle(&mut self) {
        let idle = self.queue.is_empty();
        if self.copies.is_due(idle) {
            self.forget();
        }
        if self.discarded.is_due(idle) {
            self.erase();
        }
    }

    /// A reader in the way puts it off until it is done or is ended.
    fn forget(&mut self) {
        let done = self.driver.upkeep().drop_deleted_copies();
        self.copies.settle(&done);
    }

    /// A service that can't be reached puts it off until it can.
    fn erase(&mut self) {
        let done = self.driver.upkeep().erase_discarded();
        self.discarded.settle(&done);
    }

    /// Builds one index that questions asked lately would be faster with; tells how long it took.
    fn build_index(&mut self) -> time::Duration {
        let begun = time::Instant::now();
        match self.driver.upkeep().create_index() {
            Ok(true) => tracing::info!(time = ?begun.elapsed(), "index made"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not make an index"),
        }
        begun.elapsed()
    }

    /// Hands a batch to the engine and answers those who wait for it.
    fn commit(&mut self, mut batch: Batch) {
        let inputs = std::mem::take(&mut batch.inputs);
        assert!(inputs.len() <= BATCH_MAX, "a transaction has a bound");
        assert!(
            batch.replies.len() <= inputs.len(),
            "a reply without a request"
        );
        self.health.begin();
        let Turn { outputs, failure } = self.driver.turn(self.clock.now(), inputs);
        self.health.end(failure.as_ref());
        self.audience.hear(&outputs);
        for output in outputs {
            self.hand_out(output, &mut batch);
        }
        let is_answered = batch.replies.iter().all(Option::is_none);
        assert!(is_answered, "somebody was left without an answer");
        self.tell();
    }

    /// Tells subscribers what is new since the last time.
    fn tell(&mut self) {
        if !self.has_company {
            self.audience.tell();
        } else if let Err(error) = self.audience.tell_from(self.driver.store()) {
            tracing::warn!(%error, "could not tell what is new, the next commit will");
        }
    }

    /// Does what the engine says.
    fn hand_out(&mut self, output: Output, batch: &mut Batch) {
        match self.peers.hand_out(output) {
            Some(Output::Published { request, result }) => {
                if let Some(Reply::Published(publisher)) = batch.reply(request) {
                    // The publisher may have gone; its entry is stored all the same.
                    let _ = publisher.to.send(result);
                }
            }
            Some(Output::Done { request, result }) => {
                if let Some(Reply::Done(reply)) = batch.reply(request) {
                    let _ = reply.send(result);
                }
            }
            Some(Output::Deleted(_)) => {
                self.copies.add();
                self.discarded.add();
            }
            // The audience has heard of these.
            Some(
                Output::SchemaAdded(_)
                | Output::SchemaRemoved(_)
                | Output::Accepted { .. }
                | Output::Changed(_),
            ) => {}
            Some(Output::Forked { public_key, log_id }) => {
                tracing::warn!(%public_key, %log_id, "a log is forked, all its branches are kept");
            }
            // To a peer that has just gone.
            Some(
                Output::Send { .. }
                | Output::Transfer { .. }
                | Output::Refused { .. }
                | Output::Synced(_),
            ) => {}
            None => {}
        }
    }
}
