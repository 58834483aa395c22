//! The versions of the database: telling them apart, and bringing an older one up to date.
//!
//! A new database is made by the same steps that bring an old one up to date, so that both are alike.
//! Each step is history once it was released: it never changes, the next version is a further step.
//! A file of another program, or of a newer version of this one, is left as it is.

use grove_core::types::{Schema, SchemaId, SystemSchema};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::database::Database;
use super::views::View;
use crate::store::StoreError;
use crate::store::codec::NEEDS_ENTRY;
use crate::store::sql::Sql;
use crate::store::trees::need_of;

/// What leads from each version to the next, beginning with nothing.
const STEPS: [&str; 6] = [
    include_str!("versions/1.sql"),
    include_str!("versions/2.sql"),
    include_str!("versions/3.sql"),
    include_str!("versions/4.sql"),
    include_str!("versions/5.sql"),
    include_str!("versions/6.sql"),
];

/// How many parked entries are read at once.
const NEEDS_PER_STEP: i64 = 500;

/// The version this program writes.
pub(super) const VERSION: usize = STEPS.len();

/// The first version whose pages end with their sums, as the file itself tells.
pub(super) const WITH_SUMS: usize = 5;

/// Marks the file as a database of this program: "grov".
pub(super) const APPLICATION_ID: i64 = 0x6772_6f76;

/// The version of the database, 0 when it is empty.
pub(super) fn found(connection: &Connection) -> Result<usize, StoreError> {
    let (version, application, tables): (i64, i64, i64) = connection.query_row(
        "SELECT (SELECT user_version FROM pragma_user_version),
                (SELECT application_id FROM pragma_application_id),
                (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| row.try_into(),
    )?;
    match usize::try_from(version) {
        Ok(0) if tables == 0 => Ok(0),
        _ if application != APPLICATION_ID => Err(StoreError::Foreign),
        Ok(version @ 1..=VERSION) => Ok(version),
        _ => Err(StoreError::TooNew {
            found: version,
            known: VERSION as i64,
        }),
    }
}

/// Brings a database to a version, all the way or not at all.
pub(super) fn bring_to(version: usize, database: &Database) -> Result<(), StoreError> {
    let connection = database.connection();
    // Tables that others refer to are made anew by some steps; whether everything still refers to
    // something is checked at the end instead. Has no effect inside a transaction.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    let done = bring_in_transaction(version, database);
    connection.pragma_update(None, "foreign_keys", "ON")?;
    done
}

fn bring_in_transaction(version: usize, database: &Database) -> Result<(), StoreError> {
    let connection = database.connection();
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = found(connection)?;
    for (step, sql) in STEPS.iter().enumerate().take(version).skip(found) {
        connection.execute_batch(sql)?;
        match step {
            0 => add_system_schemas(database)?,
            2 => shorten_pieces(database)?,
            3 => name_needs(database)?,
            _ => {}
        }
    }
    let dangling: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })?;
    if dangling > 0 {
        return Err(StoreError::Corrupt("reference"));
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", version.max(found) as i64)?;
    Ok(transaction.commit()?)
}

/// Every node knows the system schemas, so their tables are there from the beginning.
fn add_system_schemas(database: &Database) -> Result<(), StoreError> {
    for system in SystemSchema::ALL {
        let row = database.schema_row_or_insert(&SchemaId::System(system))?;
        View::new(row, Schema::system(system)).create(database)?;
    }
    Ok(())
}

/// Until version 2, the views of pieces held their data a second time.
fn shorten_pieces(database: &Database) -> Result<(), StoreError> {
    match database.view_of(&SchemaId::BLOB_PIECE)? {
        Some(view) => view.shorten(database),
        None => Ok(()),
    }
}

/// Until version 3, what waits for the entry before it named its position. It is named by its hash now, since
/// several entries may have one position.
fn name_needs(database: &Database) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows: Vec<(i64, Vec<u8>)> = database.all(
            "SELECT id, entry FROM parked WHERE id > ?1 AND substr(need, 1, 1) = ?2
             ORDER BY id LIMIT ?3",
            params![after, [NEEDS_ENTRY], NEEDS_PER_STEP],
            |row| Ok(row.try_into()?),
        )?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        after = *last;
        for (id, entry) in rows {
            match need_of(&entry) {
                Some(need) => database.execute(
                    "UPDATE parked SET need = ?2 WHERE id = ?1",
                    params![id, need],
                )?,
                // Nothing could ever release it.
                None => database.execute("DELETE FROM parked WHERE id = ?1", [id])?,
            };
        }
    }
}
