//! Why an entry was not accepted.

use grove_core::publish::PublishError;
use grove_core::{Reason, Refusal};

use super::PolicyError;
use crate::store::StoreError;

/// Why an entry with its operation was not accepted, within the engine; nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum IngestError {
    /// The rules refuse it. (Caller, Peer)
    #[error(transparent)]
    Refused(#[from] PublishError),
    /// The operator does not want it. (Caller, Peer)
    #[error(transparent)]
    Unwanted(#[from] PolicyError),
    /// The database failed. (Local)
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal for IngestError {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(error) => error.reason(),
            Self::Unwanted(error) => error.reason(),
            Self::Store(error) => error.reason(),
        }
    }
}

/// Why what was asked for was not done, as it leaves the engine: nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The rules refuse it. (Caller, Peer)
    #[error(transparent)]
    Refused(#[from] PublishError),
    /// The operator does not want it. (Caller, Peer)
    #[error(transparent)]
    Unwanted(#[from] PolicyError),
    /// The store failed, with all that was asked in the same transaction. (Local)
    #[error("the node could not store the entry: {0}")]
    Store(StoreFault),
}

impl Refusal for Rejection {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(error) => error.reason(),
            Self::Unwanted(error) => error.reason(),
            Self::Store(StoreFault::Corrupt) => Reason::StoreDamaged,
            Self::Store(_) => Reason::StoreFailed,
        }
    }
}

/// What kind of failure a store had. What its driver said of it goes to the operator's log alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// The database, its disk or its server.
    #[error("the database failed")]
    Database,
    /// The file of the database was moved, deleted or replaced under the running node.
    #[error("the database is gone from its place")]
    Moved,
    /// What keeps large bytes outside of the database.
    #[error("the storage for blobs failed")]
    Objects,
    /// What was found there is not what was written.
    #[error("the database is damaged")]
    Corrupt,
    /// The engine asked for what does not fit: a mistake of the program.
    #[error("the node made a mistake")]
    Misfit,
}

impl From<&StoreError> for StoreFault {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Objects(_) | StoreError::NoObjects | StoreError::OtherObjects => {
                Self::Objects
            }
            StoreError::Corrupt(_) | StoreError::Damaged(_) => Self::Corrupt,
            StoreError::Misfit(_) => Self::Misfit,
            StoreError::Moved => Self::Moved,
            _ => Self::Database,
        }
    }
}
