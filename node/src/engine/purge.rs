//! What the operator removes from this node alone, and what follows for what comes later.
//!
//! A purge is local: other nodes keep what they have. Of a purged log the entries stay, so that it
//! still verifies and peers do not send it again; its operations are gone, count for nothing and are
//! never passed on. What joins the log later, or is made on top of what was purged, is kept in the same
//! way: its entry, and nothing else. Clients are told (`log_purged`, `document_purged`).
//!
//! Which operations nothing needs any more is for [`super::collect`] to know; both are commands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use grove_core::publish::{Known, PublishError, check_log, check_place};
use grove_core::time::Instant;
use grove_core::types::{DocumentId, LogId, PublicKey, SchemaId};
use grove_core::validate::Submission;

use super::{Candidates, Engine, IngestError, Output, PolicyError};
use crate::store::{EntryRow, Store, StoreError};

/// What an operator wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Remove these from this node.
    Purge(Purge),
    /// Drop the operations of these documents that nothing needs any more.
    CollectHistory(Candidates),
    /// Drop these blob pieces, unless something holds on to them.
    CollectPieces(Candidates),
    /// Remember how far the node is now.
    NoteTime,
    /// Keep a record of what was done now.
    NoteDeed(String),
}

/// What to purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// All logs of a document.
    Document(DocumentId),
    /// These logs.
    Logs(Vec<(PublicKey, LogId)>),
}

/// What a command removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Documents that were changed by it.
    pub documents: u64,
    /// Logs that were purged, or operations that were dropped one by one.
    pub items: u64,
    /// Bytes of operations.
    pub bytes: u64,
}

impl AddAssign for Reclaimed {
    fn add_assign(&mut self, other: Self) {
        self.documents += other.documents;
        self.items += other.items;
        self.bytes += other.bytes;
    }
}

/// Where an entry belongs whose operation is not wanted.
pub(super) type Place = (DocumentId, SchemaId);

impl<S: Store> Engine<S> {
    /// Does what the operator wants.
    pub(super) fn execute(
        &mut self,
        now: Instant,
        command: Command,
    ) -> Result<Reclaimed, StoreError> {
        let at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match command {
            Command::Purge(Purge::Document(id)) => {
                let entries = self.store.document_entries(id)?;
                let logs: BTreeSet<_> = entries
                    .iter()
                    .map(|row| (row.public_key, row.log_id))
                    .collect();
                self.purge_logs(logs)
            }
            Command::Purge(Purge::Logs(logs)) => self.purge_logs(logs),
            Command::CollectHistory(candidates) => self.collect_history(candidates),
            Command::CollectPieces(candidates) => self.collect_pieces(candidates),
            Command::NoteTime => {
                self.store.insert_time(at)?;
                Ok(Reclaimed::default())
            }
            Command::NoteDeed(what) => {
                self.store.insert_deed(at, &what)?;
                Ok(Reclaimed::default())
            }
        }
    }

    /// Purges logs. Documents are shown without what the logs contributed, or not at all.
    fn purge_logs(
        &mut self,
        logs: impl IntoIterator<Item = (PublicKey, LogId)>,
    ) -> Result<Reclaimed, StoreError> {
        let mut reclaimed = Reclaimed::default();
        let mut documents = BTreeMap::new();
        for (public_key, log_id) in logs {
            let log = self.store.log(public_key, log_id)?;
            let Some(log) = log.filter(|log| !log.purged) else {
                continue;
            };
            reclaimed.items += 1;
            reclaimed.bytes += self.store.purge_log(public_key, log_id)?;
            documents.insert(log.document, log.schema_id);
        }
        reclaimed.documents = documents.len() as u64;
        for (document, schema_id) in documents {
            self.changed_without_entry(document, &schema_id)?;
        }
        Ok(reclaimed)
    }

    /// Shows a document as what counts of it makes it, after bytes of it were dropped.
    pub(super) fn changed_without_entry(
        &mut self,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        self.note_change(document, schema_id)?;
        match self.rematerialise(document) {
            Ok(()) => {}
            Err(IngestError::Store(error)) => return Err(error),
            // Only a failing store keeps a document from being reduced.
            Err(error) => return Err(StoreError::Failed(error.to_string())),
        }
        self.outputs.push_back(Output::Deleted(document));
        Ok(())
    }

    /// Whether the log of an entry was purged.
    pub(super) fn is_purged(&self, row: &EntryRow) -> Result<bool, StoreError> {
        let log = self.store.log(row.public_key, row.log_id)?;
        Ok(log.is_some_and(|log| log.purged))
    }

    /// The refusal a client gets: that an operation was purged says more than that it is unknown.
    pub(super) fn name_purge(&self, error: IngestError) -> Result<IngestError, StoreError> {
        let IngestError::Refused(PublishError::PreviousNotFound(id)) = error else {
            return Ok(error);
        };
        let operation = self
            .store
            .operation(id)?
            .filter(|operation| operation.purged);
        Ok(match operation {
            Some(operation) => PolicyError::DocumentPurged(operation.document).into(),
            None => error,
        })
    }

    /// The place of an entry that was refused because of a purge.
    pub(super) fn purge_behind(&self, error: &IngestError) -> Result<Option<Place>, StoreError> {
        match error {
            IngestError::Unwanted(PolicyError::LogPurged(public_key, log_id)) => {
                let log = self.store.log(*public_key, *log_id)?;
                Ok(log.map(|log| (log.document, log.schema_id)))
            }
            IngestError::Refused(PublishError::PreviousNotFound(id)) => {
                let operation = self.store.operation(*id)?;
                let purged = operation.filter(|operation| operation.purged);
                Ok(purged.map(|operation| (operation.document, operation.schema_id)))
            }
            _ => Ok(None),
        }
    }

    /// Stores an entry without its operation, in a log that is purged from now on if it was not.
    pub(super) fn take_without_operation(
        &mut self,
        submission: &Submission,
        (document, schema_id): Place,
    ) -> Result<(), IngestError> {
        let signed = submission.entry();
        let entry = signed.entry();
        let known = self.knowledge();
        let log = known.log(entry.public_key, entry.log_id)?;
        check_log(&known, entry, log.as_ref(), document)?;
        check_place(&known, entry, log.as_ref())?;
        self.store_entry(signed, None, document, &schema_id)?;
        self.store.purge_log(entry.public_key, entry.log_id)?;
        Ok(())
    }
}
