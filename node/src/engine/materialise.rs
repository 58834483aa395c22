//! The state of a document after an operation.
//!
//! An operation on top of the current view costs its own fields, and so does any other once the history of
//! its document was read. Where values have to be found anew, the document is reduced from its stored
//! operations. All give the same state.

use std::collections::BTreeMap;

use grove_core::document::{Document, Field, ViewState};
use grove_core::types::{DocumentId, OperationId, PublicKey, SchemaId, Value};
use grove_core::wire::{Action, Operation};

use super::connected::row_from_document;
use super::lookup::reduced;
use super::{Engine, IngestError, PolicyError, within};
use crate::store::{DocumentRow, Store, StoreError};

impl<S: Store> Engine<S> {
    /// The state of a document before an operation, and its history if the next state can't be told without. That
    /// is where an entry may cost much, so it happens while the entry can be refused. A DELETE is not: what it
    /// costs was paid for by the operations it ends, and who wants a document gone is not to wait for a limit.
    pub(super) fn look_ahead(
        &mut self,
        id: DocumentId,
        operation: &Operation<Value>,
    ) -> Result<Option<DocumentRow>, IngestError> {
        let current = self.store.document_outline(id)?;
        let merges = operation.action() == Action::Update
            && current
                .as_ref()
                .is_some_and(|row| !row.is_deleted() && operation.previous() != Some(&row.view_id));
        if merges {
            let (histories, work_max) = (&mut self.histories, self.settings.limits.entry_work_max);
            let read = within(work_max, &self.store, |store| histories.read(store, id));
            match read {
                Err(StoreError::BudgetExceeded) => return Err(PolicyError::TooMuchWork(id).into()),
                read => read?,
            }
        }
        Ok(current)
    }

    /// Brings a document up to date after an operation was stored, from its state before.
    pub(super) fn materialise(
        &mut self,
        current: Option<DocumentRow>,
        id: DocumentId,
        operation_id: OperationId,
        author: PublicKey,
        operation: &Operation<Value>,
    ) -> Result<(), IngestError> {
        let Some(current) = current else {
            return self.begin(id, operation_id, author, operation);
        };
        let owner = current.owner;
        let mut document = document_from_row(current);
        if document.apply(operation_id, operation) {
            self.histories.note(id, operation_id, operation);
            match self.is_whole(&document) {
                true => self.put(row_from_document(document, owner)),
                false => self.put_anew(id),
            }
        } else if operation.action() == Action::Delete && self.lacks_payloads(id)? {
            self.put_tombstone(id, operation_id, owner, operation.schema_id())
        } else {
            self.merge(document, owner, operation_id, operation)
        }
    }

    /// Brings a document up to date after an operation that was made on top of another view than the current
    /// one.
    fn merge(
        &mut self,
        document: Document<Value>,
        owner: PublicKey,
        operation_id: OperationId,
        operation: &Operation<Value>,
    ) -> Result<(), IngestError> {
        let id = document.id;
        let state = self
            .histories
            .current(&self.store, id, operation_id, operation)?;
        let merged = state.and_then(|state| merged(document, state, operation_id, operation));
        match merged.filter(|document| self.is_whole(document)) {
            Some(document) => self.put(row_from_document(document, owner)),
            None => self.put_anew(id),
        }
    }

    /// Brings a document up to date whose values have to be found anew: those that show are read, and no others.
    fn put_anew(&mut self, id: DocumentId) -> Result<(), IngestError> {
        match self.histories.current_row(&self.store, id)? {
            Some(row) => self.put(row),
            None => self.rematerialise(id),
        }
    }

    /// Whether every field has its value. What was left out of an outline and is not set anew has to be
    /// read from the operations.
    fn is_whole(&self, document: &Document<Value>) -> bool {
        let schema = self.schemas.get(&document.schema_id);
        let count = schema.map(|schema| schema.fields().len());
        let fields = document.fields.as_ref();
        fields.is_none_or(|fields| Some(fields.len()) == count)
    }

