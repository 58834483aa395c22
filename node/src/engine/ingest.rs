//! The one door for entries, whether clients publish or peers send them.
//!
//! What an entry is worth is core's to judge ([`grove_core::publish`]), from what is stored; here is
//! what follows from it. What refers to something unknown is an error to a client, who can mend it,
//! and is parked when it came from a peer (R28).

use std::collections::BTreeSet;

use grove_core::author::NextArgs;
use grove_core::publish::{
    Acceptance, Judgement, KnownEntry, Placement, PublishError, Source, document_of_operation,
    judge, next_args_after,
};
use grove_core::session::PeerId;
use grove_core::types::{DocumentId, Hash, SchemaId, SeqNum};
use grove_core::validate::{LogError, SignedEntry, Submission, validate_operation};
use grove_core::wire::{Action, Entry, Operation};
use grove_core::{Reason, Refusal};

use super::knowledge::{Knowledge, name_purge};
use super::schemas::bare;
use super::tombstone::stub_of;
use super::{Engine, IngestError, Output, PolicyError};
use crate::store::{Change, EntryRow, ForkRow, Need, NewEntry, ParkedRow, Store, StoreError};

impl<S: Store> Engine<S> {
    /// Takes an entry from a client.
    pub(super) fn publish(&mut self, submission: &Submission) -> Result<NextArgs, IngestError> {
        let judgement = match self.judge(submission, Source::Client) {
            Err(error) => Err(name_purge(&self.store, error)?),
            judged => judged,
        };
        let signed = submission.entry();
        let document = match judgement? {
            Judgement::Known => {
                //= R23: publishing the same entry again succeeds with the same arguments
                let row = self.stored(signed.hash())?;
                self.restore(submission, &row, Source::Client)?;
                row.document
            }
            Judgement::Accept(acceptance) => {
                let document = acceptance.document;
                self.accept(submission, acceptance)?;
                document
            }
        };
        //= PB8: publishing answers with what comes next on the branch
        self.release()?;
        let published = KnownEntry::new(signed.entry(), signed.hash(), document);
        let author = published.author;
        next_args_after(&self.knowledge(), author, &published.branch())
    }

    /// Takes an entry that a peer sent, now or earlier; then it was parked, and is no peer's any more.
    pub(super) fn ingest(
        &mut self,
        submission: &Submission,
        sender: Option<PeerId>,
    ) -> Result<(), IngestError> {
        match self.judge(submission, Source::Peer) {
            Ok(Judgement::Known) => {
                let row = self.stored(submission.entry().hash())?;
                match self.restore(submission, &row, Source::Peer) {
                    Ok(()) => Ok(()),
                    Err(error) => self.park_if_early(submission, error, sender),
                }
            }
            Ok(Judgement::Accept(acceptance)) => self.accept(submission, acceptance),
            Err(error) => {
                let error = match self.place_of_purged(submission, &error)? {
                    Some(of) => match self.take_without_operation(submission.entry(), of) {
                        Ok(()) => return Ok(()),
                        Err(error) => error,
                    },
                    None => error,
                };
                self.park_if_early(submission, error, sender)
            }
        }
    }

    /// Parks a refused entry that can be judged anew once something has come.
    fn park_if_early(
        &mut self,
        submission: &Submission,
        error: IngestError,
        sender: Option<PeerId>,
    ) -> Result<(), IngestError> {
        //= RP10: what lacks its inputs waits, and is no error of the session
        //= R28: what a peer sends too early is parked until its inputs arrive
        match need_behind(&error) {
            Some(need) => self.park(submission, &need, sender),
            None => Err(error),
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
        let known = self.knowledge_for(submission, source)?;
        let judgement = judge(&known, submission, source)?;
        if let Judgement::Accept(acceptance) = &judgement {
            let entry = submission.entry().entry();
            self.check_usage(entry, acceptance.placement)?;
            self.check_room_for_schema(entry.public_key, &acceptance.operation)?;
        }
        Ok(judgement)
    }

    /// What is known, to judge an entry by. A DELETE that a peer sent tells of itself that what it was made on top
    /// of is gone. One of a document that is there needs no schema: what that said may be gone, and the
    /// document is to go all the same.
    fn knowledge_for(
        &self,
        submission: &Submission,
        source: Source,
    ) -> Result<Knowledge<'_>, StoreError> {
        let known = self.knowledge();
        let Ok(Operation::Delete {
            schema_id,
            previous,
        }) = submission.operation()
        else {
            return Ok(known);
        };
        let known = match source {
            Source::Peer => known.believing_peers(),
            Source::Client => known,
        };
        if self.schemas.knows(schema_id) {
            return Ok(known);
        }
        let before = self.store.operation(previous.ids()[0])?;
        Ok(
            match before.filter(|before| before.schema_id == *schema_id) {
                Some(_) => known.with_bare(bare(schema_id)),
                None => known,
            },
        )
    }

