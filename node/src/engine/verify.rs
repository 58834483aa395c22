//! Whether a store holds what it should: whole logs with all their branches, and of every document the state its operations
//! lead to.
//!
//! Reads everything and changes nothing. What is found is for operators and tests; a store that was
//! only ever written by an engine gives no findings, whatever crashed in between.
//!
//! Judges each document by itself, so it needs the memory of the largest one and of all ids.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;

use grove_core::publish::{KnownEntry, prefers};
use grove_core::types::{DocumentId, Hash, Keyring, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::{LogTip, SignedEntry, ancestor};
use grove_core::wire::{Action, Entry, Fields, Operation};

use super::lookup::reduced;
use super::tombstone::{Ended, first_delete};
use crate::store::{DocumentQuery, DocumentRow, EntryRow, Read, StoreError};

/// How many changes are read at once while looking for all documents.
const CHANGES_PER_READ: u32 = 500;

/// Something a store holds that no engine leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The bytes of an entry are not those that were signed for its place.
    Entry(Hash),
    /// The bytes of an operation are not those its entry was signed for.
    Payload(Hash),
    /// Bytes of a deleted document that should be gone.
    Undeleted(Hash),
    /// A log has a gap, a wrong link, something behind its end, or other tips than it says.
    Log(PublicKey, LogId),
    /// A log has two entries at one position, and no proof of it.
    Fork(PublicKey, LogId),
    /// A document shows another state than its operations lead to.
    Document(DocumentId),
    /// The number of documents of a schema is not that of those that are there.
    Count(SchemaId),
    /// The number of entries is not that of those that are there.
    Entries,
    /// A page of the database file is not what was written to it.
    Page(u64),
    /// A document can't be read, for what the database holds of it is damaged.
    Damaged(DocumentId),
    /// What was accepted behind this position can't be read.
    Unreadable(i64),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(hash) => write!(f, "entry {hash} is not what was signed for its place"),
            Self::Payload(hash) => write!(f, "the operation of entry {hash} is gone or another"),
            Self::Undeleted(hash) => write!(f, "the operation of entry {hash} should be gone"),
            Self::Log(key, log) => write!(f, "log {} of {key} is not whole", log.as_u64()),
            Self::Fork(key, log) => {
                write!(
                    f,
                    "log {} of {key} lacks the proof of its fork",
                    log.as_u64()
                )
            }
            Self::Document(id) => write!(f, "document {id} is not what its operations lead to"),
            Self::Count(id) => write!(f, "schema {id} has another number of documents"),
            Self::Entries => write!(f, "there is another number of entries"),
            Self::Page(number) => write!(f, "page {number} of the database file is damaged"),
            Self::Damaged(id) => write!(f, "document {id} can't be read"),
            Self::Unreadable(position) => {
                write!(
                    f,
                    "what was accepted after entry number {position} can't be read"
                )
            }
        }
    }
}

/// Looks through all pages, entries, logs and documents.
pub fn verify(store: &dyn Read) -> Result<Vec<Finding>, StoreError> {
    let mut verification = Verification::new(store)?;
    while verification.step(store)? {}
    Ok(verification.findings)
}

/// A look through a store in steps, each of which sees one state of it: others may write in between.
#[derive(Debug)]
pub struct Verification {
    stage: Stage,
    /// The position at which it began; when it is another at the end, numbers can't be compared.
    position: i64,
    /// Whether there was something of which it is not known what it is.
    is_partial: bool,
    seen: BTreeSet<DocumentId>,
    keyring: Keyring,
    findings: Vec<Finding>,
    entries: u64,
    live: BTreeMap<SchemaId, u64>,
}

#[derive(Debug)]
enum Stage {
    /// Pages from this one on.
    Pages(u64),
    /// What happened after this position; how far to go on when that can't be read.
    Changes(i64, i64),
    Counts,
    Over,
}

