//! Questions to the database.
//!
//! Both kinds of connections answer them here. Questions that take several statements see one state.

use std::collections::BTreeMap;

use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::LogTip;
use grove_core::wire::{Heights, SchemaSet, Tips};
use postgres::Row;
use postgres::types::ToSql;

use super::Connection;
use super::codec::Column;
use super::database::{Database, Params, digest, get};
use super::select::LIVE_COUNT;
use crate::store::codec::{from_log_id, from_seq_num, to_log_id, to_seq_num, to_view_id};
use crate::store::outside::Extent;
use crate::store::trees::PreferredTips;
use crate::store::{
    Change, Counts, DocumentQuery, DocumentRow, EntryRow, ForkRow, OperationRow, PlacedEntry, Read,
    Standing, StoreError, Take, TreeRow, Usage,
};

/// The columns of [`Database::entry_row`].
macro_rules! select_entries {
    ($rest:literal) => {
        select_entries!("l.author", "l.schema", $rest)
    };
    ($author:literal, $schema:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $author,
            ", ",
            $schema,
            ", e.id, l.log_id, e.seq_num, e.hash, l.document, e.entry, \
             e.payload, e.object, e.outside, l.purged, e.stub FROM entries e JOIN logs l ON l.id = e.log ",
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
            "SELECT l.document, l.schema, l.purged, coalesce(e.outside, octet_length(e.payload)), \
             e.hash, e.id FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}

/// The columns of [`Database::document_row`], and whether it was deleted.
const SELECT_DOCUMENTS: &str =
    "SELECT schema, owner, view_id, edited, deleted, id FROM documents WHERE id = ANY($1)";

/// Entries of some logs, each from a number on, that stand behind a position and may be passed on.
const ENTRIES_FROM: &str = select_entries!(
    "JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS start (author, log_id, seq_num)
       ON l.author = start.author AND l.log_id = start.log_id AND e.seq_num >= start.seq_num
     WHERE e.id > $4 AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from)
     ORDER BY e.id LIMIT $5"
);

/// All entries of documents, each document's together, with all that is needed to read them.
const ENTRIES_BY_DOCUMENT: &str = select_entries!(
    "a.public_key",
    "s.schema_id",
    "JOIN authors a ON a.id = l.author JOIN schemas s ON s.id = l.schema \
     WHERE l.document = ANY($1) ORDER BY l.document"
);

/// What happened to documents from a position on. Of the last position all changes are told, so that who
/// goes on from there misses none.
const CHANGES_AFTER: &str = "
    WITH page AS (
        SELECT e.id AS position, l.document, l.schema FROM entries e JOIN logs l ON l.id = e.log
        WHERE e.id > $1 ORDER BY e.id LIMIT $2
    )
    SELECT position, document, schema FROM page
    UNION ALL
    SELECT c.position, c.document, (SELECT min(schema) FROM logs l WHERE l.document = c.document)
    FROM changes c
    WHERE c.position >= $1 AND (
        (SELECT count(*) FROM page) < $2 OR c.position <= (SELECT max(position) FROM page)
    )
    ORDER BY 1";

/// The tips of all branches of documents of some schemas.
const TIPS: &str = "
    WITH trees AS (
        SELECT id, author, log_id, tip, tip_hash FROM logs
        WHERE schema IN (SELECT id FROM schemas WHERE schema_id = ANY($1))
    )
    SELECT author, log_id, tip, tip_hash FROM trees
    UNION ALL
    SELECT t.author, t.log_id, b.seq_num, b.hash FROM branches b JOIN trees t ON t.id = b.log";

/// The lowest log id an author has not used: 0, or the first one above one that was used.
const LOWEST_UNUSED: &str = "
    SELECT $2 AS log_id WHERE NOT EXISTS (SELECT 1 FROM logs WHERE author = $1 AND log_id = $2)
    UNION ALL
    (
        SELECT log_id + 1 FROM logs l
        WHERE author = $1 AND log_id < $3 AND NOT EXISTS (
            SELECT 1 FROM logs n WHERE n.author = $1 AND n.log_id = l.log_id + 1
        )
        ORDER BY log_id LIMIT 1
    )
    LIMIT 1";

impl<W> Read for Connection<W> {
    fn tree_of_tip(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_trees!("WHERE author = $1 AND log_id = $2 AND tip_hash = $3"),
            &[&author, &from_log_id(log_id), &tip.digest().as_slice()],
            |row| database.tree_row(row),
        )
    }

    fn tree_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_trees!(
                "WHERE author = $1 AND document = $2 \
                 ORDER BY purged, ended, tip DESC, tip_hash LIMIT 1"
            ),
            &[&author, &document.hash().digest().as_slice()],
            |row| database.tree_row(row),
        )
    }

    fn trees(&self, public_key: PublicKey, log_id: LogId) -> Result<Vec<TreeRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_trees!("WHERE author = $1 AND log_id = $2 ORDER BY id"),
            &[&author, &from_log_id(log_id)],
            |row| database.tree_row(row),
        )
    }

    fn branches(&self, public_key: PublicKey, log_id: LogId, max: u32) -> Result<u64, StoreError> {
        let Some(author) = self.database.author(public_key)? else {
            return Ok(0);
        };
        unsigned(self.database.number(
            "SELECT count(*) FROM (
                 SELECT 1 FROM logs WHERE author = $1 AND log_id = $2
                 UNION ALL
                 SELECT 1 FROM branches b JOIN logs l ON l.id = b.log
                 WHERE l.author = $1 AND l.log_id = $2
                 LIMIT $3
             ) tips",
            &[&author, &from_log_id(log_id), &i64::from(max)],
        )?)
    }

    fn usage(&self, public_key: PublicKey, max: u64) -> Result<Usage, StoreError> {
        let Some(author) = self.database.author(public_key)? else {
            return Ok(Usage::default());
        };
        let usage = self.database.first(
            "SELECT (SELECT count(*) FROM (
                         SELECT 1 FROM logs l JOIN entries e ON e.log = l.id WHERE l.author = $1 LIMIT $2
                     ) entries),
                    (SELECT count(*) FROM (
                         SELECT DISTINCT log_id FROM logs WHERE author = $1 LIMIT $2
                     ) logs)",
            &[&author, &i64::try_from(max).unwrap_or(i64::MAX)],
            |row| {
                Ok(Usage {
                    entries: unsigned(get(row, 0)?)?,
                    logs: unsigned(get(row, 1)?)?,
                })
            },
        )?;
        usage.ok_or(StoreError::Corrupt("count"))
    }

    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            "SELECT log_id FROM logs WHERE author = $1 ORDER BY log_id DESC LIMIT 1",
            &[&author],
            |row| Ok(to_log_id(get(row, 0)?)),
        )
    }

    fn lowest_unused_log_id(
        &self,
        public_key: PublicKey,
        below: LogId,
    ) -> Result<Option<LogId>, StoreError> {
        let least = LogId::default();
        let lowest = match self.database.author(public_key)? {
            None => Some(least),
            Some(author) => self.database.first(
                LOWEST_UNUSED,
                &[&author, &from_log_id(least), &from_log_id(below)],
                |row| Ok(to_log_id(get(row, 0)?)),
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
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_placed!(
                "WHERE l.author = $1 AND l.log_id = $2 AND e.seq_num = $3 ORDER BY e.hash LIMIT $4"
            ),
            &[
                &author,
                &from_log_id(log_id),
                &from_seq_num(seq_num),
                &i64::from(limit),
            ],
            |row| database.placed_entry(row),
        )
    }

    fn placed(&self, hash: Hash) -> Result<Option<PlacedEntry>, StoreError> {
        let database = &self.database;
        database.first(
            select_placed!("WHERE e.hash = $1"),
            &[&hash.digest().as_slice()],
            |row| database.placed_entry(row),
        )
    }

    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError> {
        let database = &self.database;
        database.first(
            select_entries!("WHERE e.hash = $1"),
            &[&hash.digest().as_slice()],
            |row| database.entry_row(row),
        )
    }

    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
        let database = &self.database;
        database.first(
            select_operations!("WHERE e.hash = $1"),
            &[&id.hash().digest().as_slice()],
            |row| database.operation_row(row),
        )
    }

    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError> {
        let database = &self.database;
        let ids = digests(ids.iter().map(|id| id.hash()));
        let rows = database.all(
            select_operations!("WHERE e.hash = ANY($1)"),
            &[&ids],
            |row| Ok((hash(row, 4)?.into(), database.operation_row(row)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError> {
        let size = self.database.first(
            "SELECT coalesce(outside, octet_length(payload)) FROM entries WHERE hash = $1",
            &[&id.hash().digest().as_slice()],
            |row| get::<Option<i64>>(row, 0),
        )?;
        Ok(size.flatten().map(i64::cast_unsigned))
    }

    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        self.database.entry_rows(
            select_entries!("WHERE l.document = $1 ORDER BY e.id"),
            &[&document.hash().digest().as_slice()],
        )
    }

    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError> {
        self.database.entry_rows(
            select_entries!("WHERE l.document = ANY($1) ORDER BY e.id"),
            &[&digests(documents.iter().map(|id| id.hash()))],
        )
    }

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        self.database.documents(ids, Extent::Whole)
    }

    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<TreeRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_trees!(
                "WHERE author = $1 AND log_id IN (
                     SELECT DISTINCT log_id FROM logs
                     WHERE author = $1 AND ($2::bigint IS NULL OR log_id > $2)
                     ORDER BY log_id LIMIT $3
                 )
                 ORDER BY log_id, ended, tip DESC, tip_hash"
            ),
            &[&author, &after.map(from_log_id), &i64::from(limit)],
            |row| database.tree_row(row),
        )
    }

    fn position(&self) -> Result<i64, StoreError> {
        self.database
            .number("SELECT coalesce(max(id), 0) FROM entries", &[])
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let database = &self.database;
        database.all(CHANGES_AFTER, &[&after, &i64::from(limit)], |row| {
            Ok(Change {
                position: get(row, 0)?,
                document: hash(row, 1)?.into(),
                schema_id: database.schema_id(get(row, 2)?)?,
            })
        })
    }

    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError> {
        match self.database.schema_row(schema_id)? {
            Some(schema) => self.database.entry_rows(
                select_entries!("WHERE l.schema = $1 ORDER BY e.id"),
                &[&schema],
            ),
            None => Ok(Vec::new()),
        }
    }

    fn schema_entries_within(
        &self,
        schema_id: &SchemaId,
        size_max: usize,
    ) -> Result<Option<Vec<EntryRow>>, StoreError> {
        let database = &self.database;
        database.snapshot(|| {
            let Some(schema) = database.schema_row(schema_id)? else {
                return Ok(Some(Vec::new()));
            };
            // Asked for on its own, since all rows of an answer are held in memory.
            let size = database.number(
                "SELECT coalesce(sum(octet_length(e.entry) + coalesce(e.outside, octet_length(e.payload), 0)), 0)::bigint
                 FROM entries e JOIN logs l ON l.id = e.log WHERE l.schema = $1",
                &[&schema],
            )?;
            if unsigned(size)? > size_max as u64 {
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
        let (database, limit) = (&self.database, i64::from(limit));
        let Some(schema_id) = schema_id else {
            return database.entry_rows(
                select_entries!("WHERE e.id > $1 ORDER BY e.id LIMIT $2"),
                &[&after, &limit],
            );
        };
        match database.schema_row(schema_id)? {
            // In the order of entries, so that all pages together go through them once. The sum keeps the
            // server from collecting the whole schema for each.
            Some(schema) => database.entry_rows(
                select_entries!("WHERE l.schema + 0 = $1 AND e.id > $2 ORDER BY e.id LIMIT $3"),
                &[&schema, &after, &limit],
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
        let (mut authors, mut log_ids, mut seq_nums) = (Vec::new(), Vec::new(), Vec::new());
        for (public_key, logs) in starts {
            let Some(author) = self.database.author(*public_key)? else {
                continue;
            };
            for (log_id, start) in logs {
                authors.push(author);
                log_ids.push(from_log_id(*log_id));
                seq_nums.push(from_seq_num(*start));
            }
        }
        let limit = i64::from(limit);
        self.database.entry_rows(
            ENTRIES_FROM,
            &[&authors, &log_ids, &seq_nums, &after_position, &limit],
        )
    }

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        let database = &self.database;
        let ids: Vec<String> = schemas.iter().map(ToString::to_string).collect();
        let rows = database.all(TIPS, &[&ids], |row| {
            let log = (get::<i64>(row, 0)?, to_log_id(get(row, 1)?));
            Ok((log, (to_seq_num(get(row, 2)?)?, hash(row, 3)?)))
        })?;
        let mut tips = Tips::new();
        for ((author, log_id), tip) in rows {
            let logs = tips.entry(database.public_key(author)?).or_default();
            logs.entry(log_id).or_default().insert(tip);
        }
        Ok(tips)
    }

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        let database = &self.database;
        let ids: Vec<String> = schemas.iter().map(ToString::to_string).collect();
        let mut preferred = PreferredTips::default();
        for tree in database.all(
            select_trees!("WHERE schema IN (SELECT id FROM schemas WHERE schema_id = ANY($1))"),
            &[&ids],
            |row| database.tree_row(row),
        )? {
            preferred.add(&tree);
        }
        Ok(preferred.into_heights())
    }

    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        Ok(self.documents(&[id])?.remove(&id))
    }

    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        let mut found = self.database.documents(&[id], Extent::Outline)?;
        Ok(found.remove(&id))
    }

    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        self.database.refers_to(name)
    }

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let database = &self.database;
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(());
        };
        let by_author = database.wish_for_page(&view, query)?;
        let (sql, values) = view.list_sql(database, query, by_author)?;
        let live = (query.standing == Standing::Live).then_some(Extent::of(query.outline));
        database.visit(&sql, &bound(&values), |row| {
            Ok(take(view.document(database, row, live)?))
        })
    }

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let database = &self.database;
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(());
        };
        let extent = Extent::of(outline);
        let ids = digests(ids.iter().map(|id| id.hash()));
        database.visit(&view.these_sql(extent), &[&ids], |row| {
            Ok(take(view.document(database, row, Some(extent))?))
        })
    }

    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError> {
        let ids = digests(documents.iter().map(|id| id.hash()));
        self.database.visit(ENTRIES_BY_DOCUMENT, &[&ids], |row| {
            let public_key = PublicKey::from_bytes(&digest(row, 0)?);
            let public_key = public_key.map_err(|_| StoreError::Corrupt("author"))?;
            let schema_id = get::<&str>(row, 1)?.parse();
            let schema_id = schema_id.map_err(|_| StoreError::Corrupt("schema id"))?;
            Ok(take(self.database.entry_of(public_key, schema_id, row)?))
        })
    }

    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.database.snapshot(questions)
    }

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError> {
        let database = &self.database;
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(0);
        };
        if query.standing == Standing::Live && query.conditions.is_empty() {
            let schema = view.schema_row();
            let stored = database.number(LIVE_COUNT, &[&schema])?;
            let pending = database.live.borrow().get(&schema).copied();
            return unsigned(stored + pending.unwrap_or(0));
        }
        database.wish_for_count(&view, query)?;
        let (sql, values) = view.count_sql(database, query)?;
        unsigned(database.number(&sql, &bound(&values))?)
    }

    fn schemas(&self) -> Result<Vec<Schema>, StoreError> {
        let database = &self.database;
        let rows: Vec<i64> = database.all(
            "SELECT id FROM schemas WHERE definition IS NOT NULL",
            &[],
            |row| get(row, 0),
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
        match self.database.schema_row(id)? {
            Some(row) => self.database.schema(row),
            None => Ok(None),
        }
    }

    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError> {
        let Some(author) = self.database.author(public_key)? else {
            return Ok(None);
        };
        self.database.first(
            "SELECT seq_num, first, second FROM forks WHERE author = $1 AND log_id = $2",
            &[&author, &from_log_id(log_id)],
            |row| {
                Ok(ForkRow {
                    public_key,
                    log_id,
                    seq_num: to_seq_num(get(row, 0)?)?,
                    first: get(row, 1)?,
                    second: get(row, 2)?,
                })
            },
        )
    }

    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        self.database.first(
            "SELECT position FROM times WHERE at <= $1 ORDER BY at DESC LIMIT 1",
            &[&at],
            |row| get(row, 0),
        )
    }

    fn deeds(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        self.database.all(
            "SELECT at, what FROM deeds ORDER BY id DESC LIMIT $1",
            &[&i64::from(limit)],
            |row| {
                let what = String::from_utf8(get(row, 1)?);
                Ok((get(row, 0)?, what.map_err(|_| StoreError::Corrupt("text"))?))
            },
        )
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        let pending: i64 = self.database.live.borrow().values().sum();
        let counts = self.database.first(
            // Entries are numbered without gaps and never removed.
            "SELECT (SELECT coalesce(max(id), 0) FROM entries),
                    (SELECT sum(live)::bigint FROM schemas), (SELECT count(definition) FROM schemas),
                    (SELECT count(*) FROM parked), (SELECT count(*) FROM forks),
                    (SELECT count(*) FROM branches) + (SELECT count(*) FROM logs WHERE further)",
            &[],
            |row| {
                Ok(Counts {
                    entries: unsigned(get(row, 0)?)?,
                    documents: unsigned(get::<i64>(row, 1)? + pending)?,
                    schemas: unsigned(get(row, 2)?)?,
                    parked: unsigned(get(row, 3)?)?,
                    forks: unsigned(get(row, 4)?)?,
                    branches: unsigned(get(row, 5)?)?,
                })
            },
        )?;
        counts.ok_or(StoreError::Corrupt("count"))
    }
}

