//! The arguments of collections: which documents, in which order, from where on.
//!
//! Declares their input types and reads them into a [`DocumentQuery`]. Null is as good as absent
//! throughout, and everything given must hold at once.

use async_graphql::dynamic::{
    Enum, Field, InputObject, InputValue, ObjectAccessor, SchemaBuilder, TypeRef,
};
use async_graphql::{Name, Value};
use grove_core::Reason;
use grove_core::types::{FieldType, PublicKey, Schema, Value as FieldValue};

use super::arguments::{FIRST_DEFAULT, first, foreign_cursor, invalid, parse, text};
use crate::api::{self, ApiError};
use crate::store::query::{Comparison, Condition, DocumentQuery, OrderBy, Standing, Test};

/// Most values one question may compare with.
const OPERANDS_MAX: usize = 1000;

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
        .item("DOCUMENT_VIEW_ID");
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
    paged(field)
        .argument(InputValue::new(
            "filter",
            TypeRef::named(format!("{id}Filter")),
        ))
        .argument(InputValue::new("meta", TypeRef::named(META)))
        .argument(order)
        .argument(direction.default_value(Value::Enum(Name::new("ASC"))))
}

/// Adds the arguments of everything that comes in pages.
pub(super) fn paged(field: Field) -> Field {
    field
        .argument(
            InputValue::new("first", TypeRef::named(TypeRef::INT)).default_value(FIRST_DEFAULT),
        )
        .argument(InputValue::new("after", TypeRef::named("Cursor")))
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

/// Reads the arguments of a collection, all but `first` and `after`. Says too whether an order was
/// asked for.
pub(super) fn read(
    schema: &Schema,
    args: &ObjectAccessor<'_>,
) -> Result<(DocumentQuery, bool), ApiError> {
    let mut reader = Reader {
        query: DocumentQuery::default(),
        deleted: None,
        operands: 0,
    };
    for (name, filter) in members("filter", args.get("filter").map(|value| value.as_value()))? {
        let field = schema
            .fields()
            .iter()
            .find(|(field, _)| *name == field.as_str());
        let (_, field_type) = field.ok_or_else(|| unexpected("filter"))?;
        for (operator, operand) in members("filter", Some(filter))? {
            reader.field(name, field_type, operator, operand)?;
        }
    }
    for (name, filter) in members("meta", args.get("meta").map(|value| value.as_value()))? {
        for (operator, operand) in members("meta", Some(filter))? {
            reader.meta(name, operator, operand)?;
        }
    }
    reader.query.standing = match reader.deleted {
        Some(true) => Standing::Deleted,
        _ => Standing::Live,
    };
    let ordered = reader.order(args)?;
    Ok((reader.query, ordered))
}

/// Reads `first` and `after` of a collection.
pub(super) fn read_page(
    query: &mut DocumentQuery,
    args: &ObjectAccessor<'_>,
) -> Result<u64, ApiError> {
    if let Some(cursor) = text(args, "after")? {
        let place = api::from_cursor(&query.order, &cursor);
        query.after = Some(place.ok_or_else(foreign_cursor)?);
    }
    first(args)
}

struct Reader {
    query: DocumentQuery,
    /// Whether deleted documents are asked for, once that was said.
    deleted: Option<bool>,
    operands: usize,
}

impl Reader {
    fn field(
        &mut self,
        name: &str,
        field_type: &FieldType,
        operator: &str,
        operand: &Value,
    ) -> Result<(), ApiError> {
        let single = |value: &Value| read_value(field_type, value);
        let test = match operator {
            "eq" => Test::Among(true, vec![single(operand)?]),
            "notEq" => Test::Among(false, vec![single(operand)?]),
            "gt" => Test::Compared(Comparison::Above, single(operand)?),
            "gte" => Test::Compared(Comparison::AtLeast, single(operand)?),
            "lt" => Test::Compared(Comparison::Below, single(operand)?),
            "lte" => Test::Compared(Comparison::AtMost, single(operand)?),
            "contains" => Test::Contains(true, read_text("filter", operand)?.to_owned()),
            "notContains" => Test::Contains(false, read_text("filter", operand)?.to_owned()),
            "in" | "notIn" => {
                let wanted = operator == "in";
                match field_type {
                    FieldType::RelationList(_) => {
                        Test::Lists(wanted, self.list("filter", operand, read_id)?)
                    }
                    FieldType::PinnedRelationList(_) => {
                        Test::ListsViews(wanted, self.list("filter", operand, read_id)?)
                    }
                    _ => {
                        let single = |_: &'static str, value: &Value| single(value);
                        Test::Among(wanted, self.list("filter", operand, single)?)
                    }
                }
            }
            _ => return Err(unexpected("filter")),
        };
        self.count("filter", 1)?;
        let condition = Condition::Field(name.to_owned(), test);
        self.query.conditions.push(condition);
        Ok(())
    }

    fn meta(&mut self, name: &str, operator: &str, operand: &Value) -> Result<(), ApiError> {
        let wanted = matches!(operator, "eq" | "in");
        let condition = match name {
            "documentId" => {
                Condition::Document(wanted, self.one_or_more(operator, operand, read_id)?)
            }
            "viewId" => Condition::View(wanted, self.one_or_more(operator, operand, read_id)?),
            "owner" => {
                let read_key =
                    |name, value: &Value| parse::<PublicKey>(name, read_text(name, value)?);
                Condition::Owner(wanted, self.one_or_more(operator, operand, read_key)?)
            }
            "edited" => Condition::Edited(read_bool("meta", operand)? == wanted),
            "deleted" => {
                let deleted = read_bool("meta", operand)? == wanted;
                if self.deleted.is_none_or(|before| before == deleted) {
                    self.deleted = Some(deleted);
                    return Ok(());
                }
                // Nothing is deleted and not deleted.
                Condition::Document(true, Vec::new())
            }
            _ => return Err(unexpected("meta")),
        };
        self.count("meta", 1)?;
        self.query.conditions.push(condition);
        Ok(())
    }

    fn one_or_more<T>(
        &mut self,
        operator: &str,
        operand: &Value,
        read: impl Fn(&'static str, &Value) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, ApiError> {
        match operator {
            "in" | "notIn" => self.list("meta", operand, read),
            _ => Ok(vec![read("meta", operand)?]),
        }
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        operand: &Value,
        read: impl Fn(&'static str, &Value) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, ApiError> {
        let Value::List(items) = operand else {
            return Err(invalid(name, Reason::ArgumentInvalid, "expected a list"));
        };
        self.count(name, items.len())?;
        items.iter().map(|item| read(name, item)).collect()
    }

    fn count(&mut self, name: &'static str, operands: usize) -> Result<(), ApiError> {
        self.operands += operands;
        if self.operands > OPERANDS_MAX {
            let text = "too many values to compare with";
            return Err(invalid(name, Reason::RequestTooLarge, text));
        }
        Ok(())
    }

    /// Reads the order; says whether one was asked for.
    fn order(&mut self, args: &ObjectAccessor<'_>) -> Result<bool, ApiError> {
        let word = |name: &'static str| match args.get(name).map(|value| value.as_value()) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Enum(word)) => Ok(Some(word.to_string())),
            Some(Value::String(word)) => Ok(Some(word.clone())),
            Some(_) => Err(unexpected(name)),
        };
        let by = word("orderBy")?;
        let ordered = by.is_some();
        self.query.order.by = match by.as_deref() {
            None | Some("DOCUMENT_ID") => OrderBy::DocumentId,
            Some("DOCUMENT_VIEW_ID") => OrderBy::ViewId,
            // Deleted documents have no fields to be ordered by.
            Some(_) if self.query.standing == Standing::Deleted => OrderBy::DocumentId,
            Some(field) => OrderBy::Field(field.to_owned()),
        };
        self.query.order.descending = word("orderDirection")?.as_deref() == Some("DESC");
        Ok(ordered)
    }
}

/// The members of an input object that are not null.
fn members<'v>(
    name: &'static str,
    value: Option<&'v Value>,
) -> Result<Vec<(&'v Name, &'v Value)>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(members)) => {
            let given = members.iter().filter(|(_, value)| **value != Value::Null);
            Ok(given.collect())
        }
        Some(_) => Err(invalid(name, Reason::ArgumentInvalid, "expected an object")),
    }
}

