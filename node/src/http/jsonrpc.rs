//! JSON-RPC 2.0 on `/`: the three methods of early p2panda nodes, by POST and over WebSocket.
//!
//! Method names, parameter names and the order of result members are those of node 0.2.0; log ids
//! start at 0 and operations are CBOR arrays, as everywhere today.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId, PublicKey, SchemaId};
use grove_core::wire::Entry;
use jsonrpsee::server::{
    BatchRequestConfig, NoopIdProvider, PingConfig, RpcModule, Server, ServerConfig, ServerHandle,
    TowerService, http, stop_channel,
};
use jsonrpsee::types::error::{
    ErrorCode, ErrorObjectOwned, INVALID_PARAMS_CODE, INVALID_PARAMS_MSG,
};
use jsonrpsee::types::{Notification, Params, Request as Call};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::Service;
use tower::layer::util::Identity;

use super::{Limits, bytes_argument, details};
use crate::api::{self, ApiError};
use crate::runtime::Node;
use crate::store::{EntryRow, StoreError};

/// Code of every error of ours; `data.code` says which. The specification leaves it to servers.
const REFUSED: i32 = -32000;

/// What a browser sees that was pointed here.
const GREETING: &str = "This is a p2panda node. POST JSON-RPC 2.0 here, or open a WebSocket; \
                        GraphQL is at /graphql.\n";

#[derive(Clone)]
struct Rpc {
    service: TowerService<Identity, Identity>,
    body_size_max: u32,
}

/// The route, and the handle that closes its WebSockets.
pub(super) fn routes(node: Node, limits: &Limits) -> (Router, ServerHandle) {
    let saturated = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let body_size_max = saturated(limits.body_size_max);
    let mut config = ServerConfig::builder()
        .max_request_body_size(body_size_max)
        .max_response_body_size(saturated(limits.answer_size_max))
        .max_connections(saturated(limits.connections_max))
        .set_batch_request_config(BatchRequestConfig::Limit(limits.batch_len_max))
        .set_id_provider(NoopIdProvider);
    if let Some(interval) = limits.ping_interval {
        let inactive = interval + limits.head_timeout;
        let ping = PingConfig::new()
            .ping_interval(interval)
            .inactive_limit(inactive);
        config = config.enable_ws_ping(ping);
    }
    let (stopped, handle) = stop_channel();
    let service = Server::builder()
        .set_config(config.build())
        .to_service_builder()
        .build(methods(node), stopped);
    let routes = get(greet_or_upgrade).post(answer);
    let rpc = Rpc {
        service,
        body_size_max,
    };
    (Router::new().route("/", routes).with_state(rpc), handle)
}

async fn greet_or_upgrade(State(rpc): State<Rpc>, request: Request) -> Response {
    if request.headers().contains_key(header::UPGRADE) {
        rpc.call(request).await
    } else {
        GREETING.into_response()
    }
}

async fn answer(State(rpc): State<Rpc>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, rpc.body_size_max as usize).await else {
        return http::response::too_large(rpc.body_size_max).map(Body::new);
    };
    if let Some(id) = id_of_invalid_request(&body) {
        let error = ErrorObjectOwned::from(ErrorCode::InvalidRequest);
        return Json(json!({ "jsonrpc": "2.0", "error": error, "id": id })).into_response();
    }
    // Early nodes did not look at the content type, and clients send all kinds.
    let json = HeaderValue::from_static("application/json");
    head.headers.insert(header::CONTENT_TYPE, json);
    rpc.call(Request::from_parts(head, Body::from(body))).await
}

