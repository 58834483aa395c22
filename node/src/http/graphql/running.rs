//! What becomes of a request: one answer, or a stream of them.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::OperationType;
use async_graphql::{Response as Answer, ServerError, Value};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use grove_core::{Reason, Refusal};

use super::budget::Budget;
use super::check::Check;
use super::follow::{Event, Followed, Given};
use super::load;
use super::plan::Plan;
use super::plans::Plans;
use super::prepare::{Prepared, prepare};
use super::schema::Graph;
use super::show;
use super::{Posted, Service, refusal};
use crate::api::ApiError;
use crate::http::events::{Documents, Schemas};
use crate::http::streams::Place;

/// A request that was understood.
pub(super) enum Running {
    /// Its answer.
    Once(Paid),
    /// Answers as they come, or what keeps it from going on. Ends otherwise only when the node stops.
    Events(BoxStream<'static, Result<Paid, Vec<ServerError>>>),
}

/// An answer as JSON, and the memory it takes until it is sent.
pub(super) struct Paid {
    pub(super) json: String,
    _budget: Budget,
}

impl Paid {
    fn new(answer: &Answer, budget: Budget) -> Self {
        Self {
            json: serde_json::to_string(answer).expect("answers are JSON"),
            _budget: budget,
        }
    }
}

/// A part of what is sent over a stream in answer to one request.
pub(super) enum Piece {
    /// An answer, perhaps of several.
    Next(Paid),
    /// The errors for which there is no answer, or no further one. The last piece.
    Refused(Vec<ServerError>),
    /// All answers were given. The last piece; it is missing when the node stops.
    Done,
}

/// All that is sent in answer to a request.
pub(super) fn pieces(running: Result<Running, Vec<ServerError>>) -> BoxStream<'static, Piece> {
    match running {
        Ok(Running::Once(paid)) => stream::iter([Piece::Next(paid), Piece::Done]).boxed(),
        Ok(Running::Events(answers)) => answers
            .map(|answer| answer.map_or_else(Piece::Refused, Piece::Next))
            .boxed(),
        Err(errors) => stream::iter([Piece::Refused(errors)]).boxed(),
    }
}

/// Whether mutations may be asked for: not by a request that is expected to change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutations {
    Taken,
    Refused,
}

impl Service {
    /// Begins to answer a request; the errors say why it is not executed.
    pub(super) async fn start(
        &self,
        posted: Posted,
        mutations: Mutations,
    ) -> Result<Running, Vec<ServerError>> {
        let graph = self.graph().await.map_err(unable)?;
        let key = Plans::key(&posted);
        if let Some(plan) = key.as_deref().and_then(|key| graph.plans.get(key)) {
            return self.read(plan).await;
        }
        let prepared = prepare(posted, &graph.input_types, &self.limits);
        let prepared = prepared.map_err(|error| coded(vec![error]))?;
        match prepared.operation.node.ty {
            OperationType::Subscription => return self.subscribe(graph, prepared).await,
            OperationType::Mutation if mutations == Mutations::Refused => {
                let text = "a GET changes nothing, mutations come by POST";
                return Err(vec![refusal(Reason::RequestMalformed, text)]);
            }
            OperationType::Query | OperationType::Mutation => {}
        }
        let budget = self.budget(prepared.fields);
        let Some(plan) = graph.plan(&prepared) else {
            let request = prepared.into_request(budget.clone());
            let mut answer = graph.schema.execute(request).await;
            answer.errors = coded(answer.errors);
            // Errors of execution know their place or leave some data, others kept it from beginning.
            let has_place = |error: &ServerError| !error.path.is_empty();
            let begun = answer.data != Value::Null || answer.errors.iter().any(has_place);
            return match begun || answer.errors.is_empty() {
                true => Ok(Running::Once(Paid::new(&answer, budget))),
                false => Err(answer.errors),
            };
        };
        let request = prepared.into_request(budget).data(Check);
        let judged = graph.schema.execute(request).await;
        if judged.is_err() {
            return Err(coded(judged.errors));
        }
        let plan = Arc::new(plan);
        if let Some(key) = key {
            graph.plans.insert(key, Arc::clone(&plan));
        }
        self.read(plan).await
    }

