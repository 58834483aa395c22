//! Schemas written by people as TOML, and their publication.
//!
//! ```toml
//! name = "venue"
//! description = "Places to meet"   # may be left out
//!
//! [fields]                         # in this order they are published
//! name = "str"
//! seats = "int"
//! rating = "float"
//! open = "bool"
//! logo = "relation(blob_v1)"
//! partners = "pinned_relation_list(partner_0020…)"
//! ```
//!
//! Everything is checked before the first field is published. Each field becomes a
//! `schema_field_definition_v1` document, and one `schema_definition_v1` names them all.

use std::collections::BTreeMap;

use grove_core::types::{
    DocumentViewId, FieldName, FieldType, FieldTypeError, Hash, OperationId, Schema, SchemaError,
    SchemaId, SchemaIdError, SchemaName, SystemSchema, Value,
};
use grove_core::wire::Fields;
use grove_core::{Reason, Refusal};
use serde::Deserialize;
use toml::Spanned;

use crate::api::{Api, DocumentRef};
use crate::session::{Session, SessionError};

/// A schema that nobody has published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    name: SchemaName,
    description: String,
    fields: Vec<(FieldName, FieldType)>,
}

/// A published schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSchema {
    /// The schema, by whose id documents are created.
    pub schema: Schema,
    /// Its `schema_definition_v1` document.
    pub definition: DocumentRef,
    /// The `schema_field_definition_v1` documents, in the order of the definition.
    pub fields: Vec<(FieldName, DocumentRef)>,
}

impl Definition {
    /// A definition of these parts, after checking count, names and description.
    pub fn new(
        name: SchemaName,
        description: String,
        fields: Vec<(FieldName, FieldType)>,
    ) -> Result<Self, SchemaError> {
        let definition = Self {
            name,
            description,
            fields,
        };
        // Which view it will have does not matter to the rules.
        let anywhere = OperationId::from(Hash::of(b""));
        definition.schema(anywhere.into())?;
        Ok(definition)
    }

    /// Reads a definition from TOML.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            name: String,
            #[serde(default)]
            description: String,
            fields: BTreeMap<Spanned<String>, String>,
        }
        let document: Document =
            toml::from_str(text).map_err(|error| DefinitionError::Toml(error.to_string()))?;

        let mut written: Vec<_> = document.fields.iter().collect();
        written.sort_by_key(|(name, _)| name.span().start);
        let fields = written
            .into_iter()
            .map(|(name, field_type)| {
                let name = name.get_ref();
                let field_type = field_type
                    .parse()
                    .map_err(|error| DefinitionError::FieldType(name.clone(), error))?;
                let parsed = name
                    .parse()
                    .map_err(|error| DefinitionError::FieldName(name.clone(), error))?;
                Ok((parsed, field_type))
            })
            .collect::<Result<_, DefinitionError>>()?;
        let name = document.name.parse().map_err(DefinitionError::Name)?;
        Ok(Self::new(name, document.description, fields)?)
    }

    /// The schema this becomes once its definition has the view `view_id`.
    pub fn schema(&self, view_id: DocumentViewId) -> Result<Schema, SchemaError> {
        let id = SchemaId::Application {
            name: self.name.clone(),
            view_id,
        };
        Schema::new(id, self.description.clone(), self.fields.iter().cloned())
    }

    /// Publishes the fields, then the definition.
    ///
    /// Fields published before a failure stay behind; nothing refers to them.
    pub async fn publish<A: Api>(
        &self,
        session: &mut Session<A>,
    ) -> Result<PublishedSchema, SessionError> {
        let field_schema = Schema::system(SystemSchema::SchemaFieldDefinition);
        let mut fields = Vec::with_capacity(self.fields.len());
        for (name, field_type) in &self.fields {
            let values = values([
                ("name", Value::Str(name.to_string())),
                ("type", Value::Str(field_type.to_string())),
            ]);
            fields.push((name.clone(), session.create(&field_schema, values).await?));
        }
        let views = fields.iter().map(|(_, field)| field.view_id.clone());
        let values = values([
            ("name", Value::Str(self.name.to_string())),
            ("description", Value::Str(self.description.clone())),
            ("fields", Value::PinnedRelationList(views.collect())),
        ]);
        let definition_schema = Schema::system(SystemSchema::SchemaDefinition);
        let definition = session.create(&definition_schema, values).await?;
        let schema = self
            .schema(definition.view_id.clone())
            .expect("checked when the definition was made");
        Ok(PublishedSchema {
            schema,
            definition,
            fields,
        })
    }
}

fn values<const N: usize>(values: [(&str, Value); N]) -> Fields<Value> {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Why text is no schema. (Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// Not TOML, or not of the documented form.
    #[error("{0}")]
    Toml(String),
    /// The schema's name is malformed.
    #[error("the schema's name: {0}")]
    Name(SchemaIdError),
    /// A field's name is malformed.
    #[error("field {0:?}: {1}")]
    FieldName(String, SchemaIdError),
    /// A field's type is malformed.
    #[error("field {0:?}: {1}")]
    FieldType(String, FieldTypeError),
    /// The parts make up no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Refusal for DefinitionError {
    fn reason(&self) -> Reason {
        match self {
            Self::Toml(_) => Reason::SchemaDefinition,
            Self::Name(error) | Self::FieldName(_, error) => error.reason(),
            Self::FieldType(_, error) => error.reason(),
            Self::Schema(error) => error.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_the_order_of_the_file() {
        let text = "name = \"venue\"\n[fields]\nzip = \"str\"\nage = \"int\"\nlogo = \"relation(blob_v1)\"";

        let definition = Definition::parse(text).unwrap();

        let names: Vec<_> = definition
            .fields
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["zip", "age", "logo"]);
        assert_eq!(definition.description, "");
    }

    #[test]
    fn every_fault_is_found_before_publishing() {
        let reason = |text: &str| Definition::parse(text).unwrap_err().reason();
        let long = format!(
            "name = \"ab\"\ndescription = \"{}\"\n[fields]\na = \"int\"",
            "x".repeat(257)
        );

        assert_eq!(reason("name = \"ab\""), Reason::SchemaDefinition);
        assert_eq!(
            reason("name = \"ab\"\nnmae = 1\n[fields]"),
            Reason::SchemaDefinition
        );
        assert_eq!(reason("name = \"ab\"\n[fields]"), Reason::SchemaFieldCount);
        assert_eq!(
            reason("name = \"a-b\"\n[fields]\na = \"int\""),
            Reason::SchemaName
        );
        assert_eq!(
            reason("name = \"ab\"\n[fields]\n\"ä\" = \"int\""),
            Reason::FieldName
        );
        assert_eq!(
            reason("name = \"ab\"\n[fields]\na = \"text\""),
            Reason::FieldType
        );
        assert_eq!(reason(&long), Reason::SchemaDescription);
    }
}
