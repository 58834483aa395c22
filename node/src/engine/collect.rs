//! Which operations and pieces of blobs nothing needs any more.
//!
//! An operation is superseded when every field it set was set again by operations made on top of it:
//! whatever arrives later, its values can't show in the current view. They still make up earlier views,
//! and those are kept for as long as another document pins them. Pieces are needed while a blob that is
//! shown or pinned lists them.
//!
//! What is collected is gone from this node alone. Of a superseded operation a stub stays, which says
//! what it was made on top of and which fields it set; views that need its values are not there any
//! more, rather than wrong. Peers are offered such a log only as far as it is whole. Should the operator
//! have the log purged that superseded an operation, its document is not shown until somebody publishes
//! the collected operation again.
//!
//! Finding out takes long, so it goes step by step over snapshots: [`Sweep`] is driven by whoever has
//! readers, and what it found is collected in transactions of the writer, which looks once more.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{
    DocumentId, DocumentViewId, FieldType, OperationId, PlainValue, Schema, SchemaId, SystemSchema,
    Value,
};
use grove_core::wire::{Action, Fields, Operation};

use super::connected::{Connected, Extent};
use super::histories::Histories;
use super::lookup::connected_operations;
use super::{Engine, Reclaimed};
use crate::store::query::{Condition, PagePosition};
use crate::store::{DocumentQuery, DocumentRow, Read, Store, StoreError};

/// Documents looked at in one step.
const PAGE: u32 = 256;

/// Pinned views looked into in one step.
const VIEWS_PER_STEP: usize = 1_024;

/// Documents in which something was found to collect, and what has to be known of pins to look once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The documents.
    pub documents: Vec<DocumentId>,
    /// Which of their views were pinned.
    pub pinned: BTreeSet<DocumentViewId>,
    /// The position up to which that is known.
    pub as_of: i64,
}

/// The views that documents hold on to by pinned relations, and how far that is known.
#[derive(Debug, Default)]
struct Pins {
    views: BTreeSet<DocumentViewId>,
    /// Views whose own pins were not yet looked for.
    open: Vec<DocumentViewId>,
    /// Everything up to this position was looked at.
    as_of: i64,
}

impl Pins {
    /// Whether something holds on to this view.
    fn contains(&self, view_id: &DocumentViewId) -> bool {
        self.views.contains(view_id)
    }

