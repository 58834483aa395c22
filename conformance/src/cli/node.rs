//! `node`: running nodes.

use std::time::Instant;

use clap::Subcommand;
use grove_node::terminal::quote;

use super::{Ended, Output, fresh_seed};
use crate::report::{Report, Section};
use crate::{live, progress};

#[derive(Debug, Subcommand)]
pub(super) enum Nodes {
    /// Run the live suite against the node at an address.
    Check {
        /// Address of its HTTP server.
        #[arg(long, value_name = "URL")]
        http: String,
        /// Seed of keys and names; a new one each time when absent.
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
}

pub(super) fn run(Nodes::Check { http, seed, output }: Nodes) -> Ended {
    let started = Instant::now();
    let suite = format!("live, {}", env!("CARGO_PKG_VERSION"));
    let mut report = Report::new(format!("Node at {http}"), suite);
    report
        .sections
        .push(live_section(&http, seed.unwrap_or_else(fresh_seed)));
    output.finish(report, started)
}

/// Runs the live suite against the node at `http`.
pub(super) fn live_section(http: &str, seed: u64) -> Section {
    let started = Instant::now();
    let again = format!("grove-conformance node check --http {}", quote(http));
    let bar = progress::bar("live node");
    let run = live::run(http, seed, &|done, total| {
        progress::advance(&bar, done, total)
    });
    bar.finish_and_clear();
    match run {
        Ok(run) => Section::of_live(&run, started.elapsed().as_secs_f64(), &again),
        Err(error) => Section::set_up_failed("Live node", &error, &again),
    }
}
