//! Holds the three forms of a report to their look, and the page to its safety.

use grove_conformance::cli::Exit;
use grove_conformance::report::waivers::Waiver;
use grove_conformance::report::{Finding, Report, Row, Section, State};

#[test]
fn the_text_form_shows_what_went_wrong() {
    insta::assert_snapshot!(report().to_text(false));
}

#[test]
fn the_json_form_holds_everything() {
    insta::assert_snapshot!(report().to_json());
}

#[test]
fn the_page_holds_everything() {
    insta::assert_snapshot!(report().to_html());
}

#[test]
fn what_a_node_answers_does_not_become_part_of_the_page() {
    let mut report = report();
    report.sections[0].findings[0].evidence = vec!["<script>alert('x')</script>".to_owned()];

    let page = report.to_html();

    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn the_exit_code_is_that_of_the_worst_section() {
    let with = |states: &[State]| {
        let mut report = Report::new("test", "none");
        report.sections = states.iter().map(|state| section(*state)).collect();
        report.exit()
    };

    assert_eq!(with(&[State::Passed, State::Weak]), Exit::Conforms);
    assert_eq!(
        with(&[State::Passed, State::SetUpFailed]),
        Exit::SetUpFailed
    );
    assert_eq!(with(&[State::SetUpFailed, State::Failed]), Exit::Failures);
    assert_eq!(with(&[]), Exit::SetUpFailed);
    assert_eq!(with(&[State::Skipped]), Exit::SetUpFailed);
}

#[test]
fn a_waived_failure_does_not_count_until_it_runs_out() {
    let waiver = Waiver {
        case: "hash-parse-uppercase".to_owned(),
        reason: "kept for old data".to_owned(),
        link: "https://example.org/i/4".to_owned(),
        expires: "2027-01-31".to_owned(),
        fails: "let in".to_owned(),
    };
    let on = |waiver: &Waiver, day: &str| {
        let mut report = report();
        report.waive(std::slice::from_ref(waiver), day);
        (report.exit(), report.stale_waivers.len())
    };

    assert_eq!(on(&waiver, "2027-01-31"), (Exit::Conforms, 0));
    assert_eq!(on(&waiver, "2027-02-01"), (Exit::Failures, 1));
    let other = Waiver {
        fails: "crashed".to_owned(),
        ..waiver
    };
    assert_eq!(on(&other, "2027-01-31"), (Exit::Failures, 1));
}

#[test]
fn a_waiver_nobody_needs_is_stale() {
    let mut report = Report::new("test", "none");
    report.sections = vec![section(State::Passed)];
    let waiver = Waiver {
        case: "lipmaa-4".to_owned(),
        reason: "was broken".to_owned(),
        link: "https://example.org/i/5".to_owned(),
        expires: "2027-01-31".to_owned(),
        fails: "wrong result".to_owned(),
    };

    report.waive(&[waiver], "2026-11-21");

    assert_eq!(report.exit(), Exit::WaiversStale);
}

fn section(state: State) -> Section {
    Section {
        title: "Vectors: panda-py 0.3.1".to_owned(),
        state,
        summary: "2 of 3 cases pass".to_owned(),
        seconds: 0.25,
        columns: ["kind", "cases", "failed"].map(str::to_owned).into(),
        rows: vec![
            Row {
                state: State::Passed,
                cells: ["lipmaa", "2", "0"].map(str::to_owned).into(),
            },
            Row {
                state,
                cells: ["hash.parse", "1", "1"].map(str::to_owned).into(),
            },
        ],
        findings: Vec::new(),
    }
}

fn report() -> Report {
    let mut report = Report::new("panda-py", "1.0.0");
    report.tool = "grove-conformance".to_owned();
    report.seconds = 1.5;
    let mut broken = section(State::Failed);
    broken.findings.push(Finding {
        id: "hash-parse-uppercase".to_owned(),
        state: State::Failed,
        what: "wrong verdict: let in, but must be refused: uppercase_hex".to_owned(),
        evidence: vec![
            "input \"00AB\"".to_owned(),
            "answer {\"verdict\":\"valid\"}".to_owned(),
        ],
        repeat: "grove-conformance vectors run --only hash-parse-uppercase".to_owned(),
    });
    report.sections = vec![broken, section(State::Passed)];
    report
}
