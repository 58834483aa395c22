//! The questions that every database answers with the same statements.

use std::collections::BTreeMap;

use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::{Heights, SchemaSet, Tips};

use super::rows::{
    self, has_doubts, is_doubted, select_entries, select_operations, select_placed, select_trees,
    seq_num,
};
use super::{Dialect, Param, Sql, hash};
use crate::budget::Budget;
use crate::store::border;
use crate::store::codec::{from_log_id, from_seq_num, to_log_id};
use crate::store::definition::to_definition;
use crate::store::objects::Objects;
use crate::store::outside::Extent;
use crate::store::trees::{DoubtedTrees, PreferredTips};
use crate::store::{
    Change, Counts, DocumentQuery, DocumentRow, EntryRow, ForkRow, OperationRow, PlacedEntry, Read,
    SchemaRow, StoreError, Take, ToldRow, TreeRow, Usage,
};

/// What happened to documents from a position on. Of the last position all changes are told, so that who
/// goes on from there misses none.
pub(crate) const CHANGES_AFTER: &str = "
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

/// The tip to continue of each tree of documents of some schemas.
const HEIGHTS: &str = concat!(
    "SELECT author, log_id, tip, tip_hash, ended FROM logs
     WHERE schema IN (SELECT id FROM schemas WHERE schema_id IN rarray(?1)) AND NOT ",
    has_doubts!("logs")
);

/// The tips of all branches of documents of some schemas.
const TIPS: &str = concat!(
    "WITH trees AS (
        SELECT id, author, log_id, tip, tip_hash FROM logs
        WHERE schema IN (SELECT id FROM schemas WHERE schema_id IN rarray(?1)) AND NOT ",
    has_doubts!("logs"),
    ")
    SELECT author, log_id, tip, tip_hash FROM trees
    UNION ALL
    SELECT t.author, t.log_id, b.seq_num, b.hash FROM branches b JOIN trees t ON t.id = b.log"
);

/// The entries of trees of some schemas with such as are doubted, each tree's in the order of acceptance.
const DOUBTED: &str = concat!(
    "SELECT l.author, l.log_id, e.hash, e.entry, e.action IS NOT NULL
     FROM logs l JOIN entries e ON e.log = l.id
     WHERE l.schema IN (SELECT id FROM schemas WHERE schema_id IN rarray(?1)) AND ",
    has_doubts!("l"),
    " ORDER BY e.id"
);

/// Entries between two positions that are not withheld from peers.
pub(crate) const ENTRIES_BETWEEN: &str = select_entries!(
    "WHERE e.id > ?1 AND e.id <= ?2 AND (l.withheld_from IS NULL OR e.seq_num < l.withheld_from)
     ORDER BY e.id LIMIT ?3"
);

/// Entries that are not doubted, see `has_doubts`.
pub(crate) const TOLD_AFTER: &str = "
    SELECT e.id, e.hash, l.schema FROM entries e JOIN logs l ON l.id = e.log
    WHERE e.id > ?1 AND (
        l.withheld_from IS NULL OR l.purged OR e.seq_num < l.withheld_from OR e.action IS NOT NULL
    )
    ORDER BY e.id LIMIT ?2";

/// Asks a question about an author, whom the database may not know.
macro_rules! author_or {
    ($database:ident, $key:expr, $none:expr) => {
        match $database.author($key)? {
            Some(author) => author,
            None => return Ok($none),
        }
    };
}

/// Answers from what was read ahead, if the answer is there.
macro_rules! answer_ahead {
    ($database:ident, $question:ident($($about:expr),*)) => {
        if let Some(answer) = $database.ahead().and_then(|ahead| ahead.$question($($about),*)) {
            return Ok(answer);
        }
    };
}

impl<T: Dialect> Read for T {
    fn spend(&self, units: u64) -> Result<(), StoreError> {
        self.database().meter().spend(units)
    }

    fn set_budget(&self, budget: Budget) {
        self.database().meter().set(budget);
    }

    fn tree_of_tip(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        tip: Hash,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = self.database();
        answer_ahead!(database, tree_of_tip(&(public_key, log_id, tip)));
        let author = author_or!(database, public_key, None);
        database.ask_one(
            select_trees!("WHERE author = ?1 AND log_id = ?2 AND tip_hash = ?3"),
            &[
                Param::Int(author),
                Param::Int(from_log_id(log_id)),
                Param::hash(&tip),
            ],
            |row| rows::tree(database, row),
        )
    }

