//! What all databases do alike with the trees of logs.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::types::{Hash, LogId, PublicKey};
use grove_core::validate::{LogTip, prefers};
use grove_core::wire::{Entry, Heights};

use super::StoreError;
use super::codec::from_need;
use super::rows::Need;

/// Of each log the tip to continue, over all its trees.
#[derive(Debug, Default)]
pub(super) struct PreferredTips(BTreeMap<PublicKey, BTreeMap<LogId, LogTip>>);

impl PreferredTips {
    pub(super) fn add(&mut self, public_key: PublicKey, log_id: LogId, tip: LogTip) {
        let logs = self.0.entry(public_key).or_default();
        let best = logs.entry(log_id).or_insert(tip);
        if prefers(&tip, best) {
            *best = tip;
        }
    }

    pub(super) fn into_heights(self) -> Heights {
        let logs = |logs: BTreeMap<LogId, LogTip>| {
            let heights = logs.into_iter().map(|(log_id, tip)| (log_id, tip.seq_num));
            heights.collect()
        };
        let authors = self.0.into_iter();
        authors.map(|(author, of)| (author, logs(of))).collect()
    }
}

/// Trees with entries whose operations never came, while nothing confirms that they were deleted. Peers are
/// told of what comes before those, so that whoever has the operations sends them.
#[derive(Debug, Default)]
pub(super) struct DoubtedTrees {
    /// Entries that no doubted one leads to.
    certain: BTreeSet<Hash>,
    tips: BTreeMap<Hash, (PublicKey, LogId, LogTip)>,
}

impl DoubtedTrees {
    /// Adds an entry, after those it follows.
    pub(super) fn add(
        &mut self,
        public_key: PublicKey,
        log_id: LogId,
        hash: Hash,
        entry: &[u8],
        was_seen: bool,
    ) -> Result<(), StoreError> {
        let entry = Entry::decode(entry).map_err(|_| StoreError::Corrupt("entry"))?;
        let backlink = entry.backlink;
        if !was_seen || backlink.is_some_and(|backlink| !self.certain.contains(&backlink)) {
            return Ok(());
        }
        if let Some(backlink) = backlink {
            self.tips.remove(&backlink);
        }
        self.certain.insert(hash);
        let tip = LogTip {
            seq_num: entry.seq_num,
            hash,
            ended: entry.end_of_log,
        };
        self.tips.insert(hash, (public_key, log_id, tip));
        Ok(())
    }

    /// The ends of what is certain.
    pub(super) fn tips(&self) -> impl Iterator<Item = (PublicKey, LogId, LogTip)> {
        self.tips.values().copied()
    }
}

/// The need of a parked entry for the one before it, as it is stored; `None` for what can't need one.
pub(super) fn need_of(entry: &[u8]) -> Option<Vec<u8>> {
    let backlink = Entry::decode(entry).ok()?.backlink?;
    Some(from_need(&Need::Entry(backlink)))
}
