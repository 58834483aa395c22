//! Judging over a small world in memory: any entries with links, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::author::{NextArgs, forge, sign_entry};
use crate::reason::{Reason, Refusal};
use crate::types::{KeyPair, PlainValue};
use crate::validate::{LogError, SignedEntry};

use crate::wire::{Action, Fields};
use proptest::prelude::*;

/// Everything that was taken.
#[derive(Default)]
struct TestSource {
    entries: BTreeMap<Hash, KnownEntry>,
    operations: BTreeMap<OperationId, KnownOperation>,
    deleted: BTreeSet<DocumentId>,
    /// Whether the last entries of branches are found at one look.
    quick: bool,
}

impl TestSource {
    fn take(&mut self, submission: &Submission, source: Source) -> Result<NextArgs, PublishError> {
        let signed = submission.entry();
        if let Judgement::Accept(acceptance) = judge(self, submission, source)? {
            let known = KnownEntry::new(signed.entry(), signed.hash(), acceptance.document);
            self.entries.insert(signed.hash(), known);
            self.operations.insert(
                signed.operation_id(),
                KnownOperation {
                    document: acceptance.document,
                    schema_id: acceptance.operation.schema_id().clone(),
                },
            );
            if acceptance.operation.action() == Action::Delete {
                self.deleted.insert(acceptance.document);
            }
        }
        let branch = self.entries[&signed.hash()].branch();
        next_args_after(self, signed.entry().public_key, &branch)
    }

    /// The end that is to be continued of all branches that end in one of these entries.
    fn preferred<'w>(&self, of: impl Iterator<Item = &'w KnownEntry>) -> Option<KnownBranch> {
        let ends = of.filter(|end| {
            let mut all = self.entries.values();
            all.all(|entry| entry.backlink != Some(end.tip.hash))
        });
        ends.map(KnownEntry::branch).reduce(|best, other| {
            if prefers(&other.tip, &best.tip) {
                other
            } else {
                best
            }
        })
    }

    fn of_log(&self, author: PublicKey, log_id: LogId) -> impl Iterator<Item = &KnownEntry> {
        let entries = self.entries.values();
        entries.filter(move |entry| (entry.author, entry.log_id) == (author, log_id))
    }
}

impl Known for TestSource {
    type Error = PublishError;
    type Schema = Schema;

    fn branch(
        &self,
        _: PublicKey,
        _: LogId,
        tip: Hash,
    ) -> Result<Option<KnownBranch>, PublishError> {
        let is_end = self
            .entries
            .values()
            .all(|entry| entry.backlink != Some(tip));
        let end = self.entries.get(&tip).filter(|_| self.quick && is_end);
        Ok(end.map(KnownEntry::branch))
    }

    fn entry(&self, hash: Hash) -> Result<Option<KnownEntry>, PublishError> {
        Ok(self.entries.get(&hash).copied())
    }

    fn successor(
        &self,
        author: PublicKey,
        log_id: LogId,
        parent: Option<&LogTip>,
    ) -> Result<Option<Hash>, PublishError> {
        let parent = parent.map(|parent| parent.hash);
        let after = self
            .of_log(author, log_id)
            .find(|entry| entry.backlink == parent);
        Ok(after.map(|entry| entry.tip.hash))
    }

    fn only_entry_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, PublishError> {
        let at = self
            .of_log(author, log_id)
            .filter(|entry| entry.tip.seq_num == seq_num);
        Ok(match at.collect::<Vec<_>>()[..] {
            [only] => Some(only.tip.hash),
            _ => None,
        })
    }

    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownBranch>, PublishError> {
        Ok(self.preferred(self.of_log(author, log_id)))
    }

    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownBranch>, PublishError> {
        let own = |entry: &&KnownEntry| (entry.author, entry.document) == (author, document);
        Ok(self.preferred(self.entries.values().filter(own)))
    }

    fn admit(&self, _: PublicKey, _: LogId) -> Result<(), PublishError> {
        Ok(())
    }

    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, PublishError> {
        let own = self.entries.values().filter(|entry| entry.author == author);
        Ok(own.map(|entry| entry.log_id).max())
    }

    fn unused_log_id(&self, author: PublicKey) -> Result<Option<LogId>, PublishError> {
        let is_used = |id: &LogId| self.of_log(author, *id).next().is_some();
        Ok((0..).map(LogId::new).find(|id| !is_used(id)))
    }

    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, PublishError> {
        Ok(self.operations.get(&id).cloned())
    }

    fn is_deleted(&self, document: DocumentId) -> Result<bool, PublishError> {
        Ok(self.deleted.contains(&document))
    }

    fn schema(&self, id: &SchemaId) -> Result<Option<Schema>, PublishError> {
        Ok(match id {
            SchemaId::System(system) => Some(Schema::system(*system)),
            SchemaId::Application { .. } => None,
        })
    }
}

fn key_pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn data(text: &str) -> Fields<PlainValue> {
    Fields::from([("data".to_owned(), PlainValue::Bytes(text.into()))])
}

