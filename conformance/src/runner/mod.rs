//! Runs the vectors against an adapter and says how each case ended.
//!
//! The adapter sees neither ids nor expected results. Cases are shuffled by a seed and pipelined; some
//! are asked twice. When an adapter dies or falls silent, everything it still owed is asked again one
//! by one, so that the blame falls on the case that earns it.

pub mod judge;
mod process;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::suite::{Case, Ruleset, SUITE_VERSION, Suite};
pub use judge::Outcome;
pub use process::Command;
use process::{Adapter, Reply};

/// Cases in flight at once.
const WINDOW: usize = 32;

/// One case in this many is asked twice.
const REPEAT_EVERY: usize = 16;

/// An adapter that breaks down this often has the rest of its cases given up.
const BREAKDOWNS_MAX: usize = 200;

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

/// What an adapter says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Implementation {
    pub name: String,
    pub version: String,
    pub language: String,
    pub kinds: Vec<String>,
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
}

/// How all cases ended, in order of their ids.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Run {
    pub implementation: Implementation,
    pub ruleset: Ruleset,
    pub seed: u64,
    pub records: Vec<Record>,
    /// Whether an operation nobody defined came back as unsupported.
    pub refuses_unknown_operations: bool,
    /// Last lines of the adapters' stderr.
    pub stderr: Vec<String>,
}

impl Run {
    /// Cases whose outcome `is`.
    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.records
            .iter()
            .filter(|record| is(&record.outcome))
            .count()
    }

    /// Whether nothing failed and something passed.
    pub fn conforms(&self) -> bool {
        self.refuses_unknown_operations
            && self.count(Outcome::is_pass) > 0
            && self.count(Outcome::is_failure) == 0
    }
}

/// Why no case could be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The adapter cannot be started.
    #[error("the adapter does not start: {0}")]
    Start(std::io::Error),
    /// The adapter does not introduce itself as the protocol asks.
    #[error("the adapter does not say hello: {0}")]
    Hello(String),
    /// No case matches.
    #[error("no case matches {0:?}")]
    NothingToRun(String),
}

/// One question in the queue.
#[derive(Clone, Debug)]
struct Question<'a> {
    case: &'a Case,
    kind: &'a str,
    context: Value,
    /// Asked alone, because an adapter broke down while it was under way.
    alone: bool,
}

/// Asks every case; `progress` is called with the number of finished ones.
pub fn run(
    suite: &Suite,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Run, RunError> {
    let questions = questions(suite, options)?;
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
            .map(|share| scope.spawn(move || Worker::new(options, share)?.finish(&tick)))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().expect("workers do not panic"))
            .collect()
    });
    Ok(collect(workers?, options))
}

fn questions<'a>(suite: &'a Suite, options: &Options) -> Result<Vec<Question<'a>>, RunError> {
    let wanted = |case: &Case, kind: &str| {
        options
            .only
            .as_ref()
            .is_none_or(|glob| matches(glob, &case.id) || matches(glob, kind))
    };
    let mut all: Vec<_> = suite
        .cases()
        .filter(|(file, case)| wanted(case, &file.kind))
        .map(|(file, case)| Question {
            case,
            kind: &file.kind,
            context: file.context_of(case),
            alone: false,
        })
        .collect();
    if all.is_empty() {
        return Err(RunError::NothingToRun(
            options.only.clone().unwrap_or_default(),
        ));
    }
    let again: Vec<_> = all.iter().step_by(REPEAT_EVERY).cloned().collect();
    all.extend(again);
    shuffle(&mut all, options.seed);
    Ok(all)
}

fn collect(workers: Vec<Worker<'_>>, options: &Options) -> Run {
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    let implementation = workers.first().map(|worker| worker.implementation.clone());
    let mut run = Run {
        implementation: implementation.unwrap_or_default(),
        ruleset: options.ruleset,
        seed: options.seed,
        records: Vec::new(),
        refuses_unknown_operations: workers.iter().all(|worker| worker.refuses_unknown),
        stderr: Vec::new(),
    };
    for worker in workers {
        run.stderr.extend(worker.stderr);
        for record in worker.records {
            match records.get_mut(&record.id) {
                // Asked twice: the worse outcome counts, and two different ones are a fault of their own.
                Some(first) if first.outcome != record.outcome => {
                    first.outcome = Outcome::Unstable;
                }
                Some(_) => {}
                None => {
                    records.insert(record.id.clone(), record);
                }
            }
        }
    }
    run.records = records.into_values().collect();
    run
}

