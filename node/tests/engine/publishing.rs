//! What one client sees of one node.

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{PlainValue, SchemaId, Value};
use grove_core::validate::Submission;
use grove_core::{Reason, Refusal};
use grove_node::api::next_args;
use grove_node::engine::{Engine, EngineSettings, Input, Output, RequestId, document_at_view};
use grove_node::store::{DocumentQuery, Read, SqliteStore};

use super::support::*;

fn shown(engine: &TestEngine, created: &Submission) -> Option<String> {
    let row = engine.store().document(document(created)).unwrap()?;
    match &row.fields?["text"].0 {
        Value::Str(text) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn refusal(engine: &mut TestEngine, submission: &Submission) -> Reason {
    let before = engine.store().counts().unwrap();
    let reason = publish(engine, submission).unwrap_err().reason();
    assert_eq!(
        engine.store().counts().unwrap().entries,
        before.entries,
        "nothing is stored"
    );
    reason
}

#[test]
fn a_document_lives_from_create_to_delete() {
    let mut author = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut author);
    let create = author.create(&note, fields(&[("text", text("one"))]));
    let update = author.update(
        &note,
        document(&create),
        &[id(&create)],
        fields(&[("text", text("two"))]),
    );
    let delete = author.delete(&note, document(&create), &[id(&update)]);

    publish(&mut engine, &create).unwrap();
    assert_eq!(shown(&engine, &create).as_deref(), Some("one"));
    publish(&mut engine, &update).unwrap();
    assert_eq!(shown(&engine, &create).as_deref(), Some("two"));
    assert_eq!(
        engine
            .store()
            .count(&note, &DocumentQuery::default())
            .unwrap(),
        1
    );
    publish(&mut engine, &delete).unwrap();
    assert_eq!(shown(&engine, &create), None);
    assert_eq!(
        engine
            .store()
            .count(&note, &DocumentQuery::default())
            .unwrap(),
        0
    );
}

#[test]
fn concurrent_updates_merge_and_old_views_stay_readable() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let create = a.create(&note, fields(&[("text", text("base"))]));
    let left = a.update(
        &note,
        document(&create),
        &[id(&create)],
        fields(&[("text", text("left"))]),
    );
    let right = b.update(
        &note,
        document(&create),
        &[id(&create)],
        fields(&[("text", text("right"))]),
    );
    for submission in [&create, &left, &right] {
        publish(&mut engine, submission).unwrap();
    }

    let winner = if id(&left) > id(&right) {
        "left"
    } else {
        "right"
    };
    let row = engine.store().document(document(&create)).unwrap().unwrap();
    assert_eq!(row.view_id.ids().len(), 2);
    assert_eq!(shown(&engine, &create).as_deref(), Some(winner));

    let old = document_at_view(engine.store(), &id(&left).into())
        .unwrap()
        .unwrap();
    assert_eq!(old.values().unwrap()["text"], Value::Str("left".to_owned()));
    assert_eq!(old.view_id, id(&left).into());
}

//= PB7 test
//= R23 test
#[test]
fn a_retried_publish_gets_the_first_answer_again() {
    let mut author = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut author);
    let create = author.create(&note, fields(&[("text", text("one"))]));
    let update = author.update(&note, document(&create), &[id(&create)], fields(&[]));

    let first = publish(&mut engine, &create).unwrap();
    publish(&mut engine, &update).unwrap();

    assert_eq!(publish(&mut engine, &create).unwrap(), first);
}

//= DL1 test
//= DL2 test
//= R7 test
#[test]
fn deletion_drops_payloads_and_keeps_the_logs_whole() {
    let mut author = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut author);
    let create = author.create(&note, fields(&[("text", text("secret"))]));
    let delete = author.delete(&note, document(&create), &[id(&create)]);
    let late = author.update(&note, document(&create), &[id(&create)], fields(&[]));
    publish(&mut engine, &create).unwrap();
    publish(&mut engine, &delete).unwrap();

    let rows = engine.store().document_entries(document(&create)).unwrap();
    assert_eq!(rows[0].entry, create.entry().bytes());
    assert_eq!(rows[0].payload, None);
    assert_eq!(rows[1].payload.as_deref(), Some(delete.payload()));
    assert_eq!(refusal(&mut engine, &late), Reason::DocumentDeleted);
    let next = next_args(
        engine.store(),
        author.key_pair.public_key(),
        Some(&id(&create).into()),
    );
    assert_eq!(next.unwrap_err().reason(), Reason::DocumentDeleted);
}

