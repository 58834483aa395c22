//! The report for reading in a terminal.

use std::fmt::Write;

use super::{Report, Row, Section, State};

/// Findings shown in full; the rest is counted.
const FINDINGS_MAX: usize = 12;

/// Rows up to which a table is shown whole.
const ROWS_MAX: usize = 24;

/// Lines of evidence shown per finding; the other forms have all of them.
const EVIDENCE_MAX: usize = 4;

pub(super) fn render(report: &Report, colour: bool) -> String {
    let paint = Paint { colour };
    let mut out = String::new();
    for section in &report.sections {
        render_section(&mut out, section, paint);
    }
    let state = report.state();
    for line in &report.stale_waivers {
        let _ = writeln!(
            out,
            "{} stale waiver {line}",
            paint.mark(State::SetUpFailed)
        );
    }
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} {} — {} in {:.1} s",
        paint.mark(state),
        paint.bold(&report.subject),
        report.verdict(),
        report.seconds
    );
    out
}

fn render_section(out: &mut String, section: &Section, paint: Paint) {
    let title = paint.bold(&section.title);
    let (mark, summary) = (paint.mark(section.state), &section.summary);
    let _ = writeln!(
        out,
        "{mark} {title}  {summary}  {}",
        paint.dim(&format!("{:.1} s", section.seconds))
    );
    render_table(out, section, paint);
    for finding in section.findings.iter().take(FINDINGS_MAX) {
        let _ = writeln!(
            out,
            "    {} {}: {}",
            paint.mark(finding.state),
            finding.id,
            finding.what
        );
        for line in finding
            .evidence
            .iter()
            .flat_map(|text| text.lines())
            .take(EVIDENCE_MAX)
        {
            let line: String = line.chars().take(160).collect();
            let _ = writeln!(out, "      {}", paint.dim(&line));
        }
        if !finding.repeat.is_empty() {
            let _ = writeln!(out, "      {} {}", paint.dim("again:"), finding.repeat);
        }
    }
    let hidden = section.findings.len().saturating_sub(FINDINGS_MAX);
    if hidden > 0 {
        let _ = writeln!(
            out,
            "    and {hidden} more, all of them in the report files"
        );
    }
    out.push('\n');
}

fn render_table(out: &mut String, section: &Section, paint: Paint) {
    // A long table of what is well would push what is not off the screen.
    let brief = section.rows.len() > ROWS_MAX;
    if section
        .rows
        .iter()
        .all(|row| brief && row.state == State::Passed)
    {
        return;
    }
    let width = |column: usize| {
        let cells = section
            .rows
            .iter()
            .map(|row| &row.cells)
            .chain([&section.columns]);
        cells
            .filter_map(|cells| cells.get(column))
            .map(|text| text.chars().count())
            .max()
    };
    let widths: Vec<_> = (0..section.columns.len())
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (text, width))| {
                // The first column is a name, the others are numbers.
                if column == 0 {
                    format!("{text:<width$}")
                } else {
                    format!("{text:>width$}")
                }
            });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let _ = writeln!(out, "    {}", paint.dim(&line(&section.columns)));
    for Row { state, cells } in &section.rows {
        if brief && *state == State::Passed {
            continue;
        }
        let line = line(cells);
        let line = if *state == State::Passed {
            line
        } else {
            paint.of(*state, &line)
        };
        let _ = writeln!(out, "    {line}");
    }
}

#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn mark(self, state: State) -> String {
        let mark = match state {
            State::Passed => "✓",
            State::Weak => "~",
            State::Partial => "◐",
            State::Skipped => "-",
            State::SetUpFailed => "!",
            State::Failed => "✗",
        };
        self.of(state, mark)
    }

    fn of(self, state: State, text: &str) -> String {
        let code = match state {
            State::Passed => "32",
            State::Weak | State::SetUpFailed => "33",
            State::Partial => "36",
            State::Skipped => "2",
            State::Failed => "31",
        };
        self.with(code, text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
