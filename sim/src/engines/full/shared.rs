//! What the clients of one run know together and the run wants to know of them.
//!
//! The out-of-band part of the workload: which documents exist, what was acknowledged, who is done. Hosts
//! share it in memory, outside the simulated network, and all of it is on one thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use grove_core::types::{DocumentId, Schema};

use crate::evidence::{Published, Shown, Violation};
use crate::plan::Plan;
use crate::report::Counts;

/// Handle to the one shared state of a run.
#[derive(Clone)]
pub(crate) struct SharedState(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    schema: Option<Schema>,
    documents: BTreeMap<usize, DocumentId>,
    deleted: BTreeSet<usize>,
    published: Vec<Published>,
    counts: Counts,
    clients_busy: usize,
    shown: BTreeMap<usize, BTreeMap<DocumentId, Shown>>,
    nodes: usize,
    violation: Option<Violation>,
}

impl SharedState {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            clients_busy: plan.clients,
            nodes: plan.nodes,
            ..Inner::default()
        })))
    }

    pub(crate) fn set_schema(&self, schema: Schema) {
        self.0.borrow_mut().schema = Some(schema);
    }

    pub(crate) fn schema(&self) -> Option<Schema> {
        self.0.borrow().schema.clone()
    }

    pub(crate) fn set_document(&self, document: usize, id: DocumentId) {
        self.0.borrow_mut().documents.insert(document, id);
    }

    pub(crate) fn document(&self, document: usize) -> Option<DocumentId> {
        self.0.borrow().documents.get(&document).copied()
    }

    pub(crate) fn set_deleted(&self, document: usize) {
        self.0.borrow_mut().deleted.insert(document);
    }

    pub(crate) fn is_deleted(&self, document: usize) -> bool {
        self.0.borrow().deleted.contains(&document)
    }

    /// Notes an acknowledged publication, once however often it was acknowledged.
    pub(crate) fn acknowledge(&self, published: Published) {
        let mut inner = self.0.borrow_mut();
        let id = published.operation_id;
        if inner.published.iter().all(|known| known.operation_id != id) {
            inner.counts.published += 1;
            inner.published.push(published);
        }
    }

    pub(crate) fn published(&self) -> Vec<Published> {
        self.0.borrow().published.clone()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.borrow_mut().counts);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    pub(crate) fn client_done(&self) {
        self.0.borrow_mut().clients_busy -= 1;
    }

    pub(crate) fn clients_done(&self) -> bool {
        self.0.borrow().clients_busy == 0
    }

    /// Notes what a node answered when everything was read back from it.
    pub(crate) fn set_shown(&self, node: usize, shown: BTreeMap<DocumentId, Shown>) {
        self.0.borrow_mut().shown.insert(node, shown);
    }

    pub(crate) fn shown(&self, node: usize) -> BTreeMap<DocumentId, Shown> {
        self.0
            .borrow()
            .shown
            .get(&node)
            .cloned()
            .unwrap_or_default()
    }

    /// Whether every node was read back.
    pub(crate) fn judged(&self) -> bool {
        let inner = self.0.borrow();
        inner.shown.len() == inner.nodes
    }

    /// Notes something a client saw that must not be; the first one counts.
    pub(crate) fn violate(&self, invariant: &'static str, difference: String) {
        self.0.borrow_mut().violation.get_or_insert(Violation {
            invariant,
            difference,
        });
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.0.borrow().violation.clone()
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedState")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
