//! `adapter`: the near end of the adapter protocol, and help for those who write one.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use grove_node::terminal::{print, program, quote};

use super::{Dir, Ended, Output, adapter_of, describe};
use crate::adapter::impostor::Impostor;
use crate::adapter::template::{self, Language};
use crate::adapter::{self, checklist};
use crate::exit::Exit;
use crate::report::Report;
use crate::suite::store::Files;

#[derive(Debug, Subcommand)]
pub(super) enum Adapters {
    /// Answer for our own library.
    Serve(Serving),
    /// See whether an adapter speaks the protocol, point by point.
    Check(CheckArgs),
    /// Write an adapter to start from.
    New {
        /// Language it is written in.
        #[arg(long, value_enum)]
        lang: Language,
        /// Folder it is put into.
        dir: PathBuf,
    },
    /// Answer like someone who knows nothing, to try the runner on.
    Impostor {
        /// In which manner.
        #[arg(value_enum)]
        manner: Impostor,
    },
}

/// How our own library serves.
#[derive(Debug, Args)]
pub(super) struct Serving {
    /// Rule to break first, to see what notices.
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME", value_parser = mutant)]
    mutant: Option<grove_core::mutant::Mutant>,
}

impl Serving {
    fn break_rule(&self) {
        #[cfg(feature = "mutants")]
        if let Some(mutant) = self.mutant {
            grove_core::mutant::activate(mutant);
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Command line of the adapter; our own library when absent.
    #[arg(long, value_name = "CMD")]
    adapter: Option<String>,
    /// Seconds an answer may take.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(command: &Adapters, own: Files<'_>) -> Ended {
    match command {
        Adapters::Serve(serving) => {
            serving.break_rule();
            adapter::serve(io::stdin().lock(), io::stdout().lock())?;
        }
        Adapters::Impostor { manner } => {
            adapter::impostor::serve(*manner, io::stdin().lock(), io::stdout().lock())?;
        }
        Adapters::Check(args) => return check(args, own),
        Adapters::New { lang, dir } => {
            let mut lines: Vec<_> = template::write(*lang, dir)?
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let adapter = lang.command(dir);
            let (program, adapter) = (program("grove-conformance"), quote(&adapter));
            lines.extend([
                "\nIt answers varu64.decode. See for yourself, then go on with the next kind:"
                    .to_owned(),
                format!("  {program} adapter check --adapter {adapter}"),
                format!("  {program} vectors run --adapter {adapter}"),
            ]);
            print(lines.join("\n") + "\n")?;
        }
    }
    Ok(Exit::Conforms)
}

#[cfg(feature = "mutants")]
fn mutant(name: &str) -> Result<grove_core::mutant::Mutant, String> {
    grove_core::mutant::Mutant::named(name).ok_or_else(|| format!("there is no mutant {name:?}"))
}

fn check(args: &CheckArgs, own: Files<'_>) -> Ended {
    let started = Instant::now();
    let suite = args.dir.suite(own)?;
    let command = adapter_of(args.adapter.as_deref())?;
    let again = format!(
        "grove-conformance adapter check{}",
        super::vectors::adapter_argument(args.adapter.as_deref())
    );
    let timeout = Duration::from_secs(args.timeout);
    let mut report = Report::new("Adapter", describe(&suite));
    report
        .sections
        .push(checklist::checklist(&suite, &command, timeout, &again));
    args.output.finish(report, started)
}
