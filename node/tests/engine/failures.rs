//! A store that fails at any one of its calls: the engine holds the state before or after, tells whoever
//! waits, and goes on as if nothing had been.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::Submission;
use grove_core::wire::{Action, Heights, Message, SchemaSet, Tips};
use grove_core::{Reason, Refusal};
use grove_node::engine::{Engine, EngineSettings, Input, Output, RequestId, verify};
use grove_node::store::{
    Change, Counts, DocumentQuery, DocumentRow, EntryRow, ForkRow, Need, NewEntry, News,
    OperationRow, ParkedMax, ParkedRow, PlacedEntry, Read, SchemaRow, SqliteStore, Store,
    StoreError, Take, ToldRow, TreeRow, Usage,
};

use super::support::*;

/// A store of which some calls fail, before or after they did what was asked.
struct Failing {
    store: SqliteStore,
    /// How many calls were made.
    calls: Cell<u64>,
    fails_at: Range<u64>,
    afterwards: bool,
}

impl Failing {
    fn call<T>(&self, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        if !self.fails_at.contains(&number) {
            return call();
        }
        if self.afterwards {
            call()?;
        }
        Err(StoreError::Failed("as planned".to_owned()))
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        if !self.fails_at.contains(&number) {
            return change(&mut self.store);
        }
        if self.afterwards {
            change(&mut self.store)?;
        }
        Err(StoreError::Failed("as planned".to_owned()))
    }
}

macro_rules! asks {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        $(fn $name(&self $(, $argument: $kind)*) -> Result<$answer, StoreError> {
            self.call(|| self.store.$name($($argument),*))
        })+
    };
}

macro_rules! changes {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        $(fn $name(&mut self $(, $argument: $kind)*) -> Result<$answer, StoreError> {
            self.change(|store| store.$name($($argument),*))
        })+
    };
}

impl Read for Failing {
    fn at_once(
        &self,
        questions: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.call(|| self.store.at_once(questions))
    }

