//! Documents and collections.
//!
//! Unknown, deleted and not yet complete documents are all simply not there. A document asked for
//! under another schema than its own is not there either.

use grove_core::types::{DocumentId, DocumentViewId, SchemaId};

use super::ApiError;
use crate::engine;
use crate::store::{DocumentRow, ListQuery, Read};

/// Most documents on one page.
const PAGE_SIZE_MAX: u32 = 10_000;

/// One page of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The documents, ascending by id.
    pub documents: Vec<DocumentRow>,
    /// How many live documents the collection has.
    pub total_count: u64,
    /// Whether more documents follow.
    pub has_next_page: bool,
}

/// The current view of a live document.
pub fn document_by_id(
    store: &dyn Read,
    schema_id: &SchemaId,
    id: DocumentId,
) -> Result<Option<DocumentRow>, ApiError> {
    Ok(store
        .document(id)?
        .filter(|row| row.schema_id == *schema_id && !row.is_deleted()))
}

/// A live document as it was at a view: the current one, or any whose operations are there.
pub fn document_at_view(
    store: &dyn Read,
    schema_id: &SchemaId,
    view_id: &DocumentViewId,
) -> Result<Option<DocumentRow>, ApiError> {
    Ok(engine::document_at_view(store, view_id)?.filter(|row| row.schema_id == *schema_id))
}

/// A page of a schema's live documents: at most `first`, with ids greater than `after`.
pub fn collection(
    store: &dyn Read,
    schema_id: &SchemaId,
    first: u64,
    after: Option<DocumentId>,
) -> Result<Page, ApiError> {
    let first = u32::try_from(first).unwrap_or(u32::MAX).min(PAGE_SIZE_MAX);
    let mut documents = store.list(
        schema_id,
        ListQuery {
            after,
            limit: first + 1,
        },
    )?;
    let has_next_page = documents.len() > first as usize;
    documents.truncate(first as usize);
    Ok(Page {
        documents,
        total_count: store.count(schema_id)?,
        has_next_page,
    })
}
