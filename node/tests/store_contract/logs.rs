//! Logs, entries, forks and parked entries.

use std::collections::BTreeMap;

use grove_core::publish::Placement;
use grove_core::types::{DocumentId, Hash, LogId, SchemaId, SeqNum};
use grove_core::validate::LogTip;
use grove_core::wire::{Action, Heights};
use grove_node::store::{
    Expected, Need, OperationRow, ParkedMax, ParkedRow, Read, Store, StoreError,
    entries_by_documents,
};
use proptest::prelude::*;

use crate::Backend;
use crate::drafts::{
    Draft, at_most, author, document, draft, fork, hash, schema_id, seq, transact,
};

pub(crate) fn entries_and_logs_are_found_again<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let log_ids = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1];
    transact(&mut store, |store| {
        for log_id in log_ids {
            draft(1, log_id, 1).insert(store);
            draft(1, log_id, 2).insert(store);
        }
    });

    for log_id in log_ids {
        let trees = store.trees(author(1), LogId::new(log_id)).unwrap();
        let [log] = &trees[..] else {
            panic!("{trees:?}")
        };
        let tip = draft(1, log_id, 2).hash();
        assert_eq!(
            log.tip,
            LogTip {
                seq_num: seq(2),
                hash: tip,
                ended: false
            }
        );
        assert_eq!(log.log_id, LogId::new(log_id));
        assert_eq!(log.document, draft(1, log_id, 1).document);
        assert_eq!(
            store.tree_of_document(author(1), log.document).unwrap(),
            Some(log.clone())
        );
        assert_eq!(
            store.tree_of_tip(author(1), log.log_id, tip).unwrap(),
            Some(log.clone())
        );
        assert!(!log.branched && !log.purged);

        let entry = store.entry(tip).unwrap().unwrap();
        let placed = store.placed(tip).unwrap().unwrap();
        assert_eq!(
            store.entries_at(author(1), log.log_id, seq(2), 9).unwrap(),
            std::slice::from_ref(&placed)
        );
        assert_eq!((&placed.entry, placed.hash), (&entry.entry, tip));
        assert_eq!(
            (placed.public_key, placed.log_id, placed.seq_num),
            (author(1), log.log_id, seq(2))
        );
        assert_eq!(
            (placed.document, placed.schema_id),
            (log.document, log.schema_id.clone())
        );
        assert_eq!(entry.entry, format!("1 {log_id} 2").into_bytes());
        assert_eq!(entry.payload, Some(entry.entry.clone()));
        assert_eq!((entry.log_id, entry.seq_num), (log.log_id, seq(2)));
        assert_eq!((entry.hash, entry.public_key), (tip, author(1)));
        assert_eq!(store.document_entries(log.document).unwrap()[1], entry);
    }
    assert_eq!(
        store.highest_log_id(author(1)).unwrap(),
        Some(LogId::new(u64::MAX))
    );
    assert_eq!(store.schema_entries(&schema_id("cafe")).unwrap().len(), 10);
    let positions: Vec<_> = store.schema_entries(&schema_id("cafe")).unwrap();
    assert!(positions.is_sorted_by(|a, b| a.position < b.position));

    assert_eq!(store.trees(author(2), LogId::new(0)).unwrap(), []);
    assert_eq!(store.trees(author(1), LogId::new(2)).unwrap(), []);
    assert_eq!(store.placed(hash("nothing")).unwrap(), None);
    assert_eq!(store.highest_log_id(author(2)).unwrap(), None);
    assert_eq!(store.entry(hash("nothing")).unwrap(), None);
    assert_eq!(
        store
            .entries_at(author(1), LogId::new(0), seq(3), 9)
            .unwrap(),
        []
    );
    assert_eq!(store.schema_entries(&SchemaId::BLOB).unwrap(), []);
}

pub(crate) fn logs_grow_at_their_tips_only<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| draft(1, 0, 1).insert(store));

    let taken = draft(1, 0, 1).named("another", Placement::Begins);
    for wrong in [draft(1, 0, 3), draft(1, 1, 2), draft(2, 0, 2), taken] {
        store.begin().unwrap();
        assert!(wrong.try_insert(&mut store).is_err(), "{}", wrong.bytes);
        store.rollback().unwrap();
    }
    assert_eq!(store.counts().unwrap().entries, 1);
}

