//! Starts the published aquadoggo node as a process, so that grove-node can be tried against the real thing.
//!
//! Decides nothing about a test: ports, folder and kind of node are told on the command line, and it runs until it is
//! killed. The node listens on all addresses, which can't be changed: run it in a network namespace of its own.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use aquadoggo::{Configuration, NetworkConfiguration, Node, Transport};
use log::{LevelFilter, Log, Metadata, Record};
use p2panda_rs::identity::KeyPair;

const USAGE: &str = "usage: grove-peer-aquadoggo FOLDER HTTP_PORT NODE_PORT [tcp] [relay] [direct=HOST:PORT] [relay=HOST:PORT]";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(configuration) = configuration(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // What it says of itself, for whoever looks into a test that fails.
    let level = env::var("GROVE_PEER_LOG").ok();
    let level = level.and_then(|level| level.parse().ok());
    let _ = log::set_boxed_logger(Box::new(ToStderr));
    log::set_max_level(level.unwrap_or(LevelFilter::Off));
    let node = Node::start(KeyPair::new(), configuration).await;
    println!("started");
    tokio::select! {
        () = node.on_exit() => ExitCode::FAILURE,
        _ = tokio::signal::ctrl_c() => {
            node.shutdown().await;
            ExitCode::SUCCESS
        }
    }
}

struct ToStderr;

impl Log for ToStderr {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("aquadoggo")
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            eprintln!("{} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {}
}

/// What the arguments ask for.
fn configuration(arguments: &[String]) -> Option<Configuration> {
    let [folder, http_port, node_port, options @ ..] = arguments else {
        return None;
    };
    let blobs = PathBuf::from(folder).join("blobs");
    // The node stops at the first blob where the folder is missing.
    std::fs::create_dir_all(&blobs).ok()?;
    let mut network = NetworkConfiguration {
        port: node_port.parse().ok()?,
        mdns: false,
        ..NetworkConfiguration::default()
    };
    for option in options {
        match (option.as_str(), option.split_once('=')) {
            ("tcp", _) => network.transport = Transport::TCP,
            ("relay", _) => network.relay_mode = true,
            (_, Some(("direct", address))) => {
                network
                    .direct_node_addresses
                    .push(address.to_owned().into());
            }
            (_, Some(("relay", address))) => {
                network.relay_addresses.push(address.to_owned().into());
            }
            _ => return None,
        }
    }
    Some(Configuration {
        database_url: format!("sqlite:{folder}/db.sqlite3"),
        http_port: http_port.parse().ok()?,
        blobs_base_path: blobs,
        network,
        ..Configuration::default()
    })
}
