//! The clock value that shells hand to deciding code.
//!
//! Unix time in microseconds, which the shell keeps from ever stepping back; core never asks what time it
//! is. Tests and simulations may begin at 0.

/// A point in time, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

/// A span of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub u64);

impl Duration {
    /// A span of `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }
}

impl Instant {
    /// The beginning of 1970.
    pub const ZERO: Self = Self(0);

    /// This instant moved `span` into the future, saturating at the end of time.
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Whole seconds since 1970, as announcements carry them.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }
}
