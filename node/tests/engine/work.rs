//! What one entry makes an engine read is bounded, and paid for once.

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentViewId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::{Reason, Refusal};
use grove_node::budget::Budget;
use grove_node::engine::{Engine, EngineSettings, Policy, verify};
use grove_node::store::{Read, SqliteStore};

use super::ordering::session;
use super::support::*;

/// How much one entry may make in these tests.
const WORK_MAX: u64 = 1_000;

/// Opens an engine over the database in this folder.
fn open(folder: &tempfile::TempDir, work_max: u64) -> TestEngine {
    let store = SqliteStore::open(&folder.path().join("node.sqlite")).unwrap();
    let mut settings = EngineSettings::new(PeerId([1; 32]));
    settings.limits.entry_work_max = work_max;
    Engine::new(store, settings).unwrap()
}

/// Publishes a document with so many updates, each on top of the one before; the last of them.
fn chain(
    engine: &mut TestEngine,
    author: &mut Author,
    schema_id: &SchemaId,
    first: &[(&str, PlainValue)],
    count: usize,
) -> (Submission, Submission) {
    let create = author.create(schema_id, fields(first));
    publish(engine, &create).unwrap();
    let mut last = create.clone();
    for number in 0..count {
        let (name, _) = first[0];
        let changed = fields(&[(name, text(&format!("change{number}")))]);
        last = author.update(schema_id, document(&create), &[id(&last)], changed);
        publish(engine, &last).unwrap();
    }
    (create, last)
}

