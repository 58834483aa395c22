//! What a store in memory holds, and how one thing in it leads to another.
//!
//! Rows lie in sorted maps that share what they have in common with earlier states, so that a state is
//! kept by counting a reference.

use std::ops::Bound;
use std::sync::Arc;

use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum, Value};
use grove_core::validate::{LogTip, prefers};
use grove_core::wire::Action;

use super::map::Map;
use crate::store::codec::is_brief;
use crate::store::outside::{Extent, Payload};
use crate::store::rows::Parked;
use crate::store::trees::DoubtedTrees;
use crate::store::{
    DocumentRow, EntryRow, ForkRow, Need, OperationRow, ParkedRow, PlacedEntry, SchemaRow,
    StoreError, TreeRow,
};

/// Names a tree: trees are numbered in the order in which they began.
pub(super) type TreeId = u64;

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub trees: Map<TreeId, Tree>,
    pub trees_of_log: Map<(PublicKey, LogId, TreeId), ()>,
    pub trees_of_document: Map<(DocumentId, TreeId), ()>,
    pub trees_of_schema: Map<(SchemaId, TreeId), ()>,
    /// Tips beside the one to continue.
    pub branches: Map<(TreeId, Hash), LogTip>,
    /// How many trees are not the first of their log.
    pub further: u64,

    /// By position. Entries are numbered from 1 on, without gaps, and never removed.
    pub entries: Map<i64, Arc<Stored>>,
    pub position_of: Map<Hash, i64>,
    pub entries_of_tree: Map<(TreeId, SeqNum, Hash), i64>,
    pub forks: Map<(PublicKey, LogId), ForkRow>,

    /// Long bytes of pieces of blobs are kept in brief: they lie in the operations.
    pub documents: Map<DocumentId, Arc<DocumentRow>>,
    /// By schema, live ones (`false`) before deleted ones.
    pub documents_of_schema: Map<(SchemaId, bool, DocumentId), ()>,
    pub schemas: Map<SchemaId, SchemaRow>,
    pub broken_definitions: Map<Hash, String>,

    /// By age.
    pub parked: Map<u64, (ParkedRow, Need)>,
    pub parked_age: Map<Hash, u64>,
    pub waiting: Map<(Need, u64), ()>,
    pub parked_sum: Parked,

    /// By position and number.
    pub changes: Map<(i64, u64), DocumentId>,
    pub times: Map<i64, i64>,
    pub audit_log: Map<u64, (i64, String)>,
}

/// A tree of a log.
#[derive(Debug, Clone)]
pub struct Tree {
    pub row: TreeRow,
    /// From which number on its entries are withheld from peers.
    pub withheld_from: Option<SeqNum>,
}

impl Tree {
    /// Whether an entry of this number may be passed on to peers.
    pub fn gives(&self, seq_num: SeqNum) -> bool {
        self.withheld_from.is_none_or(|from| seq_num < from)
    }
}

/// A stored entry.
#[derive(Debug, Clone)]
pub struct Stored {
    pub tree: TreeId,
    pub seq_num: SeqNum,
    pub hash: Hash,
    pub entry: Vec<u8>,
    pub payload: Option<Vec<u8>>,
    pub action: Option<Action>,
    pub stub: Option<Vec<u8>>,
}

const DANGLING: StoreError = StoreError::Corrupt("reference");

impl State {
    /// Panics where two ways to one thing do not agree: every way counts what it leads to.
    pub fn expect_whole(&self) {
        let entries = self.entries.len();
        assert_eq!(self.position_of.len(), entries, "entries by their hashes");
        assert_eq!(
            self.entries_of_tree.len(),
            entries,
            "entries by their trees"
        );
        assert_eq!(self.position(), entries as i64, "positions have no gaps");
        let trees = self.trees.len();
        assert_eq!(self.trees_of_log.len(), trees, "trees by their logs");
        assert_eq!(
            self.trees_of_document.len(),
            trees,
            "trees by their documents"
        );
        assert_eq!(self.trees_of_schema.len(), trees, "trees by their schemas");
        assert!(
            self.further <= trees as u64,
            "more further trees than trees"
        );
        let documents = self.documents.len();
        assert_eq!(
            self.documents_of_schema.len(),
            documents,
            "documents by schemas"
        );
        let parked = self.parked.len();
        assert_eq!(
            self.parked_age.len(),
            parked,
            "parked entries by their hashes"
        );
        assert_eq!(
            self.waiting.len(),
            parked,
            "parked entries by what they wait for"
        );
        assert_eq!(
            self.parked_sum.entries, parked as u64,
            "parked entries, counted"
        );
    }

    /// The position of the latest entry.
    pub fn position(&self) -> i64 {
        self.entries.iter().next_back().map_or(0, |(at, _)| *at)
    }

    pub fn tree(&self, id: TreeId) -> Result<&Tree, StoreError> {
        self.trees.get(&id).ok_or(DANGLING)
    }

