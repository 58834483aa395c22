//! The questions a store answers, to the engine and to readers alike.
//!
//! Answers are the same in every store. Where one question can be answered by others, it is done so
//! here; a store that knows a faster way has its own.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::wire::{Heights, SchemaSet, Tips};

use super::StoreError;
use super::query::DocumentQuery;
use super::rows::{
    Change, Counts, DocumentRow, EntryRow, ForkRow, OperationRow, PlacedEntry, SchemaRow, ToldRow,
    TreeRow, Usage,
};
use crate::budget::Budget;

/// How many schemas are read at once while all are looked for.
const SCHEMAS_PER_READ: u32 = 256;

/// Takes documents one by one; says whether it wants more.
pub type Take<'t> = &'t mut dyn FnMut(DocumentRow) -> bool;

/// Questions to the last committed state (or, inside a transaction, to its own).
pub trait Read {
    /// Takes from the budget of the question that is being answered: for work beside reading, such as
    /// visiting operations in memory. Reading itself takes its share.
    fn spend(&self, units: u64) -> Result<(), StoreError> {
        let _ = units;
        Ok(())
    }

    /// Works by this budget from now on.
    fn set_budget(&self, budget: Budget) {
        let _ = budget;
    }

    /// The tree of this log whose branch to continue ends in this entry. One statement: the first question
    /// about every entry that is published.
    fn tree_of_tip(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<TreeRow>, StoreError>;

    /// Of all trees in which this author writes this document the one to continue: one of a log that was
    /// not purged before others, then the one whose tip core's `prefers` puts first.
    fn tree_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<TreeRow>, StoreError>;

    /// The trees of a log, in the order in which their first entries were accepted.
    fn trees(&self, public_key: PublicKey, log_id: LogId) -> Result<Vec<TreeRow>, StoreError>;

    /// How many tips a log has in all its trees, counted up to `max`.
    fn branches(&self, public_key: PublicKey, log_id: LogId, max: u32) -> Result<u64, StoreError>;

    /// How many entries and logs an author has, each counted up to `max`.
    fn usage(&self, public_key: PublicKey, max: u64) -> Result<Usage, StoreError>;

    /// The highest log id this author has used.
    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError>;

    /// The entries at a position of a log, of all its branches, ascending by hash and at most `limit`.
    fn entries_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
        limit: u32,
    ) -> Result<Vec<PlacedEntry>, StoreError>;

    /// The entry with this hash, without its operation.
    fn placed(&self, hash: Hash) -> Result<Option<PlacedEntry>, StoreError>;

    /// The entry with this hash.
    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError>;

    /// What is known of an operation.
    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError>;

    /// The size of an operation's bytes, without reading them; `None` when they are not there.
    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError>;

    /// All entries of a document, in the order in which they were accepted, those of purged logs and
    /// those without payload included.
    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError>;

    /// All entries of a document but the one that begins it, as [`document_entries`](Self::document_entries).
    /// The bytes of a piece of a blob, which was never changed, need not be fetched for it.
    fn entries_behind_create(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        let mut rows = self.document_entries(document)?;
        rows.retain(|row| row.hash != document.hash());
        Ok(rows)
    }

    /// All entries of documents of a schema, in the order in which they were accepted.
    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError>;

    /// All entries of documents of a schema, as [`schema_entries`](Self::schema_entries); `None` when all of
    /// them together have more than this many bytes. No more than that is read.
    fn schema_entries_within(
        &self,
        schema_id: &SchemaId,
        size_max: usize,
    ) -> Result<Option<Vec<EntryRow>>, StoreError> {
        let rows = self.schema_entries(schema_id)?;
        let size: usize = rows.iter().map(EntryRow::size).sum();
        Ok((size <= size_max).then_some(rows))
    }

    /// What is known of these operations; unknown ones are left out. Takes one statement, however many
    /// are asked for.
    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError>;

    /// All entries of these documents, in the order in which they were accepted, those of purged logs
    /// and those without payload included. Takes one statement, however many are asked for.
    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError>;

    /// The materialised states of these documents; unknown ones are left out. The number of statements
    /// is that of their schemas, however many are asked for.
    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError>;

    /// The trees of an author's logs, ascending by log and from behind this one on, of at most `limit` logs.
    /// Of a log the tree to continue comes first.
    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<TreeRow>, StoreError>;

    /// The position of the latest entry; 0 before the first.
    fn position(&self) -> Result<i64, StoreError>;

    /// What happened to documents after this position, in order, at most `limit` changes and all those
    /// of the last one's position. Of what has no entry of its own, the changes *at* the position are told
    /// too: who goes on from there hears of some changes twice, and misses none.
    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// All entries behind this position, of one schema or of all, in the order in which they were
    /// accepted and at most `limit` of them; those of purged logs and those without payload included.
    ///
    /// A store that can do better than to go by documents should.
    fn entries_after(
        &self,
        after: i64,
        schema_id: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        entries_by_documents(self, after, schema_id, limit)
    }

    /// Entries of these logs from the given position on, at most `limit` of them, each log with all its
    /// branches from the given number on, in the order in which they were accepted. Entries that are
    /// withheld from peers are left out.
    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError>;

