//! What clients remember, for others to go on from.
//!
//! Outside the simulated network, as a backup or a cloned disk is. A copy is made at its moment, or is the last
//! memory of whom it is of where that one did nothing any more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grove_client::session::Session;

use super::door::Door;

/// Handle to the memories of one run.
#[derive(Clone, Default)]
pub(crate) struct Memories(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    /// What each client remembers after its last step.
    latest: BTreeMap<usize, Session<Door>>,
    /// Copies that were made, by their place in the plan.
    made: BTreeMap<usize, Session<Door>>,
    taken: BTreeSet<usize>,
}

impl Memories {
    /// Keeps what a client remembers now.
    pub(crate) fn set(&self, client: usize, session: Session<Door>) {
        self.0.borrow_mut().latest.insert(client, session);
    }

    /// Makes a copy of the plan, once.
    pub(crate) fn make(&self, nth: usize, session: &Session<Door>) {
        let mut inner = self.0.borrow_mut();
        inner.made.entry(nth).or_insert_with(|| session.clone());
    }

    /// Whether a copy of the plan is to be taken now; each is taken once.
    pub(crate) fn take(&self, nth: usize) -> bool {
        self.0.borrow_mut().taken.insert(nth)
    }

    /// A copy of the plan, which is of client `of`.
    pub(crate) fn copy(&self, nth: usize, of: usize) -> Option<Session<Door>> {
        let inner = self.0.borrow();
        let made = inner.made.get(&nth).or_else(|| inner.latest.get(&of));
        made.cloned()
    }
}
