//! Entries in the order in which they were accepted, a page at a time.

use grove_core::types::SchemaId;

use super::ApiError;
use crate::store::{EntryRow, Read};

/// Entries read at once. Each may be megabytes large.
const PORTION: u32 = 64;

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesPage {
    /// The entries.
    pub entries: Vec<EntryRow>,
    /// Whether more follow.
    pub has_next_page: bool,
    /// The position behind which to go on.
    pub next: i64,
}

/// Entries of one schema or of all, behind a position: at most `first`, and of at most this many
/// bytes, but one at least.
pub fn entries_page(
    store: &dyn Read,
    schema_id: Option<&SchemaId>,
    after: i64,
    first: u32,
    size_max: usize,
) -> Result<EntriesPage, ApiError> {
    let mut page = EntriesPage {
        entries: Vec::new(),
        has_next_page: false,
        next: after,
    };
    let mut size = 0;
    loop {
        let missing = first as usize - page.entries.len();
        // One more than is missing tells whether more follow.
        let portion = missing.saturating_add(1).min(PORTION as usize) as u32;
        let rows = store.entries_after(page.next, schema_id, portion)?;
        let is_last = rows.len() < portion as usize;
        for row in rows {
            size += row.size();
            let is_full = size > size_max && !page.entries.is_empty();
            if is_full || page.entries.len() == first as usize {
                page.has_next_page = true;
                return Ok(page);
            }
            page.next = row.position;
            page.entries.push(row);
        }
        if is_last {
            return Ok(page);
        }
    }
}
