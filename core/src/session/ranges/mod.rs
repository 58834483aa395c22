//! Finding out by which entries two nodes differ, at a cost that follows the difference.
//!
//! The negentropy protocol, version 1, as specified and implemented in many languages: a side tells fingerprints
//! of ranges of its entries, the other one answers with nothing where its own are the same, else with those of
//! smaller ranges, or with the entries themselves where they are few. The side that asks learns both what it
//! lacks and what the other one lacks. What a session makes of that is decided in the state machine; how entries
//! are ordered, and kept summed, in `set`.
//!
//! Always true:
//! - No message has more than [`FRAME_MAX`] bytes; what has no room stands in it as one range.
//! - Whatever a message says, it is answered or refused, at a cost that its length bounds.

mod positions;
mod set;
mod sum;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::types::Hash;
use set::{Place, Selection};
use sum::Fingerprint;

pub use positions::Positions;
pub use set::EntrySet;

/// The version of the protocol, which is the first byte of each message.
const VERSION: u8 = 0x61;

/// Most bytes of a message that we make.
const FRAME_MAX: usize = 256 << 10;

/// How much of that is left for what ends a message.
const FRAME_REST: usize = 200;

/// Into how many ranges one is split.
const BUCKETS: usize = 16;

/// From how many entries on a range is told by fingerprints.
const FINGERPRINTS_MIN: usize = 2 * BUCKETS;

/// Numbers of 64 bits have at most as many bytes.
const NUMBER_LEN_MAX: usize = 10;

const SKIP: u64 = 0;
const FINGERPRINT: u64 = 1;
const LIST: u64 = 2;

/// The place behind all entries.
const END: Place = (u64::MAX, [0; 32]);

/// What the asking side learnt from a message.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Positions of entries that the other side lacks.
    pub(super) have: Positions,
    /// Entries that we lack.
    pub(super) need: BTreeSet<Hash>,
}

/// The first message of the side that asks.
pub(super) fn ask(entries: &Selection<'_>) -> Vec<u8> {
    let mut answer = Answer::new(entries);
    answer.split(0, entries.len(), &Bound::END);
    answer.bytes
}

/// Answers a message of the side that asks.
pub(super) fn answer(entries: &Selection<'_>, message: &[u8]) -> Result<Vec<u8>, Malformed> {
    go_on(entries, message, None)
}

/// Learns from an answer, and asks on; `None` when everything is known.
pub(super) fn learn(
    entries: &Selection<'_>,
    message: &[u8],
    differences: &mut Differences,
) -> Result<Option<Vec<u8>>, Malformed> {
    let answer = go_on(entries, message, Some(differences))?;
    Ok(Some(answer).filter(|answer| answer.len() > 1))
}

fn go_on(
    entries: &Selection<'_>,
    message: &[u8],
    mut differences: Option<&mut Differences>,
) -> Result<Vec<u8>, Malformed> {
    let mut query = Query::new(message)?;
    let mut answer = Answer::new(entries);
    let mut have = Vec::new();
    let mut lower = 0;
    while !query.is_empty() {
        let bound = query.bound()?;
        let upper = entries.lower_bound(&bound.place).max(lower);
        let is_told = match query.range()? {
            Range::Skip => {
                answer.skip(bound, upper);
                true
            }
            Range::Fingerprint(theirs) => {
                let ours = entries.sum(lower, upper).fingerprint(upper - lower);
                if theirs == ours {
                    answer.skip(bound, upper);
                    true
                } else {
                    answer.tell(upper, |answer| answer.split(lower, upper, &bound))
                }
            }
            Range::List(theirs) => match &mut differences {
                Some(differences) => {
                    compare(
                        entries,
                        (lower, upper),
                        theirs,
                        &mut have,
                        &mut differences.need,
                    );
                    answer.skip(bound, upper);
                    true
                }
                None => answer.list_some(lower, upper, bound),
            },
        };
        if !is_told {
            answer.rest();
            break;
        }
        lower = upper;
    }
    if let Some(differences) = differences {
        differences.have.extend(&Positions::of(have));
    }
    Ok(answer.bytes)
}

