//! What is stored, as the rules of publishing ask for it.

use std::sync::Arc;

use grove_core::publish::{
    Known, KnownBranch, KnownEntry, KnownOperation, PublishError, prefers, unused_log_id,
};
use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::LogTip;
use grove_core::wire::Entry;

use super::registry::Registry;
use super::{IngestError, PolicyError};
use crate::store::{PlacedEntry, Read, StoreError, TreeRow};

/// The knowledge of a store, with the engine's schemas where they are at hand.
pub(crate) struct Knowledge<'a> {
    store: &'a dyn Read,
    schemas: Option<&'a Registry>,
    /// Stands in for the schema of an operation that needs none.
    bare: Option<Arc<Schema>>,
    /// Whether purged logs take entries, as they do from peers, without operations.
    fills_purged: bool,
    /// Whether an operation that never came is known to belong where the peer said that sent its entry.
    believes_peers: bool,
}

impl<'a> Knowledge<'a> {
    /// What a reader of the store knows.
    pub(crate) fn of(store: &'a dyn Read) -> Self {
        Self {
            store,
            schemas: None,
            bare: None,
            fills_purged: false,
            believes_peers: false,
        }
    }

    /// What the engine knows, which has read the schemas already.
    pub(super) fn with_schemas(store: &'a dyn Read, schemas: &'a Registry) -> Self {
        Self {
            schemas: Some(schemas),
            ..Self::of(store)
        }
    }

    /// The same for a DELETE that a peer sent, which tells of itself that what it was made on top of is gone.
    pub(super) fn believing_peers(self) -> Self {
        Self {
            believes_peers: true,
            ..self
        }
    }

    /// The same, with this schema beside those that are known.
    pub(super) fn with_bare(self, schema: Option<Schema>) -> Self {
        Self {
            bare: schema.map(Arc::new),
            ..self
        }
    }

    /// What there is to know of places in logs, purged ones included.
    pub(super) fn of_places(store: &'a dyn Read) -> Self {
        Self {
            fills_purged: true,
            ..Self::of(store)
        }
    }
}

impl Known for Knowledge<'_> {
    type Error = IngestError;
    type Schema = Arc<Schema>;

    fn branch(
        &self,
        author: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<KnownBranch>, IngestError> {
        let tree = self.store.tree_of_tip(author, log_id, tip)?;
        // What a purged log takes is asked for elsewhere.
        let tree = tree.filter(|tree| self.fills_purged || !tree.purged);
        assert!(tree.as_ref().is_none_or(|tree| tree.tip.hash == tip));
        Ok(tree.as_ref().map(known_branch))
    }

    fn entry(&self, hash: Hash) -> Result<Option<KnownEntry>, IngestError> {
        let Some(row) = self.store.placed(hash)? else {
            return Ok(None);
        };
        let known = KnownEntry::new(&decoded(&row)?, row.hash, row.document);
        assert_eq!(
            (known.author, known.log_id, known.tip.seq_num, row.hash),
            (row.public_key, row.log_id, row.seq_num, hash),
            "an entry stands where it was signed for"
        );
        Ok(Some(known))
    }

    fn successor(
        &self,
        author: PublicKey,
        log_id: LogId,
        parent: Option<&LogTip>,
    ) -> Result<Option<Hash>, IngestError> {
        let Some(parent) = parent else {
            let first = self.store.entries_at(author, log_id, SeqNum::FIRST, 1)?;
            return Ok(first.first().map(|row| row.hash));
        };
        let Some(seq_num) = parent.seq_num.next() else {
            return Ok(None);
        };
        for row in self.store.entries_at(author, log_id, seq_num, u32::MAX)? {
            if decoded(&row)?.backlink == Some(parent.hash) {
                return Ok(Some(row.hash));
            }
        }
        Ok(None)
    }

    fn only_entry_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, IngestError> {
        match &self.store.entries_at(author, log_id, seq_num, 2)?[..] {
            [only] => Ok(Some(only.hash)),
            _ => Ok(None),
        }
    }

    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownBranch>, IngestError> {
        let trees = self.store.trees(author, log_id)?;
        let branches = trees.iter().map(known_branch);
        Ok(
            branches.reduce(|best, other| match prefers(&other.tip, &best.tip) {
                true => other,
                false => best,
            }),
        )
    }

    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownBranch>, IngestError> {
        match self.store.tree_of_document(author, document)? {
            Some(tree) if tree.purged => Err(PolicyError::LogPurged(author, tree.log_id).into()),
            tree => Ok(tree.as_ref().map(known_branch)),
        }
    }

    fn admit(&self, author: PublicKey, log_id: LogId) -> Result<(), IngestError> {
        let trees = match self.fills_purged {
            true => Vec::new(),
            false => self.store.trees(author, log_id)?,
        };
        match trees.iter().any(|tree| tree.purged) {
            true => Err(PolicyError::LogPurged(author, log_id).into()),
            false => Ok(()),
        }
    }

    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, IngestError> {
        Ok(self.store.highest_log_id(author)?)
    }

    fn unused_log_id(&self, author: PublicKey) -> Result<Option<LogId>, IngestError> {
        unused_log_id(LogId::default(), |log_id| {
            let first = self.store.entries_at(author, log_id, SeqNum::FIRST, 1)?;
            Ok(!first.is_empty())
        })
    }

    /// An operation that was purged counts for nothing here, as if it had never come; and so does one that
    /// never came, as long as only a peer says that it was deleted with its document.
    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, IngestError> {
        let Some(row) = self.store.operation(id)?.filter(|row| !row.purged) else {
            return Ok(None);
        };
        if !row.was_seen && !self.believes_peers && !self.is_deleted(row.document)? {
            return Ok(None);
        }
        Ok(Some(KnownOperation {
            document: row.document,
            schema_id: row.schema_id,
        }))
    }

    fn is_deleted(&self, document: DocumentId) -> Result<bool, IngestError> {
        let row = self.store.document_outline(document)?;
        Ok(row.is_some_and(|row| row.is_deleted()))
    }

    fn schema(&self, id: &SchemaId) -> Result<Option<Arc<Schema>>, IngestError> {
        match self.schemas {
            Some(schemas) => {
                let bare = self.bare.as_ref().filter(|bare| bare.id() == id);
                Ok(schemas.get(id).or_else(|| bare.cloned()))
            }
            None => Ok(self.store.schema(id)?.map(Arc::new)),
        }
    }
}

/// The refusal a client gets: that an operation was purged says more than that it is unknown.
pub(crate) fn name_purge(store: &dyn Read, error: IngestError) -> Result<IngestError, StoreError> {
    let IngestError::Refused(PublishError::PreviousNotFound(id)) = error else {
        return Ok(error);
    };
    let operation = store.operation(id)?;
    Ok(match operation.filter(|operation| operation.purged) {
        Some(operation) => PolicyError::DocumentPurged(operation.document).into(),
        None => error,
    })
}

fn known_branch(row: &TreeRow) -> KnownBranch {
    KnownBranch {
        log_id: row.log_id,
        document: row.document,
        tip: row.tip,
    }
}

pub(super) fn decoded(row: &PlacedEntry) -> Result<Entry, StoreError> {
    Entry::decode(&row.entry).map_err(|_| StoreError::Corrupt("entry"))
}
