//! What becomes of a request: one answer, or a stream of them.

use std::sync::Arc;

use apollo_compiler::Node;
use apollo_compiler::ast::OperationType;
use apollo_compiler::executable::Operation;
use apollo_compiler::response::JsonMap;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use grove_core::Reason;
use serde_json::{Map, Value};

use super::arguments::{Arguments, flag, millis, required};
use super::budget::{Budget, Paid};
use super::describe::{describe, is_bounded};
use super::document::inline::Outline;
use super::document::{Document, Shared, Unprepared, Workshop, values};
use super::error::{QueryError, refused, unable};
use super::follow::Subscription;
use super::load::{self, Loaded};
use super::plan::{Ask, Plan, plan};
use super::schema::known::Source;
use super::show;
use super::{Posted, Service};
use crate::api::ApiError;
use crate::http::bytes_argument;
use crate::runtime::Node as Server;
use crate::runtime::events::publish_until_visible;

/// Most bytes of a request that subscribes, and most fields of it: it is kept as long as it is followed.
const SUBSCRIPTION_SIZE_MAX: usize = 64 << 10;
const SUBSCRIPTION_FIELDS_MAX: usize = 1000;

/// A request that was understood.
pub(super) enum Running {
    /// Its answer.
    Once(Paid),
    /// Answers as they come, or what keeps it from going on. Ends otherwise only when the node stops.
    Events(BoxStream<'static, Result<Paid, Vec<QueryError>>>),
}

/// A part of what is sent over a stream in answer to one request.
pub(super) enum Piece {
    /// An answer, perhaps of several.
    Next(Paid),
    /// The errors for which there is no answer, or no further one. The last piece.
    Refused(Vec<QueryError>),
    /// All answers were given. The last piece; it is missing when the node stops.
    Done,
}

/// All that is sent in answer to a request.
pub(super) fn pieces(running: Result<Running, Vec<QueryError>>) -> BoxStream<'static, Piece> {
    match running {
        Ok(Running::Once(paid)) => stream::iter([Piece::Next(paid), Piece::Done]).boxed(),
        Ok(Running::Events(answers)) => answers
            .map(|answer| answer.map_or_else(Piece::Refused, Piece::Next))
            .boxed(),
        Err(errors) => stream::iter([Piece::Refused(errors)]).boxed(),
    }
}

/// A request that was read: a document with the operation that is asked for, and its plan.
pub(super) struct Request {
    document: Shared,
    operation: Node<Operation>,
    variables: Map<String, Value>,
    plan: Plan,
}

impl Request {
    /// What kind of operation it asks for.
    pub(super) fn kind(&self) -> OperationType {
        self.operation.operation_type
    }
}

impl Service {
    /// Reads a request; the errors say why it is not executed.
    pub(super) async fn read(&self, posted: Posted) -> Result<Request, Vec<QueryError>> {
        let given = posted.variables.unwrap_or_default();
        let (document, inline) = self.document(posted.query, &given).await?;
        let operation = document
            .operation(posted.operation_name.as_deref())?
            .clone();
        if document.is_described {
            is_bounded(&document, &operation)?;
        }
        if operation.is_subscription() {
            check_subscription(&document, posted.size)?;
        }
        let mut variables = values::variables(&document, &operation, given)?;
        variables.extend(inline);
        let copies_size_max = self.limits.body_size_max;
        let plan = plan(&document, &operation, &variables, copies_size_max)?;
        Ok(Request {
            document,
            operation,
            variables,
            plan,
        })
    }

    /// Begins to answer a request; the errors say why it is not executed.
    pub(super) async fn start(&self, request: Request) -> Result<Running, Vec<QueryError>> {
        match request.kind() {
            OperationType::Query => self.answer(request).await,
            OperationType::Mutation => Ok(self.publish(&request.plan).await),
            OperationType::Subscription => self.subscribe(request.plan).await,
        }
    }

    /// The document of a text, one that was asked with before or a new one; and values that stand in the
    /// text and not in the document.
    async fn document(
        &self,
        text: String,
        variables: &Map<String, Value>,
    ) -> Result<(Shared, Map<String, Value>), Vec<QueryError>> {
        // Read before the schemas, so that one learnt in between is not missed.
        let version = *self.schemas.borrow();
        let outline = Outline::of(&text);
        let key = outline.as_ref().map_or(&text, |outline| &outline.key);
        if let Some(document) = self.kept.get(key, version) {
            let inline = outline.map(|outline| outline.variables());
            return Ok((document, inline.unwrap_or_default()));
        }
        let prepared = Workshop {
            limits: &self.limits,
            known: &self.known,
            version,
            source: Source::Memory,
        }
        .prepare(&text, variables);
        let document = match prepared {
            Ok(document) => document,
            Err(Unprepared::Refused(errors)) => return Err(errors),
            Err(Unprepared::AskStore) => {
                self.document_from_store(&text, variables, version).await?
            }
        };
        let document = Arc::new(document);
        match outline {
            // One whose values stand in its text comes but once, what stands around them often.
            Some(outline) => {
                if let Some(document) = outline.document(&document) {
                    self.kept.insert(outline.key, version, &Arc::new(document));
                }
            }
            None => self.kept.insert(text, version, &document),
        }
        Ok((document, Map::new()))
    }