pub(crate) fn operations_tell_what_is_there_of_them<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut skeleton = draft(1, 0, 3);
    skeleton.action = None;
    let hashes = transact(&mut store, |store| {
        [
            draft(1, 0, 1).insert(store),
            draft(1, 0, 2).insert(store),
            skeleton.insert(store),
        ]
    });

    let expected = |hash: Hash, has_payload| OperationRow {
        position: store.entry(hash).unwrap().unwrap().position,
        document: draft(1, 0, 1).document,
        schema_id: schema_id("cafe"),
        purged: false,
        was_seen: has_payload,
        has_payload,
        payload_size: has_payload.then_some(5),
    };
    let operation = |hash: Hash| store.operation(hash.into()).unwrap();
    assert_eq!(operation(hashes[0]), Some(expected(hashes[0], true)));
    assert_eq!(operation(hashes[1]), Some(expected(hashes[1], true)));
    assert_eq!(operation(hashes[2]), Some(expected(hashes[2], false)));
    assert_eq!(operation(hash("nothing")), None);
    let restored = expected(hashes[2], true);

    transact(&mut store, |store| {
        store
            .restore_payload(hashes[2], b"late", Action::Update)
            .unwrap();
    });
    let restored = OperationRow {
        payload_size: Some(4),
        ..restored
    };
    assert_eq!(store.operation(hashes[2].into()).unwrap(), Some(restored));
    assert_eq!(
        store.entry(hashes[2]).unwrap().unwrap().payload.unwrap(),
        b"late"
    );
    store.begin().unwrap();
    let unknown = store.restore_payload(hash("nothing"), b"late", Action::Update);
    assert!(matches!(unknown, Err(StoreError::Misfit("entry"))));
    store.rollback().unwrap();
}

pub(crate) fn the_latest_evidence_is_kept<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let log = LogId::new(0);
    store.begin().unwrap();
    assert!(store.insert_fork(&fork(1, 0, 4)).is_err(), "of no log");
    store.rollback().unwrap();
    transact(&mut store, |store| draft(1, 0, 1).insert(store));
    assert_eq!(store.fork(author(1), log).unwrap(), None);

    for claimed in [4, 2, 3] {
        transact(&mut store, |store| {
            store.insert_fork(&fork(1, 0, claimed)).unwrap()
        });

        let kept = store.fork(author(1), log).unwrap();
        assert_eq!(kept, Some(fork(1, 0, claimed)));
    }
    assert_eq!(store.counts().unwrap().forks, 1);
    assert_eq!(store.fork(author(2), log).unwrap(), None);
}

pub(crate) fn trees_move_to_other_documents<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        let first = draft(1, 0, 1).insert(store);
        let second = draft(1, 0, 2).insert(store);
        store
            .reassign_tree(first, document("new"), &SchemaId::BLOB)
            .unwrap();
        let wrong = store.reassign_tree(second, document("other"), &SchemaId::BLOB);
        assert!(wrong.is_err(), "no first entry");
    });

    let log = store
        .tree_of_document(author(1), document("new"))
        .unwrap()
        .unwrap();
    assert_eq!(log.schema_id, SchemaId::BLOB);
    assert_eq!(
        store
            .tree_of_document(author(1), draft(1, 0, 1).document)
            .unwrap(),
        None
    );
    assert_eq!(store.document_entries(document("new")).unwrap().len(), 2);
    assert_eq!(store.schema_entries(&SchemaId::BLOB).unwrap().len(), 2);
}

pub(crate) fn parked_entries_wait_in_order<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let parked = |number: u8| ParkedRow {
        hash: Hash::of(&[number]),
        entry: vec![number],
        payload: vec![number; 3],
    };
    let operation = Need::Operation(hash("missing").into());
    let needs = [
        Need::Entry(hash("missing")),
        Need::Entry(hash("another")),
        Need::Schema(schema_id("cafe")),
    ];
    transact(&mut store, |store| {
        for number in [9, 3, 5] {
            store.park(&parked(number), &operation).unwrap();
        }
        for (number, need) in (20..).zip(&needs) {
            store.park(&parked(number), need).unwrap();
        }
        // Known already: it waits for something else from now on, and stays as old as it is.
        store.park(&parked(3), &needs[0]).unwrap();
    });
    assert_eq!(store.counts().unwrap().parked, 6);

    transact(&mut store, |store| {
        assert_eq!(store.unpark(&needs[0]).unwrap(), [parked(3), parked(20)]);
        assert_eq!(store.unpark(&needs[0]).unwrap(), []);
        assert_eq!(store.evict_parked(at_most(9)).unwrap(), 4);
        assert_eq!(store.evict_parked(at_most(3)).unwrap(), 3);
        assert_eq!(store.unpark(&operation).unwrap(), [parked(5)]);
        assert_eq!(store.unpark(&needs[1]).unwrap(), [parked(21)]);
        store.park(&parked(30), &operation).unwrap();
        assert_eq!(store.evict_parked(at_most(1)).unwrap(), 1);
        assert_eq!(store.unpark(&needs[2]).unwrap(), []);
        assert_eq!(store.evict_parked(at_most(0)).unwrap(), 0);
    });
    assert_eq!(store.counts().unwrap().parked, 0);
}

