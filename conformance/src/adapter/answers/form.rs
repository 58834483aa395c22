//! The forms of questions and results: JSON into the library's types and back.

use grove_core::Reason;
use grove_core::author::NextArgs;
use grove_core::types::{
    DocumentViewId, FieldName, FieldType, Hash, LogId, OperationId, PlainValue, Schema, SchemaId,
    SeqNum, Value as TypedValue,
};
use grove_core::wire::{Action, Fields, Operation};
use serde_json::{Map, Value, json};

use super::super::{Answer, Failed};
use crate::forge::{hex, unhex};

/// The refusal for a cause that the library tells no more about.
pub(super) fn failed(reason: Reason) -> Failed {
    Failed::Refused(reason, reason.description().to_owned())
}

/// As [`failed`], for the end of a question.
pub(super) fn refuse(reason: Reason) -> Answer {
    Err(failed(reason))
}

pub(super) fn text(value: &Value) -> Result<&str, Failed> {
    value.as_str().ok_or(Failed::Question("a text is missing"))
}

pub(super) fn list(value: &Value) -> Result<&[Value], Failed> {
    let items = value.as_array();
    items
        .map(Vec::as_slice)
        .ok_or(Failed::Question("a list is missing"))
}

/// What may be left out: `null`, or read as told.
pub(super) fn optional<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, Failed>,
) -> Result<Option<T>, Failed> {
    if value.is_null() {
        Ok(None)
    } else {
        read(value).map(Some)
    }
}

pub(super) fn bytes(value: &Value) -> Result<Vec<u8>, Failed> {
    unhex(text(value)?).ok_or_else(|| failed(Reason::InvalidHex))
}

/// A number of 64 bits in decimal.
pub(super) fn number(value: &Value) -> Result<u64, Failed> {
    let number: LogId = text(value)?.parse()?;
    Ok(number.as_u64())
}

pub(super) fn seq_num(value: &Value) -> Result<SeqNum, Failed> {
    SeqNum::new(number(value)?).ok_or_else(|| failed(Reason::SeqNumZero))
}

pub(super) fn link(value: &Value) -> Result<Option<Hash>, Failed> {
    optional(value, |value| Ok(text(value)?.parse()?))
}

pub(super) fn schema(context: &Value) -> Result<Schema, Failed> {
    schema_in(&context["schema"])
}

/// A schema from its id and field types.
pub(super) fn schema_in(given: &Value) -> Result<Schema, Failed> {
    let id: SchemaId = text(&given["id"])?.parse()?;
    if let SchemaId::System(system) = id {
        return Ok(Schema::system(system));
    }
    let given = given["fields"]
        .as_object()
        .ok_or(Failed::Question("no fields"))?;
    let mut fields = Vec::new();
    for (name, field_type) in given {
        let name: FieldName = name.parse()?;
        let field_type: FieldType = text(field_type)?.parse()?;
        fields.push((name, field_type));
    }
    Ok(Schema::new(id, String::new(), fields)?)
}

pub(super) fn plain_out(value: &PlainValue) -> Value {
    match value {
        PlainValue::Bool(bool) => json!({"bool": bool}),
        PlainValue::Int(int) => json!({"int": int.to_string()}),
        PlainValue::Float(float) => float_out(*float),
        PlainValue::Str(text) => json!({"str": text}),
        PlainValue::Bytes(bytes) => json!({"bytes": hex(bytes)}),
        PlainValue::Ids(ids) => json!({"ids": ids.iter().map(Hash::to_string).collect::<Vec<_>>()}),
        PlainValue::ViewIds(views) => {
            json!({"id_lists": views.iter().map(ids).collect::<Vec<_>>()})
        }
    }
}

