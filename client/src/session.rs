//! Writing documents with one key through one node.
//!
//! Decides where the arguments of the next entry come from, when an entry is sent again and when the
//! session gives up. Nothing is signed that its schema does not allow; what the node thinks of it is
//! for the node to say.
//!
//! Always true:
//! - An entry whose fate is unknown is sent again, the same bytes, before any other is signed.
//!   Publishing the same entry twice is harmless (R23).
//! - An entry that comes too late for its place, because others write with the same key, is signed anew for
//!   another one. Its operation stays as it is, so that what was concurrent remains so (R24).
//! - A log of a new document is never one that this key is known to have used, whatever the node proposes.
//!
//! Sessions of one key need not know of each other, but those of one computer had better take turns
//! ([`turn`](crate::turn)): then no entry comes too late.

use std::collections::BTreeMap;
use std::time::Duration;

use grove_core::Reason;
use grove_core::author::{NextArgs, forge};
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, KeyPair, LogId, OperationId, PlainValue, PublicKey, Schema,
    SeqNum, Value,
};
use grove_core::validate::{Submission, ValidationError, validate_operation};
use grove_core::wire::{Fields, Operation};

use crate::api::{Api, ApiError, DocumentRef, NodeRefusal};
use crate::heads::Heads;

/// How often an entry is signed because the node wants it elsewhere than its own arguments told.
const ARGS_ATTEMPTS_MAX: u32 = 3;

/// Longest pause before an entry is signed anew because another was faster; shorter the first times, and as
/// chance has it.
const RACE_PAUSE_MAX: Duration = Duration::from_millis(200);
const RACE_PAUSE_STEP: Duration = Duration::from_millis(10);

/// How often the same bytes are sent while nothing definite comes back, and others while somebody is faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Calls in total, at least one.
    pub attempts_max: u32,
    /// Pause before the second call; doubled before each further one.
    pub pause: Duration,
    /// How often one operation is signed while others with the same key are faster, at least once.
    pub races_max: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: 5,
            pause: Duration::from_millis(100),
            races_max: 100,
        }
    }
}

/// A key pair at work on one node. A clone is a second session of the same key, which knows nothing of the first
/// from then on.
#[derive(Debug, Clone)]
pub struct Session<A> {
    key_pair: KeyPair,
    api: A,
    retry: Retry,
    /// What the next entry on each document needs, from the answer to the last one.
    predicted: BTreeMap<DocumentId, NextArgs>,
    /// What the key has written last.
    heads: Heads,
    /// The entry that was last sent and not yet answered.
    pending: Option<Pending>,
}

#[derive(Debug, Clone)]
struct Pending {
    submission: Submission,
    document_id: DocumentId,
    /// Whether the node may have it already.
    sent: bool,
}

impl<A: Api> Session<A> {
    /// A session that remembers nothing yet.
    pub fn new(key_pair: KeyPair, api: A) -> Self {
        Self {
            key_pair,
            api,
            retry: Retry::default(),
            predicted: BTreeMap::new(),
            heads: Heads::default(),
            pending: None,
        }
    }

    /// The same, with all it remembers, on another node or by another way.
    pub fn over<B: Api>(self, api: B) -> Session<B> {
        Session {
            key_pair: self.key_pair,
            api,
            retry: self.retry,
            predicted: self.predicted,
            heads: self.heads,
            pending: self.pending,
        }
    }

    /// The same with other patience.
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same with what the key has written before.
    pub fn with_heads(mut self, heads: Heads) -> Self {
        self.heads = heads;
        self
    }

    /// What the key has written last, as far as this session knows.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// The key whose documents these are.
    pub fn public_key(&self) -> PublicKey {
        self.key_pair.public_key()
    }

    /// The node's API, for reading.
    pub fn api(&self) -> &A {
        &self.api
    }

    /// The entry that was sent without a definite answer, if there is one.
    pub fn pending(&self) -> Option<OperationId> {
        self.pending
            .as_ref()
            .map(|pending| pending.submission.entry().operation_id())
    }

    /// Creates a document.
    pub async fn create(
        &mut self,
        schema: &Schema,
        fields: Fields<Value>,
    ) -> Result<DocumentRef, SessionError> {
        let operation = Operation::Create {
            schema_id: schema.id().clone(),
            fields: plain(fields),
        };
        let id = self.publish(schema, &operation, None).await?;
        Ok(DocumentRef {
            document_id: id.into(),
            view_id: id.into(),
        })
    }

    /// Changes some fields of a document as it was at `document.view_id`, and returns the view with
    /// the change.
    pub async fn update(
        &mut self,
        schema: &Schema,
        document: &DocumentRef,
        fields: Fields<Value>,
    ) -> Result<DocumentRef, SessionError> {
        let operation = Operation::Update {
            schema_id: schema.id().clone(),
            previous: document.view_id.clone(),
            fields: plain(fields),
        };
        let id = self.publish(schema, &operation, Some(document)).await?;
        Ok(DocumentRef {
            document_id: document.document_id,
            view_id: DocumentViewId::from(id),
        })
    }

