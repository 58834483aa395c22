//! Documents and collections.
//!
//! Unknown, deleted and not yet complete documents are all simply not there. A document asked for
//! under another schema than its own is not there either.

use grove_core::types::{DocumentId, DocumentViewId, SchemaId};

use super::ApiError;
use crate::engine;
use crate::store::{DocumentQuery, DocumentRow, Read};

/// Most documents on one page.
const PAGE_SIZE_MAX: u32 = 10_000;

/// One page of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The documents in the order asked for.
    pub documents: Vec<DocumentRow>,
    /// Whether more documents follow.
    pub has_next_page: bool,
}

//= QU2: what is not there is no error, but nothing
//= R30: a relation to a document of another schema reads as null
//= QU6: a document of another schema than the one asked for is not there either
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

/// A page of a schema's documents.
pub fn collection(
    store: &dyn Read,
    schema_id: &SchemaId,
    mut query: DocumentQuery,
) -> Result<Page, ApiError> {
    let first = query.limit.min(PAGE_SIZE_MAX);
    query.limit = first + 1;
    let mut documents = store.list(schema_id, &query)?;
    let has_next_page = documents.len() > first as usize;
    documents.truncate(first as usize);
    Ok(Page {
        documents,
        has_next_page,
    })
}

/// How many documents a collection has on all its pages.
pub fn total_count(
    store: &dyn Read,
    schema_id: &SchemaId,
    query: &DocumentQuery,
) -> Result<u64, ApiError> {
    Ok(store.count(schema_id, query)?)
}
