//! Questions that this database answers in a way of its own.
//!
//! Both kinds of connections answer them here. Questions that take several statements see one state.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use grove_core::types::{DocumentId, Hash, LogId, SchemaId, SeqNum};
use grove_core::wire::Heights;
use rusqlite::types::Value as Column;
use rusqlite::vtab::array::Array;
use rusqlite::{Row, params, params_from_iter};

use super::database::{Database, unexpected_type};
use super::vfs;
use super::views::Extent;
use crate::store::codec::{from_log_id, from_seq_num, to_log_id, to_seq_num, to_view_id};
use crate::store::sql::rows::{entry, select_entries};
use crate::store::sql::{Dialect, Param, Sql};
use crate::store::{
    Counts, DocumentQuery, DocumentRow, EntryRow, Standing, StoreError, Take, ViewFields,
};

/// Up to how many logs are looked up one by one; for more, all entries are gone through in order.
const LOGS_SOUGHT_MAX: usize = 256;

/// The positions of a log's entries, from a number and a position on, and whether they ascend: they do along
/// a log with one branch, while those of several branches lie between each other.
pub(super) const LOG_POSITIONS: &str = "SELECT e.id,
         l.branched = 0 AND (SELECT count(*) FROM logs WHERE author = ?1 AND log_id = ?2) = 1
     FROM logs l JOIN entries e ON e.log = l.id
     WHERE l.author = ?1 AND l.log_id = ?2 AND e.seq_num >= ?3 AND e.id > ?4
       AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from)
     ORDER BY l.id, e.seq_num";

/// All entries that may be passed on, from a position on.
pub(super) const ENTRIES_AFTER: &str = select_entries!(
    "WHERE e.id > ?1 AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from) ORDER BY e.id"
);

/// All entries of documents, each document's together: a cross join goes through its left side as it
/// comes.
pub(super) const ENTRIES_BY_DOCUMENT: &str = select_entries!(
    FROM "FROM rarray(?1) w CROSS JOIN logs l ON l.document = w.value \
          CROSS JOIN entries e ON e.log = l.id",
    ""
);

impl<T: AsRef<Database>> Dialect for T {
    type Database = Database;

    fn database(&self) -> &Database {
        self.as_ref()
    }

