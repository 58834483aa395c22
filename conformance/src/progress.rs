//! A line of progress, for people who watch.

use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether stdout is read by a person who has not asked for plain text.
pub(crate) fn colour() -> bool {
    stdout().is_terminal() && !no_colour()
}

/// A bar on stderr; it draws nothing when nobody watches.
pub(crate) fn bar(message: &'static str) -> ProgressBar {
    let target = if stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = if no_colour() {
        "  {msg:<12} {bar:32} {pos}/{len} {elapsed}"
    } else {
        "  {msg:<12} {bar:32.green/dim} {pos}/{len} {elapsed:.dim}"
    };
    let style = ProgressStyle::with_template(template).expect("a template of ours");
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(style.progress_chars("━╸ "));
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Moves a bar; the total is told along because it is only known once the work begins.
pub(crate) fn advance(bar: &ProgressBar, done: usize, total: usize) {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}

fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
