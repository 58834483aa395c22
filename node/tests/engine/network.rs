//! Two engines with a wire between them, without any network.

use std::collections::VecDeque;

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::SchemaId;
use grove_core::validate::Submission;
use grove_core::wire::{Message, SchemaSet};
use grove_node::engine::{Command, Input, Output, RequestId, Sweep, SweepKind, Transfer};
use grove_node::store::{DocumentQuery, Read};

use super::support::*;

const ROUNDS_MAX: u64 = 20;

const IDS: [PeerId; 2] = [PeerId([1; 32]), PeerId([2; 32])];

/// What a new connection costs when nothing is new: both sides announce and ask for a session, one
/// of the two requests is dropped, and the session is two `Ranges`, a `Want` and two `SyncDone`.
const IDLE_MESSAGES: usize = 9;

/// Lets two engines talk, with a tick between bursts, until a tick leaves them silent; returns how
/// many messages were sent.
pub(crate) fn converge(engines: &mut [TestEngine; 2]) -> usize {
    for side in 0..2 {
        engines[side]
            .handle(Instant::ZERO, vec![Input::PeerConnected(IDS[1 - side])])
            .unwrap();
    }
    settle(engines)
}

/// The same on connections that stand.
fn settle(engines: &mut [TestEngine; 2]) -> usize {
    let (ids, mut messages) = (IDS, 0);
    for round in 0..ROUNDS_MAX {
        let now = Instant(round * 1_000_000);
        let sent = exchange(engines, &ids, now);
        messages += sent;
        for engine in engines.iter_mut() {
            engine.handle(now, vec![Input::Tick]).unwrap();
        }
        let after_tick = exchange(engines, &ids, now);
        messages += after_tick;
        if sent + after_tick == 0 {
            return messages;
        }
    }
    panic!("the engines never stopped talking");
}

fn exchange(engines: &mut [TestEngine; 2], ids: &[PeerId; 2], now: Instant) -> usize {
    let mut wire: VecDeque<(usize, Message)> = VecDeque::new();
    let mut sent = 0;
    loop {
        for (side, engine) in engines.iter_mut().enumerate() {
            while let Some(output) = engine.poll() {
                let (to, messages) = match output {
                    Output::Send { peer, message } => (peer, vec![message]),
                    Output::Transfer { peer, transfer } => {
                        let (session, has_end) = (transfer.session(), transfer.has_end());
                        let messages = whole(transfer, engine.store());
                        if has_end {
                            let ended = Input::Transferred {
                                peer,
                                session,
                                is_whole: true,
                            };
                            engine.handle(now, vec![ended]).unwrap();
                        }
                        (peer, messages)
                    }
                    _ => continue,
                };
                assert_eq!(to, ids[1 - side]);
                sent += messages.len();
                wire.extend(messages.into_iter().map(|message| (1 - side, message)));
            }
        }
        let Some((to, message)) = wire.pop_front() else {
            return sent;
        };
        let bytes = message.encode();
        let message = Message::decode(&bytes).unwrap();
        let input = Input::received(ids[1 - to], message);
        engines[to].handle(now, vec![input]).unwrap();
    }
}

/// All messages of a transfer.
fn whole(mut transfer: Transfer, store: &dyn Read) -> Vec<Message> {
    let mut messages = Vec::new();
    while !transfer.is_over() {
        messages.extend(transfer.step(Instant::ZERO, store).unwrap());
    }
    messages
}

fn hashes(engine: &TestEngine, schemas: &[SchemaId]) -> Vec<String> {
    let rows = schemas
        .iter()
        .flat_map(|id| engine.store().schema_entries(id).unwrap());
    let mut hashes: Vec<_> = rows.map(|row| row.hash.to_string()).collect();
    hashes.sort();
    hashes
}

/// Both sides hold the same entries of a deleted document and no operation but the DELETE.
fn assert_only_the_tombstone_is_left(
    engines: &[TestEngine; 2],
    create: &Submission,
    delete: &Submission,
) {
    let kept = engines.each_ref().map(|engine| {
        let row = engine.store().document(document(create)).unwrap();
        assert!(row.unwrap().is_deleted());
        let rows = engine.store().document_entries(document(create)).unwrap();
        let payloads: Vec<_> = rows
            .iter()
            .filter_map(|row| row.payload.as_deref())
            .collect();
        assert_eq!(payloads, [delete.payload()]);
        let mut hashes: Vec<_> = rows.iter().map(|row| row.hash).collect();
        hashes.sort();
        hashes
    });
    assert_eq!(kept[0], kept[1]);
}

