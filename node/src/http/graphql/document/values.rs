//! What variables and arguments hold, coerced to the types they are declared with.
//!
//! As the specification has it, but that integers have 64 bits. What a scalar of p2panda holds is judged
//! where it is used, since only there a wrong one gets its own code.

use apollo_compiler::ast::{Type, Value as Literal};
use apollo_compiler::executable::{Field, Operation};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema as Types};
use grove_core::Reason;
use serde_json::{Map, Number, Value};

use super::Document;
use crate::http::graphql::error::{QueryError, refused};

/// The values of an operation's variables. Those that may be absent and are, are missing.
pub(in crate::http::graphql) fn variables(
    document: &Document,
    operation: &Operation,
    mut given: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<QueryError>> {
    let mut values = Map::new();
    for variable in &operation.variables {
        let name = variable.name.as_str();
        let refuse = |reason, text: String| {
            let error = QueryError::new(reason, format!("variable ${name}: {text}"));
            vec![error.at(variable.location(), &document.executable.sources)]
        };
        let value = match (given.remove(name), &variable.default_value) {
            (Some(value), _) => value,
            (None, Some(default)) => literal(default, &values).unwrap_or_default(),
            (None, None) if variable.ty.is_non_null() => {
                return Err(refuse(Reason::ArgumentMissing, "has no value".to_owned()));
            }
            (None, None) => continue,
        };
        let value = coerce(&document.types, &variable.ty, value)
            .map_err(|text| refuse(Reason::RequestMalformed, text))?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// The arguments of a field that are given. Defaults are left out: they are what is meant when nothing is
/// said.
pub(in crate::http::graphql) fn arguments(
    types: &Types,
    field: &Field,
    variables: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<QueryError>> {
    let mut values = Map::new();
    for argument in &field.arguments {
        let wanted = field.definition.argument_by_name(&argument.name);
        let (Some(wanted), Some(value)) = (wanted, literal(&argument.value, variables)) else {
            continue;
        };
        let name = argument.name.as_str();
        let value = coerce(types, &wanted.ty, value).map_err(|text| {
            refused(Reason::RequestMalformed, format!("argument {name}: {text}"))
        })?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// The value written in a document; `None` for a variable without a value.
pub(in crate::http::graphql) fn literal(
    value: &Literal,
    variables: &Map<String, Value>,
) -> Option<Value> {
    Some(match value {
        Literal::Null => Value::Null,
        Literal::Boolean(bool) => Value::Bool(*bool),
        Literal::String(text) => Value::String(text.clone()),
        Literal::Enum(name) => Value::String(name.to_string()),
        Literal::Int(int) => number(int.as_str()),
        Literal::Float(float) => number(float.as_str()),
        Literal::Variable(name) => variables.get(name.as_str())?.clone(),
        Literal::List(items) => {
            let items = items.iter();
            let items = items.map(|item| literal(item, variables).unwrap_or_default());
            Value::Array(items.collect())
        }
        Literal::Object(members) => Value::Object(object(members, variables)),
    })
}

/// Members whose variables have no value are missing.
fn object(
    members: &[(apollo_compiler::Name, Node<Literal>)],
    variables: &Map<String, Value>,
) -> Map<String, Value> {
    let members = members.iter();
    members
        .filter_map(|(name, value)| Some((name.to_string(), literal(value, variables)?)))
        .collect()
}

fn number(text: &str) -> Value {
    let number = text.parse::<Number>();
    number.map_or(Value::Null, Value::Number)
}

/// The value as one of a type.
pub(in crate::http::graphql) fn coerce(
    types: &Types,
    wanted: &Type,
    value: Value,
) -> Result<Value, String> {
    if value.is_null() {
        return match wanted.is_non_null() {
            true => Err(format!("null is no {wanted}")),
            false => Ok(value),
        };
    }
    let name = match wanted {
        Type::List(of) | Type::NonNullList(of) => {
            return match value {
                Value::Array(items) => {
                    let items = items.into_iter();
                    items.map(|item| coerce(types, of, item)).collect()
                }
                // One value is as good as a list of it.
                value => Ok(Value::Array(vec![coerce(types, of, value)?])),
            };
        }
        Type::Named(name) | Type::NonNullNamed(name) => name.as_str(),
    };
    let fits = match types.types.get(name) {
        Some(ExtendedType::InputObject(object)) => {
            return match value {
                Value::Object(members) => members_of(types, object, members),
                _ => Err(format!("expected an object of type {name}")),
            };
        }
        Some(ExtendedType::Enum(values)) => {
            let text = value.as_str().unwrap_or_default();
            values.values.contains_key(text)
        }
        Some(ExtendedType::Scalar(_)) => match name {
            // JSON's 1.0 is 1 to most who write it.
            "Int" => match whole(&value) {
                Some(int) => return Ok(int.into()),
                None => value.is_i64() || value.is_u64(),
            },
            "Float" => value.is_number(),
            "String" => value.is_string(),
            "Boolean" => value.is_boolean(),
            "ID" => value.is_string() || value.is_i64() || value.is_u64(),
            // Those of p2panda are read where they are used.
            _ => true,
        },
        _ => false,
    };
    match fits {
        true => Ok(value),
        false => Err(format!("expected a value of type {name}")),
    }
}

/// The integer that a number with a fraction of nothing is.
fn whole(value: &Value) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = value.as_f64().filter(|_| value.is_f64())?;
    let is_whole = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
    is_whole.then_some(float as i64)
}

fn members_of(
    types: &Types,
    object: &apollo_compiler::schema::InputObjectType,
    members: Map<String, Value>,
) -> Result<Value, String> {
    let mut coerced = Map::new();
    for (name, value) in members {
        let Some(member) = object.fields.get(name.as_str()) else {
            return Err(format!("type {} has no member {name:.100}", object.name));
        };
        let value = coerce(types, &member.ty, value).map_err(|text| format!("{name}: {text}"))?;
        coerced.insert(name, value);
    }
    Ok(Value::Object(coerced))
}
