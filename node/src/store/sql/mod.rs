//! What all databases that speak SQL do with the same statements.
//!
//! Statements are written once, in words that every such database understands, with `?1` for the first value and
//! `IN rarray(?1)` for one of a list; a database puts its own words in place of these two. What a database does
//! in a way of its own, for speed or because it must, is its [`Dialect`]: pages of documents, bulk reads, and how
//! an entry is stored.

pub(super) mod ahead;
mod names;
pub(super) mod read;
pub(super) mod rows;
mod trees;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use grove_core::types::{DocumentId, Hash, PublicKey, Schema, SchemaId};
use grove_core::wire::Heights;

use super::codec::DIGEST_SIZE;
use super::definition::to_definition;
use super::meter::Meter;
use super::objects::Objects;
use super::outside::Extent;
use super::{Counts, DocumentQuery, DocumentRow, EntryRow, SchemaRow, StoreError, Take};

use ahead::Ahead;
pub(super) use names::Names;
pub(super) use trees::{begin_branch, extend_branch};
pub(super) use write::{
    collect, doubt, drop_payloads, insert_broken_definition, insert_change, insert_fork,
    insert_time, leave_stub, purge_log, reassign_tree, restore_payload, unmaterialised,
};

/// A value to be bound.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    Int(i64),
    MaybeInt(Option<i64>),
    Flag(bool),
    Bytes(&'a [u8]),
    MaybeBytes(Option<&'a [u8]>),
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Hashes(&'a [Hash]),
    Texts(&'a [String]),
}

impl<'a> Param<'a> {
    /// A hash as the column of its digest.
    pub fn hash(hash: &'a Hash) -> Self {
        Self::Bytes(hash.digest())
    }
}

/// One row of an answer.
pub trait Columns {
    fn int(&self, index: usize) -> Result<i64, StoreError>;
    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError>;
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    fn bytes(&self, index: usize) -> Result<&[u8], StoreError>;
    fn maybe_bytes(&self, index: usize) -> Result<Option<&[u8]>, StoreError>;
    fn text(&self, index: usize) -> Result<&str, StoreError>;
    fn maybe_text(&self, index: usize) -> Result<Option<&str>, StoreError>;
}

/// The hash whose digest is in a column.
pub(super) fn hash(row: &dyn Columns, index: usize) -> Result<Hash, StoreError> {
    let digest: [u8; DIGEST_SIZE] = row
        .bytes(index)?
        .try_into()
        .map_err(|_| StoreError::Corrupt("digest"))?;
    Ok(Hash::from_digest(digest))
}

/// Takes rows one by one; says whether it wants more.
pub(super) type TakeRow<'t> = &'t mut dyn FnMut(&dyn Columns) -> Result<bool, StoreError>;

/// A connection to a database.
pub trait Sql {
    /// Hands over the rows of the answer in their order, for as long as `take` says so.
    fn ask(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        take: TakeRow<'_>,
    ) -> Result<(), StoreError>;

    /// Changes something; returns how many rows.
    fn change(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, StoreError>;

    /// Notes that a statement which answers changes something, too.
    fn note_change(&self) {}

    /// What it remembers of values that are stored once.
    fn names(&self) -> &Names;

    /// Where large bytes are kept.
    fn objects(&self) -> Option<&Arc<Objects>>;

    /// Where it counts its work.
    fn meter(&self) -> &Meter;

    /// What was read ahead, of a database that does so.
    fn ahead(&self) -> Option<&Ahead> {
        None
    }

    /// All rows of the answer.
    fn ask_all<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&dyn Columns) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.ask(sql, params, &mut |row| {
            rows.push(read(row)?);
            Ok(true)
        })?;
        Ok(rows)
    }

    /// The first row of the answer, if there is one.
    fn ask_one<T>(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut read: impl FnMut(&dyn Columns) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.ask(sql, params, &mut |row| {
            found = Some(read(row)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// The one number that the statement answers.
    fn ask_number(&self, sql: &'static str, params: &[Param<'_>]) -> Result<i64, StoreError> {
        let number = self.ask_one(sql, params, |row| row.int(0))?;
        number.ok_or(StoreError::Corrupt("count"))
    }

    /// How many the statement counts.
    fn ask_count(&self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let count = self.ask_number(sql, params)?;
        u64::try_from(count).map_err(|_| StoreError::Corrupt("count"))
    }

    /// Changes something; returns the number that the first row answers, if there is one.
    fn change_returning(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<i64>, StoreError> {
        self.note_change();
        self.ask_one(sql, params, |row| row.int(0))
    }

    /// The number of an author, if the database has any.
    fn author(&self, key: PublicKey) -> Result<Option<i64>, StoreError> {
        self.names().author(self, key)
    }

    /// The number of an author, given out now if need be.
    fn author_or_insert(&self, key: PublicKey) -> Result<i64, StoreError> {
        self.names().author_or_insert(self, key)
    }

    /// The key of an author.
    fn public_key(&self, row: i64) -> Result<PublicKey, StoreError> {
        self.names().public_key(self, row)
    }

    /// The number of a schema, if the database has ever heard of it.
    fn schema_row(&self, id: &SchemaId) -> Result<Option<i64>, StoreError> {
        self.names().schema_row(self, id)
    }

    /// The number of a schema, given out now if need be.
    fn schema_row_or_insert(&self, id: &SchemaId) -> Result<i64, StoreError> {
        self.names().schema_row_or_insert(self, id)
    }

    /// The id of a schema.
    fn schema_id(&self, row: i64) -> Result<SchemaId, StoreError> {
        self.names().schema_id(self, row)
    }

    /// The schema of this number, once it is known.
    fn schema(&self, row: i64) -> Result<Option<Schema>, StoreError> {
        let id = self.schema_id(row)?;
        if let SchemaId::System(system) = id {
            return Ok(Some(Schema::system(system)));
        }
        let kept = self.kept_schema(row)?.filter(|row| !row.withheld);
        Ok(kept.map(|row| row.schema))
    }

    /// The schema of definitions of this number as it is kept.
    fn kept_schema(&self, row: i64) -> Result<Option<SchemaRow>, StoreError> {
        let id = self.schema_id(row)?;
        self.ask_one(
            "SELECT definition FROM schemas WHERE id = ?1 AND definition IS NOT NULL",
            &[Param::Int(row)],
            |row| to_definition(id.clone(), row.bytes(0)?),
        )
    }

    /// Changes one row, no less and no more.
    fn change_one(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        what: &'static str,
    ) -> Result<(), StoreError> {
        match self.change(sql, params)? {
            1 => Ok(()),
            _ => Err(StoreError::Misfit(what)),
        }
    }
}

/// A store over a database, with what that database answers in a way of its own. Each is what the question of
/// that name in [`Read`](super::Read) is.
pub trait Dialect {
    type Database: Sql;

    fn database(&self) -> &Self::Database;

    /// Runs several questions against one state of the database.
    fn snapshot(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    fn documents(
        &self,
        ids: &[DocumentId],
    ) -> Result<BTreeMap<DocumentId, DocumentRow>, StoreError>;

    fn document_to(
        &self,
        id: DocumentId,
        extent: Extent,
    ) -> Result<Option<DocumentRow>, StoreError>;

    fn entries_from(
        &self,
        starts: &Heights,
        after_position: i64,
        limit: u32,
    ) -> Result<Vec<EntryRow>, StoreError>;

    fn visit(
        &self,
        schema_id: &SchemaId,
        query: &DocumentQuery,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    fn visit_these(
        &self,
        schema_id: &SchemaId,
        ids: &[DocumentId],
        outline: bool,
        take: Take<'_>,
    ) -> Result<(), StoreError>;

    fn visit_entries(
        &self,
        documents: &[DocumentId],
        take: &mut dyn FnMut(EntryRow) -> bool,
    ) -> Result<(), StoreError>;

    fn count(&self, schema_id: &SchemaId, query: &DocumentQuery) -> Result<u64, StoreError>;

    fn audit_log(&self, limit: u32) -> Result<Vec<(i64, String)>, StoreError>;

    fn damaged_pages(&self, _from: u64) -> Result<(Option<u64>, Vec<u64>), StoreError> {
        Ok((None, Vec::new()))
    }

    fn counts(&self) -> Result<Counts, StoreError>;
}
