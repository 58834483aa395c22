//! JSON-RPC, GraphQL, blobs and health over HTTP.
//!
//! | route | answers |
//! | --- | --- |
//! | `/` | JSON-RPC 2.0 by POST and over WebSocket |
//! | `/graphql` | GraphQL by POST, GET and over WebSocket, subscriptions also as server-sent events; a page to try it out |
//! | `/blobs/<document>[/<view>]` | the bytes of a blob by GET and HEAD |
//! | `/healthz` | 200 while the store answers and entries are taken |
//!
//! Dresses up the answers of [`crate::api`] and decides nothing about entries or documents. Reads no
//! clock of its own and draws nothing at random, so the same router runs deployed and simulated.
//!
//! Always true:
//! - Unless the operator says otherwise every route answers every origin: a node serves web pages that it did
//!   not deliver.
//! - A request that is not understood changes nothing.

mod access;
mod blobs;
mod connections;
mod graphql;
mod jsonrpc;
mod pulse;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, Hash};
use grove_core::{Reason, Refusal};
use serde_json::{Value, json};
use tower_http::cors::{Any, CorsLayer};

use self::streams::Streams;
use crate::api::ApiError;
use crate::runtime::{Node, Trouble};
use crate::store::StoreError;

use connections::Memory;

pub use access::{Access, Network, NetworkError};
pub use connections::{Listener, serve};

/// Bounds on what clients may ask of a node. What holds per connection is in the same place, so that
/// one look tells how much a stranger can make a node do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Connections open at once. A further one takes the place of that which has kept the node waiting
    /// for longest; while all are being answered, it waits.
    pub connections_max: usize,
    /// WebSockets of JSON-RPC, and as many of GraphQL, open at once, among the connections.
    pub sockets_max: usize,
    /// Size of a request body in bytes.
    pub body_size_max: usize,
    /// Size of all large request bodies being read or worked on, in bytes.
    pub bodies_size_max: usize,
    /// Values, lists and objects in a JSON body: each takes far more memory than its text.
    pub json_values_max: usize,
    /// Size of an answer in bytes; that of GraphQL is estimated before it is made.
    pub answer_size_max: usize,
    /// Size of the values of all documents on a page by JSON-RPC, in bytes; a page ends early before it is
    /// larger, but holds one document at least.
    pub page_size_max: usize,
    /// Size of all large answers not yet taken by their clients, in bytes; and, by estimate, of all being
    /// made.
    pub answers_size_max: usize,
    /// Requests in one JSON-RPC batch.
    pub batch_len_max: u32,
    /// How long a client may take to send the head of a request.
    pub head_timeout: Duration,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a client may keep the node waiting for a part of a body, or to take a part of an
    /// answer.
    pub stall_timeout: Duration,
    /// How many bytes have to move within `stall_timeout` of waiting; fewer count as none.
    pub progress_min: usize,
    /// How long a request may take, its body included.
    pub request_timeout: Duration,
    /// How long open requests may take to end once the node stops.
    pub drain_timeout: Duration,
    /// Nesting of a GraphQL query.
    pub query_depth_max: usize,
    /// Fields of a GraphQL query, those of fragments counted wherever they are used.
    pub query_fields_max: usize,
    /// Subscriptions of all clients together. Each stream of events holds a connection, so that there should
    /// be fewer than those.
    pub subscriptions_max: usize,
    /// Subscriptions, and under GraphQL other operations too, under way on one WebSocket.
    pub subscriptions_per_socket_max: u32,
    /// How long a client may take to begin the protocol on a WebSocket of GraphQL.
    pub init_timeout: Duration,
    /// How often WebSockets are asked for a sign of life, and event streams give one; never when `None`.
    pub ping_interval: Option<Duration>,
    /// Whether answers carry the time of day.
    pub date_header: bool,
}

impl Limits {
    /// Those of a simulated node: nothing in its answers, nor in when it sends them, comes from a real
    /// clock.
    pub fn simulated() -> Self {
        Self {
            ping_interval: None,
            date_header: false,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            sockets_max: 512,
            body_size_max: 16 << 20,
            bodies_size_max: 96 << 20,
            json_values_max: 200_000,
            answer_size_max: 64 << 20,
            page_size_max: 4 << 20,
            answers_size_max: 96 << 20,
            batch_len_max: 1000,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(15),
            progress_min: 16 << 10,
            request_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(4),
            query_depth_max: 32,
            query_fields_max: 10_000,
            subscriptions_max: 512,
            subscriptions_per_socket_max: 64,
            init_timeout: Duration::from_secs(10),
            ping_interval: Some(Duration::from_secs(30)),
            date_header: true,
        }
    }
}

