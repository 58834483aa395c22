//! Logs with branches: a fork loses nothing, whoever brings it and in whatever order.

use std::collections::BTreeMap;

use grove_core::author::{NextArgs, forge};
use grove_core::document::Document;
use grove_core::publish::PublishError;
use grove_core::session::PeerId;
use grove_core::time::Instant;
use grove_core::types::{
    DocumentId, DocumentViewId, Hash, KeyPair, LogId, OperationId, PublicKey, SchemaId, SeqNum,
    Signature, Value,
};
use grove_core::validate::{ForkEvidence, SignedEntry, Submission};
use grove_core::wire::{Message, Operation, SchemaSet};
use grove_core::{Reason, Refusal};
use grove_node::api::next_args;
use grove_node::engine::{
    AuthorLimits, Command, Engine, EngineLimits, EngineSettings, Input, Output, Policy, Purge,
    Rejection, verify,
};
use grove_node::store::{
    DocumentRow, ForkRow, MemoryStore, PostgresStore, Read, SqliteStore, Store,
};
use proptest::prelude::*;

use super::postgres_server::{Database, is_there};
use super::support::*;

/// A path from a first entry, which can be cut anywhere and grown on.
#[derive(Clone)]
pub(crate) struct Branch {
    key_pair: KeyPair,
    log_id: LogId,
    path: Vec<Hash>,
}

impl Branch {
    pub(crate) fn new(seed: u8, log_id: u64) -> Self {
        Self {
            key_pair: KeyPair::from_seed(&[seed; 32]),
            log_id: LogId::new(log_id),
            path: Vec::new(),
        }
    }

    /// The same branch up to so many entries.
    pub(crate) fn cut(&self, length: usize) -> Self {
        let mut cut = self.clone();
        cut.path.truncate(length);
        cut
    }

    pub(crate) fn args(&self) -> NextArgs {
        let hash_at = |at: SeqNum| self.path.get(at.as_u64() as usize - 1).copied();
        let length = SeqNum::new(self.path.len() as u64);
        match length.zip(self.path.last()) {
            None => NextArgs::first(self.log_id),
            Some((length, tip)) => NextArgs::after(self.log_id, length, *tip, hash_at).unwrap(),
        }
    }

    pub(crate) fn write(&mut self, operation: &Operation) -> Submission {
        let submission = forge(&self.key_pair, &self.args(), operation).unwrap();
        self.path.push(submission.entry().hash());
        submission
    }

    pub(crate) fn create(&mut self, note: &SchemaId, words: &str) -> Submission {
        let fields = fields(&[("text", text(words))]);
        let schema_id = note.clone();
        self.write(&Operation::Create { schema_id, fields })
    }

    pub(crate) fn update(
        &mut self,
        note: &SchemaId,
        on: &[OperationId],
        words: &str,
    ) -> Submission {
        self.write(&Operation::Update {
            schema_id: note.clone(),
            previous: DocumentViewId::from_tips(on.iter().copied()).unwrap(),
            fields: fields(&[("text", text(words))]),
        })
    }

    pub(crate) fn delete(&mut self, note: &SchemaId, on: &[OperationId]) -> Submission {
        self.write(&Operation::Delete {
            schema_id: note.clone(),
            previous: DocumentViewId::from_tips(on.iter().copied()).unwrap(),
        })
    }

    /// An update that ends the branch.
    fn update_and_end(&mut self, note: &SchemaId, on: &[OperationId], words: &str) -> Submission {
        let update = self.update(note, on, words);
        let mut entry = update.entry().entry().clone();
        entry.end_of_log = true;
        let bytes = entry.encode();
        let unsigned = &bytes[..bytes.len() - Signature::SIZE];
        entry.signature = self.key_pair.sign(unsigned);
        let signed = SignedEntry::verify(&entry.encode()).unwrap();
        *self.path.last_mut().unwrap() = signed.hash();
        signed.attach(update.payload().to_vec()).unwrap()
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.key_pair.public_key()
    }
}

pub(crate) const PEER: PeerId = PeerId([9; 32]);

