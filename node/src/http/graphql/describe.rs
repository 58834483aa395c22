//! What the library tells of the schema.

use apollo_compiler::collections::HashMap;
use apollo_compiler::executable::Operation;
use apollo_compiler::introspection::{check_max_depth, partial_execute};
use apollo_compiler::response::JsonMap;
use apollo_compiler::response::serde_json_bytes::ByteString;
use apollo_compiler::validation::Valid;
use grove_core::Reason;
use serde_json::{Map, Value};

use super::document::Document;
use super::error::{QueryError, refused};

/// Whether lists of a description are not nested in each other so deeply that they multiply.
pub(super) fn is_bounded(
    document: &Document,
    operation: &Operation,
) -> Result<(), Vec<QueryError>> {
    check_max_depth(&document.executable, operation).map_err(|error| {
        let text = "the schema's description is asked for in lists within lists within lists";
        let error_at = error.location();
        let error = QueryError::new(Reason::RequestTooLarge, text);
        vec![error.at(error_at, &document.executable.sources)]
    })
}

/// The answers to those fields of an operation that ask for a description.
pub(super) fn describe(
    document: &Document,
    operation: &Operation,
    variables: &Map<String, Value>,
) -> Result<JsonMap, Vec<QueryError>> {
    let variables = variables.iter();
    let variables =
        variables.map(|(name, value)| (ByteString::from(name.as_str()), value.clone().into()));
    let variables = Valid::assume_valid(variables.collect::<JsonMap>());
    // No type here is an interface or a union.
    let implementers = HashMap::default();
    let told = partial_execute(
        &document.types,
        &implementers,
        &document.executable,
        operation,
        &variables,
    );
    match told {
        Ok(told) if told.errors.is_empty() => Ok(told.data.unwrap_or_default()),
        Ok(told) => Err(refused(Reason::RequestMalformed, &told.errors[0].message)),
        Err(error) => Err(refused(Reason::RequestMalformed, error.message())),
    }
}
