//! The time of a deployed node: Unix time that never steps back.
//!
//! The system's clock is followed when it is ahead, as after a machine slept. When it is set back, time goes
//! on from where it was at the speed of the monotonic clock, so that no deadline is put off.

use std::sync::{Mutex, PoisonError};
use std::time::{self, Duration, SystemTime, UNIX_EPOCH};

use grove_core::time::Instant;

/// Tells the time, the same to all threads.
#[derive(Debug)]
pub(super) struct Clock(Mutex<Reading>);

#[derive(Debug)]
struct Reading {
    /// Unix time when it was last set.
    unix: Duration,
    /// What the monotonic clock said then.
    at: time::Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Reading {
            unix: system(),
            at: time::Instant::now(),
        }))
    }

    pub(super) fn now(&self) -> Instant {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.tell(system(), time::Instant::now())
    }
}

impl Reading {
    /// The time when the clocks of the system say these.
    fn tell(&mut self, system: Duration, monotonic: time::Instant) -> Instant {
        let gone_on = self.unix + monotonic.saturating_duration_since(self.at);
        assert!(gone_on >= self.unix, "time steps back");
        if system > gone_on {
            self.unix = system;
            self.at = monotonic;
        }
        let micros = gone_on.max(system).as_micros();
        Instant(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

fn system() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_holds_nothing_up() {
        let at = time::Instant::now();
        let mut clock = Reading {
            unix: Duration::from_secs(1000),
            at,
        };
        let mut tell = |system_s: u64, monotonic_s: u64| {
            let monotonic = at + Duration::from_secs(monotonic_s);
            clock
                .tell(Duration::from_secs(system_s), monotonic)
                .as_secs()
        };

        assert_eq!(tell(1001, 1), 1001);
        assert_eq!(tell(500, 2), 1002, "set back");
        assert_eq!(tell(501, 3), 1003);
        assert_eq!(tell(5000, 4), 5000, "ahead, as after a sleep");
        assert_eq!(tell(4000, 6), 5002);
    }
}
