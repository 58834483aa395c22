//! Whose entries and which schemas an operator lets into the node.
//!
//! Applies to what arrives from now on, from clients and peers alike; what is stored already stays until
//! it is purged.

use std::collections::BTreeSet;

use grove_core::types::{DocumentId, LogId, PublicKey, SchemaId};
use grove_core::{Reason, Refusal};

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
    /// The log was purged.
    #[error("the operator of this node had log {1} of {0} purged")]
    LogPurged(PublicKey, LogId),
    /// The document was purged.
    #[error("the operator of this node had document {0} purged")]
    DocumentPurged(DocumentId),
}

impl Refusal for PolicyError {
    fn reason(&self) -> Reason {
        match self {
            Self::Author(_) => Reason::AuthorNotAllowed,
            Self::Schema(_) => Reason::SchemaNotAllowed,
            Self::LogPurged(..) => Reason::LogPurged,
            Self::DocumentPurged(_) => Reason::DocumentPurged,
        }
    }
}
