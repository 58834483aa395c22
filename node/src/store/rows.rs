//! What a store keeps, row by row, as the engine and the answers to clients see it.
//!
//! Rows are plain data: how a database lays them out is its own affair, and what they mean for
//! publishing is the engine's.

use std::collections::BTreeMap;

use grove_core::publish::Placement;
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
    Value,
};
use grove_core::validate::{ForkEvidence, LogTip, Submission};
use grove_core::wire::{Action, Fields};

/// A tree of a log: a first entry with all that follows it. Nearly every log is one tree with one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRow {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// The document all operations of the tree belong to.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// The last entry of the branch to continue, of all branches of the tree.
    pub tip: LogTip,
    /// Whether the tree has further branches.
    pub branched: bool,
    /// Whether this node's operator had the log purged: nothing in it counts here, its operations are
    /// gone, and peers are not told of it.
    pub purged: bool,
}

/// An entry and where it stands, without its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedEntry {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// Number in the log.
    pub seq_num: SeqNum,
    /// Hash of the entry.
    pub hash: Hash,
    /// Bytes of the entry.
    pub entry: Vec<u8>,
    /// The document of its tree.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// Whether its log was purged.
    pub purged: bool,
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
    /// What is left of an operation: of one that was collected all but its values, of one that was dropped
    /// with its document what it was made on top of. Of one that never was here that is what a peer says.
    pub stub: Option<Vec<u8>>,
    /// Whether the bytes of the operation were ever kept here.
    pub seen: bool,
    /// The document.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// Whether its log was purged; then the operation does not count.
    pub purged: bool,
}

impl EntryRow {
    /// How many bytes the entry and its operation have.
    pub fn size(&self) -> usize {
        self.entry.len() + self.payload.as_ref().map_or(0, Vec::len)
    }
}

/// An entry that peers are told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// Place in the order in which this node accepted entries.
    pub position: i64,
    /// Hash of the entry.
    pub hash: Hash,
    /// The schema of its document.
    pub schema_id: SchemaId,
}

/// An entry to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// Number in the log, one above that of the entry before.
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
    /// The document its tree belongs to.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: &'a SchemaId,
    /// Where in the log it goes.
    pub placement: Placement,
}

impl NewEntry<'_> {
    /// The entry as the last one of its branch.
    pub fn tip(&self) -> LogTip {
        LogTip {
            seq_num: self.seq_num,
            hash: self.hash,
            ended: self.end_of_log,
        }
    }
}

/// An entry that is going to be judged, as far as it tells what will be asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The author.
    pub public_key: PublicKey,
    /// Which of the author's logs.
    pub log_id: LogId,
    /// Number in the log.
    pub seq_num: SeqNum,
    /// Hash of the entry.
    pub hash: Hash,
    /// The entry before.
    pub backlink: Option<Hash>,
    /// The operations it was made on top of; none for a CREATE.
    pub previous: Vec<OperationId>,
}

impl From<&Submission> for Expected {
    fn from(submission: &Submission) -> Self {
        let entry = submission.entry().entry();
        let operation = submission.operation().ok();
        let previous = operation.and_then(|operation| operation.previous());
        Self {
            public_key: entry.public_key,
            log_id: entry.log_id,
            seq_num: entry.seq_num,
            hash: submission.entry().hash(),
            backlink: entry.backlink,
            previous: previous.map_or_else(Vec::new, |view_id| view_id.ids().to_vec()),
        }
    }
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
    /// Whether its log was purged; then the operation does not count.
    pub purged: bool,
    /// Whether its bytes ever were here. When not, only the peer who sent its entry says where it belongs.
    pub was_seen: bool,
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

    /// About how many bytes its values take.
    pub fn size(&self) -> usize {
        self.fields.as_ref().map_or(0, fields_size)
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

/// About how many bytes the values of fields take.
pub(super) fn fields_size(fields: &ViewFields) -> usize {
    let views_size = |view_ids: &[DocumentViewId]| {
        let ids: usize = view_ids.iter().map(|view_id| view_id.ids().len()).sum();
        ids * Hash::SIZE
    };
    let value_size = |value: &Value| match value {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::RelationList(ids) => ids.len() * Hash::SIZE,
        Value::PinnedRelation(view_id) => view_id.ids().len() * Hash::SIZE,
        Value::PinnedRelationList(view_ids) => views_size(view_ids),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Relation(_) => Hash::SIZE,
    };
    let fields = fields.iter();
    fields
        .map(|(name, (value, _))| name.len() + Hash::SIZE + value_size(value))
        .sum()
}

/// A schema that definitions make up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaRow {
    /// What it says.
    pub schema: Schema,
    /// Where it comes from; `None` of one that an earlier version of the database kept.
    pub origin: Option<SchemaOrigin>,
    /// Whether the operator's settings keep it from being known for now.
    pub withheld: bool,
}

/// Where a schema comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaOrigin {
    /// Who published the latest operation of its definition.
    pub author: PublicKey,
    /// The position that had been reached when it became known.
    pub known_since: i64,
    /// The operations that its id and the ids of its fields' definitions name.
    pub parts: Vec<OperationId>,
}

impl From<Schema> for SchemaRow {
    /// A schema of which no more is told than what it says.
    fn from(schema: Schema) -> Self {
        Self {
            schema,
            origin: None,
            withheld: false,
        }
    }
}

/// What a parked entry waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The entry its backlink names.
    Entry(Hash),
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
pub struct Parked {
    pub entries: u64,
    pub size: u64,
}

impl Parked {
    pub fn exceeds(self, max: ParkedMax) -> bool {
        self.entries > max.entries || self.size > max.size
    }

    pub fn add(&mut self, row: &ParkedRow) {
        self.entries += 1;
        self.size += row.size();
    }

    /// Takes away an entry of this size.
    pub fn remove(&mut self, size: u64) {
        self.entries = self.entries.saturating_sub(1);
        self.size = self.size.saturating_sub(size);
    }
}

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

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Counts {
    pub entries: u64,
    pub documents: u64,
    pub schemas: u64,
    pub parked: u64,
    pub forks: u64,
    /// Branches beyond the first of each log.
    pub branches: u64,
}

/// How much an author has, as far as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Usage {
    pub entries: u64,
    pub logs: u64,
}

/// What other processes changed in a database that several nodes serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// How many entries are parked now.
    pub parked: u64,
    /// Whether schemas or their definitions may have changed.
    pub schemas: bool,
}
