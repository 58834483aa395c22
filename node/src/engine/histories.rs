//! Histories of documents, kept from one operation to the next.
//!
//! A document that is written at several places at once, or of which many views are asked for, is read
//! once; from then on an operation or a view costs what it changes or shows. What is kept changes no
//! answer: it can be forgotten at any time, and is whenever a transaction fails, somebody else writes, or
//! bytes of a document are dropped. The same holds of documents that ended: what comes behind their end costs
//! what it says, not what they had gone through.

use std::collections::BTreeMap;

use grove_core::document::{History, ViewState};
use grove_core::types::{
    DocumentId, DocumentViewId, OperationId, PublicKey, Schema, SchemaId, Value,
};
use grove_core::validate::validate_operation;
use grove_core::wire::{Action, Operation};

use super::connected::Extent;
use super::lookup::connected_operations;
use super::tombstone::{Ended, first_delete};
use crate::store::{DocumentRow, Read, StoreError, ViewFields};

/// How many operations are kept, of all documents together; each takes some 250 bytes.
const OPERATIONS_MAX: usize = 128 * 1024;

/// Histories of the documents that were asked for last.
#[derive(Debug, Clone, Default)]
pub(super) struct Histories {
    kept: BTreeMap<DocumentId, Kept>,
    /// The documents by when they were asked for.
    asked: BTreeMap<u64, DocumentId>,
    next: u64,
    operations: usize,
    /// How many operations were read from stores.
    read: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    history: History,
    subject: Subject,
    asked: u64,
}

/// Of what it is the history.
#[derive(Debug, Clone)]
enum Subject {
    Live(Live),
    /// A document that ended, all of whose operations lead back to its CREATE; and its DELETE with the lowest id.
    Ended(OperationId),
}

#[derive(Debug, Clone)]
struct Live {
    schema: Schema,
    owner: PublicKey,
}

impl Histories {
    /// How many operations were read from stores so far.
    pub(super) fn operations_read(&self) -> u64 {
        self.read
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self {
            read: self.read,
            ..Self::default()
        };
    }

    /// Forgets a document.
    pub(super) fn forget(&mut self, id: DocumentId) {
        if let Some(kept) = self.kept.remove(&id) {
            self.asked.remove(&kept.asked);
            assert!(
                self.operations >= kept.history.len(),
                "more operations go than came"
            );
            self.operations -= kept.history.len();
        }
    }

    /// Adds an operation that was stored, to a history that is kept.
    pub(super) fn note(
        &mut self,
        id: DocumentId,
        operation_id: OperationId,
        operation: &Operation<Value>,
    ) {
        let Some(kept) = self.kept.get_mut(&id) else {
            return;
        };
        if let Subject::Ended(lowest) = &mut kept.subject
            && operation.action() == Action::Delete
        {
            *lowest = operation_id.min(*lowest);
        }
        match kept.history.join(operation_id, operation) {
            Ok(()) => self.operations += 1,
            Err(_) => self.forget(id),
        }
    }

    /// The DELETE that names the last view of a document that ended; `None` when there is none.
    pub(super) fn first_delete(
        &mut self,
        store: &dyn Read,
        id: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<Option<OperationId>, StoreError> {
        if let Some(kept) = self.kept.get(&id)
            && let Subject::Ended(lowest) = kept.subject
        {
            return Ok(Some(first_delete(&kept.history, lowest)));
        }
        self.forget(id);
        let entries = store.entries_behind_create(id)?;
        self.read += entries.len() as u64;
        let Some(ended) = Ended::read(&entries, id, schema_id)? else {
            return Ok(None);
        };
        let first = first_delete(&ended.history, ended.lowest);
        if ended.is_whole {
            self.keep(id, ended.history, Subject::Ended(ended.lowest));
        }
        Ok(Some(first))
    }

    /// What all operations of a document lead to, this one included, which is stored already.
    pub(super) fn current(
        &mut self,
        store: &dyn Read,
        id: DocumentId,
        operation_id: OperationId,
        operation: &Operation<Value>,
    ) -> Result<Option<ViewState<'_>>, StoreError> {
        let is_kept = self.kept.get(&id);
        if is_kept.is_some_and(|kept| !kept.history.contains(operation_id)) {
            self.note(id, operation_id, operation);
        }
        let kept = self.of(store, id)?;
        let kept = kept.filter(|(history, _)| history.contains(operation_id));
        Ok(kept.and_then(|(history, _)| history.current()))
    }

    /// Reads the history of a document unless it is kept.
    pub(super) fn read(&mut self, store: &dyn Read, id: DocumentId) -> Result<(), StoreError> {
        self.of(store, id).map(|_| ())
    }

    /// A live document as all of its operations make it; `None` when it is not live, or some of its values are
    /// gone.
    pub(super) fn current_row(
        &mut self,
        store: &dyn Read,
        id: DocumentId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let Some((history, live)) = self.of(store, id)? else {
            return Ok(None);
        };
        match history.current() {
            Some(view) => live.row(store, id, view),
            None => Ok(None),
        }
    }

