//! Changes to the database.
//!
//! Storing an entry is the busiest path of a node: two statements once its author and schema are
//! known.

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::Action;
use rusqlite::params;

use super::SqliteStore;
use super::views::View;
use crate::store::border;
use crate::store::codec::{from_action, from_log_id, from_need, from_seq_num, from_view_id};
use crate::store::definition::from_definition;
use crate::store::outside::object_for;
use crate::store::sql::{self, Sql};
use crate::store::{
    DocumentRow, ForkRow, Need, NewEntry, News, Parked, ParkedMax, ParkedRow, SchemaRow, Store,
    StoreError,
};

/// The entry before a new one is not where the new one's placement says.
const MISFIT: StoreError = StoreError::Misfit("log");

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<Option<News>, StoreError> {
        self.database.execute("BEGIN IMMEDIATE", [])?;
        // The data directory belongs to one process at a time.
        Ok(None)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if let Some(location) = &self.location {
            location.check()?;
        }
        self.database.execute("COMMIT", [])?;
        assert!(
            self.database.connection().is_autocommit(),
            "committed, and the transaction goes on"
        );
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.parked = None;
        self.database.forget();
        // Some failures, such as a full disk, have SQLite roll back by itself.
        if !self.database.connection().is_autocommit() {
            self.database.execute("ROLLBACK", [])?;
        }
        Ok(())
    }

    fn insert_entry(&mut self, entry: NewEntry<'_>) -> Result<i64, StoreError> {
        border::expect_entry(&entry);
        let log = match entry.placement {
            Placement::Begins => self.begin_tree(&entry, false)?,
            Placement::BeginsTree => self.begin_tree(&entry, true)?,
            Placement::Extends(backlink) => self.extend_branch(&entry, backlink)?,
            Placement::Branches(backlink) => sql::begin_branch(&self.database, &entry, backlink)?,
        };
        let object = match entry.payload {
            Some(payload) => {
                let objects = self.database.objects();
                object_for(objects, entry.schema_id, entry.hash, payload)?
            }
            None => None,
        };
        self.database.execute(
            "INSERT INTO entries (log, seq_num, hash, action, entry, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                log,
                from_seq_num(entry.seq_num),
                entry.hash.digest(),
                entry.action.map(from_action),
                entry.entry,
                entry.payload.filter(|_| object.is_none()),
            ],
        )?;
        let position = self.database.connection().last_insert_rowid();
        assert!(position > 0, "positions begin with 1");
        if let (Some(object), Some(payload)) = (object, entry.payload) {
            self.database.execute(
                "UPDATE entries SET object = ?2, outside = ?3 WHERE id = ?1",
                params![position, object, payload.len() as i64],
            )?;
        }
        Ok(position)
    }

    fn restore_payload(
        &mut self,
        hash: Hash,
        payload: &[u8],
        action: Action,
    ) -> Result<(), StoreError> {
        sql::restore_payload(&self.database, hash, payload, action)
    }

    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError> {
        sql::drop_payloads(&self.database, document)
    }

    fn doubt(&mut self, hash: Hash) -> Result<(), StoreError> {
        sql::doubt(&self.database, hash)
    }

    fn leave_stub(&mut self, hash: Hash, stub: &[u8]) -> Result<(), StoreError> {
        sql::leave_stub(&self.database, hash, stub)
    }

    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError> {
        sql::insert_change(&self.database, document)
    }

    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError> {
        sql::purge_log(&self.database, public_key, log_id)
    }

    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError> {
        sql::collect(&self.database, hash, stub)
    }

    fn insert_time(&mut self, at: i64) -> Result<(), StoreError> {
        sql::insert_time(&self.database, at)
    }

    fn insert_audit_entry(&mut self, at: i64, what: &str) -> Result<(), StoreError> {
        border::expect_time(at);
        self.database.execute(
            "INSERT INTO deeds (at, what) VALUES (?1, ?2)",
            params![at, what],
        )?;
        Ok(())
    }

    fn reassign_tree(
        &mut self,
        first: Hash,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        sql::reassign_tree(&self.database, first, document, schema_id)
    }

    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError> {
        sql::insert_fork(&self.database, fork)
    }

    fn unmaterialised(&mut self, limit: u32) -> Result<Vec<DocumentId>, StoreError> {
        sql::unmaterialised(&self.database, limit)
    }

    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError> {
        border::expect_document(document);
        let database = &self.database;
        let schema = database.schema_row_or_insert(&document.schema_id)?;
        let owner = database.author_or_insert(document.owner)?;
        match &document.fields {
            //= DL5: with the document goes its view
            None => self.remove_view(document.id)?,
            Some(fields) => {
                if self
                    .schema_of(document.id)?
                    .is_some_and(|old| old != schema)
                {
                    self.remove_view(document.id)?;
                }
                let view = database.view(schema)?.ok_or(StoreError::Misfit("schema"))?;
                view.put(database, document.id, fields)?;
            }
        }
        database.execute(
            "INSERT INTO documents (id, schema, owner, view_id, edited, deleted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE
             SET schema = excluded.schema, owner = excluded.owner, view_id = excluded.view_id,
                 edited = excluded.edited, deleted = excluded.deleted",
            params![
                document.id.hash().digest(),
                schema,
                owner,
                from_view_id(&document.view_id),
                document.edited,
                document.is_deleted(),
            ],
        )?;
        Ok(())
    }

    fn remove_document(&mut self, id: DocumentId) -> Result<(), StoreError> {
        self.remove_view(id)?;
        self.database
            .execute("DELETE FROM documents WHERE id = ?1", [id.hash().digest()])?;
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
            "UPDATE schemas SET definition = ?2 WHERE id = ?1",
            params![number, from_definition(row)],
        )?;
        let view = View::new(number, row.schema.clone());
        match view.fits_shared() {
            true => Ok(()),
            false => view.make_own(&self.database),
        }
    }

    fn remove_schema(&mut self, id: &SchemaId) -> Result<(), StoreError> {
        if let Some(number) = self.database.schema_row(id)? {
            self.database.forget_view(number);
            self.database.execute(
                "UPDATE schemas SET definition = NULL WHERE id = ?1",
                [number],
            )?;
        }
        Ok(())
    }

    fn insert_broken_definition(&mut self, view: Hash, cause: &str) -> Result<(), StoreError> {
        sql::insert_broken_definition(&self.database, view, cause)
    }

    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError> {
        border::expect_parked(row, need);
        let need = from_need(need);
        let known = self.database.execute(
            "UPDATE parked SET need = ?2 WHERE hash = ?1",
            params![row.hash.digest(), need],
        )?;
        if known == 0 {
            self.database.execute(
                "INSERT INTO parked (hash, need, entry, payload) VALUES (?1, ?2, ?3, ?4)",
                params![row.hash.digest(), need, row.entry, row.payload],
            )?;
            if let Some(parked) = &mut self.parked {
                parked.add(row);
            }
        }
        Ok(())
    }

    fn unpark(&mut self, need: &Need) -> Result<Vec<ParkedRow>, StoreError> {
        let need = from_need(need);
        let rows = self.database.all(
            "SELECT hash, entry, payload FROM parked WHERE need = ?1 ORDER BY id",
            [&need],
            |row| {
                Ok(ParkedRow {
                    hash: Hash::from_digest(row.get(0)?),
                    entry: row.get(1)?,
                    payload: row.get(2)?,
                })
            },
        )?;
        if !rows.is_empty() {
            self.database
                .execute("DELETE FROM parked WHERE need = ?1", [&need])?;
        }
        if let Some(parked) = &mut self.parked {
            rows.iter().for_each(|row| parked.remove(row.size()));
        }
        Ok(rows)
    }

    fn evict_parked(&mut self, max: ParkedMax) -> Result<u64, StoreError> {
        // Counting reads the whole table, so it is done once and kept up from then on.
        let mut parked = match self.parked {
            Some(parked) => parked,
            None => self.count_parked()?,
        };
        if parked.exceeds(max) {
            let mut statement = self
                .database
                .statement("SELECT id, length(entry) + length(payload) FROM parked ORDER BY id")?;
            let mut rows = statement.query([])?;
            let mut newest_gone: i64 = 0;
            while parked.exceeds(max) {
                let Some(row) = rows.next()? else { break };
                newest_gone = row.get(0)?;
                let size: i64 = row.get(1)?;
                parked.remove(size.unsigned_abs());
            }
            self.database
                .execute("DELETE FROM parked WHERE id <= ?1", [newest_gone])?;
        }
        debug_assert!(!parked.exceeds(max), "more is parked than may be");
        self.parked = Some(parked);
        Ok(parked.entries)
    }
}

