//! Which schemas are known: those whose definition and field definitions are all there, which the operator
//! lets in, and for which there is room.
//!
//! A schema id names a view of its definition, so an updated definition makes a new schema and the
//! old one keeps working. A schema goes when its definition or that of one of its fields is deleted or
//! purged. What it says is gone then; its documents are not there any more, but can still be deleted.
//!
//! An author of a schema is whoever published the latest operation of its definition: nobody can fill up
//! what another may have.

use std::collections::BTreeMap;
use std::sync::Arc;

use grove_core::limits::SCHEMA_FIELDS_MAX;
use grove_core::types::{
    DocumentId, DocumentViewId, FieldName, FieldType, OperationId, PublicKey, Schema, SchemaId,
    Value,
};
use grove_core::validate::build_schema;
use grove_core::wire::{Action, Fields, Operation};
use grove_core::{Reason, Refusal};

use super::histories::Histories;
use super::policy::PolicyError;
use super::registry::{Counted, Full, Registry, Waiting, weight_of};
use super::{Engine, EngineSettings, IngestError, Output, document_at_view, within};
use crate::store::query::PagePosition;
use crate::store::{
    DocumentQuery, DocumentRow, Need, Read, SchemaOrigin, SchemaRow, Store, StoreError,
};

/// How many definitions or schemas are read at once when a node starts.
const DEFINITIONS_PER_READ: u32 = 500;

/// What the views of a definition make up.
enum Attempt {
    Complete(SchemaRow),
    /// A field definition is not there yet.
    Incomplete(Waiting),
    /// All its parts are there, and make no schema.
    Broken(Reason),
    /// It is known already what it makes, not wanted, or one too many.
    Nothing,
}

/// Reads what a store knows, and which definitions wait.
pub(super) fn load(store: &impl Store, settings: &EngineSettings) -> Result<Registry, StoreError> {
    let mut schemas = Registry::of_system();
    for view in store.broken_definitions()?.into_keys() {
        schemas.break_off(view);
    }
    visit_rows(store, |row| {
        if !row.withheld {
            schemas.insert(row.schema, row.origin);
        }
    })?;
    let mut query = DocumentQuery {
        limit: DEFINITIONS_PER_READ,
        ..DocumentQuery::default()
    };
    loop {
        let page = store.list(&SchemaId::SCHEMA_DEFINITION, &query)?;
        for row in &page {
            if let Some(waiting) = waiting_for(store, row, &schemas, settings)? {
                schemas.wait(row.id, waiting);
            }
        }
        match page.last() {
            Some(last) => query.after = Some(PagePosition::behind(last.id)),
            None => return Ok(schemas),
        }
    }
}

/// What a definition waits for, as far as that can be told without looking into any field: operations that were
/// not there at the end of the past. Whether those that are there make a schema was found out then.
fn waiting_for(
    store: &impl Store,
    definition: &DocumentRow,
    schemas: &Registry,
    settings: &EngineSettings,
) -> Result<Option<Waiting>, StoreError> {
    let Some(candidate) = candidate(store, definition, schemas, settings)? else {
        return Ok(None);
    };
    let ids: Vec<_> = candidate
        .listed
        .iter()
        .flat_map(DocumentViewId::ids)
        .copied()
        .collect();
    let there = store.operations(&ids)?;
    let is_lacking = |view: &&DocumentViewId| !view.ids().iter().all(|id| there.contains_key(id));
    let lacks = candidate.listed.iter().find(is_lacking);
    Ok(lacks.map(|view_id| candidate.waiting(view_id)))
}