    /// Whether operations of a document came without their bytes, as from a peer that has deleted it.
    /// What they led to can't be told any more, but a DELETE on top of them still ends the document.
    fn lacks_payloads(&self, id: DocumentId) -> Result<bool, StoreError> {
        let entries = self.store.document_entries(id)?;
        Ok(entries.iter().any(|row| row.payload.is_none() && !row.lost))
    }

    /// Gives a document its first state.
    fn begin(
        &mut self,
        id: DocumentId,
        operation_id: OperationId,
        author: PublicKey,
        operation: &Operation<Value>,
    ) -> Result<(), IngestError> {
        match operation.action() {
            Action::Create => {
                let document = Document::reduce([(operation_id, operation)])
                    .map_err(|_| StoreError::Corrupt("operation"))?;
                self.put(row_from_document(document, author))
            }
            // The other operations came without their bytes, and here is the reason why: the
            // document was deleted before this node heard of it.
            Action::Delete => {
                let create = self.store.entry(id.hash())?;
                let owner = create.map_or(author, |create| create.public_key);
                self.put_tombstone(id, operation_id, owner, operation.schema_id())
            }
            Action::Update => self.rematerialise(id),
        }
    }

    /// Reduces a document from its stored operations. A deleted one stays deleted.
    pub(super) fn rematerialise(&mut self, id: DocumentId) -> Result<(), IngestError> {
        self.histories.forget(id);
        let current = self.store.document_outline(id)?;
        //= DL7: once deleted it stays so, whatever arrives afterwards
        if current.as_ref().is_some_and(DocumentRow::is_deleted) {
            return Ok(self.name_end(id)?);
        }
        match reduced(&self.store, id)? {
            Some(row) => self.put(row),
            // What is left of it was purged, or leads back to no CREATE.
            None => Ok(self.store.remove_document(id)?),
        }
    }

    /// Stores a state and does what follows from it.
    fn put(&mut self, row: DocumentRow) -> Result<(), IngestError> {
        if row.is_deleted() {
            self.end(&row)?;
            return Ok(self.definition_deleted(&row)?);
        }
        self.store.put_document(&row)?;
        if row.schema_id == SchemaId::SCHEMA_DEFINITION {
            self.try_definition(&row)?;
        }
        Ok(())
    }

    /// Stores the state of a document that this DELETE ended, for all that is known.
    fn put_tombstone(
        &mut self,
        id: DocumentId,
        delete: OperationId,
        owner: PublicKey,
        schema_id: &SchemaId,
    ) -> Result<(), IngestError> {
        let first = self.first_delete(id, schema_id)?;
        self.put(DocumentRow {
            id,
            schema_id: schema_id.clone(),
            view_id: first.unwrap_or(delete).into(),
            owner,
            edited: true,
            fields: None,
        })
    }
}

/// A document with the state that one operation more led to; `None` when that needs other values than those
/// that the document has and the operation brings.
fn merged(
    mut document: Document<Value>,
    state: ViewState<'_>,
    operation_id: OperationId,
    operation: &Operation<Value>,
) -> Option<Document<Value>> {
    let mut fields = document.fields.take()?;
    for (name, setter) in state.setters? {
        if fields
            .get(name)
            .is_some_and(|field| field.operation_id == setter)
        {
            continue;
        }
        if setter != operation_id {
            return None;
        }
        let value = operation.fields()?.get(name)?.clone();
        let field = Field {
            value,
            operation_id,
        };
        fields.insert(name.to_owned(), field);
    }
    document.view_id = state.view_id;
    document.fields = Some(fields);
    Some(document)
}

fn document_from_row(row: DocumentRow) -> Document<Value> {
    Document {
        id: row.id,
        schema_id: row.schema_id,
        view_id: row.view_id,
        fields: row.fields.map(|fields| {
            let fields = fields.into_iter();
            fields
                .map(|(name, (value, operation_id))| {
                    (
                        name,
                        Field {
                            value,
                            operation_id,
                        },
                    )
                })
                .collect::<BTreeMap<_, _>>()
        }),
    }
}
