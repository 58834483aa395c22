//! What is done to a query before the library judges it: bounds, and the leniency clients rely on.
//!
//! Published clients declare variables as `String!` where the schema wants a scalar of its own, and
//! bind null to them. The library would refuse both, so each variable is replaced by its value here
//! and only the value is judged. A declared type must exist all the same.
//!
//! Always true of what leaves here:
//! - One operation, no variables, no fragment that is not used.
//! - With fragments expanded it is no deeper and no larger than the limits, so later steps may recurse.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    BaseType, Directive, DocumentOperations, ExecutableDocument, FragmentDefinition,
    OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Request, ServerError, Value};
use async_graphql_value::Value as QueryValue;
use grove_core::Reason;
use serde_json::Map;

use super::budget::{Budget, VALUE_SIZE};
use super::{Posted, refusal};
use crate::http::Limits;

/// Nesting of brackets in the text of a query, values included. The parser recurses over it.
const BRACKETS_MAX: usize = 100;

/// How often one query may ask for the schema's description.
const INTROSPECTIONS_MAX: usize = 4;

/// Most bytes of a request that subscribes, and most fields of it: it is kept as long as it is followed.
const SUBSCRIPTION_SIZE_MAX: usize = 64 << 10;
const SUBSCRIPTION_FIELDS_MAX: usize = 1000;

/// A query that may be judged and executed.
pub(super) struct Prepared {
    pub(super) operation: Positioned<OperationDefinition>,
    pub(super) fragments: HashMap<Name, Positioned<FragmentDefinition>>,
    /// How many fields it has, those of fragments counted wherever they are used.
    pub(super) fields: usize,
}

impl Prepared {
    /// The request that shows an event, as the library takes it: what is asked of it is executed like a
    /// query.
    pub(super) fn for_event(&self) -> Request {
        let mut operation = self.operation.clone();
        operation.node.ty = OperationType::Query;
        let mut request = Request::new("");
        request.set_parsed_query(ExecutableDocument {
            operations: DocumentOperations::Single(operation),
            fragments: self.fragments.clone(),
        });
        request
    }

    /// The request as the library takes it, with the bound on its answer.
    pub(super) fn into_request(self, budget: Budget) -> Request {
        let mut request = Request::new("");
        request.set_parsed_query(ExecutableDocument {
            operations: DocumentOperations::Single(self.operation),
            fragments: self.fragments,
        });
        request.data(budget)
    }
}

/// Parses a request, puts values in the place of variables, and applies the bounds.
pub(super) fn prepare(
    posted: Posted,
    input_types: &BTreeSet<&str>,
    limits: &Limits,
) -> Result<Prepared, ServerError> {
    if brackets(&posted.query) > BRACKETS_MAX {
        return Err(refusal(
            Reason::RequestTooLarge,
            "the query is nested too deeply",
        ));
    }
    let ExecutableDocument {
        operations,
        mut fragments,
    } = parse_query(&posted.query)?;
    let mut operation = select(operations, posted.operation_name.as_deref())?;

    let mut bounds = Bounds {
        limits,
        fields: 0,
        introspections: 0,
        fragments: BTreeSet::new(),
    };
    bounds.visit(&operation.node.selection_set.node, &|name| {
        fragments
            .get(name)
            .map(|fragment| &fragment.node.selection_set.node)
    })?;
    fragments.retain(|name, _| bounds.fragments.contains(name));

    let values = bind(
        &operation.node,
        posted.variables.unwrap_or_default(),
        input_types,
    )?;
    operation.node.variable_definitions.clear();
    let mut values = Values {
        values,
        left: limits.body_size_max,
        short: false,
    };
    values.substitute_directives(&mut operation.node.directives);
    values.substitute(&mut operation.node.selection_set.node);
    for fragment in fragments.values_mut() {
        values.substitute(&mut fragment.node.selection_set.node);
    }
    if values.short {
        let text = "the values of variables are used too often";
        return Err(refusal(Reason::RequestTooLarge, text));
    }

    if operation.node.ty == OperationType::Subscription {
        check_subscription(&operation.node, posted.size, bounds.fields)?;
    }
    Ok(Prepared {
        operation,
        fragments,
        fields: bounds.fields,
    })
}

