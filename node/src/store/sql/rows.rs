//! The columns of each kind of row, and how they become one.

use grove_core::types::Hash;
use grove_core::types::SchemaId;
use grove_core::types::{PublicKey, SeqNum};
use grove_core::validate::LogTip;

use super::{Columns, Sql, hash};
use crate::store::codec::{to_log_id, to_seq_num};
use crate::store::outside::Payload;
use crate::store::{Change, EntryRow, OperationRow, PlacedEntry, StoreError, TreeRow};

/// The columns of [`entry`].
macro_rules! select_entries {
    ($rest:literal) => {
        select_entries!(FROM "FROM entries e JOIN logs l ON l.id = e.log ", $rest)
    };
    (FROM $from:literal, $rest:literal) => {
        select_entries!("l.author", "l.schema", $from, $rest)
    };
    ($author:literal, $schema:literal, $from:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $author,
            ", ",
            $schema,
            ", e.id, l.log_id, e.seq_num, e.hash, l.document, e.entry, e.payload, e.object, \
             e.outside, l.purged, e.stub, e.action IS NOT NULL ",
            $from,
            $rest
        )
    };
}
pub(in crate::store) use select_entries;

/// The columns of [`placed`].
macro_rules! select_placed {
    ($rest:literal) => {
        concat!(
            "SELECT l.author, l.log_id, e.seq_num, e.hash, e.entry, l.document, l.schema, l.purged \
             FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}
pub(super) use select_placed;

/// The columns of [`tree`].
macro_rules! select_trees {
    ($($rest:expr),+ $(,)?) => {
        concat!(
            "SELECT author, log_id, document, schema, tip, tip_hash, ended, branched, purged \
             FROM logs ",
            $($rest),+
        )
    };
}
pub(super) use select_trees;

/// Whether a tree has entries whose operations never came and of which nothing tells that they were deleted.
macro_rules! has_doubts {
    ($tree:literal) => {
        concat!(
            "(",
            $tree,
            ".withheld_from IS NOT NULL AND NOT ",
            $tree,
            ".purged AND EXISTS (SELECT 1 FROM entries u WHERE u.log = ",
            $tree,
            ".id AND u.seq_num >= ",
            $tree,
            ".withheld_from AND u.action IS NULL))"
        )
    };
}
pub(super) use has_doubts;

/// Whether that is so of a tree's first entry, whose number is the value of this name; then it is not known to
/// which document the tree belongs.
macro_rules! is_doubted {
    ($first:literal) => {
        concat!(
            "(logs.withheld_from IS NOT NULL AND NOT logs.purged AND EXISTS (SELECT 1 FROM entries u \
             WHERE u.log = logs.id AND u.seq_num = ",
            $first,
            " AND u.seq_num = logs.withheld_from AND u.action IS NULL))"
        )
    };
}
pub(in crate::store) use is_doubted;

/// The columns of [`operation`].
macro_rules! select_operations {
    ($rest:literal) => {
        concat!(
            "SELECT l.document, l.schema, l.purged, coalesce(e.outside, octet_length(e.payload)), \
             e.hash, e.id, e.action IS NOT NULL FROM entries e JOIN logs l ON l.id = e.log ",
            $rest
        )
    };
}
pub(in crate::store) use select_operations;

pub(crate) fn tree(database: &impl Sql, row: &dyn Columns) -> Result<TreeRow, StoreError> {
    Ok(TreeRow {
        public_key: database.public_key(row.int(0)?)?,
        log_id: to_log_id(row.int(1)?),
        document: hash(row, 2)?.into(),
        schema_id: database.schema_id(row.int(3)?)?,
        tip: tip(row, 4)?,
        branched: row.flag(7)?,
        purged: row.flag(8)?,
    })
}

/// Reads `seq_num, hash, ended` from `offset` on.
pub(crate) fn tip(row: &dyn Columns, offset: usize) -> Result<LogTip, StoreError> {
    Ok(LogTip {
        seq_num: seq_num(row, offset)?,
        hash: hash(row, offset + 1)?,
        ended: row.flag(offset + 2)?,
    })
}

pub(crate) fn seq_num(row: &dyn Columns, index: usize) -> Result<SeqNum, StoreError> {
    to_seq_num(row.int(index)?)
}

pub(crate) fn placed(database: &impl Sql, row: &dyn Columns) -> Result<PlacedEntry, StoreError> {
    Ok(PlacedEntry {
        public_key: database.public_key(row.int(0)?)?,
        log_id: to_log_id(row.int(1)?),
        seq_num: seq_num(row, 2)?,
        hash: hash(row, 3)?,
        entry: row.bytes(4)?.to_vec(),
        document: hash(row, 5)?.into(),
        schema_id: database.schema_id(row.int(6)?)?,
        purged: row.flag(7)?,
    })
}

pub(crate) fn entry(database: &impl Sql, row: &dyn Columns) -> Result<EntryRow, StoreError> {
    let public_key = database.public_key(row.int(0)?)?;
    let schema_id = database.schema_id(row.int(1)?)?;
    entry_of(database, public_key, schema_id, row)
}

/// An entry whose author and schema are known already.
pub(crate) fn entry_of(
    database: &impl Sql,
    public_key: PublicKey,
    schema_id: SchemaId,
    row: &dyn Columns,
) -> Result<EntryRow, StoreError> {
    let entry = row.bytes(7)?.to_vec();
    let stored = hash(row, 5)?;
    if Hash::of(&entry) != stored {
        return Err(StoreError::Damaged(format!("entry {stored} is another")));
    }
    let payload = payload(database, row, 8, &entry)?;
    let lost = payload.is_lost();
    let payload = payload.into_bytes();
    let size = entry.len() + payload.as_ref().map_or(0, Vec::len);
    database.meter().spend_bytes(size)?;
    Ok(EntryRow {
        position: row.int(2)?,
        public_key,
        log_id: to_log_id(row.int(3)?),
        seq_num: seq_num(row, 4)?,
        hash: stored,
        document: hash(row, 6)?.into(),
        schema_id,
        entry,
        payload,
        lost,
        purged: row.flag(11)?,
        stub: row.maybe_bytes(12)?.map(<[u8]>::to_vec),
        seen: row.flag(13)?,
    })
}

/// Reads `payload, object, outside` from `offset` on, and where they say so the object.
pub(crate) fn payload(
    database: &impl Sql,
    row: &dyn Columns,
    offset: usize,
    entry: &[u8],
) -> Result<Payload, StoreError> {
    let object = match row.maybe_text(offset + 1)? {
        Some(name) => Some((name, row.int(offset + 2)?)),
        None => None,
    };
    let inside = row.maybe_bytes(offset)?.map(<[u8]>::to_vec);
    Payload::read(database.objects(), inside, object, entry)
}

pub(crate) fn operation(
    database: &impl Sql,
    row: &dyn Columns,
) -> Result<OperationRow, StoreError> {
    let size = row.maybe_int(3)?;
    Ok(OperationRow {
        position: row.int(5)?,
        document: hash(row, 0)?.into(),
        schema_id: database.schema_id(row.int(1)?)?,
        purged: row.flag(2)?,
        was_seen: row.flag(6)?,
        has_payload: size.is_some(),
        payload_size: size.map(i64::cast_unsigned),
    })
}

pub(crate) fn change(database: &impl Sql, row: &dyn Columns) -> Result<Change, StoreError> {
    Ok(Change {
        position: row.int(0)?,
        document: hash(row, 1)?.into(),
        schema_id: database.schema_id(row.int(2)?)?,
    })
}
