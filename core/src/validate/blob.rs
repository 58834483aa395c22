//! Whether a blob is what its pieces make up (R19, BL2).
//!
//! Sees fields and sizes only. Fetching the pieces, and serving them, is the node's work.

use super::ValidationError;
use super::system::check_fields;
use crate::limits::BLOB_PIECE_SIZE_MAX;
use crate::mutant::{bound, fault};
use crate::reason::{Reason, Refusal};
use crate::types::{DocumentViewId, SystemSchema, Value};
use crate::wire::Fields;

/// The length of a blob in bytes, once all its pieces are there and add up to what it claims.
///
/// `piece_len` tells the size of a piece, or `None` while it is not known.
pub fn blob_length(
    blob: &Fields<Value>,
    piece_len: impl Fn(&DocumentViewId) -> Option<usize>,
) -> Result<u64, BlobError> {
    let missing = |name: &str| ValidationError::Missing(name.to_owned());
    let Some(Value::Int(claimed)) = blob.get("length") else {
        return Err(missing("length").into());
    };
    let Some(Value::PinnedRelationList(pieces)) = blob.get("pieces") else {
        return Err(missing("pieces").into());
    };
    check_fields(SystemSchema::Blob, blob)?;

    let mut length = 0;
    for piece in pieces {
        let size = piece_len(piece);
        if fault!(BlobComplete, size.is_none()) {
            return Err(BlobError::PieceMissing(piece.clone()));
        }
        let size = size.unwrap_or_default();
        if size > bound!(BlobPieceMax, BLOB_PIECE_SIZE_MAX) {
            return Err(ValidationError::BlobPieceSize(size).into());
        }
        length += size as u64;
    }
    //= BL2: a blob is only served when its length is that of its pieces
    if fault!(BlobLengthSum, u64::try_from(*claimed) != Ok(length)) {
        return Err(BlobError::Length {
            claimed: *claimed,
            actual: length,
        });
    }
    Ok(length)
}

/// Why a blob cannot be served. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The blob, or a piece of it, breaks the rules of its schema.
    #[error(transparent)]
    Field(#[from] ValidationError),
    /// A piece is not known.
    #[error("piece {0} of the blob is not known")]
    PieceMissing(DocumentViewId),
    /// The pieces have another length together than the blob claims.
    #[error("the blob claims {claimed} bytes, its pieces have {actual}")]
    Length {
        /// Length in the blob.
        claimed: i64,
        /// Length of the pieces.
        actual: u64,
    },
}

impl Refusal for BlobError {
    fn reason(&self) -> Reason {
        match self {
            Self::Field(error) => error.reason(),
            Self::PieceMissing(_) => Reason::BlobPiecesMissing,
            Self::Length { .. } => Reason::BlobLengthMismatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Hash, OperationId};

    fn piece(byte: u8) -> DocumentViewId {
        OperationId::from(Hash::from_digest([byte; 32])).into()
    }

    fn blob(length: i64, pieces: &[u8]) -> Fields<Value> {
        let pieces = pieces.iter().copied().map(piece).collect();
        [
            ("length".to_owned(), Value::Int(length)),
            ("mime_type".to_owned(), Value::Str("text/plain".to_owned())),
            ("pieces".to_owned(), Value::PinnedRelationList(pieces)),
        ]
        .into()
    }

    /// Piece `n` has `n` bytes; there are pieces up to nine.
    fn size(id: &DocumentViewId) -> Option<usize> {
        (0..10).find(|byte| piece(*byte) == *id).map(usize::from)
    }

    #[test]
    fn a_blob_is_as_long_as_its_pieces() {
        //= BL2 test
        assert_eq!(blob_length(&blob(9, &[4, 2, 3]), size), Ok(9));
        assert_eq!(blob_length(&blob(8, &[4, 4]), size), Ok(8));
        assert_eq!(blob_length(&blob(0, &[]), size), Ok(0));
        for claimed in [8, 10] {
            let wrong = blob_length(&blob(claimed, &[4, 2, 3]), size);
            assert_eq!(wrong, Err(BlobError::Length { claimed, actual: 9 }));
        }
    }

    #[test]
    fn a_blob_without_its_pieces_has_no_length() {
        let reason = |blob: &Fields<Value>| blob_length(blob, size).unwrap_err().reason();
        assert_eq!(reason(&blob(4, &[4, 11])), Reason::BlobPiecesMissing);
        assert_eq!(reason(&blob(1, &[])), Reason::BlobPieces);
        assert_eq!(reason(&blob(0, &[0])), Reason::BlobPieces);
        assert_eq!(reason(&blob(-4, &[4])), Reason::BlobLength);
        assert_eq!(reason(&Fields::new()), Reason::FieldMissing);
        let too_large = blob_length(&blob(256_001, &[1]), |_| Some(256_001));
        assert_eq!(too_large.unwrap_err().reason(), Reason::BlobPieceSize);
    }
}
