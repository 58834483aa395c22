//! What a transaction has read ahead, so that judging many entries takes few questions.
//!
//! A database on a server answers one question as slowly as many at once. What the entries of a batch will ask
//! is known from the entries alone, so it is read before the first of them is judged, and kept true by what the
//! transaction changes. Whatever is not here is asked for as ever.
//!
//! Always true:
//! - What is here is what the database would answer.
//! - With the transaction it is gone: others may write then.

use std::cell::RefCell;
use std::collections::BTreeMap;

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum, Value};

use crate::store::query::SORT_KEY_SIZE_MAX;
use crate::store::{DocumentRow, NewEntry, OperationRow, PlacedEntry, TreeRow};

/// How many entries at one position are read: enough to see that there are several.
pub(crate) const PLACES_MAX: u32 = 2;

/// Trees by the tip to continue.
pub(crate) type Trees = BTreeMap<(PublicKey, LogId, Hash), Option<TreeRow>>;

/// Entries by their position, at most [`PLACES_MAX`] at each.
pub(crate) type Places = BTreeMap<(PublicKey, LogId, SeqNum), Vec<PlacedEntry>>;

/// Answers by what was asked; `None` in place of what is not there.
#[derive(Debug, Default)]
pub struct Answers {
    pub trees: Trees,
    pub trees_of_documents: BTreeMap<(PublicKey, DocumentId), Option<TreeRow>>,
    pub places: Places,
    pub operations: BTreeMap<OperationId, Option<OperationRow>>,
    /// In outline.
    pub documents: BTreeMap<DocumentId, Option<DocumentRow>>,
}

/// What was read ahead.
#[derive(Debug, Default)]
pub struct Ahead(RefCell<Answers>);

impl Ahead {
    /// Forgets everything.
    pub fn forget(&self) {
        self.0.take();
    }

    /// Adds answers to those that are here.
    pub fn add(&self, mut answers: Answers) {
        let mut known = self.0.borrow_mut();
        known.trees.append(&mut answers.trees);
        known
            .trees_of_documents
            .append(&mut answers.trees_of_documents);
        known.places.append(&mut answers.places);
        known.operations.append(&mut answers.operations);
        known.documents.append(&mut answers.documents);
    }

    pub fn tree_of_tip(&self, tip: &(PublicKey, LogId, Hash)) -> Option<Option<TreeRow>> {
        self.0.borrow().trees.get(tip).cloned()
    }

    pub fn tree_of_document(&self, of: &(PublicKey, DocumentId)) -> Option<Option<TreeRow>> {
        self.0.borrow().trees_of_documents.get(of).cloned()
    }

    /// The entries at a position, if it is certain that these are all up to the limit.
    pub fn entries_at(
        &self,
        place: &(PublicKey, LogId, SeqNum),
        limit: u32,
    ) -> Option<Vec<PlacedEntry>> {
        let answers = self.0.borrow();
        let found = answers.places.get(place)?;
        let is_all = found.len() < PLACES_MAX as usize || limit <= PLACES_MAX;
        is_all.then(|| found.iter().take(limit as usize).cloned().collect())
    }

    pub fn operation(&self, id: OperationId) -> Option<Option<OperationRow>> {
        self.0.borrow().operations.get(&id).cloned()
    }

    pub fn document_outline(&self, id: DocumentId) -> Option<Option<DocumentRow>> {
        self.0.borrow().documents.get(&id).cloned()
    }

    /// The schema of a document that is live; `None` for one that is not there or was deleted.
    pub fn live_schema_of(&self, id: DocumentId) -> Option<Option<SchemaId>> {
        let answers = self.0.borrow();
        let row = answers.documents.get(&id)?.as_ref();
        let live = row.filter(|row| !row.is_deleted());
        Some(live.map(|row| row.schema_id.clone()))
    }

    /// Keeps true what is here, after an entry was stored.
    pub fn note_entry(&self, entry: &NewEntry<'_>, position: i64) {
        let mut answers = self.0.borrow_mut();
        let (author, log_id) = (entry.public_key, entry.log_id);
        let mut tree = match entry.placement {
            Placement::Begins => Some(TreeRow {
                public_key: author,
                log_id,
                document: entry.document,
                schema_id: entry.schema_id.clone(),
                tip: entry.tip(),
                branched: false,
                purged: false,
            }),
            Placement::Extends(backlink) => answers
                .trees
                .insert((author, log_id, backlink), None)
                .flatten()
                .filter(|tree| !tree.branched),
            Placement::BeginsTree | Placement::Branches(_) => None,
        };
        if let Some(tree) = &mut tree {
            tree.tip = entry.tip();
            let tip = (author, log_id, entry.hash);
            answers.trees.insert(tip, Some(tree.clone()));
        } else {
            // Which branch is to be continued may be another now.
            answers
                .trees
                .retain(|(of, id, _), _| (*of, *id) != (author, log_id));
        }
        // Of several trees of a document another may come first now.
        let of_document = (author, entry.document);
        let only = answers.trees_of_documents.remove(&of_document);
        if let (Some(None), Some(tree)) = (only, &tree) {
            let tree = Some(tree.clone());
            answers.trees_of_documents.insert(of_document, tree);
        }
        answers.places.remove(&(author, log_id, entry.seq_num));
        let id = OperationId::from(entry.hash);
        answers.operations.remove(&id);
        if let (Some(payload), Some(tree)) = (entry.payload, tree) {
            let operation = OperationRow {
                position,
                document: tree.document,
                schema_id: tree.schema_id,
                purged: tree.purged,
                was_seen: true,
                has_payload: true,
                payload_size: Some(payload.len() as u64),
            };
            answers.operations.insert(id, Some(operation));
        }
    }

    /// Keeps true what is here, after the state of a document was stored.
    pub fn note_document(&self, document: &DocumentRow) {
        let mut row = document.clone();
        if row.schema_id == SchemaId::BLOB_PIECE
            && let Some(fields) = &mut row.fields
        {
            // Long data is left out of outlines.
            let is_long = |value: &Value| matches!(value, Value::Bytes(bytes) if bytes.len() > SORT_KEY_SIZE_MAX);
            fields.retain(|_, (value, _)| !is_long(value));
        }
        self.0.borrow_mut().documents.insert(row.id, Some(row));
    }

    /// Keeps true what is here, after bytes of a document's operations were dropped.
    pub fn note_dropped(&self, document: DocumentId) {
        let mut answers = self.0.borrow_mut();
        answers
            .operations
            .retain(|_, row| row.as_ref().is_none_or(|row| row.document != document));
    }

    /// Keeps true what is here, after the state of a document was removed.
    pub fn note_no_document(&self, id: DocumentId) {
        self.0.borrow_mut().documents.insert(id, None);
    }
}
