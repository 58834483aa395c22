//! How much the vectors notice: every rule of our library broken on purpose, one at a time.
//!
//! Each mutant of [`grove_core::mutant`] answers all vectors through the adapter protocol, in a process
//! of its own. It is killed when a case that the whole library passes strongly no longer does. Nothing
//! but the vectors is asked: what only a unit test or the live suite would see counts as survived.

mod excuses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use grove_core::mutant::Mutant;

use crate::runner::{self, Command, Outcome, Run, RunError};
use crate::suite::{Ruleset, Suite};
pub use excuses::EXCUSES;

/// How long a mutant may take for an answer; the whole library needs milliseconds.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// Killing cases that are named.
const KILLERS_NAMED: usize = 3;

/// What to measure and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program, as built with the feature `mutants`.
    pub program: PathBuf,
    /// Glob over names of mutants.
    pub only: Option<String>,
    /// Mutants to ask side by side.
    pub jobs: usize,
}

/// What became of one mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The rule and how it was broken.
    pub mutant: Mutant,
    /// Cases that got another verdict or another result.
    pub by_answer: usize,
    /// Cases that were refused as they should be, for another reason.
    pub by_reason: usize,
    /// Cases that the mutant crashed over, or answered too late or in no known form. Once it did so too
    /// often in a row, the others were not asked.
    pub by_breakdown: usize,
    /// The first of these cases, in this order.
    pub killers: Vec<String>,
    /// Why the mutant may live.
    pub excuse: Option<&'static str>,
}

impl Fate {
    /// Whether any case noticed.
    pub const fn is_killed(&self) -> bool {
        self.by_answer + self.by_reason + self.by_breakdown > 0
    }

    /// Whether nothing but the named reason of refusals gave the mutant away.
    pub const fn is_killed_by_reason_only(&self) -> bool {
        self.is_killed() && self.by_answer + self.by_breakdown == 0
    }
}

/// What became of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// In the order of the table.
    pub fates: Vec<Fate>,
    /// Cases the whole library passes strongly; only these can kill.
    pub cases: usize,
}

impl Measurement {
    /// How many mutants were killed.
    pub fn killed(&self) -> usize {
        let killed = self.fates.iter().filter(|fate| fate.is_killed());
        killed.count()
    }

    /// Killed mutants of all that guard a requirement or ruling, by its id.
    pub fn by_requirement(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let mut scores = BTreeMap::new();
        for fate in &self.fates {
            for id in fate.mutant.point.guards() {
                let (killed, all) = scores.entry(*id).or_insert((0, 0));
                *killed += usize::from(fate.is_killed());
                *all += 1;
            }
        }
        scores
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// No rule can be broken in this build.
    #[error(
        "this build breaks no rules; build one that can: \
         cargo run --release -p grove-conformance --features mutants -- mutants"
    )]
    NotBuilt,
    /// No mutant matches.
    #[error("no mutant matches {0:?}")]
    NothingToBreak(String),
    /// A run ended before it began.
    #[error("{what}: {source}")]
    Run {
        /// The mutant, or the whole library.
        what: String,
        /// Why.
        source: RunError,
    },
}

/// Shows the vectors to every mutant; `progress` is called with the number of finished ones.
pub fn measure(
    suite: &Suite,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Measurement, MeasureError> {
    if !grove_core::mutant::ENABLED {
        return Err(MeasureError::NotBuilt);
    }
    let only = options.only.as_deref().unwrap_or("*");
    let mutants: Vec<_> = Mutant::all()
        .filter(|mutant| runner::matches(only, &mutant.to_string()))
        .collect();
    if mutants.is_empty() {
        return Err(MeasureError::NothingToBreak(only.to_owned()));
    }
    let sound = ask(suite, options, None)?;
    let sound: BTreeSet<&str> = strong(&sound).collect();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let work = || {
        let mut fates = Vec::new();
        while let Some(&mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = ask(suite, options, Some(mutant))?;
            fates.push(fate(mutant, &run, &sound));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, mutants.len());
        }
        Ok(fates)
    };
    let shares: Result<Vec<Vec<Fate>>, MeasureError> = thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("workers do not panic"))
            .collect()
    });
    let mut fates = shares?.concat();
    fates.sort_by_key(|fate| (fate.mutant.point, fate.mutant.change));
    Ok(Measurement {
        fates,
        cases: sound.len(),
    })
}

/// All vectors, answered by the library with one rule broken, or whole.
fn ask(suite: &Suite, options: &Options, mutant: Option<Mutant>) -> Result<Run, MeasureError> {
    let mut args = vec!["adapter".to_owned(), "serve".to_owned()];
    if let Some(mutant) = mutant {
        args.extend(["--mutant".to_owned(), mutant.to_string()]);
    }
    let options = runner::Options {
        command: Command::Program(options.program.clone(), args),
        ruleset: Ruleset::Spec,
        only: None,
        jobs: 1,
        seed: 1,
        timeout: ANSWER_TIME_MAX,
    };
    runner::run(suite, &options, &|_, _| {}).map_err(|source| MeasureError::Run {
        what: mutant.map_or("the whole library".to_owned(), |mutant| mutant.to_string()),
        source,
    })
}

fn strong(run: &Run) -> impl Iterator<Item = &str> {
    run.records
        .iter()
        .filter(|record| record.outcome == Outcome::Strong)
        .map(|record| record.id.as_str())
}

/// What the cases in `sound` say about a mutant.
fn fate(mutant: Mutant, run: &Run, sound: &BTreeSet<&str>) -> Fate {
    let [mut by_answer, mut by_reason, mut by_breakdown] = [const { Vec::new() }; 3];
    for record in &run.records {
        if !sound.contains(record.id.as_str()) {
            continue;
        }
        let noticed = match record.outcome {
            // Not asked at all, so nobody has noticed anything.
            Outcome::Strong | Outcome::GivenUp => continue,
            Outcome::Weak(_) => &mut by_reason,
            Outcome::WrongVerdict(_) | Outcome::WrongOutput(_) => &mut by_answer,
            _ => &mut by_breakdown,
        };
        noticed.push(record.id.clone());
    }
    let name = mutant.to_string();
    Fate {
        mutant,
        by_answer: by_answer.len(),
        by_reason: by_reason.len(),
        by_breakdown: by_breakdown.len(),
        killers: [by_answer, by_breakdown, by_reason]
            .concat()
            .into_iter()
            .take(KILLERS_NAMED)
            .collect(),
        excuse: EXCUSES
            .iter()
            .find(|(excused, _)| *excused == name)
            .map(|(_, why)| *why),
    }
}