pub(crate) fn parked_entries_are_bounded_in_bytes<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let need = Need::Operation(hash("missing").into());
    let parked = |number: u8| ParkedRow {
        hash: Hash::of(&[number]),
        entry: vec![number],
        payload: vec![number; 99],
    };
    let max = |size| ParkedMax { entries: 9, size };
    transact(&mut store, |store| {
        for number in 0..5 {
            store.park(&parked(number), &need).unwrap();
        }
        assert_eq!(store.evict_parked(max(500)).unwrap(), 5);
        assert_eq!(store.evict_parked(max(499)).unwrap(), 4);
        store.park(&parked(5), &need).unwrap();
        assert_eq!(store.evict_parked(max(250)).unwrap(), 2);
    });
    transact(&mut store, |store| {
        assert_eq!(store.evict_parked(max(250)).unwrap(), 2);
        assert_eq!(store.unpark(&need).unwrap(), [parked(4), parked(5)]);
        store.park(&parked(6), &need).unwrap();
        assert_eq!(store.evict_parked(max(100)).unwrap(), 1);
        assert_eq!(store.evict_parked(max(99)).unwrap(), 0);
    });
}

pub(crate) fn dropped_payloads_leave_the_tombstone<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut end = draft(1, 0, 3);
    end.action = Some(Action::Delete);
    let mut foreign = draft(2, 0, 1);
    foreign.document = end.document;
    transact(&mut store, |store| {
        for entry in [draft(1, 0, 1), draft(1, 0, 2), end, foreign, draft(1, 1, 1)] {
            entry.insert(store);
        }
        store.drop_payloads(draft(1, 0, 1).document).unwrap();
    });

    let entries = store.document_entries(draft(1, 0, 1).document).unwrap();
    let kept: Vec<_> = entries
        .iter()
        .map(|entry| entry.payload.is_some())
        .collect();
    assert_eq!(kept, [false, false, true, false]);
    assert!(entries.iter().all(|entry| !entry.entry.is_empty()));
    let other = store.document_entries(draft(1, 1, 1).document).unwrap();
    assert!(other[0].payload.is_some());
}

/// Few logs and many are found in different ways; both must agree with the plainest way of all.
pub(crate) fn entries_from_agrees_with_a_plain_filter<B: Backend>() {
    const MANY: u64 = 300;
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        for seq_num in 1..=3 {
            for log_id in 0..MANY {
                draft(1, log_id * 7 % MANY, seq_num).insert(store);
            }
        }
        // Branches and further trees lie between the entries of others.
        for log_id in 0..20 {
            for entry in branched(log_id) {
                entry.insert(store);
            }
        }
    });
    let all = store.schema_entries(&schema_id("cafe")).unwrap();

    let runner = ProptestConfig::with_cases(24);
    let logs = prop::collection::btree_map(0..MANY + 9, 1u64..5, 0..30);
    proptest!(runner, |(logs in logs, pad: bool, after in -1i64..1000, limit in 0u32..60)| {
        let mut starts: BTreeMap<_, _> = logs.into_iter().map(|(log, from)| (LogId::new(log), seq(from))).collect();
        if pad {
            // Logs that nobody has, to make them many.
            starts.extend((0..MANY).map(|log| (LogId::new(u64::MAX - log), seq(1))));
        }
        let wanted = |log: LogId, seq_num: SeqNum| starts.get(&log).is_some_and(|from| *from <= seq_num);
        let expected: Vec<_> = all
            .iter()
            .filter(|entry| entry.position > after && wanted(entry.log_id, entry.seq_num))
            .take(limit as usize)
            .cloned()
            .collect();

        let starts = Heights::from([(author(1), starts.clone()), (author(2), starts)]);
        prop_assert_eq!(store.entries_from(&starts, after, limit).unwrap(), expected);
    });
}

