//! Looks for rare states from where others were met: a world is a value, so it can be cloned where something happens
//! for the first time, and sent into other futures.
//!
//! Where a probe fires that no run fired before, or two probes fire in one run that never did together, the world is
//! kept. Other futures are drawn from kept worlds: those that led to more are drawn from more often. Every find is a
//! recipe: a plan, and after which steps the random choices are those of other seeds. It runs from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::engines::fast::{Probe, World};
use crate::plan::{Plan, Profile};
use crate::play::{Finding, caught};

/// Worlds that are kept; beyond them those that led to least go.
const KEPT_MAX: usize = 128;
/// Of a hundred runs so many begin anew instead of from a kept world.
const FRESH_PERCENT: u64 = 35;
/// Worlds kept of one run.
const KEPT_PER_RUN: usize = 4;

/// How to explore.
#[derive(Clone, Debug)]
pub struct ExploreOptions {
    /// Seeds of new runs.
    pub seeds: Range<u64>,
    /// Their kind of trouble.
    pub profile: Option<Profile>,
    /// Stop after so long.
    pub time_max: Duration,
    /// Stop after so many runs.
    pub runs_max: u64,
    /// Stop at the first failure of these many.
    pub failures_max: usize,
    /// Whether to go on from kept worlds at all; without, it is a sweep with the same bookkeeping.
    pub branches: bool,
}

/// A failure, with the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The seed of the plan.
    #[serde(with = "crate::decimal")]
    pub seed: u64,
    /// Its profile.
    pub profile: Option<Profile>,
    /// After which steps the choices of which other seeds count.
    pub turns: Vec<(u64, u64)>,
    /// What was found.
    pub finding: Finding,
    /// At which run.
    pub run: u64,
}

/// What exploring came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explored {
    /// Runs, and of them those that went on from a kept world.
    pub runs: u64,
    #[allow(missing_docs)]
    pub branched: u64,
    /// Probes met, and pairs of them in one run.
    pub probes: usize,
    #[allow(missing_docs)]
    pub pairs: usize,
    /// Seconds.
    pub wall_s: f64,
    /// Failures.
    pub failures: Vec<Recipe>,
}

/// A world at a moment that was worth keeping.
struct Kept {
    world: World,
    plan_seed: u64,
    turns: Vec<(u64, u64)>,
    met: BTreeSet<Probe>,
    tried: u64,
    led: u64,
}

#[derive(Default)]
struct Explorer {
    kept: Vec<Kept>,
    probes: BTreeSet<Probe>,
    pairs: BTreeSet<(Probe, Probe)>,
    plans: BTreeMap<u64, Option<Profile>>,
}

/// Explores until a bound is reached.
pub fn explore(options: &ExploreOptions, progress: &mut dyn FnMut(&Explored)) -> Explored {
    let started = Instant::now();
    let mut explorer = Explorer::default();
    let mut result = Explored::default();
    let mut seeds = options.seeds.clone();
    let draw = Draw::new(options.seeds.start);
    while started.elapsed() < options.time_max
        && result.runs < options.runs_max
        && result.failures.len() < options.failures_max
    {
        result.runs += 1;
        let run = result.runs;
        let anew = !options.branches
            || explorer.kept.is_empty()
            || draw.chance(FRESH_PERCENT, "explore anew", 0, run);
        let failure = if anew {
            let Some(seed) = seeds.next() else { break };
            explorer.begin(seed, options)
        } else {
            result.branched += 1;
            explorer.branch(draw, run)
        };
        result.failures.extend(failure.map(|mut recipe| {
            recipe.run = run;
            recipe
        }));
        result.probes = explorer.probes.len();
        result.pairs = explorer.pairs.len();
        result.wall_s = started.elapsed().as_secs_f64();
        progress(&result);
    }
    result.wall_s = started.elapsed().as_secs_f64();
    result
}

impl Explorer {
    /// A run from the beginning.
    fn begin(&mut self, seed: u64, options: &ExploreOptions) -> Option<Recipe> {
        let plan = Plan::swarm(seed, options.profile);
        self.plans.insert(seed, plan.profile);
        let world = World::build(&plan, false).ok()?;
        let (recipe, _) = self.follow(world, seed, Vec::new(), BTreeSet::new(), options.branches);
        recipe
    }

    /// Another future of a kept world.
    fn branch(&mut self, draw: Draw, run: u64) -> Option<Recipe> {
        // The one that led to most for how often it was tried.
        let score = |kept: &Kept| (kept.led + 1) * 1_000 / (kept.tried + 1);
        let best = self.kept.iter().map(score).max()?;
        let good: Vec<usize> = (0..self.kept.len())
            .filter(|nth| score(&self.kept[*nth]) * 2 >= best)
            .collect();
        let nth = good[draw.pick(good.len(), "explore from", 0, run)];
        let kept = &mut self.kept[nth];
        kept.tried += 1;
        let mut world = kept.world.clone();
        let (seed, met) = (kept.plan_seed, kept.met.clone());
        let mut turns = kept.turns.clone();
        let future = draw.number("explore future", seed, run);
        turns.push((world.steps(), future));
        world.turn_to(future);
        let (recipe, led) = self.follow(world, seed, turns, met, true);
        if let Some(kept) = self.kept.get_mut(nth) {
            kept.led += led;
        }
        recipe
    }

    /// Plays a world to its end, and keeps it where something happens that never did before.
    fn follow(
        &mut self,
        mut world: World,
        seed: u64,
        turns: Vec<(u64, u64)>,
        mut met: BTreeSet<Probe>,
        keeps: bool,
    ) -> (Option<Recipe>, u64) {
        let (mut led, mut kept_now) = (0, 0);
        let panicked = caught(|| {
            while world.step() {
                for probe in world.fresh().to_vec() {
                    let is_new = self.probes.insert(probe);
                    let pairs: Vec<_> = met
                        .iter()
                        .map(|other| (probe.min(*other), probe.max(*other)))
                        .collect();
                    met.insert(probe);
                    let new_pairs = pairs.into_iter().filter(|pair| self.pairs.insert(*pair));
                    let count = new_pairs.count() as u64 + u64::from(is_new);
                    led += count;
                    if keeps && count > 0 && kept_now < KEPT_PER_RUN {
                        kept_now += 1;
                        self.keep(&world, seed, &turns, &met, count);
                    }
                }
            }
        });
        let (event, at_us) = world.moment();
        let finding = match panicked {
            Some(difference) => Some(Finding {
                invariant: "nothing_panics".to_owned(),
                difference,
                event,
                at_us,
            }),
            None => world.found(),
        };
        let profile = self.plans.get(&seed).copied().flatten();
        let recipe = finding.map(|finding| Recipe {
            seed,
            profile,
            turns,
            finding,
            run: 0,
        });
        (recipe, led)
    }

    fn keep(
        &mut self,
        world: &World,
        plan_seed: u64,
        turns: &[(u64, u64)],
        met: &BTreeSet<Probe>,
        led: u64,
    ) {
        if self.kept.len() >= KEPT_MAX {
            let score = |kept: &Kept| (kept.led + 1) * 1_000 / (kept.tried + 1);
            let least = (0..self.kept.len()).min_by_key(|nth| score(&self.kept[*nth]));
            self.kept.swap_remove(least.unwrap_or(0));
        }
        self.kept.push(Kept {
            world: world.clone(),
            plan_seed,
            turns: turns.to_vec(),
            met: met.clone(),
            tried: 0,
            led,
        });
    }
}