    /// Whether its author may have one entry more, in this place.
    pub(super) fn check_usage(
        &self,
        entry: &Entry,
        placement: Placement,
    ) -> Result<(), IngestError> {
        let limits = &self.settings.limits.authors;
        match limits.exceeded(&self.store, entry, placement)? {
            None => Ok(()),
            Some(excess) => Err(PolicyError::AuthorLimit(entry.public_key, excess).into()),
        }
    }

    /// An entry that is known to be there.
    fn stored(&self, hash: Hash) -> Result<EntryRow, StoreError> {
        let row = self.store.entry(hash)?;
        let row = row.ok_or(StoreError::Corrupt("log"))?;
        assert_eq!(row.hash, hash);
        Ok(row)
    }

    /// Stores a good entry and the state it leads to.
    fn accept(
        &mut self,
        submission: &Submission,
        acceptance: Acceptance,
    ) -> Result<(), IngestError> {
        let Acceptance {
            placement,
            document,
            operation,
            effective,
        } = acceptance;
        let signed = submission.entry();
        let action = operation.action();
        let begins = document.hash() == signed.hash();
        assert_eq!(
            begins,
            action == Action::Create,
            "only a CREATE has its document's id"
        );
        //= DL4: an UPDATE after the DELETE keeps its place in the log
        //= R6: an operation on a deleted document is not kept, but its entry keeps the log whole
        let keep = effective || action == Action::Delete;
        let current = match effective {
            true => self.look_ahead(document, &operation)?,
            false => None,
        };
        let payload = keep.then_some((submission.payload(), action));
        self.store_entry(signed, placement, payload, document, operation.schema_id())?;
        let id = signed.operation_id();
        if !effective {
            self.leave_stub(id, &operation)?;
            self.histories.note(document, id, &operation);
            if action == Action::Delete {
                self.name_end(document)?;
            }
        } else {
            let author = signed.entry().public_key;
            self.materialise(current, document, id, author, &operation)?;
            if *operation.schema_id() == SchemaId::SCHEMA_FIELD_DEFINITION {
                self.field_defined(id)?;
            }
        }
        Ok(())
    }

