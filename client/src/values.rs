//! Field values from JSON and from text, by the types a schema gives them, and back to JSON.
//!
//! ```text
//! bool                     true
//! int                      7, or "7", which keeps all 64 bits in programs that know only floats
//! float                    7.5, or 7
//! str                      "text"
//! bytes                    "68656c6c6f" (hex)
//! relation                 a document id            pinned_relation        a view id
//! relation_list            a list of document ids   pinned_relation_list   a list of view ids
//! ```
//!
//! Whether all fields are given, and the rules of the system schemas, is judged when the operation
//! is made.

use std::str::FromStr;

use grove_core::types::{FieldType, HashError, Schema, Value, ViewIdError};
use grove_core::wire::Fields;
use grove_core::{Reason, Refusal};
use serde_json::{Map, Value as Json, json};

/// Types the members of a JSON object as fields of `schema`.
pub fn fields_from_json(
    object: &Map<String, Json>,
    schema: &Schema,
) -> Result<Fields<Value>, FieldError> {
    object
        .iter()
        .map(|(name, json)| {
            let value = value_from_json(json, field_type(name, schema)?)
                .map_err(|error| FieldError::Value(name.clone(), error))?;
            Ok((name.clone(), value))
        })
        .collect()
}

/// Types pairs of name and text, as written on a command line, as fields of `schema`.
pub fn fields_from_text<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    schema: &Schema,
) -> Result<Fields<Value>, FieldError> {
    let mut fields = Fields::new();
    for (name, text) in pairs {
        let value = value_from_text(text, field_type(name, schema)?)
            .map_err(|error| FieldError::Value(name.to_owned(), error))?;
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(FieldError::Duplicate(name.to_owned()));
        }
    }
    Ok(fields)
}

/// Reads a value of the given type from JSON.
pub fn value_from_json(json: &Json, field_type: &FieldType) -> Result<Value, ValueError> {
    let mismatch = || ValueError::Type {
        given: form(json),
        expected: field_type.to_string(),
    };
    let text = || json.as_str().ok_or_else(mismatch);
    Ok(match field_type {
        FieldType::Bool => Value::Bool(json.as_bool().ok_or_else(mismatch)?),
        FieldType::Int => Value::Int(match json {
            Json::Number(number) if number.is_f64() => return Err(mismatch()),
            Json::Number(number) => number.as_i64().ok_or(ValueError::Integer)?,
            _ => parse_int(text()?)?,
        }),
        FieldType::Float => Value::Float(json.as_f64().ok_or_else(mismatch)?),
        FieldType::Str => Value::Str(text()?.to_owned()),
        FieldType::Bytes => Value::Bytes(parse_bytes(text()?)?),
        FieldType::Relation(_) => Value::Relation(text()?.parse()?),
        FieldType::PinnedRelation(_) => Value::PinnedRelation(text()?.parse()?),
        FieldType::RelationList(_) => Value::RelationList(parse_list(json, &mismatch)?),
        FieldType::PinnedRelationList(_) => Value::PinnedRelationList(parse_list(json, &mismatch)?),
    })
}

/// Reads a value of the given type from plain text. Lists are JSON, or ids joined by commas.
pub fn value_from_text(text: &str, field_type: &FieldType) -> Result<Value, ValueError> {
    let json = match field_type {
        FieldType::Int => return parse_int(text).map(Value::Int),
        FieldType::Float => {
            let float = text.parse().map_err(|_| ValueError::Float)?;
            return Ok(Value::Float(float));
        }
        FieldType::Bool => match text {
            "true" => json!(true),
            "false" => json!(false),
            _ => json!(text),
        },
        FieldType::RelationList(_) | FieldType::PinnedRelationList(_) => {
            let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
            serde_json::from_str(text).unwrap_or_else(|_| ids.collect())
        }
        _ => json!(text),
    };
    value_from_json(&json, field_type)
}

