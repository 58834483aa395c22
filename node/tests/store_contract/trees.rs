//! Logs that branch: where they are continued, and that the order of arrival leaves no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use grove_core::publish::Placement;
use grove_core::types::{Hash, LogId, SchemaId, SeqNum};
use grove_core::validate::{LogTip, prefers};
use grove_core::wire::{Heights, Tips};
use grove_node::store::{DocumentQuery, Expected, Read, Store};
use proptest::prelude::*;

use crate::Backend;
use crate::drafts::{
    Draft, author, document, draft, plain_values, schema_id, seq, transact, wide_document,
    wide_schema,
};

const LOG: LogId = LogId::new(0);

/// The tips of the trees of the log, those to continue.
fn tips(store: &impl Read) -> Vec<LogTip> {
    let trees = store.trees(author(1), LOG).unwrap();
    trees.into_iter().map(|tree| tree.tip).collect()
}

pub(crate) fn a_tree_continues_at_its_best_tip<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let [first, second, third] = [1, 2, 3].map(|number| draft(1, 0, number));
    let branch = draft(1, 0, 2).named("branch", Placement::Branches(first.hash()));
    transact(&mut store, |store| {
        for entry in [&first, &second, &third, &branch] {
            entry.insert(store);
        }
    });
    assert_eq!(tips(&store), [third.tip()], "the one with more entries");
    let tree = &store.trees(author(1), LOG).unwrap()[0];
    assert!(tree.branched);
    assert_eq!(
        store.tree_of_tip(author(1), LOG, third.hash()).unwrap(),
        Some(tree.clone())
    );
    assert_eq!(
        store.tree_of_tip(author(1), LOG, branch.hash()).unwrap(),
        None
    );

    // The other branch is lengthened until it is the longer one.
    let mut tip = branch.clone();
    for number in 3..=4 {
        let next = draft(1, 0, number).named("branch", Placement::Extends(tip.hash()));
        transact(&mut store, |store| next.insert(store));
        tip = next;
    }
    assert_eq!(tips(&store), [tip.tip()]);

    // Then it ends: what is open comes first, however short.
    let mut end = draft(1, 0, 5).named("branch", Placement::Extends(tip.hash()));
    end.ended = true;
    transact(&mut store, |store| end.insert(store));
    assert_eq!(tips(&store), [third.tip()]);
    let mut end = draft(1, 0, 4).named("end", Placement::Extends(third.hash()));
    end.ended = true;
    transact(&mut store, |store| end.insert(store));
    assert_eq!(tips(&store)[0].seq_num, seq(5));

    // A further tree of another document is apart, and open.
    let mut further = draft(1, 0, 1).named("further", Placement::BeginsTree);
    further.document = document("another");
    transact(&mut store, |store| further.insert(store));
    assert_eq!(tips(&store).len(), 2);
    assert_eq!(tips(&store)[1], further.tip());
    let of_document = |id| store.tree_of_document(author(1), id).unwrap().unwrap();
    assert_eq!(of_document(further.document).tip, further.tip());
    assert_eq!(of_document(first.document).tip.seq_num, seq(5));
    assert_eq!(
        store.heights(&[schema_id("cafe")].into()).unwrap(),
        Heights::from([(author(1), BTreeMap::from([(LOG, seq(1))]))])
    );
    let logs = store.logs_of(author(1), None, 1).unwrap();
    let listed: Vec<_> = logs.iter().map(|tree| tree.tip).collect();
    assert_eq!(listed, [further.tip(), tips(&store)[0]]);
    assert_eq!(store.counts().unwrap().branches, 2);

    // Of several trees of one document, that of a log that was not purged comes first.
    let mut elsewhere = draft(1, 7, 1);
    elsewhere.document = further.document;
    elsewhere.ended = true;
    transact(&mut store, |store| {
        elsewhere.insert(store);
        store.purge_log(author(1), LOG).unwrap();
    });
    let found = store.tree_of_document(author(1), further.document).unwrap();
    assert_eq!(found.unwrap().tip, elsewhere.tip());
}

