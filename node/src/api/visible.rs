//! Whether the effect of an operation shows.

use grove_core::types::{DocumentId, DocumentViewId, OperationId};

use super::ApiError;
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
