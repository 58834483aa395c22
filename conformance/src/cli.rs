//! Commands, their arguments, and the exit codes they end with.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::adapter::{self, impostor::Impostor};
use crate::generate;
use crate::runner::{self, Command, Options};
use crate::suite::stats::Stats;
use crate::suite::{Ruleset, Suite, lint, store};

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
    /// Run, make and examine the vectors.
    #[command(subcommand)]
    Vectors(Vectors),
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
    /// Folder of the vectors.
    #[arg(long = "vectors", value_name = "DIR", default_value = store::DEFAULT_DIR)]
    path: PathBuf,
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
}

/// Runs the command the arguments name.
pub fn main() -> ExitCode {
    let exit = match Cli::parse().command {
        Commands::Vectors(command) => vectors(command),
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
            &generate::differences(&dir.path)?,
            "the vectors are as generated",
        )),
        Vectors::Generate { check: false, dir } => {
            let written = generate::write(&dir.path)?;
            written.iter().for_each(|path| println!("{path}"));
            println!("{} files written", written.len());
            Ok(Exit::Conforms)
        }
        Vectors::Lint { dir } => Ok(problems(
            &lint::lint(&dir.path)?,
            "nothing to complain about",
        )),
        Vectors::Stats { dir } => {
            print!("{}", Stats::of(&Suite::load(&dir.path)?));
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
    let suite = Suite::load(&args.dir.path)?;
    let command = match args.adapter {
        Some(line) => Command::Shell(line),
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
    let run = runner::run(&suite, &options, &|_, _| {})?;
    for record in run
        .records
        .iter()
        .filter(|r| r.outcome != runner::Outcome::Strong)
    {
        println!("{}: {}", record.id, record.outcome.headline());
    }
    println!(
        "{} strong of {}",
        run.count(|o| *o == runner::Outcome::Strong),
        run.records.len()
    );
    Ok(if run.conforms() {
        Exit::Conforms
    } else {
        Exit::Failures
    })
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
