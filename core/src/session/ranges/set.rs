//! The entries a node tells peers of, in an order all nodes share, with the sums of their ranges.
//!
//! Entries stand by section, then by hash. A section is made of the id of a schema, so that those of any
//! set of schemas are a few stretches of the whole, and sets kept once serve sessions about any schemas. Sums are
//! kept for pieces of some hundred entries: adding an entry changes one sum, and a range of any length is summed
//! from its two ends.
//!
//! Takes about 45 bytes of memory per entry. What belongs in it is decided by whoever keeps it.

use std::collections::BTreeMap;

use crate::types::{Hash, SchemaId};
use crate::wire::SchemaSet;

use super::sum::Sum;

/// Most entries of a piece; one that has more becomes two.
const PIECE_MAX: usize = 512;

/// By how many places the room of a piece grows: little is left unused.
const GROWTH: usize = 32;

/// Where the entries of a schema stand among those of others.
pub(super) fn section_of(schema: &SchemaId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Hash::of(schema.to_string().as_bytes()).digest();
    // The highest number stands for the end of everything.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).min(u64::MAX - 1)
}

/// An entry and its position in the order in which this node accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Member {
    pub(super) digest: [u8; 32],
    pub(in crate::session) position: i64,
}

#[derive(Debug, Clone, Default)]
struct Piece {
    members: Vec<Member>,
    sum: Sum,
}

/// Entries by section and hash.
#[derive(Debug, Clone, Default)]
pub struct EntrySet {
    /// None is empty, and no piece is.
    sections: BTreeMap<u64, Vec<Piece>>,
    len: usize,
}

impl EntrySet {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry of a document of this schema, unless it is there.
    pub fn insert(&mut self, schema: &SchemaId, hash: Hash, position: i64) {
        let pieces = self.sections.entry(section_of(schema)).or_default();
        let digest = *hash.digest();
        let at = piece_of(pieces, &digest);
        let Some(piece) = pieces.get_mut(at) else {
            pieces.push(Piece::default());
            return self.insert(schema, hash, position);
        };
        let Err(place) = piece.find(&digest) else {
            return;
        };
        if piece.members.len() == piece.members.capacity() {
            piece.members.reserve_exact(GROWTH);
        }
        piece.members.insert(place, Member { digest, position });
        piece.sum.add(&digest);
        self.len += 1;
        if piece.members.len() > PIECE_MAX {
            let upper = piece.split();
            pieces.insert(at + 1, upper);
        }
    }

    /// Takes out an entry.
    pub fn remove(&mut self, schema: &SchemaId, hash: Hash) {
        let section = section_of(schema);
        let Some(pieces) = self.sections.get_mut(&section) else {
            return;
        };
        let digest = *hash.digest();
        let at = piece_of(pieces, &digest);
        let found = pieces.get_mut(at).and_then(|piece| {
            let place = piece.find(&digest).ok()?;
            piece.members.remove(place);
            piece.sum.subtract(&digest);
            Some(piece.members.is_empty())
        });
        let Some(is_empty) = found else {
            return;
        };
        self.len -= 1;
        if is_empty {
            pieces.remove(at);
        }
        if pieces.is_empty() {
            self.sections.remove(&section);
        }
    }

    /// The entries of documents of these schemas.
    pub(in crate::session) fn select(&self, schemas: &SchemaSet) -> Selection<'_> {
        let mut sections: Vec<u64> = schemas.iter().map(section_of).collect();
        sections.sort_unstable();
        sections.dedup();
        let mut selection = Selection::default();
        for section in sections {
            for piece in self.sections.get(&section).into_iter().flatten() {
                selection.add(section, piece);
            }
        }
        selection
    }
}

/// The piece that an entry is in, or would be.
fn piece_of(pieces: &[Piece], digest: &[u8; 32]) -> usize {
    let begins = |piece: &Piece| {
        piece
            .members
            .first()
            .is_some_and(|first| first.digest <= *digest)
    };
    pieces.partition_point(begins).saturating_sub(1)
}

impl Piece {
    fn find(&self, digest: &[u8; 32]) -> Result<usize, usize> {
        self.members
            .binary_search_by(|member| member.digest.cmp(digest))
    }

    /// Takes away the upper half.
    fn split(&mut self) -> Self {
        let members = self.members.split_off(self.members.len() / 2);
        self.members.shrink_to(self.members.len() + GROWTH);
        let mut sum = Sum::default();
        for member in &members {
            sum.add(&member.digest);
            self.sum.subtract(&member.digest);
        }
        Self { members, sum }
    }
}

/// Some of the entries, numbered through.
#[derive(Debug, Default)]
pub(in crate::session) struct Selection<'s> {
    parts: Vec<Part<'s>>,
    len: usize,
    sum: Sum,
}

#[derive(Debug)]
struct Part<'s> {
    section: u64,
    members: &'s [Member],
    /// How many entries are before it, and their sum.
    start: usize,
    before: Sum,
}

/// A place between entries: before all that have this section and hash, or later ones.
pub(super) type Place = (u64, [u8; 32]);

