//! GraphQL on `/graphql`: by POST, over WebSocket (`socket`), and as server-sent events (`sse`).
//!
//! Holds one schema built from the p2panda schemas the node knows, and builds it anew when the node
//! has learnt another: the first request after that sees it. What can be asked is said in `schema`.
//!
//! A query is bounded in `prepare`, judged by the library, and turned into a `plan`. By that `load` reads all
//! it asks for and `show` writes the answer. The library executes mutations, and what describes the schema.

mod arguments;
mod budget;
mod check;
mod filter;
mod follow;
mod list;
mod load;
mod plan;
mod plans;
mod prepare;
mod protocol;
mod resolve;
mod running;
mod schema;
mod show;
mod socket;
mod sse;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, Response as Answer, ServerError};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use grove_core::Reason;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{RwLock, watch};

use self::budget::Pool;
use self::running::Mutations;
use self::schema::Graph;
use super::streams::Streams;
use super::{Limits, is_bulky};
use crate::api::ApiError;
use crate::runtime::Node;

/// A page to write queries in. It loads nothing from anywhere.
const PLAYGROUND: &str = include_str!("playground.html");

/// The route.
pub(super) fn routes(node: Node, streams: Streams, limits: &Limits) -> Router {
    let service = Service {
        pool: Pool::new(limits.answers_size_max),
        schemas: node.schemas_changed(),
        node,
        current: Arc::default(),
        limits: limits.clone(),
        streams,
    };
    Router::new()
        .route("/graphql", get(get_or_upgrade).post(answer))
        .with_state(service)
}

async fn get_or_upgrade(State(service): State<Service>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        socket::upgrade(service, request).await
    } else if sse::wish(request.headers()) != sse::Wish::Answer {
        sse::by_get(&service, request.uri()).await
    } else {
        playground()
    }
}

fn playground() -> Response {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                  connect-src 'self'; img-src data:";
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(PLAYGROUND),
    )
        .into_response()
}

async fn answer(State(service): State<Service>, headers: HeaderMap, body: Body) -> Response {
    let bytes = to_bytes(body, service.limits.body_size_max).await.ok();
    let Some(bytes) = bytes.filter(|bytes| !is_bulky(bytes, service.limits.json_values_max)) else {
        let error = refusal(
            Reason::RequestTooLarge,
            Reason::RequestTooLarge.description(),
        );
        return (
            StatusCode::PAYLOAD_TOO_LARGE,
            Json(Answer::from_errors(vec![error])),
        )
            .into_response();
    };
    match Posted::read(&bytes) {
        //= QU8: what went wrong with a request that could be read stands in its answer
        Ok(posted) => {
            let running = service.start(posted, Mutations::Taken).await;
            sse::respond(&service, running, sse::wish(&headers))
        }
        Err(error) => {
            let text = format!("the body is not a GraphQL request: {error}");
            let error = refusal(Reason::RequestMalformed, text);
            (
                StatusCode::BAD_REQUEST,
                Json(Answer::from_errors(vec![error])),
            )
                .into_response()
        }
    }
}

/// The body of a request. Members nobody knows are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, Value>>,
    /// How many bytes it came in.
    #[serde(skip)]
    size: usize,
}

impl Posted {
    fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut posted: Self = serde_json::from_slice(bytes)?;
        posted.size = bytes.len();
        Ok(posted)
    }
}

#[derive(Clone)]
struct Service {
    node: Node,
    schemas: watch::Receiver<u64>,
    current: Arc<RwLock<Option<(u64, Graph)>>>,
    limits: Limits,
    streams: Streams,
    /// What all answers being made may take.
    pool: Pool,
}

impl Service {
    /// The schema as of now, built anew if the node has learnt of another since.
    async fn graph(&self) -> Result<Graph, ApiError> {
        // Read before the schemas, so that one learnt in between is not missed.
        let version = *self.schemas.borrow();
        if let Some(graph) = fresh(&*self.current.read().await, version) {
            return Ok(graph);
        }
        let mut current = self.current.write().await;
        if let Some(graph) = fresh(&current, version) {
            return Ok(graph);
        }
        let schemas = self.node.read(|store| Ok(store.schemas()?)).await?;
        let graph = Graph::build(self.node.clone(), schemas);
        *current = Some((version, graph.clone()));
        Ok(graph)
    }
}

fn fresh(current: &Option<(u64, Graph)>, version: u64) -> Option<Graph> {
    current
        .as_ref()
        .filter(|(built, _)| *built >= version)
        .map(|(_, graph)| graph.clone())
}

/// An error that arose before anything was executed.
fn refusal(reason: Reason, text: impl ToString) -> ServerError {
    let mut error = ServerError::new(text.to_string(), None);
    error.extensions = Some(extensions(reason));
    error
}

fn extensions(reason: Reason) -> ErrorExtensionValues {
    let mut values = ErrorExtensionValues::default();
    values.set("code", reason.code());
    values.set("phase", reason.phase().name());
    values
}

/// Gives the library's own errors, all of which are about the query's form, their code.
fn coded(mut answer: Answer) -> Answer {
    for error in &mut answer.errors {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            *extensions = self::extensions(Reason::RequestMalformed);
        }
    }
    answer
}
