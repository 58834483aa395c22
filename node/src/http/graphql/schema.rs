//! Which questions GraphQL takes: the fixed types, and those made from each p2panda schema.
//!
//! A schema `S` gives `S`, `SFields`, `SCollection` and `SItem`, and the queries `S` and `all_S`. Field
//! names of p2panda and GraphQL have one grammar and schema ids end in a hash, so no two names meet.
//! A relation to a schema the node does not know is there and null: one such field must not cost the
//! others their answers.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use async_graphql::dynamic::{self, Field, InputValue, Object, Scalar, SchemaBuilder, TypeRef};
use async_graphql::parser::types::OperationType;
use grove_core::types::{FieldType, Schema, SystemSchema};

use super::check::JustChecking;
use super::follow::{self, SUBSCRIPTION};
use super::plan::{Plan, Planner, Schemas};
use super::plans::Plans;
use super::prepare::Prepared;
use super::{filter, resolve};
use crate::runtime::Node;

/// Scalars of p2panda, with what they hold.
const SCALARS: [(&str, &str); 10] = [
    ("PublicKey", "An Ed25519 public key: 64 hex digits."),
    (
        "DocumentId",
        "Id of a document, the operation id of its CREATE: 68 lowercase hex digits.",
    ),
    (
        "DocumentViewId",
        "Id of a document view: operation ids, ascending, joined by underscores.",
    ),
    (
        "EntryHash",
        "YASMF hash of an entry: 68 lowercase hex digits.",
    ),
    ("EncodedEntry", "A signed Bamboo entry in hex."),
    ("EncodedOperation", "A CBOR operation in hex."),
    (
        "LogId",
        "Number of an author's log: 64 bits as a decimal string.",
    ),
    (
        "SeqNum",
        "Number of an entry in its log: 64 bits as a decimal string.",
    ),
    ("HexBytes", "Bytes in hex."),
    (
        "Cursor",
        "Where a page or a stream of events ended. Opaque: give it back as it came.",
    ),
];

/// Type of relations to unknown schemas, of which no value exists.
const UNKNOWN: &str = "UnknownSchema";

/// Type of relation lists to unknown schemas, of which no value exists either.
const UNKNOWN_COLLECTION: &str = "UnknownSchemaCollection";

/// A schema to execute queries on, with the types a variable may be declared with.
#[derive(Clone)]
pub(super) struct Graph {
    pub(super) schema: dynamic::Schema,
    pub(super) input_types: Arc<BTreeSet<&'static str>>,
    pub(super) schemas: Arc<Schemas>,
    /// Plans of queries that were asked and found to be valid.
    pub(super) plans: Arc<Plans>,
    node: Node,
    events: Arc<OnceLock<dynamic::Schema>>,
}

impl Graph {
    /// Builds the schema for the system schemas and these.
    pub(super) fn build(node: Node, application: Vec<Schema>) -> Self {
        let system = SystemSchema::ALL.map(Schema::system);
        let schemas: Schemas = system
            .into_iter()
            .chain(application)
            .map(|schema| (schema.id().clone(), Arc::new(schema)))
            .collect();
        let schemas = Arc::new(schemas);

        let mut query = Object::new("Query")
            .field(next_args())
            .field(follow::event_cursor());
        //= QU1: every known schema gives a query for one document and one for all
        for schema in schemas.values() {
            query = query.field(document(schema)).field(collection(schema));
        }
        let builder = dynamic::Schema::build("Query", Some("MutationRoot"), Some(SUBSCRIPTION))
            .data(node.clone())
            .data(Arc::clone(&schemas))
            .extension(JustChecking)
            .register(Object::new("MutationRoot").field(publish()))
            .register(follow::subscription(&schemas))
            .register(query);
        let schema = finish(builder, &schemas);
        let built_in = ["Int", "Float", "String", "Boolean", "ID"];
        let input_types = built_in
            .into_iter()
            .chain(SCALARS.map(|(name, _)| name))
            .collect();
        Self {
            schema,
            input_types: Arc::new(input_types),
            schemas,
            plans: Arc::default(),
            node,
            events: Arc::default(),
        }
    }

