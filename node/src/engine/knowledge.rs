//! What is stored, as the rules of publishing ask for it.

use std::sync::Arc;

use grove_core::publish::{Known, KnownLog, KnownOperation};
use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};

use super::schemas::Schemas;
use super::{IngestError, PolicyError};
use crate::store::{LogRow, Read, StoreError};

/// The knowledge of a store, with the engine's schemas where they are at hand.
pub(crate) struct Knowledge<'a> {
    store: &'a dyn Read,
    schemas: Option<&'a Schemas>,
}

impl<'a> Knowledge<'a> {
    /// What a reader of the store knows.
    pub(crate) fn of(store: &'a dyn Read) -> Self {
        Self {
            store,
            schemas: None,
        }
    }

    /// What the engine knows, which has read the schemas already.
    pub(super) fn with_schemas(store: &'a dyn Read, schemas: &'a Schemas) -> Self {
        Self {
            store,
            schemas: Some(schemas),
        }
    }
}

impl Known for Knowledge<'_> {
    type Error = IngestError;
    type Schema = Arc<Schema>;

    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownLog>, IngestError> {
        Ok(self.store.log(author, log_id)?.map(known_log))
    }

    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownLog>, IngestError> {
        let log = self.store.log_of_document(author, document)?;
        Ok(log.map(known_log))
    }

    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, IngestError> {
        Ok(self.store.highest_log_id(author)?)
    }

    fn hash_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, IngestError> {
        let row = self.store.entry_at(author, log_id, seq_num)?;
        Ok(row.map(|row| row.hash))
    }

    fn fork(&self, author: PublicKey, log_id: LogId) -> Result<[Hash; 2], IngestError> {
        let log = self.store.log(author, log_id)?;
        if log.is_some_and(|log| log.purged) {
            return Err(PolicyError::LogPurged(author, log_id).into());
        }
        let fork = self.store.fork(author, log_id)?;
        let fork = fork.ok_or(StoreError::Corrupt("fork"))?;
        Ok([Hash::of(&fork.first), Hash::of(&fork.second)])
    }

    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, IngestError> {
        let row = self.store.operation(id)?;
        Ok(row.map(|row| KnownOperation {
            document: row.document,
            schema_id: row.schema_id,
            counted: row.counted,
        }))
    }

    fn is_deleted(&self, document: DocumentId) -> Result<bool, IngestError> {
        let row = self.store.document_outline(document)?;
        Ok(row.is_some_and(|row| row.is_deleted()))
    }

    fn schema(&self, id: &SchemaId) -> Result<Option<Arc<Schema>>, IngestError> {
        match self.schemas {
            Some(schemas) => Ok(schemas.get(id)),
            None => Ok(self.store.schema(id)?.map(Arc::new)),
        }
    }
}

/// A stored log as the rules see it. To them a purged log is like one that is forked at its first
/// entry: nothing in it counts, nothing is added to it. Only the refusal is another.
fn known_log(row: LogRow) -> KnownLog {
    KnownLog {
        log_id: row.log_id,
        document: row.document,
        tip: row.tip,
        forked_at: if row.purged {
            Some(SeqNum::FIRST)
        } else {
            row.forked_at
        },
    }
}
