//! YASMF hashes: algorithm 0, length 32, then the BLAKE3 digest.

use super::hex;

/// The 34 bytes of a hash, well formed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 34]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::with_digest(*blake3::hash(bytes.as_ref()).as_bytes())
    }

    /// A well-formed hash of nothing in particular, whose place in any order is plain to see.
    pub fn repeating(byte: u8) -> Self {
        Self::with_digest([byte; 32])
    }

    /// A copy with the byte at `index` replaced.
    pub fn with_byte(mut self, index: usize, byte: u8) -> Self {
        self.0[index] = byte;
        self
    }

    pub fn hex(&self) -> String {
        hex(self.0)
    }

    fn with_digest(digest: [u8; 32]) -> Self {
        let mut bytes = [0; 34];
        bytes[1] = 32;
        bytes[2..].copy_from_slice(&digest);
        Self(bytes)
    }
}

/// Ids ascending, joined by `_`: the text form of a view id.
pub fn view_id(ids: &[Hash]) -> String {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.iter().map(Hash::hex).collect::<Vec<_>>().join("_")
}

/// The hash of the concatenated ids, ascending.
pub fn view_hash(ids: &[Hash]) -> Hash {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    Hash::of(ids.iter().flat_map(|id| id.0).collect::<Vec<_>>())
}