    /// Deletes a document.
    pub async fn delete(
        &mut self,
        schema: &Schema,
        document: &DocumentRef,
    ) -> Result<OperationId, SessionError> {
        let operation = Operation::Delete {
            schema_id: schema.id().clone(),
            previous: document.view_id.clone(),
        };
        self.publish(schema, &operation, Some(document)).await
    }

    /// Sends the pending entry again until the node answers; does nothing when there is none.
    ///
    /// After a definite answer, yes or no, nothing is pending any more.
    pub async fn settle(&mut self) -> Result<Option<OperationId>, SessionError> {
        let Some(pending) = &mut self.pending else {
            return Ok(None);
        };
        let id = pending.submission.entry().operation_id();
        let sent_before = std::mem::replace(&mut pending.sent, true);
        let answer = self.send(sent_before).await?;
        let pending = self.pending.take().expect("present above");
        let next = answer.map_err(SessionError::Refused)?;
        self.remember(&pending, next);
        Ok(Some(id))
    }

    async fn publish(
        &mut self,
        schema: &Schema,
        operation: &Operation,
        document: Option<&DocumentRef>,
    ) -> Result<OperationId, SessionError> {
        validate_operation(operation, schema)?;
        match self.settle().await {
            // Who sent it was told that its fate is unknown; now it is known.
            Ok(_) | Err(SessionError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        let mut attempts = Attempts::default();
        let mut fresh: Option<Box<NextArgs>> = None;
        loop {
            let args = match fresh.take() {
                Some(args) => *args,
                None => self.next_args(document).await?,
            };
            let args = self.beyond_known_logs(args);
            let submission =
                forge(&self.key_pair, &args, operation).ok_or(SessionError::TooLarge)?;
            let id = submission.entry().operation_id();
            // Noted before it is sent, so that a caller who stops waiting leaves no unknown behind.
            self.pending = Some(Pending {
                document_id: document.map_or(id.into(), |document| document.document_id),
                submission,
                sent: false,
            });
            let refusal = match self.settle().await {
                Ok(_) => return Ok(id),
                Err(SessionError::Refused(refusal)) => refusal,
                Err(error) => return Err(error),
            };
            let Some(pause) = attempts.pause_after(&refusal, id.hash(), self.retry.races_max)
            else {
                return Err(SessionError::Refused(refusal));
            };
            if let Some(document) = document {
                self.predicted.remove(&document.document_id);
            }
            fresh = refusal.next_args;
            self.api.pause(pause).await;
        }
    }

    /// The arguments remembered for a document, or else the node's.
    async fn next_args(&self, document: Option<&DocumentRef>) -> Result<NextArgs, SessionError> {
        if let Some(args) = document.and_then(|document| self.predicted.get(&document.document_id))
        {
            return Ok(*args);
        }
        let author = self.key_pair.public_key();
        let mut pauses = self.pauses();
        loop {
            let error = match self.api.next_args(&author, document).await {
                Ok(args) if !self.is_behind(&args) => return Ok(args),
                // A node that lags behind may catch up. One that does not, because it was restored from an
                // old copy, gets a branch: then the author can go on, and nothing is lost by it.
                Ok(args) => match pauses.next() {
                    Some(pause) => {
                        self.api.pause(pause).await;
                        continue;
                    }
                    None => return Ok(args),
                },
                Err(error) => error,
            };
            match error {
                error if error.is_uncertain() => {
                    let pause = pauses.next().ok_or(SessionError::Unanswered(error))?;
                    self.api.pause(pause).await;
                }
                ApiError::Refused(refusal) => return Err(SessionError::Refused(refusal)),
                error => return Err(SessionError::Unanswered(error)),
            }
        }
    }

    /// Whether the node knows less of a log than the key has written into it.
    fn is_behind(&self, args: &NextArgs) -> bool {
        args.seq_num != SeqNum::FIRST
            && self
                .heads
                .last(args.log_id)
                .is_some_and(|(seq_num, _)| args.seq_num <= seq_num)
    }

    /// The first entry of a log this key has not used, should the node propose one that it may have: any
    /// unused id is as good (R22).
    fn beyond_known_logs(&self, args: NextArgs) -> NextArgs {
        let highest = self.heads.highest_log_id();
        match highest.and_then(LogId::next) {
            Some(next) if args.seq_num == SeqNum::FIRST && args.log_id < next => {
                NextArgs::first(next)
            }
            _ => args,
        }
    }

    /// Sends the pending entry until there is a definite answer: the next args, or the node's
    /// refusal.
    async fn send(
        &self,
        mut sent_before: bool,
    ) -> Result<Result<NextArgs, NodeRefusal>, SessionError> {
        let pending = self.pending.as_ref().expect("checked by settle");
        let mut pauses = self.pauses();
        loop {
            let error = match self.api.publish(&pending.submission).await {
                Ok(next) => return Ok(Ok(next)),
                Err(error) => error,
            };
            let pause = match error {
                error if error.is_uncertain() => {
                    pauses.next().ok_or(SessionError::Unanswered(error))?
                }
                ApiError::Refused(refusal) if sent_before => {
                    return Ok(self.stored_args(pending).await?.ok_or(refusal));
                }
                ApiError::Refused(refusal) => return Ok(Err(refusal)),
                error => return Err(SessionError::Unanswered(error)),
            };
            sent_before = true;
            self.api.pause(pause).await;
        }
    }

    /// Whether an earlier try was stored after all, as nodes that refuse an entry they already have
    /// do not say: then the log goes on from this very entry.
    async fn stored_args(&self, pending: &Pending) -> Result<Option<NextArgs>, SessionError> {
        let document = DocumentRef {
            document_id: pending.document_id,
            view_id: pending.submission.entry().operation_id().into(),
        };
        let author = self.key_pair.public_key();
        match self.api.next_args(&author, Some(&document)).await {
            Ok(args) => {
                let goes_on = args.backlink == Some(pending.submission.entry().hash());
                Ok(goes_on.then_some(args))
            }
            Err(error) if error.is_uncertain() => Err(SessionError::Unanswered(error)),
            Err(_) => Ok(None),
        }
    }

    /// Notes a stored entry, and the next args unless they do not follow from it.
    fn remember(&mut self, pending: &Pending, next: NextArgs) {
        let signed = pending.submission.entry();
        let entry = signed.entry();
        self.heads.note(entry.log_id, entry.seq_num, signed.hash());
        let follows = next.log_id == entry.log_id
            && Some(next.seq_num) == entry.seq_num.next()
            && next.backlink == Some(signed.hash());
        if follows {
            self.predicted.insert(pending.document_id, next);
        } else {
            self.predicted.remove(&pending.document_id);
        }
    }

    /// The pauses between the allowed calls.
    fn pauses(&self) -> impl Iterator<Item = Duration> + use<A> {
        let pause = self.retry.pause;
        (1..self.retry.attempts_max)
            .map(move |attempt| pause.saturating_mul(2u32.saturating_pow(attempt - 1)))
    }
}

fn plain(fields: Fields<Value>) -> Fields<PlainValue> {
    fields
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// How often one operation was signed, and for what reason.
#[derive(Debug, Default)]
struct Attempts {
    misplaced: u32,
    outrun: u32,
}

impl Attempts {
    /// How long to wait before the operation is signed anew; `None` when that would not help, or did not
    /// too often.
    ///
    /// Whoever was outrun waits as long as chance has it, so that those who were outrun together do not run
    /// again together. The hash of the refused entry is chance enough: theirs differ.
    fn pause_after(
        &mut self,
        refusal: &NodeRefusal,
        entry: Hash,
        races_max: u32,
    ) -> Option<Duration> {
        if refusal.is_would_fork() {
            self.outrun += 1;
            let longest = RACE_PAUSE_STEP
                .saturating_mul(self.outrun)
                .min(RACE_PAUSE_MAX);
            let [.., chance] = *entry.digest();
            return (self.outrun < races_max).then(|| longest * u32::from(chance) / 255);
        }
        self.misplaced += 1;
        (is_about_position(refusal) && self.misplaced < ARGS_ATTEMPTS_MAX).then_some(Duration::ZERO)
    }
}

/// Whether the node wants the entry elsewhere, so that fresh args may mend it.
fn is_about_position(refusal: &NodeRefusal) -> bool {
    matches!(
        refusal.reason(),
        Some(
            Reason::SeqNumMismatch
                | Reason::BacklinkMismatch
                | Reason::SkiplinkMismatch
                | Reason::SkiplinkNotFound
                | Reason::LogIdMismatch
                | Reason::LogIdInUse
        )
    )
}

/// Why an operation was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The schema does not allow it; nothing was sent. (Caller)
    #[error(transparent)]
    Invalid(#[from] ValidationError),
    /// The node said no; nothing was stored. (Caller)
    #[error("{0}")]
    Refused(NodeRefusal),
    /// The node could not be asked, or its answer says neither yes nor no. If an entry was on its way
    /// it is still pending: the next call, or [`Session::settle`], sends it again. (Peer)
    #[error(transparent)]
    Unanswered(ApiError),
    /// The operation is larger than any node takes. (Caller)
    #[error("the operation is larger than a node takes")]
    TooLarge,
}
