//! Which subscriptions GraphQL takes, and how an event is shown.
//!
//! A schema `S` gives `S`, `all_S` and the type `SEvent`; beside them stands `schemas`. What is asked of an
//! event is executed like a query whose root is the subscription, once per event: each has its own
//! budget, and an error costs one event and not the stream. The very first execution, before there is
//! an event, judges the request and says what to follow.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, ResolverContext, SchemaBuilder,
    Subscription, SubscriptionField, SubscriptionFieldFuture, TypeRef,
};
use async_graphql::{Context, Value};
use futures_util::stream;
use grove_core::types::{Schema, SchemaId};

use super::arguments::{Arguments, flag, required, text};
use super::filter;
use super::plan::Schemas;
use super::resolve::{self, budget, node};
use super::show::report;
use crate::api::{ApiError, DocumentEvent, FollowCursor, Subject, parse};
use crate::http::events::SchemaEvent;

/// The root of subscriptions.
pub(super) const SUBSCRIPTION: &str = "Subscription";

const AFTER: &str = "Goes on behind the cursor of an event, also after the node was restarted. What \
                     happened since is told first; an event may come twice, none is left out.";

/// What a subscription asks for.
pub(super) struct Wanted {
    pub(super) followed: Followed,
    /// The cursor behind which to go on.
    pub(super) after: Option<String>,
}

pub(super) enum Followed {
    Documents(Box<Subject>),
    Schemas,
}

/// Given to an execution: where to say what is wanted, or the event to show.
#[derive(Clone)]
pub(super) enum Given {
    Opening(Arc<Mutex<Option<Wanted>>>),
    Event(Arc<Event>),
}

/// An event as a query sees it.
pub(super) enum Event {
    Document(DocumentEvent),
    Schema(SchemaEvent),
}

/// A field of the root, to be made for introspection and for execution.
struct Root {
    name: String,
    type_name: String,
    description: &'static str,
    arguments: Vec<InputValue>,
    read: Reader,
}

/// Reads what is wanted from the arguments of a root field.
type Reader = Arc<dyn Fn(&Arguments) -> Result<Followed, ApiError> + Send + Sync>;

/// The root as it is described. It is never executed.
pub(super) fn subscription(schemas: &Schemas) -> Subscription {
    let root = Subscription::new(SUBSCRIPTION)
        .description("Over WebSocket (subprotocol graphql-transport-ws) or as server-sent events.");
    roots(schemas).fold(root, |root, field| {
        let described =
            SubscriptionField::new(field.name, TypeRef::named_nn(field.type_name), |_| {
                SubscriptionFieldFuture::new(async { Ok(stream::empty::<Result<Value, _>>()) })
            });
        let described = described.description(field.description);
        root.field(
            field
                .arguments
                .into_iter()
                .fold(described, SubscriptionField::argument),
        )
    })
}

/// The root as it is executed for each event.
pub(super) fn events(schemas: &Schemas) -> Object {
    roots(schemas).fold(Object::new(SUBSCRIPTION), |root, field| {
        let read = field.read;
        let executed = Field::new(field.name, TypeRef::named(field.type_name), move |ctx| {
            event(Arc::clone(&read), ctx)
        });
        root.field(field.arguments.into_iter().fold(executed, Field::argument))
    })
}

fn roots(schemas: &Schemas) -> impl Iterator<Item = Root> {
    let documents = schemas
        .values()
        .flat_map(|schema| [document(schema), collection(schema)]);
    documents.chain([schemas_root()])
}

fn after() -> InputValue {
    InputValue::new("after", TypeRef::named("Cursor")).description(AFTER)
}

fn event_name(schema: &Schema) -> String {
    format!("{}Event", schema.id())
}

