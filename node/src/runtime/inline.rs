//! A node without threads: every call runs to its end where it is made.
//!
//! For simulation and tests. Time is what the driver says it is; what the engine has to say to peers
//! is collected for the driver, who owns the network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grove_core::author::NextArgs;
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::validate::Submission;
use tokio::sync::watch;

use super::follow::Teller;
use super::{Node, Runtime};
use crate::api::ApiError;
use crate::engine::{Command, Engine, EngineLimits, Input, Output, Reclaimed, RequestId};
use crate::store::{Read, SqliteStore, StoreError};

/// Handle to a node that runs on the threads of its callers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InlineNode(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    engine: Engine<SqliteStore>,
    now: Instant,
    outputs: Vec<Output>,
    schemas: watch::Sender<u64>,
    teller: Teller,
}

/// The one request that can be under way while the engine is locked.
const REQUEST: RequestId = RequestId(0);

impl InlineNode {
    /// A node over `store`, known to its peers as `local`; with the handle for the HTTP layer.
    pub fn new(
        store: SqliteStore,
        local: PeerId,
        limits: EngineLimits,
    ) -> Result<(Self, Node), StoreError> {
        let engine = Engine::new(store, local, limits)?;
        let teller = Teller::new(engine.store().position()?);
        let followers = teller.followers();
        let (schemas, receiver) = watch::channel(0);
        let inner = Inner {
            engine,
            now: Instant::ZERO,
            outputs: Vec::new(),
            schemas,
            teller,
        };
        let inline = Self(Arc::new(Mutex::new(inner)));
        let node = Node {
            runtime: Runtime::Inline(inline.clone()),
            schemas: receiver,
            followers,
        };
        Ok((inline, node))
    }

    /// Hands inputs to the engine and returns all it has to say, what publishing left included.
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
        question(self.lock().engine.store())
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
        let handled = self.engine.handle(self.now, inputs);
        let polled = self.collect();
        self.teller.tell();
        polled.and(handled)
    }

    fn collect(&mut self) -> Result<(), StoreError> {
        while let Some(output) = self.engine.poll()? {
            match &output {
                Output::SchemaAdded(_) => self.schemas.send_modify(|count| *count += 1),
                Output::Accepted { change, .. } | Output::Changed(change) => {
                    self.teller.note(change.clone());
                }
                _ => {}
            }
            self.outputs.push(output);
        }
        Ok(())
    }
}
