//! Questions to the database.
//!
//! Both kinds of connections answer them here. Questions that take several statements see one state.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::LogTip;
use grove_core::wire::{Heights, SchemaSet, Tips};
use rusqlite::types::Value as Column;
use rusqlite::vtab::array::Array;
use rusqlite::{Params, Row, params, params_from_iter};

use super::database::{Database, unexpected_type};
use super::views::Extent;
use crate::store::codec::{from_log_id, from_seq_num, to_log_id, to_seq_num, to_view_id};
use crate::store::trees::PreferredTips;
use crate::store::{
    Change, Counts, DocumentQuery, DocumentRow, EntryRow, ForkRow, OperationRow, PlacedEntry, Read,
    Standing, StoreError, Take, TreeRow, Usage, ViewFields,
};

/// Up to how many logs are looked up one by one; for more, all entries are gone through in order.
const LOGS_SOUGHT_MAX: usize = 256;

/// The columns of [`Database::entry_row`].
macro_rules! select_entries {
    ($rest:literal) => {
        select_entries!(FROM "FROM entries e JOIN logs l ON l.id = e.log ", $rest)
    };
    (FROM $from:literal, $rest:literal) => {
        concat!(
            "SELECT e.id, l.author, l.log_id, e.seq_num, e.hash, l.document, l.schema, e.entry, \
             e.payload, e.object, e.outside, l.purged, e.stub ",
             $from,
            $rest
        )
    };
}

