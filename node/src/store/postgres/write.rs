//! Changes to the database.
//!
//! Whoever writes first locks the one row of `state`. That makes one process write at a time, gives entries
//! their positions in the order in which they are committed, and tells what others did since.

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::Action;

use super::PostgresStore;
use super::codec::{digest, get};
use super::pending::{Document, DocumentColumns};
use super::versions;
use super::views::{View, remove_from, tables_of};
use crate::store::border;
use crate::store::codec::{from_action, from_log_id, from_need, from_seq_num, from_view_id};
use crate::store::definition::from_definition;
use crate::store::outside::object_for;
use crate::store::sql::ahead::Ahead;
use crate::store::sql::{self, Param, Sql};
use crate::store::{
    DocumentRow, Expected, ForkRow, Need, NewEntry, News, Parked, ParkedMax, ParkedRow, Read,
    SchemaRow, Store, StoreError,
};

/// What the writer knows of the state of the database, as of its last transaction.
#[derive(Debug, Default)]
pub struct Writer {
    /// What `state` said, or will say once the transaction is committed.
    pub seen: Seen,
    /// The position of the latest entry, once known.
    position: Option<i64>,
    /// What is parked, once counted.
    parked: Option<Parked>,
    /// Whether the transaction touches what schemas are made of.
    defines: bool,
}

/// Counters of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    pub generation: i64,
    pub schemas: i64,
}

/// The entry before a new one is not where the new one's placement says.
const MISFIT: StoreError = StoreError::Misfit("log");

/// Begins a tree with its first entry: the first of its log, or (`$12`) a further one.
const BEGIN_TREE: &str = "
    WITH log AS (
        INSERT INTO logs (author, log_id, tip, tip_hash, ended, document, schema, further)
        SELECT $1, $2, $3, $4, $5, $10, $11, $12
        WHERE EXISTS (SELECT 1 FROM logs WHERE author = $1 AND log_id = $2) = $12 RETURNING id
    )
    INSERT INTO entries (id, log, seq_num, hash, action, entry, payload)
    SELECT $6, id, $3, $4, $7, $8, $9 FROM log";

/// Adds an entry at the tip of a tree that has one branch.
const EXTEND_TREE: &str = "
    WITH log AS (
        UPDATE logs SET tip = $3, tip_hash = $4, ended = $5
        WHERE author = $1 AND log_id = $2 AND tip = $10 AND tip_hash = $11 AND NOT branched
        RETURNING id
    )
    INSERT INTO entries (id, log, seq_num, hash, action, entry, payload)
    SELECT $6, id, $3, $4, $7, $8, $9 FROM log";

impl Store for PostgresStore {
    fn begin(&mut self) -> Result<Option<News>, StoreError> {
        self.database
            .begin("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")?;
        self.writer.defines = false;
        let (version, now) = self
            .database
            .first(
                "SELECT version, generation, schemas FROM state FOR UPDATE",
                &[],
                |row| {
                    let (generation, schemas) = (get(row, 1)?, get(row, 2)?);
                    let seen = Seen {
                        generation,
                        schemas,
                    };
                    Ok((get(row, 0)?, seen))
                },
            )?
            .ok_or(StoreError::Corrupt("state"))?;
        versions::check(version)?;
        let before = std::mem::replace(&mut self.writer.seen, now);
        assert!(
            self.database.live.borrow().is_empty() && self.database.pending.borrow().is_empty(),
            "changes of an earlier transaction"
        );
        if before.generation == now.generation {
            return Ok(None);
        }
        self.writer.position = None;
        let parked = self.count_parked()?;
        self.writer.parked = Some(parked);
        Ok(Some(News {
            parked: parked.entries,
            schemas: before.schemas != now.schemas,
        }))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let mut next = self.writer.seen;
        if self.database.has_changed() {
            next.generation += 1;
            next.schemas += i64::from(self.writer.defines);
            self.database.execute(
                "UPDATE state SET generation = $1, schemas = $2",
                &[&next.generation, &next.schemas],
            )?;
        }
        for (schema, change) in self.database.live.take() {
            self.database.execute(
                "UPDATE schemas SET live = live + $2 WHERE id = $1",
                &[&schema, &change],
            )?;
        }
        let unclean: Vec<String> = self.database.unclean.take().into_iter().collect();
        if !unclean.is_empty() {
            self.database.execute(
                "INSERT INTO unclean (name) SELECT unnest($1::text[])",
                &[&unclean],
            )?;
        }
        self.database.commit()?;
        assert!(
            self.database.pending.borrow().is_empty(),
            "changes were left behind"
        );
        self.writer.seen = next;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.writer.position = None;
        self.writer.parked = None;
        self.database.rollback();
        Ok(())
    }

