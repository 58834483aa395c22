//! The published JavaScript clients, unmodified, against the daemon: in Node.js and in a browser.
//!
//! What they publish and how it has to read back is in `real_clients/`. Here is what they need: a
//! fresh node, the packages at their locked versions, a time limit. Where Node.js, npm or a browser is
//! not installed, the tests say so and pass; with `CI=true` they fail.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::NamedTempFile;

/// Beyond the minute that the scripts allow a browser, so that they can tell what kept it.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(90);

/// Longer, since it may have to fetch packages.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long to wait for the last words of a killed program, whose children may still hold the line.
const KILLED_TIMEOUT: Duration = Duration::from_secs(1);

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn p2panda_js_publishes_and_reads_back() {
    if packages_are_there() {
        let node = Daemon::start();
        run_script(&["scenario.js", "p2panda-js", &node.url("/graphql")]);
    }
}

#[test]
fn shirokuma_publishes_and_reads_back() {
    if packages_are_there() {
        let node = Daemon::start();
        run_script(&["scenario.js", "shirokuma", &node.url("/graphql")]);
    }
}

#[test]
fn a_page_of_another_origin_publishes() {
    let browser = BROWSERS.into_iter().find(|name| is_installed(name));
    let Some(browser) = browser else {
        return skip("no browser");
    };
    if packages_are_there() {
        let node = Daemon::start();
        run_script(&["browser.js", browser, &node.url("")]);
    }
}

#[test]
fn graphql_ws_and_graphql_sse_follow_over_a_restart() {
    if packages_are_there() {
        // It starts nodes of its own, on one directory after each other.
        run_script(&["follow.js", env!("CARGO_BIN_EXE_grove-node")]);
    }
}

/// A running daemon that forgets everything when it is dropped.
struct Daemon {
    child: Child,
    origin: String,
}

impl Daemon {
    fn start() -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_grove-node"))
            .args(["--ephemeral", "--http-port", "0"])
            .env_remove("GROVE_DATA_DIR")
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let origin = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("GraphQL ")?;
            url.trim().strip_suffix("/graphql").map(str::to_owned)
        });
        Self {
            child,
            origin: origin.unwrap_or_else(|| {
                let said = fs::read_to_string(log.path()).unwrap();
                panic!("the daemon did not start:\n{said}")
            }),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

impl Drop for Daemon {
    /// Asks it to end, as only then it takes its directory along.
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn run_script(arguments: &[&str]) {
    run("node", arguments, SCRIPT_TIMEOUT);
}

/// Whether the locked packages can be used, after installing them if need be.
fn packages_are_there() -> bool {
    for tool in ["node", "npm"] {
        if !is_installed(tool) {
            skip(&format!("no {tool}"));
            return false;
        }
    }
    // Other tests, maybe of other processes, want the same.
    let lock_path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real_clients.lock");
    let lock = File::create(lock_path).unwrap();
    lock.lock().unwrap();

    let wanted = fs::read(scripts().join("package-lock.json")).unwrap();
    let installed = scripts().join("node_modules/.installed-lock.json");
    if fs::read(&installed).ok().as_ref() != Some(&wanted) {
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        run("npm", &arguments, INSTALL_TIMEOUT);
        fs::write(installed, wanted).unwrap();
    }
    true
}

fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

fn skip(reason: &str) {
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{reason}, which CI must have");
    eprintln!("skipped: {reason} on this machine");
}

/// Runs a program to a good end. Fails with all it said when it ends badly or not in time.
fn run(program: &str, arguments: &[&str], timeout: Duration) {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(scripts())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let (done, output) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });

    // A program that says no more is about to end.
    let said = output.recv_timeout(timeout);
    if said.is_err() {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let in_time = if said.is_ok() { "" } else { ", not in time" };
    let said = said.or_else(|_| output.recv_timeout(KILLED_TIMEOUT));
    assert!(
        status.success(),
        "{program} {arguments:?}: {status}{in_time}\n{}",
        said.unwrap_or_default(),
    );
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_clients")
}
