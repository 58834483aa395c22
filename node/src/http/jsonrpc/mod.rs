//! JSON-RPC 2.0 on `/`, by POST and over WebSocket.
//!
//! | file | methods |
//! | --- | --- |
//! | `entries` | next arguments and publishing, as in early p2panda nodes and many at once |
//! | `reading` | entries, logs and forks |
//! | `documents` | documents, collections, schemas, and how the node is |
//! | `subscribe` | new entries and changed documents, over WebSocket |
//! | `openrpc` | `rpc.discover`, where all of them are told of |
//!
//! | file | |
//! | --- | --- |
//! | `door` | messages: envelopes, batches, ids |
//! | `socket` | the connection that carries them, beside POST |
//!
//! Method names, parameter names and the order of result members of the first three are those of node
//! 0.2.0; log ids start at 0 and operations are CBOR arrays, as everywhere today.

mod documents;
mod door;
mod entries;
mod openrpc;
mod peers;
mod reading;
mod socket;
mod subscribe;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use grove_core::Reason;
use jsonrpsee::core::server::ConnectionId;
use jsonrpsee::server::RpcModule;
use jsonrpsee::types::Params;
use jsonrpsee::types::error::{ErrorObjectOwned, INVALID_PARAMS_CODE, INVALID_PARAMS_MSG};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::door::{Caller, Door};
use self::openrpc::Method;
use self::subscribe::{Counting, Names, Notices};
use super::Limits;
use super::connections::{Bulk, Memory, busy};
use super::streams::{Streams, message_size_max};
use crate::api::ApiError;
use crate::runtime::{Asking, Node};

/// Code of every error of ours; `data.code` says which. The specification leaves it to servers.
const REFUSED: i32 = -32000;

/// What is sent where a call wants no answer, since by HTTP one is due.
const NO_ANSWER: &str = "null";

const JSON: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];

/// What a browser sees that was pointed here.
const GREETING: &str = "This is a p2panda node. POST JSON-RPC 2.0 here, or open a WebSocket; \
                        GraphQL is at /graphql.\n";

/// What belongs to the routes.
#[derive(Clone)]
struct Rpc {
    posts: Door,
    sockets: Door,
    connections: Arc<Connections>,
    streams: Streams,
    message_size_max: usize,
    limits: Limits,
    memory: Memory,
}

/// Numbers connections by WebSocket, one after the other. Requests by POST have none of their own.
#[derive(Debug, Default)]
struct Connections(AtomicUsize);

