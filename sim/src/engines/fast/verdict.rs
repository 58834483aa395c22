//! The end of a run: whether the honest nodes agree, and what is judged once they have nothing more to say.

use std::collections::BTreeMap;

use grove_core::types::{OperationId, Schema};
use grove_node::store::{Read, StoreError};

use super::world::World;
use crate::evidence::{Drawn, Evidence, NodeState, Published, Violation};
use crate::hosts::node_name;
use crate::invariants::{self, pins, readers};
use crate::observe;
use crate::reference;
use crate::report::Counts;

impl World {
    /// The nodes by which the end is judged.
    fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_honest())
    }

    /// Whether all honest nodes hold the same entries, and are not about to send more.
    pub(super) fn agree(&self) -> bool {
        let honest = &mut self.honest();
        let Some(first) = honest.next() else {
            return true;
        };
        let held = &self.nodes[first].ledger.held;
        let same = honest.all(|node| {
            let other = &self.nodes[node].ledger.held;
            other.len() == held.len() && other.keys().eq(held.keys())
        });
        // What hostile nodes claimed may be on one node and not on another.
        let has_hostile = self.nodes.iter().any(|node| !node.is_honest());
        same || (has_hostile
            && self
                .evidence()
                .is_ok_and(|seen| invariants::entries_agree(&seen)))
    }

    /// Judges everything.
    pub(super) fn verdict(&mut self) -> Result<(), Violation> {
        let honest: Vec<usize> = self.honest().collect();
        for node in honest {
            let this = &mut self.nodes[node];
            let driver = this.driver.as_ref().expect("all are on in the end");
            readers::follow(node, driver.store(), &mut this.ledger, true)?;
        }
        for pin in &self.pins {
            let driver = self.nodes[pin.node].driver.as_ref();
            pins::check(driver.expect("all are on in the end").store(), pin)?;
        }
        let mut evidence = self.evidence().map_err(|error| Violation {
            invariant: "stores_are_readable",
            difference: error.to_string(),
        })?;
        invariants::acknowledged::check(&evidence)?;
        evidence.published = self.accepted_by_first();
        invariants::check_agreement(&evidence)
    }

    /// What the honest nodes hold and show, and what clients were told is published.
    fn evidence(&self) -> Result<Evidence, StoreError> {
        let mut evidence = Evidence::default();
        for node in self.honest() {
            let driver = self.nodes[node].driver.as_ref();
            let store: &dyn Read = driver.expect("all are on in the end").store();
            let entries = observe::entries(store)?;
            let forks = observe::forks(store, &entries)?;
            let shown = match self.schema.as_ref().map(Schema::id) {
                Some(schema) => observe::documents(store, schema)?,
                None => Default::default(),
            };
            evidence.nodes.push(NodeState {
                name: node_name(node),
                entries,
                shown,
                forks,
            });
        }
        let told = self.acknowledged.iter();
        let kept = told.filter(|(id, _)| !self.lost.contains(id) || self.is_held(id));
        evidence.published = kept
            .filter_map(|(id, (_, node))| Some(self.known.get(id)?.published(*id, *node)))
            .collect();
        Ok(evidence)
    }

    fn is_held(&self, id: &OperationId) -> bool {
        self.honest()
            .any(|node| self.nodes[node].ledger.held.contains_key(id))
    }

    /// Everything that the first honest node holds, whoever signed it, for the reference to make documents of.
    fn accepted_by_first(&self) -> Vec<Published> {
        let Some(first) = self.honest().next() else {
            return Vec::new();
        };
        let held = self.nodes[first].ledger.held.keys();
        let known = held.filter_map(|id| {
            let signed = self.known.get(id)?;
            signed.operation.as_ref()?;
            Some(signed.published(*id, first))
        });
        known.collect()
    }

    /// The operations of the run, for people.
    pub(super) fn drawn(&self) -> Vec<Drawn> {
        let mut documents: BTreeMap<OperationId, OperationId> = BTreeMap::new();
        let mut drawn = Vec::new();
        let operation_of = |id: &OperationId| self.known.get(id)?.operation.clone();
        for (id, signed) in &self.known {
            let Some(operation) = &signed.operation else {
                continue;
            };
            // Up to the CREATE, by whichever way.
            let (mut at, mut steps) = (*id, 0);
            let document = loop {
                if let Some(document) = documents.get(&at) {
                    break *document;
                }
                let above = operation_of(&at).and_then(|above| Some(above.previous()?.ids()[0]));
                match above.filter(|_| steps < self.known.len()) {
                    Some(above) => at = above,
                    None => break at,
                }
                steps += 1;
            };
            documents.insert(*id, document);
            let previous = operation.previous().map_or(&[][..], |view| view.ids());
            drawn.push(Drawn {
                id: id.to_string(),
                document: document.to_string(),
                action: match (previous, operation.fields()) {
                    ([], _) => "create",
                    (_, Some(_)) => "update",
                    (_, None) => "delete",
                },
                previous: previous.iter().map(OperationId::to_string).collect(),
            });
        }
        drawn
    }

    /// The counts, completed by what is there at the end.
    pub(super) fn final_counts(&self) -> Counts {
        let mut counts = self.counts;
        let published = self.accepted_by_first();
        counts.published = self.acknowledged.len() as u64;
        counts.cuts = self.cuts.len() as u64;
        counts.merges = published
            .iter()
            .filter(|published| published.is_merge())
            .count() as u64;
        let documents = reference::documents(&published);
        counts.deleted = documents
            .values()
            .filter(|document| document.deleted)
            .count() as u64;
        counts.documents = documents.len() as u64 - counts.deleted;
        if let Some(first) = self.honest().next() {
            let ledger = &self.nodes[first].ledger;
            counts.entries = ledger.held.len() as u64;
            let places = ledger.places.values();
            counts.forks = places.filter(|ids| ids.len() > 1).count() as u64;
        }
        counts
    }
}
