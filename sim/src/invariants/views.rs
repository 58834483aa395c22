//! Every node shows the same documents with the same views, namely those of the reference.
//!
//! Does not check: documents of the system schemas, historic views, filters and order of collections. The
//! reference shares the decoder of operations with the nodes, so a fault there is not seen here.

use std::collections::BTreeMap;

use grove_core::types::DocumentId;

use crate::evidence::{Evidence, Shown, Violation};
use crate::reference;

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
