//! The whole job on a fresh machine: vectors, our own node, simulated networks, one report.
//!
//! The only place that starts anything of ours. The suites themselves know a node by its address and a
//! library by its adapter, so what they say of ours they would say of anybody's.

use std::net::SocketAddr;
use std::time::Instant;

use grove_node::config::{Config, StartError};
use grove_node::daemon::Daemon;
use grove_sim::batch::{BatchOptions, SeedReport, Verdict, batch};
use tokio::sync::oneshot;

use crate::progress;
use crate::report::{Finding, Row, Section, State, Test};

/// A node of ours in this process: the one that ships, on a port of its own and with nothing kept.
#[derive(Debug)]
pub struct OwnNode {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

impl OwnNode {
    /// Starts the node; it serves until it is stopped.
    pub fn start() -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let daemon = runtime.block_on(Daemon::start(&Config::ephemeral()))?;
        let address = daemon.address();
        let (stop, stopped) = oneshot::channel();
        // Stopped on purpose or because whoever could stop it is gone: either way it ends.
        let served = runtime.spawn(daemon.run(async { drop(stopped.await) }));
        Ok(Self {
            runtime,
            address,
            stop,
            served,
        })
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the node and removes what it kept.
    pub fn stop(self) {
        let Self {
            runtime,
            stop,
            served,
            ..
        } = self;
        // A node that has ended by itself needs no telling.
        let _ = stop.send(());
        let _ = runtime.block_on(served);
    }
}

/// Has a node of ours judged at its address.
pub fn live_section(judge: impl FnOnce(&str) -> Section) -> Section {
    match OwnNode::start() {
        Ok(node) => {
            let section = judge(&node.url());
            node.stop();
            section
        }
        Err(error) => Section::set_up_failed("Live node", &error, "grove-conformance check"),
    }
}

/// Simulates `seeds` networks, each in a process of its own.
pub fn simulation_section(seeds: u64) -> Section {
    let started = Instant::now();
    let options = BatchOptions::default();
    let total = usize::try_from(seeds).unwrap_or(usize::MAX);
    let bar = progress::bar("simulation");
    let mut done = 0;
    let reports = batch(1..seeds + 1, &options, &mut |_| {
        done += 1;
        progress::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let failed = reports.iter().filter(|report| !report.passed()).count();
    let state = match failed {
        0 if reports.is_empty() => State::SetUpFailed,
        0 => State::Passed,
        _ => State::Failed,
    };
    Section {
        title: "Simulated networks".to_owned(),
        state,
        summary: format!(
            "{} of {} seeds converge, {} nodes and {} clients each; {} seeds ran twice",
            reports.len() - failed,
            reports.len(),
            options.nodes,
            options.clients,
            reports.iter().filter(|report| report.repeated).count(),
        ),
        score: None,
        share: None,
        seconds: started.elapsed().as_secs_f64(),
        columns: ["seeds", "all", "per seed"].map(str::to_owned).into(),
        rows: totals(&reports),
        tests: reports.iter().map(test).collect(),
        findings: reports.iter().filter_map(finding).collect(),
    }
}

/// Sums over all seeds, so that a reader sees that something happened.
fn totals(reports: &[SeedReport]) -> Vec<Row> {
    let done: Vec<_> = reports
        .iter()
        .filter_map(|report| report.report.as_ref())
        .collect();
    let row = |name: &str, count: &dyn Fn(&grove_sim::report::Report) -> u64| {
        let sum: u64 = done.iter().map(|report| count(report)).sum();
        let each = sum / (done.len() as u64).max(1);
        Row {
            state: if sum > 0 {
                State::Passed
            } else {
                State::Skipped
            },
            cells: vec![name.to_owned(), sum.to_string(), each.to_string()],
        }
    };
    vec![
        row("entries published", &|report| report.counts.published),
        row("steps refused", &|report| report.counts.refused),
        row("publications retried", &|report| report.counts.retried),
        row("links cut", &|report| report.counts.cuts),
        row("messages replicated", &|report| report.counts.messages),
        row("documents at the end", &|report| report.counts.documents),
        row("documents deleted", &|report| report.counts.deleted),
        row("simulated milliseconds", &|report| report.simulated_ms),
    ]
}

fn name(report: &SeedReport) -> String {
    format!("seed {}", report.seed)
}

fn test(report: &SeedReport) -> Test {
    Test {
        id: name(report),
        group: "simulation".to_owned(),
        state: finding(report).map_or(State::Passed, |finding| finding.state),
    }
}

fn finding(report: &SeedReport) -> Option<Finding> {
    let (state, what, evidence) = match &report.verdict {
        Verdict::Passed => return None,
        Verdict::Failed {
            invariant,
            difference,
        } => (
            State::Failed,
            format!("{invariant} does not hold"),
            vec![difference.clone()],
        ),
        Verdict::Diverged {
            event,
            first,
            second,
        } => (
            State::Failed,
            format!("two runs differ from event {event} on"),
            vec![format!("first  {first}"), format!("second {second}")],
        ),
        Verdict::Broken { cause } => (
            State::SetUpFailed,
            "the simulation broke".to_owned(),
            vec![cause.clone()],
        ),
    };
    Some(Finding {
        id: name(report),
        state,
        what,
        evidence,
        repeat: report.repeat.clone(),
    })
}
