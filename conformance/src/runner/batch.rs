//! The same lines as a file: questions written in one go, answers judged in one go.
//!
//! For implementations that cannot be talked to, on a device or in a browser. The questions are a
//! function of the suite and the selection, so that nothing but the answers has to come back.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::{Value, json};

use super::hello::{self, Implementation};
use super::process::{LINE_SIZE_MAX, Line, read_line};
use super::question::{self, Question};
use super::{Outcome, Record, Run, RunError, Scores, Selection, judge as judging, once_each};
use crate::suite::Suite;

/// Every line an adapter is asked, the greeting first and the farewell last.
pub fn questions(suite: &Suite, selection: &Selection) -> Result<Vec<Value>, RunError> {
    let questions = question::with_repetitions(suite, selection)?;
    let cases = (1..)
        .zip(&questions)
        .map(|(seq, question)| question.line(seq, selection.ruleset));
    let unknown = question::unknown_operation(selection.seed, questions.len() as u64 + 1);
    Ok([hello::greeting()]
        .into_iter()
        .chain(cases)
        .chain([unknown, json!({"op": "stop"})])
        .collect())
}

/// Judges the answers to [`questions`] of the same selection, in whatever order they stand.
pub fn judge(suite: &Suite, selection: &Selection, answers: impl BufRead) -> Result<Run, RunError> {
    let questions = question::with_repetitions(suite, selection)?;
    let (implementation, mut answers) = read(answers, questions.len() as u64 + 1)?;
    let unknown = questions.len() as u64 + 1;
    let refuses_unknown_operations = answers.remove(&unknown).is_some_and(|mut given| {
        given.len() == 1 && question::is_unsupported(&given.remove(0), unknown)
    });
    let records = (1..).zip(&questions).map(|(seq, question)| {
        let mut given = answers.remove(&seq).unwrap_or_default();
        let outcome = outcome(&implementation, question, selection, &given);
        Record {
            id: question.case.id.clone(),
            kind: question.kind.to_owned(),
            outcome,
            answer: given.pop(),
            stderr: Vec::new(),
        }
    });
    let records = once_each(records);
    Ok(Run {
        implementation,
        ruleset: selection.ruleset,
        seed: selection.seed,
        scores: Scores::of(suite, selection.ruleset, &records),
        records,
        refuses_unknown_operations,
    })
}

fn outcome(
    implementation: &Implementation,
    question: &Question<'_>,
    selection: &Selection,
    given: &[Value],
) -> Outcome {
    let offered = implementation
        .kinds
        .iter()
        .any(|kind| kind == question.kind);
    match given {
        [] if !offered => Outcome::Unsupported,
        [] => Outcome::Malformed("no answer".to_owned()),
        [answer] => judging::judge(question.case, selection.ruleset, answer),
        _ => Outcome::Malformed("answered twice".to_owned()),
    }
}

/// The introduction, which comes first, and the answers by the number of their question.
fn read(
    mut input: impl BufRead,
    seq_max: u64,
) -> Result<(Implementation, BTreeMap<u64, Vec<Value>>), RunError> {
    let mut implementation = None;
    let mut answers: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for number in 1.. {
        let wrong = |what: &str| RunError::Answers {
            line: number,
            what: what.to_owned(),
        };
        let line = match read_line(&mut input).map_err(RunError::Unreadable)? {
            Line::End => break,
            Line::TooLong => return Err(wrong(&format!("is over {LINE_SIZE_MAX} bytes"))),
            Line::Whole(line) => line,
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(value) = serde_json::from_slice::<Value>(&line) else {
            return Err(wrong("is not JSON"));
        };
        if implementation.is_none() {
            implementation = Some(hello::read(&value)?);
            continue;
        }
        match value["seq"]
            .as_u64()
            .filter(|seq| (1..=seq_max).contains(seq))
        {
            Some(seq) => answers.entry(seq).or_default().push(value),
            None => return Err(wrong("answers what nobody asked")),
        }
    }
    implementation
        .map(|implementation| (implementation, answers))
        .ok_or_else(|| RunError::Silent {
            cause: "the file is empty".to_owned(),
            stderr: Vec::new(),
        })
}
