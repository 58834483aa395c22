//! What clients write: the one schema of every workload, and values of its fields.

use grove_core::types::{OperationId, Schema, SchemaId, Value};
use grove_core::wire::Fields;

use crate::plan::Change;

/// The fields of the workload's schema and their types.
pub(crate) const FIELDS: [(&str, &str); 3] = [("title", "str"), ("count", "int"), ("done", "bool")];

/// The schema that this definition makes.
pub(crate) fn note_schema(definition: OperationId) -> Schema {
    let fields = FIELDS.map(|(name, kind)| {
        (
            name.parse().expect("a field name"),
            kind.parse().expect("a field type"),
        )
    });
    let id = SchemaId::Application {
        name: "note".parse().expect("a schema name"),
        view_id: definition.into(),
    };
    Schema::new(id, String::new(), fields).expect("three fields")
}

/// Fields that are all text.
pub(crate) fn text_fields<'a>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Fields<Value> {
    let fields = fields.into_iter();
    fields
        .map(|(name, text)| (name.to_owned(), Value::Str(text.to_owned())))
        .collect()
}

/// The field that a change sets.
pub(crate) fn changed(change: &Change) -> Fields<Value> {
    let (name, value) = match change.clone() {
        Change::Title(title) => ("title", Value::Str(title)),
        Change::Count(count) => ("count", Value::Int(count)),
        Change::Done(done) => ("done", Value::Bool(done)),
    };
    Fields::from([(name.to_owned(), value)])
}

/// A new document.
pub(crate) fn blank(document: usize) -> Fields<Value> {
    let mut fields = text_fields([("title", format!("document {document}").as_str())]);
    fields.insert("count".to_owned(), Value::Int(0));
    fields.insert("done".to_owned(), Value::Bool(false));
    fields
}