    /// What a query asks for; `None` when the library has to execute it.
    pub(super) fn plan(&self, prepared: &Prepared) -> Option<Plan> {
        let operation = &prepared.operation.node;
        let planner = Planner {
            schemas: &self.schemas,
            fragments: &prepared.fragments,
        };
        match operation.ty {
            OperationType::Query => planner.plan(&operation.selection_set.node, prepared.fields),
            _ => None,
        }
    }

    /// The schema that subscriptions are executed on, event by event. Made when somebody subscribes.
    pub(super) fn events(&self) -> &dynamic::Schema {
        self.events.get_or_init(|| {
            let builder = dynamic::Schema::build(SUBSCRIPTION, None, None)
                .data(self.node.clone())
                .data(Arc::clone(&self.schemas))
                .register(follow::events(&self.schemas));
            finish(builder, &self.schemas)
        })
    }
}

/// Registers all types but the roots.
fn finish(builder: SchemaBuilder, schemas: &Schemas) -> dynamic::Schema {
    // Queries are bounded before they come here.
    let mut builder = builder.limit_recursive_depth(usize::MAX);
    for schema in schemas.values() {
        builder = register(filter::register(builder, schema), schema, schemas);
        builder = builder.register(follow::event_type(schema));
    }
    for (name, description) in SCALARS {
        builder = builder.register(Scalar::new(name).description(description));
    }
    filter::register_fixed(follow::register_fixed(fixed(builder)))
        .finish()
        .expect("every type named is registered, under a well-formed name")
}

/// `nextArgs`
fn next_args() -> Field {
    Field::new("nextArgs", TypeRef::named("NextArguments"), resolve::root)
        .description("What an author needs to know to write the next entry of the document with this view, or of a new one.")
        .argument(InputValue::new("publicKey", TypeRef::named_nn("PublicKey")))
        .argument(InputValue::new("viewId", TypeRef::named("DocumentViewId")))
}

/// `publish`
fn publish() -> Field {
    Field::new(
        "publish",
        TypeRef::named_nn("NextArguments"),
        resolve::publish,
    )
    .description(
        "Publishes an entry with its operation. To publish it again does no harm. Once answered, it shows \
         in every later answer of this node; where several nodes serve one database, others may show it \
         a moment later. With `wait`, the node looks for itself before it answers, for at most `timeout` \
         milliseconds (10000 when absent).",
    )
    .argument(InputValue::new("entry", TypeRef::named_nn("EncodedEntry")))
    .argument(InputValue::new(
        "operation",
        TypeRef::named_nn("EncodedOperation"),
    ))
    .argument(InputValue::new("wait", TypeRef::named(TypeRef::BOOLEAN)))
    .argument(InputValue::new("timeout", TypeRef::named(TypeRef::INT)))
}

/// `<schema_id>`
fn document(schema: &Schema) -> Field {
    let name = schema.id().to_string();
    Field::new(&name, TypeRef::named(&name), resolve::root)
        .description("A document by its id, or by the id of one of its views.")
        .argument(InputValue::new("id", TypeRef::named("DocumentId")))
        .argument(InputValue::new("viewId", TypeRef::named("DocumentViewId")))
}

/// `all_<schema_id>`
fn collection(schema: &Schema) -> Field {
    let id = schema.id();
    let field = Field::new(
        format!("all_{id}"),
        TypeRef::named_nn(format!("{id}Collection")),
        resolve::root,
    );
    let field = field.description(
        "All documents of this schema that are not deleted, by id unless another order is asked for.",
    );
    filter::arguments(field, schema, false)
}

