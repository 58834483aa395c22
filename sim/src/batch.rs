//! Runs many seeds, each in a process of its own, and some of them twice.
//!
//! Decides which seeds run twice, what a child's end means, and that two runs of one seed with different
//! traces are a failure of their own kind. Leaves out printing: progress is the caller's.
//!
//! The child is the calling program itself: its `main` must call [`run_child_if_asked`] first.

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::faults::planted::PlantedBug;
use crate::plan::Plan;
use crate::report::{Outcome, Report, repeat_command};
use crate::run::{self, Options, Run};
use crate::trace::first_difference;
use grove_node::terminal::complain;

/// First argument of a child process; no user would type it.
const CHILD_ARGUMENT: &str = "__grove-sim-child";

/// A child that takes longer on the wall clock has hung.
const CHILD_TIME_MAX: Duration = Duration::from_secs(120);

/// How a batch is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// Nodes of each simulation.
    pub nodes: usize,
    /// Clients of each simulation.
    pub clients: usize,
    /// Child processes at a time, at least 1.
    pub jobs: usize,
    /// Every n-th seed is run twice and its traces compared; 0 for none.
    pub repeat_every: u64,
    /// A bug to put in; `None` outside tests.
    pub planted: Option<PlantedBug>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            nodes: run::NODES_DEFAULT,
            clients: run::CLIENTS_DEFAULT,
            jobs: 2,
            repeat_every: 10,
            planted: None,
        }
    }
}

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedReport {
    /// The seed.
    #[serde(with = "crate::decimal")]
    pub seed: u64,
    /// Whether it counts as passed, and if not why.
    pub verdict: Verdict,
    /// Whether the seed ran twice.
    pub repeated: bool,
    /// The run's own report; the first run's where there were two.
    pub report: Option<Report>,
    /// The command that repeats the seed.
    pub repeat: String,
}

/// How a seed ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Every invariant held, and a repetition had the same trace.
    Passed,
    /// An invariant did not hold.
    Failed {
        invariant: String,
        difference: String,
    },
    /// Two runs of the seed differ: the simulator itself is at fault.
    Diverged {
        event: usize,
        first: String,
        second: String,
    },
    /// The child could not set up, crashed or hung.
    Broken { cause: String },
}

impl SeedReport {
    /// Whether nothing was wrong.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

/// What a child is told, as JSON in its second argument.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    seed: u64,
    nodes: usize,
    clients: usize,
    planted: Option<PlantedBug>,
    trace: Option<PathBuf>,
}

/// Runs one simulation and returns its exit code when this process was started for that.
///
/// Every program that calls [`batch`] calls this first thing in `main`, before it starts threads.
pub fn run_child_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != CHILD_ARGUMENT {
        return None;
    }
    let request = arguments
        .next()
        .and_then(|text| text.into_string().ok())
        .unwrap_or_default();
    Some(match serde_json::from_str(&request) {
        Ok(request) => run_child(&request),
        Err(error) => {
            complain(format_args!("not a request: {error}"));
            ExitCode::from(2)
        }
    })
}

fn run_child(request: &Request) -> ExitCode {
    let Request {
        seed,
        nodes,
        clients,
        planted,
        ref trace,
    } = *request;
    let options = Options {
        planted,
        keep_trace: trace.is_some(),
    };
    let written = Plan::derive(seed, nodes, clients)
        .map_err(|error| error.to_string())
        .and_then(|plan| run::run(plan, options).map_err(|error| error.to_string()))
        .and_then(|run| write_results(&run, trace.as_deref()).map_err(|error| error.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            complain(cause);
            ExitCode::from(3)
        }
    }
}

fn write_results(run: &Run, trace: Option<&Path>) -> io::Result<()> {
    if let (Some(path), Some(lines)) = (trace, &run.lines) {
        std::fs::write(path, lines)?;
    }
    Ok(serde_json::to_writer(io::stdout(), &run.report)?)
}

