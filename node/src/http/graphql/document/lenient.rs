//! What is taken although GraphQL's specification refuses it, since published clients send it.
//!
//! | leniency | who needs it |
//! | --- | --- |
//! | `query X() { … }`: empty parentheses | meli |
//! | a variable of another scalar or enum than its place has, and null for one declared non-null where its place may be null | shirokuma, p2panda-js, meli, zoo, mushroom: `$publicKey: String!`, `$viewId: String!` |
//! | a text where an enum's value is wanted: `orderBy: "name"` | meli |
//! | integers of 64 bits | every client with fields of type `int` |
//!
//! And one more in `arguments`: a list of operation ids for `viewId`, which is a scalar of ours.
//! Everything else is the specification's.

use std::borrow::Cow;
use std::collections::HashMap;

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type, Value};
use apollo_compiler::executable::{
    Argument, Operation, Selection, SelectionSet, VariableDefinition,
};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema as Types};

use crate::http::graphql::error::{QueryError, found};
use crate::http::graphql::schema::is_leaf;

/// The text without the empty parentheses behind the name of its first operation. What follows them
/// keeps its place.
pub(super) fn without_empty_parentheses(text: &str) -> Cow<'_, str> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
    let bytes = text.as_bytes();
    let skip = |from: usize, pass: &dyn Fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| pass(**byte)).count()
    };
    let word = skip(0, &is_space);
    let end = skip(word, &is_name);
    if !matches!(&text[word..end], "query" | "mutation" | "subscription") {
        return Cow::Borrowed(text);
    }
    let open = skip(skip(skip(end, &is_space), &is_name), &is_space);
    if bytes.get(open) != Some(&b'(') {
        return Cow::Borrowed(text);
    }
    let close = skip(open + 1, &is_space);
    if bytes.get(close) != Some(&b')') {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    text.replace_range(open..=open, " ");
    text.replace_range(close..=close, " ");
    Cow::Owned(text)
}

/// Validates a document, with the leniencies.
pub(super) fn validate(
    mut document: ExecutableDocument,
    types: &Valid<Types>,
) -> Result<Valid<ExecutableDocument>, Vec<QueryError>> {
    let mut lenient = Lenient {
        types,
        declared: declared(&document),
        places: HashMap::new(),
        has_wide: false,
    };
    let operations = document.operations.anonymous.iter_mut();
    for operation in operations.chain(document.operations.named.values_mut()) {
        lenient.selections(operation, |operation| &mut operation.selection_set);
    }
    for fragment in document.fragments.values_mut() {
        lenient.selections(fragment, |fragment| &mut fragment.selection_set);
    }
    let Lenient {
        places, has_wide, ..
    } = lenient;
    let operations = document.operations.anonymous.iter_mut();
    for operation in operations.chain(document.operations.named.values_mut()) {
        retype(operation, &places, types);
    }
    let judged = |document: ExecutableDocument| {
        let judged = document.validate(types);
        judged.map_err(|refused| found(&refused.errors))
    };
    if !has_wide {
        return judged(document);
    }
    // The library knows integers of 32 bits only: it judges a copy in which the wider ones are small.
    judged(narrowed(document.clone()))?;
    Ok(Valid::assume_valid(document))
}

/// The types of all variables, as far as all operations agree.
fn declared(document: &ExecutableDocument) -> HashMap<Name, Node<Type>> {
    let variables = document
        .operations
        .iter()
        .flat_map(|operation| &operation.variables);
    variables
        .map(|variable| (variable.name.clone(), variable.ty.clone()))
        .collect()
}

/// The types of the places a variable is used in.
enum Places {
    /// It fits everywhere.
    Fit,
    /// It does not fit somewhere, and all places have this type.
    Alike(Type),
    /// It does not fit, and no one type would.
    Torn,
}

struct Lenient<'a> {
    types: &'a Types,
    declared: HashMap<Name, Node<Type>>,
    places: HashMap<Name, (Option<Type>, Places)>,
    /// Whether there are integers that need more than 32 bits.
    has_wide: bool,
}

