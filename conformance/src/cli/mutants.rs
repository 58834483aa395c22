//! `mutants`: how much the vectors notice.

use std::time::Instant;

use clap::Args;

use super::{Dir, Ended, Output, describe};
use crate::mutants::{self, Options};
use crate::progress;
use crate::report::{Report, Section};
use crate::suite::store::Files;

/// The command to do it again.
const AGAIN: &str = "cargo run --release -p grove-conformance --features mutants -- mutants";

#[derive(Debug, Args)]
pub(super) struct Breaking {
    /// Only mutants whose name matches, `*` standing for anything.
    #[arg(long, value_name = "GLOB")]
    only: Option<String>,
    /// Share of mutants that must be killed.
    #[arg(long, value_name = "PERCENT", default_value_t = 95, value_parser = clap::value_parser!(u8).range(..=100))]
    min: u8,
    /// Mutants to ask side by side.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: Breaking, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let options = Options {
        program: std::env::current_exe()?,
        only: args.only,
        jobs: args.jobs.into(),
    };
    let bar = progress::bar("mutants");
    let measurement = mutants::measure(&suite, &options, &|done, total| {
        progress::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let measurement = measurement?;
    let seconds = started.elapsed().as_secs_f64();
    let mut report = Report::new("Vectors against rule mutants", describe(&suite));
    report.sections = vec![
        Section::of_mutants(&measurement, args.min, seconds, AGAIN),
        Section::of_guarded_requirements(&measurement),
    ];
    args.output.finish(report, started)
}
