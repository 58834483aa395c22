//! The versions of the database: telling them apart, and bringing an older one up to date.
//!
//! Everything is in a schema of its own, `grove`, beside which other programs may have theirs. Each step is
//! history once it was released: it never changes, the next version is a further step. A schema of another
//! program, or of a newer version of this one, is left as it is.

use grove_core::types::{Schema, SchemaId, SystemSchema};

use super::codec::get;
use super::database::Database;
use super::views::View;
use crate::store::StoreError;
use crate::store::codec::NEEDS_ENTRY;
use crate::store::sql::Sql;
use crate::store::trees::need_of;

/// What leads from each version to the next, beginning with nothing.
const STEPS: [&str; 3] = [
    include_str!("versions/1.sql"),
    include_str!("versions/2.sql"),
    include_str!("versions/3.sql"),
];

/// How many parked entries are read at once.
const NEEDS_PER_STEP: i64 = 500;

/// The version this program writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Marks the schema as one of this program.
const APPLICATION: &str = "grove-node";

/// Held while the schema is looked at and changed, so that of several processes one does it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7454422910234521)";

/// Brings the database to this program's version, all the way or not at all.
pub(super) fn bring_up_to_date(database: &Database) -> Result<(), StoreError> {
    // Mostly there is nothing to do, and nobody has to be waited for.
    if found(database)? == VERSION {
        return Ok(());
    }
    database.begin("BEGIN")?;
    let done = bring_in_transaction(database).and_then(|()| database.commit());
    if done.is_err() {
        database.rollback();
    }
    done
}

/// The version of the database, 0 when there is none.
fn found(database: &Database) -> Result<i64, StoreError> {
    let (tables, marks): (i64, i64) = database
        .first(
            "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname = 'grove'),
                    (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('grove.state')
                     AND attname IN ('application', 'version') AND NOT attisdropped)",
            &[],
            |row| Ok((get(row, 0)?, get(row, 1)?)),
        )?
        .ok_or(StoreError::Corrupt("version"))?;
    match (tables, marks) {
        (0, _) => return Ok(0),
        (_, 2) => {}
        _ => return Err(StoreError::Foreign),
    }
    let state = database.first(
        "SELECT application::text, version::bigint FROM grove.state",
        &[],
        |row| Ok((get::<String>(row, 0)?, get(row, 1)?)),
    )?;
    match state {
        Some((application, version)) if application == APPLICATION => check(version),
        _ => Err(StoreError::Foreign),
    }
}

/// Refuses what a newer program wrote.
pub(super) fn check(version: i64) -> Result<i64, StoreError> {
    if version > VERSION {
        return Err(StoreError::TooNew {
            found: version,
            known: VERSION,
        });
    }
    Ok(version)
}

fn bring_in_transaction(database: &Database) -> Result<(), StoreError> {
    database.first(LOCK, &[], |_| Ok(()))?;
    // Another process may have been faster.
    let found = found(database)?;
    if found == 0 && database.number(SCHEMAS, &[])? == 0 {
        database.batch("CREATE SCHEMA grove")?;
    }
    let found = usize::try_from(found).map_err(|_| StoreError::Corrupt("version"))?;
    for (step, sql) in STEPS.iter().enumerate().skip(found) {
        database.batch(sql)?;
        match step {
            0 => add_system_schemas(database)?,
            1 => name_needs(database)?,
            _ => {}
        }
    }
    database.execute("UPDATE state SET version = $1", &[&VERSION])?;
    Ok(())
}

/// An administrator may have made the schema for a user that may not.
const SCHEMAS: &str = "SELECT count(*) FROM pg_namespace WHERE nspname = 'grove'";

/// Every node knows the system schemas, so their tables are there from the beginning.
fn add_system_schemas(database: &Database) -> Result<(), StoreError> {
    for system in SystemSchema::ALL {
        let row = database.schema_row_or_insert(&SchemaId::System(system))?;
        View::new(row, Schema::system(system)).create(database)?;
    }
    Ok(())
}

/// Until version 1, what waits for the entry before it named its position. It is named by its hash now, since
/// several entries may have one position.
fn name_needs(database: &Database) -> Result<(), StoreError> {
    let mut after: i64 = 0;
    loop {
        let rows: Vec<(i64, Vec<u8>)> = database.all(
            "SELECT id, entry FROM parked WHERE id > $1 AND get_byte(need, 0) = $2
             ORDER BY id LIMIT $3",
            &[&after, &i32::from(NEEDS_ENTRY), &NEEDS_PER_STEP],
            |row| Ok((get(row, 0)?, get(row, 1)?)),
        )?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = *last;
        for (id, entry) in rows {
            match need_of(&entry) {
                Some(need) => {
                    database.execute("UPDATE parked SET need = $2 WHERE id = $1", &[&id, &need])?
                }
                // Nothing could ever release it.
                None => database.execute("DELETE FROM parked WHERE id = $1", &[&id])?,
            };
        }
    }
}
