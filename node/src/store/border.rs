//! What must be true of whatever passes the border between engine and store, looked at in one place for all stores.
//!
//! A mistake of the engine would be kept for ever, and one of a store would be believed: both stop here, before the
//! transaction is made durable. Nothing that comes from outside is judged: clients and peers were answered before their
//! input became a row, and what a disk changed is found by hashes ([`StoreError::Damaged`](super::StoreError)). What
//! costs as much as storing or reading itself is looked at in tests and simulations only.

use grove_core::limits::{ENTRY_SIZE_MAX, PAYLOAD_SIZE_MAX, SCHEMA_FIELDS_MAX};
use grove_core::publish::Placement;
use grove_core::types::{Hash, LogId, PublicKey, SchemaId, SeqNum};

use super::rows::{
    Change, DocumentRow, EntryRow, ForkRow, Need, NewEntry, ParkedRow, PlacedEntry, SchemaRow,
    TreeRow,
};

/// What goes in: an entry that was accepted.
pub(super) fn expect_entry(new: &NewEntry<'_>) {
    let before = match new.placement {
        Placement::Begins | Placement::BeginsTree => None,
        Placement::Extends(before) | Placement::Branches(before) => Some(before),
    };
    assert!(before != Some(new.hash), "an entry follows itself");
    assert!(new.entry.len() <= ENTRY_SIZE_MAX, "too long for an entry");
    expect_payload(new.payload);
    assert!(
        new.payload.is_none() || new.action.is_some(),
        "the bytes of an operation are here, and nobody has read them"
    );
    debug_assert_eq!(Hash::of(new.entry), new.hash, "bytes of another entry");
}

fn expect_payload(payload: Option<&[u8]>) {
    let Some(payload) = payload else { return };
    assert!(!payload.is_empty(), "an operation has bytes");
    assert!(
        payload.len() <= PAYLOAD_SIZE_MAX,
        "too long for an operation"
    );
}

/// What goes in: the bytes that an entry lacked.
pub(super) fn expect_restored(payload: &[u8]) {
    expect_payload(Some(payload));
}

/// What goes in: what is left of an operation, less than it was.
pub(super) fn expect_stub(stub: &[u8]) {
    assert!(!stub.is_empty(), "a stub says what was before it");
    assert!(
        stub.len() <= PAYLOAD_SIZE_MAX,
        "a stub longer than any operation"
    );
}

/// What goes in: the state of a document.
pub(super) fn expect_document(row: &DocumentRow) {
    assert!(
        row.edited || !row.is_deleted(),
        "a DELETE that changes nothing"
    );
    let fields = row.fields.as_ref().map_or(0, |fields| fields.len());
    assert!(fields <= SCHEMA_FIELDS_MAX, "more fields than a schema has");
}

/// What goes in: a schema that definitions make up.
pub(super) fn expect_schema(row: &SchemaRow) {
    assert!(
        row.schema.fields().len() <= SCHEMA_FIELDS_MAX,
        "too many fields"
    );
    let Some(origin) = &row.origin else { return };
    assert!(
        matches!(row.schema.id(), SchemaId::Application { .. }),
        "nobody defines a system schema"
    );
    assert!(origin.known_since >= 0, "known before the first entry");
    assert!(!origin.parts.is_empty(), "made of nothing");
}

/// What goes in: an entry that waits. Nobody has judged its operation yet, so nothing is expected of that.
pub(super) fn expect_parked(row: &ParkedRow, need: &Need) {
    match need {
        Need::Entry(hash) => debug_assert!(*hash != row.hash, "an entry waits for itself"),
        Need::Operation(id) => debug_assert!(id.hash() != row.hash, "it waits for itself"),
        Need::Schema(id) => debug_assert!(
            matches!(id, SchemaId::Application { .. }),
            "it waits for what is always there"
        ),
    }
    debug_assert_eq!(Hash::of(&row.entry), row.hash, "bytes of another entry");
}

/// What goes in: two entries at one place.
pub(super) fn expect_fork(fork: &ForkRow) {
    assert!(fork.first != fork.second, "a fork of one entry");
    assert!(
        fork.first.len().max(fork.second.len()) <= ENTRY_SIZE_MAX,
        "too long for an entry"
    );
    debug_assert!(
        Hash::of(&fork.first) < Hash::of(&fork.second),
        "evidence has one order"
    );
}

/// What goes in: a time, in seconds since 1970.
pub(super) fn expect_time(at: i64) {
    assert!(at >= 0, "before 1970");
}

/// What comes out: entries in the order of acceptance, behind a position and no more than were asked for.
pub(super) fn expect_page(rows: &[EntryRow], after: i64, limit: u32) {
    assert!(rows.len() <= limit as usize, "more entries than asked for");
    debug_assert!(
        rows.iter().all(|row| row.position > after),
        "entries from before the page"
    );
    expect_accepted_order(rows);
}

/// What comes out: entries in the order of acceptance, each once.
pub(super) fn expect_accepted_order(rows: &[EntryRow]) {
    debug_assert!(
        rows.is_sorted_by(|a, b| a.position < b.position),
        "entries out of order"
    );
    debug_assert!(
        rows.iter().all(|row| !row.lost || row.payload.is_none()),
        "what is lost is there"
    );
}

/// What comes out: what happened behind a position. Of changes without an entry those at it are told again.
pub(super) fn expect_changes(changes: &[Change], after: i64) {
    debug_assert!(
        changes.is_sorted_by_key(|change| change.position),
        "changes out of order"
    );
    debug_assert!(
        changes.iter().all(|change| change.position >= after),
        "changes from before"
    );
}

/// What comes out: what claims one place of a log.
pub(super) fn expect_claims(
    claims: &[PlacedEntry],
    log: (PublicKey, LogId),
    at: SeqNum,
    limit: u32,
) {
    assert!(claims.len() <= limit as usize, "more claims than asked for");
    debug_assert!(
        claims.is_sorted_by(|a, b| a.hash < b.hash),
        "claims out of order"
    );
    debug_assert!(
        claims
            .iter()
            .all(|row| (row.public_key, row.log_id) == log && row.seq_num == at),
        "claims of another place"
    );
}

/// What comes out: trees of one log.
pub(super) fn expect_trees(trees: &[TreeRow], log: (PublicKey, LogId)) {
    debug_assert!(
        trees
            .iter()
            .all(|tree| (tree.public_key, tree.log_id) == log),
        "trees of another log"
    );
    // A log is purged whole.
    debug_assert!(
        trees.is_sorted_by(|a, b| a.purged == b.purged),
        "a log of which a part is purged"
    );
}

/// What comes out: an author's trees, log by log, the one to continue first.
pub(super) fn expect_logs(trees: &[TreeRow], after: Option<LogId>, limit: u32) {
    let logs = trees.chunk_by(|a, b| a.log_id == b.log_id);
    assert!(logs.count() <= limit as usize, "more logs than asked for");
    debug_assert!(
        trees.is_sorted_by_key(|tree| tree.log_id),
        "logs out of order"
    );
    debug_assert!(
        trees
            .iter()
            .all(|tree| after.is_none_or(|after| tree.log_id > after)),
        "logs from before"
    );
}

/// What comes out: a count that ends at a bound.
pub(super) fn expect_counted(count: u64, max: u64) {
    assert!(count <= max, "counted on behind the bound");
}
