//! The fast engine from outside: seeds of all profiles hold and repeat, failures shrink and are run again.

use std::process::{Command, Output};
use std::time::Duration;

use grove_sim::bundle::{Bundle, Repetition};
use grove_sim::explore::{ExploreOptions, explore};
use grove_sim::plan::{Plan, Profile, StepAction, Topology};
use grove_sim::play::{Finding, play, play_turned};
use grove_sim::shrink::shrink_with;
use grove_sim::sweep::{Shard, SweepOptions, Swept, sweep};
use rstest::rstest;

fn options(seeds: std::ops::Range<u64>, profile: Option<Profile>) -> SweepOptions {
    SweepOptions {
        seeds,
        profile,
        time_max: None,
        jobs: 1,
        shard: Shard::WHOLE,
        twice_every: 4,
        failures_max: 20,
    }
}

#[rstest]
fn seeds_of_every_profile_hold_and_repeat(
    #[values(
        Profile::Calm,
        Profile::Wan,
        Profile::Disk,
        Profile::Churn,
        Profile::Forks,
        Profile::Byzantine,
        Profile::Deletion
    )]
    profile: Profile,
) {
    let swept = sweep(&options(0..6, Some(profile)), &mut |_| ());

    assert_eq!(swept.failures, []);
    assert!(swept.diverged.is_empty(), "{:?}", swept.diverged);
    assert_eq!((swept.seeds, swept.twice), (6, 2));
}

#[test]
fn shards_of_a_sweep_are_the_sweep() {
    let whole = sweep(&options(0..6, None), &mut |_| ());
    let mut sum = Swept::default();

    for number in 0..3 {
        let shard = Shard { number, of: 3 };
        let part = SweepOptions {
            shard,
            ..options(0..6, None)
        };
        sum.merge(sweep(&part, &mut |_| ()));
    }

    assert_eq!(
        (sum.seeds, sum.events, sum.messages, sum.probes),
        (whole.seeds, whole.events, whole.messages, whole.probes)
    );
}

/// Randomness is keyed: what has nothing to do with an item goes on as before when it is taken out.
#[test]
fn items_that_are_taken_out_leave_what_came_before_alone() {
    let plan = Plan::swarm(3, Some(Profile::Calm));
    let mut shorter = plan.clone();
    let last = shorter.steps.pop().expect("there are steps");
    let lines = |plan: &Plan| {
        let lines = play(plan, true).lines.expect("they were asked for");
        String::from_utf8(lines).expect("JSON")
    };

    let (all, fewer) = (lines(&plan), lines(&shorter));

    let before = |line: &&str| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        event["at_us"].as_u64().expect("a time") < last.at_ms * 1_000
    };
    let (all, fewer): (Vec<_>, Vec<_>) = (
        all.lines().take_while(before).collect(),
        fewer.lines().take_while(before).collect(),
    );
    assert!(all.len() > 100);
    assert_eq!(all, fewer);
}

#[test]
fn other_futures_run_again_from_the_beginning() {
    let plan = Plan::swarm(5, Some(Profile::Wan));
    let turns = [(400, 77), (900, 78)];

    let (first, second) = (
        play_turned(&plan, &turns, false),
        play_turned(&plan, &turns, false),
    );

    assert_eq!(first.digest, second.digest);
    assert_ne!(first.digest, play(&plan, false).digest);
}

#[test]
fn exploring_meets_more_pairs_than_as_many_runs_from_the_beginning() {
    let explored = |branches| {
        let options = ExploreOptions {
            seeds: 0..100,
            profile: Some(Profile::Forks),
            time_max: Duration::from_secs(300),
            runs_max: 12,
            failures_max: 1,
            branches,
        };
        explore(&options, &mut |_| ())
    };

    let (with, without) = (explored(true), explored(false));

    assert_eq!(with.failures, []);
    assert_eq!((with.runs, without.branched), (12, 0));
    assert!(with.branched > 2 && with.pairs > 50 && with.probes > 10);
}

