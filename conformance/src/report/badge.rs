//! The report as a badge: a picture of its own, or the data of shields.io's endpoint.

use serde_json::json;

use super::{Report, State, html::escape};

const LABEL: &str = "p2panda";

/// Average width of a character at this size, in tenths of a pixel, a little on the wide side.
const CHAR_WIDTH: usize = 72;

const MARGIN: usize = 20;

pub(super) fn render(report: &Report) -> String {
    let message = message(report);
    let [left, right] =
        [LABEL, &message].map(|text| text.chars().count() * CHAR_WIDTH / 10 + MARGIN);
    let [width, left_middle, right_middle] = [left + right, left / 2, left + right / 2];
    let colour = colour(report);
    let text = escape(&message);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{LABEL}: {text}">
<title>{LABEL}: {text}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="4"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#454b43"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{left_middle}" y="14">{LABEL}</text>
<text x="{right_middle}" y="14">{text}</text>
</g>
</svg>
"##
    )
}

/// What `https://img.shields.io/endpoint?url=…` reads.
pub(super) fn render_endpoint(report: &Report) -> String {
    let badge = json!({
        "schemaVersion": 1,
        "label": LABEL,
        "message": message(report),
        "color": colour(report),
    });
    format!("{badge}\n")
}

/// The verdict; with the points where all there is was asked, with the share where it was not.
fn message(report: &Report) -> String {
    let verdict = report.verdict();
    match report.score().filter(|_| report.is_whole()) {
        Some(score) => format!("{verdict} {}/{}", score.points, score.of),
        None => verdict,
    }
}

/// Green is for who is right in all there is.
fn colour(report: &Report) -> &'static str {
    match report.state() {
        State::Passed if report.is_whole() => "#2f7d4f",
        State::Passed | State::Partial => "#2f5f8a",
        State::Weak => "#96690f",
        State::Failed => "#b3372f",
        State::SetUpFailed | State::Skipped => "#6b7068",
    }
}
