//! What the engine and the answers to clients ask of a database.
//!
//! A store keeps facts and finds them again; it decides nothing. Writes happen inside one
//! transaction at a time, opened by the engine; readers see the last committed state and never wait
//! for the writer. Every implementation passes the same contract tests.

mod codec;
mod indexes;
mod interned;
pub mod objects;
mod outside;
mod postgres;
pub mod query;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use grove_core::types::{
    DocumentId, DocumentViewId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
    Value,
};
use grove_core::validate::{ForkEvidence, LogTip};
use grove_core::wire::{Action, Fields, Heights, SchemaSet};

use objects::{Objects, Swept};
pub use postgres::{PostgresReader, PostgresStore, Server};
pub use query::{DocumentQuery, Standing};
#[cfg(test)]
pub(crate) use sqlite::STATEMENTS;
pub use sqlite::{SqliteReader, SqliteStore};

/// A log: one author's contributions to one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// The document all its operations belong to.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// The latest entry.
    pub tip: LogTip,
    /// From which position on the log is forked; nothing from there on counts.
    pub forked_at: Option<SeqNum>,
    /// Whether this node's operator had it purged: nothing in it counts here, its operations are gone,
    /// and peers are not told of it.
    pub purged: bool,
}

impl LogRow {
    /// Whether the entry of this number counts.
    pub fn counts(&self, seq_num: SeqNum) -> bool {
        !self.purged && self.forked_at.is_none_or(|forked_at| seq_num < forked_at)
    }

    /// The highest entry before the fork; `None` when all of the log is forked.
    pub fn height(&self) -> Option<SeqNum> {
        match self.forked_at {
            None => Some(self.tip.seq_num),
            Some(forked_at) => forked_at.backlink().map(|last| last.min(self.tip.seq_num)),
        }
    }
}

/// A stored entry with what is known of its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Place in the order in which this node accepted entries; every entry comes after those it
    /// depends on.
    pub position: i64,
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// Number in the log.
    pub seq_num: SeqNum,
    /// Hash of the entry, which is the operation's id.
    pub hash: Hash,
    /// Bytes of the entry.
    pub entry: Vec<u8>,
    /// Bytes of the operation; `None` when they were dropped with the document (R6, R7), purged or
    /// collected, or lost.
    pub payload: Option<Vec<u8>>,
    /// Whether the bytes of the operation should be there but are not, or not whole, for the disk or the
    /// service that keeps them failed. Nobody deleted them, so nobody is told so. Publishing the entry
    /// again mends it.
    pub lost: bool,
    /// What is left of an operation that was collected: all but its values.
    pub stub: Option<Vec<u8>>,
    /// The document.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// Whether the entry counts: it stands before the fork of its log, if there is one, and its log was
    /// not purged.
    pub counted: bool,
}

impl EntryRow {
    /// How many bytes the entry and its operation have.
    pub fn size(&self) -> usize {
        self.entry.len() + self.payload.as_ref().map_or(0, Vec::len)
    }
}

/// An entry to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs. A log is begun by its first entry.
    pub log_id: LogId,
    /// Number in the log, one above the stored tip.
    pub seq_num: SeqNum,
    /// Hash of the entry.
    pub hash: Hash,
    /// Whether the entry ends its log.
    pub end_of_log: bool,
    /// Bytes of the entry.
    pub entry: &'a [u8],
    /// Bytes of the operation, unless they are dropped at once.
    pub payload: Option<&'a [u8]>,
    /// What the operation does; `None` when it was never seen.
    pub action: Option<Action>,
    /// The document the log belongs to.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: &'a SchemaId,
}

/// What is known of an operation without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// The position of its entry.
    pub position: i64,
    /// The document.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// Whether the operation counts: its log is not forked at or before it, nor purged.
    pub counted: bool,
    /// Whether its log was purged.
    pub purged: bool,
    /// Whether its bytes are there.
    pub has_payload: bool,
    /// How many bytes these are.
    pub payload_size: Option<u64>,
}

/// Something happened to a document: an operation joined it, or what counts of it is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Place in the order of changes: the position of the entry, or for what has no entry of its own
    /// that of the last one before.
    pub position: i64,
    /// The document.
    pub document: DocumentId,
    /// Its schema.
    pub schema_id: SchemaId,
}

