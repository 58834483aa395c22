//! Branches and earlier views cost what they change or show, whatever a document has gone through before.

use grove_core::types::{DocumentViewId, OperationId, PlainValue, SchemaId, Value};
use grove_core::validate::Submission;
use grove_core::{Reason, Refusal};
use grove_node::engine::{document_at_view, verify};
use grove_node::store::Read;

use super::support::*;

/// Publishes updates of a note that are all made on top of its CREATE.
fn branch(
    engine: &mut TestEngine,
    author: &mut Author,
    create: &Submission,
    note: &SchemaId,
    count: usize,
) {
    for number in 0..count {
        let words = fields(&[("text", text(&number.to_string()))]);
        let update = author.update(note, document(create), &[id(create)], words);
        publish(engine, &update).unwrap();
    }
}

#[test]
fn a_further_branch_reads_no_other_one() {
    let mut author = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut author);
    let create = author.create(&note, fields(&[("text", text("first"))]));
    publish(&mut engine, &create).unwrap();
    branch(&mut engine, &mut author, &create, &note, 10);
    let read = engine.operations_read();
    assert!(read <= 3, "{read}");

    branch(&mut engine, &mut author, &create, &note, 500);

    assert_eq!(engine.operations_read(), read);
    assert_eq!(verify(engine.store()).unwrap(), []);
    let row = engine.store().document(document(&create)).unwrap().unwrap();
    assert_eq!(row.view_id.ids().len(), 510);
    // What merges them all reads nothing either.
    let tips = row.view_id.ids().to_vec();
    let merge = author.update(&note, row.id, &tips, fields(&[("text", text("merged"))]));
    publish(&mut engine, &merge).unwrap();
    assert_eq!(engine.operations_read(), read);
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn branches_after_a_restart_read_the_document_once() {
    let mut author = Author::new(1);
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let path = folder.path().join("node.sqlite");
        engine_over(
            grove_node::store::SqliteStore::open(&path).unwrap(),
            1,
            grove_node::engine::Policy::default(),
        )
    };
    let mut engine = open();
    let (definitions, note) = note_schema(&mut author);
    for submission in &definitions {
        publish(&mut engine, submission).unwrap();
    }
    let create = author.create(&note, fields(&[("text", text("first"))]));
    publish(&mut engine, &create).unwrap();
    branch(&mut engine, &mut author, &create, &note, 50);
    drop(engine);

    let mut engine = open();
    branch(&mut engine, &mut author, &create, &note, 50);

    // Those before.
    assert_eq!(engine.operations_read(), 51);
    assert_eq!(verify(engine.store()).unwrap(), []);
}

/// A field definition, and an update of its name for each of many views.
fn changed_field(author: &mut Author, engine: &mut TestEngine, count: usize) -> Vec<OperationId> {
    let schema_id = SchemaId::SCHEMA_FIELD_DEFINITION;
    let named = |number: usize| ("name", text(&format!("field{number}")));
    let create = author.create(&schema_id, fields(&[named(0), ("type", text("str"))]));
    publish(engine, &create).unwrap();
    let mut views = vec![id(&create)];
    for number in 1..count {
        let last = views[number - 1];
        let update = author.update(
            &schema_id,
            document(&create),
            &[last],
            fields(&[named(number)]),
        );
        publish(engine, &update).unwrap();
        views.push(id(&update));
    }
    views
}

fn definition(author: &mut Author, name: &str, views: &[OperationId]) -> Submission {
    let views = views.iter().map(|id| DocumentViewId::from(*id)).collect();
    author.create(
        &SchemaId::SCHEMA_DEFINITION,
        fields(&[
            ("name", text(name)),
            ("description", text("")),
            ("fields", PlainValue::ViewIds(views)),
        ]),
    )
}

#[test]
fn definitions_read_a_field_of_which_they_list_many_views_once() {
    let mut author = Author::new(1);
    let mut engine = engine(1);
    let views = changed_field(&mut author, &mut engine, 400);
    assert_eq!(engine.operations_read(), 0);

    let wide = definition(&mut author, "wide", &views[..300]);
    publish(&mut engine, &wide).unwrap();
    let other = definition(&mut author, "other", &views[100..]);
    publish(&mut engine, &other).unwrap();

    assert_eq!(engine.operations_read(), 400);
    let schemas = engine.store().schemas().unwrap();
    let counts: Vec<_> = schemas.iter().map(|schema| schema.fields().len()).collect();
    assert_eq!(counts, [300, 300]);
}

#[test]
fn every_view_of_a_branched_document_is_what_it_saw() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (mut engine, note) = with_notes(1, &mut a);
    let say = |words: String| fields(&[("text", text(&words))]);
    let create = a.create(&note, say("create".to_owned()));
    publish(&mut engine, &create).unwrap();
    let mut expected = vec![(id(&create), "create".to_owned())];
    let mut tips = [id(&create); 2];
    for number in 0..40 {
        for (at, author) in [&mut a, &mut b].into_iter().enumerate() {
            let words = format!("{number} of {at}");
            let update = author.update(&note, document(&create), &[tips[at]], say(words.clone()));
            publish(&mut engine, &update).unwrap();
            tips[at] = id(&update);
            expected.push((tips[at], words));
        }
    }

    for (view, words) in expected {
        let row = document_at_view(engine.store(), &view.into())
            .unwrap()
            .unwrap();
        assert_eq!(row.fields.unwrap()["text"].0, Value::Str(words));
    }
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn a_broken_definition_is_looked_into_once() {
    let mut author = Author::new(1);
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let path = folder.path().join("node.sqlite");
        engine_over(
            grove_node::store::SqliteStore::open(&path).unwrap(),
            1,
            grove_node::engine::Policy::default(),
        )
    };
    let mut engine = open();
    let views = changed_field(&mut author, &mut engine, 100);
    // Two of its fields have one name.
    let listed = [&views[..90], &views[..1]].concat();
    let broken = definition(&mut author, "broken", &listed);
    publish(&mut engine, &broken).unwrap();
    assert_eq!(engine.operations_read(), 100);
    assert_eq!(engine.store().schemas().unwrap(), []);
    let cause = engine.store().broken_definitions().unwrap();
    let view = DocumentViewId::from(id(&broken));
    assert_eq!(cause[&view.hash()], "schema_field_duplicate");
    drop(engine);

    let mut engine = open();
    let schema_id = SchemaId::Application {
        name: "broken".parse().unwrap(),
        view_id: view,
    };
    for _ in 0..3 {
        let create = author.create(&schema_id, fields(&[("field0", text("words"))]));
        let refused = publish(&mut engine, &create).unwrap_err();
        assert_eq!(refused.reason(), Reason::SchemaNotFound);
    }

    assert_eq!(engine.operations_read(), 0);
}
