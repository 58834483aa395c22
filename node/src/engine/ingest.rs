//! The one door for entries, whether clients publish or peers send them.
//!
//! What an entry is worth is core's to judge ([`grove_core::publish`]), from what is stored; here is
//! what follows from it. What refers to something unknown is an error to a client, who can mend it,
//! and is parked when it came from a peer (R28).

use grove_core::author::NextArgs;
use grove_core::publish::{
    Acceptance, Judgement, PublishError, Source, check_log, document_of_operation, judge,
    next_args_after,
};
use grove_core::session::PeerId;
use grove_core::types::{DocumentId, SchemaId};
use grove_core::validate::{ForkEvidence, LogError, SignedEntry, Submission, validate_operation};
use grove_core::wire::{Action, Entry};
use grove_core::{Reason, Refusal};

use super::{Engine, IngestError, Output};
use crate::store::{Change, EntryRow, ForkRow, Need, NewEntry, ParkedRow, Store, StoreError};

impl<S: Store> Engine<S> {
    /// Takes an entry from a client.
    pub(super) fn publish(&mut self, submission: &Submission) -> Result<NextArgs, IngestError> {
        let judgement = match self.judge(submission, Source::Client) {
            Err(error) => Err(self.name_purge(error)?),
            judged => judged,
        };
        match judgement? {
            Judgement::Known => {
                //= R23: publishing the same entry again succeeds with the same arguments
                let row = self.stored(submission)?;
                self.restore(submission, &row)?;
            }
            Judgement::Fork => {
                let row = self.stored(submission)?;
                return Err(self.record_fork(submission, &row)?);
            }
            Judgement::Accept(acceptance) => self.accept(submission, acceptance)?,
        }
        //= PB8: publishing answers with what comes next in the log
        self.release()?;
        let signed = submission.entry();
        let entry = signed.entry();
        next_args_after(
            &self.knowledge(),
            entry.public_key,
            entry.log_id,
            entry.seq_num,
            signed.hash(),
        )
    }

    /// Takes an entry that a peer sent, now or earlier; then it was parked, and is no peer's any more.
    pub(super) fn ingest(
        &mut self,
        submission: &Submission,
        sender: Option<PeerId>,
    ) -> Result<(), IngestError> {
        match self.judge(submission, Source::Peer) {
            Ok(Judgement::Known) => {
                let row = self.stored(submission)?;
                self.restore(submission, &row)
            }
            Ok(Judgement::Fork) => {
                let row = self.stored(submission)?;
                Err(self.record_fork(submission, &row)?)
            }
            Ok(Judgement::Accept(acceptance)) => self.accept(submission, acceptance),
            Err(error) => {
                let error = match self.purge_behind(&error)? {
                    Some(place) => match self.take_without_operation(submission, place) {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    },
                    None => error,
                };
                //= RP10: what lacks its inputs waits, and is no error of the session
                //= R28: what a peer sends too early is parked until its inputs arrive
                match need_behind(&error, submission.entry().entry()) {
                    Some(need) => self.park(submission, &need, sender),
                    None => Err(error),
                }
            }
        }
    }

    /// Decides about an entry by what the operator wants and by what is stored.
    fn judge(&mut self, submission: &Submission, source: Source) -> Result<Judgement, IngestError> {
        let policy = &self.settings.policy;
        //= PB13: who is on no list may update and delete
        //= R25: anyone may write whom the operator does not keep out
        policy.admit_author(submission.entry().entry().public_key)?;
        if let Ok(operation) = submission.operation() {
            policy.admit_schema(operation.schema_id())?;
            self.learn_schema(operation.schema_id())?;
        }
        //= NO1: clients and peers are judged by the same rules
        //= NO2: and so are the operations they hand in
        judge(&self.knowledge(), submission, source)
    }

