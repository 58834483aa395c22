//! Runs the runner against our own library and against adapters that misbehave.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use grove_conformance::runner::{self, Command, Options, Outcome, Run, RunError};
use grove_conformance::suite::{Ruleset, Suite, store};
use rstest::rstest;

#[test]
fn our_library_passes_every_case_strongly() {
    let run = run(adapter(&["adapter", "serve"]), Ruleset::Spec, None).unwrap();

    let not_strong: Vec<_> = run
        .records
        .iter()
        .filter(|r| r.outcome != Outcome::Strong)
        .collect();
    assert!(not_strong.is_empty(), "{not_strong:#?}");
    assert!(run.conforms());
}

#[test]
fn our_library_is_stricter_than_what_is_deployed() {
    let run = run(adapter(&["adapter", "serve"]), Ruleset::Wire09, None).unwrap();

    let strict = run.count(|outcome| matches!(outcome, Outcome::WrongVerdict(_)));
    assert!(strict > 50, "only {strict} cases tell the rulesets apart");
    assert!(!run.conforms());
}

#[rstest]
#[case("null")]
#[case("yes")]
#[case("no")]
#[case("random")]
#[case("echo")]
#[case("crash")]
#[case("wrong-seq")]
#[case("noise")]
fn an_impostor_does_not_conform(#[case] manner: &str) {
    let run = run(impostor(manner), Ruleset::Spec, Some("varu64.*")).unwrap();

    assert!(!run.conforms());
    assert!(run.count(|outcome| *outcome == Outcome::Strong) <= run.records.len() / 10);
}

#[test]
fn a_crash_is_blamed_on_the_case_that_was_asked_alone() {
    let run = run(impostor("crash"), Ruleset::Spec, Some("varu64.encode")).unwrap();

    assert!(run.count(|outcome| *outcome == Outcome::Crashed) > 0);
    assert!(
        run.count(|outcome| matches!(outcome, Outcome::Weak(_) | Outcome::WrongVerdict(_))) > 0
    );
}

#[test]
fn silence_is_a_timeout_of_each_case() {
    let run = run(impostor("hang"), Ruleset::Spec, Some("hash-parse-a*")).unwrap();

    assert!(!run.records.is_empty());
    assert_eq!(
        run.count(|outcome| *outcome == Outcome::TimedOut),
        run.records.len()
    );
}

#[test]
fn answers_to_questions_nobody_asked_are_adapter_errors() {
    for manner in ["wrong-seq", "noise"] {
        let run = run(impostor(manner), Ruleset::Spec, Some("hash-parse-a*")).unwrap();

        let errors = run.count(|outcome| matches!(outcome, Outcome::AdapterError(_)));
        assert_eq!(errors, run.records.len(), "{manner}");
    }
}

#[test]
fn a_program_that_is_no_adapter_is_a_failed_set_up() {
    let missing = Command::Program("/nonexistent/adapter".into(), vec![]);
    assert!(matches!(
        run(missing, Ruleset::Spec, None),
        Err(RunError::Start(_))
    ));

    let mute = Command::Shell("true".to_owned());
    assert!(matches!(
        run(mute, Ruleset::Spec, None),
        Err(RunError::Hello(_))
    ));
}

#[test]
fn a_glob_that_matches_nothing_is_an_error() {
    let result = run(impostor("yes"), Ruleset::Spec, Some("nothing*"));

    assert!(matches!(result, Err(RunError::NothingToRun(_))));
}

fn run(command: Command, ruleset: Ruleset, only: Option<&str>) -> Result<Run, RunError> {
    let suite = Suite::load(Path::new(store::DEFAULT_DIR)).unwrap();
    let options = Options {
        command,
        ruleset,
        only: only.map(str::to_owned),
        jobs: 2,
        seed: 7,
        timeout: Duration::from_millis(if only == Some("hash-parse-a*") {
            200
        } else {
            20_000
        }),
    };
    runner::run(&suite, &options, &|_, _| {})
}

fn adapter(args: &[&str]) -> Command {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Command::Program(env!("CARGO_BIN_EXE_grove-conformance").into(), args)
}

fn impostor(manner: &str) -> Command {
    adapter(&["adapter", "impostor", manner])
}
