//! Tests that need a network of their own: they run again in a network namespace, where nobody else is.

use std::process::Command;

/// Set where a test runs in its own network namespace.
const ALONE: &str = "GROVE_TEST_NETWORK_NAMESPACE";

const UNSHARE: [&str; 3] = ["--user", "--map-root-user", "--net"];

/// Runs the test of this name again in a network namespace of its own, which this script sets up; `false` where that
/// was done already, and the test is to go on. Skips it where namespaces are not allowed, unless everything has to be
/// tested.
pub(crate) fn runs_elsewhere(name: &str, setup: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let allowed = Command::new("unshare").args(UNSHARE).arg("true").status();
    if !allowed.is_ok_and(|status| status.success()) {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_ci, "network namespaces are not allowed here");
        eprintln!("skipped: network namespaces are not allowed here");
        return true;
    }
    let script =
        format!("set -e; ip link set lo up; {setup}\nexec \"$0\" --exact \"$1\" --nocapture");
    let status = Command::new("unshare")
        .args(UNSHARE)
        .args(["sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(ALONE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "failed in its own network namespace");
    true
}
