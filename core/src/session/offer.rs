//! What one side tells of its logs at the beginning of a session, and what the other lacks by it.
//!
//! Between grove nodes these are the tips of all branches of each log: heights alone can't show two
//! branches of one length. Peers that speak only the deployed protocol tell and hear heights.
//!
//! Always true:
//! - Of a log with one branch on both sides, nothing is sent that the other side has.
//! - Sessions repeated until nothing is sent leave both sides with the same entries, whoever begins.

use std::collections::BTreeSet;

use super::ranges::EntrySet;
use crate::limits::MESSAGE_SIZE_MAX;
use crate::types::{Hash, LogId, PublicKey, SeqNum};
use crate::wire::{Heights, LogTips, Message, SchemaSet, Tips};

/// What a session asks of those who keep the logs.
pub trait Logs {
    /// Why a question could not be answered.
    type Error;

    /// Of each log of documents of these schemas, the length of the branch that is to be continued.
    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, Self::Error>;

    /// The tips of all branches of these logs.
    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, Self::Error>;

    /// Those of these entries that are there.
    fn known(&self, hashes: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, Self::Error>;

    /// The lowest position of a log at which there are two entries, or a lower one.
    fn forked_at(&self, author: PublicKey, log_id: LogId) -> Result<Option<SeqNum>, Self::Error>;

    /// All entries that peers are told of; `None` where sets are not compared by ranges.
    fn entries(&self) -> Option<&EntrySet> {
        None
    }

    /// Whether an entry that is not there is worth being asked for.
    fn wants(&self, _hash: &Hash) -> bool {
        true
    }
}

/// What one side has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Offer {
    Tips(Tips),
    Heights(Heights),
}

impl Offer {
    /// What we have, in the terms a peer understands.
    pub(super) fn of<L: Logs>(
        logs: &L,
        schemas: &SchemaSet,
        understands_tips: bool,
    ) -> Result<Self, L::Error> {
        Ok(match understands_tips {
            true => Self::Tips(logs.tips(schemas)?),
            false => Self::Heights(logs.heights(schemas)?),
        })
    }

    /// The same, or heights in place of tips that fit into no message.
    pub(super) fn fitting<L: Logs>(self, logs: &L, schemas: &SchemaSet) -> Result<Self, L::Error> {
        match &self {
            Self::Tips(tips) if size_at_most(tips) > MESSAGE_SIZE_MAX => {
                Self::of(logs, schemas, false)
            }
            _ => Ok(self),
        }
    }

    /// Whether these are tips.
    pub(super) fn has_tips(&self) -> bool {
        matches!(self, Self::Tips(_))
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Tips(tips) => tips.is_empty(),
            Self::Heights(heights) => heights.is_empty(),
        }
    }

    pub(super) fn into_message(self, session: u64) -> Message {
        match self {
            Self::Tips(tips) => Message::Tips { session, tips },
            Self::Heights(heights) => Message::Have { session, heights },
        }
    }
}

/// Per log, the first number to send to a peer that has told this. Nothing, should one side have told
/// tips and the other heights.
pub(super) fn lacking<L: Logs>(
    logs: &L,
    local: &Offer,
    remote: &Offer,
) -> Result<Heights, L::Error> {
    match (local, remote) {
        (Offer::Tips(local), Offer::Tips(remote)) => lacking_tips(logs, local, remote),
        (Offer::Heights(local), Offer::Heights(remote)) => Ok(lacking_heights(local, remote)),
        _ => Ok(Heights::new()),
    }
}

/// Per log that `local` has further than `remote`, the first number the remote lacks.
fn lacking_heights(local: &Heights, remote: &Heights) -> Heights {
    let mut starts = Heights::new();
    for (public_key, logs) in local {
        for (log_id, height) in logs {
            let start = match remote.get(public_key).and_then(|logs| logs.get(log_id)) {
                None => Some(SeqNum::FIRST),
                Some(theirs) if theirs < height => theirs.next(),
                Some(_) => None,
            };
            add_start(&mut starts, *public_key, *log_id, start);
        }
    }
    starts
}

