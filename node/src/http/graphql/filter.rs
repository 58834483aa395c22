//! The arguments of collections as GraphQL declares them.
//!
//! What they mean is read by [`api::read_query`]; here are only their types.

use async_graphql::dynamic::{Enum, Field, InputObject, InputValue, SchemaBuilder, TypeRef};
use async_graphql::{Name, Value};
use grove_core::types::{FieldType, Schema};

use super::arguments::{Arguments, FIRST_DEFAULT, extent, text};
use crate::api::{self, ApiError, Asked, Extent};
use crate::store::DocumentQuery;

const EQUAL: [&str; 2] = ["eq", "notEq"];
const AMONG: [&str; 2] = ["in", "notIn"];
const COMPARED: [&str; 4] = ["gt", "gte", "lt", "lte"];
const CONTAINS: [&str; 2] = ["contains", "notContains"];

/// Filters by name, with the type of what they compare with and their operators.
const FILTERS: [(&str, &str, &[&[&str]]); 12] = [
    ("BooleanFilter", TypeRef::BOOLEAN, &[&EQUAL]),
    ("IntegerFilter", TypeRef::INT, &[&AMONG, &EQUAL, &COMPARED]),
    ("FloatFilter", TypeRef::FLOAT, &[&AMONG, &EQUAL, &COMPARED]),
    (
        "StringFilter",
        TypeRef::STRING,
        &[&AMONG, &EQUAL, &COMPARED, &CONTAINS],
    ),
    ("HexBytesFilter", "HexBytes", &[&EQUAL]),
    ("RelationFilter", "DocumentId", &[&EQUAL, &AMONG]),
    ("PinnedRelationFilter", "DocumentViewId", &[&EQUAL, &AMONG]),
    ("RelationListFilter", "DocumentId", &[&AMONG]),
    ("PinnedRelationListFilter", "DocumentViewId", &[&AMONG]),
    ("DocumentIdFilter", "DocumentId", &[&AMONG, &EQUAL]),
    ("DocumentViewIdFilter", "DocumentViewId", &[&AMONG, &EQUAL]),
    ("OwnerFilter", "PublicKey", &[&AMONG, &EQUAL]),
];

/// Name of the input type of `meta`.
const META: &str = "MetaFilterInputObject";

const DIRECTION: &str = "OrderDirection";

/// Registers what does not depend on schemas.
pub(super) fn register_fixed(mut builder: SchemaBuilder) -> SchemaBuilder {
    for (name, operand, operators) in FILTERS {
        let mut input = InputObject::new(name);
        for operator in operators.iter().copied().flatten() {
            let type_ref = if AMONG.contains(operator) {
                TypeRef::named_nn_list(operand)
            } else {
                TypeRef::named(operand)
            };
            input = input.field(InputValue::new(*operator, type_ref));
        }
        builder = builder.register(input);
    }
    let meta = [
        ("documentId", "DocumentIdFilter"),
        ("viewId", "DocumentViewIdFilter"),
        ("owner", "OwnerFilter"),
        ("edited", "BooleanFilter"),
        ("deleted", "BooleanFilter"),
    ];
    let meta = meta
        .into_iter()
        .fold(InputObject::new(META), |input, (name, filter)| {
            input.field(InputValue::new(name, TypeRef::named(filter)))
        });
    builder
        .register(meta)
        .register(Enum::new(DIRECTION).item("ASC").item("DESC"))
}

/// Registers the filter and the orders of a schema.
pub(super) fn register(builder: SchemaBuilder, schema: &Schema) -> SchemaBuilder {
    let id = schema.id();
    let mut filter = InputObject::new(format!("{id}Filter"));
    let mut orders = Enum::new(format!("{id}OrderBy"))
        .item("DOCUMENT_ID")
        .item("DOCUMENT_VIEW_ID")
        .item("OWNER")
        .item("EDITED");
    for (name, field_type) in schema.fields() {
        let type_ref = TypeRef::named(filter_type(field_type));
        filter = filter.field(InputValue::new(name.as_str(), type_ref));
        orders = orders.item(name.as_str());
    }
    builder.register(filter).register(orders)
}

/// Adds the arguments of a collection of documents of a schema. A list of relations is in its own
/// order unless another is asked for.
pub(super) fn arguments(field: Field, schema: &Schema, in_list: bool) -> Field {
    let id = schema.id();
    let order = InputValue::new("orderBy", TypeRef::named(format!("{id}OrderBy")));
    let order = if in_list {
        order
    } else {
        order.default_value(Value::Enum(Name::new("DOCUMENT_ID")))
    };
    let direction = InputValue::new("orderDirection", TypeRef::named(DIRECTION));
    conditions(schema)
        .into_iter()
        .fold(paged(field), Field::argument)
        .argument(order)
        .argument(direction.default_value(Value::Enum(Name::new("ASC"))))
}

/// The arguments that say which documents of a schema are meant.
pub(super) fn conditions(schema: &Schema) -> [InputValue; 2] {
    let filter = format!("{}Filter", schema.id());
    [
        InputValue::new("filter", TypeRef::named(filter)),
        InputValue::new("meta", TypeRef::named(META)),
    ]
}

/// Adds the arguments of everything that comes in pages.
pub(super) fn paged(field: Field) -> Field {
    let last = "At most this many from the end, instead of `first`.";
    let count = |name| InputValue::new(name, TypeRef::named(TypeRef::INT));
    let cursor = |name| InputValue::new(name, TypeRef::named("Cursor"));
    field
        .argument(count("first").default_value(FIRST_DEFAULT))
        .argument(cursor("after").description("Only what comes after this."))
        .argument(count("last").description(last))
        .argument(cursor("before").description("Only what comes before this."))
}

const fn filter_type(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Bool => "BooleanFilter",
        FieldType::Int => "IntegerFilter",
        FieldType::Float => "FloatFilter",
        FieldType::Str => "StringFilter",
        FieldType::Bytes => "HexBytesFilter",
        FieldType::Relation(_) => "RelationFilter",
        FieldType::PinnedRelation(_) => "PinnedRelationFilter",
        FieldType::RelationList(_) => "RelationListFilter",
        FieldType::PinnedRelationList(_) => "PinnedRelationListFilter",
    }
}

/// Reads the arguments of a collection that say which documents and in which order. Says too whether an
/// order was asked for.
pub(super) fn read(schema: &Schema, args: &Arguments) -> Result<(DocumentQuery, bool), ApiError> {
    let given = |name: &str| args.get(name)?.clone().into_json().ok();
    let asked = Asked {
        filter: given("filter").unwrap_or_default(),
        meta: given("meta").unwrap_or_default(),
        order_by: given("orderBy").unwrap_or_default(),
        order_direction: given("orderDirection").unwrap_or_default(),
    };
    api::read_query(schema, &asked)
}

/// Reads those that say which page.
pub(super) fn read_page(query: &mut DocumentQuery, args: &Arguments) -> Result<Extent, ApiError> {
    let place = |name| {
        let cursor = text(args, name)?;
        let read = |cursor: String| api::from_cursor(name, &query.order, &cursor);
        cursor.map(read).transpose()
    };
    (query.after, query.before) = (place("after")?, place("before")?);
    extent(args)
}
