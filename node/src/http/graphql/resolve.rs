//! What the library is told of the fields of a query.
//!
//! Only of those queries that it executes: mutations, and queries that want the schema described. A field
//! of documents is answered as a whole, as everywhere, and the library then picks from the answer what it
//! was told to.

use std::future::Future;
use std::sync::Arc;

use async_graphql::dynamic::{FieldFuture, FieldValue, ResolverContext};
use async_graphql::{Error, ServerError, Value};
use grove_core::author::NextArgs;
use grove_core::types::Schema;

use super::arguments::{Arguments, flag, millis, required};
use super::budget::Budget;
use super::load::{self, Loader};
use super::plan::{Planner, Schemas};
use super::show::{self, report};
use crate::api::ApiError;
use crate::http::bytes_argument;
use crate::http::events::publish_until_visible;
use crate::runtime::Node;
use crate::store::DocumentRow;

/// `publish`
pub(super) fn publish(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    non_null(async move {
        let arguments = Arguments::from(&ctx.args);
        let entry = bytes_argument("entry", &required(&arguments, "entry")?)?;
        let operation = bytes_argument("operation", &required(&arguments, "operation")?)?;
        let args = if flag(&arguments, "wait")? {
            let timeout = millis(&arguments, "timeout")?;
            publish_until_visible(node(&ctx), entry, operation, timeout)
                .await?
                .0
        } else {
            node(&ctx).publish(entry, operation).await?
        };
        Ok(FieldValue::owned_any(args))
    })
}

/// A field of the query itself.
pub(super) fn root(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    FieldFuture::new(async move {
        let Some(root) = planner(&ctx).field(ctx.ctx.item) else {
            return Ok(None);
        };
        answered(&ctx, move |loader| {
            show::field(&root, loader.load_one(&root), loader.budget)
        })
        .await
    })
}

/// A document at hand.
pub(super) fn shown(
    schema: Arc<Schema>,
    row: DocumentRow,
    ctx: ResolverContext<'_>,
) -> FieldFuture<'_> {
    FieldFuture::new(async move {
        let Some(root) = planner(&ctx).shown(ctx.ctx.item, schema) else {
            return Ok(None);
        };
        answered(&ctx, move |loader| {
            show::field(&root, loader.load_shown(&root, row), loader.budget)
        })
        .await
    })
}

fn planner<'a>(ctx: &ResolverContext<'a>) -> Planner<'a> {
    Planner {
        schemas: ctx.ctx.data_unchecked::<Arc<Schemas>>(),
        fragments: &ctx.ctx.query_env.fragments,
    }
}

/// Reads and writes a field; what comes out is the library's to pick from.
async fn answered<'a>(
    ctx: &ResolverContext<'a>,
    write: impl FnOnce(&Loader<'_>) -> (Option<String>, Vec<ServerError>) + Send + 'static,
) -> Result<Option<FieldValue<'a>>, Error> {
    let answer = load::read(node(ctx), budget(ctx), move |loader| Ok(write(loader)));
    let (text, mut errors) = answer.await.map_err(|error| report(&error))?;
    if text.is_none()
        && let Some(error) = errors.pop()
    {
        return Err(Error {
            message: error.message,
            source: None,
            extensions: error.extensions,
        });
    }
    for error in errors {
        ctx.ctx.add_error(error);
    }
    let value: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(value
        .filter(|value| *value != Value::Null)
        .map(FieldValue::owned_any))
}

/// What the request may still spend.
pub(super) fn budget(ctx: &ResolverContext<'_>) -> Budget {
    ctx.ctx.data_unchecked::<Budget>().clone()
}

/// A member of what a field of the query was answered with.
pub(super) fn member(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let Some(Value::Object(members)) = ctx.parent_value.downcast_ref() else {
        return FieldFuture::from_value(None);
    };
    let key = &ctx.ctx.item.node.response_key().node;
    FieldFuture::Value(match members.get(key) {
        None | Some(Value::Null) => None,
        Some(object @ Value::Object(_)) => Some(FieldValue::borrowed_any(object)),
        Some(Value::List(items)) => {
            let items = items.iter().map(|item| FieldValue::borrowed_any(item));
            Some(FieldValue::list(items))
        }
        Some(value) => Some(FieldValue::value(value.clone())),
    })
}

/// Resolvers that only show a member of their parent.
macro_rules! members {
    ($($name:ident($parent:ident: $type:ty) -> $value:expr;)+) => {$(
        pub(super) fn $name(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
            let Some($parent) = ctx.parent_value.downcast_ref::<$type>() else {
                return member(ctx);
            };
            FieldFuture::from_value($value)
        }
    )+};
}

members! {
    log_id(args: NextArgs) -> Some(args.log_id.as_u64().to_string().into());
    seq_num(args: NextArgs) -> Some(args.seq_num.as_u64().to_string().into());
    backlink(args: NextArgs) -> args.backlink.map(|hash| hash.to_string().into());
    skiplink(args: NextArgs) -> args.skiplink.map(|hash| hash.to_string().into());
}

pub(super) fn node<'a>(ctx: &ResolverContext<'a>) -> &'a Node {
    ctx.ctx.data_unchecked()
}

/// The future of a field that is never null, and missing from the answer when it failed.
fn non_null<'a>(
    future: impl Future<Output = Result<FieldValue<'a>, ApiError>> + Send + 'a,
) -> FieldFuture<'a> {
    FieldFuture::new(async move { future.await.map(Some).map_err(|error| report(&error)) })
}
