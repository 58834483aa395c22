//! Many seeds on the fast engine, some of them twice: what was found, what was met, how fast it went.
//!
//! Decides which seeds belong to a shard, and that two runs of one seed with different hashes are a failure of
//! their own kind. Threads share nothing but the number of the next seed.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engines::fast::Probes;
use crate::plan::{Plan, Profile};
use crate::play::{Finding, play};

/// How a sweep is run.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// Of which profile; `None` lets each seed pick one.
    pub profile: Option<Profile>,
    /// Stop after so long.
    pub time_max: Option<Duration>,
    /// Threads, at least one.
    pub jobs: usize,
    /// Of every so many seeds only the one of this number.
    pub shard: Shard,
    /// Every n-th seed is run twice; 0 for none.
    pub twice_every: u64,
    /// Stop after so many failures.
    pub failures_max: usize,
}

/// A part of a sweep that is spread over machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0 on.
    pub number: u64,
    /// At least one.
    pub of: u64,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { number: 0, of: 1 };
}

/// A seed on which something was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The seed.
    #[serde(with = "crate::decimal")]
    pub seed: u64,
    /// Its profile.
    pub profile: Option<Profile>,
    /// What was wrong.
    pub finding: Finding,
}

/// What came of a sweep, or of several that were merged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Swept {
    /// Seeds that were run.
    pub seeds: u64,
    /// Of them twice.
    pub twice: u64,
    /// Runs of one seed that differed.
    pub diverged: Vec<u64>,
    /// Seeds on which something was wrong.
    pub failures: Vec<Failure>,
    /// Events, messages, faults, restarts.
    pub events: u64,
    #[allow(missing_docs)]
    pub messages: u64,
    #[allow(missing_docs)]
    pub faults: u64,
    #[allow(missing_docs)]
    pub restarts: u64,
    /// Seconds on the simulated clocks, and on the wall's.
    pub simulated_s: f64,
    #[allow(missing_docs)]
    pub wall_s: f64,
    /// How often each probe fired.
    pub probes: std::collections::BTreeMap<String, u64>,
}

impl Swept {
    /// Adds the result of another shard.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.twice += other.twice;
        self.diverged.extend(other.diverged);
        self.failures.extend(other.failures);
        self.events += other.events;
        self.messages += other.messages;
        self.faults += other.faults;
        self.restarts += other.restarts;
        self.simulated_s += other.simulated_s;
        self.wall_s = self.wall_s.max(other.wall_s);
        for (probe, count) in other.probes {
            *self.probes.entry(probe).or_default() += count;
        }
        self.failures.sort_by_key(|failure| failure.seed);
        self.diverged.sort_unstable();
    }

    fn add(&mut self, seed: SeedDone) {
        self.seeds += 1;
        self.twice += u64::from(seed.twice);
        if seed.diverged {
            self.diverged.push(seed.seed);
        }
        self.failures.extend(seed.failure);
        self.events += seed.events;
        self.messages += seed.messages;
        self.faults += seed.faults;
        self.restarts += seed.restarts;
        self.simulated_s += seed.simulated_us as f64 / 1e6;
        for probe in seed.probes.met() {
            let count = self.probes.entry(probe.name().to_owned()).or_default();
            *count += u64::from(seed.probes.count(probe));
        }
    }
}

struct SeedDone {
    seed: u64,
    twice: bool,
    diverged: bool,
    failure: Option<Failure>,
    events: u64,
    messages: u64,
    faults: u64,
    restarts: u64,
    simulated_us: u64,
    probes: Probes,
}

/// Runs the seeds of a shard, and tells of the result so far after each.
///
/// # Panics
///
/// When there are no jobs.
pub fn sweep(options: &SweepOptions, progress: &mut dyn FnMut(&Swept)) -> Swept {
    assert!(options.jobs > 0, "somebody has to do the work");
    let started = Instant::now();
    let next = AtomicU64::new(options.seeds.start);
    let stopped = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let mut swept = Swept::default();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            let (sender, next, stopped) = (sender.clone(), &next, &stopped);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = options.time_max.is_some_and(|max| started.elapsed() >= max);
                    if !options.seeds.contains(&seed) || late || stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    if seed % options.shard.of != options.shard.number {
                        continue;
                    }
                    if sender.send(run_seed(seed, options)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for done in &receiver {
            swept.add(done);
            swept.wall_s = started.elapsed().as_secs_f64();
            if swept.failures.len() >= options.failures_max {
                stopped.store(true, Ordering::Relaxed);
            }
            progress(&swept);
        }
    });
    swept.failures.sort_by_key(|failure| failure.seed);
    swept.diverged.sort_unstable();
    swept.wall_s = started.elapsed().as_secs_f64();
    swept
}

fn run_seed(seed: u64, options: &SweepOptions) -> SeedDone {
    let plan = Plan::swarm(seed, options.profile);
    let played = play(&plan, false);
    let twice = options.twice_every > 0 && seed.is_multiple_of(options.twice_every);
    let diverged = twice && play(&plan, false).digest != played.digest;
    SeedDone {
        seed,
        twice,
        diverged,
        failure: played.found.map(|finding| Failure {
            seed,
            profile: plan.profile,
            finding,
        }),
        events: played.digest.events,
        messages: played.counts.messages,
        faults: played.counts.faults + played.counts.cuts,
        restarts: played.counts.restarts,
        simulated_us: played.simulated_us,
        probes: played.probes,
    }
}
