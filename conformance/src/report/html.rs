//! The report as one page: no script, nothing loaded from anywhere, light and dark.

use std::fmt::Write;

use super::{Finding, Report, Section, State};

const STYLE: &str = include_str!("page.css");

pub(super) fn render(report: &Report) -> String {
    let state = report.state();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{subject}: {word}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{subject} <span class=\"badge {class}\">{word}</span></h1>\n\
         <p class=\"sub\">{count} parts in {seconds:.1} s</p>\n",
        subject = escape(&report.subject),
        word = escape(&report.verdict()),
        class = class(state),
        count = report.sections.len(),
        seconds = report.seconds,
    );
    for section in &report.sections {
        render_section(&mut out, section);
    }
    for line in &report.stale_waivers {
        let _ = writeln!(
            out,
            "<p class=\"set_up_failed badge\">stale waiver {}</p>",
            escape(line)
        );
    }
    let _ = write!(
        out,
        "<footer>{} · vectors {}</footer>\n</main>\n</body>\n</html>\n",
        escape(&report.tool),
        escape(&report.suite)
    );
    out
}

fn render_section(out: &mut String, section: &Section) {
    let _ = write!(
        out,
        "<section class=\"{class}\">\n<header><h2>{title}</h2><span class=\"badge\">{word}</span>\
         <span class=\"time\">{seconds:.1} s</span></header>\n<p class=\"summary\">{summary}</p>\n",
        class = class(section.state),
        title = escape(&section.title),
        word = section.state.word(),
        seconds = section.seconds,
        summary = escape(&section.summary),
    );
    render_bar(out, section);
    render_table(out, section);
    section
        .findings
        .iter()
        .for_each(|finding| render_finding(out, finding));
    out.push_str("</section>\n");
}

/// One stripe per state, as long as the rows that have it are many.
fn render_bar(out: &mut String, section: &Section) {
    if section.rows.is_empty() {
        return;
    }
    out.push_str("<div class=\"bar\" aria-hidden=\"true\">");
    for state in [
        State::Passed,
        State::Weak,
        State::Partial,
        State::SetUpFailed,
        State::Failed,
        State::Skipped,
    ] {
        let count = section.rows.iter().filter(|row| row.state == state).count();
        if count > 0 {
            let _ = write!(
                out,
                "<i class=\"{}\" style=\"flex:{count}\"></i>",
                class(state)
            );
        }
    }
    out.push_str("</div>\n");
}

fn render_table(out: &mut String, section: &Section) {
    if section.rows.is_empty() {
        return;
    }
    let cells = |tag: &str, cells: &[String]| -> String {
        cells
            .iter()
            .map(|text| format!("<{tag}>{}</{tag}>", escape(text)))
            .collect()
    };
    let head = cells("th", &section.columns);
    let _ = write!(
        out,
        "<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
    );
    for row in &section.rows {
        let _ = writeln!(
            out,
            "<tr class=\"{}\">{}</tr>",
            class(row.state),
            cells("td", &row.cells)
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn render_finding(out: &mut String, finding: &Finding) {
    let _ = writeln!(
        out,
        "<details class=\"{}\"><summary><b>{}</b> {}</summary>",
        class(finding.state),
        escape(&finding.id),
        escape(&finding.what)
    );
    for evidence in &finding.evidence {
        let _ = writeln!(out, "<pre>{}</pre>", escape(evidence));
    }
    if !finding.repeat.is_empty() {
        let _ = writeln!(
            out,
            "<p>Again: <code>{}</code></p>",
            escape(&finding.repeat)
        );
    }
    out.push_str("</details>\n");
}

const fn class(state: State) -> &'static str {
    match state {
        State::Passed => "passed",
        State::Weak => "weak",
        State::Partial => "partial",
        State::Failed => "failed",
        State::SetUpFailed => "set_up_failed",
        State::Skipped => "skipped",
    }
}

/// Everything from outside goes through here: a node's answer must not become part of the page.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(char),
        }
    }
    out
}
