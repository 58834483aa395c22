//! Blobs: what one is made of, and the bytes of a piece (R19).
//!
//! A blob is never put together. Its bytes stay in the operations of its pieces, and whoever sends
//! it on asks for one piece after the other. Pieces may come before their blob, after it, or never.

use std::collections::BTreeMap;

use grove_core::limits::BLOB_PIECE_SIZE_MAX;
use grove_core::types::{DocumentId, DocumentViewId, OperationId, PlainValue, SchemaId, Value};
use grove_core::validate::{BlobError, blob_length};
use grove_core::wire::{Fields, Operation};
use grove_core::{Reason, Refusal};

use super::ApiError;
use crate::engine;
use crate::store::{DocumentRow, OperationRow, Read, StoreError};

/// Most pieces of a blob that is served: finding out that they are all there takes a look at each.
/// Full pieces make up 12.8 GB then.
const PIECES_MAX: usize = 50_000;

/// A blob whose pieces are all there and have together the length it claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The view it was found at.
    pub view_id: DocumentViewId,
    /// What its author says its bytes are.
    pub mime_type: String,
    /// How many bytes it has.
    pub length: u64,
    /// Its pieces in their order, each with its size.
    pub pieces: Vec<(DocumentViewId, u32)>,
}

/// The blob of this document, as it is now or as it was at a view.
pub fn blob(
    store: &dyn Read,
    id: DocumentId,
    view_id: Option<&DocumentViewId>,
) -> Result<Blob, ApiError> {
    let row = blob_document(store, id, view_id)?;
    let fields = row.values().ok_or(StoreError::Corrupt("document"))?;
    let (Some(Value::Str(mime_type)), Some(Value::PinnedRelationList(listed))) =
        (fields.get("mime_type"), fields.get("pieces"))
    else {
        return Err(StoreError::Corrupt("document").into());
    };
    if listed.len() > PIECES_MAX {
        return Err(BlobRefusal::TooManyPieces(listed.len()).into());
    }
    let sizes = piece_sizes(store, listed)?;
    //= BL2: what its pieces do not make up is not served
    //= R19: a blob without its pieces, or of another length than theirs, is not served
    let length = blob_length(&fields, |piece| sizes.get(piece).map(|size| *size as usize))
        .map_err(BlobRefusal::Unsound)?;
    let sized = |piece: &DocumentViewId| (piece.clone(), sizes[piece]);
    Ok(Blob {
        view_id: row.view_id.clone(),
        mime_type: mime_type.clone(),
        length,
        pieces: listed.iter().map(sized).collect(),
    })
}

/// The live document of a blob.
fn blob_document(
    store: &dyn Read,
    id: DocumentId,
    view_id: Option<&DocumentViewId>,
) -> Result<DocumentRow, ApiError> {
    let current = store.document(id)?.ok_or(BlobRefusal::Unknown(id))?;
    if current.is_deleted() {
        return Err(BlobRefusal::Deleted(id).into());
    }
    if current.schema_id != SchemaId::BLOB {
        return Err(BlobRefusal::NoBlob(current.schema_id).into());
    }
    match view_id {
        None => Ok(current),
        Some(view_id) => engine::document_at_view(store, view_id)?
            .filter(|row| row.id == id)
            .ok_or_else(|| BlobRefusal::ViewUnknown.into()),
    }
}

/// The size of each piece, up to the first that is not there. Takes one question, however many
/// pieces there are, for those that nobody changed.
fn piece_sizes<'p>(
    store: &dyn Read,
    listed: &'p [DocumentViewId],
) -> Result<BTreeMap<&'p DocumentViewId, u32>, ApiError> {
    let ids = listed.iter().filter_map(|view_id| match view_id.ids() {
        [id] => Some(*id),
        _ => None,
    });
    let operations = store.operations(&ids.collect::<Vec<_>>())?;
    let mut sizes = BTreeMap::new();
    for piece in listed {
        if sizes.contains_key(piece) {
            continue;
        }
        let id = piece.ids()[0];
        let begun = operations.get(&id).filter(|row| begins_piece(id, row));
        let size = match begun {
            Some(row) => row.payload_size.and_then(|size| data_size(size as usize)),
            None => piece_at(store, piece)?.map(|data| data.len()),
        };
        match size.and_then(|size| u32::try_from(size).ok()) {
            Some(size) => sizes.insert(piece, size),
            None => break,
        };
    }
    Ok(sizes)
}

