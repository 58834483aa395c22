//! Connections for questions, lent one question at a time.
//!
//! Knows since when each question is being answered, and ends those that take too long: a reader holds
//! on to the state it began with, and with it to bytes that were deleted since.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store::{Read, SharedStore, StoreError};

/// Most questions answered at once.
const READERS_MAX: usize = 8;

/// A connection, and how to end what it is answering.
struct Reader {
    connection: Box<dyn Read + Send>,
    interrupt: Arc<dyn Fn() + Send + Sync>,
}

/// A question being answered.
struct Question {
    since: Instant,
    interrupt: Arc<dyn Fn() + Send + Sync>,
    interrupted: Arc<AtomicBool>,
}

/// All connections for questions.
pub(super) struct Readers {
    state: Mutex<State>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    next: u64,
    questions: BTreeMap<u64, Question>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readers").field(&self.places).finish()
    }
}

/// A connection for one question. It goes back however the question ends, even if nobody waits for
/// the answer any more.
pub(super) struct Loan {
    readers: Arc<Readers>,
    reader: Option<Reader>,
    question: u64,
    interrupted: Arc<AtomicBool>,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    /// Connections to the database of `store`.
    pub(super) fn open<S: SharedStore>(store: &S) -> Result<Arc<Self>, StoreError> {
        let mut idle = Vec::with_capacity(READERS_MAX);
        for _ in 0..READERS_MAX {
            let connection = store.reader()?;
            idle.push(Reader {
                interrupt: S::interrupt(&connection).into(),
                connection: Box::new(connection),
            });
        }
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                idle,
                ..State::default()
            }),
            places: Arc::new(Semaphore::new(READERS_MAX)),
        }))
    }

    /// Waits for a connection; `None` when the node is stopping.
    pub(super) async fn lend(self: &Arc<Self>) -> Option<Loan> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let mut state = self.lock();
        assert!(
            !state.idle.is_empty(),
            "there are as many places as connections"
        );
        let reader = state.idle.pop()?;
        let (question, interrupted) = (state.next, Arc::new(AtomicBool::new(false)));
        state.next += 1;
        let asked = Question {
            since: Instant::now(),
            interrupt: Arc::clone(&reader.interrupt),
            interrupted: Arc::clone(&interrupted),
        };
        state.questions.insert(question, asked);
        Some(Loan {
            readers: Arc::clone(self),
            reader: Some(reader),
            question,
            interrupted,
            _place: place,
        })
    }

    /// Ends the questions that have been answered for longer than this.
    pub(super) fn interrupt(&self, longest: Duration) {
        for question in self.lock().questions.values() {
            if question.since.elapsed() > longest {
                question.interrupted.store(true, Ordering::Relaxed);
                (question.interrupt)();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan {
    pub(super) fn reader(&self) -> &dyn Read {
        let reader = self.reader.as_ref().expect("taken only on drop");
        reader.connection.as_ref()
    }

    /// Whether the question took too long and was ended.
    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut state = self.readers.lock();
        let known = state.questions.remove(&self.question);
        assert!(known.is_some(), "a question was lost sight of");
        state.idle.extend(self.reader.take());
        assert!(
            state.idle.len() <= READERS_MAX,
            "a connection came back twice"
        );
    }
}
