//! The known schemas with what they are made of, the definitions that wait for their fields, and how much of both
//! each author has.
//!
//! Keeps books and asks nobody. What a schema costs while nobody uses it is what stands here, so that it is
//! counted here: a schema of many fields counts as several, and so does a definition that waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grove_core::types::{
    DocumentId, DocumentViewId, Hash, OperationId, PublicKey, Schema, SchemaId, SystemSchema,
};
use grove_core::wire::SchemaSet;

use super::policy::SchemaLimits;
use crate::store::SchemaOrigin;

/// How many fields of a schema count as one schema.
const FIELDS_PER_UNIT: usize = 16;

/// What a schema of so many fields counts.
pub(super) fn weight_of(fields: usize) -> u64 {
    fields.div_ceil(FIELDS_PER_UNIT).max(1) as u64
}

/// Schemas and definitions by what they are asked for by.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    known: BTreeMap<SchemaId, Known>,
    /// The schemas that an operation is a part of, so that those can be found that go with it.
    made_of: BTreeMap<OperationId, Vec<SchemaId>>,
    waiting: BTreeMap<DocumentId, Waiting>,
    /// Definitions by the operations that would make up a field they lack. So an operation costs what
    /// waits for it, and not all that anybody ever left incomplete.
    lacking: BTreeMap<OperationId, BTreeSet<DocumentId>>,
    counted: Counted,
    /// Views of definitions that make no schema, by the hashes of their ids.
    broken: BTreeSet<Hash>,
}

#[derive(Debug, Clone)]
struct Known {
    schema: Arc<Schema>,
    origin: Option<SchemaOrigin>,
}

/// A definition that lacks a field.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Who published the latest operation of it.
    pub(super) author: PublicKey,
    /// What its schema would count.
    pub(super) weight: u64,
    /// The view of the field.
    pub(super) lacks: DocumentViewId,
}

/// How much there is, of each author and in all.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    by_author: BTreeMap<PublicKey, u64>,
    total: u64,
}

/// What keeps a schema out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// Its author has as many as one may have.
    Author,
    /// There are as many as there may be.
    Node,
}

impl Counted {
    /// Whether so much more of an author is too much.
    pub(super) fn is_full(
        &self,
        author: PublicKey,
        weight: u64,
        limits: SchemaLimits,
    ) -> Option<Full> {
        let own = self.by_author.get(&author).copied().unwrap_or_default();
        if own.saturating_add(weight) > limits.per_author {
            return Some(Full::Author);
        }
        (self.total.saturating_add(weight) > limits.total).then_some(Full::Node)
    }

    pub(super) fn add(&mut self, author: Option<PublicKey>, weight: u64) {
        self.total += weight;
        if let Some(author) = author {
            *self.by_author.entry(author).or_default() += weight;
        }
    }

    fn remove(&mut self, author: Option<PublicKey>, weight: u64) {
        assert!(self.total >= weight, "more schemas go than came");
        self.total -= weight;
        let Some(author) = author else { return };
        let own = self.by_author.get_mut(&author);
        let own = own.expect("what was counted has an author");
        *own -= weight;
        if *own == 0 {
            self.by_author.remove(&author);
        }
    }
}

impl Registry {
    /// The schemas that every node knows. They count for nothing.
    pub(super) fn of_system() -> Self {
        let system = SystemSchema::ALL.into_iter().map(|system| {
            let known = Known {
                schema: Arc::new(Schema::system(system)),
                origin: None,
            };
            (SchemaId::System(system), known)
        });
        Self {
            known: system.collect(),
            made_of: BTreeMap::new(),
            waiting: BTreeMap::new(),
            lacking: BTreeMap::new(),
            counted: Counted::default(),
            broken: BTreeSet::new(),
        }
    }

    /// The schema of this id, if it is known.
    pub(super) fn get(&self, id: &SchemaId) -> Option<Arc<Schema>> {
        self.known.get(id).map(|known| Arc::clone(&known.schema))
    }

    /// Whether it was found out that this view of a definition makes no schema.
    pub(super) fn is_broken(&self, view: Hash) -> bool {
        self.broken.contains(&view)
    }

    /// Remembers that a view of a definition makes no schema.
    pub(super) fn break_off(&mut self, view: Hash) {
        self.broken.insert(view);
    }

    pub(super) fn knows(&self, id: &SchemaId) -> bool {
        self.known.contains_key(id)
    }

    /// The ids of all known schemas.
    pub(super) fn ids(&self) -> SchemaSet {
        self.known.keys().cloned().collect()
    }

    pub(super) fn counted(&self) -> &Counted {
        &self.counted
    }

