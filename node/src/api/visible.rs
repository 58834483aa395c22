//! Since when something shows: the effect of an operation, and schemas.

use std::collections::BTreeSet;

use grove_core::types::{DocumentId, DocumentViewId, OperationId, Schema, SchemaId, Value};

use super::ApiError;
use crate::engine;
use crate::store::Read;

/// The document an operation shows in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The document.
    pub document_id: DocumentId,
    /// What it is now: a view the operation is part of, unless somebody was faster.
    pub view_id: DocumentViewId,
    /// Whether it is deleted.
    pub deleted: bool,
}

/// The document in which an operation shows; `None` as long as it does not.
pub fn visible(store: &dyn Read, id: OperationId) -> Result<Option<Visible>, ApiError> {
    let Some(operation) = store.operation(id)? else {
        return Ok(None);
    };
    let row = store.document(operation.document)?;
    Ok(row.map(|row| Visible {
        document_id: row.id,
        deleted: row.is_deleted(),
        view_id: row.view_id,
    }))
}

/// The schemas that were known when the store had reached a position. One whose definition has changed
/// since may be missing.
pub fn schemas_known_at(store: &dyn Read, position: i64) -> Result<BTreeSet<SchemaId>, ApiError> {
    let mut known = BTreeSet::new();
    if position == 0 {
        return Ok(known);
    }
    for schema in store.schemas()? {
        if was_known_at(store, &schema, position)? {
            known.insert(schema.id().clone());
        }
    }
    Ok(known)
}

/// A schema is known as soon as all operations of its definition and its fields are there.
fn was_known_at(store: &dyn Read, schema: &Schema, position: i64) -> Result<bool, ApiError> {
    let SchemaId::Application { view_id, .. } = schema.id() else {
        return Ok(true);
    };
    let Some(definition) = engine::document_at_view(store, view_id)? else {
        return Ok(false);
    };
    // Another view than the current one may have been made a schema at any time since.
    let is_current = store
        .document(definition.id)?
        .is_some_and(|row| row.view_id == *view_id);
    let fields = definition.fields.as_ref().and_then(|all| all.get("fields"));
    let Some((Value::PinnedRelationList(fields), _)) = fields.filter(|_| is_current) else {
        return Ok(false);
    };
    for id in fields.iter().chain([view_id]).flat_map(DocumentViewId::ids) {
        let entry = store.entry(id.hash())?;
        if entry.is_none_or(|entry| entry.position > position) {
            return Ok(false);
        }
    }
    Ok(true)
}