/// Goes through all schemas that are kept.
fn visit_rows(store: &impl Store, mut take: impl FnMut(SchemaRow)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let rows = store.schema_rows(after.as_ref(), DEFINITIONS_PER_READ)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(last.schema.id().clone());
        rows.into_iter().for_each(&mut take);
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
        if let Some(row) = self.histories.document_at(&self.store, view_id)?
            && let Attempt::Complete(row) = self.attempt(&row)?
        {
            self.add_schema(row)?;
        }
        Ok(self.schemas.get(id))
    }

    /// Looks for schemas that became complete with an operation of a field definition.
    pub(super) fn field_defined(&mut self, id: OperationId) -> Result<(), IngestError> {
        for definition in self.schemas.waiting_for(id) {
            let row = self.store.document(definition)?;
            match row.filter(|row| !row.is_deleted()) {
                Some(row) => self.try_definition(&row)?,
                None => self.schemas.stop_waiting(definition),
            }
        }
        Ok(())
    }

    /// Reads anew what the store knows, and tells of schemas that somebody else added or removed.
    pub(super) fn reload_schemas(&mut self) -> Result<(), StoreError> {
        let loaded = load(&self.store, &self.settings)?;
        let before = std::mem::replace(&mut self.schemas, loaded).ids();
        let now = self.schemas.ids();
        let added = now.difference(&before).cloned().map(Output::SchemaAdded);
        let removed = before.difference(&now).cloned().map(Output::SchemaRemoved);
        let count = self.outputs.len();
        self.outputs.extend(added.chain(removed));
        if self.outputs.len() > count {
            self.mark_new_schemas();
        }
        Ok(())
    }

    /// Makes a schema of the current view of a definition, if all of it is there.
    pub(super) fn try_definition(&mut self, row: &DocumentRow) -> Result<(), IngestError> {
        if row.schema_id != SchemaId::SCHEMA_DEFINITION {
            return Ok(());
        }
        self.schemas.stop_waiting(row.id);
        match self.attempt(row)? {
            Attempt::Incomplete(waiting) => self.schemas.wait(row.id, waiting),
            Attempt::Complete(schema) => self.add_schema(schema)?,
            Attempt::Broken(_) | Attempt::Nothing => {}
        }
        Ok(())
    }

    /// Tries to make a schema. That a view makes none, or only with more work than it may make, is found out once.
    fn attempt(&mut self, row: &DocumentRow) -> Result<Attempt, StoreError> {
        let (schemas, settings, histories) = (&self.schemas, &self.settings, &mut self.histories);
        let attempted = within(settings.limits.entry_work_max, &self.store, |store| {
            attempt(store, histories, row, schemas, settings)
        });
        let attempted = match attempted {
            Err(StoreError::BudgetExceeded) => Attempt::Broken(Reason::BudgetExceeded),
            attempted => attempted?,
        };
        if let Attempt::Broken(cause) = attempted {
            let view = row.view_id.hash();
            self.store.insert_broken_definition(view, cause.code())?;
            self.schemas.break_off(view);
        }
        Ok(attempted)
    }

    fn add_schema(&mut self, row: SchemaRow) -> Result<(), StoreError> {
        self.store.insert_schema(&row)?;
        let id = row.schema.id().clone();
        self.schemas.insert(row.schema, row.origin);
        self.met.push_back(Need::Schema(id.clone()));
        self.outputs.push_back(Output::SchemaAdded(id));
        self.mark_new_schemas();
        Ok(())
    }

    /// Whether there is room for what an operation defines.
    pub(super) fn check_room_for_schema(
        &self,
        author: PublicKey,
        operation: &Operation<Value>,
    ) -> Result<(), IngestError> {
        let defines = *operation.schema_id() == SchemaId::SCHEMA_DEFINITION
            && operation.action() != Action::Delete;
        if !defines {
            return Ok(());
        }
        let fields = operation.fields().and_then(|fields| fields.get("fields"));
        let weight = weight_of(fields.map_or(1, count_of));
        let limits = self.settings.limits.schemas;
        match self.schemas.counted().is_full(author, weight, limits) {
            None => Ok(()),
            Some(Full::Author) => Err(PolicyError::too_many_schemas(author).into()),
            Some(Full::Node) => Err(PolicyError::SchemasFull.into()),
        }
    }

    /// Forgets the schemas that a deleted document was a part of.
    //= R7: with a definition goes what it says
    pub(super) fn definition_deleted(&mut self, row: &DocumentRow) -> Result<(), StoreError> {
        if !is_definition(&row.schema_id) {
            return Ok(());
        }
        self.schemas.stop_waiting(row.id);
        for id in self.made_of(row.id)? {
            self.remove_schema(&id)?;
        }
        Ok(())
    }

    /// Forgets the schemas that can't be made any more, after something of a document was purged.
    pub(super) fn definition_purged(
        &mut self,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        if !is_definition(schema_id) {
            return Ok(());
        }
        self.schemas.stop_waiting(document);
        for id in self.made_of(document)? {
            self.schemas.remove(&id);
            let SchemaId::Application { view_id, .. } = &id else {
                continue;
            };
            let row = self.histories.document_at(&self.store, view_id)?;
            let made = match row {
                Some(row) => self.attempt(&row)?,
                None => Attempt::Nothing,
            };
            match made {
                Attempt::Complete(row) => self.schemas.insert(row.schema, row.origin),
                Attempt::Incomplete(_) | Attempt::Broken(_) | Attempt::Nothing => {
                    self.drop_schema(&id)?
                }
            }
        }
        Ok(())
    }

    fn made_of(&self, document: DocumentId) -> Result<Vec<SchemaId>, StoreError> {
        let entries = self.store.document_entries(document)?;
        let operations = entries.into_iter().map(|row| row.hash.into());
        Ok(self.schemas.made_of(operations).into_iter().collect())
    }

    fn remove_schema(&mut self, id: &SchemaId) -> Result<(), StoreError> {
        self.schemas.remove(id);
        self.drop_schema(id)
    }

    fn drop_schema(&mut self, id: &SchemaId) -> Result<(), StoreError> {
        self.store.remove_schema(id)?;
        self.outputs.push_back(Output::SchemaRemoved(id.clone()));
        Ok(())
    }

    /// Brings what the store keeps in line with the operator's settings, when a node starts.
    pub(super) fn settle_schemas(&mut self) -> Result<(), StoreError> {
        let changes = changes(&self.store, &self.settings)?;
        if changes.is_empty() {
            return Ok(());
        }
        self.store.begin()?;
        let apply = |store: &mut S| {
            for change in &changes {
                match change {
                    Change::Keep(row) => store.insert_schema(row)?,
                    Change::Drop(id) => store.remove_schema(id)?,
                }
            }
            store.commit()
        };
        let applied = apply(&mut self.store);
        if applied.is_err() {
            // The error that led here says more than one that follows from it.
            let _ = self.store.rollback();
        }
        applied
    }
}