impl Rpc {
    async fn call(mut self, request: Request) -> Response {
        match self.service.call(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                tracing::debug!(%error, "JSON-RPC request not answered");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// The id of what is JSON but no request, null without one; `None` for everything else. The library
/// would call it a parse error, which the specification keeps for what is not JSON.
fn id_of_invalid_request(body: &[u8]) -> Option<Value> {
    let is_batch = body.trim_ascii_start().starts_with(b"[");
    if is_batch
        || serde_json::from_slice::<Call<'_>>(body).is_ok()
        || serde_json::from_slice::<Notification<'_, Option<IgnoredAny>>>(body).is_ok()
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

fn methods(node: Node) -> RpcModule<Node> {
    let mut module = RpcModule::new(node);
    module
        .register_async_method("panda_getEntryArguments", |params, node, _| async move {
            entry_arguments(&node, parse(&params)?)
                .await
                .map_err(refuse)
        })
        .expect("the names differ");
    module
        .register_async_method("panda_publishEntry", |params, node, _| async move {
            publish_entry(&node, parse(&params)?).await.map_err(refuse)
        })
        .expect("the names differ");
    module
        .register_async_method("panda_queryEntries", |params, node, _| async move {
            query_entries(&node, parse(&params)?).await.map_err(refuse)
        })
        .expect("the names differ");
    module
}

#[derive(Deserialize)]
struct EntryArgumentsParams {
    author: String,
    #[serde(default)]
    document: Option<String>,
}

/// Arguments of the next entry; what the client is to write into it, and thus its members' order.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryArguments {
    entry_hash_backlink: Option<String>,
    entry_hash_skiplink: Option<String>,
    seq_num: String,
    log_id: String,
}

impl From<NextArgs> for EntryArguments {
    fn from(args: NextArgs) -> Self {
        Self {
            entry_hash_backlink: args.backlink.map(|hash| hash.to_string()),
            entry_hash_skiplink: args.skiplink.map(|hash| hash.to_string()),
            seq_num: args.seq_num.as_u64().to_string(),
            log_id: args.log_id.as_u64().to_string(),
        }
    }
}

async fn entry_arguments(
    node: &Node,
    params: EntryArgumentsParams,
) -> Result<EntryArguments, ApiError> {
    let author: PublicKey = params
        .author
        .parse()
        .map_err(|error| ApiError::argument("author", &error))?;
    let document: Option<DocumentId> = match params.document {
        Some(text) => Some(
            text.parse()
                .map_err(|error| ApiError::argument("document", &error))?,
        ),
        None => None,
    };
    let view_id = document.map(DocumentViewId::from);
    let args = node
        .read(move |store| api::next_args(store, author, view_id.as_ref()))
        .await?;
    Ok(args.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishEntryParams {
    entry_encoded: String,
    operation_encoded: String,
}

async fn publish_entry(
    node: &Node,
    params: PublishEntryParams,
) -> Result<EntryArguments, ApiError> {
    let entry = bytes_argument("entryEncoded", &params.entry_encoded)?;
    let operation = bytes_argument("operationEncoded", &params.operation_encoded)?;
    Ok(node.publish(entry, operation).await?.into())
}

#[derive(Deserialize)]
struct QueryEntriesParams {
    schema: String,
}

#[derive(Clone, Serialize)]
struct Entries {
    entries: Vec<StoredEntry>,
}

/// An entry as it was published.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredEntry {
    author: String,
    entry_bytes: String,
    entry_hash: String,
    log_id: String,
    payload_bytes: Option<String>,
    payload_hash: String,
    seq_num: String,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let entry = Entry::decode(&row.entry).map_err(|_| StoreError::Corrupt("entry"))?;
        Ok(Self {
            author: row.public_key.to_string(),
            entry_bytes: hex::encode(&row.entry),
            entry_hash: row.hash.to_string(),
            log_id: row.log_id.as_u64().to_string(),
            payload_bytes: row.payload.map(hex::encode),
            payload_hash: entry.payload_hash.to_string(),
            seq_num: row.seq_num.as_u64().to_string(),
        })
    }
}

async fn query_entries(node: &Node, params: QueryEntriesParams) -> Result<Entries, ApiError> {
    let schema_id: SchemaId = params
        .schema
        .parse()
        .map_err(|error| ApiError::argument("schema", &error))?;
    let rows = node
        .read(move |store| api::entries_of_schema(store, &schema_id))
        .await?;
    let entries = rows
        .into_iter()
        .map(StoredEntry::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Entries { entries })
}

/// Reads parameters by name or by position; members nobody knows are ignored.
fn parse<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ErrorObjectOwned> {
    serde_json::from_str(params.as_str().unwrap_or("null")).map_err(|error| {
        let reason = grove_core::Reason::RequestMalformed;
        let data = json!({
            "code": reason.code(),
            "phase": reason.phase().name(),
            "detail": error.to_string(),
        });
        ErrorObjectOwned::owned(INVALID_PARAMS_CODE, INVALID_PARAMS_MSG, Some(data))
    })
}

fn refuse(error: ApiError) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(REFUSED, error.to_string(), Some(details(&error)))
}
