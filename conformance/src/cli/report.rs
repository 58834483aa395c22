//! `report`: a saved report in another form.

use std::path::PathBuf;

use clap::Args;

use super::{Ended, show};
use crate::report::{Format, Report};
use crate::suite::store;

#[derive(Debug, Args)]
pub(super) struct Saved {
    /// A report.json.
    file: PathBuf,
    /// Form in which it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Ends as the run ended that left the report.
pub(super) fn run(args: &Saved) -> Ended {
    let report = Report::from_json(&store::read_bytes(&args.file)?)
        .map_err(|error| format!("{}: {error}", args.file.display()))?;
    show(&report, args.format)?;
    Ok(report.exit())
}
