//! `adapter`: the near end of the adapter protocol.

use std::io;

use clap::Subcommand;

use super::{Ended, Exit};
use crate::adapter::{self, impostor::Impostor};

#[derive(Debug, Subcommand)]
pub enum Adapters {
    /// Answer for our own library.
    Serve,
    /// Answer like someone who knows nothing, to try the runner on.
    Impostor {
        /// In which manner.
        #[arg(value_enum)]
        manner: Impostor,
    },
}

pub fn run(command: &Adapters) -> Ended {
    let (stdin, stdout) = (io::stdin().lock(), io::stdout().lock());
    match command {
        Adapters::Serve => adapter::serve(stdin, stdout)?,
        Adapters::Impostor { manner } => adapter::impostor::serve(*manner, stdin, stdout)?,
    }
    Ok(Exit::Conforms)
}
