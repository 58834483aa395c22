//! A deployed node: one writer thread around the engine, readers beside it.
//!
//! The writer takes all entries that arrived while the last transaction was made durable and commits
//! them in one. That is what makes `synchronous=FULL` affordable: many publishers share one sync. This file
//! starts the threads and leads to them; what the writer does is in `writer`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time;

use grove_core::author::NextArgs;
use grove_core::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::audience::Audience;
use super::cleanup::{IsPending, PendingCleanup};
use super::client::Client;
use super::clock::Clock;
use super::driver::{Driver, Tap};
use super::health::{Health, Trouble};
use super::peers::{PeerJob, Peers, Room};
use super::readers::{READERS_MAX, Readers, judged};
use super::shares::WriterShares;
use super::writer::{Job, Publisher, Writer};
use super::{KnownPeers, Node, Prepared, Runtime};
use crate::api::{ApiError, Proposals};
use crate::budget::Budget;
use crate::engine::{Command, EngineSettings, Reclaimed, Rejection};
use crate::store::objects::{Objects, Swept};
use crate::store::{Read, SharedStore, StoreError};

/// Most entries that wait for the writer; publishers beyond wait for a place.
const QUEUE_MAX: usize = 4096;

/// What the entries that wait for the writer may have in bytes together, in units of [`QUEUE_UNIT`].
/// They outlive the requests that brought them.
const QUEUE_SIZE_MAX: usize = (64 << 20) / QUEUE_UNIT;
const QUEUE_UNIT: usize = 1 << 10;

/// How long a question may take.
const QUESTION_MAX: time::Duration = time::Duration::from_secs(20);

/// How long a question may take with the time in which it waits for others.
const QUESTION_OVERALL_MAX: time::Duration = time::Duration::from_secs(45);

/// How long a question may take while deleted bytes wait to be dropped, and it may be in the way. With
/// the times of a [`PendingCleanup`] it makes up [`FORGOTTEN_WITHIN`](super::FORGOTTEN_WITHIN).
const QUESTION_MAX_PENDING: time::Duration = time::Duration::from_secs(2);

/// How often it is looked whether anything takes too long.
const WATCH_INTERVAL: time::Duration = time::Duration::from_millis(250);

/// How old an object is at least that no entry refers to and none will: far longer than it takes to store
/// an entry whose bytes were put, and than the clocks of a node and a service differ.
const OBJECT_AGE_MIN: time::Duration = time::Duration::from_secs(15 * 60);

/// Pause after building an index, as a multiple of the time the build took. Publishers wait during a build:
/// this keeps at least nine tenths of the time for them.
const INDEX_PAUSES: u32 = 9;

/// What messages of peers that wait for the writer may have in bytes together, in units of [`QUEUE_UNIT`].
/// Less than publishers have, and apart from it: a flood from peers takes no room from clients.
const PEERS_SIZE_MAX: usize = (16 << 20) / QUEUE_UNIT;

/// Handle to the threads of a node.
pub struct ThreadedNode {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    room_for_peers: Arc<Semaphore>,
    readers: Arc<Readers>,
    /// A connection that clients' questions never take.
    apart: Arc<Readers>,
    health: Arc<Health>,
    shares: WriterShares,
    clock: Arc<Clock>,
    /// Where large bytes go before the writer hears of them.
    objects: Option<Arc<Objects>>,
    /// Whether the database is still where it was.
    health_check: Arc<dyn Fn() -> Result<(), StoreError> + Send + Sync>,
    /// How often deleted bytes were kept for longer than promised.
    overdue: Arc<AtomicU64>,
}

impl fmt::Debug for ThreadedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadedNode")
            .field("readers", &self.readers)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Ends a node; dropping it leaves the node running until the process ends.
#[derive(Debug)]
pub struct Stop {
    jobs: mpsc::Sender<Job>,
    writer: JoinHandle<()>,
}

impl Stop {
    /// Commits what is queued, then ends the writer. Publishing answers `node_busy` from then on.
    pub async fn stop(self) {
        // An error means that the writer has ended already.
        let _ = self.jobs.send(Job::Stop).await;
        let writer = self.writer;
        let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    }
}

impl ThreadedNode {
    /// Starts a node over `store`.
    pub fn start(
        store: impl SharedStore,
        settings: EngineSettings,
    ) -> Result<(Node, Stop), StoreError> {
        Self::start_with(store, settings, None)
    }

