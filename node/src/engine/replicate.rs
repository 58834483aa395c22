//! Sessions with peers: when they begin, and what their actions do to the store.
//!
//! The rules of a session are core's; this file joins them with what is stored. Entries are sent in
//! the order in which this node accepted them, which puts everything after what it depends on.

use std::collections::BTreeMap;

use grove_core::publish::{Known, PublishError, check_log, check_place};
use grove_core::session::{Action, HandleError, Peer, PeerId};
use grove_core::time::Instant;
use grove_core::types::{DocumentId, SchemaId};
use grove_core::validate::{SignedEntry, Submission, VerifyError};
use grove_core::wire::{Heights, Message, SchemaSet};
use grove_core::{Reason, Refusal};

use super::ingest::tolerate;
use super::{Engine, IngestError, Output};
use crate::store::{EntryRow, Store, StoreError};

/// How many entries are read at once while sending; bounds memory, not the transfer.
const ENTRIES_PER_READ: u32 = 64;

/// How many when they are large, as those before them were.
const LARGE_ENTRIES_PER_READ: u32 = 4;

/// What as many entries as are read at once may take without counting as large.
const READ_SIZE_MAX: usize = 4 << 20;

/// A connected peer.
#[derive(Debug)]
pub(super) struct PeerState {
    session: Peer,
    /// Whether there may be something this peer has not heard of yet.
    news: bool,
    /// Whether the peer has to be told which schemas are known now.
    announce: bool,
}

/// Entries on their way to a peer.
#[derive(Debug)]
pub(super) struct Transfer {
    peer: PeerId,
    session: u64,
    starts: Heights,
    after_position: i64,
    /// How many entries to read at once.
    step: u32,
}

impl<S: Store> Engine<S> {
    pub(super) fn connect(&mut self, now: Instant, peer: PeerId) {
        // A new connection replaces one whose end went unnoticed, with all that was under way on it.
        self.disconnect(peer);
        let mut session = Peer::new(self.local, peer);
        let message = session.announce(now, self.wanted_schemas());
        self.peers.insert(
            peer,
            PeerState {
                session,
                news: true,
                announce: false,
            },
        );
        self.outputs.push_back(Output::Send { peer, message });
    }

    /// The known schemas whose documents the operator lets in.
    fn wanted_schemas(&self) -> SchemaSet {
        let mut schemas = self.schemas.ids();
        schemas.retain(|id| self.limits.policy.wants(id));
        schemas
    }

    pub(super) fn disconnect(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.transfers.retain(|transfer| transfer.peer != peer);
    }

