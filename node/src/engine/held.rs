//! Which entries peers are told of, kept in memory in the order in which nodes compare them.
//!
//! Begun when the first peer comes that compares in this way, and read from the store in steps: until it is whole
//! this node begins no such session. From then on it follows what is accepted. Doubted entries are not in it.
//!
//! Always true:
//! - It holds no entry that peers must not be told of, and up to a position all that they are told of.

use grove_core::session::EntrySet;
use grove_core::types::{Hash, SchemaId};

use crate::store::{Read, StoreError};

/// How many entries are read in one step.
const STEP: u32 = 16_384;

/// The entries that peers are told of.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    entries: EntrySet,
    /// The position up to which everything is in it; `None` before it was begun.
    until: Option<i64>,
    is_whole: bool,
}

impl Held {
    /// All of them, once they were read.
    pub(super) fn whole(&self) -> Option<&EntrySet> {
        self.is_whole.then_some(&self.entries)
    }

    /// Reads a step further, if anything is missing.
    pub(super) fn read_on(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        if self.is_whole {
            return Ok(());
        }
        let rows = store.told_after(self.until.unwrap_or(i64::MIN), STEP)?;
        self.is_whole = rows.len() < STEP as usize;
        self.until = self.until.max(Some(i64::MIN));
        for row in rows {
            assert!(self.until < Some(row.position), "entries come in order");
            self.entries.insert(&row.schema_id, row.hash, row.position);
            self.until = Some(row.position);
        }
        Ok(())
    }

    /// Reads all that is missing.
    pub(super) fn complete(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        while !self.is_whole {
            self.read_on(store)?;
        }
        Ok(())
    }

    /// Adds an entry that peers are told of from now on.
    pub(super) fn add(&mut self, schema: &SchemaId, hash: Hash, position: i64) {
        // What comes later is read with the rest.
        if !self.is_whole && self.until.is_none_or(|until| until < position) {
            return;
        }
        self.until = self.until.max(Some(position));
        assert!(
            self.until.is_some(),
            "something is there without a beginning"
        );
        self.entries.insert(schema, hash, position);
    }

    /// Takes out an entry that peers are not told of any more.
    pub(super) fn remove(&mut self, schema: &SchemaId, hash: Hash) {
        self.entries.remove(schema, hash);
    }

    /// Others may have added entries behind what is in it.
    pub(super) fn look_again(&mut self) {
        self.is_whole = false;
    }

    /// Begins anew: what peers are told of may be another.
    pub(super) fn forget(&mut self) {
        *self = Self {
            until: self.until.map(|_| i64::MIN),
            ..Self::default()
        };
    }
}
