//! What all databases do alike with the trees of logs.

use std::collections::BTreeMap;

use grove_core::types::{LogId, PublicKey};
use grove_core::validate::{LogTip, prefers};
use grove_core::wire::{Entry, Heights};

use super::codec::from_need;
use super::rows::{Need, TreeRow};

/// Of each log the tip to continue, over all its trees.
#[derive(Debug, Default)]
pub struct PreferredTips(BTreeMap<PublicKey, BTreeMap<LogId, LogTip>>);

impl PreferredTips {
    pub fn add(&mut self, tree: &TreeRow) {
        let logs = self.0.entry(tree.public_key).or_default();
        let best = logs.entry(tree.log_id).or_insert(tree.tip);
        if prefers(&tree.tip, best) {
            *best = tree.tip;
        }
    }

    pub fn into_heights(self) -> Heights {
        let logs = |logs: BTreeMap<LogId, LogTip>| {
            let heights = logs.into_iter().map(|(log_id, tip)| (log_id, tip.seq_num));
            heights.collect()
        };
        let authors = self.0.into_iter();
        authors.map(|(author, of)| (author, logs(of))).collect()
    }
}

/// The need of a parked entry for the one before it, as it is stored; `None` for what can't need one.
pub fn need_of(entry: &[u8]) -> Option<Vec<u8>> {
    let backlink = Entry::decode(entry).ok()?.backlink?;
    Some(from_need(&Need::Entry(backlink)))
}
