//! `vectors`: running, making and examining the vectors.

use std::io::{self, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use grove_node::terminal::{complain, print, quote};

use super::{Dir, Ended, Output, adapter_of, describe};
use crate::exit::Exit;
use crate::report::{Report, Section, Terms};
use crate::runner::{self, Options, Required, Run, RunError, Selection, batch};
use crate::suite::stats::Stats;
use crate::suite::store::Files;
use crate::suite::{Ruleset, Suite, carried, lint};
use crate::{generate, progress};

#[derive(Debug, Subcommand)]
pub(super) enum Vectors {
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
    Judge(JudgeArgs),
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
pub(super) struct Choice {
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
pub(super) struct RunArgs {
    /// Command line of the adapter; our own library when absent.
    #[arg(long, value_name = "CMD")]
    adapter: Option<String>,
    #[command(flatten)]
    demands: Demands,
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

#[derive(Debug, Args)]
pub(super) struct JudgeArgs {
    /// The answers, one JSON object a line; `-` reads them from standard input.
    answers: PathBuf,
    #[command(flatten)]
    demands: Demands,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

/// What is asked beside right verdicts.
#[derive(Debug, Args)]
pub(super) struct Demands {
    /// Count a refusal for another reason than the expected one as a failure.
    #[arg(long)]
    strict: bool,
    /// Kinds of which nothing may be left out: `offered` (those the adapter says it knows), `core` (what
    /// reading and writing documents takes), `all`, or a list with commas.
    #[arg(long, value_name = "KINDS", default_value = "offered")]
    require: Required,
}

impl Demands {
    fn terms(&self) -> Terms {
        Terms {
            strict: self.strict,
            required: self.require.clone(),
        }
    }
}

pub(super) fn run(command: Vectors, own: Files<'_>) -> Ended {
    match command {
        Vectors::Run(args) => ask_adapter(args, own),
        Vectors::Ask { choice, dir } => ask(&dir.suite(own)?, &choice.selection()),
        Vectors::Judge(args) => judge(&args, own),
        Vectors::Generate { check: true, dir } => {
            let mut wrong = generate::differences(dir.folder()?)?;
            if dir.is_of_the_tree() && !carried::is_current(dir.folder()?)? {
                wrong.push(carried::LIST.to_owned());
            }
            problems(&wrong, "the vectors are as generated")
        }
        Vectors::Generate { check: false, dir } => {
            let mut lines = generate::write(dir.folder()?)?;
            if dir.is_of_the_tree() && !carried::is_current(dir.folder()?)? {
                carried::write_list(dir.folder()?)?;
                lines.push(carried::LIST.to_owned());
            }
            lines.push(format!("{} files written\n", lines.len()));
            print(lines.join("\n"))?;
            Ok(Exit::Conforms)
        }
        // Half of the checks would not be worth the name.
        Vectors::Lint { .. } if cfg!(not(feature = "lint")) => {
            eprintln!("grove-conformance was built without its feature lint");
            eprintln!("  hint: cargo run -p grove-conformance --features lint -- vectors lint");
            Ok(Exit::SetUpFailed)
        }
        Vectors::Lint { dir } => problems(&lint::lint(dir.folder()?)?, "nothing to complain about"),
        Vectors::Stats { dir } => {
            print(Stats::of(&dir.suite(own)?))?;
            Ok(Exit::Conforms)
        }
    }
}

fn problems(found: &[String], otherwise: &str) -> Ended {
    if found.is_empty() {
        print(format_args!("{otherwise}\n"))?;
        return Ok(Exit::Conforms);
    }
    print(found.join("\n") + "\n")?;
    Ok(Exit::Failures)
}

fn ask_adapter(args: RunArgs, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let terms = args.demands.terms();
    if let Some(exit) = refuse_unknown(&suite, &terms) {
        return Ok(exit);
    }
    let options = Options {
        command: adapter_of(args.adapter.as_deref())?,
        ruleset: args.choice.ruleset,
        only: args.choice.only,
        jobs: args.jobs.into(),
        seed: args.choice.seed,
        timeout: Duration::from_secs(args.timeout),
    };
    let mut report = Report::new("Vectors", describe(&suite));
    report
        .sections
        .push(section(&suite, &options, &terms, args.adapter.as_deref()));
    args.output.finish(report, started)
}

/// Runs the vectors; `adapter` is the command line to repeat it with, ours when absent.
pub(super) fn section(
    suite: &Suite,
    options: &Options,
    terms: &Terms,
    adapter: Option<&str>,
) -> Section {
    let started = Instant::now();
    let bar = progress::bar("vectors");
    let run = runner::run(suite, options, &|done, total| {
        progress::advance(&bar, done, total)
    });
    bar.finish_and_clear();
    of_run(suite, run, terms, started, &again(adapter, options.ruleset))
}

fn of_run(
    suite: &Suite,
    run: Result<Run, RunError>,
    terms: &Terms,
    started: Instant,
    again: &str,
) -> Section {
    match run {
        Ok(run) => Section::of_vectors(suite, &run, terms, started.elapsed().as_secs_f64(), again),
        Err(error) => Section::set_up_failed("Vectors", &error, again),
    }
}

/// The command that runs the vectors in the same way.
pub(super) fn again(adapter: Option<&str>, ruleset: Ruleset) -> String {
    let adapter = adapter_argument(adapter);
    let ruleset = match ruleset {
        Ruleset::Spec => String::new(),
        other => format!(" --ruleset {other}"),
    };
    format!("grove-conformance vectors run{adapter}{ruleset}")
}

/// The argument that names an adapter, quoted for the shell.
pub(super) fn adapter_argument(line: Option<&str>) -> String {
    line.map(|line| format!(" --adapter {}", quote(line)))
        .unwrap_or_default()
}

fn ask(suite: &Suite, selection: &Selection) -> Ended {
    let questions = batch::questions(suite, selection)?;
    let lines: String = questions.iter().map(|line| format!("{line}\n")).collect();
    print(lines)?;
    Ok(Exit::Conforms)
}

fn judge(args: &JudgeArgs, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let (selection, terms) = (args.choice.selection(), args.demands.terms());
    if let Some(exit) = refuse_unknown(&suite, &terms) {
        return Ok(exit);
    }
    let answers = &args.answers;
    let run = if answers.as_os_str() == "-" {
        batch::judge(&suite, &selection, io::stdin().lock())
    } else {
        let file = std::fs::File::open(answers)
            .map_err(|error| format!("{}: {error}", answers.display()))?;
        batch::judge(&suite, &selection, BufReader::new(file))
    };
    let again = format!(
        "grove-conformance vectors ask --ruleset {}",
        selection.ruleset
    );
    let mut report = Report::new("Vectors", describe(&suite));
    let section = of_run(&suite, run, &terms, started, &again);
    report.sections.push(section);
    args.output.finish(report, started)
}

/// Names what is required and is no kind, if anything.
fn refuse_unknown(suite: &Suite, terms: &Terms) -> Option<Exit> {
    let unknown = terms.required.unknown(suite);
    if unknown.is_empty() {
        return None;
    }
    complain(format_args!(
        "grove-conformance: --require names no kind: {}",
        unknown.join(", ")
    ));
    Some(Exit::Usage)
}
