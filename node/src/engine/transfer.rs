//! Sending a peer the entries it lacks, in bounded steps.
//!
//! A step reads some entries from a store and makes messages of them; behind the last entry follows
//! `SyncDone`, unless what is sent is news behind the end of a session. Who asks for the next step decides how fast it goes, so that a slow peer is waited for by
//! nobody else. Entries go in the order in which this node accepted them, which puts everything after what
//! it depends on.
//!
//! A peer of the deployed kind knows one branch per log, and dies of an entry without its operation. It gets
//! the branch that next arguments would continue, and of that nothing from the first entry on whose operation
//! is gone (R31).
//!
//! Always true:
//! - `SyncDone` is the last message, and comes once; a transfer that is given up has none, and one of news.
//! - No step holds more entries than [`ENTRIES_PER_STEP`].

use std::collections::{BTreeMap, BTreeSet};

use grove_core::session::{Dialect, Positions, SESSION_TIMEOUT};
use grove_core::time::Instant;
use grove_core::types::{LogId, PublicKey};
use grove_core::validate::{LogTip, ancestor, prefers};
use grove_core::wire::{Entry, Heights, Message, Operation};

use crate::store::{EntryRow, Read, StoreError};

/// How many entries are read at once; bounds memory, not the transfer.
pub(super) const ENTRIES_PER_STEP: u32 = 64;

/// How many when they are large, as those before them were.
const LARGE_ENTRIES_PER_STEP: u32 = 4;

/// Into how many runs news that wait are divided at most.
const RUNS_MAX: usize = 1024;

/// What as many entries as are read at once may take without counting as large.
const STEP_SIZE_MAX: usize = 4 << 20;

/// Entries on their way to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    session: u64,
    source: Source,
    /// What ends it; `None` of news.
    end: Option<End>,
    was_given_up: bool,
    /// When the last step was.
    stepped: Instant,
    after_position: i64,
    /// How many entries to read at once.
    step: u32,
    is_over: bool,
    /// What a peer that knows one branch per log is sent; everything when `None`.
    branches: Option<Branches>,
}

/// Which entries are on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// Those of logs, from these numbers on.
    Logs(Heights),
    /// Those at these positions which were not read yet.
    Positions(Positions),
}

/// What is said of what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Silence,
    News,
}

impl Transfer {
    /// The entries at these positions, in a session behind which news will follow.
    pub fn of_entries(now: Instant, session: u64, positions: Positions) -> Self {
        Self {
            source: Source::Positions(positions),
            end: Some(End::News),
            ..Self::new(now, session, Heights::new(), Dialect::Grove)
        }
    }

    /// The entries at these positions, which are new, behind the end of a session.
    pub fn of_news(now: Instant, session: u64, positions: Positions) -> Self {
        Self {
            source: Source::Positions(positions),
            end: None,
            ..Self::new(now, session, Heights::new(), Dialect::Grove)
        }
    }

    /// Takes in another transfer, if both are of news of one session.
    pub fn join(&mut self, other: &Self) -> bool {
        let of_one = self.session == other.session && self.end.is_none() && other.end.is_none();
        match (&mut self.source, &other.source) {
            (Source::Positions(waiting), Source::Positions(more)) if of_one && !self.is_over => {
                waiting.extend(more);
                // Some entries more than needed cost less than remembering which.
                waiting.coarsen(RUNS_MAX);
                true
            }
            _ => false,
        }
    }

    /// Whether its end is to be told: that of a session, or that news were not delivered.
    pub fn has_end(&self) -> bool {
        self.end.is_some() || self.was_given_up
    }

    /// Whether everything was sent, as far as it got.
    pub fn is_whole(&self) -> bool {
        !self.was_given_up
    }

    /// All entries of these logs from the given numbers on that a peer with this dialect understands, for a
    /// session that stands at this time.
    pub fn new(now: Instant, session: u64, starts: Heights, dialect: Dialect) -> Self {
        Self {
            session,
            source: Source::Logs(starts),
            end: Some(End::Silence),
            was_given_up: false,
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
            self.was_given_up = true;
            return Ok(Vec::new());
        }
        self.stepped = self.stepped.max(now);
        let rows = self.read(store)?;
        assert!(rows.len() <= self.step as usize, "more than was asked for");
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
        let end = self.end.filter(|_| self.is_over);
        let done = end.map(|end| Message::SyncDone {
            session,
            live: end == End::News,
        });
        Ok(entries.chain(done).collect())
    }

    /// The next entries, of those that come at once.
    fn read(&mut self, store: &dyn Read) -> Result<Vec<EntryRow>, StoreError> {
        let left = match &mut self.source {
            Source::Logs(starts) => {
                let rows = store.entries_from(starts, self.after_position, self.step)?;
                self.is_over = rows.len() < self.step as usize;
                return Ok(rows);
            }
            Source::Positions(left) => left,
        };
        let mut rows: Vec<EntryRow> = Vec::new();
        assert!(!left.is_empty(), "a transfer of nothing");
        // Each run takes a question, so there are only so many of them in a step.
        for _ in 0..self.step {
            let room = self.step - rows.len() as u32;
            let Some((first, last)) = left.runs().first().copied().filter(|_| room > 0) else {
                break;
            };
            let found = store.entries_between(first.saturating_sub(1), last, room)?;
            let is_cut = found.len() == room as usize;
            let read_to = found.last().filter(|_| is_cut);
            left.drop_until(read_to.map_or(last, |row| row.position));
            rows.extend(found);
        }
        self.is_over = left.is_empty();
        Ok(rows)
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
            previous: row.stub.and_then(|stub| {
                let operation = Operation::decode(&stub).ok()?;
                operation.previous().cloned()
            }),
        },
    }
}
