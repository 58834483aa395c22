//! Holds the forms of a report to their look, their grammar and their safety.

#![allow(clippy::unwrap_used)]

use grove_conformance::exit::Exit;
use grove_conformance::report::waivers::Waiver;
use grove_conformance::report::{Finding, Format, Report, Row, Score, Section, State, Test};

/// What an answer may hold to break out of any form there is.
const HOSTILE: &str = "</summary><script>alert('x')</script> ``` | # SKIP \\ ]]> \u{0}\u{1b}[31m\nnot ok 9 - \u{202e}x";

#[test]
fn every_form_keeps_its_look() {
    for format in Format::ALL {
        insta::assert_snapshot!(format.file_name(), format.render(&report()));
    }
}

#[test]
fn a_saved_report_can_be_read_back() {
    let report = report();

    let read = Report::from_json(report.to_json().as_bytes()).unwrap();

    assert_eq!(read, report);
}

#[test]
fn junit_is_xml_and_counts_every_test() {
    let document = junit(&report());

    let suites = &document.test_suites;
    assert_eq!(
        (document.tests, document.failures, document.errors),
        (8, 1, 1)
    );
    assert_eq!(suites[0].name.as_str(), "Vectors: panda-py 0.3.1");
    assert_eq!(
        suites[0].test_cases[2].classname.as_deref(),
        Some("hash.parse")
    );
}

#[test]
fn tap_has_as_many_points_as_it_plans() {
    let points = tap(&Format::Tap.render(&report()));

    let failed = points.iter().filter(|point| !point.ok).count();
    let skipped = points.iter().filter(|point| point.skipped).count();
    assert_eq!((points.len(), failed, skipped), (8, 2, 1));
}

#[test]
fn nothing_an_adapter_says_breaks_a_form() {
    let mut report = report();
    report.subject = HOSTILE.to_owned();
    for section in &mut report.sections {
        section.title = HOSTILE.to_owned();
        section.summary = HOSTILE.to_owned();
        for finding in &mut section.findings {
            finding.what = HOSTILE.to_owned();
            finding.evidence = vec![HOSTILE.to_owned()];
        }
    }

    assert_eq!(junit(&report).tests, 8);
    assert_eq!(tap(&Format::Tap.render(&report)).len(), 8);
    let page = report.to_html();
    assert!(!page.contains("<script"));
    let markdown = Format::Markdown.render(&report);
    assert!(
        markdown
            .lines()
            .all(|line| { !line.contains("<script") || line.starts_with("</summary><script>") })
    );
    // Evidence stands inside a fence longer than any in it.
    assert!(markdown.contains("````text\n</summary>"));
    assert_eq!(
        Report::from_json(report.to_json().as_bytes()).unwrap(),
        report
    );
}

#[test]
fn a_badge_is_xml_and_its_data_json() {
    let badge = Format::Badge.render(&report());
    let data: serde_json::Value = serde_json::from_str(&Format::Shields.render(&report())).unwrap();

    assert!(badge.starts_with("<svg ") && badge.trim_end().ends_with("</svg>"));
    assert_eq!(data["message"], "does not conform 3/6");
    assert_eq!(data["schemaVersion"], 1);
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
        report.sections.truncate(1);
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
    let test = |id: &str, group: &str, state| Test {
        id: id.to_owned(),
        group: group.to_owned(),
        state,
    };
    Section {
        title: "Vectors: panda-py 0.3.1".to_owned(),
        state,
        summary: "2 of 3 cases pass".to_owned(),
        score: Some(Score { points: 1, of: 3 }),
        share: None,
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
        tests: vec![
            test("lipmaa-1", "lipmaa", State::Passed),
            test("lipmaa-4", "lipmaa", State::Skipped),
            test("hash-parse-uppercase", "hash.parse", state),
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
    let mut passed = section(State::Passed);
    passed.score = Some(Score { points: 2, of: 3 });
    passed.tests[1].state = State::Passed;
    passed.findings.push(Finding {
        id: "lipmaa-4".to_owned(),
        state: State::Weak,
        what: "passed weakly: refused as text".to_owned(),
        evidence: Vec::new(),
        repeat: String::new(),
    });
    passed.tests[1].state = State::Weak;
    let broken_down = Section::set_up_failed("Live node", &"connection refused", "again");
    report.sections = vec![
        broken,
        passed,
        Section {
            title: "Simulated networks".to_owned(),
            state: State::Passed,
            summary: "50 of 50 seeds converge".to_owned(),
            ..Section::default()
        },
        broken_down,
    ];
    report
}

/// Reads JUnit's XML with a parser that is not ours.
fn junit(report: &Report) -> quick_junit::Report {
    quick_junit::Report::deserialize_from_str(&Format::Junit.render(report)).unwrap()
}

struct Point {
    ok: bool,
    skipped: bool,
}

/// Reads TAP by the grammar of version 14, as far as it is used: plan first, then points with their
/// diagnostics.
fn tap(text: &str) -> Vec<Point> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("TAP version 14"));
    let planned: usize = lines
        .next()
        .and_then(|plan| plan.strip_prefix("1.."))
        .unwrap()
        .parse()
        .unwrap();
    let mut points = Vec::new();
    let mut in_block = false;
    for line in lines {
        match (in_block, line) {
            (false, "  ---") => in_block = true,
            (true, "  ...") => in_block = false,
            (true, line) => assert!(line.starts_with("  "), "{line}"),
            (false, line) => {
                let (ok, rest) = match line.strip_prefix("not ") {
                    Some(rest) => (false, rest),
                    None => (true, line),
                };
                let number = format!("ok {} - ", points.len() + 1);
                let name = rest
                    .strip_prefix(&number)
                    .unwrap_or_else(|| panic!("{line}"));
                let skipped = name.contains(" # SKIP ");
                points.push(Point { ok, skipped });
            }
        }
    }
    assert!(!in_block);
    assert_eq!(points.len(), planned);
    points
}
