//! Plays a plan on the fast engine to its verdict; what panics is a violation like any other.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::engines::fast::{Finished, Probes, World};
pub use crate::evidence::{Drawn, Finding};
use crate::plan::Plan;
use crate::report::Counts;
use crate::trace::Digest;

/// What became of a plan on the fast engine.
#[derive(Clone, Debug)]
pub struct Played {
    /// The first violation, if there was one.
    pub found: Option<Finding>,
    /// What was done.
    pub counts: Counts,
    /// Hash over all events and bytes.
    pub digest: Digest,
    /// Hash over what was accepted and decided.
    pub meaning: String,
    /// Length on the simulated clock.
    pub simulated_us: u64,
    /// Which rare states were met.
    pub probes: Probes,
    /// The events as JSON lines, when they were asked for.
    pub lines: Option<Vec<u8>>,
    /// The operations of the run, when its events were asked for.
    pub drawn: Vec<Drawn>,
}

/// Plays a plan from the beginning to the end.
pub fn play(plan: &Plan, keep_lines: bool) -> Played {
    play_world(plan, keep_lines, World::play)
}

/// Plays a plan for its first violation alone.
pub fn caught_play(plan: &Plan) -> Option<Finding> {
    play(plan, false).found
}

/// Plays a plan in which other futures are taken: after each of these steps that of another seed.
pub fn play_turned(plan: &Plan, turns: &[(u64, u64)], keep_lines: bool) -> Played {
    play_world(plan, keep_lines, |world| {
        let mut turns = turns.iter().peekable();
        loop {
            while let Some((_, seed)) = turns.next_if(|(step, _)| world.steps() >= *step) {
                world.turn_to(*seed);
            }
            if !world.step() {
                break;
            }
        }
    })
}

fn play_world(plan: &Plan, keep_lines: bool, play: impl FnOnce(&mut World)) -> Played {
    let mut world = match World::build(plan, keep_lines) {
        Ok(world) => world,
        Err(error) => unreachable!("a store in memory opens: {error}"),
    };
    let panicked = caught(|| play(&mut world));
    let (event, at_us) = world.moment();
    let finished = match panicked {
        None => world.finish(),
        Some(_) => world.broken(),
    };
    let panicked = panicked.map(|difference| Finding {
        invariant: "nothing_panics".to_owned(),
        difference,
        event,
        at_us,
    });
    played(finished, panicked)
}

fn played(finished: Finished, panicked: Option<Finding>) -> Played {
    Played {
        found: panicked.or(finished.found),
        counts: finished.counts,
        digest: finished.digest,
        meaning: finished.meaning,
        simulated_us: finished.simulated_us,
        probes: finished.probes,
        lines: finished.lines,
        drawn: finished.drawn,
    }
}

thread_local! {
    /// The panic of what is played on this thread; `None` while nothing is.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something and tells what it panicked with.
pub(crate) fn caught(run: impl FnOnce()) -> Option<String> {
    install_hook();
    PANIC.set(Some(String::new()));
    let ended = panic::catch_unwind(AssertUnwindSafe(run));
    let told = PANIC.take().unwrap_or_default();
    ended.err().map(|_| told)
}

fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            let is_played = PANIC.with_borrow_mut(|told| match told {
                Some(told) => {
                    *told = panicked.to_string().replace('\n', " ");
                    true
                }
                None => false,
            });
            if !is_played {
                previous(panicked);
            }
        }));
    });
}
