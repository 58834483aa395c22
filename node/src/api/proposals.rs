//! Which log ids were just proposed to a key, so that a second asker is proposed the next one.
//!
//! Next arguments are a pure function of what is stored: two who ask at the same time with one key, as two
//! tabs of a page do, would both be told to begin the same log, and the second to publish would be refused.
//! So what was proposed is remembered for a short time. An id that is never used leaves a gap, which is
//! allowed (R22).
//!
//! Holds nothing that matters: forgotten, a client is refused with fresh arguments and asks no more than
//! once again. Several nodes on one database each remember what they proposed themselves, so that askers at
//! different nodes may be proposed the same id, and the second of them is refused.
//!
//! Always true:
//! - A new document is never proposed an id that was proposed to the same key within [`KEPT_FOR`], as long
//!   as neither bound below is reached.
//! - Whoever asks again for the same document, in which the key has no log yet, is proposed the same id.
//! - Only first entries of new logs are touched; all other arguments pass as they are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grove_core::author::NextArgs;
use grove_core::publish::unused_log_id;
use grove_core::types::{DocumentId, DocumentViewId, LogId, PublicKey, SeqNum};
use tokio::time::Instant;

use super::{ApiError, next_args};
use crate::store::Read;

/// For how long a proposal stands.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Proposals to one key that are remembered; beyond them the oldest are forgotten.
const PER_KEY_MAX: usize = 10_240;

/// Proposals to all keys that are remembered; beyond them the oldest are forgotten.
const TOTAL_MAX: usize = 65_536;

/// What was proposed to whom. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Proposals {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<PublicKey, Proposed>,
    /// Every proposal with when it was made, oldest first. Those that were taken back or made anew
    /// meanwhile are left to age.
    ages: VecDeque<Age>,
    serial: u64,
}

#[derive(Debug, Clone, Copy)]
struct Age {
    at: Instant,
    author: PublicKey,
    log_id: LogId,
    serial: u64,
}

/// What was proposed to one key.
#[derive(Debug, Default)]
struct Proposed {
    /// The highest id that any asker found unused. One who read the store earlier, and comes here later,
    /// takes ids for unused that were used meanwhile, and whose proposals are forgotten.
    unused: LogId,
    logs: BTreeMap<LogId, Proposal>,
    documents: BTreeMap<DocumentId, LogId>,
}

#[derive(Debug, Clone, Copy)]
struct Proposal {
    /// The document that the key wants to write to; `None` for a new one.
    document: Option<DocumentId>,
    serial: u64,
}

impl Proposals {
    /// The arguments of an author's next entry, as [`next_args`](super::next_args) tells them, but for the
    /// log id of a new log: that is one which nobody else was proposed just now.
    pub fn next_args(
        &self,
        store: &dyn Read,
        now: Instant,
        author: PublicKey,
        view_id: Option<&DocumentViewId>,
    ) -> Result<NextArgs, ApiError> {
        let args = next_args(store, author, view_id)?;
        if args.seq_num != SeqNum::FIRST {
            return Ok(args);
        }
        let document = match view_id {
            Some(view_id) => store.operation(view_id.ids()[0])?.map(|row| row.document),
            None => None,
        };
        let is_used = |log_id| {
            let first = store.entries_at(author, log_id, SeqNum::FIRST, 1)?;
            Ok::<_, ApiError>(!first.is_empty())
        };
        let log_id = self.propose(now, author, document, args.log_id, is_used)?;
        Ok(NextArgs::first(log_id))
    }

