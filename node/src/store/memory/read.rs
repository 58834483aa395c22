//! Questions to a store in memory.
//!
//! Documents are found by the meaning of a query itself: every document of the schema is looked at. That makes
//! this store what the databases are held against.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::prefers;
use grove_core::wire::{Heights, SchemaSet, Tips};

use super::state::{State, TreeId};
use super::{Memory, Source};
use crate::budget::Budget;
use crate::store::border;
use crate::store::outside::Extent;
use crate::store::query::{Condition, DocumentQuery, OrderBy, PagePosition, Standing};
use crate::store::rows::fields_size;
use crate::store::trees::PreferredTips;
use crate::store::{
    Change, Counts, DocumentRow, EntryRow, ForkRow, OperationRow, PlacedEntry, Read, SchemaRow,
    StoreError, Take, ToldRow, TreeRow, Usage,
};

impl<S: Source> Memory<S> {
    /// A document that is handed over, once what that costs was taken.
    fn measured(&self, row: DocumentRow) -> Result<DocumentRow, StoreError> {
        self.meter
            .spend_bytes(row.fields.as_ref().map_or(0, fields_size))?;
        Ok(row)
    }
}

impl<S: Source> Read for Memory<S> {
    fn spend(&self, units: u64) -> Result<(), StoreError> {
        self.meter.spend(units)
    }

    fn set_budget(&self, budget: Budget) {
        self.meter.set(budget);
    }

    fn tree_of_tip(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<TreeRow>, StoreError> {
        let state = self.state();
        let Some((_, stored)) = state.stored(tip) else {
            return Ok(None);
        };
        let row = &state.tree(stored.tree)?.row;
        let is_it = (row.public_key, row.log_id, row.tip.hash) == (public_key, log_id, tip);
        Ok(is_it.then(|| row.clone()))
    }

    fn tree_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<TreeRow>, StoreError> {
        let state = self.state();
        let mut own = Vec::new();
        for id in state.trees_of_document(document) {
            let tree = state.tree(id)?;
            if tree.row.public_key == public_key && !state.is_doubted(id)? {
                own.push(tree.row.clone());
            }
        }
        Ok(own.into_iter().reduce(|best, row| {
            let comes_first = match row.purged == best.purged {
                true => prefers(&row.tip, &best.tip),
                false => best.purged,
            };
            if comes_first { row } else { best }
        }))
    }

    fn trees(&self, public_key: PublicKey, log_id: LogId) -> Result<Vec<TreeRow>, StoreError> {
        let state = self.state();
        let found = rows(&state, state.log(public_key, log_id))?;
        border::expect_trees(&found, (public_key, log_id));
        Ok(found)
    }

    fn branches(&self, public_key: PublicKey, log_id: LogId, max: u32) -> Result<u64, StoreError> {
        let state = self.state();
        let tips = state
            .log(public_key, log_id)
            .map(|tree| 1 + state.branches_of(tree).count() as u64);
        Ok(tips.sum::<u64>().min(max.into()))
    }

    fn usage(&self, public_key: PublicKey, max: u64) -> Result<Usage, StoreError> {
        let state = self.state();
        let (mut logs, mut entries) = (BTreeSet::new(), 0);
        for (log_id, tree) in state.trees_of_author(public_key, None) {
            logs.insert(log_id);
            entries += state.entries_of(tree, SeqNum::FIRST).count() as u64;
        }
        Ok(Usage {
            entries: entries.min(max),
            logs: (logs.len() as u64).min(max),
        })
    }

    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError> {
        let state = self.state();
        let last = state.trees_of_author(public_key, None).next_back();
        Ok(last.map(|(log_id, _)| log_id))
    }

    fn entries_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
        limit: u32,
    ) -> Result<Vec<PlacedEntry>, StoreError> {
        let state = self.state();
        let mut found = BTreeMap::new();
        for tree in state.log(public_key, log_id) {
            let of_tree = state.entries_of(tree, seq_num);
            for (_, position) in of_tree.take_while(|(number, _)| *number == seq_num) {
                let stored = state.entries.get(&position);
                let stored = stored.ok_or(StoreError::Corrupt("reference"))?;
                found.insert(stored.hash, state.placed_entry(stored)?);
            }
        }
        let found: Vec<_> = found.into_values().take(limit as usize).collect();
        border::expect_claims(&found, (public_key, log_id), seq_num, limit);
        Ok(found)
    }

