//! Methods about documents and schemas, and about the node itself.
//!
//! Values are written as GraphQL writes them: integers as numbers, bytes in hex, view ids with
//! underscores, NaN and infinities as null.

use std::sync::Arc;

use grove_core::Reason;
use grove_core::types::{Schema, SchemaId, Value as FieldValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Methods;
use super::openrpc::{
    any_object, boolean, count, hash, list, method, number, object, or_null, public_key, text,
    view_id,
};
use crate::api::{self, ApiError, Asked, Extent, at_once, parse};
use crate::runtime::Node;
use crate::store::{DocumentRow, Read};

/// Documents on a page when the request does not say.
const FIRST_DEFAULT: u64 = 25;

/// Most documents on a page, whatever is asked.
const FIRST_MAX: u64 = 100;

/// Adds the methods. The values of a page of several documents take no more than this many bytes.
pub(super) fn register(methods: &mut Methods, size_max: usize) {
    let summary = "A document by its id, or as it was at a view; null when it is not there.";
    let description = method("panda_getDocument", summary, or_null(document_schema()))
        .needs("schema", text())
        .takes("id", hash())
        .takes("viewId", view_id());
    methods.add(description, document);

    let summary = "A page of the documents of a schema, by filters and in an order like those of GraphQL. It is \
                   shorter than asked for where documents are large: `hasNextPage` tells whether to go on.";
    let page = object([
        ("totalCount", count()),
        ("hasNextPage", boolean()),
        ("hasPreviousPage", boolean()),
        ("startCursor", or_null(text())),
        ("endCursor", or_null(text())),
        ("documents", list(document_schema())),
    ]);
    let description = method("panda_queryDocuments", summary, page)
        .needs("schema", text())
        .takes("filter", any_object())
        .takes("meta", any_object())
        .takes("orderBy", text())
        .takes("orderDirection", json!({ "enum": ["ASC", "DESC"] }))
        .takes("first", count())
        .takes("after", text())
        .takes("last", count())
        .takes("before", text());
    methods.add(description, move |node, params| {
        documents(node, params, size_max)
    });

    let summary = "All schemas the node knows, those of the system aside.";
    let schema = object([
        ("id", text()),
        ("description", text()),
        ("fields", any_object()),
    ]);
    let result = object([("schemas", list(schema))]);
    methods.add(method("panda_getSchemas", summary, result), schemas);

    let summary =
        "How the node is and how much it holds. Subscriptions tell what happens behind `position`.";
    let result = object([
        ("version", text()),
        ("accepting", boolean()),
        ("entries", count()),
        ("documents", count()),
        ("schemas", count()),
        ("parked", count()),
        ("forks", count()),
        ("branches", count()),
        ("overdueDeletions", count()),
        ("damages", count()),
        ("position", number()),
    ]);
    methods.add(method("panda_getStatus", summary, result), status);
}

pub(super) fn document_schema() -> Value {
    object([
        ("id", hash()),
        ("viewId", view_id()),
        ("schema", text()),
        ("owner", public_key()),
        ("edited", boolean()),
        ("deleted", boolean()),
        ("fields", or_null(any_object())),
    ])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentParams {
    schema: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    view_id: Option<String>,
}

/// A document by its id, or as it was at a view; null when it is not there.
async fn document(node: Arc<Node>, params: DocumentParams) -> Result<Option<Value>, ApiError> {
    let schema_id: SchemaId = parse("schema", &params.schema)?;
    let row = match (params.id, params.view_id) {
        (Some(id), None) => {
            let id = parse("id", &id)?;
            let question = move |store: &dyn Read| api::document_by_id(store, &schema_id, id);
            node.read(question).await?
        }
        (None, Some(view_id)) => {
            let view_id = parse("viewId", &view_id)?;
            let question =
                move |store: &dyn Read| api::document_at_view(store, &schema_id, &view_id);
            node.read(question).await?
        }
        _ => {
            let text = "either id or viewId must be given";
            return Err(ApiError::invalid("id", Reason::ArgumentInvalid, text));
        }
    };
    Ok(row.as_ref().map(document_out))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentsParams {
    schema: String,
    #[serde(default)]
    filter: Value,
    #[serde(default)]
    meta: Value,
    #[serde(default)]
    order_by: Value,
    #[serde(default)]
    order_direction: Value,
    #[serde(default)]
    first: Option<u64>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    last: Option<u64>,
    #[serde(default)]
    before: Option<String>,
}

/// A page of the documents of a schema.
async fn documents(
    node: Arc<Node>,
    params: DocumentsParams,
    size_max: usize,
) -> Result<Value, ApiError> {
    let schema_id: SchemaId = parse("schema", &params.schema)?;
    let asked = Asked {
        filter: params.filter,
        meta: params.meta,
        order_by: params.order_by,
        order_direction: params.order_direction,
    };
    let capped = |count: Option<u64>| count.map(|count| count.min(FIRST_MAX));
    let extent = Extent::read(capped(params.first), capped(params.last), FIRST_DEFAULT)?;
    let question = move |store: &dyn Read| {
        let schema = schema_of(store, &schema_id)?;
        let (mut query, _) = api::read_query(&schema, &asked)?;
        let place = |name, cursor: &Option<String>, order| {
            let cursor = cursor.as_deref();
            cursor
                .map(|cursor| api::from_cursor(name, &schema, order, cursor))
                .transpose()
        };
        let unbounded = query.clone();
        query.after = place("after", &params.after, &query.order)?;
        query.before = place("before", &params.before, &query.order)?;
        at_once(store, || {
            let total_count = api::total_count(store, &schema_id, &unbounded)?;
            let page = api::collection(store, &schema_id, query.clone(), extent, size_max)?;
            let cursor =
                |row: &DocumentRow| api::to_cursor(&unbounded.order, &unbounded.order.place(row));
            Ok(json!({
                "totalCount": total_count,
                "hasNextPage": page.has_next_page,
                "hasPreviousPage": page.has_previous_page,
                "startCursor": page.documents.first().map(cursor),
                "endCursor": page.documents.last().map(cursor),
                "documents": page.documents.iter().map(document_out).collect::<Vec<_>>(),
            }))
        })
    };
    node.read(question).await
}

/// A schema that must be known.
pub(super) fn schema_of(store: &dyn Read, id: &SchemaId) -> Result<Schema, ApiError> {
    store.schema(id)?.ok_or_else(|| {
        let text = Reason::SchemaNotFound.description();
        ApiError::invalid("schema", Reason::SchemaNotFound, text)
    })
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// All schemas the node knows, those of the system aside.
async fn schemas(node: Arc<Node>, _: Option<Nothing>) -> Result<Value, ApiError> {
    let schemas = node.read(|store| Ok(store.schemas()?)).await?;
    Ok(json!({ "schemas": schemas.iter().map(schema_out).collect::<Vec<_>>() }))
}

/// What the node holds.
async fn status(node: Arc<Node>, _: Option<Nothing>) -> Result<Value, ApiError> {
    let question = |store: &dyn Read| Ok((store.position()?, store.counts()?));
    let (position, counts) = node.read(question).await?;
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "accepting": node.is_accepting(),
        "entries": counts.entries,
        "documents": counts.documents,
        "schemas": counts.schemas,
        "parked": counts.parked,
        "forks": counts.forks,
        "branches": counts.branches,
        "overdueDeletions": node.overdue_deletions(),
        "damages": node.damages(),
        "position": position.to_string(),
    }))
}

fn schema_out(schema: &Schema) -> Value {
    let fields = schema.fields().iter();
    let fields: Map<String, Value> = fields
        .map(|(name, field_type)| (name.to_string(), field_type.to_string().into()))
        .collect();
    json!({
        "id": schema.id().to_string(),
        "description": schema.description(),
        "fields": fields,
    })
}

pub(super) fn document_out(row: &DocumentRow) -> Value {
    let fields = row.fields.as_ref().map(|fields| {
        fields
            .iter()
            .map(|(name, (value, _))| (name.clone(), value_out(value)))
            .collect::<Map<_, _>>()
    });
    json!({
        "id": row.id.to_string(),
        "viewId": row.view_id.to_string(),
        "schema": row.schema_id.to_string(),
        "owner": row.owner.to_string(),
        "edited": row.edited,
        "deleted": row.is_deleted(),
        "fields": fields,
    })
}

fn value_out(value: &FieldValue) -> Value {
    match value {
        FieldValue::Bool(bool) => (*bool).into(),
        FieldValue::Int(int) => (*int).into(),
        //= R20: JSON has no NaN and no infinities, they are shown as null
        FieldValue::Float(float) => (*float).into(),
        FieldValue::Str(text) => text.as_str().into(),
        FieldValue::Bytes(bytes) => hex::encode(bytes).into(),
        FieldValue::Relation(id) => id.to_string().into(),
        FieldValue::RelationList(ids) => ids.iter().map(ToString::to_string).collect(),
        FieldValue::PinnedRelation(view_id) => view_id.to_string().into(),
        FieldValue::PinnedRelationList(view_ids) => {
            view_ids.iter().map(ToString::to_string).collect()
        }
    }
}