/// What is to be done to a schema that is kept.
enum Change {
    Keep(SchemaRow),
    Drop(SchemaId),
}

/// Looks for schemas that are kept otherwise than the operator wants. Of those that are too many, the
/// youngest are withheld.
fn changes(store: &impl Store, settings: &EngineSettings) -> Result<Vec<Change>, StoreError> {
    let mut rows = Vec::new();
    visit_rows(store, |row| rows.push(row))?;
    rows.sort_by_key(|row| row.origin.as_ref().map(|origin| origin.known_since));
    let (mut changes, mut counted) = (Vec::new(), Counted::default());
    let position = store.position()?;
    for mut row in rows {
        let is_new = row.origin.is_none();
        if is_new {
            row.origin = origin_of(store, &row.schema)?;
        }
        let Some(origin) = &mut row.origin else {
            changes.push(Change::Drop(row.schema.id().clone()));
            continue;
        };
        let weight = weight_of(row.schema.fields().len());
        let wanted = settings.policy.wants(row.schema.id())
            && settings.policy.admit_author(origin.author).is_ok()
            && counted
                .is_full(origin.author, weight, settings.limits.schemas)
                .is_none();
        if wanted {
            counted.add(Some(origin.author), weight);
        }
        if wanted && row.withheld {
            // To those who follow schemas it is new.
            origin.known_since = position;
        }
        if is_new || wanted == row.withheld {
            row.withheld = !wanted;
            changes.push(Change::Keep(row));
        }
    }
    Ok(changes)
}

/// Where a schema comes from that an earlier version kept; `None` when its definition is gone.
fn origin_of(store: &impl Store, schema: &Schema) -> Result<Option<SchemaOrigin>, StoreError> {
    let SchemaId::Application { view_id, .. } = schema.id() else {
        return Ok(None);
    };
    let mut parts = view_id.ids().to_vec();
    let listed = match document_at_view(store, view_id)? {
        Some(row) => listed(&row).map(<[_]>::to_vec).unwrap_or_default(),
        // Its values may have been collected since.
        None => Vec::new(),
    };
    parts.extend(listed.iter().flat_map(DocumentViewId::ids));
    let operations = store.operations(&parts)?;
    let mut known_since = 0;
    for part in &parts {
        let Some(operation) = operations.get(part).filter(|row| !row.purged) else {
            return Ok(None);
        };
        let document = store.document_outline(operation.document)?;
        if document.is_none_or(|row| row.is_deleted()) {
            return Ok(None);
        }
        known_since = known_since.max(operation.position);
    }
    let author = author_of(store, view_id)?;
    Ok(author.map(|author| SchemaOrigin {
        author,
        known_since,
        parts,
    }))
}

/// A schema to judge a DELETE by, whose document may outlive what its schema says.
pub(super) fn bare(id: &SchemaId) -> Option<Schema> {
    let name: FieldName = "nothing".parse().ok()?;
    Schema::new(id.clone(), String::new(), [(name, FieldType::Bool)]).ok()
}

fn is_definition(schema_id: &SchemaId) -> bool {
    [
        SchemaId::SCHEMA_DEFINITION,
        SchemaId::SCHEMA_FIELD_DEFINITION,
    ]
    .contains(schema_id)
}