    fn read_ahead(&mut self, entries: &[Expected]) -> Result<(), StoreError> {
        // One alone asks what it needs.
        match entries {
            [] | [_] => Ok(()),
            entries => self.database.read_ahead(entries),
        }
    }

    fn insert_entry(&mut self, entry: NewEntry<'_>) -> Result<i64, StoreError> {
        border::expect_entry(&entry);
        let object = match entry.payload {
            Some(payload) => {
                let objects = self.database.objects();
                object_for(objects, entry.schema_id, entry.hash, payload)?
            }
            None => None,
        };
        let payload = entry.payload.filter(|_| object.is_none());
        let can_wait = object.is_none() && self.is_certain(&entry);
        let position = 1 + match self.writer.position {
            Some(position) => position,
            None => self.position()?,
        };
        let author = self.database.author_or_insert(entry.public_key)?;
        if can_wait {
            let schema = self.database.schema_row_or_insert(entry.schema_id)?;
            self.keep_entry(&entry, position, author, schema)?;
            return Ok(position);
        }
        let (log_id, seq_num) = (from_log_id(entry.log_id), from_seq_num(entry.seq_num));
        let hash = entry.hash.digest().as_slice();
        let action = entry.action.map(from_action);
        let stored = match entry.placement {
            Placement::Begins | Placement::BeginsTree => {
                let schema = self.database.schema_row_or_insert(entry.schema_id)?;
                let further = entry.placement == Placement::BeginsTree;
                self.database.execute(
                    BEGIN_TREE,
                    &[
                        &author,
                        &log_id,
                        &from_seq_num(SeqNum::FIRST),
                        &hash,
                        &entry.end_of_log,
                        &position,
                        &action,
                        &entry.entry,
                        &payload,
                        &entry.document.hash().digest().as_slice(),
                        &schema,
                        &further,
                    ],
                )?
            }
            Placement::Extends(backlink) => {
                let before = entry.seq_num.backlink().ok_or(MISFIT)?;
                let extended = self.database.execute(
                    EXTEND_TREE,
                    &[
                        &author,
                        &log_id,
                        &seq_num,
                        &hash,
                        &entry.end_of_log,
                        &position,
                        &action,
                        &entry.entry,
                        &payload,
                        &from_seq_num(before),
                        &backlink.digest().as_slice(),
                    ],
                )?;
                match extended {
                    0 => {
                        let log = sql::extend_branch(&self.database, &entry, backlink)?;
                        self.insert_into(log, position, &entry, payload)?
                    }
                    extended => extended,
                }
            }
            Placement::Branches(backlink) => {
                let log = sql::begin_branch(&self.database, &entry, backlink)?;
                self.insert_into(log, position, &entry, payload)?
            }
        };
        expect_one(stored, "log")?;
        if let (Some(object), Some(payload)) = (object, entry.payload) {
            self.database.execute(
                "UPDATE entries SET object = $2, outside = $3 WHERE id = $1",
                &[&position, &object, &(payload.len() as i64)],
            )?;
        }
        self.note_entry(&entry, position);
        Ok(position)
    }

    fn restore_payload(
        &mut self,
        hash: Hash,
        payload: &[u8],
        action: Action,
    ) -> Result<(), StoreError> {
        self.known().forget();
        sql::restore_payload(&self.database, hash, payload, action)
    }

    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError> {
        self.note_dropped();
        self.known().note_dropped(document);
        sql::drop_payloads(&self.database, document)
    }

    fn doubt(&mut self, hash: Hash) -> Result<(), StoreError> {
        self.known().forget();
        sql::doubt(&self.database, hash)
    }