#[test]
fn a_fresh_node_learns_schema_and_documents_in_one_go() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut left, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("one"))]));
    let update = b.update(
        &note,
        document(&create),
        &[id(&create)],
        fields(&[("text", text("two"))]),
    );
    publish(&mut left, &create).unwrap();
    publish(&mut left, &update).unwrap();
    let mut engines = [left, engine(2)];

    converge(&mut engines);

    let documents = [document(&create)];
    assert!(engines[1].store().schema(&note).unwrap().is_some());
    assert_eq!(
        visible(&engines[0], &documents),
        visible(&engines[1], &documents)
    );
    assert_eq!(
        converge(&mut engines),
        IDLE_MESSAGES,
        "quiet once nothing is new"
    );
}

/// Publishes, and leaves all that is said to it.
fn hand_in(engine: &mut TestEngine, submission: &Submission) {
    let publish = Input::Publish {
        request: RequestId(0),
        submission: Box::new(submission.clone()),
    };
    engine.handle(Instant::ZERO, vec![publish]).unwrap();
}

#[test]
fn what_is_new_reaches_a_peer_in_one_message() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (left, note) = with_notes(1, &mut a);
    let mut engines = [left, engine(2)];
    converge(&mut engines);

    let create = a.create(&note, fields(&[("text", text("one"))]));
    hand_in(&mut engines[0], &create);
    assert_eq!(settle(&mut engines), 1, "an entry, and nothing about it");

    let change = fields(&[("text", text("two"))]);
    let update = b.update(&note, document(&create), &[id(&create)], change);
    hand_in(&mut engines[1], &update);
    assert_eq!(settle(&mut engines), 1);

    let delete = a.delete(&note, document(&create), &[id(&update)]);
    hand_in(&mut engines[0], &delete);
    assert_eq!(settle(&mut engines), 1);
    assert_only_the_tombstone_is_left(&engines, &create, &delete);
}

/// The whole of a document's end follows from what was made on top of what, which nodes tell each other also of
/// operations that they dropped.
#[test]
fn nodes_that_never_saw_the_operations_name_the_same_last_view() {
    // The DELETE that the walk meets first is not the one with the lowest id: in some of these worlds.
    let mut telling = 0;
    for world in 0..8 {
        let [mut a, mut b] = [1, 2].map(Author::new);
        let (mut left, note) = with_notes(1, &mut a);
        let words = |words: &str| fields(&[("text", text(&format!("{words} {world}")))]);
        let create = a.create(&note, words("one"));
        let doc = document(&create);
        let [first, second] = [&mut a, &mut b].map(|author| {
            let update = author.update(&note, doc, &[id(&create)], words("two"));
            let delete = author.delete(&note, doc, &[id(&update)]);
            [update, delete]
        });
        // Both were made before anybody knew of the other one.
        let input = [&create, &first[0], &second[0], &second[1], &first[1]];
        for submission in &input[..3] {
            publish(&mut left, submission).unwrap();
        }
        assert_eq!(super::forks::receive(&mut left, &input[3..]), []);
        let mut engines = [left, engine(2)];
        converge(&mut engines);

        let view_of = |engine: &TestEngine| engine.store().document(doc).unwrap().unwrap().view_id;
        let [left, right] = engines.each_ref().map(view_of);
        assert_eq!(left, right, "world {world}");
        let lowest = id(&first[1]).min(id(&second[1]));
        telling += u32::from(left != lowest.into());
    }
    assert!(telling > 0, "all worlds end with the lowest DELETE");
}

//= DL3 test
#[test]
fn deletion_reaches_nodes_that_never_saw_the_document() {
    let mut a = Author::new(1);
    let (mut left, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("secret"))]));
    let delete = a.delete(&note, document(&create), &[id(&create)]);
    publish(&mut left, &create).unwrap();
    publish(&mut left, &delete).unwrap();
    let mut engines = [left, engine(2)];

    converge(&mut engines);

    let schemas = [SchemaId::SCHEMA_DEFINITION, note];
    assert_eq!(hashes(&engines[0], &schemas), hashes(&engines[1], &schemas));
    assert_eq!(
        engines[1]
            .store()
            .count(&schemas[1], &DocumentQuery::default())
            .unwrap(),
        0
    );
    let tombstone = engines[1]
        .store()
        .document(document(&create))
        .unwrap()
        .unwrap();
    assert!(tombstone.is_deleted());
}

//= DL7 test
//= R6 test
#[test]
fn an_update_and_a_deletion_that_cross_end_equal() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut left, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("one"))]));
    publish(&mut left, &create).unwrap();
    let mut engines = [left, engine(2)];
    converge(&mut engines);

    let delete = a.delete(&note, document(&create), &[id(&create)]);
    let update = b.update(
        &note,
        document(&create),
        &[id(&create)],
        fields(&[("text", text("two"))]),
    );
    let after = b.update(
        &note,
        document(&create),
        &[id(&update)],
        fields(&[("text", text("three"))]),
    );
    publish(&mut engines[0], &delete).unwrap();
    publish(&mut engines[1], &update).unwrap();
    publish(&mut engines[1], &after).unwrap();
    converge(&mut engines);

    assert_only_the_tombstone_is_left(&engines, &create, &delete);
}