    /// What is stored at the position a submission claims, which is known to be taken.
    fn stored(&self, submission: &Submission) -> Result<EntryRow, StoreError> {
        let entry = submission.entry().entry();
        self.store
            .entry_at(entry.public_key, entry.log_id, entry.seq_num)?
            .ok_or(StoreError::Corrupt("log"))
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
        //= DL4: an UPDATE after the DELETE keeps its place in the log
        //= R6: an operation on a deleted document is not kept, but its entry keeps the log whole
        let keep = effective || action == Action::Delete;
        let payload = keep.then_some((submission.payload(), action));
        self.store_entry(signed, payload, document, operation.schema_id())?;
        if effective {
            let author = signed.entry().public_key;
            let id = signed.operation_id();
            self.materialise(document, id, author, &operation)?;
            if *operation.schema_id() == SchemaId::SCHEMA_FIELD_DEFINITION {
                self.field_defined(id)?;
            }
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
        let position = self.store.insert_entry(NewEntry {
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
        let change = Change {
            position,
            document,
            schema_id: schema_id.clone(),
        };
        self.outputs.push_back(Output::Accepted {
            operation_id,
            change,
        });
        self.mark_news();
        Ok(())
    }

    /// Notes, and tells those who listen, that a document changed without an entry of its own.
    pub(super) fn note_change(
        &mut self,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        self.store.insert_change(document)?;
        self.outputs.push_back(Output::Changed(Change {
            position: self.store.position()?,
            document,
            schema_id: schema_id.clone(),
        }));
        Ok(())
    }

    /// Gives a stored entry its operation back, when it came without and its document lives.
    fn restore(&mut self, submission: &Submission, row: &EntryRow) -> Result<(), IngestError> {
        let deleted = self
            .store
            .document_outline(row.document)?
            .is_some_and(|row| row.is_deleted());
        if row.payload.is_some() || deleted || self.is_purged(row)? {
            return Ok(());
        }
        let operation = submission.operation().map_err(PublishError::from)?;
        let Some(schema) = self.learn_schema(operation.schema_id())? else {
            return Ok(());
        };
        let operation = validate_operation(operation, &schema).map_err(PublishError::from)?;
        let signed = submission.entry();
        let known = self.knowledge();
        let document = document_of_operation(&known, signed.operation_id(), &operation)?;
        if document != row.document {
            check_log(&known, signed.entry(), None, document)?;
            let schema_id = operation.schema_id();
            self.store
                .reassign_log(row.public_key, row.log_id, document, schema_id)?;
        }
        let (hash, payload) = (row.hash, submission.payload());
        self.store
            .restore_payload(hash, payload, operation.action())?;
        self.note_change(document, operation.schema_id())?;
        self.rematerialise(document)?;
        if *operation.schema_id() == SchemaId::SCHEMA_FIELD_DEFINITION {
            self.field_defined(hash.into())?;
        }
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
        let kept = SignedEntry::verify(&stored.entry).map_err(|_| StoreError::Corrupt("entry"))?;
        let evidence = ForkEvidence::of(kept, submission.entry().clone())
            .map_err(|_| StoreError::Corrupt("entry"))?;
        // One pair of entries per log is kept, at the earliest position known to be forked.
        if log
            .forked_at
            .is_none_or(|forked_at| evidence.seq_num() < forked_at)
        {
            self.store.insert_fork(&ForkRow::from(&evidence))?;
            self.note_change(log.document, &log.schema_id)?;
            self.rematerialise(log.document)?;
        }
        let [first, second] = evidence.hashes();
        Ok(PublishError::LogForked { first, second }.into())
    }

    /// Parks an entry until what it needs is there. From a peer that has its share of parked entries already
    /// it is not kept; that peer is asked for it again.
    fn park(
        &mut self,
        submission: &Submission,
        need: &Need,
        sender: Option<PeerId>,
    ) -> Result<(), IngestError> {
        let row = ParkedRow {
            hash: submission.entry().hash(),
            entry: submission.entry().bytes().to_vec(),
            payload: submission.payload().to_vec(),
        };
        let max = self.settings.limits.parked_max;
        if let Some(peer) = sender
            && !self.parking.admit(row.hash, peer, row.size(), max)
        {
            return Ok(());
        }
        self.store.park(&row, need)?;
        self.parked = self.store.evict_parked(max)?;
        self.parking.keep(self.parked);
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
                self.parking.release(row.hash);
                // It was verified when it was parked; a refusal now is final and drops it.
                let submission =
                    Submission::verify_with(&row.entry, row.payload, &mut self.keyring);
                if let Ok(submission) = submission {
                    tolerate(self.ingest(&submission, None))?;
                }
            }
        }
        Ok(())
    }
}

/// What has to arrive before an entry refused with this error can be judged anew, if anything can
/// help it.
fn need_behind(error: &IngestError, entry: &Entry) -> Option<Need> {
    let IngestError::Refused(error) = error else {
        return None;
    };
    match error {
        PublishError::Log(LogError::SeqNum { .. }) => {
            let before = entry.seq_num.backlink()?;
            Some(Need::Entry(entry.public_key, entry.log_id, before))
        }
        PublishError::PreviousNotFound(id) => Some(Need::Operation(*id)),
        PublishError::SchemaNotFound(id) => Some(Need::Schema(id.clone())),
        _ => None,
    }
}

/// Passes on a failing store. Any other refusal harms nothing but the entry it is about, and is
/// returned as its code, to be logged.
pub(super) fn tolerate(result: Result<(), IngestError>) -> Result<Option<Reason>, StoreError> {
    match result {
        Ok(()) => Ok(None),
        Err(IngestError::Store(error)) => Err(error),
        Err(error) => Ok(Some(error.reason())),
    }
}