impl SqliteStore {
    /// Begins a tree: the first of its log, or a further one.
    fn begin_tree(&self, entry: &NewEntry<'_>, further: bool) -> Result<i64, StoreError> {
        let author = self.database.author_or_insert(entry.public_key)?;
        let schema = self.database.schema_row_or_insert(entry.schema_id)?;
        let begun = self.database.execute(
            "INSERT INTO logs (author, log_id, document, schema, tip, tip_hash, ended, further)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             WHERE EXISTS (SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2) = ?8",
            params![
                author,
                from_log_id(entry.log_id),
                entry.document.hash().digest(),
                schema,
                from_seq_num(SeqNum::FIRST),
                entry.hash.digest(),
                entry.end_of_log,
                further,
            ],
        )?;
        expect_one(begun, "log")?;
        Ok(self.database.connection().last_insert_rowid())
    }

    /// Makes an entry the tip of the branch that ended in the entry before it. A tree without further branches
    /// takes one statement.
    fn extend_branch(&self, entry: &NewEntry<'_>, backlink: Hash) -> Result<i64, StoreError> {
        let before = entry.seq_num.backlink().ok_or(MISFIT)?;
        let author = self.database.author_or_insert(entry.public_key)?;
        let extended = self.database.first(
            "UPDATE logs SET tip = ?1, tip_hash = ?2, ended = ?3
             WHERE author = ?4 AND log_id = ?5 AND tip_hash = ?6 AND tip = ?7 AND branched = 0
             RETURNING id",
            params![
                from_seq_num(entry.seq_num),
                entry.hash.digest(),
                entry.end_of_log,
                author,
                from_log_id(entry.log_id),
                backlink.digest(),
                from_seq_num(before),
            ],
            |row| Ok(row.get(0)?),
        )?;
        match extended {
            Some(log) => Ok(log),
            None => sql::extend_branch(&self.database, entry, backlink),
        }
    }

    fn count_parked(&self) -> Result<Parked, StoreError> {
        let sizes = "SELECT coalesce(sum(length(entry) + length(payload)), 0) FROM parked";
        Ok(Parked {
            entries: self.database.number("SELECT count(*) FROM parked", [])?,
            size: self.database.number(sizes, [])?,
        })
    }

    /// The number of the schema of a live document.
    fn schema_of(&self, document: DocumentId) -> Result<Option<i64>, StoreError> {
        self.database.first(
            "SELECT schema FROM documents WHERE id = ?1 AND deleted = 0",
            [document.hash().digest()],
            |row| Ok(row.get(0)?),
        )
    }

    /// Removes the view of a document, if it has one.
    fn remove_view(&self, document: DocumentId) -> Result<(), StoreError> {
        let Some(schema) = self.schema_of(document)? else {
            return Ok(());
        };
        // What the schema says may be gone; its documents are not.
        View::remove(&self.database, schema, document)
    }
}

fn expect_one(changed: usize, what: &'static str) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Misfit(what)),
    }
}
