//! A node without threads: every call runs to its end where it is made.
//!
//! For simulation and tests. Time is what the driver says it is; what the engine has to say to peers
//! is collected for the driver, who owns the network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grove_core::author::NextArgs;
use grove_core::time::Instant;
use grove_core::validate::Submission;

use super::audience::Audience;
use super::driver::{Driver, Turn};
use super::peers::{PeerJob, Peers};
use super::readers::judged;
use super::{KnownPeers, Node, Runtime};
use crate::api::{ApiError, Proposals};
use crate::budget::Budget;
use crate::engine::{Command, EngineSettings, Input, Output, QuestionLimits, Reclaimed, RequestId};
use crate::store::{Read, SqliteStore, StoreError};

/// Handle to a node that runs on the threads of its callers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InlineNode(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    driver: Driver<SqliteStore>,
    now: Instant,
    outputs: Vec<Output>,
    audience: Audience,
    peers: Peers,
    questions: QuestionLimits,
}

/// The one request that can be under way while the engine is locked.
const REQUEST: RequestId = RequestId(0);

impl InlineNode {
    /// A node over `store`, with the handle for the HTTP layer.
    pub fn new(store: SqliteStore, settings: EngineSettings) -> Result<(Self, Node), StoreError> {
        let questions = settings.limits.questions;
        let driver = Driver::new(store, settings)?;
        let audience = Audience::new(driver.store().position()?);
        let (schemas, subscribers) = (audience.schemas(), audience.subscribers());
        let inner = Inner {
            driver,
            now: Instant::ZERO,
            outputs: Vec::new(),
            audience,
            peers: Peers::default(),
            questions,
        };
        let inline = Self(Arc::new(Mutex::new(inner)));
        let node = Node {
            runtime: Runtime::Inline(inline.clone()),
            schemas,
            subscribers,
            proposals: Proposals::default(),
            peers: KnownPeers::default(),
        };
        Ok((inline, node))
    }

    /// Hands inputs to the engine and returns all it has to say, what publishing left included. What is for
    /// a [`PeerConnection`](super::PeerConnection) comes out there.
    pub fn handle(&self, now: Instant, inputs: Vec<Input>) -> Result<Vec<Output>, StoreError> {
        let mut inner = self.lock();
        inner.now = inner.now.max(now);
        inner.run(inputs)?;
        Ok(std::mem::take(&mut inner.outputs))
    }

    /// Answers a question from the store.
    pub fn read<T>(
        &self,
        question: impl FnOnce(&dyn Read) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let inner = self.lock();
        let (store, budget) = (inner.driver.store(), inner.questions.budget());
        store.set_budget(budget.clone());
        let answer = question(store);
        store.set_budget(Budget::unlimited());
        judged(&budget, answer)
    }

    pub(super) fn publish(&self, submission: Submission) -> Result<NextArgs, ApiError> {
        let mut inner = self.lock();
        let submission = Box::new(submission);
        // A failing store is reported in the answer to the request.
        let _ = inner.run(vec![Input::Publish {
            request: REQUEST,
            submission,
        }]);
        let answer = inner.take(|output| matches!(output, Output::Published { .. }));
        match answer {
            Some(Output::Published { result, .. }) => Ok(result?),
            _ => Err(ApiError::Busy),
        }
    }

    pub(super) fn command(&self, command: Command) -> Result<Reclaimed, ApiError> {
        let mut inner = self.lock();
        let command = Box::new(command);
        // A failing store is reported in the answer to the request.
        let _ = inner.run(vec![Input::Command {
            request: REQUEST,
            command,
        }]);
        let answer = inner.take(|output| matches!(output, Output::Done { .. }));
        match answer {
            Some(Output::Done { result, .. }) => Ok(result?),
            _ => Err(ApiError::Busy),
        }
    }

    /// All that the engine had to say and nobody was there for.
    pub fn take_outputs(&self) -> Vec<Output> {
        std::mem::take(&mut self.lock().outputs)
    }

    /// Says what time it is from now on.
    pub fn keep_time(&self, now: Instant) {
        let mut inner = self.lock();
        inner.now = inner.now.max(now);
    }

    pub(super) fn now(&self) -> Instant {
        self.lock().now
    }

    pub(super) fn tell_of_peer(&self, job: PeerJob) -> Result<(), ApiError> {
        let mut inner = self.lock();
        match inner.peers.input(job) {
            Some((input, _)) => Ok(inner.run(vec![input])?),
            None => Ok(()),
        }
    }

    pub(super) fn tick(&self) -> Result<(), ApiError> {
        Ok(self.lock().run(vec![Input::Tick])?)
    }

    /// A panic while the lock was held left at worst an open transaction, which the next one ends.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes out the first output of a kind.
    fn take(&mut self, is_wanted: impl Fn(&Output) -> bool) -> Option<Output> {
        let index = self.outputs.iter().position(is_wanted)?;
        Some(self.outputs.remove(index))
    }

    fn run(&mut self, inputs: Vec<Input>) -> Result<(), StoreError> {
        let Turn { outputs, failure } = self.driver.turn(self.now, inputs);
        self.audience.hear(&outputs);
        self.audience.tell();
        let left = outputs
            .into_iter()
            .filter_map(|output| self.peers.hand_out(output));
        self.outputs.extend(left);
        failure.map_or(Ok(()), Err)
    }
}
