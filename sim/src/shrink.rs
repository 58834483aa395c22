//! Makes the plan of a failure smaller, as long as the same invariant fails for the same culprit.
//!
//! Works on the plan alone: random choices are keyed by what they are for, so that an item taken out leaves the rest
//! of the schedule alone. Whole classes go first, then parts of lists down to single items (ddmin), then times,
//! numbers of hosts and texts. Decides nothing about what a failure is.
//!
//! Always true: the plan that is returned fails in the same way, or is the one that was given.

use std::time::{Duration, Instant};

use crate::hosts::{CLIENTS, NODES, client_name, node_name};
use crate::plan::{Change, Plan, StepAction};
use crate::play::{Finding, caught_play};

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// How it fails.
    pub finding: Finding,
    /// Runs that it took.
    pub runs: u64,
    /// Whether there was not enough time to try everything.
    pub is_cut_short: bool,
}

impl Shrunk {
    /// How many steps, cuts, copies and faults are left.
    pub fn items(&self) -> usize {
        items(&self.plan)
    }
}

/// How many steps, cuts, copies and faults a plan has.
pub fn items(plan: &Plan) -> usize {
    plan.steps.len() + plan.cuts.len() + plan.copies.len() + plan.faults.len()
}

struct Shrinker<'a> {
    best: Plan,
    finding: Finding,
    runs: u64,
    until: Instant,
    run: &'a dyn Fn(&Plan) -> Option<Finding>,
}

/// Shrinks a plan that fails on the fast engine.
pub fn shrink(plan: &Plan, finding: &Finding, time_max: Duration) -> Shrunk {
    shrink_with(plan, finding, time_max, &caught_play)
}

/// Shrinks a plan that `run` finds a failure in.
pub fn shrink_with(
    plan: &Plan,
    finding: &Finding,
    time_max: Duration,
    run: &dyn Fn(&Plan) -> Option<Finding>,
) -> Shrunk {
    let mut shrinker = Shrinker {
        best: plan.clone(),
        finding: finding.clone(),
        runs: 0,
        until: Instant::now() + time_max,
        run,
    };
    loop {
        let before = shrinker.best.clone();
        shrinker.round();
        if shrinker.best == before || shrinker.is_late() {
            break;
        }
    }
    Shrunk {
        is_cut_short: shrinker.is_late(),
        plan: shrinker.best,
        finding: shrinker.finding,
        runs: shrinker.runs,
    }
}

impl Shrinker<'_> {
    fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }

    fn round(&mut self) {
        self.drop_classes();
        self.thin(|plan| &mut plan.faults);
        self.thin(|plan| &mut plan.cuts);
        self.thin(|plan| &mut plan.copies);
        self.thin(|plan| &mut plan.steps);
        self.drop_hosts();
        self.simplify();
    }

    /// Takes a smaller plan if it fails in the same way.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        if self.is_late() {
            return false;
        }
        let mut plan = self.best.clone();
        change(&mut plan);
        if plan == self.best {
            return false;
        }
        let Ok(plan) = plan.checked() else {
            return false;
        };
        self.runs += 1;
        let found = (self.run)(&plan);
        let same = found.filter(|found| {
            found.invariant == self.finding.invariant
                && found.culprit().is_empty() == self.finding.culprit().is_empty()
        });
        match same {
            Some(found) => {
                self.best = plan;
                self.finding = found;
                true
            }
            None => false,
        }
    }

    /// Whole lists, and whole classes of faults.
    fn drop_classes(&mut self) {
        self.attempt(|plan| plan.cuts.clear());
        self.attempt(|plan| plan.copies.clear());
        self.attempt(|plan| plan.faults.clear());
        let classes: std::collections::BTreeSet<_> =
            self.best.faults.iter().map(|fault| fault.class()).collect();
        for class in classes {
            self.attempt(|plan| plan.faults.retain(|fault| fault.class() != class));
        }
    }

    /// Takes parts out of a list: halves, quarters, and in the end single items.
    fn thin<T>(&mut self, list: impl Fn(&mut Plan) -> &mut Vec<T>) {
        let mut size = list(&mut self.best).len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < list(&mut self.best).len() {
                let went = self.attempt(|plan| {
                    let items = list(plan);
                    let end = (at + size).min(items.len());
                    items.drain(at..end);
                });
                if !went {
                    at += size;
                }
                if self.is_late() {
                    return;
                }
            }
            size /= 2;
        }
    }

    /// The last node or client goes, with what concerns it.
    fn drop_hosts(&mut self) {
        while self.best.nodes > *NODES.start() {
            let last = self.best.nodes - 1;
            let name = node_name(last);
            let went = self.attempt(|plan| {
                plan.nodes = last;
                plan.cuts.retain(|cut| cut.a != name && cut.b != name);
                plan.copies.retain(|copy| copy.node != last);
                let workload_ms = plan.workload_ms;
                plan.faults.retain(|fault| fault.fits(last, workload_ms));
            });
            if !went {
                break;
            }
        }
        while self.best.clients > *CLIENTS.start() {
            let last = self.best.clients - 1;
            let name = client_name(last);
            let went = self.attempt(|plan| {
                plan.clients = last;
                plan.steps.retain(|step| step.client != last);
                plan.cuts.retain(|cut| cut.a != name && cut.b != name);
                plan.copies
                    .retain(|copy| copy.client != last && copy.of != last);
            });
            if !went {
                break;
            }
        }
    }

    /// Constant latency, everything sooner, plain values.
    fn simplify(&mut self) {
        self.attempt(|plan| plan.latency_max_ms = 1);
        self.attempt(|plan| plan.topology = Default::default());
        for step in 0..self.best.steps.len() {
            self.attempt(|plan| {
                if let StepAction::Update { change, .. } = &mut plan.steps[step].action {
                    *change = Change::Done(true);
                }
            });
        }
        let last = self.best.steps.iter().map(|step| step.at_ms).max();
        self.attempt(|plan| plan.workload_ms = last.unwrap_or(0) + 1_000);
    }
}