fn document(schema: &Schema) -> Root {
    let schema_id = schema.id().clone();
    Root {
        name: schema_id.to_string(),
        type_name: event_name(schema),
        description: "A document as it is now, and again whenever it changes; its related documents \
                      are shown, but not followed. Several changes at once may make one event.",
        arguments: vec![
            InputValue::new("id", TypeRef::named_nn("DocumentId")),
            after(),
        ],
        read: Arc::new(move |args| {
            let id = parse("id", &required(args, "id")?)?;
            let schema_id = schema_id.clone();
            let subject = Subject::Document { schema_id, id };
            Ok(Followed::Documents(Box::new(subject)))
        }),
    }
}

fn collection(schema: &Arc<Schema>) -> Root {
    let mut arguments = Vec::from(filter::conditions(schema));
    arguments.push(
        InputValue::new("misses", TypeRef::named(TypeRef::BOOLEAN)).description(
            "Whether to tell also of documents that changed and do not meet filter and meta now: \
             so one learns which do no more. Off when absent.",
        ),
    );
    arguments.push(after());
    let name = format!("all_{}", schema.id());
    let type_name = event_name(schema);
    let schema = Arc::clone(schema);
    Root {
        name,
        type_name,
        description: "The documents of this schema that change from now on: those that meet filter and \
                      meta after the change, and all that are deleted unless meta excludes their id or \
                      owner. Several changes of a document at once may make one event.",
        arguments,
        read: Arc::new(move |args| {
            let (query, _) = filter::read(&schema, args)?;
            Ok(Followed::Documents(Box::new(Subject::Collection {
                schema_id: schema.id().clone(),
                query,
                misses: flag(args, "misses")?,
            })))
        }),
    }
}

fn schemas_root() -> Root {
    Root {
        name: "schemas".to_owned(),
        type_name: "SchemaEvent".to_owned(),
        description: "All schemas the node knows, and further ones as it learns of them. Queries for \
                      their documents are there as soon as they are told.",
        arguments: vec![after()],
        read: Arc::new(|_| Ok(Followed::Schemas)),
    }
}

/// `eventCursor`
pub(super) fn event_cursor() -> Field {
    Field::new("eventCursor", TypeRef::named("Cursor"), |ctx| {
        nullable(ctx.ctx, async move {
            let position = node(&ctx).read(|store| Ok(store.position()?)).await?;
            let cursor = FollowCursor::at(position).to_string();
            Ok(Some(FieldValue::value(cursor)))
        })
    })
    .description(
        "The cursor of now: a subscription tells behind it what happens from here on. Ask for it before \
         you ask for documents, and none of their changes escapes you.",
    )
}

/// The type of events of documents of a schema.
pub(super) fn event_type(schema: &Arc<Schema>) -> Object {
    let shown = Arc::clone(schema);
    Object::new(event_name(schema))
        .field(described("cursor", "Cursor", cursor, "Give it as `after` to go on behind this event."))
        .field(described("documentId", "DocumentId", document_id, "The document that changed."))
        .field(described(
            "deleted",
            TypeRef::BOOLEAN,
            deleted,
            "Whether the document is not there: deleted, not there yet, or gone because its log turned \
             out to be forked or was purged.",
        ))
        .field(described(
            "matches",
            TypeRef::BOOLEAN,
            matches,
            "Whether the document meets what is asked for.",
        ))
        .field(
            Field::new("document", TypeRef::named(schema.id().to_string()), move |ctx| {
                document_shown(Arc::clone(&shown), ctx)
            }).description(
                "The document as it is now. Deleted ones have meta and no fields; null when it is not \
                 there or does not match.",
            ),
        )
}

