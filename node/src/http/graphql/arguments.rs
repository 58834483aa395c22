//! Reads the arguments of fields.
//!
//! Here and not in the scalars of the schema, since only here a wrong one gets its own code. Null is as
//! good as absent throughout.

use std::time::Duration;

use grove_core::Reason;
use grove_core::types::DocumentViewId;
use serde_json::{Map, Value};

use crate::api::{ApiError, Extent, parse};

/// Documents on a page when the query does not say.
pub(super) const FIRST_DEFAULT: u64 = 25;

/// The arguments of a field that were given.
#[derive(Debug)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn new(given: Map<String, Value>) -> Self {
        Self(given)
    }

    /// An argument that is not null, which is as good as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

/// A cursor of no collection.
pub(super) fn foreign_cursor(name: &'static str) -> ApiError {
    let text = Reason::CursorInvalid.description();
    ApiError::invalid(name, Reason::CursorInvalid, text)
}

/// A text argument. Of a list, which clients give for view ids, the parts are joined as in the text
/// form.
pub(super) fn text(args: &Arguments, name: &'static str) -> Result<Option<String>, ApiError> {
    let Some(value) = args.get(name) else {
        return Ok(None);
    };
    let text = match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) if name == "viewId" => {
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
pub(super) fn required(args: &Arguments, name: &'static str) -> Result<String, ApiError> {
    text(args, name)?.ok_or_else(|| ApiError::invalid(name, Reason::ArgumentMissing, "is required"))
}

/// Yes or no; no when nothing is said.
pub(super) fn flag(args: &Arguments, name: &'static str) -> Result<bool, ApiError> {
    match args.get(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => {
            let text = "expected a boolean";
            Err(ApiError::invalid(name, Reason::ArgumentInvalid, text))
        }
    }
}

/// A time in milliseconds, if one is given.
pub(super) fn millis(args: &Arguments, name: &'static str) -> Result<Option<Duration>, ApiError> {
    match args.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) if number.as_u64().is_some() => {
            Ok(number.as_u64().map(Duration::from_millis))
        }
        Some(_) => {
            let text = "expected a number of milliseconds";
            Err(ApiError::invalid(name, Reason::ArgumentInvalid, text))
        }
    }
}

/// `viewId`
pub(super) fn view_id_argument(args: &Arguments) -> Result<Option<DocumentViewId>, ApiError> {
    text(args, "viewId")?
        .map(|text| parse("viewId", &text))
        .transpose()
}

/// `first` and `last`
pub(super) fn extent(args: &Arguments) -> Result<Extent, ApiError> {
    let number = |name: &'static str| match args.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) if number.as_u64().is_some() => Ok(number.as_u64()),
        Some(_) => {
            let text = "expected a number above 0";
            Err(ApiError::invalid(name, Reason::ArgumentInvalid, text))
        }
    };
    Extent::read(number("first")?, number("last")?, FIRST_DEFAULT)
}
