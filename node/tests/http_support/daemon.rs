//! The daemon as a process, and a directory for its data.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hyper::Method;
use serde_json::{Value, json};

use super::{build, send};

/// A running daemon; killed when a test fails before it stopped it.
pub struct Daemon {
    pub child: Child,
    pub address: SocketAddr,
    pub banner: Vec<String>,
}

impl Daemon {
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(command(arguments))
    }

    /// Starts it with more than arguments.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let banner: Vec<String> = lines.take(4).map(Result::unwrap).collect();
        let url = banner[2].split_once("http://").unwrap().1;
        let address = url.strip_suffix("/graphql").unwrap().parse().unwrap();
        Self {
            child,
            address,
            banner,
        }
    }

    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let response = send(self.address, build(Method::POST, "/graphql", body)).await;
        serde_json::from_str(response.body()).unwrap()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-node"));
    command
        .args(arguments)
        .env_remove("GROVE_DATA_DIR")
        .env_remove("GROVE_BLOBS_URL")
        .env_remove("GROVE_DATABASE_URL")
        .env_remove("GROVE_HTTP_PORT");
    command
}

pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A directory of this test's own, removed at its end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn arguments(&self) -> [&str; 4] {
        ["--http-port", "0", "--data-dir", self.0.to_str().unwrap()]
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
