//! Commands, their arguments, and the exit codes they end with.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};

use crate::adapter::{self, impostor::Impostor};
use crate::report::waivers::{self, Waiver};
use crate::report::{Report, Section};
use crate::runner::{self, Command, Options};
use crate::suite::stats::Stats;
use crate::suite::{Ruleset, Suite, lint, store};
use crate::{check, generate, live, progress};

/// How long our own library may take for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How a command ended, as its exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything conforms.
    Conforms = 0,
    /// Something does not.
    Failures = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// Nothing could be judged, because the subject could not be set up.
    SetUpFailed = 3,
    /// A waiver has run out or no longer applies.
    WaiversStale = 4,
}

/// Judges p2panda libraries and nodes against the vectors and live suites.
#[derive(Debug, Parser)]
#[command(name = "grove-conformance", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Debug, Subcommand)]
enum Commands {
    /// Do the whole job: vectors, a live node of ours, simulated networks, one report.
    Check(CheckArgs),
    /// Run, make and examine the vectors.
    #[command(subcommand)]
    Vectors(Vectors),
    /// Judge running nodes.
    #[command(subcommand)]
    Node(NodeCommands),
    /// Speak the adapter protocol on stdin and stdout.
    #[command(subcommand)]
    Adapter(Adapters),
}

#[derive(Debug, Subcommand)]
enum Vectors {
    /// Ask an adapter every case.
    Run(RunArgs),
    /// Write the vectors anew.
    Generate {
        /// Write nothing; fail when a byte would change.
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        dir: Dir,
    },
    /// Hold the files to the promises of their format.
    Lint {
        #[command(flatten)]
        dir: Dir,
    },
    /// Count cases by kind and verdict.
    Stats {
        #[command(flatten)]
        dir: Dir,
    },
}

