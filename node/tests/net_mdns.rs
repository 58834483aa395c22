//! Nodes that find each other in a local network without being told of each other, on one host and on two, each
//! of them a network namespace, with a cable between them.
#![cfg(all(target_os = "linux", feature = "net"))]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "engine/support.rs"]
#[allow(dead_code, reason = "authors are used, engines are not")]
mod authors;
mod http_support;
mod namespace;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use authors::{Author, fields, note_schema, text};
use http_support::daemon::{Daemon, Directory, command, run};
use http_support::encoded;
use serde_json::Value;

/// How long it may take until all know each other. Nodes ask when they start, and every half minute.
const MEETING_MAX: Duration = Duration::from_secs(45);

/// A cable, of which both ends are on this host for now.
const CABLE: &str = "ip link add here type veth peer name there
    ip address add 10.77.0.1/24 dev here
    ip link set here up";

const PUBLISH: &str = "mutation P($entry: String!, $operation: String!) {
    publish(entry: $entry, operation: $operation) { seqNum } }";

/// Another host at the other end of the cable.
struct Host(Child);

impl Host {
    fn new() -> Self {
        let sleeping = Command::new("unshare")
            .args(["--net", "sleep", "600"])
            .spawn();
        let host = Self(sleeping.unwrap());
        let network = |process: &str| Path::new("/proc").join(process).join("ns/net").read_link();
        let begun = Instant::now();
        while network(&host.process()).ok() == network("self").ok() {
            assert!(begun.elapsed() < MEETING_MAX, "there is no other host");
            std::thread::sleep(Duration::from_millis(10));
        }
        let moved = Command::new("ip")
            .args(["link", "set", "there", "netns", &host.process()])
            .status();
        assert!(moved.unwrap().success());
        let setup = "ip link set lo up
            ip address add 10.77.0.2/24 dev there
            ip link set there up";
        let mut ready = host.on(Path::new("sh"));
        assert!(ready.args(["-e", "-c", setup]).status().unwrap().success());
        host
    }

    fn process(&self) -> String {
        self.0.id().to_string()
    }

    /// A program that is to run there.
    fn on(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target", &self.process()])
            .arg(program);
        command
    }

    /// The daemon, running there.
    fn start(&self, directory: &Directory) -> Daemon {
        let here = command(&arguments(directory));
        let mut there = self.on(&PathBuf::from(here.get_program()));
        there.args(here.get_args());
        for (name, value) in here.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        Daemon::spawn(there)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn arguments(directory: &Directory) -> Vec<&str> {
    let network = ["--node-host", "0.0.0.0", "--node-port", "0"];
    directory.arguments().into_iter().chain(network).collect()
}

/// The peers a node is connected with, and how many entries came from them.
fn connected(directory: &Directory) -> (Vec<String>, u64) {
    let path = directory.0.to_str().unwrap();
    let output = run(&["--data-dir", path, "--json", "peers"]);
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let peers = report["peers"].as_array().unwrap().iter();
    let connected: Vec<_> = peers.filter(|peer| peer["state"] == "connected").collect();
    let name = |peer: &&Value| peer["peer"].as_str().unwrap().to_owned();
    let received = |peer: &&Value| peer["entries_received"].as_u64().unwrap();
    let names = connected.iter().map(name).collect();
    (names, connected.iter().map(received).sum())
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < MEETING_MAX, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nodes_of_one_network_find_each_other() {
    if namespace::runs_elsewhere("nodes_of_one_network_find_each_other", CABLE) {
        return;
    }
    let directories = ["mdns-one", "mdns-two", "mdns-away"].map(Directory::new);
    let [first, second, third] = &directories;
    let host = Host::new();
    let one = Daemon::start(&arguments(first));
    let two = Daemon::start(&arguments(second));
    let away = host.start(third);

    let names = [&one, &two, &away].map(Daemon::peer_id);
    for directory in &directories {
        let knows_both = || {
            let (known, _) = connected(directory);
            known.len() == 2 && known.iter().all(|name| names.contains(name))
        };
        wait_until("all know each other", knows_both).await;
    }
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    let create = author.create(&note, fields(&[("text", text("over the cable"))]));
    let published = definitions.iter().chain([&create]);
    let count = published.clone().count() as u64;
    for submission in published {
        let answer = one.graphql(PUBLISH, encoded(submission)).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
    }
    for directory in [second, third] {
        wait_until("entries came", || connected(directory).1 >= count).await;
    }
}
