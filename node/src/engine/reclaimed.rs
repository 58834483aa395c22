//! How much the operator's commands and collecting removed.

use std::ops::AddAssign;

/// What a command removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Documents that were changed by it.
    pub documents: u64,
    /// Logs that were purged, or operations that were dropped one by one.
    pub items: u64,
    /// Bytes of operations.
    pub bytes: u64,
}

impl AddAssign for Reclaimed {
    fn add_assign(&mut self, other: Self) {
        self.documents += other.documents;
        self.items += other.items;
        self.bytes += other.bytes;
    }
}
