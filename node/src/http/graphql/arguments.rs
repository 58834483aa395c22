//! Reads the arguments of fields.
//!
//! Here and not in the scalars of the schema, since only here a wrong one gets its own code. Null is as
//! good as absent throughout.

use async_graphql::Value;
use async_graphql::dynamic::ObjectAccessor;
use grove_core::Reason;
use grove_core::types::DocumentViewId;

use crate::api::{ApiError, parse};

/// Documents on a page when the query does not say.
pub(super) const FIRST_DEFAULT: u64 = 25;

/// A cursor of no collection.
pub(super) fn foreign_cursor() -> ApiError {
    ApiError::invalid(
        "after",
        Reason::CursorInvalid,
        Reason::CursorInvalid.description(),
    )
}

/// A text argument; null is as good as absent. Of a list, which clients give for view ids, the
/// parts are joined as in the text form.
pub(super) fn text(
    args: &ObjectAccessor<'_>,
    name: &'static str,
) -> Result<Option<String>, ApiError> {
    let Some(value) = args.get(name) else {
        return Ok(None);
    };
    let text = match value.as_value() {
        Value::Null => return Ok(None),
        Value::String(text) => Some(text.clone()),
        Value::List(parts) if name == "viewId" => {
            let part = |part: &Value| match part {
                Value::String(text) => Some(text.clone()),
                _ => None,
            };
            parts
                .iter()
                .map(part)
                .collect::<Option<Vec<_>>>()
                .map(|parts| parts.join("_"))
        }
        _ => None,
    };
    text.map(Some)
        .ok_or_else(|| ApiError::invalid(name, Reason::ArgumentInvalid, "expected a string"))
}

/// A text argument that must be there.
pub(super) fn required(args: &ObjectAccessor<'_>, name: &'static str) -> Result<String, ApiError> {
    text(args, name)?.ok_or_else(|| ApiError::invalid(name, Reason::ArgumentMissing, "is required"))
}

/// `viewId`
pub(super) fn view_id_argument(
    args: &ObjectAccessor<'_>,
) -> Result<Option<DocumentViewId>, ApiError> {
    text(args, "viewId")?
        .map(|text| parse("viewId", &text))
        .transpose()
}

/// `first`
pub(super) fn first(args: &ObjectAccessor<'_>) -> Result<u64, ApiError> {
    match args.get("first").map(|value| value.as_value().clone()) {
        None | Some(Value::Null) => Ok(FIRST_DEFAULT),
        Some(Value::Number(number)) if number.as_u64().is_some_and(|first| first > 0) => {
            Ok(number.as_u64().unwrap_or(FIRST_DEFAULT))
        }
        Some(_) => Err(ApiError::invalid(
            "first",
            Reason::ArgumentInvalid,
            "expected a number above 0",
        )),
    }
}
