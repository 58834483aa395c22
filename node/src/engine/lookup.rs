//! Small questions to the store that several parts of the engine, and answers to clients, ask.

use std::collections::BTreeSet;

use grove_core::document::{Document, Graph};
use grove_core::types::{DocumentId, DocumentViewId, OperationId, PublicKey, SchemaId, Value};
use grove_core::validate::validate_operation;
use grove_core::wire::Operation;

use crate::store::{DocumentRow, Read, StoreError};

//= QU3: any view whose operations are there can be shown
/// A live document as it was at a view: the current one, or any whose operations are there.
pub fn document_at_view(
    store: &dyn Read,
    view_id: &DocumentViewId,
) -> Result<Option<DocumentRow>, StoreError> {
    let Some(operation) = store.operation(view_id.ids()[0])? else {
        return Ok(None);
    };
    let Some(current) = store.document(operation.document)? else {
        return Ok(None);
    };
    if current.is_deleted() {
        return Ok(None);
    }
    if current.view_id == *view_id {
        return Ok(Some(current));
    }
    let operations = connected_operations(store, operation.document, &current.schema_id)?;
    let graph = Graph::build(operations.iter().map(|(id, operation)| (*id, operation)))
        .map_err(|_| StoreError::Corrupt("document"))?;
    let Ok(graph) = graph.at_view(view_id) else {
        return Ok(None);
    };
    let document = Document::from_graph(&graph).map_err(|_| StoreError::Corrupt("document"))?;
    let row = row_from_document(document, current.owner);
    Ok((!row.is_deleted()).then_some(row))
}

/// The operations of a document that count, whose bytes are there, and that lead back to its CREATE.
pub(super) fn connected_operations(
    store: &dyn Read,
    document: DocumentId,
    schema_id: &SchemaId,
) -> Result<Vec<(OperationId, Operation<Value>)>, StoreError> {
    let Some(schema) = store.schema(schema_id)? else {
        return Ok(Vec::new());
    };
    let mut waiting = Vec::new();
    for row in store.document_entries(document)? {
        let wanted = row.counted && row.schema_id == *schema_id;
        let Some(payload) = row.payload.as_ref().filter(|_| wanted) else {
            continue;
        };
        let operation = Operation::decode(payload).map_err(|_| StoreError::Corrupt("operation"))?;
        if let Ok(operation) = validate_operation(&operation, &schema) {
            waiting.push((OperationId::from(row.hash), operation));
        }
    }

    // Stored order nearly always leads from previous to next, so one round is the rule.
    let mut connected = Vec::with_capacity(waiting.len());
    let mut ids = BTreeSet::new();
    loop {
        let before = connected.len();
        waiting.retain_mut(|(id, operation)| {
            let previous = operation.previous().map_or(&[][..], DocumentViewId::ids);
            let joins = previous.iter().all(|id| ids.contains(id))
                && (!previous.is_empty() || DocumentId::from(*id) == document);
            if joins {
                ids.insert(*id);
                connected.push((*id, operation.clone()));
            }
            !joins
        });
        if connected.len() == before {
            return Ok(connected);
        }
    }
}

/// The state the operations of a document lead to; `None` when none of them count.
pub(super) fn reduced(store: &dyn Read, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    let create = store.operation(id.into())?.zip(store.entry(id.hash())?);
    let Some((operation, entry)) = create else {
        return Ok(None);
    };
    let operations = connected_operations(store, id, &operation.schema_id)?;
    if operations.is_empty() {
        return Ok(None);
    }
    let pairs = operations.iter().map(|(id, operation)| (*id, operation));
    let document = Document::reduce(pairs).map_err(|_| StoreError::Corrupt("document"))?;
    Ok(Some(row_from_document(document, entry.public_key)))
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
