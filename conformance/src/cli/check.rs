//! `check`: the whole job.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Dir, Ended, describe, fresh_seed, node, own_adapter, vectors, write_all};
use crate::check;
use crate::live;
use crate::report::{Format, Report, Terms};
use crate::runner::{Options, Required};
use crate::suite::Ruleset;
use crate::suite::store::Files;

/// How long our own library may take for an answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// What we ask of our own library.
const WHOLE: Terms = Terms {
    strict: true,
    required: Required::All,
};

#[derive(Debug, Args)]
pub(super) struct Whole {
    /// Networks to simulate.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// Folder for the report in all its forms.
    #[arg(long, value_name = "DIR", default_value = "target/grove-report")]
    report: PathBuf,
    #[command(flatten)]
    dir: Dir,
}

pub(super) fn run(args: &Whole, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
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
        // Of ourselves we ask the right reason, not only the right verdict, and leave nothing out.
        vectors::section(&suite, &options, &WHOLE, None),
        // A node of our own may be sent everything.
        check::live_section(|url| {
            let options = live::Options {
                hazardous: true,
                ..live::Options::new(fresh_seed())
            };
            let evidence = args.report.join("evidence");
            node::live_section(&suite, url, &options, Some(&evidence))
        }),
        check::simulation_section(args.seeds),
    ];
    report.seconds = started.elapsed().as_secs_f64();
    super::show(&report, Format::Text)?;
    write_all(&report, &args.report)?;
    Ok(report.exit())
}
