//! The change feed: tells subscribers what happens to documents, so that none misses anything.
//!
//! After each commit its changes are sent to all subscribers at once, and kept for them for a while. Who is
//! too slow for that, or comes back after a longer time, reads what it missed from the store: the store is
//! what counts, the feed only saves asking it. What a change means to somebody is not decided here.
//!
//! Always true:
//! - Changes come to a subscriber in their order. Some come twice, none is left out.
//! - A transaction that failed is told to nobody.
//! - However slow a subscriber is, it holds no more than one portion of changes.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, WeakSender, channel};

use super::Node;
use crate::api::ApiError;
use crate::store::{Change, Read, StoreError};

/// Commits that are kept for subscribers who are not there yet.
const COMMITS_KEPT: usize = 64;

/// Changes read from the store at once.
const PORTION: u32 = 256;

/// Tells what was committed.
#[derive(Debug)]
pub(super) struct ChangeFeed {
    sender: Sender<Arc<[Change]>>,
    /// What the transaction under way, or the one just committed, did.
    pending: Vec<Change>,
    /// Up to where everything was told that the store holds; only kept where others write too.
    told: i64,
}

/// Where subscribers come in. Does not keep the feed alive: they end with it.
#[derive(Clone, Debug)]
pub(super) struct Subscribers(WeakSender<Arc<[Change]>>);

impl ChangeFeed {
    /// A feed that begins behind this position.
    pub(super) fn new(position: i64) -> Self {
        Self {
            sender: channel(COMMITS_KEPT).0,
            pending: Vec::new(),
            told: position,
        }
    }

    pub(super) fn subscribers(&self) -> Subscribers {
        Subscribers(self.sender.downgrade())
    }

    /// Notes a committed change, to be told with those of the same commit.
    pub(super) fn note(&mut self, change: Change) {
        self.pending.push(change);
    }

    /// Tells what was noted.
    pub(super) fn tell(&mut self) {
        if !self.pending.is_empty() {
            let changes = std::mem::take(&mut self.pending);
            self.send(changes);
        }
    }

    /// Tells what the store holds since the last time, whoever wrote it, instead of what was noted.
    pub(super) fn tell_from(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        self.pending.clear();
        // Who subscribes after this look reads a state in which all of it is there.
        if self.sender.receiver_count() == 0 {
            self.told = store.position()?;
            return Ok(());
        }
        let mut course = Course::behind(self.told);
        while course.is_behind {
            let portion = store.changes(course.position, PORTION)?;
            course.caught_up(&portion);
            assert!(course.position >= self.told, "the feed goes on, never back");
            self.told = course.position;
            self.send(portion);
        }
        Ok(())
    }

    fn send(&self, changes: Vec<Change>) {
        // An error only says that nobody subscribed.
        let _ = self.sender.send(changes.into());
    }
}

/// Where somebody is in the order of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Course {
    /// Everything up to here was told; of what has no entry of its own, perhaps not all *at* it.
    position: i64,
    /// Whether there may be something in the store that was neither told nor will be.
    is_behind: bool,
}

impl Course {
    const fn behind(position: i64) -> Self {
        Self {
            position,
            is_behind: true,
        }
    }

    const fn abreast(position: i64) -> Self {
        Self {
            position,
            is_behind: false,
        }
    }

    /// Takes the portion read from the store behind the position.
    fn caught_up(&mut self, portion: &[Change]) {
        let last = portion.last().map_or(self.position, |last| last.position);
        assert!(last >= self.position, "a store tells what comes behind");
        // Without a new position there was no further entry, and all changes at this one were read.
        self.is_behind = portion.len() >= PORTION as usize && last > self.position;
        self.position = last;
    }

    /// Takes what was told of a commit; what of it is new.
    fn heard<'c>(&mut self, told: &'c [Change]) -> &'c [Change] {
        assert!(!self.is_behind, "what was missed comes first");
        let known = told.partition_point(|change| change.position < self.position);
        let new = &told[known..];
        self.position = new.last().map_or(self.position, |last| last.position);
        new
    }

    /// Learns that something was told which can't be heard any more.
    fn missed(&mut self) {
        self.is_behind = true;
    }
}

/// Somebody who hears of every change to documents.
#[derive(Debug)]
pub struct Subscriber {
    node: Node,
    told: Receiver<Arc<[Change]>>,
    course: Course,
}

impl Subscriber {
    /// Subscribes from behind `after` on, or from now on.
    pub(super) async fn new(
        node: Node,
        subscribers: &Subscribers,
        after: Option<i64>,
    ) -> Result<Self, ApiError> {
        // Listens before it looks, so that nothing falls between.
        let told = match subscribers.0.upgrade() {
            Some(sender) => sender.subscribe(),
            None => return Err(ApiError::Busy),
        };
        let course = match after {
            Some(position) => Course::behind(position),
            None => Course::abreast(node.read(|store| Ok(store.position()?)).await?),
        };
        Ok(Self { node, told, course })
    }

