//! What is told of a request that failed, or of a part of it.

use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::parser::{LineColumn, SourceMap, SourceSpan};
use apollo_compiler::validation::DiagnosticList;
use grove_core::{Reason, Refusal};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::ApiError;
use crate::http::details;

/// Errors told of one request. A broken query can have as many as it has words.
const ERRORS_MAX: usize = 5;

/// Characters of a message. The library quotes values, which can be megabytes large.
const MESSAGE_LEN_MAX: usize = 300;

/// An error as GraphQL tells it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct QueryError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<LineColumn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<Segment>,
    extensions: Value,
    #[serde(skip)]
    reason: Reason,
}

/// A step from the answer down to the value that failed.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Segment {
    Member(String),
    Item(usize),
}

impl QueryError {
    /// An error with a reason of its own.
    pub(super) fn new(reason: Reason, text: impl ToString) -> Self {
        Self {
            message: text.to_string(),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: json!({ "code": reason.code(), "phase": reason.phase().name() }),
            reason,
        }
    }

    /// Why, to be told apart by programs.
    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    /// The same error at a place of a query.
    pub(super) fn at(mut self, span: Option<SourceSpan>, sources: &SourceMap) -> Self {
        let place = span.and_then(|span| span.line_column(sources));
        self.locations = place.into_iter().collect();
        self
    }

    /// The same error of a value of the answer.
    pub(super) fn in_answer(mut self, path: Vec<Segment>) -> Self {
        self.path = path;
        self
    }
}

impl From<&ApiError> for QueryError {
    fn from(error: &ApiError) -> Self {
        Self {
            extensions: details(error),
            ..Self::new(error.reason(), error)
        }
    }
}

/// The errors of what keeps a request from being begun.
pub(super) fn unable(error: ApiError) -> Vec<QueryError> {
    vec![QueryError::from(&error)]
}

/// The errors of a request for one reason.
pub(super) fn refused(reason: Reason, text: impl ToString) -> Vec<QueryError> {
    vec![QueryError::new(reason, text)]
}

/// What the library found wrong with the form of a query.
pub(super) fn found(diagnostics: &DiagnosticList) -> Vec<QueryError> {
    let told = diagnostics.iter().take(ERRORS_MAX);
    told.map(|diagnostic| {
        let reason = match diagnostic.error.unstable_error_name() {
            Some("RecursionError" | "RecursionLimitError") => Reason::RequestTooLarge,
            _ => Reason::RequestMalformed,
        };
        let text = diagnostic.error.to_string();
        let error = QueryError::new(reason, shortened(text));
        error.at(diagnostic.error.location(), diagnostic.sources)
    })
    .collect()
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_LEN_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}
