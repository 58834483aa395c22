//! Keys of authors in the form that signatures are checked with, kept for their next entries.
//!
//! Finding the point of a key costs a tenth of checking a signature, and authors write more than one
//! entry. A keyring changes how long a check takes and never what it says. Whoever checks entries owns
//! one, so that nothing is shared between threads.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;

use super::{KeyError, PublicKey};
use crate::limits::KEYRING_SIZE_MAX;

/// A bounded number of keys with their points.
///
/// Keys used lately are kept: those of the younger generation, and of the one before it. When the
/// younger is full it becomes the older, and what was not used since then is forgotten.
#[derive(Debug, Clone)]
pub struct Keyring {
    younger: BTreeMap<PublicKey, VerifyingKey>,
    older: BTreeMap<PublicKey, VerifyingKey>,
    generation_max: usize,
}

impl Default for Keyring {
    fn default() -> Self {
        Self::new(KEYRING_SIZE_MAX)
    }
}

impl Keyring {
    /// A keyring that never holds more than `size_max` keys.
    pub const fn new(size_max: usize) -> Self {
        Self {
            younger: BTreeMap::new(),
            older: BTreeMap::new(),
            generation_max: size_max / 2,
        }
    }

    /// How many keys are held.
    pub fn size(&self) -> usize {
        self.younger.len() + self.older.len()
    }

    /// Reads a key, at little cost if it is held.
    pub(crate) fn decompress(&self, bytes: &[u8]) -> Result<(PublicKey, VerifyingKey), KeyError> {
        let known = [&self.younger, &self.older].into_iter();
        match known.filter_map(|keys| keys.get_key_value(bytes)).next() {
            Some((key, point)) => Ok((*key, *point)),
            None => PublicKey::decompress(bytes),
        }
    }

    /// Keeps a key that has just signed something: keys somebody merely names push out no other.
    pub(crate) fn keep(&mut self, key: PublicKey, point: VerifyingKey) {
        if self.generation_max == 0 || self.younger.contains_key(&key) {
            return;
        }
        self.older.remove(&key);
        if self.younger.len() == self.generation_max {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key, point);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::KeyPair;
    use proptest::prelude::*;

    fn key(seed: u8) -> (PublicKey, VerifyingKey) {
        let public_key = KeyPair::from_seed(&[seed; 32]).public_key();
        PublicKey::decompress(public_key.as_bytes()).unwrap()
    }

    fn holds(keyring: &Keyring, seed: u8) -> bool {
        let (key, _) = key(seed);
        keyring.younger.contains_key(&key) || keyring.older.contains_key(&key)
    }

    #[test]
    fn keys_in_use_stay_and_others_go() {
        let mut keyring = Keyring::new(4);
        for seed in [1, 2, 3, 1, 4, 1, 5] {
            let (key, point) = key(seed);
            keyring.keep(key, point);
        }

        assert!(holds(&keyring, 1) && holds(&keyring, 5));
        assert!(!holds(&keyring, 2));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused_as_ever() {
        let mut keyring = Keyring::default();
        let (key, point) = key(1);
        keyring.keep(key, point);

        assert_eq!(
            keyring.decompress(&[0; 32]),
            PublicKey::decompress(&[0; 32])
        );
        assert_eq!(
            keyring.decompress(&key.as_bytes()[1..]),
            Err(KeyError::Length(31))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_a_keyring_tells_is_what_reading_the_key_tells(
            seeds in prop::collection::vec(0u8..12, 0..60),
            size_max in 0usize..8,
        ) {
            let mut keyring = Keyring::new(size_max);
            for seed in seeds {
                let (key, point) = key(seed);
                prop_assert_eq!(keyring.decompress(key.as_bytes()), Ok((key, point)));
                keyring.keep(key, point);
                prop_assert!(keyring.size() <= size_max);
                prop_assert!(size_max < 2 || holds(&keyring, seed));
            }
        }
    }
}