    fn placed(&self, hash: Hash) -> Result<Option<PlacedEntry>, StoreError> {
        let state = self.state();
        let stored = state.stored(hash);
        stored
            .map(|(_, stored)| state.placed_entry(stored))
            .transpose()
    }

    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError> {
        let state = self.state();
        let position = state.position_of.get(&hash);
        position.map(|at| state.entry_row(*at)).transpose()
    }

    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
        self.state().operation_row(id)
    }

    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError> {
        let row = self.state().operation_row(id)?;
        Ok(row.and_then(|row| row.payload_size))
    }

    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        self.entries_of_documents(&[document])
    }

    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError> {
        let state = self.state();
        let trees = state.trees_of_schema(schema_id);
        state.entry_rows(positions(&state, trees))
    }

    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError> {
        let state = self.state();
        let mut found = BTreeMap::new();
        for id in ids {
            found.extend(state.operation_row(*id)?.map(|row| (*id, row)));
        }
        Ok(found)
    }

    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError> {
        let state = self.state();
        let documents: BTreeSet<_> = documents.iter().copied().collect();
        let trees = documents
            .into_iter()
            .flat_map(|document| state.trees_of_document(document));
        let mut positions = positions(&state, trees);
        positions.sort_unstable();
        let rows = positions.into_iter().map(|at| {
            self.meter.spend(1)?;
            let row = state.entry_row(at)?;
            let payload = row.payload.as_ref().map_or(0, Vec::len);
            self.meter.spend_bytes(row.entry.len() + payload)?;
            Ok(row)
        });
        let found: Vec<_> = rows.collect::<Result<_, StoreError>>()?;
        border::expect_accepted_order(&found);
        Ok(found)
    }

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        let state = self.state();
        let mut found = BTreeMap::new();
        for id in ids {
            self.meter.spend(1)?;
            if let Some(row) = state.shown(*id) {
                found.insert(*id, self.measured(state.document_row(row, Extent::Whole)?)?);
            }
        }
        Ok(found)
    }

    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<TreeRow>, StoreError> {
        let state = self.state();
        let mut logs: BTreeMap<LogId, Vec<TreeRow>> = BTreeMap::new();
        for (log_id, tree) in state.trees_of_author(public_key, after) {
            if logs.len() == limit as usize && !logs.contains_key(&log_id) {
                break;
            }
            let row = state.tree(tree)?.row.clone();
            logs.entry(log_id).or_default().push(row);
        }
        logs.retain(|_, _| limit > 0);
        for trees in logs.values_mut() {
            trees.sort_by(|a, b| match prefers(&a.tip, &b.tip) {
                true => std::cmp::Ordering::Less,
                false => std::cmp::Ordering::Greater,
            });
        }
        let found: Vec<_> = logs.into_values().flatten().collect();
        border::expect_logs(&found, after, limit);
        Ok(found)
    }

    fn position(&self) -> Result<i64, StoreError> {
        Ok(self.state().position())
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let state = self.state();
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let entries = state.entries.range(behind).take(limit as usize);
        let mut changes = Vec::new();
        for (position, stored) in entries {
            let row = &state.tree(stored.tree)?.row;
            changes.push(change(*position, row));
        }
        // Of the last position all changes are told, so that who goes on from there misses none.
        let until = match changes.last() {
            _ if changes.len() < limit as usize => i64::MAX,
            Some(last) => last.position,
            None => return Ok(changes),
        };
        for ((position, _), document) in state.changes.range((after, 0)..=(until, u64::MAX)) {
            if let Some(tree) = state.trees_of_document(*document).next() {
                changes.push(change(*position, &state.tree(tree)?.row));
            }
        }
        changes.sort_by_key(|change| change.position);
        border::expect_changes(&changes, after);
        Ok(changes)
    }

    fn entries_after(
        &self,
        after: i64,
        schema_id: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let state = self.state();
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let mut found = Vec::new();
        for (position, stored) in state.entries.range(behind) {
            if found.len() == limit as usize {
                break;
            }
            let of = &state.tree(stored.tree)?.row.schema_id;
            if schema_id.is_none_or(|wanted| wanted == of) {
                found.push(state.entry_row(*position)?);
            }
        }
        border::expect_page(&found, after, limit);
        Ok(found)
    }

    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let state = self.state();
        let mut lowest = BTreeSet::new();
        for (public_key, logs) in starts {
            for (log_id, start) in logs {
                for id in state.log(*public_key, *log_id) {
                    let tree = state.tree(id)?;
                    let given = state.entries_of(id, *start);
                    let given = given.take_while(|(seq_num, _)| tree.gives(*seq_num));
                    lowest.extend(given.map(|(_, at)| at).filter(|at| *at > after_position));
                }
            }
        }
        let found = state.entry_rows(lowest.into_iter().take(limit as usize))?;
        border::expect_page(&found, after_position, limit);
        Ok(found)
    }

    fn entries_between(
        &self,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let state = self.state();
        let mut found = Vec::new();
        let between = (
            Bound::Excluded(after),
            Bound::Included(until.max(after.saturating_add(1))),
        );
        for (position, stored) in state.entries.range(between) {
            if found.len() == limit as usize || *position > until {
                break;
            }
            if state.tree(stored.tree)?.gives(stored.seq_num) {
                found.push(state.entry_row(*position)?);
            }
        }
        Ok(found)
    }

    fn told_after(&self, after: i64, limit: u32) -> Result<Vec<ToldRow>, StoreError> {
        let state = self.state();
        let mut told = Vec::new();
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        for (position, stored) in state.entries.range(behind) {
            let tree = state.tree(stored.tree)?;
            let is_doubted = !tree.row.purged && !tree.gives(stored.seq_num);
            if is_doubted && stored.action.is_none() {
                continue;
            }
            if told.len() == limit as usize {
                break;
            }
            told.push(ToldRow {
                position: *position,
                hash: stored.hash,
                schema_id: tree.row.schema_id.clone(),
            });
        }
        Ok(told)
    }

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        let state = self.state();
        let mut tips = Tips::new();
        for id in schemas.iter().flat_map(|id| state.trees_of_schema(id)) {
            let row = &state.tree(id)?.row;
            for tip in state.tips_told(id)? {
                let logs = tips.entry(row.public_key).or_default();
                let log = logs.entry(row.log_id).or_default();
                log.insert((tip.seq_num, tip.hash));
            }
        }
        Ok(tips)
    }

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        let state = self.state();
        let mut preferred = PreferredTips::default();
        for id in schemas.iter().flat_map(|id| state.trees_of_schema(id)) {
            let row = &state.tree(id)?.row;
            for tip in state.tips_told(id)? {
                preferred.add(row.public_key, row.log_id, tip);
            }
        }
        Ok(preferred.into_heights())
    }

    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        Ok(self.documents(&[id])?.remove(&id))
    }

    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        let state = self.state();
        let row = state.shown(id);
        row.map(|row| state.document_row(row, Extent::Outline))
            .transpose()
    }

    fn has_object(&self, _: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let state = self.state();
        let mut found = state.admitted(schema_id, query)?;
        self.meter.spend(found.len() as u64)?;
        let order = &query.order;
        found.retain(|(place, _)| {
            let behind = |after: &PagePosition| order.compare(after, place).is_lt();
            let before = |before: &PagePosition| order.compare(place, before).is_lt();
            query.after.as_ref().is_none_or(behind) && query.before.as_ref().is_none_or(before)
        });
        found.sort_by(|(a, _), (b, _)| order.compare(a, b));
        if query.from_end {
            found.reverse();
        }
        for (_, id) in found.into_iter().take(query.limit as usize) {
            let row = state.documents.get(&id);
            let row = row.ok_or(StoreError::Corrupt("document"))?;
            if !take(self.measured(state.document_row(row, Extent::of(query.outline))?)?) {
                break;
            }
        }
        Ok(())
    }

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let state = self.state();
        let ids: BTreeSet<_> = ids.iter().collect();
        for row in ids.into_iter().filter_map(|id| state.documents.get(id)) {
            let is_wanted = row.schema_id == *schema_id && !row.is_deleted();
            self.meter.spend(1)?;
            if is_wanted && !take(self.measured(state.document_row(row, Extent::of(outline))?)?) {
                break;
            }
        }
        Ok(())
    }

    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.source.hold(questions)
    }

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError> {
        let count = self.state().admitted(schema_id, query)?.len() as u64;
        self.meter.spend(count)?;
        Ok(count)
    }

    fn schema_rows(
        &self,
        after: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<SchemaRow>, StoreError> {
        let state = self.state();
        let from = match after {
            Some(id) => Bound::Excluded(id.clone()),
            None => Bound::Unbounded,
        };
        let rows = state.schemas.range((from, Bound::Unbounded));
        Ok(rows
            .take(limit as usize)
            .map(|(_, row)| row.clone())
            .collect())
    }

    fn kept_schema(&self, id: &SchemaId) -> Result<Option<SchemaRow>, StoreError> {
        Ok(self.state().schemas.get(id).cloned())
    }

    fn broken_definitions(&self) -> Result<BTreeMap<Hash, String>, StoreError> {
        let known = &self.state().broken_definitions;
        let known = known.iter().map(|(view, cause)| (*view, cause.clone()));
        Ok(known.collect())
    }

    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError> {
        Ok(self.state().forks.get(&(public_key, log_id)).cloned())
    }

    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        let state = self.state();
        let last = state.times.range(..=at).next_back();
        Ok(last.map(|(_, position)| *position))
    }

    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        let state = self.state();
        let latest = state.audit_log.iter().rev().take(limit as usize);
        Ok(latest.map(|(_, deed)| deed.clone()).collect())
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        let state = self.state();
        let live = state.documents_of_schema.iter();
        let live = live.filter(|((_, deleted, _), ())| !deleted);
        Ok(Counts {
            entries: state.entries.len() as u64,
            documents: live.count() as u64,
            schemas: state
                .schemas
                .iter()
                .filter(|(_, row)| !row.withheld)
                .count() as u64,
            parked: state.parked.len() as u64,
            forks: state.forks.len() as u64,
            branches: state.branches.len() as u64 + state.further,
        })
    }
}

