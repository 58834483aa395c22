//! Walks a document before anything else is done with it: how large it is once its fragments are expanded,
//! and which schemas it names.
//!
//! Everything that later steps look at counts towards one budget: fields, spreads, fragments, directives
//! and values. The walk ends as soon as it is spent, so a short text whose fragments multiply costs no more
//! than a long one.
//!
//! Which schema a field belongs to is known from the way down to it: the roots are named after schemas, and
//! relations lead from one to another. What does not fit leads nowhere, and is for the validator to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apollo_compiler::Node;
use apollo_compiler::ast::{
    Definition, Directive, Document, Field, FragmentDefinition, OperationDefinition, OperationType,
    Selection, Value,
};
use grove_core::Reason;
use grove_core::types::{FieldType, Schema, SchemaId};

use super::{Unprepared, Workshop};
use crate::http::graphql::error::{QueryError, refused};
use crate::http::graphql::schema::{QUERY, SUBSCRIPTION, Schemas};

/// How often one document may ask for types to be described.
const DESCRIPTIONS_MAX: usize = 4;

/// Operations and fragments of a document, and variables of an operation: each is compared with many others.
const DEFINITIONS_MAX: usize = 500;

/// The schema a relation leads to, and whether to many documents of it.
pub(super) fn target(field_type: &FieldType) -> Option<(&SchemaId, bool)> {
    match field_type {
        FieldType::Relation(target) | FieldType::PinnedRelation(target) => Some((target, false)),
        FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
            Some((target, true))
        }
        _ => None,
    }
}

/// What a walk finds out.
pub(super) struct Survey<'a> {
    workshop: &'a Workshop<'a>,
    variables: &'a serde_json::Map<String, serde_json::Value>,
    document: &'a Document,
    fragments: BTreeMap<&'a str, &'a FragmentDefinition>,
    used: BTreeSet<&'a str>,
    /// How much may still be looked at.
    left: usize,
    descriptions: usize,
    pub(super) fields: usize,
    pub(super) schemas: Schemas,
    /// Whether types are to be described, and whether all of them.
    pub(super) is_described: bool,
    pub(super) wants_everything: bool,
}

/// What the selections at a place belong to.
#[derive(Clone)]
enum SelectionParent {
    Root(OperationType),
    Document(Arc<Schema>),
    Fields(Arc<Schema>),
    Page(Arc<Schema>),
    Event(Arc<Schema>),
    /// The description of one of the roots, of which the fields show all schemas.
    DescribedRoot,
    Elsewhere,
}

impl<'a> Survey<'a> {
    pub(super) fn new(
        workshop: &'a Workshop<'a>,
        variables: &'a serde_json::Map<String, serde_json::Value>,
        document: &'a Document,
    ) -> Self {
        Self {
            workshop,
            variables,
            document,
            fragments: BTreeMap::new(),
            used: BTreeSet::new(),
            left: workshop.limits.query_fields_max,
            descriptions: 0,
            fields: 0,
            schemas: Schemas::new(),
            is_described: false,
            wants_everything: false,
        }
    }