pub(super) fn typed_out(value: &TypedValue) -> Value {
    match value {
        TypedValue::Relation(id) => json!({"relation": id.to_string()}),
        TypedValue::RelationList(ids) => {
            json!({"relation_list": ids.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        TypedValue::PinnedRelation(view) => json!({"pinned_relation": ids(view)}),
        TypedValue::PinnedRelationList(views) => {
            json!({"pinned_relation_list": views.iter().map(ids).collect::<Vec<_>>()})
        }
        scalar => plain_out(&scalar.clone().into()),
    }
}

fn float_out(float: f64) -> Value {
    let bits = if float.is_nan() {
        f64::NAN.to_bits()
    } else {
        float.to_bits()
    };
    json!({"float": format!("{bits:016x}")})
}

/// Operations with their ids, values as bytes alone tell them.
pub(super) fn operations(value: &Value) -> Result<Vec<(OperationId, Operation)>, Failed> {
    let read = |one: &Value| {
        let id = text(&one["id"])?.parse()?;
        Ok((id, Operation::decode(&bytes(&one["operation"])?)?))
    };
    list(value)?.iter().map(read).collect()
}

/// Field values by name, each with the type it says it has.
pub(super) fn typed_fields(value: &Value) -> Result<Fields<TypedValue>, Failed> {
    let members = value.as_object().ok_or(Failed::Question("no fields"))?;
    let read = |(name, value): (&String, &Value)| Ok((name.clone(), typed_in(value)?));
    members.iter().map(read).collect()
}

fn typed_in(value: &Value) -> Result<TypedValue, Failed> {
    let (form, given) = member(value)?;
    Ok(match form {
        "relation" => TypedValue::Relation(text(given)?.parse()?),
        "relation_list" => {
            let ids = list(given)?.iter().map(|id| Ok(text(id)?.parse()?));
            TypedValue::RelationList(ids.collect::<Result<_, Failed>>()?)
        }
        "pinned_relation" => TypedValue::PinnedRelation(view_in(given)?),
        "pinned_relation_list" => {
            let views = list(given)?.iter().map(view_in);
            TypedValue::PinnedRelationList(views.collect::<Result<_, Failed>>()?)
        }
        _ => match plain_in(value)? {
            PlainValue::Bool(bool) => TypedValue::Bool(bool),
            PlainValue::Int(int) => TypedValue::Int(int),
            PlainValue::Float(float) => TypedValue::Float(float),
            PlainValue::Str(text) => TypedValue::Str(text),
            PlainValue::Bytes(bytes) => TypedValue::Bytes(bytes),
            PlainValue::Ids(_) | PlainValue::ViewIds(_) => {
                return Err(Failed::Question("a value of no known type"));
            }
        },
    })
}

/// The one member of a value, which names its form.
fn member(value: &Value) -> Result<(&str, &Value), Failed> {
    let members = value.as_object();
    let first = members.and_then(|members| members.iter().next());
    let (form, given) = first.ok_or(Failed::Question("a value of no known form"))?;
    Ok((form, given))
}

/// A view id as the list of its ids, which ascend.
fn view_in(value: &Value) -> Result<DocumentViewId, Failed> {
    Ok(DocumentViewId::from_sorted(operation_ids(value)?)?)
}

/// Operation ids in any order.
pub(super) fn operation_ids(value: &Value) -> Result<Vec<OperationId>, Failed> {
    let read = |id: &Value| Ok(text(id)?.parse()?);
    list(value)?.iter().map(read).collect()
}

/// A value as bytes alone tell it.
pub(super) fn plain_in(value: &Value) -> Result<PlainValue, Failed> {
    let (form, value) = member(value)?;
    Ok(match form {
        "bool" => PlainValue::Bool(value.as_bool().ok_or(Failed::Question("no boolean"))?),
        "int" => {
            let int = text(value)?.parse();
            PlainValue::Int(int.map_err(|_| failed(Reason::IntegerOutOfRange))?)
        }
        "float" => {
            let bits = u64::from_str_radix(text(value)?, 16);
            PlainValue::Float(f64::from_bits(
                bits.map_err(|_| Failed::Question("no float"))?,
            ))
        }
        "str" => PlainValue::Str(text(value)?.to_owned()),
        "bytes" => PlainValue::Bytes(bytes(value)?),
        "ids" => {
            let hashes = operation_ids(value)?.into_iter().map(|id| id.hash());
            PlainValue::Ids(hashes.collect())
        }
        "id_lists" => {
            let views = list(value)?.iter().map(view_in);
            PlainValue::ViewIds(views.collect::<Result<_, Failed>>()?)
        }
        _ => return Err(Failed::Question("a value of no known form")),
    })
}

/// An operation in words.
pub(super) fn operation_out<V>(operation: &Operation<V>, value: fn(&V) -> Value) -> Value {
    let action = match operation.action() {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    };
    let fields = operation.fields().map(|fields| {
        fields
            .iter()
            .map(|(name, field)| (name.clone(), value(field)))
            .collect::<Map<_, _>>()
    });
    json!({
        "action": action,
        "schema_id": operation.schema_id().to_string(),
        "previous": operation.previous().map(ids),
        "fields": fields,
    })
}

/// The arguments of an author's next entry.
pub(super) fn next_args_out(next: &NextArgs) -> Value {
    json!({
        "log_id": next.log_id.to_string(),
        "seq_num": next.seq_num.to_string(),
        "backlink": next.backlink.map(|link| link.to_string()),
        "skiplink": next.skiplink.map(|link| link.to_string()),
    })
}

pub(super) fn ids(view: &DocumentViewId) -> Vec<String> {
    view.ids().iter().map(ToString::to_string).collect()
}
