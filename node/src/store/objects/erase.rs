//! Erasing what was deleted, without making the writer wait for a slow service.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Objects, lock};
use crate::store::StoreError;

/// How long the writer waits for objects to go. A folder takes less.
const PATIENCE: Duration = Duration::from_millis(250);

/// What is being erased.
#[derive(Debug, Default)]
pub(super) struct Erasing(Option<Batch>);

#[derive(Debug)]
struct Batch {
    names: Vec<String>,
    done: Receiver<Result<(), StoreError>>,
}

impl Objects {
    /// Erases objects, a batch at a time: returns the names of those that are gone by now, which may be
    /// those of an earlier call, and none when a slow service has not got that far.
    ///
    /// Erasing what is gone already succeeds, so whoever is not sure asks again.
    pub(in crate::store) fn erase_patiently(
        &self,
        names: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        let mut erasing = lock(&self.erasing);
        // Whoever comes back only looks.
        let patience = match erasing.0 {
            None => PATIENCE,
            Some(_) => Duration::ZERO,
        };
        let batch = erasing.0.get_or_insert_with(|| {
            let (storage, wanted) = (self.storage.clone(), names.clone());
            let done = self.begin(async move { storage.erase(wanted).await });
            Batch { names, done }
        });
        let done = match batch.done.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => Err(super::ENDED),
            Ok(done) => done,
        };
        let names = erasing.0.take().map(|batch| batch.names);
        done.map(|()| names.unwrap_or_default())
    }
}
