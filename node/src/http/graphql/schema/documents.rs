//! The types that one p2panda schema gives.

use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type, Value};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::schema::{
    Component, EnumType, EnumValueDefinition, ExtendedType, InputObjectType, ObjectType,
};
use apollo_compiler::{Name, Node, Schema as Types};
use grove_core::types::{FieldType, Schema, SchemaId};

use super::{Schemas, UNKNOWN, UNKNOWN_COLLECTION};
use crate::http::graphql::arguments::FIRST_DEFAULT;

/// Names no enum of GraphQL can hold: they are its words for values.
const NO_ENUM_VALUES: [&str; 3] = ["true", "false", "null"];

const AFTER: &str = "Goes on behind the cursor of an event, also after the node was restarted. What \
                     happened since is told first; an event may come twice, none is left out.";

/// Adds the fields of the roots.
pub(super) fn add_roots(query: &mut ObjectType, subscription: &mut ObjectType, schema: &Schema) {
    let id = schema.id().to_string();
    let all = format!("all_{id}");
    let document = field(&id, named(&id))
        .about("A document by its id, or by the id of one of its views.")
        .with(argument("id", named("DocumentId")))
        .with(argument("viewId", named("DocumentViewId")));
    let collection = field(&all, named(&format!("{id}Collection")).non_null()).about(
        "All documents of this schema that are not deleted, by id unless another order is asked for.",
    );
    add(&mut query.fields, document);
    add(&mut query.fields, with_page(collection, &id, false));

    let event = named(&format!("{id}Event")).non_null();
    let after = || argument("after", named("Cursor")).about(AFTER);
    let document = field(&id, event.clone())
        .about(
            "A document as it is now, and again whenever it changes; its related documents are shown, \
             but not followed. Several changes at once may make one event.",
        )
        .with(argument("id", named("DocumentId").non_null()))
        .with(after());
    let misses = argument("misses", named("Boolean")).about(
        "Whether to tell also of documents that changed and do not meet filter and meta now: so one \
         learns which do no more. Off when absent.",
    );
    let collection = conditions(field(&all, event), &id)
        .about(
            "The documents of this schema that change from now on: those that meet filter and meta after \
             the change, and all that are deleted unless meta excludes their id or owner. Several changes \
             of a document at once may make one event.",
        )
        .with(misses)
        .with(after());
    add(&mut subscription.fields, document);
    add(&mut subscription.fields, collection);
}

/// Adds the types.
pub(super) fn add_types(types: &mut Types, schema: &Schema, schemas: &Schemas) {
    let id = schema.id().to_string();
    let of = |suffix: &str| format!("{id}{suffix}");
    let shown = || {
        let fields = field("fields", named(&of("Fields")));
        vec![fields, field("meta", named("DocumentMeta"))]
    };
    let mut item = shown();
    item.push(field("cursor", named("String")));
    let values = schema.fields().iter();
    let values = values.map(|(name, field_type)| value(name.as_str(), field_type, schemas));
    add_object(types, &id, Some(schema.description()), shown());
    add_object(types, &of("Fields"), None, values);
    add_object(types, &of("Item"), None, item);
    add_object(types, &of("Collection"), None, collection(&of("Item")));
    add_object(types, &of("Event"), None, event(&id));
    add_filter(types, schema, &of("Filter"));
    add_orders(types, schema, &of("OrderBy"));
}

fn collection(item: &str) -> Vec<FieldDefinition> {
    let items = named(item).non_null().list().non_null();
    vec![
        field("totalCount", named("Int").non_null()),
        field("endCursor", named("String")),
        field("startCursor", named("String")),
        field("hasNextPage", named("Boolean").non_null()),
        field("hasPreviousPage", named("Boolean").non_null()),
        field("documents", items),
    ]
}

fn event(id: &str) -> Vec<FieldDefinition> {
    let sure = |name, type_name, about| field(name, named(type_name).non_null()).about(about);
    vec![
        sure(
            "cursor",
            "Cursor",
            "Give it as `after` to go on behind this event.",
        ),
        sure("documentId", "DocumentId", "The document that changed."),
        sure(
            "deleted",
            "Boolean",
            "Whether the document is not there: deleted, not there yet, or gone because it was purged.",
        ),
        sure(
            "matches",
            "Boolean",
            "Whether the document meets what is asked for.",
        ),
        field("document", named(id)).about(
            "The document as it is now. Deleted ones have meta and no fields; null when it is not there \
             or does not match.",
        ),
    ]
}

/// A field of documents, by its type.
fn value(name: &str, field_type: &FieldType, schemas: &Schemas) -> FieldDefinition {
    // Of a target that was not looked for, only the name shows.
    let is_unknown = |target: &SchemaId| matches!(schemas.get(target), Some(None));
    let type_name = match field_type {
        FieldType::Relation(target) | FieldType::PinnedRelation(target) => {
            match is_unknown(target) {
                true => UNKNOWN.to_owned(),
                false => target.to_string(),
            }
        }
        FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
            if is_unknown(target) {
                return paged(field(name, named(UNKNOWN_COLLECTION)));
            }
            let list = field(name, named(&format!("{target}Collection")));
            return with_page(list, &target.to_string(), true);
        }
        FieldType::Bool => "Boolean".to_owned(),
        FieldType::Int => "Int".to_owned(),
        FieldType::Float => "Float".to_owned(),
        FieldType::Str => "String".to_owned(),
        FieldType::Bytes => "HexBytes".to_owned(),
    };
    field(name, named(&type_name))
}

