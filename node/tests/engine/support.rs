//! Authors who remember their logs, and engines over SQLite in memory.

use std::collections::BTreeMap;

use grove_core::author::{NextArgs, forge};
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, KeyPair, LogId, OperationId, PlainValue, SchemaId, SeqNum,
};
use grove_core::validate::Submission;
use grove_core::wire::{Fields, Operation};
use grove_node::engine::{
    Command, Engine, EngineSettings, Input, Output, Policy, Reclaimed, Rejection, RequestId, verify,
};
use grove_node::store::{DocumentRow, SqliteStore, Store};

pub(crate) type TestEngine = Engine<SqliteStore>;

pub(crate) fn engine(identity: u8) -> TestEngine {
    engine_with(identity, Policy::default())
}

pub(crate) fn engine_with(identity: u8, policy: Policy) -> TestEngine {
    engine_over(SqliteStore::in_memory().unwrap(), identity, policy)
}

pub(crate) fn engine_over<S: Store>(store: S, identity: u8, policy: Policy) -> Engine<S> {
    let settings = EngineSettings {
        policy,
        ..EngineSettings::new(PeerId([identity; 32]))
    };
    Engine::new(store, settings).unwrap()
}

pub(crate) fn publish<S: Store>(
    engine: &mut Engine<S>,
    submission: &Submission,
) -> Result<NextArgs, Rejection> {
    let submission = Box::new(submission.clone());
    let input = Input::Publish {
        request: RequestId(7),
        submission,
    };
    engine.handle(Instant::ZERO, vec![input]).unwrap();
    let mut answer = None;
    while let Some(output) = engine.poll() {
        if let Output::Published { result, .. } = output {
            answer = Some(result);
        }
    }
    answer.expect("every request is answered")
}

pub(crate) fn command(engine: &mut TestEngine, command: Command) -> Reclaimed {
    let input = Input::Command {
        request: RequestId(8),
        command: Box::new(command),
    };
    engine.handle(Instant::ZERO, vec![input]).unwrap();
    let mut answer = None;
    while let Some(output) = engine.poll() {
        if let Output::Done { result, .. } = output {
            answer = Some(result.unwrap());
        }
    }
    assert_eq!(verify(engine.store()).unwrap(), []);
    answer.expect("every command is answered")
}

/// An author who needs no node to write.
pub(crate) struct Author {
    pub key_pair: KeyPair,
    logs: BTreeMap<LogId, Vec<Hash>>,
    documents: BTreeMap<DocumentId, LogId>,
}

impl Author {
    pub(crate) fn new(seed: u8) -> Self {
        let key_pair = KeyPair::from_seed(&[seed; 32]);
        Self {
            key_pair,
            logs: BTreeMap::new(),
            documents: BTreeMap::new(),
        }
    }

    pub(crate) fn create(
        &mut self,
        schema_id: &SchemaId,
        fields: Fields<PlainValue>,
    ) -> Submission {
        let log_id = LogId::new(self.logs.len() as u64);
        let operation = Operation::Create {
            schema_id: schema_id.clone(),
            fields,
        };
        let submission = self.write(log_id, &operation);
        self.documents
            .insert(submission.entry().operation_id().into(), log_id);
        submission
    }

    pub(crate) fn update(
        &mut self,
        schema_id: &SchemaId,
        document: DocumentId,
        previous: &[OperationId],
        fields: Fields<PlainValue>,
    ) -> Submission {
        let previous = DocumentViewId::from_tips(previous.iter().copied()).unwrap();
        let operation = Operation::Update {
            schema_id: schema_id.clone(),
            previous,
            fields,
        };
        self.continue_document(document, &operation)
    }

    pub(crate) fn delete(
        &mut self,
        schema_id: &SchemaId,
        document: DocumentId,
        previous: &[OperationId],
    ) -> Submission {
        let previous = DocumentViewId::from_tips(previous.iter().copied()).unwrap();
        let operation = Operation::Delete {
            schema_id: schema_id.clone(),
            previous,
        };
        self.continue_document(document, &operation)
    }

    fn continue_document(&mut self, document: DocumentId, operation: &Operation) -> Submission {
        let next_log = LogId::new(self.logs.len() as u64);
        let log_id = *self.documents.entry(document).or_insert(next_log);
        self.write(log_id, operation)
    }

    fn write(&mut self, log_id: LogId, operation: &Operation) -> Submission {
        let log = self.logs.entry(log_id).or_default();
        let args = match log.last() {
            None => NextArgs::first(log_id),
            Some(tip) => {
                let latest = SeqNum::new(log.len() as u64).unwrap();
                let hash_at = |n: SeqNum| log.get(n.as_u64() as usize - 1).copied();
                NextArgs::after(log_id, latest, *tip, hash_at).unwrap()
            }
        };
        let submission = forge(&self.key_pair, &args, operation).unwrap();
        log.push(submission.entry().hash());
        submission
    }

    /// Forgets the newest entry of a document's log, so that the next one forks it.
    pub(crate) fn forget_latest(&mut self, document: DocumentId) {
        let log_id = self.documents[&document];
        self.logs.get_mut(&log_id).unwrap().pop();
    }
}

pub(crate) fn text(value: &str) -> PlainValue {
    PlainValue::Str(value.to_owned())
}

pub(crate) fn fields(pairs: &[(&str, PlainValue)]) -> Fields<PlainValue> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

pub(crate) fn id(submission: &Submission) -> OperationId {
    submission.entry().operation_id()
}

pub(crate) fn document(submission: &Submission) -> DocumentId {
    id(submission).into()
}

/// The entries of a schema `note { text: str }`, fields first, and its id.
pub(crate) fn note_schema(author: &mut Author) -> (Vec<Submission>, SchemaId) {
    let field = author.create(
        &SchemaId::SCHEMA_FIELD_DEFINITION,
        fields(&[("name", text("text")), ("type", text("str"))]),
    );
    let definition = author.create(
        &SchemaId::SCHEMA_DEFINITION,
        fields(&[
            ("name", text("note")),
            ("description", text("")),
            ("fields", PlainValue::ViewIds(vec![id(&field).into()])),
        ]),
    );
    let view_id = id(&definition).into();
    let schema_id = SchemaId::Application {
        name: "note".parse().unwrap(),
        view_id,
    };
    (vec![field, definition], schema_id)
}

/// An engine that knows the schema `note`.
pub(crate) fn with_notes(identity: u8, author: &mut Author) -> (TestEngine, SchemaId) {
    let mut engine = engine(identity);
    let (definitions, schema_id) = note_schema(author);
    for submission in &definitions {
        publish(&mut engine, submission).unwrap();
    }
    (engine, schema_id)
}

/// Everything clients can see of a node's documents.
pub(crate) fn visible<S: Store>(
    engine: &Engine<S>,
    documents: &[DocumentId],
) -> Vec<Option<DocumentRow>> {
    documents
        .iter()
        .map(|id| engine.store().document(*id).unwrap())
        .collect()
}
