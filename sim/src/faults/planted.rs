//! Planted bugs: each makes one invariant fail, so that tests can show the invariant sees it.
//!
//! Never on in an ordinary run; the command line hides the switch. A planted bug spoils what the harness
//! carries to the last node or observes at the end; production code knows nothing of it.

use std::collections::BTreeMap;

use clap::ValueEnum;
use grove_core::types::DocumentId;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Shown};
use crate::reference;

/// A bug put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PlantedBug {
    /// Entries of one client never reach the last node.
    DropEntries,
    /// Every node has lost one entry it had acknowledged.
    ForgetAcknowledged,
    /// The last node has lost the evidence of a fork.
    ForgetFork,
    /// The last node still shows a deleted document.
    ShowDeleted,
    /// Every node keeps an operation of a deleted document.
    KeepDeleted,
    /// The last node shows another value in one field.
    FalsifyView,
    /// All nodes agree on a wrong value in one field.
    FalsifyEveryView,
    /// The run depends on something that is no function of the seed.
    Noise,
}

impl PlantedBug {
    /// The argument of the command line that puts it in.
    pub(crate) fn argument(self) -> String {
        let value = self.to_possible_value().expect("no bug is left out");
        format!("--planted-bug {}", value.get_name())
    }

    /// Spoils what was observed, where the bug is one of observation.
    ///
    /// # Panics
    ///
    /// When the run had nothing to spoil: such a seed proves nothing and another must be taken.
    pub(crate) fn spoil(self, evidence: &mut Evidence) {
        match self {
            Self::DropEntries | Self::Noise => {}
            Self::ForgetAcknowledged => {
                let lost = evidence
                    .published
                    .first()
                    .expect("something was published")
                    .operation_id;
                evidence.nodes.iter_mut().for_each(|node| {
                    node.entries.remove(&lost);
                });
            }
            Self::ForgetFork => {
                let last = evidence.nodes.last_mut().expect("there are nodes");
                last.forks.pop_first().expect("a log was forked");
            }
            Self::ShowDeleted => show_deleted(evidence),
            Self::KeepDeleted => keep_deleted(evidence),
            Self::FalsifyView => {
                let last = evidence.nodes.len() - 1;
                falsify(&mut evidence.nodes[last].shown);
            }
            Self::FalsifyEveryView => {
                evidence
                    .nodes
                    .iter_mut()
                    .for_each(|node| falsify(&mut node.shown));
            }
        }
    }
}

fn falsify(shown: &mut BTreeMap<DocumentId, Shown>) {
    let shown = shown.values_mut().next().expect("a document is shown");
    let value = shown
        .fields
        .values_mut()
        .next()
        .expect("a document has fields");
    *value = serde_json::json!("falsified");
}

fn show_deleted(evidence: &mut Evidence) {
    let documents = reference::documents(&evidence.published);
    let deleted = documents.iter().find(|(_, expected)| expected.deleted);
    let (document, _) = deleted.expect("a document was deleted");
    let view_id = (*document).into();
    let fields = BTreeMap::new();
    let last = evidence.nodes.last_mut().expect("there are nodes");
    last.shown.insert(*document, Shown { view_id, fields });
}

fn keep_deleted(evidence: &mut Evidence) {
    let documents = reference::documents(&evidence.published);
    let deleted = documents
        .values()
        .find(|expected| expected.deleted)
        .expect("a document was deleted");
    let create = deleted.content.first().expect("a document has a CREATE");
    // On every node, or the entry sets would differ first.
    for node in &mut evidence.nodes {
        let held = node
            .entries
            .get_mut(create)
            .expect("nodes keep the skeleton of a log");
        held.operation = Some(b"kept".to_vec());
    }
}