/// One adapter with its share of the cases.
struct Worker<'a> {
    options: &'a Options,
    adapter: Option<Adapter>,
    implementation: Implementation,
    refuses_unknown: bool,
    queue: VecDeque<Question<'a>>,
    /// Asked and not yet answered, by sequence number.
    pending: BTreeMap<u64, (Question<'a>, Instant)>,
    next_seq: u64,
    breakdowns: usize,
    records: Vec<Record>,
    stderr: Vec<String>,
}

impl<'a> Worker<'a> {
    fn new(options: &'a Options, queue: VecDeque<Question<'a>>) -> Result<Self, RunError> {
        let mut worker = Self {
            options,
            adapter: None,
            implementation: Implementation::default(),
            refuses_unknown: true,
            queue,
            pending: BTreeMap::new(),
            next_seq: 0,
            breakdowns: 0,
            records: Vec::new(),
            stderr: Vec::new(),
        };
        worker.start()?;
        worker.refuses_unknown = worker.probe();
        Ok(worker)
    }

    fn finish(mut self, tick: &(dyn Fn() + Sync)) -> Result<Self, RunError> {
        while !(self.queue.is_empty() && self.pending.is_empty()) {
            let before = self.records.len();
            if self.breakdowns > BREAKDOWNS_MAX {
                self.give_up();
            } else {
                self.fill_window();
                self.wait();
            }
            for _ in before..self.records.len() {
                tick();
            }
        }
        if let Some(mut adapter) = self.adapter.take() {
            adapter.send(&json!({"op": "stop"}));
            self.stderr.extend(adapter.end());
        }
        Ok(self)
    }

