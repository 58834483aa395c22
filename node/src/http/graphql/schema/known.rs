//! Remembers schemas that documents named lately, so that naming them again reads nothing.
//!
//! Holds what the store said at one version of its schemas and forgets all of it with the next: a schema
//! may have been purged, and one that was unknown may be known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use grove_core::types::{Schema, SchemaId, SystemSchema};

use crate::api::ApiError;
use crate::store::Read;

/// Schemas remembered. The largest take some tens of kilobytes.
const LEN_MAX: usize = 512;

/// Schemas by id, as of a version.
#[derive(Default)]
pub(crate) struct Known(Mutex<(u64, HashMap<SchemaId, Arc<Schema>>)>);

/// Where schemas are looked for.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Only among those remembered.
    Memory,
    /// In the store too.
    Store(&'a dyn Read),
}

/// Why a schema was not found.
#[derive(Debug)]
pub(crate) enum NotFound {
    /// Only the store can tell.
    AskStore,
    Failed(ApiError),
}

impl Known {
    /// A schema as of a version; `None` when the node does not know it.
    pub(crate) fn get(
        &self,
        id: &SchemaId,
        version: u64,
        source: Source<'_>,
    ) -> Result<Option<Arc<Schema>>, NotFound> {
        if let Some(schema) = self.remembered(id, version) {
            return Ok(Some(schema));
        }
        let schema = match (id, source) {
            (SchemaId::System(system), _) => Some(Schema::system(*system)),
            (_, Source::Memory) => return Err(NotFound::AskStore),
            (_, Source::Store(store)) => {
                let schema = store.schema(id);
                schema.map_err(|error| NotFound::Failed(error.into()))?
            }
        };
        let schema = schema.map(Arc::new);
        if let Some(schema) = &schema {
            self.remember(schema, version);
        }
        Ok(schema)
    }

    /// All schemas, those of the system first.
    pub(crate) fn all(store: &dyn Read) -> Result<Vec<Arc<Schema>>, ApiError> {
        let system = SystemSchema::ALL.map(Schema::system);
        let all = system.into_iter().chain(store.schemas()?);
        Ok(all.map(Arc::new).collect())
    }

    fn remembered(&self, id: &SchemaId, version: u64) -> Option<Arc<Schema>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, schemas) = &*known;
        (*of == version).then(|| schemas.get(id).cloned())?
    }

    fn remember(&self, schema: &Arc<Schema>, version: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, schemas) = &mut *known;
        // A reader that was slow must not bring back what is older.
        if version < *of {
            return;
        }
        if version > *of || schemas.len() >= LEN_MAX {
            schemas.clear();
            *of = version;
        }
        schemas.insert(schema.id().clone(), Arc::clone(schema));
    }
}
