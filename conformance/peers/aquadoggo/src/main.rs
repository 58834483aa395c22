//! Starts the published aquadoggo node as a process, so that grove-node can be tried against the real thing.
//!
//! Decides nothing about a test: ports, folder and kind of node are told on the command line, and it runs until it is
//! killed. The node listens on all addresses, which can't be changed: run it in a network namespace of its own.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use aquadoggo::{Configuration, NetworkConfiguration, Node, Transport};
use p2panda_rs::identity::KeyPair;

const USAGE: &str = "usage: grove-peer-aquadoggo FOLDER HTTP_PORT NODE_PORT [tcp] [relay] [direct=HOST:PORT] [relay=HOST:PORT]";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(configuration) = configuration(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
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

/// What the arguments ask for.
fn configuration(arguments: &[String]) -> Option<Configuration> {
    let [folder, http_port, node_port, options @ ..] = arguments else {
        return None;
    };
    let folder = PathBuf::from(folder);
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
                network.direct_node_addresses.push(address.to_owned().into());
            }
            (_, Some(("relay", address))) => {
                network.relay_addresses.push(address.to_owned().into());
            }
            _ => return None,
        }
    }
    Some(Configuration {
        database_url: format!("sqlite:{}", folder.join("db.sqlite3").display()),
        http_port: http_port.parse().ok()?,
        blobs_base_path: folder.join("blobs"),
        network,
        ..Configuration::default()
    })
}
