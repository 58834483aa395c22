//! Whether an entry may be taken, and the arguments of an author's next one (NO1–NO3, PB).
//!
//! Pure questions to whoever keeps logs and documents, by way of [`Known`]. Storing what is good,
//! parking what came too early and keeping the proof of a fork are the caller's work.
//!
//! Always true:
//! - Faults are told in the order of their phases: position in the log, operation, schema, graph.
//! - The same question to the same knowledge has the same answer, however the knowledge came about.

use std::borrow::Borrow;

use crate::author::NextArgs;
use crate::mutant::{altered, fault, holds};
use crate::reason::{Reason, Refusal};
use crate::types::{
    DocumentId, DocumentViewId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
    Value,
};
use crate::validate::{
    LogError, LogTip, Submission, ValidationError, VerifyError, check_position, validate_operation,
};
use crate::wire::{Entry, Operation, OperationError};

/// How many log ids are tried in the search for an unused one, once the highest is used.
const LOG_ID_SEARCH_MAX: u64 = 65_536;

/// What is known of logs, operations and schemas.
pub trait Known {
    /// A refusal, or why a question could not be answered.
    type Error: From<PublishError>;
    /// A schema, shared or owned.
    type Schema: Borrow<Schema>;

    /// The log of this author and number.
    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownLog>, Self::Error>;

    /// The log in which this author writes this document.
    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownLog>, Self::Error>;

    /// The highest log id this author has used.
    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, Self::Error>;

    /// Hash of the entry at a position; of the one taken first where the log is forked.
    fn hash_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, Self::Error>;

    /// The two entries that prove a log to be forked; only asked where [`KnownLog::forked_at`] says
    /// so.
    fn fork(&self, author: PublicKey, log_id: LogId) -> Result<[Hash; 2], Self::Error>;

    /// What is known of an operation.
    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, Self::Error>;

    /// Whether a DELETE ended this document.
    fn is_deleted(&self, document: DocumentId) -> Result<bool, Self::Error>;

    /// The schema of this id.
    fn schema(&self, id: &SchemaId) -> Result<Option<Self::Schema>, Self::Error>;
}

/// A log: one author's contributions to one document (DO5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownLog {
    /// Which of the author's logs.
    pub log_id: LogId,
    /// The document all its operations belong to.
    pub document: DocumentId,
    /// The latest entry.
    pub tip: LogTip,
    /// From which position on the log is forked; nothing from there on counts.
    pub forked_at: Option<SeqNum>,
}

/// What the place of an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOperation {
    /// The document.
    pub document: DocumentId,
    /// The document's schema.
    pub schema_id: SchemaId,
    /// Whether the operation counts: its log is not forked at or before it.
    pub counted: bool,
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
    /// Another entry has its position: together they prove a fork.
    Fork,
    /// It is good.
    Accept(Acceptance),
}

/// A good entry's place in the world.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptance {
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
    let log = known.log(entry.public_key, entry.log_id)?;
    let taken = log.is_some_and(|log| entry.seq_num <= log.tip.seq_num);
    let stored = match taken {
        true => known.hash_at(entry.public_key, entry.log_id, entry.seq_num)?,
        false => None,
    };
    match stored {
        //= FK1: another entry at a taken position is told apart from the same once more
        //= R24: a different entry at a taken position is a fork
        Some(stored) if fault!(ForkSeen, stored != signed.hash()) => return Ok(Judgement::Fork),
        //= R23: the same entry once more is no error, so that retries are safe
        Some(_) if source == Source::Peer => return Ok(Judgement::Known),
        //= PB7: a retry is let through like the first time
        Some(_) => {
            check_not_forked(known, entry.public_key, log.as_ref(), entry.seq_num)?;
            return Ok(Judgement::Known);
        }
        None => {}
    }
    check_not_forked(known, entry.public_key, log.as_ref(), entry.seq_num)?;
    //= PB1: the entry is the next one of its log
    check_place(known, entry, log.as_ref())?;

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
    check_log(known, entry, log.as_ref(), document)?;
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
        document,
        operation,
        effective: !deleted,
    }))
}

/// The arguments of `author`'s next entry: for the document that a view belongs to, or for a new one.
///
/// Any known view of a document names it, current or not. An unknown view is an error, since
/// published tools find out by it whether they have yet to publish.
pub fn next_args<K: Known>(
    known: &K,
    author: PublicKey,
    view_id: Option<&DocumentViewId>,
) -> Result<NextArgs, K::Error> {
    let Some(view_id) = view_id else {
        return new_log(known, author);
    };
    let document = document_of_view(known, view_id)?;
    if fault!(NextArgsDeleted, known.is_deleted(document)?) {
        return Err(PublishError::DocumentDeleted(document).into());
    }
    let Some(log) = known.log_of_document(author, document)? else {
        return new_log(known, author);
    };
    if fault!(NextArgsForked, log.forked_at.is_some()) {
        return Err(forked(known, author, log.log_id)?.into());
    }
    //= R8: nothing follows an end-of-log entry
    if fault!(NextArgsEnded, log.tip.ended) {
        return Err(PublishError::Log(LogError::Ended).into());
    }
    //= PB10: the place after the last entry of the log
    next_args_after(known, author, log.log_id, log.tip.seq_num, log.tip.hash)
}

