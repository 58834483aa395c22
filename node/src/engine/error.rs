//! Why an entry was not accepted.

use grove_core::types::{DocumentId, Hash, LogId, OperationId, SchemaId};
use grove_core::validate::{LogError, ValidationError, VerifyError};
use grove_core::wire::OperationError;
use grove_core::{Reason, Refusal};

use crate::store::StoreError;

/// Why an entry with its operation was not accepted; nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Not a signed entry with its operation. (Caller, Peer)
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Not the next entry of its log. (Caller, Peer)
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another entry claims this position, or an earlier one, of the log. (Caller, Peer)
    #[error("the log is forked: {first} and {second} claim the same position")]
    LogForked {
        /// The entry accepted first.
        first: Hash,
        /// The other entry.
        second: Hash,
    },
    /// The author writes this document in another log. (Caller, Peer)
    #[error(
        "the entry is in log {claimed}, but its author writes this document in log {registered}; \
         ask for the next arguments with the document's view id"
    )]
    LogIdMismatch {
        /// Log of the entry.
        claimed: LogId,
        /// Log of the document.
        registered: LogId,
    },
    /// The log belongs to another document. (Caller, Peer)
    #[error("log {0} belongs to another document; was the previous view id forgotten?")]
    LogIdInUse(LogId),
    /// Not an operation. (Caller, Peer)
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The node does not know the schema. (Caller)
    #[error("schema {0} is not known to this node")]
    SchemaNotFound(SchemaId),
    /// The operation does not fit its schema. (Caller, Peer)
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// An operation named by `previous` is not known, or does not count. (Caller)
    #[error("previous operation {0} is not known to this node")]
    PreviousNotFound(OperationId),
    /// `previous` names operations of several documents. (Caller, Peer)
    #[error("the previous operations belong to different documents")]
    PreviousMixed,
    /// The document follows another schema. (Caller, Peer)
    #[error("the operation follows schema {claimed}, its document {actual}")]
    DocumentSchemaMismatch {
        /// Schema of the operation.
        claimed: SchemaId,
        /// Schema of the document.
        actual: SchemaId,
    },
    /// The document was deleted. (Caller)
    #[error("document {0} has been deleted")]
    DocumentDeleted(DocumentId),
    /// A blob is published before its pieces. (Caller)
    #[error("a piece of the blob is not known to this node; publish the pieces first")]
    BlobPiecesMissing,
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
            Self::Verify(error) => error.reason(),
            Self::Log(error) => error.reason(),
            Self::LogForked { .. } => Reason::LogForked,
            Self::LogIdMismatch { .. } => Reason::LogIdMismatch,
            Self::LogIdInUse(_) => Reason::LogIdInUse,
            Self::Operation(error) => error.reason(),
            Self::SchemaNotFound(_) => Reason::SchemaNotFound,
            Self::Validation(error) => error.reason(),
            Self::PreviousNotFound(_) => Reason::PreviousNotFound,
            Self::PreviousMixed => Reason::PreviousMixed,
            Self::DocumentSchemaMismatch { .. } => Reason::DocumentSchemaMismatch,
            Self::DocumentDeleted(_) => Reason::DocumentDeleted,
            Self::BlobPiecesMissing => Reason::BlobPiecesMissing,
            Self::Store(_) => Reason::StoreFailed,
        }
    }
}
