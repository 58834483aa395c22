//! Documents: their state, as a whole and at earlier views, and what some of them stand for.

use std::collections::BTreeMap;

use grove_core::document::{Document, Field, Graph};
use grove_core::types::{DocumentViewId, Value as TypedValue};
use grove_core::validate::{blob_length, build_schema, validate_operation};
use grove_core::wire::{Action, Fields, Operation};
use serde_json::{Map, Value, json};

use super::super::{Answer, Failed};
use super::form::{bytes, operations, schema, text, typed_fields, typed_out};

pub(super) fn document_reduce(context: &Value, input: &Value) -> Answer {
    reduce(context, input, |graph| Ok(graph))
}

pub(super) fn document_view(context: &Value, input: &Value) -> Answer {
    let view_id: DocumentViewId = text(&input["view_id"])?.parse()?;
    reduce(context, input, |graph| Ok(graph.at_view(&view_id)?))
}

/// The state of the part of a document that `part` takes.
fn reduce(
    context: &Value,
    input: &Value,
    part: impl for<'a> Fn(Graph<'a, TypedValue>) -> Result<Graph<'a, TypedValue>, Failed>,
) -> Answer {
    let schema = schema(context)?;
    let mut typed = Vec::new();
    let mut foreign = None;
    for (id, operation) in operations(&input["operations"])? {
        // The graph judges first whether the operations agree with each other.
        let operation = if operation.schema_id() == schema.id() {
            validate_operation(&operation, &schema)?
        } else {
            retyped(foreign.insert(operation))
        };
        typed.push((id, operation));
    }
    let graph = Graph::build(typed.iter().map(|(id, operation)| (*id, operation)))?;
    if let Some(foreign) = foreign {
        validate_operation(&foreign, &schema)?;
    }
    document_out(&part(graph)?)
}

fn document_out(graph: &Graph<'_, TypedValue>) -> Answer {
    let mut order = Vec::new();
    for (id, operation) in graph.walk()? {
        order.push(id.to_string());
        if operation.action() == Action::Delete {
            break;
        }
    }
    let document = Document::from_graph(graph)?;
    let field = |field: &Field<TypedValue>| {
        let set_by = field.operation_id.to_string();
        json!({"value": typed_out(&field.value), "set_by": set_by})
    };
    let fields = document.fields.as_ref().map(|fields| {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), field(value)))
            .collect::<Map<_, _>>()
    });
    Ok(json!({
        "view_id": document.view_id.to_string(),
        "deleted": document.is_deleted(),
        "order": order,
        "fields": fields,
    }))
}

/// An operation of another schema, without its values, which nobody will look at.
fn retyped(operation: &Operation) -> Operation<TypedValue> {
    let schema_id = operation.schema_id().clone();
    match operation.previous() {
        None => Operation::Create {
            schema_id,
            fields: Fields::new(),
        },
        Some(previous) => Operation::Update {
            schema_id,
            previous: previous.clone(),
            fields: Fields::new(),
        },
    }
}

pub(super) fn schema_build(_: &Value, input: &Value) -> Answer {
    let view_id: DocumentViewId = text(&input["view_id"])?.parse()?;
    let definition = typed_fields(&input["definition"])?;
    let views = by_view(&input["fields"], typed_fields)?;
    let schema = build_schema(&view_id, &definition, &views)?;
    let fields = schema.fields().iter();
    Ok(json!({
        "id": schema.id().to_string(),
        "name": schema.id().name(),
        "hash_id": schema.id().hash_id(),
        "description": schema.description(),
        "fields": fields
            .map(|(name, kind)| json!({"name": name.to_string(), "type": kind.to_string()}))
            .collect::<Vec<_>>(),
    }))
}

pub(super) fn blob_check(_: &Value, input: &Value) -> Answer {
    let blob = typed_fields(&input["blob"])?;
    let pieces = by_view(&input["pieces"], bytes)?;
    let length = blob_length(&blob, |piece| Some(pieces.get(piece)?.len()))?;
    Ok(json!({"length": length.to_string()}))
}

/// What belongs to each of several views.
fn by_view<T>(
    value: &Value,
    read: fn(&Value) -> Result<T, Failed>,
) -> Result<BTreeMap<DocumentViewId, T>, Failed> {
    let members = value.as_object().ok_or(Failed::Question("no views"))?;
    members
        .iter()
        .map(|(view_id, value)| Ok((view_id.parse()?, read(value)?)))
        .collect()
}
