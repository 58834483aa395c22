//! Runs every command of the guide for implementers, in its order, against a node of ours.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use grove_conformance::check::OwnNode;

/// The address in the guide.
const ADDRESS: &str = "http://127.0.0.1:2020";

#[test]
fn the_guide_leads_to_a_first_verdict() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("GUIDE.md")).unwrap();
    let commands = commands(&guide);
    assert!(commands.lines().count() >= 8, "{commands}");
    let node = OwnNode::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_grove-conformance"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );

    let output = Command::new("bash")
        .args(["-exc", &commands.replace(ADDRESS, &node.url())])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    node.stop();

    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{said}");
    assert!(said.contains("conforms: passes"), "{said}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("report/report.html").contains("deletion"));
    assert!(read("conversation.txt").contains("action 2: DELETE"));
    assert!(read("cases.txt").lines().count() > 1000);
}

#[test]
fn the_guide_counts_only_what_it_marks_as_a_shell() {
    let commands =
        commands("text\n```toml\nno\n```\n```sh\none\ntwo\n```\nmore\n```sh\nthree\n```\n");

    assert_eq!(commands, "one\ntwo\nthree\n");
}

/// The lines between ```` ```sh ```` and its end.
fn commands(guide: &str) -> String {
    let mut inside = false;
    let mut commands = String::new();
    for line in guide.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => commands = commands + line + "\n",
            _ => {}
        }
    }
    commands
}
