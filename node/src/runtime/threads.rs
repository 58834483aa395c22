//! A deployed node: one writer thread around the engine, readers beside it.
//!
//! The writer takes all entries that arrived while the last transaction was made durable and commits
//! them in one. That is what makes `synchronous=FULL` affordable: many publishers share one sync.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time;

use grove_core::author::NextArgs;
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::validate::Submission;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Node, Prepared, Runtime};
use crate::api::ApiError;
use crate::engine::{
    Command, Engine, EngineLimits, IngestError, Input, Output, Reclaimed, RequestId,
};
use crate::store::objects::{Objects, Staged};
use crate::store::{Read, SharedStore, StoreError};

/// Most entries in one transaction.
const BATCH_MAX: usize = 512;

/// Most entries that wait for the writer; publishers beyond wait for a place.
const QUEUE_MAX: usize = 4096;

/// How long a busy writer puts off dropping the last copies of deleted bytes, and after which time
/// an idle one tries again.
const FORGET_WITHIN: time::Duration = time::Duration::from_secs(1);

/// Most questions answered at once.
const READERS_MAX: usize = 8;

/// Handle to the threads of a node.
#[derive(Debug)]
pub struct ThreadedNode {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    /// Where large bytes go before the writer hears of them.
    objects: Option<Arc<Objects>>,
}

/// Who waits for the writer's answer.
#[derive(Debug)]
struct Publisher {
    reply: oneshot::Sender<Result<NextArgs, IngestError>>,
    /// Bytes that go again unless the entry is accepted.
    _staged: Option<Staged>,
}

#[derive(Debug)]
enum Job {
    Publish(Box<Submission>, Publisher),
    Command(
        Box<Command>,
        oneshot::Sender<Result<Reclaimed, IngestError>>,
    ),
    /// Look for what other processes changed.
    Look,
    Stop,
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
    /// Starts a node over `store`, known to its peers as `local`.
    pub fn start(
        store: impl SharedStore,
        local: PeerId,
        limits: EngineLimits,
    ) -> Result<(Node, Stop), StoreError> {
        let idle = (0..READERS_MAX)
            .map(|_| Ok(Box::new(store.reader()?) as Reader))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let readers = Arc::new(Readers {
            idle: Mutex::new(idle),
            places: Arc::new(Semaphore::new(READERS_MAX)),
        });
        let news_interval = store.news_interval();
        let objects = store.objects();
        let engine = Engine::new(store, local, limits)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (sender, schemas) = watch::channel(0);
        let writer = Writer {
            engine,
            queue,
            schemas: sender,
            started: time::Instant::now(),
            deleted_since: Some(time::Instant::now()),
            blind: false,
            hindered: false,
            timer: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?,
        };
        let writer = spawn("grove-writer", move || writer.run())?;
        if let Some(interval) = news_interval {
            let jobs = jobs.downgrade();
            spawn("grove-watch", move || watch_others(&jobs, interval))?;
        }

        let node = Arc::new(Self {
            jobs: jobs.clone(),
            readers,
            objects,
        });
        Ok((
            Node {
                runtime: Runtime::Threads(node),
                schemas,
            },
            Stop { jobs, writer },
        ))
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
        let (reply, waiting) = oneshot::channel();
        let publisher = Publisher {
            reply,
            _staged: prepared.staged,
        };
        let job = Job::Publish(Box::new(prepared.submission), publisher);
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

    pub(super) fn is_accepting(&self) -> bool {
        !self.jobs.is_closed()
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let loan = Readers::lend(&self.readers).await.ok_or(ApiError::Busy)?;
        tokio::task::spawn_blocking(move || question(loan.reader()))
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

/// Where the writer's answer will be.
pub(super) type Answer = oneshot::Receiver<Result<NextArgs, IngestError>>;

/// Waits for the writer's answer.
pub(super) async fn answer(waiting: Answer) -> Result<NextArgs, ApiError> {
    Ok(waiting.await.map_err(|_| ApiError::Busy)??)
}

type Reader = Box<dyn Read + Send>;

/// Connections for questions.
struct Readers {
    idle: Mutex<Vec<Reader>>,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readers").field(&self.places).finish()
    }
}

/// A connection for one question. It goes back however the question ends, even if nobody waits for
/// the answer any more.
struct Loan {
    readers: Arc<Readers>,
    reader: Option<Reader>,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    /// Waits for a connection; `None` when the node is stopping.
    async fn lend(self: &Arc<Self>) -> Option<Loan> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let reader = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()?;
        Some(Loan {
            readers: Arc::clone(self),
            reader: Some(reader),
            _place: place,
        })
    }
}

impl Loan {
    fn reader(&self) -> &dyn Read {
        self.reader.as_deref().expect("taken only on drop")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut idle = self
            .readers
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.reader.take());
    }
}

