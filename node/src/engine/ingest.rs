//! The one door for entries, whether clients publish or peers send them.
//!
//! [`Engine::judge`] only looks; [`Engine::accept`] only writes. What refers to something unknown is an
//! error to a client, who can mend it, and is parked when it came from a peer (R28).

use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, OperationId, SchemaId, Value};
use grove_core::validate::{LogError, SignedEntry, Submission, check_position, validate_operation};
use grove_core::wire::{Action, Entry, Operation};
use grove_core::{Reason, Refusal};

use super::{Engine, IngestError, Output, fork_of, next_args_after};
use crate::store::{EntryRow, ForkRow, LogRow, Need, NewEntry, ParkedRow, Store, StoreError};

/// Who handed an entry in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Client,
    Peer,
}

/// What is to be done with an entry.
#[derive(Debug)]
pub(super) enum Judgement {
    /// This very entry is stored.
    Known(EntryRow),
    /// Another entry is stored at its position.
    Fork(EntryRow),
    /// It is good.
    Accept(Acceptance),
}

/// A good entry's place in the world.
#[derive(Debug)]
pub(super) struct Acceptance {
    document: DocumentId,
    operation: Operation<Value>,
    /// Whether the operation counts, which it no longer does once its document is deleted.
    effective: bool,
}

impl<S: Store> Engine<S> {
    /// Takes an entry from a client.
    pub(super) fn publish(&mut self, submission: &Submission) -> Result<NextArgs, IngestError> {
        match self.judge(submission, Source::Client)? {
            Judgement::Known(row) => {
                //= R23: publishing the same entry again succeeds with the same arguments
                self.restore(submission, &row)?;
            }
            Judgement::Fork(row) => return Err(self.record_fork(submission, &row)?),
            Judgement::Accept(acceptance) => self.accept(submission, acceptance)?,
        }
        self.release()?;
        let entry = submission.entry().entry();
        let hash = submission.entry().hash();
        next_args_after(
            &self.store,
            entry.public_key,
            entry.log_id,
            entry.seq_num,
            hash,
        )
    }

    /// Takes an entry from a peer.
    pub(super) fn ingest(&mut self, submission: &Submission) -> Result<(), IngestError> {
        match self.judge(submission, Source::Peer) {
            Ok(Judgement::Known(row)) => self.restore(submission, &row),
            Ok(Judgement::Fork(row)) => Err(self.record_fork(submission, &row)?),
            Ok(Judgement::Accept(acceptance)) => self.accept(submission, acceptance),
            //= R28: what a peer sends too early is parked until its inputs arrive
            Err(error) => match need_behind(&error, submission.entry().entry()) {
                Some(need) => self.park(submission, &need),
                None => Err(error),
            },
        }
    }

    /// Decides about an entry, in the order of the phases: links, log, operation, schema, graph.
    fn judge(&mut self, submission: &Submission, source: Source) -> Result<Judgement, IngestError> {
        let signed = submission.entry();
        let entry = signed.entry();
        let log = self.store.log(entry.public_key, entry.log_id)?;
        if let Some(log) = log.as_ref().filter(|log| entry.seq_num <= log.tip.seq_num) {
            let stored = self
                .store
                .entry_at(log.public_key, log.log_id, entry.seq_num)?
                .ok_or(StoreError::Corrupt("log"))?;
            return Ok(if stored.hash == signed.hash() {
                Judgement::Known(stored)
            } else {
                //= R24: a different entry at a taken position is a fork
                Judgement::Fork(stored)
            });
        }
        if let Some(log) = &log {
            fork_of(&self.store, log)?.map_or(Ok(()), Err)?;
        }
        self.check_position(entry, log.as_ref())?;

        let operation = submission.operation()?;
        let schema = self.schema(operation.schema_id())?;
        let schema =
            schema.ok_or_else(|| IngestError::SchemaNotFound(operation.schema_id().clone()))?;
        let operation = validate_operation(operation, &schema)?;

        let document = self.document_of_operation(signed.operation_id(), &operation)?;
        self.check_log_id(entry, log.as_ref(), document)?;
        let deleted = self
            .store
            .document(document)?
            .is_some_and(|row| row.is_deleted());
        if source == Source::Client {
            if deleted {
                return Err(IngestError::DocumentDeleted(document));
            }
            self.check_pieces(&operation)?;
        }
        Ok(Judgement::Accept(Acceptance {
            document,
            operation,
            effective: !deleted,
        }))
    }

