//! Translates the results of the vectors and of the live suite into sections.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Row, Section, Share, State, Test};
use crate::live::{LiveOutcome, LiveRecord, LiveRun, PROFILES, evidence};
use crate::runner::{Outcome, Record, Required, Run};
use crate::suite::{Case, Suite};

/// What is asked of an adapter beside right verdicts.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Whether a refusal for another reason than the expected one is a failure.
    pub strict: bool,
    /// What may not be left out.
    pub required: Required,
}

impl Section {
    /// What an adapter made of the vectors; `again` is the command that repeats one case, less its id.
    pub fn of_vectors(suite: &Suite, run: &Run, terms: &Terms, seconds: f64, again: &str) -> Self {
        let strict = terms.strict;
        let state_of = |outcome: &Outcome| match outcome {
            Outcome::Strong => State::Passed,
            Outcome::Weak(_) if strict => State::Failed,
            Outcome::Weak(_) => State::Weak,
            left_out if left_out.is_left_out() => State::Skipped,
            _ => State::Failed,
        };
        let cases: BTreeMap<&str, &Case> = suite
            .cases()
            .map(|(_, case)| (case.id.as_str(), case))
            .collect();
        let score = run.scores.total();
        let wrong =
            |record: &&Record| matches!(state_of(&record.outcome), State::Failed | State::Weak);
        let finding = |record: &Record| Finding {
            id: record.id.clone(),
            state: state_of(&record.outcome),
            what: headline(record),
            evidence: evidence(cases.get(record.id.as_str()).copied(), run, record),
            repeat: format!("{again} --only {}", record.id),
        };
        let mut findings: Vec<_> = run.records.iter().filter(wrong).map(finding).collect();
        findings.extend(left_out(run, &terms.required, again));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        let passes = run.count(Outcome::is_pass);
        if !run.refuses_unknown_operations {
            findings.insert(0, defect("unknown-operation", UNKNOWN_OPERATION, again));
        }
        if passes > 0 && score.points == 0 && score.of > 0 {
            findings.insert(0, defect("score", NOTHING_TOLD_APART, again));
        }
        let state = match findings.iter().map(|finding| finding.state).max() {
            // Who answers nothing right, and nothing wrong, has not been judged.
            None | Some(State::Partial) if passes == 0 => State::SetUpFailed,
            None => State::Passed,
            Some(state) => state,
        };
        Self {
            title: format!(
                "Vectors: {} {}",
                run.implementation.name, run.implementation.version
            ),
            state,
            summary: summary(suite, run),
            score: Some(score),
            share: Some(Share {
                passed: passes,
                of: suite.cases().count(),
            }),
            seconds,
            columns: [
                "kind", "cases", "strong", "weak", "failed", "left out", "score",
            ]
            .map(str::to_owned)
            .into(),
            rows: rows_by_kind(run, state_of),
            tests: run
                .records
                .iter()
                .map(|record| Test {
                    id: record.id.clone(),
                    group: record.kind.clone(),
                    state: state_of(&record.outcome),
                })
                .collect(),
            findings,
        }
    }

    /// What the live suite found about a node.
    pub fn of_live(run: &LiveRun, seconds: f64) -> Self {
        let count = |state| {
            let states = run.records.iter().map(live_state);
            states.filter(|found| *found == state).count()
        };
        let passed = count(State::Passed) + count(State::Weak);
        let tests = run.records.iter().map(|record| Test {
            id: record.id.clone(),
            group: record.profile.clone(),
            state: live_state(record),
        });
        let mut findings: Vec<_> = run
            .records
            .iter()
            .filter_map(|it| live_finding(run, it))
            .collect();
        findings.extend(run.stopped.iter().map(|case| stopped(run, case)));
        findings.extend(run.missing.iter().map(|profile| missing(run, profile)));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        let state = match findings.iter().map(|finding| finding.state).max() {
            None if passed == 0 => State::SetUpFailed,
            None => State::Passed,
            Some(state) => state,
        };
        let round = match run.round {
            0 => String::new(),
            round => format!(", round {round}"),
        };
        Self {
            title: "Live node".to_owned(),
            state,
            summary: format!(
                "{passed} of {} cases pass, {} weakly; {} fail, {} could not be set up, {} do not apply ({}, seed {}{round}; {} has {})",
                run.records.len(),
                count(State::Weak),
                count(State::Failed),
                count(State::SetUpFailed),
                count(State::Skipped),
                run.ruleset,
                run.seed,
                run.url,
                run.doors,
            ),
            score: None,
            share: Some(Share { passed, of: run.of }),
            seconds,
            columns: [
                "profile",
                "cases",
                "passed",
                "weak",
                "failed",
                "not set up",
                "not applicable",
                "time",
            ]
            .map(str::to_owned)
            .into(),
            rows: rows_by_profile(&run.records),
            tests: tests.collect(),
            findings,
        }
    }
}

