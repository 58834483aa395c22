//! Whether a store holds what it should: whole logs, and of every document the state its operations
//! lead to.
//!
//! Reads everything and changes nothing. What is found is for operators and tests; a store that was
//! only ever written by an engine gives no findings, whatever crashed in between.
//!
//! Judges each document by itself, so it needs the memory of the largest one and of all ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use grove_core::types::{DocumentId, Hash, Keyring, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::SignedEntry;
use grove_core::wire::{Action, Operation};

use super::lookup::reduced;
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
    /// A log has a gap, a wrong link, or another tip than it says.
    Log(PublicKey, LogId),
    /// A log is marked as forked without a proof, or elsewhere than the proof says.
    Fork(PublicKey, LogId),
    /// A document shows another state than its operations lead to.
    Document(DocumentId),
    /// The number of documents of a schema is not that of those that are there.
    Count(SchemaId),
    /// The number of entries is not that of those that are there.
    Entries,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(hash) => write!(f, "entry {hash} is not what was signed for its place"),
            Self::Payload(hash) => write!(f, "the operation of entry {hash} is another"),
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
        }
    }
}

/// Looks through all entries, logs and documents.
pub fn verify(store: &dyn Read) -> Result<Vec<Finding>, StoreError> {
    let mut check = Check {
        store,
        keyring: Keyring::default(),
        findings: Vec::new(),
        entries: 0,
        live: BTreeMap::new(),
    };
    let mut seen = BTreeSet::new();
    let mut after = 0;
    loop {
        let changes = store.changes(after, CHANGES_PER_READ)?;
        for change in &changes {
            if seen.insert(change.document) {
                check.document(change.document)?;
            }
        }
        // Changes at the last position are told again, so an unmoved position is the end.
        match changes.last() {
            Some(last) if last.position > after => after = last.position,
            _ => break,
        }
    }
    check.counts()?;
    Ok(check.findings)
}

struct Check<'s> {
    store: &'s dyn Read,
    keyring: Keyring,
    findings: Vec<Finding>,
    entries: u64,
    live: BTreeMap<SchemaId, u64>,
}

impl Check<'_> {
    fn document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        let rows = self.store.document_entries(id)?;
        self.entries += rows.len() as u64;
        let mut logs: BTreeMap<(PublicKey, LogId), Vec<&EntryRow>> = BTreeMap::new();
        for row in &rows {
            logs.entry((row.public_key, row.log_id))
                .or_default()
                .push(row);
            self.entry(row);
        }
        for ((public_key, log_id), rows) in logs {
            self.log(id, public_key, log_id, &rows)?;
        }

        let shown = self.store.document(id)?;
        if shown.as_ref().is_some_and(DocumentRow::is_deleted) {
            self.tombstone(&rows);
        } else if !same(&shown, &reduced(self.store, id)?) {
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
        if let Some(payload) = &row.payload
            && signed.attach(payload.clone()).is_err()
        {
            self.findings.push(Finding::Payload(row.hash));
        }
    }

    fn log(
        &mut self,
        document: DocumentId,
        public_key: PublicKey,
        log_id: LogId,
        rows: &[&EntryRow],
    ) -> Result<(), StoreError> {
        let log = self.store.log(public_key, log_id)?;
        let tip = rows.last().map(|row| (row.seq_num, row.hash));
        let is_whole = log.as_ref().is_some_and(|log| {
            log.document == document && Some((log.tip.seq_num, log.tip.hash)) == tip
        });
        if !is_whole || !are_linked(rows) {
            self.findings.push(Finding::Log(public_key, log_id));
        }
        let proof = self.store.fork(public_key, log_id)?;
        if log.and_then(|log| log.forked_at) != proof.map(|proof| proof.seq_num) {
            self.findings.push(Finding::Fork(public_key, log_id));
        }
        Ok(())
    }

    /// Of a deleted document only the DELETEs are kept.
    fn tombstone(&mut self, rows: &[EntryRow]) {
        for row in rows {
            let operation = row.payload.as_deref().map(Operation::decode);
            let is_kept = operation.is_none_or(|operation| {
                operation.is_ok_and(|operation| operation.action() == Action::Delete)
            });
            if !is_kept {
                self.findings.push(Finding::Undeleted(row.hash));
            }
        }
    }

    fn counts(&mut self) -> Result<(), StoreError> {
        if self.store.counts()?.entries != self.entries {
            self.findings.push(Finding::Entries);
        }
        let schemas = self.store.schemas()?;
        let mut ids: BTreeSet<_> = schemas.iter().map(|schema| schema.id().clone()).collect();
        ids.extend(self.live.keys().cloned());
        for id in ids {
            let live = self.live.get(&id).copied().unwrap_or_default();
            if self.store.count(&id, &DocumentQuery::default())? != live {
                self.findings.push(Finding::Count(id));
            }
        }
        Ok(())
    }
}

/// Whether entries in the order of their acceptance are one log from its beginning on.
fn are_linked(rows: &[&EntryRow]) -> bool {
    let mut expected = Some(SeqNum::FIRST);
    let mut before = None;
    rows.iter().all(|row| {
        let fits = expected == Some(row.seq_num)
            && grove_core::wire::Entry::decode(&row.entry)
                .is_ok_and(|entry| entry.backlink == before);
        expected = row.seq_num.next();
        before = Some(row.hash);
        fits
    })
}

/// Whether two states are the same. NaN, which equals nothing, is the same as itself here.
fn same(a: &Option<DocumentRow>, b: &Option<DocumentRow>) -> bool {
    a == b || format!("{a:?}") == format!("{b:?}")
}