/// The values of a document's fields and the operations that set them.
pub type ViewFields = BTreeMap<String, (Value, OperationId)>;

/// The materialised state of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentRow {
    /// Id of the document.
    pub id: DocumentId,
    /// Its schema.
    pub schema_id: SchemaId,
    /// The current view.
    pub view_id: DocumentViewId,
    /// Author of the CREATE.
    pub owner: PublicKey,
    /// Whether anything changed since the CREATE.
    pub edited: bool,
    /// The fields with the operation that set each last; `None` when the document is deleted. A value
    /// whose bytes were lost is left out.
    pub fields: Option<ViewFields>,
}

impl DocumentRow {
    /// Whether a DELETE ended the document.
    pub fn is_deleted(&self) -> bool {
        self.fields.is_none()
    }

    /// The values of the fields; `None` when the document is deleted.
    pub fn values(&self) -> Option<Fields<Value>> {
        let fields = self.fields.as_ref()?;
        Some(
            fields
                .iter()
                .map(|(name, (value, _))| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

/// What a parked entry waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The entry before it in its log, or its skiplink's target.
    Entry(PublicKey, LogId, SeqNum),
    /// An operation its `previous` names.
    Operation(OperationId),
    /// Its schema.
    Schema(SchemaId),
}

/// An entry that can't be judged yet (R28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// Hash of the entry.
    pub hash: Hash,
    /// Bytes of the entry.
    pub entry: Vec<u8>,
    /// Bytes of the operation.
    pub payload: Vec<u8>,
}

impl ParkedRow {
    /// How many bytes the entry and its operation have.
    pub fn size(&self) -> u64 {
        (self.entry.len() + self.payload.len()) as u64
    }
}

/// How much may be parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkedMax {
    /// How many entries.
    pub entries: u64,
    /// How many bytes all of them and their operations have together.
    pub size: u64,
}

/// How many entries are parked, and how many bytes they have together.
#[derive(Debug, Clone, Copy, Default)]
struct Parked {
    entries: u64,
    size: u64,
}

impl Parked {
    fn exceeds(self, max: ParkedMax) -> bool {
        self.entries > max.entries || self.size > max.size
    }

    fn add(&mut self, row: &ParkedRow) {
        self.entries += 1;
        self.size += row.size();
    }

    /// Takes away an entry of this size.
    fn remove(&mut self, size: u64) {
        self.entries = self.entries.saturating_sub(1);
        self.size = self.size.saturating_sub(size);
    }
}

/// For how many seconds it is remembered when which position was reached: thirty days.
const TIMES_KEPT_S: i64 = 30 * 24 * 60 * 60;

/// Two different entries at one position of a log (R24).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkRow {
    /// The author.
    pub public_key: PublicKey,
    /// The log.
    pub log_id: LogId,
    /// The position both claim.
    pub seq_num: SeqNum,
    /// The entry with the lower hash.
    pub first: Vec<u8>,
    /// The other entry.
    pub second: Vec<u8>,
}

impl From<&ForkEvidence> for ForkRow {
    fn from(evidence: &ForkEvidence) -> Self {
        let [first, second] = evidence.entries().map(|entry| entry.bytes().to_vec());
        Self {
            public_key: evidence.public_key(),
            log_id: evidence.log_id(),
            seq_num: evidence.seq_num(),
            first,
            second,
        }
    }
}

/// Takes documents one by one; says whether it wants more.
pub type Take<'t> = &'t mut dyn FnMut(DocumentRow) -> bool;

