//! Answers to the fields of a query.
//!
//! A document is read once with all its fields; relations are followed where the query asks for them.

use std::future::Future;
use std::sync::Arc;

use async_graphql::dynamic::{FieldFuture, FieldValue, ResolverContext};
use async_graphql::{Context, Error, ErrorExtensions, Number, Value};
use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, PublicKey, Schema, SchemaId, Value as DocumentValue,
};

use super::arguments::{first, foreign_cursor, required, text, view_id_argument};
use super::budget::{Budget, VALUE_SIZE, value_size};
use super::filter;
use crate::api::{self, ApiError, parse};
use crate::http::{bytes_argument, details};
use crate::runtime::Node;
use crate::store::query::OrderBy;
use crate::store::{DocumentQuery, DocumentRow, Read};

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
    total: Total,
    has_next_page: bool,
    documents: Vec<Shown>,
}

/// How many documents a collection has on all its pages.
enum Total {
    Counted(u64),
    /// To be counted once somebody wants to know.
    Asked(SchemaId, DocumentQuery),
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
                return Err(ApiError::invalid(
                    "id",
                    Reason::ArgumentMissing,
                    "id or viewId must be given",
                ));
            }
            (Some(_), Some(_)) => {
                let text = "only one of id and viewId can be given";
                return Err(ApiError::invalid("id", Reason::ArgumentInvalid, text));
            }
        };
        follow(&ctx, schema_id, target).await
    })
}

/// `all_<schema_id>`
pub(super) fn collection(schema: Arc<Schema>, ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    non_null(async move {
        let (mut query, _) = filter::read(&schema, &ctx.args)?;
        let first = filter::read_page(&mut query, &ctx.args)?;
        // Large bytes that nobody asked for, and no cursor is made of, need not be read.
        let documents = ctx.ctx.look_ahead().field("documents");
        query.outline =
            query.order.by == OrderBy::DocumentId && !documents.field("fields").exists();
        let budget = budget(&ctx);
        let question =
            move |store: &dyn Read| collection_page(store, schema.id(), query, first, &budget);
        Ok(FieldValue::owned_any(node(&ctx).read(question).await?))
    })
}