/// Hands messages of one session to an engine; returns what it refused.
pub(crate) fn hand_over<S: Store>(engine: &mut Engine<S>, messages: Vec<Message>) -> Vec<Reason> {
    let request = Message::SyncRequest {
        session: 0,
        mode: 0,
        schemas: SchemaSet::from([SchemaId::SCHEMA_DEFINITION]),
    };
    let messages = [request].into_iter().chain(messages);
    let messages = messages.map(|message| Input::received(PEER, message));
    let mut refused = Vec::new();
    for input in [Input::PeerConnected(PEER)].into_iter().chain(messages) {
        engine.handle(Instant::ZERO, vec![input]).unwrap();
        while let Some(output) = engine.poll() {
            if let Output::Refused { reason, .. } = output {
                refused.push(reason);
            }
        }
    }
    refused
}

/// Hands entries to an engine as a peer does; returns what it refused.
pub(crate) fn receive<S: Store>(
    engine: &mut Engine<S>,
    submissions: &[&Submission],
) -> Vec<Reason> {
    let messages = submissions.iter().map(|submission| Message::Entry {
        session: 0,
        entry: submission.entry().bytes().to_vec(),
        payload: Some(submission.payload().to_vec()),
    });
    let refused = hand_over(engine, messages.collect());
    assert_eq!(verify(engine.store()).unwrap(), []);
    refused
}

/// The entry that is there and the fresh arguments of a publisher who would have forked.
fn would_fork(error: Rejection) -> (Hash, Option<NextArgs>) {
    match error {
        Rejection::Refused(PublishError::WouldFork { existing, next }) => {
            (existing, next.map(|next| *next))
        }
        other => panic!("{other}"),
    }
}

fn shown<S: Store>(engine: &Engine<S>, created: &Submission) -> (usize, Option<String>) {
    let row = engine.store().document(document(created)).unwrap().unwrap();
    let value = row.fields.map(|fields| match &fields["text"].0 {
        Value::Str(text) => text.clone(),
        other => panic!("{other:?}"),
    });
    (row.view_id.ids().len(), value)
}

/// A node with a document by author 2 and an update of it.
fn with_update() -> (TestEngine, SchemaId, Branch, [Submission; 2]) {
    let (mut engine, note) = with_notes(1, &mut Author::new(1));
    let mut branch = Branch::new(2, 0);
    let create = branch.create(&note, "one");
    let update = branch.update(&note, &[id(&create)], "two");
    publish(&mut engine, &create).unwrap();
    publish(&mut engine, &update).unwrap();
    (engine, note, branch, [create, update])
}

//= FK7 test
//= R24 test
#[test]
fn of_two_writes_with_the_same_arguments_the_second_is_told_how_to_go_on() {
    let (mut engine, note, branch, [create, update]) = with_update();
    let before = engine.store().counts().unwrap();
    let mut rival = branch.cut(1);
    let other = rival.update(&note, &[id(&create)], "rival");

    let refused = would_fork(publish(&mut engine, &other).unwrap_err());

    assert_eq!(refused, (update.entry().hash(), Some(branch.args())));
    assert_eq!(engine.store().counts().unwrap(), before, "no trace is left");
    let again = branch.clone().update(&note, &[id(&create)], "rival");
    publish(&mut engine, &again).unwrap();
    assert_eq!(shown(&engine, &create).0, 2, "both are in the document");
}

//= FK7 test
#[test]
fn a_second_create_in_a_used_log_is_told_a_new_one() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut rival = branch.cut(0);
    let other = rival.create(&note, "rival");

    let refused = would_fork(publish(&mut engine, &other).unwrap_err());

    let fresh = NextArgs::first(LogId::new(1));
    assert_eq!(refused, (create.entry().hash(), Some(fresh)));
}

#[test]
fn who_could_not_go_on_anyway_is_told_no_arguments() {
    let (mut engine, note, branch, [create, update]) = with_update();
    let mut longer = branch.clone();
    let delete = longer.delete(&note, &[id(&update)]);
    let unknown = branch
        .cut(1)
        .update(&note, &[Hash::of(b"unknown").into()], "x");
    let late = branch.cut(1).update(&note, &[id(&create)], "late");

    let (_, next) = would_fork(publish(&mut engine, &unknown).unwrap_err());
    assert_eq!(next, None);
    publish(&mut engine, &delete).unwrap();
    let (_, next) = would_fork(publish(&mut engine, &late).unwrap_err());
    assert_eq!(next, None);
}

