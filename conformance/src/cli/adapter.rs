//! `adapter`: the near end of the adapter protocol.

use std::io;

use clap::{Args, Subcommand};

use super::{Ended, Exit};
use crate::adapter::{self, impostor::Impostor};

#[derive(Debug, Subcommand)]
pub enum Adapters {
    /// Answer for our own library.
    Serve(Serving),
    /// Answer like someone who knows nothing, to try the runner on.
    Impostor {
        /// In which manner.
        #[arg(value_enum)]
        manner: Impostor,
    },
}

/// How our own library serves.
#[derive(Debug, Args)]
pub struct Serving {
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

pub fn run(command: &Adapters) -> Ended {
    let (stdin, stdout) = (io::stdin().lock(), io::stdout().lock());
    match command {
        Adapters::Serve(serving) => {
            serving.break_rule();
            adapter::serve(stdin, stdout)?;
        }
        Adapters::Impostor { manner } => adapter::impostor::serve(*manner, stdin, stdout)?,
    }
    Ok(Exit::Conforms)
}

#[cfg(feature = "mutants")]
fn mutant(name: &str) -> Result<grove_core::mutant::Mutant, String> {
    grove_core::mutant::Mutant::named(name).ok_or_else(|| format!("there is no mutant {name:?}"))
}
