//! Runs the vectors against an adapter and says how each case ended.
//!
//! The adapter sees neither ids nor expected results. Cases are shuffled by a seed and pipelined; some
//! are asked twice. When an adapter dies or falls silent, everything it still owed is asked again one
//! by one, so that the blame falls on the case that earns it.
//!
//! Always true:
//! - Whatever an adapter does, a run ends, and every case has exactly one record.

pub mod batch;
mod hello;
pub mod judge;
mod process;
mod question;
mod required;
pub mod score;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::suite::{Ruleset, Suite};
pub use hello::{HelloError, Implementation, greeting, read as read_hello};
pub use judge::Outcome;
pub use process::{Adapter, Command, Reply};
use question::Question;
pub use question::line as question_line;
pub(crate) use question::{matches, shuffle};
pub use required::Required;
pub use score::{Score, Scores};
use worker::Worker;

/// What to run and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The adapter.
    pub command: Command,
    /// The rules to judge by.
    pub ruleset: Ruleset,
    /// Glob over case ids and kinds.
    pub only: Option<String>,
    /// Adapters to run side by side.
    pub jobs: usize,
    /// Seed of the order.
    pub seed: u64,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Options {
    fn selection(&self) -> Selection {
        Selection {
            ruleset: self.ruleset,
            only: self.only.clone(),
            seed: self.seed,
        }
    }
}

/// Which questions are asked, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The rules to judge by.
    pub ruleset: Ruleset,
    /// Glob over case ids and kinds.
    pub only: Option<String>,
    /// Seed of the order.
    pub seed: u64,
}

/// How one case ended.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// Id of the case.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The last line the adapter wrote about it.
    pub answer: Option<Value>,
    /// Last lines the adapter wrote to stderr, when it broke down over the case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
}

/// How all cases ended, in order of their ids.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Run {
    pub implementation: Implementation,
    pub ruleset: Ruleset,
    pub seed: u64,
    pub records: Vec<Record>,
    /// Points by kind; see [`score`].
    pub scores: Scores,
    /// Whether an operation nobody defined came back as unsupported.
    pub refuses_unknown_operations: bool,
}

impl Run {
    /// Cases whose outcome `is`.
    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.records
            .iter()
            .filter(|record| is(&record.outcome))
            .count()
    }

    /// Whether nothing failed and something scored.
    pub fn conforms(&self) -> bool {
        self.refuses_unknown_operations
            && self.scores.total().points > 0
            && self.count(Outcome::is_failure) == 0
    }
}

/// Why no case could be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The adapter cannot be started.
    #[error("the adapter does not start: {0}")]
    Start(#[source] std::io::Error),
    /// The adapter says nothing usable when it is greeted.
    #[error("the adapter does not say hello: {cause}{}", after(stderr))]
    Silent {
        /// What it did instead.
        cause: String,
        /// Its last words.
        stderr: Vec<String>,
    },
    /// The adapter does not introduce itself as the protocol asks.
    #[error("the adapter does not say hello: {0}")]
    Hello(#[from] HelloError),
    /// Started once more, the adapter says that it is another.
    #[error("the adapter introduces itself in another way when it is started again")]
    Another,
    /// No case matches.
    #[error("no case matches {0:?}")]
    NothingToRun(String),
    /// A file of answers is not one.
    #[error("line {line} of the answers {what}")]
    Answers {
        /// Number of the line, from one.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A file of answers cannot be read.
    #[error("the answers cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
}

fn after(stderr: &[String]) -> String {
    stderr.iter().map(|line| format!("\n{line}")).collect()
}

/// Asks every case; `progress` is called with the number of finished ones.
pub fn run(
    suite: &Suite,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Run, RunError> {
    let questions = question::with_repetitions(suite, &options.selection())?;
    let total = questions.len();
    let done = AtomicUsize::new(0);
    let jobs = options.jobs.clamp(1, total);
    let mut shares: Vec<VecDeque<Question<'_>>> = vec![VecDeque::new(); jobs];
    for (index, question) in questions.into_iter().enumerate() {
        shares[index % jobs].push_back(question);
    }
    let workers: Result<Vec<Worker<'_>>, RunError> = thread::scope(|scope| {
        let tick = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        let handles: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || Ok(Worker::new(options, share)?.finish(&tick))))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().expect("workers do not panic"))
            .collect()
    });
    Ok(collect(suite, workers?, options))
}

fn collect(suite: &Suite, workers: Vec<Worker<'_>>, options: &Options) -> Run {
    let implementation = workers.first().map(|worker| worker.implementation.clone());
    let refuses_unknown_operations = workers.iter().all(|worker| worker.refuses_unknown);
    let records = workers.into_iter().flat_map(|worker| worker.records);
    let records = once_each(records);
    Run {
        implementation: implementation.unwrap_or_default(),
        ruleset: options.ruleset,
        seed: options.seed,
        scores: Scores::of(suite, options.ruleset, &records),
        records,
        refuses_unknown_operations,
    }
}

/// One record per case. Two answers to one question that differ are a fault of their own.
fn once_each(records: impl Iterator<Item = Record>) -> Vec<Record> {
    let mut unique: BTreeMap<String, Record> = BTreeMap::new();
    for record in records {
        match unique.get_mut(&record.id) {
            Some(first) if first.outcome == record.outcome && says_the_same(first, &record) => {}
            Some(first) => first.outcome = Outcome::Unstable,
            None => {
                unique.insert(record.id.clone(), record);
            }
        }
    }
    unique.into_values().collect()
}

/// Whether two answers agree in everything that is not for people.
fn says_the_same(first: &Record, second: &Record) -> bool {
    let said = |record: &Record| {
        ["verdict", "phase", "reason", "output"].map(|member| {
            record
                .answer
                .as_ref()
                .and_then(|answer| answer.get(member))
                .cloned()
        })
    };
    said(first) == said(second)
}
