//! A deployed node: one writer thread around the engine, readers beside it.
//!
//! The writer takes all entries that arrived while the last transaction was made durable and commits
//! them in one. That is what makes `synchronous=FULL` affordable: many publishers share one sync.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time;

use grove_core::author::NextArgs;
use grove_core::validate::Submission;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::audience::Audience;
use super::clock::Clock;
use super::debt::{Debt, Owing};
use super::driver::{Driver, Tap, Turn};
use super::readers::Readers;
use super::{Node, Prepared, Runtime};
use crate::api::{ApiError, Proposals};
use crate::engine::{Command, EngineSettings, Input, Output, Reclaimed, Rejection, RequestId};
use crate::store::objects::{Objects, Staged, Swept};
use crate::store::{Read, SharedStore, StoreError};

/// Most entries in one transaction.
const BATCH_MAX: usize = 512;

/// Most entries that wait for the writer; publishers beyond wait for a place.
const QUEUE_MAX: usize = 4096;

/// What the entries that wait for the writer may have in bytes together, in units of [`QUEUE_UNIT`].
/// They outlive the requests that brought them.
const QUEUE_SIZE_MAX: usize = (64 << 20) / QUEUE_UNIT;
const QUEUE_UNIT: usize = 1 << 10;

/// How long a question may take.
const QUESTION_MAX: time::Duration = time::Duration::from_secs(20);

/// How long a question may take while deleted bytes wait to be dropped, and it may be in the way. With
/// the times of a [`Debt`] it makes up [`FORGOTTEN_WITHIN`](super::FORGOTTEN_WITHIN).
const QUESTION_MAX_OWING: time::Duration = time::Duration::from_secs(2);

/// How often it is looked whether anything takes too long.
const WATCH_INTERVAL: time::Duration = time::Duration::from_millis(250);

/// How old an object is at least that no entry refers to and none will: far longer than it takes to store
/// an entry whose bytes were put, and than the clocks of a node and a service differ.
const OBJECT_AGE_MIN: time::Duration = time::Duration::from_secs(15 * 60);

/// How many times as long as it took to make an index the writer makes no other.
const RESTS: u32 = 9;

/// Handle to the threads of a node.
#[derive(Debug)]
pub struct ThreadedNode {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    readers: Arc<Readers>,
    /// Where large bytes go before the writer hears of them.
    objects: Option<Arc<Objects>>,
    /// How often deleted bytes were kept for longer than promised.
    overdue: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Job {
    Publish(Box<Submission>, Publisher),
    Command(Box<Command>, oneshot::Sender<Result<Reclaimed, Rejection>>),
    /// Look for what other processes changed.
    Look,
    /// Make what questions would be faster with; the answer is how long it took.
    Improve(oneshot::Sender<time::Duration>),
    Stop,
}

/// Who waits for an entry to be stored.
#[derive(Debug)]
struct Publisher {
    to: oneshot::Sender<Result<NextArgs, Rejection>>,
    /// The entry's room in the queue, until it is answered.
    _room: OwnedSemaphorePermit,
    /// Bytes that go again unless the entry is accepted.
    _staged: Option<Staged>,
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
        let readers = Readers::open(&store)?;
        let news_interval = store.news_interval();
        let objects = store.objects();
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (wish, wishes) = std::sync::mpsc::sync_channel(1);
        // One wish that waits stands for all: what is missing is asked for again.
        store.on_index_wanted(Box::new(move || {
            let _ = wish.try_send(());
        }));
        let mut driver = Driver::new(store, settings)?;
        if let Some(tap) = tap {
            driver.tap(tap);
        }
        let audience = Audience::new(driver.store().position()?);
        let (schemas, followers) = (audience.schemas(), audience.followers());
        let copies = Debt::new("the last copies of what was deleted");
        let discarded = Debt::new("blobs that were deleted");
        let owing = [copies.owing(), discarded.owing()];
        let overdue = copies.overdue();
        let writer = Writer {
            driver,
            queue,
            audience,
            has_company: news_interval.is_some(),
            clock: Clock::new(),
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
            watch(&watched_jobs, &watched, &owing)
        })?;