/// Per log with tips of ours that the remote lacks for certain, a number below which it lacks nothing.
fn lacking_tips<L: Logs>(logs: &L, local: &Tips, remote: &Tips) -> Result<Heights, L::Error> {
    let none = LogTips::new();
    let pairs = || {
        let logs = local.iter().flat_map(|(public_key, logs)| {
            let logs = logs.iter();
            logs.map(move |(log_id, ours)| (*public_key, *log_id, ours))
        });
        logs.map(|(public_key, log_id, ours)| {
            let theirs = remote.get(&public_key).and_then(|logs| logs.get(&log_id));
            (public_key, log_id, ours, theirs.unwrap_or(&none))
        })
        .filter(|(.., ours, theirs)| !ours.is_subset(theirs))
    };
    let foreign: BTreeSet<Hash> = pairs()
        .flat_map(|(.., ours, theirs)| theirs.difference(ours).map(|(_, hash)| *hash))
        .collect();
    let known = match foreign.is_empty() {
        true => BTreeSet::new(),
        false => logs.known(&foreign)?,
    };
    let mut starts = Heights::new();
    for (public_key, log_id, ours, theirs) in pairs() {
        let is_known = |tip: &&(SeqNum, Hash)| ours.contains(tip) || known.contains(&tip.1);
        let shared = theirs.iter().filter(is_known).map(|(seq_num, _)| *seq_num);
        let unknown = theirs.iter().filter(|tip| !is_known(tip)).map(|tip| tip.0);
        // Our tip lies on a branch of theirs or was never seen there. The former can only be if one of
        // the tips we don't know is higher. They see our tip and will tell: theirs is the higher one then.
        let highest_unknown = unknown.max();
        let mut lacked = ours.difference(theirs).map(|(seq_num, _)| *seq_num);
        if !lacked.any(|seq_num| highest_unknown.is_none_or(|unknown| seq_num >= unknown)) {
            continue;
        }
        // They have all that leads to a tip of theirs; below our lowest fork that is every entry.
        let mut start = shared.max().map_or(Some(SeqNum::FIRST), SeqNum::next);
        if ours.len() > 1 {
            start = start.min(logs.forked_at(public_key, log_id)?.or(start));
        }
        add_start(&mut starts, public_key, log_id, start);
    }
    Ok(starts)
}

fn add_start(starts: &mut Heights, author: PublicKey, log_id: LogId, start: Option<SeqNum>) {
    if let Some(start) = start {
        starts.entry(author).or_default().insert(log_id, start);
    }
}