    fn leave_stub(&mut self, hash: Hash, stub: &[u8]) -> Result<(), StoreError> {
        sql::leave_stub(&self.database, hash, stub)
    }

    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError> {
        sql::insert_change(&self.database, document)
    }

    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError> {
        self.note_dropped();
        self.known().forget();
        sql::purge_log(&self.database, public_key, log_id)
    }

    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError> {
        self.note_dropped();
        self.known().forget();
        sql::collect(&self.database, hash, stub)
    }

    fn insert_time(&mut self, at: i64) -> Result<(), StoreError> {
        sql::insert_time(&self.database, at)
    }

    fn insert_audit_entry(&mut self, at: i64, what: &str) -> Result<(), StoreError> {
        border::expect_time(at);
        self.database.execute(
            "INSERT INTO deeds (at, what) VALUES ($1, $2)",
            &[&at, &what.as_bytes()],
        )?;
        Ok(())
    }

    fn reassign_tree(
        &mut self,
        first: Hash,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        self.note_definition(schema_id);
        self.known().forget();
        sql::reassign_tree(&self.database, first, document, schema_id)
    }

    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError> {
        sql::insert_fork(&self.database, fork)
    }

    fn unmaterialised(&mut self, limit: u32) -> Result<Vec<DocumentId>, StoreError> {
        let documents = sql::unmaterialised(&self.database, limit)?;
        // Definitions may be among them.
        self.writer.defines |= !documents.is_empty();
        Ok(documents)
    }

    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError> {
        border::expect_document(document);
        let database = &self.database;
        let schema = database.schema_row_or_insert(&document.schema_id)?;
        let owner = database.author_or_insert(document.owner)?;
        let old = match document.is_deleted() {
            // One whose schema is gone was not read ahead, though it is there.
            true => self.stored_schema_of(document.id)?,
            false => self.live_schema_of(document.id)?,
        };
        let new = (!document.is_deleted()).then_some(schema);
        //= DL5: with the document goes its view
        if let Some(old) = old.filter(|old| Some(*old) != new) {
            self.remove_view(document.id, old)?;
        }
        match &document.fields {
            Some(fields) => {
                let view = database.view(schema)?.ok_or(StoreError::Misfit("schema"))?;
                let (setters, values) = view.columns(fields)?;
                let row = Document {
                    columns: DocumentColumns::of(document, schema, owner),
                    setters,
                    values,
                };
                let mut pending = database.pending.borrow_mut();
                pending.add_document(document.id, row);
                drop(pending);
                database.note_change();
            }
            None => {
                database.execute(
                    "INSERT INTO documents (id, schema, owner, view_id, edited, deleted)
                     VALUES ($1, $2, $3, $4, $5, TRUE)
                     ON CONFLICT (id) DO UPDATE
                     SET schema = excluded.schema, owner = excluded.owner,
                         view_id = excluded.view_id, edited = excluded.edited, deleted = TRUE",
                    &[
                        &document.id.hash().digest().as_slice(),
                        &schema,
                        &owner,
                        &from_view_id(&document.view_id),
                        &document.edited,
                    ],
                )?;
            }
        }
        self.known().note_document(document);
        if old != new {
            self.count_live(old, -1);
            self.count_live(new, 1);
        }
        self.note_definition(&document.schema_id);
        Ok(())
    }

