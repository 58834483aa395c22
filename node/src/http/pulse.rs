//! Whether the other side of a WebSocket is still there.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// Longer than any node runs.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10);

/// When the other side is asked for a sign of life, and how long it may take to give one.
#[derive(Debug)]
pub(super) struct Pulse {
    interval: Option<Duration>,
    patience: Duration,
    /// Whether it was asked and has not been heard of since.
    is_asked: bool,
    due: Instant,
}

/// What to do when the time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pulsed {
    Early,
    Ask,
    Silent,
}

impl Pulse {
    pub(super) fn new(limits: &Limits) -> Self {
        let interval = limits.ping_interval;
        Self {
            interval,
            patience: limits.head_timeout,
            is_asked: false,
            due: Instant::now() + interval.unwrap_or(NEVER),
        }
    }

    /// Something was heard of it.
    pub(super) fn felt(&mut self) {
        self.is_asked = false;
        self.due = Instant::now() + self.interval.unwrap_or(NEVER);
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn wake(&mut self, now: Instant) -> Pulsed {
        if now < self.due {
            return Pulsed::Early;
        }
        if self.is_asked {
            return Pulsed::Silent;
        }
        self.is_asked = true;
        self.due = now + self.patience;
        Pulsed::Ask
    }
}
