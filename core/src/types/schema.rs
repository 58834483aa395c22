//! Schemas: which fields a document has and of which type (SC1–SC10).
//!
//! Holds the four system schemas and the shape of all others. Checking operations against a schema
//! and building one from published views is `validate`'s work.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{FieldName, SchemaId, SchemaIdError, SystemSchema};
use crate::limits::{DESCRIPTION_CHARS_MAX, SCHEMA_FIELDS_MAX};
use crate::mutant::{altered, bound, fault};
use crate::reason::{Reason, Refusal};

/// Type of a field (SC5, SC10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum FieldType {
    Bool,
    Int,
    Float,
    Str,
    Bytes,
    Relation(SchemaId),
    RelationList(SchemaId),
    PinnedRelation(SchemaId),
    PinnedRelationList(SchemaId),
}

impl FieldType {
    /// The schema of the related documents, for the four relation types.
    pub fn target(&self) -> Option<&SchemaId> {
        match self {
            Self::Relation(id)
            | Self::RelationList(id)
            | Self::PinnedRelation(id)
            | Self::PinnedRelationList(id) => Some(id),
            Self::Bool | Self::Int | Self::Float | Self::Str | Self::Bytes => None,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Str => f.write_str("str"),
            Self::Bytes => f.write_str("bytes"),
            Self::Relation(id) => write!(f, "relation({id})"),
            Self::RelationList(id) => write!(f, "relation_list({id})"),
            Self::PinnedRelation(id) => write!(f, "pinned_relation({id})"),
            Self::PinnedRelationList(id) => write!(f, "pinned_relation_list({id})"),
        }
    }
}

impl FromStr for FieldType {
    type Err = FieldTypeError;

    /// Reads exactly the grammar of SC10, the whole string (R16).
    fn from_str(text: &str) -> Result<Self, FieldTypeError> {
        let text = altered!(FieldTypeWhole, text, text.trim());
        //= SC5: these five, and the four relations below
        //= SC10: names and targets as the grammar has them
        match text {
            "bool" => return Ok(Self::Bool),
            "int" => return Ok(Self::Int),
            "float" => return Ok(Self::Float),
            "str" => return Ok(Self::Str),
            "bytes" => return Ok(Self::Bytes),
            _ => {}
        }
        //= R16: nothing around the type, and the target is a well-formed schema id
        let (kind, target) = text
            .strip_suffix(')')
            .and_then(|text| text.split_once('('))
            .ok_or(FieldTypeError::Unknown)?;
        let build = match kind {
            "relation" => Self::Relation,
            "relation_list" => Self::RelationList,
            "pinned_relation" => Self::PinnedRelation,
            "pinned_relation_list" => Self::PinnedRelationList,
            _ => altered!(
                FieldTypeKind,
                return Err(FieldTypeError::Unknown),
                Self::Relation
            ),
        };
        let target = target.parse().map_err(FieldTypeError::Target);
        Ok(build(altered!(
            FieldTypeTarget,
            target?,
            target.unwrap_or(SchemaId::BLOB)
        )))
    }
}

/// Why text is no field type. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldTypeError {
    /// None of the nine forms.
    #[error("not a field type")]
    Unknown,
    /// The relation's target is no schema id.
    #[error("the relation's target is malformed: {0}")]
    Target(SchemaIdError),
}

impl Refusal for FieldTypeError {
    fn reason(&self) -> Reason {
        Reason::FieldType
    }
}

/// A schema: id, description and the type of each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    id: SchemaId,
    description: String,
    fields: BTreeMap<FieldName, FieldType>,
}

impl Schema {
    /// A schema with these fields, after checking count, names and description (SC2, SC3, R17).
    pub fn new(
        id: SchemaId,
        description: String,
        fields: impl IntoIterator<Item = (FieldName, FieldType)>,
    ) -> Result<Self, SchemaError> {
        check_description(&description)?;
        let mut map = BTreeMap::new();
        for (name, field_type) in fields {
            //= R17: a name stands once, wherever its twin stands
            let twin = map.insert(name.clone(), field_type);
            if fault!(SchemaFieldDuplicate, twin.is_some()) {
                return Err(SchemaError::DuplicateField(name));
            }
        }
        let many = map.len() > bound!(SchemaFieldsMax, SCHEMA_FIELDS_MAX);
        if fault!(SchemaWithoutFields, map.is_empty()) || many {
            return Err(SchemaError::FieldCount(map.len()));
        }
        Ok(Self {
            id,
            description,
            fields: map,
        })
    }

