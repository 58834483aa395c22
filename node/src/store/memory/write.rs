//! Changes to a store in memory.

use std::sync::Arc;

use grove_core::publish::Placement;
use grove_core::types::{
    DocumentId, FieldType, Hash, LogId, PublicKey, Schema, SchemaId, SeqNum, Value,
};
use grove_core::wire::Action;

use super::MemoryStore;
use super::state::{State, Stored, Tree, TreeId};
use crate::store::border;
use crate::store::codec::brief;
use crate::store::{
    DocumentRow, ForkRow, Need, NewEntry, News, ParkedMax, ParkedRow, Read, SchemaRow, Store,
    StoreError, TIMES_KEPT_S, TreeRow, ViewFields,
};

/// The entry before a new one is not where the new one's placement says.
const MISFIT: StoreError = StoreError::Misfit("log");

impl Store for MemoryStore {
    fn begin(&mut self) -> Result<Option<News>, StoreError> {
        self.source.begin()?;
        Ok(None)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.source.commit()
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.source.rollback();
        Ok(())
    }

    fn insert_entry(&mut self, entry: NewEntry<'_>) -> Result<i64, StoreError> {
        border::expect_entry(&entry);
        let state = self.source.change();
        if state.position_of.contains(&entry.hash) {
            return Err(StoreError::Misfit("entry"));
        }
        let tree = match entry.placement {
            Placement::Begins => state.begin_tree(&entry, false)?,
            Placement::BeginsTree => state.begin_tree(&entry, true)?,
            Placement::Extends(backlink) => state.extend_branch(&entry, backlink)?,
            Placement::Branches(backlink) => state.begin_branch(&entry, backlink)?,
        };
        let position = state.position() + 1;
        let stored = Stored {
            tree,
            seq_num: entry.seq_num,
            hash: entry.hash,
            entry: entry.entry.to_vec(),
            payload: entry.payload.map(<[u8]>::to_vec),
            action: entry.action,
            stub: None,
        };
        state.entries.insert(position, Arc::new(stored));
        state.position_of.insert(entry.hash, position);
        let place = (tree, entry.seq_num, entry.hash);
        let taken = state.entries_of_tree.insert(place, position);
        assert!(taken.is_none(), "two entries with one hash");
        Ok(position)
    }

    fn restore_payload(
        &mut self,
        hash: Hash,
        payload: &[u8],
        action: Action,
    ) -> Result<(), StoreError> {
        border::expect_restored(payload);
        let state = self.source.change();
        let (position, stored) = state.stored(hash).ok_or(StoreError::Misfit("entry"))?;
        let tree = stored.tree;
        state.change_entry(position, |stored| {
            stored.payload = Some(payload.to_vec());
            stored.action = Some(action);
            stored.stub = None;
        })?;
        let mut row = state.tree(tree)?.clone();
        if row.withheld_from.is_some() && !row.row.purged {
            // Up to the next operation that was collected the tree is whole again.
            let lacks = |(_, position): &(SeqNum, i64)| {
                let stored = state.entries.get(position);
                stored.is_none_or(|stored| stored.payload.is_none())
            };
            let mut entries = state.entries_of(tree, SeqNum::FIRST);
            row.withheld_from = entries.find(lacks).map(|(seq_num, _)| seq_num);
            drop(entries);
            state.trees.insert(tree, row);
        }
        Ok(())
    }

    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError> {
        let state = self.source.change();
        let trees: Vec<_> = state.trees_of_document(document).collect();
        //= DL2: what deleted the document is kept
        //= R7: the DELETE operations stay, as the document's tombstone
        state.drop_payloads_of(&trees, |stored| stored.action != Some(Action::Delete))?;
        for id in trees {
            let mut tree = state.tree(id)?.clone();
            if tree.withheld_from.is_some() && !tree.row.purged {
                // What is missing of it was deleted by now, and can be told as such.
                tree.withheld_from = None;
                state.trees.insert(id, tree);
            }
        }
        Ok(())
    }

