//! What a node knows, in memory: the smallest thing that core's rules of publishing can be asked over.
//!
//! Takes entries one after the other and remembers them. It parks nothing, drops no payloads and shows
//! no documents; those are questions of other kinds.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::author::NextArgs;
use grove_core::publish::{
    Acceptance, Judgement, Known, KnownBranch, KnownEntry, KnownOperation, PublishError, Source,
    judge, next_args_after, prefers,
};
use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::{LogTip, SignedEntry, Submission};
use grove_core::wire::Action;

/// Entries with their links, operations and schemas.
#[derive(Debug, Default)]
pub(super) struct World {
    schemas: BTreeMap<SchemaId, Schema>,
    entries: BTreeMap<Hash, KnownEntry>,
    operations: BTreeMap<OperationId, KnownOperation>,
    deleted: BTreeSet<DocumentId>,
}

impl World {
    /// Makes a schema known beside those of the system.
    pub(super) fn add_schema(&mut self, schema: Schema) {
        self.schemas.insert(schema.id().clone(), schema);
    }

    /// Makes an entry known whose operation is no matter; it counts as one of this document.
    pub(super) fn add_entry(&mut self, signed: &SignedEntry, document: DocumentId) {
        let known = KnownEntry::new(signed.entry(), signed.hash(), document);
        self.entries.insert(signed.hash(), known);
    }

    /// Takes an entry with its operation, and tells the arguments of the one after it.
    pub(super) fn take(
        &mut self,
        submission: &Submission,
        source: Source,
    ) -> Result<NextArgs, PublishError> {
        match judge(self, submission, source)? {
            Judgement::Known => {}
            Judgement::Accept(acceptance) => self.accept(submission.entry(), acceptance),
        }
        self.next_args_after(submission.entry())
    }

    /// The arguments of the entry after one that is known.
    pub(super) fn next_args_after(&self, signed: &SignedEntry) -> Result<NextArgs, PublishError> {
        let document = signed.operation_id().into();
        let known = KnownEntry::new(signed.entry(), signed.hash(), document);
        next_args_after(self, known.author, &known.branch())
    }

    fn accept(&mut self, signed: &SignedEntry, acceptance: Acceptance) {
        let document = acceptance.document;
        self.add_entry(signed, document);
        let operation = KnownOperation {
            document,
            schema_id: acceptance.operation.schema_id().clone(),
        };
        self.operations.insert(signed.operation_id(), operation);
        if acceptance.operation.action() == Action::Delete {
            self.deleted.insert(document);
        }
    }

    fn of_log(&self, author: PublicKey, log_id: LogId) -> impl Iterator<Item = &KnownEntry> {
        let entries = self.entries.values();
        entries.filter(move |entry| (entry.author, entry.log_id) == (author, log_id))
    }

    fn log_ids(&self, author: PublicKey) -> impl Iterator<Item = LogId> {
        let own = self
            .entries
            .values()
            .filter(move |entry| entry.author == author);
        own.map(|entry| entry.log_id)
    }

    /// The branch to continue, of those that end in one of these entries.
    fn preferred<'w>(&self, of: impl Iterator<Item = &'w KnownEntry>) -> Option<KnownBranch> {
        let followed: BTreeSet<_> = self.entries.values().map(|entry| entry.backlink).collect();
        let tips = of.filter(|entry| !followed.contains(&Some(entry.tip.hash)));
        let branches = tips.map(KnownEntry::branch);
        branches.reduce(|best, other| {
            if prefers(&other.tip, &best.tip) {
                other
            } else {
                best
            }
        })
    }
}

impl Known for World {
    type Error = PublishError;
    type Schema = Schema;

    fn branch(&self, _: PublicKey, _: LogId, _: Hash) -> Result<Option<KnownBranch>, PublishError> {
        Ok(None)
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
        let mut of_log = self.of_log(author, log_id);
        // The entries are in the order of their hashes.
        let successor = of_log.find(|entry| entry.backlink == parent);
        Ok(successor.map(|entry| entry.tip.hash))
    }

    fn only_entry_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, PublishError> {
        let of_log = self.of_log(author, log_id);
        let at: Vec<_> = of_log
            .filter(|entry| entry.tip.seq_num == seq_num)
            .collect();
        Ok(match at[..] {
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
        Ok(self.log_ids(author).max())
    }

    fn unused_log_id(&self, author: PublicKey) -> Result<Option<LogId>, PublishError> {
        let used: BTreeSet<_> = self.log_ids(author).collect();
        let unused = (0..).map(LogId::new).find(|log_id| !used.contains(log_id));
        Ok(unused)
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
            SchemaId::Application { .. } => self.schemas.get(id).cloned(),
        })
    }
}
