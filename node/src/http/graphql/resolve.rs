//! Answers to the fields of a query.
//!
//! A document is read once with all its fields; relations are followed where the query asks for them.

use std::future::Future;

use async_graphql::dynamic::{FieldFuture, FieldValue, ResolverContext};
use async_graphql::{Context, Error, ErrorExtensions, Number, Value};
use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, PublicKey, SchemaId, Value as DocumentValue,
};

use super::arguments::{first, foreign_cursor, invalid, parse, required, text, view_id_argument};
use super::budget::{Budget, VALUE_SIZE, value_size};
use crate::api::{self, ApiError};
use crate::http::{bytes_argument, details};
use crate::runtime::Node;
use crate::store::{DocumentRow, Read};

/// Documents read at once.
const PORTION: u64 = 100;

/// A document as a query sees it.
struct Shown {
    row: DocumentRow,
    /// Its place in the collection it was found in.
    cursor: Option<String>,
}

/// A page of a collection.
struct Page {
    total_count: u64,
    has_next_page: bool,
    documents: Vec<Shown>,
}

/// What a relation points at.
enum Target {
    /// A document as it is now.
    Document(DocumentId),
    /// A document as it was at a view.
    View(DocumentViewId),
}

impl Target {
    fn find(
        &self,
        store: &dyn Read,
        schema_id: &SchemaId,
    ) -> Result<Option<DocumentRow>, ApiError> {
        match self {
            Self::Document(id) => api::document_by_id(store, schema_id, *id),
            Self::View(id) => api::document_at_view(store, schema_id, id),
        }
    }
}

/// `nextArgs`
pub(super) fn next_args(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    nullable(ctx.ctx, async move {
        let public_key = required(&ctx.args, "publicKey")?;
        let public_key: PublicKey = parse("publicKey", &public_key)?;
        let view_id = view_id_argument(&ctx.args)?;
        let question = move |store: &dyn Read| api::next_args(store, public_key, view_id.as_ref());
        Ok(Some(FieldValue::owned_any(
            node(&ctx).read(question).await?,
        )))
    })
}

/// `publish`
pub(super) fn publish(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    non_null(async move {
        let entry = bytes_argument("entry", &required(&ctx.args, "entry")?)?;
        let operation = bytes_argument("operation", &required(&ctx.args, "operation")?)?;
        let args = node(&ctx).publish(entry, operation).await?;
        Ok(FieldValue::owned_any(args))
    })
}

/// `<schema_id>`
pub(super) fn document(schema_id: SchemaId, ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    nullable(ctx.ctx, async move {
        let target = match (text(&ctx.args, "id")?, view_id_argument(&ctx.args)?) {
            (Some(id), None) => Target::Document(parse("id", &id)?),
            (None, Some(view_id)) => Target::View(view_id),
            (None, None) => {
                return Err(invalid(
                    "id",
                    Reason::ArgumentMissing,
                    "id or viewId must be given",
                ));
            }
            (Some(_), Some(_)) => {
                let text = "only one of id and viewId can be given";
                return Err(invalid("id", Reason::ArgumentInvalid, text));
            }
        };
        follow(&ctx, schema_id, target).await
    })
}

/// `all_<schema_id>`
pub(super) fn collection(schema_id: SchemaId, ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    non_null(async move {
        let first = first(&ctx.args)?;
        let after: Option<DocumentId> = match text(&ctx.args, "after")? {
            Some(cursor) => Some(cursor.parse().map_err(|_| foreign_cursor())?),
            None => None,
        };
        let budget = budget(&ctx);
        let question =
            move |store: &dyn Read| collection_page(store, &schema_id, first, after, &budget);
        Ok(FieldValue::owned_any(node(&ctx).read(question).await?))
    })
}

/// Reads a page in portions, so that one too large is given up before it fills the memory.
fn collection_page(
    store: &dyn Read,
    schema_id: &SchemaId,
    first: u64,
    mut after: Option<DocumentId>,
    budget: &Budget,
) -> Result<Page, ApiError> {
    budget.spend(budget.document_size)?;
    let mut documents: Vec<Shown> = Vec::new();
    loop {
        let missing = first - documents.len() as u64;
        let portion = api::collection(store, schema_id, missing.min(PORTION), after)?;
        for row in portion.documents {
            budget.spend_on(&row)?;
            after = Some(row.id);
            documents.push(Shown {
                cursor: Some(row.id.to_string()),
                row,
            });
        }
        if !portion.has_next_page || documents.len() as u64 == first {
            let (total_count, has_next_page) = (portion.total_count, portion.has_next_page);
            return Ok(Page {
                total_count,
                has_next_page,
                documents,
            });
        }
    }
}