/// Compares entries of ours with those of the other side.
fn compare(
    entries: &Selection<'_>,
    (lower, upper): (usize, usize),
    theirs: &[[u8; 32]],
    have: &mut Vec<i64>,
    need: &mut BTreeSet<Hash>,
) {
    let mut theirs: BTreeSet<[u8; 32]> = theirs.iter().copied().collect();
    for (_, member) in entries.members(lower).take(upper - lower) {
        if !theirs.remove(&member.digest) {
            have.push(member.position);
        }
    }
    need.extend(theirs.into_iter().map(Hash::from_digest));
}

/// Where a range ends: all that is known of the first hash behind it is how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound {
    place: Place,
    len: usize,
}

impl Bound {
    const END: Self = Self { place: END, len: 0 };

    /// The shortest one between two neighbours.
    fn between(before: (u64, &[u8; 32]), behind: (u64, &[u8; 32])) -> Self {
        let (section, digest) = behind;
        let len = match before.0 == section {
            false => 0,
            true => {
                let pairs = before.1.iter().zip(digest);
                pairs
                    .take_while(|(before, behind)| before == behind)
                    .count()
                    + 1
            }
        };
        let len = len.min(digest.len());
        let mut prefix = [0; 32];
        prefix[..len].copy_from_slice(&digest[..len]);
        let place = (section, prefix);
        Self { place, len }
    }
}

/// A message that is being made.
struct Answer<'s> {
    entries: &'s Selection<'s>,
    bytes: Vec<u8>,
    /// The section of the bound written last.
    section: u64,
    /// The number of the first entry of which nothing is told yet.
    told: usize,
    /// The end of what is left out, and the number of the first entry behind it, to be told once something
    /// follows.
    skipped: Option<(Bound, usize)>,
}

impl<'s> Answer<'s> {
    fn new(entries: &'s Selection<'s>) -> Self {
        Self {
            entries,
            bytes: vec![VERSION],
            section: 0,
            told: 0,
            skipped: None,
        }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() > FRAME_MAX - FRAME_REST
    }

    fn skip(&mut self, until: Bound, upto: usize) {
        self.skipped = Some((until, upto));
    }

    /// Tells something of the entries up to a number; `false` when there is no room, and nothing is told.
    fn tell(&mut self, upto: usize, say: impl FnOnce(&mut Self)) -> bool {
        let (len, section, told) = (self.bytes.len(), self.section, self.told);
        self.tell_skipped();
        say(self);
        if self.is_full() {
            self.bytes.truncate(len);
            (self.section, self.told) = (section, told);
            return false;
        }
        self.told = upto;
        true
    }

    fn tell_skipped(&mut self) {
        if let Some((until, upto)) = self.skipped.take() {
            self.bound(&until);
            write_number(&mut self.bytes, SKIP);
            self.told = upto;
        }
    }

    /// Tells of a range in smaller ones, or as a list.
    fn split(&mut self, lower: usize, upper: usize, bound: &Bound) {
        let count = upper - lower;
        if count < FINGERPRINTS_MIN {
            return self.list(lower, count, bound);
        }
        let (each, more) = (count / BUCKETS, count % BUCKETS);
        let mut from = lower;
        for bucket in 0..BUCKETS {
            let to = from + each + usize::from(bucket < more);
            let fingerprint = self.entries.sum(from, to).fingerprint(to - from);
            let end = match to == upper {
                true => *bound,
                false => self.bound_before(to),
            };
            self.bound(&end);
            write_number(&mut self.bytes, FINGERPRINT);
            self.bytes.extend_from_slice(&fingerprint);
            from = to;
        }
    }

    /// The bound between an entry and the one before it.
    fn bound_before(&self, number: usize) -> Bound {
        let mut pair = self.entries.members(number - 1);
        match (pair.next(), pair.next()) {
            (Some((before, left)), Some((behind, right))) => {
                Bound::between((before, &left.digest), (behind, &right.digest))
            }
            _ => Bound::END,
        }
    }

