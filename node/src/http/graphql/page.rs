//! What was read for an answer: documents with what their relations led to, and pages of them.

use std::sync::Arc;

use crate::api::ApiError;
use crate::store::DocumentRow;

/// A document as a query sees it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) row: Arc<DocumentRow>,
    /// Its place in the collection it was found in.
    pub(super) cursor: Option<String>,
    /// What its relations led to, in the order of the plan's branches.
    pub(super) below: Vec<Below>,
}

/// What a relation led to.
#[derive(Debug)]
pub(super) enum Below {
    Nothing,
    One(Shown),
    Many(Page),
    Failed(ApiError),
}

/// A page of a collection.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) total_count: u64,
    pub(super) has_next_page: bool,
    pub(super) has_previous_page: bool,
    pub(super) documents: Vec<Shown>,
}

impl Shown {
    /// A document that relations are still to be followed from.
    pub(super) fn new(row: Arc<DocumentRow>, cursor: Option<String>) -> Self {
        Self {
            row,
            cursor,
            below: Vec::new(),
        }
    }
}
