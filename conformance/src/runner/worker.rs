//! One adapter with its share of the questions: asks, waits, and deals with whatever comes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::hello::{self, Implementation};
use super::process::{Adapter, Reply};
use super::question::{self, Question};
use super::{Options, Outcome, Record, RunError, judge};

/// Cases in flight at once.
const WINDOW: usize = 32;

/// An adapter that breaks down this often has the rest of its cases given up.
const BREAKDOWNS_MAX: usize = 200;

/// As [`BREAKDOWNS_MAX`], for breakdowns without a single answer in between.
const BREAKDOWNS_IN_A_ROW_MAX: usize = 16;

/// An adapter that answers again and again what it has answered is ended after so many lines.
const SURPLUS_MAX: usize = 100;

/// How long the run time of a language may take to be loaded.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// How long an adapter may take to end once it was told to.
const END_TIME_MAX: Duration = Duration::from_secs(1);

pub(super) struct Worker<'a> {
    options: &'a Options,
    adapter: Option<Adapter>,
    pub implementation: Implementation,
    pub refuses_unknown: bool,
    queue: VecDeque<Question<'a>>,
    /// Asked and not yet answered, by sequence number.
    pending: BTreeMap<u64, (Question<'a>, Instant)>,
    /// Place in the records of what was answered, by sequence number.
    answered: BTreeMap<u64, usize>,
    next_seq: u64,
    breakdowns: usize,
    breakdowns_in_a_row: usize,
    surplus: usize,
    pub records: Vec<Record>,
}

impl<'a> Worker<'a> {
    /// Starts the adapter and has it introduce itself.
    pub(super) fn new(
        options: &'a Options,
        queue: VecDeque<Question<'a>>,
    ) -> Result<Self, RunError> {
        let (adapter, implementation) = start(options)?;
        let mut worker = Self {
            options,
            adapter: Some(adapter),
            implementation,
            refuses_unknown: false,
            queue,
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            next_seq: 0,
            breakdowns: 0,
            breakdowns_in_a_row: 0,
            surplus: 0,
            records: Vec::new(),
        };
        worker.refuses_unknown = worker.probe();
        Ok(worker)
    }

    /// Asks everything there is to ask; `tick` is called for each record.
    pub(super) fn finish(mut self, tick: &(dyn Fn() + Sync)) -> Self {
        while !(self.queue.is_empty() && self.pending.is_empty()) {
            let before = self.records.len();
            if self.breakdowns > BREAKDOWNS_MAX
                || self.breakdowns_in_a_row > BREAKDOWNS_IN_A_ROW_MAX
            {
                self.give_up();
            } else {
                self.fill_window();
                self.wait();
            }
            for _ in before..self.records.len() {
                tick();
            }
        }
        self.stop();
        self
    }

    /// Starts the adapter again after a breakdown.
    fn restart(&mut self) -> Result<(), RunError> {
        let (adapter, implementation) = start(self.options)?;
        if implementation != self.implementation {
            return Err(RunError::Another);
        }
        self.adapter = Some(adapter);
        self.surplus = 0;
        Ok(())
    }

