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
use crate::store::indexes::{AccessPath, AccessPaths, Index, IndexAdvice, TABLE_SIZE_MIN};
use crate::store::sql::Sql;
use crate::store::{DocumentQuery, Store, StoreError};

impl Database {
    /// What leads to the documents of a query. Asks for an index where one is missing.
    pub fn access_path(
        &self,
        view: &View,
        query: &DocumentQuery,
    ) -> Result<AccessPath, StoreError> {
        let Some(paths) = AccessPaths::of(view.schema(), query) else {
            return Ok(AccessPath::Order);
        };
        paths.choose(
            |index| {
                let found = self.advisor.has(view.schema_row(), &index);
                if !found {
                    self.advise(view, index)?;
                }
                Ok(found)
            },
            |part| view.are_few(self, query, part),
        )
    }

    /// What leads to the documents of a query where their order does not matter.
    pub fn counting_path(
        &self,
        view: &View,
        query: &DocumentQuery,
    ) -> Result<AccessPath, StoreError> {
        let Some(paths) = AccessPaths::of(view.schema(), query) else {
            return Ok(AccessPath::Order);
        };
        let Some(part) = paths.narrow() else {
            return Ok(AccessPath::Ids);
        };
        if !self.advisor.begins(view.schema_row(), part) {
            self.advise(view, Index::on(part))?;
        }
        Ok(AccessPath::Condition(part))
    }

    fn advise(&self, view: &View, index: Index) -> Result<(), StoreError> {
        if self.number(LIVE_COUNT, [view.schema_row()])? >= TABLE_SIZE_MIN {
            self.advisor.advise(view.schema_row(), index);
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
        self.advisor.are(&names);
        Ok(())
    }
}

impl SqliteStore {
    /// Makes the index that was asked for next. Nothing can be published meanwhile.
    pub(super) fn make_index(&mut self) -> Result<bool, StoreError> {
        let Some(advice) = self.database.advisor.next() else {
            return Ok(false);
        };
        self.begin()?;
        let made = self.change_indexes(&advice).and_then(|made| {
            self.commit()?;
            Ok(made)
        });
        self.database
            .advisor
            .done(&advice, matches!(made, Ok(true)));
        if made.is_err() {
            self.rollback()?;
        }
        made
    }

    fn change_indexes(&self, advice: &IndexAdvice) -> Result<bool, StoreError> {
        let schema: Option<Schema> = self.database.schema(advice.schema)?;
        let create = schema.and_then(|schema| create_index(&schema, advice.schema, &advice.make));
        let Some(create) = create else {
            return Ok(false);
        };
        if let Some(index) = &advice.drop {
            let name = index.full_name(advice.schema);
            let drop = format!("DROP INDEX IF EXISTS {name}");
            self.database.connection().execute(&drop, params![])?;
        }
        self.database.connection().execute(&create, params![])?;
        Ok(true)
    }
}