    fn list(&mut self, lower: usize, count: usize, bound: &Bound) {
        self.bound(bound);
        write_number(&mut self.bytes, LIST);
        write_number(&mut self.bytes, count as u64);
        for (_, member) in self.entries.members(lower).take(count) {
            self.bytes.extend_from_slice(&member.digest);
        }
    }

    /// Lists the entries of a range, as many as there is room for; whether that was all of them.
    fn list_some(&mut self, lower: usize, upper: usize, bound: Bound) -> bool {
        self.tell_skipped();
        let room = (FRAME_MAX - FRAME_REST).saturating_sub(self.bytes.len());
        let count = (upper - lower).min(room / 32);
        let is_whole = count == upper - lower;
        if count == 0 && !is_whole {
            return false;
        }
        let end = match is_whole {
            true => bound,
            false => self.bound_before(lower + count),
        };
        self.list(lower, count, &end);
        self.told = lower + count;
        is_whole
    }

    /// Tells of everything that was not told as one range.
    fn rest(&mut self) {
        let (from, to) = (self.told, self.entries.len());
        let fingerprint = self.entries.sum(from, to).fingerprint(to - from);
        self.bound(&Bound::END);
        write_number(&mut self.bytes, FINGERPRINT);
        self.bytes.extend_from_slice(&fingerprint);
    }

    fn bound(&mut self, bound: &Bound) {
        let (section, digest) = &bound.place;
        let step = match *section {
            u64::MAX => 0,
            section => section.saturating_sub(self.section).saturating_add(1),
        };
        self.section = *section;
        write_number(&mut self.bytes, step);
        write_number(&mut self.bytes, bound.len as u64);
        self.bytes.extend_from_slice(&digest[..bound.len]);
    }
}

/// Writes a number in groups of seven bits, the highest first; all but the last have their highest bit set.
fn write_number(out: &mut Vec<u8>, number: u64) {
    let groups = (u64::BITS - number.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        out.push((number >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// A message that is being read.
struct Query<'m> {
    bytes: &'m [u8],
    section: u64,
}

/// What is told of a range.
enum Range<'m> {
    Skip,
    Fingerprint(Fingerprint),
    List(&'m [[u8; 32]]),
}

impl<'m> Query<'m> {
    fn new(message: &'m [u8]) -> Result<Self, Malformed> {
        match message.split_first() {
            Some((&VERSION, bytes)) => Ok(Self { bytes, section: 0 }),
            _ => Err(Malformed),
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn bound(&mut self) -> Result<Bound, Malformed> {
        self.section = match self.number()? {
            0 => u64::MAX,
            step => self.section.saturating_add(step - 1),
        };
        let len = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        let mut prefix = [0; 32];
        let begins = prefix.get_mut(..len).ok_or(Malformed)?;
        begins.copy_from_slice(self.take(len)?);
        let place = (self.section, prefix);
        Ok(Bound { place, len })
    }

    fn range(&mut self) -> Result<Range<'m>, Malformed> {
        match self.number()? {
            SKIP => Ok(Range::Skip),
            FINGERPRINT => {
                let (fingerprint, rest) = self.bytes.split_first_chunk().ok_or(Malformed)?;
                self.bytes = rest;
                Ok(Range::Fingerprint(*fingerprint))
            }
            LIST => {
                let count = usize::try_from(self.number()?).map_err(|_| Malformed)?;
                let size = count.checked_mul(32).ok_or(Malformed)?;
                let (digests, _) = self.take(size)?.as_chunks();
                Ok(Range::List(digests))
            }
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number: u64 = 0;
        for _ in 0..NUMBER_LEN_MAX {
            let (byte, rest) = self.bytes.split_first().ok_or(Malformed)?;
            self.bytes = rest;
            let shifted = number.checked_mul(1 << 7).ok_or(Malformed)?;
            number = shifted | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, size: usize) -> Result<&'m [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(size).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// Bytes that are no message of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;
