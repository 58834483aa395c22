//! Everything a node decides: what to accept, what state it leads to, what to tell peers.
//!
//! Synchronous and deterministic: inputs go in through [`Engine::handle`] with the time, outputs come
//! out of [`Engine::poll`]. It reads no clock, socket, thread, file or random source; the store is
//! handed to it. Checking signatures may happen outside, in parallel, because its proof is a type.
//!
//! Always true:
//! - What is answered as published is committed; what is refused left no trace.
//! - Accepting an entry and showing its effect are one transaction.
//! - The state is a function of the set of accepted operations, in whatever order they came.
//!
//! | file | decides |
//! | --- | --- |
//! | `ingest` | what follows from an entry being accepted, too early or a repetition |
//! | `knowledge` | what is stored, as core's rules of publishing ask for it |
//! | `connected` | which operations of a document count, and what they lead to |
//! | `held` | which entries peers are told of, kept for comparing |
//! | `histories` | which documents' histories are kept, so that views need not be made from everything |
//! | `materialise` | the state of a document after an operation |
//! | `parking` | whose entries may wait |
//! | `policy` | whose entries, how many of them, and which schemas the operator lets in |
//! | `purge` | what the operator removes from this node, and what follows for what comes later |
//! | `reclaimed` | how much that removed |
//! | `collect` | which operations and pieces nothing needs any more |
//! | `schemas`, `registry` | which schemas are known |
//! | `received` | what is known of a peer's message before it is judged |
//! | `replicate` | sessions with peers |
//! | `transfer` | what a peer is sent of what it lacks, step by step |
//! | `tombstone` | what names the last view of a deleted document, and what is kept to tell |
//! | `verify` | whether a store holds what it should |
//! | `lookup` | small questions that several of them, and answers to clients, ask |

mod collect;
mod connected;
mod error;
mod held;
mod histories;
mod ingest;
mod knowledge;
mod lookup;
mod materialise;
mod parking;
mod policy;
mod purge;
mod received;
mod reclaimed;
mod registry;
mod replicate;
mod schemas;
#[cfg(test)]
mod tests;
mod tombstone;
mod transfer;
mod verify;

use std::collections::{BTreeMap, VecDeque};

use grove_core::author::NextArgs;
use grove_core::session::{Dialect, PeerId};
use grove_core::time::Instant;
use grove_core::types::{DocumentId, Keyring, LogId, OperationId, PublicKey, SchemaId};
use grove_core::validate::Submission;
use grove_core::wire::Message;

use crate::budget::Budget;
use crate::store::{Change, Expected, Need, News, ParkedMax, Read, Store, StoreError, Upkeep};
use held::Held;
use histories::Histories;
use ingest::tolerate;
use parking::Parking;
use registry::Registry;
use replicate::PeerState;

pub use collect::{Candidates, Sweep, SweepKind, Weighed};
pub(crate) use error::IngestError;
pub use error::{Rejection, StoreFault};
pub(crate) use knowledge::{Knowledge, name_purge};
pub use lookup::{document_at_view, documents_at_views};
pub use policy::{AuthorLimits, Policy, PolicyError, SchemaLimits};
pub use purge::{Command, Purge};
pub use received::Received;
pub use reclaimed::Reclaimed;
pub use transfer::Transfer;
pub use verify::{Finding, Verification, verify};

/// Names a publishing request until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a node is told. Plain data: whoever keeps the inputs of an engine can hand them to another one
/// that began alike, and hears the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Other processes that serve the same database changed it. Stands before the inputs of the transaction
    /// in which it was learnt.
    Elsewhere(News),
    /// A client publishes.
    Publish {
        /// Named again in the answer.
        request: RequestId,
        /// The entry with its operation, signature checked.
        submission: Box<Submission>,
    },
    /// The operator wants something done.
    Command {
        /// Named again in the answer.
        request: RequestId,
        /// What.
        command: Box<Command>,
    },
    /// A connection to a peer stands that speaks grove's dialect, in which deleted payloads have a
    /// message of their own.
    PeerConnected(PeerId),
    /// A connection to a peer stands that speaks the deployed protocol alone.
    DeployedPeerConnected(PeerId),
    /// The connection to a peer is gone.
    PeerDisconnected(PeerId),
    /// A peer sent a message.
    Received {
        /// Who.
        peer: PeerId,
        /// What, with the entry in it checked.
        message: Received,
    },
    /// A transfer to a peer came to its end.
    Transferred {
        /// To whom.
        peer: PeerId,
        /// Of which session.
        session: u64,
        /// Whether `SyncDone` was the last of it; else it was given up.
        is_whole: bool,
    },
    /// Some time passed; sessions begin and expire on ticks.
    Tick,
}

