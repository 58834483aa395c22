//! The clock value that shells hand to deciding code.
//!
//! Microseconds since an origin the shell chooses; core never asks what time it is.

/// A point in time, in microseconds since the shell's origin.
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
    /// The origin of the shell's clock.
    pub const ZERO: Self = Self(0);

    /// This instant moved `span` into the future, saturating at the end of time.
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Whole seconds since the origin, as announcements carry them.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }
}
