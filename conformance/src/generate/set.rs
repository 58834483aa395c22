//! A file of cases in the making: short calls in, complete cases out.
//!
//! Fills in what follows from the rest – phases, edits, notes, counts – so that a case's line says only
//! what is particular to it. Panics on a slip of the author, such as a sibling that does not exist.

use std::collections::BTreeMap;

use serde_json::Value;

use super::catalogue;
use crate::dissect;
use crate::forge::{Key, hex};
use crate::suite::{
    Case, Context, ContextKey, Failure, File, Hazard, Importance, Level, Limits, Near,
    SUITE_VERSION, Source, SpecReference, Step, Verdict, Verdicts, edit,
};

/// Name of the whole collection.
pub(super) const SUITE_NAME: &str = "grove-vectors";

const REVISION: &str = "handbook of the aquadoggo stack, with grove's rulings R1–R32";

/// Cases of one kind and topic.
#[derive(Debug)]
pub(super) struct Set {
    topic: &'static str,
    kind: &'static str,
    requirements: &'static [&'static str],
    context: Context,
    uses: BTreeMap<String, String>,
    cases: Vec<Case>,
}

impl Set {
    /// `requirements` hold for every case that names none of its own.
    pub(super) fn new(
        kind: &'static str,
        topic: &'static str,
        requirements: &'static [&'static str],
    ) -> Self {
        Self {
            topic,
            kind,
            requirements,
            context: Context::default(),
            uses: BTreeMap::new(),
            cases: Vec::new(),
        }
    }

    /// Puts a key into the file's context.
    pub(super) fn key(&mut self, name: &str, key: &Key) {
        let key = ContextKey {
            seed: hex(key.seed()),
            public: hex(key.public()),
        };
        self.context.keys.insert(name.to_owned(), key);
    }

    /// Puts a schema into the file's context.
    pub(super) fn schema(&mut self, name: &str, schema: Value) {
        self.context.schemas.insert(name.to_owned(), schema);
    }

    /// Puts the entries of a log into the file's context.
    pub(super) fn log(&mut self, name: &str, entries: &[Vec<u8>]) {
        self.context
            .logs
            .insert(name.to_owned(), entries.iter().map(hex).collect());
    }

    /// Puts what a node knows into the file's context.
    pub(super) fn world(&mut self, name: &str, world: Value) {
        self.context.worlds.insert(name.to_owned(), world);
    }

    /// From here on cases are given this member of the context.
    pub(super) fn using(&mut self, what: &str, name: &str) {
        self.uses.insert(what.to_owned(), name.to_owned());
    }

    /// From here on cases are given nothing of the context.
    pub(super) fn using_nothing(&mut self) {
        self.uses.clear();
    }

    /// Whether there is a case of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        let id = self.id(name);
        self.cases.iter().any(|case| case.id == id)
    }

    /// Adds an input that is right in both rulesets.
    pub(super) fn valid(
        &mut self,
        name: &str,
        comment: &str,
        input: impl Into<Value>,
        expected: impl Into<Value>,
    ) -> &mut Case {
        let verdict = Verdicts::both(Verdict::Valid);
        self.push(name, comment, verdict, input.into(), Some(expected.into()))
    }

    /// Adds an input that both rulesets refuse, one change away from the valid case `near`.
    pub(super) fn invalid(
        &mut self,
        name: &str,
        comment: &str,
        near: &str,
        input: impl Into<Value>,
        reason: &str,
    ) -> &mut Case {
        let input = input.into();
        let near = self.near(near, |sibling| edit::between(&sibling.input, &input));
        let case = self.push(name, comment, Verdicts::both(Verdict::Invalid), input, None);
        case.fails_at = Some(failure(reason));
        case.near = Some(near);
        case
    }

    /// As [`Self::invalid`], where the entry at `path` was signed again with the key `key`.
    pub(super) fn invalid_signed(
        &mut self,
        (name, comment): (&str, &str),
        near: &str,
        input: impl Into<Value>,
        (path, key): (&str, &str),
        reason: &str,
    ) -> &mut Case {
        let input = input.into();
        let near = self.near(near, |sibling| {
            edit::between_signed(&sibling.input, &input, path, key)
        });
        let case = self.push(name, comment, Verdicts::both(Verdict::Invalid), input, None);
        case.fails_at = Some(failure(reason));
        case.near = Some(near);
        case
    }

    /// Where the file belongs.
    pub(super) fn path(&self) -> String {
        let folder = self.kind.split('.').next().unwrap_or(self.kind);
        format!("{folder}/{}__{}.json", self.kind, self.topic)
    }

    /// The finished file.
    pub(super) fn finish(mut self) -> File {
        self.fill_in_wire_results();
        for case in &mut self.cases {
            case.limits = Limits::of(&case.input);
            case.annotation = dissect::annotate(self.kind, &case.input);
        }
        let used = self.cases.iter().flat_map(|case| &case.flags);
        let mut all = catalogue::flags();
        let notes = used.filter_map(|flag| all.remove_entry(flag)).collect();
        File {
            schema: format!("schemas/{}.json", self.kind),
            suite: SUITE_NAME.to_owned(),
            version: SUITE_VERSION.to_owned(),
            kind: self.kind.to_owned(),
            depends_on: catalogue::depends_on(self.kind),
            source: Source {
                generator: concat!("grove-conformance ", env!("CARGO_PKG_VERSION")).to_owned(),
                seed: "keys of the bytes 01, 02 and 03, 32 times each; ids look random and are not"
                    .to_owned(),
            },
            spec: SpecReference {
                name: "p2panda".to_owned(),
                revision: REVISION.to_owned(),
            },
            count: self.cases.len(),
            notes,
            context: self.context,
            cases: self.cases,
        }
    }

    fn push(
        &mut self,
        name: &str,
        comment: &str,
        verdict: Verdicts,
        input: Value,
        expected: Option<Value>,
    ) -> &mut Case {
        self.cases.push(Case {
            id: self.id(name),
            comment: comment.to_owned(),
            requirements: self
                .requirements
                .iter()
                .map(|id| (*id).to_owned())
                .collect(),
            level: Level::Must,
            verdict,
            fails_at: None,
            also_ok: Vec::new(),
            ruling: None,
            flags: Vec::new(),
            features: Vec::new(),
            importance: Importance::High,
            context: self.uses.clone(),
            input,
            annotation: BTreeMap::new(),
            expected,
            expected_wire: None,
            near: None,
            limits: None,
            hazard: Hazard::None,
        });
        self.cases.last_mut().expect("pushed above")
    }

    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.kind.replace(['.', '_'], "-"))
    }

    fn near(&self, name: &str, edit: impl Fn(&Case) -> Vec<Step>) -> Near {
        let id = self.id(name);
        let sibling = self.cases.iter().find(|case| case.id == id);
        let sibling = sibling.unwrap_or_else(|| panic!("no case {id} to be near to"));
        let moved = self
            .uses
            .iter()
            .filter(|(what, name)| sibling.context.get(*what) != Some(name));
        let mut steps: Vec<_> = moved
            .map(|(what, name)| Step::Use {
                what: what.clone(),
                name: name.clone(),
            })
            .collect();
        steps.extend(edit(sibling));
        Near {
            case: id,
            edit: steps,
        }
    }

    /// A looser ruleset that lets a broken form in reads from it what its sound sibling says.
    fn fill_in_wire_results(&mut self) {
        for index in 0..self.cases.len() {
            let case = &mut self.cases[index];
            if case.verdict.spec != Verdict::Valid && case.expected_wire.is_some() {
                // With one ruleset left that has a result, there is one result.
                case.expected = case.expected_wire.take();
            }
            let case = &self.cases[index];
            if case.verdict.wire != Verdict::Valid || case.expected.is_some() {
                continue;
            }
            let near = case.near.as_ref().map(|near| near.case.clone());
            let sibling = self
                .cases
                .iter()
                .find(|other| Some(&other.id) == near.as_ref());
            self.cases[index].expected = sibling.and_then(|sibling| sibling.expected.clone());
        }
    }
}

