//! The report for issues and pull requests.

use std::fmt::Write;

use super::{Finding, Report, Section, State};

/// Findings shown per section; a comment has a largest size.
const FINDINGS_MAX: usize = 50;

/// Characters of each piece of evidence.
const EVIDENCE_LEN_MAX: usize = 2000;

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "# {} {}: {}\n",
        mark(report.state()),
        escape(&report.subject),
        escape(&report.verdict())
    );
    for section in &report.sections {
        render_section(&mut out, section);
    }
    for line in &report.stale_waivers {
        let _ = writeln!(
            out,
            "- {} stale waiver: {}",
            mark(State::Failed),
            escape(line)
        );
    }
    let _ = writeln!(
        out,
        "{} · vectors {} · {:.1} s",
        escape(&report.tool),
        escape(&report.suite),
        report.seconds
    );
    out
}

fn render_section(out: &mut String, section: &Section) {
    let _ = writeln!(
        out,
        "## {} {}\n\n{}\n",
        mark(section.state),
        escape(&section.title),
        escape(&section.summary)
    );
    render_table(out, section);
    for finding in section.findings.iter().take(FINDINGS_MAX) {
        render_finding(out, finding);
    }
    let hidden = section.findings.len().saturating_sub(FINDINGS_MAX);
    if hidden > 0 {
        let _ = writeln!(out, "and {hidden} more\n");
    }
}

fn render_table(out: &mut String, section: &Section) {
    if section.rows.is_empty() {
        return;
    }
    let mut line = |first: &str, cells: &[String]| {
        let cells: String = cells
            .iter()
            .map(|cell| format!(" {} |", escape(cell)))
            .collect();
        let _ = writeln!(out, "| {first} |{cells}");
    };
    line(" ", &section.columns);
    let mut rule = vec![":--".to_owned()];
    rule.resize(section.columns.len(), "--:".to_owned());
    line("---", &rule);
    for row in &section.rows {
        line(mark(row.state), &row.cells);
    }
    out.push('\n');
}

fn render_finding(out: &mut String, finding: &Finding) {
    let _ = writeln!(
        out,
        "<details><summary>{} <b>{}</b>: {}</summary>\n",
        mark(finding.state),
        escape(&finding.id),
        escape(&finding.what)
    );
    for evidence in &finding.evidence {
        let text: String = evidence.chars().take(EVIDENCE_LEN_MAX).collect();
        // A fence longer than any run of backticks inside cannot be closed from within.
        let longest = text
            .split(|char| char != '`')
            .map(str::len)
            .max()
            .unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let _ = writeln!(out, "{fence}text\n{text}\n{fence}\n");
    }
    if !finding.repeat.is_empty() {
        let _ = writeln!(out, "Again: <code>{}</code>\n", escape(&finding.repeat));
    }
    out.push_str("</details>\n\n");
}

const fn mark(state: State) -> &'static str {
    match state {
        State::Passed => "✓",
        State::Weak => "~",
        State::Partial => "◐",
        State::Skipped => "–",
        State::SetUpFailed => "!",
        State::Failed => "✗",
    }
}

/// One line of plain text: nothing in it is markup, neither Markdown's nor HTML's.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '@' => {
                let _ = write!(out, "&#{};", u32::from(char));
            }
            char if char.is_control() => out.push(' '),
            char => out.push(char),
        }
    }
    out
}
