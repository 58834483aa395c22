//! Changes to the database.
//!
//! Storing an entry is the busiest path of a node: two statements once its author and schema are
//! known.

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, LogId, PublicKey, Schema, SchemaId, SeqNum};
use grove_core::validate::{LogTip, prefers};
use grove_core::wire::Action;
use rusqlite::{Row, params};

use super::SqliteStore;
use super::views::View;
use crate::store::codec::{
    from_action, from_definition, from_log_id, from_need, from_seq_num, from_view_id, to_seq_num,
};
use crate::store::outside::object_for;
use crate::store::{
    DocumentRow, ForkRow, Need, NewEntry, News, Parked, ParkedMax, ParkedRow, Store, StoreError,
    TIMES_KEPT_S,
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
        let log = match entry.placement {
            Placement::Begins => self.begin_tree(&entry, false)?,
            Placement::BeginsTree => self.begin_tree(&entry, true)?,
            Placement::Extends(backlink) => self.extend_branch(&entry, backlink)?,
            Placement::Branches(backlink) => self.begin_branch(&entry, backlink)?,
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
        let log_id = from_log_id(log_id);
        let trees = self.database.execute(
            "UPDATE logs SET purged = 1, withheld_from = ?3 WHERE author = ?1 AND log_id = ?2",
            params![author, log_id, from_seq_num(SeqNum::FIRST)],
        )?;
        if trees == 0 {
            return Err(MISFIT);
        }
        let size = self.database.number(
            "SELECT coalesce(sum(coalesce(e.outside, length(e.payload))), 0)
             FROM logs l JOIN entries e ON e.log = l.id WHERE l.author = ?1 AND l.log_id = ?2",
            [author, log_id],
        )?;
        self.database.execute(
            "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = NULL
             WHERE log IN (SELECT id FROM logs WHERE author = ?1 AND log_id = ?2)
               AND coalesce(payload, object, stub) IS NOT NULL",
            [author, log_id],
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

    fn reassign_tree(
        &mut self,
        first: Hash,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        let schema = self.database.schema_row_or_insert(schema_id)?;
        let changed = self.database.execute(
            "UPDATE logs SET document = ?2, schema = ?3
             WHERE id = (SELECT log FROM entries WHERE hash = ?1 AND seq_num = ?4)",
            params![
                first.digest(),
                document.hash().digest(),
                schema,
                from_seq_num(SeqNum::FIRST)
            ],
        )?;
        expect_one(changed, "log")
    }

    fn insert_fork(&mut self, fork: &ForkRow) -> Result<(), StoreError> {
        let author = self.database.author_or_insert(fork.public_key)?;
        let changed = self.database.execute(
            "INSERT OR REPLACE INTO forks (author, log_id, seq_num, first, second)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE EXISTS (SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2)",
            params![
                author,
                from_log_id(fork.log_id),
                from_seq_num(fork.seq_num),
                fork.first,
                fork.second
            ],
        )?;
        expect_one(changed, "log")
    }

    fn unmaterialised(&mut self, limit: u32) -> Result<Vec<DocumentId>, StoreError> {
        let documents = self.database.all(
            "SELECT document FROM unmaterialised ORDER BY document LIMIT ?1",
            [limit],
            |row| Ok(Hash::from_digest(row.get(0)?).into()),
        )?;
        if let Some(last) = documents.last().map(|last: &DocumentId| last.hash()) {
            self.database.execute(
                "DELETE FROM unmaterialised WHERE document <= ?1",
                [last.digest()],
            )?;
        }
        Ok(documents)
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
        if let Some(log) = extended {
            return Ok(log);
        }
        let (log, tip) = self.tree_with(entry, backlink)?;
        if tip.hash == backlink {
            self.set_tip(log, &entry.tip())?;
        } else {
            self.set_branch(backlink, &entry.tip())?;
        }
        self.prefer(log)?;
        Ok(log)
    }

    /// Makes an entry the tip of a branch that leaves another one behind the entry before it.
    fn begin_branch(&self, entry: &NewEntry<'_>, backlink: Hash) -> Result<i64, StoreError> {
        let (log, tip) = self.tree_with(entry, backlink)?;
        if tip.hash == backlink {
            return Err(MISFIT);
        }
        let begun = self.database.execute(
            "INSERT INTO branches (log, seq_num, hash, ended) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM branches WHERE hash = ?5)",
            params![
                log,
                from_seq_num(entry.seq_num),
                entry.hash.digest(),
                entry.end_of_log,
                backlink.digest()
            ],
        )?;
        expect_one(begun, "log")?;
        self.database
            .execute("UPDATE logs SET branched = 1 WHERE id = ?1", [log])?;
        self.prefer(log)?;
        Ok(log)
    }

    /// The tree that holds the entry before a new one, and the tip of its branch to continue.
    fn tree_with(&self, entry: &NewEntry<'_>, backlink: Hash) -> Result<(i64, LogTip), StoreError> {
        let before = entry.seq_num.backlink().ok_or(MISFIT)?;
        let author = self.database.author_or_insert(entry.public_key)?;
        let found = self.database.first(
            "SELECT l.id, l.tip, l.tip_hash, l.ended FROM entries e JOIN logs l ON l.id = e.log
             WHERE e.hash = ?1 AND e.seq_num = ?2 AND l.author = ?3 AND l.log_id = ?4",
            params![
                backlink.digest(),
                from_seq_num(before),
                author,
                from_log_id(entry.log_id)
            ],
            |row| Ok((row.get(0)?, tip(row, 1)?)),
        )?;
        found.ok_or(MISFIT)
    }

    /// Makes the best of all tips of a tree the one to continue, after one of them changed.
    fn prefer(&self, log: i64) -> Result<(), StoreError> {
        let current = self.database.first(
            "SELECT tip, tip_hash, ended FROM logs WHERE id = ?1",
            [log],
            |row| tip(row, 0),
        )?;
        let best = self.database.first(
            "SELECT seq_num, hash, ended FROM branches WHERE log = ?1
             ORDER BY ended, seq_num DESC, hash LIMIT 1",
            [log],
            |row| tip(row, 0),
        )?;
        match (current, best) {
            (Some(current), Some(best)) if prefers(&best, &current) => {
                self.set_branch(best.hash, &current)?;
                self.set_tip(log, &best)
            }
            _ => Ok(()),
        }
    }

    fn set_tip(&self, log: i64, tip: &LogTip) -> Result<(), StoreError> {
        let changed = self.database.execute(
            "UPDATE logs SET tip = ?2, tip_hash = ?3, ended = ?4 WHERE id = ?1",
            params![log, from_seq_num(tip.seq_num), tip.hash.digest(), tip.ended],
        )?;
        expect_one(changed, "log")
    }

    /// Puts a tip in place of that of a branch that is not the one to continue.
    fn set_branch(&self, old: Hash, tip: &LogTip) -> Result<(), StoreError> {
        let changed = self.database.execute(
            "UPDATE branches SET seq_num = ?2, hash = ?3, ended = ?4 WHERE hash = ?1",
            params![
                old.digest(),
                from_seq_num(tip.seq_num),
                tip.hash.digest(),
                tip.ended
            ],
        )?;
        expect_one(changed, "log")
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

/// Reads `seq_num, hash, ended` from `offset` on.
fn tip(row: &Row<'_>, offset: usize) -> Result<LogTip, StoreError> {
    Ok(LogTip {
        seq_num: to_seq_num(row.get(offset)?)?,
        hash: Hash::from_digest(row.get(offset + 1)?),
        ended: row.get(offset + 2)?,
    })
}

fn expect_one(changed: usize, what: &'static str) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Misfit(what)),
    }
}
