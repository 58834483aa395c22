//! What ordinary publishing costs in statements of the database, which tells more than any clock.

#![allow(clippy::unwrap_used)]

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentViewId, KeyPair, LogId, OperationId, PlainValue, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};

use super::{Engine, EngineSettings, Input, Output, RequestId};
use crate::store::{STATEMENTS, SqliteStore};

/// An author who remembers where each of its logs goes on.
struct Author {
    key_pair: KeyPair,
    logs: u64,
}

type Written = (NextArgs, OperationId);

impl Author {
    fn create(&mut self, schema_id: &SchemaId, fields: &[(&str, PlainValue)]) -> Submission {
        let args = NextArgs::first(LogId::new(self.logs));
        self.logs += 1;
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields: named(fields),
        };
        forge(&self.key_pair, &args, &operation).unwrap()
    }

    fn update(&self, schema_id: &SchemaId, (args, on): &Written) -> Submission {
        let operation = Operation::Update {
            schema_id: schema_id.clone(),
            previous: DocumentViewId::from(*on),
            fields: named(&[("text", text("more"))]),
        };
        forge(&self.key_pair, args, &operation).unwrap()
    }
}

fn text(text: &str) -> PlainValue {
    PlainValue::Str(text.to_owned())
}

fn named(fields: &[(&str, PlainValue)]) -> Fields<PlainValue> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// Publishes entries in one transaction; returns how many statements that took, and what comes behind each.
fn publish(engine: &mut Engine<SqliteStore>, entries: &[Submission]) -> (u64, Vec<Written>) {
    let inputs = entries.iter().map(|submission| Input::Publish {
        request: RequestId(0),
        submission: Box::new(submission.clone()),
    });
    let before = STATEMENTS.get();
    engine.handle(Instant::ZERO, inputs.collect()).unwrap();
    let statements = STATEMENTS.get() - before;
    let mut ids = entries.iter().map(|entry| entry.entry().operation_id());
    let mut written = Vec::new();
    while let Some(output) = engine.poll() {
        if let Output::Published { result, .. } = output {
            written.push((result.unwrap(), ids.next().unwrap()));
        }
    }
    (statements, written)
}

/// An engine that knows a schema, and an author who has published there.
fn begun() -> (Engine<SqliteStore>, Author, SchemaId) {
    let store = SqliteStore::in_memory().unwrap();
    let mut engine = Engine::new(store, EngineSettings::new(PeerId([0; 32]))).unwrap();
    let mut author = Author {
        key_pair: KeyPair::from_seed(&[1; 32]),
        logs: 0,
    };
    let field = [("name", text("text")), ("type", text("str"))];
    let field = author.create(&SchemaId::SCHEMA_FIELD_DEFINITION, &field);
    let fields = PlainValue::ViewIds(vec![field.entry().operation_id().into()]);
    let definition = [
        ("name", text("note")),
        ("description", text("")),
        ("fields", fields),
    ];
    let definition = author.create(&SchemaId::SCHEMA_DEFINITION, &definition);
    let note = SchemaId::Application {
        name: "note".parse().unwrap(),
        view_id: definition.entry().operation_id().into(),
    };
    publish(&mut engine, &[field, definition]);
    let first = author.create(&note, &[("text", text("the first"))]);
    publish(&mut engine, &[first]);
    (engine, author, note)
}

/// How many statements a CREATE and four UPDATEs of its document take, each alone.
fn counts_of_a_document(
    engine: &mut Engine<SqliteStore>,
    author: &mut Author,
    note: &SchemaId,
) -> Vec<u64> {
    let create = author.create(note, &[("text", text("one"))]);
    let (first, written) = publish(engine, &[create]);
    let mut counts = vec![first];
    let mut last = written[0];
    // Up to the fifth entry, among them one with a skiplink.
    for _ in 2..=5 {
        let update = author.update(note, &last);
        let (count, written) = publish(engine, &[update]);
        counts.push(count);
        last = written[0];
    }
    counts
}

/// Of a log with one branch nothing is asked that only forks need, and nothing that grows with the log. Whoever
/// makes it fewer may lower the numbers.
#[test]
fn ordinary_publishing_takes_a_fixed_number_of_statements() {
    let (mut engine, mut author, note) = begun();

    // While a schema is small, each look for a view asks where its views are.
    let small = counts_of_a_document(&mut engine, &mut author, &note);
    assert_eq!(small, [12, 16, 17, 17, 16]);
    let many: Vec<_> = (0..100)
        .map(|_| author.create(&note, &[("text", text("many"))]))
        .collect();
    publish(&mut engine, &many);
    let counts = counts_of_a_document(&mut engine, &mut author, &note);
    let creates: Vec<_> = (0..10)
        .map(|_| author.create(&note, &[("text", text("many"))]))
        .collect();
    let (of_creates, written) = publish(&mut engine, &creates);
    let updates: Vec<_> = written
        .iter()
        .map(|written| author.update(&note, written))
        .collect();
    let (of_updates, _) = publish(&mut engine, &updates);

    assert_eq!(counts, [11, 13, 14, 14, 13]);
    // All but BEGIN and COMMIT is paid by each entry.
    assert_eq!((of_creates, of_updates), (2 + 10 * 9, 2 + 10 * 11));
}