    /// Stores an entry in its place, with its operation unless that is gone, and tells those who may wait
    /// for it and those who listen.
    pub(super) fn store_entry(
        &mut self,
        signed: &SignedEntry,
        placement: Placement,
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
            placement,
        })?;
        assert!(position > self.position, "positions grow");
        self.position = position;
        if placement.is_fork() {
            self.record_fork(signed)?;
        }
        let operation_id = signed.operation_id();
        self.met.push_back(Need::Entry(signed.hash()));
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
        self.held.add(schema_id, signed.hash(), position);
        self.mark_news(schema_id, position);
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

    /// Gives a stored entry its operation back, when it came without and its document lives. Where the entry
    /// belongs was a peer's word until now; the operation tells.
    fn restore(
        &mut self,
        submission: &Submission,
        row: &EntryRow,
        source: Source,
    ) -> Result<(), IngestError> {
        let was_ended = self.is_ended(row.document)?;
        let is_create = row.hash == row.document.hash();
        if row.payload.is_some() || row.purged || (was_ended && is_create) {
            return Ok(());
        }
        let operation = submission.operation().map_err(PublishError::from)?;
        if was_ended && row.stub.is_some() && row.stub == stub_of(operation) {
            return Ok(());
        }
        let Some(schema) = self.learn_schema(operation.schema_id())? else {
            return Ok(());
        };
        let operation = validate_operation(operation, &schema).map_err(PublishError::from)?;
        let signed = submission.entry();
        let known = self.knowledge_for(submission, source)?;
        let document = document_of_operation(&known, signed.operation_id(), &operation)?;
        if document != row.document {
            //= FK11: a tree belongs to the document of its first entry
            if row.seq_num != SeqNum::FIRST {
                return Err(PublishError::LogIdInUse(row.log_id).into());
            }
            let schema_id = operation.schema_id();
            self.store.reassign_tree(row.hash, document, schema_id)?;
            self.held.forget();
            let ended = self.store.document_outline(document)?;
            if let Some(ended) = ended.filter(|row| row.is_deleted()) {
                self.end(&ended)?;
            }
        }
        let (hash, payload) = (row.hash, submission.payload());
        assert_eq!(
            hash,
            submission.entry().hash(),
            "the operation of another entry"
        );
        self.met.push_back(Need::Operation(hash.into()));
        if self.is_ended(document)? {
            //= R7: the DELETE operations stay, as the document's tombstone
            if operation.action() == Action::Delete {
                self.store
                    .restore_payload(hash, payload, operation.action())?;
            } else {
                self.leave_stub(hash.into(), &operation)?;
            }
            // An operation that came between others.
            self.histories.forget(document);
            return Ok(self.name_end(document)?);
        }
        self.store
            .restore_payload(hash, payload, operation.action())?;
        self.held.add(operation.schema_id(), hash, row.position);
        self.mark_all_news();
        self.note_change(document, operation.schema_id())?;
        self.rematerialise(document)?;
        if *operation.schema_id() == SchemaId::SCHEMA_FIELD_DEFINITION {
            self.field_defined(hash.into())?;
        }
        Ok(())
    }

    /// Whether a document is known to be deleted.
    pub(super) fn is_ended(&self, id: DocumentId) -> Result<bool, StoreError> {
        let row = self.store.document_outline(id)?;
        Ok(row.is_some_and(|row| row.is_deleted()))
    }

    /// Keeps the proof of a fork (R24): of the lowest position known to have two entries, those with the
    /// lowest hashes. So the proof is the same in whatever order they came.
    fn record_fork(&mut self, signed: &SignedEntry) -> Result<(), StoreError> {
        let entry = signed.entry();
        let (public_key, log_id, seq_num) = (entry.public_key, entry.log_id, entry.seq_num);
        let kept = self.store.fork(public_key, log_id)?;
        if kept.as_ref().is_some_and(|kept| kept.seq_num < seq_num) {
            return Ok(());
        }
        let rows = self.store.entries_at(public_key, log_id, seq_num, 2)?;
        let mut entries: Vec<_> = rows.into_iter().map(|row| (row.hash, row.entry)).collect();
        // An older version kept proofs of which only one entry is in the log.
        let same = kept.iter().filter(|kept| kept.seq_num == seq_num);
        let same = same.flat_map(|kept| [kept.first.clone(), kept.second.clone()]);
        entries.extend(same.map(|bytes| (Hash::of(&bytes), bytes)));
        entries.sort();
        entries.dedup();
        entries.truncate(2);
        debug_assert!(
            entries.iter().all(|(hash, bytes)| Hash::of(bytes) == *hash),
            "bytes of another entry"
        );
        let [(_, first), (_, second)] =
            <[_; 2]>::try_from(entries).map_err(|_| StoreError::Corrupt("log"))?;
        let fork = ForkRow {
            public_key,
            log_id,
            seq_num,
            first,
            second,
        };
        if kept.is_none() {
            self.outputs
                .push_back(Output::Forked { public_key, log_id });
        }
        if kept.as_ref() != Some(&fork) {
            self.store.insert_fork(&fork)?;
        }
        Ok(())
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
            self.ask_again_later(&BTreeSet::from([peer]));
            return Ok(());
        }
        self.store.park(&row, need)?;
        self.parked = self.store.evict_parked(max)?;
        assert!(self.parked <= max.entries, "more is parked than may be");
        let evicted = self.parking.keep(self.parked);
        self.ask_again_later(&evicted);
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
            debug_assert!(
                self.parked >= rows.len() as u64,
                "more waited than were parked"
            );
            self.parked = self.parked.saturating_sub(rows.len() as u64);
            for row in rows {
                let sender = self.parking.release(row.hash);
                // It was verified when it was parked; a refusal now is final and drops it.
                let submission =
                    Submission::verify_with(&row.entry, row.payload, &mut self.keyring);
                if let Ok(submission) = submission {
                    self.sender = sender;
                    let judged = self.ingest(&submission, None);
                    self.sender = None;
                    tolerate(judged)?;
                }
            }
        }
        Ok(())
    }
}

/// What has to arrive before an entry refused with this error can be judged anew, if anything can
/// help it.
pub(super) fn need_behind(error: &IngestError) -> Option<Need> {
    let IngestError::Refused(error) = error else {
        return None;
    };
    match error {
        PublishError::Log(LogError::BacklinkNotFound(hash)) => Some(Need::Entry(*hash)),
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
