//! `node`: running nodes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use grove_node::terminal::{complain, print};

use super::{Dir, Ended, Output, describe, fresh_seed};
use crate::exit::Exit;
use crate::live::{self, Options, PROFILES, evidence};
use crate::progress;
use crate::report::{Report, Section};
use crate::suite::store::Files;
use crate::suite::{Ruleset, Suite};

#[derive(Debug, Subcommand)]
pub(super) enum Nodes {
    /// Find out which doors the node at an address has, and judge what comes out of them.
    Check(Box<Checked>),
    /// List the live cases.
    Cases {
        #[command(flatten)]
        dir: Dir,
    },
    /// Send the requests of an evidence folder to a node once more, and compare the answers.
    Replay {
        /// Folder of one case.
        folder: PathBuf,
        /// Address of the node's HTTP server.
        #[arg(long, value_name = "URL")]
        http: String,
    },
}

/// Which node, and by which rules.
#[derive(Debug, Args)]
pub(super) struct Judged {
    /// Seed of keys, names and order; a new one each time when absent.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Rules to judge by; when absent `spec` for nodes of grove's kind, `wire-0.9` for others.
    #[arg(long, value_enum)]
    pub ruleset: Option<Ruleset>,
}

#[derive(Debug, Args)]
pub(super) struct Checked {
    /// Address of its HTTP server.
    #[arg(long, value_name = "URL")]
    http: String,
    #[command(flatten)]
    judged: Judged,
    /// Profiles to judge; every one that the node has when absent.
    #[arg(long = "profile", value_name = "NAME", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(PROFILES))]
    profiles: Vec<String>,
    /// Only cases whose id matches, `*` standing for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Also send what is known to harm deployed nodes. Only to a node of your own.
    #[arg(long)]
    hazardous: bool,
    /// Write a folder for each case that does not end well into this one.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(command: Nodes, own: Files<'_>) -> Ended {
    match command {
        Nodes::Check(args) => check(*args, own),
        Nodes::Cases { dir } => list(&dir.suite(own)?),
        Nodes::Replay { folder, http } => replay(&folder, &http),
    }
}

fn check(args: Checked, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let options = Options {
        seed: args.judged.seed.unwrap_or_else(fresh_seed),
        ruleset: args.judged.ruleset,
        profiles: args.profiles,
        only: args.only,
        hazardous: args.hazardous,
    };
    let mut report = Report::new(format!("Node at {}", args.http), describe(&suite));
    let section = live_section(&suite, &args.http, &options, args.evidence.as_deref());
    report.sections.push(section);
    args.output.finish(report, started)
}

/// Runs the live suite against the node at `http`, and leaves evidence where that is wanted.
pub(super) fn live_section(
    suite: &Suite,
    http: &str,
    options: &Options,
    evidence: Option<&Path>,
) -> Section {
    let started = Instant::now();
    let again = format!(
        "grove-conformance node check --http {} --seed {}",
        grove_node::terminal::quote(http),
        options.seed
    );
    let bar = progress::bar("live node");
    let run = live::run(http, suite, options, &|done, total| {
        progress::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let run = match run {
        Ok(run) => run,
        Err(error) => return Section::set_up_failed("Live node", &error, &again),
    };
    if let Some(dir) = evidence {
        match evidence::write(&run, &describe(suite), dir) {
            Ok(folders) if folders.is_empty() => {}
            Ok(_) => complain(format_args!("evidence in {}", dir.display())),
            Err(error) => complain(format_args!("no evidence in {}: {error}", dir.display())),
        }
    }
    Section::of_live(&run, started.elapsed().as_secs_f64())
}

fn list(suite: &Suite) -> Ended {
    let lines: String = live::all_cases(suite)
        .iter()
        .map(|case| format!("{:<12} {:<50} {}\n", case.profile, case.id, case.title))
        .collect();
    print(lines)?;
    Ok(Exit::Conforms)
}

fn replay(folder: &Path, http: &str) -> Ended {
    let replayed = evidence::replay(folder, http)?;
    let mut text = String::new();
    for (index, one) in replayed.iter().enumerate() {
        let word = if one.is_same() { "same" } else { "differs" };
        text += &format!("{} {word}\n{}\n", index + 1, one.now.told(2000));
        if !one.is_same() {
            text += &format!("before → {:?}\n{}\n", one.before.status, one.before.answer);
        }
    }
    print(text)?;
    let same = replayed.iter().all(evidence::Replayed::is_same);
    Ok(if same { Exit::Conforms } else { Exit::Failures })
}
