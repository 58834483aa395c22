//! The changes a store makes, all of them inside of a transaction that the engine opens.
//!
//! A store does what it is told, or fails and changes nothing: whether an entry may be stored, and what
//! else follows from it, is decided before.

use grove_core::types::{DocumentId, Hash, LogId, PublicKey, SchemaId};
use grove_core::wire::Action;

use super::StoreError;
use super::read::Read;
use super::rows::{
    DocumentRow, Expected, ForkRow, Need, NewEntry, News, ParkedMax, ParkedRow, SchemaRow,
};

/// For how many seconds it is remembered when which position was reached: thirty days.
pub(super) const TIMES_KEPT_S: i64 = 30 * 24 * 60 * 60;

/// Changes, all inside one transaction.
pub trait Store: Read {
    /// Opens the transaction. Tells what other processes changed since the last one, for those who
    /// remember what the store holds.
    fn begin(&mut self) -> Result<Option<News>, StoreError>;

    /// Makes the transaction durable; when this returns, no crash loses it.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets the transaction.
    fn rollback(&mut self) -> Result<(), StoreError>;

    /// Reads at once what is going to be asked about these entries, so that a store on a server need not be
    /// asked about each. The answers are the same without.
    fn read_ahead(&mut self, _entries: &[Expected]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Stores an entry where its placement says; returns its position. What the placement says of the entry
    /// before it must be so.
    fn insert_entry(&mut self, entry: NewEntry<'_>) -> Result<i64, StoreError>;

    /// Gives a stored entry the operation bytes it lacked.
    fn restore_payload(
        &mut self,
        hash: Hash,
        payload: &[u8],
        action: Action,
    ) -> Result<(), StoreError>;

    /// Drops the operation bytes of a document, except those of its DELETEs (R7), and all stubs. Its entries are
    /// withheld from peers no more, except those of purged logs.
    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError>;

    /// Notes that an entry came without its operation, and that nothing confirms that this was deleted. From
    /// this entry on its tree is withheld from peers, and they are told that it is not there.
    fn doubt(&mut self, hash: Hash) -> Result<(), StoreError>;

    /// Leaves a stub of an operation whose bytes were dropped with its document, in place of another one.
    fn leave_stub(&mut self, hash: Hash, stub: &[u8]) -> Result<(), StoreError>;

    /// Notes that a document changed without an entry of its own.
    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError>;

    /// Purges a log, all its trees: drops the bytes of its operations, those of DELETEs included, makes none of it
    /// count, and withholds it from peers, all its trees. Returns how many bytes were dropped.
    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError>;

    /// Drops the bytes of an operation that nothing needs any more, leaves a stub of it if there is one,
    /// and withholds its tree from peers from there on. Bytes that come again put an end to that.
    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError>;

    /// Remembers the position of the latest entry at this time, in seconds since 1970.
    fn insert_time(&mut self, at: i64) -> Result<(), StoreError>;

    /// Keeps a record of something that can't be undone.
    fn insert_audit_entry(&mut self, at: i64, what: &str) -> Result<(), StoreError>;

    /// Moves the tree that begins with this entry to the document it turned out to belong to. All of it is
    /// doubted then, until its operations come or that document turns out to be deleted.
    fn reassign_tree(
        &mut self,
        first: Hash,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError>;

    /// Keeps the evidence of a log's fork, in place of what was kept before.
    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError>;

    /// Takes out some of the documents whose states an earlier version of the database left wrong. They are
    /// to be materialised anew in the same transaction.
    fn unmaterialised(&mut self, limit: u32) -> Result<Vec<DocumentId>, StoreError>;

    /// Stores the state of a document in place of an earlier one.
    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError>;

    /// Removes the state of a document that no longer has one.
    fn remove_document(&mut self, id: DocumentId) -> Result<(), StoreError>;

    /// Keeps a schema, in place of what was kept of it before. While it is withheld, its documents are not
    /// there.
    fn insert_schema(&mut self, row: &SchemaRow) -> Result<(), StoreError>;

    /// Drops what a schema says. Its documents are not there any more, but can still be deleted.
    fn remove_schema(&mut self, id: &SchemaId) -> Result<(), StoreError>;

    /// Remembers that a view of a definition makes no schema, by the hash of its id, and why.
    fn insert_broken_definition(&mut self, view: Hash, cause: &str) -> Result<(), StoreError>;

    /// Parks an entry; an entry already parked now waits for this need instead.
    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError>;

    /// Takes out all entries that wait for this, oldest first.
    fn unpark(&mut self, need: &Need) -> Result<Vec<ParkedRow>, StoreError>;

    /// Drops the oldest parked entries until no more than this are left; returns how many are left.
    fn evict_parked(&mut self, max: ParkedMax) -> Result<u64, StoreError>;
}
