//! GraphQL on `/graphql`: by POST and GET, over WebSocket, and as server-sent events (`transport`).
//!
//! Whatever is asked and however it comes, it takes one way: its text becomes a `document` that is parsed,
//! bounded and judged with the types of the `schema` that it names; document and variables become a `plan`;
//! by that `load` reads everything from one state of the store, and `show` writes the answer. Parsing,
//! validation and introspection are the library's.

mod arguments;
mod budget;
mod describe;
mod document;
mod error;
mod filter;
mod follow;
mod list;
mod load;
mod page;
mod plan;
mod running;
mod schema;
mod show;
mod transport;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use self::budget::Pool;
use self::document::kept::Kept;
use self::schema::known::Known;
use super::Limits;
use super::connections::Memory;
use super::streams::Streams;
use crate::runtime::Node;

/// The route.
pub(super) fn routes(node: Node, streams: Streams, limits: &Limits, memory: &Memory) -> Router {
    transport::routes(Service {
        pool: Pool::new(limits.answers_size_max),
        schemas: node.schemas_changed(),
        node,
        known: Arc::default(),
        kept: Arc::default(),
        limits: limits.clone(),
        memory: memory.clone(),
        streams,
    })
}

/// What is asked: a document with variables. Members nobody knows are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    /// None is known, but they have a form.
    #[serde(default, rename = "extensions")]
    _extensions: Option<Map<String, Value>>,
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
    /// Counts the changes of the node's schemas.
    schemas: watch::Receiver<u64>,
    known: Arc<Known>,
    kept: Arc<Kept>,
    limits: Limits,
    /// What all requests that are being read may take.
    memory: Memory,
    streams: Streams,
    /// What all answers being made may take.
    pool: Pool,
}