/// What subscribes asks for one thing to follow, and is small.
fn check_subscription(
    operation: &OperationDefinition,
    size: usize,
    fields: usize,
) -> Result<(), ServerError> {
    if size > SUBSCRIPTION_SIZE_MAX || fields > SUBSCRIPTION_FIELDS_MAX {
        let text = "the subscription is too large";
        return Err(refusal(Reason::RequestTooLarge, text));
    }
    match operation.selection_set.node.items.as_slice() {
        [selection] if matches!(selection.node, Selection::Field(_)) => Ok(()),
        _ => {
            let text = "a subscription selects exactly one field to follow";
            Err(refusal(Reason::RequestMalformed, text))
        }
    }
}

/// How deeply brackets of any kind are nested, outside strings and comments.
fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match first {
            b'"' => skip_string(rest),
            b'#' => skip(after, &[], &[b"\n", b"\r"]),
            _ => after,
        };
        match first {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What follows the string that `text` begins with.
fn skip_string(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"\"\"\"") {
        Some(block) => skip(block, &[b"\\\"\"\""], &[b"\"\"\""]),
        // A line end within a string is an error that the parser reports.
        None => skip(&text[1..], &[b"\\\\", b"\\\""], &[b"\"", b"\n", b"\r"]),
    }
}

/// What follows the first of `ends` in `text`; `passes` are taken as a whole on the way.
fn skip<'t>(mut text: &'t [u8], passes: &[&[u8]], ends: &[&[u8]]) -> &'t [u8] {
    while !text.is_empty() {
        let starts = |with: &&&[u8]| text.starts_with(with);
        if let Some(pass) = passes.iter().find(starts) {
            text = &text[pass.len()..];
        } else if let Some(end) = ends.iter().find(starts) {
            return &text[end.len()..];
        } else {
            text = &text[1..];
        }
    }
    text
}

/// The operation to be executed.
fn select(
    operations: DocumentOperations,
    name: Option<&str>,
) -> Result<Positioned<OperationDefinition>, ServerError> {
    let found = match (operations, name.filter(|name| !name.is_empty())) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(mut operations), Some(name)) => operations.remove(name),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
            operations.into_values().next()
        }
        (DocumentOperations::Multiple(_), None) => {
            let text = "the query has several operations, operationName must say which to execute";
            return Err(refusal(Reason::RequestMalformed, text));
        }
    };
    found.ok_or_else(|| {
        refusal(
            Reason::RequestMalformed,
            "there is no operation of this name",
        )
    })
}

/// Counts what a query asks for, fragments expanded wherever they are used.
struct Bounds<'a> {
    limits: &'a Limits,
    fields: usize,
    introspections: usize,
    fragments: BTreeSet<Name>,
}

/// Where in a query a selection stands.
#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    /// Inside the schema's description, and whether inside a list of fields there. Such lists within
    /// each other multiply the answer, and no tool asks for them.
    described: Option<bool>,
}

