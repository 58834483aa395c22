//! Sessions with peers: when they begin, and what their actions do to the store.
//!
//! The rules of a session are core's; this file joins them with what is stored. Entries that a peer lacks
//! are read and sent elsewhere, see [`Transfer`].

use std::collections::{BTreeMap, BTreeSet};

use grove_core::publish::PublishError;
use grove_core::session::{Action, Dialect, HandleError, Logs, Peer, PeerId};
use grove_core::time::Instant;
use grove_core::types::{DocumentId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::{SignedEntry, Submission};
use grove_core::wire::{Heights, SchemaSet, Tips};
use grove_core::{Reason, Refusal};

use super::ingest::tolerate;
use super::received::Kind;
use super::{Engine, IngestError, Output, Received, Transfer};
use crate::store::{Read, Store, StoreError};

/// A connected peer.
#[derive(Debug)]
pub(super) struct PeerState {
    session: Peer,
    /// Whether there may be something this peer has not heard of yet.
    news: bool,
    /// Whether the peer has to be told which schemas are known now.
    announce: bool,
}

impl<S: Store> Engine<S> {
    pub(super) fn connect(&mut self, now: Instant, peer: PeerId, dialect: Dialect) {
        // A new connection replaces one whose end went unnoticed, with all that was under way on it.
        self.disconnect(peer);
        let mut session = Peer::new(self.settings.local, peer).speaking(dialect);
        let message = session.announce(now, self.wanted_schemas());
        let before = self.peers.insert(
            peer,
            PeerState {
                session,
                news: true,
                announce: false,
            },
        );
        assert!(before.is_none(), "two sessions with one peer");
        self.outputs.push_back(Output::Send { peer, message });
    }

    /// The known schemas whose documents the operator lets in.
    fn wanted_schemas(&self) -> SchemaSet {
        let mut schemas = self.schemas.ids();
        schemas.retain(|id| self.settings.policy.wants(id));
        schemas
    }

    pub(super) fn disconnect(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Ends all sessions; they begin anew on the next tick.
    pub(super) fn forget_sessions(&mut self) {
        for state in self.peers.values_mut() {
            state.session.abandon();
            state.news = true;
            state.announce = true;
        }
    }

    /// Notes that something arrived which no peer may know yet.
    pub(super) fn mark_news(&mut self) {
        self.peers.values_mut().for_each(|state| state.news = true);
    }

    /// Notes that a schema became known.
    pub(super) fn mark_new_schemas(&mut self) {
        for state in self.peers.values_mut() {
            state.announce = true;
            state.news = true;
        }
    }

    /// Announces what is new and begins sessions with those who may lack something.
    pub(super) fn tick(&mut self, now: Instant) {
        let schemas = self.wanted_schemas();
        for (peer, state) in &mut self.peers {
            let expired = state.session.expire(now);
            if expired.sessions > 0 {
                state.news = true;
            }
            let announcement = std::mem::take(&mut state.announce)
                .then(|| state.session.announce(now, schemas.clone()));
            let request = if state.news {
                state.session.initiate(now, &schemas)
            } else {
                None
            };
            if request.is_some() {
                state.news = false;
            }
            let messages = expired.messages.into_iter();
            let messages = messages.chain(announcement).chain(request);
            self.outputs.extend(messages.map(|message| Output::Send {
                peer: *peer,
                message,
            }));
        }
    }

    /// Answers a peer's message.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        peer: PeerId,
        message: Received,
    ) -> Result<(), StoreError> {
        let Some(state) = self.peers.get_mut(&peer) else {
            return Ok(());
        };
        let logs = StoredLogs(&self.store);
        let answered = match message.0 {
            Kind::Plain(message) => state.session.handle(now, message, &logs),
            Kind::Entry { session, proof } => match state.session.expect_entry(now, session) {
                Ok(()) => return self.take_entry(peer, proof),
                Err(error) => Err(error.into()),
            },
            Kind::Skeleton {
                session,
                proof,
                schema,
                document,
            } => match state.session.expect_entry(now, session) {
                Ok(()) => return self.take_bare_entry(peer, proof, document, &schema),
                Err(error) => Err(error.into()),
            },
        };
        let actions = match answered {
            Ok(actions) => actions,
            Err(HandleError::Logs(error)) => return Err(error),
            Err(HandleError::Session(error)) => {
                // The session is over before its end, so there may be more to tell.
                state.news = true;
                self.outputs.push_back(Output::Refused {
                    peer,
                    reason: error.reason(),
                });
                return Ok(());
            }
        };
        self.act(now, peer, actions);
        Ok(())
    }

    /// A transfer to a peer came to its end.
    pub(super) fn transferred(&mut self, now: Instant, peer: PeerId, session: u64, is_whole: bool) {
        if let Some(state) = self.peers.get_mut(&peer) {
            // What was not sent is still to be told.
            state.news |= !is_whole;
            let actions = state.session.transferred(now, session, is_whole);
            self.act(now, peer, actions);
        }
    }

    /// Does what a session with a peer leads to.
    fn act(&mut self, now: Instant, peer: PeerId, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send(message) => self.outputs.push_back(Output::Send { peer, message }),
                Action::Transfer { session, starts } => {
                    let dialect = state_of(&mut self.peers, peer).session.dialect();
                    let transfer = Transfer::new(now, session, starts, dialect);
                    self.outputs.push_back(Output::Transfer { peer, transfer });
                }
                Action::Announced(_) | Action::GaveWay => {
                    state_of(&mut self.peers, peer).news = true;
                }
                Action::Finished { .. } => self.outputs.push_back(Output::Synced(peer)),
            }
        }
    }

    /// Judges an entry that a peer sent. Refusing it does not end the session: what follows may be
    /// good.
    fn take_entry(
        &mut self,
        peer: PeerId,
        proof: Result<Box<Submission>, Reason>,
    ) -> Result<(), StoreError> {
        let news_before = self.has_news_for(peer);
        let refused = match proof {
            Ok(submission) => tolerate(self.ingest(&submission, Some(peer)))?,
            Err(reason) => Some(reason),
        };
        self.settle_entry(peer, news_before, refused)
    }

    /// Judges an entry that a peer sent without its operation.
    fn take_bare_entry(
        &mut self,
        peer: PeerId,
        proof: Result<Box<SignedEntry>, Reason>,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), StoreError> {
        let news_before = self.has_news_for(peer);
        let refused = match proof {
            Ok(entry) => tolerate(self.take_skeleton(&entry, document, schema_id))?,
            Err(reason) => Some(reason),
        };
        self.settle_entry(peer, news_before, refused)
    }

    fn has_news_for(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|state| state.news)
    }

    /// Does what follows from an entry of a peer.
    fn settle_entry(
        &mut self,
        peer: PeerId,
        news_before: bool,
        refused: Option<Reason>,
    ) -> Result<(), StoreError> {
        self.release()?;
        if let Some(reason) = refused {
            self.outputs.push_back(Output::Refused { peer, reason });
        }
        // What comes from this peer is no news to it.
        state_of(&mut self.peers, peer).news = news_before;
        Ok(())
    }

    /// Stores an entry whose operation was deleted with its document, so that its log stays whole
    /// (R31). That it was deleted, and where it belongs, is what the peer says; it is doubted until a DELETE
    /// of that document is here, and until then whoever has the operation can still bring it.
    fn take_skeleton(
        &mut self,
        signed: &SignedEntry,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), IngestError> {
        let entry = signed.entry();
        let policy = &self.settings.policy;
        policy.admit_author(entry.public_key)?;
        policy.admit_schema(schema_id)?;
        let shown = self.store.document_outline(document)?;
        if let Some(shown) = shown.as_ref().filter(|row| row.schema_id != *schema_id) {
            let (claimed, actual) = (schema_id.clone(), shown.schema_id.clone());
            return Err(PublishError::DocumentSchemaMismatch { claimed, actual }.into());
        }
        if !self.store_skeleton(signed, (document, schema_id.clone()))? {
            return Ok(());
        }
        // A further first entry of a purged log is a tree that is not purged yet.
        let (public_key, log_id) = (entry.public_key, entry.log_id);
        let trees = match entry.backlink {
            None => self.store.trees(public_key, log_id)?,
            Some(_) => Vec::new(),
        };
        if trees.iter().any(|tree| tree.purged) {
            self.store.purge_log(public_key, log_id)?;
        } else if !shown.is_some_and(|row| row.is_deleted()) {
            // Until the tombstone is there it is a claim: the operation is still asked for.
            self.store.doubt(signed.hash())?;
        }
        Ok(())
    }
}

/// The logs of a store, as sessions ask for them.
struct StoredLogs<'s>(&'s dyn Read);

impl Logs for StoredLogs<'_> {
    type Error = StoreError;

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        self.0.heights(schemas)
    }

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        self.0.tips(schemas)
    }

    fn known(&self, hashes: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, StoreError> {
        let ids: Vec<OperationId> = hashes.iter().map(|hash| (*hash).into()).collect();
        let known = self.0.operations(&ids)?.into_keys();
        Ok(known.map(|id| id.hash()).collect())
    }

    fn forked_at(&self, author: PublicKey, log_id: LogId) -> Result<Option<SeqNum>, StoreError> {
        Ok(self.0.fork(author, log_id)?.map(|fork| fork.seq_num))
    }
}

fn state_of(peers: &mut BTreeMap<PeerId, PeerState>, peer: PeerId) -> &mut PeerState {
    peers
        .get_mut(&peer)
        .expect("a message is handled only while its peer is connected")
}
