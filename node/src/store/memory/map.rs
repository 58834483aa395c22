//! A sorted map that is cheap to clone, and of which clones share what they have in common.
//!
//! Entries lie in chunks. A clone counts one reference; the first change after it copies the list of chunks
//! (a pointer per some forty entries) and the chunk it touches, every further one that chunk at most.
//!
//! Always true:
//! - Keys ascend, and every key is there once.
//! - No chunk is empty, and none is longer than [`CHUNK_LEN_MAX`].

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// How many entries a chunk has before it is cut in two.
const CHUNK_LEN_MAX: usize = 64;

type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// A sorted map.
#[derive(Debug)]
pub struct Map<K, V> {
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self {
            chunks: Arc::clone(&self.chunks),
            len: self.len,
        }
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self {
            chunks: Arc::default(),
            len: 0,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let chunk = self.chunks.get(self.chunk_for(key))?;
        let at = chunk.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        Some(&chunk[at].1)
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        // What comes after all others goes to the end of the last chunk.
        let index = self
            .chunk_for(&key)
            .min(self.chunks.len().saturating_sub(1));
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(index) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search_by(|(other, _)| other.cmp(&key)) {
            Ok(at) => return Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => chunk.insert(at, (key, value)),
        }
        self.len += 1;
        if chunk.len() > CHUNK_LEN_MAX {
            // Most keys are inserted in their order, and leave full chunks behind.
            let at = match index + 1 == chunks.len() {
                true => CHUNK_LEN_MAX,
                false => CHUNK_LEN_MAX / 2,
            };
            let rest = Arc::make_mut(&mut chunks[index]).split_off(at);
            chunks.insert(index + 1, Arc::new(rest));
        }
        None
    }

    /// Removes a key; returns the value it had.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.chunk_for(key);
        let chunk = self.chunks.get(index)?;
        let at = chunk.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[index]);
        let (_, value) = chunk.remove(at);
        if chunk.is_empty() {
            chunks.remove(index);
        }
        self.len -= 1;
        Some(value)
    }

    /// All entries, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.range(..)
    }

    /// The entries whose keys lie in a range, ascending.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let start = match range.start_bound() {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => self.first_where(|other| other >= key),
            Bound::Excluded(key) => self.first_where(|other| other > key),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => (self.chunks.len(), 0),
            Bound::Included(key) => self.first_where(|other| other > key),
            Bound::Excluded(key) => self.first_where(|other| other >= key),
        };
        (start.0..=end.0).flat_map(move |index| {
            let chunk = self.chunks.get(index).map_or(&[][..], |chunk| chunk);
            let from = if index == start.0 { start.1 } else { 0 };
            let to = if index == end.0 { end.1 } else { chunk.len() };
            let part = chunk.get(from..to).unwrap_or_default();
            part.iter().map(|(key, value)| (key, value))
        })
    }

    /// The chunk in which a key is, if it is anywhere: the first one that does not end before it.
    fn chunk_for(&self, key: &K) -> usize {
        self.chunks.partition_point(|chunk| last(chunk) < key)
    }

    /// Chunk and place of the first key of which this is true; it must be of all after it.
    fn first_where(&self, is_true: impl Fn(&K) -> bool) -> (usize, usize) {
        let index = self.chunks.partition_point(|chunk| !is_true(last(chunk)));
        let chunk = self.chunks.get(index).map_or(&[][..], |chunk| chunk);
        (index, chunk.partition_point(|(key, _)| !is_true(key)))
    }
}

fn last<K, V>(chunk: &[(K, V)]) -> &K {
    let (key, _) = chunk.last().expect("no chunk is empty");
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_map_is_what_a_plain_one_is_and_clones_stay_as_they_were(
            changes in prop::collection::vec((any::<bool>(), 0u16..600, any::<u8>()), 0..900),
            clone_at in 0usize..900,
            (from, to) in (0u16..600, 0u16..600),
        ) {
            let (mut map, mut plain) = (Map::default(), BTreeMap::new());
            let mut kept = None;
            for (at, (removes, key, value)) in changes.into_iter().enumerate() {
                if at == clone_at {
                    kept = Some((map.clone(), plain.clone()));
                }
                if removes {
                    prop_assert_eq!(map.remove(&key), plain.remove(&key));
                } else {
                    prop_assert_eq!(map.insert(key, value), plain.insert(key, value));
                }
            }
            for (map, plain) in [Some((map, plain)), kept].into_iter().flatten() {
                prop_assert_eq!(map.len(), plain.len());
                prop_assert!(map.iter().eq(plain.iter()));
                prop_assert!(map.iter().rev().eq(plain.iter().rev()));
                prop_assert!((0..600).all(|key| map.get(&key) == plain.get(&key)));
                let (from, to) = (from.min(to), from.max(to));
                prop_assert!(map.range(from..to).eq(plain.range(from..to)));
                prop_assert!(map.range(from..=to).eq(plain.range(from..=to)));
                prop_assert!(map.range(from..).rev().eq(plain.range(from..).rev()));
                let above = (Bound::Excluded(from), Bound::Unbounded);
                prop_assert!(map.range(above).eq(plain.range(above)));
                prop_assert!(map.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_LEN_MAX));
            }
        }
    }
}
