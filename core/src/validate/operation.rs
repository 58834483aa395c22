//! Whether an operation fits its schema (OP6–OP8), and the typed values it then has.
//!
//! Sees one operation and one schema. Whether related documents exist is not asked (R30).

use crate::mutant::{altered, fault, holds};
use crate::types::{DocumentViewId, FieldType, Hash, PlainValue, Schema, SchemaId, Value};
use crate::validate::error::{ValidationError, ValueError};
use crate::validate::system;
use crate::wire::{Fields, Operation};

/// Gives every value the type its field has.
///
/// A CREATE must give every field, an UPDATE any of them, a DELETE none; no operation may give
/// others. System schemas have further rules.
pub fn validate_operation(
    operation: &Operation,
    schema: &Schema,
) -> Result<Operation<Value>, ValidationError> {
    if fault!(SchemaMismatch, operation.schema_id() != schema.id()) {
        return Err(ValidationError::Schema(operation.schema_id().clone()));
    }
    let schema_id = schema.id().clone();
    let typed = match operation {
        Operation::Create { fields, .. } => {
            //= OP6: a CREATE leaves no field out
            let missing = schema
                .fields()
                .keys()
                .find(|name| fault!(FieldMissing, !fields.contains_key(name.as_str())));
            if let Some(name) = missing {
                return Err(ValidationError::Missing(name.to_string()));
            }
            Operation::Create {
                schema_id,
                fields: type_fields(fields, schema)?,
            }
        }
        Operation::Update {
            previous, fields, ..
        } => Operation::Update {
            schema_id,
            previous: previous.clone(),
            fields: type_fields(fields, schema)?,
        },
        Operation::Delete { previous, .. } => Operation::Delete {
            schema_id,
            previous: previous.clone(),
        },
    };
    if let (SchemaId::System(system), Some(fields)) = (schema.id(), typed.fields()) {
        system::check_fields(*system, fields)?;
    }
    Ok(typed)
}

fn type_fields(
    fields: &Fields<PlainValue>,
    schema: &Schema,
) -> Result<Fields<Value>, ValidationError> {
    fields
        .iter()
        .map(|(name, value)| {
            let field_type = schema
                .fields()
                .get(name.as_str())
                .or_else(|| altered!(FieldUnexpected, None, schema.fields().values().next()))
                .ok_or_else(|| ValidationError::Unexpected(name.clone()))?;
            let value = type_value(value, field_type)
                .map_err(|error| ValidationError::Value(name.clone(), error))?;
            Ok((name.clone(), value))
        })
        .collect()
}

//= OP8: a value has the type its schema gives the field
fn type_value(value: &PlainValue, field_type: &FieldType) -> Result<Value, ValueError> {
    Ok(match (field_type, value) {
        (FieldType::Bool, PlainValue::Bool(bool)) => Value::Bool(*bool),
        (FieldType::Int, PlainValue::Int(int)) => Value::Int(*int),
        (FieldType::Float, PlainValue::Float(float)) => Value::Float(*float),
        (FieldType::Str, PlainValue::Str(text)) => Value::Str(text.clone()),
        (FieldType::Bytes, PlainValue::Bytes(bytes)) => Value::Bytes(bytes.clone()),
        (FieldType::Relation(_), PlainValue::Bytes(bytes)) => {
            Value::Relation(Hash::from_bytes(bytes)?.into())
        }
        (FieldType::RelationList(_), PlainValue::Ids(ids)) => {
            Value::RelationList(ids.iter().copied().map(Into::into).collect())
        }
        (FieldType::PinnedRelation(_), PlainValue::Ids(ids)) => {
            let ids = ids.iter().copied().map(Into::into).collect();
            Value::PinnedRelation(DocumentViewId::from_sorted(ids)?)
        }
        //= R18: a flat list is a pinned relation list only when it is empty
        (FieldType::PinnedRelationList(_), PlainValue::Ids(ids))
            if holds!(PinnedListFlat, ids.is_empty()) =>
        {
            Value::PinnedRelationList(Vec::new())
        }
        (FieldType::PinnedRelationList(_), PlainValue::ViewIds(views)) => {
            Value::PinnedRelationList(views.clone())
        }
        _ => {
            let error = ValueError::Type {
                given: value.form(),
                expected: field_type.to_string(),
            };
            altered!(FieldTypeFits, return Err(error), Value::Bool(false))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{Reason, Refusal};
    use crate::types::SystemSchema;

    fn blob(fields: &[(&str, PlainValue)]) -> Operation {
        Operation::Create {
            schema_id: SchemaId::BLOB,
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    fn reason(operation: &Operation) -> Reason {
        let schema = Schema::system(SystemSchema::Blob);
        validate_operation(operation, &schema).unwrap_err().reason()
    }

    fn good() -> [(&'static str, PlainValue); 3] {
        let piece = Hash::of(b"piece");
        [
            ("length", PlainValue::Int(5)),
            ("mime_type", PlainValue::Str("text/plain".to_owned())),
            (
                "pieces",
                PlainValue::ViewIds(vec![DocumentViewId::from_tips([piece.into()]).unwrap()]),
            ),
        ]
    }

    #[test]
    fn a_create_gives_exactly_the_fields_of_its_schema() {
        let schema = Schema::system(SystemSchema::Blob);
        assert!(validate_operation(&blob(&good()), &schema).is_ok());

        assert_eq!(reason(&blob(&good()[1..])), Reason::FieldMissing);
        let mut more = good().to_vec();
        more.push(("zzz", PlainValue::Bool(true)));
        assert_eq!(reason(&blob(&more)), Reason::FieldUnexpected);
        let mut other = good();
        other[0].1 = PlainValue::Float(1.0);
        assert_eq!(reason(&blob(&other)), Reason::FieldTypeMismatch);
    }

    #[test]
    fn a_flat_list_is_no_pinned_relation_list() {
        let mut flat = good();
        flat[2].1 = PlainValue::Ids(vec![Hash::of(b"piece")]);
        assert_eq!(reason(&blob(&flat)), Reason::FieldTypeMismatch);

        flat[2].1 = PlainValue::Ids(Vec::new());
        assert_eq!(reason(&blob(&flat)), Reason::BlobPieces);
    }

    #[test]
    fn no_pieces_go_with_no_length_and_only_with_it() {
        let schema = Schema::system(SystemSchema::Blob);
        let with = |length: i64, pieces: PlainValue| {
            let mut fields = good();
            fields[0].1 = PlainValue::Int(length);
            fields[2].1 = pieces;
            blob(&fields)
        };
        let none = || PlainValue::Ids(Vec::new());
        let one = || good()[2].1.clone();

        assert!(validate_operation(&with(0, none()), &schema).is_ok());
        assert!(validate_operation(&with(1, one()), &schema).is_ok());
        assert_eq!(reason(&with(1, none())), Reason::BlobPieces);
        assert_eq!(reason(&with(0, one())), Reason::BlobPieces);
        assert_eq!(reason(&with(-1, none())), Reason::BlobLength);
    }

    #[test]
    fn an_operation_of_another_schema_is_refused() {
        let schema = Schema::system(SystemSchema::BlobPiece);
        let error = validate_operation(&blob(&good()), &schema).unwrap_err();
        assert_eq!(error.reason(), Reason::SchemaMismatch);
    }
}
