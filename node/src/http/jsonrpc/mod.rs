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
//! Method names, parameter names and the order of result members of the first three are those of node
//! 0.2.0; log ids start at 0 and operations are CBOR arrays, as everywhere today.

mod documents;
mod entries;
mod openrpc;
mod reading;
mod subscribe;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use grove_core::Reason;
use jsonrpsee::server::{
    BatchRequestConfig, PingConfig, RpcModule, Server, ServerConfig, ServerConfigBuilder,
    ServerHandle, TowerService, http, stop_channel,
};
use jsonrpsee::types::error::{
    ErrorCode, ErrorObjectOwned, INVALID_PARAMS_CODE, INVALID_PARAMS_MSG,
};
use jsonrpsee::types::{Notification, Params, Request as Call};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tower::Service;
use tower::layer::util::Identity;

use self::openrpc::Method;
use self::subscribe::{Counting, Names, Notices};
use super::streams::{Streams, message_size_max};
use super::{Limits, details, is_bulky};
use crate::api::ApiError;
use crate::runtime::Node;

/// Code of every error of ours; `data.code` says which. The specification leaves it to servers.
const REFUSED: i32 = -32000;

/// What a browser sees that was pointed here.
const GREETING: &str = "This is a p2panda node. POST JSON-RPC 2.0 here, or open a WebSocket; \
                        GraphQL is at /graphql.\n";

/// Messages of one WebSocket being worked on or waiting to be sent; no more are read meanwhile.
const SOCKET_MESSAGES_MAX: u32 = 32;

#[derive(Clone)]
struct Rpc {
    posts: TowerService<Identity, Identity>,
    sockets: TowerService<Identity, Identity>,
    body_size_max: usize,
    json_values_max: usize,
}

/// The route, and the handle that closes its WebSockets.
pub(super) fn routes(node: Node, streams: Streams, limits: &Limits) -> (Router, ServerHandle) {
    let config = |body_size_max: usize, connections_max: usize| {
        ServerConfig::builder()
            .max_request_body_size(saturated(body_size_max))
            .max_response_body_size(saturated(limits.answer_size_max))
            .max_connections(saturated(connections_max))
            .set_message_buffer_capacity(SOCKET_MESSAGES_MAX)
            .set_batch_request_config(BatchRequestConfig::Limit(limits.batch_len_max))
            .max_subscriptions_per_connection(limits.subscriptions_per_socket_max)
            .set_id_provider(Counting::default())
    };
    let posts = config(limits.body_size_max, limits.connections_max);
    let mut sockets = config(message_size_max(limits), limits.sockets_max);
    if let Some(interval) = limits.ping_interval {
        let inactive = interval + limits.head_timeout;
        let ping = PingConfig::new()
            .ping_interval(interval)
            .inactive_limit(inactive);
        sockets = sockets.enable_ws_ping(ping);
    }
    let (stopped, handle) = stop_channel();
    let methods = methods(node, &streams, limits);
    let service = |config: ServerConfigBuilder, methods: RpcModule<Node>| {
        Server::builder()
            .set_config(config.build())
            .to_service_builder()
            .build(methods, stopped.clone())
    };
    let routes = get(greet_or_upgrade).post(answer);
    let rpc = Rpc {
        posts: service(posts, methods.without_subscriptions()),
        sockets: service(sockets, methods.module),
        body_size_max: limits.body_size_max,
        json_values_max: limits.json_values_max,
    };
    (Router::new().route("/", routes).with_state(rpc), handle)
}

fn saturated(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

async fn greet_or_upgrade(State(rpc): State<Rpc>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        call(rpc.sockets, request).await
    } else {
        GREETING.into_response()
    }
}

async fn answer(State(rpc): State<Rpc>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, rpc.body_size_max).await;
    let Some(body) = body
        .ok()
        .filter(|body| !is_bulky(body, rpc.json_values_max))
    else {
        return http::response::too_large(saturated(rpc.body_size_max)).map(Body::new);
    };
    if let Some(id) = id_of_invalid_request(&body) {
        let error = ErrorObjectOwned::from(ErrorCode::InvalidRequest);
        return Json(json!({ "jsonrpc": "2.0", "error": error, "id": id })).into_response();
    }
    let body = without_ill_named_calls(&body).map_or(body, Into::into);
    // Early nodes did not look at the content type, and clients send all kinds.
    let json = HeaderValue::from_static("application/json");
    head.headers.insert(header::CONTENT_TYPE, json);
    call(rpc.posts, Request::from_parts(head, Body::from(body))).await
}

async fn call(mut service: TowerService<Identity, Identity>, request: Request) -> Response {
    match service.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::debug!(%error, "JSON-RPC request not answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

//= RC1: what is no request is told so with the codes of the specification
/// The id of what is JSON but no request, null without one; `None` for everything else. The library
/// would call it a parse error, which the specification keeps for what is not JSON.
fn id_of_invalid_request(body: &[u8]) -> Option<Value> {
    let is_batch = body.trim_ascii_start().starts_with(b"[");
    let is_notification =
        || serde_json::from_slice::<Notification<'_, Option<IgnoredAny>>>(body).is_ok();
    if is_batch
        || serde_json::from_slice::<Call<'_>>(body).is_ok()
        || is_notification() && !is_ill_named(body)
    {
        return None;
    }
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let id = request.get_mut("id").map(Value::take);
    Some(
        id.filter(|id| id.is_string() || id.is_u64())
            .unwrap_or_default(),
    )
}

/// Whether a call names itself by what is no id. The library would take it for one that wants no answer.
fn is_ill_named(call: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
    }
    let id = serde_json::from_slice::<Named<'_>>(call).ok();
    let id = id.and_then(|named| named.id);
    id.is_some_and(|id| !id.get().starts_with('"') && id.get().parse::<u64>().is_err())
}

/// A batch with those calls that are ill named made into no requests at all, if there are any.
fn without_ill_named_calls(body: &[u8]) -> Option<Vec<u8>> {
    let mut calls: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let mut changed = false;
    for call in &mut calls {
        if is_ill_named(call.get().as_bytes()) {
            *call = RawValue::NULL;
            changed = true;
        }
    }
    changed.then(|| serde_json::to_vec(&calls).ok())?
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
                move |params, pending, node, _| {
                    let (service, begin) = (service.clone(), begin.clone());
                    subscribe::run(params, pending, node, service, begin)
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
    documents::register(&mut methods);
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
    ErrorObjectOwned::owned(REFUSED, error.to_string(), Some(details(&error)))
}