//= FK8 test
#[test]
fn branches_that_peers_bring_all_count() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut left = branch.cut(1);
    let mut right = branch.cut(1);
    let one = left.update(&note, &[id(&create)], "left");
    let deeper = left.update(&note, &[id(&one)], "deeper");
    let third = left.cut(2).update(&note, &[id(&one)], "third");
    let other = right.update(&note, &[id(&create)], "right");

    let refused = receive(&mut engine, &[&one, &deeper, &third, &other]);

    assert_eq!(refused, []);
    assert_eq!(shown(&engine, &create).0, 4);
    let counts = engine.store().counts().unwrap();
    assert_eq!((counts.forks, counts.branches), (1, 3));
}

//= FK8 test
//= R28 test
#[test]
fn branches_that_come_too_early_wait_for_the_entry_before() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut left = branch.cut(1);
    let one = left.update(&note, &[id(&create)], "one");
    let two = left.update(&note, &[id(&one)], "two");
    let three = left.update(&note, &[id(&two)], "three");
    let rival = left.cut(2).update(&note, &[id(&create)], "rival");

    assert_eq!(receive(&mut engine, &[&three, &rival, &two]), []);
    assert_eq!(engine.store().counts().unwrap().parked, 3);
    assert_eq!(receive(&mut engine, &[&one]), []);

    assert_eq!(engine.store().counts().unwrap().parked, 0);
    assert_eq!(shown(&engine, &create).0, 3);
}

//= FK10 test
#[test]
fn a_skiplink_into_another_branch_is_refused() {
    let (mut engine, note, branch, [create, update]) = with_update();
    let mut left = branch.cut(1);
    let rival = left.update(&note, &[id(&create)], "rival");
    let third = left.update(&note, &[id(&rival)], "third");
    let fourth = left.update(&note, &[id(&third)], "fourth");
    let good = left.update(&note, &[id(&fourth)], "good");
    assert_eq!(receive(&mut engine, &[&rival, &third, &fourth, &good]), []);
    let (mut eighth, mut last) = (left.clone(), good.clone());
    for words in ["6", "7"] {
        last = eighth.update(&note, &[id(&last)], words);
        publish(&mut engine, &last).unwrap();
    }

    // The eighth entry skips to the fourth; here to one of the same number on another branch.
    let mut stray = left.cut(3);
    let other = stray.update(&note, &[id(&third)], "other fourth");
    assert_eq!(receive(&mut engine, &[&other]), []);
    let mut astray = eighth.clone();
    astray.path[3] = other.entry().hash();
    let wrong = astray.update(&note, &[id(&last)], "wrong");
    assert_eq!(receive(&mut engine, &[&wrong]), [Reason::SkiplinkMismatch]);
    let reason = publish(&mut engine, &wrong).unwrap_err().reason();
    assert_eq!(reason, Reason::SkiplinkMismatch);

    let right = eighth.update(&note, &[id(&last)], "right");
    publish(&mut engine, &right).unwrap();
    assert_eq!(id(&update), update.entry().operation_id());
}

//= FK9 test
#[test]
fn next_arguments_continue_the_longest_open_branch() {
    let (mut engine, note, branch, [create, update]) = with_update();
    let next = |engine: &TestEngine| {
        let view_id = id(&create).into();
        next_args(engine.store(), branch.key(), Some(&view_id)).map_err(|error| error.reason())
    };
    let mut other = branch.cut(1);
    let rival = other.update(&note, &[id(&create)], "rival");
    receive(&mut engine, &[&rival]);
    let lower = [&branch, &other]
        .into_iter()
        .min_by_key(|branch| branch.path[1]);
    assert_eq!(next(&engine), Ok(lower.unwrap().args()), "of equals");

    let longer = other.update(&note, &[id(&rival)], "longer");
    publish(&mut engine, &longer).unwrap();
    assert_eq!(next(&engine), Ok(other.args()), "the longer");

    let end = other.update_and_end(&note, &[id(&longer)], "end");
    publish(&mut engine, &end).unwrap();
    assert_eq!(next(&engine), Ok(branch.args()), "the open one");

    let mut branch = branch.clone();
    let end = branch.update_and_end(&note, &[id(&update)], "end");
    publish(&mut engine, &end).unwrap();
    assert_eq!(next(&engine), Err(Reason::LogEnded));
}

