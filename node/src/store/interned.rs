//! Values that a database stores once and names by small numbers elsewhere, as far as a connection
//! remembers them.
//!
//! What a rolled back transaction taught must be forgotten: its numbers will be given out again.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::StoreError;

/// How many values a connection remembers at most, of each kind.
pub(super) const REMEMBERED_MAX: usize = 16_384;

/// Values and the numbers that stand for them.
#[derive(Debug)]
pub(super) struct Interned<T>(RefCell<Both<T>>);

#[derive(Debug)]
struct Both<T> {
    values: BTreeMap<i64, T>,
    rows: BTreeMap<T, i64>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self(RefCell::new(Both {
            values: BTreeMap::new(),
            rows: BTreeMap::new(),
        }))
    }
}

impl<T: Clone + Ord> Interned<T> {
    /// The number of a value, looked up when it is not remembered. That there is none is not remembered.
    pub(super) fn row(
        &self,
        value: &T,
        look_up: impl FnOnce() -> Result<Option<i64>, StoreError>,
    ) -> Result<Option<i64>, StoreError> {
        if let Some(row) = self.remembered(value) {
            return Ok(Some(row));
        }
        let row = look_up()?;
        if let Some(row) = row {
            self.insert(row, value.clone());
        }
        Ok(row)
    }

    /// The number of a value, if it is remembered.
    pub(super) fn remembered(&self, value: &T) -> Option<i64> {
        self.0.borrow().rows.get(value).copied()
    }

    /// The value of a number, looked up when it is not remembered.
    pub(super) fn value(
        &self,
        row: i64,
        look_up: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(value) = self.0.borrow().values.get(&row) {
            return Ok(value.clone());
        }
        let value = look_up()?;
        self.insert(row, value.clone());
        Ok(value)
    }

    /// Remembers what was just given a number.
    pub(super) fn insert(&self, row: i64, value: T) {
        let mut both = self.0.borrow_mut();
        if both.rows.len() >= REMEMBERED_MAX {
            both.rows.clear();
            both.values.clear();
        }
        assert!(row > 0, "numbers begin with 1");
        debug_assert!(
            both.values.get(&row).is_none_or(|known| *known == value),
            "a number of two values"
        );
        debug_assert!(
            both.rows.get(&value).is_none_or(|known| *known == row),
            "a value of two numbers"
        );
        both.values.insert(row, value.clone());
        both.rows.insert(value, row);
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        let mut both = self.0.borrow_mut();
        both.rows.clear();
        both.values.clear();
    }
}
