//! What the operator removes from this node alone, and what follows for what comes later.
//!
//! A purge is local: other nodes keep what they have. A log is purged with all its trees. Its entries
//! stay, so that it still verifies and peers do not send it again; its operations are gone, count for
//! nothing and are never passed on. What joins the log later, or is made on top of what was purged, is
//! kept in the same way: its entry, and nothing else. Clients are told (`log_purged`, `document_purged`).
//!
//! Which operations nothing needs any more is for [`super::collect`] to know; both are commands.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::publish::{PublishError, Source, check_tree, place};
use grove_core::time::Instant;
use grove_core::types::{DocumentId, LogId, PublicKey, SchemaId};
use grove_core::validate::{SignedEntry, Submission};

use super::knowledge::Knowledge;
use super::reclaimed::Reclaimed;
use super::{Candidates, Engine, IngestError, Output, PolicyError};
use crate::store::{Store, StoreError};

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
    /// Keep in the audit log what was done now.
    Audit(String),
}

/// What to purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    /// All logs of a document.
    Document(DocumentId),
    /// These logs.
    Logs(Vec<(PublicKey, LogId)>),
}

/// The document of an entry whose operation is not wanted, and its schema.
pub(super) type Belongs = (DocumentId, SchemaId);

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
            Command::Audit(what) => {
                self.store.insert_audit_entry(at, &what)?;
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
        // What was doubted is not any more.
        self.held.forget();
        for (public_key, log_id) in logs {
            let trees = self.store.trees(public_key, log_id)?;
            if trees.iter().all(|tree| tree.purged) {
                continue;
            }
            reclaimed.items += 1;
            reclaimed.bytes += self.store.purge_log(public_key, log_id)?;
            debug_assert!(
                self.store
                    .trees(public_key, log_id)?
                    .iter()
                    .all(|tree| tree.purged),
                "a log is purged whole"
            );
            let trees = trees
                .into_iter()
                .map(|tree| (tree.document, tree.schema_id));
            documents.extend(trees);
        }
        reclaimed.documents = documents.len() as u64;
        for (document, schema_id) in documents {
            self.changed_without_entry(document, &schema_id)?;
            self.definition_purged(document, &schema_id)?;
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

    /// Where an entry belongs that was refused because of a purge; `None` when it was refused for another
    /// reason.
    pub(super) fn place_of_purged(
        &self,
        submission: &Submission,
        error: &IngestError,
    ) -> Result<Option<Belongs>, StoreError> {
        let entry = submission.entry().entry();
        match error {
            IngestError::Unwanted(PolicyError::LogPurged(..)) => {
                // Whatever follows another entry belongs where that does.
                if let Some(backlink) = entry.backlink {
                    let parent = self.store.placed(backlink)?;
                    return Ok(parent.map(|parent| (parent.document, parent.schema_id)));
                }
                let Ok(operation) = submission.operation() else {
                    return Ok(None);
                };
                let document = match operation.previous() {
                    None => Some(submission.entry().operation_id().into()),
                    Some(previous) => {
                        let before = self.store.operation(previous.ids()[0])?;
                        before.map(|before| before.document)
                    }
                };
                Ok(document.map(|document| (document, operation.schema_id().clone())))
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
        signed: &SignedEntry,
        belongs: Belongs,
    ) -> Result<(), IngestError> {
        let (public_key, log_id) = (signed.entry().public_key, signed.entry().log_id);
        if self.store_skeleton(signed, belongs)? {
            self.store.purge_log(public_key, log_id)?;
        }
        Ok(())
    }

    /// Stores an entry without its operation, wherever it belongs in its log; returns whether it is new.
    pub(super) fn store_skeleton(
        &mut self,
        signed: &SignedEntry,
        (document, schema_id): Belongs,
    ) -> Result<bool, IngestError> {
        let known = Knowledge::of_places(&self.store);
        let Some(placed) = place(&known, signed, Source::Peer)? else {
            return Ok(false);
        };
        let (entry, parent) = (signed.entry(), placed.parent.as_ref());
        check_tree(&known, entry, parent, document, Source::Peer)?;
        self.check_usage(entry, placed.placement)?;
        self.store_entry(signed, placed.placement, None, document, &schema_id)?;
        debug_assert!(
            self.store
                .operation(signed.operation_id())?
                .is_some_and(|row| !row.has_payload),
            "an entry that came alone has an operation"
        );
        Ok(true)
    }
}
