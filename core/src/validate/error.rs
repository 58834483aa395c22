//! Why an operation does not fit its schema, and a value not its field.

use crate::reason::{Reason, Refusal};
use crate::types::{HashError, SchemaError, SchemaId, SchemaIdError, ViewIdError};

/// Why an operation does not fit a schema. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// The operation names another schema.
    #[error("the operation follows schema {0}")]
    Schema(SchemaId),
    /// A CREATE lacks a field.
    #[error("field {0:?} is missing, a CREATE gives every field")]
    Missing(String),
    /// The schema has no such field.
    #[error("the schema has no field {0:?}")]
    Unexpected(String),
    /// A value does not fit its field.
    #[error("field {0:?}: {1}")]
    Value(String, ValueError),
    /// A name in a definition is malformed.
    #[error(transparent)]
    Name(#[from] SchemaIdError),
    /// A definition is malformed.
    #[error(transparent)]
    Definition(#[from] SchemaError),
    /// A type string in a field definition is malformed.
    #[error("the type of the field definition is malformed")]
    FieldType,
    /// A blob's length is negative.
    #[error("the length of a blob is {0}")]
    BlobLength(i64),
    /// A blob's MIME type is malformed.
    #[error("the MIME type of the blob is malformed")]
    BlobMimeType,
    /// A blob with a length and no pieces, or the other way round.
    #[error("a blob has no pieces if and only if its length is 0")]
    BlobPieces,
    /// A blob piece is too large.
    #[error("the blob piece has {0} bytes, 256000 are allowed")]
    BlobPieceSize(usize),
}

impl Refusal for ValidationError {
    fn reason(&self) -> Reason {
        match self {
            Self::Schema(_) => Reason::SchemaMismatch,
            Self::Missing(_) => Reason::FieldMissing,
            Self::Unexpected(_) => Reason::FieldUnexpected,
            Self::Value(_, error) => error.reason(),
            Self::Name(error) => error.reason(),
            Self::Definition(error) => error.reason(),
            Self::FieldType => Reason::FieldType,
            Self::BlobLength(_) => Reason::BlobLength,
            Self::BlobMimeType => Reason::BlobMimeType,
            Self::BlobPieces => Reason::BlobPieces,
            Self::BlobPieceSize(_) => Reason::BlobPieceSize,
        }
    }
}

/// Why a value does not fit its field. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Another type.
    #[error("{given} given, {expected} expected")]
    Type {
        /// The form of the value.
        given: &'static str,
        /// The field's type.
        expected: String,
    },
    /// A relation is no document id.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A pinned relation is no view id.
    #[error(transparent)]
    ViewId(#[from] ViewIdError),
}

impl Refusal for ValueError {
    fn reason(&self) -> Reason {
        match self {
            Self::Type { .. } => Reason::FieldTypeMismatch,
            Self::Hash(error) => error.reason(),
            Self::ViewId(error) => error.reason(),
        }
    }
}
