//! Whose entries, how many of them, and which schemas an operator lets into the node.
//!
//! Applies to what arrives from now on, from clients and peers alike; what is stored already stays until
//! it is purged.

use std::collections::BTreeSet;
use std::fmt;

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, LogId, PublicKey, SchemaId};
use grove_core::wire::Entry;
use grove_core::{Reason, Refusal};

use crate::store::{Read, StoreError};

/// What an operator lets in; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// When there is a list, only entries of these keys are taken.
    pub allowed_authors: Option<BTreeSet<PublicKey>>,
    /// Entries of these keys are not taken, even of keys that are allowed.
    pub denied_authors: BTreeSet<PublicKey>,
    /// When there is a list, only operations of these schemas are taken. An empty one takes nothing;
    /// any other lets in the definitions of schemas too, without which none of them could be known.
    pub allowed_schemas: Option<BTreeSet<SchemaId>>,
}

impl Policy {
    /// Whether entries of this key are taken (R25).
    pub fn admit_author(&self, author: PublicKey) -> Result<(), PolicyError> {
        let allowed = self.allowed_authors.as_ref();
        let welcome = allowed.is_none_or(|allowed| allowed.contains(&author));
        if welcome && !self.denied_authors.contains(&author) {
            Ok(())
        } else {
            Err(PolicyError::Author(author))
        }
    }

    /// Whether operations of this schema are taken.
    pub fn admit_schema(&self, id: &SchemaId) -> Result<(), PolicyError> {
        if self.wants(id) {
            Ok(())
        } else {
            Err(PolicyError::Schema(id.clone()))
        }
    }

    /// Whether anything of this schema is of interest to the node.
    pub fn wants(&self, id: &SchemaId) -> bool {
        let definitions = [
            SchemaId::SCHEMA_DEFINITION,
            SchemaId::SCHEMA_FIELD_DEFINITION,
        ];
        self.allowed_schemas.as_ref().is_none_or(|allowed| {
            allowed.contains(id) || (!allowed.is_empty() && definitions.contains(id))
        })
    }
}

/// How much one author may have on a node; what comes beyond is refused, from clients and peers alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorLimits {
    /// Most entries of one author; any number when `None`.
    pub entries: Option<u64>,
    /// Most logs of one author; any number when `None`.
    pub logs: Option<u64>,
    /// Most branches of one log, of all its trees together.
    pub branches: u32,
}

impl Default for AuthorLimits {
    fn default() -> Self {
        Self {
            entries: None,
            logs: None,
            branches: 1_000,
        }
    }
}

/// How many schemas are known at once; for what is beyond, there is no room. Each sixteen fields of a schema
/// count as one, and so do definitions that wait for their fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaLimits {
    /// Most schemas of one author.
    pub per_author: u64,
    /// Most schemas of all authors together.
    pub total: u64,
}

impl Default for SchemaLimits {
    fn default() -> Self {
        Self {
            per_author: 1_000,
            total: 10_000,
        }
    }
}

/// Of what an author has too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Entries, in all logs.
    Entries,
    /// Logs.
    Logs,
    /// Branches, in one log.
    Branches,
    /// Schemas.
    Schemas,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::Logs => "logs",
            Self::Branches => "branches of one log",
            Self::Schemas => "schemas",
        })
    }
}

impl AuthorLimits {
    /// What an author would have too much of with one entry more in this place. An honest entry is only
    /// counted where the operator set a limit that takes counting.
    pub(super) fn exceeded(
        &self,
        store: &dyn Read,
        entry: &Entry,
        placement: Placement,
    ) -> Result<Option<Excess>, StoreError> {
        let (author, log_id) = (entry.public_key, entry.log_id);
        if placement.is_fork() {
            let branches = store.branches(author, log_id, self.branches)?;
            if branches >= self.branches.into() {
                return Ok(Some(Excess::Branches));
            }
        }
        let logs_max = self.logs.filter(|_| placement == Placement::Begins);
        let Some(counted_to) = self.entries.max(logs_max) else {
            return Ok(None);
        };
        let usage = store.usage(author, counted_to)?;
        Ok(if self.entries.is_some_and(|max| usage.entries >= max) {
            Some(Excess::Entries)
        } else if logs_max.is_some_and(|max| usage.logs >= max) {
            Some(Excess::Logs)
        } else {
            None
        })
    }
}

/// Why the operator of a node does not take an entry. (Caller, Peer)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The key is not on the list, or on the other list.
    #[error("this node does not take entries of {0}")]
    Author(PublicKey),
    /// The schema is not on the list.
    #[error("this node does not take documents of schema {0}")]
    Schema(SchemaId),
    /// The author has as much as one may have.
    #[error("{0} has as many {1} as this node takes of one author")]
    AuthorLimit(PublicKey, Excess),
    /// There are as many schemas as there may be.
    #[error("this node knows as many schemas as its operator wants")]
    SchemasFull,
    /// To judge it would take more work than one entry may make.
    #[error("what {0} has gone through is more than this node looks at for one entry")]
    TooMuchWork(DocumentId),
    /// The log was purged.
    #[error("the operator of this node had log {1} of {0} purged")]
    LogPurged(PublicKey, LogId),
    /// The document was purged.
    #[error("the operator of this node had document {0} purged")]
    DocumentPurged(DocumentId),
}

impl PolicyError {
    /// The author has as many schemas as one may have.
    pub(super) fn too_many_schemas(author: PublicKey) -> Self {
        Self::AuthorLimit(author, Excess::Schemas)
    }
}

impl Refusal for PolicyError {
    fn reason(&self) -> Reason {
        match self {
            Self::Author(_) => Reason::AuthorNotAllowed,
            Self::Schema(_) | Self::SchemasFull => Reason::SchemaNotAllowed,
            Self::AuthorLimit(..) => Reason::AuthorLimit,
            Self::TooMuchWork(_) => Reason::BudgetExceeded,
            Self::LogPurged(..) => Reason::LogPurged,
            Self::DocumentPurged(_) => Reason::DocumentPurged,
        }
    }
}
