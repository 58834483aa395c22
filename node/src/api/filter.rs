//! Which documents are asked for: filter, meta filter and order as JSON, read into a [`DocumentQuery`].
//!
//! Both APIs take the same arguments and come here with them. Null is as good as absent throughout, and
//! everything given must hold at once.

use grove_core::types::{FieldType, PublicKey, Schema, Value as FieldValue};
use grove_core::{Reason, Refusal};
use serde_json::Value;

use super::{ApiError, parse};
use crate::store::query::{Comparison, Condition, DocumentQuery, OrderBy, Standing, Test};

/// Most values one question may compare with.
const OPERANDS_MAX: usize = 1000;

/// Most conditions of one question: a database has to nest as many.
const CONDITIONS_MAX: usize = 500;

/// What was given, null where nothing was.
#[derive(Debug, Default)]
pub struct Asked {
    /// Field → operator → value.
    pub filter: Value,
    /// `documentId`, `viewId`, `owner`, `edited`, `deleted` → operator → value.
    pub meta: Value,
    /// `DOCUMENT_ID`, `DOCUMENT_VIEW_ID`, `OWNER`, `EDITED` or the name of a field.
    pub order_by: Value,
    /// `ASC` or `DESC`.
    pub order_direction: Value,
}

/// Reads what is asked of the documents of a schema. Says too whether an order was asked for.
pub fn read_query(schema: &Schema, asked: &Asked) -> Result<(DocumentQuery, bool), ApiError> {
    let mut reader = Reader {
        query: DocumentQuery::default(),
        deleted: None,
        operands: 0,
    };
    for (name, filter) in members("filter", &asked.filter)? {
        let mut fields = schema.fields().iter();
        let field = fields.find(|(field, _)| *name == field.as_str());
        let (_, field_type) = field.ok_or_else(|| unexpected("filter"))?;
        for (operator, operand) in members("filter", filter)? {
            reader.field(name, field_type, operator, operand)?;
        }
    }
    for (name, filter) in members("meta", &asked.meta)? {
        for (operator, operand) in members("meta", filter)? {
            reader.meta(name, operator, operand)?;
        }
    }
    if reader.deleted == Some(true) {
        reader.query.standing = Standing::Deleted;
    }
    if reader.query.conditions.len() > CONDITIONS_MAX {
        let text = "too many conditions";
        return Err(ApiError::invalid("filter", Reason::RequestTooLarge, text));
    }
    let ordered = reader.order(schema, asked)?;
    Ok((reader.query, ordered))
}

struct Reader {
    query: DocumentQuery,
    /// Whether deleted documents are asked for, once that was said.
    deleted: Option<bool>,
    operands: usize,
}

impl Reader {
    fn field(
        &mut self,
        name: &str,
        field_type: &FieldType,
        operator: &str,
        operand: &Value,
    ) -> Result<(), ApiError> {
        let single = |value: &Value| read_value(field_type, value);
        let test = match operator {
            "eq" => Test::Among(true, vec![single(operand)?]),
            "notEq" => Test::Among(false, vec![single(operand)?]),
            "gt" => Test::Compared(Comparison::Above, single(operand)?),
            "gte" => Test::Compared(Comparison::AtLeast, single(operand)?),
            "lt" => Test::Compared(Comparison::Below, single(operand)?),
            "lte" => Test::Compared(Comparison::AtMost, single(operand)?),
            "contains" => Test::Contains(true, read_text("filter", operand)?.to_owned()),
            "notContains" => Test::Contains(false, read_text("filter", operand)?.to_owned()),
            "in" | "notIn" => {
                let wanted = operator == "in";
                match field_type {
                    FieldType::RelationList(_) => {
                        Test::Lists(wanted, self.list("filter", operand, read_id)?)
                    }
                    FieldType::PinnedRelationList(_) => {
                        Test::ListsViews(wanted, self.list("filter", operand, read_id)?)
                    }
                    _ => {
                        let single = |_: &'static str, value: &Value| single(value);
                        Test::Among(wanted, self.list("filter", operand, single)?)
                    }
                }
            }
            _ => return Err(unexpected("filter")),
        };
        self.count("filter", 1)?;
        let condition = Condition::Field(name.to_owned(), test);
        self.query.conditions.push(condition);
        Ok(())
    }

    fn meta(&mut self, name: &str, operator: &str, operand: &Value) -> Result<(), ApiError> {
        let wanted = matches!(operator, "eq" | "in");
        let condition = match name {
            "documentId" => {
                Condition::Document(wanted, self.one_or_more(operator, operand, read_id)?)
            }
            "viewId" => Condition::View(wanted, self.one_or_more(operator, operand, read_id)?),
            "owner" => {
                let read_key =
                    |name, value: &Value| parse::<PublicKey>(name, read_text(name, value)?);
                Condition::Owner(wanted, self.one_or_more(operator, operand, read_key)?)
            }
            "edited" => Condition::Edited(read_bool("meta", operand)? == wanted),
            "deleted" => {
                let deleted = read_bool("meta", operand)? == wanted;
                if self.deleted.is_none_or(|before| before == deleted) {
                    self.deleted = Some(deleted);
                    return Ok(());
                }
                // Nothing is deleted and not deleted.
                Condition::Document(true, Vec::new())
            }
            _ => return Err(unexpected("meta")),
        };
        self.count("meta", 1)?;
        self.query.conditions.push(condition);
        Ok(())
    }