    /// Up to where everything was told.
    pub fn position(&self) -> i64 {
        self.course.position
    }

    /// Waits for the next changes, at least one; `None` once the node has stopped.
    pub async fn next(&mut self) -> Result<Option<Vec<Change>>, ApiError> {
        loop {
            let changes = if self.course.is_behind {
                let after = self.course.position;
                let question = move |store: &dyn Read| Ok(store.changes(after, PORTION)?);
                let portion = self.node.read(question).await?;
                self.course.caught_up(&portion);
                portion
            } else {
                match self.told.recv().await {
                    Ok(told) => self.course.heard(&told).to_vec(),
                    Err(RecvError::Lagged(_)) => {
                        self.course.missed();
                        continue;
                    }
                    Err(RecvError::Closed) => return Ok(None),
                }
            };
            if !changes.is_empty() {
                return Ok(Some(changes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use grove_core::author::{NextArgs, forge};
    use grove_core::session::PeerId;
    use grove_core::time::Instant;
    use grove_core::types::{DocumentId, Hash, KeyPair, LogId, PlainValue, SchemaId};
    use grove_core::validate::Submission;
    use grove_core::wire::{Fields, Operation};

    use super::*;
    use crate::engine::{Engine, EngineSettings, Input, RequestId};
    use crate::store::{SharedStore, SqliteStore};

    fn changes(positions: impl IntoIterator<Item = i64>) -> Vec<Change> {
        let change = |position: i64| Change {
            position,
            document: DocumentId::from(Hash::of(&position.to_be_bytes())),
            schema_id: SchemaId::BLOB,
        };
        positions.into_iter().map(change).collect()
    }

    #[test]
    fn after_a_full_portion_comes_another_look() {
        let mut course = Course::behind(0);

        course.caught_up(&changes(1..=i64::from(PORTION)));
        assert_eq!(course, Course::behind(i64::from(PORTION)));

        course.caught_up(&changes([300]));
        assert_eq!(course, Course::abreast(300));
    }

    #[test]
    fn many_changes_at_one_position_end_the_look() {
        let mut course = Course::behind(7);

        course.caught_up(&changes([7; PORTION as usize + 1]));

        assert_eq!(course, Course::abreast(7));
    }

    #[test]
    fn what_was_read_is_not_heard_again() {
        let mut course = Course::abreast(5);

        let told = changes([3, 4, 5, 6]);
        let new = course.heard(&told);

        // At the position itself may stand a change without an entry, which nobody read.
        assert_eq!(new, &told[2..]);
        assert_eq!(course, Course::abreast(6));
        assert!(course.heard(&told).len() == 1);
    }

    #[test]
    fn what_cannot_be_heard_any_more_is_looked_up() {
        let mut course = Course::abreast(5);

        course.missed();

        assert_eq!(course, Course::behind(5));
    }

    #[test]
    fn what_others_wrote_is_told_once_somebody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("node.sqlite")).unwrap();
        let reader = store.reader().unwrap();
        let settings = EngineSettings::new(PeerId([0; 32]));
        let mut engine = Engine::new(store, settings).unwrap();
        let mut feed = ChangeFeed::new(0);
        let mut write = |log_id| {
            let submission = Box::new(piece(log_id));
            let request = RequestId(0);
            let input = Input::Publish {
                request,
                submission,
            };
            engine.handle(Instant::ZERO, vec![input]).unwrap();
        };

        write(0);
        feed.tell_from(&reader).unwrap();
        let subscribers = feed.subscribers();
        let mut told = subscribers.0.upgrade().unwrap().subscribe();
        write(1);
        write(2);
        // Noted of a commit of our own, and told with what the store holds.
        feed.note(changes([3]).remove(0));
        feed.tell_from(&reader).unwrap();

        let heard = told.try_recv().unwrap();
        let positions: Vec<_> = heard.iter().map(|change| change.position).collect();
        assert_eq!(positions, [2, 3]);
        assert!(told.try_recv().is_err());
        drop(engine);
    }

    fn piece(log_id: u64) -> Submission {
        let data = PlainValue::Bytes(vec![7]);
        let operation = Operation::Create {
            schema_id: SchemaId::BLOB_PIECE,
            fields: Fields::from([("data".to_owned(), data)]),
        };
        let key_pair = KeyPair::from_seed(&[1; 32]);
        forge(&key_pair, &NextArgs::first(LogId::new(log_id)), &operation).unwrap()
    }
}
