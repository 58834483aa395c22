//! Methods of authors: next arguments and publishing.

use std::sync::Arc;
use std::time::Duration;

use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{bytes_argument, details};
use super::Methods;
use super::openrpc::{
    any_object, boolean, count, hash, hex, list, method, number, object, one_of, or_null,
    public_key, view_id,
};
use crate::api::{ApiError, parse};
use crate::runtime::Node;
use crate::runtime::events::publish_until_visible;
use crate::store::Read;

/// Most things asked or handed in at once.
const LIST_LEN_MAX: usize = 10_000;

//= RC2: the first three methods are called and called for as in the first nodes
/// Adds the methods.
pub(super) fn register(methods: &mut Methods) {
    let summary = "What an author needs to know to write the next entry of a document, or of a new one. Who asks for a \
         new one a second time before publishing is told of another log.";
    let description = method("panda_getEntryArguments", summary, arguments_schema())
        .needs("author", public_key())
        .takes("document", hash());
    methods.add(description, entry_arguments);

    let summary = "The same for many documents of one author, null standing for a new one.";
    let description = method("panda_getManyEntryArguments", summary, results_schema())
        .needs("author", public_key())
        .needs("documents", list(or_null(hash())));
    methods.add(description, many_entry_arguments);

    let summary = "Publishes an entry with its operation. Once answered it is durable and shows in every \
                   later answer; to publish it again does no harm.";
    let description = method("panda_publishEntry", summary, arguments_schema())
        .needs("entryEncoded", hex())
        .needs("operationEncoded", hex());
    methods.add(description, publish_entry);

    let summary = "Publishes an entry and answers once its effect shows in what this node answers, with what the \
                   document is then. Where several nodes serve one database, others may show it a moment \
                   later. The time limit is in milliseconds, 10000 when absent.";
    let result = object([
        ("entryHashBacklink", or_null(hash())),
        ("entryHashSkiplink", or_null(hash())),
        ("seqNum", number()),
        ("logId", number()),
        ("documentId", hash()),
        ("viewId", view_id()),
        ("deleted", boolean()),
    ]);
    let description = method("panda_publishEntryAndWait", summary, result)
        .needs("entryEncoded", hex())
        .needs("operationEncoded", hex())
        .takes("timeout", count());
    methods.add(description, publish_entry_and_wait);

    let summary = "Publishes entries in their order, each with an answer of its own.";
    let entry = object([("entryEncoded", hex()), ("operationEncoded", hex())]);
    let description =
        method("panda_publishEntries", summary, results_schema()).needs("entries", list(entry));
    methods.add(description, publish_entries);
}

fn arguments_schema() -> Value {
    object([
        ("entryHashBacklink", or_null(hash())),
        ("entryHashSkiplink", or_null(hash())),
        ("seqNum", number()),
        ("logId", number()),
    ])
}

