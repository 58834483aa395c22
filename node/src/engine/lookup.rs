//! Small questions to the store that several parts of the engine, and answers to clients, ask.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{DocumentId, DocumentViewId, PublicKey, SchemaId};

use super::connected::{Connected, Extent, Reading};
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
/// Takes as many statements for many as for one, and reads the operations of a document once, however many
/// of its views are asked for. Of an `outline`, bytes kept outside of the database may be missing.
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
    let mut finish = |document: Option<(DocumentId, Reading<'_>)>| -> Result<bool, StoreError> {
        let views = document.and_then(|(id, read)| Some((id, read, earlier.remove(&id)?)));
        let Some((id, read, views)) = views else {
            return Ok(true);
        };
        let connected = read.connect(id)?;
        for view_id in views.views {
            if let Some(row) = connected.at_view(view_id, views.owner)
                && !take(view_id, row)
            {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let mut reading: Option<(DocumentId, Reading<'_>)> = None;
    let mut failed = None;
    store.visit_entries(&ids, &mut |row: EntryRow| {
        let mut step = || {
            let is_next = reading.as_ref().is_some_and(|(id, _)| *id != row.document);
            let is_wanted = !is_next || finish(reading.take())?;
            let (_, read) = reading
                .get_or_insert_with(|| (row.document, Reading::new(&schema, Extent::Values)));
            store.spend(1)?;
            read.take(&row)?;
            Ok(is_wanted)
        };
        step().unwrap_or_else(|error| {
            failed = Some(error);
            false
        })
    })?;
    match failed {
        Some(error) => Err(error),
        None => finish(reading).map(|_| ()),
    }
}

/// Reads the operations of a document, with their values or without.
pub(super) fn connected_operations(
    store: &dyn Read,
    document: DocumentId,
    schema_id: &SchemaId,
    extent: Extent,
) -> Result<Connected, StoreError> {
    let Some(schema) = store.schema(schema_id)? else {
        return Ok(Connected::default());
    };
    let mut read = Reading::new(&schema, extent);
    let mut failed = None;
    store.visit_entries(&[document], &mut |row| {
        failed = store.spend(1).and_then(|()| read.take(&row)).err();
        failed.is_none()
    })?;
    match failed {
        Some(error) => Err(error),
        None => read.connect(document),
    }
}

/// The state the operations of a document lead to; `None` when none of them count, or when it would
/// need values that were collected. Better nothing then than a value that nobody wrote.
pub(super) fn reduced(store: &dyn Read, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    let create = store.operation(id.into())?.zip(store.placed(id.hash())?);
    let Some((operation, entry)) = create else {
        return Ok(None);
    };
    let connected = connected_operations(store, id, &operation.schema_id, Extent::Values)?;
    Ok(connected.current(entry.public_key))
}
