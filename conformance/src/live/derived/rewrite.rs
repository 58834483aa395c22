//! Puts other keys, schemas and ids in the places of those of a vector, byte for byte.
//!
//! What is put in place is as long as what stood there, so that no length changes: what was wrong with an
//! input is what is wrong with it afterwards.

use crate::forge::entry::seal;
use crate::forge::{Hash, Key, hex, unhex};

/// Bytes of an id before its digest, as CBOR has them.
const ID_HEAD: [u8; 4] = [0x58, 0x22, 0x00, 0x20];

/// What stands for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rewrite {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    keys: Vec<(Key, Key)>,
}

impl Rewrite {
    pub(crate) fn key(&mut self, old: Key, new: Key) {
        self.bytes(&old.public(), &new.public());
        self.keys.push((old, new));
    }

    pub(crate) fn hash(&mut self, old: Hash, new: Hash) {
        self.bytes(&old.0, &new.0);
    }

    /// Both of one length: text as it stands in operations, or bytes.
    pub(crate) fn bytes(&mut self, old: &[u8], new: &[u8]) {
        if old.len() == new.len() && old != new {
            self.pairs.push((old.to_vec(), new.to_vec()));
        }
    }

    /// The bytes with everything known replaced.
    pub(crate) fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let left = &bytes[at..];
            match self.pairs.iter().find(|(old, _)| left.starts_with(old)) {
                Some((old, new)) => {
                    out.extend_from_slice(new);
                    at += old.len();
                }
                None => {
                    out.push(bytes[at]);
                    at += 1;
                }
            }
        }
        out
    }

    /// The text of hex, with the case of its digits kept, or of ids joined by `_`; anything else as it stands.
    pub(crate) fn text(&self, text: &str) -> String {
        let part = |part: &str| {
            let Some(bytes) = unhex(part) else {
                return part.to_owned();
            };
            let new = hex(self.apply(&bytes));
            if part.bytes().any(|byte| byte.is_ascii_uppercase()) {
                new.to_uppercase()
            } else {
                new
            }
        };
        text.split('_').map(part).collect::<Vec<_>>().join("_")
    }

    /// The operation, remembered by its hash.
    pub(crate) fn operation(&mut self, operation: &[u8]) -> Vec<u8> {
        let new = self.apply(operation);
        self.hash(Hash::of(operation), Hash::of(&new));
        new
    }

    /// The entry, signed by whoever stands for its signer, and remembered by its hash. `whole` is an entry that
    /// it may be a piece of.
    pub(crate) fn entry(&mut self, entry: &[u8], whole: Option<&[u8]>) -> Vec<u8> {
        let new = self.signed(entry).or_else(|| {
            let whole = whole?;
            let signed = self.signed(whole)?;
            if whole.starts_with(entry) {
                Some(signed[..entry.len()].to_vec())
            } else {
                let tail = entry.strip_prefix(whole)?;
                Some([&signed[..], tail].concat())
            }
        });
        let new = new.unwrap_or_else(|| self.damaged(entry));
        self.hash(Hash::of(entry), Hash::of(&new));
        new
    }

    /// The entry signed anew, where one of the known keys signed it.
    fn signed(&self, entry: &[u8]) -> Option<Vec<u8>> {
        let (unsigned, signature) = entry.split_at_checked(entry.len().checked_sub(64)?)?;
        let (_, new) = self
            .keys
            .iter()
            .find(|(old, _)| old.sign(unsigned)[..] == *signature)?;
        Some(seal(self.apply(unsigned), new))
    }

    /// The entry with the damage its signature had.
    fn damaged(&self, entry: &[u8]) -> Vec<u8> {
        let unsigned = entry.len().saturating_sub(64);
        let (unsigned, signature) = entry.split_at(unsigned);
        let new = self.apply(unsigned);
        let author = self
            .keys
            .iter()
            .find(|(old, _)| unsigned.get(1..33) == Some(&old.public()));
        let Some((old_key, new_key)) = author.filter(|_| signature.len() == 64) else {
            return [&new[..], signature].concat();
        };
        let (right, ours) = (old_key.sign(unsigned), new_key.sign(&new));
        let signature = signature
            .iter()
            .zip(right)
            .zip(ours)
            .map(|((a, b), c)| a ^ b ^ c);
        new.iter().copied().chain(signature).collect()
    }
}

/// The ids in an operation, in the order in which they stand there.
pub(crate) fn ids_in(operation: &[u8]) -> Vec<Hash> {
    let at = |at: usize| -> Option<Hash> {
        let window = operation.get(at..at + 36)?;
        window.starts_with(&ID_HEAD).then_some(())?;
        window[2..].try_into().ok().map(Hash)
    };
    (0..operation.len()).filter_map(at).collect()
}

/// Whether ids ascend and descend in one as they do in the other.
pub(crate) fn same_order(old: &[Hash], new: &[Hash]) -> bool {
    let order =
        |ids: &[Hash]| -> Vec<_> { ids.windows(2).map(|pair| pair[0].cmp(&pair[1])).collect() };
    order(old) == order(new)
}

/// The ids of a view id, as far as they are some.
pub(crate) fn ids_of_view(view_id: &str) -> Vec<Hash> {
    let id = |part: &str| {
        unhex(part)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Hash)
    };
    view_id.split('_').filter_map(id).collect()
}
