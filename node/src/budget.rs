//! How much may be done for one question, or for one input of the engine, in units of work.
//!
//! Counts, and says when it is over; what counts how much is said by whoever does it. It travels with the
//! store that is asked: every loop over rows, operations or nodes of a graph spends from it as it goes.
//!
//! One unit is a row read, an operation or a node visited, a KiB of bytes handed over, or a hundred steps of
//! SQLite's machine: about a microsecond each.
//!
//! Always true:
//! - Once refused, everything further is refused.
//! - What was spent is at most the limit and one step of a loop.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Steps of SQLite's machine that make up a unit.
pub(crate) const STEPS_PER_UNIT: u64 = 100;

/// Bytes handed over that make up a unit.
const BYTES_PER_UNIT: u64 = 1 << 10;

/// What may be done for one question. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: u64,
    spent: AtomicU64,
    bytes_max: u64,
    bytes: AtomicU64,
    end: AtomicU8,
    /// Whether anything was refused because of that.
    refused: AtomicBool,
    gate: Option<Gate>,
}

/// Where work that turns out long has to stop and ask.
struct Gate {
    at: u64,
    was_passed: AtomicBool,
    pass: Box<dyn Fn(&Budget) -> bool + Send + Sync>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Why nothing more is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// The work would take more than is allowed.
    #[error("it takes more work than is allowed at once")]
    Spent,
    /// Nobody waits for what it leads to, or others go first.
    #[error("it was given up")]
    GivenUp,
}

const GOES_ON: u8 = 0;
const SPENT: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Budget {
    /// So many units.
    pub fn new(limit: u64) -> Self {
        Self::with_bytes(limit, u64::MAX)
    }

    /// So many units, of which no more than so many bytes may be handed over: they are held in memory, while
    /// other work is but done.
    pub fn with_bytes(limit: u64, bytes_max: u64) -> Self {
        Self::made(limit, bytes_max, None)
    }

    /// As much as it takes.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// So many units, but behind the first `at` of them only if `pass` allows it. That may wait.
    pub(crate) fn with_gate(
        limit: u64,
        bytes_max: u64,
        at: u64,
        pass: impl Fn(&Budget) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::made(
            limit,
            bytes_max,
            Some(Gate {
                at,
                was_passed: AtomicBool::new(false),
                pass: Box::new(pass),
            }),
        )
    }

    fn made(limit: u64, bytes_max: u64, gate: Option<Gate>) -> Self {
        Self(Arc::new(Inner {
            limit,
            spent: AtomicU64::new(0),
            bytes_max,
            bytes: AtomicU64::new(0),
            end: AtomicU8::new(GOES_ON),
            refused: AtomicBool::new(false),
            gate,
        }))
    }

    /// Takes so many units, before the work is done.
    pub fn spend(&self, units: u64) -> Result<(), Exhausted> {
        self.go_on()?;
        let before = self.0.spent.fetch_add(units, Ordering::Relaxed);
        let spent = before.saturating_add(units);
        if spent > self.0.limit {
            self.0.end.store(SPENT, Ordering::Relaxed);
        } else if let Some(gate) = &self.0.gate
            && spent > gate.at
            && !gate.was_passed.swap(true, Ordering::Relaxed)
            && !(gate.pass)(self)
        {
            self.give_up();
        }
        self.go_on()
    }

    /// As [`check`](Self::check), for somebody who ends his work when nothing more may be done.
    fn go_on(&self) -> Result<(), Exhausted> {
        let may = self.check();
        if may.is_err() {
            self.0.refused.store(true, Ordering::Relaxed);
        }
        may
    }

    /// Takes what handing over so many bytes costs.
    pub fn spend_bytes(&self, size: usize) -> Result<(), Exhausted> {
        let before = self.0.bytes.fetch_add(size as u64, Ordering::Relaxed);
        if before.saturating_add(size as u64) > self.0.bytes_max {
            self.0.end.store(SPENT, Ordering::Relaxed);
        }
        self.spend(size as u64 / BYTES_PER_UNIT)
    }

    /// Whether anything more may be done.
    pub fn check(&self) -> Result<(), Exhausted> {
        match self.0.end.load(Ordering::Relaxed) {
            GOES_ON => Ok(()),
            SPENT => Err(Exhausted::Spent),
            _ => Err(Exhausted::GivenUp),
        }
    }

    /// Why something was refused, if anything was: then the work was not done as a whole.
    pub fn refusal(&self) -> Option<Exhausted> {
        let refused = self.0.refused.load(Ordering::Relaxed);
        self.check().err().filter(|_| refused)
    }

    /// How much was spent so far.
    pub fn spent(&self) -> u64 {
        self.0.spent.load(Ordering::Relaxed)
    }

    /// Ends the work, from whatever thread, at its next step.
    pub fn give_up(&self) {
        let end = &self.0.end;
        let _ = end.compare_exchange(GOES_ON, GIVEN_UP, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_once_and_for_all() {
        let budget = Budget::new(10);

        assert_eq!(budget.spend(10), Ok(()));
        assert_eq!(budget.spend(0), Ok(()));
        assert_eq!(budget.clone().spend(1), Err(Exhausted::Spent));

        assert_eq!(budget.spend(0), Err(Exhausted::Spent));
        budget.give_up();
        assert_eq!(budget.check(), Err(Exhausted::Spent));
        assert_eq!(Budget::unlimited().spend(u64::MAX), Ok(()));
    }

    #[test]
    fn bytes_have_a_bound_of_their_own() {
        let budget = Budget::with_bytes(1_000_000, 10_000);

        assert_eq!(budget.spend_bytes(9_000), Ok(()));
        assert_eq!(budget.spend(900_000), Ok(()));
        assert_eq!(budget.refusal(), None);
        assert_eq!(budget.spend_bytes(1_001), Err(Exhausted::Spent));
        assert_eq!(budget.refusal(), Some(Exhausted::Spent));
    }

    #[test]
    fn work_nobody_waits_for_ends_at_its_next_step() {
        let budget = Budget::new(10);
        budget.spend(1).unwrap();

        budget.clone().give_up();

        assert_eq!(budget.spend(1), Err(Exhausted::GivenUp));
    }

    #[test]
    fn long_work_asks_once_whether_it_may_go_on() {
        let asked = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&asked);
        let open = Budget::with_gate(100, 100, 10, move |budget| {
            assert_eq!(budget.spent(), 11);
            counting.fetch_add(1, Ordering::Relaxed);
            true
        });
        let shut = Budget::with_gate(100, 100, 10, |_| false);

        for _ in 0..50 {
            open.spend(1).unwrap();
        }

        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(shut.spend(10), Ok(()));
        assert_eq!(shut.spend(1), Err(Exhausted::GivenUp));
    }
}
