//! `vectors`: running, making and examining the vectors.

use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};

use super::{Dir, Ended, Output, adapter_of, describe};
use crate::exit::Exit;
use crate::report::{Report, Section};
use crate::runner::{self, Options, Run, RunError, Selection, batch};
use crate::suite::stats::Stats;
use crate::suite::{Ruleset, Suite, lint};
use crate::{generate, progress};

#[derive(Debug, Subcommand)]
pub enum Vectors {
    /// Ask an adapter every case.
    Run(RunArgs),
    /// Print the questions, for an adapter that reads a file.
    Ask {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        dir: Dir,
    },
    /// Judge a file of answers to the questions that `ask` prints with the same arguments.
    Judge {
        /// The answers, one JSON object a line; `-` reads them from standard input.
        answers: PathBuf,
        /// Count a refusal for another reason than the expected one as a failure.
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        dir: Dir,
        #[command(flatten)]
        output: Output,
    },
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

/// Which cases are asked, by which rules and in which order.
#[derive(Debug, Args)]
pub struct Choice {
    /// Rules to judge by.
    #[arg(long, value_enum, default_value_t)]
    ruleset: Ruleset,
    /// Only cases whose id or kind matches, `*` standing for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Seed of the order in which the cases are asked.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Choice {
    fn selection(&self) -> Selection {
        Selection {
            ruleset: self.ruleset,
            only: self.only.clone(),
            seed: self.seed,
        }
    }
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Command line of the adapter; our own library when absent.
    #[arg(long, value_name = "CMD")]
    adapter: Option<String>,
    /// Count a refusal for another reason than the expected one as a failure.
    #[arg(long)]
    strict: bool,
    /// Adapters to run side by side.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Seconds an answer may take.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

pub fn run(command: Vectors) -> Ended {
    match command {
        Vectors::Run(args) => ask_adapter(args),
        Vectors::Ask { choice, dir } => ask(&Suite::load(dir.path())?, &choice.selection()),
        Vectors::Judge {
            answers,
            strict,
            choice,
            dir,
            output,
        } => judge(&answers, strict, &choice.selection(), &dir, &output),
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

fn ask_adapter(args: RunArgs) -> Ended {
    let started = Instant::now();
    let suite = Suite::load(args.dir.path())?;
    let options = Options {
        command: adapter_of(args.adapter.as_deref())?,
        ruleset: args.choice.ruleset,
        only: args.choice.only,
        jobs: args.jobs.into(),
        seed: args.choice.seed,
        timeout: Duration::from_secs(args.timeout),
    };
    let mut report = Report::new("Vectors", describe(&suite));
    report.sections.push(section(
        &suite,
        &options,
        args.strict,
        args.adapter.as_deref(),
    ));
    args.output.finish(report, started)
}

/// Runs the vectors; `adapter` is the command line to repeat it with, ours when absent.
pub fn section(suite: &Suite, options: &Options, strict: bool, adapter: Option<&str>) -> Section {
    let started = Instant::now();
    let bar = progress::bar("vectors");
    let run = runner::run(suite, options, &|done, total| {
        progress::advance(&bar, done, total)
    });
    bar.finish_and_clear();
    of_run(
        suite,
        run,
        strict,
        started,
        &again(adapter, options.ruleset),
    )
}

fn of_run(
    suite: &Suite,
    run: Result<Run, RunError>,
    strict: bool,
    started: Instant,
    again: &str,
) -> Section {
    match run {
        Ok(run) => Section::of_vectors(suite, &run, strict, started.elapsed().as_secs_f64(), again),
        Err(error) => Section::set_up_failed("Vectors", &error, again),
    }
}

/// The command that runs the vectors in the same way.
pub fn again(adapter: Option<&str>, ruleset: Ruleset) -> String {
    let adapter = adapter_argument(adapter);
    let ruleset = match ruleset {
        Ruleset::Spec => String::new(),
        other => format!(" --ruleset {other}"),
    };
    format!("grove-conformance vectors run{adapter}{ruleset}")
}

/// The argument that names an adapter, quoted for the shell.
pub fn adapter_argument(line: Option<&str>) -> String {
    line.map(|line| format!(" --adapter '{}'", line.replace('\'', r"'\''")))
        .unwrap_or_default()
}

fn ask(suite: &Suite, selection: &Selection) -> Ended {
    let mut out = io::stdout().lock();
    for line in batch::questions(suite, selection)? {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Conforms)
}

fn judge(
    answers: &std::path::Path,
    strict: bool,
    selection: &Selection,
    dir: &Dir,
    output: &Output,
) -> Ended {
    let started = Instant::now();
    let suite = Suite::load(dir.path())?;
    let run = if answers.as_os_str() == "-" {
        batch::judge(&suite, selection, io::stdin().lock())
    } else {
        let file = std::fs::File::open(answers)
            .map_err(|error| format!("{}: {error}", answers.display()))?;
        batch::judge(&suite, selection, BufReader::new(file))
    };
    let again = format!(
        "grove-conformance vectors ask --ruleset {}",
        selection.ruleset
    );
    let mut report = Report::new("Vectors", describe(&suite));
    report
        .sections
        .push(of_run(&suite, run, strict, started, &again));
    output.finish(report, started)
}
