//! An author with the logs it has written, who remembers what any node must answer.

use super::api::NextArgs;
use crate::forge::{Draft, Hash, Key, Log, hex, lipmaa};

/// One key and one log per document.
#[derive(Clone, Debug)]
pub(super) struct Author {
    key: Key,
    logs: Vec<Log>,
}

impl Author {
    /// An author nobody has met: its key comes from the run's seed and a purpose.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let text = format!("grove live suite {seed} {purpose}");
        Self {
            key: Key::new(*blake3::hash(text.as_bytes()).as_bytes()),
            logs: Vec::new(),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn public_key(&self) -> String {
        hex(self.key.public())
    }

    /// Begins a log and returns its number.
    pub(super) fn open_log(&mut self) -> usize {
        let index = self.logs.len();
        self.logs.push(Log::new(self.key.clone(), index as u64));
        index
    }

    pub(super) fn log(&self, index: usize) -> &Log {
        &self.logs[index]
    }

    /// The honest next entry of a log.
    pub(super) fn draft(&self, index: usize, operation: &[u8]) -> Draft {
        self.logs[index].draft(operation)
    }

    /// Notes an entry a node has taken.
    pub(super) fn keep(&mut self, index: usize, entry: Vec<u8>, operation: Vec<u8>) -> Hash {
        self.logs[index].push_signed(entry, operation)
    }

    /// What a node must say about the next entry of a log.
    pub(super) fn next_args(&self, index: usize) -> NextArgs {
        let log = &self.logs[index];
        let seq_num = log.entries.len() as u64 + 1;
        let link = |to: u64| (to > 0).then(|| Hash::of(&log.entries[to as usize - 1]).hex());
        let far = lipmaa::is_encoded(seq_num).then(|| lipmaa::lipmaa(seq_num));
        NextArgs {
            log_id: log.log_id.to_string(),
            seq_num: seq_num.to_string(),
            backlink: link(seq_num - 1),
            skiplink: far.and_then(link),
        }
    }
}