/// A field that leads to one document.
pub(super) fn relation<'a>(
    name: &str,
    schema_id: SchemaId,
    ctx: ResolverContext<'a>,
) -> FieldFuture<'a> {
    let target = match stored(&ctx, name) {
        Some(DocumentValue::Relation(id)) => Target::Document(*id),
        Some(DocumentValue::PinnedRelation(view_id)) => Target::View(view_id.clone()),
        _ => return FieldFuture::from_value(None),
    };
    nullable(
        ctx.ctx,
        async move { follow(&ctx, schema_id, target).await },
    )
}

/// A field that leads to a list of documents: in list order, with repetitions, without those that
/// are not there.
pub(super) fn relation_list<'a>(
    name: &str,
    schema_id: SchemaId,
    ctx: ResolverContext<'a>,
) -> FieldFuture<'a> {
    let targets: Vec<Target> = match stored(&ctx, name) {
        Some(DocumentValue::RelationList(ids)) => {
            ids.iter().copied().map(Target::Document).collect()
        }
        Some(DocumentValue::PinnedRelationList(view_ids)) => {
            view_ids.iter().cloned().map(Target::View).collect()
        }
        _ => return FieldFuture::from_value(None),
    };
    let list = shown_parent(&ctx)
        .map(|parent| list_tag(parent, name))
        .unwrap_or_default();
    nullable(ctx.ctx, async move {
        let first = first(&ctx.args)?;
        let from = match text(&ctx.args, "after")? {
            Some(cursor) => list_start(&cursor, &list)?,
            None => 0,
        };
        let budget = budget(&ctx);
        let question = move |store: &dyn Read| {
            budget.spend(budget.document_size)?;
            list_page(store, &schema_id, &targets, &list, from, first, &budget)
        };
        Ok(Some(FieldValue::owned_any(
            node(&ctx).read(question).await?,
        )))
    })
}

/// Reads all targets, since only that tells how many there are, and keeps those of the page.
fn list_page(
    store: &dyn Read,
    schema_id: &SchemaId,
    targets: &[Target],
    list: &str,
    from: usize,
    first: u64,
    budget: &Budget,
) -> Result<Page, ApiError> {
    let mut page = Page {
        total_count: 0,
        has_next_page: false,
        documents: Vec::new(),
    };
    for (index, target) in targets.iter().enumerate() {
        let Some(row) = target.find(store, schema_id)? else {
            budget.spend(VALUE_SIZE)?;
            continue;
        };
        budget.spend_on(&row)?;
        page.total_count += 1;
        if index < from {
            continue;
        }
        if page.documents.len() as u64 == first {
            page.has_next_page = true;
            continue;
        }
        page.documents.push(Shown {
            row,
            cursor: Some(format!("{index}-{list}")),
        });
    }
    Ok(page)
}

/// Tells lists apart in cursors: one `after` is often given to the lists of many documents at once.
fn list_tag(parent: &Shown, name: &str) -> String {
    let hash = Hash::of(format!("{} {name}", parent.row.view_id).as_bytes());
    hex::encode(&hash.digest()[..8])
}

/// Where a list goes on after `cursor`: at its start when the cursor comes from another collection.
fn list_start(cursor: &str, list: &str) -> Result<usize, ApiError> {
    let Some((index, tag)) = cursor.split_once('-') else {
        return cursor
            .parse::<DocumentId>()
            .map(|_| 0)
            .map_err(|_| foreign_cursor());
    };
    let index: u32 = index.parse().map_err(|_| foreign_cursor())?;
    Ok(if tag == list { index as usize + 1 } else { 0 })
}

async fn follow<'a>(
    ctx: &ResolverContext<'_>,
    schema_id: SchemaId,
    target: Target,
) -> Result<Option<FieldValue<'a>>, ApiError> {
    let budget = budget(ctx);
    let question = move |store: &dyn Read| {
        let row = target.find(store, &schema_id)?;
        row.as_ref().map_or(Ok(()), |row| budget.spend_on(row))?;
        Ok(row)
    };
    let row = node(ctx).read(question).await?;
    Ok(row.map(|row| FieldValue::owned_any(Shown { row, cursor: None })))
}

