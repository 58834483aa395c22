//! Holds what a node made of an entry against what the rules let it make of it.

use super::Wrong;
use super::api::{self, Answer, NextArgs};
use super::doors::Door;
use super::under_test::NodeUnderTest;
use crate::suite::{Case, Ruleset, Verdict};

/// What may become of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Legal {
    Taken,
    Refused,
    /// Deployed nodes are known to do otherwise than the ruling says; either harms nobody.
    Either,
}

impl Legal {
    /// What a case lets become of its input.
    pub(crate) fn of(case: &Case, ruleset: Ruleset) -> Self {
        let verdict = case.verdict.of(ruleset);
        let contested = ruleset == Ruleset::Wire09 && case.verdict.spec != case.verdict.wire;
        match verdict {
            _ if contested => Self::Either,
            Verdict::Valid => Self::Taken,
            Verdict::Invalid => Self::Refused,
            _ => Self::Either,
        }
    }
}

/// Judges how an entry was taken; a refusal without its cause is weak where codes are asked for.
pub(crate) fn judge(
    target: &NodeUnderTest,
    door: Door,
    answer: Answer,
    legal: Legal,
    causes: &[&str],
) -> Result<(), Wrong> {
    match (answer, legal) {
        (Answer::Result(_), Legal::Taken | Legal::Either) => Ok(()),
        (Answer::Result(_), Legal::Refused) => Err(Wrong::Behaviour(format!("{door:?} took it"))),
        (Answer::Refused { .. }, Legal::Either) => Ok(()),
        (Answer::Refused { code, message, .. }, Legal::Taken) => {
            let code = code.unwrap_or_default();
            let what = format!("{door:?} refused it: {message} {code}");
            Err(Wrong::Behaviour(what))
        }
        (Answer::Refused { code, message, .. }, Legal::Refused) => {
            let named = code.as_deref().is_some_and(|code| causes.contains(&code));
            if named || causes.is_empty() || !target.asks_for_codes() {
                return Ok(());
            }
            let code = code.unwrap_or_else(|| "no code".to_owned());
            let expected = causes.join(" or ");
            Err(Wrong::Weakly(format!(
                "{door:?} refused with {code}, expected {expected}: {message}"
            )))
        }
    }
}

/// Compares the next arguments of an answer with those that are right.
pub(crate) fn same_args(door: Door, answer: &Answer, expected: &NextArgs) -> Result<(), Wrong> {
    let Answer::Result(value) = answer else {
        return Ok(());
    };
    let told = api::read_args(door, value)?;
    if told == *expected {
        return Ok(());
    }
    Err(Wrong::Behaviour(format!(
        "{door:?} answered {told:?}, expected {expected:?}"
    )))
}
