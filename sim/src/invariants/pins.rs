//! S6: a view that somebody remembers goes on to be answered with the same values, until its document is deleted.
//!
//! Does not check: nodes that lost it with their disk, and views that were collected as garbage, which no
//! simulation asks for.

use grove_core::types::{DocumentId, DocumentViewId, SchemaId};
use grove_node::api::document_at_view;
use grove_node::store::Read;

use crate::evidence::{Shown, Violation};
use crate::observe::shown;

const NAME: &str = "pinned_views_stay";

/// A view that somebody remembers, with what it showed.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    pub node: usize,
    pub schema: SchemaId,
    pub document: DocumentId,
    pub view_id: DocumentViewId,
    pub shown: Shown,
}

pub(crate) fn check(store: &dyn Read, pin: &Pin) -> Result<(), Violation> {
    let violation = |difference| Violation {
        invariant: NAME,
        difference,
    };
    let (node, view_id) = (pin.node, &pin.view_id);
    let row = document_at_view(store, &pin.schema, view_id)
        .map_err(|error| violation(format!("node-{node} can't read {view_id}: {error}")))?;
    match row.as_ref().and_then(shown) {
        Some(now) if now == pin.shown => Ok(()),
        Some(now) => Err(violation(format!(
            "node-{node} shows {:?} at {view_id}, and showed {:?}",
            now.fields, pin.shown.fields
        ))),
        None => {
            let document = store.document(pin.document);
            let is_deleted = matches!(document, Ok(Some(row)) if row.is_deleted());
            match is_deleted {
                true => Ok(()),
                false => Err(violation(format!(
                    "node-{node} has forgotten view {view_id} of a document that lives"
                ))),
            }
        }
    }
}
