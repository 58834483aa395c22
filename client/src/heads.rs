//! What a key has written last in each of its logs, so that no position is signed twice for want of memory.
//!
//! Fed with every entry that was published; looked at before the next one is signed, because a node may know
//! less than the key's owner: it may lag behind another, or be restored from an old copy. Remembers the
//! logs written to last, [`LOGS_MAX`] of them, and the highest log id of all.

use std::collections::BTreeMap;

use grove_core::types::{Hash, LogId, SeqNum};
use serde::{Deserialize, Serialize};

/// Logs that are remembered.
const LOGS_MAX: usize = 1_000;

/// The last entries of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heads {
    highest: Option<LogId>,
    logs: BTreeMap<LogId, Written>,
    /// Counts the entries, so that the log written to longest ago can be told.
    writes: u64,
}

/// The last entry of a log, and when it was written among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    seq_num: SeqNum,
    entry: Hash,
    write: u64,
}

impl Heads {
    /// Notes an entry that a node has taken.
    pub fn note(&mut self, log_id: LogId, seq_num: SeqNum, entry: Hash) {
        self.writes += 1;
        self.highest = self.highest.max(Some(log_id));
        let written = Written {
            seq_num,
            entry,
            write: self.writes,
        };
        self.logs.insert(log_id, written);
        if self.logs.len() > LOGS_MAX {
            let oldest = self.logs.iter().min_by_key(|(_, written)| written.write);
            let oldest = oldest.map(|(log_id, _)| *log_id);
            self.logs.remove(&oldest.expect("there are some"));
        }
    }

    /// The highest log this key has written to.
    pub fn highest_log_id(&self) -> Option<LogId> {
        self.highest
    }

    /// Number and hash of the last entry of a log, where that is remembered.
    pub fn last(&self, log_id: LogId) -> Option<(SeqNum, Hash)> {
        let written = self.logs.get(&log_id)?;
        Some((written.seq_num, written.entry))
    }

    /// As JSON, the log written to last at the end.
    pub fn to_json(&self) -> String {
        let mut logs: Vec<_> = self.logs.iter().collect();
        logs.sort_by_key(|(_, written)| written.write);
        let text = HeadsText {
            highest_log_id: self.highest.map(|id| id.to_string()),
            logs: logs
                .into_iter()
                .map(|(log_id, written)| HeadText {
                    log_id: log_id.to_string(),
                    seq_num: written.seq_num.to_string(),
                    entry: written.entry.to_string(),
                })
                .collect(),
        };
        serde_json::to_string(&text).expect("texts are JSON")
    }

    /// Reads what [`Heads::to_json`] wrote; `None` when it is anything else.
    pub fn from_json(text: &str) -> Option<Self> {
        let text: HeadsText = serde_json::from_str(text).ok()?;
        let mut heads = Self::default();
        if text.logs.len() > LOGS_MAX {
            return None;
        }
        for head in text.logs {
            let (log_id, seq_num) = (head.log_id.parse().ok()?, head.seq_num.parse().ok()?);
            heads.note(log_id, seq_num, head.entry.parse().ok()?);
        }
        if let Some(highest) = text.highest_log_id {
            heads.highest = heads.highest.max(Some(highest.parse().ok()?));
        }
        Some(heads)
    }
}

//= RC3: numbers of 64 bits are decimal strings
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeadsText {
    highest_log_id: Option<String>,
    logs: Vec<HeadText>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeadText {
    log_id: String,
    seq_num: String,
    entry: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(heads: &mut Heads, log_id: u64, seq_num: u64) {
        let seq_num = SeqNum::new(seq_num).unwrap();
        heads.note(LogId::new(log_id), seq_num, Hash::of(&log_id.to_le_bytes()));
    }

    #[test]
    fn heads_come_back_as_they_were_written() {
        let mut heads = Heads::default();
        assert_eq!(Heads::from_json(&heads.to_json()), Some(heads.clone()));

        for (log_id, seq_num) in [(u64::MAX, 1), (3, 1), (0, 9), (3, 2)] {
            note(&mut heads, log_id, seq_num);
        }
        let read = Heads::from_json(&heads.to_json()).unwrap();

        assert_eq!(read.to_json(), heads.to_json());
        assert_eq!(read.highest_log_id(), Some(LogId::new(u64::MAX)));
        let (seq_num, _) = read.last(LogId::new(3)).unwrap();
        assert_eq!(seq_num.as_u64(), 2);
    }

    #[test]
    fn the_logs_written_to_last_are_remembered() {
        let mut heads = Heads::default();
        note(&mut heads, 5_000, 1);
        for log_id in 0..LOGS_MAX as u64 {
            note(&mut heads, log_id, 1);
        }

        assert_eq!(heads.last(LogId::new(5_000)), None);
        assert!(heads.last(LogId::new(0)).is_some());
        let read = Heads::from_json(&heads.to_json()).unwrap();
        assert_eq!(read.highest_log_id(), Some(LogId::new(5_000)));
    }

    #[test]
    fn what_is_no_heads_is_refused() {
        for text in [
            "",
            "[]",
            "{\"highestLogId\":null}",
            "{\"highestLogId\":7,\"logs\":[]}",
            "{\"highestLogId\":\"-1\",\"logs\":[]}",
            "{\"highestLogId\":null,\"logs\":[{\"logId\":\"0\",\"seqNum\":\"0\",\"entry\":\"\"}]}",
            "{\"highestLogId\":null,\"logs\":[],\"more\":1}",
        ] {
            assert_eq!(Heads::from_json(text), None, "{text}");
        }
    }
}
