//! Those who want to hear what a node did, whoever asked for it: of schemas, and of changes to documents.
//!
//! Both runtimes hand over what came out of the engine. Answers are no matter for an audience.

use super::feed::{ChangeFeed, Subscribers};
use super::learnt::{Learning, Learnt};
use crate::engine::Output;
use crate::store::{Read, StoreError};

/// The ways in which a node tells what it did.
#[derive(Debug)]
pub(super) struct Audience {
    schemas: Learning,
    feed: ChangeFeed,
}

impl Audience {
    /// An audience that knows what happened up to this position.
    pub(super) fn new(position: i64) -> Self {
        Self {
            schemas: Learning::new(),
            feed: ChangeFeed::new(position),
        }
    }

    /// Which schemas become known.
    pub(super) fn schemas(&self) -> Learnt {
        self.schemas.learnt()
    }

    pub(super) fn subscribers(&self) -> Subscribers {
        self.feed.subscribers()
    }

    /// Notes what a turn led to. Schemas are told at once, changes with [`tell`](Self::tell) or
    /// [`tell_from`](Self::tell_from).
    pub(super) fn hear(&mut self, outputs: &[Output]) {
        let (mut added, mut removed) = (Vec::new(), false);
        for output in outputs {
            match output {
                Output::SchemaAdded(id) => {
                    tracing::info!(%id, "schema added");
                    added.push(id.clone());
                }
                Output::SchemaRemoved(id) => {
                    tracing::info!(%id, "schema removed");
                    removed = true;
                }
                Output::Accepted {
                    operation_id,
                    change,
                } => {
                    tracing::debug!(%operation_id, document = %change.document, "operation accepted");
                    self.feed.note(change.clone());
                }
                Output::Changed(change) => self.feed.note(change.clone()),
                _ => {}
            }
        }
        if removed || !added.is_empty() {
            self.schemas.note(added);
        }
    }

    /// Tells the changes of the last turn, where nobody else writes to the database.
    pub(super) fn tell(&mut self) {
        self.feed.tell();
    }

    /// Tells all changes that the store holds since the last time, whoever made them.
    pub(super) fn tell_from(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        self.feed.tell_from(store)
    }
}