impl Database {
    fn tree_row(&self, row: &Row) -> Result<TreeRow, StoreError> {
        Ok(TreeRow {
            public_key: self.public_key(get(row, 0)?)?,
            log_id: to_log_id(get(row, 1)?),
            document: hash(row, 2)?.into(),
            schema_id: self.schema_id(get(row, 3)?)?,
            tip: LogTip {
                seq_num: to_seq_num(get(row, 4)?)?,
                hash: hash(row, 5)?,
                ended: get(row, 6)?,
            },
            branched: get(row, 7)?,
            purged: get(row, 8)?,
        })
    }

    fn placed_entry(&self, row: &Row) -> Result<PlacedEntry, StoreError> {
        Ok(PlacedEntry {
            public_key: self.public_key(get(row, 0)?)?,
            log_id: to_log_id(get(row, 1)?),
            seq_num: to_seq_num(get(row, 2)?)?,
            hash: hash(row, 3)?,
            entry: get(row, 4)?,
            document: hash(row, 5)?.into(),
            schema_id: self.schema_id(get(row, 6)?)?,
            purged: get(row, 7)?,
        })
    }

    fn entry_row(&self, row: &Row) -> Result<EntryRow, StoreError> {
        let public_key = self.public_key(get(row, 0)?)?;
        let schema_id = self.schema_id(get(row, 1)?)?;
        self.entry_of(public_key, schema_id, row)
    }

