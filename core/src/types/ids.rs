//! Ids of operations, documents and document views.
//!
//! An operation id is the hash of the entry that carries it; a document id is the id of its CREATE.
//! Whether such an operation exists is for the store to say.

use std::fmt;
use std::str::FromStr;

use super::{Hash, HashError};
use crate::limits::VIEW_IDS_MAX;
use crate::mutant::{altered, bound, fault};
use crate::reason::{Reason, Refusal};

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Hash);

        impl $name {
            /// The hash behind the id.
            pub const fn hash(self) -> Hash {
                self.0
            }
        }

        impl From<Hash> for $name {
            fn from(hash: Hash) -> Self {
                Self(hash)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = HashError;

            fn from_str(text: &str) -> Result<Self, HashError> {
                text.parse().map(Self)
            }
        }
    };
}

hash_id! {
    /// Id of an operation: the hash of the entry that carries it.
    OperationId
}

hash_id! {
    /// Id of a document: the operation id of its CREATE.
    DocumentId
}

impl From<OperationId> for DocumentId {
    fn from(create: OperationId) -> Self {
        Self(create.hash())
    }
}

impl From<DocumentId> for OperationId {
    fn from(document: DocumentId) -> Self {
        Self(document.hash())
    }
}

/// Id of a document view: the operation ids of the graph's tips, strictly ascending, at least one
/// (DV1, EN2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentViewId(Box<[OperationId]>);

impl DocumentViewId {
    /// Takes ids that already ascend strictly.
    pub fn from_sorted(ids: Vec<OperationId>) -> Result<Self, ViewIdError> {
        if fault!(ViewIdEmpty, ids.is_empty()) {
            return Err(ViewIdError::Empty);
        }
        if ids.len() > bound!(ViewIdsMax, VIEW_IDS_MAX) {
            return Err(ViewIdError::TooLong(ids.len()));
        }
        //= EN2: ids ascend and none is given twice
        for pair in ids.windows(2) {
            if fault!(ViewIdDuplicate, pair[0] == pair[1]) {
                return Err(ViewIdError::Duplicate(pair[0]));
            }
            if fault!(ViewIdUnsorted, pair[0] > pair[1]) {
                return Err(ViewIdError::Unsorted(pair[1]));
            }
        }
        Ok(Self(ids.into_boxed_slice()))
    }

    /// The view id of these tips in any order; `None` when there are none.
    pub fn from_tips(tips: impl IntoIterator<Item = OperationId>) -> Option<Self> {
        let mut ids: Vec<_> = tips.into_iter().collect();
        altered!(TipsSorted, ids.sort_unstable(), ids.reverse());
        altered!(TipsOnce, ids.dedup(), ());
        (!ids.is_empty()).then(|| Self(ids.into_boxed_slice()))
    }

    /// The operation ids, ascending.
    pub fn ids(&self) -> &[OperationId] {
        &self.0
    }

    /// YASMF hash of the concatenated ids.
    pub fn hash(&self) -> Hash {
        let bytes: Vec<u8> = self.0.iter().flat_map(|id| id.hash().to_bytes()).collect();
        altered!(
            ViewHash,
            Hash::of(&bytes),
            Hash::of(self.to_string().as_bytes())
        )
    }
}

impl From<OperationId> for DocumentViewId {
    fn from(id: OperationId) -> Self {
        Self(Box::new([id]))
    }
}

impl From<DocumentId> for DocumentViewId {
    fn from(id: DocumentId) -> Self {
        Self::from(OperationId::from(id))
    }
}

impl fmt::Display for DocumentViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, id) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("_")?;
            }
            id.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DocumentViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentViewId({self})")
    }
}

impl FromStr for DocumentViewId {
    type Err = ViewIdError;

    fn from_str(text: &str) -> Result<Self, ViewIdError> {
        if fault!(ViewIdEmpty, text.is_empty()) {
            return Err(ViewIdError::Empty);
        }
        Self::from_sorted(text.split('_').map(str::parse).collect::<Result<_, _>>()?)
    }
}

/// Why ids or text are no document view id. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewIdError {
    /// One of the ids is malformed.
    #[error(transparent)]
    Id(#[from] HashError),
    /// No id at all.
    #[error("a view id names at least one operation")]
    Empty,
    /// An id is smaller than the one before it.
    #[error("view id is not sorted: {0} stands too late")]
    Unsorted(OperationId),
    /// An id stands twice.
    #[error("view id names {0} twice")]
    Duplicate(OperationId),
    /// More ids than any real document has.
    #[error("view id names {0} operations")]
    TooLong(usize),
}

impl Refusal for ViewIdError {
    fn reason(&self) -> Reason {
        match self {
            Self::Id(error) => error.reason(),
            Self::Empty => Reason::ViewIdEmpty,
            Self::Unsorted(_) => Reason::ViewIdUnsorted,
            Self::Duplicate(_) => Reason::ViewIdDuplicate,
            Self::TooLong(_) => Reason::ViewIdTooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn view_hash_matches_the_worked_example() {
        let text = "0020b177ec1bf26dfb3b7010d473e6d44713b29b765b99c6e60ecbfae742de496543\
                    _0020c65567ae37efea293e34a9c7d13f8f2bf23dbdc3b5c7b9ab46293111c48fc78b";

        let view: DocumentViewId = text.parse().unwrap();

        assert_eq!(view.to_string(), text);
        assert_eq!(
            view.hash().to_string(),
            "0020c4d3e49746ca3fc692c47abbdfe9a114239d747f00e9c5745884cc671f512eca"
        );
    }

    #[test]
    fn view_ids_must_ascend_strictly() {
        let [a, b] = [Hash::from_digest([1; 32]), Hash::from_digest([2; 32])];
        let reason = |text: String| text.parse::<DocumentViewId>().unwrap_err().reason();

        assert!(format!("{a}_{b}").parse::<DocumentViewId>().is_ok());
        assert_eq!(reason(format!("{b}_{a}")), Reason::ViewIdUnsorted);
        assert_eq!(reason(format!("{a}_{a}")), Reason::ViewIdDuplicate);
        assert_eq!(reason(format!("{a}_")), Reason::HashLength);
        assert_eq!(reason(String::new()), Reason::ViewIdEmpty);
    }
}