/// Questions to the last committed state (or, inside a transaction, to its own).
pub trait Read {
    /// The log of this author and number.
    fn log(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<LogRow>, StoreError>;

    /// The log in which this author writes this document.
    fn log_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<LogRow>, StoreError>;

    /// The highest log id this author has used.
    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError>;

    /// The entry at a position.
    fn entry_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<EntryRow>, StoreError>;

    /// The entry with this hash.
    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError>;

    /// What is known of an operation.
    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError>;

    /// The size of an operation's bytes, without reading them; `None` when they are not there.
    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError>;

    /// All entries of a document, in the order in which they were accepted, uncounted ones and those
    /// without payload included.
    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError>;

    /// All entries of documents of a schema, in the order in which they were accepted.
    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError>;

    /// All entries of documents of a schema, as [`schema_entries`](Self::schema_entries); `None` when all of
    /// them together have more than this many bytes. No more than that is read.
    fn schema_entries_within(
        &self,
        schema_id: &SchemaId,
        size_max: usize,
    ) -> Result<Option<Vec<EntryRow>>, StoreError> {
        let rows = self.schema_entries(schema_id)?;
        let size: usize = rows.iter().map(EntryRow::size).sum();
        Ok((size <= size_max).then_some(rows))
    }

    /// What is known of these operations; unknown ones are left out. Takes one statement, however many
    /// are asked for.
    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError>;

    /// All entries of these documents, in the order in which they were accepted, uncounted ones and
    /// those without payload included. Takes one statement, however many are asked for.
    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError>;

    /// The materialised states of these documents; unknown ones are left out. The number of statements
    /// is that of their schemas, however many are asked for.
    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError>;

    /// The logs of an author, ascending by number, from behind this one on.
    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<LogRow>, StoreError>;

    /// The position of the latest entry; 0 before the first.
    fn position(&self) -> Result<i64, StoreError>;

    /// What happened to documents after this position, in order, at most `limit` changes and all those
    /// of the last one's position. Of what has no entry of its own, the changes *at* the position are told
    /// too: who goes on from there hears of some changes twice, and misses none.
    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// All entries behind this position, of one schema or of all, in the order in which they were
    /// accepted and at most `limit` of them; uncounted ones and those without payload included.
    ///
    /// A store that can do better than to go by documents should.
    fn entries_after(
        &self,
        after: i64,
        schema_id: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        entries_by_documents(self, after, schema_id, limit)
    }

    /// Entries of these logs from the given position on, at most `limit` of them, each log from the
    /// given number on, in the order in which they were accepted. Entries from a fork on, and those that
    /// are withheld from peers, are left out.
    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError>;

    /// Heights of all logs of documents of these schemas, forked logs only up to before the fork.
    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError>;

    /// The materialised state of a document.
    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError>;

    /// As [`document`](Self::document), but bytes kept outside of the database are not looked at: the
    /// `data` of a piece of a blob is left out when it is long.
    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        self.document(id)
    }