    fn doubt(&mut self, hash: Hash) -> Result<(), StoreError> {
        let state = self.source.change();
        let (_, stored) = state.stored(hash).ok_or(StoreError::Misfit("entry"))?;
        let (id, seq_num) = (stored.tree, stored.seq_num);
        state.withhold(id, seq_num)
    }

    fn leave_stub(&mut self, hash: Hash, stub: &[u8]) -> Result<(), StoreError> {
        border::expect_stub(stub);
        let state = self.source.change();
        let (position, stored) = state.stored(hash).ok_or(StoreError::Misfit("entry"))?;
        if stored.payload.is_some() {
            return Err(StoreError::Misfit("entry"));
        }
        state.change_entry(position, |stored| stored.stub = Some(stub.to_vec()))
    }

    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError> {
        let state = self.source.change();
        let number = state.changes.len() as u64;
        state.changes.insert((state.position(), number), document);
        Ok(())
    }

    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError> {
        let state = self.source.change();
        let trees: Vec<_> = state.log(public_key, log_id).collect();
        if trees.is_empty() {
            return Err(MISFIT);
        }
        for id in &trees {
            let mut tree = state.tree(*id)?.clone();
            tree.row.purged = true;
            tree.withheld_from = Some(SeqNum::FIRST);
            state.trees.insert(*id, tree);
        }
        state.drop_payloads_of(&trees, |_| true)
    }

    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError> {
        stub.into_iter().for_each(border::expect_stub);
        let state = self.source.change();
        let (position, stored) = state.stored(hash).ok_or(StoreError::Misfit("entry"))?;
        let (id, seq_num) = (stored.tree, stored.seq_num);
        state.change_entry(position, |stored| {
            stored.payload = None;
            stored.stub = stub.map(<[u8]>::to_vec);
        })?;
        state.withhold(id, seq_num)
    }

    fn insert_time(&mut self, at: i64) -> Result<(), StoreError> {
        border::expect_time(at);
        let state = self.source.change();
        state.times.insert(at, state.position());
        let oldest = at.saturating_sub(TIMES_KEPT_S);
        let old: Vec<_> = state.times.range(..oldest).map(|(at, _)| *at).collect();
        for at in old {
            state.times.remove(&at);
        }
        Ok(())
    }

    fn insert_audit_entry(&mut self, at: i64, what: &str) -> Result<(), StoreError> {
        border::expect_time(at);
        let state = self.source.change();
        let number = state.audit_log.len() as u64;
        state.audit_log.insert(number, (at, what.to_owned()));
        Ok(())
    }

    fn reassign_tree(
        &mut self,
        first: Hash,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        let state = self.source.change();
        let stored = state.stored(first).map(|(_, stored)| stored);
        let first = stored.filter(|stored| stored.seq_num == SeqNum::FIRST);
        let id = first.ok_or(MISFIT)?.tree;
        let mut tree = state.tree(id)?.clone();
        state.trees_of_document.remove(&(tree.row.document, id));
        let schema = (tree.row.schema_id.clone(), id);
        state.trees_of_schema.remove(&schema);
        state.trees_of_document.insert((document, id), ());
        state.trees_of_schema.insert((schema_id.clone(), id), ());
        tree.row.document = document;
        tree.row.schema_id = schema_id.clone();
        tree.withheld_from = Some(SeqNum::FIRST);
        state.trees.insert(id, tree);
        Ok(())
    }

    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError> {
        border::expect_fork(fork);
        let state = self.source.change();
        let log = (fork.public_key, fork.log_id);
        if state.log(log.0, log.1).next().is_none() {
            return Err(MISFIT);
        }
        state.forks.insert(log, fork.clone());
        Ok(())
    }