    /// A live document as it was at a view: the current one, or any whose operations are there.
    pub(super) fn document_at(
        &mut self,
        store: &dyn Read,
        view_id: &DocumentViewId,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let Some(operation) = store.operation(view_id.ids()[0])? else {
            return Ok(None);
        };
        let Some(current) = store.document_outline(operation.document)? else {
            return Ok(None);
        };
        if current.is_deleted() || current.schema_id != operation.schema_id {
            return Ok(None);
        }
        if current.view_id == *view_id {
            return store.document(current.id);
        }
        let Some((history, live)) = self.of(store, current.id)? else {
            return Ok(None);
        };
        match history.at_view(view_id) {
            Ok(view) => live.row(store, current.id, view),
            Err(_) => Ok(None),
        }
    }

    /// The history of a live document, read if it is not kept; `None` when nothing of it counts.
    fn of(
        &mut self,
        store: &dyn Read,
        id: DocumentId,
    ) -> Result<Option<(&History, &Live)>, StoreError> {
        let is_kept =
            matches!(self.kept.get(&id), Some(kept) if matches!(kept.subject, Subject::Live(_)));
        if !is_kept {
            self.forget(id);
            let Some((history, live)) = Live::read(store, id)? else {
                return Ok(None);
            };
            self.read += history.len() as u64;
            self.keep(id, history, Subject::Live(live));
        }
        let asked = self.next;
        self.next += 1;
        let Some(kept) = self.kept.get_mut(&id) else {
            return Ok(None);
        };
        self.asked.remove(&kept.asked);
        kept.asked = asked;
        self.asked.insert(asked, id);
        match &kept.subject {
            Subject::Live(live) => Ok(Some((&kept.history, live))),
            Subject::Ended(_) => Ok(None),
        }
    }

    /// Keeps a history that is not kept.
    fn keep(&mut self, id: DocumentId, history: History, subject: Subject) {
        self.make_room(history.len());
        self.operations += history.len();
        let asked = self.next;
        self.next += 1;
        self.asked.insert(asked, id);
        let before = self.kept.insert(
            id,
            Kept {
                history,
                subject,
                asked,
            },
        );
        assert!(before.is_none(), "a history is kept once");
    }

    /// Forgets what was not asked for in a long time, until so many operations more have room. One document
    /// larger than all there may be is kept alone.
    fn make_room(&mut self, count: usize) {
        assert_eq!(
            self.asked.len(),
            self.kept.len(),
            "every history was asked for"
        );
        while self.operations + count > OPERATIONS_MAX {
            let Some((_, oldest)) = self.asked.pop_first() else {
                return;
            };
            self.forget(oldest);
        }
    }
}

impl Live {
    /// Reads a history. Values are not held.
    fn read(store: &dyn Read, id: DocumentId) -> Result<Option<(History, Self)>, StoreError> {
        let create = store.operation(id.into())?.zip(store.placed(id.hash())?);
        let Some((operation, entry)) = create else {
            return Ok(None);
        };
        let Some(schema) = store.schema(&operation.schema_id)? else {
            return Ok(None);
        };
        let read = connected_operations(store, id, &operation.schema_id, Extent::Names)?;
        let history = read.history;
        let live = Self {
            schema,
            owner: entry.public_key,
        };
        Ok((!history.is_empty()).then_some((history, live)))
    }

    /// The document at a view, its values read from the operations that set them; `None` when it is deleted there,
    /// or some of its values are gone.
    fn row(
        &self,
        store: &dyn Read,
        id: DocumentId,
        ViewState { view_id, setters }: ViewState<'_>,
    ) -> Result<Option<DocumentRow>, StoreError> {
        let Some(setters) = setters else {
            return Ok(None);
        };
        let mut named: BTreeMap<OperationId, Vec<&str>> = BTreeMap::new();
        for (name, setter) in setters {
            named.entry(setter).or_default().push(name);
        }
        let mut fields = ViewFields::new();
        for (setter, names) in named {
            let entry = store.entry(setter.hash())?;
            let Some(payload) = entry.and_then(|entry| entry.payload) else {
                return Ok(None);
            };
            let operation = Operation::decode(&payload).ok();
            let operation =
                operation.and_then(|operation| validate_operation(&operation, &self.schema).ok());
            let operation = operation.ok_or(StoreError::Corrupt("operation"))?;
            for name in names {
                let value = operation.fields().and_then(|fields| fields.get(name));
                let value = value.ok_or(StoreError::Corrupt("operation"))?;
                fields.insert(name.to_owned(), (value.clone(), setter));
            }
        }
        let create = OperationId::from(id);
        Ok(Some(DocumentRow {
            id,
            schema_id: self.schema.id().clone(),
            view_id,
            owner: self.owner,
            edited: fields.values().any(|(_, setter)| *setter != create),
            fields: Some(fields),
        }))
    }
}