pub(crate) fn what_does_not_fit_a_tree_is_refused<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let [first, second, third] = [1, 2, 3].map(|number| draft(1, 0, number));
    let branch = draft(1, 0, 2).named("branch", Placement::Branches(first.hash()));
    let foreign = draft(1, 1, 1);
    transact(&mut store, |store| {
        for entry in [&first, &second, &third, &branch, &foreign] {
            entry.insert(store);
        }
    });
    let at = |number: u64, placement| draft(1, 0, number).named("wrong", placement);

    let wrong = [
        ("begins a used log", at(1, Placement::Begins)),
        (
            "a further tree of an unused log",
            draft(1, 9, 1).named("wrong", Placement::BeginsTree),
        ),
        (
            "extends what is no tip",
            at(2, Placement::Extends(first.hash())),
        ),
        (
            "branches from the tip to continue",
            at(4, Placement::Branches(third.hash())),
        ),
        (
            "branches from another tip",
            at(3, Placement::Branches(branch.hash())),
        ),
        (
            "extends an entry of another log",
            at(2, Placement::Extends(foreign.hash())),
        ),
        (
            "branches from an entry of another log",
            at(2, Placement::Branches(foreign.hash())),
        ),
        (
            "leaves a number out",
            at(5, Placement::Extends(third.hash())),
        ),
        (
            "leaves a number out in a branch",
            at(4, Placement::Extends(branch.hash())),
        ),
        (
            "branches a number too late",
            at(3, Placement::Branches(first.hash())),
        ),
        (
            "follows an entry nobody has",
            at(2, Placement::Extends(Hash::of(b"none"))),
        ),
        (
            "follows, and is the first",
            at(1, Placement::Extends(first.hash())),
        ),
        ("is there already", second.clone()),
    ];
    let before = (store.counts().unwrap(), tips(&store));
    for (why, wrong) in wrong {
        store.begin().unwrap();
        assert!(wrong.try_insert(&mut store).is_err(), "{why}");
        store.rollback().unwrap();
    }
    assert_eq!((store.counts().unwrap(), tips(&store)), before);
}

