//! Runs the runner against our own library and against adapters that misbehave.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use grove_conformance::runner::{self, Command, Options, Outcome, Run, RunError, Selection, batch};
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
    assert_eq!(run.scores.total().points, 0);
}

#[rstest]
#[case("null")]
#[case("yes")]
#[case("no")]
#[case("random")]
#[case("echo")]
fn an_impostor_scores_nothing_on_all_vectors(#[case] manner: &str) {
    for ruleset in [Ruleset::Spec, Ruleset::Wire09] {
        let run = run(impostor(manner), ruleset, None).unwrap();

        assert!(run.records.len() > 700);
        assert_eq!(run.scores.total().points, 0, "{ruleset}");
        assert!(!run.conforms());
    }
}

#[test]
fn a_crash_is_blamed_on_the_case_that_was_asked_alone() {
    let run = run(impostor("crash"), Ruleset::Spec, Some("varu64.encode")).unwrap();

    assert!(run.count(|outcome| matches!(outcome, Outcome::Crashed(_))) > 0);
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
fn answers_to_questions_nobody_asked_are_malformed() {
    for manner in ["wrong-seq", "noise"] {
        let run = run(impostor(manner), Ruleset::Spec, Some("hash-parse-a*")).unwrap();

        let malformed = run.count(|outcome| matches!(outcome, Outcome::Malformed(_)));
        assert_eq!(malformed, run.records.len(), "{manner}");
    }
}

#[test]
fn an_answer_given_twice_spoils_the_first() {
    let twice = r#"while read -r line; do case "$line" in *hello*) echo '{"ok":true,"protocol":1,"implementation":{"name":"twice","version":"1","language":"sh"},"kinds":["hash.parse"]}';; *stop*) exit 0;; *) seq=$(echo "$line" | sed 's/.*"seq":\([0-9]*\).*/\1/'); a="{\"seq\":$seq,\"verdict\":\"invalid\"}"; echo "$a"; echo "$a";; esac; done"#;

    let run = run(shell(twice), Ruleset::Spec, Some("hash-parse-a*")).unwrap();

    let malformed =
        run.count(|outcome| *outcome == Outcome::Malformed("answered twice".to_owned()));
    assert_eq!(malformed, run.records.len());
}

#[test]
fn output_without_an_end_is_cut_off() {
    for flood in [
        "yes '{\"seq\":1}'",
        "tr '\\0' x </dev/zero",
        "cat /dev/zero",
    ] {
        let flood = format!("{HELLO}; {flood}");
        let run = run(shell(&flood), Ruleset::Spec, Some("hash-parse-a*")).unwrap();

        assert!(!run.conforms());
        assert!(
            run.count(Outcome::is_failure) == run.records.len(),
            "{flood}"
        );
    }
}

#[test]
fn what_an_adapter_said_before_it_died_stays_with_the_case() {
    let dies = format!("{HELLO}; read -r probe; read -r case; echo 'out of cheese' >&2; exit 7");

    let run = run(shell(&dies), Ruleset::Spec, Some("hash-parse-abc")).unwrap();

    let record = &run.records[0];
    assert!(
        matches!(&record.outcome, Outcome::Crashed(how) if how.contains('7')),
        "{record:?}"
    );
    assert_eq!(record.stderr, ["out of cheese"]);
}

#[test]
fn answers_from_a_file_are_judged_like_those_of_a_process() {
    let suite = Suite::load(Path::new(store::DEFAULT_DIR)).unwrap();
    let selection = Selection {
        only: Some("hash.*".to_owned()),
        ..Selection::default()
    };
    let questions = batch::questions(&suite, &selection).unwrap();
    let asked: String = questions.iter().map(|line| format!("{line}\n")).collect();
    let mut answers = Vec::new();
    grove_conformance::adapter::serve(asked.as_bytes(), &mut answers).unwrap();

    let run = batch::judge(&suite, &selection, answers.as_slice()).unwrap();
    assert!(run.conforms());
    assert_eq!(
        run.count(|outcome| *outcome == Outcome::Strong),
        run.records.len()
    );

    // A line lost, a line twice, a line nobody asked for.
    let lines: Vec<&str> = str::from_utf8(&answers).unwrap().lines().collect();
    let judge = |lines: &[&str]| batch::judge(&suite, &selection, lines.join("\n").as_bytes());
    let lost = judge(&[&lines[..1], &lines[2..]].concat()).unwrap();
    assert_eq!(lost.count(Outcome::is_failure), 1);
    let twice = judge(&[&lines[..2], &lines[1..]].concat()).unwrap();
    assert_eq!(twice.count(Outcome::is_failure), 1);
    let unasked = judge(&[&lines[..], &["{\"seq\":4711}"]].concat());
    assert!(matches!(unasked, Err(RunError::Answers { .. })));
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
        Err(RunError::Silent { .. })
    ));

    let wrong = shell(&HELLO.replace("\"protocol\":1", "\"protocol\":9"));
    assert!(matches!(
        run(wrong, Ruleset::Spec, None),
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

/// Says hello, whatever it is asked.
const HELLO: &str = r#"echo '{"ok":true,"protocol":1,"implementation":{"name":"sh","version":"1","language":"sh"},"kinds":["hash.parse"],"features":[]}'"#;

/// An adapter in a few lines of shell.
fn shell(script: &str) -> Command {
    Command::Program("sh".into(), vec!["-c".to_owned(), script.to_owned()])
}

fn impostor(manner: &str) -> Command {
    adapter(&["adapter", "impostor", manner])
}
