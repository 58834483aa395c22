//! How much memory large bodies and messages may take, all together.
//!
//! Small ones are free, as many as there may be connections; larger ones lease their size from a store
//! that all connections share, and give it back on drop. Whom to turn away when there is too little is
//! decided by whoever asks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::Limits;

/// What any body may take without being counted.
const FREE_SIZE: usize = 64 << 10;

/// What a value of JSON takes once it is read, with its part of the list or object it is in.
const VALUE_SIZE: usize = 128;

/// What memory is counted in.
const UNIT: usize = 1 << 10;

/// The memory that large requests and answers share.
#[derive(Debug, Clone)]
pub(in crate::http) struct Memory {
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    answers_units: u32,
}

impl Memory {
    pub(in crate::http) fn new(limits: &Limits) -> Self {
        let answers_units = units(limits.answers_size_max);
        Self {
            requests: Arc::new(Semaphore::new(units(limits.bodies_size_max) as usize)),
            answers: Arc::new(Semaphore::new(answers_units as usize)),
            answers_units,
        }
    }

    /// Leases what reading this JSON takes beside its text, for as long as it is worked on. The one measure of
    /// bulk, by whatever way a message comes.
    pub(in crate::http) fn reading(&self, json: &[u8], values_max: usize) -> Result<Reading, Bulk> {
        let starts = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
        let values = json.iter().filter(starts).count();
        if values > values_max {
            return Err(Bulk::Refused);
        }
        let lease = MemoryLease::new(self);
        match lease.hold(values * VALUE_SIZE) {
            true => Ok(Reading { _lease: lease }),
            false => Err(Bulk::Busy),
        }
    }

    /// Leases room for an answer, waiting at most `patience` for it.
    pub(super) async fn answer(&self, size: u64, patience: Duration) -> Option<AnswerLease> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size <= FREE_SIZE {
            return Some(AnswerLease(None));
        }
        let units = units(size).min(self.answers_units);
        let room = Arc::clone(&self.answers).acquire_many_owned(units);
        let permit = tokio::time::timeout(patience, room).await.ok()?.ok()?;
        Some(AnswerLease(Some(permit)))
    }
}

/// The memory of one answer, given back on drop; nothing for small ones.
#[derive(Debug)]
pub(super) struct AnswerLease(Option<OwnedSemaphorePermit>);

impl AnswerLease {
    /// Whether nothing had to be leased.
    pub(super) fn is_free(&self) -> bool {
        self.0.is_none()
    }
}

/// The memory of JSON that is being worked on, given back on drop.
#[derive(Debug)]
pub(in crate::http) struct Reading {
    _lease: MemoryLease,
}

/// Why JSON is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Bulk {
    /// It holds more values than any request needs; those within texts are counted too.
    Refused,
    /// Others take the memory it needs just now.
    Busy,
}

fn units(size: usize) -> u32 {
    u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// What one request or WebSocket has taken of the memory for what clients send, given back on drop.
#[derive(Debug)]
pub(super) struct MemoryLease {
    memory: Arc<Semaphore>,
    taken: Mutex<Taken>,
    /// Whether there was too little.
    short: AtomicBool,
}

#[derive(Debug, Default)]
struct Taken {
    size: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl MemoryLease {
    pub(super) fn new(memory: &Memory) -> Self {
        Self {
            memory: Arc::clone(&memory.requests),
            taken: Mutex::default(),
            short: AtomicBool::new(false),
        }
    }

    /// Takes memory for a part of a body; `false` when there is too little.
    pub(super) fn charge(&self, size: usize) -> bool {
        let mut taken = self.lock();
        taken.size = taken.size.saturating_add(size);
        let size = taken.size;
        let held = self.adjust(&mut taken, size);
        if !held {
            taken.permit = None;
            self.short.store(true, Ordering::Relaxed);
        }
        held
    }

    /// Holds memory for so much and no more; `false` when there is too little.
    pub(super) fn hold(&self, size: usize) -> bool {
        self.adjust(&mut self.lock(), size)
    }

    /// Whether a part of a body found too little memory.
    pub(super) fn was_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    fn adjust(&self, taken: &mut Taken, size: usize) -> bool {
        let wanted = units(size.saturating_sub(FREE_SIZE)) as usize;
        let held = taken.permit.as_ref();
        let held = held.map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted <= held {
            let rest = taken.permit.as_mut();
            drop(rest.and_then(|permit| permit.split(held - wanted)));
            return true;
        }
        let more = u32::try_from(wanted - held).unwrap_or(u32::MAX);
        match Arc::clone(&self.memory).try_acquire_many_owned(more) {
            Ok(permit) => match &mut taken.permit {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            },
            Err(_) => return false,
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_memory_until_they_were_worked_on() {
        let limits = Limits {
            bodies_size_max: 1 << 20,
            ..Limits::default()
        };
        let memory = Memory::new(&limits);
        let json = format!("[{}0]", "0,".repeat(4000));
        let read = || memory.reading(json.as_bytes(), 5000);

        let held = [read().unwrap(), read().unwrap()];

        assert_eq!(read().unwrap_err(), Bulk::Busy);
        assert!(
            memory.reading(b"[1,2,3]", 5000).is_ok(),
            "small ones are free"
        );
        drop(held);
        assert!(read().is_ok());
        assert_eq!(
            memory.reading(json.as_bytes(), 3000).unwrap_err(),
            Bulk::Refused
        );
    }
}
