//! Documents, entries and schemas as they change, one after the other; publishing until it shows.
//!
//! Joins what the runtime tells with what is stored. What is told of a change is decided in
//! [`crate::api`]; here is only when to look.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use grove_core::author::NextArgs;
use grove_core::types::{Hash, OperationId, Schema, SchemaId};
use tokio::sync::watch;

use crate::api::{self, ApiError, DocumentEvent, FollowCursor, Subject, Visible};
use crate::runtime::{Node, Subscriber};
use crate::store::{Change, EntryRow, Read};

/// Documents or entries read at once. Each may be megabytes large.
const PORTION: usize = 16;

/// How long publishing waits for its effect when nobody says.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// Longest wait for an effect, whatever is asked.
const WAIT_MAX: Duration = Duration::from_secs(50);

/// What happens to one document or to those of a collection.
pub(crate) struct Documents {
    node: Node,
    subject: Subject,
    subscriber: Subscriber,
    /// Changes to be looked at; at most those of one portion or commit.
    changes: VecDeque<Change>,
    ready: VecDeque<DocumentEvent>,
    /// For one document: whether to look at it, and what was told of it last.
    is_due: bool,
    told: Option<FollowCursor>,
}

impl Documents {
    /// Follows from behind a cursor on. Without one, a document begins with its current state, a
    /// collection with what happens next.
    pub(crate) async fn begin(
        node: Node,
        subject: Subject,
        after: Option<String>,
    ) -> Result<Self, ApiError> {
        let after = cursor(&node, after).await?;
        let is_document = matches!(subject, Subject::Document { .. });
        let from = after.filter(|_| !is_document).map(FollowCursor::position);
        Ok(Self {
            subscriber: node.subscribe(from).await?,
            node,
            subject,
            changes: VecDeque::new(),
            ready: VecDeque::new(),
            is_due: is_document,
            told: after,
        })
    }

    /// Waits for the next event; `None` once the node has stopped.
    pub(crate) async fn next(&mut self) -> Result<Option<DocumentEvent>, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if std::mem::take(&mut self.is_due) {
                self.look_at_document().await?;
            } else if !self.changes.is_empty() {
                self.look_at_changes().await?;
            } else {
                match self.subscriber.next().await? {
                    Some(changes) => self.hear(changes),
                    None => return Ok(None),
                }
            }
        }
    }

    fn hear(&mut self, changes: Vec<Change>) {
        let concern = |change: &Change| self.subject.concerns(change);
        let changes: Vec<_> = changes.into_iter().filter(concern).collect();
        if let Subject::Document { .. } = self.subject {
            self.is_due = !changes.is_empty();
            return;
        }
        // Only the last state of a document is told, at its last change.
        let mut seen = BTreeSet::new();
        for change in changes.into_iter().rev() {
            if seen.insert(change.document) {
                self.changes.push_front(change);
            }
        }
    }

    async fn look_at_document(&mut self) -> Result<(), ApiError> {
        let Subject::Document { id, .. } = self.subject else {
            return Ok(());
        };
        let row = self.node.read(move |store| Ok(store.document(id)?));
        let event = self
            .subject
            .tell(self.subscriber.position(), id, row.await?);
        let is_known = |event: &DocumentEvent| {
            let told = self.told;
            told.is_some_and(|told| told.shows_the_same(event.cursor))
        };
        if let Some(event) = event.filter(|event| !is_known(event)) {
            self.told = Some(event.cursor);
            self.ready.push_back(event);
        }
        Ok(())
    }

    async fn look_at_changes(&mut self) -> Result<(), ApiError> {
        let portion = self.changes.len().min(PORTION);
        let changes: Vec<Change> = self.changes.drain(..portion).collect();
        let ids: Vec<_> = changes.iter().map(|change| change.document).collect();
        let mut rows = self
            .node
            .read(move |store| Ok(store.documents(&ids)?))
            .await?;
        let subject = &self.subject;
        self.ready.extend(changes.into_iter().filter_map(|change| {
            let row = rows.remove(&change.document);
            subject.tell(change.position, change.document, row)
        }));
        Ok(())
    }
}

async fn cursor(node: &Node, text: Option<String>) -> Result<Option<FollowCursor>, ApiError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let question = move |store: &dyn Read| FollowCursor::parse(store, &text);
    node.read(question).await.map(Some)
}

/// Entries as they are accepted.
pub(crate) struct Entries {
    node: Node,
    schema_id: Option<SchemaId>,
    subscriber: Subscriber,
    /// Up to where all entries are ready or told.
    position: i64,
    ready: VecDeque<EntryRow>,
}