    /// Whether an operation made up on the spot comes back as unsupported.
    fn probe(&mut self) -> bool {
        let seq = self.take_seq();
        let Some(adapter) = &mut self.adapter else {
            return false;
        };
        adapter.send(&question::unknown_operation(self.options.seed, seq));
        match adapter.receive(self.options.timeout) {
            Reply::Line(line) => question::is_unsupported(&line, seq),
            _ => {
                self.adapter = None;
                false
            }
        }
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
            if let Some(outcome) = self.passes_over(&question) {
                self.record(&question, outcome, None);
                continue;
            }
            if self.adapter.is_none()
                && let Err(error) = self.restart()
            {
                self.record(&question, Outcome::Crashed(error.to_string()), None);
                self.count_breakdown();
                return;
            }
            let seq = self.take_seq();
            if let Some(adapter) = &mut self.adapter {
                adapter.send(&question.line(seq, self.options.ruleset));
            }
            self.pending.insert(seq, (question, Instant::now()));
        }
    }

    /// What becomes of a question that the adapter has said it cannot answer.
    fn passes_over(&self, question: &Question<'_>) -> Option<Outcome> {
        let offered = &self.implementation;
        if !offered.kinds.iter().any(|kind| kind == question.kind) {
            return Some(Outcome::Unsupported);
        }
        let lacks = |feature: &&String| !offered.features.contains(*feature);
        let missing = question.case.features.iter().find(lacks)?;
        Some(Outcome::WithoutFeature(missing.clone()))
    }

    fn wait(&mut self) {
        let Some((_, asked)) = self.pending.values().min_by_key(|(_, asked)| *asked) else {
            return;
        };
        let left = (*asked + self.options.timeout).saturating_duration_since(Instant::now());
        let Some(adapter) = &mut self.adapter else {
            return self.break_down(&Outcome::Crashed("it is gone".to_owned()));
        };
        match adapter.receive(left) {
            Reply::Line(line) => self.answer(line),
            Reply::Noise(text) => {
                self.break_down(&Outcome::Malformed(format!(
                    "{text:?} is not a line of JSON"
                )));
            }
            Reply::TooLong => {
                self.break_down(&Outcome::Malformed("a line without an end".to_owned()));
            }
            Reply::Ended(how) => self.break_down(&Outcome::Crashed(how)),
            Reply::Silence => self.break_down(&Outcome::TimedOut),
        }
    }

    fn answer(&mut self, line: Value) {
        let seq = line["seq"].as_u64();
        if let Some((question, _)) = seq.and_then(|seq| self.pending.remove(&seq)) {
            // A silent neighbour must not eat into the time of those asked after it.
            for (_, asked) in self.pending.values_mut() {
                *asked = Instant::now();
            }
            self.breakdowns_in_a_row = 0;
            self.answered
                .extend(seq.map(|seq| (seq, self.records.len())));
            let outcome = judge::judge(question.case, self.options.ruleset, &line);
            self.record(&question, outcome, Some(line));
        } else if let Some(index) = seq.and_then(|seq| self.answered.get(&seq)) {
            self.records[*index].outcome = Outcome::Malformed("answered twice".to_owned());
            self.surplus += 1;
            if self.surplus > SURPLUS_MAX {
                self.break_down(&Outcome::Malformed("lines without an end".to_owned()));
            }
        } else {
            let seq = shortened(&line["seq"]);
            self.break_down(&Outcome::Malformed(format!(
                "an answer to seq {seq}, which nobody asked"
            )));
        }
    }

    /// Ends the adapter. Whoever was under way alone is to blame; the others are asked again, alone.
    fn break_down(&mut self, outcome: &Outcome) {
        let stderr = self.adapter.take().map(Adapter::end).unwrap_or_default();
        self.count_breakdown();
        for (_, (mut question, _)) in std::mem::take(&mut self.pending).into_iter().rev() {
            if question.alone {
                self.record(&question, outcome.clone(), None);
                let last = self.records.last_mut().expect("recorded above");
                last.stderr.clone_from(&stderr);
            } else {
                question.alone = true;
                self.queue.push_front(question);
            }
        }
    }

    fn count_breakdown(&mut self) {
        self.breakdowns += 1;
        self.breakdowns_in_a_row += 1;
    }

    fn give_up(&mut self) {
        self.adapter = None;
        let pending = std::mem::take(&mut self.pending).into_values();
        let left: Vec<_> = pending
            .map(|(question, _)| question)
            .chain(std::mem::take(&mut self.queue))
            .collect();
        for question in left {
            self.record(&question, Outcome::GivenUp, None);
        }
    }

    /// Ends the adapter the polite way; what it still writes is answered twice at best.
    fn stop(&mut self) {
        let Some(mut adapter) = self.adapter.take() else {
            return;
        };
        adapter.send(&json!({"op": "stop"}));
        let told = Instant::now();
        for _ in 0..SURPLUS_MAX {
            let left = END_TIME_MAX.saturating_sub(told.elapsed());
            let Reply::Line(line) = adapter.receive(left) else {
                break;
            };
            let seq = line["seq"].as_u64();
            if let Some(index) = seq.and_then(|seq| self.answered.get(&seq)) {
                self.records[*index].outcome = Outcome::Malformed("answered twice".to_owned());
            }
        }
    }

    fn record(&mut self, question: &Question<'_>, outcome: Outcome, answer: Option<Value>) {
        self.records.push(Record {
            id: question.case.id.clone(),
            kind: question.kind.to_owned(),
            outcome,
            answer,
            stderr: Vec::new(),
        });
    }

    fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}

/// A running adapter that has introduced itself.
fn start(options: &Options) -> Result<(Adapter, Implementation), RunError> {
    let mut adapter = Adapter::start(&options.command).map_err(RunError::Start)?;
    adapter.send(&hello::greeting());
    let cause = match adapter.receive(options.timeout.max(START_TIME_MAX)) {
        Reply::Line(line) => {
            let implementation = hello::read(&line)?;
            return Ok((adapter, implementation));
        }
        Reply::Noise(text) => format!("{text:?} is not a line of JSON"),
        Reply::TooLong => "its first line has no end".to_owned(),
        Reply::Ended(how) => how,
        Reply::Silence => "it is silent".to_owned(),
    };
    Err(RunError::Silent {
        cause,
        stderr: adapter.end(),
    })
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