/// Registers the four types of a schema.
fn register(builder: SchemaBuilder, schema: &Schema, known: &Schemas) -> SchemaBuilder {
    let name = schema.id().to_string();
    let fields_type = format!("{name}Fields");
    let item_type = format!("{name}Item");
    let document = |name: &str| {
        Object::new(name)
            .field(Field::new(
                "fields",
                TypeRef::named(&fields_type),
                resolve::member,
            ))
            .field(Field::new(
                "meta",
                TypeRef::named("DocumentMeta"),
                resolve::member,
            ))
    };
    let mut fields = Object::new(&fields_type);
    for (field_name, field_type) in schema.fields() {
        fields = fields.field(value(field_name.as_str(), field_type, known));
    }
    let collection = collection_type(&format!("{name}Collection"), &item_type);
    let item = document(&item_type).field(Field::new(
        "cursor",
        TypeRef::named(TypeRef::STRING),
        resolve::member,
    ));
    builder
        .register(document(&name).description(schema.description()))
        .register(fields)
        .register(collection)
        .register(item)
}

/// The type of a page whose documents are of `item_type`.
fn collection_type(name: &str, item_type: &str) -> Object {
    Object::new(name)
        .field(Field::new(
            "totalCount",
            TypeRef::named_nn(TypeRef::INT),
            resolve::member,
        ))
        .field(Field::new(
            "endCursor",
            TypeRef::named(TypeRef::STRING),
            resolve::member,
        ))
        .field(Field::new(
            "startCursor",
            TypeRef::named(TypeRef::STRING),
            resolve::member,
        ))
        .field(Field::new(
            "hasNextPage",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            resolve::member,
        ))
        .field(Field::new(
            "hasPreviousPage",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            resolve::member,
        ))
        .field(Field::new(
            "documents",
            TypeRef::named_nn_list_nn(item_type),
            resolve::member,
        ))
}

/// A field of documents, by its type.
fn value(name: &str, field_type: &FieldType, known: &Schemas) -> Field {
    let type_name = match field_type {
        FieldType::Relation(target) | FieldType::PinnedRelation(target) => {
            match known.contains_key(target) {
                true => target.to_string(),
                false => UNKNOWN.to_owned(),
            }
        }
        FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
            let Some(target) = known.get(target) else {
                return filter::paged(member(name, UNKNOWN_COLLECTION));
            };
            let list = member(name, &format!("{}Collection", target.id()));
            return filter::arguments(list, target, true);
        }
        FieldType::Bool => TypeRef::BOOLEAN.to_owned(),
        FieldType::Int => TypeRef::INT.to_owned(),
        FieldType::Float => TypeRef::FLOAT.to_owned(),
        FieldType::Str => TypeRef::STRING.to_owned(),
        FieldType::Bytes => "HexBytes".to_owned(),
    };
    member(name, &type_name)
}

fn member(name: &str, type_name: &str) -> Field {
    Field::new(name, TypeRef::named(type_name), resolve::member)
}

/// Registers the types that do not depend on schemas.
fn fixed(builder: SchemaBuilder) -> SchemaBuilder {
    let next_arguments = Object::new("NextArguments")
        .field(Field::new(
            "logId",
            TypeRef::named_nn("LogId"),
            resolve::log_id,
        ))
        .field(Field::new(
            "seqNum",
            TypeRef::named_nn("SeqNum"),
            resolve::seq_num,
        ))
        .field(Field::new(
            "backlink",
            TypeRef::named("EntryHash"),
            resolve::backlink,
        ))
        .field(Field::new(
            "skiplink",
            TypeRef::named("EntryHash"),
            resolve::skiplink,
        ));
    let meta = Object::new("DocumentMeta")
        .field(Field::new(
            "documentId",
            TypeRef::named_nn("DocumentId"),
            resolve::member,
        ))
        .field(Field::new(
            "viewId",
            TypeRef::named_nn("DocumentViewId"),
            resolve::member,
        ))
        .field(Field::new(
            "owner",
            TypeRef::named_nn("PublicKey"),
            resolve::member,
        ));
    let unknown = Object::new(UNKNOWN)
        .description("Stands for documents of a schema that this node does not know yet.")
        .field(Field::new(
            "meta",
            TypeRef::named("DocumentMeta"),
            resolve::member,
        ));
    builder
        .register(next_arguments)
        .register(meta)
        .register(unknown)
        .register(collection_type(UNKNOWN_COLLECTION, UNKNOWN))
}
