//! Connections for questions, lent one question at a time, so that short questions need not wait for long ones.
//!
//! Nobody knows beforehand how long a question will be. Each begins at once on a connection of its own; one that
//! turns out long stops where it is and asks to go on. Few long ones go on at a time, those of clients with the
//! fewest first, and together they never hold all connections. Who waits for a connection gets one by the same
//! measure: before others of whoever holds many.
//!
//! Knows since when each question is being answered, and ends those that take too long: a reader holds
//! on to the state it began with, and with it to bytes that were deleted since.
//!
//! Always true:
//! - Some connections are free for short questions, however many long ones are asked.
//! - A question nobody waits for ends at its next step.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::client::Client;
use crate::api::ApiError;
use crate::budget::{Budget, Exhausted};
use crate::engine::QuestionLimits;
use crate::store::{Read, SharedStore, StoreError};

/// Questions of clients answered at once.
pub(super) const READERS_MAX: usize = 12;

/// Long questions that hold a connection, going on or not.
const LONG_MAX: usize = 8;

/// Long questions that go on at once.
const LONG_AT_ONCE: usize = 2;

/// What a question may take before it counts as long.
const SHORT_WORK: u64 = 5_000;

/// How often a long question that waits looks whether it was given up.
const LOOK: Duration = Duration::from_millis(50);

/// A connection, and how to end what it is answering.
struct Reader {
    connection: Box<dyn Read + Send>,
    interrupt: Arc<dyn Fn() + Send + Sync>,
}

/// A question being answered.
struct Question {
    client: Client,
    budget: Budget,
    since: Instant,
    /// Since when it has not had to wait for other long ones.
    running_since: Instant,
    length: Length,
    interrupt: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Short,
    /// Long, and waiting to go on.
    Waits,
    Long,
}

