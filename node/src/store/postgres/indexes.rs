//! Indexes on demand: noticing which would help, and making them.
//!
//! Which road a question takes is left to the server, which knows better than we what is where. So of what
//! [`Roads`] finds, only the wishes count, and of every index the server is told how its values are spread.
//! Several processes make indexes; each looks what there are before it makes another.

use super::PostgresStore;
use super::codec::get;
use super::database::Database;
use super::select::LIVE_COUNT;
use super::views::View;
use crate::store::indexes::{Index, Lead, Roads, TABLE_SIZE_MIN, Wish};
use crate::store::{DocumentQuery, StoreError};

impl Database {
    /// Asks for the indexes that a page of documents would use. Returns whether authors lead to documents.
    pub fn wish_for_page(&self, view: &View, query: &DocumentQuery) -> Result<bool, StoreError> {
        let Some(roads) = Roads::of(view.schema(), query) else {
            return Ok(false);
        };
        let has = |index| {
            let found = self.wishes.has(view.schema_row(), &index);
            if !found {
                self.wish(view, index)?;
            }
            Ok(found)
        };
        let lead = roads.choose(has, |_| Ok::<_, StoreError>(true))?;
        Ok(lead == Lead::Owners)
    }

    /// Asks for the index by which documents would be counted.
    pub fn wish_for_count(&self, view: &View, query: &DocumentQuery) -> Result<(), StoreError> {
        let roads = Roads::of(view.schema(), query);
        match roads.and_then(|roads| roads.narrow()) {
            Some(part) if !self.wishes.begins(view.schema_row(), part) => {
                self.wish(view, Index::on(part))
            }
            _ => Ok(()),
        }
    }

    fn wish(&self, view: &View, index: Index) -> Result<(), StoreError> {
        if view.create_index(&index).is_none() {
            return Ok(());
        }
        let live = self.number(LIVE_COUNT, &[&view.schema_row()])?;
        if live >= TABLE_SIZE_MIN.cast_signed() {
            self.wishes.wish(view.schema_row(), index);
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
        self.wishes.are(&names);
        Ok(())
    }
}

impl PostgresStore {
    /// Makes the index that was asked for next. Nothing can be published meanwhile.
    pub(super) fn make_index(&mut self) -> Result<bool, StoreError> {
        if !self.database.wishes.waits() {
            return Ok(false);
        }
        self.database.find_indexes()?;
        let Some(wish) = self.database.wishes.next() else {
            return Ok(false);
        };
        let made = self.change_indexes(&wish);
        // What took too long would take as long the next time. Taking it for made keeps it from being tried
        // again until somebody looks; the server finds its way without.
        self.database.wishes.done(&wish, !matches!(made, Ok(false)));
        made
    }

    /// All in one go, so that the server does all of it or nothing. No process publishes meanwhile: it would
    /// wait for this one in the midst of a transaction, and this one for it.
    fn change_indexes(&self, wish: &Wish) -> Result<bool, StoreError> {
        let Some(view) = self.database.view(wish.schema)? else {
            return Ok(false);
        };
        let Some((table, create)) = view.create_index(&wish.make) else {
            return Ok(false);
        };
        let mut sql = String::from("SELECT FROM state FOR UPDATE; ");
        if let Some(index) = &wish.drop {
            let name = index.full_name(wish.schema);
            sql.push_str(&format!("DROP INDEX IF EXISTS {name}; "));
        }
        sql.push_str(&format!("{create}; ANALYZE {table}"));
        self.database.batch(&sql)?;
        Ok(true)
    }
}