impl Entries {
    /// Follows from behind a position on, or from now on; the entries of one schema or all.
    pub(crate) async fn begin(
        node: Node,
        schema_id: Option<SchemaId>,
        after: Option<String>,
    ) -> Result<Self, ApiError> {
        let after = cursor(&node, after).await?;
        let subscriber = node.subscribe(None).await?;
        Ok(Self {
            node,
            schema_id,
            position: after.map_or(subscriber.position(), FollowCursor::position),
            subscriber,
            ready: VecDeque::new(),
        })
    }

    /// Waits for the next entry; `None` once the node has stopped.
    pub(crate) async fn next(&mut self) -> Result<Option<EntryRow>, ApiError> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            let (after, schema_id) = (self.position, self.schema_id.clone());
            let question = move |store: &dyn Read| {
                let position = store.position()?;
                let rows = store.entries_after(after, schema_id.as_ref(), PORTION as u32)?;
                Ok((position, rows))
            };
            let (position, rows) = self.node.read(question).await?;
            let is_portion = rows.len() == PORTION;
            let last = rows.last().map_or(after, |row| row.position);
            self.position = if is_portion { last } else { last.max(position) };
            self.ready.extend(rows);
            if self.ready.is_empty() && !self.wait().await? {
                return Ok(None);
            }
        }
    }

    /// Waits until there may be a further entry; `false` once the node has stopped.
    async fn wait(&mut self) -> Result<bool, ApiError> {
        while let Some(changes) = self.subscriber.next().await? {
            let schema_id = self.schema_id.as_ref();
            let is_new = |change: &Change| {
                change.position > self.position
                    && schema_id.is_none_or(|id| change.schema_id == *id)
            };
            if changes.iter().any(is_new) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Schemas as they become known.
pub(crate) struct Schemas {
    node: Node,
    learnt: watch::Receiver<u64>,
    told: BTreeSet<SchemaId>,
    /// Up to where all schemas were told once those ready are.
    position: i64,
    ready: VecDeque<SchemaEvent>,
    is_due: bool,
}

/// A schema that became known.
#[derive(Debug, Clone)]
pub(crate) struct SchemaEvent {
    pub(crate) cursor: FollowCursor,
    pub(crate) schema: Schema,
}

impl Schemas {
    /// Begins with all known schemas, or with those that became known after a cursor.
    pub(crate) async fn begin(node: Node, after: Option<String>) -> Result<Self, ApiError> {
        let after = cursor(&node, after).await?;
        let position = after.map_or(0, FollowCursor::position);
        let question = move |store: &dyn Read| api::schemas_known_at(store, position);
        Ok(Self {
            learnt: node.schemas_changed(),
            told: node.read(question).await?,
            node,
            position,
            ready: VecDeque::new(),
            is_due: true,
        })
    }

    /// Waits for the next schema; `None` once the node has stopped.
    pub(crate) async fn next(&mut self) -> Result<Option<SchemaEvent>, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if !std::mem::take(&mut self.is_due) && self.learnt.changed().await.is_err() {
                return Ok(None);
            }
            let question = |store: &dyn Read| Ok((store.position()?, store.schemas()?));
            let (position, schemas) = self.node.read(question).await?;
            let told = &mut self.told;
            let new = schemas
                .into_iter()
                .filter(|schema| told.insert(schema.id().clone()));
            let cursor = FollowCursor::at(self.position);
            self.ready = new.map(|schema| SchemaEvent { cursor, schema }).collect();
            // Only behind the last of them all were told.
            if let Some(last) = self.ready.back_mut() {
                last.cursor = FollowCursor::at(position);
                self.position = position;
            }
        }
    }
}

/// Publishes, and waits until the effect shows in what this node answers.
///
/// On one node it shows with the answer already. Where several nodes serve one database, others may
/// show it a moment later.
pub(crate) async fn publish_until_visible(
    node: &Node,
    entry: Vec<u8>,
    operation: Vec<u8>,
    timeout: Option<Duration>,
) -> Result<(NextArgs, Visible), ApiError> {
    let timeout = timeout.unwrap_or(WAIT_DEFAULT).min(WAIT_MAX);
    let id = OperationId::from(Hash::of(&entry));
    let mut subscriber = node.subscribe(None).await?;
    let args = node.publish(entry, operation).await?;
    let visible = async {
        loop {
            if let Some(visible) = node.read(move |store| api::visible(store, id)).await? {
                return Ok(visible);
            }
            if subscriber.next().await?.is_none() {
                return Err(ApiError::Busy);
            }
        }
    };
    match tokio::time::timeout(timeout, visible).await {
        Ok(visible) => Ok((args, visible?)),
        Err(_) => Err(ApiError::NotVisible),
    }
}
