//! Which documents of a schema are asked for, and in which order.
//!
//! Says what a store has to find, and of a document at hand whether and where it belongs; how a database
//! finds documents is its own matter. The meaning does not depend on the database: texts are
//! compared byte by byte, ordered without regard to the case of ASCII letters, and NaN meets no
//! comparison and comes after every number (R20).

use std::cmp::Ordering;

use grove_core::types::{DocumentId, DocumentViewId, OperationId, PublicKey, Value};

use super::DocumentRow;

/// How much of a text or of bytes decides about the order; what agrees in that is ordered by document
/// id. It bounds the size of a [`PagePosition`], which travels in cursors.
pub const SORT_KEY_SIZE_MAX: usize = 128;

/// A question for documents of one schema.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentQuery {
    /// Live documents or deleted ones.
    pub standing: Standing,
    /// All of these must be met. A deleted document has no fields and meets no condition on one.
    pub conditions: Vec<Condition>,
    /// The order.
    pub order: Order,
    /// Only documents that come after this place in the order.
    pub after: Option<PagePosition>,
    /// Only documents that come before this place in the order.
    pub before: Option<PagePosition>,
    /// At most this many.
    pub limit: u32,
    /// When there are more, the last ones of them, not the first. They come in the order all the same.
    pub from_end: bool,
    /// Whether bytes kept outside of the database are not looked at, as in
    /// [`document_outline`](super::Read::document_outline).
    pub outline: bool,
}

impl Default for DocumentQuery {
    /// All live documents, ascending by id.
    fn default() -> Self {
        Self {
            standing: Standing::Live,
            conditions: Vec::new(),
            order: Order::default(),
            after: None,
            before: None,
            limit: u32::MAX,
            from_end: false,
            outline: false,
        }
    }
}

impl DocumentQuery {
    /// Whether a document is one of those asked for, wherever its place.
    pub fn admits(&self, row: &DocumentRow) -> bool {
        row.is_deleted() == (self.standing == Standing::Deleted)
            && self.conditions.iter().all(|condition| condition.holds(row))
    }

    /// Whether a document could be one of those asked for in another state of it: its id and its owner
    /// never change. An unknown owner could be anybody.
    pub fn may_ever_admit(&self, id: DocumentId, owner: Option<PublicKey>) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Document(wanted, ids) => ids.contains(&id) == *wanted,
            Condition::Owner(wanted, keys) => {
                owner.is_none_or(|owner| keys.contains(&owner) == *wanted)
            }
            Condition::Field(..) | Condition::View(..) | Condition::Edited(_) => true,
        })
    }
}

/// Whether a document is there or was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Standing {
    Live,
    Deleted,
}

/// Something that is true of a document or is not.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// What holds of the value of a field.
    Field(String, Test),
    /// The document is one of these, or (`false`) none of them.
    Document(bool, Vec<DocumentId>),
    /// The current view is one of these, or none of them.
    View(bool, Vec<DocumentViewId>),
    /// The author of the CREATE is one of these, or none of them.
    Owner(bool, Vec<PublicKey>),
    /// The document was changed since its CREATE, or was not.
    Edited(bool),
}

impl Condition {
    fn holds(&self, row: &DocumentRow) -> bool {
        match self {
            Self::Field(name, test) => {
                let field = row.fields.as_ref().and_then(|fields| fields.get(name));
                field.is_some_and(|(value, _)| test.holds(value))
            }
            Self::Document(wanted, ids) => ids.contains(&row.id) == *wanted,
            Self::View(wanted, view_ids) => view_ids.contains(&row.view_id) == *wanted,
            Self::Owner(wanted, keys) => keys.contains(&row.owner) == *wanted,
            Self::Edited(wanted) => row.edited == *wanted,
        }
    }
}

/// Something that is true of a value or is not. Operands are of the field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value is one of these, or (`false`) none of them.
    Among(bool, Vec<Value>),
    /// The value compares so with another; for numbers and texts.
    Compared(Comparison, Value),
    /// The text contains this one, or (`false`) does not, whatever the case of ASCII letters.
    Contains(bool, String),
    /// Some item of the relation list is one of these, or (`false`) none is.
    Lists(bool, Vec<DocumentId>),
    /// Some item of the pinned relation list is one of these, or (`false`) none is.
    ListsViews(bool, Vec<DocumentViewId>),
}

