//! How values become numbers and bytes that any database can keep, and values again.
//!
//! Every encoding here is lossless and keeps the order of what it encodes where SQL compares it.
//! Which column type holds them is for each database to know.

use grove_core::types::{DocumentId, DocumentViewId, Hash, LogId, OperationId, SeqNum};
use grove_core::wire::Action;

use super::query::SORT_KEY_SIZE_MAX;
use super::{Need, StoreError};

pub(super) const DIGEST_SIZE: usize = 32;

/// Moves unsigned numbers into the range of signed ones without changing their order.
const fn to_signed(number: u64) -> i64 {
    (number ^ 1 << 63) as i64
}

const fn to_unsigned(number: i64) -> u64 {
    number as u64 ^ 1 << 63
}

pub(super) fn from_log_id(log_id: LogId) -> i64 {
    to_signed(log_id.as_u64())
}

pub(super) fn to_log_id(column: i64) -> LogId {
    LogId::new(to_unsigned(column))
}

pub(super) fn from_seq_num(seq_num: SeqNum) -> i64 {
    to_signed(seq_num.as_u64())
}

pub(super) fn to_seq_num(column: i64) -> Result<SeqNum, StoreError> {
    SeqNum::new(to_unsigned(column)).ok_or(StoreError::Corrupt("sequence number"))
}

/// The digests of these hashes, one after the other.
pub(super) fn from_hashes(hashes: impl IntoIterator<Item = Hash>) -> Vec<u8> {
    hashes.into_iter().flat_map(|hash| *hash.digest()).collect()
}

/// The hashes whose digests stand one after the other.
pub(super) fn to_hashes(bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let (digests, []) = bytes.as_chunks::<DIGEST_SIZE>() else {
        return Err(StoreError::Corrupt("list of hashes"));
    };
    Ok(digests.iter().copied().map(Hash::from_digest).collect())
}

pub(super) fn from_view_id(view_id: &DocumentViewId) -> Vec<u8> {
    from_hashes(view_id.ids().iter().map(|id| id.hash()))
}

pub(super) fn to_view_id(bytes: &[u8]) -> Result<DocumentViewId, StoreError> {
    let ids: Vec<OperationId> = to_hashes(bytes)?.into_iter().map(Into::into).collect();
    DocumentViewId::from_sorted(ids).map_err(|_| StoreError::Corrupt("view id"))
}

/// Bytes in brief: as they are up to the size that decides about the order, else their head and their
/// hash. That tells any two apart, and orders them.
pub(super) fn brief(bytes: &[u8]) -> Vec<u8> {
    match bytes.split_at_checked(SORT_KEY_SIZE_MAX) {
        None | Some((_, [])) => bytes.to_vec(),
        Some((head, _)) => [head, Hash::of(bytes).digest()].concat(),
    }
}

/// Whether these are bytes in brief of which something is left out.
pub(super) fn is_brief(bytes: &[u8]) -> bool {
    bytes.len() > SORT_KEY_SIZE_MAX
}

/// The ids of the operations that set the fields, in the order of the fields. Mostly all fields were
/// set by one operation; then its id stands there once.
pub(super) fn from_setters(setters: &[OperationId]) -> Vec<u8> {
    match setters {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            first.hash().digest().to_vec()
        }
        _ => from_hashes(setters.iter().map(|id| id.hash())),
    }
}

pub(super) fn to_setters(bytes: &[u8], count: usize) -> Result<Vec<OperationId>, StoreError> {
    let mut setters: Vec<OperationId> = to_hashes(bytes)?.into_iter().map(Into::into).collect();
    if let [one] = setters[..] {
        setters.resize(count, one);
    }
    if setters.len() == count {
        Ok(setters)
    } else {
        Err(StoreError::Corrupt("list of operation ids"))
    }
}

/// The document whose digest this is.
pub(super) fn to_document_id(bytes: &[u8]) -> Result<DocumentId, StoreError> {
    match to_hashes(bytes)?[..] {
        [hash] => Ok(hash.into()),
        _ => Err(StoreError::Corrupt("document id")),
    }
}

/// What the value of a need for an entry begins with.
pub(super) const NEEDS_ENTRY: u8 = 0;

/// A need as one value that differs from that of every other need. It is only compared, never read.
pub(super) fn from_need(need: &Need) -> Vec<u8> {
    let mut bytes = Vec::new();
    match need {
        Need::Entry(hash) => {
            bytes.push(NEEDS_ENTRY);
            bytes.extend(hash.digest());
        }
        Need::Operation(id) => {
            bytes.push(1);
            bytes.extend(id.hash().digest());
        }
        Need::Schema(id) => {
            bytes.push(2);
            bytes.extend(id.to_string().into_bytes());
        }
    }
    bytes
}

/// An action as its number.
pub(super) const fn from_action(action: Action) -> i64 {
    action.as_u64() as i64
}
