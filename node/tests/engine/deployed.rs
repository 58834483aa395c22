//! What peers of the deployed kind are sent, who know one branch per log and die of an entry without its
//! operation.

use grove_core::session::Dialect;
use grove_core::time::Instant;
use grove_core::types::{Hash, LogId, SchemaId, SeqNum};
use grove_core::validate::{SignedEntry, Submission};
use grove_core::wire::{Heights, Message};
use grove_node::engine::{Engine, Policy, Transfer};
use grove_node::store::{MemoryStore, SqliteStore, Store};

use super::forks::{Branch, receive};
use super::support::*;

/// The entries of one log that such a peer is sent from a number on, with whether their operations are.
fn sent<S: Store>(
    engine: &Engine<S>,
    branch: &Branch,
    from: u64,
    dialect: Dialect,
) -> Vec<(Hash, bool)> {
    let start = SeqNum::new(from).unwrap();
    let starts = Heights::from([(branch.key(), [(LogId::new(0), start)].into())]);
    let mut transfer = Transfer::new(Instant::ZERO, 7, starts, dialect);
    let mut sent = Vec::new();
    while !transfer.is_over() {
        for message in transfer.step(Instant::ZERO, engine.store()).unwrap() {
            match message {
                Message::Entry { entry, payload, .. } => {
                    let hash = SignedEntry::verify(&entry).unwrap().hash();
                    sent.push((hash, payload.is_some()));
                }
                Message::Skeleton { entry, .. } => {
                    sent.push((SignedEntry::verify(&entry).unwrap().hash(), false));
                }
                Message::SyncDone { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    sent
}

fn whole(submissions: &[&Submission]) -> Vec<(Hash, bool)> {
    let hashes = submissions.iter().map(|entry| entry.entry().hash());
    hashes.map(|hash| (hash, true)).collect()
}

fn with_schema<S: Store>(store: S) -> (Engine<S>, SchemaId) {
    let mut engine = engine_over(store, 1, Policy::default());
    let (definitions, note) = note_schema(&mut Author::new(1));
    receive(&mut engine, &definitions.iter().collect::<Vec<_>>());
    (engine, note)
}

//= R24 test
#[test]
fn of_a_forked_log_the_branch_to_continue_is_sent() {
    let (mut engine, note) = with_schema(MemoryStore::new());
    let mut branch = Branch::new(2, 0);
    let create = branch.create(&note, "one");
    let mut other = branch.clone();
    let short = branch.update(&note, &[id(&create)], "short");
    let long = other.update(&note, &[id(&create)], "long");
    let mut all = vec![create.clone(), short.clone(), long.clone()];
    let mut last = long.clone();
    // Long enough for skiplinks, and for more than one step.
    for number in 0..150 {
        last = other.update(&note, &[id(&last)], &number.to_string());
        all.push(last.clone());
    }
    let root = branch.cut(0).create(&note, "another first entry");
    all.push(root);
    assert_eq!(receive(&mut engine, &all.iter().collect::<Vec<_>>()), []);

    let longer: Vec<_> = [&create]
        .into_iter()
        .chain(&all[2..all.len() - 1])
        .collect();
    let along = sent(&engine, &branch, 1, Dialect::Deployed);
    assert_eq!(along, whole(&longer));
    assert_eq!(
        sent(&engine, &branch, 2, Dialect::Deployed),
        whole(&longer[1..])
    );
    let everything = sent(&engine, &branch, 1, Dialect::Grove);
    assert_eq!(everything.len(), all.len());
}

//= R31 test
#[test]
fn a_log_is_sent_only_as_far_as_it_goes_with_its_operations() {
    let (mut engine, note) = with_schema(SqliteStore::in_memory().unwrap());
    let (mut own, mut theirs) = (Branch::new(2, 0), Branch::new(3, 0));
    let create = own.create(&note, "one");
    let update = own.update(&note, &[id(&create)], "two");
    let delete = own.delete(&note, &[id(&update)]);
    let again = theirs.delete(&note, &[id(&update)]);
    let all = [&create, &update, &delete, &again];
    assert_eq!(receive(&mut engine, &all), []);

    assert_eq!(sent(&engine, &own, 1, Dialect::Deployed), []);
    assert_eq!(sent(&engine, &own, 2, Dialect::Deployed), []);
    // Who has the log up to the DELETE gets that.
    assert_eq!(sent(&engine, &own, 3, Dialect::Deployed), whole(&[&delete]));
    assert_eq!(
        sent(&engine, &theirs, 1, Dialect::Deployed),
        whole(&[&again])
    );
    let bare = |submission: &Submission| (submission.entry().hash(), false);
    let mut expected = vec![bare(&create), bare(&update)];
    expected.extend(whole(&[&delete]));
    assert_eq!(sent(&engine, &own, 1, Dialect::Grove), expected);
}