/// The arguments of the entry after the known one at `seq_num`.
pub fn next_args_after<K: Known>(
    known: &K,
    author: PublicKey,
    log_id: LogId,
    seq_num: SeqNum,
    hash: Hash,
) -> Result<NextArgs, K::Error> {
    let target = seq_num.next().and_then(SeqNum::skiplink);
    let skiplink = match target {
        Some(target) => known.hash_at(author, log_id, target)?,
        None => None,
    };
    if target.is_some() && skiplink.is_none() {
        return Err(PublishError::Log(LogError::SkiplinkNotFound).into());
    }
    let args = NextArgs::after(log_id, seq_num, hash, |_| skiplink);
    args.ok_or_else(|| PublishError::Log(LogError::Full).into())
}

/// Checks sequence number and links of an entry against the tip of its log.
pub fn check_place<K: Known>(
    known: &K,
    entry: &Entry,
    log: Option<&KnownLog>,
) -> Result<(), K::Error> {
    let lipmaa = match entry.seq_num.skiplink() {
        Some(target) => known.hash_at(entry.public_key, entry.log_id, target)?,
        None => None,
    };
    let tip = log.map(|log| &log.tip);
    check_position(entry, tip, lipmaa).map_err(|error| PublishError::Log(error).into())
}

/// Checks that the author writes this document in this log, and no other in it (R22).
pub fn check_log<K: Known>(
    known: &K,
    entry: &Entry,
    log: Option<&KnownLog>,
    document: DocumentId,
) -> Result<(), K::Error> {
    if log.is_some_and(|log| log.document == document) {
        return Ok(());
    }
    //= PB6: a document has one log per author, and a log one document
    //= DO5: every author uses one log per document
    match (known.log_of_document(entry.public_key, document)?, log) {
        (Some(registered), _) => {
            let error = PublishError::LogIdMismatch {
                claimed: entry.log_id,
                registered: registered.log_id,
            };
            altered!(LogOfDocument, Err(error.into()), Ok(()))
        }
        (None, Some(_)) => {
            let error = PublishError::LogIdInUse(entry.log_id);
            altered!(LogIdFree, Err(error.into()), Ok(()))
        }
        (None, None) => Ok(()),
    }
}

/// The document that all of an operation's `previous` belong to, or that a CREATE begins. An
/// operation of a forked log is as good as missing.
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
        //= FK6: what builds on an operation that does not count has to wait
        //= PB4: previous are known and of one document and schema
        let found = known.operation(*id)?;
        let Some(found) = found.filter(|found| holds!(PreviousCounts, found.counted)) else {
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

/// The document a view belongs to.
fn document_of_view<K: Known>(known: &K, view_id: &DocumentViewId) -> Result<DocumentId, K::Error> {
    let mut document = None;
    for id in view_id.ids() {
        let found = known.operation(*id)?;
        //= PB11: next arguments need a view of known operations
        let found = found.ok_or(PublishError::PreviousNotFound(*id))?;
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

/// Refuses positions from the fork of a log on (R24).
//= FK5: nothing is published to a forked log
fn check_not_forked<K: Known>(
    known: &K,
    author: PublicKey,
    log: Option<&KnownLog>,
    seq_num: SeqNum,
) -> Result<(), K::Error> {
    let Some(log) = log else { return Ok(()) };
    let uncounted = log.forked_at.is_some_and(|forked_at| seq_num >= forked_at);
    if fault!(LogForked, uncounted) {
        return Err(forked(known, author, log.log_id)?.into());
    }
    Ok(())
}

/// The refusal a forked log answers with: both entries, so that the author can see what happened.
fn forked<K: Known>(known: &K, author: PublicKey, log_id: LogId) -> Result<PublishError, K::Error> {
    let [first, second] = known.fork(author, log_id)?;
    Ok(PublishError::LogForked { first, second })
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

/// The first entry of the log after the highest one this author has used.
///
/// Once the highest possible log is used, the lowest unused one is proposed instead, so that one
/// outlier does not silence a key for ever.
fn new_log<K: Known>(known: &K, author: PublicKey) -> Result<NextArgs, K::Error> {
    //= PB9: a new document gets a new log
    //= BA4: log ids of one author grow by one
    //= R22: proposed is the log after the highest; any other unused one is taken, too
    let log_id = match known.highest_log_id(author)? {
        None => LogId::default(),
        Some(highest) => match highest.next() {
            Some(next) => altered!(LogIdsGrow, next, highest),
            None => lowest_unused(known, author)?,
        },
    };
    Ok(NextArgs::first(log_id))
}

fn lowest_unused<K: Known>(known: &K, author: PublicKey) -> Result<LogId, K::Error> {
    for log_id in (0..LOG_ID_SEARCH_MAX).map(LogId::new) {
        if known.log(author, log_id)?.is_none() {
            return Ok(log_id);
        }
    }
    Err(PublishError::LogIdMax.into())
}

/// Why an entry is not taken, or no next arguments can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Not a signed entry with its operation. (Caller, Peer)
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Not the next entry of its log. (Caller, Peer)
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another entry claims this position, or an earlier one, of the log. (Caller, Peer)
    #[error("the log is forked: {first} and {second} claim the same position")]
    LogForked {
        /// The entry with the lower hash.
        first: Hash,
        /// The other entry.
        second: Hash,
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
    /// An operation named by `previous` is not known, or does not count. (Caller)
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
            Self::LogForked { .. } => Reason::LogForked,
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
