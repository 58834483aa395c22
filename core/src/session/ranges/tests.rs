//! Our side of the protocol against itself, and against the implementation that others use.

use std::collections::BTreeSet;

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use proptest::prelude::*;

use super::set::section_of;
use super::*;
use crate::types::SchemaId;
use crate::wire::SchemaSet;

/// Enough for any of these sets; more means that the sides never end.
const ROUNDS_MAX: usize = 200;

type Members = BTreeSet<(usize, Hash)>;

fn schemas() -> [SchemaId; 2] {
    [SchemaId::BLOB, SchemaId::BLOB_PIECE]
}

fn set_of(members: &Members) -> EntrySet {
    let mut set = EntrySet::default();
    for (position, (of, hash)) in members.iter().enumerate() {
        set.insert(&schemas()[*of], *hash, position as i64);
    }
    set
}

fn theirs_of(members: &Members) -> NegentropyStorageVector {
    let mut theirs = NegentropyStorageVector::new();
    for (of, hash) in members {
        let id = Id::from_byte_array(*hash.digest());
        theirs.insert(section_of(&schemas()[*of]), id).unwrap();
    }
    theirs.seal().unwrap();
    theirs
}

fn hashes(members: &Members) -> BTreeSet<Hash> {
    members.iter().map(|(_, hash)| *hash).collect()
}

fn select(set: &EntrySet) -> Selection<'_> {
    set.select(&SchemaSet::from(schemas()))
}

/// The entries at positions that [`set_of`] gave.
fn at(members: &Members, positions: &Positions) -> BTreeSet<Hash> {
    let runs = positions.runs().iter();
    let positions = runs.flat_map(|(first, last)| *first..=*last);
    let all: Vec<_> = members.iter().map(|(_, hash)| *hash).collect();
    positions.map(|position| all[position as usize]).collect()
}

/// What the asking side found out, how many messages there were, and how many bytes.
struct Found {
    have: BTreeSet<Hash>,
    need: BTreeSet<Hash>,
    messages: usize,
    bytes: usize,
}

fn ours_asks(ours: &Members, mut reply: impl FnMut(&[u8]) -> Vec<u8>) -> Found {
    let set = set_of(ours);
    let selection = select(&set);
    let mut differences = Differences::default();
    let (mut messages, mut bytes) = (0, 0);
    let mut next = Some(ask(&selection));
    while let Some(message) = next {
        assert!(message.len() <= FRAME_MAX);
        let answer = reply(&message);
        messages += 2;
        bytes += message.len() + answer.len();
        assert!(messages < ROUNDS_MAX, "it never ends");
        next = learn(&selection, &answer, &mut differences).unwrap();
    }
    Found {
        have: at(ours, &differences.have),
        need: differences.need,
        messages,
        bytes,
    }
}

fn theirs_asks(theirs: &Members, frame: u64, mut reply: impl FnMut(&[u8]) -> Vec<u8>) -> Found {
    let storage = theirs_of(theirs);
    let mut negentropy = Negentropy::borrowed(&storage, frame).unwrap();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let (mut messages, mut bytes) = (0, 0);
    let mut next = Some(negentropy.initiate().unwrap());
    while let Some(message) = next {
        let answer = reply(&message);
        assert!(answer.len() <= FRAME_MAX);
        messages += 2;
        bytes += message.len() + answer.len();
        assert!(messages < ROUNDS_MAX, "it never ends");
        next = negentropy
            .reconcile_with_ids(&answer, &mut have, &mut need)
            .unwrap();
    }
    let hashes = |ids: Vec<Id>| ids.into_iter().map(|id| Hash::from_digest(*id)).collect();
    Found {
        have: hashes(have),
        need: hashes(need),
        messages,
        bytes,
    }
}

fn assert_exact(found: &Found, asking: &Members, answering: &Members) {
    let (asking, answering) = (hashes(asking), hashes(answering));
    assert_eq!(found.have, asking.difference(&answering).copied().collect());
    assert_eq!(found.need, answering.difference(&asking).copied().collect());
}

fn members(numbers: impl IntoIterator<Item = u64>) -> Members {
    let member = |number: u64| ((number % 2) as usize, Hash::of(&number.to_be_bytes()));
    numbers.into_iter().map(member).collect()
}

