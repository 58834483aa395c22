//! The budget that a connection works by, exchanged with every question.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use crate::budget::Budget;

/// Where a connection counts its work. Clones count in the same place.
#[derive(Clone)]
pub struct Meter(Arc<Mutex<Budget>>);

impl Default for Meter {
    /// One that counts without an end.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Budget::unlimited())))
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.budget()).finish()
    }
}

impl Meter {
    /// Works by this budget from now on.
    pub fn set(&self, budget: Budget) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = budget;
    }

    fn budget(&self) -> Budget {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes so many units. Spending may wait, so that the lock is not held meanwhile.
    pub fn spend(&self, units: u64) -> Result<(), StoreError> {
        Ok(self.budget().spend(units)?)
    }

    /// Takes what handing over so many bytes costs.
    pub fn spend_bytes(&self, size: usize) -> Result<(), StoreError> {
        Ok(self.budget().spend_bytes(size)?)
    }
}
