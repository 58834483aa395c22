//! Methods that read what was published: entries of schemas and of logs, logs, forks.
//!
//! What comes in pages is bounded by number and by size, whatever is asked; a page says from where to go
//! on.

use std::sync::Arc;

use grove_core::Reason;
use grove_core::types::{Hash, LogId, PublicKey, SchemaId, SeqNum};
use grove_core::wire::{Entry, Heights};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Methods;
use super::openrpc::{
    boolean, count, hash, hex, list, method, number, object, or_null, public_key, text,
};
use crate::api::{self, ApiError, FollowCursor, parse};
use crate::runtime::Node;
use crate::store::{EntryRow, Read, StoreError, TreeRow};

/// Entries or logs on a page, whatever is asked: an entry may be megabytes large, and all are held at
/// once.
const PAGE_LEN_MAX: u32 = 100;

//= RC2: the third of the first methods answers as in the first nodes as long as nobody asks for pages
/// Adds the methods. No answer holds entries and operations of more than this many bytes.
pub(super) fn register(methods: &mut Methods, size_max: usize) {
    let summary = "All entries of the documents of a schema. With `first` or `after` a page of them, which \
                   says from where to go on; without, an error when they are too many for one answer.";
    let entry =
        json!({ "entries": list(entry_schema()), "hasNextPage": boolean(), "next": number() });
    let result = json!({ "type": "object", "properties": entry, "required": ["entries"] });
    let description = method("panda_queryEntries", summary, result)
        .needs("schema", text())
        .takes("first", count())
        .takes("after", number());
    methods.add(description, move |node, params| {
        query_entries(node, params, size_max)
    });

    let summary = "Entries of all documents, or of those of a schema, in the order in which the node accepted \
                   them, behind a position. `next` is where to go on, also once there is more.";
    let page = object([
        ("entries", list(placed_entry_schema())),
        ("hasNextPage", boolean()),
        ("next", number()),
    ]);
    let description = method("panda_getEntries", summary, page)
        .takes("after", number())
        .takes("first", count())
        .takes("schema", text());
    methods.add(description, move |node, params| {
        entries_from_position(node, params, size_max)
    });

    let summary = "The logs of an author, ascending by number, behind one. Of a log with branches, the \
                   document and the latest entry are those of the branch that is to be continued.";
    let log = object([
        ("logId", number()),
        ("document", hash()),
        ("schema", text()),
        ("seqNum", number()),
        ("entryHash", hash()),
        ("ended", boolean()),
        ("isBranched", boolean()),
        ("purged", boolean()),
    ]);
    let page = object([("logs", list(log)), ("next", or_null(number()))]);
    let description = method("panda_getLogs", summary, page)
        .needs("author", public_key())
        .takes("after", number())
        .takes("first", count());
    methods.add(description, logs);

    let summary = "Entries of one log with all its branches, from a sequence number on.";
    let description = method(
        "panda_getLogEntries",
        summary,
        object([("entries", list(entry_schema()))]),
    )
    .needs("author", public_key())
    .needs("logId", number())
    .takes("from", number())
    .takes("first", count());
    methods.add(description, move |node, params| {
        log_entries(node, params, size_max)
    });

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

const ENTRY_MEMBERS: usize = 7;

fn entry_members() -> [(&'static str, Value); ENTRY_MEMBERS] {
    [
        ("author", public_key()),
        ("entryBytes", hex()),
        ("entryHash", hash()),
        ("logId", number()),
        ("payloadBytes", or_null(hex())),
        ("payloadHash", hash()),
        ("seqNum", number()),
    ]
}

fn entry_schema() -> Value {
    object(entry_members())
}

/// The schema of an entry with its place.
pub(super) fn placed_entry_schema() -> Value {
    let [a, b, c, d, e, f, g] = entry_members();
    let place = [
        ("position", number()),
        ("document", hash()),
        ("schema", text()),
    ];
    let [x, y, z] = place;
    object([a, b, c, d, e, f, g, x, y, z])
}

#[derive(Deserialize)]
struct QueryEntriesParams {
    schema: String,
    #[serde(default)]
    first: Option<u32>,
    #[serde(default)]
    after: Option<String>,
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

/// An entry with its place in the order of acceptance, and where it belongs.
#[derive(Clone, Serialize)]
pub(super) struct PlacedEntry {
    #[serde(flatten)]
    entry: StoredEntry,
    position: String,
    document: String,
    schema: String,
}

impl TryFrom<EntryRow> for PlacedEntry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        Ok(Self {
            position: row.position.to_string(),
            document: row.document.to_string(),
            schema: row.schema_id.to_string(),
            entry: row.try_into()?,
        })
    }
}

/// Rows as they are answered.
fn stored<T: TryFrom<EntryRow, Error = StoreError>>(
    rows: Vec<EntryRow>,
) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(T::try_from).collect()
}

