//! Holds a suite to the promises of `vectors/FORMAT.md`.
//!
//! Judges the files as they are on disk, whoever made them. Whether the generator would make the same
//! bytes is [`crate::generate::differences`]'s question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::{Case, File, Limits, Step, Suite, SuiteError, Verdict, edit, rebuild, store};
use crate::dissect;

/// Largest file, and largest suite, in bytes.
const FILE_SIZE_MAX: usize = 1_000_000;
const SUITE_SIZE_MAX: usize = 5_000_000;

/// Base under which the schemas refer to each other.
#[cfg(feature = "lint")]
const SCHEMA_BASE: &str = "https://grove.invalid/vectors/v1/schemas/";

/// Everything that is wrong with the suite in `dir`, one line each.
pub fn lint(dir: &Path) -> Result<Vec<String>, SuiteError> {
    let suite = Suite::load(dir)?;
    let mut problems = Vec::new();
    #[cfg(feature = "lint")]
    check_schemas(dir, &suite, &mut problems)?;
    check_digests(dir, &suite, &mut problems)?;
    check_ids(&suite, &mut problems);
    for (path, file) in &suite.files {
        let mut report = |text: String| problems.push(format!("{path}: {text}"));
        check_file(&suite, path, file, &mut report);
        for case in &file.cases {
            let mut report = |text: String| problems.push(format!("{}: {text}", case.id));
            check_references(&suite, file, case, &mut report);
            check_verdicts(case, &mut report);
            check_near(file, case, &mut report);
            check_annotation(file, case, &mut report);
            rebuild::check(&file.kind, case, &mut report);
        }
    }
    check_coverage(&suite, &mut problems);
    check_use(&suite, &mut problems);
    Ok(problems)
}

#[cfg(feature = "lint")]
fn check_schemas(dir: &Path, suite: &Suite, problems: &mut Vec<String>) -> Result<(), SuiteError> {
    let read = |name: &str| -> Result<Value, SuiteError> {
        let path = dir.join(name);
        serde_json::from_slice(&store::read_bytes(&path)?)
            .map_err(|source| SuiteError::Format { path, source })
    };
    let common = read("schemas/common.json")?;
    let registry = jsonschema::Registry::new()
        .add(format!("{SCHEMA_BASE}common.json"), common)
        .and_then(|registry| registry.prepare());
    let registry = match registry {
        Ok(registry) => registry,
        Err(error) => {
            problems.push(format!("schemas/common.json: {error}"));
            return Ok(());
        }
    };
    for (path, file) in &suite.files {
        let validator = jsonschema::options()
            .with_registry(&registry)
            .with_base_uri(format!("{SCHEMA_BASE}{}.json", file.kind))
            .build(&read(&file.schema)?);
        match validator {
            Ok(validator) => {
                let content = read(path)?;
                let errors = validator.iter_errors(&content).take(5);
                problems.extend(
                    errors.map(|error| format!("{path}{}: {error}", error.instance_path())),
                );
            }
            Err(error) => problems.push(format!("{}: {error}", file.schema)),
        }
    }
    Ok(())
}

fn check_digests(dir: &Path, suite: &Suite, problems: &mut Vec<String>) -> Result<(), SuiteError> {
    let mut total = 0;
    for (path, line) in &suite.manifest.files {
        let bytes = store::read_bytes(&dir.join(path))?;
        total += bytes.len();
        if store::sha256(&bytes) != line.sha256 {
            problems.push(format!("{path}: digest differs from the manifest"));
        }
        if bytes.len() > FILE_SIZE_MAX {
            problems.push(format!(
                "{path}: {} bytes, more than a megabyte",
                bytes.len()
            ));
        }
    }
    if total > SUITE_SIZE_MAX {
        problems.push(format!(
            "the suite has {total} bytes, five megabytes are allowed"
        ));
    }
    if store::digest_of(&suite.manifest.files) != suite.manifest.digest {
        problems.push("manifest.json: the digest of all files is wrong".to_owned());
    }
    for path in store::list(dir)? {
        if !suite.manifest.files.contains_key(&path) {
            problems.push(format!("{path}: not in the manifest"));
        }
    }
    if suite.cases().count() != suite.manifest.count {
        problems.push("manifest.json: the count of cases is wrong".to_owned());
    }
    Ok(())
}