    /// Checks links and sequence number against the tip of the log.
    pub(super) fn check_position(
        &self,
        entry: &Entry,
        log: Option<&LogRow>,
    ) -> Result<(), IngestError> {
        let lipmaa = match entry.seq_num.skiplink() {
            Some(target) => self
                .store
                .entry_at(entry.public_key, entry.log_id, target)?,
            None => None,
        };
        let tip = log.map(|log| &log.tip);
        Ok(check_position(entry, tip, lipmaa.map(|row| row.hash))?)
    }

    /// Finds the document that all of an operation's `previous` belong to. An operation of a forked
    /// log is as good as missing.
    fn document_of_operation(
        &self,
        id: OperationId,
        operation: &Operation<Value>,
    ) -> Result<DocumentId, IngestError> {
        let Some(previous) = operation.previous() else {
            return Ok(id.into());
        };
        let mut document = None;
        for id in previous.ids() {
            let row = self.store.operation(*id)?.filter(|row| row.counted);
            let row = row.ok_or(IngestError::PreviousNotFound(*id))?;
            if row.schema_id != *operation.schema_id() {
                return Err(IngestError::DocumentSchemaMismatch {
                    claimed: operation.schema_id().clone(),
                    actual: row.schema_id,
                });
            }
            if document.is_some_and(|document| document != row.document) {
                return Err(IngestError::PreviousMixed);
            }
            document = Some(row.document);
        }
        Ok(document.expect("a view id is not empty"))
    }

    /// Checks that the author writes this document in this log, and no other in it (DO5, R22).
    pub(super) fn check_log_id(
        &self,
        entry: &Entry,
        log: Option<&LogRow>,
        document: DocumentId,
    ) -> Result<(), IngestError> {
        if log.is_some_and(|log| log.document == document) {
            return Ok(());
        }
        //= DO5: every author uses one log per document
        let registered = self.store.log_of_document(entry.public_key, document)?;
        match (registered, log) {
            (Some(registered), _) => Err(IngestError::LogIdMismatch {
                claimed: entry.log_id,
                registered: registered.log_id,
            }),
            (None, Some(_)) => Err(IngestError::LogIdInUse(entry.log_id)),
            (None, None) => Ok(()),
        }
    }

    /// Checks that a blob's pieces are there before it (R19, for clients).
    fn check_pieces(&self, operation: &Operation<Value>) -> Result<(), IngestError> {
        if *operation.schema_id() != SchemaId::BLOB {
            return Ok(());
        }
        let pieces = operation.fields().and_then(|fields| fields.get("pieces"));
        let Some(Value::PinnedRelationList(pieces)) = pieces else {
            return Ok(());
        };
        for id in pieces.iter().flat_map(|view_id| view_id.ids()) {
            let piece = self.store.operation(*id)?;
            if piece.is_none_or(|piece| piece.schema_id != SchemaId::BLOB_PIECE) {
                return Err(IngestError::BlobPiecesMissing);
            }
        }
        Ok(())
    }

    /// Stores a good entry and the state it leads to.
    fn accept(
        &mut self,
        submission: &Submission,
        acceptance: Acceptance,
    ) -> Result<(), IngestError> {
        let Acceptance {
            document,
            operation,
            effective,
        } = acceptance;
        let signed = submission.entry();
        let action = operation.action();
        //= R6: an operation on a deleted document is not kept, but its entry keeps the log whole
        let keep = effective || action == Action::Delete;
        let payload = keep.then_some((submission.payload(), action));
        self.store_entry(signed, payload, document, operation.schema_id())?;
        if effective {
            let author = signed.entry().public_key;
            self.materialise(document, signed.operation_id(), author, &operation)?;
        }
        Ok(())
    }

    /// Stores an entry at the tip of its log, with its operation unless that is gone, and tells those
    /// who may wait for it and those who listen.
    pub(super) fn store_entry(
        &mut self,
        signed: &SignedEntry,
        payload: Option<(&[u8], Action)>,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        let entry = signed.entry();
        self.store.insert_entry(NewEntry {
            public_key: entry.public_key,
            log_id: entry.log_id,
            seq_num: entry.seq_num,
            hash: signed.hash(),
            end_of_log: entry.end_of_log,
            entry: signed.bytes(),
            payload: payload.map(|(bytes, _)| bytes),
            action: payload.map(|(_, action)| action),
            document,
            schema_id,
        })?;
        let operation_id = signed.operation_id();
        self.met
            .push_back(Need::Entry(entry.public_key, entry.log_id, entry.seq_num));
        self.met.push_back(Need::Operation(operation_id));
        self.outputs.push_back(Output::Accepted {
            operation_id,
            document,
        });
        self.mark_news();
        Ok(())
    }