impl Lenient<'_> {
    /// Reads the selections of an operation or fragment; copies only what has to change.
    fn selections<T: Clone>(
        &mut self,
        of: &mut Node<T>,
        selections: impl Fn(&mut T) -> &mut SelectionSet,
    ) {
        self.set(selections(of.make_mut()));
    }

    fn set(&mut self, selections: &mut SelectionSet) {
        for selection in &mut selections.selections {
            match selection {
                Selection::Field(field) => {
                    let field = field.make_mut();
                    let definition = Node::clone(&field.definition);
                    for argument in &mut field.arguments {
                        self.argument(argument, &definition);
                    }
                    self.set(&mut field.selection_set);
                }
                Selection::InlineFragment(inline) => self.set(&mut inline.make_mut().selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn argument(&mut self, argument: &mut Node<Argument>, definition: &FieldDefinition) {
        if let Some(wanted) = definition.argument_by_name(&argument.name) {
            let wanted: &InputValueDefinition = wanted;
            let has_default = wanted.default_value.is_some();
            if let Some(value) = self.value(&argument.value, &wanted.ty, has_default) {
                argument.make_mut().value = value;
            }
        }
    }

    /// What a value is to be replaced with.
    fn value(
        &mut self,
        value: &Node<Value>,
        wanted: &Type,
        has_default: bool,
    ) -> Option<Node<Value>> {
        match &**value {
            Value::Variable(name) => self.variable(name, wanted, has_default),
            Value::String(text) => {
                let wants_enum = !wanted.is_list() && self.is_enum(wanted);
                let name = Name::new(text).ok().filter(|_| wants_enum)?;
                return Some(value.same_location(Value::Enum(name)));
            }
            Value::Int(int) => self.has_wide |= int.try_to_i32().is_err(),
            Value::List(items) => {
                for item in items {
                    self.value(item, wanted.item_type(), false);
                }
            }
            Value::Object(members) => {
                let types = self.types;
                if let Some(object) = types.get_input_object(wanted.inner_named_type()) {
                    for (name, value) in members {
                        if let Some(member) = object.fields.get(name) {
                            self.value(value, &member.ty, member.default_value.is_some());
                        }
                    }
                }
            }
            _ => {}
        }
        None
    }

    fn is_enum(&self, wanted: &Type) -> bool {
        let wanted = self.types.types.get(wanted.inner_named_type());
        matches!(wanted, Some(ExtendedType::Enum(_)))
    }

    /// Notes a place that a variable is used in.
    fn variable(&mut self, name: &Name, wanted: &Type, has_default: bool) {
        let Some(declared) = self.declared.get(name) else {
            return;
        };
        // Where a default stands in, null does no harm.
        let needed = match has_default {
            true => wanted.clone().nullable(),
            false => wanted.clone(),
        };
        let fits = declared.is_assignable_to(&needed);
        let (first, places) = self
            .places
            .entry(name.clone())
            .or_insert_with(|| (Some(wanted.clone()), Places::Fit));
        let alike = first.as_ref().is_some_and(|first| {
            first.inner_named_type() == wanted.inner_named_type()
                && first.is_list() == wanted.is_list()
        });
        if !alike {
            *first = None;
        }
        // Of places that differ in taking null, the stricter counts.
        if let Some(first) = first
            && wanted.is_non_null()
        {
            *first = wanted.clone();
        }
        *places = match (fits, &*places, &*first) {
            (true, Places::Fit, _) => Places::Fit,
            (_, _, Some(first)) => Places::Alike(first.clone()),
            _ => Places::Torn,
        };
    }
}

/// Gives variables that do not fit the type of the places they are used in.
fn retype(
    operation: &mut Node<Operation>,
    places: &HashMap<Name, (Option<Type>, Places)>,
    types: &Types,
) {
    let wanted = |variable: &VariableDefinition| match places.get(&variable.name) {
        Some((_, Places::Alike(wanted))) => {
            let both = [&*variable.ty, wanted].map(|ty| ty.inner_named_type().as_str());
            both.iter()
                .all(|name| is_leaf(types, name))
                .then(|| wanted.clone())
        }
        _ => None,
    };
    if operation
        .variables
        .iter()
        .any(|variable| wanted(variable).is_some())
    {
        for variable in &mut operation.make_mut().variables {
            if let Some(wanted) = wanted(variable) {
                let variable = variable.make_mut();
                variable.ty = variable.ty.same_location(wanted);
            }
        }
    }
}

/// The same document with small integers in the place of wide ones.
fn narrowed(mut document: ExecutableDocument) -> ExecutableDocument {
    fn set(selections: &mut SelectionSet) {
        for selection in &mut selections.selections {
            match selection {
                Selection::Field(field) => {
                    let field = field.make_mut();
                    for argument in &mut field.arguments {
                        value(&mut argument.make_mut().value);
                    }
                    set(&mut field.selection_set);
                }
                Selection::InlineFragment(inline) => set(&mut inline.make_mut().selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    fn value(of: &mut Node<Value>) {
        match of.make_mut() {
            Value::Int(int) if int.try_to_i32().is_err() && is_wide(int.as_str()) => {
                *int = 0.into()
            }
            Value::List(items) => items.iter_mut().for_each(value),
            Value::Object(members) => members.iter_mut().for_each(|(_, member)| value(member)),
            _ => {}
        }
    }
    let operations = document.operations.anonymous.iter_mut();
    for operation in operations.chain(document.operations.named.values_mut()) {
        set(&mut operation.make_mut().selection_set);
    }
    for fragment in document.fragments.values_mut() {
        set(&mut fragment.make_mut().selection_set);
    }
    document
}

/// Whether 64 bits hold an integer.
fn is_wide(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parentheses_go_and_nothing_moves() {
        for (text, expected) in [
            ("query X() { a }", "query X   { a }"),
            ("query ( , ) { a }", "query   ,   { a }"),
            ("\n mutation M(\n) {a}", "\n mutation M \n  {a}"),
            ("query X($a: Int) { a }", "query X($a: Int) { a }"),
            ("{ a() }", "{ a() }"),
            ("queryX() { a }", "queryX() { a }"),
            ("query", "query"),
            ("query (", "query ("),
            ("", ""),
        ] {
            assert_eq!(without_empty_parentheses(text), expected);
        }
    }
}
