//! The command line: which commands there are, and the exit codes they end with.
//!
//! One module per family of commands; what several of them share stands here. Nothing is decided
//! here but what to print and where to write it.

mod adapter;
mod case;
mod check;
mod coverage;
mod mutants;
mod node;
mod report;
mod results;
mod vectors;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand};
use grove_node::terminal::{complain, print};

use crate::exit::Exit;
use crate::progress;
use crate::report::waivers::{self, Waiver};
use crate::report::{Format, Report};
use crate::runner::Command;
use crate::suite::store::Files;
use crate::suite::{Suite, SuiteError, store};

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
    Check(check::Whole),
    /// Run, make and examine the vectors.
    #[command(subcommand)]
    Vectors(vectors::Vectors),
    /// Judge running nodes.
    #[command(subcommand)]
    Node(node::Nodes),
    /// Break every rule of our library, one at a time, and count what the vectors notice.
    Mutants(mutants::Breaking),
    /// Explain one case, or ask an adapter just that one.
    Case(case::OneCase),
    /// Show where each requirement is met and what shows it.
    Coverage(coverage::Tree),
    /// Run everything that can be run here, and write the page that is published.
    Results(results::Published),
    /// Print a saved report in another form.
    Report(report::Saved),
    /// Speak the adapter protocol on stdin and stdout.
    #[command(subcommand)]
    Adapter(adapter::Adapters),
}

/// What a command comes to; an error means that nothing could be judged.
type Ended = Result<Exit, Box<dyn std::error::Error>>;

/// Runs the command the arguments name; `vectors` are those that the program carries along.
pub fn main(vectors: Files<'static>) -> ExitCode {
    let ended = match Cli::parse().command {
        Commands::Check(args) => check::run(&args, vectors),
        Commands::Vectors(command) => vectors::run(command, vectors),
        Commands::Node(command) => node::run(command, vectors),
        Commands::Mutants(args) => mutants::run(args, vectors),
        Commands::Case(args) => case::run(&args, vectors),
        Commands::Coverage(args) => coverage::run(args, vectors),
        Commands::Results(args) => results::run(&args, vectors),
        Commands::Report(args) => report::run(&args),
        Commands::Adapter(command) => adapter::run(&command, vectors),
    };
    ExitCode::from(ended.unwrap_or_else(|error| {
        complain(format_args!("grove-conformance: {error}"));
        Exit::SetUpFailed
    }) as u8)
}

/// Where the vectors are.
#[derive(Debug, Args)]
struct Dir {
    /// Folder of other vectors than those of this program.
    #[arg(long = "vectors", value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Dir {
    /// The vectors to work with.
    fn suite(&self, own: Files<'_>) -> Result<Suite, SuiteError> {
        match &self.path {
            Some(path) => Suite::load(path),
            None => Suite::of_files(own),
        }
    }

    /// Whether the vectors of the source tree are meant.
    fn is_of_the_tree(&self) -> bool {
        self.path.is_none()
    }

    /// The folder to write to or to look through: that of the source tree unless told otherwise.
    fn folder(&self) -> Result<&Path, String> {
        let path = self.path.as_deref();
        let path = path.unwrap_or(Path::new(store::DEFAULT_DIR));
        let there = path.join("manifest.json").exists();
        there.then_some(path).ok_or_else(|| {
            let path = path.display();
            format!("there are no vectors in {path}; name their folder by --vectors DIR")
        })
    }
}

/// What becomes of a report.
#[derive(Debug, Args)]
struct Output {
    /// Also write the report in every form into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Form in which the report is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Failures that are known and let go for a time: a JSON list of
    /// {case, reason, link, expires, fails}.
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
}

impl Output {
    /// Applies the waivers, prints and writes the report, and tells the exit code.
    fn finish(&self, mut report: Report, started: Instant) -> Ended {
        if let Some(path) = &self.waivers {
            let list: Vec<Waiver> = serde_json::from_slice(&store::read_bytes(path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
            report.waive(&list, &waivers::date(days));
        }
        report.seconds = started.elapsed().as_secs_f64();
        show(&report, self.format)?;
        if let Some(dir) = &self.report {
            write_all(&report, dir)?;
        }
        Ok(report.exit())
    }
}

/// Prints the report; a terminal's form gets the colours of a terminal.
fn show(report: &Report, format: Format) -> io::Result<()> {
    match format {
        Format::Text => print(report.to_text(progress::colour())),
        other => print(other.render(report)),
    }
}

/// Writes the report in every form there is into the folder `dir`.
fn write_all(report: &Report, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for format in Format::ALL {
        let path = dir.join(format.file_name());
        store::write(&path, format.render(report).as_bytes())?;
    }
    // Stdout may be in a form for programs.
    let page = dir.join(Format::Html.file_name());
    complain(format_args!("report in {}", page.display()));
    Ok(())
}

/// The adapter over our own library: this very program.
pub fn own_adapter() -> io::Result<Command> {
    Ok(Command::Program(
        std::env::current_exe()?,
        vec!["adapter".to_owned(), "serve".to_owned()],
    ))
}

/// The adapter of a command line, or our own when none is given.
fn adapter_of(line: Option<&str>) -> io::Result<Command> {
    line.map_or_else(own_adapter, |line| Ok(Command::Shell(line.to_owned())))
}

/// Version and digest of a suite.
fn describe(suite: &Suite) -> String {
    format!(
        "{}, sha256 {}",
        suite.manifest.version, suite.manifest.digest
    )
}

/// A seed no other run has had: the node may be a shared one that keeps what it is told.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