    fn unmaterialised(&mut self, _: u32) -> Result<Vec<DocumentId>, StoreError> {
        // Nothing here was written by an earlier version.
        Ok(Vec::new())
    }

    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError> {
        border::expect_document(document);
        let mut row = document.clone();
        if let Some(fields) = &mut row.fields {
            let schema = self.schema(&row.schema_id)?;
            check_fields(&schema.ok_or(StoreError::Misfit("schema"))?, fields)?;
            if row.schema_id == SchemaId::BLOB_PIECE {
                for (value, _) in fields.values_mut() {
                    if let Value::Bytes(bytes) = value {
                        *bytes = brief(bytes);
                    }
                }
            }
        }
        let state = self.source.change();
        state.remove_document(row.id);
        let key = (row.schema_id.clone(), row.is_deleted(), row.id);
        state.documents_of_schema.insert(key, ());
        state.documents.insert(row.id, Arc::new(row));
        Ok(())
    }

    fn remove_document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        self.source.change().remove_document(id);
        Ok(())
    }

    fn insert_schema(&mut self, row: &SchemaRow) -> Result<(), StoreError> {
        border::expect_schema(row);
        // Every node knows the system schemas.
        if !matches!(row.schema.id(), SchemaId::System(_)) {
            let state = self.source.change();
            state.schemas.insert(row.schema.id().clone(), row.clone());
        }
        Ok(())
    }

    fn remove_schema(&mut self, id: &SchemaId) -> Result<(), StoreError> {
        self.source.change().schemas.remove(id);
        Ok(())
    }

    fn insert_broken_definition(&mut self, view: Hash, cause: &str) -> Result<(), StoreError> {
        let state = self.source.change();
        state.broken_definitions.insert(view, cause.to_owned());
        Ok(())
    }

    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError> {
        border::expect_parked(row, need);
        let state = self.source.change();
        // Parked already: it stays as old as it is.
        let age = match state.parked_age.get(&row.hash).copied() {
            Some(age) => {
                state.unpark_one(age);
                age
            }
            None => state
                .parked
                .iter()
                .next_back()
                .map_or(0, |(age, _)| age + 1),
        };
        state.parked_age.insert(row.hash, age);
        state.waiting.insert((need.clone(), age), ());
        state.parked.insert(age, (row.clone(), need.clone()));
        state.parked_sum.add(row);
        Ok(())
    }

    fn unpark(&mut self, need: &Need) -> Result<Vec<ParkedRow>, StoreError> {
        let state = self.source.change();
        let waiting = state
            .waiting
            .range((need.clone(), u64::MIN)..=(need.clone(), u64::MAX));
        let ages: Vec<_> = waiting.map(|((_, age), ())| *age).collect();
        Ok(ages
            .into_iter()
            .filter_map(|age| state.unpark_one(age))
            .collect())
    }

    fn evict_parked(&mut self, max: ParkedMax) -> Result<u64, StoreError> {
        let state = self.source.change();
        while state.parked_sum.exceeds(max) {
            let oldest = state.parked.iter().next().map(|(age, _)| *age);
            let Some(oldest) = oldest else { break };
            state.unpark_one(oldest);
        }
        debug_assert!(!state.parked_sum.exceeds(max), "more is parked than may be");
        Ok(state.parked_sum.entries)
    }
}

impl State {
    /// Begins a tree: the first of its log, or a further one.
    fn begin_tree(&mut self, entry: &NewEntry<'_>, further: bool) -> Result<TreeId, StoreError> {
        let used = self.log(entry.public_key, entry.log_id).next().is_some();
        if used != further || entry.seq_num != SeqNum::FIRST {
            return Err(MISFIT);
        }
        let id = self.trees.len() as TreeId;
        let row = TreeRow {
            public_key: entry.public_key,
            log_id: entry.log_id,
            document: entry.document,
            schema_id: entry.schema_id.clone(),
            tip: entry.tip(),
            branched: false,
            purged: false,
        };
        self.trees_of_log
            .insert((entry.public_key, entry.log_id, id), ());
        self.trees_of_document.insert((entry.document, id), ());
        self.trees_of_schema
            .insert((entry.schema_id.clone(), id), ());
        let withheld_from = None;
        let before = self.trees.insert(id, Tree { row, withheld_from });
        assert!(before.is_none(), "a tree begins once");
        self.further += u64::from(further);
        Ok(id)
    }