/// What a node says. Plain data, as its inputs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The answer to a publishing request: the arguments of the entry after it.
    Published {
        /// The request.
        request: RequestId,
        /// The answer.
        result: Result<NextArgs, Rejection>,
    },
    /// The answer to a command: what it removed.
    Done {
        /// The request.
        request: RequestId,
        /// The answer.
        result: Result<Reclaimed, Rejection>,
    },
    /// A message for a peer. Messages for one peer are sent in the order in which they come out.
    Send {
        /// To whom.
        peer: PeerId,
        /// What.
        message: Message,
    },
    /// Entries for a peer, to be read from the store and sent at the pace of its connection, and no more
    /// once that is gone. Messages for the peer that come out later need not wait for it.
    Transfer {
        /// To whom.
        peer: PeerId,
        /// What.
        transfer: Transfer,
    },
    /// An operation was accepted, from whomever.
    Accepted {
        /// The operation.
        operation_id: OperationId,
        /// What it is to its document, for those who follow it.
        change: Change,
    },
    /// A document changed without an entry of its own.
    Changed(Change),
    /// Bytes of operations of a document were dropped, because it was deleted or because the operator
    /// wanted so; a store that keeps copies for a while can be told to drop them.
    Deleted(DocumentId),
    /// A schema is known from now on.
    SchemaAdded(SchemaId),
    /// A schema is not known any more: what defines it was deleted or purged.
    SchemaRemoved(SchemaId),
    /// A log turned out to be forked: there are two entries at one position of it. Told once per log.
    Forked {
        /// Who contradicts itself.
        public_key: PublicKey,
        /// In which log.
        log_id: LogId,
    },
    /// A session with a peer came to its end: both sides told all they had.
    Synced(PeerId),
    /// What a peer sent was not accepted; for logs.
    Refused {
        /// Who sent it.
        peer: PeerId,
        /// The stable code.
        reason: grove_core::Reason,
    },
}

/// What an engine is made with, besides its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    /// The node's identity to its peers.
    pub local: PeerId,
    /// Whose entries and which schemas are let in.
    pub policy: Policy,
    /// How much it takes on.
    pub limits: EngineLimits,
}

impl EngineSettings {
    /// A node that lets everything in, with limits as by default.
    pub fn new(local: PeerId) -> Self {
        Self {
            local,
            policy: Policy::default(),
            limits: EngineLimits::default(),
        }
    }
}

/// How much an engine takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLimits {
    /// How much one author may have here.
    pub authors: AuthorLimits,
    /// How many schemas are known.
    pub schemas: SchemaLimits,
    /// Most entries that wait for something, and their bytes; the oldest are dropped first (R28). No peer
    /// takes more than a part of it.
    pub parked_max: ParkedMax,
    /// How much may be done for one question.
    pub questions: QuestionLimits,
    /// Work that one entry may make before it is stored, beyond what every entry does, and as much again for the
    /// definition that it may complete; in units of a [`Budget`]. What a document has gone through is read at most
    /// once for all entries, so that only very long documents, or definitions of many long fields, come near.
    pub entry_work_max: u64,
}

/// What one entry may make by default.
pub const ENTRY_WORK_MAX: u64 = 4_000_000;

/// How much may be done to answer one question of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuestionLimits {
    /// Work in units of a [`Budget`].
    pub work_max: u64,
    /// Bytes of operations and values that are read for it.
    pub size_max: u64,
}

