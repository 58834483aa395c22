//! Every node shows the same documents with the same views, namely those of the reference.
//!
//! Does not check: documents of the system schemas, historic views, filters and order of collections. The
//! reference shares the decoder of operations with the nodes, so a fault there is not seen here.

use std::collections::BTreeMap;

use grove_core::types::{DocumentId, OperationId};
use grove_core::wire::Operation;
use grove_node::store::{DocumentRow, EntryRow};

use crate::evidence::{Evidence, Shown, Violation};
use crate::hosts::node_name;
use crate::ledger::Known;
use crate::observe;
use crate::reference::{self, Operations};

const NAME: &str = "views_equal";

//= DL7: nodes show the same, whichever operation came first
pub(super) fn check(evidence: &Evidence) -> Result<(), Violation> {
    let expected: BTreeMap<DocumentId, Shown> = reference::documents(&evidence.published)
        .into_iter()
        .filter_map(|(document, expected)| expected.shown.map(|shown| (document, shown)))
        .collect();
    for node in &evidence.nodes {
        let unexpected = node
            .shown
            .keys()
            .find(|document| !expected.contains_key(*document));
        if let Some(document) = unexpected {
            let difference = format!("{} shows {document}, the reference does not", node.name);
            return Err(Violation {
                invariant: NAME,
                difference,
            });
        }
        for (document, wanted) in &expected {
            let found = node.shown.get(document);
            if found != Some(wanted) {
                let difference = describe(&node.name, document, wanted, found);
                return Err(Violation {
                    invariant: NAME,
                    difference,
                });
            }
        }
    }
    Ok(())
}

/// Judges a document of a node by the entries of it that the node holds.
pub(crate) fn at_once(
    node: usize,
    document: DocumentId,
    (rows, shown): (&[EntryRow], Option<&DocumentRow>),
    known: &Known,
) -> Result<(), Violation> {
    let operations = |wants: &dyn Fn(&EntryRow) -> bool| -> Operations {
        let rows = rows.iter().filter(|row| wants(row));
        let known = rows.filter_map(|row| {
            let id = OperationId::from(row.hash);
            Some((id, known.get(&id)?.operation.clone()?))
        });
        known.collect()
    };
    let create = OperationId::from(document.hash());
    let with_bytes = operations(&|row| row.payload.is_some());
    let deletes = |operation: &Operation| operation.fields().is_none();
    let found = shown.and_then(observe::shown);
    let is_deleted = shown.is_some_and(DocumentRow::is_deleted);
    if with_bytes.values().any(|operation| deletes(operation)) {
        // What the DELETE was made on top of is gone, and no matter any more.
        return match found {
            None => Ok(()),
            Some(_) => Err(Violation {
                invariant: NAME,
                difference: format!("node-{node} shows {document}, and holds what deleted it"),
            }),
        };
    }
    let wanted = match with_bytes.contains_key(&create) {
        true => reference::document(create, &with_bytes).shown,
        false => None,
    };
    if found == wanted && !is_deleted {
        return Ok(());
    }
    let wanted = wanted.as_ref();
    let difference = match (wanted, found.as_ref()) {
        (Some(wanted), found) => describe(&node_name(node), &document, wanted, found),
        _ => format!("node-{node} shows {document}, whose beginning it does not hold"),
    };
    Err(Violation {
        invariant: NAME,
        difference,
    })
}

fn describe(node: &str, document: &DocumentId, wanted: &Shown, found: Option<&Shown>) -> String {
    let Some(found) = found else {
        return format!("{node} does not show {document}, the reference does");
    };
    if found.view_id != wanted.view_id {
        return format!(
            "{node} shows {document} at view {}, the reference at {}",
            found.view_id, wanted.view_id
        );
    }
    let name = wanted
        .fields
        .keys()
        .chain(found.fields.keys())
        .find(|name| wanted.fields.get(*name) != found.fields.get(*name));
    let name = name.map_or("", String::as_str);
    let value = |shown: &Shown| {
        shown
            .fields
            .get(name)
            .map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    format!(
        "{node} shows {} in field {name} of {document}, the reference {}",
        value(found),
        value(wanted)
    )
}
