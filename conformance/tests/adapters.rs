//! Asks the adapters in other languages every case of the vectors.
//!
//! They share no code with our library. What counts is that all agree in each verdict, each reason and each result; a case
//! that is passed on or answered weakly is a disagreement too. Without the language at hand there is nothing to ask: that is
//! said and let go on a desk, and a failure where `CI` is `true`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

#[test]
fn python_agrees_with_every_vector() {
    agrees("python3", "python/adapter.py");
}

#[test]
fn javascript_agrees_with_every_vector() {
    agrees("node", "javascript/adapter.mjs");
}

/// Kinds that no adapter in another language answers so far.
const OURS_ALONE: &[&str] = &["next_args", "publish", "scenario", "session"];

/// Runs the vectors against `conformance/adapters/<script>` and asks for a strong pass of every case there is
/// of the kinds it ought to know.
fn agrees(interpreter: &str, script: &str) {
    if let Err(error) = Command::new(interpreter).arg("--version").output() {
        let on_ci = env::var("CI").is_ok_and(|value| value == "true");
        assert!(!on_ci, "{interpreter} is needed here: {error}");
        eprintln!("skipped, because {interpreter} cannot be run: {error}");
        return;
    }

    let reports = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .current_dir(root())
        .args(["vectors", "run", "--strict", "--adapter"])
        .arg(format!("{interpreter} conformance/adapters/{script}"))
        .arg("--report")
        .arg(reports.path())
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    // The exit code does not mind cases that are left out; the table of the report shows them.
    let report = read(&reports.path().join("report.json"));
    let (cases, strong) = count(&report);
    assert_eq!((cases, strong), (cases_in_manifest(), cases), "{told}");
}

/// The sums of the columns `cases` and `strong` over all kinds.
fn count(report: &Value) -> (u64, u64) {
    let section = &report["sections"][0];
    let sum = |title: &str| {
        let columns = section["columns"].as_array().unwrap();
        let column = columns.iter().position(|name| name == title).unwrap();
        let rows = section["rows"].as_array().unwrap();
        rows.iter()
            .filter(|row| !OURS_ALONE.contains(&row["cells"][0].as_str().unwrap()))
            .map(|row| row["cells"][column].as_str().unwrap())
            .map(|cell| cell.parse::<u64>().unwrap())
            .sum()
    };
    (sum("cases"), sum("strong"))
}

fn cases_in_manifest() -> u64 {
    let manifest = read(&root().join("vectors/v1/manifest.json"));
    let files = manifest["files"].as_object().unwrap().values();
    files
        .filter(|file| !OURS_ALONE.iter().any(|kind| file["kind"] == *kind))
        .filter_map(|file| file["count"].as_u64())
        .sum()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