        let weak_jobs = jobs.downgrade();
        spawn("grove-wishes", move || grant_wishes(&weak_jobs, &wishes))?;

        let node = Arc::new(Self {
            jobs: jobs.clone(),
            room: Arc::new(Semaphore::new(QUEUE_SIZE_MAX)),
            readers,
            objects,
            overdue,
        });
        Ok((
            Node {
                runtime: Runtime::Threads(node),
                schemas,
                followers,
                proposals: Proposals::default(),
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
    pub(super) async fn hand_in(&self, prepared: Prepared) -> Result<Answer, ApiError> {
        let Prepared { submission, staged } = prepared;
        let (to, waiting) = oneshot::channel();
        let size = submission.payload().len().div_ceil(QUEUE_UNIT);
        let size = u32::try_from(size.clamp(1, QUEUE_SIZE_MAX)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await;
        let publisher = Publisher {
            to,
            _room: room.map_err(|_| ApiError::Busy)?,
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

    pub(super) fn is_accepting(&self) -> bool {
        !self.jobs.is_closed()
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let loan = Readers::lend(&self.readers).await.ok_or(ApiError::Busy)?;
        let answer = move || match question(loan.reader()) {
            Err(_) if loan.was_interrupted() => Err(ApiError::Busy),
            answer => answer,
        };
        tokio::task::spawn_blocking(answer)
            .await
            .map_err(|_| ApiError::Busy)?
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

/// Ends questions that take too long, and has the writer drop what it owes to drop even when nobody
/// publishes, until there is no writer any more.
fn watch(jobs: &mpsc::WeakSender<Job>, readers: &Readers, [copies, discarded]: &[Owing; 2]) {
    loop {
        std::thread::sleep(WATCH_INTERVAL);
        let Some(jobs) = jobs.upgrade() else {
            return;
        };
        // Readers are in the way of copies alone.
        let owes = copies.load(Ordering::Relaxed);
        readers.interrupt(if owes {
            QUESTION_MAX_OWING
        } else {
            QUESTION_MAX
        });
        if jobs.is_closed() {
            return;
        }
        if owes || discarded.load(Ordering::Relaxed) {
            // A full queue means that the writer wakes up without being told.
            let _ = jobs.try_send(Job::Look);
        }
    }
}

/// Has the writer make what questions would be faster with. Those who publish wait meanwhile, so that it
/// rests for much longer than it works.
fn grant_wishes(jobs: &mpsc::WeakSender<Job>, wishes: &std::sync::mpsc::Receiver<()>) {
    while wishes.recv().is_ok() {
        let Some(jobs) = jobs.upgrade() else {
            return;
        };
        let (reply, took) = oneshot::channel();
        let sent = jobs.blocking_send(Job::Improve(reply));
        drop(jobs);
        match took.blocking_recv() {
            Ok(took) if sent.is_ok() => std::thread::sleep(took * RESTS),
            _ => return,
        }
    }
}

/// Where the writer's answer will be.
pub(super) type Answer = oneshot::Receiver<Result<NextArgs, Rejection>>;

/// Waits for the writer's answer.
pub(super) async fn answer(waiting: Answer) -> Result<NextArgs, ApiError> {
    Ok(waiting.await.map_err(|_| ApiError::Busy)??)
}

/// Who waits for the outcome of an input.
enum Reply {
    Published(Publisher),
    Done(oneshot::Sender<Result<Reclaimed, Rejection>>),
}

impl Job {
    /// The input a job asks for, and who waits for its outcome; `None` for what is no input.
    fn input(self, request: RequestId) -> Option<(Input, Reply)> {
        match self {
            Self::Publish(submission, publisher) => {
                let input = Input::Publish {
                    request,
                    submission,
                };
                Some((input, Reply::Published(publisher)))
            }
            Self::Command(command, reply) => {
                let input = Input::Command { request, command };
                Some((input, Reply::Done(reply)))
            }
            Self::Look | Self::Improve(_) | Self::Stop => None,
        }
    }
}

/// The thread that owns the engine.
struct Writer<S> {
    driver: Driver<S>,
    queue: mpsc::Receiver<Job>,
    audience: Audience,
    /// Whether other processes may write to the same database.
    has_company: bool,
    clock: Clock,
    /// Copies the database may keep of bytes of deleted documents.
    copies: Debt,
    /// Bytes of deleted documents outside of it.
    discarded: Debt,
    /// Whether the last look for what others changed failed.
    blind: bool,
}

impl<S: SharedStore> Writer<S> {
    fn run(mut self) {
        // What a crash kept from being dropped.
        self.forget_when_idle();
        let mut stopping = false;
        while !stopping {
            let Some(first) = self.queue.blocking_recv() else {
                return;
            };
            let mut inputs = Vec::new();
            let mut replies = Vec::new();
            let mut improve = None;
            let mut next = Some(first);
            while let Some(job) = next {
                if matches!(job, Job::Stop) {
                    stopping = true;
                    self.queue.close();
                }
                if let Job::Improve(reply) = job {
                    improve = Some(reply);
                } else if let Some((input, reply)) = job.input(RequestId(replies.len() as u64)) {
                    inputs.push(input);
                    replies.push(Some(reply));
                }
                next = if inputs.len() < BATCH_MAX {
                    self.queue.try_recv().ok()
                } else {
                    None
                };
            }
            // A transaction learns what others did by itself.
            if !inputs.is_empty() || self.has_news() {
                self.commit(inputs, replies);
            }
            self.forget_when_idle();
            if let Some(reply) = improve {
                // Whoever asked ends with the node.
                let _ = reply.send(self.create_index());
            }
        }
        while let Ok(job) = self.queue.try_recv() {
            if let Some((input, reply)) = job.input(RequestId(0)) {
                self.commit(vec![input], vec![Some(reply)]);
            }
        }
        self.erase();
        self.forget();
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
    fn forget_when_idle(&mut self) {
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

    /// Makes one thing that questions would be faster with; tells how long it took.
    fn create_index(&mut self) -> time::Duration {
        let begun = time::Instant::now();
        match self.driver.upkeep().create_index() {
            Ok(true) => tracing::info!(time = ?begun.elapsed(), "index made"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "could not make an index"),
        }
        begun.elapsed()
    }

    /// Hands a batch to the engine and answers those who wait for it.
    fn commit(&mut self, inputs: Vec<Input>, mut replies: Vec<Option<Reply>>) {
        let Turn { outputs, failure } = self.driver.turn(self.clock.now(), inputs);
        if let Some(error) = failure {
            tracing::error!(%error, "could not store a batch of entries");
        }
        self.audience.hear(&outputs);
        for output in outputs {
            self.hand_out(output, &mut replies);
        }
        assert!(
            replies.iter().all(Option::is_none),
            "somebody was left without an answer"
        );
        self.tell();
    }

    /// Tells those who follow what is new since the last time.
    fn tell(&mut self) {
        if !self.has_company {
            self.audience.tell();
        } else if let Err(error) = self.audience.tell_from(self.driver.store()) {
            tracing::warn!(%error, "could not tell what is new, the next commit will");
        }
    }

    /// Does what the engine says.
    fn hand_out(&mut self, output: Output, replies: &mut [Option<Reply>]) {
        match output {
            Output::Published { request, result } => {
                if let Some(Reply::Published(publisher)) = take_reply(replies, request) {
                    // The publisher may have gone; its entry is stored all the same.
                    let _ = publisher.to.send(result);
                }
            }
            Output::Done { request, result } => {
                if let Some(Reply::Done(reply)) = take_reply(replies, request) {
                    let _ = reply.send(result);
                }
            }
            Output::Deleted(_) => {
                self.copies.incur();
                self.discarded.incur();
            }
            // The audience has heard of these.
            Output::SchemaAdded(_) | Output::Accepted { .. } | Output::Changed(_) => {}
            Output::Forked { public_key, log_id } => {
                tracing::warn!(%public_key, %log_id, "a log is forked, all its branches are kept");
            }
            Output::Send { .. } | Output::Transfer { .. } | Output::Refused { .. } => {}
        }
    }
}

fn take_reply(replies: &mut [Option<Reply>], request: RequestId) -> Option<Reply> {
    let at = usize::try_from(request.0).ok()?;
    replies.get_mut(at).and_then(Option::take)
}
