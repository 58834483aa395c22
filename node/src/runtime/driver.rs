//! The one way into an engine: inputs and the time go in, outputs come out.
//!
//! Decides nothing and knows no thread, socket or clock, so that a deployed node, a simulated one and a
//! recording that is played back do the same with the same inputs. What becomes of the outputs is the
//! caller's matter.
//!
//! Always true:
//! - Time never steps back, whatever the caller says.
//! - A tap hears of all inputs before the engine takes them, and of all outputs before anybody acts on them.

use std::fmt;

use grove_core::time::Instant;

use crate::engine::{Engine, EngineSettings, Input, Output};
use crate::store::{Store, StoreError, Upkeep};

/// Hears everything that goes in and out of an engine.
pub trait Tap: Send {
    /// The engine is about to take these inputs, in one transaction.
    fn took(&mut self, now: Instant, inputs: &[Input]);

    /// This is what it had to say to them. Nobody acted on it yet.
    fn gave(&mut self, now: Instant, outputs: &[Output]);
}

/// An engine with its time and its tap.
pub struct Driver<S> {
    engine: Engine<S>,
    now: Instant,
    /// That of the latest entry the engine told of.
    position: i64,
    /// What the engine had to say when it began, over what an older program left. Told with the first turn.
    early: Vec<Output>,
    tap: Option<Box<dyn Tap>>,
}

/// What came of a turn.
#[derive(Debug)]
#[must_use = "somebody waits for the answers"]
pub struct Turn {
    /// What the engine had to say, the answers to failed requests included.
    pub outputs: Vec<Output>,
    /// Why nothing of the inputs happened, for the operator's log.
    pub failure: Option<StoreError>,
}

impl<S: Store> Driver<S> {
    /// An engine that goes on with what `store` holds.
    pub fn new(store: S, settings: EngineSettings) -> Result<Self, StoreError> {
        let mut engine = Engine::new(store, settings)?;
        Ok(Self {
            early: std::iter::from_fn(|| engine.poll()).collect(),
            position: engine.store().position()?,
            engine,
            now: Instant::ZERO,
            tap: None,
        })
    }

    /// Has somebody hear everything from now on.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Has the engine take these inputs in one transaction. Without any it only learns what other
    /// processes changed.
    pub fn turn(&mut self, now: Instant, mut inputs: Vec<Input>) -> Turn {
        self.now = self.now.max(now);
        let opened = self.engine.open(&mut inputs);
        if let Some(tap) = &mut self.tap {
            tap.took(self.now, &inputs);
        }
        let asked = inputs.iter().filter(|input| is_request(input)).count();
        let failure = self.engine.run(self.now, opened, inputs).err();
        let said: Vec<Output> = std::iter::from_fn(|| self.engine.poll()).collect();
        self.check_order(&said, failure.is_some());
        let mut outputs = std::mem::take(&mut self.early);
        outputs.extend(said);
        let answered = outputs.iter().filter(|output| is_answer(output)).count();
        assert_eq!(asked, answered, "every request has one answer");
        if let Some(tap) = &mut self.tap {
            tap.gave(self.now, &outputs);
        }
        Turn { outputs, failure }
    }

    /// What must be true of outputs, or the engine made a mistake.
    fn check_order(&mut self, outputs: &[Output], has_failed: bool) {
        for output in outputs {
            match output {
                Output::Accepted { change, .. } => {
                    assert!(!has_failed, "an entry is told of that was not stored");
                    assert!(change.position > self.position, "positions grow");
                    self.position = change.position;
                }
                Output::Changed(change) => {
                    assert!(!has_failed, "a change is told of that was not stored");
                    assert!(change.position >= self.position, "positions never fall");
                }
                Output::Published { result, .. } => {
                    assert!(
                        !has_failed || result.is_err(),
                        "a failed entry was acknowledged"
                    );
                }
                Output::Done { result, .. } => {
                    assert!(
                        !has_failed || result.is_err(),
                        "a failed command was acknowledged"
                    );
                }
                _ => {}
            }
        }
    }

    /// The store, for questions.
    pub fn store(&self) -> &S {
        self.engine.store()
    }

    /// The store's upkeep.
    pub(super) fn upkeep(&mut self) -> &mut dyn Upkeep
    where
        S: Upkeep,
    {
        self.engine.upkeep()
    }
}

/// A clone goes on from the same state; nobody listens to it.
impl<S: Clone> Clone for Driver<S> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            now: self.now,
            position: self.position,
            early: self.early.clone(),
            tap: None,
        }
    }
}

fn is_request(input: &Input) -> bool {
    matches!(input, Input::Publish { .. } | Input::Command { .. })
}

fn is_answer(output: &Output) -> bool {
    matches!(output, Output::Published { .. } | Output::Done { .. })
}

impl<S: fmt::Debug> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("engine", &self.engine)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