/// Runs `seeds`, `jobs` at a time, and reports each as it ends; the result is in the order of the seeds.
///
/// # Panics
///
/// When `jobs` is 0.
pub fn batch(
    seeds: Range<u64>,
    options: &BatchOptions,
    progress: &mut dyn FnMut(&SeedReport),
) -> Vec<SeedReport> {
    assert!(options.jobs > 0, "somebody has to do the work");
    let next = AtomicU64::new(seeds.start);
    let (sender, receiver) = mpsc::channel();
    let mut reports = std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            let (sender, next, seeds) = (sender.clone(), &next, seeds.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // The receiver goes only when the caller's progress panicked.
                    if !seeds.contains(&seed) || sender.send(run_seed(seed, options)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        receiver
            .iter()
            .inspect(|report| progress(report))
            .collect::<Vec<SeedReport>>()
    });
    reports.sort_by_key(|report| report.seed);
    reports
}

fn run_seed(seed: u64, options: &BatchOptions) -> SeedReport {
    let BatchOptions {
        nodes,
        clients,
        repeat_every,
        planted,
        ..
    } = *options;
    let repeated = repeat_every > 0 && seed.is_multiple_of(repeat_every);
    let request = Request {
        seed,
        nodes,
        clients,
        planted,
        trace: None,
    };
    let result = if repeated {
        run_twice(&request)
    } else {
        run_process(&request).map(|report| (verdict(&report), report))
    };
    let (verdict, report) = match result {
        Ok((verdict, report)) => (verdict, Some(report)),
        Err(cause) => (Verdict::Broken { cause }, None),
    };
    SeedReport {
        seed,
        verdict,
        repeated,
        report,
        repeat: repeat_command(seed, nodes, clients, planted),
    }
}

fn verdict(report: &Report) -> Verdict {
    match report.outcome.clone() {
        Outcome::Ok => Verdict::Passed,
        Outcome::Failed {
            invariant,
            difference,
        } => Verdict::Failed {
            invariant,
            difference,
        },
    }
}

/// Runs a seed in two processes; different traces outweigh whatever the runs say.
fn run_twice(request: &Request) -> Result<(Verdict, Report), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let once = |name: &str| {
        let path = directory.path().join(name);
        let report = run_process(&Request {
            trace: Some(path.clone()),
            ..*request
        })?;
        let lines = std::fs::read(path).map_err(|error| error.to_string())?;
        Ok::<_, String>((report, lines))
    };
    let ((first, first_lines), (second, second_lines)) = (once("first")?, once("second")?);
    if let Some((event, first_text, second_text)) = first_difference(&first_lines, &second_lines) {
        let diverged = Verdict::Diverged {
            event,
            first: first_text,
            second: second_text,
        };
        return Ok((diverged, first));
    }
    assert_eq!(first.trace, second.trace, "equal events have equal hashes");
    Ok((verdict(&first), first))
}

fn run_process(request: &Request) -> Result<Report, String> {
    let text = serde_json::to_string(request).map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(program)
        .args([CHILD_ARGUMENT, &text])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the child did not start: {error}"))?;
    let (ok, output, errors) = wait(child).map_err(|error| error.to_string())?;
    if !ok {
        return Err(String::from_utf8_lossy(&errors).trim().to_owned());
    }
    serde_json::from_slice(&output)
        .map_err(|error| format!("the child's report is broken: {error}"))
}

/// Waits for a child's end and its output, and kills it at the time limit.
fn wait(mut child: Child) -> io::Result<(bool, Vec<u8>, Vec<u8>)> {
    let output = child.stdout.take().map(read_aside);
    let errors = child.stderr.take().map(read_aside);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > CHILD_TIME_MAX {
            child.kill()?;
            child.wait()?;
            return Ok((false, Vec::new(), b"the child hung and was killed".to_vec()));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let join = |reader: Option<std::thread::JoinHandle<Vec<u8>>>| {
        reader
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    };
    let mut errors = join(errors);
    if !status.success() && errors.is_empty() {
        errors = format!("the child ended with {status}").into_bytes();
    }
    Ok((status.success(), join(output), errors))
}

fn read_aside(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A broken pipe leaves what came before it; the parser then says what is missing.
        let _read = pipe.read_to_end(&mut bytes);
        bytes
    })
}
