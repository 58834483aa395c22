//! Whether entries can be stored, as those find it who look from outside.
//!
//! Knows what came of the last transactions. A failure counts until a transaction succeeds, or for a while: who is
//! sent no entries because of it could never show that it is over. And how often anything that was read was not what
//! had been written. Both go to the log, the same once a minute however often it happens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// For how long a failure is told of.
const FAILURE_TOLD: Duration = Duration::from_secs(30);

/// How long a transaction may take before writing counts as stuck.
const TRANSACTION_MAX: Duration = Duration::from_secs(10);

/// For how long what was told is not told again.
const TOLD: Duration = Duration::from_secs(60);

/// What keeps entries from being stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The last transaction failed, as when the disk is full or the database file is gone.
    Failing(String),
    /// A transaction has been under way for far too long.
    Stuck,
}

/// What is known of the writer. Shared by who writes and who looks.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: Mutex<State>,
    /// How often damage was met.
    damages: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<(Instant, String)>,
    busy_since: Option<Instant>,
    /// What the log was told last, and when.
    told: Option<(Instant, String)>,
}

impl State {
    /// Whether this is to be told, and not again for a while.
    fn is_news(&mut self, text: &str) -> bool {
        let told = self.told.as_ref();
        let is_news = told.is_none_or(|(at, told)| told != text || at.elapsed() > TOLD);
        if is_news {
            self.told = Some((Instant::now(), text.to_owned()));
        }
        is_news
    }
}

impl Health {
    /// A transaction begins.
    pub(super) fn begin(&self) {
        self.lock().busy_since = Some(Instant::now());
    }

    /// A transaction has ended, well or by a failure.
    pub(super) fn end(&self, failure: Option<&StoreError>) {
        self.count(failure);
        let failure = failure.map(ToString::to_string);
        let mut state = self.lock();
        state.busy_since = None;
        let is_news = failure.as_ref().is_some_and(|text| state.is_news(text));
        state.failure = failure.map(|text| (Instant::now(), text));
        if let Some((_, error)) = state.failure.as_ref().filter(|_| is_news) {
            tracing::error!(%error, "could not store a batch of entries");
        }
    }

    /// A question failed.
    pub(super) fn unanswered(&self, error: &StoreError) {
        self.count(Some(error));
        if error.is_damage() && self.lock().is_news(&error.to_string()) {
            tracing::error!(%error, "what is stored is not what was written; `grove-node verify` tells where");
        }
    }

    fn count(&self, failure: Option<&StoreError>) {
        if failure.is_some_and(StoreError::is_damage) {
            self.damages.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many questions and transactions failed because of damage.
    pub(super) fn damages(&self) -> u64 {
        self.damages.load(Ordering::Relaxed)
    }

    /// What is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let state = self.lock();
        let is_stuck = |since: Instant| since.elapsed() > TRANSACTION_MAX;
        if state.busy_since.is_some_and(is_stuck) {
            return Some(Trouble::Stuck);
        }
        let (at, text) = state.failure.as_ref()?;
        (at.elapsed() < FAILURE_TOLD).then(|| Trouble::Failing(text.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_until_something_succeeds() {
        let health = Health::default();
        assert_eq!(health.trouble(), None);

        health.begin();
        assert_eq!(health.trouble(), None);
        let full = StoreError::Io("full".to_owned());
        health.end(Some(&full));
        assert_eq!(health.trouble(), Some(Trouble::Failing(full.to_string())));
        health.begin();
        assert!(health.trouble().is_some());

        health.end(None);
        assert_eq!(health.trouble(), None);
        assert_eq!(health.damages(), 0);
    }

    #[test]
    fn damage_is_counted_each_time_and_told_once() {
        let health = Health::default();
        let damage = StoreError::Damaged("page 7".to_owned());

        health.unanswered(&damage);
        health.unanswered(&StoreError::BudgetExceeded);
        health.end(Some(&damage));

        assert_eq!(health.damages(), 2);
        assert!(!health.lock().is_news(&damage.to_string()));
        assert!(health.lock().is_news("another"));
        assert!(health.lock().is_news(&damage.to_string()));
    }
}
