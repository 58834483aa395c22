//! Schemas are known while what defines them is there, wanted and not too much, whatever came before.

use grove_core::types::{DocumentViewId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::{Reason, Refusal};
use grove_node::engine::{
    Command, Engine, EngineSettings, Input, Output, Policy, Purge, RequestId, SchemaLimits, verify,
};
use grove_node::store::{DocumentQuery, MemoryDisk, MemoryStore, Read, SharedStore};
use rstest::rstest;

use super::network::converge;
use super::support::*;

type Node = Engine<MemoryStore>;

fn start(disk: &MemoryDisk, change: impl FnOnce(&mut EngineSettings)) -> Node {
    let mut settings = EngineSettings::new(grove_core::session::PeerId([1; 32]));
    change(&mut settings);
    Engine::new(MemoryStore::open(disk), settings).unwrap()
}

fn limited(per_author: u64, total: u64) -> impl FnOnce(&mut EngineSettings) {
    move |settings| settings.limits.schemas = SchemaLimits { per_author, total }
}

/// The entries of a schema of so many fields, and its id.
fn schema(author: &mut Author, name: &str, count: usize) -> (Vec<Submission>, SchemaId) {
    let mut entries = Vec::new();
    for number in 0..count {
        let field = fields(&[("name", text(&format!("f{number}"))), ("type", text("str"))]);
        entries.push(author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, field));
    }
    let views = entries.iter().map(|field| id(field).into()).collect();
    let definition = author.create(&SchemaId::SCHEMA_DEFINITION, definition(name, views));
    let schema_id = SchemaId::Application {
        name: name.parse().unwrap(),
        view_id: id(&definition).into(),
    };
    entries.push(definition);
    (entries, schema_id)
}

fn definition(name: &str, views: Vec<DocumentViewId>) -> grove_core::wire::Fields<PlainValue> {
    fields(&[
        ("name", text(name)),
        ("description", text("")),
        ("fields", PlainValue::ViewIds(views)),
    ])
}

fn publish_all(engine: &mut Node, entries: &[Submission]) {
    for entry in entries {
        publish(engine, entry).unwrap();
    }
}

fn known(engine: &Node) -> Vec<SchemaId> {
    let schemas = engine.store().schemas().unwrap();
    schemas.iter().map(|schema| schema.id().clone()).collect()
}

fn code(result: Result<grove_core::author::NextArgs, grove_node::engine::Rejection>) -> Reason {
    result.unwrap_err().reason()
}

/// A node that knows a schema of one field with one document.
fn with_document(disk: &MemoryDisk, author: &mut Author) -> (Node, Vec<Submission>, SchemaId) {
    let mut engine = start(disk, |_| {});
    let (mut entries, schema_id) = schema(author, "note", 1);
    entries.push(author.create(&schema_id, fields(&[("f0", text("kept"))])));
    publish_all(&mut engine, &entries);
    assert_eq!(known(&engine), std::slice::from_ref(&schema_id));
    (engine, entries, schema_id)
}

