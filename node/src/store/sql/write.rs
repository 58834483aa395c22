//! The changes that every database makes with the same statements.

use grove_core::types::{DocumentId, Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::Action;

use super::{Param, Sql, hash};
use crate::store::border;
use crate::store::codec::{from_action, from_log_id, from_seq_num};
use crate::store::outside::object_for;
use crate::store::{ForkRow, StoreError, TIMES_KEPT_S};

/// Gives a stored entry the operation bytes it lacked.
pub(crate) fn restore_payload(
    database: &impl Sql,
    hash: Hash,
    payload: &[u8],
    action: Action,
) -> Result<(), StoreError> {
    border::expect_restored(payload);
    let schema = database.ask_one(
        "SELECT l.schema FROM entries e JOIN logs l ON l.id = e.log WHERE e.hash = ?1",
        &[Param::hash(&hash)],
        |row| row.int(0),
    )?;
    let schema = schema.ok_or(StoreError::Misfit("entry"))?;
    let schema_id = database.schema_id(schema)?;
    let object = object_for(database.objects(), &schema_id, hash, payload)?;
    let (inside, outside) = match &object {
        None => (Some(payload), None),
        Some(_) => (None, Some(payload.len() as i64)),
    };
    database.change_one(
        "UPDATE entries SET payload = ?2, action = ?3, stub = NULL, object = ?4, outside = ?5
         WHERE hash = ?1",
        &[
            Param::hash(&hash),
            Param::MaybeBytes(inside),
            Param::Int(from_action(action)),
            Param::MaybeText(object.as_deref()),
            Param::MaybeInt(outside),
        ],
        "entry",
    )?;
    // Up to the next operation that was collected the tree is whole again.
    database.change(
        "UPDATE logs SET withheld_from = (
             SELECT min(seq_num) FROM entries WHERE log = logs.id
               AND payload IS NULL AND object IS NULL
         )
         WHERE id = (SELECT log FROM entries WHERE hash = ?1)
           AND withheld_from IS NOT NULL AND NOT purged",
        &[Param::hash(&hash)],
    )?;
    Ok(())
}

/// Drops the operation bytes of a document, except those of its DELETEs.
pub(crate) fn drop_payloads(database: &impl Sql, document: DocumentId) -> Result<(), StoreError> {
    //= DL2: what deleted the document is kept
    //= R7: the DELETE operations stay, as the document's tombstone
    database.change(
        "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = NULL
         WHERE log IN (SELECT id FROM logs WHERE document = ?1)
           AND action IS DISTINCT FROM ?2
           AND (payload IS NOT NULL OR object IS NOT NULL OR stub IS NOT NULL)",
        &[
            Param::hash(&document.hash()),
            Param::Int(from_action(Action::Delete)),
        ],
    )?;
    // What is missing of it was deleted by now, and can be told as such.
    database.change(
        "UPDATE logs SET withheld_from = NULL
         WHERE document = ?1 AND withheld_from IS NOT NULL AND NOT purged",
        &[Param::hash(&document.hash())],
    )?;
    Ok(())
}

/// Leaves a stub of an operation whose bytes were dropped with its document.
pub(crate) fn leave_stub(database: &impl Sql, hash: Hash, stub: &[u8]) -> Result<(), StoreError> {
    border::expect_stub(stub);
    database.change_one(
        "UPDATE entries SET stub = ?2 WHERE hash = ?1 AND payload IS NULL AND object IS NULL",
        &[Param::hash(&hash), Param::Bytes(stub)],
        "entry",
    )
}

/// Notes that a document changed without an entry of its own.
pub(crate) fn insert_change(database: &impl Sql, document: DocumentId) -> Result<(), StoreError> {
    database.change(
        "INSERT INTO changes (position, document)
         SELECT coalesce(max(id), 0), ?1 FROM entries",
        &[Param::hash(&document.hash())],
    )?;
    Ok(())
}

/// Purges a log; returns how many bytes were dropped.
pub(crate) fn purge_log(
    database: &impl Sql,
    public_key: PublicKey,
    log_id: LogId,
) -> Result<u64, StoreError> {
    const MISFIT: StoreError = StoreError::Misfit("log");
    let author = database.author(public_key)?;
    let log = [
        Param::Int(author.ok_or(MISFIT)?),
        Param::Int(from_log_id(log_id)),
    ];
    let withheld_from = Param::Int(from_seq_num(SeqNum::FIRST));
    let trees = database.change(
        "UPDATE logs SET purged = TRUE, withheld_from = ?3 WHERE author = ?1 AND log_id = ?2",
        &[log[0], log[1], withheld_from],
    )?;
    if trees == 0 {
        return Err(MISFIT);
    }
    let size = database.ask_count(
        "SELECT CAST(coalesce(sum(coalesce(e.outside, octet_length(e.payload))), 0) AS BIGINT)
         FROM logs l JOIN entries e ON e.log = l.id WHERE l.author = ?1 AND l.log_id = ?2",
        &log,
    )?;
    database.change(
        "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = NULL
         WHERE log IN (SELECT id FROM logs WHERE author = ?1 AND log_id = ?2)
           AND (payload IS NOT NULL OR object IS NOT NULL OR stub IS NOT NULL)",
        &log,
    )?;
    Ok(size)
}

