//! Links and certificate pools against independent formulations: the published procedure, and a search
//! for the shortest way.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use grove_core::types::SeqNum;
use grove_core::validate::{certificate_pool, path_from_block_end, path_to_first};
use proptest::prelude::*;

/// The last entry of the sixth block.
const SIXTH_BLOCK_END: u64 = 364;

fn seq(number: u64) -> SeqNum {
    SeqNum::new(number).unwrap()
}

fn numbers(path: impl IntoIterator<Item = SeqNum>) -> Vec<u64> {
    path.into_iter().map(SeqNum::as_u64).collect()
}

/// The procedure of the Bamboo specification, with numbers wide enough for all of its steps.
fn published_lipmaa(n: u64) -> u64 {
    let n = u128::from(n);
    let (mut m, mut power, mut x) = (1u128, 3u128, n);
    while m < n {
        power *= 3;
        m = (power - 1) / 2;
    }
    power /= 3;
    if m != n {
        while x != 0 {
            m = (power - 1) / 2;
            power /= 3;
            x %= m;
        }
        if m != power {
            power = m;
        }
    }
    u64::try_from(n - power).unwrap()
}

/// The end of the smallest block around an entry, from 1, 4, 13, 40 and so on.
fn block_end(n: u64) -> u64 {
    let mut end = 1;
    while end < n {
        end = 3 * end + 1;
    }
    end
}

/// How many links the shortest way between two entries has, by breadth-first search.
fn distance(from: u64, to: u64) -> usize {
    let mut open = VecDeque::from([(from, 0)]);
    let mut seen = BTreeSet::new();
    while let Some((at, steps)) = open.pop_front() {
        if at == to {
            return steps;
        }
        for next in [at - 1, published_lipmaa(at)] {
            if next >= to && seen.insert(next) {
                open.push_back((next, steps + 1));
            }
        }
    }
    panic!("every entry leads to all before it by backlinks")
}

/// Whether each entry of a path links to the next.
fn is_linked(path: &[u64]) -> bool {
    path.windows(2)
        .all(|pair| pair[1] == pair[0] - 1 || pair[1] == published_lipmaa(pair[0]))
}

#[test]
fn links_are_the_published_ones() {
    for number in 2..=100_000 {
        assert_eq!(
            seq(number).lipmaa().map(SeqNum::as_u64),
            Some(published_lipmaa(number))
        );
    }
    assert_eq!(seq(1).lipmaa(), None);
}

#[test]
fn links_around_every_block_end_are_the_published_ones() {
    let mut end = 1u128;
    while end <= u128::from(u64::MAX) {
        for number in (end - 1)..=(end + 1) {
            let Ok(number) = u64::try_from(number) else {
                continue;
            };
            if number > 1 {
                let link = seq(number).lipmaa().map(SeqNum::as_u64);
                assert_eq!(link, Some(published_lipmaa(number)), "{number}");
            }
        }
        end = 3 * end + 1;
    }
}

#[test]
fn pools_are_shortest_ways_to_the_first_and_from_the_block_end() {
    for number in 1..=SIXTH_BLOCK_END {
        let back = numbers(path_to_first(seq(number)));
        let later = numbers(path_from_block_end(seq(number)).unwrap());

        assert_eq!((back[0], back[back.len() - 1]), (number, 1));
        assert!(is_linked(&back));
        assert_eq!(back.len() - 1, distance(number, 1), "{number}");

        let end = block_end(number);
        assert_eq!((later[0], later[later.len() - 1]), (end, number));
        assert!(is_linked(&later));
        assert_eq!(later.len() - 1, distance(end, number), "{number}");

        let both: BTreeSet<u64> = back.into_iter().chain(later).collect();
        assert_eq!(numbers(certificate_pool(seq(number))), Vec::from_iter(both));
    }
}

#[test]
fn the_pools_of_any_two_entries_share_one_that_joins_them() {
    let pools: BTreeMap<u64, BTreeSet<SeqNum>> = (1..=SIXTH_BLOCK_END)
        .map(|number| (number, certificate_pool(seq(number))))
        .collect();
    for (later, pool) in &pools {
        for (earlier, other) in pools.range(..later) {
            let shared = pool.intersection(other).map(|at| at.as_u64());
            let joint = shared.filter(|at| (earlier..=later).contains(&at));
            assert!(joint.count() > 0, "{earlier} and {later}");
        }
    }
}

proptest! {
    #[test]
    fn links_of_any_number_are_the_published_ones(number in 2u64..u64::MAX) {
        prop_assert_eq!(seq(number).lipmaa().map(SeqNum::as_u64), Some(published_lipmaa(number)));
    }

    #[test]
    fn paths_of_any_number_are_linked_and_short(number in 1u64..u64::MAX) {
        let back = numbers(path_to_first(seq(number)));
        prop_assert!(is_linked(&back));
        prop_assert!(back.len() < 200);
        prop_assert_eq!(back.last(), Some(&1));
        if let Some(later) = path_from_block_end(seq(number)) {
            let later = numbers(later);
            prop_assert!(is_linked(&later));
            prop_assert!(later.len() < 200);
            prop_assert_eq!(later.last(), Some(&number));
        }
    }

    #[test]
    fn a_skiplink_is_written_where_it_says_more_than_the_backlink(number in 2u64..u64::MAX) {
        let entry = seq(number);
        let lipmaa = published_lipmaa(number);
        let skiplink = (lipmaa != number - 1).then_some(lipmaa);
        prop_assert_eq!(entry.skiplink().map(SeqNum::as_u64), skiplink);
        prop_assert_eq!(entry.backlink().map(SeqNum::as_u64), Some(number - 1));
    }
}