    /// As [`start`](Self::start), with somebody who hears all that goes in and out of the engine.
    pub fn start_with(
        store: impl SharedStore,
        settings: EngineSettings,
        tap: Option<Box<dyn Tap>>,
    ) -> Result<(Node, Stop), StoreError> {
        let readers = Readers::open(&store, READERS_MAX, settings.limits.questions)?;
        let apart = Readers::open(&store, 1, settings.limits.questions)?;
        let health = Arc::new(Health::default());
        let news_interval = store.news_interval();
        let objects = store.objects();
        let health_check = store.health_check().into();
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (wanted, requests) = std::sync::mpsc::sync_channel(1);
        // One request that waits stands for all: what is missing is asked for again.
        store.on_index_wanted(Box::new(move || {
            let _ = wanted.try_send(());
        }));
        let mut driver = Driver::new(store, settings)?;
        if let Some(tap) = tap {
            driver.tap(tap);
        }
        let audience = Audience::new(driver.store().position()?);
        let (schemas, subscribers) = (audience.schemas(), audience.subscribers());
        let copies = PendingCleanup::new("the last copies of what was deleted");
        let discarded = PendingCleanup::new("blobs that were deleted");
        let pending = [copies.is_pending(), discarded.is_pending()];
        let overdue = copies.overdue();
        let clock = Arc::new(Clock::new());
        let writer = Writer {
            driver,
            queue,
            audience,
            has_company: news_interval.is_some(),
            clock: Arc::clone(&clock),
            health: Arc::clone(&health),
            peers: Peers::default(),
            copies,
            discarded,
            blind: false,
        };
        let writer = spawn("grove-writer", move || writer.run())?;
        if let Some(interval) = news_interval {
            let jobs = jobs.downgrade();
            spawn("grove-news", move || watch_others(&jobs, interval))?;
        }
        let (watched, watched_jobs) = (Arc::clone(&readers), jobs.downgrade());
        spawn("grove-watch", move || {
            watch(&watched_jobs, &watched, &pending)
        })?;

        let weak_jobs = jobs.downgrade();
        spawn("grove-indexes", move || {
            request_indexes(&weak_jobs, &requests)
        })?;

        let node = Arc::new(Self {
            jobs: jobs.clone(),
            room: Arc::new(Semaphore::new(QUEUE_SIZE_MAX)),
            room_for_peers: Arc::new(Semaphore::new(PEERS_SIZE_MAX)),
            readers,
            apart,
            health,
            shares: WriterShares::default(),
            clock,
            objects,
            health_check,
            overdue,
        });
        Ok((
            Node {
                runtime: Runtime::Threads(node),
                schemas,
                subscribers,
                proposals: Proposals::default(),
                peers: KnownPeers::default(),
            },
            Stop { jobs, writer },
        ))
    }

    /// How often deleted bytes were kept for longer than promised.
    pub(super) fn overdue_deletions(&self) -> u64 {
        self.overdue.load(Ordering::Relaxed)
    }

    pub(super) async fn publish(&self, prepared: Prepared) -> Result<NextArgs, ApiError> {
        answer(self.hand_in(prepared).await?).await
    }

    /// Puts away the bytes of an operation that do not go into the database, so that a slow disk or
    /// service keeps nobody waiting but its publisher.
    pub(super) async fn put_away(&self, mut prepared: Prepared) -> Result<Prepared, ApiError> {
        let (Some(objects), Ok(operation)) = (&self.objects, prepared.submission.operation())
        else {
            return Ok(prepared);
        };
        let payload = prepared.submission.payload();
        if !Objects::takes(operation.schema_id(), payload) {
            return Ok(prepared);
        }
        // Of a repetition the bytes are there already.
        let id = prepared.submission.entry().operation_id();
        let known = self
            .read(move |store| Ok(store.payload_size(id)?.is_some()))
            .await?;
        if !known {
            prepared.staged = Some(objects.stage(id.hash(), payload.to_vec()).await?);
        }
        Ok(prepared)
    }

    /// Hands an entry to the writer, which takes them in this order.
    pub(super) async fn hand_in(&self, prepared: Prepared) -> Result<PublishReceipt, ApiError> {
        let Prepared { submission, staged } = prepared;
        let (to, waiting) = oneshot::channel();
        let size = submission.payload().len().div_ceil(QUEUE_UNIT);
        let size = u32::try_from(size.clamp(1, QUEUE_SIZE_MAX)).unwrap_or(u32::MAX);
        let share = self.shares.take(Client::current(), size).await;
        let room = Arc::clone(&self.room).acquire_many_owned(size).await;
        let publisher = Publisher {
            to,
            _room: room.map_err(|_| ApiError::Busy)?,
            _share: share,
            _staged: staged,
        };
        let job = Job::Publish(Box::new(submission), publisher);
        self.jobs.send(job).await.map_err(|_| ApiError::Busy)?;
        Ok(waiting)
    }

    /// Has the writer do what the operator wants.
    pub(super) async fn command(&self, command: Command) -> Result<Reclaimed, ApiError> {
        let (reply, waiting) = oneshot::channel();
        let job = Job::Command(Box::new(command), reply);
        self.jobs.send(job).await.map_err(|_| ApiError::Busy)?;
        Ok(waiting.await.map_err(|_| ApiError::Busy)??)
    }

    pub(super) async fn sweep_objects(
        &self,
        older_than: time::Duration,
        dry_run: bool,
    ) -> Result<Swept, ApiError> {
        let older_than = older_than.max(OBJECT_AGE_MIN);
        let mut swept = Swept::default();
        let Some(objects) = &self.objects else {
            return Ok(swept);
        };
        for shard in 0..=u8::MAX {
            let objects = Arc::clone(objects);
            let sweep =
                move |store: &dyn Read| Ok(objects.sweep(shard, older_than, dry_run, store)?);
            swept = swept + self.read(sweep).await?;
        }
        Ok(swept)
    }

