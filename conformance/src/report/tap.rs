//! The report in the Test Anything Protocol, version 14: one test point per test, flat.

use std::fmt::Write;

use super::{Finding, Report, State, Test};

pub(super) fn render(report: &Report) -> String {
    let results: Vec<_> = report
        .sections
        .iter()
        .flat_map(|section| section.results())
        .collect();
    let count = results.len() + report.stale_waivers.len();
    let mut out = format!("TAP version 14\n1..{count}\n");
    let mut number = 0;
    for (test, finding) in &results {
        number += 1;
        render_point(&mut out, number, test, *finding);
    }
    for line in &report.stale_waivers {
        number += 1;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "not ok {number} - stale waiver {}", escape(line));
    }
    out
}

fn render_point(out: &mut String, number: usize, test: &Test, finding: Option<&Finding>) {
    let word = match test.state {
        State::Passed | State::Weak | State::Skipped => "ok",
        State::Failed | State::SetUpFailed | State::Partial => "not ok",
    };
    let name = escape(&format!("{} {}", test.group, test.id));
    let _ = write!(out, "{word} {number} - {name}");
    if test.state == State::Skipped {
        let why = finding.map_or("left out", |finding| &finding.what);
        let _ = write!(out, " # SKIP {}", escape(why));
    }
    out.push('\n');
    if let Some(finding) = finding.filter(|_| test.state != State::Skipped) {
        render_diagnostic(out, finding);
    }
}

/// A block of YAML. JSON strings are YAML strings, whatever they hold.
fn render_diagnostic(out: &mut String, finding: &Finding) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let _ = write!(
        out,
        "  ---\n  message: {}\n  severity: {}\n",
        quoted(&finding.what),
        finding.state.word().replace(' ', "-")
    );
    if !finding.evidence.is_empty() {
        out.push_str("  evidence:\n");
    }
    for evidence in &finding.evidence {
        let _ = writeln!(out, "    - {}", quoted(evidence));
    }
    if !finding.repeat.is_empty() {
        let _ = writeln!(out, "  again: {}", quoted(&finding.repeat));
    }
    out.push_str("  ...\n");
}

/// One line in which nothing begins a directive.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('#', "\\#")
        .split(char::is_control)
        .collect::<Vec<_>>()
        .join(" ")
}