    fn remove_document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        if let Some(schema) = self.live_schema_of(id)? {
            self.remove_view(id, schema)?;
            self.count_live(Some(schema), -1);
        }
        self.database.execute(
            "DELETE FROM documents WHERE id = $1",
            &[&id.hash().digest().as_slice()],
        )?;
        self.known().note_no_document(id);
        // It may have been a definition, or part of one.
        self.writer.defines = true;
        Ok(())
    }

    fn insert_schema(&mut self, row: &SchemaRow) -> Result<(), StoreError> {
        border::expect_schema(row);
        // Every node knows the system schemas; their tables are there from the beginning.
        if matches!(row.schema.id(), SchemaId::System(_)) {
            return Ok(());
        }
        let number = self.database.schema_row_or_insert(row.schema.id())?;
        self.database.forget_view(number);
        self.database.execute(
            "UPDATE schemas SET definition = $2 WHERE id = $1",
            &[&number, &from_definition(row)],
        )?;
        self.writer.defines = true;
        View::new(number, row.schema.clone()).create(&self.database)
    }

    fn remove_schema(&mut self, id: &SchemaId) -> Result<(), StoreError> {
        if let Some(number) = self.database.schema_row(id)? {
            self.database.forget_view(number);
            self.database.execute(
                "UPDATE schemas SET definition = NULL WHERE id = $1",
                &[&number],
            )?;
            self.database
                .unclean
                .borrow_mut()
                .insert("schemas".to_owned());
        }
        self.writer.defines = true;
        Ok(())
    }

    fn insert_broken_definition(&mut self, view: Hash, cause: &str) -> Result<(), StoreError> {
        sql::insert_broken_definition(&self.database, view, cause)
    }

    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError> {
        border::expect_parked(row, need);
        let inserted = self.database.change_returning(
            "INSERT INTO parked (hash, need, entry, payload) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (hash) DO UPDATE SET need = excluded.need
             RETURNING CAST(CAST(xmax = 0 AS INT) AS BIGINT)",
            &[
                Param::hash(&row.hash),
                Param::Bytes(&from_need(need)),
                Param::Bytes(&row.entry),
                Param::Bytes(&row.payload),
            ],
        )?;
        if let (Some(parked), Some(1)) = (&mut self.writer.parked, inserted) {
            parked.add(row);
        }
        Ok(())
    }

    fn unpark(&mut self, need: &Need) -> Result<Vec<ParkedRow>, StoreError> {
        let need = from_need(need);
        let rows = self.database.all(
            "SELECT hash, entry, payload FROM parked WHERE need = $1 ORDER BY id",
            &[&need],
            |row| {
                Ok(ParkedRow {
                    hash: Hash::from_digest(digest(row, 0)?),
                    entry: get(row, 1)?,
                    payload: get(row, 2)?,
                })
            },
        )?;
        if !rows.is_empty() {
            self.database
                .execute("DELETE FROM parked WHERE need = $1", &[&need])?;
        }
        if let Some(parked) = &mut self.writer.parked {
            rows.iter().for_each(|row| parked.remove(row.size()));
        }
        Ok(rows)
    }

    fn evict_parked(&mut self, max: ParkedMax) -> Result<u64, StoreError> {
        // Counting reads the whole table, so it is done once and kept up from then on.
        let mut parked = match self.writer.parked {
            Some(parked) => parked,
            None => self.count_parked()?,
        };
        if parked.exceeds(max) {
            let gone = self.database.all(
                // What is left must not exceed the bounds, counted from the newest on.
                "DELETE FROM parked WHERE id <= (
                     SELECT max(id) FROM (
                         SELECT id, row_number() OVER newest AS entries,
                                sum(octet_length(entry) + octet_length(payload)) OVER newest AS size
                         FROM parked WINDOW newest AS (ORDER BY id DESC)
                     ) p WHERE entries > $1 OR size > $2
                 ) RETURNING (octet_length(entry) + octet_length(payload))::bigint",
                &[&bounded(max.entries), &bounded(max.size)],
                |row| get::<i64>(row, 0),
            )?;
            self.database.note_change();
            gone.into_iter()
                .for_each(|size| parked.remove(size.unsigned_abs()));
        }
        debug_assert!(!parked.exceeds(max), "more is parked than may be");
        self.writer.parked = Some(parked);
        Ok(parked.entries)
    }
}

impl PostgresStore {
    /// Whether it is known that an entry can be stored where its placement says.
    fn is_certain(&self, entry: &NewEntry<'_>) -> bool {
        let (author, log_id) = (entry.public_key, entry.log_id);
        match entry.placement {
            Placement::Begins => {
                let first = (author, log_id, SeqNum::FIRST);
                let taken = self.known().entries_at(&first, 1);
                entry.seq_num == SeqNum::FIRST && taken.is_some_and(|taken| taken.is_empty())
            }
            Placement::Extends(backlink) => {
                let tree = self.known().tree_of_tip(&(author, log_id, backlink));
                tree.flatten().is_some_and(|tree| {
                    !tree.branched && tree.tip.seq_num.next() == Some(entry.seq_num)
                })
            }
            Placement::BeginsTree | Placement::Branches(_) => false,
        }
    }

