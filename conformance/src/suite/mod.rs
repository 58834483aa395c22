//! The vectors as data: what a file and a case hold, as `vectors/FORMAT.md` describes it.
//!
//! Knows nothing of how cases are made ([`crate::generate`]) or used ([`crate::runner`]).

pub mod carried;
mod compact;
pub mod edit;
pub mod lint;
mod rebuild;
mod repeat;
pub mod stats;
pub mod store;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use edit::Step;
pub use store::{Suite, SuiteError};

/// Version of the vectors, which follows their content, not the tool's.
pub const SUITE_VERSION: &str = "2.0.0";

/// The two sets of rules a case is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Ruleset {
    /// The handbook with grove's rulings.
    #[default]
    #[serde(rename = "spec")]
    Spec,
    /// What p2panda-rs 0.8/0.9 and aquadoggo 0.9.1 were observed to do.
    #[serde(rename = "wire-0.9")]
    #[value(name = "wire-0.9")]
    Wire09,
}

impl Ruleset {
    /// The spelling on the wire and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Wire09 => "wire-0.9",
        }
    }
}

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a ruleset says about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Verdict {
    Valid,
    Invalid,
    /// Either answer is right; only crashing is wrong.
    Undefined,
}

impl Verdict {
    /// The spelling in the files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Undefined => "undefined",
        }
    }
}

/// One verdict per ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Verdicts {
    pub spec: Verdict,
    #[serde(rename = "wire-0.9")]
    pub wire: Verdict,
}

impl Verdicts {
    /// The same verdict in both rulesets.
    pub const fn both(verdict: Verdict) -> Self {
        Self {
            spec: verdict,
            wire: verdict,
        }
    }

    /// The verdict of one ruleset.
    pub const fn of(self, ruleset: Ruleset) -> Verdict {
        match ruleset {
            Ruleset::Spec => self.spec,
            Ruleset::Wire09 => self.wire,
        }
    }
}

/// How binding a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    Must,
    Should,
    May,
}

impl Level {
    /// The spelling in the files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }
}

/// What goes wrong for users when a case fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Importance {
    /// Data of one implementation is misread or refused by another.
    High,
    /// Broken data is let in, but stays where it is.
    Medium,
    /// A nuisance.
    Low,
}

/// Where and why an input is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Phase of the check, from `reasons.json`.
    pub phase: String,
    /// Code of the cause, from `reasons.json`.
    pub reason: String,
}

/// The valid sibling of an invalid case and what turns its input into this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Id of the sibling, of the same file.
    pub case: String,
    /// The steps, executed by the linter.
    pub edit: Vec<Step>,
}

/// One question to an implementation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Slug, unique in the suite, never renumbered or reused.
    pub id: String,
    /// One plain sentence.
    pub comment: String,
    /// Requirement ids the case turns on.
    pub requirements: Vec<String>,
    /// How binding the case is.
    pub level: Level,
    /// What each ruleset says.
    pub verdict: Verdicts,
    /// Cause of the refusal, when some ruleset refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_at: Option<Failure>,
    /// Other right causes, where the order of checks is free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_ok: Vec<Failure>,
    /// The ruling that decides a contested point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<String>,
    /// What makes the input special, from `flags.json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// What an implementation may lack without being wrong; asked only of those that have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What goes wrong when the case fails.
    pub importance: Importance,
    /// Members of the file's context the adapter is given: what → name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// The question; its shape depends on the kind.
    pub input: Value,
    /// What the bytes of the input mean, by JSON pointer: lines of offset, size and meaning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotation: BTreeMap<String, Vec<String>>,
    /// The whole result, when some ruleset says valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// The result under `wire-0.9`, where it is another one.
    #[serde(
        default,
        rename = "expected_wire-0.9",
        skip_serializing_if = "Option::is_none"
    )]
    pub expected_wire: Option<Value>,
    /// Proof that exactly one thing is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
    /// What the input takes, where that is more than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// What an input is known to do to deployed software.
    #[serde(default)]
    pub hazard: Hazard,
}