fn check_ids(suite: &Suite, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (_, case) in suite.cases() {
        if !seen.insert(&case.id) {
            problems.push(format!("{}: the id stands twice", case.id));
        }
        if suite.retired.contains(&case.id) {
            problems.push(format!("{}: a retired id is used again", case.id));
        }
    }
    let released: BTreeSet<_> = suite.released.values().flatten().collect();
    for id in seen.symmetric_difference(&released) {
        if !seen.contains(*id) && suite.retired.contains(*id) {
            continue;
        }
        problems.push(if seen.contains(*id) {
            format!("{id}: not in the list of released ids")
        } else {
            format!("{id}: a released id is gone and not retired")
        });
    }
}

fn check_file(suite: &Suite, path: &str, file: &File, report: &mut impl FnMut(String)) {
    let folder = file.kind.split('.').next().unwrap_or_default();
    if !path.starts_with(&format!("{folder}/{}__", file.kind)) {
        report(format!("the path does not follow the kind {}", file.kind));
    }
    if file.count != file.cases.len() {
        report(format!(
            "count is {}, there are {} cases",
            file.count,
            file.cases.len()
        ));
    }
    for kind in &file.depends_on {
        if !suite.files.values().any(|other| &other.kind == kind) {
            report(format!("depends on {kind}, of which there are no cases"));
        }
    }
    let used: BTreeSet<_> = file.cases.iter().flat_map(|case| &case.flags).collect();
    if !file.notes.keys().eq(used.iter().copied()) {
        report("notes and used flags differ".to_owned());
    }
    for (flag, note) in &file.notes {
        if suite.flags.get(flag) != Some(note) {
            report(format!("note {flag} differs from flags.json"));
        }
    }
}

fn check_references(suite: &Suite, file: &File, case: &Case, report: &mut impl FnMut(String)) {
    for id in &case.requirements {
        if !suite.requirements.contains_key(id) {
            report(format!("unknown requirement {id}"));
        }
    }
    for flag in case
        .flags
        .iter()
        .filter(|flag| !suite.flags.contains_key(*flag))
    {
        report(format!("unknown flag {flag}"));
    }
    if let Some(ruling) = case
        .ruling
        .as_ref()
        .filter(|id| !suite.rulings.contains_key(*id))
    {
        report(format!("unknown ruling {ruling}"));
    }
    let mut causes = BTreeSet::new();
    for failure in case.causes() {
        if !causes.insert(&failure.reason) {
            report(format!("{} is named twice", failure.reason));
        }
        match suite.reasons.get(&failure.reason) {
            None => report(format!("unknown reason {}", failure.reason)),
            Some(info) if info.retired.is_some() => {
                report(format!("{} is not given any more", failure.reason));
            }
            Some(info) if info.phase != failure.phase => {
                report(format!(
                    "{} belongs to phase {}",
                    failure.reason, info.phase
                ));
            }
            Some(_) => {}
        }
    }
    if case.limits != Limits::of(&case.input) {
        report("limits do not tell what the input takes".to_owned());
    }
    if let Value::Object(context) = file.context_of(case) {
        for (what, _) in context.iter().filter(|(_, value)| value.is_null()) {
            report(format!("the file's context has no such {what}"));
        }
    }
}

fn check_verdicts(case: &Case, report: &mut impl FnMut(String)) {
    let verdicts = [case.verdict.spec, case.verdict.wire];
    // Where deployed software is not judged, nothing is contested.
    let judged = case.verdict.wire != Verdict::Undefined;
    let differs = judged && case.verdict.spec != case.verdict.wire || case.expected_wire.is_some();
    if differs && case.ruling.is_none() {
        report("the rulesets differ and no ruling is named".to_owned());
    }
    if verdicts.contains(&Verdict::Valid) != case.expected.is_some() {
        report("a result goes with a valid verdict, and only with one".to_owned());
    }
    if case.expected_wire.is_some() && case.verdict != super::Verdicts::both(Verdict::Valid) {
        report("a second result goes with two valid verdicts".to_owned());
    }
    if verdicts.contains(&Verdict::Invalid) != case.fails_at.is_some() {
        report("fails_at goes with an invalid verdict, and only with one".to_owned());
    }
    // A document that only deployed software refuses is sound; there is nothing to be near to.
    let sound = case.verdict.spec == Verdict::Valid;
    if case.is_negative() && case.near.is_none() && !sound {
        report("an invalid case names the valid one it is near to".to_owned());
    }
}