    /// Makes an entry the tip of the branch that ended in the entry before it.
    fn extend_branch(
        &mut self,
        entry: &NewEntry<'_>,
        backlink: Hash,
    ) -> Result<TreeId, StoreError> {
        let id = self.tree_with(entry, backlink)?;
        let mut tree = self.tree(id)?.clone();
        if tree.row.tip.hash == backlink {
            tree.row.tip = entry.tip();
            self.trees.insert(id, tree);
        } else {
            self.branches.remove(&(id, backlink)).ok_or(MISFIT)?;
            self.branches.insert((id, entry.hash), entry.tip());
        }
        self.prefer(id)?;
        Ok(id)
    }

    /// Makes an entry the tip of a branch that leaves another one behind the entry before it.
    fn begin_branch(&mut self, entry: &NewEntry<'_>, backlink: Hash) -> Result<TreeId, StoreError> {
        let id = self.tree_with(entry, backlink)?;
        let is_tip = self.tree(id)?.row.tip.hash == backlink;
        if is_tip || self.branches.contains(&(id, backlink)) {
            return Err(MISFIT);
        }
        self.branches.insert((id, entry.hash), entry.tip());
        self.prefer(id)?;
        Ok(id)
    }

    /// The tree that holds the entry before a new one.
    fn tree_with(&self, entry: &NewEntry<'_>, backlink: Hash) -> Result<TreeId, StoreError> {
        let (_, before) = self.stored(backlink).ok_or(MISFIT)?;
        let row = &self.tree(before.tree)?.row;
        let fits = entry.seq_num.backlink() == Some(before.seq_num)
            && (row.public_key, row.log_id) == (entry.public_key, entry.log_id);
        fits.then_some(before.tree).ok_or(MISFIT)
    }

    /// Withholds a tree from peers from this number on.
    fn withhold(&mut self, id: TreeId, seq_num: SeqNum) -> Result<(), StoreError> {
        let mut tree = self.tree(id)?.clone();
        let from = tree.withheld_from.map_or(seq_num, |from| from.min(seq_num));
        tree.withheld_from = Some(from);
        self.trees.insert(id, tree);
        Ok(())
    }

    fn remove_document(&mut self, id: DocumentId) {
        if let Some(row) = self.documents.remove(&id) {
            let key = (row.schema_id.clone(), row.is_deleted(), id);
            let known = self.documents_of_schema.remove(&key);
            assert!(known.is_some(), "a document without its schema");
        }
    }
}

/// Checks that a view has the fields of its schema, each of its type.
fn check_fields(schema: &Schema, fields: &ViewFields) -> Result<(), StoreError> {
    let fits = fields.len() == schema.fields().len()
        && schema.fields().iter().all(|(name, field_type)| {
            let field = fields.get(name.as_str());
            field.is_some_and(|(value, _)| is_of(field_type, value))
        });
    fits.then_some(()).ok_or(StoreError::Misfit("fields"))
}

fn is_of(field_type: &FieldType, value: &Value) -> bool {
    matches!(
        (field_type, value),
        (FieldType::Bool, Value::Bool(_))
            | (FieldType::Int, Value::Int(_))
            | (FieldType::Float, Value::Float(_))
            | (FieldType::Str, Value::Str(_))
            | (FieldType::Bytes, Value::Bytes(_))
            | (FieldType::Relation(_), Value::Relation(_))
            | (FieldType::RelationList(_), Value::RelationList(_))
            | (FieldType::PinnedRelation(_), Value::PinnedRelation(_))
            | (
                FieldType::PinnedRelationList(_),
                Value::PinnedRelationList(_)
            )
    )
}
