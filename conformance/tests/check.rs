//! Runs the whole job once, on two simulated networks.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use grove_conformance::report::Format;

#[test]
fn the_whole_job_ends_well_and_leaves_its_reports() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();

    let output = Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .args(["check", "--seeds", "2", "--report"])
        .arg(dir)
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

#[test]
fn a_case_is_explained_down_to_its_bytes() {
    let output = conformance(&["case", "operation-decode-trailing-byte"]);

    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn an_unknown_case_names_those_that_were_meant() {
    let output = conformance(&["case", "operation-decode-trailing-bite"]);

    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("did you mean operation-decode-trailing-byte?"),
        "{told}"
    );
}

#[test]
fn one_case_is_asked_and_judged() {
    let ask = |manner: &str| {
        let own = env!("CARGO_BIN_EXE_grove-conformance");
        let adapter = format!("'{own}' adapter {manner}");
        conformance(&["case", "lipmaa-4", "--adapter", &adapter])
    };

    let right = ask("serve");
    let wrong = ask("impostor no");

    let told = String::from_utf8(right.stdout).unwrap();
    assert_eq!(right.status.code(), Some(0), "{told}");
    assert!(told.contains("judgement  passed"), "{told}");
    let told = String::from_utf8(wrong.stdout).unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{told}");
    assert!(
        told.contains("wrong verdict: refused (invalid_hex), but is valid"),
        "{told}"
    );
}

fn conformance(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_grove-conformance"))
        .args(args)
        .output()
        .unwrap()
}