/// Drops the bytes of an operation and withholds its tree from there on.
pub(crate) fn collect(
    database: &impl Sql,
    hash: Hash,
    stub: Option<&[u8]>,
) -> Result<(), StoreError> {
    stub.into_iter().for_each(border::expect_stub);
    let hash = Param::hash(&hash);
    database.change_one(
        "UPDATE entries SET payload = NULL, object = NULL, outside = NULL, stub = ?2
         WHERE hash = ?1",
        &[hash, Param::MaybeBytes(stub)],
        "entry",
    )?;
    withhold(database, hash)
}

/// Doubts an entry whose operation never came.
pub(crate) fn doubt(database: &impl Sql, hash: Hash) -> Result<(), StoreError> {
    withhold(database, Param::hash(&hash))
}

/// Withholds a tree from an entry on.
fn withhold(database: &impl Sql, hash: Param<'_>) -> Result<(), StoreError> {
    database.change_one(
        "UPDATE logs SET withheld_from = CASE WHEN withheld_from < e.seq_num
             THEN withheld_from ELSE e.seq_num END
         FROM entries e WHERE e.hash = ?1 AND logs.id = e.log",
        &[hash],
        "entry",
    )
}

/// Remembers the position of the latest entry at this time.
pub(crate) fn insert_time(database: &impl Sql, at: i64) -> Result<(), StoreError> {
    border::expect_time(at);
    database.change(
        "INSERT INTO times (at, position)
         SELECT ?1, coalesce(max(id), 0) FROM entries WHERE TRUE
         ON CONFLICT (at) DO UPDATE SET position = excluded.position",
        &[Param::Int(at)],
    )?;
    database.change(
        "DELETE FROM times WHERE at < ?1",
        &[Param::Int(at.saturating_sub(TIMES_KEPT_S))],
    )?;
    Ok(())
}

/// Moves the tree that begins with this entry to another document.
pub(crate) fn reassign_tree(
    database: &impl Sql,
    first: Hash,
    document: DocumentId,
    schema_id: &SchemaId,
) -> Result<(), StoreError> {
    let schema = database.schema_row_or_insert(schema_id)?;
    database.change_one(
        "UPDATE logs SET document = ?2, schema = ?3, withheld_from = ?4
         WHERE id = (SELECT log FROM entries WHERE hash = ?1 AND seq_num = ?4)",
        &[
            Param::hash(&first),
            Param::hash(&document.hash()),
            Param::Int(schema),
            Param::Int(from_seq_num(SeqNum::FIRST)),
        ],
        "log",
    )
}

/// Keeps the evidence of a log's fork, in place of what was kept before.
pub(crate) fn insert_fork(database: &impl Sql, fork: &ForkRow) -> Result<(), StoreError> {
    border::expect_fork(fork);
    let author = database.author(fork.public_key)?;
    database.change_one(
        "INSERT INTO forks (author, log_id, seq_num, first, second)
         SELECT ?1, ?2, ?3, ?4, ?5
         WHERE EXISTS (SELECT 1 FROM logs WHERE author = ?1 AND log_id = ?2)
         ON CONFLICT (author, log_id) DO UPDATE
         SET seq_num = excluded.seq_num, first = excluded.first, second = excluded.second",
        &[
            Param::Int(author.ok_or(StoreError::Misfit("log"))?),
            Param::Int(from_log_id(fork.log_id)),
            Param::Int(from_seq_num(fork.seq_num)),
            Param::Bytes(&fork.first),
            Param::Bytes(&fork.second),
        ],
        "log",
    )
}

/// Remembers that a view of a definition makes no schema.
pub(crate) fn insert_broken_definition(
    database: &impl Sql,
    view: Hash,
    cause: &str,
) -> Result<(), StoreError> {
    database.change(
        "INSERT INTO broken_definitions (view, cause) VALUES (?1, ?2)
         ON CONFLICT (view) DO UPDATE SET cause = excluded.cause",
        &[Param::hash(&view), Param::Text(cause)],
    )?;
    Ok(())
}

/// Takes out some of the documents whose states an earlier version left wrong.
pub(crate) fn unmaterialised(
    database: &impl Sql,
    limit: u32,
) -> Result<Vec<DocumentId>, StoreError> {
    let documents: Vec<Hash> = database.ask_all(
        "SELECT document FROM unmaterialised ORDER BY document LIMIT ?1",
        &[Param::Int(limit.into())],
        |row| hash(row, 0),
    )?;
    if let Some(last) = documents.last() {
        let sql = "DELETE FROM unmaterialised WHERE document <= ?1";
        database.change(sql, &[Param::hash(last)])?;
    }
    Ok(documents.into_iter().map(Into::into).collect())
}
