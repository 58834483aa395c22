//! Compares an answer with what a case demands.
//!
//! A refusal for the wrong reason is not a full pass: the verdict alone makes it a weak one, phase and
//! reason a strong one. A result must be right in every member.

use serde::Serialize;
use serde_json::Value;

use crate::suite::{Case, Ruleset, Verdict};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "detail", rename_all = "snake_case")]
pub enum Outcome {
    /// Verdict and result or cause are right.
    Strong,
    /// The verdict is right, the cause is another one.
    Weak(String),
    /// The input was let in or refused against the rules.
    WrongVerdict(String),
    /// The input was let in, and something else was read from it.
    WrongOutput(String),
    /// The adapter ended.
    Crashed(String),
    /// The adapter did not answer in time.
    TimedOut,
    /// What the adapter wrote is no answer of the protocol.
    Malformed(String),
    /// The adapter says that it failed itself.
    AdapterError(String),
    /// Not asked any more, after too many breakdowns.
    GivenUp,
    /// Two answers to one question differ.
    Unstable,
    /// The adapter passes on the case, with a reason.
    Skipped(String),
    /// Not asked, since the case needs an optional feature that the adapter lacks.
    WithoutFeature(String),
    /// The adapter does not know the kind.
    Unsupported,
}

impl Outcome {
    /// Whether the case passed, strongly or weakly.
    pub const fn is_pass(&self) -> bool {
        matches!(self, Self::Strong | Self::Weak(_))
    }

    /// Whether the case counts against the implementation.
    pub const fn is_failure(&self) -> bool {
        !self.is_pass() && !self.is_left_out()
    }

    /// Whether the case was not answered, without that being wrong by itself.
    pub const fn is_left_out(&self) -> bool {
        matches!(
            self,
            Self::Skipped(_) | Self::WithoutFeature(_) | Self::Unsupported
        )
    }

    /// What happened, in a few words.
    pub fn headline(&self) -> String {
        match self {
            Self::Strong => "passed".to_owned(),
            Self::Weak(detail) => format!("passed weakly: {detail}"),
            Self::WrongVerdict(detail) => format!("wrong verdict: {detail}"),
            Self::WrongOutput(detail) => format!("wrong result: {detail}"),
            Self::Crashed(how) => format!("the adapter crashed: {how}"),
            Self::TimedOut => "the adapter did not answer in time".to_owned(),
            Self::Malformed(what) => format!("not an answer of the protocol: {what}"),
            Self::AdapterError(detail) => format!("the adapter reports an error: {detail}"),
            Self::GivenUp => "given up after too many breakdowns".to_owned(),
            Self::Unstable => "two answers to the same question differ".to_owned(),
            Self::Skipped(reason) => format!("skipped: {reason}"),
            Self::WithoutFeature(feature) => format!("not asked: it has no {feature}"),
            Self::Unsupported => "unsupported".to_owned(),
        }
    }
}

/// Judges the line `answer` by `ruleset`.
pub fn judge(case: &Case, ruleset: Ruleset, answer: &Value) -> Outcome {
    if answer["unsupported"] == true {
        return Outcome::Unsupported;
    }
    if let Some(skip) = answer.get("skip") {
        return match skip["reason"].as_str() {
            Some(reason) if !reason.is_empty() => Outcome::Skipped(reason.to_owned()),
            _ => Outcome::Malformed("a skip without a reason".to_owned()),
        };
    }
    if let Some(error) = answer.get("error") {
        return Outcome::AdapterError(short(error));
    }
    match (answer["verdict"].as_str(), case.verdict.of(ruleset)) {
        (Some("valid" | "invalid"), Verdict::Undefined) => Outcome::Strong,
        (Some("valid"), Verdict::Valid) => judge_output(case, ruleset, &answer["output"]),
        (Some("invalid"), Verdict::Invalid) => judge_reason(case, answer),
        (Some("valid"), Verdict::Invalid) => {
            let reason = case.fails_at.as_ref().map_or("", |failure| &failure.reason);
            Outcome::WrongVerdict(format!("let in, but must be refused: {reason}"))
        }
        (Some("invalid"), Verdict::Valid) => {
            let reason = answer["reason"].as_str().unwrap_or("no reason given");
            Outcome::WrongVerdict(format!("refused ({reason}), but is valid"))
        }
        _ => Outcome::Malformed("no verdict".to_owned()),
    }
}

fn judge_output(case: &Case, ruleset: Ruleset, output: &Value) -> Outcome {
    let expected = case.expected(ruleset).unwrap_or(&Value::Null);
    match difference(expected, output, "") {
        None => Outcome::Strong,
        Some(detail) => Outcome::WrongOutput(detail),
    }
}

fn judge_reason(case: &Case, answer: &Value) -> Outcome {
    let [phase, reason] = ["phase", "reason"].map(|member| answer[member].as_str());
    let mut right = case.causes();
    if right.any(|failure| Some(&*failure.phase) == phase && Some(&*failure.reason) == reason) {
        return Outcome::Strong;
    }
    let expected = case.fails_at.as_ref().map_or("", |failure| &failure.reason);
    Outcome::Weak(format!(
        "refused as {}, expected {expected}",
        reason.unwrap_or("nothing")
    ))
}

/// The first place where two values differ, shortened for reading.
fn difference(expected: &Value, found: &Value, path: &str) -> Option<String> {
    match (expected, found) {
        _ if expected == found => None,
        (Value::Object(expected), Value::Object(found)) => {
            let missing = expected.keys().find(|name| !found.contains_key(*name));
            let surplus = found.keys().find(|name| !expected.contains_key(*name));
            let inner = expected.iter().find_map(|(name, value)| {
                found
                    .get(name)
                    .and_then(|other| difference(value, other, &format!("{path}/{name}")))
            });
            missing
                .map(|name| format!("{path}/{name} is missing"))
                .or_else(|| surplus.map(|name| format!("{path}/{name} is too much")))
                .or(inner)
        }
        _ => Some(format!(
            "{path}: expected {}, found {}",
            short(expected),
            short(found)
        )),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