/// Its field, or its definition.
#[rstest]
#[case(0, SchemaId::SCHEMA_FIELD_DEFINITION)]
#[case(1, SchemaId::SCHEMA_DEFINITION)]
fn a_schema_goes_with_what_defines_it(#[case] which: usize, #[case] of: SchemaId) {
    let (disk, mut author) = (MemoryDisk::default(), Author::new(1));
    let (mut engine, entries, schema_id) = with_document(&disk, &mut author);
    let (part, note) = (&entries[which], &entries[2]);

    let delete = author.delete(&of, document(part), &[id(part)]);
    publish(&mut engine, &delete).unwrap();

    let gone = |engine: &Node| {
        assert_eq!(known(engine), []);
        assert_eq!(engine.store().kept_schema(&schema_id).unwrap(), None);
        assert_eq!(engine.store().document(document(note)).unwrap(), None);
        assert_eq!(engine.store().counts().unwrap().schemas, 0);
        assert_eq!(verify(engine.store()).unwrap(), []);
    };
    gone(&engine);
    let reader = engine.store().reader().unwrap();
    assert_eq!(reader.schema(&schema_id).unwrap(), None);
    drop(engine);
    gone(&start(&disk, |_| {}));

    // Its documents take nothing more, but can be deleted.
    let mut engine = start(&disk, |_| {});
    let update = author.update(
        &schema_id,
        document(note),
        &[id(note)],
        fields(&[("f0", text("x"))]),
    );
    assert_eq!(code(publish(&mut engine, &update)), Reason::SchemaNotFound);
    author.forget_latest(document(note));
    let delete = author.delete(&schema_id, document(note), &[id(note)]);
    publish(&mut engine, &delete).unwrap();
    let row = engine.store().document(document(note)).unwrap();
    assert!(row.is_some_and(|row| row.is_deleted()));
    let entry = engine.store().entry(id(note).hash()).unwrap().unwrap();
    assert_eq!(entry.payload, None);
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn a_schema_of_a_deleted_document_can_not_come_back() {
    let (disk, mut author) = (MemoryDisk::default(), Author::new(1));
    let (mut engine, entries, schema_id) = with_document(&disk, &mut author);
    let part = &entries[1];
    let delete = author.delete(&SchemaId::SCHEMA_DEFINITION, document(part), &[id(part)]);
    publish(&mut engine, &delete).unwrap();

    for entry in &entries[..2] {
        publish(&mut engine, entry).unwrap();
    }
    let another = author.create(&schema_id, fields(&[("f0", text("another"))]));

    assert_eq!(code(publish(&mut engine, &another)), Reason::SchemaNotFound);
    assert_eq!(known(&engine), []);
}

#[test]
fn of_a_definition_that_was_purged_in_part_the_rest_is_known() {
    let (disk, mut author, mut other) = (MemoryDisk::default(), Author::new(1), Author::new(2));
    let (mut engine, entries, first) = with_document(&disk, &mut author);
    let part = &entries[1];
    let change = fields(&[("description", text("secret"))]);
    let update = other.update(
        &SchemaId::SCHEMA_DEFINITION,
        document(part),
        &[id(part)],
        change,
    );
    publish(&mut engine, &update).unwrap();
    assert_eq!(known(&engine).len(), 2);

    let logs = vec![(
        other.key_pair.public_key(),
        grove_core::types::LogId::default(),
    )];
    command(&mut engine, Command::Purge(Purge::Logs(logs)));
    assert_eq!(known(&engine), [first]);
    command(&mut engine, Command::Purge(Purge::Document(document(part))));

    assert_eq!(known(&engine), []);
    drop(engine);
    assert_eq!(known(&start(&disk, |_| {})), []);
}

fn command(engine: &mut Node, command: Command) {
    let input = Input::Command {
        request: RequestId(8),
        command: Box::new(command),
    };
    engine
        .handle(grove_core::time::Instant::ZERO, vec![input])
        .unwrap();
    let mut is_told = false;
    while let Some(output) = engine.poll() {
        is_told |= matches!(output, Output::SchemaRemoved(_));
    }
    assert!(is_told, "a schema went in silence");
    assert_eq!(verify(engine.store()).unwrap(), []);
}

#[test]
fn an_author_has_so_many_schemas_and_no_more() {
    let disk = MemoryDisk::default();
    let mut engine = start(&disk, limited(2, 3));
    let [mut a, mut b] = [1, 2].map(Author::new);
    let (one, first) = schema(&mut a, "one", 1);
    let (two, _) = schema(&mut a, "two", 16);
    publish_all(&mut engine, &one);
    publish_all(&mut engine, &two);

    let (three, _) = schema(&mut a, "three", 1);
    publish(&mut engine, &three[0]).unwrap();
    assert_eq!(code(publish(&mut engine, &three[1])), Reason::AuthorLimit);
    // Another has room, but not for more than there is.
    let (wide, _) = schema(&mut b, "wide", 17);
    publish_all(&mut engine, &wide[..17]);
    assert_eq!(
        code(publish(&mut engine, &wide[17])),
        Reason::SchemaNotAllowed
    );
    let mut c = Author::new(3);
    let (four, _) = schema(&mut c, "four", 1);
    publish_all(&mut engine, &four);
    assert_eq!(known(&engine).len(), 3);

    // What goes makes room.
    let definition = &one[1];
    let delete = a.delete(
        &SchemaId::SCHEMA_DEFINITION,
        document(definition),
        &[id(definition)],
    );
    publish(&mut engine, &delete).unwrap();
    publish(&mut engine, &three[1]).unwrap();
    assert_eq!(known(&engine).len(), 3);
    assert!(!known(&engine).contains(&first));
}

#[test]
fn definitions_that_wait_take_room_too() {
    let disk = MemoryDisk::default();
    let mut engine = start(&disk, limited(2, 10));
    let [mut a, mut b] = [1, 2].map(Author::new);
    let [(one, _), (two, _), (three, _)] =
        ["one", "two", "three"].map(|name| schema(&mut a, name, 1));
    publish(&mut engine, &one[1]).unwrap();
    publish(&mut engine, &two[1]).unwrap();
    assert_eq!(code(publish(&mut engine, &three[1])), Reason::AuthorLimit);
    assert_eq!(known(&engine), []);

    // The same after a restart; and who changes what somebody else waits with has it on their own account.
    drop(engine);
    let mut engine = start(&disk, limited(2, 10));
    assert_eq!(code(publish(&mut engine, &three[1])), Reason::AuthorLimit);
    let waits = &two[1];
    let change = fields(&[("description", text("changed"))]);
    let update = b.update(
        &SchemaId::SCHEMA_DEFINITION,
        document(waits),
        &[id(waits)],
        change,
    );
    publish(&mut engine, &update).unwrap();
    publish(&mut engine, &three[1]).unwrap();
    for entries in [&one, &two, &three] {
        publish(&mut engine, &entries[0]).unwrap();
    }

    assert_eq!(known(&engine).len(), 3);
}

/// What each changes of the settings keeps the schema of author 1 out.
#[rstest]
#[case(|settings: &mut EngineSettings| {
    settings.policy.denied_authors.insert(Author::new(1).key_pair.public_key());
})]
#[case(|settings: &mut EngineSettings| {
    settings.policy.allowed_schemas = Some([SchemaId::BLOB].into());
})]
#[case(|settings: &mut EngineSettings| settings.limits.schemas.per_author = 0)]
#[case(|settings: &mut EngineSettings| settings.limits.schemas.total = 0)]
fn what_the_operator_keeps_out_comes_back_with_the_settings(
    #[case] change: fn(&mut EngineSettings),
) {
    let (disk, mut author) = (MemoryDisk::default(), Author::new(1));
    let (engine, entries, schema_id) = with_document(&disk, &mut author);
    let note = document(&entries[2]);
    let before = engine.store().document(note).unwrap();
    drop(engine);

    let engine = start(&disk, change);
    assert_eq!(known(&engine), []);
    assert_eq!(engine.store().schema(&schema_id).unwrap(), None);
    assert_eq!(engine.store().document(note).unwrap(), None);
    let counted = engine.store().count(&schema_id, &DocumentQuery::default());
    assert_eq!(counted.unwrap(), 0);
    assert_eq!(verify(engine.store()).unwrap(), []);
    drop(engine);
    drop(start(&disk, change));

    let engine = start(&disk, |_| {});
    assert_eq!(known(&engine), [schema_id]);
    assert_eq!(engine.store().document(note).unwrap(), before);
}

#[test]
fn what_is_denied_from_the_start_is_never_known() {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (allowed, wanted) = schema(&mut a, "wanted", 1);
    let (others, _) = schema(&mut b, "other", 1);
    let policy = Policy {
        allowed_schemas: Some([wanted.clone()].into()),
        ..Policy::default()
    };
    let mut engines = [engine(1), engine_with(2, policy)];
    for entry in allowed.iter().chain(&others) {
        publish(&mut engines[0], entry).unwrap();
    }

    converge(&mut engines);

    let ids = |engine: &TestEngine| -> Vec<_> {
        let schemas = engine.store().schemas().unwrap();
        schemas.iter().map(|schema| schema.id().clone()).collect()
    };
    assert_eq!(ids(&engines[0]).len(), 2);
    assert_eq!(ids(&engines[1]), [wanted]);
}
