//! Spans of simulated time, in microseconds.

pub(super) const MS: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000_000;