/// Three entries of a log that has three in a row: a branch of two, and a further tree.
fn branched(log_id: u64) -> [Draft; 3] {
    let first = draft(1, log_id, 1).hash();
    let second = draft(1, log_id, 2).named("branch", Placement::Branches(first));
    let third = draft(1, log_id, 3).named("branch", Placement::Extends(second.hash()));
    let further = draft(1, log_id, 1).named("further", Placement::BeginsTree);
    [second, third, further]
}

pub(crate) fn a_purged_log_counts_for_nothing_and_stays_here<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut end = draft(1, 0, 2);
    end.action = Some(Action::Delete);
    let hashes = transact(&mut store, |store| {
        let hashes = [draft(1, 0, 1).insert(store), end.insert(store)];
        draft(1, 0, 1)
            .named("further", Placement::BeginsTree)
            .insert(store);
        draft(1, 1, 1).insert(store);
        let size = store.purge_log(author(1), LogId::new(0)).unwrap();
        assert_eq!(size, "1 0 1".len() as u64 * 3 + " further".len() as u64);
        assert_eq!(store.purge_log(author(1), LogId::new(0)).unwrap(), 0);
        hashes
    });

    let trees = store.trees(author(1), LogId::new(0)).unwrap();
    assert!(trees.len() == 2 && trees.iter().all(|tree| tree.purged));
    assert!(store.placed(hashes[1]).unwrap().unwrap().purged);
    let entries = store.document_entries(draft(1, 0, 1).document).unwrap();
    assert!(
        entries
            .iter()
            .all(|row| row.payload.is_none() && row.purged)
    );
    let operation = store.operation(hashes[0].into()).unwrap().unwrap();
    assert!(operation.purged && !operation.has_payload);
    // Peers are asked for nothing that was purged, and told nothing of it.
    let heights = store.heights(&[schema_id("cafe")].into()).unwrap();
    let logs = BTreeMap::from([(LogId::new(0), seq(2)), (LogId::new(1), seq(1))]);
    assert_eq!(heights, Heights::from([(author(1), logs)]));
    let starts = Heights::from([(
        author(1),
        BTreeMap::from([(LogId::new(0), seq(1)), (LogId::new(1), seq(1))]),
    )]);
    let sent = store.entries_from(&starts, i64::MIN, 9).unwrap();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].log_id, LogId::new(1));

    store.begin().unwrap();
    assert!(store.purge_log(author(1), LogId::new(9)).is_err());
    store.rollback().unwrap();
}

pub(crate) fn many_are_found_at_once<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let hashes: Vec<_> = transact(&mut store, |store| {
        let mut hashes = Vec::new();
        for log_id in 0..5 {
            hashes.push(draft(1, log_id, 1).insert(store));
        }
        hashes.push(draft(1, 3, 2).insert(store));
        store.purge_log(author(1), LogId::new(3)).unwrap();
        hashes
    });

    let ids: Vec<_> = hashes.iter().copied().map(Into::into).collect();
    let found = store.operations(&ids).unwrap();
    assert_eq!(found.len(), 6);
    for id in &ids {
        assert_eq!(found.get(id), store.operation(*id).unwrap().as_ref());
    }
    assert!(
        store
            .operations(&[hash("nothing").into()])
            .unwrap()
            .is_empty()
    );
    assert!(store.operations(&[]).unwrap().is_empty());

    let documents = [draft(1, 3, 1).document, draft(1, 0, 1).document];
    let mut expected = store.document_entries(documents[1]).unwrap();
    expected.extend(store.document_entries(documents[0]).unwrap());
    assert_eq!(store.entries_of_documents(&documents).unwrap(), expected);
    assert_eq!(expected.iter().filter(|row| row.purged).count(), 2);

    let pages: Vec<Vec<u64>> = [None, Some(LogId::new(1)), Some(LogId::new(4))]
        .into_iter()
        .map(|after| {
            let logs = store.logs_of(author(1), after, 3).unwrap();
            logs.iter().map(|log| log.log_id.as_u64()).collect()
        })
        .collect();
    assert_eq!(pages, [vec![0, 1, 2], vec![2, 3, 4], vec![]]);
    assert_eq!(store.logs_of(author(2), None, 3).unwrap(), []);
}