    /// A log id that is neither used nor proposed to somebody else, from `unused` on, the id that would be
    /// proposed otherwise. `document` is the document to write to, unless it is a new one; `is_used` tells
    /// whether the key has such a log.
    fn propose<E>(
        &self,
        now: Instant,
        author: PublicKey,
        document: Option<DocumentId>,
        unused: LogId,
        is_used: impl Fn(LogId) -> Result<bool, E>,
    ) -> Result<LogId, E> {
        let mut state = self.lock();
        state.forget_before(now);
        let log_id = match state.keys.get_mut(&author) {
            None => unused,
            Some(proposed) => {
                let unused = proposed.latest(unused);
                proposed.forget_used(unused);
                match proposed.of_document(document, &is_used)? {
                    Some(log_id) => log_id,
                    None => proposed.free_from(unused, &is_used)?,
                }
            }
        };
        state.remember(now, author, log_id, document);
        Ok(log_id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what no longer stands.
    fn forget_before(&mut self, now: Instant) {
        while let Some(oldest) = self.ages.front()
            && (now.saturating_duration_since(oldest.at) >= KEPT_FOR
                || self.ages.len() >= TOTAL_MAX)
        {
            let oldest = self.ages.pop_front().expect("looked at above");
            self.forget(oldest);
        }
    }

    fn forget(&mut self, age: Age) {
        let Some(proposed) = self.keys.get_mut(&age.author) else {
            return;
        };
        let stands = proposed.logs.get(&age.log_id);
        if stands.is_some_and(|proposal| proposal.serial == age.serial) {
            proposed.forget(age.log_id);
        }
        if proposed.logs.is_empty() {
            self.keys.remove(&age.author);
        }
    }

    fn remember(
        &mut self,
        at: Instant,
        author: PublicKey,
        log_id: LogId,
        document: Option<DocumentId>,
    ) {
        self.serial += 1;
        let serial = self.serial;
        let proposed = self.keys.entry(author).or_default();
        if proposed.logs.len() >= PER_KEY_MAX {
            let oldest = proposed.logs.iter();
            let oldest = oldest.min_by_key(|(_, proposal)| proposal.serial);
            if let Some(log_id) = oldest.map(|(log_id, _)| *log_id) {
                proposed.forget(log_id);
            }
        }
        // An id can come round to another document only when ids have run out.
        proposed.forget(log_id);
        proposed.logs.insert(log_id, Proposal { document, serial });
        if let Some(document) = document {
            proposed.documents.insert(document, log_id);
        }
        self.ages.push_back(Age {
            at,
            author,
            log_id,
            serial,
        });
    }
}

impl Proposed {
    /// The latest word on which id is the first unused one. Once the highest id of all is used, lower ones
    /// are proposed again.
    fn latest(&mut self, unused: LogId) -> LogId {
        if self.unused.next().is_some() {
            self.unused = self.unused.max(unused);
            self.unused
        } else {
            unused
        }
    }

    /// Forgets proposals for new documents below the first id that is unused: they are used, or will not be
    /// proposed again.
    fn forget_used(&mut self, unused: LogId) {
        if self.logs.range(..unused).next().is_some() {
            self.logs
                .retain(|log_id, proposal| *log_id >= unused || proposal.document.is_some());
        }
    }

    fn forget(&mut self, log_id: LogId) {
        if let Some(proposal) = self.logs.remove(&log_id)
            && let Some(document) = proposal.document
        {
            self.documents.remove(&document);
        }
    }

    /// The id that was proposed for this document, unless the key has used it for another meanwhile.
    fn of_document<E>(
        &mut self,
        document: Option<DocumentId>,
        is_used: impl Fn(LogId) -> Result<bool, E>,
    ) -> Result<Option<LogId>, E> {
        let log_id = document.and_then(|document| self.documents.get(&document).copied());
        match log_id {
            Some(log_id) if is_used(log_id)? => {
                self.forget(log_id);
                Ok(None)
            }
            log_id => Ok(log_id),
        }
    }

    /// An id, from an unused one on, that is neither used nor proposed; the first, where those that are have no
    /// gap. When there is none, the unused one it began with.
    fn free_from<E>(
        &self,
        unused: LogId,
        is_used: impl Fn(LogId) -> Result<bool, E>,
    ) -> Result<LogId, E> {
        let mut log_id = unused;
        // Mostly proposals follow one another without a gap, and then the last one tells where they end.
        let below = self.logs.range(..unused).count();
        let above = (self.logs.len() - below) as u64;
        if let Some((last, _)) = self.logs.last_key_value()
            && let Some(span) = last.as_u64().checked_sub(unused.as_u64())
            && above > span
        {
            log_id = *last;
        }
        let free = unused_log_id(log_id, |id| {
            Ok(self.logs.contains_key(&id) || (id != unused && is_used(id)?))
        })?;
        Ok(free.unwrap_or(unused))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use grove_core::types::{Hash, KeyPair};

    use super::*;

    /// A node's memory, and the logs it has of the keys.
    struct Door {
        proposals: Proposals,
        used: BTreeSet<(PublicKey, u64)>,
        now: Instant,
    }

    impl Door {
        fn ask(&self, author: PublicKey, document: Option<DocumentId>) -> u64 {
            let used = self.used.range((author, 0)..=(author, u64::MAX));
            let unused = used.last().map_or(Some(0), |(_, id)| id.checked_add(1));
            let unused = unused.or_else(|| (0..9).find(|id| !self.used.contains(&(author, *id))));
            let is_used =
                |id: LogId| Ok::<_, Infallible>(self.used.contains(&(author, id.as_u64())));
            let unused = LogId::new(unused.unwrap());
            let id = self
                .proposals
                .propose(self.now, author, document, unused, is_used);
            id.unwrap().as_u64()
        }
    }

    fn door() -> (Door, PublicKey) {
        let door = Door {
            proposals: Proposals::default(),
            used: BTreeSet::new(),
            now: Instant::now(),
        };
        (door, key(1))
    }

    fn key(seed: u8) -> PublicKey {
        KeyPair::from_seed(&[seed; 32]).public_key()
    }

    fn document(name: u8) -> Option<DocumentId> {
        Some(DocumentId::from(Hash::of(&[name])))
    }

    #[test]
    fn a_second_asker_is_proposed_the_next_log() {
        let (mut door, author) = door();

        assert_eq!([(); 3].map(|()| door.ask(author, None)), [0, 1, 2]);
        assert_eq!(door.ask(key(2), None), 0, "each key has logs of its own");
        door.used.insert((author, 1));
        assert_eq!(door.ask(author, None), 3, "2 stands proposed");
        door.used.insert((author, 5));
        assert_eq!(door.ask(author, None), 6);
    }

    #[test]
    fn who_read_the_store_earlier_is_proposed_no_used_log() {
        let (mut door, author) = door();
        let earlier = door.used.clone();
        assert_eq!([(); 2].map(|()| door.ask(author, None)), [0, 1]);
        door.used.insert((author, 0));
        door.used.insert((author, 1));
        assert_eq!(door.ask(author, None), 2, "0 and 1 are forgotten");

        let latest = std::mem::replace(&mut door.used, earlier);
        assert_eq!(door.ask(author, None), 3);
        door.used = latest;
        assert_eq!(door.ask(author, None), 4);
    }

    #[test]
    fn a_proposal_for_a_document_below_is_no_hindrance() {
        let (mut door, author) = door();

        assert_eq!(door.ask(author, document(1)), 0);
        door.used.insert((author, 3));

        assert_eq!(door.ask(author, None), 4);
        assert_eq!(door.ask(author, None), 5);
    }

    #[test]
    fn the_same_document_is_proposed_the_same_log() {
        let (mut door, author) = door();

        assert_eq!(door.ask(author, document(1)), 0);
        assert_eq!(door.ask(author, document(2)), 1);
        assert_eq!(door.ask(author, None), 2);
        assert_eq!(door.ask(author, document(1)), 0);
        door.used.insert((author, 0));
        assert_eq!(
            door.ask(author, document(1)),
            3,
            "0 became another document's"
        );
        assert_eq!(door.ask(author, document(1)), 3);
        door.used.insert((author, 7));
        assert_eq!(
            door.ask(author, document(1)),
            3,
            "still unused, though a gap"
        );
    }

    #[test]
    fn proposals_are_forgotten_after_their_time() {
        let (mut door, author) = door();
        let began = door.now;
        assert_eq!(door.ask(author, None), 0);
        door.now = began + KEPT_FOR / 2;
        assert_eq!(door.ask(author, document(1)), 1);

        door.now = began + KEPT_FOR;
        assert_eq!(door.ask(author, None), 0);
        assert_eq!(door.ask(author, document(1)), 1);
        door.now = began + KEPT_FOR * 2 - Duration::from_secs(1);
        assert_eq!(door.ask(author, document(1)), 1, "asked for again");
        door.now = began + KEPT_FOR * 9;
        assert_eq!(door.ask(author, document(2)), 0);
        let state = door.proposals.lock();
        assert_eq!((state.keys.len(), state.ages.len()), (1, 1));
    }

    #[test]
    fn the_memory_is_bounded_by_key_and_in_all() {
        let (mut door, author) = door();
        for expected in 0..PER_KEY_MAX as u64 {
            assert_eq!(door.ask(author, None), expected);
        }

        assert_eq!(
            door.ask(author, None),
            PER_KEY_MAX as u64,
            "the oldest is forgotten"
        );
        assert_eq!(door.ask(author, None), 0, "and proposed again");
        for seed in 2..20 {
            for _ in 0..PER_KEY_MAX / 2 {
                door.ask(key(seed), None);
            }
        }
        let state = door.proposals.lock();
        assert_eq!(state.ages.len(), TOTAL_MAX);
        let kept = state.keys.values().map(|proposed| proposed.logs.len());
        assert!(kept.sum::<usize>() <= TOTAL_MAX);
        drop(state);
        door.now += KEPT_FOR;
        door.ask(author, None);
        assert_eq!(door.proposals.lock().keys.len(), 1);
    }

    #[test]
    fn ids_that_run_out_begin_anew_at_the_gaps() {
        let (mut door, author) = door();
        door.used.insert((author, u64::MAX - 1));
        assert_eq!(door.ask(author, None), u64::MAX);
        assert_eq!(door.ask(author, None), 0, "there is none above");

        door.used.insert((author, u64::MAX));
        door.used.insert((author, 2));
        assert_eq!(
            [(); 4].map(|()| door.ask(author, None)),
            [1, 3, 4, 5],
            "2 is used"
        );
    }
}