impl Connections {
    fn next(&self) -> ConnectionId {
        ConnectionId(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The route.
pub(super) fn routes(node: Node, streams: Streams, limits: &Limits, memory: &Memory) -> Router {
    let methods = methods(node, &streams, limits);
    let ids = Arc::new(Counting::default());
    let door = |methods: RpcModule<Node>| Door {
        methods: methods.into(),
        ids: Arc::clone(&ids),
        batch_len_max: usize::try_from(limits.batch_len_max).unwrap_or(usize::MAX),
        answer_size_max: limits.answer_size_max,
    };
    let rpc = Rpc {
        posts: door(methods.without_subscriptions()),
        sockets: door(methods.module),
        connections: Arc::default(),
        streams,
        message_size_max: message_size_max(limits),
        limits: limits.clone(),
        memory: memory.clone(),
    };
    let routes = get(greet_or_upgrade).post(answer);
    Router::new().route("/", routes).with_state(rpc)
}

async fn greet_or_upgrade(State(rpc): State<Rpc>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        socket::upgrade(rpc, request).await
    } else {
        GREETING.into_response()
    }
}

/// Answers what was posted. Early nodes did not look at the content type, and clients send all kinds.
async fn answer(State(rpc): State<Rpc>, body: Body) -> Response {
    let body = to_bytes(body, rpc.limits.body_size_max).await;
    let body = body.map_err(|_| Bulk::Refused);
    let body = body.and_then(|body| {
        let reading = rpc.memory.reading(&body, rpc.limits.json_values_max)?;
        Ok((body, reading))
    });
    let (body, _reading) = match body {
        Ok(body) => body,
        Err(Bulk::Busy) => return busy(),
        Err(Bulk::Refused) => {
            let text = door::too_large(rpc.limits.body_size_max);
            return (StatusCode::PAYLOAD_TOO_LARGE, JSON, text).into_response();
        }
    };
    let nobody = Caller {
        connection: ConnectionId(0),
        subscriptions: None,
    };
    let answer = rpc.posts.answer(&body, &nobody).await;
    (JSON, answer.unwrap_or_else(|| NO_ANSWER.to_owned())).into_response()
}

/// The methods, and what is told of them.
struct Methods {
    module: RpcModule<Node>,
    /// Those that need a WebSocket.
    subscriptions: Vec<&'static str>,
    described: Vec<Value>,
    notifications: Vec<Value>,
}

impl Methods {
    fn add<P, R, F>(
        &mut self,
        description: Method,
        method: impl Fn(Arc<Node>, P) -> F + Clone + Send + Sync + 'static,
    ) where
        P: DeserializeOwned + Send,
        R: Serialize + Clone + Send + 'static,
        F: Future<Output = Result<R, ApiError>> + Send,
    {
        let name = description.name;
        self.described.push(description.describe());
        self.module
            .register_async_method(name, move |params, node, _| {
                let method = method.clone();
                async move { method(node, parse(&params)?).await.map_err(refuse) }
            })
            .expect("the names differ");
    }

    fn subscribe<P, F>(
        &mut self,
        description: Method,
        names: Names,
        service: (Streams, Duration),
        begin: impl Fn(Node, P) -> F + Clone + Send + Sync + 'static,
    ) where
        P: DeserializeOwned + Send + 'static,
        F: Future<Output = Result<Notices, ApiError>> + Send + 'static,
    {
        let name = description.name;
        let Names {
            notification,
            unsubscribe,
            ..
        } = names;
        self.described.push(description.describe());
        self.described.push(openrpc::unsubscribing(unsubscribe));
        let described = openrpc::notification(notification, name, unsubscribe, names.notice);
        self.notifications.push(described);
        self.subscriptions.extend([name, unsubscribe]);
        self.module
            .register_subscription(
                name,
                notification,
                unsubscribe,
                move |params, pending, node, extensions| {
                    let (service, begin) = (service.clone(), begin.clone());
                    let asking = extensions.get::<Asking>().cloned().unwrap_or_default();
                    asking.scope(subscribe::run(params, pending, node, service, begin))
                },
            )
            .expect("the names differ");
    }

    /// The methods as requests by POST have them: nothing can be followed by an answer.
    fn without_subscriptions(&self) -> RpcModule<Node> {
        let mut module = self.module.clone();
        for name in &self.subscriptions {
            module.remove_method(name);
            module
                .register_method(name, |_, _, _| {
                    let text = "subscriptions need a WebSocket";
                    let error = ApiError::invalid("method", Reason::RequestMalformed, text);
                    Err::<(), _>(refuse(error))
                })
                .expect("removed just now");
        }
        module
    }
}

fn methods(node: Node, streams: &Streams, limits: &Limits) -> Methods {
    let mut methods = Methods {
        module: RpcModule::new(node),
        subscriptions: Vec::new(),
        described: Vec::new(),
        notifications: Vec::new(),
    };
    entries::register(&mut methods);
    // In hex they take twice that, and they don't come alone.
    reading::register(&mut methods, limits.answer_size_max / 8 * 3);
    documents::register(&mut methods, limits.page_size_max);
    peers::register(&mut methods);
    subscribe::register(&mut methods, streams, limits);

    let document = openrpc::document(&methods.described, &methods.notifications);
    methods
        .module
        .register_method("rpc.discover", move |_, _, _| document.clone())
        .expect("the names differ");
    methods
}

/// Reads parameters by name or by position; members nobody knows are ignored.
fn parse<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ErrorObjectOwned> {
    serde_json::from_str(params.as_str().unwrap_or("null")).map_err(|error| {
        let reason = Reason::RequestMalformed;
        let data = json!({
            "code": reason.code(),
            "phase": reason.phase().name(),
            "detail": error.to_string(),
        });
        ErrorObjectOwned::owned(INVALID_PARAMS_CODE, INVALID_PARAMS_MSG, Some(data))
    })
}

fn refuse(error: ApiError) -> ErrorObjectOwned {
    //= RC4: a refusal carries its reason
    ErrorObjectOwned::owned(
        REFUSED,
        error.to_string(),
        Some(entries::details_here(&error)),
    )
}