impl Case {
    /// The result a ruleset demands; `None` when it refuses or leaves the input open.
    pub fn expected(&self, ruleset: Ruleset) -> Option<&Value> {
        if self.verdict.of(ruleset) != Verdict::Valid {
            return None;
        }
        match ruleset {
            Ruleset::Wire09 => self.expected_wire.as_ref().or(self.expected.as_ref()),
            Ruleset::Spec => self.expected.as_ref(),
        }
    }

    /// Every cause a refusal may rightly name, the expected one first.
    pub fn causes(&self) -> impl Iterator<Item = &Failure> {
        self.fails_at.iter().chain(&self.also_ok)
    }

    /// Whether any ruleset refuses the input.
    pub fn is_negative(&self) -> bool {
        self.verdict.spec == Verdict::Invalid || self.verdict.wire == Verdict::Invalid
    }
}

/// What an implementation must be able to take to be asked at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Length of the longest byte string or text of the input, in bytes.
    pub bytes: usize,
}

impl Limits {
    /// Inputs up to this many bytes are nothing unusual.
    const USUAL: usize = 4096;

    /// What `input` takes; `None` when that is nothing unusual.
    pub fn of(input: &Value) -> Option<Self> {
        let bytes = longest(input);
        (bytes > Self::USUAL).then_some(Self { bytes })
    }
}

fn longest(value: &Value) -> usize {
    match value {
        Value::String(text) if is_hex(text) => text.len() / 2,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(longest).max().unwrap_or(0),
        Value::Object(members) => members.values().map(longest).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether a string spells bytes.
fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Damage an input was seen to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hazard {
    /// Harmless.
    #[default]
    None,
    /// Leaves state behind that changes later answers.
    State,
    /// Kills deployed software.
    Crash,
}

/// A file of cases of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Path of the JSON Schema, from `v1/`.
    pub schema: String,
    /// Name of the suite.
    pub suite: String,
    /// Version of the suite.
    pub version: String,
    /// Operation of the adapter protocol all cases ask for.
    pub kind: String,
    /// Kinds to get right first: a fault there shows here again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// What made the file.
    pub source: Source,
    /// What the cases are read from.
    pub spec: SpecReference,
    /// Number of cases.
    pub count: usize,
    /// The flags used, explained.
    pub notes: BTreeMap<String, Note>,
    /// Keys, schemas and logs the cases refer to; always well formed.
    pub context: Context,
    /// The cases.
    pub cases: Vec<Case>,
}

impl File {
    /// The context one case is sent with: what it names, resolved.
    pub fn context_of(&self, case: &Case) -> Value {
        let resolve = |(what, name): (&String, &String)| {
            let value = match what.as_str() {
                "log" => self
                    .context
                    .logs
                    .get(name)
                    .map(|log| serde_json::json!(log)),
                "world" => self.context.worlds.get(name).cloned(),
                _ => self.context.schemas.get(name).cloned(),
            };
            (what.clone(), value.unwrap_or(Value::Null))
        };
        Value::Object(case.context.iter().map(resolve).collect())
    }
}

/// Tool and inputs a file was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Source {
    pub generator: String,
    pub seed: String,
}

/// Text the cases are read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SpecReference {
    pub name: String,
    pub revision: String,
}

/// What a flag means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What the input is like.
    pub description: String,
    /// What follows for an implementation that gets it wrong.
    pub effect: String,
    /// How bad that is.
    pub severity: Importance,
}

/// What several cases of a file share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Name → key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, ContextKey>,
    /// Name → schema: id and field types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, Value>,
    /// Name → entries of a log from its beginning, as hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, Vec<String>>,
    /// Name → what a node knows: schemas, and what was published in which order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub worlds: BTreeMap<String, Value>,
}

/// A key pair, in hex.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ContextKey {
    pub seed: String,
    pub public: String,
}