/// Reads a page in portions, so that one too large is given up before it fills the memory.
fn collection_page(
    store: &dyn Read,
    schema_id: &SchemaId,
    query: DocumentQuery,
    first: u64,
    budget: &Budget,
) -> Result<Page, ApiError> {
    budget.spend(budget.document_size)?;
    let mut documents: Vec<Shown> = Vec::new();
    let mut portion_query = query.clone();
    loop {
        let missing = first - documents.len() as u64;
        portion_query.limit = missing.min(PORTION) as u32;
        let portion = api::collection(store, schema_id, portion_query.clone())?;
        for row in portion.documents {
            budget.spend_on(&row)?;
            let place = query.order.place(&row);
            let cursor = Some(api::to_cursor(&query.order, &place));
            portion_query.after = Some(place);
            documents.push(Shown { cursor, row });
        }
        if !portion.has_next_page || documents.len() as u64 == first {
            return Ok(Page {
                total: Total::Asked(schema_id.clone(), query),
                has_next_page: portion.has_next_page,
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

/// A field that leads to a list of documents: in list order unless another is asked for, with
/// repetitions, without those that are not there.
pub(super) fn relation_list<'a>(
    name: &str,
    schema: Arc<Schema>,
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
    let tag = shown_parent(&ctx)
        .map(|parent| list_tag(parent, name))
        .unwrap_or_default();
    nullable(ctx.ctx, async move {
        let (query, ordered) = filter::read(&schema, &ctx.args)?;
        let after = match text(&ctx.args, "after")? {
            Some(cursor) => list_place(&cursor, &tag)?,
            None => None,
        };
        let list = List {
            targets,
            tag,
            query,
            ordered,
            after,
            first: first(&ctx.args)?,
        };
        let budget = budget(&ctx);
        let question = move |store: &dyn Read| {
            budget.spend(budget.document_size)?;
            list.page(store, schema.id(), &budget)
        };
        Ok(Some(FieldValue::owned_any(
            node(&ctx).read(question).await?,
        )))
    })
}

/// A list of relations, and what is asked of it.
struct List {
    targets: Vec<Target>,
    tag: String,
    query: DocumentQuery,
    /// Whether another order than the list's own is asked for.
    ordered: bool,
    /// The place in the list behind which the page begins.
    after: Option<usize>,
    first: u64,
}

impl List {
    /// Reads all targets, since only that tells how many there are, and keeps those of the page.
    fn page(
        &self,
        store: &dyn Read,
        schema_id: &SchemaId,
        budget: &Budget,
    ) -> Result<Page, ApiError> {
        let mut found = Vec::new();
        for (index, target) in self.targets.iter().enumerate() {
            match target.find(store, schema_id)? {
                Some(row) => {
                    budget.spend_on(&row)?;
                    found.push((index, row));
                }
                None => budget.spend(VALUE_SIZE)?,
            }
        }
        if self.ordered {
            let order = &self.query.order;
            let mut placed: Vec<_> = found
                .into_iter()
                .map(|(index, row)| (order.place(&row), index, row))
                .collect();
            placed.sort_by(|a, b| order.compare(&a.0, &b.0).then(a.1.cmp(&b.1)));
            found = placed
                .into_iter()
                .map(|(_, index, row)| (index, row))
                .collect();
        }
        let start = self.start(&found)?;
        let mut page = Page {
            total: Total::Counted(0),
            has_next_page: false,
            documents: Vec::new(),
        };
        let mut total = 0;
        for (position, (index, row)) in found.into_iter().enumerate() {
            if !self.query.admits(&row) {
                continue;
            }
            total += 1;
            if position < start {
                continue;
            }
            if page.documents.len() as u64 == self.first {
                page.has_next_page = true;
                continue;
            }
            let cursor = Some(format!("{index}-{}", self.tag));
            page.documents.push(Shown { row, cursor });
        }
        page.total = Total::Counted(total);
        Ok(page)
    }

    /// Where among the documents found the page begins.
    fn start(&self, found: &[(usize, DocumentRow)]) -> Result<usize, ApiError> {
        let Some(after) = self.after else {
            return Ok(0);
        };
        if !self.ordered {
            return Ok(found
                .iter()
                .take_while(|(index, _)| *index <= after)
                .count());
        }
        // In an order of values, what is gone has no place any more.
        let place = found.iter().position(|(index, _)| *index == after);
        Ok(place.ok_or_else(foreign_cursor)? + 1)
    }
}

/// Tells lists apart in cursors: one `after` is often given to the lists of many documents at once.
fn list_tag(parent: &Shown, name: &str) -> String {
    let hash = Hash::of(format!("{} {name}", parent.row.view_id).as_bytes());
    hex::encode(&hash.digest()[..8])
}

/// The place in a list that a cursor names; none when the cursor comes from another collection.
fn list_place(cursor: &str, tag: &str) -> Result<Option<usize>, ApiError> {
    match cursor.split_once('-') {
        Some((index, of)) => {
            let index: u32 = index.parse().map_err(|_| foreign_cursor())?;
            Ok((of == tag).then_some(index as usize))
        }
        None => hex::decode(cursor)
            .map(|_| None)
            .map_err(|_| foreign_cursor()),
    }
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
        //= QU7: NaN and the infinities are shown as null
        //= R20: JSON has neither
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

/// `fields`, which a deleted document has none of.
pub(super) fn fields(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let alive = shown_parent(&ctx).filter(|shown| !shown.row.is_deleted());
    FieldFuture::Value(alive.map(|shown| FieldValue::borrowed_any(shown)))
}

/// `meta`, another look at the document itself.
pub(super) fn meta(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
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
    has_next_page(page: Page) -> Some(page.has_next_page.into());
    end_cursor(page: Page) -> page.documents.last()?.cursor.as_deref().map(Value::from);
}

/// `totalCount`
pub(super) fn total_count(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let Some(page) = ctx.parent_value.downcast_ref::<Page>() else {
        return FieldFuture::from_value(None);
    };
    match &page.total {
        Total::Counted(count) => FieldFuture::from_value(Some((*count).into())),
        Total::Asked(schema_id, query) => non_null(async move {
            let (schema_id, query) = (schema_id.clone(), query.clone());
            let question = move |store: &dyn Read| api::total_count(store, &schema_id, &query);
            Ok(FieldValue::value(node(&ctx).read(question).await?))
        }),
    }
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