    fn entry_of(
        &self,
        public_key: PublicKey,
        schema_id: SchemaId,
        row: &Row,
    ) -> Result<EntryRow, StoreError> {
        let entry: Vec<u8> = get(row, 7)?;
        let payload = self.payload(row, 8, &entry)?;
        let lost = payload.is_lost();
        Ok(EntryRow {
            position: get(row, 2)?,
            public_key,
            log_id: to_log_id(get(row, 3)?),
            seq_num: to_seq_num(get(row, 4)?)?,
            hash: hash(row, 5)?,
            document: hash(row, 6)?.into(),
            schema_id,
            entry,
            payload: payload.into_bytes(),
            lost,
            purged: get(row, 11)?,
            stub: get(row, 12)?,
        })
    }

    fn operation_row(&self, row: &Row) -> Result<OperationRow, StoreError> {
        let size: Option<i64> = get(row, 3)?;
        Ok(OperationRow {
            position: get(row, 5)?,
            document: hash(row, 0)?.into(),
            schema_id: self.schema_id(get(row, 1)?)?,
            purged: get(row, 2)?,
            has_payload: size.is_some(),
            payload_size: size.map(i64::cast_unsigned),
        })
    }

    /// The states of these documents. The number of statements is that of their schemas.
    fn documents(
        &self,
        ids: &[DocumentId],
        extent: Extent,
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        let ids = digests(ids.iter().map(|id| id.hash()));
        self.snapshot(|| {
            let mut found = BTreeMap::new();
            let mut live: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
            for (schema, deleted, document) in self.all(SELECT_DOCUMENTS, &[&ids], |row| {
                Ok((get(row, 0)?, get(row, 4)?, self.document_row(row)?))
            })? {
                if deleted {
                    found.insert(document.id, document);
                } else {
                    let digest = document.id.hash().digest().to_vec();
                    live.entry(schema).or_default().push(digest);
                }
            }
            for (schema, ids) in live {
                let view = self.view(schema)?.ok_or(StoreError::Corrupt("schema"))?;
                let mut count = 0;
                self.visit(&view.these_sql(extent), &[&ids], |row| {
                    let document = view.document(self, row, Some(extent))?;
                    count += 1;
                    found.insert(document.id, document);
                    Ok(true)
                })?;
                if count != ids.len() {
                    return Err(StoreError::Corrupt("document"));
                }
            }
            Ok(found)
        })
    }

    fn entry_rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<EntryRow>, StoreError> {
        self.all(sql, params, |row| self.entry_row(row))
    }

    /// Reads [`SELECT_DOCUMENTS`]; the fields are still to be filled in.
    fn document_row(&self, row: &Row) -> Result<DocumentRow, StoreError> {
        Ok(DocumentRow {
            id: hash(row, 5)?.into(),
            schema_id: self.schema_id(get(row, 0)?)?,
            owner: self.public_key(get(row, 1)?)?,
            view_id: to_view_id(get(row, 2)?)?,
            edited: get(row, 3)?,
            fields: None,
        })
    }
}

/// Hashes as one value to be bound, for `= ANY($1)`.
fn digests(hashes: impl Iterator<Item = Hash>) -> Vec<Vec<u8>> {
    hashes.map(|hash| hash.digest().to_vec()).collect()
}

fn bound(values: &[Column]) -> Vec<&(dyn ToSql + Sync)> {
    let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
    values.collect()
}

fn hash(row: &Row, index: usize) -> Result<Hash, StoreError> {
    Ok(Hash::from_digest(digest(row, index)?))
}

fn unsigned(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("count"))
}
