//! The published JavaScript clients, unmodified, against the daemon: in Node.js and in a browser.
//!
//! What they publish and how it has to read back is in `real_clients/`. Here is what they need: a
//! fresh node, the packages at their locked versions, a time limit. Where Node.js, npm or a browser is
//! not installed, the tests say so and pass; with `CI=true` they fail.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod http_support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use http_support::scripts::{Scripts, is_installed, skip};
use tempfile::NamedTempFile;

const SCRIPTS: Scripts = Scripts("real_clients");

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn p2panda_js_publishes_and_reads_back() {
    if SCRIPTS.are_ready() {
        let node = Daemon::start();
        SCRIPTS.run(&["scenario.js", "p2panda-js", &node.url("/graphql")]);
    }
}

#[test]
fn shirokuma_publishes_and_reads_back() {
    if SCRIPTS.are_ready() {
        let node = Daemon::start();
        SCRIPTS.run(&["scenario.js", "shirokuma", &node.url("/graphql")]);
    }
}

#[test]
fn a_page_of_another_origin_publishes() {
    let browser = BROWSERS.into_iter().find(|name| is_installed(name));
    let Some(browser) = browser else {
        return skip("no browser");
    };
    if SCRIPTS.are_ready() {
        let node = Daemon::start();
        SCRIPTS.run(&["browser.js", browser, &node.url("")]);
    }
}

#[test]
fn graphql_ws_and_graphql_sse_follow_over_a_restart() {
    if SCRIPTS.are_ready() {
        // It starts nodes of its own, on one directory after each other.
        SCRIPTS.run(&["follow.js", env!("CARGO_BIN_EXE_grove-node")]);
    }
}

/// One key in several places at once.
#[test]
fn parallel_creates_of_one_key_all_succeed() {
    race("creates");
}

#[test]
fn parallel_updates_by_one_key_keep_what_was_acknowledged() {
    race("updates");
}

fn race(steps: &str) {
    if SCRIPTS.are_ready() {
        for client in ["shirokuma", "p2panda-js"] {
            let node = Daemon::start();
            SCRIPTS.run(&["races.js", client, steps, &node.url("/graphql")]);
        }
    }
}

#[test]
fn clients_that_offer_http2_are_answered() {
    let node = Daemon::start();
    if is_installed("java") {
        SCRIPTS.run_by("java", &["Offer.java", &node.url("")]);
    } else {
        skip("no java");
    }
    if !is_installed("curl") {
        return skip("no curl");
    }
    for path in ["/", "/graphql", "/healthz"] {
        let url = node.url(path);
        let arguments = ["--http2", "--silent", "--show-error", "--fail", &url];
        SCRIPTS.run_by("curl", &arguments);
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
