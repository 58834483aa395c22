//! Makes one thread's clock and randomness a function of a seed, libraries included.
//!
//! Hash maps, WebSocket masks, runtime seeds and time stamps of the libraries under simulation all end
//! in four functions of the C library. This crate defines those four itself ([`interpose`]); while a
//! thread holds a [`Control`] they answer from the seed and the simulated clock, everywhere else they
//! hand the call on to the C library.
//!
//! Leaves out: other threads (a simulation starts none), reads of `/dev/urandom`, and addresses of
//! memory, which no override can fix.
//!
//! Always true: without a live [`Control`] on the thread nothing differs from an ordinary process.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod interpose;

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::draw::Draw;

/// Simulated time starts here: 2025-01-01T00:00:00Z, so that libraries see a plausible date.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_735_689_600);

/// Which of the four functions are taken over.
///
/// All of them in a real run; tests take single ones away to show that each is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Surfaces {
    /// `getrandom`: hash map keys of the standard library, most random crates.
    pub getrandom: bool,
    /// `getentropy`: the portable spelling of the same.
    pub getentropy: bool,
    /// `syscall(SYS_getrandom, …)`: crates that go round the C library's wrapper.
    pub syscall: bool,
    /// `clock_gettime`: every clock of the standard library.
    pub clock: bool,
}

impl Surfaces {
    /// Every surface controlled.
    pub(crate) const ALL: Self = Self {
        getrandom: true,
        getentropy: true,
        syscall: true,
        clock: true,
    };
    /// No surface controlled: an ordinary process.
    #[cfg(test)]
    const NONE: Self = Self {
        getrandom: false,
        getentropy: false,
        syscall: false,
        clock: false,
    };
}

/// The control could not be taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The C library's functions can only be taken over on Linux with glibc. (Local)
    #[error("this platform has no control over clocks and randomness; Linux with glibc is needed")]
    Platform,
    /// The overrides are in the program, yet calls do not reach them. (Local)
    #[error("the overrides are linked but calls to {function} do not reach them")]
    Unreached { function: &'static str },
}

#[derive(Clone, Copy)]
struct State {
    draw: Draw,
    surfaces: Surfaces,
    draws: u64,
    now: Duration,
}

thread_local! {
    // No destructor and no lazy initialiser: the overrides run during thread start and exit too.
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
}

/// Keeps this thread's clock and randomness under the seed until dropped.
#[derive(Debug)]
pub(crate) struct Control {
    // Dropped on another thread it would release the wrong state.
    not_send: PhantomData<*const ()>,
}

impl Control {
    /// Takes control of the calling thread.
    ///
    /// Take it first thing on a fresh thread: the standard library draws the keys of its hash maps
    /// once per thread, and keys drawn before are not under the seed.
    ///
    /// # Errors
    ///
    /// On platforms without the overrides, and when a probe shows that they are not in force.
    ///
    /// # Panics
    ///
    /// When the thread is under control already.
    pub(crate) fn take(seed: u64, surfaces: Surfaces) -> Result<Self, ControlError> {
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            return Err(ControlError::Platform);
        }
        assert!(STATE.get().is_none(), "two simulations on one thread");
        let state = State {
            draw: Draw::new(seed),
            surfaces,
            draws: 0,
            now: Duration::ZERO,
        };
        STATE.set(Some(state));
        let control = Self {
            not_send: PhantomData,
        };
        probe(surfaces)?;
        Ok(control)
    }

    /// Moves the simulated clock to `now` since the start of the simulation.
    pub(crate) fn set_clock(&self, now: Duration) {
        let mut state = STATE.get().expect("a control keeps its state");
        assert!(now >= state.now, "the simulated clock ran backwards");
        state.now = now;
        STATE.set(Some(state));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        STATE.set(None);
    }
}