/// Writes a value as JSON. NaN and infinities have no JSON and become `null` (R20).
pub fn value_to_json(value: &Value) -> Json {
    fn list<T: ToString>(items: &[T]) -> Json {
        items.iter().map(ToString::to_string).collect()
    }
    match value {
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::Float(float) => json!(float),
        Value::Str(text) => json!(text),
        Value::Bytes(bytes) => json!(hex::encode(bytes)),
        Value::Relation(id) => json!(id.to_string()),
        Value::PinnedRelation(id) => json!(id.to_string()),
        Value::RelationList(ids) => list(ids),
        Value::PinnedRelationList(ids) => list(ids),
    }
}

fn field_type<'a>(name: &str, schema: &'a Schema) -> Result<&'a FieldType, FieldError> {
    schema
        .fields()
        .get(name)
        .ok_or_else(|| FieldError::Unexpected(name.to_owned()))
}

fn parse_int(text: &str) -> Result<i64, ValueError> {
    text.parse().map_err(|_| ValueError::Integer)
}

fn parse_bytes(text: &str) -> Result<Vec<u8>, ValueError> {
    hex::decode(text).map_err(|_| ValueError::Hex)
}

fn parse_list<T>(json: &Json, mismatch: &dyn Fn() -> ValueError) -> Result<Vec<T>, ValueError>
where
    T: FromStr,
    ValueError: From<T::Err>,
{
    let items = json.as_array().ok_or_else(mismatch)?;
    items
        .iter()
        .map(|item| Ok(item.as_str().ok_or_else(mismatch)?.parse()?))
        .collect()
}

/// What JSON holds, for messages.
fn form(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list that does not fit",
        Json::Object(_) => "an object",
    }
}

/// Why a set of fields cannot be read. (Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The schema has no such field.
    #[error("the schema has no field {0:?}")]
    Unexpected(String),
    /// A field was given twice.
    #[error("field {0:?} is given twice")]
    Duplicate(String),
    /// The value does not fit.
    #[error("field {0:?}: {1}")]
    Value(String, ValueError),
}

impl Refusal for FieldError {
    fn reason(&self) -> Reason {
        match self {
            Self::Unexpected(_) => Reason::FieldUnexpected,
            Self::Duplicate(_) => Reason::FieldsDuplicate,
            Self::Value(_, error) => error.reason(),
        }
    }
}