    /// Waits for room for a message of this size.
    pub(super) async fn room_for_peers(&self, size: usize) -> Result<Room, ApiError> {
        let units = size.div_ceil(QUEUE_UNIT).clamp(1, PEERS_SIZE_MAX);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room_for_peers).acquire_many_owned(units);
        let permit = permit.await.map_err(|_| ApiError::Busy)?;
        Ok(Room::taken(permit))
    }

    pub(super) async fn tell_of_peer(&self, job: PeerJob) -> Result<(), ApiError> {
        let sent = self.jobs.send(Job::Peer(job)).await;
        sent.map_err(|_| ApiError::Busy)
    }

    /// As [`tell_of_peer`](Self::tell_of_peer), for those who can't wait.
    pub(super) fn tell_of_peer_in_passing(&self, job: PeerJob) {
        let Err(mpsc::error::TrySendError::Full(job)) = self.jobs.try_send(Job::Peer(job)) else {
            return;
        };
        let jobs = self.jobs.clone();
        // Without a runtime the end goes unnoticed until the peer comes again, or the node ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { jobs.send(job).await });
        }
    }

    pub(super) async fn tick(&self) -> Result<(), ApiError> {
        let sent = self.jobs.send(Job::Tick).await;
        sent.map_err(|_| ApiError::Busy)
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Whether what is written would be found again.
    pub(super) fn check_health(&self) -> Result<(), StoreError> {
        (self.health_check)()
    }

    pub(super) fn is_accepting(&self) -> bool {
        !self.jobs.is_closed()
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.read_by(&self.readers, question).await
    }

    pub(super) async fn read_apart<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.read_by(&self.apart, question).await
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.health.trouble()
    }

    /// How many questions and transactions failed because of damage.
    pub(super) fn damages(&self) -> u64 {
        self.health.damages()
    }

    async fn read_by<T: Send + 'static>(
        &self,
        readers: &Arc<Readers>,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let loan = Readers::lend(readers).await.ok_or(ApiError::Busy)?;
        let _ends_unheard = GivesUp(loan.budget().clone());
        let answer = move || judged(loan.budget(), question(loan.reader()));
        let answered = tokio::task::spawn_blocking(answer).await;
        let answer = answered.map_err(|_| ApiError::Busy)?;
        if let Err(ApiError::Store(error)) = &answer {
            self.health.unanswered(error);
        }
        answer
    }
}

/// Ends a question once nobody waits for its answer.
struct GivesUp(Budget);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| StoreError::Failed(format!("no thread {name}: {error}")))
}

/// Has the writer look for what other processes changed, until there is no writer any more.
fn watch_others(jobs: &mpsc::WeakSender<Job>, interval: time::Duration) {
    loop {
        std::thread::sleep(interval);
        let Some(jobs) = jobs.upgrade() else {
            return;
        };
        // A full queue means that the next transaction is near.
        if let Err(mpsc::error::TrySendError::Closed(_)) = jobs.try_send(Job::Look) {
            return;
        }
    }
}

/// Ends questions that take too long, and has the writer clean up even when nobody publishes, until there is
/// no writer any more.
fn watch(jobs: &mpsc::WeakSender<Job>, readers: &Readers, [copies, discarded]: &[IsPending; 2]) {
    loop {
        std::thread::sleep(WATCH_INTERVAL);
        let Some(jobs) = jobs.upgrade() else {
            return;
        };
        // Readers are in the way of copies alone.
        let is_pending = copies.load(Ordering::Relaxed);
        match is_pending {
            true => readers.interrupt(QUESTION_MAX_PENDING, QUESTION_MAX_PENDING),
            false => readers.interrupt(QUESTION_MAX, QUESTION_OVERALL_MAX),
        }
        if jobs.is_closed() {
            return;
        }
        if is_pending || discarded.load(Ordering::Relaxed) {
            // A full queue means that the writer wakes up without being told.
            let _ = jobs.try_send(Job::Look);
        }
    }
}

/// Has the writer build indexes that questions would be faster with, one after the other with pauses between
/// them.
fn request_indexes(jobs: &mpsc::WeakSender<Job>, requests: &std::sync::mpsc::Receiver<()>) {
    while requests.recv().is_ok() {
        let Some(jobs) = jobs.upgrade() else {
            return;
        };
        let (reply, took) = oneshot::channel();
        let sent = jobs.blocking_send(Job::BuildIndex(reply));
        drop(jobs);
        match took.blocking_recv() {
            Ok(took) if sent.is_ok() => std::thread::sleep(took * INDEX_PAUSES),
            _ => return,
        }
    }
}

/// Where the writer's answer will be.
pub(super) type PublishReceipt = oneshot::Receiver<Result<NextArgs, Rejection>>;

/// Waits for the writer's answer.
pub(super) async fn answer(waiting: PublishReceipt) -> Result<NextArgs, ApiError> {
    Ok(waiting.await.map_err(|_| ApiError::Busy)??)
}