fn results_schema() -> Value {
    let outcome = one_of([
        object([("result", arguments_schema())]),
        object([("error", any_object())]),
    ]);
    object([("results", list(outcome))])
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

//= RC3: numbers of 64 bits are decimal strings
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

/// What programs need to know of a refusal, with fresh arguments in the words of this API.
pub(super) fn details_here(error: &ApiError) -> Value {
    let mut details = details(error);
    if let Some((_, next)) = error.would_fork() {
        details["nextArgs"] = json!(next.map(|args| EntryArguments::from(*args)));
    }
    details
}

async fn entry_arguments(
    node: Arc<Node>,
    params: EntryArgumentsParams,
) -> Result<EntryArguments, ApiError> {
    let author = parse("author", &params.author)?;
    let view_id = view_of_document(params.document.as_deref())?;
    let (proposals, now) = (node.proposals().clone(), Instant::now());
    let question =
        move |store: &dyn Read| proposals.next_args(store, now, author, view_id.as_ref());
    Ok(node.read(question).await?.into())
}

/// A document by its id, which is the id of its first view as well.
fn view_of_document(document: Option<&str>) -> Result<Option<DocumentViewId>, ApiError> {
    let id: Option<DocumentId> = document.map(|text| parse("document", text)).transpose()?;
    Ok(id.map(DocumentViewId::from))
}

#[derive(Deserialize)]
struct ManyEntryArgumentsParams {
    author: String,
    documents: Vec<Option<String>>,
}

/// Answers to several questions in their order. Each stands for itself.
#[derive(Clone, Serialize)]
struct Results<T> {
    results: Vec<Outcome<T>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome<T> {
    Result(T),
    Error(Value),
}

impl<T> From<Result<T, ApiError>> for Outcome<T> {
    fn from(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(result) => Self::Result(result),
            Err(error) => {
                let mut details = details_here(&error);
                details["message"] = error.to_string().into();
                Self::Error(details)
            }
        }
    }
}

async fn many_entry_arguments(
    node: Arc<Node>,
    params: ManyEntryArgumentsParams,
) -> Result<Results<EntryArguments>, ApiError> {
    bounded("documents", params.documents.len())?;
    let author = parse("author", &params.author)?;
    let (proposals, now) = (node.proposals().clone(), Instant::now());
    let question = move |store: &dyn Read| {
        let args = |document: Option<String>| {
            let view_id = view_of_document(document.as_deref())?;
            let args = proposals.next_args(store, now, author, view_id.as_ref())?;
            Ok(args.into())
        };
        let documents = params.documents.into_iter();
        Ok(documents.map(|document| args(document).into()).collect())
    };
    let results = node.read(question).await?;
    Ok(Results { results })
}

/// Refuses lists of questions that are too long.
fn bounded(name: &'static str, count: usize) -> Result<(), ApiError> {
    if count > LIST_LEN_MAX {
        let text = "too many at once";
        return Err(ApiError::invalid(name, Reason::RequestTooLarge, text));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishEntryParams {
    entry_encoded: String,
    operation_encoded: String,
}

impl PublishEntryParams {
    fn bytes(&self) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
        let entry = bytes_argument("entryEncoded", &self.entry_encoded)?;
        let operation = bytes_argument("operationEncoded", &self.operation_encoded)?;
        Ok((entry, operation))
    }
}

async fn publish_entry(
    node: Arc<Node>,
    params: PublishEntryParams,
) -> Result<EntryArguments, ApiError> {
    let (entry, operation) = params.bytes()?;
    Ok(node.publish(entry, operation).await?.into())
}

#[derive(Deserialize)]
struct PublishAndWaitParams {
    #[serde(flatten)]
    entry: PublishEntryParams,
    #[serde(default)]
    timeout: Option<u32>,
}

/// Arguments of the next entry, and the document the published one shows in.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishedAndVisible {
    #[serde(flatten)]
    arguments: EntryArguments,
    document_id: String,
    view_id: String,
    deleted: bool,
}

async fn publish_entry_and_wait(
    node: Arc<Node>,
    params: PublishAndWaitParams,
) -> Result<PublishedAndVisible, ApiError> {
    let (entry, operation) = params.entry.bytes()?;
    let timeout = params
        .timeout
        .map(|millis| Duration::from_millis(millis.into()));
    let (args, visible) = publish_until_visible(&node, entry, operation, timeout).await?;
    Ok(PublishedAndVisible {
        arguments: args.into(),
        document_id: visible.document_id.to_string(),
        view_id: visible.view_id.to_string(),
        deleted: visible.deleted,
    })
}

#[derive(Deserialize)]
struct PublishEntriesParams {
    entries: Vec<PublishEntryParams>,
}

/// Publishes entries in their order. One that is refused keeps none of the others out, except those
/// that build on it.
async fn publish_entries(
    node: Arc<Node>,
    params: PublishEntriesParams,
) -> Result<Results<EntryArguments>, ApiError> {
    bounded("entries", params.entries.len())?;
    let bytes = params.entries.iter().map(PublishEntryParams::bytes);
    let answers = node.publish_all(bytes.collect::<Result<_, _>>()?).await;
    let results = answers.into_iter();
    Ok(Results {
        results: results
            .map(|result| result.map(EntryArguments::from).into())
            .collect(),
    })
}