    /// Entries from behind one position up to another one, in the order in which they were accepted and at most
    /// `limit` of them. Entries that are withheld from peers are left out.
    fn entries_between(
        &self,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError>;

    /// Entries behind this position that peers are told of, in the order in which they were accepted and at most
    /// `limit` of them: all but those which are doubted.
    fn told_after(&self, after: i64, limit: u32) -> Result<Vec<ToldRow>, StoreError>;

    /// The tips of all branches of all logs of documents of these schemas.
    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError>;

    /// The heights of all logs of documents of these schemas: of each log that of the branch to continue.
    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError>;

    /// The materialised state of a document.
    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError>;

    /// As [`document`](Self::document), but bytes kept outside of the database are not looked at: the
    /// `data` of a piece of a blob is left out when it is long.
    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        self.document(id)
    }

    /// Whether an entry has the object of this name, or had it and it is still to be erased.
    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        let _ = name;
        Ok(true)
    }

    /// A page of the documents of a schema. Deleted ones come without fields.
    fn list(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        let mut rows = Vec::new();
        self.visit(schema_id, query, &mut |row| {
            rows.push(row);
            true
        })?;
        if query.from_end {
            rows.reverse();
        }
        Ok(rows)
    }

    /// Hands the documents of a page over one by one, those from its end on from the last to the first,
    /// for as long as `take` says so: a large page need not be held. Takes as many statements for a
    /// large page as for a small one.
    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    /// Hands over those of these documents that are live and of this schema, each once and in no certain
    /// order, for as long as `take` says so. Takes as many statements for many as for one. `outline` as
    /// in a [`DocumentQuery`].
    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        _outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let rows = self.documents(ids)?.into_values();
        rows.filter(|row| row.schema_id == *schema_id && !row.is_deleted())
            .all(take);
        Ok(())
    }

    /// Hands over all entries of these documents, document by document, for as long as `take` says so: the
    /// history of one document need be held at a time. Takes as many statements for many as for one.
    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError> {
        let mut rows = self.entries_of_documents(documents)?;
        rows.sort_by_key(|row| row.document);
        rows.into_iter().all(take);
        Ok(())
    }

    /// Runs several questions against one state of the database.
    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// How many documents of a schema meet the conditions of a query, on all its pages.
    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError>;

    /// Schemas that definitions make up, those withheld included: at most so many, behind this one in an order
    /// of the store's own.
    fn schema_rows(
        &self,
        after: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<SchemaRow>, StoreError>;

    /// All known application schemas, by id.
    fn schemas(&self) -> Result<Vec<Schema>, StoreError> {
        let mut schemas = Vec::new();
        self.at_once(&mut || {
            let mut after = None;
            loop {
                let rows = self.schema_rows(after.as_ref(), SCHEMAS_PER_READ)?;
                let Some(last) = rows.last() else {
                    return Ok(());
                };
                after = Some(last.schema.id().clone());
                let known = rows.into_iter().filter(|row| !row.withheld);
                schemas.extend(known.map(|row| row.schema));
            }
        })?;
        schemas.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(schemas)
    }

    /// A schema of definitions as it is kept, also one that is withheld.
    fn kept_schema(&self, id: &SchemaId) -> Result<Option<SchemaRow>, StoreError>;

    /// A known schema, those of the system included.
    fn schema(&self, id: &SchemaId) -> Result<Option<Schema>, StoreError> {
        if let SchemaId::System(system) = id {
            return Ok(Some(Schema::system(*system)));
        }
        let kept = self.kept_schema(id)?.filter(|row| !row.withheld);
        Ok(kept.map(|row| row.schema))
    }

    /// Views of definitions that make no schema, by the hashes of their ids, and why not.
    fn broken_definitions(&self) -> Result<BTreeMap<Hash, String>, StoreError>;

    /// The evidence of a log's fork.
    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError>;

    /// The highest position known to have been reached at this time, in seconds since 1970.
    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError>;

    /// The latest records of what can't be undone, the last one first.
    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError>;

    /// The numbers of pages from this one on that are not what was written, and where to go on looking; a
    /// database that looks at its pages by itself names none.
    fn damaged_pages(&self, _from: u64) -> Result<(Option<u64>, Vec<u64>), StoreError> {
        Ok((None, Vec::new()))
    }

    /// How many entries are stored and how many are parked.
    fn counts(&self) -> Result<Counts, StoreError>;
}

/// What [`Read::entries_after`] asks for, found by way of the documents that changed.
pub fn entries_by_documents(
    store: &(impl Read + ?Sized),
    mut after: i64,
    schema_id: Option<&SchemaId>,
    limit: u32,
) -> Result<Vec<EntryRow>, StoreError> {
    let is_wanted = |id: &SchemaId| schema_id.is_none_or(|wanted| wanted == id);
    let mut found = Vec::new();
    while found.len() < limit as usize {
        let changes = store.changes(after, limit)?;
        let last = changes.last().map_or(after, |change| change.position);
        if last == after {
            break;
        }
        let wanted = changes.iter().filter(|change| is_wanted(&change.schema_id));
        let documents: BTreeSet<_> = wanted.map(|change| change.document).collect();
        let documents: Vec<_> = documents.into_iter().collect();
        let entries = store.entries_of_documents(&documents)?;
        let is_new = |row: &EntryRow| after < row.position && row.position <= last;
        let new = entries.into_iter().filter(is_new);
        found.extend(new.filter(|row| is_wanted(&row.schema_id)));
        after = last;
    }
    found.truncate(limit as usize);
    Ok(found)
}
