//! The command line of `grove-sim`: arguments in, exit code out.
//!
//! Exit codes: 0 all invariants held, 1 one did not, 2 usage, 3 the run could not be set up.

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::Probe;
use crate::batch::{BatchOptions, SeedReport, Verdict, batch};
use crate::bundle::{Bundle, Repetition};
use crate::evidence::Finding;
use crate::explore::{ExploreOptions, Explored, explore};
use crate::faults::planted::PlantedBug;
use crate::hosts::{CLIENTS, NODES};
use crate::plan::{Plan, PlanError, Profile};
use crate::play::{Played, play, play_turned};
use crate::report::{Outcome, Report, millis};
use crate::run::{self, Options};
use crate::shrink::{items, shrink};
use crate::sweep::{Shard, SweepOptions, Swept, sweep};
use crate::view;
use grove_node::terminal::{complain, print, quote};

/// Longest plan that is read from standard input; far beyond what a plan may hold.
const PLAN_SIZE_MAX: u64 = 16 * 1024 * 1024;

/// How often a sweep tells how far it is.
const PROGRESS: Duration = Duration::from_secs(5);
/// Messages of a diagram, beyond which nobody reads it.
const MERMAID_MESSAGES: usize = 200;
/// How long exploring goes on where nobody says otherwise.
const EXPLORE_TIME: Duration = Duration::from_secs(60);

const FAILED: u8 = 1;
/// Two runs of one seed differ; usage has the same code, as everywhere.
const DIVERGED: u8 = 2;
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
    /// Run one seed or many and judge them.
    Run(RunArguments),
    /// Draw other futures from where something rare was met first.
    Explore(ExploreArguments),
    /// Run seeds twice and compare.
    CheckDeterminism(SweepArguments),
    /// Make the plan of a failure as small as it gets, and write it to a bundle.
    Shrink(ShrinkArguments),
    /// Run a bundle again: REPRODUCED, DIVERGED or FIXED.
    Repro(ReproArguments),
    /// Write a page to look at: a lane per host, messages, faults, the moment of the failure.
    View(ViewArguments),
    /// Write a run as other tools read it.
    Export(ExportArguments),
    /// Add up the results of the shards of a sweep.
    Merge(MergeArguments),
    /// Tell which rare states a sweep met, and which it never did.
    Coverage(SweepArguments),
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
    #[arg(long, required_unless_present_any = ["plan", "seeds"])]
    seed: Option<u64>,
    #[command(flatten)]
    sweep: SweepArguments,
    /// What carries the plan out: by default the fast engine where a profile is named or many seeds are run,
    /// or the plan asks for what only that can do.
    #[arg(long, value_enum)]
    engine: Option<EngineName>,
    #[command(flatten)]
    hosts: Hosts,
    /// Run the plan in this file, as `plan` prints it, instead of the plan of a seed; `-` reads it from
    /// standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds", "nodes", "clients"])]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EngineName {
    /// Engines and sessions, messages as events.
    Fast,
    /// The real shells on simulated TCP.
    Full,
}

/// Many seeds on the fast engine.
#[derive(Debug, Args)]
struct SweepArguments {
    /// Run these seeds on the fast engine, as in 0..1000.
    #[arg(long, value_name = "A..B", value_parser = read_range)]
    seeds: Option<Range<u64>>,
    /// The kind of trouble; without it each seed picks one.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Stop after so long, as in 60s.
    #[arg(long, value_name = "TIME", value_parser = read_seconds)]
    time: Option<Duration>,
    /// How many run at a time.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    jobs: u64,
    /// Run only the I-th of N parts of the seeds, I from 0 on.
    #[arg(long, value_name = "I/N", value_parser = read_shard)]
    shard: Option<Shard>,
    /// Run every n-th seed twice and compare; 0 for none.
    #[arg(long, default_value_t = 10)]
    twice_every: u64,
    /// Stop after so many failures.
    #[arg(long, default_value_t = 20)]
    failures_max: usize,
}

