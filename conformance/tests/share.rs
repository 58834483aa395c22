//! A verdict names its share: what was left out shows in the word, the colour and the exit code. And what the
//! command line says can be used as it stands.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use grove_conformance::suite::{Suite, carried, store};
use rstest::rstest;
use serde_json::Value;

const OWN: &str = env!("CARGO_BIN_EXE_grove-conformance");

/// Makes our own adapter know one kind only.
const ONE_KIND: &str = r#"s/"kinds":\[[^]]*\]/"kinds":["varu64.decode"]/"#;
/// Makes it pass on every refusal.
const NO_REFUSALS: &str =
    r#"s/"seq":\([0-9]*\),"verdict":"invalid".*/"seq":\1,"skip":{"reason":"later"}}/"#;

#[test]
fn one_kind_answered_whole_conforms_and_names_its_share() {
    let (output, report, badge) = judge(&[ONE_KIND], &[]);

    let suite = Suite::load(Path::new(store::DEFAULT_DIR)).unwrap();
    let of_kind = |(file, _): &(&grove_conformance::suite::File, _)| file.kind == "varu64.decode";
    let (cases, all) = (suite.cases().filter(of_kind).count(), suite.cases().count());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(report["state"], "passed");
    let verdict = format!("conforms: passes {cases} of {all} cases");
    assert!(text(&output.stdout).contains(&verdict), "{output:?}");
    assert!(
        badge.contains(&verdict) && !badge.contains(GREEN),
        "{badge}"
    );
}

#[test]
fn whoever_passes_on_refusals_is_partial() {
    let (output, report, badge) = judge(&[ONE_KIND, NO_REFUSALS], &[]);

    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert_eq!(report["state"], "partial");
    assert!(
        told.contains("◐") && told.contains("left-out-varu64.decode"),
        "{told}"
    );
    assert!(
        badge.contains("partial: passes") && !badge.contains(GREEN),
        "{badge}"
    );
}

#[rstest]
#[case("core", Some(5))]
#[case("all", Some(5))]
#[case("varu64.decode", Some(0))]
#[case("varu64.decode,lipmaa", Some(5))]
#[case("varu64.decode,lipma", Some(2))]
fn what_is_required_may_not_be_left_out(#[case] required: &str, #[case] code: Option<i32>) {
    let (output, ..) = judge(&[ONE_KIND], &["--require", required]);

    assert_eq!(output.status.code(), code, "{output:?}");
}

#[test]
fn our_own_adapter_is_whole_and_green() {
    let (output, _, badge) = judge(&[], &["--require", "all", "--strict"]);

    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(badge.contains(GREEN), "{badge}");
}

#[test]
fn a_crash_shows_the_last_words_and_the_command_that_repeats_it() {
    let hello = r#"{"ok":true,"protocol":1,"implementation":{"name":"sh","version":"1","language":"sh"},"kinds":["hash.parse"]}"#;
    let script = format!(
        "echo '{hello}'; read -r hello; read -r probe; echo '{{\"seq\":1,\"unsupported\":true}}'; read -r case; \
         printf 'Traceback:\\n  a\\n  b\\n  c\\n  d\\nValueError: out of cheese\\n' >&2; exit 1"
    );
    let adapter = format!("sh -c {}", quoted(&script));
    let run = [
        "vectors",
        "run",
        "--only",
        "hash-parse-abc",
        "--adapter",
        &adapter,
    ];

    let output = conformance(&run);

    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("ValueError: out of cheese"), "{told}");
    let again = told
        .lines()
        .find_map(|line| line.trim().strip_prefix("again: "));
    let again = again
        .unwrap()
        .replacen("grove-conformance", &quoted(OWN), 1);
    let repeated = Command::new("sh").args(["-c", &again]).output().unwrap();
    assert!(
        text(&repeated.stdout).contains("ValueError: out of cheese"),
        "{again}"
    );
}

#[test]
fn every_file_of_the_vectors_is_carried_along() {
    let current = carried::is_current(Path::new(store::DEFAULT_DIR)).unwrap();

    assert!(
        current,
        "write the list anew: grove-conformance vectors generate"
    );
}

#[test]
fn other_vectors_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().to_str().unwrap();

    let stats = conformance(&["vectors", "stats", "--vectors", store::DEFAULT_DIR]);
    let none = conformance(&["vectors", "stats", "--vectors", missing]);
    let own = conformance(&["vectors", "stats"]);

    assert_eq!(stats.stdout, own.stdout);
    assert_eq!(none.status.code(), Some(3));
    assert!(text(&none.stderr).contains(missing), "{none:?}");
}

#[test]
fn hints_of_a_new_adapter_work_as_they_stand() {
    if Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("it's a folder");

    let made = conformance(&[
        "adapter",
        "new",
        "--lang",
        "python",
        folder.to_str().unwrap(),
    ]);

    let hints = text(&made.stdout);
    let hints: Vec<&str> = hints
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    assert_eq!(hints.len(), 2, "{hints:?}");
    for hint in hints {
        let output = Command::new("sh").args(["-c", hint]).output().unwrap();
        assert!(output.status.success(), "{hint}: {output:?}");
    }
}

#[cfg(target_os = "linux")]
#[rstest]
#[case(&["vectors", "stats"])]
#[case(&["vectors", "ask"])]
#[case(&["vectors", "run", "--only", "lipmaa"])]
#[case(&["case", "lipmaa-4"])]
#[case(&["adapter", "check"])]
fn output_that_nobody_takes_is_no_panic(#[case] arguments: &[&str]) {
    let run = |stdout: std::process::Stdio| {
        let mut command = Command::new(OWN);
        command.args(arguments).stdout(stdout).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let gone = run(writer.into());
    let full = run(File::create("/dev/full").unwrap().into());

    assert_eq!(gone.status.code(), Some(0), "{gone:?}");
    assert_eq!(full.status.code(), Some(3), "{full:?}");
    assert!(!text(&gone.stderr).contains("panicked") && !text(&full.stderr).contains("panicked"));
}

/// The colour of who is right in all there is.
const GREEN: &str = "#2f7d4f";

/// Runs the vectors against our own adapter, whose answers are edited: output, report and badge.
fn judge(edits: &[&str], arguments: &[&str]) -> (Output, Value, String) {
    let mut adapter = format!("{} adapter serve", quoted(OWN));
    for edit in edits {
        adapter += &format!(" | sed -u -e {}", quoted(edit));
    }
    let adapter = format!("sh -c {}", quoted(&adapter));
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().to_str().unwrap();
    let run = ["vectors", "run", "--adapter", &adapter, "--report", report];

    let output = conformance(&[&run, arguments].concat());

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let parsed = serde_json::from_str(&read("report.json")).unwrap_or_default();
    (output, parsed, read("badge.svg"))
}

fn conformance(arguments: &[&str]) -> Output {
    Command::new(OWN).args(arguments).output().unwrap()
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