/// How many bytes a message of these tips has at most.
fn size_at_most(tips: &Tips) -> usize {
    const HEADS: usize = 32;
    const AUTHOR: usize = 2 + 34 + 9;
    const LOG: usize = 1 + 9 + 9;
    const TIP: usize = 1 + 9 + 36;
    let of_log = |tips: &LogTips| LOG + tips.len() * TIP;
    let of_author = tips
        .values()
        .map(|logs| AUTHOR + logs.values().map(of_log).sum::<usize>());
    HEADS + of_author.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::types::{KeyPair, SchemaId};
    use proptest::prelude::*;

    /// Entries of one log: position and parent by hash.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Forest(BTreeMap<Hash, (SeqNum, Option<Hash>)>);

    impl Forest {
        fn tips_of(&self) -> LogTips {
            let parents: BTreeSet<_> = self.0.values().filter_map(|(_, parent)| *parent).collect();
            let tips = self.0.iter().filter(|(hash, _)| !parents.contains(hash));
            tips.map(|(hash, (seq_num, _))| (*seq_num, *hash)).collect()
        }

        fn add(&mut self, other: &Self, hash: Hash) {
            let (seq_num, parent) = other.0[&hash];
            if let Some(parent) = parent {
                self.add(other, parent);
            }
            self.0.insert(hash, (seq_num, parent));
        }
    }

    fn author() -> PublicKey {
        KeyPair::from_seed(&[1; 32]).public_key()
    }

    impl Logs for Forest {
        type Error = Infallible;

        fn heights(&self, _: &SchemaSet) -> Result<Heights, Infallible> {
            let height = self.tips_of().last().map(|(seq_num, _)| *seq_num);
            let logs = height.map(|height| [(LogId::new(0), height)].into());
            Ok(logs.map(|logs| (author(), logs)).into_iter().collect())
        }

        fn tips(&self, _: &SchemaSet) -> Result<Tips, Infallible> {
            let tips = Some(self.tips_of()).filter(|tips| !tips.is_empty());
            let logs = tips.map(|tips| [(LogId::new(0), tips)].into());
            Ok(logs.map(|logs| (author(), logs)).into_iter().collect())
        }

        fn known(&self, hashes: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, Infallible> {
            let known = hashes.iter().filter(|hash| self.0.contains_key(hash));
            Ok(known.copied().collect())
        }

        fn forked_at(&self, _: PublicKey, _: LogId) -> Result<Option<SeqNum>, Infallible> {
            let mut positions: Vec<_> = self.0.values().map(|(seq_num, _)| *seq_num).collect();
            positions.sort();
            let twice = positions.windows(2).find(|pair| pair[0] == pair[1]);
            Ok(twice.map(|pair| pair[0]))
        }
    }

    /// What `from` sends to `to`; returns how many entries, and how many of them it had.
    fn send(from: &Forest, to: &mut Forest) -> (usize, usize) {
        let schemas = SchemaSet::from([SchemaId::BLOB]);
        let Ok(remote) = Offer::of(to, &schemas, true);
        let Ok(local) = Offer::of(from, &schemas, true);
        let Ok(starts) = lacking(from, &local, &remote);
        let Some(start) = starts.values().flat_map(BTreeMap::values).next() else {
            return (0, 0);
        };
        let sent = from.0.iter().filter(|(_, (seq_num, _))| seq_num >= start);
        let mut sent: Vec<_> = sent.collect();
        sent.sort_by_key(|(_, (seq_num, _))| *seq_num);
        let known = sent
            .iter()
            .filter(|(hash, _)| to.0.contains_key(*hash))
            .count();
        for (hash, (seq_num, parent)) in &sent {
            let leads_back = parent.is_none_or(|parent| to.0.contains_key(&parent));
            assert!(leads_back, "what comes before is sent or there");
            to.0.insert(**hash, (*seq_num, *parent));
        }
        (sent.len(), known)
    }

    /// A forest in which each entry follows one before it, or none.
    fn any_forest(parents: Vec<(prop::sample::Index, bool)>) -> (Forest, Vec<Hash>) {
        let mut forest = Forest::default();
        let mut hashes = Vec::new();
        for (number, (parent, follows)) in parents.into_iter().enumerate() {
            let parent = (follows && number > 0).then(|| hashes[parent.index(number)]);
            let seq_num =
                parent.map_or(SeqNum::FIRST, |parent| forest.0[&parent].0.next().unwrap());
            let hash = Hash::of(&number.to_be_bytes());
            forest.0.insert(hash, (seq_num, parent));
            hashes.push(hash);
        }
        (forest, hashes)
    }

    proptest! {
        #[test]
        fn repeated_sessions_make_both_sides_equal(
            parents in prop::collection::vec((any::<prop::sample::Index>(), prop::bool::weighted(0.9)), 1..24),
            held in prop::collection::vec((any::<bool>(), any::<bool>()), 24),
            together: bool,
        ) {
            let (all, hashes) = any_forest(parents);
            let mut sides = [Forest::default(), Forest::default()];
            for (hash, (left, right)) in hashes.iter().zip(held) {
                for (side, holds) in sides.iter_mut().zip([left, right]) {
                    if holds {
                        side.add(&all, *hash);
                    }
                }
            }
            let [left, right] = &mut sides;

            let mut rounds = 0;
            loop {
                let before = right.clone();
                let mut sent = send(left, right).0;
                // In a session both tell what they have before either sends.
                let teller = if together { &before } else { &*right };
                sent += send(teller, left).0;
                if sent == 0 {
                    break;
                }
                rounds += 1;
                prop_assert!(rounds <= 3, "two sessions settle what two sides hold");
            }

            prop_assert_eq!(left, right);
        }

        #[test]
        fn a_log_with_one_branch_is_never_sent_twice(left in 0u64..20, right in 0u64..20) {
            let chain = |length| any_chain(length);
            let (mut left, mut right) = (chain(left), chain(right));
            let (left_before, right_before) = (left.clone(), right.clone());

            let (_, known_right) = send(&left_before, &mut right);
            let (_, known_left) = send(&right_before, &mut left);

            prop_assert_eq!((known_left, known_right), (0, 0));
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(send(&left, &mut right), (0, 0));
        }
    }

    fn any_chain(length: u64) -> Forest {
        let mut forest = Forest::default();
        let mut parent = None;
        for number in 1..=length {
            let hash = Hash::of(&number.to_be_bytes());
            forest
                .0
                .insert(hash, (SeqNum::new(number).unwrap(), parent));
            parent = Some(hash);
        }
        forest
    }

    #[test]
    fn too_many_tips_for_a_message_are_told_as_heights() {
        let tips = |logs: u64| -> Tips {
            let tip = |n: u64| [(SeqNum::new(u64::MAX).unwrap(), Hash::of(&n.to_be_bytes()))];
            let logs = (0..logs).map(|n| (LogId::new(u64::MAX - n), tip(n).into()));
            [(author(), logs.collect())].into()
        };
        let schemas = SchemaSet::from([SchemaId::BLOB]);
        let fitting = |tips| {
            let Ok(offer) = Offer::Tips(tips).fitting(&Forest::default(), &schemas);
            offer
        };
        let small = tips(100);
        let session = u64::MAX;
        let size = Offer::Tips(small.clone())
            .into_message(session)
            .encode()
            .len();
        assert!((size..size * 5 / 4).contains(&size_at_most(&small)));

        assert!(fitting(small).has_tips());
        assert!(!fitting(tips(300_000)).has_tips());
    }
}
