//! Entries and logs. A [`Draft`] writes whatever stands in it; a [`Log`] fills in honest links.

use super::{Hash, Key, lipmaa, varu64};

/// The fields of an entry before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    pub tag: u8,
    pub author: [u8; 32],
    pub log_id: u64,
    pub seq_num: u64,
    pub skiplink: Option<Hash>,
    pub backlink: Option<Hash>,
    pub payload_size: u64,
    pub payload_hash: Hash,
}

impl Draft {
    /// The first entry of a log.
    pub fn first(author: &Key, log_id: u64, payload: &[u8]) -> Self {
        Self {
            tag: 0,
            author: author.public(),
            log_id,
            seq_num: 1,
            skiplink: None,
            backlink: None,
            payload_size: payload.len() as u64,
            payload_hash: Hash::of(payload),
        }
    }

    /// Everything the signature covers.
    pub fn unsigned(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag];
        bytes.extend_from_slice(&self.author);
        bytes.extend(varu64::encode(self.log_id));
        bytes.extend(varu64::encode(self.seq_num));
        for link in [self.skiplink, self.backlink].into_iter().flatten() {
            bytes.extend_from_slice(&link.0);
        }
        bytes.extend(varu64::encode(self.payload_size));
        bytes.extend_from_slice(&self.payload_hash.0);
        bytes
    }

    pub fn sign(&self, key: &Key) -> Vec<u8> {
        seal(self.unsigned(), key)
    }
}

/// Appends the signature of `unsigned`.
pub fn seal(mut unsigned: Vec<u8>, key: &Key) -> Vec<u8> {
    let signature = key.sign(&unsigned);
    unsigned.extend_from_slice(&signature);
    unsigned
}

/// The bytes of an entry with its signature made anew, or `None` when it is too short to have one.
pub fn reseal(entry: &[u8], key: &Key) -> Option<Vec<u8>> {
    let unsigned = entry.len().checked_sub(64)?;
    Some(seal(entry[..unsigned].to_vec(), key))
}

/// One author's log, growing entry by entry.
#[derive(Clone, Debug)]
pub struct Log {
    pub key: Key,
    pub log_id: u64,
    pub entries: Vec<Vec<u8>>,
    pub payloads: Vec<Vec<u8>>,
}

impl Log {
    pub fn new(key: Key, log_id: u64) -> Self {
        Self {
            key,
            log_id,
            entries: Vec::new(),
            payloads: Vec::new(),
        }
    }

    /// The log up to its entry number `len`, where a branch may begin.
    pub fn until(&self, len: usize) -> Self {
        let mut log = self.clone();
        log.entries.truncate(len);
        log.payloads.truncate(len);
        log
    }

    /// The next entry, with the links it ought to have; not appended.
    pub fn draft(&self, payload: &[u8]) -> Draft {
        let seq_num = self.entries.len() as u64 + 1;
        let link = |to: u64| (to > 0).then(|| Hash::of(&self.entries[to as usize - 1]));
        let far = lipmaa::is_encoded(seq_num).then(|| lipmaa::lipmaa(seq_num));
        Draft {
            seq_num,
            skiplink: far.and_then(link),
            backlink: link(seq_num - 1),
            ..Draft::first(&self.key, self.log_id, payload)
        }
    }

    /// Appends and returns the hash, which is the operation id.
    pub fn push(&mut self, payload: Vec<u8>) -> Hash {
        let draft = self.draft(&payload);
        self.push_signed(draft.sign(&self.key), payload)
    }

    /// Appends an entry made elsewhere.
    pub fn push_signed(&mut self, entry: Vec<u8>, payload: Vec<u8>) -> Hash {
        let id = Hash::of(&entry);
        self.entries.push(entry);
        self.payloads.push(payload);
        id
    }
}
