//! Sending a peer the entries it lacks, in bounded steps.
//!
//! A step reads some entries from a store and makes messages of them; behind the last entry follows
//! `SyncDone`. Who asks for the next step decides how fast it goes, so that a slow peer is waited for by
//! nobody else. Entries go in the order in which this node accepted them, which puts everything after what
//! it depends on.
//!
//! A peer of the deployed kind knows one branch per log, and dies of an entry without its operation. It gets
//! the branch that next arguments would continue, and of that nothing from the first entry on whose operation
//! is gone (R31).
//!
//! Always true:
//! - `SyncDone` is the last message, and comes once; a transfer that is given up has none.
//! - No step holds more entries than [`ENTRIES_PER_STEP`].

use std::collections::{BTreeMap, BTreeSet};

use grove_core::session::{Dialect, SESSION_TIMEOUT};
use grove_core::time::Instant;
use grove_core::types::{LogId, PublicKey};
use grove_core::validate::{LogTip, ancestor, prefers};
use grove_core::wire::{Entry, Heights, Message};

use crate::store::{EntryRow, Read, StoreError};

/// How many entries are read at once; bounds memory, not the transfer.
pub(super) const ENTRIES_PER_STEP: u32 = 64;

/// How many when they are large, as those before them were.
const LARGE_ENTRIES_PER_STEP: u32 = 4;

/// What as many entries as are read at once may take without counting as large.
const STEP_SIZE_MAX: usize = 4 << 20;

/// Entries on their way to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    session: u64,
    starts: Heights,
    /// When the last step was.
    stepped: Instant,
    after_position: i64,
    /// How many entries to read at once.
    step: u32,
    is_over: bool,
    /// What a peer that knows one branch per log is sent; everything when `None`.
    branches: Option<Branches>,
}

impl Transfer {
    /// All entries of these logs from the given numbers on that a peer with this dialect understands, for a
    /// session that stands at this time.
    pub fn new(now: Instant, session: u64, starts: Heights, dialect: Dialect) -> Self {
        Self {
            session,
            starts,
            stepped: now,
            after_position: i64::MIN,
            step: LARGE_ENTRIES_PER_STEP,
            is_over: false,
            branches: match dialect {
                Dialect::Grove => None,
                Dialect::Deployed => Some(Branches::default()),
            },
        }
    }

    /// The session it belongs to.
    pub fn session(&self) -> u64 {
        self.session
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
        if now >= self.stepped.after(SESSION_TIMEOUT) {
            self.is_over = true;
            return Ok(Vec::new());
        }
        self.stepped = self.stepped.max(now);
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
        let mut given = Vec::with_capacity(rows.len());
        for row in rows {
            let is_given = match &mut self.branches {
                // What was lost here was not deleted: the peer gets it elsewhere, or here once it is mended.
                None => !row.lost,
                Some(branches) => branches.gives(store, &row)?,
            };
            given.extend(is_given.then_some(row));
        }
        let entries = given.into_iter().map(|row| message_of(session, row));
        let done = self.is_over.then_some(Message::SyncDone {
            session,
            live: false,
        });
        Ok(entries.chain(done).collect())
    }
}

/// The one branch of each log that a peer is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Branches {
    /// The tip to continue, as it was when the log was met first; `None` where the log has only one.
    tips: BTreeMap<(PublicKey, LogId), Option<LogTip>>,
    /// Logs of which an entry had no operation.
    broken: BTreeSet<(PublicKey, LogId)>,
}

impl Branches {
    /// Whether a peer that knows one branch per log is sent this entry.
    //= R24: towards the deployed network a log is offered along the branch that next args would continue
    fn gives(&mut self, store: &dyn Read, row: &EntryRow) -> Result<bool, StoreError> {
        let log = (row.public_key, row.log_id);
        if self.broken.contains(&log) || !self.is_on_branch(store, row)? {
            return Ok(false);
        }
        //= R31: never an entry whose operation is gone, nor what follows it
        if row.payload.is_none() {
            self.broken.insert(log);
            return Ok(false);
        }
        Ok(true)
    }

    fn is_on_branch(&mut self, store: &dyn Read, row: &EntryRow) -> Result<bool, StoreError> {
        let log = (row.public_key, row.log_id);
        let tip = match self.tips.get(&log) {
            Some(tip) => *tip,
            None => {
                let trees = store.trees(row.public_key, row.log_id)?;
                let has_branches = trees.len() > 1 || trees.iter().any(|tree| tree.branched);
                let tips = trees.into_iter().map(|tree| tree.tip);
                let preferred = tips.reduce(|best, tip| match prefers(&tip, &best) {
                    true => tip,
                    false => best,
                });
                let tip = preferred.filter(|_| has_branches);
                self.tips.insert(log, tip);
                tip
            }
        };
        let Some(tip) = tip else {
            return Ok(true);
        };
        let found = ancestor((tip.seq_num, tip.hash), row.seq_num, |hash| {
            let placed = store.placed(hash)?;
            let entry = placed.and_then(|placed| Entry::decode(&placed.entry).ok());
            Ok::<_, StoreError>(entry.map(|entry| (entry.backlink, entry.skiplink)))
        })?;
        Ok(found == Some(row.hash))
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
