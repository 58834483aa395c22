//! How much may be read and shown for one request.
//!
//! Knows sizes only; what is read, and when, is decided by the resolvers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grove_core::Reason;
use grove_core::types::{Hash, Value as DocumentValue};

use serde_json::Value;

use crate::api::ApiError;
use crate::store::DocumentRow;

/// What a value takes in an answer, its text aside.
pub(super) const VALUE_SIZE: usize = 64;

/// How large all answers that are being made may still grow, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<AtomicUsize>);

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(size)))
    }
}

/// What one request has taken from the pool; given back on drop.
struct Share {
    pool: Pool,
    taken: AtomicUsize,
}

impl Drop for Share {
    fn drop(&mut self) {
        let taken = *self.taken.get_mut();
        self.pool.0.fetch_add(taken, Ordering::Relaxed);
    }
}

/// Takes from what is left; nothing when it does not suffice.
fn take(left: &AtomicUsize, size: usize) -> bool {
    let less = |left: usize| left.checked_sub(size);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_ok()
}

/// How large the answer to a request may still grow, in bytes. What it takes from all answers together is
/// given back with its last copy.
///
/// Reckoned when documents are read, so that too much is never held: each may show every field of
/// the query, and holds its values. Texts, which aliases can repeat, count once more when shown.
#[derive(Clone)]
pub(super) struct Budget {
    size_max: usize,
    left: Arc<AtomicUsize>,
    share: Arc<Share>,
    /// What a document takes, its values aside.
    pub(super) document_size: usize,
}

impl Budget {
    /// A budget for an answer of this size, to a query of this many fields.
    pub(super) fn new(answer_size_max: usize, query_fields: usize, pool: &Pool) -> Self {
        let document_size = VALUE_SIZE.saturating_mul(query_fields);
        Self {
            size_max: answer_size_max,
            left: Arc::new(AtomicUsize::new(answer_size_max)),
            share: Arc::new(Share {
                pool: pool.clone(),
                taken: AtomicUsize::new(0),
            }),
            document_size,
        }
    }

    /// The same budget with nothing spent of it, for another answer to the same query.
    pub(super) fn anew(&self) -> Self {
        let mut anew = Self::new(self.size_max, 0, &self.share.pool);
        anew.document_size = self.document_size;
        anew
    }

    /// Takes from what is left.
    ///
    /// Nothing is taken when it does not suffice; what is smaller may still be answered.
    pub(super) fn spend(&self, size: usize) -> Result<(), ApiError> {
        if !take(&self.left, size) {
            return Err(Self::too_large());
        }
        if !take(&self.share.pool.0, size) {
            return Err(ApiError::Busy);
        }
        self.share.taken.fetch_add(size, Ordering::Relaxed);
        Ok(())
    }

    /// More documents than this are not paid for by what is left.
    pub(super) fn documents_max(&self) -> u64 {
        let left = self.left.load(Ordering::Relaxed);
        (left / self.document_size.max(1)) as u64 + 1
    }

    /// The refusal of what is not paid for.
    pub(super) fn too_large() -> ApiError {
        let text = "the answer is too large; ask for fewer documents or fields";
        ApiError::invalid("first", Reason::RequestTooLarge, text)
    }

    /// Pays for reading a document.
    pub(super) fn spend_on(&self, row: &DocumentRow) -> Result<(), ApiError> {
        let values = row
            .fields
            .iter()
            .flatten()
            .map(|(_, (value, _))| value_size(value));
        self.spend(self.document_size + values.sum::<usize>())
    }
}

/// About what a value takes in memory, or in an answer.
pub(super) fn value_size(value: &DocumentValue) -> usize {
    VALUE_SIZE
        + match value {
            DocumentValue::Str(text) => text.len(),
            DocumentValue::Bytes(bytes) => 2 * bytes.len(),
            DocumentValue::RelationList(ids) => Hash::SIZE * ids.len(),
            DocumentValue::PinnedRelation(view_id) => Hash::SIZE * view_id.ids().len(),
            DocumentValue::PinnedRelationList(view_ids) => view_ids
                .iter()
                .map(|view_id| VALUE_SIZE + Hash::SIZE * view_id.ids().len())
                .sum(),
            _ => 0,
        }
}

/// About what a value of JSON takes in memory.
pub(super) fn json_size(value: &Value) -> usize {
    VALUE_SIZE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(json_size).sum(),
            Value::Object(members) => members.values().map(json_size).sum(),
            _ => 0,
        }
}
/// An answer as JSON, and the memory it takes until it is sent.
pub(super) struct Paid {
    pub(super) json: String,
    pub(super) _budget: Budget,
}