    /// Gives a stored entry its operation back, when it came without and its document lives.
    fn restore(&mut self, submission: &Submission, row: &EntryRow) -> Result<(), IngestError> {
        let deleted = self
            .store
            .document(row.document)?
            .is_some_and(|row| row.is_deleted());
        if row.payload.is_some() || deleted {
            return Ok(());
        }
        let operation = submission.operation()?;
        let Some(schema) = self.schema(operation.schema_id())? else {
            return Ok(());
        };
        let operation = validate_operation(operation, &schema)?;
        let document = self.document_of_operation(submission.entry().operation_id(), &operation)?;
        if document != row.document {
            self.check_log_id(submission.entry().entry(), None, document)?;
            let schema_id = operation.schema_id();
            self.store
                .reassign_log(row.public_key, row.log_id, document, schema_id)?;
        }
        let (hash, payload) = (row.hash, submission.payload());
        self.store
            .restore_payload(hash, payload, operation.action())?;
        self.rematerialise(document)?;
        self.met.push_back(Need::Operation(hash.into()));
        Ok(())
    }

    /// Keeps the proof of a fork; from there on the log no longer counts (R24).
    fn record_fork(
        &mut self,
        submission: &Submission,
        stored: &EntryRow,
    ) -> Result<IngestError, IngestError> {
        let log = self.store.log(stored.public_key, stored.log_id)?;
        let log = log.ok_or(StoreError::Corrupt("log"))?;
        // One pair of entries per log is kept, at the earliest position known to be forked.
        if log
            .forked_at
            .is_none_or(|forked_at| stored.seq_num < forked_at)
        {
            self.store.insert_fork(&ForkRow {
                public_key: stored.public_key,
                log_id: stored.log_id,
                seq_num: stored.seq_num,
                first: stored.entry.clone(),
                second: submission.entry().bytes().to_vec(),
            })?;
            self.rematerialise(log.document)?;
        }
        Ok(IngestError::LogForked {
            first: stored.hash,
            second: submission.entry().hash(),
        })
    }

    /// Parks an entry until what it needs is there.
    fn park(&mut self, submission: &Submission, need: &Need) -> Result<(), IngestError> {
        let row = ParkedRow {
            hash: submission.entry().hash(),
            entry: submission.entry().bytes().to_vec(),
            payload: submission.payload().to_vec(),
        };
        self.store.park(&row, need)?;
        self.parked = self.store.evict_parked(self.limits.parked_max)?;
        Ok(())
    }

    /// Judges parked entries anew whose needs were met, and those waiting for them in turn.
    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        while let Some(need) = self.met.pop_front() {
            if self.parked == 0 {
                self.met.clear();
                return Ok(());
            }
            let rows = self.store.unpark(&need)?;
            self.parked = self.parked.saturating_sub(rows.len() as u64);
            for row in rows {
                // It was verified when it was parked; a refusal now is final and drops it.
                if let Ok(submission) = Submission::verify(&row.entry, row.payload) {
                    tolerate(self.ingest(&submission))?;
                }
            }
        }
        Ok(())
    }
}

/// What has to arrive before an entry refused with this error can be judged anew, if anything can
/// help it.
fn need_behind(error: &IngestError, entry: &Entry) -> Option<Need> {
    match error {
        IngestError::Log(LogError::SeqNum { .. }) => {
            let before = entry.seq_num.backlink()?;
            Some(Need::Entry(entry.public_key, entry.log_id, before))
        }
        IngestError::PreviousNotFound(id) => Some(Need::Operation(*id)),
        IngestError::SchemaNotFound(id) => Some(Need::Schema(id.clone())),
        _ => None,
    }
}

/// Passes on a failing store. Any other refusal harms nothing but the entry it is about, and is
/// returned as its code, to be logged.
pub(super) fn tolerate(result: Result<(), IngestError>) -> Result<Option<Reason>, StoreError> {
    match result {
        Ok(()) => Ok(None),
        Err(IngestError::Store(error)) => Err(StoreError::Failed(error)),
        Err(error) => Ok(Some(error.reason())),
    }
}