//= FK2 test
//= R8 test
#[test]
fn only_the_branch_that_ended_takes_nothing_more() {
    let (mut engine, note, mut branch, [create, update]) = with_update();
    let mut other = branch.cut(1);
    let end = branch.update_and_end(&note, &[id(&update)], "end");
    publish(&mut engine, &end).unwrap();
    let behind = branch.update(&note, &[id(&end)], "behind");
    let rival = other.update(&note, &[id(&create)], "rival");
    let longer = other.update(&note, &[id(&rival)], "longer");

    assert_eq!(receive(&mut engine, &[&behind]), [Reason::LogEnded]);
    let reason = publish(&mut engine, &behind).unwrap_err().reason();
    assert_eq!(reason, Reason::LogEnded);
    assert_eq!(receive(&mut engine, &[&rival, &longer]), []);
    publish(&mut engine, &other.update(&note, &[id(&longer)], "on")).unwrap();
}

//= FK8 test
#[test]
fn a_log_may_have_several_first_entries_with_a_document_each() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut second = branch.cut(0);
    let other = second.create(&note, "other");
    let update = second.update(&note, &[id(&other)], "more");

    assert_eq!(receive(&mut engine, &[&update, &other]), []);

    assert_eq!(shown(&engine, &create).1.as_deref(), Some("two"));
    assert_eq!(shown(&engine, &other).1.as_deref(), Some("more"));
    let on = |created: &Submission| {
        let view_id = id(created).into();
        next_args(engine.store(), branch.key(), Some(&view_id)).unwrap()
    };
    assert_eq!(on(&create), branch.args());
    assert_eq!(on(&other), second.args());
    publish(&mut engine, &second.update(&note, &[id(&update)], "on")).unwrap();
    assert_eq!(shown(&engine, &other).1.as_deref(), Some("on"));
}

//= FK11 test
#[test]
fn a_tree_takes_no_operation_of_another_document() {
    let (mut engine, note, branch, _) = with_update();
    let theirs = Branch::new(3, 0).create(&note, "theirs");
    publish(&mut engine, &theirs).unwrap();
    let mut other = branch.cut(1);
    let astray = other.update(&note, &[id(&theirs)], "astray");

    assert_eq!(receive(&mut engine, &[&astray]), [Reason::LogIdInUse]);
}

#[test]
fn two_logs_of_one_author_for_one_document_both_count() {
    let (mut engine, note, _, [create, _]) = with_update();
    let (mut one, mut two) = (Branch::new(3, 0), Branch::new(3, 1));
    let mine = one.update(&note, &[id(&create)], "mine");
    let also = two.update(&note, &[id(&create)], "also mine");
    publish(&mut engine, &mine).unwrap();

    let reason = publish(&mut engine, &also).unwrap_err().reason();
    assert_eq!(reason, Reason::LogIdMismatch, "a client keeps to one log");
    assert_eq!(
        receive(&mut engine, &[&also]),
        [],
        "another node chose another"
    );

    assert_eq!(shown(&engine, &create).0, 3);
    publish(&mut engine, &two.update(&note, &[id(&also)], "on")).unwrap();
}

//= R23 test
#[test]
fn a_retry_on_a_branch_gets_the_first_answer_again() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut other = branch.cut(1);
    let rival = other.update(&note, &[id(&create)], "rival");
    receive(&mut engine, &[&rival]);
    let after_rival = other.args();
    let more = other.update(&note, &[id(&rival)], "more");
    publish(&mut engine, &more).unwrap();

    assert_eq!(publish(&mut engine, &rival).unwrap(), after_rival);
    assert_eq!(publish(&mut engine, &create).unwrap(), branch.cut(1).args());
    assert_eq!(publish(&mut engine, &more).unwrap(), other.args());
}

#[test]
fn a_delete_on_one_branch_ends_the_document() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut other = branch.cut(1);
    let delete = other.delete(&note, &[id(&create)]);
    let late = branch.cut(1).update(&note, &[id(&create)], "late");

    assert_eq!(receive(&mut engine, &[&delete, &late]), []);

    assert_eq!(
        engine
            .store()
            .document(document(&create))
            .unwrap()
            .map(|row| row.is_deleted()),
        Some(true)
    );
    let rows = engine.store().document_entries(document(&create)).unwrap();
    let kept = rows.iter().filter(|row| row.payload.is_some());
    assert_eq!((rows.len(), kept.count()), (4, 1));
}

