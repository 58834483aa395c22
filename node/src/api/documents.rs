//! Documents and collections.
//!
//! Unknown, deleted and not yet complete documents are all simply not there. A document asked for
//! under another schema than its own is not there either.

use grove_core::types::{DocumentId, DocumentViewId, SchemaId};

use grove_core::Reason;

use super::ApiError;
use crate::engine;
use crate::store::{DocumentQuery, DocumentRow, Read};

/// One page of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The documents in the order asked for.
    pub documents: Vec<DocumentRow>,
    /// Whether more documents follow.
    pub has_next_page: bool,
    /// Whether there are documents before these.
    pub has_previous_page: bool,
}

/// Which part of a collection is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// At most this many from its beginning.
    First(u64),
    /// At most this many from its end.
    Last(u64),
}

impl Extent {
    /// The extent of `first` and `last`, of which one may be given, and must be above 0.
    pub fn read(first: Option<u64>, last: Option<u64>, default: u64) -> Result<Self, ApiError> {
        let (name, count, extent) = match (first, last) {
            (Some(_), Some(_)) => {
                let text = "only one of first and last can be given";
                return Err(ApiError::invalid("last", Reason::ArgumentInvalid, text));
            }
            (first, None) => {
                let first = first.unwrap_or(default);
                ("first", first, Self::First(first))
            }
            (None, Some(last)) => ("last", last, Self::Last(last)),
        };
        if count == 0 {
            let text = "expected a number above 0";
            return Err(ApiError::invalid(name, Reason::ArgumentInvalid, text));
        }
        Ok(extent)
    }

    /// How many.
    pub fn count(self) -> u64 {
        match self {
            Self::First(count) | Self::Last(count) => count,
        }
    }

    /// Whether from the end.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Last(_))
    }
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

/// A page of a schema's documents; `query` says between which places. It ends early, with more to follow,
/// before their values take more than `size_max` bytes, but not before the first of them.
pub fn collection(
    store: &dyn Read,
    schema_id: &SchemaId,
    mut query: DocumentQuery,
    extent: Extent,
    size_max: usize,
) -> Result<Page, ApiError> {
    let count = extent.count().min(u32::MAX as u64 - 1) as u32;
    query.limit = count + 1;
    query.from_end = extent.is_last();
    let (mut documents, mut size, mut is_more) = (Vec::new(), 0, false);
    store.visit(schema_id, &query, &mut |row| {
        size += row.size();
        is_more = documents.len() == count as usize || (size > size_max && !documents.is_empty());
        if !is_more {
            documents.push(row);
        }
        !is_more
    })?;
    if extent.is_last() {
        documents.reverse();
    }
    let end = match extent {
        Extent::First(_) => documents.first(),
        Extent::Last(_) => documents.last(),
    };
    let is_other_side = beyond(store, schema_id, &query, extent, end)?;
    let (has_previous_page, has_next_page) = match extent {
        Extent::First(_) => (is_other_side, is_more),
        Extent::Last(_) => (is_more, is_other_side),
    };
    Ok(Page {
        documents,
        has_next_page,
        has_previous_page,
    })
}

/// Whether a collection has documents on the side of a page where it was begun: before the first of one
/// from the beginning, behind the last of one from the end. `edge` is the document there, if the page
/// has any.
pub fn beyond(
    store: &dyn Read,
    schema_id: &SchemaId,
    query: &DocumentQuery,
    extent: Extent,
    edge: Option<&DocumentRow>,
) -> Result<bool, ApiError> {
    let begun_at = if extent.is_last() {
        &query.before
    } else {
        &query.after
    };
    if begun_at.is_none() {
        return Ok(false);
    }
    let mut query = query.clone();
    let edge = edge.map(|row| query.order.place(row));
    // Of an empty page both sides begin at the far end.
    if extent.is_last() {
        query.before = None;
        query.after = edge.or(query.after);
    } else {
        query.after = None;
        query.before = edge.or(query.before);
    }
    query.limit = 1;
    Ok(!store.list(schema_id, &query)?.is_empty())
}

/// How many documents a collection has on all its pages.
pub fn total_count(
    store: &dyn Read,
    schema_id: &SchemaId,
    query: &DocumentQuery,
) -> Result<u64, ApiError> {
    Ok(store.count(schema_id, query)?)
}