/// Why a value does not fit its type. (Caller)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Another kind of JSON.
    #[error("{given} given, {expected} expected")]
    Type {
        /// What was given.
        given: &'static str,
        /// The type of the field.
        expected: String,
    },
    /// No integer of 64 bits with sign.
    #[error("not an integer of 64 bits with sign")]
    Integer,
    /// No decimal number.
    #[error("not a number")]
    Float,
    /// No hex.
    #[error("bytes are written as an even number of hex digits")]
    Hex,
    /// A relation is no document id.
    #[error("not a document id: {0}")]
    DocumentId(#[from] HashError),
    /// A pinned relation is no view id.
    #[error("not a view id: {0}")]
    ViewId(#[from] ViewIdError),
}

impl Refusal for ValueError {
    fn reason(&self) -> Reason {
        match self {
            Self::Type { .. } => Reason::FieldTypeMismatch,
            Self::Integer => Reason::IntegerOutOfRange,
            Self::Float => Reason::InvalidNumber,
            Self::Hex => Reason::InvalidHex,
            Self::DocumentId(error) => error.reason(),
            Self::ViewId(error) => error.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grove_core::types::{DocumentId, DocumentViewId, Hash, SchemaId};
    use proptest::prelude::*;
    use rstest::rstest;

    fn id(byte: u8) -> Hash {
        Hash::from_digest([byte; 32])
    }

    fn typed() -> impl Strategy<Value = (FieldType, Value)> {
        let target = || SchemaId::BLOB;
        let hash = any::<[u8; 32]>().prop_map(Hash::from_digest);
        let hashes = || prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_digest), 0..4);
        let views = prop::collection::vec(hashes(), 0..3).prop_map(|views| {
            let view = |ids: Vec<Hash>| DocumentViewId::from_tips(ids.into_iter().map(Into::into));
            views.into_iter().filter_map(view).collect::<Vec<_>>()
        });
        prop_oneof![
            any::<bool>().prop_map(|bool| (FieldType::Bool, Value::Bool(bool))),
            any::<i64>().prop_map(|int| (FieldType::Int, Value::Int(int))),
            (-1e300..1e300f64).prop_map(|float| (FieldType::Float, Value::Float(float))),
            any::<String>().prop_map(|text| (FieldType::Str, Value::Str(text))),
            any::<Vec<u8>>().prop_map(|bytes| (FieldType::Bytes, Value::Bytes(bytes))),
            hash.prop_map(move |id| (FieldType::Relation(target()), Value::Relation(id.into()))),
            hashes().prop_map(move |ids| {
                let ids = ids.into_iter().map(Into::into).collect();
                (FieldType::RelationList(target()), Value::RelationList(ids))
            }),
            views.prop_map(move |views| (
                FieldType::PinnedRelationList(target()),
                Value::PinnedRelationList(views)
            )),
        ]
    }

    proptest! {
        #[test]
        fn values_survive_json_and_its_text((field_type, value) in typed()) {
            let text = value_to_json(&value).to_string();
            let json: Json = serde_json::from_str(&text).unwrap();

            prop_assert_eq!(value_from_json(&json, &field_type), Ok(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String, (field_type, _) in typed()) {
            let _ = value_from_text(&text, &field_type);
        }
    }

    #[rstest]
    #[case(FieldType::Int, json!(9_007_199_254_740_993_i64), Value::Int(9_007_199_254_740_993))]
    #[case(FieldType::Int, json!("-9223372036854775808"), Value::Int(i64::MIN))]
    #[case(FieldType::Float, json!(4), Value::Float(4.0))]
    #[case(FieldType::Bytes, json!("00Ff"), Value::Bytes(vec![0, 255]))]
    fn json_is_read_by_the_type(
        #[case] field_type: FieldType,
        #[case] json: Json,
        #[case] value: Value,
    ) {
        assert_eq!(value_from_json(&json, &field_type), Ok(value));
    }

    #[rstest]
    #[case(FieldType::Int, json!(1.0), Reason::FieldTypeMismatch)]
    #[case(FieldType::Int, json!(u64::MAX), Reason::IntegerOutOfRange)]
    #[case(FieldType::Float, json!("1.5"), Reason::FieldTypeMismatch)]
    #[case(FieldType::Bool, json!(1), Reason::FieldTypeMismatch)]
    #[case(FieldType::Str, Json::Null, Reason::FieldTypeMismatch)]
    #[case(FieldType::Bytes, json!("0"), Reason::InvalidHex)]
    #[case(FieldType::Relation(SchemaId::BLOB), json!("00"), Reason::HashLength)]
    #[case(FieldType::PinnedRelation(SchemaId::BLOB), json!(""), Reason::ViewIdEmpty)]
    #[case(FieldType::RelationList(SchemaId::BLOB), json!([1]), Reason::FieldTypeMismatch)]
    fn json_that_does_not_fit_has_a_reason(
        #[case] field_type: FieldType,
        #[case] json: Json,
        #[case] reason: Reason,
    ) {
        assert_eq!(
            value_from_json(&json, &field_type).unwrap_err().reason(),
            reason
        );
    }

    #[test]
    fn text_needs_no_quotes() {
        let list = FieldType::RelationList(SchemaId::BLOB);
        let ids = vec![DocumentId::from(id(1)), DocumentId::from(id(2))];
        let read = |text: &str, field_type| value_from_text(text, field_type);

        assert_eq!(
            read("true", &FieldType::Str),
            Ok(Value::Str("true".to_owned()))
        );
        assert_eq!(read("true", &FieldType::Bool), Ok(Value::Bool(true)));
        assert_eq!(read("7", &FieldType::Float), Ok(Value::Float(7.0)));
        let commas = format!("{}, {}", id(1), id(2));
        assert_eq!(read(&commas, &list), Ok(Value::RelationList(ids.clone())));
        let json = format!("[\"{}\",\"{}\"]", id(1), id(2));
        assert_eq!(read(&json, &list), Ok(Value::RelationList(ids)));
        assert_eq!(read("", &list), Ok(Value::RelationList(Vec::new())));
    }
}