impl Bounds<'_> {
    fn visit<'d>(
        &mut self,
        selections: &'d SelectionSet,
        fragment: &dyn Fn(&Name) -> Option<&'d SelectionSet>,
    ) -> Result<(), ServerError> {
        self.visit_at(selections, Place::default(), fragment)
    }

    fn visit_at<'d>(
        &mut self,
        selections: &'d SelectionSet,
        mut place: Place,
        fragment: &dyn Fn(&Name) -> Option<&'d SelectionSet>,
    ) -> Result<(), ServerError> {
        place.depth += 1;
        if place.depth > self.limits.query_depth_max {
            return Err(refusal(
                Reason::RequestTooLarge,
                "the query is nested too deeply",
            ));
        }
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let place = self.enter(field.node.name.node.as_str(), place)?;
                    if !field.node.selection_set.node.items.is_empty() {
                        self.visit_at(&field.node.selection_set.node, place, fragment)?;
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.visit_at(&inline.node.selection_set.node, place, fragment)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    self.fragments.insert(name.clone());
                    if let Some(selections) = fragment(name) {
                        self.visit_at(selections, place, fragment)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &str, mut place: Place) -> Result<Place, ServerError> {
        self.fields += 1;
        match (place.described, name) {
            (None, "__schema" | "__type") => {
                self.introspections += 1;
                place.described = Some(false);
            }
            (Some(false), "fields" | "inputFields" | "interfaces" | "possibleTypes") => {
                place.described = Some(true);
            }
            (Some(true), "fields" | "inputFields" | "interfaces" | "possibleTypes") => {
                let text = "the schema's description is asked for in lists within lists";
                return Err(refusal(Reason::RequestTooLarge, text));
            }
            _ => {}
        }
        if self.fields > self.limits.query_fields_max || self.introspections > INTROSPECTIONS_MAX {
            return Err(refusal(
                Reason::RequestTooLarge,
                "the query selects too many fields",
            ));
        }
        Ok(place)
    }
}

/// The values of an operation's variables; null for those that may be absent and are.
fn bind(
    operation: &OperationDefinition,
    mut variables: Map<String, serde_json::Value>,
    input_types: &BTreeSet<&str>,
) -> Result<BTreeMap<Name, Value>, ServerError> {
    let mut values = BTreeMap::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let mut declared = &definition.node.var_type.node.base;
        while let BaseType::List(inner) = declared {
            declared = &inner.base;
        }
        if let BaseType::Named(type_name) = declared
            && !input_types.contains(type_name.as_str())
        {
            let text = format!("unknown type \"{type_name}\" of variable ${name}");
            return Err(refusal(Reason::RequestMalformed, text));
        }
        let given = match variables.remove(name.as_str()) {
            Some(json) => Value::from_json(json).ok(),
            None => definition.node.default_value().cloned(),
        };
        let Some(value) = given else {
            let text = format!("variable ${name} has no value");
            return Err(refusal(Reason::ArgumentMissing, text));
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// Puts values in the place of variables. A variable nobody declared stays and is refused later.
struct Values {
    values: BTreeMap<Name, Value>,
    /// How large all copies may still be, in bytes: one value can be asked for in many places.
    left: usize,
    short: bool,
}

impl Values {
    fn substitute(&mut self, selections: &mut SelectionSet) {
        for selection in &mut selections.items {
            self.substitute_directives(selection.node.directives_mut());
            match &mut selection.node {
                Selection::Field(field) => {
                    self.substitute_arguments(&mut field.node.arguments);
                    self.substitute(&mut field.node.selection_set.node);
                }
                Selection::InlineFragment(inline) => {
                    self.substitute(&mut inline.node.selection_set.node);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn substitute_directives(&mut self, directives: &mut [Positioned<Directive>]) {
        for directive in directives {
            self.substitute_arguments(&mut directive.node.arguments);
        }
    }

    fn substitute_arguments(
        &mut self,
        arguments: &mut [(Positioned<Name>, Positioned<QueryValue>)],
    ) {
        for (_, argument) in arguments {
            let node = argument.node.clone();
            if let Ok(value) = node.into_const_with(|name| self.copy(&name).ok_or(())) {
                argument.node = value.into_value();
            }
        }
    }

    fn copy(&mut self, name: &Name) -> Option<Value> {
        let value = self.values.get(name)?;
        match self.left.checked_sub(size(value)) {
            Some(left) => self.left = left,
            None => {
                self.short = true;
                return None;
            }
        }
        Some(value.clone())
    }
}

/// About what a value takes in memory.
fn size(value: &Value) -> usize {
    VALUE_SIZE
        + match value {
            Value::String(text) => text.len(),
            Value::List(values) => values.iter().map(size).sum(),
            Value::Object(members) => members.values().map(size).sum(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_only_where_they_nest() {
        assert_eq!(brackets("{ a(b: [1, {c: 2}]) { d } }"), 4);
        assert_eq!(brackets(r#"{ a(b: "[[[[ \" [[[[") }"#), 2);
        assert_eq!(brackets(r#"{ a(b: """[[ " \""" [[""") }"#), 2);
        assert_eq!(brackets("{ a # [[[[\n b }"), 1);
        assert_eq!(brackets(r#"{ a(b: "]]]]", c: [[[1]]]) }"#), 5);
    }

    #[test]
    fn unclosed_strings_end_with_their_line() {
        assert_eq!(brackets("\"\n[[["), 3);
        assert_eq!(brackets("\"\"\"[[["), 0);
        assert_eq!(brackets("\"\\"), 0);
    }
}