/// A failure with the phase its reason belongs to.
pub(super) fn failure(reason: &str) -> Failure {
    let reasons = catalogue::reasons();
    let info = reasons
        .get(reason)
        .unwrap_or_else(|| panic!("no reason {reason:?}"));
    Failure {
        phase: info.phase.clone(),
        reason: reason.to_owned(),
    }
}

impl Case {
    /// Names the requirements in place of those of the whole file.
    pub(super) fn requires(&mut self, ids: &[&str]) -> &mut Self {
        self.requirements = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    pub(super) fn flag(&mut self, flag: &str) -> &mut Self {
        if !self.flags.iter().any(|known| known == flag) {
            self.flags.push(flag.to_owned());
        }
        self
    }

    /// Other causes that are as right as the one named, which a list shared by several cases may repeat.
    pub(super) fn or(&mut self, reasons: &[&str]) -> &mut Self {
        for failure in reasons.iter().map(|reason| failure(reason)) {
            if !self.causes().any(|known| *known == failure) {
                self.also_ok.push(failure);
            }
        }
        self
    }

    pub(super) fn ruled(&mut self, ruling: &str) -> &mut Self {
        self.ruling = Some(ruling.to_owned());
        self
    }

    /// Deployed software takes the input and reads from it what it reads from the sibling.
    pub(super) fn wire_takes(&mut self, ruling: &str) -> &mut Self {
        self.verdict.wire = Verdict::Valid;
        self.importance = Importance::Medium;
        self.ruled(ruling)
    }

    /// Deployed software takes the input and reads `result` from it.
    pub(super) fn wire_reads(&mut self, ruling: &str, result: impl Into<Value>) -> &mut Self {
        self.expected_wire = Some(result.into());
        self.wire_takes(ruling)
    }

    /// Deployed software refuses what the rulings let in.
    pub(super) fn wire_refuses(&mut self, ruling: &str, reason: &str) -> &mut Self {
        self.verdict.wire = Verdict::Invalid;
        self.fails_at = Some(failure(reason));
        self.ruled(ruling)
    }

    /// What deployed software makes of the input binds nobody.
    pub(super) fn wire_is_open(&mut self) -> &mut Self {
        self.verdict.wire = Verdict::Undefined;
        self
    }

    /// An ability that an implementation may lack.
    pub(super) fn feature(&mut self, name: &str) -> &mut Self {
        self.features.push(name.to_owned());
        self
    }

    pub(super) fn spec_is_open(&mut self) -> &mut Self {
        self.verdict.spec = Verdict::Undefined;
        self
    }

    pub(super) fn importance(&mut self, importance: Importance) -> &mut Self {
        self.importance = importance;
        self
    }

    pub(super) fn kills(&mut self) -> &mut Self {
        self.hazard = Hazard::Crash;
        self
    }

    pub(super) fn needs(&mut self, what: &str, name: &str) -> &mut Self {
        self.context.insert(what.to_owned(), name.to_owned());
        self
    }
}
