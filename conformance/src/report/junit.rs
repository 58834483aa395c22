//! The report as JUnit's XML, which every CI shows: a suite per section, a case per test.
//!
//! What could not be judged is an error, what is wrong a failure; a weak pass is a success that says so.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{Finding, Report, Section, State, Test};

pub(super) fn render(report: &Report) -> String {
    let mut document = Document::new(report.subject.as_str());
    document.set_time(Duration::from_secs_f64(report.seconds.max(0.0)));
    document.add_test_suites(report.sections.iter().map(suite));
    if !report.stale_waivers.is_empty() {
        document.add_test_suite(stale(&report.stale_waivers));
    }
    document
        .to_string()
        .expect("control characters are left out by the writer")
}

fn suite(section: &Section) -> TestSuite {
    let mut suite = TestSuite::new(section.title.as_str());
    suite.set_time(Duration::from_secs_f64(section.seconds.max(0.0)));
    let results = section.results();
    suite.add_test_cases(results.iter().map(|(test, finding)| case(test, *finding)));
    suite
}

fn case(test: &Test, finding: Option<&Finding>) -> TestCase {
    let mut status = match test.state {
        State::Passed | State::Weak => TestCaseStatus::success(),
        // What was left out stands as a test of its own, which is not passed.
        State::Partial => TestCaseStatus::non_success(NonSuccessKind::Error),
        State::Skipped => TestCaseStatus::skipped(),
        State::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        State::SetUpFailed => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if let Some(finding) = finding {
        status.set_message(finding.what.as_str());
        if matches!(
            test.state,
            State::Failed | State::SetUpFailed | State::Partial
        ) {
            status.set_description(description(finding));
        }
    }
    let mut case = TestCase::new(test.id.as_str(), status);
    case.set_classname(test.group.as_str());
    if let (State::Weak, Some(finding)) = (test.state, finding) {
        case.set_system_out(finding.what.as_str());
    }
    case
}

fn description(finding: &Finding) -> String {
    let mut lines = finding.evidence.clone();
    if !finding.repeat.is_empty() {
        lines.push(format!("again: {}", finding.repeat));
    }
    lines.join("\n")
}

fn stale(waivers: &[String]) -> TestSuite {
    let mut suite = TestSuite::new("Stale waivers");
    suite.add_test_cases(waivers.iter().map(|line| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(line.as_str());
        TestCase::new(line.as_str(), status)
    }));
    suite
}
