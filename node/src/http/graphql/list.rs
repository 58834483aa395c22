//! A page of a relation list: in the list's own order unless another is asked for, with repetitions.
//!
//! All that a list points at has been read before, since only that tells how many there are.

use std::sync::Arc;

use grove_core::types::{Hash, Schema};

use super::arguments::{Arguments, extent, foreign_cursor, text};
use super::filter;
use super::page::{Page, Shown};
use super::plan::Wants;
use crate::api::{ApiError, Extent};
use crate::store::{DocumentQuery, DocumentRow};

/// What is asked of a list.
pub(super) struct List {
    tag: String,
    query: DocumentQuery,
    /// Whether another order than the list's own is asked for.
    ordered: bool,
    /// The place in the list behind which the page lies.
    after: Option<usize>,
    /// The place in the list before which the page lies.
    before: Option<usize>,
    extent: Extent,
}

/// A document with its place in the list.
type Placed = (usize, Arc<DocumentRow>);

impl List {
    /// Reads the arguments of the list in a field of a document.
    pub(super) fn read(
        parent: &DocumentRow,
        name: &str,
        schema: &Schema,
        arguments: &Arguments,
    ) -> Result<Self, ApiError> {
        let tag = tag(parent, name);
        let (query, ordered) = filter::read(schema, arguments)?;
        let place = |name| match text(arguments, name)? {
            Some(cursor) => place(name, &cursor, &tag),
            None => Ok(None),
        };
        Ok(Self {
            after: place("after")?,
            before: place("before")?,
            extent: extent(arguments)?,
            tag,
            query,
            ordered,
        })
    }

    /// The page, of the documents found in the order of the list.
    pub(super) fn page(&self, mut found: Vec<Placed>, wants: Wants) -> Result<Page, ApiError> {
        if self.ordered {
            let order = &self.query.order;
            let mut placed: Vec<_> = found
                .into_iter()
                .map(|(index, row)| (order.place(&row), index, row))
                .collect();
            placed.sort_by(|a, b| order.compare(&a.0, &b.0).then(a.1.cmp(&b.1)));
            found = placed
                .into_iter()
                .map(|(_, index, row)| (index, row))
                .collect();
        }
        let start = match self.after {
            Some(after) => self.behind(&found, after, "after")?,
            None => 0,
        };
        let end = match self.before {
            Some(before) => self.before(&found, before)?.max(start),
            None => found.len(),
        };
        let admitted = |rows: &[Placed]| {
            let admitted = rows.iter().filter(|(_, row)| self.query.admits(row));
            admitted.cloned().collect::<Vec<_>>()
        };
        let earlier = admitted(&found[..start]).len();
        let later = admitted(&found[end..]).len();
        let mut within = admitted(&found[start..end]);
        let total_count = (earlier + within.len() + later) as u64;
        let count = usize::try_from(self.extent.count()).unwrap_or(usize::MAX);
        let is_more = within.len() > count;
        let (has_previous_page, has_next_page) = match self.extent {
            Extent::First(_) => {
                within.truncate(count);
                (earlier > 0, is_more)
            }
            Extent::Last(_) => {
                within.drain(..within.len().saturating_sub(count));
                (is_more, later > 0)
            }
        };
        let shown = |(index, row): Placed| {
            let cursor = wants.cursors.then(|| format!("{index}-{}", self.tag));
            Shown::new(row, cursor)
        };
        Ok(Page {
            total_count,
            has_next_page,
            has_previous_page,
            documents: within.into_iter().map(shown).collect(),
        })
    }

    /// How many of the documents found come up to a place in the list, itself included.
    fn behind(
        &self,
        found: &[Placed],
        place: usize,
        name: &'static str,
    ) -> Result<usize, ApiError> {
        if !self.ordered {
            let up_to = found.iter().take_while(|(index, _)| *index <= place);
            return Ok(up_to.count());
        }
        // In an order of values, what is gone has no place any more.
        let at = found.iter().position(|(index, _)| *index == place);
        Ok(at.ok_or_else(|| foreign_cursor(name))? + 1)
    }

    /// How many of the documents found come before a place in the list.
    fn before(&self, found: &[Placed], place: usize) -> Result<usize, ApiError> {
        if self.ordered {
            return Ok(self.behind(found, place, "before")? - 1);
        }
        let up_to = found.iter().take_while(|(index, _)| *index < place);
        Ok(up_to.count())
    }
}

/// Tells lists apart in cursors: one `after` is often given to the lists of many documents at once.
fn tag(parent: &DocumentRow, name: &str) -> String {
    let hash = Hash::of(format!("{} {name}", parent.view_id).as_bytes());
    hex::encode(&hash.digest()[..8])
}

/// The place in a list that a cursor names; none when the cursor comes from another collection.
fn place(name: &'static str, cursor: &str, tag: &str) -> Result<Option<usize>, ApiError> {
    match cursor.split_once('-') {
        Some((index, of)) => {
            let index: u32 = index.parse().map_err(|_| foreign_cursor(name))?;
            Ok((of == tag).then_some(index as usize))
        }
        None => hex::decode(cursor)
            .map(|_| None)
            .map_err(|_| foreign_cursor(name)),
    }
}
