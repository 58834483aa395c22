//! Which schemas are known: those whose definition and field definitions are all there.
//!
//! A schema id names a view of its definition, so an updated definition makes a new schema and the
//! old one keeps working. A schema once known stays known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grove_core::limits::SCHEMA_FIELDS_MAX;
use grove_core::types::{
    DocumentId, DocumentViewId, OperationId, Schema, SchemaId, SystemSchema, Value,
};
use grove_core::validate::build_schema;
use grove_core::wire::{Fields, SchemaSet};

use super::histories::Histories;
use super::{Engine, IngestError, Output};
use crate::store::query::PagePosition;
use crate::store::{DocumentQuery, DocumentRow, Need, Read, Store, StoreError};

/// How many definitions are read at once when a node starts.
const DEFINITIONS_PER_READ: u32 = 500;

/// The known schemas, and the definitions that wait for their fields.
#[derive(Debug)]
pub(super) struct Schemas {
    known: BTreeMap<SchemaId, Arc<Schema>>,
    /// Definitions by the operations that would make up a field they lack. So an operation costs what
    /// waits for it, and not all that anybody ever left incomplete.
    waiting: BTreeMap<OperationId, BTreeSet<DocumentId>>,
}

/// What the views of a definition make up.
enum Attempt {
    Complete(Schema),
    /// A field definition is not there yet: that of this view.
    Incomplete(DocumentViewId),
    /// The parts are there but make no schema.
    Broken,
}

impl Schemas {
    /// Reads what a store knows.
    pub(super) fn load(store: &impl Store) -> Result<Self, StoreError> {
        let system = SystemSchema::ALL.into_iter().map(Schema::system);
        let known = system.chain(store.schemas()?);
        let known = known
            .map(|schema| (schema.id().clone(), Arc::new(schema)))
            .collect();
        let mut schemas = Self {
            known,
            waiting: BTreeMap::new(),
        };

        let mut query = DocumentQuery {
            limit: DEFINITIONS_PER_READ,
            ..DocumentQuery::default()
        };
        let mut histories = Histories::default();
        loop {
            let page = store.list(&SchemaId::SCHEMA_DEFINITION, &query)?;
            for row in &page {
                if !schemas.know(row)
                    && let Attempt::Incomplete(lacking) = attempt(store, &mut histories, row)?
                {
                    schemas.wait(row.id, &lacking);
                }
            }
            match page.last() {
                Some(last) => query.after = Some(PagePosition::behind(last.id)),
                None => return Ok(schemas),
            }
        }
    }

    /// Whether the schema that this definition makes is known.
    fn know(&self, definition: &DocumentRow) -> bool {
        let name = definition
            .fields
            .as_ref()
            .and_then(|fields| fields.get("name"));
        let Some((Value::Str(name), _)) = name else {
            return false;
        };
        name.parse().is_ok_and(|name| {
            let view_id = definition.view_id.clone();
            self.known
                .contains_key(&SchemaId::Application { name, view_id })
        })
    }

    /// Has a definition wait for the operations of a view.
    fn wait(&mut self, definition: DocumentId, lacking: &DocumentViewId) {
        for id in lacking.ids() {
            self.waiting.entry(*id).or_default().insert(definition);
        }
    }

    /// The schema of this id, if it is known.
    pub(super) fn get(&self, id: &SchemaId) -> Option<Arc<Schema>> {
        self.known.get(id).map(Arc::clone)
    }

    /// The ids of all known schemas.
    pub(super) fn ids(&self) -> SchemaSet {
        self.known.keys().cloned().collect()
    }
}

impl<S: Store> Engine<S> {
    /// The schema of this id, made from its definition if it was not yet asked for.
    pub(super) fn learn_schema(
        &mut self,
        id: &SchemaId,
    ) -> Result<Option<Arc<Schema>>, IngestError> {
        if let Some(schema) = self.schemas.get(id) {
            return Ok(Some(schema));
        }
        // Another node may have seen a view of the definition that was never current here.
        let SchemaId::Application { view_id, .. } = id else {
            return Ok(None);
        };
        if let Some(row) = self.histories.document_at(&self.store, view_id)? {
            self.try_definition(&row)?;
        }
        Ok(self.schemas.get(id))
    }

    /// Looks for schemas that became complete with an operation of a field definition.
    pub(super) fn field_defined(&mut self, id: OperationId) -> Result<(), IngestError> {
        let waiting = self.schemas.waiting.remove(&id).unwrap_or_default();
        for definition in waiting {
            let definition = self.store.document(definition)?;
            if let Some(definition) = definition.filter(|row| !row.is_deleted()) {
                self.try_definition(&definition)?;
            }
        }
        Ok(())
    }

    /// Reads anew what the store knows, and tells of schemas that somebody else added.
    pub(super) fn reload_schemas(&mut self) -> Result<(), StoreError> {
        let loaded = Schemas::load(&self.store)?;
        let added: Vec<_> = loaded
            .known
            .keys()
            .filter(|id| !self.schemas.known.contains_key(id))
            .cloned()
            .collect();
        self.schemas = loaded;
        if !added.is_empty() {
            self.outputs
                .extend(added.into_iter().map(Output::SchemaAdded));
            self.mark_new_schemas();
        }
        Ok(())
    }

    /// Makes a schema of the view of a definition, if all of it is there.
    pub(super) fn try_definition(&mut self, row: &DocumentRow) -> Result<(), IngestError> {
        if row.schema_id != SchemaId::SCHEMA_DEFINITION {
            return Ok(());
        }
        match attempt(&self.store, &mut self.histories, row)? {
            Attempt::Incomplete(lacking) => self.schemas.wait(row.id, &lacking),
            Attempt::Broken => {}
            Attempt::Complete(schema) => self.add_schema(schema)?,
        }
        Ok(())
    }

    fn add_schema(&mut self, schema: Schema) -> Result<(), StoreError> {
        let id = schema.id().clone();
        if self.schemas.known.contains_key(&id) {
            return Ok(());
        }
        self.store.insert_schema(&schema)?;
        self.schemas.known.insert(id.clone(), Arc::new(schema));
        self.met.push_back(Need::Schema(id.clone()));
        self.outputs.push_back(Output::SchemaAdded(id));
        self.mark_new_schemas();
        Ok(())
    }
}

/// Tries to make a schema from the view of a definition.
fn attempt(
    store: &dyn Read,
    histories: &mut Histories,
    definition: &DocumentRow,
) -> Result<Attempt, StoreError> {
    let values = definition
        .values()
        .ok_or(StoreError::Corrupt("schema definition"))?;
    let Some(Value::PinnedRelationList(listed)) = values.get("fields") else {
        return Ok(Attempt::Broken);
    };
    if listed.len() > SCHEMA_FIELDS_MAX {
        return Ok(Attempt::Broken);
    }
    let mut views: BTreeMap<DocumentViewId, Fields<Value>> = BTreeMap::new();
    for view_id in listed {
        if views.contains_key(view_id) {
            continue;
        }
        let row = histories.document_at(store, view_id)?;
        let Some(row) = row else {
            return Ok(Attempt::Incomplete(view_id.clone()));
        };
        if row.schema_id != SchemaId::SCHEMA_FIELD_DEFINITION {
            return Ok(Attempt::Broken);
        }
        views.extend(row.values().map(|values| (view_id.clone(), values)));
    }
    Ok(match build_schema(&definition.view_id, &values, &views) {
        Ok(schema) => Attempt::Complete(schema),
        Err(_) => Attempt::Broken,
    })
}
