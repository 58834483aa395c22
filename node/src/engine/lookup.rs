//! Small questions to the store that several parts of the engine, and answers to clients, ask.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::document::{Document, Graph};
use grove_core::types::{
    DocumentId, DocumentViewId, OperationId, PublicKey, Schema, SchemaId, Value,
};
use grove_core::validate::validate_operation;
use grove_core::wire::Operation;

use crate::store::{DocumentRow, EntryRow, Read, StoreError};

//= QU3: any view whose operations are there can be shown
/// A live document as it was at a view: the current one, or any whose operations are there.
pub fn document_at_view(
    store: &dyn Read,
    view_id: &DocumentViewId,
) -> Result<Option<DocumentRow>, StoreError> {
    let Some(operation) = store.operation(view_id.ids()[0])? else {
        return Ok(None);
    };
    let mut found = None;
    let view_ids = BTreeSet::from([view_id]);
    documents_at_views(
        store,
        &operation.schema_id,
        &view_ids,
        false,
        &mut |_, row| {
            found = Some(row);
            true
        },
    )?;
    Ok(found)
}

/// Hands over the live documents of a schema as they were at these views, for as long as `take` says so.
/// Takes as many statements for many as for one. Of an `outline`, bytes kept outside of the database may
/// be missing.
pub fn documents_at_views(
    store: &dyn Read,
    schema_id: &SchemaId,
    view_ids: &BTreeSet<&DocumentViewId>,
    outline: bool,
    take: &mut dyn FnMut(&DocumentViewId, DocumentRow) -> bool,
) -> Result<(), StoreError> {
    let first_ids: Vec<_> = view_ids.iter().map(|view_id| view_id.ids()[0]).collect();
    let operations = store.operations(&first_ids)?;
    let mut wanted: BTreeMap<DocumentId, Vec<&DocumentViewId>> = BTreeMap::new();
    for view_id in view_ids {
        if let Some(operation) = operations.get(&view_id.ids()[0]) {
            wanted.entry(operation.document).or_default().push(view_id);
        }
    }

    let ids: Vec<_> = wanted.keys().copied().collect();
    let mut earlier: BTreeMap<DocumentId, Earlier<'_>> = BTreeMap::new();
    let mut is_wanted = true;
    store.visit_these(schema_id, &ids, outline, &mut |row| {
        let mut views = wanted.remove(&row.id).unwrap_or_default();
        let count = views.len();
        views.retain(|view_id| **view_id != row.view_id);
        let is_current = views.len() < count;
        if !views.is_empty() {
            let owner = row.owner;
            earlier.insert(row.id, Earlier { owner, views });
        }
        if is_current {
            let view_id = row.view_id.clone();
            is_wanted = take(&view_id, row);
        }
        is_wanted
    })?;
    if is_wanted && !earlier.is_empty() {
        rebuild(store, schema_id, earlier, take)?;
    }
    Ok(())
}

/// Views of a document before its current one.
struct Earlier<'v> {
    owner: PublicKey,
    views: Vec<&'v DocumentViewId>,
}

/// Rebuilds views from the operations of their documents, one document after the other.
fn rebuild(
    store: &dyn Read,
    schema_id: &SchemaId,
    mut earlier: BTreeMap<DocumentId, Earlier<'_>>,
    take: &mut dyn FnMut(&DocumentViewId, DocumentRow) -> bool,
) -> Result<(), StoreError> {
    let Some(schema) = store.schema(schema_id)? else {
        return Ok(());
    };
    let ids: Vec<_> = earlier.keys().copied().collect();
    let mut finish = |entries: Vec<EntryRow>| -> Result<bool, StoreError> {
        let document = entries.first().map(|row| row.document);
        let Some((id, views)) = document.and_then(|id| Some((id, earlier.remove(&id)?))) else {
            return Ok(true);
        };
        let connected = connected_entries(id, &schema, entries)?;
        for view_id in views.views {
            if let Some(row) = at_view(&connected, view_id, views.owner)?
                && !take(view_id, row)
            {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let mut entries: Vec<EntryRow> = Vec::new();
    let mut failed = None;
    store.visit_entries(&ids, &mut |row| {
        let is_next = entries
            .last()
            .is_some_and(|last| last.document != row.document);
        let done = if is_next {
            finish(std::mem::take(&mut entries))
        } else {
            Ok(true)
        };
        entries.push(row);
        done.unwrap_or_else(|error| {
            failed = Some(error);
            false
        })
    })?;
    match failed {
        Some(error) => Err(error),
        None => finish(entries).map(|_| ()),
    }
}

/// A document as the operations up to a view make it; `None` when some of their values are missing or it
/// is deleted.
fn at_view(
    connected: &Connected,
    view_id: &DocumentViewId,
    owner: PublicKey,
) -> Result<Option<DocumentRow>, StoreError> {
    let graph = Graph::build(connected.pairs()).map_err(|_| StoreError::Corrupt("document"))?;
    let Ok(graph) = graph.at_view(view_id) else {
        return Ok(None);
    };
    let document = Document::from_graph(&graph).map_err(|_| StoreError::Corrupt("document"))?;
    let row = row_from_document(document, owner);
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
    match store.schema(schema_id)? {
        Some(schema) => connected_entries(document, &schema, store.document_entries(document)?),
        None => Ok(connect(document, Vec::new(), BTreeSet::new())),
    }
}

/// The operations among these entries of a document.
fn connected_entries(
    document: DocumentId,
    schema: &Schema,
    mut entries: Vec<EntryRow>,
) -> Result<Connected, StoreError> {
    entries.sort_unstable_by_key(|row| row.position);
    let mut collected = BTreeSet::new();
    let mut waiting = Vec::new();
    for row in entries {
        if row.purged || row.schema_id != *schema.id() {
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
        } else if let Ok(operation) = validate_operation(&operation, schema) {
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
pub(super) fn connect(
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
