//! Operations: read, checked against a schema, written.

use grove_core::Reason;
use grove_core::types::{DocumentViewId, PlainValue, SchemaId};
use grove_core::validate::validate_operation;
use grove_core::wire::{Fields, Operation};
use serde_json::{Value, json};

use super::super::{Answer, Failed};
use super::form::{
    bytes, failed, operation_ids, operation_out, optional, plain_in, plain_out, refuse, schema,
    text, typed_out,
};
use crate::forge::hex;

pub(super) fn operation_decode(_: &Value, input: &Value) -> Answer {
    Ok(operation_out(
        &Operation::decode(&bytes(input)?)?,
        plain_out,
    ))
}

pub(super) fn operation_validate(context: &Value, input: &Value) -> Answer {
    let operation = Operation::decode(&bytes(input)?)?;
    Ok(operation_out(
        &validate_operation(&operation, &schema(context)?)?,
        typed_out,
    ))
}

pub(super) fn operation_encode(_: &Value, input: &Value) -> Answer {
    let schema_id: SchemaId = text(&input["schema_id"])?.parse()?;
    let previous = optional(&input["previous"], previous_in)?;
    let fields = optional(&input["fields"], fields_in)?;
    let operation = match (text(&input["action"])?, previous, fields) {
        ("create", None, Some(fields)) => Operation::Create { schema_id, fields },
        ("update", Some(previous), Some(fields)) => Operation::Update {
            schema_id,
            previous,
            fields,
        },
        ("delete", Some(previous), None) => Operation::Delete {
            schema_id,
            previous,
        },
        ("create" | "update" | "delete", ..) => return refuse(Reason::OperationItemCount),
        _ => return refuse(Reason::OperationAction),
    };
    Ok(json!({"operation": hex(operation.encode())}))
}

/// Producers sort; an empty set is nothing a view can be made from.
fn previous_in(value: &Value) -> Result<DocumentViewId, Failed> {
    let view = DocumentViewId::from_tips(operation_ids(value)?);
    view.ok_or_else(|| failed(Reason::ViewIdEmpty))
}

fn fields_in(value: &Value) -> Result<Fields<PlainValue>, Failed> {
    let members = value.as_object().ok_or(Failed::Question("no fields"))?;
    let read = |(name, value): (&String, &Value)| Ok((name.clone(), plain_in(value)?));
    members.iter().map(read).collect()
}
