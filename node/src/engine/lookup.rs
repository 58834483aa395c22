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
    let connected = connected_operations(store, operation.document, &current.schema_id)?;
    let graph = Graph::build(connected.pairs()).map_err(|_| StoreError::Corrupt("document"))?;
    let Ok(graph) = graph.at_view(view_id) else {
        return Ok(None);
    };
    let document = Document::from_graph(&graph).map_err(|_| StoreError::Corrupt("document"))?;
    let row = row_from_document(document, current.owner);
    Ok((!row.is_deleted() && connected.has_values_of(&row)).then_some(row))
}

/// The operations of a document that count and lead back to its CREATE, each after what it was made on
/// top of.
pub(super) struct Connected {
    pub(super) operations: Vec<(OperationId, Operation<Value>)>,
    /// Those of which only a stub is left; their values are none.
    pub(super) collected: BTreeSet<OperationId>,
}

impl Connected {
    /// The operations with their ids.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (OperationId, &Operation<Value>)> {
        self.operations
            .iter()
            .map(|(id, operation)| (*id, operation))
    }

    /// Whether everything a view shows comes from operations whose values are there.
    pub(super) fn has_values_of(&self, row: &DocumentRow) -> bool {
        let mut values = row.fields.iter().flat_map(|fields| fields.values());
        self.collected.is_empty() || values.all(|(_, setter)| !self.collected.contains(setter))
    }
}

/// Reads the operations of a document.
pub(super) fn connected_operations(
    store: &dyn Read,
    document: DocumentId,
    schema_id: &SchemaId,
) -> Result<Connected, StoreError> {
    let mut collected = BTreeSet::new();
    let mut waiting = Vec::new();
    let Some(schema) = store.schema(schema_id)? else {
        return Ok(connect(document, waiting, collected));
    };
    for row in store.document_entries(document)? {
        if !row.counted || row.schema_id != *schema_id {
            continue;
        }
        let id = OperationId::from(row.hash);
        let Some(bytes) = row.payload.as_ref().or(row.stub.as_ref()) else {
            continue;
        };
        let operation = Operation::decode(bytes).map_err(|_| StoreError::Corrupt("operation"))?;
        if row.payload.is_none() {
            collected.insert(id);
            waiting.push((id, without_values(&operation)));
        } else if let Ok(operation) = validate_operation(&operation, &schema) {
            waiting.push((id, operation));
        }
    }
    Ok(connect(document, waiting, collected))
}

/// A stub as an operation whose values mean nothing.
fn without_values(stub: &Operation) -> Operation<Value> {
    let schema_id = stub.schema_id().clone();
    let names = stub.fields().into_iter().flat_map(|fields| fields.keys());
    let fields = names
        .map(|name| (name.clone(), Value::Bool(false)))
        .collect();
    match stub.previous() {
        None => Operation::Create { schema_id, fields },
        Some(previous) => Operation::Update {
            schema_id,
            previous: previous.clone(),
            fields,
        },
    }
}

/// Keeps what leads back to the CREATE.
fn connect(
    document: DocumentId,
    mut waiting: Vec<(OperationId, Operation<Value>)>,
    collected: BTreeSet<OperationId>,
) -> Connected {
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
            return Connected {
                operations: connected,
                collected,
            };
        }
    }
}

/// The state the operations of a document lead to; `None` when none of them count, or when it would
/// need values that were collected. Better nothing then than a value that nobody wrote.
pub(super) fn reduced(store: &dyn Read, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    let create = store.operation(id.into())?.zip(store.entry(id.hash())?);
    let Some((operation, entry)) = create else {
        return Ok(None);
    };
    let connected = connected_operations(store, id, &operation.schema_id)?;
    if connected.operations.is_empty() {
        return Ok(None);
    }
    let document =
        Document::reduce(connected.pairs()).map_err(|_| StoreError::Corrupt("document"))?;
    let row = row_from_document(document, entry.public_key);
    Ok(connected.has_values_of(&row).then_some(row))
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
