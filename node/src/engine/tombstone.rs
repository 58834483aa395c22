//! What ended a document: which of its DELETEs names its last view, and what is kept to tell it.
//!
//! That is the first DELETE which the walk of the document meets (R5). The way of the walk follows from what
//! operations were made on top of, which goes with their bytes. So of every operation but the CREATE and the
//! DELETEs a stub stays that says this alone: no values, and no names of fields.
//!
//! Always true:
//! - Nodes that saw the same operations name the same DELETE, in whatever order the operations came and
//!   however many were dropped in between.
//! - Where the way to no DELETE is known, as between operations that came without their bytes, the DELETE with
//!   the lowest id names the view.

use grove_core::document::History;
use grove_core::types::{DocumentId, DocumentViewId, OperationId, PlainValue, SchemaId, Value};
use grove_core::validate::SignedEntry;
use grove_core::wire::{Action, Fields, Operation};

use super::connected::connect;
use super::{Engine, Output};
use crate::store::{DocumentRow, EntryRow, Need, Store, StoreError};

impl<S: Store> Engine<S> {
    /// Stores that a document was deleted, and drops what goes with it.
    pub(super) fn end(&mut self, row: &DocumentRow) -> Result<(), StoreError> {
        assert!(row.is_deleted(), "only what was deleted ends");
        let entries = self.store.entries_behind_create(row.id)?;
        self.store.put_document(row)?;
        //= DL1: the operations of a deleted document are dropped
        //= R7: with the document go the bytes of its operations
        self.store.drop_payloads(row.id)?;
        self.histories.forget(row.id);
        self.met.push_back(Need::Operation(row.id.into()));
        // What is missing of it was deleted by now, and is told as that.
        let create = self.store.operation(row.id.into())?;
        let create = create.map(|create| (row.id.hash(), create.position));
        let others = entries.iter().map(|entry| (entry.hash, entry.position));
        for (hash, position) in create.into_iter().chain(others) {
            self.held.add(&row.schema_id, hash, position);
        }
        if entries.iter().any(|entry| entry.payload.is_none()) {
            // What was doubted until now was kept from peers, also where it would have followed by itself.
            self.mark_all_news();
        }
        for entry in &entries {
            match operation_of(entry)? {
                Some(operation) => self.leave_stub(entry.hash.into(), &operation)?,
                // That it belongs here was a claim until now.
                None => self.met.push_back(Need::Operation(entry.hash.into())),
            }
        }
        self.outputs.push_back(Output::Deleted(row.id));
        Ok(())
    }

    /// Keeps of an operation on a deleted document what it was made on top of.
    pub(super) fn leave_stub<V>(
        &mut self,
        id: OperationId,
        operation: &Operation<V>,
    ) -> Result<(), StoreError> {
        match stub_of(operation) {
            Some(stub) => self.store.leave_stub(id.hash(), &stub),
            None => Ok(()),
        }
    }

    /// The same of an operation that never was here, as a peer tells of it. Believed once the document is deleted.
    pub(super) fn leave_claimed_stub(
        &mut self,
        entry: &SignedEntry,
        schema_id: &SchemaId,
        previous: &DocumentViewId,
    ) -> Result<(), StoreError> {
        let claimed: Operation<PlainValue> = Operation::Update {
            schema_id: schema_id.clone(),
            previous: previous.clone(),
            fields: Fields::new(),
        };
        self.leave_stub(entry.operation_id(), &claimed)
    }

    /// Names the last view of a deleted document anew, after something of it came or went.
    pub(super) fn name_end(&mut self, id: DocumentId) -> Result<(), StoreError> {
        let Some(mut row) = self.store.document_outline(id)? else {
            return Ok(());
        };
        if let Some(delete) = self.first_delete(id, &row.schema_id)?
            && row.view_id != delete.into()
        {
            row.view_id = delete.into();
            self.store.put_document(&row)?;
        }
        Ok(())
    }

    /// The DELETE that names the last view of a document; `None` when there is none.
    pub(super) fn first_delete(
        &mut self,
        id: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<Option<OperationId>, StoreError> {
        self.histories.first_delete(&self.store, id, schema_id)
    }
}

/// What is known of a document that ended.
pub(super) struct Ended {
    pub(super) history: History,
    /// The DELETE with the lowest id.
    pub(super) lowest: OperationId,
    /// Whether all operations that are known of are in the history.
    pub(super) is_whole: bool,
}

impl Ended {
    /// Reads what these entries tell: all of a document but the one that begins it, in the order of their
    /// acceptance. `None` when there is no DELETE.
    pub(super) fn read(
        entries: &[EntryRow],
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<Option<Self>, StoreError> {
        let create = Operation::Create {
            schema_id: schema_id.clone(),
            fields: Fields::new(),
        };
        let mut operations: Vec<(OperationId, Operation<Value>)> = vec![(document.into(), create)];
        for entry in entries.iter().filter(|entry| !entry.purged) {
            let operation = operation_of(entry)?;
            operations.extend(operation.map(|operation| (entry.hash.into(), bare(&operation))));
        }
        let deletes = operations
            .iter()
            .filter(|(_, operation)| operation.action() == Action::Delete);
        let Some(lowest) = deletes.map(|(id, _)| *id).min() else {
            return Ok(None);
        };
        let count = operations.len();
        let history = connect(document, operations)?.history;
        Ok(Some(Self {
            is_whole: history.len() == count,
            history,
            lowest,
        }))
    }
}

/// The DELETE that names the last view of a document with this history and this lowest DELETE.
pub(super) fn first_delete(history: &History, lowest: OperationId) -> OperationId {
    let ended = history.current();
    let ended = ended.filter(|view| view.setters.is_none());
    //= R5: the view id is that of the first DELETE the walk meets
    ended.map_or(lowest, |view| view.view_id.ids()[0])
}

/// What is kept of an operation that is dropped with its document; `None` of a CREATE, which was made on top of
/// nothing, and of a DELETE, which is kept as it is.
pub(super) fn stub_of<V>(operation: &Operation<V>) -> Option<Vec<u8>> {
    let stub: Operation<PlainValue> = bare(operation);
    (operation.action() == Action::Update).then(|| stub.encode())
}

/// What is kept of an operation.
fn operation_of(entry: &EntryRow) -> Result<Option<Operation>, StoreError> {
    let bytes = entry.payload.as_ref().or(entry.stub.as_ref());
    let operation = bytes.map(|bytes| Operation::decode(bytes));
    operation
        .transpose()
        .map_err(|_| StoreError::Corrupt("operation"))
}

/// An operation without fields.
pub(super) fn bare<V, W>(operation: &Operation<W>) -> Operation<V> {
    let schema_id = operation.schema_id().clone();
    match (operation.action(), operation.previous().cloned()) {
        (Action::Create, _) | (_, None) => Operation::Create {
            schema_id,
            fields: Fields::new(),
        },
        (Action::Update, Some(previous)) => Operation::Update {
            schema_id,
            previous,
            fields: Fields::new(),
        },
        (Action::Delete, Some(previous)) => Operation::Delete {
            schema_id,
            previous,
        },
    }
}