#[test]
fn what_does_not_fit_is_refused_with_its_code() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let one = a.create(&note, fields(&[("text", text("one"))]));
    let two = a.create(&note, fields(&[("text", text("two"))]));
    publish(&mut engine, &one).unwrap();
    publish(&mut engine, &two).unwrap();

    let mixed = b.update(&note, document(&one), &[id(&one), id(&two)], fields(&[]));
    assert_eq!(refusal(&mut engine, &mixed), Reason::PreviousMixed);

    let mut c = Author::new(3);
    let unknown = c.update(&note, document(&mixed), &[id(&mixed)], fields(&[]));
    assert_eq!(refusal(&mut engine, &unknown), Reason::PreviousNotFound);

    let mut d = Author::new(4);
    let first = d.create(&note, fields(&[("text", text("x"))]));
    let gap = d.update(&note, document(&first), &[id(&one)], fields(&[]));
    assert_eq!(refusal(&mut engine, &gap), Reason::SeqNumMismatch);

    let mut e = Author::new(5);
    let wrong_type = e.create(&note, fields(&[("text", PlainValue::Int(1))]));
    assert_eq!(refusal(&mut engine, &wrong_type), Reason::FieldTypeMismatch);

    let mut f = Author::new(6);
    let other_schema = f.update(&SchemaId::BLOB, document(&one), &[id(&one)], fields(&[]));
    assert_eq!(
        refusal(&mut engine, &other_schema),
        Reason::DocumentSchemaMismatch
    );

    let mut g = Author::new(7);
    let (_, unpublished) = note_schema(&mut Author::new(8));
    let no_schema = g.create(&unpublished, fields(&[("text", text("x"))]));
    assert_eq!(refusal(&mut engine, &no_schema), Reason::SchemaNotFound);
}

//= BL3 test
#[test]
fn blobs_need_their_pieces_first() {
    let mut author = Author::new(1);
    let mut engine = engine(1);
    let data = PlainValue::Bytes(b"hello".to_vec());
    let piece = author.create(&SchemaId::BLOB_PIECE, fields(&[("data", data)]));
    let blob = |author: &mut Author| {
        author.create(
            &SchemaId::BLOB,
            fields(&[
                ("length", PlainValue::Int(5)),
                ("mime_type", text("text/plain")),
                ("pieces", PlainValue::ViewIds(vec![id(&piece).into()])),
            ]),
        )
    };

    assert_eq!(
        refusal(&mut engine, &blob(&mut Author::new(2))),
        Reason::BlobPiecesMissing
    );
    publish(&mut engine, &piece).unwrap();
    publish(&mut engine, &blob(&mut Author::new(2))).unwrap();
}

/// Another program holds the database for longer than the node waits.
#[test]
fn a_store_that_fails_is_reported_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    let mut engine = Engine::new(store, EngineSettings::new(PeerId([1; 32]))).unwrap();
    let mut author = Author::new(1);
    let (definitions, note) = note_schema(&mut author);
    for submission in &definitions {
        publish(&mut engine, submission).unwrap();
    }
    let create = author.create(&note, fields(&[("text", text("one"))]));

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let submission = Box::new(create.clone());
    let request = RequestId(1);
    let input = Input::Publish {
        request,
        submission,
    };
    let peer = PeerId([2; 32]);
    let inputs = vec![input, Input::PeerConnected(peer)];
    assert!(engine.handle(Instant::ZERO, inputs).is_err());
    let Some(Output::Published { result, .. }) = engine.poll() else {
        panic!("the publisher was not answered");
    };
    let greeting = engine.poll();
    assert!(matches!(greeting, Some(Output::Send { peer: to, .. }) if to == peer));
    assert_eq!(result.unwrap_err().reason(), Reason::StoreFailed);
    assert_eq!(
        engine
            .store()
            .count(&note, &DocumentQuery::default())
            .unwrap(),
        0
    );

    other.execute_batch("ROLLBACK").unwrap();
    publish(&mut engine, &create).unwrap();
    assert_eq!(shown(&engine, &create).as_deref(), Some("one"));
}

#[test]
fn the_largest_schema_takes_documents() {
    let mut author = Author::new(1);
    let mut engine = engine(1);
    let names: Vec<String> = (0..1024).map(|n| format!("f{n}")).collect();
    let mut views = Vec::new();
    for name in &names {
        let field = author.create(
            &SchemaId::SCHEMA_FIELD_DEFINITION,
            fields(&[("name", text(name)), ("type", text("str"))]),
        );
        publish(&mut engine, &field).unwrap();
        views.push(id(&field).into());
    }
    let definition = author.create(
        &SchemaId::SCHEMA_DEFINITION,
        fields(&[
            ("name", text("wide")),
            ("description", text("")),
            ("fields", PlainValue::ViewIds(views)),
        ]),
    );
    publish(&mut engine, &definition).unwrap();
    let wide = SchemaId::Application {
        name: "wide".parse().unwrap(),
        view_id: id(&definition).into(),
    };

    let values: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), text(name)))
        .collect();
    let create = author.create(&wide, fields(&values));
    publish(&mut engine, &create).unwrap();

    let row = engine.store().document(document(&create)).unwrap().unwrap();
    let shown = row.values().unwrap();
    assert_eq!(shown.len(), 1024);
    assert_eq!(shown["f1023"], Value::Str("f1023".to_owned()));
}

#[test]
fn an_update_that_sets_nothing_keeps_a_long_piece() {
    let mut author = Author::new(1);
    let mut engine = engine(1);
    let data = PlainValue::Bytes(vec![7; 5_000]);
    let piece = author.create(&SchemaId::BLOB_PIECE, fields(&[("data", data)]));
    publish(&mut engine, &piece).unwrap();
    let nothing = author.update(
        &SchemaId::BLOB_PIECE,
        document(&piece),
        &[id(&piece)],
        fields(&[]),
    );

    publish(&mut engine, &nothing).unwrap();

    let row = engine.store().document(document(&piece)).unwrap().unwrap();
    assert_eq!(row.view_id, id(&nothing).into());
    assert_eq!(row.fields.unwrap()["data"].0, Value::Bytes(vec![7; 5_000]));
}
