//! Questions to the database.
//!
//! Both kinds of connections answer them here. Questions that take several statements see one state.

use std::collections::BTreeMap;

use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::LogTip;
use grove_core::wire::{Heights, SchemaSet};
use postgres::Row;
use postgres::types::ToSql;

use super::Connection;
use super::codec::Column;
use super::database::{Database, Params, digest, get};
use super::select::LIVE_COUNT;
use crate::store::codec::{from_log_id, from_seq_num, to_log_id, to_seq_num, to_view_id};
use crate::store::outside::Extent;
use crate::store::{
    Change, Counts, DocumentQuery, DocumentRow, EntryRow, ForkRow, LogRow, OperationRow, Read,
    Standing, StoreError, Take,
};

/// The columns of [`Database::entry_row`].
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, l.author, l.log_id, e.seq_num, e.hash, l.document, l.schema, e.entry, \
             e.payload, e.object, e.outside, \
             NOT l.purged AND (l.forked_at IS NULL OR e.seq_num < l.forked_at), \
             e.stub FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}

/// The columns of [`Database::log_row`].
macro_rules! select_logs {
    ($rest:literal) => {
        concat!(
            "SELECT author, log_id, document, schema, tip, tip_hash, ended, forked_at, purged \
             FROM logs ",
            $rest
        )
    };
}

/// The columns of [`Database::operation_row`].
macro_rules! select_operations {
    ($rest:literal) => {
        concat!(
            "SELECT l.document, l.schema, \
             NOT l.purged AND (l.forked_at IS NULL OR e.seq_num < l.forked_at), l.purged, \
             e.hash, e.id, coalesce(e.outside, octet_length(e.payload)::bigint) \
             FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}

/// The columns of [`Database::document_row`].
const SELECT_DOCUMENTS: &str =
    "SELECT schema, owner, view_id, edited, deleted, id FROM documents WHERE id = ANY($1)";

/// Entries of some logs, each from a number on, that stand behind a position and may be passed on.
const ENTRIES_FROM: &str = select_entries!(
    "JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS start (author, log_id, seq_num)
       ON l.author = start.author AND l.log_id = start.log_id AND e.seq_num >= start.seq_num
     WHERE e.id > $4 AND (l.forked_at IS NULL OR e.seq_num < l.forked_at)
       AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from)
     ORDER BY e.id LIMIT $5"
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

impl<W> Read for Connection<W> {
    fn log(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<LogRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_logs!("WHERE author = $1 AND log_id = $2"),
            &[&author, &from_log_id(log_id)],
            |row| database.log_row(row),
        )
    }

    fn log_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<LogRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_logs!("WHERE author = $1 AND document = $2"),
            &[&author, &document.hash().digest().as_slice()],
            |row| database.log_row(row),
        )
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

    fn entry_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<EntryRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(None);
        };
        database.first(
            select_entries!("WHERE l.author = $1 AND l.log_id = $2 AND e.seq_num = $3"),
            &[&author, &from_log_id(log_id), &from_seq_num(seq_num)],
            |row| database.entry_row(row),
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
            "SELECT coalesce(outside, octet_length(payload)::bigint) FROM entries WHERE hash = $1",
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
        self.database.documents_to(ids, Extent::Whole)
    }

    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<LogRow>, StoreError> {
        let database = &self.database;
        let Some(author) = database.author(public_key)? else {
            return Ok(Vec::new());
        };
        database.all(
            select_logs!(
                "WHERE author = $1 AND ($2::bigint IS NULL OR log_id > $2) ORDER BY log_id LIMIT $3"
            ),
            &[&author, &after.map(from_log_id), &i64::from(limit)],
            |row| database.log_row(row),
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
        let limit = i64::from(limit);
        let Some(schema_id) = schema_id else {
            return self.database.entry_rows(
                select_entries!("WHERE e.id > $1 ORDER BY e.id LIMIT $2"),
                &[&after, &limit],
            );
        };
        match self.database.schema_row(schema_id)? {
            Some(schema) => self.database.entry_rows(
                select_entries!("WHERE e.id > $1 AND l.schema = $3 ORDER BY e.id LIMIT $2"),
                &[&after, &limit, &schema],
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

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        let database = &self.database;
        let ids: Vec<String> = schemas.iter().map(ToString::to_string).collect();
        let logs = database.all(
            select_logs!("WHERE schema IN (SELECT id FROM schemas WHERE schema_id = ANY($1))"),
            &[&ids],
            |row| database.log_row(row),
        )?;
        let mut heights = Heights::new();
        for log in logs {
            if let Some(height) = log.height() {
                let logs = heights.entry(log.public_key).or_default();
                logs.insert(log.log_id, height);
            }
        }
        Ok(heights)
    }

    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        Ok(self.documents(&[id])?.remove(&id))
    }

    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        let mut found = self.database.documents_to(&[id], Extent::Outline)?;
        Ok(found.remove(&id))
    }

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let rows = self.database.documents_to(ids, Extent::of(outline))?;
        rows.into_values()
            .filter(|row| row.schema_id == *schema_id && !row.is_deleted())
            .all(take);
        Ok(())
    }

    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        self.database.refers_to(name)
    }

    fn list(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
    ) -> Result<Vec<DocumentRow>, StoreError> {
        let database = &self.database;
        let Some(view) = database.view_of(schema_id)? else {
            return Ok(Vec::new());
        };
        let (sql, values) = view.list_sql(database, query)?;
        database.all(&sql, &bound(&values), |row| {
            let mut document = database.document_row(hash(row, 0)?.into(), row, 1)?;
            if query.standing == Standing::Live {
                let extent = Extent::of(query.outline);
                document.fields = Some(view.read(database, row, 5, extent)?);
            }
            Ok(document)
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
            "SELECT f.seq_num, f.first, f.second FROM forks f JOIN logs l ON l.id = f.log
             WHERE l.author = $1 AND l.log_id = $2",
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
                    (SELECT count(*) FROM parked), (SELECT count(*) FROM forks)",
            &[],
            |row| {
                Ok(Counts {
                    entries: unsigned(get(row, 0)?)?,
                    documents: unsigned(get::<i64>(row, 1)? + pending)?,
                    schemas: unsigned(get(row, 2)?)?,
                    parked: unsigned(get(row, 3)?)?,
                    forks: unsigned(get(row, 4)?)?,
                })
            },
        )?;
        counts.ok_or(StoreError::Corrupt("count"))
    }
}

