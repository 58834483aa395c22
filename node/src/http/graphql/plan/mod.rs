//! What a document asks for with its variables: which documents, and which of their members.
//!
//! A plan has fragments expanded, selections merged, directives obeyed and arguments coerced. It holds
//! nothing of the text it was made of but where its fields stand, to say where errors are.

mod planner;

use std::sync::Arc;

use apollo_compiler::Name;
use apollo_compiler::parser::{SourceMap, SourceSpan};
use grove_core::types::{Schema, SchemaId};

use super::arguments::Arguments;
pub(super) use planner::plan;

/// An operation.
#[derive(Debug)]
pub(super) struct Plan {
    /// The name of the type of the operation.
    pub(super) type_name: Name,
    pub(super) roots: Vec<Root>,
    /// The text, to find lines in.
    pub(super) sources: SourceMap,
    /// How many fields it has, those of fragments counted wherever they are used.
    pub(super) fields: usize,
}

/// Where something stands in a query and in the answer to it.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The name in the answer.
    pub(super) key: Name,
    pub(super) span: Option<SourceSpan>,
}

/// A field of the operation itself.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) spot: Spot,
    /// Whether it may be null.
    pub(super) is_nullable: bool,
    pub(super) ask: Ask,
}

#[derive(Debug)]
pub(super) enum Ask {
    TypeName,
    /// A part of the schema's description, which the library tells.
    Description,
    EventCursor,
    Publish {
        arguments: Arguments,
        members: Vec<(Spot, ArgsMember)>,
    },
    Event {
        /// The schema of the documents that are followed; `None` when schemas are.
        schema: Option<Arc<Schema>>,
        arguments: Arguments,
        subject: Followed,
        event: EventPlan,
        branches: Vec<Branch>,
    },
    NextArgs {
        arguments: Arguments,
        members: Vec<(Spot, ArgsMember)>,
    },
    Document {
        schema: Arc<Schema>,
        arguments: Arguments,
        document: DocumentPlan,
        branches: Vec<Branch>,
    },
    Collection {
        schema: Arc<Schema>,
        arguments: Arguments,
        page: PagePlan,
    },
}

/// What a subscription follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    Document,
    Collection,
    Schemas,
}

/// What is shown of an event.
#[derive(Debug)]
pub(super) struct EventPlan {
    pub(super) type_name: Name,
    pub(super) members: Vec<(Spot, EventMember)>,
}

#[derive(Debug)]
pub(super) enum EventMember {
    TypeName,
    Cursor,
    DocumentId,
    Deleted,
    Matches,
    Document(DocumentPlan),
    SchemaId,
    SchemaName,
    SchemaDescription,
    SchemaFields(Vec<(Spot, SchemaMember)>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum SchemaMember {
    TypeName,
    Name,
    Type,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ArgsMember {
    TypeName,
    LogId,
    SeqNum,
    Backlink,
    Skiplink,
}

/// What is shown of a document.
#[derive(Debug)]
pub(super) struct DocumentPlan {
    pub(super) type_name: Name,
    pub(super) members: Vec<(Spot, DocumentMember)>,
}

#[derive(Debug)]
pub(super) enum DocumentMember {
    TypeName,
    Cursor,
    Meta(Vec<(Spot, MetaMember)>),
    Fields {
        type_name: Name,
        members: Vec<(Spot, FieldMember)>,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum MetaMember {
    TypeName,
    DocumentId,
    ViewId,
    Owner,
}

#[derive(Debug)]
pub(super) enum FieldMember {
    TypeName,
    /// A value of its own, by the field's name.
    Value(String),
    /// A relation, by its number among the branches of the documents it is a field of.
    Branch(usize),
    /// A relation to a schema nobody knows.
    Null,
}

impl DocumentPlan {
    /// Whether it shows values that documents have of their own.
    fn shows_values(&self) -> bool {
        let is_value = |(_, member): &(Spot, FieldMember)| matches!(member, FieldMember::Value(_));
        self.members.iter().any(|(_, member)| match member {
            DocumentMember::Fields { members, .. } => members.iter().any(is_value),
            _ => false,
        })
    }
}

impl PagePlan {
    /// Whether the bytes of pieces of blobs are wanted, to be shown or to be judged by. They are kept
    /// outside of the database, so that it is worth a thought.
    pub(super) fn wants_bytes(&self, schema: &Schema, arguments: &Arguments) -> bool {
        let shown = self.members.iter().any(|(_, member)| match member {
            PageMember::Documents(document) => document.shows_values(),
            _ => false,
        });
        *schema.id() != SchemaId::BLOB_PIECE
            || shown
            || arguments.get("filter").is_some()
            || arguments.get("orderBy").is_some()
    }
}

impl Branch {
    /// The relations to be followed further.
    pub(super) fn branches(&self) -> &[Branch] {
        match &self.leads {
            Leads::One { branches, .. } => branches,
            Leads::Many { page, .. } => &page.branches,
        }
    }

    /// As [`PagePlan::wants_bytes`].
    pub(super) fn wants_bytes(&self) -> bool {
        match &self.leads {
            Leads::One { document, .. } => {
                *self.schema.id() != SchemaId::BLOB_PIECE || document.shows_values()
            }
            Leads::Many { arguments, page } => page.wants_bytes(&self.schema, arguments),
        }
    }
}

/// A relation to be followed from documents.
#[derive(Debug)]
pub(super) struct Branch {
    /// The name of the field.
    pub(super) name: String,
    /// The schema of the documents it leads to.
    pub(super) schema: Arc<Schema>,
    pub(super) leads: Leads,
}

#[derive(Debug)]
pub(super) enum Leads {
    One {
        document: DocumentPlan,
        branches: Vec<Branch>,
    },
    Many {
        arguments: Arguments,
        page: PagePlan,
    },
}

/// What is shown of a page.
#[derive(Debug)]
pub(super) struct PagePlan {
    pub(super) type_name: Name,
    pub(super) members: Vec<(Spot, PageMember)>,
    /// The relations to be followed from its documents, however they are shown.
    pub(super) branches: Vec<Branch>,
    /// What has to be found out about it.
    pub(super) wants: Wants,
}

#[derive(Debug)]
pub(super) enum PageMember {
    TypeName,
    TotalCount,
    StartCursor,
    EndCursor,
    HasNextPage,
    HasPreviousPage,
    Documents(DocumentPlan),
}

/// What a page is asked for that costs something.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wants {
    pub(super) total_count: bool,
    pub(super) next_page: bool,
    pub(super) previous_page: bool,
    pub(super) cursors: bool,
}
