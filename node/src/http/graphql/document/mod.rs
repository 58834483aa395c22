//! From the text of a request to a document that may be planned: parsed, bounded, made whole with its type
//! system, and found to be valid.
//!
//! The parser and the validator are the library's. Ours are the bounds (`survey`), which hold before
//! anything is done that takes longer for larger documents, and the leniencies that published clients lean
//! on (`lenient`). What variables and arguments hold is read in `values`, once the document is known.

pub(super) mod inline;
pub(super) mod kept;
mod lenient;
mod survey;
pub(super) mod values;

use std::sync::Arc;

use apollo_compiler::ast::Document as Syntax;
use apollo_compiler::executable::Operation;
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema as Types};
use grove_core::Reason;
use grove_core::types::{Schema, SchemaId};
use serde_json::Value;

use super::error::{QueryError, found, refused, unable};
use super::schema::known::{Known, NotFound, Source};
use super::schema::{Schemas, assemble};
use crate::http::Limits;
use crate::http::streams::message_size_max;
use survey::Survey;

/// Nesting of selections and values in the text of a document.
const NESTING_MAX: usize = 100;

/// Words and signs of a document, spaces among them: so many are parsed in ten milliseconds. As many fields or
/// values as a document may have fit in, unless most of them are given other names.
const TOKENS_MAX: usize = 30_000;

/// A document that may be planned.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) executable: Valid<ExecutableDocument>,
    pub(super) types: Arc<Valid<Types>>,
    pub(super) schemas: Schemas,
    /// How many fields it has, those of fragments counted wherever they are used.
    pub(super) fields: usize,
    /// Whether it wants types described, whose names may come with its variables.
    pub(super) is_described: bool,
    /// About how much memory their description takes in bytes.
    pub(super) described_size: usize,
    /// Size of its text in bytes.
    pub(super) size: usize,
}

/// Why there is no document.
pub(super) enum Unprepared {
    /// It names schemas that only the store knows.
    AskStore,
    Refused(Vec<QueryError>),
}

impl From<Vec<QueryError>> for Unprepared {
    fn from(errors: Vec<QueryError>) -> Self {
        Self::Refused(errors)
    }
}

impl From<NotFound> for Unprepared {
    fn from(error: NotFound) -> Self {
        match error {
            NotFound::AskStore => Self::AskStore,
            NotFound::Failed(error) => Self::Refused(unable(error)),
        }
    }
}

/// What documents are made with.
pub(super) struct Workshop<'a> {
    pub(super) limits: &'a Limits,
    pub(super) known: &'a Known,
    /// The version of the node's schemas.
    pub(super) version: u64,
    pub(super) source: Source<'a>,
}

impl Workshop<'_> {
    /// Makes the document of a text. The variables tell which types are to be described.
    pub(super) fn prepare(
        &self,
        text: &str,
        variables: &serde_json::Map<String, Value>,
    ) -> Result<Document, Unprepared> {
        let syntax = parse(text, self.limits)?;
        let mut survey = Survey::new(self, variables, &syntax);
        survey.walk()?;
        let (mut schemas, fields, is_described) =
            (survey.schemas, survey.fields, survey.is_described);
        if survey.wants_everything {
            schemas = self.everything()?;
        } else if is_described {
            self.complete(&mut schemas)?;
        }
        let described_size = match is_described {
            true => described_size(schemas.values().flatten()),
            false => 0,
        };
        let types = assemble(&schemas);
        let executable = syntax.to_executable(&types);
        let executable = executable.map_err(|refused| found(&refused.errors))?;
        Ok(Document {
            executable: lenient::validate(executable, &types)?,
            types,
            schemas,
            fields,
            is_described,
            described_size,
            size: text.len(),
        })
    }

    fn lookup(&self, schemas: &mut Schemas, id: &SchemaId) -> Result<(), NotFound> {
        if !schemas.contains_key(id) {
            let schema = self.known.get(id, self.version, self.source)?;
            schemas.insert(id.clone(), schema);
        }
        Ok(())
    }

    /// Looks for all that the schemas point at, whose names a description shows.
    fn complete(&self, schemas: &mut Schemas) -> Result<(), NotFound> {
        let described: Vec<_> = schemas.values().flatten().cloned().collect();
        for schema in described {
            for target in schema.fields().values().filter_map(survey::target) {
                self.lookup(schemas, target.0)?;
            }
        }
        Ok(())
    }

    /// All schemas, unless their description is sure to be too large for an answer.
    fn everything(&self) -> Result<Schemas, Unprepared> {
        let Source::Store(store) = self.source else {
            return Err(Unprepared::AskStore);
        };
        let all = Known::all(store).map_err(unable)?;
        if described_size(all.iter()) > self.limits.answer_size_max {
            let text = format!(
                "the description of {} schemas is too large for one answer: ask for the types of one, \
                 __type(name: \"<schema id>\"), and which there are by the subscription `schemas`",
                all.len()
            );
            return Err(refused(Reason::RequestTooLarge, text).into());
        }
        let mut schemas: Schemas = all
            .into_iter()
            .map(|schema| (schema.id().clone(), Some(schema)))
            .collect();
        let known: Vec<_> = schemas.values().flatten().cloned().collect();
        for schema in known {
            for (target, _) in schema.fields().values().filter_map(survey::target) {
                schemas.entry(target.clone()).or_insert(None);
            }
        }
        Ok(schemas)
    }
}

/// About how much memory a full description of schemas takes, with the types it is made from: for schemas
/// of one field 90 KB were measured, ten times the text of the answer.
fn described_size<'s>(schemas: impl Iterator<Item = &'s Arc<Schema>>) -> usize {
    const SCHEMA_SIZE: usize = 80 << 10;
    const FIELD_SIZE: usize = 12 << 10;
    schemas
        .map(|schema| SCHEMA_SIZE + FIELD_SIZE * schema.fields().len() + schema.description().len())
        .sum()
}

impl Document {
    /// The operation to be executed.
    pub(super) fn operation(
        &self,
        name: Option<&str>,
    ) -> Result<&Node<Operation>, Vec<QueryError>> {
        let name = name.filter(|name| !name.is_empty());
        self.executable.operations.get(name).map_err(|error| {
            let text = match name {
                Some(_) => "there is no operation of this name".to_owned(),
                None if self.executable.operations.is_empty() => "there is no operation".to_owned(),
                None => "the query has several operations, operationName must say which to execute"
                    .to_owned(),
            };
            let error = QueryError::new(Reason::RequestMalformed, text)
                .at(error.location(), &self.executable.sources);
            vec![error]
        })
    }
}

/// Parses a text of bounded size.
fn parse(text: &str, limits: &Limits) -> Result<Syntax, Vec<QueryError>> {
    if text.len() > message_size_max(limits) {
        return Err(refused(
            Reason::RequestTooLarge,
            "the text of the query is too large",
        ));
    }
    let text = lenient::without_empty_parentheses(text);
    let mut parser = Parser::new()
        .recursion_limit(NESTING_MAX)
        .token_limit(TOKENS_MAX);
    parser.parse_ast(&*text, "query").map_err(|refusal| {
        if parser.tokens_reached() >= TOKENS_MAX {
            return refused(Reason::RequestTooLarge, "the query has too many words");
        }
        if parser.recursion_reached() >= NESTING_MAX {
            return refused(Reason::RequestTooLarge, "the query is nested too deeply");
        }
        found(&refusal.errors)
    })
}

/// Documents are shared by requests, subscriptions and the memory of documents.
pub(super) type Shared = Arc<Document>;