/// A field with a value of its own.
pub(super) fn scalar<'a>(name: &str, ctx: ResolverContext<'a>) -> FieldFuture<'a> {
    let Some(value) = stored(&ctx, name) else {
        return FieldFuture::from_value(None);
    };
    if let Err(error) = budget(&ctx).spend(value_size(value)) {
        return nullable(ctx.ctx, async { Err(error) });
    }
    FieldFuture::from_value(Some(match value {
        DocumentValue::Bool(bool) => Value::from(*bool),
        DocumentValue::Int(int) => Value::from(*int),
        //= R20: JSON has no NaN and no infinities, they are shown as null
        DocumentValue::Float(float) => Number::from_f64(*float).map_or(Value::Null, Value::Number),
        DocumentValue::Str(text) => Value::from(text.as_str()),
        DocumentValue::Bytes(bytes) => Value::from(hex::encode(bytes)),
        DocumentValue::Relation(_)
        | DocumentValue::RelationList(_)
        | DocumentValue::PinnedRelation(_)
        | DocumentValue::PinnedRelationList(_) => Value::Null,
    }))
}

/// A field that has no value.
pub(super) fn null(_: ResolverContext<'_>) -> FieldFuture<'_> {
    FieldFuture::from_value(None)
}

/// `fields` and `meta`: two looks at the document itself.
pub(super) fn shown(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    FieldFuture::Value(shown_parent(&ctx).map(|shown| FieldValue::borrowed_any(shown)))
}

/// Resolvers that only show a member of their parent.
macro_rules! members {
    ($($name:ident($parent:ident: $type:ty) -> $value:expr;)+) => {$(
        pub(super) fn $name(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
            let parent = ctx.parent_value.downcast_ref::<$type>();
            FieldFuture::from_value(parent.and_then(|$parent| $value))
        }
    )+};
}

members! {
    log_id(args: NextArgs) -> Some(args.log_id.as_u64().to_string().into());
    seq_num(args: NextArgs) -> Some(args.seq_num.as_u64().to_string().into());
    backlink(args: NextArgs) -> args.backlink.map(|hash| hash.to_string().into());
    skiplink(args: NextArgs) -> args.skiplink.map(|hash| hash.to_string().into());
    document_id(shown: Shown) -> Some(shown.row.id.to_string().into());
    view_id(shown: Shown) -> Some(shown.row.view_id.to_string().into());
    owner(shown: Shown) -> Some(shown.row.owner.to_string().into());
    cursor(shown: Shown) -> shown.cursor.as_deref().map(Value::from);
    total_count(page: Page) -> Some(page.total_count.into());
    has_next_page(page: Page) -> Some(page.has_next_page.into());
    end_cursor(page: Page) -> page.documents.last()?.cursor.as_deref().map(Value::from);
}

/// The documents of a page.
pub(super) fn documents(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let page = ctx.parent_value.downcast_ref::<Page>();
    FieldFuture::Value(page.map(|page| {
        FieldValue::list(
            page.documents
                .iter()
                .map(|shown| FieldValue::borrowed_any(shown)),
        )
    }))
}

fn shown_parent<'a>(ctx: &ResolverContext<'a>) -> Option<&'a Shown> {
    ctx.parent_value.downcast_ref()
}

/// The value of a field of the parent document.
fn stored<'a>(ctx: &ResolverContext<'a>, name: &str) -> Option<&'a DocumentValue> {
    shown_parent(ctx)?
        .row
        .fields
        .as_ref()?
        .get(name)
        .map(|(value, _)| value)
}

fn node<'a>(ctx: &ResolverContext<'a>) -> &'a Node {
    ctx.ctx.data_unchecked()
}

fn budget(ctx: &ResolverContext<'_>) -> Budget {
    ctx.ctx.data_unchecked::<Budget>().clone()
}

/// The future of a field that may be null, and is when it failed.
fn nullable<'a>(
    ctx: &'a Context<'a>,
    future: impl Future<Output = Result<Option<FieldValue<'a>>, ApiError>> + Send + 'a,
) -> FieldFuture<'a> {
    FieldFuture::new(async move {
        Ok(future.await.unwrap_or_else(|error| {
            let error = report(&error).into_server_error(ctx.item.pos);
            ctx.add_error(ctx.set_error_path(error));
            None
        }))
    })
}

/// The future of a field that is never null, and missing from the answer when it failed.
fn non_null<'a>(
    future: impl Future<Output = Result<FieldValue<'a>, ApiError>> + Send + 'a,
) -> FieldFuture<'a> {
    FieldFuture::new(async move { future.await.map(Some).map_err(|error| report(&error)) })
}

fn report(error: &ApiError) -> Error {
    Error::new(error.to_string()).extend_with(|_, extensions| {
        if let serde_json::Value::Object(members) = details(error) {
            for (name, value) in members {
                extensions.set(name, Value::from_json(value).unwrap_or_default());
            }
        }
    })
}