    fn one_or_more<T>(
        &mut self,
        operator: &str,
        operand: &Value,
        read: impl Fn(&'static str, &Value) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, ApiError> {
        match operator {
            "in" | "notIn" => self.list("meta", operand, read),
            _ => Ok(vec![read("meta", operand)?]),
        }
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        operand: &Value,
        read: impl Fn(&'static str, &Value) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, ApiError> {
        let Value::Array(items) = operand else {
            return Err(ApiError::invalid(
                name,
                Reason::ArgumentInvalid,
                "expected a list",
            ));
        };
        self.count(name, items.len())?;
        items.iter().map(|item| read(name, item)).collect()
    }

    fn count(&mut self, name: &'static str, operands: usize) -> Result<(), ApiError> {
        self.operands += operands;
        if self.operands > OPERANDS_MAX {
            let text = "too many values to compare with";
            return Err(ApiError::invalid(name, Reason::RequestTooLarge, text));
        }
        Ok(())
    }

    /// Reads the order; says whether one was asked for.
    fn order(&mut self, schema: &Schema, asked: &Asked) -> Result<bool, ApiError> {
        let word = |name: &'static str, value: &Value| match value {
            Value::Null => Ok(None),
            value => read_text(name, value).map(|word| Some(word.to_owned())),
        };
        let by = word("orderBy", &asked.order_by)?;
        let ordered = by.is_some();
        self.query.order.by = match by {
            None => OrderBy::DocumentId,
            // A field of such a name can't be ordered by, as with published nodes.
            Some(word) if word == "DOCUMENT_ID" => OrderBy::DocumentId,
            Some(word) if word == "DOCUMENT_VIEW_ID" => OrderBy::ViewId,
            Some(word) if word == "OWNER" => OrderBy::Owner,
            Some(word) if word == "EDITED" => OrderBy::Edited,
            Some(field) => {
                let mut fields = schema.fields().keys();
                if !fields.any(|known| known.as_str() == field) {
                    return Err(unexpected("orderBy"));
                }
                match self.query.standing {
                    Standing::Live => OrderBy::Field(field),
                    // Deleted documents have no fields to be ordered by.
                    Standing::Deleted => OrderBy::DocumentId,
                }
            }
        };
        self.query.order.descending =
            match word("orderDirection", &asked.order_direction)?.as_deref() {
                None | Some("ASC") => false,
                Some("DESC") => true,
                Some(_) => return Err(unexpected("orderDirection")),
            };
        Ok(ordered)
    }
}

//= QU9: null is as good as absent
/// The members of an object that are not null.
fn members<'v>(
    name: &'static str,
    value: &'v Value,
) -> Result<Vec<(&'v String, &'v Value)>, ApiError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            Ok(given.collect())
        }
        _ => Err(ApiError::invalid(
            name,
            Reason::ArgumentInvalid,
            "expected an object",
        )),
    }
}

/// A member or word that nobody can answer.
fn unexpected(name: &'static str) -> ApiError {
    ApiError::invalid(
        name,
        Reason::ArgumentInvalid,
        "there is no such member or value",
    )
}

/// A value of a field of this type.
fn read_value(field_type: &FieldType, value: &Value) -> Result<FieldValue, ApiError> {
    let wrong = || {
        ApiError::invalid(
            "filter",
            Reason::ArgumentInvalid,
            "the value is not of the field's type",
        )
    };
    Ok(match field_type {
        FieldType::Bool => FieldValue::Bool(read_bool("filter", value)?),
        FieldType::Int | FieldType::Float => {
            let Value::Number(number) = value else {
                return Err(wrong());
            };
            match field_type {
                FieldType::Int => FieldValue::Int(number.as_i64().ok_or_else(wrong)?),
                _ => FieldValue::Float(number.as_f64().ok_or_else(wrong)?),
            }
        }
        FieldType::Str => FieldValue::Str(read_text("filter", value)?.to_owned()),
        FieldType::Bytes => {
            let bytes = hex::decode(read_text("filter", value)?);
            let not_hex = |_| {
                ApiError::invalid(
                    "filter",
                    Reason::InvalidHex,
                    Reason::InvalidHex.description(),
                )
            };
            FieldValue::Bytes(bytes.map_err(not_hex)?)
        }
        FieldType::Relation(_) => FieldValue::Relation(read_id("filter", value)?),
        FieldType::PinnedRelation(_) => FieldValue::PinnedRelation(read_id("filter", value)?),
        FieldType::RelationList(_) | FieldType::PinnedRelationList(_) => return Err(wrong()),
    })
}

fn read_id<T: std::str::FromStr<Err: Refusal>>(
    name: &'static str,
    value: &Value,
) -> Result<T, ApiError> {
    parse(name, read_text(name, value)?)
}

fn read_text<'v>(name: &'static str, value: &'v Value) -> Result<&'v str, ApiError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(ApiError::invalid(
            name,
            Reason::ArgumentInvalid,
            "expected a string",
        )),
    }
}

fn read_bool(name: &'static str, value: &Value) -> Result<bool, ApiError> {
    match value {
        Value::Bool(bool) => Ok(*bool),
        _ => Err(ApiError::invalid(
            name,
            Reason::ArgumentInvalid,
            "expected a boolean",
        )),
    }
}
