//! `grove key`: making a private key, and showing the public one.

use clap::Subcommand;
use grove_client::keys::{self, KeyFileError};

use super::Common;
use super::error::CliError;
use super::output::Output;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draw a new private key into a new file
    New,
    /// Show the public key
    Show,
}

pub(super) fn run(common: &Common, command: &Command) -> Result<Output, CliError> {
    let path = common.key_path()?;
    let key_pair = match command {
        // What is at a former place is as much a key as any: a new one would silently take its place.
        Command::New if path.exists() => return Err(KeyFileError::Exists(path).into()),
        Command::New => {
            let key_pair = keys::generate()?;
            keys::save(&path, &key_pair)?;
            key_pair
        }
        Command::Show => keys::load(&path)?,
    };
    Ok(Output::pairs(&[
        ("publicKey", &key_pair.public_key()),
        ("file", &path.display()),
    ]))
}