    /// Notes a schema that was not known.
    pub(super) fn insert(&mut self, schema: Schema, origin: Option<SchemaOrigin>) {
        let id = schema.id().clone();
        let author = origin.as_ref().map(|origin| origin.author);
        for part in origin.iter().flat_map(|origin| &origin.parts) {
            self.made_of.entry(*part).or_default().push(id.clone());
        }
        self.counted.add(author, weight_of(schema.fields().len()));
        let schema = Arc::new(schema);
        let before = self.known.insert(id, Known { schema, origin });
        assert!(before.is_none(), "a schema became known twice");
    }

    /// Forgets a schema.
    pub(super) fn remove(&mut self, id: &SchemaId) {
        let Some(Known { schema, origin }) = self.known.remove(id) else {
            return;
        };
        let author = origin.as_ref().map(|origin| origin.author);
        self.counted
            .remove(author, weight_of(schema.fields().len()));
        for part in origin.iter().flat_map(|origin| &origin.parts) {
            if let Some(schemas) = self.made_of.get_mut(part) {
                schemas.retain(|other| other != id);
                if schemas.is_empty() {
                    self.made_of.remove(part);
                }
            }
        }
    }

    /// The schemas that one of these operations is a part of.
    pub(super) fn made_of(
        &self,
        operations: impl IntoIterator<Item = OperationId>,
    ) -> BTreeSet<SchemaId> {
        let made = operations
            .into_iter()
            .filter_map(|id| self.made_of.get(&id));
        made.flatten().cloned().collect()
    }

    /// Has a definition wait for the operations of a view, and for nothing else any more.
    pub(super) fn wait(&mut self, definition: DocumentId, waiting: Waiting) {
        self.stop_waiting(definition);
        for id in waiting.lacks.ids() {
            self.lacking.entry(*id).or_default().insert(definition);
        }
        self.counted.add(Some(waiting.author), waiting.weight);
        self.waiting.insert(definition, waiting);
    }

    /// Has a definition wait no more.
    pub(super) fn stop_waiting(&mut self, definition: DocumentId) {
        let Some(waiting) = self.waiting.remove(&definition) else {
            return;
        };
        self.counted.remove(Some(waiting.author), waiting.weight);
        for id in waiting.lacks.ids() {
            if let Some(definitions) = self.lacking.get_mut(id) {
                definitions.remove(&definition);
                if definitions.is_empty() {
                    self.lacking.remove(id);
                }
            }
        }
    }

    /// The definitions that wait for an operation.
    pub(super) fn waiting_for(&self, id: OperationId) -> BTreeSet<DocumentId> {
        self.lacking.get(&id).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use grove_core::types::{FieldType, Hash, KeyPair};

    use super::*;

    const LIMITS: SchemaLimits = SchemaLimits {
        per_author: 3,
        total: 4,
    };

    fn operation(name: &str) -> OperationId {
        Hash::of(name.as_bytes()).into()
    }

    fn author(seed: u8) -> PublicKey {
        KeyPair::from_seed(&[seed; 32]).public_key()
    }

    fn schema(name: &str, fields: usize) -> Schema {
        let id = SchemaId::Application {
            name: name.parse().expect("a name"),
            view_id: operation(name).into(),
        };
        let field = |number| {
            (
                format!("f{number}").parse().expect("a name"),
                FieldType::Bool,
            )
        };
        Schema::new(id, String::new(), (0..fields).map(field)).expect("a schema")
    }

    fn origin(seed: u8, parts: &[&str]) -> Option<SchemaOrigin> {
        Some(SchemaOrigin {
            author: author(seed),
            known_since: 1,
            parts: parts.iter().map(|part| operation(part)).collect(),
        })
    }

    #[test]
    fn what_goes_is_counted_no_more() {
        let mut registry = Registry::of_system();
        let full = |registry: &Registry, seed| registry.counted().is_full(author(seed), 1, LIMITS);
        let (small, large) = (schema("small", 1), schema("large", 17));

        registry.insert(large.clone(), origin(1, &["large", "field"]));
        assert_eq!(full(&registry, 1), None);
        registry.insert(small.clone(), origin(1, &["small", "field"]));
        assert_eq!(full(&registry, 1), Some(Full::Author));
        let waiting = Waiting {
            author: author(2),
            weight: 1,
            lacks: operation("missing").into(),
        };
        registry.wait(operation("waits").into(), waiting);
        assert_eq!(full(&registry, 3), Some(Full::Node));

        let both = BTreeSet::from([small.id().clone(), large.id().clone()]);
        assert_eq!(registry.made_of([operation("field")]), both);
        for id in &both {
            registry.remove(id);
        }
        registry.stop_waiting(operation("waits").into());

        assert!(registry.made_of.is_empty() && registry.lacking.is_empty());
        assert!(registry.counted.by_author.is_empty());
        assert_eq!(registry.counted.total, 0);
    }
}