    pub(super) fn walk(&mut self) -> Result<(), Unprepared> {
        let definitions = &self.document.definitions;
        if definitions.len() > DEFINITIONS_MAX {
            return Err(too_large("the query has too many definitions"));
        }
        for definition in definitions {
            if let Definition::FragmentDefinition(fragment) = definition {
                self.fragments.insert(fragment.name.as_str(), fragment);
            }
        }
        for definition in definitions {
            if let Definition::OperationDefinition(operation) = definition {
                self.operation(operation)?;
            }
        }
        // So that nobody looks at what no walk has bounded.
        match self
            .fragments
            .keys()
            .find(|name| !self.used.contains(*name))
        {
            Some(name) => {
                let text = format!("fragment `{name}` is never used");
                Err(refused(Reason::RequestMalformed, text).into())
            }
            None => Ok(()),
        }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<(), Unprepared> {
        if operation.variables.len() > DEFINITIONS_MAX {
            return Err(too_large("the query has too many variables"));
        }
        for variable in &operation.variables {
            self.directives(&variable.directives)?;
            if let Some(value) = &variable.default_value {
                self.value(value)?;
            }
            // Types that are made from a schema are named after it.
            if let Some(id) = schema_of(variable.ty.inner_named_type()) {
                self.workshop.lookup(&mut self.schemas, &id)?;
            }
        }
        self.directives(&operation.directives)?;
        let root = SelectionParent::Root(operation.operation_type);
        self.selections(&operation.selection_set, &root, 0)
    }

    fn selections(
        &mut self,
        selections: &'a [Selection],
        place: &SelectionParent,
        depth: usize,
    ) -> Result<(), Unprepared> {
        let depth = depth + 1;
        if depth > self.workshop.limits.query_depth_max {
            return Err(too_large("the query is nested too deeply"));
        }
        for selection in selections {
            self.spend()?;
            match selection {
                Selection::Field(field) => {
                    self.fields += 1;
                    self.directives(&field.directives)?;
                    for argument in &field.arguments {
                        self.value(&argument.value)?;
                    }
                    let place = self.enter(field, place)?;
                    if !field.selection_set.is_empty() {
                        self.selections(&field.selection_set, &place, depth)?;
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives)?;
                    self.selections(&inline.selection_set, place, depth)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives)?;
                    if let Some(fragment) = self.fragments.get(spread.fragment_name.as_str()) {
                        let fragment: &'a FragmentDefinition = fragment;
                        self.used.insert(fragment.name.as_str());
                        self.directives(&fragment.directives)?;
                        self.selections(&fragment.selection_set, place, depth)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the selections of a field are.
    fn enter(
        &mut self,
        field: &Field,
        place: &SelectionParent,
    ) -> Result<SelectionParent, Unprepared> {
        let name = field.name.as_str();
        Ok(match (place, name) {
            (SelectionParent::Root(_), "__schema") => {
                self.describe()?;
                SelectionParent::DescribedRoot
            }
            (SelectionParent::Root(_), "__type") => {
                self.describe()?;
                self.named_type(field)?
            }
            // That of queries or of subscriptions; the one of mutations costs no more than a look.
            (SelectionParent::DescribedRoot, "queryType" | "subscriptionType") => {
                SelectionParent::DescribedRoot
            }
            (SelectionParent::DescribedRoot, "types" | "fields") => {
                self.wants_everything = true;
                SelectionParent::Elsewhere
            }
            (SelectionParent::Root(operation), _) => {
                let is_event = *operation == OperationType::Subscription;
                let (id, is_all) = match name.strip_prefix("all_") {
                    // No schema is called `all`: its name would end in no hash.
                    Some(id) => (id, true),
                    None => (name, false),
                };
                match id
                    .parse()
                    .ok()
                    .map(|id| self.schema(&id))
                    .transpose()?
                    .flatten()
                {
                    Some(schema) if is_event => SelectionParent::Event(schema),
                    Some(schema) if is_all => SelectionParent::Page(schema),
                    Some(schema) => SelectionParent::Document(schema),
                    None => SelectionParent::Elsewhere,
                }
            }
            (SelectionParent::Page(schema), "documents")
            | (SelectionParent::Event(schema), "document") => {
                SelectionParent::Document(Arc::clone(schema))
            }
            (SelectionParent::Document(schema), "fields") => {
                SelectionParent::Fields(Arc::clone(schema))
            }
            (SelectionParent::Fields(schema), _) => {
                let mut fields = schema.fields().iter();
                let field = fields.find(|(field, _)| field.as_str() == name);
                let Some((target, is_list)) = field.and_then(|(_, kind)| target(kind)) else {
                    return Ok(SelectionParent::Elsewhere);
                };
                match self.schema(target)? {
                    Some(schema) if is_list => SelectionParent::Page(schema),
                    Some(schema) => SelectionParent::Document(schema),
                    None => SelectionParent::Elsewhere,
                }
            }
            _ => SelectionParent::Elsewhere,
        })
    }

    fn describe(&mut self) -> Result<(), Unprepared> {
        self.is_described = true;
        self.descriptions += 1;
        match self.descriptions > DESCRIPTIONS_MAX {
            true => Err(too_large("the query asks for too many descriptions")),
            false => Ok(()),
        }
    }

    /// `__type`
    fn named_type(&mut self, field: &Field) -> Result<SelectionParent, Unprepared> {
        let mut arguments = field.arguments.iter();
        let name = arguments.find(|argument| argument.name == "name");
        let name = match name.map(|argument| &*argument.value) {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(Value::Variable(variable)) => {
                let value = self.variables.get(variable.as_str());
                value.and_then(|value| value.as_str())
            }
            _ => None,
        };
        let Some(name) = name else {
            return Ok(SelectionParent::Elsewhere);
        };
        if name == QUERY || name == SUBSCRIPTION {
            return Ok(SelectionParent::DescribedRoot);
        }
        if let Some(id) = schema_of(name) {
            self.schema(&id)?;
        }
        Ok(SelectionParent::Elsewhere)
    }

    fn schema(&mut self, id: &SchemaId) -> Result<Option<Arc<Schema>>, Unprepared> {
        self.workshop.lookup(&mut self.schemas, id)?;
        Ok(self.schemas.get(id).cloned().flatten())
    }

    fn directives(&mut self, directives: &'a [Node<Directive>]) -> Result<(), Unprepared> {
        for directive in directives {
            self.spend()?;
            for argument in &directive.arguments {
                self.value(&argument.value)?;
            }
        }
        Ok(())
    }

    /// Counts a value with those in it, of which the parser bounds the nesting.
    fn value(&mut self, value: &Value) -> Result<(), Unprepared> {
        self.spend()?;
        match value {
            Value::List(items) => items.iter().try_for_each(|item| self.value(item)),
            Value::Object(members) => {
                let mut names = BTreeSet::new();
                for (name, value) in members {
                    // The validator passes over it.
                    if !names.insert(name) {
                        let text = format!("member `{name}` is given twice");
                        let error = QueryError::new(Reason::RequestMalformed, text);
                        let error = error.at(name.location(), &self.document.sources);
                        return Err(vec![error].into());
                    }
                    self.value(value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn spend(&mut self) -> Result<(), Unprepared> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(too_large("the query selects too much")),
        }
    }
}

/// The schema a type was made from, by the type's name.
fn schema_of(type_name: &str) -> Option<SchemaId> {
    const SUFFIXES: [&str; 6] = ["Fields", "Collection", "Item", "Filter", "OrderBy", "Event"];
    let suffix = SUFFIXES
        .into_iter()
        .find(|suffix| type_name.ends_with(suffix));
    let id = suffix.and_then(|suffix| type_name.strip_suffix(suffix));
    id.unwrap_or(type_name).parse().ok()
}

fn too_large(text: &str) -> Unprepared {
    refused(Reason::RequestTooLarge, text).into()
}