impl Default for QuestionLimits {
    fn default() -> Self {
        Self {
            work_max: 4_000_000,
            size_max: 96 << 20,
        }
    }
}

impl QuestionLimits {
    /// What may be done for one question.
    pub fn budget(&self) -> Budget {
        Budget::with_bytes(self.work_max, self.size_max)
    }

    /// The same, but behind the first `at` units only if `pass` allows it.
    pub(crate) fn budget_with_gate(
        &self,
        at: u64,
        pass: impl Fn(&Budget) -> bool + Send + Sync + 'static,
    ) -> Budget {
        Budget::with_gate(self.work_max, self.size_max, at, pass)
    }
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            authors: AuthorLimits::default(),
            schemas: SchemaLimits::default(),
            parked_max: ParkedMax {
                entries: 10_000,
                size: 64 << 20,
            },
            questions: QuestionLimits::default(),
            entry_work_max: ENTRY_WORK_MAX,
        }
    }
}

/// The deciding part of a node, over a store. A clone goes on from the same state with a clone of the store.
#[derive(Debug, Clone)]
pub struct Engine<S> {
    store: S,
    settings: EngineSettings,
    schemas: Registry,
    histories: Histories,
    keyring: Keyring,
    /// How many entries are parked, so that looking for them can be left out when there are none.
    parked: u64,
    /// Which peers' entries they are, as far as is known.
    parking: Parking,
    /// Whether what is remembered of the store may be wrong, after a failure that left it unreadable.
    stale: bool,
    peers: BTreeMap<PeerId, PeerState>,
    /// Which entries they are told of.
    held: Held,
    /// Who sent the entry that is being judged; nobody is told what it sent itself.
    sender: Option<PeerId>,
    /// Needs met in this transaction, for which parked entries may wait.
    met: VecDeque<Need>,
    outputs: VecDeque<Output>,
    /// The position of the latest entry stored since a transaction failed last.
    position: i64,
}

/// How many documents are materialised anew in one transaction, after an older version left them wrong.
const UNMATERIALISED_PER_READ: u32 = 64;

impl<S: Store> Engine<S> {
    /// An engine that goes on with what `store` holds.
    ///
    /// Documents that an older version of the database left without what counts are materialised first.
    pub fn new(store: S, settings: EngineSettings) -> Result<Self, StoreError> {
        let mut engine = Self {
            schemas: Registry::of_system(),
            histories: Histories::default(),
            keyring: Keyring::default(),
            parked: store.counts()?.parked,
            parking: Parking::default(),
            stale: false,
            store,
            settings,
            peers: BTreeMap::new(),
            held: Held::default(),
            sender: None,
            met: VecDeque::new(),
            outputs: VecDeque::new(),
            position: i64::MIN,
        };
        engine.settle_schemas()?;
        engine.schemas = schemas::load(&engine.store, &engine.settings)?;
        while engine.mend()? {}
        Ok(engine)
    }

    /// Materialises some of the documents anew that an older version left wrong; returns whether there were
    /// any.
    fn mend(&mut self) -> Result<bool, StoreError> {
        self.store.begin()?;
        let mended = self.mend_some().and_then(|mended| {
            self.store.commit()?;
            Ok(mended)
        });
        if mended.is_err() {
            // The error that led here says more than one that follows from it.
            let _ = self.store.rollback();
        }
        mended
    }

    fn mend_some(&mut self) -> Result<bool, StoreError> {
        let documents = self.store.unmaterialised(UNMATERIALISED_PER_READ)?;
        for id in &documents {
            if let Some(operation) = self.store.operation((*id).into())? {
                self.changed_without_entry(*id, &operation.schema_id)?;
            }
            // Definitions and parked entries may wait for any of its operations.
            for row in self.store.document_entries(*id)? {
                tolerate(self.field_defined(row.hash.into()))?;
                self.met.push_back(Need::Operation(row.hash.into()));
            }
        }
        self.release()?;
        Ok(!documents.is_empty())
    }

    /// The store, for questions.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// How many operations this engine has read of whole documents, to tell what views of them show. It keeps
    /// what it has read, so that neither branches nor views cost it the whole document each.
    pub fn operations_read(&self) -> u64 {
        self.histories.operations_read()
    }

