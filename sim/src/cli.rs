//! The command line of `grove-sim`: arguments in, exit code out.
//!
//! Exit codes: 0 all invariants held, 1 one did not, 2 usage, 3 the run could not be set up.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::batch::{BatchOptions, SeedReport, Verdict, batch};
use crate::faults::planted::PlantedBug;
use crate::hosts::{CLIENTS, NODES};
use crate::plan::{Plan, PlanError};
use crate::report::Outcome;
use crate::run::{self, Options};
use grove_node::terminal::{complain, print, quote};

/// Longest plan that is read from standard input; far beyond what a plan may hold.
const PLAN_SIZE_MAX: u64 = 16 * 1024 * 1024;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const SET_UP_FAILED: u8 = 3;

/// Runs real p2panda nodes and clients through a simulated network, deterministically from a seed.
#[derive(Debug, Parser)]
#[command(name = "grove-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one seed and judge it.
    Run(RunArguments),
    /// Run many seeds, each in a process of its own, some of them twice.
    Batch(BatchArguments),
    /// Print what a seed will do, as JSON.
    Plan(Size),
}

#[derive(Clone, Copy, Debug, Args)]
struct Size {
    /// Seed of every choice.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    hosts: Hosts,
}

#[derive(Clone, Copy, Debug, Args)]
struct Hosts {
    /// Number of nodes.
    #[arg(long, default_value_t = run::NODES_DEFAULT, value_parser = in_range(NODES))]
    nodes: usize,
    /// Number of clients.
    #[arg(long, default_value_t = run::CLIENTS_DEFAULT, value_parser = in_range(CLIENTS))]
    clients: usize,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Seed of every choice.
    #[arg(long, required_unless_present = "plan")]
    seed: Option<u64>,
    #[command(flatten)]
    hosts: Hosts,
    /// Run the plan in this file, as `plan` prints it, instead of the plan of a seed; `-` reads it from
    /// standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "nodes", "clients"])]
    plan: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Write every event to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Put a bug in, to see an invariant fail.
    #[arg(long, hide = true)]
    planted_bug: Option<PlantedBug>,
}

#[derive(Debug, Args)]
struct BatchArguments {
    /// First seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 50)]
    count: u64,
    /// How many run at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: u64,
    /// Run every n-th seed twice and compare; 0 for none.
    #[arg(long, default_value_t = 10)]
    repeat_every: u64,
    #[command(flatten)]
    hosts: Hosts,
    /// Print the reports as a JSON array.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true)]
    planted_bug: Option<PlantedBug>,
}

/// Carries out the process's arguments.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run_one(&arguments),
        Command::Batch(arguments) => run_many(&arguments),
        Command::Plan(Size { seed, hosts }) => print_plan(seed, hosts),
    };
    result.unwrap_or_else(|error| {
        complain(format_args!("grove-sim: {error}"));
        ExitCode::from(if error.is::<PlanError>() {
            USAGE
        } else {
            SET_UP_FAILED
        })
    })
}

type CommandResult = Result<ExitCode, Box<dyn std::error::Error>>;

fn run_one(arguments: &RunArguments) -> CommandResult {
    let Hosts { nodes, clients } = arguments.hosts;
    let plan = match (&arguments.plan, arguments.seed) {
        (Some(path), _) => Plan::parse(&read_plan(path)?)?,
        (None, seed) => Plan::derive(seed.expect("required by the parser"), nodes, clients)?,
    };
    let keep_trace = arguments.trace.is_some();
    let mut run = run::run(
        plan,
        Options {
            planted: arguments.planted_bug,
            keep_trace,
        },
    )?;
    if let Some(path) = &arguments.plan {
        run.report.repeat = repeat_plan(path, arguments.planted_bug);
    }
    if let (Some(path), Some(lines)) = (&arguments.trace, &run.lines) {
        std::fs::write(path, lines)?;
    }
    if arguments.json {
        print_json(&run.report)?;
    } else {
        print(format_args!("{}\n", run.report))?;
    }
    Ok(exit_code(run.report.outcome == Outcome::Ok))
}

fn run_many(arguments: &BatchArguments) -> CommandResult {
    let BatchArguments {
        from,
        count,
        jobs,
        repeat_every,
        hosts,
        json,
        planted_bug: planted,
    } = *arguments;
    let Hosts { nodes, clients } = hosts;
    let jobs = usize::try_from(jobs)?;
    let options = BatchOptions {
        nodes,
        clients,
        jobs,
        repeat_every,
        planted,
    };
    let seeds = from..from.saturating_add(count);
    let mut printed = Ok(());
    let reports = batch(seeds, &options, &mut |report| {
        if !json && printed.is_ok() {
            printed = print(format_args!("{}\n", seed_line(report)));
        }
    });
    printed?;
    let failed = reports.iter().filter(|report| !report.passed()).count();
    if json {
        print_json(&reports)?;
    } else {
        print(format_args!("{} seeds, {failed} failed\n", reports.len()))?;
    }
    Ok(exit_code(failed == 0))
}

fn print_plan(seed: u64, Hosts { nodes, clients }: Hosts) -> CommandResult {
    print_json(&Plan::derive(seed, nodes, clients)?)?;
    Ok(ExitCode::SUCCESS)
}

/// One seed of a batch in one line, or three where something is wrong.
fn seed_line(report: &SeedReport) -> String {
    let SeedReport { seed, repeat, .. } = report;
    let problem = match &report.verdict {
        Verdict::Passed => {
            let twice = if report.repeated {
                ", twice the same"
            } else {
                ""
            };
            let trace = report
                .report
                .as_ref()
                .map_or("", |report| &report.trace.hash[..16]);
            return format!("seed {seed}: ok {trace}{twice}");
        }
        Verdict::Failed {
            invariant,
            difference,
        } => format!("{invariant}: {difference}"),
        Verdict::Diverged {
            event,
            first,
            second,
        } => {
            format!("two runs differ from event {event} on:\n    {first}\n    {second}")
        }
        Verdict::Broken { cause } => cause.clone(),
    };
    format!("seed {seed}: FAILED {problem}\n  repeat with: {repeat}")
}

fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    print(format_args!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The text of a plan; `-` is standard input.
fn read_plan(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() != "-" {
        let read = std::fs::read(path);
        return read
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())));
    }
    let mut text = Vec::new();
    io::stdin().take(PLAN_SIZE_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// The command that repeats the run of a plan.
fn repeat_plan(path: &Path, planted: Option<PlantedBug>) -> String {
    let bug = planted.map_or_else(String::new, |bug| format!(" {}", bug.argument()));
    let path = path.to_string_lossy();
    format!("grove-sim run --plan {}{bug}", quote(&path))
}

fn exit_code(ok: bool) -> ExitCode {
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

fn in_range(
    range: std::ops::RangeInclusive<usize>,
) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| {
        let number: usize = text.parse().map_err(|_| "not a number".to_owned())?;
        if range.contains(&number) {
            return Ok(number);
        }
        Err(format!(
            "must be within {} and {}",
            range.start(),
            range.end()
        ))
    }
}