    /// Keeps an entry to be sent with others.
    fn keep_entry(
        &mut self,
        entry: &NewEntry<'_>,
        position: i64,
        author: i64,
        schema: i64,
    ) -> Result<(), StoreError> {
        let mut pending = self.database.pending.borrow_mut();
        pending.add_entry(entry, position, author, schema);
        let is_full = pending.is_full();
        drop(pending);
        self.database.note_change();
        self.note_entry(entry, position);
        match is_full {
            true => self.database.send_pending(),
            false => Ok(()),
        }
    }

    /// Notes what follows from an entry that was stored.
    fn note_entry(&mut self, entry: &NewEntry<'_>, position: i64) {
        let before = self.writer.position.unwrap_or(position - 1);
        assert_eq!(position, before + 1, "positions have no gaps");
        self.note_definition(entry.schema_id);
        self.known().note_entry(entry, position);
        self.writer.position = Some(position);
    }

    /// What the transaction has read ahead.
    fn known(&self) -> &Ahead {
        self.database.read_before()
    }

    /// Stores an entry in a tree whose tips are as it leaves them.
    fn insert_into(
        &self,
        log: i64,
        position: i64,
        entry: &NewEntry<'_>,
        payload: Option<&[u8]>,
    ) -> Result<u64, StoreError> {
        self.database.execute(
            "INSERT INTO entries (id, log, seq_num, hash, action, entry, payload)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &position,
                &log,
                &from_seq_num(entry.seq_num),
                &entry.hash.digest().as_slice(),
                &entry.action.map(from_action),
                &entry.entry,
                &payload,
            ],
        )
    }

    fn count_parked(&self) -> Result<Parked, StoreError> {
        let parked = self.database.first(
            "SELECT count(*), coalesce(sum(octet_length(entry) + octet_length(payload)), 0)::bigint
             FROM parked",
            &[],
            |row| {
                Ok(Parked {
                    entries: get::<i64>(row, 0)?.unsigned_abs(),
                    size: get::<i64>(row, 1)?.unsigned_abs(),
                })
            },
        )?;
        parked.ok_or(StoreError::Corrupt("count"))
    }

    /// The number of the schema of a live document.
    fn live_schema_of(&self, document: DocumentId) -> Result<Option<i64>, StoreError> {
        match self.known().live_schema_of(document) {
            Some(Some(schema_id)) => self.database.schema_row(&schema_id),
            Some(None) => Ok(None),
            None => self.stored_schema_of(document),
        }
    }

    fn stored_schema_of(&self, document: DocumentId) -> Result<Option<i64>, StoreError> {
        self.database.first(
            "SELECT schema FROM documents WHERE id = $1 AND NOT deleted",
            &[&document.hash().digest().as_slice()],
            |row| get(row, 0),
        )
    }

    fn remove_view(&self, document: DocumentId, schema: i64) -> Result<(), StoreError> {
        // What the schema says may be gone; its documents are not.
        match self.database.view(schema)? {
            Some(view) => remove_from(&self.database, &view.tables, document),
            None => remove_from(
                &self.database,
                &tables_of(&self.database, schema)?,
                document,
            ),
        }
    }

    fn count_live(&self, schema: Option<i64>, change: i64) {
        if let Some(schema) = schema {
            *self.database.live.borrow_mut().entry(schema).or_default() += change;
        }
    }

    /// Notes that another process has to look whether a schema is complete now.
    fn note_definition(&mut self, schema_id: &SchemaId) {
        self.writer.defines |= *schema_id == SchemaId::SCHEMA_DEFINITION
            || *schema_id == SchemaId::SCHEMA_FIELD_DEFINITION;
    }

    /// Notes where the bytes of operations are that were just dropped, or may have been parked before.
    fn note_dropped(&self) {
        let mut unclean = self.database.unclean.borrow_mut();
        unclean.extend(["entries", "parked"].map(str::to_owned));
    }
}

/// The greatest number that SQL can compare with, for one that is greater.
fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn expect_one(changed: u64, what: &'static str) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Misfit(what)),
    }
}