#[test]
fn an_entry_that_would_read_too_much_is_refused_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mut author, mut other) = (Author::new(1), Author::new(2));
    let mut engine = open(&folder, u64::MAX);
    let (definitions, note) = note_schema(&mut author);
    for definition in &definitions {
        publish(&mut engine, definition).unwrap();
    }
    let (create, last) = chain(
        &mut engine,
        &mut author,
        &note,
        &[("text", text("long"))],
        800,
    );
    drop(engine);
    let mut engine = open(&folder, WORK_MAX);
    let entries = engine.store().counts().unwrap().entries;

    let branch = |author: &mut Author| {
        let words = fields(&[("text", text("beside"))]);
        author.update(&note, document(&create), &[id(&create)], words)
    };
    let refused = publish(&mut engine, &branch(&mut other)).unwrap_err();
    assert_eq!(refused.reason(), Reason::BudgetExceeded);
    assert_eq!(engine.store().counts().unwrap().entries, entries);
    assert_eq!(verify(engine.store()).unwrap(), []);

    // What needs no past is taken, and so is what ends it.
    let mut third = Author::new(3);
    let words = fields(&[("text", text("on top"))]);
    let update = third.update(&note, document(&create), &[id(&last)], words);
    publish(&mut engine, &update).unwrap();
    let short = third.create(&note, fields(&[("text", text("short"))]));
    publish(&mut engine, &short).unwrap();
    let delete = third.delete(&note, document(&create), &[id(&create)]);
    publish(&mut engine, &delete).unwrap();
    let row = engine.store().document(document(&create)).unwrap().unwrap();
    assert!(row.is_deleted());
    assert_eq!(verify(engine.store()).unwrap(), []);
    drop(engine);

    // With more allowed, the same entry would have been taken.
    let folder = tempfile::tempdir().unwrap();
    let mut engine = open(&folder, 20 * WORK_MAX);
    let (definitions, _) = note_schema(&mut Author::new(1));
    for definition in &definitions {
        publish(&mut engine, definition).unwrap();
    }
    chain(
        &mut engine,
        &mut Author::new(4),
        &note,
        &[("text", text("long"))],
        800,
    );
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn a_definition_of_fields_that_are_too_long_makes_no_schema() {
    let folder = tempfile::tempdir().unwrap();
    let mut author = Author::new(1);
    let mut engine = open(&folder, u64::MAX);
    let field = SchemaId::SCHEMA_FIELD_DEFINITION;
    let mut listed: Vec<DocumentViewId> = Vec::new();
    for number in 0..6 {
        let name = text(&format!("field{number}"));
        let first = [("name", name), ("type", text("str"))];
        let (create, _) = chain(&mut engine, &mut author, &field, &first, 200);
        listed.push(id(&create).into());
    }
    drop(engine);
    let mut engine = open(&folder, WORK_MAX);
    let mut define = |engine: &mut TestEngine, name: &str, listed: &[DocumentViewId]| {
        let definition = author.create(
            &SchemaId::SCHEMA_DEFINITION,
            fields(&[
                ("name", text(name)),
                ("description", text("")),
                ("fields", PlainValue::ViewIds(listed.to_vec())),
            ]),
        );
        publish(engine, &definition).unwrap();
        DocumentViewId::from(id(&definition))
    };

    let long = define(&mut engine, "long", &listed);
    let short = define(&mut engine, "short", &listed[..1]);

    let known = engine.store().schemas().unwrap();
    assert_eq!(known.len(), 1);
    assert!(known[0].id().to_string().ends_with(&short.to_string()));
    let broken = engine.store().broken_definitions().unwrap();
    assert_eq!(broken[&long.hash()], "budget_exceeded");
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn what_comes_behind_the_end_of_a_document_reads_it_once() {
    let mut author = Author::new(1);
    let (mut engine, note) = with_notes(1, &mut author);
    let (create, _) = chain(
        &mut engine,
        &mut author,
        &note,
        &[("text", text("long"))],
        300,
    );
    let delete = author.delete(&note, document(&create), &[id(&create)]);
    publish(&mut engine, &delete).unwrap();
    // A client is refused; what peers bring keeps its place.
    let deletes = (2..42).map(|seed| {
        let mut other = Author::new(seed);
        other.delete(&note, document(&create), &[id(&create)])
    });
    let deletes: Vec<_> = deletes.collect();
    let mut inputs = session(PeerId([9; 32]), &deletes.iter().collect::<Vec<_>>(), &note);
    let further = inputs.split_off(4);
    engine.handle(Instant::ZERO, inputs).unwrap();
    let read = engine.operations_read();
    assert!(read >= 300, "{read}");

    engine.handle(Instant::ZERO, further).unwrap();

    assert_eq!(engine.operations_read(), read);
    let row = engine.store().document(document(&create)).unwrap().unwrap();
    let all = deletes.iter().chain([&delete]).map(id);
    assert!(
        all.min()
            .is_some_and(|lowest| lowest <= row.view_id.ids()[0])
    );
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn a_start_looks_into_no_definition_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut author = Author::new(1);
    let mut engine = open(&folder, u64::MAX);
    let field = SchemaId::SCHEMA_FIELD_DEFINITION;
    let first = [("name", text("long")), ("type", text("str"))];
    let (create, _) = chain(&mut engine, &mut author, &field, &first, 2_000);
    let missing = author.create(
        &field,
        fields(&[("name", text("b")), ("type", text("str"))]),
    );
    let definition = author.create(
        &SchemaId::SCHEMA_DEFINITION,
        fields(&[
            ("name", text("waits")),
            ("description", text("")),
            (
                "fields",
                PlainValue::ViewIds(vec![id(&create).into(), id(&missing).into()]),
            ),
        ]),
    );
    publish(&mut engine, &definition).unwrap();
    drop(engine);

    let store = SqliteStore::open(&folder.path().join("node.sqlite")).unwrap();
    let budget = Budget::new(u64::MAX);
    store.set_budget(budget.clone());
    let mut engine = engine_over(store, 1, Policy::default());
    assert!(budget.spent() < 500, "{} units", budget.spent());

    publish(&mut engine, &missing).unwrap();
    assert_eq!(engine.store().schemas().unwrap().len(), 1);
}
