//! Indexes on demand: noticing which would help, and making them.
//!
//! Their names tell what they are on, so that the database itself remembers which there are. A reader
//! whose snapshot is older than an index does without it.

use grove_core::types::Schema;
use rusqlite::params;

use super::SqliteStore;
use super::database::Database;
use super::select::{LIVE_COUNT, create_index};
use super::views::View;
use crate::store::indexes::{Index, Lead, Roads, TABLE_SIZE_MIN, Wish};
use crate::store::sql::Sql;
use crate::store::{DocumentQuery, Store, StoreError};

impl Database {
    /// What leads to the documents of a query. Asks for an index where one is missing.
    pub fn lead(&self, view: &View, query: &DocumentQuery) -> Result<Lead, StoreError> {
        let Some(roads) = Roads::of(view.schema(), query) else {
            return Ok(Lead::Order);
        };
        roads.choose(
            |index| {
                let found = self.wishes.has(view.schema_row(), &index);
                if !found {
                    self.wish(view, index)?;
                }
                Ok(found)
            },
            |part| view.are_few(self, query, part),
        )
    }

    /// What leads to the documents of a query where their order does not matter.
    pub fn counting_lead(&self, view: &View, query: &DocumentQuery) -> Result<Lead, StoreError> {
        let Some(roads) = Roads::of(view.schema(), query) else {
            return Ok(Lead::Order);
        };
        let Some(part) = roads.narrow() else {
            return Ok(Lead::Ids);
        };
        if !self.wishes.begins(view.schema_row(), part) {
            self.wish(view, Index::on(part))?;
        }
        Ok(Lead::Condition(part))
    }

    fn wish(&self, view: &View, index: Index) -> Result<(), StoreError> {
        if self.number(LIVE_COUNT, [view.schema_row()])? >= TABLE_SIZE_MIN {
            self.wishes.wish(view.schema_row(), index);
        }
        Ok(())
    }

    /// Learns which indexes there are.
    pub fn find_indexes(&self) -> Result<(), StoreError> {
        let names: Vec<String> = self.all(
            "SELECT name FROM sqlite_schema WHERE type = 'index'",
            [],
            |row| Ok(row.get(0)?),
        )?;
        self.wishes.are(&names);
        Ok(())
    }
}

impl SqliteStore {
    /// Makes the index that was asked for next. Nothing can be published meanwhile.
    pub(super) fn make_index(&mut self) -> Result<bool, StoreError> {
        let Some(wish) = self.database.wishes.next() else {
            return Ok(false);
        };
        self.begin()?;
        let made = self.change_indexes(&wish).and_then(|made| {
            self.commit()?;
            Ok(made)
        });
        self.database.wishes.done(&wish, matches!(made, Ok(true)));
        if made.is_err() {
            self.rollback()?;
        }
        made
    }

    fn change_indexes(&self, wish: &Wish) -> Result<bool, StoreError> {
        let schema: Option<Schema> = self.database.schema(wish.schema)?;
        let create = schema.and_then(|schema| create_index(&schema, wish.schema, &wish.make));
        let Some(create) = create else {
            return Ok(false);
        };
        if let Some(index) = &wish.drop {
            let name = index.full_name(wish.schema);
            let drop = format!("DROP INDEX IF EXISTS {name}");
            self.database.connection().execute(&drop, params![])?;
        }
        self.database.connection().execute(&create, params![])?;
        Ok(true)
    }
}