    /// Makes a document with what the store knows.
    async fn document_from_store(
        &self,
        text: &str,
        variables: &Map<String, Value>,
        version: u64,
    ) -> Result<Document, Vec<QueryError>> {
        let (service, text, variables) = (self.clone(), text.to_owned(), variables.clone());
        let prepared = self.node.read(move |store| {
            let workshop = Workshop {
                limits: &service.limits,
                known: &service.known,
                version,
                source: Source::Store(store),
            };
            Ok(workshop.prepare(&text, &variables))
        });
        match prepared.await.map_err(unable)? {
            Ok(document) => Ok(document),
            Err(Unprepared::Refused(errors)) => Err(errors),
            Err(Unprepared::AskStore) => Err(unable(ApiError::Busy)),
        }
    }

    /// Answers a query.
    async fn answer(&self, request: Request) -> Result<Running, Vec<QueryError>> {
        let budget = self.budget(request.plan.fields);
        let written = load::read(&self.node, budget.clone(), move |loader| {
            loader.budget.spend(request.document.described_size)?;
            let described = match request.document.is_described {
                true => describe(&request.document, &request.operation, &request.variables),
                false => Ok(JsonMap::new()),
            };
            let described = match described {
                Ok(described) => described,
                Err(errors) => return Ok(Err(errors)),
            };
            let plan = &request.plan;
            let loaded = loader.load(plan)?;
            let (json, _) = show::answer(plan, loaded, &described, loader.budget);
            Ok(Ok(json))
        });
        Ok(Running::Once(Paid {
            json: written.await.map_err(unable)??,
            _budget: budget,
        }))
    }

    /// Answers a mutation, whose fields are executed one after the other up to one that fails: the whole
    /// answer is null then.
    async fn publish(&self, plan: &Plan) -> Running {
        let budget = self.budget(plan.fields);
        let mut loaded = Vec::with_capacity(plan.roots.len());
        for root in &plan.roots {
            let done = match &root.ask {
                Ask::Publish { arguments, .. } => {
                    publish(&self.node, arguments).await.map(Loaded::NextArgs)
                }
                _ => Ok(Loaded::Nothing),
            };
            let has_failed = done.is_err();
            loaded.push(done);
            if has_failed {
                break;
            }
        }
        let (json, _) = show::answer(plan, loaded, &JsonMap::new(), &budget);
        Running::Once(Paid {
            json,
            _budget: budget,
        })
    }

    async fn subscribe(&self, plan: Plan) -> Result<Running, Vec<QueryError>> {
        let budget = self.budget(plan.fields);
        let subscription = Subscription::begin(self.node.clone(), &self.streams, plan, budget);
        let answers = stream::unfold(Some(subscription.await?), Subscription::next);
        Ok(Running::Events(answers.boxed()))
    }

    /// What may be spent on an answer to a query of so many fields.
    fn budget(&self, fields: usize) -> Budget {
        Budget::new(self.limits.answer_size_max, fields, &self.pool)
    }
}

/// What subscribes is small.
fn check_subscription(document: &Document, size: usize) -> Result<(), Vec<QueryError>> {
    let size = size.max(document.size);
    if size > SUBSCRIPTION_SIZE_MAX || document.fields > SUBSCRIPTION_FIELDS_MAX {
        let text = "the subscription is too large";
        return Err(refused(Reason::RequestTooLarge, text));
    }
    Ok(())
}

/// `publish`
async fn publish(
    node: &Server,
    arguments: &Arguments,
) -> Result<grove_core::author::NextArgs, ApiError> {
    let entry = bytes_argument("entry", &required(arguments, "entry")?)?;
    let operation = bytes_argument("operation", &required(arguments, "operation")?)?;
    if flag(arguments, "wait")? {
        let timeout = millis(arguments, "timeout")?;
        let published = publish_until_visible(node, entry, operation, timeout);
        return published.await.map(|(args, _)| args);
    }
    node.publish(entry, operation).await
}