impl<'s> Selection<'s> {
    fn add(&mut self, section: u64, piece: &'s Piece) {
        self.parts.push(Part {
            section,
            members: &piece.members,
            start: self.len,
            before: self.sum,
        });
        self.len += piece.members.len();
        self.sum.join(&piece.sum);
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of the first entry that is not before a place.
    pub(super) fn lower_bound(&self, (section, digest): &Place) -> usize {
        let key = (*section, digest);
        let begins = |part: &Part<'_>| {
            let first = part.members.first();
            first.is_some_and(|first| (part.section, &first.digest) < key)
        };
        let Some(part) = self.parts.partition_point(begins).checked_sub(1) else {
            return 0;
        };
        let part = &self.parts[part];
        let is_before = |member: &Member| (part.section, &member.digest) < key;
        part.start + part.members.partition_point(is_before)
    }

    /// Entries from a number on, with their sections.
    pub(super) fn members(&self, from: usize) -> impl Iterator<Item = (u64, &'s Member)> + '_ {
        let at = self.part_of(from);
        let parts = self.parts.get(at..).unwrap_or_default();
        let skipped = self.parts.get(at).map_or(0, |part| from - part.start);
        let members = parts.iter().flat_map(|part| {
            let members = part.members.iter();
            members.map(move |member| (part.section, member))
        });
        members.skip(skipped)
    }

    /// The entry with this hash.
    pub(in crate::session) fn find(&self, hash: &Hash) -> Option<&'s Member> {
        let digest = hash.digest();
        let mut from = 0;
        // Each section is looked into on its own.
        while let Some(part) = self.parts.get(from) {
            let section = part.section;
            let at = self.lower_bound(&(section, *digest));
            let found = self
                .members(at)
                .next()
                .filter(|(_, member)| member.digest == *digest);
            if let Some((_, member)) = found {
                return Some(member);
            }
            from += self.parts[from..].partition_point(|part| part.section == section);
        }
        None
    }

    /// The sum of the entries from one number to before another one.
    pub(super) fn sum(&self, from: usize, to: usize) -> Sum {
        let mut sum = self.sum_before(to);
        sum.part(&self.sum_before(from));
        sum
    }

    fn sum_before(&self, number: usize) -> Sum {
        let Some(part) = self.parts.get(self.part_of(number)) else {
            return self.sum;
        };
        let mut sum = part.before;
        for member in &part.members[..number - part.start] {
            sum.add(&member.digest);
        }
        sum
    }

    /// The part that an entry with this number is in; behind all parts where there is none.
    fn part_of(&self, number: usize) -> usize {
        if number >= self.len {
            return self.parts.len();
        }
        self.parts.partition_point(|part| part.start <= number) - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn schema(of: u8) -> SchemaId {
        [SchemaId::BLOB, SchemaId::BLOB_PIECE][usize::from(of % 2)].clone()
    }

    #[test]
    fn sums_and_places_are_those_of_a_list() {
        let mut set = EntrySet::default();
        let mut list: BTreeMap<(u64, [u8; 32]), i64> = BTreeMap::new();
        for number in 0..4000u32 {
            let hash = Hash::of(&number.to_be_bytes());
            let of = schema(number.to_be_bytes()[3]);
            set.insert(&of, hash, number.into());
            set.insert(&of, hash, number.into());
            list.insert((section_of(&of), *hash.digest()), number.into());
            if number % 3 == 0 {
                set.remove(&of, hash);
                set.remove(&of, hash);
                list.remove(&(section_of(&of), *hash.digest()));
            }
        }
        let both = SchemaSet::from([SchemaId::BLOB, SchemaId::BLOB_PIECE]);
        let selection = set.select(&both);
        assert_eq!((set.len(), selection.len()), (list.len(), list.len()));

        let keys: Vec<_> = list.keys().copied().collect();
        for (number, key) in keys.iter().enumerate().step_by(97) {
            assert_eq!(selection.lower_bound(key), number);
            let (section, member) = selection.members(number).next().unwrap();
            assert_eq!((section, member.digest), *key);
            let hash = Hash::from_digest(key.1);
            assert_eq!(selection.find(&hash).unwrap().position, list[key]);
            let to = (number + 700).min(keys.len());
            let mut sum = Sum::default();
            keys[number..to]
                .iter()
                .for_each(|(_, digest)| sum.add(digest));
            assert_eq!(selection.sum(number, to), sum);
        }
        assert!(selection.find(&Hash::of(b"another")).is_none());
        assert_eq!(selection.members(keys.len()).count(), 0);
    }

    proptest! {
        #[test]
        fn what_is_taken_out_leaves_no_trace(numbers in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut set = EntrySet::default();
            for number in &numbers {
                set.insert(&schema(*number), Hash::of(&[*number]), 0);
            }
            for number in &numbers {
                set.remove(&schema(*number), Hash::of(&[*number]));
            }
            prop_assert!(set.is_empty() && set.sections.is_empty());
        }
    }
}
