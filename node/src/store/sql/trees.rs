//! Tips of trees that have several branches. Trees with one, which nearly all are, never come here.

use grove_core::types::Hash;
use grove_core::validate::{LogTip, prefers};

use super::rows::tip;
use super::{Param, Sql};
use crate::store::codec::{from_log_id, from_seq_num};
use crate::store::{NewEntry, StoreError};

/// The entry before a new one is not where the new one's placement says.
const MISFIT: StoreError = StoreError::Misfit("log");

/// Makes an entry the tip of the branch that ended in the entry before it. Returns the number of the tree.
pub(crate) fn extend_branch(
    database: &impl Sql,
    entry: &NewEntry<'_>,
    backlink: Hash,
) -> Result<i64, StoreError> {
    let (log, tip) = tree_with(database, entry, backlink)?;
    if tip.hash == backlink {
        set_tip(database, log, &entry.tip())?;
    } else {
        set_branch(database, backlink, &entry.tip())?;
    }
    prefer(database, log)?;
    Ok(log)
}

/// Makes an entry the tip of a branch that leaves another one behind the entry before it. Returns the number
/// of the tree.
pub(crate) fn begin_branch(
    database: &impl Sql,
    entry: &NewEntry<'_>,
    backlink: Hash,
) -> Result<i64, StoreError> {
    let (log, tip) = tree_with(database, entry, backlink)?;
    if tip.hash == backlink {
        return Err(MISFIT);
    }
    database.change_one(
        "INSERT INTO branches (log, seq_num, hash, ended) SELECT ?1, ?2, ?3, ?4
         WHERE NOT EXISTS (SELECT 1 FROM branches WHERE hash = ?5)",
        &[
            Param::Int(log),
            Param::Int(from_seq_num(entry.seq_num)),
            Param::hash(&entry.hash),
            Param::Flag(entry.end_of_log),
            Param::hash(&backlink),
        ],
        "log",
    )?;
    let branched = "UPDATE logs SET branched = TRUE WHERE id = ?1";
    database.change_one(branched, &[Param::Int(log)], "log")?;
    prefer(database, log)?;
    Ok(log)
}

/// The tree that holds the entry before a new one, and the tip of its branch to continue.
fn tree_with(
    database: &impl Sql,
    entry: &NewEntry<'_>,
    backlink: Hash,
) -> Result<(i64, LogTip), StoreError> {
    let before = entry.seq_num.backlink().ok_or(MISFIT)?;
    let author = database.author(entry.public_key)?;
    let found = database.ask_one(
        "SELECT l.id, l.tip, l.tip_hash, l.ended FROM entries e JOIN logs l ON l.id = e.log
         WHERE e.hash = ?1 AND e.seq_num = ?2 AND l.author = ?3 AND l.log_id = ?4",
        &[
            Param::hash(&backlink),
            Param::Int(from_seq_num(before)),
            Param::Int(author.ok_or(MISFIT)?),
            Param::Int(from_log_id(entry.log_id)),
        ],
        |row| Ok((row.int(0)?, tip(row, 1)?)),
    )?;
    found.ok_or(MISFIT)
}

/// Makes the best of all tips of a tree the one to continue, after one of them changed.
fn prefer(database: &impl Sql, log: i64) -> Result<(), StoreError> {
    let current = database.ask_one(
        "SELECT tip, tip_hash, ended FROM logs WHERE id = ?1",
        &[Param::Int(log)],
        |row| tip(row, 0),
    )?;
    let best = database.ask_one(
        "SELECT seq_num, hash, ended FROM branches WHERE log = ?1
         ORDER BY ended, seq_num DESC, hash LIMIT 1",
        &[Param::Int(log)],
        |row| tip(row, 0),
    )?;
    match (current, best) {
        (Some(current), Some(best)) if prefers(&best, &current) => {
            set_branch(database, best.hash, &current)?;
            set_tip(database, log, &best)
        }
        _ => Ok(()),
    }
}

fn set_tip(database: &impl Sql, log: i64, tip: &LogTip) -> Result<(), StoreError> {
    database.change_one(
        "UPDATE logs SET tip = ?2, tip_hash = ?3, ended = ?4 WHERE id = ?1",
        &[
            Param::Int(log),
            Param::Int(from_seq_num(tip.seq_num)),
            Param::hash(&tip.hash),
            Param::Flag(tip.ended),
        ],
        "log",
    )
}

/// Puts a tip in place of that of a branch that is not the one to continue.
fn set_branch(database: &impl Sql, old: Hash, tip: &LogTip) -> Result<(), StoreError> {
    database.change_one(
        "UPDATE branches SET seq_num = ?2, hash = ?3, ended = ?4 WHERE hash = ?1",
        &[
            Param::hash(&old),
            Param::Int(from_seq_num(tip.seq_num)),
            Param::hash(&tip.hash),
            Param::Flag(tip.ended),
        ],
        "log",
    )
}