    asks! {
        tree_of_tip(key: PublicKey, log_id: LogId, tip: Hash) -> Option<TreeRow>;
        tree_of_document(key: PublicKey, document: DocumentId) -> Option<TreeRow>;
        trees(key: PublicKey, log_id: LogId) -> Vec<TreeRow>;
        branches(key: PublicKey, log_id: LogId, max: u32) -> u64;
        usage(key: PublicKey, max: u64) -> Usage;
        highest_log_id(key: PublicKey) -> Option<LogId>;
        entries_at(key: PublicKey, log_id: LogId, seq_num: SeqNum, limit: u32) -> Vec<PlacedEntry>;
        placed(hash: Hash) -> Option<PlacedEntry>;
        entry(hash: Hash) -> Option<EntryRow>;
        operation(id: OperationId) -> Option<OperationRow>;
        payload_size(id: OperationId) -> Option<u64>;
        document_entries(document: DocumentId) -> Vec<EntryRow>;
        schema_entries(schema_id: &SchemaId) -> Vec<EntryRow>;
        operations(ids: &[OperationId]) -> BTreeMap<OperationId, OperationRow>;
        entries_of_documents(documents: &[DocumentId]) -> Vec<EntryRow>;
        documents(ids: &[DocumentId]) -> BTreeMap<DocumentId, DocumentRow>;
        logs_of(key: PublicKey, after: Option<LogId>, limit: u32) -> Vec<TreeRow>;
        position() -> i64;
        changes(after: i64, limit: u32) -> Vec<Change>;
        entries_from(starts: &Heights, after: i64, limit: u32) -> Vec<EntryRow>;
        entries_between(after: i64, until: i64, limit: u32) -> Vec<EntryRow>;
        told_after(after: i64, limit: u32) -> Vec<ToldRow>;
        tips(schemas: &SchemaSet) -> Tips;
        heights(schemas: &SchemaSet) -> Heights;
        document(id: DocumentId) -> Option<DocumentRow>;
        visit(schema_id: &SchemaId, query: &DocumentQuery, take: Take<'_>) -> ();
        count(schema_id: &SchemaId, query: &DocumentQuery) -> u64;
        schema_rows(after: Option<&SchemaId>, limit: u32) -> Vec<SchemaRow>;
        kept_schema(id: &SchemaId) -> Option<SchemaRow>;
        broken_definitions() -> BTreeMap<Hash, String>;
        fork(key: PublicKey, log_id: LogId) -> Option<ForkRow>;
        position_at(at: i64) -> Option<i64>;
        audit_log(limit: u32) -> Vec<(i64, String)>;
        counts() -> Counts;
    }
}

impl Store for Failing {
    changes! {
        begin() -> Option<News>;
        commit() -> ();
        rollback() -> ();
        insert_entry(entry: NewEntry<'_>) -> i64;
        restore_payload(hash: Hash, payload: &[u8], action: Action) -> ();
        drop_payloads(document: DocumentId) -> ();
        doubt(hash: Hash) -> ();
        leave_stub(hash: Hash, stub: &[u8]) -> ();
        insert_change(document: DocumentId) -> ();
        purge_log(key: PublicKey, log_id: LogId) -> u64;
        collect(hash: Hash, stub: Option<&[u8]>) -> ();
        insert_time(at: i64) -> ();
        insert_audit_entry(at: i64, what: &str) -> ();
        reassign_tree(first: Hash, document: DocumentId, schema: &SchemaId) -> ();
        unmaterialised(limit: u32) -> Vec<DocumentId>;
        insert_fork(fork: &ForkRow) -> ();
        put_document(document: &DocumentRow) -> ();
        remove_document(id: DocumentId) -> ();
        insert_schema(row: &SchemaRow) -> ();
        remove_schema(id: &SchemaId) -> ();
        insert_broken_definition(view: Hash, cause: &str) -> ();
        park(row: &ParkedRow, need: &Need) -> ();
        unpark(need: &Need) -> Vec<ParkedRow>;
        evict_parked(max: ParkedMax) -> u64;
    }
}

const PEER: PeerId = PeerId([9; 32]);

/// What a node is told, at once.
struct Step {
    published: Vec<Submission>,
    received: Vec<Submission>,
}

/// A schema and a document of its own; from a peer what came too early, what it waited for, a fork; a
/// deletion; and the next operation on what was forked.
fn script() -> (Vec<Step>, SchemaId, Vec<DocumentId>) {
    let (mut a, mut b) = (Author::new(1), Author::new(2));
    let (definitions, note) = note_schema(&mut a);
    let say = |words: &str| fields(&[("text", text(words))]);
    let one = a.create(&note, say("one"));
    let two = b.create(&note, say("two"));
    let [first, second] = [document(&one), document(&two)];
    let early = b.update(&note, first, &[id(&one)], say("early"));
    let later = b.update(&note, first, &[id(&early)], say("later"));
    let merge = a.update(&note, first, &[id(&later)], say("merged"));
    let delete = b.delete(&note, second, &[id(&two)]);
    let three = a.create(&note, say("three"));
    let third = document(&three);
    let kept = a.update(&note, third, &[id(&three)], say("kept"));
    a.forget_latest(third);
    let fork = a.update(&note, third, &[id(&three)], say("forked"));
    let publish = |submissions: &[&Submission]| Step {
        published: submissions.iter().copied().cloned().collect(),
        received: Vec::new(),
    };
    let receive = |submissions: &[&Submission]| Step {
        published: Vec::new(),
        received: submissions.iter().copied().cloned().collect(),
    };
    let steps = vec![
        publish(&definitions.iter().collect::<Vec<_>>()),
        receive(&[&later, &early, &merge]),
        publish(&[&one, &three]),
        publish(&[&two]),
        receive(&[&delete, &kept]),
        receive(&[&fork]),
        publish(&[&one]),
    ];
    (steps, note, vec![first, second, third])
}

/// Everything of a node that must be the same whatever failed on the way.
type State = (Counts, Vec<Option<DocumentRow>>, Vec<Option<Vec<u8>>>);

fn state(engine: &Engine<Failing>, note: &SchemaId, documents: &[DocumentId]) -> State {
    let store = &engine.store().store;
    assert_eq!(verify(store).unwrap(), []);
    let rows = documents.iter().map(|id| store.document(*id).unwrap());
    let mut entries = store.schema_entries(note).unwrap();
    entries.sort_by_key(|row| row.hash);
    (
        store.counts().unwrap(),
        rows.collect(),
        entries.into_iter().map(|row| row.payload).collect(),
    )
}

fn inputs(step: &Step, note: &SchemaId) -> Vec<Input> {
    let published = step.published.iter().enumerate();
    let mut inputs: Vec<_> = published
        .map(|(number, submission)| Input::Publish {
            request: RequestId(number as u64),
            submission: Box::new(submission.clone()),
        })
        .collect();
    if step.received.is_empty() {
        return inputs;
    }
    let schemas = SchemaSet::from([SchemaId::SCHEMA_DEFINITION, note.clone()]);
    let message = |message| Input::received(PEER, message);
    inputs.push(Input::PeerConnected(PEER));
    inputs.push(message(Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas,
    }));
    inputs.extend(step.received.iter().map(|submission| {
        message(Message::Entry {
            session: 0,
            entry: submission.entry().bytes().to_vec(),
            payload: Some(submission.payload().to_vec()),
        })
    }));
    inputs
}

/// Hands a step to the engine; returns whether all went well. Every publisher is answered once, with
/// success or the store's failure, and the peer is greeted whatever happens.
fn take(engine: &mut Engine<Failing>, step: &Step, note: &SchemaId) -> bool {
    let handled = engine.handle(Instant::ZERO, inputs(step, note)).is_ok();
    let mut answers = BTreeMap::new();
    let mut greetings = 0;
    while let Some(output) = engine.poll() {
        match output {
            Output::Published { request, result } => {
                let result = result.map_err(|error| error.reason());
                assert!(answers.insert(request, result).is_none(), "answered twice");
            }
            Output::Send { peer, message } => {
                assert_eq!(peer, PEER);
                greetings += u64::from(matches!(message, Message::Announce { .. }));
            }
            _ => {}
        }
    }
    assert_eq!(answers.len(), step.published.len());
    for result in answers.values() {
        match result {
            Ok(_) => assert!(handled, "what is not durable is not answered as published"),
            Err(reason) => assert_eq!((*reason, handled), (Reason::StoreFailed, false)),
        }
    }
    assert!(step.received.is_empty() || greetings > 0);
    handled
}

fn start(fails_at: Range<u64>, afterwards: bool) -> Result<Engine<Failing>, StoreError> {
    let store = Failing {
        store: SqliteStore::in_memory().unwrap(),
        calls: Cell::new(0),
        fails_at,
        afterwards,
    };
    Engine::new(store, EngineSettings::new(PeerId([1; 32])))
}

#[test]
fn any_one_failure_of_the_store_leaves_the_old_or_the_new_state() {
    let (steps, note, documents) = script();
    let mut engine = start(0..0, false).unwrap();
    let calls_at_start = engine.store().calls.get();
    let mut states = vec![state(&engine, &note, &documents)];
    for step in &steps {
        assert!(take(&mut engine, step, &note));
        states.push(state(&engine, &note, &documents));
    }
    let calls = engine.store().calls.get();
    let last = states.last().unwrap();
    assert!(last.0.forks == 1 && last.0.parked == 0 && last.1[1].as_ref().unwrap().is_deleted());
    assert!(states.iter().any(|state| state.0.parked > 0));

    for (fails_at, afterwards) in (calls_at_start..calls).flat_map(|n| [(n, false), (n, true)]) {
        let mut engine = start(fails_at..fails_at + 1, afterwards).unwrap();
        let mut failures = 0;
        for (number, step) in steps.iter().enumerate() {
            while !take(&mut engine, step, &note) {
                failures += 1;
                let now = state(&engine, &note, &documents);
                let possible = &states[number..=number + 1];
                assert!(possible.contains(&now), "call {fails_at}, step {number}");
                assert_eq!(failures, 1, "call {fails_at} fails once");
            }
            let now = state(&engine, &note, &documents);
            assert_eq!(now, states[number + 1], "call {fails_at}, step {number}");
        }
    }
}

#[test]
fn failures_of_what_mends_failures_are_mended_too() {
    let (steps, note, documents) = script();
    let mut engine = start(0..0, false).unwrap();
    let calls_at_start = engine.store().calls.get();
    for step in &steps {
        assert!(take(&mut engine, step, &note));
    }
    let expected = state(&engine, &note, &documents);
    let calls = engine.store().calls.get();

    for fails_at in (calls_at_start..calls).step_by(3) {
        for count in 2..=4 {
            let mut engine = start(fails_at..fails_at + count, false).unwrap();
            for step in &steps {
                let attempts = (0..=count + 1).find(|_| take(&mut engine, step, &note));
                assert!(attempts.is_some(), "calls {fails_at} and on");
            }
            assert_eq!(
                state(&engine, &note, &documents),
                expected,
                "call {fails_at}"
            );
        }
    }
}

#[test]
fn an_engine_does_not_start_on_a_store_that_cannot_be_read() {
    let calls = start(0..0, false).unwrap().store().calls.get();
    assert!(calls > 0);
    for fails_at in 0..calls {
        assert!(start(fails_at..fails_at + 1, false).is_err());
    }
}
