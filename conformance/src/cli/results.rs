//! `results`: the published table, of every implementation that can be run here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use grove_node::terminal::complain;

use super::{Dir, Ended, describe};
use crate::exit::Exit;
use crate::live::manifest::Manifest;
use crate::report::{Report, Section, State};
use crate::suite::Ruleset;
use crate::suite::store::{self, Files};

/// Where the failures of a run are counted, in the order of the table's columns.
const STATES: [State; 5] = [
    State::Passed,
    State::Weak,
    State::Failed,
    State::SetUpFailed,
    State::Skipped,
];

#[derive(Debug, Args)]
pub(super) struct Published {
    /// Manifests of nodes.
    #[arg(long = "node", value_name = "FILE", default_values = ["conformance/targets/grove-node.toml", "conformance/targets/aquadoggo.toml"])]
    nodes: Vec<PathBuf>,
    /// Command lines of adapters; an empty one is our own library's.
    #[arg(long = "adapter", value_name = "CMD", default_values = ["", "python3 conformance/adapters/python/adapter.py", "node conformance/adapters/javascript/adapter.mjs"])]
    adapters: Vec<String>,
    /// Seed of keys, names and orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the whole reports.
    #[arg(long, value_name = "DIR", default_value = "target/grove-results")]
    report: PathBuf,
    /// The page that is written.
    #[arg(long, value_name = "FILE", default_value = "conformance/RESULTS.md")]
    out: PathBuf,
    #[command(flatten)]
    dir: Dir,
}

/// Ends with failures where one is left unexplained.
pub(super) fn run(args: &Published, own: Files<'_>) -> Ended {
    let suite = args.dir.suite(own)?;
    let mut page = format!(
        "# What was found\n\nWritten by `grove-conformance results` (seed {}); vectors {}. A node is judged through its public \
         doors by the live suite, a library by all vectors.\n\n## Nodes\n\n\
         | node | rules | cases | passed | weak | failed | not set up | not applicable | seconds |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        args.seed,
        describe(&suite)
    );
    let mut explained = String::new();
    let mut unexplained = 0;
    for path in &args.nodes {
        let manifest = Manifest::load(path)?;
        for ruleset in [Ruleset::Spec, Ruleset::Wire09] {
            let report = node_report(args, path, &manifest, ruleset)?;
            for section in &report.sections {
                page += &node_row(&manifest.name, ruleset, section);
                let (text, count) = explanations(&manifest, ruleset, section);
                explained += &text;
                unexplained += count;
            }
        }
    }
    page += "\n## Libraries\n\n| library | result |\n| --- | --- |\n";
    for (number, line) in args.adapters.iter().enumerate() {
        let report = adapter_report(args, number, line)?;
        for section in &report.sections {
            page += &format!("| {} | {} |\n", section.title, section.summary);
        }
    }
    page += "\n## What fails, and why\n";
    page += if explained.is_empty() {
        "\nNothing.\n"
    } else {
        &explained
    };
    store::write(&args.out, page.as_bytes())?;
    complain(format_args!("results in {}", args.out.display()));
    Ok(if unexplained == 0 {
        Exit::Conforms
    } else {
        Exit::Failures
    })
}

fn node_report(
    args: &Published,
    path: &Path,
    manifest: &Manifest,
    ruleset: Ruleset,
) -> Result<Report, Box<dyn std::error::Error>> {
    let folder = args
        .report
        .join(format!("{}-{ruleset}", manifest.name.replace(' ', "-")));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["node", "check", "--ruleset", &ruleset.to_string()]);
    command.args(["--seed", &args.seed.to_string()]);
    command
        .arg("--manifest")
        .arg(path)
        .arg("--report")
        .arg(&folder);
    command.arg("--evidence").arg(folder.join("evidence"));
    read_report(command, &folder)
}

fn adapter_report(
    args: &Published,
    number: usize,
    line: &str,
) -> Result<Report, Box<dyn std::error::Error>> {
    let folder = args.report.join(format!("library-{number}"));
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        "vectors",
        "run",
        "--seed",
        &args.seed.to_string(),
        "--timeout",
        "60",
    ]);
    if !line.is_empty() {
        command.args(["--adapter", line]);
    }
    command.arg("--report").arg(&folder);
    read_report(command, &folder)
}

/// Whatever the command ends with, its report tells.
fn read_report(mut command: Command, folder: &Path) -> Result<Report, Box<dyn std::error::Error>> {
    command.stdout(Stdio::null()).status()?;
    let path = folder.join("report.json");
    Ok(Report::from_json(&store::read_bytes(&path)?)?)
}

fn node_row(name: &str, ruleset: Ruleset, section: &Section) -> String {
    let counts = STATES.map(|state| {
        let of_state = section.tests.iter().filter(|test| test.state == state);
        of_state.count().to_string()
    });
    format!(
        "| {name}, {} | {ruleset} | {} | {} | {:.0} |\n",
        section.title.to_lowercase(),
        section.tests.len(),
        counts.join(" | "),
        section.seconds
    )
}

/// The failures of a section by what explains them, and how many are left over.
fn explanations(manifest: &Manifest, ruleset: Ruleset, section: &Section) -> (String, usize) {
    let mut by_cause: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut unexplained = 0;
    for finding in section
        .findings
        .iter()
        .filter(|it| it.state >= State::SetUpFailed)
    {
        let ruling = finding.evidence.iter().find_map(|line| ruling_in(line));
        let cause = match (manifest.explains(&finding.id, &finding.what), ruling) {
            (Some(why), _) => why.to_owned(),
            // Deployed nodes do otherwise where a ruling decides; by their own rules that is no failure.
            (None, Some(ruling)) if ruleset == Ruleset::Spec => format!("decided by {ruling}"),
            _ => {
                unexplained += 1;
                format!("**not explained**: {}", finding.what.replace('\n', " "))
            }
        };
        by_cause.entry(cause).or_default().push(&finding.id);
    }
    if by_cause.is_empty() {
        return (String::new(), 0);
    }
    let mut text = format!(
        "\n### {}, {}, {ruleset}\n\n",
        manifest.name,
        section.title.to_lowercase()
    );
    for (cause, cases) in by_cause {
        let cases: Vec<_> = cases.iter().map(|case| format!("`{case}`")).collect();
        text += &format!("- {cause} ({}): {}\n", cases.len(), cases.join(", "));
    }
    (text, unexplained)
}

/// The ruling that a line of evidence says a case turns on.
fn ruling_in(line: &str) -> Option<&str> {
    let ids = line.strip_prefix("turns on ")?;
    ids.split(", ").find(|id| {
        id.strip_prefix('R')
            .is_some_and(|number| number.parse::<u8>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rulings_are_told_from_requirements() {
        assert_eq!(ruling_in("turns on RP1, RC2, R24"), Some("R24"));
        assert_eq!(ruling_in("turns on RC2"), None);
        assert_eq!(ruling_in("POST / R24"), None);
    }
}