impl Database {
    fn documents_to(
        &self,
        ids: &[DocumentId],
        extent: Extent,
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        let database = self;
        database.snapshot(|| {
            let mut found = BTreeMap::new();
            let mut live: BTreeMap<i64, Vec<DocumentId>> = BTreeMap::new();
            for (id, schema, deleted, document) in database.all(
                SELECT_DOCUMENTS,
                &[&digests(ids.iter().map(|id| id.hash()))],
                |row| {
                    let id = hash(row, 5)?.into();
                    let document = database.document_row(id, row, 0)?;
                    Ok((id, get(row, 0)?, get::<bool>(row, 4)?, document))
                },
            )? {
                if !deleted {
                    live.entry(schema).or_default().push(id);
                }
                found.insert(id, document);
            }
            for (schema, ids) in live {
                let view = database
                    .view(schema)?
                    .ok_or(StoreError::Corrupt("schema"))?;
                for (id, fields) in
                    view.get_all(database, &digests(ids.iter().map(|id| id.hash())), extent)?
                {
                    let document: Option<&mut DocumentRow> = found.get_mut(&id);
                    document.ok_or(StoreError::Corrupt("document"))?.fields = Some(fields);
                }
            }
            Ok(found)
        })
    }

    fn log_row(&self, row: &Row) -> Result<LogRow, StoreError> {
        Ok(LogRow {
            public_key: self.public_key(get(row, 0)?)?,
            log_id: to_log_id(get(row, 1)?),
            document: hash(row, 2)?.into(),
            schema_id: self.schema_id(get(row, 3)?)?,
            tip: LogTip {
                seq_num: to_seq_num(get(row, 4)?)?,
                hash: hash(row, 5)?,
                ended: get(row, 6)?,
            },
            forked_at: get::<Option<i64>>(row, 7)?.map(to_seq_num).transpose()?,
            purged: get(row, 8)?,
        })
    }

    fn entry_row(&self, row: &Row) -> Result<EntryRow, StoreError> {
        let entry: Vec<u8> = get(row, 7)?;
        let payload = self.payload(row, 8, &entry)?;
        Ok(EntryRow {
            position: get(row, 0)?,
            public_key: self.public_key(get(row, 1)?)?,
            log_id: to_log_id(get(row, 2)?),
            seq_num: to_seq_num(get(row, 3)?)?,
            hash: hash(row, 4)?,
            document: hash(row, 5)?.into(),
            schema_id: self.schema_id(get(row, 6)?)?,
            entry,
            lost: payload.is_lost(),
            payload: payload.into_bytes(),
            counted: get(row, 11)?,
            stub: get(row, 12)?,
        })
    }

    fn operation_row(&self, row: &Row) -> Result<OperationRow, StoreError> {
        let size: Option<i64> = get(row, 6)?;
        Ok(OperationRow {
            position: get(row, 5)?,
            document: hash(row, 0)?.into(),
            schema_id: self.schema_id(get(row, 1)?)?,
            counted: get(row, 2)?,
            purged: get(row, 3)?,
            has_payload: size.is_some(),
            payload_size: size.map(i64::cast_unsigned),
        })
    }

    fn entry_rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<EntryRow>, StoreError> {
        self.all(sql, params, |row| self.entry_row(row))
    }

    /// Reads `schema, owner, view_id, edited` from `offset` on; the fields are still to be filled in.
    fn document_row(
        &self,
        id: DocumentId,
        row: &Row,
        offset: usize,
    ) -> Result<DocumentRow, StoreError> {
        Ok(DocumentRow {
            id,
            schema_id: self.schema_id(get(row, offset)?)?,
            owner: self.public_key(get(row, offset + 1)?)?,
            view_id: to_view_id(get(row, offset + 2)?)?,
            edited: get(row, offset + 3)?,
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