/// Found by the simulator: the peer that deleted the document no longer has the bytes of an update
/// the other side never saw, and sends the DELETE made on top of it.
#[test]
fn a_deletion_on_top_of_operations_never_seen_still_counts() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut left, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("secret"))]));
    publish(&mut left, &create).unwrap();
    let mut engines = [left, engine(2)];
    converge(&mut engines);

    let change = fields(&[("text", text("more secret"))]);
    let update = b.update(&note, document(&create), &[id(&create)], change);
    let delete = b.delete(&note, document(&create), &[id(&update)]);
    publish(&mut engines[0], &update).unwrap();
    publish(&mut engines[0], &delete).unwrap();
    converge(&mut engines);

    assert_only_the_tombstone_is_left(&engines, &create, &delete);
}

/// A peer claims an author's entry for a document that it has nothing to do with. Once the entry comes with
/// its operation it belongs where it should, and the other document never changed.
#[test]
fn a_false_claim_about_a_deleted_entry_harms_only_itself() {
    let mut a = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("one"))]));
    publish(&mut engine, &create).unwrap();
    let other = a.create(&note, fields(&[("text", text("two"))]));
    let peer = PeerId([2; 32]);
    let schemas = SchemaSet::from([note.clone()]);
    let claim = Message::Skeleton {
        session: 0,
        entry: other.entry().bytes().to_vec(),
        schema: note.clone(),
        document: document(&create),
        previous: None,
    };
    let inputs = vec![
        Input::PeerConnected(peer),
        Input::received(
            peer,
            Message::SyncRequest {
                session: 0,
                mode: 0,
                schemas,
            },
        ),
        Input::received(peer, claim),
    ];

    engine.handle(Instant::ZERO, inputs).unwrap();

    let outputs = std::iter::from_fn(|| engine.poll());
    assert!(
        !outputs
            .into_iter()
            .any(|output| matches!(output, Output::Refused { .. }))
    );
    let before = engine.store().document(document(&create)).unwrap();
    publish(&mut engine, &other).unwrap();
    let after = engine.store().document(document(&create)).unwrap();
    assert_eq!(before, after);
    assert!(before.is_some());
    assert_eq!(
        engine
            .store()
            .count(&note, &DocumentQuery::default())
            .unwrap(),
        2
    );
}

//= RP7 test
#[test]
fn an_entry_without_its_operation_is_refused_and_nothing_else() {
    let mut a = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut a);
    let peer = PeerId([2; 32]);
    let schemas = SchemaSet::from([note.clone()]);
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas,
    };
    let create = a.create(&note, fields(&[("text", text("one"))]));
    let entry = create.entry().bytes().to_vec();
    let message = Message::Entry {
        session: 0,
        entry,
        payload: None,
    };
    let inputs = vec![
        Input::PeerConnected(peer),
        Input::received(peer, request),
        Input::received(peer, message),
    ];

    engine.handle(Instant::ZERO, inputs).unwrap();

    let mut refused = Vec::new();
    while let Some(output) = engine.poll() {
        if let Output::Refused { reason, .. } = output {
            refused.push(reason);
        }
    }
    assert_eq!(refused, [grove_core::Reason::PayloadMissing]);
    assert_eq!(
        engine
            .store()
            .count(&note, &DocumentQuery::default())
            .unwrap(),
        0
    );
}

#[test]
fn a_log_with_collected_history_is_offered_as_far_as_it_is_whole() {
    let mut a = Author::new(1);
    let (mut left, note) = with_notes(1, &mut a);
    let long = |label: &str| fields(&[("text", text(&label.repeat(200)))]);
    let create = a.create(&note, long("a"));
    let second = a.update(&note, document(&create), &[id(&create)], long("b"));
    let third = a.update(&note, document(&create), &[id(&second)], long("c"));
    let other = a.create(&note, long("d"));
    for submission in [&create, &second, &third, &other] {
        publish(&mut left, submission).unwrap();
    }
    let mut sweep = Sweep::new(left.store(), SweepKind::History).unwrap();
    while let Some(weighed) = sweep.step(left.store()).unwrap() {
        if !weighed.candidates.documents.is_empty() {
            let collect = Command::CollectHistory(weighed.candidates);
            assert_eq!(command(&mut left, collect).items, 2);
        }
    }
    let mut engines = [left, engine(2)];

    converge(&mut engines);

    // The first entry was collected, so nothing of the log is passed on; all else is.
    let [left, right] = &engines;
    assert!(left.store().document(document(&create)).unwrap().is_some());
    let passed_on = right.store().document_entries(document(&create)).unwrap();
    assert_eq!(passed_on, []);
    assert!(right.store().document(document(&other)).unwrap().is_some());
}
