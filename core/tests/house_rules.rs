//! The rules of the house that no compiler holds: who may use whom, what the deciding code may not
//! touch, and which licences may ship.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Which package may depend on which, besides on crates of others.
const MAY_USE: [(&str, &[&str]); 5] = [
    ("grove-core", &[]),
    ("grove-node", &["grove-core"]),
    ("grove-client", &["grove-core"]),
    ("grove-sim", &["grove-core", "grove-node", "grove-client"]),
    // node and sim serve its `check` command, which starts our own node and a batch of simulations,
    // and the node's engine its own adapter, which plays stories of several steps.
    (
        "grove-conformance",
        &["grove-core", "grove-node", "grove-sim"],
    ),
];

/// All that core may stand on: nothing that could do IO.
const CORE_MAY_USE: [&str; 6] = [
    "blake3",
    "ed25519-dalek",
    "hex",
    "sha2",
    "thiserror",
    "zeroize",
];

/// What deciding code may not contain, and why.
const FORBIDDEN: [(&str, &str); 20] = [
    ("async fn", "deciding code is synchronous"),
    ("async move", "deciding code is synchronous"),
    (".await", "deciding code is synchronous"),
    ("tokio", "no async runtime"),
    ("std::time", "time is handed in"),
    ("SystemTime", "time is handed in"),
    ("std::thread", "no threads"),
    ("thread_local", "no threads"),
    ("std::net", "no sockets"),
    ("std::fs", "no files"),
    ("std::io", "no IO"),
    ("std::env", "no environment"),
    ("std::process", "no processes"),
    ("getrandom", "randomness is handed in"),
    ("rand::", "randomness is handed in"),
    ("RandomState", "randomness is handed in"),
    ("HashMap", "iteration order must be fixed"),
    ("HashSet", "iteration order must be fixed"),
    ("println!", "no output"),
    ("tracing::", "no output"),
];

/// What the engine and the stores may not reach: whatever is built on top of them.
const SHELLS: [&str; 8] = [
    "admin", "api", "config", "daemon", "database", "http", "net", "runtime",
];

/// How many assertions a thousand lines have at least where data is kept, comments left out.
const ASSERTS_PER_THOUSAND_MIN: usize = 5;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn metadata() -> Json {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--manifest-path",
        ])
        .arg(workspace().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Per package of ours the names of what it depends on outside of tests.
fn dependencies(metadata: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let members = metadata["workspace_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| members.contains(&package["id"]))
        .map(|package| {
            let name = package["name"].as_str().unwrap().to_owned();
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let names = dependencies
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned());
            (name, names.collect())
        })
        .collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Lines of deciding code that break a rule.
fn violations(source: &str) -> Vec<String> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| {
        let broken = FORBIDDEN.iter().filter(|(word, _)| line.contains(word));
        broken.map(move |(word, why)| format!("{why}: {word} in {:?}", line.trim()))
    })
    .collect()
}

/// The code of a file without its comments and its tests.
fn code(source: &str) -> impl Iterator<Item = &str> {
    let source = source.split("\n#[cfg(test)]\nmod tests {").next();
    let lines = source.unwrap_or_default().lines();
    lines.filter(|line| !line.trim_start().starts_with("//"))
}

/// The rooms of its package that a line names: modules right below its root.
fn rooms_named(line: &str) -> impl Iterator<Item = &str> {
    let named = line.split("crate::").skip(1);
    named.map(|rest| {
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        rest.split(|c| !is_name(c)).next().unwrap_or_default()
    })
}

/// Per room of a package the other rooms that its code uses.
fn rooms(package: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let (root, mut files) = (package.join("src"), Vec::new());
    rust_files(&root, &mut files);
    let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let room = path.iter().next().unwrap().to_str().unwrap().to_owned();
        if ["lib", "main"].contains(&room.as_str()) || path.iter().any(|part| part == "tests") {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        let named = code(&source).flat_map(rooms_named).map(str::to_owned);
        let used = rooms.entry(room.clone()).or_default();
        used.extend(named.filter(|name| *name != room));
    }
    rooms
}

#[test]
fn engine_and_store_reach_no_shell() {
    let node = rooms(&workspace().join("node"));
    for room in ["engine", "store"] {
        let reached: Vec<_> = SHELLS
            .iter()
            .filter(|shell| node[room].contains(**shell))
            .collect();
        assert!(reached.is_empty(), "{room} uses {reached:?}");
    }
    assert!(!node["store"].contains("engine"), "a store decides nothing");
    assert!(
        node["http"].contains("api"),
        "the search finds what it looks for"
    );
}

#[test]
fn rooms_say_what_must_be_true_at_their_borders() {
    for room in ["engine", "runtime", "store"] {
        let (root, mut files) = (workspace().join("node/src").join(room), Vec::new());
        rust_files(&root, &mut files);
        files.retain(|file| {
            let within = file.strip_prefix(&root).unwrap().with_extension("");
            !within.iter().any(|part| part == "tests")
        });
        assert!(files.len() > 10, "the folders moved");
        let (mut lines, mut asserts) = (0, 0);
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            for line in code(&source) {
                lines += 1;
                let line = line.trim_start();
                let is_one = ["assert", "debug_assert"]
                    .iter()
                    .any(|word| line.starts_with(word));
                asserts += usize::from(is_one);
            }
        }
        assert!(
            asserts * 1_000 >= ASSERTS_PER_THOUSAND_MIN * lines,
            "{room}: {asserts} assertions in {lines} lines"
        );
    }
}

#[test]
fn packages_use_only_those_they_may() {
    let dependencies = dependencies(&metadata());
    assert_eq!(dependencies.len(), MAY_USE.len());
    for (package, allowed) in MAY_USE {
        let ours = dependencies[package]
            .iter()
            .filter(|name| name.starts_with("grove-"));
        for name in ours {
            assert!(
                allowed.contains(&name.as_str()),
                "{package} may not use {name}"
            );
        }
    }
}

#[test]
fn core_stands_on_nothing_that_could_do_io() {
    let dependencies = dependencies(&metadata());
    let allowed: BTreeSet<_> = CORE_MAY_USE.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(dependencies["grove-core"], allowed);
}

#[test]
fn deciding_code_touches_nothing_outside() {
    let mut files = Vec::new();
    rust_files(&workspace().join("core/src"), &mut files);
    rust_files(&workspace().join("node/src/engine"), &mut files);
    assert!(files.len() > 20, "the folders moved");
    for file in files {
        let found = violations(&std::fs::read_to_string(&file).unwrap());
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for (word, _) in FORBIDDEN {
        assert!(
            !violations(&format!("let x = {word};")).is_empty(),
            "{word}"
        );
        assert!(violations(&format!("// {word}")).is_empty());
    }
}

#[test]
fn nothing_under_a_network_copyleft_licence_ships() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(
            !licence.contains("AGPL"),
            "{} is {licence}",
            package["name"]
        );
    }
}
