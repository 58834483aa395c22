//! Entries that a peer sent without their operations: what it says about them is doubted until the DELETE of
//! the document is there.

use grove_core::time::Instant;
use grove_core::types::{LogId, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_core::wire::{Message, SchemaSet};
use grove_core::{Reason, Refusal};
use grove_node::api::next_args;
use grove_node::engine::{Engine, Input, Policy, verify};
use grove_node::store::{DocumentQuery, MemoryStore, PostgresStore, Read, SqliteStore, Store};

use super::forks::{Branch, PEER, hand_over, receive};
use super::network::converge;
use super::postgres_server::{Database, is_there};
use super::support::*;

/// What a peer says of an entry: that it belongs to the document of another one, which was deleted.
fn claim(submission: &Submission, note: &SchemaId, document_of: &Submission) -> Message {
    Message::Skeleton {
        session: 0,
        entry: submission.entry().bytes().to_vec(),
        schema: note.clone(),
        document: document(document_of),
        previous: None,
    }
}

/// A live document of author 2, and another one that author 3 began and edited elsewhere.
struct World {
    definitions: Vec<Submission>,
    note: SchemaId,
    live: Submission,
    victim: Branch,
    create: Submission,
    update: Submission,
}

fn world() -> World {
    let (definitions, note) = note_schema(&mut Author::new(1));
    let live = Branch::new(2, 0).create(&note, "live");
    let mut victim = Branch::new(3, 0);
    let create = victim.create(&note, "victim");
    let update = victim.update(&note, &[id(&create)], "edited");
    World {
        definitions,
        note,
        live,
        victim,
        create,
        update,
    }
}

/// A node that knows the live document, and heard a lie about the other one.
fn deceived<S: Store>(store: S, world: &World) -> Engine<S> {
    let mut engine = engine_over(store, 1, Policy::default());
    let known: Vec<_> = world.definitions.iter().chain([&world.live]).collect();
    assert_eq!(receive(&mut engine, &known), []);
    let lies = [&world.create, &world.update].map(|entry| claim(entry, &world.note, &world.live));
    assert_eq!(hand_over(&mut engine, lies.into()), []);
    engine
}

fn on_all_stores(check: impl Fn(&mut dyn FnMut(&World) -> Box<dyn Deceived>)) {
    check(&mut |world| Box::new(deceived(MemoryStore::new(), world)));
    check(&mut |world| Box::new(deceived(SqliteStore::in_memory().unwrap(), world)));
    if is_there() {
        let place = Database::new().unwrap();
        check(&mut |world| {
            Box::new(deceived(
                PostgresStore::open(&place.server()).unwrap(),
                world,
            ))
        });
    }
}

/// An engine over any store.
trait Deceived {
    fn read(&self) -> &dyn Read;
    fn receive(&mut self, submissions: &[&Submission]) -> Vec<Reason>;
}

impl<S: Store> Deceived for Engine<S> {
    fn read(&self) -> &dyn Read {
        self.store()
    }

    fn receive(&mut self, submissions: &[&Submission]) -> Vec<Reason> {
        receive(self, submissions)
    }
}

fn text_of(store: &dyn Read, created: &Submission) -> Option<String> {
    let row = store.document(document(created)).unwrap()?;
    Some(format!("{:?}", row.fields?["text"].0))
}

//= R31 test
#[test]
fn what_a_peer_claims_of_a_live_document_is_still_asked_for_and_misleads_nobody() {
    on_all_stores(|start| {
        let world = world();
        let mut engine = start(&world);
        let key = world.victim.key();
        let notes = SchemaSet::from([world.note.clone()]);

        let tips = engine.read().tips(&notes).unwrap();
        let heights = engine.read().heights(&notes).unwrap();
        assert!(!tips.contains_key(&key) && !heights.contains_key(&key));
        let told = engine.read().told_after(i64::MIN, 99).unwrap();
        let lies = [&world.create, &world.update].map(|lie| lie.entry().hash());
        assert!(told.iter().all(|row| !lies.contains(&row.hash)));
        assert!(told.iter().any(|row| row.hash == world.live.entry().hash()));
        let starts = [(key, [(LogId::new(0), SeqNum::FIRST)].into())].into();
        let passed_on = engine.read().entries_from(&starts, i64::MIN, 9).unwrap();
        assert_eq!(passed_on, [], "a lie goes no further");
        // Where the author writes to the live document is another log.
        let view_id = id(&world.live).into();
        let args = next_args(engine.read(), key, Some(&view_id)).unwrap();
        assert_eq!((args.log_id, args.seq_num), (LogId::new(1), SeqNum::FIRST));

        assert_eq!(engine.receive(&[&world.create, &world.update]), []);

        let store = engine.read();
        assert_eq!(text_of(store, &world.live).unwrap(), "Str(\"live\")");
        assert_eq!(text_of(store, &world.create).unwrap(), "Str(\"edited\")");
        let tips = store.tips(&notes).unwrap();
        let tip = (SeqNum::new(2).unwrap(), world.update.entry().hash());
        assert_eq!(tips[&key][&LogId::new(0)], [tip].into());
        let passed_on = store.entries_from(&starts, i64::MIN, 9).unwrap();
        assert!(passed_on.iter().all(|row| row.payload.is_some()));
        assert_eq!(passed_on.len(), 2);
        let of_live = store.document_entries(document(&world.live)).unwrap();
        assert_eq!(of_live.len(), 1);
    });
}

#[test]
fn an_entry_whose_beginning_is_certain_is_claimed_up_to_there() {
    on_all_stores(|start| {
        let mut world = world();
        let other = Branch::new(4, 0).create(&world.note, "other");
        world.live = other;
        let mut engine = start(&world);
        // Now the CREATE is there, and only the edit is doubted.
        assert_eq!(engine.receive(&[&world.create]), []);

        let notes = SchemaSet::from([world.note.clone()]);
        let (key, log) = (world.victim.key(), LogId::new(0));
        let store = engine.read();
        let tip = (SeqNum::FIRST, world.create.entry().hash());
        assert_eq!(store.tips(&notes).unwrap()[&key][&log], [tip].into());
        assert_eq!(store.heights(&notes).unwrap()[&key][&log], SeqNum::FIRST);
        assert_eq!(text_of(store, &world.create).unwrap(), "Str(\"victim\")");

        assert_eq!(engine.receive(&[&world.update]), []);
        assert_eq!(
            text_of(engine.read(), &world.create).unwrap(),
            "Str(\"edited\")"
        );
    });
}

/// A third author's edit of what was lied about waits, rather than to join the wrong document for good.
#[test]
fn what_is_made_on_top_of_a_claim_waits_for_the_operation() {
    on_all_stores(|start| {
        let world = world();
        let mut engine = start(&world);
        let other = Branch::new(4, 0).update(&world.note, &[id(&world.update)], "on top");

        assert_eq!(engine.receive(&[&other]), []);
        assert_eq!(engine.read().counts().unwrap().parked, 1);
        assert_eq!(engine.receive(&[&world.create, &world.update]), []);

        assert_eq!(engine.read().counts().unwrap().parked, 0);
        assert_eq!(
            text_of(engine.read(), &world.create).unwrap(),
            "Str(\"on top\")"
        );
    });
}

/// An honest node brings what the lie was about in the next session.
#[test]
fn an_honest_peer_mends_what_a_hostile_one_claimed() {
    let world = world();
    let honest = {
        let mut engine = engine(2);
        let all = world.definitions.iter();
        let all = all.chain([&world.live, &world.create, &world.update]);
        assert_eq!(receive(&mut engine, &all.collect::<Vec<_>>()), []);
        engine
    };
    let deceived = deceived(SqliteStore::in_memory().unwrap(), &world);
    let mut engines = [deceived, honest];
    for engine in &mut engines {
        let gone = vec![Input::PeerDisconnected(PEER)];
        engine.handle(Instant::ZERO, gone).unwrap();
        while engine.poll().is_some() {}
    }

    converge(&mut engines);

    let documents = [&world.live, &world.create].map(document);
    assert_eq!(
        visible(&engines[0], &documents),
        visible(&engines[1], &documents)
    );
    assert_eq!(verify(engines[0].store()).unwrap(), []);
    let count = engines[0]
        .store()
        .count(&world.note, &DocumentQuery::default());
    assert_eq!(count.unwrap(), 2);
}

/// Claimed to belong to a document that was deleted indeed: the operation tells better when it comes.
#[test]
fn a_claim_about_a_deleted_document_is_mended_by_the_operation() {
    on_all_stores(|start| {
        let world = world();
        let mut engine = start(&world);
        let delete = Branch::new(4, 0).delete(&world.note, &[id(&world.live)]);
        assert_eq!(engine.receive(&[&delete]), []);
        let deleted = engine.read().document(document(&world.live)).unwrap();
        assert!(deleted.unwrap().is_deleted());

        assert_eq!(engine.receive(&[&world.create, &world.update]), []);

        assert_eq!(
            text_of(engine.read(), &world.create).unwrap(),
            "Str(\"edited\")"
        );
    });
}

#[test]
fn what_waits_for_a_claimed_operation_is_judged_when_the_document_ends() {
    let world = world();
    let mut engine = engine(1);
    let definitions: Vec<_> = world.definitions.iter().collect();
    receive(&mut engine, &definitions);
    let skeletons = [&world.create, &world.update];
    let skeletons = skeletons.map(|entry| claim(entry, &world.note, &world.create));
    assert_eq!(hand_over(&mut engine, skeletons.into()), []);
    let late = Branch::new(4, 0).update(&world.note, &[id(&world.create)], "late");
    assert_eq!(receive(&mut engine, &[&late]), []);
    assert_eq!(engine.store().counts().unwrap().parked, 1);
    let delete = world
        .victim
        .clone()
        .delete(&world.note, &[id(&world.update)]);

    assert_eq!(receive(&mut engine, &[&delete]), []);

    assert_eq!(engine.store().counts().unwrap().parked, 0);
    let row = engine
        .store()
        .document(document(&world.create))
        .unwrap()
        .unwrap();
    assert!(row.is_deleted());
    let rows = engine.store().document_entries(row.id).unwrap();
    let kept = rows.iter().filter(|row| row.payload.is_some());
    assert_eq!((rows.len(), kept.count()), (4, 1));
    let notes = SchemaSet::from([world.note.clone()]);
    assert_eq!(engine.store().tips(&notes).unwrap().len(), 2, "all is told");
}

#[test]
fn a_claim_about_another_schema_than_the_document_has_is_refused() {
    let world = world();
    let mut engine = deceived(SqliteStore::in_memory().unwrap(), &world);
    let other = Branch::new(5, 0).create(&world.note, "x");
    let lie = claim(&other, &SchemaId::BLOB, &world.live);

    let refused = hand_over(&mut engine, vec![lie]);

    assert_eq!(refused, [Reason::DocumentSchemaMismatch]);
    assert_eq!(engine.store().entry(other.entry().hash()).unwrap(), None);
}

#[test]
fn a_client_is_told_that_a_claimed_operation_is_not_there() {
    let world = world();
    let mut engine = deceived(SqliteStore::in_memory().unwrap(), &world);
    let delete = world
        .victim
        .clone()
        .delete(&world.note, &[id(&world.update)]);

    let refused = publish(&mut engine, &delete).unwrap_err().reason();

    assert_eq!(refused, Reason::PreviousNotFound);
    let view_id = id(&world.create).into();
    let refused = next_args(engine.store(), world.victim.key(), Some(&view_id));
    assert_eq!(refused.unwrap_err().reason(), Reason::PreviousNotFound);
}