/// The HTTP side of a node: its routes, and the hold on what outlives its request.
#[derive(Debug, Clone)]
pub struct Http {
    router: Router,
    streams: Streams,
    limits: Limits,
    memory: Memory,
}

impl Http {
    /// The routes of `node`, for everybody.
    pub fn new(node: Node, limits: Limits) -> Self {
        Self::with_access(node, limits, Access::default())
    }

    /// The routes of `node`, for those who are let in.
    pub fn with_access(node: Node, limits: Limits, access: Access) -> Self {
        let cors = cors(&access);
        let streams = Streams::new(&limits);
        let memory = Memory::new(&limits);
        let rpc = jsonrpc::routes(node.clone(), streams.clone(), &limits, &memory);
        let whole = graphql::routes(node.clone(), streams.clone(), &limits, &memory)
            .merge(rpc)
            .layer(from_fn_with_state(memory.clone(), connections::account));
        let router = Router::new()
            .route("/healthz", get(health).with_state(node.clone()))
            .merge(blobs::routes(node))
            .merge(whole)
            .layer(from_fn_with_state(limits.request_timeout, give_up))
            .layer(from_fn_with_state(Arc::new(access), access::admit))
            .layer(cors);
        Self {
            router,
            streams,
            limits,
            memory,
        }
    }

    /// The routes, to be served by any means.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

/// Pages that are let in may talk to the node, whatever headers they send.
fn cors(access: &Access) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(access.allowed())
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::OPTIONS])
        .allow_headers(Any)
        .expose_headers(Any)
        .max_age(Duration::from_secs(24 * 60 * 60))
}

/// Ends a request that takes too long, but not the stream it may have begun. What it has begun to publish is published all the same.
async fn give_up(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => connections::busy(),
    }
}

/// How long the store may take to answer those who look after the node.
const HEALTH_PATIENCE: Duration = Duration::from_secs(2);

/// Whether the store answers, and entries are stored. Asks for a document, since that goes through an index of the
/// database, on a connection that no client's question takes.
async fn health(State(node): State<Node>) -> Response {
    let nothing = DocumentId::from(Hash::from_digest([0; 32]));
    let question = node.read_apart(move |store| Ok(store.document(nothing)?));
    let answer = tokio::time::timeout(HEALTH_PATIENCE, question).await;
    let answer = answer.unwrap_or(Err(ApiError::Busy));
    let answer = answer.and_then(|_| node.check_health());
    let answer = answer.and_then(|()| node.is_accepting().then_some(()).ok_or(ApiError::Busy));
    let error = match (answer, node.trouble()) {
        (Err(ApiError::Store(error)), _) => {
            let cause = error.code();
            let mut details = details(&error.into());
            details["cause"] = json!(cause);
            details
        }
        (Err(error), _) => details(&error),
        (Ok(()), Some(trouble)) => {
            let error = match trouble {
                Trouble::Failing(text) => ApiError::Store(StoreError::Failed(text)),
                Trouble::Stuck => ApiError::Busy,
            };
            details(&error)
        }
        (Ok(()), None) => {
            let body = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
            return Json(body).into_response();
        }
    };
    let body = json!({ "status": "unavailable", "error": error });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// What programs need to know of a refusal: its code and phase, and how to go on where a log would have
/// been forked.
fn details(error: &ApiError) -> Value {
    let reason = error.reason();
    let mut details = json!({ "code": reason.code(), "phase": reason.phase().name() });
    //= FK7: who would begin a branch is told what is there and how to go on
    if let Some((existing, next)) = error.would_fork() {
        details["existing"] = json!(existing.to_string());
        details["nextArgs"] = json!(next.map(next_args_out));
    }
    details
}

fn next_args_out(args: &NextArgs) -> Value {
    json!({
        "logId": args.log_id.to_string(),
        "seqNum": args.seq_num.to_string(),
        "backlink": args.backlink.map(|hash| hash.to_string()),
        "skiplink": args.skiplink.map(|hash| hash.to_string()),
    })
}

/// The bytes an argument gives in hex of either case, which carries no meaning in them.
//= BA3: entries and operations come as hex
fn bytes_argument(name: &'static str, text: &str) -> Result<Vec<u8>, ApiError> {
    hex::decode(text).map_err(|error| ApiError::Argument {
        name,
        text: error.to_string(),
        reason: Reason::InvalidHex,
    })
}
