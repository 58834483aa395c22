//! What the operator had purged is gone, stays gone, and harms nothing else.

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, LogId, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Message, SchemaSet};
use grove_core::{Reason, Refusal};
use grove_node::engine::{Command, Input, Purge, Reclaimed};
use grove_node::store::Read;

use super::support::*;

const PEER: PeerId = PeerId([9; 32]);

fn purge_document(engine: &mut TestEngine, id: DocumentId) -> Reclaimed {
    command(engine, Command::Purge(Purge::Document(id)))
}

/// Hands entries to an engine as a peer does.
fn receive(engine: &mut TestEngine, submissions: &[&Submission]) {
    let schemas: SchemaSet = [submissions[0].operation().unwrap().schema_id().clone()].into();
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas,
    };
    let mut messages = vec![request];
    messages.extend(submissions.iter().map(|submission| Message::Entry {
        session: 0,
        entry: submission.entry().bytes().to_vec(),
        payload: Some(submission.payload().to_vec()),
    }));
    engine
        .handle(Instant::ZERO, vec![Input::PeerConnected(PEER)])
        .unwrap();
    for message in messages {
        let input = Input::received(PEER, message);
        engine.handle(Instant::ZERO, vec![input]).unwrap();
    }
}

/// A document that one author began and another changed.
fn two_authors(a: &mut Author, b: &mut Author, note: &SchemaId) -> [Submission; 2] {
    let one = a.create(note, fields(&[("text", text("one"))]));
    let two = b.update(
        note,
        document(&one),
        &[id(&one)],
        fields(&[("text", text("two"))]),
    );
    [one, two]
}

#[test]
fn a_purged_document_is_gone_but_its_logs_stay_whole() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let [one, two] = two_authors(&mut a, &mut b, &note);
    let other = a.create(&note, fields(&[("text", text("other"))]));
    for submission in [&one, &two, &other] {
        publish(&mut engine, submission).unwrap();
    }

    let reclaimed = purge_document(&mut engine, document(&one));

    let bytes = (one.payload().len() + two.payload().len()) as u64;
    let expected = Reclaimed {
        documents: 1,
        items: 2,
        bytes,
    };
    assert_eq!(reclaimed, expected);
    assert_eq!(engine.store().document(document(&one)).unwrap(), None);
    assert!(engine.store().document(document(&other)).unwrap().is_some());
    let entries = engine.store().document_entries(document(&one)).unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|row| row.payload.is_none()));
    assert_eq!(
        purge_document(&mut engine, document(&one)),
        Reclaimed::default()
    );
}

#[test]
fn clients_are_told_of_a_purge() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let one = a.create(&note, fields(&[("text", text("one"))]));
    publish(&mut engine, &one).unwrap();
    purge_document(&mut engine, document(&one));

    let mine = a.update(&note, document(&one), &[id(&one)], fields(&[]));
    let theirs = b.update(&note, document(&one), &[id(&one)], fields(&[]));
    let reason = |engine: &mut TestEngine, submission| {
        let refused = publish(engine, submission).unwrap_err();
        refused.reason()
    };

    assert_eq!(reason(&mut engine, &mine), Reason::LogPurged);
    assert_eq!(reason(&mut engine, &one), Reason::LogPurged);
    assert_eq!(reason(&mut engine, &theirs), Reason::DocumentPurged);
    let entries = engine.store().document_entries(document(&one)).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].payload, None);
}

#[test]
fn what_peers_send_of_a_purged_document_is_not_kept() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let one = a.create(&note, fields(&[("text", text("one"))]));
    publish(&mut engine, &one).unwrap();
    purge_document(&mut engine, document(&one));
    let more = a.update(
        &note,
        document(&one),
        &[id(&one)],
        fields(&[("text", text("more"))]),
    );
    let theirs = b.update(
        &note,
        document(&one),
        &[id(&one)],
        fields(&[("text", text("theirs"))]),
    );
    let on_top = b.update(&note, document(&one), &[id(&theirs)], fields(&[]));

    // The last one comes too early, and waits like any other.
    receive(&mut engine, &[&one, &on_top, &more, &theirs]);

    let entries = engine.store().document_entries(document(&one)).unwrap();
    assert_eq!(entries.len(), 4);
    assert!(
        entries
            .iter()
            .all(|row| row.payload.is_none() && row.purged)
    );
    assert_eq!(engine.store().counts().unwrap().parked, 0);
    assert_eq!(engine.store().document(document(&one)).unwrap(), None);
}

#[test]
fn a_purged_log_takes_only_its_own_contribution() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let [one, two] = two_authors(&mut a, &mut b, &note);
    for submission in [&one, &two] {
        publish(&mut engine, submission).unwrap();
    }

    let log = (b.key_pair.public_key(), LogId::new(0));
    command(&mut engine, Command::Purge(Purge::Logs(vec![log])));

    let row = engine.store().document(document(&one)).unwrap().unwrap();
    assert_eq!(row.view_id, id(&one).into());
    assert_eq!(
        row.fields.unwrap()["text"].0,
        grove_core::types::Value::Str("one".into())
    );
}