impl State {
    /// A schema, those of the system included.
    pub fn schema(&self, id: &SchemaId) -> Option<Schema> {
        match id {
            SchemaId::System(system) => Some(Schema::system(*system)),
            id => {
                let row = self.schemas.get(id).filter(|row| !row.withheld);
                row.map(|row| row.schema.clone())
            }
        }
    }

    /// A document; without its schema none is there.
    fn shown(&self, id: DocumentId) -> Option<&Arc<DocumentRow>> {
        let is_known = |id: &SchemaId| match id {
            SchemaId::System(_) => true,
            id => self.schemas.get(id).is_some_and(|row| !row.withheld),
        };
        let row = self.documents.get(&id);
        row.filter(|row| row.is_deleted() || is_known(&row.schema_id))
    }

    /// The documents that a query asks for, on all its pages, each with its place in the order.
    fn admitted(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
    ) -> Result<Vec<(PagePosition, DocumentId)>, StoreError> {
        let Some(schema) = self.schema(schema_id) else {
            return Ok(Vec::new());
        };
        check_fields(&schema, query)?;
        let deleted = query.standing == Standing::Deleted;
        let first = DocumentId::from(Hash::from_digest([0; 32]));
        let all = self
            .documents_of_schema
            .range((schema_id.clone(), deleted, first)..)
            .take_while(|((of, is_deleted, _), ())| of == schema_id && *is_deleted == deleted);
        let mut found = Vec::new();
        for ((_, _, id), ()) in all {
            let row = self.documents.get(id);
            let row = row.ok_or(StoreError::Corrupt("document"))?;
            let row = self.document_row(row, Extent::Whole)?;
            if query.admits(&row) {
                found.push((query.order.place(&row), *id));
            }
        }
        Ok(found)
    }
}

