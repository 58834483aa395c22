//! Indexes on demand: noticing which would help, and making them.
//!
//! Which path a question takes is left to the server, which knows better than we what is where. So of what
//! [`AccessPaths`] finds, only what the advisor hears counts, and of every index the server is told how its values are spread.
//! Several processes make indexes; each looks what there are before it makes another.

use super::PostgresStore;
use super::codec::get;
use super::database::Database;
use super::select::LIVE_COUNT;
use super::views::View;
use crate::store::indexes::{AccessPath, AccessPaths, Index, IndexAdvice, TABLE_SIZE_MIN};
use crate::store::{DocumentQuery, StoreError};

impl Database {
    /// Asks for the indexes that a page of documents would use. Returns whether documents are found by their authors.
    pub fn wish_for_page(&self, view: &View, query: &DocumentQuery) -> Result<bool, StoreError> {
        let Some(paths) = AccessPaths::of(view.schema(), query) else {
            return Ok(false);
        };
        let has = |index| {
            let found = self.advisor.has(view.schema_row(), &index);
            if !found {
                self.advise(view, index)?;
            }
            Ok(found)
        };
        let path = paths.choose(has, |_| Ok::<_, StoreError>(true))?;
        Ok(path == AccessPath::Owners)
    }

    /// Asks for the index by which documents would be counted.
    pub fn wish_for_count(&self, view: &View, query: &DocumentQuery) -> Result<(), StoreError> {
        let paths = AccessPaths::of(view.schema(), query);
        match paths.and_then(|paths| paths.narrow()) {
            Some(part) if !self.advisor.begins(view.schema_row(), part) => {
                self.advise(view, Index::on(part))
            }
            _ => Ok(()),
        }
    }

    fn advise(&self, view: &View, index: Index) -> Result<(), StoreError> {
        if view.create_index(&index).is_none() {
            return Ok(());
        }
        let live = self.number(LIVE_COUNT, &[&view.schema_row()])?;
        if live >= TABLE_SIZE_MIN.cast_signed() {
            self.advisor.advise(view.schema_row(), index);
        }
        Ok(())
    }

    /// Learns which indexes there are.
    pub fn find_indexes(&self) -> Result<(), StoreError> {
        let names: Vec<String> = self.all(
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'grove'",
            &[],
            |row| get(row, 0),
        )?;
        self.advisor.are(&names);
        Ok(())
    }
}

impl PostgresStore {
    /// Makes the index that was asked for next. Nothing can be published meanwhile.
    pub(super) fn make_index(&mut self) -> Result<bool, StoreError> {
        if !self.database.advisor.waits() {
            return Ok(false);
        }
        self.database.find_indexes()?;
        let Some(advice) = self.database.advisor.next() else {
            return Ok(false);
        };
        let made = self.change_indexes(&advice);
        // What took too long would take as long the next time. Taking it for made keeps it from being tried
        // again until somebody looks; the server finds its way without.
        self.database
            .advisor
            .done(&advice, !matches!(made, Ok(false)));
        made
    }

    /// All in one go, so that the server does all of it or nothing. No process publishes meanwhile: it would
    /// wait for this one in the midst of a transaction, and this one for it.
    fn change_indexes(&self, advice: &IndexAdvice) -> Result<bool, StoreError> {
        let Some(view) = self.database.view(advice.schema)? else {
            return Ok(false);
        };
        let Some((table, create)) = view.create_index(&advice.make) else {
            return Ok(false);
        };
        let mut sql = String::from("SELECT FROM state FOR UPDATE; ");
        if let Some(index) = &advice.drop {
            let name = index.full_name(advice.schema);
            sql.push_str(&format!("DROP INDEX IF EXISTS {name}; "));
        }
        sql.push_str(&format!("{create}; ANALYZE {table}"));
        self.database.batch(&sql)?;
        Ok(true)
    }
}
