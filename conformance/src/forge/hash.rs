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

    /// A well-formed hash of one byte over and over.
    pub fn repeating(byte: u8) -> Self {
        Self::with_digest([byte; 32])
    }

    /// Hash number `n` of a row of ascending hashes, which look random and are hard to compare wrongly.
    ///
    /// The first sixteen share three bytes of digest, and of these each four a good deal more: what tells
    /// them apart stands at other places from four to four, at the end even, and below as above 80. What
    /// follows it descends, so that comparing from the back leads to another order.
    pub fn numbered(n: u8) -> Self {
        const SHARED: [u8; 3] = [0x9d, 0x41, 0xc7];
        const STEPS: [u8; 4] = [0x1d, 0x7e, 0x80, 0xe9];
        const PLACES: [usize; 4] = [9, 31, 20, 14];
        let (four, step) = (n / 4, usize::from(n % 4));
        let noise = |of: &str, n: u8| *blake3::hash(format!("{of} {n}").as_bytes()).as_bytes();
        let mut digest = noise("one", n);
        if let Some(&place) = PLACES.get(usize::from(four)) {
            digest[..place].copy_from_slice(&noise("four", four)[..place]);
            digest[..3].copy_from_slice(&SHARED);
            digest[3] = STEPS[usize::from(four)];
            digest[place] = STEPS[step];
            if place < 31 {
                digest[31] = 0xff - STEPS[step];
            }
        } else {
            digest[0] = SHARED[0] + four - 3;
            digest[1] = STEPS[step];
        }
        Self::with_digest(digest)
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