impl Section {
    /// What a node kept when it was stopped and killed.
    pub fn of_lifecycle(records: &[LiveRecord], seconds: f64, again: &str) -> Self {
        let states: Vec<_> = records.iter().map(live_state).collect();
        let passed = states
            .iter()
            .filter(|state| **state == State::Passed)
            .count();
        let row = |record: &LiveRecord| Row {
            state: live_state(record),
            cells: vec![
                record.title.clone(),
                live_state(record).word().to_owned(),
                format!("{} ms", record.millis),
            ],
        };
        let test = |record: &LiveRecord| Test {
            id: record.id.clone(),
            group: "lifecycle".to_owned(),
            state: live_state(record),
        };
        let finding = |record: &LiveRecord| match &record.outcome {
            LiveOutcome::Failed(what) | LiveOutcome::SetUpFailed(what) => Some(Finding {
                id: record.id.clone(),
                state: live_state(record),
                what: format!("{}: {what}", record.title),
                evidence: record
                    .transcript
                    .iter()
                    .rev()
                    .take(EXCHANGES_SHOWN_MAX)
                    .map(|it| it.told(BODY_SHOWN_MAX))
                    .collect(),
                repeat: again.to_owned(),
            }),
            _ => None,
        };
        Self {
            title: "Stopped and killed".to_owned(),
            state: states.iter().max().copied().unwrap_or(State::SetUpFailed),
            summary: format!("{passed} of {} hold", records.len()),
            seconds,
            columns: ["check", "result", "time"].map(str::to_owned).into(),
            rows: records.iter().map(row).collect(),
            tests: records.iter().map(test).collect(),
            findings: records.iter().filter_map(finding).collect(),
            ..Self::default()
        }
    }
}

fn rows_by_profile(records: &[LiveRecord]) -> Vec<Row> {
    let row = |profile: &&str| {
        let of_profile: Vec<_> = records
            .iter()
            .filter(|record| record.profile == **profile)
            .collect();
        let states: Vec<_> = of_profile.iter().map(|record| live_state(record)).collect();
        let worst = states.iter().max().copied()?;
        let count = |state| states.iter().filter(|found| **found == state).count();
        let counts = [
            states.len(),
            count(State::Passed),
            count(State::Weak),
            count(State::Failed),
            count(State::SetUpFailed),
            count(State::Skipped),
        ];
        let millis: u64 = of_profile.iter().map(|record| record.millis).sum();
        let mut cells = vec![(*profile).to_owned()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(format!("{:.1} s", millis as f64 / 1000.0));
        Some(Row {
            state: worst,
            cells,
        })
    };
    PROFILES.iter().filter_map(row).collect()
}

/// The node fell silent: one result, whatever was still to be asked.
fn stopped(run: &LiveRun, case: &str) -> Finding {
    Finding {
        id: "stopped".to_owned(),
        state: State::SetUpFailed,
        what: format!("the node stopped answering during {case}; nothing was asked after it"),
        evidence: Vec::new(),
        repeat: evidence::repeat(run, case),
    }
}

fn missing(run: &LiveRun, profile: &str) -> Finding {
    Finding {
        id: format!("profile-{profile}"),
        state: State::Partial,
        what: format!(
            "the profile {profile} was asked for, and the node has nothing of it: it has {}",
            run.doors
        ),
        evidence: Vec::new(),
        repeat: format!(
            "grove-conformance node check --http {} --profile {profile}",
            run.url
        ),
    }
}

fn live_state(record: &LiveRecord) -> State {
    match record.outcome {
        LiveOutcome::Passed => State::Passed,
        LiveOutcome::Weak(_) => State::Weak,
        LiveOutcome::NotApplicable(_) => State::Skipped,
        LiveOutcome::SetUpFailed(_) => State::SetUpFailed,
        LiveOutcome::Failed(_) => State::Failed,
    }
}

/// Characters of a body in a report; the whole stands in the evidence.
const BODY_SHOWN_MAX: usize = 1500;

/// Exchanges of a case in a report, the last ones.
const EXCHANGES_SHOWN_MAX: usize = 6;

fn live_finding(run: &LiveRun, record: &LiveRecord) -> Option<Finding> {
    let (LiveOutcome::Weak(what) | LiveOutcome::Failed(what) | LiveOutcome::SetUpFailed(what)) =
        &record.outcome
    else {
        return None;
    };
    // What went wrong stands at the end of a conversation.
    let conversation = record.transcript.iter().rev().take(EXCHANGES_SHOWN_MAX);
    let turns_on = record.requires.iter().chain(&record.ruling).cloned();
    let turns_on: Vec<_> = turns_on.collect();
    let mut evidence = vec![format!("turns on {}", turns_on.join(", "))];
    evidence.retain(|_| !turns_on.is_empty());
    evidence.extend(conversation.map(|exchange| exchange.told(BODY_SHOWN_MAX)));
    Some(Finding {
        id: record.id.clone(),
        state: live_state(record),
        what: format!("{}: {what}", record.title),
        evidence,
        repeat: evidence::repeat(run, &record.id),
    })
}

const UNKNOWN_OPERATION: &str = "an operation nobody defined did not come back as unsupported";

const NOTHING_TOLD_APART: &str =
    "nothing scores: no case passes strongly together with the valid one it is near to";

/// What happened in a line. An adapter's last words tell most: they name the error.
fn headline(record: &Record) -> String {
    let mut last_words = record.stderr.iter().rev().map(|line| line.trim());
    let last_words = last_words.find(|line| !line.is_empty());
    let headline = record.outcome.headline();
    last_words.map_or_else(|| headline.clone(), |words| format!("{headline}: {words}"))
}

/// For each required kind what was left out of it.
fn left_out(run: &Run, required: &Required, again: &str) -> Vec<Finding> {
    let mut kinds: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in required.left_out(&run.implementation, &run.records) {
        kinds.entry(&record.kind).or_default().push(record);
    }
    let finding = |(kind, records): (&str, Vec<&Record>)| Finding {
        id: format!("left-out-{kind}"),
        state: State::Partial,
        what: format!(
            "{} of {} cases are left out, the first is {}: {}",
            records.len(),
            run.records
                .iter()
                .filter(|record| record.kind == kind)
                .count(),
            records[0].id,
            records[0].outcome.headline()
        ),
        evidence: Vec::new(),
        repeat: format!("{again} --only {kind}"),
    };
    kinds.into_iter().map(finding).collect()
}

/// A fault of the adapter that is not one of a case.
fn defect(id: &str, what: &str, again: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        state: State::Failed,
        what: what.to_owned(),
        evidence: Vec::new(),
        repeat: again.to_owned(),
    }
}