    /// Ends all sessions; they begin anew on the next tick.
    pub(super) fn forget_sessions(&mut self) {
        self.transfers.clear();
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
            if state.session.expire(now) > 0 {
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
            let messages = announcement.into_iter().chain(request);
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
        message: Message,
    ) -> Result<(), StoreError> {
        let Some(state) = self.peers.get_mut(&peer) else {
            return Ok(());
        };
        let store = &self.store;
        let actions = match state.session.handle(now, message, |set| store.heights(set)) {
            Ok(actions) => actions,
            Err(HandleError::Heights(error)) => return Err(error),
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
        for action in actions {
            match action {
                Action::Send(message) => self.outputs.push_back(Output::Send { peer, message }),
                Action::Transfer { session, starts } => {
                    let transfer = Transfer {
                        peer,
                        session,
                        starts,
                        after_position: i64::MIN,
                        step: LARGE_ENTRIES_PER_READ,
                    };
                    self.transfers.push_back(transfer);
                }
                Action::Announced(_) => state_of(&mut self.peers, peer).news = true,
                Action::Ingest(message) => self.take_entry(peer, message)?,
                Action::Finished { .. } => {}
            }
        }
        Ok(())
    }

    /// Judges an entry that a peer sent. Refusing it does not end the session: what follows may be
    /// good.
    fn take_entry(&mut self, peer: PeerId, message: Message) -> Result<(), StoreError> {
        // What comes from this peer is no news to it.
        let news_before = self.peers.get(&peer).is_some_and(|state| state.news);
        let refused = match message {
            Message::Entry {
                entry,
                payload: Some(payload),
                ..
            } => {
                let submission = Submission::verify_with(&entry, payload, &mut self.keyring);
                let submission = submission.map_err(refused);
                let taken = submission.and_then(|submission| self.ingest(&submission, Some(peer)));
                tolerate(taken)?
            }
            //= RP7: an entry without its operation is refused
            Message::Entry { payload: None, .. } => Some(Reason::PayloadMissing),
            Message::Skeleton {
                entry,
                schema,
                document,
                ..
            } => {
                let entry = SignedEntry::verify_with(&entry, &mut self.keyring);
                let entry = entry.map_err(refused);
                tolerate(entry.and_then(|entry| self.take_skeleton(&entry, document, &schema)))?
            }
            _ => unreachable!("sessions pass on nothing else"),
        };
        self.release()?;
        if let Some(reason) = refused {
            self.outputs.push_back(Output::Refused { peer, reason });
        }
        state_of(&mut self.peers, peer).news = news_before;
        Ok(())
    }

    /// Stores an entry whose operation was deleted with its document, so that its log stays whole
    /// (R31).
    fn take_skeleton(
        &mut self,
        signed: &SignedEntry,
        document: DocumentId,
        schema_id: &SchemaId,
    ) -> Result<(), IngestError> {
        let entry = signed.entry();
        let policy = &self.limits.policy;
        policy.admit_author(entry.public_key)?;
        policy.admit_schema(schema_id)?;
        let known = self.knowledge();
        let log = known.log(entry.public_key, entry.log_id)?;
        if log.is_some_and(|log| entry.seq_num <= log.tip.seq_num) {
            return Ok(());
        }
        check_log(&known, entry, log.as_ref(), document)?;
        check_place(&known, entry, log.as_ref())?;
        self.store_entry(signed, None, document, schema_id)?;
        Ok(())
    }

    //= RP11: whatever a peer lacks is sent to it
    /// Reads the next entries of the oldest transfer into the outputs; behind the last follows
    /// `SyncDone`.
    pub(super) fn continue_transfer(&mut self) -> Result<(), StoreError> {
        let Some(transfer) = self.transfers.front_mut() else {
            return Ok(());
        };
        let (peer, session) = (transfer.peer, transfer.session);
        let rows =
            self.store
                .entries_from(&transfer.starts, transfer.after_position, transfer.step)?;
        let done = rows.len() < transfer.step as usize;
        let size: usize = rows.iter().map(EntryRow::size).sum();
        transfer.step = if size <= READ_SIZE_MAX {
            ENTRIES_PER_READ
        } else {
            LARGE_ENTRIES_PER_READ
        };
        if let Some(last) = rows.last() {
            transfer.after_position = last.position;
        }
        if done {
            self.transfers.pop_front();
        }
        // What was lost here was not deleted: the peer gets it elsewhere, or here once it is mended.
        let whole = rows.into_iter().filter(|row| !row.lost);
        let entries = whole.map(|row| message_of(session, row));
        let done = done.then_some(Message::SyncDone {
            session,
            live: false,
        });
        let messages = entries.chain(done);
        self.outputs
            .extend(messages.map(|message| Output::Send { peer, message }));
        Ok(())
    }
}

fn refused(error: VerifyError) -> IngestError {
    PublishError::from(error).into()
}

fn state_of(peers: &mut BTreeMap<PeerId, PeerState>, peer: PeerId) -> &mut PeerState {
    peers
        .get_mut(&peer)
        .expect("a message is handled only while its peer is connected")
}

//= DL3: of an operation that was deleted only the entry is sent
fn message_of(session: u64, row: EntryRow) -> Message {
    match row.payload {
        Some(payload) => Message::Entry {
            session,
            entry: row.entry,
            payload: Some(payload),
        },
        None => Message::Skeleton {
            session,
            entry: row.entry,
            schema: row.schema_id,
            document: row.document,
        },
    }
}
