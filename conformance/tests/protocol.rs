//! Whether adapters speak the protocol: those of the tree, those who only pretend, and new ones from templates.
//!
//! Without the language at hand there is nothing to ask: that is said and let go on a desk, and a failure where `CI` is
//! `true`.

#![allow(clippy::unwrap_used)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a language is at hand; says so when it is not, and fails where it has to be.
fn is_there(interpreter: &str) -> bool {
    let Err(error) = Command::new(interpreter).arg("--version").output() else {
        return true;
    };
    let on_ci = env::var("CI").is_ok_and(|value| value == "true");
    assert!(!on_ci, "{interpreter} is needed here: {error}");
    eprintln!("skipped, because {interpreter} cannot be run: {error}");
    false
}

#[test]
fn the_adapters_speak_the_protocol() {
    assert_speaks(&format!("'{OWN}' adapter serve"));
    for (interpreter, script) in [
        ("python3", "python/adapter.py"),
        ("node", "javascript/adapter.mjs"),
    ] {
        if is_there(interpreter) {
            assert_speaks(&format!("{interpreter} conformance/adapters/{script}"));
        }
    }
}

#[test]
fn every_impostor_is_caught() {
    for manner in [
        "null",
        "yes",
        "no",
        "random",
        "echo",
        "crash",
        "hang",
        "wrong-seq",
        "noise",
    ] {
        let adapter = format!("'{OWN}' adapter impostor {manner}");

        let output = conformance(&["adapter", "check", "--timeout", "1", "--adapter", &adapter]);

        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{manner}: {told}");
        assert!(told.contains("right-and-wrong: "), "{manner}: {told}");
    }
}

#[test]
fn a_new_python_adapter_works_at_once() {
    if is_there("python3") {
        works_at_once("python", |dir| format!("python3 '{dir}/adapter.py'"));
    }
}

#[test]
fn a_new_javascript_adapter_works_at_once() {
    if is_there("node") {
        works_at_once("javascript", |dir| format!("node '{dir}/adapter.mjs'"));
    }
}

#[test]
fn a_new_rust_adapter_works_at_once() {
    works_at_once("rust", |dir| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--quiet", "--manifest-path"])
            .arg(format!("{dir}/Cargo.toml"))
            .env("CARGO_TARGET_DIR", format!("{dir}/target"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        format!("'{dir}/target/debug/my-adapter'")
    });
}

const OWN: &str = env!("CARGO_BIN_EXE_grove-conformance");

/// Writes a new adapter, has it checked, and asks it every case of the one kind it offers.
fn works_at_once(language: &str, command: impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("my adapter");
    let dir = dir.to_str().unwrap();

    let written = conformance(&["adapter", "new", "--lang", language, dir]);
    assert!(written.status.success(), "{written:?}");
    let again = conformance(&["adapter", "new", "--lang", language, dir]);
    assert_eq!(
        again.status.code(),
        Some(3),
        "a second time overwrites the first"
    );

    let adapter = command(dir);
    assert_speaks(&adapter);
    let run = [
        "vectors",
        "run",
        "--strict",
        "--only",
        "varu64.decode",
        "--adapter",
        &adapter,
    ];
    let output = conformance(&run);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !told.contains("left out;"),
        "{told}"
    );
}

fn assert_speaks(adapter: &str) {
    let output = conformance(&["adapter", "check", "--adapter", adapter]);

    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn conformance(args: &[&str]) -> std::process::Output {
    Command::new(OWN)
        .current_dir(root())
        .args(args)
        .output()
        .unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
