//! Pending clean-up: what the writer was told to delete and could not drop at once.
//!
//! Says when to try, not how. It is tried once nobody waits for the writer, or when it has been put off
//! for too long; what is in the way then is waited for in steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::FORGOTTEN_WITHIN;
use crate::store::StoreError;

/// How long a busy writer puts it off.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// How long after an attempt that something was in the way of the next one follows.
const AGAIN: Duration = Duration::from_millis(250);

/// Whether something is pending, for those who can help it along.
pub(super) type IsPending = Arc<AtomicBool>;

/// Something that is to be dropped.
#[derive(Debug)]
pub(super) struct PendingCleanup {
    what: &'static str,
    since: Option<Instant>,
    next: Instant,
    is_pending: IsPending,
    failing: bool,
    /// Whether it is kept for longer than promised.
    is_overdue: bool,
    /// How often that happened since the start.
    overdue: Arc<AtomicU64>,
}

impl PendingCleanup {
    /// Begins pending: a crash may have come before all was dropped.
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            since: Some(Instant::now()),
            next: Instant::now(),
            is_pending: Arc::new(AtomicBool::new(true)),
            failing: false,
            is_overdue: false,
            overdue: Arc::default(),
        }
    }

    pub(super) fn is_pending(&self) -> IsPending {
        Arc::clone(&self.is_pending)
    }

    /// Notes that there is something to drop.
    pub(super) fn add(&mut self) {
        self.since.get_or_insert_with(Instant::now);
        self.is_pending.store(true, Ordering::Relaxed);
    }

    /// How often it was kept for longer than promised.
    pub(super) fn overdue(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.overdue)
    }

    /// Whether to try now, when somebody waits for the writer or nobody does.
    pub(super) fn is_due(&self, idle: bool) -> bool {
        let late = |since: Instant| since.elapsed() >= SETTLED_WITHIN;
        self.since.is_some_and(|since| idle || late(since)) && Instant::now() >= self.next
    }

    /// Notes what came of trying: whether nothing is left. Repeated failures are told once.
    pub(super) fn settle(&mut self, done: &Result<bool, StoreError>) {
        match done {
            Ok(true) => {
                if self.is_overdue {
                    tracing::warn!("{} are gone at last", self.what);
                }
                self.is_overdue = false;
                self.since = None;
                self.is_pending.store(false, Ordering::Relaxed);
            }
            Ok(false) => {
                self.next = Instant::now() + AGAIN;
                self.look_whether_overdue();
            }
            Err(error) => {
                self.next = Instant::now() + AGAIN;
                if !self.failing {
                    tracing::warn!(%error, "could not drop {}", self.what);
                }
            }
        }
        self.failing = done.is_err();
    }

    /// Tells once that it is kept for longer than promised. Questions of the node's own were ended before, so
    /// that somebody else is in the way.
    fn look_whether_overdue(&mut self) {
        let late = |since: Instant| since.elapsed() >= FORGOTTEN_WITHIN;
        if self.is_overdue || !self.since.is_some_and(late) {
            return;
        }
        self.is_overdue = true;
        self.overdue.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            "{} are kept for longer than {} seconds: another program reads the database and does not end its \
             transaction",
            self.what,
            FORGOTTEN_WITHIN.as_secs()
        );
    }
}
