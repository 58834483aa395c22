//! Sessions with peers: when they begin, and what their actions do to the store.
//!
//! The rules of a session are core's; this file joins them with what is stored. Entries that a peer lacks
//! are read and sent elsewhere, see [`Transfer`].

use std::collections::{BTreeMap, BTreeSet};

use grove_core::publish::PublishError;
use grove_core::session::{
    Action, Comparison, Dialect, EntrySet, HandleError, Logs, Peer, PeerId, Positions,
};
use grove_core::time::{Duration, Instant};
use grove_core::types::{DocumentViewId, Hash, LogId, OperationId, PublicKey, SchemaId, SeqNum};
use grove_core::validate::{SignedEntry, Submission};
use grove_core::wire::{Heights, SchemaSet, Tips};
use grove_core::{Reason, Refusal};

use super::held::Held;
use super::ingest::{need_behind, tolerate};
use super::parking::Parking;
use super::purge::Belongs;
use super::received::Kind;
use super::{Engine, IngestError, Output, Received, Transfer};
use crate::store::{Read, Store, StoreError};

/// A connected peer.
#[derive(Debug, Clone)]
pub(super) struct PeerState {
    session: Peer,
    /// Whether there may be something this peer has not heard of yet.
    news: bool,
    /// Whether the peer has to be told which schemas are known now.
    announce: bool,
    /// Entries it is to hear of by itself, once no session is open.
    pending: Positions,
    /// Whether something it sent was dropped that may be wanted again, or came before what it follows.
    dropped: bool,
    /// When to ask it again.
    retry_at: Option<Instant>,
}

