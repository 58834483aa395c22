//! The binary from outside: what it promises to people, scripts and the conformance check.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sim"));
    command.args(arguments);
    command
}

fn grove_sim(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{error}\nstdout: {text}\nstderr: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn run(seed: &str) -> Value {
    let output = grove_sim(&["run", "--seed", seed, "--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    report
}

#[test]
fn seed_decides_the_trace_in_every_process() {
    let (mut first, mut second, other) = (run("1"), run("1"), run("2"));

    first["wall_ms"].take();
    second["wall_ms"].take();

    assert_eq!(first, second);
    assert_ne!(first["trace"]["hash"], other["trace"]["hash"]);
}

#[test]
fn report_has_its_shape_and_something_happened() {
    let report = run("3");

    let count = |name: &str| report["counts"][name].as_u64().expect(name);
    assert_eq!(report["seed"], "3");
    assert_eq!(report["outcome"]["result"], "ok");
    assert_eq!(
        report["repeat"],
        "grove-sim run --seed 3 --nodes 4 --clients 3"
    );
    assert_eq!(report["trace"]["hash"].as_str().map(str::len), Some(64));
    assert_eq!(count("entries"), count("published"));
    assert!(count("published") > 10 && count("messages") > 100 && count("documents") > 0);
    assert!(report["simulated_ms"].as_u64() > Some(24_000));
}

#[test]
fn written_trace_is_what_was_hashed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace.jsonl");
    let name = path.to_str().expect("a plain path");

    let output = grove_sim(&["run", "--seed", "4", "--json", "--trace", name]);
    let lines = std::fs::read(&path).expect("was written");

    // What a client published can be followed through all nodes by its id.
    let events: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    let published = events.iter().find(|event| event["outcome"] == "published");
    let operation = &published.expect("a step that published")["operation"];
    let accepted = events
        .iter()
        .filter(|event| event["event"] == "accepted" && event["operation"] == *operation);
    let hosts: std::collections::BTreeSet<_> = accepted
        .filter_map(|event| event["host"].as_str())
        .collect();
    assert!(hosts.len() >= 3, "{operation} came to {hosts:?} alone");
    let report = json(&output);
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(
        report["trace"]["hash"],
        blake3::hash(&lines).to_hex().as_str()
    );
    assert_eq!(report["trace"]["events"], count);
}

#[test]
fn batch_converges_repeats_and_meets_rare_states() {
    let batch = [
        "batch",
        "--from",
        "0",
        "--count",
        "8",
        "--repeat-every",
        "4",
        "--json",
    ];
    let output = grove_sim(&batch);

    let reports = json(&output);
    let reports = reports.as_array().expect("one per seed");
    let repeated = reports
        .iter()
        .filter(|report| report["repeated"] == true)
        .count();
    let total = |name: &str| -> u64 {
        let counts = reports
            .iter()
            .map(|report| &report["report"]["counts"][name]);
        counts.map(|count| count.as_u64().expect(name)).sum()
    };
    assert_eq!(output.status.code(), Some(0), "{reports:#?}");
    assert_eq!(reports.len(), 8);
    assert_eq!(repeated, 2);
    for rare in [
        "merges",
        "refused",
        "skipped",
        "retried",
        "cuts",
        "skeletons",
        "deleted",
        "copies",
        "outrun",
        "forks",
    ] {
        assert!(
            total(rare) > 0,
            "no {rare} in eight seeds: the workload has become too tame"
        );
    }
}

/// Plans on which something failed once, each under the name of what it was.
#[test]
fn stored_plans_pass_and_repeat() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds");
    let plans: Vec<_> = std::fs::read_dir(folder)
        .expect("there are stored plans")
        .map(|file| file.expect("readable").path())
        .collect();
    assert!(!plans.is_empty());
    for plan in plans {
        let run = || {
            let plan = plan.to_str().expect("a plain path");
            let output = grove_sim(&["run", "--plan", plan, "--json"]);
            let report = json(&output);
            assert_eq!(output.status.code(), Some(0), "{plan}: {report:#}");
            report["trace"].clone()
        };
        assert_eq!(run(), run());
    }
}

#[rstest]
#[case("5", "drop-entries", "acknowledged_entries_stay")]
#[case("5", "forget-acknowledged", "acknowledged_entries_stay")]
#[case("1", "forget-fork", "forks_are_kept")]
#[case("5", "show-deleted", "deleted_documents_gone")]
#[case("5", "keep-deleted", "deleted_documents_gone")]
#[case("5", "falsify-view", "views_equal")]
#[case("5", "falsify-every-view", "views_equal")]
fn planted_bug_fails_its_invariant(#[case] seed: &str, #[case] bug: &str, #[case] invariant: &str) {
    let output = grove_sim(&["run", "--seed", seed, "--planted-bug", bug]);

    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("FAILED    {invariant}: ")), "{text}");
    // The command repeats it, bug and all.
    let repeat = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("repeat    grove-sim "));
    let arguments: Vec<&str> = repeat.expect("it is told").split(' ').collect();
    let again = grove_sim(&arguments);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stdout).contains(invariant));
}

