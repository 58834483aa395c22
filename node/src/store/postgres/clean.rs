//! Takes what was deleted out of the tables' pages.
//!
//! PostgreSQL keeps the earlier version of a changed or removed row until somebody vacuums its table. That
//! may take long, so it is done by a thread and a connection of its own. Which tables wait for it is kept
//! in the database: what one process did not come to, after a crash say, another one does.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::codec::get;
use super::database::Database;
use super::server::Server;
use crate::store::StoreError;

/// How long to wait before trying again when somebody still looks at what was deleted.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The thread that vacuums, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    running: Option<JoinHandle<Result<(), StoreError>>>,
    tried: Option<Instant>,
}

impl Cleaner {
    /// Starts vacuuming if something waits for it; returns whether nothing does.
    pub(super) fn advance(&mut self, database: &Database) -> Result<bool, StoreError> {
        if let Some(running) = self.running.take_if(|running| running.is_finished()) {
            running
                .join()
                .unwrap_or_else(|_| Err(StoreError::Failed("the vacuum broke off".to_owned())))?;
        }
        if self.running.is_some() {
            return Ok(false);
        }
        if database.number("SELECT count(*) FROM (SELECT FROM unclean LIMIT 1) u", &[])? == 0 {
            self.tried = None;
            return Ok(true);
        }
        if self
            .tried
            .is_none_or(|tried| tried.elapsed() >= RETRY_AFTER)
        {
            self.tried = Some(Instant::now());
            let server = database.server().clone();
            let running = std::thread::Builder::new()
                .name("grove-vacuum".to_owned())
                .spawn(move || clean(server))?;
            self.running = Some(running);
        }
        Ok(false)
    }
}

/// Vacuums the tables that wait for it.
fn clean(server: Server) -> Result<(), StoreError> {
    let database = Database::connect(server)?;
    // It takes as long as it takes, and holds up nobody meanwhile.
    database.batch("SET statement_timeout TO 0")?;
    let waiting: Vec<(i64, String)> = database.all("SELECT id, name FROM unclean", &[], |row| {
        Ok((get(row, 0)?, get(row, 1)?))
    })?;
    let mut names: Vec<_> = waiting.iter().map(|(_, name)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        // Names are put together by this program alone; a database may still say anything.
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(StoreError::Corrupt("name of a table"));
        }
        // Indexes hold values, too, and are left as they are when there is little to do unless told otherwise.
        database.batch(&format!(
            "VACUUM (INDEX_CLEANUP ON, PROCESS_TOAST TRUE) grove.{name}"
        ))?;
        if is_clean(&database, name)? {
            let done = waiting.iter().filter(|(_, waiting)| waiting == name);
            let done: Vec<i64> = done.map(|(id, _)| *id).collect();
            database.execute("DELETE FROM unclean WHERE id = ANY($1)", &[&done])?;
        }
    }
    Ok(())
}

/// Whether the last vacuum left no row of a table or its annex that somebody could still see.
fn is_clean(database: &Database, name: &str) -> Result<bool, StoreError> {
    let left = database.number(
        "SELECT coalesce(sum(pg_stat_get_dead_tuples(c.oid) + pg_stat_get_dead_tuples(c.reltoastrelid)), 0)::bigint
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'grove' AND c.relname = $1",
        &[&name],
    )?;
    Ok(left == 0)
}
