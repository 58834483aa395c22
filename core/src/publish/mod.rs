//! Whether an entry may be taken, and the arguments of an author's next one (NO1–NO3, PB, FK).
//!
//! Pure questions to whoever keeps logs and documents, by way of [`Known`]. Storing what is good,
//! parking what came too early and keeping the proof of a fork are the caller's work.
//!
//! A log is a set of trees, one per first entry; a branch is a path from a first entry to an entry
//! without successor. Honest logs have one branch. Every entry that verifies along its own branch counts
//! (R24); a client may lengthen branches, only peers bring new ones.
//!
//! Always true:
//! - Faults are told in the order of their phases: position in the log, operation, schema, graph.
//! - The same question to the same knowledge has the same answer, however the knowledge came about.
//! - What is refused for good is refused in whatever order entries come.
//!
//! | file | decides |
//! | --- | --- |
//! | `place` | where in its log an entry belongs |
//! | `next` | the arguments of an author's next entry |
//! | `unused` | which log id is unused once the highest is used |
//! | `error` | why something is refused |

mod error;
mod next;
mod place;
#[cfg(test)]
mod tests;
mod unused;

use std::borrow::Borrow;

use crate::mutant::{altered, fault, holds};
use crate::types::{
    DocumentId, DocumentViewId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
    Value,
};
use crate::validate::{LogTip, Submission, validate_operation};
use crate::wire::{Entry, Operation};

pub use crate::validate::prefers;
pub use error::PublishError;
pub use next::{next_args, next_args_after};
pub use place::{Placed, Placement, place};
pub use unused::{LOOKS_MAX, unused_log_id};

/// What is known of logs, operations and schemas.
pub trait Known {
    /// A refusal, or why a question could not be answered.
    type Error: From<PublishError>;
    /// A schema, shared or owned.
    type Schema: Borrow<Schema>;

    /// The branch of this log that ends in `tip`, where that is known at one look. `None` says nothing:
    /// [`entry`](Self::entry) and [`successor`](Self::successor) are asked then.
    fn branch(
        &self,
        author: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<KnownBranch>, Self::Error>;

    /// The entry of this hash.
    fn entry(&self, hash: Hash) -> Result<Option<KnownEntry>, Self::Error>;

    /// An entry of this log that follows `parent`, or a first one when there is no parent; of several
    /// the one with the lowest hash.
    fn successor(
        &self,
        author: PublicKey,
        log_id: LogId,
        parent: Option<&LogTip>,
    ) -> Result<Option<Hash>, Self::Error>;

    /// The entry of this log at this position, where there is exactly one in all trees.
    fn only_entry_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, Self::Error>;

    /// The branch of this log that is to be continued, by [`prefers`] over all trees.
    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownBranch>, Self::Error>;

    /// The branch in which this author is to continue this document, by [`prefers`] over all trees.
    /// Refuses as [`admit`](Self::admit) where that log takes nothing more.
    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownBranch>, Self::Error>;

    /// Refuses what is added to a log that takes nothing more, for reasons of whoever keeps it.
    fn admit(&self, author: PublicKey, log_id: LogId) -> Result<(), Self::Error>;

    /// The highest log id this author has used.
    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, Self::Error>;

    /// A log id that this author has not used, by [`unused_log_id`].
    fn unused_log_id(&self, author: PublicKey) -> Result<Option<LogId>, Self::Error>;

    /// What is known of an operation.
    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, Self::Error>;

    /// Whether a DELETE ended this document.
    fn is_deleted(&self, document: DocumentId) -> Result<bool, Self::Error>;

    /// The schema of this id.
    fn schema(&self, id: &SchemaId) -> Result<Option<Self::Schema>, Self::Error>;
}

/// A branch of a log: one author's contributions to one document (DO5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownBranch {
    /// Which of the author's logs.
    pub log_id: LogId,
    /// The document all operations of its tree belong to.
    pub document: DocumentId,
    /// Its last entry.
    pub tip: LogTip,
}

/// An entry and what it links to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownEntry {
    /// The author.
    pub author: PublicKey,
    /// The log.
    pub log_id: LogId,
    /// The document all operations of its tree belong to.
    pub document: DocumentId,
    /// Hash of the entry before.
    pub backlink: Option<Hash>,
    /// Hash of the lipmaa entry, where that is another.
    pub skiplink: Option<Hash>,
    /// The entry as the end of a branch, which it is for now or once was.
    pub tip: LogTip,
}

impl KnownEntry {
    /// An entry of this hash in a tree of this document.
    pub fn new(entry: &Entry, hash: Hash, document: DocumentId) -> Self {
        Self {
            author: entry.public_key,
            log_id: entry.log_id,
            document,
            backlink: entry.backlink,
            skiplink: entry.skiplink,
            tip: LogTip {
                seq_num: entry.seq_num,
                hash,
                ended: entry.end_of_log,
            },
        }
    }

    /// The branch up to this entry.
    pub fn branch(&self) -> KnownBranch {
        KnownBranch {
            log_id: self.log_id,
            document: self.document,
            tip: self.tip,
        }
    }
}

/// What the place of an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOperation {
    /// The document.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
}

/// Who handed an entry in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client, who can be told what is wrong and mend it.
    Client,
    /// A peer, who passes on what others wrote.
    Peer,
}

/// What an entry is to those who judged it.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// This very entry is there already.
    Known,
    /// It is good.
    Accept(Acceptance),
}

/// A good entry's place in the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptance {
    /// Where it goes in its log.
    pub placement: Placement,
    /// The document it belongs to.
    pub document: DocumentId,
    /// Its operation, with values of the schema's types.
    pub operation: Operation<Value>,
    /// Whether the operation counts, which it no longer does once its document is deleted.
    pub effective: bool,
}

