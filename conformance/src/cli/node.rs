//! `node`: running nodes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use grove_node::terminal::{complain, print};

use super::{Dir, Ended, Output, describe, fresh_seed};
use crate::exit::Exit;
use crate::live::manifest::{self, Manifest, Started};
use crate::live::{self, Options, PROFILES, evidence, lifecycle};
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
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "manifest",
        conflicts_with = "manifest"
    )]
    http: Option<String>,
    /// Start the node that this manifest tells of, and judge it beside that by stopping and killing it.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
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
        transcripts: false,
    };
    let evidence = args.evidence.as_deref();
    let (subject, sections) = match (&args.http, &args.manifest) {
        (Some(http), _) => {
            let section = live_section(&suite, http, &options, evidence);
            (format!("Node at {http}"), vec![section])
        }
        (None, Some(path)) => {
            let manifest = Manifest::load(path)?;
            if let Some(code) = manifest::again_alone(&manifest)? {
                return Ok(Exit::of_code(code));
            }
            let sections = started_sections(&suite, &manifest, &options, evidence);
            (manifest.name, sections)
        }
        (None, None) => return Ok(Exit::Usage),
    };
    let mut report = Report::new(subject, describe(&suite));
    report.sections = sections;
    args.output.finish(report, started)
}

/// Starts the node, judges it at its doors, then by stopping and killing it.
fn started_sections(
    suite: &Suite,
    manifest: &Manifest,
    options: &Options,
    evidence: Option<&Path>,
) -> Vec<Section> {
    let began = Instant::now();
    let again = format!(
        "grove-conformance node check --manifest … --seed {}",
        options.seed
    );
    let dir = std::env::temp_dir().join(format!("grove-conformance-{}", std::process::id()));
    let mut node = match Started::start(manifest, &dir) {
        Ok(node) => node,
        Err(error) => return vec![Section::set_up_failed("Live node", &error, &again)],
    };
    let mut sections = vec![live_section(suite, &node.url(), options, evidence)];
    let whole = options.profiles.is_empty() && options.only.is_none();
    if whole && sections[0].state != crate::report::State::SetUpFailed {
        let records = lifecycle::run(&mut node, options);
        sections.push(Section::of_lifecycle(
            &records,
            began.elapsed().as_secs_f64(),
            &again,
        ));
    }
    if let Some(evidence) = evidence {
        // Where there is a log, it is part of the evidence.
        let _ = std::fs::create_dir_all(evidence);
        let _ = std::fs::copy(node.log(), evidence.join("node.log"));
    }
    node.stop();
    // What is left of a temporary folder is the system's to remove.
    let _ = std::fs::remove_dir_all(&dir);
    sections
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