#[test]
fn a_log_is_purged_with_all_its_branches_and_takes_no_more() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut other = branch.cut(1);
    let mut root = branch.cut(0);
    let rival = other.update(&note, &[id(&create)], "rival");
    let second = root.create(&note, "second root");
    receive(&mut engine, &[&rival, &second]);
    let log = (branch.key(), LogId::new(0));
    let reclaimed = command(&mut engine, Command::Purge(Purge::Logs(vec![log])));
    assert_eq!((reclaimed.items, reclaimed.documents), (1, 2));

    let more = other.update(&note, &[id(&rival)], "more");
    let beside = branch.cut(1).update(&note, &[id(&create)], "beside");
    let third = branch.cut(0).create(&note, "third root");
    assert_eq!(receive(&mut engine, &[&more, &beside, &third]), []);

    for created in [&create, &second, &third] {
        assert_eq!(engine.store().document(document(created)).unwrap(), None);
        let rows = engine.store().document_entries(document(created)).unwrap();
        assert!(!rows.is_empty());
        assert!(rows.iter().all(|row| row.payload.is_none() && row.purged));
    }
    let reason = publish(&mut engine, &beside).unwrap_err().reason();
    assert_eq!(reason, Reason::LogPurged);
}

#[test]
fn a_branch_without_operations_is_filled_when_they_come() {
    let (mut engine, note, branch, [create, _]) = with_update();
    let mut other = branch.cut(1);
    let rival = other.update(&note, &[id(&create)], "rival");
    let skeleton = Message::Skeleton {
        session: 0,
        entry: rival.entry().bytes().to_vec(),
        schema: note.clone(),
        document: document(&create),
        previous: None,
    };

    assert_eq!(hand_over(&mut engine, vec![skeleton]), []);
    assert_eq!(shown(&engine, &create).0, 1);
    assert_eq!(receive(&mut engine, &[&rival]), []);

    assert_eq!(shown(&engine, &create).0, 2);
}

//= FK3 test
#[test]
fn evidence_is_the_lowest_pair_and_told_once() {
    let (mut engine, note, branch, [create, update]) = with_update();
    let mut rivals: Vec<_> = ["a", "b", "c"]
        .map(|words| branch.cut(1).update(&note, &[id(&create)], words))
        .into();
    let mut told = 0;
    for rival in &rivals {
        let input = Message::Entry {
            session: 0,
            entry: rival.entry().bytes().to_vec(),
            payload: Some(rival.payload().to_vec()),
        };
        let request = Message::SyncRequest {
            session: 0,
            mode: 0,
            schemas: SchemaSet::from([note.clone()]),
        };
        let inputs = [request, input].map(|message| Input::received(PEER, message));
        let inputs = [Input::PeerConnected(PEER)].into_iter().chain(inputs);
        engine.handle(Instant::ZERO, inputs.collect()).unwrap();
        while let Some(output) = engine.poll() {
            told += usize::from(matches!(output, Output::Forked { .. }));
        }
    }
    assert_eq!(told, 1);

    rivals.push(update);
    rivals.sort_by_key(|rival| rival.entry().hash());
    let [first, second] = [0, 1].map(|at: usize| rivals[at].entry().clone());
    let expected = ForkRow::from(&ForkEvidence::of(first, second).unwrap());
    let kept = engine.store().fork(branch.key(), LogId::new(0)).unwrap();
    assert_eq!(kept, Some(expected));

    let root = branch.cut(0).create(&note, "root");
    receive(&mut engine, &[&root]);
    let kept = engine.store().fork(branch.key(), LogId::new(0)).unwrap();
    assert_eq!(kept.unwrap().seq_num, SeqNum::FIRST, "the lowest position");
}