fn create(text: &str) -> Operation {
    Operation::Create {
        schema_id: SchemaId::BLOB_PIECE,
        fields: data(text),
    }
}

fn update(on: &Submission, text: &str) -> Operation {
    Operation::Update {
        schema_id: SchemaId::BLOB_PIECE,
        previous: on.entry().operation_id().into(),
        fields: data(text),
    }
}

/// The entry after those of a path that carries this operation.
fn after(path: &[&Submission], operation: &Operation) -> Submission {
    forge(&key_pair(), &args_after(path), operation).unwrap()
}

fn args_after(path: &[&Submission]) -> NextArgs {
    let hash_at = |at: SeqNum| Some(path.get(at.as_u64() as usize - 1)?.entry().hash());
    match SeqNum::new(path.len() as u64) {
        None => NextArgs::first(LogId::new(0)),
        Some(length) => {
            let tip = hash_at(length).unwrap();
            NextArgs::after(LogId::new(0), length, tip, hash_at).unwrap()
        }
    }
}

fn refused(result: Result<NextArgs, PublishError>) -> Reason {
    result.unwrap_err().reason()
}

/// Two branches after one first entry: `[first, second, third]` and `[first, other, last]`.
fn two_branches() -> (TestSource, [Submission; 5]) {
    let mut world = TestSource::default();
    let first = after(&[], &create("first"));
    let second = after(&[&first], &update(&first, "second"));
    let third = after(&[&first, &second], &update(&second, "third"));
    let other = after(&[&first], &update(&first, "other"));
    let last = after(&[&first, &other], &update(&other, "last"));
    for submission in [&first, &second, &third, &other, &last] {
        world.take(submission, Source::Peer).unwrap();
    }
    (world, [first, second, third, other, last])
}

//= FK7 test
#[test]
fn a_client_lengthens_any_branch_and_begins_none() {
    let (mut world, [first, second, third, other, last]) = two_branches();
    let rival = after(&[&first, &second], &update(&second, "rival"));
    let root = after(&[], &create("root"));

    for (forking, existing) in [(&rival, &third), (&root, &first)] {
        match world.take(forking, Source::Client) {
            Err(PublishError::WouldFork {
                existing: told,
                next: Some(_),
            }) => {
                assert_eq!(told, existing.entry().hash());
            }
            other => panic!("{other:?}"),
        }
        assert!(!world.entries.contains_key(&forking.entry().hash()));
        world.take(forking, Source::Peer).unwrap();
    }
    let on = [
        after(&[&first, &second, &third], &update(&third, "on")),
        after(&[&first, &other, &last], &update(&last, "on")),
    ];
    for submission in on {
        world.take(&submission, Source::Client).unwrap();
    }
}

//= FK7 test
#[test]
fn signing_anew_on_the_arguments_told_succeeds() {
    let (mut world, [first, second, ..]) = two_branches();
    for operation in [update(&second, "again"), create("again")] {
        let path: &[&Submission] = match operation.previous() {
            Some(_) => &[&first, &second],
            None => &[],
        };
        let Err(PublishError::WouldFork {
            next: Some(next), ..
        }) = world.take(&after(path, &operation), Source::Client)
        else {
            panic!("the place is taken");
        };
        let anew = forge(&key_pair(), &next, &operation).unwrap();
        world.take(&anew, Source::Client).unwrap();
    }
}

#[test]
fn what_does_not_continue_a_branch_is_told_by_its_cause() {
    let (mut world, [first, second, third, other, last]) = two_branches();
    let path: [&Submission; 3] = [&first, &second, &third];
    let args = args_after(&path);
    let sign = |args: NextArgs| forge(&key_pair(), &args, &update(&third, "on")).unwrap();
    let unknown = Hash::of(b"unknown");

    let other_skiplink = NextArgs {
        skiplink: Some(other.entry().hash()),
        ..args
    };
    let gap = NextArgs {
        seq_num: SeqNum::new(6).unwrap(),
        skiplink: None,
        ..args
    };
    let number = NextArgs {
        backlink: Some(second.entry().hash()),
        ..args
    };
    let nowhere = NextArgs {
        backlink: Some(unknown),
        ..args
    };
    let far = NextArgs {
        backlink: Some(unknown),
        ..gap
    };
    let foreign = NextArgs {
        log_id: LogId::new(7),
        ..args
    };
    for (args, reason) in [
        (other_skiplink, Reason::SkiplinkMismatch),
        (gap, Reason::SeqNumMismatch),
        (number, Reason::SeqNumMismatch),
        (nowhere, Reason::BacklinkMismatch),
        (far, Reason::SeqNumMismatch),
        (foreign, Reason::BacklinkMismatch),
    ] {
        assert_eq!(
            refused(world.take(&sign(args), Source::Client)),
            reason,
            "{args:?}"
        );
    }
    // From a peer only what lacks the entry before may still come.
    for args in [nowhere, far] {
        let error = world.take(&sign(args), Source::Peer).unwrap_err();
        assert_eq!(error, LogError::BacklinkNotFound(unknown).into());
    }
    let right = after(&[&first, &other, &last], &update(&last, "on"));
    world.take(&right, Source::Client).unwrap();
}