/// Registers what does not depend on schemas.
pub(super) fn register_fixed(builder: SchemaBuilder) -> SchemaBuilder {
    let field = |name: &str, resolver: fn(ResolverContext<'_>) -> FieldFuture<'_>| {
        Field::new(name, TypeRef::named_nn(TypeRef::STRING), resolver)
    };
    let schema = Object::new("SchemaEvent")
        .field(described(
            "cursor",
            "Cursor",
            cursor,
            "Give it as `after` to go on behind this event.",
        ))
        .field(field("id", schema_id))
        .field(field("name", schema_name))
        .field(field("description", schema_description))
        .field(Field::new(
            "fields",
            TypeRef::named_nn_list_nn("SchemaField"),
            schema_fields,
        ));
    let schema_field = Object::new("SchemaField")
        .field(field("name", field_name))
        .field(field("type", field_type));
    builder.register(schema).register(schema_field)
}

fn described(
    name: &str,
    type_name: &str,
    resolver: fn(ResolverContext<'_>) -> FieldFuture<'_>,
    description: &str,
) -> Field {
    Field::new(name, TypeRef::named_nn(type_name), resolver).description(description)
}

/// A root field: says what is wanted, or shows the event.
fn event(read: Reader, ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    nullable(ctx.ctx, async move {
        match ctx.ctx.data_unchecked::<Given>().clone() {
            Given::Opening(slot) => {
                let arguments = Arguments::from(&ctx.args);
                let followed = read(&arguments)?;
                let after = text(&arguments, "after")?;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Wanted { followed, after });
                Ok(None)
            }
            Given::Event(event) => {
                if let Event::Document(DocumentEvent { row: Some(row), .. }) = &*event {
                    budget(&ctx).spend_on(row)?;
                }
                Ok(Some(FieldValue::owned_any(event)))
            }
        }
    })
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

fn event_of<'a>(ctx: &ResolverContext<'a>) -> Option<&'a Event> {
    ctx.parent_value
        .downcast_ref::<Arc<Event>>()
        .map(AsRef::as_ref)
}

fn document_event<'a>(ctx: &ResolverContext<'a>) -> Option<&'a DocumentEvent> {
    match event_of(ctx)? {
        Event::Document(event) => Some(event),
        Event::Schema(_) => None,
    }
}

fn schema_of<'a>(ctx: &ResolverContext<'a>) -> Option<&'a Schema> {
    match event_of(ctx)? {
        Event::Schema(event) => Some(&event.schema),
        Event::Document(_) => None,
    }
}

fn value<'a>(value: Option<impl Into<Value>>) -> FieldFuture<'a> {
    FieldFuture::from_value(value.map(Into::into))
}

fn cursor(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(event_of(&ctx).map(|event| match event {
        Event::Document(event) => event.cursor.to_string(),
        Event::Schema(event) => event.cursor.to_string(),
    }))
}

fn document_id(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(document_event(&ctx).map(|event| event.id.to_string()))
}

fn deleted(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(document_event(&ctx).map(|event| event.deleted))
}

fn matches(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(document_event(&ctx).map(|event| event.matches))
}

fn document_shown(schema: Arc<Schema>, ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    match document_event(&ctx).and_then(|event| event.row.clone()) {
        Some(row) => resolve::shown(schema, row, ctx),
        None => FieldFuture::from_value(None),
    }
}

fn schema_id(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(schema_of(&ctx).map(|schema| schema.id().to_string()))
}

fn schema_name(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(schema_of(&ctx).map(|schema| match schema.id() {
        SchemaId::Application { name, .. } => name.to_string(),
        SchemaId::System(_) => schema.id().to_string(),
    }))
}

fn schema_description(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    value(schema_of(&ctx).map(|schema| schema.description().to_owned()))
}

fn schema_fields(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let fields = schema_of(&ctx).map(|schema| {
        let fields = schema.fields().iter();
        FieldValue::list(fields.map(|(name, field_type)| {
            FieldValue::owned_any((name.to_string(), field_type.to_string()))
        }))
    });
    FieldFuture::Value(fields)
}

fn field_name(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let field = ctx.parent_value.downcast_ref::<(String, String)>();
    value(field.map(|(name, _)| name.as_str()))
}

fn field_type(ctx: ResolverContext<'_>) -> FieldFuture<'_> {
    let field = ctx.parent_value.downcast_ref::<(String, String)>();
    value(field.map(|(_, field_type)| field_type.as_str()))
}