#[test]
fn an_author_has_only_as_much_as_the_operator_allows() {
    let start = |authors| {
        let store = SqliteStore::in_memory().unwrap();
        let mut settings = EngineSettings::new(PeerId([1; 32]));
        settings.limits = EngineLimits {
            authors,
            ..settings.limits
        };
        let mut engine = Engine::new(store, settings).unwrap();
        let (definitions, note) = note_schema(&mut Author::new(1));
        for definition in &definitions {
            publish(&mut engine, definition).unwrap();
        }
        (engine, note)
    };
    let default = AuthorLimits::default();

    let (mut engine, note) = start(AuthorLimits {
        branches: 2,
        ..default
    });
    let mut branch = Branch::new(2, 0);
    let create = branch.create(&note, "one");
    let rivals = ["a", "b", "c"].map(|words| branch.cut(1).update(&note, &[id(&create)], words));
    let [a, b, c] = &rivals;
    assert_eq!(receive(&mut engine, &[&create, a, b]), []);
    assert_eq!(receive(&mut engine, &[c]), [Reason::AuthorLimit]);

    let (mut engine, note) = start(AuthorLimits {
        logs: Some(2),
        ..default
    });
    let creates = [0, 1, 2].map(|log| Branch::new(2, log).create(&note, "one"));
    publish(&mut engine, &creates[0]).unwrap();
    publish(&mut engine, &creates[1]).unwrap();
    let reason = publish(&mut engine, &creates[2]).unwrap_err().reason();
    assert_eq!(reason, Reason::AuthorLimit);
    assert!(
        publish(&mut engine, &creates[1]).is_ok(),
        "a retry is none more"
    );

    let (mut engine, note) = start(AuthorLimits {
        entries: Some(2),
        ..default
    });
    let mut branch = Branch::new(2, 0);
    let create = branch.create(&note, "one");
    let update = branch.update(&note, &[id(&create)], "two");
    let third = branch.update(&note, &[id(&update)], "three");
    publish(&mut engine, &create).unwrap();
    publish(&mut engine, &update).unwrap();
    let reason = publish(&mut engine, &third).unwrap_err().reason();
    assert_eq!(reason, Reason::AuthorLimit);
}

/// What a generated operation does.
#[derive(Debug, Clone)]
struct Planned {
    author: u8,
    /// The entry it follows; with none it is a first entry.
    parent: Option<prop::sample::Index>,
    /// What it is made on top of, of all operations before it; with none it begins a document.
    on: Option<prop::sample::Index>,
    deletes: bool,
}

fn any_planned() -> impl Strategy<Value = Planned> {
    let index = any::<prop::sample::Index>;
    (
        2..4u8,
        prop::option::weighted(0.85, index()),
        prop::option::weighted(0.8, index()),
        prop::bool::weighted(0.25),
    )
        .prop_map(|(author, parent, on, deletes)| Planned {
            author,
            parent,
            on,
            deletes,
        })
}

/// Logs with any branches, all of log 0 of two authors, and the definitions they need. A tree belongs to
/// one document; a document may be deleted several times, on several branches.
fn history(plan: &[Planned]) -> (Vec<Submission>, SchemaId) {
    let (mut all, note) = note_schema(&mut Author::new(1));
    let mut written: Vec<(Branch, Submission, usize)> = Vec::new();
    for (number, planned) in plan.iter().enumerate() {
        let own: Vec<usize> = (0..written.len())
            .filter(|at| written[*at].0.key() == Branch::new(planned.author, 0).key())
            .collect();
        let parent = planned.parent.filter(|_| !own.is_empty());
        let parent = parent.map(|index| own[index.index(own.len())]);
        let mut branch = match parent {
            Some(parent) => written[parent].0.clone(),
            None => Branch::new(planned.author, 0),
        };
        // What a tree's operations may be made on top of: those of its document, or any to begin with.
        let of_document =
            |at: &usize| parent.is_none_or(|parent| written[*at].2 == written[parent].2);
        let before: Vec<usize> = (0..written.len()).filter(of_document).collect();
        let on = planned.on.filter(|_| !before.is_empty());
        let on = on.map(|index| before[index.index(before.len())]);
        let on = on.or(parent);
        let words = number.to_string();
        let (submission, document) = match on {
            None => (branch.create(&note, &words), number),
            Some(on) => {
                let previous = [id(&written[on].1)];
                let document = written[on].2;
                let submission = match planned.deletes {
                    true => branch.delete(&note, &previous),
                    false => branch.update(&note, &previous, &words),
                };
                (submission, document)
            }
        };
        all.push(submission.clone());
        written.push((branch, submission, document));
    }
    (all, note)
}