//= FK2 test
#[test]
fn nothing_follows_the_end_of_a_branch() {
    let (mut world, [first, second, third, ..]) = two_branches();
    let path: [&Submission; 3] = [&first, &second, &third];
    let operation = update(&third, "end");
    let mut entry = after(&path, &operation).entry().entry().clone();
    entry.end_of_log = true;
    entry.sign(&key_pair());
    let end = SignedEntry::from_own(entry)
        .attach(operation.encode())
        .unwrap();
    world.take(&end, Source::Client).unwrap();
    let behind = after(&[&first, &second, &third, &end], &update(&end, "behind"));

    for source in [Source::Client, Source::Peer] {
        assert_eq!(refused(world.take(&behind, source)), Reason::LogEnded);
    }
}

//= FK11 test
#[test]
fn a_tree_keeps_to_the_document_of_its_first_entry() {
    let (mut world, [first, ..]) = two_branches();
    let stranger = KeyPair::from_seed(&[2; 32]);
    let args = NextArgs::first(LogId::new(0));
    let theirs = forge(&stranger, &args, &create("theirs")).unwrap();
    world.take(&theirs, Source::Client).unwrap();
    let astray = after(&[&first], &update(&theirs, "astray"));

    assert_eq!(
        refused(world.take(&astray, Source::Peer)),
        Reason::LogIdInUse
    );
}

#[test]
fn an_operation_that_is_no_such_thing_is_told_before_its_fork_is_mended() {
    let (world, [first, ..]) = two_branches();
    let args = args_after(&[&first]);
    let nonsense = sign_entry(&key_pair(), &args, b"nonsense").unwrap();
    let nonsense = nonsense.attach(b"nonsense".to_vec()).unwrap();

    let error = judge(&world, &nonsense, Source::Client).unwrap_err();

    assert!(
        matches!(error, PublishError::WouldFork { next: None, .. }),
        "{error:?}"
    );
}

/// Entries of one log, each after one before it or a first one: `None` begins a tree.
fn any_log(parents: &[Option<prop::sample::Index>]) -> Vec<Submission> {
    let mut paths: Vec<Vec<usize>> = Vec::new();
    let mut all: Vec<Submission> = Vec::new();
    for (number, parent) in parents.iter().enumerate() {
        let parent = parent
            .filter(|_| number > 0)
            .map(|index| index.index(number));
        let mut path = parent.map_or_else(Vec::new, |parent| paths[parent].clone());
        let before: Vec<_> = path.iter().map(|at| &all[*at]).collect();
        let text = number.to_string();
        let operation = match before.last() {
            None => create(&text),
            Some(before) => update(before, &text),
        };
        let submission = after(&before, &operation);
        all.push(submission);
        path.push(number);
        paths.push(path);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    //= FK8 test
    #[test]
    fn whatever_order_branches_come_in_all_are_taken_and_one_is_continued(
        parents in prop::collection::vec(
            prop::option::weighted(0.9, any::<prop::sample::Index>()),
            1..16,
        ),
        seed: u64,
        quick: bool,
    ) {
        let all = any_log(&parents);
        let in_order = |order: &[usize], quick| {
            let mut world = TestSource { quick, ..TestSource::default() };
            let mut waiting: Vec<_> = order.iter().map(|at| &all[*at]).collect();
            // What lacks the entry before waits for it; nothing else may be refused.
            while !waiting.is_empty() {
                let before = waiting.len();
                waiting.retain(|submission| match world.take(submission, Source::Peer) {
                    Ok(next) => {
                        assert_eq!(next.backlink, Some(submission.entry().hash()));
                        false
                    }
                    Err(PublishError::Log(LogError::BacklinkNotFound(_))) => true,
                    Err(error) => panic!("{error}"),
                });
                assert!(waiting.len() < before);
            }
            world
        };
        let straight: Vec<_> = (0..all.len()).collect();
        let mut shuffled = straight.clone();
        shuffled.sort_by_key(|at| Hash::of(&[seed.to_be_bytes(), (*at as u64).to_be_bytes()].concat()));

        let (one, two) = (in_order(&straight, false), in_order(&shuffled, quick));

        prop_assert_eq!(&one.entries, &two.entries);
        let author = key_pair().public_key();
        for created in all.iter().filter(|submission| submission.entry().entry().backlink.is_none()) {
            let view_id = created.entry().operation_id().into();
            let next = next_args(&one, author, Some(&view_id));
            prop_assert_eq!(&next, &next_args(&two, author, Some(&view_id)));
            // Whoever signs on what is proposed never forks.
            let operation = update(created, "proposed");
            let submission = forge(&key_pair(), &next.unwrap(), &operation).unwrap();
            prop_assert!(judge(&one, &submission, Source::Client).is_ok());
        }
    }
}
