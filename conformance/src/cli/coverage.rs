//! `coverage`: which requirement is met where, and what shows it.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::{Dir, Ended, Output, describe};
use crate::coverage::{self, DEFAULT_ROOT};
use crate::report::{Format, Report, Section};
use crate::suite::store::Files;

#[derive(Debug, Args)]
pub(super) struct Tree {
    /// The source tree.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_ROOT)]
    tree: PathBuf,
    /// Short for `--format json`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(mut args: Tree, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let found = coverage::coverage(&args.tree, &suite)?;
    let mut report = Report::new("Requirements", describe(&suite));
    report.sections = vec![
        Section::of_requirements(&suite, &found, "grove-conformance coverage"),
        Section::of_rulings(&suite, &found),
    ];
    if args.json {
        args.output.format = Format::Json;
    }
    args.output.finish(report, started)
}
