//! Writing: the arguments of an author's next entry, and forging it.
//!
//! Where the arguments come from (a node, or the author's own memory of its logs) is the client's
//! choice; both lead to the same bytes.

use crate::mutant::{altered, holds};
use crate::types::{Hash, KeyPair, LogId, SeqNum, Signature};
use crate::validate::{SignedEntry, Submission};
use crate::wire::{Entry, Operation};

/// What an author needs to know to write the next entry of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextArgs {
    /// The log to write into.
    pub log_id: LogId,
    /// The number of the next entry.
    pub seq_num: SeqNum,
    /// Hash of the latest entry.
    pub backlink: Option<Hash>,
    /// Hash of the lipmaa entry, where the next entry must carry it.
    pub skiplink: Option<Hash>,
}

impl NextArgs {
    /// Arguments for the first entry of a log.
    pub const fn first(log_id: LogId) -> Self {
        Self {
            log_id,
            seq_num: SeqNum::FIRST,
            backlink: None,
            skiplink: None,
        }
    }

    /// Arguments for the entry after `latest`; `lipmaa` tells the hash of an earlier entry of the
    /// log. `None` when the log is full or the skiplink's target is not known.
    pub fn after(
        log_id: LogId,
        latest: SeqNum,
        hash: Hash,
        lipmaa: impl FnOnce(SeqNum) -> Option<Hash>,
    ) -> Option<Self> {
        let seq_num = latest.next()?;
        let skiplink = match seq_num.skiplink() {
            Some(target) => Some(lipmaa(target)?),
            None => None,
        };
        Some(Self {
            log_id,
            seq_num,
            backlink: altered!(NextBacklink, Some(hash), skiplink.or(Some(hash))),
            skiplink,
        })
    }

    /// Whether exactly the links are given that an entry of this number carries.
    pub fn is_consistent(&self) -> bool {
        let backlink_fits = self.backlink.is_some() == self.seq_num.backlink().is_some();
        let skiplink_fits = self.skiplink.is_some() == self.seq_num.skiplink().is_some();
        holds!(ArgsBacklink, backlink_fits) && holds!(ArgsSkiplink, skiplink_fits)
    }
}

/// Signs the entry that carries `operation` at the place `args` tell.
///
/// `None` when the links of `args` do not fit its sequence number, as a broken node might send them.
pub fn forge(key_pair: &KeyPair, args: &NextArgs, operation: &Operation) -> Option<Submission> {
    let payload = operation.encode();
    sign_entry(key_pair, args, &payload)?.attach(payload).ok()
}

/// Signs the entry that carries these bytes, whatever they are; `None` as in [`forge`].
pub fn sign_entry(key_pair: &KeyPair, args: &NextArgs, payload: &[u8]) -> Option<SignedEntry> {
    if !args.is_consistent() {
        return None;
    }
    let mut entry = Entry {
        end_of_log: false,
        public_key: key_pair.public_key(),
        log_id: args.log_id,
        seq_num: args.seq_num,
        skiplink: args.skiplink,
        backlink: args.backlink,
        payload_size: payload.len() as u64,
        payload_hash: Hash::of(payload),
        signature: Signature::from_bytes([0; Signature::SIZE]),
    };
    entry.sign(key_pair);
    Some(SignedEntry::from_own(entry))
}