/// The columns of [`Database::placed_entry`].
macro_rules! select_placed {
    ($rest:literal) => {
        concat!(
            "SELECT l.author, l.log_id, e.seq_num, e.hash, e.entry, l.document, l.schema, l.purged \
             FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}

/// The columns of [`Database::tree_row`].
macro_rules! select_trees {
    ($rest:literal) => {
        concat!(
            "SELECT author, log_id, document, schema, tip, tip_hash, ended, branched, purged \
             FROM logs ",
            $rest
        )
    };
}

/// The columns of [`Database::operation_row`].
macro_rules! select_operations {
    ($rest:literal) => {
        concat!(
            "SELECT l.document, l.schema, l.purged, coalesce(e.outside, length(e.payload)), e.hash, \
             e.id FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}

/// The positions of a log's entries, from a number and a position on, and whether they ascend: they do along
/// a log with one branch, while those of several branches lie between each other.
pub const LOG_POSITIONS: &str = "SELECT e.id,
         l.branched = 0 AND (SELECT count(*) FROM logs WHERE author = ?1 AND log_id = ?2) = 1
     FROM logs l JOIN entries e ON e.log = l.id
     WHERE l.author = ?1 AND l.log_id = ?2 AND e.seq_num >= ?3 AND e.id > ?4
       AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from)
     ORDER BY l.id, e.seq_num";

/// What happened to documents from a position on. Of the last position all changes are told, so that who
/// goes on from there misses none.
pub const CHANGES_AFTER: &str = "
    WITH page AS (
        SELECT e.id AS position, l.document, l.schema FROM entries e JOIN logs l ON l.id = e.log
        WHERE e.id > ?1 ORDER BY e.id LIMIT ?2
    )
    SELECT position, document, schema FROM page
    UNION ALL
    SELECT c.position, c.document, (SELECT min(schema) FROM logs l WHERE l.document = c.document)
    FROM changes c
    WHERE c.position >= ?1 AND (
        (SELECT count(*) FROM page) < ?2 OR c.position <= (SELECT max(position) FROM page)
    )
    ORDER BY 1";

/// All entries that may be passed on, from a position on.
pub const ENTRIES_AFTER: &str = select_entries!(
    "WHERE e.id > ?1 AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from) ORDER BY e.id"
);

/// The tips of all branches of documents of a schema.
const TIPS: &str = "SELECT author, log_id, tip, tip_hash FROM logs WHERE schema = ?1
     UNION ALL
     SELECT l.author, l.log_id, b.seq_num, b.hash FROM branches b JOIN logs l ON l.id = b.log
     WHERE l.schema = ?1";

/// The lowest log id an author has not used: 0, or the first one above one that was used.
const LOWEST_UNUSED: &str = "SELECT ?2 WHERE NOT EXISTS (
         SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2
     )
     UNION ALL
     SELECT * FROM (
         SELECT log_id + 1 FROM logs l
         WHERE author = ?1 AND log_id < ?3 AND NOT EXISTS (
             SELECT 1 FROM logs n WHERE n.author = ?1 AND n.log_id = l.log_id + 1
         )
         ORDER BY log_id LIMIT 1
     )
     LIMIT 1";

/// All entries of documents, each document's together: a cross join goes through its left side as it
/// comes.
pub const ENTRIES_BY_DOCUMENT: &str = select_entries!(
    FROM "FROM rarray(?1) w CROSS JOIN logs l ON l.document = w.value \
          CROSS JOIN entries e ON e.log = l.id",
    ""
);

impl<T: AsRef<Database>> Read for T {
    fn tree_of_tip(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_trees!("WHERE author = ?1 AND log_id = ?2 AND tip_hash = ?3"),
            params![author, from_log_id(log_id), tip.digest()],
            |row| database.tree_row(row),
        )
    }

    fn tree_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_trees!(
                "WHERE author = ?1 AND document = ?2 \
                 ORDER BY purged, ended, tip DESC, tip_hash LIMIT 1"
            ),
            params![author, document.hash().digest()],
            |row| database.tree_row(row),
        )
    }

    fn trees(&self, public_key: PublicKey, log_id: LogId) -> Result<Vec<TreeRow>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_trees!("WHERE author = ?1 AND log_id = ?2 ORDER BY id"),
            params![author, from_log_id(log_id)],
            |row| database.tree_row(row),
        )
    }

    fn branches(&self, public_key: PublicKey, log_id: LogId, max: u32) -> Result<u64, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(0);
        };
        database.number(
            "SELECT count(*) FROM (
                 SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2
                 UNION ALL
                 SELECT 1 FROM branches b JOIN logs l ON l.id = b.log
                 WHERE l.author = ?1 AND l.log_id = ?2
                 LIMIT ?3
             )",
            params![author, from_log_id(log_id), max],
        )
    }

    fn usage(&self, public_key: PublicKey, max: u64) -> Result<Usage, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(Usage::default());
        };
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        Ok(Usage {
            entries: database.number(
                "SELECT count(*) FROM (
                     SELECT 1 FROM logs l JOIN entries e ON e.log = l.id WHERE l.author = ?1 LIMIT ?2
                 )",
                [author, max],
            )?,
            logs: database.number(
                "SELECT count(*) FROM (
                     SELECT DISTINCT log_id FROM logs WHERE author = ?1 LIMIT ?2
                 )",
                [author, max],
            )?,
        })
    }

    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            "SELECT log_id FROM logs WHERE author = ?1 ORDER BY log_id DESC LIMIT 1",
            [author],
            |row| Ok(to_log_id(row.get(0)?)),
        )
    }

    fn lowest_unused_log_id(
        &self,
        public_key: PublicKey,
        below: LogId,
    ) -> Result<Option<LogId>, StoreError> {
        let database = self.as_ref();
        let least = LogId::default();
        let lowest = match database.author(public_key)? {
            None => Some(least),
            Some(author) => database.first(
                LOWEST_UNUSED,
                params![author, from_log_id(least), from_log_id(below)],
                |row| Ok(to_log_id(row.get(0)?)),
            )?,
        };
        Ok(lowest.filter(|lowest| *lowest < below))
    }

    fn entries_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
        limit: u32,
    ) -> Result<Vec<PlacedEntry>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_placed!(
                "WHERE l.author = ?1 AND l.log_id = ?2 AND e.seq_num = ?3 ORDER BY e.hash LIMIT ?4"
            ),
            params![author, from_log_id(log_id), from_seq_num(seq_num), limit],
            |row| database.placed_entry(row),
        )
    }

    fn placed(&self, hash: Hash) -> Result<Option<PlacedEntry>, StoreError> {
        let database = self.as_ref();
        database.first(
            select_placed!("WHERE e.hash = ?1"),
            [hash.digest()],
            |row| database.placed_entry(row),
        )
    }

    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError> {
        let database = self.as_ref();
        database.first(
            select_entries!("WHERE e.hash = ?1"),
            [hash.digest()],
            |row| database.entry_row(row),
        )
    }

    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
        let database = self.as_ref();
        database.first(
            select_operations!("WHERE e.hash = ?1"),
            [id.hash().digest()],
            |row| database.operation_row(row),
        )
    }

    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError> {
        let database = self.as_ref();
        let rows = database.all(
            select_operations!("WHERE e.hash IN rarray(?1)"),
            [digests(ids.iter().map(|id| id.hash()))],
            |row| Ok((hash(row, 4)?.into(), database.operation_row(row)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError> {
        let size: Option<Option<i64>> = self.as_ref().first(
            "SELECT coalesce(outside, length(payload)) FROM entries WHERE hash = ?1",
            [id.hash().digest()],
            |row| Ok(row.get(0)?),
        )?;
        Ok(size.flatten().map(i64::cast_unsigned))
    }

    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        self.as_ref().entry_rows(
            select_entries!("WHERE l.document = ?1 ORDER BY e.id"),
            [document.hash().digest()],
        )
    }

    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError> {
        self.as_ref().entry_rows(
            select_entries!("WHERE l.document IN rarray(?1) ORDER BY e.id"),
            [digests(documents.iter().map(|id| id.hash()))],
        )
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
                let id = hash(row, 5)?.into();
                if !row.get(4)? {
                    live.entry(row.get(0)?).or_default().push(id);
                }
                found.insert(id, database.document_row(id, row, 0)?);
            }
            for (schema, ids) in live {
                let view = database
                    .view(schema)?
                    .ok_or(StoreError::Corrupt("schema"))?;
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

    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<TreeRow>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_trees!(
                "WHERE author = ?1 AND log_id IN (
                     SELECT DISTINCT log_id FROM logs
                     WHERE author = ?1 AND (?2 IS NULL OR log_id > ?2) ORDER BY log_id LIMIT ?3
                 )
                 ORDER BY log_id, ended, tip DESC, tip_hash"
            ),
            params![author, after.map(from_log_id), limit],
            |row| database.tree_row(row),
        )
    }

    fn position(&self) -> Result<i64, StoreError> {
        let database = self.as_ref();
        let position = database.first("SELECT coalesce(max(id), 0) FROM entries", [], |row| {
            Ok(row.get(0)?)
        })?;
        Ok(position.unwrap_or_default())
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let database = self.as_ref();
        let changes = database.all(CHANGES_AFTER, params![after, limit], |row| {
            Ok(Change {
                position: row.get(0)?,
                document: hash(row, 1)?.into(),
                schema_id: database.schema_id(row.get(2)?)?,
            })
        })?;
        Ok(changes)
    }

    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError> {
        let database = self.as_ref();
        match database.schema_row(schema_id)? {
            Some(schema) => database.entry_rows(
                select_entries!("WHERE l.schema = ?1 ORDER BY e.id"),
                [schema],
            ),
            None => Ok(Vec::new()),
        }
    }

    fn schema_entries_within(
        &self,
        schema_id: &SchemaId,
        size_max: usize,
    ) -> Result<Option<Vec<EntryRow>>, StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            let Some(schema) = database.schema_row(schema_id)? else {
                return Ok(Some(Vec::new()));
            };
            // Asked for on its own, since sorting holds all rows in memory.
            let size = database.number(
                "SELECT coalesce(sum(length(e.entry) + coalesce(e.outside, length(e.payload), 0)), 0)
                 FROM entries e JOIN logs l ON l.id = e.log WHERE l.schema = ?1",
                [schema],
            )?;
            if size > size_max as u64 {
                return Ok(None);
            }
            Ok(Some(self.schema_entries(schema_id)?))
        })
    }

    fn entries_after(
        &self,
        after: i64,
        schema_id: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let database = self.as_ref();
        let Some(schema_id) = schema_id else {
            return database.entry_rows(
                select_entries!("WHERE e.id > ?1 ORDER BY e.id LIMIT ?2"),
                params![after, limit],
            );
        };
        match database.schema_row(schema_id)? {
            // In the order of entries, so that all pages together go through them once. The sign keeps
            // the planner from collecting the whole schema for each.
            Some(schema) => database.entry_rows(
                select_entries!("WHERE +l.schema = ?1 AND e.id > ?2 ORDER BY e.id LIMIT ?3"),
                params![schema, after, limit],
            ),
            None => Ok(Vec::new()),
        }
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

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        let database = self.as_ref();
        let mut tips = Tips::new();
        database.snapshot(|| {
            for id in schemas {
                let Some(schema) = database.schema_row(id)? else {
                    continue;
                };
                let mut statement = database.statement(TIPS)?;
                let mut rows = statement.query([schema])?;
                while let Some(row) = rows.next()? {
                    let logs = tips.entry(database.public_key(row.get(0)?)?).or_default();
                    let log = logs.entry(to_log_id(row.get(1)?)).or_default();
                    log.insert((to_seq_num(row.get(2)?)?, hash(row, 3)?));
                }
            }
            Ok(())
        })?;
        Ok(tips)
    }

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        let database = self.as_ref();
        let mut preferred = PreferredTips::default();
        database.snapshot(|| {
            for id in schemas {
                let Some(schema) = database.schema_row(id)? else {
                    continue;
                };
                for tree in database.all(select_trees!("WHERE schema = ?1"), [schema], |row| {
                    database.tree_row(row)
                })? {
                    preferred.add(&tree);
                }
            }
            Ok(())
        })?;
        Ok(preferred.into_heights())
    }

    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        self.as_ref().document_to(id, Extent::Whole)
    }

    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        self.as_ref().document_to(id, Extent::Outline)
    }

    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        self.as_ref().refers_to(name)
    }

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let database = self.as_ref();
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(());
        };
        let extent = Extent::of(query.outline);
        database.snapshot(|| {
            let lead = database.lead(&view, query)?;
            let (sql, values) = view.list_sql(database, query, lead)?;
            let mut statement = database.statement(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
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
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(());
        };
        let mut statement = database.statement(&view.these_sql())?;
        let mut rows = statement.query([digests(ids.iter().map(|id| id.hash()))])?;
        while let Some(row) = rows.next()? {
            let mut document = database.document_row(hash(row, 0)?.into(), row, 1)?;
            document.fields = Some(view.read(database, row, 5, Extent::of(outline))?);
            if !take(document) {
                break;
            }
        }
        Ok(())
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
            if !take(database.entry_row(row)?) {
                break;
            }
        }
        Ok(())
    }

    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.as_ref().snapshot(questions)
    }

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError> {
        let database = self.as_ref();
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(0);
        };
        let lead = database.counting_lead(&view, query)?;
        let (sql, values) = view.count_sql(database, query, lead)?;
        database.number(&sql, params_from_iter(values))
    }

    fn schemas(&self) -> Result<Vec<Schema>, StoreError> {
        let database = self.as_ref();
        let rows = database.all(
            "SELECT id FROM schemas WHERE definition IS NOT NULL",
            [],
            |row| Ok(row.get(0)?),
        )?;
        let mut schemas = Vec::with_capacity(rows.len());
        for row in rows {
            schemas.extend(database.schema(row)?);
        }
        schemas.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(schemas)
    }

    fn schema(&self, id: &SchemaId) -> Result<Option<Schema>, StoreError> {
        if let SchemaId::System(system) = id {
            return Ok(Some(Schema::system(*system)));
        }
        let database = self.as_ref();
        match database.schema_row(id)? {
            Some(row) => database.schema(row),
            None => Ok(None),
        }
    }

    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError> {
        let database = self.as_ref();
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            "SELECT seq_num, first, second FROM forks WHERE author = ?1 AND log_id = ?2",
            params![author, from_log_id(log_id)],
            |row| {
                Ok(ForkRow {
                    public_key,
                    log_id,
                    seq_num: to_seq_num(row.get(0)?)?,
                    first: row.get(1)?,
                    second: row.get(2)?,
                })
            },
        )
    }

    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        self.as_ref().first(
            "SELECT position FROM times WHERE at <= ?1 ORDER BY at DESC LIMIT 1",
            [at],
            |row| Ok(row.get(0)?),
        )
    }

    fn deeds(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        self.as_ref().all(
            "SELECT at, what FROM deeds ORDER BY id DESC LIMIT ?1",
            [limit],
            |row| Ok(row.try_into()?),
        )
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        let database = self.as_ref();
        database.snapshot(|| {
            Ok(Counts {
                // Entries are numbered without gaps and never removed.
                entries: database.number("SELECT coalesce(max(id), 0) FROM entries", [])?,
                documents: database.number("SELECT sum(live) FROM schemas", [])?,
                schemas: database.number("SELECT count(definition) FROM schemas", [])?,
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
    /// The one number the statement answers.
    pub fn number(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        let number: i64 = self.statement(sql)?.query_row(params, |row| row.get(0))?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt("count"))
    }

    fn tree_row(&self, row: &Row<'_>) -> Result<TreeRow, StoreError> {
        Ok(TreeRow {
            public_key: self.public_key(row.get(0)?)?,
            log_id: to_log_id(row.get(1)?),
            document: hash(row, 2)?.into(),
            schema_id: self.schema_id(row.get(3)?)?,
            tip: LogTip {
                seq_num: to_seq_num(row.get(4)?)?,
                hash: hash(row, 5)?,
                ended: row.get(6)?,
            },
            branched: row.get(7)?,
            purged: row.get(8)?,
        })
    }

    fn placed_entry(&self, row: &Row<'_>) -> Result<PlacedEntry, StoreError> {
        Ok(PlacedEntry {
            public_key: self.public_key(row.get(0)?)?,
            log_id: to_log_id(row.get(1)?),
            seq_num: to_seq_num(row.get(2)?)?,
            hash: hash(row, 3)?,
            entry: row.get(4)?,
            document: hash(row, 5)?.into(),
            schema_id: self.schema_id(row.get(6)?)?,
            purged: row.get(7)?,
        })
    }

    fn entry_row(&self, row: &Row<'_>) -> Result<EntryRow, StoreError> {
        let entry: Vec<u8> = row.get(7)?;
        let payload = self.payload(row, 8, &entry)?;
        let lost = payload.is_lost();
        Ok(EntryRow {
            position: row.get(0)?,
            public_key: self.public_key(row.get(1)?)?,
            log_id: to_log_id(row.get(2)?),
            seq_num: to_seq_num(row.get(3)?)?,
            hash: hash(row, 4)?,
            document: hash(row, 5)?.into(),
            schema_id: self.schema_id(row.get(6)?)?,
            entry,
            payload: payload.into_bytes(),
            lost,
            purged: row.get(11)?,
            stub: row.get(12)?,
        })
    }

    fn operation_row(&self, row: &Row<'_>) -> Result<OperationRow, StoreError> {
        let size: Option<i64> = row.get(3)?;
        Ok(OperationRow {
            position: row.get(5)?,
            document: hash(row, 0)?.into(),
            schema_id: self.schema_id(row.get(1)?)?,
            purged: row.get(2)?,
            has_payload: size.is_some(),
            payload_size: size.map(i64::cast_unsigned),
        })
    }

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
                let view = self.view(schema)?.ok_or(StoreError::Corrupt("schema"))?;
                let fields = view.get(self, id, extent)?;
                document.fields = Some(fields.ok_or(StoreError::Corrupt("document"))?);
            }
            Ok(Some(document))
        })
    }

    fn entry_rows(&self, sql: &str, params: impl Params) -> Result<Vec<EntryRow>, StoreError> {
        self.all(sql, params, |row| self.entry_row(row))
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
            let entry = self.first(select_entries!("WHERE e.id = ?1"), [position], |row| {
                self.entry_row(row)
            })?;
            entries.extend(entry);
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
            let public_key = self.public_key(row.get(1)?)?;
            let log_id = to_log_id(row.get(2)?);
            let seq_num = to_seq_num(row.get(3)?)?;
            let start = starts.get(&public_key).and_then(|logs| logs.get(&log_id));
            if start.is_some_and(|start| *start <= seq_num) {
                entries.push(self.entry_row(row)?);
            }
        }
        Ok(entries)
    }
}

/// Hashes as one value to be bound, for `IN rarray(?)`.
pub fn digests(hashes: impl Iterator<Item = Hash>) -> Array {
    Rc::new(
        hashes
            .map(|hash| Column::Blob(hash.digest().to_vec()))
            .collect(),
    )
}

fn hash(row: &Row<'_>, index: usize) -> Result<Hash, StoreError> {
    Ok(Hash::from_digest(row.get(index)?))
}
