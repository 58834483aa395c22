//! Changes to the database.
//!
//! Storing an entry is the busiest path of a node: two statements once its author and schema are
//! known.

use grove_core::types::{DocumentId, Hash, LogId, PublicKey, Schema, SchemaId, SeqNum};
use grove_core::wire::Action;
use rusqlite::params;

use super::SqliteStore;
use super::views::View;
use crate::store::codec::{
    from_action, from_definition, from_log_id, from_need, from_seq_num, from_view_id,
};
use crate::store::outside::object_for;
use crate::store::{
    DocumentRow, ForkRow, Need, NewEntry, News, Parked, ParkedMax, ParkedRow, Store, StoreError,
    TIMES_KEPT_S,
};

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<Option<News>, StoreError> {
        self.database.execute("BEGIN IMMEDIATE", [])?;
        // The data directory belongs to one process at a time.
        Ok(None)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.database.execute("COMMIT", [])?;
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
        let log = match entry.seq_num.backlink() {
            None => self.begin_log(&entry)?,
            Some(tip) => {
                let author = self.database.author_or_insert(entry.public_key)?;
                self.database
                    .first(
                        "UPDATE logs SET tip = ?1, tip_hash = ?2, ended = ?3
                         WHERE author = ?4 AND log_id = ?5 AND tip = ?6 RETURNING id",
                        params![
                            from_seq_num(entry.seq_num),
                            entry.hash.digest(),
                            entry.end_of_log,
                            author,
                            from_log_id(entry.log_id),
                            from_seq_num(tip),
                        ],
                        |row| Ok(row.get(0)?),
                    )?
                    .ok_or(StoreError::Misfit("log"))?
            }
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
        let schema = self.database.first(
            "SELECT l.schema FROM entries e JOIN logs l ON l.id = e.log WHERE e.hash = ?1",
            [hash.digest()],
            |row| Ok(row.get(0)?),
        )?;
        let schema = schema.ok_or(StoreError::Misfit("entry"))?;
        let schema_id = self.database.schema_id(schema)?;
        let object = object_for(self.database.objects(), &schema_id, hash, payload)?;
        let (inside, outside) = match &object {
            None => (Some(payload), None),
            Some(_) => (None, Some(payload.len() as i64)),
        };
        let changed = self.database.execute(
            "UPDATE entries SET payload = ?2, action = ?3, stub = NULL, object = ?4, outside = ?5
             WHERE hash = ?1",
            params![hash.digest(), inside, from_action(action), object, outside],
        )?;
        expect_one(changed, "entry")?;
        // Up to the next operation that was collected the log is whole again.
        self.database.execute(
            "UPDATE logs SET withheld_from = (
                 SELECT min(seq_num) FROM entries WHERE log = logs.id
                   AND coalesce(payload, object) IS NULL
             )
             WHERE id = (SELECT log FROM entries WHERE hash = ?1)
               AND withheld_from IS NOT NULL AND purged = 0",
            [hash.digest()],
        )?;
        Ok(())
    }

    fn drop_payloads(&mut self, document: DocumentId) -> Result<(), StoreError> {
        //= DL2: what deleted the document is kept
        //= R7: the DELETE operations stay, as the document's tombstone
        self.database.execute(
            "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = NULL
             WHERE log IN (SELECT id FROM logs WHERE document = ?1)
               AND action IS NOT ?2 AND coalesce(payload, object, stub) IS NOT NULL",
            params![document.hash().digest(), from_action(Action::Delete)],
        )?;
        Ok(())
    }

    fn insert_change(&mut self, document: DocumentId) -> Result<(), StoreError> {
        self.database.execute(
            "INSERT INTO changes (position, document)
             SELECT coalesce(max(id), 0), ?1 FROM entries",
            [document.hash().digest()],
        )?;
        Ok(())
    }

    fn purge_log(&mut self, public_key: PublicKey, log_id: LogId) -> Result<u64, StoreError> {
        let author = self.database.author_or_insert(public_key)?;
        let log: i64 = self
            .database
            .first(
                "UPDATE logs SET purged = 1, withheld_from = ?3
                 WHERE author = ?1 AND log_id = ?2 RETURNING id",
                params![author, from_log_id(log_id), from_seq_num(SeqNum::FIRST)],
                |row| Ok(row.get(0)?),
            )?
            .ok_or(StoreError::Misfit("log"))?;
        let size = self.database.number(
            "SELECT coalesce(sum(coalesce(outside, length(payload))), 0) FROM entries
             WHERE log = ?1",
            [log],
        )?;
        self.database.execute(
            "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = NULL
             WHERE log = ?1 AND coalesce(payload, object, stub) IS NOT NULL",
            [log],
        )?;
        Ok(size)
    }

    fn collect(&mut self, hash: Hash, stub: Option<&[u8]>) -> Result<(), StoreError> {
        let (log, seq_num): (i64, i64) = self
            .database
            .first(
                "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = ?2
                 WHERE hash = ?1 RETURNING log, seq_num",
                params![hash.digest(), stub],
                |row| Ok(row.try_into()?),
            )?
            .ok_or(StoreError::Misfit("entry"))?;
        self.database.execute(
            "UPDATE logs SET withheld_from = min(coalesce(withheld_from, ?2), ?2) WHERE id = ?1",
            [log, seq_num],
        )?;
        Ok(())
    }

    fn insert_time(&mut self, at: i64) -> Result<(), StoreError> {
        self.database.execute(
            "INSERT OR REPLACE INTO times (at, position)
             SELECT ?1, coalesce(max(id), 0) FROM entries",
            [at],
        )?;
        self.database.execute(
            "DELETE FROM times WHERE at < ?1",
            [at.saturating_sub(TIMES_KEPT_S)],
        )?;
        Ok(())
    }

    fn insert_deed(&mut self, at: i64, what: &str) -> Result<(), StoreError> {
        self.database.execute(
            "INSERT INTO deeds (at, what) VALUES (?1, ?2)",
            params![at, what],
        )?;
        Ok(())
    }

    fn reassign_log(
        &mut self,
        public_key: PublicKey,
        log_id: LogId,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        let author = self.database.author_or_insert(public_key)?;
        let schema = self.database.schema_row_or_insert(schema_id)?;
        let changed = self.database.execute(
            "UPDATE logs SET document = ?3, schema = ?4 WHERE author = ?1 AND log_id = ?2",
            params![
                author,
                from_log_id(log_id),
                document.hash().digest(),
                schema
            ],
        )?;
        expect_one(changed, "log")
    }

    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError> {
        let author = self.database.author_or_insert(fork.public_key)?;
        let seq_num = from_seq_num(fork.seq_num);
        //= R24: nothing counts from the fork on, so the lowest one decides
        let log: i64 = self
            .database
            .first(
                "UPDATE logs SET forked_at = min(coalesce(forked_at, ?3), ?3)
                 WHERE author = ?1 AND log_id = ?2 RETURNING id",
                params![author, from_log_id(fork.log_id), seq_num],
                |row| Ok(row.get(0)?),
            )?
            .ok_or(StoreError::Misfit("log"))?;
        self.database.execute(
            "INSERT INTO forks (log, seq_num, first, second) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (log) DO UPDATE
             SET seq_num = excluded.seq_num, first = excluded.first, second = excluded.second
             WHERE excluded.seq_num < seq_num",
            params![log, seq_num, fork.first, fork.second],
        )?;
        Ok(())
    }

    fn put_document(&mut self, document: &DocumentRow) -> Result<(), StoreError> {
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

    fn insert_schema(&mut self, schema: &Schema) -> Result<(), StoreError> {
        // Every node knows the system schemas; their tables are there from the beginning.
        if matches!(schema.id(), SchemaId::System(_)) {
            return Ok(());
        }
        let row = self.database.schema_row_or_insert(schema.id())?;
        self.database.execute(
            "UPDATE schemas SET definition = ?2 WHERE id = ?1",
            params![row, from_definition(schema)],
        )?;
        View::new(row, schema.clone()).create(&self.database)
    }

    fn park(&mut self, row: &ParkedRow, need: &Need) -> Result<(), StoreError> {
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
        self.parked = Some(parked);
        Ok(parked.entries)
    }
}

impl SqliteStore {
    fn begin_log(&self, entry: &NewEntry<'_>) -> Result<i64, StoreError> {
        let author = self.database.author_or_insert(entry.public_key)?;
        let schema = self.database.schema_row_or_insert(entry.schema_id)?;
        self.database.execute(
            "INSERT INTO logs (author, log_id, document, schema, tip, tip_hash, ended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                author,
                from_log_id(entry.log_id),
                entry.document.hash().digest(),
                schema,
                from_seq_num(entry.seq_num),
                entry.hash.digest(),
                entry.end_of_log,
            ],
        )?;
        Ok(self.database.connection().last_insert_rowid())
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
        let view = self.database.view(schema)?;
        view.ok_or(StoreError::Corrupt("schema"))?
            .remove(&self.database, document)
    }
}

fn expect_one(changed: usize, what: &'static str) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Misfit(what)),
    }
}
