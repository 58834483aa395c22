//! `case`: one case, in words or asked.

use std::time::Duration;

use clap::Args;
use grove_node::terminal::{complain, print};

use super::{Dir, Ended, adapter_of};
use crate::exit::Exit;
use crate::explain;
use crate::live::{self, LiveOutcome};
use crate::runner::{self, Options, Selection, batch};
use crate::suite::store::Files;
use crate::suite::{Ruleset, Suite};

#[derive(Debug, Args)]
pub(super) struct OneCase {
    /// Its id.
    id: String,
    /// Say what it turns on, what is right and why, and what its bytes mean. Done unless an adapter is
    /// asked.
    #[arg(long)]
    explain: bool,
    /// Ask this adapter; show the question, the answer and the judgement.
    #[arg(long, value_name = "CMD")]
    adapter: Option<String>,
    /// Ask the node at this address; live cases are those of `node cases`.
    #[arg(long, value_name = "URL", conflicts_with = "adapter")]
    http: Option<String>,
    /// Seed of the keys and names of a live case.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rules to judge by; when absent `spec`, but `wire-0.9` for nodes of another kind.
    #[arg(long, value_enum)]
    ruleset: Option<Ruleset>,
    /// Count a refusal for another reason than the expected one as a failure.
    #[arg(long)]
    strict: bool,
    /// Seconds an answer may take.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    dir: Dir,
}

pub(super) fn run(args: &OneCase, own: Files<'_>) -> Ended {
    let suite = args.dir.suite(own)?;
    if let Some(http) = &args.http {
        return ask_node(args, http, &suite);
    }
    let id = args.id.strip_prefix("live-").unwrap_or(&args.id);
    let Some((path, file, case)) = explain::find(&suite, id) else {
        if let Some(case) = live::all_cases(&suite)
            .iter()
            .find(|case| case.id == args.id)
        {
            print(in_words(case))?;
            return Ok(Exit::Conforms);
        }
        complain(format_args!(
            "grove-conformance: there is no case {:?}",
            args.id
        ));
        for id in explain::near_misses(&suite, &args.id) {
            complain(format_args!("  did you mean {id}?"));
        }
        return Ok(Exit::Usage);
    };
    if args.explain || args.adapter.is_none() {
        print(explain::explain(&suite, path, file, case))?;
    }
    match &args.adapter {
        Some(adapter) => ask(args, adapter, &suite),
        None => Ok(Exit::Conforms),
    }
}

/// What a live case is about.
fn in_words(case: &live::Case<'_>) -> String {
    let needs: Vec<_> = case.needs.iter().map(|need| need.words()).collect();
    format!(
        "{}\n  {}\n  profile {}, level {}, needs {}\n  turns on {} {}\n",
        case.id,
        case.title,
        case.profile,
        case.level.word(),
        needs.join(", "),
        case.requires.join(" "),
        case.ruling.as_deref().unwrap_or_default(),
    )
}

/// Has the node at `http` judged by the one case, and shows the whole conversation.
fn ask_node(args: &OneCase, http: &str, suite: &Suite) -> Ended {
    let options = live::Options {
        ruleset: args.ruleset,
        only: Some(args.id.clone()),
        hazardous: true,
        transcripts: true,
        ..live::Options::new(args.seed)
    };
    let run = live::run(http, suite, &options, &|_, _| {})?;
    let record = &run.records[0];
    print(live::evidence::in_words(record))?;
    Ok(match record.outcome {
        LiveOutcome::Passed => Exit::Conforms,
        LiveOutcome::Weak(_) if !args.strict => Exit::Conforms,
        LiveOutcome::Weak(_) | LiveOutcome::Failed(_) => Exit::Failures,
        LiveOutcome::NotApplicable(_) => Exit::Partial,
        LiveOutcome::SetUpFailed(_) => Exit::SetUpFailed,
    })
}

fn ask(args: &OneCase, adapter: &str, suite: &Suite) -> Ended {
    let options = Options {
        command: adapter_of(Some(adapter))?,
        ruleset: args.ruleset.unwrap_or_default(),
        only: Some(args.id.clone()),
        jobs: 1,
        seed: 1,
        timeout: Duration::from_secs(args.timeout),
    };
    let selection = Selection {
        ruleset: args.ruleset.unwrap_or_default(),
        only: options.only.clone(),
        seed: options.seed,
    };
    let question = batch::questions(suite, &selection)?.swap_remove(1);
    let run = runner::run(suite, &options, &|_, _| {})?;
    let record = &run.records[0];
    let answer = record.answer.as_ref();
    let mut lines = vec![
        format!("question   {question}"),
        answer.map_or("answer     none".to_owned(), |answer| {
            format!("answer     {answer}")
        }),
        format!("judgement  {}", record.outcome.headline()),
    ];
    let stderr = record.stderr.iter();
    lines.extend(stderr.map(|line| format!("stderr     {line}")));
    print(lines.join("\n") + "\n")?;
    let passed = match &record.outcome {
        runner::Outcome::Weak(_) => !args.strict,
        outcome => outcome.is_pass(),
    };
    Ok(if passed {
        Exit::Conforms
    } else {
        Exit::Failures
    })
}