fn summary(suite: &Suite, run: &Run) -> String {
    let strong = run.count(|outcome| *outcome == Outcome::Strong);
    let passes = run.count(Outcome::is_pass);
    let failed = run.count(Outcome::is_failure);
    let score = run.scores.total();
    let left_out = run.records.len() - passes - failed;
    let left_out = if left_out > 0 {
        format!(", {left_out} are left out")
    } else {
        String::new()
    };
    let kinds: BTreeSet<&str> = suite.files.values().map(|file| &*file.kind).collect();
    let offered = run.implementation.kinds.iter();
    let offered = offered.filter(|kind| kinds.contains(kind.as_str())).count();
    format!(
        "{offered} of {} kinds: {strong} of {} cases pass strongly, {} weakly, {failed} fail{left_out}; score {} of {} ({}, seed {})",
        kinds.len(),
        run.records.len(),
        passes - strong,
        score.points,
        score.of,
        run.ruleset,
        run.seed
    )
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
            count(&Outcome::is_left_out),
        ];
        let mut cells = vec![kind.to_owned()];
        cells.extend(numbers.map(|number| number.to_string()));
        let score = run.scores.0.get(kind).copied().unwrap_or_default();
        cells.push(format!("{}/{}", score.points, score.of));
        let state = outcomes.iter().map(|outcome| state_of(outcome)).max();
        Row {
            state: state.unwrap_or(State::Skipped),
            cells,
        }
    };
    kinds.into_iter().map(row).collect()
}

fn evidence(case: Option<&Case>, run: &Run, record: &Record) -> Vec<String> {
    let mut evidence = Vec::new();
    if let Some(case) = case {
        evidence.push(case.comment.clone());
        evidence.push(format!("input {}", case.input));
        if let Some(expected) = case.expected(run.ruleset) {
            evidence.push(format!("expected {expected}"));
        }
    }
    if let Some(answer) = &record.answer {
        evidence.push(format!("answer {answer}"));
    }
    if !record.stderr.is_empty() {
        evidence.push(format!("stderr\n{}", record.stderr.join("\n")));
    }
    evidence
}
