//! Which questions GraphQL takes: the fixed types, and those made from each p2panda schema.
//!
//! A node may know thousands of schemas, and a question names a few. So there is no type system of all of
//! them: each document gets one of the fixed types and of the schemas it names ([`assemble`]). Only who asks
//! for a description of everything gets everything.
//!
//! A schema `S` gives `S`, `SFields`, `SCollection`, `SItem`, `SFilter`, `SOrderBy` and `SEvent`, the queries
//! `S` and `all_S`, and the subscriptions of the same names. Field names of p2panda and GraphQL have one
//! grammar and schema ids end in a hash, so no two names meet. A relation to a schema the node does not
//! know is there and null: one such field must not cost the others their answers.

mod documents;
pub(super) mod known;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use apollo_compiler::Schema as Types;
use apollo_compiler::schema::{ExtendedType, ObjectType};
use apollo_compiler::validation::Valid;
use grove_core::types::{Schema, SchemaId};

/// What does not depend on schemas.
const FIXED: &str = include_str!("fixed.graphql");

/// The roots, which have fields for each schema.
pub(super) const QUERY: &str = "Query";
pub(super) const SUBSCRIPTION: &str = "Subscription";

/// Type of relations to unknown schemas, of which no value exists.
const UNKNOWN: &str = "UnknownSchema";

/// Type of relation lists to unknown schemas, of which no value exists either.
const UNKNOWN_COLLECTION: &str = "UnknownSchemaCollection";

static FIXED_TYPES: LazyLock<Arc<Valid<Types>>> = LazyLock::new(|| {
    let types = Types::parse(FIXED, "fixed.graphql");
    let types = types.expect("the fixed types are well-formed, as every test shows");
    Arc::new(Valid::assume_valid(types))
});

/// Schemas by id; `None` for those that nobody knows.
pub(super) type Schemas = BTreeMap<SchemaId, Option<Arc<Schema>>>;

/// The type system of these schemas. Types of schemas that are not among them are missing, so that they
/// can be named as the type of a field, but nothing of them be selected.
pub(super) fn assemble(schemas: &Schemas) -> Arc<Valid<Types>> {
    if schemas.is_empty() {
        return Arc::clone(&FIXED_TYPES);
    }
    let mut types = Types::clone(&FIXED_TYPES);
    let (mut query, mut subscription) = (root(&types, QUERY), root(&types, SUBSCRIPTION));
    for schema in schemas.values().flatten() {
        //= QU1: every known schema gives a query for one document and one for all
        documents::add_roots(&mut query, &mut subscription, schema);
        documents::add_types(&mut types, schema, schemas);
    }
    for root in [query, subscription] {
        types.types.insert(root.name.clone(), root.into());
    }
    Arc::new(Valid::assume_valid(types))
}

fn root(types: &Types, name: &str) -> ObjectType {
    let root = types.get_object(name).expect("the fixed types have roots");
    ObjectType::clone(root)
}

/// Whether a type holds no other values: variables of one such type may stand for another.
pub(super) fn is_leaf(types: &Types, name: &str) -> bool {
    matches!(
        types.types.get(name),
        Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_))
    )
}
