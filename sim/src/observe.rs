//! What a node holds and shows, read from its store for the invariants to judge.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{DocumentId, Hash, OperationId, PlainValue, Schema, SchemaId, Value};
use grove_node::store::{DocumentQuery, DocumentRow, Read, StoreError};

use crate::evidence::{Forks, Held, Shown};
use crate::reference::json;

/// Every entry of every schema the store knows, but for those of which no more is known than that some peer said
/// their operation was deleted: such a claim is told to nobody until it turns out to be true.
pub(crate) fn entries(store: &dyn Read) -> Result<BTreeMap<OperationId, Held>, StoreError> {
    let application = store.schemas()?;
    let application = application.iter().map(Schema::id);
    let system = [
        SchemaId::SCHEMA_DEFINITION,
        SchemaId::SCHEMA_FIELD_DEFINITION,
    ];
    let mut entries = BTreeMap::new();
    for schema in system.iter().chain(application) {
        for row in store.schema_entries(schema)? {
            let ended = store.document_outline(row.document)?;
            if row.payload.is_none() && !ended.is_some_and(|document| document.is_deleted()) {
                continue;
            }
            let held = Held {
                position: (row.public_key, row.log_id, row.seq_num),
                entry: row.entry,
                operation: row.payload,
            };
            entries.insert(row.hash.into(), held);
        }
    }
    Ok(entries)
}

/// The evidence of forks in the logs of these entries.
pub(crate) fn forks(
    store: &dyn Read,
    entries: &BTreeMap<OperationId, Held>,
) -> Result<Forks, StoreError> {
    let logs: BTreeSet<_> = entries
        .values()
        .map(|held| (held.position.0, held.position.1))
        .collect();
    let mut forks = Forks::new();
    for (public_key, log_id) in logs {
        if let Some(fork) = store.fork(public_key, log_id)? {
            let pair = [fork.first, fork.second].map(|entry| Hash::of(&entry).into());
            forks.insert((public_key, log_id), pair);
        }
    }
    Ok(forks)
}

/// Every live document of a schema, as the store shows it.
pub(crate) fn documents(
    store: &dyn Read,
    schema: &SchemaId,
) -> Result<BTreeMap<DocumentId, Shown>, StoreError> {
    let query = DocumentQuery {
        limit: u32::MAX,
        ..DocumentQuery::default()
    };
    let rows = store.list(schema, &query)?.into_iter();
    Ok(rows
        .filter_map(|row| Some((row.id, shown(&row)?)))
        .collect())
}

/// A document as it is shown; `None` when it is deleted.
pub(crate) fn shown(row: &DocumentRow) -> Option<Shown> {
    let fields = row.fields.as_ref()?.iter();
    let fields = fields.map(|(name, (value, _))| (name.clone(), value_json(value)));
    Some(Shown {
        view_id: row.view_id.clone(),
        fields: fields.collect(),
    })
}

fn value_json(value: &Value) -> serde_json::Value {
    json(&PlainValue::from(value.clone()))
}