#[test]
fn noise_is_found_and_its_first_event_named() {
    let output = grove_sim(&[
        "batch",
        "--from",
        "6",
        "--count",
        "1",
        "--repeat-every",
        "1",
        "--planted-bug",
        "noise",
        "--json",
    ]);

    let report = &json(&output)[0];
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["verdict"]["verdict"], "diverged");
    assert_eq!(report["verdict"]["event"], 0);
    assert!(
        report["verdict"]["first"]
            .as_str()
            .is_some_and(|event| event.contains("process"))
    );
}

#[rstest]
#[case(&["run"])]
#[case(&["run", "--seed", "x"])]
#[case(&["run", "--seed", "1", "--nodes", "1"])]
#[case(&["run", "--seed", "1", "--clients", "17"])]
#[case(&["run", "--seed", "1", "--plan", "x.json"])]
#[case(&["run", "--plan", "Cargo.toml"])]
#[case(&["batch", "--jobs", "0"])]
#[case(&["dance"])]
fn bad_usage_exits_with_two(#[case] arguments: &[&str]) {
    assert_eq!(grove_sim(arguments).status.code(), Some(2));
}

#[test]
fn plan_is_printed_as_data() {
    let plan = json(&grove_sim(&["plan", "--seed", "1", "--nodes", "5"]));

    assert_eq!(plan["nodes"], 5);
    assert_eq!(plan["steps"][0]["action"]["action"], "schema");
}

#[test]
fn a_plan_can_come_by_standard_input() {
    let plan = grove_sim(&["plan", "--seed", "2", "--nodes", "2", "--clients", "1"]);
    let mut child = command(&["run", "--plan", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(&plan.stdout).expect("it reads");
    drop(stdin);

    let report = json(&child.wait_with_output().expect("it ends"));

    let of_seed = grove_sim(&[
        "run",
        "--seed",
        "2",
        "--nodes",
        "2",
        "--clients",
        "1",
        "--json",
    ]);
    assert_eq!(report["trace"], json(&of_seed)["trace"]);
}

#[cfg(target_os = "linux")]
#[rstest]
#[case(&["plan", "--seed", "1"])]
#[case(&["run", "--seed", "1", "--nodes", "2", "--clients", "1"])]
#[case(&["batch", "--count", "1", "--nodes", "2", "--clients", "1"])]
fn output_that_nobody_takes_is_no_panic(#[case] arguments: &[&str]) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let gone = command(arguments).stdout(writer).output().expect("it runs");
    let full = std::fs::File::create("/dev/full").expect("there is such");
    let full = command(arguments).stdout(full).output().expect("it runs");

    assert_eq!(gone.status.code(), Some(0), "{gone:?}");
    assert_eq!(full.status.code(), Some(3), "{full:?}");
    for output in [gone, full] {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
    }
}