/// Judges an entry with its operation by what is known.
pub fn judge<K: Known>(
    known: &K,
    submission: &Submission,
    source: Source,
) -> Result<Judgement, K::Error> {
    let signed = submission.entry();
    let entry = signed.entry();
    //= PB1: the entry continues a branch of its log
    let Some(placed) = place(known, signed, source)? else {
        return Ok(Judgement::Known);
    };
    //= FK8: branches that peers bring are taken like any entries
    let is_client = holds!(ForkOfPeers, source == Source::Client);
    //= FK1: a second entry for a taken place is no success
    //= FK7: a client lengthens branches and never begins one
    //= R24: what would fork the log is refused at the client's door
    if is_client && fault!(ForkSeen, placed.taken_by.is_some()) {
        let existing = placed.taken_by.unwrap_or(signed.hash());
        return Err(next::would_fork(known, submission, existing)?.into());
    }

    let operation = submission.operation().map_err(PublishError::from)?;
    let Some(schema) = known.schema(operation.schema_id())? else {
        //= PB3: the schema of an operation is known
        //= R29: an operation of an unknown schema is refused
        let error = PublishError::SchemaNotFound(operation.schema_id().clone());
        altered!(
            SchemaKnown,
            return Err(error.into()),
            return Ok(Judgement::Known)
        )
    };
    let operation = validate_operation(operation, schema.borrow()).map_err(PublishError::from)?;

    //= NO3: an operation's place in its document is judged when it is published
    let document = document_of_operation(known, signed.operation_id(), &operation)?;
    check_tree(known, entry, placed.parent.as_ref(), document, source)?;
    let deleted = known.is_deleted(document)?;
    if source == Source::Client {
        //= PB5: a deleted document takes nothing more
        //= R6: a client is refused an operation on a deleted document
        if fault!(DocumentDeleted, deleted) {
            return Err(PublishError::DocumentDeleted(document).into());
        }
        check_pieces(known, &operation)?;
    }
    Ok(Judgement::Accept(Acceptance {
        placement: placed.placement,
        document,
        operation,
        effective: !deleted,
    }))
}

/// Checks that the tree of an entry is one of this document, and that a client begins no second log for
/// it (R22). Peers may bring several: two nodes may have handed out different log ids.
pub fn check_tree<K: Known>(
    known: &K,
    entry: &Entry,
    parent: Option<&KnownBranch>,
    document: DocumentId,
    source: Source,
) -> Result<(), K::Error> {
    if parent.is_some_and(|parent| parent.document == document) {
        return Ok(());
    }
    if source == Source::Client
        && let Some(registered) = known.log_of_document(entry.public_key, document)?
    {
        //= PB6: a document has one log per author, and a log one document
        //= DO5: every author uses one log per document
        let error = PublishError::LogIdMismatch {
            claimed: entry.log_id,
            registered: registered.log_id,
        };
        return altered!(LogOfDocument, Err(error.into()), Ok(()));
    }
    match parent {
        //= FK11: a tree belongs to the document of its first entry
        Some(_) => {
            let error = PublishError::LogIdInUse(entry.log_id);
            altered!(LogIdFree, Err(error.into()), Ok(()))
        }
        None => Ok(()),
    }
}

/// The document that all of an operation's `previous` belong to, or that a CREATE begins.
pub fn document_of_operation<K: Known>(
    known: &K,
    id: OperationId,
    operation: &Operation<Value>,
) -> Result<DocumentId, K::Error> {
    let Some(previous) = operation.previous() else {
        return Ok(id.into());
    };
    let mut document = None;
    for id in previous.ids() {
        //= PB4: previous are known and of one document and schema
        let Some(found) = known.operation(*id)? else {
            let error = PublishError::PreviousNotFound(*id);
            altered!(PreviousKnown, return Err(error.into()), continue)
        };
        let schema_differs = found.schema_id != *operation.schema_id();
        if fault!(PreviousSchema, schema_differs) {
            return Err(PublishError::DocumentSchemaMismatch {
                claimed: operation.schema_id().clone(),
                actual: found.schema_id,
            }
            .into());
        }
        document = Some(one_document(document, found.document)?);
    }
    Ok(document.expect("a view id is not empty"))
}

/// Checks that an operation is of the same document as those before it (DV2).
fn one_document(
    earlier: Option<DocumentId>,
    document: DocumentId,
) -> Result<DocumentId, PublishError> {
    //= DV2: the operations of a view id are of one document
    match earlier {
        Some(earlier) if fault!(PreviousMixed, earlier != document) => {
            Err(PublishError::PreviousMixed)
        }
        _ => Ok(document),
    }
}

/// Checks that a blob's pieces are there before it.
fn check_pieces<K: Known>(known: &K, operation: &Operation<Value>) -> Result<(), K::Error> {
    if *operation.schema_id() != SchemaId::BLOB {
        return Ok(());
    }
    let pieces = operation.fields().and_then(|fields| fields.get("pieces"));
    let Some(Value::PinnedRelationList(pieces)) = pieces else {
        return Ok(());
    };
    for id in pieces.iter().flat_map(DocumentViewId::ids) {
        let piece = known.operation(*id)?;
        //= BL3: the pieces come before their blob
        //= R19: over the client API the pieces of a blob are there before it
        let missing = piece.is_none_or(|piece| piece.schema_id != SchemaId::BLOB_PIECE);
        if fault!(BlobPiecesThere, missing) {
            return Err(PublishError::BlobPiecesMissing.into());
        }
    }
    Ok(())
}
