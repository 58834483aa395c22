//! Why an entry was not accepted.

use grove_core::publish::PublishError;
use grove_core::{Reason, Refusal};

use super::PolicyError;
use crate::store::StoreError;

/// Why an entry with its operation was not accepted; nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The rules refuse it. (Caller, Peer)
    #[error(transparent)]
    Refused(#[from] PublishError),
    /// The operator does not want it. (Caller, Peer)
    #[error(transparent)]
    Unwanted(#[from] PolicyError),
    /// The database failed. (Local)
    #[error("the node could not store the entry: {0}")]
    Store(String),
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl Refusal for IngestError {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(error) => error.reason(),
            Self::Unwanted(error) => error.reason(),
            Self::Store(_) => Reason::StoreFailed,
        }
    }
}
