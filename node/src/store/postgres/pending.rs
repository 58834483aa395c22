//! Changes on their way to the server: entries and documents that are stored many at once.
//!
//! A server takes as long for one row as for many, so what an engine stores for one entry after the other is kept
//! here until somebody asks the database anything, or the transaction ends. Only what is certain to succeed is
//! kept, which is known from what was read ahead; all else is sent at once, behind what is kept.

use std::collections::BTreeMap;

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash};

use super::codec::{digest, get};
use super::database::Database;
use super::views::Document;
use crate::store::codec::{from_action, from_log_id, from_seq_num};
use crate::store::{NewEntry, StoreError};

/// How many bytes of entries and operations are kept at most.
const SIZE_MAX: usize = 8 << 20;

const BEGIN_TREES: &str = "
    INSERT INTO logs (author, log_id, document, schema, tip, tip_hash, ended)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bytea[],
                         $7::boolean[])
    RETURNING tip_hash, id";

const EXTEND_TREES: &str = "
    UPDATE logs SET tip = grown.tip, tip_hash = grown.tip_hash, ended = grown.ended
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::boolean[])
        AS grown (author, log_id, old, tip, tip_hash, ended)
    WHERE logs.author = grown.author AND logs.log_id = grown.log_id AND logs.tip_hash = grown.old
      AND NOT logs.branched
    RETURNING logs.tip_hash, logs.id";

const INSERT_ENTRIES: &str = "
    INSERT INTO entries (id, log, seq_num, hash, action, entry, payload)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[],
                         $7::bytea[])";

const PUT_DOCUMENTS: &str = "
    INSERT INTO documents (id, schema, owner, view_id, edited, deleted)
    SELECT *, FALSE FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::boolean[])
    ON CONFLICT (id) DO UPDATE
    SET schema = excluded.schema, owner = excluded.owner, view_id = excluded.view_id,
        edited = excluded.edited, deleted = excluded.deleted";

/// A tree by what it is: its author, its log and the tip it has by now.
type TreeKey = (i64, i64, Hash);

/// What becomes of a tree.
#[derive(Debug)]
struct Tree {
    from: From,
    tip: i64,
    ended: bool,
    /// Which of the entries are its.
    entries: Vec<usize>,
}

#[derive(Debug)]
enum From {
    /// It begins, with a document of a schema.
    Nothing(DocumentId, i64),
    /// It had this tip.
    Tip(Hash),
}

#[derive(Debug)]
struct Entry {
    position: i64,
    seq_num: i64,
    hash: Hash,
    action: Option<i64>,
    entry: Vec<u8>,
    payload: Option<Vec<u8>>,
}

