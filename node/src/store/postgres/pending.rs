//! Changes on their way to the server: entries and documents that are stored many at once.
//!
//! A server takes as long for one row as for many, so what an engine stores for one entry after the other is kept
//! here until somebody asks the database anything, or the transaction ends. Only what is certain to succeed is
//! kept, which is known from what was read ahead; all else is sent at once, behind what is kept. How it is sent
//! stands in `send`.

use std::collections::BTreeMap;

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash};

use super::codec::Column;
use crate::store::codec::{from_action, from_log_id, from_seq_num, from_view_id};
use crate::store::{DocumentRow, NewEntry};

/// How many bytes of entries and operations are kept at most.
const SIZE_MAX: usize = 8 << 20;

/// A tree by what it is: its author, its log and the tip it has by now.
pub(super) type TreeKey = (i64, i64, Hash);

/// What becomes of a tree.
#[derive(Debug)]
pub struct Tree {
    pub from: From,
    pub tip: i64,
    pub ended: bool,
    /// Which of the entries are its.
    pub entries: Vec<usize>,
}

#[derive(Debug)]
pub enum From {
    /// It begins, with a document of a schema.
    Nothing(DocumentId, i64),
    /// It had this tip.
    Tip(Hash),
}

#[derive(Debug)]
pub struct Entry {
    pub position: i64,
    pub seq_num: i64,
    pub hash: Hash,
    pub action: Option<i64>,
    pub entry: Vec<u8>,
    pub payload: Option<Vec<u8>>,
}

/// A document as its columns, but for its view.
#[derive(Debug)]
pub struct DocumentColumns {
    pub id: Vec<u8>,
    pub schema: i64,
    pub owner: i64,
    pub view_id: Vec<u8>,
    pub edited: bool,
}

/// A live document with its view.
#[derive(Debug)]
pub struct Document {
    pub columns: DocumentColumns,
    pub setters: Vec<u8>,
    pub values: Vec<Column>,
}

impl DocumentColumns {
    pub fn of(document: &DocumentRow, schema: i64, owner: i64) -> Self {
        Self {
            id: document.id.hash().digest().to_vec(),
            schema,
            owner,
            view_id: from_view_id(&document.view_id),
            edited: document.edited,
        }
    }
}

/// What is kept.
#[derive(Debug, Default)]
pub struct Pending {
    pub trees: BTreeMap<TreeKey, Tree>,
    pub entries: Vec<Entry>,
    pub documents: BTreeMap<DocumentId, Document>,
    size: usize,
}

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.documents.is_empty()
    }

    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        self.size >= SIZE_MAX
    }

    /// Keeps the first entry of a log, or one behind the tip of a tree with one branch.
    pub fn add_entry(&mut self, entry: &NewEntry<'_>, position: i64, author: i64, schema: i64) {
        let log_id = from_log_id(entry.log_id);
        let seq_num = from_seq_num(entry.seq_num);
        let mut tree = match entry.placement {
            Placement::Extends(backlink) => {
                let grown = self.trees.remove(&(author, log_id, backlink));
                grown.unwrap_or(Tree {
                    from: From::Tip(backlink),
                    tip: seq_num,
                    ended: false,
                    entries: Vec::new(),
                })
            }
            Placement::Begins => Tree {
                from: From::Nothing(entry.document, schema),
                tip: seq_num,
                ended: false,
                entries: Vec::new(),
            },
            Placement::BeginsTree | Placement::Branches(_) => {
                unreachable!("what begins a branch is stored at once")
            }
        };
        assert!(!tree.ended, "an entry behind the end of its branch");
        assert!(
            tree.entries.is_empty() || tree.tip + 1 == seq_num,
            "a branch with a gap"
        );
        assert!(
            self.entries
                .last()
                .is_none_or(|last| last.position < position),
            "positions grow"
        );
        tree.tip = seq_num;
        tree.ended = entry.end_of_log;
        tree.entries.push(self.entries.len());
        self.trees.insert((author, log_id, entry.hash), tree);
        self.size += entry.entry.len() + entry.payload.map_or(0, <[u8]>::len);
        self.entries.push(Entry {
            position,
            seq_num,
            hash: entry.hash,
            action: entry.action.map(from_action),
            entry: entry.entry.to_vec(),
            payload: entry.payload.map(<[u8]>::to_vec),
        });
    }

    /// Keeps the state of a live document, in place of an earlier one.
    pub fn add_document(&mut self, id: DocumentId, document: Document) {
        debug_assert_eq!(document.columns.id, id.hash().digest(), "another document");
        self.documents.insert(id, document);
    }
}