/// The bytes of a piece as it was at a view, as long as its operations are there.
pub fn piece(store: &dyn Read, view_id: &DocumentViewId) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(create) = begun_at(store, view_id)? else {
        return piece_at(store, view_id);
    };
    let Some(payload) = store.entry(create.hash())?.and_then(|row| row.payload) else {
        return Ok(None);
    };
    match Operation::decode(&payload) {
        Ok(Operation::Create { mut fields, .. }) => match fields.remove("data") {
            Some(PlainValue::Bytes(data)) => Ok(Some(data)),
            _ => Err(StoreError::Corrupt("operation").into()),
        },
        _ => Err(StoreError::Corrupt("operation").into()),
    }
}

/// The document of a piece that began with this view, whose CREATE says all there is to know. Nearly
/// every piece is like that, for nobody changes pieces.
fn begun_at(store: &dyn Read, view_id: &DocumentViewId) -> Result<Option<DocumentId>, ApiError> {
    let [id] = view_id.ids() else {
        return Ok(None);
    };
    let operation = store.operation(*id)?;
    let operation = operation.filter(|row| begins_piece(*id, row));
    Ok(operation.map(|operation| operation.document))
}

/// Whether the operation is the CREATE of a piece, and there.
fn begins_piece(id: OperationId, row: &OperationRow) -> bool {
    !row.purged
        && row.has_payload
        && row.schema_id == SchemaId::BLOB_PIECE
        && row.document == DocumentId::from(id)
}

/// The bytes of a piece at any view of its document.
fn piece_at(store: &dyn Read, view_id: &DocumentViewId) -> Result<Option<Vec<u8>>, ApiError> {
    let row = super::document_at_view(store, &SchemaId::BLOB_PIECE, view_id)?;
    let data = row.and_then(|row| row.fields?.remove("data"));
    Ok(match data {
        Some((Value::Bytes(data), _)) => Some(data),
        _ => None,
    })
}

/// The size of the `data` in the CREATE of a piece of this size: all but what is the same in each,
/// and the head that tells the size.
fn data_size(payload_size: usize) -> Option<usize> {
    let empty = Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: Fields::from([("data".to_owned(), PlainValue::Bytes(Vec::new()))]),
    };
    // The head of no bytes is one byte.
    let frame = empty.encode().len() - 1;
    let head = |size: usize| match size {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    };
    [1, 2, 3, 5]
        .into_iter()
        .filter_map(|guess| {
            payload_size
                .checked_sub(frame + guess)
                .map(|size| (guess, size))
        })
        .find(|(guess, size)| head(*size) == *guess && *size <= BLOB_PIECE_SIZE_MAX)
        .map(|(_, size)| size)
}

/// Why a blob is not served. (Caller, Peer)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobRefusal {
    /// Nobody published it here.
    #[error("document {0} is not known")]
    Unknown(DocumentId),
    /// It was deleted.
    #[error("document {0} has been deleted")]
    Deleted(DocumentId),
    /// Its document is something else.
    #[error("the document follows schema {0}, a blob follows blob_v1")]
    NoBlob(SchemaId),
    /// The view is none of the document, or its operations are gone.
    #[error("the document has no such view")]
    ViewUnknown,
    /// Its pieces do not make it up.
    #[error(transparent)]
    Unsound(#[from] BlobError),
    /// A piece went away while the blob was being sent, or its bytes were lost.
    #[error("the bytes of a piece of the blob are not there any more")]
    Vanished,
    /// It has more pieces than this node looks for.
    #[error("the blob has {0} pieces, this node serves up to {PIECES_MAX}")]
    TooManyPieces(usize),
}

impl Refusal for BlobRefusal {
    fn reason(&self) -> Reason {
        match self {
            Self::Unknown(_) => Reason::DocumentNotFound,
            Self::Deleted(_) => Reason::DocumentDeleted,
            Self::NoBlob(_) => Reason::DocumentSchemaMismatch,
            Self::ViewUnknown => Reason::ViewNotFound,
            Self::Unsound(error) => error.reason(),
            Self::Vanished => Reason::BlobPiecesMissing,
            Self::TooManyPieces(_) => Reason::BlobPieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_piece_follows_from_that_of_its_operation() {
        for size in [0, 1, 23, 24, 255, 256, 65_535, 65_536, BLOB_PIECE_SIZE_MAX] {
            let operation = Operation::Create {
                schema_id: SchemaId::BLOB_PIECE,
                fields: Fields::from([("data".to_owned(), PlainValue::Bytes(vec![7; size]))]),
            };
            assert_eq!(data_size(operation.encode().len()), Some(size));
        }
        for impossible in [0, 20, 48, 256_100] {
            assert_eq!(data_size(impossible), None, "{impossible}");
        }
    }
}
