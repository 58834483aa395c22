//! The operations of a document that count, and what they and any of its views lead to.
//!
//! An operation counts when the operator did not have it purged, it follows the document's schema, and it
//! leads back to the CREATE. Of one that was collected a stub is left: it stands in the history, and a view
//! that needs its values is not there.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::document::{Document, Field, History, ViewState};
use grove_core::types::{
    DocumentId, DocumentViewId, OperationId, PublicKey, Schema, SchemaId, Value,
};
use grove_core::validate::validate_operation;
use grove_core::wire::{Fields, Operation};

use crate::store::{DocumentRow, EntryRow, StoreError};

/// What is kept of operations while they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of them.
    Values,
    /// What they were made on top of and which fields they set.
    Names,
}

/// The operations of a document that count and lead back to its CREATE.
#[derive(Debug, Default)]
pub(super) struct Connected {
    pub(super) history: History,
    /// Each after what it was made on top of.
    pub(super) operations: Vec<(OperationId, Operation<Value>)>,
    /// Those of which only a stub is left; their values mean nothing.
    pub(super) collected: BTreeSet<OperationId>,
    numbers: BTreeMap<OperationId, usize>,
}

/// Operations of a document in the order in which a store tells them.
#[derive(Debug)]
pub(super) struct Reading<'s> {
    schema: &'s Schema,
    extent: Extent,
    waiting: Vec<(i64, OperationId, Operation<Value>)>,
    collected: BTreeSet<OperationId>,
}

impl<'s> Reading<'s> {
    pub(super) fn new(schema: &'s Schema, extent: Extent) -> Self {
        Self {
            schema,
            extent,
            waiting: Vec::new(),
            collected: BTreeSet::new(),
        }
    }

    /// Takes the operation of an entry, if it counts.
    pub(super) fn take(&mut self, row: &EntryRow) -> Result<(), StoreError> {
        if row.purged || row.schema_id != *self.schema.id() {
            return Ok(());
        }
        let id = OperationId::from(row.hash);
        // Without it the document would be shown as it never was. Of a piece, whose bytes are everything, the
        // store leaves them out by itself.
        if row.lost && *self.schema.id() != SchemaId::BLOB_PIECE {
            return Err(StoreError::Damaged(format!("operation {id} is another")));
        }
        // What a peer says of an operation that never was here counts for nothing while the document lives.
        let stub = row.stub.as_ref().filter(|_| row.seen);
        let Some(bytes) = row.payload.as_ref().or(stub) else {
            return Ok(());
        };
        let operation = Operation::decode(bytes).map_err(|_| StoreError::Corrupt("operation"))?;
        let operation = if row.payload.is_none() {
            self.collected.insert(id);
            without_values(&operation)
        } else if let Ok(typed) = validate_operation(&operation, self.schema) {
            match self.extent {
                Extent::Values => typed,
                Extent::Names => without_values(&operation),
            }
        } else {
            return Ok(());
        };
        self.waiting.push((row.position, id, operation));
        Ok(())
    }

    /// Keeps what leads back to the CREATE.
    pub(super) fn connect(mut self, document: DocumentId) -> Result<Connected, StoreError> {
        self.waiting
            .sort_unstable_by_key(|(position, ..)| *position);
        let waiting = self.waiting.into_iter();
        let waiting = waiting.map(|(_, id, operation)| (id, operation)).collect();
        Ok(Connected {
            collected: self.collected,
            ..connect(document, waiting)?
        })
    }
}

/// Keeps of these operations what leads back to the CREATE. In stored order they nearly always lead from
/// previous to next, so one round is the rule.
pub(super) fn connect(
    document: DocumentId,
    mut waiting: Vec<(OperationId, Operation<Value>)>,
) -> Result<Connected, StoreError> {
    let mut connected = Connected::default();
    loop {
        let before = waiting.len();
        let mut left = Vec::new();
        for (id, operation) in waiting {
            if connected.is_ready(document, id, &operation) {
                connected.join(id, operation)?;
            } else {
                left.push((id, operation));
            }
        }
        if left.is_empty() || left.len() == before {
            return Ok(connected);
        }
        waiting = left;
    }
}

impl Connected {
    fn is_ready<V>(&self, document: DocumentId, id: OperationId, operation: &Operation<V>) -> bool {
        match operation.previous() {
            None => DocumentId::from(id) == document && self.history.is_empty(),
            Some(previous) => {
                let mut ids = previous.ids().iter();
                ids.all(|id| self.history.contains(*id))
            }
        }
    }

    fn join(&mut self, id: OperationId, operation: Operation<Value>) -> Result<(), StoreError> {
        let joined = self.history.join(id, &operation);
        joined.map_err(|_| StoreError::Corrupt("document"))?;
        self.numbers.insert(id, self.operations.len());
        self.operations.push((id, operation));
        Ok(())
    }

    /// The document as all of its operations make it.
    pub(super) fn current(&self, owner: PublicKey) -> Option<DocumentRow> {
        self.row(self.history.current()?, owner)
    }

    /// The document as it was at a view; `None` when the view is unknown, the document was deleted then, or
    /// some of its values are gone.
    pub(super) fn at_view(
        &self,
        view_id: &DocumentViewId,
        owner: PublicKey,
    ) -> Option<DocumentRow> {
        let view = self.history.at_view(view_id).ok()?;
        let row = self.row(view, owner);
        row.filter(|row| !row.is_deleted())
    }

    /// A view with its values; `None` when some of them were collected.
    fn row(&self, view: ViewState<'_>, owner: PublicKey) -> Option<DocumentRow> {
        let (create, operation) = self.operations.first()?;
        let fields = match view.setters {
            None => None,
            Some(setters) => {
                let mut fields = BTreeMap::new();
                for (name, operation_id) in setters {
                    let value = self.value(name, operation_id)?.clone();
                    let field = Field {
                        value,
                        operation_id,
                    };
                    fields.insert(name.to_owned(), field);
                }
                Some(fields)
            }
        };
        let document = Document {
            id: (*create).into(),
            schema_id: operation.schema_id().clone(),
            view_id: view.view_id,
            fields,
        };
        Some(row_from_document(document, owner))
    }

    fn value(&self, name: &str, setter: OperationId) -> Option<&Value> {
        if self.collected.contains(&setter) {
            return None;
        }
        let (_, operation) = &self.operations[*self.numbers.get(&setter)?];
        operation.fields()?.get(name)
    }
}

/// An operation whose values mean nothing.
fn without_values(operation: &Operation) -> Operation<Value> {
    let schema_id = operation.schema_id().clone();
    let names = operation.fields().map(|fields| {
        let names = fields.keys().map(|name| (name.clone(), Value::Bool(false)));
        names.collect::<Fields<_>>()
    });
    match (operation.previous().cloned(), names) {
        (None, fields) => Operation::Create {
            schema_id,
            fields: fields.unwrap_or_default(),
        },
        (Some(previous), Some(fields)) => Operation::Update {
            schema_id,
            previous,
            fields,
        },
        (Some(previous), None) => Operation::Delete {
            schema_id,
            previous,
        },
    }
}

/// Turns a reduced document into what is stored of it.
pub(super) fn row_from_document(document: Document<Value>, owner: PublicKey) -> DocumentRow {
    DocumentRow {
        edited: document.is_edited(),
        id: document.id,
        schema_id: document.schema_id,
        view_id: document.view_id,
        owner,
        fields: document.fields.map(|fields| {
            let fields = fields.into_iter();
            fields
                .map(|(name, field)| (name, (field.value, field.operation_id)))
                .collect()
        }),
    }
}