    /// Answers a query that only reads documents.
    async fn read(&self, plan: Arc<Plan>) -> Result<Running, Vec<ServerError>> {
        let budget = self.budget(plan.fields);
        let text = load::read(&self.node, budget.clone(), move |loader| {
            Ok(show::answer(&plan, loader.load(&plan)?, loader.budget))
        });
        Ok(Running::Once(Paid {
            json: text.await.map_err(unable)?,
            _budget: budget,
        }))
    }

    /// What may be spent on an answer to a query of so many fields.
    fn budget(&self, fields: usize) -> Budget {
        Budget::new(self.limits.answer_size_max, fields, &self.pool)
    }

    async fn subscribe(
        &self,
        graph: Graph,
        prepared: Prepared,
    ) -> Result<Running, Vec<ServerError>> {
        let place = self.streams.place().map_err(unable)?;
        let slot = Arc::new(Mutex::new(None));
        let budget = self.budget(prepared.fields);
        let opening = Given::Opening(Arc::clone(&slot));
        let request = prepared.for_event().data(opening).data(budget.clone());
        let opened = graph.events().execute(request).await;
        if !opened.errors.is_empty() {
            return Err(coded(opened.errors));
        }
        let wanted = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(wanted) = wanted else {
            let text = "there is nothing to follow";
            return Err(vec![refusal(Reason::RequestMalformed, text)]);
        };
        let node = self.node.clone();
        let source = match wanted.followed {
            Followed::Documents(subject) => Documents::begin(node, *subject, wanted.after)
                .await
                .map(|documents| Source::Documents(Box::new(documents))),
            Followed::Schemas => Schemas::begin(node, wanted.after)
                .await
                .map(|schemas| Source::Schemas(Box::new(schemas))),
        };
        let subscription = Subscription {
            graph,
            prepared,
            budget,
            source: source.map_err(unable)?,
            place,
        };
        let answers = stream::unfold(Some(subscription), Subscription::next);
        Ok(Running::Events(answers.boxed()))
    }
}

/// Where events come from.
enum Source {
    Documents(Box<Documents>),
    Schemas(Box<Schemas>),
}

impl Source {
    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        Ok(match self {
            Self::Documents(documents) => documents.next().await?.map(Event::Document),
            Self::Schemas(schemas) => schemas.next().await?.map(Event::Schema),
        })
    }
}

/// A subscription under way. It keeps the graph it began with, whatever the node learns meanwhile.
struct Subscription {
    graph: Graph,
    prepared: Prepared,
    /// As much as each event may spend.
    budget: Budget,
    source: Source,
    place: Place,
}

impl Subscription {
    async fn next(running: Option<Self>) -> Option<(Result<Paid, Vec<ServerError>>, Option<Self>)> {
        let mut subscription = running?;
        let event = tokio::select! {
            event = subscription.source.next() => event,
            () = subscription.place.stopping() => return None,
        };
        match event {
            Ok(Some(event)) => {
                let given = Given::Event(Arc::new(event));
                let budget = subscription.budget.anew();
                let request = subscription.prepared.for_event();
                let request = request.data(given).data(budget.clone());
                let mut answer = subscription.graph.events().execute(request).await;
                answer.errors = coded(answer.errors);
                // What could be shown a moment later is not to be missed: the client comes again.
                if answer.errors.iter().any(is_passing) {
                    return Some((Err(answer.errors), None));
                }
                Some((Ok(Paid::new(&answer, budget)), Some(subscription)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(unable(error)), None)),
        }
    }
}

/// Whether what went wrong may go right the next time.
fn is_passing(error: &ServerError) -> bool {
    let code = error.extensions.as_ref().and_then(|all| all.get("code"));
    [Reason::NodeBusy, Reason::StoreFailed]
        .iter()
        .any(|reason| code == Some(&Value::from(reason.code())))
}

fn unable(error: ApiError) -> Vec<ServerError> {
    vec![refusal(error.reason(), error)]
}

fn coded(errors: Vec<ServerError>) -> Vec<ServerError> {
    super::coded(Answer::from_errors(errors)).errors
}