    /// The pinned views of a document with these operations.
    fn of_document<'p>(
        &'p self,
        ids: impl Iterator<Item = OperationId> + 'p,
    ) -> impl Iterator<Item = &'p DocumentViewId> {
        // View ids that begin with an operation follow its own one-operation view in their order.
        ids.flat_map(|id| {
            self.views
                .range(DocumentViewId::from(id)..)
                .take_while(move |view_id| view_id.ids()[0] == id)
        })
    }

    fn add_row(&mut self, row: &DocumentRow) {
        for (value, _) in row.fields.iter().flat_map(|fields| fields.values()) {
            match value {
                Value::PinnedRelation(view_id) => self.add(view_id),
                Value::PinnedRelationList(view_ids) => {
                    view_ids.iter().for_each(|view_id| self.add(view_id));
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, view_id: &DocumentViewId) {
        if self.views.insert(view_id.clone()) {
            self.open.push(view_id.clone());
        }
    }

    /// Looks for what pinned views pin themselves; returns whether that is all known.
    fn follow(&mut self, store: &dyn Read, views_max: usize) -> Result<bool, StoreError> {
        // Kept for this state of the store alone.
        let mut histories = Histories::default();
        for _ in 0..views_max {
            let Some(view_id) = self.open.pop() else {
                return Ok(true);
            };
            let operation = store.operation(view_id.ids()[0])?;
            let pinning = operation.filter(|operation| is_pinning(&operation.schema_id));
            if pinning.is_some()
                && let Some(row) = histories.document_at(store, &view_id)?
            {
                self.add_row(&row);
            }
        }
        Ok(self.open.is_empty())
    }

    /// Learns what was pinned since.
    fn catch_up(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        loop {
            let changes = store.changes(self.as_of, PAGE)?;
            let pinning = changes
                .iter()
                .filter(|change| is_pinning(&change.schema_id));
            let changed: BTreeSet<_> = pinning.map(|change| change.document).collect();
            let changed: Vec<_> = changed.into_iter().collect();
            for row in store.documents(&changed)?.values() {
                self.add_row(row);
            }
            let last = changes.last().map_or(self.as_of, |change| change.position);
            assert!(last >= self.as_of, "changes come in order");
            if std::mem::replace(&mut self.as_of, last) == last {
                break;
            }
        }
        while !self.follow(store, VIEWS_PER_STEP)? {}
        Ok(())
    }
}

/// Whether documents of a schema can pin views. Of the system's own, definitions and blobs do; of all
/// others the schema would have to be read, so any may.
fn is_pinning(schema_id: &SchemaId) -> bool {
    !matches!(
        schema_id,
        SchemaId::System(SystemSchema::BlobPiece | SystemSchema::SchemaFieldDefinition)
    )
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepKind {
    /// Superseded operations.
    History,
    /// Pieces accepted up to this position that no blob lists.
    Pieces {
        /// The position; younger pieces may wait for their blob.
        up_to: i64,
    },
}

/// What collecting some documents would remove.
#[derive(Debug, Clone, Default)]
pub struct Weighed {
    /// The documents that have something to collect.
    pub candidates: Candidates,
    /// How much.
    pub reclaimed: Reclaimed,
    /// Pieces that no blob lists, but which are too young to go.
    pub spared: u64,
}

/// Goes over all documents, first to learn what is pinned, then to find what can go.
#[derive(Debug)]
pub struct Sweep {
    kind: SweepKind,
    stage: Stage,
    pins: Pins,
}

#[derive(Debug)]
enum Stage {
    /// Schemas still to be looked through for pins, and the place in the last of them.
    Pins(Vec<SchemaId>, Option<PagePosition>),
    Follow,
    /// Schemas still to be looked through for what can go.
    Weigh(Vec<SchemaId>, Option<PagePosition>),
    Over,
}

impl Sweep {
    /// Begins a sweep.
    pub fn new(store: &dyn Read, kind: SweepKind) -> Result<Self, StoreError> {
        let pinning = schemas_with(store, |field_type| {
            matches!(
                field_type,
                FieldType::PinnedRelation(_) | FieldType::PinnedRelationList(_)
            )
        })?;
        let as_of = store.position()?;
        Ok(Self {
            kind,
            stage: Stage::Pins(pinning, None),
            pins: Pins {
                as_of,
                ..Pins::default()
            },
        })
    }

    /// Does one step; `None` when all is over.
    pub fn step(&mut self, store: &dyn Read) -> Result<Option<Weighed>, StoreError> {
        let found = match &mut self.stage {
            Stage::Pins(schemas, after) => {
                for row in next_page(store, schemas, after, Vec::new())? {
                    self.pins.add_row(&row);
                }
                if schemas.is_empty() {
                    self.stage = Stage::Follow;
                }
                Weighed::default()
            }
            Stage::Follow => {
                if self.pins.follow(store, VIEWS_PER_STEP)? {
                    let schemas = match self.kind {
                        SweepKind::History => schemas_with(store, |_| true)?
                            .into_iter()
                            .filter(|id| matches!(id, SchemaId::Application { .. }))
                            .collect(),
                        SweepKind::Pieces { .. } => vec![SchemaId::BLOB_PIECE],
                    };
                    self.stage = Stage::Weigh(schemas, None);
                }
                Weighed::default()
            }
            Stage::Weigh(schemas, after) => {
                self.pins.catch_up(store)?;
                let conditions = match self.kind {
                    SweepKind::History => vec![Condition::Edited(true)],
                    SweepKind::Pieces { .. } => Vec::new(),
                };
                let rows = next_page(store, schemas, after, conditions)?;
                if schemas.is_empty() {
                    self.stage = Stage::Over;
                }
                self.weigh(store, &rows)?
            }
            Stage::Over => return Ok(None),
        };
        Ok(Some(found))
    }

    fn weigh(&self, store: &dyn Read, rows: &[DocumentRow]) -> Result<Weighed, StoreError> {
        let mut weighed = Weighed::default();
        weighed.candidates.as_of = self.pins.as_of;
        for row in rows {
            let found = match self.kind {
                SweepKind::History => {
                    let Superseded { items, pinned } = superseded(store, row, &self.pins)?;
                    let bytes = items.iter().map(|(_, stub, size)| size - stub.len() as u64);
                    if !items.is_empty() {
                        weighed.candidates.pinned.extend(pinned);
                    }
                    Reclaimed {
                        documents: 1,
                        items: items.len() as u64,
                        bytes: bytes.sum(),
                    }
                }
                // A piece with a pinned view is no candidate, so that there are none to name.
                SweepKind::Pieces { up_to } => {
                    if self.pins.contains(&row.view_id) {
                        continue;
                    }
                    let create = store.operation(row.id.into())?;
                    if create.is_some_and(|create| create.position > up_to) {
                        weighed.spared += 1;
                        continue;
                    }
                    unreferenced(store, row, &self.pins)?
                }
            };
            if found.items > 0 {
                weighed.candidates.documents.push(row.id);
                weighed.reclaimed += found;
            }
        }
        Ok(weighed)
    }
}

/// The ids of all schemas, those of the system included, that have a field of some type.
fn schemas_with(
    store: &dyn Read,
    wanted: impl Fn(&FieldType) -> bool,
) -> Result<Vec<SchemaId>, StoreError> {
    let system = SystemSchema::ALL.into_iter().map(Schema::system);
    let schemas = system.chain(store.schemas()?);
    let schemas = schemas.filter(|schema| schema.fields().values().any(&wanted));
    Ok(schemas.map(|schema| schema.id().clone()).collect())
}

/// The next documents of the last of some schemas, which is taken off when it has no more.
fn next_page(
    store: &dyn Read,
    schemas: &mut Vec<SchemaId>,
    after: &mut Option<PagePosition>,
    conditions: Vec<Condition>,
) -> Result<Vec<DocumentRow>, StoreError> {
    let Some(schema_id) = schemas.last() else {
        return Ok(Vec::new());
    };
    let query = DocumentQuery {
        conditions,
        after: after.take(),
        limit: PAGE,
        // Of a piece only its place counts.
        outline: true,
        ..DocumentQuery::default()
    };
    let rows = store.list(schema_id, &query)?;
    assert!(rows.len() <= PAGE as usize, "more than was asked for");
    *after = rows.last().map(|row| PagePosition::behind(row.id));
    if rows.len() < PAGE as usize {
        schemas.pop();
        *after = None;
    }
    Ok(rows)
}

/// What can go of a document's history.
struct Superseded {
    /// Per operation its id, what is to stay of it, and the size of its bytes.
    items: Vec<(OperationId, Vec<u8>, u64)>,
    /// The document's views that are pinned.
    pinned: BTreeSet<DocumentViewId>,
}

/// The operations of a document that neither its current view needs nor any that is pinned.
fn superseded(store: &dyn Read, row: &DocumentRow, pins: &Pins) -> Result<Superseded, StoreError> {
    let Connected {
        history,
        operations,
        collected,
        ..
    } = connected_operations(store, row.id, &row.schema_id, Extent::Names)?;
    let mut needed = setters(row.fields.as_ref().map(|fields| fields.values()));
    let mut pinned = BTreeSet::new();
    for view_id in pins.of_document(operations.iter().map(|(id, _)| *id)) {
        pinned.insert(view_id.clone());
        if let Ok(view) = history.at_view(view_id) {
            needed.extend(view.setters.into_iter().flatten().map(|(_, setter)| setter));
        }
    }

    let mut items = Vec::new();
    for (id, operation) in outdone(&operations) {
        if needed.contains(&id) || collected.contains(&id) {
            continue;
        }
        let stub = stub(operation).encode();
        let size = store.payload_size(id)?.unwrap_or_default();
        if (stub.len() as u64) < size {
            items.push((id, stub, size));
        }
    }
    Ok(Superseded { items, pinned })
}

fn setters<'f>(
    values: Option<impl Iterator<Item = &'f (Value, OperationId)>>,
) -> BTreeSet<OperationId> {
    values.into_iter().flatten().map(|(_, id)| *id).collect()
}

/// The operations all of whose fields were set again on top of them. What an operation was made on top
/// of must come before it.
fn outdone(
    operations: &[(OperationId, Operation<Value>)],
) -> Vec<(OperationId, &Operation<Value>)> {
    let mut set_later: BTreeMap<OperationId, BTreeSet<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for (id, operation) in operations.iter().rev() {
        let mut later = set_later.remove(id).unwrap_or_default();
        let Some(fields) = operation.fields() else {
            continue;
        };
        if fields.keys().all(|name| later.contains(name.as_str())) {
            found.push((*id, operation));
        }
        later.extend(fields.keys().map(String::as_str));
        let previous = operation.previous().map_or(&[][..], DocumentViewId::ids);
        for id in previous {
            set_later.entry(*id).or_default().extend(&later);
        }
    }
    found
}

/// What stays of an operation: everything but its values.
fn stub(operation: &Operation<Value>) -> Operation {
    let names: Fields<PlainValue> = operation
        .fields()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .map(|name| (name.clone(), PlainValue::Bool(false)))
        .collect();
    let schema_id = operation.schema_id().clone();
    match operation.previous() {
        None => Operation::Create {
            schema_id,
            fields: names,
        },
        Some(previous) => Operation::Update {
            schema_id,
            previous: previous.clone(),
            fields: names,
        },
    }
}

/// What the bytes of a piece amount to, if nothing holds on to any of its views.
fn unreferenced(store: &dyn Read, row: &DocumentRow, pins: &Pins) -> Result<Reclaimed, StoreError> {
    let ids: Vec<OperationId> = match row.edited || row.view_id != row.id.into() {
        false => vec![row.id.into()],
        true => {
            let entries = store.document_entries(row.id)?;
            let kept = entries.into_iter().filter(|entry| entry.payload.is_some());
            kept.map(|entry| entry.hash.into()).collect()
        }
    };
    if pins.of_document(ids.iter().copied()).next().is_some() {
        return Ok(Reclaimed::default());
    }
    let mut bytes = 0;
    for id in &ids {
        bytes += store.payload_size(*id)?.unwrap_or_default();
    }
    Ok(Reclaimed {
        documents: 1,
        items: ids.len() as u64,
        bytes,
    })
}

impl<S: Store> Engine<S> {
    /// Drops the superseded operations of documents.
    pub(super) fn collect_history(
        &mut self,
        candidates: Candidates,
    ) -> Result<Reclaimed, StoreError> {
        let mut reclaimed = Reclaimed::default();
        let (rows, pins) = self.still_there(candidates)?;
        for row in rows {
            let found = superseded(&self.store, &row, &pins)?.items;
            for (id, stub, size) in &found {
                assert!(
                    *size > stub.len() as u64,
                    "a stub takes more than what it stands for"
                );
                self.store.collect(id.hash(), Some(stub))?;
                reclaimed.items += 1;
                reclaimed.bytes += size - stub.len() as u64;
            }
            if !found.is_empty() {
                reclaimed.documents += 1;
                self.outputs.push_back(super::Output::Deleted(row.id));
            }
        }
        Ok(reclaimed)
    }

    /// Drops blob pieces that no blob lists.
    pub(super) fn collect_pieces(
        &mut self,
        candidates: Candidates,
    ) -> Result<Reclaimed, StoreError> {
        let mut reclaimed = Reclaimed::default();
        let (rows, pins) = self.still_there(candidates)?;
        for row in rows {
            let found = match pins.contains(&row.view_id) {
                true => continue,
                false => unreferenced(&self.store, &row, &pins)?,
            };
            if row.schema_id != SchemaId::BLOB_PIECE || found.items == 0 {
                continue;
            }
            for entry in self.store.document_entries(row.id)? {
                let operation = entry.payload.map(|payload| Operation::decode(&payload));
                let is_delete = |operation: &Operation| operation.action() == Action::Delete;
                if operation.is_some_and(|operation| !operation.as_ref().is_ok_and(is_delete)) {
                    self.store.collect(entry.hash, None)?;
                }
            }
            self.changed_without_entry(row.id, &row.schema_id)?;
            reclaimed += found;
        }
        Ok(reclaimed)
    }

    /// The documents as they are by now, those that were deleted meanwhile left out; with what was pinned
    /// meanwhile.
    fn still_there(&self, candidates: Candidates) -> Result<(Vec<DocumentRow>, Pins), StoreError> {
        let Candidates {
            documents,
            pinned,
            as_of,
        } = candidates;
        let mut pins = Pins {
            views: pinned,
            open: Vec::new(),
            as_of,
        };
        pins.catch_up(&self.store)?;
        let mut rows = Vec::with_capacity(documents.len());
        for id in documents {
            // Bytes outside of the database are not what decides.
            let row = self.store.document_outline(id)?;
            rows.extend(row.filter(|row| !row.is_deleted()));
        }
        Ok((rows, pins))
    }
}