#[derive(Debug, Args)]
struct ExploreArguments {
    #[command(flatten)]
    sweep: SweepArguments,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Stop after so many runs.
    #[arg(long, default_value_t = u64::MAX)]
    runs_max: u64,
    /// Begin every run anew: the same bookkeeping without exploration, to compare with.
    #[arg(long)]
    random: bool,
}

#[derive(Debug, Args)]
struct ShrinkArguments {
    /// The seed of a failure.
    #[arg(long, required_unless_present = "plan")]
    seed: Option<u64>,
    /// Its profile.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// The plan of a failure.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// Stop after so long.
    #[arg(long, value_name = "TIME", value_parser = read_seconds, default_value = "30s")]
    time: Duration,
    /// Where to write the bundle.
    #[arg(long, short, value_name = "FILE", default_value = "failure.json")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct ReproArguments {
    /// The bundle; `-` reads it from standard input.
    bundle: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// A run to look at.
#[derive(Debug, Args)]
struct ShownRun {
    /// A bundle.
    #[arg(required_unless_present_any = ["seed", "plan"])]
    bundle: Option<PathBuf>,
    /// A seed of the fast engine.
    #[arg(long, conflicts_with = "bundle")]
    seed: Option<u64>,
    /// Its profile.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// A plan.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bundle", "seed"])]
    plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ViewArguments {
    #[command(flatten)]
    run: ShownRun,
    /// Where to write the page.
    #[arg(long, short, value_name = "FILE", default_value = "timeline.html")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct ExportArguments {
    #[command(flatten)]
    run: ShownRun,
    /// For which tool.
    #[arg(long, value_enum)]
    format: ExportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Events with vector clocks.
    Shiviz,
    /// Chrome's trace format.
    Perfetto,
    /// A sequence diagram of the first messages.
    Mermaid,
    /// The events as JSON lines.
    Json,
}

#[derive(Debug, Args)]
struct MergeArguments {
    /// Results that `run --seeds … --json` printed.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print the sum as JSON.
    #[arg(long)]
    json: bool,
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
        Command::Run(arguments) if arguments.sweep.seeds.is_some() => {
            run_sweep(&arguments.sweep, arguments.json)
        }
        Command::Run(arguments) => run_one(&arguments),
        Command::Explore(arguments) => run_explore(&arguments),
        Command::CheckDeterminism(arguments) => check_determinism(&arguments),
        Command::Shrink(arguments) => run_shrink(&arguments),
        Command::Repro(arguments) => repro(&arguments),
        Command::View(arguments) => view_run(&arguments),
        Command::Export(arguments) => export(&arguments),
        Command::Merge(arguments) => merge(&arguments),
        Command::Coverage(arguments) => coverage(&arguments),
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
        (None, seed) => {
            let seed = seed.expect("required by the parser");
            match (arguments.sweep.profile, arguments.engine) {
                (None, None | Some(EngineName::Full)) => Plan::derive(seed, nodes, clients)?,
                (profile, _) => Plan::swarm(seed, profile),
            }
        }
    };
    let wants_fast = plan.profile.is_some() || plan.check_for_full().is_err();
    match arguments.engine {
        Some(EngineName::Full) => plan.check_for_full()?,
        Some(EngineName::Fast) => return run_fast(&plan, arguments),
        None if wants_fast => return run_fast(&plan, arguments),
        None => {}
    }
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

/// Runs a plan on the fast engine.
fn run_fast(plan: &Plan, arguments: &RunArguments) -> CommandResult {
    let started = std::time::Instant::now();
    let played = play(plan, arguments.trace.is_some());
    if let (Some(path), Some(lines)) = (&arguments.trace, &played.lines) {
        std::fs::write(path, lines)?;
    }
    let mut report = fast_report(plan, played);
    report.wall_ms = millis(started.elapsed());
    if let Some(path) = &arguments.plan {
        report.repeat = repeat_plan(path, arguments.planted_bug);
    }
    if arguments.json {
        print_json(&report)?;
    } else {
        print(format_args!("{report}\n"))?;
    }
    Ok(exit_code(report.outcome == Outcome::Ok))
}

fn fast_report(plan: &Plan, played: Played) -> Report {
    let outcome = match played.found {
        None => Outcome::Ok,
        Some(found) => Outcome::Failed {
            invariant: found.invariant,
            difference: found.difference,
        },
    };
    Report {
        seed: plan.seed,
        nodes: plan.nodes,
        clients: plan.clients,
        outcome,
        counts: played.counts,
        simulated_ms: played.simulated_us / 1_000,
        wall_ms: 0,
        trace: played.digest,
        repeat: repeat_seed(plan.seed, plan.profile),
    }
}

/// The command that repeats a seed of a sweep.
fn repeat_seed(seed: u64, profile: Option<Profile>) -> String {
    let profile = profile.and_then(|profile| profile.to_possible_value());
    let profile = profile.map_or_else(String::new, |profile| {
        format!(" --profile {}", profile.get_name())
    });
    format!("grove-sim run --engine fast --seed {seed}{profile}")
}

fn sweep_options(arguments: &SweepArguments) -> Result<SweepOptions, Box<dyn std::error::Error>> {
    Ok(SweepOptions {
        seeds: arguments.seeds.clone().unwrap_or(0..1_000),
        profile: arguments.profile,
        time_max: arguments.time,
        jobs: usize::try_from(arguments.jobs)?,
        shard: arguments.shard.unwrap_or(Shard::WHOLE),
        twice_every: arguments.twice_every,
        failures_max: arguments.failures_max,
    })
}

fn run_sweep(arguments: &SweepArguments, json: bool) -> CommandResult {
    let options = sweep_options(arguments)?;
    let mut told = std::time::Instant::now();
    let swept = sweep(&options, &mut |swept| {
        if !json && told.elapsed() >= PROGRESS {
            told = std::time::Instant::now();
            complain(format_args!("{}", sweep_line(swept)));
        }
    });
    show_sweep(&swept, json)
}

fn show_sweep(swept: &Swept, json: bool) -> CommandResult {
    if json {
        print_json(swept)?;
    } else {
        for failure in &swept.failures {
            let Finding {
                invariant,
                difference,
                ..
            } = &failure.finding;
            let repeat = repeat_seed(failure.seed, failure.profile);
            print(format_args!(
                "seed {}: FAILED {invariant}: {difference}\n  repeat with: {repeat}\n",
                failure.seed
            ))?;
        }
        for seed in &swept.diverged {
            print(format_args!("seed {seed}: two runs differ\n"))?;
        }
        print(format_args!("{}\n", sweep_line(swept)))?;
    }
    Ok(
        match (swept.failures.is_empty(), swept.diverged.is_empty()) {
            (false, _) => ExitCode::from(FAILED),
            (true, false) => ExitCode::from(DIVERGED),
            (true, true) => ExitCode::SUCCESS,
        },
    )
}

fn sweep_line(swept: &Swept) -> String {
    let wall = swept.wall_s.max(1e-9);
    format!(
        "{} seeds ({:.0}/s), {} twice, {:.0} × real time, {:.0} messages/s, {} faults, {} restarts, {} probes met, {} failed, {} differed",
        swept.seeds,
        swept.seeds as f64 / wall,
        swept.twice,
        swept.simulated_s / wall,
        swept.messages as f64 / wall,
        swept.faults,
        swept.restarts,
        swept.probes.len(),
        swept.failures.len(),
        swept.diverged.len(),
    )
}

/// The plan of a run that is shown, and the run.
fn shown_run(run: &ShownRun) -> Result<(Plan, Played), Box<dyn std::error::Error>> {
    if let Some(path) = &run.bundle {
        let bundle = Bundle::parse(&read_plan(path)?)?;
        let played = play_turned(&bundle.plan, &bundle.turns, true);
        return Ok((bundle.plan, played));
    }
    let plan = match (&run.plan, run.seed) {
        (Some(path), _) => Plan::parse(&read_plan(path)?)?,
        (None, seed) => Plan::swarm(seed.unwrap_or_default(), run.profile),
    };
    let played = play(&plan, true);
    Ok((plan, played))
}

fn view_run(arguments: &ViewArguments) -> CommandResult {
    let (plan, played) = shown_run(&arguments.run)?;
    let lines = played.lines.unwrap_or_default();
    let page = view::page(&plan, played.found.as_ref(), &lines, &played.drawn);
    std::fs::write(&arguments.output, page)?;
    print(format_args!("{}\n", arguments.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn export(arguments: &ExportArguments) -> CommandResult {
    let (plan, played) = shown_run(&arguments.run)?;
    let lines = played.lines.unwrap_or_default();
    let text = match arguments.format {
        ExportFormat::Shiviz => view::shiviz(&lines),
        ExportFormat::Perfetto => view::perfetto(&lines),
        ExportFormat::Mermaid => view::mermaid(&plan, &lines, MERMAID_MESSAGES),
        ExportFormat::Json => String::from_utf8(lines)?,
    };
    print(format_args!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn run_explore(arguments: &ExploreArguments) -> CommandResult {
    let sweep = sweep_options(&arguments.sweep)?;
    let options = ExploreOptions {
        seeds: sweep.seeds,
        profile: sweep.profile,
        time_max: sweep.time_max.unwrap_or(EXPLORE_TIME),
        runs_max: arguments.runs_max,
        failures_max: sweep.failures_max,
        branches: !arguments.random,
    };
    let mut told = std::time::Instant::now();
    let explored = explore(&options, &mut |explored| {
        if !arguments.json && told.elapsed() >= PROGRESS {
            told = std::time::Instant::now();
            complain(format_args!("{}", explore_line(explored)));
        }
    });
    if arguments.json {
        print_json(&explored)?;
    } else {
        for recipe in &explored.failures {
            let Finding {
                invariant,
                difference,
                ..
            } = &recipe.finding;
            print(format_args!(
                "run {}: FAILED {invariant}: {difference}\n",
                recipe.run
            ))?;
            let path = format!("failure-{}-{}.json", recipe.seed, recipe.run);
            let plan = Plan::swarm(recipe.seed, recipe.profile);
            if let Some(bundle) = Bundle::of(plan.clone(), recipe.turns.clone(), plan) {
                std::fs::write(&path, serde_json::to_vec_pretty(&bundle)?)?;
                print(format_args!("  repeat with: grove-sim repro {path}\n"))?;
            }
        }
        print(format_args!("{}\n", explore_line(&explored)))?;
    }
    Ok(exit_code(explored.failures.is_empty()))
}

fn explore_line(explored: &Explored) -> String {
    format!(
        "{} runs ({} from kept worlds, {:.0}/s), {} probes, {} pairs of probes, {} failed",
        explored.runs,
        explored.branched,
        explored.runs as f64 / explored.wall_s.max(1e-9),
        explored.probes,
        explored.pairs,
        explored.failures.len()
    )
}

fn check_determinism(arguments: &SweepArguments) -> CommandResult {
    let options = SweepOptions {
        twice_every: 1,
        ..sweep_options(arguments)?
    };
    let swept = sweep(&options, &mut |_| ());
    print(format_args!(
        "{} seeds ran twice, {} differed: {:?}\n",
        swept.twice,
        swept.diverged.len(),
        swept.diverged
    ))?;
    Ok(match swept.diverged.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(DIVERGED),
    })
}

fn run_shrink(arguments: &ShrinkArguments) -> CommandResult {
    let original = match (&arguments.plan, arguments.seed) {
        (Some(path), _) => Plan::parse(&read_plan(path)?)?,
        (None, seed) => Plan::swarm(seed.expect("required by the parser"), arguments.profile),
    };
    let Some(finding) = play(&original, false).found else {
        print(format_args!("nothing fails\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    let started = std::time::Instant::now();
    let shrunk = shrink(&original, &finding, arguments.time);
    let (before, after, runs) = (items(&original), shrunk.items(), shrunk.runs);
    let plan = shrunk.plan;
    let bundle = Bundle::of(plan, Vec::new(), original).expect("it has just failed");
    std::fs::write(&arguments.output, serde_json::to_vec_pretty(&bundle)?)?;
    let path = arguments.output.to_string_lossy();
    print(format_args!(
        "{}: {}\nfrom {before} items to {after} in {runs} runs and {:.1} s{}\nrepeat with: grove-sim repro {}\n",
        bundle.finding.invariant,
        bundle.finding.difference,
        started.elapsed().as_secs_f64(),
        if shrunk.is_cut_short {
            ", there was no time for more"
        } else {
            ""
        },
        quote(&path)
    ))?;
    Ok(ExitCode::from(FAILED))
}

fn repro(arguments: &ReproArguments) -> CommandResult {
    let bundle = match Bundle::parse(&read_plan(&arguments.bundle)?) {
        Ok(bundle) => bundle,
        Err(error) => {
            complain(format_args!("grove-sim: {error}"));
            return Ok(ExitCode::from(USAGE));
        }
    };
    let repetition = bundle.repeat();
    let (invariant, difference) = (&bundle.finding.invariant, &bundle.finding.difference);
    if arguments.json {
        print_json(&repetition)?;
    } else {
        match &repetition {
            Repetition::Reproduced => {
                print(format_args!("REPRODUCED {invariant}: {difference}\n"))?;
            }
            Repetition::Fixed => print(format_args!("FIXED {invariant}: {difference}\n"))?,
            Repetition::Diverged {
                event,
                expected,
                happened,
                finding,
            } => {
                let found = finding.as_ref().map_or("", |found| &found.invariant);
                print(format_args!(
                    "DIVERGED at {event}, and fails {found}\n  then {expected}\n  now  {happened}\n"
                ))?;
            }
        }
    }
    Ok(match repetition {
        Repetition::Fixed => ExitCode::SUCCESS,
        Repetition::Reproduced => ExitCode::from(FAILED),
        Repetition::Diverged { .. } => ExitCode::from(DIVERGED),
    })
}

fn merge(arguments: &MergeArguments) -> CommandResult {
    let mut sum = Swept::default();
    for path in &arguments.files {
        let part: Swept = serde_json::from_slice(&read_plan(path)?)?;
        sum.merge(part);
    }
    show_sweep(&sum, arguments.json)
}

fn coverage(arguments: &SweepArguments) -> CommandResult {
    let swept = sweep(&sweep_options(arguments)?, &mut |_| ());
    for probe in Probe::ALL {
        let count = swept.probes.get(probe.name()).copied().unwrap_or(0);
        print(format_args!(
            "{count:>10}  {:<22} {}\n",
            probe.name(),
            probe.what()
        ))?;
    }
    let missed = Probe::ALL.len() - swept.probes.len();
    print(format_args!(
        "{} seeds met {} of {} rare states, {missed} never\n",
        swept.seeds,
        swept.probes.len(),
        Probe::ALL.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn read_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("not of the form A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (from, to) = (number(from)?, number(to)?);
    if from < to {
        Ok(from..to)
    } else {
        Err("there are no seeds in it".to_owned())
    }
}

fn read_shard(text: &str) -> Result<Shard, String> {
    let (number, of) = text.split_once('/').ok_or("not of the form I/N")?;
    let read = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (number, of) = (read(number)?, read(of)?);
    if number < of {
        Ok(Shard { number, of })
    } else {
        Err("I counts from 0 on and is less than N".to_owned())
    }
}

fn read_seconds(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let count: u64 = digits.parse().map_err(|_| "not a time such as 60s or 5m")?;
    Ok(Duration::from_secs(count.saturating_mul(unit)))
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