    /// Whether an entry has the object of this name, or had it and it is still to be erased.
    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        let _ = name;
        Ok(true)
    }

    /// A page of the documents of a schema. Deleted ones come without fields.
    fn list(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        let mut rows = Vec::new();
        self.visit(schema_id, query, &mut |row| {
            rows.push(row);
            true
        })?;
        if query.from_end {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Hands the documents of a page over one by one, those from its end on from the last to the first,
    /// for as long as `take` says so: a large page need not be held. Takes as many statements for a
    /// large page as for a small one.
    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    /// Hands over those of these documents that are live and of this schema, each once and in no certain
    /// order, for as long as `take` says so. Takes as many statements for many as for one. `outline` as
    /// in a [`DocumentQuery`].
    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        _outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let rows = self.documents(ids)?.into_values();
        rows.filter(|row| row.schema_id == *schema_id && !row.is_deleted())
            .all(take);
        Ok(())
    }

    /// Hands over all entries of these documents, document by document, for as long as `take` says so: the
    /// history of one document need be held at a time. Takes as many statements for many as for one.
    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError> {
        let mut rows = self.entries_of_documents(documents)?;
        rows.sort_by_key(|row| row.document);
        rows.into_iter().all(take);
        Ok(())
    }

    /// Runs several questions against one state of the database.
    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// How many documents of a schema meet the conditions of a query, on all its pages.
    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError>;

    /// All known application schemas, by id.
    fn schemas(&self) -> Result<Vec<Schema>, StoreError>;

    /// A known schema, system schemas included.
    fn schema(&self, id: &SchemaId) -> Result<Option<Schema>, StoreError>;

    /// Fork evidence of a log.
    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError>;

    /// The highest position known to have been reached at this time, in seconds since 1970.
    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError>;

    /// The latest records of what can't be undone, the last one first.
    fn deeds(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError>;

    /// How many entries are stored and how many are parked.
    fn counts(&self) -> Result<Counts, StoreError>;
}

/// What [`Read::entries_after`] asks for, found by way of the documents that changed.
pub fn entries_by_documents(
    store: &(impl Read + ?Sized),
    mut after: i64,
    schema_id: Option<&SchemaId>,
    limit: u32,
) -> Result<Vec<EntryRow>, StoreError> {
    let is_wanted = |id: &SchemaId| schema_id.is_none_or(|wanted| wanted == id);
    let mut found = Vec::new();
    while found.len() < limit as usize {
        let changes = store.changes(after, limit)?;
        let last = changes.last().map_or(after, |change| change.position);
        if last == after {
            break;
        }
        let wanted = changes.iter().filter(|change| is_wanted(&change.schema_id));
        let documents: BTreeSet<_> = wanted.map(|change| change.document).collect();
        let documents: Vec<_> = documents.into_iter().collect();
        let entries = store.entries_of_documents(&documents)?;
        let is_new = |row: &EntryRow| after < row.position && row.position <= last;
        let new = entries.into_iter().filter(is_new);
        found.extend(new.filter(|row| is_wanted(&row.schema_id)));
        after = last;
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Counts {
    pub entries: u64,
    pub documents: u64,
    pub schemas: u64,
    pub parked: u64,
    pub forks: u64,
}

/// What other processes changed in a database that several nodes serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// How many entries are parked now.
    pub parked: u64,
    /// Whether schemas or their definitions may have changed.
    pub schemas: bool,
}

/// Changes, all inside one transaction.
pub trait Store: Read {
    /// Opens the transaction. Tells what other processes changed since the last one, for those who
    /// remember what the store holds.
    fn begin(&mut self) -> Result<Option<News>, StoreError>;

    /// Makes the transaction durable; when this returns, no crash loses it.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets the transaction.
    fn rollback(&mut self) -> Result<(), StoreError>;

    /// Stores an entry at the tip of its log; returns its position.
    fn insert_entry(&mut self, entry: NewEntry<'_>) -> Result<i64, StoreError>;

    /// Gives a stored entry the operation bytes it lacked.
    fn restore_payload(
        &mut self,
        hash: Hash,
        payload: &[u8],
        action: Action,
    ) -> Result<(), StoreError>;

    /// Drops the operation bytes of a document, except those of its DELETEs (R7).
    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError>;

    /// Notes that a document changed without an entry of its own.
    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError>;

    /// Purges a log: drops the bytes of its operations, those of DELETEs included, makes none of it
    /// count, and withholds it from peers. Returns how many bytes were dropped.
    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError>;

    /// Drops the bytes of an operation that nothing needs any more, leaves a stub of it if there is one,
    /// and withholds its log from peers from there on. Bytes that come again put an end to that.
    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError>;

    /// Remembers the position of the latest entry at this time, in seconds since 1970.
    fn insert_time(&mut self, at: i64) -> Result<(), StoreError>;

    /// Keeps a record of something that can't be undone.
    fn insert_deed(&mut self, at: i64, what: &str) -> Result<(), StoreError>;

    /// Moves a log to the document it turned out to belong to.
    fn reassign_log(
        &mut self,
        public_key: PublicKey,
        log_id: LogId,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError>;

    /// Keeps fork evidence and marks the log as forked from there on.
    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError>;

    /// Stores the state of a document in place of an earlier one.
    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError>;

    /// Removes the state of a document that no longer has one.
    fn remove_document(&mut self, id: DocumentId) -> Result<(), StoreError>;

    /// Makes a schema known.
    fn insert_schema(&mut self, schema: &Schema) -> Result<(), StoreError>;

    /// Parks an entry; an entry already parked now waits for this need instead.
    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError>;

    /// Takes out all entries that wait for this, oldest first.
    fn unpark(&mut self, need: &Need) -> Result<Vec<ParkedRow>, StoreError>;

    /// Drops the oldest parked entries until no more than this are left; returns how many are left.
    fn evict_parked(&mut self, max: ParkedMax) -> Result<u64, StoreError>;
}

/// A store that others read while one writes it, as a deployed node needs it.
pub trait SharedStore: Store + Send + 'static {
    /// A connection that only reads, and sees the last committed state.
    type Reader: Read + Send + 'static;

    /// Another connection to the same database.
    fn reader(&self) -> Result<Self::Reader, StoreError>;

    /// What makes the question fail that this connection is answering, called from another thread. Does
    /// nothing to one that has been answered.
    fn interrupt(_: &Self::Reader) -> Box<dyn Fn() + Send + Sync> {
        Box::new(|| {})
    }

    /// Drops the last copies of deleted bytes that the database keeps for its own purposes. Returns
    /// whether that succeeded; somebody who reads for too long may prevent it.
    fn forget_deleted(&mut self) -> Result<bool, StoreError>;

    /// Erases what lies outside of the database and belonged to what was deleted. Returns whether all is
    /// gone; a slow service may take longer than the writer waits.
    fn erase_discarded(&mut self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Where it keeps large bytes outside of the database, if it does. Who publishes puts them there
    /// first, so that the writer finds them.
    fn objects(&self) -> Option<Arc<Objects>> {
        None
    }

    /// Erases objects older than this that no entry refers to, as a crash may have left them; or only
    /// tells how much that would be. An object being put just now is one of them.
    fn sweep_objects(&self, older_than: Duration, dry_run: bool) -> Result<Swept, StoreError>
    where
        Self: Sized,
    {
        match self.objects() {
            None => Ok(Swept::default()),
            Some(objects) => (0..=u8::MAX).try_fold(Swept::default(), |swept, shard| {
                Ok(swept + objects.sweep(shard, older_than, dry_run, self)?)
            }),
        }
    }

    /// Whom to tell, from whatever thread, that [`improve`](Self::improve) has something to do.
    fn on_wish(&self, _tell: Box<dyn Fn() + Send + Sync>) {}

    /// Makes one thing ready that questions asked lately would be faster with; returns whether there was
    /// anything to do. Answers are the same before and after.
    fn improve(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// How often to look for what other processes changed; `None` when none can.
    fn news_interval(&self) -> Option<Duration> {
        None
    }

    /// Whether other processes changed something since the last transaction, as far as a look without
    /// one can tell.
    fn has_news(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// The database failed; the one who asked is not to blame. (Local)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite reported an error.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The disk or the service that keeps large bytes failed.
    #[error("blob storage: {0}")]
    Objects(#[from] object_store::Error),
    /// Nobody said where the large bytes are that the database refers to.
    #[error("the database refers to blobs outside of it, and it was not said where they are")]
    NoObjects,
    /// The database was used with another place for large bytes.
    #[error("the blobs of this database are kept elsewhere")]
    OtherObjects,
    /// A database server refused, or could not be talked to.
    #[error("database server: {0}")]
    Server(String),
    /// The URL of a database says nothing this program understands. It may hold a password.
    #[error("the URL of the database can't be understood")]
    Url,
    /// An earlier failure in the same transaction.
    #[error("{0}")]
    Failed(String),
    /// The file can't be opened or created.
    #[error("database file: {0}")]
    Io(#[from] std::io::Error),
    /// The file belongs to another program.
    #[error("this is no database of this program")]
    Foreign,
    /// A database in memory has one connection.
    #[error("a database in memory has no other readers")]
    InMemory,
    /// A change does not fit what is stored: our own mistake, nothing was changed.
    #[error("the change does not fit the stored {0}")]
    Misfit(&'static str),
    /// What the database holds is not what was written.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// The database was written by a newer version.
    #[error("the database has version {found}, this program knows {known}; use a newer program")]
    TooNew {
        /// Version in the database.
        found: i64,
        /// Version this program writes.
        known: i64,
    },
}

impl grove_core::Refusal for StoreError {
    fn reason(&self) -> grove_core::Reason {
        grove_core::Reason::StoreFailed
    }
}