    /// The trees of a log, in the order in which they began.
    pub fn log(
        &self,
        public_key: PublicKey,
        log_id: LogId,
    ) -> impl DoubleEndedIterator<Item = TreeId> {
        let (first, last) = (TreeId::MIN, TreeId::MAX);
        self.trees_of_log
            .range((public_key, log_id, first)..=(public_key, log_id, last))
            .map(|((_, _, id), ())| *id)
    }

    /// The trees of an author's logs behind one of them.
    pub fn trees_of_author(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
    ) -> impl DoubleEndedIterator<Item = (LogId, TreeId)> {
        let from = match after {
            None => Bound::Included((public_key, LogId::new(0), TreeId::MIN)),
            Some(after) => Bound::Excluded((public_key, after, TreeId::MAX)),
        };
        let to = Bound::Included((public_key, LogId::new(u64::MAX), TreeId::MAX));
        self.trees_of_log
            .range((from, to))
            .map(|((_, log_id, id), ())| (*log_id, *id))
    }

    pub fn trees_of_document(&self, document: DocumentId) -> impl Iterator<Item = TreeId> {
        self.trees_of_document
            .range((document, TreeId::MIN)..=(document, TreeId::MAX))
            .map(|((_, id), ())| *id)
    }

    pub fn trees_of_schema(&self, schema_id: &SchemaId) -> impl Iterator<Item = TreeId> {
        let first = (schema_id.clone(), TreeId::MIN);
        let trees = self.trees_of_schema.range(first..);
        trees
            .take_while(move |((of, _), ())| of == schema_id)
            .map(|((_, id), ())| *id)
    }

    /// The further tips of a tree.
    pub fn branches_of(&self, tree: TreeId) -> impl Iterator<Item = &LogTip> {
        let branches = self.branches.range((tree, Hash::from_digest([0; 32]))..);
        branches
            .take_while(move |((of, _), _)| *of == tree)
            .map(|(_, tip)| tip)
    }

    /// Whether the operation of a tree's first entry never came, and nothing tells that it was deleted.
    pub fn is_doubted(&self, id: TreeId) -> Result<bool, StoreError> {
        let tree = self.tree(id)?;
        let is_withheld = !tree.row.purged && !tree.gives(SeqNum::FIRST);
        let first = self.entries_of(id, SeqNum::FIRST).next();
        let first = first.and_then(|(_, position)| self.entries.get(&position));
        Ok(is_withheld && first.is_some_and(|first| first.action.is_none()))
    }

    /// The tips of a tree that peers are told of.
    pub fn tips_told(&self, id: TreeId) -> Result<Vec<LogTip>, StoreError> {
        let tree = self.tree(id)?;
        let row = &tree.row;
        let is_doubted = |from| {
            let mut entries = self.entries_of(id, from);
            entries.any(|(_, at)| self.entries.get(&at).is_some_and(|e| e.action.is_none()))
        };
        if row.purged || !tree.withheld_from.is_some_and(is_doubted) {
            return Ok(self.branches_of(id).chain([&row.tip]).copied().collect());
        }
        let positions = self.entries_of(id, SeqNum::FIRST).map(|(_, at)| at);
        let mut positions: Vec<_> = positions.collect();
        positions.sort_unstable();
        let mut trees = DoubtedTrees::default();
        for at in positions {
            let stored = self.entries.get(&at).ok_or(DANGLING)?;
            let was_seen = stored.action.is_some();
            let (hash, entry) = (stored.hash, &stored.entry);
            trees.add(row.public_key, row.log_id, hash, entry, was_seen)?;
        }
        Ok(trees.tips().map(|(.., tip)| tip).collect())
    }

    /// Positions of a tree's entries, ascending by number from one on.
    pub fn entries_of(&self, tree: TreeId, from: SeqNum) -> impl Iterator<Item = (SeqNum, i64)> {
        self.entries_of_tree
            .range((tree, from, Hash::from_digest([0; 32]))..)
            .take_while(move |((of, _, _), _)| *of == tree)
            .map(|((_, seq_num, _), position)| (*seq_num, *position))
    }

    pub fn stored(&self, hash: Hash) -> Option<(i64, &Arc<Stored>)> {
        let position = *self.position_of.get(&hash)?;
        Some((position, self.entries.get(&position)?))
    }

    pub fn entry_row(&self, position: i64) -> Result<EntryRow, StoreError> {
        let stored = self.entries.get(&position).ok_or(DANGLING)?;
        let TreeRow {
            public_key,
            log_id,
            document,
            ref schema_id,
            purged,
            ..
        } = self.tree(stored.tree)?.row;
        Ok(EntryRow {
            position,
            public_key,
            log_id,
            seq_num: stored.seq_num,
            hash: stored.hash,
            entry: stored.entry.clone(),
            payload: stored.payload.clone(),
            lost: false,
            stub: stored.stub.clone(),
            seen: stored.action.is_some(),
            document,
            schema_id: schema_id.clone(),
            purged,
        })
    }

