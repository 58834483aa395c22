//! A client as data: what it remembers, how far it is, and what it waits for.

use std::collections::BTreeMap;
use std::rc::Rc;

use grove_client::session::{Retry, Session};
use grove_core::types::OperationId;

use super::line::{FastApi, Task, Writer};
use super::steps::Outcome;
use crate::hosts::client_key;
use crate::plan::Plan;

/// One client.
#[derive(Clone, Debug)]
pub(super) struct FastClient {
    /// What it remembers, as of its last step.
    pub writer: Writer,
    /// The node it talks to.
    pub node: usize,
    pub steps: Rc<[usize]>,
    pub next: usize,
    pub tasks: Vec<Option<Task<Outcome>>>,
    /// Per task the question it waits for, and what it wants to publish.
    pub waiting: BTreeMap<usize, (u64, Option<OperationId>)>,
    pub calls: u64,
    /// What came of the tasks of this step.
    pub ended: Vec<Outcome>,
    pub outrun: u32,
    /// Copies that were made of it, by their place in the plan.
    pub made: BTreeMap<usize, Writer>,
    pub taken: Vec<usize>,
}

impl FastClient {
    pub(super) fn new(number: usize, plan: &Plan) -> Self {
        let own = plan.steps.iter().enumerate();
        let own = own.filter(|(_, step)| step.client == number);
        Self {
            writer: writer(plan.seed, number),
            node: plan.home(number),
            steps: own.map(|(nth, _)| nth).collect(),
            next: 0,
            tasks: Vec::new(),
            waiting: BTreeMap::new(),
            calls: 0,
            ended: Vec::new(),
            outrun: 0,
            made: BTreeMap::new(),
            taken: Vec::new(),
        }
    }

    /// Gives up: its node is off for good.
    pub(super) fn give_up(&mut self) {
        self.next = self.steps.len();
        self.tasks.clear();
        self.waiting.clear();
    }

    /// The node it talks to.
    pub(super) fn node(&self) -> usize {
        self.node
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.steps.len() && !self.is_busy()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.tasks.iter().any(Option::is_some)
    }
}

fn writer(seed: u64, client: usize) -> Writer {
    // One call at a time: this workload repeats it by itself.
    let retry = Retry {
        attempts_max: 1,
        ..Retry::default()
    };
    Session::new(client_key(seed, client), FastApi::default()).with_retry(retry)
}
