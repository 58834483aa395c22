//! Translates the results of the vectors and of the live suite into sections.

use std::collections::BTreeMap;

use super::{Finding, Row, Section, State};
use crate::live::{LiveOutcome, LiveRun};
use crate::runner::{Outcome, Record, Run};
use crate::suite::Suite;

/// Lines of an adapter's stderr shown with a breakdown.
const STDERR_LINES_MAX: usize = 20;

impl Section {
    /// What an adapter made of the vectors. `strict` counts weak passes as failures; `again` is the
    /// command that repeats one case, less its id.
    pub fn of_vectors(suite: &Suite, run: &Run, strict: bool, seconds: f64, again: &str) -> Self {
        let state_of = |outcome: &Outcome| match outcome {
            Outcome::Strong => State::Passed,
            Outcome::Weak(_) if strict => State::Failed,
            Outcome::Weak(_) => State::Weak,
            Outcome::Skipped(_) | Outcome::Unsupported => State::Skipped,
            _ => State::Failed,
        };
        let implementation = &run.implementation;
        let strong = run.count(|outcome| *outcome == Outcome::Strong);
        let weak = run.count(Outcome::is_pass) - strong;
        let failed = run.count(Outcome::is_failure);
        let mut findings: Vec<_> = run
            .records
            .iter()
            .filter(|record| matches!(state_of(&record.outcome), State::Failed | State::Weak))
            .map(|record| Finding {
                id: record.id.clone(),
                state: state_of(&record.outcome),
                what: record.outcome.headline(),
                evidence: evidence(suite, run, record),
                repeat: format!("{again} --only {}", record.id),
            })
            .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        let mut state = findings
            .iter()
            .map(|finding| finding.state)
            .max()
            .unwrap_or(State::Passed);
        if strong + weak == 0 && failed == 0 {
            state = State::SetUpFailed;
        }
        if !run.refuses_unknown_operations {
            state = State::Failed;
            findings.insert(0, unknown_operation(again));
        }
        Self {
            title: format!(
                "Vectors: {} {}",
                implementation.name, implementation.version
            ),
            state,
            summary: format!(
                "{} of {} cases pass, {strong} of them strongly; {failed} fail ({}, seed {})",
                strong + weak,
                run.records.len(),
                run.ruleset,
                run.seed
            ),
            seconds,
            columns: ["kind", "cases", "strong", "weak", "failed", "left out"]
                .map(str::to_owned)
                .into(),
            rows: rows_by_kind(run, state_of),
            findings,
        }
    }

    /// What the live suite found about a node.
    pub fn of_live(run: &LiveRun, seconds: f64, again: &str) -> Self {
        let state_of = |outcome: &LiveOutcome| match outcome {
            LiveOutcome::Passed => State::Passed,
            LiveOutcome::Weak(_) => State::Weak,
            LiveOutcome::Failed(_) => State::Failed,
        };
        let count = |state| {
            run.records
                .iter()
                .filter(|r| state_of(&r.outcome) == state)
                .count()
        };
        let findings: Vec<_> = run
            .records
            .iter()
            .filter_map(|record| match &record.outcome {
                LiveOutcome::Passed => None,
                LiveOutcome::Weak(what) | LiveOutcome::Failed(what) => Some(Finding {
                    id: record.id.clone(),
                    state: state_of(&record.outcome),
                    what: format!("{}: {what}", record.title),
                    // What went wrong stands at the end of a conversation.
                    evidence: record
                        .transcript
                        .iter()
                        .rev()
                        .map(|it| format!("{}\n→ {} ({} ms)", it.request, it.response, it.millis))
                        .collect(),
                    repeat: again.to_owned(),
                }),
            })
            .collect();
        let rows = run.records.iter().map(|record| {
            let state = state_of(&record.outcome);
            let cells = vec![
                record.title.clone(),
                state.word().to_owned(),
                format!("{} ms", record.millis),
            ];
            Row { state, cells }
        });
        Self {
            title: "Live node".to_owned(),
            state: run
                .records
                .iter()
                .map(|r| state_of(&r.outcome))
                .max()
                .unwrap_or(State::SetUpFailed),
            summary: format!(
                "{} of {} checks pass, {} weakly, {} fail ({})",
                count(State::Passed) + count(State::Weak),
                run.records.len(),
                count(State::Weak),
                count(State::Failed),
                run.url
            ),
            seconds,
            columns: ["check", "result", "time"].map(str::to_owned).into(),
            rows: rows.collect(),
            findings,
        }
    }
}

fn rows_by_kind(run: &Run, state_of: impl Fn(&Outcome) -> State) -> Vec<Row> {
    let mut kinds: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for record in &run.records {
        kinds.entry(&record.kind).or_default().push(&record.outcome);
    }
    let row = |(kind, outcomes): (&str, Vec<&Outcome>)| {
        let count = |is: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|o| is(o)).count();
        let numbers = [
            outcomes.len(),
            count(&|outcome| *outcome == Outcome::Strong),
            count(&|outcome| matches!(outcome, Outcome::Weak(_))),
            count(&Outcome::is_failure),
            count(&|outcome| matches!(outcome, Outcome::Skipped(_) | Outcome::Unsupported)),
        ];
        let mut cells = vec![kind.to_owned()];
        cells.extend(numbers.map(|number| number.to_string()));
        let state = outcomes.iter().map(|outcome| state_of(outcome)).max();
        Row {
            state: state.unwrap_or(State::Skipped),
            cells,
        }
    };
    kinds.into_iter().map(row).collect()
}

fn evidence(suite: &Suite, run: &Run, record: &Record) -> Vec<String> {
    let case = suite
        .cases()
        .map(|(_, case)| case)
        .find(|case| case.id == record.id);
    let mut evidence = Vec::new();
    if let Some(case) = case {
        evidence.push(case.comment.clone());
        evidence.push(format!("input {}", case.input));
        if let Some(expected) = &case.expected {
            evidence.push(format!("expected {expected}"));
        }
    }
    if let Some(answer) = &record.answer {
        evidence.push(format!("answer {answer}"));
    }
    let broke_down = matches!(
        record.outcome,
        Outcome::Crashed | Outcome::TimedOut | Outcome::AdapterError(_)
    );
    if broke_down && !run.stderr.is_empty() {
        let last = &run.stderr[run.stderr.len().saturating_sub(STDERR_LINES_MAX)..];
        evidence.push(format!("stderr of the adapters\n{}", last.join("\n")));
    }
    evidence
}

fn unknown_operation(again: &str) -> Finding {
    Finding {
        id: "unknown-operation".to_owned(),
        state: State::Failed,
        what: "an operation nobody defined did not come back as unsupported".to_owned(),
        evidence: Vec::new(),
        repeat: again.to_owned(),
    }
}