pub(crate) fn changes_are_told_in_their_order<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    assert_eq!(store.position().unwrap(), 0);
    let positions: Vec<_> = transact(&mut store, |store| {
        let first = draft(1, 0, 1).try_insert(store).unwrap();
        let second = draft(1, 1, 1).try_insert(store).unwrap();
        store.insert_change(draft(1, 0, 1).document).unwrap();
        let third = draft(1, 1, 2).try_insert(store).unwrap();
        vec![first, second, second, third]
    });
    assert_eq!(store.position().unwrap(), positions[3]);

    let changes = |after, limit| {
        let changes = store.changes(after, limit).unwrap();
        assert!(
            changes
                .iter()
                .all(|change| change.schema_id == schema_id("cafe"))
        );
        changes
            .into_iter()
            .map(|change| (change.position, change.document))
            .collect::<Vec<_>>()
    };
    let (zero, one) = (draft(1, 0, 1).document, draft(1, 1, 1).document);
    let all = [
        (positions[0], zero),
        (positions[1], one),
        (positions[1], zero),
        (positions[3], one),
    ];
    let sorted = |mut changes: Vec<(i64, DocumentId)>| {
        changes.sort();
        changes
    };
    assert_eq!(sorted(changes(0, 9)), sorted(all.to_vec()));
    assert_eq!(changes(0, 1), all[..1]);
    // What happened at the last position of a page belongs to it.
    assert_eq!(sorted(changes(0, 2)), sorted(all[..3].to_vec()));
    // And is told again to who goes on from there.
    assert_eq!(sorted(changes(positions[1], 9)), sorted(all[2..].to_vec()));
    assert_eq!(changes(positions[3], 9), []);
}

pub(crate) fn a_collected_operation_leaves_its_stub_and_is_withheld<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let hashes: Vec<_> = transact(&mut store, |store| {
        let hashes: Vec<_> = (1..=3).map(|n| draft(1, 0, n).insert(store)).collect();
        store.collect(hashes[1], Some(b"stub")).unwrap();
        hashes
    });

    let entry = store.entry(hashes[1]).unwrap().unwrap();
    assert_eq!(
        (entry.payload, entry.stub.as_deref()),
        (None, Some(&b"stub"[..]))
    );
    assert!(!entry.purged, "it still has its place in the document");
    let starts = Heights::from([(author(1), BTreeMap::from([(LogId::new(0), seq(1))]))]);
    let sent = |store: &B::Store| store.entries_from(&starts, i64::MIN, 9).unwrap().len();
    assert_eq!(sent(&store), 1);

    // A second one further up changes nothing, bytes that come again do.
    transact(&mut store, |store| store.collect(hashes[2], None).unwrap());
    assert_eq!(sent(&store), 1);
    transact(&mut store, |store| {
        store
            .restore_payload(hashes[1], b"again", Action::Update)
            .unwrap();
    });
    assert_eq!(store.entry(hashes[1]).unwrap().unwrap().stub, None);
    assert_eq!(sent(&store), 2);
    transact(&mut store, |store| {
        store
            .restore_payload(hashes[2], b"again", Action::Update)
            .unwrap();
    });
    assert_eq!(sent(&store), 3);
}

pub(crate) fn what_is_dropped_with_a_document_leaves_stubs_and_is_withheld_no_more<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let [first, second, third] = [1, 2, 3].map(|n| draft(1, 0, n));
    transact(&mut store, |store| {
        for entry in [&first, &second, &third] {
            entry.insert(store);
        }
        store.collect(second.hash(), Some(b"collected")).unwrap();
        store.drop_payloads(first.document).unwrap();
        store.leave_stub(second.hash(), b"stub").unwrap();
    });

    let behind = store.entries_behind_create(first.document).unwrap();
    assert_eq!(behind.len(), 3, "none of them has the document's id");
    let stubs: Vec<_> = behind.iter().map(|row| row.stub.as_deref()).collect();
    assert_eq!(stubs, [None, Some(&b"stub"[..]), None]);
    let starts = Heights::from([(author(1), BTreeMap::from([(LogId::new(0), seq(1))]))]);
    let sent = store.entries_from(&starts, i64::MIN, 9).unwrap();
    assert_eq!(sent.len(), 3);
    let mut begun = draft(2, 0, 1);
    begun.document = begun.hash().into();
    transact(&mut store, |store| begun.insert(store));
    assert_eq!(store.entries_behind_create(begun.document).unwrap(), []);
    store.begin().unwrap();
    let whole = store.leave_stub(begun.hash(), b"stub");
    assert!(matches!(whole, Err(StoreError::Misfit("entry"))));
    store.rollback().unwrap();
}