/// A page of entries and from where to go on.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct EntriesPage<T> {
    entries: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_next_page: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T: TryFrom<EntryRow, Error = StoreError>> EntriesPage<T> {
    fn of(page: api::EntriesPage) -> Result<Self, StoreError> {
        Ok(Self {
            entries: stored(page.entries)?,
            has_next_page: Some(page.has_next_page),
            next: Some(page.next.to_string()),
        })
    }
}

/// All entries of a schema, or a page of them.
async fn query_entries(
    node: Arc<Node>,
    params: QueryEntriesParams,
    size_max: usize,
) -> Result<EntriesPage<StoredEntry>, ApiError> {
    let schema_id = parse("schema", &params.schema)?;
    if params.first.is_some() || params.after.is_some() {
        let page = read_page(&node, Some(schema_id), params.after, params.first, size_max);
        return Ok(EntriesPage::of(page.await?)?);
    }
    let question = move |store: &dyn Read| api::entries_of_schema(store, &schema_id, size_max);
    Ok(EntriesPage {
        entries: stored(node.read(question).await?)?,
        has_next_page: None,
        next: None,
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EntriesFromParams {
    after: Option<String>,
    first: Option<u32>,
    schema: Option<String>,
}

/// Entries behind a position, whatever they belong to.
async fn entries_from_position(
    node: Arc<Node>,
    params: Option<EntriesFromParams>,
    size_max: usize,
) -> Result<EntriesPage<PlacedEntry>, ApiError> {
    let params = params.unwrap_or_default();
    let schema_id = params
        .schema
        .map(|text| parse("schema", &text))
        .transpose()?;
    let page = read_page(&node, schema_id, params.after, params.first, size_max).await?;
    Ok(EntriesPage::of(page)?)
}

async fn read_page(
    node: &Node,
    schema_id: Option<SchemaId>,
    after: Option<String>,
    first: Option<u32>,
    size_max: usize,
) -> Result<api::EntriesPage, ApiError> {
    let first = page_len(first)?;
    let question = move |store: &dyn Read| {
        let after = match after {
            Some(text) => FollowCursor::parse(store, &text)?.position(),
            None => 0,
        };
        api::entries_page(store, schema_id.as_ref(), after, first, size_max)
    };
    node.read(question).await
}

/// How many are asked for, and at most are answered.
fn page_len(first: Option<u32>) -> Result<u32, ApiError> {
    if first == Some(0) {
        let text = "expected a number above 0";
        return Err(ApiError::invalid("first", Reason::ArgumentInvalid, text));
    }
    Ok(first.unwrap_or(PAGE_LEN_MAX).min(PAGE_LEN_MAX))
}

#[derive(Deserialize)]
struct LogsParams {
    author: String,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    first: Option<u32>,
}

/// The logs of an author.
async fn logs(node: Arc<Node>, params: LogsParams) -> Result<Value, ApiError> {
    let author: PublicKey = parse("author", &params.author)?;
    let after: Option<LogId> = params.after.map(|text| parse("after", &text)).transpose()?;
    let first = page_len(params.first)?;
    let question = move |store: &dyn Read| Ok(store.logs_of(author, after, first + 1)?);
    let rows = node.read(question).await?;
    let mut logs: Vec<_> = rows
        .chunk_by(|one, other| one.log_id == other.log_id)
        .collect();
    let has_next_page = logs.len() > first as usize;
    logs.truncate(first as usize);
    let next = logs.last().filter(|_| has_next_page);
    Ok(json!({
        "next": next.map(|trees| trees[0].log_id.to_string()),
        "logs": logs.into_iter().map(log_out).collect::<Vec<_>>(),
    }))
}

/// A log by its trees, of which the one to continue comes first.
fn log_out(trees: &[TreeRow]) -> Value {
    let row = &trees[0];
    json!({
        "logId": row.log_id.as_u64().to_string(),
        "document": row.document.to_string(),
        "schema": row.schema_id.to_string(),
        "seqNum": row.tip.seq_num.as_u64().to_string(),
        "entryHash": row.tip.hash.to_string(),
        "ended": row.tip.ended,
        "isBranched": trees.len() > 1 || row.branched,
        "purged": row.purged,
    })
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

/// Entries of one log, with all its branches, from a sequence number on.
async fn log_entries(
    node: Arc<Node>,
    params: LogEntriesParams,
    size_max: usize,
) -> Result<Entries, ApiError> {
    let author: PublicKey = parse("author", &params.author)?;
    let log_id: LogId = parse("logId", &params.log_id)?;
    let from = match params.from {
        Some(from) => parse("from", &from)?,
        None => SeqNum::FIRST,
    };
    let first = params.first.unwrap_or(PAGE_LEN_MAX).min(PAGE_LEN_MAX);
    let starts = Heights::from([(author, [(log_id, from)].into())]);
    let question = move |store: &dyn Read| api::entries(store, &starts, first, size_max);
    let rows = node.read(question).await?;
    Ok(Entries {
        entries: stored(rows)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkParams {
    author: String,
    log_id: String,
}

/// The proof that a log is forked, that it has branches: anybody can check it.
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
