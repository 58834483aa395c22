//! Sends what was kept back: five statements for a whole batch, and one or few for the views of each schema.
//!
//! What does not fit the database as it was read ahead is refused, and the transaction with it.

use std::collections::BTreeMap;

use grove_core::types::Hash;

use super::codec::{digest, get};
use super::database::Database;
use super::pending::{Document, From, Pending};
use crate::store::StoreError;

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

/// Sends everything.
pub(super) fn send(database: &Database, pending: &Pending) -> Result<(), StoreError> {
    assert!(!pending.is_empty(), "nothing to send");
    let logs = send_trees(database, pending)?;
    send_entries(database, pending, &logs)?;
    send_documents(database, pending)
}

/// Begins and extends trees; returns the number of the tree of each entry.
fn send_trees(database: &Database, pending: &Pending) -> Result<Vec<i64>, StoreError> {
    let (mut begun, mut grown) = (Vec::new(), Vec::new());
    for (key, tree) in &pending.trees {
        match &tree.from {
            From::Nothing(document, schema) => begun.push((key, tree, document.hash(), *schema)),
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
    let mut logs = vec![0; pending.entries.len()];
    for (key, tree) in &pending.trees {
        let number = numbers.get(key.2.digest());
        let number: i64 = *number.ok_or(StoreError::Misfit("log"))?;
        for entry in &tree.entries {
            logs[*entry] = number;
        }
    }
    Ok(logs)
}

fn send_entries(database: &Database, pending: &Pending, logs: &[i64]) -> Result<(), StoreError> {
    if pending.entries.is_empty() {
        return Ok(());
    }
    let entries = pending.entries.iter();
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

fn send_documents(database: &Database, pending: &Pending) -> Result<(), StoreError> {
    let view_of = |schema| {
        let view = database.view(schema)?;
        view.ok_or(StoreError::Corrupt("schema"))
    };
    let mut documents = pending.documents.values();
    match (documents.next(), documents.next()) {
        (None, _) => return Ok(()),
        (Some(alone), None) => {
            return view_of(alone.columns.schema)?.put_alone(database, alone);
        }
        (Some(_), Some(_)) => {}
    }
    let columns = pending.documents.values().map(|document| &document.columns);
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
    for document in pending.documents.values() {
        by_schema
            .entry(document.columns.schema)
            .or_default()
            .push(document);
    }
    for (schema, documents) in by_schema {
        view_of(schema)?.put(database, &documents)?;
    }
    Ok(())
}
