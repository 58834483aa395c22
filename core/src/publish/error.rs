//! Why an entry is not taken, or no next arguments can be told.

use crate::author::NextArgs;
use crate::reason::{Reason, Refusal};
use crate::types::{DocumentId, Hash, LogId, OperationId, SchemaId};
use crate::validate::{LogError, ValidationError, VerifyError};
use crate::wire::OperationError;

/// Why an entry is not taken, or no next arguments can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Not a signed entry with its operation. (Caller, Peer)
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Not the next entry of a branch of its log. (Caller, Peer)
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another entry has the place already; taking this one would fork the log. (Caller)
    #[error(
        "entry {existing} has this place in the log already; sign the operation anew with the fresh \
         arguments, leaving its previous operations as they are"
    )]
    WouldFork {
        /// The entry that is there; of several the one with the lowest hash.
        existing: Hash,
        /// The arguments to sign the operation anew with; `None` when it would be refused all the
        /// same, as for a document that was deleted meanwhile.
        next: Option<Box<NextArgs>>,
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
    /// The key has used the highest log id and can begin no further log. (Caller)
    #[error("the key has used the highest log id")]
    LogIdMax,
    /// Not an operation. (Caller, Peer)
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The schema is not known. (Caller)
    #[error("schema {0} is not known to this node")]
    SchemaNotFound(SchemaId),
    /// The operation does not fit its schema. (Caller, Peer)
    #[error(transparent)]
    Validation(#[from] ValidationError),
    /// An operation named by `previous` is not known. (Caller)
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
}

impl Refusal for PublishError {
    fn reason(&self) -> Reason {
        match self {
            Self::Verify(error) => error.reason(),
            Self::Log(error) => error.reason(),
            Self::WouldFork { .. } => Reason::WouldFork,
            Self::LogIdMismatch { .. } => Reason::LogIdMismatch,
            Self::LogIdInUse(_) => Reason::LogIdInUse,
            Self::LogIdMax => Reason::LogIdMax,
            Self::Operation(error) => error.reason(),
            Self::SchemaNotFound(_) => Reason::SchemaNotFound,
            Self::Validation(error) => error.reason(),
            Self::PreviousNotFound(_) => Reason::PreviousNotFound,
            Self::PreviousMixed => Reason::PreviousMixed,
            Self::DocumentSchemaMismatch { .. } => Reason::DocumentSchemaMismatch,
            Self::DocumentDeleted(_) => Reason::DocumentDeleted,
            Self::BlobPiecesMissing => Reason::BlobPiecesMissing,
        }
    }
}
