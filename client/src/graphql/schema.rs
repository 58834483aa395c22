//! Schemas as the node knows them.

use grove_core::types::{FieldName, FieldType, Schema, SchemaId};
use serde_json::{Value as Json, json};

use super::GraphqlClient;
use crate::api::ApiError;
use crate::transport::Transport;

impl<T: Transport> GraphqlClient<T> {
    /// The schema of this id, from the documents that define it; `None` when the node has them not.
    /// System schemas are known without asking.
    pub async fn schema(&self, schema_id: &SchemaId) -> Result<Option<Schema>, ApiError> {
        let view_id = match schema_id {
            SchemaId::System(system) => return Ok(Some(Schema::system(*system))),
            SchemaId::Application { view_id, .. } => view_id,
        };
        let query = "query($viewId: DocumentViewId) { \
             answer: schema_definition_v1(viewId: $viewId) { fields { name description } } }";
        let data = self
            .query(query, json!({ "viewId": view_id.to_string() }))
            .await?;
        let definition = &data["answer"]["fields"];
        if definition.is_null() {
            return Ok(None);
        }
        if definition["name"] != schema_id.name() {
            return Err(ApiError::answer("the schema's definition has another name"));
        }
        let fields = self
            .list(
                &SchemaId::SCHEMA_DEFINITION,
                view_id,
                "fields",
                "{ fields { name type } }",
                None,
            )
            .await?;
        let fields = fields
            .iter()
            .map(|field| read_field(&field["fields"]))
            .collect::<Result<Vec<_>, _>>()?;
        let description = definition["description"].as_str().unwrap_or_default();
        Schema::new(schema_id.clone(), description.to_owned(), fields)
            .map(Some)
            .map_err(ApiError::answer)
    }

    /// Whether the node answers queries for documents of this schema.
    pub async fn serves(&self, schema_id: &SchemaId) -> Result<bool, ApiError> {
        let query = format!("{{ answer: all_{schema_id}(first: 1) {{ totalCount }} }}");
        match self.query(&query, json!({})).await {
            Ok(_) => Ok(true),
            Err(ApiError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn read_field(field: &Json) -> Result<(FieldName, FieldType), ApiError> {
    let text = |name: &str| {
        field[name]
            .as_str()
            .ok_or_else(|| ApiError::answer(format!("a field definition without {name}")))
    };
    Ok((
        text("name")?.parse().map_err(ApiError::answer)?,
        text("type")?.parse().map_err(ApiError::answer)?,
    ))
}