impl Test {
    //= QU5: values are compared as their type says
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            //= R20: NaN equals nothing, itself included
            (Self::Among(wanted, values), _) => values.contains(value) == *wanted,
            (Self::Compared(comparison, other), _) => {
                compare(value, other).is_some_and(|ordering| comparison.holds(ordering))
            }
            (Self::Contains(wanted, part), Value::Str(text)) => {
                let part = part.to_ascii_lowercase();
                text.to_ascii_lowercase().contains(&part) == *wanted
            }
            (Self::Lists(wanted, ids), Value::RelationList(listed)) => {
                listed.iter().any(|id| ids.contains(id)) == *wanted
            }
            (Self::ListsViews(wanted, view_ids), Value::PinnedRelationList(listed)) => {
                listed.iter().any(|id| view_ids.contains(id)) == *wanted
            }
            _ => false,
        }
    }
}

/// How two numbers or two texts compare; `None` for all else, and for NaN.
fn compare(value: &Value, other: &Value) -> Option<Ordering> {
    match (value, other) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// How one value compares with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Below => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Above => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// An order of documents. Those with equal keys follow each other by their ids, in the same direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// What decides.
    pub by: OrderBy,
    /// From the greatest to the least.
    pub descending: bool,
}

impl Order {
    /// The place just behind a document.
    pub fn place(&self, row: &DocumentRow) -> PagePosition {
        let key = match &self.by {
            OrderBy::DocumentId => None,
            OrderBy::ViewId => Some(SortKey::of_view_id(&row.view_id)),
            OrderBy::Owner => Some(SortKey::Bytes(row.owner.as_bytes().to_vec())),
            OrderBy::Edited => Some(SortKey::Int(row.edited.into())),
            OrderBy::Field(name) => {
                let field = row.fields.as_ref().and_then(|fields| fields.get(name));
                field.map(|(value, _)| SortKey::of_value(value))
            }
        };
        PagePosition { key, id: row.id }
    }

    //= QU4: each document has one place, so that pages neither skip nor repeat any
    /// Which of two places comes first.
    pub fn compare(&self, a: &PagePosition, b: &PagePosition) -> Ordering {
        let keys = match (&a.key, &b.key) {
            (Some(a), Some(b)) => a.compare(b),
            _ => Ordering::Equal,
        };
        let ordering = keys.then_with(|| a.id.cmp(&b.id));
        if self.descending {
            ordering.reverse()
        } else {
            ordering
        }
    }
}

/// What decides about an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OrderBy {
    /// The document's id.
    #[default]
    DocumentId,
    /// The id of the current view.
    ViewId,
    /// The key of the CREATE's author.
    Owner,
    /// Whether the document was changed since its CREATE; those that were not come first.
    Edited,
    /// The value of a field.
    Field(String),
}

/// A place in an order, just behind a document that is or was there.
#[derive(Debug, Clone, PartialEq)]
pub struct PagePosition {
    /// The document's key; `None` when it is ordered by its id alone.
    pub key: Option<SortKey>,
    /// The document.
    pub id: DocumentId,
}

impl PagePosition {
    /// The place behind a document where ids alone decide.
    pub const fn behind(id: DocumentId) -> Self {
        Self { key: None, id }
    }
}

/// What of a document decides about its place in an order.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum SortKey {
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
}

impl SortKey {
    /// The key of a field's value.
    pub fn of_value(value: &Value) -> Self {
        match value {
            Value::Bool(bool) => Self::Int((*bool).into()),
            Value::Int(int) => Self::Int(*int),
            Value::Float(float) => Self::Float(*float),
            Value::Str(text) => Self::head(text.to_ascii_lowercase().into_bytes()),
            Value::Bytes(bytes) => Self::head(bytes.clone()),
            Value::Relation(id) => Self::of_ids([OperationId::from(*id)]),
            Value::RelationList(ids) => Self::of_ids(ids.iter().copied().map(Into::into)),
            Value::PinnedRelation(view_id) => Self::of_view_id(view_id),
            Value::PinnedRelationList(view_ids) => view_ids
                .first()
                .map_or(Self::Bytes(Vec::new()), Self::of_view_id),
        }
    }

    /// The key of a view id.
    pub fn of_view_id(view_id: &DocumentViewId) -> Self {
        Self::of_ids(view_id.ids().iter().copied())
    }

    /// Which of two keys of one order comes first.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            //= R20: NaN comes after every number
            (Self::Float(a), Self::Float(b)) => a
                .partial_cmp(b)
                .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }

    fn of_ids(ids: impl IntoIterator<Item = OperationId>) -> Self {
        let ids = ids.into_iter().take(SORT_KEY_SIZE_MAX);
        Self::head(ids.flat_map(|id| *id.hash().digest()).collect())
    }

    fn head(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(SORT_KEY_SIZE_MAX);
        Self::Bytes(bytes)
    }
}