/// Shows that calls arrive here, instead of trusting the linker.
fn probe(surfaces: Surfaces) -> Result<(), ControlError> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Some(function) = interpose::unreached() {
        return Err(ControlError::Unreached { function });
    }
    // The standard library is bound when the program is linked, not by name.
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed();
    if surfaces.clock && clock.ok() != Some(EPOCH) {
        let function = "clock_gettime";
        return Err(ControlError::Unreached { function });
    }
    Ok(())
}

/// The simulated time since 1970, or `None` where the clock is not under control.
fn controlled_clock() -> Option<Duration> {
    let state = STATE.get()?;
    state.surfaces.clock.then(|| EPOCH + state.now)
}

/// Fills `buffer` from the seed, or returns `false` where `surface` is not under control.
fn controlled_fill(surface: fn(&Surfaces) -> bool, buffer: &mut [u8]) -> bool {
    let Some(mut state) = STATE.get() else {
        return false;
    };
    if !surface(&state.surfaces) {
        return false;
    }
    state.draw.fill("library", 0, state.draws, buffer);
    state.draws += 1;
    STATE.set(Some(state));
    true
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::hash::{BuildHasher, RandomState};
    use std::time::SystemTime;

    /// What the libraries under simulation draw, by each way they draw it.
    #[derive(Debug, PartialEq)]
    struct Draws {
        hash_map_keys: u64,
        by_getrandom: [u8; 16],
        by_getentropy: [u8; 16],
        by_syscall: [u8; 16],
        clock: SystemTime,
    }

    fn draws(seed: u64, surfaces: Surfaces) -> Draws {
        let fresh_thread = std::thread::spawn(move || {
            let control = Control::take(seed, surfaces).expect("Linux with glibc");
            control.set_clock(Duration::from_millis(1_500));
            Draws {
                hash_map_keys: RandomState::new().hash_one("key"),
                by_getrandom: filled(|bytes| getrandom::fill(bytes).expect("never fails")),
                by_getentropy: filled(entropy),
                by_syscall: filled(|bytes| {
                    getrandom_by_syscall::getrandom(bytes).expect("never fails")
                }),
                clock: SystemTime::now(),
            }
        });
        fresh_thread.join().expect("does not panic")
    }

    fn filled(fill: impl FnOnce(&mut [u8])) -> [u8; 16] {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        bytes
    }

    #[allow(unsafe_code)] // No crate in the tree calls `getentropy` on Linux; others may come to.
    fn entropy(bytes: &mut [u8]) {
        // SAFETY: the slice is writable for its length.
        let result = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
        assert_eq!(result, 0);
    }

    #[test]
    fn seed_alone_decides_what_libraries_draw() {
        let first = draws(7, Surfaces::ALL);

        assert_eq!(draws(7, Surfaces::ALL), first);
        assert_eq!(
            first.clock,
            SystemTime::UNIX_EPOCH + EPOCH + Duration::from_millis(1_500)
        );
        assert_ne!(draws(8, Surfaces::ALL).by_getrandom, first.by_getrandom);
    }

    #[rstest]
    #[case::getrandom(Surfaces { getrandom: false, ..Surfaces::ALL })]
    #[case::getentropy(Surfaces { getentropy: false, ..Surfaces::ALL })]
    #[case::syscall(Surfaces { syscall: false, ..Surfaces::ALL })]
    #[case::clock(Surfaces { clock: false, ..Surfaces::ALL })]
    fn each_surface_is_needed(#[case] surfaces: Surfaces) {
        assert_ne!(draws(7, surfaces), draws(7, surfaces));
    }

    #[test]
    fn other_threads_and_times_are_left_alone() {
        let control = Control::take(7, Surfaces::ALL).expect("Linux with glibc");
        let elsewhere = std::thread::spawn(SystemTime::now)
            .join()
            .expect("does not panic");
        drop(control);

        let after = SystemTime::now();

        assert!(after >= elsewhere);
        assert!(after.duration_since(elsewhere).expect("checked above") < Duration::from_secs(60));
        assert_ne!(draws(7, Surfaces::NONE), draws(7, Surfaces::NONE));
    }
}