/// One plan for each trouble that users of the deployed software had.
#[test]
fn scenarios_hold_and_say_what_they_are_about() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let files = std::fs::read_dir(folder).expect("there are scenarios");
    let files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    assert!(files.len() >= 20);
    for file in files {
        let text = std::fs::read(&file).expect("readable");
        assert!(text.starts_with(b"# "), "{}", file.display());
        let plan = Plan::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));

        let played = play(&plan, false);

        assert_eq!(played.found, None, "{}", file.display());
        assert!(played.counts.published > 10, "{}", file.display());
    }
}

/// A made-up failure: as long as a document is deleted and a link is cut, whatever else is in the plan.
#[test]
fn plans_shrink_to_what_matters() {
    let fails = |plan: &Plan| {
        let deletes =
            |step: &grove_sim::plan::Step| matches!(step.action, StepAction::Delete { .. });
        let is_bad = plan.steps.iter().any(deletes) && !plan.cuts.is_empty();
        is_bad.then(|| Finding {
            invariant: "made_up".to_owned(),
            difference: "node-0 is wrong".to_owned(),
            event: 0,
            at_us: 0,
        })
    };
    let plan = (0..)
        .map(|seed| Plan::swarm(seed, Some(Profile::Wan)))
        .find(|plan| fails(plan).is_some())
        .expect("one of them");
    let finding = fails(&plan).expect("it was picked for that");

    let shrunk = shrink_with(&plan, &finding, Duration::from_secs(60), &fails);

    assert_eq!(shrunk.items(), 2, "{:?}", shrunk.plan);
    // What has no part in it goes too, as the shape of the network.
    assert_eq!(shrunk.plan.topology, Topology::Mesh);
    assert!(!shrunk.is_cut_short);
}

#[test]
fn a_bundle_says_fixed_when_nothing_fails() {
    let plan = Plan::swarm(1, Some(Profile::Calm));
    let played = play(&plan, true);
    assert!(Bundle::of(plan.clone(), Vec::new(), plan.clone()).is_none());
    let bundle = Bundle {
        version: 1,
        made_by: "test".to_owned(),
        finding: Finding {
            invariant: "made_up".to_owned(),
            difference: String::new(),
            event: 0,
            at_us: 0,
        },
        digest: played.digest,
        meaning: played.meaning,
        original: Box::new(plan.clone()),
        trace: String::new(),
        turns: Vec::new(),
        plan,
    };
    let text = serde_json::to_vec(&bundle).expect("serialises");

    let read = Bundle::parse(&text).expect("reads back");

    assert_eq!(read, bundle);
    assert_eq!(read.repeat(), Repetition::Fixed);
    assert!(Bundle::parse(b"{}").is_err());
}

fn grove_sim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove-sim"));
    command.args(arguments).output().expect("the binary runs")
}

#[test]
fn the_command_line_sweeps_and_merges() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = ["0/2", "1/2"].map(|shard| {
        let output = grove_sim(&[
            "run",
            "--seeds",
            "0..4",
            "--profile",
            "calm",
            "--shard",
            shard,
            "--json",
        ]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let path = folder.path().join(shard.replace('/', "-"));
        std::fs::write(&path, output.stdout).expect("written");
        path.to_string_lossy().into_owned()
    });

    let merged = grove_sim(&["merge", &parts[0], &parts[1], "--json"]);

    let sum: serde_json::Value = serde_json::from_slice(&merged.stdout).expect("JSON");
    assert_eq!((merged.status.code(), &sum["seeds"]), (Some(0), &4.into()));
}

#[rstest]
#[case(&["run", "--seeds", "5..5"], 2)]
#[case(&["run", "--seeds", "0..1", "--shard", "2/2"], 2)]
#[case(&["run", "--seed", "1", "--profile", "wan", "--engine", "full"], 2)]
#[case(&["repro", "Cargo.toml"], 2)]
#[case(&["check-determinism", "--seeds", "0..1", "--profile", "calm"], 0)]
#[case(&["coverage", "--seeds", "0..1", "--profile", "calm"], 0)]
#[case(&["run", "--engine", "fast", "--seed", "1", "--profile", "disk"], 0)]
#[case(&["explore", "--seeds", "0..2", "--profile", "calm", "--runs-max", "2"], 0)]
fn exit_codes_tell_what_happened(#[case] arguments: &[&str], #[case] code: i32) {
    let output = grove_sim(arguments);

    assert_eq!(output.status.code(), Some(code), "{output:?}");
}
