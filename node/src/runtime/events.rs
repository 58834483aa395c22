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
use crate::store::{Change, EntryRow, Read, SchemaRow};

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
///
/// Looks through all of them once, in portions. From then on it reads those that it is told of; only who
/// missed too many looks through all again.
pub(crate) struct Schemas {
    node: Node,
    learnt: watch::Receiver<u64>,
    /// Up to which version it knows what was added.
    version: u64,
    /// All that became known up to here was told.
    position: i64,
    look: Option<Look>,
    /// Those to be read next.
    named: VecDeque<SchemaId>,
    ready: VecDeque<SchemaEvent>,
}

/// A look through all schemas.
struct Look {
    /// The last one it saw.
    after: Option<SchemaId>,
    /// Where the store was when it began; what became known since is told otherwise.
    up_to: Option<i64>,
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
        let learnt = node.schemas_changed();
        let version = *learnt.borrow();
        Ok(Self {
            version,
            learnt,
            node,
            position: after.map_or(0, FollowCursor::position),
            look: Some(Look::ANEW),
            named: VecDeque::new(),
            ready: VecDeque::new(),
        })
    }

    /// Waits for the next schema; `None` once the node has stopped.
    pub(crate) async fn next(&mut self) -> Result<Option<SchemaEvent>, ApiError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if let Some(look) = self.look.take() {
                self.look_on(look).await?;
            } else if !self.named.is_empty() {
                self.read_named().await?;
            } else if self.learnt.changed().await.is_err() {
                return Ok(None);
            } else {
                let version = *self.learnt.borrow_and_update();
                match self.node.schemas_added(self.version, version) {
                    Some(added) => self.named.extend(added),
                    None => self.look = Some(Look::ANEW),
                }
                self.version = version;
            }
        }
    }

    /// Reads the next portion of all schemas.
    async fn look_on(&mut self, look: Look) -> Result<(), ApiError> {
        let after = look.after;
        let question = move |store: &dyn Read| {
            let position = store.position()?;
            // One more than is wanted, to know whether there are more.
            let rows = store.schema_rows(after.as_ref(), PORTION as u32 + 1)?;
            Ok((position, rows))
        };
        let (position, mut rows) = self.node.read(question).await?;
        let up_to = look.up_to.unwrap_or(position);
        let is_last = rows.len() <= PORTION;
        rows.truncate(PORTION);
        let after = rows.last().map(|row| row.schema.id().clone());
        let new = rows.into_iter().filter(|row| {
            let since = row.origin.as_ref().map_or(0, |origin| origin.known_since);
            let is_new = self.position < since || self.position == 0;
            !row.withheld && is_new && since <= up_to
        });
        let cursor = FollowCursor::at(self.position);
        self.ready = new
            .map(|row| SchemaEvent {
                cursor,
                schema: row.schema,
            })
            .collect();
        match is_last {
            true => self.told_up_to(up_to),
            false => {
                let up_to = Some(up_to);
                self.look = Some(Look { after, up_to });
            }
        }
        Ok(())
    }

    /// Reads those that became known.
    async fn read_named(&mut self) -> Result<(), ApiError> {
        let portion = self.named.len().min(PORTION);
        let ids: Vec<_> = self.named.drain(..portion).collect();
        let is_last = self.named.is_empty();
        let question = move |store: &dyn Read| {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.extend(store.kept_schema(&id)?);
            }
            Ok(rows)
        };
        let rows = self.node.read(question).await?;
        let since = |row: &SchemaRow| row.origin.as_ref().map_or(0, |origin| origin.known_since);
        let reached = rows.iter().map(since).max().unwrap_or(0);
        let cursor = FollowCursor::at(self.position);
        let known = rows.into_iter().filter(|row| !row.withheld);
        let known = known.map(|row| SchemaEvent {
            cursor,
            schema: row.schema,
        });
        self.ready = known.collect();
        if is_last {
            self.told_up_to(reached);
        }
        Ok(())
    }

    /// Notes that with those ready all were told that became known up to here. Only the last of them says so.
    fn told_up_to(&mut self, position: i64) {
        self.position = position.max(self.position);
        if let Some(last) = self.ready.back_mut() {
            last.cursor = FollowCursor::at(self.position);
        }
    }
}

impl Look {
    const ANEW: Self = Self {
        after: None,
        up_to: None,
    };
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