    fn snapshot(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.as_ref().snapshot(questions)
    }

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            let mut found = BTreeMap::new();
            let mut live: BTreeMap<i64, Vec<DocumentId>> = BTreeMap::new();
            let mut statement = database.statement(
                "SELECT schema, owner, view_id, edited, deleted, id FROM documents
                 WHERE id IN rarray(?1)",
            )?;
            let mut rows = statement.query([digests(ids.iter().map(|id| id.hash()))])?;
            while let Some(row) = rows.next()? {
                database.meter().spend(1)?;
                let id = hash(row, 5)?.into();
                if !row.get(4)? {
                    live.entry(row.get(0)?).or_default().push(id);
                }
                found.insert(id, database.document_row(id, row, 0)?);
            }
            for (schema, ids) in live {
                // Without its schema a document is not there.
                let Some(view) = database.view(schema)? else {
                    ids.iter().for_each(|id| drop(found.remove(id)));
                    continue;
                };
                for (id, fields) in
                    view.get_all(database, digests(ids.iter().map(|id| id.hash())))?
                {
                    let document: Option<&mut DocumentRow> = found.get_mut(&id);
                    document.ok_or(StoreError::Corrupt("document"))?.fields = Some(fields);
                }
            }
            Ok(found)
        })
    }

    fn document_to(
        &self,
        id: DocumentId,
        extent: Extent,
    ) -> Result<Option<DocumentRow>, StoreError> {
        self.as_ref().document_to(id, extent)
    }

    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let database = self.as_ref();
        let limit = limit as usize;
        let logs: usize = starts.values().map(|logs| logs.len()).sum();
        database.snapshot(|| {
            if logs <= LOGS_SOUGHT_MAX {
                database.entries_log_by_log(starts, after_position, limit)
            } else {
                database.entries_in_order(starts, after_position, limit)
            }
        })
    }

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let database = self.as_ref();
        let extent = Extent::of(query.outline);
        database.snapshot(|| {
            let Some(view) = database.view_of(schema_id)? else {
                return Ok(());
            };
            let path = database.access_path(&view, query)?;
            let (sql, values) = view.list_sql(database, query, path)?;
            let mut statement = database.statement(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                database.meter().spend(1)?;
                let mut document = database.document_row(hash(row, 0)?.into(), row, 1)?;
                if query.standing == Standing::Live {
                    document.fields = Some(view.read(database, row, 5, extent)?);
                }
                if !take(document) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            let Some(view) = database.view_of(schema_id)? else {
                return Ok(());
            };
            let mut statement = database.statement(&view.these_sql())?;
            let mut rows = statement.query([digests(ids.iter().map(|id| id.hash()))])?;
            while let Some(row) = rows.next()? {
                database.meter().spend(1)?;
                let mut document = database.document_row(hash(row, 0)?.into(), row, 1)?;
                document.fields = Some(view.read(database, row, 5, Extent::of(outline))?);
                if !take(document) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError> {
        let database = self.as_ref();
        let mut statement = database.statement(ENTRIES_BY_DOCUMENT)?;
        let ids: BTreeSet<_> = documents.iter().map(|id| id.hash()).collect();
        let mut rows = statement.query([digests(ids.into_iter())])?;
        while let Some(row) = rows.next()? {
            database.meter().spend(1)?;
            if !take(entry(database, row)?) {
                break;
            }
        }
        Ok(())
    }

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            let Some(view) = database.view_of(schema_id)? else {
                return Ok(0);
            };
            let path = database.counting_path(&view, query)?;
            let (sql, values) = view.count_sql(database, query, path)?;
            database.number(&sql, params_from_iter(values))
        })
    }

    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        self.as_ref().all(
            "SELECT at, what FROM deeds ORDER BY id DESC LIMIT ?1",
            [limit],
            |row| Ok(row.try_into()?),
        )
    }

    fn damaged_pages(&self, from: u64) -> Result<(Option<u64>, Vec<u64>), StoreError> {
        let database = self.as_ref();
        // A database in memory has no file with pages.
        let sql = format!("PRAGMA {}({from})", vfs::DAMAGED_PAGES);
        let mut statement = database.connection().prepare(&sql)?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else {
            return Ok((None, Vec::new()));
        };
        let text: String = row.get(0)?;
        let mut numbers = text.split(' ').map(|number| number.parse::<u64>());
        let next = numbers.next().and_then(Result::ok);
        Ok((
            next.filter(|next| *next > from),
            numbers.flatten().collect(),
        ))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            Ok(Counts {
                // Entries are numbered without gaps and never removed.
                entries: database.number("SELECT coalesce(max(id), 0) FROM entries", [])?,
                documents: database.number("SELECT sum(live) FROM schemas", [])?,
                // The last byte of a definition says whether it is withheld.
                schemas: database.number(
                    "SELECT count(*) FROM schemas
                     WHERE definition IS NOT NULL AND substr(definition, -1) <> x'f5'",
                    [],
                )?,
                parked: database.number("SELECT count(*) FROM parked", [])?,
                forks: database.number("SELECT count(*) FROM forks", [])?,
                branches: database.number(
                    "SELECT (SELECT count(*) FROM branches)
                          + (SELECT count(*) FROM logs WHERE further = 1)",
                    [],
                )?,
            })
        })
    }
}

impl Database {
    fn document_to(
        &self,
        id: DocumentId,
        extent: Extent,
    ) -> Result<Option<DocumentRow>, StoreError> {
        self.snapshot(|| {
            let found = self.first(
                "SELECT schema, owner, view_id, edited, deleted FROM documents WHERE id = ?1",
                [id.hash().digest()],
                |row| Ok((row.get(0)?, row.get(4)?, self.document_row(id, row, 0)?)),
            )?;
            let Some((schema, deleted, mut document)): Option<(i64, bool, DocumentRow)> = found
            else {
                return Ok(None);
            };
            if !deleted {
                // Without its schema a document is not there.
                let Some(view) = self.view(schema)? else {
                    return Ok(None);
                };
                let fields = view.get(self, id, extent)?;
                document.fields = Some(fields.ok_or(StoreError::Corrupt("document"))?);
            }
            Ok(Some(document))
        })
    }

