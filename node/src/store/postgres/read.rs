//! Questions that this database answers in a way of its own.
//!
//! Both kinds of connections answer them here. Questions that take several statements see one state.

use std::collections::BTreeMap;

use grove_core::types::{DocumentId, Hash, PublicKey, SchemaId};
use grove_core::wire::Heights;
use postgres::Row;
use postgres::types::ToSql;

use super::Connection;
use super::codec::{Column, digest, get};
use super::database::Database;
use super::select::LIVE_COUNT;
use crate::store::codec::{from_log_id, from_seq_num, to_view_id};
use crate::store::outside::Extent;
use crate::store::sql::rows::{entry, entry_of, select_entries};
use crate::store::sql::{Dialect, Sql};
use crate::store::{Counts, DocumentQuery, DocumentRow, EntryRow, Standing, StoreError, Take};

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
    "FROM entries e JOIN logs l ON l.id = e.log ",
    "JOIN authors a ON a.id = l.author JOIN schemas s ON s.id = l.schema \
     WHERE l.document = ANY($1) ORDER BY l.document"
);

impl<W> Dialect for Connection<W> {
    type Database = Database;

    fn database(&self) -> &Database {
        &self.database
    }

    fn snapshot(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.database.snapshot(questions)
    }

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        self.database.documents(ids, Extent::Whole)
    }

    fn document_to(
        &self,
        id: DocumentId,
        extent: Extent,
    ) -> Result<Option<DocumentRow>, StoreError> {
        Ok(self.database.documents(&[id], extent)?.remove(&id))
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
        self.database.all(
            ENTRIES_FROM,
            &[&authors, &log_ids, &seq_nums, &after_position, &limit],
            |row| entry(&self.database, row),
        )
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
            Ok(take(entry_of(&self.database, public_key, schema_id, row)?))
        })
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

    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
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
                    (SELECT sum(live)::bigint FROM schemas), (SELECT count(*) FROM schemas WHERE definition IS NOT NULL
                     -- The last byte of a definition says whether it is withheld.
                     AND get_byte(definition, octet_length(definition) - 1) <> 245),
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
    /// The states of these documents. The number of statements is that of their schemas.
    pub fn documents(
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
                // Without its schema a document is not there.
                let Some(view) = self.view(schema)? else {
                    continue;
                };
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