    pub fn placed_entry(&self, stored: &Stored) -> Result<PlacedEntry, StoreError> {
        let tree = &self.tree(stored.tree)?.row;
        Ok(PlacedEntry {
            public_key: tree.public_key,
            log_id: tree.log_id,
            seq_num: stored.seq_num,
            hash: stored.hash,
            entry: stored.entry.clone(),
            document: tree.document,
            schema_id: tree.schema_id.clone(),
            purged: tree.purged,
        })
    }

    pub fn operation_row(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
        let Some((position, stored)) = self.stored(id.hash()) else {
            return Ok(None);
        };
        let tree = &self.tree(stored.tree)?.row;
        let size = stored.payload.as_ref().map(|bytes| bytes.len() as u64);
        Ok(Some(OperationRow {
            position,
            document: tree.document,
            schema_id: tree.schema_id.clone(),
            purged: tree.purged,
            was_seen: stored.action.is_some(),
            has_payload: size.is_some(),
            payload_size: size,
        }))
    }

    /// The rows of entries at these positions, in the order in which they were accepted.
    pub fn entry_rows(
        &self,
        positions: impl IntoIterator<Item = i64>,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let mut positions: Vec<_> = positions.into_iter().collect();
        positions.sort_unstable();
        positions.into_iter().map(|at| self.entry_row(at)).collect()
    }

    /// A document as it is read: what is kept in brief comes from its operation, or is left out.
    pub fn document_row(
        &self,
        row: &DocumentRow,
        extent: Extent,
    ) -> Result<DocumentRow, StoreError> {
        let mut row = row.clone();
        let Some(fields) = row.fields.as_mut() else {
            return Ok(row);
        };
        if row.schema_id != SchemaId::BLOB_PIECE {
            return Ok(row);
        }
        let mut lost = Vec::new();
        for (name, (value, setter)) in fields.iter_mut() {
            let Value::Bytes(bytes) = value else { continue };
            if !is_brief(bytes) {
                continue;
            }
            match self.piece_data(*setter, extent)? {
                Some(data) => *bytes = data,
                None => lost.push(name.clone()),
            }
        }
        for name in lost {
            fields.remove(&name);
        }
        Ok(row)
    }

    fn piece_data(
        &self,
        setter: OperationId,
        extent: Extent,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.stored(setter.hash());
        let payload = stored.and_then(|(_, stored)| stored.payload.clone());
        match payload {
            Some(payload) if extent == Extent::Whole => Payload::Here(payload).into_piece_data(),
            _ => Ok(None),
        }
    }

    /// Makes the best of all tips of a tree the one to continue, after one of them changed.
    pub fn prefer(&mut self, id: TreeId) -> Result<(), StoreError> {
        let current = self.tree(id)?.row.tip;
        let best = self.branches_of(id).copied();
        let best = best.reduce(|best, tip| if prefers(&tip, &best) { tip } else { best });
        let branched = best.is_some();
        let mut tree = self.tree(id)?.clone();
        if let Some(best) = best.filter(|best| prefers(best, &current)) {
            self.branches.remove(&(id, best.hash));
            self.branches.insert((id, current.hash), current);
            tree.row.tip = best;
        }
        tree.row.branched = branched;
        self.trees.insert(id, tree);
        Ok(())
    }

    /// Changes a stored entry.
    pub fn change_entry(
        &mut self,
        position: i64,
        change: impl FnOnce(&mut Stored),
    ) -> Result<(), StoreError> {
        let mut stored = self.entries.get(&position).ok_or(DANGLING)?.clone();
        change(Arc::make_mut(&mut stored));
        self.entries.insert(position, stored);
        Ok(())
    }

    /// Drops the bytes of these entries' operations where `is_dropped` says so; returns how many there were.
    pub fn drop_payloads_of(
        &mut self,
        trees: &[TreeId],
        is_dropped: impl Fn(&Stored) -> bool,
    ) -> Result<u64, StoreError> {
        let mut size = 0;
        for tree in trees {
            let positions: Vec<_> = self.entries_of(*tree, SeqNum::FIRST).collect();
            for (_, position) in positions {
                let stored = self.entries.get(&position).ok_or(DANGLING)?;
                if is_dropped(stored) {
                    size += stored.payload.as_ref().map_or(0, Vec::len) as u64;
                    self.change_entry(position, |stored| {
                        stored.payload = None;
                        stored.stub = None;
                    })?;
                }
            }
        }
        Ok(size)
    }

    /// Drops a parked entry.
    pub fn unpark_one(&mut self, age: u64) -> Option<ParkedRow> {
        let (row, need) = self.parked.remove(&age)?;
        self.parked_age.remove(&row.hash);
        self.waiting.remove(&(need, age));
        self.parked_sum.remove(row.size());
        Some(row)
    }
}