fn any_pair() -> impl Strategy<Value = (Members, Members)> {
    let shared = prop_oneof![Just(0u64), 0..40u64, 0..2000u64];
    let own = || prop_oneof![Just(0u64), 0..4u64, 0..300u64];
    (shared, own(), own()).prop_map(|(shared, left, right)| {
        let common = members(0..shared);
        let with = |from: u64, count: u64| &common | &members(from..from + count);
        (with(10_000, left), with(20_000, right))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_differs_is_found((left, right) in any_pair(), frame in prop_oneof![Just(0u64), Just(4096)]) {
        let set = set_of(&right);
        let selection = select(&set);
        let by_us = |message: &[u8]| answer(&selection, message).unwrap();

        assert_exact(&ours_asks(&left, by_us), &left, &right);
        assert_exact(&theirs_asks(&left, frame, by_us), &left, &right);
        let storage = theirs_of(&right);
        let by_them = |message: &[u8]| {
            let mut negentropy = Negentropy::borrowed(&storage, frame).unwrap();
            negentropy.reconcile(message).unwrap()
        };
        assert_exact(&ours_asks(&left, by_them), &left, &right);
    }

    #[test]
    fn whatever_comes_is_answered_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        size in 0u64..100,
        asks: bool,
    ) {
        let set = set_of(&members(0..size));
        let selection = select(&set);
        let message: Vec<u8> = [VERSION].into_iter().chain(bytes).collect();
        let answered = match asks {
            true => learn(&selection, &message, &mut Differences::default()).map(Option::unwrap_or_default),
            false => answer(&selection, &message),
        };
        if let Ok(answered) = answered {
            prop_assert!(answered.len() <= FRAME_MAX);
        }
    }

    #[test]
    fn a_changed_byte_harms_nobody((left, right) in any_pair(), place: prop::sample::Index, byte: u8) {
        let (left, right) = (set_of(&left), set_of(&right));
        let mut message = ask(&select(&left));
        let place = place.index(message.len());
        message[place] = byte;
        if let Ok(answered) = answer(&select(&right), &message) {
            let _ = learn(&select(&left), &answered, &mut Differences::default());
        }
    }
}

#[test]
fn messages_with_no_room_for_everything_lose_nothing() {
    // Far more than one message holds, on either side and on both.
    let (few, many) = (members(0..10), members(0..30_000));
    let other = members(50_000..80_000);
    for (left, right) in [(&few, &many), (&many, &few), (&many, &other)] {
        let set = set_of(right);
        let selection = select(&set);
        let by_us = |message: &[u8]| answer(&selection, message).unwrap();
        assert_exact(&ours_asks(left, by_us), left, right);
        assert_exact(&theirs_asks(left, 0, by_us), left, right);
    }
}

#[test]
fn the_cost_follows_the_difference() {
    let common = members(0..100_000);
    let (left, right) = (
        &common | &members(200_000..200_005),
        &common | &members(300_000..300_005),
    );
    let set = set_of(&right);
    let selection = select(&set);

    let found = ours_asks(&left, |message| answer(&selection, message).unwrap());

    assert_exact(&found, &left, &right);
    assert!(found.messages <= 10, "{} messages", found.messages);
    assert!(found.bytes <= 32 << 10, "{} bytes", found.bytes);
    let same = ours_asks(&right, |message| answer(&selection, message).unwrap());
    assert!(
        same.messages == 2 && same.bytes < 500,
        "{} bytes",
        same.bytes
    );
}

#[test]
fn numbers_that_are_none_are_refused() {
    let set = EntrySet::default();
    let selection = select(&set);
    for wrong in [
        &[][..],
        &[0x62],
        &[VERSION, 0x80],
        &[VERSION, 0, 33],
        &[VERSION, 0, 0, 3],
        &[VERSION, 0, 0, 1, 7],
        &[VERSION, 0, 0, 2, 1, 9],
        &[
            VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ],
        &[
            VERSION, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        ],
    ] {
        assert_eq!(answer(&selection, wrong), Err(Malformed), "{wrong:?}");
    }
    let all_skipped = answer(&selection, &[VERSION, 0, 0, 0]);
    assert_eq!(all_skipped, Ok(vec![VERSION]));
}
