//! The daemon `grove-node`: settings in, a served node out, until a signal ends it. Or, with a command,
//! one thing done to a node's data.

mod signals;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use grove_node::admin::AdminCommand;
use grove_node::config::{Config, StartError};
use grove_node::daemon::{Daemon, administer};
use grove_node::terminal::{complain, print};
use serde_json::json;
use signals::Signals;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let config = Config::parse();
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(config.log_level))
        .with_writer(io::stderr)
        .with_ansi(is_colourful())
        // Where the log can't be written, the complaint could not be either, and it would end the thread that logs.
        .log_internal_errors(false)
        .init();
    match start(&config) {
        Ok(code) => code,
        Err(StartError::Refused { code, message }) if config.json => {
            let error = json!({ "error": { "code": code, "message": message } });
            // The exit code tells it too.
            let _ = print(format_args!("{error}\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(format_args!(
                "grove-node: {error}\n  hint: {}",
                error.hint()
            ));
            error.exit_code()
        }
    }
}

/// Whether somebody looks at the log and has not said that colours are unwanted (`NO_COLOR`). In files their
/// codes would stand as they are.
fn is_colourful() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !unwanted
}

fn start(config: &Config) -> Result<ExitCode, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match &config.command {
        Some(command) => runtime.block_on(perform(config, command)),
        None => runtime.block_on(run(config)).map(|()| ExitCode::SUCCESS),
    }
}

async fn perform(config: &Config, command: &AdminCommand) -> Result<ExitCode, StartError> {
    let report = administer(config, command).await?;
    let code = match report.is_damaged() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    };
    let written = if config.json {
        let report = serde_json::to_value(&report).unwrap_or_default();
        print(format_args!("{report}\n"))
    } else {
        print(report.to_text())
    };
    written.map(|()| code).map_err(StartError::Unheard)
}

/// Runs a node from its first to its last breath.
async fn run(config: &Config) -> Result<(), StartError> {
    let signal = Signals::listen()?;
    let daemon = Daemon::start(config).await?;
    announce(&daemon);
    daemon.run(signal.wait()).await;
    Ok(())
}

/// Tells that the node can be used from now on, and where.
fn announce(daemon: &Daemon) {
    let (kept, address) = (daemon.kept(), daemon.address());
    let peers = match daemon.peer_addresses() {
        [] => "none, it stays alone".to_owned(),
        addresses => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("{} at {}", daemon.peer_id(), addresses.join(" "))
        }
    };
    // Nobody reading is no reason to stop.
    let _ = print(format_args!(
        "grove-node {}\n  data      {kept}\n  GraphQL   http://{address}/graphql\n  JSON-RPC  http://{address}/\n  \
         peers     {peers}\n",
        env!("CARGO_PKG_VERSION"),
    ));
}