    /// The store's upkeep, which changes no answer.
    pub fn upkeep(&mut self) -> &mut dyn Upkeep
    where
        S: Upkeep,
    {
        &mut self.store
    }

    /// Takes inputs, all in one transaction: that is what lets many publishers share one sync of the
    /// disk. Outputs wait in [`Engine::poll`] until everything is durable.
    ///
    /// When the store fails, nothing of the inputs happened: publishers are told so, and peers start
    /// their sessions anew.
    pub fn handle(&mut self, now: Instant, mut inputs: Vec<Input>) -> Result<(), StoreError> {
        let opened = self.open(&mut inputs);
        self.run(now, opened, inputs)
    }

    /// Opens the transaction of these inputs, and puts before them what other processes changed. The first
    /// half of [`handle`](Self::handle), for those who want to know all inputs.
    pub(crate) fn open(&mut self, inputs: &mut Vec<Input>) -> Result<(), StoreError> {
        if let Some(news) = self.store.begin()? {
            inputs.insert(0, Input::Elsewhere(news));
        }
        Ok(())
    }

    /// Takes the inputs of the transaction that was opened, or not: the second half of
    /// [`handle`](Self::handle).
    pub(crate) fn run(
        &mut self,
        now: Instant,
        opened: Result<(), StoreError>,
        inputs: Vec<Input>,
    ) -> Result<(), StoreError> {
        let owed: Vec<Owed> = inputs.iter().filter_map(Input::owed).collect();
        let mut kept = self.outputs.len();
        let done = opened.and_then(|()| self.take_all(now, inputs, &mut kept));
        assert!(kept <= self.outputs.len(), "outputs were taken meanwhile");
        if let Err(error) = &done {
            self.outputs.truncate(kept);
            self.recover(now, error.into(), &owed);
        }
        assert!(self.met.is_empty(), "parked entries were left waiting");
        done
    }

    /// Takes the inputs and makes them durable. `kept` outputs stay true, whatever becomes of the inputs.
    fn take_all(
        &mut self,
        now: Instant,
        inputs: Vec<Input>,
        kept: &mut usize,
    ) -> Result<(), StoreError> {
        if self.stale {
            self.reload()?;
        }
        let mut inputs = inputs.into_iter().peekable();
        while let Some(news) = inputs.next_if(|input| matches!(input, Input::Elsewhere(_))) {
            self.take(now, news)?;
        }
        *kept = self.outputs.len();
        let inputs: Vec<_> = inputs.collect();
        let expected: Vec<_> = inputs.iter().filter_map(Input::expected).collect();
        self.store.read_ahead(&expected)?;
        inputs
            .into_iter()
            .try_for_each(|input| self.take(now, input))?;
        self.tell_followers(now);
        self.store.commit()
    }

