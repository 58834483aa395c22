//! Building an application schema from the views of its definition (SC1–SC4).
//!
//! Collecting the views, and waiting for those still missing, is the engine's work.

use std::collections::BTreeMap;

use crate::mutant::{altered, fault};
use crate::types::{DocumentViewId, FieldName, FieldType, Schema, SchemaError, SchemaId, Value};
use crate::wire::Fields;

/// Makes the schema that a `schema_definition_v1` view and its field views define.
///
/// `field_views` holds exactly the views that the definition's `fields` names.
pub fn build_schema(
    view_id: &DocumentViewId,
    definition: &Fields<Value>,
    field_views: &BTreeMap<DocumentViewId, Fields<Value>>,
) -> Result<Schema, SchemaError> {
    check_names(definition, &["description", "fields", "name"])?;
    let name = text(definition, "name")?
        .parse()
        .map_err(SchemaError::Name)?;
    let description = text(definition, "description")?.to_owned();
    let Some(Value::PinnedRelationList(listed)) = definition.get("fields") else {
        return Err(SchemaError::Definition("fields"));
    };
    let foreign = field_views.keys().any(|view| !listed.contains(view));
    if fault!(SchemaFieldsForeign, foreign) {
        return Err(SchemaError::Fields);
    }
    let fields = listed
        .iter()
        .map(|view| build_field(field_views.get(view).ok_or(SchemaError::Fields)?))
        .collect::<Result<Vec<_>, _>>()?;

    let id = SchemaId::Application {
        name,
        view_id: view_id.clone(),
    };
    Schema::new(id, description, fields)
}

fn build_field(view: &Fields<Value>) -> Result<(FieldName, FieldType), SchemaError> {
    check_names(view, &["name", "type"])?;
    let name: FieldName = text(view, "name")?
        .parse()
        .map_err(SchemaError::FieldName)?;
    let field_type = text(view, "type")?
        .parse()
        .map_err(|error| SchemaError::FieldType(name.clone(), error))?;
    Ok((name, field_type))
}

/// Checks that a view has no field beside those of its own schema.
fn check_names(view: &Fields<Value>, names: &[&str]) -> Result<(), SchemaError> {
    let surplus = view.keys().find(|name| !names.contains(&name.as_str()));
    if fault!(DefinitionSurplus, surplus.is_some()) {
        return Err(SchemaError::Surplus(surplus.cloned().unwrap_or_default()));
    }
    Ok(())
}

fn text<'a>(view: &'a Fields<Value>, name: &'static str) -> Result<&'a str, SchemaError> {
    match view.get(name) {
        Some(Value::Str(text)) => Ok(text),
        _ => altered!(DefinitionText, Err(SchemaError::Definition(name)), Ok(name)),
    }
}