/// Entries of one log, each with the number of the entry it follows.
fn any_trees() -> impl Strategy<Value = Vec<(Draft, Option<usize>)>> {
    let entry = (
        prop::option::weighted(0.9, any::<prop::sample::Index>()),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(entry, 1..14).prop_map(|shape| {
        let mut entries: Vec<(Draft, Option<usize>)> = Vec::new();
        for (number, (before, ended)) in shape.into_iter().enumerate() {
            let before = before.filter(|_| number > 0).map(|at| at.index(number));
            // Nothing follows the end of a branch.
            let before = before.filter(|at| !entries[*at].0.ended);
            let mut entry = match before {
                Some(at) => {
                    let previous = &entries[at].0;
                    Draft {
                        seq_num: previous.seq_num + 1,
                        ..previous.clone()
                    }
                }
                None => Draft {
                    document: document(&number.to_string()),
                    ..draft(1, 0, 1)
                },
            };
            entry.bytes = format!("entry {number}");
            entry.ended = ended;
            entries.push((entry, before));
        }
        entries
    })
}

/// An order in which every entry comes after the one it follows.
fn order(entries: &[(Draft, Option<usize>)], keys: &[u32]) -> Vec<usize> {
    let mut order = Vec::new();
    while order.len() < entries.len() {
        let ready = (0..entries.len()).filter(|number| {
            let before = entries[*number].1;
            !order.contains(number) && before.is_none_or(|before| order.contains(&before))
        });
        order.extend(ready.min_by_key(|number| keys[*number]));
    }
    order
}

/// Inserts the entries as an engine does, each in a transaction of its own.
fn fill(store: &mut impl Store, entries: &[(Draft, Option<usize>)], order: &[usize]) {
    for at in 0..order.len() {
        transact(store, |store| insert(store, entries, order, at));
    }
}

/// Inserts the next one of the entries, after all those before it in this order.
fn insert(store: &mut impl Store, entries: &[(Draft, Option<usize>)], order: &[usize], at: usize) {
    let (entry, before) = &entries[order[at]];
    let has_branches = order[..at]
        .iter()
        .any(|number| entries[*number].1 == *before);
    let placement = match before {
        None if at == 0 => Placement::Begins,
        None => Placement::BeginsTree,
        Some(before) => {
            let hash = entries[*before].0.hash();
            match has_branches {
                false => Placement::Extends(hash),
                true => Placement::Branches(hash),
            }
        }
    };
    let entry = Draft {
        placement,
        ..entry.clone()
    };
    entry.insert(store);
}

pub(crate) fn trees_agree_with_a_plain_model_in_any_order<B: Backend>() {
    let runner = ProptestConfig::with_cases(24);
    let keys = prop::collection::vec(any::<u32>(), 14);
    proptest!(runner, |(entries in any_trees(), keys in prop::array::uniform2(keys))| {
        let places = [B::place(), B::place()];
        let stores = [0, 1].map(|at| {
            let mut store = B::open(&places[at]);
            fill(&mut store, &entries, &order(&entries, &keys[at]));
            store
        });

        let is_tip = |number: usize| entries.iter().all(|(_, before)| *before != Some(number));
        let numbers = 0..entries.len();
        let all: BTreeSet<(SeqNum, Hash)> = numbers
            .clone()
            .filter(|number| is_tip(*number))
            .map(|number| (seq(entries[number].0.seq_num), entries[number].0.hash()))
            .collect();
        let best = |document| {
            let of_document = numbers.clone().filter(|number| entries[*number].0.document == document);
            let tips = of_document.filter(|number| is_tip(*number)).map(|number| entries[number].0.tip());
            tips.reduce(|best, tip| if prefers(&tip, &best) { tip } else { best })
        };
        let roots = entries.iter().filter(|(_, before)| before.is_none());
        let documents: Vec<_> = roots.map(|(root, _)| root.document).collect();
        let cafe = [schema_id("cafe")].into();
        for store in &stores {
            let tips = Tips::from([(author(1), BTreeMap::from([(LOG, all.clone())]))]);
            prop_assert_eq!(store.tips(&cafe).unwrap(), tips);
            prop_assert_eq!(store.branches(author(1), LOG, 99).unwrap(), all.len() as u64);
            prop_assert_eq!(store.branches(author(1), LOG, 2).unwrap(), all.len().min(2) as u64);
            prop_assert_eq!(store.counts().unwrap().branches, all.len() as u64 - 1);
            for document in &documents {
                let tree = store.tree_of_document(author(1), *document).unwrap().unwrap();
                prop_assert_eq!(Some(tree.tip), best(*document));
                prop_assert_eq!(
                    store.tree_of_tip(author(1), LOG, tree.tip.hash).unwrap(),
                    Some(tree)
                );
            }
            let mut trees: Vec<_> = store.trees(author(1), LOG).unwrap();
            trees.sort_by_key(|tree| tree.document);
            let branched = |document| numbers.clone()
                .filter(|number| entries[*number].0.document == document && is_tip(*number))
                .count() > 1;
            prop_assert_eq!(trees.len(), documents.len());
            prop_assert!(trees.iter().all(|tree| tree.branched == branched(tree.document)));

            for number in 1..=entries.len() as u64 + 1 {
                let mut expected: Vec<_> = entries.iter()
                    .filter(|(entry, _)| entry.seq_num == number)
                    .map(|(entry, _)| entry.hash())
                    .collect();
                expected.sort();
                expected.truncate(3);
                let found = store.entries_at(author(1), LOG, seq(number), 3).unwrap();
                let found: Vec<_> = found.into_iter().map(|entry| entry.hash).collect();
                prop_assert_eq!(found, expected);
            }
            let overall = documents.iter().filter_map(|document| best(*document));
            let overall = overall.reduce(|best, tip| if prefers(&tip, &best) { tip } else { best });
            let heights = store.heights(&cafe).unwrap();
            prop_assert_eq!(heights[&author(1)][&LOG], overall.unwrap().seq_num);
            let starts = Heights::from([(author(1), BTreeMap::from([(LOG, seq(1))]))]);
            prop_assert_eq!(store.entries_from(&starts, 0, 99).unwrap().len(), entries.len());
        }
    });
}

/// What an engine asks about entries and their documents.
fn answers(store: &impl Read, entries: &[(Draft, Option<usize>)]) -> String {
    let mut answers = String::new();
    for (entry, _) in entries {
        let (hash, number) = (entry.hash(), seq(entry.seq_num));
        let places = [1, 2, 9].map(|limit| store.entries_at(author(1), LOG, number, limit));
        let _ = writeln!(
            answers,
            "{:?} {:?} {:?} {:?} {places:?}",
            store.tree_of_tip(author(1), LOG, hash).unwrap(),
            store.tree_of_document(author(1), entry.document).unwrap(),
            store.operation(hash.into()).unwrap(),
            store.document_outline(entry.document).unwrap(),
        );
    }
    answers
}

pub(crate) fn what_is_read_ahead_is_what_would_be_answered<B: Backend>() {
    let runner = ProptestConfig::with_cases(16);
    let keys = prop::collection::vec(any::<u32>(), 14);
    proptest!(runner, |(entries in any_trees(), keys in keys, begun in 0usize..14, what in 0u8..6)| {
        let places = [B::place(), B::place()];
        let mut stores = [0, 1].map(|at| B::open(&places[at]));
        let order = order(&entries, &keys);
        let (before, batch) = order.split_at(begun.min(order.len()));
        let expected: Vec<_> = batch
            .iter()
            .map(|number| {
                let (entry, before) = &entries[*number];
                let backlink = before.map(|before| entries[before].0.hash());
                Expected {
                    public_key: author(1),
                    log_id: LOG,
                    seq_num: seq(entry.seq_num),
                    hash: entry.hash(),
                    backlink,
                    previous: backlink.into_iter().map(Into::into).collect(),
                }
            })
            .collect();
        for store in &mut stores {
            transact(store, |store| store.insert_schema(&wide_schema().into()).unwrap());
            fill(store, &entries, before);
            store.begin().unwrap();
        }
        stores[0].read_ahead(&expected).unwrap();
        prop_assert_eq!(answers(&stores[0], &entries), answers(&stores[1], &entries));
        for at in before.len()..order.len() {
            let (entry, _) = &entries[order[at]];
            for store in &mut stores {
                insert(store, &entries, &order, at);
                let mut row = wide_document(entry.document, plain_values());
                match (what + at as u8) % 6 {
                    0 => (row.edited, row.fields) = (true, None),
                    1 => store.remove_document(entry.document).unwrap(),
                    2 => store.drop_payloads(entry.document).unwrap(),
                    3 => store.collect(entry.hash(), None).unwrap(),
                    4 => drop(store.purge_log(author(1), LOG).unwrap()),
                    _ => {}
                }
                store.put_document(&row).unwrap();
            }
            // A store may keep changes back until it is asked something.
            if (what + at as u8).is_multiple_of(3) {
                continue;
            }
            prop_assert_eq!(answers(&stores[0], &entries), answers(&stores[1], &entries));
        }
        for store in &mut stores {
            store.commit().unwrap();
        }
        prop_assert_eq!(answers(&stores[0], &entries), answers(&stores[1], &entries));
        let all = |store: &B::Store| {
            let query = DocumentQuery::default();
            let documents = store.list(wide_schema().id(), &query).unwrap();
            let count = store.count(wide_schema().id(), &query).unwrap();
            (store.entries_after(0, None, 99).unwrap(), documents, count)
        };
        prop_assert_eq!(all(&stores[0]), all(&stores[1]));
    });
}

pub(crate) fn authors_are_told_what_they_use<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    assert_eq!(store.usage(author(1), 9).unwrap(), Default::default());

    transact(&mut store, |store| {
        for log_id in [1, u64::MAX, 3] {
            draft(1, log_id, 1).insert(store);
        }
    });
    transact(&mut store, |store| {
        draft(1, 0, 1).insert(store);
        let further = draft(1, 0, 1).named("further", Placement::BeginsTree);
        further.insert(store);
        draft(2, 2, 1).insert(store);
    });
    transact(&mut store, |store| draft(1, 2, 1).insert(store));

    let usage = |max| {
        let usage = store.usage(author(1), max).unwrap();
        (usage.entries, usage.logs)
    };
    assert_eq!(usage(99), (6, 5));
    assert_eq!(usage(u64::MAX), (6, 5));
    assert_eq!(usage(4), (4, 4));
    assert_eq!(store.branches(author(1), LOG, 9).unwrap(), 2);
    assert_eq!(store.branches(author(3), LOG, 9).unwrap(), 0);
    assert_eq!(store.tips(&[SchemaId::BLOB].into()).unwrap(), Tips::new());
}
