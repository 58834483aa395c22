//! Subscriptions over WebSocket: new entries, and documents as they change.
//!
//! A subscription is begun by its method, which answers an id; what happens comes in notifications that
//! carry it. They wait for a client that is slow to read, up to a bound; the store holds what it missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use grove_core::types::SchemaId;
use jsonrpsee::core::server::SubscriptionCloseResponse;
use jsonrpsee::core::traits::IdProvider;
use jsonrpsee::server::{PendingSubscriptionSink, SubscriptionSink};
use jsonrpsee::types::{ErrorObjectOwned, Params, SubscriptionId};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::documents::{document_out, document_schema, schema_of};
use super::openrpc::{
    any_object, boolean, hash, method, number, object, or_null, subscription, text,
};
use super::reading::{PlacedEntry, placed_entry_schema};
use super::{Methods, parse as parse_params, refuse};
use crate::api::{self, ApiError, Asked, DocumentEvent, Subject, parse};
use crate::http::Limits;
use crate::http::streams::{Streams, SubscriptionPlace};
use crate::runtime::Node;
use crate::runtime::events::{Documents, Entries};
use crate::store::Read;

/// Gives subscriptions the numbers they are known by, one after the other: drawing lots would make
/// simulations differ.
#[derive(Debug, Default)]
pub(super) struct Counting(AtomicU64);

impl IdProvider for Counting {
    fn next_id(&self) -> SubscriptionId<'static> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        SubscriptionId::Str(number.to_string().into())
    }
}

/// What comes in notifications.
pub(super) type Notices = BoxStream<'static, Result<Box<RawValue>, ApiError>>;

/// Adds the methods.
pub(super) fn register(methods: &mut Methods, streams: &Streams, limits: &Limits) {
    let summary = "New entries as the node accepts them, of all documents or of those of a schema; with \
                   `after` those behind a position first. An entry may come twice, none is left out.";
    let description = method("panda_subscribeEntries", summary, subscription())
        .takes("schema", text())
        .takes("after", number());
    let names = Names {
        notification: "panda_entries",
        unsubscribe: "panda_unsubscribeEntries",
        notice: placed_entry_schema(),
    };
    let service = (streams.clone(), limits.request_timeout);
    methods.subscribe(description, names, service.clone(), entries);

    let summary = "Documents of a schema as they change: those that meet `filter` and `meta` after a change, and \
                   all that are deleted unless `meta` excludes their id or owner; with `misses` those that \
                   do not meet them too. With `id` one document, as it is now and whenever it changes. \
                   `after` goes on behind the cursor of an event.";
    let description = method("panda_subscribeDocuments", summary, subscription())
        .needs("schema", text())
        .takes("id", hash())
        .takes("filter", any_object())
        .takes("meta", any_object())
        .takes("misses", boolean())
        .takes("after", text());
    let names = Names {
        notification: "panda_documents",
        unsubscribe: "panda_unsubscribeDocuments",
        notice: object([
            ("cursor", text()),
            ("id", hash()),
            ("deleted", boolean()),
            ("matches", boolean()),
            ("document", or_null(document_schema())),
        ]),
    };
    methods.subscribe(description, names, service, documents);
}

/// What belongs to a subscription beside the method that begins it.
pub(super) struct Names {
    pub(super) notification: &'static str,
    pub(super) unsubscribe: &'static str,
    /// The schema of what comes.
    pub(super) notice: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct EntriesParams {
    schema: Option<String>,
    after: Option<String>,
}

async fn entries(node: Node, params: Option<EntriesParams>) -> Result<Notices, ApiError> {
    let params = params.unwrap_or_default();
    let schema_id = params.schema.map(|text| parse("schema", &text));
    let entries = Entries::begin(node, schema_id.transpose()?, params.after).await?;
    Ok(stream::unfold(entries, async |mut entries| {
        let row = entries.next().await.transpose()?;
        let notice = row.and_then(|row| raw(&PlacedEntry::try_from(row)?));
        Some((notice, entries))
    })
    .boxed())
}

#[derive(Deserialize)]
pub(super) struct DocumentsParams {
    schema: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    filter: Value,
    #[serde(default)]
    meta: Value,
    #[serde(default)]
    misses: Option<bool>,
    #[serde(default)]
    after: Option<String>,
}

async fn documents(node: Node, params: DocumentsParams) -> Result<Notices, ApiError> {
    let schema_id: SchemaId = parse("schema", &params.schema)?;
    let asked = Asked {
        filter: params.filter,
        meta: params.meta,
        ..Asked::default()
    };
    let wanted = schema_id.clone();
    let question = move |store: &dyn Read| api::read_query(&schema_of(store, &wanted)?, &asked);
    let (query, _) = node.read(question).await?;
    let subject = match params.id {
        Some(id) => Subject::Document {
            schema_id,
            id: parse("id", &id)?,
        },
        None => Subject::Collection {
            schema_id,
            query,
            misses: params.misses.unwrap_or(false),
        },
    };
    let documents = Documents::begin(node, subject, params.after).await?;
    Ok(stream::unfold(documents, async |mut documents| {
        let event = documents.next().await.transpose()?;
        Some((event.and_then(|event| raw(&event_out(&event))), documents))
    })
    .boxed())
}

fn event_out(event: &DocumentEvent) -> Value {
    json!({
        "cursor": event.cursor.to_string(),
        "id": event.id.to_string(),
        "deleted": event.deleted,
        "matches": event.matches,
        "document": event.row.as_ref().map(document_out),
    })
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, ApiError> {
    Ok(to_raw_value(value).expect("what is answered is JSON"))
}

/// Runs one subscription from its request to its end.
pub(super) async fn run<P, F>(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    node: Arc<Node>,
    (streams, patience): (Streams, Duration),
    begin: impl Fn(Node, P) -> F,
) -> SubscriptionCloseResponse
where
    P: serde::de::DeserializeOwned,
    F: Future<Output = Result<Notices, ApiError>>,
{
    let begun = async {
        let params = parse_params(&params)?;
        let place = streams.place().map_err(refuse)?;
        let notices = begin((*node).clone(), params).await.map_err(refuse)?;
        Ok::<_, ErrorObjectOwned>((place, notices))
    };
    match begun.await {
        Ok((place, notices)) => match pending.accept().await {
            Ok(sink) => send_all(&sink, notices, place, patience).await,
            Err(_) => SubscriptionCloseResponse::None,
        },
        Err(error) => {
            pending.reject(error).await;
            SubscriptionCloseResponse::None
        }
    }
}

async fn send_all(
    sink: &SubscriptionSink,
    mut notices: Notices,
    mut place: SubscriptionPlace,
    patience: Duration,
) -> SubscriptionCloseResponse {
    loop {
        let notice = tokio::select! {
            notice = notices.next() => notice,
            () = sink.closed() => None,
            () = place.stopping() => None,
        };
        match notice {
            Some(Ok(notice)) => {
                if sink.send_timeout(notice, patience).await.is_err() {
                    return SubscriptionCloseResponse::None;
                }
            }
            Some(Err(error)) => {
                let error = to_raw_value(&refuse(error)).expect("errors are JSON");
                return SubscriptionCloseResponse::NotifErr(error.into());
            }
            None => return SubscriptionCloseResponse::None,
        }
    }
}
