//! The arguments of collections.
//!
//! What they mean is read by [`api::read_query`]; here they are only handed on.

use grove_core::types::Schema;

use super::arguments::{Arguments, extent, text};
use crate::api::{self, ApiError, Asked, Extent};
use crate::store::DocumentQuery;

/// Reads the arguments of a collection that say which documents and in which order. Says too whether an
/// order was asked for.
pub(super) fn read(schema: &Schema, args: &Arguments) -> Result<(DocumentQuery, bool), ApiError> {
    let given = |name: &str| args.get(name).cloned();
    let asked = Asked {
        filter: given("filter").unwrap_or_default(),
        meta: given("meta").unwrap_or_default(),
        order_by: given("orderBy").unwrap_or_default(),
        order_direction: given("orderDirection").unwrap_or_default(),
    };
    api::read_query(schema, &asked)
}

/// Reads those that say which page.
pub(super) fn read_page(
    schema: &Schema,
    query: &mut DocumentQuery,
    args: &Arguments,
) -> Result<Extent, ApiError> {
    let place = |name| {
        let cursor = text(args, name)?;
        let read = |cursor: String| api::from_cursor(name, schema, &query.order, &cursor);
        cursor.map(read).transpose()
    };
    (query.after, query.before) = (place("after")?, place("before")?);
    extent(args)
}
