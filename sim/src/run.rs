//! Runs one plan to its verdict, on a thread whose clock and randomness are under control.
//!
//! Leaves out what happens in the simulated world, see `engines`.
//!
//! Always true: nothing in a report depends on the wall clock except the reported duration.

use std::time::Instant;

use crate::engines::full::determinism::{Control, ControlError, Surfaces};
use crate::engines::full::world::World;
use crate::evidence::Violation;
use crate::faults::planted::PlantedBug;
use crate::plan::{Plan, PlanError};
use crate::report::{Outcome, Report, millis, repeat_command};
use crate::trace::Trace;

/// Nodes of a run that says nothing else.
pub const NODES_DEFAULT: usize = 4;
/// Clients of a run that says nothing else.
pub const CLIENTS_DEFAULT: usize = 3;

/// What to do besides running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A bug to put in; `None` outside tests.
    pub planted: Option<PlantedBug>,
    /// Whether to keep every event, not only their hash.
    pub keep_trace: bool,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened and whether it was right.
    pub report: Report,
    /// The events as JSON lines, when they were asked for.
    pub lines: Option<Vec<u8>>,
}

/// The run could not be carried out; says nothing about the nodes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Clocks and randomness are not under control. (Local)
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The operating system gave no thread. (Local)
    #[error("the simulation's thread did not start")]
    Thread(#[source] std::io::Error),
    /// The plan asks for what this engine can't do. (Caller)
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A node's store could not be set up. (Local)
    #[error("a simulated node did not start: {0}")]
    Node(#[from] grove_node::store::StoreError),
    /// The simulator itself failed, and said why on the standard error output. (Local)
    #[error("the simulator panicked")]
    Panicked,
}

/// Runs `plan` to its verdict.
///
/// # Errors
///
/// When the simulation could not be set up. An invariant that does not hold is no error but an outcome.
pub fn run(plan: Plan, options: Options) -> Result<Run, RunError> {
    let started = Instant::now();
    // A fresh thread: its hash maps draw their keys under control.
    let simulation = std::thread::Builder::new()
        .name("simulation".to_owned())
        .spawn(move || simulate(plan, options))
        .map_err(RunError::Thread)?;
    let mut run = simulation.join().map_err(|_| RunError::Panicked)??;
    run.report.wall_ms = millis(started.elapsed());
    Ok(run)
}

fn simulate(plan: Plan, options: Options) -> Result<Run, RunError> {
    plan.check_for_full()?;
    let control = Control::take(plan.seed, Surfaces::ALL)?;
    let trace = Trace::new(options.keep_trace);
    let Plan {
        seed,
        nodes,
        clients,
        ..
    } = plan;
    let mut world = World::build(plan, options.planted, trace.clone(), control)?;
    let outcome = match world.play() {
        Ok(()) => Outcome::Ok,
        Err(Violation {
            invariant,
            difference,
        }) => {
            let invariant = invariant.to_owned();
            Outcome::Failed {
                invariant,
                difference,
            }
        }
    };
    let report = Report {
        seed,
        nodes,
        clients,
        outcome,
        counts: world.counts(),
        simulated_ms: millis(world.elapsed()),
        wall_ms: 0,
        trace: trace.digest(),
        repeat: repeat_command(seed, nodes, clients, options.planted),
    };
    Ok(Run {
        report,
        lines: trace.take_lines(),
    })
}
