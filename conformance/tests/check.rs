//! Runs the whole job once, on two simulated networks.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use grove_conformance::report::Format;

#[test]
fn the_whole_job_ends_well_and_leaves_its_reports() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("whole-job");
    let _ = fs::remove_dir_all(&dir);

    let output = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .args(["check", "--seeds", "2", "--report"])
        .arg(&dir)
        .output()
        .unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains('\x1b'), "colours where nobody sees them");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["state"], "passed");
    assert_eq!(report["sections"].as_array().unwrap().len(), 3);
    for format in Format::ALL {
        let name = format.file_name();
        assert!(dir.join(name).metadata().unwrap().len() > 0, "{name}");
    }
    let again = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .arg("report")
        .arg(dir.join("report.json"))
        .args(["--format", "html"])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(again.stdout, fs::read(dir.join("report.html")).unwrap());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn arguments_that_make_no_sense_exit_with_two() {
    let output = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .args(["vectors", "run", "--ruleset", "none"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_node_that_is_not_there_exits_with_three() {
    let output = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .args(["node", "check", "--http", "http://127.0.0.1:1"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(3));
}