fn check_near(file: &File, case: &Case, report: &mut impl FnMut(String)) {
    let Some(near) = &case.near else { return };
    let Some(sibling) = file.cases.iter().find(|other| other.id == near.case) else {
        return report(format!(
            "near names {}, which is not in the file",
            near.case
        ));
    };
    if sibling.verdict.spec != Verdict::Valid {
        report(format!("near names {}, which is not valid", near.case));
    }
    let (mut input, mut uses) = (sibling.input.clone(), sibling.context.clone());
    match edit::apply(&near.edit, &file.context, &mut input, &mut uses) {
        Err(error) => report(format!("the edit fails: {error}")),
        Ok(()) if input != case.input || uses != case.context => {
            report("the edit leads to another input".to_owned());
        }
        Ok(()) => {}
    }
    if near
        .edit
        .iter()
        .filter(|step| Step::is_change(step))
        .count()
        > MOST_CHANGES
    {
        report("the edit changes more than one thing".to_owned());
    }
}

/// The annotation is what stands in the bytes, and what is read from a valid case is what it expects.
fn check_annotation(file: &File, case: &Case, report: &mut impl FnMut(String)) {
    if case.annotation != dissect::annotate(&file.kind, &case.input) {
        report("the annotation is not that of the input".to_owned());
    }
    let strings = dissect::byte_strings(&file.kind, &case.input);
    for (path, (form, bytes)) in &strings {
        let dissection = dissect::dissect(*form, bytes);
        let end = dissection.parts.iter().try_fold(0, |end, part| {
            (end == part.at && part.size > 0).then_some(part.at + part.size)
        });
        if end != Some(bytes.len()) {
            report(format!("the annotation of {path:?} leaves bytes out"));
        }
        let expected = case.expected.as_ref().filter(|_| path.is_empty());
        if let (Verdict::Valid, Some(expected)) = (case.verdict.spec, expected)
            && !dissect::agrees(&file.kind, &dissection, expected)
        {
            report("the annotation reads something else than is expected".to_owned());
        }
    }
}

/// Steps an edit may have besides consequences. A member that changes place is two: out and in.
const MOST_CHANGES: usize = 2;

/// Every requirement has a valid and an invalid case under `spec`, or says why not.
fn check_coverage(suite: &Suite, problems: &mut Vec<String>) {
    let mut covered: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (_, case) in suite.cases() {
        for id in &case.requirements {
            let seen = covered.entry(id).or_default();
            seen.0 |= case.verdict.spec == Verdict::Valid;
            seen.1 |= case.verdict.spec == Verdict::Invalid;
        }
    }
    for (id, requirement) in &suite.requirements {
        let seen = covered.get(id.as_str()).copied().unwrap_or_default();
        if seen != (true, true) && requirement.gap.is_none() {
            problems.push(format!(
                "{id}: has no {} case",
                if seen.0 { "invalid" } else { "valid" }
            ));
        }
        if seen == (true, true) && requirement.gap.is_some() {
            problems.push(format!("{id}: is covered, yet names a gap"));
        }
    }
}

/// What is explained is also used, or says why not.
fn check_use(suite: &Suite, problems: &mut Vec<String>) {
    let flags: BTreeSet<_> = suite.cases().flat_map(|(_, case)| &case.flags).collect();
    for flag in suite.flags.keys().filter(|flag| !flags.contains(flag)) {
        problems.push(format!("{flag}: is explained and never used"));
    }
    let used: BTreeSet<_> = suite
        .cases()
        .filter_map(|(_, case)| case.ruling.as_ref())
        .collect();
    for (id, ruling) in &suite.rulings {
        match (used.contains(id), &ruling.gap) {
            (false, None) => problems.push(format!("{id}: no case turns on the ruling")),
            (true, Some(_)) => problems.push(format!("{id}: is used, yet names a gap")),
            _ => {}
        }
    }
}
