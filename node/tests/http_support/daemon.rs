//! The daemon as a process, and a directory for its data.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::{build, send};

/// How long a daemon that says nothing may take until it ends.
const END_LIMIT: Duration = Duration::from_secs(60);

/// A running daemon; killed when a test fails before it stopped it.
pub(crate) struct Daemon {
    pub child: Child,
    pub address: SocketAddr,
    pub banner: Vec<String>,
    /// What it writes to standard error, told with a test that fails.
    log: NamedTempFile,
}

impl Daemon {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::spawn(command(arguments))
    }

    /// Starts it with more than arguments.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let banner: Vec<String> = lines.take(5).map(Result::unwrap).collect();
        let address = banner.get(2).and_then(|line| {
            let (_, url) = line.split_once("http://")?;
            url.strip_suffix("/graphql")?.parse().ok()
        });
        let Some(address) = address else {
            panic!(
                "the daemon did not start: {}\n{}{}",
                end_of(&mut child),
                banner.join("\n"),
                std::fs::read_to_string(log.path()).unwrap()
            );
        };
        Self {
            child,
            address,
            banner,
            log,
        }
    }

    /// What other nodes know it by.
    pub(crate) fn peer_id(&self) -> String {
        let mut words = self.banner[4].split_whitespace();
        words.nth(1).unwrap().to_owned()
    }

    /// Where other nodes find it.
    pub(crate) fn peer_address(&self) -> SocketAddr {
        let mut words = self.banner[4].split_whitespace();
        words.nth(3).unwrap().parse().unwrap()
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    pub(crate) async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = send(self.address, build(Method::POST, "/graphql", body)).await;
        serde_json::from_str(response.body()).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.log());
        }
    }
}

/// How a daemon ended that is about to; killed when it is not.
fn end_of(child: &mut Child) -> String {
    let deadline = Instant::now() + END_LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.to_string();
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    let _ = child.wait();
    "it hung and was killed".to_owned()
}

/// The daemon with nothing set but what is told here, whoever runs the tests and wherever they lie.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-node"));
    let settings = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("GROVE_") || name.starts_with("AWS_")
    });
    for name in settings {
        command.env_remove(name);
    }
    command.args(arguments).env("TMPDIR", temporary());
    command
}

/// Where the daemon takes temporary files to belong: beside the directories of the tests, which a node
/// would not trust to last if they lay within.
pub(crate) fn temporary() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("temporary");
    std::fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A directory of this test's own, removed at its end.
pub(crate) struct Directory(
    pub PathBuf,
    #[allow(dead_code, reason = "removed with it")] TempDir,
);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(name)
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        // Not there yet: the daemon makes it.
        Self(folder.path().join("data"), folder)
    }

    pub(crate) fn arguments(&self) -> [&str; 4] {
        ["--http-port", "0", "--data-dir", self.0.to_str().unwrap()]
    }
}
