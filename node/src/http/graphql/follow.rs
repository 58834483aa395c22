//! Subscriptions: what is followed, and how each event is shown.
//!
//! What is asked of an event is read and written like the answer to a query, once per event: each has its
//! own budget, and an error costs one event and not the stream. A subscription keeps its plan and
//! nothing else of the request or of the schema.

use std::sync::Arc;

use apollo_compiler::response::JsonMap;
use grove_core::Reason;

use super::arguments::{flag, required, text};
use super::budget::{Budget, Paid};
use super::error::{QueryError, refused, unable};
use super::load::{self, Event, Loaded};
use super::page::Shown;
use super::plan::{Ask, DocumentPlan, EventMember, Followed, Plan, Root};
use super::{filter, show};
use crate::api::{ApiError, DocumentEvent, Subject, parse};
use crate::http::streams::{Streams, SubscriptionPlace};
use crate::runtime::Node;
use crate::runtime::events::{Documents, Schemas};

/// Where events come from.
enum Source {
    Documents(Box<Documents>),
    Schemas(Box<Schemas>),
}

impl Source {
    async fn begin(node: Node, ask: &Ask) -> Result<Self, ApiError> {
        let Ask::Event {
            schema,
            arguments,
            subject,
            ..
        } = ask
        else {
            let text = "there is nothing to follow";
            return Err(ApiError::invalid("query", Reason::RequestMalformed, text));
        };
        let after = text(arguments, "after")?;
        let subject = match (schema, subject) {
            (Some(schema), Followed::Document) => Subject::Document {
                schema_id: schema.id().clone(),
                id: parse("id", &required(arguments, "id")?)?,
            },
            (Some(schema), _) => {
                let (query, _) = filter::read(schema, arguments)?;
                Subject::Collection {
                    schema_id: schema.id().clone(),
                    query,
                    misses: flag(arguments, "misses")?,
                }
            }
            (None, _) => {
                let schemas = Schemas::begin(node, after).await?;
                return Ok(Self::Schemas(Box::new(schemas)));
            }
        };
        let documents = Documents::begin(node, subject, after).await?;
        Ok(Self::Documents(Box::new(documents)))
    }

    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        Ok(match self {
            Self::Documents(documents) => documents.next().await?.map(Event::Document),
            Self::Schemas(schemas) => schemas.next().await?.map(Event::Schema),
        })
    }
}

/// A subscription under way.
pub(super) struct Subscription {
    node: Node,
    plan: Arc<Plan>,
    /// As much as each event may spend.
    budget: Budget,
    source: Source,
    place: SubscriptionPlace,
}

impl Subscription {
    pub(super) async fn begin(
        node: Node,
        streams: &Streams,
        plan: Plan,
        budget: Budget,
    ) -> Result<Self, Vec<QueryError>> {
        let place = streams.place().map_err(unable)?;
        // The validator has seen to it that there is one.
        let Some(root) = plan.roots.first() else {
            return Err(refused(
                Reason::RequestMalformed,
                "there is nothing to follow",
            ));
        };
        let source = Source::begin(node.clone(), &root.ask).await;
        Ok(Self {
            source: source.map_err(|error| told(&error, root, &plan))?,
            node,
            plan: Arc::new(plan),
            budget,
            place,
        })
    }

    /// The answer to the next event, and the subscription unless it ends with that.
    pub(super) async fn next(
        running: Option<Self>,
    ) -> Option<(Result<Paid, Vec<QueryError>>, Option<Self>)> {
        let mut subscription = running?;
        let event = tokio::select! {
            event = subscription.source.next() => event,
            () = subscription.place.stopping() => return None,
        };
        match event {
            Ok(Some(event)) => {
                let budget = subscription.budget.anew();
                let loaded = subscription.load(event, &budget).await;
                let plan = &subscription.plan;
                let (json, errors) = show::answer(plan, vec![loaded], &JsonMap::new(), &budget);
                // What could be shown a moment later is not to be missed: the client comes again.
                if errors.iter().any(is_passing) {
                    return Some((Err(errors), None));
                }
                let paid = Paid {
                    json,
                    _budget: budget,
                };
                Some((Ok(paid), Some(subscription)))
            }
            Ok(None) => None,
            Err(error) => Some((Err(unable(error)), None)),
        }
    }

    /// Reads what is wanted beside an event.
    async fn load(&self, event: Event, budget: &Budget) -> Result<Loaded, ApiError> {
        let shown = match &event {
            Event::Document(event) => self.shown(event, budget).await?,
            Event::Schema(_) => None,
        };
        Ok(Loaded::Event(Box::new(event), shown))
    }

    async fn shown(
        &self,
        event: &DocumentEvent,
        budget: &Budget,
    ) -> Result<Option<Shown>, ApiError> {
        let Some(row) = event.row.clone().filter(|_| self.shows_document()) else {
            return Ok(None);
        };
        let plan = Arc::clone(&self.plan);
        let shown = load::read(&self.node, budget.clone(), move |loader| {
            loader.load_event(branches(&plan), row)
        });
        shown.await.map(Some)
    }

    fn shows_document(&self) -> bool {
        let Some(Ask::Event { event, .. }) = self.plan.roots.first().map(|root| &root.ask) else {
            return false;
        };
        let mut members = event.members.iter();
        members.any(|(_, member)| matches!(member, EventMember::Document(DocumentPlan { .. })))
    }
}

fn branches(plan: &Plan) -> &[super::plan::Branch] {
    match plan.roots.first().map(|root| &root.ask) {
        Some(Ask::Event { branches, .. }) => branches,
        _ => &[],
    }
}

/// Whether what went wrong may go right the next time.
fn is_passing(error: &QueryError) -> bool {
    matches!(error.reason(), Reason::NodeBusy | Reason::StoreFailed)
}

/// Why something is not followed.
fn told(error: &ApiError, root: &Root, plan: &Plan) -> Vec<QueryError> {
    vec![QueryError::from(error).at(root.spot.span, &plan.sources)]
}
