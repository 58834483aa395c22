//! What those who follow documents are told of a change, and from where they can go on later.
//!
//! Somebody follows one document, or those of a schema that meet conditions. Told is what a document is
//! now, never what it was in between. Waiting for changes and sending what is told are the caller's.
//!
//! Who follows a collection is told of a document that changed
//! - when it meets the conditions now, whether or not it did before;
//! - when it is deleted or gone, unless it is not one of the ids or owners asked for;
//! - on demand also when it does not meet them now, which is how one learns that it does no more.

use grove_core::Reason;
use grove_core::types::{DocumentId, Hash, SchemaId};

use super::ApiError;
use crate::store::{Change, DocumentQuery, DocumentRow, Read};

/// What somebody follows.
#[derive(Debug, Clone)]
pub enum Subject {
    /// One document.
    Document {
        /// Its schema; under another one it is not there.
        schema_id: SchemaId,
        /// The document.
        id: DocumentId,
    },
    /// The documents of a schema.
    Collection {
        /// The schema.
        schema_id: SchemaId,
        /// Conditions; order and page do not matter.
        query: DocumentQuery,
        /// Whether to tell also of changed documents that do not meet the conditions.
        misses: bool,
    },
}

/// A document after something happened to it.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentEvent {
    /// From where to go on later.
    pub cursor: FollowCursor,
    /// The document.
    pub id: DocumentId,
    /// Whether it is not there any more: deleted, or gone because what it consisted of does not count.
    pub deleted: bool,
    /// Whether it meets what is asked for.
    pub matches: bool,
    /// The document, without fields when it is deleted; `None` when it is not there or does not match.
    pub row: Option<DocumentRow>,
}

impl Subject {
    /// Whether a change may be one to tell of.
    pub fn concerns(&self, change: &Change) -> bool {
        match self {
            Self::Document { id, .. } => change.document == *id,
            Self::Collection { schema_id, .. } => change.schema_id == *schema_id,
        }
    }

    /// What is told of a document, by what it is now; `None` when nothing is.
    pub fn tell(
        &self,
        position: i64,
        id: DocumentId,
        row: Option<DocumentRow>,
    ) -> Option<DocumentEvent> {
        let (Self::Document { schema_id, .. } | Self::Collection { schema_id, .. }) = self;
        let row = row.filter(|row| row.schema_id == *schema_id);
        let deleted = row.as_ref().is_none_or(DocumentRow::is_deleted);
        let (cursor, matches) = match self {
            Self::Document { .. } => (FollowCursor::of_view(position, row.as_ref()), !deleted),
            Self::Collection { query, misses, .. } => {
                let matches = row.as_ref().is_some_and(|row| query.admits(row));
                let owner = row.as_ref().map(|row| row.owner);
                let told = matches || ((deleted || *misses) && query.may_ever_admit(id, owner));
                if !told {
                    return None;
                }
                (FollowCursor::at(position), matches)
            }
        };
        Some(DocumentEvent {
            cursor,
            id,
            deleted,
            matches,
            row: row.filter(|_| matches || deleted),
        })
    }
}

/// From where to go on following: a place in the order of changes of one node, and for a single document
/// what it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowCursor {
    position: i64,
    view: Option<[u8; VIEW_SIZE]>,
}

/// How much of a view's hash tells it from the others of its document.
const VIEW_SIZE: usize = 8;

impl FollowCursor {
    /// A place in the order of changes.
    pub const fn at(position: i64) -> Self {
        Self {
            position,
            view: None,
        }
    }

    fn of_view(position: i64, row: Option<&DocumentRow>) -> Self {
        let shown = row.map(|row| format!("{} {}", row.view_id, row.is_deleted()));
        let hash = Hash::of(shown.unwrap_or_default().as_bytes());
        let (view, _) = hash
            .digest()
            .split_first_chunk()
            .expect("a digest is longer");
        Self {
            position,
            view: Some(*view),
        }
    }

    /// Reads the text form. The place must be one that this store has reached.
    pub fn parse(store: &dyn Read, text: &str) -> Result<Self, ApiError> {
        let cursor = read(text).ok_or_else(invalid)?;
        // What comes from another node, or from a database that was replaced, would wait in vain.
        if cursor.position > store.position()? {
            return Err(invalid());
        }
        Ok(cursor)
    }

    /// The place in the order of changes.
    pub const fn position(self) -> i64 {
        self.position
    }

    /// Whether both stand for one state of a document.
    pub fn shows_the_same(self, other: Self) -> bool {
        self.view.is_some() && self.view == other.view
    }
}

impl std::fmt::Display for FollowCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.position)?;
        match self.view {
            Some(view) => write!(f, "-{}", hex::encode(view)),
            None => Ok(()),
        }
    }
}

fn read(text: &str) -> Option<FollowCursor> {
    let (position, view) = match text.split_once('-') {
        Some((position, view)) => (position, Some(view)),
        None => (text, None),
    };
    let is_number = !position.is_empty() && position.bytes().all(|byte| byte.is_ascii_digit());
    let position = is_number.then(|| position.parse().ok())??;
    let view = match view {
        Some(view) => Some(hex::decode(view).ok()?.try_into().ok()?),
        None => None,
    };
    Some(FollowCursor { position, view })
}

fn invalid() -> ApiError {
    ApiError::invalid(
        "after",
        Reason::CursorInvalid,
        "the cursor is none of this node's subscriptions; begin anew without it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_have_one_spelling() {
        for text in ["0", "12", "12-00112233445566ff"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "-",
            "-1",
            "+1",
            "1-",
            "1-00",
            "x",
            "99999999999999999999",
            "1-001122334455667788",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