    fn start(&mut self) -> Result<(), RunError> {
        let mut adapter = Adapter::start(&self.options.command).map_err(RunError::Start)?;
        adapter.send(&json!({"op": "hello", "protocol": [1, 1], "suite": SUITE_VERSION}));
        // A language's run time may have to be loaded first.
        let reply = adapter.receive(self.options.timeout.max(Duration::from_secs(20)));
        match reply {
            Reply::Line(hello) if hello["ok"] == true && hello["protocol"] == 1 => {
                let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
                let told = &hello["implementation"];
                let kinds = hello["kinds"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect();
                self.implementation = Implementation {
                    name: text(&told["name"]),
                    version: text(&told["version"]),
                    language: text(&told["language"]),
                    kinds,
                };
                self.adapter = Some(adapter);
                Ok(())
            }
            other => {
                let stderr = adapter.end().join("\n");
                Err(RunError::Hello(
                    format!("{other:?} {stderr}").trim().to_owned(),
                ))
            }
        }
    }

    /// Whether an operation made up on the spot comes back as unsupported.
    fn probe(&mut self) -> bool {
        let seq = self.take_seq();
        let op = format!("zq{:x}-never-defined", self.options.seed);
        let Some(adapter) = &mut self.adapter else {
            return false;
        };
        adapter.send(&json!({"op": op, "seq": seq}));
        let reply = adapter.receive(self.options.timeout);
        let refused = matches!(
            &reply,
            Reply::Line(line) if line["seq"] == seq && line["unsupported"] == true
        );
        if !matches!(reply, Reply::Line(_)) {
            self.stop_adapter();
        }
        refused
    }

    fn fill_window(&mut self) {
        while self.pending.len() < WINDOW {
            let Some(next) = self.queue.front() else {
                return;
            };
            let alone_under_way = self.pending.values().any(|(question, _)| question.alone);
            if alone_under_way || (next.alone && !self.pending.is_empty()) {
                return;
            }
            let question = self.queue.pop_front().expect("looked at above");
            if !self
                .implementation
                .kinds
                .iter()
                .any(|kind| kind == question.kind)
            {
                self.record(&question, Outcome::Unsupported, None);
                continue;
            }
            if self.adapter.is_none()
                && let Err(error) = self.start()
            {
                self.record(&question, Outcome::AdapterError(error.to_string()), None);
                self.breakdowns += 1;
                continue;
            }
            let seq = self.take_seq();
            let line = json!({
                "op": "case",
                "seq": seq,
                "kind": question.kind,
                "ruleset": self.options.ruleset,
                "context": question.context,
                "input": question.case.input,
            });
            if let Some(adapter) = &mut self.adapter {
                adapter.send(&line);
            }
            self.pending.insert(seq, (question, Instant::now()));
        }
    }

    fn wait(&mut self) {
        let Some((_, asked)) = self.pending.values().min_by_key(|(_, asked)| *asked) else {
            return;
        };
        let left = (*asked + self.options.timeout).saturating_duration_since(Instant::now());
        let Some(adapter) = &mut self.adapter else {
            return self.break_down(&Outcome::Crashed);
        };
        match adapter.receive(left) {
            Reply::Line(line) => self.answer(line),
            Reply::Noise(text) => {
                let text: String = text.chars().take(80).collect();
                self.break_down(&Outcome::AdapterError(format!(
                    "wrote {text:?}, which is not JSON"
                )));
            }
            Reply::Ended => self.break_down(&Outcome::Crashed),
            Reply::Silence => self.break_down(&Outcome::TimedOut),
        }
    }

    fn answer(&mut self, line: Value) {
        let seq = line["seq"].as_u64();
        match seq.and_then(|seq| self.pending.remove(&seq)) {
            Some((question, _)) => {
                // A silent neighbour must not eat into the time of those asked after it.
                for (_, asked) in self.pending.values_mut() {
                    *asked = Instant::now();
                }
                let outcome = judge::judge(question.case, self.options.ruleset, &line);
                self.record(&question, outcome, Some(line));
            }
            None => {
                let seq = &line["seq"];
                self.break_down(&Outcome::AdapterError(format!(
                    "answered seq {seq}, which nobody asked"
                )));
            }
        }
    }

    /// Ends the adapter. Whoever was under way alone is to blame; the others are asked again, alone.
    fn break_down(&mut self, outcome: &Outcome) {
        self.stop_adapter();
        self.breakdowns += 1;
        for (_, (mut question, _)) in std::mem::take(&mut self.pending).into_iter().rev() {
            if question.alone {
                self.record(&question, outcome.clone(), None);
            } else {
                question.alone = true;
                self.queue.push_front(question);
            }
        }
    }

    fn stop_adapter(&mut self) {
        if let Some(adapter) = self.adapter.take() {
            self.stderr.extend(adapter.end());
        }
    }

    fn give_up(&mut self) {
        self.stop_adapter();
        let outcome = Outcome::AdapterError("given up after too many breakdowns".to_owned());
        let pending = std::mem::take(&mut self.pending)
            .into_values()
            .map(|(question, _)| question);
        for question in pending
            .chain(std::mem::take(&mut self.queue))
            .collect::<Vec<_>>()
        {
            self.record(&question, outcome.clone(), None);
        }
    }

    fn record(&mut self, question: &Question<'_>, outcome: Outcome, answer: Option<Value>) {
        self.records.push(Record {
            id: question.case.id.clone(),
            kind: question.kind.to_owned(),
            outcome,
            answer,
        });
    }

    fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}

/// Fisher and Yates with splitmix64.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for index in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(index, ((z ^ (z >> 31)) % (index as u64 + 1)) as usize);
    }
}

/// Whether `text` matches `glob`, in which `*` stands for anything.
fn matches(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut open = false;
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
        open = piece.is_empty();
    }
    rest.is_empty() || open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_ids_and_kinds() {
        assert!(matches("entry*", "entry-decode-first"));
        assert!(matches("*.decode", "entry.decode"));
        assert!(matches("entry.decode", "entry.decode"));
        assert!(matches("*", ""));
        assert!(!matches("entry", "entry-decode-first"));
        assert!(!matches("*.decode", "entry.decoded"));
    }

    #[test]
    fn the_order_is_a_function_of_the_seed() {
        let order = |seed| {
            let mut items: Vec<_> = (0..100).collect();
            shuffle(&mut items, seed);
            items
        };

        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