    /// The next output; `None` when there is none for now.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is stored, as the rules of publishing ask for it.
    fn knowledge(&self) -> Knowledge<'_> {
        Knowledge::with_schemas(&self.store, &self.schemas)
    }

    fn take(&mut self, now: Instant, input: Input) -> Result<(), StoreError> {
        match input {
            Input::Elsewhere(news) => self.catch_up(news),
            Input::Publish {
                request,
                submission,
            } => {
                let result = match self.publish(&submission) {
                    Ok(next) => Ok(next),
                    Err(IngestError::Store(error)) => return Err(error),
                    Err(IngestError::Refused(error)) => Err(Rejection::Refused(error)),
                    Err(IngestError::Unwanted(error)) => Err(Rejection::Unwanted(error)),
                };
                self.outputs
                    .push_back(Output::Published { request, result });
                Ok(())
            }
            Input::Command { request, command } => {
                let result = Ok(self.execute(now, *command)?);
                self.release()?;
                self.outputs.push_back(Output::Done { request, result });
                Ok(())
            }
            Input::PeerConnected(peer) => {
                self.connect(now, peer, Dialect::Grove);
                self.held.read_on(&self.store)
            }
            Input::DeployedPeerConnected(peer) => {
                self.connect(now, peer, Dialect::Deployed);
                Ok(())
            }
            Input::PeerDisconnected(peer) => {
                self.disconnect(peer);
                Ok(())
            }
            Input::Received { peer, message } => self.receive(now, peer, message),
            Input::Transferred {
                peer,
                session,
                is_whole,
            } => {
                self.transferred(now, peer, session, is_whole);
                Ok(())
            }
            Input::Tick => self.tick(now),
        }
    }

    /// Learns what other processes changed.
    fn catch_up(&mut self, news: News) -> Result<(), StoreError> {
        if news.schemas {
            self.reload_schemas()?;
        }
        self.histories.clear();
        self.held.look_again();
        self.parked = news.parked;
        Ok(())
    }

    /// Reads anew all that is remembered of what the store holds.
    fn reload(&mut self) -> Result<(), StoreError> {
        self.stale = true;
        self.histories.clear();
        self.held.forget();
        self.sender = None;
        self.reload_schemas()?;
        self.parked = self.store.counts()?.parked;
        self.stale = false;
        Ok(())
    }

    /// Goes back to what the store holds after a failed transaction, and does what must be done all
    /// the same.
    fn recover(&mut self, now: Instant, fault: StoreFault, owed: &[Owed]) {
        // A store that fails even here is asked again with the next input.
        let _ = self.store.rollback();
        let _ = self.reload();
        self.parking = Parking::default();
        self.met.clear();
        self.position = i64::MIN;
        self.forget_sessions();
        for owed in owed {
            match *owed {
                Owed::Answer(request) => {
                    let result = Err(Rejection::Store(fault));
                    self.outputs
                        .push_back(Output::Published { request, result });
                }
                Owed::Report(request) => {
                    let result = Err(Rejection::Store(fault));
                    self.outputs.push_back(Output::Done { request, result });
                }
                Owed::Connect(peer, dialect) => self.connect(now, peer, dialect),
                Owed::Disconnect(peer) => self.disconnect(peer),
            }
        }
    }
}

/// Asks a store within the budget of one entry. Nothing is written meanwhile: the entry, or what it would lead to,
/// can still be left out.
fn within<T>(
    work_max: u64,
    store: &dyn Read,
    ask: impl FnOnce(&dyn Read) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let budget = Budget::new(work_max);
    store.set_budget(budget.clone());
    let answer = ask(store);
    store.set_budget(Budget::unlimited());
    // A database that was interrupted tells of that alone.
    match budget.refusal() {
        Some(_) => Err(StoreError::BudgetExceeded),
        None => answer,
    }
}

/// What an input asks for even when its transaction fails: answers, and to know who is there.
#[derive(Debug, Clone, Copy)]
enum Owed {
    Answer(RequestId),
    Report(RequestId),
    Connect(PeerId, Dialect),
    Disconnect(PeerId),
}

impl Input {
    /// A message of a peer that nobody checked yet.
    pub fn received(peer: PeerId, message: Message) -> Self {
        let message = Received::check(message, &mut Keyring::new(0));
        Self::Received { peer, message }
    }

    /// The entry that is going to be judged.
    fn expected(&self) -> Option<Expected> {
        let submission = match self {
            Self::Publish { submission, .. } => Some(&**submission),
            Self::Received { message, .. } => message.submission(),
            _ => None,
        };
        submission.map(Expected::from)
    }

    fn owed(&self) -> Option<Owed> {
        match self {
            Self::Publish { request, .. } => Some(Owed::Answer(*request)),
            Self::Command { request, .. } => Some(Owed::Report(*request)),
            Self::PeerConnected(peer) => Some(Owed::Connect(*peer, Dialect::Grove)),
            Self::DeployedPeerConnected(peer) => Some(Owed::Connect(*peer, Dialect::Deployed)),
            Self::PeerDisconnected(peer) => Some(Owed::Disconnect(*peer)),
            Self::Elsewhere(_) | Self::Received { .. } | Self::Transferred { .. } | Self::Tick => {
                None
            }
        }
    }
}