/// Adds the arguments of a collection of documents. A list of relations is in its own order unless
/// another is asked for.
fn with_page(field: FieldDefinition, id: &str, in_list: bool) -> FieldDefinition {
    let order = argument("orderBy", named(&format!("{id}OrderBy")));
    let order = match in_list {
        true => order,
        false => order.or(Value::Enum(name("DOCUMENT_ID"))),
    };
    let direction = argument("orderDirection", named("OrderDirection"));
    conditions(paged(field), id)
        .with(order)
        .with(direction.or(Value::Enum(name("ASC"))))
}

/// Adds the arguments that say which documents of a schema are meant.
fn conditions(field: FieldDefinition, id: &str) -> FieldDefinition {
    field
        .with(argument("filter", named(&format!("{id}Filter"))))
        .with(argument("meta", named("MetaFilterInputObject")))
}

/// Adds the arguments of everything that comes in pages.
fn paged(field: FieldDefinition) -> FieldDefinition {
    let first = Value::Int(
        i32::try_from(FIRST_DEFAULT)
            .expect("a page is small")
            .into(),
    );
    let last = "At most this many from the end, instead of `first`.";
    field
        .with(argument("first", named("Int")).or(first))
        .with(argument("after", named("Cursor")).about("Only what comes after this."))
        .with(argument("last", named("Int")).about(last))
        .with(argument("before", named("Cursor")).about("Only what comes before this."))
}

fn add_filter(types: &mut Types, schema: &Schema, filter: &str) {
    let fields = schema.fields().iter().map(|(field, field_type)| {
        let filter = argument(field.as_str(), named(filter_type(field_type)));
        (filter.name.clone(), Component::new(filter))
    });
    let filter = InputObjectType {
        description: None,
        name: name(filter),
        directives: Default::default(),
        fields: fields.collect(),
    };
    types.types.insert(filter.name.clone(), filter.into());
}

const fn filter_type(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Bool => "BooleanFilter",
        FieldType::Int => "IntegerFilter",
        FieldType::Float => "FloatFilter",
        FieldType::Str => "StringFilter",
        FieldType::Bytes => "HexBytesFilter",
        FieldType::Relation(_) => "RelationFilter",
        FieldType::PinnedRelation(_) => "PinnedRelationFilter",
        FieldType::RelationList(_) => "RelationListFilter",
        FieldType::PinnedRelationList(_) => "PinnedRelationListFilter",
    }
}

/// The orders documents can be asked for in: some of their own, and by each field with a name that can be
/// the value of an enum.
fn add_orders(types: &mut Types, schema: &Schema, orders: &str) {
    let fields = schema.fields().keys().map(|field| field.as_str());
    let fields = fields.filter(|field| !NO_ENUM_VALUES.contains(field));
    let values = ["DOCUMENT_ID", "DOCUMENT_VIEW_ID", "OWNER", "EDITED"].into_iter();
    let values = values.chain(fields).map(|value| {
        let value = EnumValueDefinition {
            description: None,
            value: name(value),
            directives: Default::default(),
        };
        (value.value.clone(), Component::new(value))
    });
    let orders = EnumType {
        description: None,
        name: name(orders),
        directives: Default::default(),
        values: values.collect(),
    };
    types.types.insert(orders.name.clone(), orders.into());
}

fn add_object(
    types: &mut Types,
    object: &str,
    about: Option<&str>,
    fields: impl IntoIterator<Item = FieldDefinition>,
) {
    let fields = fields.into_iter();
    let object = ObjectType {
        description: about.map(Node::new_str),
        name: name(object),
        implements_interfaces: Default::default(),
        directives: Default::default(),
        fields: fields
            .map(|field| (field.name.clone(), Component::new(field)))
            .collect(),
    };
    let name = object.name.clone();
    types
        .types
        .insert(name, ExtendedType::Object(object.into()));
}

fn add(fields: &mut IndexMap<Name, Component<FieldDefinition>>, field: FieldDefinition) {
    fields.insert(field.name.clone(), Component::new(field));
}

fn named(type_name: &str) -> Type {
    Type::Named(name(type_name))
}

/// Schema ids and field names of p2panda are names to GraphQL as well.
fn name(text: &str) -> Name {
    Name::new(text).expect("letters, digits and underscores, a letter first")
}

fn field(field: &str, ty: Type) -> FieldDefinition {
    FieldDefinition {
        description: None,
        name: name(field),
        arguments: Vec::new(),
        ty,
        directives: Default::default(),
    }
}

fn argument(argument: &str, ty: Type) -> InputValueDefinition {
    InputValueDefinition {
        description: None,
        name: name(argument),
        ty: Node::new(ty),
        default_value: None,
        directives: Default::default(),
    }
}

/// Words to build definitions with.
trait Define {
    /// What to tell about it.
    fn about(self, text: &str) -> Self;
}

impl Define for FieldDefinition {
    fn about(mut self, text: &str) -> Self {
        self.description = Some(Node::new_str(text));
        self
    }
}

impl Define for InputValueDefinition {
    fn about(mut self, text: &str) -> Self {
        self.description = Some(Node::new_str(text));
        self
    }
}

trait WithArguments {
    fn with(self, argument: InputValueDefinition) -> Self;
}

impl WithArguments for FieldDefinition {
    fn with(mut self, argument: InputValueDefinition) -> Self {
        self.arguments.push(Node::new(argument));
        self
    }
}

trait WithDefault {
    fn or(self, value: Value) -> Self;
}

impl WithDefault for InputValueDefinition {
    fn or(mut self, value: Value) -> Self {
        self.default_value = Some(Node::new(value));
        self
    }
}
