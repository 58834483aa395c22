//! The state of a document after an operation.
//!
//! An operation on top of the current view costs its own fields; any other makes the document be
//! reduced from its stored operations. Both give the same state.

use std::collections::BTreeMap;

use grove_core::document::{Document, Field};
use grove_core::types::{DocumentId, OperationId, PublicKey, SchemaId, Value};
use grove_core::wire::{Action, Operation};

use super::lookup::{reduced, row_from_document};
use super::{Engine, IngestError};
use crate::store::{DocumentRow, Store, StoreError};

impl<S: Store> Engine<S> {
    /// Brings a document up to date after an operation was stored.
    pub(super) fn materialise(
        &mut self,
        id: DocumentId,
        operation_id: OperationId,
        author: PublicKey,
        operation: &Operation<Value>,
    ) -> Result<(), IngestError> {
        let Some(current) = self.store.document_outline(id)? else {
            return self.begin(id, operation_id, author, operation);
        };
        let owner = current.owner;
        let mut document = document_from_row(current);
        if document.apply(operation_id, operation) && self.is_whole(&document) {
            self.put(row_from_document(document, owner))
        } else if operation.action() == Action::Delete && self.lacks_payloads(id)? {
            self.put_tombstone(id, operation_id, owner, operation.schema_id())
        } else {
            self.rematerialise(id)
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
            return Ok(self.end(&row)?);
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
