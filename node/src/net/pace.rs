//! How fast a peer may ask, and how much of the memory half messages may take.
//!
//! Entries need no pace: the writer takes them when it can, and connections wait. What is asked with few bytes and
//! answered by reading much is what has one: a peer that asks faster is read from more slowly, and one that keeps
//! others waiting in the middle of a message is given up.
//!
//! Always true:
//! - All half messages of all peers together take no more than [`ROOM`] bytes, and [`FREE`] for each.
//! - In any stretch of time no peer gets more questions answered than [`EACH`] says, and all together no more than
//!   [`ALL`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use grove_core::wire::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How much of a message may wait for its rest without asking for room.
const FREE: usize = 256 << 10;

/// What all others together may take.
const ROOM: usize = 48 << 20;

/// In what steps room is taken.
const STEP: usize = 1 << 20;

/// How many questions one peer may ask, and all together.
const EACH: Rate = Rate {
    per_second: 50,
    at_once: 200,
};
const ALL: Rate = Rate {
    per_second: 400,
    at_once: 800,
};

#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: u32,
    at_once: u32,
}

impl Rate {
    /// What one question more takes of the time in which it may be asked.
    fn step(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

/// When the next question would be in its turn, were all before evenly spread.
#[derive(Debug)]
struct Turns {
    rate: Rate,
    next: Instant,
}

impl Turns {
    fn new(rate: Rate) -> Self {
        let next = Instant::now();
        Self { rate, next }
    }

    /// How long a question has to wait.
    fn take(&mut self, now: Instant) -> Duration {
        let (step, ahead) = (self.rate.step(), self.rate.step() * self.rate.at_once);
        self.next = self.next.max(now) + step;
        self.next.saturating_duration_since(now + ahead)
    }
}

/// What all conversations of a node share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    turns: Arc<Mutex<Turns>>,
    room: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            turns: Arc::new(Mutex::new(Turns::new(ALL))),
            room: Arc::new(Semaphore::new(ROOM / STEP)),
        }
    }
}

/// The pace of one peer.
#[derive(Debug)]
pub(super) struct Pace {
    shared: Shared,
    own: Turns,
    held: Option<OwnedSemaphorePermit>,
}

impl Pace {
    pub(super) fn new(shared: Shared) -> Self {
        Self {
            shared,
            own: Turns::new(EACH),
            held: None,
        }
    }

    /// How long a message has to wait until it is answered.
    pub(super) fn pause(&mut self, message: &Message) -> Duration {
        self.pause_at(Instant::now(), message)
    }

    fn pause_at(&mut self, now: Instant, message: &Message) -> Duration {
        let is_cheap = matches!(
            message,
            Message::Entry { .. } | Message::Skeleton { .. } | Message::SyncDone { .. }
        );
        if is_cheap {
            return Duration::ZERO;
        }
        let turns = self.shared.turns.lock();
        let for_all = turns.unwrap_or_else(PoisonError::into_inner).take(now);
        self.own.take(now).max(for_all)
    }

    /// Waits for room for a message of which so many bytes are there already.
    pub(super) async fn room(&mut self, size: usize) {
        if size <= FREE {
            self.held = None;
            return;
        }
        let wanted = size.div_ceil(STEP);
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Ok(more) = u32::try_from(wanted.saturating_sub(held)) else {
            return;
        };
        if more == 0 {
            return;
        }
        let room = Arc::clone(&self.shared.room).acquire_many_owned(more);
        // Nobody closes it.
        if let Ok(more) = room.await {
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use grove_core::wire::Heights;

    use super::*;

    fn question() -> Message {
        Message::Have {
            session: 0,
            heights: Heights::new(),
        }
    }

    #[test]
    fn a_flood_of_questions_is_slowed_and_entries_are_not() {
        let mut pace = Pace::new(Shared::new());
        let now = Instant::now();
        let pauses: Vec<_> = (0..300).map(|_| pace.pause_at(now, &question())).collect();

        let free = pauses.iter().filter(|pause| pause.is_zero()).count();
        assert_eq!(free, 200);
        assert_eq!(pauses[299], Duration::from_secs(2));
        let done = Message::SyncDone {
            session: 0,
            live: true,
        };
        assert_eq!(pace.pause_at(now, &done), Duration::ZERO);

        let later = now + Duration::from_secs(60);
        assert_eq!(pace.pause_at(later, &question()), Duration::ZERO);
    }

    #[test]
    fn many_peers_together_get_no_more_than_all_may() {
        let (shared, now) = (Shared::new(), Instant::now());
        let mut free = 0;
        for _ in 0..32 {
            let mut pace = Pace::new(shared.clone());
            let pauses = (0..100).map(|_| pace.pause_at(now, &question()));
            free += pauses.filter(Duration::is_zero).count();
        }
        assert_eq!(free, 800);
    }

    #[tokio::test]
    async fn half_messages_wait_for_the_room_of_others() {
        let shared = Shared::new();
        let mut holders: Vec<_> = (0..3).map(|_| Pace::new(shared.clone())).collect();
        for holder in &mut holders {
            holder.room(16 << 20).await;
        }
        let mut late = Pace::new(shared);
        late.room(FREE).await;
        let waiting = tokio::time::timeout(Duration::from_millis(50), late.room(FREE + 1)).await;
        assert!(waiting.is_err(), "there is no room");

        holders[0].room(0).await;
        late.room(16 << 20).await;
        assert_eq!(late.held.map(|held| held.num_permits()), Some(16));
    }
}
