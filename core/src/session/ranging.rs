//! Sessions in which entries are compared by ranges.
//!
//! Who was asked for the session asks for ranges: it learns what differs, tells the peer what it lacks, and sends
//! what the peer lacks. A session ends as any other does. From its beginning on the peer is told what is new by
//! itself, once the session is over: nothing has to be compared again.

use std::collections::BTreeSet;

use super::ranges::{self, Differences, Positions};
use super::{Action, Comparison, Dialect, Logs, Peer, PeerSession, SessionError, State};
use crate::limits::REASON_LEN_MAX;
use crate::reason::{Reason, Refusal};
use crate::time::Instant;
use crate::types::Hash;
use crate::wire::{Message, SchemaSet};

impl Peer {
    /// Begins a session that the peer wants, by telling of all we have.
    pub(super) fn accept_ranges<L: Logs>(
        &mut self,
        now: Instant,
        session: u64,
        schemas: SchemaSet,
        logs: &L,
    ) -> Action {
        let set = logs.entries().expect("asked for before");
        let ranges = ranges::ask(&set.select(&schemas));
        let state = State::Ranging { asks: true };
        self.open(
            session,
            PeerSession::new(now, schemas, Comparison::Ranges, state),
        );
        Action::Send(Message::Ranges { session, ranges })
    }

    /// Goes on comparing.
    pub(super) fn take_ranges<L: Logs>(
        &mut self,
        now: Instant,
        id: u64,
        message: &[u8],
        logs: &L,
    ) -> Result<Vec<Action>, SessionError> {
        let session = self.sessions.get_mut(&id);
        let session = session.ok_or(SessionError::Unknown(id))?;
        let asks = match session.state {
            State::Ranging { asks } => asks,
            State::Requested { .. } if session.comparison == Comparison::Ranges => false,
            _ => return self.break_off(id, SessionError::Unexpected(id)),
        };
        session.alive = now;
        session.state = State::Ranging { asks };
        let Some(set) = logs.entries() else {
            return self.break_off(id, SessionError::Unknown(id));
        };
        let entries = set.select(&session.schemas);
        if !asks {
            return match ranges::answer(&entries, message) {
                Ok(ranges) => Ok(vec![Action::Send(Message::Ranges {
                    session: id,
                    ranges,
                })]),
                Err(_) => self.break_off(id, SessionError::Ranges(id)),
            };
        }
        let mut differences = Differences::default();
        let Ok(next) = ranges::learn(&entries, message, &mut differences) else {
            return self.break_off(id, SessionError::Ranges(id));
        };
        session.lacked.extend(&differences.have);
        let mut entries = differences.need;
        entries.retain(|hash| !self.refused.contains(hash) && logs.wants(hash));
        let is_last = next.is_none();
        let mut actions = Vec::new();
        if is_last || !entries.is_empty() {
            actions.push(Action::Send(Message::Want {
                session: id,
                entries,
                is_last,
            }));
        }
        match next {
            Some(ranges) => actions.push(Action::Send(Message::Ranges {
                session: id,
                ranges,
            })),
            None => actions.push(self.give(id)),
        }
        Ok(actions)
    }

    /// Notes what the peer lacks, and sends it once that is all.
    pub(super) fn take_want<L: Logs>(
        &mut self,
        now: Instant,
        id: u64,
        wanted: &BTreeSet<Hash>,
        is_last: bool,
        logs: &L,
    ) -> Result<Vec<Action>, SessionError> {
        let session = self.sessions.get_mut(&id);
        let session = session.ok_or(SessionError::Unknown(id))?;
        if session.state != (State::Ranging { asks: false }) {
            return self.break_off(id, SessionError::Unexpected(id));
        }
        session.alive = now;
        let Some(set) = logs.entries() else {
            return self.break_off(id, SessionError::Unknown(id));
        };
        let entries = set.select(&session.schemas);
        let found = wanted.iter().filter_map(|hash| entries.find(hash));
        let positions = found.map(|member| member.position).collect();
        session.lacked.extend(&Positions::of(positions));
        Ok(match is_last {
            true => vec![self.give(id)],
            false => Vec::new(),
        })
    }

    /// Sends what the peer lacks: everything is compared.
    fn give(&mut self, id: u64) -> Action {
        let session = self.sessions.get_mut(&id).expect("asked for before");
        let positions = std::mem::take(&mut session.lacked);
        session.state = State::Compared {
            local_done: positions.is_empty(),
            remote_done: false,
        };
        match positions.is_empty() {
            true => Action::Send(session.done(id)),
            false => Action::Give {
                session: id,
                positions,
            },
        }
    }

    /// The peer says that it does not go on.
    pub(super) fn declined(&mut self, id: u64, reason: &str) -> Vec<Action> {
        let Some(session) = self.sessions.remove(&id) else {
            return Vec::new();
        };
        let is_unknown = reason == Reason::SessionMode.code();
        if is_unknown && session.comparison == Comparison::Ranges {
            self.has_ranges = false;
        }
        vec![Action::Declined]
    }

    /// The session that ends when this message is answered with an error, and of which its sender is told so.
    pub fn session_asked(message: &Message) -> Option<u64> {
        match message {
            Message::SyncRequest { session, .. }
            | Message::Have { session, .. }
            | Message::Tips { session, .. }
            | Message::Ranges { session, .. }
            | Message::Want { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// What a peer is told of an error, if it understands that.
    pub fn refusal(&self, session: u64, error: SessionError) -> Option<Message> {
        let reason = error.reason().code().to_owned();
        debug_assert!(reason.len() <= REASON_LEN_MAX);
        (self.dialect == Dialect::Grove).then_some(Message::Refusal { session, reason })
    }

    fn break_off(&mut self, id: u64, error: SessionError) -> Result<Vec<Action>, SessionError> {
        self.sessions.remove(&id);
        Err(error)
    }
}
