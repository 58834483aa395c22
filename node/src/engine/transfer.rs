//! Sending a peer the entries it lacks, in bounded steps.
//!
//! A step reads some entries from a store and makes messages of them; behind the last entry follows
//! `SyncDone`. Who asks for the next step decides how fast it goes, so that a slow peer is waited for by
//! nobody else. Entries go in the order in which this node accepted them, which puts everything after what
//! it depends on.
//!
//! Always true:
//! - `SyncDone` is the last message, and comes once; a transfer that is given up has none.
//! - No step holds more entries than [`ENTRIES_PER_STEP`].

use grove_core::session::SESSION_TIMEOUT;
use grove_core::time::Instant;
use grove_core::wire::{Heights, Message};

use crate::store::{EntryRow, Read, StoreError};

/// How many entries are read at once; bounds memory, not the transfer.
pub const ENTRIES_PER_STEP: u32 = 64;

/// How many when they are large, as those before them were.
const LARGE_ENTRIES_PER_STEP: u32 = 4;

/// What as many entries as are read at once may take without counting as large.
const STEP_SIZE_MAX: usize = 4 << 20;

/// Entries on their way to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    session: u64,
    starts: Heights,
    begun: Instant,
    after_position: i64,
    /// How many entries to read at once.
    step: u32,
    is_over: bool,
}

impl Transfer {
    /// All entries of these logs from the given numbers on, for a session that stands at this time.
    pub fn new(now: Instant, session: u64, starts: Heights) -> Self {
        Self {
            session,
            starts,
            begun: now,
            after_position: i64::MIN,
            step: LARGE_ENTRIES_PER_STEP,
            is_over: false,
        }
    }

    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    //= RP11: whatever a peer lacks is sent to it
    /// The next messages. May be none although more will come, where all entries read were lost here.
    pub fn step(&mut self, now: Instant, store: &dyn Read) -> Result<Vec<Message>, StoreError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        //= RP9: the peer has given up the session by now, and goes on in another from what it got
        if now >= self.begun.after(SESSION_TIMEOUT) {
            self.is_over = true;
            return Ok(Vec::new());
        }
        let rows = store.entries_from(&self.starts, self.after_position, self.step)?;
        assert!(rows.len() <= self.step as usize, "more than was asked for");
        self.is_over = rows.len() < self.step as usize;
        let size: usize = rows.iter().map(EntryRow::size).sum();
        self.step = if size <= STEP_SIZE_MAX {
            ENTRIES_PER_STEP
        } else {
            LARGE_ENTRIES_PER_STEP
        };
        if let Some(last) = rows.last() {
            assert!(last.position > self.after_position, "entries come in order");
            self.after_position = last.position;
        }
        let session = self.session;
        // What was lost here was not deleted: the peer gets it elsewhere, or here once it is mended.
        let whole = rows.into_iter().filter(|row| !row.lost);
        let entries = whole.map(|row| message_of(session, row));
        let done = self.is_over.then_some(Message::SyncDone {
            session,
            live: false,
        });
        Ok(entries.chain(done).collect())
    }
}

//= DL3: of an operation that was deleted only the entry is sent
fn message_of(session: u64, row: EntryRow) -> Message {
    match row.payload {
        Some(payload) => Message::Entry {
            session,
            entry: row.entry,
            payload: Some(payload),
        },
        None => Message::Skeleton {
            session,
            entry: row.entry,
            schema: row.schema_id,
            document: row.document,
        },
    }
}
