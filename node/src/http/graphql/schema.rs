//! Which questions GraphQL takes: the fixed types, and those made from each p2panda schema.
//!
//! A schema `S` gives `S`, `SFields`, `SCollection` and `SItem`, and the queries `S` and `all_S`. Field
//! names of p2panda and GraphQL have one grammar and schema ids end in a hash, so no two names meet.
//! A relation to a schema the node does not know is there and null: one such field must not cost the
//! others their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_graphql::dynamic::{self, Field, InputValue, Object, Scalar, SchemaBuilder, TypeRef};
use grove_core::types::{FieldType, Schema, SchemaId, SystemSchema};

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
        "Where a page ended. Opaque: give it back as it came.",
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
}

impl Graph {
    /// Builds the schema for the system schemas and these.
    pub(super) fn build(node: Node, application: Vec<Schema>) -> Self {
        let system = SystemSchema::ALL.map(Schema::system);
        let schemas: BTreeMap<SchemaId, Arc<Schema>> = system
            .into_iter()
            .chain(application)
            .map(|schema| (schema.id().clone(), Arc::new(schema)))
            .collect();

        let mut query = Object::new("Query").field(next_args());
        let mut builder = dynamic::Schema::build("Query", Some("MutationRoot"), None)
            .data(node)
            // Queries are bounded before they come here.
            .limit_recursive_depth(usize::MAX)
            .register(Object::new("MutationRoot").field(publish()));
        //= QU1: every known schema gives a query for one document and one for all
        for schema in schemas.values() {
            query = query.field(document(schema)).field(collection(schema));
            builder = register(filter::register(builder, schema), schema, &schemas);
        }
        for (name, description) in SCALARS {
            builder = builder.register(Scalar::new(name).description(description));
        }
        let schema = filter::register_fixed(fixed(builder))
            .register(query)
            .finish()
            .expect("every type named is registered, under a well-formed name");
        let built_in = ["Int", "Float", "String", "Boolean", "ID"];
        let input_types = built_in
            .into_iter()
            .chain(SCALARS.map(|(name, _)| name))
            .collect();
        Self {
            schema,
            input_types: Arc::new(input_types),
        }
    }
}

/// `nextArgs`
fn next_args() -> Field {
    Field::new("nextArgs", TypeRef::named("NextArguments"), resolve::next_args)
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
    .description("Publishes an entry with its operation. To publish it again does no harm.")
    .argument(InputValue::new("entry", TypeRef::named_nn("EncodedEntry")))
    .argument(InputValue::new(
        "operation",
        TypeRef::named_nn("EncodedOperation"),
    ))
}

/// `<schema_id>`
fn document(schema: &Schema) -> Field {
    let id = schema.id().clone();
    let name = id.to_string();
    Field::new(&name, TypeRef::named(&name), move |ctx| {
        resolve::document(id.clone(), ctx)
    })
    .description("A document by its id, or by the id of one of its views.")
    .argument(InputValue::new("id", TypeRef::named("DocumentId")))
    .argument(InputValue::new("viewId", TypeRef::named("DocumentViewId")))
}

/// `all_<schema_id>`
fn collection(schema: &Arc<Schema>) -> Field {
    let id = schema.id();
    let asked = Arc::clone(schema);
    let field = Field::new(
        format!("all_{id}"),
        TypeRef::named_nn(format!("{id}Collection")),
        move |ctx| resolve::collection(Arc::clone(&asked), ctx),
    );
    let field = field.description(
        "All documents of this schema that are not deleted, by id unless another order is asked for.",
    );
    filter::arguments(field, schema, false)
}

/// Registers the four types of a schema.
fn register(
    builder: SchemaBuilder,
    schema: &Schema,
    known: &BTreeMap<SchemaId, Arc<Schema>>,
) -> SchemaBuilder {
    let name = schema.id().to_string();
    let fields_type = format!("{name}Fields");
    let item_type = format!("{name}Item");
    let document = |name: &str| {
        Object::new(name)
            .field(Field::new(
                "fields",
                TypeRef::named(&fields_type),
                resolve::fields,
            ))
            .field(Field::new(
                "meta",
                TypeRef::named("DocumentMeta"),
                resolve::meta,
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
        resolve::cursor,
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
            resolve::total_count,
        ))
        .field(Field::new(
            "endCursor",
            TypeRef::named(TypeRef::STRING),
            resolve::end_cursor,
        ))
        .field(Field::new(
            "hasNextPage",
            TypeRef::named_nn(TypeRef::BOOLEAN),
            resolve::has_next_page,
        ))
        .field(Field::new(
            "documents",
            TypeRef::named_nn_list_nn(item_type),
            resolve::documents,
        ))
}

/// A field of documents, by its type.
fn value(name: &str, field_type: &FieldType, known: &BTreeMap<SchemaId, Arc<Schema>>) -> Field {
    let field = name.to_owned();
    match field_type {
        FieldType::Relation(target) | FieldType::PinnedRelation(target) => {
            if !known.contains_key(target) {
                return unknown(name, UNKNOWN);
            }
            let (type_name, target) = (target.to_string(), target.clone());
            Field::new(name, TypeRef::named(type_name), move |ctx| {
                resolve::relation(&field, target.clone(), ctx)
            })
        }
        FieldType::RelationList(target) | FieldType::PinnedRelationList(target) => {
            let Some(target) = known.get(target) else {
                return filter::paged(unknown(name, UNKNOWN_COLLECTION));
            };
            let (type_name, schema) = (format!("{}Collection", target.id()), Arc::clone(target));
            let list = Field::new(name, TypeRef::named(type_name), move |ctx| {
                resolve::relation_list(&field, Arc::clone(&schema), ctx)
            });
            filter::arguments(list, target, true)
        }
        FieldType::Bool => scalar(field, TypeRef::BOOLEAN),
        FieldType::Int => scalar(field, TypeRef::INT),
        FieldType::Float => scalar(field, TypeRef::FLOAT),
        FieldType::Str => scalar(field, TypeRef::STRING),
        FieldType::Bytes => scalar(field, "HexBytes"),
    }
}

fn scalar(name: String, type_name: &str) -> Field {
    Field::new(name.clone(), TypeRef::named(type_name), move |ctx| {
        resolve::scalar(&name, ctx)
    })
}

/// A relation to a schema that is not known: there, with the arguments it will have, and null.
fn unknown(name: &str, type_name: &str) -> Field {
    Field::new(name, TypeRef::named(type_name), resolve::null)
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
            resolve::document_id,
        ))
        .field(Field::new(
            "viewId",
            TypeRef::named_nn("DocumentViewId"),
            resolve::view_id,
        ))
        .field(Field::new(
            "owner",
            TypeRef::named_nn("PublicKey"),
            resolve::owner,
        ));
    let unknown = Object::new(UNKNOWN)
        .description("Stands for documents of a schema that this node does not know yet.")
        .field(Field::new(
            "meta",
            TypeRef::named("DocumentMeta"),
            resolve::null,
        ));
    builder
        .register(next_arguments)
        .register(meta)
        .register(unknown)
        .register(collection_type(UNKNOWN_COLLECTION, UNKNOWN))
}