/// After what time a peer is asked again for what had no room, or after it declined.
const RETRY: Duration = Duration::from_secs(30);

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
                pending: Positions::default(),
                dropped: false,
                retry_at: None,
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
            state.pending = Positions::default();
        }
    }

    /// Notes that an entry arrived which no peer may know yet but the one who sent it. Who follows its schema
    /// hears of it by itself.
    pub(super) fn mark_news(&mut self, schema_id: &SchemaId, position: i64) {
        for (peer, state) in &mut self.peers {
            if Some(*peer) == self.sender {
                continue;
            }
            match state.session.follows(schema_id) {
                true => state.pending.append(position),
                false => state.news = true,
            }
        }
    }

    /// Notes that something is to be compared again with every peer.
    pub(super) fn mark_all_news(&mut self) {
        self.peers.values_mut().for_each(|state| state.news = true);
    }

    /// Notes that what these peers sent was dropped for want of room.
    pub(super) fn ask_again_later(&mut self, peers: &BTreeSet<PeerId>) {
        for peer in peers {
            if let Some(state) = self.peers.get_mut(peer) {
                state.dropped = true;
            }
        }
    }

    /// Sends those who follow what is new to them.
    pub(super) fn tell_followers(&mut self, now: Instant) {
        for (peer, state) in &mut self.peers {
            if state.pending.is_empty() || state.session.is_syncing() {
                continue;
            }
            let positions = std::mem::take(&mut state.pending);
            let Some((session, _)) = state.session.live() else {
                state.news = true;
                continue;
            };
            let (peer, transfer) = (*peer, Transfer::of_news(now, session, positions));
            self.outputs.push_back(Output::Transfer { peer, transfer });
        }
    }

    /// Notes that a schema became known.
    pub(super) fn mark_new_schemas(&mut self) {
        for state in self.peers.values_mut() {
            state.announce = true;
            state.news = true;
        }
    }

    /// Announces what is new and begins sessions with those who may lack something.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), StoreError> {
        let is_grove = |state: &PeerState| state.session.dialect() == Dialect::Grove;
        if self.peers.values().any(is_grove) {
            self.held.read_on(&self.store)?;
        }
        let has_ranges = self.held.whole().is_some();
        let schemas = self.wanted_schemas();
        for (peer, state) in &mut self.peers {
            state.look_at_the_clock(now);
            let expired = state.session.expire(now);
            if expired.sessions > 0 {
                state.news = true;
            }
            let announcement = std::mem::take(&mut state.announce)
                .then(|| state.session.announce(now, schemas.clone()));
            let request = match (state.news, is_grove(state)) {
                (true, true) if has_ranges => {
                    let ranges = Comparison::Ranges;
                    state.session.initiate_by(now, &schemas, ranges)
                }
                (true, false) => state.session.initiate(now, &schemas),
                _ => None,
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
        Ok(())
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
        if message.compares_ranges() && state.session.dialect() == Dialect::Grove {
            self.held.complete(&self.store)?;
        }
        let logs = StoredLogs {
            store: &self.store,
            held: &self.held,
            parking: &self.parking,
        };
        let mut refusal = None;
        let answered = match message.0 {
            Kind::Plain(message) => {
                let asked = Peer::session_asked(&message);
                let answered = state.session.handle(now, message, &logs);
                if let Err(HandleError::Session(error)) = &answered {
                    refusal = asked.and_then(|id| state.session.refusal(id, *error));
                }
                answered
            }
            Kind::Entry { session, proof } => match state.session.expect_entry(now, session) {
                Ok(()) => return self.take_entry(peer, proof),
                Err(error) => Err(error.into()),
            },
            Kind::Skeleton {
                session,
                proof,
                schema,
                document,
                previous,
            } => match state.session.expect_entry(now, session) {
                Ok(()) => {
                    let belongs = (document, schema);
                    return self.take_bare_entry(peer, proof, &belongs, previous.as_ref());
                }
                Err(error) => Err(error.into()),
            },
        };
        let actions = match answered {
            Ok(actions) => actions,
            Err(HandleError::Logs(error)) => return Err(error),
            Err(HandleError::Session(error)) => {
                // The session is over before its end, so there may be more to tell.
                state.news = true;
                let refusal = refusal.map(|message| Output::Send { peer, message });
                self.outputs.extend(refusal);
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
                Action::Give { session, positions } => {
                    let transfer = Transfer::of_entries(now, session, positions);
                    self.outputs.push_back(Output::Transfer { peer, transfer });
                }
                Action::Declined => {
                    let retry_at = now.after(RETRY);
                    state_of(&mut self.peers, peer).retry_at = Some(retry_at);
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
        self.sender = Some(peer);
        let refused = match proof {
            Ok(submission) => {
                let refused = tolerate(self.ingest(&submission, Some(peer)));
                refused
                    .map(|refused| refused.map(|reason| (Some(submission.entry().hash()), reason)))
            }
            Err(reason) => Ok(Some((None, reason))),
        };
        self.sender = None;
        self.settle_entry(peer, refused?)
    }

    /// Judges an entry that a peer sent without its operation.
    fn take_bare_entry(
        &mut self,
        peer: PeerId,
        proof: Result<Box<SignedEntry>, Reason>,
        belongs: &Belongs,
        previous: Option<&DocumentViewId>,
    ) -> Result<(), StoreError> {
        self.sender = Some(peer);
        let refused = match proof {
            Ok(entry) => match self.take_skeleton(&entry, belongs, previous) {
                // It came before what it follows, which the peer did not tell of yet: no reason to refuse it for good.
                Err(error) if need_behind(&error).is_some() => {
                    state_of(&mut self.peers, peer).dropped = true;
                    Ok(None)
                }
                taken => tolerate(taken)
                    .map(|refused| refused.map(|reason| (Some(entry.hash()), reason))),
            },
            Err(reason) => Ok(Some((None, reason))),
        };
        self.sender = None;
        self.settle_entry(peer, refused?)
    }

    /// Does what follows from an entry of a peer.
    fn settle_entry(
        &mut self,
        peer: PeerId,
        refused: Option<(Option<Hash>, Reason)>,
    ) -> Result<(), StoreError> {
        self.release()?;
        if let Some((hash, reason)) = refused {
            if let Some(hash) = hash {
                state_of(&mut self.peers, peer).session.refuse(hash);
            }
            self.outputs.push_back(Output::Refused { peer, reason });
        }
        Ok(())
    }

    /// Stores an entry whose operation was deleted with its document, so that its log stays whole
    /// (R31). That it was deleted, and where it belongs, is what the peer says; it is doubted until a DELETE
    /// of that document is here, and until then whoever has the operation can still bring it.
    fn take_skeleton(
        &mut self,
        signed: &SignedEntry,
        (document, schema_id): &Belongs,
        previous: Option<&DocumentViewId>,
    ) -> Result<(), IngestError> {
        let document = *document;
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
            return Ok(());
        }
        if let Some(previous) = previous {
            self.leave_claimed_stub(signed, schema_id, previous)?;
        }
        if shown.is_some_and(|row| row.is_deleted()) {
            // An operation that came between others.
            self.histories.forget(document);
            return Ok(self.name_end(document)?);
        }
        // Until the tombstone is there it is a claim: the operation is still asked for.
        self.store.doubt(signed.hash())?;
        self.held.remove(schema_id, signed.hash());
        Ok(())
    }
}

impl PeerState {
    /// Begins to wait before the peer is asked again, or ends that.
    fn look_at_the_clock(&mut self, now: Instant) {
        if std::mem::take(&mut self.dropped) && self.retry_at.is_none() {
            self.retry_at = Some(now.after(RETRY));
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
            self.news = true;
        }
    }
}

/// The logs of a store, as sessions ask for them.
struct StoredLogs<'s> {
    store: &'s dyn Read,
    held: &'s Held,
    parking: &'s Parking,
}

impl Logs for StoredLogs<'_> {
    type Error = StoreError;

    fn heights(&self, schemas: &SchemaSet) -> Result<Heights, StoreError> {
        self.store.heights(schemas)
    }

    fn tips(&self, schemas: &SchemaSet) -> Result<Tips, StoreError> {
        self.store.tips(schemas)
    }

    fn known(&self, hashes: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>, StoreError> {
        let ids: Vec<OperationId> = hashes.iter().map(|hash| (*hash).into()).collect();
        let known = self.store.operations(&ids)?.into_keys();
        Ok(known.map(|id| id.hash()).collect())
    }

    fn forked_at(&self, author: PublicKey, log_id: LogId) -> Result<Option<SeqNum>, StoreError> {
        Ok(self.store.fork(author, log_id)?.map(|fork| fork.seq_num))
    }

    fn entries(&self) -> Option<&EntrySet> {
        self.held.whole()
    }

    fn wants(&self, hash: &Hash) -> bool {
        !self.parking.holds(hash)
    }
}

fn state_of(peers: &mut BTreeMap<PeerId, PeerState>, peer: PeerId) -> &mut PeerState {
    peers
        .get_mut(&peer)
        .expect("a message is handled only while its peer is connected")
}