#[derive(Debug, Subcommand)]
enum NodeCommands {
    /// Run the live suite against the node at an address.
    Check {
        /// Address of its HTTP server.
        #[arg(long, value_name = "URL")]
        http: String,
        /// Seed of keys and names; a new one each time when absent.
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Networks to simulate.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// Folder for report.json and report.html.
    #[arg(long, value_name = "DIR", default_value = "target/grove-report")]
    report: PathBuf,
    #[command(flatten)]
    dir: Dir,
}

#[derive(Debug, Args)]
struct Output {
    /// Also write report.json and report.html into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Failures that are known and let go for a time: a JSON list of
    /// {case, reason, link, expires, fails}.
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Adapters {
    /// Answer for our own library.
    Serve,
    /// Answer like someone who knows nothing, to try the runner on.
    Impostor {
        /// In which manner.
        #[arg(value_enum)]
        manner: Impostor,
    },
}

#[derive(Debug, Args)]
struct Dir {
    /// Folder of the vectors [default: those of the source tree]
    #[arg(long = "vectors", value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Dir {
    fn path(&self) -> &Path {
        self.path
            .as_deref()
            .unwrap_or(Path::new(store::DEFAULT_DIR))
    }
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Command line of the adapter; our own library when absent.
    #[arg(long, value_name = "CMD")]
    adapter: Option<String>,
    /// Rules to judge by.
    #[arg(long, value_enum, default_value_t)]
    ruleset: Ruleset,
    /// Count a refusal for another reason than the expected one as a failure.
    #[arg(long)]
    strict: bool,
    /// Only cases whose id or kind matches, `*` standing for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Adapters to run side by side.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Seed of the order in which the cases are asked.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds an answer may take.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

/// Runs the command the arguments name.
pub fn main() -> ExitCode {
    let exit = match Cli::parse().command {
        Commands::Check(args) => check(&args),
        Commands::Vectors(command) => vectors(command),
        Commands::Node(command) => check_node(command),
        Commands::Adapter(command) => answer(&command),
    };
    ExitCode::from(exit.unwrap_or_else(|error| {
        eprintln!("grove-conformance: {error}");
        Exit::SetUpFailed
    }) as u8)
}

type Ended = Result<Exit, Box<dyn std::error::Error>>;

fn vectors(command: Vectors) -> Ended {
    match command {
        Vectors::Run(args) => run(args),
        Vectors::Generate { check: true, dir } => Ok(problems(
            &generate::differences(dir.path())?,
            "the vectors are as generated",
        )),
        Vectors::Generate { check: false, dir } => {
            let written = generate::write(dir.path())?;
            written.iter().for_each(|path| println!("{path}"));
            println!("{} files written", written.len());
            Ok(Exit::Conforms)
        }
        Vectors::Lint { dir } => Ok(problems(
            &lint::lint(dir.path())?,
            "nothing to complain about",
        )),
        Vectors::Stats { dir } => {
            print!("{}", Stats::of(&Suite::load(dir.path())?));
            Ok(Exit::Conforms)
        }
    }
}

fn problems(found: &[String], otherwise: &str) -> Exit {
    found.iter().for_each(|line| println!("{line}"));
    if found.is_empty() {
        println!("{otherwise}");
        Exit::Conforms
    } else {
        Exit::Failures
    }
}

fn run(args: RunArgs) -> Ended {
    let suite = Suite::load(args.dir.path())?;
    let command = match &args.adapter {
        Some(line) => Command::Shell(line.clone()),
        None => own_adapter()?,
    };
    let options = Options {
        command,
        ruleset: args.ruleset,
        only: args.only,
        jobs: args.jobs.into(),
        seed: args.seed,
        timeout: Duration::from_secs(args.timeout),
    };
    let again = again(&args.adapter, args.ruleset);
    let started = Instant::now();
    let mut report = Report::new("Vectors", describe(&suite));
    report
        .sections
        .push(vectors_section(&suite, &options, args.strict, &again));
    waive(&mut report, args.output.waivers.as_deref())?;
    finish(report, started, args.output.report.as_deref())
}

fn vectors_section(suite: &Suite, options: &Options, strict: bool, again: &str) -> Section {
    let started = Instant::now();
    let bar = progress::bar("vectors");
    let run = runner::run(suite, options, &|done, total| {
        progress::advance(&bar, done, total)
    });
    bar.finish_and_clear();
    match run {
        Ok(run) => Section::of_vectors(suite, &run, strict, started.elapsed().as_secs_f64(), again),
        Err(error) => Section::set_up_failed("Vectors", &error, again),
    }
}

fn check(args: &CheckArgs) -> Ended {
    let started = Instant::now();
    let suite = Suite::load(args.dir.path())?;
    let options = Options {
        command: own_adapter()?,
        ruleset: Ruleset::Spec,
        only: None,
        jobs: 2,
        seed: 1,
        timeout: ANSWER_TIME_MAX,
    };
    let mut report = Report::new("grove", describe(&suite));
    report.sections = vec![
        // Of ourselves we ask the right reason, not only the right verdict.
        vectors_section(&suite, &options, true, &again(&None, Ruleset::Spec)),
        check::live_section(fresh_seed()),
        check::simulation_section(args.seeds),
    ];
    finish(report, started, Some(&args.report))
}

/// The command that runs the vectors in the same way.
fn again(adapter: &Option<String>, ruleset: Ruleset) -> String {
    let adapter = adapter
        .as_ref()
        .map(|line| format!(" --adapter '{}'", line.replace('\'', r"'\''")))
        .unwrap_or_default();
    format!("grove-conformance vectors run{adapter} --ruleset {ruleset}")
}

/// Version and digest of a suite.
fn describe(suite: &Suite) -> String {
    format!(
        "{}, sha256 {}",
        suite.manifest.version, suite.manifest.digest
    )
}

fn check_node(NodeCommands::Check { http, seed, output }: NodeCommands) -> Ended {
    let started = Instant::now();
    let suite = format!("live, {}", env!("CARGO_PKG_VERSION"));
    let mut report = Report::new(format!("Node at {http}"), suite);
    report
        .sections
        .push(live_section(&http, seed.unwrap_or_else(fresh_seed)));
    waive(&mut report, output.waivers.as_deref())?;
    finish(report, started, output.report.as_deref())
}

/// Runs the live suite against the node at `http`.
pub fn live_section(http: &str, seed: u64) -> Section {
    let started = Instant::now();
    let again = format!("grove-conformance node check --http {http}");
    let bar = progress::bar("live node");
    let run = live::run(http, seed, &|done, total| {
        progress::advance(&bar, done, total)
    });
    bar.finish_and_clear();
    match run {
        Ok(run) => Section::of_live(&run, started.elapsed().as_secs_f64(), &again),
        Err(error) => Section::set_up_failed("Live node", &error, &again),
    }
}

/// A seed no other run has had: the node may be a shared one that keeps what it is told.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Lets go what the waiver file names.
fn waive(report: &mut Report, file: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = file else { return Ok(()) };
    let list: Vec<Waiver> = serde_json::from_slice(&store::read_bytes(path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    report.waive(&list, &waivers::date(days));
    Ok(())
}

/// Prints the report, writes its files, and tells the exit code.
fn finish(mut report: Report, started: Instant, dir: Option<&Path>) -> Ended {
    report.seconds = started.elapsed().as_secs_f64();
    print!("{}", report.to_text(progress::colour()));
    if let Some(dir) = dir {
        store::write(&dir.join("report.json"), report.to_json().as_bytes())?;
        let page = dir.join("report.html");
        store::write(&page, report.to_html().as_bytes())?;
        println!("report in {}", page.display());
    }
    Ok(report.exit())
}

/// The adapter over our own library: this very program.
pub fn own_adapter() -> io::Result<Command> {
    Ok(Command::Program(
        std::env::current_exe()?,
        vec!["adapter".to_owned(), "serve".to_owned()],
    ))
}

fn answer(command: &Adapters) -> Ended {
    let (stdin, stdout) = (io::stdin().lock(), io::stdout().lock());
    match command {
        Adapters::Serve => adapter::serve(stdin, stdout)?,
        Adapters::Impostor { manner } => adapter::impostor::serve(*manner, stdin, stdout)?,
    }
    Ok(Exit::Conforms)
}