/// Of doubted entries the engine's tests show what peers are told; here is what authors are.
pub(crate) fn a_doubted_tree_belongs_to_no_document_of_its_author<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    let mut claimed = draft(1, 0, 1);
    claimed.action = None;
    let known = draft(1, 1, 1);
    let mut later = draft(1, 1, 2);
    later.action = None;
    transact(&mut store, |store| {
        for entry in [&claimed, &known, &later] {
            entry.insert(store);
        }
        store.doubt(claimed.hash()).unwrap();
        store.doubt(later.hash()).unwrap();
    });
    let tree = |store: &B::Store, document| store.tree_of_document(author(1), document).unwrap();

    assert_eq!(tree(&store, claimed.document), None);
    assert!(
        tree(&store, known.document).is_some(),
        "its beginning is certain"
    );
    let starts = |log| Heights::from([(author(1), BTreeMap::from([(LogId::new(log), seq(1))]))]);
    let sent = |store: &B::Store, log| store.entries_from(&starts(log), i64::MIN, 9).unwrap().len();
    assert_eq!([sent(&store, 0), sent(&store, 1)], [0, 1]);

    // Whoever reads ahead reads the same.
    transact(&mut store, |store| {
        let expected = Expected {
            public_key: author(1),
            log_id: LogId::new(7),
            seq_num: seq(1),
            hash: hash("new"),
            backlink: None,
            previous: vec![claimed.hash().into()],
        };
        store.read_ahead(&[expected.clone(), expected]).unwrap();
        assert_eq!(tree(store, claimed.document), None);
    });
    transact(&mut store, |store| {
        store.drop_payloads(claimed.document).unwrap();
    });
    assert!(tree(&store, claimed.document).is_some());
    assert_eq!(sent(&store, 0), 1);
}

pub(crate) fn times_and_audit_log_are_remembered<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    assert_eq!(store.position_at(100).unwrap(), None);
    let reached: Vec<_> = [10, 20, 20]
        .into_iter()
        .enumerate()
        .map(|(number, at)| {
            transact(&mut store, |store| {
                let position = draft(1, number as u64, 1).try_insert(store).unwrap();
                store.insert_time(at).unwrap();
                store
                    .insert_audit_entry(at, &format!("deed {number}"))
                    .unwrap();
                position
            })
        })
        .collect();

    assert_eq!(store.position_at(9).unwrap(), None);
    assert_eq!(store.position_at(19).unwrap(), Some(reached[0]));
    assert_eq!(store.position_at(i64::MAX).unwrap(), Some(reached[2]));
    let expected = [(20, "deed 2".to_owned()), (20, "deed 1".to_owned())];
    assert_eq!(store.audit_log(2).unwrap(), expected);
}

pub(crate) fn entries_come_in_order_from_a_position<B: Backend>() {
    let place = B::place();
    let mut store = B::open(&place);
    transact(&mut store, |store| {
        for number in 0..20u8 {
            let (author, log_id) = (number % 2 + 1, u64::from(number % 4));
            let mut draft = draft(author, log_id, u64::from(number / 4) + 1);
            if author == 2 {
                draft.schema_id = schema_id("beef");
            }
            draft.try_insert(store).unwrap();
        }
        store.insert_change(draft(1, 0, 1).document).unwrap();
    });
    let all: Vec<_> = store.entries_after(0, None, 99).unwrap();
    assert_eq!(all.len(), 20);
    assert!(all.is_sorted_by(|a, b| a.position < b.position));

    for schema in [None, Some("cafe"), Some("beef"), Some("f00d")] {
        let schema = schema.map(schema_id);
        let wanted = all
            .iter()
            .filter(|row| schema.as_ref().is_none_or(|id| row.schema_id == *id));
        let wanted: Vec<_> = wanted.cloned().collect();
        for (after, limit) in [(0, 99), (0, 1), (0, 3), (7, 4), (all[19].position, 9)] {
            let after_it = wanted.iter().filter(|row| row.position > after);
            let expected: Vec<_> = after_it.take(limit as usize).cloned().collect();
            let found = store.entries_after(after, schema.as_ref(), limit).unwrap();
            assert_eq!(found, expected, "{schema:?} {after} {limit}");
            let found = entries_by_documents(&store, after, schema.as_ref(), limit).unwrap();
            assert_eq!(found, expected, "by documents: {schema:?} {after} {limit}");
        }
    }
}