/// Refuses a query that names a field the schema does not have.
fn check_fields(schema: &Schema, query: &DocumentQuery) -> Result<(), StoreError> {
    let conditions = query
        .conditions
        .iter()
        .filter_map(|condition| match condition {
            Condition::Field(name, _) => Some(name),
            _ => None,
        });
    let order = match &query.order.by {
        OrderBy::Field(name) => Some(name),
        _ => None,
    };
    for name in conditions.chain(order) {
        if !schema.fields().keys().any(|known| known.as_str() == name) {
            return Err(StoreError::Misfit("field"));
        }
    }
    Ok(())
}

fn rows(
    state: &State,
    trees: impl IntoIterator<Item = TreeId>,
) -> Result<Vec<TreeRow>, StoreError> {
    let trees = trees.into_iter();
    trees.map(|id| Ok(state.tree(id)?.row.clone())).collect()
}

/// The positions of all entries of these trees.
fn positions(state: &State, trees: impl IntoIterator<Item = TreeId>) -> Vec<i64> {
    let trees = trees.into_iter();
    let entries = trees.flat_map(|tree| state.entries_of(tree, SeqNum::FIRST));
    entries.map(|(_, position)| position).collect()
}

fn change(position: i64, row: &TreeRow) -> Change {
    Change {
        position,
        document: row.document,
        schema_id: row.schema_id.clone(),
    }
}
