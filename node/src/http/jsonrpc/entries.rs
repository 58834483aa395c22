//! Methods about entries: next arguments, publishing, reading logs.

use std::sync::Arc;

use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{DocumentId, DocumentViewId, Hash, LogId, PublicKey, SeqNum};
use grove_core::wire::{Entry, Heights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{bytes_argument, details};
use super::Methods;
use super::openrpc::{
    any_object, count, hash, hex, list, method, number, object, one_of, or_null, public_key, text,
};
use crate::api::{self, ApiError, parse};
use crate::runtime::Node;
use crate::store::{EntryRow, Read, StoreError};

/// Most things asked or handed in at once.
const LIST_LEN_MAX: usize = 10_000;

/// Entries of a log read at once, whatever is asked: each may be megabytes large, and all are held at
/// once.
const ENTRIES_MAX: u32 = 100;

//= RC2: the first three methods are called and called for as in the first nodes
/// Adds the methods.
pub(super) fn register(methods: &mut Methods) {
    let summary =
        "What an author needs to know to write the next entry of a document, or of a new one.";
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

    let summary = "Publishes entries in their order, each with an answer of its own.";
    let entry = object([("entryEncoded", hex()), ("operationEncoded", hex())]);
    let description =
        method("panda_publishEntries", summary, results_schema()).needs("entries", list(entry));
    methods.add(description, publish_entries);

    let summary = "All entries of the documents of a schema.";
    let description =
        method("panda_queryEntries", summary, entries_schema()).needs("schema", text());
    methods.add(description, query_entries);

    let summary = "Entries of one log from a sequence number on, as far as they count.";
    let description = method("panda_getLogEntries", summary, entries_schema())
        .needs("author", public_key())
        .needs("logId", number())
        .takes("from", number())
        .takes("first", count());
    methods.add(description, log_entries);

    let summary = "The two entries that prove a log to be forked, null while nobody knows of any.";
    let proof = object([
        ("seqNum", number()),
        ("entries", list(hex())),
        ("entryHashes", list(hash())),
    ]);
    let description = method("panda_getFork", summary, or_null(proof))
        .needs("author", public_key())
        .needs("logId", number());
    methods.add(description, fork);
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

fn entries_schema() -> Value {
    let entry = object([
        ("author", public_key()),
        ("entryBytes", hex()),
        ("entryHash", hash()),
        ("logId", number()),
        ("payloadBytes", or_null(hex())),
        ("payloadHash", hash()),
        ("seqNum", number()),
    ]);
    object([("entries", list(entry))])
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

async fn entry_arguments(
    node: Arc<Node>,
    params: EntryArgumentsParams,
) -> Result<EntryArguments, ApiError> {
    let author = parse("author", &params.author)?;
    let view_id = view_of_document(params.document.as_deref())?;
    let question = move |store: &dyn Read| api::next_args(store, author, view_id.as_ref());
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
                let mut details = details(&error);
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
    let question = move |store: &dyn Read| {
        let args = |document: Option<String>| {
            let view_id = view_of_document(document.as_deref())?;
            Ok(api::next_args(store, author, view_id.as_ref())?.into())
        };
        let documents = params.documents.into_iter();
        Ok(documents.map(|document| args(document).into()).collect())
    };
    let results = node.read(question).await?;
    Ok(Results { results })
}

/// Size of all entries and operations in one answer, in bytes; in hex they take twice that.
const ENTRIES_SIZE_MAX: usize = 24 << 20;

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
            entry_bytes: ::hex::encode(&row.entry),
            entry_hash: row.hash.to_string(),
            log_id: row.log_id.as_u64().to_string(),
            payload_bytes: row.payload.map(::hex::encode),
            payload_hash: entry.payload_hash.to_string(),
            seq_num: row.seq_num.as_u64().to_string(),
        })
    }
}

async fn query_entries(node: Arc<Node>, params: QueryEntriesParams) -> Result<Entries, ApiError> {
    let schema_id = parse("schema", &params.schema)?;
    let rows = node
        .read(move |store| api::entries_of_schema(store, &schema_id, ENTRIES_SIZE_MAX))
        .await?;
    Entries::of(rows)
}

impl Entries {
    fn of(rows: Vec<EntryRow>) -> Result<Self, ApiError> {
        let entries = rows.into_iter().map(StoredEntry::try_from);
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntriesParams {
    author: String,
    log_id: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    first: Option<u32>,
}

/// Entries of one log from a sequence number on, those from a fork on left out.
async fn log_entries(node: Arc<Node>, params: LogEntriesParams) -> Result<Entries, ApiError> {
    let author: PublicKey = parse("author", &params.author)?;
    let log_id: LogId = parse("logId", &params.log_id)?;
    let from = match params.from {
        Some(from) => parse("from", &from)?,
        None => SeqNum::FIRST,
    };
    let first = params.first.unwrap_or(ENTRIES_MAX).min(ENTRIES_MAX);
    let starts = Heights::from([(author, [(log_id, from)].into())]);
    let question = move |store: &dyn Read| api::entries(store, &starts, first, ENTRIES_SIZE_MAX);
    Entries::of(node.read(question).await?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkParams {
    author: String,
    log_id: String,
}

/// The proof that a log is forked: anybody can check it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fork {
    seq_num: String,
    entries: [String; 2],
    entry_hashes: [String; 2],
}

async fn fork(node: Arc<Node>, params: ForkParams) -> Result<Option<Fork>, ApiError> {
    let author: PublicKey = parse("author", &params.author)?;
    let log_id: LogId = parse("logId", &params.log_id)?;
    let fork = node
        .read(move |store| Ok(store.fork(author, log_id)?))
        .await?;
    Ok(fork.map(|fork| {
        let entries = [&fork.first, &fork.second];
        Fork {
            seq_num: fork.seq_num.as_u64().to_string(),
            entries: entries.map(::hex::encode),
            entry_hashes: entries.map(|entry| Hash::of(entry).to_string()),
        }
    }))
}