/// What is kept.
#[derive(Debug, Default)]
pub struct Pending {
    trees: BTreeMap<TreeKey, Tree>,
    entries: Vec<Entry>,
    documents: BTreeMap<DocumentId, Document>,
    size: usize,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.documents.is_empty()
    }

    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        self.size >= SIZE_MAX
    }

    /// Keeps the first entry of a log, or one behind the tip of a tree with one branch.
    pub fn add_entry(&mut self, entry: &NewEntry<'_>, position: i64, author: i64, schema: i64) {
        let log_id = from_log_id(entry.log_id);
        let seq_num = from_seq_num(entry.seq_num);
        let mut tree = match entry.placement {
            Placement::Extends(backlink) => {
                let grown = self.trees.remove(&(author, log_id, backlink));
                grown.unwrap_or(Tree {
                    from: From::Tip(backlink),
                    tip: seq_num,
                    ended: false,
                    entries: Vec::new(),
                })
            }
            Placement::Begins => Tree {
                from: From::Nothing(entry.document, schema),
                tip: seq_num,
                ended: false,
                entries: Vec::new(),
            },
            Placement::BeginsTree | Placement::Branches(_) => {
                unreachable!("what begins a branch is stored at once")
            }
        };
        assert!(!tree.ended, "an entry behind the end of its branch");
        tree.tip = seq_num;
        tree.ended = entry.end_of_log;
        tree.entries.push(self.entries.len());
        self.trees.insert((author, log_id, entry.hash), tree);
        self.size += entry.entry.len() + entry.payload.map_or(0, <[u8]>::len);
        self.entries.push(Entry {
            position,
            seq_num,
            hash: entry.hash,
            action: entry.action.map(from_action),
            entry: entry.entry.to_vec(),
            payload: entry.payload.map(<[u8]>::to_vec),
        });
    }

    /// Keeps the state of a live document, in place of an earlier one.
    pub fn add_document(&mut self, id: DocumentId, document: Document) {
        self.documents.insert(id, document);
    }

    /// Sends everything.
    pub fn send(self, database: &Database) -> Result<(), StoreError> {
        let logs = self.send_trees(database)?;
        self.send_entries(database, &logs)?;
        self.send_documents(database)
    }

    /// Begins and extends trees; returns the number of the tree of each entry.
    fn send_trees(&self, database: &Database) -> Result<Vec<i64>, StoreError> {
        let (mut begun, mut grown) = (Vec::new(), Vec::new());
        for (key, tree) in &self.trees {
            match &tree.from {
                From::Nothing(document, schema) => {
                    begun.push((key, tree, document.hash(), *schema))
                }
                From::Tip(old) => grown.push((key, tree, *old)),
            }
        }
        let bytes = |hash: Hash| hash.digest().to_vec();
        let mut numbers = BTreeMap::new();
        if !begun.is_empty() {
            let authors: Vec<_> = begun.iter().map(|(key, ..)| key.0).collect();
            let log_ids: Vec<_> = begun.iter().map(|(key, ..)| key.1).collect();
            let documents: Vec<_> = begun.iter().map(|(.., hash, _)| bytes(*hash)).collect();
            let schemas: Vec<_> = begun.iter().map(|(.., schema)| *schema).collect();
            let tips: Vec<_> = begun.iter().map(|(_, tree, ..)| tree.tip).collect();
            let hashes: Vec<_> = begun.iter().map(|(key, ..)| bytes(key.2)).collect();
            let ended: Vec<_> = begun.iter().map(|(_, tree, ..)| tree.ended).collect();
            numbers.extend(database.all(
                BEGIN_TREES,
                &[
                    &authors, &log_ids, &documents, &schemas, &tips, &hashes, &ended,
                ],
                |row| Ok((digest(row, 0)?, get(row, 1)?)),
            )?);
        }
        if !grown.is_empty() {
            let authors: Vec<_> = grown.iter().map(|(key, ..)| key.0).collect();
            let log_ids: Vec<_> = grown.iter().map(|(key, ..)| key.1).collect();
            let old: Vec<_> = grown.iter().map(|(.., old)| bytes(*old)).collect();
            let tips: Vec<_> = grown.iter().map(|(_, tree, _)| tree.tip).collect();
            let hashes: Vec<_> = grown.iter().map(|(key, ..)| bytes(key.2)).collect();
            let ended: Vec<_> = grown.iter().map(|(_, tree, _)| tree.ended).collect();
            numbers.extend(database.all(
                EXTEND_TREES,
                &[&authors, &log_ids, &old, &tips, &hashes, &ended],
                |row| Ok((digest(row, 0)?, get(row, 1)?)),
            )?);
        }
        let mut logs = vec![0; self.entries.len()];
        for (key, tree) in &self.trees {
            let number = numbers.get(key.2.digest());
            let number: i64 = *number.ok_or(StoreError::Misfit("log"))?;
            for entry in &tree.entries {
                logs[*entry] = number;
            }
        }
        Ok(logs)
    }

    fn send_entries(&self, database: &Database, logs: &[i64]) -> Result<(), StoreError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let entries = self.entries.iter();
        let positions: Vec<_> = entries.clone().map(|entry| entry.position).collect();
        let seq_nums: Vec<_> = entries.clone().map(|entry| entry.seq_num).collect();
        let hashes: Vec<_> = entries
            .clone()
            .map(|entry| &entry.hash.digest()[..])
            .collect();
        let actions: Vec<_> = entries.clone().map(|entry| entry.action).collect();
        let bytes: Vec<_> = entries.clone().map(|entry| &entry.entry).collect();
        let payloads: Vec<_> = entries.map(|entry| entry.payload.as_ref()).collect();
        let stored = database.execute(
            INSERT_ENTRIES,
            &[
                &positions, &logs, &seq_nums, &hashes, &actions, &bytes, &payloads,
            ],
        )?;
        match stored == positions.len() as u64 {
            true => Ok(()),
            false => Err(StoreError::Misfit("entry")),
        }
    }

    fn send_documents(&self, database: &Database) -> Result<(), StoreError> {
        if self.documents.is_empty() {
            return Ok(());
        }
        let columns = self.documents.values().map(|document| &document.columns);
        let ids: Vec<_> = columns.clone().map(|columns| &columns.id).collect();
        let schemas: Vec<_> = columns.clone().map(|columns| columns.schema).collect();
        let owners: Vec<_> = columns.clone().map(|columns| columns.owner).collect();
        let view_ids: Vec<_> = columns.clone().map(|columns| &columns.view_id).collect();
        let edited: Vec<_> = columns.map(|columns| columns.edited).collect();
        database.execute(
            PUT_DOCUMENTS,
            &[&ids, &schemas, &owners, &view_ids, &edited],
        )?;
        let mut by_schema: BTreeMap<i64, Vec<&Document>> = BTreeMap::new();
        for document in self.documents.values() {
            by_schema
                .entry(document.columns.schema)
                .or_default()
                .push(document);
        }
        for (schema, documents) in by_schema {
            let view = database.view(schema)?;
            let view = view.ok_or(StoreError::Corrupt("schema"))?;
            view.put(database, &documents)?;
        }
        Ok(())
    }
}
