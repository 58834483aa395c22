//! Which schemas became known lately, so that who follows them asks for those alone.
//!
//! Whoever missed too many is told so and looks through all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use grove_core::types::SchemaId;
use tokio::sync::watch;

/// Changes that are remembered.
const CHANGES_KEPT: usize = 256;

/// Hears of schemas.
#[derive(Debug)]
pub(super) struct Learning {
    version: watch::Sender<u64>,
    latest: Arc<Mutex<VecDeque<Change>>>,
}

/// What became known with a version.
#[derive(Debug)]
struct Change {
    version: u64,
    added: Vec<SchemaId>,
}

/// Tells of schemas. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Learnt {
    pub(super) version: watch::Receiver<u64>,
    latest: Arc<Mutex<VecDeque<Change>>>,
}

impl Learning {
    pub(super) fn new() -> Self {
        Self {
            version: watch::Sender::new(0),
            latest: Arc::default(),
        }
    }

    pub(super) fn learnt(&self) -> Learnt {
        Learnt {
            version: self.version.subscribe(),
            latest: Arc::clone(&self.latest),
        }
    }

    /// Notes what one transaction changed: perhaps it added nothing and only removed.
    pub(super) fn note(&self, added: Vec<SchemaId>) {
        let version = *self.version.borrow() + 1;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= CHANGES_KEPT {
            latest.pop_front();
        }
        assert!(
            latest.back().is_none_or(|last| last.version + 1 == version),
            "versions have no gaps"
        );
        latest.push_back(Change { version, added });
        drop(latest);
        self.version.send_replace(version);
    }
}

impl Learnt {
    /// The schemas that became known after a version, up to another; `None` when that is not remembered any
    /// more.
    pub(super) fn between(&self, after: u64, up_to: u64) -> Option<Vec<SchemaId>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let first = latest.front().map_or(up_to + 1, |change| change.version);
        if after < up_to && first > after + 1 {
            return None;
        }
        let within = latest
            .iter()
            .filter(|change| after < change.version && change.version <= up_to);
        Some(within.flat_map(|change| &change.added).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use grove_core::types::Hash;

    use super::*;

    fn schema(number: u64) -> SchemaId {
        let hash = Hash::of(&number.to_be_bytes());
        SchemaId::Application {
            name: "one".parse().expect("a name"),
            view_id: grove_core::types::OperationId::from(hash).into(),
        }
    }

    #[test]
    fn what_was_missed_is_told_or_that_it_was_too_much() {
        let learning = Learning::new();
        let learnt = learning.learnt();
        let kept = CHANGES_KEPT as u64;
        assert_eq!(learnt.between(0, 0), Some(Vec::new()));

        for number in 1..=kept {
            learning.note(vec![schema(number)]);
        }
        assert_eq!(
            learnt.between(0, kept).map(|new| new.len()),
            Some(CHANGES_KEPT)
        );
        assert_eq!(learnt.between(1, 3), Some(vec![schema(2), schema(3)]));
        learning.note(Vec::new());

        assert_eq!(learnt.between(0, kept + 1), None);
        assert_eq!(learnt.between(kept, kept + 1), Some(Vec::new()));
        assert_eq!(*learnt.version.borrow(), kept + 1);
    }
}