/// All connections for questions.
pub(super) struct Readers {
    state: Mutex<State>,
    /// Wakes long questions that wait.
    freed: Condvar,
    limits: QuestionLimits,
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    next: u64,
    waiting: BTreeMap<u64, (Client, oneshot::Sender<Loan>)>,
    questions: BTreeMap<u64, Question>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

/// A connection for one question. It goes back however the question ends, even if nobody waits for
/// the answer any more.
pub(super) struct Loan {
    readers: Arc<Readers>,
    reader: Option<Reader>,
    question: u64,
    budget: Budget,
}

impl Readers {
    /// So many connections to the database of `store`, none of which does more than so much for one question.
    pub(super) fn open<S: SharedStore>(
        store: &S,
        count: usize,
        limits: QuestionLimits,
    ) -> Result<Arc<Self>, StoreError> {
        let mut idle = Vec::with_capacity(count);
        for _ in 0..count {
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
            freed: Condvar::new(),
            limits,
        }))
    }

    /// Waits for a connection; `None` when there will be none any more.
    pub(super) async fn lend(self: &Arc<Self>) -> Option<Loan> {
        let client = Client::current();
        let coming = {
            let mut state = self.lock();
            match state.idle.pop() {
                Some(reader) => return Some(self.loan(&mut state, reader, client)),
                None => {
                    let (to, coming) = oneshot::channel();
                    let number = state.number();
                    state.waiting.insert(number, (client, to));
                    coming
                }
            }
        };
        coming.await.ok()
    }

    fn loan(self: &Arc<Self>, state: &mut State, reader: Reader, client: Client) -> Loan {
        let question = state.number();
        let readers = Arc::downgrade(self);
        let go_on = move |budget: &Budget| {
            let readers: Option<Arc<Self>> = Weak::upgrade(&readers);
            readers.is_some_and(|readers| readers.go_on(question, budget))
        };
        let budget = self.limits.budget_with_gate(SHORT_WORK, go_on);
        reader.connection.set_budget(budget.clone());
        let now = Instant::now();
        let asked = Question {
            client,
            budget: budget.clone(),
            since: now,
            running_since: now,
            length: Length::Short,
            interrupt: Arc::clone(&reader.interrupt),
        };
        state.questions.insert(question, asked);
        Loan {
            readers: Arc::clone(self),
            reader: Some(reader),
            question,
            budget,
        }
    }

    /// Whether a question that turned out long may go on; waits for its turn.
    fn go_on(&self, number: u64, budget: &Budget) -> bool {
        let mut state = self.lock();
        if !state.take_place(number) {
            return false;
        }
        loop {
            if budget.check().is_err() {
                return false;
            }
            if state.next_long() == Some(number) {
                let question = state.questions.get_mut(&number);
                let question = question.expect("it is being answered");
                question.length = Length::Long;
                question.running_since = Instant::now();
                return true;
            }
            let waited = self.freed.wait_timeout(state, LOOK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends questions that have been worked on for longer than this; all that took longer than `overall`.
    pub(super) fn interrupt(&self, longest: Duration, overall: Duration) {
        for question in self.lock().questions.values() {
            let is_running = question.length != Length::Waits;
            let is_long = is_running && question.running_since.elapsed() > longest;
            if is_long || question.since.elapsed() > overall {
                question.budget.give_up();
                (question.interrupt)();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn count(&self, client: &Client, is_counted: impl Fn(&Question) -> bool) -> usize {
        let questions = self.questions.values();
        let own = questions.filter(|question| question.client == *client && is_counted(question));
        own.count()
    }

    /// Takes one of the places of long questions; of a client that has more of them than this one would, one
    /// that waits gives way.
    fn take_place(&mut self, number: u64) -> bool {
        let is_long = |question: &Question| question.length != Length::Short;
        let Some(client) = self
            .questions
            .get(&number)
            .map(|asked| asked.client.clone())
        else {
            return false;
        };
        if self
            .questions
            .values()
            .filter(|asked| is_long(asked))
            .count()
            >= LONG_MAX
        {
            let own = self.count(&client, is_long);
            let waiting = self.questions.iter();
            let waiting = waiting.filter(|(_, asked)| asked.length == Length::Waits);
            let most = waiting
                .max_by_key(|(number, asked)| (self.count(&asked.client, is_long), **number));
            let Some((victim, count)) =
                most.map(|(number, asked)| (*number, self.count(&asked.client, is_long)))
            else {
                return false;
            };
            if count <= own + 1 {
                return false;
            }
            // Its place is free as soon as it sees that; one more holds a connection until then.
            let victim = self.questions.get_mut(&victim).expect("found just now");
            victim.length = Length::Short;
            victim.budget.give_up();
        }
        let question = self.questions.get_mut(&number).expect("found above");
        question.length = Length::Waits;
        true
    }

    /// The long question that goes on next, if one may.
    fn next_long(&self) -> Option<u64> {
        let is_running = |question: &Question| question.length == Length::Long;
        if self
            .questions
            .values()
            .filter(|asked| is_running(asked))
            .count()
            >= LONG_AT_ONCE
        {
            return None;
        }
        let waiting = self.questions.iter();
        let waiting = waiting.filter(|(_, asked)| asked.length == Length::Waits);
        let next =
            waiting.min_by_key(|(number, asked)| (self.count(&asked.client, is_running), **number));
        next.map(|(number, _)| *number)
    }

    /// Who gets the next connection: of those whose clients hold the fewest, the one that came first.
    fn next_waiting(&mut self) -> Option<(Client, oneshot::Sender<Loan>)> {
        self.waiting.retain(|_, (_, to)| !to.is_closed());
        let waiting = self.waiting.iter();
        let next =
            waiting.min_by_key(|(number, (client, _))| (self.count(client, |_| true), **number));
        let number = next.map(|(number, _)| *number)?;
        self.waiting.remove(&number)
    }
}

impl Loan {
    pub(super) fn reader(&self) -> &dyn Read {
        let reader = self.reader.as_ref().expect("taken only on drop");
        reader.connection.as_ref()
    }

    /// By what the question is answered.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let readers = Arc::clone(&self.readers);
        let mut state = readers.lock();
        let known = state.questions.remove(&self.question);
        assert!(known.is_some(), "a question was lost sight of");
        let Some(reader) = self.reader.take() else {
            return;
        };
        reader.connection.set_budget(Budget::unlimited());
        let next = match state.next_waiting() {
            Some((client, to)) => Some((readers.loan(&mut state, reader, client), to)),
            None => {
                state.idle.push(reader);
                None
            }
        };
        let connections = state.idle.len() + state.questions.len();
        assert!(connections <= READERS_MAX, "a connection came back twice");
        drop(state);
        readers.freed.notify_all();
        if let Some((loan, to)) = next {
            // Given back when nobody waits any more, to whoever is next.
            let _ = to.send(loan);
        }
    }
}

/// What came of a question, or what ended it.
pub(super) fn judged<T>(budget: &Budget, answer: Result<T, ApiError>) -> Result<T, ApiError> {
    match (budget.refusal(), answer) {
        // Whatever was made of it: something was left out.
        (Some(Exhausted::Spent), _) => Err(StoreError::BudgetExceeded.into()),
        (Some(Exhausted::GivenUp), _) => Err(ApiError::Busy),
        // The database was interrupted.
        (None, Err(_)) if budget.check().is_err() => Err(ApiError::Busy),
        (None, answer) => answer,
    }
}