/// Who waits for the outcome of an input.
enum Reply {
    Published(Publisher),
    Done(oneshot::Sender<Result<Reclaimed, IngestError>>),
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
            Self::Look | Self::Stop => None,
        }
    }
}

/// The thread that owns the engine.
struct Writer<S> {
    engine: Engine<S>,
    queue: mpsc::Receiver<Job>,
    schemas: watch::Sender<u64>,
    started: time::Instant,
    /// Since when the database may keep copies of bytes of deleted documents.
    deleted_since: Option<time::Instant>,
    /// Whether the last look for what others changed failed.
    blind: bool,
    /// Whether dropping copies failed the last time.
    hindered: bool,
    timer: tokio::runtime::Runtime,
}

impl<S: SharedStore> Writer<S> {
    fn run(mut self) {
        // What a crash kept from being dropped.
        self.forget();
        let mut stopping = false;
        while !stopping {
            let Some(first) = self.next_job() else {
                return;
            };
            let mut inputs = Vec::new();
            let mut replies = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                if matches!(job, Job::Stop) {
                    stopping = true;
                    self.queue.close();
                }
                if let Some((input, reply)) = job.input(RequestId(replies.len() as u64)) {
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
        }
        while let Ok(job) = self.queue.try_recv() {
            if let Some((input, reply)) = job.input(RequestId(0)) {
                self.commit(vec![input], vec![Some(reply)]);
            }
        }
        self.forget();
    }

    /// Waits for a job; but while something is still to be dropped, not for long.
    fn next_job(&mut self) -> Option<Job> {
        if self.deleted_since.is_none() {
            return self.queue.blocking_recv();
        }
        let queue = &mut self.queue;
        let job = async { tokio::time::timeout(FORGET_WITHIN, queue.recv()).await };
        self.timer.block_on(job).unwrap_or(Some(Job::Look))
    }

    /// Whether other processes changed something.
    fn has_news(&mut self) -> bool {
        let found = self.engine.store_mut().has_news();
        match &found {
            Err(error) if !self.blind => {
                tracing::warn!(%error, "could not look for what other nodes wrote");
            }
            _ => {}
        }
        self.blind = found.is_err();
        found.unwrap_or(false)
    }

    /// Drops the last copies of what was deleted once nobody waits for the writer, or when they have
    /// been kept for too long.
    fn forget_when_idle(&mut self) {
        let Some(since) = self.deleted_since else {
            return;
        };
        if self.queue.is_empty() || since.elapsed() >= FORGET_WITHIN {
            self.forget();
        }
    }

    /// A reader in the way, or a service that is slow, makes it wait for the next occasion.
    fn forget(&mut self) {
        let done = self.engine.store_mut().forget_deleted();
        match &done {
            Err(error) if !self.hindered => {
                tracing::warn!(%error, "could not drop the last copies of what was deleted");
            }
            Ok(true) => self.deleted_since = None,
            _ => {}
        }
        self.hindered = done.is_err();
    }

    /// Hands a batch to the engine and answers those who wait for it.
    fn commit(&mut self, inputs: Vec<Input>, mut replies: Vec<Option<Reply>>) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Err(error) = self.engine.handle(Instant(micros), inputs) {
            tracing::error!(%error, "could not store a batch of entries");
        }
        loop {
            match self.engine.poll() {
                Ok(Some(Output::Published { request, result })) => {
                    if let Some(Reply::Published(publisher)) = take_reply(&mut replies, request) {
                        // The publisher may have gone; its entry is stored all the same.
                        let _ = publisher.reply.send(result);
                    }
                }
                Ok(Some(Output::Done { request, result })) => {
                    if let Some(Reply::Done(reply)) = take_reply(&mut replies, request) {
                        let _ = reply.send(result);
                    }
                }
                Ok(Some(Output::Deleted(_))) => {
                    self.deleted_since.get_or_insert_with(time::Instant::now);
                }
                Ok(Some(Output::SchemaAdded(id))) => {
                    tracing::info!(%id, "schema added");
                    self.schemas.send_modify(|count| *count += 1);
                }
                Ok(Some(Output::Accepted {
                    operation_id,
                    document,
                })) => {
                    tracing::debug!(%operation_id, %document, "operation accepted");
                }
                Ok(Some(Output::Send { .. } | Output::Refused { .. })) => {}
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "could not read for a peer");
                    return;
                }
            }
        }
    }
}

fn take_reply(replies: &mut [Option<Reply>], request: RequestId) -> Option<Reply> {
    let at = usize::try_from(request.0).ok()?;
    replies.get_mut(at).and_then(Option::take)
}