    /// One of the four schemas every node knows.
    pub fn system(schema: SystemSchema) -> Self {
        use FieldType::{Bytes, Int, PinnedRelationList, Str};
        let (description, fields) = match schema {
            SystemSchema::SchemaDefinition => (
                "Publish a schema definition",
                vec![
                    ("description", Str),
                    (
                        "fields",
                        PinnedRelationList(SchemaId::SCHEMA_FIELD_DEFINITION),
                    ),
                    ("name", Str),
                ],
            ),
            SystemSchema::SchemaFieldDefinition => (
                "Publish a schema field definition",
                vec![("name", Str), ("type", Str)],
            ),
            SystemSchema::Blob => (
                "Publish a blob",
                vec![
                    ("length", Int),
                    ("mime_type", Str),
                    ("pieces", PinnedRelationList(SchemaId::BLOB_PIECE)),
                ],
            ),
            SystemSchema::BlobPiece => ("Publish a piece of a blob", vec![("data", Bytes)]),
        };
        Self {
            id: SchemaId::System(schema),
            description: description.to_owned(),
            fields: fields
                .into_iter()
                .map(|(name, field_type)| (name.parse().expect("literal names"), field_type))
                .collect(),
        }
    }

    /// The schema's id.
    pub fn id(&self) -> &SchemaId {
        &self.id
    }

    /// The schema's description.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The fields, by name.
    pub fn fields(&self) -> &BTreeMap<FieldName, FieldType> {
        &self.fields
    }
}

/// Checks the length of a description (SC2).
pub(crate) fn check_description(description: &str) -> Result<(), SchemaError> {
    //= SC2: at most 256 characters, counted as Unicode scalar values
    let count = altered!(
        DescriptionCount,
        description.chars().count(),
        description.len()
    );
    if count > bound!(DescriptionMax, DESCRIPTION_CHARS_MAX) {
        Err(SchemaError::Description(count))
    } else {
        Ok(())
    }
}

/// Why parts do not make up a schema. (Peer, Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The description is too long.
    #[error("the description has {0} characters, 256 are allowed")]
    Description(usize),
    /// No field, or too many.
    #[error("a schema has 1 to 1024 fields, not {0}")]
    FieldCount(usize),
    /// A field name stands twice.
    #[error("the schema has two fields named {0}")]
    DuplicateField(FieldName),
    /// The view is not one of a definition.
    #[error("the view has no usable {0:?}")]
    Definition(&'static str),
    /// The view has a field that definitions do not have.
    #[error("no definition has a field {0:?}")]
    Surplus(String),
    /// The definition names a field view that was not given, or another was given.
    #[error("the field definitions are not those the schema definition names")]
    Fields,
    /// The schema's name is malformed.
    #[error(transparent)]
    Name(SchemaIdError),
    /// A field's name is malformed.
    #[error(transparent)]
    FieldName(SchemaIdError),
    /// A field's type is malformed.
    #[error("type of field {0}: {1}")]
    FieldType(FieldName, FieldTypeError),
}

impl Refusal for SchemaError {
    fn reason(&self) -> Reason {
        match self {
            Self::Description(_) => Reason::SchemaDescription,
            Self::FieldCount(_) => Reason::SchemaFieldCount,
            Self::DuplicateField(_) => Reason::SchemaFieldDuplicate,
            Self::Definition(_) | Self::Surplus(_) | Self::Fields => Reason::SchemaDefinition,
            Self::Name(error) | Self::FieldName(error) => error.reason(),
            Self::FieldType(..) => Reason::FieldType,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_strings_round_trip_and_take_nothing_around() {
        for text in [
            "bool",
            "bytes",
            "relation(blob_v1)",
            "pinned_relation_list(blob_piece_v1)",
        ] {
            assert_eq!(text.parse::<FieldType>().unwrap().to_string(), text);
        }
        for text in [
            "string",
            "relation",
            "relation()",
            "owner(blob_v1)",
            " relation(blob_v1)",
        ] {
            assert!(text.parse::<FieldType>().is_err(), "{text:?}");
        }
        assert!("relation(blob_v1) ".parse::<FieldType>().is_err());
        assert!("relation(blob_v9)".parse::<FieldType>().is_err());
    }

    //= SC3 test
    #[test]
    fn a_schema_has_1_to_1024_fields() {
        let build = |count: usize| {
            let name = |number| format!("f{number}").parse().unwrap();
            let fields = (0..count).map(|number| (name(number), FieldType::Int));
            Schema::new(SchemaId::BLOB, String::new(), fields).map(|schema| schema.fields().len())
        };

        assert_eq!(build(0), Err(SchemaError::FieldCount(0)));
        assert_eq!([build(1), build(1024)], [Ok(1), Ok(1024)]);
        assert_eq!(build(1025), Err(SchemaError::FieldCount(1025)));
    }

    #[test]
    fn duplicate_fields_are_found_anywhere() {
        let name = |text: &str| text.parse::<FieldName>().unwrap();
        let fields = ["a", "b", "a"].map(|text| (name(text), FieldType::Int));

        let result = Schema::new(SchemaId::BLOB, String::new(), fields);

        assert_eq!(result, Err(SchemaError::DuplicateField(name("a"))));
    }
}