/// What the library's own checks let pass and nobody can answer.
fn unexpected(name: &'static str) -> ApiError {
    invalid(
        name,
        Reason::ArgumentInvalid,
        "there is no such member or value",
    )
}

/// A value of a field of this type.
fn read_value(field_type: &FieldType, value: &Value) -> Result<FieldValue, ApiError> {
    let wrong = || {
        invalid(
            "filter",
            Reason::ArgumentInvalid,
            "the value is not of the field's type",
        )
    };
    Ok(match field_type {
        FieldType::Bool => FieldValue::Bool(read_bool("filter", value)?),
        FieldType::Int | FieldType::Float => {
            let Value::Number(number) = value else {
                return Err(wrong());
            };
            match field_type {
                FieldType::Int => FieldValue::Int(number.as_i64().ok_or_else(wrong)?),
                _ => FieldValue::Float(number.as_f64().ok_or_else(wrong)?),
            }
        }
        FieldType::Str => FieldValue::Str(read_text("filter", value)?.to_owned()),
        FieldType::Bytes => {
            let bytes = hex::decode(read_text("filter", value)?);
            let not_hex = |_| {
                invalid(
                    "filter",
                    Reason::InvalidHex,
                    Reason::InvalidHex.description(),
                )
            };
            FieldValue::Bytes(bytes.map_err(not_hex)?)
        }
        FieldType::Relation(_) => FieldValue::Relation(read_id("filter", value)?),
        FieldType::PinnedRelation(_) => FieldValue::PinnedRelation(read_id("filter", value)?),
        FieldType::RelationList(_) | FieldType::PinnedRelationList(_) => return Err(wrong()),
    })
}

fn read_id<T: std::str::FromStr<Err: grove_core::Refusal>>(
    name: &'static str,
    value: &Value,
) -> Result<T, ApiError> {
    parse(name, read_text(name, value)?)
}

fn read_text<'v>(name: &'static str, value: &'v Value) -> Result<&'v str, ApiError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(invalid(name, Reason::ArgumentInvalid, "expected a string")),
    }
}

fn read_bool(name: &'static str, value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Boolean(bool) => Ok(*bool),
        _ => Err(invalid(name, Reason::ArgumentInvalid, "expected a boolean")),
    }
}