    fn tree_of_document(
        &self,
        public_key: PublicKey,
        document: DocumentId,
    ) -> Result<Option<TreeRow>, StoreError> {
        let database = self.database();
        answer_ahead!(database, tree_of_document(&(public_key, document)));
        let author = author_or!(database, public_key, None);
        database.ask_one(
            select_trees!(
                "WHERE author = ?1 AND document = ?2 AND NOT ",
                is_doubted!("?3"),
                " ORDER BY purged, ended, tip DESC, tip_hash LIMIT 1"
            ),
            &[
                Param::Int(author),
                Param::hash(&document.hash()),
                Param::Int(from_seq_num(SeqNum::FIRST)),
            ],
            |row| rows::tree(database, row),
        )
    }

    fn trees(&self, public_key: PublicKey, log_id: LogId) -> Result<Vec<TreeRow>, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, Vec::new());
        let found = database.ask_all(
            select_trees!("WHERE author = ?1 AND log_id = ?2 ORDER BY id"),
            &[Param::Int(author), Param::Int(from_log_id(log_id))],
            |row| rows::tree(database, row),
        )?;
        border::expect_trees(&found, (public_key, log_id));
        Ok(found)
    }

    fn branches(&self, public_key: PublicKey, log_id: LogId, max: u32) -> Result<u64, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, 0);
        let found = database.ask_count(
            "SELECT count(*) FROM (
                 SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2
                 UNION ALL
                 SELECT 1 FROM branches b JOIN logs l ON l.id = b.log
                 WHERE l.author = ?1 AND l.log_id = ?2
                 LIMIT ?3
             ) tips",
            &[
                Param::Int(author),
                Param::Int(from_log_id(log_id)),
                Param::Int(max.into()),
            ],
        )?;
        border::expect_counted(found, max.into());
        Ok(found)
    }

    fn usage(&self, public_key: PublicKey, max: u64) -> Result<Usage, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, Usage::default());
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let params = [Param::Int(author), Param::Int(max)];
        Ok(Usage {
            entries: database.ask_count(
                "SELECT count(*) FROM (
                     SELECT 1 FROM logs l JOIN entries e ON e.log = l.id WHERE l.author = ?1 LIMIT ?2
                 ) entries",
                &params,
            )?,
            logs: database.ask_count(
                "SELECT count(*) FROM (
                     SELECT DISTINCT log_id FROM logs WHERE author = ?1 LIMIT ?2
                 ) logs",
                &params,
            )?,
        })
    }

    fn highest_log_id(&self, public_key: PublicKey) -> Result<Option<LogId>, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, None);
        database.ask_one(
            "SELECT log_id FROM logs WHERE author = ?1 ORDER BY log_id DESC LIMIT 1",
            &[Param::Int(author)],
            |row| Ok(to_log_id(row.int(0)?)),
        )
    }

    fn entries_at(
        &self,
        public_key: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
        limit: u32,
    ) -> Result<Vec<PlacedEntry>, StoreError> {
        let database = self.database();
        answer_ahead!(database, entries_at(&(public_key, log_id, seq_num), limit));
        let author = author_or!(database, public_key, Vec::new());
        let found = database.ask_all(
            select_placed!(
                "WHERE l.author = ?1 AND l.log_id = ?2 AND e.seq_num = ?3 ORDER BY e.hash LIMIT ?4"
            ),
            &[
                Param::Int(author),
                Param::Int(from_log_id(log_id)),
                Param::Int(from_seq_num(seq_num)),
                Param::Int(limit.into()),
            ],
            |row| rows::placed(database, row),
        )?;
        border::expect_claims(&found, (public_key, log_id), seq_num, limit);
        Ok(found)
    }

    fn placed(&self, hash: Hash) -> Result<Option<PlacedEntry>, StoreError> {
        let database = self.database();
        let params = [Param::hash(&hash)];
        database.ask_one(select_placed!("WHERE e.hash = ?1"), &params, |row| {
            rows::placed(database, row)
        })
    }

    fn entry(&self, hash: Hash) -> Result<Option<EntryRow>, StoreError> {
        let database = self.database();
        let params = [Param::hash(&hash)];
        database.ask_one(select_entries!("WHERE e.hash = ?1"), &params, |row| {
            rows::entry(database, row)
        })
    }

    fn operation(&self, id: OperationId) -> Result<Option<OperationRow>, StoreError> {
        let database = self.database();
        answer_ahead!(database, operation(id));
        let hash = id.hash();
        let params = [Param::hash(&hash)];
        database.ask_one(select_operations!("WHERE e.hash = ?1"), &params, |row| {
            rows::operation(database, row)
        })
    }

    fn operations(
        &self,
        ids: &[OperationId],
    ) -> Result<BTreeMap<OperationId, OperationRow>, StoreError> {
        let database = self.database();
        let ids: Vec<_> = ids.iter().map(|id| id.hash()).collect();
        let rows = database.ask_all(
            select_operations!("WHERE e.hash IN rarray(?1)"),
            &[Param::Hashes(&ids)],
            |row| Ok((hash(row, 4)?.into(), rows::operation(database, row)?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn payload_size(&self, id: OperationId) -> Result<Option<u64>, StoreError> {
        let size = self.database().ask_one(
            "SELECT coalesce(outside, octet_length(payload)) FROM entries WHERE hash = ?1",
            &[Param::hash(&id.hash())],
            |row| row.maybe_int(0),
        )?;
        Ok(size.flatten().map(i64::cast_unsigned))
    }

    fn document_entries(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        let found = entries(
            self.database(),
            select_entries!("WHERE l.document = ?1 ORDER BY e.id"),
            &[Param::hash(&document.hash())],
        )?;
        border::expect_accepted_order(&found);
        Ok(found)
    }

    fn entries_behind_create(&self, document: DocumentId) -> Result<Vec<EntryRow>, StoreError> {
        entries(
            self.database(),
            select_entries!("WHERE l.document = ?1 AND e.hash <> ?1 ORDER BY e.id"),
            &[Param::hash(&document.hash())],
        )
    }

    fn entries_of_documents(&self, documents: &[DocumentId]) -> Result<Vec<EntryRow>, StoreError> {
        let documents: Vec<_> = documents.iter().map(|id| id.hash()).collect();
        let found = entries(
            self.database(),
            select_entries!("WHERE l.document IN rarray(?1) ORDER BY e.id"),
            &[Param::Hashes(&documents)],
        )?;
        border::expect_accepted_order(&found);
        Ok(found)
    }

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError> {
        Dialect::documents(self, ids)
    }

    fn logs_of(
        &self,
        public_key: PublicKey,
        after: Option<LogId>,
        limit: u32,
    ) -> Result<Vec<TreeRow>, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, Vec::new());
        let found = database.ask_all(
            select_trees!(
                "WHERE author = ?1 AND log_id IN (
                     SELECT DISTINCT log_id FROM logs
                     WHERE author = ?1 AND (CAST(?2 AS BIGINT) IS NULL OR log_id > CAST(?2 AS BIGINT))
                     ORDER BY log_id LIMIT ?3
                 )
                 ORDER BY log_id, ended, tip DESC, tip_hash"
            ),
            &[
                Param::Int(author),
                Param::MaybeInt(after.map(from_log_id)),
                Param::Int(limit.into()),
            ],
            |row| rows::tree(database, row),
        )?;
        border::expect_logs(&found, after, limit);
        Ok(found)
    }

    fn position(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM entries";
        self.database().ask_number(sql, &[])
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let database = self.database();
        let params = [Param::Int(after), Param::Int(limit.into())];
        let found = database.ask_all(CHANGES_AFTER, &params, |row| rows::change(database, row))?;
        border::expect_changes(&found, after);
        Ok(found)
    }

    fn schema_entries(&self, schema_id: &SchemaId) -> Result<Vec<EntryRow>, StoreError> {
        let database = self.database();
        match database.schema_row(schema_id)? {
            Some(schema) => entries(
                database,
                select_entries!("WHERE l.schema = ?1 ORDER BY e.id"),
                &[Param::Int(schema)],
            ),
            None => Ok(Vec::new()),
        }
    }

    fn schema_entries_within(
        &self,
        schema_id: &SchemaId,
        size_max: usize,
    ) -> Result<Option<Vec<EntryRow>>, StoreError> {
        let database = self.database();
        let mut found = Some(Vec::new());
        self.snapshot(&mut || {
            let Some(schema) = database.schema_row(schema_id)? else {
                return Ok(());
            };
            // Asked for on its own, since all rows are held in memory.
            let size = database.ask_count(
                "SELECT CAST(coalesce(sum(
                     octet_length(e.entry) + coalesce(e.outside, octet_length(e.payload), 0)
                 ), 0) AS BIGINT)
                 FROM entries e JOIN logs l ON l.id = e.log WHERE l.schema = ?1",
                &[Param::Int(schema)],
            )?;
            found = match size > size_max as u64 {
                true => None,
                false => Some(self.schema_entries(schema_id)?),
            };
            Ok(())
        })?;
        Ok(found)
    }

    fn entries_after(
        &self,
        after: i64,
        schema_id: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let database = self.database();
        let page = [Param::Int(after), Param::Int(limit.into())];
        let Some(schema_id) = schema_id else {
            let all = select_entries!("WHERE e.id > ?1 ORDER BY e.id LIMIT ?2");
            let found = entries(database, all, &page)?;
            border::expect_page(&found, after, limit);
            return Ok(found);
        };
        let found = match database.schema_row(schema_id)? {
            // In the order of entries, so that all pages together go through them once. The sum keeps a
            // planner from collecting the whole schema for each.
            Some(schema) => entries(
                database,
                select_entries!("WHERE l.schema + 0 = ?1 AND e.id > ?2 ORDER BY e.id LIMIT ?3"),
                &[Param::Int(schema), page[0], page[1]],
            )?,
            None => Vec::new(),
        };
        border::expect_page(&found, after, limit);
        Ok(found)
    }

    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        let found = Dialect::entries_from(self, starts, after_position, limit)?;
        border::expect_page(&found, after_position, limit);
        Ok(found)
    }

    fn entries_between(
        &self,
        after: i64,
        until: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError> {
        entries(
            self.database(),
            ENTRIES_BETWEEN,
            &[
                Param::Int(after),
                Param::Int(until),
                Param::Int(limit.into()),
            ],
        )
    }

    fn told_after(&self, after: i64, limit: u32) -> Result<Vec<ToldRow>, StoreError> {
        let database = self.database();
        let params = [Param::Int(after), Param::Int(limit.into())];
        database.ask_all(TOLD_AFTER, &params, |row| {
            Ok(ToldRow {
                position: row.int(0)?,
                hash: hash(row, 1)?,
                schema_id: database.schema_id(row.int(2)?)?,
            })
        })
    }

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        let database = self.database();
        let schemas: Vec<_> = schemas.iter().map(ToString::to_string).collect();
        let mut tips = Tips::new();
        let mut add = |author, log_id, tip| {
            let logs = tips.entry(author).or_default();
            logs.entry(log_id).or_default().insert(tip);
        };
        let questions = &mut || {
            database.ask(TIPS, &[Param::Texts(&schemas)], &mut |row| {
                let author = database.public_key(row.int(0)?)?;
                let tip = (seq_num(row, 2)?, hash(row, 3)?);
                add(author, to_log_id(row.int(1)?), tip);
                Ok(true)
            })?;
            for (author, log_id, tip) in doubted(database, &schemas)?.tips() {
                add(author, log_id, (tip.seq_num, tip.hash));
            }
            Ok(())
        };
        self.snapshot(questions)?;
        Ok(tips)
    }

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        let database = self.database();
        let schemas: Vec<_> = schemas.iter().map(ToString::to_string).collect();
        let mut preferred = PreferredTips::default();
        self.snapshot(&mut || {
            database.ask(HEIGHTS, &[Param::Texts(&schemas)], &mut |row| {
                let author = database.public_key(row.int(0)?)?;
                preferred.add(author, to_log_id(row.int(1)?), rows::tip(row, 2)?);
                Ok(true)
            })?;
            for (author, log_id, tip) in doubted(database, &schemas)?.tips() {
                preferred.add(author, log_id, tip);
            }
            Ok(())
        })?;
        Ok(preferred.into_heights())
    }

    fn document(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        self.document_to(id, Extent::Whole)
    }

    fn document_outline(&self, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
        let database = self.database();
        answer_ahead!(database, document_outline(id));
        self.document_to(id, Extent::Outline)
    }

    fn has_object(&self, name: &str) -> Result<bool, StoreError> {
        let Some(hash) = Objects::operation_of(name) else {
            return Ok(true);
        };
        let found = self.database().ask_one(
            "SELECT 1 FROM entries WHERE hash = ?1 AND object = ?2
             UNION ALL SELECT 1 FROM discarded WHERE object = ?2",
            &[Param::hash(&hash), Param::Text(name)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        Dialect::visit(self, schema_id, query, take)
    }

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        Dialect::visit_these(self, schema_id, ids, outline, take)
    }

    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError> {
        Dialect::visit_entries(self, documents, take)
    }

    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.snapshot(questions)
    }

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError> {
        Dialect::count(self, schema_id, query)
    }

    fn schema_rows(
        &self,
        after: Option<&SchemaId>,
        limit: u32,
    ) -> Result<Vec<SchemaRow>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.database().ask_all(
            "SELECT schema_id, definition FROM schemas
             WHERE definition IS NOT NULL AND schema_id > ?1 ORDER BY schema_id LIMIT ?2",
            &[Param::Text(&after), Param::Int(limit.into())],
            |row| {
                let id = row.text(0)?.parse();
                let id = id.map_err(|_| StoreError::Corrupt("schema id"))?;
                to_definition(id, row.bytes(1)?)
            },
        )
    }

    fn broken_definitions(&self) -> Result<BTreeMap<Hash, String>, StoreError> {
        let rows =
            self.database()
                .ask_all("SELECT view, cause FROM broken_definitions", &[], |row| {
                    Ok((hash(row, 0)?, row.text(1)?.to_owned()))
                })?;
        Ok(rows.into_iter().collect())
    }

    fn kept_schema(&self, id: &SchemaId) -> Result<Option<SchemaRow>, StoreError> {
        let database = self.database();
        match database.schema_row(id)? {
            Some(row) => database.kept_schema(row),
            None => Ok(None),
        }
    }

    fn fork(&self, public_key: PublicKey, log_id: LogId) -> Result<Option<ForkRow>, StoreError> {
        let database = self.database();
        let author = author_or!(database, public_key, None);
        database.ask_one(
            "SELECT seq_num, first, second FROM forks WHERE author = ?1 AND log_id = ?2",
            &[Param::Int(author), Param::Int(from_log_id(log_id))],
            |row| {
                Ok(ForkRow {
                    public_key,
                    log_id,
                    seq_num: seq_num(row, 0)?,
                    first: row.bytes(1)?.to_vec(),
                    second: row.bytes(2)?.to_vec(),
                })
            },
        )
    }

    fn position_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        self.database().ask_one(
            "SELECT position FROM times WHERE at <= ?1 ORDER BY at DESC LIMIT 1",
            &[Param::Int(at)],
            |row| row.int(0),
        )
    }

    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError> {
        Dialect::audit_log(self, limit)
    }

    fn damaged_pages(&self, from: u64) -> Result<(Option<u64>, Vec<u64>), StoreError> {
        Dialect::damaged_pages(self, from)
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        Dialect::counts(self)
    }
}

/// What can be told to peers of the trees of schemas that have entries which are doubted.
fn doubted(database: &impl Sql, schemas: &[String]) -> Result<DoubtedTrees, StoreError> {
    let mut trees = DoubtedTrees::default();
    database.ask(DOUBTED, &[Param::Texts(schemas)], &mut |row| {
        let author = database.public_key(row.int(0)?)?;
        let log_id = to_log_id(row.int(1)?);
        trees.add(author, log_id, hash(row, 2)?, row.bytes(3)?, row.flag(4)?)?;
        Ok(true)
    })?;
    Ok(trees)
}

fn entries(
    database: &impl Sql,
    sql: &'static str,
    params: &[Param<'_>],
) -> Result<Vec<EntryRow>, StoreError> {
    database.ask_all(sql, params, |row| rows::entry(database, row))
}