impl Verification {
    /// Begins.
    pub fn new(store: &dyn Read) -> Result<Self, StoreError> {
        let (position, findings) = match store.position() {
            Err(error) if error.is_damage() => (i64::MAX, vec![Finding::Unreadable(0)]),
            position => (position?, Vec::new()),
        };
        Ok(Self {
            stage: Stage::Pages(0),
            position,
            is_partial: !findings.is_empty(),
            seen: BTreeSet::new(),
            keyring: Keyring::default(),
            findings,
            entries: 0,
            live: BTreeMap::new(),
        })
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many documents and entries were looked at.
    pub fn looked_at(&self) -> (u64, u64) {
        (self.seen.len() as u64, self.entries)
    }

    /// Does one step; returns whether there is more to do.
    pub fn step(&mut self, store: &dyn Read) -> Result<bool, StoreError> {
        let mut done = Ok(());
        store.at_once(&mut || {
            done = self.look(store);
            Ok(())
        })?;
        match done {
            Err(error) if error.is_damage() => {
                self.is_partial = true;
                self.findings.push(Finding::Unreadable(self.position));
                self.stage = match self.stage {
                    Stage::Pages(_) => Stage::Changes(0, 1),
                    _ => Stage::Over,
                };
            }
            done => done?,
        }
        Ok(!matches!(self.stage, Stage::Over))
    }

    fn look(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        match self.stage {
            Stage::Pages(from) => {
                let (next, damaged) = store.damaged_pages(from)?;
                self.findings.extend(damaged.into_iter().map(Finding::Page));
                self.stage = next.map_or(Stage::Changes(0, 1), Stage::Pages);
            }
            Stage::Changes(after, leap) => self.changes(store, after, leap)?,
            Stage::Counts => {
                if !self.is_partial && store.position()? == self.position {
                    self.counts(store)?;
                }
                self.stage = Stage::Over;
            }
            Stage::Over => {}
        }
        Ok(())
    }

    fn changes(&mut self, store: &dyn Read, after: i64, leap: i64) -> Result<(), StoreError> {
        let changes = match store.changes(after, CHANGES_PER_READ) {
            Err(error) if error.is_damage() => {
                // What follows may be readable.
                self.is_partial = true;
                if leap == 1 {
                    self.findings.push(Finding::Unreadable(after));
                }
                self.stage = match after.saturating_add(leap) {
                    next if next < self.position => Stage::Changes(next, leap.saturating_mul(2)),
                    _ => Stage::Counts,
                };
                return Ok(());
            }
            changes => changes?,
        };
        for change in &changes {
            if self.seen.insert(change.document) {
                self.document(store, change.document)?;
            }
        }
        // Changes at the last position are told again, so an unmoved position is the end.
        self.stage = match changes.last() {
            Some(last) if last.position > after => Stage::Changes(last.position, 1),
            _ => Stage::Counts,
        };
        Ok(())
    }

    /// Looks at a document. One that can't be read is a finding.
    fn document(&mut self, store: &dyn Read, id: DocumentId) -> Result<(), StoreError> {
        match self.entries_and_state(store, id) {
            Err(error) if error.is_damage() => {
                self.is_partial = true;
                self.findings.push(Finding::Damaged(id));
                Ok(())
            }
            done => done,
        }
    }

    fn entries_and_state(&mut self, store: &dyn Read, id: DocumentId) -> Result<(), StoreError> {
        let rows = store.document_entries(id)?;
        self.entries += rows.len() as u64;
        let mut logs: BTreeMap<(PublicKey, LogId), Vec<&EntryRow>> = BTreeMap::new();
        for row in &rows {
            logs.entry((row.public_key, row.log_id))
                .or_default()
                .push(row);
            self.entry(row);
        }
        for ((public_key, log_id), rows) in logs {
            self.log(store, id, public_key, log_id, &rows)?;
        }

        let shown = store.document(id)?;
        if let Some(shown) = shown.as_ref().filter(|row| row.is_deleted()) {
            self.tombstone(shown, rows)?;
        } else if !same(&shown, &reduced(store, id)?) {
            self.findings.push(Finding::Document(id));
        }
        if let Some(row) = shown.filter(|row| !row.is_deleted()) {
            *self.live.entry(row.schema_id).or_default() += 1;
        }
        Ok(())
    }

    fn entry(&mut self, row: &EntryRow) {
        let signed = SignedEntry::verify_with(&row.entry, &mut self.keyring).ok();
        let signed = signed.filter(|signed| {
            let entry = signed.entry();
            (entry.public_key, entry.log_id, entry.seq_num, signed.hash())
                == (row.public_key, row.log_id, row.seq_num, row.hash)
        });
        let Some(signed) = signed else {
            self.findings.push(Finding::Entry(row.hash));
            return;
        };
        if row.lost {
            self.findings.push(Finding::Payload(row.hash));
        } else if let Some(payload) = &row.payload
            && signed.attach(payload.clone()).is_err()
        {
            self.findings.push(Finding::Payload(row.hash));
        }
    }

    fn log(
        &mut self,
        store: &dyn Read,
        document: DocumentId,
        public_key: PublicKey,
        log_id: LogId,
        rows: &[&EntryRow],
    ) -> Result<(), StoreError> {
        let trees = store.trees(public_key, log_id)?;
        let mut stored: Vec<_> = trees
            .iter()
            .filter(|tree| tree.document == document)
            .map(|tree| {
                (
                    tree.tip.hash,
                    tree.tip.seq_num,
                    tree.tip.ended,
                    tree.branched,
                )
            })
            .collect();
        stored.sort_unstable();
        if grown(rows) != Some(stored) {
            self.findings.push(Finding::Log(public_key, log_id));
        }
        let proof = store.fork(public_key, log_id)?;
        let forked_at = match trees.len() {
            0 | 1 => taken_twice(rows),
            _ => Some(SeqNum::FIRST),
        };
        let is_proved = |at| proof.is_some_and(|proof| proof.seq_num <= at);
        if forked_at.is_some_and(|at| !is_proved(at)) {
            self.findings.push(Finding::Fork(public_key, log_id));
        }
        Ok(())
    }

    /// Of a deleted document only the DELETEs are kept, the first of which names its view, and of other
    /// operations no fields.
    fn tombstone(
        &mut self,
        shown: &DocumentRow,
        mut rows: Vec<EntryRow>,
    ) -> Result<(), StoreError> {
        for row in &rows {
            let bytes = row.payload.as_deref().or(row.stub.as_deref());
            let is_bare = |operation: &Operation| match row.payload {
                Some(_) => operation.action() == Action::Delete,
                None => operation.fields().is_some_and(Fields::is_empty),
            };
            let operation = bytes.map(Operation::decode);
            if !operation.is_none_or(|operation| operation.as_ref().is_ok_and(is_bare)) {
                self.findings.push(Finding::Undeleted(row.hash));
            }
        }
        rows.retain(|row| row.hash != shown.id.hash());
        let ended = Ended::read(&rows, shown.id, &shown.schema_id)?;
        let first = ended.map(|ended| first_delete(&ended.history, ended.lowest));
        if first.is_some_and(|first| shown.view_id != first.into()) {
            self.findings.push(Finding::Document(shown.id));
        }
        Ok(())
    }

    fn counts(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        if store.counts()?.entries != self.entries {
            self.findings.push(Finding::Entries);
        }
        let schemas = store.schemas()?;
        let mut ids: BTreeSet<_> = schemas.iter().map(|schema| schema.id().clone()).collect();
        ids.extend(self.live.keys().cloned());
        for id in ids {
            let live = self.live.get(&id).copied().unwrap_or_default();
            if store.count(&id, &DocumentQuery::default())? != live {
                self.findings.push(Finding::Count(id));
            }
        }
        Ok(())
    }
}

/// The tip to continue of a tree, and whether the tree has others.
type Grown = (Hash, SeqNum, bool, bool);

/// What the trees are that entries of one log make up in the order of their acceptance, sorted; `None` when
/// an entry does not continue a branch of those before it.
fn grown(rows: &[&EntryRow]) -> Option<Vec<Grown>> {
    let mut links: BTreeMap<Hash, KnownEntry> = BTreeMap::new();
    let mut roots: BTreeMap<Hash, Hash> = BTreeMap::new();
    let mut tips: BTreeMap<Hash, LogTip> = BTreeMap::new();
    for row in rows {
        let known = KnownEntry::new(&Entry::decode(&row.entry).ok()?, row.hash, row.document);
        let parent = match known.backlink {
            None => None,
            Some(backlink) => Some(*links.get(&backlink)?),
        };
        let lipmaa = match (&parent, known.tip.seq_num.skiplink()) {
            (Some(parent), Some(target)) => {
                let from = (parent.tip.seq_num, parent.tip.hash);
                let Ok(found) = ancestor::<Infallible>(from, target, |hash| {
                    let entry = links.get(&hash);
                    Ok(entry.map(|entry| (entry.backlink, entry.skiplink)))
                });
                found
            }
            _ => None,
        };
        let expected = match &parent {
            None => Some(SeqNum::FIRST),
            Some(parent) => parent.tip.seq_num.next(),
        };
        let follows = expected == Some(known.tip.seq_num)
            && known.skiplink == lipmaa
            && !parent.is_some_and(|parent| parent.tip.ended);
        if !follows {
            return None;
        }
        let root = parent.map_or(Some(row.hash), |parent| {
            tips.remove(&parent.tip.hash);
            roots.get(&parent.tip.hash).copied()
        });
        roots.insert(row.hash, root?);
        tips.insert(row.hash, known.tip);
        links.insert(row.hash, known);
    }
    let mut trees: BTreeMap<Hash, (LogTip, bool)> = BTreeMap::new();
    for (hash, tip) in tips {
        trees
            .entry(roots[&hash])
            .and_modify(|(best, branched)| {
                *branched = true;
                if prefers(&tip, best) {
                    *best = tip;
                }
            })
            .or_insert((tip, false));
    }
    let trees = trees.into_values();
    let mut trees: Vec<_> = trees
        .map(|(tip, branched)| (tip.hash, tip.seq_num, tip.ended, branched))
        .collect();
    trees.sort_unstable();
    Some(trees)
}

/// The lowest position at which there are two entries.
fn taken_twice(rows: &[&EntryRow]) -> Option<SeqNum> {
    let mut positions: Vec<_> = rows.iter().map(|row| row.seq_num).collect();
    positions.sort_unstable();
    let twice = positions.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(twice[0])
}

/// Whether two states are the same. NaN, which equals nothing, is the same as itself here.
fn same(a: &Option<DocumentRow>, b: &Option<DocumentRow>) -> bool {
    a == b || format!("{a:?}") == format!("{b:?}")
}