/// Who published the latest operation of a view.
fn author_of(store: &dyn Read, view_id: &DocumentViewId) -> Result<Option<PublicKey>, StoreError> {
    let latest = match view_id.ids() {
        [one] => Some(*one),
        ids => {
            let operations = store.operations(ids)?.into_iter();
            operations
                .max_by_key(|(_, row)| row.position)
                .map(|(id, _)| id)
        }
    };
    let entry = latest.map(|id| store.placed(id.hash())).transpose()?;
    Ok(entry.flatten().map(|entry| entry.public_key))
}

/// The views of fields that a definition lists.
fn listed(definition: &DocumentRow) -> Option<&[DocumentViewId]> {
    match definition.fields.as_ref()?.get("fields")? {
        (Value::PinnedRelationList(listed), _) => Some(listed),
        _ => None,
    }
}

fn count_of(value: &Value) -> usize {
    match value {
        Value::PinnedRelationList(listed) => listed.len(),
        _ => 1,
    }
}

/// The id of the schema that the view of a definition makes.
fn defined_by(definition: &DocumentRow) -> Option<SchemaId> {
    let (Value::Str(name), _) = definition.fields.as_ref()?.get("name")? else {
        return None;
    };
    Some(SchemaId::Application {
        name: name.parse().ok()?,
        view_id: definition.view_id.clone(),
    })
}

/// A definition that is worth being looked into.
struct Candidate<'d> {
    listed: &'d [DocumentViewId],
    author: PublicKey,
    weight: u64,
}

impl Candidate<'_> {
    fn waiting(&self, lacks: &DocumentViewId) -> Waiting {
        Waiting {
            author: self.author,
            weight: self.weight,
            lacks: lacks.clone(),
        }
    }
}

/// The view of a definition, if it may make a schema that is not known, is wanted, and for which there is room.
fn candidate<'d>(
    store: &dyn Read,
    definition: &'d DocumentRow,
    schemas: &Registry,
    settings: &EngineSettings,
) -> Result<Option<Candidate<'d>>, StoreError> {
    let (Some(id), Some(listed)) = (defined_by(definition), listed(definition)) else {
        return Ok(None);
    };
    let is_settled = schemas.knows(&id) || schemas.is_broken(definition.view_id.hash());
    if is_settled || !settings.policy.wants(&id) {
        return Ok(None);
    }
    let Some(author) = author_of(store, &definition.view_id)? else {
        return Ok(None);
    };
    let weight = weight_of(listed.len());
    let counted = schemas.counted();
    let is_full = counted
        .is_full(author, weight, settings.limits.schemas)
        .is_some();
    let is_wanted = !is_full && settings.policy.admit_author(author).is_ok();
    Ok(is_wanted.then_some(Candidate {
        listed,
        author,
        weight,
    }))
}

/// Tries to make a schema from the view of a definition. What is not wanted is not even looked into.
fn attempt(
    store: &dyn Read,
    histories: &mut Histories,
    definition: &DocumentRow,
    schemas: &Registry,
    settings: &EngineSettings,
) -> Result<Attempt, StoreError> {
    let Some(candidate) = candidate(store, definition, schemas, settings)? else {
        return Ok(Attempt::Nothing);
    };
    let (listed, author) = (candidate.listed, candidate.author);
    if listed.len() > SCHEMA_FIELDS_MAX {
        return Ok(Attempt::Broken(Reason::SchemaFieldCount));
    }
    let mut views: BTreeMap<DocumentViewId, Fields<Value>> = BTreeMap::new();
    for view_id in listed {
        if views.contains_key(view_id) {
            continue;
        }
        let Some(row) = histories.document_at(store, view_id)? else {
            return Ok(Attempt::Incomplete(candidate.waiting(view_id)));
        };
        if row.schema_id != SchemaId::SCHEMA_FIELD_DEFINITION {
            return Ok(Attempt::Broken(Reason::SchemaDefinition));
        }
        views.extend(row.values().map(|values| (view_id.clone(), values)));
    }
    let values = definition.values().unwrap_or_default();
    let schema = match build_schema(&definition.view_id, &values, &views) {
        Ok(schema) => schema,
        Err(error) => return Ok(Attempt::Broken(error.reason())),
    };
    let parts = definition.view_id.ids().iter();
    let parts = parts.chain(listed.iter().flat_map(DocumentViewId::ids));
    Ok(Attempt::Complete(SchemaRow {
        schema,
        origin: Some(SchemaOrigin {
            author,
            known_since: store.position()?,
            parts: parts.copied().collect(),
        }),
        withheld: false,
    }))
}
