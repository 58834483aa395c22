//! Whether entries can be stored, as those find it who look from outside.
//!
//! Knows what came of the last transactions. A failure counts until a transaction succeeds, or for a while: who is
//! sent no entries because of it could never show that it is over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long a failure is told of.
const FAILURE_TOLD: Duration = Duration::from_secs(30);

/// How long a transaction may take before writing counts as stuck.
const TRANSACTION_MAX: Duration = Duration::from_secs(10);

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
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failure: Option<(Instant, String)>,
    busy_since: Option<Instant>,
}

impl Health {
    /// A transaction begins.
    pub(super) fn begin(&self) {
        self.lock().busy_since = Some(Instant::now());
    }

    /// A transaction has ended, well or by a failure.
    pub(super) fn end(&self, failure: Option<String>) {
        let mut state = self.lock();
        state.busy_since = None;
        state.failure = failure.map(|text| (Instant::now(), text));
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        health.end(Some("full".to_owned()));
        assert_eq!(health.trouble(), Some(Trouble::Failing("full".to_owned())));
        health.begin();
        assert!(health.trouble().is_some());

        health.end(None);
        assert_eq!(health.trouble(), None);
    }
}