/// Everything that two nodes with the same entries must agree on.
fn state<S: Store>(engine: &Engine<S>, all: &[Submission], note: &SchemaId) -> String {
    let store = engine.store();
    assert_eq!(verify(store).unwrap(), []);
    let mut entries: Vec<_> = store
        .schema_entries(note)
        .unwrap()
        .into_iter()
        .map(|row| (row.hash, row.payload, row.document))
        .collect();
    entries.sort();
    let documents: Vec<_> = entries.iter().map(|(.., document)| *document).collect();
    let shown = store.documents(&documents).unwrap();
    shown
        .values()
        .for_each(|row| check_view(row, &entries, all));
    let schemas = SchemaSet::from([note.clone()]);
    let keys = [2, 3].map(|seed| Branch::new(seed, 0).key());
    let forks = keys.map(|key| store.fork(key, LogId::new(0)).unwrap());
    let proposed: Vec<_> = all
        .iter()
        .flat_map(|submission| keys.map(|key| (key, DocumentViewId::from(id(submission)))))
        .map(|(key, view_id)| next_args(store, key, Some(&view_id)).map_err(|error| error.reason()))
        .collect();
    let (tips, heights) = (store.tips(&schemas), store.heights(&schemas));
    let counts = store.counts().unwrap();
    assert_eq!(counts.parked, 0);
    format!("{entries:#?}{shown:#?}{forks:?}{proposed:#?}{tips:?}{heights:?}{counts:?}")
}

/// Checks that a document has the view which its operations lead to from scratch, though most of them are gone.
fn check_view(
    row: &DocumentRow,
    entries: &[(Hash, Option<Vec<u8>>, DocumentId)],
    all: &[Submission],
) {
    let of_document = |submission: &&Submission| {
        let hash = submission.entry().hash();
        let found = entries.iter().find(|(other, ..)| *other == hash);
        found.is_some_and(|(.., document)| *document == row.id)
    };
    // A plan may write the same entry twice.
    let operations = all.iter().filter(of_document);
    let operations: BTreeMap<_, _> = operations
        .map(|submission| (id(submission), submission.operation().unwrap()))
        .collect();
    let expected = Document::reduce(operations).unwrap();
    let actual = (&row.view_id, row.is_deleted());
    assert_eq!(actual, (&expected.view_id, expected.is_deleted()));
}

/// The entries of the definitions, then those of one half of the others in some order, then all others.
fn in_halves<'a>(all: &'a [Submission], first: &[bool], seed: u64) -> Vec<&'a Submission> {
    let (definitions, others) = all.split_at(2);
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by_key(|at| {
        let is_second = !first[at % first.len()];
        let noise = Hash::of(&[seed.to_be_bytes(), (*at as u64).to_be_bytes()].concat());
        (is_second, noise)
    });
    let others = order.into_iter().map(|at| &others[at]);
    definitions.iter().chain(others).collect()
}

fn fed<S: Store>(store: S, order: &[&Submission]) -> Engine<S> {
    let mut engine = engine_over(store, 1, Policy::default());
    assert_eq!(receive(&mut engine, order), []);
    engine
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    //= FK8 test
    #[test]
    fn any_two_sets_of_branches_in_any_two_orders_lead_to_one_state_on_all_stores(
        plan in prop::collection::vec(any_planned(), 1..14),
        first in prop::collection::vec(any::<bool>(), 14),
        seeds: [u64; 3],
    ) {
        let (all, note) = history(&plan);
        let second: Vec<bool> = first.iter().map(|is_first| !is_first).collect();

        let memory = fed(MemoryStore::new(), &in_halves(&all, &first, seeds[0]));
        let expected = state(&memory, &all, &note);
        let sqlite = SqliteStore::in_memory().unwrap();
        let sqlite = fed(sqlite, &in_halves(&all, &second, seeds[1]));

        prop_assert_eq!(&state(&sqlite, &all, &note), &expected);
        if is_there() {
            let place = Database::new().unwrap();
            let server = PostgresStore::open(&place.server()).unwrap();
            let server = fed(server, &in_halves(&all, &first, seeds[2]));
            prop_assert_eq!(&state(&server, &all, &note), &expected);
        }
    }
}
