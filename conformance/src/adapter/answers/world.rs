//! What a node knows, in memory: the smallest thing that core's rules of publishing can be asked over.
//!
//! Takes entries one after the other and remembers them. It parks nothing, drops no payloads and shows
//! no documents; those are questions of other kinds.

use std::collections::{BTreeMap, BTreeSet};

use grove_core::author::NextArgs;
use grove_core::publish::{
    Acceptance, Judgement, Known, KnownLog, KnownOperation, PublishError, Source, judge,
    next_args_after,
};
use grove_core::types::{
    DocumentId, Hash, LogId, OperationId, PublicKey, Schema, SchemaId, SeqNum,
};
use grove_core::validate::{ForkEvidence, LogTip, SignedEntry, Submission};
use grove_core::wire::Action;

/// Logs, operations and schemas.
#[derive(Debug, Default)]
pub struct World {
    schemas: BTreeMap<SchemaId, Schema>,
    logs: BTreeMap<(PublicKey, LogId), Log>,
    operations: BTreeMap<OperationId, Place>,
    deleted: BTreeSet<DocumentId>,
}

/// All entries of a log, from the first on.
#[derive(Debug)]
struct Log {
    document: DocumentId,
    entries: Vec<SignedEntry>,
    fork: Option<(SeqNum, [Hash; 2])>,
}

/// Where an operation stands.
#[derive(Debug)]
struct Place {
    log: (PublicKey, LogId),
    seq_num: SeqNum,
    document: DocumentId,
    schema_id: SchemaId,
}

impl World {
    /// Makes a schema known beside those of the system.
    pub fn add_schema(&mut self, schema: Schema) {
        self.schemas.insert(schema.id().clone(), schema);
    }

    /// Takes an entry with its operation, and tells the arguments of the one after it.
    pub fn take(
        &mut self,
        submission: &Submission,
        source: Source,
    ) -> Result<NextArgs, PublishError> {
        match judge(self, submission, source)? {
            Judgement::Known => {}
            Judgement::Fork => return Err(self.record_fork(submission.entry())),
            Judgement::Accept(acceptance) => self.accept(submission.entry(), acceptance),
        }
        let signed = submission.entry();
        let entry = signed.entry();
        next_args_after(
            self,
            entry.public_key,
            entry.log_id,
            entry.seq_num,
            signed.hash(),
        )
    }

    fn accept(&mut self, signed: &SignedEntry, acceptance: Acceptance) {
        let entry = signed.entry();
        let id = (entry.public_key, entry.log_id);
        let document = acceptance.document;
        let log = self.logs.entry(id).or_insert(Log {
            document,
            entries: Vec::new(),
            fork: None,
        });
        log.entries.push(signed.clone());
        let place = Place {
            log: id,
            seq_num: entry.seq_num,
            document,
            schema_id: acceptance.operation.schema_id().clone(),
        };
        self.operations.insert(signed.operation_id(), place);
        if acceptance.operation.action() == Action::Delete {
            self.deleted.insert(document);
        }
    }

    /// Remembers the earliest fork of a log.
    fn record_fork(&mut self, signed: &SignedEntry) -> PublishError {
        let entry = signed.entry();
        let log = self.logs.get_mut(&(entry.public_key, entry.log_id));
        let log = log.expect("a fork is of a log that is there");
        let first = log
            .at(entry.seq_num)
            .expect("a fork is of a taken position");
        let evidence = ForkEvidence::of(first.clone(), signed.clone());
        let hashes = evidence.expect("told apart before").hashes();
        if log.fork.is_none_or(|(at, _)| entry.seq_num < at) {
            log.fork = Some((entry.seq_num, hashes));
        }
        let [first, second] = hashes;
        PublishError::LogForked { first, second }
    }
}

impl Log {
    fn at(&self, seq_num: SeqNum) -> Option<&SignedEntry> {
        let index = usize::try_from(seq_num.as_u64() - 1).ok()?;
        self.entries.get(index)
    }

    fn known(&self) -> KnownLog {
        let tip = self.entries.last().expect("a log begins with an entry");
        let entry = tip.entry();
        KnownLog {
            log_id: entry.log_id,
            document: self.document,
            tip: LogTip {
                seq_num: entry.seq_num,
                hash: tip.hash(),
                ended: entry.end_of_log,
            },
            forked_at: self.fork.map(|(at, _)| at),
        }
    }
}

impl Known for World {
    type Error = PublishError;
    type Schema = Schema;

    fn log(&self, author: PublicKey, log_id: LogId) -> Result<Option<KnownLog>, PublishError> {
        Ok(self.logs.get(&(author, log_id)).map(Log::known))
    }

    fn log_of_document(
        &self,
        author: PublicKey,
        document: DocumentId,
    ) -> Result<Option<KnownLog>, PublishError> {
        let mut own = self.logs.iter().filter(|((key, _), _)| *key == author);
        let log = own.find(|(_, log)| log.document == document);
        Ok(log.map(|(_, log)| log.known()))
    }

    fn highest_log_id(&self, author: PublicKey) -> Result<Option<LogId>, PublishError> {
        let own = self.logs.keys().filter(|(key, _)| *key == author);
        Ok(own.map(|(_, log_id)| *log_id).max())
    }

    fn hash_at(
        &self,
        author: PublicKey,
        log_id: LogId,
        seq_num: SeqNum,
    ) -> Result<Option<Hash>, PublishError> {
        let log = self.logs.get(&(author, log_id));
        Ok(log.and_then(|log| log.at(seq_num)).map(SignedEntry::hash))
    }

    fn fork(&self, author: PublicKey, log_id: LogId) -> Result<[Hash; 2], PublishError> {
        let log = self.logs.get(&(author, log_id));
        let (_, hashes) = log
            .and_then(|log| log.fork)
            .expect("only asked of a forked log");
        Ok(hashes)
    }

    fn operation(&self, id: OperationId) -> Result<Option<KnownOperation>, PublishError> {
        Ok(self.operations.get(&id).map(|place| {
            let fork = self.logs.get(&place.log).and_then(|log| log.fork);
            KnownOperation {
                document: place.document,
                schema_id: place.schema_id.clone(),
                counted: fork.is_none_or(|(at, _)| place.seq_num < at),
            }
        }))
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