    /// Reads `schema, owner, view_id, edited` from `offset` on; the fields are still to be filled in.
    fn document_row(
        &self,
        id: DocumentId,
        row: &Row<'_>,
        offset: usize,
    ) -> Result<DocumentRow, StoreError> {
        let view_id = row
            .get_ref(offset + 2)?
            .as_blob()
            .map_err(unexpected_type)?;
        Ok(DocumentRow {
            id,
            schema_id: self.schema_id(row.get(offset)?)?,
            owner: self.public_key(row.get(offset + 1)?)?,
            view_id: to_view_id(view_id)?,
            edited: row.get(offset + 3)?,
            fields: None::<ViewFields>,
        })
    }

    /// Looks into each log, keeping the `limit` lowest positions; good for few logs among many.
    fn entries_log_by_log(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let mut lowest = BinaryHeap::new();
        for (public_key, logs) in starts {
            let Some(author) = self.author(*public_key)? else {
                continue;
            };
            for (log_id, start) in logs {
                self.positions_of(author, *log_id, *start, after_position, |position| {
                    lowest.push(position);
                    if lowest.len() <= limit {
                        return true;
                    }
                    lowest.pop() != Some(position)
                })?;
            }
        }
        let mut entries = Vec::with_capacity(lowest.len());
        for position in lowest.into_sorted_vec() {
            let params = [Param::Int(position)];
            let found = self.ask_one(select_entries!("WHERE e.id = ?1"), &params, |row| {
                entry(self, row)
            })?;
            entries.extend(found);
        }
        Ok(entries)
    }

    /// Hands over the positions of a log's entries. Where they ascend, those after one that is not wanted are
    /// left out.
    fn positions_of(
        &self,
        author: i64,
        log_id: LogId,
        start: SeqNum,
        after_position: i64,
        mut wanted: impl FnMut(i64) -> bool,
    ) -> Result<(), StoreError> {
        let mut statement = self.statement(LOG_POSITIONS)?;
        let mut rows = statement.query(params![
            author,
            from_log_id(log_id),
            from_seq_num(start),
            after_position
        ])?;
        while let Some(row) = rows.next()? {
            self.meter().spend(1)?;
            let ascend: bool = row.get(1)?;
            if !wanted(row.get(0)?) && ascend {
                break;
            }
        }
        Ok(())
    }

    /// Goes through all entries in order, taking those that are wanted; good when most are.
    fn entries_in_order(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: usize,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let mut statement = self.statement(ENTRIES_AFTER)?;
        let mut rows = statement.query([after_position])?;
        let mut entries = Vec::new();
        while entries.len() < limit {
            let Some(row) = rows.next()? else {
                break;
            };
            self.meter().spend(1)?;
            let public_key = self.public_key(row.get(0)?)?;
            let log_id = to_log_id(row.get(3)?);
            let seq_num = to_seq_num(row.get(4)?)?;
            let start = starts.get(&public_key).and_then(|logs| logs.get(&log_id));
            if start.is_some_and(|start| *start <= seq_num) {
                entries.push(entry(self, row)?);
            }
        }
        Ok(entries)
    }
}

/// Hashes as one value to be bound, for `IN rarray(?)`.
pub(super) fn digests(hashes: impl Iterator<Item = Hash>) -> Array {
    Rc::new(
        hashes
            .map(|hash| Column::Blob(hash.digest().to_vec()))
            .collect(),
    )
}

fn hash(row: &Row<'_>, index: usize) -> Result<Hash, StoreError> {
    Ok(Hash::from_digest(row.get(index)?))
}
